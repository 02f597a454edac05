// SPDX-License-Identifier: MIT
#pragma once
// One sleeping thread and the threads that wake it: a mutex and a condition variable on the sleeper's stack.
//
// Laws of this file:
// - release() happens once and is the releaser's last touch: the sleeper may return, and take the parker
//   with it, as soon as the parker's own mutex is free again. The notification is sent under that mutex for
//   this reason; it is shared by these two threads only, so no other thread waits for the system call.
// - No wait begins for a deadline that has passed: libraries that compute the difference to now let it overflow.
// - A nudge wakes but does not release: a sleeper that can still be released must be unlinked before it leaves.

#include "blocking_traits.hpp"

namespace wsolo::inline WSOLO_ABI {

/// A place to sleep for the one thread that owns it; release() and nudge() from any thread, until it is destroyed.
template <class Traits>
class basic_parker {
public:
    using time_point = typename Traits::clock::time_point;

    basic_parker() = default;
    basic_parker(const basic_parker&) = delete;
    basic_parker& operator=(const basic_parker&) = delete;

    /// Sleeps until release().
    void park() noexcept {
        held_mutex<mutex> lock(mutex_);
        while (!released_) wakeup_.wait(lock);
    }

    /// Sleeps until release(), nudge() or `deadline`, whichever is first. time_point::max() is no deadline.
    void park_until(time_point deadline) noexcept {
        held_mutex<mutex> lock(mutex_);
        while (!released_ && !nudged_) {
            if (deadline == (time_point::max)()) {
                wakeup_.wait(lock);
                continue;
            }
            using status = decltype(wakeup_.wait_until(lock, deadline));
            if (Traits::clock::now() >= deadline || wakeup_.wait_until(lock, deadline) == status::timeout)
                return;
        }
    }

    /// Ends the sleep for good. The caller must not touch the parker after this call.
    void release() noexcept {
        const held_mutex<mutex> lock(mutex_);
        released_ = true;
        wakeup_.notify_one();
    }

    /// Ends park_until() early. The caller knows that the parker outlives the call.
    void nudge() noexcept {
        const held_mutex<mutex> lock(mutex_);
        nudged_ = true;
        wakeup_.notify_one();
    }

private:
    using mutex = typename Traits::mutex;

    mutex mutex_;
    typename Traits::condition_variable wakeup_;
    bool released_ = false;
    bool nudged_ = false;
};

} // namespace wsolo::inline WSOLO_ABI
