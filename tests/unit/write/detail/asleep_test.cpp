// Would catch: a peer that is blamed for the time in which this process slept (a laptop's lid, a stopped container): what
// stands is tried once more before it is judged; and a peer that uses this to stand for ever.

#include <support/writer_fixture.hpp>

#include <wsolo/testing/completing_transport.hpp>

namespace {

constexpr auto stands = [] { return wsolo::testing::scripted_step{io_status::would_block, 0, 0}; };

} // namespace

TEMPLATE_TEST_CASE("after a sleep of any length a write is tried once more, and then judged",
                   "[write][one_write]", server, client) {
    const wsolo::duration timeout = wsolo::writer_options{}.timeouts.write;
    const bool sleeps_again = GENERATE(false, true);
    for (const std::size_t first : {std::size_t{0}, std::size_t{3}}) { // bytes that were taken before
        for (const bool takes : {true, false}) {
            writer_fixture<TestType> f;
            f.wire.rule(stands);
            f.wire.then({io_status::would_block, first, 0});
            REQUIRE(f.out->send_text("message") == errc::none);
            REQUIRE(f.out->pump().status == pump_status::blocked);
            manual_clock::advance(8h);
            if (takes) f.wire.rule({});
            const auto left = f.out->pump();
            CHECK(f.wire.calls().size() == 2); // once
            if (takes) {
                CHECK(left.status == pump_status::idle);
                continue;
            }
            CHECK(left.status == pump_status::blocked); // the peer may have slept, too
            CHECK(left.deadline == manual_clock::now() + timeout / 4);
            manual_clock::advance(sleeps_again ? 8h : timeout / 4);
            CHECK(f.out->pump().status == pump_status::finished);
            CHECK(f.out->report().reason == errc::write_timed_out);
        }
    }
}

TEST_CASE("a peer that has gone on since a sleep is forgiven another one", "[write][one_write]") {
    writer_fixture<server> f;
    f.wire.rule(stands);
    REQUIRE(f.out->send_text("message") == errc::none);
    REQUIRE(f.out->pump().status == pump_status::blocked);
    for (int sleep = 0; sleep < 3; ++sleep) {
        manual_clock::advance(8h);
        CHECK(f.out->pump().status == pump_status::blocked);
        f.wire.then({io_status::would_block, 1, 0});
        CHECK(f.out->pump().status == pump_status::blocked);
    }
    f.wire.rule({});
    CHECK(f.out->pump().status == pump_status::idle);
}

TEMPLATE_TEST_CASE("a drain whose time passed in a sleep is tried once more, and then judged",
                   "[write][one_write]", server, client) {
    for (const bool takes : {true, false}) {
        writer_fixture<TestType> f;
        f.wire.rule(stands);
        REQUIRE(f.out->send_text("message") == errc::none);
        REQUIRE(f.out->close(wsolo::close_code::normal, "", 100ms) == errc::none);
        REQUIRE(f.out->pump().status == pump_status::blocked);
        manual_clock::advance(8h);
        if (takes) f.wire.rule({});
        CHECK(f.out->pump().status == pump_status::finished);
        CHECK(f.out->report().is_clean() == takes);
        if (!takes) CHECK(f.out->report().deadline_hit);
        CHECK(f.payloads(1).size() == (takes ? 1U : 0U));
    }
}

TEST_CASE("a frame that an abort lets finish has its one try after a sleep too", "[write][one_write]") {
    writer_fixture<server> f;
    f.wire.rule(stands);
    f.wire.then({io_status::would_block, 3, 0});
    REQUIRE(f.out->send_text("begun") == errc::none);
    REQUIRE(f.out->send_text("queued") == errc::none);
    REQUIRE(f.out->pump().status == pump_status::blocked);
    f.out->abort(errc::connection_lost, 1s);
    manual_clock::advance(8h);
    f.wire.rule({});
    CHECK(f.out->pump().status == pump_status::finished);
    CHECK(f.payloads(1) == std::vector<std::string>{"begun"});
    CHECK_FALSE(f.out->report().partial_frame);
    CHECK(f.out->report().frames_dropped == 1);
}

TEST_CASE("a peer that takes something after a sleep has a whole timeout for the rest",
          "[write][one_write]") {
    wsolo::writer_options options;
    options.timeouts.write = 10s;
    options.timeouts.min_rate = 1000;
    writer_fixture<server> f(options);
    f.wire.rule(stands);
    f.wire.then({io_status::would_block, 1, 0}).then({io_status::would_block, 1, 0});
    REQUIRE(f.out->send_text(std::string(2000, 'x')) == errc::none);
    REQUIRE(f.out->pump().status == pump_status::blocked);
    manual_clock::advance(1h);
    CHECK(f.out->pump().status == pump_status::blocked); // there was room for no more, who knows since when
    manual_clock::advance(10s);
    CHECK(f.out->pump().status == pump_status::finished);
    CHECK(f.out->report().reason == errc::write_timed_out);
    CHECK(f.out->report().bytes_written == 2);
}

TEST_CASE("a write in flight that ended while the process slept is not blamed", "[write][completion]") {
    using writer = wsolo::single_writer<wsolo::testing::completing_transport, void (*)(), server,
                                        wsolo::no_observer, manual_traits>;
    const std::string payload(5000, 'x');
    for (const bool told_first : {true, false}) { // the completion, or the timer
        for (const std::size_t took : {std::size_t{1000}, std::size_t{9999}}) { // a part of it, or all
            INFO("told first " << told_first << ", took " << took);
            wsolo::testing::completing_wire wire;
            writer out{wsolo::testing::completing_transport(wire), +[] {}};
            REQUIRE(out.send_text(payload) == errc::none);
            REQUIRE(out.pump().status == pump_status::blocked);
            manual_clock::advance(8h);
            if (!told_first) {
                const auto woken = out.pump();
                REQUIRE(woken.status == pump_status::blocked);
                CHECK(wire.cancels() == 0); // not at once
                REQUIRE(woken.deadline > manual_clock::now());
                manual_clock::advance(woken.deadline - manual_clock::now());
                REQUIRE(out.pump().status == pump_status::blocked);
                CHECK(wire.cancels() == 1);
            }
            wire.end(io_status::ok, took);
            const auto left = out.pump();
            if (took > payload.size()) {
                CHECK(left.status == pump_status::idle);
            } else {
                CHECK(left.status == pump_status::blocked);
                wire.end(); // the rest was started once more
                CHECK(out.pump().status == pump_status::idle);
            }
            CHECK(out.report().frames_written == 1);
            CHECK(out.report().reason == errc::none);
        }
    }
}

TEST_CASE("a peer that drips into writes in flight can't hold the writer for ever", "[write][completion]") {
    using writer = wsolo::single_writer<wsolo::testing::completing_transport, void (*)(), server,
                                        wsolo::no_observer, manual_traits>;
    wsolo::writer_options options;
    options.timeouts.write = 10s;
    options.timeouts.min_rate = 1000;
    wsolo::testing::completing_wire wire;
    wire.obeys_cancel(true);
    writer out{wsolo::testing::completing_transport(wire), +[] {}, options};
    REQUIRE(out.send_text(std::string(2000, 'x')) == errc::none);
    int seconds = 0;
    while (out.pump().status == pump_status::blocked && seconds < 100) {
        ++seconds;
        manual_clock::advance(1s);
        wire.end(io_status::ok, 1);
    }
    CHECK(out.report().reason == errc::write_timed_out);
    CHECK(seconds <= 12);
}

TEST_CASE("a blocking peer that drips meets the deadline, extended by no more than the minimum rate",
          "[write][one_write]") {
    struct drips { // a byte a second, waited for until the deadline
        int* calls;
        wsolo::io_result write(std::span<const wsolo::const_bytes>, wsolo::time_point deadline) {
            ++*calls;
            const auto next = manual_clock::now() + 1s;
            if (deadline < next) {
                manual_clock::current = std::max(manual_clock::current, deadline);
                return {io_status::timed_out, 0, 0};
            }
            manual_clock::current = next;
            return {io_status::ok, 1, 0};
        }
        void finish(wsolo::end_of_write) {}
    };
    struct late_drips { // the same, but each byte comes as the deadline does
        int* calls;
        wsolo::io_result write(std::span<const wsolo::const_bytes>, wsolo::time_point deadline) {
            ++*calls;
            manual_clock::current = std::max(manual_clock::current + 1s, deadline);
            return {io_status::timed_out, 1, 0};
        }
        void finish(wsolo::end_of_write) {}
    };
    const auto play = [](auto transport, int& calls) {
        wsolo::writer_options options;
        options.timeouts.write = 10s;
        options.timeouts.min_rate = 1000;
        using writer =
            wsolo::single_writer<decltype(transport), void (*)(), server, wsolo::no_observer, manual_traits>;
        writer out{transport, +[] {}, options};
        const auto start = manual_clock::now();
        REQUIRE(out.send_text(std::string(2000, 'x')) == errc::none);
        for (int turns = 0; turns < 1000 && !out.is_finished(); ++turns) static_cast<void>(out.pump());
        CHECK(out.report().reason == errc::write_timed_out);
        CHECK(manual_clock::now() - start < 15s);
        CHECK(calls < 20);
    };
    int calls = 0;
    play(drips{&calls}, calls);
    calls = 0;
    play(late_drips{&calls}, calls);
}
