// SPDX-License-Identifier: MIT
#pragma once
// The encoder of messages on their way out (permessage-deflate), as a policy of the writer: by default none, at no cost.
//
// Laws of this file:
// - A message that may be encoded is queued as the frame that it is without that, and counted so. The thread whose turn it is
//   encodes it when it plans the write: in the order of the wire, after everything that may drop, replace or refuse it.
// - What was encoded leaves: it gives way to nothing any more. A write that took a part of it goes on with the same bytes.

#include "../core/byte_buffer.hpp"

#include <concepts>

namespace wsolo::inline WSOLO_ABI {

/// - `wants(size)`: whether a message of so many bytes may be encoded. Any thread, at any time.
/// - `deflate(message, to)`: appends to `to` what leaves in its place, with RSV1 on its frame (RFC 7692 §6). False: it leaves
///   as it is. The writing thread, with no lock held.
/// - `shared_form()`: which form of a shared frame its peer can read: the same for all to whom the same form can be sent; at least
///   shared_frame::forms for none. `deflate_alone(message, to)`: deflate() for all of these, referring to no earlier message.
///   `note_sent(message)`: a form that deflate_alone() made leaves next.
/// - `forget()`: what deflate() just gave does not leave, for want of memory; the message does, as it is.
template <class T>
concept message_encoder =
    std::movable<T> && requires(T& one, const T& seen, const_bytes message, byte_buffer& to) {
        { T::encodes } -> std::convertible_to<bool>;
        { seen.wants(message.size()) } noexcept -> std::same_as<bool>;
        { one.deflate(message, to) } noexcept -> std::same_as<bool>;
        { seen.shared_form() } noexcept -> std::same_as<std::size_t>;
        { one.deflate_alone(message, to) } noexcept -> std::same_as<bool>;
        { one.note_sent(message) } noexcept -> std::same_as<void>;
        { one.forget() } noexcept -> std::same_as<void>;
    };

/// Encodes nothing. Empty.
struct never_encoded {
    static constexpr bool encodes = false;
    [[nodiscard]] static bool wants(std::size_t) noexcept { return false; }
    [[nodiscard]] static bool deflate(const_bytes, byte_buffer&) noexcept { return false; }
    [[nodiscard]] static std::size_t shared_form() noexcept { return static_cast<std::size_t>(-1); }
    [[nodiscard]] static bool deflate_alone(const_bytes, byte_buffer&) noexcept { return false; }
    static void note_sent(const_bytes) noexcept {}
    static void forget() noexcept {}
};

} // namespace wsolo::inline WSOLO_ABI
