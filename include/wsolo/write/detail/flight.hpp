#pragma once
// What the owner of the write token has taken off the queue: which bytes go into the next gather write, and
// what a (partial) write completed.
//
// Laws of this file:
// - A frame once begun is finished before anything else: its rest is always the first part of the next write.
// - Behind it PONGs, then PINGs, then data: lanes overtake each other on frame boundaries only.
// - Only the owner touches a flight; no lock is needed or held.

#include "../transport.hpp"
#include "lane.hpp"

#include <array>

namespace wsolo::inline WSOLO_ABI::detail {

/// The parts of one gather write, and which lane each came from.
class gather_plan {
public:
    /// Small frames lie back to back in few segments, so few parts carry many frames.
    static constexpr std::size_t max_parts = 64;
    /// Enough that a system call costs little per byte, little enough that a PONG does not wait long behind
    /// it.
    static constexpr std::size_t max_bytes = 128 * 1024;

    void add(lane_id from, const_bytes part) noexcept {
        if (part.size() > max_bytes - bytes_)
            part = part.first(max_bytes - bytes_); // a large frame leaves in several
        if (part.empty()) return;
        bytes_ += part.size();
        if (count_ != 0 && from_[count_ - 1] == from) {
            const const_bytes last = parts_[count_ - 1];
            if (last.data() + last.size() == part.data()) {
                parts_[count_ - 1] = {last.data(), last.size() + part.size()};
                return;
            }
        }
        parts_[count_] = part;
        from_[count_++] = from;
    }

    [[nodiscard]] bool full() const noexcept { return count_ == max_parts || bytes_ >= max_bytes; }
    [[nodiscard]] std::span<const const_bytes> parts() const noexcept { return {parts_.data(), count_}; }
    [[nodiscard]] lane_id from(std::size_t part) const noexcept { return from_[part]; }
    [[nodiscard]] std::size_t bytes() const noexcept { return bytes_; }

private:
    std::array<const_bytes, max_parts> parts_;
    std::array<lane_id, max_parts> from_;
    std::size_t count_ = 0;
    std::size_t bytes_ = 0;
};

/// What a write took, lane by lane.
class progress {
public:
    struct share {
        std::uint32_t frames = 0; ///< completed
        std::uint32_t blocks = 0; ///< used up that held one frame, or were a mark
        std::size_t bytes = 0;    ///< taken, of completed frames or not
    };
    [[nodiscard]] share& operator[](lane_id id) noexcept { return shares_[static_cast<std::size_t>(id)]; }
    [[nodiscard]] const share& operator[](lane_id id) const noexcept {
        return shares_[static_cast<std::size_t>(id)];
    }

private:
    std::array<share, lane_count> shares_{};
};

class flight {
public:
    flight() = default;
    flight(const flight&) = delete;
    flight& operator=(const flight&) = delete;
    ~flight() { segment::destroy(retired_); }

    [[nodiscard]] lane& operator[](lane_id id) noexcept { return lanes_[static_cast<std::size_t>(id)]; }

    [[nodiscard]] bool empty() const noexcept {
        for (const lane& queue : lanes_) {
            if (!queue.empty()) return false;
        }
        return true;
    }

    /// Whether the wire ends inside a frame: nothing but that frame's rest may follow.
    [[nodiscard]] bool mid_frame() const noexcept { return begun_ != nullptr; }

    /// What an abort still lets out: the rest of a frame that was begun, and a greeting.
    [[nodiscard]] bool must_finish() const noexcept {
        return mid_frame() || !lane_of(lane_id::greeting).empty();
    }

    /// The next write; with `only_what_must`, just what an abort still lets out.
    void plan(gather_plan& out, bool only_what_must) const noexcept {
        if (begun_ != nullptr) out.add(begun_lane_, begun_->rest_of_begun_frame());
        for (const lane_id id : all_lanes) {
            if (only_what_must && id != lane_id::greeting) break;
            for (const segment* item = lane_of(id).front(); item != nullptr && !out.full();
                 item = item->next) {
                const std::size_t already = item == begun_ ? item->rest_of_begun_frame().size() : 0;
                out.add(id, item->rest().subspan(already));
            }
        }
    }

    /// Adds up what data there is: at most one write's worth and what it was taken with.
    void measure_data(std::size_t& bytes, std::size_t& parts) const noexcept {
        for (const segment* item = lane_of(lane_id::data).front(); item != nullptr; item = item->next) {
            bytes += item->rest().size();
            ++parts;
        }
    }

    /// Tells everybody who asked that what is left was dropped, and why.
    void drop_all(errc why) noexcept {
        for (lane& queue : lanes_) queue.drop_all(why);
        begun_ = nullptr;
    }

    /// The same, but everything stays where it is.
    void tell_all(errc why) const noexcept {
        for (const lane& queue : lanes_) queue.tell_all(why);
    }

    /// The transport took the first `count` bytes of `done`. Returns what that completed.
    progress advance(const gather_plan& done, std::size_t count) noexcept {
        progress made;
        for (std::size_t part = 0; count != 0; ++part) {
            const std::size_t offered = done.parts()[part].size();
            const std::size_t share = count < offered ? count : offered;
            take((*this)[done.from(part)], share, made[done.from(part)]);
            count -= share;
        }
        begun_ = nullptr;
        for (const lane_id id : all_lanes) {
            lane& queue = (*this)[id];
            while (!queue.empty() && queue.front()->rest().empty()) retire(queue.pop(), made[id]); // marks
            if (queue.empty() || !queue.front()->mid_frame()) continue;
            begun_ = queue.front();
            begun_lane_ = id;
        }
        return made;
    }

    /// Whether items were written that somebody asked about.
    [[nodiscard]] bool has_written() const noexcept { return !written_.empty(); }
    /// Tells whoever asked. Each call may queue, but nothing here.
    void tell_written() noexcept { written_.drop_all(errc::none); }

    /// A used-up segment for the queue to fill again, or nullptr. The caller owns it.
    [[nodiscard]] segment* retired() noexcept { return std::exchange(retired_, nullptr); }

private:
    void take(lane& queue, std::size_t count, progress::share& made) noexcept {
        made.bytes += count;
        while (count != 0) {
            segment* front = queue.front();
            const std::size_t rest = front->rest().size();
            const std::size_t share = count < rest ? count : rest;
            made.frames += front->take(share);
            count -= share;
            if (front->rest().empty()) retire(queue.pop(), made);
        }
    }

    [[nodiscard]] const lane& lane_of(lane_id id) const noexcept {
        return lanes_[static_cast<std::size_t>(id)];
    }

    /// Wholly written. Keeps those that somebody asked about for tell_written(), and the roomiest open segment
    /// for reuse; gives the others back.
    void retire(segment* used, progress::share& made) noexcept {
        made.blocks += used->is_whole();
        if (used->tag().outcome) return written_.push(used);
        if (used->capacity() > (retired_ == nullptr ? 0 : retired_->capacity())) {
            used->reset();
            std::swap(retired_, used);
        }
        segment::destroy(used);
    }

    lane lanes_[lane_count];
    const segment* begun_ = nullptr;
    lane_id begun_lane_ = lane_id::data;
    segment* retired_ = nullptr;
    lane written_;
};

} // namespace wsolo::inline WSOLO_ABI::detail
