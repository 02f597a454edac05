#pragma once
// interleave::atomic: std::atomic's operations, run by the engine.
//
// Laws of this file:
// - Inside an execution the engine holds the value; outside (static initialization, tests' own code) the
//   object does, as a plain value for one operating-system thread. An execution starts from that value and
//   never changes it.
// - A value is compared by its bytes, as std::atomic does; T is at most eight bytes.

#include "api.hpp"

#include <cstring>
#include <type_traits>

namespace interleave {

template <class T>
class atomic {
    static_assert(std::is_trivially_copyable_v<T> && sizeof(T) <= sizeof(detail::bits));
    using step = std::conditional_t<std::is_pointer_v<T>, std::ptrdiff_t, T>;

public:
    using value_type = T;
    static constexpr bool is_always_lock_free = true;

    constexpr atomic() noexcept : atomic(T()) {}
    constexpr atomic(T value) noexcept : value_(value) {
        if (!std::is_constant_evaluated()) detail::born(this, detail::kind::atomic, widen(value));
    }
    atomic(const atomic&) = delete;
    atomic& operator=(const atomic&) = delete;
    constexpr ~atomic() {
        if (!std::is_constant_evaluated()) detail::gone(this, detail::kind::atomic);
    }

    [[nodiscard]] bool is_lock_free() const noexcept { return true; }

    T load(std::memory_order order = std::memory_order_seq_cst) const noexcept {
        return detail::active != nullptr ? narrow<T>(detail::load(outside(), order)) : value_;
    }
    void store(T value, std::memory_order order = std::memory_order_seq_cst) noexcept {
        if (detail::active != nullptr)
            detail::store(outside(), widen(value), order);
        else
            value_ = value;
    }
    T exchange(T value, std::memory_order order = std::memory_order_seq_cst) noexcept {
        return modify([](bits, bits operand) noexcept { return operand; }, widen(value), order, "exchange");
    }
    T fetch_add(step by, std::memory_order order = std::memory_order_seq_cst) noexcept {
        return modify(
            [](bits old, bits with) noexcept {
                return widen(static_cast<T>(narrow<T>(old) + narrow<step>(with)));
            },
            widen(by), order, "fetch_add");
    }
    T fetch_sub(step by, std::memory_order order = std::memory_order_seq_cst) noexcept {
        return modify(
            [](bits old, bits with) noexcept {
                return widen(static_cast<T>(narrow<T>(old) - narrow<step>(with)));
            },
            widen(by), order, "fetch_sub");
    }
    T fetch_or(T with, std::memory_order order = std::memory_order_seq_cst) noexcept {
        return modify([](bits old, bits mask) noexcept { return old | mask; }, widen(with), order,
                      "fetch_or");
    }
    T fetch_and(T with, std::memory_order order = std::memory_order_seq_cst) noexcept {
        return modify([](bits old, bits mask) noexcept { return old & mask; }, widen(with), order,
                      "fetch_and");
    }
    T fetch_xor(T with, std::memory_order order = std::memory_order_seq_cst) noexcept {
        return modify([](bits old, bits mask) noexcept { return old ^ mask; }, widen(with), order,
                      "fetch_xor");
    }

    bool compare_exchange_strong(T& expected, T desired, std::memory_order success,
                                 std::memory_order failure) noexcept {
        return compare_exchange(expected, desired, success, failure, false);
    }
    bool compare_exchange_strong(T& expected, T desired,
                                 std::memory_order order = std::memory_order_seq_cst) noexcept {
        return compare_exchange(expected, desired, order, on_failure(order), false);
    }
    bool compare_exchange_weak(T& expected, T desired, std::memory_order success,
                               std::memory_order failure) noexcept {
        return compare_exchange(expected, desired, success, failure, true);
    }
    bool compare_exchange_weak(T& expected, T desired,
                               std::memory_order order = std::memory_order_seq_cst) noexcept {
        return compare_exchange(expected, desired, order, on_failure(order), true);
    }

    operator T() const noexcept { return load(); }
    T operator=(T value) noexcept {
        store(value);
        return value;
    }
    T operator++() noexcept { return static_cast<T>(fetch_add(1) + 1); }
    T operator--() noexcept { return static_cast<T>(fetch_sub(1) - 1); }
    T operator++(int) noexcept { return fetch_add(1); }
    T operator--(int) noexcept { return fetch_sub(1); }
    T operator+=(step by) noexcept { return static_cast<T>(fetch_add(by) + by); }
    T operator-=(step by) noexcept { return static_cast<T>(fetch_sub(by) - by); }
    T operator|=(T with) noexcept { return static_cast<T>(fetch_or(with) | with); }
    T operator&=(T with) noexcept { return static_cast<T>(fetch_and(with) & with); }

private:
    using bits = detail::bits;

    template <class U>
    static constexpr bits widen(U value) noexcept {
        if (std::is_constant_evaluated()) return 0;
        bits wide = 0;
        std::memcpy(&wide, &value, sizeof value);
        return wide;
    }
    template <class U>
    static U narrow(bits wide) noexcept {
        U value;
        std::memcpy(&value, &wide, sizeof value);
        return value;
    }
    static constexpr std::memory_order on_failure(std::memory_order order) noexcept {
        if (order == std::memory_order_acq_rel) return std::memory_order_acquire;
        if (order == std::memory_order_release) return std::memory_order_relaxed;
        return order;
    }
    // By address: what is inside may be gone, which is for the engine to find.
    [[nodiscard]] detail::cell outside() const noexcept { return {this, sizeof(T)}; }

    T modify(detail::transform how, bits operand, std::memory_order order, const char* verb) noexcept {
        if (detail::active != nullptr) return narrow<T>(detail::modify(outside(), how, operand, order, verb));
        const T old = value_;
        value_ = narrow<T>(how(widen(old), operand));
        return old;
    }
    bool compare_exchange(T& expected, T desired, std::memory_order success, std::memory_order failure,
                          bool weak) noexcept {
        if (detail::active == nullptr) {
            const bool equal = widen(value_) == widen(expected);
            (equal ? value_ : expected) = equal ? desired : value_;
            return equal;
        }
        bits wide = widen(expected);
        const bool done = detail::compare_exchange(outside(), wide, widen(desired), success, failure, weak);
        if (!done) expected = narrow<T>(wide);
        return done;
    }

    T value_;
};

} // namespace interleave
