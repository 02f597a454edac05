// SPDX-License-Identifier: MIT
#pragma once
// The four bits that say what a frame is (RFC 6455 §5.2, §11.8).
//
// Laws of this file:
// - An opcode value may be any of the sixteen: what arrives is stored as it is, and judged by check.hpp.

#include "../core/config.hpp"

#include <cstdint>
#include <string_view>

namespace wsolo::inline WSOLO_ABI {

/// What a frame is (RFC 6455 §5.2). Values not listed are reserved.
enum class opcode : std::uint8_t { continuation = 0, text = 1, binary = 2, close = 8, ping = 9, pong = 10 };

/// Close, Ping and Pong, and the reserved opcodes 11 to 15 (RFC 6455 §5.5): the high bit is set.
[[nodiscard]] constexpr bool is_control(opcode op) noexcept { return (static_cast<unsigned>(op) & 8U) != 0; }

/// Continuation, text and binary, and the reserved opcodes 3 to 7 (RFC 6455 §5.6).
[[nodiscard]] constexpr bool is_data(opcode op) noexcept { return !is_control(op); }

/// Opcodes that nothing defines: 3 to 7 and 11 to 15 (RFC 6455 §5.2).
[[nodiscard]] constexpr bool is_reserved(opcode op) noexcept {
    constexpr unsigned defined = 0b0000'0111'0000'0111;
    return static_cast<unsigned>(op) > 15 || (defined >> static_cast<unsigned>(op) & 1U) == 0;
}

/// The RFC's word for it, for logs. A literal.
[[nodiscard]] constexpr std::string_view to_string(opcode op) noexcept {
    switch (op) {
    case opcode::continuation: return "continuation";
    case opcode::text: return "text";
    case opcode::binary: return "binary";
    case opcode::close: return "close";
    case opcode::ping: return "ping";
    case opcode::pong: return "pong";
    }
    return "reserved";
}

} // namespace wsolo::inline WSOLO_ABI
