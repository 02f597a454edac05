// SPDX-License-Identifier: MIT
#pragma once
// The ChaCha20 block function (RFC 8439 §2.3), several blocks side by side, one to a vector lane.
//
// Laws of this file:
// - A pure function of key and counter, constant in time: no branch and no index depends on the key.
// - The nonce is zero: the caller uses each key for one run of counters only.
// - Every width writes the same bytes in the same order, so that a seed replays the same on every CPU.

#include "bytes.hpp"
#include "cpu.hpp"

#include <array>
#include <cstring>

namespace wsolo::inline WSOLO_ABI::detail {

/// A ChaCha20 key as its eight words.
using chacha20_key = std::array<std::uint32_t, 8>;

inline constexpr std::array<std::uint32_t, 4> chacha20_constants{0x61707865, 0x3320646e, 0x79622d32,
                                                                 0x6b206574};
inline constexpr std::size_t chacha20_block_size = 64;
/// Blocks are written four at a time, interleaved: word i of each of the four, then word i + 1 of each. For a
/// generator of keys any fixed order will do, and a transposition would cost a fifth of the time.
inline constexpr std::size_t chacha20_group = 4;

#if defined(__GNUC__) && (!defined(__i386__) || defined(__SSE2__)) // else a vector can't be passed on
using chacha20_lanes4 = std::uint32_t __attribute__((vector_size(16)));
#else
/// Four words that behave like a vector, where the compiler has none.
struct chacha20_lanes4 {
    std::uint32_t word[4];

    friend chacha20_lanes4 operator+(chacha20_lanes4 left, const chacha20_lanes4& right) noexcept {
        for (int i = 0; i < 4; ++i) left.word[i] += right.word[i];
        return left;
    }
    friend chacha20_lanes4 operator^(chacha20_lanes4 left, const chacha20_lanes4& right) noexcept {
        for (int i = 0; i < 4; ++i) left.word[i] ^= right.word[i];
        return left;
    }
    friend chacha20_lanes4 operator|(chacha20_lanes4 left, const chacha20_lanes4& right) noexcept {
        for (int i = 0; i < 4; ++i) left.word[i] |= right.word[i];
        return left;
    }
    friend chacha20_lanes4 operator<<(chacha20_lanes4 left, int by) noexcept {
        for (int i = 0; i < 4; ++i) left.word[i] <<= by;
        return left;
    }
    friend chacha20_lanes4 operator>>(chacha20_lanes4 left, int by) noexcept {
        for (int i = 0; i < 4; ++i) left.word[i] >>= by;
        return left;
    }
};
#endif

/// §2.1, on four blocks.
inline void chacha20_quarter4(chacha20_lanes4& a, chacha20_lanes4& b, chacha20_lanes4& c,
                              chacha20_lanes4& d) noexcept {
    a = a + b;
    d = d ^ a;
    d = d << 16 | d >> 16;
    c = c + d;
    b = b ^ c;
    b = b << 12 | b >> 20;
    a = a + b;
    d = d ^ a;
    d = d << 8 | d >> 24;
    c = c + d;
    b = b ^ c;
    b = b << 7 | b >> 25;
}

/// Writes the blocks `counter` to `counter + 3` to `to`, 256 bytes.
inline void chacha20_blocks4(const chacha20_key& key, std::uint32_t counter, std::byte* to) noexcept {
    const auto all = [](std::uint32_t word) { return chacha20_lanes4{word, word, word, word}; };
    std::array<chacha20_lanes4, 16> input{};
    for (std::size_t i = 0; i < 4; ++i) input[i] = all(chacha20_constants[i]);
    for (std::size_t i = 0; i < 8; ++i) input[4 + i] = all(key[i]);
    input[12] = all(counter) + chacha20_lanes4{0, 1, 2, 3};

    std::array<chacha20_lanes4, 16> x = input;
    for (int round = 0; round < 10; ++round) {
        chacha20_quarter4(x[0], x[4], x[8], x[12]);
        chacha20_quarter4(x[1], x[5], x[9], x[13]);
        chacha20_quarter4(x[2], x[6], x[10], x[14]);
        chacha20_quarter4(x[3], x[7], x[11], x[15]);
        chacha20_quarter4(x[0], x[5], x[10], x[15]);
        chacha20_quarter4(x[1], x[6], x[11], x[12]);
        chacha20_quarter4(x[2], x[7], x[8], x[13]);
        chacha20_quarter4(x[3], x[4], x[9], x[14]);
    }
    for (std::size_t i = 0; i < 16; ++i) {
        const chacha20_lanes4 words = x[i] + input[i];
        std::memcpy(to + i * sizeof words, &words, sizeof words);
    }
}

#if WSOLO_X86_KERNELS
using chacha20_lanes8 = std::uint32_t __attribute__((vector_size(32)));

/// §2.1, on eight blocks. Not a template over the width: GCC splits vectors before it inlines, so the wide
/// operations must be written where AVX2 is on.
__attribute__((target("avx2"), always_inline)) inline void
chacha20_quarter8(chacha20_lanes8& a, chacha20_lanes8& b, chacha20_lanes8& c, chacha20_lanes8& d) noexcept {
    a = a + b;
    d = d ^ a;
    d = d << 16 | d >> 16;
    c = c + d;
    b = b ^ c;
    b = b << 12 | b >> 20;
    a = a + b;
    d = d ^ a;
    d = d << 8 | d >> 24;
    c = c + d;
    b = b ^ c;
    b = b << 7 | b >> 25;
}

/// The same bytes as two calls of chacha20_blocks4: blocks `counter` to `counter + 7`, 512 bytes.
__attribute__((target("avx2"))) inline void chacha20_blocks8(const chacha20_key& key, std::uint32_t counter,
                                                             std::byte* to) noexcept {
    std::array<chacha20_lanes8, 16> input{};
    for (std::size_t i = 0; i < 4; ++i) input[i] += chacha20_constants[i];
    for (std::size_t i = 0; i < 8; ++i) input[4 + i] += key[i];
    input[12] = chacha20_lanes8{0, 1, 2, 3, 4, 5, 6, 7} + counter;

    std::array<chacha20_lanes8, 16> x = input;
    for (int round = 0; round < 10; ++round) {
        chacha20_quarter8(x[0], x[4], x[8], x[12]);
        chacha20_quarter8(x[1], x[5], x[9], x[13]);
        chacha20_quarter8(x[2], x[6], x[10], x[14]);
        chacha20_quarter8(x[3], x[7], x[11], x[15]);
        chacha20_quarter8(x[0], x[5], x[10], x[15]);
        chacha20_quarter8(x[1], x[6], x[11], x[12]);
        chacha20_quarter8(x[2], x[7], x[8], x[13]);
        chacha20_quarter8(x[3], x[4], x[9], x[14]);
    }
    for (std::size_t i = 0; i < 16; ++i) {
        const chacha20_lanes8 words = x[i] + input[i];
        const auto* halves = reinterpret_cast<const std::byte*>(&words);
        std::memcpy(to + i * 16, halves, 16);
        std::memcpy(to + chacha20_group * chacha20_block_size + i * 16, halves + 16, 16);
    }
}
#endif

/// chacha20_run by `unit`, which this processor must have.
inline void chacha20_run_by([[maybe_unused]] vector_unit unit, const chacha20_key& key, std::uint32_t count,
                            std::byte* to) noexcept {
#if WSOLO_X86_KERNELS
    if (unit >= vector_unit::avx2) { // a third copy for AVX-512 was not worth its lines: keys are drawn ahead

        for (std::uint32_t i = 0; i < count; i += 8) chacha20_blocks8(key, i, to + i * chacha20_block_size);
        return;
    }
#endif
    for (std::uint32_t i = 0; i < count; i += 4) chacha20_blocks4(key, i, to + i * chacha20_block_size);
}

/// Writes the blocks 0 to `count - 1`; count is a multiple of 8.
inline void chacha20_run(const chacha20_key& key, std::uint32_t count, std::byte* to) noexcept {
    chacha20_run_by(usable_vector_unit(), key, count, to);
}

} // namespace wsolo::inline WSOLO_ABI::detail
