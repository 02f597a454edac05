// Would catch: a watermark that passes an open number or stops before a done one, a window that overflows,
// numbers whose bits collide, a handler's writes that a waiter does not see.

#include <support/catch.hpp>
#include <support/sync.hpp>

#include <wsolo/sync/unordered_barrier.hpp>

#include <algorithm>
#include <thread>

using namespace std::chrono_literals;
using support::manual_clock;
using support::recorded;
using wsolo::errc;
using barrier_type = wsolo::basic_unordered_barrier<64, support::step_traits>;

TEST_CASE("the watermark follows the lowest open number in every order of completion",
          "[sync][unordered_barrier]") {
    std::vector<std::uint64_t> order{1, 2, 3, 4, 5};
    do {
        barrier_type barrier;
        bool done[7] = {true};
        for (int i = 0; i < 5; ++i) REQUIRE(barrier.issue().has_value());
        recorded all(5);
        REQUIRE(barrier.add(all));
        for (const std::uint64_t n : order) {
            CHECK(all.fired == 0);
            (n % 2 == 0) ? barrier.abandon(n) : barrier.complete(n);
            done[n] = true;
            bool is_done = true;
            for (std::uint64_t mark = 0; mark <= 6; ++mark) {
                is_done = is_done && done[mark];
                CHECK(barrier.has_reached(mark) == is_done);
            }
        }
        CHECK(all.fired == 1);
    } while (std::next_permutation(order.begin(), order.end()));
}

TEST_CASE("the window bounds what is open and slides", "[sync][unordered_barrier]") {
    wsolo::basic_unordered_barrier<128, support::step_traits> barrier;
    static_assert(decltype(barrier)::window == 128);
    for (std::uint64_t n = 1; n <= 128; ++n) REQUIRE(barrier.issue().value() == n);
    CHECK(barrier.issue().error() == errc::queue_full);
    CHECK(barrier.issue_ticket().number() == 0);
    CHECK(barrier.snapshot() == 128);
    for (std::uint64_t n = 2; n <= 128; ++n) barrier.complete(n); // all but the first: still full
    CHECK(barrier.issue().error() == errc::queue_full);
    CHECK_FALSE(barrier.has_reached(1));
    barrier.complete(1);
    CHECK(barrier.has_reached(128));
    for (std::uint64_t round = 0; round < 5; ++round) { // bits are used again
        const std::uint64_t base = 128 + round * 100;
        for (std::uint64_t n = 1; n <= 100; ++n) REQUIRE(barrier.issue().value() == base + n);
        for (std::uint64_t n = 100; n >= 1; --n) {
            CHECK_FALSE(barrier.has_reached(base + 1));
            barrier.complete(base + n);
        }
        CHECK(barrier.has_reached(base + 100));
    }
}

TEST_CASE("an unordered handler completes when it throws and waits for others but not itself",
          "[sync][unordered_barrier]") {
    barrier_type barrier;
    auto first = barrier.issue_ticket();
    auto second = barrier.issue_ticket();
    const auto throwing = [&] {
        const auto work = barrier.handle(std::move(second));
        CHECK(barrier.wait_up_to(1, manual_clock::now()) == errc::timed_out);
        CHECK(barrier.wait_up_to(2, manual_clock::now()) == errc::would_deadlock);
        throw 1;
    };
    CHECK_THROWS_AS(throwing(), int);
    CHECK_FALSE(barrier.has_reached(1));
    first.complete();
    CHECK(barrier.has_reached(2));
}

TEST_CASE("two handlers that end at once wake whoever waits for both", "[sync][unordered_barrier]") {
    struct shared {
        barrier_type barrier;
        recorded both{2};
        shared() {
            static_cast<void>(barrier.issue().value() + barrier.issue().value());
            static_cast<void>(barrier.add(both));
        }
    };
    const support::runs tried = support::interleave([] {
        auto all = std::make_shared<shared>();
        return support::scenario{[all] { all->barrier.complete(1); }, [all] { all->barrier.complete(2); },
                                 [all] {
                                     CHECK(all->both.fired == 1);
                                     CHECK(all->barrier.has_reached(2));
                                 }};
    });
    CHECK(tried.stuck == 0);
}

TEST_CASE("a pool completes out of order and every waiter sees all before it",
          "[sync][unordered_barrier][stress]") {
    wsolo::unordered_barrier<> barrier;
    constexpr std::uint64_t total = 4000;
    std::vector<std::uint64_t> written(total + 1);
    std::atomic<int> wrong{0};
    std::vector<std::thread> pool;
    for (int t = 0; t < 4; ++t) {
        pool.emplace_back([&] {
            for (;;) {
                const auto number = barrier.issue();
                if (!number) {
                    std::this_thread::yield();
                    continue;
                }
                if (*number <= total) written[*number] = *number;
                barrier.complete(*number);
                if (*number >= total) return;
            }
        });
    }
    for (std::uint64_t mark = 1; mark <= total; mark += 37) {
        if (barrier.wait_up_to(mark, std::chrono::steady_clock::now() + 60s) != errc::none) ++wrong;
        if (written[mark] != mark || written[(mark + 1) / 2] != (mark + 1) / 2) ++wrong;
    }
    for (std::thread& worker : pool) worker.join();
    CHECK(wrong == 0);
}
