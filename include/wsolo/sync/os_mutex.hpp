// SPDX-License-Identifier: MIT
#pragma once
// A mutex and a condition variable of the system's own.
//
// Laws of this file:
// - They do what std::mutex and std::condition_variable do, less what a wait here doesn't use. Where POSIX threads offer a
//   choice of the clock they are made of those, because <mutex> and <condition_variable> cost as much to include as all
//   standard headers that the other rooms take. Elsewhere they are std::'s.
// - Deadlines are of the steady clock only. A deadline beyond what the system can count becomes the last that it can count.
// - A wait may end without a reason: every caller has a loop.

#include "../core/time.hpp"

#if defined(__linux__) || defined(__FreeBSD__) || defined(__NetBSD__) || defined(__OpenBSD__)
#define WSOLO_HAS_PTHREAD_CLOCK 1
#include <limits>
#include <pthread.h>
#include <time.h>
#else
#define WSOLO_HAS_PTHREAD_CLOCK 0
#include <condition_variable>
#include <mutex>
#endif

namespace wsolo::inline WSOLO_ABI {

#if WSOLO_HAS_PTHREAD_CLOCK

/// A mutex for any threads, without <mutex>. Not recursive. It must be free when it is destroyed.
class os_mutex {
public:
    constexpr os_mutex() noexcept = default;
    os_mutex(const os_mutex&) = delete;
    os_mutex& operator=(const os_mutex&) = delete;
    ~os_mutex() { ::pthread_mutex_destroy(&native_); }

    void lock() noexcept {
        const int error = ::pthread_mutex_lock(&native_);
        WSOLO_ASSERT(error == 0, "os_mutex: this thread has it already, or it was destroyed");
        static_cast<void>(error);
    }
    [[nodiscard]] bool try_lock() noexcept { return ::pthread_mutex_trylock(&native_) == 0; }
    void unlock() noexcept { ::pthread_mutex_unlock(&native_); }

    [[nodiscard]] pthread_mutex_t* native_handle() noexcept { return &native_; }

private:
    pthread_mutex_t native_ = PTHREAD_MUTEX_INITIALIZER;
};

/// How a wait with a deadline ended.
enum class os_wait_status : unsigned char { no_timeout, timeout };

/// For any threads; deadlines are the steady clock's. It outlives its waits, and is neither copied nor moved. `Lock` is any that
/// holds an os_mutex and gives its address by mutex(): held_mutex, std::unique_lock<os_mutex>.
class os_condition_variable {
public:
    os_condition_variable() noexcept {
        pthread_condattr_t steady;
        ::pthread_condattr_init(&steady);
        ::pthread_condattr_setclock(&steady, CLOCK_MONOTONIC);
        ::pthread_cond_init(&native_, &steady);
        ::pthread_condattr_destroy(&steady);
    }
    os_condition_variable(const os_condition_variable&) = delete;
    os_condition_variable& operator=(const os_condition_variable&) = delete;
    ~os_condition_variable() { ::pthread_cond_destroy(&native_); }

    void notify_one() noexcept { ::pthread_cond_signal(&native_); }
    void notify_all() noexcept { ::pthread_cond_broadcast(&native_); }

    /// Gives the lock back, sleeps until a notice or for no reason, and takes it again.
    template <class Lock>
    void wait(Lock& held) noexcept {
        ::pthread_cond_wait(&native_, held.mutex()->native_handle());
    }
    template <class Lock>
    os_wait_status wait_until(Lock& held, time_point deadline) noexcept {
        const timespec until = timespec_of(deadline.time_since_epoch());
        const bool woken = ::pthread_cond_timedwait(&native_, held.mutex()->native_handle(), &until) == 0;
        return woken ? os_wait_status::no_timeout : os_wait_status::timeout;
    }

private:
    static timespec timespec_of(duration since) noexcept {
        timespec point{};
        if (since.count() < 0) return point;
        constexpr auto per_second = duration::period::den / duration::period::num;
        using seconds_type = decltype(point.tv_sec);
        constexpr seconds_type last = (std::numeric_limits<seconds_type>::max)();
        const bool fits = since.count() / per_second < last;
        point.tv_sec = fits ? static_cast<seconds_type>(since.count() / per_second) : last;
        point.tv_nsec =
            static_cast<decltype(point.tv_nsec)>(since.count() % per_second * (1'000'000'000 / per_second));
        return point;
    }

    pthread_cond_t native_;
};

#else

using os_mutex = std::mutex;
using os_condition_variable = std::condition_variable_any; // waits on any lock

#endif

/// Holds `Mutex`, which outlives it, for a scope of one thread, or is handed to a wait. (std::unique_lock would cost <mutex>.)
template <class Mutex>
class held_mutex {
public:
    explicit held_mutex(Mutex& of) : mutex_(&of) { of.lock(); }
    held_mutex(const held_mutex&) = delete;
    held_mutex& operator=(const held_mutex&) = delete;
    ~held_mutex() { mutex_->unlock(); }

    void lock() { mutex_->lock(); }
    void unlock() { mutex_->unlock(); }
    [[nodiscard]] Mutex* mutex() const noexcept { return mutex_; }

private:
    Mutex* mutex_;
};

} // namespace wsolo::inline WSOLO_ABI
