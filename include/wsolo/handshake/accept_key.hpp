// SPDX-License-Identifier: MIT
#pragma once
// Sec-WebSocket-Accept: what a server answers to a client's key (RFC 6455 §1.3, §4.2.2).
//
// Laws of this file:
// - The key is hashed as the text that was received; it is never decoded.

#include "base64.hpp"
#include "sha1.hpp"

namespace wsolo::inline WSOLO_ABI {

/// The text of a Sec-WebSocket-Accept. A value of 28 characters.
struct accept_value {
    /// Base64 of the SHA-1, without a terminator.
    std::array<char, 28> text{};

    /// The text as a view, valid as long as this object.
    [[nodiscard]] constexpr std::string_view view() const& noexcept { return {text.data(), text.size()}; }
    std::string_view view() const&& = delete; // it would look into a temporary
    friend constexpr bool operator==(const accept_value&, const accept_value&) noexcept = default;
    friend constexpr bool operator==(const accept_value& value, std::string_view other) noexcept {
        return value.view() == other;
    }
};

/// Base64 of the SHA-1 of the key followed by the protocol's GUID (RFC 6455 §1.3). `client_key` is the
/// header's value without the whitespace around it. O(key), no allocation, usable in constant expressions.
[[nodiscard]] constexpr accept_value accept_key(std::string_view client_key) noexcept {
    detail::sha1 hash;
    hash.update(client_key);
    hash.update("258EAFA5-E914-47DA-95CA-C5AB0DC85B11");
    return {detail::encode_base64(hash.finish())};
}

} // namespace wsolo::inline WSOLO_ABI
