#pragma once
// The token's path through a writer: from the push that takes it, by the schedule hook, through pump(), to
// its release, its parking, or the end.
//
// Laws of this file:
// - The transport is touched by the token's holder only, and by no other code than this and the init gate.
// - While a write is in flight the token is parked; the completion takes it up, as the hook would. What the
//   transport reads stays until then, whatever ends the writer.
// - The hook, the observer, outcomes and waiting senders are called with no lock held.
// - Nothing of the object is touched after next() said `released`.

#include "../../sync/blocking_traits.hpp"
#include "../../sync/handler_scope.hpp"
#include "../../sync/schedule_hook.hpp"
#include "../../sync/weak_session.hpp"
#include "../outbox.hpp"
#include "started_write.hpp"

#include <optional>

namespace wsolo::inline WSOLO_ABI {

/// What pump() left behind.
enum class pump_status : std::uint8_t {
    idle,     ///< everything is written; the next send calls the hook
    blocked,  ///< pump() again when the transport is writable (when a write is in flight, its end calls the
              ///< hook), or at `deadline`
    more,     ///< the quantum is used up; the hook was called again
    busy,     ///< another thread (or a gate) holds the token: nothing to do here
    finished, ///< over: see report()
};

/// `deadline` counts where the status is blocked, or busy because of a gate, and may be no_deadline.
struct [[nodiscard]] pump_result {
    pump_status status = pump_status::idle;
    time_point deadline = no_deadline;
};

/// The inline drive: the sender that finds the writer idle writes at once, up to the quantum, and only what
/// is left (or what the transport did not take) goes to `Hook`.
template <schedule_hook Hook>
struct inline_drive {
    static constexpr bool writes_inline = true;
    Hook hook;
    decltype(auto) operator()() { return hook(); }
};
template <class Hook>
inline_drive(Hook) -> inline_drive<Hook>;

namespace detail {

/// `Writer` is the class derived from it, for handles.
template <class Writer, any_transport Transport, schedule_hook Schedule, class Observer, class Traits>
class writer_core {
public:
    using weak_type = basic_weak_session<Writer, Traits>;
    using traits = Traits;

    writer_core(const writer_core&) = delete;
    writer_core& operator=(const writer_core&) = delete;

protected:
    writer_core(Transport connection, Schedule hook, const writer_options& options, Observer observer,
                token first)
        : box_(options.limits, first),
          settings_(options),
          transport_(std::move(connection)),
          schedule_(std::move(hook)),
          observer_(std::move(observer)) {}
    ~writer_core() = default;

    /// For the destructor, while threads may still be inside by a handle: nothing more is accepted, and what is
    /// left has its outcome, so that none of them waits for one.
    void give_up() {
        waiter_list due;
        const bool is_ours = box_.give_up(due);
        due.wake_all();
        if (is_ours) static_cast<void>(run());
    }
    /// For the destructor, when they have left.
    void check_over() const noexcept {
        WSOLO_ASSERT(box_.state() == token::finished,
                     "a single_writer is destroyed while another thread is in its pump()");
    }

    /// The rest of every push, with no lock held.
    errc drive(push_result pushed) {
        if (pushed.drive) schedule();
        return pushed.error;
    }
    /// The same for data, which a full queue may cost the connection; control frames have their reserve.
    errc drive_data(push_result pushed) {
        if (pushed.drive) schedule();
        if (pushed.error == errc::queue_full && box_.when_full() == overflow::disconnect)
            abort_with(errc::queue_full, duration::zero());
        return pushed.error;
    }

    void abort_with(errc why, duration finish_within) {
        if (box_.abort(why, deadline_after(Traits::clock::now(), finish_within))) schedule();
    }

    /// The caller took the token off `free`.
    void schedule() {
        if constexpr (requires { Schedule::writes_inline; }) {
            if (box_.begin() && run().status == pump_status::blocked) call_hook();
        } else {
            call_hook();
        }
    }

    pump_result take_and_run() {
        if (box_.begin()) return run();
        switch (box_.state()) {
        case token::gated: return meet_gate();
        case token::pumping: return {pump_status::busy};
        case token::finished: return {pump_status::finished};
        default: return {pump_status::idle};
        }
    }

    /// Whether the calling thread is inside this writer's pump: waiting for it there would be for ever.
    [[nodiscard]] bool is_pumping_here() const noexcept {
        return basic_handler_scope<Traits>::is_inside(this);
    }

    /// Holds the token, for the last time.
    pump_result end(const progress& done, const drain_report& how) {
        end_result over = box_.finish(done, how);
        over.due.wake_all();
        if (over.rest != nullptr) release(over.rest, over.report.clean() ? errc::closed : over.report.reason);
        call_finish(transport_, over.report.clean() ? end_of_write::drained : end_of_write::broken);
        tell_finished(over.report);
        box_.retire();
        return {pump_status::finished};
    }

    weak_type weak_self() {
        const auto existing =
            box_.locked([&] { return anchor_ ? std::optional<weak_type>(anchor_.handle()) : std::nullopt; });
        if (existing.has_value()) return *existing;
        auto made = anchor::make(static_cast<Writer&>(*this));
        if (!made) return {};
        return box_.locked([&] {
            if (!anchor_) std::swap(anchor_, *made);
            return anchor_.handle();
        });
    }

    using anchor = basic_session_anchor<Writer, Traits>;

    [[no_unique_address]] mutable outbox<Traits> box_;
    settings settings_;
    Transport transport_;
    anchor anchor_;

private:
    static constexpr bool completes = !transport<Transport>;
    using started = started_write<writer_core>;
    friend started;
    struct nothing {};

    pump_result meet_gate() {
        pump_result shut{pump_status::busy};
        const time_point now = Traits::clock::now();
        const time_point finish_by = deadline_after(now, settings_.drain_timeout.get());
        return box_.expire_gate(now, finish_by, shut.deadline) ? run() : shut;
    }

    /// Holds the token: it leaves by being released, parked, handed over or finished.
    pump_result run() {
        basic_handler_scope<Traits> scope(this);
        pump_result parked{pump_status::blocked};
        attempt last;
        if constexpr (completes) {
            if (!collect(last, parked.deadline)) return parked;
            tell_written(last);
            if (last.error != errc::none) return end(last.done, last.failure());
        }
        std::size_t written = 0;
        for (std::uint32_t first = 0;; written += last.written) {
            next_result next = box_.next(last.done);
            next.due.wake_all();
            if (next.step == next_step::released) {
                scope.leave();
                workload::destroy(next.idle);
                return {pump_status::idle};
            }
            last = {};
            if (next.climbed) tell_high();
            if (next.fell) tell_low();
            if (next.climbed || next.fell) continue; // the observer may have ended it
            if (next.step == next_step::drained) return end({}, {});
            if (next.step == next_step::aborted) return end({}, {.reason = errc::aborted});
            if (written == 0) {
                first = next.frames;
            } else if (written >= settings_.pump_quantum.get() ||
                       next.frames - first >= settings_.pump_frames) {
                if (!box_.hand_over()) continue;
                call_hook();
                return {box_.state() == token::finished ? pump_status::finished : pump_status::more};
            }
            last = write(next.step == next_step::write_what_must, parked.deadline);
            if (completes && last.blocked) return parked;
            tell_written(last);
            if (last.error != errc::none) return end(last.done, last.failure());
            if (!last.blocked) continue;
            if (park(last.done, parked.deadline)) return parked;
            last.done = {};
        }
    }

    /// One write. `blocked` is for park(), but for a write in flight, with which the token is parked already,
    /// until `deadline`, and nothing of this object may be touched.
    attempt write(bool only_what_must, time_point& deadline) {
        workload& work = *box_.work();
        if constexpr (completes) {
            attempt made;
            const time_point now = Traits::clock::now();
            gather_plan plan;
            if (!prepare(made, plan, work, settings_, only_what_must, now)) return made;
            started::start(started_, weak_self(), transport_, plan, work, only_what_must, now);
            if (started_ == nullptr)
                made.error = errc::out_of_memory;
            else
                made.blocked = !collect(made, deadline);
            return made;
        } else {
            return attempt_write<Traits>(transport_, work, settings_, only_what_must);
        }
    }

    /// Whether no write is in flight (any more): `made` says what it did. Otherwise the token is parked.
    bool collect(attempt& made, time_point& deadline) {
        while (started_ != nullptr) {
            standing now = box_.look(started_->over);
            now.due.wake_all();
            if (now.climbed) tell_high();
            if (now.over) {
                made = settle();
                return true;
            }
            if (!started_->is_cancelled() && (now.gone || Traits::clock::now() >= now.deadline)) {
                started_->cancel(transport_, now.gone     ? errc::aborted
                                             : now.drains ? errc::drain_timed_out
                                                          : errc::write_timed_out);
            } else if (now.gone) {
                made.error = errc::aborted;
                return made.abandoned = true;
            } else if (box_.park_started(started_->over, started_->is_cancelled(), deadline)) {
                return false;
            }
        }
        return true;
    }

    /// Outcomes of what a write took, once its room is free again: whoever is told may send.
    void tell_written(attempt& made) {
        if (box_.work() == nullptr || !box_.work()->in_flight.has_written()) return;
        box_.settle(std::exchange(made.done, {}));
        box_.work()->in_flight.tell_written();
    }

    [[nodiscard]] attempt settle() {
        return std::exchange(started_, nullptr)->settle(*box_.work(), settings_);
    }

    /// The completion: any thread, inside a guard of the writer.
    static void write_is_over(Writer& writer, started& ended, const io_result& how) noexcept {
        writer_core& self = writer;
        if (self.box_.end_started([&] {
                ended.how = how;
                ended.over = true;
            })) {
            self.schedule();
        }
    }

    /// What is left at the end.
    void release(workload* rest, errc why) {
        if constexpr (completes) {
            if (started_ != nullptr) {
                rest->tell_all(why);
                return std::exchange(started_, nullptr)->abandon(rest);
            }
        }
        rest->drop_all(why);
        workload::destroy(rest);
    }

    bool park(const progress& done, time_point& deadline) {
        waiter_list due;
        const bool parked = box_.park(done, deadline, due);
        due.wake_all();
        return parked;
    }

    void call_hook() {
        if (ask_for_a_turn(schedule_) || !box_.begin()) return;
        if constexpr (completes) {
            if (started_ != nullptr) { // it ends when this has ended
                static_cast<void>(box_.abort(errc::schedule_refused, Traits::clock::now()));
                static_cast<void>(run());
                return;
            }
        }
        static_cast<void>(end({}, {.reason = errc::schedule_refused}));
    }

    // An observer that throws ends the program: there is nobody to throw to.
    void tell_finished([[maybe_unused]] const drain_report& report) noexcept {
        if constexpr (requires { observer_.on_finished(report); }) observer_.on_finished(report);
    }
    void tell_high() noexcept {
        if constexpr (requires { observer_.on_high_water(); }) observer_.on_high_water();
    }
    void tell_low() noexcept {
        if constexpr (requires { observer_.on_low_water(); }) observer_.on_low_water();
    }

    [[no_unique_address]] std::conditional_t<completes, started*, nothing> started_{};
    [[no_unique_address]] Schedule schedule_;
    [[no_unique_address]] Observer observer_;
};

} // namespace detail
} // namespace wsolo::inline WSOLO_ABI
