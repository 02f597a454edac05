#pragma once
// The only way to a connection's write side. Any thread sends; one thread at a time, the holder of the write
// token, writes whole frames, coalesced, each with a deadline of its own; close() drains within a bound and
// reports.
//
// Laws of this file:
// - After construction nothing else can reach the transport: replies and Close go through the same queue.
// - send() never waits for the transport: it queues, or says why not, and a rejected item is still the
// caller's.
// - The schedule hook is called once per idle-to-busy transition, outside any lock; pump() is what it owes.
// - A write's deadline is computed when that write starts, never inherited; after an error nothing follows.

#include "../frame/check.hpp"
#include "detail/attempt.hpp"
#include "outbound.hpp"
#include "outbox.hpp"
#include "side.hpp"

#include <concepts>

namespace wsolo::inline WSOLO_ABI {

/// What pump() left behind.
enum class pump_status : std::uint8_t {
    idle,     ///< everything is written; the next send calls the hook
    blocked,  ///< the transport would block: pump() again when it is writable, or at `deadline`
    more,     ///< the quantum is used up; the hook was called again
    busy,     ///< another thread is inside pump(): nothing to do here
    finished, ///< over: see report()
};

/// `deadline` counts where the status is blocked, and may be no_deadline.
struct [[nodiscard]] pump_result {
    pump_status status = pump_status::idle;
    time_point deadline = no_deadline;
};

/// An observer that wants to know nothing. One of your own may have any of the functions that single_writer
/// names.
struct no_observer {};

/// Called to have pump() run soon, on whichever thread may write. Answers false (or nothing: void) to refuse.
template <class Hook>
concept schedule_hook = std::invocable<Hook&>;

/// See the file's laws. `Transport` is owned; `Schedule` is the hook; `Side` is server_side or client_side<>;
/// `Observer` may have `on_finished(const drain_report&)`, called once, by the pumping thread, with no lock
/// held. Thread safety: everything but construction and destruction. The destructor aborts (errc::aborted)
/// what is left; no other thread may be inside a call then. Idle it owns no heap block, mutex or thread.
template <transport Transport, schedule_hook Schedule, class Side = server_side, class Observer = no_observer,
          class Traits = std_traits>
class single_writer {
public:
    explicit single_writer(Transport connection, Schedule schedule, const writer_options& options = {},
                           Side side = {}, Observer observer = {})
        : box_(options.limits),
          settings_(options),
          transport_(std::move(connection)),
          schedule_(std::move(schedule)),
          side_(std::move(side)),
          observer_(std::move(observer)) {}

    single_writer(const single_writer&) = delete;
    single_writer& operator=(const single_writer&) = delete;

    ~single_writer() {
        if (box_.seize()) static_cast<void>(end({}, {.reason = errc::aborted}));
    }

    /// Queues a message; `payload` may be reused at once. errc::none: accepted, and counted in the drain
    /// report. Otherwise nothing happened: queue_full (try later), too_large (never), closed, out_of_memory.
    /// O(n).
    [[nodiscard]] errc send_text(std::string_view payload) {
        return send_message(opcode::text, bytes_of(payload));
    }
    [[nodiscard]] errc send_binary(const_bytes payload) { return send_message(opcode::binary, payload); }

    /// Queues a control frame: a reply from the reader, or make_ping() and the like. A PONG passes PINGs and
    /// data, a PING passes data, each on a frame boundary. A Close is close() with this body and the default
    /// drain bound.
    [[nodiscard]] errc send(const control_frame& frame) { return send(raw{frame.bytes()}); }

    /// Queues a reference to an encoded frame: above 2 KiB no byte is copied, below it a copy is cheaper.
    [[nodiscard]] errc send(const shared_frame& frame) {
        static_assert(Side::self == role::server,
                      "a client's frames each need a key of their own: send the payload");
        if (!frame) return errc::raw_frame_malformed;
        const const_bytes bytes = frame.bytes();
        if (bytes.size() <= detail::inline_limit) return send(raw{bytes});
        return push_segment(bytes.size(), [&] { return detail::segment::make_shared(frame); });
    }

    /// Queues one whole frame as it is. errc::raw_frame_malformed when it is not exactly that.
    [[nodiscard]] errc send(raw frame) {
        const header_parse parsed = parse_header(frame.bytes);
        if (!is_one_whole_frame(parsed, frame.bytes)) return errc::raw_frame_malformed;
        const auto copy = [&](mutable_bytes to) { std::memcpy(to.data(), frame.bytes.data(), to.size()); };
        switch (parsed.header.op) {
        case opcode::close:
            return drive(
                box_.push_close(frame.bytes.size(), drain_deadline(settings_.drain_timeout.get()), copy));
        case opcode::ping: return drive(box_.push_small(detail::lane_id::ping, frame.bytes.size(), copy));
        case opcode::pong: return drive(box_.push_small(detail::lane_id::pong, frame.bytes.size(), copy));
        default: return push_data(frame.bytes.size(), copy, copy);
        }
    }

    /// Queues whichever it is.
    [[nodiscard]] errc send(const outbound& item) {
        return std::visit([this](const auto& kind) { return this->send_kind(kind); }, item);
    }

    /// Queues a Close frame behind everything accepted so far and seals the writer: later sends answer
    /// errc::closed. What is queued is written within `drain_within` from now, then the transport is finished
    /// and the observer told. errc::closed when it was closed before; invalid_close_code and the like for a
    /// body that may not be sent.
    [[nodiscard]] errc close(close_code code, std::string_view reason, duration drain_within) {
        const auto frame = box_.locked([&] { return side_.close(code, reason); });
        if (!frame) return frame.error();
        const const_bytes bytes = frame->bytes();
        return drive(box_.push_close(bytes.size(), drain_deadline(drain_within), [&](mutable_bytes to) {
            std::memcpy(to.data(), bytes.data(), to.size());
        }));
    }
    [[nodiscard]] errc close(close_code code, std::string_view reason = {}) {
        return close(code, reason, settings_.drain_timeout.get());
    }

    /// Seals, and drops what is queued at the next frame boundary; `why` becomes the report's reason. No
    /// Close is sent.
    void abort(errc why = errc::aborted) {
        if (box_.abort(why)) schedule();
    }

    /// Writes until the queue is empty, the transport would block, or the quantum is used up. Call it when
    /// the hook asked, when the transport became writable, or when a deadline passed; a call too many is
    /// harmless.
    pump_result pump() {
        if (!box_.begin()) return {standing()};
        return run();
    }

    /// For the thread that pumps, after pump_status::blocked: waits in the transport. False: the deadline
    /// passed first.
    [[nodiscard]] bool wait_writable(time_point deadline)
        requires waitable_transport<Transport>
    {
        return transport_.wait_writable(deadline);
    }

    /// What became of everything so far; final once pump() said finished.
    [[nodiscard]] drain_report report() const noexcept { return box_.report(); }
    [[nodiscard]] bool finished() const noexcept { return box_.state() == token::finished; }
    /// Whether pump() is owed, by the hook or by writability.
    [[nodiscard]] bool wants_write() const noexcept {
        const token held = box_.state();
        return held == token::scheduled || held == token::parked;
    }
    /// Budget in use, overhead included, in bytes.
    [[nodiscard]] std::size_t queued_bytes() const noexcept { return box_.held_bytes(); }

private:
    using clock = typename Traits::clock;

    // ---- the senders' half
    // -------------------------------------------------------------------------------------

    errc send_kind(const raw& item) { return send(item); }
    errc send_kind(const text& item) { return send_text(item.payload); }
    errc send_kind(const binary& item) { return send_binary(item.payload); }
    errc send_kind(const shared& item) {
        if constexpr (Side::self == role::server)
            return send(item.frame);
        else
            return errc::raw_frame_malformed; // unmasked, so not a frame of this side
    }

    errc send_message(opcode op, const_bytes payload) {
        return push_data(
            encoded_size<Side::self>(payload.size()),
            [&](mutable_bytes to) { side_.encode(to, op, payload); },
            [&](mutable_bytes to) {
                auto encoder = box_.locked([&] { return side_.for_one_frame(); });
                encoder.encode(to, op, payload);
            });
    }

    /// `encode` runs under the lock for a small frame, `encode_outside` without it for a large one.
    template <class Encode, class EncodeOutside>
    errc push_data(std::size_t size, Encode encode, EncodeOutside encode_outside) {
        if (size <= detail::inline_limit) return drive(box_.push_small(detail::lane_id::data, size, encode));
        return push_segment(size, [&] {
            detail::segment* whole = detail::segment::make_whole(size);
            if (whole != nullptr) encode_outside(whole->writable());
            return whole;
        });
    }

    template <class Make>
    errc push_segment(std::size_t size, Make make) {
        if (const errc full = box_.admits(size); full != errc::none)
            return full; // before the work, and again after it
        detail::segment* whole = make();
        if (whole == nullptr) return errc::out_of_memory;
        const detail::push_result pushed = box_.push_whole(whole);
        if (pushed.error != errc::none) detail::segment::destroy(whole);
        return drive(pushed);
    }

    errc drive(detail::push_result pushed) {
        if (pushed.drive) schedule();
        return pushed.error;
    }

    void schedule() {
        if (hook_accepts()) return;
        if (box_.begin()) static_cast<void>(end({}, {.reason = errc::schedule_refused}));
    }

    bool hook_accepts() {
        if constexpr (std::convertible_to<std::invoke_result_t<Schedule&>, bool>) {
            return static_cast<bool>(schedule_());
        } else {
            schedule_();
            return true;
        }
    }

    static bool is_one_whole_frame(const header_parse& parsed, const_bytes bytes) noexcept {
        if (parsed.status != parse_status::complete) return false;
        const frame_header& header = parsed.header;
        return check_first_two(bytes[0], bytes[1], peer_of(Side::self), rsv1_bit) == errc::none &&
               check_length(parsed.length_field, header.payload_size) == errc::none && header.fin &&
               header.op != opcode::continuation && header.payload_size == bytes.size() - parsed.size;
    }

    [[nodiscard]] time_point drain_deadline(duration within) const noexcept {
        return deadline_after(clock::now(), within);
    }

    // ---- the owner's half
    // --------------------------------------------------------------------------------------

    pump_result standing() const noexcept {
        switch (box_.state()) {
        case token::pumping: return {pump_status::busy};
        case token::finished: return {pump_status::finished};
        default: return {pump_status::idle};
        }
    }

    /// Holds the token: it leaves by being released, parked, handed over or finished.
    pump_result run() {
        detail::attempt last;
        for (std::size_t written = 0;; written += last.written) {
            detail::workload* idle = nullptr;
            const detail::next_step step = box_.next(last.done, idle);
            switch (step) {
            case detail::next_step::released: detail::workload::destroy(idle); return {pump_status::idle};
            case detail::next_step::drained: return end({}, {});
            case detail::next_step::aborted: return end({}, {.reason = errc::aborted});
            default: break;
            }
            if (written >= settings_.pump_quantum) {
                box_.hand_over();
                schedule();
                return {pump_status::more};
            }
            last = detail::attempt_write<Traits>(transport_, *box_.work(), settings_,
                                                 step == detail::next_step::write_begun_frame);
            if (last.error != errc::none) return end(last.done, last.failure());
            if (last.blocked) {
                pump_result parked{pump_status::blocked};
                if (box_.park(last.done, parked.deadline)) return parked;
                last.done = {};
            }
        }
    }

    /// Holds the token, for the last time.
    pump_result end(const detail::progress& done, const drain_report& how) {
        detail::workload* rest = nullptr;
        const drain_report report = box_.finish(done, how, rest);
        detail::workload::destroy(rest);
        transport_.finish(report.clean() ? end_of_write::drained : end_of_write::broken);
        if constexpr (requires { observer_.on_finished(report); }) observer_.on_finished(report);
        return {pump_status::finished};
    }

    [[no_unique_address]] mutable detail::outbox<Traits> box_;
    detail::settings settings_;
    Transport transport_;
    Schedule schedule_;
    [[no_unique_address]] Side side_;
    [[no_unique_address]] Observer observer_;
};

} // namespace wsolo::inline WSOLO_ABI
