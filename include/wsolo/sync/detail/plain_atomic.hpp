// SPDX-License-Identifier: MIT
#pragma once
// A value in plain memory with the functions of std::atomic: for code that is written for any number of threads, where only
// one thread at a time uses it.
//
// Laws of this file:
// - No instruction is locked and nothing is ordered: code that uses it from several threads orders these uses itself.
// - `Watch` is called at every use, and may refuse by an assertion. An empty one costs nothing.

#include "../../core/config.hpp"

#include <atomic>
#include <utility>

namespace wsolo::inline WSOLO_ABI::detail {

/// A Watch that checks nothing.
struct unwatched {
    static constexpr void use() noexcept {}
};

/// Neither copied nor moved, as std::atomic.
template <class T, class Watch = unwatched>
class plain_atomic {
    using order = std::memory_order;

public:
    constexpr plain_atomic() noexcept = default;
    constexpr plain_atomic(T first) noexcept
        : value_(first) {} // NOLINT(google-explicit-constructor): as std::atomic's
    plain_atomic(const plain_atomic&) = delete;
    plain_atomic& operator=(const plain_atomic&) = delete;
    ~plain_atomic() = default;

    [[nodiscard]] T load(order = order::seq_cst) const noexcept { return value(); }
    void store(T next, order = order::seq_cst) noexcept { value() = next; }
    T exchange(T next, order = order::seq_cst) noexcept { return std::exchange(value(), next); }
    bool compare_exchange_strong(T& expected, T next, order = order::seq_cst,
                                 order = order::seq_cst) noexcept {
        if (value() == expected) {
            value_ = next;
            return true;
        }
        expected = value_;
        return false;
    }
    bool compare_exchange_weak(T& expected, T next, order = order::seq_cst, order = order::seq_cst) noexcept {
        return compare_exchange_strong(expected, next);
    }
    T fetch_add(T more, order = order::seq_cst) noexcept { return exchange(static_cast<T>(value() + more)); }
    T fetch_sub(T less, order = order::seq_cst) noexcept { return exchange(static_cast<T>(value() - less)); }
    T fetch_or(T bits, order = order::seq_cst) noexcept { return exchange(static_cast<T>(value() | bits)); }
    T fetch_and(T bits, order = order::seq_cst) noexcept { return exchange(static_cast<T>(value() & bits)); }

private:
    [[nodiscard]] T& value() noexcept {
        watch_.use();
        return value_;
    }
    [[nodiscard]] const T& value() const noexcept {
        watch_.use();
        return value_;
    }

    T value_{};
    [[no_unique_address]] Watch watch_{};
};

/// Traits for a part of a concurrent type that one thread at a time uses because of that type's other laws.
struct plain_memory {
    template <class T>
    using atomic = plain_atomic<T>;
};

} // namespace wsolo::inline WSOLO_ABI::detail
