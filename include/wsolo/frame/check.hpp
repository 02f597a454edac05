// SPDX-License-Identifier: MIT
#pragma once
// The rules that a header must keep, each from the earliest bytes that can break it (RFC 6455 §5.1-5.5).
//
// Laws of this file:
// - Stateless: what depends on earlier frames (§5.4's order of fragments) is the reader's.
// - The order of the rules is the order of the bytes, so that every split of the input finds the same error.
// - The same rules for both directions: what check_first refuses is not encoded either.

#include "../core/error.hpp"
#include "../core/role.hpp"
#include "header.hpp"

namespace wsolo::inline WSOLO_ABI {

/// Judges a header's first byte. `allowed_rsv` holds the reserved bits (rsv1_bit ...) that a negotiated
/// extension gives a meaning on a message's first frame; no other frame may have one (RFC 7692 §6). Errors:
/// reserved_bits_set, reserved_opcode, fragmented_control_frame.
[[nodiscard]] constexpr errc check_first(std::byte first, std::uint8_t allowed_rsv = 0) noexcept {
    const unsigned bits = std::to_integer<unsigned>(first);
    const auto op = static_cast<opcode>(bits & 0x0fU);
    // §5.2: "MUST be 0 unless an extension is negotiated that defines meanings for non-zero values." RFC 7692
    // §6.1: an endpoint "MUST NOT set the RSV1 bit" of control frames and of fragments after the first.
    const bool begins_message = is_data(op) && op != opcode::continuation;
    const unsigned allowed = begins_message ? allowed_rsv : 0U;
    if ((bits & 0x70U & ~allowed) != 0) return errc::reserved_bits_set;
    // §5.2: "If an unknown opcode is received, the receiving endpoint MUST Fail the WebSocket Connection."
    if (is_reserved(op)) return errc::reserved_opcode;
    // §5.5: control frames "MUST NOT be fragmented."
    if (is_control(op) && (bits & 0x80U) == 0) return errc::fragmented_control_frame;
    return errc::none;
}

/// Judges the second byte beside its first, which check_first has passed. `receiver` is the side that judges. Errors:
/// mask_required, mask_forbidden, oversized_control_frame, close_body_of_one_byte.
[[nodiscard]] constexpr errc check_second(std::byte first, std::byte second, role receiver) noexcept {
    const bool masked = (std::to_integer<unsigned>(second) & 0x80U) != 0;
    // §5.1: "The server MUST close the connection upon receiving a frame that is not masked." "A client MUST
    // close a connection if it detects a masked frame."
    if (masked != masks(peer_of(receiver))) return masked ? errc::mask_forbidden : errc::mask_required;
    // §5.5: "All control frames MUST have a payload length of 125 bytes or less."
    const bool control = is_control(static_cast<opcode>(std::to_integer<unsigned>(first) & 0x0fU));
    if (control && (std::to_integer<unsigned>(second) & 0x7fU) > max_control_payload) {
        return errc::oversized_control_frame;
    }
    // §5.5.1: "If there is a body, the first two bytes of the body MUST be a 2-byte unsigned integer"
    const bool close = (std::to_integer<unsigned>(first) & 0x0fU) == static_cast<unsigned>(opcode::close);
    if (close && (std::to_integer<unsigned>(second) & 0x7fU) == 1) return errc::close_body_of_one_byte;
    return errc::none;
}

/// Judges a header's first two bytes. Errors: check_first's, then check_second's.
[[nodiscard]] constexpr errc check_first_two(std::byte first, std::byte second, role receiver,
                                             std::uint8_t allowed_rsv = 0) noexcept {
    const errc error = check_first(first, allowed_rsv);
    return error != errc::none ? error : check_second(first, second, receiver);
}

/// Judges a length by the seven bits that announced it and what is known of the value that follows: it lies
/// between `least` and `most`. Errors: non_minimal_length, length_high_bit_set (RFC 6455 §5.2).
[[nodiscard]] constexpr errc check_length(unsigned length_field, std::uint64_t least,
                                          std::uint64_t most) noexcept {
    // §5.2: "the minimal number of bytes MUST be used to encode the length"
    if (length_field == 126 && most <= 125) return errc::non_minimal_length;
    if (length_field == 127 && most <= 0xffff) return errc::non_minimal_length;
    // §5.2: "the most significant bit MUST be 0"
    if (least > max_payload_size) return errc::length_high_bit_set;
    return errc::none;
}

/// The same with the whole value, and the same errors.
[[nodiscard]] constexpr errc check_length(unsigned length_field, std::uint64_t payload_size) noexcept {
    return check_length(length_field, payload_size, payload_size);
}

} // namespace wsolo::inline WSOLO_ABI
