// Would catch: a result that is both, or that reads as an integer.

#include <support/catch.hpp>

#include <wsolo/core/result.hpp>

#include <string>

using wsolo::errc;
using wsolo::result;

TEST_CASE("a result is a value or an error", "[core][result]") {
    const result<std::size_t> zero = std::size_t{0};
    CHECK(zero);
    CHECK(*zero == 0);
    CHECK(zero.error() == errc::none);
    const result<std::size_t> failed = errc::queue_full;
    CHECK_FALSE(failed);
    CHECK(failed.error() == errc::queue_full);
    STATIC_REQUIRE_FALSE(std::is_convertible_v<result<std::size_t>, std::size_t>);
    STATIC_REQUIRE_FALSE(std::is_convertible_v<result<std::size_t>, bool>);
}

TEST_CASE("a value can be moved out", "[core][result]") {
    result<std::string> made = std::string("moved");
    CHECK(made->size() == 5);
    const std::string taken = *std::move(made);
    CHECK(taken == "moved");
}
