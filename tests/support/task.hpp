#pragma once
// A coroutine that runs at once, and whose owner may destroy it while it waits.

#include <coroutine>
#include <utility>

namespace support {

class task {
public:
    struct promise_type {
        task get_return_object() { return task(std::coroutine_handle<promise_type>::from_promise(*this)); }
        std::suspend_never initial_suspend() noexcept { return {}; }
        std::suspend_always final_suspend() noexcept { return {}; }
        void return_void() {}
        void unhandled_exception() { throw; }
    };
    task(task&& other) noexcept : frame_(std::exchange(other.frame_, nullptr)) {}
    ~task() { destroy(); }
    void destroy() {
        if (frame_) std::exchange(frame_, nullptr).destroy();
    }
    [[nodiscard]] bool is_done() const { return frame_.done(); }

private:
    explicit task(std::coroutine_handle<promise_type> frame) : frame_(frame) {}
    std::coroutine_handle<promise_type> frame_;
};

} // namespace support
