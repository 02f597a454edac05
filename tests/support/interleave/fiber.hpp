#pragma once
// Cooperative fibers: many stacks on one operating-system thread; exactly one runs, until it switches.
//
// Laws of this file:
// - A switch saves what a call must preserve and the exception state, so that a fiber may be left inside a
//   destructor that runs during unwinding.
// - Address and thread sanitizers are told of every switch.
// - A fiber that is never resumed keeps its stack: nothing unwinds it.

#include <cstddef>
#include <memory>

namespace interleave::detail {

class fiber {
public:
    /// Stands for the stack that is running now.
    fiber();
    /// A stack of its own on which `start(argument)` runs at the first switch; `start` must never return.
    fiber(void (*start)(void*), void* argument);
    fiber(const fiber&) = delete;
    fiber& operator=(const fiber&) = delete;
    ~fiber();

    /// Leaves `from`, which must be running, and goes on where `to` was left. Returns when `from` is resumed.
    static void switch_to(fiber& from, fiber& to) noexcept;

private:
    struct exception_state {
        void* caught = nullptr;
        unsigned uncaught = 0;
    };
    struct machine;

    static void arrive(fiber& here) noexcept;
    static void first_arrival() noexcept;

    std::unique_ptr<machine> machine_;
    std::unique_ptr<std::byte[]> stack_;
    const void* stack_bottom_ = nullptr;
    [[maybe_unused]] std::size_t stack_size_ = 0;
    void (*start_)(void*) = nullptr;
    void* argument_ = nullptr;
    [[maybe_unused]] void* fake_stack_ = nullptr;
    [[maybe_unused]] void* shadow_ = nullptr;
    exception_state exceptions_;
};

} // namespace interleave::detail
