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

inline constexpr std::uint8_t two_continuations = 0x80;

// The ways of being wrong, by bit: a first byte and a second byte. Written out, for to compute them costs each source that
// includes this 5 ms; the tests compare every pair of bytes.
//   0x01  00..7F 80..BF  a continuation that nothing asked for
//   0x02  C0..FF 00..7F  a lead, then no continuation; and C0..FF C0..FF
//   0x04  C0..C1 80..BF  overlong, two bytes
//   0x08  E0     80..9F  overlong, three bytes
//   0x10  ED     A0..BF  a surrogate
//   0x20  F4..FF 90..BF  beyond U+10FFFF
//   0x40  F0     80..8F  overlong, four bytes; and F5..FF 80..8F, beyond U+10FFFF (their union is a product of nibble sets)
//   0x80  80..BF 80..BF  two_continuations

/// For each nibble the faults that a byte with that nibble may take part in: the first byte's two nibbles, and the second
/// byte's high one.
inline constexpr utf8_table utf8_first_high{0x01, 0x01, 0x01, 0x01, 0x01, 0x01, 0x01, 0x01,
                                            0x80, 0x80, 0x80, 0x80, 0x06, 0x02, 0x1A, 0x62};
inline constexpr utf8_table utf8_first_low{0xCF, 0x87, 0x83, 0x83, 0xA3, 0xE3, 0xE3, 0xE3,
                                           0xE3, 0xE3, 0xE3, 0xE3, 0xE3, 0xF3, 0xE3, 0xE3};
inline constexpr utf8_table utf8_second_high{0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02,
                                             0xCD, 0xAD, 0xB5, 0xB5, 0x02, 0x02, 0x02, 0x02};

/// Subtracted with saturation, these leave the top bit set in three-byte leads and above (four-byte leads).
inline constexpr std::uint8_t utf8_third_excess = 0xE0 - 0x80;
inline constexpr std::uint8_t utf8_fourth_excess = 0xF0 - 0x80;

} // namespace wsolo::inline WSOLO_ABI::detail
