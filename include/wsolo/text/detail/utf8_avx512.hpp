// SPDX-License-Identifier: MIT
#pragma once
// Whole-text UTF-8 validation 64 bytes at a time (AVX-512BW). See utf8_tables.hpp for the idea,
// utf8_blocks.hpp for the contract that the three widths share.

#include "../../core/cpu.hpp"
#include "../../core/detail/xor_narrow.hpp"
#include "utf8_tables.hpp"

#if WSOLO_X86_KERNELS

#include <cstddef>
#include <type_traits>

#define WSOLO_AVX512 __attribute__((target("avx512f,avx512bw,avx512vl"), always_inline)) inline

namespace wsolo::inline WSOLO_ABI::detail {

inline constexpr std::array<std::uint8_t, 64> utf8_lane_numbers = [] {
    std::array<std::uint8_t, 64> numbers{};
    for (std::size_t i = 0; i < 64; ++i) numbers[i] = static_cast<std::uint8_t>(i);
    return numbers;
}();

class utf8_avx512 {
public:
    /// See utf8_blocks.hpp.
    template <class Byte>
    __attribute__((target("avx512f,avx512bw,avx512vl"))) static bool run(Byte* at, std::size_t size,
                                                                         std::uint32_t key) noexcept {
        utf8_avx512 state;
        constexpr bool masked = !std::is_const_v<Byte>;
        const vec keys = reinterpret_cast<vec>(words{} + key);
        const std::size_t rest = size % 64;
        Byte* const end = at + (size - rest);
        // Masked stores are slow on some processors: the last bytes go out in whole words that overlap
        // others, all read before any is written.
        vec last{};
        if (masked && rest > 0 && size >= 64) last = load(end + rest - 64) ^ rotated(keys, rest);
        const vec remainder = load_some(end, (std::uint64_t{1} << rest) - 1);
        for (; at != end; at += 64) {
            vec input = load(at);
            if constexpr (masked) {
                input ^= keys;
                store(at, input);
            }
            state.take(input);
        }
        if (rest == 0) return !state.failed();
        if constexpr (masked) {
            if (size >= 64) {
                store(end + rest - 64, last);
            } else {
                xor_narrow(at, at, rest, key);
            }
            const vec clear = remainder ^ keys;
            state.take(clear & reinterpret_cast<vec>(lane_numbers() < static_cast<std::uint8_t>(rest)));
        } else {
            state.take(remainder);
        }
        return !state.failed();
    }

private:
    using vec = std::uint8_t __attribute__((vector_size(64)));
    using chars = char __attribute__((vector_size(64)));
    using quads = long long __attribute__((vector_size(64)));
    using words = std::uint32_t __attribute__((vector_size(64)));

    WSOLO_AVX512 void take(vec input) noexcept {
        const bool ascii = __builtin_ia32_cvtb2mask512(reinterpret_cast<chars>(input)) == 0;
        if (ascii && last_was_ascii_) return;
        check(input);
        last_was_ascii_ = ascii;
    }

    /// Judges the pairs whose second byte lies in `input`.
    WSOLO_AVX512 void check(vec input) noexcept {
        // The last 16 bytes of the previous vector, then the first 48 of this one.
#if defined(__clang__) || __GNUC__ >= 12
        const quads behind = __builtin_shufflevector(
            reinterpret_cast<quads>(last_), reinterpret_cast<quads>(input), 6, 7, 8, 9, 10, 11, 12, 13);
#else
        const quads behind = __builtin_shuffle(reinterpret_cast<quads>(last_), reinterpret_cast<quads>(input),
                                               quads{6, 7, 8, 9, 10, 11, 12, 13});
#endif
        const vec first = shifted<1>(input, behind);
        const vec third = subtract_saturated(shifted<2>(input, behind), utf8_third_excess);
        const vec fourth = subtract_saturated(shifted<3>(input, behind), utf8_fourth_excess);
        const vec faults = lookup(utf8_first_high, high_nibbles(first)) &
                           lookup(utf8_first_low, first & 0x0F) &
                           lookup(utf8_second_high, high_nibbles(input));
        faults_ |= faults ^ ((third | fourth) & two_continuations);
        last_ = input;
    }

    [[nodiscard]] WSOLO_AVX512 bool failed() const noexcept {
        return __builtin_ia32_cvtb2mask512(reinterpret_cast<chars>(faults_ != vec{})) != 0;
    }

    [[nodiscard]] WSOLO_AVX512 static vec lane_numbers() noexcept {
        vec numbers;
        __builtin_memcpy(&numbers, utf8_lane_numbers.data(), 64);
        return numbers;
    }

    [[nodiscard]] WSOLO_AVX512 static vec high_nibbles(vec bytes) noexcept { return bytes >> 4; }

    /// The table's entry for each byte below 16.
    [[nodiscard]] WSOLO_AVX512 static vec lookup(const utf8_table& table, vec nibbles) noexcept {
        using quarter = long long __attribute__((vector_size(16)));
        quarter one;
        __builtin_memcpy(&one, table.data(), 16);
        const quads four{one[0], one[1], one[0], one[1], one[0], one[1], one[0], one[1]};
#if defined(__clang__)
        return reinterpret_cast<vec>(
            __builtin_ia32_pshufb512(reinterpret_cast<chars>(four), reinterpret_cast<chars>(nibbles)));
#else
        return reinterpret_cast<vec>(__builtin_ia32_pshufb512_mask(
            reinterpret_cast<chars>(four), reinterpret_cast<chars>(nibbles), chars{}, ~0ULL));
#endif
    }

    /// `input` moved up by Count bytes, filled from the end of the vector before it.
    template <int Count>
    [[nodiscard]] WSOLO_AVX512 static vec shifted(vec input, quads behind) noexcept {
#if defined(__clang__)
        return reinterpret_cast<vec>(__builtin_ia32_palignr512(reinterpret_cast<chars>(input),
                                                               reinterpret_cast<chars>(behind), 16 - Count));
#else
        return reinterpret_cast<vec>(__builtin_ia32_palignr512_mask(reinterpret_cast<quads>(input), behind,
                                                                    (16 - Count) * 8, quads{}, ~0ULL));
#endif
    }

    [[nodiscard]] WSOLO_AVX512 static vec subtract_saturated(vec from, std::uint8_t amount) noexcept {
        const vec amounts = vec{} + amount;
#if defined(__clang__)
        return (from > amounts ? from : amounts) - amounts; // one instruction there
#else
        return reinterpret_cast<vec>(__builtin_ia32_psubusb512_mask(
            reinterpret_cast<chars>(from), reinterpret_cast<chars>(amounts), chars{}, ~0ULL));
#endif
    }

    /// The bytes whose lane bit is set, zero elsewhere; no other byte is read.
    [[nodiscard]] WSOLO_AVX512 static vec load_some(const std::byte* from, std::uint64_t lanes) noexcept {
        return reinterpret_cast<vec>(
            __builtin_ia32_loaddquqi512_mask(reinterpret_cast<const masked_source*>(from), chars{}, lanes));
    }

    [[nodiscard]] WSOLO_AVX512 static vec load(const std::byte* from) noexcept {
        vec bytes;
        __builtin_memcpy(&bytes, from, 64);
        return bytes;
    }

    WSOLO_AVX512 static void store(std::byte* to, vec bytes) noexcept { __builtin_memcpy(to, &bytes, 64); }

    /// The keys as they meet a vector that begins `count` bytes after a multiple of four.
    [[nodiscard]] WSOLO_AVX512 static vec rotated(vec keys, std::size_t count) noexcept {
        const auto bits = static_cast<std::uint32_t>(count % 4 * 8);
        const words whole = reinterpret_cast<words>(keys);
        return bits == 0 ? keys : reinterpret_cast<vec>(whole >> bits | whole << (32 - bits));
    }

#if defined(__clang__)
    using masked_source = chars;
#else
    using masked_source = char;
#endif

    vec faults_{};
    vec last_{};
    bool last_was_ascii_ = true;
};

} // namespace wsolo::inline WSOLO_ABI::detail

#undef WSOLO_AVX512
#endif
