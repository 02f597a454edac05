#pragma once
// Senders that wait for room, first come first woken.
//
// Laws of this file:
// - A node lies on its sender's stack. `waits` belongs to the outbox's lock: true from the push that was
//   refused until the sender withdraws or is granted room, and from then on the node is the granter's.
// - Whoever was granted to calls wake() once, with no lock held, and touches the node no more.

#include <cstddef>
#include <utility>

#include "../../core/config.hpp"

namespace wsolo::inline WSOLO_ABI::detail {

struct budget_waiter {
    void (*wake)(budget_waiter& self) noexcept = nullptr;
    std::size_t charge = 0; ///< bytes of budget that it waits for
    budget_waiter* next = nullptr;
    bool waits = false;
};

/// A FIFO of them. Owns nothing.
class waiter_list {
public:
    [[nodiscard]] bool empty() const noexcept { return first_ == nullptr; }
    [[nodiscard]] budget_waiter* first() const noexcept { return first_; }

    void push(budget_waiter& added) noexcept {
        added.next = nullptr;
        *(first_ == nullptr ? &first_ : &last_->next) = &added;
        last_ = &added;
    }

    [[nodiscard]] budget_waiter& pop() noexcept {
        budget_waiter& taken = *first_;
        first_ = taken.next;
        return taken;
    }

    /// Takes `gone`, which is in here, out. O(waiters).
    void remove(budget_waiter& gone) noexcept {
        budget_waiter* before = nullptr;
        for (budget_waiter* at = first_; at != &gone; at = at->next) before = at;
        (before == nullptr ? first_ : before->next) = gone.next;
        if (last_ == &gone) last_ = before;
    }

    /// Wakes everybody in the list. Each may be gone as soon as it is woken.
    void wake_all() noexcept {
        while (!empty()) {
            budget_waiter& due = pop();
            due.wake(due);
        }
    }

private:
    budget_waiter* first_ = nullptr;
    budget_waiter* last_ = nullptr;
};

} // namespace wsolo::inline WSOLO_ABI::detail
