#pragma once
// The loop: one thread that accepts, reads and pumps, woken by sockets, by the ready list and by deadlines.
//
// Laws of this file:
// - A peer's misbehaviour ends that peer and nothing else.
// - The loop waits for as long as the earliest deadline allows, and never otherwise than in epoll.
// - When told to stop it closes every connection with 1001 and a bound, and what was accepted is accounted
// for.

#include "connection.hpp"
#include "loop/listener.hpp"
#include "loop/poller.hpp"
#include "loop/signals.hpp"
#include "loop/timers.hpp"

#include <memory>
#include <system_error>
#include <vector>

namespace relay {

using loop::listener;
using loop::poller;
using loop::roster;
using loop::stop_signals;
using loop::timers;

/// Frames, over all connections. accepted = written + dropped + replaced, or something is lost.
struct totals {
    std::atomic<std::uint64_t> accepted =
        0; ///< counted where they were offered: by a worker, an echo, an endpoint
    std::uint64_t connections = 0;
    std::uint64_t written = 0;
    std::uint64_t dropped = 0;
    std::uint64_t replaced = 0; ///< PONGs, by a newer one
    std::uint64_t write_calls = 0;
};

class server {
public:
    /// Throws std::system_error when the system denies it a port or a descriptor.
    explicit server(const options& how);

    [[nodiscard]] std::uint16_t port() const noexcept { return listener_.port(); }
    /// For the workers, who must have stopped before the server is destroyed.
    [[nodiscard]] const roster<connection>& audience() const noexcept { return audience_; }

    /// Serves until SIGINT or SIGTERM and the drain that follows; a second signal cuts the drain short.
    void run();

    /// Complete once run() has returned and the workers have stopped.
    [[nodiscard]] const totals& account() const noexcept { return account_; }

private:
    void dispatch(peer_id id, std::uint32_t happened);
    void accept_some();
    void pause_accepting();
    void pump_ready();
    void expire();
    void on_signal();
    void begin_stop();
    void end_all();

    void settle(connection& peer);
    void retire(connection& peer);
    /// All that are not gone, to be walked while some of them go.
    [[nodiscard]] std::vector<std::shared_ptr<connection>> present() const;

    const options how_;
    stop_signals signals_;
    listener listener_;
    poller poller_;
    ready_list ready_;
    timers timers_;
    std::unordered_map<peer_id, std::shared_ptr<connection>> peers_;
    roster<connection> audience_;   ///< of the workers: those that are open
    std::vector<std::byte> buffer_; ///< every recv's
    std::vector<peer_id> due_;      ///< from the ready list and the timers
    peer_id next_id_;
    bool stopping_ = false;
    totals account_;
};

} // namespace relay
