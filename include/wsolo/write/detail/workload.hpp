#pragma once
// What only a writer with something queued needs. One heap block, gone while the writer is idle; the first
// few small frames lie in the same block.
//
// Laws of this file:
// - `incoming`, `spare`, `block_size` and `close_deadline` belong to the outbox's lock; the other
//   members to the owner of the write token.
// - Blocks grow while traffic lasts and start small again after an idle moment.

#include "flight.hpp"

namespace wsolo::inline WSOLO_ABI::detail {

[[nodiscard]] constexpr time_point earlier(time_point a, time_point b) noexcept { return a < b ? a : b; }

class workload {
public:
    /// nullptr when there is no memory.
    [[nodiscard]] static workload* create() noexcept {
        void* block = std::malloc(block_bytes);
        return block == nullptr ? nullptr : ::new (block) workload;
    }
    static void destroy(workload* old) noexcept {
        if (old == nullptr) return;
        old->~workload();
        std::free(old);
    }
    workload(const workload&) = delete;
    workload& operator=(const workload&) = delete;

    [[nodiscard]] lane& queue(lane_id id) noexcept { return incoming_[static_cast<std::size_t>(id)]; }

    /// The segment at the lane's tail with room for a frame of `size` bytes, opened from the spare one or
    /// from `fresh` where needed. nullptr when that takes a fresh block of block_size bytes.
    [[nodiscard]] segment* make_room(lane_id to, std::size_t size, segment*& fresh) noexcept {
        lane& queued = queue(to);
        if (segment* tail = queued.back(); tail != nullptr && tail->has_room(size)) return tail;
        segment** source = spare_ != nullptr && spare_->has_room(size) ? &spare_ : &fresh;
        if (*source == nullptr) return nullptr;
        if (source == &fresh && block_size < max_block) block_size *= 4;
        queued.push(std::exchange(*source, nullptr));
        return queued.back();
    }

    /// Moves what was queued to the flight, and a used-up segment back. PONGs only when the last ones have
    /// left, so that the reserve bounds both together.
    void take_incoming() noexcept {
        if (in_flight[lane_id::pong].empty()) in_flight[lane_id::pong].splice(queue(lane_id::pong));
        in_flight[lane_id::ping].splice(queue(lane_id::ping));
        in_flight[lane_id::data].splice(queue(lane_id::data));
        if (spare_ == nullptr) spare_ = in_flight.retired();
        drain_deadline = close_deadline;
    }

    /// When a parked writer must be looked at again.
    [[nodiscard]] time_point deadline() const noexcept { return earlier(write_deadline, close_deadline); }

    static constexpr std::uint32_t min_block = 4096;
    static constexpr std::uint32_t max_block = 64 * 1024;

    std::uint32_t block_size = min_block;
    time_point close_deadline = no_deadline;
    time_point write_deadline = no_deadline; ///< no_deadline while no write stands
    time_point drain_deadline = no_deadline; ///< the owner's copy of close_deadline
    flight in_flight;

private:
    workload() noexcept
        : spare_(segment::place_open(this + 1, block_bytes - sizeof(workload) - sizeof(segment))) {}
    ~workload() { segment::destroy(spare_); }

    static constexpr std::size_t block_bytes = 1024;

    lane incoming_[lane_count];
    segment* spare_;
};

} // namespace wsolo::inline WSOLO_ABI::detail
