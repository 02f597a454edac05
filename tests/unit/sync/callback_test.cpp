// Would catch: a callback called twice, never, or after its object is gone; one that runs under the lock; a
// destructor that hangs inside its own callback or returns while another thread still runs it.

#include <support/catch.hpp>
#include <support/sync.hpp>

#include <wsolo/sync/callback.hpp>

#include <optional>
#include <thread>

using support::step_barrier;
using support::step_rundown;
using wsolo::errc;

TEST_CASE("a callback runs once: at its mark or at close or at once", "[sync][callback]") {
    step_barrier barrier;
    barrier.issue_many(2);
    std::vector<errc> calls;
    const auto record = [&calls](errc error) noexcept { calls.push_back(error); };
    {
        const auto first = wsolo::on_reached(barrier, 1, record);
        CHECK_FALSE(first.has_run());
        barrier.complete(1);
        CHECK(first.has_run());
        const auto already = wsolo::on_reached(barrier, 1, record);
        CHECK(already.has_run());
        { const auto withdrawn = wsolo::on_reached(barrier, 2, record); }
        const auto second = wsolo::on_reached(barrier, 2, record);
        barrier.close(errc::connection_lost);
        CHECK(second.has_run());
    }
    CHECK(calls == std::vector<errc>{errc::none, errc::none, errc::connection_lost});
    CHECK_FALSE(barrier.has_waiters());
}

TEST_CASE("a callback may use the barrier and destroy other callbacks and itself", "[sync][callback]") {
    step_barrier barrier;
    barrier.issue_many(2);
    int calls = 0;
    const std::function<void(errc)> count = [&](errc) { ++calls; };
    using watch = wsolo::basic_callback<step_barrier, std::function<void(errc)>>;
    std::optional<watch> victim, self, inner;
    self.emplace(barrier, std::uint64_t{1}, [&](errc) {
        ++calls;
        CHECK(barrier.wait_up_to(1) == errc::none); // no lock is held
        victim.reset();
        inner.emplace(barrier, std::uint64_t{2}, count);
        self.reset();
    });
    victim.emplace(barrier, std::uint64_t{1}, count);
    barrier.complete(1);
    CHECK(calls == 1);
    CHECK_FALSE(self.has_value());
    barrier.complete(2);
    CHECK(calls == 2);
    CHECK(inner->has_run());
}

TEST_CASE("a callback may go inside its own call when its source is gone already", "[sync][callback]") {
    using watch = wsolo::basic_callback<step_rundown, std::function<void(errc)>>;
    support::destructible<step_rundown> rundown;
    std::optional<watch> own;
    int calls = 0;
    own.emplace(*rundown, std::uint64_t{0}, [&](errc) {
        ++calls;
        rundown.destroy(); // drained, so it may go
        own.reset();       // must not ask it
    });
    rundown->close();
    CHECK(calls == 1);
    CHECK_FALSE(own.has_value());
}

TEST_CASE("a drain's callback may destroy the others and the rundown", "[sync][callback]") {
    using watch = wsolo::basic_callback<step_rundown, std::function<void(errc)>>;
    support::destructible<step_rundown> rundown;
    std::optional<watch> first, second;
    int calls = 0;
    first.emplace(*rundown, std::uint64_t{0}, [&](errc error) {
        ++calls;
        CHECK(error == errc::none);
        second.reset();
        CHECK(rundown->wait() == errc::none);
        rundown.destroy();
    });
    second.emplace(*rundown, std::uint64_t{0}, [&](errc) { ++calls; });
    auto inside = rundown->try_enter();
    rundown->close();
    CHECK(calls == 0);
    inside.leave();
    CHECK(calls == 1);
    first.reset();
    CHECK(support::take_dead_touches() == 0);
}

TEST_CASE("on_drained runs at the last leave or at close or at once", "[sync][callback]") {
    int calls = 0;
    const auto count = [&calls](errc) noexcept { ++calls; };
    step_rundown empty;
    const auto at_close = wsolo::on_drained(empty, count);
    CHECK(calls == 0);
    empty.close();
    CHECK(calls == 1);
    const auto at_once = wsolo::on_drained(empty, count);
    CHECK(calls == 2);

    step_rundown used;
    { const auto withdrawn = wsolo::on_drained(used, count); }
    auto inside = used.try_enter();
    const auto at_leave = wsolo::on_drained(used, count);
    used.close();
    CHECK(calls == 2);
    inside.leave();
    CHECK(calls == 3);
}

TEST_CASE("a callback's end meets its call: it ran whole or not at all", "[sync][callback]") {
    struct shared {
        step_barrier barrier;
        std::uint64_t mark = barrier.issue();
        int entered = 0;
        int left = 0;
        bool was_inside_at_end = false;
        struct body {
            shared* all;
            void operator()(errc) const noexcept {
                ++all->entered;
                support::actor::step(); // the destructor may come here
                ++all->left;
            }
        };
        std::optional<wsolo::basic_callback<step_barrier, body>> watch;
        shared() { watch.emplace(barrier, mark, body{this}); }
    };
    const bool complete_first = GENERATE(true, false);
    const support::runs tried = support::interleave([&] {
        auto all = std::make_shared<shared>();
        const std::function<void()> complete = [all] { all->barrier.complete(all->mark); };
        const std::function<void()> end = [all] {
            all->watch.reset();
            all->was_inside_at_end = all->entered != all->left;
        };
        return support::scenario{complete_first ? complete : end, complete_first ? end : complete, [all] {
                                     CHECK_FALSE(all->was_inside_at_end);
                                     CHECK(all->entered == all->left);
                                     CHECK(all->entered <= 1);
                                     CHECK_FALSE(all->barrier.has_waiters());
                                 }};
    });
    CHECK(tried.count >= 6);
    CHECK(tried.stuck == 0);
}

TEST_CASE("callbacks come and go while another thread completes", "[sync][callback][stress]") {
    wsolo::sequence_barrier barrier;
    constexpr std::uint64_t total = 3000;
    for (std::uint64_t n = 1; n <= total; ++n) static_cast<void>(barrier.issue());
    std::thread drainer([&] {
        for (std::uint64_t n = 1; n <= total; ++n) {
            barrier.complete(n);
            std::this_thread::yield(); // so that registrations fall between completions
        }
    });
    int calls = 0; // plain: only a call that has_run() saw, or that the destructor waited for, is read
    for (std::uint64_t n = 1; n <= total; n += 3) {
        int mine = 0;
        {
            const auto watch = wsolo::on_reached(barrier, n, [&mine](errc) noexcept { ++mine; });
        }
        calls += mine;
        if (mine > 1) FAIL("called twice");
    }
    drainer.join();
    CHECK(calls <= static_cast<int>(total));
}
