#pragma once
// A number that only grows, and those who wait for it to reach their mark: what the sequence barrier is built on.
//
// Laws of this file:
// - The number and "there are waiters" share one word, and every change is one RMW. A waiter sets the bit by
//   the RMW that tells it whether it is too late; the advance that reaches its mark sees the bit. No
//   wake-up can be lost.
// - The ring of waiters is changed under lock_ only; none is fired, woken or called under it.
// - One waiter is taken and fired at a time (sync/firing.hpp), lowest mark first, so that what fire() runs may add and
//   remove waiters.
// - Verdicts: satisfied beats closed beats would_deadlock beats cancelled beats timed_out.

#include "firing.hpp"
#include "pointer_lock.hpp"
#include "stop_hook.hpp"
#include "waiter.hpp"

namespace wsolo::inline WSOLO_ABI {

/// The waiting side of a barrier. Any thread may call any public member. It must outlive all calls of its
/// members and all waiters added to it.
template <class Traits>
class basic_watermark {
public:
    using traits = Traits;
    using time_point = typename Traits::clock::time_point;
    static constexpr time_point no_deadline = time_point::max();

    basic_watermark(const basic_watermark&) = delete;
    basic_watermark& operator=(const basic_watermark&) = delete;

    /// Whether everything up to `mark` is done. Acquires what was done. O(1), one load.
    [[nodiscard]] bool has_reached(std::uint64_t mark) const noexcept {
        return value_of(word_.load(std::memory_order_acquire)) >= mark;
    }

    /// Waits until everything up to `mark` is done. errc::none: it is, and what its handlers wrote is
    /// visible here. Otherwise the error that close() was given; would_deadlock when the caller runs a
    /// handler that this wait would wait for; cancelled; timed_out. Reached already: one load, whatever the
    /// arguments.
    template <stop_token_like StopToken>
    [[nodiscard]] errc wait_up_to(std::uint64_t mark, time_point deadline, const StopToken& stop) noexcept {
        const std::uint64_t word = word_.load(std::memory_order_acquire);
        return is_decided(word, mark) ? verdict(word, mark) : wait_slowly(mark, deadline, stop);
    }
    [[nodiscard]] errc wait_up_to(std::uint64_t mark, time_point deadline = no_deadline) noexcept {
        return wait_up_to(mark, deadline, never_stop{});
    }

    /// Ends every wait that is not satisfied, now and later, with `error`. The first close counts. Numbers
    /// may still be issued and completed. Fires waiters: callbacks run in this call.
    void close(errc error) noexcept {
        WSOLO_ASSERT(error != errc::none, "close() needs the error that waiters are to be told");
        waiter* const first = lock_.lock();
        if ((word_.load(std::memory_order_relaxed) & closed) == 0) {
            error_ = error;
            word_.fetch_or(closed, std::memory_order_acq_rel);
        }
        lock_.unlock(first);
        settle();
    }

    [[nodiscard]] bool is_closed() const noexcept {
        return (word_.load(std::memory_order_acquire) & closed) != 0;
    }

    /// Links `added` until its mark is reached or the barrier is closed; fire() then runs in the thread
    /// that did that. False: it is decided already, `added.outcome` says how, and fire() will not be
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

    /// True: `gone` waited, does so no more, and will not be fired. False: it was fired, or another thread is about to.
    [[nodiscard]] bool remove(waiter& gone) noexcept {
        waiter* first = lock_.lock();
        const bool waits = gone.taker == nullptr && gone.is_linked();
        if (waits) first = without(first, gone);
        const bool is_withdrawn = waits || detail::firing_loop<Traits>::withdraw(gone);
        lock_.unlock(first);
        return is_withdrawn;
    }

protected:
    basic_watermark() = default;
    ~basic_watermark() {
        WSOLO_ASSERT((word_.load(std::memory_order_acquire) & waited_for) == 0,
                     "a barrier must outlive those who wait for it: close() it and let them return first");
    }

    // The word: the number above, these below.
    static constexpr std::uint64_t waited_for = 1; // the ring is not empty
    static constexpr std::uint64_t has_gaps = 2; // the derived barrier has something to settle under the lock
    static constexpr std::uint64_t closed = 4;
    static constexpr std::uint64_t one = 8;

    static constexpr std::uint64_t value_of(std::uint64_t word) noexcept { return word / one; }
    static constexpr bool is_decided(std::uint64_t word, std::uint64_t mark) noexcept {
        return value_of(word) >= mark || (word & closed) != 0;
    }

    /// Fires all who are decided. Called with the lock free, after an advance that saw waited_for, and by
    /// close().
    void settle() noexcept {
        detail::firing_loop<Traits> loop;
        for (bool more = true; more;) {
            waiter* first = lock_.lock();
            const std::uint64_t word = word_.load(std::memory_order_acquire);
            if (first == nullptr || !is_decided(word, first->mark)) {
                lock_.unlock(first);
                return;
            }
            waiter& due = *first;
            due.outcome = verdict(word, due.mark);
            first = without(first, due);
            more = first != nullptr && is_decided(word, first->mark);
            loop.take(due);
            lock_.unlock(first);
            loop.run(); // with none left, one that is fired may destroy the barrier
        }
    }

    typename Traits::template atomic<std::uint64_t> word_{0};
    basic_pointer_lock<waiter, Traits> lock_; // guards the ring, error_, and the derived barrier's gaps

private:
    struct sleeper final : waiter {
        explicit sleeper(std::uint64_t wanted) noexcept
            : waiter([](waiter& self) noexcept { static_cast<sleeper&>(self).parker.release(); }, wanted) {}
        basic_parker<Traits> parker;
    };

    /// Precondition: is_decided(word, mark).
    [[nodiscard]] errc verdict(std::uint64_t word, std::uint64_t mark) const noexcept {
        return value_of(word) >= mark ? errc::none : error_;
    }

    /// Unlinks; the bit goes with the last waiter. Under the lock.
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

    errc error_ = errc::none;
};

} // namespace wsolo::inline WSOLO_ABI
