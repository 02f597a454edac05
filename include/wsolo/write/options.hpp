// SPDX-License-Identifier: MIT
#pragma once
// How one writer behaves: how much it may hold, what happens to the next item when that is used up, and its timeouts.
//
// Laws of this file:
// - What counts is what was accepted and not yet taken by the transport, writes in flight included, plus a fixed
//   overhead for each frame: the bound is on memory, not on payload. An item is counted before it is accepted.
// - Control frames have a reserve of their own: data can't starve a PONG, and a flood of PINGs can't grow memory.
// - A zero means "none" for every limit, quantum and timeout here: no bound.

#include "../core/limit.hpp"
#include "../core/time.hpp"

#include <cstddef>
#include <cstdint>

namespace wsolo::inline WSOLO_ABI {

/// Charged for each queued data frame on top of its wire bytes, in bytes.
inline constexpr std::size_t frame_overhead = 16;

/// Charged besides for each entry of the queue, in bytes. Plain frames that follow each other share one entry. A frame has
/// an entry of its own when it is large (above 2 KiB), shared, keyed or has an `on_done`, when it may be dropped for newer
/// data (overflow::drop_oldest), or when it waits for a fragmented message to end; a flush() has one too. The plain frame
/// after such an entry starts a new one.
inline constexpr std::size_t entry_overhead = 80;

/// What happens to a data frame that does not fit now. (Two more policies belong to the call, not to the writer:
/// send_wait() waits for room, send_keyed() replaces an item of the same key.)
enum class overflow : std::uint8_t {
    reject,      ///< errc::queue_full; nothing happened
    drop_oldest, ///< the oldest queued data gives way, errc::dropped_oldest; what is being written stays
    disconnect,  ///< errc::queue_full, and the writer is aborted with it: a peer this slow is worse than none
};

/// The bounds of one writer. Everything is per connection.
struct writer_limits {
    /// Bytes that may be queued or in flight, overhead included. A data frame that would exceed it is refused with
    /// errc::queue_full (it may fit later) or errc::too_large (it never will). The heap that the queue holds stays
    /// below this x 1.25 + 256 KiB (three blocks of 64 KiB may be partly empty; max_bytes / 8 + 32 KiB are for the message that
    /// is being compressed, and one that would need more leaves uncompressed; 134 bytes of the budget are set aside meanwhile); a thread inside a send may hold the frame
    /// that it encodes and a block besides, and the control reserve has its own (up to 256 bytes for each frame in it).
    /// Not in it: what an encoder holds from one message to the next (deflate_options says how much that is), and the compressed
    /// forms of a shared_frame, which are the frame's: up to two, each shorter than it.
    /// The default always has room for the longest default message in an empty queue.
    std::size_t max_bytes = 2 * default_max_message;
    /// Bytes of payload that one message may have, in all its frames: errc::too_large above. The default is what a peer's
    /// reader takes by default. No message is longer once it is compressed either: set it to what the peer takes.
    std::uint32_t max_message = default_max_message;
    /// Data frames that may be queued or in flight.
    std::uint32_t max_frames = 65'536;
    /// PONGs and PINGs that may wait, each kind; at least 1. Every PING is answered while there is room; beyond it the
    /// newest PONG replaces the one before it (RFC 6455 §5.5.3), and a PING of our own is refused with errc::queue_full.
    std::uint16_t control_reserve = 256;
    overflow when_full = overflow::reject;
    /// Percent of max_bytes at which the observer is told that the queue is high, and, after that, low again. A low mark
    /// above the high one counts as equal to it.
    std::uint8_t high_water = 75;
    std::uint8_t low_water = 25;
};

/// The timeouts of one writer.
struct writer_timeouts {
    /// How long one write may go without progress, counted from its own start.
    std::chrono::milliseconds write{30'000};
    /// How long close() may take to write what is queued, unless the call says otherwise.
    std::chrono::milliseconds drain{5'000};
    /// Bytes per second that the peer must take at least: each byte taken extends a write's deadline by 1/min_rate
    /// seconds and no more, so that a peer that takes a few bytes at a time can't hold the writer for ever. 0: every
    /// progress earns a fresh timeout.
    /// (Kept to a thousandth.)
    std::uint32_t min_rate = 1'024;
};

/// Copied into the writer; but an endpoint's writer looks at the endpoint's.
struct writer_options {
    /// How much it may hold, and its times.
    writer_limits limits{};
    writer_timeouts timeouts{};
    /// Bytes and frames that one pump() (or one sender, where the drive is inline) may write before it hands the turn
    /// back, so that one connection can't hold its loop. Checked between writes: the last write may pass the bound by up
    /// to max_gather and the frames in it. (Bytes are kept to a thousandth.)
    std::uint32_t pump_quantum = 1024 * 1024;
    std::uint16_t pump_frames = 16'384;
    /// Bytes that one write offers to the transport, in at most 64 parts. More costs fewer system calls for large frames; a
    /// PONG waits for the write before it, as far as the socket's own buffer takes that. (Kept to a thousandth.)
    /// Where messages are compressed, a write takes no more of them than reach 64 KiB as they were, whatever this is: compressing
    /// more would delay it by milliseconds.
    std::uint32_t max_gather = 512 * 1024;
};

namespace detail {

/// A number of bytes in 16 bits: exact below 2048, above that within a thousandth, never more.
class short_size {
public:
    explicit constexpr short_size(std::uint32_t size) noexcept {
        std::uint16_t shift = 0;
        for (; size >> shift >= 2048; ++shift) {}
        bits_ = static_cast<std::uint16_t>(size >> shift << 5 | shift);
    }

    [[nodiscard]] constexpr std::uint32_t get() const noexcept {
        return static_cast<std::uint32_t>(bits_ >> 5) << (bits_ & 31U);
    }
    [[nodiscard]] bool operator==(const short_size&) const = default;

private:
    std::uint16_t bits_;
};

/// What a writer asks of its options, as it is kept: 40 bytes, that are the same for all writers of one owner.
struct writer_rules {
    explicit constexpr writer_rules(const writer_options& options) noexcept
        : max_bytes(bound_of(options.limits.max_bytes)),
          write_timeout(options.timeouts.write),
          drain_timeout(options.timeouts.drain),
          max_frames(bound_of(options.limits.max_frames)),
          max_message(bound_of(options.limits.max_message)),
          min_rate(options.timeouts.min_rate),
          pump_quantum(options.pump_quantum),
          max_gather(options.max_gather),
          pump_frames(options.pump_frames),
          control_reserve(options.limits.control_reserve == 0 ? 1 : options.limits.control_reserve),
          high_water(options.limits.max_bytes == 0 ? 0 : options.limits.high_water),
          low_water(options.limits.low_water < options.limits.high_water ? options.limits.low_water
                                                                         : options.limits.high_water),
          when_full(options.limits.when_full) {}

    [[nodiscard]] bool operator==(const writer_rules&) const = default;

    std::size_t max_bytes; ///< a bound, as all that are called max
    short_duration write_timeout;
    short_duration drain_timeout;
    std::uint32_t max_frames;
    std::uint32_t max_message;
    short_size min_rate;
    short_size pump_quantum;
    short_size max_gather; ///< 0: none
    std::uint16_t pump_frames;
    std::uint16_t control_reserve;
    std::uint8_t high_water; ///< percent; 0: none is told
    std::uint8_t low_water;
    overflow when_full;
};

} // namespace detail
} // namespace wsolo::inline WSOLO_ABI
