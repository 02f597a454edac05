// Would catch: a deadline that wraps into the past.

#include <support/catch.hpp>

#include <wsolo/core/time.hpp>

using namespace std::chrono_literals;

TEST_CASE("deadlines saturate instead of wrapping", "[core][time]") {
    const wsolo::time_point now{5s};
    CHECK(wsolo::deadline_after(now, 2s) == wsolo::time_point{7s});
    CHECK(wsolo::deadline_after(now, wsolo::duration::max()) == wsolo::no_deadline);
    CHECK(wsolo::deadline_after(wsolo::no_deadline, 1s) == wsolo::no_deadline);
    CHECK(wsolo::deadline_after(now, 0s) == now);
}
