#pragma once
// A stream around a stream: the loop's plain socket, with its system calls that write counted.

#include <wsolo/adapt/poll.hpp>

#include <cstdint>

namespace relay {

class counted_socket {
public:
    explicit counted_socket(int socket) noexcept : socket_(socket) {}

    wsolo::io_result write(std::span<const wsolo::const_bytes> parts, wsolo::time_point deadline) noexcept {
        ++calls;
        return socket_.write(parts, deadline);
    }
    void finish(wsolo::end_of_write why) noexcept { socket_.finish(why); }
    void end_output() noexcept { socket_.end_output(); }
    void disconnect() noexcept { socket_.disconnect(); }
    [[nodiscard]] std::size_t unsent() const noexcept { return socket_.unsent(); }

    std::uint64_t calls = 0;

private:
    wsolo::adapt::posix_socket socket_;
};

static_assert(wsolo::transport<counted_socket> && wsolo::byte_stream<counted_socket>);

/// Reads as it does, and writes through a counted_socket.
class counted_stream : public wsolo::adapt::poll::plain_stream {
public:
    explicit counted_stream(int socket) noexcept : plain_stream(socket), socket_(socket) {}
    [[nodiscard]] counted_socket writing_end() const noexcept { return counted_socket(socket_); }

private:
    int socket_;
};

static_assert(wsolo::adapt::poll::stream<counted_stream>);

} // namespace relay
