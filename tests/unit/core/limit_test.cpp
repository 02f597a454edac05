// Would catch: a zero that bounds everything, or a limit that is not kept as it is.

#include <support/catch.hpp>

#include <wsolo/core/limit.hpp>

#include <cstdint>

TEST_CASE("no limit bounds nothing, any other is itself", "[core][limit]") {
    CHECK(wsolo::bound_of(std::uint32_t{0}) == UINT32_MAX);
    CHECK(wsolo::bound_of(std::uint64_t{0}) == UINT64_MAX);
    CHECK(wsolo::bound_of(std::uint16_t{0}) == UINT16_MAX);
    CHECK(wsolo::bound_of(std::uint32_t{1}) == 1);
    CHECK(wsolo::bound_of(UINT64_MAX) == UINT64_MAX);
}
