// SPDX-License-Identifier: MIT
#pragma once
// The short lock: one byte, for critical sections of a few nanoseconds in objects that can't afford a mutex
// each.
//
// Laws of this file:
// - No user code, system call, allocation or large copy runs while it is held.
// - unlock() is one release store and touches nothing afterwards, so the thread that takes the lock next may
//   destroy it.

#include "traits.hpp"

namespace wsolo::inline WSOLO_ABI {

/// Test and test-and-set with back-off, for any threads. Not recursive, not fair, neither copied nor moved. lock() never makes a
/// system call unless the holder was preempted.
template <class Traits = std_traits>
class basic_spin_lock {
public:
    basic_spin_lock() = default;
    basic_spin_lock(const basic_spin_lock&) = delete;
    basic_spin_lock& operator=(const basic_spin_lock&) = delete;

    /// Locks, as a mutex does. Not recursive; the thread that locked it unlocks it.
    [[gnu::always_inline]] void lock() noexcept {
        if (held_.exchange(true, std::memory_order_acquire)) wait();
    }

    /// Unlocks. Called by the thread that locked it.
    void unlock() noexcept { held_.store(false, std::memory_order_release); }

private:
    [[gnu::noinline]] void wait() noexcept { // apart: nearly always it is free
        unsigned round = 0;
        do {
            while (held_.load(std::memory_order_relaxed)) Traits::relax(round++);
        } while (held_.exchange(true, std::memory_order_acquire));
    }

    typename Traits::template atomic<bool> held_{false};
};

using spin_lock = basic_spin_lock<>;

/// Holds a lock, which outlives it, for a scope. (std::lock_guard would cost <mutex>.)
template <class Lock>
class [[nodiscard]] scoped_hold {
public:
    [[gnu::always_inline]] explicit scoped_hold(Lock& lock) noexcept : lock_(lock) { lock_.lock(); }
    [[gnu::always_inline]] ~scoped_hold() { lock_.unlock(); }
    scoped_hold(const scoped_hold&) = delete;
    scoped_hold& operator=(const scoped_hold&) = delete;

private:
    Lock& lock_;
};

} // namespace wsolo::inline WSOLO_ABI
