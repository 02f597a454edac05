#pragma once
// interleave::clock, mutex and condition_variable, run by the engine.
//
// Laws of this file:
// - Outside an execution a mutex does nothing and the clock stands still: there is one thread.
// - A condition variable waits on any lock whose mutex() is an interleave::mutex.

#include "api.hpp"

#include <chrono>
#include <condition_variable>

namespace interleave {

/// Virtual time, in the steady clock's own points. It stands still but for config::clock_steps and timed
/// waits that end by time.
struct clock {
    using duration = std::chrono::nanoseconds;
    using rep = duration::rep;
    using period = duration::period;
    using time_point = std::chrono::time_point<std::chrono::steady_clock, duration>;
    static constexpr bool is_steady = true;

    static time_point now() noexcept {
        return time_point(duration(detail::active != nullptr ? detail::now() : 1'000'000'000));
    }
};

/// Not recursive. Locking again, unlocking without holding and dying while held fail the execution.
class mutex {
public:
    constexpr mutex() noexcept {
        if (!std::is_constant_evaluated()) detail::born(this, detail::kind::mutex, 0);
    }
    mutex(const mutex&) = delete;
    mutex& operator=(const mutex&) = delete;
    ~mutex() { detail::gone(this, detail::kind::mutex); }

    void lock() {
        if (detail::active != nullptr) detail::lock(this);
    }
    bool try_lock() { return detail::active == nullptr || detail::try_lock(this); }
    void unlock() {
        if (detail::active != nullptr) detail::unlock(this);
    }
};

/// Wakes whom it likes, and for nothing within config::spurious_wakes. Dying while a thread waits unnotified,
/// or while a call is not ordered before that, fails the execution.
class condition_variable {
public:
    condition_variable() noexcept { detail::born(this, detail::kind::condition, 0); }
    condition_variable(const condition_variable&) = delete;
    condition_variable& operator=(const condition_variable&) = delete;
    ~condition_variable() { detail::gone(this, detail::kind::condition); }

    void notify_one() noexcept {
        if (detail::active != nullptr) detail::notify(this, false);
    }
    void notify_all() noexcept {
        if (detail::active != nullptr) detail::notify(this, true);
    }

    template <class Lock>
    void wait(Lock& held) {
        detail::wait(this, held.mutex(), nullptr);
    }
    template <class Lock, class Predicate>
    void wait(Lock& held, Predicate satisfied) {
        while (!satisfied()) wait(held);
    }
    template <class Lock, class Duration>
    std::cv_status wait_until(Lock& held,
                              std::chrono::time_point<std::chrono::steady_clock, Duration> deadline) {
        const std::int64_t nanoseconds = saturated(deadline.time_since_epoch());
        return detail::wait(this, held.mutex(), &nanoseconds) ? std::cv_status::no_timeout
                                                              : std::cv_status::timeout;
    }
    template <class Lock, class Duration, class Predicate>
    bool wait_until(Lock& held, std::chrono::time_point<std::chrono::steady_clock, Duration> deadline,
                    Predicate satisfied) {
        while (!satisfied())
            if (wait_until(held, deadline) == std::cv_status::timeout) return satisfied();
        return true;
    }

private:
    // A coarse time_point::max() overflows in nanoseconds, and means never.
    template <class Duration>
    static std::int64_t saturated(Duration since) noexcept {
        if (since >= std::chrono::duration_cast<Duration>(clock::duration::max()))
            return clock::duration::max().count();
        return std::chrono::duration_cast<clock::duration>(since).count();
    }
};

} // namespace interleave
