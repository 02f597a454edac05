// Would catch: a hook whose exception unwinds the loop, or leaves a gap after which the connection goes on as if nothing
// had been lost; a wait in the loop's own thread that sleeps instead of answering.

#include <support/endpoint_fixture.hpp>

#include <wsolo/write/wait.hpp>

#include <stdexcept>

namespace {

/// Throws where it is told to.
struct throwing_handler {
    endpoint_log* log = nullptr;
    enum class place : int { none, beat, refused, finished };
    static inline place throws_in = place::none;

    void on_message(auto&, const wsolo::message& received) const {
        log->messages.emplace_back(received.text());
    }
    void on_refused(auto&, const wsolo::message& received) const {
        log->refused.emplace_back(received.text());
        if (throws_in == place::refused) throw std::bad_alloc();
    }
    void on_beat(auto&, bool) const {
        if (throws_in == place::beat) throw std::runtime_error("beat");
    }
    void on_finished(auto&, const wsolo::ending& how) const {
        log->endings.push_back(how);
        if (throws_in == place::finished) throw 1;
    }
};
using place = throwing_handler::place;

template <class Side>
using throwing_fixture = endpoint_fixture<Side, wsolo::in_the_loop, throwing_handler>;

constexpr int close_op = 8;

/// The Close on the wire says 1011, and the connection ends when the peer has answered, or its time is up.
template <class Fixture>
void check_end(Fixture& f) {
    const auto sent = f.sent();
    REQUIRE_FALSE(sent.empty());
    CHECK(sent.back().first == close_op);
    CHECK(sent.back().second.substr(0, 2) == "\x03\xf3");
    CHECK(f.live_for(5s).finished);
    REQUIRE(f.log.endings.size() == 1);
    CHECK(f.log.endings[0].reason == errc::handler_failed);
}

} // namespace

TEMPLATE_TEST_CASE("a beat that throws ends its own connection", "[endpoint]", server, client) {
    auto options = throwing_fixture<TestType>::quiet();
    options.beating.beat_interval = 5s;
    throwing_fixture<TestType> f(options);
    throwing_handler::throws_in = place::beat;
    manual_clock::advance(5s);
    CHECK_NOTHROW(f.run());
    throwing_handler::throws_in = place::none;
    check_end(f);
}

TEMPLATE_TEST_CASE("a refusal that throws ends its own connection", "[endpoint]", server, client) {
    auto options = throwing_fixture<TestType>::quiet();
    options.handling.max_messages = 1;
    options.handling.when_full = wsolo::inbox_overflow::drop_newest;
    throwing_fixture<TestType> f(options);
    throwing_handler::throws_in = place::refused;
    CHECK_NOTHROW(f.receive(f.text("1") + f.text("2") + f.text("3")));
    throwing_handler::throws_in = place::none;
    CHECK(f.log.messages == std::vector<std::string>{"1"});
    CHECK(f.log.refused == std::vector<std::string>{"2"});
    check_end(f);
}

TEMPLATE_TEST_CASE("an end whose hook throws is over all the same", "[endpoint]", server, client) {
    throwing_fixture<TestType> f;
    throwing_handler::throws_in = place::finished;
    f.whole->abort();
    CHECK_NOTHROW(f.run());
    throwing_handler::throws_in = place::none;
    CHECK(f.wants.finished);
    CHECK(f.log.endings.size() == 1);
}

TEMPLATE_TEST_CASE("a wait in the loop's own thread is answered at once", "[endpoint]", server, client) {
    endpoint_fixture<TestType> f;
    const auto soon =
        std::chrono::steady_clock::now() + 100ms; // by the system's clock, should it be slept until
    errc flushed = errc::none, waited = errc::none, reached = errc::none;
    f.log.on_message = [&](const auto&) {
        reached = f.whole->handled().wait_up_to(f.whole->handled().snapshot(), soon);
        flushed = f.whole->writer().flush(soon);
        waited = f.whole->writer().send_wait(wsolo::opcode::text, wsolo::bytes_of("x"), soon);
        return errc::none;
    };
    f.receive(f.text("question"));
    CHECK(flushed == errc::would_deadlock);
    CHECK(waited == errc::would_deadlock);
    CHECK(reached == errc::would_deadlock);
}
