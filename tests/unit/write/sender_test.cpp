// Would catch: a sender that keeps its writer alive or dangles, that copies wrongly, or that reaches another function of
// the writer than its name says.

#include <support/writer_fixture.hpp>

#include <wsolo/write/sender.hpp>

#include <memory>
#include <thread>

static_assert(sizeof(wsolo::sender) == 2 * sizeof(void*));
static_assert(std::is_nothrow_copy_constructible_v<wsolo::sender> &&
              std::is_nothrow_move_constructible_v<wsolo::sender>);

TEST_CASE("a sender to no writer answers closed", "[write][sender]") {
    const wsolo::sender none;
    CHECK(none.is_expired());
    CHECK(none.send_text("x") == errc::closed);
    CHECK(none.send_binary(wsolo::bytes_of("x")) == errc::closed);
    CHECK(none.send(wsolo::outbound(wsolo::text{"x"})) == errc::closed);
    CHECK(none.close(wsolo::close_code::normal) == errc::closed);
    const wsolo::sender copy = none; // NOLINT(performance-unnecessary-copy-initialization)
    CHECK(copy.is_expired());
}

TEMPLATE_TEST_CASE("a sender does what its handle does, while the writer lives", "[write][sender]", server,
                   client) {
    auto f = std::make_unique<writer_fixture<TestType>>();
    outcome_log log;
    wsolo::sender to = f->out->handle();
    CHECK_FALSE(to.is_expired());
    REQUIRE(to.send_text("text", log.next()) == errc::none);
    REQUIRE(to.send_binary(wsolo::bytes_of("binary"), log.next()) == errc::none);
    REQUIRE(to.send(wsolo::outbound(wsolo::binary{wsolo::bytes_of("outbound")}), log.next()) == errc::none);
    REQUIRE(f->pump_all() == pump_status::idle);
    CHECK(f->payloads(1) == std::vector<std::string>{"text"});
    CHECK(f->payloads(2) == std::vector<std::string>{"binary", "outbound"});
    CHECK(log.told.size() == 3);
    REQUIRE(to.close(wsolo::close_code::going_away, "restart") == errc::none);
    CHECK(to.send_text("late") == errc::closed);
    REQUIRE(f->pump_all() == pump_status::finished);
    CHECK(f->payloads(8) == std::vector<std::string>{"\x03\xe9restart"});
    CHECK_FALSE(to.is_expired());
    f.reset();
    CHECK(to.is_expired());
    CHECK(to.send_text("gone") == errc::closed);
}

TEST_CASE("copies and moves lead to the same writer, assignments change where to", "[write][sender]") {
    writer_fixture<server> first;
    writer_fixture<client> second; // another type: one sender's
    wsolo::sender a = first.out->handle();
    wsolo::sender b = a;
    wsolo::sender c = std::move(a);
    CHECK(b.send_text("b") == errc::none);
    CHECK(c.send_text("c") == errc::none);
    c = second.out->handle();
    CHECK(c.send_text("other") == errc::none);
    b = c;
    const wsolo::sender& alias = b;
    b = alias;
    CHECK(b.send_text("other too") == errc::none);
    b = wsolo::sender();
    CHECK(b.is_expired());
    REQUIRE(first.pump_all() == pump_status::idle);
    REQUIRE(second.pump_all() == pump_status::idle);
    CHECK(first.payloads(1) == std::vector<std::string>{"b", "c"});
    CHECK(second.payloads(1) == std::vector<std::string>{"other", "other too"});
}

TEST_CASE("senders of several threads meet their writer's end", "[write][sender]") {
    for (int repetition = 0; repetition < 20; ++repetition) {
        auto f = std::make_unique<writer_fixture<server>>();
        const wsolo::sender to = f->out->handle();
        std::atomic<int> accepted{0};
        std::vector<std::thread> threads;
        for (int t = 0; t < 3; ++t) {
            threads.emplace_back([to, &accepted] { // a copy each
                for (;;) {
                    const errc error = to.send_text("message");
                    if (error == errc::closed) break;
                    accepted += error == errc::none;
                }
            });
        }
        while (accepted < 10) std::this_thread::yield();
        f->out.reset();
        for (std::thread& thread : threads) thread.join();
        CHECK(to.is_expired());
        CHECK(static_cast<int>(f->reports.at(0).frames_dropped) == accepted);
    }
}
