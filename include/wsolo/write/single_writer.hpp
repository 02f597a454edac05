#pragma once
// The only way to a connection's write side. Any thread sends; one thread at a time, the holder of the write
// token, writes whole frames, coalesced, each write with a deadline of its own; close() drains within a bound
// and reports.
//
// Laws of this file:
// - After construction nothing else can reach the transport: replies and Close go through the same queue.
// - A send never waits for the transport, unless its name says so: it queues, or says why not, and a rejected
//   item is still the caller's.
// - The schedule hook is called once per idle-to-busy transition, outside any lock; pump() is what it owes.
// - A write's deadline is computed when that write starts, never inherited; after an error nothing follows.

#include "cork.hpp"
#include "detail/flush_ticket.hpp"
#include "detail/posting.hpp"
#include "fragmented_message.hpp"
#include "handle.hpp"
#include "outbound.hpp"

namespace wsolo::inline WSOLO_ABI {

template <class Writer>
class init_gate;

/// An observer that wants to know nothing. One of your own may have any of the functions that single_writer
/// names.
struct no_observer {};

/// Constructs a writer whose token the handshake holds: see write/init_gate.hpp.
struct born_gated_t {};
inline constexpr born_gated_t born_gated{};

/// See the file's laws. `Transport` is owned: a transport or a completion_transport. `Schedule` is the hook,
/// or inline_drive of one; `Side` is server_side or client_side<>. `Observer` may have, each called with no
/// lock held: `on_finished(const drain_report&)`, once, by the thread that ends the writer; `on_high_water()`
/// and `on_low_water()`, by turns, by the thread that pumps; none may throw. Thread safety: everything but
/// construction and destruction; a hook may be called by two threads at once. The destructor closes handles,
/// aborts what is left (errc::aborted) and must not run inside a callback; no thread may be in a direct call
/// then. Idle it owns no heap block, mutex or
/// thread (32 bytes once it made a handle, or started a write on a completion_transport).
template <any_transport Transport, schedule_hook Schedule, class Side = server_side,
          class Observer = no_observer, class Traits = std_blocking_traits>
class single_writer : private detail::posting<single_writer<Transport, Schedule, Side, Observer, Traits>,
                                              Transport, Schedule, Side, Observer, Traits> {
    using base = detail::posting<single_writer, Transport, Schedule, Side, Observer, Traits>;
    friend detail::writer_core<single_writer, Transport, Schedule, Observer, Traits>;

public:
    using weak_type = basic_weak_session<single_writer, Traits>;

    explicit single_writer(Transport connection, Schedule hook, const writer_options& options = {},
                           Side side = {}, Observer observer = {})
        : base(std::move(connection), std::move(hook), options, std::move(side), std::move(observer),
               token::free) {}
    single_writer(born_gated_t, Transport connection, Schedule hook, const writer_options& options = {},
                  Side side = {}, Observer observer = {})
        : base(std::move(connection), std::move(hook), options, std::move(side), std::move(observer),
               token::gated) {}

    single_writer(const single_writer&) = delete;
    single_writer& operator=(const single_writer&) = delete;

    ~single_writer() {
        this->anchor_.close();
        this->give_up();
        this->anchor_ = {}; // waits for the calls that handles have in progress
        this->check_over();
    }

    /// Queues a message; `payload` may be reused at once. errc::none: accepted, and counted in the drain
    /// report. Otherwise nothing happened: queue_full (try later), too_large (never), closed, out_of_memory.
    /// O(n). `told`, here and below, is called once with what became of the accepted item; that takes one
    /// allocation and a block of budget (block_overhead).
    [[nodiscard]] errc send_text(std::string_view payload, on_outcome told = {}) {
        return this->send_message(opcode::text, bytes_of(payload), told);
    }
    [[nodiscard]] errc send_binary(const_bytes payload, on_outcome told = {}) {
        return this->send_message(opcode::binary, payload, told);
    }

    /// Queues a message that replaces a queued one of the same key (which then ends as errc::conflated): for
    /// values of which only the newest counts. It takes its place at the end of the queue. O(n + segments
    /// queued).
    [[nodiscard]] errc send_keyed(std::uint64_t key, opcode op, const_bytes payload, on_outcome told = {}) {
        WSOLO_ASSERT(op == opcode::text || op == opcode::binary,
                     "send_keyed() sends a text or a binary message");
        if (op != opcode::text && op != opcode::binary) return errc::raw_frame_malformed;
        // Before the work, and again after it.
        const errc full = this->box_.admits_keyed(key, encoded_size<Side::self>(payload.size()));
        if (full != errc::none) return this->drive_data({full});
        detail::segment* frame =
            this->encode_whole(op, payload, {.outcome = told, .key = key, .keyed = true});
        if (frame == nullptr) return errc::out_of_memory;
        return this->own(frame, this->box_.push_keyed(frame));
    }

    /// send_text and send_binary that wait for room in the budget: until the deadline (timed_out) or a stop
    /// request (cancelled). would_deadlock inside a callback of this writer; in a loop's thread use the
    /// others.
    template <stop_token_like StopToken = never_stop>
    [[nodiscard]] errc send_wait(opcode op, const_bytes payload, time_point deadline,
                                 const StopToken& stop = {}, on_outcome told = {}) {
        WSOLO_ASSERT(op == opcode::text || op == opcode::binary,
                     "send_wait() sends a text or a binary message");
        if (op != opcode::text && op != opcode::binary) return errc::raw_frame_malformed;
        if (this->is_pumping_here()) return errc::would_deadlock;
        const std::size_t size = encoded_size<Side::self>(payload.size());
        if (size <= detail::inline_limit && !told) {
            const auto encode = [&](mutable_bytes to) { this->side_.encode(to, op, payload); };
            return this->retry(deadline, stop, [&](auto* waiter) {
                return this->box_.push_small({.size = size, .waiter = waiter}, encode);
            });
        }
        if (const errc never = this->box_.admits(size); never == errc::too_large || never == errc::closed)
            return never;
        detail::segment* whole = this->encode_whole(op, payload, {.outcome = told});
        if (whole == nullptr) return errc::out_of_memory;
        const errc error = this->retry(
            deadline, stop, [&](auto* waiter) { return this->box_.push_whole({.waiter = waiter}, whole); });
        if (error != errc::none) detail::segment::destroy(whole);
        return error;
    }

    /// Queues a control frame: a reply from the reader, or make_ping() and the like. A PONG passes PINGs and
    /// data, a PING passes data, each on a frame boundary. A Close is close() with this body and the default
    /// drain bound. A told PONG that the reserve has a newer one replace is errc::conflated.
    [[nodiscard]] errc send(const control_frame& frame) { return send(raw{frame.bytes()}); }
    [[nodiscard]] errc send(const control_frame& frame, on_outcome told) {
        return send(raw{frame.bytes()}, told);
    }

    /// Queues a reference to an encoded frame: above 2 KiB no byte is copied, below it a copy is cheaper.
    [[nodiscard]] errc send(const shared_frame& frame, on_outcome told = {}) {
        static_assert(Side::self == role::server,
                      "a client's frames each need a key of their own: send the payload");
        if (!frame) return errc::raw_frame_malformed;
        const const_bytes bytes = frame.bytes();
        if (bytes.size() <= detail::inline_limit) return send(raw{bytes}, told);
        if (!detail::is_one_whole_frame<Side::self>(parse_header(bytes), bytes))
            return errc::raw_frame_malformed;
        return this->push_segment(bytes.size(),
                                  [&] { return detail::segment::make_shared(frame, {.outcome = told}); });
    }

    /// Queues one whole frame as it is. errc::raw_frame_malformed when it is not exactly that.
    [[nodiscard]] errc send(raw frame) {
        using detail::lane_id;
        const header_parse parsed = parse_header(frame.bytes);
        if (!detail::is_one_whole_frame<Side::self>(parsed, frame.bytes)) return errc::raw_frame_malformed;
        const std::size_t size = frame.bytes.size();
        const auto copy = [&](mutable_bytes to) { std::memcpy(to.data(), frame.bytes.data(), to.size()); };
        switch (parsed.header.op) {
        case opcode::close: return this->push_close(frame.bytes, this->settings_.drain_timeout.get(), {});
        case opcode::ping:
            return this->drive(this->box_.push_small({.to = lane_id::ping, .size = size}, copy));
        case opcode::pong:
            return this->drive(this->box_.push_small({.to = lane_id::pong, .size = size}, copy));
        default: break;
        }
        if (size <= detail::inline_limit)
            return this->drive_data(this->box_.push_small({.size = size}, copy));
        return this->push_segment(size, [&] { return detail::segment::make_copy(frame.bytes); });
    }
    [[nodiscard]] errc send(raw frame, on_outcome told) {
        if (!told) return send(frame);
        const header_parse parsed = parse_header(frame.bytes);
        if (!detail::is_one_whole_frame<Side::self>(parsed, frame.bytes)) return errc::raw_frame_malformed;
        return this->send_raw_told(parsed.header.op, frame.bytes, told);
    }

    /// Queues whichever it is.
    [[nodiscard]] errc send(const outbound& item, on_outcome told = {}) {
        return std::visit([&](const auto& kind) { return this->send_kind(kind, told); }, item);
    }

    /// Queues a PING, and `told` is called once: errc::none when the transport took its last byte, which is when a
    /// pong timer starts. Errors: queue_full, closed, out_of_memory, control_payload_too_big (above 125 bytes).
    [[nodiscard]] errc send_ping(const_bytes payload, on_outcome told) {
        if (payload.size() > max_control_payload) return errc::control_payload_too_big;
        detail::segment* ping = this->encode_whole(opcode::ping, payload, {.outcome = told});
        if (ping == nullptr) return errc::out_of_memory;
        return this->drive(this->kept(ping, this->box_.push_whole({.to = detail::lane_id::ping}, ping)));
    }

    /// A message in several frames, written as its parts become known: see write/fragmented_message.hpp.
    [[nodiscard]] fragmented_message<single_writer> begin_message(opcode op) {
        return fragmented_message<single_writer>(*this, op);
    }

    /// Holds the schedule hook back for a scope, so that everything sent in it leaves together.
    [[nodiscard]] cork<single_writer> corked() { return cork<single_writer>(*this); }

    /// Calls `told` when all data accepted before now was written (errc::none), or why that will never be.
    /// It costs budget like a frame: errc::queue_full when the queue is above its bound.
    [[nodiscard]] errc flush(on_outcome told) {
        detail::segment* mark = detail::segment::make_whole(0, {.outcome = told});
        if (mark == nullptr) return errc::out_of_memory;
        return this->drive(this->kept(mark, this->box_.push_mark(mark)));
    }

    /// Waits for the same, and for room if need be. errc::timed_out, cancelled, would_deadlock (inside a
    /// callback of this writer), or why not.
    template <stop_token_like StopToken = never_stop>
    [[nodiscard]] errc flush(time_point deadline, const StopToken& stop = {}) {
        if (this->is_pumping_here()) return errc::would_deadlock;
        return detail::flush_and_wait<Traits>(
            deadline, stop, [&](on_outcome told) { return this->queue_mark(told, deadline, stop); });
    }

    /// Queues a Close frame behind everything accepted so far and seals the writer: later sends answer
    /// errc::closed. What is queued is written within `drain_within` from now, then the transport is finished
    /// and the observer told. errc::closed when it was closed before; invalid_close_code and the like for a
    /// body that may not be sent.
    [[nodiscard]] errc close(close_code code, std::string_view reason, duration drain_within,
                             on_outcome told = {}) {
        const auto frame = this->box_.locked([&] { return this->side_.close(code, reason); });
        if (!frame) return frame.error();
        return this->push_close(frame->bytes(), drain_within, told);
    }
    [[nodiscard]] errc close(close_code code, std::string_view reason = {}) {
        return close(code, reason, this->settings_.drain_timeout.get());
    }

    /// Seals, and drops what is queued at the next frame boundary; `why` becomes the report's reason. No
    /// Close is sent. A frame that was begun is finished if the transport takes it within `finish_within`;
    /// with 0 it stays partial.
    void abort(errc why, duration finish_within) { this->abort_with(why, finish_within); }
    void abort(errc why = errc::aborted) { this->abort_with(why, this->settings_.drain_timeout.get()); }

    /// Writes until the queue is empty, the transport would block, or the quantum is used up. Call it when
    /// the hook asked, when the transport became writable, or when a deadline passed; a call too many is
    /// harmless. With a write in flight it cancels that one past its deadline, and does nothing before.
    pump_result pump() { return this->take_and_run(); }

    /// For the thread that pumps, after pump_status::blocked: waits in the transport. False: the deadline
    /// passed first.
    [[nodiscard]] bool wait_writable(time_point deadline)
        requires waitable_transport<Transport>
    {
        return this->transport_.wait_writable(deadline);
    }

    /// A handle for other threads, which does not keep the writer alive and can't dangle. The first call
    /// allocates (32 bytes); without memory the handle answers errc::closed.
    [[nodiscard]] writer_handle<single_writer> handle() {
        return writer_handle<single_writer>(this->weak_self());
    }

    /// What became of everything so far; final once pump() said finished.
    [[nodiscard]] drain_report report() const noexcept { return this->box_.report(); }
    [[nodiscard]] bool finished() const noexcept { return this->box_.state() == token::finished; }
    /// Whether pump() is owed, by the hook or by writability.
    [[nodiscard]] bool wants_write() const noexcept {
        const token held = this->box_.state();
        return held == token::scheduled || held == token::parked;
    }
    /// Budget in use, overhead included, in bytes.
    [[nodiscard]] std::size_t queued_bytes() const noexcept { return this->box_.held_bytes(); }
    /// The data frames among them.
    [[nodiscard]] std::uint32_t queued_frames() const noexcept { return this->box_.held_frames(); }

private:
    friend class init_gate<single_writer>;
    friend class fragmented_message<single_writer>;
    friend class cork<single_writer>;

    errc send_kind(const raw& item, on_outcome told) { return send(item, told); }
    errc send_kind(const text& item, on_outcome told) { return send_text(item.payload, told); }
    errc send_kind(const binary& item, on_outcome told) { return send_binary(item.payload, told); }
    errc send_kind(const shared& item, on_outcome told) {
        if constexpr (Side::self == role::server)
            return send(item.frame, told);
        else
            return errc::raw_frame_malformed; // unmasked, so not a frame of this side
    }
};

} // namespace wsolo::inline WSOLO_ABI
