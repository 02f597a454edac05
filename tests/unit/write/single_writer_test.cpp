// Would catch: a frame torn by a reply, a PONG in the middle of a frame, data after Close, a lost or doubled
// wake-up, a budget that overshoots, a stale or drip-fed deadline, an accepted frame without an outcome.

#include <support/writer_fixture.hpp>

namespace {

constexpr int text_op = 1, close_op = 8, ping_op = 9, pong_op = 10;

std::string numbered(int i) { return "message " + std::to_string(i); }

std::uint16_t close_status(const std::string& body) {
    return static_cast<std::uint16_t>(static_cast<unsigned char>(body.at(0)) << 8 |
                                      static_cast<unsigned char>(body.at(1)));
}

} // namespace

TEMPLATE_TEST_CASE("many sends cost one hook call and one write", "[write][single_writer]", server, client) {
    writer_fixture<TestType> f;
    for (int i = 0; i < 40; ++i) REQUIRE(f.out->send_text(numbered(i)) == errc::none);
    CHECK(f.scheduled == 1);
    CHECK(f.wire.calls().empty()); // the default drive never writes from send
    CHECK(f.out->pump().status == pump_status::idle);
    CHECK(f.wire.calls().size() == 1);
    const auto sent = f.payloads(text_op);
    REQUIRE(sent.size() == 40);
    for (int i = 0; i < 40; ++i) CHECK(sent[static_cast<std::size_t>(i)] == numbered(i));

    REQUIRE(f.out->send_text("again") == errc::none); // idle to busy once more
    CHECK(f.scheduled == 2);
    CHECK(f.out->pump().status == pump_status::idle);
    CHECK(f.out->queued_bytes() == 0);
}

TEMPLATE_TEST_CASE("sizes around every header and block boundary keep their order", "[write][single_writer]",
                   server, client) {
    writer_fixture<TestType> f;
    std::vector<std::string> expected;
    const std::size_t edge = wsolo::detail::accounts(wsolo::writer_options{}).inline_limit();
    for (const std::size_t size :
         {std::size_t{0}, std::size_t{1}, std::size_t{125}, std::size_t{126}, edge - 9, edge - 8, edge - 4,
          edge - 3, edge, edge + 1, std::size_t{65535}, std::size_t{65536}, std::size_t{3},
          std::size_t{200'000}, std::size_t{4}}) {
        expected.emplace_back(size, static_cast<char>('a' + static_cast<char>(expected.size())));
        REQUIRE(f.out->send_text(expected.back()) == errc::none);
    }
    CHECK(f.pump_all() == pump_status::idle);
    CHECK(f.payloads(text_op) == expected);
    CHECK(f.out->report().frames_written == expected.size());
    CHECK(f.out->report().bytes_written == f.wire.bytes().size());
}

TEMPLATE_TEST_CASE(
    "a PONG waits for the frame that was begun, wherever the write was cut, and for nothing more",
    "[write][single_writer]", server, client) {
    std::size_t total = 0;
    for (std::size_t cut = 0; cut == 0 || cut < total; ++cut) {
        writer_fixture<TestType> f;
        f.wire.then({io_status::would_block, cut, 0});
        REQUIRE(f.out->send_text("first") == errc::none);
        REQUIRE(f.out->send_text(std::string(130, 'b')) == errc::none);
        REQUIRE(f.out->send_text("third") == errc::none);
        REQUIRE(f.out->pump().status == pump_status::blocked);
        REQUIRE(f.out->send(f.pong("reply")) == errc::none);
        REQUIRE(f.out->send(f.ping("probe")) == errc::none);
        CHECK(f.scheduled == 1); // the token is parked: the hook is not called
        REQUIRE(f.out->pump().status == pump_status::idle);
        total = f.wire.bytes().size() - f.pong("reply").bytes().size() - f.ping("probe").bytes().size();

        const strict::stream wire = f.parsed();
        INFO("cut at " << cut);
        REQUIRE(wire.error == "");
        REQUIRE(wire.rest == 0);
        REQUIRE(wire.frames.size() == 5);
        std::size_t begun = 0; // frames that the first write completed or began
        for (std::size_t at = 0; begun < wire.frames.size() && at < cut; ++begun) {
            const std::size_t payload = wire.frames[begun].payload.size();
            at += wsolo::header_size(payload, wsolo::masks(TestType::self)) + payload;
        }
        CHECK(wire.frames[begun].opcode == pong_op);
        CHECK(wire.frames[begun].payload == "reply");
        CHECK(wire.frames[begun + 1].opcode == ping_op);
    }
    CHECK(total > 140);
}

TEMPLATE_TEST_CASE("Close is the last frame, and nothing is accepted after it", "[write][single_writer]",
                   server, client) {
    writer_fixture<TestType> f;
    REQUIRE(f.out->send_text("before") == errc::none);
    REQUIRE(f.out->close(wsolo::close_code::going_away, "restart") == errc::none);
    CHECK(f.out->send_text("after") == errc::closed);
    CHECK(f.out->send(f.pong("after")) == errc::closed);
    CHECK(f.out->close(wsolo::close_code::normal) == errc::closed);
    CHECK(f.scheduled == 1);
    CHECK(f.out->pump().status == pump_status::finished);
    const strict::stream wire = f.parsed();
    REQUIRE(wire.frames.size() == 2);
    CHECK(wire.frames[1].opcode == close_op);
    CHECK(close_status(wire.frames[1].payload) == 1001);
    CHECK(wire.frames[1].payload.substr(2) == "restart");
    REQUIRE(f.reports.size() == 1);
    CHECK(f.reports[0].is_clean());
    CHECK(f.reports[0].frames_written == 2);
    CHECK(f.reports[0].frames_dropped == 0);
    CHECK(f.wire.finishes() == 1);
    CHECK(f.wire.finished_as() == wsolo::end_of_write::drained);
    CHECK(f.out->pump().status == pump_status::finished);
}

TEST_CASE("the peer's Close is answered once, whichever side was first", "[write][single_writer]") {
    writer_fixture<server> f;
    const auto reply = wsolo::make_control_reply<wsolo::role::server>(
        wsolo::opcode::close, wsolo::unmasked_bytes(wsolo::bytes_of(std::string_view("\x03\xe8", 2))));
    REQUIRE(f.out->send(*reply) == errc::none);
    CHECK(f.out->send(*reply) == errc::closed);
    CHECK(f.out->close(wsolo::close_code::normal) == errc::closed);
    CHECK(f.out->pump().status == pump_status::finished);
    CHECK(f.payloads(close_op).size() == 1);
}

TEST_CASE("abort ends at the next frame boundary and sends no Close", "[write][single_writer]") {
    writer_fixture<server> f;
    f.wire.then({io_status::would_block, 4, 0});
    REQUIRE(f.out->send_text("begun") == errc::none);
    REQUIRE(f.out->send_text("queued") == errc::none);
    REQUIRE(f.out->pump().status == pump_status::blocked);
    f.out->abort(errc::connection_lost);
    f.out->abort();
    CHECK(f.scheduled == 2);
    CHECK(f.out->send_text("late") == errc::closed);
    REQUIRE(f.out->pump().status == pump_status::finished);
    CHECK(f.payloads(text_op) == std::vector<std::string>{"begun"});
    CHECK(f.parsed().rest == 0);
    const auto report = f.out->report();
    CHECK(report.reason == errc::connection_lost);
    CHECK(report.frames_written == 1);
    CHECK(report.frames_dropped == 1);
    CHECK_FALSE(report.partial_frame);
    CHECK(f.wire.finished_as() == wsolo::end_of_write::aborted);
}

TEST_CASE("an abort waits for a begun frame no longer than it says", "[write][single_writer]") {
    writer_fixture<server> f;
    f.wire.rule([] { return wsolo::testing::scripted_step{io_status::would_block, 0, 0}; });
    f.wire.then({io_status::would_block, 4, 0});
    REQUIRE(f.out->send_text("begun") == errc::none);
    REQUIRE(f.out->pump().status == pump_status::blocked);
    f.out->abort(errc::connection_lost, 100ms);
    const auto parked = f.out->pump();
    REQUIRE(parked.status == pump_status::blocked);
    CHECK(parked.deadline == manual_clock::now() + 100ms);
    f.out->abort(errc::aborted, 0ms); // more urgent, but not the first reason
    CHECK(f.scheduled == 3);
    REQUIRE(f.out->pump().status == pump_status::finished);
    CHECK(f.out->report().reason == errc::connection_lost);
    CHECK(f.out->report().partial_frame);
    CHECK(f.out->report().bytes_written == 4);
}

TEST_CASE("an idle writer can be aborted and closed", "[write][single_writer]") {
    writer_fixture<server> f;
    f.out->abort();
    CHECK(f.scheduled == 1);
    CHECK(f.out->pump().status == pump_status::finished);
    CHECK(f.reports.size() == 1);
    CHECK(f.wire.calls().empty());
}

TEST_CASE("an abort for no reason is an abort, not an end in order", "[write][single_writer]") {
    writer_fixture<server> f;
    REQUIRE(f.out->send_text("lost") == errc::none);
    f.out->abort(errc::none);
    CHECK(f.out->pump().status == pump_status::finished);
    CHECK(f.out->report().reason == errc::aborted);
    CHECK_FALSE(f.out->report().is_clean());
    CHECK(f.wire.finished_as() == wsolo::end_of_write::aborted);
}

TEST_CASE("after a failed write nothing follows, and everything held is dropped", "[write][single_writer]") {
    for (std::size_t taken = 0; taken <= 14; ++taken) {
        writer_fixture<server> f;
        f.wire.then({io_status::failed, taken, 104});
        REQUIRE(f.out->send_text("12345") == errc::none);
        REQUIRE(f.out->send_text("67890") == errc::none);
        REQUIRE(f.out->pump().status == pump_status::finished);
        INFO("failed after " << taken);
        CHECK(f.wire.calls().size() == 1);
        CHECK(f.out->send_text("more") == errc::closed);
        const auto report = f.out->report();
        CHECK(report.reason == errc::write_failed);
        CHECK(report.transport_error == 104);
        CHECK(report.frames_written == taken / 7);
        CHECK(report.frames_accepted() == 2);
        CHECK(report.bytes_written == taken);
        CHECK(report.bytes_accepted() == 14);
        CHECK(report.partial_frame == (taken % 7 != 0));
        CHECK(f.reports.size() == 1);
    }
}

TEST_CASE("PONGs accepted before a Close leave before it, however they were cut", "[write][single_writer]") {
    writer_fixture<server> f;
    f.wire.then({io_status::would_block, 1, 0});
    REQUIRE(f.out->send(f.pong("first")) == errc::none);
    REQUIRE(f.out->pump().status == pump_status::blocked);
    REQUIRE(f.out->send(f.pong("second")) == errc::none);
    REQUIRE(f.out->close(wsolo::close_code::normal) == errc::none);
    REQUIRE(f.pump_all() == pump_status::finished);
    CHECK(f.payloads(pong_op) == std::vector<std::string>{"first", "second"});
    CHECK(f.parsed().frames.back().opcode == close_op);
}

TEST_CASE("the inline drive writes at once, and hands over what is left", "[write][single_writer]") {
    wsolo::testing::scripted_wire wire;
    int hooked = 0;
    wsolo::writer_options options;
    options.pump_quantum = 1000;
    wsolo::single_writer out{wsolo::testing::scripted_transport(wire),
                             wsolo::inline_drive{[&hooked] { ++hooked; }}, options};
    REQUIRE(out.send_text("at once") == errc::none);
    CHECK(wire.calls().size() == 1);
    CHECK(hooked == 0);
    wire.then({io_status::would_block, 3, 0});
    REQUIRE(out.send_text("blocked") == errc::none);
    CHECK(hooked == 1); // parked: the loop is to wait for writability
    REQUIRE(out.send_text("queued") == errc::none);
    CHECK(wire.calls().size() == 2);
    CHECK(out.pump().status == pump_status::idle);
    wire.rule([] { return wsolo::testing::scripted_step{io_status::ok, 600, 0}; });
    REQUIRE(out.send_text(std::string(3000, 'x')) == errc::none);
    CHECK(hooked == 2); // the quantum bounds how long one sender writes
    CHECK(wire.bytes().size() < 3000);
    while (out.pump().status != pump_status::idle) {}
    CHECK(strict::parse(wire.bytes(), false).frames.size() == 4);
    REQUIRE(out.close(wsolo::close_code::normal) == errc::none);
    CHECK(out.is_finished());
}

TEST_CASE("raw is exactly one whole frame of this side", "[write][single_writer]") {
    writer_fixture<server> s;
    writer_fixture<client> c;
    const auto send = [](auto& f, std::string_view bytes) {
        return f.out->send(wsolo::raw{wsolo::bytes_of(bytes)});
    };
    CHECK(send(s, std::string_view("\x81\x02hi", 4)) == errc::none);
    CHECK(send(c, std::string_view("\x81\x82\x01\x02\x03\x04ik", 8)) == errc::none);
    CHECK(send(c, std::string_view("\x81\x02hi", 4)) == errc::raw_frame_malformed); // unmasked client
    CHECK(send(s, std::string_view("\x81\x82\x01\x02\x03\x04ik", 8)) ==
          errc::raw_frame_malformed); // masked server
    CHECK(send(s, std::string_view("", 0)) == errc::raw_frame_malformed);
    CHECK(send(s, std::string_view("\x81", 1)) == errc::raw_frame_malformed);
    CHECK(send(s, std::string_view("\x81\x03hi", 4)) == errc::raw_frame_malformed); // too short
    CHECK(send(s, std::string_view("\x81\x01hi", 4)) == errc::raw_frame_malformed); // too long
    CHECK(send(s, std::string_view("\x01\x02hi", 4)) == errc::raw_frame_malformed); // a lone fragment
    CHECK(send(s, std::string_view("\x80\x02hi", 4)) == errc::raw_frame_malformed); // a lone continuation
    CHECK(send(s, std::string_view("\x81\x7e\0\x02hi", 6)) == errc::raw_frame_malformed); // not minimal
    CHECK(send(s, std::string_view("\x83\x02hi", 4)) == errc::raw_frame_malformed);       // reserved opcode
    CHECK(s.pump_all() == pump_status::idle);
    CHECK(c.pump_all() == pump_status::idle);
    CHECK(s.payloads(text_op) == std::vector<std::string>{"hi"});
    CHECK(c.payloads(text_op) == std::vector<std::string>{"hi"});
}

TEST_CASE("a shared frame is queued by reference on many writers, among other frames",
          "[write][single_writer]") {
    const std::string payload(50'000, 's');
    const auto frame = wsolo::make_shared_frame(wsolo::opcode::binary, wsolo::bytes_of(payload));
    REQUIRE(frame);
    writer_fixture<server> first, second;
    for (auto* f : {&first, &second}) {
        REQUIRE(f->out->send_text("before") == errc::none);
        REQUIRE(f->out->send(*frame) == errc::none);
        REQUIRE(f->out->send(wsolo::outbound(wsolo::shared{*frame})) == errc::none);
        REQUIRE(f->out->send(wsolo::outbound(wsolo::text{"after"})) == errc::none);
        REQUIRE(f->pump_all() == pump_status::idle);
        CHECK(f->payloads(2) == std::vector<std::string>{payload, payload});
        CHECK(f->payloads(text_op) == std::vector<std::string>{"before", "after"});
    }
}

TEMPLATE_TEST_CASE("an owned frame is queued with the memory that it lies in", "[write][single_writer]",
                   server, client) {
    [[maybe_unused]] test_keys keys;
    const auto make = [&](wsolo::frame_spec spec, std::string_view payload) {
        if constexpr (TestType::self == wsolo::role::client)
            return *wsolo::make_frame<wsolo::role::client>(spec, wsolo::bytes_of(payload), keys);
        else
            return *wsolo::make_frame<wsolo::role::server>(spec, wsolo::bytes_of(payload));
    };
    wsolo::writer_options options;
    options.limits.max_frames = 3;
    writer_fixture<TestType> f(options);
    const std::string large(5000, 'l');
    for (const std::string_view payload : {std::string_view("small"), std::string_view(large)})
        REQUIRE(f.out->send(make(wsolo::opcode::text, payload)) == errc::none);
    outcome_log log;
    REQUIRE(f.out->send(make(wsolo::opcode::binary, "told"), log.next()) == errc::none);
    auto refused = make(wsolo::opcode::text, large);
    const std::byte* const where = refused.bytes().data();
    CHECK(f.out->send(std::move(refused)) == errc::queue_full);
    CHECK(refused.bytes().data() == where); // still the caller's
    CHECK(f.out->send(make(wsolo::opcode::ping, "p")) == errc::none);
    CHECK(f.out->send(make({wsolo::opcode::text, false}, "a lone fragment")) == errc::raw_frame_malformed);
    CHECK(f.out->send(wsolo::owned_frame()) == errc::raw_frame_malformed);
    REQUIRE(f.pump_all() == pump_status::idle);
    CHECK(f.payloads(text_op) == std::vector<std::string>{"small", large});
    CHECK(f.payloads(ping_op) == std::vector<std::string>{"p"});
    CHECK(log.told == std::vector<std::pair<int, errc>>{{0, errc::none}});
    CHECK(f.out->send(std::move(refused)) == errc::none);
    CHECK(f.out->close(wsolo::close_code::normal) == errc::none);
    auto late = make(wsolo::opcode::text, "late");
    CHECK(f.out->send(std::move(late)) == errc::closed);
    CHECK_FALSE(late.bytes().empty());
    REQUIRE(f.pump_all() == pump_status::finished);
    CHECK(f.payloads(text_op).size() == 3);
}

TEST_CASE("destroying a writer gives everything left its outcome", "[write][single_writer]") {
    writer_fixture<server> f;
    REQUIRE(f.out->send_text("left") == errc::none);
    REQUIRE(f.out->send(f.pong("left too")) == errc::none);
    f.out.reset();
    REQUIRE(f.reports.size() == 1);
    CHECK(f.reports[0].frames_dropped == 2);
    CHECK(f.reports[0].reason == errc::aborted);
    CHECK(f.wire.finishes() == 1);
}

TEST_CASE("an idle writer is 120 bytes at most", "[write][single_writer]") {
    struct borrowed { // as a socket: one descriptor
        int descriptor;
        wsolo::io_result write(std::span<const wsolo::const_bytes>, wsolo::time_point) { return {}; }
        void finish(wsolo::end_of_write) {}
    };
    static_assert(sizeof(wsolo::single_writer<borrowed, void (*)()>) <= 120);
    CHECK(sizeof(wsolo::single_writer<borrowed, void (*)()>) <= 120);
}

TEMPLATE_TEST_CASE("whatever the transport does, the wire parses and the accounts add up",
                   "[write][single_writer]", server, client) {
    for (std::uint64_t seed = 1; seed <= 150; ++seed) {
        wsolo::writer_options options;
        options.limits.max_bytes = 6000;
        options.limits.control_reserve = 4;
        options.pump_quantum = 500;
        writer_fixture<TestType> f(options);
        f.wire.chaotic(seed, 1 + seed % 700);
        std::uint64_t state = seed * 77;
        const auto draw = [&](std::uint64_t below) {
            state = state * 6364136223846793005ULL + 1442695040888963407ULL;
            return (state >> 33) % below;
        };
        std::vector<std::string> accepted;
        std::uint64_t frames = 0;
        for (int step = 0; step < 120; ++step) {
            const std::uint64_t what = draw(10);
            if (what < 5) {
                std::string message = std::to_string(step) + std::string(draw(what == 0 ? 4000 : 300), 'm');
                if (f.out->send_text(message) == errc::none) accepted.push_back(message), ++frames;
            } else if (what < 7) {
                frames += f.out->send(f.pong(std::to_string(step))) == errc::none;
            } else if (what == 7) {
                frames += f.out->send(f.ping("p")) == errc::none;
            } else {
                static_cast<void>(f.out->pump());
            }
        }
        const bool aborts = seed % 5 == 0;
        if (aborts)
            f.out->abort();
        else
            frames += f.out->close(wsolo::close_code::normal) == errc::none;
        REQUIRE(f.pump_all() == pump_status::finished);

        INFO("seed " << seed);
        const strict::stream wire = f.parsed();
        REQUIRE(wire.error == "");
        CHECK(wire.rest == 0);
        const auto texts = f.payloads(text_op);
        REQUIRE(texts.size() <= accepted.size());
        CHECK(std::equal(texts.begin(), texts.end(), accepted.begin()));
        const auto report = f.out->report();
        CHECK(report.frames_accepted() == frames);
        CHECK(report.frames_written == wire.frames.size());
        CHECK(report.bytes_written == f.wire.bytes().size());
        CHECK(f.reports.size() == 1);
        if (!aborts) {
            CHECK(texts == accepted);
            CHECK(wire.frames.back().opcode == close_op);
        }
    }
}
