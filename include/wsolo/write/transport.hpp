#pragma once
// What the writer needs of a connection: one gather write and one way to end it. Small enough to write in ten
// lines.
//
// Laws of this file:
// - `transferred` counts bytes that the transport took, whatever the status: a failure after 3 bytes says 3.
// - A transport is called by one thread at a time, the owner of the write token, and never under a lock.

#include "../core/bytes.hpp"
#include "../sync/traits.hpp"

#include <concepts>

namespace wsolo::inline WSOLO_ABI {

/// How a write ended. There is no "zero bytes, but fine": `ok` took at least one byte.
enum class io_status : std::uint8_t { ok, would_block, timed_out, failed };

/// What a write did. `error` is the transport's own code (errno, say), only for logs.
struct [[nodiscard]] io_result {
    io_status status = io_status::failed;
    std::size_t transferred = 0;
    int error = 0;
};

/// Why the writer ends a transport: everything accepted was written, or something broke or was dropped.
enum class end_of_write : std::uint8_t { drained, broken };

/// A connection's write side.
/// - `write(parts, deadline)`: writes from the parts, in order, as one gather write. It may take fewer bytes
///   than offered. A non-blocking transport ignores the deadline and answers would_block; a blocking one
///   waits until the deadline and answers timed_out. The parts are valid during the call only; there is at
///   least one, none is empty.
/// - `finish(why)`: called exactly once, last. For a socket: shut down the sending direction when drained
///   (the peer's Close is still to be read), both when broken.
template <class T>
concept transport = requires(T& connection, std::span<const const_bytes> parts, time_point deadline) {
    { connection.write(parts, deadline) } -> std::same_as<io_result>;
    { connection.finish(end_of_write::drained) } -> std::same_as<void>;
};

/// A transport that can also wait until it is writable: what the threaded drive needs of a non-blocking one.
/// False when the deadline passed first.
template <class T>
concept waitable_transport = transport<T> && requires(T& connection, time_point deadline) {
    { connection.wait_writable(deadline) } -> std::same_as<bool>;
};

} // namespace wsolo::inline WSOLO_ABI
