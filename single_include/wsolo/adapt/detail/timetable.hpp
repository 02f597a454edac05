// Written by tools/amalgamate.py from include/wsolo/adapt/detail/timetable.hpp: change it there.
// SPDX-License-Identifier: MIT
#pragma once
// What is due at times that move, with the first in front: a binary heap of things that know their place in it.
//
// Laws of this file:
// - Only add() takes memory, a pointer for each. Moving one later, or taking one out, can't fail.
// - Who is in it stays where it is, and changes its time by move() alone.
// - Not thread-safe. first() is O(1), the others O(log n).

#include "../../wsolo.hpp"

#include <cstdint>
#include <span>
#include <vector>

namespace wsolo::inline WSOLO_ABI::adapt::detail {

/// `Timed` has `time_point due` and `std::uint32_t place`, which is the timetable's.
template <class Timed>
class timetable {
public:
    [[nodiscard]] bool empty() const noexcept { return all_.empty(); }
    /// Precondition: not empty.
    [[nodiscard]] Timed& first() const noexcept { return *all_.front(); }
    /// In no order. Valid until the next call that changes it.
    [[nodiscard]] std::span<Timed* const> all() const noexcept { return all_; }

    /// False: no memory; nothing changed.
    [[nodiscard]] bool add(Timed& fresh) noexcept {
#if WSOLO_HAS_EXCEPTIONS
        try {
            all_.push_back(&fresh);
        } catch (...) {
            return false;
        }
#else
        all_.push_back(&fresh);
#endif
        rise(all_.size() - 1, fresh);
        return true;
    }
    void remove(Timed& gone) noexcept {
        Timed& last = *all_.back();
        all_.pop_back();
        if (&last != &gone) settle(gone.place, last);
    }
    void move(Timed& which, time_point due) noexcept {
        which.due = due;
        settle(which.place, which);
    }

private:
    void settle(std::size_t at, Timed& which) noexcept {
        if (at != 0 && which.due < all_[(at - 1) / 2]->due) return rise(at, which);
        for (;;) {
            std::size_t next = 2 * at + 1;
            if (next + 1 < all_.size() && all_[next + 1]->due < all_[next]->due) ++next;
            if (next >= all_.size() || which.due <= all_[next]->due) return put(at, which);
            put(at, *all_[next]);
            at = next;
        }
    }
    void rise(std::size_t at, Timed& which) noexcept {
        for (; at != 0 && which.due < all_[(at - 1) / 2]->due; at = (at - 1) / 2)
            put(at, *all_[(at - 1) / 2]);
        put(at, which);
    }
    void put(std::size_t at, Timed& which) noexcept {
        all_[at] = &which;
        which.place = static_cast<std::uint32_t>(at);
    }

    std::vector<Timed*> all_;
};

} // namespace wsolo::inline WSOLO_ABI::adapt::detail
