#pragma once
// A clock that stands still until the test moves it, and the Traits that make the shipped headers use it. One
// per process: tests that move it are single-threaded.

#include <support/test_clock_sleep.hpp>

#include <wsolo/sync/blocking_traits.hpp>

struct manual_clock {
    using time_point = wsolo::time_point;
    static inline time_point current = support::far_ahead;
    static time_point now() noexcept { return current; }
    static void advance(wsolo::duration by) noexcept { current += by; }
};

struct manual_traits : wsolo::std_blocking_traits {
    using clock = manual_clock;
    using condition_variable = support::test_condition_variable<clock>;
};
