#pragma once
// Nanoseconds per call of something that takes between one nanosecond and a millisecond.
//
// Measured is the calling thread's CPU time, so that what else the machine does costs cache lines, but no time.

#include <chrono>
#include <cstddef>
#include <cstdlib>
#include <time.h>

namespace bench {

/// CPU time of the calling thread.
inline std::chrono::nanoseconds thread_time() {
    timespec used{};
    if (::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used) != 0) std::abort();
    return std::chrono::seconds(used.tv_sec) + std::chrono::nanoseconds(used.tv_nsec);
}

/// Calls `work` in growing batches until one takes `at_least`; nanoseconds per call in that one.
template <class Work>
double nanoseconds_per_call(Work work, std::chrono::nanoseconds at_least = std::chrono::milliseconds(15)) {
    for (std::size_t calls = 16;; calls *= 4) {
        const auto start = thread_time();
        for (std::size_t i = 0; i < calls; ++i) work();
        const auto took = thread_time() - start;
        if (took >= at_least)
            return std::chrono::duration<double, std::nano>(took).count() / static_cast<double>(calls);
    }
}

} // namespace bench
