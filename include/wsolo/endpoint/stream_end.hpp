// SPDX-License-Identifier: MIT
#pragma once
// How a connection's byte stream ends: when our FIN leaves, how long input is still taken, when the connection is gone.
// A pure state machine: events and times in, what is to be done out. Usable without an endpoint.
//
// Laws of this file (RFC 6455 §7.1.1, §7.1.7):
// - Our FIN leaves when everything of ours was written and the peer's Close was read, or its stream ended, or is unreadable, or
//   a bound passed. A client waits for the server's end besides; a server ends first.
// - After a failed write there is nothing more to say, but what the peer still says is read: to its Close, its end, or a bound.
// - A verdict on the peer takes two looks, a quarter of the bound apart: what arrived while the process slept is read first.
// - After our FIN, or the peer's Close, input is taken and thrown away until its end or a bound, so that no reset destroys what
//   is on its way. Then the connection is gone, and that is the end.
//
//   output \ input | open                  | closed (its Close was read)     | unreadable       | over
//   ---------------+-----------------------+---------------------------------+------------------+-----------
//   open           | -                     | -                               | -                | -
//   drained        | await_close           | FIN (server), await_end         | FIN, await_end   | FIN, gone
//   failed         | await_close           | gone                            | gone             | gone
//   await_close and await_end: FIN (if drained) and gone when their bound passes. An abort: gone, from everywhere.

#include "../core/limit.hpp"
#include "../core/role.hpp"
#include "../core/time.hpp"

#include <cstdint>
#include <utility>

namespace wsolo::inline WSOLO_ABI {

/// How long an end may take. A zero means "none" for each: no bound.
struct end_options {
    /// How long to wait for the peer's answer to our Close, and how long our answer to the peer's Close waits for the handler.
    std::chrono::milliseconds close_timeout{5'000};
    /// How long to wait for the end of the peer's stream while its bytes are thrown away.
    std::chrono::milliseconds linger_timeout{5'000};
    /// How many bytes are thrown away meanwhile at most.
    std::uint64_t linger_bytes = std::uint64_t{64} * 1024 * 1024;

    [[nodiscard]] bool operator==(const end_options&) const = default;
};

/// What is to be done now.
struct [[nodiscard]] end_actions {
    bool end_output = false;           ///< send our FIN. Told once
    bool disconnect = false;           ///< end both directions. Told once, after end_output if both are due
    time_point deadline = no_deadline; ///< when to ask again; an event may change it
};

/// When a stream may be shut down, and closed. A value; every function O(1), constexpr, no side effects elsewhere.
class stream_end {
public:
    constexpr stream_end(role side, const end_options& options) noexcept
        : bytes_left_(bound_of(options.linger_bytes)),
          close_timeout_(options.close_timeout),
          linger_timeout_(options.linger_timeout),
          self_(side) {}

    // ---- events

    /// The writer finished: with our Close as the last thing written, or otherwise.
    constexpr void on_output_over(bool is_drained, time_point now) noexcept {
        if (output_ != output::open) return;
        output_ = is_drained ? output::drained : output::failed;
        advance(now);
    }
    /// The peer's Close was read: what follows it is thrown away.
    constexpr void on_peer_close(time_point now) noexcept { to(input::closed, now); }
    /// The peer broke a rule, or its input is not wanted any more: what follows is thrown away.
    constexpr void on_unreadable(time_point now) noexcept { to(input::unreadable, now); }
    /// The peer's stream ended, or broke: no byte will come.
    constexpr void on_input_over(time_point now) noexcept { to(input::over, now); }
    /// The connection is to go at once.
    constexpr void on_abort() noexcept { stage_ = stage::gone; }
    /// The peer took bytes of ours, or this side did not read: the bound of the wait in progress starts anew.
    constexpr void on_progress(time_point now) noexcept { wait_from(now); }
    /// Bytes came that is_discarding() says are thrown away.
    constexpr void on_discarded(std::uint64_t bytes) noexcept {
        bytes_left_ -= bytes < bytes_left_ ? bytes : bytes_left_;
    }

    // ---- answers

    /// end_options::close_timeout; duration::max(): no bound.
    [[nodiscard]] constexpr duration close_timeout() const noexcept { return close_timeout_.get(); }
    /// What is due at `now`. A call too many is harmless.
    constexpr end_actions next(time_point now) noexcept {
        if (is_waiting() && (has_passed(now) || bytes_left_ == 0)) {
            missed_close_ = stage_ == stage::await_close && output_ == output::drained;
            stage_ = stage::gone;
        }
        end_actions due;
        due.end_output = is_fin_due() && !std::exchange(fin_told_, true);
        due.disconnect = is_gone() && !std::exchange(gone_told_, true);
        due.deadline = deadline();
        return due;
    }

    /// When next() will have something to do.
    [[nodiscard]] constexpr time_point deadline() const noexcept {
        if (!is_waiting() || until() == no_deadline) return no_deadline;
        return has_looked_ ? until() : deadline_after(until(), -quarter());
    }
    /// Whether what comes is to be read from the transport (and thrown away if is_discarding()).
    [[nodiscard]] constexpr bool wants_input() const noexcept { return !is_gone() && input_ != input::over; }
    /// Whether what comes is of no interest: it is read and thrown away.
    [[nodiscard]] constexpr bool is_discarding() const noexcept { return input_ != input::open; }
    /// Whether disconnect is due, or was told.
    [[nodiscard]] constexpr bool is_gone() const noexcept { return stage_ == stage::gone; }
    /// Whether it waits for the peer: our side of the output is over, the connection not gone.
    [[nodiscard]] constexpr bool is_waiting() const noexcept {
        return stage_ == stage::await_close || stage_ == stage::await_end;
    }
    /// While it waits: since when its bound runs.
    [[nodiscard]] constexpr time_point waiting_since() const noexcept { return since_; }
    /// Whether the peer did not answer our Close within its time.
    [[nodiscard]] constexpr bool missed_close() const noexcept { return missed_close_; }

private:
    enum class output : std::uint8_t { open, drained, failed };
    enum class input : std::uint8_t { open, closed, unreadable, over };
    enum class stage : std::uint8_t { running, await_close, await_end, gone };

    /// Input only gets worse: a Close that stands in unreadable input was not read.
    constexpr void to(input next, time_point now) noexcept {
        if (next <= input_ || (next == input::unreadable && input_ == input::closed)) return;
        input_ = next;
        advance(now);
    }

    constexpr void advance(time_point now) noexcept {
        if (stage_ == stage::gone || output_ == output::open) return;
        const stage next = input_ == input::open                                ? stage::await_close
                           : input_ == input::over || output_ == output::failed ? stage::gone
                                                                                : stage::await_end;
        if (next == stage_) return;
        stage_ = next;
        wait_from(now);
    }

    // ---- the wait

    constexpr void wait_from(time_point now) noexcept {
        since_ = now;
        has_looked_ = has_slept_ = false;
    }
    [[nodiscard]] constexpr duration bound() const noexcept {
        return (stage_ == stage::await_close ? close_timeout_ : linger_timeout_).get();
    }
    [[nodiscard]] constexpr duration quarter() const noexcept { return bound() / 4; }
    [[nodiscard]] constexpr time_point until() const noexcept { return deadline_after(since_, bound()); }

    /// Whether the bound is over. A look that comes too late says that this process slept: a quarter more, once.
    constexpr bool has_passed(time_point now) noexcept {
        if (now < deadline()) return false;
        const bool slept = now >= (has_looked_ ? deadline_after(until(), quarter()) : until());
        if (slept && !std::exchange(has_slept_, true)) since_ = deadline_after(now, quarter() - bound());
        return std::exchange(has_looked_, true) && now >= until();
    }

    [[nodiscard]] constexpr bool is_fin_due() const noexcept {
        if (output_ != output::drained || gone_told_) return false;
        return is_gone() || input_ == input::unreadable || (input_ == input::closed && self_ == role::server);
    }

    time_point since_{};
    std::uint64_t bytes_left_;
    detail::short_duration close_timeout_;
    detail::short_duration linger_timeout_;
    role self_;
    output output_ : 2 = output::open;
    input input_ : 2 = input::open;
    stage stage_ = stage::running;
    bool fin_told_ = false;
    bool gone_told_ = false;
    bool missed_close_ = false;
    bool has_looked_ = false; ///< within the bound's last quarter
    bool has_slept_ = false;  ///< through a verdict of this wait
};

} // namespace wsolo::inline WSOLO_ABI
