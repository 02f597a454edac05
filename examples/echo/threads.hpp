#pragma once
// Threads beside the loop's: some that handle messages, some that do to connections what an administrator would.
//
// Laws of this file:
// - Connections are known by weak handles alone: one that is over is found out, and forgotten, when it is used.

#include <wsolo/core/error.hpp>
#include <wsolo/frame/close_code.hpp>

#include <chrono>
#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

/// Does what it is given, first come, first served. What was not begun when it goes is dropped.
class pool {
public:
    using task = std::function<void()>;

    void start(unsigned threads) {
        while (threads_.size() < threads)
            threads_.emplace_back([this](const std::stop_token& stop) { work(stop); });
    }
    /// Any thread.
    void post(task next) {
        const std::scoped_lock hold(lock_);
        tasks_.push_back(std::move(next));
        wake_.notify_one();
    }

private:
    void work(const std::stop_token& stop) {
        std::unique_lock hold(lock_);
        while (wake_.wait(hold, stop, [this] { return !tasks_.empty(); }) && !stop.stop_requested()) {
            const task next = std::move(tasks_.front());
            tasks_.pop_front();
            hold.unlock();
            next();
            hold.lock();
        }
    }

    std::mutex lock_;
    std::condition_variable_any wake_;
    std::deque<task> tasks_;
    std::vector<std::jthread> threads_; ///< the last, so that they end before what they use
};

/// An endpoint's `Work` hook.
struct in_a_pool {
    pool* threads;
    void operator()(auto whom) const {
        threads->post([whom = std::move(whom)] {
            if (const auto live = whom.try_use()) live->work();
        });
    }
};

/// Closes connections that it was told of, one at a time. Any thread.
class closer {
public:
    void add(auto handle) {
        const std::scoped_lock hold(lock_);
        closes_.push_back([handle = std::move(handle)] {
            const auto live = handle.try_use();
            return live &&
                   live->close(wsolo::close_code::service_restart, "please come back") == wsolo::errc::none;
        });
    }
    void close_one() {
        while (const auto close = take_one())
            if (close()) return;
    }

private:
    std::function<bool()> take_one() {
        const std::scoped_lock hold(lock_);
        if (closes_.empty()) return nullptr;
        std::swap(closes_.back(), closes_[++taken_ % closes_.size()]);
        auto last = std::move(closes_.back());
        closes_.pop_back();
        return last;
    }

    std::mutex lock_;
    std::vector<std::function<bool()>> closes_;
    std::size_t taken_ = 0;
};

/// Calls `act` again and again. Zero: never.
inline std::jthread every(std::chrono::milliseconds interval, auto act) {
    if (interval.count() == 0) return {};
    return std::jthread([interval, act](const std::stop_token& stop) mutable {
        for (; !stop.stop_requested(); act()) std::this_thread::sleep_for(interval);
    });
}
