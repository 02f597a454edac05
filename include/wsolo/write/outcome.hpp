// SPDX-License-Identifier: MIT
#pragma once
// What became of one item: a callback for the sender that asks, called once for each accepted item.
//
// Laws of this file:
// - Exactly one call per accepted item: errc::none when the transport took its last byte, otherwise why it was dropped.
//   A refused item gets none: its send() already said so.
// - It runs with no lock held, in the thread that writes (pump(), an inline sender, the destructor). If a newer item took
//   this one's place it runs in the newer item's sender, inside of its send.
// - It may send: the room of its own item is free again. It must not wait: that answers would_deadlock.

#include "../core/error.hpp"

namespace wsolo::inline WSOLO_ABI {

/// A plain function and its context: two words, nothing to allocate. `context` must stay valid until the call.
struct on_outcome {
    /// Called once, or never if the send refused the item. It must not throw.
    void (*call)(void* context, errc outcome) noexcept = nullptr;
    void* context = nullptr;

    [[nodiscard]] explicit operator bool() const noexcept { return call != nullptr; }
    void operator()(errc outcome) const noexcept {
        if (call != nullptr) call(context, outcome);
    }
};

} // namespace wsolo::inline WSOLO_ABI
