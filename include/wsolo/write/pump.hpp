// SPDX-License-Identifier: MIT
#pragma once
// What pump() answers, and the inline drive.

#include "../core/time.hpp"
#include "../sync/schedule_hook.hpp"

#include <cstdint>

namespace wsolo::inline WSOLO_ABI {

/// What pump() left behind.
enum class pump_status : std::uint8_t {
    idle, ///< everything is written, or a cork holds it back; the next send, or the last cork, calls the hook
    blocked, ///< pump() again when the transport is writable (when a write is in flight, its end calls the hook), or at
    ///< `deadline`
    more,     ///< the quantum is used up; the hook was called again
    busy,     ///< another thread runs, or a gate is shut: nothing to do here before `deadline`
    finished, ///< over: see report()
};

/// `deadline` counts where the status is blocked or busy, and may be no_deadline. While a
/// cancelled write is still in flight it is the later bound (the close's, or the write's own), and no_deadline after that:
/// then only the end of the write, or of the connection, helps.
struct [[nodiscard]] pump_result {
    /// What is left, and when to come again at the latest.
    pump_status status = pump_status::idle;
    time_point deadline = no_deadline;
};

/// The inline drive: the sender that finds the writer idle writes at once, up to the quantum, and only what is left (or
/// what the transport did not take) goes to `Hook`.
template <schedule_hook Hook>
struct inline_drive {
    /// Distinguishes this type from a hook that only asks for a turn.
    static constexpr bool writes_inline = true;
    /// Called for the rest.
    Hook hook;
    decltype(auto) operator()() { return hook(); }
};
template <class Hook>
inline_drive(Hook) -> inline_drive<Hook>;

} // namespace wsolo::inline WSOLO_ABI
