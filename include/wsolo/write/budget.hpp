#pragma once
// How much one writer may hold, and what becomes of the next item when that is used up.
//
// Laws of this file:
// - What counts is what is accepted and not yet taken by the transport, frames in flight included, plus a
//   fixed overhead per frame: the bound is on memory, not on payload.
// - The candidate is counted before it is accepted, so the bound is never exceeded (RFC 6455 §10.4 asks for
// limits).
// - Control frames have a reserve of their own: data can't starve a PONG, and a PING flood can't grow memory.

#include "../sync/traits.hpp"

#include <cstddef>
#include <cstdint>

namespace wsolo::inline WSOLO_ABI {

/// Charged per queued frame on top of its wire bytes: its record, and its share of the blocks it lies in.
inline constexpr std::size_t frame_overhead = 16;

/// Charged besides for a frame with a block to itself, because it is large (above 2 KiB), shared, keyed,
/// observed or part of a fragmented message; and for what a flush() leaves in the queue.
inline constexpr std::size_t block_overhead = 88;

/// What becomes of a data frame that does not fit now. (Two more answers belong to the call, not to the
/// writer: single_writer::send_wait waits for room, send_keyed replaces an item of the same key.)
enum class overflow : std::uint8_t {
    reject,      ///< errc::queue_full; nothing happened
    drop_oldest, ///< the oldest queued data gives way, errc::dropped_oldest; what is being written stays
    disconnect,  ///< errc::queue_full, and the writer is aborted with it: a peer this slow is worse than none
};

/// The bounds of one writer. Everything is per connection.
struct writer_limits {
    /// Bytes that may be queued or in flight, overhead included. A data frame that would exceed it is
    /// rejected with errc::queue_full (it may fit later) or errc::too_large (it never will).
    std::size_t max_bytes = 4 * 1024 * 1024;
    /// Data frames that may be queued or in flight.
    std::uint32_t max_frames = 65'536;
    /// PONGs and PINGs that may wait, each kind. Every PING is answered while there is room; beyond it the
    /// newest PONG replaces the one before it (RFC 6455 §5.5.3), and a PING of our own is rejected with
    /// errc::queue_full.
    std::uint16_t control_reserve = 256;
    overflow when_full = overflow::reject;
    /// Percent of max_bytes at which the observer is told that the queue is high, and, after that, low again.
    std::uint8_t high_water = 75;
    std::uint8_t low_water = 25;
};

/// The times of one writer.
struct writer_timeouts {
    /// How long one write may stand without progress. Counted from the moment that this write starts.
    std::chrono::milliseconds write{30'000};
    /// How long close() may take to flush what is queued, unless the call says otherwise.
    std::chrono::milliseconds drain{5'000};
    /// Bytes per second that the peer must take at least: each byte taken extends a write's deadline by
    /// 1/min_rate seconds and no more, so that a peer that drips can't hold the writer for ever.
    std::uint32_t min_rate = 1'024;
};

/// How one writer behaves. Copied into it.
struct writer_options {
    writer_limits limits{};
    writer_timeouts timeouts{};
    /// Bytes and frames that one pump() (or one sender, where the drive is inline) may write before it hands
    /// the token back, so that one connection can't hold its loop. Looked at between writes: the last may
    /// carry it past the bound, by up to 128 KiB and the frames in them. (Bytes are kept to a thousandth.)
    std::uint32_t pump_quantum = 1024 * 1024;
    std::uint16_t pump_frames = 16'384;
};

} // namespace wsolo::inline WSOLO_ABI
