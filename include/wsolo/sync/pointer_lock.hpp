// SPDX-License-Identifier: MIT
#pragma once
// A pointer and the lock that guards it, in one word: a pointer while free, the chain of sleeping lockers
// while it is held (the holder carries the pointer).
//
// Laws of this file:
// - "Held?" and "sleep until the holder leaves" change in one word by one RMW: no wake-up can be lost.
// - unlock() is one exchange, and that is its last touch of the word; the threads that it wakes touch only their own
//   stacks.
// - A sleeper does not own the lock: unlock() frees it and wakes all sleepers, which try again. Sections
//   under it are a few list operations, so there is rarely more than one.
// - 8 bytes. Not a std::mutex because that takes 40, and each connection has an object of each type that uses this lock.

#include "parker.hpp"

#include <cstdint>

namespace wsolo::inline WSOLO_ABI {

/// A Node* that one thread at a time can take. It owns no node. Node must be aligned to 2 at least. Not recursive.
template <class Node, class Traits>
class basic_pointer_lock {
public:
    basic_pointer_lock() = default;
    basic_pointer_lock(const basic_pointer_lock&) = delete;
    basic_pointer_lock& operator=(const basic_pointer_lock&) = delete;

    /// Takes the pointer; sleeps while another thread has it. Null at first.
    [[nodiscard]] Node* lock() noexcept {
        for (unsigned looks = 0;;) {
            std::uintptr_t seen = word_.load(std::memory_order_relaxed);
            if ((seen & held) == 0) {
                if (word_.compare_exchange_weak(seen, held, std::memory_order_acquire,
                                                std::memory_order_relaxed)) {
                    return reinterpret_cast<Node*>(seen);
                }
            } else if (looks < Traits::spin_limit) {
                ++looks;
                Traits::pause();
            } else {
                sleep_after(seen);
            }
        }
    }

    /// Puts back what lock() gave, or its successor. The last touch of this object.
    void unlock(Node* pointer) noexcept {
        const std::uintptr_t seen =
            word_.exchange(reinterpret_cast<std::uintptr_t>(pointer), std::memory_order_acq_rel);
        if (seen != held) wake(reinterpret_cast<sleeper*>(seen & ~held));
    }

private:
    static constexpr std::uintptr_t held = 1;

    struct sleeper {
        basic_parker<Traits> parker;
        sleeper* next = nullptr;
    };

    void sleep_after(std::uintptr_t seen) noexcept {
        sleeper self;
        self.next = reinterpret_cast<sleeper*>(seen & ~held);
        if (word_.compare_exchange_strong(seen, reinterpret_cast<std::uintptr_t>(&self) | held,
                                          std::memory_order_release, std::memory_order_relaxed)) {
            self.parker.park();
        }
    }

    static void wake(sleeper* first) noexcept {
        while (first != nullptr) {
            sleeper* const next = first->next; // read first: a released sleeper is gone
            first->parker.release();
            first = next;
        }
    }

    typename Traits::template atomic<std::uintptr_t> word_{0};
};

} // namespace wsolo::inline WSOLO_ABI
