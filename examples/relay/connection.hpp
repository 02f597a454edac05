#pragma once
// One WebSocket that the workers push to: an endpoint on a counted socket, which sends back what it receives.
//
// Laws of this file:
// - Workers only queue; the loop's thread reads and writes, and is told by the ready list when to.
// - A worker may hold a connection longer than the loop does; what it then sends is refused.

#include "counted_socket.hpp"
#include "loop/ready_list.hpp"
#include "options.hpp"
#include "peer.hpp"
#include "workers.hpp"

#include <wsolo/endpoint/endpoint.hpp>

#include <atomic>

namespace relay {

using loop::ready_list;

class connection : public peer {
public:
    /// `accepted` counts what the writer took of the workers' and of the echoes.
    connection(peer_id id, descriptor socket, std::uint16_t port, ready_list& ready, const options& how,
               std::atomic<std::uint64_t>& accepted);

    /// Any thread. False: not now, or never again; the text is still the caller's.
    [[nodiscard]] bool push_text(std::string_view text) { return count(whole_.send_text(text)); }
    /// Any thread. What it sends until the result goes leaves together.
    [[nodiscard]] auto begin_burst() { return whole_.writer().corked(); }
    /// Each worker's own.
    feed_progress progress{};

    // The rest is for the loop's thread.

    /// `buffer` is lent for the call.
    void on_readable(wsolo::mutable_bytes buffer);
    /// The socket has an error, or both of its directions are over.
    void on_broken() { wants_ = whole_.end_of_input(wsolo::errc::connection_lost); }
    /// Bytes that were read already.
    void take(wsolo::mutable_bytes received) { wants_ = whole_.receive(received); }
    /// What the schedule hook, a writable socket and a deadline ask for.
    void run() { wants_ = whole_.run(); }
    /// The server stops: a Close, within a bound.
    void close();
    /// Ends it now: gone() holds afterwards.
    void cut_off();

    [[nodiscard]] std::uint32_t interest() const noexcept;
    [[nodiscard]] wsolo::time_point deadline() const noexcept { return wants_.deadline; }

    /// Nothing is left to write, to read or to wait for: how_it_ended() is complete.
    [[nodiscard]] bool gone() const noexcept { return wants_.finished; }
    [[nodiscard]] const wsolo::ending& how_it_ended() const noexcept { return whole_.how_it_ended(); }
    /// An errc's name, "peer_close" or "server_close".
    [[nodiscard]] std::string_view cause() const noexcept;
    [[nodiscard]] std::uint64_t write_calls() const noexcept { return write_calls_; }
    /// Precondition: gone().
    void close_socket() noexcept { owned_socket().reset(); }

private:
    struct wake_loop {
        ready_list* ready;
        peer_id id;
        bool operator()() const noexcept { return ready->push(id); }
    };
    struct echo {
        wsolo::errc on_message(auto& whole, const wsolo::message& received) const;
        connection* self;
    };

    static wsolo::endpoint_options options_of(const options& how);

    bool count(wsolo::errc answer) noexcept;

    std::atomic<std::uint64_t>& accepted_;
    std::uint64_t write_calls_ = 0;
    bool server_closed_ = false;
    wsolo::endpoint<counted_socket, wake_loop, echo> whole_;
    wsolo::endpoint_wants wants_;
};

} // namespace relay
