#pragma once
// The threads that push text to every connection, while the loop answers PINGs.
//
// Laws of this file:
// - A message that a connection did not accept is the worker's still: it is offered again in the next round,
//   so each connection gets each worker's messages complete and in order, or is closed.
// - No worker ever waits for a connection, and none is called under the lock.
// - A worker may come once more to a feed that was removed; what it then sends is refused by the connection's writer.

#include "message.hpp"
#include "options.hpp"

#include <array>
#include <functional>
#include <memory>
#include <mutex>
#include <stop_token>
#include <string_view>
#include <thread>
#include <vector>

namespace relay {

/// What one connection is pushed.
class feed {
public:
    /// One turn of one worker's: calls `send` for each message until it says no.
    void push(unsigned worker, const options& how, auto send) {
        std::size_t& next = progress_[worker];
        for (unsigned i = 0; i < how.burst && (how.messages == 0 || next < how.messages); ++i) {
            if (!send(make_message(worker, next))) return;
            ++next;
        }
    }

private:
    std::array<std::size_t, max_workers> progress_{}; ///< each element is touched by its own worker only
};

/// Those who are pushed to. Any thread.
class audience {
public:
    /// Gives a connection one worker's turn.
    using turn = std::function<void(unsigned worker)>;
    using seat = std::shared_ptr<turn>;

    [[nodiscard]] seat add(turn fresh) {
        auto taken = std::make_shared<turn>(std::move(fresh));
        const std::scoped_lock hold(lock_);
        seats_.push_back(taken);
        return taken;
    }
    void remove(const seat& gone) {
        const std::scoped_lock hold(lock_);
        std::erase(seats_, gone);
    }
    [[nodiscard]] std::vector<seat> present() const {
        const std::scoped_lock hold(lock_);
        return seats_;
    }

private:
    mutable std::mutex lock_;
    std::vector<seat> seats_;
};

class workers {
public:
    workers(const audience& to, const options& how) {
        for (unsigned worker = 0; worker < how.workers; ++worker)
            threads_.emplace_back([&to, worker, pace = how.pace](const std::stop_token& stop) {
                while (!stop.stop_requested()) {
                    for (const audience::seat& each : to.present()) (*each)(worker);
                    std::this_thread::sleep_for(pace);
                }
            });
    }

    /// Returns when every worker has ended.
    void stop() {
        for (std::jthread& thread : threads_) thread.request_stop();
        threads_.clear();
    }

private:
    std::vector<std::jthread> threads_;
};

} // namespace relay
