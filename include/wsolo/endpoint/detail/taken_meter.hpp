// SPDX-License-Identifier: MIT
#pragma once
// Whether the peer takes what is sent to it: the second of life's two directions.
//
// Laws of this file:
// - Only a pace counts: at least `min_rate` bytes a second since the last answer that said yes. Less than that the system of a
//   dead peer may still take. When that was the caller knows: it waits since then.
// - What the system only holds (the transport's unsent(), where it has one) the peer has not taken.

#include "../../core/time.hpp"

#include <concepts>
#include <cstdint>

namespace wsolo::inline WSOLO_ABI::detail {

/// Bytes that the peer has taken, as far as this side can know, where `written` is what the transport took. Only the difference from
/// another answer means something.
template <class Transport>
[[nodiscard]] std::uint64_t bytes_taken(std::uint64_t written, [[maybe_unused]] Transport& by) {
    if constexpr (requires {
                      { by.unsent() } -> std::convertible_to<std::uint64_t>;
                  }) {
        return written - by.unsent();
    } else {
        return written;
    }
}

/// The same of a writer.
template <class Writer>
[[nodiscard]] std::uint64_t bytes_taken(Writer& out) {
    return bytes_taken(out.report().bytes_written, out.connection());
}

/// `taken`: bytes_taken().
class taken_meter {
public:
    /// From here on it counts.
    constexpr void start(std::uint64_t taken) noexcept { taken_ = taken; }
    /// Whether the peer took bytes since then, `waited` ago, fast enough; then it counts from here.
    constexpr bool has_moved(std::uint64_t taken, std::uint32_t min_rate, duration waited) noexcept {
        const auto bytes = static_cast<std::int64_t>(taken - taken_);
        const double seconds = seconds_of(waited);
        if (bytes <= 0 || static_cast<double>(bytes) < seconds * min_rate) return false;
        start(taken);
        return true;
    }

private:
    std::uint64_t taken_ = 0;
};

} // namespace wsolo::inline WSOLO_ABI::detail
