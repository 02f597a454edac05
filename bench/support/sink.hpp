#pragma once
// A transport that takes everything and only counts it, and a hook that does nothing: what a message costs without a socket.

#include <wsolo/wsolo.hpp>

#include <cstddef>
#include <cstdint>
#include <span>

namespace bench {

/// Takes everything.
struct sink {
    std::uint64_t* taken;

    wsolo::io_result write(std::span<const wsolo::const_bytes> parts, wsolo::time_point) const {
        std::size_t bytes = 0;
        for (const wsolo::const_bytes part : parts) bytes += part.size();
        *taken += bytes;
        return {wsolo::io_status::ok, bytes};
    }
    void finish(wsolo::end_of_write) const {}
    void end_output() const {}
    void disconnect() const {}
};
struct no_hook {
    void operator()() const {}
};

} // namespace bench
