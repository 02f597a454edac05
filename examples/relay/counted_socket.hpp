#pragma once
// A transport around a transport: wsolo's socket, with its system calls counted.

#include <wsolo/adapt/posix.hpp>

#include <cstdint>

namespace relay {

class counted_socket {
public:
    /// `calls` is written by the thread that pumps, and must outlive the connection.
    counted_socket(int socket, std::uint64_t& calls) noexcept : socket_(socket), calls_(&calls) {}

    wsolo::io_result write(std::span<const wsolo::const_bytes> parts, wsolo::time_point deadline) noexcept {
        ++*calls_;
        return socket_.write(parts, deadline);
    }
    void finish(wsolo::end_of_write why) noexcept { socket_.finish(why); }
    void end_output() noexcept { socket_.end_output(); }
    void disconnect() noexcept { socket_.disconnect(); }
    [[nodiscard]] std::size_t unsent() const noexcept { return socket_.unsent(); }

private:
    wsolo::adapt::posix_socket socket_;
    std::uint64_t* calls_;
};

static_assert(wsolo::transport<counted_socket> && wsolo::byte_stream<counted_socket>);

} // namespace relay
