#pragma once
// What people write by hand, with a mutex: around the write itself, around a queue of frames that a thread
// takes one by one, around a byte string that a thread swaps out whole.

#include "writers_common.hpp"

#include <condition_variable>
#include <deque>
#include <mutex>

namespace bench {

/// Every producer writes its own frame, in turn. Nothing is queued, so nothing is ever full.
class mutex_write {
public:
    static constexpr const char* name = "mutex_write";
    using producer = plain_producer<mutex_write>;
    static constexpr std::size_t farewell = 0;

    explicit mutex_write(wire& to) : to_(to) {}

    bool try_send(wsolo::const_bytes payload) {
        const std::string frame = frame_of(payload);
        const std::lock_guard hold(mutex_);
        write_all(to_, frame.data(), frame.size());
        return true;
    }
    void finish() {}

private:
    const wire& to_;
    std::mutex mutex_;
};

/// The textbook's: one frame queued, one woken, one written.
class mutex_deque {
public:
    static constexpr const char* name = "mutex_deque";
    using producer = plain_producer<mutex_deque>;
    static constexpr std::size_t farewell = 0;

    explicit mutex_deque(wire& to) : to_(to), thread_([this] { run(); }) {}

    bool try_send(wsolo::const_bytes payload) {
        std::string frame = frame_of(payload);
        {
            const std::lock_guard hold(mutex_);
            if (held_ + frame.size() > backlog_bytes) return false;
            held_ += frame.size();
            queue_.push_back(std::move(frame));
        }
        changed_.notify_one();
        return true;
    }
    void finish() {
        {
            const std::lock_guard hold(mutex_);
            stopping_ = true;
        }
        changed_.notify_one();
        thread_.join();
    }

private:
    void run() {
        for (std::unique_lock hold(mutex_);;) {
            changed_.wait(hold, [this] { return stopping_ || !queue_.empty(); });
            if (queue_.empty()) return;
            const std::string frame = std::move(queue_.front());
            queue_.pop_front();
            hold.unlock();
            write_all(to_, frame.data(), frame.size());
            hold.lock();
            held_ -= frame.size();
        }
    }

    const wire& to_;
    std::mutex mutex_;
    std::condition_variable changed_;
    std::deque<std::string> queue_;
    std::size_t held_ = 0;
    bool stopping_ = false;
    std::thread thread_;
};

/// The fast one: frames are encoded at the end of one string while the thread writes the other. What is being
/// written counts towards the bound here as it does for wsolo.
class mutex_swap {
public:
    static constexpr const char* name = "mutex_swap";
    using producer = plain_producer<mutex_swap>;
    static constexpr std::size_t farewell = 0;

    explicit mutex_swap(wire& to) : to_(to), thread_([this] { run(); }) {}

    bool try_send(wsolo::const_bytes payload) {
        bool wake = false;
        {
            const std::lock_guard hold(mutex_);
            if (queued_.size() + in_flight_ + payload.size() > backlog_bytes) return false;
            append_to(queued_, payload);
            wake = sleeping_;
        }
        if (wake) changed_.notify_one();
        return true;
    }
    void finish() {
        {
            const std::lock_guard hold(mutex_);
            stopping_ = true;
        }
        changed_.notify_one();
        thread_.join();
    }

private:
    void run() {
        std::string batch;
        for (std::unique_lock hold(mutex_);;) {
            in_flight_ = 0;
            sleeping_ = true;
            changed_.wait(hold, [this] { return stopping_ || !queued_.empty(); });
            sleeping_ = false;
            if (queued_.empty()) return;
            batch.clear();
            std::swap(batch, queued_);
            in_flight_ = batch.size();
            hold.unlock();
            write_all(to_, batch.data(), batch.size());
            hold.lock();
        }
    }

    const wire& to_;
    std::mutex mutex_;
    std::condition_variable changed_;
    std::string queued_;
    std::size_t in_flight_ = 0;
    bool sleeping_ = false, stopping_ = false;
    std::thread thread_;
};

} // namespace bench
