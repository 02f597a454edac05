#pragma once
// The first line of a head: a request line or a status line (RFC 9112 §3, §4).
//
// Laws of this file:
// - Exactly one space between the parts, none elsewhere; "HTTP" in capitals.
// - Any HTTP/1.x is read here; who needs 1.1 asks for the minor version.

#include "../core/result.hpp"
#include "syntax.hpp"

namespace wsolo::inline WSOLO_ABI {
namespace detail {

struct request_line {
    std::string_view method;
    std::string_view target;
    int minor_version = 1;
};

struct status_line {
    int minor_version = 1;
    int status = 0;
    std::string_view reason;
};

/// HTTP-version (RFC 9112 §2.3): the minor version of HTTP/1.x, errc::handshake_http_version for another
/// major one.
[[nodiscard]] constexpr result<int> parse_http_version(std::string_view text) noexcept {
    const bool legal = text.size() == 8 && text.starts_with("HTTP/") && is_digit(text[5]) && text[6] == '.' &&
                       is_digit(text[7]);
    if (!legal) return errc::handshake_invalid_start_line;
    if (text[5] != '1') return errc::handshake_http_version;
    return text[7] - '0';
}

/// method SP request-target SP HTTP-version. Any method and any form of target that HTTP knows.
[[nodiscard]] constexpr result<request_line> parse_request_line(std::string_view line) noexcept {
    const std::size_t method_end = line.find(' ');
    const std::size_t target_end = line.rfind(' ');
    if (method_end == target_end) return errc::handshake_invalid_start_line;
    request_line parsed;
    parsed.method = line.substr(0, method_end);
    parsed.target = line.substr(method_end + 1, target_end - method_end - 1);
    if (!is_token(parsed.method) || !is_target(parsed.target)) return errc::handshake_invalid_start_line;
    const result<int> minor_version = parse_http_version(line.substr(target_end + 1));
    if (!minor_version) return minor_version.error();
    parsed.minor_version = *minor_version;
    return parsed;
}

/// HTTP-version SP 3DIGIT SP [ reason-phrase ]
[[nodiscard]] constexpr result<status_line> parse_status_line(std::string_view line) noexcept {
    constexpr std::size_t version_size = 8;
    constexpr std::size_t reason_at = 13;
    const result<int> minor_version = parse_http_version(line.substr(0, version_size));
    if (!minor_version) return minor_version.error();
    if (line.size() < reason_at || line[version_size] != ' ' || line[reason_at - 1] != ' ') {
        return errc::handshake_invalid_start_line;
    }
    const std::string_view digits = line.substr(version_size + 1, 3);
    const std::string_view reason = line.substr(reason_at);
    if (!is_number(digits) || digits[0] == '0' || !is_field_value(reason)) {
        return errc::handshake_invalid_start_line;
    }
    const int status = (digits[0] - '0') * 100 + (digits[1] - '0') * 10 + (digits[2] - '0');
    return status_line{*minor_version, status, reason};
}

} // namespace detail
} // namespace wsolo::inline WSOLO_ABI
