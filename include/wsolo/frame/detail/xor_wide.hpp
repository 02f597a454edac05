// SPDX-License-Identifier: MIT
#pragma once
// XOR with a repeated 32-bit word, 32 or 64 bytes at a time, for sizes where that pays; and the choice
// between the widths.
//
// Laws of this file:
// - A build that was told AVX2 or AVX-512 uses just that, with no test at run time. A generic x86-64 build
//   asks the CPU, and only for sizes where the answer pays for the question.
// - The compiler's vector types inside functions with a target attribute: no <immintrin.h>, which costs a
//   third of a second to include.
// - Stores are aligned by an unaligned first chunk; the last chunks are unaligned too. What overlaps is read
//   before it is written.

#include "../../core/cpu.hpp"
#include "../../core/detail/xor_narrow.hpp"

namespace wsolo::inline WSOLO_ABI::detail {

#if WSOLO_X86_KERNELS

using chunk32 = std::uint64_t __attribute__((vector_size(32)));
using chunk64 = std::uint64_t __attribute__((vector_size(64)));

/// 128 <= size.
__attribute__((target("avx2"), noinline)) inline void
xor_avx2(std::byte* to, const std::byte* from, std::size_t size, std::uint32_t word) noexcept {
    std::size_t at = 32 - (reinterpret_cast<std::uintptr_t>(to) & 31);
    const std::size_t last = size - 128;
    const chunk32 first = chunk32{} | spread<std::uint64_t>(word);
    const chunk32 pattern = chunk32{} | spread<std::uint64_t>(advance(word, at));
    const chunk32 turned = chunk32{} | spread<std::uint64_t>(advance(word, last));
    chunk32 head, a, b, c, d, tail0, tail1, tail2, tail3;
    std::memcpy(&head, from, 32);
    std::memcpy(&tail0, from + last, 32);
    std::memcpy(&tail1, from + last + 32, 32);
    std::memcpy(&tail2, from + last + 64, 32);
    std::memcpy(&tail3, from + last + 96, 32);
    for (; at < last; at += 128) {
        std::memcpy(&a, from + at, 32);
        std::memcpy(&b, from + at + 32, 32);
        std::memcpy(&c, from + at + 64, 32);
        std::memcpy(&d, from + at + 96, 32);
        a ^= pattern;
        b ^= pattern;
        c ^= pattern;
        d ^= pattern;
        std::memcpy(to + at, &a, 32);
        std::memcpy(to + at + 32, &b, 32);
        std::memcpy(to + at + 64, &c, 32);
        std::memcpy(to + at + 96, &d, 32);
    }
    head ^= first;
    tail0 ^= turned;
    tail1 ^= turned;
    tail2 ^= turned;
    tail3 ^= turned;
    std::memcpy(to, &head, 32);
    std::memcpy(to + last, &tail0, 32);
    std::memcpy(to + last + 32, &tail1, 32);
    std::memcpy(to + last + 64, &tail2, 32);
    std::memcpy(to + last + 96, &tail3, 32);
}

/// 128 <= size.
__attribute__((target("avx512f"), noinline)) inline void
xor_avx512(std::byte* to, const std::byte* from, std::size_t size, std::uint32_t word) noexcept {
    std::size_t at = 64 - (reinterpret_cast<std::uintptr_t>(to) & 63);
    const std::size_t last = size - 128;
    const chunk64 first = chunk64{} | spread<std::uint64_t>(word);
    const chunk64 pattern = chunk64{} | spread<std::uint64_t>(advance(word, at));
    const chunk64 turned = chunk64{} | spread<std::uint64_t>(advance(word, last));
    chunk64 head, a, b, tail0, tail1;
    std::memcpy(&head, from, 64);
    std::memcpy(&tail0, from + last, 64);
    std::memcpy(&tail1, from + last + 64, 64);
    for (; at < last; at += 128) {
        std::memcpy(&a, from + at, 64);
        std::memcpy(&b, from + at + 64, 64);
        a ^= pattern;
        b ^= pattern;
        std::memcpy(to + at, &a, 64);
        std::memcpy(to + at + 64, &b, 64);
    }
    head ^= first;
    tail0 ^= turned;
    tail1 ^= turned;
    std::memcpy(to, &head, 64);
    std::memcpy(to + last, &tail0, 64);
    std::memcpy(to + last + 64, &tail1, 64);
}

/// The size from which wider vectors are the faster ones, the cost of choosing them included.
inline constexpr std::size_t wide_from = 256;

/// wide_from <= size, by the widest means that `unit` has.
inline void xor_long_by(vector_unit unit, std::byte* to, const std::byte* from, std::size_t size,
                        std::uint32_t word) noexcept {
    if (unit >= vector_unit::avx512) return xor_avx512(to, from, size, word);
    if (unit >= vector_unit::avx2) return xor_avx2(to, from, size, word);
    xor_from_32(to, from, size, word);
}

#endif

/// 32 <= size, by the widest means that pays.
[[gnu::noinline]] inline void xor_long(std::byte* to, const std::byte* from, std::size_t size,
                                       std::uint32_t word) noexcept {
#if WSOLO_X86_KERNELS
    if (size >= wide_from) return xor_long_by(usable_vector_unit(), to, from, size, word);
#endif
    xor_from_32(to, from, size, word);
}

/// Any size: short ones inline, with no test of the CPU.
inline void xor_bytes(std::byte* to, const std::byte* from, std::size_t size, std::uint32_t word) noexcept {
    if (size <= 32) return xor_upto_32(to, from, size, word);
    xor_long(to, from, size, word);
}

} // namespace wsolo::inline WSOLO_ABI::detail
