#pragma once
// A standard library without pthread_cond_clockwait waits for the difference between the deadline and now: from a point
// long past it overflows, and the wait never ends. Here such a wait is counted, and ends.

#include <wsolo/sync/blocking_traits.hpp>

#include <atomic>

namespace support {

struct difference_traits : wsolo::std_blocking_traits {
    struct condition_variable : wsolo::os_condition_variable {
        inline static std::atomic<int> endless_waits{0};

        template <class Lock>
        auto wait_until(Lock& held, wsolo::time_point deadline) {
            using status = decltype(wsolo::os_condition_variable::wait_until(held, deadline));
            if (deadline < clock::now() - std::chrono::hours(1)) {
                ++endless_waits;
                return status::timeout;
            }
            return wsolo::os_condition_variable::wait_until(held, deadline);
        }
    };
    [[nodiscard]] static int take_endless_waits() { return condition_variable::endless_waits.exchange(0); }
};

} // namespace support
