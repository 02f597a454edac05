// SPDX-License-Identifier: MIT
#pragma once
// Asks the widest validator that this processor has whether these bytes, which begin at a code point boundary, are free
// of faults.
//
// The contract that every width keeps:
// - `run(at, size, key)` is true when no byte of [at, at + size) is wrong where it stands, the text beginning
//   with it. A code point that the end leaves open (utf8_unfinished) is the caller's to judge: run may
//   accept or refuse it.
// - Where Byte is not const, all the bytes are also XORed in place with `key`, in memory order, before they
//   are judged, and whatever the answer is.
// - Exactly the bytes given are read and written.

#include "../../core/cpu.hpp"
#include "utf8_avx2.hpp"
#include "utf8_avx512.hpp"
#include "utf8_plain.hpp"
#include "utf8_vector16.hpp"

namespace wsolo::inline WSOLO_ABI::detail {

/// utf8_faultless by `unit`, which this processor must have.
template <class Byte>
[[nodiscard]] inline bool utf8_faultless_by([[maybe_unused]] vector_unit unit, Byte* at, std::size_t size,
                                            std::uint32_t key) noexcept {
#if WSOLO_X86_KERNELS
    if (unit == vector_unit::avx512) return utf8_avx512::run(at, size, key);
    if (unit == vector_unit::avx2) return utf8_avx2::run(at, size, key);
    if (unit == vector_unit::ssse3) return utf8_vector16::run(at, size, key);
    return utf8_plain::run(at, size, key);
#elif WSOLO_UTF8_NEON
    return utf8_vector16::run(at, size, key);
#else
    return utf8_plain::run(at, size, key);
#endif
}

/// See the head. O(size).
template <class Byte>
[[nodiscard]] inline bool utf8_faultless(Byte* at, std::size_t size, std::uint32_t key = 0) noexcept {
    return utf8_faultless_by(usable_vector_unit(), at, size, key);
}

/// A quick test for 4 to 31 bytes. True: they are UTF-8 from the first to the last, and were XORed with `key` as
/// utf8_faultless does it. False decides nothing, and leaves them as they are. `unit` as above. O(1).
template <class Byte>
[[nodiscard]] inline bool utf8_take_short([[maybe_unused]] vector_unit unit, [[maybe_unused]] Byte* at,
                                          [[maybe_unused]] std::size_t size,
                                          [[maybe_unused]] std::uint32_t key) noexcept {
#if WSOLO_X86_KERNELS
    return unit >= vector_unit::ssse3 && utf8_vector16::take_short(at, size, key);
#elif WSOLO_UTF8_NEON
    return utf8_vector16::take_short(at, size, key);
#else
    return false;
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
