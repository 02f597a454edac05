// Would catch: a release or nudge that is lost when it comes before the sleep, a nudge taken for a release,
// a deadline that is ignored or that ends the final park(), a wait for a moment that has passed.

#include <support/catch.hpp>
#include <support/difference_traits.hpp>
#include <support/step_traits.hpp>

#include <wsolo/sync/parker.hpp>

using namespace std::chrono_literals;
using parker = wsolo::basic_parker<support::step_traits>;
using support::actor;
using support::step_clock;

TEST_CASE("what comes before the sleep ends it at once", "[sync][parker]") {
    parker released;
    released.release();
    released.park();
    released.park_until(parker::time_point::max());

    parker nudged;
    nudged.nudge();
    nudged.park_until(parker::time_point::max());
}

TEST_CASE("a nudge wakes but does not release", "[sync][parker]") {
    parker bed;
    actor sleeper([&] {
        bed.park_until(parker::time_point::max());
        bed.park();
    });
    sleeper.run();
    CHECK(sleeper.is_asleep());
    bed.nudge();
    sleeper.run();
    CHECK(sleeper.is_asleep());
    bed.release();
    sleeper.run();
    CHECK(sleeper.has_finished());
}

TEST_CASE("a deadline ends park_until but not park", "[sync][parker]") {
    parker bed;
    const auto deadline = step_clock::in(5s);
    actor sleeper([&] {
        bed.park_until(deadline);
        bed.park();
    });
    sleeper.run();
    CHECK(sleeper.is_asleep());
    step_clock::advance(1h);
    sleeper.run();
    CHECK_FALSE(sleeper.has_finished());
    bed.release();
    sleeper.run();
    CHECK(sleeper.has_finished());

    parker late;
    late.park_until(step_clock::now()); // passed already: no sleep
}

TEST_CASE("no thread sleeps until a moment that has passed", "[sync][parker]") {
    using support::difference_traits;
    wsolo::basic_parker<difference_traits> bed;
    for (const auto passed :
         {wsolo::time_point::min(), wsolo::time_point::min() + 1ns, wsolo::time_point() - 2h})
        bed.park_until(passed);
    CHECK(difference_traits::take_endless_waits() == 0);
}
