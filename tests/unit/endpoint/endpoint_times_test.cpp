// Would catch: a caller's time that overflows and is over at once; a deadline that moves with every message, so that its loop
// sets a timer for each; a gate whose deadline the loop is not told; and a write in flight that no deadline bounds, or that
// counts as written although it failed.

#include <support/endpoint_fixture.hpp>

#include <wsolo/testing/completing_transport.hpp>

namespace {

template <class Side>
wsolo::endpoint_options longest() {
    constexpr auto endless = std::chrono::milliseconds::max();
    auto options = endpoint_fixture<Side>::quiet();
    options.reading.max_message_age = endless;
    options.writing.timeouts.write = endless;
    options.writing.timeouts.drain = endless;
    options.beating.ping_interval = endless;
    options.beating.pong_timeout = endless;
    options.beating.beat_interval = endless;
    options.ending.close_timeout = endless;
    options.ending.linger_timeout = endless;
    return options;
}

} // namespace

TEMPLATE_TEST_CASE("the longest times are not over at once", "[endpoint][times]", server, client) {
    endpoint_fixture<TestType> f(longest<TestType>());
    SECTION("for the peer's answer to our Close") {
        REQUIRE(f.whole->close() == errc::none);
        f.run();
        f.live_for(24h);
        CHECK_FALSE(f.run().finished);
        f.receive(f.close_frame());
        CHECK(f.end_of_input().finished);
        CHECK(f.whole->how_it_ended().reason == errc::none);
    }
    SECTION("for a handler before the peer's Close is answered") {
        endpoint_fixture<TestType, counted_work> pooled(longest<TestType>());
        pooled.receive(pooled.text("1") + pooled.close_frame());
        pooled.live_for(24h);
        CHECK(pooled.sent_with_plain_pings().size() <= 1);
        CHECK_FALSE(pooled.run().finished);
    }
    SECTION("for the peer's end") {
        f.receive(f.close_frame());
        f.live_for(24h);
        CHECK_FALSE(f.run().finished);
        CHECK(f.end_of_input().finished);
    }
    SECTION("for a write that is blocked, and a message that is cut") {
        f.wire.rule([] { return wsolo::testing::scripted_step{io_status::would_block, 0, 0}; });
        REQUIRE(f.whole->send_text("stands") == errc::none);
        const std::string text = f.text("a message");
        f.receive(text.substr(0, 4));
        f.live_for(1h); // a peer that takes less than min_rate would be judged after longer
        CHECK_FALSE(f.wants.finished);
        CHECK(f.whole->how_it_ended().reason == errc::none);
    }
}

TEMPLATE_TEST_CASE("a loop that follows the deadline sets its timer rarely", "[endpoint][times]", server,
                   client) {
    wsolo::endpoint_options options; // the defaults have a heartbeat
    endpoint_fixture<TestType> f(options);
    f.log.on_message = [&](const auto& got) { return f.whole->send(got); };
    const std::string text = f.text("hi");
    int moves = 0;
    wsolo::time_point armed_for = wsolo::no_deadline;
    for (int i = 0; i < 1000; ++i) {
        f.receive(text);
        CHECK(f.wants.deadline > manual_clock::now());
        if (f.wants.deadline != armed_for) ++moves;
        armed_for = f.wants.deadline;
        manual_clock::advance(10ms);
    }
    CHECK(moves == 1); // ten seconds, and a PING after twenty
}

TEMPLATE_TEST_CASE("the gate's deadline is the loop's", "[endpoint][times]", server, client) {
    const auto interval = GENERATE(0ms, 20'000ms);
    wsolo::testing::scripted_wire wire;
    endpoint_log log;
    wsolo::endpoint_options options;
    options.beating.ping_interval = interval;
    using endpoint_type = typename endpoint_fixture<TestType>::endpoint_type;
    endpoint_type whole(wsolo::born_gated, wsolo::testing::scripted_transport(wire), counted_schedule{&log},
                        logging_handler{&log}, options);
    wsolo::init_gate gate(whole.writer());
    const wsolo::time_point by = manual_clock::now() + 300ms;
    REQUIRE(gate.set_deadline(by) == errc::none);
    CHECK(whole.run().deadline == by);
    manual_clock::advance(299ms);
    CHECK_FALSE(whole.run().finished);
    manual_clock::advance(1ms);
    CHECK(whole.run().finished);
    CHECK(log.endings.at(0).reason == errc::handshake_timeout);
    CHECK(wire.bytes().empty());
}

// ---- writes that end later

namespace {

/// An endpoint whose writes end when the test says so.
template <class Side>
struct completing_endpoint {
    using endpoint_type = wsolo::endpoint<wsolo::testing::completing_transport, counted_schedule,
                                          logging_handler, Side, wsolo::in_the_loop, manual_traits>;
    explicit completing_endpoint(const wsolo::endpoint_options& options)
        : whole(wsolo::testing::completing_transport(wire), counted_schedule{&log}, logging_handler{&log},
                options) {}

    /// What a loop does for so long: it comes at each deadline, and when the hook asked.
    const wsolo::endpoint_wants& live_for(wsolo::duration span) {
        const wsolo::time_point last = manual_clock::now() + span;
        wants = whole.run();
        for (int i = 0; i < 1000 && !wants.finished; ++i) {
            if (std::exchange(log.scheduled, 0) == 0) {
                if (wants.deadline > last) break;
                if (wants.deadline > manual_clock::now())
                    manual_clock::advance(wants.deadline - manual_clock::now());
            }
            wants = whole.run();
        }
        if (manual_clock::now() < last) manual_clock::advance(last - manual_clock::now());
        return wants;
    }

    wsolo::testing::completing_wire wire;
    endpoint_log log;
    wsolo::endpoint_wants wants;
    endpoint_type whole;
};

} // namespace

namespace {

template <class Side>
wsolo::endpoint_options impatient() {
    auto options = endpoint_fixture<Side>::quiet();
    options.writing.timeouts.write = 30s;
    options.writing.timeouts.drain = 10s;
    options.ending.close_timeout = 4s;
    return options;
}

} // namespace

TEMPLATE_TEST_CASE("an abort disconnects although no cancel ends the write in flight",
                   "[endpoint][completion]", server, client) {
    completing_endpoint<TestType> f(impatient<TestType>());
    REQUIRE(f.whole.send_text("stands") == errc::none);
    f.live_for(1s);
    REQUIRE(f.wire.in_flight());
    f.whole.abort(errc::queue_full);
    CHECK_FALSE(f.live_for(0s).finished);
    CHECK(f.wire.cancels() == 1);
    CHECK(f.wire.disconnected());
    CHECK(f.wants.deadline == wsolo::no_deadline); // its write has yet to end, and asks for a turn then
    CHECK_FALSE(f.wants.read);
    CHECK_FALSE(f.live_for(48h).finished);
    const bool is_taken = GENERATE(false, true);
    f.wire.end(is_taken ? io_status::ok : io_status::failed, is_taken ? 100 : 0);
    CHECK(f.live_for(0s).finished);
    CHECK_FALSE(f.wire.output_ended()); // after both directions ended there is no FIN
    CHECK(f.log.endings.at(0).reason == errc::queue_full);
}

TEMPLATE_TEST_CASE("a write that no cancel ends is ended by the disconnect", "[endpoint][completion]", server,
                   client) {
    const errc why = GENERATE(errc::write_timed_out, errc::drain_timed_out);
    completing_endpoint<TestType> f(impatient<TestType>());
    REQUIRE(f.whole.send_text("stands") == errc::none);
    f.live_for(0s);
    if (why == errc::drain_timed_out) REQUIRE(f.whole.close() == errc::none);
    f.live_for(why == errc::drain_timed_out ? 10s : 30s);
    CHECK(f.wire.cancels() == 1);
    CHECK_FALSE(f.wire.disconnected()); // it may end yet, and the peer's words may come
    CHECK(f.wants.read);
    SECTION("after a while") {
        f.live_for(3999ms);
        CHECK_FALSE(f.wire.disconnected());
        f.live_for(1ms);
        CHECK(f.wire.disconnected());
        CHECK_FALSE(f.wants.finished);
        f.wire.end(io_status::failed, 0);
        CHECK(f.live_for(0s).finished);
        CHECK(f.log.endings.at(0).reason == why);
    }
    SECTION("at once, when it is aborted meanwhile") {
        f.whole.abort();
        f.live_for(0s);
        CHECK(f.wire.disconnected());
        f.wire.end(io_status::failed, 0);
        CHECK(f.live_for(0s).finished);
    }
    SECTION("not when the cancel works after all") {
        f.wire.end(io_status::failed, 0);
        f.live_for(1s);
        CHECK_FALSE(f.wire.disconnected());
        CHECK(f.live_for(10s).finished);
        CHECK(f.log.endings.at(0).reason == why);
    }
}

TEMPLATE_TEST_CASE("silence ends a connection whose write stands", "[endpoint][completion]", server, client) {
    wsolo::endpoint_options options;
    options.beating = {.ping_interval = 20s, .pong_timeout = 10s, .pong_only = true};
    options.writing.timeouts.write = 0s; // none
    completing_endpoint<TestType> f(options);
    f.live_for(20s);
    f.wire.end(); // the PING
    REQUIRE(f.whole.send_text("stands") == errc::none);
    f.live_for(60s);
    CHECK(f.wire.disconnected());
    f.wire.end(io_status::failed, 0);
    CHECK(f.live_for(0s).finished);
    CHECK(f.log.endings.at(0).reason == errc::pong_timeout);
}

TEMPLATE_TEST_CASE("a write in flight that fails was not written", "[endpoint][completion]", server, client) {
    wsolo::testing::completing_wire wire;
    endpoint_log log;
    using endpoint_type = wsolo::endpoint<wsolo::testing::completing_transport, counted_schedule,
                                          logging_handler, TestType, wsolo::in_the_loop, manual_traits>;
    endpoint_type whole(wsolo::testing::completing_transport(wire), counted_schedule{&log},
                        logging_handler{&log}, endpoint_fixture<TestType>::quiet());
    REQUIRE(whole.send_text("important") == errc::none);
    const wsolo::endpoint_wants wants = whole.run();
    REQUIRE(wire.in_flight());
    CHECK(wants.deadline <= manual_clock::now() + 30s);
    CHECK_FALSE(wants.write); // the completion asks for the turn
    const bool is_late = GENERATE(false, true);
    if (is_late) {
        wire.obeys_cancel(true);
        manual_clock::advance(wants.deadline - manual_clock::now());
        static_cast<void>(whole.run());
        CHECK(wire.cancels() == 1);
    } else {
        wire.end(io_status::failed, 0, 104);
        CHECK(log.scheduled > 0);
    }
    static_cast<void>(whole.run());
    CHECK(whole.end_of_input(errc::connection_lost).finished);
    const wsolo::ending& how = log.endings.at(0);
    CHECK(how.reason == (is_late ? errc::write_timed_out : errc::write_failed));
    CHECK(how.written.frames_written == 0);
    CHECK(how.written.frames_dropped == 1);
    CHECK_FALSE(how.written.is_clean());
    CHECK(how.written.transport_error == (is_late ? 0 : 104));
}
