#pragma once
// A connection as it is often written by hand. Nothing here is a data race, and every write is whole in the
// eyes of the system; the stream breaks all the same. Do not copy from this file.
//
// What is wrong:
// - A frame leaves as two writes, header and payload.
// - The threads that send text take a lock around the two, so they do respect each other. The reader answers
//   a PING on the spot, without it: "it is only a control frame".

#include "loop/descriptor.hpp"
#include "workers.hpp"

#include <wsolo/session/reader.hpp>

#include <atomic>
#include <mutex>

namespace relay {

using loop::descriptor;

class wrong_connection {
public:
    wrong_connection(descriptor socket, std::uint16_t port) noexcept
        : socket_(std::move(socket)), port_(port) {}

    /// Any worker.
    bool push_text(std::string_view text);
    struct no_burst {};
    no_burst begin_burst() { return {}; }
    /// Each worker's own.
    feed_progress progress{};

    /// Shakes hands; false when that fails. Blocking.
    bool greet();
    /// Reads and answers until the connection ends. Blocking.
    void serve();
    void report() const;

private:
    bool take(wsolo::mutable_bytes received);
    bool write_frame(wsolo::opcode op, wsolo::const_bytes payload);
    bool write_all(wsolo::const_bytes bytes);

    descriptor socket_;
    std::uint16_t port_;
    wsolo::server_reader in_;
    std::mutex text_lock_;
    std::atomic<bool> open_ = true;
    std::atomic<std::uint64_t> frames_ = 0;
    std::atomic<std::uint64_t> write_calls_ = 0;
};

} // namespace relay
