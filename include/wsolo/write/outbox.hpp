#pragma once
// The queue in front of one connection, and who may write it: both under one short lock, so that "open?",
// "room?", "queue it" and "am I the one to drive it?" are a single step.
//
// Laws of this file:
// - Exactly one holder of the write token: only `pumping` may touch the flight and the transport.
// - A push that finds the token free takes it and must have the writer driven; a push that finds it held does
//   nothing, because finding the queue empty and releasing the token are one step under the same lock. No
//   wake-up can be lost.
// - Once sealed nothing is accepted; Close is the push that seals.
// - Under the lock there is no allocation, no system call, no user code and no copy above inline_limit.

#include "../core/error.hpp"
#include "../sync/spin_lock.hpp"
#include "detail/backlog.hpp"
#include "detail/verdict.hpp"

#include <concepts>

namespace wsolo::inline WSOLO_ABI {

namespace detail {

/// Frames up to this size are copied into a shared block under the lock; larger ones become segments of their
/// own.
inline constexpr std::size_t inline_limit = 2048;

/// See the file's laws. Each function takes the lock itself; those marked "owner" are for the thread that
/// pumps.
template <class Traits>
class outbox {
public:
    outbox(const writer_limits& limits, token first) noexcept : queued_(limits), token_(first) {}
    outbox(const outbox&) = delete;
    outbox& operator=(const outbox&) = delete;

    /// Queues a small frame, which `encode(mutable_bytes)` writes in place under the lock.
    template <class Encode>
    push_result push_small(const placement& where, Encode encode) noexcept {
        return place(where, by_budget(where), [&](segment& room) { encode(queued_.put_small(where, room)); });
    }

    /// Queues a frame that already is a segment. Takes it over only when the result says errc::none.
    push_result push_whole(placement where, segment* frame) noexcept {
        where.size = frame->size();
        where.whole = true;
        return place(where, by_budget(where), [&](supplies&) { queued_.put_whole(where, frame); });
    }

    /// Queues a segment without frames behind the data accepted so far; its outcome says that its turn has
    /// come. No cork holds it back.
    push_result push_mark(segment* mark, budget_waiter* waiter = nullptr) noexcept {
        const placement where{.mark = true, .waiter = waiter};
        return place(where, by_budget(where), [&](supplies&) { queued_.put_whole(where, mark); });
    }

    /// The gate's: leads everything, a Close that was queued before it included.
    push_result push_greeting(segment* greeting) noexcept {
        const placement where{.to = lane_id::greeting, .size = greeting->size()};
        return place(where, by_budget(where), [&](supplies&) { queued_.put_whole(where, greeting); });
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
        const auto admit_anything = [](supplies&) noexcept { return errc::none; };
        return place(where, admit_anything, [&](segment& room) {
            encode(queued_.put_small(where, room));
            sealed_ = true;
            queued_.accounts.note_close(code);
            queued_.work->close_deadline = drain_deadline;
            recall();
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

    /// Seals, and has everything dropped at the next frame boundary, or at `finish_by`. True when the caller
    /// must call the schedule hook.
    [[nodiscard]] bool abort(errc why, time_point finish_by) noexcept {
        const scoped_hold hold(lock_);
        if (token_ == token::finished) return false;
        if (queued_.work != nullptr) {
            queued_.work->close_deadline = earlier(queued_.work->close_deadline, finish_by);
        }
        if (!aborting_) reason_ = why == errc::none ? errc::aborted : why; // none: for an end in order
        sealed_ = aborting_ = true;
        recall();
        return take_if_free();
    }

    /// The handshake lets go of its token. True when the caller must call the schedule hook.
    [[nodiscard]] bool open_gate() noexcept {
        const scoped_hold hold(lock_);
        token_ = token::free;
        return (aborting_ || queued_.has_incoming()) && take_if_free();
    }

    /// Takes a token that waits for a pump. False when there is none: idle, gated, finished, or another
    /// thread pumps.
    [[nodiscard]] bool begin() noexcept {
        const scoped_hold hold(lock_);
        if (token_ != token::scheduled && token_ != token::parked) return false;
        token_ = token::pumping;
        return true;
    }

    /// Owner: settles what was written and takes what was queued meanwhile. With next_step::released the
    /// token is free again and nothing of this object may be touched.
    next_result next(const progress& done) noexcept {
        next_result result;
        const scoped_hold hold(lock_);
        queued_.accounts.settle(done);
        result.climbed = queued_.accounts.tells_high();
        result.fell = queued_.accounts.fell();
        queued_.grant(result.due, sealed_);
        if (queued_.work != nullptr) queued_.work->take_incoming(sealed_);
        if (aborting_) {
            result.step =
                queued_.must_finish() && !given_up_ ? next_step::write_what_must : next_step::aborted;
        } else if (queued_.has_flight()) {
            result.step = next_step::write;
        } else if (sealed_) {
            result.step = next_step::drained;
        } else if (result.climbed || result.fell) {
            result.step = next_step::look_again; // the observer is told while the token is still held
        } else {
            token_ = token::free;
            queued_.grant(result.due, true); // no later write will: what does not fit waits anew
            if (!queued_.has_held()) result.idle = std::exchange(queued_.work, nullptr);
        }
        return result;
    }

    /// Owner: what was written is off the books, ahead of next(): who is told of it finds the room.
    void settle(const progress& done) noexcept {
        const scoped_hold hold(lock_);
        queued_.accounts.settle(done);
    }

    /// Owner: the transport would block. False when an abort came meanwhile, or the observer is to be told
    /// of a mark: go on with next().
    [[nodiscard]] bool park(const progress& done, time_point& deadline, waiter_list& due) noexcept {
        const scoped_hold hold(lock_);
        queued_.accounts.settle(done);
        queued_.grant(due, sealed_);
        if (aborting_ && (given_up_ || !queued_.must_finish())) return false;
        if (queued_.accounts.is_untold() || queued_.accounts.has_fallen()) return false;
        token_ = token::parked;
        deadline = queued_.work->deadline();
        return true;
    }

    /// Owner, while a write is in flight.
    standing look(const bool& over) noexcept {
        standing now;
        const scoped_hold hold(lock_);
        now.over = over;
        now.climbed = queued_.accounts.tells_high();
        now.deadline = queued_.work->deadline();
        now.drains = queued_.work->close_deadline <= now.deadline;
        now.gone = given_up_;
        queued_.grant(now.due, sealed_);
        return now;
    }

    /// Owner: the token waits for the write in flight. False when look() has something new.
    [[nodiscard]] bool park_started(const bool& over, bool cancelled, time_point& deadline) noexcept {
        const scoped_hold hold(lock_);
        if (over || given_up_ || queued_.accounts.is_untold()) return false;
        token_ = token::parked;
        deadline = cancelled ? no_deadline : queued_.work->deadline();
        return true;
    }

    /// The completion: `note()` says that the write is over. True when the caller must call the schedule
    /// hook.
    template <class Note>
    [[nodiscard]] bool end_started(Note note) noexcept {
        const scoped_hold hold(lock_);
        note();
        recall();
        return take_if_free();
    }

    /// Owner: the token, still held, goes to the schedule hook. False: nobody would come, the writer goes.
    [[nodiscard]] bool hand_over() noexcept {
        const scoped_hold hold(lock_);
        if (!given_up_) token_ = token::scheduled;
        return !given_up_;
    }

    /// Owner: the end. What is still held is dropped; the caller tells and destroys `rest`, and wakes who is
    /// due.
    end_result finish(const progress& done, const drain_report& how) noexcept {
        end_result end;
        const scoped_hold hold(lock_);
        queued_.accounts.settle(done);
        if (!aborting_) reason_ = how.reason;
        if (reason_ == errc::none && queued_.has_held()) reason_ = errc::message_unfinished;
        queued_.accounts.drop_held();
        queued_.grant(end.due, true);
        deadline_hit_ = how.deadline_hit;
        transport_error_ = how.transport_error;
        partial_frame_ = how.partial_frame || queued_.mid_frame();
        sealed_ = true;
        aborting_ = true; // the reason stands
        end.rest = std::exchange(queued_.work, nullptr);
        end.report = report_held();
        return end;
    }

    /// Owner: the last touch.
    void retire() noexcept {
        const scoped_hold hold(lock_);
        token_ = token::finished;
    }

    /// For the destructor: nothing is accepted any more, and nobody waits for room; the caller wakes who is
    /// due. True when the token, which nobody ran with, is its. Else whoever pumps ends the writer.
    [[nodiscard]] bool give_up(waiter_list& due) noexcept {
        const scoped_hold hold(lock_);
        WSOLO_ASSERT(token_ != token::gated, "a single_writer is destroyed before its init_gate");
        if (!aborting_) reason_ = errc::aborted;
        sealed_ = aborting_ = given_up_ = true;
        queued_.grant(due, true);
        if (token_ == token::pumping || token_ == token::finished) return false;
        token_ = token::pumping;
        return true;
    }

    /// Owner. nullptr when nothing was queued since the writer was idle (an abort of an idle writer).
    [[nodiscard]] workload* work() noexcept { return queued_.work; }

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

private:
    /// Accepts a frame: judge(supplies) says whether; commit(room) puts a small one where there is room,
    /// commit(supplies) queues one that needs none; in one step. Memory is fetched with the lock free, and
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
            if constexpr (std::invocable<Commit&, segment&>) {
                segment* room = queued_.find_room(where, fresh);
                if (room == nullptr) continue;
                commit(*room);
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

    auto by_budget(const placement& where) noexcept {
        return [this, &where](supplies& out) noexcept { return queued_.judge(where, out); };
    }

    [[nodiscard]] errc may_evict(errc full) const noexcept {
        if (sealed_) return errc::closed;
        return full == errc::queue_full && queued_.evicts() ? errc::none : full;
    }

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
};

} // namespace detail
} // namespace wsolo::inline WSOLO_ABI
