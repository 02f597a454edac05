// Would catch: a clock that runs by itself, goes back, or is shared by threads; a wait on it that sleeps.

#include <support/catch.hpp>

#include <wsolo/sync/sequence_barrier.hpp>
#include <wsolo/testing/virtual_clock.hpp>

#include <thread>

using namespace std::chrono_literals;
using wsolo::testing::virtual_clock;

TEST_CASE("the clock stands until it is moved, and never goes back", "[testing][virtual_clock]") {
    const wsolo::time_point start = virtual_clock::now();
    CHECK(start > std::chrono::steady_clock::now() + std::chrono::hours(24 * 365 * 40));
    CHECK(virtual_clock::now() == start);
    virtual_clock::advance(3s);
    CHECK(virtual_clock::now() == start + 3s);
    virtual_clock::move_to(start);
    CHECK(virtual_clock::now() == start + 3s);
    virtual_clock::move_to(start + 4s);
    CHECK(virtual_clock::now() == start + 4s);
}

TEST_CASE("each thread has a clock of its own", "[testing][virtual_clock]") {
    virtual_clock::advance(1h);
    const wsolo::time_point here = virtual_clock::now();
    std::thread([&] {
        CHECK(virtual_clock::now() < here);
        virtual_clock::advance(24h);
    }).join();
    CHECK(virtual_clock::now() == here);
}

TEST_CASE("a wait with a deadline moves the clock there", "[testing][virtual_clock]") {
    wsolo::basic_sequence_barrier<wsolo::testing::virtual_traits> barrier;
    const auto ticket = barrier.issue_ticket();
    const wsolo::time_point start = virtual_clock::now();
    CHECK(barrier.wait_up_to(barrier.snapshot(), start + 1h) == wsolo::errc::timed_out);
    CHECK(virtual_clock::now() == start + 1h);
}
