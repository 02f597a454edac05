// SPDX-License-Identifier: MIT
#pragma once
// Waiting without a thread: a function called once when a barrier reaches a mark, or when a rundown has
// drained.
//
// Laws of this file:
// - The function is called exactly once, unless the object is destroyed first: in the thread that reached the mark, or in
//   the constructor when it is reached already. Never under a lock of wsolo. A chain of callbacks each of which makes the next one
//   due runs in constant stack.
// - After the destructor the function neither runs nor will run: the destructor waits for a call in another thread, and
//   returns at once inside the call.
// - No allocation: the object is the registration, and stays where it is.

#include "parker.hpp"
#include "waiter.hpp"

#include <concepts>
#include <utility>

namespace wsolo::inline WSOLO_ABI {

/// `Function` is called, by the thread that completes or closes, with errc::none or the error of close(). It must not throw. It may
/// add and destroy other callbacks of the same source, and this one. The source outlives the object, unless
/// the function was called before.
template <class Source, std::invocable<errc> Function>
class [[nodiscard]] basic_callback final : private waiter {
    using traits = typename Source::traits;
    using parker = basic_parker<traits>;

public:
    basic_callback(Source& source, std::uint64_t wanted, Function function) noexcept
        : waiter(&basic_callback::on_fire, wanted), source_(source), function_(std::move(function)) {
        if (!source.add(*this)) run();
    }
    basic_callback(const basic_callback&) = delete;
    basic_callback& operator=(const basic_callback&) = delete;

    ~basic_callback() {
        if (has_run()) return;
        if (runner_.load(std::memory_order_relaxed) ==
            this_thread()) { // inside the call; the source may be gone
            *gone_ = true;
            return;
        }
        if (source_.remove(*this)) return;
        parker self;
        std::uintptr_t expected = pending;
        if (state_.compare_exchange_strong(expected, reinterpret_cast<std::uintptr_t>(&self),
                                           std::memory_order_acq_rel, std::memory_order_acquire)) {
            self.park();
        }
    }

    /// Whether the function was called and has returned. Acquires what it wrote.
    [[nodiscard]] bool has_run() const noexcept { return state_.load(std::memory_order_acquire) == finished; }

private:
    // state_: one of these, or the parker of a destructor that waits for the call to return.
    static constexpr std::uintptr_t pending = 0;
    static constexpr std::uintptr_t finished = 1;

    static void* this_thread() noexcept { return &traits::thread_slot(); }

    static void on_fire(waiter& self) noexcept { static_cast<basic_callback&>(self).run(); }

    void run() noexcept {
        bool gone = false;
        gone_ = &gone;
        runner_.store(this_thread(), std::memory_order_relaxed); // read for equality by its own thread only
        function_(outcome);
        if (gone) return; // the function destroyed its own registration
        const std::uintptr_t seen = state_.exchange(finished, std::memory_order_acq_rel);
        if (seen != pending) reinterpret_cast<parker*>(seen)->release();
    }

    Source& source_;
    Function function_;
    bool* gone_ = nullptr;
    typename traits::template atomic<void*> runner_{nullptr};
    typename traits::template atomic<std::uintptr_t> state_{pending};
};

/// Calls `function(errc)` when `barrier` has reached `mark`, or is closed. Keep the result:
/// `auto watch = wsolo::on_reached(barrier, mark, [](wsolo::errc) noexcept { ... });`
template <class Barrier, std::invocable<errc> Function>
[[nodiscard]] basic_callback<Barrier, Function> on_reached(Barrier& barrier, std::uint64_t mark,
                                                           Function function) noexcept {
    return {barrier, mark, std::move(function)};
}

/// Calls `function(errc::none)` when `from`, a rundown, is closed and all guards are gone.
template <class Rundown, std::invocable<errc> Function>
[[nodiscard]] basic_callback<Rundown, Function> on_drained(Rundown& from, Function function) noexcept {
    return {from, 0, std::move(function)};
}

} // namespace wsolo::inline WSOLO_ABI
