#pragma once
// A FIFO of segments, and the three of them in the order in which they may overtake each other at frame
// boundaries.

#include "segment.hpp"

namespace wsolo::inline WSOLO_ABI::detail {

/// Lower leaves first: a PONG answers the peer, a PING measures it, data waits for both (RFC 6455 §5.5.2,
/// §5.5.3). Close travels in `data`, behind everything accepted before it.
enum class lane_id : std::uint8_t { pong, ping, data };
inline constexpr std::size_t lane_count = 3;

/// Owns its segments. Not thread-safe.
class lane {
public:
    lane() = default;
    lane(const lane&) = delete;
    lane& operator=(const lane&) = delete;
    ~lane() {
        while (!empty()) segment::destroy(pop());
    }

    [[nodiscard]] bool empty() const noexcept { return head_ == nullptr; }
    [[nodiscard]] segment* front() const noexcept { return head_; }
    [[nodiscard]] segment* back() const noexcept { return tail_; }

    void push(segment* item) noexcept {
        item->next = nullptr;
        (tail_ == nullptr ? head_ : tail_->next) = item;
        tail_ = item;
    }

    [[nodiscard]] segment* pop() noexcept {
        segment* item = head_;
        head_ = item->next;
        if (head_ == nullptr) tail_ = nullptr;
        return item;
    }

    /// Moves everything of `from` behind this lane's own. O(1).
    void splice(lane& from) noexcept {
        if (from.empty()) return;
        (tail_ == nullptr ? head_ : tail_->next) = from.head_;
        tail_ = from.tail_;
        from.head_ = from.tail_ = nullptr;
    }

private:
    segment* head_ = nullptr;
    segment* tail_ = nullptr;
};

} // namespace wsolo::inline WSOLO_ABI::detail
