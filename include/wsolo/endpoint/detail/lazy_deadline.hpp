// SPDX-License-Identifier: MIT
#pragma once
// The deadline that a loop is told. A timer that fires too early costs one call; a timer that moved with every message would
// cost one call each.
//
// Laws of this file:
// - It is never later than what is due. It moves only to be earlier, or once it has passed.

#include "../../core/time.hpp"

namespace wsolo::inline WSOLO_ABI::detail {

class lazy_deadline {
public:
    [[nodiscard]] constexpr time_point tell(time_point due, time_point now) noexcept {
        if (due < told_ || told_ <= now || due == no_deadline) told_ = due;
        return told_;
    }

    /// Told last.
    [[nodiscard]] constexpr time_point told() const noexcept { return told_; }

private:
    time_point told_ = (time_point::min)(); ///< none yet: as one that has passed
};

} // namespace wsolo::inline WSOLO_ABI::detail
