// Written by tools/amalgamate.py from include/wsolo/adapt/detail/poll_timeout.hpp: change it there.
// SPDX-License-Identifier: MIT
#pragma once
// How long poll() and its like may wait.
//
// Laws of this file:
// - Rounded up, so that a wait does not end a moment before its deadline, only to be begun again.
// - A minute at most, because an int is small: the caller looks at its deadline again.

#include "../../wsolo.hpp"

namespace wsolo::inline WSOLO_ABI::adapt::detail {

/// In milliseconds; -1: no end.
[[nodiscard]] inline int poll_timeout(time_point until, time_point now) noexcept {
    if (until == no_deadline) return -1;
    if (until <= now) return 0;
    constexpr duration longest = std::chrono::minutes(1);
    const duration left = until - now < longest ? until - now : longest;
    return static_cast<int>(std::chrono::ceil<std::chrono::milliseconds>(left).count());
}

} // namespace wsolo::inline WSOLO_ABI::adapt::detail
