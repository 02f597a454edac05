// SPDX-License-Identifier: MIT
#pragma once
// XOR with a repeated 32-bit word, 16 bytes at a time: what every CPU can do (SSE2, NEON, or two 64-bit
// words).
//
// Laws of this file:
// - Words are moved by memcpy, and no byte outside [0, size) is touched: a size that is no multiple of the
//   word is met by two words that overlap. All that overlaps is read before any of it is written, so in place
//   is fine.
// - The 32-bit word holds the key in memory order, so nothing here depends on the byte order but `advance`.
// - A word of 0 makes the same functions copy.

#include "../bytes.hpp"
#include "../random.hpp"

#include <bit>
#include <cstring>

namespace wsolo::inline WSOLO_ABI::detail {

/// 16 bytes as two words: where the compiler has no vector type.
struct two_words {
    std::uint64_t low;
    std::uint64_t high;

    friend two_words operator^(two_words left, two_words right) noexcept {
        return {left.low ^ right.low, left.high ^ right.high};
    }
};

#if defined(__GNUC__) && (!defined(__i386__) || defined(__SSE2__)) // else a vector can't be passed on
using chunk16 = std::uint64_t __attribute__((vector_size(16)));
#else
using chunk16 = two_words;
#endif

/// The key, turned so that its first byte meets the payload byte at `offset`.
inline std::uint32_t advance(std::uint32_t word, std::uint64_t offset) noexcept {
    const unsigned bits = static_cast<unsigned>(offset & 3) * 8;
    const unsigned others =
        (32 - bits) & 31; // by shifts: libc++ and the standard disagree on std::rotr's type
    return std::endian::native == std::endian::little ? word >> bits | word << others
                                                      : word << bits | word >> others;
}

inline std::uint32_t key_word(masking_key key, std::uint64_t offset) noexcept {
    return advance(std::bit_cast<std::uint32_t>(key.bytes), offset);
}

template <class Word>
Word load_word(const std::byte* from) noexcept {
    Word word;
    std::memcpy(&word, from, sizeof word);
    return word;
}

template <class Word>
void store_word(std::byte* to, Word word) noexcept {
    std::memcpy(to, &word, sizeof word);
}

/// `word` repeated to fill a Word.
template <class Word>
Word spread(std::uint32_t word) noexcept {
    const std::uint64_t pair = std::uint64_t{word} << 32 | word;
    if constexpr (sizeof(Word) == 16) {
        return Word{pair, pair};
    } else {
        return static_cast<Word>(pair);
    }
}

/// sizeof(Word) <= size <= 2 * sizeof(Word).
template <class Word>
void xor_two(std::byte* to, const std::byte* from, std::size_t size, std::uint32_t word) noexcept {
    const std::size_t last = size - sizeof(Word);
    const auto head = static_cast<Word>(load_word<Word>(from) ^ spread<Word>(word));
    const auto tail = static_cast<Word>(load_word<Word>(from + last) ^ spread<Word>(advance(word, last)));
    store_word(to, head);
    store_word(to + last, tail);
}

/// size <= 32.
template <class Chunk = chunk16>
[[gnu::always_inline]] inline void xor_upto_32(std::byte* to, const std::byte* from, std::size_t size,
                                               std::uint32_t word) noexcept {
    if (size >= 16) return xor_two<Chunk>(to, from, size, word);
    if (size >= 8) return xor_two<std::uint64_t>(to, from, size, word);
    if (size >= 4) return xor_two<std::uint32_t>(to, from, size, word);
    if (size == 0) return;
    std::byte key[4];
    std::memcpy(key, &word, 4);
    const std::size_t middle = size / 2; // 1 to 3 bytes: first, middle and last are all of them
    const std::byte a = from[0] ^ key[0];
    const std::byte b = from[middle] ^ key[middle];
    const std::byte c = from[size - 1] ^ key[size - 1];
    to[0] = a;
    to[middle] = b;
    to[size - 1] = c;
}

/// 32 <= size: four chunks a step, the last 32 bytes on their own.
template <class Chunk = chunk16>
void xor_from_32(std::byte* to, const std::byte* from, std::size_t size, std::uint32_t word) noexcept {
    const auto pattern = spread<Chunk>(word);
    const std::size_t last = size - 32;
    const auto turned = spread<Chunk>(advance(word, last));
    const Chunk tail0 = load_word<Chunk>(from + last) ^ turned;
    const Chunk tail1 = load_word<Chunk>(from + last + 16) ^ turned;
    std::size_t at = 0;
    for (; at + 64 <= size; at += 64) {
        const Chunk a = load_word<Chunk>(from + at) ^ pattern;
        const Chunk b = load_word<Chunk>(from + at + 16) ^ pattern;
        const Chunk c = load_word<Chunk>(from + at + 32) ^ pattern;
        const Chunk d = load_word<Chunk>(from + at + 48) ^ pattern;
        store_word(to + at, a);
        store_word(to + at + 16, b);
        store_word(to + at + 32, c);
        store_word(to + at + 48, d);
    }
    if (at < last) {
        const Chunk a = load_word<Chunk>(from + at) ^ pattern;
        const Chunk b = load_word<Chunk>(from + at + 16) ^ pattern;
        store_word(to + at, a);
        store_word(to + at + 16, b);
    }
    store_word(to + last, tail0);
    store_word(to + last + 16, tail1);
}

/// Any size.
template <class Chunk = chunk16>
void xor_narrow(std::byte* to, const std::byte* from, std::size_t size, std::uint32_t word) noexcept {
    if (size <= 32) return xor_upto_32<Chunk>(to, from, size, word);
    xor_from_32<Chunk>(to, from, size, word);
}

} // namespace wsolo::inline WSOLO_ABI::detail
