// SPDX-License-Identifier: MIT
#pragma once
// What an endpoint reads its input with: a reader that is there while a message or a frame is under way, and made anew otherwise.
//
// Laws of this file:
// - An idle connection keeps no reader: between two messages a new one goes on as the old one would.
// - What a read leaves unfinished takes memory. Without it the reading ends: nothing after a gap is looked at.
// - It is over after the peer's Close and after a failure; what comes then is not looked at either.

#include "../../core/detail/owned.hpp"
#include "../../session/reader.hpp"

#include <new>
#include <optional>
#include <utility>

namespace wsolo::inline WSOLO_ABI::detail {

/// What a side's replies are masked with. It stays while readers come and go.
template <role Self>
struct reply_keys {
    using side = server_side;
    [[nodiscard]] side lend() noexcept { return {}; }
};
template <>
struct reply_keys<role::client> {
    using side = client_side<random_keys&>;
    [[nodiscard]] side lend() noexcept { return side(keys); }
    random_keys keys;
};

/// Belongs to the loop's thread.
template <role Self>
class input_reader {
public:
    using reader = basic_reader<typename reply_keys<Self>::side>;

    /// Calls use(range) with the events in `received` (basic_reader::read()), unless it is over; `use` leaves nothing unread in the
    /// range. `bounds`: of whole messages, the same each time. False: there is no memory for what is unfinished, and it is over.
    template <class Use>
    [[nodiscard]] bool read(const read_bounds& bounds, mutable_bytes received, Use use) {
        if (is_over_) return true;
        WSOLO_ASSERT(!bounds.by_fragments, "an endpoint reads whole messages");
        reader fresh(bounds, keys_.lend());
        reader& in = unfinished_ ? *unfinished_ : fresh;
        use(in.read(received));
        is_over_ = !in.open();
        if (is_over_ || in.is_resting()) {
            unfinished_.reset();
        } else if (!unfinished_) {
            unfinished_.reset(new (std::nothrow) reader(std::move(fresh)));
            is_over_ = unfinished_ == nullptr;
            return !is_over_;
        }
        return true;
    }

    /// Whether a message or a frame is under way.
    [[nodiscard]] bool is_unfinished() const noexcept { return unfinished_ != nullptr; }
    /// basic_reader's functions of these names.
    [[nodiscard]] bool open() const noexcept { return !is_over_; }
    [[nodiscard]] time_point tick(time_point now) noexcept {
        return unfinished_ ? unfinished_->tick(now) : no_deadline;
    }
    [[nodiscard]] time_point deadline() const noexcept {
        return unfinished_ ? unfinished_->deadline() : no_deadline;
    }
    void note_not_listening(time_point now) noexcept {
        if (unfinished_) unfinished_->note_not_listening(now);
    }
    /// No event owes a reply any more: nothing follows our Close.
    void note_close_sent() noexcept { is_close_sent_ = true; }
    [[nodiscard]] bool close_sent() const noexcept { return is_close_sent_; }
    [[nodiscard]] std::optional<control_frame> owed_reply(const event& found) const noexcept {
        return is_close_sent_ ? std::nullopt : found.owed_reply();
    }

private:
    owned<reader> unfinished_;
    [[no_unique_address]] reply_keys<Self> keys_;
    bool is_over_ = false;
    bool is_close_sent_ = false;
};

} // namespace wsolo::inline WSOLO_ABI::detail
