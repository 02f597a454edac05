// SPDX-License-Identifier: MIT
#pragma once
// The receiving counterpart of the writer: the reader pushes messages and goes on reading; one drainer
// at a time handles them, serially and in order. A slow handler stalls neither the reader nor the
// heartbeat.
//
// Laws of this file:
// - push() never waits and never calls the handler.
// - Never two handlers at once, even if drain() is called from several threads.
// - The schedule hook is called once per idle-to-busy transition, outside any lock; it must have drain() called.
// - The first error wins: it stops the handling after the message in progress, drops what is queued, and is the
//   report's reason. accepted = handled + dropped.

#include "../core/detail/exchange.hpp"
#include "detail/inbox_box.hpp"
#include "inbox_hooks.hpp"

namespace wsolo::inline WSOLO_ABI {

/// What push() answers.
struct [[nodiscard]] inbox_push {
    /// none: accepted. queue_full: refused, and still the caller's. closed. inbox_overflow,
    /// inbox_overloaded: refused, and the inbox is closed with it. out_of_memory: refused.
    errc error = errc::none;
    /// Stop reading until on_resume() is called. (If `error` is none the message was accepted nevertheless.)
    bool pause = false;
};

/// What drain() left behind.
enum class inbox_status : std::uint8_t {
    idle,     ///< everything is handled; the next push calls the hook
    more,     ///< the quantum is used up; the hook was called again
    resting,  ///< the handler wants no message now: see rouse()
    busy,     ///< another thread, or a handler further up this stack, is draining: nothing to do here
    finished, ///< over: see report()
};

/// The result of drain().
struct inbox_drain {
    /// Why it returned, and how many messages it handled.
    inbox_status status = inbox_status::idle;
    std::size_t messages = 0;
};

/// What may handle a message: called with `Message&&`; returns nothing, or the errc that closes the inbox.
template <class Handler, class Message>
concept inbox_handler =
    std::invocable<Handler&, Message&&> && (std::same_as<std::invoke_result_t<Handler&, Message&&>, void> ||
                                            std::same_as<std::invoke_result_t<Handler&, Message&&>, errc>);

/// See the file's laws. `Schedule` is the hook, called with no lock held by the thread that pushed or closed; it may be an
/// inbox_observer as well. Any thread may call any member, except for construction and destruction. The destructor drops what is
/// left (errc::aborted, which on_finished() is told) and must not run inside a handler; no other thread may be in a call
/// then, and no drain() may come later. An idle inbox owns no heap block, mutex or thread.
///
/// on_resume() may run before push() has told another thread to pause: have it posted to the thread that
/// reads, or let that thread look at is_paused() once it has stopped.
template <class Message, schedule_hook Schedule, class Traits = std_traits>
class inbox {
    static_assert(std::is_nothrow_move_constructible_v<Message> && std::is_nothrow_destructible_v<Message>,
                  "an inbox moves its messages under its lock: let Message's move constructor be noexcept");
    static_assert(inbox_schedule<Schedule>,
                  "a hook of an inbox has both on_resume() and on_finished(const inbox_report&), or neither");

    using box = detail::inbox_box<Message, Traits>;

public:
    using message_type = Message;

    /// Charged for each message on top of the bytes that push() is told: its place in the inbox.
    static constexpr std::size_t message_overhead = box::overhead;
    static constexpr std::size_t no_quantum = 0;

    explicit inbox(Schedule hook, const inbox_limits& limits = {})
        : hook_(std::move(hook)), bounds_(limits) {}
    inbox(const inbox&) = delete;
    inbox& operator=(const inbox&) = delete;
    ~inbox() {
        if (box_.seize(errc::aborted)) end();
    }

    /// Queues a message that holds `bytes` of memory. It is moved from only when the answer is errc::none.
    /// May be called from the handler. O(1); one allocation for about 1 KiB of messages.
    inbox_push push(Message&& message, std::size_t bytes) {
        const detail::inbox_change change = box_.push(bounds(), std::move(message), bytes);
        if (change.schedule) schedule();
        return {change.error, change.pause};
    }

    /// Accepts nothing from now on. errc::none: what is queued is still handled, and then the inbox is
    /// finished. An error: what is queued is dropped, and no handler call begins except one that another thread is about
    /// to make. The first error counts, also after a close() without one. True: this call decided it.
    /// Any thread, also inside the handler (whose error closes too); the end itself is made in drain(), for which the hook
    /// is called. To bound an orderly end: close(), and close(errc::drain_timed_out) when the time is over.
    bool close(errc why = errc::none) {
        const detail::inbox_change change = box_.close(why);
        if (change.schedule) schedule();
        return change.error == errc::none;
    }

    /// Handles messages until the queue is empty or `quantum` of them (0: any number) are done. Call it when the hook asked; a
    /// needless call is harmless. An exception of the handler, of wanted() or of on_resume() closes the inbox with
    /// errc::handler_failed and leaves this call, after on_finished(). The message is destroyed when its handler returns. Use
    /// a quantum with a hook that posts: a hook that calls drain() itself would nest once for each quantum.
    template <inbox_handler<Message> Handler>
    inbox_drain drain(Handler&& handler, std::size_t quantum = no_quantum) {
        return drain_while(handler, always{}, quantum);
    }

    /// The same for a handler that takes messages when it wants to: `wanted()` is asked before each, by the
    /// thread that drains, with no lock held. When it answers false the rest stays queued, and no push calls the hook, until
    /// rouse() or an error.
    template <inbox_handler<Message> Handler, std::predicate<> Wanted>
    inbox_drain drain_while(Handler&& handler, Wanted wanted, std::size_t quantum = no_quantum) {
        quantum = bound_of(quantum);
        const auto first = box_.begin(bounds(), quantum);
        if (first.step != detail::inbox_step::not_owed) return run(handler, wanted, quantum, first);
        switch (box_.state()) {
        case turn_state::parked: return {inbox_status::resting};
        case turn_state::running: return {inbox_status::busy};
        case turn_state::finished: return {inbox_status::finished};
        default: return {inbox_status::idle};
        }
    }

    /// A run of messages that are handled one by one without being queued, by a thread that both reads and drains: while
    /// no message waits, and with inbox_overflow::pause, so that a full inbox would refuse none. The run holds the turn from
    /// its first message on, until it is destroyed; each message counts as if it had been pushed and drained. The inbox outlives it.
    class direct_run {
    public:
        /// `quantum`: of messages; 0: any number.
        explicit direct_run(inbox& in, std::size_t quantum = no_quantum) noexcept
            : in_(in), left_(bound_of(quantum)) {}
        direct_run(const direct_run&) = delete;
        direct_run& operator=(const direct_run&) = delete;
        ~direct_run() { static_cast<void>(end()); }

        /// Whether the next message can be handled by this run. If not, push it.
        [[nodiscard]] bool can_handle() {
            if (state_ == state::untried)
                state_ = in_.box_.begin_direct(in_.bounds()) ? state::open : state::over;
            if (state_ == state::open && in_.box_.is_closed()) static_cast<void>(end());
            return state_ == state::open && left_ != 0;
        }
        /// Whether the quantum is used up.
        [[nodiscard]] bool is_used_up() const noexcept { return left_ == 0; }
        /// Whether the run holds the turn, so that no push can have paused the reading.
        [[nodiscard]] bool is_open() const noexcept { return state_ == state::open; }

        /// Calls `handler()`, which handles a message of `bytes`; its error or exception closes the inbox, as that of
        /// drain()'s handler does. Precondition: can_handle().
        template <class Call>
            requires std::same_as<std::invoke_result_t<Call&>, errc>
        void handle(std::size_t bytes, Call handler) {
            ++done_.messages;
            done_.bytes += bytes;
            --left_;
            const errc error = in_.or_close(handler);
            if (error != errc::none) static_cast<void>(in_.box_.close(error));
        }

        /// Gives the turn back. True: nothing waits for a drain().
        bool end() {
            if (detail::exchange(state_, state::over) != state::open) return false;
            return in_.end_direct(done_);
        }

    private:
        enum class state : std::uint8_t { untried, open, over };

        inbox& in_;
        detail::handled done_{};
        std::size_t left_;
        state state_ = state::untried;
    };

    /// The handler of drain_while() wants messages again: calls the hook if some are left. Make wanted() answer true before
    /// this call.
    void rouse() {
        if (box_.rouse()) schedule();
    }

    /// Whether reading is to pause: push() said so, and on_resume() has not been called since.
    [[nodiscard]] bool is_paused() const noexcept { return box_.is_paused(); }
    [[nodiscard]] bool is_finished() const noexcept { return box_.state() == turn_state::finished; }
    /// Whether close() was called.
    [[nodiscard]] bool is_closed() const noexcept { return box_.is_closed(); }
    /// The error that closed the inbox, or none. Cheaper than report().
    [[nodiscard]] errc error() const noexcept { return box_.is_closed() ? box_.report().reason : errc::none; }
    /// Whether drain() is owed.
    [[nodiscard]] bool is_drain_owed() const noexcept { return box_.state() == turn_state::scheduled; }
    /// inbox_limits::max_bytes; without a bound the largest number.
    [[nodiscard]] std::size_t max_bytes() const noexcept { return bounds().max_bytes; }
    /// What counts against the bounds; overhead and the message in the handler included. What a run of
    /// messages (at most an eighth of the bounds) has handled may still be in it.
    [[nodiscard]] std::size_t queued_bytes() const noexcept { return box_.held_bytes(); }
    [[nodiscard]] std::size_t queued_messages() const noexcept { return box_.held_messages(); }
    /// What became of everything so far; final once drain() said finished.
    [[nodiscard]] inbox_report report() const noexcept { return box_.report(); }

private:
    struct always {
        constexpr bool operator()() const noexcept { return true; }
    };
    /// Holds the turn, and ends by releasing it, handing it over, parking it or finishing.
    template <class Handler, class Wanted>
    inbox_drain run(Handler& handler, Wanted& wanted, std::size_t quantum, detail::inbox_look<Message> next) {
        using detail::inbox_step;
        for (std::size_t total = 0;;) {
            box::block::destroy(next.spent);
            detail::handled done;
            if (next.step == inbox_step::handle && !or_end(done, [&]() -> bool { return wanted(); }))
                next = box_.rest(bounds());
            switch (next.step) {
            case inbox_step::handle: or_end(done, [&] { handle(handler, wanted, next.run, done); }); break;
            case inbox_step::resume: or_end(done, [&] { tell_resume(); }); break;
            case inbox_step::quantum_used:
                return {schedule() ? inbox_status::more : inbox_status::finished, total};
            case inbox_step::rested:
                if (wanted())
                    rouse(); // it changed its mind before the turn was parked: its rouse() found nothing
                return {inbox_status::resting, total};
            case inbox_step::end: end(); return {inbox_status::finished, total};
            default: return {inbox_status::idle, total}; // the last touch was in there
            }
            total += done.messages;
            next = box_.look(bounds(), done, quantum - total);
        }
    }

    /// Calls user code. An exception closes the inbox, and leaves this function after the end was made.
    template <class Call>
    std::invoke_result_t<Call&> or_end([[maybe_unused]] const detail::handled& done, Call call) {
#if WSOLO_HAS_EXCEPTIONS
        try {
            return call();
        } catch (...) {
            static_cast<void>(box_.close(errc::handler_failed));
            box::block::destroy(box_.look(bounds(), done, 0).spent);
            end();
            throw;
        }
#else
        return call();
#endif
    }

    /// Calls user code whose exception closes the inbox; its end is the caller's to make.
    template <class Call>
    std::invoke_result_t<Call&> or_close(Call& call) {
#if WSOLO_HAS_EXCEPTIONS
        try {
            return call();
        } catch (...) {
            static_cast<void>(box_.close(errc::handler_failed));
            throw;
        }
#else
        return call();
#endif
    }

    /// True: the turn is free.
    bool end_direct(const detail::handled& done) { return box_.end_direct(done) || look_after_direct(); }
    [[gnu::noinline]] bool look_after_direct() {
        for (;;) {
            using detail::inbox_step;
            const detail::inbox_look<Message> next = box_.look(bounds(), {}, 0);
            box::block::destroy(next.spent);
            switch (next.step) {
            case inbox_step::resume: or_end({}, [&] { tell_resume(); }); break;
            case inbox_step::quantum_used: static_cast<void>(schedule()); return false;
            case inbox_step::end: end(); return false;
            default: return true;
            }
        }
    }

    template <class Handler, class Wanted>
    void handle(Handler& handler, Wanted& wanted, detail::message_run<Message> run, detail::handled& done) {
        do {
            const in_progress current(*run.first++, done);
            if constexpr (std::same_as<std::invoke_result_t<Handler&, Message&&>, errc>) {
                const errc error = handler(std::move(current.slot.message()));
                if (error != errc::none) static_cast<void>(box_.close(error));
            } else {
                handler(std::move(current.slot.message()));
            }
        } while (--run.count != 0 && !box_.must_look(bounds(), done) && wanted());
    }

    /// The message in the handler: counted, and destroyed on every path out of it.
    struct in_progress {
        detail::message_slot<Message>& slot;
        in_progress(detail::message_slot<Message>& current, detail::handled& done) noexcept : slot(current) {
            ++done.messages;
            done.bytes += slot.bytes();
        }
        in_progress(const in_progress&) = delete;
        in_progress& operator=(const in_progress&) = delete;
        ~in_progress() { slot.destroy(); }
    };

    /// The caller took the turn off `free`, or gave it back with messages left.
    /// False: the hook refused, and this was the end.
    bool schedule() {
        if (detail::ask_for_a_turn(hook_)) return true;
        static_cast<void>(box_.close(errc::schedule_refused)); // no thread will call drain()
        if (box_.begin(bounds(), 0).step == detail::inbox_step::end) end();
        return false;
    }

    /// Holds the turn, for the last time.
    void end() {
        box::block::destroy(box_.finish());
        tell_finished();
        box_.retire();
    }

    void tell_resume() {
        if constexpr (inbox_observer<Schedule>) hook_.on_resume();
    }
    void tell_finished() noexcept {
        if constexpr (inbox_observer<Schedule>) {
#if WSOLO_HAS_EXCEPTIONS
            try {
                hook_.on_finished(box_.report());
            } catch (...) { // it is over all the same
            }
#else
            hook_.on_finished(box_.report());
#endif
        }
    }

    [[nodiscard]] const detail::inbox_bounds& bounds() const noexcept { return bounds_.of(hook_); }

    [[no_unique_address]] Schedule hook_;
    [[no_unique_address]] std::conditional_t<detail::knows_inbox_bounds<Schedule>, detail::hooks_inbox_bounds,
                                             detail::own_inbox_bounds> bounds_;
    [[no_unique_address]] mutable box box_; // the last: what follows an inbox may lie in its tail padding
};

} // namespace wsolo::inline WSOLO_ABI
