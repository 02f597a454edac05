// Would catch: a handle that reaches a session that is gone, a session destroyed under a guard, a shared
// block that is freed too early or never, a thread that waits for its own guard in silence, and one that is said to do so
// when another thread has the guard.

#include <support/catch.hpp>
#include <support/exact_bytes.hpp>
#include <support/own_process.hpp>
#include <support/sync.hpp>

#include <wsolo/sync/weak_session.hpp>

#include <optional>
#include <string>
#include <thread>
#include <utility>

using namespace std::chrono_literals;
using support::actor;
using support::step_clock;
using wsolo::errc;

namespace {

struct stepped_session {
    int sent = 0;
    bool is_alive = true;
    wsolo::basic_session_anchor<stepped_session, support::step_traits> anchor =
        std::move(wsolo::basic_session_anchor<stepped_session, support::step_traits>::make(*this).value());
};

/// A session as a server would write it: the anchor is the last member, so that it goes first.
struct session {
    int sent = 0;
    wsolo::session_anchor<session> anchor = std::move(wsolo::session_anchor<session>::make(*this).value());
};

} // namespace

TEST_CASE("a handle reaches its session until that closes", "[sync][weak_session]") {
    wsolo::basic_weak_session<stepped_session, support::step_traits> handle;
    CHECK_FALSE(handle.try_use());
    CHECK(handle.is_expired());
    {
        stepped_session target;
        handle = target.anchor.handle();
        const auto copy = handle;
        if (auto use = copy.try_use()) use->sent = 7;
        CHECK(target.sent == 7);
        CHECK_FALSE(handle.is_expired());
        CHECK(&*handle.try_use() == &target);
        auto use = handle.try_use();
        CHECK(target.anchor.close());
        CHECK_FALSE(target.anchor.close());
        CHECK(handle.is_expired());
        CHECK_FALSE(handle.try_use());
        CHECK(use->sent == 7);
        CHECK(target.anchor.wait(step_clock::now()) == errc::timed_out);
        auto moved = std::move(use);
        CHECK_FALSE(use);
        CHECK(moved->sent == 7);
        moved = {};
        CHECK(target.anchor.wait() == errc::none);
    }
    CHECK_FALSE(handle.try_use());
}

TEST_CASE("an anchor moves with its block and an empty one has expired handles", "[sync][weak_session]") {
    int target = 1;
    using anchor_type = wsolo::session_anchor<int>;
    anchor_type first = std::move(anchor_type::make(target).value());
    const auto handle = first.handle();
    anchor_type second = std::move(first);
    CHECK(first.handle().is_expired());
    CHECK_FALSE(first.close());
    CHECK(first.wait() == errc::none);
    CHECK(*handle.try_use() == 1);
    int other = 2;
    second = std::move(anchor_type::make(other).value());
    CHECK(handle.is_expired()); // its anchor was assigned over
    CHECK(*second.handle().try_use() == 2);
}

TEST_CASE("a session is not destroyed under a guard whenever its end comes", "[sync][weak_session]") {
    struct shared {
        std::unique_ptr<stepped_session> target = std::make_unique<stepped_session>();
        wsolo::basic_weak_session<stepped_session, support::step_traits> handle = target->anchor.handle();
        std::atomic<bool> is_gone{false};
        bool used_when_gone = false;
    };
    const bool use_first = GENERATE(true, false);
    const support::runs tried = support::interleave([&] {
        auto all = std::make_shared<shared>();
        const std::function<void()> use = [all] {
            if (auto guard = all->handle.try_use()) {
                support::actor::step(); // the end may come here
                all->used_when_gone = all->is_gone;
                ++guard->sent;
            }
        };
        const std::function<void()> end = [all] {
            all->target.reset();
            all->is_gone = true;
        };
        return support::scenario{use_first ? use : end, use_first ? end : use, [all] {
                                     CHECK_FALSE(all->used_when_gone);
                                     CHECK(all->is_gone);
                                 }};
    });
    CHECK(tried.stuck == 0);
}

TEST_CASE("threads use a session through handles while it comes and goes", "[sync][weak_session][stress]") {
    for (int round = 0; round < 20; ++round) {
        auto target = std::make_unique<session>();
        std::vector<std::thread> users;
        std::atomic<int> started{0};
        for (int t = 0; t < 3; ++t) {
            users.emplace_back([handle = target->anchor.handle(), &started] {
                ++started;
                while (auto use = handle.try_use()) static_cast<void>(use->anchor.handle().is_expired());
            });
        }
        while (started < 3) std::this_thread::yield();
        const auto last = target->anchor.handle();
        target.reset();
        CHECK_FALSE(last.try_use());
        for (std::thread& user : users) user.join(); // each saw the end, or it would go on
    }
}

#if defined(__linux__) && WSOLO_ENABLE_ASSERTS && !WSOLO_TEST_ASAN
namespace {

/// In a process of its own: it must not come back.
void check_told(const std::string& test) {
    const support::told told = support::run_in_own_process(test);
    CHECK(told.status != 0);
    CHECK(told.output.find("a session is destroyed by a thread that has a guard of it in use") !=
          std::string::npos);
}

} // namespace

TEST_CASE("destroys its session under its own guard", "[.under_own_guard]") {
    auto target = std::make_unique<session>();
    const auto other = target->anchor.handle();
    if (auto use = target->anchor.handle().try_use()) {
        static_cast<void>(other.try_use()->sent); // a second one, which is gone again
        target.reset();
    }
}
TEST_CASE("destroys its session under a guard that was moved", "[.under_moved_guard]") {
    auto target = std::make_unique<session>();
    std::optional<wsolo::session_guard<session>> outer;
    {
        auto first = target->anchor.handle().try_use();
        auto second = std::move(first);
        outer = std::move(second);
    }
    target.reset();
}

TEST_CASE("a thread that destroys a session under its own guard is told so", "[sync][weak_session]") {
    check_told("[.under_own_guard]");
    check_told("[.under_moved_guard]");
}
#endif

TEST_CASE("a guard in the hands of another thread is no mistake", "[sync][weak_session]") {
    for (const bool is_moved : {true, false}) {
        auto target = std::make_unique<session>();
        const auto handle = target->anchor.handle();
        std::atomic<bool> is_going{false};
        std::thread other;
        if (is_moved) {
            other = std::thread([use = handle.try_use(), &is_going] {
                while (!is_going || !use) std::this_thread::yield();
            });
        } else { // it was never moved, only where it lies was handed over
            auto* const heap = new wsolo::session_guard<session>(handle.try_use());
            other = std::thread([heap, &is_going] {
                while (!is_going) std::this_thread::yield();
                delete heap;
            });
        }
        std::thread late([&] {
            while (!handle.is_expired()) std::this_thread::yield(); // the destructor waits
            is_going = true;
        });
        target.reset();
        other.join();
        late.join();
        CHECK_FALSE(handle.try_use());
    }
}
