// Would catch: a budget that overshoots, forgets what is in flight or keeps what was taken; control frames
// that starve or grow without bound.

#include <support/writer_fixture.hpp>

namespace {

constexpr int text_op = 1, close_op = 8, pong_op = 10;

} // namespace

TEST_CASE("the budget is strict, counts overhead and what is in flight, and returns what was taken",
          "[write][accounts]") {
    const std::size_t frame = 2 + 10 + wsolo::frame_overhead;
    const std::size_t three = 3 * frame + wsolo::entry_overhead; // they share an entry
    const std::string ten(10, 'x');
    for (const std::size_t slack : {std::size_t{0}, std::size_t{1}, frame - 1}) {
        wsolo::writer_options options;
        options.limits.max_bytes = three + slack;
        writer_fixture<server> f(options);
        for (int i = 0; i < 3; ++i) REQUIRE(f.out->send_text(ten) == errc::none);
        CHECK(f.out->send_text(ten) == errc::queue_full);
        CHECK(f.out->queued_bytes() == three);
        f.wire.then({io_status::would_block, 0, 0}).then({io_status::would_block, 11, 0});
        REQUIRE(f.out->pump().status == pump_status::blocked);
        CHECK(f.out->send_text(ten) == errc::queue_full); // in flight is not gone
        REQUIRE(f.out->pump().status == pump_status::blocked);
        CHECK(f.out->queued_bytes() == three - 11);
        REQUIRE(f.out->pump().status == pump_status::idle);
        CHECK(f.out->queued_bytes() == 0);
        CHECK(f.out->send_text(ten) == errc::none);
        CHECK(f.out->report().frames_written == 3);
    }
}

TEST_CASE("what can never fit is too_large, and a frame count is a bound of its own", "[write][accounts]") {
    wsolo::writer_options options;
    options.limits.max_bytes = 1000;
    options.limits.max_frames = 2;
    writer_fixture<server> f(options);
    const std::size_t largest = 1000 - wsolo::frame_overhead - wsolo::entry_overhead - 4;
    CHECK(f.out->send_text(std::string(largest + 1, 'x')) == errc::too_large);
    CHECK(f.out->send_binary(wsolo::bytes_of(std::string(100'000, 'x'))) == errc::too_large);
    CHECK(f.scheduled == 0);
    CHECK(f.out->send_text(std::string(largest, 'x')) == errc::none);
    CHECK(f.out->send_text("") == errc::queue_full);
    REQUIRE(f.pump_all() == pump_status::idle);
    CHECK(f.out->send_text("") == errc::none);
    CHECK(f.out->send_text("") == errc::none);
    CHECK(f.out->send_text("") == errc::queue_full);
    CHECK(f.out->close(wsolo::close_code::normal) == errc::none); // Close always has room
    REQUIRE(f.pump_all() == pump_status::finished);
    CHECK(f.payloads(text_op).size() == 3);
    CHECK(f.payloads(close_op).size() == 1);
}

TEST_CASE("every PING is answered within the reserve, beyond it the newest answer replaces the last",
          "[write][accounts]") {
    wsolo::writer_options options;
    options.limits.max_bytes = 300; // data can't starve control
    options.limits.control_reserve = 8;
    writer_fixture<server> f(options);
    while (f.out->send_text("data") == errc::none) {}
    f.wire.rule([] { return wsolo::testing::scripted_step{io_status::would_block, 0, 0}; });
    for (int i = 0; i < 8; ++i) REQUIRE(f.out->send(f.pong(std::to_string(i))) == errc::none);
    REQUIRE(f.out->pump().status == pump_status::blocked); // the eight were offered, and none was taken
    for (int i = 8; i < 100'000; ++i) {
        REQUIRE(f.out->send(f.pong(std::to_string(i))) == errc::none);
        if (i % 1000 == 0) REQUIRE(f.out->pump().status == pump_status::blocked);
    }
    f.wire.rule({});
    REQUIRE(f.pump_all() == pump_status::idle);
    const auto pongs = f.payloads(pong_op);
    REQUIRE(pongs.size() == 8);
    for (int i = 0; i < 7; ++i) CHECK(pongs[static_cast<std::size_t>(i)] == std::to_string(i));
    CHECK(pongs.back() == "99999");
    const auto report = f.out->report();
    CHECK(report.frames_accepted() == report.frames_written + 100'000 - 8);
    CHECK(report.pongs_replaced == 100'000 - 8);
    CHECK(report.frames_dropped == 0);
    for (int i = 0; i < 8; ++i) CHECK(f.out->send(f.ping("")) == errc::none);
    CHECK(f.out->send(f.ping("")) == errc::queue_full);
}

TEST_CASE("half of the bounds is free while as much may follow as is queued, in bytes and in frames",
          "[write][accounts]") {
    const bool by_frames = GENERATE(true, false);
    const std::size_t first = 2 + 10 + wsolo::frame_overhead + wsolo::entry_overhead;
    wsolo::writer_options options;
    options.limits.max_bytes = by_frames ? 0 : 2 * first;
    options.limits.max_frames = by_frames ? 2 : 0;
    writer_fixture<server> f(options);
    CHECK(f.out->is_half_free());
    REQUIRE(f.out->send_text("0123456789") == errc::none);
    CHECK(f.out->is_half_free());
    REQUIRE(f.out->send_text("") == errc::none);
    CHECK_FALSE(f.out->is_half_free());
    REQUIRE(f.pump_all() == pump_status::idle);
    CHECK(f.out->is_half_free());
}

TEST_CASE("what left unwritten is counted beyond 2^32, each by itself", "[write][accounts]") {
    wsolo::detail::accounts books(wsolo::writer_options{});
    books.note_close(wsolo::close_code::going_away);
    books.note_reason(errc::write_timed_out);
    books.open_message();
    for (int i = 0; i < 3; ++i) {
        wsolo::detail::holdings held;
        held.data_frames = UINT32_MAX;
        held.control_bytes = 7;
        books.drop_all(held);
        held.add(wsolo::detail::lane_id::pong, UINT32_MAX, 1);
        books.replace_pong(held, UINT32_MAX);
    }
    wsolo::drain_report report;
    books.fill(report);
    CHECK(report.frames_dropped == 3 * std::uint64_t{UINT32_MAX});
    CHECK(report.bytes_dropped == 21);
    CHECK(report.pongs_replaced == 3);
    CHECK(report.bytes_replaced == 3 * std::uint64_t{UINT32_MAX});
    CHECK(report.close == wsolo::close_code::going_away);
    CHECK(report.reason == errc::write_timed_out);
    CHECK(books.in_message());
    CHECK_FALSE(books.is_above());
}

TEST_CASE("without bounds half is always free", "[write][accounts]") {
    wsolo::writer_options options;
    options.limits.max_bytes = 0;
    options.limits.max_frames = 0;
    writer_fixture<server> f(options);
    for (int i = 0; i < 100; ++i) REQUIRE(f.out->send_text(std::string(1000, 'x')) == errc::none);
    CHECK(f.out->is_half_free());
    CHECK(f.pump_all() == pump_status::idle);
}
