#pragma once
// What became of one item, for a sender who wants to know: called once per accepted item that asked.
//
// Laws of this file:
// - Exactly one call per accepted item: errc::none when the transport took its last byte, otherwise why it
//   was dropped. A rejected item gets none: its send() already said so.
// - It runs with no lock held, in the thread that holds the write token; where a newer item took its place,
//   in that item's sender, inside of its send. It may send (the room of what it tells of is free again; but
//   one that sends anew what gave way to newer data displaces the next); it must not wait.

#include "../core/error.hpp"

namespace wsolo::inline WSOLO_ABI {

/// A plain function and its context: two words, nothing to allocate. `context` must stay valid until the
/// call.
struct on_outcome {
    void (*call)(void* context, errc outcome) noexcept = nullptr;
    void* context = nullptr;

    [[nodiscard]] explicit operator bool() const noexcept { return call != nullptr; }
    void operator()(errc outcome) const noexcept {
        if (call != nullptr) call(context, outcome);
    }
};

} // namespace wsolo::inline WSOLO_ABI
