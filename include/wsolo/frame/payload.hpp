// SPDX-License-Identifier: MIT
#pragma once
// Whether a payload is still masked, said by its type. XORing bytes that were already unmasked turns
// "ABCD" into "@@@@" on the wire; with these two types that mistake does not compile.
//
// Laws of this file:
// - Neither type converts to the other, nor does a plain span convert to either.
// - Both are views: the bytes belong to the caller, and must outlive the view.

#include "../core/bytes.hpp"
#include "../core/random.hpp"

namespace wsolo::inline WSOLO_ABI {

/// A payload in clear: what the decoder yields, and what a server's frame carries. A view.
class unmasked_bytes {
public:
    constexpr unmasked_bytes() noexcept = default;
    constexpr explicit unmasked_bytes(const_bytes bytes) noexcept : bytes_(bytes) {}

    /// The view. It lives as long as the memory that it was read from.
    [[nodiscard]] constexpr const_bytes bytes() const noexcept { return bytes_; }

private:
    const_bytes bytes_{};
};

/// A payload as a client's frame carries it, with the key that it is still XORed with (RFC 6455 §5.3). Its
/// first byte is the frame's first payload byte. A view: it lives as long as the bytes that it was made of.
class masked_bytes {
public:
    constexpr masked_bytes(const_bytes bytes, masking_key key) noexcept : bytes_(bytes), key_(key) {}

    /// The bytes as they are, still masked.
    [[nodiscard]] constexpr const_bytes masked() const noexcept { return bytes_; }
    [[nodiscard]] constexpr masking_key key() const noexcept { return key_; }

private:
    const_bytes bytes_;
    masking_key key_;
};

} // namespace wsolo::inline WSOLO_ABI
