// SPDX-License-Identifier: MIT
#pragma once
// The state of a writer: its lock, and under it the turn, the seal, the books and the queue. Each request of any thread, and
// each decision of the thread that runs, is one step under the lock.
//
// Laws of this file:
// - push() is one function for everything that is queued; only small data whose steps decide nothing takes a shorter way: it
//   follows others in their entry, or is an idle writer's first. Its steps, in this order: open? - fits? - memory - what gives
//   way - place - turn. A step that fails undoes nothing, because nothing that counts was done before "what gives way".
// - Once sealed nothing is accepted, for ever; Close is the push that seals.
// - Under the lock there is no allocation, no deallocation, no system call, no copy above 2 KiB, and no user code but a
//   client's key source.
// - A parked turn is recalled by a close, an abort, a flush, a climb to the high mark, a sender that starts to wait for room
//   and a completion; never by a plain send.

#include "../../core/detail/exchange.hpp"
#include "../../sync/spin_lock.hpp"
#include "../../sync/turn.hpp"
#include "../pump.hpp"
#include "queue.hpp"

namespace wsolo::inline WSOLO_ABI::detail {

/// What the caller must do after a push, or another change.
enum class wake : std::uint8_t {
    nothing,
    hook, ///< the schedule hook; the turn was claimed for it
    look, ///< the same, but the gate is shut: only for the sake of a new deadline
};

struct [[nodiscard]] push_result {
    errc error = errc::none;
    wake owed = wake::nothing;
};

/// What the running thread is to do.
enum class next_step : std::uint8_t {
    tell,        ///< user code is to hear of something first; then ask again
    encode,      ///< `plain`, then settle_encoded(), until that names no other; then ask again
    write,       ///< the batch
    released,    ///< nothing is left: the turn is free, and the writer not to be touched
    handed_over, ///< the quantum is used up: the turn is the hook's, and is to be called as the last act
    parked,      ///< until the transport is writable or the deadline passes; the writer is not to be touched
    drained,     ///< Close was the last thing written
    late,        ///< something is left, and the drain has no try left
    aborted,     ///< the end
};

/// What next() is told, and what it answers besides.
struct round {
    taken done{};            ///< what the last write took
    bool is_blocked = false; ///< the transport would block
    bool is_used_up = false; ///< the quantum
    bool was_last = false;   ///< the last write was the drain's last
    bool is_encoded = false; ///< what the next write names, as far as it is to be
    // answers
    entry* plain = nullptr;
    encoding_scan scan{};
    bool high = false; ///< tell the observer, in this order
    bool low = false;
    time_point deadline = no_deadline;       ///< of the write that stands, or of the drain
    time_point drain_deadline = no_deadline; ///< of a close or an abort
    queue* idle = nullptr;                   ///< to be destroyed
};

/// A write of all that is queued, which is one entry.
struct sole_write {
    std::size_t most = 0; ///< bytes of one write; 0: none is to be found
    const_bytes bytes{};  ///< empty: there is more to it
    std::uint32_t frames = 0;
    bool is_one = false; ///< one frame, or frames back to back
};

/// Each function takes the lock itself; those below "the running thread" are for the turn's holder.
/// `Owner` has the writer's rules: see accounts.
template <class Traits, class Owner = own_rules>
class outbox {
public:
    outbox(Owner owner, turn_state first) : books_(std::move(owner)), turn_(first) {}
    outbox(const outbox&) = delete;
    outbox& operator=(const outbox&) = delete;
    ~outbox() { queue::destroy(queue_); }

    // ---- any thread

    /// Queues an item: `owned`, where there is one; or a frame that `encode(mutable_bytes)` writes under the lock, up to
    /// 2 KiB; or, where it must own its memory, the entry that `make(kept)` returns, with the lock free (in the memory of
    /// `kept`, where that is not null). An entry that was not taken over is the caller's, in `owned`. The caller runs
    /// `todo`, then what is owed.
    template <class Encode, class Make>
    push_result push(const offer& what, entry*& owned, Encode encode, Make make, errands& todo) noexcept {
        lock_.lock();
        return push_locked(what, owned, encode, make, todo);
    }

    /// The straight path: takes the lock, and queues a small data frame where nothing has to be decided, because it follows
    /// others in their entry, or is the first of an idle writer. False: it did nothing, and the lock is held for push_locked(), to
    /// which `work` is given.
    template <class Encode>
    [[nodiscard]] bool try_follow_or_stay_locked(std::size_t size, const on_outcome& done, Encode& encode,
                                                 wake& owed, queue*& work) noexcept {
        lock_.lock();
        if (sealed_) return false;
        if (queue_ != nullptr && queue_->follows(size, done, books_)) {
            encode(mutable_bytes(queue_->follow(size), size));
        } else {
            if (queue_ != nullptr || !books_.admits_first(size)) return false;
            const std::size_t room = books_.first_room(size);
            lock_.unlock();
            work = queue::make_for(room);
            lock_.lock();
            if (work == nullptr || queue_ != nullptr || sealed_ || !books_.keeps_order()) return false;
            queue_ = std::exchange(work, nullptr);
            encode(mutable_bytes(queue_->place_first(size, done), size));
        }
        owed = turn_after_data();
        lock_.unlock();
        return true;
    }
    /// push(), with the lock held already. It is free afterwards. `work`: a queue that is there if one is needed, or null.
    template <class Encode, class Make>
    push_result push_locked(const offer& what, entry*& owned, Encode& encode, Make& make, errands& todo,
                            queue* work = nullptr) noexcept {
        fresh_memory fresh(work);
        push_result result;
        for (;; lock_.lock()) {
            const need missing = try_push(what, owned, encode, fresh, result, todo);
            lock_.unlock();
            if (missing == need::nothing) return result;
            const bool is_found = missing == need::entry
                                      ? (owned = make(detail::exchange(fresh.kept, nullptr))) != nullptr
                                      : fresh.find(missing);
            if (is_found) continue;
            const scoped_hold hold(lock_);
            drop_unused(fresh.idle);
            return {errc::out_of_memory};
        }
    }

    /// Whether an item of `size` bytes might be accepted now: spares the work of encoding it in vain.
    [[nodiscard]] errc admits(const offer& what, const std::uint64_t* key = nullptr) noexcept {
        const scoped_hold hold(lock_);
        if (sealed_) return errc::closed;
        const entry* same = key == nullptr || queue_ == nullptr ? nullptr : queue_->find(*key);
        return judge(what, accounts::charge_of(what.size), same).error;
    }

    /// Opens a fragmented message: until its last part other data waits, control does not.
    [[nodiscard]] errc open_message() noexcept {
        const scoped_hold hold(lock_);
        if (sealed_) return errc::closed;
        if (books_.in_message()) return errc::message_open;
        books_.open_message();
        return errc::none;
    }
    /// A message of which nothing was sent ends as if it had never begun.
    [[nodiscard]] wake drop_message(errands& todo) noexcept {
        const scoped_hold hold(lock_);
        return end_message(todo) && !sealed_ ? claim() : wake::nothing;
    }

    /// While corked no plain send asks for the hook. False: there are as many corks as can be counted.
    [[nodiscard]] bool cork() noexcept {
        const scoped_hold hold(lock_);
        if (corks_ == UINT8_MAX) return false;
        ++corks_;
        return true;
    }
    [[nodiscard]] wake uncork() noexcept {
        const scoped_hold hold(lock_);
        --corks_;
        return has_work() ? claim() : wake::nothing;
    }

    /// Seals, and has everything dropped at the next frame boundary, or at `finish_by`. It does not wait for a gate.
    [[nodiscard]] wake abort(errc why, time_point finish_by) noexcept {
        const scoped_hold hold(lock_);
        if (turn_.is(turn_state::finished)) return wake::nothing;
        begin_abort(why == errc::none ? errc::aborted : why, finish_by);
        return turn_.revoke() || turn_.recall() || turn_.claim() ? wake::hook : wake::nothing;
    }

    /// Withdraws a sender that waits. False: it was granted room, or the end came, and it is being woken.
    [[nodiscard]] bool withdraw(room_waiter& waiter, errands& todo, queue*& idle) noexcept {
        const scoped_hold hold(lock_);
        if (waiter.state != room_state::waits) return false;
        queue_->waiters.remove(waiter);
        waiter.state = room_state::none;
        pass_on(todo, idle);
        return true;
    }
    /// A thread sleeps no more for its flush. True: it has no outcome; false: it has one, or is about to.
    [[nodiscard]] bool withdraw_mark(const void* context, errands& todo, queue*& idle) noexcept {
        const scoped_hold hold(lock_);
        if (queue_ == nullptr || !queue_->withdraw_mark(context, todo)) return false;
        pass_on(todo, idle);
        return true;
    }
    /// A sender was refused for another reason than a full queue: the room that it was granted goes to the others.
    void decline(room_waiter& waiter, errands& todo, queue*& idle) noexcept {
        const scoped_hold hold(lock_);
        if (waiter.state != room_state::granted || sealed_) return;
        queue_->give_back(waiter);
        pass_on(todo, idle);
    }
    /// Why a sender was woken: granted or ended.
    [[nodiscard]] room_state state_of(const room_waiter& waiter) noexcept {
        return locked([&] { return waiter.state; });
    }

    /// Bounds the handshake. `fresh` is taken where there is no queue yet. False: it is over.
    [[nodiscard]] bool bound_gate(time_point deadline, queue*& fresh) noexcept {
        const scoped_hold hold(lock_);
        if (!turn_.is(turn_state::gated)) return false;
        if (queue_ == nullptr) queue_ = detail::exchange(fresh, nullptr);
        queue_->gate_deadline = deadline;
        return true;
    }
    [[nodiscard]] wake open_gate(queue*& idle) noexcept {
        const scoped_hold hold(lock_);
        if (!turn_.open()) return wake::nothing; // its deadline, or an abort, came first
        if ((sealed_ || has_work()) && turn_.claim()) return wake::hook;
        drop_unused(idle);
        return wake::nothing;
    }

    /// For the destructor: nothing is accepted any more, and no sender waits for room. True when the turn is the caller's;
    /// else the thread that runs makes the end.
    [[nodiscard]] bool give_up(room_queue& due) noexcept {
        const scoped_hold hold(lock_);
        WSOLO_ASSERT(!turn_.is(turn_state::gated), "a single_writer is destroyed before its init_gate");
        begin_abort(errc::aborted, no_deadline);
        is_dying_ = true;
        if (queue_ != nullptr) queue_->end_waits(due);
        return turn_.seize();
    }

    /// Runs `work` under the lock and returns its result.
    template <class Work>
    auto locked(Work work) noexcept {
        const scoped_hold hold(lock_);
        return work();
    }
    [[nodiscard]] turn_state state() noexcept {
        return locked([this] { return turn_.state(); });
    }
    [[nodiscard]] std::size_t queued_bytes() noexcept {
        return locked([this] { return queue_ == nullptr ? 0 : queue_->held.charged(); });
    }
    [[nodiscard]] std::uint32_t queued_frames() noexcept {
        return locked([this] { return queue_ == nullptr ? 0 : queue_->held.data_frames; });
    }
    [[nodiscard]] bool is_half_free() noexcept {
        return locked([this] { return queue_ == nullptr || books_.is_half_free(queue_->held); });
    }
    /// Without the lock: nothing in it changes.
    [[nodiscard]] const writer_rules& rules() const noexcept { return books_.rules(); }
    [[nodiscard]] Owner& owner() noexcept { return books_.owner(); }
    /// Whether a message may have so many bytes of payload. Without the lock: it never changes.
    [[nodiscard]] errc judge_length(std::uint64_t payload) const noexcept {
        return payload > rules().max_message ? errc::too_large : errc::none;
    }

    [[nodiscard]] drain_report report() noexcept {
        return locked([this] {
            drain_report report;
            books_.fill(report);
            report.partial_frame = partial_frame_;
            report.deadline_hit = deadline_hit_;
            report.transport_error = transport_error_;
            return report;
        });
    }

    // ---- the running thread

    /// Takes the turn, or says what pump() answers instead, in one look. Where all that is queued is one entry, and nothing has to be
    /// decided, `found` names it for a write.
    [[nodiscard]] bool begin(pump_result& instead, sole_write& found) noexcept {
        const scoped_hold hold(lock_);
        if (turn_.begin() || turn_.resume()) {
            find_sole(found);
            return true;
        }
        switch (turn_.state()) {
        case turn_state::running: instead = {pump_status::busy}; break;
        case turn_state::gated: instead = {pump_status::busy, gate_deadline()}; break;
        case turn_state::finished: instead = {pump_status::finished}; break;
        default: instead = {pump_status::idle}; break;
        }
        return false;
    }
    /// The gate has stood until its deadline, or a close's: the caller runs, to make the end. What the handshake wrote has
    /// until `finish_by` to leave.
    [[nodiscard]] bool expire_gate(time_point now, time_point finish_by) noexcept {
        const scoped_hold hold(lock_);
        if (!turn_.is(turn_state::gated) || now < gate_deadline()) return false;
        begin_abort(now < queue_->gate_deadline ? errc::drain_timed_out : errc::handshake_timeout, finish_by);
        deadline_hit_ = true;
        return turn_.expire();
    }
    /// The turn that this thread claimed a moment ago.
    [[nodiscard]] bool begin_claimed() noexcept {
        const scoped_hold hold(lock_);
        return turn_.begin();
    }

    [[nodiscard]] bool begin(pump_result& instead) noexcept {
        sole_write none;
        return begin(instead, none);
    }
    /// After a write of what begin() found, which took these bytes, all of them. True: nothing came meanwhile, the turn is free, and the
    /// writer not to be touched; `idle` is to be destroyed. False: it did nothing.
    [[nodiscard]] bool settle_sole(std::size_t bytes, queue*& idle) noexcept {
        const scoped_hold hold(lock_);
        if (!is_straight() || !queue_->has_one_entry() || queue_->held.data_bytes != bytes) return false;
        books_.note_burst(queue_->small_bytes());
        books_.settle_all(queue_->held);
        idle = std::exchange(queue_, nullptr); // with the entry
        turn_.release();
        return true;
    }

    /// Settles the last write and decides what is next. `todo` is to be run in any case. `Encodes`: whether there is an encoder.
    template <bool Encodes = false>
    next_step next(round& how, batch& plan, errands& todo) noexcept {
        const scoped_hold hold(lock_);
        how.high = how.low = false;
        // A used-up quantum ends also what outcomes go on asking for.
        if (!how.is_used_up || how.done.bytes() != 0) settle(how, todo);
        if (todo.must_tell() || how.high || how.low) return next_step::tell;
        const bool is_urgent = aborting_;
        if (is_urgent && (is_dying_ || queue_ == nullptr || !queue_->must_finish()))
            return next_step::aborted;
        if (queue_ != nullptr && queue_->has_entries()) {
            how.deadline = queue_->deadline();
            how.drain_deadline = queue_->close_deadline;
            if (how.was_last) return next_step::late;
            if (how.is_blocked) return leave(next_step::parked);
            if (how.is_used_up) return leave(next_step::handed_over);
            if constexpr (Encodes) {
                if (!is_urgent && !how.is_encoded) {
                    how.scan = {};
                    how.plain = queue_->claim_encodable(how.scan, plan.max_bytes(), books_);
                    if (how.plain != nullptr) return next_step::encode;
                }
            }
            queue_->plan(plan, is_urgent);
            return next_step::write;
        }
        if (sealed_) return next_step::drained;
        if (queue_ != nullptr && queue_->is_unused()) {
            books_.note_burst(queue_->small_bytes());
            how.idle = detail::exchange(queue_, nullptr);
        }
        return leave(next_step::released);
    }

    /// After next() said encode: `made` takes the place of `plain`, or is null. `plain` is then what is to be encoded next, or null.
    void settle_encoded(round& how, entry* made, const batch& plan, errands& todo) noexcept {
        const scoped_hold hold(lock_);
        queue_->settle_encoded(how.scan, made, books_, todo);
        static_cast<void>(books_.climbed(queue_->held)); // it may have grown
        how.plain = aborting_ ? nullptr : queue_->claim_encodable(how.scan, plan.max_bytes(), books_);
        how.is_encoded = how.plain == nullptr;
    }
    /// Bytes that one message may have once it is encoded: to a peer that limits what it receives before it decodes it, the message
    /// is no longer than the others. Without the lock: it never changes.
    [[nodiscard]] std::size_t encoding_room() const noexcept {
        const std::size_t room = books_.encoding_room();
        return room < rules().max_message ? room : rules().max_message;
    }

    /// How things stand while a write is in flight.
    struct standing {
        bool is_over = false;
        bool is_dying = false;
        bool high = false; ///< tell the observer
        time_point write_deadline = no_deadline;
        time_point drain_deadline = no_deadline; ///< of a close or an abort
        [[nodiscard]] bool drains() const noexcept { return drain_deadline <= write_deadline; }
        [[nodiscard]] time_point deadline() const noexcept { return earlier(write_deadline, drain_deadline); }
        [[nodiscard]] time_point later() const noexcept { return drains() ? write_deadline : drain_deadline; }
    };
    /// `over` is the write's own flag, which its completion sets under the lock.
    standing look(const bool& over, errands& todo) noexcept {
        const scoped_hold hold(lock_);
        serve_waiters(todo);
        return {over, is_dying_, books_.take_climb(), queue_->write_deadline, queue_->close_deadline};
    }
    /// The turn waits for the write in flight. False when look() has something new. `seen`: the drain's deadline.
    [[nodiscard]] bool park_started(const bool& over, time_point seen) noexcept {
        const scoped_hold hold(lock_);
        if (over || is_dying_ || books_.is_climb_untold() || queue_->close_deadline < seen) return false;
        turn_.park();
        return true;
    }
    /// The completion, any thread: `note()` says that the write is over.
    template <class Note>
    [[nodiscard]] wake end_started(Note note) noexcept {
        const scoped_hold hold(lock_);
        note();
        return turn_.recall() ? wake::hook : wake::nothing;
    }

    /// How the writer ends. What is left is dropped; tell_dropped() tells it.
    struct [[nodiscard]] ending {
        errc reason = errc::none;  ///< none: drained
        bool is_abandoned = false; ///< a write in flight is left to the transport
        bool hit_deadline = false;
        int transport_error = 0;
    };
    void finish(round& last, const ending& how, errands& todo) noexcept {
        const scoped_hold hold(lock_);
        if (!how.is_abandoned) settle(last, todo); // what the transport still reads stays named
        if (!aborting_) books_.note_reason(how.reason);
        // A peer must not take half a message, or a message without those accepted before it, for all there was.
        const bool is_unfinished = books_.message_begun() || (queue_ != nullptr && queue_->has_deferred());
        if (books_.reason() == errc::none && is_unfinished) books_.note_reason(errc::message_unfinished);
        deadline_hit_ |= how.hit_deadline;
        transport_error_ = how.transport_error;
        partial_frame_ = how.is_abandoned || (queue_ != nullptr && queue_->mid_frame());
        sealed_ = aborting_ = true; // the reason stands
        if (queue_ == nullptr) return;
        books_.drop_all(queue_->held);
        queue_->end_waits(todo.due);
    }
    /// Tells what finish() dropped, in rounds. True: there is more.
    [[nodiscard]] bool tell_dropped(errands& todo) noexcept {
        const scoped_hold hold(lock_);
        const errc why = books_.reason();
        return queue_ != nullptr && queue_->drop_some(why == errc::none ? errc::closed : why, todo);
    }
    /// The last touch of the writer. The queue is the caller's.
    [[nodiscard]] queue* retire() noexcept {
        const scoped_hold hold(lock_);
        turn_.finish();
        return detail::exchange(queue_, nullptr);
    }
    /// The hook refused, so no thread will come, and none will look at a deadline: the writer is to end now. The caller's
    /// begin() takes what turn there is.
    void refuse(time_point now) noexcept {
        const scoped_hold hold(lock_);
        begin_abort(errc::schedule_refused, now);
        static_cast<void>(turn_.revoke() || turn_.claim()); // another pump() may have done all, and let go
    }

    /// While a write is planned or in flight.
    [[nodiscard]] queue& work() noexcept { return *queue_; }

private:
    /// Memory that a push lacks, to be found with the lock free; then everything is judged again.
    enum class need : std::uint8_t {
        nothing,
        queue,      ///< with room for small frames
        bare_queue, ///< without
        block,      ///< of `block_size` bytes
        entry,
    };
    /// What was found.
    struct fresh_memory {
        queue* work = nullptr;
        block* room = nullptr;
        entry* kept = nullptr; ///< an old one's memory, for make()
        queue* idle = nullptr; ///< not needed any more
        std::uint32_t block_size = 0;

        explicit fresh_memory(queue* found) noexcept : work(found) {}
        fresh_memory(const fresh_memory&) = delete;
        fresh_memory& operator=(const fresh_memory&) = delete;
        ~fresh_memory() {
            queue::destroy(work);
            block::destroy(room);
            entry::destroy(kept);
            queue::destroy(idle);
        }
        [[nodiscard]] bool find(need missing) noexcept {
            if (missing != need::block) return (work = queue::make(missing == need::queue)) != nullptr;
            block::destroy(room); // the wish may have grown meanwhile
            return (room = block::make(block_size)) != nullptr;
        }
    };

    /// An offer as it looks to the queue at this moment.
    struct draft {
        bool is_owned = false;
        bool extends = false; ///< the run before it
        std::size_t charge = 0;
        entry* same = nullptr; ///< the queued item that it would replace
        verdict fits{};
    };

    template <class Encode>
    need try_push(const offer& what, entry*& owned, Encode& encode, fresh_memory& fresh, push_result& result,
                  errands& todo) noexcept {
        if (sealed_ && (aborting_ || what.to != lane_id::greeting)) {
            result = {errc::closed};
            return need::nothing;
        }
        const draft now = draft_of(what, owned);
        if (now.fits.error == errc::none) {
            const need missing = find_memory(what, now, fresh, todo);
            if (missing != need::nothing) return missing;
            commit(what, now, owned, encode, todo);
            result = {errc::none, turn_after(what)};
        } else if (now.fits.error == errc::queue_full && what.waiter != nullptr) {
            if (!find_queue(fresh)) return need::queue;
            queue_->wait(*what.waiter, books_.grantable(accounts::charge_of(what.size)));
            // A thread may wait under its own cork: it has the queue driven.
            result = {errc::queue_full, has_work() ? claim_at_once() : wake::nothing};
        } else {
            result = {now.fits.error};
        }
        return need::nothing;
    }

    /// Fits?
    [[nodiscard]] draft draft_of(const offer& what, const entry* owned) const noexcept {
        draft now;
        now.is_owned = owned != nullptr;
        now.extends = !now.is_owned && queue_ != nullptr && !must_own(what) && !ends_message(what) &&
                      queue_->extends_run(what);
        now.charge = accounts::charge_of(what.size, !now.extends);
        if (now.is_owned && owned->is_keyed && queue_ != nullptr) now.same = queue_->find(owned->key);
        now.fits = judge(what, now.charge, now.same);
        if (now.fits.error == errc::none && now.fits.displaces && !what.may_displace && !what.is_granted())
            now.fits.error = errc::queue_full;
        return now;
    }

    /// Memory?
    need find_memory(const offer& what, const draft& now, fresh_memory& fresh, errands& todo) noexcept {
        const bool is_small = !now.is_owned && !must_own(what);
        if (!find_queue(fresh)) return is_small ? need::queue : need::bare_queue;
        if (now.is_owned || now.extends) return need::nothing;
        if (!is_small) {
            fresh.kept = queue_->take_kept(what.size);
            return need::entry;
        }
        if (queue_->find_room(what, fresh.room, books_, todo)) return need::nothing;
        fresh.block_size = queue_->wanted_block(what, books_);
        return need::block;
    }
    [[nodiscard]] bool find_queue(fresh_memory& fresh) noexcept {
        if (queue_ == nullptr) queue_ = detail::exchange(fresh.work, nullptr);
        return queue_ != nullptr;
    }

    /// What gives way; place. Nothing here can fail.
    template <class Encode>
    void commit(const offer& what, const draft& now, entry*& owned, Encode& encode, errands& todo) noexcept {
        if (now.fits.displaces) queue_->displace(what, now.charge, now.same, books_, todo);
        if (ends_message(what)) static_cast<void>(end_message(todo));
        if (now.is_owned) {
            queue_->place(what, detail::exchange(owned, nullptr), books_, todo);
        } else { // the run may have given way; then its place is free
            const bool in_run = now.extends && (!now.fits.displaces || queue_->extends_run(what));
            encode(mutable_bytes(queue_->place_small(what, in_run), what.size));
        }
        if (what.part != message_part::none) books_.begin_message();
        if (what.part == message_part::last) static_cast<void>(end_message(todo));
        if (what.is_close()) seal(*what.close);
        if (now.fits.displaces || sealed_) serve_waiters(todo);
    }

    [[nodiscard]] verdict judge(const offer& what, std::size_t charge, const entry* same) const noexcept {
        if (queue_ != nullptr) return queue_->judge(what, charge, same, books_);
        if (what.to != lane_id::data || what.is_close() || what.is_mark) return {};
        return {books_.admit({}, charge, queue::is_deferred(what, books_))};
    }
    /// Whether this Close ends an open message of which nothing was sent: the data that waits for that message is queued
    /// before the Close.
    [[nodiscard]] bool ends_message(const offer& what) const noexcept {
        return what.is_close() && books_.in_message() && !books_.message_begun();
    }
    /// Large frames, and what may leave or wait out of turn.
    [[nodiscard]] bool must_own(const offer& what) const noexcept {
        if (what.is_encodable) return true;
        return what.size > books_.inline_limit() || (what.is_plain_data() && !books_.keeps_order());
    }

    /// A sender has stopped waiting: the others may have its room.
    void pass_on(errands& todo, queue*& idle) noexcept {
        serve_waiters(todo);
        drop_unused(idle);
    }
    /// Grants room to the senders that wait, as far as there is any; after a Close there is none.
    void serve_waiters(errands& todo) noexcept {
        if (sealed_)
            queue_->end_waits(todo.due);
        else
            queue_->grant(books_, todo.due);
    }
    /// An idle writer has no queue.
    void drop_unused(queue*& idle) noexcept {
        if (turn_.is(turn_state::free) && queue_ != nullptr && queue_->is_unused())
            idle = detail::exchange(queue_, nullptr);
    }

    [[nodiscard]] wake turn_after(const offer& what) noexcept {
        return what.is_close() || what.is_mark ? claim_at_once() : turn_after_data();
    }
    [[nodiscard]] wake turn_after_data() noexcept {
        // A parked writer's loop is to tell the observer of a climb.
        const bool is_high = books_.climbed(queue_->held) && turn_.is(turn_state::parked);
        return is_high ? claim_at_once() : claim();
    }
    /// What no cork holds back.
    [[nodiscard]] wake claim_at_once() noexcept {
        if (turn_.is(turn_state::gated)) return wake::look;
        return turn_.recall() || turn_.claim() ? wake::hook : wake::nothing;
    }
    [[nodiscard]] wake claim() noexcept { return corks_ == 0 && turn_.claim() ? wake::hook : wake::nothing; }
    [[nodiscard]] bool has_work() const noexcept { return queue_ != nullptr && queue_->has_entries(); }

    /// Whether neither an end nor a mark has to be told of.
    [[nodiscard]] bool is_straight() const noexcept { return !sealed_ && !books_.is_above(); }
    void find_sole(sole_write& found) noexcept {
        const entry* const item = queue_ != nullptr && is_straight() ? queue_->sole() : nullptr;
        if (item == nullptr || item->size > found.most) return;
        queue_->note_planned_sole();
        found.bytes = {item->bytes, item->size};
        found.frames = item->frames;
        found.is_one = item->kind != entry_kind::run;
    }

    /// True when something was waiting for the message's end.
    bool end_message(errands& todo) noexcept {
        books_.end_message();
        if (queue_ == nullptr) return false;
        const bool follows = queue_->has_deferred() && !sealed_; // after a Close nothing follows: it drops
        if (follows) queue_->end_message();
        serve_waiters(todo);
        return follows;
    }

    void seal(const closing& close) noexcept {
        sealed_ = true;
        books_.note_close(close.code);
        queue_->close_deadline = earlier(queue_->close_deadline, close.drain_deadline);
    }

    void begin_abort(errc why, time_point finish_by) noexcept {
        if (queue_ != nullptr) queue_->close_deadline = earlier(queue_->close_deadline, finish_by);
        if (!aborting_) books_.note_reason(why);
        sealed_ = aborting_ = true;
    }

    void settle(round& how, errands& todo) noexcept {
        if (queue_ == nullptr) return;
        queue_->account(how.done, books_, todo);
        how.done.clear();
        serve_waiters(todo);
        how.high = books_.take_climb();
        how.low = books_.take_fall(queue_->held);
    }

    [[nodiscard]] time_point gate_deadline() const noexcept {
        return queue_ == nullptr ? no_deadline : earlier(queue_->gate_deadline, queue_->close_deadline);
    }

    next_step leave(next_step step) noexcept {
        if (step == next_step::parked) turn_.park();
        if (step == next_step::handed_over) turn_.hand_over();
        if (step == next_step::released) turn_.release();
        return step;
    }

    queue* queue_ = nullptr; // while busy
    [[no_unique_address]] basic_accounts<Owner> books_;
    basic_spin_lock<Traits> lock_;
    turn turn_;
    std::uint8_t corks_ = 0;
    bool sealed_ : 1 = false;
    bool aborting_ : 1 = false;
    bool is_dying_ : 1 = false; // the destructor runs
    bool partial_frame_ : 1 = false;
    bool deadline_hit_ : 1 = false;
    int transport_error_ = 0;
};

} // namespace wsolo::inline WSOLO_ABI::detail
