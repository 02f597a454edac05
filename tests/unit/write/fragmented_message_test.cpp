// Would catch: frames of two messages interleaved, control held back by an open message, a message abandoned
// half-way that the peer takes for whole, waiting data that is never released.

#include <support/writer_fixture.hpp>

using wsolo::bytes_of;

TEMPLATE_TEST_CASE("other data waits for the message, control does not", "[write][fragmented_message]",
                   server, client) {
    writer_fixture<TestType> f;
    REQUIRE(f.out->send_text("before") == errc::none);
    {
        auto message = f.out->begin_message(wsolo::opcode::text);
        REQUIRE(message);
        REQUIRE(message.write(bytes_of("a")) == errc::none);
        REQUIRE(f.out->send_text("small") == errc::none);
        REQUIRE(f.out->send_binary(bytes_of(std::string(5000, 'l'))) == errc::none);
        REQUIRE(f.out->send(f.pong("now")) == errc::none);
        CHECK(f.pump_all() == pump_status::idle);
        CHECK(f.parsed().frames.size() == 3);
        REQUIRE(message.write(bytes_of("b")) == errc::none);
        REQUIRE(message.finish(bytes_of("c")) == errc::none);
        CHECK_FALSE(message);
        CHECK(message.write(bytes_of("d")) == errc::closed);
    }
    CHECK(f.pump_all() == pump_status::idle);
    const strict::stream wire = f.parsed();
    REQUIRE(wire.error == "");
    std::string order;
    for (const strict::frame& frame : wire.frames)
        order += std::to_string(frame.opcode) + (frame.fin ? "F " : " ");
    CHECK(order == "10F 1F 1 0 0F 1F 2F ");
    CHECK(wire.frames[5].payload == "small");
    CHECK(f.out->queued_bytes() == 0);
}

TEST_CASE("one message at a time, and the next may follow", "[write][fragmented_message]") {
    writer_fixture<server> f;
    {
        auto first = f.out->begin_message(wsolo::opcode::text);
        auto second = f.out->begin_message(wsolo::opcode::binary);
        CHECK_FALSE(second);
        CHECK(second.error() == errc::message_open);
        CHECK(second.write(bytes_of("x")) == errc::message_open);
        REQUIRE(first.finish(bytes_of("only")) == errc::none); // a message of a single frame
    }
    auto third = f.out->begin_message(wsolo::opcode::binary);
    CHECK(third);
    CHECK(third.finish() == errc::none);
    CHECK(f.pump_all() == pump_status::idle);
    CHECK(f.payloads(1) == std::vector<std::string>{"only"});
    CHECK(f.payloads(2) == std::vector<std::string>{""});
}

TEST_CASE("abandoned before its first frame, a message has never been", "[write][fragmented_message]") {
    writer_fixture<server> f;
    {
        const auto message = f.out->begin_message(wsolo::opcode::text);
        REQUIRE(f.out->send_text("waits") == errc::none);
        CHECK(f.scheduled <= 1);
    }
    CHECK(f.pump_all() == pump_status::idle);
    CHECK(f.payloads(1) == std::vector<std::string>{"waits"});
}

TEST_CASE("abandoned half-way, a message fails the connection with 1011", "[write][fragmented_message]") {
    writer_fixture<server> f;
    {
        auto message = f.out->begin_message(wsolo::opcode::text);
        REQUIRE(message.write(bytes_of("half")) == errc::none);
        REQUIRE(f.out->send_text("waits") == errc::none);
    }
    CHECK(f.pump_all() == pump_status::finished);
    const strict::stream wire = f.parsed();
    CHECK(wire.error == "");
    REQUIRE(wire.frames.size() >= 2);
    CHECK(wire.frames[0].fin == false);
    CHECK(wire.frames[1].opcode == 8);
    CHECK(wire.frames[1].payload.substr(0, 2) == "\x03\xf3"); // 1011
    CHECK(f.out->report().frames_accepted() == 3);
    CHECK(f.out->report().reason == errc::message_unfinished);
}

TEST_CASE("or is truncated, where its owner chose so", "[write][fragmented_message]") {
    writer_fixture<server> f;
    {
        auto message = f.out->begin_message(wsolo::opcode::text);
        message.if_destroyed(wsolo::unfinished::truncate);
        REQUIRE(message.write(bytes_of("half")) == errc::none);
        REQUIRE(f.out->send_text("waits") == errc::none);
    }
    CHECK(f.pump_all() == pump_status::idle);
    const strict::stream wire = f.parsed();
    CHECK(wire.error == "");
    REQUIRE(wire.frames.size() == 3);
    CHECK(wire.frames[1].opcode == 0);
    CHECK(wire.frames[1].fin);
    CHECK(wire.frames[2].payload == "waits");
}

TEST_CASE("fragments are never dropped for newer data, and a Close ends an open message",
          "[write][fragmented_message]") {
    wsolo::writer_options options;
    options.limits.max_bytes = 1000;
    options.limits.when_full = wsolo::overflow::drop_oldest;
    writer_fixture<server> f(options);
    auto message = f.out->begin_message(wsolo::opcode::binary);
    REQUIRE(message.write(bytes_of(std::string(100, 'a'))) == errc::none);
    for (int i = 0; i < 20; ++i) REQUIRE(f.out->send_text(std::string(50, 't')) == errc::none);
    REQUIRE(message.finish(bytes_of(std::string(100, 'b'))) == errc::none);
    CHECK(f.pump_all() == pump_status::idle);
    CHECK(f.parsed().error == "");
    CHECK(f.payloads(2).size() == 1);
    CHECK(f.payloads(0).size() == 1);

    auto open = f.out->begin_message(wsolo::opcode::binary);
    REQUIRE(open.write(bytes_of("x")) == errc::none);
    REQUIRE(f.out->send_text("held") == errc::none);
    REQUIRE(f.out->close(wsolo::close_code::normal) == errc::none);
    CHECK(open.write(bytes_of("y")) == errc::closed);
    CHECK(f.pump_all() == pump_status::finished);
    CHECK(f.parsed().frames.back().opcode == 8);
    CHECK(f.out->report().reason == errc::message_unfinished); // the held text had no turn
}

TEST_CASE("what waited for a message does not follow a Close", "[write][fragmented_message]") {
    writer_fixture<server> f;
    {
        auto tale = f.out->begin_message(wsolo::opcode::text);
        REQUIRE(tale.write(wsolo::bytes_of("part")) == errc::none);
        REQUIRE(f.out->send_text("waits") == errc::none);
        REQUIRE(f.out->close(wsolo::close_code::normal) == errc::none);
        CHECK(tale.finish() == errc::closed);
    }
    REQUIRE(f.pump_all() == pump_status::finished);
    CHECK(f.parsed().frames.back().opcode == 8);
    CHECK(f.payloads(1) == std::vector<std::string>{"part"});
    CHECK(f.out->report().frames_dropped == 1);
}
