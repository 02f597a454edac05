// SPDX-License-Identifier: MIT
#pragma once
// Base64 (RFC 4648 §4) for texts of a size known at compile time: the handshake's key and accept value.
//
// Laws of this file:
// - Standard alphabet, padded, no line breaks.
// - Nothing is decoded: a key is hashed as the text that it is (RFC 6455 §4.2.2), so only its form counts.

#include "../core/bytes.hpp"
#include "syntax.hpp"

#include <array>

namespace wsolo::inline WSOLO_ABI {
namespace detail {

/// Characters that `count` bytes become.
[[nodiscard]] constexpr std::size_t base64_size(std::size_t count) noexcept { return (count + 2) / 3 * 4; }

inline constexpr std::string_view base64_alphabet =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

template <std::size_t Count>
[[nodiscard]] constexpr std::array<char, base64_size(Count)>
encode_base64(const std::array<std::byte, Count>& bytes) noexcept {
    std::array<char, base64_size(Count)> text{};
    std::size_t at = 0;
    for (std::size_t i = 0; i < Count; i += 3) {
        std::uint32_t group = 0;
        for (std::size_t k = i; k < i + 3; ++k) {
            group = group << 8 | (k < Count ? std::to_integer<std::uint32_t>(bytes[k]) : 0);
        }
        for (int shift = 18; shift >= 0; shift -= 6) text[at++] = base64_alphabet[group >> shift & 63];
    }
    for (std::size_t missing = (3 - Count % 3) % 3; missing > 0; --missing) text[text.size() - missing] = '=';
    return text;
}

/// Whether `text` is Base64 of exactly `count` bytes: its letters, then its padding. Bits of the last letter
/// that stand for nothing may have any value.
[[nodiscard]] constexpr bool is_base64_of(std::size_t count, std::string_view text) noexcept {
    const std::size_t padding = (3 - count % 3) % 3;
    if (text.size() != base64_size(count)) return false;
    const std::size_t letters = text.size() - padding;
    const auto is_letter = [](char c) { return is_letter_or_digit(c) || c == '+' || c == '/'; };
    if (!all_of(text.substr(0, letters), is_letter)) return false;
    return text.substr(letters) == std::string_view("==").substr(0, padding);
}

} // namespace detail
} // namespace wsolo::inline WSOLO_ABI
