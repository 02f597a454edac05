#pragma once
// What a session writes through in S1: wsolo's writer, whose deadlines belong to one write each, and the
// connection of the failure, whose one deadline every write inherits. Both let a write take ten seconds.

#include "gates.hpp"
#include "line.hpp"
#include "virtual_time.hpp"

namespace support {

inline constexpr std::chrono::seconds write_timeout{10};

template <class Transport>
class own_deadlines {
public:
    explicit own_deadlines(Transport to) : out_(std::move(to), {{}}, options()) {}

    void send_text(std::string_view text) { static_cast<void>(out_.send_text(text)); }
    void send(const wsolo::control_frame& frame) { static_cast<void>(out_.send(frame)); }
    void close(wsolo::close_code code) { static_cast<void>(out_.close(code)); }
    void abort(wsolo::errc why) { out_.abort(why); }
    /// Tries what is left over.
    void pump() { static_cast<void>(out_.pump()); }
    /// Whether something is left over that the transport did not take.
    [[nodiscard]] bool is_held_up() const { return out_.is_pump_owed(); }
    [[nodiscard]] bool is_over() const { return out_.is_finished(); }
    [[nodiscard]] wsolo::errc reason() const { return out_.report().reason; }

private:
    static wsolo::writer_options options() {
        wsolo::writer_options chosen;
        chosen.timeouts.write = write_timeout;
        return chosen;
    }
    gate_writer<Transport, virtual_traits> out_;
};

/// A deadline of the connection, as sockets in many languages have it: it is set where the programmer thought of
/// it, and stands until it is set again.
template <class Transport, bool EachTextArms>
class one_deadline {
public:
    explicit one_deadline(Transport to) : to_(std::move(to)) {}

    void send_text(std::string_view text) {
        if (EachTextArms || deadline_ == wsolo::no_deadline) deadline_ = virtual_clock::now() + write_timeout;
        const auto frame = wsolo::make_shared_frame(wsolo::opcode::text, wsolo::bytes_of(text));
        write(frame->bytes());
    }
    void send(const wsolo::control_frame& frame) { write(frame.bytes()); }
    void abort(wsolo::errc why) {
        reason_ = why;
        to_.finish(wsolo::end_of_write::aborted);
    }
    void close(wsolo::close_code) { abort(wsolo::errc::closed); }
    void pump() {}
    [[nodiscard]] bool is_held_up() const { return true; } // it would wait for ever: not asked of it
    [[nodiscard]] bool is_over() const { return reason_ != wsolo::errc::none; }
    [[nodiscard]] wsolo::errc reason() const { return reason_; }

private:
    void write(wsolo::const_bytes bytes) {
        if (is_over()) return;
        if (virtual_clock::now() > deadline_) return abort(wsolo::errc::write_timed_out);
        write_directly(to_, bytes);
    }

    Transport to_;
    wsolo::time_point deadline_ = wsolo::no_deadline;
    wsolo::errc reason_ = wsolo::errc::none;
};

/// Set on the text path, never cleared: S1 itself.
template <class Transport>
using armed_by_text = one_deadline<Transport, true>;
/// Set when the connection was made.
template <class Transport>
using armed_once = one_deadline<Transport, false>;

} // namespace support
