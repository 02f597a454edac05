#pragma once
// Numbers that complete in order, and threads that wait for them: wsolo's barrier, and what people write.
//
// A barrier here has complete(n), in order from 1; wait(mark); and release(), which ends every wait.

#include <wsolo/sync/sequence_barrier.hpp>

#include <atomic>
#include <condition_variable>
#include <list>
#include <mutex>
#include <thread>

namespace bench {

class wsolo_barrier {
public:
    static constexpr const char* name = "wsolo";
    void complete(std::uint64_t n) {
        static_cast<void>(barrier_.issue());
        barrier_.complete(n);
    }
    void wait(std::uint64_t mark) { static_cast<void>(barrier_.wait_up_to(mark)); }
    void release() { barrier_.close(wsolo::errc::closed); }

private:
    wsolo::sequence_barrier barrier_;
};

/// The textbook's: one mutex, one condition variable for all waiters.
class shared_condition {
public:
    static constexpr const char* name = "mutex_one_cv";
    void complete(std::uint64_t n) {
        {
            const std::lock_guard hold(mutex_);
            done_ = n;
        }
        changed_.notify_all();
    }
    void wait(std::uint64_t mark) {
        std::unique_lock hold(mutex_);
        changed_.wait(hold, [&] { return done_ >= mark; });
    }
    void release() { complete(~std::uint64_t{0}); }

private:
    std::mutex mutex_;
    std::condition_variable changed_;
    std::uint64_t done_ = 0;
};

/// The better one: a condition variable for each waiter, and only those that are due are woken.
class condition_each {
public:
    static constexpr const char* name = "mutex_cv_each";
    void complete(std::uint64_t n) {
        const std::lock_guard hold(mutex_);
        done_ = n;
        for (waiter* one : waiters_) {
            if (one->mark <= n) one->wakeup.notify_one();
        }
    }
    void wait(std::uint64_t mark) {
        std::unique_lock hold(mutex_);
        if (done_ >= mark) return;
        waiter self{mark, {}};
        const auto at = waiters_.insert(waiters_.end(), &self);
        self.wakeup.wait(hold, [&] { return done_ >= mark; });
        waiters_.erase(at);
    }
    void release() { complete(~std::uint64_t{0}); }

private:
    struct waiter {
        std::uint64_t mark;
        std::condition_variable wakeup;
    };
    std::mutex mutex_;
    std::list<waiter*> waiters_;
    std::uint64_t done_ = 0;
};

/// As the LMAX Disruptor's yielding strategy waits: a hundred looks, then a yield between them. It never
/// sleeps.
class yielding_spin {
public:
    static constexpr const char* name = "spin_yield";
    void complete(std::uint64_t n) { done_.store(n, std::memory_order_release); }
    void wait(std::uint64_t mark) {
        for (int looks = 100; done_.load(std::memory_order_acquire) < mark;) {
            if (looks > 0)
                --looks;
            else
                std::this_thread::yield();
        }
    }
    void release() { complete(~std::uint64_t{0}); }

private:
    std::atomic<std::uint64_t> done_{0};
};

} // namespace bench
