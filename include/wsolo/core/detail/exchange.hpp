// SPDX-License-Identifier: MIT
#pragma once
// std::exchange for values whose moves do not throw. What std's own asks of each type for its exception specification costs every
// source that includes wsolo.hpp half a millisecond per type, and there are dozens.

#include "../config.hpp"

namespace wsolo::inline WSOLO_ABI::detail {

/// The old value of `place`, which becomes `fresh`. Called with its namespace, or std::exchange is found as well.
template <class T, class U = T>
[[nodiscard]] constexpr T exchange(T& place, U&& fresh) noexcept {
    T old = static_cast<T&&>(place);
    place = static_cast<U&&>(fresh);
    return old;
}

} // namespace wsolo::inline WSOLO_ABI::detail
