// SPDX-License-Identifier: MIT
#pragma once
// A write in flight that was cancelled and stands all the same: when the disconnect() ends it.

#include "../../core/time.hpp"

namespace wsolo::inline WSOLO_ABI::detail {

struct cancelled_write {
    time_point cut_by = no_deadline;

    /// Whether it stands; `by` is the bound of one that stands from now on. What it answers is `stands`.
    constexpr bool note(bool stands, time_point by) noexcept {
        if (!stands || cut_by == no_deadline) cut_by = stands ? by : no_deadline;
        return stands;
    }
};

/// In its place where a write does not outlive its call.
struct whole_writes {};

} // namespace wsolo::inline WSOLO_ABI::detail
