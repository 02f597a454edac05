#pragma once
// Threads that do what they are given, first come, first served.
//
// Laws of this file:
// - What was not begun when the pool ends is dropped: a task holds nothing that must be done.

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <new>
#include <stop_token>
#include <thread>
#include <vector>

namespace loop {

class thread_pool {
public:
    using task = std::function<void()>;

    explicit thread_pool(unsigned threads) {
        for (unsigned i = 0; i < threads; ++i)
            threads_.emplace_back([this](const std::stop_token& stop) { work(stop); });
    }

    /// Any thread. False when there is no memory.
    [[nodiscard]] bool post(task next) noexcept {
        try {
            const std::scoped_lock hold(lock_);
            tasks_.push_back(std::move(next));
        } catch (const std::bad_alloc&) {
            return false;
        }
        wake_.notify_one();
        return true;
    }

private:
    void work(const std::stop_token& stop) {
        while (true) {
            task next;
            {
                std::unique_lock hold(lock_);
                if (!wake_.wait(hold, stop, [this] { return !tasks_.empty(); }) || stop.stop_requested())
                    return;
                next = std::move(tasks_.front());
                tasks_.pop_front();
            }
            next();
        }
    }

    std::mutex lock_;
    std::condition_variable_any wake_;
    std::deque<task> tasks_;
    std::vector<std::jthread> threads_; ///< the last, so that they end before what they use
};

} // namespace loop
