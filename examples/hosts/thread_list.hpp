#pragma once
// Threads that come and go: each is joined after its end, when the next one begins, or when the list goes.

#include <atomic>
#include <list>
#include <system_error>
#include <thread>

/// One thread's.
class thread_list {
public:
    /// False: the system has no thread to give.
    [[nodiscard]] bool start(auto work) {
        threads_.remove_if([](const entry& each) { return each.is_over.load(); });
        entry& fresh = threads_.emplace_back();
        try {
            fresh.thread = std::jthread([&fresh, work = std::move(work)]() mutable {
                work();
                fresh.is_over = true;
            });
        } catch (const std::system_error&) {
            threads_.pop_back();
            return false;
        }
        return true;
    }

private:
    struct entry {
        std::atomic<bool> is_over{false};
        std::jthread thread;
    };
    std::list<entry> threads_;
};
