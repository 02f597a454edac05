#pragma once
// One peer, from accept to its end: a handshake, then an endpoint that sends every message back.
//
// Laws of this file:
// - The endpoint exists from the first byte on, its writer held by the init gate: the handshake's answer leaves by
//   the same writer as all that follows it, or nothing follows it.
// - A peer that does not read its echoes is not read from: that is the whole flow control.

#include "loop/descriptor.hpp"
#include "loop/ready_list.hpp"
#include "options.hpp"

#include <wsolo/adapt/posix.hpp>
#include <wsolo/endpoint/endpoint.hpp>
#include <wsolo/handshake/upgrade.hpp>

#include <optional>

namespace echo {

/// For the loop's thread.
class session {
public:
    session(loop::peer_id id, loop::descriptor socket, std::uint16_t port, loop::ready_list& ready,
            const options& how);

    /// `buffer` is lent for the call.
    void on_readable(wsolo::mutable_bytes buffer);
    /// The socket has an error, or both of its directions are over.
    void on_broken();
    /// What the schedule hook, a writable socket and a deadline ask for.
    void on_turn();
    /// Ends it in order where it is past its handshake, and at once where not.
    void close(wsolo::close_code code, std::string_view reason);
    /// Ends it now: gone() holds afterwards.
    void cut_off();

    [[nodiscard]] std::uint32_t interest() const noexcept;
    [[nodiscard]] wsolo::time_point deadline() const noexcept;
    [[nodiscard]] bool gone() const noexcept { return wants_.finished; }

    /// Whether the handshake succeeded.
    [[nodiscard]] bool upgraded() const noexcept { return upgraded_; }
    /// Precondition: gone().
    [[nodiscard]] const wsolo::ending& how_it_ended() const noexcept { return connection_.how_it_ended(); }
    [[nodiscard]] int socket() const noexcept { return socket_.get(); }
    [[nodiscard]] std::uint16_t port() const noexcept { return port_; }

    /// What the poller was last asked for.
    std::uint32_t watched = 0;

private:
    struct wake_loop {
        loop::ready_list* ready;
        loop::peer_id id;
        bool operator()() const noexcept { return ready->push(id); }
    };

    struct echoing {
        wsolo::errc on_message(auto& connection, const wsolo::message& received) {
            return received.is_text() ? connection.send_text(received.text())
                                      : connection.send_binary(received.bytes());
        }
    };

    using connection = wsolo::endpoint<wsolo::adapt::posix_socket, wake_loop, echoing>;

    static wsolo::endpoint_options endpoint_options_of(const options& how);

    void take(wsolo::mutable_bytes received);
    void shake_hands(wsolo::mutable_bytes& received);
    void refuse(wsolo::errc why);

    loop::descriptor socket_;
    std::uint16_t port_;
    bool upgraded_ = false;
    wsolo::time_point handshake_deadline_;
    wsolo::server_handshake handshake_;
    connection connection_;
    std::optional<wsolo::init_gate<connection::writer_type>> gate_; ///< until the handshake is over
    wsolo::endpoint_wants wants_;
};

} // namespace echo
