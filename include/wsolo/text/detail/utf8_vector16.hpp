// SPDX-License-Identifier: MIT
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

/// The indices of a vector's bytes, then 16 indices that no vector has.
inline constexpr std::array<std::uint8_t, 32> utf8_places = [] {
    std::array<std::uint8_t, 32> places{};
    for (std::size_t i = 0; i < 32; ++i) places[i] = static_cast<std::uint8_t>(i < 16 ? i : 0x80);
    return places;
}();

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
        return !state.failed();
    }

    /// For 4 to 31 bytes: true when they are UTF-8 as they stand, with nothing left open, and then they are
    /// XORed with `key` as run() does it. False, also for other sizes, leaves them as they are.
    template <class Byte>
    WSOLO_VECTOR16_TARGET static bool take_short(Byte* at, std::size_t size, std::uint32_t key) noexcept {
        if (size < 4 || size > 31) return false;
        if (size < 8) return take_two<std::uint32_t>(at, size, key);
        if (size < 16) return take_two<std::uint64_t>(at, size, key);
        Byte* const last = at + (size - 16);
        const vec keys = reinterpret_cast<vec>(words{} + key);
        const vec head = load(at) ^ keys;
        const vec tail = load(last) ^ rotated(keys, size);
        utf8_vector16 state;
        state.follow(head);
        // Ends in a zero at least, which shows a code point that is left open.
        state.follow(without_front(tail, 32 - size));
        if (state.failed()) return false;
        if constexpr (!std::is_const_v<Byte>) {
            store(at, head);
            store(last, tail);
        }
        return true;
    }

private:
    using vec = std::uint8_t __attribute__((vector_size(16)));
    using words = std::uint32_t __attribute__((vector_size(16)));

    /// take_short for sizeof(Word) <= size < 2 * sizeof(Word), as one vector that ends in zeros.
    template <class Word, class Byte>
    WSOLO_VECTOR16 static bool take_two(Byte* at, std::size_t size, std::uint32_t key) noexcept {
        Byte* const last = at + (size - sizeof(Word));
        const auto head = static_cast<Word>(load_word<Word>(at) ^ spread<Word>(key));
        const auto tail = static_cast<Word>(load_word<Word>(last) ^ spread<Word>(advance(key, size)));
        // The bytes of the tail that the head does not have go after it: at most sizeof(Word) - 1.
        const auto behind = static_cast<Word>(tail >> 8 >> (8 * (2 * sizeof(Word) - 1 - size)));
        utf8_vector16 state;
        using pair = std::uint64_t __attribute__((vector_size(16)));
        if constexpr (sizeof(Word) == 8) {
            state.follow(reinterpret_cast<vec>(pair{head, behind}));
        } else {
            state.follow(reinterpret_cast<vec>(pair{head | static_cast<std::uint64_t>(behind) << 32, 0}));
        }
        if (state.failed()) return false;
        if constexpr (!std::is_const_v<Byte>) {
            store_word(at, head);
            store_word(last, tail);
        }
        return true;
    }

    [[nodiscard]] WSOLO_VECTOR16 bool failed() const noexcept {
        return has_high_bit(reinterpret_cast<vec>(faults_ != vec{}));
    }

    /// Judges the vector that follows the last one.
    WSOLO_VECTOR16 void follow(vec input) noexcept {
        check(input, shifted<1>(input, last_), shifted<2>(input, last_), shifted<3>(input, last_));
        last_ = input;
    }

    /// `bytes` moved down by `count` bytes, zeros after them.
    [[nodiscard]] WSOLO_VECTOR16 static vec without_front(vec bytes, std::size_t count) noexcept {
        vec places;
        __builtin_memcpy(&places, utf8_places.data() + count, 16);
        return shuffled(bytes, places);
    }

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
        for (std::size_t i = 0; i < Count; ++i) follow(input[i]);
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

    /// The table's entry for each byte below 16.
    [[nodiscard]] WSOLO_VECTOR16 static vec lookup(const utf8_table& table, vec nibbles) noexcept {
        vec entries;
        __builtin_memcpy(&entries, table.data(), 16);
        return shuffled(entries, nibbles);
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
    /// The entry at each place below 16; zero for a place of 128 or more.
    [[nodiscard]] WSOLO_VECTOR16 static vec shuffled(vec entries, vec places) noexcept {
        return reinterpret_cast<vec>(
            vqtbl1q_u8(reinterpret_cast<uint8x16_t>(entries), reinterpret_cast<uint8x16_t>(places)));
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

    [[nodiscard]] WSOLO_VECTOR16 static vec shuffled(vec entries, vec places) noexcept {
        return reinterpret_cast<vec>(
            __builtin_ia32_pshufb128(reinterpret_cast<chars>(entries), reinterpret_cast<chars>(places)));
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
