#pragma once
// Header fields as views over a head that was checked before: walked in order, found by name, split at
// commas.
//
// Laws of this file:
// - No table is kept: a lookup walks the head, O(its bytes), which the limits keep small. So any number of
//   fields costs no memory.
// - Names compare without regard to case, values come without the whitespace around them (RFC 9110 §5).
// - All views point into the head and live as long as it does.

#include "syntax.hpp"

#include <optional>

namespace wsolo::inline WSOLO_ABI {

/// Where every list of this room ends (<iterator>, which has such a type, costs every user 0.1 s of compile
/// time).
struct list_end {};

/// One header field, received or to be sent. Two views; it owns nothing.
struct header_field {
    std::string_view name;
    std::string_view value;
    friend constexpr bool operator==(const header_field&, const header_field&) noexcept = default;
};

/// The fields of one head, in their order. A range of header_field; a view.
class header_list {
public:
    class iterator {
    public:
        using value_type = header_field;
        using difference_type = std::ptrdiff_t;

        constexpr iterator() = default;
        constexpr explicit iterator(std::string_view lines) noexcept : rest_(lines) { ++*this; }
        [[nodiscard]] constexpr const header_field& operator*() const noexcept { return field_; }
        [[nodiscard]] constexpr const header_field* operator->() const noexcept { return &field_; }
        constexpr iterator& operator++() noexcept {
            const std::size_t end = rest_.find('\r'); // a legal head has it nowhere else
            const std::string_view line = rest_.substr(0, end);
            const std::size_t colon = line.find(':');
            field_ = {};
            if (colon != std::string_view::npos) {
                field_ = {line.substr(0, colon), detail::trim(line.substr(colon + 1))};
            }
            rest_.remove_prefix(end == std::string_view::npos ? rest_.size() : end + 2);
            return *this;
        }
        constexpr void operator++(int) noexcept { ++*this; }
        friend constexpr bool operator==(const iterator& at, list_end) noexcept {
            return at.field_.name.empty();
        }

    private:
        std::string_view rest_;
        header_field field_;
    };

    constexpr header_list() = default;
    /// `lines`: field lines that were found legal, each with its CR LF.
    constexpr explicit header_list(std::string_view lines) noexcept : lines_(lines) {}

    [[nodiscard]] constexpr iterator begin() const noexcept { return iterator(lines_); }
    [[nodiscard]] constexpr list_end end() const noexcept { return {}; }

    /// The first field of this name.
    [[nodiscard]] constexpr std::optional<std::string_view> find(std::string_view name) const noexcept {
        for (const header_field& field : *this) {
            if (detail::equals_ignoring_case(field.name, name)) return field.value;
        }
        return std::nullopt;
    }

    /// How many fields have this name.
    [[nodiscard]] constexpr std::size_t count(std::string_view name) const noexcept {
        std::size_t found = 0;
        for (const header_field& field : *this) {
            found += detail::equals_ignoring_case(field.name, name) ? 1U : 0U;
        }
        return found;
    }

private:
    std::string_view lines_;
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
            : field_(fields.begin()), name_(name), rest_(text) {
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
            for (; field_ != list_end(); ++field_) {
                if (!detail::equals_ignoring_case(field_->name, name_)) continue;
                rest_ = field_->value;
                ++field_;
                return true;
            }
            return false;
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
    [[nodiscard]] constexpr bool empty() const noexcept { return begin() == end(); }

    /// Whether `element` is among them, case regarded.
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
