#pragma once
// interleave::var: plain data whose accesses are checked for data races.
//
// Law of this file: an access is no scheduling point. Two accesses race when nothing orders them, whichever
// came first.

#include "api.hpp"

#include <type_traits>
#include <utility>

namespace interleave {

/// Holds a T as a plain variable would. Outside an execution nothing is checked. A copy reads, an assignment
/// writes.
template <class T>
class var {
public:
    constexpr var() noexcept(std::is_nothrow_default_constructible_v<T>) : var(T()) {}
    constexpr var(T value) noexcept(std::is_nothrow_move_constructible_v<T>) : value_(std::move(value)) {
        if (!std::is_constant_evaluated()) detail::born(this, detail::kind::plain, 0);
    }
    var(const var& other) : var(other.get()) {}
    var(var&& other) : var(std::move(other).take()) {}
    ~var() { detail::gone(this, detail::kind::plain); }

    var& operator=(const var& other) { return *this = other.get(); }
    var& operator=(T value) {
        if (detail::active != nullptr) detail::plain_write(this);
        value_ = std::move(value);
        return *this;
    }

    [[nodiscard]] const T& get() const {
        if (detail::active != nullptr) detail::plain_read(this);
        return value_;
    }
    /// Leaves a moved-from value: a write.
    [[nodiscard]] T take() && {
        if (detail::active != nullptr) detail::plain_write(this);
        return std::move(value_);
    }
    operator const T&() const { return get(); }

private:
    T value_;
};

} // namespace interleave
