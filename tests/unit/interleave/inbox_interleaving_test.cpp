// The shipped inbox (and the lock and the blocks under it) in every schedule within a bound, plain memory
// included. Would catch: two handlers at once, a message for which no thread is woken, a pause that no thread
// resumes, a second error that overwrites the first, an end that is told twice or not at all, a slot that a
// producer fills while the drainer reads it.

#include <support/catch.hpp>
#include <support/interleave/verdict.hpp>
#include <support/interleave_bell.hpp>

#include <wsolo/sync/inbox.hpp>

#include <array>
#include <optional>

using namespace checked;
using interleave::check;
using interleave::holds;
using interleave::holds_widely;
using interleave::outcomes;
using interleave::scenario;
using wsolo::errc;
using wsolo::inbox_limits;
using wsolo::inbox_status;

namespace {

/// So large that a block holds two.
struct message {
    int number = 0;
    char rest[600];

    explicit message(int value) noexcept : number(value) {}
    message(message&& other) noexcept : number(other.number) {}
    message& operator=(message&&) = delete;
    ~message() = default;
};

/// An inbox, and plain memory that its handler and its hooks write: two at once are a data race.
struct room {
    bell ring;
    bell resume;
    std::array<int, 8> handled{};
    std::size_t count = 0;
    int ends = 0;
    wsolo::inbox_report last;

    struct hook {
        room* to;
        void operator()() const { to->ring.rung.fetch_add(1); }
        void on_resume() const { to->resume.rung.fetch_add(1); }
        void on_finished(const wsolo::inbox_report& report) const {
            ++to->ends;
            to->last = report;
        }
    };
    std::optional<wsolo::inbox<message, hook, interleave::traits>> in;

    explicit room(const inbox_limits& limits = {}) { in.emplace(hook{this}, limits); }

    errc push(int number) { return in->push(message(number), 1).error; }
    void handle(message&& item) { handled[count++] = item.number; }
    wsolo::inbox_drain drain(std::size_t quantum = 9) {
        return in->drain([this](message&& item) { handle(std::move(item)); }, quantum);
    }
    /// The same for a handler that wants `messages` in all.
    wsolo::inbox_drain drain_up_to(std::size_t messages) {
        const auto handler = [this](message&& item) { handle(std::move(item)); };
        return in->drain_while(handler, [this, messages] { return count < messages; });
    }
    /// The loop: drains when the bell rings, until `messages` are handled or it is over.
    void serve(std::size_t messages, std::size_t quantum = 9) {
        for (;;) {
            ring.wait();
            if (drain(quantum).status == inbox_status::finished || count == messages) return;
        }
    }
    /// What must hold in the end, when `accepted` were accepted and the inbox was closed.
    void finished(std::uint64_t accepted) const {
        check(in->is_finished() && ends == 1, "one end");
        check(last.messages_handled == count, "the report does not say what was handled");
        check(last.messages_accepted() == accepted, "accepted is not handled plus dropped");
        check(in->queued_messages() == 0 && in->queued_bytes() == 0, "something stays in the queue");
    }
    /// The same when it is open and idle.
    void idle(std::uint64_t accepted) const {
        check(count == accepted && in->report().messages_handled == accepted, "not all were handled");
        check(!in->is_drain_owed() && in->queued_messages() == 0, "a drain is still owed");
    }
};

void two_producers(scenario& stage, outcomes& orders) {
    auto& m = stage.make<room>("room");
    stage.thread("one", [&m] { check(m.push(1) == errc::none, "accepted"); });
    stage.thread("two", [&m] { check(m.push(2) == errc::none, "accepted"); });
    stage.thread("loop", [&m] { m.serve(2); });
    stage.finally([&] {
        m.idle(2);
        orders.insert(m.handled[0] * 10 + m.handled[1]);
    });
}

void one_producer_in_order(scenario& stage, outcomes&) {
    auto& m = stage.make<room>("room");
    stage.thread("producer", [&m] {
        for (int i = 0; i < 4; ++i) check(m.push(i) == errc::none, "accepted"); // two blocks and their reuse
    });
    stage.thread("loop", [&m] { m.serve(4); });
    stage.finally([&m] {
        m.idle(4);
        for (int i = 0; i < 4; ++i) check(m.handled[static_cast<std::size_t>(i)] == i, "in order");
    });
}

void two_drainers(scenario& stage, outcomes&) {
    auto& m = stage.make<room>("room");
    check(m.push(1) == errc::none, "accepted");
    for (const char* const name : {"drainer", "other drainer"})
        stage.thread(name, [&m] { static_cast<void>(m.drain()); });
    stage.thread("producer", [&m] { check(m.push(2) == errc::none, "accepted"); });
    stage.finally([&m] {
        static_cast<void>(m.drain());
        m.idle(2);
        check(m.handled[0] == 1 && m.handled[1] == 2, "in order");
    });
}

void a_quantum(scenario& stage, outcomes&) {
    auto& m = stage.make<room>("room");
    stage.thread("producer", [&m] {
        for (int i = 0; i < 3; ++i) check(m.push(i) == errc::none, "accepted");
    });
    stage.thread("loop", [&m] { m.serve(3, 1); });
    stage.finally([&m] { m.idle(3); });
}

void pause_and_resume(scenario& stage, outcomes&) {
    auto& m = stage.make<room>("room", inbox_limits{.max_messages = 2});
    stage.thread("reader", [&m] {
        for (int i = 0; i < 4; ++i) {
            const wsolo::inbox_push pushed = m.in->push(message(i), 1);
            check(pushed.error == errc::none, "the reader paused, so there is room");
            if (pushed.pause) m.resume.wait();
        }
    });
    stage.thread("loop", [&m] { m.serve(4); });
    stage.finally([&m] {
        m.idle(4);
        check(!m.in->is_paused() && m.resume.rung.load() == 0, "one resume for one pause");
    });
}

void closers(scenario& stage, outcomes& reasons) {
    auto& m = stage.make<room>("room");
    auto& counted = stage.make<std::array<int, 2>>("whose word counts");
    check(m.push(1) == errc::none, "accepted");
    stage.thread("one", [&] { counted[0] = m.in->close(errc::connection_lost); });
    stage.thread("two", [&] { counted[1] = m.in->close(errc::timed_out); });
    stage.thread("loop", [&m] { m.serve(9); });
    stage.finally([&] {
        m.finished(1);
        check(counted[0] + counted[1] == 1, "the first error, and only that");
        check(m.last.reason == (counted[0] != 0 ? errc::connection_lost : errc::timed_out), "whose it was");
        reasons.insert(static_cast<int>(m.last.reason));
    });
}

void handler_error_beside_close(scenario& stage, outcomes& reasons) {
    auto& m = stage.make<room>("room");
    check(m.push(1) == errc::none && m.push(2) == errc::none, "accepted");
    stage.thread("closer", [&] { m.in->close(errc::connection_lost); });
    stage.thread("loop", [&m] {
        const auto handler = [&m](message&& item) {
            m.handle(std::move(item));
            return errc::message_too_big;
        };
        static_cast<void>(m.in->drain(handler));
    });
    stage.finally([&] {
        static_cast<void>(m.drain());
        m.finished(2);
        check(m.count <= 1, "a handler began after the error of the one before it");
        reasons.insert(static_cast<int>(m.last.reason));
    });
}

void orderly_close(scenario& stage, outcomes& counts) {
    auto& m = stage.make<room>("room");
    auto& accepted = stage.make<std::array<int, 1>>("accepted");
    stage.thread("producer", [&] {
        for (int i = 0; i < 2; ++i) accepted[0] += m.push(i) == errc::none;
    });
    stage.thread("closer", [&m] { m.in->close(); });
    stage.thread("loop", [&m] { m.serve(9); });
    stage.finally([&] {
        m.finished(static_cast<std::uint64_t>(accepted[0]));
        check(m.last.is_clean() && m.last.messages_dropped == 0, "what was accepted is handled");
        counts.insert(accepted[0]);
    });
}

void overflow(scenario& stage, outcomes& handled) {
    auto& m = stage.make<room>(
        "room", inbox_limits{.max_messages = 1, .when_full = wsolo::inbox_overflow::violate_policy});
    auto& accepted = stage.make<std::array<int, 2>>("accepted");
    for (std::size_t i = 0; i < 2; ++i)
        stage.thread(i == 0 ? "one" : "two", [&, i] { accepted[i] = m.push(1) == errc::none; });
    stage.thread("loop", [&m] { m.serve(2); });
    stage.finally([&] {
        const int taken = accepted[0] + accepted[1];
        check(taken >= 1, "the first has room");
        if (taken == 2)
            m.idle(2);
        else
            m.finished(1);
        handled.insert(static_cast<int>(m.count));
    });
}

void one_by_one(scenario& stage, outcomes&) {
    auto& m = stage.make<room>("room");
    stage.thread("producer", [&m] {
        for (int i = 0; i < 2; ++i) check(m.push(i) == errc::none, "accepted");
    });
    stage.thread("loop", [&m] {
        for (std::size_t wanted = 1; m.count != 2;) {
            m.ring.wait();
            if (m.drain_up_to(wanted).status != inbox_status::resting) continue;
            check(m.count == wanted, "it rests although a message is wanted");
            ++wanted;
            m.in->rouse();
        }
    });
    stage.finally([&m] {
        m.idle(2);
        check(m.handled[0] == 0 && m.handled[1] == 1, "the order");
    });
}

void error_beside_a_handler_that_wants_none(scenario& stage, outcomes& counts) {
    auto& m = stage.make<room>("room");
    auto& accepted = stage.make<std::array<int, 1>>("accepted");
    stage.thread("producer", [&] {
        for (int i = 0; i < 2; ++i) accepted[0] += m.push(i) == errc::none;
    });
    stage.thread("closer", [&m] { m.in->close(errc::connection_lost); });
    stage.thread("loop", [&m] {
        do {
            m.ring.wait();
        } while (m.drain_up_to(1).status != inbox_status::finished);
    });
    stage.finally([&] {
        m.finished(static_cast<std::uint64_t>(accepted[0]));
        counts.insert(static_cast<int>(m.count));
    });
}

constexpr int lost = static_cast<int>(errc::connection_lost);
constexpr int late = static_cast<int>(errc::timed_out);
constexpr int large = static_cast<int>(errc::message_too_big);

} // namespace

TEST_CASE("no push into an inbox is left without a drain", "[inbox]") {
    CHECK(holds(two_producers, {12, 21}));
}
TEST_CASE("one producer's messages are handled in order, across blocks", "[inbox]") {
    CHECK(holds(one_producer_in_order, {}));
}
TEST_CASE("of two threads that drain, one handles", "[inbox]") { CHECK(holds(two_drainers, {})); }
TEST_CASE("a quantum hands the turn on, and loses nothing", "[inbox]") { CHECK(holds(a_quantum, {})); }
TEST_CASE("a reader that paused is resumed, once", "[inbox]") { CHECK(holds(pause_and_resume, {})); }
TEST_CASE("of two errors the first is the reason", "[inbox]") { CHECK(holds(closers, {lost, late})); }
TEST_CASE("a handler's error beside a close: one reason, one end", "[inbox]") {
    CHECK(holds(handler_error_beside_close, {lost, large}));
}
TEST_CASE("what is accepted before an orderly close is handled", "[inbox]") {
    CHECK(holds(orderly_close, {0, 1, 2}));
}
TEST_CASE("an overflow fails the inbox or there was room", "[inbox]") { CHECK(holds(overflow, {0, 1, 2})); }
TEST_CASE("a handler that takes one message at a time gets all of them", "[inbox]") {
    CHECK(holds(one_by_one, {}));
}
TEST_CASE("an error ends an inbox whose handler wants none, whenever it comes", "[inbox]") {
    CHECK(holds(error_beside_a_handler_that_wants_none, {0, 1}));
}

TEST_CASE("the inbox within wider bounds", "[.full]") {
    for (const auto body : {two_producers, one_producer_in_order, two_drainers, a_quantum, pause_and_resume,
                            closers, handler_error_beside_close, orderly_close, overflow, one_by_one,
                            error_beside_a_handler_that_wants_none})
        CHECK(holds_widely(body));
}
