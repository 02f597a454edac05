// SPDX-License-Identifier: MIT
#pragma once
// Points and spans of time, as everything in wsolo counts them.
//
// Laws of this file:
// - Every deadline is a point of the steady clock: the wall clock may jump.
// - Arithmetic saturates: a deadline beyond the clock's end is no deadline.
// - Nothing here reads a clock.
// - Programs that use calendars, or print time, include <chrono> themselves.

#include "config.hpp"

#include <cstdint>
#include <version>

// <chrono>'s durations and clocks alone: libstdc++'s whole header brings <format>, ten times the rest of this room.
#if defined(__GLIBCXX__) && __has_include(<bits/chrono.h>)
#include <bits/chrono.h>
#else
#include <chrono>
#endif

namespace wsolo::inline WSOLO_ABI {

/// A point of the steady clock.
using time_point = std::chrono::steady_clock::time_point;
/// A span; any std::chrono duration that converts without loss fits.
using duration = std::chrono::steady_clock::duration;

/// "No deadline", and what a deadline that would overflow saturates to.
inline constexpr time_point no_deadline = (time_point::max)();

/// `span` in the clock's own unit; what that can't hold saturates, at either end.
template <class Rep, class Period>
[[nodiscard]] constexpr duration saturated(std::chrono::duration<Rep, Period> span) noexcept {
    if constexpr (std::is_same_v<Rep, duration::rep> && std::ratio_less_equal_v<Period, duration::period>) {
        return std::chrono::duration_cast<duration>(span); // as fine or finer: it fits
    } else { // compared in a type that holds every span of any unit and number, NaN included
        const std::chrono::duration<long double, Period> wide(span);
        if (!(wide < std::chrono::duration<long double, Period>((duration::max)()))) return (duration::max)();
        if (wide <= std::chrono::duration<long double, Period>((duration::min)())) return (duration::min)();
        return std::chrono::duration_cast<duration>(span);
    }
}

/// A timeout as a bound. 0 means no bound, for every timeout of wsolo.
template <class Rep, class Period>
[[nodiscard]] constexpr duration bound_of(std::chrono::duration<Rep, Period> timeout) noexcept {
    return timeout == timeout.zero() ? (duration::max)() : saturated(timeout);
}

/// `from` + `span`, saturating at no_deadline and at the clock's beginning.
[[nodiscard]] constexpr time_point deadline_after(time_point from, duration span) noexcept {
    const duration since = from.time_since_epoch();
    if (span.count() > 0 && since > (duration::max)() - span) return no_deadline;
    if (span.count() < 0 && since < (duration::min)() - span) return (time_point::min)();
    return from + span;
}
template <class Rep, class Period>
[[nodiscard]] constexpr time_point deadline_after(time_point from,
                                                  std::chrono::duration<Rep, Period> span) noexcept {
    return deadline_after(from, saturated(span));
}

namespace detail {

/// `span` as seconds. (A std::chrono::duration of double would be one more type for each source to instantiate.)
[[nodiscard]] constexpr double seconds_of(duration span) noexcept {
    return static_cast<double>(span.count()) * duration::period::num / duration::period::den;
}

/// Whole milliseconds in 32 bits. 0, and anything above 49 days, is "none"; a negative span counts as 1 ms.
class short_duration {
public:
    explicit constexpr short_duration(std::chrono::milliseconds span) noexcept
        : milliseconds_(span.count() < 0            ? 1
                        : span.count() > UINT32_MAX ? 0
                                                    : static_cast<std::uint32_t>(span.count())) {}

    [[nodiscard]] bool operator==(const short_duration&) const = default;
    /// duration::max() where there is none.
    [[nodiscard]] constexpr duration get() const noexcept {
        return milliseconds_ == 0 ? (duration::max)() : duration(std::chrono::milliseconds(milliseconds_));
    }

private:
    std::uint32_t milliseconds_;
};

} // namespace detail

} // namespace wsolo::inline WSOLO_ABI
