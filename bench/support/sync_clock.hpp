#pragma once
// What the benchmarks of sync/ share: threads that start together, and what they cost.

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <ctime>
#include <thread>
#include <vector>

namespace bench {

/// CPU time of the whole process.
inline std::chrono::nanoseconds cpu_used() {
    timespec used{};
    if (::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used) != 0) std::abort();
    return std::chrono::seconds(used.tv_sec) + std::chrono::nanoseconds(used.tv_nsec);
}

/// Wall and CPU time from its construction on, per piece of work.
class stopwatch {
public:
    [[nodiscard]] double wall_ns(std::size_t pieces) const {
        return per(std::chrono::steady_clock::now() - wall_, pieces);
    }
    [[nodiscard]] double cpu_ns(std::size_t pieces) const { return per(cpu_used() - cpu_, pieces); }

private:
    static double per(std::chrono::nanoseconds span, std::size_t pieces) {
        return static_cast<double>(span.count()) / static_cast<double>(pieces);
    }
    std::chrono::steady_clock::time_point wall_ = std::chrono::steady_clock::now();
    std::chrono::nanoseconds cpu_ = cpu_used();
};

/// Runs `work(index)` on `count` threads that start together; returns when all have ended.
template <class Work>
void on_threads(int count, Work work) {
    std::atomic<int> ready{0};
    std::vector<std::thread> threads;
    for (int index = 0; index < count; ++index) {
        threads.emplace_back([&, index] {
            ++ready;
            while (ready < count) std::this_thread::yield();
            work(index);
        });
    }
    for (std::thread& thread : threads) thread.join();
}

} // namespace bench
