// SPDX-License-Identifier: MIT
#pragma once
// The Close that an endpoint owes its peer: it leaves when the messages before it are handled, or at a deadline.
//
// Laws of this file:
// - Owed is a reply to the peer's Close or to what it broke, or a Close of this side's for an error. The first one stands.
// - A reply takes memory only while it is owed. Without memory it can't wait: owe() gives it back.

#include "../../core/detail/exchange.hpp"
#include "../../core/detail/owned.hpp"
#include "../../core/time.hpp"
#include "../../frame/control_reply.hpp"

#include <new>
#include <optional>

namespace wsolo::inline WSOLO_ABI::detail {

class owed_close {
public:
    /// False: there was no memory, and it is to be answered now.
    [[nodiscard]] bool owe(const control_frame& reply, time_point by) noexcept {
        if (is_owed()) return true;
        by_ = by;
        reply_.reset(new (std::nothrow) control_frame(reply));
        return reply_ != nullptr;
    }
    void owe(errc why, time_point by) noexcept {
        if (is_owed()) return;
        by_ = by;
        error_ = why;
    }

    [[nodiscard]] bool is_due(bool messages_are_over, time_point now) const noexcept {
        return is_owed() && (messages_are_over || now >= by_);
    }
    /// When it leaves at the latest.
    [[nodiscard]] time_point deadline() const noexcept { return is_owed() ? by_ : no_deadline; }

    [[nodiscard]] owned<control_frame> take_reply() noexcept { return std::move(reply_); }
    [[nodiscard]] errc take_error() noexcept { return detail::exchange(error_, errc::none); }

private:
    [[nodiscard]] bool is_owed() const noexcept { return reply_ || error_ != errc::none; }

    owned<control_frame> reply_;
    time_point by_ = no_deadline;
    errc error_ = errc::none;
};

} // namespace wsolo::inline WSOLO_ABI::detail
