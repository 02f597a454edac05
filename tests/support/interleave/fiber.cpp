#include "fiber.hpp"

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <cxxabi.h>

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define INTERLEAVE_ASAN 1
#endif
#if __has_feature(thread_sanitizer)
#define INTERLEAVE_TSAN 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__)
#define INTERLEAVE_ASAN 1
#endif
#if defined(__SANITIZE_THREAD__)
#define INTERLEAVE_TSAN 1
#endif
#if defined(INTERLEAVE_ASAN)
#include <sanitizer/common_interface_defs.h>
#endif
#if defined(INTERLEAVE_TSAN)
#include <sanitizer/tsan_interface.h>
#endif

// ucontext's switch makes a system call; a search makes millions of switches, so the commonest machine has
// its own.
#if defined(__x86_64__) && defined(__linux__)
#define INTERLEAVE_OWN_SWITCH 1
asm(R"(
    .text
    .globl interleave_switch_stacks
    .type interleave_switch_stacks, @function
interleave_switch_stacks:
    pushq %rbp
    pushq %rbx
    pushq %r12
    pushq %r13
    pushq %r14
    pushq %r15
    movq %rsp, (%rdi)
    movq %rsi, %rsp
    popq %r15
    popq %r14
    popq %r13
    popq %r12
    popq %rbx
    popq %rbp
    ret
    .size interleave_switch_stacks, .-interleave_switch_stacks
)");
extern "C" void interleave_switch_stacks(void** save, void* to) noexcept;
#else
#include <ucontext.h>
#endif

namespace interleave::detail {
namespace {

constexpr std::size_t stack_bytes = std::size_t{256} * 1024;
fiber* leaving = nullptr;
fiber* entering = nullptr;

} // namespace

#if defined(INTERLEAVE_OWN_SWITCH)
struct fiber::machine {
    void* stack_pointer = nullptr;

    void prepare(std::byte* bottom, std::size_t size, void (*first)()) {
        auto top = reinterpret_cast<std::uintptr_t>(bottom + size) & ~std::uintptr_t{15};
        // Six registers, then the address that `ret` goes to, then no caller: aligned as after a call.
        std::uintptr_t frame[8] = {0, 0, 0, 0, 0, 0, reinterpret_cast<std::uintptr_t>(first), 0};
        std::memcpy(reinterpret_cast<void*>(top - sizeof frame), frame, sizeof frame);
        stack_pointer = reinterpret_cast<void*>(top - sizeof frame);
    }
    static void swap(machine& from, machine& to) noexcept {
        interleave_switch_stacks(&from.stack_pointer, to.stack_pointer);
    }
};
#else
struct fiber::machine {
    ucontext_t context{};

    void prepare(std::byte* bottom, std::size_t size, void (*first)()) {
        getcontext(&context);
        context.uc_stack.ss_sp = bottom;
        context.uc_stack.ss_size = size;
        context.uc_link = nullptr;
        makecontext(&context, first, 0);
    }
    static void swap(machine& from, machine& to) noexcept { swapcontext(&from.context, &to.context); }
};
#endif

fiber::fiber() : machine_(std::make_unique<machine>()) {
#if defined(INTERLEAVE_TSAN)
    shadow_ = __tsan_get_current_fiber();
#endif
}

fiber::fiber(void (*start)(void*), void* argument)
    : machine_(std::make_unique<machine>()),
      stack_(new std::byte[stack_bytes]),
      stack_bottom_(stack_.get()),
      stack_size_(stack_bytes),
      start_(start),
      argument_(argument) {
    machine_->prepare(stack_.get(), stack_bytes, &fiber::first_arrival);
#if defined(INTERLEAVE_TSAN)
    shadow_ = __tsan_create_fiber(0);
#endif
}

fiber::~fiber() {
#if defined(INTERLEAVE_TSAN)
    if (stack_ != nullptr) __tsan_destroy_fiber(shadow_);
#endif
}

void fiber::switch_to(fiber& from, fiber& to) noexcept {
    std::memcpy(static_cast<void*>(&from.exceptions_), abi::__cxa_get_globals(), sizeof from.exceptions_);
    leaving = &from;
    entering = &to;
#if defined(INTERLEAVE_ASAN)
    __sanitizer_start_switch_fiber(&from.fake_stack_, to.stack_bottom_, to.stack_size_);
#endif
#if defined(INTERLEAVE_TSAN)
    __tsan_switch_to_fiber(to.shadow_, 0);
#endif
    machine::swap(*from.machine_, *to.machine_);
    arrive(from);
}

void fiber::arrive(fiber& here) noexcept {
#if defined(INTERLEAVE_ASAN)
    // What was left tells its own bounds: that is how the stack that was not made here becomes known.
    __sanitizer_finish_switch_fiber(here.fake_stack_, &leaving->stack_bottom_, &leaving->stack_size_);
#endif
    std::memcpy(static_cast<void*>(abi::__cxa_get_globals()), &here.exceptions_, sizeof here.exceptions_);
}

void fiber::first_arrival() noexcept {
    fiber& here = *entering;
    arrive(here);
    here.start_(here.argument_);
    std::abort();
}

} // namespace interleave::detail
