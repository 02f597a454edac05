#pragma once
// One question to the widest validator that this processor has: are these bytes, from one code point boundary
// on, free of faults?
//
// The contract that every width keeps:
// - `run(at, size, key)` is true when no byte of [at, at + size) is wrong where it stands, the text beginning
// with
//   it. Whether the last code point is whole is the caller's question (utf8_unfinished): run may or may not
//   mind.
// - Where Byte is not const, all the bytes are also XORed in place with `key`, in memory order, before they
// are
//   judged, and whatever the answer is.
// - Exactly the bytes given are read and written.

#include "../../core/bytes.hpp"
#include "../../core/cpu.hpp"
#include "utf8_avx2.hpp"
#include "utf8_avx512.hpp"
#include "utf8_scalar.hpp"
#include "utf8_vector16.hpp"

#include <cstring>
#include <type_traits>

namespace wsolo::inline WSOLO_ABI::detail {

/// XORs [at, at + size) with the key's bytes in turn, beginning with its first in memory order.
inline void xor_words(std::byte* at, std::size_t size, std::uint32_t key) noexcept {
    const std::uint64_t wide = key * ((std::uint64_t{1} << 32) + 1);
    for (; size >= 8; at += 8, size -= 8) {
        std::uint64_t word;
        std::memcpy(&word, at, 8);
        word ^= wide;
        std::memcpy(at, &word, 8);
    }
    std::byte bytes[8];
    std::memcpy(bytes, &wide, 8);
    for (std::size_t i = 0; i < size; ++i) at[i] ^= bytes[i];
}

/// The form for every other machine: the automaton, with words of ASCII skipped.
struct utf8_plain {
    template <class Byte>
    static bool run(Byte* at, std::size_t size, std::uint32_t key) noexcept {
        if constexpr (!std::is_const_v<Byte>) xor_words(at, size, key);
        utf8_state state = utf8_state::boundary;
        return utf8_scan_scalar({at, size}, state) == size;
    }
};

/// See the head. O(size).
template <class Byte>
[[nodiscard]] inline bool utf8_faultless(Byte* at, std::size_t size, std::uint32_t key = 0) noexcept {
#if WSOLO_X86_KERNELS
    switch (usable_vector_unit()) {
    case vector_unit::avx512: return utf8_avx512::run(at, size, key);
    case vector_unit::avx2: return utf8_avx2::run(at, size, key);
    case vector_unit::ssse3: return utf8_vector16::run(at, size, key);
    case vector_unit::baseline: break;
    }
    return utf8_plain::run(at, size, key);
#elif WSOLO_UTF8_NEON
    return utf8_vector16::run(at, size, key);
#else
    return utf8_plain::run(at, size, key);
#endif
}

/// How many bytes at the end of `bytes` begin a code point without ending it: 0 to 3. Judges nothing else.
[[nodiscard]] constexpr std::size_t utf8_unfinished(const_bytes bytes) noexcept {
    for (std::size_t back = 1; back <= 3 && back <= bytes.size(); ++back) {
        const auto byte = std::to_integer<unsigned>(bytes[bytes.size() - back]);
        if (byte < 0x80) return 0;
        if (byte < 0xC0) continue;
        const std::size_t length = byte >= 0xF0 ? 4 : byte >= 0xE0 ? 3 : 2;
        return length > back ? back : 0;
    }
    return 0;
}

} // namespace wsolo::inline WSOLO_ABI::detail
