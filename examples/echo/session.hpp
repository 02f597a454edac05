#pragma once
// One peer, from accept to its end: a connection that sends every message back.
//
// Laws of this file:
// - A peer that does not read its echoes is not read from: that is the whole flow control.
// - What the connection reports stands beside what was counted here, send by send.

#include "loop/descriptor.hpp"
#include "loop/ready_list.hpp"
#include "options.hpp"
#include "tally.hpp"
#include "work.hpp"

#include <wsolo/adapt/posix.hpp>
#include <wsolo/endpoint/server_connection.hpp>

namespace echo {

/// What a connection came to.
struct account {
    wsolo::ending how;
    bool upgraded = false;      ///< the handshake succeeded
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
            return counts->count_sent(connection.send(received));
        }
    };

    using connection = wsolo::server_connection<wsolo::adapt::posix_socket, wake_loop, echoing, Work>;

public:
    using weak_handle = typename connection::weak_handle;

    session(loop::peer_id id, loop::descriptor socket, std::uint16_t port, loop::ready_list& ready,
            const options& how, Work work);

    /// epoll's word. `buffer` is lent for the call.
    void on_event(std::uint32_t happened, wsolo::mutable_bytes buffer);
    /// What the schedule hook and a deadline ask for.
    void on_turn() { wants_ = connection_->run(); }
    /// Ends it in order.
    void close(wsolo::close_code code, std::string_view reason) { wants_ = connection_->close(code, reason); }
    /// Ends it now: gone() holds afterwards.
    void cut_off() { wants_ = connection_->abort(); }

    [[nodiscard]] std::uint32_t interest() const noexcept;
    [[nodiscard]] wsolo::time_point deadline() const noexcept { return wants_.deadline; }
    [[nodiscard]] bool gone() const noexcept { return wants_.finished; }

    /// Whether the handshake succeeded.
    [[nodiscard]] bool upgraded() const noexcept { return connection_->opened() != nullptr; }
    /// Precondition: gone(), and not called before. Waits for threads that are inside the endpoint.
    [[nodiscard]] account settle();
    /// For other threads, once upgraded().
    [[nodiscard]] weak_handle handle() const noexcept { return connection_->opened()->handle(); }
    [[nodiscard]] int socket() const noexcept { return socket_.get(); }
    [[nodiscard]] std::uint16_t port() const noexcept { return port_; }

    /// What the poller was last asked for.
    std::uint32_t watched = 0;

private:
    void read(wsolo::mutable_bytes buffer);

    loop::descriptor socket_;
    std::uint16_t port_;
    tally counts_;
    std::optional<connection> connection_; ///< until settle()
    wsolo::endpoint_wants wants_;
};

} // namespace echo
