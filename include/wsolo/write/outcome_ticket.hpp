#pragma once
// The outcome of one item as something to wait for, by a thread or in a coroutine, instead of a callback.
//
//     auto ticket = wsolo::observed([&](wsolo::on_outcome told) { return out.send_text("x", told); });
//     if (ticket.error() == wsolo::errc::none) how = ticket.wait(deadline);
//     how = co_await wsolo::written([&](wsolo::on_outcome told) { return out.send_text("x", told); });
//
// Laws of this file:
// - The function sends one item, or flushes, and returns what that returned; a refused item has no outcome,
//   and its error takes the outcome's place.
// - A ticket may go at any time; the item does not mind. A coroutine stays until its item's outcome, which
//   always comes.

#include "detail/flush_ticket.hpp"

#include <concepts>
#include <coroutine>
#include <utility>

namespace wsolo::inline WSOLO_ABI {

/// Sends, or flushes, with the given observer.
template <class Send>
concept observed_send = requires(Send send, on_outcome told) {
    { send(told) } -> std::same_as<errc>;
};

/// Made by observed(). Move-only, one thread at a time. One allocation, which it shares with the item.
template <class Traits = std_blocking_traits>
class [[nodiscard]] basic_outcome_ticket {
    using state = detail::flush_ticket<Traits>;

public:
    template <observed_send Send>
    explicit basic_outcome_ticket(Send send)
        : state_(state::make()), error_(state_ == nullptr ? errc::out_of_memory : send(state_->mark())) {
        if (error_ == errc::none || state_ == nullptr) return;
        state_->drop(); // the item's reference: nobody will call
        std::exchange(state_, nullptr)->drop();
    }
    basic_outcome_ticket(basic_outcome_ticket&& other) noexcept
        : state_(std::exchange(other.state_, nullptr)), error_(other.error_) {}
    basic_outcome_ticket& operator=(basic_outcome_ticket&&) = delete;
    ~basic_outcome_ticket() {
        if (state_ != nullptr) state_->drop();
    }

    /// What the send returned. errc::none: there will be an outcome.
    [[nodiscard]] errc error() const noexcept { return error_; }

    /// Sleeps until the outcome: errc::none when the transport took the item's last byte, or why it was
    /// dropped; errc::timed_out when it is still out at the deadline. Of a refused item: error(). Not inside a
    /// callback of the writer, which is the one to end this.
    [[nodiscard]] errc wait(time_point deadline = no_deadline) noexcept {
        return state_ == nullptr ? error_ : state_->wait(deadline);
    }

private:
    state* state_;
    errc error_ = errc::none;
};

using outcome_ticket = basic_outcome_ticket<>;

/// Sends, and gives a ticket for the outcome.
template <observed_send Send>
[[nodiscard]] outcome_ticket observed(Send send) {
    return outcome_ticket(std::move(send));
}

/// What co_await takes; made by written(). No allocation of its own. The coroutine is resumed by the thread
/// that holds the write token, with no lock held: to go elsewhere, post from there.
template <observed_send Send>
class [[nodiscard]] outcome_awaiter {
public:
    explicit outcome_awaiter(Send send) noexcept(std::is_nothrow_move_constructible_v<Send>)
        : send_(std::move(send)) {}
    outcome_awaiter(const outcome_awaiter&) = delete;
    outcome_awaiter& operator=(const outcome_awaiter&) = delete;
    ~outcome_awaiter() { WSOLO_ASSERT(!is_out_, "a coroutine was destroyed before its item had an outcome"); }

    [[nodiscard]] bool await_ready() const noexcept { return false; }

    [[nodiscard]] bool await_suspend(std::coroutine_handle<> caller) {
        caller_ = caller;
        is_out_ = true;
        const errc error = send_(on_outcome{&on_told, this});
        if (error == errc::none) return true; // the frame may be running elsewhere by now, or gone
        is_out_ = false;
        outcome_ = error;
        return false;
    }

    [[nodiscard]] errc await_resume() const noexcept { return outcome_; }

private:
    static void on_told(void* context, errc outcome) noexcept {
        auto& self = *static_cast<outcome_awaiter*>(context);
        self.outcome_ = outcome;
        self.is_out_ = false;
        self.caller_.resume();
    }

    Send send_;
    std::coroutine_handle<> caller_;
    errc outcome_ = errc::none;
    bool is_out_ = false;
};

/// `const wsolo::errc how = co_await wsolo::written(send);`
template <observed_send Send>
[[nodiscard]] outcome_awaiter<Send> written(Send send) {
    return outcome_awaiter<Send>(std::move(send));
}

} // namespace wsolo::inline WSOLO_ABI
