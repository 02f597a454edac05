// Would catch: a response that overtakes the notifications before it or waits for those after it, a barrier
// that breaks when one request is still leaving as the next comes, handlers out of order, a shutdown
// without a bound. The five cases come from a service in which a shared wait-group did each of these.

#include <support/catch.hpp>
#include <support/sync.hpp>

#include <wsolo/sync/sequence_barrier.hpp>

#include <array>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>

using namespace std::chrono_literals;
using support::actor;
using support::step_barrier;
using support::step_clock;
using wsolo::errc;

namespace {

/// The receiving side of a connection: numbers in, handled one after the other by a thread of its own. What
/// handlers write is plain memory, so that ThreadSanitizer sees whether the barrier orders it.
class connection {
public:
    static constexpr std::size_t capacity = 8192;

    connection() : drainer_([this] { drain(); }) {}
    ~connection() { stop(); }

    void notify() {
        const std::lock_guard<std::mutex> lock(mutex_);
        queue_.push_back(barrier.issue());
        pushed_.notify_one();
    }
    void stop() {
        {
            const std::lock_guard<std::mutex> lock(mutex_);
            is_stopped_ = true;
            pushed_.notify_one();
        }
        if (drainer_.joinable()) drainer_.join();
    }

    wsolo::sequence_barrier barrier;
    std::array<std::uint64_t, capacity> handled{}; // handled[i]: the number that was handled as the i-th

private:
    void drain() {
        std::unique_lock<std::mutex> lock(mutex_);
        for (std::size_t count = 0;; ++count) {
            pushed_.wait(lock, [this] { return is_stopped_ || !queue_.empty(); });
            if (queue_.empty()) return;
            const std::uint64_t number = queue_.front();
            queue_.pop_front();
            lock.unlock();
            {
                const auto work = barrier.handle(number);
                handled[count % capacity] = number;
            }
            lock.lock();
        }
    }

    std::mutex mutex_;
    std::condition_variable pushed_;
    std::deque<std::uint64_t> queue_;
    bool is_stopped_ = false;
    std::thread drainer_;
};

} // namespace

TEST_CASE("S2: a response waits for the notifications before it", "[sync][sequence_barrier][cases]") {
    step_barrier barrier;
    barrier.issue_many(2);
    const std::uint64_t response = barrier.snapshot();
    errc answer = errc::closed;
    actor request([&] { answer = barrier.wait_up_to(response, step_clock::in(1h)); });
    request.run();
    CHECK(request.is_asleep());
    { const auto work = barrier.handle(1); }
    request.run();
    CHECK(request.is_asleep());
    { const auto work = barrier.handle(2); }
    request.join();
    CHECK(answer == errc::none);
}

TEST_CASE("S2: a response does not wait for the notifications after it", "[sync][sequence_barrier][cases]") {
    step_barrier barrier;
    barrier.issue_many(1);
    const std::uint64_t response = barrier.snapshot();
    barrier.issue_many(5); // later ones, whose handlers have not even begun
    { const auto work = barrier.handle(1); }
    CHECK(barrier.wait_up_to(response, step_clock::now()) == errc::none);
    {
        const auto work = barrier.handle(2); // a later one at work
        errc answer = errc::closed;
        actor request([&] { answer = barrier.wait_up_to(response, step_clock::now()); });
        request.run();
        CHECK(request.has_finished());
        CHECK(answer == errc::none);
    }
}

TEST_CASE("S2: requests overlap with notifications and with each other",
          "[sync][sequence_barrier][cases][stress]") {
    connection link;
    std::atomic<int> wrong{0};
    std::vector<std::thread> requests;
    for (int t = 0; t < 4; ++t) {
        requests.emplace_back([&] {
            for (int i = 0; i < 500; ++i) {
                link.notify();
                const std::uint64_t response = link.barrier.snapshot();
                link.notify();
                const auto deadline = std::chrono::steady_clock::now() + 60s;
                if (link.barrier.wait_up_to(response, deadline) != errc::none) ++wrong;
                if (link.handled[response - 1] != response) ++wrong;
            }
        });
    }
    for (std::thread& request : requests) request.join();
    link.stop();
    CHECK(wrong == 0);
    CHECK(link.barrier.has_reached(link.barrier.snapshot()));
}

TEST_CASE("S2: the order of many notifications is kept", "[sync][sequence_barrier][cases][stress]") {
    connection link;
    for (int i = 0; i < 5000; ++i) link.notify();
    CHECK(link.barrier.wait_up_to(link.barrier.snapshot(), std::chrono::steady_clock::now() + 60s) ==
          errc::none);
    bool is_ordered = true;
    for (std::uint64_t i = 0; i < 5000; ++i) is_ordered = is_ordered && link.handled[i] == i + 1;
    CHECK(is_ordered);
}

TEST_CASE("S2: a shutdown drains to the last notification within its bound",
          "[sync][sequence_barrier][cases]") {
    step_barrier barrier;
    barrier.issue_many(3);
    errc shutdown = errc::closed, request = errc::none;
    actor closer([&] { shutdown = barrier.wait_up_to(barrier.snapshot(), step_clock::in(100ms)); });
    actor waiting([&] { request = barrier.wait_up_to(3, step_clock::in(1h)); });
    waiting.run();
    closer.run();
    for (std::uint64_t n = 1; n <= 2; ++n) {
        const auto work = barrier.handle(n);
    }
    SECTION("the last handler ends in time") {
        { const auto work = barrier.handle(3); }
        closer.join();
        waiting.join();
        CHECK(shutdown == errc::none);
        CHECK(request == errc::none);
    }
    SECTION("the last handler hangs") {
        const auto work = barrier.handle(3);
        step_clock::advance(100ms);
        closer.join();
        CHECK(shutdown == errc::timed_out);
        waiting.run();
        CHECK(waiting.is_asleep());
        barrier.close(errc::closed); // and every thread that still waits is told
        waiting.join();
        CHECK(request == errc::closed);
    }
}
