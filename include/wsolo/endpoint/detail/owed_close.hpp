// SPDX-License-Identifier: MIT
#pragma once
// The Close that an endpoint owes its peer: it leaves when the messages before it are handled, or at a deadline.
//
// Laws of this file:
// - Owed is a reply to the peer's Close or to what it broke, or a Close of this side's for an error. The first one stands.

#include "../../core/detail/exchange.hpp"
#include "../../core/time.hpp"
#include "../../frame/control_reply.hpp"

#include <optional>

namespace wsolo::inline WSOLO_ABI::detail {

class owed_close {
public:
    /// What leaves: the reply or, for an error, a Close that says so.
    struct what {
        std::optional<control_frame> reply;
        errc error = errc::none;
    };

    void owe(const control_frame& reply, time_point by) noexcept { owe({reply, errc::none}, by); }
    void owe(errc why, time_point by) noexcept { owe({std::nullopt, why}, by); }

    [[nodiscard]] bool is_owed() const noexcept { return owed_.has_value(); }
    [[nodiscard]] bool is_due(bool messages_are_over, time_point now) const noexcept {
        return is_owed() && (messages_are_over || now >= by_);
    }
    /// When it leaves at the latest.
    [[nodiscard]] time_point deadline() const noexcept { return is_owed() ? by_ : no_deadline; }
    /// Precondition: it is owed.
    [[nodiscard]] what take() noexcept { return *detail::exchange(owed_, std::nullopt); }

private:
    void owe(const what& next, time_point by) noexcept {
        if (is_owed()) return;
        owed_ = next;
        by_ = by;
    }

    std::optional<what> owed_;
    time_point by_ = no_deadline;
};

} // namespace wsolo::inline WSOLO_ABI::detail
