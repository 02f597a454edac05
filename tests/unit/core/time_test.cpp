// Would catch: a deadline that wraps into the past, or to the future; a span in a coarser unit that overflows on the way.

#include <support/catch.hpp>

#include <wsolo/core/time.hpp>

#include <cstdint>
#include <limits>

using namespace std::chrono_literals;

TEST_CASE("deadlines saturate instead of wrapping", "[core][time]") {
    const wsolo::time_point now{5s};
    CHECK(wsolo::deadline_after(now, 2s) == wsolo::time_point{7s});
    CHECK(wsolo::deadline_after(now, wsolo::duration::max()) == wsolo::no_deadline);
    CHECK(wsolo::deadline_after(wsolo::no_deadline, 1s) == wsolo::no_deadline);
    CHECK(wsolo::deadline_after(now, 0s) == now);
}

TEST_CASE("deadlines saturate at the clock's beginning too, from either side of its zero", "[core][time]") {
    CHECK(wsolo::deadline_after(wsolo::time_point{5s}, wsolo::duration::min()) ==
          wsolo::time_point{5s} + wsolo::duration::min());
    CHECK(wsolo::deadline_after(wsolo::time_point{-5s}, wsolo::duration::min()) == wsolo::time_point::min());
    CHECK(wsolo::deadline_after(wsolo::time_point{-5s}, wsolo::duration::max()) ==
          wsolo::time_point{wsolo::duration::max() - 5s});
    CHECK(wsolo::deadline_after(wsolo::time_point::min(), -1ns) == wsolo::time_point::min());
    CHECK(wsolo::deadline_after(wsolo::time_point::min(), 0ns) == wsolo::time_point::min());
}

TEST_CASE("a span in any unit that a user can configure saturates", "[core][time]") {
    CHECK(wsolo::saturated(std::chrono::milliseconds::max()) == wsolo::duration::max());
    CHECK(wsolo::saturated(std::chrono::milliseconds::min()) == wsolo::duration::min());
    CHECK(wsolo::saturated(std::chrono::hours::max()) == wsolo::duration::max());
    CHECK(wsolo::saturated(-3s) == wsolo::duration(-3s));
    CHECK(wsolo::saturated(wsolo::duration::max()) == wsolo::duration::max());
    CHECK(wsolo::saturated(std::chrono::duration<unsigned>{5}) == 5s); // narrow, unsigned
    CHECK(wsolo::saturated(std::chrono::duration<std::int32_t, std::milli>{-7}) == -7ms);
    CHECK(wsolo::saturated(std::chrono::duration<std::uint64_t, std::nano>{UINT64_MAX}) ==
          wsolo::duration::max());
    CHECK(wsolo::saturated(std::chrono::duration<double>{1.5}) == 1500ms);
    using fine = std::chrono::duration<double, std::nano>;
    CHECK(wsolo::saturated(fine{std::numeric_limits<double>::infinity()}) == wsolo::duration::max());
    CHECK(wsolo::saturated(fine{-std::numeric_limits<double>::infinity()}) == wsolo::duration::min());
    CHECK(wsolo::saturated(fine{std::numeric_limits<double>::quiet_NaN()}) == wsolo::duration::max());
    CHECK(wsolo::deadline_after(wsolo::time_point{5s}, std::chrono::milliseconds::max()) ==
          wsolo::no_deadline);
    CHECK(wsolo::deadline_after(wsolo::time_point{5s}, 20ms) == wsolo::time_point{5020ms});
}

TEST_CASE("no timeout never comes, any other is itself", "[core][time]") {
    CHECK(wsolo::bound_of(0ms) == wsolo::duration::max());
    CHECK(wsolo::bound_of(1ms) == wsolo::duration(1ms));
    CHECK(wsolo::bound_of(-1s) == wsolo::duration(-1s));
    CHECK(wsolo::bound_of(std::chrono::hours::max()) == wsolo::duration::max());
    CHECK(wsolo::deadline_after(wsolo::time_point{5s}, wsolo::bound_of(0ms)) == wsolo::no_deadline);
}
