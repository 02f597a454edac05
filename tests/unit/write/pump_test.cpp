// Would catch: a pump that answers with another state than the one it left, or without the deadline that it knows; an
// inline drive that keeps what it was made of, or its hook's answer, to itself.

#include <support/writer_fixture.hpp>

#include <wsolo/write/init_gate.hpp>

TEST_CASE("each status is said of the state that pump() left", "[write][pump]") {
    wsolo::writer_options options;
    options.pump_frames = 1;
    writer_fixture<server> f(options);
    CHECK(f.out->pump().status == pump_status::idle);
    CHECK_FALSE(f.out->is_pump_owed());
    f.wire.rule([] { return wsolo::testing::scripted_step{io_status::ok, 3, 0}; });
    REQUIRE(f.out->send_text("1") == errc::none);
    REQUIRE(f.out->send_text("2") == errc::none);
    CHECK(f.out->is_pump_owed());
    const auto more = f.out->pump();
    CHECK(more.status == pump_status::more);
    CHECK(more.deadline == wsolo::no_deadline);
    CHECK(f.out->is_pump_owed());
    f.wire.rule([] { return wsolo::testing::scripted_step{io_status::would_block, 0, 0}; });
    const auto blocked = f.out->pump();
    CHECK(blocked.status == pump_status::blocked);
    CHECK(blocked.deadline == manual_clock::now() + 30s);
    CHECK(f.out->is_pump_owed());
    f.wire.before_write([&] {
        const auto busy = f.out->pump();
        CHECK(busy.status == pump_status::busy);
        CHECK(busy.deadline == wsolo::no_deadline);
        CHECK_FALSE(f.out->is_pump_owed());
    });
    CHECK(f.out->pump().status == pump_status::blocked);
    f.wire.before_write({});
    f.out->abort();
    CHECK(f.out->pump().status == pump_status::finished);
    CHECK(f.out->pump().status == pump_status::finished);
    CHECK(f.out->is_finished());
}

TEST_CASE("no timeout is no deadline: a zero means none", "[write][pump]") {
    wsolo::writer_options options;
    options.timeouts.write = 0ms;
    options.timeouts.drain = 0ms;
    writer_fixture<server> f(options);
    f.wire.rule([] { return wsolo::testing::scripted_step{io_status::would_block, 0, 0}; });
    REQUIRE(f.out->send_text("1") == errc::none);
    CHECK(f.out->pump().deadline == wsolo::no_deadline);
    manual_clock::advance(24h);
    CHECK(f.out->pump().status == pump_status::blocked);
    REQUIRE(f.out->close(wsolo::close_code::normal) == errc::none);
    CHECK(f.out->pump().deadline == wsolo::no_deadline);
    manual_clock::advance(24h);
    CHECK(f.out->pump().status == pump_status::blocked);
    f.wire.rule({});
    CHECK(f.out->pump().status == pump_status::finished);
    CHECK(f.out->report().is_clean());

    f.make({});
    f.wire.rule([] { return wsolo::testing::scripted_step{io_status::would_block, 0, 0}; });
    REQUIRE(f.out->close(wsolo::close_code::normal, "", 0s) == errc::none); // here too
    CHECK(f.out->pump().deadline == manual_clock::now() + 30s);             // the write's
    f.wire.rule({});
    CHECK(f.out->pump().status == pump_status::finished);
}

TEST_CASE("limits and quanta of zero bound nothing", "[write][pump]") {
    wsolo::writer_options options;
    options.limits.max_bytes = 0;
    options.limits.max_frames = 0;
    options.pump_quantum = 0;
    options.pump_frames = 0;
    writer_fixture<server> f(options);
    const std::string large(300'000, 'x');
    for (int i = 0; i < 20; ++i) REQUIRE(f.out->send_binary(wsolo::bytes_of(large)) == errc::none);
    for (int i = 0; i < 70'000; ++i) REQUIRE(f.out->send_text("") == errc::none);
    CHECK(f.out->queued_frames() == 70'020);
    CHECK(f.out->pump().status == pump_status::idle);
    CHECK(f.scheduled == 1);
    CHECK(f.parsed().frames.size() == 70'020);
}

TEST_CASE("an inline drive answers as its hook does", "[write][pump]") {
    int calls = 0;
    auto refusing = wsolo::inline_drive{[&calls] {
        ++calls;
        return false;
    }};
    STATIC_REQUIRE(wsolo::schedule_hook<decltype(refusing)>);
    CHECK_FALSE(refusing());
    auto plain = wsolo::inline_drive{[&calls] { ++calls; }};
    STATIC_REQUIRE(std::is_same_v<decltype(plain()), void>);
    plain();
    CHECK(calls == 2);

    wsolo::testing::scripted_wire wire;
    wire.then({io_status::would_block, 1, 0}).then({io_status::would_block, 0, 0});
    wsolo::single_writer out{wsolo::testing::scripted_transport(wire), refusing};
    CHECK(out.send_text("x") == errc::none); // accepted, and accounted for:
    CHECK(out.is_finished());
    CHECK(out.report().reason == errc::schedule_refused);
    CHECK(out.report().partial_frame);
    CHECK(out.report().frames_dropped == 1);
}
