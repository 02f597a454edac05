// Would catch: a wake-up lost between looking and sleeping, a verdict out of its order, a waiter woken too
// early or not at all, a node that stays linked when its wait has ended.

#include <support/catch.hpp>
#include <support/sync.hpp>

#include <wsolo/sync/sequence_barrier.hpp>
#include <wsolo/sync/stop_token.hpp>

#include <optional>

using namespace std::chrono_literals;
using support::actor;
using support::recorded;
using support::step_barrier;
using support::step_clock;
using wsolo::errc;

namespace {

struct fake_stop {
    bool requested;
    template <class Function>
    struct callback_type {
        callback_type(fake_stop token, Function function) {
            if (token.requested) function();
        }
    };
    [[nodiscard]] bool stop_requested() const { return requested; }
};

} // namespace

TEST_CASE("satisfied beats closed beats would_deadlock beats cancelled beats timed_out", "[sync][barrier]") {
    for (int causes = 0; causes < 32; ++causes) {
        const bool satisfied = (causes & 1) != 0;
        const bool closed = (causes & 2) != 0;
        const bool inside = (causes & 4) != 0;
        const bool stopped = (causes & 8) != 0;
        const bool late = (causes & 16) != 0;
        if (!satisfied && !closed && !inside && !stopped && !late) continue; // would wait for ever
        INFO("causes " << causes);
        step_barrier barrier;
        const std::uint64_t mark = barrier.issue();
        if (satisfied) barrier.complete(mark);
        if (closed) barrier.close(errc::connection_lost);
        std::optional<wsolo::basic_handler_scope<support::step_traits>> scope;
        if (inside) scope.emplace(&barrier, mark);
        const errc expected = satisfied ? errc::none
                              : closed  ? errc::connection_lost
                              : inside  ? errc::would_deadlock
                              : stopped ? errc::cancelled
                                        : errc::timed_out;
        const auto deadline = late ? step_clock::now() : step_clock::in(1h);
        CHECK(barrier.wait_up_to(mark, deadline, fake_stop{stopped}) == expected);
        CHECK_FALSE(barrier.has_waiters());
    }
}

TEST_CASE("a wait for what is done is one load; completing without waiters is one RMW", "[sync][barrier]") {
    step_barrier barrier;
    const std::uint64_t mark = barrier.issue();
    CHECK(support::steps_of([&] { barrier.complete(mark); }) == 2); // the load checks the order
    errc answer = errc::closed;
    CHECK(support::steps_of([&] { answer = barrier.wait_up_to(mark); }) == 1);
    CHECK(answer == errc::none);
}

TEST_CASE("no wake-up is lost between looking and sleeping", "[sync][barrier]") {
    struct shared {
        step_barrier barrier;
        std::uint64_t mark = barrier.issue();
        step_clock::time_point deadline = step_clock::in(1h);
        errc answer = errc::closed;
    };
    const bool waiter_first = GENERATE(true, false);
    const support::runs tried = support::interleave([&] {
        auto all = std::make_shared<shared>();
        const std::function<void()> wait = [all] {
            all->answer = all->barrier.wait_up_to(all->mark, all->deadline);
        };
        const std::function<void()> complete = [all] { all->barrier.complete(all->mark); };
        return support::scenario{waiter_first ? wait : complete, waiter_first ? complete : wait, [all] {
                                     CHECK(all->answer == errc::none);
                                     CHECK_FALSE(all->barrier.has_waiters());
                                 }};
    });
    CHECK(tried.count >= 4);
    CHECK(tried.stuck == 0);
}

TEST_CASE("close wakes every waiter whenever it comes", "[sync][barrier]") {
    struct shared {
        step_barrier barrier;
        std::uint64_t mark = barrier.issue();
        step_clock::time_point deadline = step_clock::in(1h);
        errc answer = errc::none;
    };
    const bool waiter_first = GENERATE(true, false);
    const support::runs tried = support::interleave([&] {
        auto all = std::make_shared<shared>();
        const std::function<void()> wait = [all] {
            all->answer = all->barrier.wait_up_to(all->mark, all->deadline);
        };
        const std::function<void()> close = [all] { all->barrier.close(errc::pong_timeout); };
        return support::scenario{waiter_first ? wait : close, waiter_first ? close : wait,
                                 [all] { CHECK(all->answer == errc::pong_timeout); }};
    });
    CHECK(tried.stuck == 0);
}

TEST_CASE("a wait that times out while it is satisfied leaves nothing behind", "[sync][barrier]") {
    struct shared {
        step_barrier barrier;
        std::uint64_t mark = barrier.issue();
        errc answer = errc::closed;
    };
    const bool waiter_first = GENERATE(true, false);
    const support::runs tried = support::interleave([&] {
        auto all = std::make_shared<shared>();
        const std::function<void()> wait = [all] {
            all->answer = all->barrier.wait_up_to(all->mark, step_clock::now());
        };
        const std::function<void()> complete = [all] { all->barrier.complete(all->mark); };
        return support::scenario{waiter_first ? wait : complete, waiter_first ? complete : wait, [all] {
                                     CHECK((all->answer == errc::none || all->answer == errc::timed_out));
                                     CHECK_FALSE(all->barrier.has_waiters());
                                     CHECK(all->barrier.done() == all->mark);
                                 }};
    });
    CHECK(tried.count >= 4);
    CHECK(tried.stuck == 0);
}

TEST_CASE("only satisfied waiters wake and the others stay", "[sync][barrier]") {
    step_barrier barrier;
    const std::uint64_t mark = barrier.issue_many(3);
    errc low = errc::closed, high = errc::closed;
    actor lower([&] { low = barrier.wait_up_to(mark - 1, step_clock::in(1h)); });
    actor higher([&] { high = barrier.wait_up_to(mark, step_clock::in(1h)); });
    higher.run();
    lower.run();
    barrier.complete(1);
    lower.run();
    CHECK(lower.is_asleep());
    barrier.complete(2);
    lower.run();
    higher.run();
    CHECK(lower.has_finished());
    CHECK(low == errc::none);
    CHECK(higher.is_asleep());
    CHECK(barrier.has_waiters());
    barrier.complete(3);
    higher.finish();
    CHECK(high == errc::none);
    CHECK_FALSE(barrier.has_waiters());
}

TEST_CASE("waiters fire once by their marks and may come and go while others fire", "[sync][barrier]") {
    std::vector<std::uint64_t> order;
    step_barrier barrier;
    barrier.issue_many(4);
    recorded three(3, &order), one(1, &order), four(4, &order), gone(2, &order), done(0, &order);
    CHECK(barrier.add(three));
    CHECK(barrier.add(gone));
    CHECK(barrier.add(one));
    CHECK(barrier.add(four));
    CHECK_FALSE(barrier.add(done));
    CHECK(done.outcome == errc::none);
    CHECK(barrier.remove(gone));
    for (std::uint64_t n = 1; n <= 3; ++n) barrier.complete(n);
    CHECK(order == std::vector<std::uint64_t>{1, 3});
    CHECK_FALSE(barrier.remove(three));
    barrier.close(errc::aborted);
    CHECK(order == std::vector<std::uint64_t>{1, 3, 4});
    CHECK(four.outcome == errc::aborted);
    CHECK(three.outcome == errc::none);
    recorded late(4, &order);
    CHECK_FALSE(barrier.add(late));
    CHECK(late.outcome == errc::aborted);
    CHECK(late.fired + gone.fired == 0);
}

TEST_CASE("the first close counts and what completes later is still satisfied", "[sync][barrier]") {
    step_barrier barrier;
    const std::uint64_t mark = barrier.issue_many(2);
    CHECK_FALSE(barrier.is_closed());
    barrier.close(errc::connection_lost);
    barrier.close(errc::aborted);
    CHECK(barrier.is_closed());
    CHECK(barrier.wait_up_to(mark) == errc::connection_lost);
    barrier.complete(1);
    barrier.complete(2);
    CHECK(barrier.wait_up_to(mark) == errc::none);
    CHECK(barrier.wait_up_to(mark + 1) == errc::connection_lost);
    CHECK(barrier.issue() == 3);
}

TEST_CASE("a mark is reached by the number that bears it", "[sync][barrier]") {
    step_barrier barrier;
    CHECK(barrier.has_reached(0));
    CHECK(barrier.wait_up_to(0, step_clock::now()) == errc::none);
    const std::uint64_t mark = barrier.issue();
    CHECK_FALSE(barrier.has_reached(mark));
    CHECK(barrier.wait_up_to(mark, step_clock::now()) == errc::timed_out);
    errc answer = errc::timed_out;
    actor sleeper([&] { answer = barrier.wait_up_to(mark, step_clock::in(1h)); });
    sleeper.run();
    CHECK(sleeper.is_asleep());
    barrier.complete(mark);
    sleeper.join();
    CHECK(answer == errc::none);
    CHECK(barrier.has_reached(mark));
    CHECK_FALSE(barrier.has_reached(mark + 1));
    barrier.close(errc::aborted);
    CHECK(barrier.wait_up_to(mark, step_clock::now()) == errc::none);
    CHECK(barrier.wait_up_to(mark + 1, step_clock::now()) == errc::aborted);
}

TEST_CASE("a sleeping wait ends by its deadline and its node is gone", "[sync][barrier]") {
    step_barrier barrier;
    const std::uint64_t mark = barrier.issue();
    errc answer = errc::none;
    actor sleeper([&] { answer = barrier.wait_up_to(mark, step_clock::in(2s)); });
    sleeper.run();
    CHECK(sleeper.is_asleep());
    CHECK(barrier.has_waiters());
    step_clock::advance(3s);
    sleeper.join();
    CHECK(answer == errc::timed_out);
    CHECK_FALSE(barrier.has_waiters());
    barrier.complete(mark);
}

#if defined(__cpp_lib_jthread)
TEST_CASE("a stop token ends a sleeping wait and its node is gone", "[sync][barrier]") {
    step_barrier barrier;
    const std::uint64_t mark = barrier.issue();
    std::stop_source source;
    errc answer = errc::none;
    actor sleeper([&] { answer = barrier.wait_up_to(mark, step_clock::in(1h), source.get_token()); });
    sleeper.run();
    CHECK(sleeper.is_asleep());
    source.request_stop();
    sleeper.join();
    CHECK(answer == errc::cancelled);
    CHECK_FALSE(barrier.has_waiters());
    barrier.complete(mark);
}
#endif
