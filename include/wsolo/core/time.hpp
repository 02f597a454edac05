#pragma once
// Points and spans of time, as everything in wsolo counts them.
//
// Laws of this file:
// - Every deadline is a point of the steady clock: the wall clock may jump.
// - Arithmetic saturates: a deadline beyond the clock's end is no deadline.
// - Nothing here reads a clock.

#include "config.hpp"

#include <chrono>

namespace wsolo::inline WSOLO_ABI {

/// A point of the steady clock.
using time_point = std::chrono::steady_clock::time_point;
/// A span; any std::chrono duration that converts without loss fits.
using duration = std::chrono::steady_clock::duration;

/// "No deadline", and what a deadline that would overflow saturates to.
inline constexpr time_point no_deadline = time_point::max();

/// `from` + `span`, saturating at no_deadline.
[[nodiscard]] constexpr time_point deadline_after(time_point from, duration span) noexcept {
    return span >= no_deadline - from ? no_deadline : from + span;
}

} // namespace wsolo::inline WSOLO_ABI
