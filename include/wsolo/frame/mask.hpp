// SPDX-License-Identifier: MIT
#pragma once
// XOR with a masking key (RFC 6455 §5.3), in place and while copying.
//
// Laws of this file:
// - Exactly the bytes given are read and written, whatever their length, alignment and key phase.
// - By the widest unit that the build or the CPU has, and that pays at this length: SSE2, AVX2, AVX-512, NEON,
//   or plain words (core/detail/xor_narrow.hpp, detail/xor_wide.hpp).
// - Resumable: `offset` says how many payload bytes came before, so that a payload may be masked in pieces.

#include "detail/xor_wide.hpp"

namespace wsolo::inline WSOLO_ABI {

/// Writes `from` XORed with the key to `to`, in one pass. `to` has from.size() bytes and either is
/// from.data() or does not overlap it. O(n).
inline void copy_masked(std::byte* to, const_bytes from, masking_key key, std::uint64_t offset = 0) noexcept {
    detail::xor_bytes(to, from.data(), from.size(), detail::key_word(key, offset));
}

/// Masks or unmasks in place (the two are the same). O(n).
inline void apply_mask(mutable_bytes bytes, masking_key key, std::uint64_t offset = 0) noexcept {
    copy_masked(bytes.data(), bytes, key, offset);
}

} // namespace wsolo::inline WSOLO_ABI
