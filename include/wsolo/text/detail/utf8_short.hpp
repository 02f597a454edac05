#pragma once
// Short texts, most of them ASCII: read as one or two pairs of overlapping words, without a loop or a call.

#include "../../core/bytes.hpp"

#include <cstring>

namespace wsolo::inline WSOLO_ABI::detail {

/// Up to this many bytes the functions of this file apply.
inline constexpr std::size_t utf8_short_size = 16;

/// The key as it lies in memory `offset` bytes into a payload (RFC 6455 §5.3): its bytes, rotated.
[[nodiscard]] inline std::uint32_t key_at(const std::byte* key, std::uint64_t offset) noexcept {
    std::byte twice[8];
    std::memcpy(twice, key, 4);
    std::memcpy(twice + 4, key, 4);
    std::uint32_t word;
    std::memcpy(&word, twice + (offset & 3), 4);
    return word;
}

/// XORs the two Words at the front and the back of [at, at + size), which may overlap, and tells whether all
/// of the result is ASCII. sizeof(Word) <= size <= 2 * sizeof(Word).
template <class Word>
[[nodiscard]] inline bool unmask_two_words(std::byte* at, std::size_t size, Word front_key,
                                           Word back_key) noexcept {
    constexpr Word high_bits = static_cast<Word>(0x8080808080808080u);
    std::byte* back_at = at + (size - sizeof(Word));
    Word front;
    Word back;
    std::memcpy(&front, at, sizeof(Word));
    std::memcpy(&back, back_at, sizeof(Word));
    front ^= front_key;
    back ^= back_key;
    std::memcpy(at, &front, sizeof(Word));
    std::memcpy(back_at, &back, sizeof(Word));
    return ((front | back) & high_bits) == 0;
}

/// XORs at most utf8_short_size bytes with the four at `key`, beginning `offset` bytes into the payload. True
/// when the result is ASCII.
[[nodiscard]] inline bool unmask_short(std::byte* at, std::size_t size, const std::byte* key,
                                       std::uint64_t offset) noexcept {
    const auto wide = [&](std::uint64_t from) { return key_at(key, from) * ((std::uint64_t{1} << 32) + 1); };
    if (size >= 8) return unmask_two_words<std::uint64_t>(at, size, wide(offset), wide(offset + size));
    if (size >= 4) {
        return unmask_two_words<std::uint32_t>(at, size, key_at(key, offset), key_at(key, offset + size));
    }
    bool ascii = true;
    for (std::size_t i = 0; i < size; ++i) {
        at[i] ^= key[(offset + i) & 3];
        ascii = ascii && (at[i] & std::byte{0x80}) == std::byte{0};
    }
    return ascii;
}

/// Whether at most utf8_short_size bytes are all ASCII.
[[nodiscard]] inline bool ascii_short(const_bytes bytes) noexcept {
    const auto two = [&]<class Word>(Word high_bits) {
        Word front;
        Word back;
        std::memcpy(&front, bytes.data(), sizeof(Word));
        std::memcpy(&back, bytes.data() + (bytes.size() - sizeof(Word)), sizeof(Word));
        return ((front | back) & high_bits) == 0;
    };
    if (bytes.size() >= 8) return two(std::uint64_t{0x8080808080808080u});
    if (bytes.size() >= 4) return two(std::uint32_t{0x80808080u});
    std::byte all{0};
    for (const std::byte byte : bytes) all |= byte;
    return (all & std::byte{0x80}) == std::byte{0};
}

} // namespace wsolo::inline WSOLO_ABI::detail
