// SPDX-License-Identifier: MIT
#pragma once
// A value or the errc that stands in its place. std::expected is C++23; this is the part of it that wsolo
// needs.

#include "error.hpp"

#include <utility>

namespace wsolo::inline WSOLO_ABI {

/// Either a T or an error, never both. T is default-constructible (views, sizes, small values).
template <class T>
class [[nodiscard]] result {
public:
    constexpr result(T value) noexcept : value_(std::move(value)) {}
    constexpr result(errc error) noexcept : error_(error) {
        WSOLO_ASSERT(error != errc::none, "a result without a value needs an error");
    }

    /// Whether there is a value; error() is none then.
    [[nodiscard]] constexpr bool has_value() const noexcept { return error_ == errc::none; }
    [[nodiscard]] constexpr explicit operator bool() const noexcept { return has_value(); }

    /// errc::none exactly when there is a value.
    [[nodiscard]] constexpr errc error() const noexcept { return error_; }

    /// The value. Precondition: has_value().
    [[nodiscard]] constexpr T& value() & noexcept { return checked(); }
    [[nodiscard]] constexpr T&& value() && noexcept { return std::move(checked()); }
    [[nodiscard]] constexpr const T& value() const& noexcept {
        WSOLO_ASSERT(has_value(), "result::value() of an error: test the result first");
        return value_;
    }
    [[nodiscard]] constexpr T& operator*() & noexcept { return checked(); }
    [[nodiscard]] constexpr T&& operator*() && noexcept { return std::move(checked()); }
    [[nodiscard]] constexpr const T& operator*() const& noexcept { return value(); }
    [[nodiscard]] constexpr T* operator->() noexcept { return &checked(); }
    [[nodiscard]] constexpr const T* operator->() const noexcept { return &value(); }

private:
    constexpr T& checked() noexcept {
        WSOLO_ASSERT(has_value(), "result::value() of an error: test the result first");
        return value_;
    }

    T value_{};
    errc error_ = errc::none;
};

} // namespace wsolo::inline WSOLO_ABI
