// SPDX-License-Identifier: MIT
#pragma once
// The only way to a connection's write side. Any thread sends; one thread at a time, the one whose turn it is, writes
// whole frames, coalesced, each write with a deadline of its own; close() drains within a bound and reports.
//
// Laws of this file:
// - After construction only the writer writes to the transport: replies and Close go through the same queue.
// - A send never waits for the transport, unless its name says so: it queues, or says why not, and a refused item is still
//   the caller's.
// - The schedule hook is called outside any lock: once when the idle writer gets work, and when a parked writer has to look
//   again (a close, an abort, a high mark, the end of a started write). The hook must have pump() called.
// - A write's deadline is that write's own, never inherited; after an error nothing follows.

#include "../core/side.hpp"
#include "../frame/control_reply.hpp"
#include "cork.hpp"
#include "detail/driver.hpp"
#include "fragmented_message.hpp"
#include "handle.hpp"
#include "outbound.hpp"

namespace wsolo::inline WSOLO_ABI {

template <class Writer>
class init_gate;
struct never_stop;

namespace detail {
template <class Traits>
struct blocking_waits; // defined in <wsolo/write/wait.hpp>: include it to call send_wait() or flush(deadline)
struct writer_access;
} // namespace detail

/// Constructs a writer whose turn is the handshake's: see write/init_gate.hpp.
struct born_gated_t {};
/// Its only value.
inline constexpr born_gated_t born_gated{};

/// See the file's laws. `Transport` is owned: a transport or a completion_transport. `Schedule` is the hook, or
/// inline_drive of one; `Side` is server_side or client_side<>; `Encoder` may compress messages (write/encoder.hpp).
///
/// Thread safety: any thread may call any member, except for construction and destruction; a hook may be called by two
/// threads at once. The destructor aborts what is left (errc::aborted), waits for handles in use, and must not run inside one
/// of the writer's callbacks; no thread may be in a direct call then. An idle writer owns no heap block, mutex or thread,
/// apart from 24 bytes once it made a handle, or started a write on a completion_transport.
template <any_transport Transport, schedule_hook Schedule, class Side = server_side,
          writer_observer Observer = no_observer, class Traits = std_blocking_traits,
          message_encoder Encoder = never_encoded>
class single_writer {
    using driver = detail::driver<single_writer, Transport, Schedule, Observer, Traits, Encoder>;

public:
    using weak_type = basic_weak_session<single_writer, Traits>;
    using side_type = Side;

    explicit single_writer(Transport connection, Schedule hook, const writer_options& options = {},
                           Side side = {}, Observer observer = {}, Encoder encoder = {})
        : single_writer(turn_state::free, std::move(connection), std::move(hook), options, std::move(side),
                        std::move(observer), std::move(encoder)) {}
    single_writer(born_gated_t, Transport connection, Schedule hook, const writer_options& options = {},
                  Side side = {}, Observer observer = {}, Encoder encoder = {})
        : single_writer(turn_state::gated, std::move(connection), std::move(hook), options, std::move(side),
                        std::move(observer), std::move(encoder)) {}

    single_writer(const single_writer&) = delete;
    single_writer& operator=(const single_writer&) = delete;

    ~single_writer() { drive_.end_by_destructor(); }

    // ---- data

    /// Queues a message; `payload` may be reused at once. The caller vouches that a text is UTF-8 (RFC 6455 §5.6); checked
    /// builds assert it. errc::none: accepted, and counted in the report. Otherwise nothing happened: queue_full (try
    /// later), too_large (never), closed, out_of_memory. O(n). `on_done`, here and below, is called once with what became
    /// of the accepted item; it costs entry_overhead of budget.
    [[nodiscard]] errc send_text(std::string_view payload, on_outcome on_done = {}) {
        WSOLO_ASSERT(is_valid_utf8(bytes_of(payload)), "a text message is UTF-8 (RFC 6455 §5.6)");
        return send_message(opcode::text, bytes_of(payload), on_done);
    }
    [[nodiscard]] errc send_binary(const_bytes payload, on_outcome on_done = {}) {
        return send_message(opcode::binary, payload, on_done);
    }

    /// Queues a message that replaces a queued one of the same key (which then ends as errc::conflated): for values of
    /// which only the newest counts. It takes its place at the end of the queue. Errors as send_text's, and
    /// raw_frame_malformed for an opcode that is not data's. O(n + entries queued).
    [[nodiscard]] errc send_keyed(std::uint64_t key, opcode op, const_bytes payload,
                                  on_outcome on_done = {}) {
        WSOLO_ASSERT(is_data(op), "send_keyed() sends a text or a binary message");
        if (!is_data(op)) return errc::raw_frame_malformed;
        if (const errc error = drive_.box.judge_length(payload.size()); error != errc::none) return error;
        detail::offer what{.size = encoded_size<Side::self>(payload.size()), .done = on_done};
        what.may_displace = drive_.may_displace();
        // Before the work, and again after it.
        if (const errc full = drive_.box.admits(what, &key); full != errc::none) return refuse_data(full);
        detail::entry* owned = encode_apart(op, payload, on_done);
        if (owned == nullptr) return errc::out_of_memory;
        owned->key = key;
        owned->is_keyed = true;
        as_plain(owned, encodes(payload.size()));
        return queue_owned(what, owned);
    }

    /// Queues a message that no encoder touches, for instance one with a secret beside text that a stranger chose
    /// (docs/compression.md). Errors as send_text's, and raw_frame_malformed for an opcode that is not data's.
    [[nodiscard]] errc send_uncompressed(opcode op, const_bytes payload, on_outcome on_done = {}) {
        WSOLO_ASSERT(is_data(op), "send_uncompressed() sends a text or a binary message");
        if (!is_data(op)) return errc::raw_frame_malformed;
        if (const errc error = drive_.box.judge_length(payload.size()); error != errc::none) return error;
        return send_as_is(op, payload, on_done);
    }

    /// Queues a reference to an encoded frame. A frame of up to 512 bytes is copied, which is cheaper. An encoder encodes a
    /// shared frame once for all connections. Errors as send_text's, and raw_frame_malformed when it is empty, or no whole
    /// frame of a server.
    [[nodiscard]] errc send(const shared_frame& frame, on_outcome on_done = {}) {
        static_assert(Side::self == role::server,
                      "a client's frames each need a key of their own: send the payload");
        if (!frame) return errc::raw_frame_malformed;
        const const_bytes bytes = frame.bytes();
        if (!frame.is_message()) return send(raw{bytes}, on_done); // perhaps a control frame
        const std::size_t payload = bytes.size() - header_size_announced(bytes[1]);
        if (const errc error = drive_.box.judge_length(payload); error != errc::none) return error;
        const bool is_encodable = encodes(payload) && (bytes[0] & std::byte{0x70}) == std::byte{}; // not yet
        if (bytes.size() > copied_limit || is_encodable) return push_reference(frame, is_encodable, on_done);
        return push_copy(bytes, on_done);
    }

    /// Queues an encoded frame together with its memory, without a copy, where that pays (above 2 KiB, and with little unused
    /// memory around it). A refused frame stays in `frame`, an accepted one does not. Errors as those of the function above.
    [[nodiscard]] errc send(owned_frame&& frame, on_outcome on_done = {}) {
        const std::size_t size = frame.bytes().size();
        if (const errc error = judge_frame(frame.bytes()); error != errc::none) return error;
        if (size <= adopted_limit || frame.memory() - size > size / 8) {
            const errc error = send(raw{frame.bytes()}, on_done);
            if (error == errc::none) frame = {};
            return error;
        }
        detail::entry* owned = detail::entry::make_adopted(std::move(frame), on_done);
        if (owned == nullptr) return errc::out_of_memory;
        detail::errands todo;
        const detail::push_result pushed = push_entry(data_offer(owned->size, on_done), owned, todo);
        if (owned != nullptr) frame = owned->give_back();
        detail::entry::destroy(owned);
        return finish_data(pushed, todo);
    }

    // ---- control

    /// Queues a control frame: a reply from the reader, or make_ping() and the like. A PONG passes PINGs and data, a PING
    /// passes data, each on a frame boundary. A Close is close() with this body and the default drain bound. A PONG that
    /// a newer one replaces (see writer_limits::control_reserve) ends as errc::conflated. Errors: closed, out_of_memory, of a
    /// PING queue_full, of a Close those of close().
    [[nodiscard]] errc send(const control_frame& frame, on_outcome on_done = {}) {
        return send_control(frame.op(), frame.code(), frame.bytes(), on_done);
    }
    /// Queues a PING; its `on_done` comes when the transport took its last byte, which is when a pong timer starts.
    /// Errors: queue_full, closed, out_of_memory, control_payload_too_big (above 125 bytes).
    [[nodiscard]] errc send_ping(const_bytes payload = {}, on_outcome on_done = {}) {
        if (payload.size() > max_control_payload) return errc::control_payload_too_big;
        const detail::offer what{
            .size = encoded_size<Side::self>(payload.size()), .done = on_done, .to = detail::lane_id::ping};
        return push_small(what, [&](mutable_bytes to) { write_frame(side_, to, opcode::ping, payload); });
    }

    // ---- anything

    /// Queues one whole frame of this side as it is. errc::raw_frame_malformed when it is not exactly that.
    [[nodiscard]] errc send(raw frame, on_outcome on_done = {}) {
        const header_parse parsed = parse_header(frame.bytes);
        if (!detail::is_one_whole_frame<Side::self>(parsed, frame.bytes)) return errc::raw_frame_malformed;
        if (is_control(parsed.header.op))
            return send_control(parsed.header.op, close_code_in(parsed, frame.bytes), frame.bytes, on_done);
        if (const errc error = drive_.box.judge_length(parsed.header.payload_size); error != errc::none)
            return error;
        return push_copy(frame.bytes, on_done);
    }
    /// Queues the item, by the function for its kind, whose errors are its own.
    [[nodiscard]] errc send(const outbound& item, on_outcome on_done = {}) {
        return item.visit([&](const auto& kind) { return send_kind(kind, on_done); });
    }

    /// A message in several frames, written as its parts become known: see write/fragmented_message.hpp.
    [[nodiscard]] fragmented_message<single_writer> begin_message(opcode op) {
        return fragmented_message<single_writer>(*this, op);
    }
    /// Holds the schedule hook back for a scope, so that everything sent in it leaves together.
    [[nodiscard]] cork<single_writer> corked() { return cork<single_writer>(*this); }

    // ---- waiting

    /// Calls `on_done` once all data accepted before this call was written (errc::none), or with the reason why not: the
    /// first drop among that data, or the writer's end. Data that is accepted later does not count. A flush costs
    /// entry_overhead of budget: errc::queue_full when the queue is above its bound.
    [[nodiscard]] errc flush(on_outcome on_done) { return queue_mark(on_done, false); }

    /// Waits for the same; a full queue is no obstacle. errc::timed_out, cancelled, would_deadlock (inside a callback of this
    /// writer, or in the thread of its loop), or why not. Needs <wsolo/write/wait.hpp>.
    template <class StopToken = never_stop>
    [[nodiscard]] errc flush(time_point deadline, const StopToken& stop = {}) {
        static_assert(
            requires { sizeof(detail::blocking_waits<Traits>); },
            "flush(deadline) needs <wsolo/write/wait.hpp>");
        return detail::blocking_waits<Traits>::flush(*this, deadline, stop);
    }
    /// send_text and send_binary that wait for room in the budget, first come, first served: until the deadline
    /// (timed_out) or a stop request (cancelled). would_deadlock as flush(). Needs <wsolo/write/wait.hpp>.
    template <class StopToken = never_stop>
    [[nodiscard]] errc send_wait(opcode op, const_bytes payload, time_point deadline,
                                 const StopToken& stop = {}, on_outcome on_done = {}) {
        static_assert(
            requires { sizeof(detail::blocking_waits<Traits>); }, "send_wait() needs <wsolo/write/wait.hpp>");
        return detail::blocking_waits<Traits>::send(*this, op, payload, deadline, stop, on_done);
    }

    // ---- the end

    /// Queues a Close frame after everything accepted so far and seals the writer: later sends answer errc::closed. What
    /// is queued is written within `drain_within` from now (0: no bound), then the transport is finished and the observer
    /// told; neither a cork nor a shut gate holds the bound back. errc::closed when it was closed before;
    /// invalid_close_code and the like for a body that may not be sent.
    [[nodiscard]] errc close(close_code code, std::string_view reason, duration drain_within,
                             on_outcome on_done = {}) {
        const auto frame = drive_.box.locked([&] { return close_frame(code, reason); });
        if (!frame) return frame.error();
        return push_close(code, frame->bytes(), drain_within, on_done);
    }
    [[nodiscard]] errc close(close_code code, std::string_view reason = {}) {
        return close(code, reason, drive_.rules().drain_timeout.get());
    }

    /// Seals, and drops what is queued at the next frame boundary; `why` becomes the report's reason. No Close is sent. A
    /// frame that was begun is finished if the transport takes it within `finish_within`; with 0 only if it takes it at
    /// once (a close's 0 means no bound, this one means now), else it stays partial. The default bound is
    /// writer_timeouts::drain.
    void abort(errc why, duration finish_within) { drive_.abort(why, finish_within); }
    void abort(errc why = errc::aborted) { abort(why, drive_.rules().drain_timeout.get()); }

    // ---- driving

    /// Writes until the queue is empty, the transport would block, or the quantum is used up. Call it when the hook asked,
    /// when the transport became writable, or when a deadline passed. A needless call is harmless. But a call for writability
    /// that finds another thread in pump() (busy) is not remembered: watch writability level-triggered, or re-arm it after
    /// `blocked`. With a write in flight it cancels that write once its deadline passed, and does nothing before.
    pump_result pump() { return drive_.pump(); }

    /// For the thread that pumps, after pump_status::blocked: waits in the transport. False: the deadline passed first.
    [[nodiscard]] bool wait_writable(time_point deadline)
        requires waitable_transport<Transport>
    {
        return drive_.connection().wait_writable(deadline);
    }

    /// While the result lives, this thread counts as the one that pumps: a wait for the writer in this thread answers
    /// would_deadlock. For a loop that calls handlers.
    [[nodiscard]] basic_handler_scope<Traits> loop_scope() noexcept {
        return basic_handler_scope<Traits>(&drive_);
    }

    // ---- asking

    /// The transport, for the code that ends the byte stream (see `byte_stream`), in the thread that pumps. That code writes
    /// nothing to it.
    [[nodiscard]] Transport& connection() noexcept { return drive_.connection(); }

    /// A handle for other threads, which does not keep the writer alive and can't dangle. The first call allocates (24
    /// bytes); without memory the handle answers errc::closed.
    [[nodiscard]] writer_handle<single_writer> handle() {
        return writer_handle<single_writer>(drive_.weak_handle(*this));
    }

    /// What became of everything so far; final once pump() said finished.
    [[nodiscard]] drain_report report() const noexcept { return drive_.box.report(); }
    [[nodiscard]] bool is_finished() const noexcept { return drive_.box.state() == turn_state::finished; }
    /// Whether pump() is owed, by the hook or by writability.
    [[nodiscard]] bool is_pump_owed() const noexcept {
        const turn_state now = drive_.box.state();
        return now == turn_state::scheduled || now == turn_state::parked;
    }
    /// Whether the write in flight, if there is one, was cancelled. For the thread that pumps.
    [[nodiscard]] bool is_write_cancelled() const noexcept
        requires completion_transport<Transport>
    {
        return drive_.is_write_cancelled();
    }
    /// writer_timeouts::min_rate, as it is kept.
    [[nodiscard]] std::uint32_t min_rate() const noexcept { return drive_.rules().min_rate.get(); }
    /// Whether half of both bounds is free.
    [[nodiscard]] bool is_half_free() const noexcept { return drive_.box.is_half_free(); }
    /// Budget in use, overhead included, in bytes.
    [[nodiscard]] std::size_t queued_bytes() const noexcept { return drive_.box.queued_bytes(); }
    /// Data frames that are queued or in flight.
    [[nodiscard]] std::uint32_t queued_frames() const noexcept { return drive_.box.queued_frames(); }

private:
    friend driver;
    friend detail::writer_access;
    friend class init_gate<single_writer>;
    friend class fragmented_message<single_writer>;
    friend class cork<single_writer>;

    single_writer(turn_state first, Transport connection, Schedule hook, const writer_options& options,
                  Side side, Observer observer, Encoder encoder)
        : side_(std::move(side)),
          drive_(std::move(connection), std::move(hook), options, std::move(observer), first,
                 std::move(encoder)) {
        drive_.attach(*this);
    }

    friend driver& driver_of(single_writer& writer) noexcept { return writer.drive_; }

    /// A shared frame up to this size is copied: a reference costs an entry and a part of its own in the write.
    static constexpr std::size_t copied_limit = 512;
    /// An owned frame up to this size is copied, for the same reason. (Control frames are.)
    static constexpr std::size_t adopted_limit = 2048;

    [[nodiscard]] static constexpr bool is_data(opcode op) noexcept {
        return op == opcode::text || op == opcode::binary;
    }
    /// Whether `bytes` are one whole frame, not too long.
    [[nodiscard]] errc judge_frame(const_bytes bytes) const noexcept {
        const header_parse parsed = parse_header(bytes);
        return detail::is_one_whole_frame<Side::self>(parsed, bytes)
                   ? drive_.box.judge_length(parsed.header.payload_size)
                   : errc::raw_frame_malformed;
    }
    /// Of a foreign Close frame; no_status when it carries none (RFC 6455 §7.1.5).
    [[nodiscard]] static close_code close_code_in(const header_parse& parsed, const_bytes frame) noexcept {
        if (parsed.header.op != opcode::close || parsed.header.payload_size < 2) return close_code::no_status;
        std::byte code[2] = {frame[parsed.size], frame[parsed.size + 1]};
        if (parsed.header.masked) apply_mask(mutable_bytes(code), parsed.header.key);
        return static_cast<close_code>(load_be16(code));
    }

    /// Precondition: `to` has exactly encoded_size<Side::self>(payload.size()) bytes.
    template <class AnySide>
    static void write_frame(AnySide& side, mutable_bytes to, frame_spec spec, const_bytes payload) noexcept {
        [[maybe_unused]] const std::size_t written = side.with_keys([&](auto&... keys) {
            return detail::write_frame<Side::self>(to.data(), spec, payload, keys...);
        });
        WSOLO_ASSERT(written == to.size(), "a writer encodes exactly what it reserved");
    }
    result<control_frame> close_frame(close_code code, std::string_view reason) noexcept {
        return side_.with_keys([&](auto&... keys) { return make_close<Side::self>(code, reason, keys...); });
    }

    // An on_outcome goes by reference: a copy as one vector would wait for the two words that were just stored.

    [[nodiscard]] detail::offer data_offer(std::size_t size, const on_outcome& on_done) const noexcept {
        detail::offer what{.size = size, .done = on_done};
        what.may_displace = drive_.rules().when_full != overflow::drop_oldest || drive_.may_displace();
        return what;
    }

    /// Whether a message of this size is queued to be encoded.
    [[nodiscard]] bool encodes(std::size_t payload_size) const noexcept {
        if constexpr (Encoder::encodes) return payload_size != 0 && drive_.encoder().wants(payload_size);
        return false;
    }
    static detail::entry* as_plain(detail::entry* made, bool is_plain = true) noexcept {
        if (made != nullptr && is_plain) made->kind = detail::entry_kind::encodable;
        return made;
    }
    /// A message that may be encoded.
    errc send_plain(opcode op, const_bytes payload, const on_outcome& on_done) {
        detail::offer what = data_offer(encoded_size<Side::self>(payload.size()), on_done);
        what.is_encodable = true;
        detail::errands todo;
        const auto make = [&](detail::entry* kept) {
            return as_plain(encode_apart(op, payload, on_done, kept));
        };
        return finish_data(push_frame(what, [](mutable_bytes) {}, make, todo), todo);
    }

    errc send_message(opcode op, const_bytes payload, const on_outcome& on_done) {
        if (const errc error = drive_.box.judge_length(payload.size()); error != errc::none) return error;
        if (encodes(payload.size())) return send_plain(op, payload, on_done);
        return send_as_is(op, payload, on_done);
    }
    errc send_as_is(opcode op, const_bytes payload, const on_outcome& on_done) {
        return push_data(
            encoded_size<Side::self>(payload.size()), on_done,
            [&](mutable_bytes to) { write_frame(side_, to, op, payload); },
            [&](detail::entry* kept) { return encode_apart(op, payload, on_done, kept); });
    }

    /// A frame that encode() writes under the lock, or, if it must own its memory, make() outside of it.
    template <class Encode, class Make>
    detail::push_result push_frame(const detail::offer& what, Encode encode, Make make,
                                   detail::errands& todo) {
        detail::entry* owned = nullptr;
        const detail::push_result pushed = drive_.box.push(what, owned, encode, make, todo);
        detail::entry::destroy(owned);
        return pushed;
    }
    static detail::entry* no_entry(detail::entry*) noexcept { return nullptr; }
    /// An entry that owns its memory. What was not taken over stays the caller's.
    detail::push_result push_entry(const detail::offer& what, detail::entry*& owned, detail::errands& todo) {
        return drive_.box.push(what, owned, [](mutable_bytes) {}, no_entry, todo);
    }

    /// A data frame of `size` bytes: written by encode() under the lock, or made by make() outside of it.
    template <class Encode, class Make>
    errc push_data(std::size_t size, const on_outcome& on_done, Encode encode, Make make) {
        detail::wake owed{};
        detail::queue* work = nullptr;
        if (!drive_.box.try_follow_or_stay_locked(size, on_done, encode, owed, work))
            return push_data_locked(size, on_done, encode, make, work);
        drive_.rouse(owed);
        return errc::none;
    }
    /// Not inlined: a broadcast of small messages copies them.
    [[gnu::noinline]] errc push_reference(const shared_frame& frame, bool is_encodable,
                                          const on_outcome& on_done) {
        const detail::offer what = data_offer(frame.bytes().size(), on_done);
        if (const errc full = drive_.box.admits(what); full != errc::none) return refuse_data(full);
        detail::entry* owned = as_plain(detail::entry::make_shared(frame, on_done), is_encodable);
        return owned == nullptr ? errc::out_of_memory : queue_owned(what, owned);
    }
    /// A copy of a whole frame.
    errc push_copy(const_bytes frame, const on_outcome& on_done) {
        return push_data(
            frame.size(), on_done, [&](mutable_bytes to) { std::memcpy(to.data(), frame.data(), to.size()); },
            [&](detail::entry* kept) { return detail::entry::make_copy(frame, on_done, kept); });
    }
    /// The same, with the outbox's lock held, which it gives back. Not inlined: it is not what most sends do.
    template <class Encode, class Make>
    [[gnu::noinline]] errc push_data_locked(std::size_t size, const on_outcome& on_done, Encode& encode,
                                            Make& make, detail::queue* work) {
        detail::entry* owned = nullptr;
        detail::errands todo;
        const detail::push_result pushed =
            drive_.box.push_locked(data_offer(size, on_done), owned, encode, make, todo, work);
        detail::entry::destroy(owned);
        return finish_data(pushed, todo);
    }
    errc queue_owned(const detail::offer& what, detail::entry* owned) {
        detail::errands todo;
        const detail::push_result pushed = push_entry(what, owned, todo);
        detail::entry::destroy(owned);
        return finish_data(pushed, todo);
    }
    detail::push_result push_part(frame_spec spec, const_bytes part, detail::message_part which,
                                  const on_outcome& on_done, detail::errands& todo) {
        detail::offer what = data_offer(encoded_size<Side::self>(part.size()), on_done);
        what.part = which;
        const auto encode = [&](mutable_bytes to) { write_frame(side_, to, spec, part); };
        const auto make = [&](detail::entry* kept) { return encode_apart(spec, part, on_done, kept); };
        return push_frame(what, encode, make, todo);
    }
    /// Small frames that no full queue costs the connection.
    template <class Encode>
    errc push_small(detail::offer what, Encode encode) {
        // One without an outcome displaces at once: no callback can make a chain of it.
        what.may_displace = !what.done || drive_.may_displace();
        detail::errands todo;
        return drive_.after(push_frame(what, encode, no_entry, todo), todo);
    }

    /// The rest of every push of data: a full queue may cost the connection.
    errc finish_data(const detail::push_result& pushed, detail::errands& todo) {
        drive_.after(pushed, todo);
        return refuse_data(pushed.error);
    }
    errc refuse_data(errc error) {
        if (error == errc::queue_full && drive_.rules().when_full == overflow::disconnect)
            abort(errc::queue_full, duration::zero());
        return error;
    }

    /// Encodes into memory of its own, or that of `kept`, with no lock held.
    detail::entry* encode_apart(frame_spec spec, const_bytes payload, const on_outcome& on_done,
                                detail::entry* kept = nullptr) {
        const std::size_t size = encoded_size<Side::self>(payload.size());
        detail::entry* owned = detail::entry::make_own(size, on_done, kept);
        if (owned == nullptr) return nullptr;
        if constexpr (masks(Side::self)) {
            auto own_side = drive_.box.locked([&] { return side_.for_one_frame(); });
            write_frame(own_side, owned->writable(), spec, payload);
        } else {
            write_frame(side_, owned->writable(), spec, payload);
        }
        return owned;
    }

    errc send_control(opcode op, close_code code, const_bytes frame, const on_outcome& on_done) {
        if (op == opcode::close) return push_close(code, frame, drive_.rules().drain_timeout.get(), on_done);
        if (op != opcode::ping && op != opcode::pong)
            return errc::raw_frame_malformed; // an empty control_frame
        const detail::lane_id to = op == opcode::ping ? detail::lane_id::ping : detail::lane_id::pong;
        return push_small({.size = frame.size(), .done = on_done, .to = to},
                          [&](mutable_bytes at) { std::memcpy(at.data(), frame.data(), at.size()); });
    }

    errc push_close(close_code code, const_bytes frame, duration drain_within, const on_outcome& on_done) {
        const duration bound = drain_within == duration::zero() ? (duration::max)() : drain_within;
        const detail::closing close{code, deadline_after(Traits::clock::now(), bound)};
        detail::errands todo;
        const auto copy = [&](mutable_bytes to) { std::memcpy(to.data(), frame.data(), to.size()); };
        const detail::push_result pushed =
            push_frame({.size = frame.size(), .done = on_done, .close = &close}, copy, no_entry, todo);
        return drive_.after(pushed, todo);
    }

    errc send_waiting(opcode op, const_bytes payload, const on_outcome& on_done,
                      detail::room_waiter* waiter) {
        if (const errc error = drive_.box.judge_length(payload.size()); error != errc::none) return error;
        detail::offer what = data_offer(encoded_size<Side::self>(payload.size()), on_done);
        what.waiter = waiter;
        what.is_encodable = encodes(payload.size());
        detail::errands todo;
        const auto encode = [&](mutable_bytes to) { write_frame(side_, to, op, payload); };
        const auto make = [&](detail::entry* kept) {
            return as_plain(encode_apart(op, payload, on_done, kept), what.is_encodable);
        };
        return drive_.after(push_frame(what, encode, make, todo), todo);
    }

    errc queue_mark(const on_outcome& on_done, bool is_awaited) {
        detail::entry* mark = detail::entry::make_mark(on_done);
        if (mark == nullptr) return errc::out_of_memory;
        detail::errands todo;
        const detail::push_result pushed =
            push_entry({.done = on_done, .is_mark = true, .is_awaited = is_awaited}, mark, todo);
        detail::entry::destroy(mark);
        return drive_.after(pushed, todo);
    }

    errc send_kind(const raw& item, const on_outcome& on_done) { return send(item, on_done); }
    errc send_kind(const text& item, const on_outcome& on_done) { return send_text(item.payload, on_done); }
    errc send_kind(const binary& item, const on_outcome& on_done) {
        return send_binary(item.payload, on_done);
    }
    errc send_kind(const shared& item, const on_outcome& on_done) {
        if constexpr (Side::self == role::server)
            return send(item.frame, on_done);
        else
            return errc::raw_frame_malformed; // unmasked, so not a frame of this side
    }

    [[no_unique_address]] Side side_;
    mutable driver drive_; ///< report() and the like take its lock
};

} // namespace wsolo::inline WSOLO_ABI
