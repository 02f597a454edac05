#pragma once
// What the command line can change.

#include <chrono>
#include <cstddef>
#include <cstdint>

namespace echo {

struct options {
    std::uint16_t port = 0;                     ///< 0: the system chooses
    std::size_t max_message = 16 * 1024 * 1024; ///< bytes
    std::uint32_t max_fragments = 4096;         ///< of one message
    std::size_t max_unsent = 1024 * 1024;       ///< bytes of echoes above which a peer is not read from
    std::chrono::milliseconds handshake_timeout{5000}; ///< from accept to the end of the request
    std::chrono::milliseconds write_timeout{10'000};   ///< one write without progress
    std::chrono::milliseconds close_timeout{2000};   ///< for a drain, and for the peer's answer to our Close
    std::chrono::milliseconds ping_interval{20'000}; ///< 0: none
    unsigned threads = 0;                            ///< that handle messages; 0: the loop does
    std::chrono::milliseconds broadcast_interval{0}; ///< a message to everyone, from another thread; 0: none
    std::chrono::milliseconds close_one_interval{0}; ///< a Close to anyone, from another thread; 0: none
    bool report_each = false;                        ///< a line for each connection that ended
};

/// Reads `--name value` pairs. Prints the usage and returns false when it does not understand one.
bool parse_options(int count, char** arguments, options& into);

} // namespace echo
