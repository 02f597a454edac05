// SPDX-License-Identifier: MIT
#pragma once
// Senders that wait for room in the budget: first come, first served.
//
// Laws of this file:
// - A waiter brings its node, and the push that was refused links it, in the same step: no room is missed.
// - Room is granted, not announced: it is reserved for this waiter until its next push, and a sender that comes later waits
//   after the earlier ones.
// - The granting thread calls wake() once, with no lock held, and touches the node no more.

#include "../../core/config.hpp"

#include <cstddef>
#include <cstdint>

namespace wsolo::inline WSOLO_ABI::detail {

enum class room_state : std::uint8_t {
    none,    ///< not in a queue
    waits,   ///< linked
    granted, ///< `charge` bytes and a frame are reserved
    ended,   ///< the writer accepts nothing any more
};

/// All of it but `wake` belongs to the outbox's lock.
struct room_waiter {
    void (*wake)(room_waiter& self) noexcept = nullptr;
    std::size_t charge = 0; ///< bytes of budget
    room_waiter* next = nullptr;
    std::uint32_t number = 0; ///< in the order of coming, modulo 2^32
    room_state state = room_state::none;
};

/// A FIFO of them. Owns nothing.
class room_queue {
public:
    [[nodiscard]] bool empty() const noexcept { return first_ == nullptr; }
    [[nodiscard]] room_waiter* first() const noexcept { return first_; }

    void push(room_waiter& added) noexcept {
        added.next = nullptr;
        *(first_ == nullptr ? &first_ : &last_->next) = &added;
        last_ = &added;
    }
    /// At its place by number. O(1) for the newest, else O(waiters).
    void insert(room_waiter& added) noexcept {
        if (first_ == nullptr || comes_before(*last_, added)) return push(added);
        room_waiter** at = &first_;
        while (comes_before(**at, added)) at = &(*at)->next;
        added.next = *at;
        *at = &added;
    }
    [[nodiscard]] room_waiter& pop() noexcept {
        room_waiter& taken = *first_;
        first_ = taken.next;
        return taken;
    }
    /// Takes `old`, which is in here, out. O(waiters).
    void remove(room_waiter& old) noexcept {
        room_waiter* before = nullptr;
        for (room_waiter* at = first_; at != &old; at = at->next) before = at;
        (before == nullptr ? first_ : before->next) = old.next;
        if (last_ == &old) last_ = before;
    }
    /// Wakes all. A waiter may be gone as soon as it is woken.
    void wake_all() noexcept {
        while (!empty()) {
            room_waiter& due = pop();
            due.wake(due);
        }
    }

private:
    static bool comes_before(const room_waiter& left, const room_waiter& right) noexcept {
        return static_cast<std::int32_t>(left.number - right.number) < 0;
    }

    room_waiter* first_ = nullptr;
    room_waiter* last_ = nullptr;
};

} // namespace wsolo::inline WSOLO_ABI::detail
