// Would catch: a kind of item that can't be observed, or is told twice, too early, or not at all at one of its
// ends; a told item that is not charged for its block, or that dodges its lane's rules.

#include <support/writer_fixture.hpp>

#include <wsolo/write/init_gate.hpp>

using told_list = std::vector<std::pair<int, errc>>;

namespace {

const std::string large(3000, 'l'); // above inline_limit

/// One whole frame of this side.
template <class Side>
std::string framed(wsolo::opcode op, std::string_view payload) {
    std::string frame;
    const errc failed = Side().with_keys([&](auto&... keys) {
        return wsolo::append_frame<Side::self>(frame, op, wsolo::bytes_of(payload), keys...);
    });
    REQUIRE(failed == errc::none);
    return frame;
}

template <class Side>
struct item {
    const char* name;
    std::function<errc(writer_fixture<Side>&, wsolo::on_outcome)> send;
    bool is_data = true;
};

template <class Side>
std::vector<item<Side>> items_of_both_sides() {
    using fixture = writer_fixture<Side>;
    using wsolo::on_outcome;
    const auto raw_of = [](wsolo::opcode op, const std::string& payload) {
        return [op, payload](fixture& f, on_outcome on_done) {
            const std::string frame = framed<Side>(op, payload);
            return f.out->send(wsolo::raw{wsolo::bytes_of(frame)}, on_done);
        };
    };
    return {
        {"raw", raw_of(wsolo::opcode::text, "raw")},
        {"large raw", raw_of(wsolo::opcode::binary, large)},
        {"raw PING", raw_of(wsolo::opcode::ping, "ping"), false},
        {"raw PONG", raw_of(wsolo::opcode::pong, "pong"), false},
        {"raw Close", raw_of(wsolo::opcode::close, {}), false},
        {"control frame", [](fixture& f, on_outcome on_done) { return f.out->send(f.pong("pong"), on_done); },
         false},
        {"close",
         [](fixture& f, on_outcome on_done) {
             return f.out->close(wsolo::close_code::normal, "bye", 5s, on_done);
         },
         false},
        {"outbound text",
         [](fixture& f, on_outcome on_done) {
             return f.out->send(wsolo::outbound(wsolo::text{"text"}), on_done);
         }},
        {"outbound binary",
         [](fixture& f, on_outcome on_done) {
             return f.out->send(wsolo::outbound(wsolo::binary{wsolo::bytes_of(large)}), on_done);
         }},
        {"outbound raw",
         [](fixture& f, on_outcome on_done) {
             const std::string frame = framed<Side>(wsolo::opcode::text, "raw");
             return f.out->send(wsolo::outbound(wsolo::raw{wsolo::bytes_of(frame)}), on_done);
         }},
        {"send_wait",
         [](fixture& f, on_outcome on_done) {
             return f.out->send_wait(wsolo::opcode::text, wsolo::bytes_of("waits"), wsolo::time_point::min(),
                                     wsolo::never_stop{}, on_done);
         }},
    };
}

template <class Side>
std::vector<item<Side>> all_items() {
    auto all = items_of_both_sides<Side>();
    if constexpr (Side::self == wsolo::role::server) {
        for (const std::string& payload : {std::string("small"), large}) {
            const auto frame = *wsolo::make_shared_frame(wsolo::opcode::binary, wsolo::bytes_of(payload));
            all.push_back({"shared", [frame](auto& f, auto on_done) { return f.out->send(frame, on_done); }});
            all.push_back({"outbound shared", [frame](auto& f, auto on_done) {
                               return f.out->send(wsolo::outbound(wsolo::shared{frame}), on_done);
                           }});
        }
    }
    return all;
}

wsolo::writer_options one_frame(wsolo::overflow when_full) {
    wsolo::writer_options options;
    options.limits.max_frames = 1;
    options.limits.when_full = when_full;
    return options;
}

} // namespace

TEMPLATE_TEST_CASE("every kind of item is told once, when its last byte was taken", "[write][outcome]",
                   server, client) {
    for (const auto& kind : all_items<TestType>()) {
        INFO(kind.name);
        std::size_t size = 1;
        for (std::size_t cut = 0; cut < size; cut += cut < 20 ? 1 : 331) {
            outcome_log log;
            writer_fixture<TestType> f;
            f.wire.then({io_status::would_block, cut, 0});
            REQUIRE(kind.send(f, log.next()) == errc::none);
            REQUIRE(f.out->pump().status == pump_status::blocked);
            CHECK(log.told.empty());
            static_cast<void>(f.pump_all());
            CHECK(log.told == told_list{{0, errc::none}});
            CHECK(f.parsed().error == "");
            CHECK(f.out->report().frames_written == 1);
            CHECK(f.out->queued_bytes() == 0);
            size = f.wire.bytes().size();
        }
    }
}

TEMPLATE_TEST_CASE("every kind of item is told why it was dropped: aborted, failed whole, failed partial",
                   "[write][outcome]", server, client) {
    for (const auto& kind : all_items<TestType>()) {
        INFO(kind.name);
        for (const std::size_t cut : {std::size_t{0}, std::size_t{1}}) {
            outcome_log log;
            writer_fixture<TestType> f;
            f.wire.then({io_status::failed, cut, 32});
            REQUIRE(kind.send(f, log.next()) == errc::none);
            REQUIRE(f.out->pump().status == pump_status::finished);
            CHECK(log.told == told_list{{0, errc::write_failed}});
            CHECK(f.out->report().partial_frame == (cut != 0));
            CHECK(f.out->report().frames_dropped == 1);
        }
        outcome_log log;
        writer_fixture<TestType> f;
        f.wire.then({io_status::would_block, 1, 0}).then({io_status::would_block, 0, 0});
        REQUIRE(kind.send(f, log.next()) == errc::none);
        REQUIRE(f.out->pump().status == pump_status::blocked);
        f.out->abort(errc::connection_lost, 0ms);
        REQUIRE(f.out->pump().status == pump_status::finished);
        CHECK(log.told == told_list{{0, errc::connection_lost}});

        REQUIRE(kind.send(f, log.next()) == errc::closed); // refused: not told
        CHECK(log.told.size() == 1);
    }
}

TEMPLATE_TEST_CASE("data of every kind may give way to newer data, and is charged for its block",
                   "[write][outcome]", server, client) {
    for (const auto& kind : all_items<TestType>()) {
        if (!kind.is_data) continue;
        INFO(kind.name);
        outcome_log log;
        writer_fixture<TestType> f(one_frame(wsolo::overflow::drop_oldest));
        REQUIRE(kind.send(f, log.next()) == errc::none);
        CHECK(f.out->queued_bytes() > wsolo::frame_overhead + wsolo::entry_overhead);
        REQUIRE(f.out->send_text("newer", log.next()) == errc::none);
        CHECK(log.told == told_list{{0, errc::dropped_oldest}});
        REQUIRE(f.out->pump().status == pump_status::idle);
        CHECK(log.told == told_list{{0, errc::dropped_oldest}, {1, errc::none}});
        CHECK(f.payloads(1) == std::vector<std::string>{"newer"});

        writer_fixture<TestType> full(one_frame(wsolo::overflow::reject));
        REQUIRE(full.out->send_text("first") == errc::none);
        const errc refused = kind.send(full, log.next());
        CHECK((refused == errc::queue_full || refused == errc::timed_out)); // send_wait's
        CHECK(log.told.size() == 2);
    }
}

TEMPLATE_TEST_CASE("a PONG that a newer one replaces is told, beside others without an outcome",
                   "[write][outcome]", server, client) {
    wsolo::writer_options options;
    options.limits.control_reserve = 2;
    writer_fixture<TestType> f(options);
    outcome_log log;
    REQUIRE(f.out->send(f.pong("a"), log.next()) == errc::none);
    REQUIRE(f.out->send(f.pong("b"), log.next()) == errc::none);
    REQUIRE(f.out->send(f.pong("c"), log.next()) == errc::none); // in the place of b
    CHECK(log.told == told_list{{1, errc::conflated}});
    REQUIRE(f.out->send(f.pong("d")) == errc::none); // in the place of c
    REQUIRE(f.out->send(f.pong("e")) == errc::none); // in the place of d
    REQUIRE(f.out->send(f.pong("f"), log.next()) == errc::none);
    CHECK(log.told == told_list{{1, errc::conflated}, {2, errc::conflated}});
    REQUIRE(f.out->pump().status == pump_status::idle);
    CHECK(f.payloads(10) == std::vector<std::string>{"a", "f"});
    CHECK(log.told.size() == 4);
    CHECK(f.out->report().frames_written == 2);
    CHECK(f.out->report().frames_dropped == 0); // nothing was lost with them
    CHECK(f.out->report().pongs_replaced == 4);
    CHECK(f.out->report().bytes_replaced == 4 * f.pong("x").bytes().size());
    CHECK(f.out->report().frames_accepted() == 6);
}

TEMPLATE_TEST_CASE("a told Close seals, is the last frame, and keeps its bound", "[write][outcome]", server,
                   client) {
    outcome_log log;
    writer_fixture<TestType> f;
    REQUIRE(f.out->send_text("before") == errc::none);
    REQUIRE(f.out->close(wsolo::close_code::normal, "", 1s, log.next()) == errc::none);
    CHECK(f.out->send_text("behind") == errc::closed);
    CHECK(f.out->close(wsolo::close_code::normal, "", 1s, log.next()) == errc::closed);
    f.wire.then({io_status::would_block, 1, 0});
    CHECK(f.out->pump().deadline == manual_clock::now() + 1s);
    REQUIRE(f.out->pump().status == pump_status::finished);
    CHECK(log.told == told_list{{0, errc::none}});
    CHECK(f.parsed().frames.back().opcode == 8);
    CHECK(f.out->report().is_clean());
    CHECK(f.out->report().close == wsolo::close_code::normal);

    writer_fixture<TestType> late;
    late.wire.rule([] { return wsolo::testing::scripted_step{io_status::would_block, 0, 0}; });
    REQUIRE(late.out->close(wsolo::close_code::normal, "", 1s, log.next()) == errc::none);
    REQUIRE(late.out->pump().status == pump_status::blocked);
    manual_clock::advance(1s);
    REQUIRE(late.out->pump().status == pump_status::finished);
    CHECK(log.told.back() == std::pair{2, errc::drain_timed_out});
}

TEMPLATE_TEST_CASE("a fragmented message's last outcome is the message's, and each part may have its own",
                   "[write][outcome]", server, client) {
    const auto send = [](writer_fixture<TestType>& f, outcome_log& log) {
        auto message = f.out->begin_message(wsolo::opcode::text);
        REQUIRE(message.write(wsolo::bytes_of("one"), log.next()) == errc::none);
        REQUIRE(message.write(wsolo::bytes_of("two")) == errc::none);
        REQUIRE(message.finish(wsolo::bytes_of("three"), log.next()) == errc::none);
    };
    const std::size_t head = wsolo::encoded_size<TestType::self>(0);
    for (std::size_t cut = 0; cut < 3 * head + 11; ++cut) {
        outcome_log log;
        writer_fixture<TestType> f;
        f.wire.then({io_status::would_block, cut, 0});
        send(f, log);
        REQUIRE(f.out->pump().status == pump_status::blocked);
        CHECK(log.told.size() == (cut < head + 3 ? 0U : 1U));
        REQUIRE(f.out->pump().status == pump_status::idle);
        CHECK(log.told == told_list{{0, errc::none}, {1, errc::none}});
    }
    { // cut short inside the second part
        outcome_log log;
        writer_fixture<TestType> f;
        f.wire.then({io_status::failed, head + 4, 32});
        send(f, log);
        REQUIRE(f.out->pump().status == pump_status::finished);
        CHECK(log.told == told_list{{0, errc::none}, {1, errc::write_failed}});
    }
    { // parts never give way
        outcome_log log;
        wsolo::writer_options options;
        options.limits.max_frames = 3;
        options.limits.when_full = wsolo::overflow::drop_oldest;
        writer_fixture<TestType> f(options);
        send(f, log);
        CHECK(f.out->send_text("newer", log.next()) == errc::queue_full);
        CHECK(log.told.empty());
        f.out->abort();
        REQUIRE(f.out->pump().status == pump_status::finished);
        CHECK(log.told == told_list{{0, errc::aborted}, {1, errc::aborted}});
    }
    outcome_log log; // given up
    writer_fixture<TestType> f;
    {
        auto message = f.out->begin_message(wsolo::opcode::text);
        REQUIRE(message.write(wsolo::bytes_of("one"), log.next()) == errc::none);
    }
    REQUIRE(f.out->pump().status == pump_status::finished);
    CHECK(log.told == told_list{{0, errc::none}});
}

TEST_CASE("the outcome of a gated item is told when it left, or when the gate rejects", "[write][outcome]") {
    for (const bool open : {true, false}) {
        outcome_log log;
        wsolo::testing::scripted_wire wire;
        wsolo::single_writer out{wsolo::born_gated, wsolo::testing::scripted_transport(wire), [] {}};
        {
            wsolo::init_gate gate(out);
            const auto frame = *wsolo::make_shared_frame(wsolo::opcode::text, wsolo::bytes_of("shared"));
            REQUIRE(out.send(frame, log.next()) == errc::none);
            REQUIRE(out.send(*wsolo::make_ping<wsolo::role::server>({}), log.next()) == errc::none);
            CHECK(log.told.empty());
            if (open)
                gate.open();
            else
                gate.reject(errc::handshake_timeout);
        }
        CHECK(out.pump().status == (open ? pump_status::idle : pump_status::finished));
        const errc how = open ? errc::none : errc::handshake_timeout;
        REQUIRE(log.told.size() == 2);
        for (const auto& [number, outcome] : log.told) CHECK(outcome == how);
    }
}

TEST_CASE("a handle observes any item", "[write][outcome]") {
    outcome_log log;
    writer_fixture<server> f;
    const auto handle = f.out->handle();
    const std::string frame = framed<server>(wsolo::opcode::text, "raw");
    REQUIRE(handle.send(wsolo::raw{wsolo::bytes_of(frame)}, log.next()) == errc::none);
    REQUIRE(handle.close(wsolo::close_code::normal, "", 1s, log.next()) == errc::none);
    REQUIRE(f.out->pump().status == pump_status::finished);
    CHECK(log.told == told_list{{0, errc::none}, {1, errc::none}});
    f.out.reset();
    CHECK(handle.send(wsolo::raw{wsolo::bytes_of(frame)}, log.next()) == errc::closed);
    CHECK(log.told.size() == 2);
}
