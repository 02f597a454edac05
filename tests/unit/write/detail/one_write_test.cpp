// Would catch (S1): a deadline that a later write inherits, one that starts when the item was queued, one
// that each dripped byte renews, a drain without a bound.

#include <support/writer_fixture.hpp>

TEST_CASE("the drain has a bound, even for a writer that was parked before", "[write][one_write]") {
    writer_fixture<server> f;
    f.wire.rule([] { return wsolo::testing::scripted_step{io_status::would_block, 0, 0}; });
    f.wire.then({io_status::would_block, 3, 0});
    REQUIRE(f.out->send_text("stuck") == errc::none);
    REQUIRE(f.out->send_text("never") == errc::none);
    REQUIRE(f.out->pump().status == pump_status::blocked);
    REQUIRE(f.out->close(wsolo::close_code::normal, "", 100ms) == errc::none);
    CHECK(f.scheduled == 2); // the loop must learn the earlier deadline
    const auto parked = f.out->pump();
    REQUIRE(parked.status == pump_status::blocked);
    CHECK(parked.deadline == manual_clock::now() + 100ms);
    manual_clock::advance(100ms);
    REQUIRE(f.out->pump().status == pump_status::finished);
    const auto report = f.out->report();
    CHECK(report.reason == errc::drain_timed_out);
    CHECK(report.deadline_hit);
    CHECK(report.partial_frame);
    CHECK(report.frames_written == 0);
    CHECK(report.frames_dropped == 3);
    CHECK(report.bytes_written == 3);
    CHECK(report.bytes_dropped == 7 + 7 + 4 - 3);
    CHECK(f.wire.finished_as() == wsolo::end_of_write::failed);
}

TEST_CASE("an idle spell longer than the write timeout does not touch the next write", "[write][one_write]") {
    wsolo::writer_options options;
    options.timeouts.write = 10s;
    writer_fixture<server> f(options);
    REQUIRE(f.out->send_text("one") == errc::none);
    REQUIRE(f.out->pump().status == pump_status::idle);
    manual_clock::advance(1h);
    REQUIRE(f.out->send(f.pong("late")) == errc::none);
    manual_clock::advance(20s); // the deadline starts with the write, not with the send
    REQUIRE(f.out->pump().status == pump_status::idle);
    REQUIRE(f.wire.calls().size() == 2);
    CHECK(f.wire.calls()[1].deadline == manual_clock::now() + 10s);
    CHECK(f.payloads(10) == std::vector<std::string>{"late"});
}

TEST_CASE("a write that stands still meets its deadline, and a finished write starts a new one",
          "[write][one_write]") {
    wsolo::writer_options options;
    options.timeouts.write = 10s;
    writer_fixture<server> f(options);
    f.wire.then({io_status::ok}).then({io_status::would_block, 0, 0}).then({io_status::would_block, 0, 0});
    REQUIRE(f.out->send_text("one") == errc::none);
    f.wire.before_write([&, sent = false]() mutable {
        if (!std::exchange(sent, true)) REQUIRE(f.out->send_text("two") == errc::none);
        manual_clock::advance(6s);
    });
    const auto parked = f.out->pump();
    REQUIRE(parked.status == pump_status::blocked);
    CHECK(parked.deadline == manual_clock::now() - 6s + 10s); // not the first write's
    CHECK(f.out->pump().status == pump_status::blocked);      // 6 s into the second write
    f.wire.then({io_status::would_block, 0, 0});
    CHECK(f.out->pump().status == pump_status::finished);
    CHECK(f.out->report().reason == errc::write_timed_out);
    CHECK(f.out->report().frames_written == 1);
    CHECK(f.out->report().frames_dropped == 1);
}

TEST_CASE("a peer that drips one byte at a time can't hold the writer for ever", "[write][one_write]") {
    wsolo::writer_options options;
    options.timeouts.write = 10s;
    options.timeouts.min_rate = 1000;
    writer_fixture<server> f(options);
    f.wire.rule([] { return wsolo::testing::scripted_step{io_status::would_block, 1, 0}; });
    REQUIRE(f.out->send_text(std::string(2000, 'x')) == errc::none);
    int seconds = 0;
    while (f.out->pump().status == pump_status::blocked && seconds < 100) {
        manual_clock::advance(1s);
        ++seconds;
    }
    CHECK(f.out->report().reason == errc::write_timed_out);
    CHECK(seconds == 11); // 10 s, and a millisecond for each byte
    CHECK(f.out->report().partial_frame);
}

TEST_CASE("a write that took everything is not blocked, whatever it says", "[write][one_write]") {
    wsolo::writer_options options;
    options.max_gather = 3000;
    writer_fixture<server> f(options);
    REQUIRE(f.out->send_text(std::string(2996, 'x')) == errc::none);
    REQUIRE(f.out->send_text(std::string(2996, 'x')) == errc::none);
    f.wire.then({io_status::would_block, 3000, 0}).then({io_status::would_block, 0, 0});
    const auto left = f.out->pump();
    CHECK(left.status == pump_status::blocked);
    CHECK(f.wire.calls().size() == 2);
    CHECK(left.deadline != wsolo::no_deadline); // what stands is bounded
}

TEST_CASE("a write that took everything is not late, whatever it says", "[write][one_write]") {
    const io_status says = GENERATE(io_status::ok, io_status::would_block, io_status::timed_out);
    writer_fixture<server> f;
    f.wire.then({io_status::would_block, 0, 0});
    REQUIRE(f.out->close(wsolo::close_code::normal, "", 5s) == errc::none);
    REQUIRE(f.out->pump().status == pump_status::blocked);
    manual_clock::advance(6s);
    f.wire.then({says, std::size_t(-1), 0});
    CHECK(f.out->pump().status == pump_status::finished);
    CHECK(f.out->report().reason == errc::none);
    CHECK_FALSE(f.out->report().deadline_hit);
    CHECK(f.out->report().ends_with_close());
    CHECK(f.wire.finished_as() == wsolo::end_of_write::drained);
}

TEST_CASE("a write that took everything and failed has failed", "[write][one_write]") {
    writer_fixture<server> f;
    REQUIRE(f.out->send_text("message") == errc::none);
    f.wire.then({io_status::failed, std::size_t(-1), 0});
    CHECK(f.out->pump().status == pump_status::finished);
    CHECK(f.out->report().reason == errc::write_failed);
    CHECK(f.out->report().frames_written == 1);
}

TEST_CASE("a slow peer above the minimum rate is never cut off", "[write][one_write]") {
    wsolo::writer_options options;
    options.timeouts.write = 10s;
    options.timeouts.min_rate = 1000;
    writer_fixture<server> f(options);
    f.wire.rule([] { return wsolo::testing::scripted_step{io_status::would_block, 1100, 0}; });
    REQUIRE(f.out->send_text(std::string(100'000, 'x')) == errc::none);
    pump_status status = pump_status::blocked;
    while ((status = f.out->pump().status) == pump_status::blocked && f.wire.calls().size() < 200)
        manual_clock::advance(1s);
    CHECK(status == pump_status::idle);
    CHECK(f.out->report().frames_written == 1);
}

TEST_CASE("a process that slept gives a write that goes on all of its time again", "[write][one_write]") {
    wsolo::writer_options options;
    options.timeouts.write = 10s;
    options.timeouts.min_rate = 1000;
    writer_fixture<server> f(options);
    f.wire.rule([] { return wsolo::testing::scripted_step{io_status::would_block, 1, 0}; });
    REQUIRE(f.out->send_text(std::string(2000, 'x')) == errc::none);
    REQUIRE(f.out->pump().status == pump_status::blocked);
    manual_clock::advance(1h);
    const auto awake = f.out->pump();
    CHECK(awake.status == pump_status::blocked);
    CHECK(awake.deadline == manual_clock::now() + 10s);
    f.wire.rule([] { return wsolo::testing::scripted_step{io_status::would_block, 0, 0}; });
    manual_clock::advance(10s);
    CHECK(f.out->pump().status == pump_status::finished);
    CHECK(f.out->report().reason == errc::write_timed_out);
}

TEST_CASE("a peer that drips gains nothing by a loop that comes at each deadline", "[write][one_write]") {
    wsolo::writer_options options;
    options.timeouts.write = 10s;
    options.timeouts.min_rate = 1000;
    writer_fixture<server> f(options);
    f.wire.rule([] { return wsolo::testing::scripted_step{io_status::would_block, 1, 0}; });
    REQUIRE(f.out->send_text(std::string(2000, 'x')) == errc::none);
    auto left = f.out->pump();
    for (int turns = 0; left.status == pump_status::blocked && turns < 100; ++turns) {
        manual_clock::current = left.deadline + 2ms; // a byte earns one
        left = f.out->pump();
    }
    CHECK(f.out->report().reason == errc::write_timed_out);
}

namespace {

/// Counts the looks at the clock.
struct counting_clock {
    using time_point = wsolo::time_point;
    static inline int looks = 0;
    static time_point now() noexcept {
        ++looks;
        return manual_clock::now();
    }
};
struct counting_traits : wsolo::std_blocking_traits {
    using clock = counting_clock;
    using condition_variable = support::test_condition_variable<clock>;
};
/// Takes so many bytes in each write; the process sleeps in the middle of it.
struct prompt_wire {
    static constexpr bool never_waits = true;
    std::vector<std::size_t>* takes;
    wsolo::duration sleeps{};
    wsolo::io_result write(std::span<const wsolo::const_bytes> parts, wsolo::time_point) {
        std::size_t offered = 0;
        for (const auto part : parts) offered += part.size();
        const std::size_t takes_now = takes->empty() ? offered : takes->front();
        if (!takes->empty()) takes->erase(takes->begin());
        manual_clock::advance(sleeps);
        return {takes_now == offered ? io_status::ok : io_status::would_block, takes_now, 0};
    }
    void finish(wsolo::end_of_write) {}
};
struct quiet_hook {
    void operator()() const {}
};
using prompt_writer =
    wsolo::single_writer<prompt_wire, quiet_hook, wsolo::server_side, wsolo::no_observer, counting_traits>;
static_assert(!wsolo::never_waits<wsolo::testing::scripted_transport> && wsolo::never_waits<prompt_wire>);

} // namespace

TEST_CASE("a transport that never waits costs a look at the clock where it leaves something",
          "[write][one_write]") {
    std::vector<std::size_t> takes;
    wsolo::writer_options options;
    options.timeouts.write = 10s;
    prompt_writer out(prompt_wire{&takes, 20s}, quiet_hook{}, options);
    counting_clock::looks = 0;
    REQUIRE(out.send_text("one") == errc::none);
    CHECK(out.pump().status == pump_status::idle); // one entry
    REQUIRE(out.send_text("two") == errc::none);
    REQUIRE(out.send_ping() == errc::none);
    CHECK(out.pump().status == pump_status::idle); // two lanes
    CHECK(counting_clock::looks == 0);

    takes = {0, 0, 0}; // its time begins when it left something, though it took longer than that
    REQUIRE(out.send_text("three") == errc::none);
    const auto parked = out.pump();
    CHECK(parked.status == pump_status::blocked);
    CHECK(parked.deadline == manual_clock::now() + 10s);
    CHECK(counting_clock::looks > 0);
    out.connection().sleeps = 5s;
    manual_clock::advance(4s);
    CHECK(out.pump().status ==
          pump_status::blocked); // tried in time: what came after that is not the peer's fault
    CHECK(out.pump().status == pump_status::blocked);
    CHECK(out.pump().status == pump_status::idle);
    REQUIRE(out.send_text("four") == errc::none);
    takes = {0, 0};
    out.connection().sleeps = {};
    REQUIRE(out.pump().status == pump_status::blocked);
    manual_clock::advance(10s);
    REQUIRE(out.pump().status == pump_status::finished);
    CHECK(out.report().reason == errc::write_timed_out);
}
