// SPDX-License-Identifier: MIT
#pragma once
// A sequence number as an owning value: its destructor completes the number, on every path out of a handler.
//
// Laws of this file:
// - One number, one complete() or abandon(), by the owner that holds it last.
// - Neither type outlives its barrier. complete()'s rules about order and threads hold for their destructors too.

#include "handler_scope.hpp"

#include <utility>

namespace wsolo::inline WSOLO_ABI {

/// A number that travels with its item. Move-only, not thread-safe itself.
template <class Barrier>
class basic_ticket {
public:
    basic_ticket() = default;
    basic_ticket(Barrier& barrier, std::uint64_t number) noexcept : barrier_(&barrier), number_(number) {}
    basic_ticket(basic_ticket&& other) noexcept : barrier_(other.barrier_), number_(other.take()) {}
    basic_ticket& operator=(basic_ticket&& other) noexcept {
        if (this != &other) {
            complete();
            barrier_ = other.barrier_;
            number_ = other.take();
        }
        return *this;
    }
    ~basic_ticket() { complete(); }

    /// 0 when empty.
    [[nodiscard]] std::uint64_t number() const noexcept { return number_; }

    /// The item is handled. No effect when empty.
    void complete() noexcept {
        if (number_ != 0) barrier_->complete(take());
    }

    /// The item was not accepted, or left the queue unhandled. No effect when empty.
    void abandon() noexcept {
        if (number_ != 0) barrier_->abandon(take());
    }

    /// Hands the duty to complete or abandon to the caller. Empty afterwards.
    [[nodiscard]] std::uint64_t take() noexcept { return std::exchange(number_, 0); }

private:
    Barrier* barrier_ = nullptr;
    std::uint64_t number_ = 0;
};

/// An item at work on this thread's stack; made by handle() of a barrier. Completes at its end, also when
/// the handler throws; until then this thread's wait for the item itself answers would_deadlock.
template <class Barrier>
class [[nodiscard]] basic_handling {
public:
    basic_handling(Barrier& barrier, std::uint64_t number) noexcept
        : barrier_(barrier), number_(number), scope_(&barrier, number) {
        barrier.begin(number);
    }
    basic_handling(const basic_handling&) = delete;
    basic_handling& operator=(const basic_handling&) = delete;
    ~basic_handling() {
        if (number_ != 0) barrier_.complete(number_);
    }

    /// The number that it completes.
    [[nodiscard]] std::uint64_t number() const noexcept { return number_; }
    /// The item is not done when this scope ends: the caller owes complete() of its number.
    [[nodiscard]] std::uint64_t defer() noexcept { return std::exchange(number_, 0); }

private:
    Barrier& barrier_;
    std::uint64_t number_;
    basic_handler_scope<typename Barrier::traits> scope_;
};

} // namespace wsolo::inline WSOLO_ABI
