#pragma once
// A listening socket on the loopback interface.
//
// Laws of this file:
// - Running out of descriptors refuses the newest connection and nothing else. A spare descriptor is given
//   up for a moment to take it and close it; left in the backlog it would make the loop spin.

#include "descriptor.hpp"

#include <cstdint>
#include <system_error>

namespace loop {

/// What one accept came to.
enum class accept_status : std::uint8_t {
    accepted,
    none_waiting,
    try_next, ///< this one vanished before it was accepted
    refused,  ///< no descriptor or memory: it was closed
    stuck,    ///< not even that: wait before the next try
};

struct accepted {
    accept_status status = accept_status::none_waiting;
    descriptor socket{};
    std::uint16_t peer_port = 0;
};

class listener {
public:
    /// Throws std::system_error when the port is not to be had. 0: any port.
    explicit listener(std::uint16_t port);

    /// `flags` as accept4's.
    accepted accept(int flags);

    /// A new connection is reset from here on.
    void close() noexcept { socket_.reset(); }

    [[nodiscard]] std::uint16_t port() const noexcept { return port_; }
    [[nodiscard]] int get() const noexcept { return socket_.get(); }

private:
    accepted refuse_one();

    descriptor socket_;
    descriptor spare_;
    std::uint16_t port_ = 0;
};

} // namespace loop
