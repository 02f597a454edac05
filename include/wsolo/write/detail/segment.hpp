#pragma once
// One block of wire bytes: many small frames, back to back; or one frame with a block to itself, because it
// is large, shared, keyed or observed; or no bytes at all, a mark in the queue.
//
// Laws of this file:
// - A frame lies whole in one segment, so every frame is contiguous.
// - Each frame's end is recorded (4 bytes, growing down from the block's end), so that after a partial write
//   the owner knows whether it stands on a frame boundary.
// - Appending is for whoever holds the writer's lock; taking is for the owner of the write token.

#include "../../frame/shared_frame.hpp"
#include "../outcome.hpp"

#include <cstring>
#include <new>
#include <utility>

namespace wsolo::inline WSOLO_ABI::detail {

/// What a frame with a segment of its own carries along.
struct item_tag {
    on_outcome outcome{};
    std::uint64_t key = 0; ///< of a conflated item
    bool keyed = false;
    bool fragment = false; ///< of a message in several frames: dropping one would tear the message
};

class segment {
public:
    /// A block with room for `capacity` bytes of frames and records. nullptr when there is no memory.
    [[nodiscard]] static segment* make_open(std::uint32_t capacity) noexcept {
        void* block = std::malloc(sizeof(segment) + capacity);
        return block == nullptr ? nullptr : ::new (block) segment(capacity);
    }

    /// A block for one frame of `size` bytes, which the caller writes through writable() before it is queued.
    /// With size 0 it is a mark: nothing to write, but an outcome when its turn has come.
    [[nodiscard]] static segment* make_whole(std::size_t size, const item_tag& tag = {}) noexcept {
        void* block = std::malloc(sizeof(segment) + size);
        if (block == nullptr) return nullptr;
        auto* whole = ::new (block) segment(0);
        whole->size_ = size;
        whole->frames_ = size == 0 ? 0 : 1;
        whole->tag_ = tag;
        return whole;
    }

    /// The same with a copy of `frame` in it.
    [[nodiscard]] static segment* make_copy(const_bytes frame, const item_tag& tag = {}) noexcept {
        segment* whole = make_whole(frame.size(), tag);
        if (whole != nullptr) std::memcpy(whole->storage(), frame.data(), frame.size());
        return whole;
    }

    /// One reference to a shared frame; its bytes are not copied.
    [[nodiscard]] static segment* make_shared(shared_frame frame, const item_tag& tag = {}) noexcept {
        segment* whole = make_whole(0, tag);
        if (whole == nullptr) return nullptr;
        whole->shared_ = std::move(frame);
        whole->bytes_ = whole->shared_.bytes().data();
        whole->size_ = whole->shared_.bytes().size();
        whole->frames_ = 1;
        return whole;
    }

    /// An open block at the start of memory that outlives it and is not its own to free.
    [[nodiscard]] static segment* place_open(void* memory, std::uint32_t capacity) noexcept {
        auto* placed = ::new (memory) segment(capacity);
        placed->placed_ = true;
        return placed;
    }

    static void destroy(segment* old) noexcept {
        if (old == nullptr) return;
        const bool placed = old->placed_;
        old->~segment();
        if (!placed) std::free(old);
    }

    segment(const segment&) = delete;
    segment& operator=(const segment&) = delete;

    /// Where a make_whole() frame is written.
    [[nodiscard]] mutable_bytes writable() noexcept { return {storage(), size_}; }
    [[nodiscard]] std::size_t size() const noexcept { return size_; }
    [[nodiscard]] std::uint32_t frames() const noexcept { return frames_; }
    [[nodiscard]] std::uint32_t capacity() const noexcept { return capacity_; }
    /// Whether it is for one frame, or a mark.
    [[nodiscard]] bool is_whole() const noexcept { return capacity_ == 0; }
    [[nodiscard]] const item_tag& tag() const noexcept { return tag_; }

    [[nodiscard]] bool has_room(std::size_t frame) const noexcept {
        return capacity_ != 0 && frame + record_size <= capacity_ - size_ - frames_ * record_size;
    }

    /// Appends a frame of `frame` bytes and returns where to write it. Precondition: has_room(frame).
    [[nodiscard]] mutable_bytes append(std::size_t frame) noexcept {
        std::byte* at = storage() + size_;
        size_ += frame;
        ++frames_;
        store_end(frames_ - 1, static_cast<std::uint32_t>(size_));
        return {at, frame};
    }

    /// Takes the last appended frame back and returns its size. Precondition: open, frames() > 0, not taken
    /// from.
    std::size_t drop_last() noexcept {
        const std::size_t start = frame_start(frames_ - 1);
        const std::size_t dropped = size_ - start;
        size_ = start;
        --frames_;
        return dropped;
    }

    /// The size of the oldest frame not yet taken. Precondition: there is one, and it was not begun.
    [[nodiscard]] std::size_t first_size() const noexcept { return frame_end(done_) - taken_; }

    /// Frames not yet wholly taken.
    [[nodiscard]] std::uint32_t frames_left() const noexcept { return frames_ - done_; }

    /// For reuse: as make_open() made it.
    void reset() noexcept {
        size_ = taken_ = 0;
        frames_ = done_ = 0;
    }

    /// What the transport has not taken yet.
    [[nodiscard]] const_bytes rest() const noexcept { return {bytes_ + taken_, size_ - taken_}; }
    /// The part of rest() that belongs to a frame already begun; empty on a frame boundary.
    [[nodiscard]] const_bytes rest_of_begun_frame() const noexcept {
        return mid_frame() ? const_bytes{bytes_ + taken_, frame_end(done_) - taken_} : const_bytes{};
    }
    [[nodiscard]] bool mid_frame() const noexcept { return done_ < frames_ && taken_ != frame_start(done_); }

    /// `count` more bytes are gone (<= rest().size()). Returns how many frames that completed. O(log frames).
    std::uint32_t take(std::size_t count) noexcept {
        taken_ += count;
        const std::uint32_t before = done_;
        if (taken_ == size_) {
            done_ = frames_;
        } else {
            std::uint32_t high = frames_;
            while (done_ < high) { // first frame whose end lies beyond what was taken
                const std::uint32_t middle = done_ + (high - done_) / 2;
                if (frame_end(middle) <= taken_)
                    done_ = middle + 1;
                else
                    high = middle;
            }
        }
        return done_ - before;
    }

    segment* next = nullptr;

private:
    explicit segment(std::uint32_t capacity) noexcept : bytes_(storage()), capacity_(capacity) {}
    ~segment() = default;

    static constexpr std::size_t record_size = sizeof(std::uint32_t);

    [[nodiscard]] std::byte* storage() noexcept { return reinterpret_cast<std::byte*>(this + 1); }

    [[nodiscard]] std::size_t frame_start(std::uint32_t frame) const noexcept {
        return frame == 0 ? 0 : frame_end(frame - 1);
    }
    [[nodiscard]] std::size_t frame_end(std::uint32_t frame) const noexcept {
        if (capacity_ == 0) return size_;
        std::uint32_t end;
        std::memcpy(&end, bytes_ + capacity_ - (frame + 1) * record_size, record_size);
        return end;
    }
    void store_end(std::uint32_t frame, std::uint32_t end) noexcept {
        std::memcpy(storage() + capacity_ - (frame + 1) * record_size, &end, record_size);
    }

    const std::byte* bytes_;
    std::size_t size_ = 0;
    std::size_t taken_ = 0;
    std::uint32_t frames_ = 0;
    std::uint32_t done_ = 0;
    std::uint32_t capacity_; // 0: one whole frame, or a mark
    bool placed_ = false;
    shared_frame shared_;
    item_tag tag_;
};

} // namespace wsolo::inline WSOLO_ABI::detail
