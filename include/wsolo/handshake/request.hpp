// SPDX-License-Identifier: MIT
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

/// A request as some parser found it. Views of that parser's memory.
struct http_request {
    /// As it was sent; methods are compared with regard to case.
    std::string_view method = "GET";
    /// As it was sent; over HTTP/2 and HTTP/3 what `:path` says.
    std::string_view target = "/";
    http_version version = http_version::v1_1;
    /// The fields in their order; fields of one name may be joined or not, as the parser has them. Without HTTP/2's
    /// pseudo-header fields.
    header_list fields{};
    /// `:protocol`, `:scheme` and `:authority` of HTTP/2 and HTTP/3 (RFC 8441 §4, RFC 9220); empty where
    /// there is none, and not looked at in HTTP/1.x.
    std::string_view protocol = {};
    std::string_view scheme = {};
    std::string_view authority = {};
};

/// A request's head. A view: it lives as long as the server_handshake it came from, or as what judge() was
/// given, and so does what it returns.
class upgrade_request {
public:
    upgrade_request() = default;
    constexpr explicit upgrade_request(const http_request& parts) noexcept : parts_(parts) {}

    /// Whether this asks for WebSocket, in a legal way or not: an Upgrade that lists "websocket", or a
    /// Sec-WebSocket-Key or -Version, which stay in the request when a proxy does not pass Upgrade on; over HTTP/2
    /// and HTTP/3 the protocol "websocket" (RFC 8441 §5). Never in HTTP/1.0, where Upgrade
    /// means nothing (RFC 9110 §7.8). False: a plain HTTP request.
    [[nodiscard]] constexpr bool is_upgrade() const noexcept {
        if (is_extended_connect()) return true;
        if (parts_.version != http_version::v1_1) return false;
        return element_list(parts_.fields, "Upgrade").contains_ignoring_case("websocket") ||
               parts_.fields.find("Sec-WebSocket-Key") || parts_.fields.find("Sec-WebSocket-Version");
    }
    /// Whether it is asked for in the way of HTTP/2 and HTTP/3: without a key, and answered by 200. The protocol
    /// alone says so; another method than CONNECT makes it a bad one.
    [[nodiscard]] constexpr bool is_extended_connect() const noexcept {
        return parts_.version >= http_version::v2 &&
               detail::equals_ignoring_case(parts_.protocol, "websocket");
    }

    /// As it was sent.
    [[nodiscard]] constexpr std::string_view method() const noexcept { return parts_.method; }
    /// As it was sent, in any of HTTP's forms.
    [[nodiscard]] constexpr std::string_view target() const noexcept { return parts_.target; }
    /// Path and query (RFC 6455 §3), also when the target is absolute; the target itself when it has
    /// neither form.
    [[nodiscard]] constexpr resource_view resource_name() const noexcept {
        const detail::target_parts parts = detail::split_target(parts_.target);
        return parts.legal ? parts.resource : resource_view(parts_.target);
    }
    /// The target's host if it names one (RFC 9112 §3.2.2), else the Host field; over HTTP/2 and HTTP/3
    /// `:authority` before both. With the port, if one was sent. Empty when there is none.
    [[nodiscard]] constexpr std::string_view host() const noexcept {
        if (parts_.version >= http_version::v2 && !parts_.authority.empty()) return parts_.authority;
        const detail::target_parts parts = detail::split_target(parts_.target);
        if (parts.legal && parts.absolute) return parts.host;
        return parts_.fields.find("Host").value_or(std::string_view());
    }
    /// `:scheme`; empty in HTTP/1.1, where only the transport knows.
    [[nodiscard]] constexpr std::string_view scheme() const noexcept { return parts_.scheme; }
    /// The site whose page asks, as the browser states it (RFC 6455 §10.2). Most other clients send none.
    [[nodiscard]] constexpr std::optional<std::string_view> origin() const noexcept {
        return parts_.fields.find("Origin");
    }
    /// Sec-WebSocket-Key as it was sent; empty when it is missing, as it is over HTTP/2 and HTTP/3.
    [[nodiscard]] constexpr std::string_view key() const noexcept {
        return parts_.fields.find("Sec-WebSocket-Key").value_or(std::string_view());
    }
    [[nodiscard]] constexpr wsolo::http_version http_version() const noexcept { return parts_.version; }
    /// Sec-WebSocket-Version as it was sent ("13" in every accepted upgrade); empty when it is missing.
    [[nodiscard]] constexpr std::string_view version() const noexcept {
        return parts_.fields.find("Sec-WebSocket-Version").value_or(std::string_view());
    }
    /// The offered subprotocols, the client's favourite first (RFC 6455 §11.3.4).
    [[nodiscard]] constexpr element_list subprotocols() const noexcept {
        return {parts_.fields, "Sec-WebSocket-Protocol"};
    }
    /// The offered extensions, the client's favourite first (RFC 6455 §9.1).
    [[nodiscard]] constexpr extension_list extensions() const noexcept {
        return extension_list(element_list(parts_.fields, "Sec-WebSocket-Extensions"));
    }
    /// The first field of this name, whatever the name's case.
    [[nodiscard]] constexpr std::optional<std::string_view> header(std::string_view name) const noexcept {
        return parts_.fields.find(name);
    }
    [[nodiscard]] constexpr header_list headers() const noexcept { return parts_.fields; }

    /// Whether the connection must end with the answer: HTTP/1.0, or the client says so (RFC 9112 §9.6).
    [[nodiscard]] constexpr bool wants_close() const noexcept {
        return parts_.version == http_version::v1_0 ||
               element_list(parts_.fields, "Connection").contains_ignoring_case("close");
    }

private:
    http_request parts_;
};

} // namespace wsolo::inline WSOLO_ABI
