#pragma once
// Base64 (RFC 4648 §4) for texts of a size known at compile time: the handshake's key and accept value.
//
// Laws of this file:
// - Standard alphabet, padded, no line breaks.
// - Decoding is strict: exact length, exact padding, and no bits set behind the last byte (RFC 4648 §3.5),
//   so that every value has exactly one text.

#include "../core/bytes.hpp"

#include <array>

namespace wsolo::inline WSOLO_ABI {
namespace detail {

/// Characters that `count` bytes become.
[[nodiscard]] constexpr std::size_t base64_size(std::size_t count) noexcept { return (count + 2) / 3 * 4; }

inline constexpr std::string_view base64_alphabet =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// The value of one character, -1 when it is not of the alphabet.
[[nodiscard]] constexpr int base64_value(char c) noexcept {
    if (c >= 'A' && c <= 'Z') return c - 'A';
    if (c >= 'a' && c <= 'z') return c - 'a' + 26;
    if (c >= '0' && c <= '9') return c - '0' + 52;
    if (c == '+') return 62;
    return c == '/' ? 63 : -1;
}

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

/// True when `text` is the one Base64 form of exactly Count bytes, which are then in `bytes`.
template <std::size_t Count>
[[nodiscard]] constexpr bool decode_base64(std::string_view text,
                                           std::array<std::byte, Count>& bytes) noexcept {
    constexpr std::size_t padding = (3 - Count % 3) % 3;
    constexpr std::size_t letters = base64_size(Count) - padding;
    if (text.size() != base64_size(Count)) return false;
    std::uint32_t bits = 0;
    int bit_count = 0;
    std::size_t at = 0;
    for (std::size_t i = 0; i < letters; ++i) {
        const int value = base64_value(text[i]);
        if (value < 0) return false;
        bits = (bits << 6 | static_cast<std::uint32_t>(value)) & 0xffff;
        bit_count += 6;
        if (bit_count < 8) continue;
        bit_count -= 8;
        bytes[at++] = static_cast<std::byte>(bits >> bit_count);
        bits &= (1U << bit_count) - 1;
    }
    return bits == 0 && text.substr(letters) == std::string_view("==").substr(0, padding);
}

} // namespace detail
} // namespace wsolo::inline WSOLO_ABI
