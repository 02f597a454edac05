#pragma once
// Messages handed to one handling thread: wsolo's inbox, and mutexed queues. All are bounded by as many
// messages.
//
// A queue here starts its thread; has push(message), false: full; and finish(), which returns when all is
// handled.

#include <wsolo/sync/threaded_inbox.hpp>

#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>
#include <vector>

namespace bench {

/// As large as what a server hands on: a view, its owner, a kind.
struct message {
    void* owner;
    std::uint64_t value;
    std::size_t size;
    std::size_t kind;
};

inline constexpr std::size_t most_messages = 64 * 1024;

/// What a handler does: little, so that the queue is what counts.
struct adder {
    std::uint64_t* sum;
    void operator()(message&& item) const { *sum += item.value; }
};

inline constexpr wsolo::inbox_limits inbox_bound{.max_bytes = std::size_t{1} << 30,
                                                 .max_messages = most_messages};

/// An inbox with a thread that sleeps while it is idle.
class wsolo_threaded {
public:
    static constexpr const char* name = "wsolo_threaded";
    using producer = wsolo_threaded&;
    bool push(message item) { return in_.push(std::move(item), sizeof item).error == wsolo::errc::none; }
    std::uint64_t finish() {
        in_.close();
        static_cast<void>(in_.wait());
        return sum_;
    }

private:
    std::uint64_t sum_ = 0;
    wsolo::threaded_inbox<message, adder> in_{adder{&sum_}, inbox_bound};
};

/// An inbox drained by a loop that looks for work as the lock-free queues' does: it yields, and then
/// sleeps.
class wsolo_polled {
    struct flag {
        std::atomic<bool>* due;
        void operator()() const { due->store(true, std::memory_order_release); }
    };

public:
    static constexpr const char* name = "wsolo_polled";
    using producer = wsolo_polled&;
    bool push(message item) { return in_.push(std::move(item), sizeof item).error == wsolo::errc::none; }
    std::uint64_t finish() {
        in_.close();
        thread_.join();
        return sum_;
    }

private:
    void run() {
        for (int idle = 0;;) {
            if (!due_.exchange(false, std::memory_order_acquire)) {
                if (++idle < 200)
                    std::this_thread::yield();
                else
                    std::this_thread::sleep_for(std::chrono::microseconds(20));
                continue;
            }
            idle = 0;
            if (in_.drain(adder{&sum_}).status == wsolo::inbox_status::finished) return;
        }
    }

    std::uint64_t sum_ = 0;
    std::atomic<bool> due_{false};
    wsolo::inbox<message, flag> in_{flag{&due_}, inbox_bound};
    std::thread thread_{[this] { run(); }};
};

/// The textbook's: one message queued, one notification, one handled.
class mutex_deque {
public:
    static constexpr const char* name = "mutex_deque";
    using producer = mutex_deque&;
    bool push(message item) {
        {
            const std::lock_guard hold(mutex_);
            if (queue_.size() >= most_messages) return false;
            queue_.push_back(item);
        }
        changed_.notify_one();
        return true;
    }
    std::uint64_t finish() {
        {
            const std::lock_guard hold(mutex_);
            stopping_ = true;
        }
        changed_.notify_one();
        thread_.join();
        return sum_;
    }

private:
    void run() {
        for (std::unique_lock hold(mutex_);;) {
            changed_.wait(hold, [this] { return stopping_ || !queue_.empty(); });
            if (queue_.empty()) return;
            message item = queue_.front();
            queue_.pop_front();
            hold.unlock();
            adder{&sum_}(std::move(item));
            hold.lock();
        }
    }

    std::uint64_t sum_ = 0;
    std::mutex mutex_;
    std::condition_variable changed_;
    std::deque<message> queue_;
    bool stopping_ = false;
    std::thread thread_{[this] { run(); }};
};

/// The fast one: the handling thread swaps the whole queue out, and is notified only when it sleeps.
class mutex_swap {
public:
    static constexpr const char* name = "mutex_swap";
    using producer = mutex_swap&;
    bool push(message item) {
        bool wake = false;
        {
            const std::lock_guard hold(mutex_);
            if (queued_.size() + in_hand_ >= most_messages) return false;
            queued_.push_back(item);
            wake = std::exchange(sleeping_, false);
        }
        if (wake) changed_.notify_one();
        return true;
    }
    std::uint64_t finish() {
        {
            const std::lock_guard hold(mutex_);
            stopping_ = true;
        }
        changed_.notify_one();
        thread_.join();
        return sum_;
    }

private:
    void run() {
        std::vector<message> batch;
        for (std::unique_lock hold(mutex_);;) {
            in_hand_ = 0;
            while (!stopping_ && queued_.empty()) {
                sleeping_ = true;
                changed_.wait(hold);
            }
            sleeping_ = false;
            if (queued_.empty()) return;
            batch.clear();
            std::swap(batch, queued_);
            in_hand_ = batch.size();
            hold.unlock();
            for (message& item : batch) adder{&sum_}(std::move(item));
            hold.lock();
        }
    }

    std::uint64_t sum_ = 0;
    std::mutex mutex_;
    std::condition_variable changed_;
    std::vector<message> queued_;
    std::size_t in_hand_ = 0;
    bool sleeping_ = false, stopping_ = false;
    std::thread thread_{[this] { run(); }};
};

} // namespace bench
