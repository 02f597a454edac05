// A history of two endpoints: what it does to them, and what they call.

#include "endpoint_history.hpp"
#include "journal.hpp"
#include "lone_parts.hpp"

#include <algorithm>
#include <cstdarg>
#include <cstdio>
#include <stdexcept>

namespace histories {

using namespace std::chrono_literals;

const char* const endpoint_history::names[] = {
    "send",         "burst",       "send_parts",     "send_shared",     "ping",      "close",      "abort",
    "take_handle",  "drop_handle", "send_by_handle", "close_by_handle", "destroy",   "pass_time",  "jump",
    "sleep",        "stall",       "resume",         "reset",           "reset_end", "half_close", "hangups",
    "extra_worker", "trim"};

namespace {

constexpr std::size_t smallest = 8; // "S000012:" tells whose it is, and its number

std::string payload_of(bool is_client, std::size_t number, std::size_t size, bool is_noise) {
    char head[16];
    std::snprintf(head, sizeof head, "%c%06zu:", is_client ? 'C' : 'S', number % 1'000'000);
    std::string payload(head, smallest);
    payload.reserve(size);
    seeded noise(number, is_client ? 401 : 400);
    for (std::size_t i = smallest; i < size; ++i)
        payload +=
            is_noise ? static_cast<char>(noise.below(256)) : static_cast<char>('a' + (i * 7 + number) % 26);
    return payload;
}

} // namespace

void endpoint_history::side::say(const char* format, ...) const {
    char line[300];
    const int size = bytes_untold == 0 ? std::snprintf(line, sizeof line, "%s ", name)
                                       : std::snprintf(line, sizeof line, "%s (got %zu bytes) ", name,
                                                       std::exchange(bytes_untold, 0));
    std::va_list values;
    va_start(values, format);
    std::vsnprintf(line + size, sizeof line - static_cast<std::size_t>(size), format, values);
    va_end(values);
    journal::line(all.depth_, "%9.3f %s",
                  static_cast<double>(clock::now().time_since_epoch() % 1000h / 1us) / 1000.0, line);
}

void endpoint_history::broke(const side& of, const char* rule, const std::string& how) const {
    journal::break_rule(rule, std::string(of.name) + ": " + how);
}

std::string endpoint_history::never_performed() {
    std::string missing;
    for (std::size_t i = 0; i < operations; ++i)
        if (performed_[i] == 0) missing += std::string(" ") + names[i];
    return missing;
}

std::size_t endpoint_history::draw_size(seeded& draw) const {
    return draw.chance(70) ? draw.between(smallest, 40)
                           : draw.between(smallest, std::max(biggest_, smallest));
}

// ---- operations

void endpoint_history::perform() {
    unsigned total = 0;
    for (const unsigned each : weights_) total += each;
    ++number_;
    seeded draw(seed_, 1000 + number_);
    if (less_.skipped.contains(number_)) return;
    unsigned at = static_cast<unsigned>(draw.below(total));
    std::size_t which = 0;
    for (; at >= weights_[which]; ++which) at -= weights_[which];
    side& of = draw.chance(50) ? server_ : client_;
    if (perform(static_cast<operation>(which), of, draw)) ++performed_[which];
    if (depth_ == 0 && draw.chance(60)) pass(draw.one_of({0ms, 0ms, 1ms, 10ms}));
}

/// Operations of any thread, inside of a callback.
void endpoint_history::nested(side& of, unsigned most) {
    if (journal::is_broken() || depth_ > 4 || nested_operations_ > 400) return;
    seeded draw(seed_, 1'000'000 + ++callbacks_);
    if (!draw.chance(reenters_)) return;
    const raised deeper(depth_, 1U);
    for (std::size_t count = draw.between(1, most); count != 0; --count) {
        ++nested_operations_;
        operation which = draw.one_of({operation::send, operation::send, operation::burst,
                                       operation::send_parts, operation::send_shared, operation::ping,
                                       operation::send_by_handle, operation::close, operation::abort});
        if (weights_[static_cast<std::size_t>(which)] == 0) which = operation::send;
        if (which == operation::abort && draw.chance(70)) which = operation::send;
        side& whom = draw.chance(80) ? of : *of.peer;
        perform(which, whom, draw);
    }
}

void endpoint_history::callback(side& of, const char* what) {
    of.say("%s", what);
    nested(of, 2);
}

errc endpoint_history::send_one(side& from, seeded& draw, operation how, std::size_t size) {
    // A shared frame's compressed form refers to nothing, but what follows it may refer to it: often enough to be seen.
    if (how == operation::send && !from.is_client && from.agreed.compresses() && draw.chance(30))
        how = operation::send_shared;
    const std::size_t number = from.sent.size();
    const bool is_noise = from.agreed.compresses() && number % 4 == 0 && how != operation::send_by_handle;
    const bool is_text = how != operation::send_shared && draw.chance(60) && !is_noise;
    from.sent.push_back({.size = size, .is_text = is_text, .is_noise = is_noise});
    const std::string payload = payload_of(from.is_client, number, size, is_noise);
    spent_ += size;
    errc error = errc::none;
    unsigned frames = 1;
    switch (how) {
    case operation::send_parts: {
        frames = 0;
        error = from.subject->send_parts(is_text, payload,
                                         std::max<std::size_t>(1, size / draw.between(1, 5)), frames);
        if (error != errc::none && frames != 0) { // it ends the connection
            ++from.broken_messages;
            from.failed = was_disturbed_ = true;
            from.own_frames += frames;
        }
        break;
    }
    case operation::send_shared:
        from.sent[number].is_text = from.is_client ? false : is_text;
        error = from.subject->send_shared(payload);
        break;
    case operation::send_by_handle:
        from.sent[number].is_text = true;
        error = from.subject->send_by_handle(payload);
        break;
    default: error = from.subject->send(is_text, payload);
    }
    from.sent[number].is_accepted = error == errc::none;
    if (error == errc::none) from.own_frames += frames;
    return error;
}

void endpoint_history::do_close(side& of, seeded& draw) {
    const unsigned code = draw.one_of({1000U, 1001U, 1011U, 3000U, 4999U});
    const bool is_short = !is_healthy_ && draw.chance(30);
    of.say("close %u%s", code, is_short ? " within 20 ms" : "");
    const bool closes_now = !of.has_closed;
    if (closes_now) of.closed_with = code; // seen from inside
    const errc error = of.subject->close(code, draw.chance(50) ? "bye" : "", is_short ? 20ms : 0ms);
    if (error == errc::none) {
        of.has_closed = true;
        of.end_is_due();
    }
    of.say("= %s", str(error).c_str());
}

void endpoint_history::do_destroy(side& of) {
    if (of.handles && of.where == handled_by::pool) return; // the destructor would wait for it
    of.say("destroy");
    of.was_destroyed = true;
    of.is_dying = true;
    of.subject->destroy();
    of.end->close();
    was_disturbed_ = true;
}

bool endpoint_history::perform(operation which, side& of, seeded& draw) {
    const bool is_outside = depth_ == 0;
    const bool can_spend = spent_ < (is_healthy_ ? budget_ : 2'000'000);
    switch (which) {
    case operation::send:
    case operation::send_parts:
    case operation::send_shared:
    case operation::send_by_handle: {
        if (!of.is_running() || !can_spend) return false;
        const std::size_t size = draw_size(draw);
        of.say("%u: %s %zu (%zu)", number_, names[static_cast<std::size_t>(which)], of.sent.size(), size);
        const errc error = send_one(of, draw, which, size);
        if (error != errc::none) of.say("= %s", str(error).c_str());
        return true;
    }
    case operation::burst: {
        if (!of.is_running() || !can_spend) return false;
        std::size_t count = draw.one_of<std::size_t>({3, 20, 300, 3'000});
        const std::size_t size = draw.between(smallest, 60);
        of.say("%u: burst of %zu", number_, count);
        while (count != 0 && of.is_running() && spent_ < (is_healthy_ ? budget_ : 2'000'000) &&
               send_one(of, draw, operation::send, size) == errc::none)
            --count;
        if (count != 0) of.say("= %zu were left", count);
        return true;
    }
    case operation::ping: {
        if (!of.is_running()) return false;
        const errc error = of.subject->send_ping("ping");
        if (error == errc::none) ++of.own_frames;
        of.say("%u: ping = %s", number_, str(error).c_str());
        return true;
    }
    case operation::close:
        if (!of.is_running()) return false;
        do_close(of, draw);
        return true;
    case operation::abort:
        if (!of.is_running()) return false;
        of.say("%u: abort", number_);
        of.was_aborted = true;
        was_disturbed_ = true;
        of.end_is_due();
        of.subject->abort();
        return true;
    case operation::take_handle:
        if (!of.is_running()) return false;
        of.subject->take_handle();
        return true;
    case operation::drop_handle: of.subject->drop_handle(); return true;
    case operation::close_by_handle: {
        if (!of.is_running()) return false;
        const errc error = of.subject->close_by_handle();
        of.say("%u: close by handle = %s", number_, str(error).c_str());
        if (error != errc::none) return true;
        if (!of.has_closed) of.closed_with = 1001;
        of.has_closed = true;
        of.end_is_due();
        return true;
    }
    case operation::destroy:
        if (!is_outside || !of.subject->is_alive()) return false;
        do_destroy(of);
        return true;
    case operation::pass_time: pass(draw.one_of({1ms, 10ms, 100ms, 700ms, 3'000ms})); return true;
    case operation::jump: {
        const span_of_time span = draw.one_of<span_of_time>({1s, 30s, 3600s});
        of.say("%u: both sleep %d s", number_, static_cast<int>(span / 1s));
        clock::advance(span);
        for (side* each : {&server_, &client_})
            if (each->must_finish_by != time_point::max())
                each->must_finish_by = wsolo::deadline_after(clock::now(), each->longest_end());
        return true;
    }
    case operation::sleep: {
        const span_of_time span = draw.one_of<span_of_time>({50ms, 2s, 30s});
        of.say("%u: sleeps %d ms", number_, static_cast<int>(span / 1ms));
        of.end->sleep_for(span);
        of.asleep_until = clock::now() + span;
        if (of.must_finish_by != time_point::max())
            of.must_finish_by = wsolo::deadline_after(of.asleep_until, of.longest_end());
        return true;
    }
    case operation::stall:
        of.say("%u: stall", number_);
        is_stalled_ = was_disturbed_ = true;
        net_->stall();
        return true;
    case operation::resume:
        if (!std::exchange(is_stalled_, false)) return false;
        of.say("%u: resume", number_);
        net_->resume();
        return true;
    case operation::reset:
        of.say("%u: reset", number_);
        was_disturbed_ = true;
        net_->reset();
        return true;
    case operation::reset_end:
        of.say("%u: reset of its end", number_);
        was_disturbed_ = true;
        of.end->reset();
        return true;
    case operation::half_close:
        if (!is_outside) return false;
        of.say("%u: its output ends", number_);
        was_disturbed_ = true;
        of.end->end_output();
        return true;
    case operation::hangups: of.end->tell_hangups(true); return true;
    case operation::extra_worker:
        if (!is_outside || of.where != handled_by::pool || !of.is_running()) return false;
        do_work(of);
        return true;
    case operation::trim:
        if (!is_outside || !of.is_running()) return false;
        of.say("%u: trim", number_);
        of.subject->trim();
        return true;
    default: return false;
    }
}

// ---- what the endpoints call

void endpoint_history::side::before_write() { all.nested(*this, 2); }

void endpoint_history::side::wrote(std::string_view bytes) {
    if (close_ends_at != 0 && !bytes.empty()) all.broke(*this, "wire", "bytes after the Close");
    wire += bytes;
    const auto byte = [&](std::size_t at) {
        return static_cast<std::size_t>(static_cast<unsigned char>(wire[at]));
    };
    while (next_frame_at + 2 <= wire.size()) {
        std::size_t header = 2;
        std::size_t size = byte(next_frame_at + 1) & 0x7f;
        const std::size_t extended = size == 126 ? 2 : size == 127 ? 8 : 0;
        if (next_frame_at + header + extended > wire.size()) return;
        if (extended != 0) size = 0;
        for (std::size_t i = 0; i < extended; ++i) size = size << 8 | byte(next_frame_at + header + i);
        header += extended + ((byte(next_frame_at + 1) & 0x80) != 0 ? 4 : 0);
        const std::size_t frame_end = next_frame_at + header + size;
        if (frame_end > wire.size()) return;
        const std::size_t first = byte(next_frame_at);
        if ((first & 0x0f) == 8) {
            close_ends_at = frame_end;
            close_written_at = clock::now();
            say("our Close is written");
            end_is_due();
        }
        if ((first & 0x0f) < 8 && (first & 0x80) != 0) message_ends.push_back(frame_end);
        next_frame_at = frame_end;
    }
}

void endpoint_history::side::ended_output() {
    say("FIN%s%s", has_read_close() ? ", the peer's Close was read" : "",
        input_ended ? ", its stream has ended" : "");
    if (input_ended || was_aborted || is_dying || early_fin != "") return;
    const time_point now = clock::now();
    if (!has_read_close()) {
        if (now < wsolo::deadline_after(close_written_at, close_timeout))
            early_fin = "our FIN left before the peer's Close was read, its stream ended, or a bound passed";
    } else if (is_client) {
        if (now < wsolo::deadline_after(close_written_at, std::min(close_timeout, linger_timeout)))
            early_fin = "a client's FIN left before the server's";
    }
}

void endpoint_history::side::disconnected() { say("disconnect"); }
void endpoint_history::side::writer_finished() {
    say("the writer is finished");
    writer_over_at = clock::now();
    all.nested(*this, 1);
}

void endpoint_history::side::receives(std::size_t bytes) {
    const bool had_close = has_read_close();
    bytes_received += bytes;
    bytes_untold += bytes;
    if (!had_close && has_read_close()) end_is_due();
}

void endpoint_history::side::input_ends(errc why) {
    say("end of input: %s", str(why).c_str());
    input_ended = true;
    hangup_came_first = end->unread() != 0;
    end_is_due();
}

void endpoint_history::side::wants(const wsolo::endpoint_wants& now) {
    if (!now.finished) return;
    unread = end->unread();
    if (now.read || now.write || now.deadline != wsolo::no_deadline)
        all.broke(*this, "finished", "something is wanted with the end");
    if (finishes != 1) all.broke(*this, "finished", "on_finished was not called with the end");
    is_finished = true;
    say("finished: %s, %zu unread", str(ending.reason).c_str(), unread);
    all.check_ending(*this);
}

void endpoint_history::side::schedule() { all.nested(*this, 1); }

void endpoint_history::side::work_asked() {
    seeded draw(all.seed_, 2'000'000 + ++all.callbacks_);
    say("work is asked for");
    work_due.insert(clock::now() + std::chrono::milliseconds(draw.below(lateness_ms + 1)));
    all.nested(*this, 1);
}

errc endpoint_history::side::on_message(bool is_text, std::string_view payload) {
    if (is_finished && !is_dying) all.broke(*this, "finished", "a message is handled after the end");
    if (handles) all.broke(*this, "order", "two messages are handled at a time");
    std::size_t number = 0;
    for (std::size_t i = 1; i < 7 && i < payload.size(); ++i)
        number = number * 10 + static_cast<std::size_t>(payload[i] - '0');
    say("message %zu (%zu)", number, payload.size());
    ++delivered;
    if (number >= peer->sent.size() || payload.size() < smallest) {
        all.broke(*this, "content", "a message that was not sent");
        return errc::none;
    }
    record& it = peer->sent[number];
    if (payload != payload_of(peer->is_client, number, it.size, it.is_noise) || it.is_text != is_text)
        all.broke(*this, "content", "message " + std::to_string(number) + " is not what was sent");
    if (!it.is_accepted)
        all.broke(*this, "content", "message " + std::to_string(number) + " was refused, and arrives");
    if (it.is_delivered || number < next_expected)
        all.broke(*this, "order", "message " + std::to_string(number) + " comes again, or late");
    for (std::size_t i = next_expected; i < number; ++i)
        if (peer->sent[i].is_accepted && !peer->sent[i].is_refused && !peer->may_lose)
            all.broke(*this, "lost",
                      "message " + std::to_string(i) + " is missing before " + std::to_string(number));
    it.is_delivered = true;
    next_expected = number + 1;
    if (must_finish_by != time_point::max()) // the end waits for handlers that go on
        must_finish_by = wsolo::deadline_after(std::max(clock::now(), asleep_until), longest_end());

    handles = true;
    seeded draw(all.seed_, 3'000'000 + ++all.callbacks_);
    if (where == handled_by::coroutine) return errc::none; // it answers later
    all.nested(*this, 3);
    const bool is_loops = where == handled_by::loop || where == handled_by::lent;
    if (agreed.compresses() && is_loops && is_running() && draw.chance(5)) {
        say("trim");
        subject->trim();
    }
    if (where == handled_by::pool && draw.chance(handler_sleeps)) {
        const auto span = std::chrono::milliseconds(draw.below(lateness_ms + 1));
        say("the handler sleeps %d ms", static_cast<int>(span.count()));
        const played_thread loop(played_thread::loop);
        const raised deeper(all.depth_, 1U);
        all.pass(span);
    }
    if (is_running() || is_dying) answers();
    handles = false;
    if (draw.chance(fails_messages)) {
        say("the handler fails");
        failed = true;
        return errc::inbox_overflow;
    }
    if (draw.chance(throws_messages)) {
        say("the handler throws");
        failed = true;
        throw std::runtime_error("a handler's");
    }
    return errc::none;
}

void endpoint_history::side::answers() {
    seeded draw(all.seed_, 4'000'000 + ++all.callbacks_);
    if (where == handled_by::coroutine) all.nested(*this, 3);
    const bool held = std::exchange(handles, true);
    if (is_running() && draw.chance(replies) && all.spent_ < 2 * all.budget_) {
        say("answer %zu (%zu)", sent.size(), reply_size);
        const errc error = all.send_one(*this, draw, operation::send, reply_size);
        if (error != errc::none) {
            say("= %s", str(error).c_str());
            ++replies_refused;
            if (error == errc::closed && !has_closed && !was_aborted && all.is_healthy_ && !failed)
                all.broke(*this, "answer", "a handler's answer is refused: this side has closed by itself");
        }
    }
    handles = held && where != handled_by::coroutine;
}

bool endpoint_history::side::waits_elsewhere() {
    seeded draw(all.seed_, 5'000'000 + ++all.callbacks_);
    return draw.chance(handler_sleeps == 0 ? 30 : handler_sleeps);
}
void endpoint_history::side::elsewhere() {
    seeded draw(all.seed_, 6'000'000 + ++all.callbacks_);
    resume_due = clock::now() + std::chrono::milliseconds(draw.below(lateness_ms + 1));
    say("the coroutine waits elsewhere");
}
void endpoint_history::side::messages_over(errc why) { say("no more messages: %s", str(why).c_str()); }

void endpoint_history::side::on_ping() { all.nested(*this, 1); }
void endpoint_history::side::on_pong() { all.nested(*this, 1); }
void endpoint_history::side::on_peer_close(wsolo::close_code code) {
    say("the peer's Close: %d", static_cast<int>(code));
    all.nested(*this, 2);
}
void endpoint_history::side::on_room() { all.callback(*this, "room"); }
void endpoint_history::side::on_beat() { all.nested(*this, 1); }
void endpoint_history::side::on_refused(std::string_view payload) {
    std::size_t number = 0;
    for (std::size_t i = 1; i < 7 && i < payload.size(); ++i)
        number = number * 10 + static_cast<std::size_t>(payload[i] - '0');
    say("refused message %zu", number);
    ++refused;
    if (number < peer->sent.size()) peer->sent[number].is_refused = true;
    all.nested(*this, 1);
}
void endpoint_history::side::on_finished(const wsolo::ending& how_it_ended) {
    ++finishes;
    ending = how_it_ended;
    all.callback(*this, "on_finished");
}

// ---- rules

/// The options' bounds, one after another: the drain, the peer's answer, the lingering, the messages before it.
span_of_time endpoint_history::side::longest_end() const {
    const auto drain = how.writing.timeouts.drain;
    if (drain == 0ms || close_timeout == 0ms || linger_timeout == 0ms) return span_of_time::max();
    return drain + 3 * close_timeout + linger_timeout + 1s;
}

void endpoint_history::side::end_is_due() {
    if (must_finish_by == time_point::max())
        must_finish_by = wsolo::deadline_after(std::max(clock::now(), asleep_until), longest_end());
}

void endpoint_history::check_rest(side& of) {
    if (!of.is_running()) return;
    const time_point now = clock::now();
    // While the peer takes bytes the end waits for it.
    const wsolo::testing::stream_link& link = of.is_client ? net_->to_server() : net_->to_client();
    const std::uint64_t arrived = link.taken() - link.unsent();
    if (std::exchange(of.arrived, arrived) != arrived && of.must_finish_by != time_point::max())
        of.must_finish_by = wsolo::deadline_after(std::max(now, of.asleep_until), of.longest_end());
    if (now > of.must_finish_by && now > of.asleep_until)
        broke(of, "bound",
              "not finished when all the options' bounds have passed" +
                  std::string(of.handles ? " (a handler holds a message)" : ""));
    if (depth_ != 0 || now < of.asleep_until) return;
    const wsolo::endpoint_wants& wants = of.end->wants();
    if (of.subject->queued_frames() != 0 && !wants.write)
        broke(of, "lost_wakeup",
              std::to_string(of.subject->queued_frames()) + " frames wait, and nothing is asked for");
    const bool is_here = of.where == handled_by::loop || of.where == handled_by::lent;
    if (is_here && of.subject->queued_messages() != 0 && of.subject->queued_frames() == 0)
        broke(of, "lost_wakeup", "messages wait for the loop, and nothing is asked for");
    if (of.where == handled_by::pool && of.subject->queued_messages() != 0 && of.work_due.empty() &&
        !of.handles && of.subject->queued_frames() == 0)
        broke(of, "lost_wakeup", "messages wait, and no work was asked for");
}

/// What the ending says, against what is known here.
void endpoint_history::check_ending(side& of) {
    const wsolo::ending& how = of.ending;
    const auto number = [](std::uint64_t value) { return std::to_string(value); };
    const bool gave_up = how.handler_still_runs;
    if (of.own_frames + how.control_frames != how.written.frames_accepted() && of.broken_messages == 0)
        broke(of, "counts",
              number(of.own_frames) + " frames were accepted, and " + number(how.control_frames) +
                  " of its own; the report knows " + number(how.written.frames_accepted()));
    constexpr std::uint64_t longest_run = 32; // whose messages are counted at its end
    if (how.handled.messages_handled != of.delivered &&
        !(gave_up && of.delivered - how.handled.messages_handled <= longest_run))
        broke(of, "counts",
              number(of.delivered) + " messages were handled, the report says " +
                  number(how.handled.messages_handled));
    if (how.handled.messages_refused != of.refused &&
        of.how.handling.when_full == wsolo::inbox_overflow::drop_newest)
        broke(of, "counts",
              number(of.refused) + " messages were refused, the report says " +
                  number(how.handled.messages_refused));
    const bool reads_on =
        how.reason == errc::none || how.reason == errc::write_failed || how.reason == errc::connection_lost;
    const bool had_time = clock::now() >= wsolo::deadline_after(of.writer_over_at, of.close_timeout);
    const bool takes_all = of.how.handling.when_full == wsolo::inbox_overflow::pause &&
                           of.how.reading.max_message_size > 1'000 && !of.failed;
    if (reads_on && of.unread != 0 && !of.hangup_came_first && !of.was_aborted && !had_time && takes_all)
        broke(of, "unread", number(of.unread) + " bytes that have arrived are not read: " + str(how.reason));
    if (reads_on && !gave_up && !of.was_aborted && takes_all && of.how.reading.max_message_size > 1'000) {
        const auto came = static_cast<std::uint64_t>(
            std::upper_bound(of.peer->message_ends.begin(), of.peer->message_ends.end(), of.bytes_received) -
            of.peer->message_ends.begin());
        if (came != of.delivered + of.refused + (of.handles ? 1U : 0U) && came != of.delivered + of.refused)
            broke(of, "unhandled",
                  number(came) + " messages were read, and " + number(of.delivered) +
                      " handled: " + str(how.reason));
    }
    if (how.reason == errc::none && (!how.peer_closed || !how.written.is_clean()))
        broke(of, "ending", "in order, without both Closes");
    if (how.peer_closed && !of.has_read_close())
        broke(of, "ending", "a Close of the peer that it did not send");
    const bool has_cut_it_off = how.written.reason == errc::queue_full; // overflow::disconnect
    const bool says_goodbye =
        !has_cut_it_off && (how.reason == errc::none || how.reason == errc::message_unfinished ||
                            how.reason == errc::handler_failed);
    if (of.early_fin != "" && says_goodbye && of.how.reading.max_message_size > 1'000)
        broke(of, "fin", of.early_fin);
    if (is_healthy_ && !was_disturbed_ && how.reason != errc::none)
        broke(of, how.reason == errc::pong_timeout || how.reason == errc::write_timed_out ? "cut" : "ending",
              "a healthy connection ends with " + str(how.reason));
}

void endpoint_history::check_wire(side& of) {
    const strict::stream all = strict::parse(of.wire, of.is_client, false, of.agreed.compresses());
    const inflating inflate = make_reader(of.agreed.mine);
    if (all.error != "") broke(of, "wire", all.error);
    std::size_t next = 0;
    std::string payload;
    std::uint64_t frames = 0;
    for (const strict::frame& each : all.frames) {
        ++frames;
        if (each.opcode == 8 && of.peer->finishes == 1 && of.peer->ending.peer_closed)
            check_code(*of.peer, each.payload);
        if (each.opcode >= 8) continue;
        payload += each.rsv1 ? inflate(each.payload) : each.payload;
        if (each.rsv1) ++compressed_;
        if (!each.fin) continue;
        while (next < of.sent.size() &&
               (!of.sent[next].is_accepted ||
                payload != payload_of(of.is_client, next, of.sent[next].size, of.sent[next].is_noise)))
            if (of.sent[next++].is_accepted && !of.may_lose)
                broke(of, "wire",
                      "message " + std::to_string(next - 1) + " is not on the wire, later ones are");
        if (next++ >= of.sent.size()) broke(of, "wire", "a message that was not accepted");
        payload.clear();
    }
    if (of.finishes == 1 && frames != of.ending.written.frames_written)
        broke(of, "counts",
              std::to_string(frames) + " frames are on the wire, the report says " +
                  std::to_string(of.ending.written.frames_written));
    if (of.finishes == 1 && (all.rest != 0) != of.ending.written.partial_frame)
        broke(of, "counts", "the report is wrong about half a frame");
}

/// The code that it was told is the one that stood on its peer's wire.
void endpoint_history::check_code(const side& of, std::string_view close_payload) const {
    const auto byte = [&](std::size_t at) { return static_cast<unsigned char>(close_payload[at]); };
    const unsigned on_wire = close_payload.size() < 2 ? 1005U : byte(0) * 256U + byte(1);
    if (static_cast<unsigned>(of.ending.code) != on_wire)
        broke(of, "code",
              "the peer's Close says " + std::to_string(on_wire) + ", and the ending " +
                  std::to_string(static_cast<unsigned>(of.ending.code)));
}

void endpoint_history::check_healthy(side& of) {
    const side& from = *of.peer;
    const wsolo::ending& how = of.ending;
    for (std::size_t i = 0; i < from.sent.size(); ++i)
        if (from.sent[i].is_accepted && !from.sent[i].is_delivered) {
            broke(of, "lost",
                  "message " + std::to_string(i) + " of " + std::to_string(from.sent.size()) +
                      " was accepted, and did not come");
            break;
        }
    if (how.written.frames_dropped != 0 || how.handled.messages_dropped != 0)
        broke(of, "lost",
              "the report knows of " + std::to_string(how.written.frames_dropped) + " frames and " +
                  std::to_string(how.handled.messages_dropped) + " messages dropped");
    const unsigned theirs = from.has_closed ? from.closed_with : of.closed_with;
    if (how.peer_closed && static_cast<unsigned>(how.code) != theirs)
        broke(of, "code",
              "the peer closed with " + std::to_string(theirs) + ", and the ending says " +
                  std::to_string(static_cast<unsigned>(how.code)));
    const wsolo::testing::stream_link& link = of.is_client ? net_->to_client() : net_->to_server();
    if (link.lost() != 0)
        broke(of, "reset", std::to_string(link.lost()) + " bytes on their way to it were lost");
}

namespace {

/// What deflate_options says.
std::size_t most_held(const agreement& how) {
    const compressing& mine = how.mine;
    const std::size_t slack = 8 * 1024, window = std::size_t{1} << mine.window_bits;
    const std::size_t sending = mine.mode == compressing::shared ? mine.kept_window
                                : mine.mode == compressing::own
                                    ? (std::size_t{512} << mine.memory_level) + 4 * window + slack
                                    : 0;
    return sending +
           (how.peers.mode == compressing::alone ? 0 : (std::size_t{1} << how.peers.window_bits) + slack);
}

} // namespace

void endpoint_history::check_heap() {
    std::size_t allowed = 200'000;
    for (const side* each : {&server_, &client_}) {
        const wsolo::endpoint_options& how = each->how;
        allowed +=
            how.writing.limits.max_bytes * 5 / 4 + 64 * 1024 + how.writing.limits.control_reserve * 512U;
        allowed += 2 * how.handling.max_bytes + how.handling.max_messages * 64U;
        allowed += 4 * std::max(biggest_, each->peer->reply_size) + 130'000;
        if (!each->subject || !each->agreed.compresses()) continue;
        const std::size_t held = each->subject->compression_memory();
        if (held > most_held(each->agreed))
            broke(*each, "heap", "its compression holds " + std::to_string(held) + " bytes");
        allowed += held;
    }
    allowed += thread_compressors_memory();
    if (heap::held_bytes() > allowed)
        broke(server_, "heap",
              std::to_string(heap::held_bytes()) + " bytes of heap, " + std::to_string(allowed) +
                  " are allowed");
}

} // namespace histories
