#pragma once
// A FIFO of segments, and the ones of a connection in the order in which they may overtake each other at
// frame boundaries.

#include "segment.hpp"

namespace wsolo::inline WSOLO_ABI::detail {

/// Lower leaves first. `greeting` is what the handshake's token wrote; a PONG answers the peer, a PING
/// measures it, and data waits for both (RFC 6455 §5.5.2, §5.5.3). Close travels in `data`, behind everything
/// accepted before it.
enum class lane_id : std::uint8_t { greeting, pong, ping, data };
inline constexpr std::size_t lane_count = 4;
inline constexpr lane_id all_lanes[lane_count] = {lane_id::greeting, lane_id::pong, lane_id::ping,
                                                  lane_id::data};

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

    /// The first segment that `wanted(segment)` picks, or nullptr. O(segments).
    template <class Wanted>
    [[nodiscard]] segment* find(Wanted wanted) const noexcept {
        segment* item = head_;
        while (item != nullptr && !wanted(*item)) item = item->next;
        return item;
    }

    /// The one in front of back(), or nullptr. O(segments).
    [[nodiscard]] segment* before_last() const noexcept {
        return find([this](const segment& item) { return item.next == tail_ && &item != tail_; });
    }

    /// Takes `item` out. False: it is not in here. O(segments before it).
    bool unlink(segment* item) noexcept {
        segment* before = nullptr;
        segment* at = head_;
        for (; at != nullptr && at != item; at = at->next) before = at;
        if (at == nullptr) return false;
        (before == nullptr ? head_ : before->next) = item->next;
        if (tail_ == item) tail_ = before;
        return true;
    }

    /// Destroys everything, after telling whoever asked that it was dropped, and why.
    void drop_all(errc why) noexcept {
        while (!empty()) {
            segment* item = pop();
            item->tag().outcome(why);
            segment::destroy(item);
        }
    }

    /// Tells whoever asked that it was dropped, and why; everything stays.
    void tell_all(errc why) const noexcept {
        for (const segment* item = head_; item != nullptr; item = item->next) item->tag().outcome(why);
    }

private:
    segment* head_ = nullptr;
    segment* tail_ = nullptr;
};

} // namespace wsolo::inline WSOLO_ABI::detail
