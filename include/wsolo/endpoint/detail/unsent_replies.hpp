#pragma once
// How much of what handlers answered still waits to be written: what an endpoint holds its input back for.
//
// Laws of this file:
// - Replies are counted, not located. A mark in the writer's queue (a flush) says when those before it are on their way: one
//   mark for each half of the bound, so that handling goes on while the first half leaves.
// - Any thread adds and asks; one thread, the loop's, places marks. A mark may pass in any thread.

#include "../../core/limit.hpp"

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace wsolo::inline WSOLO_ABI::detail {

/// The bounds are payload bytes and messages; 0: none.
template <class Traits>
class unsent_replies {
public:
    unsent_replies(std::size_t max_bytes, std::uint32_t max_count) noexcept
        : max_bytes_(bound_of(max_bytes)), max_count_(bound_of(max_count)) {}

    void add(std::size_t bytes) noexcept {
        bytes_.fetch_add(bytes, std::memory_order_relaxed);
        count_.fetch_add(1, std::memory_order_relaxed);
    }
    /// Whether no more is to be handled now.
    [[nodiscard]] bool is_full() const noexcept {
        return bytes() + marked_bytes_.load(std::memory_order_relaxed) > max_bytes_ ||
               count() + marked_count_.load(std::memory_order_relaxed) > max_count_;
    }

    // ---- the loop's

    /// Whether a mark is due: half of a bound is used, and none is out.
    [[nodiscard]] bool wants_mark() const noexcept {
        return !is_marked_ && (bytes() > max_bytes_ / 2 || count() > max_count_ / 2);
    }
    /// A mark is about to be queued after what was counted so far.
    void begin_mark() noexcept {
        is_marked_ = true;
        marked_bytes_.store(bytes_.exchange(0, std::memory_order_relaxed), std::memory_order_relaxed);
        marked_count_.store(count_.exchange(0, std::memory_order_relaxed), std::memory_order_relaxed);
    }
    /// It was not accepted.
    void drop_mark() noexcept {
        is_marked_ = false;
        bytes_.fetch_add(marked_bytes_.exchange(0, std::memory_order_relaxed), std::memory_order_relaxed);
        count_.fetch_add(marked_count_.exchange(0, std::memory_order_relaxed), std::memory_order_relaxed);
    }
    /// Nothing waits to be written any more.
    void clear() noexcept {
        if (count() == 0) return;
        bytes_.store(0, std::memory_order_relaxed);
        count_.store(0, std::memory_order_relaxed);
        has_passed_.store(true, std::memory_order_relaxed);
    }
    /// Whether there is room that there was not at the last call: those who were held back are to be roused.
    [[nodiscard]] bool take_room() noexcept {
        if (!has_passed_.load(std::memory_order_acquire)) return false;
        has_passed_.store(false, std::memory_order_relaxed);
        is_marked_ = is_marked_ && marked_count_.load(std::memory_order_relaxed) != 0;
        return true;
    }

    // ---- any thread's

    /// What stood before the mark is on its way, or lost.
    void pass_mark() noexcept {
        marked_bytes_.store(0, std::memory_order_relaxed);
        marked_count_.store(0, std::memory_order_relaxed);
        has_passed_.store(true, std::memory_order_release);
    }

private:
    [[nodiscard]] std::size_t bytes() const noexcept { return bytes_.load(std::memory_order_relaxed); }
    [[nodiscard]] std::uint32_t count() const noexcept { return count_.load(std::memory_order_relaxed); }

    const std::size_t max_bytes_;
    const std::uint32_t max_count_;
    typename Traits::template atomic<std::uint32_t> count_{0};
    typename Traits::template atomic<std::uint32_t> marked_count_{0};
    typename Traits::template atomic<std::size_t> bytes_{0}; ///< after the mark
    typename Traits::template atomic<std::size_t> marked_bytes_{0};
    typename Traits::template atomic<bool> has_passed_{false};
    bool is_marked_ = false;
};

} // namespace wsolo::inline WSOLO_ABI::detail
