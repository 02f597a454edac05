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

TEMPLATE_TEST_CASE("after a PONG the next PING is told in time", "[endpoint]", server, client) {
    wsolo::endpoint_options options = beating();
    options.beating.pong_timeout = 60s;                // it is looked at after 45 s: later than the next PING
    options.beating.pong_only = GENERATE(true, false); // or the first byte makes the heartbeat quiet
    endpoint_fixture<TestType> f(options);
    f.run();
    for (std::size_t pings = 1; pings < 4; ++pings) {
        const wsolo::time_point begun = manual_clock::now();
        manual_clock::advance(f.wants.deadline - begun);
        f.run();
        CHECK(manual_clock::now() - begun <= 20s);
        const auto sent = f.sent();
        REQUIRE(sent.size() == pings);
        manual_clock::advance(100ms);
        f.receive(f.frame(wsolo::opcode::pong, sent.back().second));
        CHECK(f.wants.deadline <= f.whole->beat()->deadline());
    }
}

TEST_CASE("what is taken while reading is paused says nothing of the peer after it", "[endpoint]") {
    const auto seconds_to_the_verdict = [](bool sends) {
        wsolo::endpoint_options options;
        options.beating = {.ping_interval = 20s, .pong_timeout = 20s};
        options.handling.max_messages = 1;
        endpoint_fixture<server, counted_work> f(options);
        f.run();
        f.receive(f.text("it fills the inbox"));
        REQUIRE_FALSE(f.wants.read);
        for (int turn = 0; turn < 60; ++turn) { // ten minutes
            REQUIRE_FALSE(f.live_for(10s).finished);
            if (!sends) continue;
            REQUIRE(f.whole->send_text("tiny") == errc::none);
            f.run(); // its system takes it
        }
        f.whole->work();
        REQUIRE(f.run().read);
        const auto resumed = manual_clock::now();
        while (!f.log.endings.size() && manual_clock::now() < resumed + 10min) {
            manual_clock::advance(1ms);
            f.run();
            manual_clock::advance(1s - 1ms);
            f.run();
            f.whole->work(); // or the end waits for the handler
        }
        return (manual_clock::now() - resumed) / 1s;
    };
    const auto silent = seconds_to_the_verdict(false);
    CHECK(silent <= 41);
    CHECK(seconds_to_the_verdict(true) == silent);
}

TEST_CASE("PINGs go on while reading is paused", "[endpoint]") {
    wsolo::endpoint_options options;
    options.beating = {.ping_interval = 20s, .pong_timeout = 45s}; // the timeout is not what they wait for
    options.handling.max_messages = 1;
    endpoint_fixture<server, counted_work> f(options);
    f.run();
    f.receive(f.text("it fills the inbox"));
    REQUIRE_FALSE(f.wants.read);
    REQUIRE_FALSE(f.live_for(10min).finished);
    CHECK(f.sent_with_plain_pings().size() == 30);
}

TEST_CASE("a pause that begins while a PONG is awaited delays no PING", "[endpoint]") {
    wsolo::endpoint_options options;
    options.beating = {.ping_interval = 20s, .pong_timeout = 45s, .pong_only = true};
    options.handling.max_messages = 1;
    endpoint_fixture<server, counted_work> f(options);
    f.run();
    REQUIRE_FALSE(f.live_for(21s).finished);
    REQUIRE(f.whole->beat()->is_awaiting_pong());
    f.receive(f.text("it fills the inbox"));
    REQUIRE_FALSE(f.wants.read);
    REQUIRE_FALSE(f.live_for(18s).finished);
    CHECK(f.sent_with_plain_pings().size() == 1);
    REQUIRE_FALSE(f.live_for(1s).finished); // 20 s after the first
    CHECK(f.sent_with_plain_pings().size() == 2);
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

TEMPLATE_TEST_CASE("a write that stands since a read has its deadline told", "[endpoint]", server, client) {
    wsolo::endpoint_options options = beating();
    options.writing.timeouts.write = 3s;
    endpoint_fixture<TestType> f(options);
    f.run();
    f.wire.rule([] { return wsolo::testing::scripted_step{io_status::would_block, 0, 0}; });
    manual_clock::advance(1s);
    f.receive(f.frame(wsolo::opcode::ping, "")); // its PONG can't be written
    CHECK(f.wants.write);
    CHECK(f.wants.deadline <= manual_clock::now() + 3s);
}

TEMPLATE_TEST_CASE("a message that a read begins has its age told", "[endpoint]", server, client) {
    wsolo::endpoint_options options = beating();
    options.reading.max_message_age = 5s;
    endpoint_fixture<TestType> f(options);
    f.run();
    manual_clock::advance(1s);
    f.receive(f.frame({wsolo::opcode::text, false}, "begun"));
    CHECK(f.wants.deadline <= manual_clock::now() + 5s);
}
