// SPDX-License-Identifier: MIT
#pragma once
// The client's side of the opening handshake: a request to send, then bytes of the answer in and a verdict out (RFC 6455
// §4.1).
//
// Laws of this file:
// - The request is kept: the answer is checked against what was really offered, and no view of the caller's
//   outlives start().
// - What follows the answer's head stays in the caller's input: a server may send frames right after it,
//   and a refusal has a body.
// - No I/O, no clock: a slow server is the caller's to time out (errc::handshake_timeout).

#include "client_judge.hpp"
#include "client_request.hpp"
#include "http_head.hpp"

namespace wsolo::inline WSOLO_ABI {

/// Asks once and judges the answer. Movable; not thread-safe. Owns two buffers: the request, and the
/// answer's head up to twice limits.max_size.
class client_handshake {
public:
    explicit client_handshake(const handshake_limits& limits = {}) noexcept
        : head_(detail::head_kind::response, limits) {}

    /// Builds the request with a fresh key from `source` (random_keys, for instance) and forgets any
    /// earlier one. Errors: errc::invalid_header_field, errc::out_of_memory; then there is nothing to send.
    template <nonce_source Source>
    [[nodiscard]] errc start(const client_request& request, Source& source) noexcept {
        return start(request, make_client_key(source));
    }
    /// The same, with the same errors, and a key of the caller's, new for every connection (RFC 6455 §4.1).
    [[nodiscard]] errc start(const client_request& request, const client_key& key) noexcept {
        request_.clear();
        head_.restart(true);
        status_ = handshake_status::need_more;
        key_ = key;
        error_ = append_client_request(request_, request, key);
        if (error_ != errc::none) status_ = handshake_status::failed;
        return error_;
    }

    /// The bytes to send, all of them and before anything else. They are valid until the next start() or destruction; a
    /// move of this object does not invalidate them.
    [[nodiscard]] const_bytes request() const noexcept { return request_.view(); }

    /// Takes the answer's bytes from the front of `input` and leaves what follows its head. Any split of
    /// the bytes gives the same result. Interim answers (1xx but 101) are passed over, as HTTP demands (RFC
    /// 9110 §15.2); they count against max_size. After `complete` or `failed` it takes nothing more.
    /// Precondition: start() succeeded.
    handshake_status feed(mutable_bytes& input) noexcept { return feed_any(input); }
    handshake_status feed(const_bytes& input) noexcept { return feed_any(input); }

    /// Where it stands; `complete` and `failed` are final.
    [[nodiscard]] handshake_status status() const noexcept { return status_; }
    /// The broken rule once `failed`, errc::none before.
    [[nodiscard]] errc error() const noexcept { return error_; }

    /// The server will send no more: an answer that is not complete fails with errc::handshake_incomplete.
    handshake_status end_of_input() noexcept {
        if (status_ == handshake_status::need_more) {
            head_.end_of_input();
            fail(head_.error());
        }
        return status_;
    }

    /// Whether there is an answer to look at: after `complete`, and after `failed` if the head itself was
    /// legal. So a redirect or a demand for credentials (errc::handshake_unexpected_status) can be
    /// followed.
    [[nodiscard]] bool has_response() const noexcept { return head_.status() == handshake_status::complete; }
    /// The answer, a view into this object's buffer: valid until start() or destruction; a move of this object does not
    /// invalidate it. Precondition: has_response().
    [[nodiscard]] upgrade_response response() const noexcept {
        WSOLO_ASSERT(has_response(), "client_handshake::response() before the head is complete");
        const detail::status_line line = detail::parse_status_line(head_.start_line()).value();
        return upgrade_response({line.status, line.version, head_.headers(), line.reason});
    }

private:
    template <class Byte>
    handshake_status feed_any(std::span<Byte>& input) noexcept {
        WSOLO_ASSERT(!request_.empty() || status_ == handshake_status::failed,
                     "client_handshake::feed() before start()");
        while (status_ == handshake_status::need_more && !input.empty()) {
            const handshake_status head_status = head_.feed(input);
            if (head_status == handshake_status::complete) judge();
            if (head_status == handshake_status::failed) fail(head_.error());
        }
        return status_;
    }

    void judge() noexcept {
        const int status = response().status();
        if (status < 200 && status != 101) {
            head_.restart(false);
            return;
        }
        const errc error = detail::check_answer(response(), offered());
        if (error != errc::none) return fail(error);
        status_ = handshake_status::complete;
    }

    void fail(errc error) noexcept {
        error_ = error;
        status_ = handshake_status::failed;
    }

    /// What our own request offers, read from its field lines.
    [[nodiscard]] upgrade_offer offered() const noexcept {
        const std::string_view text = text_of(request_.view());
        const std::size_t fields_at = text.find("\r\n") + 2;
        const header_list fields(text.substr(fields_at, text.size() - 2 - fields_at));
        return {key_.view(), fields.find("Sec-WebSocket-Protocol").value_or(std::string_view()),
                fields.find("Sec-WebSocket-Extensions").value_or(std::string_view())};
    }

    detail::http_head head_;
    byte_buffer request_;
    client_key key_{};
    handshake_status status_ = handshake_status::need_more;
    errc error_ = errc::none;
};

} // namespace wsolo::inline WSOLO_ABI
