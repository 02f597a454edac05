// SPDX-License-Identifier: MIT
#pragma once
// What a reader found in its input, one thing at a time.
//
// Laws of this file:
// - An event is a view: its bytes lie in what was given to read() or in the reader, until the iterator
// advances.
// - "The peer closed" and "this side fails the connection" are different events (RFC 6455 §7.1.4, §7.1.7).
// - A reply is owed, never sent: owed_reply() builds it when asked, and the owner of the write side queues
// it.

#include "../core/byte_buffer.hpp"
#include "../frame/control_reply.hpp"

#include <iosfwd> // declares std::string, whose own header only callers of copy_text() need
#include <optional>

namespace wsolo::inline WSOLO_ABI {

/// message, fragment: data. ping, pong: control frames. peer_close: the peer's Close frame, well-formed.
/// failure: a rule was broken or a limit exceeded, and nothing more will be read; where it owes no reply
/// (code() is no_status, or this side's Close was sent) the writer is to be aborted instead.
enum class event_kind : std::uint8_t { message, fragment, ping, pong, peer_close, failure };

namespace detail {
struct event_access;
}

/// A value of a few words; copies are views of the same bytes. Another thread may use it only until the reader goes on.
class event {
public:
    /// Which of the functions below has something to say.
    [[nodiscard]] event_kind kind() const noexcept { return kind_; }
    /// A whole message.
    [[nodiscard]] bool is_message() const noexcept { return kind_ == event_kind::message; }
    /// A piece of a message (delivery::fragments only).
    [[nodiscard]] bool is_fragment() const noexcept { return kind_ == event_kind::fragment; }
    /// A message, or a piece of one, whose opcode is text. A message is valid UTF-8; a piece belongs to what
    /// is valid so far, and may begin or end inside a code point.
    [[nodiscard]] bool is_text() const noexcept { return text_; }

    /// The data of a message, fragment, ping or pong, unmasked.
    [[nodiscard]] const_bytes payload() const noexcept {
        WSOLO_ASSERT(kind_ <= event_kind::pong,
                     "event::payload(): only messages, fragments, PING and PONG have one");
        return {payload_, size_};
    }
    /// The same, in the type that keeps it from being unmasked again (frame/payload.hpp).
    [[nodiscard]] unmasked_bytes unmasked() const noexcept { return unmasked_bytes(payload()); }
    /// The same as characters; UTF-8 only where is_text() says so.
    [[nodiscard]] std::string_view text() const noexcept { return text_of(payload()); }
    /// A copy that outlives the event. Allocates; throws what std::string throws when there is no memory.
    template <class String = std::string>
    [[nodiscard]] String copy_text() const {
        return String(text());
    }
    /// A copy that outlives the event. Error: out_of_memory.
    [[nodiscard]] result<byte_buffer> copy_bytes() const noexcept {
        byte_buffer copy;
        if (!copy.append(payload())) return errc::out_of_memory;
        return copy;
    }

    /// Whether this piece begins its message, and whether it ends it. Both hold for a message.
    [[nodiscard]] bool begins_message() const noexcept {
        WSOLO_ASSERT(kind_ <= event_kind::fragment,
                     "event::begins_message(): only of messages and fragments");
        return begins_;
    }
    [[nodiscard]] bool ends_message() const noexcept {
        WSOLO_ASSERT(kind_ <= event_kind::fragment, "event::ends_message(): only of messages and fragments");
        return ends_;
    }
    /// The reserved bits of the message's first frame (rsv1_bit ...); 0 unless read_limits::allowed_rsv has
    /// them.
    [[nodiscard]] std::uint8_t rsv() const noexcept {
        WSOLO_ASSERT(kind_ <= event_kind::fragment, "event::rsv(): only of messages and fragments");
        return rsv_;
    }

    /// peer_close: the status code that the peer gave, no_status when it gave none (RFC 6455 §7.1.5).
    /// failure: the status code for the Close frame that reports it, no_status when no Close can or need be sent.
    [[nodiscard]] close_code code() const noexcept {
        WSOLO_ASSERT(kind_ >= event_kind::peer_close, "event::code(): only of peer_close and failure");
        return code_;
    }
    /// peer_close: the reason that the peer gave, UTF-8, at most 123 bytes (RFC 6455 §7.1.6).
    [[nodiscard]] std::string_view reason() const noexcept {
        WSOLO_ASSERT(kind_ == event_kind::peer_close, "event::reason(): only of peer_close");
        return size_ == 0 ? std::string_view() : text_of({payload_ + 2, size_ - 2u});
    }
    /// failure: the error, that is, the rule that was broken.
    [[nodiscard]] errc error() const noexcept {
        WSOLO_ASSERT(kind_ == event_kind::failure, "event::error(): only of failure");
        return error_;
    }

    /// The frame that this event obliges this side to send, ready to be queued as raw bytes: the PONG for a
    /// ping (RFC 6455 §5.5.3), the echo for a peer_close (§5.5.1), the Close that tells the peer of a failure
    /// (§7.1.7). Empty for everything else and once this side's Close was sent
    /// (basic_reader::note_close_sent). Builds the frame anew at each call, the same each time.
    template <class Frame = control_frame> // only the sources that call it instantiate the std::optional
    [[nodiscard]] std::optional<Frame> owed_reply() const noexcept {
        if (reply_ == reply::none) return std::nullopt;
        return masked_reply_ ? built_reply<role::client>(one_key(key_)) : built_reply<role::server>();
    }
    /// Whether owed_reply() has one, without building it.
    [[nodiscard]] bool owes_reply() const noexcept { return reply_ != reply::none; }

private:
    friend struct detail::event_access;

    enum class reply : std::uint8_t { none, echo, failure };

    template <role Role, class... Keys>
    [[nodiscard]] control_frame built_reply(Keys... keys) const noexcept {
        const unmasked_bytes received(const_bytes{payload_, size_});
        const opcode op = kind_ == event_kind::ping ? opcode::ping : opcode::close;
        const auto frame = reply_ == reply::echo ? make_control_reply<Role>(op, received, keys...)
                                                 : make_close<Role>(code_, to_string(error_), keys...);
        return *frame;
    }

    const std::byte* payload_ = nullptr;
    std::size_t size_ = 0;
    masking_key key_{}; // for the reply
    close_code code_ = close_code::no_status;
    event_kind kind_ = event_kind::failure;
    errc error_ = errc::none;
    std::uint8_t rsv_ = 0;
    reply reply_ = reply::none;
    bool text_ = false;
    bool begins_ = false;
    bool ends_ = false;
    bool masked_reply_ = false;
};

namespace detail {

/// The reader's access to an event. An event is filled where it lies, field by field: copying it would cost more than
/// finding it.
struct event_access {
    struct marks {
        bool text = false;
        bool begins = false;
        bool ends = false;
        std::uint8_t rsv = 0;
    };

    static void data(event& found, event_kind kind, const_bytes payload, marks marks) noexcept {
        control(found, kind, payload);
        found.text_ = marks.text;
        found.begins_ = marks.begins;
        found.ends_ = marks.ends;
        found.rsv_ = marks.rsv;
    }

    static void control(event& found, event_kind kind, const_bytes payload) noexcept {
        found.kind_ = kind;
        found.payload_ = payload.data();
        found.size_ = payload.size();
        found.reply_ = event::reply::none;
        found.text_ = false;
    }

    static void close(event& found, const_bytes body, close_code code) noexcept {
        control(found, event_kind::peer_close, body);
        found.code_ = code;
    }

    static void failure(event& found, errc error) noexcept {
        control(found, event_kind::failure, {});
        found.error_ = error;
        found.code_ = close_code_for(error);
    }

    /// Makes `found` owe its reply: with a key for a client, without one for a server.
    template <class... Keys>
    static void owe(event& found, Keys&... keys) noexcept {
        const bool failed = found.kind_ == event_kind::failure;
        found.reply_ = failed ? event::reply::failure : event::reply::echo;
        found.masked_reply_ = sizeof...(Keys) > 0;
        if constexpr (sizeof...(Keys) > 0) found.key_ = (keys, ...).next_key();
    }
};

} // namespace detail

} // namespace wsolo::inline WSOLO_ABI
