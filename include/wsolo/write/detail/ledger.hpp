#pragma once
// The accounts of one writer: what was accepted, what is still held, what was written and what was dropped.
//
// Laws of this file:
// - accepted = written + dropped + held, in frames and in bytes, after every step.
// - The budget counts the candidate before it is accepted and releases it when the transport took it.
// - Data pays from the budget; PONGs and PINGs have a reserve, each kind its own; Close and a greeting are admitted.

#include "../budget.hpp"
#include "../drain.hpp"
#include "flight.hpp"

namespace wsolo::inline WSOLO_ABI::detail {

static_assert(sizeof(segment) <= block_overhead, "the budget charges what a block costs");

/// What would leave the queue to make room.
struct relief {
    std::size_t bytes = 0; ///< overhead included
    std::uint32_t frames = 0;
};

/// Not thread-safe: the outbox calls it under its lock. O(1) throughout.
class ledger {
public:
    explicit ledger(const writer_limits& limits) noexcept
        : max_bytes_(limits.max_bytes),
          max_frames_(limits.max_frames == 0 ? 1 : limits.max_frames),
          reserve_(limits.control_reserve < largest_reserve ? limits.control_reserve : largest_reserve),
          high_water_(limits.high_water),
          low_water_(limits.low_water < limits.high_water ? limits.low_water : limits.high_water),
          when_full_(static_cast<std::uint8_t>(limits.when_full) & 3U) {}

    [[nodiscard]] overflow when_full() const noexcept { return static_cast<overflow>(when_full_); }

    /// Whether a frame of `size` wire bytes fits now; with `whole` in a block of its own; with `half` into half
    /// of the budget; once `gone` has left.
    [[nodiscard]] errc admit(lane_id to, std::size_t size, bool whole, bool half = false,
                             const relief& gone = {}) const noexcept {
        if (to == lane_id::ping) return pings_ < reserve_ ? errc::none : errc::queue_full;
        if (to == lane_id::greeting) return greetings_ < UINT8_MAX ? errc::none : errc::queue_full;
        if (to != lane_id::data)
            return errc::none; // a PONG beyond the reserve replaces another: see pongs_full()
        if (size > max_bytes_ || charge_of(0, whole) > max_bytes_ - size) return errc::too_large;
        if (data_frames_ - gone.frames >= (half ? max_frames_ / 2 : max_frames_)) return errc::queue_full;
        const std::size_t held = held_data() - gone.bytes;
        if (held > bound(half)) return errc::queue_full; // a Close or a mark may stand above the bound
        return charge_of(size, whole) > bound(half) - held ? errc::queue_full : errc::none;
    }

    /// Whether a mark may queue: one may stand above the bound, so that a full queue can be flushed too.
    [[nodiscard]] errc admit_mark(bool half) const noexcept {
        return held_data() > bound(half) ? errc::queue_full : errc::none;
    }

    /// What a data frame of `size` wire bytes costs.
    [[nodiscard]] static constexpr std::size_t charge_of(std::size_t size, bool whole) noexcept {
        return size + frame_overhead + (whole ? block_overhead : 0);
    }

    [[nodiscard]] bool pongs_full() const noexcept { return pongs_ >= reserve_; }

    void accept(lane_id to, std::size_t size) noexcept {
        if (to == lane_id::data) {
            ++data_frames_;
            data_bytes_ += size;
        } else {
            add(to, 1);
            control_bytes_ += static_cast<std::uint32_t>(size);
        }
    }

    /// A data frame, or a mark, got a block of its own.
    void accept_block() noexcept { ++blocks_; }

    /// What a write took.
    void settle(const progress& done) noexcept {
        blocks_ -= done[lane_id::data].blocks;
        for (const lane_id from : all_lanes) {
            release(from, done[from].frames, done[from].bytes);
            frames_written_ += done[from].frames;
            bytes_written_ += done[from].bytes;
        }
    }

    /// A queued frame of `size` bytes gave way to a newer one.
    void drop_one(lane_id from, std::size_t size, bool whole) noexcept {
        release(from, 1, size);
        blocks_ -= whole;
        ++frames_dropped_;
        bytes_dropped_ += size;
    }

    /// Nothing of what is held will be written.
    void drop_held() noexcept {
        frames_dropped_ += data_frames_ + greetings_ + pongs_ + pings_;
        bytes_dropped_ += data_bytes_ + control_bytes_;
        data_bytes_ = 0;
        data_frames_ = blocks_ = control_bytes_ = 0;
        pongs_ = pings_ = greetings_ = 0;
    }

    [[nodiscard]] std::size_t room(bool half) const noexcept {
        return held_data() < bound(half) ? bound(half) - held_data() : 0;
    }

    /// Budget in use: wire bytes plus overhead of the data that is queued or in flight.
    [[nodiscard]] std::size_t held_data() const noexcept {
        return data_bytes_ + data_frames_ * frame_overhead + blocks_ * block_overhead;
    }

    /// Notes a climb to the high mark. True exactly once per climb.
    [[nodiscard]] bool climbed() noexcept {
        if (above_ || held_data() < mark(high_water_)) return false;
        return above_ = untold_ = true;
    }
    /// Whether a climb is to be told now; true exactly once per climb.
    [[nodiscard]] bool tells_high() noexcept {
        const bool due = untold_;
        untold_ = false;
        return due;
    }
    [[nodiscard]] bool is_untold() const noexcept { return untold_; }
    /// Whether a fall to the low mark is to be told.
    [[nodiscard]] bool has_fallen() const noexcept { return above_ && held_data() <= mark(low_water_); }
    /// The same; true exactly once per fall after a climb.
    [[nodiscard]] bool fell() noexcept {
        const bool due = has_fallen();
        if (due) above_ = false;
        return due;
    }

    [[nodiscard]] std::uint32_t frames_written() const noexcept {
        return static_cast<std::uint32_t>(frames_written_);
    }

    /// Whether a fragmented message is open: other data is held, and leaves it half of the budget.
    [[nodiscard]] bool in_message() const noexcept { return in_message_; }
    /// False: one is open already.
    [[nodiscard]] bool open_message() noexcept { return in_message_ ? false : (in_message_ = true); }
    void close_message() noexcept { in_message_ = false; }

    /// A Close with this code was accepted.
    void note_close(close_code code) noexcept { close_ = code; }

    [[nodiscard]] std::uint32_t held_frames() const noexcept { return data_frames_; }

    void fill(drain_report& report) const noexcept {
        report.close = close_;
        report.frames_written = frames_written_;
        report.frames_dropped = frames_dropped_;
        report.bytes_written = bytes_written_;
        report.bytes_dropped = bytes_dropped_;
    }

private:
    [[nodiscard]] std::size_t bound(bool half) const noexcept { return half ? max_bytes_ / 2 : max_bytes_; }

    [[nodiscard]] std::size_t mark(std::uint8_t percent) const noexcept {
        return max_bytes_ / 100 * percent + max_bytes_ % 100 * percent / 100;
    }

    void release(lane_id from, std::uint32_t frames, std::size_t bytes) noexcept {
        if (from == lane_id::data) {
            data_frames_ -= frames;
            data_bytes_ -= bytes;
        } else {
            add(from, 0U - frames);
            control_bytes_ -= static_cast<std::uint32_t>(bytes);
        }
    }

    void add(lane_id to, std::uint32_t frames) noexcept {
        if (to == lane_id::greeting) {
            greetings_ = static_cast<std::uint8_t>(greetings_ + frames);
        } else {
            std::uint16_t& count = to == lane_id::pong ? pongs_ : pings_;
            count = static_cast<std::uint16_t>(count + frames);
        }
    }

    static constexpr std::uint16_t largest_reserve = 60'000; // the counts below may stand a little above it

    // From wide to narrow, so that an idle writer stays small.
    std::size_t max_bytes_;
    std::size_t data_bytes_ = 0;
    std::uint64_t frames_written_ = 0;
    std::uint64_t frames_dropped_ = 0;
    std::uint64_t bytes_written_ = 0;
    std::uint64_t bytes_dropped_ = 0;
    std::uint32_t max_frames_;
    std::uint32_t data_frames_ = 0;
    std::uint32_t blocks_ = 0; // data frames and marks with a block of their own
    std::uint32_t control_bytes_ = 0;
    std::uint16_t reserve_;
    std::uint16_t pongs_ = 0;
    std::uint16_t pings_ = 0;
    close_code close_ = close_code::abnormal;
    std::uint8_t greetings_ = 0;
    std::uint8_t high_water_;
    std::uint8_t low_water_;
    std::uint8_t when_full_ : 2;
    bool above_ : 1 = false;
    bool untold_ : 1 = false;
    bool in_message_ : 1 = false;
};

} // namespace wsolo::inline WSOLO_ABI::detail
