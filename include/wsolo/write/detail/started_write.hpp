#pragma once
// A write that was started and is not over yet: what the transport's completion and the writer share.
//
// Laws of this file:
// - Two references, the writer's and the completion's: whichever ends last frees it, and with it the bytes
//   that a destroyed writer left behind, because the transport may still read them.
// - Nobody touches the flight while a write stands, so the plan need not be kept: made anew it is the same.
// - `over` and `how` belong to the outbox's lock, the other members to the owner of the write token.

#include "attempt.hpp"

#include <new>

namespace wsolo::inline WSOLO_ABI::detail {

template <class Core>
class started_write final : public write_target {
public:
    /// Starts one into `slot`; nullptr there when there is no memory. The call may end the write before it
    /// returns. Owner only, with no lock held.
    template <completion_transport Transport>
    static void start(started_write*& slot, typename Core::weak_type writer, Transport& connection,
                      const gather_plan& plan, const workload& work, bool only_what_must, time_point now) {
        slot = writer.is_expired() ? nullptr
                                   : new (std::nothrow) started_write(std::move(writer), only_what_must, now);
        if (slot == nullptr) return;
        const time_point deadline = earlier(work.write_deadline, work.drain_deadline);
#if WSOLO_HAS_EXCEPTIONS
        try {
            connection.start_write(plan.parts(), deadline, write_done(*slot));
        } catch (...) {
            // the write_done, destroyed on the way, said that it failed
        }
#else
        connection.start_write(plan.parts(), deadline, write_done(*slot));
#endif
    }

    /// Owner: has it end soon, because `why`.
    template <completion_transport Transport>
    void cancel(Transport& connection, errc why) noexcept {
        if (std::exchange(cancelled_, why) != errc::none) return;
#if WSOLO_HAS_EXCEPTIONS
        try {
            connection.cancel_write();
        } catch (...) { // it did nothing, as it may
        }
#else
        connection.cancel_write();
#endif
    }
    [[nodiscard]] bool is_cancelled() const noexcept { return cancelled_ != errc::none; }

    /// Owner, once it is over: what it did. Frees it.
    [[nodiscard]] attempt settle(workload& work, const settings& options) {
        attempt made;
        gather_plan plan;
        work.in_flight.plan(plan, only_what_must_);
        if (how.status == io_status::would_block) how.status = io_status::failed; // no such end
        account<typename Core::traits>(made, plan, work, options, how);
        made.error = judge(how, work, started_);
        if (is_cancelled() && (made.error != errc::none || made.written != plan.bytes()))
            made.error = cancelled_;
        drop();
        return made;
    }

    /// The writer goes: `rest` is freed once nothing reads it any more.
    void abandon(workload* rest) noexcept {
        rest_ = rest;
        drop();
    }

    io_result how;
    bool over = false;

private:
    started_write(typename Core::weak_type writer, bool only_what_must, time_point now) noexcept
        : write_target{&on_over},
          writer_(std::move(writer)),
          started_(now),
          only_what_must_(only_what_must) {}
    ~started_write() { workload::destroy(rest_); }

    static void on_over(write_target& self, const io_result& how) noexcept {
        auto& ended = static_cast<started_write&>(self);
        if (const auto writer = ended.writer_.try_use()) Core::write_is_over(*writer, ended, how);
        ended.drop();
    }

    void drop() noexcept {
        if (references_.fetch_sub(1, std::memory_order_acq_rel) == 1) delete this;
    }

    typename Core::weak_type writer_;
    typename Core::traits::template atomic<int> references_{2};
    workload* rest_ = nullptr;
    const time_point started_;
    errc cancelled_ = errc::none;
    const bool only_what_must_;
};

} // namespace wsolo::inline WSOLO_ABI::detail
