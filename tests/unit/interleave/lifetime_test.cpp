// The checker's view of objects' lives: use after the end, an end that nothing orders after a use, a use
// that nothing orders after the beginning. And what ends an execution early: assertions, exceptions. Would
// catch: a touch after release that goes unseen because the memory happens to be there still.

#include <support/catch.hpp>
#include <support/interleave/explore.hpp>
#include <support/interleave/traits.hpp>
#include <support/interleave/var.hpp>
#include <support/interleave/verdict.hpp>

#include <mutex>
#include <new>
#include <optional>
#include <stdexcept>

using namespace interleave;

namespace {

constexpr auto rlx = std::memory_order_relaxed;
constexpr auto acq = std::memory_order_acquire;
constexpr auto rel = std::memory_order_release;
constexpr auto acq_rel = std::memory_order_acq_rel;

// Storage that outlives its object, so that only the model can tell.
template <class T>
using plot = std::optional<T>;

struct shared {
    interleave::atomic<int> references{2};
    interleave::atomic<int> state{0};
};

// Two owners, the last one destroys.
result two_owners(std::memory_order order, bool touch_behind) {
    return explore({}, [=](scenario& stage) {
        auto& object = stage.make<plot<shared>>("object", std::in_place);
        for (int i = 0; i < 2; ++i)
            stage.thread(i == 0 ? "one" : "two", [&object, order, touch_behind] {
                object->state.fetch_add(1, rlx);
                if (object->references.fetch_sub(1, order) == 1) return object.reset();
                if (touch_behind) object->state.load(rlx);
            });
    });
}

} // namespace

TEST_CASE("the last owner destroys", "[life]") { CHECK(passes(two_owners(acq_rel, false))); }

TEST_CASE("a touch after the release is found", "[life]") {
    const result done = two_owners(acq_rel, true);
    CHECK(fails_with(done, "object"));
    CHECK((done.failure.find("after its end") != std::string::npos ||
           done.failure.find("nothing orders that use before the end") != std::string::npos));
}

TEST_CASE("a release that orders nothing is found, though no schedule shows it", "[life]") {
    CHECK(fails_with(two_owners(rlx, false), "nothing orders that use before the end"));
    CHECK(fails_with(two_owners(rel, false), "nothing orders that use before the end"));
    CHECK(fails_with(two_owners(acq, false), "nothing orders that use before the end"));
}

TEST_CASE("an object is used after its construction", "[life]") {
    const auto run = [](std::memory_order write, std::memory_order read) {
        return explore({}, [=](scenario& stage) {
            auto& home = stage.make<plot<shared>>("object");
            auto& published = stage.make<interleave::atomic<shared*>>("published", nullptr);
            stage.thread("maker", [&home, &published, write] {
                home.emplace();
                published.store(&*home, write);
            });
            stage.thread("user", [&published, read] {
                if (shared* const object = published.load(read)) object->state.store(1, rlx);
            });
        });
    };
    CHECK(passes(run(rel, acq)));
    CHECK(fails_with(run(rlx, acq), "nothing orders its construction"));
    CHECK(fails_with(run(rel, rlx), "nothing orders its construction"));
}

TEST_CASE("plain data that nothing orders is a race in any schedule", "[life]") {
    const auto run = [](std::memory_order write, std::memory_order read) {
        return explore({.preemptions = 0}, [=](scenario& stage) {
            struct room {
                var<std::string> text;
                interleave::atomic<bool> ready{false};
            };
            auto& m = stage.make<room>("room");
            stage.thread("writer", [&m, write] {
                m.text = std::string("written");
                m.ready.store(true, write);
            });
            stage.thread("reader", [&m, read] {
                if (m.ready.load(read)) check(m.text.get() == "written", "half a string");
            });
        });
    };
    CHECK(passes(run(rel, acq)));
    CHECK(fails_with(run(rlx, acq), "data race on room"));
    CHECK(fails_with(run(rel, rlx), "data race on room"));
}

TEST_CASE("a lock may go as soon as it is free, and not before", "[life]") {
    const auto run = [](bool wait_for_it) {
        return explore({}, [=](scenario& stage) {
            auto& guard = stage.make<plot<interleave::mutex>>("guard", std::in_place);
            auto& taken = stage.make<interleave::atomic<bool>>("taken", false);
            stage.thread("holder", [&] {
                guard->lock();
                taken.store(true, rel);
                guard->unlock();
            });
            stage.thread("ender", [&guard, &taken, wait_for_it] {
                while (!taken.load(acq)) traits::pause();
                if (wait_for_it) std::lock_guard{*guard};
                guard.reset();
            });
        });
    };
    CHECK(passes(run(true)));
    CHECK(fails_with(run(false), "guard"));
}

TEST_CASE("a condition variable on the waiter's stack is notified under the lock or not at all", "[life]") {
    const auto run = [](bool under_lock) {
        return explore({}, [=](scenario& stage) {
            struct room {
                interleave::mutex guard;
                plot<interleave::condition_variable> ended{std::in_place};
                bool done = false;
            };
            auto& m = stage.make<room>("room");
            stage.thread("waiter", [&m] {
                {
                    std::unique_lock held(m.guard);
                    while (!m.done) m.ended->wait(held);
                }
                m.ended.reset();
            });
            stage.thread("notifier", [&m, under_lock] {
                std::unique_lock held(m.guard);
                m.done = true;
                if (!under_lock) held.unlock();
                m.ended->notify_one();
            });
        });
    };
    CHECK(passes(run(true)));
    CHECK(fails_with(run(false), "room"));
}

TEST_CASE("a condition variable with a sleeper on it can't go", "[life]") {
    const result done = explore({.spurious_wakes = 0}, [](scenario& stage) {
        auto& guard = stage.make<interleave::mutex>("guard");
        auto& ended = stage.make<plot<interleave::condition_variable>>("ended", std::in_place);
        stage.thread("waiter", [&] {
            std::unique_lock held(guard);
            if (ended) ended->wait(held);
        });
        stage.thread("ender", [&] {
            const std::unique_lock held(guard);
            ended.reset();
        });
    });
    CHECK(fails_with(done, "ended is destroyed while waiter waits on it"));
}

TEST_CASE("an assertion of the code under test is a failure with a trace", "[ends]") {
    const result done = explore({}, [](scenario& stage) {
        auto& flag = stage.make<interleave::atomic<bool>>("flag", false);
        stage.thread("setter", [&] { flag = true; });
        stage.thread("asserter", [&] {
            if (flag) std::abort();
        });
    });
    CHECK(fails_with(done, "asserter called abort()"));
    CHECK(done.trace.find("asserter       load flag = 1 seq_cst") != std::string::npos);
}

TEST_CASE("an exception that leaves its thread is a failure", "[ends]") {
    const result done = explore({}, [](scenario& stage) {
        stage.thread("thrower", [] { throw std::runtime_error("out of luck"); });
    });
    CHECK(fails_with(done, "thrower lets an exception out: out of luck"));
}

TEST_CASE("threads take turns inside handlers and destructors during unwinding", "[ends]") {
    struct on_exit {
        interleave::atomic<int>& turns;
        int& uncaught;
        ~on_exit() {
            turns.fetch_add(1);
            uncaught = std::uncaught_exceptions();
            turns.fetch_add(1);
        }
    };
    const result done = explore({}, [](scenario& stage) {
        auto& turns = stage.make<interleave::atomic<int>>("turns", 0);
        for (int i = 0; i < 2; ++i)
            stage.thread(i == 0 ? "one" : "two", [&turns, i] {
                int uncaught = -1;
                try {
                    const on_exit guard{turns, uncaught};
                    throw i;
                } catch (int mine) {
                    turns.fetch_add(1);
                    check(mine == i, "another thread's exception");
                }
                check(uncaught == 1 && std::uncaught_exceptions() == 0, "another thread's unwinding");
            });
        stage.finally([&] { check(turns == 6, "a turn was lost"); });
    });
    CHECK(passes(done));
}
