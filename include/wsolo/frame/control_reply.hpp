// SPDX-License-Identifier: MIT
#pragma once
// Control frames as values: the PONG or Close that a received frame is owed, and PING, PONG and Close of
// one's own (RFC 6455 §5.5).
//
// Laws of this file:
// - A reply is a value and writes nothing: the owner of the connection's write side queues it as raw bytes.
// - The payload's type says whether it is still masked: unmasked_bytes are copied as they are, masked_bytes
//   are unmasked exactly once. What leaves is masked with a fresh key by a client and not at all by a server.
// - 1005 (no status) never goes on the wire: an empty Close is answered by an empty Close.

#include "../text/utf8.hpp"
#include "close_code.hpp"
#include "encode.hpp"
#include "payload.hpp"

namespace wsolo::inline WSOLO_ABI {

namespace detail {
struct control_frame_access;
}

/// A whole encoded control frame in a fixed inline buffer. A trivially copyable value.
class control_frame {
public:
    /// A client's header and the longest payload (RFC 6455 §5.5): 131 bytes.
    static constexpr std::size_t capacity = header_size(max_control_payload, true) + max_control_payload;

    /// Holds nothing; bytes() is empty.
    control_frame() noexcept { storage_[0] = std::byte{}; }

    /// The encoded frame, ready to be written as it is. Valid while this object lives and is not assigned to.
    [[nodiscard]] const_bytes bytes() const noexcept { return {storage_.data(), size_}; }

    /// What the frame is; continuation when it holds nothing.
    [[nodiscard]] opcode op() const noexcept {
        return static_cast<opcode>(std::to_integer<unsigned>(storage_[0]) & 0x0fU);
    }
    /// A Close's status code, which a client's bytes() hold masked; no_status when it has none (RFC 6455
    /// §7.1.5), and for every other frame. A load: nothing is parsed.
    [[nodiscard]] close_code code() const noexcept { return code_; }

private:
    friend struct detail::control_frame_access;

    std::array<std::byte, capacity> storage_; // only the first size_ bytes are ever looked at
    std::uint8_t size_ = 0;
    close_code code_ = close_code::no_status;
};

/// What a Close frame said.
struct close_body {
    /// no_status when the body was empty (RFC 6455 §7.1.5).
    close_code code = close_code::no_status;
    /// UTF-8. A view of the parsed bytes.
    std::string_view reason{};
};

/// Reads the body of a received Close frame. Errors, each with the close code to answer in its table row:
/// close_body_of_one_byte, invalid_close_code, invalid_close_reason (RFC 6455 §5.5.1, §7.4). O(n).
template <int = 0> // as is_valid_utf8()
[[nodiscard]] result<close_body> parse_close_body(unmasked_bytes body) noexcept {
    const const_bytes bytes = body.bytes();
    if (bytes.empty()) return close_body{};
    if (bytes.size() == 1) return errc::close_body_of_one_byte;
    const auto code = static_cast<close_code>(load_be16(bytes.data()));
    if (!may_be_sent(code)) return errc::invalid_close_code;
    const const_bytes reason = bytes.subspan(2);
    if (!is_valid_utf8(reason)) return errc::invalid_close_reason;
    return close_body{code, text_of(reason)};
}

/// The most bytes of a Close's reason: what a control frame has beside the status code (RFC 6455 §5.5.1).
inline constexpr std::size_t max_close_reason = max_control_payload - 2;

/// As much of `reason` as a Close can carry, cut between code points: what is UTF-8 stays UTF-8. A view of
/// the same text. O(1).
[[nodiscard]] constexpr std::string_view fit_close_reason(std::string_view reason) noexcept {
    if (reason.size() <= max_close_reason) return reason;
    const auto continues = [](char c) { return (static_cast<unsigned char>(c) & 0xc0U) == 0x80; };
    std::size_t end = max_close_reason;
    // A code point has three continuation bytes at most; more of them are no UTF-8, wherever they are cut.
    while (end > max_close_reason - 3 && continues(reason[end])) --end;
    return reason.substr(0, end);
}

namespace detail {

/// The only writer of control_frame's bytes: takes the payload in clear, then writes the header and masks.
struct control_frame_access {
    /// Where a frame of `Role` has its payload.
    template <role Role>
    static std::byte* payload(control_frame& frame) noexcept {
        return frame.storage_.data() + header_size(0, masks(Role));
    }

    /// Makes a frame of the payload that was written to payload<Role>(). Preconditions: op is a control opcode,
    /// the size at most 125, `code` the payload's own.
    template <role Role, class... Keys>
    static void seal(control_frame& frame, opcode op, std::size_t payload_size, close_code code,
                     Keys&... keys) noexcept {
        const auto whole =
            encode_in_place<Role>(frame.storage_, header_size(0, masks(Role)), payload_size, op, keys...);
        frame.size_ = static_cast<std::uint8_t>(whole->size());
        frame.code_ = code;
    }
};

/// Copies the payload in clear (unmasked if it was masked).
inline void copy_clear(std::byte* to, unmasked_bytes payload) noexcept {
    if (!payload.bytes().empty()) std::memcpy(to, payload.bytes().data(), payload.bytes().size());
}
inline void copy_clear(std::byte* to, masked_bytes payload) noexcept {
    copy_masked(to, payload.masked(), payload.key());
}

inline std::size_t size_of(unmasked_bytes payload) noexcept { return payload.bytes().size(); }
inline std::size_t size_of(masked_bytes payload) noexcept { return payload.masked().size(); }

template <role Role, class Payload, class... Keys>
result<control_frame> control_frame_of(opcode op, Payload payload, Keys&... keys) noexcept {
    result<control_frame> made(control_frame{}); // built where it is returned: 132 bytes are not copied
    if (size_of(payload) > max_control_payload) {
        made = errc::control_payload_too_big;
        return made;
    }
    std::byte* to = control_frame_access::payload<Role>(*made);
    copy_clear(to, payload);
    close_code code = close_code::no_status;
    if (op == opcode::close) {
        const auto body = parse_close_body(unmasked_bytes(const_bytes(to, size_of(payload))));
        if (!body) {
            made = body.error();
            return made;
        }
        code = body->code;
    }
    control_frame_access::seal<Role>(*made, op, size_of(payload), code, keys...);
    return made;
}

} // namespace detail

/// Either of the two types that say whether a payload is masked; a plain span is neither.
template <class Payload>
concept control_payload = std::same_as<Payload, unmasked_bytes> || std::same_as<Payload, masked_bytes>;

/// The frame that a received PING or Close is owed: a PONG with the same payload (RFC 6455 §5.5.3), or a
/// Close with the same body (§5.5.1; empty to empty). `received` is the opcode that arrived, ping or close. A
/// client passes its key source last. Errors: parse_close_body's for a Close that breaks a rule: fail the
/// connection with make_close(close_code_for(error)) instead; control_payload_too_big. No allocation.
template <role Role, control_payload Payload, class... Keys>
    requires keys_for<Role, Keys...>
[[nodiscard]] result<control_frame> make_control_reply(opcode received, Payload payload,
                                                       Keys&... keys) noexcept {
    WSOLO_ASSERT(received == opcode::ping || received == opcode::close,
                 "only a PING or a Close is owed a reply");
    const opcode reply = received == opcode::close ? opcode::close : opcode::pong;
    return detail::control_frame_of<Role>(reply, payload, keys...);
}

/// A PING with up to 125 bytes of payload (RFC 6455 §5.5.2). Error: control_payload_too_big.
template <role Role, class... Keys>
    requires keys_for<Role, Keys...>
[[nodiscard]] result<control_frame> make_ping(const_bytes payload, Keys&... keys) noexcept {
    return detail::control_frame_of<Role>(opcode::ping, unmasked_bytes(payload), keys...);
}

/// An unsolicited PONG (RFC 6455 §5.5.3). Error: control_payload_too_big.
template <role Role, class... Keys>
    requires keys_for<Role, Keys...>
[[nodiscard]] result<control_frame> make_pong(const_bytes payload, Keys&... keys) noexcept {
    return detail::control_frame_of<Role>(opcode::pong, unmasked_bytes(payload), keys...);
}

/// A Close with a status code and a reason in UTF-8, of which fit_close_reason() leaves up to 123 bytes: an end is
/// never refused for its reason's length. Errors: invalid_close_code for a code that may not be sent (no_status
/// included: see the form without one), invalid_close_reason.
template <role Role, class... Keys>
    requires keys_for<Role, Keys...>
[[nodiscard]] result<control_frame> make_close(close_code code, std::string_view reason,
                                               Keys&... keys) noexcept {
    reason = fit_close_reason(reason);
    std::array<std::byte, max_control_payload> body;
    store_be16(body.data(), static_cast<std::uint16_t>(code));
    if (!reason.empty()) std::memcpy(body.data() + 2, reason.data(), reason.size());
    const unmasked_bytes payload(const_bytes(body).first(2 + reason.size()));
    return detail::control_frame_of<Role>(opcode::close, payload, keys...);
}

/// A Close without a body (RFC 6455 §5.5.1).
template <role Role, class... Keys>
    requires keys_for<Role, Keys...>
[[nodiscard]] control_frame make_close(Keys&... keys) noexcept {
    return *detail::control_frame_of<Role>(opcode::close, unmasked_bytes(), keys...);
}

} // namespace wsolo::inline WSOLO_ABI
