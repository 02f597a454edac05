#pragma once
// What a client asked for: a view over a request's head, and the rules that make it an upgrade to
// WebSocket.
//
// Laws of this file:
// - Well-formed HTTP is judged for every request, RFC 6455 only for those that ask for WebSocket; so a
//   plain request is never an error here, and the server can answer it with a page.
// - Lenient only where HTTP says so (the case of names and of "websocket" and "Upgrade", lists over several
//   fields, empty list elements), and for an empty list of offers.

#include "client_key.hpp"
#include "extension.hpp"
#include "start_line.hpp"

namespace wsolo::inline WSOLO_ABI {

/// A request's head. A view: it lives as long as the server_handshake it came from, and so does what it
/// returns.
class upgrade_request {
public:
    upgrade_request() = default;
    constexpr upgrade_request(detail::request_line line, header_list headers) noexcept
        : line_(line), headers_(headers) {}

    /// Whether this asks for WebSocket, well or badly: an Upgrade that lists "websocket", or a
    /// Sec-WebSocket-Key or -Version, which a proxy that forgot to pass Upgrade on leaves behind. False: a
    /// plain HTTP request.
    [[nodiscard]] constexpr bool is_upgrade() const noexcept {
        return element_list(headers_, "Upgrade").contains_ignoring_case("websocket") ||
               headers_.find("Sec-WebSocket-Key") || headers_.find("Sec-WebSocket-Version");
    }

    [[nodiscard]] constexpr std::string_view method() const noexcept { return line_.method; }
    /// As it was sent, in any of HTTP's forms.
    [[nodiscard]] constexpr std::string_view target() const noexcept { return line_.target; }
    /// Path and query (RFC 6455 §3), also when the target is absolute; the target itself when it has
    /// neither form.
    [[nodiscard]] constexpr std::string_view resource_name() const noexcept {
        const detail::target_parts parts = detail::split_target(line_.target);
        return parts.legal ? parts.resource : line_.target;
    }
    /// The target's host if it names one, else the Host field (RFC 9112 §3.2.2); with the port, if one was
    /// sent. Empty when there is neither.
    [[nodiscard]] constexpr std::string_view host() const noexcept {
        const detail::target_parts parts = detail::split_target(line_.target);
        if (parts.legal && !parts.host.empty()) return parts.host;
        return headers_.find("Host").value_or(std::string_view());
    }
    /// Who the browser acts for (RFC 6455 §10.2). Other clients mostly send none.
    [[nodiscard]] constexpr std::optional<std::string_view> origin() const noexcept {
        return headers_.find("Origin");
    }
    /// Sec-WebSocket-Key as it was sent; empty when it is missing.
    [[nodiscard]] constexpr std::string_view key() const noexcept {
        return headers_.find("Sec-WebSocket-Key").value_or(std::string_view());
    }
    /// The minor version of HTTP/1.x.
    [[nodiscard]] constexpr int http_minor_version() const noexcept { return line_.minor_version; }
    /// Sec-WebSocket-Version as it was sent ("13" in every accepted upgrade); empty when it is missing.
    [[nodiscard]] constexpr std::string_view version() const noexcept {
        return headers_.find("Sec-WebSocket-Version").value_or(std::string_view());
    }
    /// The offered subprotocols, the client's favourite first (RFC 6455 §11.3.4).
    [[nodiscard]] constexpr element_list subprotocols() const noexcept {
        return {headers_, "Sec-WebSocket-Protocol"};
    }
    /// The offered extensions, the client's favourite first (RFC 6455 §9.1).
    [[nodiscard]] constexpr extension_list extensions() const noexcept {
        return extension_list(element_list(headers_, "Sec-WebSocket-Extensions"));
    }
    /// The first field of this name, whatever the name's case.
    [[nodiscard]] constexpr std::optional<std::string_view> header(std::string_view name) const noexcept {
        return headers_.find(name);
    }
    [[nodiscard]] constexpr header_list headers() const noexcept { return headers_; }

private:
    detail::request_line line_;
    header_list headers_;
};

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

/// How the body, if any, is delimited: two answers to that are how requests get smuggled (RFC 9112 §6.1,
/// §6.3).
[[nodiscard]] constexpr errc check_body_framing(const upgrade_request& request) noexcept {
    const header_list headers = request.headers();
    if (headers.count("Content-Length") > 1) return errc::handshake_duplicate_header;
    const std::optional<std::string_view> length = headers.find("Content-Length");
    if (length && !is_number(*length)) return errc::handshake_malformed;
    const bool has_codings = headers.find("Transfer-Encoding").has_value();
    if (has_codings && (length || request.http_minor_version() == 0)) return errc::handshake_malformed;
    return errc::none;
}

/// What holds for any HTTP/1.x request (RFC 9112 §3.2, RFC 9110 §7.8).
[[nodiscard]] constexpr errc check_http(const upgrade_request& request) noexcept {
    const header_list headers = request.headers();
    if (headers.count("Host") > 1) return errc::handshake_duplicate_header;
    const std::optional<std::string_view> host = headers.find("Host");
    if (!host && request.http_minor_version() > 0) return errc::handshake_missing_host;
    if (host && !host->empty() && !is_host(*host)) return errc::handshake_malformed;
    if (!lists_only(headers, "Connection", is_token)) return errc::handshake_malformed;
    if (!lists_only(headers, "Upgrade", is_protocol)) return errc::handshake_malformed;
    return check_body_framing(request);
}

/// A GET's framing that announces bytes: RFC 6455 §4.1 has no place for them, and they would be read as
/// frames.
[[nodiscard]] constexpr bool announces_body(header_list headers) noexcept {
    if (headers.find("Transfer-Encoding")) return true;
    const std::string_view length = headers.find("Content-Length").value_or("0");
    return length.find_first_not_of('0') != std::string_view::npos;
}

/// What the fields of the upgrade itself must be (RFC 6455 §4.2.1, §11.3).
[[nodiscard]] constexpr errc check_websocket_fields(const upgrade_request& request) noexcept {
    const header_list headers = request.headers();
    for (const std::string_view name : {"Sec-WebSocket-Version", "Sec-WebSocket-Key", "Origin"}) {
        if (headers.count(name) > 1) return errc::handshake_duplicate_header;
    }
    if (request.version() != "13") return errc::handshake_unsupported_version;
    if (!headers.find("Sec-WebSocket-Key")) return errc::handshake_missing_key;
    if (!is_client_key(request.key())) return errc::handshake_invalid_key;
    const bool lists_legal = lists_only(headers, "Sec-WebSocket-Protocol", is_token) &&
                             lists_only(headers, "Sec-WebSocket-Extensions", is_extension);
    return lists_legal ? errc::none : errc::handshake_malformed;
}

/// A request that asks for WebSocket, after check_http (RFC 6455 §4.2.1).
[[nodiscard]] constexpr errc check_upgrade(const upgrade_request& request) noexcept {
    const header_list headers = request.headers();
    if (request.method() != "GET") return errc::handshake_method_not_get;
    if (request.http_minor_version() == 0) return errc::handshake_http_version;
    if (!split_target(request.target()).legal) return errc::handshake_invalid_start_line;
    if (request.host().empty()) return errc::handshake_missing_host;
    if (!element_list(headers, "Upgrade").contains_ignoring_case("websocket")) {
        return errc::handshake_missing_upgrade;
    }
    if (!element_list(headers, "Connection").contains_ignoring_case("Upgrade")) {
        return errc::handshake_missing_connection;
    }
    if (announces_body(headers)) return errc::handshake_unexpected_body;
    return check_websocket_fields(request);
}

} // namespace detail
} // namespace wsolo::inline WSOLO_ABI
