// SPDX-License-Identifier: MIT
#pragma once
// The life of a connection: its heartbeat, until the end of its stream begins; then that end. One place for both, because
// nothing is due of the one once the other has begun.
//
// Laws of this file:
// - The end begins with the first event of stream_end's, and is never taken back.
// - Until then nothing is discarded, gone or waited for, and input is wanted. From then on nothing is due of the heartbeat.

#include "../../session/heartbeat.hpp"
#include "../stream_end.hpp"

#include <new>
#include <type_traits>

namespace wsolo::inline WSOLO_ABI::detail {

/// Belongs to the loop's thread.
template <class Heartbeat>
class life {
    static_assert(std::is_trivially_destructible_v<Heartbeat> &&
                  std::is_trivially_destructible_v<stream_end>);

public:
    life(const heartbeat_options& options, time_point start) noexcept : beat_(options, start) {}
    life(const life&) = delete;
    life& operator=(const life&) = delete;

    /// nullptr once the end has begun.
    [[nodiscard]] Heartbeat* beat() noexcept { return is_ending_ ? nullptr : &beat_; }
    [[nodiscard]] const Heartbeat* beat() const noexcept { return is_ending_ ? nullptr : &beat_; }

    /// Bytes arrived. Whether the heartbeat was quiet before that: then its deadline moves only later, by this and by whatever
    /// arrived.
    bool on_received(time_point now) noexcept {
        if (is_ending_) return false;
        const bool was_quiet = beat_.is_quiet(now);
        beat_.on_received(now);
        return was_quiet;
    }

    /// The end, for an event of it: which begins it.
    [[nodiscard]] stream_end& end(role self, const end_options& options) noexcept {
        if (!is_ending_) ::new (static_cast<void*>(&end_)) stream_end(self, options);
        is_ending_ = true;
        return end_;
    }

    /// stream_end's answers.
    [[nodiscard]] bool is_discarding() const noexcept { return is_ending_ && end_.is_discarding(); }
    [[nodiscard]] bool is_gone() const noexcept { return is_ending_ && end_.is_gone(); }
    [[nodiscard]] bool is_waiting() const noexcept { return is_ending_ && end_.is_waiting(); }
    [[nodiscard]] bool wants_input() const noexcept { return !is_ending_ || end_.wants_input(); }
    [[nodiscard]] bool missed_close() const noexcept { return is_ending_ && end_.missed_close(); }
    /// While a sign of life is awaited: since when.
    [[nodiscard]] time_point waiting_since() const noexcept {
        return is_ending_ ? end_.waiting_since() : beat_.waiting_since();
    }
    /// When there is something to do, of whichever it is.
    [[nodiscard]] time_point deadline() const noexcept {
        return is_ending_ ? end_.deadline() : beat_.deadline();
    }

private:
    union {
        Heartbeat beat_;
        stream_end end_;
    };
    bool is_ending_ = false;
};

} // namespace wsolo::inline WSOLO_ABI::detail
