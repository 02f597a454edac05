#pragma once
// The loop: one thread that accepts, and gives each session its turn. Other threads handle messages, where asked for.
//
// Laws of this file:
// - A peer's misbehaviour ends that peer and nothing else.
// - When told to stop it closes every connection with 1001 and a bound, and what was accepted is accounted for.

#include "admin.hpp"
#include "loop/listener.hpp"
#include "loop/poller.hpp"
#include "loop/signals.hpp"
#include "loop/timers.hpp"
#include "session.hpp"

#include <system_error>

namespace echo {

/// Over all connections that ended.
struct totals {
    std::uint64_t connections = 0;
    std::uint64_t refused = 0;  ///< handshakes
    std::uint64_t received = 0; ///< messages
    std::uint64_t handled = 0;
    std::uint64_t dropped = 0;
    std::uint64_t frames_accepted = 0; ///< as counted by who sent them
    std::uint64_t frames_written = 0;
    std::uint64_t frames_dropped = 0;
    std::uint64_t pongs_replaced = 0;
    bool adds_up = true; ///< each of them
};

/// `Work` is wsolo::in_the_loop or in_a_pool.
template <class Work>
class server {
    using peer_session = session<Work>;

public:
    /// Throws std::system_error when the system denies it a port or a descriptor.
    explicit server(const options& how);

    [[nodiscard]] std::uint16_t port() const noexcept { return listener_.port(); }

    /// Serves until SIGINT or SIGTERM and the drain that follows; a second signal cuts the drain short.
    const totals& run();

private:
    void dispatch(loop::peer_id id, std::uint32_t happened);
    void accept_some();
    void run_ready();
    void expire();
    void on_signal();
    void settle(loop::peer_id id, peer_session& peer);
    void retire(loop::peer_id id, peer_session& peer);
    void end_all();
    [[nodiscard]] Work work() noexcept;

    const options how_;
    loop::stop_signals signals_; ///< before any thread is made
    loop::listener listener_;
    loop::poller poller_;
    loop::ready_list ready_;
    loop::timers timers_;
    loop::thread_pool pool_; ///< without threads where the loop handles messages
    admin<typename peer_session::weak_handle> admin_;
    std::unordered_map<loop::peer_id, peer_session> sessions_;
    std::vector<std::byte> buffer_;  ///< every recv's
    std::vector<loop::peer_id> due_; ///< from the ready list and the timers
    loop::peer_id next_id_;
    bool stopping_ = false;
    totals account_;
};

} // namespace echo
