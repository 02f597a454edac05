#pragma once
// The small forms of HTTP that a handshake is made of: characters, tokens, hosts, targets, optional
// whitespace.
//
// Laws of this file:
// - ASCII only, whatever the locale; everything is usable in constant expressions.
// - A form is accepted exactly as its grammar has it. Where HTTP asks for leniency, the parser that grants
//   it says so.

#include "../core/config.hpp"

#include <cstddef>
#include <initializer_list>
#include <string_view>

namespace wsolo::inline WSOLO_ABI {
namespace detail {

[[nodiscard]] constexpr bool is_digit(char c) noexcept { return c >= '0' && c <= '9'; }

[[nodiscard]] constexpr char to_lower(char c) noexcept {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

[[nodiscard]] constexpr bool is_letter_or_digit(char c) noexcept {
    return (to_lower(c) >= 'a' && to_lower(c) <= 'z') || is_digit(c);
}

/// tchar (RFC 9110 §5.6.2)
[[nodiscard]] constexpr bool is_token_char(char c) noexcept {
    return is_letter_or_digit(c) || std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
}

/// What a field's value may hold: VCHAR, SP, HTAB, obs-text (RFC 9110 §5.5). Not CR, LF, NUL or another
/// control.
[[nodiscard]] constexpr bool is_value_char(char c) noexcept {
    const auto byte = static_cast<unsigned char>(c);
    return c == '\t' || (byte >= 0x20 && byte != 0x7f);
}

template <class Predicate>
[[nodiscard]] constexpr bool all_of(std::string_view text, Predicate holds) noexcept {
    for (const char c : text) {
        if (!holds(c)) return false;
    }
    return true;
}

[[nodiscard]] constexpr bool is_token(std::string_view text) noexcept {
    return !text.empty() && all_of(text, is_token_char);
}

[[nodiscard]] constexpr bool is_field_value(std::string_view text) noexcept {
    return all_of(text, is_value_char);
}

/// 1*DIGIT
[[nodiscard]] constexpr bool is_number(std::string_view text) noexcept {
    return !text.empty() && all_of(text, is_digit);
}

/// Field names, `Upgrade` and `Connection` compare this way (RFC 6455 §4.2.1, RFC 9110 §5.1).
[[nodiscard]] constexpr bool equals_ignoring_case(std::string_view a, std::string_view b) noexcept {
    if (a.size() != b.size()) return false;
    for (std::size_t i = 0; i < a.size(); ++i) {
        if (to_lower(a[i]) != to_lower(b[i])) return false;
    }
    return true;
}

/// Without the spaces and tabs around it (OWS, RFC 9110 §5.6.3).
[[nodiscard]] constexpr std::string_view trim(std::string_view text) noexcept {
    const auto is_space = [](char c) { return c == ' ' || c == '\t'; };
    while (!text.empty() && is_space(text.front())) text.remove_prefix(1);
    while (!text.empty() && is_space(text.back())) text.remove_suffix(1);
    return text;
}

/// A request target's characters: visible ASCII, and no fragment (RFC 9112 §3.2, RFC 6455 §3). Browsers
/// send `|`, `{` and their like unescaped, so the finer grammar of RFC 3986 is not enforced.
[[nodiscard]] constexpr bool is_target(std::string_view text) noexcept {
    return !text.empty() && all_of(text, [](char c) { return c > 0x20 && c < 0x7f && c != '#'; });
}

/// uri-host [ ":" port ] with a host that is not empty (RFC 9110 §7.2, RFC 3986 §3.2.2). No user
/// information.
[[nodiscard]] constexpr bool is_host(std::string_view text) noexcept {
    std::size_t end = 0;
    if (text.starts_with('[')) {
        end = text.find(']');
        if (end == std::string_view::npos || end == 1) return false;
        const auto is_ip_char = [](char c) {
            return is_digit(c) || (to_lower(c) >= 'a' && to_lower(c) <= 'f') || c == ':' || c == '.';
        };
        if (!all_of(text.substr(1, end - 1), is_ip_char)) return false;
        ++end;
    } else {
        end = text.find(':') < text.size() ? text.find(':') : text.size();
        const auto is_name_char = [](char c) {
            return is_letter_or_digit(c) ||
                   std::string_view("-._~%!$&'()*+,;=").find(c) != std::string_view::npos;
        };
        if (end == 0 || !all_of(text.substr(0, end), is_name_char)) return false;
    }
    const std::string_view port = text.substr(end);
    return port.empty() || (port.front() == ':' && all_of(port.substr(1), is_digit));
}

/// A target cut into the host that it names ("" in origin-form) and the resource name (RFC 6455 §3, RFC
/// 9112 §3.2).
struct target_parts {
    std::string_view host;
    std::string_view resource;
    bool legal = false;
};

/// origin-form ("/chat?x") or absolute-form ("http://host/chat"); the other forms are not legal for an
/// upgrade.
[[nodiscard]] constexpr target_parts split_target(std::string_view target) noexcept {
    if (!is_target(target)) return {};
    if (target.front() == '/') return {{}, target, true};
    for (const std::string_view scheme : {std::string_view("http://"), std::string_view("https://")}) {
        if (!equals_ignoring_case(target.substr(0, scheme.size()), scheme)) continue;
        const std::string_view rest = target.substr(scheme.size());
        const std::size_t end = rest.find_first_of("/?");
        const std::string_view host = rest.substr(0, end);
        return {host, end < rest.size() ? rest.substr(end) : std::string_view("/"), is_host(host)};
    }
    return {};
}

} // namespace detail
} // namespace wsolo::inline WSOLO_ABI
