// SPDX-License-Identifier: MIT
#pragma once
// The status codes of a Close frame (RFC 6455 §7.4 and the IANA registry that it founded).
//
// Laws of this file:
// - A close_code may hold any 16-bit number: applications own 3000 to 4999.
// - no_status, abnormal and tls_handshake are only reported to applications; they never go on the wire.

#include "../core/error.hpp"

#include <cstdint>
#include <string_view>

namespace wsolo::inline WSOLO_ABI {

/// Why a connection closes. 1012 to 1014 are in the IANA registry, not in the RFC.
enum class close_code : std::uint16_t {
    normal = 1000,
    going_away = 1001,
    protocol_error = 1002,
    unsupported_data = 1003,
    no_status = 1005,
    abnormal = 1006,
    invalid_payload = 1007,
    policy_violation = 1008,
    message_too_big = 1009,
    mandatory_extension = 1010,
    internal_error = 1011,
    service_restart = 1012,
    try_again_later = 1013,
    bad_gateway = 1014,
    tls_handshake = 1015,
};

/// Whether a Close frame may carry `code`: 1000-1003, 1007-1014, 3000-4999 (RFC 6455 §7.4.1, §7.4.2).
[[nodiscard]] constexpr bool may_be_sent(close_code code) noexcept {
    const auto number = static_cast<std::uint16_t>(code);
    return (number >= 1000 && number <= 1003) || (number >= 1007 && number <= 1014) ||
           (number >= 3000 && number <= 4999);
}

/// The code to send when `error` ends the connection; no_status when no Close frame can or need be sent.
[[nodiscard]] constexpr close_code close_code_for(errc error) noexcept {
    const std::uint16_t status = detail::row_of(error).close_status;
    return status == 0 ? close_code::no_status : static_cast<close_code>(status);
}

/// A few words for logs. A literal.
[[nodiscard]] constexpr std::string_view to_string(close_code code) noexcept {
    switch (code) {
    case close_code::normal: return "normal closure";
    case close_code::going_away: return "going away";
    case close_code::protocol_error: return "protocol error";
    case close_code::unsupported_data: return "unsupported data";
    case close_code::no_status: return "no status received";
    case close_code::abnormal: return "abnormal closure";
    case close_code::invalid_payload: return "invalid payload data";
    case close_code::policy_violation: return "policy violation";
    case close_code::message_too_big: return "message too big";
    case close_code::mandatory_extension: return "mandatory extension missing";
    case close_code::internal_error: return "internal error";
    case close_code::service_restart: return "service restart";
    case close_code::try_again_later: return "try again later";
    case close_code::bad_gateway: return "bad gateway";
    case close_code::tls_handshake: return "TLS handshake failed";
    }
    const auto number = static_cast<std::uint16_t>(code);
    if (number >= 3000 && number <= 3999) return "registered by a library or application";
    if (number >= 4000 && number <= 4999) return "private use";
    return "not a sendable status code";
}

} // namespace wsolo::inline WSOLO_ABI
