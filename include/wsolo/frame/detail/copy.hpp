// SPDX-License-Identifier: MIT
#pragma once
// Copying a payload to the place after its header.
//
// Laws of this file:
// - Short payloads are copied inline: a call would cost more than the copy.
// - Large ones go by memcpy, very large ones in pieces, except at a placement where memcpy can fall to a twentieth of its speed.

#include "xor_wide.hpp"

namespace wsolo::inline WSOLO_ABI::detail {

/// Whether the destination lies a few bytes ahead of the source modulo 4096: there glibc's `rep movsb` stalls
/// on every store (sizes of 4 KiB and up), and a loop does not. "Header, then payload" out of two
/// page-aligned buffers is exactly that.
inline bool memcpy_may_stall(const std::byte* to, const std::byte* from, std::size_t size) noexcept {
    const std::uintptr_t ahead =
        (reinterpret_cast<std::uintptr_t>(to) - reinterpret_cast<std::uintptr_t>(from)) & 4095;
    return size >= 2048 && ahead - 1 < 63;
}

/// From this size on, source and destination don't fit into the processor's second cache together, and one long copy is a sixth
/// slower than its pieces.
inline constexpr std::size_t copied_in_pieces = 512 * 1024;
inline constexpr std::size_t copied_piece = 64 * 1024;

[[gnu::noinline]] inline void copy_in_pieces(std::byte* to, const std::byte* from,
                                             std::size_t size) noexcept {
    for (; size > copied_piece; size -= copied_piece, to += copied_piece, from += copied_piece)
        std::memcpy(to, from, copied_piece);
    std::memcpy(to, from, size);
}

/// Copies between ranges that do not overlap.
inline void copy_bytes(std::byte* to, const std::byte* from, std::size_t size) noexcept {
    if (size <= 32) return xor_upto_32(to, from, size, 0);
    if (memcpy_may_stall(to, from, size)) return xor_long(to, from, size, 0);
    if (size >= copied_in_pieces) return copy_in_pieces(to, from, size);
    std::memcpy(to, from, size);
}

} // namespace wsolo::inline WSOLO_ABI::detail
