// SPDX-License-Identifier: MIT
#pragma once
// Whether the peer takes what is sent to it: the second of life's two directions.
//
// Laws of this file:
// - Only a pace counts: at least `min_rate` bytes a second since the last answer that said yes. Less than that the system of a
//   dead peer may still take.

#include "../../core/time.hpp"

#include <cstdint>

namespace wsolo::inline WSOLO_ABI::detail {

/// `taken` counts bytes that the peer took, as far as the transport knows (metered_transport::taken()).
class taken_meter {
public:
    explicit constexpr taken_meter(std::uint32_t min_rate) noexcept : min_rate_(min_rate) {}

    /// From here on it counts.
    constexpr void start(std::uint64_t taken, time_point now) noexcept {
        taken_ = taken;
        at_ = now;
    }
    /// Whether the peer took bytes since then, fast enough; then it counts from here.
    constexpr bool has_moved(std::uint64_t taken, time_point now) noexcept {
        const auto bytes = static_cast<std::int64_t>(taken - taken_);
        const double seconds = std::chrono::duration<double>(now - at_).count();
        if (bytes <= 0 || static_cast<double>(bytes) < seconds * min_rate_) return false;
        start(taken, now);
        return true;
    }

private:
    std::uint64_t taken_ = 0;
    time_point at_{};
    std::uint32_t min_rate_;
};

} // namespace wsolo::inline WSOLO_ABI::detail
