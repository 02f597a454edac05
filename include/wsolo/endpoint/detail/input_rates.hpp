// SPDX-License-Identifier: MIT
#pragma once
// The rates that an endpoint's input is held to, where there are any.

#include "../../session/rate_limit.hpp"

namespace wsolo::inline WSOLO_ABI::detail {

class input_rates {
public:
    enum class kind : std::uint8_t { messages, bytes, control_frames };

    constexpr input_rates(const reading_rate& bound, time_point start) noexcept
        : messages_(bound.messages, start),
          bytes_(bound.bytes, start),
          control_frames_(bound.control_frames, start) {}

    /// Whether there is one.
    [[nodiscard]] static constexpr bool are_wanted(const reading_rate& bound) noexcept {
        return (bound.messages.per_second | bound.bytes.per_second | bound.control_frames.per_second) != 0;
    }

    /// False: it comes faster than it may.
    [[nodiscard]] constexpr bool take(kind of, std::uint64_t count, time_point now) noexcept {
        rate_limit& limit = of == kind::messages ? messages_ : of == kind::bytes ? bytes_ : control_frames_;
        return limit.take(count, now);
    }

private:
    rate_limit messages_, bytes_, control_frames_;
};

} // namespace wsolo::inline WSOLO_ABI::detail
