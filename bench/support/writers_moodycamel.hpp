#pragma once
// moodycamel's lock-free queue, with a token per producer, and a thread that takes up to 64 frames and
// gathers them into one writev.
//
// The queue has neither a bound nor a way to sleep: the bound here is its own estimate of its length, and the
// thread that finds it empty yields, and after a while sleeps for moments.

#include "writers_common.hpp"

#include <concurrentqueue/concurrentqueue.h>

#include <array>
#include <atomic>

namespace bench {

class moodycamel_writev {
    using queue = moodycamel::ConcurrentQueue<std::string>;

public:
    static constexpr const char* name = "moodycamel";
    static constexpr std::size_t farewell = 0;

    class producer {
    public:
        explicit producer(moodycamel_writev& writer) : queue_(writer.queue_), token_(queue_) {}
        bool try_send(wsolo::const_bytes payload) {
            std::string frame = frame_of(payload);
            if (queue_.size_approx() * frame.size() >= backlog_bytes) return false;
            must(queue_.enqueue(token_, std::move(frame)));
            return true;
        }

    private:
        queue& queue_;
        moodycamel::ProducerToken token_;
    };

    explicit moodycamel_writev(wire& to) : to_(to), thread_([this] { run(); }) {}

    void finish() {
        stopping_ = true;
        thread_.join();
    }

private:
    static constexpr std::size_t batch = 64;
    static constexpr int yields = 200;

    void run() {
        moodycamel::ConsumerToken token(queue_);
        std::array<std::string, batch> frames;
        for (int empty = 0;;) {
            const bool stopping = stopping_;
            const std::size_t count = queue_.try_dequeue_bulk(token, frames.begin(), batch);
            if (count != 0) {
                write(std::span(frames).first(count));
                empty = 0;
            } else if (stopping) {
                return;
            } else if (++empty < yields) {
                std::this_thread::yield();
            } else {
                std::this_thread::sleep_for(std::chrono::microseconds(20));
            }
        }
    }

    void write(std::span<std::string> frames) const {
        if (to_.is_null()) return;
        std::array<iovec, batch> parts;
        for (std::size_t i = 0; i < frames.size(); ++i) parts[i] = {frames[i].data(), frames[i].size()};
        const ssize_t taken = ::writev(to_.descriptor(), parts.data(), static_cast<int>(frames.size()));
        must(taken >= 0);
        auto skip = static_cast<std::size_t>(taken);
        for (const std::string& frame : frames) { // what a partial write left
            const std::size_t done = std::min(skip, frame.size());
            write_all(to_, frame.data() + done, frame.size() - done);
            skip -= done;
        }
    }

    const wire& to_;
    queue queue_;
    std::atomic<bool> stopping_{false};
    std::thread thread_;
};

} // namespace bench
