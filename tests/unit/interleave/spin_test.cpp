// Locks made of atomics, and loops that wait by looking: the right ones pass exhaustively, their wrong twins
// fail. Would catch: a spin loop that the search runs round and round in, or never lets give up.

#include <support/catch.hpp>
#include <support/interleave/explore.hpp>
#include <support/interleave/traits.hpp>
#include <support/interleave/var.hpp>
#include <support/interleave/verdict.hpp>

#include <set>

using namespace interleave;

namespace {

constexpr auto rlx = std::memory_order_relaxed;
constexpr auto acq = std::memory_order_acquire;
constexpr auto rel = std::memory_order_release;

struct counted {
    interleave::atomic<bool> held{false};
    var<int> count{0};
};

// Each thread adds one to plain data inside the section.
template <class Enter, class Leave>
result two_sections(int threads, Enter enter, Leave leave) {
    return explore({}, [=](scenario& stage) {
        auto& m = stage.make<counted>("m");
        for (int i = 0; i < threads; ++i)
            stage.thread("thread", [&m, enter, leave] {
                enter(m.held);
                m.count = m.count.get() + 1;
                leave(m.held);
            });
        stage.finally([&m, threads] { check(m.count == threads, "an addition was lost"); });
    });
}

void spin_enter(interleave::atomic<bool>& held) {
    while (held.exchange(true, acq))
        while (held.load(rlx)) traits::pause();
}

} // namespace

TEST_CASE("a spinlock excludes, and publishes what it guards", "[spin]") {
    const auto leave = [](interleave::atomic<bool>& held) { held.store(false, rel); };
    CHECK(passes(two_sections(2, spin_enter, leave)));
    CHECK(passes(two_sections(3, spin_enter, leave)));
    const auto enter_weakly = [](interleave::atomic<bool>& held) {
        for (bool expected = false; !held.compare_exchange_weak(expected, true, acq, rlx); expected = false)
            traits::pause();
    };
    CHECK(passes(two_sections(2, enter_weakly, leave)));
}

TEST_CASE("a spinlock's broken twins are found", "[spin]") {
    const auto leave = [](interleave::atomic<bool>& held) { held.store(false, rel); };
    CHECK(fails_with(two_sections(2, spin_enter, [](auto& held) { held.store(false, rlx); }), "data race"));
    const auto enter_relaxed = [](interleave::atomic<bool>& held) {
        while (held.exchange(true, rlx)) traits::pause();
    };
    CHECK(fails_with(two_sections(2, enter_relaxed, leave), "data race"));
    const auto look_then_take = [](interleave::atomic<bool>& held) {
        while (held.load(acq)) traits::pause();
        held.store(true, std::memory_order_seq_cst);
    };
    CHECK(fails_with(two_sections(2, look_then_take, leave), "data race"));
}

TEST_CASE("Dekker's flags exclude with seq_cst only", "[spin]") {
    const auto run = [](std::memory_order write, std::memory_order read) {
        return explore({}, [=](scenario& stage) {
            struct room {
                interleave::atomic<bool> wants[2];
                var<int> inside{0};
            };
            auto& m = stage.make<room>("room");
            for (std::size_t i = 0; i < 2; ++i)
                stage.thread(i == 0 ? "left" : "right", [&m, i, write, read] {
                    m.wants[i].store(true, write);
                    if (m.wants[1 - i].load(read)) return;
                    m.inside = m.inside.get() + 1;
                });
        });
    };
    CHECK(passes(run(std::memory_order_seq_cst, std::memory_order_seq_cst)));
    CHECK(fails_with(run(rel, acq), "data race"));
}

TEST_CASE("a spin loop that gives up goes both ways", "[spin]") {
    std::set<bool> gave_up;
    const result done = explore({}, [&](scenario& stage) {
        auto& ready = stage.make<interleave::atomic<bool>>("ready", false);
        stage.thread("setter", [&] { ready = true; });
        stage.thread("spinner", [&] {
            for (unsigned looks = 0; !ready.load(); ++looks) {
                if (looks == traits::spin_limit) {
                    gave_up.insert(true);
                    return;
                }
                traits::pause();
            }
            gave_up.insert(false);
        });
    });
    CHECK(passes(done));
    CHECK(gave_up.size() == 2);
}

TEST_CASE("a spin loop that no thread ends is a livelock", "[spin]") {
    const auto run = [](bool polite) {
        return explore({.max_steps = 200}, [=](scenario& stage) {
            auto& never = stage.make<interleave::atomic<bool>>("never", false);
            stage.thread("spinner", [&never, polite] {
                while (!never.load(rlx))
                    if (polite) traits::pause();
            });
            stage.thread("other", [&never] { never.store(false, rlx); });
        });
    };
    CHECK(fails_with(run(true), "livelock"));
    CHECK(fails_with(run(false), "livelock"));
}
