// Would catch: a send of some kind whose outcome, refusal or end is not told or not counted, a drain that is bound by another
// time than the one that was said, an account of control frames that leaves one out or counts the application's, and a PING or PONG
// that meets the end of the stream.

#include <support/endpoint_fixture.hpp>

namespace {

constexpr int text_op = 1, binary_op = 2, close_op = 8, ping_op = 9;

/// Writes down what PONGs it is told of, and in how many milliseconds they came.
struct pong_handler {
    endpoint_log* log = nullptr;
    void on_message(auto&, const wsolo::message&) const noexcept {}
    void on_pong(auto&, wsolo::const_bytes payload, std::optional<wsolo::duration> round_trip) const {
        log->messages.push_back(std::string(wsolo::text_of(payload)) + " " +
                                (round_trip ? std::to_string(*round_trip / 1ms) : "-"));
    }
    void on_finished(auto&, const wsolo::ending& how) const { log->endings.push_back(how); }
};
template <class Side>
using pong_fixture = endpoint_fixture<Side, wsolo::in_the_loop, pong_handler>;

wsolo::endpoint_options beating() {
    wsolo::endpoint_options options;
    options.beating = {.ping_interval = 20s, .pong_timeout = 10s};
    options.writing.timeouts.write = 60s;
    return options;
}

/// A wire that takes nothing for as long as `is_full`.
template <class Fixture>
void block_while(Fixture& f, const bool& is_full) {
    f.wire.rule([&is_full] {
        return wsolo::testing::scripted_step{is_full ? io_status::would_block : io_status::ok,
                                             is_full ? std::size_t{0} : static_cast<std::size_t>(-1), 0};
    });
}

} // namespace

TEMPLATE_TEST_CASE("each kind of send is written, told of and refused alike", "[endpoint]", server, client) {
    using endpoint_type = typename pong_fixture<TestType>::endpoint_type;
    wsolo::byte_buffer bytes;
    REQUIRE(bytes.append(wsolo::bytes_of("sent")));
    const wsolo::message received(GENERATE(true, false), std::move(bytes));
    const auto shared = *wsolo::make_shared_frame(wsolo::opcode::binary, wsolo::bytes_of("sent"));
    struct kind {
        int op;
        std::function<errc(endpoint_type&, wsolo::on_outcome)> send;
    };
    std::vector<kind> kinds{
        {text_op, [](auto& e, auto done) { return e.send_text("sent", done); }},
        {binary_op, [](auto& e, auto done) { return e.send_binary(wsolo::bytes_of("sent"), done); }},
        {received.is_text() ? text_op : binary_op,
         [&](auto& e, auto done) { return e.send(received, done); }},
    };
    if constexpr (TestType::self == wsolo::role::server) // a client's frames each need a key of their own
        kinds.push_back({binary_op, [&](auto& e, auto done) { return e.send(shared, done); }});
    for (const kind& each : kinds) {
        auto options = pong_fixture<TestType>::quiet();
        options.writing.limits.max_frames = 1;
        pong_fixture<TestType> f(options);
        outcome_log log;
        REQUIRE(each.send(*f.whole, log.next()) == errc::none);
        CHECK(each.send(*f.whole, log.next()) == errc::queue_full);
        CHECK(f.whole->counters().sends_refused == 1);
        f.run_until_quiet();
        CHECK(f.sent() == sent_frames{{each.op, "sent"}});
        REQUIRE(f.whole->close() == errc::none);
        CHECK(each.send(*f.whole, log.next()) == errc::closed);
        CHECK(f.whole->counters().sends_refused == 1); // what is closed was not short of room
        f.run_until_quiet();
        CHECK(log.told == std::vector<std::pair<int, errc>>{{0, errc::none}});
    }
}

TEMPLATE_TEST_CASE("an application's PING has an answer and no round trip", "[endpoint]", server, client) {
    pong_fixture<TestType> f(beating());
    CHECK(f.whole->send_ping(wsolo::bytes_of(std::string(126, 'p'))) == errc::control_payload_too_big);
    REQUIRE(f.whole->send_ping(wsolo::bytes_of("mine")) == errc::none);
    f.run_until_quiet();
    REQUIRE(f.sent() == sent_frames{{ping_op, "mine"}});
    CHECK_FALSE(f.whole->beat()->is_awaiting_pong()); // it is the application's to wait for
    manual_clock::advance(30ms);
    f.receive(f.frame(wsolo::opcode::pong, "mine"));
    CHECK(f.log.messages == std::vector<std::string>{"mine -"});
    REQUIRE(f.whole->close() == errc::none);
    CHECK(f.whole->send_ping() == errc::closed);
}

TEMPLATE_TEST_CASE("an ending counts what the endpoint said by itself, and nothing of the application's",
                   "[endpoint]", server, client) {
    pong_fixture<TestType> f(beating());
    manual_clock::advance(20s);
    f.run(); // its PING
    f.receive(f.frame(wsolo::opcode::ping, "1") + f.frame(wsolo::opcode::pong, ""));
    f.receive(f.frame(wsolo::opcode::ping, "2"));
    REQUIRE(f.whole->send_ping() == errc::none);
    REQUIRE(f.whole->send_text("text") == errc::none);
    f.run_until_quiet();
    CHECK(f.whole->how_it_ended().control_frames == 3);
    SECTION("with its own Close") {
        REQUIRE(f.whole->close() == errc::none);
        CHECK(f.whole->how_it_ended().control_frames == 4);
        f.run_until_quiet();
        f.receive(f.close_frame());
    }
    SECTION("with its answer to the peer's") {
        f.receive(f.close_frame());
        CHECK(f.whole->how_it_ended().control_frames == 4);
    }
    REQUIRE(f.end_of_input().finished);
    CHECK(f.log.endings.at(0).control_frames == 4);
    CHECK(f.log.endings.at(0).written.frames_accepted() == 6);
    CHECK(f.sent().size() == 6);
}

TEMPLATE_TEST_CASE("a PONG has its round trip until the end of the stream begins", "[endpoint]", server,
                   client) {
    pong_fixture<TestType> f(beating());
    manual_clock::advance(20s);
    f.run();
    REQUIRE(f.sent_with_plain_pings() == sent_frames{{ping_op, ""}});
    const std::string asked = f.sent()[0].second;
    bool is_full = false;
    block_while(f, is_full);
    manual_clock::advance(30ms);
    std::string told = asked + " -";
    SECTION("our Close is still to be written") {
        is_full = true;
        REQUIRE(f.whole->close() == errc::none);
        f.run();
        REQUIRE(f.whole->beat() != nullptr);
        told = asked + " 30";
    }
    SECTION("it was written") {
        REQUIRE(f.whole->close() == errc::none);
        f.run();
        REQUIRE(f.whole->beat() == nullptr);
    }
    f.receive(f.frame(wsolo::opcode::pong, asked));
    CHECK(f.log.messages == std::vector<std::string>{told});
    CHECK(f.whole->counters().pongs_received == 1);
    is_full = false;
    f.run();
    f.receive(f.close_frame());
    CHECK(f.end_of_input().finished);
    CHECK(f.log.endings.at(0).reason == errc::none);
}

TEMPLATE_TEST_CASE("a PING that is written after the end began starts no wait", "[endpoint]", server,
                   client) {
    auto options = beating();
    options.ending.close_timeout = 30s; // a PONG would be missed before
    pong_fixture<TestType> f(options);
    bool is_full = true;
    block_while(f, is_full);
    REQUIRE(f.whole->send_text("stands") == errc::none);
    CHECK(f.run().write);
    manual_clock::advance(20s);
    f.run(); // its PING is queued
    REQUIRE(f.whole->how_it_ended().control_frames == 1);
    const bool is_answer = GENERATE(true, false);
    if (is_answer) {
        f.receive(f.close_frame());
        REQUIRE(f.whole->beat() == nullptr);
    } else {
        REQUIRE(f.whole->close() == errc::none);
    }
    is_full = false;
    f.run();
    CHECK(f.sent_with_plain_pings() ==
          sent_frames{{ping_op, ""}, {text_op, "stands"}, {close_op, "\x03\xe8"}});
    if (!is_answer) {
        CHECK_FALSE(f.live_for(15s).finished); // the peer's Close is waited for, and no PONG
        f.receive(f.close_frame());
    }
    CHECK(f.end_of_input().finished);
    CHECK(f.log.endings.at(0).reason == errc::none);
    CHECK(f.log.endings.at(0).control_frames == 2);
}

TEMPLATE_TEST_CASE("a Close has the time to leave that it is given", "[endpoint]", server, client) {
    pong_fixture<TestType> f;
    const bool is_full = true;
    block_while(f, is_full);
    REQUIRE(f.whole->send_text("never taken") == errc::none);
    f.run();
    const bool says_it = GENERATE(true, false); // otherwise writing.timeouts.drain
    REQUIRE((says_it ? f.whole->close(wsolo::close_code::going_away, "restart", 1s)
                     : f.whole->close(wsolo::close_code::going_away, "restart")) == errc::none);
    f.run_until_quiet();
    const wsolo::duration within = says_it ? wsolo::duration(1s) : wsolo::duration(5s);
    f.live_for(within - 1ms);
    CHECK_FALSE(f.whole->writer().is_finished());
    f.live_for(1ms);
    CHECK(f.whole->writer().is_finished());
    f.end_of_input();
    f.live_for(10s);
    REQUIRE(f.log.endings.size() == 1);
    CHECK(f.log.endings[0].reason != errc::none);
    CHECK(f.log.endings[0].written.frames_dropped == 2);
}
