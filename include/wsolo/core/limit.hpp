#pragma once
// What a zero means for every limit, quantum and timeout of wsolo: none. (Of a timeout: bound_of in core/time.hpp.)

#include "config.hpp"

#include <concepts>
#include <limits>

namespace wsolo::inline WSOLO_ABI {

/// `limit` as a bound that everything can be compared with: 0 bounds nothing.
template <std::unsigned_integral Number>
[[nodiscard]] constexpr Number bound_of(Number limit) noexcept {
    return limit == 0 ? std::numeric_limits<Number>::max() : limit;
}

} // namespace wsolo::inline WSOLO_ABI
