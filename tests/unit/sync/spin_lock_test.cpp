// Would catch: two holders at once, a lock that a guard does not give back, a lock that grew.

#include <support/catch.hpp>

#include <wsolo/sync/spin_lock.hpp>

#include <thread>
#include <vector>

TEST_CASE("one holder at a time", "[sync][spin_lock]") {
    STATIC_REQUIRE(sizeof(wsolo::spin_lock) == 1);
    wsolo::spin_lock lock;
    long counter = 0; // a plain variable: a data race shows under ThreadSanitizer, a lost update in the sum
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t) {
        threads.emplace_back([&] {
            for (int i = 0; i < 20'000; ++i) {
                const wsolo::scoped_hold hold(lock);
                ++counter;
            }
        });
    }
    for (std::thread& thread : threads) thread.join();
    CHECK(counter == 80'000);
}
