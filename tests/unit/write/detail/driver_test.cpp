// Would catch: a hook called twice or never, a second owner, a refusal or an exception that leaves the token
// with no thread, a frame so large that one deadline has to serve for all of it.

#include <support/writer_fixture.hpp>

#include <stdexcept>

namespace {

std::string numbered(int i) { return "message " + std::to_string(i); }

} // namespace

TEST_CASE("a transport or a hook that throws ends the writer with a report", "[write][driver]") {
    writer_fixture<server> f;
    f.wire.before_write([] { throw std::runtime_error("transport"); });
    REQUIRE(f.out->send_text("lost") == errc::none);
    CHECK(f.out->pump().status == pump_status::finished);
    CHECK(f.out->report().reason == errc::write_failed);

    wsolo::testing::scripted_wire wire;
    wsolo::single_writer out{wsolo::testing::scripted_transport(wire),
                             [] { throw std::runtime_error("hook"); }};
    CHECK(out.send_text("lost") == errc::none);
    CHECK(out.report().reason == errc::schedule_refused);
    CHECK(out.report().frames_dropped == 1);
}

TEST_CASE("a large frame leaves in several writes, each with a deadline of its own", "[write][driver]") {
    writer_fixture<server> f;
    REQUIRE(f.out->send_binary(wsolo::bytes_of(std::string(1'000'000, 'x'))) == errc::none);
    f.wire.before_write([] { manual_clock::advance(20s); }); // slower in all than one timeout
    REQUIRE(f.pump_all() == pump_status::idle);
    CHECK(f.wire.calls().size() == 2);
    for (const auto& call : f.wire.calls()) CHECK(call.offered <= wsolo::writer_options{}.max_gather);
}

TEST_CASE("a write offers as much as the options allow, and all of it where they bound nothing",
          "[write][driver]") {
    for (const std::uint32_t most : {100'000U, 1'000'000U, 0U}) {
        wsolo::writer_options options;
        options.max_gather = most;
        writer_fixture<server> f(options);
        REQUIRE(f.out->send_binary(wsolo::bytes_of(std::string(1'999'000, 'x'))) == errc::none);
        REQUIRE(f.pump_all() == pump_status::idle);
        const std::size_t bound = most == 0 ? 2'000'000 : most;
        CHECK(f.wire.calls().size() == (2'000'000 + bound - 1) / bound);
        for (const auto& call : f.wire.calls()) CHECK(call.offered <= bound);
    }
}

TEST_CASE("a hook that refuses fails the writer, with an outcome for everything", "[write][driver]") {
    writer_fixture<server> f;
    f.refuse = true;
    CHECK(f.out->send_text("lost") == errc::none); // accepted, and accounted for:
    REQUIRE(f.reports.size() == 1);
    CHECK(f.reports[0].reason == errc::schedule_refused);
    CHECK(f.reports[0].frames_dropped == 1);
    CHECK(f.out->send_text("late") == errc::closed);
    CHECK(f.wire.finishes() == 1);
    CHECK(f.wire.calls().empty());
}

TEST_CASE("sending from inside a write just queues, and a second pump there has nothing to do",
          "[write][driver]") {
    writer_fixture<server> f;
    f.wire.before_write([&, calls = 0]() mutable {
        CHECK(f.out->pump().status == pump_status::busy);
        if (++calls <= 3) REQUIRE(f.out->send_text(numbered(calls)) == errc::none);
    });
    REQUIRE(f.out->send_text(numbered(0)) == errc::none);
    CHECK(f.out->pump().status == pump_status::idle);
    CHECK(f.scheduled == 1); // the owner found them: no second wake-up
    CHECK(f.payloads(1).size() == 4);
}

TEST_CASE("a used-up quantum hands the token to the hook, still held", "[write][driver]") {
    wsolo::writer_options options;
    options.pump_quantum = 1000;
    writer_fixture<server> f(options);
    f.wire.rule([] { return wsolo::testing::scripted_step{io_status::ok, 600, 0}; });
    REQUIRE(f.out->send_text(std::string(3000, 'x')) == errc::none);
    CHECK(f.out->pump().status == pump_status::more);
    CHECK(f.scheduled == 2);
    CHECK(f.wire.bytes().size() == 1200);
    REQUIRE(f.out->send_text("behind") == errc::none);
    CHECK(f.scheduled == 2);
    CHECK(f.out->is_pump_owed());
    REQUIRE(f.pump_all() == pump_status::idle);
    CHECK(f.payloads(1).back() == "behind");
}

TEST_CASE("an abort by the observer lets no further frame begin", "[write][driver]") {
    struct aborting {
        wsolo::writer_options* options;
        void (*on_high)(void*);
        void* context;
        void on_finished(const wsolo::drain_report&) const {}
        void on_high_water() const { on_high(context); }
        void on_low_water() const {}
    };
    using writer =
        wsolo::single_writer<wsolo::testing::scripted_transport, void (*)(), server, aborting, manual_traits>;
    wsolo::writer_options options;
    options.limits.max_bytes = 200;
    wsolo::testing::scripted_wire wire;
    std::optional<writer> out;
    out.emplace(
        wsolo::testing::scripted_transport(wire), +[] {}, options, server{},
        aborting{&options, [](void* context) { (*static_cast<std::optional<writer>*>(context))->abort(); },
                 &out});
    REQUIRE(out->send_text(std::string(80, 'x')) == errc::none);
    CHECK(out->pump().status == pump_status::finished);
    CHECK(wire.bytes().empty());
    CHECK(out->report().frames_dropped == 1);
    CHECK(out->report().reason == errc::aborted);
}

TEST_CASE("a transport that throws at its end has ended", "[write][driver]") {
    struct throwing {
        wsolo::io_result write(std::span<const wsolo::const_bytes> parts, wsolo::time_point) {
            return {io_status::ok, parts[0].size(), 0};
        }
        void finish(wsolo::end_of_write) { throw std::runtime_error("finish"); }
    };
    heard told;
    wsolo::single_writer out{throwing{}, [] {}, {}, server{}, recorder{&told}};
    REQUIRE(out.close(wsolo::close_code::normal) == errc::none);
    CHECK(out.pump().status == pump_status::finished);
    CHECK(told.reports.size() == 1);
    CHECK(out.is_finished());
}

TEST_CASE("a pump that finds its hook refusing says that it is over", "[write][driver]") {
    wsolo::writer_options options;
    options.pump_quantum = 1;
    writer_fixture<server> f(options);
    REQUIRE(f.out->send_text("one") == errc::none);
    f.wire.rule([] { return wsolo::testing::scripted_step{io_status::ok, 1, 0}; });
    f.refuse = true;
    CHECK(f.out->pump().status == pump_status::finished);
    CHECK(f.reports.size() == 1);
}

TEST_CASE("a quantum of frames hands the token over too", "[write][driver]") {
    wsolo::writer_options options;
    options.pump_frames = 3;
    writer_fixture<server> f(options);
    f.wire.rule([] { return wsolo::testing::scripted_step{io_status::ok, 11, 0}; }); // a frame
    for (int i = 0; i < 7; ++i) REQUIRE(f.out->send_text(numbered(i)) == errc::none);
    CHECK(f.out->pump().status == pump_status::more);
    CHECK(f.payloads(1).size() == 3);
    CHECK(f.scheduled == 2);
    REQUIRE(f.out->send(f.ping("p")) == errc::none); // control frames count
    CHECK(f.out->pump().status == pump_status::more);
    CHECK(f.out->report().frames_written == 6);
    CHECK(f.out->pump().status == pump_status::idle);
    CHECK(f.scheduled == 3);
    CHECK(f.payloads(1).size() == 7);
}

TEST_CASE("a sender that writes itself writes a quantum of frames at most", "[write][driver]") {
    wsolo::testing::scripted_wire wire;
    int hooked = 0;
    wsolo::writer_options options;
    options.pump_frames = 2;
    wsolo::single_writer out{wsolo::testing::scripted_transport(wire),
                             wsolo::inline_drive{[&hooked] { ++hooked; }}, options};
    wire.rule([] { return wsolo::testing::scripted_step{io_status::ok, 3, 0}; });
    int behind = 0;
    wire.before_write([&] { // others send meanwhile, for ever
        if (++behind < 10) REQUIRE(out.send_text("b") == errc::none);
    });
    REQUIRE(out.send_text("a") == errc::none);
    CHECK(hooked == 1);
    CHECK(wire.calls().size() == 2);
    wire.before_write({});
    while (out.pump().status == pump_status::more) {}
    CHECK(wire.bytes().size() == 9);
}

TEST_CASE("a quantum is kept in two bytes, and never grows by that", "[write][driver]") {
    using wsolo::detail::short_size;
    for (const std::uint32_t exact : {0U, 1U, 1000U, 2047U, 2048U, 65536U, 1U << 20, 1U << 31})
        CHECK(short_size(exact).get() == exact);
    for (const std::uint32_t near : {2049U, 99'999U, 1'048'575U, UINT32_MAX}) {
        CHECK(short_size(near).get() <= near);
        CHECK(short_size(near).get() >= near - near / 1000);
    }
}
