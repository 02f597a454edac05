// Would catch: a sleep under a test's clock that the system's clock ends, or keeps from ending; one that hangs the suite
// instead of failing.

#include <support/catch.hpp>
#include <support/manual_clock.hpp>
#include <support/own_process.hpp>

#include <wsolo/sync/parker.hpp>

#include <thread>

using namespace std::chrono_literals;
using bed = wsolo::basic_parker<manual_traits>;

TEST_CASE("under a test's clock a point of the system's clock has long passed", "[sync][parker]") {
    CHECK(manual_clock::now() > std::chrono::steady_clock::now() + 24h * 365);
    bed sleeper;
    sleeper.park_until(std::chrono::steady_clock::now() + 24h);
    sleeper.park_until(manual_clock::now());
}

TEST_CASE("under a test's clock a sleeper is released", "[sync][parker]") {
    bed sleeper;
    std::thread other([&] { sleeper.release(); });
    sleeper.park_until(manual_clock::now() + 1ns);
    sleeper.park();
    other.join();
}

#if defined(__linux__)
TEST_CASE("sleeps for ever under a test's clock", "[.sleeps_for_ever]") {
    manual_traits::condition_variable::patience = 10;
    bed().park_until(manual_clock::now() + 1ns);
}

TEST_CASE("a thread that sleeps for ever under a test's clock is told so", "[sync][parker]") {
    const support::told told = support::run_in_own_process("[.sleeps_for_ever]");
    CHECK(told.status != 0);
    CHECK(told.output.find("sleeps for ever under a test's clock") != std::string::npos);
}
#endif
