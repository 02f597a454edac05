// SPDX-License-Identifier: MIT
#pragma once
// Whether a send was refused because there was no room, and when there is room again: what on_room() tells.
//
// Laws of this file:
// - Any thread notes a refusal; the loop asks. Room is back when half of both bounds is free, and told once.

#include "../../core/limit.hpp"
#include "../../write/options.hpp"

#include <atomic>

namespace wsolo::inline WSOLO_ABI::detail {

template <class Traits>
class room_notice {
public:
    explicit room_notice(const writer_limits& limits) noexcept
        : bytes_(bound_of(limits.max_bytes) / 2), frames_(bound_of(limits.max_frames) / 2) {}

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
        if (!is_wanted_.load(std::memory_order_relaxed) || out.queued_bytes() > bytes_ ||
            out.queued_frames() > frames_)
            return false;
        is_wanted_.store(false, std::memory_order_relaxed);
        return true;
    }

private:
    const std::size_t bytes_;
    const std::uint32_t frames_;
    typename Traits::template atomic<bool> is_wanted_{false};
    typename Traits::template atomic<std::uint64_t> refusals_{0};
};

} // namespace wsolo::inline WSOLO_ABI::detail
