// SPDX-License-Identifier: MIT
#pragma once
// Bytes in, events out: one connection's receiving side without its I/O (RFC 6455 §5, §7, §8.1).
//
// Laws of this file:
// - Every split of the input gives the same messages, control frames and failure.
// - A message that lies whole in the input is handed out where it lies, unmasked in place. One that does not
//   is put together in memory that grows only by bytes that arrived; a control frame cut by a read is kept
//   after it.
// - Nothing is written and no clock is read. What this side owes the peer is part of the event.
// - Once the peer closed, or the reading failed, nothing of an unfinished message is kept.
// - No input is lost in silence: bytes after a Close or a failure are counted, and a loop that ends early must
//   pass its rest on (event_range::unread), or the reader fails.

#include "../core/detail/exchange.hpp"
#include "../core/side.hpp"
#include "detail/reader_state.hpp"
#include "event.hpp"
#include "limits.hpp"

#include <cstddef>

namespace wsolo::inline WSOLO_ABI {

/// Reads what the peer of `Side` sends. Side: server_side, or client_side<> with the key source for the replies that a client
/// owes. Not thread-safe: one thread at a time reads, and the same one calls the other members. Movable between reads where
/// Side is.
template <class Side>
class basic_reader {
public:
    class event_range;

    using side_type = Side;

    /// With delivery::fragments about 150 bytes are allocated here, and nothing ever after.
    explicit basic_reader(const read_limits& limits = {})
        requires std::default_initializable<Side>
        : state_(detail::read_bounds(limits)) {}
    basic_reader(const read_limits& limits, Side side) noexcept
        : basic_reader(detail::read_bounds(limits), static_cast<Side&&>(side)) {}
    /// With limits that were made ready once, for many readers.
    basic_reader(const detail::read_bounds& bounds, Side side) noexcept
        : side_(static_cast<Side&&>(side)), state_(bounds) {}

    /// The events in the next bytes from the peer, found one by one as the range is iterated, once:
    ///
    ///     for (auto& event : in.read(received)) { ... }
    ///
    /// The bytes are unmasked in place, and stay the caller's. An event is valid until the iterator advances.
    /// A loop that ends early takes events.unread() and passes it to a later read(). A range that is destroyed with input
    /// left, before the peer's Close or a failure, ends its event and makes the next read() fail with errc::aborted.
    /// O(n).
    [[nodiscard]] event_range read(mutable_bytes received) noexcept { return event_range(*this, received); }
    [[nodiscard]] event_range read(std::span<char> received) noexcept {
        return read(std::as_writable_bytes(received));
    }
    [[nodiscard]] event_range read(std::span<unsigned char> received) noexcept {
        return read(std::as_writable_bytes(received));
    }

    /// The transport will give no more bytes. Returns none after the peer's Close, the error after a failure, and
    /// otherwise connection_lost (RFC 6455 §7.1.5: such a connection closed with 1006).
    [[nodiscard]] errc end_of_input() const noexcept {
        if (state_.phase == detail::read_phase::peer_closed) return errc::none;
        return state_.error != errc::none ? state_.error : errc::connection_lost;
    }

    /// Judges read_limits::max_message_age. Call it after each read(), and at the time that it returned. no_deadline:
    /// nothing is unfinished, or there is no limit. A returned time that is not after `now` says that the reader failed:
    /// the next read(), if need be of no bytes, gives errc::message_timeout as its event. The failure takes two calls, the
    /// second a quarter of the age after the first, so that bytes which arrived while this process slept are read between
    /// them. Don't call it while an event is in use. O(1).
    [[nodiscard]] time_point tick(time_point now) noexcept { return state_.tick(now); }
    /// What the last tick() returned, unless what was unfinished is finished now. O(1).
    [[nodiscard]] time_point deadline() const noexcept { return state_.deadline(); }
    /// This side did not read until now: an unfinished message counts as begun now.
    void note_not_listening(time_point now) noexcept { state_.note_not_listening(now); }

    /// This side's Close frame was accepted for sending: from now on no event owes a reply, neither a Close
    /// nor a PONG, since nothing may follow our Close. A PING is still reported, and messages still arrive
    /// until the peer has closed too (RFC 6455 §5.5.1). Idempotent. Called by the thread that reads.
    void note_close_sent() noexcept { state_.close_sent = true; }
    [[nodiscard]] bool close_sent() const noexcept { return state_.close_sent; }

    /// Whether the peer's Close was read. With close_sent() the closing handshake is complete (RFC 6455
    /// §7.1.4).
    [[nodiscard]] bool peer_closed() const noexcept {
        return state_.phase == detail::read_phase::peer_closed;
    }
    /// The failure that ended the reading, or none.
    [[nodiscard]] errc error() const noexcept { return state_.error; }
    /// Whether more input can give more events: neither the peer's Close nor a failure was read.
    [[nodiscard]] bool open() const noexcept { return state_.phase == detail::read_phase::open; }
    /// Whether it is open, and neither a message nor a frame is under way. With delivery::messages a reader that is made now, with
    /// the same limits, goes on as this one does. (But for close_sent() and ignored().)
    [[nodiscard]] bool is_resting() const noexcept { return open() && state_.is_between_messages(); }
    /// Bytes that came after the peer's Close or a failure, or were given up; they were not looked at.
    [[nodiscard]] std::uint64_t ignored() const noexcept { return state_.ignored; }

private:
    /// Notes the reply that `found` owes, unless our Close was sent or there is none to send.
    void settle_reply(event& found) noexcept {
        if (state_.close_sent) return;
        if (found.kind() == event_kind::failure && found.code() == close_code::no_status) return;
        side_.with_keys([&](auto&... keys) { detail::event_access::owe(found, keys...); });
    }

    /// The next event, or false when the input is used up.
    bool next(mutable_bytes& input, event& found) noexcept {
        if (input.empty() && state_.has_no_more()) return false; // most reads end with a message
        if (!state_.next(input, found)) return false;
        const event_kind kind = found.kind();
        if (kind > event_kind::fragment && kind != event_kind::pong) settle_reply(found);
        return true;
    }

    [[no_unique_address]] Side side_;
    detail::reader_state<Side::self> state_;
};

/// The events of one read(): a single-pass range. Neither copied nor moved; it refers to its reader and to
/// the bytes that were read. For the thread that reads.
template <class Side>
class basic_reader<Side>::event_range {
public:
    struct sentinel {};

    class iterator {
    public:
        using value_type = event;
        using difference_type = std::ptrdiff_t;

        [[nodiscard]] const event& operator*() const noexcept { return range_->found_; }
        [[nodiscard]] const event* operator->() const noexcept { return &range_->found_; }
        iterator& operator++() noexcept {
            range_->advance();
            return *this;
        }
        void operator++(int) noexcept { ++*this; }
        [[nodiscard]] bool operator==(sentinel) const noexcept { return !range_->at_event_; }

    private:
        friend event_range;
        explicit iterator(event_range& range) noexcept : range_(&range) {}
        event_range* range_;
    };

    event_range(const event_range&) = delete;
    event_range& operator=(const event_range&) = delete;
    ~event_range() {
        if (!input_.empty()) reader_.state_.give_up(input_);
    }

    /// The first event, or where an earlier loop over this range stopped.
    [[nodiscard]] iterator begin() noexcept {
        if (!at_event_) advance();
        return iterator(*this);
    }
    [[nodiscard]] sentinel end() const noexcept { return {}; }

    /// Ends the range and returns the input that is not read yet, for a later read(). The current event stays valid until
    /// that read().
    [[nodiscard]] mutable_bytes unread() noexcept { return detail::exchange(input_, {}); }

private:
    friend basic_reader;

    event_range(basic_reader& reader, mutable_bytes input) noexcept : reader_(reader), input_(input) {}

    void advance() noexcept { at_event_ = reader_.next(input_, found_); }

    basic_reader& reader_;
    mutable_bytes input_;
    event found_;
    bool at_event_ = false;
};

/// A server's side: reads a client's masked frames.
using server_reader = basic_reader<server_side>;
/// A client's side: reads a server's frames, and owns a generator for the replies' keys (1 KiB).
using client_reader = basic_reader<client_side<>>;

} // namespace wsolo::inline WSOLO_ABI
