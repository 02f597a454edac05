#pragma once
// Senders that wait for room, first come first woken.
//
// Laws of this file:
// - A node lies on its sender's stack and is linked and unlinked under the outbox's lock only.
// - Whoever unlinked it to wake it calls wake() once, with no lock held, and touches it no more.

#include <cstddef>
#include <utility>

#include "../../core/config.hpp"

namespace wsolo::inline WSOLO_ABI::detail {

struct budget_waiter {
    void (*wake)(budget_waiter& self) noexcept = nullptr;
    std::size_t charge = 0; ///< bytes of budget that it waits for
    budget_waiter* next = nullptr;
    bool linked = false;
};

/// A FIFO of them. Owns nothing.
class waiter_list {
public:
    [[nodiscard]] bool empty() const noexcept { return first_ == nullptr; }
    [[nodiscard]] budget_waiter* first() const noexcept { return first_; }

    void push(budget_waiter& added) noexcept {
        added.next = nullptr;
        added.linked = true;
        *(first_ == nullptr ? &first_ : &last_->next) = &added;
        last_ = &added;
    }

    [[nodiscard]] budget_waiter& pop() noexcept {
        budget_waiter& taken = *first_;
        first_ = taken.next;
        taken.linked = false;
        return taken;
    }

    /// False when it was unlinked before. O(waiters).
    bool remove(budget_waiter& gone) noexcept {
        if (!gone.linked) return false;
        budget_waiter* before = nullptr;
        for (budget_waiter* at = first_; at != &gone; at = at->next) before = at;
        (before == nullptr ? first_ : before->next) = gone.next;
        if (last_ == &gone) last_ = before;
        gone.linked = false;
        return true;
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
