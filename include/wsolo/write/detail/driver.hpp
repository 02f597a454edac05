// SPDX-License-Identifier: MIT
#pragma once
// The drive: one loop that writes what is queued, by the thread whose turn it is.
//
// Laws of this file:
// - The loop: next (settle the last write, decide, plan) - tell - write - next. Where begin() finds one entry with nothing to
//   decide, one write and one look are the whole drive. The transport's write, start_write,
//   cancel_write and finish are called here and nowhere else, and only by the thread whose turn it is; wait_writable() and
//   connection() need no turn.
// - The hook, the observer, outcomes and waiting senders are called with no lock held. What throws there, or in the
//   transport, ends this writer and unwinds nothing.
// - The end, in this order: 1. settle the last write, note the reason, drop all from the books, wake the senders that wait;
//   2. tell what was dropped, in rounds of 64; 3. the transport's finish(); 4. on_finished(); 5. retire the turn.
// - After next() said released, parked or handed_over nothing of the writer is touched, but for the hook that is owed.
// - A wait inside one of these calls, for something that only this thread could do, answers would_deadlock.

#include "../../sync/blocking_traits.hpp"
#include "../../sync/handler_scope.hpp"
#include "../../sync/weak_session.hpp"
#include "completion.hpp"
#include "encoding.hpp"
#include "outbox.hpp"
#include "owner_link.hpp"

#include <optional>

namespace wsolo::inline WSOLO_ABI {

/// What a writer tells its owner, each called with no lock held: `on_finished`, once, by the thread that ends the writer;
/// `on_high_water` and `on_low_water`, by turns, by the thread that pumps. All three are required, so that a misspelt one
/// does not compile; one that throws ends the connection (errc::handler_failed).
template <class T>
concept writer_observer = requires(T& observer, const drain_report& report) {
    { observer.on_finished(report) } -> std::same_as<void>;
    { observer.on_high_water() } -> std::same_as<void>;
    { observer.on_low_water() } -> std::same_as<void>;
};

/// An observer that ignores all three.
struct no_observer {
    void on_finished(const drain_report&) noexcept {}
    void on_high_water() noexcept {}
    void on_low_water() noexcept {}
};

namespace detail {

/// `Writer` is what a handle leads to; it has a driver, which it names by driver_of(Writer&).
template <class Writer, any_transport Transport, schedule_hook Schedule, writer_observer Observer,
          class Traits, message_encoder Encoder>
class driver {
    static constexpr bool completes = !transport<Transport>;
    using started = started_write<driver>;
    using link = owner_link<Schedule>;
    struct nothing {};

public:
    using weak_type = basic_weak_session<Writer, Traits>;
    using traits = Traits;
    using scope = basic_handler_scope<Traits>;

    driver(Transport connection, Schedule hook, const writer_options& options, Observer observer,
           turn_state first, Encoder encoder)
        : box(link(std::move(hook), options), first),
          transport_(std::move(connection)),
          observer_(std::move(observer)),
          encoder_(std::move(encoder)) {}
    driver(const driver&) = delete;
    driver& operator=(const driver&) = delete;
    ~driver() = default;

    /// Any thread, with no lock held: runs what a push decided, and has the writer driven.
    errc after(const push_result& pushed, errands& todo) {
        if (!todo.empty()) {
            const scope telling(&anchor_); // displaced data's outcomes: see may_displace()
            const scope inside(this);
            todo.run();
        }
        rouse(pushed.owed);
        return pushed.error;
    }
    /// Whether a send may displace queued data: where the outcome of displaced data sends and so displaces, and so on,
    /// that ends soon and answers queue_full. (The scopes are those of anchor_: the driver has others at its own address.)
    [[nodiscard]] bool may_displace() const noexcept { return scope::depth(&anchor_) < 8; }

    /// Calls the hook, or writes where the drive is inline.
    void rouse(wake owed) {
        if (owed == wake::nothing) return;
        if constexpr (requires { Schedule::writes_inline; }) {
            if (owed == wake::hook) {
                if (box.begin_claimed() && run().status == pump_status::blocked)
                    static_cast<void>(call_hook());
                return;
            }
        }
        static_cast<void>(call_hook());
    }

    pump_result pump() {
        pump_result instead;
        sole_write sole;
        if constexpr (!completes) sole.most = bound_of(std::size_t{rules().max_gather.get()});
        if (box.begin(instead, sole)) {
            if constexpr (!completes) {
                if (!sole.bytes.empty()) return run_sole(sole);
            }
            return run();
        }
        const bool is_due = instead.status == pump_status::busy && instead.deadline != no_deadline;
        return is_due && expire_gate() ? run() : instead;
    }

    void abort(errc why, duration finish_within) {
        rouse(box.abort(why, deadline_after(Traits::clock::now(), finish_within)));
    }

    /// Whether the calling thread is inside this writer, or is its loop: a wait for the writer there would never end.
    [[nodiscard]] bool is_here() const noexcept { return scope::is_inside(this); }

    /// For the destructor, while other threads may still use a handle: accepts nothing more and gives every item that is left
    /// its outcome, so that none of these threads waits for one. Then it waits until they have left.
    void end_by_destructor() {
        WSOLO_ASSERT(!is_here(), "a single_writer is destroyed inside one of its own callbacks");
        room_queue due;
        const bool is_ours = box.give_up(due);
        due.wake_all();
        if (is_ours) static_cast<void>(run());
        // Not before: a write that is cancelled finds the writer by a handle. No lock is needed: while threads are inside
        // by a handle only their count changes, and the anchor forgets its block after the last one has left.
        anchor_ = {};
        WSOLO_ASSERT(box.state() == turn_state::finished,
                     "a single_writer is destroyed while another thread is in its pump()");
    }

    weak_type weak_handle(Writer& self) {
        const auto existing =
            box.locked([&] { return anchor_ ? std::optional<weak_type>(anchor_.handle()) : std::nullopt; });
        if (existing) return *existing;
        auto made = basic_session_anchor<Writer, Traits>::make(self);
        if (!made) return {};
        return box.locked([&] { // another thread may have been first
            if (!anchor_) anchor_ = std::move(*made);
            return anchor_.handle();
        });
    }
    /// For a completion_transport, whose completions find the writer by a handle.
    void attach(Writer& self) {
        if constexpr (completes) self_ = &self;
    }

    /// The completion of a started write: any thread, inside a guard of the writer.
    static void on_write_over(Writer& writer, started& ended, const io_result& how) {
        driver& self = driver_of(writer);
        self.rouse(self.box.end_started([&] {
            ended.how = how;
            ended.is_over = true;
        }));
    }

    [[nodiscard]] Transport& connection() noexcept { return transport_; }
    [[nodiscard]] bool is_write_cancelled() const noexcept {
        return is_in_flight() && started_->is_cancelled();
    }
    [[nodiscard]] const Encoder& encoder() const noexcept { return encoder_; }
    [[nodiscard]] const writer_rules& rules() const noexcept { return box.rules(); }

    // [[no_unique_address]]: a socket lies in the outbox's tail padding.
    [[no_unique_address]] outbox<Traits, link> box;

private:
    bool expire_gate() {
        const time_point now = Traits::clock::now();
        return box.expire_gate(now, deadline_after(now, rules().drain_timeout.get()));
    }

    // Precondition of the next four: the turn is this thread's.

    /// The usual case on its own: one write takes all that is queued.
    [[gnu::always_inline]] pump_result run_sole(const sole_write& sole) {
        const scope inside(this);
        time_point tried{};
        const io_result io = write_in_time<Traits>(transport_, {&sole.bytes, 1}, sole.bytes.size(),
                                                   box.work(), rules(), no_deadline, tried);
        queue* idle = nullptr;
        if (io.status == io_status::ok && io.transferred == sole.bytes.size() &&
            box.settle_sole(sole.bytes.size(), idle)) {
            queue::destroy(idle);
            return {pump_status::idle};
        }
        return run_after(sole, io, tried);
    }
    /// There is more to it: it goes on as if it had come the long way.
    [[gnu::noinline]] pump_result run_after(const sole_write& sole, const io_result& io, time_point tried) {
        batch plan(sole.most);
        plan.clear();
        plan.add(lane_id::data, sole.bytes, sole.frames, sole.is_one);
        round now;
        const written last = judge_write<Traits>(plan, box.work(), rules(), io, no_deadline, tried, now.done);
        return run_on(plan, now, last);
    }
    pump_result run() {
        const scope inside(this);
        round now;
        written last;
        if (is_in_flight() && !collect(last, now)) return {pump_status::blocked, now.deadline};
        batch plan(bound_of(std::size_t{rules().max_gather.get()}));
        plan.clear();
        return run_on(plan, now, last);
    }
    [[gnu::noinline]] pump_result run_on(batch& plan, round& now, written last) {
        const std::uint32_t quantum = rules().pump_quantum.get();
        std::size_t bytes = 0, frames = 0, saved = 0;
        for (;;) {
            bytes += now.done.bytes();
            frames += now.done.frames();
            if (last.error != errc::none) return finish(last, now);
            now.is_blocked = last.is_blocked;
            now.was_last = last.was_last;
            now.is_used_up = (quantum != 0 && bytes >= quantum) ||
                             (rules().pump_frames != 0 && frames >= rules().pump_frames);
            errands todo;
            const next_step step = box.template next<Encoder::encodes>(now, plan, todo);
            queue::destroy(std::exchange(now.idle, nullptr));
            if (step == next_step::tell) frames += todo.outcomes(); // they may go on asking for more
            todo.run();
            switch (step) {
            case next_step::released: return {pump_status::idle};
            case next_step::parked: return {pump_status::blocked, now.deadline};
            case next_step::handed_over: return call_hook();
            case next_step::drained:
            case next_step::aborted: return finish({}, now);
            case next_step::late: last.error = errc::drain_timed_out; return finish(last, now);
            case next_step::tell:
                if (now.high) observe([this] { observer_.on_high_water(); });
                if (now.low) observe([this] { observer_.on_low_water(); });
                break;
            case next_step::encode: saved += encode(now, plan); break;
            case next_step::write:
                now.is_encoded = false;
                bytes += std::exchange(saved, 0);
                if (!perform(plan, now, last)) return {pump_status::blocked, now.deadline};
                break;
            }
        }
    }

    /// Writes the batch; `now.done` is what it took. False: the write was started, and the turn waits for it.
    bool perform(const batch& plan, round& now, written& last) {
        if constexpr (completes) {
            started_ = started::make(weak_handle(*self_), plan);
            if (started_ == nullptr) {
                last.error = errc::out_of_memory;
                return true;
            }
            started_->start(transport_, box.work(), rules(), now.drain_deadline);
            return collect(last, now);
        } else {
            last = write_once<Traits>(transport_, plan, box.work(), rules(), now.drain_deadline, now.done);
            return true;
        }
    }

    /// Encodes what next() named, and what the same write names after it; how many bytes fewer that has. With them a quantum
    /// counts what it was before.
    std::size_t encode(round& now, const batch& plan) {
        std::size_t saved = 0;
        while (now.plain != nullptr) {
            entry* const made = encode_entry(encoder_, *now.plain, now.scan.growth, box.encoding_room());
            if (made != nullptr && made->size < now.plain->size) saved += now.plain->size - made->size;
            errands todo;
            box.settle_encoded(now, made, plan, todo);
            todo.run();
        }
        return saved;
    }

    [[nodiscard]] bool is_in_flight() const noexcept {
        if constexpr (completes) return started_ != nullptr;
        return false;
    }

    /// True: the started write is over, and `last` and `now.done` say what it did; or it is abandoned, because the writer
    /// goes first. False: the turn is parked until its end.
    bool collect([[maybe_unused]] written& last, [[maybe_unused]] round& now) {
        if constexpr (completes) {
            for (;;) {
                errands todo;
                const auto how = box.look(started_->is_over, todo);
                todo.run();
                if (how.high) observe([this] { observer_.on_high_water(); });
                if (how.is_over) {
                    last = std::exchange(started_, nullptr)
                               ->collect(box.work(), rules(), how.drain_deadline, now.done);
                    return true;
                }
                const time_point at = Traits::clock::now();
                if (!started_->is_cancelled() && forgive_sleep(box.work(), rules(), at)) continue;
                if (!started_->is_cancelled() && (how.is_dying || at >= how.deadline())) {
                    started_->cancel(transport_, how.is_dying   ? errc::aborted
                                                 : how.drains() ? errc::drain_timed_out
                                                                : errc::write_timed_out);
                } else if (how.is_dying) {
                    last.error = errc::aborted;
                    last.is_abandoned = true;
                    return true;
                } else {
                    // No more can be asked of a cancelled one. But another bound may be to come: its owner is told.
                    now.deadline = !started_->is_cancelled() ? how.deadline()
                                   : at < how.later()        ? how.later()
                                                             : no_deadline;
                    if (box.park_started(started_->is_over, how.drain_deadline)) return false;
                }
            }
        }
        return true;
    }

    /// The end. `last`: the write that failed, if one did; `taken_last`: what it took.
    pump_result finish(const written& last, round& taken_last) {
        {
            errands todo;
            const bool is_late = last.error == errc::write_timed_out || last.error == errc::drain_timed_out;
            box.finish(taken_last,
                       {last.error, last.is_abandoned, is_late,
                        last.error == errc::write_failed ? last.transport_error : 0},
                       todo);
            todo.run();
        }
        for (bool more = true; more;) {
            errands todo;
            more = box.tell_dropped(todo);
            todo.run();
        }
        const drain_report report = box.report();
        end_transport(report);
        observe([&] { observer_.on_finished(report); });
        if constexpr (completes) {
            if (started* const left = std::exchange(started_, nullptr)) { // nothing knows when it ends
                left->abandon(box.retire());
                return {pump_status::finished};
            }
        }
        queue::destroy(box.retire());
        return {pump_status::finished};
    }

    void end_transport(const drain_report& report) noexcept {
        const end_of_write how = end_as(report);
#if WSOLO_HAS_EXCEPTIONS
        try {
            transport_.finish(how);
        } catch (...) { // it has ended all the same
        }
#else
        transport_.finish(how);
#endif
    }

    template <class Call>
    void observe(Call call) {
#if WSOLO_HAS_EXCEPTIONS
        try {
            call();
        } catch (...) {
            static_cast<void>(box.abort(errc::handler_failed, Traits::clock::now()));
        }
#else
        call();
#endif
    }

    /// The last act of its callers: the thread that the hook wakes may already have destroyed the writer when it returns.
    pump_result call_hook() {
        const scope inside(this);
        if (ask_for_a_turn(box.owner().hook())) return {pump_status::more};
        // It refused: no thread will come, so this one makes the end.
        box.refuse(Traits::clock::now());
        pump_result instead;
        return box.begin(instead) ? run() : instead;
    }

    [[no_unique_address]] Transport transport_;
    [[no_unique_address]] std::conditional_t<completes, started*, nothing> started_{};
    [[no_unique_address]] std::conditional_t<completes, Writer*, nothing> self_{};
    [[no_unique_address]] Observer observer_;
    [[no_unique_address]] Encoder encoder_;
    basic_session_anchor<Writer, Traits> anchor_; ///< the last: its destructor waits for threads inside
};

} // namespace detail
} // namespace wsolo::inline WSOLO_ABI
