// SPDX-License-Identifier: MIT
#pragma once
// Whether a send was refused because there was no room, and when there is room again: what on_room() tells.
//
// Laws of this file:
// - Any thread notes a refusal; the loop asks. Room is back when half of both of the writer's bounds is free, and told once.

#include "../../core/config.hpp"

#include <atomic>
#include <cstdint>

namespace wsolo::inline WSOLO_ABI::detail {

template <class Traits>
class room_notice {
public:
    void note_refusal() noexcept {
        refusals_.fetch_add(1, std::memory_order_relaxed);
        is_wanted_.store(true, std::memory_order_relaxed);
    }
    [[nodiscard]] std::uint64_t refusals() const noexcept {
        return refusals_.load(std::memory_order_relaxed);
    }

    /// Whether to tell now.
    template <class Writer>
    [[nodiscard]] bool is_back(const Writer& out) noexcept {
        if (!is_wanted_.load(std::memory_order_relaxed) || !out.is_half_free()) return false;
        is_wanted_.store(false, std::memory_order_relaxed);
        return true;
    }

private:
    typename Traits::template atomic<std::uint64_t> refusals_{0};
    typename Traits::template atomic<bool> is_wanted_{false};
};

} // namespace wsolo::inline WSOLO_ABI::detail
