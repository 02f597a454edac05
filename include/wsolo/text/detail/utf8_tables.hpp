// SPDX-License-Identifier: MIT
#pragma once
// The tables of the vectorized validator: John Keiser, Daniel Lemire, "Validating UTF-8 In Less Than One
// Instruction Per Byte" (2021).
//
// The idea: whatever is wrong with a text shows in two neighbouring bytes, and nearly always in three of
// their four nibbles. Each way of being wrong is a bit; each table maps one nibble to the ways that it leaves
// possible; a bit left in all three is a fault. One bit, `two_continuations`, is a fault only where no lead
// byte two or three places back asks for it, so the caller XORs it with exactly that.

#include <array>
#include <cstdint>

#include "../../core/config.hpp"

namespace wsolo::inline WSOLO_ABI::detail {

using utf8_table = std::array<std::uint8_t, 16>;

/// One way of being wrong: a first byte and a second byte, each from a range.
struct utf8_fault {
    std::uint8_t bit;
    std::uint8_t first_low;
    std::uint8_t first_high;
    std::uint8_t second_low;
    std::uint8_t second_high;
};

inline constexpr std::uint8_t two_continuations = 0x80;

/// The last two rows share a bit: their union is still a product of nibble sets.
inline constexpr utf8_fault utf8_faults[] = {
    {0x01, 0x00, 0x7F, 0x80, 0xBF}, // a continuation that nothing asked for
    {0x02, 0xC0, 0xFF, 0x00, 0x7F}, // a lead, then no continuation
    {0x02, 0xC0, 0xFF, 0xC0, 0xFF},
    {0x04, 0xC0, 0xC1, 0x80, 0xBF}, // overlong, two bytes
    {0x08, 0xE0, 0xE0, 0x80, 0x9F}, // overlong, three bytes
    {0x10, 0xED, 0xED, 0xA0, 0xBF}, // a surrogate
    {0x20, 0xF4, 0xFF, 0x90, 0xBF}, // beyond U+10FFFF
    {two_continuations, 0x80, 0xBF, 0x80, 0xBF},
    {0x40, 0xF0, 0xF0, 0x80, 0x8F}, // overlong, four bytes
    {0x40, 0xF5, 0xFF, 0x80, 0x8F}, // beyond U+10FFFF, whatever follows
};

/// For each nibble the faults that a byte with that nibble may take part in. `first` picks the byte of the
/// pair, `shift` its nibble (4: high, 0: low).
consteval utf8_table utf8_table_of(bool first, unsigned shift) {
    utf8_table table{};
    for (const utf8_fault& fault : utf8_faults) {
        const unsigned low = first ? fault.first_low : fault.second_low;
        const unsigned high = first ? fault.first_high : fault.second_high;
        for (unsigned byte = low; byte <= high; ++byte) table[byte >> shift & 0xFu] |= fault.bit;
    }
    return table;
}

inline constexpr utf8_table utf8_first_high = utf8_table_of(true, 4);
inline constexpr utf8_table utf8_first_low = utf8_table_of(true, 0);
inline constexpr utf8_table utf8_second_high = utf8_table_of(false, 4);

/// Subtracted with saturation, these leave the top bit set in three-byte leads and above (four-byte leads).
inline constexpr std::uint8_t utf8_third_excess = 0xE0 - 0x80;
inline constexpr std::uint8_t utf8_fourth_excess = 0xF0 - 0x80;

} // namespace wsolo::inline WSOLO_ABI::detail
