// SPDX-License-Identifier: MIT
#pragma once
// A connection until it is a WebSocket, or instead of becoming one: the bytes of HTTP that leave, the bounds, the end.
//
// Laws of this file:
// - It is the loop's, and gives its memory back when the connection is open: everything that only a handshake needs is here.
// - Every state has a bound: the handshake's timeout, the time that an answer may take to leave, the linger.
// - After an answer that ends the connection input is read and thrown away, so that closing with unread bytes does not
//   reset the connection under the answer (RFC 9112 §9.6).

#include "../../sync/schedule_hook.hpp"
#include "../../sync/weak_session.hpp"
#include "../../write/detail/one_write.hpp"
#include "../connection_group.hpp"
#include "../options.hpp"
#include "../stream_end.hpp"
#include "head_output.hpp"

namespace wsolo::inline WSOLO_ABI::detail {

/// Where it stands. `asking`: the request, or the answer to it, is not complete. `agreed`: it is, and what answers it is on its
/// way; then the connection is open. `refused`: something else is on its way, or nothing is.
enum class opening_state : std::uint8_t { asking, agreed, refused };

/// What the endpoint is made of, and kept for it.
template <any_transport Transport, schedule_hook Schedule, class Handler, class Side, class Work>
struct opening_parts {
    Transport connection;
    Schedule hook;
    Handler handler;
    endpoint_options options;
    [[no_unique_address]] Side side;
    [[no_unique_address]] Work work;
};

template <class Parts, class Traits>
class opening {
    using transport_type = decltype(Parts::connection);
    static_assert(
        byte_stream<transport_type>,
        "a connection ends its byte stream itself: give its transport end_output() and disconnect()");
    using anchor = basic_session_anchor<opening, Traits>;

public:
    using weak_handle = basic_weak_session<opening, Traits>;

    opening(role self, Parts kept, std::chrono::milliseconds timeout)
        : parts(std::move(kept)),
          end(self, parts.options.ending),
          by(deadline_after(now(), bound_of(timeout))),
          grace_(bound_of(timeout) / 4) {
        if constexpr (!transport<transport_type>) {
            if (auto made = anchor::make(*this)) anchor_ = std::move(*made);
        }
    }

    [[nodiscard]] static time_point now() noexcept { return Traits::clock::now(); }

    // ---- what became of it

    /// `out` is to leave, by `by`.
    void begin_output() { is_writing = true; }
    /// The handshake succeeded: once `out` has left the connection is open.
    void agree(int with) {
        state = opening_state::agreed;
        status = with;
    }
    /// `out` is all that the peer will get, because `why`.
    void answer(int with, errc why) {
        blame(why);
        state = opening_state::refused;
        status = with;
        end.on_unreadable(now());
    }
    /// The connection ends, without another byte.
    void give_up(errc why) {
        blame(why);
        state = opening_state::refused;
        is_writing = false;
        end.on_abort();
    }
    void blame(errc why) noexcept {
        if (reason == errc::none) reason = why;
    }
    /// The peer's stream ended, or broke.
    void end_input(errc why) {
        input_is_over = true;
        input_error = why;
        if (state == opening_state::refused) end.on_input_over(now());
    }
    /// What follows the handshake, while `out` is on its way: what one receive() brings, and more of a loop that reads on
    /// unasked, as an endpoint keeps it. False: there is no room for it, and the connection goes.
    [[nodiscard]] bool keep(const_bytes rest) {
        if (state != opening_state::agreed || rest.empty()) return true;
        const bool is_too_much =
            !early.empty() && early.size() + rest.size() > bound_of(parts.options.handling.max_bytes);
        const errc error = is_too_much          ? errc::inbox_overflow
                           : early.append(rest) ? errc::none
                                                : errc::out_of_memory;
        if (error == errc::none) return true;
        give_up(error);
        return false;
    }
    /// Whether the handshake's time is over. A look that comes much too late says that this process slept, and what was asked
    /// may lie unread: a quarter more, once.
    [[nodiscard]] bool is_late() {
        const time_point at = now();
        if (state != opening_state::asking || at < by) return false;
        if (at < deadline_after(by, grace_) || std::exchange(is_excused_, true)) return true;
        by = deadline_after(at, grace_);
        return false;
    }
    /// As long as a write may stand, and what the minimum rate makes of its size. Without one each progress earns a fresh
    /// timeout.
    void bound_output() {
        const writer_timeouts& times = parts.options.writing.timeouts;
        by = deadline_after(now(), bound_of(times.write));
        if (by != no_deadline && times.min_rate != 0) by = extended(by, out.bytes().size(), times.min_rate);
    }

    // ---- a turn

    /// Writes what can be written, ends what has to end. True: the connection is open now.
    bool step() {
        if (is_writing) write();
        const end_actions due = end.next(now());
        if (due.end_output) parts.connection.end_output();
        if (due.disconnect) parts.connection.disconnect();
        return state == opening_state::agreed && !is_writing;
    }

    [[nodiscard]] endpoint_wants wants() const noexcept {
        if (end.is_gone()) return {.read = false, .finished = true};
        return {.read = state != opening_state::agreed && !input_is_over,
                .write = is_writing && transport<transport_type>,
                .deadline = state == opening_state::refused && !is_writing ? end.deadline() : by};
    }

    // ---- for a completion that comes in another thread

    [[nodiscard]] weak_handle handle() const noexcept { return anchor_.handle(); }
    void ask() { static_cast<void>(ask_for_a_turn(parts.hook)); }
    /// Waits for those that are inside ask(): from now on there are none, and `parts` may be moved.
    void part() noexcept { anchor_ = {}; }

    Parts parts;
    head_output<transport_type, opening, Traits> out;
    byte_buffer early; ///< what came after the handshake, while `out` was on its way
    basic_group_invitation<Traits> invited;
    stream_end end;
    time_point by; ///< of the handshake, then of what leaves after it
    int status = 0;
    errc reason = errc::none;
    errc input_error = errc::none;
    opening_state state = opening_state::asking;
    bool is_writing = false;
    bool input_is_over = false;
    bool is_told = false; ///< its handler, that it ended

private:
    void write() {
        const time_point tried = now();
        const std::size_t before = out.taken();
        const head_status left = out.step(parts.connection, by, *this);
        if (out.taken() != before && parts.options.writing.timeouts.min_rate == 0) bound_output();
        if (left == head_status::failed) return give_up(errc::write_failed);
        if (left == head_status::blocked) return tried >= by ? give_up(errc::write_timed_out) : void();
        is_writing = false;
        if (state == opening_state::refused) end.on_output_over(true, tried);
    }

    duration grace_;
    bool is_excused_ = false;
    anchor anchor_; ///< the last: a completion may be inside ask()
};

} // namespace wsolo::inline WSOLO_ABI::detail
