// SPDX-License-Identifier: MIT
#pragma once
// When to ask whether the peer is alive, when to call it dead, and when to send the application's own beat:
// a state machine over points in time that the caller passes in.
//
// Laws of this file:
// - It reads no clock, sets no timer, allocates nothing: every event brings its time, and tick() says when
//   to come again.
// - The pong timer starts when the PING was written. One that waits in a queue proves nothing about the
//   peer.
// - Life has two directions: bytes from the peer prove it, and so does the fact that the peer takes ours.
// - A verdict takes two looks, one within the last quarter of the pong timeout and one at its end: what
//   arrived while the process slept is read between them. A process that slept through them, or did not listen, does
//   not judge. A clock that jumps gives one beat, never a burst; one that runs backwards delays nothing by
//   more than one interval.
// - Once closing, or dead, it asks for nothing ever again.

#include "../core/bytes.hpp"
#include "../core/time.hpp"

#include <array>
#include <cstdint>
#include <optional>

namespace wsolo::inline WSOLO_ABI {

/// The times of one connection's heartbeat; 0 switches that part off. (Kept in milliseconds, 49 days at
/// most.)
struct heartbeat_options {
    /// A PING is sent after this long without a sign of life.
    std::chrono::milliseconds ping_interval{20'000};
    /// How long after a PING was written the peer may stay silent. 0: PINGs keep the path open, silence is
    /// fine.
    std::chrono::milliseconds pong_timeout{20'000};
    /// The window of the application's metrics. While it is not 0, a beat is due every beat_period() of it.
    std::chrono::milliseconds beat_interval{0};
    /// True: only a PONG is a sign of life. False: every byte from the peer is one, parts of frames included, and so is
    /// the fact that the peer takes bytes of ours. With pong_only a peer that takes bytes only postpones the verdict,
    /// because our PING may come after those bytes: if it never answers, it is found dead once it takes no more.
    bool pong_only = false;
};

/// How often the application's beat ticks for an interval: max(1 s, min(interval, 5 s)).
[[nodiscard]] constexpr std::chrono::milliseconds beat_period(std::chrono::milliseconds interval) noexcept {
    constexpr std::chrono::milliseconds shortest{1'000};
    constexpr std::chrono::milliseconds longest{5'000};
    return interval < shortest ? shortest : interval < longest ? interval : longest;
}

/// What is due now. Nothing, one, or several of them at once.
struct [[nodiscard]] heartbeat_actions {
    bool send_ping = false;                  ///< queue a PING, and tell on_ping_written() when it left
    std::array<std::byte, 2> ping_payload{}; ///< the PING's payload, by which on_pong() knows the answer
    bool send_beat = false;                  ///< queue the application's beat
    bool roll_window = false;  ///< with send_beat, once per full beat_interval: the metrics' window ends here
    bool peer_is_dead = false; ///< fail the connection with errc::pong_timeout. Once; nothing is due after it
    time_point deadline = no_deadline; ///< when to call tick() again; an event may change it

    /// Whether there is nothing to do but to wait.
    [[nodiscard]] constexpr bool none() const noexcept { return !send_ping && !send_beat && !peer_is_dead; }
};

namespace detail {

/// A span in whole milliseconds; 0 is "none".
[[nodiscard]] constexpr std::uint32_t to_count(std::chrono::milliseconds span) noexcept {
    constexpr std::int64_t most = 0xFFFF'FFFF;
    return span.count() <= 0 ? 0 : static_cast<std::uint32_t>(span.count() < most ? span.count() : most);
}
[[nodiscard]] constexpr duration span_of(std::uint32_t count) noexcept {
    return std::chrono::milliseconds(count);
}
[[nodiscard]] constexpr time_point sooner(time_point a, time_point b) noexcept { return a < b ? a : b; }

/// The application's own beat, apart from the peer's life.
class beat_clock {
public:
    constexpr beat_clock(const heartbeat_options& options, time_point start) noexcept
        : interval_(to_count(options.beat_interval)) {
        if (interval_ == 0) return;
        beat_at_ = deadline_after(start, period());
        roll_at_ = deadline_after(start, span_of(interval_));
    }

    [[nodiscard]] constexpr time_point deadline() const noexcept { return beat_at_; }
    /// Keeps every deadline within its span from now.
    constexpr void pull_in(time_point now) noexcept {
        if (interval_ == 0) return;
        beat_at_ = sooner(beat_at_, deadline_after(now, period()));
        roll_at_ = sooner(roll_at_, deadline_after(now, span_of(interval_)));
    }
    constexpr void tick(time_point now, heartbeat_actions& due) noexcept {
        if (now < beat_at_) return;
        // In step with the earlier beats, unless one was missed: then the beats start anew from now.
        const time_point in_step = deadline_after(beat_at_, period());
        const time_point at = now < in_step ? beat_at_ : now;
        due.send_beat = true;
        beat_at_ = deadline_after(at, period());
        if (at < roll_at_) return;
        due.roll_window = true;
        roll_at_ = deadline_after(at, span_of(interval_));
    }

private:
    [[nodiscard]] constexpr duration period() const noexcept {
        return beat_period(std::chrono::milliseconds(interval_));
    }

    time_point beat_at_ = no_deadline;
    time_point roll_at_ = no_deadline;
    std::uint32_t interval_;
};

/// In its place where the application has no beat.
struct no_beats {
    constexpr no_beats(const heartbeat_options&, time_point) noexcept {}
    [[nodiscard]] static constexpr time_point deadline() noexcept { return no_deadline; }
    static constexpr void pull_in(time_point) noexcept {}
    static constexpr void tick(time_point, heartbeat_actions&) noexcept {}
};

} // namespace detail

/// See the file's laws. Not thread-safe; every function O(1), constexpr, and free of side effects
/// elsewhere. 48 bytes; 32 without `HasBeats`, when heartbeat_options::beat_interval is ignored.
///
/// A loop calls on_received() for what it read before it calls tick(), so that bytes which came in time are counted
/// before the verdict.
template <bool HasBeats>
class basic_heartbeat {
public:
    constexpr basic_heartbeat(const heartbeat_options& options, time_point start) noexcept
        : beats_(options, start),
          ping_interval_(detail::to_count(options.ping_interval)),
          alive_at_(start),
          pong_timeout_(detail::to_count(options.pong_timeout)),
          pong_only_(options.pong_only) {}

    /// Bytes arrived, any at all.
    constexpr void on_received(time_point now) noexcept {
        if (!pong_only_) live(now);
    }
    /// The peer took bytes of ours, at any pace: a sign of life as well, but see heartbeat_options::pong_only.
    /// Call it when a full send buffer has room again, or has fewer unacknowledged bytes in it. Don't call it when the
    /// transport took bytes: a buffer with room takes them for a dead peer too.
    constexpr void on_progress(time_point now) noexcept {
        if (!pong_only_) {
            live(now);
        } else if (phase_ == phase::awaiting_pong) {
            wait_from(now);
        }
    }
    /// A PONG arrived, whichever PING it answers; on_received() need not be called for it.
    constexpr void on_pong(time_point now) noexcept { live(now); }
    /// The same, and returns the round trip: the time since the PING that it answers was written. Empty unless the PONG is
    /// the first answer to the last PING that tick() asked for.
    template <class Duration = duration> // only the sources that call it instantiate the std::optional
    [[nodiscard]] constexpr std::optional<Duration> on_pong(time_point now, const_bytes payload) noexcept {
        live(now);
        const std::array<std::byte, 2> asked = ping_payload();
        if (payload.size() != 2 || payload[0] != asked[0] || payload[1] != asked[1]) return std::nullopt;
        const bool is_timed = is_written_;
        is_asked_ = is_written_ = false;
        if (!is_timed) return std::nullopt; // it came before on_ping_written(), or unasked
        return now < written_at_ ? duration::zero() : now - written_at_;
    }

    /// The transport took a PING, at `when`: the pong timer starts there. A PING of the application's own counts as well,
    /// and stands for the one that tick() asked for, if that is still to be written. A timer that runs is not extended. A
    /// sign of life that is not earlier than `when` answers the PING, even if it was told before this call: read the clock anew.
    constexpr void on_ping_written(time_point when) noexcept {
        if (phase_ == phase::stopped) return;
        if (is_asked_) {
            is_asked_ = false;
            is_written_ = true;
            written_at_ = when;
        }
        if (phase_ == phase::awaiting_pong) return;
        if (pong_timeout_ == 0) {
            alive_at_ = later(alive_at_, when); // the next PING an interval later
        } else if (alive_at_ < when) {
            phase_ = phase::awaiting_pong;
            wait_from(when);
            return;
        }
        phase_ = phase::quiet;
    }
    /// The PING that tick() asked for will never be written (no room): it is asked for again an interval later.
    constexpr void on_ping_dropped(time_point now) noexcept {
        if (phase_ != phase::ping_asked) return;
        phase_ = phase::quiet;
        is_asked_ = false;
        alive_at_ = later(alive_at_, now);
    }

    /// This side does not read at present: the peer is not blamed for that silence, so nothing is awaited. PINGs go on, an
    /// interval after the last one. Call it at the end of each turn after which it is so.
    constexpr void on_not_listening() noexcept {
        if (phase_ == phase::awaiting_pong) phase_ = phase::quiet;
        has_slept_ = false;
    }

    /// The closing handshake began, or the connection ended: nothing is due any more.
    constexpr void on_closing() noexcept { phase_ = phase::stopped; }

    /// What is due at `now`. An early or needless call is harmless.
    constexpr heartbeat_actions tick(time_point now) noexcept {
        heartbeat_actions due;
        due.deadline = deadline();
        if (now < due.deadline && alive_at_ <= now && beats_.deadline() == no_deadline)
            return due; // most calls
        if (phase_ != phase::stopped) {
            pull_in(now);
            judge(now, due);
            if (phase_ != phase::stopped) beats_.tick(now, due);
        }
        due.deadline = deadline();
        return due;
    }

    /// When tick() will next have something to do; an event may have changed it. no_deadline: never.
    [[nodiscard]] constexpr time_point deadline() const noexcept {
        if (phase_ == phase::stopped) return no_deadline;
        const time_point peer = phase_ == phase::awaiting_pong ? has_looked_ ? dead_at() : look_at()
                                : phase_ == phase::quiet ? ping_at()
                                                               : no_deadline;
        return detail::sooner(peer, beats_.deadline());
    }

    /// Whether no PING is asked for or awaited, nor a beat, so that tick() has nothing to do before deadline().
    [[nodiscard]] constexpr bool is_quiet(time_point now) const noexcept {
        return phase_ == phase::quiet && alive_at_ <= now && beats_.deadline() == no_deadline;
    }
    /// Whether a PING was written and no sign of life came after it.
    [[nodiscard]] constexpr bool is_awaiting_pong() const noexcept { return phase_ == phase::awaiting_pong; }
    /// While it is: since when the peer's silence counts.
    [[nodiscard]] constexpr time_point waiting_since() const noexcept { return alive_at_; }
    /// Whether on_closing() was called, or the peer was called dead.
    [[nodiscard]] constexpr bool has_stopped() const noexcept { return phase_ == phase::stopped; }

private:
    enum class phase : std::uint8_t { quiet, ping_asked, awaiting_pong, stopped };

    static constexpr time_point later(time_point a, time_point b) noexcept { return a < b ? b : a; }

    [[nodiscard]] constexpr time_point ping_at() const noexcept {
        return ping_interval_ == 0 ? no_deadline : deadline_after(alive_at_, detail::span_of(ping_interval_));
    }

    /// While a PONG is awaited: when the two looks are due.
    [[nodiscard]] constexpr time_point dead_at() const noexcept {
        return deadline_after(alive_at_, detail::span_of(pong_timeout_));
    }
    [[nodiscard]] constexpr time_point look_at() const noexcept {
        return dead_at() == no_deadline ? no_deadline : deadline_after(dead_at(), -quarter());
    }
    [[nodiscard]] constexpr duration quarter() const noexcept { return detail::span_of(pong_timeout_) / 4; }
    /// Of the PING that was asked for last.
    [[nodiscard]] constexpr std::array<std::byte, 2> ping_payload() const noexcept {
        return {static_cast<std::byte>(ping_number_ >> 8), static_cast<std::byte>(ping_number_ & 0xff)};
    }

    /// The peer's silence counts from here.
    constexpr void wait_from(time_point now) noexcept {
        alive_at_ = now;
        has_looked_ = false;
    }
    constexpr void live(time_point now) noexcept {
        alive_at_ = later(alive_at_, now);
        if (phase_ == phase::awaiting_pong) phase_ = phase::quiet;
        has_slept_ = false;
    }

    /// Keeps every deadline within its span from now: heals deadlines that a clock which ran ahead has set.
    constexpr void pull_in(time_point now) noexcept {
        alive_at_ = detail::sooner(alive_at_, now);
        beats_.pull_in(now);
    }

    constexpr void judge(time_point now, heartbeat_actions& due) noexcept {
        if (phase_ == phase::awaiting_pong && now >= dead_at()) {
            // One of the two looks comes so late that this side did not listen either: ask again, once.
            const bool slept = !has_looked_ || now >= deadline_after(dead_at(), quarter());
            due.send_ping = slept && !has_slept_;
            due.peer_is_dead = !due.send_ping;
            has_slept_ = slept;
            phase_ = due.send_ping ? phase::ping_asked : phase::stopped;
        } else if (phase_ == phase::awaiting_pong && now >= look_at()) {
            has_looked_ = true;
        } else if (phase_ == phase::quiet && now >= ping_at()) {
            due.send_ping = true;
            phase_ = phase::ping_asked;
        }
        if (!due.send_ping) return;
        ++ping_number_;
        due.ping_payload = ping_payload();
        is_asked_ = true;
        is_written_ = false;
    }

    // [[no_unique_address]]: what follows lies in its tail padding.
    [[no_unique_address]] std::conditional_t<HasBeats, detail::beat_clock, detail::no_beats> beats_;
    std::uint32_t ping_interval_;
    /// The last sign of life; from a PING's writing until the next one, since when silence counts against the peer.
    time_point alive_at_;
    time_point written_at_{}; ///< of the PING that was asked for last
    std::uint32_t pong_timeout_;
    std::uint16_t ping_number_ = 0;
    phase phase_ = phase::quiet;
    bool pong_only_ : 1;
    bool has_looked_ : 1 = false; ///< within the timeout's last quarter
    bool has_slept_ : 1 = false;  ///< through a verdict, since the last sign of life or pause of reading
    bool is_asked_ : 1 = false;   ///< the last PING: not written yet
    bool is_written_ : 1 = false; ///< the last PING: not answered yet
};

/// With the application's own beats.
using heartbeat = basic_heartbeat<true>;

} // namespace wsolo::inline WSOLO_ABI
