// Would catch: a second thread that goes unnoticed in checked builds, a check that hinders threads with objects of their
// own, one that costs something where it is switched off, and Traits that some type does not take.

#include <support/catch.hpp>
#include <support/own_process.hpp>

#include <wsolo/sync/inbox.hpp>
#include <wsolo/sync/one_thread_traits.hpp>
#include <wsolo/sync/sequence_barrier.hpp>
#include <wsolo/sync/weak_session.hpp>

#include <thread>

namespace {

using barrier = wsolo::basic_sequence_barrier<wsolo::one_thread_traits>;
struct hook {
    int* called;
    void operator()() const { ++*called; }
};
using inbox = wsolo::inbox<int, hook, wsolo::one_thread_traits>;

void use_all() {
    barrier numbers;
    const std::uint64_t first = numbers.issue();
    CHECK(numbers.issue_alone() == first + 1);
    numbers.complete(first);
    numbers.abandon(first + 1);
    CHECK(numbers.wait_up_to(first + 1) == wsolo::errc::none);

    int called = 0, handled = 0;
    inbox in(hook{&called});
    CHECK(in.push(1, 1).error == wsolo::errc::none);
    CHECK(in.drain([&handled](int&&) { ++handled; }).messages == 1);
    CHECK(called + handled == 2);

    wsolo::basic_rundown<wsolo::one_thread_traits> users;
    CHECK(users.try_enter());
    CHECK(users.close());
    CHECK(users.wait() == wsolo::errc::none);
}

} // namespace

TEST_CASE("one thread uses plain memory", "[sync][traits]") {
    use_all();
    std::thread(use_all).join(); // another one, with its own
#if !WSOLO_ENABLE_ASSERTS
    STATIC_REQUIRE(sizeof(barrier) == sizeof(wsolo::sequence_barrier));
    STATIC_REQUIRE(sizeof(wsolo::one_thread_traits::atomic<bool>) == 1);
#endif
}

TEST_CASE("a barrier of one thread that a second one completes", "[.second-thread]") {
    barrier numbers;
    const std::uint64_t first = numbers.issue();
    numbers.begin(first);
    std::thread([&] { numbers.complete(first); }).join();
}

#if WSOLO_ENABLE_ASSERTS && defined(__linux__)
TEST_CASE("a second thread is noticed in checked builds", "[sync][traits]") {
    const support::told told = support::run_in_own_process("[.second-thread]");
    CHECK(told.status != 0);
    CHECK(told.output.find("is used by a second thread") != std::string::npos);
}
#endif
