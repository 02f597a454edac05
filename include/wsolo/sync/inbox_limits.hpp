// SPDX-License-Identifier: MIT
#pragma once
// How much one inbox may hold, and what becomes of the next message when that is used up.
//
// Laws of this file:
// - What counts is what was accepted and not yet handled, the message in the handler included, plus an
//   overhead per message: the bound is on memory, not on payload (RFC 6455 §10.4 asks for limits).
// - Both bounds hold at once: many small messages do not escape by their bytes, nor large ones by their
//   count. A zero means "none": no bound.

#include "../core/limit.hpp"

#include <cstddef>
#include <cstdint>

namespace wsolo::inline WSOLO_ABI {

/// What becomes of a message that finds the inbox full.
enum class inbox_overflow : std::uint8_t {
    pause,           ///< backpressure: the reader stops until the resume hook is called
    violate_policy,  ///< the connection fails: errc::inbox_overflow, status code 1008
    try_again_later, ///< the connection fails: errc::inbox_overloaded, status code 1013
    drop_newest,     ///< errc::queue_full; the message is the caller's, and counted as refused
};

/// The bounds of one inbox. Everything is per connection.
struct inbox_limits {
    /// Bytes that may wait, overhead included. With inbox_overflow::pause the message that crosses the
    /// bound is still accepted, so that memory stays below max_bytes plus one message; otherwise it is not.
    std::size_t max_bytes = 1024 * 1024;
    /// Messages that may wait, the one in the handler included.
    std::uint32_t max_messages = 1024;
    inbox_overflow when_full = inbox_overflow::pause;
};

namespace detail {

/// The same, ready to compare with: none of them is a zero.
struct inbox_bounds {
    constexpr explicit inbox_bounds(const inbox_limits& of) noexcept
        : max_bytes(bound_of(of.max_bytes)),
          max_messages(bound_of(of.max_messages)),
          when_full(of.when_full) {}
    [[nodiscard]] bool operator==(const inbox_bounds&) const = default;

    std::size_t max_bytes;
    std::uint32_t max_messages;
    inbox_overflow when_full;
};

} // namespace detail

} // namespace wsolo::inline WSOLO_ABI
