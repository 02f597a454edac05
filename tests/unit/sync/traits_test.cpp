// Would catch: a seam that adds state to what it names, a thread slot
// that threads share or that does not start null.

#include <support/catch.hpp>

#include <wsolo/sync/traits.hpp>

#include <thread>

TEST_CASE("the seam is the standard library itself", "[sync][traits]") {
    STATIC_REQUIRE(std::is_same_v<wsolo::std_traits::atomic<int>, std::atomic<int>>);
    STATIC_REQUIRE(std::is_same_v<wsolo::std_traits::clock, std::chrono::steady_clock>);
    for (unsigned round = 0; round < 90; ++round)
        wsolo::std_traits::relax(round); // spins, yields, sleeps, and ends
    CHECK(wsolo::std_traits::clock::now() < wsolo::no_deadline);
}

TEST_CASE("each thread has its own slot which is null at first", "[sync][traits]") {
    void*& mine = wsolo::std_traits::thread_slot();
    CHECK(&mine == &wsolo::std_traits::thread_slot());
    void* const before = mine;
    int mark = 0;
    mine = &mark;
    bool other_is_null = false;
    bool other_is_elsewhere = false;
    std::thread([&] {
        other_is_null = wsolo::std_traits::thread_slot() == nullptr;
        other_is_elsewhere = &wsolo::std_traits::thread_slot() != &mine;
    }).join();
    CHECK(other_is_null);
    CHECK(other_is_elsewhere);
    CHECK(mine == &mark);
    mine = before;
    wsolo::std_traits::pause();
}
