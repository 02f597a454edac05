// Would catch: an open message that others keep from ending, a sender that waits for one and is forgotten, data that is
// dropped for a frame that is refused all the same, a newer value that leaves its older one standing.

#include <support/writer_fixture.hpp>

using wsolo::bytes_of;
using wsolo::opcode;

namespace {

wsolo::writer_options bound(std::size_t bytes, wsolo::overflow when_full = wsolo::overflow::reject) {
    wsolo::writer_options options;
    options.limits.max_bytes = bytes;
    options.limits.when_full = when_full;
    return options;
}

} // namespace

TEST_CASE("whatever others send, an open message keeps room to end in", "[write][fragmented_message]") {
    outcome_log log;
    for (const int kind : {0, 1, 2, 3}) {
        writer_fixture<server> f(bound(4000));
        const auto fill = [&](int i) {
            if (kind == 0) return f.out->send_text("other");
            if (kind == 1) return f.out->send_text("other", log.next());
            if (kind == 2)
                return f.out->send_keyed(static_cast<std::uint64_t>(i), opcode::text, bytes_of("other"));
            return f.out->flush(log.next());
        };
        INFO("kind " << kind);
        auto message = f.out->begin_message(opcode::binary);
        REQUIRE(message.write(bytes_of("part")) == errc::none);
        int others = 0;
        while (others < 1000 && fill(others) == errc::none) ++others;
        CHECK(others > 10);
        CHECK(others < 1000);
        REQUIRE(f.pump_all() == pump_status::idle);
        CHECK(message.finish(bytes_of(std::string(1500, 'z'))) == errc::none);
        REQUIRE(f.pump_all() == pump_status::idle);
        CHECK(f.out->queued_bytes() == 0);
    }
}

TEST_CASE("others leave an open message frames as well as bytes", "[write][fragmented_message]") {
    wsolo::writer_options options;
    options.limits.max_frames = 3;
    writer_fixture<server> f(options);
    auto message = f.out->begin_message(opcode::binary);
    REQUIRE(f.out->send_text("one") == errc::none);
    CHECK(f.out->send_text("two") == errc::queue_full);
    REQUIRE(message.write(bytes_of("a")) == errc::none);
    REQUIRE(f.pump_all() == pump_status::idle);
    CHECK(message.finish() == errc::none);
    CHECK(f.out->send_text("two") == errc::none);
}

TEST_CASE("a frame that an open message keeps out drops nothing", "[write][fragmented_message]") {
    writer_fixture<server> f(bound(4000, wsolo::overflow::drop_oldest));
    auto message = f.out->begin_message(opcode::binary);
    for (int i = 0; i < 5; ++i) REQUIRE(f.out->send_text("kept") == errc::none);
    CHECK(f.out->send_text(std::string(2500, 'x')) == errc::queue_full); // more than others may have
    CHECK(f.out->send_keyed(1, opcode::text, bytes_of(std::string(2500, 'x'))) == errc::queue_full);
    CHECK(f.out->send_text(std::string(1700, 'x')) == errc::none); // here the oldest give way
    REQUIRE(message.finish() == errc::none);
    REQUIRE(f.pump_all() == pump_status::idle);
    CHECK(f.payloads(1).size() + f.out->report().frames_dropped == 6);
    CHECK(f.payloads(1).size() > 1);
}

TEST_CASE("a keyed item finds its older one on both sides of a message's begin",
          "[write][fragmented_message]") {
    writer_fixture<server> f;
    outcome_log log;
    const auto keyed = [&](std::string_view value) {
        return f.out->send_keyed(7, opcode::text, bytes_of(value), log.next());
    };
    REQUIRE(keyed("old") == errc::none);
    auto message = f.out->begin_message(opcode::binary);
    REQUIRE(keyed("newer") == errc::none);
    REQUIRE(keyed("newest") == errc::none);
    CHECK(log.told == std::vector<std::pair<int, errc>>{{0, errc::conflated}, {1, errc::conflated}});
    REQUIRE(message.finish() == errc::none);
    REQUIRE(f.pump_all() == pump_status::idle);
    CHECK(f.payloads(1) == std::vector<std::string>{"newest"});
    CHECK(f.out->queued_bytes() == 0);
}

TEST_CASE("a sender may wait for an open message of an idle writer, and meets its deadline",
          "[write][fragmented_message]") {
    using writer = wsolo::single_writer<wsolo::testing::scripted_transport, void (*)(), server,
                                        wsolo::no_observer, manual_traits>;
    wsolo::testing::scripted_wire wire;
    writer out{wsolo::testing::scripted_transport(wire), +[] {}, bound(4000)};
    const auto wait = [&] {
        return out.send_wait(opcode::binary, bytes_of(std::string(2500, 'x')), manual_traits::clock::now());
    };
    auto message = out.begin_message(opcode::binary);
    CHECK(wait() == errc::timed_out);
    REQUIRE(message.write(bytes_of("part")) == errc::none);
    CHECK(wait() == errc::timed_out);
    REQUIRE(out.pump().status == pump_status::idle);
    CHECK(wait() == errc::timed_out);
    REQUIRE(message.finish() == errc::none);
    CHECK(wait() == errc::none);
    REQUIRE(out.pump().status == pump_status::idle);
    CHECK(out.queued_bytes() == 0);
}

TEST_CASE("a message is text or binary, or it is refused", "[write][fragmented_message]") {
#if !WSOLO_ENABLE_ASSERTS
    writer_fixture<server> f;
    auto message = f.out->begin_message(opcode::ping);
    CHECK_FALSE(message);
    CHECK(message.write(bytes_of("x")) == errc::raw_frame_malformed);
    CHECK(f.out->send_keyed(1, opcode::continuation, {}) == errc::raw_frame_malformed);
    CHECK(f.out->send_wait(opcode::continuation, {}, wsolo::no_deadline) == errc::raw_frame_malformed);
    CHECK(f.out->queued_bytes() == 0);
#endif
}

TEST_CASE("the oldest gives way first, before what waits for the message too",
          "[write][fragmented_message]") {
    wsolo::writer_options options;
    options.limits.max_frames = 6; // others have half of them meanwhile
    options.limits.when_full = wsolo::overflow::drop_oldest;
    writer_fixture<server> f(options);
    outcome_log log;
    REQUIRE(f.out->send_text("old", log.next()) == errc::none);
    auto message = f.out->begin_message(opcode::binary);
    REQUIRE(f.out->send_text("waits", log.next()) == errc::none);
    REQUIRE(f.out->send_text("waits too", log.next()) == errc::none);
    REQUIRE(f.out->send_text("newest", log.next()) == errc::none);
    CHECK(log.told == std::vector<std::pair<int, errc>>{{0, errc::dropped_oldest}});
    REQUIRE(f.out->send_text("newer still") == errc::none);
    CHECK(log.told.size() == 2);
    CHECK(log.told.back() == std::pair{1, errc::dropped_oldest});
    REQUIRE(message.finish() == errc::none);
    REQUIRE(f.pump_all() == pump_status::idle);
    CHECK(f.payloads(1) == std::vector<std::string>{"waits too", "newest", "newer still"});
}

TEST_CASE("a message that was moved keeps what its owner chose, and ends once",
          "[write][fragmented_message]") {
    for (const auto choice : {wsolo::unfinished::fail, wsolo::unfinished::truncate}) {
        writer_fixture<server> f;
        {
            auto first = f.out->begin_message(opcode::text);
            first.if_destroyed(choice);
            REQUIRE(first.write(bytes_of("half")) == errc::none);
            auto second = std::move(first);
            CHECK(second);
        }
        const bool truncates = choice == wsolo::unfinished::truncate;
        CHECK(f.pump_all() == (truncates ? pump_status::idle : pump_status::finished));
        CHECK(f.parsed().error == "");
        CHECK(f.payloads(0).size() == (truncates ? 1U : 0U));
        CHECK(f.payloads(8).size() == (truncates ? 0U : 1U));
    }
}

TEST_CASE("a flush inside an open message waits for what was sent, and not for the message's end",
          "[write][fragmented_message]") {
    writer_fixture<server> f;
    outcome_log log;
    auto message = f.out->begin_message(opcode::text);
    REQUIRE(message.write(bytes_of("part")) == errc::none);
    REQUIRE(f.out->flush(log.next()) == errc::none);
    REQUIRE(f.out->pump().status == pump_status::idle);
    CHECK(log.told == std::vector<std::pair<int, errc>>{{0, errc::none}});
    REQUIRE(f.out->send_text("waits") == errc::none);
    REQUIRE(f.out->flush(log.next()) == errc::none); // after data that waits: so does it
    REQUIRE(f.out->pump().status == pump_status::idle);
    CHECK(log.told.size() == 1);
    REQUIRE(message.finish() == errc::none);
    REQUIRE(f.out->pump().status == pump_status::idle);
    CHECK(log.told.size() == 2);
    CHECK(log.told.back() == std::pair{1, errc::none});
}
