#pragma once
// One call of the transport: what to offer it, until when, and what its answer means.
//
// Laws of this file:
// - A deadline belongs to one write: it is computed when the write starts and forgotten when everything
//   offered was taken, so no later write can inherit it.
// - Progress extends it only as far as the minimum rate allows, and never beyond a fresh timeout.

#include "../drain.hpp"
#include "settings.hpp"
#include "workload.hpp"

namespace wsolo::inline WSOLO_ABI::detail {

struct attempt {
    progress done;
    std::size_t written = 0;
    errc error = errc::none;
    bool blocked = false;   ///< nothing wrong, but the transport must become writable first
    bool abandoned = false; ///< nobody waits for the write's end: how much of it leaves is not known
    int transport_error = 0;

    /// The report's end of the story when `error` is one.
    [[nodiscard]] drain_report failure() const noexcept {
        drain_report end;
        end.partial_frame = abandoned;
        end.reason = error;
        end.deadline_hit = error == errc::write_timed_out || error == errc::drain_timed_out;
        end.transport_error = error == errc::write_failed ? transport_error : 0;
        return end;
    }
};

/// A deadline `by` after `taken` more bytes, at `min_rate` bytes per second.
[[nodiscard]] inline time_point extended(time_point by, std::size_t taken, std::uint32_t min_rate) noexcept {
    if (min_rate == 0) return no_deadline; // no minimum: any progress earns a fresh timeout
    constexpr std::uint64_t billion = 1'000'000'000;
    const std::uint64_t earned =
        taken > UINT64_MAX / billion ? UINT64_MAX / min_rate : taken * billion / min_rate;
    constexpr auto longest = static_cast<std::uint64_t>(std::chrono::nanoseconds::max().count());
    return deadline_after(
        by, std::chrono::nanoseconds(static_cast<std::int64_t>(earned < longest ? earned : longest)));
}

[[nodiscard]] inline errc judge(const io_result& io, const workload& work, time_point started) noexcept {
    switch (io.status) {
    case io_status::ok: return io.transferred == 0 ? errc::write_failed : errc::none;
    case io_status::would_block: return started >= work.write_deadline ? errc::write_timed_out : errc::none;
    case io_status::timed_out:
        if (io.transferred != 0 && started < earlier(work.write_deadline, work.drain_deadline))
            return errc::none;
        return work.drain_deadline < work.write_deadline ? errc::drain_timed_out : errc::write_timed_out;
    case io_status::failed: break;
    }
    return errc::write_failed;
}

/// Before a write: what to offer. False when there is nothing to offer: `made` says why. Precondition: the
/// flight is not empty.
[[nodiscard]] inline bool prepare(attempt& made, gather_plan& plan, workload& work, const settings& options,
                                  bool only_what_must, time_point now) {
    if (now >= work.drain_deadline) {
        made.error = errc::drain_timed_out;
        return false;
    }
    work.in_flight.plan(plan, only_what_must);
    if (plan.parts().empty()) { // nothing but marks
        made.done = work.in_flight.advance(plan, 0);
        return false;
    }
    if (work.write_deadline == no_deadline)
        work.write_deadline = deadline_after(now, options.write_timeout.get());
    return true;
}

/// After it: what was taken, and until when the rest has time.
template <class Traits>
void account(attempt& made, const gather_plan& plan, workload& work, const settings& options,
             const io_result& io) {
    WSOLO_ASSERT(io.transferred <= plan.bytes(), "a transport took more bytes than it was offered");
    WSOLO_ASSERT(io.status != io_status::ok || io.transferred != 0,
                 "a transport took nothing and called it ok");
    made.written = io.transferred;
    made.transport_error = io.error;
    made.done = work.in_flight.advance(plan, io.transferred);
    if (io.transferred == plan.bytes()) {
        work.write_deadline = no_deadline;
    } else if (io.transferred != 0) {
        const time_point fresh = deadline_after(Traits::clock::now(), options.write_timeout.get());
        work.write_deadline = earlier(fresh, extended(work.write_deadline, io.transferred, options.min_rate));
    }
}

/// A transport that throws has failed.
template <transport Transport>
io_result call_write(Transport& connection, const gather_plan& plan, time_point deadline) {
#if WSOLO_HAS_EXCEPTIONS
    try {
        return connection.write(plan.parts(), deadline);
    } catch (...) {
        return {io_status::failed};
    }
#else
    return connection.write(plan.parts(), deadline);
#endif
}

/// The end of the transport; one that throws has ended all the same.
template <any_transport Transport>
void call_finish(Transport& connection, end_of_write why) noexcept {
#if WSOLO_HAS_EXCEPTIONS
    try {
        connection.finish(why);
    } catch (...) { // there is nobody to tell
    }
#else
    connection.finish(why);
#endif
}

/// A whole write. Owner only, with no lock held. Precondition: the flight is not empty.
template <class Traits, transport Transport>
attempt attempt_write(Transport& connection, workload& work, const settings& options, bool only_what_must) {
    attempt made;
    const time_point started = Traits::clock::now();
    gather_plan plan;
    if (!prepare(made, plan, work, options, only_what_must, started)) return made;
    const io_result io = call_write(connection, plan, earlier(work.write_deadline, work.drain_deadline));
    account<Traits>(made, plan, work, options, io);
    made.error = judge(io, work, started);
    made.blocked = io.status == io_status::would_block;
    return made;
}

} // namespace wsolo::inline WSOLO_ABI::detail
