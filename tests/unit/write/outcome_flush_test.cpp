// Would catch: a flush that says "written" of what was dropped before it, or tells of a drop that came later; a flush in
// an open message that waits for the message's end; a flush that is given up while the writer ends, and counts twice.

#include <support/writer_fixture.hpp>

#include <wsolo/write/detail/writer_access.hpp>

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

TEMPLATE_TEST_CASE("a flush that is given up while an end tells its outcomes leaves the books alone",
                   "[write][flush]", server, client) {
    using access = wsolo::detail::writer_access;
    for (const int before : {0, 1, 100}) { // 100: more than one round of outcomes
        INFO(before << " items before the flush");
        writer_fixture<TestType> f;
        struct giving_up {
            writer_fixture<TestType>* f;
            int calls = 0, withdrawn = 0;
            std::size_t most = 0;
        } seen{&f};
        static constexpr auto no_outcome = [](void*, errc) noexcept {};
        const wsolo::on_outcome on_drop{[](void* context, errc) noexcept {
                                            auto& self = *static_cast<giving_up*>(context);
                                            auto& drive = access::drive(*self.f->out);
                                            self.withdrawn += access::withdraw_mark(drive, &self.f) ? 1 : 0;
                                            self.most = std::max(self.most, self.f->out->queued_bytes());
                                            ++self.calls;
                                        },
                                        &seen};
        for (int i = 0; i < before; ++i) REQUIRE(f.out->send_text("x", on_drop) == errc::none);
        REQUIRE(access::queue_mark(*f.out, {no_outcome, &seen.f}) == errc::none);
        f.out->abort();
        CHECK(f.pump_all() == pump_status::finished);
        CHECK(seen.calls == before);
        CHECK(seen.withdrawn == (before == 100 ? 1 : 0)); // else it was told in the same round
        CHECK(seen.most == 0);                            // nothing is queued any more
        CHECK(f.out->queued_bytes() == 0);
        CHECK(f.told.reports.size() == 1);
    }
}
