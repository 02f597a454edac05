#pragma once
// A message on its way to the handler, with its number in the barrier.
//
// Laws of this file:
// - Its number ends with it: handled when the handler took it, abandoned when it was not accepted. One that is
//   dropped by an error stays open, so that no later wait passes over it: the barrier was closed with that error.

#include "../../sync/ticket.hpp"
#include "../message.hpp"

namespace wsolo::inline WSOLO_ABI::detail {

/// Move-only. Not thread-safe.
template <class Barrier>
class received_item {
public:
    received_item(message received, Barrier& numbers) noexcept
        : message_(std::move(received)), numbers_(&numbers), ticket_(numbers.issue_ticket()) {}
    received_item(received_item&&) noexcept = default;
    received_item& operator=(received_item&&) = delete;
    ~received_item() {
        if (numbers_->is_closed()) {
            static_cast<void>(ticket_.take());
        } else {
            ticket_.abandon();
        }
    }

    [[nodiscard]] message take_message() noexcept { return std::move(message_); }
    [[nodiscard]] basic_ticket<Barrier> take_ticket() noexcept { return std::move(ticket_); }

private:
    message message_;
    Barrier* numbers_;
    basic_ticket<Barrier> ticket_;
};

} // namespace wsolo::inline WSOLO_ABI::detail
