// SPDX-License-Identifier: MIT
#pragma once
// The server's verdict on a request, by whichever parser it was read: the byte parser of this room (server.hpp), another
// HTTP/1.1 server, or one of HTTP/2 or HTTP/3 (RFC 6455 §4.2.1, RFC 8441, RFC 9220).
//
// Laws of this file:
// - One judge: the byte parser calls the same functions.
// - The order of the rules is fixed, so that one request has one verdict.
// - Over HTTP/2 and HTTP/3 there is no key and no Upgrade; subprotocols, extensions, origin and version are
//   judged as over HTTP/1.1 (RFC 8441 §5). Frames are the same.

#include "request.hpp"

namespace wsolo::inline WSOLO_ABI {
namespace detail {

/// protocol = token [ "/" token ] (RFC 9110 §7.8)
[[nodiscard]] constexpr bool is_protocol(std::string_view text) noexcept {
    const std::size_t slash = text.find('/');
    if (slash == std::string_view::npos) return is_token(text);
    return is_token(text.substr(0, slash)) && is_token(text.substr(slash + 1));
}

/// #element: any number of elements, each legal. RFC 6455 wants at least one subprotocol or extension in
/// its lists, but clients exist that send an empty list when they have nothing to offer, and it can mean
/// only that.
template <class Predicate>
[[nodiscard]] constexpr bool lists_only(header_list headers, std::string_view name,
                                        Predicate is_legal) noexcept {
    for (const std::string_view element : element_list(headers, name)) {
        if (!is_legal(element)) return false;
    }
    return true;
}

/// Whether the last coding, and no other, is chunked: otherwise the end of a request's body is not known (RFC 9112
/// §6.1, §6.3).
[[nodiscard]] constexpr bool ends_in_chunks(header_list headers) noexcept {
    int chunked = 0;
    bool last = false;
    for (const std::string_view coding : element_list(headers, "Transfer-Encoding")) {
        last = equals_ignoring_case(coding, "chunked");
        if (last) ++chunked;
    }
    return last && chunked == 1;
}

/// Judges how the body, if any, is delimited. A request with two answers to that question can smuggle another one (RFC
/// 9112 §6.1, §6.3).
[[nodiscard]] constexpr errc check_body_framing(const upgrade_request& request) noexcept {
    const header_list headers = request.headers();
    const std::optional<std::string_view> length = headers.find("Content-Length");
    if (headers.count("Content-Length") > 1) return errc::handshake_invalid_length;
    if (length && !is_number(*length)) return errc::handshake_invalid_length;
    const bool has_codings = headers.find("Transfer-Encoding").has_value();
    if (!has_codings) return errc::none;
    const bool clear = !length && request.http_version() != http_version::v1_0 && ends_in_chunks(headers);
    return clear ? errc::none : errc::handshake_ambiguous_length;
}

/// The rules of every HTTP/1.x request (RFC 9112 §3.2, RFC 9110 §7.8).
[[nodiscard]] constexpr errc check_http1(const upgrade_request& request) noexcept {
    const header_list headers = request.headers();
    const bool old = request.http_version() == http_version::v1_0;
    if (headers.count("Host") > 1) return errc::handshake_duplicate_host;
    const std::optional<std::string_view> host = headers.find("Host");
    if (!host && !old) return errc::handshake_missing_host;
    if (host && !host->empty() && !is_host(*host)) return errc::handshake_invalid_host;
    if (!lists_only(headers, "Connection", is_token)) return errc::handshake_invalid_connection;
    // RFC 9110 §7.8: Upgrade in HTTP/1.0 is ignored.
    if (!old && !lists_only(headers, "Upgrade", is_protocol)) return errc::handshake_invalid_upgrade;
    return check_body_framing(request);
}

/// Whether a field belongs to one connection, so that HTTP/2 and HTTP/3 have none of it (RFC 9113 §8.2.2, RFC
/// 9114 §4.2).
[[nodiscard]] constexpr bool has_connection_field(header_list headers) noexcept {
    for (const header_field& field : headers) {
        for (const std::string_view name :
             {"Connection", "Upgrade", "Transfer-Encoding", "Keep-Alive", "Proxy-Connection"}) {
            if (equals_ignoring_case(field.name, name)) return true;
        }
        const bool te = equals_ignoring_case(field.name, "TE");
        if (te && !equals_ignoring_case(field.value, "trailers")) return true;
    }
    return false;
}

/// The rules of every HTTP/2 or HTTP/3 request (RFC 9113 §8.3.1). A plain CONNECT has no `:path` (§8.5).
[[nodiscard]] constexpr errc check_http2(const upgrade_request& request) noexcept {
    const header_list headers = request.headers();
    const bool pathless = request.method() == "CONNECT" && request.target().empty();
    if (!pathless && !is_target(request.target())) return errc::handshake_invalid_target;
    if (has_connection_field(headers)) return errc::handshake_connection_field;
    if (headers.count("Host") > 1) return errc::handshake_duplicate_host;
    const std::string_view host = request.host();
    if (!host.empty() && !is_host(host)) return errc::handshake_invalid_host;
    const std::optional<std::string_view> field = headers.find("Host");
    if (field && !equals_ignoring_case(*field, host)) return errc::handshake_invalid_host;
    return check_body_framing(request);
}

/// Whether the fields announce a body: the protocol can't change in the middle of a message (RFC 9110 §7.8), and the
/// body would be read as frames.
[[nodiscard]] constexpr bool announces_body(header_list headers) noexcept {
    if (headers.find("Transfer-Encoding")) return true;
    const std::string_view length = headers.find("Content-Length").value_or("0");
    return length.find_first_not_of('0') != std::string_view::npos;
}

/// The key, which only HTTP/1.1 has (RFC 6455 §4.2.1 point 5, §11.3.1).
[[nodiscard]] constexpr errc check_key(const upgrade_request& request) noexcept {
    const std::size_t count = request.headers().count("Sec-WebSocket-Key");
    if (count == 0) return errc::handshake_missing_key;
    if (count > 1) return errc::handshake_duplicate_key;
    return is_client_key(request.key()) ? errc::none : errc::handshake_invalid_key;
}

/// What the fields of the upgrade itself must be (RFC 6455 §4.2.1, §11.3).
[[nodiscard]] constexpr errc check_websocket_fields(const upgrade_request& request) noexcept {
    const header_list headers = request.headers();
    if (headers.count("Sec-WebSocket-Version") > 1) return errc::handshake_duplicate_version;
    if (request.version() != "13") return errc::handshake_unsupported_version;
    if (!request.is_extended_connect()) {
        if (const errc error = check_key(request); error != errc::none) return error;
    }
    if (headers.count("Origin") > 1) return errc::handshake_duplicate_origin;
    if (!lists_only(headers, "Sec-WebSocket-Protocol", is_token)) return errc::handshake_invalid_subprotocol;
    if (!lists_only(headers, "Sec-WebSocket-Extensions", is_extension)) {
        return errc::handshake_invalid_extension;
    }
    return errc::none;
}

/// The way that HTTP/1.1 asks (RFC 6455 §4.2.1 points 1 to 4).
[[nodiscard]] constexpr errc check_upgrade_way(const upgrade_request& request) noexcept {
    const header_list headers = request.headers();
    if (request.method() != "GET") return errc::handshake_method_not_get;
    if (!split_target(request.target()).legal) return errc::handshake_invalid_target;
    if (request.host().empty()) return errc::handshake_missing_host;
    if (!element_list(headers, "Upgrade").contains_ignoring_case("websocket")) {
        return errc::handshake_missing_upgrade;
    }
    if (!element_list(headers, "Connection").contains_ignoring_case("Upgrade")) {
        return errc::handshake_missing_connection;
    }
    return errc::none;
}

/// The way that HTTP/2 and HTTP/3 ask (RFC 8441 §4, §5).
[[nodiscard]] constexpr errc check_connect_way(const upgrade_request& request) noexcept {
    if (request.method() != "CONNECT") return errc::handshake_method_not_get;
    const bool known =
        equals_ignoring_case(request.scheme(), "http") || equals_ignoring_case(request.scheme(), "https");
    if (!known) return errc::handshake_invalid_scheme;
    if (!is_target(request.target()) || request.target().front() != '/')
        return errc::handshake_invalid_target;
    return request.host().empty() ? errc::handshake_missing_host : errc::none;
}

/// A request that asks for WebSocket, after the checks of its HTTP.
[[nodiscard]] constexpr errc check_upgrade(const upgrade_request& request) noexcept {
    const errc error =
        request.is_extended_connect() ? check_connect_way(request) : check_upgrade_way(request);
    if (error != errc::none) return error;
    if (announces_body(request.headers())) return errc::handshake_unexpected_body;
    return check_websocket_fields(request);
}

/// The whole verdict on a request whose characters are known to be legal.
[[nodiscard]] constexpr errc check_request(const upgrade_request& request) noexcept {
    const errc error =
        request.http_version() >= http_version::v2 ? check_http2(request) : check_http1(request);
    return error == errc::none && request.is_upgrade() ? check_upgrade(request) : error;
}

/// The checks that the byte parser has done already, for fields that another parser found. Over HTTP/2 and HTTP/3 a
/// name in upper case is malformed (RFC 9113 §8.2.1, RFC 9114 §4.2).
[[nodiscard]] constexpr errc check_fields(header_list fields, http_version version) noexcept {
    const auto is_lower = [](char c) { return c == to_lower(c); };
    for (const header_field& field : fields) {
        if (!is_token(field.name)) return errc::handshake_invalid_field_line;
        if (version >= http_version::v2 && !all_of(field.name, is_lower)) {
            return errc::handshake_invalid_field_line;
        }
        if (!is_field_value(field.value)) return errc::handshake_invalid_character;
    }
    return errc::none;
}

} // namespace detail

/// Judges a request that another server's parser found. A plain request passes too: ask is_upgrade(). Nothing
/// is trusted: what a lenient parser accepted is refused here. The views of `parsed` must outlive the
/// result. Errors: as server_handshake's, and to be answered by refusal_answer() (answer.hpp). O(bytes of the
/// head), no allocation.
[[nodiscard]] constexpr result<upgrade_request> judge(const http_request& parsed) noexcept {
    if (!detail::is_token(parsed.method)) return errc::handshake_invalid_start_line;
    // In HTTP/1.x the target is a part of the start line.
    if (parsed.version < http_version::v2 && !detail::is_target(parsed.target)) {
        return errc::handshake_invalid_start_line;
    }
    const upgrade_request request(parsed);
    if (const errc error = detail::check_fields(parsed.fields, parsed.version); error != errc::none)
        return error;
    if (const errc error = detail::check_request(request); error != errc::none) return error;
    return request;
}

} // namespace wsolo::inline WSOLO_ABI
