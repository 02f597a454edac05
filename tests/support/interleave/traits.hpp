#pragma once
// The traits that put shipped headers under the engine: what wsolo's std_traits and std_blocking_traits name,
// modelled.

#include "atomic.hpp"
#include "blocking.hpp"

namespace interleave {

struct traits {
    template <class T>
    using atomic = interleave::atomic<T>;
    using clock = interleave::clock;
    using mutex = interleave::mutex;
    using condition_variable = interleave::condition_variable;

    /// One look more is as good as many: with config::spin_limit at least this, both ways out of a spin loop
    /// are taken.
    static constexpr unsigned spin_limit = 1;

    /// A turn of a spin loop: this thread goes on when what it looked at has changed.
    static void pause() noexcept {
        if (detail::active != nullptr) detail::pause();
    }
    static void relax(unsigned) noexcept { pause(); }
    [[nodiscard]] static void*& thread_slot() noexcept { return detail::thread_slot(); }
};

} // namespace interleave
