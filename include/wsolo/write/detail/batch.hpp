// SPDX-License-Identifier: MIT
#pragma once
// One gather write: which bytes the transport is offered, from which lanes, and how many frames it means when the transport
// took some of the bytes.
//
// Laws of this file:
// - Filled under the outbox's lock, then the property of the thread that runs: the bytes that it names stay where they are
//   until the write is accounted for, whatever is queued meanwhile.
// - Each part starts on a frame boundary, but for the first, which may be the rest of a frame that was begun.

#include "../../frame/header.hpp"
#include "../transport.hpp"

namespace wsolo::inline WSOLO_ABI::detail {

/// Lower leaves first. `greeting` is what the handshake wrote; a PONG answers the peer, a PING measures it, and data
/// waits for both (RFC 6455 §5.5.2, §5.5.3). Close travels in `data`, after everything accepted before it.
enum class lane_id : std::uint8_t { greeting, pong, ping, data };
inline constexpr std::size_t lane_count = 4;
inline constexpr lane_id all_lanes[lane_count] = {lane_id::greeting, lane_id::pong, lane_id::ping,
                                                  lane_id::data};

/// What a write took: bytes and whole frames of each lane, and the frame in which it stopped.
struct taken {
    struct share {
        std::size_t bytes = 0;
        std::uint32_t frames = 0;
    };
    share lanes[lane_count];
    std::size_t begun_rest =
        0; ///< bytes that the begun frame still has; 0: the wire ends on a frame boundary
    lane_id begun = lane_id::data;

    /// Clears in place: an assignment of a new object would wait for that object's stores.
    void clear() noexcept {
        for (share& each : lanes) each.bytes = each.frames = 0;
        begun_rest = 0;
        begun = lane_id::data;
    }
    [[nodiscard]] share& operator[](lane_id id) noexcept { return lanes[static_cast<std::size_t>(id)]; }
    [[nodiscard]] const share& operator[](lane_id id) const noexcept {
        return lanes[static_cast<std::size_t>(id)];
    }
    [[nodiscard]] std::size_t bytes() const noexcept {
        return lanes[0].bytes + lanes[1].bytes + lanes[2].bytes + lanes[3].bytes;
    }
    [[nodiscard]] std::uint32_t frames() const noexcept {
        return lanes[0].frames + lanes[1].frames + lanes[2].frames + lanes[3].frames;
    }
};

class batch {
public:
    /// Entries that one write names: small frames lie back to back in few entries, so few carry many frames.
    static constexpr std::size_t max_entries = 64;

    /// `max_bytes` that one write offers; a frame above that leaves in several. The arrays stay as they are.
    explicit batch(std::size_t max_bytes) noexcept : max_bytes_(max_bytes) {}

    [[nodiscard]] std::size_t max_bytes() const noexcept { return max_bytes_; }
    void clear() noexcept { bytes_ = parts_ = entries_ = 0; }

    /// The rest of an entry: `frames` frames, of which the first is whole. `is_one` where it is one frame, or no frame
    /// at all but bytes of a handshake.
    void add(lane_id from, const_bytes rest, std::uint32_t frames, bool is_one) noexcept {
        ++entries_;
        if (rest.empty()) return; // a mark
        origin& part = origins_[parts_];
        part = {rest.size(), frames, from, is_one};
        const std::size_t room = max_bytes_ - bytes_;
        views_[parts_++] =
            rest.size() > room ? rest.first(room) : rest; // a large frame leaves in several writes
        bytes_ += views_[parts_ - 1].size();
    }

    [[nodiscard]] bool full() const noexcept { return entries_ == max_entries || bytes_ >= max_bytes_; }
    /// A template, so that only a source that sends pays for the checks of such a span.
    template <class View = const_bytes>
    [[nodiscard]] std::span<const View> parts() const noexcept {
        return {views_, parts_};
    }
    [[nodiscard]] std::size_t bytes() const noexcept { return bytes_; }

    /// The transport took the first `count` bytes; `result` is filled where it lies. O(parts), and O(frames of one part)
    /// where it stopped inside.
    void take(std::size_t count, taken& result) const noexcept {
        result.clear();
        for (std::size_t at = 0; count != 0; ++at) {
            const const_bytes view = views_[at];
            const origin& part = origins_[at];
            const std::size_t share = count < view.size() ? count : view.size();
            taken::share& lane = result[part.from];
            lane.bytes += share;
            count -= share;
            if (share == part.size)
                lane.frames += part.frames;
            else
                stop_inside(result, part, view.data(), share);
        }
    }

private:
    struct origin {
        std::size_t size; ///< of the rest, also beyond what this write offers of it
        std::uint32_t frames;
        lane_id from;
        bool is_one;
    };

    static void stop_inside(taken& result, const origin& part, const std::byte* bytes,
                            std::size_t share) noexcept {
        std::size_t begin = 0;
        std::size_t end = part.size;
        if (!part.is_one) {
            for (end = frame_size(bytes); end <= share; end = begin + frame_size(bytes + begin)) {
                ++result[part.from].frames;
                begin = end;
            }
        }
        if (begin == share) return; // on a frame boundary
        result.begun = part.from;
        result.begun_rest = end - share;
    }

    /// Of the frame at `bytes`, which the writer encoded itself.
    static std::size_t frame_size(const std::byte* bytes) noexcept {
        return header_size_announced(bytes[1]) + static_cast<std::size_t>(read_length(bytes));
    }

    union {
        const_bytes views_[max_entries];
    };
    union {
        origin origins_[max_entries];
    };
    std::size_t max_bytes_;
    std::size_t bytes_ = 0;
    std::size_t parts_ = 0;
    std::size_t entries_ = 0;
};

} // namespace wsolo::inline WSOLO_ABI::detail
