// SPDX-License-Identifier: MIT
#pragma once
// The way of an endpoint's messages to its handler: each gets a number, a place in the inbox, and the call.
//
// Laws of this file:
// - The long road: a message is copied and queued, and the thread that drains the inbox has it handled, one at a time.
// - The short road: while none waits and the loop itself handles, a message goes to the handler as it is read, without the
//   queue. The effect is the same as if the message had come in a read of its own: order, numbers, counts and what
//   an error does are those of the long road. A handler that can't keep a message is lent it where it lies.
// - The short road needs a handler that takes each message and is done with it when it returns, and an inbox that would
//   refuse none.
// - `is_over` is told once: no handler runs, or ever will, and no coroutine holds a message.

#include "../../sync/inbox.hpp"
#include "../../sync/sequence_barrier.hpp"
#include "../hooks.hpp"
#include "received_item.hpp"

namespace wsolo::inline WSOLO_ABI::detail {

/// Part of an endpoint, `Whole`, whose rules_ it asks, and which it calls by functions of these names: wants_messages,
/// ask_for_work, wake_or_abort, refuse, handler. `HandlesHere`: by the loop itself.
template <class Whole, class Handler, class Traits, bool HandlesHere>
class message_handling {
    struct inbox_hook {
        Whole* whole;
        bool operator()() const { return whole->ask_for_work(); }
        const inbox_bounds& bounds() const noexcept { return whole->rules_->handling; }
        void on_resume() const noexcept { whole->wake_or_abort(); }
        void on_finished(const inbox_report& report) const noexcept { whole->messages_.end(*whole, report); }
    };
    struct nothing {};
    template <class T>
    using atomic = typename Traits::template atomic<T>;
    /// In held_, beside a message's number.
    static constexpr std::uint64_t inbox_over = std::uint64_t{1} << 63;

public:
    using barrier_type = basic_sequence_barrier<Traits>;
    using item = received_item<barrier_type>;
    using inbox_type = wsolo::inbox<item, inbox_hook, Traits>;
    using run_type = typename inbox_type::direct_run;

    static constexpr bool holds_messages = requires { Handler::holds_message; };
    static constexpr bool is_choosy = requires(Handler& handler) { handler.wants_message(); };
    static constexpr bool has_short_road = HandlesHere && !holds_messages && !is_choosy;

    explicit message_handling(Whole& whole) : inbox_(inbox_hook{&whole}) {}

    [[nodiscard]] barrier_type& numbers() noexcept { return numbers_; }
    /// Messages that came here; each has a number, also one that there was no memory for.
    [[nodiscard]] std::uint64_t numbered() const noexcept { return numbers_.snapshot(); }
    [[nodiscard]] inbox_type& inbox() noexcept { return inbox_; }
    [[nodiscard]] const inbox_type& inbox() const noexcept { return inbox_; }

    // ---- the loop's

    /// The messages of one read, which may go the short road.
    [[nodiscard]] run_type begin_read(std::size_t quantum) noexcept { return run_type(inbox_, quantum); }
    /// A message was read; its `payload` lies in `own`, or, where that is empty, where it was read. queue_full: the handler
    /// was told. closed: no more are wanted. Other errors: it could not be queued, so none after it may.
    errc take(Whole& whole, bool is_text, const_bytes payload, byte_buffer& own,
              [[maybe_unused]] run_type& run) {
        if constexpr (has_short_road) {
            if (run.can_handle()) return hand_over(whole, is_text, payload, own, run);
        }
        const std::size_t size = payload.size();
        if (!keep(payload, own)) return pass_over();
        item next(message(is_text, std::move(own)), numbers_);
        const errc refused = inbox_.push(std::move(next), size).error;
        if (refused == errc::none) return errc::none;
        next.abandon();
        if (refused == errc::queue_full) whole.refuse(next.take_message());
        return refused;
    }

    /// The short road of a handler that is lent its messages. Precondition: run.can_handle().
    void lend(Whole& whole, bool is_text, const_bytes payload, run_type& run) {
        const lent_message lent(is_text, payload);
        run.handle(payload.size(), [&] { return handle(whole, numbers_.issue_alone(), lent.get()); });
    }

    // ---- the handling thread's

    /// Handles what is queued, up to the quantum.
    void handle_some(Whole& whole) {
        const std::size_t quantum = whole.rules_->handle_quantum;
        const auto each = [&](item&& next) {
            return handle(whole, next.take_ticket().take(), next.take_message());
        };
        static_cast<void>(inbox_.drain_while(each, [&whole] { return whole.wants_messages(); }, quantum));
    }

    // ---- any thread's

    /// The last message that the handler was given is handled: of one that holds it for longer than its call.
    void done(Whole& whole) {
        const std::uint64_t before = held_.fetch_and(inbox_over, std::memory_order_acq_rel);
        if (const std::uint64_t number = before & ~inbox_over; number != 0) {
            numbers_.complete(number);
            if ((before & inbox_over) != 0) note_over(whole);
        }
    }
    [[nodiscard]] bool are_over() const noexcept { return are_over_.load(std::memory_order_acquire); }

private:
    /// For a message that may be kept: in `own`, which holds no more than it.
    [[nodiscard]] static bool keep(const_bytes payload, byte_buffer& own) noexcept {
        if (own.empty()) {
            own.release(); // what was inflated to nothing needs no memory
            return own.append(payload);
        }
        own.shrink();
        return true;
    }
    /// There is no memory for a message: its number is abandoned, as that of any which the inbox refuses.
    errc pass_over() noexcept {
        numbers_.abandon(numbers_.issue());
        return errc::out_of_memory;
    }
    /// The short road.
    errc hand_over(Whole& whole, bool is_text, const_bytes payload, byte_buffer& own, run_type& run) {
        if constexpr (takes_lent<Handler, Whole>) {
            lend(whole, is_text, payload, run);
        } else {
            const std::size_t size = payload.size();
            if (!keep(payload, own)) return pass_over();
            run.handle(size, [&] {
                return handle(whole, numbers_.issue_alone(), message(is_text, std::move(own)));
            });
        }
        return errc::none;
    }

    template <class Message>
    errc handle(Whole& whole, std::uint64_t number, Message&& received) {
        errc error = errc::none;
        {
            auto numbered = numbers_.handle(number);
            if constexpr (holds_messages) held_.store(numbered.defer(), std::memory_order_release);
            error = call_handler(whole.handler(), whole, std::forward<Message>(received));
        }
        if (error == errc::none || error == errc::closed) return errc::none;
        numbers_.close(error);
        return error;
    }

    /// The inbox is over: any thread.
    void end(Whole& whole, const inbox_report& report) noexcept {
        // What was dropped stays open in the barrier, so that those who wait for it are told why.
        if (!report.is_clean()) numbers_.close(report.reason);
        if constexpr (requires { whole.handler().on_messages_over(report.reason); })
            static_cast<void>(call_hook([&] { whole.handler().on_messages_over(report.reason); }));
        if constexpr (holds_messages) {
            if (held_.fetch_or(inbox_over, std::memory_order_acq_rel) != 0) return;
        }
        note_over(whole);
    }
    void note_over(Whole& whole) noexcept {
        are_over_.store(true, std::memory_order_release);
        whole.wake_or_abort();
    }

    /// The number of the message that a coroutine holds, and whether no more will come: one word, so that the last of both
    /// to come is the one to tell.
    [[no_unique_address]] std::conditional_t<holds_messages, atomic<std::uint64_t>, nothing> held_{};
    [[no_unique_address]] barrier_type
        numbers_; // [[no_unique_address]]: the next one lies in its tail padding
    atomic<bool> are_over_{false};
    /// The last: where its end was still to be made, its destructor tells the others.
    [[no_unique_address]] inbox_type inbox_;
};

} // namespace wsolo::inline WSOLO_ABI::detail
