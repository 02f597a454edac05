// Would catch: defaults that promise nothing (no bound, no deadline), options that lose precision on the way in, a zero
// that means something else than "none", a policy that drops in vain or touches what was begun.

#include <support/writer_fixture.hpp>

TEST_CASE("the defaults bound everything", "[write][options]") {
    const wsolo::writer_options options;
    CHECK(options.limits.max_bytes == 8U * 1024 * 1024);
    CHECK(options.limits.max_message == 4U * 1024 * 1024);
    CHECK(options.limits.max_frames > 0);
    CHECK(options.limits.control_reserve == 256);
    CHECK(options.timeouts.write > 0s);
    CHECK(options.timeouts.drain > 0s);
    CHECK(options.timeouts.min_rate > 0);
}

TEST_CASE("timeouts keep their milliseconds and saturate", "[write][options]") {
    wsolo::writer_options options;
    options.timeouts.write = 1234ms;
    options.timeouts.drain = std::chrono::milliseconds::max();
    const wsolo::detail::writer_rules kept(options);
    CHECK(kept.write_timeout.get() == 1234ms);
    CHECK(kept.drain_timeout.get() == wsolo::duration::max());
    options.timeouts.write = -1ms;
    CHECK(wsolo::detail::writer_rules(options).write_timeout.get() == 1ms);
}

namespace {

std::string message(int i) { return "message " + std::to_string(1000 + i); } // 12 bytes

} // namespace

TEST_CASE("drop_oldest keeps the newest and tells the others, but never touches a frame that was begun",
          "[write][options]") {
    for (const bool observed : {false, true}) { // told, or not
        wsolo::writer_options options;
        options.limits.max_frames = 5;
        options.limits.when_full = wsolo::overflow::drop_oldest;
        outcome_log log;
        writer_fixture<server> f(options);
        f.wire.then({io_status::would_block, 3, 0});
        const auto send = [&](int i) {
            return observed ? f.out->send_text(message(i), log.next()) : f.out->send_text(message(i));
        };
        REQUIRE(send(0) == errc::none);
        REQUIRE(f.out->pump().status == pump_status::blocked); // begun
        for (int i = 1; i < 20; ++i) REQUIRE(send(i) == errc::none);
        REQUIRE(f.pump_all() == pump_status::idle);
        CHECK(f.payloads(1) ==
              std::vector<std::string>{message(0), message(16), message(17), message(18), message(19)});
        const auto report = f.out->report();
        CHECK(report.frames_written == 5);
        CHECK(report.frames_dropped == 15);
        CHECK(report.bytes_dropped == 15 * 14);
        if (!observed) continue;
        REQUIRE(log.told.size() == 20);
        for (int i = 0; i < 15; ++i)
            CHECK(log.told[static_cast<std::size_t>(i)] == std::pair(i + 1, errc::dropped_oldest));
        CHECK(log.told[15] == std::pair(0, errc::none));
    }
}

TEST_CASE("disconnect aborts a writer whose peer is too slow", "[write][options]") {
    wsolo::writer_options options;
    options.limits.max_frames = 3;
    options.limits.when_full = wsolo::overflow::disconnect;
    writer_fixture<server> f(options);
    for (int i = 0; i < 3; ++i) REQUIRE(f.out->send_text(message(i)) == errc::none);
    CHECK(f.out->send_text(message(3)) == errc::queue_full);
    CHECK(f.out->send_text(message(4)) == errc::closed);
    CHECK(f.out->pump().status == pump_status::finished);
    CHECK(f.out->report().reason == errc::queue_full);
    CHECK(f.out->report().frames_dropped == 3);
    CHECK(f.wire.finished_as() == wsolo::end_of_write::aborted);
}

TEST_CASE("a keyed item replaces its predecessor, in the budget too", "[write][options]") {
    wsolo::writer_options options;
    options.limits.max_frames = 3;
    outcome_log log;
    writer_fixture<server> f(options);
    const auto price = [&](std::uint64_t key, std::string_view value) {
        return f.out->send_keyed(key, wsolo::opcode::text, wsolo::bytes_of(value), log.next());
    };
    REQUIRE(price(1, "a1") == errc::none);
    REQUIRE(price(2, "b1") == errc::none);
    REQUIRE(f.out->send_text("plain") == errc::none);
    REQUIRE(price(1, "a2") == errc::none); // full, but it replaces
    REQUIRE(price(1, "a3, longer") == errc::none);
    CHECK(price(3, "c1") == errc::queue_full);
    CHECK(log.told == std::vector<std::pair<int, errc>>{{0, errc::conflated}, {2, errc::conflated}});
    REQUIRE(f.pump_all() == pump_status::idle);
    CHECK(f.payloads(1) == std::vector<std::string>{"b1", "plain", "a3, longer"});
    CHECK(f.out->report().frames_dropped == 2);
    REQUIRE(price(1, "a4") == errc::none); // nothing to replace any more
    CHECK(f.scheduled == 2);
    CHECK(f.out->queued_bytes() == 4 + wsolo::frame_overhead + wsolo::entry_overhead);
}

TEST_CASE("a keyed item that does not fit leaves its predecessor where it was", "[write][options]") {
    wsolo::writer_options options;
    options.limits.max_bytes = 4 + 2 + 40 + 2 + 2 * (wsolo::frame_overhead + wsolo::entry_overhead);
    writer_fixture<server> f(options);
    REQUIRE(f.out->send_keyed(1, wsolo::opcode::text, wsolo::bytes_of("kept")) == errc::none);
    REQUIRE(f.out->send_text(std::string(40, 'x')) == errc::none);
    CHECK(f.out->send_keyed(1, wsolo::opcode::text, wsolo::bytes_of(std::string(60, 'y'))) ==
          errc::queue_full);
    REQUIRE(f.pump_all() == pump_status::idle);
    CHECK(f.payloads(1) == std::vector<std::string>{"kept", std::string(40, 'x')});
}

TEST_CASE("the watermarks are told once per climb and fall", "[write][options]") {
    wsolo::writer_options options;
    options.limits.max_bytes = 1000;
    options.limits.high_water = 60;
    options.limits.low_water = 10;
    writer_fixture<server> f(options);
    const std::string hundred(100 - 2 - wsolo::frame_overhead, 'x'); // 100 bytes of budget
    f.wire.then({io_status::would_block, 0, 0}).then({io_status::would_block, 84 * 3, 0});
    for (int i = 0; i < 4; ++i) REQUIRE(f.out->send_text(hundred) == errc::none);
    CHECK(f.told.high == 0);
    for (int i = 0; i < 3; ++i) REQUIRE(f.out->send_text(hundred) == errc::none);
    REQUIRE(f.out->pump().status == pump_status::blocked);
    CHECK(f.told.high == 1);
    REQUIRE(f.out->pump().status == pump_status::blocked);
    CHECK(f.told.low == 0); // 400 left, the mark is at 100
    REQUIRE(f.out->pump().status == pump_status::idle);
    CHECK(f.told.low == 1);
    f.wire.then({io_status::would_block, 0, 0});
    REQUIRE(f.out->send_text(hundred) == errc::none);
    REQUIRE(f.out->pump().status == pump_status::blocked);
    const int scheduled = f.scheduled;
    for (int i = 0; i < 6; ++i) REQUIRE(f.out->send_text(hundred) == errc::none);
    CHECK(f.scheduled == scheduled + 1); // a parked writer is recalled to tell of the climb
    REQUIRE(f.pump_all() == pump_status::idle);
    CHECK(f.told.high == 2);
    CHECK(f.told.low == 2);
}

TEST_CASE("drop_oldest drops nothing in vain", "[write][options]") {
    wsolo::writer_options options;
    options.limits.max_bytes = 8000;
    options.limits.when_full = wsolo::overflow::drop_oldest;
    writer_fixture<server> f(options);
    f.wire.then({io_status::would_block, 3, 0});
    REQUIRE(f.out->send_text(std::string(4000, 'b')) == errc::none);
    REQUIRE(f.out->pump().status == pump_status::blocked); // in flight: it can't give way
    for (int i = 0; i < 10; ++i) REQUIRE(f.out->send_text(message(i)) == errc::none);
    CHECK(f.out->send_text(std::string(5000, 'c')) == errc::queue_full);
    REQUIRE(f.pump_all() == pump_status::idle);
    CHECK(f.payloads(1).size() == 11);
}

TEST_CASE("the budget counts a frame until the transport took its last byte", "[write][options]") {
    wsolo::writer_options options;
    options.limits.max_frames = 1;
    writer_fixture<server> f(options);
    f.wire.then({io_status::would_block, 3, 0});
    REQUIRE(f.out->send_text(message(0)) == errc::none);
    REQUIRE(f.out->pump().status == pump_status::blocked); // in flight, and begun
    CHECK(f.out->send_text(message(1)) == errc::queue_full);
    CHECK(f.out->queued_bytes() == 14 - 3 + wsolo::frame_overhead + wsolo::entry_overhead);
    REQUIRE(f.pump_all() == pump_status::idle);
    CHECK(f.out->send_text(message(1)) == errc::none);
}

TEST_CASE("a refused push leaves the accounts as they were", "[write][options]") {
    wsolo::writer_options options;
    options.limits.max_frames = 1;
    writer_fixture<server> f(options);
    REQUIRE(f.out->send_text(message(0)) == errc::none);
    const std::size_t held = f.out->queued_bytes();
    CHECK(f.out->send_text(message(1)) == errc::queue_full);
    CHECK(f.out->queued_bytes() == held);
    REQUIRE(f.out->close(wsolo::close_code::normal) == errc::none);
    const std::size_t sealed = f.out->queued_bytes();
    CHECK(f.out->send_text(message(2)) == errc::closed);
    CHECK(f.out->queued_bytes() == sealed);
    REQUIRE(f.pump_all() == pump_status::finished);
    CHECK(f.out->report().frames_accepted() == 2);
}
