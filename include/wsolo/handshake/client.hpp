#pragma once
// The client's side of the opening handshake: a request to send, then bytes in and a verdict out (RFC 6455
// §4.1).
//
// Laws of this file:
// - The request is kept: the answer is checked against what was really offered, and no view of the caller's
//   outlives start().
// - What follows the answer's head stays in the caller's input: a server may send frames right behind it,
//   and a refusal has a body.
// - No I/O, no clock: a slow server is the caller's to time out (errc::handshake_timeout).

#include "accept_key.hpp"
#include "client_request.hpp"
#include "http_head.hpp"

namespace wsolo::inline WSOLO_ABI {

/// An answer's head. A view: it lives as long as the client_handshake it came from, and so does what it
/// returns.
class upgrade_response {
public:
    upgrade_response() = default;
    constexpr upgrade_response(detail::status_line line, header_list headers) noexcept
        : line_(line), headers_(headers) {}

    [[nodiscard]] constexpr int status() const noexcept { return line_.status; }
    [[nodiscard]] constexpr std::string_view reason() const noexcept { return line_.reason; }
    /// The minor version of HTTP/1.x.
    [[nodiscard]] constexpr int http_minor_version() const noexcept { return line_.minor_version; }
    /// The subprotocol that the server chose; empty when it chose none.
    [[nodiscard]] constexpr std::string_view subprotocol() const noexcept {
        return headers_.find("Sec-WebSocket-Protocol").value_or(std::string_view());
    }
    /// The extensions that the server agreed to. Their parameters are for the caller to judge.
    [[nodiscard]] constexpr extension_list extensions() const noexcept {
        return extension_list(element_list(headers_, "Sec-WebSocket-Extensions"));
    }
    /// The first field of this name, whatever the name's case.
    [[nodiscard]] constexpr std::optional<std::string_view> header(std::string_view name) const noexcept {
        return headers_.find(name);
    }
    [[nodiscard]] constexpr header_list headers() const noexcept { return headers_; }

private:
    detail::status_line line_;
    header_list headers_;
};

namespace detail {

/// Subprotocol and extensions: only what was offered (RFC 6455 §4.1, points 5 and 6 of the answer's
/// checks).
[[nodiscard]] constexpr errc check_agreement(const upgrade_response& response, header_list offered) noexcept {
    const header_list headers = response.headers();
    for (const std::string_view name : {"Sec-WebSocket-Protocol", "Sec-WebSocket-Extensions"}) {
        if (headers.count(name) > 1) return errc::handshake_duplicate_header;
    }
    if (headers.find("Sec-WebSocket-Protocol") &&
        !element_list(offered, "Sec-WebSocket-Protocol").contains(response.subprotocol())) {
        return errc::handshake_unrequested_subprotocol;
    }
    if (!headers.find("Sec-WebSocket-Extensions")) return errc::none;
    if (!is_list_of(element_list(headers, "Sec-WebSocket-Extensions"), is_extension)) {
        return errc::handshake_malformed;
    }
    const extension_list asked(element_list(offered, "Sec-WebSocket-Extensions"));
    for (const extension each : response.extensions()) {
        if (!asked.find(each.name())) return errc::handshake_unrequested_extension;
    }
    return errc::none;
}

/// A final answer (RFC 6455 §4.1): 101, Upgrade, Connection, Accept, then what was agreed on.
[[nodiscard]] constexpr errc check_answer(const upgrade_response& response, header_list offered,
                                          std::string_view expected_accept) noexcept {
    const header_list headers = response.headers();
    if (response.status() != 101) return errc::handshake_unexpected_status;
    if (response.http_minor_version() == 0) return errc::handshake_http_version;
    for (const std::string_view name : {"Upgrade", "Sec-WebSocket-Accept"}) {
        if (headers.count(name) > 1) return errc::handshake_duplicate_header;
    }
    // Here Upgrade is one value, not a list with the value in it.
    if (!equals_ignoring_case(headers.find("Upgrade").value_or(std::string_view()), "websocket")) {
        return errc::handshake_missing_upgrade;
    }
    const element_list options(headers, "Connection");
    if (!options.contains_ignoring_case("Upgrade")) return errc::handshake_missing_connection;
    if (!is_list_of(options, is_token)) return errc::handshake_malformed;
    if (headers.find("Sec-WebSocket-Accept") != expected_accept) return errc::handshake_invalid_accept;
    return check_agreement(response, offered);
}

} // namespace detail

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
    /// The same with a key of the caller's, new for every connection (RFC 6455 §4.1).
    [[nodiscard]] errc start(const client_request& request, const client_key& key) noexcept {
        request_.clear();
        head_.restart(true);
        status_ = handshake_status::need_more;
        accept_ = accept_key(key.view());
        error_ = append_client_request(request_, request, key);
        if (error_ != errc::none) status_ = handshake_status::failed;
        return error_;
    }

    /// The bytes to send, whole, before anything else. They live until the next start() or destruction,
    /// moves included.
    [[nodiscard]] const_bytes request() const noexcept { return request_.view(); }

    /// Takes the answer's bytes from the front of `input` and leaves what follows its head. Any split of
    /// the bytes gives the same result. Interim answers (1xx but 101) are passed over, as HTTP demands (RFC
    /// 9110 §15.2); they count against max_size. After `complete` or `failed` it takes nothing more.
    /// Precondition: start() succeeded.
    handshake_status feed(mutable_bytes& input) noexcept { return feed_any(input); }
    handshake_status feed(const_bytes& input) noexcept { return feed_any(input); }

    [[nodiscard]] handshake_status status() const noexcept { return status_; }
    /// The broken rule once `failed`, errc::none before.
    [[nodiscard]] errc error() const noexcept { return error_; }

    /// Whether there is an answer to look at: after `complete`, and after `failed` if the head itself was
    /// legal. So a redirect or a demand for credentials (errc::handshake_unexpected_status) can be
    /// followed.
    [[nodiscard]] bool has_response() const noexcept { return head_.status() == handshake_status::complete; }
    /// The answer, a view into this object's buffer: it lives until start() or destruction, moves included.
    /// Precondition: has_response().
    [[nodiscard]] upgrade_response response() const noexcept {
        WSOLO_ASSERT(has_response(), "client_handshake::response() before the head is complete");
        return {detail::parse_status_line(head_.start_line()).value(), head_.headers()};
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
        const errc error = detail::check_answer(response(), offered(), accept_.view());
        if (error != errc::none) return fail(error);
        status_ = handshake_status::complete;
    }

    void fail(errc error) noexcept {
        error_ = error;
        status_ = handshake_status::failed;
    }

    /// The fields of our own request: what stands between its first line and its empty one.
    [[nodiscard]] header_list offered() const noexcept {
        const std::string_view text = text_of(request_.view());
        const std::size_t fields_at = text.find("\r\n") + 2;
        return header_list(text.substr(fields_at, text.size() - 2 - fields_at));
    }

    detail::http_head head_;
    byte_buffer request_;
    accept_value accept_{};
    handshake_status status_ = handshake_status::need_more;
    errc error_ = errc::none;
};

} // namespace wsolo::inline WSOLO_ABI
