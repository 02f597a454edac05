// SPDX-License-Identifier: MIT
#pragma once
// What became of everything that an inbox accepted.

#include "../core/error.hpp"

#include <cstdint>

namespace wsolo::inline WSOLO_ABI {

/// Once the inbox is finished it adds up exactly: what was accepted was handled or dropped, nothing else.
/// Bytes are those that push() was told.
struct inbox_report {
    std::uint64_t messages_handled = 0; ///< the handler was called with it, whatever it answered
    std::uint64_t messages_dropped = 0; ///< accepted, but closed before its turn
    /// The same in bytes.
    std::uint64_t bytes_handled = 0;
    std::uint64_t bytes_dropped = 0;
    std::uint64_t messages_refused = 0; ///< never accepted, because the inbox was full
    errc reason = errc::none;           ///< the first error; none: all that was accepted was handled

    /// Messages that were accepted: handled and dropped.
    [[nodiscard]] constexpr std::uint64_t messages_accepted() const noexcept {
        return messages_handled + messages_dropped;
    }
    [[nodiscard]] constexpr std::uint64_t bytes_accepted() const noexcept {
        return bytes_handled + bytes_dropped;
    }
    /// Whether everything accepted was handled without an error.
    [[nodiscard]] constexpr bool is_clean() const noexcept { return reason == errc::none; }
};

} // namespace wsolo::inline WSOLO_ABI
