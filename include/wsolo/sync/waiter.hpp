// SPDX-License-Identifier: MIT
#pragma once
// A wait for a mark (sync/sequence_barrier.hpp) or for a drain (sync/rundown.hpp), as an intrusive node, and the
// ordered ring that holds such nodes.
//
// Laws of this file:
// - The waiting code owns the node: nothing here allocates.
// - fire() is called at most once, with no lock held, after the node was unlinked; the caller touches the
//   node no more, so that the node may end in it.
// - Plain data: a ring belongs to the thread that holds the lock around it.

#include "../core/error.hpp"

#include <cstdint>

namespace wsolo::inline WSOLO_ABI {

/// Base of every form of waiting. Stays where it is from add() until fire() or a remove() that answered
/// true.
struct waiter {
    using fire_function = void (*)(waiter&) noexcept;

    explicit waiter(fire_function on_fire, std::uint64_t wanted = 0) noexcept : fire(on_fire), mark(wanted) {}
    waiter(const waiter&) = delete;
    waiter& operator=(const waiter&) = delete;

    /// Whether the node is in a list: then it must not be destroyed.
    [[nodiscard]] bool is_linked() const noexcept { return next != nullptr; }

    /// What is called when it fires, for which number, and its neighbours in the list.
    fire_function fire;
    std::uint64_t mark;
    waiter* next = nullptr;
    waiter* previous = nullptr;
    const void* taker = nullptr; // the thread that took it, to fire it: see sync/firing.hpp
    errc outcome = errc::none;   // why it was fired, or why add() refused it

protected:
    ~waiter() = default;
};

namespace detail {

/// Links `added` into a ring, before `place`.
inline void link_before(waiter& place, waiter& added) noexcept {
    added.previous = place.previous;
    added.next = &place;
    place.previous->next = &added;
    place.previous = &added;
}

/// Links `added` into the ring that starts at `first` (null: empty), by mark, after equals. Returns the
/// new first. O(1) when marks grow, else O(waiters with a greater mark).
[[nodiscard]] inline waiter* link_by_mark(waiter* first, waiter& added) noexcept {
    if (first == nullptr) {
        added.next = added.previous = &added;
        return &added;
    }
    waiter* before = first->previous;
    bool leads = false;
    while (before->mark > added.mark && !leads) {
        leads = before == first;
        before = before->previous;
    }
    link_before(*before->next, added);
    return leads ? &added : first;
}

/// Takes `gone` out of the ring that starts at `first`. Returns the new first, null when the ring is empty
/// now.
[[nodiscard]] inline waiter* unlink(waiter* first, waiter& gone) noexcept {
    waiter* const rest = gone.next == &gone ? nullptr : gone.next;
    gone.previous->next = gone.next;
    gone.next->previous = gone.previous;
    gone.next = gone.previous = nullptr;
    return first == &gone ? rest : first;
}

} // namespace detail
} // namespace wsolo::inline WSOLO_ABI
