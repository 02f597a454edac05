// Would catch: a completion that is taken for progress, a cancelled write that is blamed though it took everything, a PONG
// that is replaced while the transport still reads it; a late close that gives each cancelled write one try more.

#include <support/completing_fixture.hpp>

TEST_CASE("a completion never blocks: it took what it took, and has failed", "[write][completion]") {
    for (const std::size_t taken : {std::size_t{0}, std::size_t{3}}) {
        completing_fixture f;
        REQUIRE(f.out->send_text("message") == errc::none);
        REQUIRE(f.out->pump().status == pump_status::blocked);
        f.wire.end(io_status::would_block, taken);
        CHECK(f.out->pump().status == pump_status::finished);
        CHECK(f.out->report().reason == errc::write_failed);
        CHECK(f.out->report().bytes_written == taken);
    }
}

TEST_CASE("a started write that took everything is not late, whatever its completion says",
          "[write][completion]") {
    const io_status says = GENERATE(io_status::ok, io_status::would_block, io_status::timed_out);
    completing_fixture f;
    REQUIRE(f.out->send_text("a") == errc::none);
    REQUIRE(f.out->pump().status == pump_status::blocked);
    REQUIRE(f.out->close(wsolo::close_code::normal, "", 5s) == errc::none);
    manual_clock::advance(6s);
    REQUIRE(f.out->pump().status == pump_status::blocked); // it is cancelled
    f.wire.end(says);
    REQUIRE(f.out->pump().status == pump_status::blocked); // the Close has its one try, after its time
    f.wire.end(says);
    CHECK(f.out->pump().status == pump_status::finished);
    CHECK(f.out->report().reason == errc::none);
    CHECK_FALSE(f.out->report().deadline_hit);
    CHECK(f.out->report().ends_with_close());
}

TEST_CASE("a cancelled write that took everything all the same is no error", "[write][completion]") {
    for (const bool closing : {false, true}) {
        completing_fixture f;
        outcome_log log;
        REQUIRE(f.out->send_text("message", log.next()) == errc::none);
        if (closing) REQUIRE(f.out->close(wsolo::close_code::normal, "", 1s) == errc::none);
        REQUIRE(f.out->pump().status == pump_status::blocked);
        manual_clock::advance(30s);
        REQUIRE(f.out->pump().status == pump_status::blocked);
        CHECK(f.wire.cancels() == 1);
        f.wire.end();
        CHECK(f.out->pump().status == (closing ? pump_status::finished : pump_status::idle));
        CHECK(f.out->report().reason == errc::none);
        CHECK_FALSE(f.out->report().deadline_hit);
        CHECK(log.told == std::vector<std::pair<int, errc>>{{0, errc::none}});
    }
}

TEST_CASE("a PONG that a write in flight names is never replaced", "[write][completion]") {
    wsolo::writer_options options;
    options.limits.control_reserve = 2;
    completing_fixture f(options);
    const auto pong = [&](std::string_view payload) {
        return f.out->send(*wsolo::make_pong<wsolo::role::server>(wsolo::bytes_of(payload)));
    };
    REQUIRE(pong("a") == errc::none);
    REQUIRE(pong("b") == errc::none);
    REQUIRE(f.out->pump().status == pump_status::blocked);
    for (const char* const payload : {"c", "d", "e"}) REQUIRE(pong(payload) == errc::none);
    while (f.wire.in_flight()) {
        f.wire.end();
        static_cast<void>(f.out->pump());
    }
    std::string pongs;
    for (const strict::frame& frame : f.parsed().frames) pongs += frame.payload;
    CHECK(pongs == "abe");
    CHECK(f.out->report().pongs_replaced == 2);
    CHECK(f.out->report().frames_accepted() == 5);
}

TEST_CASE("a late close gives one try more, whatever cancelled writes answer", "[write][completion]") {
    constexpr int frames = 32;
    for (const std::size_t took : {std::size_t{1}, std::size_t{70'000}, std::size_t{1} << 30U}) {
        INFO("each write takes " << took);
        wsolo::writer_options options;
        options.limits.max_bytes = 8 * 1024 * 1024;
        completing_fixture f(options);
        for (int i = 0; i < frames; ++i)
            REQUIRE(f.out->send_binary(wsolo::bytes_of(std::string(64 * 1024, 'x'))) == errc::none);
        REQUIRE(f.out->close(wsolo::close_code::normal, "", 5s) == errc::none);
        REQUIRE(f.out->pump().status == pump_status::blocked);
        int writes = 0;
        for (; f.wire.in_flight() && writes < 100; ++writes) { // cancel_write() does nothing, each takes 8 s
            manual_clock::advance(8s);
            CHECK(f.out->pump().status == pump_status::blocked);
            f.wire.end(io_status::ok, took);
            static_cast<void>(f.out->pump());
        }
        CHECK(writes == 2);
        CHECK(f.wire.cancels() == 2);
        REQUIRE(f.out->is_finished());
        CHECK(f.wire.finished_as() == wsolo::end_of_write::failed);
        const auto report = f.out->report();
        CHECK(report.reason == errc::drain_timed_out);
        CHECK(report.deadline_hit);
        CHECK(report.bytes_written == f.wire.bytes().size());
        CHECK(report.frames_accepted() == frames + 1);
        CHECK(f.told.reports.size() == 1);
    }
}

TEST_CASE("the try that a late close gives may be the one that ends it well", "[write][completion]") {
    completing_fixture f;
    REQUIRE(f.out->send_text("message") == errc::none);
    REQUIRE(f.out->close(wsolo::close_code::normal, "", 5s) == errc::none);
    REQUIRE(f.out->pump().status == pump_status::blocked);
    for (const std::size_t took : {std::size_t{3}, std::size_t{1000}}) {
        manual_clock::advance(8s);
        REQUIRE(f.out->pump().status == pump_status::blocked);
        f.wire.end(io_status::ok, took);
        static_cast<void>(f.out->pump());
    }
    REQUIRE(f.out->is_finished());
    CHECK(f.out->report().is_clean());
    CHECK(f.parsed().frames.size() == 2);
}

TEST_CASE("a late abort gives the frame that was begun one try more", "[write][completion]") {
    completing_fixture f;
    REQUIRE(f.out->send_text(std::string(100, 'x')) == errc::none);
    REQUIRE(f.out->pump().status == pump_status::blocked);
    f.out->abort(errc::connection_lost, 5s);
    int writes = 0;
    for (; f.wire.in_flight() && writes < 50; ++writes) {
        manual_clock::advance(8s);
        REQUIRE(f.out->pump().status == pump_status::blocked);
        f.wire.end(io_status::ok, 1);
        static_cast<void>(f.out->pump());
    }
    CHECK(writes == 2);
    REQUIRE(f.out->is_finished());
    CHECK(f.out->report().reason == errc::connection_lost);
    CHECK(f.out->report().partial_frame);
}

TEST_CASE("a write that was cancelled is still bounded by what comes later", "[write][completion]") {
    wsolo::writer_options options;
    options.timeouts.write = 10s;
    for (const bool write_first : {true, false}) {
        completing_fixture f(options);
        const auto start = manual_clock::now();
        REQUIRE(f.out->send_text("stuck") == errc::none);
        REQUIRE(f.out->pump().status == pump_status::blocked);
        if (write_first) {
            manual_clock::advance(10s);
            CHECK(f.out->pump().deadline == wsolo::no_deadline); // cancelled: nothing more can be asked of it
        }
        REQUIRE(f.out->close(wsolo::close_code::normal, "", write_first ? 5s : 1s) == errc::none);
        if (!write_first) {
            CHECK(f.out->pump().deadline == start + 1s);
            manual_clock::advance(1s);
        }
        const auto cancelled = f.out->pump();
        CHECK(cancelled.status == pump_status::blocked);
        CHECK(cancelled.deadline == start + (write_first ? 15s : 10s));
        manual_clock::advance(20s);
        const auto late = f.out->pump();
        CHECK(late.status == pump_status::blocked);
        CHECK(late.deadline == wsolo::no_deadline); // never one that has passed: a loop would spin
        CHECK(f.wire.cancels() == 1);
        f.wire.end(io_status::failed, 0);
        CHECK(f.out->pump().status == pump_status::finished);
        CHECK(f.out->report().reason == (write_first ? errc::write_timed_out : errc::drain_timed_out));
    }
}
