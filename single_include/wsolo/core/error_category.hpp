// Written by tools/amalgamate.py from include/wsolo/core/error_category.hpp: change it there.
// SPDX-License-Identifier: MIT
#pragma once
// errc as a std::error_code: for callers whose errors already travel that way.
// Not part of wsolo.hpp: it brings <string> and <system_error>.

#include "../wsolo.hpp"

#include <string>
#include <system_error>

namespace wsolo::inline WSOLO_ABI {

namespace detail {

class error_category_type final : public std::error_category {
public:
    [[nodiscard]] const char* name() const noexcept override { return "wsolo"; }
    [[nodiscard]] std::string message(int value) const override {
        const bool known = value >= 0 && value <= static_cast<int>(errc::would_deadlock);
        return std::string(known ? to_string(static_cast<errc>(value))
                                 : std::string_view("unknown wsolo error"));
    }
};

} // namespace detail

/// The category of every errc. One object for the whole process (per version and configuration).
[[nodiscard]] inline const std::error_category& error_category() noexcept {
    static const detail::error_category_type category;
    return category;
}

/// Found by argument-dependent lookup: `std::error_code code = wsolo::errc::closed;`.
[[nodiscard]] inline std::error_code make_error_code(errc code) noexcept {
    return {static_cast<int>(code), error_category()};
}

} // namespace wsolo::inline WSOLO_ABI

template <>
struct std::is_error_code_enum<wsolo::errc> : std::true_type {};
