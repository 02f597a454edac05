// Would catch: a Close that leaves before the messages before it are handled, or after its time, that is sent twice or
// forgotten, and one that waits where none is owed.

#include <support/catch.hpp>

#include <wsolo/endpoint/detail/owed_close.hpp>

namespace {

using namespace std::chrono_literals;
using wsolo::errc;
using wsolo::detail::owed_close;
constexpr wsolo::time_point start = wsolo::time_point(1000s);

} // namespace

TEST_CASE("nothing is owed at first", "[endpoint][owed_close]") {
    const owed_close owed;
    CHECK_FALSE(owed.is_owed());
    CHECK_FALSE(owed.is_due(true, start));
    CHECK_FALSE(owed.is_due(true, wsolo::no_deadline));
    CHECK(owed.deadline() == wsolo::no_deadline);
}

TEST_CASE("the first that is owed stands", "[endpoint][owed_close]") {
    const auto reply = wsolo::make_close<wsolo::role::server>(wsolo::close_code::going_away, "bye");
    owed_close owed;
    owed.owe(errc::rate_exceeded, start + 5s);
    owed.owe(errc::connection_lost, start + 9s);
    owed.owe(*reply, start + 9s);
    CHECK(owed.deadline() == start + 5s);
    const auto first = owed.take();
    CHECK_FALSE(first.reply.has_value());
    CHECK(first.error == errc::rate_exceeded);
    owed.owe(*reply, start + 9s);
    owed.owe(errc::rate_exceeded, start + 5s);
    const auto next = owed.take();
    CHECK(next.reply.has_value());
    CHECK(next.error == errc::none);
}

TEST_CASE("a Close is due when the messages are over, or in its time", "[endpoint][owed_close]") {
    owed_close owed;
    const bool is_reply = GENERATE(true, false);
    const auto reply = wsolo::make_close<wsolo::role::server>(wsolo::close_code::going_away, "bye");
    if (is_reply) {
        owed.owe(*reply, start + 5s);
    } else {
        owed.owe(errc::connection_lost, start + 5s);
    }
    CHECK(owed.is_owed());
    CHECK(owed.deadline() == start + 5s);
    CHECK_FALSE(owed.is_due(false, start + 5s - 1ns));
    CHECK(owed.is_due(false, start + 5s));
    CHECK(owed.is_due(true, start));
    const auto taken = owed.take();
    REQUIRE(taken.reply.has_value() == is_reply);
    if (is_reply) CHECK(wsolo::text_of(taken.reply->bytes()) == wsolo::text_of(reply->bytes()));
    CHECK(taken.error == (is_reply ? errc::none : errc::connection_lost));
    // Once.
    CHECK_FALSE(owed.is_owed());
    CHECK_FALSE(owed.is_due(true, start + 6s));
    CHECK(owed.deadline() == wsolo::no_deadline);
}
