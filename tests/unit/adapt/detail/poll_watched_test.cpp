// Would catch: a call for a turn that is lost, comes twice or overtakes another, one that is made while its turn begins, a loop
// that sleeps on, and a list that still knows what is gone.

#include <support/catch.hpp>

#include <wsolo/adapt/detail/poll_watched.hpp>

#include <atomic>
#include <poll.h>
#include <thread>
#include <vector>

namespace {

using wsolo::adapt::poll::detail::wake_list;
using wsolo::adapt::poll::detail::watched;

// An idle connection holds one of these.
static_assert(sizeof(watched) <= 48);

struct member final : watched {
    explicit member(wake_list& wakes) noexcept : watched(-1, wakes) {}
    void on_events(unsigned) override {}
    void on_turn() override { ++turns; }
    int turns = 0;
};

/// One pass of a loop: those that had a turn.
std::vector<watched*> pass(wake_list& wakes) {
    std::vector<watched*> had;
    for (watched* next = wakes.take(); next != nullptr;) {
        watched& owed = *std::exchange(next, wakes.begin_turn(*next));
        owed.on_turn();
        had.push_back(&owed);
    }
    return had;
}

bool is_rung(const wake_list& wakes) {
    pollfd asked{wakes.descriptor(), POLLIN, 0};
    return ::poll(&asked, 1, 0) == 1;
}

} // namespace

TEST_CASE("turns come in the order of the calls, each once") {
    wake_list wakes;
    member a(wakes), b(wakes), c(wakes);
    CHECK(pass(wakes).empty());
    b.call_for_turn();
    a.call_for_turn();
    b.call_for_turn();
    c.call_for_turn();
    CHECK(pass(wakes) == std::vector<watched*>{&b, &a, &c});
    CHECK(pass(wakes).empty());
    a.call_for_turn();
    CHECK(pass(wakes) == std::vector<watched*>{&a});
}

TEST_CASE("a call during the others' turns is for the next pass") {
    wake_list wakes;
    member a(wakes), b(wakes);
    a.call_for_turn();
    b.call_for_turn();
    watched* const first = wakes.take();
    watched* const second = wakes.begin_turn(*first);
    first->call_for_turn();
    second->call_for_turn(); // its own begins later
    CHECK(wakes.begin_turn(*second) == nullptr);
    CHECK(pass(wakes) == std::vector<watched*>{&a});
}

TEST_CASE("what is destroyed is owed nothing any more") {
    wake_list wakes;
    member a(wakes), c(wakes);
    {
        member b(wakes);
        a.call_for_turn();
        b.call_for_turn();
        c.call_for_turn();
    }
    CHECK(pass(wakes) == std::vector<watched*>{&a, &c});
}

TEST_CASE("only a loop that sleeps is rung for, and once") {
    wake_list wakes;
    member a(wakes), b(wakes);
    a.call_for_turn();
    CHECK(!is_rung(wakes));
    CHECK(!wakes.begin_sleep()); // there is something to do
    static_cast<void>(pass(wakes));

    REQUIRE(wakes.begin_sleep());
    a.call_for_turn();
    CHECK(is_rung(wakes));
    wakes.clear();
    b.call_for_turn();
    CHECK(!is_rung(wakes));
    wakes.end_sleep();
    CHECK(pass(wakes) == std::vector<watched*>{&a, &b});
}

TEST_CASE("a wake before the wait lets it pass, once") {
    wake_list wakes;
    wakes.wake();
    CHECK(!is_rung(wakes));
    CHECK(!wakes.begin_sleep());
    REQUIRE(wakes.begin_sleep());
    wakes.wake();
    CHECK(is_rung(wakes));
    wakes.clear();
    wakes.end_sleep();
    REQUIRE(wakes.begin_sleep()); // it was for the one that is over
    wakes.end_sleep();
}

TEST_CASE("no thread's call is lost") {
    wake_list wakes;
    member a(wakes), b(wakes);
    std::atomic<int> done{0};
    std::atomic<int> work{0}; // what a call is made for, after it was done
    const auto caller = [&](member& whose) {
        for (int i = 0; i < 20'000; ++i) {
            work.fetch_add(1, std::memory_order_relaxed);
            whose.call_for_turn();
        }
        done.fetch_add(1);
        wakes.wake();
    };
    std::thread one([&] { caller(a); }), two([&] { caller(b); });
    int seen = 0;
    const auto turn = [&] {
        if (!pass(wakes).empty()) seen = work.load(std::memory_order_relaxed);
    };
    while (done.load() != 2) {
        if (wakes.begin_sleep()) {
            pollfd asked{wakes.descriptor(), POLLIN, 0};
            REQUIRE(::poll(&asked, 1, 20'000) == 1);
            wakes.clear();
            wakes.end_sleep();
        }
        turn();
    }
    one.join();
    two.join();
    turn();
    CHECK(seen == 40'000);
}
