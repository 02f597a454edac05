// SPDX-License-Identifier: MIT
#pragma once
// Sec-WebSocket-Key: 16 random bytes in Base64, new for every connection (RFC 6455 §4.1, §11.3.1).
//
// Laws of this file:
// - Randomness is an argument.
// - A received key is 22 letters and "==". The last letter's lowest four bits stand for nothing and may be
//   set, as in the RFC's own example (§4.1: "AQIDBAUGBwgJCgsMDQ4PEC=="); RFC 4648 §3.5 leaves that to the
//   receiver, and no other server refuses it.

#include "../core/random.hpp"
#include "base64.hpp"

namespace wsolo::inline WSOLO_ABI {

/// Anything that fills bytes unpredictably; random_keys does.
template <class Source>
concept nonce_source = requires(Source& source, mutable_bytes to) {
    { source.fill(to) } noexcept;
};

/// The text of a Sec-WebSocket-Key. A value of 24 characters.
struct client_key {
    /// Base64 of 16 bytes, without a terminator.
    std::array<char, 24> text{};

    /// The text as a view, valid as long as this object.
    [[nodiscard]] constexpr std::string_view view() const& noexcept { return {text.data(), text.size()}; }
    std::string_view view() const&& = delete; // it would look into a temporary
    friend constexpr bool operator==(const client_key&, const client_key&) noexcept = default;
};

/// The key that stands for these 16 bytes.
[[nodiscard]] constexpr client_key make_client_key(const std::array<std::byte, 16>& nonce) noexcept {
    return {detail::encode_base64(nonce)};
}

/// A fresh key. Takes 16 bytes from `source` (RFC 6455 §4.1: "selected randomly for each connection").
template <nonce_source Source>
[[nodiscard]] client_key make_client_key(Source& source) noexcept {
    std::array<std::byte, 16> nonce{};
    source.fill(nonce);
    return make_client_key(nonce);
}

/// Whether a received Sec-WebSocket-Key stands for 16 bytes (RFC 6455 §4.2.1).
[[nodiscard]] constexpr bool is_client_key(std::string_view text) noexcept {
    return detail::is_base64_of(16, text);
}

} // namespace wsolo::inline WSOLO_ABI
