// Would catch: a heartbeat that goes on, or an end that is asked, beside the other; an end that begins anew with its second event.

#include <support/catch.hpp>

#include <wsolo/endpoint/detail/life.hpp>

using namespace std::chrono_literals;
using wsolo::role;
using wsolo::time_point;
using life = wsolo::detail::life<wsolo::basic_heartbeat<false>>;

static_assert(sizeof(life) <= 40);

namespace {
constexpr time_point start{100h};
constexpr wsolo::heartbeat_options pings{.ping_interval = 20s, .pong_timeout = 10s};
constexpr wsolo::end_options ends{.close_timeout = 4s};
} // namespace

TEST_CASE("while it lives the heartbeat is due, and nothing of the end", "[endpoint][life]") {
    life one(pings, start);
    REQUIRE(one.beat() != nullptr);
    CHECK(one.deadline() == start + 20s);
    one.beat()->on_received(start + 5s);
    CHECK(one.deadline() == start + 25s);
    CHECK(one.wants_input());
    CHECK_FALSE(one.is_discarding());
    CHECK_FALSE(one.is_waiting());
    CHECK_FALSE(one.is_gone());
    CHECK_FALSE(one.missed_close());
}

TEST_CASE("the end takes the heartbeat's place with its first event, once", "[endpoint][life]") {
    life one(pings, start);
    one.end(role::server, ends).on_output_over(true, start + 1s);
    CHECK(one.beat() == nullptr);
    CHECK(one.is_waiting());
    CHECK(one.wants_input());
    CHECK(one.deadline() == start + 4s); // the first of two looks, a quarter before the bound
    one.end(role::server, ends).on_peer_close(start + 2s);
    CHECK(one.is_discarding());
    CHECK(one.end(role::server, ends).next(start + 2s).end_output);
    one.end(role::server, ends).on_input_over(start + 3s);
    CHECK(one.is_gone());
    CHECK_FALSE(one.wants_input());
    CHECK_FALSE(one.missed_close());
}

TEST_CASE("an end whose answer did not come says so", "[endpoint][life]") {
    life one(pings, start);
    one.end(role::client, ends).on_output_over(true, start);
    static_cast<void>(one.end(role::client, ends).next(start + 3s));
    static_cast<void>(one.end(role::client, ends).next(start + 4s));
    CHECK(one.is_gone());
    CHECK(one.missed_close());
}

TEST_CASE("a sign of life is waited for since the PING was written, or since the end's wait began",
          "[endpoint][life]") {
    auto only_pongs = pings;
    only_pongs.pong_only = true;
    life one(only_pongs, start);
    static_cast<void>(one.beat()->tick(start + 20s));
    one.beat()->on_ping_written(start + 21s);
    CHECK(one.waiting_since() == start + 21s);
    one.beat()->on_progress(start + 22s);
    CHECK(one.waiting_since() == start + 22s);
    one.end(role::server, ends).on_output_over(true, start + 30s);
    CHECK(one.waiting_since() == start + 30s);
    one.end(role::server, ends).on_progress(start + 31s);
    CHECK(one.waiting_since() == start + 31s);
}
