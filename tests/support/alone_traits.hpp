#pragma once
// For a test with one thread: a clock that stands still, and a sleep without a deadline, from which nobody could ever wake
// it, ends the program at once instead of hanging.

#include <support/manual_clock.hpp>

#include <cstdio>
#include <cstdlib>

struct alone_traits : manual_traits {
    struct condition_variable {
        template <class Lock>
        void wait(Lock&) {
            std::fputs("a thread that is alone would sleep for ever\n", stderr);
            std::abort();
        }
        template <class Lock>
        std::cv_status wait_until(Lock&, wsolo::time_point) {
            return std::cv_status::timeout;
        }
        void notify_one() noexcept {}
        void notify_all() noexcept {}
    };
};
