#pragma once
// What the command line can change.

#include "../console.hpp"

namespace relay {

inline constexpr unsigned max_workers = 16;

struct options {
    std::uint16_t port = 0;            ///< 0: the system chooses
    std::uint32_t workers = 4;         ///< threads that push, at most max_workers
    std::size_t messages = 0;          ///< from each worker to each connection; 0: without end
    std::uint32_t burst = 8;           ///< messages per worker, connection and round
    std::chrono::milliseconds pace{1}; ///< pause between two rounds
    std::chrono::milliseconds handshake_timeout{5000}; ///< from accept to the end of the request
    std::chrono::milliseconds write_timeout{10'000};   ///< one write without progress
    std::chrono::milliseconds drain_timeout{2000};     ///< from Close being queued to its last byte
    std::chrono::milliseconds linger{1000};            ///< for the peer's end of a connection that we ended
    std::size_t max_queue = 1024 * 1024;               ///< bytes that may wait for one connection

    /// False: not understood.
    bool read(int count, char** given) {
        return read_options(count, given,
                            {{"--port", &port},
                             {"--workers", &workers},
                             {"--messages", &messages},
                             {"--burst", &burst},
                             {"--pace-ms", &pace},
                             {"--handshake-timeout-ms", &handshake_timeout},
                             {"--write-timeout-ms", &write_timeout},
                             {"--drain-timeout-ms", &drain_timeout},
                             {"--linger-ms", &linger},
                             {"--max-queue", &max_queue}}) &&
               workers <= max_workers && burst > 0;
    }
};

} // namespace relay
