// SPDX-License-Identifier: MIT
#pragma once
// The small forms of HTTP that a handshake is made of: characters, tokens, values, optional white space.
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

/// The text without the spaces and tabs around it (OWS, RFC 9110 §5.6.3).
[[nodiscard]] constexpr std::string_view trim(std::string_view text) noexcept {
    const auto is_space = [](char c) { return c == ' ' || c == '\t'; };
    while (!text.empty() && is_space(text.front())) text.remove_prefix(1);
    while (!text.empty() && is_space(text.back())) text.remove_suffix(1);
    return text;
}

} // namespace detail
} // namespace wsolo::inline WSOLO_ABI
