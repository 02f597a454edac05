#pragma once
// How one endpoint behaves, and what it tells the loop that drives it.
//
// Laws of this file:
// - Every default suits a public server: bounded memory, bounded silence, a bounded end.

#include "../core/time.hpp"
#include "../frame/close_code.hpp"
#include "../session/heartbeat.hpp"
#include "../session/limits.hpp"
#include "../sync/inbox_limits.hpp"
#include "../sync/inbox_report.hpp"
#include "../write/options.hpp"
#include "../write/report.hpp"

#include <cstddef>
#include <cstdint>

namespace wsolo::inline WSOLO_ABI {

/// Copied into the endpoint. A zero means "none" for every limit, quantum and timeout.
struct endpoint_options {
    /// What the peer may make this side take. `deliver` is ignored: an endpoint hands out whole messages.
    read_limits reading{};
    writer_options writing{};
    /// What may wait for the handler. With drop_newest the handler's on_refused() is told of each message that was not
    /// let in; without one only ending::handled.messages_refused counts it.
    inbox_limits handling{};
    heartbeat_options beating{};
    /// How long the peer may take to answer our Close, and to end the stream behind a failure.
    std::chrono::milliseconds close_timeout{5'000};
    /// Reading pauses while more than this waits to be written, for peers whose requests make replies: bytes, as
    /// writer_limits::max_bytes counts them, or data frames. Leave room above both in writing.limits for the replies to
    /// what one receive() may bring: the smallest message has 6 bytes, or 2 when a server sent it.
    std::size_t max_unsent = 0;
    std::uint32_t max_unsent_frames = 16'384;
    /// Messages handled in one turn of the loop, or by one work().
    std::uint32_t handle_quantum = 64;
};

/// What an endpoint wants of its loop until the next call. Level-triggered: watch for exactly this.
struct [[nodiscard]] endpoint_wants {
    bool read = true;      ///< bytes, for receive()
    bool write = false;    ///< run() when the transport is writable
    bool finished = false; ///< over: on_finished() was called; nothing more is wanted, it may be destroyed
    time_point deadline = no_deadline; ///< run() at this time
};

/// How a connection ended.
struct ending {
    /// The first thing that went wrong; none: both sides closed in order.
    errc reason = errc::none;
    /// The status code of the Close that was received, or else of the one that was sent. abnormal: neither
    /// (RFC 6455 §7.1.5).
    close_code code = close_code::abnormal;
    /// The peer's Close arrived.
    bool peer_closed = false;
    /// PONGs and PINGs that the endpoint queued by itself, and the Close, whoever asked for it: with the caller's
    /// own accepted frames they add up to written.frames_accepted().
    std::uint64_t control_frames = 0;
    drain_report written{};
    inbox_report handled{};
};

} // namespace wsolo::inline WSOLO_ABI
