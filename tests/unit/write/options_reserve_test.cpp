// Would catch: a PONG that replaces the only one of its run, and is then written into an entry that has gone.

#include <support/writer_fixture.hpp>

TEMPLATE_TEST_CASE("with a reserve of a few PONGs the newest replaces the one before it", "[write][control]",
                   server, client) {
    for (std::uint16_t reserve = 1; reserve != 4; ++reserve) {
        wsolo::writer_options options;
        options.limits.control_reserve = reserve;
        writer_fixture<TestType> f(options);
        for (const char* const payload : {"a", "bb", "", "dddd", "e"})
            REQUIRE(f.out->send(f.pong(payload)) == errc::none);
        f.pump_all();
        const std::vector<std::string> all{"a", "bb", ""};
        std::vector<std::string> expected(all.begin(), all.begin() + reserve - 1);
        expected.emplace_back("e");
        CHECK(f.payloads(10) == expected);
        CHECK(f.out->report().pongs_replaced == 5U - reserve);
        CHECK(f.out->report().frames_accepted() == 5);
    }
}

TEMPLATE_TEST_CASE("a PONG queued beside a write that names others can still be replaced", "[write][control]",
                   server, client) {
    wsolo::writer_options options;
    options.limits.control_reserve = 2;
    writer_fixture<TestType> f(options);
    f.wire.before_write([&, calls = 0]() mutable {
        if (++calls != 1) return;
        REQUIRE(f.out->send(f.pong("b")) == errc::none);
        REQUIRE(f.out->send(f.pong("c")) == errc::none);
    });
    REQUIRE(f.out->send(f.pong("a")) == errc::none);
    f.pump_all();
    CHECK(f.payloads(10) == std::vector<std::string>{"a", "c"});
    CHECK(f.out->report().pongs_replaced == 1);
}

TEMPLATE_TEST_CASE("a PONG that takes another's place leaves no gap", "[write][control]", server, client) {
    wsolo::writer_options options;
    options.limits.control_reserve = 2;
    writer_fixture<TestType> f(options);
    f.wire.then({io_status::would_block, 1, 0});
    f.wire.before_write([&, calls = 0]() mutable {
        if (++calls == 1)
            REQUIRE(f.out->send(f.pong("b")) == errc::none); // not in the run that a write names
    });
    REQUIRE(f.out->send(f.pong("a")) == errc::none);
    REQUIRE(f.out->pump().status == pump_status::blocked);
    REQUIRE(f.out->send(f.pong("c")) == errc::none); // in the run of "a"
    f.pump_all();
    CHECK(f.payloads(10) == std::vector<std::string>{"a", "c"});
    CHECK(f.out->report().pongs_replaced == 1);
}
