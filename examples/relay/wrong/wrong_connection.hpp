#pragma once
// A connection as it is often written by hand. Nothing here is a data race, and every write is whole in the
// eyes of the system; the stream breaks all the same. Do not copy from this file.
//
// What is wrong:
// - A frame leaves as two writes, header and payload.
// - The threads that send text take a lock around the two, so they do respect each other. The reader answers
//   a PING on the spot, without it: "it is only a control frame".

#include "../workers.hpp"

#include <wsolo/session/reader.hpp>

#include <atomic>
#include <mutex>

namespace relay {

class wrong_connection {
public:
    /// Owns the socket.
    wrong_connection(int socket, std::uint16_t port) noexcept;
    wrong_connection(const wrong_connection&) = delete;
    wrong_connection& operator=(const wrong_connection&) = delete;
    ~wrong_connection();

    /// Any worker.
    bool push_text(std::string_view text);

    /// Shakes hands; false when that fails. Blocking.
    bool greet();
    /// Reads and answers until the connection ends. Blocking.
    void serve();
    void report() const;

private:
    bool take(wsolo::mutable_bytes received);
    bool write_frame(wsolo::opcode op, wsolo::const_bytes payload);
    bool write_all(wsolo::const_bytes bytes);

    int socket_;
    std::uint16_t port_;
    wsolo::server_reader in_;
    std::mutex text_lock_;
    std::atomic<bool> open_ = true;
    std::atomic<std::uint64_t> frames_ = 0;
    std::atomic<std::uint64_t> write_calls_ = 0;
};

} // namespace relay
