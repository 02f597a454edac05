// SPDX-License-Identifier: MIT
#pragma once
// A received message that outlives the read.
//
// Laws of this file:
// - It owns its bytes: whoever holds it may keep it, move it to another thread, or take the bytes out.
// - Text was validated before it came here (RFC 6455 §8.1).

#include "../core/byte_buffer.hpp"

namespace wsolo::inline WSOLO_ABI {

/// Text or binary, whole. Movable; not thread-safe.
class message {
public:
    message() = default;
    message(bool is_text, byte_buffer bytes) noexcept : bytes_(std::move(bytes)), text_(is_text) {}

    [[nodiscard]] bool is_text() const noexcept { return text_; }
    /// The payload, unmasked. Lives as long as this message, and until it is moved from.
    [[nodiscard]] const_bytes bytes() const noexcept { return bytes_.view(); }
    /// The same as characters; UTF-8 where is_text() says so.
    [[nodiscard]] std::string_view text() const noexcept { return text_of(bytes()); }
    [[nodiscard]] std::size_t size() const noexcept { return bytes_.size(); }
    /// The payload's memory, for one who wants to keep or change it.
    [[nodiscard]] byte_buffer take_bytes() noexcept { return std::move(bytes_); }

private:
    byte_buffer bytes_;
    bool text_ = false;
};

} // namespace wsolo::inline WSOLO_ABI
