#pragma once
// What a flush() that waits shares with its mark in the queue.
//
// Laws of this file:
// - Two references, the waiting thread's and the mark's: whichever ends last frees it, so that a wait which
//   met its deadline leaves nothing dangling in the queue.

#include "../../sync/parker.hpp"
#include "../../sync/stop_hook.hpp"
#include "../outcome.hpp"

#include <new>

namespace wsolo::inline WSOLO_ABI::detail {

template <class Traits>
class flush_ticket {
public:
    /// nullptr when there is no memory.
    [[nodiscard]] static flush_ticket* make() noexcept { return new (std::nothrow) flush_ticket; }

    [[nodiscard]] on_outcome mark() noexcept {
        return {[](void* context, errc outcome) noexcept {
                    auto* self = static_cast<flush_ticket*>(context);
                    self->outcome_.store(outcome,
                                         std::memory_order_release); // a wait that times out now may see it
                    self->parker_.nudge();
                    self->drop();
                },
                this};
    }

    /// Sleeps until the mark's outcome, a nudge or the deadline. errc::timed_out when it is still out.
    [[nodiscard]] errc wait(time_point deadline) noexcept {
        parker_.park_until(deadline);
        return outcome_.load(std::memory_order_acquire);
    }
    void nudge() noexcept { parker_.nudge(); }

    void drop() noexcept {
        if (references_.fetch_sub(1, std::memory_order_acq_rel) == 1) delete this;
    }

private:
    flush_ticket() = default;

    basic_parker<Traits> parker_;
    typename Traits::template atomic<errc> outcome_{errc::timed_out};
    typename Traits::template atomic<int> references_{2};
};

/// Queues a mark with `queue(on_outcome)`, which may wait, and sleeps until its outcome.
template <class Traits, class StopToken, class Queue>
[[nodiscard]] errc flush_and_wait(time_point deadline, const StopToken& stop, Queue queue) {
    auto* ticket = flush_ticket<Traits>::make();
    if (ticket == nullptr) return errc::out_of_memory;
    errc outcome = queue(ticket->mark());
    if (outcome == errc::none) {
        const auto nudge = [ticket]() noexcept { ticket->nudge(); };
        [[maybe_unused]] const stop_hook<StopToken, decltype(nudge)> hook(stop, nudge);
        outcome = ticket->wait(deadline);
        if (outcome == errc::timed_out && stop.stop_requested()) outcome = errc::cancelled;
    } else {
        ticket->drop(); // the mark's reference: it was not queued
    }
    ticket->drop();
    return outcome;
}

} // namespace wsolo::inline WSOLO_ABI::detail
