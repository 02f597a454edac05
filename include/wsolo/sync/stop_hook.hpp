// SPDX-License-Identifier: MIT
#pragma once
// Stop tokens without asking the standard library for one: the caller's own, `never_stop` for a wait that nothing
// cancels, and std::stop_token with sync/stop_token.hpp, which is opt-in for what <stop_token> costs.
//
// Laws of this file:
// - A token is anything with stop_requested() and a callback type: std::stop_token, or a type with a nested
//   `callback_type<Function>` (as in C++26's stoppable_token) whose destructor waits for a running
//   callback.

#include "../core/config.hpp"

#include <concepts>

namespace wsolo::inline WSOLO_ABI {

/// The token of a wait that cannot be cancelled. Costs nothing.
struct never_stop {
    /// Registers nothing.
    template <class Function>
    struct callback_type {
        explicit callback_type(never_stop, Function) noexcept {}
    };
    /// Always false.
    [[nodiscard]] static constexpr bool stop_requested() noexcept { return false; }
};

/// What a wait can be cancelled by.
template <class Token>
concept stop_token_like = std::copy_constructible<Token> && requires(const Token& token) {
    { token.stop_requested() } -> std::convertible_to<bool>;
};

namespace detail {

template <class Token, class Function>
struct stop_callback_type {
    static_assert(
        requires { typename Token::template callback_type<Function>; },
        "this stop token has no callback_type; std::stop_token needs <wsolo/sync/stop_token.hpp>");
    using type = typename Token::template callback_type<Function>;
};

} // namespace detail

/// Registers a Function with a Token for the life of the object.
template <stop_token_like Token, class Function>
using stop_hook = typename detail::stop_callback_type<Token, Function>::type;

} // namespace wsolo::inline WSOLO_ABI
