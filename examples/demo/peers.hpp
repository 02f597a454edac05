#pragma once
// The other side: many clients in one thread, which judge every byte, PING, and come back when they were cut off. One of them
// reads slowly.
//
// Laws of this file:
// - They trust no server: a frame is torn when wsolo's strict reader says that the stream broke a rule.
// - Everything is measured here, where a user would feel it: messages that arrived, and the time from PING to PONG.

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace demo {

/// Of the last window, and sums. `states`: one letter a peer, o (open), - (away), x (its stream was torn within the last second).
struct peer_figures {
    double seconds = 0;         ///< how long the window was
    std::uint64_t messages = 0; ///< of the fast ones, in the window
    std::uint64_t bytes = 0;    ///< the same
    std::uint64_t slow_messages = 0;
    double pong_p50_ms = -1; ///< of the fast ones; negative: there was none
    double pong_p99_ms = -1;
    double slow_pong_ms = -1; ///< the last
    std::uint64_t torn = 0;   ///< all together
    std::uint64_t closed = 0; ///< Closes that crossed, all together
    std::uint64_t lost = 0;   ///< connections that ended otherwise, all together
    std::string states;
};

class peers {
public:
    peers();
    ~peers();
    peers(const peers&) = delete;
    peers& operator=(const peers&) = delete;

    // Any thread:

    /// Where to connect to; 0: nowhere, for now.
    void set_port(std::uint16_t port) noexcept { port_ = port; }
    void set_count(unsigned count) noexcept { count_ = count; }
    /// What is left of a server that has ended is of no interest: nothing of it is counted any more.
    void drop_all() noexcept { drops_ = true; }
    void set_slow_kib(unsigned kib) noexcept { slow_kib_ = kib; }
    /// Of the window since the last call.
    [[nodiscard]] peer_figures take_figures();
    /// Messages that arrived, ever, at all of them.
    [[nodiscard]] std::uint64_t received() const noexcept { return received_; }
    /// Those that have a socket.
    [[nodiscard]] unsigned connected() const noexcept { return connected_; }

private:
    class peer;
    using clock = std::chrono::steady_clock;

    void run(const std::stop_token& stop);
    void turn();

    std::atomic<std::uint16_t> port_ = 0;
    std::atomic<unsigned> count_ = 0;
    std::atomic<unsigned> slow_kib_ = 16;
    std::atomic<bool> drops_ = false;
    std::atomic<unsigned> connected_ = 0;
    std::atomic<std::uint64_t> received_ = 0;
    std::mutex lock_; ///< what take_figures() shares with the thread
    peer_figures window_;
    std::vector<float> pongs_; ///< ms
    clock::time_point window_began_ = clock::now();
    std::vector<std::unique_ptr<peer>> all_;
    std::jthread thread_;
};

} // namespace demo
