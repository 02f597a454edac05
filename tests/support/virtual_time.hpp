#pragma once
// Virtual time for whole sessions: the stepped clock of step_traits.hpp as the library's own points in
// time, so that writer, heartbeat and sleeping handlers live by the same one.

#include "step_traits.hpp"
#include "test_clock_sleep.hpp"

#include <wsolo/sync/blocking_traits.hpp>
#include <wsolo/sync/parker.hpp>

namespace support {

struct virtual_clock {
    using time_point = wsolo::time_point;
    static time_point now() noexcept { return far_ahead + step_clock::now().time_since_epoch(); }
};

/// The real locks and threads, on virtual time.
struct virtual_traits : wsolo::std_blocking_traits {
    using clock = virtual_clock;
    using condition_variable = test_condition_variable<clock>;
};

/// Sleeps for that long in virtual time; on an actor's thread.
inline void sleep_virtually(step_clock::duration span) {
    wsolo::basic_parker<step_traits> parker;
    parker.park_until(step_clock::in(span));
}

} // namespace support
