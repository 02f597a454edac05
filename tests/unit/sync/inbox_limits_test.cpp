// Would catch: a default that is no bound, or that does not hold the reader back.

#include <support/catch.hpp>

#include <support/inbox_fixture.hpp>

#include <wsolo/sync/inbox_limits.hpp>

TEST_CASE("the default bounds memory and pauses the reader", "[sync][inbox]") {
    constexpr wsolo::inbox_limits usual;
    CHECK(usual.max_bytes == 1024 * 1024);
    CHECK(usual.max_messages == 1024);
    CHECK(usual.when_full == wsolo::inbox_overflow::pause);
}

TEST_CASE("a zero bounds nothing", "[sync][inbox]") {
    support::inbox_fixture f(
        {.max_bytes = 0, .max_messages = 0, .when_full = wsolo::inbox_overflow::drop_newest});
    for (int i = 0; i < 3000; ++i) {
        const wsolo::inbox_push pushed = f.in.push("x", 1000);
        REQUIRE(pushed.error == wsolo::errc::none);
        REQUIRE_FALSE(pushed.pause);
    }
    static_cast<void>(f.drain());
    CHECK(f.handled.size() == 3000);
}
