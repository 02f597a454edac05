#pragma once
// What only a writer with something queued needs. One heap block, gone while the writer is idle; the first
// few small frames lie in the same block.
//
// Laws of this file:
// - The lanes, `held`, `spare`, `waiters`, `block_size`, `close_deadline` and `gate_deadline` belong to the
//   outbox's lock; the other members to the owner of the write token.
// - Blocks grow while traffic lasts and start small again after an idle moment.

#include "../../sync/traits.hpp"
#include "budget_waiter.hpp"
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

    [[nodiscard]] bool has_incoming() const noexcept {
        for (const lane& queued : incoming_) {
            if (!queued.empty()) return true;
        }
        return false;
    }

    /// The segment at the tail of `to` with room for a frame of `size` bytes, opened from the spare one or
    /// from `fresh` where needed. nullptr when that takes a fresh block of block_size bytes.
    [[nodiscard]] segment* make_room(lane& to, std::size_t size, segment*& fresh) noexcept {
        if (segment* tail = to.back(); tail != nullptr && tail->has_room(size)) return tail;
        segment** source = spare_ != nullptr && spare_->has_room(size) ? &spare_ : &fresh;
        if (*source == nullptr) return nullptr;
        if (source == &fresh && block_size < max_block) block_size *= 4;
        to.push(std::exchange(*source, nullptr));
        return to.back();
    }

    /// Moves what was queued to the flight, and a used-up segment back. PONGs only when the last ones have
    /// left, so that the reserve bounds both together; data one batch at a time, so that what waits can still
    /// be dropped.
    void take_incoming(bool sealed) noexcept {
        in_flight[lane_id::greeting].splice(queue(lane_id::greeting));
        if (sealed || in_flight[lane_id::pong].empty()) in_flight[lane_id::pong].splice(queue(lane_id::pong));
        in_flight[lane_id::ping].splice(queue(lane_id::ping));
        lane& data = queue(lane_id::data);
        std::size_t bytes = 0, parts = 0;
        if (!data.empty()) in_flight.measure_data(bytes, parts);
        while (!data.empty() && bytes < gather_plan::max_bytes && parts < gather_plan::max_parts) {
            bytes += data.front()->size();
            ++parts;
            in_flight[lane_id::data].push(data.pop());
        }
        if (spare_ == nullptr) spare_ = in_flight.retired();
        drain_deadline = close_deadline;
    }

    /// Tells whoever asked that what is left was dropped, and why. No lock is held.
    void drop_all(errc why) noexcept {
        in_flight.drop_all(why);
        for (lane& queued : incoming_) queued.drop_all(why);
        held.drop_all(why);
    }

    /// The same, but everything stays where it is: the transport may still read it.
    void tell_all(errc why) const noexcept {
        in_flight.tell_all(why);
        for (const lane& queued : incoming_) queued.tell_all(why);
        held.tell_all(why);
    }

    /// When a parked writer must be looked at again.
    [[nodiscard]] time_point deadline() const noexcept { return earlier(write_deadline, close_deadline); }

    static constexpr std::uint32_t min_block = 4096;
    static constexpr std::uint32_t max_block = 64 * 1024;

    lane held; ///< data that waits for a fragmented message to end
    waiter_list waiters;
    time_point close_deadline = no_deadline;
    time_point gate_deadline = no_deadline; ///< of the handshake
    std::uint32_t block_size = min_block;
    flight in_flight;
    time_point write_deadline = no_deadline; ///< no_deadline while no write stands
    time_point drain_deadline = no_deadline; ///< the owner's copy of close_deadline

private:
    workload() noexcept
        : spare_(segment::place_open(this + 1, block_bytes - sizeof(workload) - sizeof(segment))) {}
    ~workload() { segment::destroy(spare_); }

    static constexpr std::size_t block_bytes = 1024;

    lane incoming_[lane_count];
    segment* spare_;
};

} // namespace wsolo::inline WSOLO_ABI::detail
