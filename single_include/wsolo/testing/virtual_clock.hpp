// Written by tools/amalgamate.py from include/wsolo/testing/virtual_clock.hpp: change it there.
// SPDX-License-Identifier: MIT
#pragma once
// A clock that stands still until a test moves it, and the Traits that make wsolo's parts use it. Not part of wsolo.hpp.
//
// Laws of this file:
// - Each thread has a clock of its own, so that tests in several threads do not disturb each other. What runs on it
//   belongs to one thread.
// - It begins a hundred years ahead of any machine's clock: a wait that mixes the two is seen at once.
// - Nothing sleeps. A wait with a deadline moves the clock there and times out; one without would never end, and ends
//   the program.

#include "../wsolo.hpp"

#include <condition_variable>

#include <cstdio>
#include <cstdlib>

namespace wsolo::inline WSOLO_ABI::testing {

/// A `Traits::clock`, of which each thread has its own. Monotonic: it is moved forward only.
class virtual_clock {
public:
    using duration = wsolo::duration;
    using rep = duration::rep;
    using period = duration::period;
    using time_point = wsolo::time_point;
    static constexpr bool is_steady = true;

    [[nodiscard]] static time_point now() noexcept { return now_; }
    /// The time passes and nothing runs, as for a process that slept. testing::pair makes time pass together with
    /// everything that is due in it.
    static void advance(duration by) noexcept { move_to(deadline_after(now_, by)); }
    /// To `when`, unless that is past.
    static void move_to(time_point when) noexcept {
        if (now_ < when) now_ = when;
    }

private:
    static inline thread_local time_point now_{std::chrono::hours(24 * 365 * 100)};
};

/// std_blocking_traits on virtual_clock, for what one thread runs.
struct virtual_traits : std_blocking_traits {
    using clock = virtual_clock;

    /// Waits by the virtual clock of the thread that waits: nothing sleeps, time is moved on.
    class condition_variable {
    public:
        void notify_one() noexcept {}
        void notify_all() noexcept {}

        /// A test that would wait for ever here has failed.
        template <class Lock>
        void wait(Lock& lock) {
            static_cast<void>(wait_until(lock, no_deadline));
        }
        template <class Lock>
        std::cv_status wait_until(Lock&, time_point deadline) {
            if (deadline == no_deadline) {
                std::fputs(
                    "wsolo: a wait without a deadline on a virtual clock: its only thread sleeps for ever\n",
                    stderr);
                std::abort();
            }
            virtual_clock::move_to(deadline);
            return std::cv_status::timeout;
        }
    };
};

} // namespace wsolo::inline WSOLO_ABI::testing
