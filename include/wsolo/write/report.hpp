// SPDX-License-Identifier: MIT
#pragma once
// What became of everything that a writer accepted.

#include "../core/error.hpp"
#include "../frame/close_code.hpp"

#include <cstdint>

namespace wsolo::inline WSOLO_ABI {

/// Adds up exactly: what was accepted is written, dropped or replaced, nothing else. Bytes are wire bytes (headers
/// included).
struct drain_report {
    std::uint64_t frames_written = 0; ///< taken by the transport to their last byte
    std::uint64_t frames_dropped = 0; ///< accepted, but not (wholly) taken
    /// The same, in bytes of the wire.
    std::uint64_t bytes_written = 0;
    std::uint64_t bytes_dropped = 0;
    /// PONGs beyond the control reserve that a newer one replaced (RFC 6455 §5.5.3): nothing was lost with them. Modulo 2^32; their
    /// bytes modulo 2^40.
    std::uint64_t pongs_replaced = 0;
    std::uint64_t bytes_replaced = 0;
    bool partial_frame = false; ///< the last frame on the wire is incomplete: the peer must not read on
    bool deadline_hit = false;  ///< a write's or the drain's deadline ended it
    /// none: a Close frame was the last thing written, and no message was left unfinished before it.
    errc reason = errc::none;
    /// The status code of the Close frame that was accepted, written or not; no_status when the frame has none. abnormal:
    /// there was no Close.
    close_code close = close_code::abnormal;
    int transport_error = 0; ///< the transport's own code (errno, say) where it failed

    /// Frames that were accepted: written, dropped and replaced.
    [[nodiscard]] constexpr std::uint64_t frames_accepted() const noexcept {
        return frames_written + frames_dropped + pongs_replaced;
    }
    [[nodiscard]] constexpr std::uint64_t bytes_accepted() const noexcept {
        return bytes_written + bytes_dropped + bytes_replaced;
    }
    /// Whether the connection was closed in order. (Data that gave way to newer data counts as dropped even so.)
    [[nodiscard]] constexpr bool is_clean() const noexcept { return reason == errc::none; }
    /// Whether a Close was the last thing written, also if it tells the peer that a message was left unfinished.
    [[nodiscard]] constexpr bool ends_with_close() const noexcept {
        return is_clean() || (reason == errc::message_unfinished && close != close_code::abnormal);
    }
};

} // namespace wsolo::inline WSOLO_ABI
