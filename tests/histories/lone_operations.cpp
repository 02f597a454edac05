// A history of one thread: the operations that it performs.

#include "lone_parts.hpp"

#include <algorithm>
#include <cstdarg>
#include <stdexcept>

namespace histories {

using namespace std::chrono_literals;

void lone_history::say(const char* format, ...) const {
    std::va_list values;
    va_start(values, format);
    journal::line_of(depth_, format, values);
    va_end(values);
}

std::string lone_history::never_performed() {
    std::string missing;
    for (std::size_t i = 0; i < operations; ++i)
        if (performed_[i] == 0) missing += std::string(" ") + names_of_operations[i];
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
        size = 0; // it could not be told which one went
    const bool text =
        kind == kind_of_send::text || kind == kind_of_send::variant || kind == kind_of_send::waits;
    const item_kind as = !is_control                  ? item_kind::data
                         : kind == kind_of_send::pong ? item_kind::pong
                                                      : item_kind::ping;
    item& it = begin(as, as == item_kind::ping ? 9 : as == item_kind::pong ? 10 : text ? 1 : 2, size, asked);
    it.keyed = kind == kind_of_send::keyed;
    it.key = draw.below(3);
    it.chain = chain;
    if (kind == kind_of_send::text && inflate_ && it.number % 5 == 0) kind = kind_of_send::secret;
    it.as_is = kind == kind_of_send::raw || kind == kind_of_send::secret;
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
    const auto name = names_of_operations[static_cast<std::size_t>(which)];
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

} // namespace histories
