// SPDX-License-Identifier: MIT
#pragma once
// How much one writer may hold, how much it holds, and what became of the frames that have left it.
//
// Laws of this file:
// - accepted = written + dropped + replaced + held, in frames and in bytes, after every step.
// - A frame is counted before it is accepted, and no longer once the transport took it. Room that was granted to a waiting
//   sender counts as held.
// - Data pays from the budget; PONGs and PINGs have a reserve, each kind its own, and so have the handshake's bytes (64
//   KiB); Close and a PONG beyond the reserve (which replaces another) are always admitted.

#include "../../core/limit.hpp"
#include "../encoder.hpp"
#include "../options.hpp"
#include "../report.hpp"
#include "batch.hpp"

namespace wsolo::inline WSOLO_ABI::detail {

/// What is queued or in flight. All zero while the writer is idle, so it lives in the queue's heap block.
struct holdings {
    std::size_t data_bytes = 0;
    /// Granted to waiting senders, overhead included, and to the message that is encoded.
    std::size_t reserved_bytes = 0;
    std::uint32_t reserved_frames = 0;
    std::uint32_t data_frames = 0;
    std::uint32_t entries = 0; ///< of data
    /// Bytes of the oldest data entry that the transport took, where they are freed with the rest of it.
    std::size_t lingering = 0;
    std::size_t control_bytes = 0;
    std::size_t greeting_bytes = 0;                    ///< what the handshake writes
    std::uint32_t control_frames[lane_count - 1] = {}; ///< greeting, PONG, PING

    /// Budget in use: wire bytes plus overhead.
    [[nodiscard]] std::size_t charged() const noexcept {
        return data_bytes + lingering + data_frames * frame_overhead + entries * entry_overhead;
    }
    void add(lane_id to, std::size_t bytes, std::uint32_t frames) noexcept {
        if (to == lane_id::data) {
            data_bytes += bytes;
            data_frames += frames;
        } else {
            (to == lane_id::greeting ? greeting_bytes : control_bytes) += bytes;
            control_frames[static_cast<std::size_t>(to)] += frames;
        }
    }
    void remove(lane_id from, std::size_t bytes, std::uint32_t frames) noexcept {
        add(from, 0 - bytes, 0 - frames);
    }
    [[nodiscard]] std::uint32_t count(lane_id of) const noexcept {
        return of == lane_id::data ? data_frames : control_frames[static_cast<std::size_t>(of)];
    }
};

/// Bytes by which a frame's header grows with its payload, at most: its length of 16 bits becomes one of 64 (RFC 6455 §5.2).
inline constexpr std::size_t header_growth = 6;

/// What would be dropped from the queue to make room.
struct relief {
    std::size_t charge = 0;
    std::uint32_t frames = 0;
};

/// The limits and the totals. Not thread-safe: the outbox calls it under its lock. O(1) throughout.
class accounts {
public:
    explicit accounts(const writer_limits& limits) noexcept
        : max_bytes_(bound_of(limits.max_bytes)),
          max_frames_(bound_of(limits.max_frames)),
          reserve_(limits.control_reserve == 0 ? 1 : limits.control_reserve),
          high_water_(limits.max_bytes == 0 ? 0 : limits.high_water),
          low_water_(limits.low_water < limits.high_water ? limits.low_water : limits.high_water),
          when_full_(limits.when_full) {}

    [[nodiscard]] overflow when_full() const noexcept { return when_full_; }
    /// Whether plain data leaves in the order in which it comes: no open message holds it back, and none may be dropped.
    [[nodiscard]] bool keeps_order() const noexcept {
        return !in_message_ && when_full_ != overflow::drop_oldest;
    }

    /// What a data frame costs, in an entry of its own or in the one before it.
    [[nodiscard]] static constexpr std::size_t charge_of(std::size_t size,
                                                         bool starts_entry = true) noexcept {
        return size + frame_overhead + (starts_entry ? entry_overhead : 0);
    }

    /// Whether a data frame that costs `charge` fits now, into half of the budget where others have the other half, once
    /// `leaving` has left.
    [[nodiscard]] errc admit(const holdings& held, std::size_t charge, bool half,
                             const relief& leaving = {}) const noexcept {
        if (charge > max_bytes_) return errc::too_large;
        const std::uint64_t frames = std::uint64_t{held.data_frames} + held.reserved_frames - leaving.frames;
        const std::size_t in_use = held.charged() + held.reserved_bytes - leaving.charge;
        const bool fits =
            frames < frame_bound(half) && in_use <= byte_bound(half) && charge <= byte_bound(half) - in_use;
        return fits ? errc::none : errc::queue_full;
    }
    /// Whether a small data frame is accepted by an idle writer without more ado.
    [[nodiscard]] bool admits_first(std::size_t size) const noexcept {
        return keeps_order() && is_inline(size) && charge_of(size) <= max_bytes_;
    }
    /// admit() for a small data frame in the entry of the one before it.
    [[nodiscard]] bool admits_next(const holdings& held, std::size_t size) const noexcept {
        const std::uint64_t frames = std::uint64_t{held.data_frames} + held.reserved_frames;
        const std::size_t in_use = held.charged() + held.reserved_bytes;
        return frames < max_frames_ && in_use <= max_bytes_ && charge_of(size, false) <= max_bytes_ - in_use;
    }
    /// Whether a mark may queue: one may stand above the bound, so that a full queue can be flushed too.
    [[nodiscard]] errc admit_mark(const holdings& held, bool half) const noexcept {
        return held.charged() > byte_bound(half) ? errc::queue_full : errc::none;
    }
    [[nodiscard]] errc admit_control(const holdings& held, lane_id to, std::size_t size) const noexcept {
        const bool fits = to == lane_id::greeting
                              ? size <= most_greeting && held.greeting_bytes <= most_greeting - size
                              : to != lane_id::ping || held.count(to) < reserve_;
        return fits ? errc::none : errc::queue_full;
    }
    /// Whether half of the bounds is free.
    [[nodiscard]] bool is_half_free(const holdings& held) const noexcept {
        return held.charged() <= byte_bound(true) && held.data_frames <= frame_bound(true);
    }
    [[nodiscard]] bool pongs_full(const holdings& held) const noexcept {
        return held.count(lane_id::pong) >= reserve_;
    }

    /// How much a waiting sender is to be granted: never more than the budget.
    [[nodiscard]] std::size_t grantable(std::size_t charge) const noexcept {
        return charge < max_bytes_ ? charge : max_bytes_;
    }

    static constexpr std::uint32_t least_block = 4 * 1024;
    static constexpr std::uint32_t most_block = 64 * 1024;
    /// The largest block for small frames: what is left open of it stays small beside the budget.
    [[nodiscard]] std::uint32_t largest_block() const noexcept {
        const std::size_t share = max_bytes_ / 16;
        return share < least_block  ? least_block
               : share < most_block ? static_cast<std::uint32_t>(share)
                                    : most_block;
    }
    /// Frames up to this size may lie in a block; larger ones own their memory, so that blocks are filled well.
    [[nodiscard]] std::size_t inline_limit() const noexcept {
        return largest_block() / 8 < most_inline ? largest_block() / 8 : most_inline;
    }

    [[nodiscard]] bool is_inline(std::size_t size) const noexcept {
        return size <= least_block / 8 || size <= inline_limit(); // the first one saves the others a division
    }

    /// Bytes beside the budget in which one message is encoded: a part of what the heap may have above it.
    [[nodiscard]] std::size_t encoding_room() const noexcept {
        return max_bytes_ / 8 + std::size_t{32} * 1024;
    }

    /// Bytes by which one frame may grow when it is encoded: as far as the budget has room for them now.
    [[nodiscard]] std::size_t encoding_growth(const holdings& held) const noexcept {
        constexpr std::size_t most = encoder_growth + header_growth;
        const std::size_t in_use = held.charged() + held.reserved_bytes;
        const std::size_t left = in_use < max_bytes_ ? max_bytes_ - in_use : 0;
        return left < most ? left : most;
    }

    /// Bytes of free memory that a busy writer may keep: what is queued leaves them of the budget.
    [[nodiscard]] std::size_t most_kept(const holdings& held) const noexcept {
        const std::size_t charged = held.charged();
        return charged < max_bytes_ ? max_bytes_ - charged : 0;
    }

    /// Removes what a write took of a lane from the books.
    void settle(holdings& held, lane_id from, const taken::share& done) noexcept {
        held.remove(from, done.bytes, done.frames);
        frames_written_ += done.frames;
        bytes_written_ += done.bytes;
    }
    /// All that is held is data, and was written.
    void settle_all(const holdings& held) noexcept {
        frames_written_ += held.data_frames;
        bytes_written_ += held.data_bytes;
    }
    /// A queued data frame leaves, unwritten.
    void drop(holdings& held, std::size_t size) noexcept {
        held.remove(lane_id::data, size, 1);
        --held.entries;
        ++frames_dropped_;
        bytes_dropped_ += size;
    }
    void replace_pong(holdings& held, std::size_t size) noexcept {
        held.remove(lane_id::pong, size, 1);
        ++pongs_replaced_;
        bytes_replaced_ += size;
    }
    /// Nothing of what is held will be written.
    void drop_all(holdings& held) noexcept {
        frames_dropped_ += held.data_frames;
        for (const std::uint32_t frames : held.control_frames) frames_dropped_ += frames;
        bytes_dropped_ += held.data_bytes + held.control_bytes + held.greeting_bytes;
        held = {};
    }

    // ---- watermarks

    /// Notes a climb to the high mark. True exactly once for each climb.
    [[nodiscard]] bool climbed(const holdings& held) noexcept {
        const std::size_t charged = held.charged();
        if (charged < (max_bytes_ >> 7U) * high_water_)
            return false; // well below the mark, without a division
        if (above_ || high_water_ == 0 || charged < mark(high_water_)) return false;
        return above_ = untold_ = true;
    }
    /// Whether the high mark was reached, and the low one not since.
    [[nodiscard]] bool is_above() const noexcept { return above_ || untold_; }
    [[nodiscard]] bool is_climb_untold() const noexcept { return untold_; }
    [[nodiscard]] bool take_climb() noexcept {
        const bool climbed = untold_;
        untold_ = false;
        return climbed;
    }
    /// Whether the observer is to be told of a fall to the low mark.
    [[nodiscard]] bool has_fallen(const holdings& held) const noexcept {
        return above_ && held.charged() <= mark(low_water_);
    }
    [[nodiscard]] bool take_fall(const holdings& held) noexcept {
        const bool fell = has_fallen(held);
        if (fell) above_ = false;
        return fell;
    }

    // ---- the message that is open

    [[nodiscard]] bool in_message() const noexcept { return in_message_; }
    /// Whether the open message has frames in the queue or on the wire.
    [[nodiscard]] bool message_begun() const noexcept { return message_begun_; }
    void open_message() noexcept { in_message_ = true; }
    void begin_message() noexcept { message_begun_ = true; }
    void end_message() noexcept { in_message_ = message_begun_ = false; }

    void note_close(close_code code) noexcept { close_ = code; }

    void fill(drain_report& report) const noexcept {
        report.close = close_;
        report.frames_written = frames_written_;
        report.frames_dropped = frames_dropped_;
        report.bytes_written = bytes_written_;
        report.bytes_dropped = bytes_dropped_;
        report.pongs_replaced = pongs_replaced_;
        report.bytes_replaced = bytes_replaced_;
    }

private:
    static constexpr std::size_t most_inline = 2048;
    /// Bytes of a handshake's answer that may wait.
    static constexpr std::size_t most_greeting = 64 * 1024;

    [[nodiscard]] std::size_t byte_bound(bool half) const noexcept {
        return half ? max_bytes_ / 2 : max_bytes_;
    }
    [[nodiscard]] std::uint32_t frame_bound(bool half) const noexcept {
        return half ? max_frames_ / 2 : max_frames_;
    }
    [[nodiscard]] std::size_t mark(std::uint8_t percent) const noexcept {
        return max_bytes_ / 100 * percent + max_bytes_ % 100 * percent / 100;
    }

    // From wide to narrow, so that an idle writer stays small.
    std::size_t max_bytes_;
    std::uint64_t frames_written_ = 0;
    std::uint64_t frames_dropped_ = 0;
    std::uint64_t bytes_written_ = 0;
    std::uint64_t bytes_dropped_ = 0;
    std::uint64_t bytes_replaced_ = 0;
    std::uint32_t pongs_replaced_ = 0; // modulo 2^32
    std::uint32_t max_frames_;
    std::uint16_t reserve_;
    close_code close_ = close_code::abnormal;
    std::uint8_t high_water_;
    std::uint8_t low_water_;
    const overflow when_full_; // read without the lock: apart from the bits that change
    bool above_ : 1 = false;
    bool untold_ : 1 = false;
    bool in_message_ : 1 = false;
    bool message_begun_ : 1 = false;
};

} // namespace wsolo::inline WSOLO_ABI::detail
