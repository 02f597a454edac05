// SPDX-License-Identifier: MIT
#pragma once
// What the writer needs of a connection: one gather write and one way to end it. A transport takes about ten lines. A write
// is over when the call returns or, in the second form, when the transport says so later.
//
// Laws of this file:
// - `transferred` counts bytes that the transport took, whatever the status: a failure after 3 bytes says 3.
// - write, start_write, cancel_write and finish are called by one thread at a time, the thread whose turn it is, and never
//   under a lock. wait_writable() and connection() need no turn.
// - The bytes of a started write stay where they are until its write_done was called or destroyed.

#include "../core/bytes.hpp"
#include "../core/detail/exchange.hpp"
#include "../sync/traits.hpp"
#include "report.hpp"

#include <concepts>
#include <utility>

namespace wsolo::inline WSOLO_ABI {

/// How a write ended. `ok` took at least one byte.
enum class io_status : std::uint8_t { ok, would_block, timed_out, failed };

/// What a write did. `error` is the transport's own code (errno, say), only for logs.
struct [[nodiscard]] io_result {
    /// How it went; bytes taken, where that is `ok`; and the transport's own code, for the report.
    io_status status = io_status::failed;
    std::size_t transferred = 0;
    int error = 0;
};

/// How a writer ended, as its transport is told.
enum class end_of_write : std::uint8_t {
    drained, ///< a Close was the last thing written; the stream goes on until its owner ends it (endpoint/stream_end.hpp)
    failed, ///< a write failed, or took too long: nothing more can be written, the peer's bytes can still be read
    aborted, ///< the connection is to go: a transport that can ends both directions, so that a blocked reader wakes
};

/// What the transport of a writer with this report is told.
[[nodiscard]] constexpr end_of_write end_as(const drain_report& report) noexcept {
    if (report.ends_with_close()) return end_of_write::drained;
    switch (report.reason) {
    case errc::write_failed:
    case errc::write_timed_out:
    case errc::drain_timed_out: return end_of_write::failed;
    default: return end_of_write::aborted;
    }
}

/// A connection's write side.
/// - `write(parts, deadline)`: writes from the parts, in order, as one gather write. It may take fewer bytes
///   than offered. A non-blocking transport ignores the deadline and answers would_block; a blocking one
///   waits until the deadline and answers timed_out. The parts are valid during the call only; there is at
///   least one, none is empty.
/// - `finish(why)`: called exactly once, as the writer's last call. Only `aborted` asks the transport to do something. (A
///   connection whose handshake failed had no writer: then only disconnect() is called.)
template <class T>
concept transport = requires(T& connection, std::span<const const_bytes> parts, time_point deadline) {
    { connection.write(parts, deadline) } -> std::same_as<io_result>;
    { connection.finish(end_of_write::drained) } -> std::same_as<void>;
};

/// Whether a transport says that its write() returns at once: `static constexpr bool never_waits = true`. Then a write that leaves
/// nothing costs no look at a clock; one that leaves something has its time from then on. Its first try is given no_deadline, unless
/// a close or an abort has a bound: a write() that waits all the same is bounded by nothing. A class that derives from such a
/// transport, and waits, says false.
template <class T>
inline constexpr bool never_waits = false;
template <class T>
    requires(T::never_waits)
inline constexpr bool never_waits<T> = true;

/// A transport whose byte stream can be ended in two steps, by the owner of the connection (an endpoint, or the user of a
/// stream_end) and after the writer's finish(), in the thread that pumps:
/// - `end_output()`: our FIN. The peer's bytes can still be read. At most once.
/// - `disconnect()`: both directions end. At most once, as the last call. But if cancel_write() did not end a write in flight,
///   disconnect() comes before finish(), and ends that write by its `done`.
/// It may have `unsent()` as well: how many bytes it took that the peer has not acknowledged yet. Then a peer that takes
/// what lies in the system's buffer is known to be alive.
template <class T>
concept byte_stream = requires(T& connection) {
    { connection.end_output() } -> std::same_as<void>;
    { connection.disconnect() } -> std::same_as<void>;
};

/// A transport that can also wait until it is writable: what the threaded drive needs of a non-blocking one. False when the
/// deadline passed first. It only waits: another thread may write or finish meanwhile.
template <class T>
concept waitable_transport = transport<T> && requires(T& connection, time_point deadline) {
    { connection.wait_writable(deadline) } -> std::same_as<bool>;
};

namespace detail {

/// What a write_done reports to.
struct write_target {
    void (*over)(write_target& self, const io_result& how) noexcept;
};

} // namespace detail

/// Call it once, from any thread, when a started write is over. It may be called inside start_write(), and after the writer
/// was destroyed, when it does nothing. If it is destroyed uncalled the write counts as `failed`. Move-only. 8 bytes.
class [[nodiscard]] write_done {
public:
    write_done() = default;
    explicit write_done(detail::write_target& to) noexcept : to_(&to) {}
    write_done(write_done&& other) noexcept : to_(detail::exchange(other.to_, nullptr)) {}
    write_done& operator=(write_done&& other) noexcept {
        if (this != &other) {
            if (to_ != nullptr) (*this)({});
            to_ = detail::exchange(other.to_, nullptr);
        }
        return *this;
    }
    ~write_done() {
        if (to_ != nullptr) (*this)({});
    }

    /// `how.status`: ok (at least one byte), timed_out or failed. Calls the writer's hook, or writes on where the drive is
    /// inline.
    void operator()(const io_result& how) noexcept {
        WSOLO_ASSERT(to_ != nullptr, "a write_done is called once");
        detail::write_target& to = *detail::exchange(to_, nullptr);
        to.over(to, how);
    }

    /// A pointer for C interfaces: io_uring's user_data, libuv's `data`. The code that holds it must call adopt().
    [[nodiscard]] void* release() noexcept { return detail::exchange(to_, nullptr); }
    [[nodiscard]] static write_done adopt(void* released) noexcept {
        return write_done(*static_cast<detail::write_target*>(released));
    }

private:
    detail::write_target* to_ = nullptr;
};

/// A connection whose writes end later (Asio, io_uring, libuv, IOCP).
/// - `start_write(parts, deadline, done)`: starts one gather write from the parts, in order. The span is valid
///   during the call only, the bytes that it names until `done`. A transport that can bound a write itself
///   ends it at the deadline with timed_out; another ignores the deadline, and pump() cancels.
/// - `cancel_write()`: the write in flight is to end soon, by its `done`, with what it took. Called at most once for each
///   write. It may do nothing; then the writer waits, and an endpoint calls disconnect().
/// - `finish(why)`: as a transport's, with no write in flight, but for a writer that is destroyed with one.
template <class T>
concept completion_transport =
    requires(T& connection, std::span<const const_bytes> parts, time_point deadline, write_done done) {
        { connection.start_write(parts, deadline, std::move(done)) } -> std::same_as<void>;
        { connection.cancel_write() } -> std::same_as<void>;
        { connection.finish(end_of_write::drained) } -> std::same_as<void>;
    };

/// What single_writer takes.
template <class T>
concept any_transport = transport<T> || completion_transport<T>;

} // namespace wsolo::inline WSOLO_ABI
