// SPDX-License-Identifier: MIT
#pragma once
// What a server answers: 101 and the connection is a WebSocket, or an ordinary HTTP answer and it is not
// (RFC 6455 §4.2.2, §4.4).
//
// Laws of this file:
// - Bytes out, no I/O: write_x fills a caller's span, append_x a caller's container; on an error neither
//   changes.
// - A refusal says why: the status that HTTP has for it, what the client would have to send, and a
//   sentence.
// - Nothing the caller passes can end a line early; fields that these functions write themselves are
//   refused.

#include "answer.hpp"

namespace wsolo::inline WSOLO_ABI {

/// An ordinary HTTP answer. Views, needed only during the call. They must not lie in the container that the answer is
/// appended to.
struct http_response {
    /// 200-599.
    int status = 200;
    /// Empty: the status's usual phrase.
    std::string_view reason = {};
    std::string_view content_type = "text/plain; charset=utf-8";
    std::string_view body = {};
    /// Further fields.
    std::span<const header_field> headers = {};
    /// For an answer to HEAD: the body's length is announced, the body is not sent.
    bool omit_body = false;
    /// Whether the connection ends with this answer, which then says so (RFC 9112 §9.6). When it stays open,
    /// server_handshake::reset() makes ready for the next request.
    bool close = true;
};

namespace detail {

[[nodiscard]] constexpr std::string_view usual_reason(int status) noexcept {
    switch (status) {
    case 101: return "Switching Protocols";
    case 200: return "OK";
    case 204: return "No Content";
    case 301: return "Moved Permanently";
    case 302: return "Found";
    case 307: return "Temporary Redirect";
    case 308: return "Permanent Redirect";
    case 400: return "Bad Request";
    case 401: return "Unauthorized";
    case 403: return "Forbidden";
    case 404: return "Not Found";
    case 405: return "Method Not Allowed";
    case 408: return "Request Timeout";
    case 414: return "URI Too Long";
    case 426: return "Upgrade Required";
    case 429: return "Too Many Requests";
    case 431: return "Request Header Fields Too Large";
    case 500: return "Internal Server Error";
    case 503: return "Service Unavailable";
    case 505: return "HTTP Version Not Supported";
    default: return ""; // the phrase is optional (RFC 9112 §4)
    }
}

inline void compose_start(message_writer& out, int status, std::string_view reason) noexcept {
    out.text("HTTP/1.1 ");
    out.number(static_cast<std::size_t>(status));
    out.text(" ");
    out.text(reason.empty() ? usual_reason(status) : reason);
    out.text("\r\n");
}

inline void compose_accept(message_writer& out, const upgrade_answer& answer,
                           const accept_options& options) noexcept {
    compose_start(out, answer.status(), {});
    for (const header_field field : answer) out.field(field.name, field.value);
    out.fields(options.headers);
    out.text("\r\n");
}

/// accept_answer() for an answer that is written as bytes of HTTP/1.1.
[[nodiscard]] constexpr result<upgrade_answer> switching_answer(const upgrade_request& request,
                                                                const accept_options& options) noexcept {
    WSOLO_ASSERT(!request.is_extended_connect(),
                 "an extended CONNECT is answered by its own HTTP: accept_answer()");
    return accept_answer(request, options);
}

[[nodiscard]] constexpr errc check_response(const http_response& response) noexcept {
    const bool legal = is_field_value(response.reason) && is_field_value(response.content_type) &&
                       are_extra_fields(response.headers);
    return legal ? errc::none : errc::invalid_header_field;
}

inline void compose_response(message_writer& out, const http_response& response) noexcept {
    const bool upgrades = response.status == 426; // RFC 9110 §7.8: then Connection names the field
    const bool has_content = response.status != 204 && response.status != 304;
    compose_start(out, response.status, response.reason);
    upgrade_answer owed(response.status);
    add_owed_fields(owed);
    for (const header_field field : owed) out.field(field.name, field.value);
    if (upgrades || response.close) {
        out.field("Connection", !upgrades ? "close" : response.close ? "Upgrade, close" : "Upgrade");
    }
    if (has_content) {
        if (!response.body.empty()) out.optional_field("Content-Type", response.content_type);
        out.text("Content-Length: ");
        out.number(response.body.size());
        out.text("\r\n");
    }
    out.fields(response.headers);
    out.text("\r\n");
    if (has_content && !response.omit_body) out.text(response.body);
}

/// The response as this request needs it: HEAD gets no body, and some requests end the connection.
[[nodiscard]] constexpr http_response fitted(http_response response,
                                             const upgrade_request& request) noexcept {
    response.omit_body = response.omit_body || request.method() == "HEAD"; // RFC 9110 §9.3.2
    // A body of unknown length can't be skipped, and what follows it would be read from its middle.
    response.close = response.close || request.wants_close() || request.header("Transfer-Encoding");
    return response;
}

} // namespace detail

/// The refusal that `why` calls for: its status, and its sentence as the body. For a request that could be
/// read use server_handshake::refusal(), which leaves the body out of an answer to HEAD.
[[nodiscard]] constexpr http_response rejection(errc why) noexcept {
    return {.status = http_status_for(why), .body = to_string(why)};
}

/// Writes the 101 answer to a request of HTTP/1.1 that was found legal, and returns its size (RFC 6455 §4.2.2). Errors:
/// errc::handshake_unrequested_subprotocol or _extension for one that was not offered,
/// errc::invalid_header_field, errc::buffer_too_small. Precondition: the server_handshake is complete and
/// request.is_upgrade().
[[nodiscard]] inline result<std::size_t> write_accept_response(mutable_bytes to,
                                                               const upgrade_request& request,
                                                               const accept_options& options = {}) noexcept {
    const result<upgrade_answer> answer = detail::switching_answer(request, options);
    if (!answer) return answer.error();
    return detail::write_message(
        to, [&](detail::message_writer& out) { detail::compose_accept(out, *answer, options); });
}

/// The same after the contents of a byte_buffer, std::string or vector of bytes; errc::out_of_memory when
/// it cannot grow.
template <detail::growable_bytes Container>
[[nodiscard]] errc append_accept_response(Container& out, const upgrade_request& request,
                                          const accept_options& options = {}) noexcept {
    const result<upgrade_answer> answer = detail::switching_answer(request, options);
    if (!answer) return answer.error();
    return detail::append_message(
        out, [&](detail::message_writer& to) { detail::compose_accept(to, *answer, options); });
}

/// Writes a whole ordinary answer, a refusal or a page, and returns its size. Errors:
/// errc::invalid_header_field, errc::buffer_too_small. A 426 says by itself which protocol and version are
/// spoken here, a 405 which method.
[[nodiscard]] inline result<std::size_t> write_response(mutable_bytes to,
                                                        const http_response& response) noexcept {
    WSOLO_ASSERT(response.status >= 200 && response.status <= 599, "a final HTTP status is 200-599");
    if (const errc error = detail::check_response(response); error != errc::none) return error;
    return detail::write_message(
        to, [&](detail::message_writer& out) { detail::compose_response(out, response); });
}

/// The same after the contents of a container; errc::out_of_memory when it cannot grow.
template <detail::growable_bytes Container>
[[nodiscard]] errc append_response(Container& out, const http_response& response) noexcept {
    WSOLO_ASSERT(response.status >= 200 && response.status <= 599, "a final HTTP status is 200-599");
    if (const errc error = detail::check_response(response); error != errc::none) return error;
    return detail::append_message(
        out, [&](detail::message_writer& to) { detail::compose_response(to, response); });
}

/// The same in answer to `request`: HEAD gets no body, and a client that closes, speaks HTTP/1.0, or
/// sends a body of unknown length, is told `Connection: close`; end the connection then.
/// Errors as those of the two above.
[[nodiscard]] inline result<std::size_t> write_response(mutable_bytes to, const upgrade_request& request,
                                                        const http_response& response) noexcept {
    return write_response(to, detail::fitted(response, request));
}
template <detail::growable_bytes Container>
[[nodiscard]] errc append_response(Container& out, const upgrade_request& request,
                                   const http_response& response) noexcept {
    return append_response(out, detail::fitted(response, request));
}

} // namespace wsolo::inline WSOLO_ABI
