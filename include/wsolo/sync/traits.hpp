// SPDX-License-Identifier: MIT
#pragma once
// The one place through which concurrent code reaches atomics, time and the scheduler.
//
// Laws of this file:
// - Every concurrent type takes a Traits argument and touches no std::atomic, clock or lock but through it,
//   so that the tests can run the shipped headers under a scheduler of their own.
// - The thread slot belongs to it: code that runs many logical threads on one real one (fibers) gives each its own
//   slot.
// - std_traits adds nothing to what it names: the indirection costs no instruction.

#include "../core/time.hpp"

#include <atomic>

#if defined(__unix__) || defined(__APPLE__)
#include <sched.h>
#include <time.h>
#endif

namespace wsolo::inline WSOLO_ABI {

/// What programs use: std::atomic and the steady clock.
struct std_traits {
    template <class T>
    using atomic = std::atomic<T>;
    using clock = std::chrono::steady_clock;

    /// How often a short wait looks again, with pause() between, before it sleeps.
    static constexpr unsigned spin_limit = 64;

    /// A hint to the processor inside a short wait.
    static void pause() noexcept {
#if defined(__x86_64__) || defined(__i386__)
        __builtin_ia32_pause();
#elif defined(__aarch64__) && defined(__GNUC__)
        __asm__ volatile("yield");
#endif
    }

    /// The `round`-th wait for a lock that is held for nanoseconds: spin, then yield, then sleep. It ends in
    /// a sleep because a yield never lets a lower real-time priority run.
    static void relax(unsigned round) noexcept {
        if (round < 40) return pause();
#if defined(__unix__) || defined(__APPLE__)
        if (round < 80) {
            ::sched_yield();
            return;
        }
        const timespec nap{0, 50'000};
        ::nanosleep(&nap, nullptr);
#else
        pause();
#endif
    }

    /// One word of the calling thread's own, null at the thread's start (sync/handler_scope.hpp chains what
    /// the thread is running through it). Its address tells threads apart.
    [[nodiscard]] static void*& thread_slot() noexcept {
        static thread_local void* slot = nullptr;
        return slot;
    }
};

} // namespace wsolo::inline WSOLO_ABI
