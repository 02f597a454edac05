// SPDX-License-Identifier: MIT
#pragma once
// Waiting in a coroutine: `const wsolo::errc error = co_await wsolo::reached(barrier, mark);`
//
// Laws of this file:
// - The coroutine is resumed once, with no lock held, by the thread that completed the mark or closed the
//   barrier, inside its complete() or close(). To continue in another thread, post from there. A chain of coroutines each of
//   which makes the next one due runs in constant stack.
// - The registration lives in the coroutine's frame: nothing allocates. Destroying a suspended coroutine
//   withdraws it.

#include "waiter.hpp"

#include <coroutine>
#include <utility>

namespace wsolo::inline WSOLO_ABI {

/// What co_await takes; made by reached() and drained(). co_await gives errc::none, or the error of
/// close(). It lives in the coroutine's frame; what it waits for outlives it. The thread that completes, or closes, resumes the
/// coroutine, with no lock held.
template <class Source>
class [[nodiscard]] basic_awaiter final : private waiter {
public:
    basic_awaiter(Source& source, std::uint64_t wanted) noexcept
        : waiter(&basic_awaiter::on_fire, wanted), source_(source) {}
    basic_awaiter(const basic_awaiter&) = delete;
    basic_awaiter& operator=(const basic_awaiter&) = delete;

    ~basic_awaiter() {
        if (!is_suspended_) return;
        [[maybe_unused]] const bool is_withdrawn = withdraw();
        WSOLO_ASSERT(is_withdrawn, "a coroutine was destroyed while another thread was resuming it");
    }

    [[nodiscard]] bool await_ready() const noexcept {
        if constexpr (requires { source_.has_reached(mark); }) {
            return source_.has_reached(mark);
        } else {
            return false;
        }
    }

    [[nodiscard]] bool await_suspend(std::coroutine_handle<> caller) noexcept {
        caller_ = caller;
        is_suspended_ = true;
        return source_.add(*this); // if true, the coroutine may already run elsewhere, or be gone
    }

    [[nodiscard]] errc await_resume() noexcept {
        is_suspended_ = false;
        return outcome;
    }

    /// Withdraws the wait: the coroutine will not be resumed. False: it was resumed, or another thread is about to resume it.
    [[nodiscard]] bool withdraw() noexcept {
        return is_suspended_ && source_.remove(*this) && std::exchange(is_suspended_, false);
    }

private:
    static void on_fire(waiter& self) noexcept { static_cast<basic_awaiter&>(self).caller_.resume(); }

    Source& source_;
    std::coroutine_handle<> caller_;
    bool is_suspended_ = false;
};

/// Waits until `barrier` has reached `mark`, or is closed. The barrier outlives the wait.
template <class Barrier>
[[nodiscard]] basic_awaiter<Barrier> reached(Barrier& barrier, std::uint64_t mark) noexcept {
    return {barrier, mark};
}

/// Waits until `from`, a rundown, is closed and all guards are gone.
template <class Rundown>
[[nodiscard]] basic_awaiter<Rundown> drained(Rundown& from) noexcept {
    return {from, 0};
}

} // namespace wsolo::inline WSOLO_ABI
