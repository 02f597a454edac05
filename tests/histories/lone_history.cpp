#include "lone_history.hpp"

#include <algorithm>
#include <cstdarg>
#include <stdexcept>

namespace histories {

using namespace std::chrono_literals;

namespace {
const char* const names[] = {"send",
                             "burst",
                             "begin_message",
                             "write_part",
                             "finish_message",
                             "drop_message",
                             "close",
                             "raw_close",
                             "abort",
                             "flush",
                             "flush_until",
                             "flush_in_coroutine",
                             "send_in_coroutine",
                             "send_wait",
                             "chain",
                             "cork",
                             "uncork",
                             "acknowledge",
                             "bound_gate",
                             "open_gate",
                             "reject_gate",
                             "drop_gate",
                             "pump",
                             "advance",
                             "mood",
                             "complete",
                             "lose",
                             "take_handle",
                             "drop_handle",
                             "send_by_handle",
                             "close_by_handle",
                             "abort_by_handle",
                             "flush_by_handle",
                             "malformed",
                             "throwing_send",
                             "destroy"};
constexpr unsigned usual[] = {30, 8, 6, 10, 5,  2, 2, 1,  1, 6, 3, 3, 3, 4, 1, 4, 5, 4,
                              2,  4, 1, 1,  14, 5, 4, 10, 1, 3, 1, 4, 1, 1, 2, 1, 1, 1};
constexpr const char* kinds[] = {"text",    "binary", "keyed", "shared",    "raw",
                                 "variant", "ping",   "pong",  "told_ping", "waits"};
constexpr const char* statuses[] = {"idle", "blocked", "more", "busy", "finished"};

std::string str(errc code) { return std::string(wsolo::name_of(code)); }

template <class T>
struct raised { // for a scope
    T& value;
    T by;
    raised(T& what, T how_much) : value(what), by(how_much) { value = static_cast<T>(value + by); }
    raised(const raised&) = delete;
    raised& operator=(const raised&) = delete;
    ~raised() { value = static_cast<T>(value - by); }
};
} // namespace

making lone_history::draw(std::uint64_t seed) {
    seeded draw(seed, 0);
    making how;
    how.client = draw.chance(50);
    how.how = draw.chance(50) ? drive::inline_ : drive::deferred;
    how.completes = draw.chance(35);
    how.gated = draw.chance(20);
    how.when_full = draw.one_of(
        {policy::reject, policy::reject, policy::drop_oldest, policy::drop_oldest, policy::disconnect});
    how.max_bytes = draw.one_of<std::size_t>({300, 1000, 2000, 4000, 4000, 20'000, 100'000, 200'000});
    how.max_frames = draw.one_of<std::uint32_t>({1, 2, 3, 4, 8, 64, 1000, 1000});
    how.control_reserve = draw.one_of<std::uint16_t>({1, 2, 4, 16});
    how.high_water = draw.one_of<std::uint8_t>({0, 10, 50, 75, 100});
    how.low_water = draw.one_of<std::uint8_t>({0, 10, 25, 50});
    how.quantum_bytes = draw.one_of<std::uint32_t>({1, 1000, 1 << 20, 1 << 20});
    how.quantum_frames = draw.one_of<std::uint16_t>({1, 2, 16'384, 16'384});
    how.write_timeout = draw.one_of({100ms, 1000ms, 1000ms});
    how.drain_timeout = draw.one_of({50ms, 500ms, 5000ms});
    how.min_rate = draw.one_of<std::uint32_t>({0, 1024, 100'000});
    return how;
}

void lone_history::run() {
    journal::begin("lone", seed_);
    lone_thread::current = this;
    lone_thread::now = time_point(std::chrono::hours(1));
    lone_thread::word = &main_.word;
    main_.word = nullptr;

    diligent_ = draws_.chance(75);
    always_perfect_ = draws_.chance(35);
    mood_ = always_perfect_ ? mood::perfect
                            : draws_.one_of({mood::perfect, mood::choppy, mood::choppy, mood::stuck});
    reenters_ = draws_.one_of({0U, 5U, 15U, 40U});
    wanted_ = draws_.one_of({6U, 12U, 30U, 30U, 80U});
    sizes_ = static_cast<unsigned>(draws_.below(4));
    refuses_hook_ = draws_.chance(3) ? 5 : 0;
    for (std::size_t i = 0; i < operations; ++i) weights_[i] = usual[i] * draws_.one_of({0U, 1U, 1U, 3U});
    for (const operation ending :
         {operation::close, operation::raw_close, operation::abort, operation::close_by_handle,
          operation::abort_by_handle, operation::destroy})
        if (draws_.chance(60)) weights_[static_cast<std::size_t>(ending)] = 0;
    if (how_.how == drive::threaded) how_.how = drive::deferred;

    journal::line(
        0,
        "%s, %s, %s, %s, policy %d, max_bytes %zu, max_frames %u, reserve %u, marks %u/%u, quantum %u/%u, "
        "write %d ms, drain %d ms, rate %u; %s, transport %d%s, re-enters %u%%",
        how_.client ? "client" : "server", how_.how == drive::inline_ ? "inline" : "deferred",
        how_.completes ? "completes" : "writes", how_.gated ? "gated" : "open",
        static_cast<int>(how_.when_full), how_.max_bytes, how_.max_frames, how_.control_reserve,
        how_.high_water, how_.low_water, how_.quantum_bytes, how_.quantum_frames,
        static_cast<int>(how_.write_timeout.count()), static_cast<int>(how_.drain_timeout.count()),
        how_.min_rate, diligent_ ? "diligent" : "lazy", static_cast<int>(mood_),
        always_perfect_ ? " for ever" : "", reenters_);

    heap::start();
    heap::forget();
    subject_ = make_lone_subject(how_, *this);
    heap::refuse(less_.refused_allocation, less_.refused_in_a_row);
    is_gated_ = how_.gated;
    char here = 0;
    stack_base_ = &here;
    while (number_ < wanted_ && number_ < less_.cut && alive() && !journal::is_broken()) {
        perform();
        if (diligent_) settle();
    }
    if (!journal::is_broken()) end_of_history();
    heap::refuse_no_more();
    if (journal::is_broken()) static_cast<void>(subject_.release()); // its state is not to be trusted
    journal::end();
    lone_thread::current = nullptr;
}

// ---- operations ---------------------------------------------------------------------------------------

void lone_history::say(const char* format, ...) const {
    std::va_list values;
    va_start(values, format);
    journal::line_of(depth_, format, values);
    va_end(values);
}

std::string lone_history::never_performed() {
    std::string missing;
    for (std::size_t i = 0; i < operations; ++i)
        if (performed_[i] == 0) missing += std::string(" ") + names[i];
    return missing;
}

void lone_history::perform() {
    const unsigned number = ++number_;
    if (less_.skipped.contains(number)) return;
    seeded draw(seed_, 1000 + number);
    std::size_t sum = 0;
    for (const unsigned weight : weights_) sum += weight;
    for (unsigned tries = 0; tries < 20 && alive(); ++tries) {
        std::size_t at = draw.below(sum + 1);
        std::size_t which = 0;
        while (which + 1 < operations && at >= weights_[which]) at -= weights_[which++];
        if (!perform(static_cast<operation>(which), draw)) continue;
        ++performed_[which];
        break;
    }
    if (depth_ == 0 && alive()) check_heap();
}

std::size_t lone_history::size_of_payload(seeded& draw) {
    std::size_t size = smallest;
    switch (sizes_) {
    case 0: size = draw.between(smallest, 40); break;
    case 1: size = draw.one_of<std::size_t>({6, 10, 100, 125, 126, 127, 300, 500}); break;
    case 2:
        size = draw.one_of<std::size_t>({6, 7, 200, 1000, 1900, 2030, 2044, 2045, 2048, 2500, 5000});
        break;
    default:
        size = draw.one_of<std::size_t>({6, 20, 20, 127, 1500, 3000, 17'000, 65'535, 65'536, 70'000});
        break;
    }
    if (size > how_.max_bytes && !draw.chance(10)) size = draw.between(smallest, 60);
    return size;
}

void lone_history::send_one(seeded& draw) {
    static constexpr kind_of_send these[] = {
        kind_of_send::text,  kind_of_send::text,   kind_of_send::binary,   kind_of_send::keyed,
        kind_of_send::keyed, kind_of_send::shared, kind_of_send::raw,      kind_of_send::variant,
        kind_of_send::ping,  kind_of_send::pong,   kind_of_send::told_ping};
    send_item(these[draw.below(std::size(these))], size_of_payload(draw), draw);
}

void lone_history::before_call() {
    if (depth_ == 0) nested_operations_ = 0;
}

void lone_history::send_item(kind_of_send kind, std::size_t size, seeded& draw, unsigned chain) {
    const bool is_control =
        kind == kind_of_send::ping || kind == kind_of_send::pong || kind == kind_of_send::told_ping;
    if (is_control) size = draw.one_of<std::size_t>({6, 20, 125});
    const bool asked = chain != 0 || kind == kind_of_send::told_ping || draw.chance(50);
    const bool may_give_way = how_.when_full == policy::drop_oldest || kind == kind_of_send::keyed;
    if (!is_control && !asked && !may_give_way && draw.chance(3))
        size = 0; // nobody could tell which one went
    const bool text =
        kind == kind_of_send::text || kind == kind_of_send::variant || kind == kind_of_send::waits;
    const item_kind as = !is_control                  ? item_kind::data
                         : kind == kind_of_send::pong ? item_kind::pong
                                                      : item_kind::ping;
    item& it = begin(as, as == item_kind::ping ? 9 : as == item_kind::pong ? 10 : text ? 1 : 2, size, asked);
    it.keyed = kind == kind_of_send::keyed;
    it.key = draw.below(3);
    it.chain = chain;
    sending what{kind, it.payload, it.key, {}};
    std::string frame;
    if (kind == kind_of_send::raw) what.payload = frame = raw_frame(it.opcode, it.payload);
    asleep wait;
    if (kind == kind_of_send::waits) {
        what.deadline = lone_thread::now + draw.one_of<span_of_time>({0ms, 20ms, 300ms, 3000ms});
        wait.needs = it.wire_bytes + 256;
        next_sleep_ = &wait;
    }
    say("%u: send %s #%u, %zu bytes%s%s", number_, kinds[static_cast<unsigned>(kind)], it.number, size,
        it.keyed ? (" key " + std::to_string(it.key)).c_str() : "", asked ? ", asked" : "");
    const bool in_callback = running_->callbacks != 0;
    const standing before = stands();
    errc result = errc::none;
    {
        const raised call(calls_, 1U);
        const raised bytes(in_calls_, it.wire_bytes * 2 + 512);
        result = subject_->send(what, asking(it));
    }
    next_sleep_ = nullptr;
    end(it, result);
    say("= #%u %s", it.number, str(result).c_str());
    if (kind == kind_of_send::waits && in_callback && result == errc::timed_out)
        broke("self_wait", "send_wait() inside of a callback is answered " + str(result));
    if (kind != kind_of_send::waits) check_refused(it, before);
    if (result == errc::queue_full && how_.when_full == policy::disconnect && as == item_kind::data)
        note_end_by(span_of_time::zero());
}

lone_history::standing lone_history::stands() const {
    return {subject_->report().frames_dropped, subject_->queued_bytes(), items_.size(), number_};
}

void lone_history::check_refused(const item& it, const standing& before) {
    if (it.result == errc::none || !alive() || journal::is_broken()) return;
    if (it.result == errc::out_of_memory && !heap::has_refused())
        broke("memory", of(it) + " says out_of_memory, and there is memory");
    const standing after = stands();
    if (how_.when_full == policy::disconnect || after.number != before.number || after.items != before.items)
        return;
    if (after.dropped != before.dropped || after.held != before.held)
        broke("refused_took_effect",
              of(it) + " was refused (" + str(it.result) + "), and something was dropped");
}

void lone_history::do_part(std::size_t place, bool last, seeded& draw) {
    open_message& message = message_[place];
    const std::size_t size = draw.chance(15) ? 0 : size_of_payload(draw);
    item& it = begin(item_kind::fragment, message.text ? 1 : 2, size, size != 0 && draw.chance(60));
    it.fin = last;
    it.message = message.record;
    const standing before = stands();
    say("%u: %s of message %u, part #%u, %zu bytes%s", number_, last ? "finish" : "write", message.record,
        it.number, size, it.asked ? ", asked" : "");
    errc result = errc::none;
    {
        const raised call(calls_, 1U);
        const raised bytes(in_calls_, it.wire_bytes * 2 + 512);
        result = last ? subject_->finish_message(place, it.payload, asking(it))
                      : subject_->write_part(place, it.payload, asking(it));
    }
    end(it, result);
    say("= #%u %s", it.number, str(result).c_str());
    check_refused(it, before);
    if (result != errc::none) return;
    if (message.record == it.message) message.has_parts = true;
    if (!last) return;
    message_ended(it.message);
    if (open_record_ == it.message) open_record_ = 0;
    if (message.record == it.message) message.ended = true;
}

void lone_history::note_end_by(span_of_time within) {
    must_end_by_ = std::min(must_end_by_, lone_thread::now + within);
}

void lone_history::do_close(seeded& draw, bool raw) {
    const unsigned code = draw.one_of({1000U, 1001U, 1011U, 3000U});
    item& it = begin(item_kind::close, 8, draw.chance(50), [&](unsigned number) {
        std::string body{static_cast<char>(code >> 8), static_cast<char>(code & 0xff)};
        return body + "bye " + std::to_string(number);
    });
    const span_of_time within =
        raw ? span_of_time(how_.drain_timeout) : draw.one_of<span_of_time>({0ms, 10ms, 100ms, 1000ms});
    say("%u: %s #%u within %d ms", number_, raw ? "raw close" : "close", it.number,
        static_cast<int>(std::chrono::duration_cast<std::chrono::milliseconds>(within).count()));
    const time_point bound = // zero: none
        within == span_of_time::zero() ? time_point::max() : lone_thread::now + within;
    errc result = errc::none;
    {
        const raised call(calls_, 1U);
        if (raw) {
            const std::string frame = raw_frame(8, it.payload);
            result = subject_->send({kind_of_send::raw, frame, 0, {}}, asking(it));
        } else {
            result = subject_->close(code, std::string_view(it.payload).substr(2), within, asking(it));
        }
    }
    end(it, result);
    say("= #%u %s", it.number, str(result).c_str());
    if (result == errc::none) must_end_by_ = std::min(must_end_by_, bound);
}

bool lone_history::perform(operation which, seeded& draw) {
    before_call();
    ++nested_operations_;
    const std::size_t place = draw.below(subject::places);
    const auto name = names[static_cast<std::size_t>(which)];
    switch (which) {
    case operation::send: send_one(draw); return true;
    case operation::burst: {
        const std::size_t count = draw.between(2, 24);
        const bool alternate = draw.chance(40);
        say("%u: burst of %zu", number_, count);
        for (std::size_t i = 0; i < count && alive(); ++i) {
            if (alternate && i % 2 == 0)
                send_item(kind_of_send::text, smallest, draw);
            else
                send_one(draw);
        }
        if (how_.when_full == policy::drop_oldest && how_.max_bytes > 400 && alive() &&
            draw.chance(40)) // much gives way
            send_item(kind_of_send::text, how_.max_bytes * 9 / 10 - 150, draw);
        return true;
    }
    case operation::begin_message: {
        open_message& message = message_[place];
        if (message.exists) return false;
        unsigned record = 0;
        message_record& made = begin_record(record);
        made.text = draw.chance(50);
        message = {true, false, false, record, made.text};
        const errc result = subject_->begin_message(place, made.text);
        say("%u: begin message %u: %s", number_, record, str(result).c_str());
        if (result == errc::none) {
            open_record_ = record;
        } else {
            message.ended = true;
            message_ended(record);
        }
        return true;
    }
    case operation::write_part:
    case operation::finish_message:
        for (std::size_t i = 0; i < subject::places; ++i) {
            const std::size_t at = (place + i) % subject::places;
            if (!message_[at].exists || (message_[at].ended && !draw.chance(20))) continue;
            do_part(at, which == operation::finish_message, draw);
            return true;
        }
        return false;
    case operation::drop_message: {
        open_message& message = message_[place];
        if (!message.exists) return false;
        const open_message was = message;
        message = {};
        const bool truncate = draw.chance(50);
        say("%u: drop message %u%s", number_, was.record, truncate ? ", truncate" : "");
        if (!was.ended) {
            // What it may send.
            item& last = begin(item_kind::fragment, was.text ? 1 : 2, 0, false);
            last.message = was.record;
            last.may_be = true;
            item& close =
                begin(item_kind::close, 8, false, [](unsigned) { return std::string("\x03\xf3", 2); });
            close.may_be = true;
            {
                const raised call(calls_, 1U);
                subject_->drop_message(place, truncate);
            }
            end(last, errc::none);
            end(close, errc::none);
            if (was.has_parts) note_end_by(how_.drain_timeout);
            message_ended(was.record);
            if (open_record_ == was.record) open_record_ = 0;
            if (was.has_parts && truncate) must_end_by_ = time_point::max(); // it goes on
        } else {
            subject_->drop_message(place, truncate);
        }
        return true;
    }
    case operation::close: do_close(draw, false); return true;
    case operation::raw_close: do_close(draw, true); return true;
    case operation::abort: {
        const span_of_time within = draw.one_of<span_of_time>({0ms, 0ms, 50ms, 500ms});
        say("%u: abort within %d ms", number_,
            static_cast<int>(std::chrono::duration_cast<std::chrono::milliseconds>(within).count()));
        note_end_by(within);
        timed_out_rightly_ = true;
        const raised call(calls_, 1U);
        subject_->abort(within);
        return true;
    }
    case operation::flush:
    case operation::flush_until: {
        const bool blocks = which == operation::flush_until;
        const bool in_callback = running_->callbacks != 0;
        item& mark = begin(item_kind::mark, -1, 0, !blocks);
        mark.is_blocking = blocks;
        mark.dropped_before = subject_->report().frames_dropped;
        asleep wait;
        wait.flush = &mark;
        const time_point deadline = lone_thread::now + draw.one_of<span_of_time>({0ms, 20ms, 300ms, 3000ms});
        say("%u: %s #%u", number_, name, mark.number);
        errc result = errc::none;
        {
            const raised call(calls_, 1U);
            if (blocks) next_sleep_ = &wait;
            result = blocks ? subject_->flush_until(deadline) : subject_->flush(asking(mark));
            next_sleep_ = nullptr;
        }
        mark.wire_when_told = blocks ? wire_size() : mark.wire_when_told;
        end(mark, result);
        say("= #%u %s", mark.number, str(result).c_str());
        if (blocks && in_callback && result == errc::timed_out)
            broke("self_wait", "flush() inside of a callback is answered " + str(result));
        return true;
    }
    case operation::flush_in_coroutine:
    case operation::send_in_coroutine: {
        const bool sends = which == operation::send_in_coroutine;
        item& it = sends ? begin(item_kind::data, 1, std::max(smallest, size_of_payload(draw)), true)
                         : begin(item_kind::mark, -1, 0, true);
        it.is_blocking = true; // told in any case
        it.may_be = sends;
        if (!sends) it.dropped_before = subject_->report().frames_dropped;
        say("%u: %s #%u", number_, name, it.number);
        {
            const raised call(calls_, 1U);
            const raised bytes(in_calls_, it.wire_bytes * 2 + 512);
            if (sends)
                subject_->send_in_coroutine(it.payload, asking(it));
            else
                subject_->flush_in_coroutine(asking(it));
        }
        end(it, errc::none);
        if (it.told != 0)
            it.result = it.outcome;
        else if (!sends)
            it.is_blocking = false; // accepted: as a flush by callback from here on
        else
            it.may_be = it.is_blocking = false;
        return true;
    }
    case operation::send_wait:
        if (how_.when_full == policy::drop_oldest && draw.chance(80)) return false;
        {
            if (draw.chance(40))
                send_item(kind_of_send::keyed, std::max(smallest, how_.max_bytes * 2 / 5), draw);
            if (!alive()) return true;
            const std::size_t held = subject_->queued_bytes();
            const std::size_t room = how_.max_bytes > held ? how_.max_bytes - held : 0;
            const std::size_t most = how_.max_bytes > 300 ? how_.max_bytes - 200 : 100;
            const bool will_wait = draw.chance(60); // for a little more than there is
            send_item(kind_of_send::waits,
                      will_wait ? std::clamp(room + draw.below(200), smallest, most) : size_of_payload(draw),
                      draw);
        }
        return true;
    case operation::chain: send_item(kind_of_send::text, smallest, draw, 300); return true;
    case operation::cork:
        if (corked_[place]) return false;
        say("%u: cork %zu", number_, place);
        subject_->cork(place);
        corked_[place] = true;
        ++corks_;
        return true;
    case operation::uncork:
        if (!corked_[place]) return false;
        say("%u: uncork %zu", number_, place);
        corked_[place] = false;
        --corks_;
        {
            const raised call(calls_, 1U);
            subject_->uncork(place);
        }
        return true;
    case operation::acknowledge: {
        if (!is_gated_) return false;
        item& it = begin(item_kind::greeting, -1, false, [&](unsigned number) {
            return "HTTP/1.1 101 #" + std::to_string(number) + std::string(draw.below(200), '.') + "\r\n\r\n";
        });
        greetings_ += it.wire_bytes + 256;
        const errc result = subject_->acknowledge(it.payload);
        end(it, result);
        say("%u: acknowledge #%u: %s", number_, it.number, str(result).c_str());
        return true;
    }
    case operation::bound_gate: {
        if (!is_gated_) return false;
        const auto bound = draw.one_of<span_of_time>({0ms, 50ms, 500ms});
        const errc result = subject_->bound_gate(lone_thread::now + bound);
        say("%u: bound gate: %s", number_, str(result).c_str());
        return true;
    }
    case operation::open_gate:
    case operation::reject_gate:
    case operation::drop_gate: {
        if (!is_gated_) return false;
        say("%u: %s", number_, name);
        is_gated_ = false;
        if (which != operation::open_gate) timed_out_rightly_ = true;
        const raised call(calls_, 1U);
        if (which == operation::open_gate)
            subject_->open_gate();
        else if (which == operation::reject_gate)
            subject_->reject_gate();
        else
            subject_->drop_gate();
        return true;
    }
    case operation::pump: static_cast<void>(pump()); return true;
    case operation::advance:
        if (depth_ != 0 && !draw.chance(20)) return false;
        advance(draw.one_of<span_of_time>({1ms, 50ms, 300ms, 2000ms}));
        return true;
    case operation::mood:
        if (always_perfect_) return false;
        mood_ = draw.one_of({mood::perfect, mood::choppy, mood::choppy, mood::stuck,
                             draw.chance(20) ? mood::failing : mood::choppy});
        say("%u: transport %d", number_, static_cast<int>(mood_));
        if (diligent_ && depth_ == 0 && mood_ != mood::stuck) static_cast<void>(pump());
        return true;
    case operation::complete:
        if (!in_flight_) return false;
        complete_some(draw, false);
        return true;
    case operation::lose:
        if (!in_flight_ || always_perfect_ || !draw.chance(30)) return false;
        say("%u: the completion is lost", number_);
        in_flight_ = cancelled_ = false;
        {
            const raised call(calls_, 1U);
            subject_->lose();
        }
        return true;
    case operation::take_handle:
        say("%u: take handle %zu", number_, place);
        subject_->take_handle(place);
        handle_[place] = true;
        return true;
    case operation::drop_handle:
        if (!handle_[place]) return false;
        say("%u: drop handle %zu", number_, place);
        subject_->drop_handle(place);
        handle_[place] = false;
        return true;
    case operation::send_by_handle: {
        if (!handle_[place]) return false;
        item& it = begin(item_kind::data, 1, size_of_payload(draw), draw.chance(50));
        say("%u: send by handle %zu #%u, %zu bytes", number_, place, it.number, it.payload.size());
        errc result = errc::none;
        {
            const raised call(calls_, 1U);
            const raised bytes(in_calls_, it.wire_bytes * 2 + 512);
            result = subject_->send_by_handle(place, it.payload, asking(it));
        }
        end(it, result);
        say("= #%u %s", it.number, str(result).c_str());
        if (result == errc::queue_full && how_.when_full == policy::disconnect)
            note_end_by(span_of_time::zero());
        return true;
    }
    case operation::close_by_handle: {
        if (!handle_[place]) return false;
        item& it = begin(item_kind::close, 8, false, [](unsigned) { return std::string("\x03\xe9", 2); });
        say("%u: close by handle %zu #%u", number_, place, it.number);
        const time_point bound = lone_thread::now + how_.drain_timeout;
        errc result = errc::none;
        {
            const raised call(calls_, 1U);
            result = subject_->close_by_handle(place);
        }
        end(it, result);
        if (result == errc::none) must_end_by_ = std::min(must_end_by_, bound);
        return true;
    }
    case operation::abort_by_handle: {
        if (!handle_[place]) return false;
        say("%u: abort by handle %zu", number_, place);
        if (!heap::has_refused()) note_end_by(how_.drain_timeout); // else it may lead to no writer
        timed_out_rightly_ = true;
        const raised call(calls_, 1U);
        subject_->abort_by_handle(place);
        return true;
    }
    case operation::flush_by_handle: {
        if (!handle_[place]) return false;
        item& mark = begin(item_kind::mark, -1, 0, true);
        mark.dropped_before = subject_->report().frames_dropped;
        say("%u: flush by handle %zu #%u", number_, place, mark.number);
        errc result = errc::none;
        {
            const raised call(calls_, 1U);
            result = subject_->flush_by_handle(place, asking(mark));
        }
        end(mark, result);
        say("= #%u %s", mark.number, str(result).c_str());
        return true;
    }
    case operation::malformed: {
        std::string frame = raw_frame(draw.one_of({1, 2, 9, 10}), "hello!");
        switch (draw.below(4)) {
        case 0: frame.pop_back(); break;
        case 1: frame += 'x'; break;
        case 2: frame[0] = static_cast<char>(frame[0] & 0x7f); break;
        default: frame[1] = static_cast<char>(frame[1] ^ 0x80); break;
        }
        const errc result = subject_->send({kind_of_send::raw, frame, 0, {}}, {});
        say("%u: malformed raw: %s", number_, str(result).c_str());
        if (result == errc::none) broke("malformed", "a malformed raw frame was accepted");
        return true;
    }
    case operation::throwing_send:
        if (!draw.chance(20)) return false;
        say("%u: a send that throws", number_);
        if (!subject_->send_that_throws())
            broke("exceptions", "what a send threw did not come out of its coroutine");
        return true;
    case operation::destroy:
        if (depth_ != 0 || number_ < 4 || !draw.chance(30)) return false;
        wanted_ = number_; // the end follows
        return true;
    case operation::count_: break;
    }
    return false;
}

// ---- what the writer calls ----------------------------------------------------------------------------

void lone_history::callback(const char* name) {
    ++callbacks_;
    if (subject_ == nullptr || (!subject_->is_alive() && !dying_))
        broke("late_callback", std::string(name) + " after the writer's end");
    check_stack();
    const raised inside(running_->callbacks, 1);
    seeded draw(seed_, 0x1000'0000ULL + callbacks_);
    if (draw.chance(reenters_)) nested(2);
}

void lone_history::nested(unsigned most) {
    if (depth_ >= 3 || !alive() || journal::is_broken()) return;
    const raised deeper(depth_, 1U);
    for (unsigned i = 0; i < most; ++i) {
        if (number_ >= wanted_ || number_ >= less_.cut || ending_ || !alive()) return;
        perform();
    }
}

void lone_history::check_stack() {
#if HISTORIES_REFUSE_MEMORY // under a sanitizer a frame has another size
    char here = 0;
    const std::ptrdiff_t used = stack_base_ - &here;
    if (used > static_cast<std::ptrdiff_t>(96 * 1024 * (depth_ + 1)))
        broke("recursion",
              std::to_string(used) + " bytes of stack in use, " + std::to_string(depth_) + " callbacks deep");
#endif
}

io lone_history::write(std::span<const part> parts, time_point deadline) {
    std::size_t offered = 0;
    for (const part each : parts) {
        if (each.empty()) broke("transport", "an empty part is offered");
        offered += each.size();
    }
    if (offered == 0) broke("transport", "nothing is offered");
    if (ended_transport_) broke("transport", "a write after finish()");
    callback("write");
    seeded draw(seed_, 0x2000'0000ULL + ++callbacks_);
    io how{taken::ok, offered, 0};
    if (mood_ == mood::choppy) {
        how.bytes = draw.chance(30)
                        ? offered
                        : draw.between(1, draw.chance(50) ? std::min<std::size_t>(offered, 9) : offered);
        if (draw.chance(25)) how = {taken::would_block, draw.chance(50) ? 0 : draw.below(offered), 105};
        if (draw.chance(3) && deadline != time_point::max() && !always_perfect_ && depth_ == 0) {
            lone_thread::now = std::max(lone_thread::now, deadline);
            how = {taken::timed_out, draw.below(offered), 0};
        }
    } else if (mood_ == mood::stuck) {
        how = {taken::would_block, 0, 11};
    } else if (mood_ == mood::failing && draw.chance(30)) {
        how = {draw.chance(30) ? taken::throws : taken::failed, draw.below(offered), 32};
        if (how.how == taken::throws) how.bytes = 0;
    }
    std::size_t rest = how.bytes;
    for (const part each : parts) {
        const std::size_t share = std::min(rest, each.size());
        took(reinterpret_cast<const char*>(each.data()), share);
        rest -= share;
    }
    say("write: %zu of %zu bytes, %s", how.bytes, offered,
        how.how == taken::ok            ? "ok"
        : how.how == taken::would_block ? "would block"
        : how.how == taken::timed_out   ? "timed out"
                                        : "failed");
    if (journal::is_broken()) how.how = taken::failed;
    return how;
}

void lone_history::start_write(std::span<const part> parts, time_point) {
    if (in_flight_) broke("transport", "a second write is started");
    if (ended_transport_) broke("transport", "a write after finish()");
    in_flight_ = true;
    cancelled_ = false;
    flight_.assign(parts.begin(), parts.end());
    say("start_write: %zu parts", parts.size());
    seeded draw(seed_, 0x3000'0000ULL + ++callbacks_);
    const bool at_once = mood_ != mood::stuck && draw.chance(25);
    callback("start_write");
    if (at_once && in_flight_) {
        const raised inside(running_->callbacks, 1);
        complete_some(draw, draw.chance(50));
    }
}

void lone_history::complete_some(seeded& draw, bool whole) {
    std::size_t offered = 0;
    for (const part each : flight_) offered += each.size();
    io how{taken::ok, offered, 0};
    if (!whole && !always_perfect_) {
        if (mood_ != mood::perfect) how.bytes = draw.between(1, offered);
        if (mood_ == mood::failing && draw.chance(30)) how = {taken::failed, draw.below(offered), 32};
        if (cancelled_ && draw.chance(70))
            how = {taken::failed, draw.chance(50) ? 0 : draw.below(offered), 125};
    }
    std::size_t rest = how.bytes;
    unsigned seen = 0;
    for (const part each : flight_) {
        const std::size_t share = std::min(rest, each.size());
        for (std::size_t i = 0; i < share; i += 16)
            seen += std::to_integer<unsigned>(each[i]); // read it in any case
        if (subject_->is_alive()) took(reinterpret_cast<const char*>(each.data()), share);
        rest -= share;
    }
    say("complete: %zu of %zu bytes, %s (%u)", how.bytes, offered, how.how == taken::ok ? "ok" : "failed",
        seen % 10);
    in_flight_ = cancelled_ = false;
    flight_.clear();
    const raised call(calls_, 1U);
    subject_->complete(how);
}

void lone_history::cancel_write() {
    say("cancel_write");
    cancelled_ = true;
    callback("cancel_write");
    seeded draw(seed_, 0x4000'0000ULL + ++callbacks_);
    if (in_flight_ && draw.chance(50)) {
        const raised inside(running_->callbacks, 1);
        complete_some(draw, false);
    }
}

void lone_history::finish(bool drained) {
    say("finish: %s", drained ? "drained" : "broken");
    if (ended_transport_) broke("transport", "finish() is called twice");
    ended_transport_ = true;
    if (in_flight_ && !dying_) broke("transport", "finish() with a write in flight");
    callback("finish");
}

bool lone_history::hook() {
    say("hook");
    hook_due_ = true;
    ++hooks_;
    blocked_ = false;
    callback("hook");
    seeded draw(seed_, 0x5000'0000ULL + ++callbacks_);
    if (pumps_ == 1 && calls_ == 0 && depth_ == 0 && alive() && number_ >= 3 && running_ == &main_ &&
        must_end_by_ != time_point::max() && corks_ == 0 && !is_gated_ && open_record_ == 0 &&
        draw.chance(50)) {
        // The thread that the hook wakes is quick: it pumps, is told `finished`, and destroys the writer.
        bool has_messages = false;
        for (const open_message& each : message_) has_messages = has_messages || each.exists;
        if (!has_messages) {
            thread other;
            thread* const before = std::exchange(running_, &other);
            lone_thread::word = &other.word;
            say("another thread pumps, and destroys the writer when that says finished");
            left got = left::more;
            for (int i = 0; i < 50 && got == left::more; ++i) {
                hook_due_ = false;
                ++pump_serial_;
                const pumped was = subject_->pump();
                got = was.status;
                blocked_ = got == left::blocked;
                pump_at_ = was.deadline;
            }
            for (const open_message& each : message_) has_messages = has_messages || each.exists;
            if (got == left::finished && !has_messages && corks_ == 0) {
                if (!has_final_) final_ = subject_->report();
                has_final_ = true;
                dying_ = true;
                subject_->destroy();
                dying_ = false;
                writer_is_gone();
                say("destroyed");
            }
            running_ = before;
            lone_thread::word = &before->word;
        }
    }
    if (refuses_hook_ != 0 && draw.chance(refuses_hook_)) {
        say("the hook refuses");
        timed_out_rightly_ = true;
        if (draw.chance(50)) throw std::runtime_error("a hook that throws");
        return false;
    }
    return true;
}

void lone_history::on_finished(const totals& report) {
    say("on_finished: %s, written %llu, dropped %llu", str(report.reason).c_str(),
        static_cast<unsigned long long>(report.frames_written),
        static_cast<unsigned long long>(report.frames_dropped));
    if (finished_) broke("outcome", "on_finished() is called twice");
    finished_ = true;
    final_ = report;
    has_final_ = true;
    if (always_perfect_ && diligent_ && !timed_out_rightly_ && !is_gated_ && how_.completes == false &&
        (report.reason == errc::drain_timed_out || report.reason == errc::write_timed_out))
        broke("timed_out", "a writable transport, and the end is " + str(report.reason));
    callback("on_finished");
}

void lone_history::told(item& whom) {
    const heap::outside out;
    journal::line(depth_, "told #%u: %s", whom.number, str(whom.outcome).c_str());
    if (std::exchange(told_by_caller, false)) return;
    if (whom.chain > 1 && alive() && !ending_ && !journal::is_broken()) {
        ++callbacks_;
        check_stack();
        const raised inside(running_->callbacks, 1);
        seeded draw(seed_, 0x6000'0000ULL + callbacks_);
        send_item(kind_of_send::text, smallest, draw, whom.chain - 1);
        return;
    }
    callback("outcome");
    seeded draw(seed_, 0x9000'0000ULL + ++callbacks_);
    if (whom.outcome == errc::dropped_oldest && reenters_ != 0 && alive() && !ending_ && draw.chance(30)) {
        // Another thread pumps while the send that displaced it is under way.
        thread other;
        thread* const before = std::exchange(running_, &other);
        lone_thread::word = &other.word;
        static_cast<void>(pump());
        running_ = before;
        lone_thread::word = &before->word;
    }
}

void lone_history::wake(const void* sleeper) {
    for (asleep* each : sleepers_)
        if (each->sleeper == sleeper) each->woken = true;
}

bool lone_history::sleep(const void* sleeper, time_point deadline) {
    if (journal::is_broken()) {
        lone_thread::now =
            deadline == time_point::max() ? lone_thread::now : std::max(deadline, lone_thread::now);
        return deadline == time_point::max();
    }
    asleep own;
    asleep& me = next_sleep_ != nullptr ? *next_sleep_ : own;
    next_sleep_ = nullptr;
    me.sleeper = sleeper;
    me.woken = false;
    sleepers_.push_back(&me);
    say("(sleeps)");
    if (running_->callbacks != 0) broke("self_wait", "a wait inside of a callback sleeps");

    thread other;
    thread* const before = std::exchange(running_, &other);
    lone_thread::word = &other.word;
    {
        const raised deeper(depth_, 1U);
        const auto go_on = [&] { return !me.woken && !journal::is_broken(); };
        for (unsigned i = 0; i < 3 && go_on() && depth_ <= 3; ++i) {
            if (number_ >= wanted_ || number_ >= less_.cut || ending_ || !alive()) break;
            seeded draw(seed_, 0x8000'0000ULL + ++callbacks_);
            if (me.needs != 0 && draw.chance(40)) { // what makes room without a write
                if (!less_.skipped.contains(++number_)) send_item(kind_of_send::keyed, smallest, draw);
            } else {
                perform();
            }
            if (!go_on() || !alive()) break;
            // Is there room for the one that waits for it, and for nobody before it?
            if (me.needs != 0 && sleepers_.front() == &me && sleepers_.size() == 1 && !subject_->finished()) {
                const std::size_t bound = open_record_ != 0 ? how_.max_bytes / 2 : how_.max_bytes;
                const std::uint32_t frames = open_record_ != 0 ? how_.max_frames / 2 : how_.max_frames;
                if (subject_->queued_bytes() + me.needs <= bound && subject_->queued_frames() < frames &&
                    how_.when_full != policy::drop_oldest)
                    broke("room", "there is room for one that waits for " + std::to_string(me.needs) +
                                      " bytes: " + std::to_string(subject_->queued_bytes()) + " of " +
                                      std::to_string(how_.max_bytes) + " in use");
            }
        }
        left last = left::blocked;
        for (unsigned i = 0; i < 100 && go_on() && alive() && calls_ <= 1 && pumps_ == 0; ++i) {
            if (in_flight_ && mood_ != mood::stuck) {
                seeded draw(seed_, 0x7000'0000ULL + ++callbacks_);
                complete_some(draw, false);
                hook_due_ = true;
            }
            if (!hook_due_ && last != left::more && (last != left::blocked || mood_ == mood::stuck)) break;
            last = pump();
        }
        if (go_on() && me.flush != nullptr && last == left::idle && !is_gated_ && !is_corked() &&
            all_before_is_written(*me.flush))
            broke("flush_waits", of(*me.flush) + " sleeps, and all before it is written");
    }
    running_ = before;
    lone_thread::word = &before->word;
    std::erase(sleepers_, &me);
    if (me.woken) return true;
    if (deadline == time_point::max()) {
        broke("hang", "a thread sleeps without a deadline, and nobody can wake it");
        journal::line(0, "no way out");
        std::abort();
    }
    lone_thread::now = std::max(lone_thread::now, deadline);
    if (lone_thread::now >= must_end_by_) timed_out_rightly_ = true; // nothing pumped at that moment
    say("(timed out)");
    return false;
}

// ---- the loop -----------------------------------------------------------------------------------------

left lone_history::pump() {
    if (!alive()) return left::finished;
    const bool is_outermost = depth_ == 0 && running_ == &main_ && pumps_ == 0 && calls_ == 0;
    hook_due_ = false;
    if (is_gated_ && lone_thread::now >= must_end_by_)
        timed_out_rightly_ = true; // the gate stood for too long
    say("pump");
    const unsigned hooks = hooks_, serial = pump_serial_;
    pumped got;
    {
        const raised pump(pumps_, 1U);
        got = subject_->pump();
    }
    if (subject_ == nullptr || !subject_->is_alive()) return left::finished;
    const auto ms =
        got.deadline == time_point::max()
            ? -1
            : std::chrono::duration_cast<std::chrono::milliseconds>(got.deadline - lone_thread::now).count();
    say("= %s, deadline %d ms", statuses[static_cast<unsigned>(got.status)], static_cast<int>(ms));
    const bool means_nothing = got.status == left::busy && pumps_ + calls_ != 0; // the one around it pumps
    if (serial == pump_serial_ && !means_nothing) { // else a pump() inside of this one knows better
        ++pump_serial_;
        blocked_ = got.status == left::blocked;
        pump_at_ = got.status == left::blocked || got.status == left::busy ? got.deadline : time_point::max();
    }
    if (!is_outermost || journal::is_broken()) return got.status;

    if (got.status == left::more && hooks == hooks_ && how_.how == drive::deferred)
        broke("lost_wakeup", "pump() says more, and the hook was not called");
    if (got.status == left::idle && !is_corked() && !is_gated_ && !hook_due_)
        nothing_is_left(open_record_ != 0, subject_->queued_frames() == 0);
    if ((got.status == left::blocked || got.status == left::busy) && !in_flight_ && !hook_due_ &&
        must_end_by_ != time_point::max() && lone_thread::now < must_end_by_ && got.deadline > must_end_by_ &&
        !subject_->finished())
        broke("bound", std::string("pump() does not say when the end is due: ") +
                           statuses[static_cast<unsigned>(got.status)]);
    return got.status;
}

/// A diligent loop's turn.
void lone_history::settle() {
    for (unsigned i = 0; i < 500 && alive() && !journal::is_broken(); ++i) {
        if (hook_due_) {
            static_cast<void>(pump());
        } else if (in_flight_ && always_perfect_) {
            complete_some(draws_, true);
        } else if (blocked_ && !in_flight_ && mood_ != mood::stuck && i < 20) {
            static_cast<void>(pump());
        } else {
            break;
        }
    }
    if (!alive() || journal::is_broken() || hook_due_ || blocked_ || in_flight_ || is_corked() || is_gated_)
        return;
    if (!subject_->finished() && open_record_ == 0 && subject_->queued_bytes() != 0)
        broke("lost_wakeup",
              std::to_string(subject_->queued_bytes()) + " bytes are queued, and nobody is asked to pump");
}

void lone_history::advance(span_of_time by) {
    const time_point to = lone_thread::now + by;
    say("%u: advance %d ms", number_,
        static_cast<int>(std::chrono::duration_cast<std::chrono::milliseconds>(by).count()));
    if (diligent_ && depth_ == 0) {
        settle();
        for (unsigned i = 0; i < 50 && alive() && !journal::is_broken() && pump_at_ <= to; ++i) {
            lone_thread::now = std::max(lone_thread::now, pump_at_);
            pump_at_ = time_point::max();
            static_cast<void>(pump());
            settle();
        }
    }
    lone_thread::now = std::max(lone_thread::now, to);
    if (depth_ != 0 || !alive() || journal::is_broken() || lone_thread::now < must_end_by_) return;
    for (unsigned i = 0;
         i < 4 && alive() && !in_flight_ && pump() != left::finished && !journal::is_broken();)
        if (!hook_due_) ++i;
    if (alive() && !in_flight_ && !subject_->finished() && !journal::is_broken())
        broke("bound",
              std::string(
                  "the bound of the end has passed, pump() was called, and the writer is not finished") +
                  (is_corked() ? " (corked)" : "") + (is_gated_ ? " (gated)" : ""));
}

std::size_t lone_history::allowed_heap() const {
    return how_.max_bytes + how_.max_bytes / 4 + 64 * 1024 + std::size_t{how_.control_reserve} * 2 * 256 +
           greetings_ + in_calls_ + 1024;
}

void lone_history::check_heap() {
    const std::size_t held = heap::held_bytes();
    if (held > allowed_heap())
        broke("heap", std::to_string(held) + " bytes of heap in " + std::to_string(heap::held_blocks()) +
                          " blocks; the budget is " + std::to_string(how_.max_bytes) + ", in use " +
                          std::to_string(alive() ? subject_->queued_bytes() : 0));
}

void lone_history::end_of_history() {
    ending_ = true;
    depth_ = 0;
    seeded draw(seed_, 2);
    say("the end");
    if (alive()) {
        for (std::size_t i = 0; i < subject::places; ++i) {
            if (!message_[i].exists) continue;
            wanted_ = ~0U;
            seeded again(seed_, 20 + i);
            const open_message was = message_[i];
            if (!was.ended && draw.chance(50)) do_part(i, true, again);
            if (!alive()) break;
            const open_message gone = message_[i];
            message_[i] = {};
            say("drop message %u", gone.record);
            if (!gone.ended) {
                item& last = begin(item_kind::fragment, gone.text ? 1 : 2, 0, false);
                last.message = gone.record;
                last.may_be = true;
                item& close =
                    begin(item_kind::close, 8, false, [](unsigned) { return std::string("\x03\xf3", 2); });
                close.may_be = true;
                subject_->drop_message(i, draw.chance(50));
                end(last, errc::none);
                end(close, errc::none);
                message_ended(gone.record);
                if (open_record_ == gone.record) open_record_ = 0;
            } else {
                subject_->drop_message(i, false);
            }
        }
        for (std::size_t i = 0; i < subject::places && alive(); ++i) {
            if (!corked_[i]) continue;
            corked_[i] = false;
            --corks_;
            say("uncork %zu", i);
            subject_->uncork(i);
        }
        if (is_gated_ && alive()) {
            is_gated_ = false;
            const bool opens = draw.chance(60);
            say("%s", opens ? "open_gate" : "drop_gate");
            if (!opens) timed_out_rightly_ = true;
            if (opens)
                subject_->open_gate();
            else
                subject_->drop_gate();
        }
    }
    if (alive() && !journal::is_broken() && draw.chance(70)) {
        if (!always_perfect_) mood_ = draw.one_of({mood::perfect, mood::choppy, mood::stuck});
        say("transport %d", static_cast<int>(mood_));
        if (draw.chance(70)) {
            if (mood_ != mood::stuck) {
                for (unsigned i = 0; i < 20'000 && alive() && !journal::is_broken(); ++i) {
                    if (in_flight_) complete_some(draw, false);
                    const left got = pump();
                    if (got == left::finished || (got == left::idle && !in_flight_)) break;
                }
            }
            if (alive() && !journal::is_broken()) do_close(draw, false);
        } else {
            const auto within = draw.one_of<span_of_time>({0ms, 100ms});
            say("abort");
            note_end_by(within);
            timed_out_rightly_ = true;
            subject_->abort(within);
        }
        if (alive() && diligent_) settle();
        if (alive() && must_end_by_ != time_point::max() && !journal::is_broken())
            advance(std::max<span_of_time>(must_end_by_ - lone_thread::now, 0ms));
    }
    if (journal::is_broken()) return;
    const bool unsure = in_flight_;
    if (subject_->is_alive()) {
        say("destroy");
        const bool was_finished = subject_->finished();
        dying_ = true;
        subject_->destroy();
        dying_ = false;
        writer_is_gone();
        if (!was_finished && !has_final_) broke("outcome", "on_finished() is not called");
    }
    if (!finished_) broke("outcome", "on_finished() is not called");
    for (std::size_t i = 0; i < subject::places; ++i) {
        if (!handle_[i]) continue;
        item& it = begin(item_kind::data, 1, smallest, true);
        const errc result = subject_->send_by_handle(i, it.payload, asking(it));
        end(it, result);
        if (result != errc::closed) broke("handle", "a handle of a dead writer answers " + str(result));
        subject_->abort_by_handle(i);
        if (subject_->close_by_handle(i) != errc::closed) broke("handle", "a handle of a dead writer closes");
        subject_->drop_handle(i);
    }
    if (in_flight_) {
        if (draw.chance(70))
            complete_some(draw, draw.chance(50));
        else
            subject_->lose();
    }
    if (has_final_) judge(final_, unsure);
    if (!ended_transport_) broke("transport", "finish() is not called");
    if (!journal::is_broken()) {
        subject_.reset();
        if (heap::held_blocks() != 0)
            broke("leak", std::to_string(heap::held_bytes()) + " bytes in " +
                              std::to_string(heap::held_blocks()) + " blocks are left");
    }
}

} // namespace histories
