// SPDX-License-Identifier: MIT
#pragma once
// What a zero means for every limit, quantum and timeout of wsolo: none. (Of a timeout: bound_of in core/time.hpp.) And the
// one default that two sides must agree on.

#include "config.hpp"

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <limits>

namespace wsolo::inline WSOLO_ABI {

/// `limit` as a bound that everything can be compared with: 0 bounds nothing.
template <std::unsigned_integral Number>
[[nodiscard]] constexpr Number bound_of(Number limit) noexcept {
    return limit == 0 ? (std::numeric_limits<Number>::max)() : limit;
}

/// The longest message, in bytes of payload, that a reader takes and a writer sends unless it is told otherwise: two sides
/// with the defaults can exchange whatever either accepts.
inline constexpr std::size_t default_max_message = std::size_t{4} * 1024 * 1024;

/// The most bytes that a message of at most `limit` bytes has on the wire where it may be compressed: what does not compress
/// grows, by up to a seventh where a compressor has little memory. 0 (no limit) stays 0.
[[nodiscard]] constexpr std::uint64_t compressed_bound_of(std::uint64_t limit) noexcept {
    const std::uint64_t more = limit / 4 + 1024;
    return limit == 0                                  ? 0
           : limit > bound_of(std::uint64_t{0}) - more ? bound_of(std::uint64_t{0})
                                                       : limit + more;
}

} // namespace wsolo::inline WSOLO_ABI
