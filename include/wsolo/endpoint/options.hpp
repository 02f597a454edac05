// SPDX-License-Identifier: MIT
#pragma once
// How one endpoint behaves, what it tells the loop that drives it, and how it ended.
//
// Laws of this file:
// - Every default suits a public server: bounded memory, bounded silence, a bounded end.
// - What is the same for many endpoints and asked for at any time stands once on the heap (shared_options()).
// - A zero means "none" for every limit, quantum and timeout.

#include "../frame/close_code.hpp"
#include "../session/heartbeat.hpp"
#include "../session/limits.hpp"
#include "../session/rate_limit.hpp"
#include "../sync/inbox_limits.hpp"
#include "../sync/inbox_report.hpp"
#include "../write/options.hpp"
#include "../write/report.hpp"
#include "detail/shared_rules.hpp"
#include "stream_end.hpp"

#include <concepts>
#include <cstddef>
#include <cstdint>

namespace wsolo::inline WSOLO_ABI {

/// Copied into the endpoint, or shared by many: shared_options().
struct endpoint_options {
    /// What the peer may make this side take. `deliver` is ignored: an endpoint hands out whole messages.
    read_limits reading{};
    /// How much may come in a second. Beyond it the connection ends with errc::rate_exceeded (1008).
    reading_rate rate{};
    writer_options writing{};
    /// What may wait for the handler. With drop_newest the handler's on_refused() is told of each message that was not
    /// let in; without one only ending::handled.messages_refused counts it.
    inbox_limits handling{};
    heartbeat_options beating{};
    end_options ending{};
    /// Replies that may wait to be written, in payload bytes and in messages. A reply is what a handler sends while it
    /// handles a message. Beyond the bound no message is handled and nothing is read, until the replies are on their way. Data
    /// that is sent at other times does not count: two sides that push to each other go on reading. Keep the bound below
    /// writing.limits by the longest reply.
    std::size_t max_unsent = 1024 * 1024;
    std::uint32_t max_unsent_replies = 16'384;
    /// Messages handled in one turn of the loop, or by one work().
    std::uint32_t handle_quantum = 64;
    /// What shared_options() made ready; nothing, unless it did.
    detail::shared_rules<endpoint_options> ready{};
};

/// The same options with `reading`, `writing`, `handling`, `handle_quantum`, `max_unsent`, `max_unsent_replies` and `ending` made ready, once for all the endpoints that are made with the result or with copies of it;
/// without it each endpoint takes a block of about 150 bytes for that part (but for the defaults, which are always shared). What
/// is changed afterwards is not shared. Without memory it returns the options as they are. A listener does this for its connections.
template <std::derived_from<endpoint_options> Options>
[[nodiscard]] Options shared_options(Options options) noexcept {
    options.ready = detail::shared_rules<endpoint_options>(options);
    return options;
}

/// What an endpoint wants from its loop until the next call. Level-triggered: watch for exactly this.
struct [[nodiscard]] endpoint_wants {
    bool read = true;   ///< bytes, for receive(). While it is false look neither for input nor for a hang-up
    bool write = false; ///< run() when the transport is writable. Never of a completion_transport
    bool finished = false; ///< over: on_finished() was called; nothing more is wanted, it may be destroyed
    /// Call run() at this time. It moves only to an earlier time, or once it has passed: a loop rarely sets its timer again.
    time_point deadline = no_deadline;
};

/// What went through an endpoint. Plain numbers, which may be summed over many. (Of what was sent: ending::written, or
/// writer().report().)
struct endpoint_counters {
    /// Whole messages, by kind.
    std::uint64_t texts_received = 0;
    std::uint64_t binaries_received = 0;
    std::uint64_t bytes_received = 0; ///< payload of messages
    /// Control frames from the peer; of one endpoint, modulo 2^32.
    std::uint64_t pings_received = 0;
    std::uint64_t pongs_received = 0;
    std::uint64_t sends_refused = 0; ///< queue_full, by the endpoint's own functions

    constexpr endpoint_counters& operator+=(const endpoint_counters& more) noexcept {
        texts_received += more.texts_received;
        binaries_received += more.binaries_received;
        bytes_received += more.bytes_received;
        pings_received += more.pings_received;
        pongs_received += more.pongs_received;
        sends_refused += more.sends_refused;
        return *this;
    }
};

/// How a connection ended.
struct ending {
    /// The first thing that went wrong; none: both sides closed in order.
    errc reason = errc::none;
    /// The status code of the Close that was received, or else of the one that was written to its last byte. abnormal: neither
    /// (RFC 6455 §7.1.5).
    close_code code = close_code::abnormal;
    /// The peer's Close arrived.
    bool peer_closed = false;
    /// A handler did not return (or a coroutine held a message) for end_options::close_timeout after everything else was
    /// over: it may still run. `handled` then lacks the messages of its run, 32 at most.
    bool handler_still_runs = false;
    /// PONGs and PINGs that the endpoint queued by itself, and the Close, also one that the caller asked for: with the
    /// caller's other accepted frames they add up to written.frames_accepted(). Modulo 2^32.
    std::uint64_t control_frames = 0;
    drain_report written{};
    inbox_report handled{};
};

} // namespace wsolo::inline WSOLO_ABI
