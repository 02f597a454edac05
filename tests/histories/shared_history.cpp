#include "shared_history.hpp"

#include "heap_meter.hpp"

#include <algorithm>
#include <stdexcept>

namespace histories {

using namespace std::chrono_literals;

namespace {

thread_local int deep = 0;
thread_local std::uint64_t stream = 0;
std::atomic<std::uint64_t> streams{0};
std::atomic<std::uint64_t> seed_of_streams{0};

std::string str(errc code) { return std::string(wsolo::name_of(code)); }
time_point now() { return std::chrono::steady_clock::now(); }

struct deeper {
    deeper() { ++deep; }
    deeper(const deeper&) = delete;
    deeper& operator=(const deeper&) = delete;
    ~deeper() { --deep; }
};

} // namespace

seeded& shared_history::draws() {
    static thread_local seeded own(0);
    if (stream != seed_of_streams) {
        stream = seed_of_streams;
        own = seeded(stream, 100 + ++streams);
    }
    return own;
}

making shared_history::draw(std::uint64_t seed) {
    seeded draw(seed, 0);
    making how;
    how.client = draw.chance(50);
    how.how = draw.one_of({drive::deferred, drive::deferred, drive::inline_, drive::threaded});
    how.completes = how.how != drive::threaded && draw.chance(30);
    how.gated = how.how != drive::threaded && draw.chance(20);
    how.when_full = draw.one_of(
        {policy::reject, policy::reject, policy::drop_oldest, policy::drop_oldest, policy::disconnect});
    how.max_bytes = draw.one_of<std::size_t>({600, 2000, 4000, 20'000, 200'000});
    how.max_frames = draw.one_of<std::uint32_t>({2, 4, 16, 1000, 1000});
    how.control_reserve = draw.one_of<std::uint16_t>({1, 4, 64});
    how.high_water = draw.one_of<std::uint8_t>({10, 75});
    how.low_water = draw.one_of<std::uint8_t>({0, 25});
    how.quantum_bytes = draw.one_of<std::uint32_t>({1000, 1 << 20});
    how.quantum_frames = draw.one_of<std::uint16_t>({1, 16'384});
    how.write_timeout = 20s;
    how.drain_timeout = 10s;
    if (how.how != drive::threaded) how.compression = draw_compression(seed);
    return how;
}

void shared_history::run() {
    journal::begin("shared", seed_);
    seed_of_streams = seed_ + 1;
    streams = 0;
    seeded draw(seed_, 1);
    reenters_ = draw.one_of({0U, 10U, 30U});
    wanted_ = draw.one_of({10U, 40U, 100U});
    senders_ = static_cast<unsigned>(draw.between(1, 3));
    pumps_twice_ = draw.chance(50);
    largest_ = std::min<std::size_t>(how_.max_bytes, draw.one_of<std::size_t>({40, 300, 3000, 70'000}));
    journal::line(0,
                  "%s, %s, %s, %s, policy %d, max_bytes %zu, max_frames %u, quantum %u/%u; %u senders, "
                  "re-enters %u%%%s",
                  how_.client ? "client" : "server",
                  how_.how == drive::inline_    ? "inline"
                  : how_.how == drive::threaded ? "threaded"
                                                : "deferred",
                  how_.completes ? "completes" : "writes", how_.gated ? "gated" : "open",
                  static_cast<int>(how_.when_full), how_.max_bytes, how_.max_frames, how_.quantum_bytes,
                  how_.quantum_frames, senders_, reenters_, pumps_twice_ ? ", another thread pumps too" : "");
    heap::start();
    heap::forget();
    subject_ = make_shared_subject(how_, *this);
    {
        const deeper quiet; // the last handle is by_handle()'s
        subject_->take_handle(subject::places - 1);
    }
    std::vector<std::thread> threads;
    if (how_.how != drive::threaded) threads.emplace_back([this] { loop(); });
    std::thread ends_writes;
    if (how_.completes) ends_writes = std::thread([this] { device(); });
    if (pumps_twice_) threads.emplace_back([this] { other_pump(); });
    std::thread late([this] { by_handle(); });
    std::vector<std::thread> senders;
    for (unsigned i = 0; i < senders_; ++i) senders.emplace_back([this, i] { sender(i); });
    if (how_.gated) {
        std::this_thread::sleep_for(std::chrono::microseconds(draw.below(3000)));
        item& it = begin(item_kind::greeting, -1, false,
                         [](unsigned) { return std::string("HTTP/1.1 101\r\n\r\n"); });
        end(it, subject_->acknowledge(it.payload));
        if (draw.chance(80))
            subject_->open_gate();
        else
            subject_->reject_gate();
    }
    for (std::thread& each : senders) each.join();
    end_of_history(draw);

    stop_ = true;
    wake();
    device_changed_.notify_all();
    for (std::thread& each : threads) each.join();
    if (ends_writes.joinable()) ends_writes.join();
    if (!journal::is_broken()) {
        journal::line(0, "destroy");
        subject_->destroy();
        writer_is_gone();
    }
    is_over_ = true;
    late.join();
    if (journal::is_broken()) static_cast<void>(subject_.release());
    if (!journal::is_broken()) {
        if (finals_ != 1) broke("outcome", "on_finished() is called " + std::to_string(finals_) + " times");
        if (finishes_ != 1) broke("transport", "finish() is called " + std::to_string(finishes_) + " times");
        judge(final_, false);
        subject_->drop_handle(subject::places - 1);
        subject_.reset();
        if (!journal::is_broken() && heap::held_blocks() != 0)
            broke("leak", std::to_string(heap::held_bytes()) + " bytes in " +
                              std::to_string(heap::held_blocks()) + " blocks are left");
    }
    journal::end();
}

void shared_history::end_of_history(seeded& draw) {
    healthy_ = true;
    const bool waits = draw.chance(70);
    const auto until = [&](auto holds) { // a handle's user goes on sending: once is enough
        const time_point patience = now() + 5s;
        for (;;) {
            if (holds()) return true;
            if (now() >= patience || journal::is_broken()) return false;
            std::this_thread::sleep_for(200us);
        }
    };
    if (waits && !until([&] { return subject_->is_finished() || subject_->queued_bytes() == 0; }))
        broke("lost_wakeup", std::to_string(subject_->queued_bytes()) +
                                 " bytes stay in the queue, and the transport takes everything");
    if (draw.chance(70)) {
        if (!closing_.exchange(true)) close_once(draw);
    } else if (!how_.completes && draw.chance(50)) {
        return; // the destructor's
    } else {
        journal::line(0, "abort");
        subject_->abort(0ms);
    }
    if (!until([&] { return subject_->is_finished(); }) && !journal::is_broken())
        broke("bound", "closed or aborted, and 5 s later not finished");
}

// ---- what the threads do ------------------------------------------------------------------------------

void shared_history::sender(unsigned number) {
    seeded draw(seed_, 50 + number);
    for (unsigned i = 0; i < wanted_ && !journal::is_broken(); ++i) operate(number, draw);
}

void shared_history::send_one(seeded& draw, bool may_wait) {
    kind_of_send kind =
        draw.one_of({kind_of_send::text, kind_of_send::binary, kind_of_send::keyed, kind_of_send::shared,
                     kind_of_send::raw, kind_of_send::variant, kind_of_send::ping, kind_of_send::pong,
                     kind_of_send::told_ping, kind_of_send::waits});
    if (kind == kind_of_send::waits && !may_wait) return;
    const bool is_control =
        kind == kind_of_send::ping || kind == kind_of_send::pong || kind == kind_of_send::told_ping;
    const bool text =
        kind == kind_of_send::text || kind == kind_of_send::variant || kind == kind_of_send::waits;
    const std::size_t size =
        is_control ? draw.between(smallest, 125)
                   : draw.between(smallest, draw.chance(70) ? 60 : std::max<std::size_t>(largest_, 60));
    const bool asked = kind == kind_of_send::told_ping || draw.chance(50);
    item& it = begin(!is_control                  ? item_kind::data
                     : kind == kind_of_send::pong ? item_kind::pong
                                                  : item_kind::ping,
                     kind == kind_of_send::pong ? 10
                     : is_control               ? 9
                     : text                     ? 1
                                                : 2,
                     size, asked);
    it.keyed = kind == kind_of_send::keyed;
    it.key = draw.below(3);
    if (kind == kind_of_send::text && inflate_ && it.number % 5 == 0) kind = kind_of_send::secret;
    it.as_is = kind == kind_of_send::raw || kind == kind_of_send::secret;
    sending what{kind, it.payload, it.key, now() + std::chrono::microseconds(draw.below(3000))};
    std::string frame;
    if (kind == kind_of_send::raw) what.payload = frame = raw_frame(it.opcode, it.payload);
    const errc result = subject_->send(what, asking(it));
    end(it, result);
    journal::line(static_cast<unsigned>(deep), "send #%u kind %d, %zu bytes%s: %s", it.number,
                  static_cast<int>(kind), size, asked ? ", asked" : "", str(result).c_str());
}

void shared_history::operate(unsigned number, seeded& draw) {
    const std::size_t place = number;
    switch (draw.below(20)) {
    case 0: {
        item& mark = begin(item_kind::mark, -1, 0, true);
        const errc result = subject_->flush(asking(mark));
        end(mark, result);
        mark.dropped_before =
            subject_->report().frames_dropped; // by others, up to its acceptance and a little more
        journal::line(static_cast<unsigned>(deep), "flush #%u: %s", mark.number, str(result).c_str());
        return;
    }
    case 1: {
        item& mark = begin(item_kind::mark, -1, 0, false);
        mark.is_blocking = true;
        mark.dropped_before = never / 2; // others may drop up to its acceptance
        const errc result = subject_->flush_until(now() + std::chrono::microseconds(draw.below(5000)));
        mark.wire_when_told = wire_size();
        end(mark, result);
        journal::line(static_cast<unsigned>(deep), "blocking flush #%u: %s", mark.number,
                      str(result).c_str());
        return;
    }
    case 2: {
        if (deep != 0) return;
        subject_->cork(place);
        const std::size_t count = draw.between(1, 6);
        for (std::size_t i = 0; i < count; ++i) send_one(draw, true);
        subject_->uncork(place);
        return;
    }
    case 3:
    case 4:
    case 5:
        if (deep == 0) send_relayed(number, draw);
        return;
    case 6: static_cast<void>(pump()); return;
    case 7:
        if (draw.chance(5) && !closing_.exchange(true)) close_once(draw);
        return;
    case 8:
        if (draw.chance(2)) {
            journal::line(static_cast<unsigned>(deep), "abort");
            subject_->abort(0ms);
        }
        return;
    case 9: {
        item& it = begin(item_kind::data, 1, smallest, true);
        it.is_blocking = it.may_be = true;
        subject_->send_in_coroutine(it.payload, asking(it));
        const std::lock_guard hold(mutex_);
        it.end = ++stamp_;
        return;
    }
    default: send_one(draw, deep == 0); return;
    }
}

void shared_history::close_once(seeded& draw) {
    item& it = begin(item_kind::close, 8, draw.chance(50), [](unsigned) {
        return std::string("\x03\xe8"
                           "bye",
                           5);
    });
    const errc result = subject_->close(1000, std::string_view(it.payload).substr(2), 10s, asking(it));
    end(it, result);
    journal::line(static_cast<unsigned>(deep), "close #%u: %s", it.number, str(result).c_str());
}

/// A message, of which each part's outcome writes the next, in the thread that pumps; this one waits, and ends it.
void shared_history::send_relayed(unsigned number, seeded& draw) {
    relay* at = nullptr;
    {
        const std::lock_guard hold(relays_mutex_);
        at = &relays_.emplace_back();
    }
    at->self = this;
    at->place = number;
    at->text = draw.chance(50);
    begin_record(at->record).text = at->text;
    const errc begun = subject_->begin_message(number, at->text);
    journal::line(static_cast<unsigned>(deep), "begin message %u: %s", at->record, str(begun).c_str());
    if (begun == errc::none) {
        at->parts_left = static_cast<int>(draw.between(1, 4));
        write_next(*at);
        const time_point patience = now() + 5s;
        while (!at->over && now() < patience) std::this_thread::yield();
        if (!at->over) {
            broke("lost_wakeup",
                  "a part of message " + std::to_string(at->record) + " has no outcome for 5 s");
            return;
        }
        item& last = begin(item_kind::fragment, at->text ? 1 : 2, draw.chance(50) ? 0 : smallest, false);
        last.fin = true;
        last.message = at->record;
        const errc ended = subject_->finish_message(number, last.payload, {});
        end(last, ended);
        journal::line(static_cast<unsigned>(deep), "finish message %u, part #%u: %s", at->record, last.number,
                      str(ended).c_str());
        if (ended != errc::none) {
            item& empty = begin(item_kind::fragment, at->text ? 1 : 2, 0, false);
            empty.message = at->record;
            empty.may_be = true;
            item& close =
                begin(item_kind::close, 8, false, [](unsigned) { return std::string("\x03\xf3", 2); });
            close.may_be = true;
            subject_->drop_message(number, draw.chance(50));
            end(empty, errc::none);
            end(close, errc::none);
            message_ended(at->record);
            return;
        }
    }
    message_ended(at->record);
    subject_->drop_message(number, false);
}

void shared_history::write_next(relay& at) {
    item& it = begin(item_kind::fragment, at.text ? 1 : 2, smallest, true);
    it.fin = false;
    it.message = at.record;
    --at.parts_left;
    {
        const std::lock_guard hold(relays_mutex_);
        relayed_.emplace_back(&it, &at);
    }
    const errc result = subject_->write_part(at.place, it.payload, asking(it));
    end(it, result);
    if (result != errc::none) at.over = true;
}

void shared_history::told(item& whom) {
    const heap::outside out;
    if (whom.is_blocking) { // a coroutine's
        const std::lock_guard hold(mutex_);
        whom.may_be = whom.outcome != errc::none;
        whom.result = whom.may_be ? whom.outcome : errc::none;
        return;
    }
    relay* at = nullptr;
    if (whom.kind == item_kind::fragment) {
        const std::lock_guard hold(relays_mutex_);
        for (const auto& each : relayed_)
            if (each.first == &whom) at = each.second;
    }
    if (at == nullptr) return callback();
    const deeper inside;
    if (whom.outcome == errc::none && at->parts_left > 0)
        write_next(*at);
    else
        at->over = true;
}

void shared_history::callback() {
    if (deep >= 2 || journal::is_broken()) return;
    seeded& draw = draws();
    if (!draw.chance(reenters_)) return;
    const deeper inside;
    operate(0, draw);
}

void shared_history::wake() {
    const std::lock_guard hold(loop_mutex_);
    awake_ = true;
    loop_changed_.notify_all();
}

left shared_history::pump() { return subject_->pump().status; }

void shared_history::loop() {
    while (!stop_) {
        {
            std::unique_lock hold(loop_mutex_);
            loop_changed_.wait(hold, [&] { return awake_ || stop_; });
            awake_ = false;
        }
        left got = left::more;
        while (!stop_ && got != left::idle && got != left::finished && got != left::busy) {
            const pumped result = subject_->pump();
            got = result.status;
            if (got == left::blocked) {
                if (how_.completes) break;          // its end calls the hook
                std::this_thread::sleep_for(100us); // writable again
            }
        }
        if (got == left::busy && !stop_) { // a gate, or another thread, which may leave it to the loop
            std::this_thread::sleep_for(200us);
            wake();
        }
    }
}

void shared_history::other_pump() {
    while (!stop_) {
        if (pump() == left::blocked && how_.how != drive::threaded) wake(); // the loop waits for writability
        std::this_thread::sleep_for(150us);
    }
}

void shared_history::by_handle() {
    seeded draw(seed_, 90);
    while (!is_over_ && !journal::is_broken()) {
        item& it = begin(item_kind::data, 1, smallest, draw.chance(50));
        end(it, subject_->send_by_handle(subject::places - 1, it.payload, asking(it)));
        if (draw.chance(20)) {
            item& mark = begin(item_kind::mark, -1, 0, true);
            mark.dropped_before = never / 2; // it can't look at the report of a writer that may be gone
            end(mark, subject_->flush_by_handle(subject::places - 1, asking(mark)));
        }
        std::this_thread::sleep_for(std::chrono::microseconds(draw.below(1500)));
    }
}

// ---- the transport ------------------------------------------------------------------------------------

io shared_history::write(std::span<const part> parts, time_point) {
    if (in_transport_.exchange(true)) broke("transport", "two threads write");
    seeded& draw = draws();
    std::size_t offered = 0;
    for (const part each : parts) offered += each.size();
    io how{taken::ok, offered, 0};
    if (!healthy_) {
        if (draw.chance(30)) how.bytes = draw.between(1, offered);
        if (draw.chance(25)) how = {taken::would_block, draw.chance(50) ? 0 : draw.below(offered), 11};
    } else if (draw.chance(10)) {
        how = {taken::would_block, 0, 11};
    }
    std::size_t rest = how.bytes;
    for (const part each : parts) {
        const std::size_t share = std::min(rest, each.size());
        took(reinterpret_cast<const char*>(each.data()), share);
        rest -= share;
    }
    if (draw.chance(10)) std::this_thread::yield();
    in_transport_ = false;
    callback();
    return how;
}

bool shared_history::wait_writable(time_point) {
    std::this_thread::sleep_for(100us);
    return true;
}

void shared_history::start_write(std::span<const part> parts, time_point) {
    const std::lock_guard hold(device_mutex_);
    if (in_flight_) broke("transport", "a second write is started");
    flight_.assign(parts.begin(), parts.end());
    in_flight_ = true;
    device_changed_.notify_all();
}

void shared_history::cancel_write() {}

void shared_history::device() {
    seeded draw(seed_, 91);
    for (;;) {
        std::vector<part> parts;
        {
            std::unique_lock hold(device_mutex_);
            device_changed_.wait(hold, [&] { return in_flight_ || stop_; });
            if (!in_flight_) return;
            parts.swap(flight_);
            in_flight_ = false;
        }
        std::size_t offered = 0;
        for (const part each : parts) offered += each.size();
        const io how{taken::ok, healthy_ || draw.chance(50) ? offered : draw.between(1, offered), 0};
        std::size_t rest = how.bytes;
        for (const part each : parts) {
            const std::size_t share = std::min(rest, each.size());
            took(reinterpret_cast<const char*>(each.data()), share);
            rest -= share;
        }
        subject_->complete(how);
    }
}

void shared_history::finish(bool) { ++finishes_; }

bool shared_history::hook() {
    wake();
    callback();
    return true;
}

void shared_history::on_finished(const totals& report) {
    final_ = report;
    ++finals_;
    journal::line(0, "on_finished: %s, written %llu, dropped %llu", str(report.reason).c_str(),
                  static_cast<unsigned long long>(report.frames_written),
                  static_cast<unsigned long long>(report.frames_dropped));
    callback();
}

} // namespace histories
