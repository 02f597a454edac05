#pragma once
// Numbers for what was received, and a wait for "everything up to here is handled, and nothing later": each
// notification is issued a number, each response takes the snapshot() of its moment and waits for that
// mark.
//
// Laws of this file:
// - One drainer completes in the order of the numbers.
// - A number is never reused. One whose item was not accepted is abandoned, in any order, by any thread;
//   waits pass over it as soon as everything else up to them is done.
// - issue() and complete() are one RMW each while nobody waits and nothing is abandoned; a wait for what is
//   done already is one load.

#include "ticket.hpp"
#include "watermark.hpp"

namespace wsolo::inline WSOLO_ABI {

/// Waiting for what came before. issue(), abandon(), snapshot() and everything of basic_watermark may be
/// called from any thread; complete() and handle() by one drainer at a time. Numbers start at 1; mark 0 is
/// always reached. No allocation, 40 bytes.
template <class Traits = std_blocking_traits>
class basic_sequence_barrier : public basic_watermark<Traits> {
    using base = basic_watermark<Traits>;

public:
    using ticket = basic_ticket<basic_sequence_barrier>;
    using handling = basic_handling<basic_sequence_barrier>;

    basic_sequence_barrier() = default;

    /// The next number. Exactly one complete() or abandon() is owed for it.
    [[nodiscard]] std::uint64_t issue() noexcept {
        return issued_.fetch_add(1, std::memory_order_relaxed) + 1;
    }

    /// The same as an owner, so that an item's number ends with the item.
    [[nodiscard]] ticket issue_ticket() noexcept { return ticket(*this, issue()); }

    /// The last number issued so far: the mark of a response received now. 0 before the first.
    [[nodiscard]] std::uint64_t snapshot() const noexcept { return issued_.load(std::memory_order_relaxed); }

    /// Item `n` is about to be handled: all below it is done. Wakes those who wait for abandoned numbers
    /// right below it. One load when there are none. handle() calls it.
    void begin(std::uint64_t n) noexcept {
        if (!base::has_reached(n - 1)) pass_gap(n - 1, 0);
    }

    /// Item `n` is handled. Releases what its handler wrote to those who wait for it; their callbacks run
    /// in this call. In order: n follows the number completed last, but for abandoned ones. (After close()
    /// the order is free: what a queue drops on its way out.)
    void complete(std::uint64_t n) noexcept {
        if (base::value_of(this->word_.load(std::memory_order_relaxed)) + 1 != n) return pass_gap(n, 1);
        const std::uint64_t before = this->word_.fetch_add(base::one, std::memory_order_acq_rel);
        if ((before & base::has_gaps) != 0) return pass_trailing_gap();
        if ((before & base::waited_for) != 0) base::settle();
    }

    /// Item `n` was numbered but not accepted: nobody will handle it, and no wait includes it. Any thread,
    /// any order. May run callbacks, as complete() does.
    void abandon(std::uint64_t n) noexcept {
        waiter* const first = this->lock_.lock();
        // A complete() before this RMW shows in what it returns; a later one sees the bit and looks again.
        const std::uint64_t word = this->word_.fetch_or(base::has_gaps, std::memory_order_acq_rel);
        const std::uint64_t done = base::value_of(word);
        WSOLO_ASSERT(n > done && n <= snapshot(), "abandon() of a number that is done, or was never issued");
        const bool is_next = n == done + 1;
        if (!is_next) ++abandoned_ahead_;
        advance_to(is_next ? n : done, word | base::has_gaps);
        this->lock_.unlock(first);
        if (first != nullptr) base::settle();
    }

    /// Runs item `n` for the life of the result: begin(n) now, complete(n) at its end, also when the
    /// handler throws. Inside it this thread's wait for `n` or beyond answers would_deadlock. It stays on
    /// the stack of one thread; a handler that suspends calls begin() and complete() itself.
    [[nodiscard]] handling handle(std::uint64_t n) noexcept { return handling(*this, n); }
    [[nodiscard]] handling handle(ticket&& item) noexcept { return handling(*this, item.take()); }

private:
    /// All up to `n` is done; `handled` of it (the last, or none) by a handler, the rest abandoned.
    void pass_gap(std::uint64_t n, std::uint64_t handled) noexcept {
        waiter* const first = this->lock_.lock();
        const std::uint64_t word = this->word_.load(std::memory_order_relaxed);
        const std::uint64_t done = base::value_of(word);
        const bool is_closed = (word & base::closed) != 0;
        const bool in_order = n >= done + handled && n - done - handled <= abandoned_ahead_;
        if (in_order && !is_closed) {
            abandoned_ahead_ -= n - done - handled;
            advance_to(n, word);
        }
        this->lock_.unlock(first);
        WSOLO_ASSERT(in_order || is_closed,
                     "a sequence_barrier's numbers complete once and in order: a lower one is still open");
        if (is_closed && handled != 0) return abandon(n); // order is free now, so a gap proves nothing
        if (first != nullptr) base::settle();
    }

    void pass_trailing_gap() noexcept {
        waiter* const first = this->lock_.lock();
        const std::uint64_t word = this->word_.load(std::memory_order_relaxed);
        advance_to(base::value_of(word), word);
        this->lock_.unlock(first);
        if (first != nullptr) base::settle();
    }

    /// Moves the watermark to `done`, or to the last number issued when only abandoned ones lie between.
    /// Under the lock. The sum cannot go stale: while an accepted number is open, only its drainer passes
    /// it.
    void advance_to(std::uint64_t done, std::uint64_t word) noexcept {
        const std::uint64_t open_or_abandoned = snapshot() - done;
        if (open_or_abandoned == abandoned_ahead_) {
            done += abandoned_ahead_;
            abandoned_ahead_ = 0;
        }
        std::uint64_t step = (done - base::value_of(word)) * base::one;
        if (abandoned_ahead_ == 0) step -= word & base::has_gaps;
        if (step != 0) this->word_.fetch_add(step, std::memory_order_acq_rel);
    }

    typename Traits::template atomic<std::uint64_t> issued_{0};
    std::uint64_t abandoned_ahead_ = 0; // abandoned numbers above the watermark; under the lock
};

using sequence_barrier = basic_sequence_barrier<>;

} // namespace wsolo::inline WSOLO_ABI
