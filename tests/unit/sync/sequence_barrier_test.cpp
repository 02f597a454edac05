// Would catch: a number used twice, an abandoned number that is waited for or that lets waits pass what is
// still open, a handler whose number is never completed because it threw, a handler that waits for itself
// unnoticed.

#include <support/catch.hpp>
#include <support/sync.hpp>

#include <wsolo/sync/sequence_barrier.hpp>

#include <stdexcept>
#include <string>

using namespace std::chrono_literals;
using support::actor;
using support::recorded;
using support::step_barrier;
using support::step_clock;
using wsolo::errc;

TEST_CASE("numbers grow by 1 from 1 and are never used again", "[sync][sequence_barrier]") {
    step_barrier barrier;
    CHECK(barrier.snapshot() == 0);
    CHECK(barrier.has_reached(0));
    CHECK(barrier.issue() == 1);
    CHECK_FALSE(barrier.has_reached(1));
    barrier.abandon(1);
    CHECK(barrier.snapshot() == 1);
    CHECK(barrier.has_reached(1));
    CHECK(barrier.issue() == 2);
    CHECK(barrier.issue() == 3);
    barrier.abandon(3);
    CHECK(barrier.issue() == 4);
    CHECK(barrier.snapshot() == 4);
}

TEST_CASE("a wait passes abandoned numbers and waits for nothing after them", "[sync][sequence_barrier]") {
    step_barrier barrier;
    barrier.issue_many(3);
    barrier.abandon(2);
    barrier.abandon(3);
    recorded response(3);
    REQUIRE(barrier.add(response));
    barrier.begin(1);
    barrier.complete(1);
    CHECK(response.fired == 1);
    CHECK(response.outcome == errc::none);

    barrier.issue_many(3); // 4 accepted, 5 abandoned, 6 accepted
    barrier.abandon(5);
    recorded next(5);
    REQUIRE(barrier.add(next));
    barrier.complete(4);
    CHECK(next.fired == 0); // whether 6 is accepted was not said yet
    barrier.begin(6);
    CHECK(next.fired == 1);
    CHECK_FALSE(barrier.has_reached(6));
    barrier.complete(6);
    CHECK(barrier.has_reached(6));
}

namespace {

/// Three numbers, each abandoned or handled, in every order that a serial drainer allows, against plain
/// flags.
class every_order {
public:
    int run() {
        next("");
        return paths_;
    }

private:
    static constexpr int numbers = 3;
    enum class fate { unissued, open, running, done };

    void next(const std::string& so_far) {
        fate fates[numbers + 1] = {};
        const int issued = replay(so_far, fates);
        bool is_leaf = true;
        const auto go = [&](char what, int n) {
            is_leaf = false;
            next(so_far + what + static_cast<char>('0' + n));
        };
        if (issued < numbers) go('i', issued + 1);
        bool may_begin = true;
        for (int n = 1; n <= issued; ++n) {
            if (fates[n] == fate::open) {
                go('a', n);
                if (may_begin) go('b', n);
            }
            if (fates[n] == fate::running) go('c', n);
            may_begin = may_begin && fates[n] == fate::done;
        }
        if (is_leaf) ++paths_;
    }

    /// Returns how many were issued. Only the last step's outcome is news.
    int replay(const std::string& steps, fate (&fates)[numbers + 1]) {
        step_barrier barrier;
        int issued = 0;
        for (std::size_t at = 0; at < steps.size(); at += 2) {
            const int n = steps[at + 1] - '0';
            const auto number = static_cast<std::uint64_t>(n);
            switch (steps[at]) {
            case 'i':
                issued = static_cast<int>(barrier.issue());
                fates[n] = fate::open;
                break;
            case 'a':
                barrier.abandon(number);
                fates[n] = fate::done;
                break;
            case 'b':
                barrier.begin(number);
                fates[n] = fate::running;
                break;
            default:
                barrier.complete(number);
                fates[n] = fate::done;
                break;
            }
        }
        judge(steps, barrier, issued, fates);
        return issued;
    }

    static void judge(const std::string& steps, step_barrier& barrier, int issued,
                      const fate (&fates)[numbers + 1]) {
        INFO(steps);
        int decided = 0; // the greatest number with all below it and itself done
        while (decided < issued && fates[decided + 1] == fate::done) ++decided;
        CHECK(barrier.done() <= static_cast<std::uint64_t>(decided)); // never too early
        const bool is_running = decided < issued && fates[decided + 1] == fate::running;
        if (is_running || decided == issued) CHECK(barrier.done() == static_cast<std::uint64_t>(decided));
    }

    int paths_ = 0;
};

} // namespace

TEST_CASE("waits are neither early nor stuck in every order of issue and abandon and completion",
          "[sync][sequence_barrier]") {
    CHECK(every_order().run() > 100);
}

TEST_CASE("abandoning the last number while the one before completes ends the wait",
          "[sync][sequence_barrier]") {
    struct shared {
        step_barrier barrier;
        recorded response{2};
        shared() {
            barrier.issue_many(2);
            static_cast<void>(barrier.add(response));
        }
    };
    const bool abandon_first = GENERATE(true, false);
    const support::runs tried = support::interleave([&] {
        auto all = std::make_shared<shared>();
        const std::function<void()> complete = [all] { all->barrier.complete(1); };
        const std::function<void()> abandon = [all] { all->barrier.abandon(2); };
        return support::scenario{abandon_first ? abandon : complete, abandon_first ? complete : abandon,
                                 [all] {
                                     CHECK(all->response.fired == 1);
                                     CHECK(all->barrier.done() == 2);
                                     CHECK_FALSE(all->barrier.has_waiters());
                                 }};
    });
    CHECK(tried.count >= 4);
    CHECK(tried.stuck == 0);
}

TEST_CASE("abandoning never passes a number that another thread issues meanwhile",
          "[sync][sequence_barrier]") {
    struct shared {
        step_barrier barrier;
        std::uint64_t one = barrier.issue();
        std::uint64_t two = 0;
    };
    const support::runs tried = support::interleave([] {
        auto all = std::make_shared<shared>();
        return support::scenario{[all] { all->barrier.abandon(all->one); },
                                 [all] { all->two = all->barrier.issue(); },
                                 [all] {
                                     CHECK(all->two == 2);
                                     CHECK(all->barrier.done() == 1);
                                     all->barrier.begin(2);
                                     CHECK(all->barrier.done() == 1);
                                     all->barrier.complete(2);
                                     CHECK(all->barrier.done() == 2);
                                 }};
    });
    CHECK(tried.stuck == 0);
}

TEST_CASE("a handler completes its number at its end also when it throws", "[sync][sequence_barrier]") {
    step_barrier barrier;
    barrier.issue_many(2);
    {
        const auto work = barrier.handle(1);
        CHECK(work.number() == 1);
        CHECK_FALSE(barrier.has_reached(1));
    }
    CHECK(barrier.has_reached(1));
    const auto throwing = [&] {
        const auto work = barrier.handle(2);
        throw std::runtime_error("handler");
    };
    CHECK_THROWS_AS(throwing(), std::runtime_error);
    CHECK(barrier.has_reached(2));
}

TEST_CASE("a handler that waits for itself is told so and only then", "[sync][sequence_barrier]") {
    step_barrier barrier, other;
    barrier.issue_many(3);
    other.issue_many(1);
    barrier.complete(1);
    {
        const auto work = barrier.handle(2);
        CHECK(barrier.wait_up_to(1) == errc::none);
        CHECK(barrier.wait_up_to(2, step_clock::now()) == errc::would_deadlock);
        CHECK(barrier.wait_up_to(3, step_clock::now()) == errc::would_deadlock);
        CHECK(other.wait_up_to(1, step_clock::now()) == errc::timed_out);
        errc elsewhere = errc::none;
        actor([&] { elsewhere = barrier.wait_up_to(2, step_clock::now()); }).run();
        CHECK(elsewhere == errc::timed_out);
    }
    CHECK(barrier.wait_up_to(3, step_clock::now()) == errc::timed_out);
}

TEST_CASE("what a completion calls back still keeps the drainer from later numbers",
          "[sync][sequence_barrier]") {
    struct probe final : wsolo::waiter {
        explicit probe(step_barrier& on)
            : waiter(
                  [](waiter& self) noexcept {
                      auto& mine = static_cast<probe&>(self);
                      mine.answer = mine.barrier.wait_up_to(2, step_clock::now());
                  },
                  1),
              barrier(on) {}
        step_barrier& barrier;
        errc answer = errc::none;
    };
    step_barrier barrier;
    barrier.issue_many(2);
    probe callback(barrier);
    REQUIRE(barrier.add(callback));
    { const auto work = barrier.handle(1); }
    CHECK(callback.answer == errc::would_deadlock);
}

TEST_CASE("after close a queue may drop its numbers in any order", "[sync][sequence_barrier]") {
    step_barrier barrier;
    barrier.issue_many(4);
    barrier.complete(1);
    barrier.close(errc::aborted);
    barrier.complete(4);
    barrier.complete(3);
    CHECK(barrier.done() == 1);
    CHECK(barrier.wait_up_to(3) == errc::aborted);
    barrier.complete(2);
    CHECK(barrier.done() == 4);
    CHECK(barrier.wait_up_to(4) == errc::none);
}
