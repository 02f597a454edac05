// SPDX-License-Identifier: MIT
#pragma once
// Short texts, most of them ASCII: read as one pair of overlapping words, without a loop or a call.

#include "../../core/detail/xor_narrow.hpp"

#include <type_traits>

namespace wsolo::inline WSOLO_ABI::detail {

/// Up to this many bytes the functions of this file apply.
inline constexpr std::size_t utf8_short_size = 32;

/// The first byte of `word` in memory order.
[[nodiscard]] inline std::byte first_byte(std::uint32_t word) noexcept {
    std::byte first;
    std::memcpy(&first, &word, 1);
    return first;
}

[[nodiscard]] inline bool has_high_bits(std::uint64_t word) noexcept {
    return (word & 0x8080808080808080u) != 0;
}
[[nodiscard]] inline bool has_high_bits(std::uint32_t word) noexcept { return (word & 0x80808080u) != 0; }
/// sizeof(Word) <= size <= 2 * sizeof(Word). `word`: what the bytes are XORed with, and written back where
/// Byte is not const; 0 where it is.
template <class Word, class Byte>
[[nodiscard]] inline bool clear_ascii_two(Byte* at, std::size_t size, std::uint32_t word) noexcept {
    const std::size_t last = size - sizeof(Word);
    const auto head = static_cast<Word>(load_word<Word>(at) ^ spread<Word>(word));
    const auto tail = static_cast<Word>(load_word<Word>(at + last) ^ spread<Word>(advance(word, last)));
    if (has_high_bits(head) || has_high_bits(tail)) return false;
    if constexpr (!std::is_const_v<Byte>) {
        store_word(at, head);
        store_word(at + last, tail);
    }
    return true;
}

/// The same for 16 <= size <= 32, as four words.
template <class Byte>
[[nodiscard]] inline bool clear_ascii_four(Byte* at, std::size_t size, std::uint32_t word) noexcept {
    Byte* const last = at + (size - 16);
    const auto pattern = spread<std::uint64_t>(word);
    const auto turned = spread<std::uint64_t>(advance(word, size));
    const std::uint64_t a = load_word<std::uint64_t>(at) ^ pattern;
    const std::uint64_t b = load_word<std::uint64_t>(at + 8) ^ pattern;
    const std::uint64_t c = load_word<std::uint64_t>(last) ^ turned;
    const std::uint64_t d = load_word<std::uint64_t>(last + 8) ^ turned;
    if (has_high_bits(a | b | c | d)) return false;
    if constexpr (!std::is_const_v<Byte>) {
        store_word(at, a);
        store_word(at + 8, b);
        store_word(last, c);
        store_word(last + 8, d);
    }
    return true;
}

/// Whether at most utf8_short_size bytes, XORed with `word` in memory order, are all ASCII. If so, and where
/// Byte is not const, they are unmasked in place; otherwise they stay as they are.
template <class Byte>
[[nodiscard]] inline bool clear_ascii_short(Byte* at, std::size_t size, std::uint32_t word) noexcept {
    if (size > 16) return clear_ascii_four(at, size, word);
    if (size >= 8) return clear_ascii_two<std::uint64_t>(at, size, word);
    if (size >= 4) return clear_ascii_two<std::uint32_t>(at, size, word);
    std::byte clear[4]{};
    for (std::size_t i = 0; i < size; ++i) clear[i] = at[i];
    const std::uint32_t unmasked = load_word<std::uint32_t>(clear) ^ word;
    std::memcpy(clear, &unmasked, 4);
    std::byte all{};
    for (std::size_t i = 0; i < size; ++i) all |= clear[i];
    if ((all & std::byte{0x80}) != std::byte{}) return false;
    if constexpr (!std::is_const_v<Byte>) {
        for (std::size_t i = 0; i < size; ++i) at[i] = clear[i];
    }
    return true;
}

} // namespace wsolo::inline WSOLO_ABI::detail
