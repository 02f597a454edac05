#pragma once
// One whole side of a connection behind its handshake: reader, writer, inbox, barrier, heartbeat and weak handles,
// wired so that replies are sent, failures are answered, and the end comes within a bound.
//
// Laws of this file:
// - receive(), end_of_input() and run() belong to the loop's thread, one call at a time. Sending, close(), abort()
//   and handle() may be called from any thread.
// - It reads and writes nothing by itself but through the transport; it says what it wants to be called for.
// - The receive side only receives and pushes. Messages are handled serially and in order, by the loop or, with a
//   `Work` hook, by whoever calls work(); a handler that waits stalls neither PONGs nor heartbeats.
// - The first thing that went wrong names the end, and on_finished() is told of it once.

#include "../write/init_gate.hpp"
#include "detail/endpoint_turn.hpp"

namespace wsolo::inline WSOLO_ABI {

/// See the file's laws. `Schedule` is called to have run() called soon, from any thread, by several at once.
///
/// `Handler` is called as `on_message(endpoint&, message)`, or is a callable of these, and returns nothing or an errc.
/// An errc ends the connection, as does throwing (errc::handler_failed); but errc::closed, a send's answer once this
/// side's Close is queued, is no failure. It may also have, called in the loop's thread: `on_beat(endpoint&, bool
/// window_rolled)`, when the application's heartbeat is due; `on_refused(endpoint&, message)`, for a message that
/// inbox_overflow::drop_newest did not let in; and `on_finished(endpoint&, const ending&)`, once, when no handler runs.
///
/// `Side` is server_side or client_side<>. `Work` is called with a weak_handle when work() is owed, once per
/// idle-to-busy transition, from any thread, by several at once. Like Schedule it refuses by returning false.
///
/// The destructor drops what is left: call it when `finished`, or to cut the connection off. It calls no hook and no
/// on_finished, tells who waits in the barrier or the writer, and waits for work() and for what handles have in
/// progress. No other thread may be in a direct call then, and it must not run inside a callback.
template <transport Transport, schedule_hook Schedule, class Handler, class Side = server_side,
          class Work = in_the_loop, class Traits = std_blocking_traits>
class endpoint : private detail::endpoint_turn<endpoint<Transport, Schedule, Handler, Side, Work, Traits>,
                                               Transport, Schedule, Handler, Side, Work, Traits> {
    using core = detail::endpoint_turn<endpoint, Transport, Schedule, Handler, Side, Work, Traits>;
    friend core;
    friend typename core::parts;

public:
    static constexpr role self = Side::self;
    using writer_type = typename core::writer;
    using reader_type = basic_reader<default_side<self>>;
    using barrier_type = typename core::barrier;
    using inbox_type = typename core::message_inbox;
    using weak_handle = basic_weak_session<endpoint, Traits>;

    explicit endpoint(Transport connection, Schedule hook, Handler handler,
                      const endpoint_options& options = {}, Side side = {}, Work work = {})
        : core(std::move(connection), std::move(hook), std::move(handler), options, std::move(side),
               std::move(work)) {}
    /// The writer is born closed, until its init_gate opens (write/init_gate.hpp): `init_gate gate(e.writer())`.
    endpoint(born_gated_t, Transport connection, Schedule hook, Handler handler,
             const endpoint_options& options = {}, Side side = {}, Work work = {})
        : core(std::move(connection), std::move(hook), std::move(handler), options, std::move(side),
               std::move(work), born_gated) {}

    endpoint(const endpoint&) = delete;
    endpoint& operator=(const endpoint&) = delete;
    ~endpoint() = default;

    // ---- the loop's

    /// Bytes from the peer, which are unmasked in place; they are the caller's again when this returns. Replies are
    /// queued, messages pushed and, without a `Work` hook, handled; what can be written is written.
    endpoint_wants receive(mutable_bytes received) { return this->on_bytes(received); }

    /// The transport gives no more bytes. errc::none: the peer ended its direction; without a Close before it, it is
    /// told so (1002), behind what was queued for it. Otherwise: what broke.
    endpoint_wants end_of_input(errc why = errc::none) { return this->on_end(why); }

    /// What the hook, a writable transport and a deadline ask for. A call too many is harmless.
    endpoint_wants run() { return this->on_turn(); }

    // ---- whoever handles

    /// Handles what is queued, up to the quantum; what the `Work` hook asks for. One caller at a time gets to it.
    void work()
        requires(!core::handles_here)
    {
        this->handle_some();
    }

    /// For a handler that takes messages when it wants to (endpoint/message_source.hpp): it wants one now.
    void ask_for_messages() { this->inbox_.rouse(); }

    // ---- any thread's

    /// See single_writer's functions of these names.
    [[nodiscard]] errc send_text(std::string_view payload) { return this->out_.send_text(payload); }
    [[nodiscard]] errc send_binary(const_bytes payload) { return this->out_.send_binary(payload); }
    /// Begins the closing handshake. Messages that the peer sent before it saw this are still handled.
    [[nodiscard]] errc close(close_code code = close_code::normal, std::string_view reason = {}) {
        return this->begin_close(code, reason);
    }
    /// Ends the connection without a Close; what is queued on either side is dropped and counted.
    void abort(errc why = errc::aborted) { core::abort(why); }
    /// For threads that may outlive this: `if (auto live = weak.try_use()) live->send_text(...)`.
    [[nodiscard]] weak_handle handle() const noexcept { return this->anchor_.handle(); }

    /// The parts. The reader and the heartbeat are the loop's.
    [[nodiscard]] writer_type& writer() noexcept { return this->out_; }
    [[nodiscard]] const reader_type& reader() const noexcept { return this->in_; }
    [[nodiscard]] const inbox_type& messages() const noexcept { return this->inbox_; }
    [[nodiscard]] const heartbeat& beat() const noexcept { return this->beat_; }
    /// Numbers for the received messages: handled().snapshot() marks "all received so far", and waiting for the mark
    /// waits until these are handled (sync/sequence_barrier.hpp).
    [[nodiscard]] barrier_type& handled() noexcept { return this->handled_; }
    [[nodiscard]] Handler& handler() noexcept { return this->handler_; }
    /// Complete once `finished`. The loop's.
    [[nodiscard]] const ending& how_it_ended() const noexcept { return this->end_.how(); }
};

template <class Transport, class Schedule, class Handler>
endpoint(Transport, Schedule, Handler) -> endpoint<Transport, Schedule, Handler>;

} // namespace wsolo::inline WSOLO_ABI
