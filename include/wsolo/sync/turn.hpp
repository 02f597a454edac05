// SPDX-License-Identifier: MIT
#pragma once
// Whose turn it is to run an object's work: one value, changed only together with the data that it depends on, under
// that object's lock. A writer and an inbox each own one.
//
//     state      whose turn it is                          leaves by
//     free       no thread's: there is nothing to do       claim: scheduled · seize: running
//     gated      the gate's owner's, which opens it later  open: free · revoke: scheduled · expire: running ·
//                                                          seize: running
//     scheduled  the schedule hook's, which owes a run     begin: running · seize: running
//     running    the one thread's that runs                release: free · hand_over: scheduled · park: parked ·
//                                                          finish: finished
//     parked     an event's: writability, a wish for more  resume: running · recall: scheduled · seize: running
//     finished   no thread's, ever again                   -
//
// Laws of this file:
// - Only the holder of `running` touches what the turn protects; release(), hand_over(), park() and finish() are its own.
// - The other functions answer whether they changed anything. When claim(), recall() or revoke() answers true, the
//   caller now owes a call of the schedule hook, with no lock held.
// - "Nothing left, so release" and "something new, so claim" can't interleave, because each is one step under the lock
//   that also guards the data. This is why no wake-up is lost.

#include "../core/config.hpp"

#include <cstdint>

namespace wsolo::inline WSOLO_ABI {

/// Whose turn it is: the file's table says what leads from one to the next.
enum class turn_state : std::uint8_t { free, gated, scheduled, running, parked, finished };

/// A plain value of one byte. Not thread-safe: the object's lock is held around every call. O(1), never throws.
class turn {
public:
    constexpr explicit turn(turn_state first = turn_state::free) noexcept : state_(first) {}

    /// Whose turn it is. Read it under the lock that guards the turn.
    [[nodiscard]] constexpr turn_state state() const noexcept { return state_; }
    [[nodiscard]] constexpr bool is(turn_state wanted) const noexcept { return state_ == wanted; }

    /// There is work now.
    [[nodiscard]] constexpr bool claim() noexcept { return move(turn_state::free, turn_state::scheduled); }
    /// The event that it was parked for came, or something more urgent.
    [[nodiscard]] constexpr bool recall() noexcept { return move(turn_state::parked, turn_state::scheduled); }

    /// The run that the hook owes.
    [[nodiscard]] constexpr bool begin() noexcept { return move(turn_state::scheduled, turn_state::running); }
    /// A run because the event came.
    [[nodiscard]] constexpr bool resume() noexcept { return move(turn_state::parked, turn_state::running); }

    /// The owner of the gate lets go.
    [[nodiscard]] constexpr bool open() noexcept { return move(turn_state::gated, turn_state::free); }
    /// There is work that does not wait for the gate.
    [[nodiscard]] constexpr bool revoke() noexcept { return move(turn_state::gated, turn_state::scheduled); }
    /// The gate stood for too long: the caller runs, to end the object.
    [[nodiscard]] constexpr bool expire() noexcept { return move(turn_state::gated, turn_state::running); }

    /// The object is being destroyed: the caller runs, unless another thread runs or the work is finished.
    [[nodiscard]] constexpr bool seize() noexcept {
        if (is(turn_state::running) || is(turn_state::finished)) return false;
        state_ = turn_state::running;
        return true;
    }

    /// From `running`: nothing is left; there is more, and the hook is to be called; it waits for the transport.
    constexpr void release() noexcept { leave(turn_state::free); }
    constexpr void hand_over() noexcept { leave(turn_state::scheduled); }
    constexpr void park() noexcept { leave(turn_state::parked); }
    constexpr void finish() noexcept { leave(turn_state::finished); }

private:
    constexpr bool move(turn_state from, turn_state to) noexcept {
        if (state_ != from) return false;
        state_ = to;
        return true;
    }
    constexpr void leave(turn_state to) noexcept {
        WSOLO_ASSERT(state_ == turn_state::running, "only the thread that runs gives the turn away");
        state_ = to;
    }

    turn_state state_;
};

} // namespace wsolo::inline WSOLO_ABI
