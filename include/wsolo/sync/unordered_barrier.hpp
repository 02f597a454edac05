#pragma once
// The sequence barrier for handlers that finish in any order: a thread pool, coroutines that overlap.
//
// Laws of this file:
// - The watermark passes a number when it and all below it are done; what finishes early is remembered in a
//   bitmap.
// - The bitmap is the bound: at most Window numbers are open at once, and issue() says queue_full beyond.
//   Nothing allocates, and no number is reused.
// - complete() takes a short lock (two RMWs while free); waits are as in sync/sequence_barrier.hpp.

#include "../core/result.hpp"
#include "ticket.hpp"
#include "watermark.hpp"

#include <array>

namespace wsolo::inline WSOLO_ABI {

/// Any thread may call any member. Numbers start at 1; mark 0 is always reached. 32 bytes and Window bits.
template <std::size_t Window = 64, class Traits = std_blocking_traits>
class basic_unordered_barrier : public basic_watermark<Traits> {
    using base = basic_watermark<Traits>;
    static_assert(Window > 0 && Window % 64 == 0, "a window is a whole number of 64-bit words");

public:
    using ticket = basic_ticket<basic_unordered_barrier>;
    using handling = basic_handling<basic_unordered_barrier>;

    basic_unordered_barrier() = default;

    static constexpr bool is_serial = false;
    /// How many numbers can be open: issued, and they or one below them not done.
    static constexpr std::size_t window = Window;

    /// The next number, for which exactly one complete() or abandon() is owed; or errc::queue_full.
    [[nodiscard]] result<std::uint64_t> issue() noexcept {
        // The watermark first: an old one can only overstate what is open.
        const std::uint64_t done = base::value_of(this->word_.load(std::memory_order_acquire));
        std::uint64_t last = issued_.load(std::memory_order_relaxed);
        do {
            if (last - done >= Window) return errc::queue_full;
        } while (!issued_.compare_exchange_weak(last, last + 1, std::memory_order_relaxed));
        return last + 1;
    }

    /// The same as an owner; empty (number 0) when the window is full.
    [[nodiscard]] ticket issue_ticket() noexcept {
        const result<std::uint64_t> number = issue();
        return number ? ticket(*this, *number) : ticket();
    }

    /// The last number issued so far. 0 before the first.
    [[nodiscard]] std::uint64_t snapshot() const noexcept { return issued_.load(std::memory_order_relaxed); }

    /// Item `n` is about to be handled. Nothing to note where no order is promised.
    void begin(std::uint64_t) noexcept {}

    /// Item `n` is handled. Releases what its handler wrote to those who wait for it; callbacks that this
    /// satisfies run in this call. O(numbers that the watermark passes).
    void complete(std::uint64_t n) noexcept {
        waiter* const first = this->lock_.lock();
        std::uint64_t done = base::value_of(this->word_.load(std::memory_order_relaxed));
        WSOLO_ASSERT(n > done && n <= snapshot() && !is_done_early(n),
                     "a number completes once, after it was issued");
        std::uint64_t step = 0;
        flip(n);
        for (; is_done_early(done + 1); ++step) flip(++done);
        if (step != 0) this->word_.fetch_add(step * base::one, std::memory_order_acq_rel);
        this->lock_.unlock(first);
        if (step != 0 && first != nullptr) base::settle();
    }

    /// Item `n` was numbered but not accepted: the same to those who wait.
    void abandon(std::uint64_t n) noexcept { complete(n); }

    /// Runs item `n` for the life of the result: completes it at its end, also when the handler throws.
    /// Inside it this thread's wait for `n` or beyond answers would_deadlock. It stays on the stack of one
    /// thread.
    [[nodiscard]] handling handle(std::uint64_t n) noexcept { return handling(*this, n); }
    [[nodiscard]] handling handle(ticket&& item) noexcept { return handling(*this, item.take()); }

private:
    [[nodiscard]] bool is_done_early(std::uint64_t n) const noexcept {
        return (done_early_[n / 64 % done_early_.size()] >> n % 64 & 1) != 0;
    }
    void flip(std::uint64_t n) noexcept {
        done_early_[n / 64 % done_early_.size()] ^= std::uint64_t{1} << n % 64;
    }

    typename Traits::template atomic<std::uint64_t> issued_{0};
    std::array<std::uint64_t, Window / 64> done_early_{}; // bit n % Window; under the lock
};

template <std::size_t Window = 64>
using unordered_barrier = basic_unordered_barrier<Window>;

} // namespace wsolo::inline WSOLO_ABI
