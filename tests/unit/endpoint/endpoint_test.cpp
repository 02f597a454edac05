// Would catch: an answer that overtakes what it answers, a Close that overtakes the replies to what came before it, a
// message lost between reader and handler, a loop that wakes itself or is not woken, and a turn that forgets a
// deadline.

#include <support/endpoint_fixture.hpp>

namespace {

constexpr int text_op = 1, close_op = 8, ping_op = 9, pong_op = 10;

template <class Fixture>
void echo(Fixture& f) {
    f.log.on_message = [&f](const wsolo::message& received) { return f.whole->send_text(received.text()); };
}

} // namespace

TEMPLATE_TEST_CASE("a message is handled and answered in the turn that brought it", "[endpoint]", server,
                   client) {
    endpoint_fixture<TestType> f;
    echo(f);
    CHECK(f.receive(f.text("one") + f.text("two")).read);
    CHECK(f.log.messages == std::vector<std::string>{"one", "two"});
    CHECK(f.sent() == sent_frames{{text_op, "one"}, {text_op, "two"}});
    CHECK(f.wire.calls().size() == 1);
    CHECK(f.log.scheduled == 0); // no loop wakes itself
}

TEMPLATE_TEST_CASE("every split of the input gives the same", "[endpoint]", server, client) {
    endpoint_fixture<TestType> made;
    const std::string input = made.text("hello") + made.frame(wsolo::opcode::ping, "p") +
                              made.text(std::string(300, 'x')) + made.close_frame();
    for (std::size_t split = 0; split <= input.size(); ++split) {
        endpoint_fixture<TestType> f;
        echo(f);
        f.receive(input.substr(0, split));
        f.receive(input.substr(split));
        REQUIRE(f.log.messages == std::vector<std::string>{"hello", std::string(300, 'x')});
        REQUIRE(f.sent().size() == 4);
        REQUIRE(f.sent().back() == std::pair<int, std::string>{close_op, "\x03\xe8"});
        REQUIRE(f.end_of_input().finished);
        REQUIRE(f.log.endings.size() == 1);
        REQUIRE(f.log.endings[0].reason == errc::none);
    }
}

TEMPLATE_TEST_CASE("another thread's send asks for one turn", "[endpoint]", server, client) {
    endpoint_fixture<TestType> f;
    REQUIRE(f.whole->send_text("a") == errc::none);
    REQUIRE(f.whole->send_text("b") == errc::none);
    CHECK(f.log.scheduled == 1);
    CHECK(f.sent().empty());
    f.run_until_quiet();
    CHECK(f.sent() == sent_frames{{text_op, "a"}, {text_op, "b"}});
    CHECK_FALSE(f.wants.write);
}

TEMPLATE_TEST_CASE("a handler that has not run holds up neither PONGs nor reading", "[endpoint]", server,
                   client) {
    endpoint_fixture<TestType, counted_work> f;
    CHECK(f.receive(f.text("slow") + f.text("second")).read);
    CHECK(f.log.work_asked == 1);
    CHECK(f.receive(f.frame(wsolo::opcode::ping, "are you there")).read);
    CHECK(f.log.messages.empty());
    CHECK(f.sent() == sent_frames{{pong_op, "are you there"}});

    const auto mark = f.whole->handled().snapshot();
    CHECK_FALSE(f.whole->handled().has_reached(mark));
    f.whole->work();
    CHECK(f.log.messages == std::vector<std::string>{"slow", "second"});
    CHECK(f.whole->handled().has_reached(mark));
}

TEMPLATE_TEST_CASE("a full inbox pauses reading and loses nothing", "[endpoint]", server, client) {
    auto options = endpoint_fixture<TestType>::quiet();
    options.handling.max_messages = 4;
    endpoint_fixture<TestType, counted_work> f(options);
    std::string input;
    for (int i = 0; i < 20; ++i) input += f.text(std::to_string(i));
    CHECK_FALSE(f.receive(input).read);
    CHECK_FALSE(f.receive(f.text("20")).read); // a loop that did not listen
    for (int turns = 0; turns < 100 && f.log.messages.size() < 21; ++turns) {
        f.whole->work();
        f.run_until_quiet();
    }
    REQUIRE(f.log.messages.size() == 21);
    for (int i = 0; i < 21; ++i) CHECK(f.log.messages[static_cast<std::size_t>(i)] == std::to_string(i));
    CHECK(f.wants.read);
}

TEMPLATE_TEST_CASE("what came before a pause is handled after the stream's end", "[endpoint]", server,
                   client) {
    auto options = endpoint_fixture<TestType>::quiet();
    options.handling.max_messages = 2;
    endpoint_fixture<TestType, counted_work> f(options);
    f.receive(f.text("1") + f.text("2") + f.text("3") + f.text("4") + f.close_frame());
    f.end_of_input();
    for (int turns = 0; turns < 100 && !f.wants.finished; ++turns) {
        f.whole->work();
        f.run();
    }
    CHECK(f.wants.finished);
    CHECK(f.log.messages == std::vector<std::string>{"1", "2", "3", "4"});
}

TEMPLATE_TEST_CASE("a full inbox that may not pause fails the connection", "[endpoint]", server, client) {
    auto options = endpoint_fixture<TestType>::quiet();
    options.handling.max_messages = 2;
    const bool busy = GENERATE(false, true);
    options.handling.when_full =
        busy ? wsolo::inbox_overflow::try_again_later : wsolo::inbox_overflow::violate_policy;
    endpoint_fixture<TestType, counted_work> f(options);
    f.receive(f.text("1") + f.text("2") + f.text("3"));
    CHECK(f.sent().at(0).second.substr(0, 2) == (busy ? "\x03\xf5" : "\x03\xf0")); // 1013, 1008
    f.end_of_input();
    f.whole->work();
    f.run();
    CHECK(f.wants.finished);
    CHECK(f.log.endings.at(0).reason == (busy ? errc::inbox_overloaded : errc::inbox_overflow));
    CHECK(f.log.endings.at(0).handled.messages_dropped == 2);
}

TEMPLATE_TEST_CASE("a peer that does not read is not read from", "[endpoint]", server, client) {
    auto options = endpoint_fixture<TestType>::quiet();
    options.max_unsent = 100;
    endpoint_fixture<TestType> f(options);
    echo(f);
    f.wire.then({io_status::would_block, 0, 0});
    CHECK_FALSE(f.receive(f.text(std::string(200, 'x'))).read);
    CHECK(f.wants.write);
    CHECK(f.run().read);
}

TEMPLATE_TEST_CASE("many small answers that wait pause reading too", "[endpoint]", server, client) {
    auto options = endpoint_fixture<TestType>::quiet();
    options.max_unsent_replies = 2;
    endpoint_fixture<TestType> f(options);
    echo(f);
    f.wire.then({io_status::would_block, 0, 0}).then({io_status::would_block, 0, 0});
    CHECK(f.receive(f.text("") + f.text("")).read);
    CHECK_FALSE(f.receive(f.text("")).read);
    f.run();
    CHECK(f.wants.write);
    CHECK_FALSE(f.wants.read);
    CHECK(f.run().read);
    CHECK(f.sent().size() == 3);
    CHECK(wsolo::endpoint_options{}.max_unsent_replies <= wsolo::writer_limits{}.max_frames / 2);
}

TEMPLATE_TEST_CASE("a peer that is not read from is not blamed for its silence", "[endpoint]", server,
                   client) {
    auto options = endpoint_fixture<TestType>::quiet();
    options.beating = {.ping_interval = 20s, .pong_timeout = 10s, .pong_only = GENERATE(false, true)};
    options.handling.max_messages = 2;
    endpoint_fixture<TestType, counted_work> f(options);
    CHECK_FALSE(f.receive(f.text("1") + f.text("2")).read);
    for (int i = 0; i < 12; ++i) { // a minute
        manual_clock::advance(5s);
        REQUIRE_FALSE(f.run().finished);
    }
    // It is not blamed, and what lies between them sees a connection in use.
    CHECK(f.sent_with_plain_pings() == sent_frames{{ping_op, ""}, {ping_op, ""}, {ping_op, ""}});
    f.whole->work();
    CHECK(f.run().read); // from the next PING on the silence is the peer's
    CHECK_FALSE(f.live_for(29s).finished);
    f.live_for(1s);
    f.whole->work();
    CHECK(f.run().finished);
    CHECK(f.log.endings.at(0).reason == errc::pong_timeout);
}

TEMPLATE_TEST_CASE("a message that is not let in goes to the handler's on_refused", "[endpoint]", server,
                   client) {
    auto options = endpoint_fixture<TestType>::quiet();
    options.handling.max_messages = 2;
    options.handling.when_full = wsolo::inbox_overflow::drop_newest;
    endpoint_fixture<TestType, counted_work> f(options);
    CHECK(f.receive(f.text("1") + f.text("2") + f.text("3") + f.text("4")).read);
    CHECK(f.log.refused == std::vector<std::string>{"3", "4"});
    f.whole->work();
    f.receive(f.text("5"));
    f.whole->work();
    CHECK(f.log.messages == std::vector<std::string>{"1", "2", "5"});
    CHECK(f.whole->handled().has_reached(f.whole->handled().snapshot())); // the refused are passed over
    f.receive(f.close_frame());
    f.whole->work();
    f.run();
    CHECK(f.end_of_input().finished);
    CHECK(f.log.endings.at(0).reason == errc::none);
    CHECK(f.log.endings.at(0).handled.messages_refused == 2);
}

TEMPLATE_TEST_CASE("silence brings a PING, then the end", "[endpoint]", server, client) {
    endpoint_fixture<TestType> f(
        wsolo::endpoint_options{.beating = {.ping_interval = 20s, .pong_timeout = 10s}});
    CHECK(f.run().deadline == manual_clock::now() + 20s);
    manual_clock::advance(20s);

    SECTION("the PONG timer starts when the PING is on the wire") {
        f.wire.then({io_status::would_block, 0, 0});
        f.run();
        CHECK(f.wants.write);
        manual_clock::advance(11s);
        f.run(); // the PING leaves now
        CHECK_FALSE(f.live_for(9s).finished);
        CHECK(f.live_for(1s).finished);
        CHECK(f.log.endings.at(0).reason == errc::pong_timeout);
    }
    SECTION("a PONG, or any byte, is a sign of life") {
        f.run();
        CHECK(f.sent_with_plain_pings() == sent_frames{{ping_op, ""}});
        manual_clock::advance(9s);
        static_cast<void>(
            f.receive(GENERATE(true, false) ? f.frame(wsolo::opcode::pong, "") : f.text("x").substr(0, 1)));
        CHECK_FALSE(f.live_for(19s).finished);
        CHECK(f.sent().size() == 1);
        f.live_for(1s);
        CHECK(f.sent().size() == 2);
    }
    SECTION("not while closing") {
        static_cast<void>(f.whole->close());
        f.run();
        CHECK(f.sent().size() == 1);
        CHECK(f.sent()[0].first == close_op);
        CHECK(f.wants.deadline <= manual_clock::now() + 5s);
    }
}

TEMPLATE_TEST_CASE("the application's beat comes to the handler", "[endpoint]", server, client) {
    auto options = endpoint_fixture<TestType>::quiet();
    options.beating.beat_interval = 10s;
    endpoint_fixture<TestType> f(options);
    for (int i = 0; i < 4; ++i) {
        f.run();
        manual_clock::advance(f.wants.deadline - manual_clock::now());
    }
    f.run();
    CHECK(f.log.beats == std::vector<bool>{false, true, false, true});
}

TEMPLATE_TEST_CASE("abort ends it without a Close, and both queues are accounted for", "[endpoint]", server,
                   client) {
    endpoint_fixture<TestType, counted_work> f;
    f.receive(f.text("1") + f.text("2"));
    REQUIRE(f.whole->send_text("unsent") == errc::none);
    f.whole->abort();
    f.whole->work();
    f.run_until_quiet();
    CHECK(f.wants.finished);
    CHECK(f.sent().empty());
    CHECK(f.log.messages.empty());
    CHECK(f.log.endings.at(0).reason == errc::aborted);
    CHECK(f.log.endings.at(0).written.frames_dropped == 1);
    CHECK(f.log.endings.at(0).handled.messages_dropped == 2);
    CHECK(f.whole->handled().is_closed());
}

TEMPLATE_TEST_CASE("a weak handle outlives it", "[endpoint]", server, client) {
    endpoint_fixture<TestType> f;
    const auto weak = f.whole->handle();
    REQUIRE(weak.try_use());
    CHECK(weak.try_use()->send_text("x") == errc::none);
    f.whole.reset();
    CHECK_FALSE(weak.try_use());
}

TEST_CASE("what is sent before the gate opens leaves after its answer", "[endpoint]") {
    wsolo::testing::scripted_wire wire;
    endpoint_log log;
    using endpoint_type = endpoint_fixture<server>::endpoint_type;
    endpoint_type whole(wsolo::born_gated, wsolo::testing::scripted_transport(wire), counted_schedule{&log},
                        logging_handler{&log}, endpoint_fixture<server>::quiet());
    wsolo::init_gate gate(whole.writer());
    REQUIRE(whole.send_text("early") == errc::none);
    CHECK_FALSE(whole.run().finished);
    CHECK(wire.bytes().empty());
    SECTION("opened") {
        REQUIRE(gate.acknowledge(wsolo::bytes_of("101")) == errc::none);
        gate.open();
        static_cast<void>(whole.run());
        CHECK(wire.bytes() == "101\x81\x05"
                              "early");
    }
    SECTION("rejected") {
        REQUIRE(gate.acknowledge(wsolo::bytes_of("400")) == errc::none);
        gate.reject(errc::handshake_missing_key);
        CHECK(whole.run().finished);
        CHECK(wire.bytes() == "400");
        CHECK(log.endings.at(0).reason == errc::handshake_missing_key);
        CHECK(log.endings.at(0).written.frames_dropped == 1);
    }
}

TEMPLATE_TEST_CASE("a loop that refuses ends it", "[endpoint]", server, client) {
    auto options = endpoint_fixture<TestType>::quiet();
    options.handle_quantum = 1;
    const bool queues = GENERATE(false, true); // or leaves what is beyond the quantum unread
    if (queues) options.handling.when_full = wsolo::inbox_overflow::drop_newest;
    endpoint_fixture<TestType> f(options);
    f.log.refuse = true;
    f.receive(f.text("1") + f.text("2") + f.text("3")); // needs more turns than this
    CHECK(f.wants.finished);
    CHECK(f.log.endings.at(0).reason == errc::schedule_refused);
    CHECK(f.log.endings.at(0).handled.messages_handled == 1);
    CHECK(f.log.endings.at(0).handled.messages_dropped == (queues ? 2 : 0));
}
