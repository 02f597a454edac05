// The checker's locks, condition variables and time: each right program passes exhaustively, and
// its wrong twin fails with the sentence that names the mistake. Would catch: a schedule that the search
// leaves out, a deadlock taken for patience, an invented wake-up or timeout.

#include <support/catch.hpp>
#include <support/interleave/explore.hpp>
#include <support/interleave/stop.hpp>
#include <support/interleave/traits.hpp>
#include <support/interleave/var.hpp>
#include <support/interleave/verdict.hpp>

#include <set>

using namespace interleave;
using namespace std::chrono_literals;

namespace {

constexpr auto rlx = std::memory_order_relaxed;

// A box that one thread fills and another waits for.
struct mailbox {
    interleave::mutex guard;
    interleave::condition_variable filled;
    interleave::atomic<int> letters{0};
};
using held_lock = std::unique_lock<interleave::mutex>;

result one_letter(const std::function<void(mailbox&)>& post, const std::function<void(mailbox&)>& fetch,
                  config bounds = {}) {
    return explore(bounds, [&](scenario& stage) {
        auto& box = stage.make<mailbox>("box");
        stage.thread("poster", [&] { post(box); });
        stage.thread("fetcher", [&] { fetch(box); });
    });
}

void post_under_lock(mailbox& box) {
    const held_lock held(box.guard);
    box.letters.store(1, rlx);
    box.filled.notify_one();
}

void fetch_in_a_loop(mailbox& box) {
    held_lock held(box.guard);
    while (box.letters.load(rlx) == 0) box.filled.wait(held);
}

} // namespace

TEST_CASE("a lock excludes and publishes", "[lock]") {
    const result done = explore({}, [](scenario& stage) {
        struct room {
            interleave::mutex guard;
            var<int> count{0};
        };
        auto& m = stage.make<room>("room");
        for (int i = 0; i < 3; ++i)
            stage.thread("thread", [&m, i] {
                if (i == 2 && !m.guard.try_lock()) return;
                if (i != 2) m.guard.lock();
                m.count = m.count.get() + 1;
                m.guard.unlock();
            });
        stage.finally([&m] { check(m.count == 2 || m.count == 3, "an addition was lost"); });
    });
    CHECK(passes(done));
}

TEST_CASE("two locks in two orders are a deadlock", "[lock]") {
    const auto run = [](bool same_order) {
        return explore({}, [=](scenario& stage) {
            struct room {
                interleave::mutex first, second;
            };
            auto& m = stage.make<room>("room");
            stage.thread("one", [&m] {
                const std::lock_guard outer(m.first);
                const std::lock_guard inner(m.second);
            });
            stage.thread("two", [&m, same_order] {
                const std::lock_guard outer(same_order ? m.first : m.second);
                const std::lock_guard inner(same_order ? m.second : m.first);
            });
        });
    };
    CHECK(passes(run(true)));
    CHECK(fails_with(run(false), "deadlock: one wants room+1; two wants room."));
}

TEST_CASE("misuse of a lock is named", "[lock]") {
    const auto run = [](void (*misuse)(interleave::mutex&)) {
        return explore({}, [=](scenario& stage) {
            auto& guard = stage.make<interleave::mutex>("guard");
            stage.thread("one", [&guard, misuse] { misuse(guard); });
        });
    };
    CHECK(fails_with(run([](interleave::mutex& guard) { guard.unlock(); }), "without holding it"));
    CHECK(fails_with(run([](interleave::mutex& guard) {
                         guard.lock();
                         guard.lock();
                     }),
                     "again while it holds it"));
}

TEST_CASE("a wait under the lock that guards its condition loses no wake-up", "[wait]") {
    CHECK(passes(one_letter(post_under_lock, fetch_in_a_loop)));
    const auto notify_behind = [](mailbox& box) {
        {
            const held_lock held(box.guard);
            box.letters.store(1, rlx);
        }
        box.filled.notify_one();
    };
    CHECK(passes(one_letter(notify_behind, fetch_in_a_loop)));
}

TEST_CASE("lost wake-ups are found", "[wait]") {
    const auto post_without_lock = [](mailbox& box) {
        box.letters.store(1);
        box.filled.notify_one();
    };
    CHECK(fails_with(one_letter(post_without_lock, fetch_in_a_loop), "deadlock: fetcher waits on box"));
    const auto look_then_wait = [](mailbox& box) {
        if (box.letters.load() != 0) return;
        held_lock held(box.guard);
        box.filled.wait(held);
    };
    CHECK(fails_with(one_letter(post_under_lock, look_then_wait), "deadlock: fetcher waits on box"));
    // A deadline that never comes hides nothing.
    const auto wait_for_ever = [](mailbox& box) {
        held_lock held(box.guard);
        while (box.letters.load() == 0) box.filled.wait_until(held, interleave::clock::time_point::max());
    };
    CHECK(passes(one_letter(post_under_lock, wait_for_ever)));
    CHECK(fails_with(one_letter(post_without_lock, wait_for_ever), "deadlock"));
}

TEST_CASE("a wait may wake for no reason", "[wait]") {
    const auto fetch_once = [](mailbox& box) {
        held_lock held(box.guard);
        if (box.letters.load(rlx) == 0) box.filled.wait(held);
        check(box.letters.load(rlx) == 1, "woken without a letter");
    };
    CHECK(fails_with(one_letter(post_under_lock, fetch_once), "woken without a letter"));
    CHECK(passes(one_letter(post_under_lock, fetch_once, {.spurious_wakes = 0})));
    // ... but no thread can count on it: only the notification is missing here.
    const auto post_silently = [](mailbox& box) {
        const held_lock held(box.guard);
        box.letters.store(1, rlx);
    };
    CHECK(fails_with(one_letter(post_silently, fetch_in_a_loop), "deadlock"));
}

TEST_CASE("notify_one may wake the one who can't use it", "[wait]") {
    const auto run = [](bool all) {
        return explore({}, [=](scenario& stage) {
            auto& box = stage.make<mailbox>("box");
            for (const int wanted : {1, 2})
                stage.thread(wanted == 1 ? "first" : "second", [&box, wanted] {
                    held_lock held(box.guard);
                    while (box.letters.load(rlx) < wanted) box.filled.wait(held);
                });
            stage.thread("poster", [&box, all] {
                for (int i = 0; i < 2; ++i) {
                    const held_lock held(box.guard);
                    box.letters.fetch_add(1, rlx);
                    if (all)
                        box.filled.notify_all();
                    else
                        box.filled.notify_one();
                }
            });
        });
    };
    CHECK(passes(run(true)));
    CHECK(fails_with(run(false), "deadlock"));
}

TEST_CASE("a timed wait ends by time or by notice, at any step", "[time]") {
    std::set<std::pair<bool, int>> seen; // by time?, letters
    const auto fetch = [&](mailbox& box) {
        held_lock held(box.guard);
        const auto deadline = interleave::clock::now() + 5s;
        const bool by_time = box.filled.wait_until(held, deadline) == std::cv_status::timeout;
        check(!by_time || interleave::clock::now() >= deadline, "timed out before the deadline");
        seen.insert({by_time, box.letters.load(rlx)});
    };
    CHECK(passes(one_letter(post_under_lock, fetch)));
    // {false, 0} woke spuriously; {true, 1} timed out while the letter came.
    CHECK(seen == std::set<std::pair<bool, int>>{{false, 0}, {false, 1}, {true, 0}, {true, 1}});
}

TEST_CASE("without a budget a timed wait ends by time only when nothing else can go on", "[time]") {
    const config bounds{.spurious_wakes = 0, .timeouts = 0, .clock_steps = 0};
    const auto fetch = [](mailbox& box) {
        held_lock held(box.guard);
        while (box.letters.load(rlx) == 0)
            check(box.filled.wait_until(held, interleave::clock::now() + 5s) == std::cv_status::no_timeout,
                  "late");
    };
    CHECK(passes(one_letter(post_under_lock, fetch, bounds)));
    CHECK(fails_with(one_letter([](mailbox&) {}, fetch, bounds), "late"));
}

TEST_CASE("time passes between two looks at the clock, or does not", "[time]") {
    std::set<bool> passed;
    const result done = explore({}, [&](scenario& stage) {
        stage.thread("one", [&] {
            const auto first = interleave::clock::now();
            passed.insert(interleave::clock::now() > first);
        });
    });
    CHECK(passes(done));
    CHECK(passed.size() == 2);
    // A loop that only time can end does end.
    const result spun = explore({.clock_steps = 0}, [&](scenario& stage) {
        stage.thread("one", [&] {
            const auto deadline = interleave::clock::now() + 1s;
            while (interleave::clock::now() < deadline) traits::pause();
        });
    });
    CHECK(passes(spun));
}

TEST_CASE("a stop callback runs once, and never after its destructor", "[stop]") {
    std::set<int> calls;
    const result done = explore({}, [&](scenario& stage) {
        struct room {
            stop_source source;
            var<int> called{0};
        };
        auto& m = stage.make<room>("room");
        stage.thread("stopper", [&m] { m.source.request_stop(); });
        stage.thread("worker", [&m, &calls] {
            const stop_token token = m.source.get_token();
            {
                const auto call = [&m] { m.called = m.called.get() + 1; };
                const stop_token::callback_type<decltype(call)> hook(token, call);
            }
            calls.insert(m.called.get());
        });
    });
    CHECK(passes(done));
    CHECK(calls == std::set<int>{0, 1});
}
