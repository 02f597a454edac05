// SPDX-License-Identifier: MIT
#pragma once
// What a client sends first: the request for an upgrade (RFC 6455 §4.1).
//
// Laws of this file:
// - Bytes out, no I/O; on an error nothing is written.
// - Only what a strict server accepts is written: server_handshake takes every request that comes from
//   here and is within its limits.

#include "client_key.hpp"
#include "extension.hpp"
#include "message_writer.hpp"
#include "target.hpp"

namespace wsolo::inline WSOLO_ABI {

/// What to ask for. Views, needed only during the call. They must not lie in the container that the request is appended to.
struct client_request {
    /// Host, and the port unless it is the scheme's default: "example.com", "[::1]:9001".
    std::string_view host = {};
    /// Path and query, beginning with "/"; or an absolute http(s) URI, for a proxy.
    std::string_view target = "/";
    /// Sent when not empty.
    std::string_view origin = {};
    /// As header text, the favourite first: "chat, superchat". All different. Sent when not empty.
    std::string_view subprotocols = {};
    /// As header text: "permessage-deflate; client_max_window_bits". Sent when not empty. Of a connection a view of nothing (the
    /// default) leaves them to the handler's `compression`, and "" says that there are none.
    std::string_view extensions = {};
    /// Further fields, for instance Authorization or Cookie.
    std::span<const header_field> headers = {};
};

namespace detail {

/// 1#token, "and MUST all be unique strings" (RFC 6455 §4.1 point 10).
[[nodiscard]] constexpr bool are_subprotocols(std::string_view text) noexcept {
    const element_list offered(text);
    for (const std::string_view each : offered) {
        std::size_t same = 0;
        for (const std::string_view other : offered) same += each == other ? 1U : 0U;
        if (same != 1) return false;
    }
    return is_list_of(offered, is_token);
}

[[nodiscard]] constexpr errc check_client_request(const client_request& request) noexcept {
    const bool legal =
        is_host(request.host) && split_target(request.target, {"http", "https"}).legal &&
        is_field_value(request.origin) &&
        (request.subprotocols.empty() || are_subprotocols(request.subprotocols)) &&
        (request.extensions.empty() || is_list_of(element_list(request.extensions), is_extension)) &&
        are_extra_fields(request.headers);
    return legal ? errc::none : errc::invalid_header_field;
}

inline void compose_client_request(message_writer& out, const client_request& request,
                                   const client_key& key) noexcept {
    out.text("GET ");
    out.text(request.target);
    out.text(" HTTP/1.1\r\n");
    out.field("Host", request.host);
    out.field("Upgrade", "websocket");
    out.field("Connection", "Upgrade");
    out.field("Sec-WebSocket-Key", key.view());
    out.field("Sec-WebSocket-Version", "13");
    out.optional_field("Origin", request.origin);
    out.optional_field("Sec-WebSocket-Protocol", request.subprotocols);
    out.optional_field("Sec-WebSocket-Extensions", request.extensions);
    out.fields(request.headers);
    out.text("\r\n");
}

} // namespace detail

/// Writes the request and returns its size. Errors: errc::invalid_header_field for anything that would not
/// be legal, errc::buffer_too_small. client_handshake does this, and checks the answer too.
[[nodiscard]] inline result<std::size_t> write_client_request(mutable_bytes to, const client_request& request,
                                                              const client_key& key) noexcept {
    if (const errc error = detail::check_client_request(request); error != errc::none) return error;
    return detail::write_message(
        to, [&](detail::message_writer& out) { detail::compose_client_request(out, request, key); });
}

/// The same after the contents of a byte_buffer, std::string or vector of bytes; errc::out_of_memory when
/// it cannot grow.
template <detail::growable_bytes Container>
[[nodiscard]] errc append_client_request(Container& out, const client_request& request,
                                         const client_key& key) noexcept {
    if (const errc error = detail::check_client_request(request); error != errc::none) return error;
    return detail::append_message(
        out, [&](detail::message_writer& to) { detail::compose_client_request(to, request, key); });
}

} // namespace wsolo::inline WSOLO_ABI
