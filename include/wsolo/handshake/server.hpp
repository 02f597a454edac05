#pragma once
// The server's side of the opening handshake: bytes in, a request out (RFC 6455 §4.2.1).
//
// Laws of this file:
// - No I/O and no clock: a slow client is the caller's to time out (errc::handshake_timeout).
// - What follows the head stays in the caller's input: a client may send frames right behind it.
// - Complete means that it can be answered: with 101 when request().is_upgrade(), with a page when not.

#include "http_head.hpp"
#include "request.hpp"

namespace wsolo::inline WSOLO_ABI {

/// Reads one request. Movable; not thread-safe. Owns one buffer, which grows with the bytes that arrive to
/// at most twice limits.max_size; destroying the object, or moving from it, gives it up.
///
///     switch (handshake.feed(input)) {
///     case handshake_status::need_more: return;               // read on
///     case handshake_status::failed: append_response(out, rejection(handshake.error())); break;
///     case handshake_status::complete: append_accept_response(out, handshake.request()); break;
///     }                                                       // input: the first bytes of the first frame
class server_handshake {
public:
    explicit server_handshake(const handshake_limits& limits = {}) noexcept
        : head_(detail::head_kind::request, limits) {}

    /// Takes the head's bytes from the front of `input` and leaves what follows. Any split of the bytes
    /// gives the same result. After `complete` or `failed` it takes nothing more. O(bytes taken) and, at
    /// the head's end, a few walks over the head.
    handshake_status feed(mutable_bytes& input) noexcept { return feed_any(input); }
    handshake_status feed(const_bytes& input) noexcept { return feed_any(input); }

    [[nodiscard]] handshake_status status() const noexcept { return status_; }
    /// The broken rule once `failed`, errc::none before. http_status_for() and rejection() turn it into an
    /// answer.
    [[nodiscard]] errc error() const noexcept { return error_; }

    /// Whether there is a request to look at: after `complete`, and after `failed` if the head itself was
    /// legal.
    [[nodiscard]] bool has_request() const noexcept { return head_.status() == handshake_status::complete; }
    /// The request, a view into this object's buffer: it lives until reset() or destruction, moves
    /// included. Precondition: has_request().
    [[nodiscard]] upgrade_request request() const noexcept {
        WSOLO_ASSERT(has_request(), "server_handshake::request() before the head is complete");
        return {detail::parse_request_line(head_.start_line()).value(), head_.headers()};
    }

    /// Ready for another request on the same connection, after a plain one was answered. Keeps the buffer.
    void reset() noexcept {
        head_.restart(true);
        status_ = handshake_status::need_more;
        error_ = errc::none;
    }

private:
    template <class Byte>
    handshake_status feed_any(std::span<Byte>& input) noexcept {
        if (status_ != handshake_status::need_more) return status_;
        status_ = head_.feed(input);
        error_ = head_.error();
        if (status_ == handshake_status::complete) judge();
        return status_;
    }

    void judge() noexcept {
        const upgrade_request asked = request();
        error_ = detail::check_http(asked);
        if (error_ == errc::none && asked.is_upgrade()) error_ = detail::check_upgrade(asked);
        if (error_ != errc::none) status_ = handshake_status::failed;
    }

    detail::http_head head_;
    handshake_status status_ = handshake_status::need_more;
    errc error_ = errc::none;
};

} // namespace wsolo::inline WSOLO_ABI
