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
    owed_close owed;
    CHECK_FALSE(owed.is_due(true, start));
    CHECK_FALSE(owed.is_due(true, wsolo::no_deadline));
    CHECK(owed.deadline() == wsolo::no_deadline);
    CHECK(owed.take_reply() == nullptr);
    CHECK(owed.take_error() == errc::none);
}

TEST_CASE("the first that is owed stands", "[endpoint][owed_close]") {
    const auto reply = wsolo::make_close<wsolo::role::server>(wsolo::close_code::going_away, "bye");
    owed_close owed;
    owed.owe(errc::rate_exceeded, start + 5s);
    owed.owe(errc::connection_lost, start + 9s);
    CHECK(owed.owe(*reply, start + 9s));
    CHECK(owed.deadline() == start + 5s);
    CHECK(owed.take_reply() == nullptr);
    CHECK(owed.take_error() == errc::rate_exceeded);
    CHECK(owed.owe(*reply, start + 9s));
    owed.owe(errc::rate_exceeded, start + 5s);
    CHECK(owed.take_error() == errc::none);
    CHECK(owed.take_reply() != nullptr);
}

TEST_CASE("a Close is due when the messages are over, or in its time", "[endpoint][owed_close]") {
    owed_close owed;
    const bool is_reply = GENERATE(true, false);
    const auto reply = wsolo::make_close<wsolo::role::server>(wsolo::close_code::going_away, "bye");
    if (is_reply) {
        REQUIRE(owed.owe(*reply, start + 5s));
    } else {
        owed.owe(errc::connection_lost, start + 5s);
    }
    CHECK(owed.deadline() == start + 5s);
    CHECK_FALSE(owed.is_due(false, start + 5s - 1ns));
    CHECK(owed.is_due(false, start + 5s));
    CHECK(owed.is_due(true, start));
    const auto taken = owed.take_reply();
    REQUIRE((taken != nullptr) == is_reply);
    if (is_reply) CHECK(wsolo::text_of(taken->bytes()) == wsolo::text_of(reply->bytes()));
    CHECK(owed.take_error() == (is_reply ? errc::none : errc::connection_lost));
    // Once.
    CHECK_FALSE(owed.is_due(true, start + 6s));
    CHECK(owed.deadline() == wsolo::no_deadline);
    CHECK(owed.take_reply() == nullptr);
    CHECK(owed.take_error() == errc::none);
}
