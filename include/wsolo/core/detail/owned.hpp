// SPDX-License-Identifier: MIT
#pragma once
// An owning pointer to one object of the heap, as std::unique_ptr is, for a tenth of what <memory> costs to include.

#include "../config.hpp"
#include "exchange.hpp"

#include <cstddef>

namespace wsolo::inline WSOLO_ABI::detail {

/// The pointer is null, or was made by `new (std::nothrow)`.
template <class T>
class owned {
public:
    constexpr owned() noexcept = default;
    explicit owned(T* object) noexcept : object_(object) {}
    owned(owned&& other) noexcept : object_(detail::exchange(other.object_, nullptr)) {}
    owned& operator=(owned&& other) noexcept {
        reset(detail::exchange(other.object_, nullptr));
        return *this;
    }
    ~owned() { delete object_; }

    /// The old object is destroyed after the new one has taken its place.
    void reset(T* object = nullptr) noexcept { delete detail::exchange(object_, object); }

    [[nodiscard]] explicit operator bool() const noexcept { return object_ != nullptr; }
    [[nodiscard]] bool operator==(std::nullptr_t) const noexcept { return object_ == nullptr; }
    [[nodiscard]] T* operator->() const noexcept { return object_; }
    [[nodiscard]] T& operator*() const noexcept { return *object_; }

private:
    T* object_ = nullptr;
};

} // namespace wsolo::inline WSOLO_ABI::detail
