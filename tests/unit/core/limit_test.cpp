// Would catch: a zero that bounds everything, or a limit that is not kept as it is.

#include <support/catch.hpp>

#include <wsolo/core/limit.hpp>

#include <cstdint>

using namespace std::chrono_literals;

TEST_CASE("no limit bounds nothing, any other is itself", "[core][limit]") {
    CHECK(wsolo::bound_of(std::uint32_t{0}) == UINT32_MAX);
    CHECK(wsolo::bound_of(std::uint64_t{0}) == UINT64_MAX);
    CHECK(wsolo::bound_of(std::uint16_t{0}) == UINT16_MAX);
    CHECK(wsolo::bound_of(std::uint32_t{1}) == 1);
    CHECK(wsolo::bound_of(UINT64_MAX) == UINT64_MAX);
}

TEST_CASE("no timeout never comes, any other is itself", "[core][limit]") {
    CHECK(wsolo::bound_of(0ms) == wsolo::duration::max());
    CHECK(wsolo::bound_of(1ms) == wsolo::duration(1ms));
    CHECK(wsolo::bound_of(-1s) == wsolo::duration(-1s));
    CHECK(wsolo::bound_of(std::chrono::hours::max()) == wsolo::duration::max());
    CHECK(wsolo::deadline_after(wsolo::time_point{5s}, wsolo::bound_of(0ms)) == wsolo::no_deadline);
}
