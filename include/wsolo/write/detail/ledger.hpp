#pragma once
// The accounts of one writer: what was accepted, what is still held, what was written and what was dropped.
//
// Laws of this file:
// - accepted = written + dropped + held, in frames and in bytes, after every step.
// - The budget counts the candidate before it is accepted and releases it when the transport took it.
// - Data pays from the budget; PONGs and PINGs have a reserve, each kind its own; Close is always admitted.

#include "../budget.hpp"
#include "../drain.hpp"
#include "flight.hpp"

namespace wsolo::inline WSOLO_ABI::detail {

/// Not thread-safe: the outbox calls it under its lock. O(1) throughout.
class ledger {
public:
    explicit ledger(const writer_limits& limits) noexcept
        : max_bytes_(limits.max_bytes), max_frames_(limits.max_frames),
          reserve_(limits.control_reserve < largest_reserve ? limits.control_reserve : largest_reserve) {}

    /// Whether a frame of `size` wire bytes fits now.
    [[nodiscard]] errc admit(lane_id to, std::size_t size) const noexcept {
        if (to == lane_id::ping) return pings_ < reserve_ ? errc::none : errc::queue_full;
        if (to == lane_id::pong)
            return errc::none; // beyond the reserve it replaces another, see pongs_full()
        if (size > max_bytes_ || frame_overhead > max_bytes_ - size) return errc::too_large;
        if (data_frames_ >= max_frames_) return errc::queue_full;
        if (held_data() > max_bytes_) return errc::queue_full; // Close may stand above the bound
        return size + frame_overhead > max_bytes_ - held_data() ? errc::queue_full : errc::none;
    }

    [[nodiscard]] bool pongs_full() const noexcept { return pongs_ >= reserve_; }

    void accept(lane_id to, std::size_t size) noexcept {
        if (to == lane_id::data) {
            ++data_frames_;
            data_bytes_ += size;
        } else {
            ++(to == lane_id::pong ? pongs_ : pings_);
            control_bytes_ += static_cast<std::uint32_t>(size);
        }
    }

    /// What a write took.
    void settle(const progress& done) noexcept {
        for (const lane_id from : {lane_id::pong, lane_id::ping, lane_id::data}) {
            release(from, done[from].frames, done[from].bytes);
            frames_written_ += done[from].frames;
            bytes_written_ += done[from].bytes;
        }
    }

    /// A queued PONG of `size` bytes gave way to a newer one (RFC 6455 §5.5.3).
    void supersede_pong(std::size_t size) noexcept {
        release(lane_id::pong, 1, size);
        ++frames_dropped_;
        bytes_dropped_ += size;
    }

    /// Nothing of what is held will be written.
    void drop_held() noexcept {
        frames_dropped_ += data_frames_ + pongs_ + pings_;
        bytes_dropped_ += data_bytes_ + control_bytes_;
        data_bytes_ = 0;
        data_frames_ = control_bytes_ = 0;
        pongs_ = pings_ = 0;
    }

    /// Budget in use: wire bytes plus overhead of the data that is queued or in flight.
    [[nodiscard]] std::size_t held_data() const noexcept {
        return data_bytes_ + data_frames_ * frame_overhead;
    }

    void fill(drain_report& report) const noexcept {
        report.frames_written = frames_written_;
        report.frames_dropped = frames_dropped_;
        report.bytes_written = bytes_written_;
        report.bytes_dropped = bytes_dropped_;
    }

private:
    void release(lane_id from, std::uint32_t frames, std::size_t bytes) noexcept {
        if (from == lane_id::data) {
            data_frames_ -= frames;
            data_bytes_ -= bytes;
        } else {
            std::uint16_t& count = from == lane_id::pong ? pongs_ : pings_;
            count = static_cast<std::uint16_t>(count - frames);
            control_bytes_ -= static_cast<std::uint32_t>(bytes);
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
    std::uint32_t control_bytes_ = 0;
    std::uint16_t reserve_;
    std::uint16_t pongs_ = 0;
    std::uint16_t pings_ = 0;
};

} // namespace wsolo::inline WSOLO_ABI::detail
