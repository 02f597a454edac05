// SPDX-License-Identifier: MIT
#pragma once
// The messages of one connection that wait for their handler, and the turn (sync/turn.hpp) to handle them: both under one
// short lock, so that "open?", "room?", "queue it" and "does it have to be drained?" are a single step.
//
// Laws of this file:
// - Only the thread that runs may touch what front() showed. In an inbox a parked turn waits until the handler
//   wants messages again.
// - A push that finds the turn free claims it and must have the inbox drained; a push that finds it taken does nothing,
//   because finding the queue empty and releasing the turn are one step under the same lock. No wake-up can be lost.
// - The bounds are told with each call that asks for them, and are the same each time: what is the same for many connections
//   is kept once for them all.
// - Once sealed the inbox accepts nothing. The first error stands, and drops what is queued at that moment.
// - Under the lock there is no allocation, no system call and no user code but the message's move.

#include "../inbox_limits.hpp"
#include "../inbox_report.hpp"
#include "../spin_lock.hpp"
#include "../turn.hpp"
#include "message_blocks.hpp"

namespace wsolo::inline WSOLO_ABI::detail {

/// What the drainer has handled since its last look.
struct handled {
    std::uint32_t messages = 0;
    std::size_t bytes = 0;
};

enum class inbox_step : std::uint8_t { handle, resume, released, quantum_used, rested, end, not_owed };

/// What the drainer is to do next, and a block for it to free.
template <class Message>
struct [[nodiscard]] inbox_look {
    inbox_step step = inbox_step::released;
    message_run<Message> run{};
    message_block<Message>* spent = nullptr;
};

/// The result of a push or a close. `schedule`: the caller claimed the turn and must call the schedule hook.
struct [[nodiscard]] inbox_change {
    errc error = errc::none;
    bool pause = false;
    bool schedule = false;
};

/// See the file's laws. Each function takes the lock itself; those marked "drainer" are for the thread that runs.
template <class Message, class Traits>
class inbox_box {
public:
    using block = message_block<Message>;

    /// Charged per message: its place in a block.
    static constexpr std::size_t overhead = sizeof(message_slot<Message>);

    inbox_box() = default;
    inbox_box(const inbox_box&) = delete;
    inbox_box& operator=(const inbox_box&) = delete;

    /// `message` is moved from only when the answer is errc::none.
    inbox_change push(const inbox_bounds& most, Message&& message, std::size_t bytes) noexcept {
        block_source fresh; // outlives the hold: what is not needed is freed after the lock
        do {
            const scoped_hold hold(lock_);
            if (const inbox_change refused = judge(most, bytes); refused.error != errc::none) return refused;
            if (blocks_.find_room(fresh.made)) return accept(most, std::move(message), bytes);
        } while (fresh.fetch());
        return {errc::out_of_memory};
    }

    /// Accepts nothing from now on. An error drops what is queued; with errc::none it is still handled.
    inbox_change close(errc why) noexcept {
        const scoped_hold hold(lock_);
        if (turn_.is(turn_state::finished) || aborting_ || (sealed_ && why == errc::none))
            return {errc::closed};
        return {.schedule = end_with(why)};
    }

    /// Takes the turn that a hook owes, and looks. not_owed: there is none; see state().
    inbox_look<Message> begin(const inbox_bounds& most, std::size_t quantum) noexcept {
        const scoped_hold hold(lock_);
        if (!turn_.begin()) return {.step = inbox_step::not_owed};
        return choose(most, nullptr, quantum);
    }

    /// The handler wants messages again. True when the caller must call the schedule hook.
    [[nodiscard]] bool rouse() noexcept {
        const scoped_hold hold(lock_);
        return turn_.recall();
    }

    /// Drainer: the handler wants none now. The turn is parked with what is queued, unless there is an end to make.
    inbox_look<Message> rest(const inbox_bounds& most) noexcept {
        const scoped_hold hold(lock_);
        const inbox_look<Message> next = choose(most, nullptr, 1);
        if (next.step != inbox_step::handle) return next;
        turn_.park();
        return {.step = inbox_step::rested};
    }

    /// Drainer: settles what it did, and learns what is next. `left` of its quantum remain.
    inbox_look<Message> look(const inbox_bounds& most, const handled& done, std::size_t left) noexcept {
        const scoped_hold hold(lock_);
        return choose(most, settle(done), left);
    }

    /// Drainer, no lock: whether to look before the next message of a run.
    [[nodiscard]] bool must_look(const inbox_bounds& most, const handled& done) const noexcept {
        return is_closed() || done.bytes + done.messages * overhead > most.max_bytes / batches;
    }

    /// Takes the turn for messages that are handled without being queued, where none waits and a full inbox would have
    /// refused none. As any message in the handler, one counts against the bounds.
    [[nodiscard]] bool begin_direct(const inbox_bounds& most) noexcept {
        const scoped_hold hold(lock_);
        if (sealed_ || most.when_full != inbox_overflow::pause || !turn_.claim()) return false;
        ++messages_;
        return turn_.begin();
    }
    /// Drainer: the end of the direct handling. False: there is something to look() for, as messages that were pushed meanwhile.
    [[nodiscard]] bool end_direct(const handled& done) noexcept {
        const scoped_hold hold(lock_);
        --messages_;
        count(done);
        if (sealed_ || blocks_.has_memory()) return false; // what paused the reading is there, too
        turn_.release();
        return true;
    }

    /// Drainer: the end. What is queued is dropped; the caller destroys it, and then calls on_finished().
    [[nodiscard]] block* finish() noexcept {
        const scoped_hold hold(lock_);
        over_ = true; // messages_ and bytes_ say from now on what was dropped
        set_paused(false);
        sealed_ = aborting_ = true; // the reason stands
        return blocks_.take_all();
    }

    /// Drainer: the last touch.
    void retire() noexcept {
        const scoped_hold hold(lock_);
        turn_.finish();
    }

    /// For the destructor: takes the turn, whatever it waits for. False when the inbox is finished.
    [[nodiscard]] bool seize(errc why) noexcept {
        const scoped_hold hold(lock_);
        WSOLO_ASSERT(!turn_.is(turn_state::running),
                     "an inbox is destroyed while another thread, or its own handler, is in drain()");
        if (!turn_.seize()) return false;
        if (!aborting_ && (!sealed_ || !blocks_.empty())) reason_ = why;
        return true;
    }

    [[nodiscard]] turn_state state() noexcept {
        const scoped_hold hold(lock_);
        return turn_.state();
    }
    // Without the lock: each changes under it.
    [[nodiscard]] bool is_paused() const noexcept { return paused_.load(std::memory_order_acquire); }
    /// Whether close() was called: for the drainer between two messages, and for error().
    [[nodiscard]] bool is_closed() const noexcept { return closed_.load(std::memory_order_acquire); }
    [[nodiscard]] std::size_t held_bytes() noexcept {
        const scoped_hold hold(lock_);
        return over_ ? 0 : held();
    }
    [[nodiscard]] std::uint32_t held_messages() noexcept {
        const scoped_hold hold(lock_);
        return over_ ? 0 : messages_;
    }
    [[nodiscard]] inbox_report report() noexcept {
        const scoped_hold hold(lock_);
        return {.messages_handled = messages_handled_,
                .messages_dropped = over_ ? messages_ : 0,
                .bytes_handled = bytes_handled_,
                .bytes_dropped = over_ ? bytes_ : 0,
                .messages_refused = messages_refused_,
                .reason = reason_};
    }

private:
    // A run is at most an eighth of the bounds: what was handled but not yet settled keeps no more than that
    // from the pushes.
    static constexpr std::uint32_t batches = 8;
    static constexpr std::uint32_t largest_batch = 32;

    struct block_source {
        block* made = nullptr;
        block_source() = default;
        block_source(const block_source&) = delete;
        block_source& operator=(const block_source&) = delete;
        ~block_source() { block::destroy(made); }
        [[nodiscard]] bool fetch() noexcept { return (made = block::make()) != nullptr; }
    };

    /// Whether there is room; closes where the policy says so.
    inbox_change judge(const inbox_bounds& most, std::size_t bytes) noexcept {
        if (sealed_) return {errc::closed};
        const bool has_place = messages_ < most.max_messages && held() < most.max_bytes;
        if (most.when_full == inbox_overflow::pause) {
            if (has_place) return {};
            ++messages_refused_;
            return {errc::queue_full, is_paused()};
        }
        if (has_place && bytes <= most.max_bytes && overhead <= most.max_bytes - bytes &&
            bytes + overhead <= most.max_bytes - held())
            return {};
        ++messages_refused_;
        if (most.when_full == inbox_overflow::drop_newest) return {errc::queue_full};
        const errc why =
            most.when_full == inbox_overflow::violate_policy ? errc::inbox_overflow : errc::inbox_overloaded;
        return {why, false, end_with(why)};
    }

    inbox_change accept(const inbox_bounds& most, Message&& message, std::size_t bytes) noexcept {
        blocks_.put(std::move(message), bytes);
        ++messages_;
        bytes_ += bytes;
        if (most.when_full == inbox_overflow::pause &&
            (messages_ >= most.max_messages || held() >= most.max_bytes))
            set_paused(true);
        return {errc::none, is_paused(), turn_.claim()};
    }

    /// True when the caller claimed the turn.
    bool end_with(errc why) noexcept {
        sealed_ = true;
        if (why != errc::none && !aborting_) {
            aborting_ = true;
            reason_ = why;
            closed_.store(true, std::memory_order_release);
            if (turn_.recall()) return true; // what is queued is not for the handler any more
        }
        closed_.store(true, std::memory_order_release);
        return turn_.claim();
    }

    [[nodiscard]] block* settle(const handled& done) noexcept {
        messages_ -= done.messages;
        bytes_ -= done.bytes;
        count(done);
        return blocks_.drop_front(done.messages);
    }
    void count(const handled& done) noexcept {
        messages_handled_ += done.messages;
        bytes_handled_ += done.bytes;
    }

    /// What the drainer is to do next.
    inbox_look<Message> choose(const inbox_bounds& most, block* spent, std::size_t left) noexcept {
        inbox_look<Message> next{.spent = spent};
        if (aborting_) {
            next.step = inbox_step::end;
        } else if (is_paused() && is_half_empty(most)) {
            set_paused(false);
            next.step = inbox_step::resume;
        } else if (blocks_.empty()) {
            next.step = sealed_ ? inbox_step::end : inbox_step::released;
            if (!sealed_) release(next);
        } else if (left == 0) {
            turn_.hand_over();
            next.step = inbox_step::quantum_used;
        } else {
            const std::uint32_t longest = batch(most);
            next.step = inbox_step::handle;
            next.run = blocks_.front(left < longest ? static_cast<std::uint32_t>(left) : longest);
        }
        return next;
    }

    /// The queue is empty: no heap block stays.
    void release(inbox_look<Message>& next) noexcept {
        turn_.release();
        block* const idle = blocks_.release_idle();
        if (next.spent == nullptr)
            next.spent = idle;
        else
            next.spent->next = idle;
    }

    void set_paused(bool now) noexcept { paused_.store(now, std::memory_order_release); }
    [[nodiscard]] std::size_t held() const noexcept { return bytes_ + messages_ * overhead; }
    [[nodiscard]] bool is_half_empty(const inbox_bounds& most) const noexcept {
        return messages_ <= most.max_messages / 2 && held() <= most.max_bytes / 2;
    }
    [[nodiscard]] std::uint32_t batch(const inbox_bounds& most) const noexcept {
        const std::uint32_t share = is_paused() ? 1 : most.max_messages / batches;
        return share == 0 ? 1 : share < largest_batch ? share : largest_batch;
    }

    message_blocks<Message> blocks_;
    std::size_t bytes_ = 0; // that wait or are being handled, without overhead
    std::uint64_t messages_handled_ = 0;
    std::uint64_t bytes_handled_ = 0;
    std::uint64_t messages_refused_ = 0;
    std::uint32_t messages_ = 0;
    basic_spin_lock<Traits> lock_;
    typename Traits::template atomic<bool> closed_{false}; // sealed_, or aborting_
    typename Traits::template atomic<bool> paused_{false};
    turn turn_;
    errc reason_ = errc::none; // the first error
    bool sealed_ : 1 = false;
    bool aborting_ : 1 = false;
    bool over_ : 1 = false; // finish() was called
};

} // namespace wsolo::inline WSOLO_ABI::detail
