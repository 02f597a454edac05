// SPDX-License-Identifier: MIT
#pragma once
// Hosts as URIs and the Host field have them: a name or an address, and perhaps a port (RFC 3986 §3.2.2, RFC
// 9110 §7.2).
//
// Laws of this file:
// - A form is accepted exactly as its grammar has it: escapes are whole, addresses have all their groups. No
//   user information, and no zone (RFC 9844 took it out of URIs).
// - Nothing is resolved or normalized; names compare without regard to case (RFC 9110 §4.2.3).

#include "syntax.hpp"

#include <cstdint>

namespace wsolo::inline WSOLO_ABI {
namespace detail {

[[nodiscard]] constexpr bool is_hex_digit(char c) noexcept {
    return is_digit(c) || (to_lower(c) >= 'a' && to_lower(c) <= 'f');
}

/// unreserved / sub-delims (RFC 3986 §2.2, §2.3)
[[nodiscard]] constexpr bool is_plain_host_char(char c) noexcept {
    return is_letter_or_digit(c) || std::string_view("-._~!$&'()*+,;=").find(c) != std::string_view::npos;
}

/// reg-name, but not the empty one: *( unreserved / pct-encoded / sub-delims )
[[nodiscard]] constexpr bool is_reg_name(std::string_view text) noexcept {
    if (text.empty()) return false;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (is_plain_host_char(text[i])) continue;
        const bool escape = text[i] == '%' && text.size() - i > 2;
        if (!escape || !is_hex_digit(text[i + 1]) || !is_hex_digit(text[i + 2])) return false;
        i += 2;
    }
    return true;
}

/// IPv4address: four dec-octets, without leading zeros.
[[nodiscard]] constexpr bool is_ipv4(std::string_view text) noexcept {
    for (int octet = 0; octet < 4; ++octet) {
        const std::size_t dot = octet < 3 ? text.find('.') : text.size();
        if (dot == std::string_view::npos || dot == 0 || dot > 3) return false;
        const std::string_view digits = text.substr(0, dot);
        if (!is_number(digits) || (dot > 1 && digits.front() == '0')) return false;
        if (dot == 3 && digits > "255") return false;
        text.remove_prefix(octet < 3 ? dot + 1 : dot);
    }
    return true;
}

/// IPv6address: eight groups of up to four digits, of which one run may be left out as "::"; the last two
/// may be an IPv4address.
[[nodiscard]] constexpr bool is_ipv6(std::string_view text) noexcept {
    int groups = 0;
    bool elided = text.starts_with("::");
    if (elided) text.remove_prefix(2);
    while (!(elided && text.empty())) {
        const std::size_t colon = text.find(':');
        const std::string_view group = text.substr(0, colon);
        if (colon == std::string_view::npos && is_ipv4(group)) {
            groups += 2;
            break;
        }
        if (group.empty() || group.size() > 4 || !all_of(group, is_hex_digit)) return false;
        ++groups;
        if (colon == std::string_view::npos) break;
        text.remove_prefix(colon + 1);
        if (!text.starts_with(':')) {
            if (text.empty()) return false; // a colon at the end
            continue;
        }
        if (elided) return false;
        elided = true;
        text.remove_prefix(1);
    }
    return elided ? groups <= 7 : groups == 8;
}

/// IPvFuture: "v" 1*HEXDIG "." 1*( unreserved / sub-delims / ":" )
[[nodiscard]] constexpr bool is_ip_future(std::string_view text) noexcept {
    const std::size_t dot = text.find('.');
    if (text.empty() || to_lower(text.front()) != 'v' || dot == std::string_view::npos || dot < 2)
        return false;
    const std::string_view address = text.substr(dot + 1);
    return all_of(text.substr(1, dot - 1), is_hex_digit) && !address.empty() &&
           all_of(address, [](char c) { return c == ':' || is_plain_host_char(c); });
}

/// uri-host [ ":" port ], cut in two.
struct host_parts {
    std::string_view host; ///< with the brackets of an address
    std::string_view port; ///< empty when there is none
    bool legal = false;
};

[[nodiscard]] constexpr host_parts split_host(std::string_view text) noexcept {
    const std::size_t bracket = text.find(']');
    const bool literal = text.starts_with('[');
    if (literal && bracket == std::string_view::npos) return {};
    const std::size_t colon = text.find(':', literal ? bracket : 0);
    const std::string_view host = text.substr(0, colon);
    const std::string_view port =
        colon == std::string_view::npos ? std::string_view() : text.substr(colon + 1);
    bool legal = all_of(port, is_digit);
    if (literal) {
        const std::string_view address = host.substr(1, bracket - 1);
        legal = legal && host.size() == bracket + 1 && (is_ipv6(address) || is_ip_future(address));
    } else {
        legal = legal && is_reg_name(host);
    }
    return {host, port, legal};
}

/// A host that is not empty, with or without a port.
[[nodiscard]] constexpr bool is_host(std::string_view text) noexcept { return split_host(text).legal; }

/// The port as a number, `without` where the text has none; -1 beyond 65535.
[[nodiscard]] constexpr std::int32_t port_number(std::string_view digits, std::int32_t without) noexcept {
    if (digits.empty()) return without;
    std::int32_t port = 0;
    for (const char c : digits) {
        port = port * 10 + (c - '0');
        if (port > 65535) return -1;
    }
    return port;
}

} // namespace detail
} // namespace wsolo::inline WSOLO_ABI
