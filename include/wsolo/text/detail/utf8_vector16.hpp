#pragma once
// Whole-text UTF-8 validation 16 bytes at a time: SSSE3, and NEON on 64-bit ARM. See utf8_tables.hpp for the
// idea, utf8_blocks.hpp for the contract that the widths share.

#include "../../core/cpu.hpp"
#include "utf8_plain.hpp"
#include "utf8_tables.hpp"

#if defined(__aarch64__) && defined(__ARM_NEON) && !defined(__AARCH64EB__)
#include <arm_neon.h>
#define WSOLO_UTF8_NEON 1
#define WSOLO_VECTOR16_TARGET
#else
#define WSOLO_UTF8_NEON 0
#define WSOLO_VECTOR16_TARGET __attribute__((target("ssse3")))
#endif

#if WSOLO_X86_KERNELS || WSOLO_UTF8_NEON

#include <cstddef>
#include <type_traits>

#define WSOLO_VECTOR16 WSOLO_VECTOR16_TARGET __attribute__((always_inline)) inline

namespace wsolo::inline WSOLO_ABI::detail {

class utf8_vector16 {
public:
    /// See utf8_blocks.hpp.
    template <class Byte>
    WSOLO_VECTOR16_TARGET static bool run(Byte* at, std::size_t size, std::uint32_t key) noexcept {
        if (size < 19 && size != 16) return utf8_plain::run(at, size, key);
        utf8_vector16 state;
        const vec keys = reinterpret_cast<vec>(words{} + key);
        // The last 16 bytes are judged once more, beside those one, two and three places before them. All are
        // read before anything is written.
        Byte* const last = at + (size - 16);
        vec ending[4]{};
        for (std::size_t back = 0; back < 4 && size % 16 != 0; ++back) {
            ending[back] = load(last - back) ^ rotated(keys, size - back);
        }
        for (; size >= 64; at += 64, size -= 64) state.template take<4>(at, keys);
        for (; size >= 16; at += 16, size -= 16) state.template take<1>(at, keys);
        if (size > 0) {
            if constexpr (!std::is_const_v<Byte>) store(last, ending[0]);
            state.check(ending[0], ending[1], ending[2], ending[3]);
        }
        return !has_high_bit(reinterpret_cast<vec>(state.faults_ != vec{}));
    }

private:
    using vec = std::uint8_t __attribute__((vector_size(16)));
    using words = std::uint32_t __attribute__((vector_size(16)));

    /// Judges Count vectors, unmasking them in place unless they are const.
    template <std::size_t Count, class Byte>
    WSOLO_VECTOR16 void take(Byte* at, vec keys) noexcept {
        vec input[Count]; // registers
        vec all{};
        for (std::size_t i = 0; i < Count; ++i) {
            input[i] = load(at + 16 * i);
            if constexpr (!std::is_const_v<Byte>) {
                input[i] ^= keys;
                store(at + 16 * i, input[i]);
            }
            all |= input[i];
        }
        const bool ascii = !has_high_bit(all);
        if (ascii && last_was_ascii_) return;
        for (std::size_t i = 0; i < Count; ++i) {
            check(input[i], shifted<1>(input[i], last_), shifted<2>(input[i], last_),
                  shifted<3>(input[i], last_));
            last_ = input[i];
        }
        last_was_ascii_ = ascii;
    }

    /// Judges the pairs whose second byte lies in `input`; the others hold the bytes one to three places
    /// before.
    WSOLO_VECTOR16 void check(vec input, vec first, vec second, vec third) noexcept {
        const vec excess =
            subtract_saturated(second, utf8_third_excess) | subtract_saturated(third, utf8_fourth_excess);
        const vec faults = lookup(utf8_first_high, first >> 4) & lookup(utf8_first_low, first & 0x0F) &
                           lookup(utf8_second_high, input >> 4);
        faults_ |= faults ^ (excess & two_continuations);
    }

    /// The keys as they meet a vector that begins `count` bytes after a multiple of four.
    [[nodiscard]] WSOLO_VECTOR16 static vec rotated(vec keys, std::size_t count) noexcept {
        const auto bits = static_cast<std::uint32_t>(count % 4 * 8);
        const words whole = reinterpret_cast<words>(keys);
        return bits == 0 ? keys : reinterpret_cast<vec>(whole >> bits | whole << (32 - bits));
    }

    [[nodiscard]] WSOLO_VECTOR16 static vec load(const std::byte* from) noexcept {
        vec bytes;
        __builtin_memcpy(&bytes, from, 16);
        return bytes;
    }

    WSOLO_VECTOR16 static void store(std::byte* to, vec bytes) noexcept { __builtin_memcpy(to, &bytes, 16); }

#if WSOLO_UTF8_NEON
    /// The table's entry for each byte below 16.
    [[nodiscard]] WSOLO_VECTOR16 static vec lookup(const utf8_table& table, vec nibbles) noexcept {
        return reinterpret_cast<vec>(
            vqtbl1q_u8(vld1q_u8(table.data()), reinterpret_cast<uint8x16_t>(nibbles)));
    }

    /// `input` moved up by Count bytes, filled from the end of the vector before it.
    template <int Count>
    [[nodiscard]] WSOLO_VECTOR16 static vec shifted(vec input, vec last) noexcept {
        return reinterpret_cast<vec>(
            vextq_u8(reinterpret_cast<uint8x16_t>(last), reinterpret_cast<uint8x16_t>(input), 16 - Count));
    }

    [[nodiscard]] WSOLO_VECTOR16 static vec subtract_saturated(vec from, std::uint8_t amount) noexcept {
        return reinterpret_cast<vec>(vqsubq_u8(reinterpret_cast<uint8x16_t>(from), vdupq_n_u8(amount)));
    }

    [[nodiscard]] WSOLO_VECTOR16 static bool has_high_bit(vec bytes) noexcept {
        return vmaxvq_u8(reinterpret_cast<uint8x16_t>(bytes)) >= 0x80;
    }
#else
    using chars = char __attribute__((vector_size(16)));
    using quads = long long __attribute__((vector_size(16)));

    [[nodiscard]] WSOLO_VECTOR16 static vec lookup(const utf8_table& table, vec nibbles) noexcept {
        chars entries;
        __builtin_memcpy(&entries, table.data(), 16);
        return reinterpret_cast<vec>(__builtin_ia32_pshufb128(entries, reinterpret_cast<chars>(nibbles)));
    }

    template <int Count>
    [[nodiscard]] WSOLO_VECTOR16 static vec shifted(vec input, vec last) noexcept {
#if defined(__clang__)
        return reinterpret_cast<vec>(__builtin_ia32_palignr128(reinterpret_cast<chars>(input),
                                                               reinterpret_cast<chars>(last), 16 - Count));
#else
        return reinterpret_cast<vec>(__builtin_ia32_palignr128(
            reinterpret_cast<quads>(input), reinterpret_cast<quads>(last), (16 - Count) * 8));
#endif
    }

    [[nodiscard]] WSOLO_VECTOR16 static vec subtract_saturated(vec from, std::uint8_t amount) noexcept {
        const vec amounts = vec{} + amount;
        return (from > amounts ? from : amounts) - amounts;
    }

    [[nodiscard]] WSOLO_VECTOR16 static bool has_high_bit(vec bytes) noexcept {
        return __builtin_ia32_pmovmskb128(reinterpret_cast<chars>(bytes)) != 0;
    }
#endif

    vec faults_{};
    vec last_{};
    bool last_was_ascii_ = true;
};

} // namespace wsolo::inline WSOLO_ABI::detail

#undef WSOLO_VECTOR16
#endif
#undef WSOLO_VECTOR16_TARGET
