#pragma once
// How frames get into a writer's queue: what anybody may do, from any thread, at any time.
//
// Laws of this file:
// - "Open?", "room?", "queue it" and "am I the one to drive it?" are one step, under one short lock, which the
//   outbox shares: a push that finds the token free takes it, and its caller must call the schedule hook.
// - Once sealed nothing is accepted; Close is the push that seals.
// - Under the lock there is no allocation, no system call, no user code and no copy above inline_limit.

#include "../../sync/spin_lock.hpp"
#include "backlog.hpp"
#include "verdict.hpp"

#include <concepts>

namespace wsolo::inline WSOLO_ABI::detail {

/// Frames up to this size are copied into a shared block under the lock; larger ones become segments of their
/// own.
inline constexpr std::size_t inline_limit = 2048;

/// See the file's laws. Each function takes the lock itself.
template <class Traits>
class intake {
public:
    intake(const intake&) = delete;
    intake& operator=(const intake&) = delete;

    /// Queues a small frame, which `encode(mutable_bytes)` writes in place under the lock.
    template <class Encode>
    push_result push_small(const placement& where, Encode encode) noexcept {
        return place(where, by_budget(where),
                     [&](segment& room, supplies& out) { encode(queued_.put_small(where, room, out)); });
    }

    /// Queues a frame that already is a segment. Takes it over only when the result says errc::none.
    push_result push_whole(placement where, segment* frame) noexcept {
        where.size = frame->size();
        where.whole = true;
        return place(where, by_budget(where), [&](supplies& out) { queued_.put_whole(where, frame, out); });
    }

    /// Queues a segment without frames behind the data accepted so far; its outcome says that its turn has
    /// come. No cork holds it back.
    push_result push_mark(segment* mark, budget_waiter* waiter = nullptr) noexcept {
        const placement where{.mark = true, .waiter = waiter};
        return place(where, by_budget(where), [&](supplies& out) { queued_.put_whole(where, mark, out); });
    }

    /// The gate's: leads everything, a Close that was queued before it included.
    push_result push_greeting(segment* greeting) noexcept {
        const placement where{.to = lane_id::greeting, .size = greeting->size()};
        return place(where, by_budget(where),
                     [&](supplies& out) { queued_.put_whole(where, greeting, out); });
    }

    /// Queues a keyed frame; a queued one of the same key leaves, errc::conflated. O(segments queued).
    push_result push_keyed(segment* frame) noexcept {
        segment* same = nullptr;
        return place(
            {},
            [&](supplies& out) { return queued_.judge_keyed(frame->tag().key, frame->size(), same, out); },
            [&](supplies& out) { queued_.put_keyed(frame, same, out); });
    }

    /// Queues the Close frame behind everything accepted so far, seals, and bounds the drain.
    template <class Encode>
    push_result push_close(std::size_t size, close_code code, time_point drain_deadline,
                           Encode encode) noexcept {
        const placement where{.size = size, .of_message = true};
        return place(where, admit_anything, [&](segment& room, supplies& out) {
            encode(queued_.put_small(where, room, out));
            seal(code, drain_deadline);
        });
    }
    /// The same with a segment for it, taken over only when the result says errc::none.
    push_result push_close_whole(segment* frame, close_code code, time_point drain_deadline) noexcept {
        const placement where{.size = frame->size(), .whole = true, .of_message = true};
        return place(where, admit_anything, [&](supplies& out) {
            queued_.put_whole(where, frame, out);
            seal(code, drain_deadline);
        });
    }

    /// Opens a fragmented message: until end_message() other data waits, control does not.
    [[nodiscard]] errc begin_message() noexcept {
        const scoped_hold hold(lock_);
        if (sealed_) return errc::closed;
        return queued_.accounts.open_message() ? errc::none : errc::message_open;
    }
    /// True when the caller must call the schedule hook; senders that waited are its to wake. Behind a Close
    /// nothing follows: held data stays, and drops.
    [[nodiscard]] bool end_message(waiter_list& due) noexcept {
        const scoped_hold hold(lock_);
        const bool follows = !sealed_ && queued_.end_message();
        queued_.grant(due, sealed_);
        return follows && claim();
    }

    /// While corked no push asks for a drive. False: there are as many as can be counted. uncork() is true
    /// when the caller must call the schedule hook.
    [[nodiscard]] bool cork() noexcept {
        const scoped_hold hold(lock_);
        if (corks_ == UINT8_MAX) return false;
        ++corks_;
        return true;
    }
    [[nodiscard]] bool uncork() noexcept {
        const scoped_hold hold(lock_);
        --corks_;
        return queued_.has_incoming() && claim();
    }

    /// Withdraws a sender that waits for room; those behind it may fit, and are the caller's to wake, as an
    /// unused workload is its to destroy. False when it was granted room, or the end came: it is being woken.
    [[nodiscard]] bool withdraw(budget_waiter& waiter, waiter_list& due, workload*& unused) noexcept {
        const scoped_hold hold(lock_);
        if (!std::exchange(waiter.waits, false)) return false;
        queued_.work->waiters.remove(waiter);
        queued_.grant(due, sealed_);
        if (token_ == token::free) unused = queued_.take_unused();
        return true;
    }

    /// Whether a data frame of `size` bytes with a segment of its own might be accepted now: spares the work
    /// of encoding it in vain.
    [[nodiscard]] errc admits(std::size_t size) noexcept {
        const scoped_hold hold(lock_);
        return may_evict(queued_.accounts.admit(lane_id::data, size, true));
    }
    [[nodiscard]] errc admits_keyed(std::uint64_t key, std::size_t size) noexcept {
        const scoped_hold hold(lock_);
        const errc full = may_evict(queued_.accounts.admit(lane_id::data, size, true));
        segment* same = nullptr;
        return full == errc::queue_full ? queued_.admit_keyed(key, size, same) : full;
    }

    /// Runs `work` under the lock and returns its result: for what else the lock protects (a client's key
    /// source).
    template <class Work>
    auto locked(Work work) noexcept {
        const scoped_hold hold(lock_);
        return work();
    }

    [[nodiscard]] token state() noexcept {
        return locked([this] { return token_; });
    }
    [[nodiscard]] std::size_t held_bytes() noexcept {
        return locked([this] { return queued_.accounts.held_data(); });
    }
    [[nodiscard]] std::uint32_t held_frames() noexcept {
        return locked([this] { return queued_.accounts.held_frames(); });
    }
    [[nodiscard]] overflow when_full() noexcept {
        return locked([this] { return queued_.accounts.when_full(); }); // it shares a byte with what changes
    }

    [[nodiscard]] drain_report report() noexcept {
        const scoped_hold hold(lock_);
        return report_held();
    }

protected:
    intake(const writer_limits& limits, token first) noexcept : queued_(limits), token_(first) {}
    ~intake() = default;

    // The following are for whoever holds the lock.

    /// A parked writer's loop waits for an older deadline: the hook tells it to look again.
    void recall() noexcept {
        if (token_ == token::parked) token_ = token::free;
    }

    bool claim() noexcept { return corks_ == 0 && take_if_free(); }

    bool take_if_free() noexcept {
        if (token_ != token::free) return false;
        token_ = token::scheduled;
        return true;
    }

    [[nodiscard]] drain_report report_held() const noexcept {
        drain_report report;
        queued_.accounts.fill(report);
        report.partial_frame = partial_frame_;
        report.deadline_hit = deadline_hit_;
        report.reason = reason_;
        report.transport_error = transport_error_;
        return report;
    }

    // Wide first, so that the narrow members fill the first one's tail and an idle writer stays small.
    [[no_unique_address]] backlog queued_;
    basic_spin_lock<Traits> lock_;
    errc reason_ = errc::none;
    std::uint8_t corks_ = 0;
    token token_ : 3;
    bool sealed_ : 1 = false;
    bool aborting_ : 1 = false;
    bool given_up_ : 1 = false; // by the destructor
    bool partial_frame_ : 1 = false;
    bool deadline_hit_ : 1 = false;
    int transport_error_ = 0;

private:
    /// Accepts a frame: judge(supplies) says whether; commit(room, supplies) puts a small one where there is
    /// room, commit(supplies) queues one that needs none; in one step. Memory is fetched with the lock free, and
    /// everything is judged again.
    template <class Judge, class Commit>
    push_result place(const placement& where, Judge judge, Commit commit) noexcept {
        supplies fresh;
        do {
            const scoped_hold hold(lock_);
            if (sealed_ && (aborting_ || where.to != lane_id::greeting)) return {errc::closed};
            if (where.waiter != nullptr && !queued_.find_work(fresh)) continue; // it is where senders wait
            if (const errc refused = judge(fresh); refused != errc::none) // and for whom no cork holds back
                return {refused, where.waiter != nullptr && queued_.has_incoming() && take_if_free()};
            if (!queued_.find_work(fresh)) continue;
            const bool was_parked = token_ == token::parked;
            if constexpr (std::invocable<Commit&, segment&, supplies&>) {
                segment* room = queued_.find_room(where, fresh);
                if (room == nullptr) continue;
                commit(*room, fresh);
            } else {
                commit(fresh);
            }
            if (queued_.accounts.climbed()) recall(); // the observer is told by whoever pumps
            const bool recalled =
                was_parked && token_ == token::free; // no cork holds back a write that has begun
            return {errc::none, recalled || where.mark ? take_if_free() : claim()};
        } while (fresh.fetch());
        return {errc::out_of_memory};
    }

    static errc admit_anything(supplies&) noexcept { return errc::none; }

    void seal(close_code code, time_point drain_deadline) noexcept {
        sealed_ = true;
        queued_.accounts.note_close(code);
        queued_.work->close_deadline = drain_deadline;
        recall();
    }

    auto by_budget(const placement& where) noexcept {
        return [this, &where](supplies& out) noexcept { return queued_.judge(where, out); };
    }

    [[nodiscard]] errc may_evict(errc full) const noexcept {
        if (sealed_) return errc::closed;
        return full == errc::queue_full && queued_.evicts() ? errc::none : full;
    }
};

} // namespace wsolo::inline WSOLO_ABI::detail
