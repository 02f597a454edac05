// Would catch: a Close that overtakes the answers to what came before it, an end that is not told or told twice, a reason
// that a later one replaces, our status code in place of the peer's, a wait for the peer without a bound, and one for a
// message that never ends.

#include <support/endpoint_fixture.hpp>

#include <wsolo/sync/callback.hpp>

namespace {

constexpr int text_op = 1, close_op = 8;

template <class Fixture>
void echo(Fixture& f) {
    f.log.on_message = [&f](const wsolo::message& received) { return f.whole->send_text(received.text()); };
}

/// A kernel that tells how much of what it took the peer has still to take.
struct buffering_transport : wsolo::testing::scripted_transport {
    buffering_transport(wsolo::testing::scripted_wire& wire, std::uint64_t& left)
        : scripted_transport(wire), unsent_bytes(&left) {}
    std::uint64_t unsent() const { return *unsent_bytes; }
    std::uint64_t* unsent_bytes;
};

} // namespace

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
        CHECK_FALSE(f.wants.finished); // the peer's end is waited for
        CHECK(f.end_of_input().finished);
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
        CHECK(f.end_of_input().finished);
        CHECK(f.log.endings.at(0).reason == errc::none);
    }
}

TEMPLATE_TEST_CASE("a broken rule is answered after what came before it", "[endpoint]", server, client) {
    endpoint_fixture<TestType> f;
    echo(f);
    f.receive(f.text("fine") + "\x83\x80");
    REQUIRE(f.sent().size() == 2);
    CHECK(f.sent()[0] == std::pair<int, std::string>{text_op, "fine"});
    CHECK(f.sent()[1].first == close_op);
    CHECK(f.sent()[1].second.substr(0, 2) == "\x03\xea"); // 1002
    CHECK(f.wants.read); // so that the peer's end, or what it still sends, is taken off the transport
    CHECK(f.wire.finished_as() == wsolo::end_of_write::drained);
    CHECK(f.wire.output_ended()); // nothing that the peer says will change it

    SECTION("the peer ends the stream") { CHECK(f.end_of_input().finished); }
    SECTION("the peer does not") {
        CHECK_FALSE(f.live_for(5s - 1ms).finished);
        CHECK(f.live_for(1ms).finished);
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
        CHECK_FALSE(f.wants.finished);
        CHECK(f.wants.read);
        CHECK(f.end_of_input().finished);
        CHECK(f.log.endings.at(0).reason == errc::none);
        CHECK(f.log.endings.at(0).peer_closed);
    }
    SECTION("not answered") {
        CHECK_FALSE(f.live_for(5s - 1ms).finished);
        CHECK(f.live_for(1ms).finished);
        CHECK(f.log.endings.at(0).reason == errc::timed_out);
        CHECK(f.log.endings.at(0).code == wsolo::close_code::going_away);
    }
    SECTION("not answered, and aborted meanwhile") {
        f.whole->abort();
        f.run_until_quiet();
        CHECK(f.wants.finished);
        CHECK(f.log.endings.at(0).reason == errc::aborted);
    }
    SECTION("answered, and aborted while what the peer sent on is thrown away") {
        f.receive(f.close_frame("\x03\xe9"));
        f.run_until_quiet();
        REQUIRE_FALSE(f.wants.finished);
        f.whole->abort();
        f.run_until_quiet();
        CHECK(f.wants.finished);
        CHECK(f.log.endings.at(0).reason == errc::aborted);
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

TEMPLATE_TEST_CASE("the stream's end is answered after what came before it", "[endpoint]", server, client) {
    endpoint_fixture<TestType, counted_work> f;
    echo(f);
    f.receive(f.text("last words"));
    f.end_of_input();
    CHECK(f.sent().empty());
    CHECK(f.wants.deadline <= manual_clock::now() + 5s);
    SECTION("handled in time") {
        f.whole->work();
        f.run_until_quiet();
        REQUIRE(f.sent().size() == 2);
        CHECK(f.sent()[0] == std::pair<int, std::string>{text_op, "last words"});
    }
    SECTION("not for longer than close_timeout") {
        f.live_for(5s);
        REQUIRE(f.sent().size() == 1);
    }
    CHECK(f.sent().back().second.substr(0, 2) == "\x03\xea"); // 1002
    f.whole->work();
    CHECK(f.run().finished);
    CHECK(f.log.endings.at(0).reason == errc::connection_lost);
}

TEMPLATE_TEST_CASE("a stream that ends after a pause is lost when the rest was read", "[endpoint]", server,
                   client) {
    auto options = endpoint_fixture<TestType, counted_work>::quiet();
    options.handling.max_messages = 2;
    endpoint_fixture<TestType, counted_work> f(options);
    echo(f);
    f.receive(f.text("1") + f.text("2") + f.text("3") + f.text("4"));
    CHECK_FALSE(f.end_of_input().finished);
    for (int turns = 0; turns < 20 && !f.wants.finished; ++turns) {
        f.whole->work();
        f.run();
    }
    CHECK(f.wants.finished);
    CHECK(f.log.messages == std::vector<std::string>{"1", "2", "3", "4"});
    REQUIRE(f.sent().size() == 5);
    CHECK(f.sent()[4].second.substr(0, 2) == "\x03\xea"); // 1002
    CHECK(f.log.endings.at(0).reason == errc::connection_lost);
}

TEMPLATE_TEST_CASE("what broke the input names the end", "[endpoint]", server, client) {
    endpoint_fixture<TestType> f;
    REQUIRE(f.whole->send_text("unsent") == errc::none);
    CHECK(f.end_of_input(errc::write_timed_out).finished);
    CHECK(f.log.endings.at(0).reason == errc::write_timed_out);
    CHECK(f.sent().empty());
}

TEMPLATE_TEST_CASE("a handler that gets on is waited for, one that stands still is not", "[endpoint]", server,
                   client) {
    auto options = endpoint_fixture<TestType, counted_work>::quiet();
    options.handle_quantum = 1;
    endpoint_fixture<TestType, counted_work> f(options);
    f.receive(f.text("1") + f.text("2") + f.text("3"));
    CHECK_FALSE(f.end_of_input(errc::connection_lost).finished);
    SECTION("it gets on") {
        for (int i = 0; i < 3; ++i) {
            REQUIRE_FALSE(f.live_for(4s).finished);
            f.whole->work();
            f.run();
        }
        CHECK(f.wants.finished);
        CHECK_FALSE(f.log.endings.at(0).handler_still_runs);
        CHECK(f.log.endings.at(0).handled.messages_handled == 3);
    }
    SECTION("it stands still") {
        REQUIRE_FALSE(f.live_for(5s - 1ns).finished);
        CHECK(f.live_for(1ns).finished);
        CHECK(f.log.endings.at(0).handler_still_runs);
        f.whole->work();
        CHECK(f.log.messages.empty()); // no more of them
    }
    CHECK(f.log.endings.at(0).reason == errc::connection_lost);
}

TEMPLATE_TEST_CASE("a Close that stands after a pause answers ours in time", "[endpoint]", server, client) {
    auto options = endpoint_fixture<TestType, counted_work>::quiet();
    options.handling.max_messages = 1;
    endpoint_fixture<TestType, counted_work> f(options);
    REQUIRE(f.whole->close() == errc::none);
    f.run_until_quiet();
    f.receive(f.text("1") + f.text("2") + f.close_frame());
    for (int turns = 0; turns < 2; ++turns) {
        REQUIRE_FALSE(f.live_for(4s).finished); // it is this side that does not read, but handles on
        f.whole->work();
        f.run();
    }
    f.whole->work(); // there is nothing more
    CHECK(f.end_of_input().finished);
    CHECK(f.log.messages == std::vector<std::string>{"1", "2"});
    CHECK(f.log.endings.at(0).reason == errc::none);
    CHECK(f.log.endings.at(0).peer_closed);
}

TEST_CASE("what the peer took before a handler went on is no progress after it", "[endpoint]") {
    auto options = endpoint_fixture<server>::quiet();
    options.handling.max_messages = 1;
    options.writing.timeouts.min_rate = 1'000;
    options.ending.close_timeout = 5s;
    endpoint_fixture<server> making; // only makes frames
    wsolo::testing::scripted_wire wire;
    endpoint_log log;
    std::uint64_t unsent = 0;
    wsolo::endpoint<buffering_transport, counted_schedule, logging_handler, server, counted_work,
                    manual_traits>
        whole(buffering_transport(wire, unsent), counted_schedule{&log}, logging_handler{&log}, options, {},
              counted_work{&log});
    REQUIRE(whole.send_text(std::string(20'000, 'x')) == errc::none);
    unsent = 20'000;
    REQUIRE(whole.close() == errc::none);
    static_cast<void>(whole.run()); // and the peer takes it
    std::string rest = making.text("1") + making.text("2") + making.close_frame();
    REQUIRE_FALSE(whole.receive(std::as_writable_bytes(std::span(rest))).read);
    manual_clock::advance(4s);
    unsent -= 3'900; // slower than it may be
    whole.work();
    REQUIRE_FALSE(whole.run().finished); // but the handler has gone on
    for (int look = 0; look < 20; ++look) {
        manual_clock::advance(249ms);
        static_cast<void>(whole.run());
    }
    CHECK_FALSE(wire.disconnected());
    manual_clock::advance(250ms);
    static_cast<void>(whole.run());
    CHECK(wire.disconnected()); // 5 s after that
    whole.work();
}

TEMPLATE_TEST_CASE("input after a pause does not keep a connection whose transport failed meanwhile",
                   "[endpoint]", server, client) {
    wsolo::endpoint_options options = endpoint_fixture<TestType>::quiet();
    options.handling.max_messages = 2;
    endpoint_fixture<TestType> f(options);
    echo(f);
    f.wire.then({io_status::failed, 1, 104});
    f.receive(f.text("1") + f.text("2") + f.text("3") + f.text("4")); // the last two stand after the pause
    f.run_until_quiet();
    REQUIRE_FALSE(f.wants.finished); // what the peer still says is read
    REQUIRE(f.live_for(5s).finished);
    CHECK(f.log.messages.size() == 4);
    CHECK(f.log.endings.at(0).reason == errc::write_failed);
}

TEMPLATE_TEST_CASE("a transport that fails ends it with its error", "[endpoint]", server, client) {
    endpoint_fixture<TestType> f;
    f.wire.then({io_status::failed, 1, 104});
    REQUIRE(f.whole->send_text("lost") == errc::none);
    f.run_until_quiet();
    CHECK(f.wants.read);
    CHECK(f.end_of_input(errc::connection_lost).finished);
    CHECK_FALSE(f.wire.output_ended()); // no end can follow half a frame
    CHECK(f.wire.disconnected());
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
    CHECK(f.live_for(5s).finished);
    CHECK(f.log.endings.at(0).reason == errc::write_timed_out);
}

TEMPLATE_TEST_CASE("a handler's error ends the connection, with a Close that says so", "[endpoint]", server,
                   client) {
    endpoint_fixture<TestType, counted_work> f;
    const auto handle = [&f] {
        f.receive(f.text("good") + f.text("bad") + f.text("never"));
        f.whole->work();
        f.run();
    };
    SECTION("returned") {
        f.log.on_message = [](const wsolo::message& received) {
            return received.text() == "bad" ? errc::invalid_utf8 : errc::none;
        };
        handle();
        CHECK(f.sent().at(0).second.substr(0, 2) == "\x03\xef"); // 1007
        CHECK(f.end_of_input().finished);
        CHECK(f.log.endings.at(0).reason == errc::invalid_utf8);
    }
    SECTION("thrown") {
        f.log.on_message = [](const wsolo::message& received) -> errc {
            if (received.text() == "bad") throw std::runtime_error("a handler's own");
            return errc::none;
        };
        handle();
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

TEMPLATE_TEST_CASE("a handler's error in the loop ends it before what follows in the same read", "[endpoint]",
                   server, client) {
    endpoint_fixture<TestType> f;
    f.log.on_message = [](const wsolo::message& received) -> errc {
        if (received.text() == "thrown") throw std::runtime_error("a handler's own");
        return received.text() == "bad" ? errc::inbox_overloaded : errc::none;
    };
    const bool throws = GENERATE(false, true);
    std::string input = f.text("good") + f.text(throws ? "thrown" : "bad") + f.text("never");
    input += f.text("\xff"); // breaks a rule, too late to be named
    f.receive(input);
    CHECK(f.sent().back().second.substr(0, 2) == (throws ? "\x03\xf3" : "\x03\xf5")); // 1011, 1013
    CHECK(f.end_of_input().finished);
    CHECK(f.log.messages == std::vector<std::string>{"good", throws ? "thrown" : "bad"});
    CHECK(f.log.endings.at(0).reason == (throws ? errc::handler_failed : errc::inbox_overloaded));
    CHECK(f.log.endings.at(0).handled.messages_handled == 2);
    CHECK(f.log.endings.at(0).handled.bytes_handled == (throws ? 10U : 7U));
    CHECK(f.whole->handled().is_closed());
}

TEMPLATE_TEST_CASE("the status code is the one that was received", "[endpoint]", server, client) {
    endpoint_fixture<TestType> f;
    SECTION("in answer to ours") {
        REQUIRE(f.whole->close(wsolo::close_code::going_away) == errc::none);
        f.run_until_quiet();
        f.receive(f.close_frame("\x03\xe8"));
        f.end_of_input();
        CHECK(f.log.endings.at(0).code == wsolo::close_code::normal);
    }
    SECTION("on its way while ours was") {
        REQUIRE(f.whole->close(wsolo::close_code::going_away) == errc::none);
        f.receive(f.close_frame("\x03\xf0"));
        f.run_until_quiet();
        f.end_of_input();
        CHECK(f.log.endings.at(0).code == wsolo::close_code::policy_violation);
    }
    SECTION("even if it is none") {
        REQUIRE(f.whole->close(wsolo::close_code::going_away) == errc::none);
        f.run_until_quiet();
        f.receive(f.close_frame(""));
        f.end_of_input();
        CHECK(f.log.endings.at(0).code == wsolo::close_code::no_status);
    }
    CHECK(f.wants.finished);
    CHECK(f.log.endings.at(0).peer_closed);
    CHECK(f.log.endings.at(0).written.close == wsolo::close_code::going_away);
}

TEMPLATE_TEST_CASE("an end in order ends the waits for messages that never came", "[endpoint]", server,
                   client) {
    endpoint_fixture<TestType> f;
    errc told = errc::none;
    const auto waiting = wsolo::on_reached(f.whole->handled(), 2, [&told](errc why) { told = why; });
    f.receive(f.text("1") + f.close_frame());
    REQUIRE(f.end_of_input().finished);
    REQUIRE(f.log.endings.at(0).reason == errc::none);
    CHECK(told == errc::closed);
    CHECK(f.whole->handled().is_closed());
    CHECK(f.whole->handled().wait_up_to(1, manual_clock::now()) == errc::none);
    CHECK(f.whole->handled().wait_up_to(2, manual_clock::now()) == errc::closed);
}

TEMPLATE_TEST_CASE("an abort ends the waits for messages at once", "[endpoint]", server, client) {
    endpoint_fixture<TestType, counted_work> f;
    f.receive(f.text("1"));
    errc told = errc::none;
    const auto waiting = wsolo::on_reached(f.whole->handled(), 1, [&told](errc why) { told = why; });
    f.whole->abort(GENERATE(errc::aborted, errc::none));
    CHECK(told == errc::aborted); // neither the loop nor the pool has had a turn
    CHECK(f.whole->handled().wait_up_to(1, manual_clock::now()) == errc::aborted);
    f.whole->work();
    f.run_until_quiet();
    CHECK(f.wants.finished);
}

TEMPLATE_TEST_CASE("an abort after the writer's end tells its own reason", "[endpoint]", server, client) {
    const errc why = GENERATE(errc::pong_timeout, errc::queue_full, errc::none);
    const errc told = why == errc::none ? errc::aborted : why;
    endpoint_fixture<TestType> f;
    REQUIRE(f.whole->close() == errc::none);
    f.run_until_quiet();
    SECTION("the peer has yet to answer") {}
    SECTION("the peer's Close ended the inbox in order") {
        f.receive(f.close_frame());
        f.run_until_quiet();
        REQUIRE(f.whole->messages().is_finished());
    }
    REQUIRE_FALSE(f.wants.finished);
    f.whole->abort(why);
    f.whole->abort(errc::rate_exceeded); // the first one stands
    CHECK(f.log.scheduled > 0);
    f.run_until_quiet();
    CHECK(f.wants.finished);
    REQUIRE(f.log.endings.size() == 1);
    CHECK(f.log.endings[0].reason == told);
}

TEMPLATE_TEST_CASE("the first abort alone asks for turns, and none after the end", "[endpoint]", server,
                   client) {
    endpoint_fixture<TestType> f;
    const bool is_closed = GENERATE(false, true);
    if (is_closed) {
        REQUIRE(f.whole->close() == errc::none);
        f.run_until_quiet();
    }
    REQUIRE(std::exchange(f.log.scheduled, 0) == 0);
    f.whole->abort(errc::pong_timeout);
    const int asked = f.log.scheduled;
    CHECK(asked > 0);
    for (int i = 0; i < 3; ++i) f.whole->abort();
    CHECK(f.log.scheduled == asked);
    f.run_until_quiet();
    REQUIRE(f.wants.finished);
    CHECK(f.log.endings.at(0).reason == errc::pong_timeout);
    f.whole->abort();
    CHECK(f.log.scheduled == 0);
    CHECK(f.whole->how_it_ended().reason == errc::pong_timeout);
}

TEMPLATE_TEST_CASE("an abort after an end in order asks for nothing", "[endpoint]", server, client) {
    endpoint_fixture<TestType> f;
    f.receive(f.close_frame());
    f.run_until_quiet();
    REQUIRE(f.end_of_input().finished);
    f.whole->abort(errc::pong_timeout);
    CHECK(f.log.scheduled == 0);
    CHECK(f.run().finished);
    CHECK(f.whole->how_it_ended().reason == errc::none);
    CHECK(f.log.endings.size() == 1);
}
