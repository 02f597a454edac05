// The shipped rundown (and the lock, the parker and the callback under it) in every schedule within a bound,
// on the weak memory model, plain memory included. Would catch: a wait that returns with a user inside, a
// wake-up lost between the last leave() and a wait() that times out, an entry after close(), a touch of the
// rundown after "drained", an order weakened anywhere in between.

#include <support/catch.hpp>
#include <support/interleave/explore.hpp>
#include <support/interleave/stop.hpp>
#include <support/interleave/traits.hpp>
#include <support/interleave/verdict.hpp>

#include <wsolo/sync/callback.hpp>
#include <wsolo/sync/rundown.hpp>

#include <optional>

using namespace interleave;
using namespace std::chrono_literals;
using wsolo::errc;

namespace {

// A rundown whose memory outlives it, so that a touch after its end is seen as one, and what its users
// write.
struct house {
    std::optional<wsolo::basic_rundown<traits>> door{std::in_place};
    std::array<int, 3> work{};
    int called = 0;

    explicit house(int inside) {
        for (int i = 0; i < inside; ++i) check(door->enter(), "enters an open door");
    }
    void use_and_leave(std::size_t who) {
        work[who] = 1;
        door->leave();
    }
    void close_and_leave() {
        door->close();
        use_and_leave(0);
    }
    [[nodiscard]] int done() const { return work[0] + work[1] + work[2]; }
};

void destroy_behind_the_wait(scenario& stage, outcomes&) {
    auto& m = stage.make<house>("house", 2);
    stage.thread("one", [&m] { m.use_and_leave(0); });
    stage.thread("two", [&m] { m.use_and_leave(1); });
    stage.thread("closer", [&m] {
        check(m.door->close(), "the first close");
        check(m.door->wait() == errc::none, "a wait without end");
        m.door.reset();
        check(m.done() == 2, "drained with a user inside");
    });
}

void enter_while_it_closes(scenario& stage, outcomes& entered) {
    auto& m = stage.make<house>("house", 0);
    for (std::size_t i = 0; i < 2; ++i)
        stage.thread(i == 0 ? "one" : "two", [&m, i] {
            if (const auto guard = m.door->try_enter()) m.work[i] = 1;
        });
    stage.thread("closer", [&] {
        m.door->close();
        check(m.door->wait() == errc::none, "a wait without end");
        entered.insert(m.done());
        check(!m.door->enter() && m.door->is_closed() && m.door->users() == 0, "an entry after close()");
    });
    stage.finally([&m] { check(m.door->wait() == errc::none, "drained once, drained for ever"); });
}

void two_waiters(scenario& stage, outcomes&) {
    auto& m = stage.make<house>("house", 1);
    for (const char* const name : {"waiter", "other waiter"})
        stage.thread(name, [&m] {
            check(m.door->wait() == errc::none && m.work[0] == 1, "drained with a user inside");
        });
    stage.thread("user", [&m] { m.close_and_leave(); });
}

void closer_beside_the_last_user(scenario& stage, outcomes&) {
    auto& m = stage.make<house>("house", 1);
    stage.thread("waiter", [&m] {
        check(m.door->wait() == errc::none && m.work[0] == 1, "drained with a user inside");
    });
    stage.thread("closer", [&m] { m.door->close(); });
    stage.thread("user", [&m] { m.use_and_leave(0); });
}

void wait_until_a_deadline(scenario& stage, outcomes& verdicts) {
    auto& m = stage.make<house>("house", 1);
    stage.thread("user", [&m] { m.use_and_leave(0); });
    stage.thread("closer", [&] {
        m.door->close();
        const errc first = m.door->wait(interleave::clock::now() + 1s);
        verdicts.insert(static_cast<int>(first));
        check(first == errc::timed_out || (first == errc::none && m.work[0] == 1), "another verdict");
        if (first == errc::timed_out) check(m.door->wait() == errc::none, "the second wait");
        m.door.reset();
        check(m.work[0] == 1, "drained with a user inside");
    });
}

void wait_until_a_stop(scenario& stage, outcomes& verdicts) {
    auto& source = stage.make<stop_source>("source");
    auto& m = stage.make<house>("house", 1);
    stage.thread("user", [&m] { m.close_and_leave(); });
    stage.thread("stopper", [&source] { source.request_stop(); });
    stage.thread("waiter", [&] {
        const errc first = m.door->wait(wsolo::basic_rundown<traits>::no_deadline, source.get_token());
        verdicts.insert(static_cast<int>(first));
        check(first == errc::cancelled || (first == errc::none && m.work[0] == 1), "another verdict");
        if (first == errc::cancelled) check(m.door->wait() == errc::none, "the second wait");
        m.door.reset();
    });
}

void one_waiter_gives_up(scenario& stage, outcomes& verdicts) {
    auto& m = stage.make<house>("house", 1);
    stage.thread("patient", [&m] {
        check(m.door->wait() == errc::none && m.work[0] == 1, "drained with a user inside");
    });
    stage.thread("hasty", [&] {
        const errc verdict = m.door->wait(interleave::clock::now() + 1s);
        verdicts.insert(static_cast<int>(verdict));
        check(verdict == errc::timed_out || (verdict == errc::none && m.work[0] == 1), "another verdict");
    });
    stage.thread("user", [&m] { m.close_and_leave(); });
}

void call_back(scenario& stage, outcomes&) {
    auto& m = stage.make<house>("house", 2);
    stage.thread("one", [&m] { m.use_and_leave(0); });
    stage.thread("two", [&m] { m.use_and_leave(1); });
    stage.thread("closer", [&m] {
        const auto ring = [&m](errc outcome) noexcept {
            check(outcome == errc::none && m.done() == 2, "drained with a user inside");
            ++m.called;
        };
        const auto bell = wsolo::on_drained(*m.door, ring);
        m.door->close();
        while (!bell.has_run()) traits::pause();
    });
    stage.finally([&m] { check(m.called == 1, "once"); });
}

void withdraw_a_callback(scenario& stage, outcomes& calls) {
    auto& m = stage.make<house>("house", 1);
    stage.thread("user", [&m] { m.close_and_leave(); });
    stage.thread("watcher", [&] {
        {
            const auto count = [&m](errc) noexcept { ++m.called; };
            const auto bell = wsolo::on_drained(*m.door, count);
        }
        calls.insert(m.called); // a race here would be a call after the destructor
    });
}

constexpr int none = static_cast<int>(errc::none);
constexpr int late = static_cast<int>(errc::timed_out);
constexpr int stopped = static_cast<int>(errc::cancelled);

} // namespace

TEST_CASE("a thread that waited for the drain may destroy the rundown", "[rundown]") {
    CHECK(holds(destroy_behind_the_wait, {}));
}
TEST_CASE("an entry is granted and waited for, or refused", "[rundown]") {
    CHECK(holds(enter_while_it_closes, {0, 1, 2}));
}
TEST_CASE("all waiters are woken by the last to leave", "[rundown]") { CHECK(holds(two_waiters, {})); }
TEST_CASE("close() beside the last leave() wakes the waiter", "[rundown]") {
    CHECK(holds(closer_beside_the_last_user, {}));
}
TEST_CASE("a wait for the drain that times out leaves nothing behind", "[rundown]") {
    CHECK(holds(wait_until_a_deadline, {none, late}));
}
TEST_CASE("a wait for the drain that is cancelled leaves nothing behind", "[rundown]") {
    CHECK(holds(wait_until_a_stop, {none, stopped}));
}
TEST_CASE("a waiter that gives up takes no other waiter's wake-up with it", "[rundown]") {
    CHECK(holds(one_waiter_gives_up, {none, late}));
}
TEST_CASE("a callback runs once, in the thread that drained the rundown", "[rundown]") {
    CHECK(holds(call_back, {}));
}
TEST_CASE("a callback that goes first is not called, or has returned", "[rundown]") {
    CHECK(holds(withdraw_a_callback, {0, 1}));
}

TEST_CASE("the rundown within wider bounds", "[.full]") {
    for (const auto body :
         {destroy_behind_the_wait, enter_while_it_closes, two_waiters, closer_beside_the_last_user,
          wait_until_a_deadline, wait_until_a_stop, one_waiter_gives_up, call_back, withdraw_a_callback})
        CHECK(holds_widely(body));
}
