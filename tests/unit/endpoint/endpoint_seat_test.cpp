// Endpoints in a group. Would catch: a member whose close never begins or comes in the wrong loop, a loop that is not told when
// to come for it, and an end that the group does not count.

#include <support/endpoint_fixture.hpp>

namespace {
using group = wsolo::basic_connection_group<manual_traits>;
} // namespace

TEMPLATE_TEST_CASE("an endpoint is closed with its group, in its own loop, and counted", "[endpoint][group]",
                   server, client) {
    group everyone;
    endpoint_fixture<TestType> first, second;
    REQUIRE(first.whole->join(everyone) == errc::none);
    REQUIRE(second.whole->join(everyone) == errc::none);
    CHECK(everyone.send_text("to all").accepted == 2);
    first.run_until_quiet();
    second.run_until_quiet();
    REQUIRE(everyone.close_all(wsolo::close_code::going_away, "", 10s, 4s) == errc::none); // 2 s apart
    first.run_until_quiet();
    second.run_until_quiet();
    const sent_frames all{{1, "to all"}, {8, "\x03\xe9"}};
    CHECK((first.sent() == all) != (second.sent() == all)); // one begins
    auto& early = first.sent() == all ? first : second;
    auto& late = first.sent() == all ? second : first;
    CHECK(late.wants.deadline == manual_clock::now() + 2s);
    late.live_for(2s);
    late.run_until_quiet();
    CHECK(late.sent() == all);
    for (auto* each : {&early, &late}) {
        CHECK(everyone.wait(manual_clock::now()) == errc::timed_out);
        each->receive(each->close_frame("\x03\xe9"));
        CHECK(each->end_of_input().finished);
    }
    CHECK(everyone.wait(manual_clock::now()) == errc::none);
    CHECK(everyone.report().closed_in_order == 2);
    CHECK(everyone.report().frames_written == 4);
    endpoint_fixture<TestType> third;
    CHECK(third.whole->join(everyone) == errc::closed);
}

TEMPLATE_TEST_CASE("an endpoint that is destroyed leaves its group", "[endpoint][group]", server, client) {
    group everyone;
    endpoint_fixture<TestType> f;
    REQUIRE(f.whole->join(everyone) == errc::none);
    f.whole.reset();
    CHECK(everyone.send_text("to no member").accepted == 0);
    CHECK(everyone.report().present == 0);
    CHECK(everyone.report().gone == 1);
}
