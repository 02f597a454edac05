// SPDX-License-Identifier: MIT
#pragma once
// How a queue asks its loop for a turn: a function that the thread which found the queue idle calls once.
//
// Laws of this file:
// - The hook is called with no lock held, once per idle-to-busy transition, by the thread that made the transition.
// - A hook that returns false, or throws, refuses: no thread will drive the queue, so the queue ends.

#include "../core/config.hpp"

#include <concepts>
#include <type_traits>

namespace wsolo::inline WSOLO_ABI {

/// Called to have the queue driven soon (pump() of a writer, drain() of an inbox), by a thread of the hook's choice.
/// Returns nothing, or a bool: false refuses, and so does an exception.
template <class Hook>
concept schedule_hook = std::invocable<Hook&> && (std::same_as<std::invoke_result_t<Hook&>, void> ||
                                                  std::same_as<std::invoke_result_t<Hook&>, bool>);

namespace detail {

/// Calls the hook. False: it refused.
template <schedule_hook Hook>
[[nodiscard]] bool ask_for_a_turn(Hook& hook) {
    const auto call = [&hook] {
        if constexpr (std::same_as<std::invoke_result_t<Hook&>, bool>) {
            return hook();
        } else {
            hook();
            return true;
        }
    };
#if WSOLO_HAS_EXCEPTIONS
    try {
        return call();
    } catch (...) {
        return false;
    }
#else
    return call();
#endif
}

} // namespace detail
} // namespace wsolo::inline WSOLO_ABI
