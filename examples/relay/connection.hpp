#pragma once
// One peer, from accept to its end: a page or a refusal, or a WebSocket that the workers push to and that sends back what it
// receives.
//
// Laws of this file:
// - Workers only queue; the loop's thread reads and writes, and is told by the ready list when to.
// - A worker sees a connection once it is open, and may hold it longer than the loop does; what it then sends is refused.

#include "counted_socket.hpp"
#include "loop/ready_list.hpp"
#include "options.hpp"
#include "workers.hpp"

#include <wsolo/endpoint/server_connection.hpp>

#include <atomic>

namespace relay {

using loop::descriptor;
using loop::peer_id;
using loop::ready_list;

class connection {
public:
    /// `accepted` counts what the writer took of the workers' and of the echoes.
    connection(peer_id id, descriptor socket, std::uint16_t port, ready_list& ready, const options& how,
               std::atomic<std::uint64_t>& accepted);

    /// Any thread, once it is open. False: not now, or never again; the text is still the caller's.
    [[nodiscard]] bool push_text(std::string_view text) { return count(whole_.opened()->send_text(text)); }
    /// Any thread, once it is open. What it sends until the result goes leaves together.
    [[nodiscard]] auto begin_burst() { return whole_.opened()->writer().corked(); }
    /// Each worker's own.
    feed_progress progress{};

    // The rest is for the loop's thread.

    /// epoll's word. `buffer` is lent for the call.
    void on_event(std::uint32_t happened, wsolo::mutable_bytes buffer);
    /// What the schedule hook and a deadline ask for.
    void run() { wants_ = whole_.run(); }
    /// The server stops: a Close, within a bound.
    void close();
    /// Ends it now: gone() holds afterwards.
    void cut_off() { wants_ = whole_.abort(wsolo::errc::drain_timed_out); }

    [[nodiscard]] std::uint32_t interest() const noexcept;
    [[nodiscard]] wsolo::time_point deadline() const noexcept { return wants_.deadline; }

    /// Whether it is, or was, a WebSocket.
    [[nodiscard]] bool was_opened() const noexcept { return whole_.opened() != nullptr; }
    /// Nothing is left to write, to read or to wait for: how_it_ended() is complete.
    [[nodiscard]] bool gone() const noexcept { return wants_.finished; }
    [[nodiscard]] wsolo::ending how_it_ended() const { return whole_.how_it_ended(); }
    /// Of the HTTP answer; 0: there was none.
    [[nodiscard]] int status() const noexcept { return whole_.status(); }
    /// An errc's name, "peer_close" or "server_close".
    [[nodiscard]] std::string_view cause() const;
    [[nodiscard]] std::uint64_t write_calls() const noexcept { return write_calls_; }
    /// Precondition: gone().
    void close_socket() noexcept { socket_.reset(); }

    [[nodiscard]] peer_id id() const noexcept { return id_; }
    [[nodiscard]] int socket() const noexcept { return socket_.get(); }
    /// The other end's: all are on the same host.
    [[nodiscard]] std::uint16_t port() const noexcept { return port_; }
    /// What the poller was last asked for.
    std::uint32_t watched = 0;
    /// Whether the workers see it.
    bool is_in_audience = false;

private:
    struct wake_loop {
        ready_list* ready;
        peer_id id;
        bool operator()() const noexcept { return ready->push(id); }
    };
    struct visit {
        void on_request(const wsolo::upgrade_request& asked, wsolo::http_reply& reply) const;
        void on_upgraded(auto&) const { self->write_calls_ = 0; } // the handshake's is not a frame's
        wsolo::errc on_message(auto& whole, const wsolo::message& received) const;
        connection* self;
    };

    static wsolo::server_options options_of(const options& how);

    void read(wsolo::mutable_bytes buffer);
    bool count(wsolo::errc answer) noexcept;

    peer_id id_;
    std::uint16_t port_;
    descriptor socket_;
    std::atomic<std::uint64_t>& accepted_;
    std::uint64_t write_calls_ = 0;
    bool server_closed_ = false;
    wsolo::server_connection<counted_socket, wake_loop, visit> whole_;
    wsolo::endpoint_wants wants_;
};

} // namespace relay
