// Would catch: a message lost, doubled or out of order, two handlers at once, a hook called twice or not at
// all, a bound that overshoots, a pause without its resume (or with two), a later error that overwrites the
// first, a message that is neither handled nor reported, a heap block held while idle.

#include <support/heap.hpp>
#include <support/inbox_fixture.hpp>

#include <array>
#include <memory>
#include <random>
#include <stdexcept>

using support::basic_inbox_fixture;
using support::inbox_fixture;
using wsolo::errc;
using wsolo::inbox_drain;
using wsolo::inbox_limits;
using wsolo::inbox_overflow;
using wsolo::inbox_push;
using wsolo::inbox_report;
using wsolo::inbox_status;
using texts = std::vector<std::string>;

namespace {

constexpr std::size_t one = 10 + inbox_fixture::inbox::message_overhead; // what push() of the fixture costs

constexpr bool accepted(const inbox_push& answer) { return answer.error == errc::none; }

/// A message that knows how many there are.
struct tracked {
    explicit tracked(int value) : number(value) { ++alive; }
    tracked(tracked&& other) noexcept : number(std::exchange(other.number, -1)) { ++alive; }
    tracked& operator=(tracked&&) = delete;
    ~tracked() { --alive; }
    int number;
    inline static int alive = 0;
};

/// One that malloc alone would misplace.
struct alignas(64) aligned {
    std::size_t number;
};

} // namespace

TEST_CASE("many pushes cost one hook call and are handled in order", "[sync][inbox]") {
    inbox_fixture f;
    texts expected;
    for (int i = 0; i < 500; ++i) { // several blocks
        expected.push_back(std::to_string(i));
        REQUIRE(accepted(f.push(expected.back())));
    }
    CHECK(f.scheduled == 1);
    CHECK(f.handled.empty()); // push never calls the handler
    CHECK(f.in.wants_drain());
    const inbox_drain left = f.drain();
    CHECK(left.status == inbox_status::idle);
    CHECK(left.messages == 500);
    CHECK(f.handled == expected);
    CHECK(f.in.queued_messages() == 0);
    CHECK(f.in.queued_bytes() == 0);

    REQUIRE(accepted(f.push("again"))); // idle to busy once more
    CHECK(f.scheduled == 2);
    CHECK(f.drain().status == inbox_status::idle);
    CHECK(f.drain().messages == 0); // a call too many is harmless
    CHECK(f.scheduled == 2);
    CHECK(f.resumed == 0);
}

TEST_CASE("never two handlers at once: a drain inside a handler has nothing to do", "[sync][inbox]") {
    inbox_fixture f;
    REQUIRE(accepted(f.push("a")));
    REQUIRE(accepted(f.push("b")));
    int depth = 0;
    inbox_drain inner;
    static_cast<void>(f.in.drain([&](std::string&& text) {
        CHECK(++depth == 1);
        f.handled.push_back(std::move(text));
        inner = f.drain();
        --depth;
    }));
    CHECK(inner.status == inbox_status::busy);
    CHECK(inner.messages == 0);
    CHECK(f.handled == texts{"a", "b"});
}

TEST_CASE("what a handler pushes is handled behind the rest, without another hook call", "[sync][inbox]") {
    inbox_fixture f;
    REQUIRE(accepted(f.push("a")));
    REQUIRE(accepted(f.push("b")));
    static_cast<void>(f.in.drain([&](std::string&& text) {
        if (text == "a") CHECK(accepted(f.push("c")));
        f.handled.push_back(std::move(text));
    }));
    CHECK(f.handled == texts{"a", "b", "c"});
    CHECK(f.scheduled == 1);
}

TEST_CASE("a quantum hands the turn back to the hook", "[sync][inbox]") {
    inbox_fixture f;
    for (const char* text : {"a", "b", "c", "d", "e"}) REQUIRE(accepted(f.push(text)));
    CHECK(f.drain(2).status == inbox_status::more);
    CHECK(f.handled == texts{"a", "b"});
    CHECK(f.scheduled == 2);
    CHECK(f.in.wants_drain());
    CHECK(f.drain(2).messages == 2);
    const inbox_drain last = f.drain(1);
    CHECK(last.status == inbox_status::idle); // exactly used up: nothing is owed
    CHECK(f.scheduled == 3);
    CHECK(f.handled == texts{"a", "b", "c", "d", "e"});
}

TEST_CASE("an idle inbox owns no heap block", "[sync][inbox]") {
    basic_inbox_fixture<int> f;
    static_assert(sizeof(f.in) <= 128);
    const support::heap_counts before = support::heap_now();
    for (int i = 0; i < 300; ++i) REQUIRE(accepted(f.in.push(int{i}, 4)));
    if (support::heap_now().taken != 0) CHECK(support::heap_now().held > before.held);
    int sum = 0;
    static_cast<void>(f.in.drain([&](int&& number) { sum += number; }));
    CHECK(sum == 299 * 300 / 2);
    CHECK(support::heap_now().held == before.held);
}

TEST_CASE("a steady flow takes its blocks from the heap once", "[sync][inbox]") {
    basic_inbox_fixture<int> f({.max_messages = 100'000});
    for (int i = 0; i < 400; ++i) REQUIRE(accepted(f.in.push(int{i}, 4)));
    long taken = 0;
    int handled = 0;
    static_cast<void>(f.in.drain([&](int&&) {
        if (++handled == 400) taken = support::heap_now().taken;
        if (handled < 40'000) CHECK(accepted(f.in.push(0, 4)));
    }));
    CHECK(support::heap_now().taken - taken <= 8);
}

TEST_CASE("every message is destroyed once, handled or dropped", "[sync][inbox]") {
    {
        basic_inbox_fixture<tracked> f;
        for (int i = 0; i < 100; ++i) REQUIRE(accepted(f.in.push(tracked(i), 1)));
        CHECK(tracked::alive == 100);
        int next = 0;
        static_cast<void>(f.in.drain(
            [&](tracked&& message) {
                CHECK(message.number == next++);
                if (next % 2 == 0) const tracked taken(std::move(message));
            },
            40));
        CHECK(tracked::alive == 60);
        static_cast<void>(f.in.drain([&](tracked&&) { return errc::message_too_big; }));
        CHECK(tracked::alive == 0);
    }
    {
        basic_inbox_fixture<tracked> f;
        for (int i = 0; i < 100; ++i) REQUIRE(accepted(f.in.push(tracked(i), 1)));
    }
    CHECK(tracked::alive == 0);
}

TEST_CASE("messages that are large, aligned, or own what they point to", "[sync][inbox]") {
    basic_inbox_fixture<aligned> wide;
    for (std::size_t i = 0; i < 50; ++i) REQUIRE(accepted(wide.in.push(aligned{i}, sizeof(aligned))));
    std::size_t next = 0;
    static_cast<void>(wide.in.drain([&](aligned&& message) {
        CHECK(reinterpret_cast<std::uintptr_t>(&message) % 64 == 0);
        CHECK(message.number == next++);
    }));
    basic_inbox_fixture<std::array<char, 3000>> large;
    for (int i = 0; i < 5; ++i) REQUIRE(accepted(large.in.push({}, 3000)));
    CHECK(large.in.drain([](std::array<char, 3000>&&) {}).messages == 5);
    basic_inbox_fixture<std::unique_ptr<int>> owning;
    REQUIRE(accepted(owning.in.push(std::make_unique<int>(7), 4)));
    static_cast<void>(owning.in.drain([](std::unique_ptr<int>&& message) { CHECK(*message == 7); }));
}

TEST_CASE("pause: the message that reaches the bound is the last one accepted", "[sync][inbox]") {
    inbox_fixture f({.max_messages = 3});
    CHECK_FALSE(f.push("a").pause);
    CHECK_FALSE(f.push("b").pause);
    const inbox_push third = f.push("c");
    CHECK(third.error == errc::none);
    CHECK(third.pause);
    CHECK(f.in.paused());
    std::string refused = "d";
    const inbox_push fourth = f.in.push(std::move(refused), 10);
    CHECK(fourth.error == errc::queue_full);
    CHECK(fourth.pause);
    CHECK(refused == "d"); // still the caller's
    CHECK(f.in.queued_messages() == 3);
    CHECK(f.in.report().messages_refused == 1);
}

TEST_CASE("pause: memory stays below the bound plus one message", "[sync][inbox]") {
    inbox_fixture f({.max_bytes = 2 * one});
    CHECK_FALSE(f.push("a").pause);
    const inbox_push large = f.in.push("large", 1'000'000);
    CHECK(large.error == errc::none);
    CHECK(large.pause);
    CHECK(f.push("c").error == errc::queue_full);
    CHECK(f.in.queued_bytes() == 2 * one - 10 + 1'000'000);
    CHECK(f.drain().messages == 2);
    CHECK(f.resumed == 1);
    CHECK_FALSE(f.in.paused());

    inbox_fixture g({.max_bytes = 2 * one});
    CHECK_FALSE(g.push("a").pause);
    CHECK(g.push("b").pause); // reached, to the byte
}

TEST_CASE("pause: one resume when half of both bounds is free", "[sync][inbox]") {
    inbox_fixture f({.max_bytes = 8 * one, .max_messages = 6});
    for (int i = 0; i < 6; ++i) REQUIRE(accepted(f.push(std::to_string(i))));
    CHECK(f.in.paused());
    std::vector<int> resumed_behind;
    static_cast<void>(f.in.drain([&](std::string&&) { resumed_behind.push_back(f.resumed); }));
    CHECK(resumed_behind == std::vector<int>{0, 0, 0, 1, 1, 1}); // three are left when the fourth begins
    CHECK(f.resumed == 1);

    for (int i = 0; i < 6; ++i) CHECK(f.push("x").pause == (i == 5)); // pauses anew
    CHECK(f.drain().status == inbox_status::idle);
    CHECK(f.resumed == 2);

    inbox_fixture bytes({.max_bytes = 4 * one, .max_messages = 100});
    for (int i = 0; i < 4; ++i) REQUIRE(accepted(bytes.push("x")));
    CHECK(bytes.in.paused());
    CHECK(bytes.drain(1).messages == 1);
    CHECK(bytes.resumed == 0);
    CHECK(bytes.drain(1).messages == 1);
    CHECK(bytes.resumed == 1);
}

TEST_CASE("pause: a bound of one message works", "[sync][inbox]") {
    for (const std::uint32_t bound : {0U, 1U}) {
        inbox_fixture f({.max_messages = bound});
        for (int i = 0; i < 3; ++i) {
            CHECK(f.push("x").pause);
            CHECK(f.push("y").error == errc::queue_full);
            CHECK(f.drain().messages == 1);
            CHECK(f.resumed == i + 1);
        }
    }
}

TEST_CASE("fail: the message too many closes the inbox, what is queued is dropped", "[sync][inbox]") {
    for (const auto& [policy, error] : {std::pair(inbox_overflow::violate_policy, errc::inbox_overflow),
                                        std::pair(inbox_overflow::try_again_later, errc::inbox_overloaded)}) {
        inbox_fixture f({.max_messages = 2, .when_full = policy});
        CHECK(accepted(f.push("a")));
        CHECK(accepted(f.push("b"))); // as many as the bound says
        std::string refused = "c";
        const inbox_push third = f.in.push(std::move(refused), 10);
        CHECK(third.error == error);
        CHECK_FALSE(third.pause);
        CHECK(refused == "c");
        CHECK(f.push("d").error == errc::closed);
        CHECK(f.scheduled == 1); // it was owed already
        CHECK(f.drain().status == inbox_status::finished);
        CHECK(f.handled.empty());
        REQUIRE(f.reports.size() == 1);
        CHECK(f.reports[0].reason == error);
        CHECK(f.reports[0].messages_dropped == 2);
        CHECK(f.reports[0].messages_refused == 1);
    }
    CHECK(wsolo::info(errc::inbox_overflow).close_status == 1008);
    CHECK(wsolo::info(errc::inbox_overloaded).close_status == 1013);
}

TEST_CASE("fail and drop: bytes count with their overhead, and the bound is strict", "[sync][inbox]") {
    for (const auto policy : {inbox_overflow::violate_policy, inbox_overflow::drop_newest}) {
        inbox_fixture exact({.max_bytes = 2 * one, .when_full = policy});
        CHECK(accepted(exact.push("a")));
        CHECK(accepted(exact.push("b")));
        CHECK(exact.in.queued_bytes() == 2 * one);
        inbox_fixture less({.max_bytes = 2 * one - 1, .when_full = policy});
        CHECK(accepted(less.push("a")));
        CHECK_FALSE(accepted(less.push("b")));
        for (const std::size_t bytes : {2 * one, std::size_t{100'000}, static_cast<std::size_t>(-1)}) {
            inbox_fixture never({.max_bytes = 2 * one, .when_full = policy});
            CHECK_FALSE(accepted(never.in.push("", bytes))); // no bound wraps around
        }
    }
}

TEST_CASE("drop: the newest is refused and counted, the rest goes on", "[sync][inbox]") {
    inbox_fixture f({.max_messages = 2, .when_full = inbox_overflow::drop_newest});
    CHECK(accepted(f.push("a")));
    CHECK(accepted(f.push("b")));
    const inbox_push third = f.push("c");
    CHECK(third.error == errc::queue_full);
    CHECK_FALSE(third.pause);
    CHECK(f.drain().status == inbox_status::idle);
    CHECK(accepted(f.push("d")));
    CHECK(f.drain().status == inbox_status::idle);
    CHECK(f.handled == texts{"a", "b", "d"});
    CHECK(f.in.report().messages_refused == 1);
    CHECK(f.resumed == 0);
}

TEST_CASE("the message in the handler counts against the bound", "[sync][inbox]") {
    inbox_fixture f({.max_messages = 2, .when_full = inbox_overflow::drop_newest});
    REQUIRE(accepted(f.push("a")));
    static_cast<void>(f.in.drain([&](std::string&& text) {
        if (text != "a") return;
        CHECK(accepted(f.push("b")));
        CHECK(f.push("c").error == errc::queue_full);
    }));
    CHECK(f.in.report().messages_handled == 2);
}

TEST_CASE("three functions make a hook", "[sync][inbox]") {
    int calls = 0;
    int resumes = 0;
    errc reason = errc::none;
    wsolo::inbox_hooks hooks{[&] { ++calls; }, [&] { ++resumes; },
                             [&](const inbox_report& report) { reason = report.reason; }};
    {
        wsolo::inbox<int, decltype(hooks)> in(hooks, {.max_messages = 1});
        CHECK(in.push(1, 4).pause);
        CHECK(in.drain([](int&&) {}).messages == 1);
    }
    CHECK(calls == 1);
    CHECK(resumes == 1);
    CHECK(reason == errc::aborted);
}

TEST_CASE("whatever happens, accepted is handled plus dropped", "[sync][inbox]") {
    std::mt19937 random(20);
    const auto any = [&](unsigned below) { return static_cast<unsigned>(random() % below); };
    for (int round = 0; round < 300; ++round) {
        const auto policy = static_cast<inbox_overflow>(any(4));
        inbox_fixture f({.max_bytes = one * (1 + any(60)), .max_messages = 1 + any(60), .when_full = policy});
        std::uint64_t taken = 0;
        std::uint64_t refused = 0;
        texts expected;
        for (int step = 0; step < 60 && !f.in.finished(); ++step) {
            for (unsigned pushes = any(20); pushes != 0; --pushes) {
                const std::string text = std::to_string(taken);
                const inbox_push answer = f.push(text);
                if (accepted(answer)) {
                    expected.push_back(text);
                    ++taken;
                } else {
                    refused += answer.error != errc::closed;
                }
            }
            REQUIRE(f.in.queued_messages() <= 60);
            if (any(3) != 0) static_cast<void>(f.drain(1 + any(30)));
            if (any(40) == 0) f.in.close(any(2) == 0 ? errc::none : errc::aborted);
        }
        f.in.close(errc::aborted);
        static_cast<void>(f.drain());
        REQUIRE(f.reports.size() == 1);
        const inbox_report& report = f.reports[0];
        REQUIRE(report.messages_accepted() == taken);
        REQUIRE(report.messages_handled == f.handled.size());
        REQUIRE(report.bytes_accepted() == taken * 10);
        REQUIRE(report.messages_refused == refused);
        expected.resize(f.handled.size());
        REQUIRE(f.handled == expected);
    }
}
