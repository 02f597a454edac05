// SPDX-License-Identifier: MIT
#pragma once
// The first line of a head: a request line or a status line (RFC 9112 §3, §4).
//
// Laws of this file:
// - Exactly one space between the parts, none elsewhere; "HTTP" in capitals.
// - Any HTTP/1.x is read here; a caller that needs 1.1 checks the version.
// - A status line without a phrase may lack the space before it too: every client accepts that.

#include "../core/result.hpp"
#include "target.hpp"

namespace wsolo::inline WSOLO_ABI {

/// What a message's version means (RFC 9110 §2.5: a higher minor version counts as the highest known). Over
/// HTTP/2 and HTTP/3 a WebSocket is asked for by an extended CONNECT (RFC 8441, RFC 9220).
enum class http_version : std::uint8_t { v1_0, v1_1, v2, v3 };

namespace detail {

struct request_line {
    std::string_view method;
    std::string_view target;
    http_version version = http_version::v1_1;
};

struct status_line {
    http_version version = http_version::v1_1;
    int status = 0;
    std::string_view reason;
};

/// HTTP-version (RFC 9112 §2.3); errc::handshake_http_version for another major one than 1.
[[nodiscard]] constexpr result<http_version> parse_http_version(std::string_view text) noexcept {
    const bool legal = text.size() == 8 && text.starts_with("HTTP/") && is_digit(text[5]) && text[6] == '.' &&
                       is_digit(text[7]);
    if (!legal) return errc::handshake_invalid_start_line;
    if (text[5] != '1') return errc::handshake_http_version;
    return text[7] == '0' ? http_version::v1_0 : http_version::v1_1;
}

/// method SP request-target SP HTTP-version. Any method; the target is any visible ASCII without "#".
[[nodiscard]] constexpr result<request_line> parse_request_line(std::string_view line) noexcept {
    const std::size_t method_end = line.find(' ');
    const std::size_t target_end = line.rfind(' ');
    if (method_end == target_end) return errc::handshake_invalid_start_line;
    request_line parsed;
    parsed.method = line.substr(0, method_end);
    parsed.target = line.substr(method_end + 1, target_end - method_end - 1);
    if (!is_token(parsed.method) || !is_target(parsed.target)) return errc::handshake_invalid_start_line;
    const result<http_version> version = parse_http_version(line.substr(target_end + 1));
    if (!version) return version.error();
    parsed.version = *version;
    return parsed;
}

/// HTTP-version SP 3DIGIT [ SP [ reason-phrase ] ]
[[nodiscard]] constexpr result<status_line> parse_status_line(std::string_view line) noexcept {
    constexpr std::size_t version_size = 8;
    constexpr std::size_t digits_end = version_size + 1 + 3;
    const result<http_version> version = parse_http_version(line.substr(0, version_size));
    if (!version) return version.error();
    const bool phrase = line.size() > digits_end;
    if (line.size() < digits_end || line[version_size] != ' ' || (phrase && line[digits_end] != ' ')) {
        return errc::handshake_invalid_start_line;
    }
    const std::string_view digits = line.substr(version_size + 1, 3);
    const std::string_view reason = phrase ? line.substr(digits_end + 1) : std::string_view();
    if (!is_number(digits) || digits[0] == '0' || !is_field_value(reason)) {
        return errc::handshake_invalid_start_line;
    }
    const int status = (digits[0] - '0') * 100 + (digits[1] - '0') * 10 + (digits[2] - '0');
    return status_line{*version, status, reason};
}

} // namespace detail
} // namespace wsolo::inline WSOLO_ABI
