#pragma once
// A thread that waits for room in a writer's budget.
//
// Laws of this file:
// - It is linked by the very push that was refused, under the lock, so that room which comes meanwhile is not
//   missed; and it is unlinked, or woken for the last time, before it goes.
// - Being woken is no promise: it pushes anew, and may wait anew.

#include "../../sync/parker.hpp"
#include "../../sync/stop_hook.hpp"
#include "workload.hpp"

namespace wsolo::inline WSOLO_ABI::detail {

/// Lives on the waiting thread's stack, for one push and its wait.
template <class Traits>
class waiting_sender : public budget_waiter {
public:
    waiting_sender() noexcept {
        // NOLINTNEXTLINE(cppcoreguidelines-prefer-member-initializer): it is the base's
        wake = [](budget_waiter& self) noexcept { static_cast<waiting_sender&>(self).parker_.release(); };
    }

    /// Precondition: a push linked it. False: the deadline or a stop request came first.
    template <class Box, class StopToken>
    [[nodiscard]] bool wait_for_room(Box& box, time_point deadline, const StopToken& stop) {
        {
            const auto nudge = [this]() noexcept { parker_.nudge(); };
            [[maybe_unused]] const stop_hook<StopToken, decltype(nudge)> hook(stop, nudge);
            parker_.park_until(deadline);
        }
        waiter_list due;
        workload* unused = nullptr;
        if (box.withdraw(*this, due, unused)) {
            due.wake_all();
            workload::destroy(unused);
            return false;
        }
        parker_.park(); // it is being woken: the waker's touch must be over before the node goes
        return true;
    }

private:
    basic_parker<Traits> parker_;
};

/// Pushes until `push(budget_waiter*)`, which drives as well, is accepted or refused for another reason than a
/// full queue; waits for room in between. errc::timed_out or cancelled when that does not come.
template <class Traits, class Box, class StopToken, class Push>
[[nodiscard]] errc push_when_room(Box& box, time_point deadline, const StopToken& stop, Push push) {
    for (;;) {
        waiting_sender<Traits> waiter;
        const errc pushed = push(&waiter);
        if (pushed != errc::queue_full) return pushed;
        if (!waiter.wait_for_room(box, deadline, stop))
            return stop.stop_requested() ? errc::cancelled : errc::timed_out;
    }
}

} // namespace wsolo::inline WSOLO_ABI::detail
