#pragma once
// How an endpoint calls its handler and its hooks: whichever form they have, whatever they do.
//
// Laws of this file:
// - An exception of theirs is an error like another: it ends its own connection and unwinds no loop.

#include "../../core/error.hpp"
#include "../message.hpp"

#include <concepts>
#include <type_traits>

namespace wsolo::inline WSOLO_ABI::detail {

template <class Handler, class Endpoint>
errc call_handler_unguarded(Handler& handler, Endpoint& whole, message&& received) {
    const auto call = [&]() -> decltype(auto) {
        if constexpr (requires { handler.on_message(whole, std::move(received)); }) {
            return handler.on_message(whole, std::move(received));
        } else {
            return handler(whole, std::move(received));
        }
    };
    if constexpr (std::is_same_v<decltype(call()), errc>) {
        return call();
    } else {
        static_assert(std::is_void_v<decltype(call())>,
                      "a message handler returns nothing, or the errc that ends the connection");
        call();
        return errc::none;
    }
}

/// Calls a hook, whatever it returns. False: it threw.
template <class Call>
[[nodiscard]] bool call_hook(Call call) {
#if WSOLO_HAS_EXCEPTIONS
    try {
        static_cast<void>(call());
        return true;
    } catch (...) {
        return false;
    }
#else
    static_cast<void>(call());
    return true;
#endif
}

/// errc::handler_failed when it throws.
template <class Handler, class Endpoint>
errc call_handler(Handler& handler, Endpoint& whole, message&& received) {
#if WSOLO_HAS_EXCEPTIONS
    try {
        return call_handler_unguarded(handler, whole, std::move(received));
    } catch (...) {
        return errc::handler_failed;
    }
#else
    return call_handler_unguarded(handler, whole, std::move(received));
#endif
}

} // namespace wsolo::inline WSOLO_ABI::detail
