// Would catch: flushes that wait for a message's end and leave it no room to end in; a message of which nothing was sent
// and that holds back, from a Close, what others sent.

#include <support/writer_fixture.hpp>

TEMPLATE_TEST_CASE("flushes that wait for a message's end leave it room to end in", "[write][message]",
                   server, client) {
    wsolo::writer_options options;
    options.limits.max_bytes = 2000;
    writer_fixture<TestType> f(options);
    outcome_log log;
    auto message = f.out->begin_message(wsolo::opcode::binary);
    REQUIRE(message.write(wsolo::bytes_of("begin ")) == errc::none);
    REQUIRE(f.out->send_text("other") == errc::none); // waits, and so do flushes after it
    int flushes = 0;
    while (flushes < 100 && f.out->flush(log.next()) == errc::none) ++flushes;
    CHECK(flushes < 100);
    f.pump_all();
    CHECK(message.finish(wsolo::bytes_of(std::string(800, 'm'))) == errc::none);
    f.pump_all();
    CHECK(f.payloads(1) == std::vector<std::string>{"other"});
    CHECK(log.told.size() == static_cast<std::size_t>(flushes));
}
