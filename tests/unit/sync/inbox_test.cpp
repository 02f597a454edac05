// Would catch: a message lost, doubled or out of order, two handlers at once, a hook called twice or not at
// all, a heap block held while idle, a report that does not add up.

#include <support/heap.hpp>
#include <support/inbox_fixture.hpp>

#include <array>
#include <memory>
#include <random>

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
    CHECK(f.in.is_drain_owed());
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

TEST_CASE("what a handler pushes is handled after the rest, without another hook call", "[sync][inbox]") {
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
    CHECK(f.in.is_drain_owed());
    CHECK(f.drain(2).messages == 2);
    const inbox_drain last = f.drain(1);
    CHECK(last.status == inbox_status::idle); // exactly used up: nothing is owed
    CHECK(f.scheduled == 3);
    CHECK(f.handled == texts{"a", "b", "c", "d", "e"});
}

namespace {
struct hook_with_bounds {
    const wsolo::detail::inbox_bounds* most;
    void operator()() const {}
    [[nodiscard]] const wsolo::detail::inbox_bounds& bounds() const noexcept { return *most; }
};
} // namespace

TEST_CASE("an inbox whose hook knows the bounds keeps none", "[sync][inbox]") {
    const wsolo::detail::inbox_bounds most({.max_bytes = 0, .max_messages = 2});
    wsolo::inbox<int, hook_with_bounds> in({&most});
    CHECK(sizeof(in) <= 64);
    CHECK(in.max_bytes() == most.max_bytes);
    CHECK(most.max_bytes == ~std::size_t{0});
    CHECK(accepted(in.push(1, 1000)));
    CHECK(in.push(2, 1000).pause);
    CHECK(in.push(3, 1).error == errc::queue_full);
}

TEST_CASE("an idle inbox owns no heap block", "[sync][inbox]") {
    basic_inbox_fixture<int> f;
    static_assert(sizeof(f.in) <= 104);
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
        for (int step = 0; step < 60 && !f.in.is_finished(); ++step) {
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

TEST_CASE("a quantum of none bounds nothing", "[sync][inbox]") {
    inbox_fixture f;
    for (int i = 0; i < 100; ++i) static_cast<void>(f.push("x"));
    CHECK(f.drain(0).messages == 100);
}

TEST_CASE("a drain whose hook refuses says that it made the end", "[sync][inbox]") {
    inbox_fixture f;
    static_cast<void>(f.push("1"));
    static_cast<void>(f.push("2"));
    f.refuses = true;
    const wsolo::inbox_drain left = f.drain(1);
    CHECK(left.status == wsolo::inbox_status::finished);
    CHECK(left.messages == 1);
    REQUIRE(f.reports.size() == 1);
    CHECK(f.reports[0].reason == wsolo::errc::schedule_refused);
}
