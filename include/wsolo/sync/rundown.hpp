// SPDX-License-Identifier: MIT
#pragma once
// Tells an owner when the last user has left: users enter while it is open, close() ends that, and wait()
// returns when the last one has left. Work that is published after its thread has entered can always be waited for.
//
// Laws of this file:
// - "Closed?" and "one more inside" change in one word by one CAS: a refused entry was never counted.
// - leave() is one RMW, and nothing after it touches the object, unless that RMW drained it while there were
//   waiters. In that case the waiters keep the object alive until the leaving thread has released the ring's lock, which is
//   its last touch.
// - So a thread that was told "drained" may destroy the object. A wait that is about to time out looks at the
//   word first: once the last leaver has seen a waiter, that waiter stays until it is released.
// - The waiting bit is set and cleared under the ring's lock, and never after the drain.

#include "../core/detail/exchange.hpp"
#include "firing.hpp"
#include "pointer_lock.hpp"
#include "stop_hook.hpp"
#include "waiter.hpp"

namespace wsolo::inline WSOLO_ABI {

/// Counts the users inside. Any thread may call any member. It may be destroyed once wait() or a callback has told that
/// it is drained, or close() was called without users, and no other wait, callback or close() is under way. 16 bytes,
/// no allocation.
template <class Traits = std_blocking_traits>
class basic_rundown {
public:
    using traits = Traits;
    using time_point = typename Traits::clock::time_point;
    /// For a wait that has no bound.
    static constexpr time_point no_deadline = (time_point::max)();

    class guard;

    basic_rundown() = default;
    basic_rundown(const basic_rundown&) = delete;
    basic_rundown& operator=(const basic_rundown&) = delete;
    ~basic_rundown() {
        WSOLO_ASSERT(users_of(word_.load(std::memory_order_acquire)) == 0,
                     "a rundown was destroyed with users inside: close() and wait() first");
    }

    /// Enters, for the life of the guard. Empty once closed.
    [[nodiscard]] guard try_enter() noexcept { return guard(enter() ? this : nullptr); }

    /// try_enter() without a guard: after true the caller owes one leave().
    [[nodiscard]] bool enter() noexcept {
        std::uint32_t seen = word_.load(std::memory_order_relaxed);
        do {
            if ((seen & closed) != 0) return false;
            WSOLO_ASSERT(users_of(seen) < most_users, "a rundown has 2^29 - 1 users at most");
        } while (!word_.compare_exchange_weak(seen, seen + one, std::memory_order_acquire,
                                              std::memory_order_relaxed));
        return true;
    }

    /// Leaves. The last leave() after close() releases the waiters and runs their callbacks, in this call or, where such
    /// calls nest deep, in the one around it (sync/firing.hpp).
    void leave() noexcept {
        const std::uint32_t before = word_.fetch_sub(one, std::memory_order_acq_rel);
        WSOLO_ASSERT(users_of(before) != 0, "leave() without enter()");
        if (before == (one | closed | waited_for)) release_waiters();
    }

    /// Refuses all entries from now on. True: this call closed it. When there are no users, waiters are released and
    /// callbacks run here, as in leave().
    bool close() noexcept {
        const std::uint32_t before = word_.fetch_or(closed, std::memory_order_acq_rel);
        if (before == waited_for) release_waiters();
        return (before & closed) == 0;
    }

    /// Whether close() was called: every entry is refused.
    [[nodiscard]] bool is_closed() const noexcept {
        return (word_.load(std::memory_order_acquire) & closed) != 0;
    }

    /// How many users are inside. For metrics: the number may be out of date at once.
    [[nodiscard]] std::uint32_t users() const noexcept {
        return users_of(word_.load(std::memory_order_relaxed));
    }

    /// Waits until it is closed and all users have left: errc::none; what they wrote is visible to the caller, and none of
    /// them touches this object any more. Otherwise errc::cancelled or errc::timed_out. The caller must not be a user
    /// itself.
    template <stop_token_like StopToken>
    [[nodiscard]] errc wait(time_point deadline, const StopToken& stop) noexcept {
        if (is_left()) return errc::none;
        sleeper self;
        if (!add(self)) return errc::none;
        {
            const auto nudge = [&self]() noexcept { self.parker.nudge(); };
            [[maybe_unused]] const stop_hook<StopToken, decltype(nudge)> hook(stop, nudge);
            self.parker.park_until(deadline);
        }
        if (remove(self)) return stop.stop_requested() ? errc::cancelled : errc::timed_out;
        self.parker.park(); // drained: the last leaver is about to release this waiter, or has
        return errc::none;
    }
    [[nodiscard]] errc wait(time_point deadline = no_deadline) noexcept {
        return wait(deadline, never_stop{});
    }

    /// Whether wait() would return at once, because no thread is left that would touch this object: it may be destroyed. Never
    /// waits. False also while another waiter is about to be told.
    [[nodiscard]] bool is_left() const noexcept {
        const std::uint32_t word = word_.load(std::memory_order_acquire);
        return is_drained(word) && (word & waited_for) == 0;
    }
    /// Whether it is closed and all users have left. True does not mean that the object may be destroyed: only is_left(),
    /// wait(), a callback or co_await say that.
    [[nodiscard]] bool is_drained() const noexcept {
        return is_drained(word_.load(std::memory_order_acquire));
    }

    /// Links `added` until the drain; fire() then runs in the thread of the last leave(). False: drained
    /// already, and fire() will not be called.
    [[nodiscard]] bool add(waiter& added) noexcept {
        added.taker = nullptr;
        waiter* const first = lock_.lock();
        std::uint32_t seen = word_.load(std::memory_order_acquire);
        bool waits = (seen & released) == 0;
        while (waits && (seen & waited_for) == 0) {
            if (is_drained(seen)) {
                waits = false; // it would not be fired: the last leaver saw no waiter
            } else if (word_.compare_exchange_weak(seen, seen | waited_for, std::memory_order_acq_rel)) {
                break;
            }
        }
        lock_.unlock(waits ? detail::link_by_mark(first, added) : first);
        return waits;
    }

    /// True: `gone` is unlinked now, and will not be fired. False: the drain took it; fire() has run or will run.
    [[nodiscard]] bool remove(waiter& gone) noexcept {
        waiter* const first = lock_.lock();
        std::uint32_t seen = word_.load(std::memory_order_acquire);
        // The last waiter's removal clears the bit, in one step with "not drained yet".
        bool stays = is_drained(seen);
        while (!stays && gone.next == &gone &&
               !word_.compare_exchange_weak(seen, seen & ~waited_for, std::memory_order_acq_rel)) {
            stays = is_drained(seen);
        }
        const bool is_withdrawn = !stays || detail::firing_loop<Traits>::withdraw(gone);
        lock_.unlock(stays ? first : detail::unlink(first, gone));
        return is_withdrawn;
    }

private:
    // The word: users above, these below.
    static constexpr std::uint32_t closed = 1;
    static constexpr std::uint32_t waited_for = 2; // the ring is not empty, or it was when the drain came
    static constexpr std::uint32_t released = 4;   // the ring was taken by the drain
    static constexpr std::uint32_t one = 8;
    static constexpr std::uint32_t most_users = 0xFFFF'FFFFU / one;

    static constexpr std::uint32_t users_of(std::uint32_t word) noexcept { return word / one; }
    static constexpr bool is_drained(std::uint32_t word) noexcept {
        return (word & closed) != 0 && users_of(word) == 0;
    }

    struct sleeper final : waiter {
        sleeper() noexcept
            : waiter([](waiter& self) noexcept { static_cast<sleeper&>(self).parker.release(); }) {}
        basic_parker<Traits> parker;
    };

    void release_waiters() noexcept {
        detail::firing_loop<Traits> loop;
        waiter* first = lock_.lock();
        word_.fetch_or(released, std::memory_order_relaxed);
        while (first != nullptr) {
            waiter& due = *first;
            first = detail::unlink(first, due);
            loop.take(due);
        }
        lock_.unlock(nullptr); // the last touch: the first one fired may destroy the object
        loop.run();
    }

    basic_pointer_lock<waiter, Traits> lock_; // guards the ring
    // The last: what follows a rundown may lie in its tail padding.
    typename Traits::template atomic<std::uint32_t> word_{0};
};

/// One user inside. Move-only, one thread at a time; its destructor leaves. Empty when the rundown was closed.
template <class Traits>
class [[nodiscard]] basic_rundown<Traits>::guard {
public:
    guard() = default;
    guard(guard&& other) noexcept : rundown_(detail::exchange(other.rundown_, nullptr)) {}
    guard& operator=(guard&& other) noexcept {
        if (this != &other) {
            leave();
            rundown_ = detail::exchange(other.rundown_, nullptr);
        }
        return *this;
    }
    ~guard() { leave(); }

    [[nodiscard]] explicit operator bool() const noexcept { return rundown_ != nullptr; }

    /// Leaves now. No effect when empty. The rundown may be gone when this returns.
    void leave() noexcept {
        if (rundown_ != nullptr) detail::exchange(rundown_, nullptr)->leave();
    }

private:
    friend basic_rundown;
    explicit guard(basic_rundown* rundown) noexcept : rundown_(rundown) {}

    basic_rundown* rundown_ = nullptr;
};

using rundown = basic_rundown<>;

} // namespace wsolo::inline WSOLO_ABI
