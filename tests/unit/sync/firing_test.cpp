// Would catch: a chain of waiters, each of which makes the next one due, that needs stack for each of them; one that is fired
// out of order, twice, never, or after it was withdrawn; a nested call that returns before the waiters which it made due
// were fired, though the stack is still short; a touch of an object that the last waiter has destroyed.

#include <support/catch.hpp>
#include <support/fire_and_forget.hpp>

#include <wsolo/sync/await.hpp>
#include <wsolo/sync/callback.hpp>
#include <wsolo/sync/rundown.hpp>
#include <wsolo/sync/sequence_barrier.hpp>

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <numeric>
#include <optional>
#include <vector>

using wsolo::errc;
using wsolo::rundown;
using wsolo::sequence_barrier;

namespace {

constexpr std::uint64_t links = 100'000;
constexpr std::ptrdiff_t most_stack = 64 * 1024;

/// The deepest stack of the calls of note(), below the frame that made this.
class stack_gauge {
public:
    [[gnu::noinline]] void note() noexcept {
        const auto here = reinterpret_cast<std::intptr_t>(__builtin_frame_address(0));
        if (here < lowest_) lowest_ = here;
    }
    [[nodiscard]] std::ptrdiff_t used() const noexcept { return top_ - lowest_; }

private:
    std::intptr_t top_ = reinterpret_cast<std::intptr_t>(__builtin_frame_address(0));
    std::intptr_t lowest_ = top_;
};

/// What fired, in this order.
struct journal {
    stack_gauge stack;
    std::vector<std::uint64_t> order;
    void note(std::uint64_t number) noexcept {
        stack.note();
        order.push_back(number);
    }
    void check(std::uint64_t count = links) const {
        std::vector<std::uint64_t> all(count);
        std::iota(all.begin(), all.end(), std::uint64_t{1});
        CHECK(order == all);
        CHECK(stack.used() < most_stack);
    }
};

std::unique_ptr<sequence_barrier> numbered(std::uint64_t count) {
    auto made = std::make_unique<sequence_barrier>();
    for (std::uint64_t n = 0; n != count; ++n) static_cast<void>(made->issue());
    return made;
}

fire_and_forget stage(std::unique_ptr<sequence_barrier>& barrier, std::uint64_t mark, journal& all) {
    const errc how = co_await wsolo::reached(*barrier, mark);
    CHECK(how == errc::none);
    all.note(mark);
    if (mark == links) {
        barrier.reset(); // the last one: no member is under way but complete(), which is done with it
    } else {
        barrier->complete(mark + 1);
    }
}

/// A callback that notes, and does what it is told.
struct step {
    struct call {
        step* self;
        void operator()(errc) const noexcept { self->run(); }
    };
    template <class Source>
    using callback = wsolo::basic_callback<Source, call>;

    journal* all;
    std::uint64_t number;
    std::function<void()> then;
    void run() const {
        all->note(number);
        if (then) then();
    }
};

} // namespace

TEST_CASE("coroutines that complete each other's marks are resumed in a loop", "[sync][firing]") {
    auto barrier = numbered(links);
    journal all;
    for (std::uint64_t mark = 1; mark <= links; ++mark) stage(barrier, mark, all);
    barrier->complete(1);
    all.check();
    CHECK(barrier == nullptr);
}

TEST_CASE("callbacks that complete each other's marks run in a loop", "[sync][firing]") {
    const auto barrier = numbered(links);
    journal all;
    all.order.reserve(links);
    struct next {
        sequence_barrier* barrier;
        journal* all;
        std::uint64_t mark;
        void operator()(errc) const noexcept {
            all->note(mark);
            if (mark != links) barrier->complete(mark + 1);
        }
    };
    std::deque<wsolo::basic_callback<sequence_barrier, next>> callbacks;
    for (std::uint64_t mark = 1; mark <= links; ++mark)
        callbacks.emplace_back(*barrier, mark, next{barrier.get(), &all, mark});
    barrier->complete(1);
    all.check();
}

TEST_CASE("a close in a callback tells the others in the order of their marks", "[sync][firing]") {
    const auto barrier = numbered(links);
    journal all;
    std::deque<step> parts;
    std::deque<step::callback<sequence_barrier>> callbacks;
    for (std::uint64_t mark = 1; mark <= links; ++mark) {
        step& part = parts.emplace_back(step{&all, mark, [&] { barrier->close(errc::cancelled); }});
        callbacks.emplace_back(*barrier, mark, step::call{&part});
    }
    barrier->complete(1);
    all.check();
}

TEST_CASE("drains that let each other's rundowns drain go on in a loop", "[sync][firing]") {
    journal all;
    std::deque<std::optional<rundown>> works;
    for (std::uint64_t n = 0; n <= links; ++n) {
        works.emplace_back(std::in_place);
        REQUIRE(works.back()->enter());
        works.back()->close();
    }
    std::deque<step> parts;
    std::deque<step::callback<rundown>> callbacks;
    SECTION("callbacks") {
        for (std::uint64_t n = 1; n <= links; ++n) {
            step& part = parts.emplace_back(step{&all, n, [&works, n] {
                                                     works[n - 1].reset(); // drained: it may go
                                                     works[n]->leave();
                                                 }});
            callbacks.emplace_back(*works[n - 1], 0, step::call{&part});
        }
    }
    SECTION("coroutines") {
        const auto wait = [&](std::uint64_t n) -> fire_and_forget {
            auto* const to = &all;
            auto* const in = &works;
            static_cast<void>(co_await wsolo::drained(*(*in)[n - 1]));
            to->note(n);
            (*in)[n - 1].reset();
            (*in)[n]->leave();
        };
        for (std::uint64_t n = 1; n <= links; ++n) wait(n);
    }
    works.front()->leave();
    all.check();
}

TEST_CASE("a chain over barriers and rundowns goes on in a loop", "[sync][firing]") {
    journal all;
    struct round {
        sequence_barrier barrier;
        rundown work;
        rundown rest;
    };
    std::deque<round> rounds;
    std::deque<step> parts;
    std::deque<step::callback<sequence_barrier>> reached;
    std::deque<step::callback<rundown>> drained;
    constexpr std::uint64_t each = links / 3;
    for (std::uint64_t n = 0; n <= each; ++n) {
        round& now = rounds.emplace_back();
        static_cast<void>(now.barrier.issue());
        for (rundown* const work : {&now.work, &now.rest}) {
            REQUIRE(work->enter());
            work->close();
        }
    }
    for (std::uint64_t n = 0; n != each; ++n) {
        round& now = rounds[n];
        step& first = parts.emplace_back(step{&all, 3 * n + 1, [&now] { now.work.leave(); }});
        reached.emplace_back(now.barrier, 1, step::call{&first});
        step& second = parts.emplace_back(step{&all, 3 * n + 2, [&now] { now.rest.leave(); }});
        drained.emplace_back(now.work, 0, step::call{&second});
        step& third =
            parts.emplace_back(step{&all, 3 * n + 3, [&, n] { rounds[n + 1].barrier.complete(1); }});
        drained.emplace_back(now.rest, 0, step::call{&third});
    }
    rounds.front().barrier.complete(1);
    all.check(3 * each);
    for (rundown* const work : {&rounds.back().work, &rounds.back().rest}) work->leave();
}

TEST_CASE("while the stack is short a nested completion fires before it returns", "[sync][firing]") {
    const auto barrier = numbered(4);
    journal all;
    std::deque<step> parts;
    std::deque<step::callback<sequence_barrier>> callbacks;
    for (std::uint64_t mark = 1; mark <= 3; ++mark) {
        step& part = parts.emplace_back(step{&all, mark, [&, mark] {
                                                 barrier->complete(mark + 1);
                                                 CHECK(all.order.size() == 3);
                                             }});
        callbacks.emplace_back(*barrier, mark, step::call{&part});
    }
    barrier->complete(1);
    all.check(3);
}

TEST_CASE("what is due may be withdrawn by what is fired before it, at any depth", "[sync][firing]") {
    const bool drains = GENERATE(false, true);
    const auto depth = GENERATE(as<std::uint64_t>(), 1, 7, 8, 9, 20);
    journal all;
    const auto barrier = numbered(depth + 1);
    rundown work;
    REQUIRE(work.enter());
    work.close();
    std::deque<step> parts;
    std::deque<step::callback<sequence_barrier>> chain;
    std::deque<std::optional<step::callback<sequence_barrier>>> last_marks;
    std::deque<std::optional<step::callback<rundown>>> last_drains;
    for (std::uint64_t mark = 1; mark <= depth; ++mark) {
        step& part = parts.emplace_back(step{&all, mark, [&, mark] {
                                                 if (drains && mark == depth) return work.leave();
                                                 barrier->complete(mark + 1);
                                             }});
        chain.emplace_back(*barrier, mark, step::call{&part});
    }
    for (std::uint64_t n = 1; n <= 3; ++n) { // the first withdraws the second
        step& part = parts.emplace_back(step{&all, depth + (n == 3 ? 2 : n), [&, n] {
                                                 if (n != 1) return;
                                                 if (drains) {
                                                     last_drains[1].reset();
                                                 } else {
                                                     last_marks[1].reset();
                                                 }
                                             }});
        if (drains) {
            last_drains.emplace_back().emplace(work, 0, step::call{&part});
        } else {
            last_marks.emplace_back().emplace(*barrier, depth + 1, step::call{&part});
        }
    }
    barrier->complete(1);
    all.check(depth + 2);
    if (!drains) work.leave();
}
