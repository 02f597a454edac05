// Written by tools/amalgamate.py from include/wsolo/write/await.hpp: change it there.
// SPDX-License-Identifier: MIT
#pragma once
// The outcome of one item, or of all data accepted so far, in a coroutine. Not part of wsolo.hpp: it brings <coroutine>.
//
//     how = co_await wsolo::written([&](wsolo::on_outcome on_done) { return out.send_text("x", on_done); });
//     how = co_await wsolo::flushed(out);
//
// Laws of this file:
// - The coroutine is resumed once, with no lock held, by the thread that pumps (or whose send displaced the item). The
//   coroutine may send there; to continue in another thread, post.
// - A coroutine must not be destroyed before its item's outcome, which always comes: at the writer's end at the latest.

#include "../wsolo.hpp"

#include <concepts>
#include <coroutine>
#include <utility>

namespace wsolo::inline WSOLO_ABI {

/// What co_await takes; made by written() and flushed(). It lives in the coroutine's frame; the thread that tells the outcome resumes
/// the coroutine, with no lock held. No allocation of its own.
template <class Send>
class [[nodiscard]] outcome_awaiter {
public:
    explicit outcome_awaiter(Send send) noexcept(std::is_nothrow_move_constructible_v<Send>)
        : send_(std::move(send)) {}
    outcome_awaiter(const outcome_awaiter&) = delete;
    outcome_awaiter& operator=(const outcome_awaiter&) = delete;
    ~outcome_awaiter() { WSOLO_ASSERT(!is_out_, "a coroutine was destroyed before its item had an outcome"); }

    [[nodiscard]] bool await_ready() const noexcept { return false; }

    /// An exception of the send is thrown in the coroutine.
    [[nodiscard]] bool await_suspend(std::coroutine_handle<> caller) {
        caller_ = caller;
        is_out_ = true;
        struct reset {
            bool* out;
            ~reset() {
                if (out != nullptr) *out = false;
            }
        } if_refused{&is_out_};
        const errc error = send_(on_outcome{&on_told, this});
        if (error == errc::none) { // the coroutine may already run in another thread, or be gone
            if_refused.out = nullptr;
            return true;
        }
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

/// `send(on_outcome)` sends one item and returns the send's result. co_await gives errc::none when the transport took the
/// item's last byte, or why it did not.
template <class Send>
    requires std::same_as<std::invoke_result_t<Send&, on_outcome>, errc>
[[nodiscard]] outcome_awaiter<Send> written(Send send) {
    return outcome_awaiter<Send>(std::move(send));
}

/// Waits for all data that `writer` accepted before this call, as its flush(on_outcome) does. The writer must outlive the
/// wait.
template <class Writer>
[[nodiscard]] auto flushed(Writer& writer) {
    return written([&writer](on_outcome on_done) { return writer.flush(on_done); });
}

} // namespace wsolo::inline WSOLO_ABI
