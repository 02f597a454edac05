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

#include "accept_key.hpp"
#include "message_writer.hpp"
#include "request.hpp"

namespace wsolo::inline WSOLO_ABI {

/// What an accepting answer adds. Views, needed only during the call; never into the container appended to.
struct accept_options {
    /// One of those offered (choose_subprotocol), or empty.
    std::string_view subprotocol = {};
    /// The agreed extensions as header text (choose_extension), each of them offered; or empty.
    std::string_view extensions = {};
    /// Further fields, for instance Set-Cookie.
    std::span<const header_field> headers = {};
};

/// An ordinary HTTP answer, after which the connection closes. Views, needed only during the call; never
/// into the container appended to.
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
};

/// The status to refuse a handshake with (RFC 6455 §4.2.2, §4.4; RFC 9110 §15.5).
[[nodiscard]] constexpr int http_status_for(errc why) noexcept {
    switch (why) {
    case errc::handshake_origin_refused: return 403;
    case errc::handshake_method_not_get: return 405;
    case errc::handshake_timeout: return 408;
    case errc::handshake_missing_upgrade:
    case errc::handshake_unsupported_version: return 426;
    case errc::handshake_line_too_long:
    case errc::handshake_too_many_headers:
    case errc::handshake_too_large: return 431;
    case errc::handshake_http_version: return 505;
    case errc::queue_full:
    case errc::closed:
    case errc::aborted: return 503;
    default: return blame_of(why) == blame::remote ? 400 : 500;
    }
}

namespace detail {

[[nodiscard]] constexpr std::string_view usual_reason(int status) noexcept {
    switch (status) {
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
    case 426: return "Upgrade Required";
    case 429: return "Too Many Requests";
    case 431: return "Request Header Fields Too Large";
    case 500: return "Internal Server Error";
    case 503: return "Service Unavailable";
    case 505: return "HTTP Version Not Supported";
    default: return ""; // the phrase is optional (RFC 9112 §4)
    }
}

inline constexpr header_field allow_get[] = {{"Allow", "GET"}};

[[nodiscard]] constexpr errc check_accept(const upgrade_request& request,
                                          const accept_options& options) noexcept {
    if (!options.subprotocol.empty() && !request.subprotocols().contains(options.subprotocol)) {
        return errc::handshake_unrequested_subprotocol;
    }
    const element_list agreed(options.extensions);
    if (!options.extensions.empty() && !is_list_of(agreed, is_extension)) return errc::invalid_header_field;
    for (const extension each : extension_list(agreed)) {
        if (!request.extensions().find(each.name())) return errc::handshake_unrequested_extension;
    }
    return are_extra_fields(options.headers) ? errc::none : errc::invalid_header_field;
}

inline void compose_accept(message_writer& out, const accept_value& accept,
                           const accept_options& options) noexcept {
    out.text("HTTP/1.1 101 Switching Protocols\r\n");
    out.field("Upgrade", "websocket");
    out.field("Connection", "Upgrade");
    out.field("Sec-WebSocket-Accept", accept.view());
    out.optional_field("Sec-WebSocket-Protocol", options.subprotocol);
    out.optional_field("Sec-WebSocket-Extensions", options.extensions);
    out.fields(options.headers);
    out.text("\r\n");
}

[[nodiscard]] constexpr errc check_response(const http_response& response) noexcept {
    const bool legal = is_field_value(response.reason) && is_field_value(response.content_type) &&
                       are_extra_fields(response.headers);
    return legal ? errc::none : errc::invalid_header_field;
}

inline void compose_response(message_writer& out, const http_response& response) noexcept {
    const bool upgrade_required = response.status == 426;
    const bool has_content = response.status != 204 && response.status != 304;
    out.text("HTTP/1.1 ");
    out.number(static_cast<std::size_t>(response.status));
    out.text(" ");
    out.text(response.reason.empty() ? usual_reason(response.status) : response.reason);
    out.text("\r\n");
    if (upgrade_required) { // what the client has to ask for (RFC 9110 §15.5.22, RFC 6455 §4.4)
        out.field("Upgrade", "websocket");
        out.field("Sec-WebSocket-Version", "13");
    }
    out.field("Connection", upgrade_required ? "Upgrade, close" : "close");
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

} // namespace detail

/// The refusal that `why` calls for: its status, and its sentence as the body.
[[nodiscard]] constexpr http_response rejection(errc why) noexcept {
    http_response refused{.status = http_status_for(why), .body = to_string(why)};
    if (refused.status == 405) refused.headers = detail::allow_get;
    return refused;
}

/// Writes the 101 answer to a request that was found legal, and returns its size (RFC 6455 §4.2.2). Errors:
/// errc::handshake_unrequested_subprotocol or _extension for one that was not offered,
/// errc::invalid_header_field, errc::buffer_too_small. Precondition: the server_handshake is complete and
/// request.is_upgrade().
[[nodiscard]] inline result<std::size_t> write_accept_response(mutable_bytes to,
                                                               const upgrade_request& request,
                                                               const accept_options& options = {}) noexcept {
    WSOLO_ASSERT(request.is_upgrade(), "only a request for WebSocket is answered with 101");
    if (const errc error = detail::check_accept(request, options); error != errc::none) return error;
    const accept_value accept = accept_key(request.key());
    return detail::write_message(
        to, [&](detail::message_writer& out) { detail::compose_accept(out, accept, options); });
}

/// The same behind the contents of a byte_buffer, std::string or vector of bytes; errc::out_of_memory when
/// it cannot grow.
template <detail::growable_bytes Container>
[[nodiscard]] errc append_accept_response(Container& out, const upgrade_request& request,
                                          const accept_options& options = {}) noexcept {
    WSOLO_ASSERT(request.is_upgrade(), "only a request for WebSocket is answered with 101");
    if (const errc error = detail::check_accept(request, options); error != errc::none) return error;
    const accept_value accept = accept_key(request.key());
    return detail::append_message(
        out, [&](detail::message_writer& to) { detail::compose_accept(to, accept, options); });
}

/// Writes a whole ordinary answer, a refusal or a page, and returns its size. Errors:
/// errc::invalid_header_field, errc::buffer_too_small. A 426 says by itself which protocol and version are
/// spoken here.
[[nodiscard]] inline result<std::size_t> write_response(mutable_bytes to,
                                                        const http_response& response) noexcept {
    WSOLO_ASSERT(response.status >= 200 && response.status <= 599, "a final HTTP status is 200-599");
    if (const errc error = detail::check_response(response); error != errc::none) return error;
    return detail::write_message(
        to, [&](detail::message_writer& out) { detail::compose_response(out, response); });
}

/// The same behind the contents of a container.
template <detail::growable_bytes Container>
[[nodiscard]] errc append_response(Container& out, const http_response& response) noexcept {
    WSOLO_ASSERT(response.status >= 200 && response.status <= 599, "a final HTTP status is 200-599");
    if (const errc error = detail::check_response(response); error != errc::none) return error;
    return detail::append_message(
        out, [&](detail::message_writer& to) { detail::compose_response(to, response); });
}

} // namespace wsolo::inline WSOLO_ABI
