#pragma once
// moodycamel's lock-free queues, with a token per producer, taken up to 64 at a time: the plain one, whose
// thread yields and then sleeps for moments, and the blocking one. The bound is their own estimate of their
// length.

#include "sync_queues.hpp"

#include <concurrentqueue/blockingconcurrentqueue.h>

#include <array>

namespace bench {

template <class Queue>
class moodycamel_queue {
public:
    static constexpr bool sleeps =
        requires(Queue& queue) { queue.wait_dequeue_bulk(nullptr, std::size_t{}); };
    static constexpr const char* name = sleeps ? "moodycamel_blocking" : "moodycamel";

    class producer {
    public:
        producer(moodycamel_queue& to) : queue_(to.queue_), token_(queue_) {}
        bool push(const message& item) {
            return queue_.size_approx() < most_messages && queue_.enqueue(token_, item);
        }

    private:
        Queue& queue_;
        moodycamel::ProducerToken token_;
    };

    std::uint64_t finish() {
        stopping_ = true;
        if constexpr (sleeps) queue_.enqueue(message{});
        thread_.join();
        return sum_;
    }

private:
    void run() {
        moodycamel::ConsumerToken token(queue_);
        std::array<message, 64> batch;
        for (int empty = 0;;) {
            const bool stopping = stopping_;
            std::size_t count = queue_.try_dequeue_bulk(token, batch.begin(), batch.size());
            if constexpr (sleeps) {
                if (count == 0 && !stopping)
                    count = queue_.wait_dequeue_bulk(token, batch.begin(), batch.size());
            }
            for (std::size_t i = 0; i < count; ++i) adder{&sum_}(std::move(batch[i]));
            if (count != 0)
                empty = 0;
            else if (stopping)
                return;
            else if (++empty < 200)
                std::this_thread::yield();
            else
                std::this_thread::sleep_for(std::chrono::microseconds(20));
        }
    }

    std::uint64_t sum_ = 0;
    Queue queue_;
    std::atomic<bool> stopping_{false};
    std::thread thread_{[this] { run(); }};
};

using moodycamel_polled = moodycamel_queue<moodycamel::ConcurrentQueue<message>>;
using moodycamel_blocking = moodycamel_queue<moodycamel::BlockingConcurrentQueue<message>>;

} // namespace bench
