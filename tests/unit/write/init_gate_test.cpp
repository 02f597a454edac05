// Would catch (S4): an event that overtakes the handshake's answer, a rejected client that gets the events
// all the same, an unbounded queue before the gate, an overflow while gated that deadlocks, a dropped
// gate that opens.

#include <support/writer_fixture.hpp>

#include <wsolo/write/init_gate.hpp>

namespace {

struct gated {
    struct hook {
        gated* self;
        void operator()() const { ++self->scheduled; }
    };
    using writer_type =
        wsolo::single_writer<wsolo::testing::scripted_transport, hook, server, recorder, manual_traits>;

    explicit gated(const wsolo::writer_options& options = {})
        : out(wsolo::born_gated, wsolo::testing::scripted_transport(wire), hook{this}, options, server{},
              recorder{&told}) {}

    wsolo::testing::scripted_wire wire;
    heard told;
    int scheduled = 0;
    writer_type out;
};

const std::string response = "HTTP/1.1 101 Switching Protocols\r\n\r\n";
const std::string frames_of_two = "\x81\x03one\x81\x03two";

} // namespace

TEST_CASE("what is sent during the handshake leaves after its answer, in order", "[write][init_gate]") {
    gated g;
    wsolo::init_gate gate(g.out);
    REQUIRE(g.out.send_text("one") == errc::none);
    REQUIRE(g.out.send(*wsolo::make_ping<wsolo::role::server>(wsolo::bytes_of("p"))) == errc::none);
    REQUIRE(g.out.send_text("two") == errc::none);
    CHECK(g.scheduled == 0);
    CHECK(g.out.pump().status == pump_status::busy); // a stray readiness event does not open it
    REQUIRE(gate.acknowledge(wsolo::bytes_of(response)) == errc::none);
    REQUIRE(gate.acknowledge(wsolo::bytes_of("ack;")) == errc::none);
    CHECK(g.wire.calls().empty());
    gate.open();
    CHECK(g.scheduled == 1);
    CHECK(g.out.pump().status == pump_status::idle);
    CHECK(g.wire.bytes() == response + "ack;" + "\x89\x01p" + frames_of_two);
    CHECK(g.out.report().frames_written == 5); // the two answers count as one each
    CHECK(g.out.send_text("later") == errc::none);
    CHECK(g.scheduled == 2);
}

TEST_CASE("the answer leads even when it is written a byte at a time", "[write][init_gate]") {
    gated g;
    g.wire.rule([] { return wsolo::testing::scripted_step{io_status::would_block, 1, 0}; });
    wsolo::init_gate gate(g.out);
    REQUIRE(g.out.send_text("one") == errc::none);
    REQUIRE(gate.acknowledge(wsolo::bytes_of(response)) == errc::none);
    gate.open();
    while (g.out.pump().status == pump_status::blocked) {
        if (g.wire.bytes().size() == 5)
            REQUIRE(g.out.send(*wsolo::make_ping<wsolo::role::server>({})) == errc::none);
    }
    CHECK(g.wire.bytes() == response + std::string("\x89\0", 2) + "\x81\x03one");
}

TEST_CASE("a rejected handshake sends its refusal and none of the events", "[write][init_gate]") {
    for (const bool with_refusal : {false, true}) {
        gated g;
        {
            wsolo::init_gate gate(g.out);
            REQUIRE(g.out.send_text("one") == errc::none);
            REQUIRE(g.out.send_text(std::string(5000, 'x')) == errc::none);
            if (with_refusal)
                REQUIRE(gate.acknowledge(wsolo::bytes_of("HTTP/1.1 403\r\n\r\n")) == errc::none);
            gate.reject(errc::handshake_origin_refused);
        }
        CHECK(g.out.send_text("late") == errc::closed);
        CHECK(g.scheduled == 1);
        CHECK(g.out.pump().status == pump_status::finished);
        CHECK(g.wire.bytes() == (with_refusal ? "HTTP/1.1 403\r\n\r\n" : ""));
        REQUIRE(g.told.reports.size() == 1);
        CHECK(g.told.reports[0].reason == errc::handshake_origin_refused);
        CHECK(g.told.reports[0].frames_dropped == 2);
    }
}

TEST_CASE("a gate that is dropped rejects", "[write][init_gate]") {
    gated g;
    {
        wsolo::init_gate gate(g.out);
        wsolo::init_gate moved(std::move(gate));
        REQUIRE(g.out.send_text("one") == errc::none);
    }
    CHECK(g.out.pump().status == pump_status::finished);
    CHECK(g.wire.bytes().empty());
    CHECK(g.out.report().frames_dropped == 1);
    CHECK(g.out.report().reason == errc::aborted);
}

TEST_CASE("the queue of a gated writer is bounded, whatever the policy, and overflow can't deadlock",
          "[write][init_gate]") {
    for (const auto policy :
         {wsolo::overflow::reject, wsolo::overflow::drop_oldest, wsolo::overflow::disconnect}) {
        wsolo::writer_options options;
        options.limits.max_bytes = 1000;
        options.limits.when_full = policy;
        gated g(options);
        wsolo::init_gate gate(g.out);
        int accepted = 0;
        for (int i = 0; i < 100; ++i) accepted += g.out.send_text(std::string(50, 'x')) == errc::none;
        CHECK(g.out.queued_bytes() <= 1000);
        REQUIRE(accepted > 0);
        const errc acknowledged = gate.acknowledge(wsolo::bytes_of("ack"));
        CHECK((acknowledged == errc::none) == (policy != wsolo::overflow::disconnect));
        gate.open();
        const auto status = g.out.pump().status;
        CHECK(status == (policy == wsolo::overflow::disconnect ? pump_status::finished : pump_status::idle));
        CHECK(g.out.report().frames_accepted() ==
              static_cast<std::uint64_t>(accepted) + (acknowledged == errc::none));
        CHECK(g.wire.bytes().substr(0, 3) == (policy == wsolo::overflow::disconnect ? "" : "ack"));
    }
}

TEST_CASE("a close during the handshake waits for the gate, within its bound; an abort does not",
          "[write][init_gate]") {
    gated closed;
    {
        wsolo::init_gate gate(closed.out);
        REQUIRE(closed.out.close(wsolo::close_code::going_away, "", 1s) == errc::none);
        REQUIRE(gate.acknowledge(wsolo::bytes_of("ack")) == errc::none);
        CHECK(closed.scheduled == 1); // the loop must learn the deadline
        const auto shut = closed.out.pump();
        CHECK(shut.status == pump_status::busy);
        CHECK(shut.deadline == manual_clock::now() + 1s);
        CHECK(closed.wire.calls().empty());
        gate.open();
        CHECK(closed.scheduled == 2);
    }
    CHECK(closed.out.pump().status == pump_status::finished);
    CHECK(closed.wire.bytes() == "ack\x88\x02\x03\xe9");
    CHECK(closed.out.report().is_clean());

    gated aborted;
    {
        wsolo::init_gate gate(aborted.out);
        aborted.out.abort(errc::connection_lost);
        CHECK(aborted.scheduled == 1);
        CHECK(aborted.out.pump().status == pump_status::finished);
        CHECK(gate.acknowledge(wsolo::bytes_of("ack")) == errc::closed);
        gate.open();
    }
    CHECK(aborted.out.pump().status == pump_status::finished);
    CHECK(aborted.wire.bytes().empty());
    CHECK(aborted.out.report().reason == errc::connection_lost);
}

TEST_CASE("a handshake that takes too long is rejected by the pump that its deadline calls for",
          "[write][init_gate]") {
    gated g;
    outcome_log log;
    wsolo::init_gate gate(g.out);
    CHECK(g.out.pump().deadline == wsolo::no_deadline);
    const auto deadline = manual_clock::now() + 10s;
    REQUIRE(gate.set_deadline(deadline) == errc::none);
    REQUIRE(g.out.send_text("one", log.next()) == errc::none);
    REQUIRE(gate.acknowledge(wsolo::bytes_of("HTTP/1.1 408\r\n\r\n")) == errc::none);
    manual_clock::advance(10s - 1ns);
    const auto shut = g.out.pump();
    CHECK(shut.status == pump_status::busy);
    CHECK(shut.deadline == deadline);
    CHECK(g.wire.calls().empty());
    manual_clock::advance(1ns);
    CHECK(g.out.pump().status == pump_status::finished);
    CHECK(g.wire.bytes() ==
          "HTTP/1.1 408\r\n\r\n"); // what was acknowledged leaves, as when reject() is called
    CHECK(log.told == std::vector<std::pair<int, errc>>{{0, errc::handshake_timeout}});
    REQUIRE(g.told.reports.size() == 1);
    CHECK(g.told.reports[0].reason == errc::handshake_timeout);

    CHECK(gate.acknowledge(wsolo::bytes_of(response)) == errc::closed);
    CHECK(gate.set_deadline(wsolo::no_deadline) == errc::closed);
    gate.open();             // too late
    CHECK(g.scheduled == 1); // by set_deadline(): the loop is to learn of it
    CHECK(g.out.is_finished());
    CHECK(g.out.pump().status == pump_status::finished);
    CHECK(g.wire.finishes() == 1);
}

TEST_CASE("a gate that opens in time forgets its deadline", "[write][init_gate]") {
    gated g;
    {
        wsolo::init_gate gate(g.out);
        REQUIRE(gate.set_deadline(manual_clock::now() + 1s) == errc::none);
        REQUIRE(gate.set_deadline(manual_clock::now() + 10s) == errc::none);
        manual_clock::advance(5s);
        CHECK(g.out.pump().status == pump_status::busy);
        gate.open();
    }
    REQUIRE(g.out.send_text("one") == errc::none);
    g.wire.then({io_status::would_block, 1, 0});
    manual_clock::advance(10s);
    const auto parked = g.out.pump();
    CHECK(parked.status == pump_status::blocked);
    CHECK(parked.deadline == manual_clock::now() + 30s);
    CHECK(g.out.pump().status == pump_status::idle);
    CHECK(g.wire.bytes() == "\x81\x03one");
}

TEST_CASE("a refusal at the deadline is bounded as any drain", "[write][init_gate]") {
    gated g;
    wsolo::init_gate gate(g.out);
    REQUIRE(gate.set_deadline(manual_clock::now()) == errc::none);
    REQUIRE(gate.acknowledge(wsolo::bytes_of("no")) == errc::none);
    g.wire.rule([] { return wsolo::testing::scripted_step{io_status::would_block, 0, 0}; });
    const auto parked = g.out.pump();
    CHECK(parked.status == pump_status::blocked);
    CHECK(parked.deadline == manual_clock::now() + 5s);
    manual_clock::advance(5s);
    CHECK(g.out.pump().status == pump_status::finished);
    CHECK(g.out.report().reason == errc::handshake_timeout);
    gate.reject(errc::aborted); // too late as well
    CHECK(g.out.report().reason == errc::handshake_timeout);
}

TEST_CASE("the handshake's answer has room of its own, whatever control frames wait", "[write][init_gate]") {
    const std::string payload(125, 'p'), answer(64 * 1024, 'a');
    for (const bool answer_first : {true, false}) {
        gated g;
        wsolo::init_gate gate(g.out);
        const auto acknowledge = [&] {
            CHECK(gate.acknowledge(wsolo::bytes_of(answer).first(1000)) == errc::none);
            CHECK(gate.acknowledge(wsolo::bytes_of(answer).subspan(1000)) == errc::none);
            CHECK(gate.acknowledge(wsolo::bytes_of(answer).first(1)) ==
                  errc::queue_full); // 64 KiB is its bound
        };
        if (answer_first) acknowledge();
        for (int i = 0; i < 256; ++i) {
            REQUIRE(g.out.send_ping(wsolo::bytes_of(payload)) == errc::none);
            REQUIRE(g.out.send(*wsolo::make_pong<wsolo::role::server>(wsolo::bytes_of(payload))) ==
                    errc::none);
        }
        if (!answer_first) acknowledge();
        gate.open();
        while (g.out.pump().status == pump_status::more) {}
        CHECK(g.wire.bytes().substr(0, answer.size()) == answer);
        CHECK(g.wire.bytes().size() == answer.size() + 512U * 127);
        CHECK(g.out.report().bytes_written == g.wire.bytes().size());
        CHECK(g.out.report().frames_written == 514);
    }
}
