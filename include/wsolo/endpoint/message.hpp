// SPDX-License-Identifier: MIT
#pragma once
// A received message.
//
// Laws of this file:
// - A message that can be moved owns its bytes: keep it, move it to another thread, or take the bytes out. A handler that
//   takes `const message&` can't, and so may be lent one whose bytes lie where they were read.
// - Text was validated before it came here (RFC 6455 §8.1).

#include "../core/byte_buffer.hpp"

namespace wsolo::inline WSOLO_ABI {

/// Text or binary, whole. Movable; not thread-safe.
class message {
public:
    message() = default;
    message(bool is_text, byte_buffer bytes) noexcept : bytes_(std::move(bytes)), text_(is_text) {}

    /// Whether it came as text; otherwise it is binary.
    [[nodiscard]] bool is_text() const noexcept { return text_; }
    /// The payload, unmasked. Lives as long as this message, and until it is moved from.
    [[nodiscard]] const_bytes bytes() const noexcept { return bytes_.view(); }
    /// The same as characters; UTF-8 where is_text() says so.
    [[nodiscard]] std::string_view text() const noexcept { return text_of(bytes()); }
    [[nodiscard]] std::size_t size() const noexcept { return bytes_.size(); }
    /// Takes the payload's memory out of the message, to keep or change it. The message is empty afterwards.
    [[nodiscard]] byte_buffer take_bytes() noexcept { return std::move(bytes_); }

private:
    byte_buffer bytes_;
    bool text_ = false;
};

namespace detail {

/// A message over bytes of another owner, for the length of a call. The message in it is never destroyed, so that no memory is
/// freed.
class lent_message {
public:
    lent_message(bool is_text, const_bytes bytes) noexcept
        : held_(is_text, byte_buffer_access::alias(bytes)) {}
    lent_message(const lent_message&) = delete;
    lent_message& operator=(const lent_message&) = delete;
    ~lent_message() {} // NOLINT(modernize-use-equals-default): it would be deleted

    [[nodiscard]] const message& get() const noexcept { return held_; }

private:
    union {
        message held_;
    };
};

} // namespace detail

} // namespace wsolo::inline WSOLO_ABI
