#pragma once
// A client's connection to a peer that a test plays: over real sockets, and over the adversarial transport
// with the peer's bytes arriving a few at a time.
//
// Laws of this file:
// - deliver() returns when all of it was handed to `take`, in whatever pieces.
// - One thread delivers; the writer's end may be used by others meanwhile.

#include "event_log.hpp"
#include "sockets.hpp"

#include <wsolo/adapt/posix.hpp>
#include <wsolo/testing/scripted_transport.hpp>

namespace support {

/// Takes one to seven bytes a write; delivers one to five at a time.
class scripted_wire_ends {
public:
    using transport = wsolo::testing::scripted_transport;

    scripted_wire_ends() {
        wire_.rule([turn = 0U]() mutable {
            return wsolo::testing::scripted_step{wsolo::io_status::ok, 1 + turn++ % 7, 0};
        });
    }
    [[nodiscard]] transport end() { return transport(wire_); }

    template <class Take>
    void deliver(const stream& sent, Take take) {
        std::vector<std::byte> bytes = sent.bytes();
        std::size_t size = 1;
        for (std::size_t at = 0; at < bytes.size(); at += size) {
            size = std::min(1 + at % 5, bytes.size() - at);
            take(std::span(bytes).subspan(at, size));
        }
    }
    /// What the peer got so far. No thread writes meanwhile.
    [[nodiscard]] std::string seen_by_peer() { return wire_.bytes(); }

private:
    wsolo::testing::scripted_wire wire_;
};

template <network Kind>
class socket_wire_ends {
public:
    using transport = support::ending_socket;

    [[nodiscard]] transport end() { return transport(ends_.ours.get()); }

    template <class Take>
    void deliver(const stream& sent, Take take) {
        const wsolo::const_bytes bytes(sent.bytes());
        REQUIRE(write_all(ends_.peers.get(), wsolo::text_of(bytes)));
        std::size_t taken = 0;
        while (taken < bytes.size()) {
            std::string next =
                read_exactly(ends_.ours.get(), std::min<std::size_t>(bytes.size() - taken, 37));
            if (next.empty()) FAIL("the bytes did not arrive");
            taken += next.size();
            take(std::as_writable_bytes(std::span(next)));
        }
    }
    [[nodiscard]] std::string seen_by_peer() {
        ::shutdown(ends_.ours.get(), SHUT_WR);
        return read_to_end(ends_.peers.get());
    }

    [[nodiscard]] int ours() const { return ends_.ours.get(); }
    [[nodiscard]] int peers() const { return ends_.peers.get(); }

private:
    connection_ends ends_ = connect_both(Kind);
};

using unix_wire_ends = socket_wire_ends<network::unix_pair>;
using tcp_wire_ends = socket_wire_ends<network::tcp>;

} // namespace support
