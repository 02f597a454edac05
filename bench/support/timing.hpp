#pragma once
// Nanoseconds per call of something that takes between one nanosecond and a millisecond.

#include <chrono>
#include <cstddef>

namespace bench {

/// Calls `work` in growing batches until one takes `at_least`; nanoseconds per call in that one.
template <class Work>
double nanoseconds_per_call(Work work, std::chrono::nanoseconds at_least = std::chrono::milliseconds(15)) {
    for (std::size_t calls = 16;; calls *= 4) {
        const auto start = std::chrono::steady_clock::now();
        for (std::size_t i = 0; i < calls; ++i) work();
        const auto took = std::chrono::steady_clock::now() - start;
        if (took >= at_least)
            return std::chrono::duration<double, std::nano>(took).count() / static_cast<double>(calls);
    }
}

} // namespace bench
