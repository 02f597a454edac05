// SPDX-License-Identifier: MIT
#pragma once
// Header fields as views, over a head that was checked before or over the fields that another parser found: walked in
// order, found by name, split at commas.
//
// Laws of this file:
// - No table is kept: a lookup walks the fields, O(their bytes), which the limits keep small. So any number
//   of fields costs no memory. No list that a peer can lengthen is walked once for each of its own elements.
// - Names compare without regard to case, values come without the whitespace around them (RFC 9110 §5).
// - All views point into the head and live as long as it does.

#include "syntax.hpp"

#include <concepts>
#include <optional>
#include <span>

namespace wsolo::inline WSOLO_ABI {

/// Where every list of this room ends (<iterator>, which has such a type, costs every user 0.1 s of compile
/// time).
struct list_end {};

/// One header field, received or to be sent. Two views; it owns nothing.
struct header_field {
    /// Views of what was parsed; the value without the white space around it.
    std::string_view name;
    std::string_view value;
    friend constexpr bool operator==(const header_field&, const header_field&) noexcept = default;
};

/// The fields of one message, in their order. A range of header_field; a view.
class header_list {
public:
    class iterator {
    public:
        using value_type = header_field;
        using difference_type = std::ptrdiff_t;

        constexpr iterator() = default;
        [[nodiscard]] constexpr const header_field& operator*() const noexcept { return field_; }
        [[nodiscard]] constexpr const header_field* operator->() const noexcept { return &field_; }
        constexpr iterator& operator++() noexcept {
            if (parsed_size_ != 0) {
                field_ = {parsed_->name, detail::trim(parsed_->value)};
                skip_parsed();
                return *this;
            }
            const std::size_t end = rest_.find('\r'); // a legal head has it nowhere else
            ended_ = end == std::string_view::npos;
            if (ended_) return *this;
            const std::string_view line = rest_.substr(0, end);
            const std::size_t colon = line.find(':');
            field_ = {line.substr(0, colon), detail::trim(line.substr(colon + 1))};
            rest_.remove_prefix(end + 2);
            return *this;
        }
        constexpr void operator++(int) noexcept { ++*this; }
        friend constexpr bool operator==(const iterator& at, list_end) noexcept { return at.ended_; }

    private:
        friend class header_list;
        friend class element_list;

        constexpr explicit iterator(const header_list& fields) noexcept
            : rest_(fields.lines_),
              parsed_(fields.parsed_),
              parsed_size_(fields.parsed_size_),
              ended_(false) {
            ++*this;
        }
        /// At the first field of this name.
        constexpr iterator(const header_list& fields, std::string_view name) noexcept
            : rest_(fields.lines_),
              parsed_(fields.parsed_),
              parsed_size_(fields.parsed_size_),
              ended_(false) {
            seek(name);
        }
        /// To the next field of this name. Only that one is taken apart.
        constexpr void seek(std::string_view name) noexcept {
            while (parsed_size_ != 0 && !detail::equals_ignoring_case(parsed_->name, name)) skip_parsed();
            while (!rest_.empty() && !begins_with_field(name)) {
                const std::size_t end = rest_.find('\r');
                rest_.remove_prefix(end == std::string_view::npos ? rest_.size() : end + 2);
            }
            ++*this;
        }
        [[nodiscard]] constexpr bool begins_with_field(std::string_view name) const noexcept {
            return rest_.size() > name.size() && rest_[name.size()] == ':' &&
                   detail::equals_ignoring_case(rest_.substr(0, name.size()), name);
        }

        constexpr void skip_parsed() noexcept {
            ++parsed_;
            --parsed_size_;
        }

        std::string_view rest_;
        const header_field* parsed_ = nullptr;
        std::size_t parsed_size_ = 0;
        header_field field_;
        bool ended_ = true;
    };

    constexpr header_list() = default;
    /// `lines`: field lines that were found legal, each with its CR LF.
    constexpr explicit header_list(std::string_view lines) noexcept : lines_(lines) {}
    /// `fields`: what another parser found, an array or vector of header_field that lives as long as this list.
    /// White space around values is left out here too.
    template <class Fields>
        requires(!std::same_as<Fields, header_list> &&
                 std::convertible_to<const Fields&, std::span<const header_field>>)
    constexpr header_list(const Fields& fields) noexcept {
        const std::span<const header_field> all(fields);
        parsed_ = all.data();
        parsed_size_ = all.size();
    }

    [[nodiscard]] constexpr iterator begin() const noexcept { return iterator(*this); }
    [[nodiscard]] constexpr list_end end() const noexcept { return {}; }

    /// The first field of this name.
    [[nodiscard]] constexpr std::optional<std::string_view> find(std::string_view name) const noexcept {
        const iterator first(*this, name);
        return first == end() ? std::nullopt : std::optional(first->value);
    }

    /// How many fields have this name.
    [[nodiscard]] constexpr std::size_t count(std::string_view name) const noexcept {
        std::size_t found = 0;
        for (iterator at(*this, name); at != end(); at.seek(name)) ++found;
        return found;
    }

private:
    std::string_view lines_; // it or what is parsed is empty
    const header_field* parsed_ =
        nullptr; // and a size: the checks of a span's iterators cost each source 10 ms
    std::size_t parsed_size_ = 0;
};

/// The elements of a comma-separated list, of one text or of all fields of one name together, which mean
/// the same (RFC 9110 §5.3). Empty elements are skipped (§5.6.1.2). A range of std::string_view; a view.
class element_list {
public:
    class iterator {
    public:
        using value_type = std::string_view;
        using difference_type = std::ptrdiff_t;

        constexpr iterator() = default;
        constexpr iterator(header_list fields, std::string_view name, std::string_view text) noexcept
            : field_(fields, name), name_(name), rest_(text) {
            ++*this;
        }
        [[nodiscard]] constexpr std::string_view operator*() const noexcept { return element_; }
        constexpr iterator& operator++() noexcept {
            do {
                while (!rest_.empty()) {
                    const std::size_t comma = rest_.find(',');
                    element_ = detail::trim(rest_.substr(0, comma));
                    rest_.remove_prefix(comma == std::string_view::npos ? rest_.size() : comma + 1);
                    if (!element_.empty()) return *this;
                }
            } while (next_field());
            element_ = {};
            return *this;
        }
        constexpr void operator++(int) noexcept { ++*this; }
        friend constexpr bool operator==(const iterator& at, list_end) noexcept {
            return at.element_.empty();
        }

    private:
        constexpr bool next_field() noexcept {
            if (field_ == list_end()) return false;
            rest_ = field_->value;
            field_.seek(name_);
            return true;
        }

        header_list::iterator field_;
        std::string_view name_;
        std::string_view rest_;
        std::string_view element_;
    };

    constexpr element_list() = default;
    constexpr explicit element_list(std::string_view text) noexcept : text_(text) {}
    /// `name` must live as long as the list: a literal, for instance.
    constexpr element_list(header_list fields, std::string_view name) noexcept
        : fields_(fields), name_(name) {}

    [[nodiscard]] constexpr iterator begin() const noexcept { return {fields_, name_, text_}; }
    [[nodiscard]] constexpr list_end end() const noexcept { return {}; }
    /// Whether nothing is in it.
    [[nodiscard]] constexpr bool empty() const noexcept { return begin() == end(); }

    /// Whether `element` is among them, in the same case.
    [[nodiscard]] constexpr bool contains(std::string_view element) const noexcept {
        for (const std::string_view mine : *this) {
            if (mine == element) return true;
        }
        return false;
    }

    /// Whether `element` is among them, whatever its case.
    [[nodiscard]] constexpr bool contains_ignoring_case(std::string_view element) const noexcept {
        for (const std::string_view mine : *this) {
            if (detail::equals_ignoring_case(mine, element)) return true;
        }
        return false;
    }

private:
    header_list fields_;
    std::string_view name_;
    std::string_view text_;
};

namespace detail {

/// 1#element: at least one, and each of the form that `is_legal` demands.
template <class Predicate>
[[nodiscard]] constexpr bool is_list_of(const element_list& elements, Predicate is_legal) noexcept {
    for (const std::string_view element : elements) {
        if (!is_legal(element)) return false;
    }
    return !elements.empty();
}

} // namespace detail
} // namespace wsolo::inline WSOLO_ABI
