#pragma once
// An item's way into the queue: encoded or copied, into the shared block or a segment of its own, with whom it
// has to tell.
//
// Laws of this file:
// - Bytes above inline_limit, and all that somebody asked about, are written with no lock held. Their budget is
//   looked at before that work, and again after it.
// - A segment that the queue did not take over is destroyed here, untold.

#include "../outbound.hpp"
#include "../side.hpp"
#include "close_code_of.hpp"
#include "waiting_sender.hpp"
#include "writer_core.hpp"

namespace wsolo::inline WSOLO_ABI::detail {

/// `Writer` is the class derived from it. What the functions return is what a send returns.
template <class Writer, any_transport Transport, schedule_hook Schedule, class Side, class Observer,
          class Traits>
class posting : protected writer_core<Writer, Transport, Schedule, Observer, Traits> {
    using core = writer_core<Writer, Transport, Schedule, Observer, Traits>;

protected:
    posting(Transport connection, Schedule hook, const writer_options& options, Side side, Observer observer,
            token first)
        : core(std::move(connection), std::move(hook), options, std::move(observer), first),
          side_(std::move(side)) {}
    ~posting() = default;

    /// push(waiter) until it is accepted, or refused for another reason than a full queue.
    template <class StopToken, class Push>
    errc retry(time_point deadline, const StopToken& stop, Push push) {
        return push_when_room<Traits>(this->box_, deadline, stop,
                                      [&](budget_waiter* waiter) { return this->drive(push(waiter)); });
    }

    template <class StopToken>
    errc queue_mark(on_outcome told, time_point deadline, const StopToken& stop) {
        segment* mark = segment::make_whole(0, {.outcome = told});
        if (mark == nullptr) return errc::out_of_memory;
        const errc error =
            retry(deadline, stop, [&](auto* waiter) { return this->box_.push_mark(mark, waiter); });
        if (error != errc::none) segment::destroy(mark);
        return error;
    }

    errc send_message(opcode op, const_bytes payload, on_outcome told) {
        const std::size_t size = encoded_size<Side::self>(payload.size());
        if (size > inline_limit || told) {
            return push_segment(size, [&] { return encode_whole(op, payload, {.outcome = told}); });
        }
        const auto encode = [&](mutable_bytes to) { side_.encode(to, op, payload); };
        return this->drive_data(this->box_.push_small({.size = size}, encode));
    }

    /// Encodes into a segment of its own, with no lock held.
    segment* encode_whole(frame_spec spec, const_bytes payload, const item_tag& tag) {
        segment* whole = segment::make_whole(encoded_size<Side::self>(payload.size()), tag);
        if (whole == nullptr) return nullptr;
        auto encoder = this->box_.locked([&] { return side_.for_one_frame(); });
        encoder.encode(whole->writable(), spec, payload);
        return whole;
    }

    errc send_raw_told(opcode op, const_bytes frame, on_outcome told) {
        if (op == opcode::close) return push_close(frame, this->settings_.drain_timeout.get(), told);
        if (op != opcode::ping && op != opcode::pong)
            return push_segment(frame.size(), [&] { return segment::make_copy(frame, {.outcome = told}); });
        segment* whole = segment::make_copy(frame, {.outcome = told});
        if (whole == nullptr) return errc::out_of_memory;
        const lane_id to = op == opcode::ping ? lane_id::ping : lane_id::pong;
        return this->drive(kept(whole, this->box_.push_whole({.to = to}, whole)));
    }

    template <class Make>
    errc push_segment(std::size_t size, Make make) {
        // Before the work, and again after it.
        if (const errc full = this->box_.admits(size); full != errc::none) return this->drive_data({full});
        segment* whole = make();
        return whole == nullptr ? errc::out_of_memory : own(whole, this->box_.push_whole({}, whole));
    }

    /// `pushed` took the segment over, or it is still ours.
    static push_result kept(segment* item, push_result pushed) noexcept {
        if (pushed.error != errc::none) segment::destroy(item);
        return pushed;
    }
    errc own(segment* item, push_result pushed) { return this->drive_data(kept(item, pushed)); }

    errc push_close(const_bytes frame, duration drain_within, on_outcome told) {
        const time_point deadline = deadline_after(Traits::clock::now(), drain_within);
        const close_code code = close_code_of(frame);
        if (told) {
            segment* whole = segment::make_copy(frame, {.outcome = told});
            if (whole == nullptr) return errc::out_of_memory;
            return this->drive(kept(whole, this->box_.push_close_whole(whole, code, deadline)));
        }
        const auto copy = [&](mutable_bytes to) { std::memcpy(to.data(), frame.data(), to.size()); };
        return this->drive(this->box_.push_close(frame.size(), code, deadline, copy));
    }

    [[no_unique_address]] Side side_;
};

} // namespace wsolo::inline WSOLO_ABI::detail
