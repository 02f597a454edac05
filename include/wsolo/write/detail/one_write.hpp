// SPDX-License-Identifier: MIT
#pragma once
// One write's rules: how long it may take, and what the transport's answer means.
//
// Laws of this file:
// - A deadline belongs to one write: it is computed when the write starts (or, where the transport never waits, when it left
//   something) and forgotten when everything offered was taken, so no later write can inherit it.
// - Progress extends it as far as the minimum rate allows, and never beyond a fresh timeout.
// - A process that slept blames no peer: a write is judged late only after it was tried once more, and that try took nothing. A try
//   that comes a quarter of the timeout or more after the deadline says that this process slept: a loop that is awake is never that
//   late. If it took something the write has a fresh timeout; if not, a quarter of one, once, because the peer may have slept as well.
// - What was taken is filled in where the loop reads it: a copy right after it was written would wait for the stores.

#include "queue.hpp"

namespace wsolo::inline WSOLO_ABI::detail {

/// The result of a write, besides what it took.
struct written {
    errc error = errc::none;
    bool is_blocked = false; ///< nothing wrong, but the transport must become writable first
    bool was_last = false;   ///< it began after the drain's bound, and was late again: no other write follows
    bool is_abandoned =
        false; ///< the writer is destroyed before the write ends: how much of it leaves is never known
    int transport_error = 0;
};

/// A deadline `by`, after `bytes` more at `min_rate` bytes per second.
[[nodiscard]] inline time_point extended(time_point by, std::size_t bytes, std::uint32_t min_rate) noexcept {
    if (min_rate == 0) return no_deadline; // no minimum: any progress earns a fresh timeout
    constexpr std::uint64_t billion = 1'000'000'000;
    const std::uint64_t earned =
        bytes > UINT64_MAX / billion ? UINT64_MAX / min_rate : bytes * billion / min_rate;
    constexpr auto longest = static_cast<std::uint64_t>((std::chrono::nanoseconds::max)().count());
    return deadline_after(
        by, std::chrono::nanoseconds(static_cast<std::int64_t>(earned < longest ? earned : longest)));
}

/// The deadline of the write that starts now, or went on standing.
[[nodiscard]] inline time_point write_deadline_from(queue& work, const writer_rules& rules,
                                                    time_point now) noexcept {
    if (work.write_deadline == no_deadline)
        work.write_deadline = deadline_after(now, rules.write_timeout.get());
    return work.write_deadline;
}

/// A process that slept through the deadline of the write that stands gives it a quarter of the timeout more, once. True: it did.
inline bool forgive_sleep(queue& work, const writer_rules& rules, time_point now) noexcept {
    const duration quarter = rules.write_timeout.get() / 4;
    if (now < deadline_after(work.write_deadline, quarter) || std::exchange(work.has_slept, true))
        return false;
    work.write_deadline = deadline_after(now, quarter);
    return true;
}

/// After it: what was taken, and until when the rest has time.
inline void account(const batch& plan, queue& work, const writer_rules& rules, const io_result& io,
                    time_point now, taken& done) noexcept {
    WSOLO_ASSERT(io.transferred <= plan.bytes(), "a transport took more bytes than it was offered");
    WSOLO_ASSERT(io.status != io_status::ok || io.transferred != 0,
                 "a transport took nothing and called it ok");
    if (io.transferred != 0) work.has_slept = false;
    if (io.transferred >= plan.bytes()) {
        work.write_deadline = no_deadline;
    } else if (io.transferred != 0) {
        const duration timeout = rules.write_timeout.get();
        const time_point fresh = deadline_after(now, timeout);
        const bool slept = now >= deadline_after(work.write_deadline, timeout / 4);
        work.write_deadline =
            slept ? fresh
                  : earlier(fresh, extended(work.write_deadline, io.transferred, rules.min_rate.get()));
    }
    plan.take(io.transferred < plan.bytes() ? io.transferred : plan.bytes(), done);
}

/// A write that took everything is `ok`, whatever its status says, unless that is `failed`: where the transport is blocked or late
/// the next write finds out. Changes io.status; returns whether it took everything.
inline bool settle_whole(const batch& plan, io_result& io) noexcept {
    const bool is_whole = io.transferred == plan.bytes();
    if (is_whole && io.status != io_status::failed) io.status = io_status::ok;
    return is_whole;
}

/// What the answer means, for a write that was tried at `tried`. `drain_deadline`: of a close or an abort.
[[nodiscard]] inline errc verdict_of_write(const io_result& io, const queue& work, time_point drain_deadline,
                                           time_point tried) noexcept {
    const errc late = drain_deadline < work.write_deadline ? errc::drain_timed_out : errc::write_timed_out;
    const bool is_late = tried >= earlier(work.write_deadline, drain_deadline);
    switch (io.status) {
    case io_status::ok: return io.transferred == 0 ? errc::write_failed : errc::none;
    case io_status::would_block: return is_late ? late : errc::none;
    case io_status::timed_out: return io.transferred != 0 && !is_late ? errc::none : late;
    case io_status::failed: break;
    }
    return errc::write_failed;
}

/// A transport that throws has failed.
template <transport Transport>
io_result call_write(Transport& connection, std::span<const const_bytes> parts, time_point deadline) {
#if WSOLO_HAS_EXCEPTIONS
    try {
        return connection.write(parts, deadline);
    } catch (...) {
        return {io_status::failed};
    }
#else
    return connection.write(parts, deadline);
#endif
}

/// Writes `parts`, `bytes` together, with no lock held. Where something is left, `tried` is when that was tried. `drain_deadline`: of a
/// close or an abort. (Inlined: a call would cost as much as the rest of it.)
template <class Traits, transport Transport>
[[gnu::always_inline]] inline io_result
write_in_time(Transport& connection, std::span<const const_bytes> parts, std::size_t bytes, queue& work,
              const writer_rules& rules, time_point drain_deadline, time_point& tried) {
    const bool is_bounded = work.write_deadline != no_deadline || drain_deadline != no_deadline;
    if (never_waits<Transport> && !is_bounded) { // its time begins when it leaves something
        const io_result io = call_write(connection, parts, no_deadline);
        if (io.transferred == bytes) return io;
        tried = Traits::clock::now();
        static_cast<void>(write_deadline_from(work, rules, tried));
        return io;
    }
    tried = Traits::clock::now();
    const time_point deadline = earlier(write_deadline_from(work, rules, tried), drain_deadline);
    return call_write(connection, parts, deadline);
}

/// What became of a write that was tried at `tried`, and into `done` what it took.
template <class Traits>
written judge_write(const batch& plan, queue& work, const writer_rules& rules, io_result io,
                    time_point drain_deadline, time_point tried, taken& done) noexcept {
    written made;
    const bool is_whole = settle_whole(plan, io);
    account(plan, work, rules, io, is_whole ? tried : Traits::clock::now(), done);
    if (io.status == io_status::would_block && io.transferred == 0)
        static_cast<void>(forgive_sleep(work, rules, tried));
    made.error = verdict_of_write(io, work, drain_deadline, tried);
    made.is_blocked = io.status == io_status::would_block;
    made.transport_error = io.error;
    return made;
}

/// A whole write, and into `done` what it took. No lock is held.
template <class Traits, transport Transport>
written write_once(Transport& connection, const batch& plan, queue& work, const writer_rules& rules,
                   time_point drain_deadline, taken& done) {
    time_point tried{};
    const io_result io =
        write_in_time<Traits>(connection, plan.parts(), plan.bytes(), work, rules, drain_deadline, tried);
    return judge_write<Traits>(plan, work, rules, io, drain_deadline, tried, done);
}

} // namespace wsolo::inline WSOLO_ABI::detail
