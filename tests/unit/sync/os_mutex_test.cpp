// Would catch: a lock that two threads hold, a notification that is lost, a deadline that is never met, met at once or
// counted by the wall clock, one too far away to be counted that ends a wait, a lock not held when a wait returns.

#include <support/catch.hpp>

#include <wsolo/sync/os_mutex.hpp>

#include <mutex>
#include <thread>

using namespace std::chrono_literals;
using lock = wsolo::held_mutex<wsolo::os_mutex>;

namespace {

bool is_free(wsolo::os_mutex& of) {
    bool taken = false;
    std::thread([&] {
        taken = of.try_lock();
        if (taken) of.unlock();
    }).join();
    return taken;
}

} // namespace

TEST_CASE("one thread at a time holds an os_mutex", "[sync][os_mutex]") {
    wsolo::os_mutex guard;
    int shared = 0;
    const auto count = [&] {
        for (int i = 0; i < 20'000; ++i) {
            const lock held(guard);
            ++shared;
        }
    };
    std::thread other(count);
    count();
    other.join();
    CHECK(shared == 40'000);
    {
        const lock held(guard);
        CHECK_FALSE(is_free(guard));
    }
    CHECK(is_free(guard));
}

TEST_CASE("a notification ends a wait, which then holds its mutex again", "[sync][os_mutex]") {
    wsolo::os_mutex guard;
    wsolo::os_condition_variable changed;
    int stage = 0;
    std::thread other([&] {
        lock held(guard);
        stage = 1;
        changed.notify_one();
        while (stage != 2) changed.wait(held);
        stage = 3;
        changed.notify_all();
    });
    {
        std::unique_lock<wsolo::os_mutex> held(guard); // the standard's locks do as well
        while (stage != 1) changed.wait(held);
        stage = 2;
        changed.notify_one();
        while (stage != 3) static_cast<void>(changed.wait_until(held, wsolo::no_deadline));
        CHECK_FALSE(is_free(guard));
    }
    other.join();
}

TEST_CASE("a wait ends at its deadline and not before", "[sync][os_mutex]") {
    wsolo::os_mutex guard;
    wsolo::os_condition_variable changed;
    lock held(guard);
    using status = decltype(changed.wait_until(held, wsolo::time_point()));
    for (const wsolo::time_point deadline : {std::chrono::steady_clock::now() + 30ms,
                                             std::chrono::steady_clock::now() + 1ns, wsolo::time_point()}) {
        while (changed.wait_until(held, deadline) != status::timeout) {}
        CHECK(std::chrono::steady_clock::now() >= deadline);
        CHECK_FALSE(is_free(guard));
    }
}

TEST_CASE("a deadline that the system can't count does not end a wait", "[sync][os_mutex]") {
    wsolo::os_mutex guard;
    wsolo::os_condition_variable changed;
    bool is_told = false;
    for (const wsolo::time_point deadline :
         {wsolo::no_deadline, wsolo::no_deadline - 1ns, wsolo::no_deadline - 1h}) {
        is_told = false;
        std::thread other([&] {
            std::this_thread::sleep_for(2ms); // so that the wait has begun, mostly
            const lock held(guard);
            is_told = true;
            changed.notify_one();
        });
        {
            lock held(guard);
            using status = decltype(changed.wait_until(held, deadline));
            while (!is_told) CHECK(changed.wait_until(held, deadline) == status::no_timeout);
        }
        other.join();
    }
}
