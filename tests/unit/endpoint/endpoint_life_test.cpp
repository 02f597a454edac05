// Would catch: a PONG that the heartbeat does not hear of, a PING without room after which none follows, and a peer that
// is dead but may still take its time.

#include <support/endpoint_fixture.hpp>

namespace {

constexpr int ping_op = 9;

wsolo::endpoint_options beating(bool pong_only = false) {
    wsolo::endpoint_options options;
    options.beating = {.ping_interval = 20s, .pong_timeout = 10s, .pong_only = pong_only};
    return options;
}

} // namespace

TEMPLATE_TEST_CASE("where only a PONG is a sign of life, a PONG is one", "[endpoint]", server, client) {
    endpoint_fixture<TestType> f(beating(true));
    manual_clock::advance(20s);
    f.run();
    REQUIRE(f.sent_with_plain_pings() == sent_frames{{ping_op, ""}});
    manual_clock::advance(9s);
    SECTION("alone") { f.receive(f.frame(wsolo::opcode::pong, "")); }
    SECTION("among other things, and cut") {
        const std::string input = f.text("x") + f.frame(wsolo::opcode::pong, "any") + f.text("y");
        const std::size_t cut = GENERATE(range(std::size_t{0}, std::size_t{20}));
        if (cut > input.size()) return; // the client's peer does not mask
        f.receive(input.substr(0, cut));
        f.receive(input.substr(cut));
    }
    CHECK_FALSE(f.whole->beat()->is_awaiting_pong());
    f.live_for(20s); // what deadline was told before costs a call
    CHECK(f.sent_with_plain_pings().back() == std::pair<int, std::string>{ping_op, ""});
    CHECK(f.whole->beat()->is_awaiting_pong());
    CHECK_FALSE(f.wants.finished);
}

TEMPLATE_TEST_CASE("where only a PONG is a sign of life, nothing else is one", "[endpoint]", server, client) {
    endpoint_fixture<TestType> f(beating(true));
    manual_clock::advance(20s);
    f.run();
    manual_clock::advance(9s);
    f.receive(f.text("x") + f.frame(wsolo::opcode::ping, ""));
    CHECK(f.live_for(1s).finished);
    CHECK(f.log.endings.at(0).reason == errc::pong_timeout);
}

TEMPLATE_TEST_CASE("a PING that found no room is followed by another", "[endpoint]", server, client) {
    auto options = beating();
    options.writing.limits.control_reserve = 1;
    options.writing.timeouts.write = 60s;
    endpoint_fixture<TestType> f(options);
    bool is_full = true;
    f.wire.rule([&is_full] {
        return wsolo::testing::scripted_step{is_full ? io_status::would_block : io_status::ok,
                                             is_full ? std::size_t{0} : static_cast<std::size_t>(-1), 0};
    });
    REQUIRE(f.whole->send_text("first") == errc::none);
    CHECK(f.run().write);
    REQUIRE(f.whole->writer().send_ping(wsolo::bytes_of("the application's"), {}) == errc::none);
    manual_clock::advance(20s);
    f.run(); // no place for the endpoint's own
    is_full = false;
    f.run();
    CHECK(f.sent().size() == 2);
    manual_clock::advance(20s);
    f.run();
    REQUIRE(f.sent().size() == 3);
    CHECK(f.sent()[2].first == ping_op);
    CHECK(f.whole->beat()->is_awaiting_pong());
}

TEMPLATE_TEST_CASE("a dead peer is given no time to take the rest", "[endpoint]", server, client) {
    endpoint_fixture<TestType> f(beating());
    manual_clock::advance(20s);
    f.run();
    REQUIRE(f.sent_with_plain_pings() == sent_frames{{ping_op, ""}});
    f.wire.then({io_status::would_block, GENERATE(std::size_t{0}, std::size_t{3}), 0});
    f.wire.rule([] { return wsolo::testing::scripted_step{io_status::would_block, 0, 0}; });
    REQUIRE(f.whole->send_text("never taken") == errc::none);
    CHECK(f.run().write);
    CHECK(f.live_for(10s).finished);
    CHECK(f.log.endings.at(0).reason == errc::pong_timeout);
    CHECK(f.log.endings.at(0).written.frames_dropped == 1);
    CHECK(f.wire.finished_as() == wsolo::end_of_write::aborted);
}
