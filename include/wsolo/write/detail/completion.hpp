// SPDX-License-Identifier: MIT
#pragma once
// A write that ends after start_write() returned: the block that the transport's completion and the writer share.
//
// Laws of this file:
// - Two references, the writer's and the completion's: the last one frees it, and with it the bytes that a destroyed
//   writer left behind, because the transport may still read them.
// - The batch is kept as it was started: entries may grow meanwhile, what the write names does not.
// - `is_over` and `how` belong to the outbox's lock, the other members to the thread that runs.

#include "one_write.hpp"

#include <new>

namespace wsolo::inline WSOLO_ABI::detail {

/// `Driver` has weak_type, traits, and a static on_write_over(writer&, started_write&, const io_result&).
template <class Driver>
class started_write final : public write_target {
    using weak_type = typename Driver::weak_type;
    using traits = typename Driver::traits;

public:
    /// nullptr when there is no memory.
    [[nodiscard]] static started_write* make(weak_type writer, const batch& plan) noexcept {
        return writer.is_expired() ? nullptr : new (std::nothrow) started_write(std::move(writer), plan);
    }

    /// Starts the write. The completion may come before this returns.
    template <completion_transport Transport>
    void start(Transport& connection, queue& work, const writer_rules& rules, time_point drain_deadline) {
        tried_ = traits::clock::now();
        const time_point deadline = earlier(write_deadline_from(work, rules, tried_), drain_deadline);
        references_.store(2, std::memory_order_relaxed); // not shared before
#if WSOLO_HAS_EXCEPTIONS
        try {
            connection.start_write(plan.parts(), deadline, write_done(*this));
        } catch (...) {
            // the write_done, destroyed on the way, said that it failed
        }
#else
        connection.start_write(plan.parts(), deadline, write_done(*this));
#endif
    }

    /// Cancels the write for the reason `why`. Called once.
    template <completion_transport Transport>
    void cancel(Transport& connection, errc why) noexcept {
        if (std::exchange(cancelled_, why) != errc::none) return;
#if WSOLO_HAS_EXCEPTIONS
        try {
            connection.cancel_write();
        } catch (...) { // a transport need not cancel
        }
#else
        connection.cancel_write();
#endif
    }
    [[nodiscard]] bool is_cancelled() const noexcept { return cancelled_ != errc::none; }

    /// Once it is over: what it did, and into `done` what it took. Frees it. `drain_deadline`: of a close or an abort.
    [[nodiscard]] written collect(queue& work, const writer_rules& rules, time_point drain_deadline,
                                  taken& done) noexcept {
        written made;
        static_cast<void>(settle_whole(plan, how));
        if (how.status == io_status::would_block) how.status = io_status::failed; // no such end
        account(plan, work, rules, how, traits::clock::now(), done);
        made.error = verdict_of_write(how, work, drain_deadline, tried_);
        // A cancelled write that took something all the same is not blamed: what is left is tried once more.
        if (is_cancelled() && made.error != errc::none) made.error = cancelled_;
        made.was_last = is_cancelled() && tried_ >= drain_deadline; // this was the one more try
        made.transport_error = how.error;
        drop();
        return made;
    }

    /// The writer is destroyed first: `rest` is freed once nothing reads it any more.
    void abandon(queue* rest) noexcept {
        rest_ = rest;
        drop();
    }

    const batch plan;
    io_result how;
    bool is_over = false;

private:
    started_write(weak_type writer, const batch& offered) noexcept
        : write_target{&on_over}, plan(offered), writer_(std::move(writer)) {}
    ~started_write() { queue::destroy(rest_); }

    static void on_over(write_target& self, const io_result& how) noexcept {
        auto& ended = static_cast<started_write&>(self);
        if (const auto writer = ended.writer_.try_use()) Driver::on_write_over(*writer, ended, how);
        ended.drop();
    }

    void drop() noexcept {
        if (references_.fetch_sub(1, std::memory_order_acq_rel) == 1) delete this;
    }

    weak_type writer_;
    typename traits::template atomic<int> references_{1};
    queue* rest_ = nullptr;
    time_point tried_{};
    errc cancelled_ = errc::none;
};

} // namespace wsolo::inline WSOLO_ABI::detail
