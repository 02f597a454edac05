// Would catch: a thread slot that threads share, or that does not start null.

#include <support/catch.hpp>

#include <wsolo/sync/traits.hpp>

#include <thread>

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
