// SPDX-License-Identifier: MIT
#pragma once
// A frame's header as a value, and its bytes (RFC 6455 §5.2).
//
// Laws of this file:
// - Written lengths are minimal. Parsing judges nothing: it says what the bytes are, check.hpp says whether they
// may be.
// - "Need more bytes" is a status of the parse, never an error.

#include "../core/bytes.hpp"
#include "../core/random.hpp"
#include "opcode.hpp"

namespace wsolo::inline WSOLO_ABI {

/// The reserved bits as they stand in a header's first byte (RFC 6455 §5.2).
inline constexpr std::uint8_t rsv1_bit = 0x40;
inline constexpr std::uint8_t rsv2_bit = 0x20;
inline constexpr std::uint8_t rsv3_bit = 0x10;

/// The longest header: two bytes, a 64-bit length, a masking key.
inline constexpr std::size_t max_header_size = 14;
/// The longest payload of a control frame (RFC 6455 §5.5).
inline constexpr std::size_t max_control_payload = 125;
/// The longest payload of any frame: the length's most significant bit stays 0 (RFC 6455 §5.2).
inline constexpr std::uint64_t max_payload_size = UINT64_MAX >> 1;

/// All that a header says.
struct frame_header {
    /// As on the wire (RFC 6455 §5.2); `key` counts where `masked`, `payload_size` is in bytes.
    bool fin = true;
    bool rsv1 = false;
    bool rsv2 = false;
    bool rsv3 = false;
    opcode op = opcode::binary;
    bool masked = false;
    masking_key key{};
    std::uint64_t payload_size = 0;

    friend constexpr bool operator==(const frame_header&, const frame_header&) noexcept = default;
};

/// The bytes of the minimal header for such a payload: 2, 4 or 10, and 4 for a key.
[[nodiscard]] constexpr std::size_t header_size(std::uint64_t payload_size, bool masked) noexcept {
    const std::size_t length_bytes = payload_size <= 125 ? 0 : payload_size <= 0xffff ? 2 : 8;
    return 2 + length_bytes + (masked ? 4 : 0);
}

/// The bytes of the header whose second byte is `second`, minimal or not.
[[nodiscard]] constexpr std::size_t header_size_announced(std::byte second) noexcept {
    const unsigned field = std::to_integer<unsigned>(second) & 0x7fU;
    return 2U + (field == 127 ? 8U : field == 126 ? 2U : 0U) + (std::to_integer<unsigned>(second) >> 7) * 4U;
}

namespace detail {

/// Writes all of a minimal header but the key: 2, 4 or 10 bytes, and says how many.
constexpr std::size_t write_start(std::byte* to, std::byte first, bool masked,
                                  std::uint64_t payload_size) noexcept {
    const unsigned mask_bit = masked ? 0x80U : 0U;
    to[0] = first;
    if (payload_size <= 125) {
        to[1] = static_cast<std::byte>(mask_bit | static_cast<unsigned>(payload_size));
        return 2;
    }
    if (payload_size <= 0xffff) {
        to[1] = static_cast<std::byte>(mask_bit | 126U);
        store_be16(to + 2, static_cast<std::uint16_t>(payload_size));
        return 4;
    }
    to[1] = static_cast<std::byte>(mask_bit | 127U);
    store_be64(to + 2, payload_size);
    return 10;
}

constexpr std::byte first_byte(const frame_header& header) noexcept {
    return static_cast<std::byte>((header.fin ? 0x80U : 0U) | (header.rsv1 ? rsv1_bit : 0U) |
                                  (header.rsv2 ? rsv2_bit : 0U) | (header.rsv3 ? rsv3_bit : 0U) |
                                  (static_cast<unsigned>(header.op) & 0x0fU));
}

} // namespace detail

/// Writes the header in its minimal form and returns its size. `to` has header_size(...) bytes; the payload
/// size is at most max_payload_size. O(1).
constexpr std::size_t write_header(const frame_header& header, std::byte* to) noexcept {
    WSOLO_ASSERT(header.payload_size <= max_payload_size, "a payload length must stay below 2^63");
    const std::size_t size =
        detail::write_start(to, detail::first_byte(header), header.masked, header.payload_size);
    if (!header.masked) return size;
    for (std::size_t i = 0; i < 4; ++i) to[size + i] = header.key.bytes[i];
    return size + 4;
}

/// What parse_header saw.
enum class parse_status : std::uint8_t { need_more, complete };

/// A header and how it was written. Where `status` is need_more only `size` counts: how many bytes it takes
/// to get further (2, or the whole header once its second byte is known).
struct header_parse {
    /// Where parsing stands; how many bytes the header has, or needs; and what it says, once it is complete.
    parse_status status = parse_status::need_more;
    std::size_t size = 2;
    frame_header header{};
    /// The seven length bits of the second byte: 126 and 127 announce a longer length (check_length judges).
    std::uint8_t length_field = 0;
};

namespace detail {

constexpr void read_first(std::byte first, frame_header& header) noexcept {
    const unsigned bits = std::to_integer<unsigned>(first);
    header.fin = (bits & 0x80U) != 0;
    header.rsv1 = (bits & rsv1_bit) != 0;
    header.rsv2 = (bits & rsv2_bit) != 0;
    header.rsv3 = (bits & rsv3_bit) != 0;
    header.op = static_cast<opcode>(bits & 0x0fU);
}

/// The payload length of the header at `from`, which has all bytes up to the key.
constexpr std::uint64_t read_length(const std::byte* from) noexcept {
    const unsigned field = std::to_integer<unsigned>(from[1]) & 0x7fU;
    return field <= 125 ? field : field == 126 ? load_be16(from + 2) : load_be64(from + 2);
}

} // namespace detail

/// Reads the header at the front of `bytes`, which may be any number of bytes. O(1).
[[nodiscard]] constexpr header_parse parse_header(const_bytes bytes) noexcept {
    header_parse parsed;
    if (bytes.size() < 2) return parsed;
    parsed.size = header_size_announced(bytes[1]);
    if (bytes.size() < parsed.size) return parsed;
    parsed.status = parse_status::complete;
    parsed.length_field = static_cast<std::uint8_t>(std::to_integer<unsigned>(bytes[1]) & 0x7fU);
    detail::read_first(bytes[0], parsed.header);
    parsed.header.payload_size = detail::read_length(bytes.data());
    parsed.header.masked = (std::to_integer<unsigned>(bytes[1]) & 0x80U) != 0;
    if (parsed.header.masked) {
        for (std::size_t i = 0; i < 4; ++i) parsed.header.key.bytes[i] = bytes[parsed.size - 4 + i];
    }
    return parsed;
}

} // namespace wsolo::inline WSOLO_ABI
