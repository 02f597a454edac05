// SPDX-License-Identifier: MIT
#pragma once
// Handles to a session for other threads: they can try to use it, and cannot dangle.
//
// Laws of this file:
// - The session owns an anchor; handles share a small block with it. The block holds a rundown and outlives
//   both.
// - A use is a guard of the rundown: while it lives the session does; after close() there are no new ones.
// - The anchor's destructor, close() and wait(), runs before any part of the session is destroyed: so the anchor is the
//   session's last member.

#include "../core/detail/exchange.hpp"
#include "../core/result.hpp"
#include "detail/guard_list.hpp"
#include "rundown.hpp"

#include <new>

namespace wsolo::inline WSOLO_ABI {

namespace detail {

/// What an anchor and its handles share: one allocation of 24 bytes (32 in checked builds).
template <class T, class Traits>
struct session_block {
    explicit session_block(T& to) noexcept : target(&to) {}

    void retain() noexcept { references.fetch_add(1, std::memory_order_relaxed); }
    void release() noexcept {
        if (references.fetch_sub(1, std::memory_order_acq_rel) == 1) delete this;
    }

    // [[no_unique_address]]: the references lie in the tail padding.
    [[no_unique_address]] basic_rundown<Traits> users;
    typename Traits::template atomic<std::uint32_t> references{1};
    T* const target;
    [[no_unique_address]] guard_list<Traits> guards;
};

} // namespace detail

/// A session in use. Move-only; empty when the session had closed. Keep it short: close() of the session
/// waits for it. The thread that has it must not be the one that destroys the session: checked builds say so.
template <class T, class Traits = std_blocking_traits>
class [[nodiscard]] basic_session_guard {
    using block = detail::session_block<T, Traits>;

public:
    basic_session_guard() = default;
    basic_session_guard(typename basic_rundown<Traits>::guard inside, block& of) noexcept
        : inside_(std::move(inside)),
          place_(inside_ ? &of.guards : nullptr),
          target_(inside_ ? of.target : nullptr) {}
    basic_session_guard(basic_session_guard&& other) noexcept
        : inside_(std::move(other.inside_)),
          place_(std::move(other.place_)),
          target_(detail::exchange(other.target_, nullptr)) {}
    basic_session_guard& operator=(basic_session_guard&& other) noexcept {
        if (this == &other) return *this;
        place_ = std::move(other.place_); // while both sessions are still held
        inside_ = std::move(other.inside_);
        target_ = detail::exchange(other.target_, nullptr);
        return *this;
    }
    ~basic_session_guard() = default;

    [[nodiscard]] explicit operator bool() const noexcept { return target_ != nullptr; }

    /// Precondition: not empty. The reference holds as long as the guard.
    [[nodiscard]] T& operator*() const noexcept {
        WSOLO_ASSERT(target_ != nullptr, "an empty session_guard: test it before use");
        return *target_;
    }
    [[nodiscard]] T* operator->() const noexcept { return &**this; }

private:
    typename basic_rundown<Traits>::guard inside_;
    [[no_unique_address]]
    typename detail::guard_list<Traits>::place place_; ///< destroyed before the guard leaves
    T* target_ = nullptr;
};

/// A handle that does not keep the session alive. Copyable; different copies may be used by different
/// threads. 8 bytes.
template <class T, class Traits = std_blocking_traits>
class basic_weak_session {
    using block = detail::session_block<T, Traits>;

public:
    using guard = basic_session_guard<T, Traits>;

    /// A handle to no session.
    basic_weak_session() = default;
    explicit basic_weak_session(block& shared) noexcept : block_(&shared) { block_->retain(); }
    basic_weak_session(const basic_weak_session& other) noexcept : block_(other.block_) {
        if (block_ != nullptr) block_->retain();
    }
    basic_weak_session(basic_weak_session&& other) noexcept
        : block_(detail::exchange(other.block_, nullptr)) {}
    basic_weak_session& operator=(const basic_weak_session& other) noexcept {
        return *this = basic_weak_session(other);
    }
    // Not by value: clang 14 does not destroy a parameter that was made of {} in a template.
    basic_weak_session& operator=(basic_weak_session&& other) noexcept {
        basic_weak_session fresh(std::move(other));
        std::swap(block_, fresh.block_);
        return *this;
    }
    ~basic_weak_session() {
        if (block_ != nullptr) block_->release();
    }

    /// The session, for the life of the guard; empty once the session closed. Never waits. The guard may outlive this
    /// handle.
    [[nodiscard]] guard try_use() const noexcept {
        return block_ == nullptr ? guard() : guard(block_->users.try_enter(), *block_);
    }

    /// Whether try_use() cannot succeed any more.
    [[nodiscard]] bool is_expired() const noexcept { return block_ == nullptr || block_->users.is_closed(); }

private:
    block* block_ = nullptr;
};

/// The session's own end. Move-only, while the session stays where it is. Any thread may call handle(), close() and
/// wait(); a move and the destructor are the owner's, while no other call is under way.
template <class T, class Traits = std_blocking_traits>
class basic_session_anchor {
    using block = detail::session_block<T, Traits>;

public:
    using time_point = typename basic_rundown<Traits>::time_point;
    /// For a wait that has no bound.
    static constexpr time_point no_deadline = (time_point::max)();

    /// An anchor to nothing: its handles are expired.
    basic_session_anchor() = default;

    /// Allocates the shared block; errc::out_of_memory. `target` must outlive the anchor.
    [[nodiscard]] static result<basic_session_anchor> make(T& target) noexcept {
        basic_session_anchor anchor;
        anchor.block_ = new (std::nothrow) block(target);
        if (anchor.block_ == nullptr) return errc::out_of_memory;
        return anchor;
    }

    basic_session_anchor(basic_session_anchor&& other) noexcept
        : block_(detail::exchange(other.block_, nullptr)) {}
    basic_session_anchor& operator=(basic_session_anchor&& other) noexcept {
        if (this != &other) {
            reset();
            block_ = detail::exchange(other.block_, nullptr);
        }
        return *this;
    }
    /// Closes and waits for the guards that are left. The caller must hold none itself.
    ~basic_session_anchor() { reset(); }

    /// A handle for other threads. O(1), no allocation; expired where there is no session.
    [[nodiscard]] basic_weak_session<T, Traits> handle() const noexcept {
        return block_ == nullptr ? basic_weak_session<T, Traits>() : basic_weak_session<T, Traits>(*block_);
    }

    /// Whether the anchor was made for a session, and not moved from.
    [[nodiscard]] explicit operator bool() const noexcept { return block_ != nullptr; }

    /// Gives out no guard from now on. True: this call closed it.
    bool close() noexcept { return block_ != nullptr && block_->users.close(); }
    /// Closes, and tells whether no guard is left: then the destructor waits for none. Never waits.
    [[nodiscard]] bool let_go() noexcept {
        close();
        return block_ == nullptr || block_->users.is_left();
    }

    /// After close(): waits until the last guard is gone. errc::none, cancelled or timed_out.
    template <stop_token_like StopToken>
    [[nodiscard]] errc wait(time_point deadline, const StopToken& stop) noexcept {
        return block_ == nullptr ? errc::none : block_->users.wait(deadline, stop);
    }
    [[nodiscard]] errc wait(time_point deadline = no_deadline) noexcept {
        return wait(deadline, never_stop{});
    }

private:
    void reset() noexcept {
        if (block_ == nullptr) return;
        close();
        WSOLO_ASSERT(
            !block_->guards.has_own(),
            "a session is destroyed by a thread that has a guard of it in use: it would wait for itself");
        static_cast<void>(wait()); // without a deadline it can only end drained
        detail::exchange(block_, nullptr)->release();
    }

    block* block_ = nullptr;
};

template <class T>
using session_guard = basic_session_guard<T>;
template <class T>
using weak_session = basic_weak_session<T>;
template <class T>
using session_anchor = basic_session_anchor<T>;

} // namespace wsolo::inline WSOLO_ABI
