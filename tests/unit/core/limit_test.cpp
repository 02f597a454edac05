// Would catch: a zero that bounds everything, a limit that is not kept as it is, a bound for compressed data that wraps.

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

TEST_CASE("what is compressed may be a quarter longer, and never wraps", "[core][limit]") {
    static_assert(wsolo::compressed_bound_of(0) == 0); // none stays none
    static_assert(wsolo::compressed_bound_of(1) == 1025);
    static_assert(wsolo::compressed_bound_of(4000) == 6024);
    CHECK(wsolo::compressed_bound_of(UINT64_MAX) == UINT64_MAX);
    CHECK(wsolo::compressed_bound_of(UINT64_MAX / 5 * 4) > UINT64_MAX / 5 * 4);
    CHECK(wsolo::compressed_bound_of(UINT64_MAX / 5 * 4 + 4) == UINT64_MAX);
}
