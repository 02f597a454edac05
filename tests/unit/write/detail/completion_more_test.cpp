// Would catch: a completion that is taken for progress, a cancelled write that is blamed though it took everything, a PONG
// that is replaced while the transport still reads it.

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
