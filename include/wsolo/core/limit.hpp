#pragma once
// What a zero means for every limit, quantum and timeout of wsolo: none.

#include "time.hpp"

#include <concepts>
#include <limits>

namespace wsolo::inline WSOLO_ABI {

/// `limit` as a bound that everything can be compared with: 0 bounds nothing.
template <std::unsigned_integral Number>
[[nodiscard]] constexpr Number bound_of(Number limit) noexcept {
    return limit == 0 ? std::numeric_limits<Number>::max() : limit;
}

/// The same of a timeout, saturated.
template <class Rep, class Period>
[[nodiscard]] constexpr duration bound_of(std::chrono::duration<Rep, Period> timeout) noexcept {
    return timeout == timeout.zero() ? duration::max() : saturated(timeout);
}

} // namespace wsolo::inline WSOLO_ABI
