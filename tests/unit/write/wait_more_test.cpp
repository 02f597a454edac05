// Would catch: room that was granted to a sender and is never given back, because its push failed for another reason; room that a newcomer gets before those who wait for it, or that they get out of turn; a
// sender that waits on after a Close, because a write is in flight.

#include <support/writer_fixture.hpp>

#include <wsolo/testing/completing_transport.hpp>
#include <wsolo/write/wait.hpp>

namespace {

using waits = wsolo::detail::blocking_waits<manual_traits>;
using access = wsolo::detail::writer_access;

/// A writer whose budget is full of one frame.
template <class Side>
struct full : writer_fixture<Side> {
    full() : writer_fixture<Side>(room_for_one()) { REQUIRE(send("a") == errc::none); }

    errc send(std::string_view payload) { return this->out->send_text(payload); }
    /// What send_wait() does, but for its end: the room comes before it sleeps, then `last` answers.
    template <class First, class Last>
    errc push_when_room(First first, Last last) {
        int calls = 0;
        return waits::push_when_room(*this->out, wsolo::no_deadline, wsolo::never_stop{}, [&](auto* waiter) {
            if (++calls != 1) return last(waiter);
            const errc refused = first(waiter);
            this->pump_all();
            return refused;
        });
    }
    errc push(std::string_view payload, wsolo::detail::room_waiter* waiter) {
        return access::send(*this->out, wsolo::opcode::text, wsolo::bytes_of(payload), {}, waiter);
    }

private:
    static wsolo::writer_options room_for_one() {
        writer_fixture<Side> one;
        REQUIRE(one.out->send_text("a") == errc::none);
        wsolo::writer_options options;
        options.limits.max_bytes = one.out->queued_bytes();
        return options;
    }
};

} // namespace

TEMPLATE_TEST_CASE("room that was granted for nothing is there for others", "[write][wait]", server, client) {
    full<TestType> f;
    CHECK(f.push_when_room([&](auto* waiter) { return f.push("b", waiter); },
                           [&](auto*) { return errc::out_of_memory; }) == errc::out_of_memory);
    CHECK(f.send("c") == errc::none);
    f.pump_all();
    CHECK(f.payloads(1) == std::vector<std::string>{"a", "c"});
}

TEMPLATE_TEST_CASE("room that was granted waits for its sender, though the queue is empty meanwhile",
                   "[write][wait]", server, client) {
    full<TestType> f;
    CHECK(f.push_when_room([&](auto* waiter) { return f.push("b", waiter); },
                           [&](auto* waiter) {
                               CHECK(f.send("c") == errc::queue_full); // it came later
                               return f.push("b", waiter);
                           }) == errc::none);
    CHECK(f.send("c") == errc::queue_full);
    f.pump_all();
    CHECK(f.send("c") == errc::none);
    f.pump_all();
    CHECK(f.payloads(1) == std::vector<std::string>{"a", "b", "c"});
}

TEMPLATE_TEST_CASE("a flush that a thread waits for needs no room, and leaves nothing", "[write][wait]",
                   server, client) {
    full<TestType> f;
    outcome_log log;
    REQUIRE(f.out->flush(log.next()) == errc::none); // one may stand above the bound
    CHECK(f.out->flush(log.next()) == errc::queue_full);
    const std::size_t before = f.out->queued_bytes();
    for (int i = 0; i < 100; ++i) CHECK(f.out->flush(wsolo::time_point::min()) == errc::timed_out);
    CHECK(f.out->queued_bytes() == before); // a peer that has stopped is not buried in marks
    REQUIRE(access::queue_mark(*f.out, log.next()) == errc::none);
    REQUIRE(f.pump_all() == pump_status::idle);
    CHECK(log.told == std::vector<std::pair<int, errc>>{{0, errc::none}, {2, errc::none}});
    CHECK(f.send("c") == errc::none);
    REQUIRE(f.pump_all() == pump_status::idle);
    CHECK(f.payloads(1) == std::vector<std::string>{"a", "c"});
}

TEMPLATE_TEST_CASE("a flush that gave up was first, between or last, in the queue or after a message",
                   "[write][wait]", server, client) {
    for (const bool in_message : {false, true}) {
        writer_fixture<TestType> f;
        outcome_log log;
        std::optional<wsolo::fragmented_message<typename writer_fixture<TestType>::writer_type>> message;
        if (in_message) message.emplace(f.out->begin_message(wsolo::opcode::text));
        const auto gives_up = [&] { CHECK(f.out->flush(wsolo::time_point::min()) == errc::timed_out); };
        REQUIRE(f.out->send_text("1") == errc::none);
        gives_up();
        REQUIRE(f.out->flush(log.next()) == errc::none);
        gives_up();
        REQUIRE(f.out->send_text("2") == errc::none);
        gives_up();
        REQUIRE(f.out->flush(log.next()) == errc::none);
        gives_up();
        if (in_message) REQUIRE(message->finish() == errc::none);
        REQUIRE(f.pump_all() == pump_status::idle);
        CHECK(log.told == std::vector<std::pair<int, errc>>{{0, errc::none}, {1, errc::none}});
        CHECK(f.out->queued_bytes() == 0);
        CHECK(f.payloads(1).back() == "2");
    }
}

TEMPLATE_TEST_CASE("flushes around one that gave up hear of a drop before them, each", "[write][wait]",
                   server, client) {
    writer_fixture<TestType> f;
    outcome_log log;
    REQUIRE(f.out->send_keyed(1, wsolo::opcode::text, wsolo::bytes_of("a")) == errc::none);
    REQUIRE(f.out->flush(log.next()) == errc::none);
    CHECK(f.out->flush(wsolo::time_point::min()) == errc::timed_out);
    REQUIRE(f.out->flush(log.next()) == errc::none);
    REQUIRE(f.out->send_keyed(1, wsolo::opcode::text, wsolo::bytes_of("b")) == errc::none);
    REQUIRE(f.pump_all() == pump_status::idle);
    CHECK(log.told == std::vector<std::pair<int, errc>>{{0, errc::conflated}, {1, errc::conflated}});
}

namespace {

/// A sender that waits without a thread.
struct patient : wsolo::detail::room_waiter {
    patient() {
        wake = [](room_waiter& self) noexcept { ++static_cast<patient&>(self).woken; };
    }
    int woken = 0;
};

} // namespace

TEMPLATE_TEST_CASE("senders that wait get room in their order", "[write][wait]", server, client) {
    patient first, second;
    full<TestType> f;
    REQUIRE(f.push("b", &first) == errc::queue_full);
    REQUIRE(f.push("c", &second) == errc::queue_full);
    f.pump_all();
    CHECK(first.woken == 1);
    CHECK(second.woken == 0);
    REQUIRE(f.push("b", &first) == errc::none);
    f.pump_all();
    CHECK(second.woken == 1);
    REQUIRE(f.push("c", &second) == errc::none);
    f.pump_all();
    CHECK(f.payloads(1) == std::vector<std::string>{"a", "b", "c"});
}

TEMPLATE_TEST_CASE("room that is there goes to the sender that waits, not to a newcomer", "[write][wait]",
                   server, client) {
    wsolo::writer_options options;
    options.limits.max_bytes = 1000;
    patient large;
    writer_fixture<TestType> f(options);
    REQUIRE(f.out->send_text(std::string(500, 'a')) == errc::none);
    const std::string payload(600, 'b');
    REQUIRE(access::send(*f.out, wsolo::opcode::text, wsolo::bytes_of(payload), {}, &large) ==
            errc::queue_full);
    CHECK(f.out->send_text("c") == errc::queue_full);
    wsolo::detail::errands todo;
    wsolo::detail::queue* idle = nullptr;
    REQUIRE(access::drive(*f.out).box.withdraw(large, todo, idle));
    CHECK(f.out->send_text("c") == errc::none);
}

TEST_CASE("a Close ends the waits for room though a write is in flight", "[write][wait]") {
    wsolo::writer_options options;
    options.limits.max_frames = 1;
    patient waiter;
    wsolo::testing::completing_wire wire;
    wsolo::single_writer<wsolo::testing::completing_transport, void (*)(), server, wsolo::no_observer,
                         manual_traits>
        out(wsolo::testing::completing_transport(wire), +[] {}, options);
    REQUIRE(out.send_text("a") == errc::none);
    REQUIRE(out.pump().status == pump_status::blocked);
    REQUIRE(access::send(out, wsolo::opcode::text, wsolo::bytes_of("b"), {}, &waiter) == errc::queue_full);
    REQUIRE(out.close(wsolo::close_code::normal) == errc::none);
    REQUIRE(out.pump().status == pump_status::blocked);
    CHECK(waiter.woken == 1);
    CHECK(waiter.state == wsolo::detail::room_state::ended);
    wire.end();
    CHECK(out.pump().status == pump_status::blocked);
    wire.end();
    CHECK(out.pump().status == pump_status::finished);
}

TEMPLATE_TEST_CASE("a sender whose room is gone again keeps its place", "[write][wait]", server, client) {
    wsolo::writer_options options;
    options.limits.max_bytes = 1000;
    patient first, second;
    writer_fixture<TestType> f(options);
    const std::string payload(600, 'b');
    const auto push = [&](patient& waiter) {
        return access::send(*f.out, wsolo::opcode::text, wsolo::bytes_of(payload), {}, &waiter);
    };
    REQUIRE(f.out->send_text(payload) == errc::none);
    REQUIRE(push(first) == errc::queue_full);
    REQUIRE(push(second) == errc::queue_full);
    f.pump_all();
    REQUIRE(first.woken == 1);
    {
        const auto message =
            f.out->begin_message(wsolo::opcode::text); // which leaves others half of the budget
        REQUIRE(push(first) == errc::queue_full);
    }
    CHECK(first.woken == 2);
    CHECK(second.woken == 0);
    REQUIRE(push(first) == errc::none);
    f.pump_all();
    CHECK(second.woken == 1);
}

TEMPLATE_TEST_CASE("room that a smaller item of the same key leaves goes to the sender that waits, at once",
                   "[write][wait]", server, client) {
    wsolo::writer_options options;
    options.limits.max_bytes = 1000;
    patient waiter;
    writer_fixture<TestType> f(options);
    const auto keyed = [&](std::size_t size) {
        const std::string payload(size, 'k');
        return f.out->send_keyed(7, wsolo::opcode::text, wsolo::bytes_of(payload));
    };
    REQUIRE(keyed(600) == errc::none);
    const std::string payload(600, 'b');
    REQUIRE(access::send(*f.out, wsolo::opcode::text, wsolo::bytes_of(payload), {}, &waiter) ==
            errc::queue_full);
    REQUIRE(keyed(10) == errc::none);
    CHECK(waiter.woken == 1);
    CHECK(access::send(*f.out, wsolo::opcode::text, wsolo::bytes_of(payload), {}, &waiter) == errc::none);
}

TEMPLATE_TEST_CASE("a sender that gives up lets those after it in", "[write][wait]", server, client) {
    wsolo::writer_options options;
    options.limits.max_bytes = 1000;
    patient large, small;
    writer_fixture<TestType> f(options);
    const auto push = [&](std::size_t size, patient& waiter) {
        const std::string payload(size, 'b');
        return access::send(*f.out, wsolo::opcode::text, wsolo::bytes_of(payload), {}, &waiter);
    };
    REQUIRE(f.out->send_text(std::string(500, 'a')) == errc::none);
    REQUIRE(push(600, large) == errc::queue_full);
    REQUIRE(push(100, small) == errc::queue_full);
    {
        wsolo::detail::errands todo;
        wsolo::detail::queue* idle = nullptr;
        REQUIRE(access::drive(*f.out).box.withdraw(large, todo, idle));
        todo.run();
        CHECK(idle == nullptr);
    }
    CHECK(small.woken == 1);
    CHECK(push(100, small) == errc::none);
}
