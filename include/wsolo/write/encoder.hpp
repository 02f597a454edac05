// SPDX-License-Identifier: MIT
#pragma once
// The encoder of messages on their way out (permessage-deflate), as a policy of the writer: by default none, at no cost.
//
// Laws of this file:
// - A message that may be encoded is queued as the frame that it is without that, and counted so. The thread whose turn it is
//   encodes it when it plans the write: in the order of the wire, after everything that may drop, replace or refuse it.
// - What was encoded leaves: it gives way to nothing any more. A write that took a part of it goes on with the same bytes.
// - It is shorter than the message, or longer by what the budget has room for, so that a queue within its budget stays within it.
//   What finds no room (writer_limits::max_bytes), or would be longer than a message may be, leaves as it is.

#include "../core/bytes.hpp"
#include "../core/result.hpp"

#include <concepts>

namespace wsolo::inline WSOLO_ABI {

/// Bytes that an encoder is given to work in, beyond those that it may use.
inline constexpr std::size_t encoder_work_room = 16;
/// Bytes by which it may make a message longer, at most.
inline constexpr std::size_t encoder_growth = 128;

/// - `wants(size)`: whether a message of so many bytes may be encoded. Any thread, at any time.
/// - `deflate(message, to)`: writes to the front of `to` what leaves in the message's place, with RSV1 on its frame (RFC 7692 §6),
///   and returns its size: at most to.size() - encoder_work_room; `to` may have room for encoder_growth bytes more than the message
///   has. 0: it leaves as it is. The writing thread, with no lock held. What it holds from one message to the next is its own: the writer's budget
///   does not count it.
/// - `shared_form()`: which form of a shared frame its peer can read: the same for all to whom the same form can be sent; at least
///   shared_frame::forms for none. `deflate_alone(message, to)`: deflate() for all of these, referring to no earlier message, and
///   shorter than it; an error (out_of_memory) says that another time it may be possible. `note_sent(message)`: a form that deflate_alone() made
///   leaves next.
/// - `forget()`: what deflate() just gave does not leave, for want of memory; the message does, as it is.
template <class T>
concept message_encoder =
    std::movable<T> && requires(T& one, const T& seen, const_bytes message, mutable_bytes to) {
        { T::encodes } -> std::convertible_to<bool>;
        { seen.wants(message.size()) } noexcept -> std::same_as<bool>;
        { one.deflate(message, to) } noexcept -> std::same_as<std::size_t>;
        { seen.shared_form() } noexcept -> std::same_as<std::size_t>;
        { one.deflate_alone(message, to) } noexcept -> std::same_as<result<std::size_t>>;
        { one.note_sent(message) } noexcept -> std::same_as<void>;
        { one.forget() } noexcept -> std::same_as<void>;
    };

/// Encodes nothing. An empty value.
struct never_encoded {
    /// As message_encoder says. deflate_alone() has no error.
    static constexpr bool encodes = false;
    [[nodiscard]] static bool wants(std::size_t) noexcept { return false; }
    [[nodiscard]] static std::size_t deflate(const_bytes, mutable_bytes) noexcept { return 0; }
    [[nodiscard]] static std::size_t shared_form() noexcept { return static_cast<std::size_t>(-1); }
    [[nodiscard]] static result<std::size_t> deflate_alone(const_bytes, mutable_bytes) noexcept { return 0; }
    static void note_sent(const_bytes) noexcept {}
    static void forget() noexcept {}
};

} // namespace wsolo::inline WSOLO_ABI
