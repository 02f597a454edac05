// SPDX-License-Identifier: MIT
#pragma once
// How much of what handlers answered still waits to be written: what an endpoint holds its input back for.
//
// Laws of this file:
// - Replies are counted, not located. A mark in the writer's queue (a flush) says when those before it are on their way: one
//   mark for each half of the bound, so that handling goes on while the first half leaves.
// - Any thread adds and asks; one thread, the loop's, places marks. A mark may pass in any thread.

#include "../../core/error.hpp"
#include "../../write/outcome.hpp"
#include "shared_rules.hpp"

#include <cstddef>
#include <cstdint>

namespace wsolo::inline WSOLO_ABI::detail {

/// The bounds are payload bytes and messages; each call is told them.
template <class Traits>
class unsent_replies {
public:
    void add(std::size_t bytes) noexcept {
        bytes_.fetch_add(bytes);
        count_.fetch_add(1);
    }
    /// Whether no more is to be handled now.
    [[nodiscard]] bool is_full(const reply_bounds& most) const noexcept {
        return are_full(most, marked_bytes_.load(), marked_count_.load());
    }

    // ---- the loop's

    /// Queues a mark if one is due. `on_passed`: has pass_mark() called.
    template <class Writer>
    void mark(const reply_bounds& most, Writer& out, on_outcome on_passed) {
        if (!wants_mark(most)) return;
        begin_mark();
        if (out.flush(on_passed) != errc::none)
            drop_mark(); // no room now, or the end, which clears everything
    }

    /// Half of a bound is used, and no mark is out.
    [[nodiscard]] bool wants_mark(const reply_bounds& most) const noexcept {
        return marked_count_.load() == 0 &&
               (bytes_.load() > most.bytes / 2 || count_.load() > most.count / 2);
    }
    /// A mark is about to be queued after what was counted so far.
    void begin_mark() noexcept {
        marked_bytes_.store(bytes_.load());
        marked_count_.store(count_.load());
        bytes_.fetch_sub(marked_bytes_.load());
        count_.fetch_sub(marked_count_.load());
    }
    /// It was not accepted.
    void drop_mark() noexcept {
        bytes_.fetch_add(marked_bytes_.exchange(0));
        count_.fetch_add(marked_count_.exchange(0));
    }
    /// Nothing waits to be written any more. (What a handler counts only now is too much, until the next mark; a handler
    /// that finds it full then asks the loop to look again.)
    void clear(const reply_bounds& most) noexcept {
        if (count_.load() == 0) return;
        const std::size_t bytes = bytes_.exchange(0);
        const std::uint32_t count = count_.exchange(0);
        if (are_full(most, bytes + marked_bytes_.load(), count + marked_count_.load()))
            has_room_again_.store(true);
    }
    /// Whether there is room where there was none: what was held back is to be roused.
    [[nodiscard]] bool take_room() noexcept {
        return has_room_again_.load() && has_room_again_.exchange(false);
    }

    // ---- any thread's

    /// What stood before the mark is on its way, or lost.
    void pass_mark(const reply_bounds& most) noexcept {
        const std::size_t bytes = marked_bytes_.exchange(0);
        const std::uint32_t count = marked_count_.exchange(0);
        // After the exchange: a handler that found it full before has counted what this finds.
        if (are_full(most, bytes, count)) has_room_again_.store(true);
    }

private:
    [[nodiscard]] bool are_full(const reply_bounds& most, std::size_t marked_bytes,
                                std::uint32_t marked_count) const noexcept {
        return bytes_.load() + marked_bytes > most.bytes || count_.load() + marked_count > most.count;
    }

    typename Traits::template atomic<std::size_t> bytes_{0}; ///< after the mark
    typename Traits::template atomic<std::size_t> marked_bytes_{0};
    typename Traits::template atomic<std::uint32_t> count_{0};
    typename Traits::template atomic<std::uint32_t> marked_count_{0};
    typename Traits::template atomic<bool> has_room_again_{false};
};

} // namespace wsolo::inline WSOLO_ABI::detail
