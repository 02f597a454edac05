// SPDX-License-Identifier: MIT
#pragma once
// How much may arrive in a second: a token bucket over points in time that the caller passes in.
//
// Laws of this file:
// - It reads no clock and allocates nothing. What is refused takes nothing.
// - Exact: over any time, what was granted stays within the rate times that time and one full bucket, however small the
//   steps and the amounts. All arithmetic saturates.
// - A zero rate means "none": everything is granted.

#include "../core/time.hpp"

#include <cstdint>

namespace wsolo::inline WSOLO_ABI {

/// A bound on messages, bytes or frames.
struct rate {
    /// How many a second, in the long run. 0: no bound.
    std::uint32_t per_second = 0;
    /// How many more than one second's worth may arrive at once. 0: none.
    std::uint32_t burst = 0;
};

/// The rates of one connection's input. Input above a rate ends the connection with errc::rate_exceeded (1008).
struct reading_rate {
    /// Whole messages, text and binary.
    rate messages{};
    /// Bytes from the transport, headers included. One second's worth plus the burst must not be less than one read brings.
    rate bytes{};
    /// PINGs and PONGs.
    rate control_frames{};
};

/// A bucket, full at the start. A value of 24 bytes. Not thread-safe; O(1), constexpr.
class rate_limit {
public:
    constexpr rate_limit(const rate& bound, time_point start) noexcept
        : level_((std::uint64_t{bound.per_second} + bound.burst) * one), at_(start), bound_(bound) {}

    /// Takes `count` from the bucket and answers true, or takes nothing and answers false. A count above one second's worth
    /// plus the burst is never granted. A clock that runs backwards adds nothing; time that it runs forward after that counts.
    [[nodiscard]] constexpr bool take(std::uint64_t count, time_point now) noexcept {
        if (bound_.per_second == 0) return true;
        refill(now);
        if (count > level_ / one) return false;
        level_ -= count * one;
        return true;
    }

private:
    /// What one message, byte or frame counts as: a rate of one in a second adds 1 each nanosecond.
    static constexpr std::uint64_t one = 1'000'000'000;
    static_assert(duration::period::num == 1 && duration::period::den <= one &&
                  one % duration::period::den == 0);

    constexpr void refill(time_point now) noexcept {
        const time_point before = at_;
        at_ = now;
        if (now <= before) return;
        // From below zero to above it the span itself may be too long for its type.
        const std::uint64_t ticks = static_cast<std::uint64_t>(now.time_since_epoch().count()) -
                                    static_cast<std::uint64_t>(before.time_since_epoch().count());
        const std::uint64_t a_tick = std::uint64_t{bound_.per_second} * (one / duration::period::den);
        const std::uint64_t missing = (std::uint64_t{bound_.per_second} + bound_.burst) * one - level_;
        level_ += ticks <= missing / a_tick ? ticks * a_tick : missing;
    }

    std::uint64_t level_; ///< at most 2^33 seconds' worth of one: below 2^63
    time_point at_;
    rate bound_;
};

} // namespace wsolo::inline WSOLO_ABI
