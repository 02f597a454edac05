// Would catch: a batch given back or counted before the transport is done with it, a completion that wakes
// no thread, a second write beside the first, a stuck write that no deadline ends, a completion that reaches a
// writer that has gone.

#include <support/completing_fixture.hpp>

#include <stdexcept>

namespace {

const std::string large(5000, 'l'); // in memory of its own

} // namespace

TEST_CASE("a started write parks the token, and its end has the writer driven", "[write][completion]") {
    completing_fixture f;
    outcome_log log;
    REQUIRE(f.out->send_text("one", log.next()) == errc::none);
    REQUIRE(f.out->send_text(large) == errc::none);
    CHECK(f.scheduled == 1);
    const auto parked = f.out->pump();
    REQUIRE(parked.status == pump_status::blocked);
    CHECK(parked.deadline == manual_clock::now() + 30s);
    CHECK(f.wire.deadlines().back() == parked.deadline);
    REQUIRE(f.out->send_text("behind") == errc::none);
    CHECK(f.out->pump().status == pump_status::blocked); // a pump too many starts no second write
    CHECK(f.scheduled == 1);
    CHECK(log.told.empty()); // nothing is written until the transport says so
    CHECK(f.out->report().frames_written == 0);
    CHECK(f.out->queued_bytes() > large.size());
    f.wire.end();
    CHECK(f.scheduled == 2);
    REQUIRE(f.out->pump().status == pump_status::blocked); // "behind"
    CHECK(log.told == std::vector<std::pair<int, errc>>{{0, errc::none}});
    CHECK(f.out->report().frames_written == 2);
    f.wire.end();
    CHECK(f.out->pump().status == pump_status::idle);
    CHECK(f.scheduled == 3);
    REQUIRE(f.out->close(wsolo::close_code::normal) == errc::none);
    REQUIRE(f.out->pump().status == pump_status::blocked);
    f.wire.end();
    CHECK(f.out->pump().status == pump_status::finished);
    CHECK(f.out->report().is_clean());
    CHECK(f.parsed().error == "");
    CHECK(f.parsed().frames.size() == 4);
    CHECK(f.wire.finishes() == 1);
}

TEST_CASE("writes that end short go on where they were cut, a PONG only on a frame boundary",
          "[write][completion]") {
    for (std::size_t cut = 1; cut <= 20; ++cut) {
        completing_fixture f;
        REQUIRE(f.out->send_text("first one") == errc::none);
        REQUIRE(f.out->send_text("second one") == errc::none);
        REQUIRE(f.out->pump().status == pump_status::blocked);
        REQUIRE(f.out->send(*wsolo::make_pong<wsolo::role::server>(wsolo::bytes_of("p"))) == errc::none);
        while (f.wire.in_flight()) {
            f.wire.end(io_status::ok, cut);
            static_cast<void>(f.out->pump());
        }
        INFO("cut every " << cut);
        CHECK(f.parsed().error == "");
        CHECK(f.parsed().frames.size() == 3);
        CHECK(f.out->report().frames_written == 3);
        CHECK(f.out->queued_bytes() == 0);
    }
}

TEST_CASE("writes that end at once need no completion from elsewhere, deferred or inline",
          "[write][completion]") {
    completing_fixture f;
    f.wire.at_once(true);
    REQUIRE(f.out->send_text("one") == errc::none);
    CHECK(f.out->pump().status == pump_status::idle);
    CHECK(f.scheduled == 1);

    completing_wire wire;
    int hooked = 0;
    wsolo::single_writer out{completing_transport(wire), wsolo::inline_drive{[&hooked] { ++hooked; }}};
    REQUIRE(out.send_text("first") == errc::none);
    CHECK(wire.in_flight());
    CHECK(hooked == 1); // the loop learns the deadline, by a pump
    REQUIRE(out.send_text("second") == errc::none);
    wire.end(); // writes on by itself
    CHECK(wire.in_flight());
    CHECK(hooked == 2);
    wire.end();
    CHECK_FALSE(out.is_pump_owed());
    CHECK(strict::parse(wire.bytes(), false).frames.size() == 2);
}

TEST_CASE("a failed write, or a completion that is lost, ends the writer", "[write][completion]") {
    for (std::size_t taken = 0; taken <= 14; ++taken) {
        completing_fixture f;
        REQUIRE(f.out->send_text("12345") == errc::none);
        REQUIRE(f.out->send_text("67890") == errc::none);
        REQUIRE(f.out->pump().status == pump_status::blocked);
        if (taken == 0)
            f.wire.lose();
        else
            f.wire.end(io_status::failed, taken, 104);
        INFO("failed after " << taken);
        REQUIRE(f.out->pump().status == pump_status::finished);
        const auto report = f.out->report();
        CHECK(report.reason == errc::write_failed);
        CHECK(report.transport_error == (taken == 0 ? 0 : 104));
        CHECK(report.frames_written == taken / 7);
        CHECK(report.frames_accepted() == 2);
        CHECK(report.bytes_written == taken);
        CHECK(report.partial_frame == (taken % 7 != 0));
    }
}

TEST_CASE("an abort while a write is in flight keeps its bytes until the completion", "[write][completion]") {
    completing_fixture f;
    outcome_log log;
    REQUIRE(f.out->send_text(large, log.next()) == errc::none);
    REQUIRE(f.out->pump().status == pump_status::blocked);
    REQUIRE(f.out->send_text("never", log.next()) == errc::none);
    f.out->abort(errc::connection_lost, 100ms);
    CHECK(f.scheduled == 2); // the loop must learn the earlier deadline
    const auto parked = f.out->pump();
    REQUIRE(parked.status == pump_status::blocked);
    CHECK(parked.deadline == manual_clock::now() + 100ms);
    CHECK(f.wire.cancels() == 0);
    CHECK(log.told.empty());
    manual_clock::advance(100ms);
    const auto cancelled = f.out->pump();
    REQUIRE(cancelled.status == pump_status::blocked);
    CHECK(cancelled.deadline == manual_clock::now() + 30s - 100ms); // the write's own is still to come
    CHECK(f.wire.cancels() == 1);
    manual_clock::advance(30s);
    const auto late = f.out->pump();
    CHECK(late.status == pump_status::blocked);
    CHECK(late.deadline == wsolo::no_deadline); // nothing left but to wait for the completion
    CHECK(f.wire.cancels() == 1);
    CHECK(f.wire.finishes() == 0);
    f.wire.end(io_status::failed, 3000); // reads what must still be there
    CHECK(f.wire.bytes().substr(4) == large.substr(0, 2996));
    REQUIRE(f.out->pump().status == pump_status::finished);
    const auto report = f.out->report();
    CHECK(report.reason == errc::connection_lost);
    CHECK(report.deadline_hit);
    CHECK(report.partial_frame);
    CHECK(report.bytes_written == 3000);
    CHECK(report.frames_dropped == 2);
    CHECK(log.told.size() == 2);
    CHECK(f.wire.finished_as() == wsolo::end_of_write::aborted);
}

TEST_CASE("what is in flight at an abort counts as begun: it may end, and nothing follows",
          "[write][completion]") {
    completing_fixture f;
    REQUIRE(f.out->send_text("in flight") == errc::none);
    REQUIRE(f.out->pump().status == pump_status::blocked);
    REQUIRE(f.out->send_text("never") == errc::none);
    f.out->abort(errc::connection_lost, 100ms);
    f.wire.end();
    REQUIRE(f.out->pump().status == pump_status::finished);
    CHECK(f.parsed().frames.size() == 1);
    CHECK(f.out->report().frames_written == 1);
    CHECK(f.out->report().frames_dropped == 1);
    CHECK_FALSE(f.out->report().partial_frame);
    CHECK(f.wire.cancels() == 0);
}

TEST_CASE("a write that stands still is cancelled at its deadline, by the thread that pumps",
          "[write][completion]") {
    for (const bool closing : {false, true}) {
        wsolo::writer_options options;
        options.timeouts.write = 10s;
        completing_fixture f(options);
        f.wire.obeys_cancel(true);
        REQUIRE(f.out->send_text("stuck") == errc::none);
        REQUIRE(f.out->pump().status == pump_status::blocked);
        if (closing) REQUIRE(f.out->close(wsolo::close_code::normal, "", 1s) == errc::none);
        const auto parked = f.out->pump();
        CHECK(parked.deadline == manual_clock::now() + (closing ? 1s : 10s));
        manual_clock::advance(closing ? 1s : 10s);
        REQUIRE(f.out->pump().status == pump_status::finished);
        CHECK(f.wire.cancels() == 1);
        CHECK(f.out->report().reason == (closing ? errc::drain_timed_out : errc::write_timed_out));
        CHECK(f.out->report().deadline_hit);
    }
    completing_fixture f; // a transport that keeps the deadline itself
    REQUIRE(f.out->send_text("stuck") == errc::none);
    REQUIRE(f.out->pump().status == pump_status::blocked);
    manual_clock::advance(30s);
    f.wire.end(io_status::timed_out, 0);
    REQUIRE(f.out->pump().status == pump_status::finished);
    CHECK(f.out->report().reason == errc::write_timed_out);
}

TEST_CASE("a writer destroyed with a write in flight leaves the transport its bytes", "[write][completion]") {
    for (const bool obeys : {false, true}) {
        completing_fixture f;
        f.wire.obeys_cancel(obeys);
        outcome_log log;
        REQUIRE(f.out->send_text(large, log.next()) == errc::none);
        REQUIRE(f.out->pump().status == pump_status::blocked);
        f.out.reset();
        CHECK(f.wire.cancels() == 1);
        REQUIRE(f.told.reports.size() == 1);
        CHECK(f.told.reports[0].frames_dropped == 1);
        CHECK(f.told.reports[0].partial_frame == !obeys); // else it is known how much went: nothing
        CHECK(log.told == std::vector<std::pair<int, errc>>{{0, errc::aborted}});
        CHECK(f.wire.in_flight() == !obeys);
        if (f.wire.in_flight()) f.wire.end(); // reads them, and reaches no writer
        CHECK(f.scheduled == 1);
    }
    completing_fixture f; // the completion came, and no thread pumped since
    REQUIRE(f.out->send_text("written") == errc::none);
    REQUIRE(f.out->pump().status == pump_status::blocked);
    f.wire.end();
    f.out.reset();
    CHECK(f.told.reports[0].frames_written == 1);
    CHECK_FALSE(f.told.reports[0].partial_frame);
}

TEST_CASE("a hook that refuses ends the writer when the write in flight has ended", "[write][completion]") {
    completing_fixture f;
    REQUIRE(f.out->send_text(large) == errc::none);
    REQUIRE(f.out->pump().status == pump_status::blocked);
    f.refuse = true;
    REQUIRE(f.out->close(wsolo::close_code::normal) == errc::none);
    CHECK(f.told.reports.empty());
    CHECK(f.wire.cancels() == 1);
    f.wire.end(io_status::failed, 10);
    REQUIRE(f.told.reports.size() == 1);
    CHECK(f.told.reports[0].reason == errc::schedule_refused);
    CHECK(f.told.reports[0].bytes_written == 10);
    CHECK(f.told.reports[0].frames_dropped == 2);
}

TEST_CASE("a high mark is told and a waiting sender is freed while a write is in flight",
          "[write][completion]") {
    wsolo::writer_options options;
    options.limits.max_bytes = 1000;
    completing_fixture f(options);
    REQUIRE(f.out->send_text("in flight") == errc::none);
    REQUIRE(f.out->pump().status == pump_status::blocked);
    REQUIRE(f.out->send_text(std::string(700, 'x')) == errc::none);
    CHECK(f.scheduled == 2); // recalled, to tell of it
    CHECK(f.out->pump().status == pump_status::blocked);
    CHECK(f.told.high == 1);
    f.wire.end();
    REQUIRE(f.out->pump().status == pump_status::blocked);
    f.wire.end();
    CHECK(f.out->pump().status == pump_status::idle);
    CHECK(f.told.low == 1);
}

TEST_CASE("a transport that throws instead of starting has failed", "[write][completion]") {
    struct throws {
        void start_write(std::span<const wsolo::const_bytes>, wsolo::time_point, wsolo::write_done) {
            throw std::runtime_error("transport");
        }
        void cancel_write() {}
        void finish(wsolo::end_of_write) {}
    };
    wsolo::single_writer out{throws{}, [] {}};
    REQUIRE(out.send_text("lost") == errc::none);
    CHECK(out.pump().status == pump_status::finished);
    CHECK(out.report().reason == errc::write_failed);
}

TEST_CASE("a transport that throws instead of cancelling is waited for", "[write][completion]") {
    struct throws {
        wsolo::write_done* pending;
        int* cancels;
        void start_write(std::span<const wsolo::const_bytes>, wsolo::time_point, wsolo::write_done done) {
            *pending = std::move(done);
        }
        void cancel_write() {
            if (++*cancels == 2) (*pending)({io_status::failed, 0, 1}); // a writer that asks for ever ends so
            throw std::runtime_error("cancel");
        }
        void finish(wsolo::end_of_write) {}
    };
    wsolo::write_done pending;
    int cancels = 0;
    {
        wsolo::single_writer<throws, void (*)(), server, wsolo::no_observer, manual_traits> out{
            throws{&pending, &cancels}, +[] {}};
        REQUIRE(out.send_text("stuck") == errc::none);
        REQUIRE(out.pump().status == pump_status::blocked);
        manual_clock::advance(30s);
        CHECK(out.pump().status == pump_status::blocked);
        CHECK(out.pump().status == pump_status::blocked);
        CHECK(cancels == 1); // once
        pending({io_status::failed, 0, 1});
        CHECK(out.pump().status == pump_status::finished);
        CHECK(out.report().reason == errc::write_timed_out);
    }
    wsolo::single_writer<throws, void (*)(), server, wsolo::no_observer, manual_traits> out{
        throws{&pending, &cancels}, +[] {}};
    REQUIRE(out.send_text("lost") == errc::none); // destroyed with a write in flight
    REQUIRE(out.pump().status == pump_status::blocked);
}

TEST_CASE("however writes end, the wire parses and the accounts add up", "[write][completion]") {
    for (std::uint64_t seed = 1; seed <= 100; ++seed) {
        wsolo::writer_options options;
        options.limits.max_bytes = 20'000;
        options.pump_quantum = 500;
        completing_fixture f(options);
        std::uint64_t state = seed * 77;
        const auto draw = [&](std::uint64_t below) {
            state = state * 6364136223846793005ULL + 1442695040888963407ULL;
            return (state >> 33) % below;
        };
        std::uint64_t frames = 0;
        for (int step = 0; step < 150; ++step) {
            const std::uint64_t what = draw(10);
            if (what < 4)
                frames += f.out->send_text(std::string(draw(what == 0 ? 4000 : 300), 'm')) == errc::none;
            else if (what == 4)
                frames += f.out->send(*wsolo::make_ping<wsolo::role::server>({})) == errc::none;
            else if (what < 7)
                static_cast<void>(f.out->pump());
            else if (f.wire.in_flight())
                f.wire.end(io_status::ok, 1 + draw(600));
        }
        if (seed % 3 == 0)
            f.out->abort(errc::connection_lost, draw(2) == 0 ? 0s : 1h);
        else
            frames += f.out->close(wsolo::close_code::normal) == errc::none;
        while (f.out->pump().status != pump_status::finished) {
            if (f.wire.in_flight()) f.wire.end(io_status::ok, 1 + draw(5000));
        }
        INFO("seed " << seed);
        const strict::stream wire = f.parsed();
        CHECK(wire.error == "");
        CHECK((wire.rest != 0) == f.out->report().partial_frame);
        CHECK(f.out->report().frames_accepted() == frames);
        CHECK(f.out->report().frames_written == wire.frames.size());
        CHECK(f.out->report().bytes_written == f.wire.bytes().size());
        CHECK(f.told.reports.size() == 1);
    }
}
