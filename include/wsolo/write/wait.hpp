// SPDX-License-Identifier: MIT
#pragma once
// Threads that sleep until a writer is further: flush(deadline), send_wait(), and the outcome of one item as a ticket. Not
// part of wsolo.hpp: it brings <mutex>, <condition_variable> and <stop_token>.
//
//     const wsolo::errc how = out.flush(deadline);
//     auto ticket = wsolo::observed([&](wsolo::on_outcome on_done) { return out.send_text("x", on_done); });
//     if (ticket.error() == wsolo::errc::none) how = ticket.wait(deadline);
//
// Laws of this file:
// - A wait ends at its deadline, by its stop token, by what it waits for, or by the writer's end; it is refused
//   (would_deadlock) in a thread that would have to end it itself.
// - What a wait shares with the queue outlives both: a wait that met its deadline leaves nothing dangling.

#include "../sync/parker.hpp"
#include "../sync/stop_token.hpp"
#include "detail/writer_access.hpp"

#include <concepts>
#include <new>

namespace wsolo::inline WSOLO_ABI {

/// A function that sends one item, or flushes, with the given on_done, and returns the result of that call.
template <class Send>
concept observed_send = requires(Send send, on_outcome on_done) {
    { send(on_done) } -> std::same_as<errc>;
};

namespace detail {

/// One outcome, and a thread that may sleep until it. Two references, the thread's and the item's.
template <class Traits>
class awaited_outcome {
public:
    /// nullptr when there is no memory.
    [[nodiscard]] static awaited_outcome* make() noexcept { return new (std::nothrow) awaited_outcome; }

    [[nodiscard]] on_outcome on_done() noexcept {
        return {[](void* context, errc how) noexcept {
                    auto* self = static_cast<awaited_outcome*>(context);
                    self->outcome_.store(how,
                                         std::memory_order_release); // a wait that times out now may see it
                    self->parker_.nudge();
                    self->drop();
                },
                this};
    }

    /// Sleeps until the outcome, a nudge or the deadline. errc::timed_out when it is still out.
    [[nodiscard]] errc wait(time_point deadline) noexcept {
        parker_.park_until(deadline);
        return outcome_.load(std::memory_order_acquire);
    }
    void nudge() noexcept { parker_.nudge(); }

    void drop() noexcept {
        if (references_.fetch_sub(1, std::memory_order_acq_rel) == 1) delete this;
    }

private:
    awaited_outcome() = default;

    basic_parker<Traits> parker_;
    typename Traits::template atomic<errc> outcome_{errc::timed_out};
    typename Traits::template atomic<int> references_{2};
};

/// Its destructor drops the reference.
template <class Outcome>
class outcome_reference {
public:
    explicit outcome_reference(Outcome* kept) noexcept : kept_(kept) {}
    outcome_reference(const outcome_reference&) = delete;
    outcome_reference& operator=(const outcome_reference&) = delete;
    ~outcome_reference() {
        if (kept_ != nullptr) kept_->drop();
    }
    Outcome* release() noexcept { return std::exchange(kept_, nullptr); }

private:
    Outcome* kept_;
};

/// A thread that waits for room, on its own stack.
template <class Traits>
class waiting_thread : public room_waiter {
public:
    waiting_thread() noexcept {
        // NOLINTNEXTLINE(cppcoreguidelines-prefer-member-initializer): it is the base's
        wake = [](room_waiter& self) noexcept { static_cast<waiting_thread&>(self).parker_->release(); };
    }

    /// Precondition: a push linked it. errc::none: room was granted; closed, timed_out or cancelled.
    template <class Driver, class StopToken>
    [[nodiscard]] errc wait(Driver& drive, time_point deadline, const StopToken& stop) {
        {
            struct leaves_if_thrown { // by a stop token's registration
                waiting_thread* self;
                Driver& drive;
                ~leaves_if_thrown() {
                    if (self != nullptr && self->leave(drive) == errc::none)
                        writer_access::decline(drive, *self);
                }
            } guard{this, drive};
            const auto nudge = [this]() noexcept { parker_->nudge(); };
            [[maybe_unused]] const stop_hook<StopToken, decltype(nudge)> hook(stop, nudge);
            parker_->park_until(deadline);
            guard.self = nullptr;
        }
        const errc left = leave(drive);
        return left == errc::timed_out && stop.stop_requested() ? errc::cancelled : left;
    }

    /// Waits no more. errc::none: room was granted; closed; timed_out: neither came.
    template <class Driver>
    [[nodiscard]] errc leave(Driver& drive) noexcept {
        if (writer_access::withdraw(drive, *this)) return errc::timed_out;
        parker_->park(); // it is being woken: the waker's last touch comes before the node is destroyed
        return drive.box.state_of(*this) == room_state::granted ? errc::none : errc::closed;
    }

    /// For the next sleep: a parker is released once.
    void renew() noexcept { parker_.emplace(); }

private:
    std::optional<basic_parker<Traits>> parker_;
};

/// A wait for a flush leaves no mark in the queue, however it ends: otherwise marks would pile up for a peer that stopped.
template <class Writer, class Outcome>
struct withdrawal {
    Writer& writer;
    Outcome* awaited;
    ~withdrawal() {
        if (writer_access::withdraw_mark(writer_access::drive(writer), awaited)) awaited->drop();
    }
};

template <class Traits>
struct blocking_waits {
    /// push(room_waiter*) until it is accepted, or refused for another reason than a full queue.
    template <class Writer, class StopToken, class Push>
    [[nodiscard]] static errc push_when_room(Writer& writer, time_point deadline, const StopToken& stop,
                                             Push push) {
        waiting_thread<Traits> waiter;
        for (;;) {
            waiter.renew();
            const errc pushed = push(&waiter);
            if (pushed != errc::none && pushed != errc::queue_full)
                writer_access::decline(writer_access::drive(writer), waiter);
            if (pushed != errc::queue_full) return pushed;
            if (const errc woken = waiter.wait(writer_access::drive(writer), deadline, stop);
                woken != errc::none)
                return woken;
        }
    }

    template <class Writer, stop_token_like StopToken>
    [[nodiscard]] static errc send(Writer& writer, opcode op, const_bytes payload, time_point deadline,
                                   const StopToken& stop, on_outcome on_done) {
        WSOLO_ASSERT(op == opcode::text || op == opcode::binary,
                     "send_wait() sends a text or a binary message");
        if (op != opcode::text && op != opcode::binary) return errc::raw_frame_malformed;
        if (writer_access::drive(writer).is_here()) return errc::would_deadlock;
        return push_when_room(writer, deadline, stop, [&](room_waiter* waiter) {
            return writer_access::send(writer, op, payload, on_done, waiter);
        });
    }

    template <class Writer, stop_token_like StopToken>
    [[nodiscard]] static errc flush(Writer& writer, time_point deadline, const StopToken& stop) {
        if (writer_access::drive(writer).is_here()) return errc::would_deadlock;
        auto* const awaited = awaited_outcome<Traits>::make();
        if (awaited == nullptr) return errc::out_of_memory;
        const outcome_reference own{awaited};
        outcome_reference of_mark{awaited};
        if (const errc error = writer_access::queue_mark(writer, awaited->on_done()); error != errc::none)
            return error;
        of_mark.release(); // it has its outcome to come
        const withdrawal<Writer, awaited_outcome<Traits>> at_last{writer, awaited};
        const auto nudge = [awaited]() noexcept { awaited->nudge(); };
        [[maybe_unused]] const stop_hook<StopToken, decltype(nudge)> hook(stop, nudge);
        const errc outcome = awaited->wait(deadline);
        return outcome == errc::timed_out && stop.stop_requested() ? errc::cancelled : outcome;
    }
};

} // namespace detail

/// The outcome of one item, to be waited for. Made by observed(). Move-only, one thread at a time. One allocation, which it
/// shares with the item.
template <class Traits = std_blocking_traits>
class [[nodiscard]] basic_outcome_ticket {
    using state = detail::awaited_outcome<Traits>;

public:
    template <observed_send Send>
    explicit basic_outcome_ticket(Send send) {
        state* made = state::make();
        if (made == nullptr) {
            error_ = errc::out_of_memory;
            return;
        }
        detail::outcome_reference own{made};
        detail::outcome_reference of_item{made}; // should it be refused, or send() throw
        error_ = send(made->on_done());
        if (error_ != errc::none) return;
        of_item.release();
        state_ = own.release();
    }
    basic_outcome_ticket(basic_outcome_ticket&& other) noexcept
        : state_(std::exchange(other.state_, nullptr)), error_(other.error_) {}
    basic_outcome_ticket& operator=(basic_outcome_ticket&&) = delete;
    ~basic_outcome_ticket() {
        if (state_ != nullptr) state_->drop();
    }

    /// The send's result. errc::none: there will be an outcome.
    [[nodiscard]] errc error() const noexcept { return error_; }

    /// Sleeps until the outcome: errc::none when the transport took the item's last byte, or why it was dropped;
    /// errc::timed_out when there is none at the deadline. For a refused item it returns error(). Don't call it inside a
    /// callback of the writer: only that thread could end this wait.
    [[nodiscard]] errc wait(time_point deadline = no_deadline) noexcept {
        return state_ == nullptr ? error_ : state_->wait(deadline);
    }

private:
    state* state_ = nullptr;
    errc error_ = errc::none;
};

using outcome_ticket = basic_outcome_ticket<>;

/// Sends, and returns a ticket for the outcome. An exception of `send` passes through, and leaves no ticket.
template <observed_send Send>
[[nodiscard]] outcome_ticket observed(Send send) {
    return outcome_ticket(std::move(send));
}

} // namespace wsolo::inline WSOLO_ABI
