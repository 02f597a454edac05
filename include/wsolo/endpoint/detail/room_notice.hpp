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
        word_.fetch_add(one_refusal, std::memory_order_relaxed);
        word_.fetch_or(is_wanted, std::memory_order_relaxed);
    }
    [[nodiscard]] std::uint64_t refusals() const noexcept {
        return word_.load(std::memory_order_relaxed) / one_refusal;
    }

    /// Whether to tell now.
    template <class Writer>
    [[nodiscard]] bool is_back(const Writer& out) noexcept {
        if ((word_.load(std::memory_order_relaxed) & is_wanted) == 0 || !out.is_half_free()) return false;
        word_.fetch_and(~is_wanted, std::memory_order_relaxed);
        return true;
    }

private:
    static constexpr std::uint64_t is_wanted = 1; ///< beside the number of refusals
    static constexpr std::uint64_t one_refusal = 2;

    typename Traits::template atomic<std::uint64_t> word_{0};
};

} // namespace wsolo::inline WSOLO_ABI::detail
