// Would catch: a Close that leaves before the messages before it are handled, or after its time, that is sent twice or
// forgotten, and one that waits where none is owed.

#include <support/catch.hpp>

#include <wsolo/endpoint/detail/owed_close.hpp>

namespace {

using namespace std::chrono_literals;
using wsolo::detail::owed_close;
constexpr wsolo::time_point start = wsolo::time_point(1000s);

} // namespace

TEST_CASE("nothing is owed at first", "[endpoint][owed_close]") {
    owed_close owed;
    CHECK_FALSE(owed.is_due(true, start));
    CHECK_FALSE(owed.is_due(true, wsolo::no_deadline));
    CHECK(owed.deadline() == wsolo::no_deadline);
    CHECK(owed.take_reply() == nullptr);
    CHECK_FALSE(owed.take_lost());
}

TEST_CASE("a Close is due when the messages are over, or in its time", "[endpoint][owed_close]") {
    owed_close owed;
    const bool is_reply = GENERATE(true, false);
    const auto reply = wsolo::make_close<wsolo::role::server>(wsolo::close_code::going_away, "bye");
    if (is_reply) {
        REQUIRE(owed.owe(*reply, start + 5s));
    } else {
        owed.owe_lost(start + 5s);
    }
    CHECK(owed.deadline() == start + 5s);
    CHECK_FALSE(owed.is_due(false, start + 5s - 1ns));
    CHECK(owed.is_due(false, start + 5s));
    CHECK(owed.is_due(true, start));
    const auto taken = owed.take_reply();
    REQUIRE((taken != nullptr) == is_reply);
    if (is_reply) CHECK(wsolo::text_of(taken->bytes()) == wsolo::text_of(reply->bytes()));
    CHECK(owed.take_lost() == !is_reply);
    // Once.
    CHECK_FALSE(owed.is_due(true, start + 6s));
    CHECK(owed.deadline() == wsolo::no_deadline);
    CHECK(owed.take_reply() == nullptr);
    CHECK_FALSE(owed.take_lost());
}
