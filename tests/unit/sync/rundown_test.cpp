// Would catch: an entry that counts although it was refused, a wait that returns with a user inside or
// never, a leaver that touches what its waiter has destroyed, a timed-out waiter that stays behind.

#include <support/catch.hpp>
#include <support/sync.hpp>

#include <wsolo/sync/rundown.hpp>
#include <wsolo/sync/stop_token.hpp>

#include <thread>
#include <type_traits>

using namespace std::chrono_literals;
using support::actor;
using support::destructible;
using support::recorded;
using support::step_clock;
using support::step_rundown;
using wsolo::errc;

static_assert(!std::is_copy_constructible_v<step_rundown::guard>);
static_assert(std::is_nothrow_move_constructible_v<step_rundown::guard>);

TEST_CASE("a guard is inside until it goes; no guard enters after close", "[sync][rundown]") {
    step_rundown work;
    auto first = work.try_enter();
    auto second = work.try_enter();
    CHECK(first);
    CHECK(work.users() == 2);
    auto moved = std::move(first);
    CHECK_FALSE(first);
    CHECK(work.users() == 2);
    second = std::move(moved); // what second held leaves
    CHECK(work.users() == 1);
    CHECK(work.close());
    CHECK_FALSE(work.close());
    CHECK(work.is_closed());
    CHECK_FALSE(work.try_enter());
    CHECK(work.users() == 1);
    CHECK_FALSE(work.is_drained());
    CHECK(work.wait(step_clock::now()) == errc::timed_out);
    second.leave();
    second.leave();
    CHECK(work.is_drained());
    CHECK(work.wait() == errc::none);
}

TEST_CASE("wait means closed and empty", "[sync][rundown]") {
    step_rundown open;
    CHECK(open.wait(step_clock::now()) == errc::timed_out); // empty but open
    { const auto inside = open.try_enter(); }
    CHECK(open.wait(step_clock::now()) == errc::timed_out);
    errc answer = errc::closed;
    actor waiter([&] { answer = open.wait(step_clock::in(1h)); });
    waiter.run();
    CHECK(waiter.is_asleep());
    open.close();
    waiter.join();
    CHECK(answer == errc::none);
}

#if defined(__cpp_lib_jthread)
TEST_CASE("a stop token ends a wait; drained beats cancelled", "[sync][rundown]") {
    step_rundown work;
    auto inside = work.try_enter();
    work.close();
    std::stop_source source;
    errc answer = errc::none;
    actor waiter([&] { answer = work.wait(step_clock::in(1h), source.get_token()); });
    waiter.run();
    CHECK(waiter.is_asleep());
    source.request_stop();
    waiter.join();
    CHECK(answer == errc::cancelled);
    inside.leave();
    CHECK(work.wait(step_rundown::no_deadline, source.get_token()) == errc::none);
}
#endif

TEST_CASE("a refused entry is not counted even for a moment", "[sync][rundown]") {
    struct shared {
        destructible<step_rundown> work;
        bool is_inside = false;
        errc answer = errc::closed;
        step_clock::time_point deadline = step_clock::in(1h);
    };
    const bool entry_first = GENERATE(true, false);
    const support::runs tried = support::interleave([&] {
        auto all = std::make_shared<shared>();
        const std::function<void()> enter = [all] { all->is_inside = all->work->enter(); };
        const std::function<void()> close = [all] {
            all->work->close();
            if (all->work->users() == 0) all->answer = all->work->wait(all->deadline);
        };
        return support::scenario{entry_first ? enter : close, entry_first ? close : enter, [all] {
                                     // No user inside at close means no user inside ever after.
                                     CHECK((all->answer == errc::none) == !all->is_inside);
                                     CHECK(all->work->users() == (all->is_inside ? 1 : 0));
                                     if (all->is_inside) all->work->leave();
                                 }};
    });
    CHECK(tried.stuck == 0);
}

TEST_CASE("a refused entry does not hide that the last one leaves", "[sync][rundown]") {
    struct shared {
        step_rundown work;
        recorded drained{0};
        bool is_inside = true;
        shared() {
            static_cast<void>(work.enter() && work.add(drained));
            work.close();
        }
    };
    const bool entry_first = GENERATE(true, false);
    const support::runs tried = support::interleave([&] {
        auto all = std::make_shared<shared>();
        const std::function<void()> enter = [all] { all->is_inside = all->work.enter(); };
        const std::function<void()> leave = [all] { all->work.leave(); };
        return support::scenario{entry_first ? enter : leave, entry_first ? leave : enter, [all] {
                                     CHECK_FALSE(all->is_inside);
                                     CHECK(all->work.is_drained());
                                     CHECK(all->drained.fired == 1);
                                 }};
    });
    CHECK(tried.stuck == 0);
}

TEST_CASE("the waiter may destroy it as soon as wait returns", "[sync][rundown]") {
    struct shared {
        destructible<step_rundown> work;
        errc answer = errc::closed;
        step_clock::time_point deadline = step_clock::in(1h);
        shared() { static_cast<void>(work->enter() && work->enter()); }
    };
    const bool leaver_first = GENERATE(true, false);
    const bool in_time = GENERATE(true, false); // or the wait is about to time out while the last one leaves
    static_cast<void>(support::take_dead_touches());
    const support::runs tried = support::interleave([&] {
        auto all = std::make_shared<shared>();
        all->work->close();
        if (!in_time) all->deadline = step_clock::now();
        const std::function<void()> leave = [all] {
            all->work->leave();
            all->work->leave();
        };
        const std::function<void()> wait = [all] {
            all->answer = all->work->wait(all->deadline);
            // Who was told timed_out owns it still, and tries again.
            if (all->answer != errc::none) all->answer = all->work->wait(step_clock::in(1h));
            if (all->answer == errc::none) all->work.destroy();
        };
        return support::scenario{leaver_first ? leave : wait, leaver_first ? wait : leave, [all] {
                                     CHECK(all->answer == errc::none);
                                     CHECK(support::take_dead_touches() == 0);
                                 }};
    });
    CHECK(tried.count >= 4);
    CHECK(tried.stuck == 0);
}

TEST_CASE("close and the last leave race: the wait ends once both are done", "[sync][rundown]") {
    struct shared {
        destructible<step_rundown> work;
        recorded drained{0};
        shared() { static_cast<void>(work->enter() && work->add(drained)); }
    };
    const bool leaver_first = GENERATE(true, false);
    const support::runs tried = support::interleave([&] {
        auto all = std::make_shared<shared>();
        const std::function<void()> leave = [all] { all->work->leave(); };
        const std::function<void()> close = [all] { all->work->close(); };
        return support::scenario{leaver_first ? leave : close, leaver_first ? close : leave, [all] {
                                     CHECK(all->drained.fired == 1);
                                     CHECK(all->work->is_drained());
                                 }};
    });
    CHECK(tried.stuck == 0);
}

TEST_CASE("a waiter that leaves does not take the others' wake-up along", "[sync][rundown]") {
    step_rundown work;
    static_cast<void>(work.enter());
    work.close();
    recorded stays(0), goes(0);
    REQUIRE(work.add(stays));
    REQUIRE(work.add(goes));
    CHECK(work.remove(goes));
    work.leave();
    CHECK(stays.fired == 1);
    CHECK(goes.fired == 0);
    CHECK_FALSE(work.add(goes)); // drained: nothing to wait for
}

TEST_CASE("leave is one RMW for all but a last leaver with a waiter", "[sync][rundown]") {
    step_rundown work;
    CHECK(support::steps_of([&] { static_cast<void>(work.enter() && work.enter()); }) == 4);
    CHECK(support::steps_of([&] { work.leave(); }) == 1);
    work.close();
    CHECK(support::steps_of([&] { work.leave(); }) == 1);
}

TEST_CASE("S3: what was published can always be waited for", "[sync][rundown][stress]") {
    for (int round = 0; round < 200; ++round) {
        struct stream {
            wsolo::rundown work;
            int written = 0; // plain: the wait must order it
        };
        auto shared = std::make_unique<stream>();
        std::atomic<stream*> published{nullptr};
        std::thread worker([&] {
            auto inside = shared->work.try_enter(); // registered first,
            published.store(shared.get());          // then seen by others
            if (!inside) return;
            ++shared->written;
        });
        while (published.load() == nullptr) std::this_thread::yield();
        shared->work.close();
        CHECK(shared->work.wait(std::chrono::steady_clock::now() + 60s) == errc::none);
        CHECK(shared->written == 1);
        shared->work
            .~basic_rundown(); // as early as it can go: the worker may still be on its way out of leave()
        ::new (&shared->work) wsolo::rundown();
        worker.join();
    }
}

TEST_CASE("many enter and leave while it closes", "[sync][rundown][stress]") {
    for (int round = 0; round < 10; ++round) {
        auto work = std::make_unique<wsolo::rundown>();
        std::atomic<int> users{0};
        std::atomic<bool> is_destroyed{false};
        std::atomic<int> wrong{0};
        std::atomic<int> started{0};
        std::vector<std::thread> threads;
        for (int t = 0; t < 4; ++t) {
            // One guard stays inside until the thread is done with the object.
            threads.emplace_back([&, mine = work->try_enter()]() mutable {
                ++started;
                for (;;) {
                    auto inside = work->try_enter();
                    if (!inside) break;
                    ++users;
                    if (is_destroyed) ++wrong;
                    --users;
                }
                mine.leave();
            });
        }
        while (started < 4) std::this_thread::yield();
        work->close();
        if (work->wait(std::chrono::steady_clock::now() + 60s) != errc::none) ++wrong;
        if (users != 0) ++wrong;
        is_destroyed = true;
        work.reset();
        for (std::thread& thread : threads) thread.join();
        CHECK(wrong == 0);
    }
}
