// The shipped sequence_barrier (and the lock and the parker under it) in every schedule within
// a bound, on the weak memory model, plain memory included. Would catch: a wait that returns before its items
// are handled, or without seeing what their handlers wrote; a wake-up lost to a timeout, a close or an
// abandoned number; a barrier that waits for what came later.

#include <support/catch.hpp>
#include <support/interleave/explore.hpp>
#include <support/interleave/stop.hpp>
#include <support/interleave/traits.hpp>
#include <support/interleave/verdict.hpp>

#include <wsolo/sync/callback.hpp>
#include <wsolo/sync/sequence_barrier.hpp>

#include <optional>

using namespace interleave;
using namespace std::chrono_literals;
using wsolo::errc;

namespace {

// What handlers write, and a barrier with `count` numbers issued.
struct line {
    wsolo::basic_sequence_barrier<traits> order;
    std::array<int, 4> handled{};
    int called = 0;

    explicit line(int count) {
        for (int i = 0; i < count; ++i) static_cast<void>(order.issue());
    }
    void handle(std::uint64_t n) {
        const auto at_work = order.handle(n);
        handled[n] = 1;
    }
    void handle_both() {
        handle(1);
        handle(2);
    }
    [[nodiscard]] bool all_up_to(std::uint64_t mark) const {
        for (std::uint64_t i = 1; i <= mark; ++i)
            if (handled[i] != 1) return false;
        return true;
    }
    void wait_for(std::uint64_t mark) {
        check(order.wait_up_to(mark) == errc::none && all_up_to(mark), "a wait that ends too early");
    }
};

void two_marks(scenario& stage, outcomes&) {
    auto& m = stage.make<line>("line", 2);
    stage.thread("drainer", [&m] { m.handle_both(); });
    stage.thread("first", [&m] { m.wait_for(1); });
    stage.thread("second", [&m] { m.wait_for(2); });
}

void response_between_notifications(scenario& stage, outcomes&) {
    auto& m = stage.make<line>("line", 0);
    auto& received = stage.make<interleave::atomic<bool>>("received", false);
    stage.thread("receiver", [&] {
        const std::uint64_t first = m.order.issue();
        const std::uint64_t mark = m.order.snapshot();
        check(first == 1 && mark == 1, "numbers");
        received.store(true, std::memory_order_release);
        static_cast<void>(m.order.issue()); // never handled: the response must not wait for it
        m.wait_for(mark);
    });
    stage.thread("drainer", [&] {
        while (!received.load(std::memory_order_acquire)) traits::pause();
        m.handle(1);
    });
}

void wait_until_a_deadline(scenario& stage, outcomes& verdicts) {
    auto& m = stage.make<line>("line", 2);
    stage.thread("drainer", [&m] { m.handle_both(); });
    stage.thread("hasty", [&] {
        const errc first = m.order.wait_up_to(2, interleave::clock::now() + 1s);
        verdicts.insert(static_cast<int>(first));
        check(first == errc::timed_out || (first == errc::none && m.all_up_to(2)), "another verdict");
        if (first == errc::timed_out) m.wait_for(2);
    });
    stage.thread("patient", [&m] { m.wait_for(1); });
}

void close_while_waiting(scenario& stage, outcomes& verdicts) {
    auto& m = stage.make<line>("line", 2);
    stage.thread("drainer", [&m] { m.handle(1); });
    stage.thread("closer", [&m] { m.order.close(errc::cancelled); });
    stage.thread("waiter", [&] {
        const errc first = m.order.wait_up_to(1);
        verdicts.insert(static_cast<int>(first));
        check(first == errc::cancelled || (first == errc::none && m.all_up_to(1)), "another verdict");
        check(m.order.wait_up_to(2) == errc::cancelled, "no thread handles the second");
        check(m.order.is_closed(), "closed");
    });
}

void stop_while_waiting(scenario& stage, outcomes& verdicts) {
    auto& source = stage.make<stop_source>("source");
    auto& m = stage.make<line>("line", 1);
    stage.thread("stopper", [&source] { source.request_stop(); });
    stage.thread("drainer", [&m] { m.handle(1); });
    stage.thread("waiter", [&] {
        const errc first = m.order.wait_up_to(1, decltype(m.order)::no_deadline, source.get_token());
        verdicts.insert(static_cast<int>(first));
        check(first == errc::cancelled || (first == errc::none && m.all_up_to(1)), "another verdict");
    });
}

template <std::uint64_t Abandoned>
void abandon_one_of_three(scenario& stage, outcomes&) {
    auto& m = stage.make<line>("line", 3);
    auto& refused = stage.make<interleave::atomic<bool>>("refused", false);
    stage.thread("drainer", [&] {
        for (std::uint64_t n = 1; n <= 3; ++n) {
            if (n == Abandoned) continue;
            // The queue's order: what comes after a refused item is pushed after its refusal.
            while (n > Abandoned && !refused.load(std::memory_order_acquire)) traits::pause();
            m.handle(n);
        }
    });
    stage.thread("refuser", [&] {
        m.order.abandon(Abandoned);
        refused.store(true, std::memory_order_release);
    });
    stage.thread("waiter", [&m] {
        check(m.order.wait_up_to(3) == errc::none, "a wait without end");
        for (std::uint64_t n = 1; n <= 3; ++n)
            check(n == Abandoned || m.handled[n] == 1, "an item that was accepted is not handled");
    });
}

void issue_and_abandon(scenario& stage, outcomes&) {
    auto& m = stage.make<line>("line", 1);
    stage.thread("drainer", [&m] { m.handle(1); });
    for (const char* const name : {"refuser", "other refuser"})
        stage.thread(name, [&m] {
            const std::uint64_t n = m.order.issue();
            m.order.abandon(n);
            check(m.order.wait_up_to(n) == errc::none && m.handled[1] == 1, "a wait that ends too early");
        });
    stage.finally(
        [&m] { check(m.order.snapshot() == 3 && m.order.has_reached(3), "numbers are left over"); });
}

void call_back(scenario& stage, outcomes& seen) {
    auto& m = stage.make<line>("line", 2);
    stage.thread("drainer", [&m] { m.handle_both(); });
    stage.thread("watcher", [&] {
        bool has_run = false;
        {
            const auto ring = [&m](errc outcome) noexcept {
                check(outcome == errc::none && m.all_up_to(1), "called too early");
                ++m.called;
            };
            const auto bell = wsolo::on_reached(m.order, 1, ring);
            has_run = bell.has_run();
        }
        seen.insert(m.called * 2 + (has_run ? 1 : 0));
    });
}

// Callbacks that complete the next number each, one inside the other; the last number's waiters are fired deepest. Nested
// eight deep, an outer loop of the drainer's fires them, so for a while they are in no ring of the barrier.
template <std::uint64_t Depth>
struct chain {
    wsolo::basic_sequence_barrier<traits> order;
    int called = 0;
    int last_called = 0;

    struct link {
        chain* of;
        std::uint64_t mark;
        void operator()(errc) const noexcept {
            ++of->called;
            of->order.complete(mark + 1);
        }
    };
    std::array<std::optional<wsolo::basic_callback<wsolo::basic_sequence_barrier<traits>, link>>, Depth>
        links;

    chain() {
        for (std::uint64_t n = 0; n <= Depth; ++n) static_cast<void>(order.issue());
        for (std::uint64_t n = 0; n != Depth; ++n) links[n].emplace(order, n + 1, link{this, n + 1});
    }
};

template <std::uint64_t Depth>
void withdraw_beside_a_chain(scenario& stage, outcomes& calls) {
    auto& m = stage.make<chain<Depth>>("chain");
    stage.thread("drainer", [&m] {
        m.order.complete(1);
        check(m.called == Depth, "each link once");
    });
    stage.thread("waiter", [&m] { check(m.order.wait_up_to(Depth + 1) == errc::none, "the last mark"); });
    stage.thread("watcher", [&] {
        {
            const auto count = [&m](errc) noexcept { ++m.last_called; };
            const auto bell = wsolo::on_reached(m.order, Depth + 1, count);
        }
        calls.insert(m.last_called); // a race here would be a call after the destructor
    });
}

void wait_for_oneself(scenario& stage, outcomes&) {
    auto& m = stage.make<line>("line", 2);
    stage.thread("drainer", [&m] {
        {
            const auto at_work = m.order.handle(1);
            check(m.order.wait_up_to(1) == errc::would_deadlock, "its own number");
            m.handled[1] = 1;
        }
        m.handle(2);
    });
    stage.thread("waiter", [&m] { m.wait_for(2); });
}

constexpr int none = static_cast<int>(errc::none);
constexpr int late = static_cast<int>(errc::timed_out);
constexpr int stopped = static_cast<int>(errc::cancelled);

} // namespace

TEST_CASE("each waiter returns when its mark is handled, and sees it", "[barrier]") {
    CHECK(holds(two_marks, {}));
}
TEST_CASE("a response waits for what came before it and nothing later", "[barrier]") {
    CHECK(holds(response_between_notifications, {}));
}
TEST_CASE("a wait for a mark that times out leaves nothing behind", "[barrier]") {
    CHECK(holds(wait_until_a_deadline, {none, late}));
}
TEST_CASE("close ends every wait: satisfied beats closed, closed beats hanging", "[barrier]") {
    CHECK(holds(close_while_waiting, {none, stopped}));
}
TEST_CASE("a stop request ends a wait for a mark", "[barrier]") {
    CHECK(holds(stop_while_waiting, {none, stopped}));
}
TEST_CASE("an abandoned number holds up no wait: the first", "[barrier]") {
    CHECK(holds(abandon_one_of_three<1>, {}));
}
TEST_CASE("an abandoned number holds up no wait: one between", "[barrier]") {
    CHECK(holds(abandon_one_of_three<2>, {}));
}
TEST_CASE("an abandoned number holds up no wait: the last", "[barrier]") {
    CHECK(holds(abandon_one_of_three<3>, {}));
}
TEST_CASE("numbers are issued and abandoned while others are handled", "[barrier]") {
    CHECK(holds(issue_and_abandon, {}, 1));
}
TEST_CASE("a callback for a mark runs once, and not after its destructor", "[barrier]") {
    CHECK(holds(call_back, {0, 2, 3}));
}
TEST_CASE("a callback that is withdrawn while a chain of others makes it due has run or does not",
          "[barrier]") {
    CHECK(holds(withdraw_beside_a_chain<1>, {0, 1}, 1));
    CHECK(holds(withdraw_beside_a_chain<8>, {0, 1}, 1));
}
TEST_CASE("a handler that waits for itself is told so", "[barrier]") { CHECK(holds(wait_for_oneself, {})); }

TEST_CASE("the barrier within wider bounds", "[.full]") {
    for (const auto body : {two_marks, response_between_notifications, wait_until_a_deadline,
                            close_while_waiting, stop_while_waiting, abandon_one_of_three<1>,
                            abandon_one_of_three<2>, abandon_one_of_three<3>, issue_and_abandon, call_back,
                            withdraw_beside_a_chain<1>, withdraw_beside_a_chain<8>, wait_for_oneself})
        CHECK(holds_widely(body));
}
