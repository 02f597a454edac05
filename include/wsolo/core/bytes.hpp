// SPDX-License-Identifier: MIT
#pragma once
// The byte types: spans, network byte order, and the conversion between text and bytes.
//
// Laws of this file:
// - A span is a view: it owns nothing, and the function that hands one out says how long it lives.
// - Words are read and written by shifts or memcpy, never through a cast pointer.

#include "config.hpp"

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace wsolo::inline WSOLO_ABI {

/// A view of bytes that are only read.
using const_bytes = std::span<const std::byte>;
/// A view of bytes that may be changed in place.
using mutable_bytes = std::span<std::byte>;

/// The bytes of a text. The view lives as long as the text's storage.
[[nodiscard]] inline const_bytes bytes_of(std::string_view text) noexcept {
    return {reinterpret_cast<const std::byte*>(text.data()), text.size()};
}

/// The same bytes as characters, unchecked. The view lives as long as the bytes.
[[nodiscard]] inline std::string_view text_of(const_bytes bytes) noexcept {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

/// Unsigned integers in network byte order (RFC 6455 §5.2). `from` and `to` have at least 2 or 8 bytes.
[[nodiscard]] constexpr std::uint16_t load_be16(const std::byte* from) noexcept {
    return static_cast<std::uint16_t>(std::to_integer<unsigned>(from[0]) << 8 |
                                      std::to_integer<unsigned>(from[1]));
}
[[nodiscard]] constexpr std::uint64_t load_be64(const std::byte* from) noexcept {
    std::uint64_t value = 0;
    for (int i = 0; i < 8; ++i) value = value << 8 | std::to_integer<std::uint64_t>(from[i]);
    return value;
}
constexpr void store_be16(std::byte* to, std::uint16_t value) noexcept {
    to[0] = static_cast<std::byte>(value >> 8);
    to[1] = static_cast<std::byte>(value);
}
constexpr void store_be64(std::byte* to, std::uint64_t value) noexcept {
    for (int i = 0; i < 8; ++i) to[i] = static_cast<std::byte>(value >> (56 - 8 * i));
}

} // namespace wsolo::inline WSOLO_ABI
