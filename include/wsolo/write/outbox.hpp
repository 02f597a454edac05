#pragma once
// The queue in front of one connection, and who may write it: both under one short lock, so that "open?",
// "room?", "queue it" and "am I the one to drive it?" are a single step.
//
// Laws of this file:
// - Exactly one holder of the write token: only `pumping` may touch the flight and the transport.
// - A push that finds the token free takes it and must have the writer driven; a push that finds it held does
// nothing,
//   because finding the queue empty and releasing the token are one step under the same lock. No wake-up can
//   be lost.
// - Once sealed nothing is accepted; Close is the push that seals.
// - Under the lock there is no allocation, no system call and no copy above inline_limit.

#include "../core/error.hpp"
#include "../sync/spin_lock.hpp"
#include "detail/flight.hpp"
#include "detail/ledger.hpp"
#include "detail/workload.hpp"

namespace wsolo::inline WSOLO_ABI {

/// Who holds the write token.
enum class token : std::uint8_t {
    free,      ///< nobody: the queue is empty
    scheduled, ///< the schedule hook: pump() is owed
    pumping,   ///< the thread inside pump()
    parked,    ///< the transport: pump() is owed when it is writable or a deadline passes
    finished,  ///< nobody, ever again
};

namespace detail {

/// Frames up to this size are copied into a shared block under the lock; larger ones become segments of their
/// own.
inline constexpr std::size_t inline_limit = 2048;

/// What a push came to.
struct [[nodiscard]] push_result {
    errc error = errc::none;
    bool drive = false; ///< the caller took the token and must call the schedule hook
};

/// What the owner is to do next.
enum class next_step : std::uint8_t { write, write_begun_frame, released, drained, aborted };

/// See the file's laws. Each function takes the lock itself; those marked "owner" are for the thread that
/// pumps.
template <class Traits>
class outbox {
public:
    explicit outbox(const writer_limits& limits) noexcept : ledger_(limits) {}
    outbox(const outbox&) = delete;
    outbox& operator=(const outbox&) = delete;
    ~outbox() { workload::destroy(work_); }

    /// Queues a frame of `size` bytes (at most inline_limit), which `encode(mutable_bytes)` writes in place,
    /// under the lock.
    template <class Encode>
    push_result push_small(lane_id to, std::size_t size, Encode encode) noexcept {
        return place(to, size, size, budget::applies, [&](segment* room) {
            if (to == lane_id::pong && ledger_.pongs_full() && room->frames() != 0) {
                ledger_.supersede_pong(room->drop_last());
            }
            encode(room->append(size));
        });
    }

    /// Queues a frame that already is a segment. Takes it over only when the result says errc::none.
    push_result push_whole(segment* frame) noexcept {
        return place(lane_id::data, frame->size(), 0, budget::applies,
                     [&](segment*) { work_->queue(lane_id::data).push(frame); });
    }

    /// Queues the Close frame behind everything accepted so far, seals, and bounds the drain. The budget does
    /// not apply.
    template <class Encode>
    push_result push_close(std::size_t size, time_point drain_deadline, Encode encode) noexcept {
        return place(lane_id::data, size, size, budget::waived, [&](segment* room) {
            encode(room->append(size));
            sealed_ = true;
            work_->close_deadline = drain_deadline;
            // A parked writer's loop waits for an older deadline: the hook tells it to look again.
            if (token_ == token::parked) token_ = token::free;
        });
    }

    /// Seals, and has everything dropped at the next frame boundary. True when the caller must call the
    /// schedule hook.
    [[nodiscard]] bool abort(errc why) noexcept {
        const scoped_hold hold(lock_);
        if (token_ == token::finished || aborting_) return false;
        sealed_ = aborting_ = true;
        reason_ = why;
        if (token_ == token::parked) token_ = token::free;
        return claim();
    }

    /// Takes a token that waits for a pump. False when there is none: idle, finished, or another thread
    /// pumps.
    [[nodiscard]] bool begin() noexcept {
        const scoped_hold hold(lock_);
        if (token_ != token::scheduled && token_ != token::parked) return false;
        token_ = token::pumping;
        return true;
    }

    /// Owner: settles what was written and takes what was queued meanwhile. With next_step::released the
    /// token is free again, `idle` belongs to the caller, and nothing else of this object may be touched.
    next_step next(const progress& done, workload*& idle) noexcept {
        const scoped_hold hold(lock_);
        ledger_.settle(done);
        if (work_ != nullptr) work_->take_incoming();
        if (aborting_) return mid_frame() ? next_step::write_begun_frame : next_step::aborted;
        if (work_ != nullptr && !work_->in_flight.empty()) return next_step::write;
        if (sealed_) return next_step::drained;
        idle = std::exchange(work_, nullptr);
        token_ = token::free;
        return next_step::released;
    }

    /// Owner: the transport would block. False when an abort came meanwhile: go on with next().
    [[nodiscard]] bool park(const progress& done, time_point& deadline) noexcept {
        const scoped_hold hold(lock_);
        ledger_.settle(done);
        if (aborting_ && !mid_frame()) return false;
        token_ = token::parked;
        deadline = work_->deadline();
        return true;
    }

    /// Owner: the quantum is used up; the token, still held, goes to the schedule hook.
    void hand_over() noexcept {
        const scoped_hold hold(lock_);
        token_ = token::scheduled;
    }

    /// Owner: the end. What is still held is dropped; the caller destroys `rest`.
    [[nodiscard]] drain_report finish(const progress& done, drain_report end, workload*& rest) noexcept {
        const scoped_hold hold(lock_);
        ledger_.settle(done);
        ledger_.drop_held();
        if (!aborting_) reason_ = end.reason;
        deadline_hit_ = end.deadline_hit;
        transport_error_ = end.transport_error;
        partial_frame_ = mid_frame();
        sealed_ = true;
        token_ = token::finished;
        rest = std::exchange(work_, nullptr);
        return report_held();
    }

    /// Owner. nullptr when nothing was ever queued since the writer was idle (an abort of an idle writer).
    [[nodiscard]] workload* work() noexcept { return work_; }

    /// Whether a data frame of `size` bytes would be accepted now.
    [[nodiscard]] errc admits(std::size_t size) noexcept {
        const scoped_hold hold(lock_);
        return sealed_ ? errc::closed : ledger_.admit(lane_id::data, size);
    }

    /// Runs `work` under the lock and returns its result: for what else the lock protects (a client's key
    /// source).
    template <class Work>
    auto locked(Work work) noexcept {
        const scoped_hold hold(lock_);
        return work();
    }

    /// For the destructor: takes the token from whoever it waits for. False when the writer is finished.
    [[nodiscard]] bool seize() noexcept {
        const scoped_hold hold(lock_);
        WSOLO_ASSERT(token_ != token::pumping,
                     "a single_writer is destroyed while another thread is in its pump()");
        if (token_ == token::finished) return false;
        token_ = token::pumping;
        return true;
    }

    [[nodiscard]] token state() noexcept {
        const scoped_hold hold(lock_);
        return token_;
    }

    [[nodiscard]] std::size_t held_bytes() noexcept {
        const scoped_hold hold(lock_);
        return ledger_.held_data();
    }

    [[nodiscard]] drain_report report() noexcept {
        const scoped_hold hold(lock_);
        return report_held();
    }

private:
    enum class budget : bool { applies, waived };

    /// Memory found outside the lock. What was not used is freed, outside the lock too.
    struct supplies {
        supplies() = default;
        supplies(const supplies&) = delete;
        supplies& operator=(const supplies&) = delete;
        ~supplies() {
            segment::destroy(block);
            workload::destroy(work);
        }
        [[nodiscard]] bool fetch() noexcept {
            if (wanted_block == 0) return (work = workload::create()) != nullptr;
            segment::destroy(block); // one that another thread's larger need made too small
            return (block = segment::make_open(wanted_block)) != nullptr;
        }
        workload* work = nullptr;
        segment* block = nullptr;
        std::uint32_t wanted_block = 0; // 0: the workload is what is wanted
    };

    /// Accepts a frame of `size` bytes by `commit(room)`, all in one step with the judgement whether it may
    /// be; `room` has space for `in_block` bytes. Memory is fetched with the lock released, and everything is
    /// judged again.
    template <class Commit>
    push_result place(lane_id to, std::size_t size, std::size_t in_block, budget rule,
                      Commit commit) noexcept {
        supplies fresh;
        do {
            const scoped_hold hold(lock_);
            if (sealed_) return {errc::closed};
            if (rule == budget::applies) {
                if (const errc full = ledger_.admit(to, size); full != errc::none) return {full};
            }
            if (work_ == nullptr) work_ = std::exchange(fresh.work, nullptr);
            fresh.wanted_block = 0;
            if (work_ == nullptr) continue;
            segment* room = in_block == 0 ? nullptr : work_->make_room(to, in_block, fresh.block);
            if (in_block != 0 && room == nullptr) {
                fresh.wanted_block = work_->block_size;
                continue;
            }
            commit(room);
            ledger_.accept(to, size);
            return {errc::none, claim()};
        } while (fresh.fetch());
        return {errc::out_of_memory};
    }

    bool claim() noexcept {
        if (token_ != token::free) return false;
        token_ = token::scheduled;
        return true;
    }

    [[nodiscard]] bool mid_frame() const noexcept { return work_ != nullptr && work_->in_flight.mid_frame(); }

    [[nodiscard]] drain_report report_held() const noexcept {
        drain_report report;
        ledger_.fill(report);
        report.partial_frame = partial_frame_;
        report.deadline_hit = deadline_hit_;
        report.reason = reason_;
        report.transport_error = transport_error_;
        return report;
    }

    // In this order, so that what follows the ledger fills its tail and an idle writer stays small.
    workload* work_ = nullptr;
    [[no_unique_address]] ledger ledger_;
    basic_spin_lock<Traits> lock_;
    token token_ = token::free;
    errc reason_ = errc::none;
    bool sealed_ = false;
    bool aborting_ = false;
    bool partial_frame_ = false;
    bool deadline_hit_ = false;
    int transport_error_ = 0;
};

} // namespace detail
} // namespace wsolo::inline WSOLO_ABI
