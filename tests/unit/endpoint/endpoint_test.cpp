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
        REQUIRE(f.wants.finished);
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

TEMPLATE_TEST_CASE("a Close waits for the answers to what came before it", "[endpoint]", server, client) {
    endpoint_fixture<TestType, counted_work> f;
    echo(f);
    f.receive(f.text("last words") + f.close_frame());
    CHECK(f.sent().empty());
    CHECK(f.wants.deadline == manual_clock::now() + 5s);

    SECTION("handled in time") {
        f.whole->work();
        f.run_until_quiet();
        CHECK(f.sent() == sent_frames{{text_op, "last words"}, {close_op, "\x03\xe8"}});
        CHECK(f.wants.finished);
        CHECK(f.log.endings.at(0).peer_closed);
        CHECK(f.log.endings.at(0).code == wsolo::close_code::normal);
    }
    SECTION("not for longer than close_timeout") {
        manual_clock::advance(5s);
        f.run();
        CHECK(f.sent() == sent_frames{{close_op, "\x03\xe8"}});
        CHECK_FALSE(f.wants.finished); // a message is still to be handled
        f.whole->work();
        f.run_until_quiet();
        CHECK(f.log.messages.size() == 1);
        CHECK(f.wants.finished);
        CHECK(f.log.endings.at(0).reason == errc::none);
    }
}

TEMPLATE_TEST_CASE("a broken rule is answered behind what came before it", "[endpoint]", server, client) {
    endpoint_fixture<TestType> f;
    echo(f);
    f.receive(f.text("fine") + "\x83\x80");
    REQUIRE(f.sent().size() == 2);
    CHECK(f.sent()[0] == std::pair<int, std::string>{text_op, "fine"});
    CHECK(f.sent()[1].first == close_op);
    CHECK(f.sent()[1].second.substr(0, 2) == "\x03\xea"); // 1002
    CHECK(f.wants.read); // so that the peer's end, or what it still sends, is taken off the transport
    CHECK(f.wire.finished_as() == wsolo::end_of_write::drained);

    SECTION("the peer ends the stream") { CHECK(f.end_of_input().finished); }
    SECTION("the peer does not") {
        CHECK(f.wants.deadline == manual_clock::now() + 5s);
        manual_clock::advance(5s);
        CHECK(f.run().finished);
    }
    CHECK(f.log.endings.at(0).reason == errc::reserved_opcode);
    CHECK(f.log.endings.at(0).code == wsolo::close_code::protocol_error);
    CHECK_FALSE(f.log.endings.at(0).peer_closed);
    CHECK(f.log.endings.at(0).written.frames_dropped == 0);
}

TEMPLATE_TEST_CASE("our Close: what the peer had sent is handled, and its Close ends it", "[endpoint]",
                   server, client) {
    endpoint_fixture<TestType> f;
    echo(f);
    REQUIRE(f.whole->close(wsolo::close_code::going_away, "restart") == errc::none);
    CHECK(f.whole->close() == errc::closed);
    f.run_until_quiet();
    CHECK(f.sent() == sent_frames{{close_op, std::string("\x03\xe9") + "restart"}});
    CHECK_FALSE(f.wants.finished);

    SECTION("answered") {
        f.receive(f.text("on its way") + f.close_frame("\x03\xe9"));
        CHECK(f.log.messages == std::vector<std::string>{"on its way"}); // its echo was refused: no failure
        CHECK(f.wants.finished);
        CHECK(f.log.endings.at(0).reason == errc::none);
        CHECK(f.log.endings.at(0).peer_closed);
    }
    SECTION("not answered") {
        CHECK(f.wants.deadline == manual_clock::now() + 5s);
        manual_clock::advance(5s);
        CHECK(f.run().finished);
        CHECK(f.log.endings.at(0).reason == errc::timed_out);
        CHECK(f.log.endings.at(0).code == wsolo::close_code::going_away);
    }
    CHECK(f.sent().size() == 1); // nothing after a Close
    CHECK(f.log.endings.at(0).control_frames == 1);
    CHECK(f.log.endings.size() == 1);
}

TEMPLATE_TEST_CASE("a stream that ends without a Close is a lost connection", "[endpoint]", server, client) {
    endpoint_fixture<TestType> f;
    f.receive(f.text("whole") + f.text("cut").substr(0, 3));
    REQUIRE(f.whole->send_text("still read, perhaps") == errc::none);
    SECTION("in one direction") {
        f.end_of_input();
        f.run_until_quiet(); // the sender's turn
        CHECK(f.wants.finished);
        REQUIRE(f.sent().size() == 2);
        CHECK(f.sent()[1].second.substr(0, 2) == "\x03\xea"); // 1002
        CHECK(f.log.endings.at(0).code == wsolo::close_code::protocol_error);
    }
    SECTION("in both") {
        CHECK(f.end_of_input(errc::connection_lost).finished);
        CHECK(f.sent().empty());
        CHECK(f.log.endings.at(0).code == wsolo::close_code::abnormal);
        CHECK(f.log.endings.at(0).written.frames_dropped == 1);
    }
    CHECK(f.log.messages == std::vector<std::string>{"whole"});
    CHECK(f.log.endings.at(0).reason == errc::connection_lost);
    CHECK(f.log.endings.at(0).handled.messages_handled == 1);
    CHECK(f.receive("more").finished); // and stays over
    CHECK(f.log.endings.size() == 1);
}

TEMPLATE_TEST_CASE("a transport that fails ends it with its error", "[endpoint]", server, client) {
    endpoint_fixture<TestType> f;
    f.wire.then({io_status::failed, 1, 104});
    REQUIRE(f.whole->send_text("lost") == errc::none);
    f.run_until_quiet();
    CHECK(f.wants.finished);
    CHECK(f.log.endings.at(0).reason == errc::write_failed);
    CHECK(f.log.endings.at(0).written.transport_error == 104);
    CHECK(f.log.endings.at(0).written.frames_dropped == 1);
    CHECK(f.log.endings.at(0).written.partial_frame);
}

TEMPLATE_TEST_CASE("a blocked write is retried when writable and bound by its deadline", "[endpoint]", server,
                   client) {
    endpoint_fixture<TestType> f;
    f.wire.then({io_status::would_block, 3, 0}).then({io_status::would_block, 0, 0});
    REQUIRE(f.whole->send_text("slowly") == errc::none);
    f.run_until_quiet();
    CHECK(f.wants.write);
    CHECK(f.wants.deadline > manual_clock::now());
    const std::size_t calls = f.wire.calls().size();
    f.receive(f.text("input does not make it write"));
    CHECK(f.wire.calls().size() == calls);
    CHECK(f.wants.write); // still

    manual_clock::advance(f.wants.deadline - manual_clock::now());
    f.run();
    CHECK(f.wants.finished);
    CHECK(f.log.endings.at(0).reason == errc::write_timed_out);
}

TEMPLATE_TEST_CASE("a handler's error ends the connection, with a Close that says so", "[endpoint]", server,
                   client) {
    endpoint_fixture<TestType> f;
    SECTION("returned") {
        f.log.on_message = [](const wsolo::message& received) {
            return received.text() == "bad" ? errc::invalid_utf8 : errc::none;
        };
        f.receive(f.text("good") + f.text("bad") + f.text("never"));
        CHECK(f.sent().at(0).second.substr(0, 2) == "\x03\xef"); // 1007
        CHECK(f.end_of_input().finished);
        CHECK(f.log.endings.at(0).reason == errc::invalid_utf8);
    }
    SECTION("thrown") {
        f.log.on_message = [](const wsolo::message& received) -> errc {
            if (received.text() == "bad") throw std::runtime_error("a handler's own");
            return errc::none;
        };
        f.receive(f.text("good") + f.text("bad") + f.text("never"));
        CHECK(f.sent().at(0).second.substr(0, 2) == "\x03\xf3"); // 1011
        CHECK(f.end_of_input().finished);
        CHECK(f.log.endings.at(0).reason == errc::handler_failed);
    }
    CHECK(f.log.messages == std::vector<std::string>{"good", "bad"});
    const wsolo::inbox_report handled = f.log.endings.at(0).handled;
    CHECK(handled.messages_handled == 2);
    CHECK(handled.messages_dropped == 1);
    CHECK(f.whole->handled().wait_up_to(f.whole->handled().snapshot()) == f.log.endings.at(0).reason);
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
        CHECK_FALSE(f.wants.finished);
        CHECK(f.wants.deadline == manual_clock::now() + 10s);
        manual_clock::advance(10s);
        CHECK(f.run().finished);
        CHECK(f.log.endings.at(0).reason == errc::pong_timeout);
    }
    SECTION("a PONG, or any byte, is a sign of life") {
        f.run();
        CHECK(f.sent() == sent_frames{{ping_op, ""}});
        manual_clock::advance(9s);
        static_cast<void>(
            f.receive(GENERATE(true, false) ? f.frame(wsolo::opcode::pong, "") : f.text("x").substr(0, 1)));
        CHECK_FALSE(f.wants.finished);
        CHECK(f.wants.deadline == manual_clock::now() + 20s);
    }
    SECTION("not while closing") {
        static_cast<void>(f.whole->close());
        f.run();
        CHECK(f.sent().size() == 1);
        CHECK(f.sent()[0].first == close_op);
        CHECK(f.wants.deadline == manual_clock::now() + 5s);
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

TEST_CASE("what is sent before the gate opens leaves behind its answer", "[endpoint]") {
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
    endpoint_fixture<TestType> f(options);
    f.log.refuse = true;
    f.receive(f.text("1") + f.text("2") + f.text("3")); // needs more turns than this
    CHECK(f.wants.finished);
    CHECK(f.log.endings.at(0).reason == errc::schedule_refused);
    CHECK(f.log.endings.at(0).handled.messages_handled == 1);
    CHECK(f.log.endings.at(0).handled.messages_dropped == 2);
}
