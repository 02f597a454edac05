// Would catch: a default that is no bound, or that does not hold the reader back.

#include <support/catch.hpp>

#include <wsolo/sync/inbox_limits.hpp>

TEST_CASE("the default bounds memory and pauses the reader", "[sync][inbox]") {
    constexpr wsolo::inbox_limits usual;
    CHECK(usual.max_bytes == 1024 * 1024);
    CHECK(usual.max_messages == 1024);
    CHECK(usual.when_full == wsolo::inbox_overflow::pause);
}
