#pragma once
// The ChaCha20 block function (RFC 8439 §2.3), several blocks at once where the compiler has vectors.
//
// Laws of this file:
// - A pure function of key and counter, constant in time: no branch and no index depends on the key.
// - The nonce is zero: whoever calls uses each key for one run of counters only.

#include "bytes.hpp"

#include <array>
#include <cstring>

namespace wsolo::inline WSOLO_ABI::detail {

/// A ChaCha20 key as its eight little-endian words.
using chacha20_key = std::array<std::uint32_t, 8>;

#if defined(__GNUC__)
using chacha20_lanes = std::uint32_t __attribute__((vector_size(16)));
#else
using chacha20_lanes = std::uint32_t;
#endif
/// The blocks that one call computes side by side, one to a lane.
inline constexpr std::size_t chacha20_width = sizeof(chacha20_lanes) / sizeof(std::uint32_t);
inline constexpr std::size_t chacha20_block_size = 64;

template <int By>
chacha20_lanes chacha20_rotate(chacha20_lanes value) noexcept {
    return value << By | value >> (32 - By);
}

inline void chacha20_quarter(chacha20_lanes& a, chacha20_lanes& b, chacha20_lanes& c,
                             chacha20_lanes& d) noexcept {
    a += b;
    d = chacha20_rotate<16>(d ^ a);
    c += d;
    b = chacha20_rotate<12>(b ^ c);
    a += b;
    d = chacha20_rotate<8>(d ^ a);
    c += d;
    b = chacha20_rotate<7>(b ^ c);
}

/// Writes the blocks `counter` to `counter + chacha20_width - 1` to `to`, interleaved: word i of every block,
/// then word i + 1 of every block. To a generator the order is all one, and a transposition would cost a
/// fifth. `counter + chacha20_width` does not exceed 2^32.
inline void chacha20_blocks(const chacha20_key& key, std::uint32_t counter, std::byte* to) noexcept {
    std::array<chacha20_lanes, 16> input{};
    constexpr std::array<std::uint32_t, 4> constants{0x61707865, 0x3320646e, 0x79622d32, 0x6b206574};
    for (std::size_t i = 0; i < 4; ++i) input[i] += constants[i];
    for (std::size_t i = 0; i < 8; ++i) input[4 + i] += key[i];
    std::array<std::uint32_t, chacha20_width> counters;
    for (std::size_t i = 0; i < chacha20_width; ++i) counters[i] = counter + static_cast<std::uint32_t>(i);
    std::memcpy(&input[12], counters.data(), sizeof input[12]);

    std::array<chacha20_lanes, 16> x = input;
    for (int round = 0; round < 10; ++round) {
        chacha20_quarter(x[0], x[4], x[8], x[12]);
        chacha20_quarter(x[1], x[5], x[9], x[13]);
        chacha20_quarter(x[2], x[6], x[10], x[14]);
        chacha20_quarter(x[3], x[7], x[11], x[15]);
        chacha20_quarter(x[0], x[5], x[10], x[15]);
        chacha20_quarter(x[1], x[6], x[11], x[12]);
        chacha20_quarter(x[2], x[7], x[8], x[13]);
        chacha20_quarter(x[3], x[4], x[9], x[14]);
    }
    for (std::size_t i = 0; i < 16; ++i) {
        const chacha20_lanes words = x[i] + input[i];
        std::memcpy(to + i * sizeof words, &words, sizeof words);
    }
}

} // namespace wsolo::inline WSOLO_ABI::detail
