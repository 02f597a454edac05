// The checker's search: bounds, replay, random schedules, and how far a second goes.
// Would catch: a bound that hides what lies within it, a schedule that replays as another, a search that
// calls itself complete and is not, and one that has become too slow to use.

#include <support/catch.hpp>
#include <support/interleave/explore.hpp>
#include <support/interleave/traits.hpp>

#include <mutex>
#include <set>

using namespace interleave;

namespace {

constexpr auto rlx = std::memory_order_relaxed;

// Fails when "early" runs between the two steps of "late", and "late" between the two of "early": two
// preemptions.
void entangled(scenario& stage) {
    auto& steps = stage.make<interleave::atomic<int>>("steps", 0);
    auto& bad = stage.make<interleave::atomic<bool>>("bad", false);
    stage.thread("early", [&] {
        const int first = steps.fetch_add(1);
        const int second = steps.fetch_add(1);
        if (first == 0 && second == 2) bad = true;
    });
    stage.thread("late", [&] {
        const int first = steps.fetch_add(1);
        const int second = steps.fetch_add(1);
        check(!(first == 1 && second == 3 && bad), "entangled");
    });
}

} // namespace

TEST_CASE("a failure is found with the fewest preemptions that show it", "[search]") {
    const result below = explore({.preemptions = 1, .random_executions = 0}, entangled);
    CHECK(below.passed());
    CHECK_FALSE(below.complete);
    const result at = explore({.preemptions = 5}, entangled);
    CHECK(at.failed);
    CHECK(at.failure == "entangled");
    CHECK(at.preemptions == 1); // searched through before
    CHECK(at.schedule.substr(0, 2) == "2:");
}

TEST_CASE("a schedule replays, with the same trace", "[search]") {
    const result found = explore({.preemptions = 3}, entangled);
    const result again = explore({.preemptions = 3, .replay = found.schedule}, entangled);
    CHECK(again.failed);
    CHECK(again.executions == 1);
    CHECK(again.failure == found.failure);
    CHECK(again.trace == found.trace);
    CHECK(found.trace.find("early          fetch_add steps 0 -> 1 seq_cst") != std::string::npos);
    CHECK(found.trace.find("FAILS: entangled") != std::string::npos);
}

TEST_CASE("random priorities find what lies beyond the bound, the same for a seed", "[search]") {
    const config bounds{.preemptions = 0, .seed = 7};
    const result first = explore(bounds, entangled);
    const result second = explore(bounds, entangled);
    INFO(first.report());
    CHECK(first.failure == "entangled");
    CHECK(first.schedule == second.schedule);
    CHECK(first.executions == second.executions);
    const result again = explore({.preemptions = 0, .replay = first.schedule}, entangled);
    CHECK(again.failure == "entangled");
    CHECK(again.trace == first.trace);
}

TEST_CASE("a search that was stopped is no pass", "[search]") {
    const result done = explore({.max_executions = 3, .random_executions = 0}, entangled);
    CHECK_FALSE(done.failed);
    CHECK_FALSE(done.exhausted);
    CHECK_FALSE(done.passed());
    CHECK(done.executions == 3);
}

TEST_CASE("code that isn't deterministic is told so", "[search]") {
    int runs = 0;
    const result done = explore({}, [&](scenario& stage) {
        auto& x = stage.make<interleave::atomic<int>>("x", 0);
        ++runs;
        stage.thread("one", [&] { x = 1; });
        stage.thread("two", [&] {
            x = 2;
            if (runs == 1) x = 3;
        });
        if (runs > 1) stage.thread("three", [&] { x = 4; });
    });
    CHECK(done.failed);
    CHECK(done.failure.find("not deterministic") != std::string::npos);
}

TEST_CASE("the log's order is told apart even where the memory is the same", "[search]") {
    std::set<std::vector<std::uint64_t>> logs;
    const result done = explore({}, [&](scenario& stage) {
        auto& cells = stage.make<std::array<interleave::atomic<int>, 3>>("cells");
        for (std::size_t i = 0; i < 3; ++i)
            stage.thread("thread", [&cells, i] {
                cells[i].store(1, rlx);
                record(i);
            });
        stage.finally([&] { logs.insert(records()); });
    });
    CHECK(done.passed());
    CHECK(logs.size() == 6);
}

TEST_CASE("the order in which a lock was taken is told apart", "[search]") {
    struct room {
        interleave::mutex guard;
        std::vector<int> order;
    };
    std::set<std::vector<int>> orders;
    const result done = explore({}, [&](scenario& stage) {
        auto& m = stage.make<room>("room");
        for (int i = 0; i < 3; ++i)
            stage.thread("thread", [&m, i] {
                const std::lock_guard held(m.guard);
                m.order.push_back(i);
            });
        stage.finally([&] { orders.insert(m.order); });
    });
    CHECK(done.passed());
    CHECK(orders.size() == 6);
}

TEST_CASE("two stores of one value are told apart by what they publish", "[search]") {
    struct room {
        interleave::atomic<int> data{0}, flag{0}, ready{0}, aside{0};
    };
    std::set<std::vector<int>> seen;
    const result done = explore({.random_executions = 0}, [&](scenario& stage) {
        auto& m = stage.make<room>("room");
        stage.thread("without data", [&m] { m.flag.store(1, rlx); });
        stage.thread("with data", [&m] {
            if (m.flag.load(rlx) == 0) return;
            m.data.store(1, rlx);
            m.flag.store(1, std::memory_order_release);
            m.ready.store(1, rlx);
        });
        stage.thread("reader", [&] {
            const int ready = m.ready.load(rlx);
            const int flag = m.flag.load(std::memory_order_acquire);
            m.aside.store(1, rlx);
            while (m.aside.load(rlx) == 1) traits::pause();
            seen.insert({ready, flag, m.data.load(rlx)});
        });
        // A choice of threads between the reader's loads, whatever the bound: a state to be met again.
        stage.thread("aside", [&m] {
            while (m.aside.load(rlx) == 0) traits::pause();
            m.aside.store(2, rlx);
        });
    });
    CHECK(done.passed());
    CHECK(seen.count({1, 1, 0}) == 1);
}

TEST_CASE("a state that is met again with more preemptions left is searched again", "[search]") {
    // Two preemptions are enough if "second" comes first; the search meets that state before, with one spent
    // on it.
    const result done = explore({.preemptions = 2, .random_executions = 0}, [](scenario& stage) {
        struct room {
            interleave::atomic<int> own{0}, gate{0}, steps{0};
            int third = 0, fourth = 0;
        };
        auto& m = stage.make<room>("room");
        stage.thread("first", [&m] {
            m.own.store(1);
            if (m.gate.load() == 0) return;
            for (const int step : {1, 2, 3}) m.steps.store(step);
        });
        stage.thread("second", [&m] { m.gate.store(1); });
        stage.thread("third", [&m] { m.third = m.steps.load(); });
        stage.thread("fourth", [&m] { m.fourth = m.steps.load(); });
        stage.finally([&m] { check(m.third != 1 || m.fourth != 2, "each between two stores"); });
    });
    CHECK(done.failure == "each between two stores");
}

TEST_CASE("threads are told apart, and each has its own slot", "[search]") {
    const result done = explore({}, [&](scenario& stage) {
        auto& x = stage.make<interleave::atomic<int>>("x", 0);
        check(this_thread() == 0, "the body");
        for (int i = 1; i < 3; ++i)
            stage.thread("thread", [&x, i] {
                check(this_thread() == i && traits::thread_slot() == nullptr, "at the start");
                traits::thread_slot() = &x;
                ++x;
                check(this_thread() == i && traits::thread_slot() == &x, "after a scheduling point");
            });
    });
    CHECK(done.passed());
    CHECK(this_thread() == -1);
}

TEST_CASE("three threads of eight operations are searched through in well under a second", "[search]") {
    // Every operation conflicts with every other thread's: little merges.
    const auto dense = [](scenario& stage) {
        auto& cells = stage.make<std::array<interleave::atomic<int>, 2>>("cells");
        for (int i = 0; i < 3; ++i)
            stage.thread("thread", [&cells] {
                for (int k = 0; k < 8; ++k) cells[static_cast<std::size_t>(k) % 2].fetch_add(1, rlx);
            });
        stage.finally([&cells] { check(cells[0] == 12 && cells[1] == 12, "an addition was lost"); });
    };
    for (const int bound : {2, 3}) {
        const result done = explore({.preemptions = bound, .random_executions = 0}, dense);
        INFO(done.report());
        CHECK(done.passed());
        CHECK(done.seconds < 10); // sanitizers and a busy machine included
    }
}
