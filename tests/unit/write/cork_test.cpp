// Would catch: a cork that loses the wake-up, that rejects, or that holds a busy writer back.

#include <support/writer_fixture.hpp>

TEST_CASE("corked sends leave together when the last cork has gone", "[write][cork]") {
    writer_fixture<server> f;
    {
        const auto outer = f.out->corked();
        for (int i = 0; i < 10; ++i) REQUIRE(f.out->send_text("corked") == errc::none);
        {
            const auto inner = f.out->corked();
            REQUIRE(f.out->send(f.pong("")) == errc::none);
        }
        CHECK(f.scheduled == 0);
    }
    CHECK(f.scheduled == 1);
    CHECK(f.out->pump().status == pump_status::idle);
    CHECK(f.wire.calls().size() == 1);
    { const auto idle = f.out->corked(); }
    CHECK(f.scheduled == 1); // nothing to send, no hook to call
}

TEST_CASE("a cork does not hold back an abort, nor a writer that is busy", "[write][cork]") {
    writer_fixture<server> f;
    REQUIRE(f.out->send_text("busy") == errc::none);
    const auto held = f.out->corked();
    REQUIRE(f.out->send_text("too") == errc::none);
    CHECK(f.out->pump().status == pump_status::idle);
    CHECK(f.payloads(1).size() == 2);
    f.out->abort();
    CHECK(f.scheduled == 2);
    CHECK(f.out->pump().status == pump_status::finished);
}

TEST_CASE("a cork does not hold back the Close of a write that has begun", "[write][cork]") {
    writer_fixture<server> f;
    f.wire.then({io_status::would_block, 3, 0});
    REQUIRE(f.out->send_text("begun") == errc::none);
    REQUIRE(f.out->pump().status == pump_status::blocked);
    const auto held = f.out->corked();
    REQUIRE(f.out->close(wsolo::close_code::normal) == errc::none);
    CHECK(f.scheduled == 2);
    CHECK(f.out->pump().status == pump_status::finished);
    CHECK(f.out->report().is_clean());
}

TEST_CASE("a cork too many holds nothing back, and the others still do", "[write][cork]") {
    writer_fixture<server> f;
    {
        std::deque<wsolo::cork<writer_fixture<server>::writer_type>> corks;
        for (int i = 0; i < 300; ++i) corks.push_back(f.out->corked());
        REQUIRE(f.out->send_text("corked") == errc::none);
        CHECK(f.scheduled == 0);
        while (corks.size() > 1) corks.pop_back();
        CHECK(f.scheduled == 0);
    }
    CHECK(f.scheduled == 1);
}

TEST_CASE("a cork does not hold back a Close: its bound is kept, and nothing is lost", "[write][cork]") {
    writer_fixture<server> f;
    {
        const auto held = f.out->corked();
        REQUIRE(f.out->send_text("before") == errc::none);
        CHECK(f.scheduled == 0);
        REQUIRE(f.out->close(wsolo::close_code::normal, "", 100ms) == errc::none);
        CHECK(f.scheduled == 1);
        CHECK(f.out->pump().status == pump_status::finished);
        CHECK(f.out->report().is_clean());
        CHECK(f.payloads(1) == std::vector<std::string>{"before"});
    }
    CHECK(f.scheduled == 1);
}

TEST_CASE("a cork holds a Close back no more than the data of an open message", "[write][cork]") {
    writer_fixture<server> f;
    auto message = f.out->begin_message(wsolo::opcode::text);
    REQUIRE(message.write(wsolo::bytes_of("half")) == errc::none);
    REQUIRE(f.out->pump().status == pump_status::idle);
    const auto held = f.out->corked();
    REQUIRE(f.out->close(wsolo::close_code::normal, "", 100ms) == errc::none);
    CHECK(f.scheduled == 2);
    CHECK(f.out->pump().status == pump_status::finished);
    CHECK(f.out->report().reason == errc::message_unfinished);
}

TEST_CASE("a cork may move, and counts once", "[write][cork]") {
    writer_fixture<server> f;
    {
        auto first = f.out->corked();
        {
            const auto moved = std::move(first);
            REQUIRE(f.out->send_text("corked") == errc::none);
            CHECK(f.scheduled == 0);
        }
        CHECK(f.scheduled == 1);
        REQUIRE(f.out->pump().status == pump_status::idle);
        REQUIRE(f.out->send_text("not corked any more") == errc::none);
        CHECK(f.scheduled == 2);
    }
    CHECK(f.scheduled == 2);
}

TEST_CASE("under a cork an inline drive gathers, and writes once", "[write][cork]") {
    wsolo::testing::scripted_wire wire;
    wsolo::single_writer out{wsolo::testing::scripted_transport(wire), wsolo::inline_drive{[] {}}};
    {
        const auto held = out.corked();
        for (int i = 0; i < 10; ++i) REQUIRE(out.send_text("corked") == errc::none);
        CHECK(wire.calls().empty());
    }
    CHECK(wire.calls().size() == 1);
    CHECK(strict::parse(wire.bytes(), false).frames.size() == 10);
}

TEST_CASE("a flush does not wait for a cork, nor does a sender that waits for room", "[write][cork]") {
    wsolo::writer_options options;
    options.limits.max_frames = 1;
    writer_fixture<server> f(options);
    outcome_log log;
    const auto held = f.out->corked();
    REQUIRE(f.out->send_text("corked") == errc::none);
    CHECK(f.scheduled == 0);
    CHECK(f.out->send_wait(wsolo::opcode::text, {}, manual_clock::now() - 1s) == errc::timed_out);
    CHECK(f.scheduled == 1); // a thread is asked to make room
    REQUIRE(f.out->pump().status == pump_status::idle);
    REQUIRE(f.out->send_text("corked again") == errc::none);
    CHECK(f.scheduled == 1);
    REQUIRE(f.out->flush(log.next()) == errc::none);
    CHECK(f.scheduled == 2);
    REQUIRE(f.out->pump().status == pump_status::idle);
    CHECK(log.told.size() == 1);
}
