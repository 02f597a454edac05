#pragma once
// One peer, from accept to its end: a handshake, then an endpoint that sends every message back.
//
// Laws of this file:
// - The endpoint exists from the first byte on, its writer held by the init gate: the handshake's answer leaves by
//   the same writer as all that follows it, or nothing follows it.
// - A peer that does not read its echoes is not read from: that is the whole flow control.
// - What the endpoint reports stands beside what was counted here, send by send.

#include "loop/descriptor.hpp"
#include "loop/ready_list.hpp"
#include "options.hpp"
#include "tally.hpp"
#include "work.hpp"

#include <wsolo/adapt/posix.hpp>
#include <wsolo/handshake/upgrade.hpp>

#include <optional>

namespace echo {

/// What a connection came to.
struct account {
    wsolo::ending how;
    std::uint64_t handled = 0;  ///< messages, as the handler counted them
    std::uint64_t accepted = 0; ///< frames, as those counted them who sent them

    [[nodiscard]] bool adds_up() const noexcept {
        return handled == how.handled.messages_handled && accepted == how.written.frames_accepted();
    }
};

/// For the loop's thread. `Work` is wsolo::in_the_loop or in_a_pool.
template <class Work>
class session {
    struct wake_loop {
        loop::ready_list* ready;
        loop::peer_id id;
        bool operator()() const noexcept { return ready->push(id); }
    };

    struct echoing {
        tally* counts;

        wsolo::errc on_message(auto& connection, const wsolo::message& received) {
            counts->count_handled();
            return counts->count_sent(received.is_text() ? connection.send_text(received.text())
                                                         : connection.send_binary(received.bytes()));
        }
    };

    using connection =
        wsolo::endpoint<wsolo::adapt::posix_socket, wake_loop, echoing, wsolo::server_side, Work>;

public:
    using weak_handle = typename connection::weak_handle;

    session(loop::peer_id id, loop::descriptor socket, std::uint16_t port, loop::ready_list& ready,
            const options& how, Work work);

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
    /// Precondition: gone(), and not called before. Waits for threads that are inside the endpoint.
    [[nodiscard]] account settle();
    /// For other threads, once upgraded().
    [[nodiscard]] weak_handle handle() const noexcept { return connection_->handle(); }
    [[nodiscard]] int socket() const noexcept { return socket_.get(); }
    [[nodiscard]] std::uint16_t port() const noexcept { return port_; }

    /// What the poller was last asked for.
    std::uint32_t watched = 0;

private:
    void take(wsolo::mutable_bytes received);
    void shake_hands(wsolo::mutable_bytes& received);
    void refuse(wsolo::errc why);

    loop::descriptor socket_;
    std::uint16_t port_;
    bool upgraded_ = false;
    wsolo::time_point handshake_deadline_;
    wsolo::server_handshake handshake_;
    tally counts_;
    std::optional<connection> connection_;                                   ///< until settle()
    std::optional<wsolo::init_gate<typename connection::writer_type>> gate_; ///< until the handshake is over
    wsolo::endpoint_wants wants_;
};

} // namespace echo
