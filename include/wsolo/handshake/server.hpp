// SPDX-License-Identifier: MIT
#pragma once
// The server's side of the opening handshake: bytes in, a request out (RFC 6455 §4.2.1).
//
// Laws of this file:
// - No I/O and no clock: a slow client is the caller's to time out (errc::handshake_timeout).
// - What follows the head stays in the caller's input: a client may send frames right after it.
// - Complete means that it can be answered: with 101 when request().is_upgrade(), with a page when not.

#include "../core/detail/exchange.hpp"
#include "http_head.hpp"
#include "judge.hpp"
#include "response.hpp"

namespace wsolo::inline WSOLO_ABI {

/// Reads one request. Movable; not thread-safe. Owns one buffer, which grows with the bytes that arrive to
/// at most twice limits.max_size. A move hands the buffer on; the object that was moved from can read another
/// request.
///
///     switch (handshake.feed(input)) {
///     case handshake_status::need_more: return;               // read on
///     case handshake_status::failed: append_response(out, handshake.refusal()); break;
///     case handshake_status::complete: append_accept_response(out, handshake.request()); break;
///     }                                                       // input: the first bytes of the first frame
class server_handshake {
public:
    explicit server_handshake(const handshake_limits& limits = {}) noexcept
        : head_(detail::head_kind::request, limits) {}
    server_handshake(server_handshake&& other) noexcept
        : head_(std::move(other.head_)),
          skip_(detail::exchange(other.skip_, {})),
          status_(detail::exchange(other.status_, handshake_status::need_more)),
          error_(detail::exchange(other.error_, errc::none)) {}
    server_handshake& operator=(server_handshake&& other) noexcept {
        head_ = std::move(other.head_);
        skip_ = detail::exchange(other.skip_, {});
        status_ = detail::exchange(other.status_, handshake_status::need_more);
        error_ = detail::exchange(other.error_, errc::none);
        return *this;
    }
    ~server_handshake() = default;

    /// Takes the head's bytes from the front of `input` and leaves what follows. Any split of the bytes
    /// gives the same result. After `complete` or `failed` it takes nothing more. O(bytes taken) and, at
    /// the head's end, a few walks over the head.
    handshake_status feed(mutable_bytes& input) noexcept { return feed_any(input); }
    handshake_status feed(const_bytes& input) noexcept { return feed_any(input); }

    /// Where it stands; `complete` and `failed` are final.
    [[nodiscard]] handshake_status status() const noexcept { return status_; }
    /// The broken rule once `failed`, errc::none before. refusal() turns it into an answer.
    [[nodiscard]] errc error() const noexcept { return error_; }

    /// Whether there is a request to look at: after `complete`, and after `failed` if the head itself was
    /// legal.
    [[nodiscard]] bool has_request() const noexcept { return head_.status() == handshake_status::complete; }
    /// The request, a view into this object's buffer: valid until reset() or destruction; a move of this object does not
    /// invalidate it. Precondition: has_request().
    [[nodiscard]] upgrade_request request() const noexcept {
        WSOLO_ASSERT(has_request(), "server_handshake::request() before the head is complete");
        const detail::request_line line = detail::parse_request_line(head_.start_line()).value();
        return upgrade_request({line.method, line.target, line.version, head_.headers()});
    }

    /// The refusal that error() calls for, also of a head that was cut off. An answer to HEAD has no body. Precondition:
    /// status() is failed.
    [[nodiscard]] http_response refusal() const noexcept {
        http_response refused = rejection(error_);
        refused.omit_body = head_.has_start_line() && head_.start_line().starts_with("HEAD ");
        return refused;
    }

    /// Whether bytes of a request have arrived, or bytes of the body before it are still missing. If neither, a connection
    /// may end here in good order (RFC 9112 §9.6): nothing was cut off, and there is nothing to answer.
    [[nodiscard]] bool has_begun() const noexcept { return skip_ != 0 || head_.has_begun(); }

    /// The client will send no more: a request that is not complete fails with errc::handshake_incomplete,
    /// also one that never began; has_begun() tells these apart, before and after.
    handshake_status end_of_input() noexcept {
        if (status_ != handshake_status::need_more) return status_;
        status_ = head_.end_of_input();
        error_ = head_.error();
        return status_;
    }

    /// How many bytes of body follow a complete request's head; nothing when only the body's coding tells its
    /// length (Transfer-Encoding). Precondition: has_request(), and the head's lengths were found legal.
    template <class Size = std::uint64_t> // only the sources that call it instantiate the std::optional
    [[nodiscard]] std::optional<Size> body_size() const noexcept {
        std::uint64_t size = 0;
        return tells_body(size) ? std::optional<Size>(size) : std::nullopt;
    }

    /// Ready for another request on the same connection, after a plain one was answered and the connection
    /// stays open. The next feed() skips the rest of that request's body: `body_taken` says how many bytes of it the
    /// caller has taken from the input. A body whose length is not known can't be skipped, and the next
    /// request fails with errc::handshake_unexpected_body. Keeps the buffer. Precondition: status() is complete.
    void reset(std::uint64_t body_taken = 0) noexcept {
        WSOLO_ASSERT(status_ == handshake_status::complete,
                     "server_handshake::reset() after a whole request");
        std::uint64_t body = 0;
        const bool is_known = tells_body(body);
        WSOLO_ASSERT(!is_known || body_taken <= body,
                     "server_handshake::reset(): more than the body was taken");
        skip_ = is_known ? body - body_taken : 0;
        error_ = is_known ? errc::none : errc::handshake_unexpected_body;
        status_ = is_known ? handshake_status::need_more : handshake_status::failed;
        head_.restart(true);
    }

private:
    /// Whether the head tells the body's length, and then that `size` is.
    [[nodiscard]] bool tells_body(std::uint64_t& size) const noexcept {
        const header_list headers = request().headers();
        if (headers.find("Transfer-Encoding")) return false;
        // Named, because g++ 14 takes it for a view of a temporary.
        const std::string_view length = headers.find("Content-Length").value_or("0");
        for (const char c : length) {
            const auto digit = static_cast<std::uint64_t>(c - '0');
            size = size > (UINT64_MAX - digit) / 10 ? UINT64_MAX : size * 10 + digit; // it saturates
        }
        return true;
    }

    template <class Byte>
    handshake_status feed_any(std::span<Byte>& input) noexcept {
        if (status_ != handshake_status::need_more) return status_;
        const auto skipped = static_cast<std::size_t>(skip_ < input.size() ? skip_ : input.size());
        input = input.subspan(skipped);
        skip_ -= skipped;
        status_ = head_.feed(input);
        error_ = head_.error();
        if (status_ == handshake_status::complete) judge();
        return status_;
    }

    void judge() noexcept {
        error_ = detail::check_request(request());
        if (error_ != errc::none) status_ = handshake_status::failed;
    }

    detail::http_head head_;
    std::uint64_t skip_ = 0; // bytes left of the body before the next head
    handshake_status status_ = handshake_status::need_more;
    errc error_ = errc::none;
};

} // namespace wsolo::inline WSOLO_ABI
