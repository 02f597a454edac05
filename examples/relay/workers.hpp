#pragma once
// The threads that push text to every connection, while the loop answers PINGs.
//
// Laws of this file:
// - A message that a connection did not accept is the worker's still: it is offered again in the next round,
//   so each connection gets each worker's messages complete and in order, or is closed.
// - No worker ever waits for a connection.

#include "loop/roster.hpp"
#include "message.hpp"
#include "options.hpp"

#include <array>
#include <stop_token>
#include <thread>
#include <vector>

namespace relay {

using loop::roster;

/// How far each worker has come with one connection. Each element is touched by its own worker only.
using feed_progress = std::array<std::uint64_t, max_workers>;

/// `Connection` has a feed_progress `progress`, a `bool push_text(std::string_view)`, and a `begin_burst()`
/// whose result lives as long as one burst.
template <class Connection>
class workers {
public:
    workers(const roster<Connection>& audience, const options& how) : audience_(audience), how_(how) {
        for (unsigned worker = 0; worker < how.workers; ++worker) {
            threads_.emplace_back([this, worker](const std::stop_token& stop) { work(worker, stop); });
        }
    }

    /// Returns when every worker has ended.
    void stop() {
        for (std::jthread& thread : threads_) thread.request_stop();
        threads_.clear();
    }

private:
    void work(unsigned worker, const std::stop_token& stop) {
        std::vector<typename roster<Connection>::pointer> present;
        while (!stop.stop_requested()) {
            audience_.copy_to(present);
            for (const auto& connection : present) push_some(*connection, worker);
            present.clear(); // keeps nobody alive while it sleeps
            std::this_thread::sleep_for(how_.pace);
        }
    }

    void push_some(Connection& to, unsigned worker) {
        std::uint64_t& next = to.progress[worker];
        [[maybe_unused]] const auto burst = to.begin_burst();
        for (unsigned i = 0; i < how_.burst && (how_.messages == 0 || next < how_.messages); ++i) {
            if (!to.push_text(make_message(worker, next))) return;
            ++next;
        }
    }

    const roster<Connection>& audience_;
    const options how_;
    std::vector<std::jthread> threads_;
};

} // namespace relay
