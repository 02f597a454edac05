// SPDX-License-Identifier: MIT
#pragma once
// An intrusive ring: the list of a loop's connections, without memory of its own.
//
// Laws of this file:
// - A link is in one ring at most. It leaves before it is destroyed, and a ring is empty before it is destroyed.
// - Not thread-safe. Every function O(1).

#include "../../core/config.hpp"

#include <utility>

namespace wsolo::inline WSOLO_ABI::adapt::detail {

/// A place in a ring, or the ring itself.
struct link {
    link() noexcept = default;
    link(const link&) = delete;
    link& operator=(const link&) = delete;

    [[nodiscard]] bool is_alone() const noexcept { return next == this; }
    void enter(link& ring) noexcept { // as the last one
        next = &ring;
        previous = std::exchange(ring.previous, this);
        previous->next = this;
    }
    void leave() noexcept {
        previous->next = next;
        next->previous = previous;
        next = previous = this;
    }

    link* next = this;
    link* previous = this;
};

} // namespace wsolo::inline WSOLO_ABI::adapt::detail
