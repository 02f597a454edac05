// SPDX-License-Identifier: MIT
#pragma once
// The rates that an endpoint's input is held to, where there are any.
//
// Laws of this file:
// - Without a rate it is a null pointer, and asks nothing.

#include "../../core/detail/owned.hpp"
#include "../../session/rate_limit.hpp"

#include <new>

namespace wsolo::inline WSOLO_ABI::detail {

class input_rates {
public:
    enum class kind : std::uint8_t { messages, bytes, control_frames };

    input_rates(const reading_rate& bound, time_point start) noexcept {
        if (is_wanted(bound)) limits_.reset(new (std::nothrow) limits(bound, start));
    }

    /// Of the bound that it was made with. False: there was no memory for it.
    [[nodiscard]] bool is_whole(const reading_rate& bound) const noexcept {
        return limits_ != nullptr || !is_wanted(bound);
    }

    /// False: it comes faster than it may.
    [[nodiscard]] bool take(kind of, std::uint64_t count, time_point now) noexcept {
        return !limits_ || take_of(of, count, now);
    }

private:
    [[gnu::noinline]] bool take_of(kind of, std::uint64_t count, time_point now) noexcept {
        rate_limit& limit = of == kind::messages ? limits_->messages
                            : of == kind::bytes  ? limits_->bytes
                                                 : limits_->control_frames;
        return limit.take(count, now);
    }

    struct limits {
        limits(const reading_rate& bound, time_point start) noexcept
            : messages(bound.messages, start),
              bytes(bound.bytes, start),
              control_frames(bound.control_frames, start) {}
        rate_limit messages, bytes, control_frames;
    };

    static bool is_wanted(const reading_rate& bound) noexcept {
        return (bound.messages.per_second | bound.bytes.per_second | bound.control_frames.per_second) != 0;
    }

    owned<limits> limits_;
};

} // namespace wsolo::inline WSOLO_ABI::detail
