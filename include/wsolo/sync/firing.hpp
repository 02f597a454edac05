// SPDX-License-Identifier: MIT
#pragma once
// The loop in which a thread fires waiters (sync/waiter.hpp) that are due. A fired waiter may make other waiters due, of the
// same object or of another. Then such loops run one inside another, up to max_depth of them; deeper ones leave their
// waiters to the innermost of these, which fires them after its current one. So a chain of any length needs a constant stack.
//
// Laws of this file:
// - take() is called under the lock of the object that the waiter was unlinked from; run() with no lock held.
// - Waiters are fired in the order in which they were taken. Each is unlinked first: a fired waiter may withdraw others.
// - Nothing here touches the object that a waiter came from, so a fired waiter may destroy it.
// - Taken waiters belong to the thread that took them: it alone fires them, or withdraws them.

#include "handler_scope.hpp"
#include "waiter.hpp"

namespace wsolo::inline WSOLO_ABI::detail {

/// Lives on the stack of the thread that fires. Nothing allocates.
template <class Traits>
class firing_loop : basic_handler_scope<Traits> {
    using scope = basic_handler_scope<Traits>;

public:
    static constexpr unsigned max_depth = 8;

    firing_loop() noexcept : firing_loop(static_cast<firing_loop*>(scope::innermost(&name))) {}
    firing_loop(const firing_loop&) = delete;
    firing_loop& operator=(const firing_loop&) = delete;
    ~firing_loop() = default;

    /// Precondition: `due` was unlinked under the lock that the caller holds.
    void take(waiter& due) noexcept {
        due.taker = &Traits::thread_slot();
        link_before(*due_, due);
    }

    /// Fires what was taken, and what deeper loops leave to it. Beyond max_depth it leaves all of them to an outer loop.
    void run() noexcept {
        while (own_.next != &own_) {
            waiter& due = *own_.next;
            static_cast<void>(unlink(&own_, due));
            due.fire(due);
        }
    }

    /// Withdraws `gone`, a waiter of an object whose lock is held. True: this thread had taken it, and will not fire it.
    [[nodiscard]] static bool withdraw(waiter& gone) noexcept {
        if (gone.taker != &Traits::thread_slot() || !gone.is_linked()) return false;
        static_cast<void>(unlink(nullptr, gone));
        return true;
    }

private:
    explicit firing_loop(firing_loop* outer) noexcept
        : scope(&name),
          due_(outer != nullptr && outer->depth_ >= max_depth ? outer->due_ : &own_),
          depth_(outer == nullptr ? 1 : outer->depth_ + 1) {
        own_.next = own_.previous = &own_;
    }

    struct list_head final : waiter {
        list_head() noexcept : waiter(nullptr) {}
    };
    static constexpr char name = 0; // its address is what the scopes of all loops have in common

    list_head own_;
    waiter* due_; ///< the head of the list to which take() appends
    unsigned depth_;
};

} // namespace wsolo::inline WSOLO_ABI::detail
