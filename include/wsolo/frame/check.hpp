#pragma once
// The rules that a header must keep, each from the earliest bytes that can break it (RFC 6455 §5.1-5.5).
//
// Laws of this file:
// - Stateless: what depends on earlier frames (§5.4's order of fragments) is the reader's.
// - The order of the rules is the order of the bytes, so that every split of the input finds the same error.

#include "../core/error.hpp"
#include "../core/role.hpp"
#include "header.hpp"

namespace wsolo::inline WSOLO_ABI {

/// Judges a header's first byte. `allowed_rsv` holds the reserved bits (rsv1_bit ...) that a negotiated
/// extension gives a meaning.
[[nodiscard]] constexpr errc check_first(std::byte first, std::uint8_t allowed_rsv = 0) noexcept {
    const unsigned bits = std::to_integer<unsigned>(first);
    const auto op = static_cast<opcode>(bits & 0x0fU);
    // §5.2: "MUST be 0 unless an extension is negotiated that defines meanings for non-zero values."
    if ((bits & 0x70U & ~static_cast<unsigned>(allowed_rsv)) != 0) return errc::reserved_bits_set;
    // §5.2: "If an unknown opcode is received, the receiving endpoint MUST Fail the WebSocket Connection."
    if (is_reserved(op)) return errc::reserved_opcode;
    // §5.5: control frames "MUST NOT be fragmented."
    if (is_control(op) && (bits & 0x80U) == 0) return errc::fragmented_control_frame;
    return errc::none;
}

/// Judges the second byte beside its first, which check_first has passed. `receiver` is the side that judges.
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
    return errc::none;
}

/// Judges a header's first two bytes.
[[nodiscard]] constexpr errc check_first_two(std::byte first, std::byte second, role receiver,
                                             std::uint8_t allowed_rsv = 0) noexcept {
    const errc error = check_first(first, allowed_rsv);
    return error != errc::none ? error : check_second(first, second, receiver);
}

/// Judges a length by the seven bits that announced it and the value that followed.
[[nodiscard]] constexpr errc check_length(unsigned length_field, std::uint64_t payload_size) noexcept {
    // §5.2: "the minimal number of bytes MUST be used to encode the length"
    if (length_field == 126 && payload_size <= 125) return errc::non_minimal_length;
    if (length_field == 127 && payload_size <= 0xffff) return errc::non_minimal_length;
    // §5.2: "the most significant bit MUST be 0"
    if (payload_size > max_payload_size) return errc::length_high_bit_set;
    return errc::none;
}

} // namespace wsolo::inline WSOLO_ABI
