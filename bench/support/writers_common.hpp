#pragma once
// What all the writers under comparison share. A writer here is
//   Writer(wire&)            starts its thread, if it has one
//   Writer::producer(writer) one per sending thread
//   producer.try_send(bytes) queues one server frame, or false: the backlog is full
//   writer.finish()          returns when everything queued is written
//   Writer::farewell         bytes that finish() adds to the wire (a Close frame, where the writer knows of
//   one)
//
// Every writer's backlog is bounded by the same 4 MiB, and a producer that meets the bound sleeps a moment.

#include "wire.hpp"

#include <wsolo/wsolo.hpp>

#include <chrono>
#include <string>
#include <sys/uio.h>
#include <thread>

namespace bench {

inline constexpr std::size_t backlog_bytes = 4 * 1024 * 1024;
inline constexpr std::chrono::microseconds pause_when_full{100};

/// For writers that need nothing per thread.
template <class Writer>
struct plain_producer {
    Writer& writer;
    bool try_send(wsolo::const_bytes payload) { return writer.try_send(payload); }
};

template <class Producer>
void send(Producer& to, wsolo::const_bytes payload) {
    while (!to.try_send(payload)) std::this_thread::sleep_for(pause_when_full);
}

/// Appends one server frame.
inline void append_to(std::string& out, wsolo::const_bytes payload) {
    if (wsolo::append_frame<wsolo::role::server>(out, wsolo::opcode::binary, payload) != wsolo::errc::none)
        std::abort();
}

/// One server frame. One allocation (none where it fits into the string itself).
inline std::string frame_of(wsolo::const_bytes payload) {
    std::string frame;
    append_to(frame, payload);
    return frame;
}

/// Bytes that the calling thread has written, for itself or for others.
inline thread_local std::uint64_t written_by_this_thread = 0;

/// Writes everything, waiting in the system call.
inline void write_all(const wire& to, const char* from, std::size_t size) {
    written_by_this_thread += size;
    if (to.is_null()) return;
    while (size != 0) {
        const ssize_t taken = ::write(to.descriptor(), from, size);
        must(taken > 0);
        from += taken;
        size -= static_cast<std::size_t>(taken);
    }
}

} // namespace bench
