#pragma once
// What the command line can change.

#include "../console.hpp"

#include <wsolo/endpoint/server_connection.hpp>

struct options {
    std::uint16_t port = 0;                     ///< 0: the system chooses
    std::size_t max_message = 16 * 1024 * 1024; ///< bytes
    std::uint32_t max_fragments = 4096;         ///< of one message
    std::size_t max_unsent = 1024 * 1024;       ///< bytes of echoes above which a peer is not read from
    std::chrono::milliseconds handshake_timeout{5000}; ///< from accept to the end of the request
    std::chrono::milliseconds write_timeout{10'000};   ///< one write without progress
    std::chrono::milliseconds close_timeout{2000};   ///< for a drain, and for the peer's answer to our Close
    std::chrono::milliseconds ping_interval{20'000}; ///< 0: none
    std::uint32_t threads = 0;                       ///< that handle messages; 0: the loop does
    std::chrono::milliseconds broadcast_interval{0}; ///< a message to everyone, from another thread; 0: none
    std::chrono::milliseconds close_one_interval{0}; ///< a Close to anyone, from another thread; 0: none
    bool report_each = false;                        ///< a line for each connection that ended

    /// False: not understood.
    bool read(int count, char** given) {
        return read_options(count, given,
                            {{"--port", &port},
                             {"--max-message", &max_message},
                             {"--max-fragments", &max_fragments},
                             {"--max-unsent", &max_unsent},
                             {"--handshake-timeout-ms", &handshake_timeout},
                             {"--write-timeout-ms", &write_timeout},
                             {"--close-timeout-ms", &close_timeout},
                             {"--ping-interval-ms", &ping_interval},
                             {"--threads", &threads},
                             {"--broadcast-ms", &broadcast_interval},
                             {"--close-one-ms", &close_one_interval},
                             {"--report", &report_each}});
    }

    [[nodiscard]] wsolo::server_options of_a_connection() const {
        wsolo::server_options chosen;
        chosen.handshake_timeout = handshake_timeout;
        chosen.reading = {
            .max_frame_size = max_message, .max_message_size = max_message, .max_fragments = max_fragments};
        // What is unsent when reading stops, and the echo of what was read until then.
        chosen.writing.limits.max_bytes = max_unsent + 2 * max_message + 4 * 1024 * 1024;
        chosen.writing.limits.max_message = 0; // what it echoes is bounded by what it reads
        chosen.writing.timeouts.write = write_timeout;
        chosen.writing.timeouts.drain = close_timeout;
        chosen.max_unsent = max_unsent;
        chosen.ending.close_timeout = close_timeout;
        chosen.beating.ping_interval = ping_interval;
        return chosen;
    }
};
