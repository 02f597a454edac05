// Would catch: room that was granted to a sender and is never given back, because its push failed for another reason, or
// was a flush; room that a newcomer gets before those who wait for it, or that they get out of turn; a
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

TEMPLATE_TEST_CASE("a flush that a thread waits for needs no room, and takes none from others",
                   "[write][wait]", server, client) {
    full<TestType> f;
    outcome_log log;
    REQUIRE(f.out->flush(log.next()) == errc::none); // one may stand above the bound
    CHECK(f.out->flush(log.next()) == errc::queue_full);
    for (int i = 0; i < 3; ++i) CHECK(access::queue_mark(*f.out, log.next()) == errc::none);
    f.pump_all();
    CHECK(log.told.size() == 4);
    CHECK(f.out->queued_bytes() == 0);
    CHECK(f.send("c") == errc::none);
    f.pump_all();
    CHECK(f.payloads(1) == std::vector<std::string>{"a", "c"});
}
