// Would catch: a coroutine that is resumed twice or never, one that is resumed after it was destroyed, an
// error that does not arrive.

#include <support/catch.hpp>
#include <support/sync.hpp>
#include <support/task.hpp>

#include <wsolo/sync/await.hpp>

using support::step_barrier;
using support::step_rundown;
using support::task;
using wsolo::errc;

namespace {

task wait_for(step_barrier& barrier, std::uint64_t mark, std::vector<errc>& answers) {
    answers.push_back(co_await wsolo::reached(barrier, mark));
}

task wait_for(step_rundown& rundown, std::vector<errc>& answers) {
    answers.push_back(co_await wsolo::drained(rundown));
}

} // namespace

TEST_CASE("a coroutine goes on at its mark or at close or without stopping", "[sync][await]") {
    step_barrier barrier;
    barrier.issue_many(2);
    std::vector<errc> answers;
    const task first = wait_for(barrier, 1, answers);
    const task second = wait_for(barrier, 2, answers);
    CHECK_FALSE(first.is_done());
    barrier.complete(1);
    CHECK(first.is_done());
    const task already = wait_for(barrier, 1, answers);
    CHECK(already.is_done());
    CHECK_FALSE(second.is_done());
    barrier.close(errc::pong_timeout);
    CHECK(second.is_done());
    const task late = wait_for(barrier, 2, answers);
    CHECK(late.is_done());
    CHECK(answers == std::vector<errc>{errc::none, errc::none, errc::pong_timeout, errc::pong_timeout});
}

TEST_CASE("a coroutine destroyed while it waits is not resumed", "[sync][await]") {
    step_barrier barrier;
    barrier.issue_many(1);
    std::vector<errc> answers;
    {
        task waiting = wait_for(barrier, 1, answers);
        CHECK(barrier.has_waiters());
        waiting.destroy();
        CHECK_FALSE(barrier.has_waiters());
    }
    barrier.complete(1);
    CHECK(answers.empty());
}

TEST_CASE("a coroutine waits for a drain", "[sync][await]") {
    step_rundown rundown;
    std::vector<errc> answers;
    auto inside = rundown.try_enter();
    const task waiting = wait_for(rundown, answers);
    rundown.close();
    CHECK_FALSE(waiting.is_done());
    inside.leave();
    CHECK(waiting.is_done());
    const task late = wait_for(rundown, answers);
    CHECK(late.is_done());
    CHECK(answers == std::vector<errc>{errc::none, errc::none});
}

TEST_CASE("a coroutine is resumed once whenever its mark is completed", "[sync][await]") {
    struct shared {
        step_barrier barrier;
        std::uint64_t mark = barrier.issue();
        std::vector<errc> answers;
        std::vector<task> tasks;
    };
    const bool wait_first = GENERATE(true, false);
    const support::runs tried = support::interleave([&] {
        auto all = std::make_shared<shared>();
        const std::function<void()> wait = [all] {
            all->tasks.push_back(wait_for(all->barrier, all->mark, all->answers));
        };
        const std::function<void()> complete = [all] { all->barrier.complete(all->mark); };
        return support::scenario{wait_first ? wait : complete, wait_first ? complete : wait, [all] {
                                     CHECK(all->answers == std::vector<errc>{errc::none});
                                     CHECK(all->tasks.front().is_done());
                                 }};
    });
    CHECK(tried.stuck == 0);
}
