#pragma once
// An endpoint's messages for a coroutine: `wsolo::result<wsolo::message> got = co_await e.handler().next();`
//
// Laws of this file:
// - A message leaves the inbox when the coroutine asks for it, and not before: while it is busy, or waits for something
//   else, the inbox's bounds hold. It is handled when the next one is asked for: until then a Close waits for its answer.
// - The coroutine runs where messages are handled: in the loop, or in work(). It is resumed with no lock held, inside
//   the handling of the message it gets.
// - One coroutine at a time waits.

#include "../core/result.hpp"
#include "message.hpp"

#include <coroutine>
#include <optional>

namespace wsolo::inline WSOLO_ABI {

/// The `Handler` of an endpoint whose messages a coroutine takes. Not thread-safe: next() is called where messages are
/// handled (in the loop, or within work() where a pool does it), or before the first is received. A coroutine that
/// awaits other things as well comes back there before it asks for the next message, which a loop can arrange and a
/// pool can't.
class message_source {
public:
    class [[nodiscard]] awaiter;

    /// co_await gives the next message, or why there is none: errc::closed behind the last one, or the error that
    /// ended the handling. When the endpoint is being destroyed, errc::aborted: the coroutine must then not touch it.
    awaiter next() noexcept;

    // The endpoint's.

    template <class Endpoint>
    void attach(Endpoint& whole) noexcept {
        whole_ = &whole;
        ask_ = [](void* of) { static_cast<Endpoint*>(of)->ask_for_messages(); };
    }
    [[nodiscard]] bool wants_message() const noexcept { return waiting_ != nullptr; }
    /// Tells the endpoint that a message is handled when the next one is asked for, and not when on_message() returns.
    static constexpr bool holds_message = true;
    void on_message(auto&, message&& received) { give(std::move(received)); }
    void on_messages_over(errc why) {
        over_ = why == errc::none ? errc::closed : why;
        if (waiting_ != nullptr) give(over_);
    }

private:
    void give(result<message> what);

    void* whole_ = nullptr;
    void (*ask_)(void*) = nullptr;
    awaiter* waiting_ = nullptr;
    errc over_ = errc::none;
};

/// What co_await takes. Lives in the coroutine's frame; destroying the suspended coroutine withdraws it.
class message_source::awaiter {
public:
    explicit awaiter(message_source& from) noexcept : from_(from) {}
    awaiter(const awaiter&) = delete;
    awaiter& operator=(const awaiter&) = delete;
    ~awaiter() {
        if (from_.waiting_ == this) from_.waiting_ = nullptr;
    }

    [[nodiscard]] bool await_ready() noexcept {
        if (from_.over_ == errc::none) return false;
        from_.ask_(from_.whole_); // the last message is handled
        got_.emplace(from_.over_);
        return true;
    }
    void await_suspend(std::coroutine_handle<> caller) {
        WSOLO_ASSERT(from_.waiting_ == nullptr, "two coroutines wait for the messages of one endpoint");
        WSOLO_ASSERT(from_.whole_ != nullptr,
                     "a message_source belongs into an endpoint before next() is awaited");
        caller_ = caller;
        from_.waiting_ = this;
        from_.ask_(from_.whole_);
    }
    [[nodiscard]] result<message> await_resume() noexcept {
        // NOLINTNEXTLINE(bugprone-unchecked-optional-access): whoever resumes has put it there
        return std::move(*got_);
    }

private:
    friend message_source;

    message_source& from_;
    std::coroutine_handle<> caller_;
    std::optional<result<message>> got_;
};

inline message_source::awaiter message_source::next() noexcept { return awaiter(*this); }

inline void message_source::give(result<message> what) {
    awaiter& due = *std::exchange(waiting_, nullptr);
    due.got_.emplace(std::move(what));
    due.caller_.resume(); // the last touch: the frame may be gone, or wait again
}

} // namespace wsolo::inline WSOLO_ABI
