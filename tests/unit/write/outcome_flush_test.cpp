// Would catch: a flush that says "written" of what was dropped before it, or tells of a drop that came later; a flush in
// an open message that waits for the message's end.

#include <support/writer_fixture.hpp>

TEMPLATE_TEST_CASE("a flush tells of the first drop before it, and of none after it", "[write][flush]",
                   server, client) {
    writer_fixture<TestType> f;
    outcome_log log;
    const auto keyed = [&](std::string_view payload) {
        return f.out->send_keyed(7, wsolo::opcode::text, wsolo::bytes_of(payload));
    };
    REQUIRE(f.out->send_text("a") == errc::none);
    REQUIRE(f.out->flush(log.next()) == errc::none);
    REQUIRE(keyed("b") == errc::none);
    REQUIRE(f.out->flush(log.next()) == errc::none);
    REQUIRE(keyed("c") == errc::none);
    REQUIRE(f.out->flush(log.next()) == errc::none);
    f.pump_all();
    CHECK(f.payloads(1) == std::vector<std::string>{"a", "c"});
    CHECK(log.told ==
          std::vector<std::pair<int, errc>>{{0, errc::none}, {1, errc::conflated}, {2, errc::none}});
}

TEMPLATE_TEST_CASE("a flush remembers which drop was first, and an end does not hide it", "[write][flush]",
                   server, client) {
    wsolo::writer_options options;
    options.limits.max_frames = 2;
    options.limits.when_full = wsolo::overflow::drop_oldest;
    writer_fixture<TestType> f(options);
    outcome_log log;
    REQUIRE(f.out->send_keyed(7, wsolo::opcode::text, wsolo::bytes_of("a")) == errc::none);
    REQUIRE(f.out->send_text("b") == errc::none);
    REQUIRE(f.out->flush(log.next()) == errc::none);
    REQUIRE(f.out->send_keyed(7, wsolo::opcode::text, wsolo::bytes_of("c")) == errc::none); // a is conflated
    REQUIRE(f.out->send_text("d") == errc::none);                                           // b gives way
    f.out->abort();
    f.pump_all();
    CHECK(log.told == std::vector<std::pair<int, errc>>{{0, errc::conflated}});
}

TEMPLATE_TEST_CASE("a flush inside an open message waits for nothing later", "[write][flush]", server,
                   client) {
    writer_fixture<TestType> f;
    outcome_log log;
    auto message = f.out->begin_message(wsolo::opcode::text);
    REQUIRE(message.write(wsolo::bytes_of("part")) == errc::none);
    REQUIRE(f.out->flush(log.next()) == errc::none);
    f.pump_all();
    CHECK(log.told == std::vector<std::pair<int, errc>>{{0, errc::none}});
    REQUIRE(f.out->send_text("other") == errc::none);
    REQUIRE(f.out->flush(log.next()) == errc::none);
    f.pump_all();
    CHECK(log.told.size() == 1); // its data waits for the message
    REQUIRE(message.finish() == errc::none);
    f.pump_all();
    CHECK(log.told == std::vector<std::pair<int, errc>>{{0, errc::none}, {1, errc::none}});
}
