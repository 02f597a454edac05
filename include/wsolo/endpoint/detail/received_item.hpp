// SPDX-License-Identifier: MIT
#pragma once
// A message on its way to the handler, with its number in the barrier.
//
// Laws of this file:
// - Its number is completed by the thread that handles the message, and abandoned by the thread whose push was refused. The
//   number of a message that was accepted and dropped stays open, so that no wait passes over it: the barrier is closed with
//   the error that dropped it.

#include "../../sync/ticket.hpp"
#include "../message.hpp"

namespace wsolo::inline WSOLO_ABI::detail {

/// Move-only. Not thread-safe.
template <class Barrier>
class received_item {
public:
    received_item(message received, Barrier& numbers) noexcept
        : message_(std::move(received)), ticket_(numbers.issue_ticket()) {}
    received_item(received_item&&) noexcept = default;
    received_item& operator=(received_item&&) = delete;
    ~received_item() { static_cast<void>(ticket_.take()); }

    [[nodiscard]] message take_message() noexcept { return std::move(message_); }
    [[nodiscard]] basic_ticket<Barrier> take_ticket() noexcept { return std::move(ticket_); }
    /// It was not accepted.
    void abandon() noexcept { ticket_.abandon(); }

private:
    message message_;
    basic_ticket<Barrier> ticket_;
};

} // namespace wsolo::inline WSOLO_ABI::detail
