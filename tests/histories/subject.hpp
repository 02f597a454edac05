#pragma once
// What a history does to a writer, and what the writer does to its surroundings, in words of the histories'
// own: the generator, the oracle and the runners know nothing else of the writer under test.
//
// Laws of this file:
// - Plain values and virtual functions; subjects_*.cpp translate them into the public API, and only they name
//   it.
// - A subject outlives its writer: destroy() ends the writer, everything else then answers `closed`.

#include <wsolo/core/error.hpp>

#include <chrono>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace histories {

using errc = wsolo::errc;
using part = std::span<const std::byte>;
using time_point = std::chrono::steady_clock::time_point;
using span_of_time = std::chrono::steady_clock::duration;

enum class drive { deferred, inline_, threaded };
enum class policy { reject, drop_oldest, disconnect };

/// How its messages are compressed.
struct compressing {
    enum mode_of : std::uint8_t { none, shared, own, alone };
    mode_of mode = none;
    std::uint8_t window_bits = 15;
    std::uint8_t memory_level = 8;
    std::uint32_t kept_window = 2048;
    std::uint32_t min_size = 0;

    /// Bytes that a frame may have more than it had: a stream of its own goes on where a message does not shrink.
    [[nodiscard]] std::size_t growth() const noexcept { return mode == own ? 128 + 6 : 0; }
};

/// What both sides have agreed on, as one of them sees it.
struct agreement {
    compressing mine, peers;
    bool splits = false; ///< what it receives comes in smaller frames than were sent

    /// Both do, each in its way, or neither.
    [[nodiscard]] bool compresses() const noexcept { return mine.mode != compressing::none; }
};

/// How the writer under test is made.
struct making {
    bool client = false;
    drive how = drive::deferred;
    bool completes = false; ///< a transport whose writes end later
    bool gated = false;
    policy when_full = policy::reject;
    std::size_t max_bytes = 4096;
    std::uint32_t max_frames = 64;
    std::uint16_t control_reserve = 4;
    std::uint8_t high_water = 75, low_water = 25;
    std::uint32_t quantum_bytes = 1 << 20;
    std::uint16_t quantum_frames = 16'384;
    std::chrono::milliseconds write_timeout{1000}, drain_timeout{500};
    std::uint32_t min_rate = 1024;
    compressing compression{};
};

/// What the transport did with a write.
enum class taken : std::uint8_t { ok, would_block, timed_out, failed, throws };
struct io {
    taken how = taken::ok;
    std::size_t bytes = 0;
    int error = 0;
};

/// Whom an operation tells.
struct ask {
    void (*call)(void* context, errc outcome) noexcept = nullptr;
    void* context = nullptr;
};

/// While a coroutine tells what was refused: no callback of the writer is under way then.
inline thread_local bool told_by_caller = false;

struct totals {
    std::uint64_t frames_written = 0, frames_dropped = 0, frames_replaced = 0;
    std::uint64_t bytes_written = 0, bytes_dropped = 0, bytes_replaced = 0;
    bool partial_frame = false;
    errc reason = errc::none;
    bool clean = false;
    unsigned close = 0;
};

enum class left : std::uint8_t { idle, blocked, more, busy, finished };
struct pumped {
    left status = left::idle;
    time_point deadline = time_point::max();
};

enum class kind_of_send : std::uint8_t {
    text,
    binary,
    keyed,
    shared,
    raw,
    variant, ///< text, by the variant of everything that can be sent
    ping,    ///< a control frame
    pong,    ///< a control frame
    told_ping,
    waits,
    secret, ///< text that is never compressed
};

struct sending {
    kind_of_send kind = kind_of_send::text;
    std::string_view payload; ///< of raw: the whole frame
    std::uint64_t key = 0;    ///< of keyed
    time_point deadline{};    ///< of waits
};

/// What the writer calls. Called in the middle of its work.
class surroundings {
public:
    surroundings() = default;
    surroundings(const surroundings&) = delete;
    surroundings& operator=(const surroundings&) = delete;
    virtual ~surroundings() = default;

    /// A transport whose writes end at once takes some of the parts.
    virtual io write(std::span<const part> parts, time_point deadline) = 0;
    /// One whose writes end later: they end by subject::complete(). The parts stay where they are until then.
    virtual void start_write(std::span<const part> parts, time_point deadline) = 0;
    virtual void cancel_write() = 0;
    virtual bool wait_writable(time_point deadline) = 0;
    virtual void finish(bool drained) = 0;
    /// False, or throwing: refused.
    virtual bool hook() = 0;
    virtual void on_finished(const totals& report) = 0;
    virtual void on_high_water() = 0;
    virtual void on_low_water() = 0;
    /// A message was compressed, or could not be: the writer holds what that takes.
    virtual void on_encoded() {}
};

/// One writer, and what belongs to it: messages, corks, handles in numbered places, and the gate.
class subject {
public:
    subject() = default;
    subject(const subject&) = delete;
    subject& operator=(const subject&) = delete;
    virtual ~subject() = default;

    static constexpr std::size_t places = 4; ///< of each kind

    [[nodiscard]] virtual errc send(const sending& what, ask whom) = 0;
    [[nodiscard]] virtual errc begin_message(std::size_t place, bool text) = 0;
    [[nodiscard]] virtual errc write_part(std::size_t place, std::string_view payload, ask whom) = 0;
    [[nodiscard]] virtual errc finish_message(std::size_t place, std::string_view payload, ask whom) = 0;
    virtual void drop_message(std::size_t place, bool truncate) = 0;

    [[nodiscard]] virtual errc close(unsigned code, std::string_view reason, span_of_time within,
                                     ask whom) = 0;
    virtual void abort(span_of_time within) = 0;

    [[nodiscard]] virtual errc flush(ask whom) = 0;
    [[nodiscard]] virtual errc flush_until(time_point deadline) = 0;
    /// In a coroutine, which tells `whom` in any case: also what was refused (see told_by_caller).
    virtual void flush_in_coroutine(ask whom) = 0;
    /// The same with a send, and its outcome.
    virtual void send_in_coroutine(std::string_view payload, ask whom) = 0;

    /// In a coroutine, with a send that throws. True: the coroutine caught that, and nothing else happened.
    [[nodiscard]] virtual bool send_that_throws() = 0;

    virtual void cork(std::size_t place) = 0;
    virtual void uncork(std::size_t place) = 0;

    [[nodiscard]] virtual errc acknowledge(std::string_view bytes) = 0;
    [[nodiscard]] virtual errc bound_gate(time_point deadline) = 0;
    virtual void open_gate() = 0;
    virtual void reject_gate() = 0;
    virtual void drop_gate() = 0;

    virtual pumped pump() = 0;
    /// Ends a started write. After the writer's death too.
    virtual void complete(io how) = 0;
    /// The completion of a started write is lost.
    virtual void lose() = 0;

    virtual void take_handle(std::size_t place) = 0;
    virtual void drop_handle(std::size_t place) = 0;
    [[nodiscard]] virtual errc send_by_handle(std::size_t place, std::string_view payload, ask whom) = 0;
    [[nodiscard]] virtual errc close_by_handle(std::size_t place) = 0;
    virtual void abort_by_handle(std::size_t place) = 0;
    [[nodiscard]] virtual errc flush_by_handle(std::size_t place, ask whom) = 0;

    virtual void destroy() = 0;
    [[nodiscard]] virtual bool is_alive() const = 0;

    [[nodiscard]] virtual totals report() const = 0;
    [[nodiscard]] virtual bool is_finished() const = 0;
    [[nodiscard]] virtual std::size_t queued_bytes() const = 0;
    [[nodiscard]] virtual std::uint32_t queued_frames() const = 0;
    /// Bytes that its compression holds, which the budget does not count.
    [[nodiscard]] virtual std::size_t compression_bytes() const = 0;
};

/// For histories of one thread: time, sleep and the thread's own word are the history's (see lone_thread).
[[nodiscard]] std::unique_ptr<subject> make_lone_subject(const making& how, surroundings& around);
/// For histories of several threads: everything is real, and the scheduler is disturbed.
[[nodiscard]] std::unique_ptr<subject> make_shared_subject(const making& how, surroundings& around);

/// What a lone thread meets instead of the machine's clock and condition variables.
class lone_thread {
public:
    lone_thread() = default;
    lone_thread(const lone_thread&) = delete;
    lone_thread& operator=(const lone_thread&) = delete;
    virtual ~lone_thread() = default;

    /// False: the deadline passed. `sleeper` names the condition variable.
    virtual bool sleep(const void* sleeper, time_point deadline) = 0;
    virtual void wake(const void* sleeper) = 0;

    inline static lone_thread* current = nullptr;
    inline static time_point now{std::chrono::hours(1)};
    inline static void** word = nullptr; ///< the running thread's own
};

} // namespace histories
