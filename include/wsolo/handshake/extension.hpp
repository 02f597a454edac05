// SPDX-License-Identifier: MIT
#pragma once
// Sec-WebSocket-Extensions (RFC 6455 §9.1): a list of extensions, each a name and its parameters.
//
// Laws of this file:
// - A parameter's value is a token, also where it is quoted; so no comma or semicolon is ever part of a
//   value, and the text can be cut at them.
// - White space is allowed around every delimiter (RFC 6455 §4.3 takes RFC 2616's implied *LWS).

#include "header_list.hpp"

#include <cstdint>

namespace wsolo::inline WSOLO_ABI {

/// A parameter's value: a token, which a quoted-string may hold with backslashes that count for nothing (RFC
/// 6455 §9.1: `"1\0"` is 10). A range of char, unescaped; a view.
class param_value {
public:
    class iterator {
    public:
        using value_type = char;
        using difference_type = std::ptrdiff_t;

        constexpr iterator() = default;
        constexpr explicit iterator(std::string_view text) noexcept
            : at_(text.data()), end_(text.data() + text.size()) {
            skip();
        }
        [[nodiscard]] constexpr char operator*() const noexcept { return *at_; }
        constexpr iterator& operator++() noexcept {
            ++at_;
            skip();
            return *this;
        }
        constexpr iterator operator++(int) noexcept {
            const iterator before = *this;
            ++*this;
            return before;
        }
        friend constexpr bool operator==(const iterator& left, const iterator& right) noexcept {
            return left.at_ == right.at_;
        }

    private:
        /// A backslash says only that the next character is itself.
        constexpr void skip() noexcept {
            if (end_ - at_ > 1 && *at_ == '\\') ++at_;
        }

        const char* at_ = nullptr;
        const char* end_ = nullptr;
    };

    constexpr param_value() = default;
    /// `text`: a token, or a quoted-string with its quotes.
    constexpr explicit param_value(std::string_view text) noexcept : text_(text) {
        const bool quoted = text.size() >= 2 && text.front() == '"' && text.back() == '"';
        if (quoted) text_ = text.substr(1, text.size() - 2);
    }

    [[nodiscard]] constexpr iterator begin() const noexcept { return iterator(text_); }
    [[nodiscard]] constexpr iterator end() const noexcept { return iterator(text_.substr(text_.size())); }
    /// Whether nothing is in it.
    [[nodiscard]] constexpr bool empty() const noexcept { return text_.empty(); }
    /// As it was sent, without the quotes.
    [[nodiscard]] constexpr std::string_view raw() const noexcept { return text_; }

    /// Whether it is this token, however it was escaped.
    friend constexpr bool operator==(const param_value& value, std::string_view token) noexcept {
        for (const char c : value) {
            if (!token.starts_with(c)) return false;
            token.remove_prefix(1);
        }
        return token.empty();
    }

    /// The number that its digits are; nothing for another token, a leading zero (RFC 7692 §7.1.2 refuses
    /// them) or more than nine digits.
    template <class Number = std::uint32_t> // only the sources that call it instantiate the std::optional
    [[nodiscard]] constexpr std::optional<Number> number() const noexcept {
        std::uint32_t value = 0;
        int digits = 0;
        for (const char c : *this) {
            if (!detail::is_digit(c) || digits == 9 || (digits == 1 && value == 0)) return std::nullopt;
            value = value * 10 + static_cast<std::uint32_t>(c - '0');
            ++digits;
        }
        return digits == 0 ? std::nullopt : std::optional<Number>(value);
    }

private:
    std::string_view text_;
};

/// One parameter of an extension. Views.
struct extension_param {
    /// A token; compare it without regard to case.
    std::string_view name;
    /// Without quotes and escapes.
    param_value value;
    /// False for a parameter that is a name alone.
    bool has_value = false;
};

/// The parameters of one extension. A range of extension_param; a view.
class extension_params {
public:
    class iterator {
    public:
        using value_type = extension_param;
        using difference_type = std::ptrdiff_t;

        constexpr iterator() = default;
        constexpr explicit iterator(std::string_view text) noexcept : rest_(text), ended_(false) { ++*this; }
        [[nodiscard]] constexpr const extension_param& operator*() const noexcept { return param_; }
        [[nodiscard]] constexpr const extension_param* operator->() const noexcept { return &param_; }
        constexpr iterator& operator++() noexcept {
            ended_ = rest_.empty();
            if (ended_) return *this;
            rest_.remove_prefix(1); // the semicolon
            const std::string_view text = rest_.substr(0, rest_.find(';'));
            rest_.remove_prefix(text.size());
            const std::size_t equals = text.find('=');
            param_ = {detail::trim(text.substr(0, equals)), {}, equals != std::string_view::npos};
            if (param_.has_value) param_.value = param_value(detail::trim(text.substr(equals + 1)));
            return *this;
        }
        constexpr void operator++(int) noexcept { ++*this; }
        friend constexpr bool operator==(const iterator& at, list_end) noexcept { return at.ended_; }

    private:
        std::string_view rest_;
        extension_param param_;
        bool ended_ = true;
    };

    constexpr extension_params() = default;
    /// `text`: what follows the extension's name, from the first semicolon on.
    constexpr explicit extension_params(std::string_view text) noexcept : text_(text) {}

    [[nodiscard]] constexpr iterator begin() const noexcept { return iterator(text_); }
    [[nodiscard]] constexpr list_end end() const noexcept { return {}; }

private:
    std::string_view text_;
};

/// One extension, offered or agreed on. A view.
class extension {
public:
    constexpr extension() = default;
    constexpr explicit extension(std::string_view text) noexcept : text_(text) {}

    /// As it stands in the header: "permessage-deflate; client_max_window_bits".
    [[nodiscard]] constexpr std::string_view text() const noexcept { return text_; }
    [[nodiscard]] constexpr std::string_view name() const noexcept {
        return detail::trim(text_.substr(0, text_.find(';')));
    }
    [[nodiscard]] constexpr extension_params params() const noexcept {
        const std::size_t semicolon = text_.find(';');
        return extension_params(semicolon == std::string_view::npos ? std::string_view()
                                                                    : text_.substr(semicolon));
    }
    /// The first parameter of this name.
    template <class Param = extension_param> // as number()
    [[nodiscard]] constexpr std::optional<Param> param(std::string_view name) const noexcept {
        for (const extension_param& each : params()) {
            if (each.name == name) return each;
        }
        return std::nullopt;
    }

private:
    std::string_view text_;
};

/// Extensions in the order of preference (RFC 6455 §9.1). A range of extension; a view.
class extension_list {
public:
    class iterator {
    public:
        using value_type = extension;
        using difference_type = std::ptrdiff_t;

        constexpr iterator() = default;
        constexpr explicit iterator(element_list::iterator at) noexcept : at_(at) {}
        [[nodiscard]] constexpr extension operator*() const noexcept { return extension(*at_); }
        constexpr iterator& operator++() noexcept {
            ++at_;
            return *this;
        }
        constexpr void operator++(int) noexcept { ++*this; }
        friend constexpr bool operator==(const iterator& at, list_end) noexcept {
            return at.at_ == list_end();
        }

    private:
        element_list::iterator at_;
    };

    constexpr extension_list() = default;
    constexpr explicit extension_list(element_list elements) noexcept : elements_(elements) {}

    [[nodiscard]] constexpr iterator begin() const noexcept { return iterator(elements_.begin()); }
    [[nodiscard]] constexpr list_end end() const noexcept { return {}; }
    /// Whether nothing is in it.
    [[nodiscard]] constexpr bool empty() const noexcept { return elements_.empty(); }

    /// The first extension of this name.
    template <class Extension = extension> // as param_value::number()
    [[nodiscard]] constexpr std::optional<Extension> find(std::string_view name) const noexcept {
        for (const extension each : *this) {
            if (each.name() == name) return each;
        }
        return std::nullopt;
    }

private:
    element_list elements_;
};

namespace detail {

/// Whether each of `chosen` has the name of one that was offered. The search for one goes on where the last one
/// was found: O(both) in the offer's order, which a server that takes what it is offered keeps.
[[nodiscard]] constexpr bool are_all_offered(const extension_list& chosen,
                                             const extension_list& offered) noexcept {
    std::size_t count = 0;
    for ([[maybe_unused]] const extension each : offered) ++count;
    extension_list::iterator at = offered.begin();
    for (const extension each : chosen) {
        const std::string_view name = each.name();
        std::size_t left = count;
        for (; left > 0; --left) {
            if (at == offered.end()) at = offered.begin();
            if ((*at).name() == name) break;
            ++at;
        }
        if (left == 0) return false;
    }
    return true;
}

/// A quoted-string's inside that is a token once its escapes are undone (RFC 6455 §9.1).
[[nodiscard]] constexpr bool is_escaped_token(std::string_view text) noexcept {
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] == '\\') ++i;
        if (i == text.size() || !is_token_char(text[i])) return false;
    }
    return !text.empty();
}

/// extension-param's value = token / quoted-string
[[nodiscard]] constexpr bool is_param_value(std::string_view text) noexcept {
    if (!text.starts_with('"')) return is_token(text);
    return text.size() >= 2 && text.back() == '"' && is_escaped_token(text.substr(1, text.size() - 2));
}

/// extension = token *( ";" token [ "=" ( token / quoted-string ) ] )
[[nodiscard]] constexpr bool is_extension(std::string_view text) noexcept {
    if (!is_token(extension(text).name())) return false;
    while (true) {
        const std::size_t semicolon = text.find(';');
        if (semicolon == std::string_view::npos) return true;
        text.remove_prefix(semicolon + 1);
        const std::string_view param = text.substr(0, text.find(';'));
        const std::size_t equals = param.find('=');
        if (!is_token(trim(param.substr(0, equals)))) return false;
        if (equals != std::string_view::npos && !is_param_value(trim(param.substr(equals + 1)))) return false;
    }
}

} // namespace detail
} // namespace wsolo::inline WSOLO_ABI
