// Would catch: a blocking seam that forgot one of the names that sleeping code reaches for.

#include <support/catch.hpp>

#include <wsolo/sync/blocking_traits.hpp>

TEST_CASE("the blocking seam adds the standard mutex and condition variable", "[sync][blocking_traits]") {
    STATIC_REQUIRE(std::is_same_v<wsolo::std_blocking_traits::mutex, std::mutex>);
    STATIC_REQUIRE(std::is_same_v<wsolo::std_blocking_traits::condition_variable, std::condition_variable>);
    STATIC_REQUIRE(std::is_base_of_v<wsolo::std_traits, wsolo::std_blocking_traits>);
}
