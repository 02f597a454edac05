// Would catch: a default without a bound, and an ending that claims a Close before there was one.

#include <support/catch.hpp>

#include <wsolo/endpoint/options.hpp>

using namespace std::chrono_literals;

TEST_CASE("by default memory, silence and the end are bounded", "[endpoint][options]") {
    const wsolo::endpoint_options usual;
    CHECK(usual.reading.max_message_size <= 64 * 1024 * 1024);
    CHECK(usual.writing.limits.max_bytes <= 64 * 1024 * 1024);
    CHECK(usual.handling.max_bytes <= 64 * 1024 * 1024);
    CHECK(usual.beating.ping_interval > 0ms);
    CHECK(usual.beating.pong_timeout > 0ms);
    CHECK(usual.ending.close_timeout > 0ms);
    CHECK(usual.handle_quantum > 0);
}

TEST_CASE("a connection that never saw a Close ended abnormally", "[endpoint][options]") { // RFC 6455 §7.1.5
    CHECK(wsolo::ending{}.code == wsolo::close_code::abnormal);
    CHECK_FALSE(wsolo::ending{}.peer_closed);
    CHECK_FALSE(wsolo::endpoint_wants{}.finished);
}
