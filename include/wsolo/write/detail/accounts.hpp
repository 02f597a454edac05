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

#include "../encoder.hpp"
#include "../options.hpp"
#include "../report.hpp"
#include "batch.hpp"
#include "entry.hpp"

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

/// Rules without a hook: of an outbox by itself, in tests.
class own_rules {
public:
    constexpr own_rules(const writer_options& options) noexcept : kept_(options) {}
    [[nodiscard]] constexpr const writer_rules& rules() const noexcept { return kept_; }

private:
    writer_rules kept_;
};

/// The limits and the totals. `Owner` has the rules: an owner_link, or own_rules. Not thread-safe: the outbox calls it under its
/// lock. O(1) throughout.
template <class Owner>
class basic_accounts {
public:
    explicit basic_accounts(Owner owner) : owner_(std::move(owner)) {}

    [[nodiscard]] Owner& owner() noexcept { return owner_; }
    [[nodiscard]] const writer_rules& rules() const noexcept { return owner_.rules(); }

    [[nodiscard]] overflow when_full() const noexcept { return rules().when_full; }
    /// Whether plain data leaves in the order in which it comes: no open message holds it back, and none may be dropped.
    [[nodiscard]] bool keeps_order() const noexcept {
        return !in_message_ && rules().when_full != overflow::drop_oldest;
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
        if (charge > rules().max_bytes) return errc::too_large;
        const std::uint64_t frames = std::uint64_t{held.data_frames} + held.reserved_frames - leaving.frames;
        const std::size_t in_use = held.charged() + held.reserved_bytes - leaving.charge;
        const bool fits =
            frames < frame_bound(half) && in_use <= byte_bound(half) && charge <= byte_bound(half) - in_use;
        return fits ? errc::none : errc::queue_full;
    }
    /// Whether a small data frame is accepted by an idle writer without more ado.
    [[nodiscard]] bool admits_first(std::size_t size) const noexcept {
        return keeps_order() && is_inline(size) && charge_of(size) <= rules().max_bytes;
    }
    /// admit() for a small data frame in the entry of the one before it.
    [[nodiscard]] bool admits_next(const holdings& held, std::size_t size) const noexcept {
        const std::uint64_t frames = std::uint64_t{held.data_frames} + held.reserved_frames;
        const std::size_t in_use =
            held.charged() + held.reserved_bytes; // of memory: a little more is no overflow
        return frames < rules().max_frames && in_use + charge_of(size, false) <= rules().max_bytes;
    }
    /// Whether a mark may queue: one may stand above the bound, so that a full queue can be flushed too.
    [[nodiscard]] errc admit_mark(const holdings& held, bool half) const noexcept {
        return held.charged() > byte_bound(half) ? errc::queue_full : errc::none;
    }
    [[nodiscard]] errc admit_control(const holdings& held, lane_id to, std::size_t size) const noexcept {
        const bool fits = to == lane_id::greeting
                              ? size <= most_greeting && held.greeting_bytes <= most_greeting - size
                              : to != lane_id::ping || held.count(to) < rules().control_reserve;
        return fits ? errc::none : errc::queue_full;
    }
    /// Whether half of the bounds is free.
    [[nodiscard]] bool is_half_free(const holdings& held) const noexcept {
        return held.charged() <= byte_bound(true) && held.data_frames <= frame_bound(true);
    }
    [[nodiscard]] bool pongs_full(const holdings& held) const noexcept {
        return held.count(lane_id::pong) >= rules().control_reserve;
    }

    /// How much a waiting sender is to be granted: never more than the budget.
    [[nodiscard]] std::size_t grantable(std::size_t charge) const noexcept {
        return charge < rules().max_bytes ? charge : rules().max_bytes;
    }

    static constexpr std::uint32_t least_block = 4 * 1024;
    static constexpr std::uint32_t most_block = 64 * 1024;
    /// The largest block for small frames: what is left open of it stays small beside the budget.
    [[nodiscard]] std::uint32_t largest_block() const noexcept {
        const std::size_t share = rules().max_bytes / 16;
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
        return rules().max_bytes / 8 + std::size_t{32} * 1024;
    }

    /// Bytes by which one frame may grow when it is encoded: as far as the budget has room for them now.
    [[nodiscard]] std::size_t encoding_growth(const holdings& held) const noexcept {
        constexpr std::size_t most = encoder_growth + header_growth;
        const std::size_t in_use = held.charged() + held.reserved_bytes;
        const std::size_t left = in_use < rules().max_bytes ? rules().max_bytes - in_use : 0;
        return left < most ? left : most;
    }

    /// Bytes of free memory that a busy writer may keep: what is queued leaves them of the budget.
    [[nodiscard]] std::size_t most_kept(const holdings& held) const noexcept {
        const std::size_t charged = held.charged();
        return charged < rules().max_bytes ? rules().max_bytes - charged : 0;
    }

    /// An idle writer keeps no memory, but it remembers how much small frames took when it was busy last: as much again is likely to
    /// fit into one block then, and to leave in one piece.
    void note_burst(std::size_t bytes) noexcept {
        const std::size_t units = bytes / burst_unit + 1;
        last_burst_ = static_cast<std::uint8_t>(units < most_burst_units ? units : most_burst_units);
    }
    [[nodiscard]] std::size_t last_burst() const noexcept { return last_burst_ * burst_unit; }
    /// For a first frame of `size` bytes, and what is likely to follow it.
    [[nodiscard]] std::size_t first_room(std::size_t size) const noexcept {
        const std::size_t most = largest_block() - sizeof(entry); // no larger than any other block
        const std::size_t room = last_burst() < most ? last_burst() : most;
        return room < size ? size : room;
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
        bytes_replaced_ += static_cast<std::uint32_t>(size); // a control frame's
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
        if (charged < (rules().max_bytes >> 7U) * rules().high_water)
            return false; // well below the mark, without a division
        if (above_ || rules().high_water == 0 || charged < mark(rules().high_water)) return false;
        above_ = untold_ = true;
        return true;
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
        return above_ && held.charged() <= mark(rules().low_water);
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

    void note_close(close_code code) noexcept { close_ = static_cast<std::uint64_t>(code); }
    void note_reason(errc why) noexcept { reason_ = static_cast<std::uint64_t>(why); }
    [[nodiscard]] errc reason() const noexcept { return static_cast<errc>(reason_); }

    void fill(drain_report& report) const noexcept {
        report.close = static_cast<close_code>(close_);
        report.reason = reason();
        report.frames_written = frames_written_;
        report.frames_dropped = frames_dropped_;
        report.bytes_written = bytes_written_;
        report.bytes_dropped = bytes_dropped_;
        report.pongs_replaced = pongs_replaced_;
        report.bytes_replaced = bytes_replaced_;
    }

private:
    static constexpr std::size_t most_inline = 2048;
    static constexpr std::size_t burst_unit = 256;
    static constexpr std::size_t most_burst_units = 31 * 1024 / burst_unit;
    /// Bytes of a handshake's answer that may wait.
    static constexpr std::size_t most_greeting = 64 * 1024;

    [[nodiscard]] std::size_t byte_bound(bool half) const noexcept {
        return half ? rules().max_bytes / 2 : rules().max_bytes;
    }
    [[nodiscard]] std::uint32_t frame_bound(bool half) const noexcept {
        return half ? rules().max_frames / 2 : rules().max_frames;
    }
    [[nodiscard]] std::size_t mark(std::uint8_t percent) const noexcept {
        return rules().max_bytes / 100 * percent + rules().max_bytes % 100 * percent / 100;
    }

    // An idle writer stays small: from wide to narrow, and what can't fill a word shares one. (All of one type, because some
    // compilers put no others together.)
    [[no_unique_address]] Owner owner_;
    std::uint64_t frames_written_ = 0;
    std::uint64_t bytes_written_ = 0;
    std::uint64_t bytes_dropped_ = 0;
    std::uint64_t frames_dropped_ : 48 = 0;
    std::uint64_t close_ : 16 = static_cast<std::uint64_t>(close_code::abnormal);
    std::uint64_t bytes_replaced_ : 40 = 0; // of up to 2^32 PONGs
    std::uint64_t reason_ : 8 = static_cast<std::uint64_t>(errc::none);
    std::uint64_t last_burst_ : 8 = 0; // in units
    std::uint64_t above_ : 1 = false;
    std::uint64_t untold_ : 1 = false;
    std::uint64_t in_message_ : 1 = false;
    std::uint64_t message_begun_ : 1 = false;
    std::uint32_t pongs_replaced_ = 0; // modulo 2^32
};

using accounts = basic_accounts<own_rules>;

} // namespace wsolo::inline WSOLO_ABI::detail
