// SPDX-License-Identifier: MIT
#pragma once
// Numbers for what was received, and a wait for "everything up to here is handled, and nothing later": each
// notification is issued a number, each response takes the snapshot() of its moment and waits for that
// mark.
//
// Laws of this file:
// - One drainer completes in the order of the numbers. A number is never reused. One whose item was not accepted is
//   abandoned, in any order, by any thread. Waits pass over it when the next accepted number begins, or when
//   no number issued after it is still to be completed.
// - The number done and "there are waiters" share one word, and every change is one RMW. A waiter sets the bit by the RMW
//   that tells it whether it is too late; the advance that reaches its mark sees the bit. No wake-up can be lost.
// - issue() and complete() are one RMW each while there are no waiters and nothing is abandoned; a wait for what is done
//   already is one load.
// - The ring of waiters is changed under lock_ only; none is fired, woken or called under it. One waiter is taken and fired
//   at a time (sync/firing.hpp), lowest mark first, so that what it runs may add and remove waiters.
// - Verdicts: satisfied beats closed beats would_deadlock beats cancelled beats timed_out.

#include "firing.hpp"
#include "pointer_lock.hpp"
#include "stop_hook.hpp"
#include "ticket.hpp"

namespace wsolo::inline WSOLO_ABI {

/// A barrier over numbered items. Any thread may call any member, except complete() and handle(), which one drainer at a
/// time calls. Numbers start at 1; mark 0 is always reached. It must outlive all calls of its members and all waiters added
/// to it. No allocation, 40 bytes.
template <class Traits = std_blocking_traits>
class basic_sequence_barrier {
public:
    using traits = Traits;
    using time_point = typename Traits::clock::time_point;
    using ticket = basic_ticket<basic_sequence_barrier>;
    using handling = basic_handling<basic_sequence_barrier>;
    /// For a wait that has no bound.
    static constexpr time_point no_deadline = (time_point::max)();

    basic_sequence_barrier() = default;
    basic_sequence_barrier(const basic_sequence_barrier&) = delete;
    basic_sequence_barrier& operator=(const basic_sequence_barrier&) = delete;
    ~basic_sequence_barrier() {
        WSOLO_ASSERT((word_.load(std::memory_order_acquire) & waited_for) == 0,
                     "a barrier must outlive those who wait for it: close() it and let them return first");
    }

    // ---- numbers

    /// The next number. Exactly one complete() or abandon() is owed for it.
    [[nodiscard]] std::uint64_t issue() noexcept {
        return issued_.fetch_add(1, std::memory_order_relaxed) + 1;
    }

    /// The same, without a locked instruction, where one thread at a time issues numbers.
    [[nodiscard]] std::uint64_t issue_alone() noexcept {
        const std::uint64_t next = issued_.load(std::memory_order_relaxed) + 1;
        issued_.store(next, std::memory_order_relaxed);
        return next;
    }

    /// issue() as an owning value, so that an item's number is completed or abandoned with the item.
    [[nodiscard]] ticket issue_ticket() noexcept { return ticket(*this, issue()); }

    /// The last number issued so far: the mark of a response received now. 0 before the first.
    [[nodiscard]] std::uint64_t snapshot() const noexcept { return issued_.load(std::memory_order_relaxed); }

    /// Item `n` is about to be handled: all numbers below it are done. Releases waits for abandoned numbers right below
    /// it. One load when there are none. handle() calls it.
    void begin(std::uint64_t n) noexcept {
        if (!has_reached(n - 1)) pass_gap(n - 1, 0);
    }

    /// Item `n` is handled. Publishes what its handler wrote to the threads that wait for it; callbacks run in this call, or,
    /// where such calls nest eight deep, in the one around it (sync/firing.hpp). Call it in order: `n` follows the number
    /// completed last, apart from abandoned ones. (After close() any order is allowed, for a queue that drops its rest.)
    void complete(std::uint64_t n) noexcept {
        if (value_of(word_.load(std::memory_order_relaxed)) + 1 != n) return pass_gap(n, 1);
        const std::uint64_t before = word_.fetch_add(one, std::memory_order_acq_rel);
        if ((before & has_gaps) != 0) return pass_trailing_gap();
        if ((before & waited_for) != 0) settle();
    }

    /// Item `n` was numbered but not accepted: it will not be handled, and no wait includes it. Any thread,
    /// any order. May run callbacks, as complete() does.
    void abandon(std::uint64_t n) noexcept {
        waiter* const first = lock_.lock();
        // A complete() before this RMW shows in what it returns; a later one sees the bit and looks again.
        const std::uint64_t word = word_.fetch_or(has_gaps, std::memory_order_acq_rel);
        const std::uint64_t done = value_of(word);
        WSOLO_ASSERT(n > done && n <= snapshot(), "abandon() of a number that is done, or was never issued");
        const bool is_next = n == done + 1;
        if (!is_next) ++abandoned_ahead_;
        advance_to(is_next ? n : done, word | has_gaps);
        lock_.unlock(first);
        if (first != nullptr) settle();
    }

    /// Runs item `n` for the life of the result: begin(n) now, complete(n) at its end, also when the
    /// handler throws. Inside it this thread's wait for `n` or beyond answers would_deadlock. It stays on
    /// the stack of one thread; a handler that suspends calls begin() and complete() itself.
    [[nodiscard]] handling handle(std::uint64_t n) noexcept { return handling(*this, n); }
    [[nodiscard]] handling handle(ticket&& item) noexcept { return handling(*this, item.take()); }

    // ---- waits

    /// Whether everything up to `mark` is done. Acquires what was done. O(1), one load.
    [[nodiscard]] bool has_reached(std::uint64_t mark) const noexcept {
        return value_of(word_.load(std::memory_order_acquire)) >= mark;
    }

    /// Waits until everything up to `mark` is done. errc::none: it is, and what its handlers wrote is
    /// visible here. Otherwise the error that close() was given; would_deadlock when the caller runs a
    /// handler that this wait would wait for; cancelled; timed_out. A mark that is reached already costs one load.
    template <stop_token_like StopToken>
    [[nodiscard]] errc wait_up_to(std::uint64_t mark, time_point deadline, const StopToken& stop) noexcept {
        const std::uint64_t word = word_.load(std::memory_order_acquire);
        return is_decided(word, mark) ? verdict(word, mark) : wait_slowly(mark, deadline, stop);
    }
    [[nodiscard]] errc wait_up_to(std::uint64_t mark, time_point deadline = no_deadline) noexcept {
        return wait_up_to(mark, deadline, never_stop{});
    }

    /// Ends every wait that is not satisfied, those that begin later too, with `error`. The first close counts. Numbers
    /// may still be issued and completed. Fires waiters: callbacks run in this call.
    void close(errc error) noexcept {
        WSOLO_ASSERT(error != errc::none, "close() needs an error other than none");
        waiter* const first = lock_.lock();
        if ((word_.load(std::memory_order_relaxed) & closed) == 0) {
            error_ = error;
            word_.fetch_or(closed, std::memory_order_acq_rel);
        }
        lock_.unlock(first);
        settle();
    }

    /// Whether close() was called.
    [[nodiscard]] bool is_closed() const noexcept {
        return (word_.load(std::memory_order_acquire) & closed) != 0;
    }

    /// Links `added` until its mark is reached or the barrier is closed; fire() then runs in the thread
    /// that did that. False: the wait is over already, `added.outcome` says how, and fire() will not be
    /// called. On true `added` may have been fired before this returns. For builders of waiting forms
    /// (sync/callback.hpp, sync/await.hpp).
    [[nodiscard]] bool add(waiter& added) noexcept {
        added.taker = nullptr;
        waiter* first = detail::link_by_mark(lock_.lock(), added);
        const std::uint64_t word = word_.fetch_or(waited_for, std::memory_order_acq_rel);
        const bool waits = !is_decided(word, added.mark);
        if (!waits) {
            added.outcome = verdict(word, added.mark);
            first = without(first, added);
        }
        lock_.unlock(first);
        return waits;
    }

    /// True: `gone` is unlinked, and will not be fired. False: it was fired, or another thread is about to fire it.
    [[nodiscard]] bool remove(waiter& gone) noexcept {
        waiter* first = lock_.lock();
        const bool waits = gone.taker == nullptr && gone.is_linked();
        if (waits) first = without(first, gone);
        const bool is_withdrawn = waits || detail::firing_loop<Traits>::withdraw(gone);
        lock_.unlock(first);
        return is_withdrawn;
    }

protected:
    /// The word: the number above, these below.
    static constexpr std::uint64_t waited_for = 1; // the ring is not empty
    static constexpr std::uint64_t has_gaps = 2;   // abandoned numbers are to be passed, under the lock
    static constexpr std::uint64_t closed = 4;
    static constexpr std::uint64_t one = 8;

    /// Of a word.
    static constexpr std::uint64_t value_of(std::uint64_t word) noexcept { return word / one; }
    static constexpr bool is_decided(std::uint64_t word, std::uint64_t mark) noexcept {
        return value_of(word) >= mark || (word & closed) != 0;
    }

    typename Traits::template atomic<std::uint64_t> word_{0};

private:
    /// Under the lock.
    [[nodiscard]] bool is_due(const waiter* first) const noexcept {
        return first != nullptr && is_decided(word_.load(std::memory_order_acquire), first->mark);
    }

    /// Fires all that are due. Called with the lock free, after an advance that saw waited_for, and by close().
    [[gnu::noinline]] void
    settle() noexcept { // apart from complete(), as the next two: few of its calls need them
        waiter* const first = lock_.lock();
        if (is_due(first)) return fire(first);
        lock_.unlock(first);
    }

    /// Precondition: `first` is due. The lock is held, and is free afterwards.
    void fire(waiter* first) noexcept {
        detail::firing_loop<Traits> loop;
        for (;;) {
            waiter& due = *first;
            due.outcome = verdict(word_.load(std::memory_order_acquire), due.mark);
            first = without(first, due);
            const bool more = is_due(first);
            loop.take(due);
            lock_.unlock(first);
            loop.run(); // with none left, one that is fired may destroy the barrier
            if (!more) return;
            first = lock_.lock();
            if (!is_due(first)) return lock_.unlock(first);
        }
    }

    /// All up to `n` is done; `handled` of it (the last, or none) by a handler, the rest abandoned.
    [[gnu::noinline]] void pass_gap(std::uint64_t n, std::uint64_t handled) noexcept {
        waiter* const first = lock_.lock();
        const std::uint64_t word = word_.load(std::memory_order_relaxed);
        const std::uint64_t done = value_of(word);
        const bool is_closed = (word & closed) != 0;
        const bool in_order = n >= done + handled && n - done - handled <= abandoned_ahead_;
        if (in_order && !is_closed) {
            abandoned_ahead_ -= n - done - handled;
            advance_to(n, word);
        }
        lock_.unlock(first);
        WSOLO_ASSERT(in_order || is_closed,
                     "a sequence_barrier's numbers complete once and in order: a lower one is still open");
        if (is_closed && handled != 0) return abandon(n); // order is free now, so a gap proves nothing
        if (first != nullptr) settle();
    }

    [[gnu::noinline]] void pass_trailing_gap() noexcept {
        waiter* const first = lock_.lock();
        const std::uint64_t word = word_.load(std::memory_order_relaxed);
        advance_to(value_of(word), word);
        lock_.unlock(first);
        if (first != nullptr) settle();
    }

    /// Moves the number done to `done`, or to the last number issued when only abandoned ones lie between.
    /// Under the lock. The sum cannot go stale: while an accepted number is open, only its drainer passes
    /// it.
    void advance_to(std::uint64_t done, std::uint64_t word) noexcept {
        const std::uint64_t open_or_abandoned = snapshot() - done;
        if (open_or_abandoned == abandoned_ahead_) {
            done += abandoned_ahead_;
            abandoned_ahead_ = 0;
        }
        std::uint64_t step = (done - value_of(word)) * one;
        if (abandoned_ahead_ == 0) step -= word & has_gaps;
        if (step != 0) word_.fetch_add(step, std::memory_order_acq_rel);
    }

    struct sleeper final : waiter {
        explicit sleeper(std::uint64_t wanted) noexcept
            : waiter([](waiter& self) noexcept { static_cast<sleeper&>(self).parker.release(); }, wanted) {}
        basic_parker<Traits> parker;
    };

    /// Precondition: is_decided(word, mark).
    [[nodiscard]] errc verdict(std::uint64_t word, std::uint64_t mark) const noexcept {
        return value_of(word) >= mark ? errc::none : error_;
    }

    /// Unlinks `gone`, and clears the bit with the last waiter. Under the lock.
    [[nodiscard]] waiter* without(waiter* first, waiter& gone) noexcept {
        waiter* const rest = detail::unlink(first, gone);
        if (rest == nullptr) word_.fetch_and(~waited_for, std::memory_order_relaxed);
        return rest;
    }

    template <class StopToken>
    [[nodiscard]] errc wait_slowly(std::uint64_t mark, time_point deadline, const StopToken& stop) noexcept {
        if (basic_handler_scope<Traits>::is_inside(this, mark)) return errc::would_deadlock;
        if (stop.stop_requested()) return errc::cancelled;
        sleeper self(mark);
        if (!add(self)) return self.outcome;
        {
            const auto nudge = [&self]() noexcept { self.parker.nudge(); };
            [[maybe_unused]] const stop_hook<StopToken, decltype(nudge)> hook(stop, nudge);
            self.parker.park_until(deadline);
        }
        const bool is_unfired = remove(self);
        if (!is_unfired) self.parker.park(); // the thread that took it is about to release it, or has
        const std::uint64_t word = word_.load(std::memory_order_acquire);
        if (is_decided(word, mark)) return verdict(word, mark);
        return stop.stop_requested() ? errc::cancelled : errc::timed_out;
    }

    typename Traits::template atomic<std::uint64_t> issued_{0};
    std::uint64_t abandoned_ahead_ = 0;       // abandoned numbers above the number done; under the lock
    basic_pointer_lock<waiter, Traits> lock_; // guards the ring, error_ and abandoned_ahead_
    errc error_ = errc::none;
};

using sequence_barrier = basic_sequence_barrier<>;

} // namespace wsolo::inline WSOLO_ABI
