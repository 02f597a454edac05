// SPDX-License-Identifier: MIT
#pragma once
// What was decided under a writer's lock and is done after it: memory to free, senders to wake, outcomes to tell.
//
// Laws of this file:
// - What stands here was unlinked under the lock, and belongs to this thread alone.
// - Memory is freed first, then senders are woken, then outcomes are told: a callback finds the room of its own item free.

#include "../../core/detail/exchange.hpp"
#include "entry.hpp"
#include "room_waiter.hpp"

namespace wsolo::inline WSOLO_ABI::detail {

class errands {
public:
    errands() noexcept {} // NOLINT(modernize-use-equals-default): the arrays stay as they are
    errands(const errands&) = delete;
    errands& operator=(const errands&) = delete;
    ~errands() {
        if (has_memory()) free_memory();
    }

    /// One write names as many entries, so what it took always fits.
    static constexpr std::uint32_t max_outcomes = 64;

    [[nodiscard]] bool has_place() const noexcept { return count_ < max_outcomes; }
    /// Outcomes to tell.
    [[nodiscard]] std::uint32_t outcomes() const noexcept { return count_; }
    /// Whether a callback is to be called, or a waiting sender to be woken.
    [[nodiscard]] bool must_tell() const noexcept {
        return count_ != 0 || !due.empty() || !displaced_.empty();
    }

    void free(entry* old) noexcept {
        old->next = entries_;
        entries_ = old;
    }
    void free(block* old) noexcept {
        old->next = blocks_;
        blocks_ = old;
    }
    /// Precondition: has_place().
    void tell(const on_outcome& done, errc how) noexcept {
        if (!done) return;
        calls_[count_] = done.call;
        contexts_[count_] = done.context;
        outcomes_[count_++] = how;
    }
    /// `old` gave way to newer data: it will be destroyed, and then its callback is told `fate`.
    void displace(entry* old) noexcept { displaced_.push(old); }

    room_queue due; ///< to be woken

    /// No lock is held. Owner of nothing afterwards.
    void run() noexcept {
        if (has_memory()) free_memory();
        due.wake_all();
        for (std::uint32_t at = 0; at != count_; ++at) calls_[at](contexts_[at], outcomes_[at]);
        count_ = 0;
        while (entry* old = displaced_.pop()) entry::destroy_and_tell(old);
    }
    [[nodiscard]] bool empty() const noexcept { return !must_tell() && !has_memory(); }

private:
    [[nodiscard]] bool has_memory() const noexcept { return entries_ != nullptr || blocks_ != nullptr; }
    [[gnu::noinline]] void free_memory() noexcept {
        while (entries_ != nullptr) entry::destroy(detail::exchange(entries_, entries_->next));
        while (blocks_ != nullptr) block::destroy(detail::exchange(blocks_, blocks_->next));
    }

    entry* entries_ = nullptr;
    block* blocks_ = nullptr;
    entry_list displaced_;
    std::uint32_t count_ = 0;
    void (*calls_[max_outcomes])(void*, errc) noexcept;
    void* contexts_[max_outcomes];
    errc outcomes_[max_outcomes];
};

} // namespace wsolo::inline WSOLO_ABI::detail
