#pragma once
// What a thread sleeps on under a test's clock: a deadline comes when that clock says so, never by the system's.
//
// Laws of this file:
// - A test's clock shows the library's own points in time, which a real wait would accept. So a test's clock stands a
//   hundred years ahead of any machine's: a wait that mixes the two ends at once or never, on every machine alike.
// - Who sleeps for ten seconds under a clock that stands still will sleep for ever: that ends the program, with a name.

#include <wsolo/core/time.hpp>

#include <atomic>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>

namespace support {

/// Where a test's clock begins.
inline constexpr wsolo::time_point far_ahead{std::chrono::hours(24 * 365 * 100)};

/// Wakes by notification, by `Clock`, and now and then for nothing.
template <class Clock>
class test_condition_variable {
public:
    inline static int patience = 10'000; ///< milliseconds, or a little more

    void notify_one() noexcept {
        looks_ = 0;
        real_.notify_one();
    }
    void notify_all() noexcept {
        looks_ = 0;
        real_.notify_all();
    }

    template <class Lock>
    void wait(Lock& held) {
        static_cast<void>(wait_until(held, wsolo::no_deadline));
    }

    template <class Lock>
    std::cv_status wait_until(Lock& held, wsolo::time_point deadline) {
        if (Clock::now() >= deadline) return std::cv_status::timeout;
        if (++looks_ > patience) {
            std::fputs("a thread sleeps for ever under a test's clock\n", stderr);
            std::abort();
        }
        real_.wait_for(held, std::chrono::milliseconds(1));
        return std::cv_status::no_timeout;
    }

private:
    std::condition_variable_any real_;
    std::atomic<int> looks_{0}; ///< since the last notification
};

} // namespace support
