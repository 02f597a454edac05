// Would catch: a read before the deadline that was told after which what became due in it is not told, and one at that deadline
// that does not look for what is due.

#include <support/endpoint_fixture.hpp>

namespace {

constexpr int ping_op = 9;

wsolo::endpoint_options beating() {
    wsolo::endpoint_options options;
    options.beating = {.ping_interval = 20s, .pong_timeout = 10s, .pong_only = true};
    options.ending.close_timeout = 4s;
    return options;
}

} // namespace

TEMPLATE_TEST_CASE("a read at the deadline does what is due", "[endpoint]", server, client) {
    endpoint_fixture<TestType> f(beating());
    const wsolo::time_point told = f.run().deadline;
    CHECK(told == manual_clock::now() + 20s);
    for (int i = 0; i < 19; ++i) {
        manual_clock::advance(1s);
        CHECK(f.receive(f.text("x")).deadline == told);
    }
    CHECK(f.sent_with_plain_pings().empty());
    manual_clock::advance(1s);
    f.receive(f.text("x"));
    CHECK(f.sent_with_plain_pings() == sent_frames{{ping_op, ""}});
}

TEMPLATE_TEST_CASE("an end that begins with the last write of a read has its deadline told", "[endpoint]",
                   server, client) {
    endpoint_fixture<TestType> f(beating());
    f.run();
    f.wire.rule([] { return wsolo::testing::scripted_step{io_status::failed, 0, 5}; });
    manual_clock::advance(1s);
    f.receive(f.frame(wsolo::opcode::ping, "")); // its PONG is not written
    CHECK(f.wants.deadline <= manual_clock::now() + 4s);
    CHECK(f.live_for(5s).finished);
}
