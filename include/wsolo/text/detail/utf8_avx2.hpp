// SPDX-License-Identifier: MIT
#pragma once
// Whole-text UTF-8 validation 32 bytes at a time (AVX2). See utf8_tables.hpp for the idea, utf8_blocks.hpp
// for the contract that the widths share.

#include "../../core/cpu.hpp"
#include "utf8_tables.hpp"
#include "utf8_vector16.hpp"

#if WSOLO_X86_KERNELS

#include <cstddef>
#include <type_traits>

#define WSOLO_AVX2 __attribute__((target("avx2"), always_inline)) inline

namespace wsolo::inline WSOLO_ABI::detail {

class utf8_avx2 {
public:
    /// See utf8_blocks.hpp.
    template <class Byte>
    __attribute__((target("avx2"))) static bool run(Byte* at, std::size_t size, std::uint32_t key) noexcept {
        if (size < 64) return utf8_vector16::run(at, size, key);
        utf8_avx2 state;
        const vec keys = reinterpret_cast<vec>(words{} + key);
        // The last bytes are judged once more as the end of the text's last two or three vectors, all read
        // before anything is written.
        const std::size_t rest = size % 64;
        Byte* const last = at + (size - 32);
        const vec turned = rotated(keys, rest);
        const vec high = load(last) ^ turned;
        const vec low = load(last - 32) ^ turned;
        const vec before = rest > 32 ? load(last - 64) ^ turned : vec{};
        Byte* const end = at + (size - rest);
        for (; at != end; at += 64) state.take(at, keys);
        if (rest > 0) {
            if constexpr (!std::is_const_v<Byte>) {
                store(last - 32, low);
                store(last, high);
            }
            // They overlap the vector before them, so without a high bit no code point was left open there.
            if (has_high_bit(low | high)) {
                state.last_ = before;
                if (rest > 32) state.check(low);
                state.last_ = low;
                state.check(high);
            }
        }
        return !state.failed();
    }

private:
    using vec = std::uint8_t __attribute__((vector_size(32)));
    using chars = char __attribute__((vector_size(32)));
    using quads = long long __attribute__((vector_size(32)));
    using words = std::uint32_t __attribute__((vector_size(32)));

    [[nodiscard]] WSOLO_AVX2 bool failed() const noexcept {
        return has_high_bit(reinterpret_cast<vec>(faults_ != vec{}));
    }

    /// The keys as they meet a vector that begins `count` bytes after a multiple of four.
    [[nodiscard]] WSOLO_AVX2 static vec rotated(vec keys, std::size_t count) noexcept {
        const auto bits = static_cast<std::uint32_t>(count % 4 * 8);
        const words whole = reinterpret_cast<words>(keys);
        return bits == 0 ? keys : reinterpret_cast<vec>(whole >> bits | whole << (32 - bits));
    }

    /// Judges 64 bytes, unmasking them in place unless they are const.
    template <class Byte>
    WSOLO_AVX2 void take(Byte* at, vec keys) noexcept {
        vec low = load(at);
        vec high = load(at + 32);
        if constexpr (!std::is_const_v<Byte>) {
            low ^= keys;
            high ^= keys;
            store(at, low);
            store(at + 32, high);
        }
        const bool ascii = !has_high_bit(low | high);
        if (ascii && last_was_ascii_) return;
        check(low);
        check(high);
        last_was_ascii_ = ascii;
    }

    /// Judges the pairs whose second byte lies in `input`.
    WSOLO_AVX2 void check(vec input) noexcept {
        // The last 16 bytes of the previous vector, then the first 16 of this one.
        const quads behind =
            __builtin_ia32_permti256(reinterpret_cast<quads>(last_), reinterpret_cast<quads>(input), 0x21);
        const vec first = shifted<1>(input, behind);
        const vec third = subtract_saturated(shifted<2>(input, behind), utf8_third_excess);
        const vec fourth = subtract_saturated(shifted<3>(input, behind), utf8_fourth_excess);
        const vec faults = lookup(utf8_first_high, first >> 4) & lookup(utf8_first_low, first & 0x0F) &
                           lookup(utf8_second_high, input >> 4);
        faults_ |= faults ^ ((third | fourth) & two_continuations);
        last_ = input;
    }

    /// The table's entry for each byte below 16.
    [[nodiscard]] WSOLO_AVX2 static vec lookup(const utf8_table& table, vec nibbles) noexcept {
        using half = long long __attribute__((vector_size(16)));
        half one;
        __builtin_memcpy(&one, table.data(), 16);
        const quads two{one[0], one[1], one[0], one[1]};
        return reinterpret_cast<vec>(
            __builtin_ia32_pshufb256(reinterpret_cast<chars>(two), reinterpret_cast<chars>(nibbles)));
    }

    /// `input` moved up by Count bytes, filled from the end of the vector before it.
    template <int Count>
    [[nodiscard]] WSOLO_AVX2 static vec shifted(vec input, quads behind) noexcept {
#if defined(__clang__)
        return reinterpret_cast<vec>(__builtin_ia32_palignr256(reinterpret_cast<chars>(input),
                                                               reinterpret_cast<chars>(behind), 16 - Count));
#else
        return reinterpret_cast<vec>(
            __builtin_ia32_palignr256(reinterpret_cast<quads>(input), behind, (16 - Count) * 8));
#endif
    }

    [[nodiscard]] WSOLO_AVX2 static vec subtract_saturated(vec from, std::uint8_t amount) noexcept {
        const vec amounts = vec{} + amount;
#if defined(__clang__)
        return (from > amounts ? from : amounts) - amounts; // one instruction there
#else
        return reinterpret_cast<vec>(
            __builtin_ia32_psubusb256(reinterpret_cast<chars>(from), reinterpret_cast<chars>(amounts)));
#endif
    }

    [[nodiscard]] WSOLO_AVX2 static bool has_high_bit(vec bytes) noexcept {
        return __builtin_ia32_pmovmskb256(reinterpret_cast<chars>(bytes)) != 0;
    }

    [[nodiscard]] WSOLO_AVX2 static vec load(const std::byte* from) noexcept {
        vec bytes;
        __builtin_memcpy(&bytes, from, 32);
        return bytes;
    }

    WSOLO_AVX2 static void store(std::byte* to, vec bytes) noexcept { __builtin_memcpy(to, &bytes, 32); }

    vec faults_{};
    vec last_{};
    bool last_was_ascii_ = true;
};

} // namespace wsolo::inline WSOLO_ABI::detail

#undef WSOLO_AVX2
#endif
