#pragma once
// What the command line can change.

#include <chrono>
#include <cstddef>
#include <cstdint>

namespace relay {

inline constexpr unsigned max_workers = 16;

struct options {
    std::uint16_t port = 0;            ///< 0: the system chooses
    unsigned workers = 4;              ///< threads that push, at most max_workers
    std::uint64_t messages = 0;        ///< from each worker to each connection; 0: without end
    unsigned burst = 8;                ///< messages per worker, connection and round
    std::chrono::milliseconds pace{1}; ///< pause between two rounds
    std::chrono::milliseconds handshake_timeout{5000}; ///< from accept to the end of the request
    std::chrono::milliseconds write_timeout{10'000};   ///< one write without progress
    std::chrono::milliseconds drain_timeout{2000};     ///< from Close being queued to its last byte
    std::chrono::milliseconds linger{1000};            ///< for the peer's end of a connection that we ended
    std::size_t max_queue = 1024 * 1024;               ///< bytes that may wait for one connection
};

/// Reads `--name value` pairs. Prints the usage and returns false when it does not understand one.
bool parse_options(int count, char** arguments, options& into);

} // namespace relay
