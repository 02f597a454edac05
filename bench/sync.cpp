// ns of barrier, rundown and inbox, beside mutexes, shared pointers and lock-free queues
//
// Cases barrier (complete and wait for what is done), barrier_wake (SIZE threads wait for a mark each, one
// is completed and answers), barrier_unreached (complete while SIZE threads wait for something later),
// rundown (enter and leave), handover (messages of 32 bytes to one handling thread), turn (SIZE messages
// pushed and drained by one thread). NAME_cpu is CPU time of all threads together.

#include "support/suite.hpp"
#include "support/sync_barriers.hpp"
#include "support/sync_clock.hpp"
#include "support/sync_queues.hpp"
#include "support/sync_rundowns.hpp"
#ifdef WSOLO_BENCH_MOODYCAMEL
#include "support/sync_moodycamel.hpp"
#endif

#include <semaphore>

namespace {

using bench::figure;
using bench::observed;
using bench::stopwatch;

template <class Type>
struct type_of {
    using type = Type;
};

template <class... Types>
struct list {
    /// An `observed` for each type: `run(type_of<Type>)` yields its figures.
    template <class Run>
    static std::vector<observed> observe(Run run) {
        return {{Types::name, [run] { return run(type_of<Types>{}); }}...};
    }
};

using barriers =
    list<bench::wsolo_barrier, bench::shared_condition, bench::condition_each, bench::yielding_spin>;
using rundowns = list<bench::wsolo_rundown, bench::shared_pointer_copy, bench::weak_pointer_lock,
                      bench::shared_counter, bench::reader_lock>;
#ifdef WSOLO_BENCH_MOODYCAMEL
using queues = list<bench::wsolo_threaded, bench::wsolo_polled, bench::mutex_deque, bench::mutex_swap,
                    bench::moodycamel_polled, bench::moodycamel_blocking>;
#else
using queues = list<bench::wsolo_threaded, bench::wsolo_polled, bench::mutex_deque, bench::mutex_swap>;
#endif

std::vector<figure> both(const std::string& name, const stopwatch& watch, std::size_t pieces) {
    const double wall = watch.wall_ns(pieces);
    return {{name, "ns", wall}, {name + "_cpu", "ns", watch.cpu_ns(pieces)}};
}

/// No thread waits: complete a number, wait for it.
template <class Barrier>
std::vector<figure> pass_barrier(std::uint64_t rounds) {
    Barrier barrier;
    const stopwatch watch;
    for (std::uint64_t n = 1; n <= rounds; ++n) {
        barrier.complete(n);
        barrier.wait(n);
    }
    return {{"barrier", "ns", watch.cpu_ns(rounds)}};
}

/// Each of `threads` waits for every threads-th number; completing one wakes one, which answers.
template <class Barrier>
std::vector<figure> wake(int threads, std::uint64_t rounds) {
    Barrier barrier;
    std::binary_semaphore answered(0);
    std::vector<std::thread> waiting;
    for (int index = 0; index < threads; ++index) {
        waiting.emplace_back([&, index] {
            for (auto n = static_cast<std::uint64_t>(index) + 1; n <= rounds;
                 n += static_cast<unsigned>(threads)) {
                barrier.wait(n);
                answered.release();
            }
        });
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(2)); // they are asleep
    const stopwatch watch;
    for (std::uint64_t n = 1; n <= rounds; ++n) {
        barrier.complete(n);
        answered.acquire();
    }
    auto figures = both("barrier_wake", watch, rounds);
    for (std::thread& thread : waiting) thread.join();
    return figures;
}

/// `threads` wait for something later, while numbers complete that no thread waits for.
template <class Barrier>
std::vector<figure> complete_unreached(int threads, std::chrono::nanoseconds at_least) {
    Barrier barrier;
    std::vector<std::thread> waiting;
    for (int index = 0; index < threads; ++index)
        waiting.emplace_back([&] { barrier.wait(std::uint64_t{1} << 50); });
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
    std::uint64_t n = 0;
    const stopwatch watch;
    do {
        for (int i = 0; i < 16; ++i) barrier.complete(++n);
    } while (watch.wall_ns(1) < static_cast<double>(at_least.count()));
    auto figures = both("barrier_unreached", watch, n);
    barrier.release();
    for (std::thread& thread : waiting) thread.join();
    return figures;
}

template <class Rundown>
std::vector<figure> enter_and_leave(int threads, std::size_t rounds) {
    Rundown thing;
    const stopwatch watch;
    bench::on_threads(threads, [&](int) {
        for (std::size_t i = 0; i < rounds; ++i) thing.use();
    });
    return {{"rundown", "ns", watch.cpu_ns(rounds * static_cast<std::size_t>(threads))}};
}

template <class Queue>
std::vector<figure> hand_over(int producers, std::size_t each) {
    Queue queue;
    const std::size_t count = each * static_cast<std::size_t>(producers);
    const stopwatch watch;
    bench::on_threads(producers, [&](int) {
        typename Queue::producer to(queue);
        for (std::size_t i = 0; i < each; ++i)
            while (!to.push({nullptr, 1, 0, 0})) std::this_thread::sleep_for(std::chrono::microseconds(100));
    });
    if (queue.finish() != count) std::abort(); // all of them, once
    const double wall = watch.wall_ns(count);
    return {{"handover", "messages/s", 1e9 / wall}, {"handover_cpu", "ns", watch.cpu_ns(count)}};
}

/// A loop's turn, on one thread: `size` messages are read, then handled, and the queue is idle again.
struct inbox_turn {
    static constexpr const char* name = "wsolo";
    struct nothing {
        void operator()() const {}
    };
    std::uint64_t sum = 0;
    wsolo::inbox<bench::message, nothing> in{nothing{}, bench::inbox_bound};
    void take(std::size_t size) {
        for (std::size_t i = 0; i < size; ++i) static_cast<void>(in.push({nullptr, 1, 0, 0}, 32));
        static_cast<void>(in.drain(bench::adder{&sum}));
    }
};
struct deque_turn {
    static constexpr const char* name = "mutex_deque";
    std::uint64_t sum = 0;
    std::mutex mutex;
    std::deque<bench::message> queue;
    void take(std::size_t size) {
        for (std::size_t i = 0; i < size; ++i) {
            const std::lock_guard hold(mutex);
            queue.push_back({nullptr, 1, 0, 0});
        }
        for (;;) {
            std::unique_lock hold(mutex);
            if (queue.empty()) return;
            bench::message item = queue.front();
            queue.pop_front();
            hold.unlock();
            bench::adder{&sum}(std::move(item));
        }
    }
};
#ifdef WSOLO_BENCH_MOODYCAMEL
struct moodycamel_turn {
    static constexpr const char* name = "moodycamel";
    std::uint64_t sum = 0;
    moodycamel::ConcurrentQueue<bench::message> queue;
    moodycamel::ProducerToken producer{queue};
    moodycamel::ConsumerToken consumer{queue};
    void take(std::size_t size) {
        for (std::size_t i = 0; i < size; ++i) queue.enqueue(producer, {nullptr, 1, 0, 0});
        for (bench::message item; queue.try_dequeue(consumer, item);) bench::adder{&sum}(std::move(item));
    }
};
using turns = list<inbox_turn, deque_turn, moodycamel_turn>;
#else
using turns = list<inbox_turn, deque_turn>;
#endif

template <class Turn>
std::vector<figure> turn(std::size_t size, std::size_t rounds) {
    Turn one;
    const stopwatch watch;
    for (std::size_t i = 0; i < rounds; ++i) one.take(size);
    const double each = watch.cpu_ns(rounds * size);
    if (one.sum != rounds * size) std::abort();
    return {{"turn", "ns", each}};
}

void run(bench::suite& suite) {
    const std::size_t scale = suite.quick() ? 1 : 200;
    suite.observe("barrier", 0, 1, barriers::observe([=]<class Barrier>(type_of<Barrier>) {
                      return pass_barrier<Barrier>(10'000 * scale);
                  }));
    for (const int threads : {1, 8, 64}) {
        const auto count = static_cast<std::size_t>(threads);
        suite.observe("barrier_wake", count, threads + 1,
                      barriers::observe([=]<class Barrier>(type_of<Barrier>) {
                          return wake<Barrier>(threads, 10 * scale);
                      }));
    }
    const std::chrono::milliseconds at_least(suite.quick() ? 1 : 20);
    for (const int threads : {1, 8, 64}) {
        const auto count = static_cast<std::size_t>(threads);
        suite.observe("barrier_unreached", count, threads + 1,
                      barriers::observe([=]<class Barrier>(type_of<Barrier>) {
                          return complete_unreached<Barrier>(threads, at_least);
                      }));
    }
    for (const int threads : {1, 2, 4}) {
        suite.observe("rundown", 0, threads, rundowns::observe([=]<class Rundown>(type_of<Rundown>) {
                          return enter_and_leave<Rundown>(threads, 5'000 * scale);
                      }));
    }
    for (const int producers : {1, 2, 4}) {
        suite.observe(
            "handover", sizeof(bench::message), producers, queues::observe([=]<class Queue>(type_of<Queue>) {
                return hand_over<Queue>(producers, 5'000 * scale / static_cast<std::size_t>(producers));
            }));
    }
    for (const std::size_t size : {1U, 16U, 256U}) {
        suite.observe("turn", size, 1, turns::observe([=]<class Turn>(type_of<Turn>) {
                          return turn<Turn>(size, 10'000 * scale / size + 1);
                      }));
    }
}

} // namespace

int main(int argc, char** argv) {
    bench::suite suite(argc, argv);
    std::binary_semaphore over(0);
    std::thread second([&] { over.acquire(); }); // so that shared_ptr counts as it does in a server
    run(suite);
    over.release();
    second.join();
    return suite.finish();
}
