// Would catch: two holders at once, a pointer lost between them, a locker that no thread wakes.

#include <support/catch.hpp>
#include <support/step_traits.hpp>

#include <wsolo/sync/pointer_lock.hpp>

#include <memory>
#include <thread>
#include <vector>

namespace {
struct node {
    int value = 0;
    node* next = nullptr;
};
} // namespace

static_assert(sizeof(wsolo::basic_pointer_lock<node, wsolo::std_blocking_traits>) == sizeof(void*));

TEST_CASE("the lock carries the pointer from holder to holder", "[sync][pointer_lock]") {
    wsolo::basic_pointer_lock<node, wsolo::std_blocking_traits> lock;
    node mine;
    CHECK(lock.lock() == nullptr);
    lock.unlock(&mine);
    CHECK(lock.lock() == &mine);
    lock.unlock(nullptr);
    CHECK(lock.lock() == nullptr);
    lock.unlock(nullptr);
}

TEST_CASE("a locker sleeps while the lock is held and takes over whenever it comes", "[sync][pointer_lock]") {
    struct shared {
        wsolo::basic_pointer_lock<node, support::step_traits> lock;
        node nodes[2];
        int inside = 0;
        bool collided = false;
        void push(int index) {
            node* const top = lock.lock();
            collided = collided || inside++ != 0;
            support::actor::step(); // another may come here
            --inside;
            nodes[index].next = top;
            lock.unlock(&nodes[index]);
        }
    };
    const support::runs tried = support::interleave([] {
        auto all = std::make_shared<shared>();
        return support::scenario{[all] { all->push(0); }, [all] { all->push(1); },
                                 [all] {
                                     CHECK_FALSE(all->collided);
                                     node* top = all->lock.lock();
                                     REQUIRE(top != nullptr);
                                     CHECK(top->next != nullptr);
                                     CHECK(top->next->next == nullptr);
                                     all->lock.unlock(nullptr);
                                 }};
    });
    CHECK(tried.count >= 8);
    CHECK(tried.stuck == 0);
}

TEST_CASE("a locker does not fall asleep after the holder has left", "[sync][pointer_lock]") {
    bool has_stopped = true;
    for (std::size_t step = 0; has_stopped; ++step) {
        wsolo::basic_pointer_lock<node, support::step_traits> lock;
        node* const held = lock.lock();
        support::actor locker([&] { lock.unlock(lock.lock()); });
        locker.before(step, [&] { lock.unlock(held); });
        locker.run();
        has_stopped = locker.has_stopped();
        if (!has_stopped) lock.unlock(held); // it sleeps, after all its steps
        locker.finish();
        CHECK((step >= 2 || has_stopped));
    }
}

TEST_CASE("many lockers lose no update", "[sync][pointer_lock][stress]") {
    wsolo::basic_pointer_lock<node, wsolo::std_blocking_traits> lock;
    node counter;
    lock.unlock((static_cast<void>(lock.lock()), &counter));
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t) {
        threads.emplace_back([&] {
            for (int i = 0; i < 5000; ++i) {
                node* const held = lock.lock();
                ++held->value;
                lock.unlock(held);
            }
        });
    }
    for (std::thread& thread : threads) thread.join();
    CHECK(counter.value == 20000);
}
