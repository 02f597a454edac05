#pragma once
// The queue in front of one connection, and who may write it: the token's path, from the push that took it
// (see detail/intake.hpp) by pump() to its release, its parking or the end; under the queue's own lock.
//
// Laws of this file:
// - Exactly one holder of the write token: only `pumping` may touch the flight and the transport.
// - A push that finds the token held does nothing about it, because finding the queue empty and releasing
//   the token are one step under the lock that pushes take. No wake-up can be lost.
// - The seal, an abort and the end are for ever: nothing here takes them back.

#include "detail/intake.hpp"

namespace wsolo::inline WSOLO_ABI {

namespace detail {

/// See the file's laws. Each function takes the lock itself; those marked "owner" are for the thread that
/// pumps.
template <class Traits>
class outbox : public intake<Traits> {
public:
    outbox(const writer_limits& limits, token first) noexcept : intake<Traits>(limits, first) {}

    /// Seals, and has everything dropped at the next frame boundary, or at `finish_by`. True when the caller
    /// must call the schedule hook.
    [[nodiscard]] bool abort(errc why, time_point finish_by) noexcept {
        const scoped_hold hold(lock_);
        if (token_ == token::finished) return false;
        begin_abort(why == errc::none ? errc::aborted : why, finish_by); // none: for an end in order
        recall();
        return take_if_free();
    }

    /// Bounds the handshake, whose deadline lies in `fresh` where there is no workload yet. False: it is over.
    [[nodiscard]] bool bound_gate(time_point deadline, workload*& fresh) noexcept {
        const scoped_hold hold(lock_);
        if (token_ != token::gated) return false;
        if (queued_.work == nullptr) queued_.work = std::exchange(fresh, nullptr);
        queued_.work->gate_deadline = deadline;
        return true;
    }

    /// The handshake lets go of its token. True when the caller must call the schedule hook.
    [[nodiscard]] bool open_gate() noexcept {
        const scoped_hold hold(lock_);
        if (token_ != token::gated) return false; // its deadline was first
        token_ = token::free;
        return (aborting_ || queued_.has_incoming()) && take_if_free();
    }

    /// A pump meets the gate. At its deadline the token is the pump's and the writer is to end; until then
    /// `deadline` says when.
    [[nodiscard]] bool expire_gate(time_point now, time_point finish_by, time_point& deadline) noexcept {
        const scoped_hold hold(lock_);
        if (token_ != token::gated || queued_.work == nullptr) return false;
        deadline = queued_.work->gate_deadline;
        if (now < deadline) return false;
        begin_abort(errc::handshake_timeout, finish_by);
        token_ = token::pumping;
        return true;
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
        result.frames = queued_.accounts.frames_written();
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

private:
    /// The lock is held.
    void begin_abort(errc why, time_point finish_by) noexcept {
        if (queued_.work != nullptr) {
            queued_.work->close_deadline = earlier(queued_.work->close_deadline, finish_by);
        }
        if (!aborting_) reason_ = why;
        sealed_ = aborting_ = true;
    }

    using base = intake<Traits>;
    using base::aborting_, base::deadline_hit_, base::given_up_, base::lock_, base::partial_frame_,
        base::queued_, base::reason_, base::sealed_, base::token_, base::transport_error_;
    using base::recall, base::report_held, base::take_if_free;
};

} // namespace detail
} // namespace wsolo::inline WSOLO_ABI
