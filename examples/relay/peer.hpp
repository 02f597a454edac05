#pragma once
// What the loop knows of a socket, whoever is behind it: a visitor that still speaks HTTP, or a connection.

#include "loop/descriptor.hpp"
#include "loop/peer_id.hpp"

namespace relay {

using loop::descriptor;
using loop::peer_id;

class peer {
public:
    peer(peer_id id, descriptor socket, std::uint16_t port) noexcept
        : id_(id), port_(port), socket_(std::move(socket)) {}

    [[nodiscard]] peer_id id() const noexcept { return id_; }
    /// The other end's port: all are on the same host.
    [[nodiscard]] std::uint16_t port() const noexcept { return port_; }
    [[nodiscard]] int socket() const noexcept { return socket_.get(); }

    /// What the poller was last asked for.
    std::uint32_t watched = 0;

protected:
    ~peer() = default;
    [[nodiscard]] descriptor& owned_socket() noexcept { return socket_; }

private:
    peer_id id_;
    std::uint16_t port_;
    descriptor socket_;
};

} // namespace relay
