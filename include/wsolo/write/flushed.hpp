#pragma once
// Waiting in a coroutine until what was sent has left: `const wsolo::errc error = co_await wsolo::flushed(writer);`
//
// Laws of this file:
// - The coroutine is resumed once, with no lock held, by the thread that pumps. It may send; it must not wait there in
//   another way than by co_await.
// - A coroutine that waits here must not be destroyed: the writer tells it in any case, at its own end at the latest.

#include "outcome.hpp"

#include <coroutine>

namespace wsolo::inline WSOLO_ABI {

/// What co_await takes; made by flushed(). Gives errc::none when all data accepted before was written, or why that
/// will never be: closed, aborted, out_of_memory ...
template <class Writer>
class [[nodiscard]] flush_awaiter {
public:
    explicit flush_awaiter(Writer& writer) noexcept : writer_(writer) {}
    flush_awaiter(const flush_awaiter&) = delete;
    flush_awaiter& operator=(const flush_awaiter&) = delete;
    ~flush_awaiter() { WSOLO_ASSERT(!is_waiting_, "a coroutine was destroyed that a writer was to resume"); }

    [[nodiscard]] bool await_ready() const noexcept { return false; }
    [[nodiscard]] bool await_suspend(std::coroutine_handle<> caller) {
        caller_ = caller;
        is_waiting_ = true;
        // Once this is accepted the frame may be running elsewhere, or gone.
        const errc refused = writer_.flush({&flush_awaiter::on_told, this});
        if (refused == errc::none) return true;
        is_waiting_ = false;
        outcome_ = refused;
        return false;
    }
    [[nodiscard]] errc await_resume() const noexcept { return outcome_; }

private:
    static void on_told(void* context, errc outcome) noexcept {
        auto& self = *static_cast<flush_awaiter*>(context);
        self.is_waiting_ = false;
        self.outcome_ = outcome;
        self.caller_.resume();
    }

    Writer& writer_;
    std::coroutine_handle<> caller_;
    errc outcome_ = errc::none;
    bool is_waiting_ = false;
};

/// Waits for all data that `writer` accepted before. The writer outlives the wait.
template <class Writer>
[[nodiscard]] flush_awaiter<Writer> flushed(Writer& writer) noexcept {
    return flush_awaiter<Writer>(writer);
}

} // namespace wsolo::inline WSOLO_ABI
