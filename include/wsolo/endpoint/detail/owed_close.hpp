#pragma once
// The Close that an endpoint owes its peer: it leaves when the messages before it are handled, or at a deadline.
//
// Laws of this file:
// - Owed is a reply to the peer's Close or to what it broke, or the word that its stream ended without one.
// - It takes memory only while it is owed. Without memory it can't wait: owe() gives it back.

#include "../../core/time.hpp"
#include "../../frame/control_reply.hpp"

#include <memory>
#include <new>
#include <optional>

namespace wsolo::inline WSOLO_ABI::detail {

class owed_close {
public:
    /// False: there was no memory, and it is to be answered now.
    [[nodiscard]] bool owe(const control_frame& reply, time_point by) noexcept {
        by_ = by;
        reply_.reset(new (std::nothrow) control_frame(reply));
        return reply_ != nullptr;
    }
    void owe_lost(time_point by) noexcept {
        by_ = by;
        is_lost_ = true;
    }

    [[nodiscard]] bool is_due(bool messages_are_over, time_point now) const noexcept {
        return (reply_ || is_lost_) && (messages_are_over || now >= by_);
    }
    /// When it leaves at the latest.
    [[nodiscard]] time_point deadline() const noexcept { return reply_ || is_lost_ ? by_ : no_deadline; }

    [[nodiscard]] std::unique_ptr<control_frame> take_reply() noexcept { return std::move(reply_); }
    [[nodiscard]] bool take_lost() noexcept { return std::exchange(is_lost_, false); }

private:
    std::unique_ptr<control_frame> reply_;
    time_point by_ = no_deadline;
    bool is_lost_ = false;
};

} // namespace wsolo::inline WSOLO_ABI::detail
