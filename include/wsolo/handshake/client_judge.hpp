// SPDX-License-Identifier: MIT
#pragma once
// The client's verdict on an answer, by whichever parser it was read: the byte parser of this room (client.hpp), or another
// client of HTTP/1.1, HTTP/2 or HTTP/3 (RFC 6455 §4.1, RFC 8441 §5).
//
// Laws of this file:
// - One judge: the byte parser calls the same function.
// - Nothing is taken that was not offered.
// - Over HTTP/2 and HTTP/3 any 2xx opens the WebSocket, and there is no key to answer.

#include "accept_key.hpp"
#include "judge.hpp"

namespace wsolo::inline WSOLO_ABI {

/// An answer as some parser found it. Views.
struct http_answer {
    /// The status line, as it was parsed.
    int status = 0;
    http_version version = http_version::v1_1;
    /// The fields in their order; without HTTP/2's `:status`.
    header_list fields{};
    std::string_view reason = {};
};

/// What the request had offered. Views.
struct upgrade_offer {
    /// Sec-WebSocket-Key as it was sent; not used over HTTP/2 and HTTP/3.
    std::string_view key = {};
    /// The offers as header text; empty when nothing was offered.
    std::string_view subprotocols = {};
    std::string_view extensions = {};
};

/// An answer's head. A view: it lives as long as the client_handshake it came from, or as what judge() was
/// given, and so does what it returns.
class upgrade_response {
public:
    upgrade_response() = default;
    constexpr explicit upgrade_response(const http_answer& parts) noexcept : parts_(parts) {}

    /// The status, as in the status line.
    [[nodiscard]] constexpr int status() const noexcept { return parts_.status; }
    [[nodiscard]] constexpr std::string_view reason() const noexcept { return parts_.reason; }
    [[nodiscard]] constexpr wsolo::http_version http_version() const noexcept { return parts_.version; }
    /// The subprotocol that the server chose; empty when it chose none.
    [[nodiscard]] constexpr std::string_view subprotocol() const noexcept {
        return parts_.fields.find("Sec-WebSocket-Protocol").value_or(std::string_view());
    }
    /// The extensions that the server agreed to. Their parameters are for the caller to judge.
    [[nodiscard]] constexpr extension_list extensions() const noexcept {
        return extension_list(element_list(parts_.fields, "Sec-WebSocket-Extensions"));
    }
    /// The first field of this name, whatever the name's case.
    [[nodiscard]] constexpr std::optional<std::string_view> header(std::string_view name) const noexcept {
        return parts_.fields.find(name);
    }
    [[nodiscard]] constexpr header_list headers() const noexcept { return parts_.fields; }

private:
    http_answer parts_;
};

namespace detail {

/// Subprotocol and extensions: only what was offered (RFC 6455 §4.1, points 5 and 6 of the answer's checks).
/// At worst O(answer * our offered elements), never of their fields.
[[nodiscard]] constexpr errc check_agreement(const upgrade_response& response,
                                             const upgrade_offer& offered) noexcept {
    const header_list headers = response.headers();
    const std::size_t subprotocols = headers.count("Sec-WebSocket-Protocol");
    if (subprotocols > 1) return errc::handshake_duplicate_subprotocol;
    if (subprotocols == 1 && !element_list(offered.subprotocols).contains(response.subprotocol())) {
        return errc::handshake_unrequested_subprotocol;
    }
    const std::size_t extensions = headers.count("Sec-WebSocket-Extensions");
    if (extensions == 0) return errc::none;
    if (extensions > 1) return errc::handshake_duplicate_extensions;
    if (!is_list_of(element_list(headers, "Sec-WebSocket-Extensions"), is_extension)) {
        return errc::handshake_invalid_extension;
    }
    const extension_list asked{element_list(offered.extensions)};
    const bool offered_all = are_all_offered(response.extensions(), asked);
    return offered_all ? errc::none : errc::handshake_unrequested_extension;
}

/// The way that HTTP/1.1 opens (RFC 6455 §4.1, points 1 to 4): 101, Upgrade, Connection, Accept.
[[nodiscard]] constexpr errc check_switch(const upgrade_response& response,
                                          const accept_value& expected) noexcept {
    const header_list headers = response.headers();
    if (response.status() != 101) return errc::handshake_unexpected_status;
    // RFC 9110 §15.2: HTTP/1.0 has no 1xx.
    if (response.http_version() == http_version::v1_0) return errc::handshake_http_version;
    if (headers.count("Upgrade") > 1) return errc::handshake_duplicate_upgrade;
    if (headers.count("Sec-WebSocket-Accept") > 1) return errc::handshake_duplicate_accept;
    // Here Upgrade is one value, not a list with the value in it.
    if (!equals_ignoring_case(headers.find("Upgrade").value_or(std::string_view()), "websocket")) {
        return errc::handshake_missing_upgrade;
    }
    const element_list options(headers, "Connection");
    if (!options.contains_ignoring_case("Upgrade")) return errc::handshake_missing_connection;
    if (!is_list_of(options, is_token)) return errc::handshake_invalid_connection;
    const bool answers = headers.find("Sec-WebSocket-Accept") == expected.view();
    return answers ? errc::none : errc::handshake_invalid_accept;
}

/// The way that HTTP/2 and HTTP/3 open (RFC 8441 §5).
[[nodiscard]] constexpr errc check_tunnel(const upgrade_response& response) noexcept {
    if (response.status() / 100 != 2) return errc::handshake_unexpected_status;
    return has_connection_field(response.headers()) ? errc::handshake_connection_field : errc::none;
}

/// The whole verdict on a final answer whose characters are known to be legal.
[[nodiscard]] constexpr errc check_answer(const upgrade_response& response,
                                          const upgrade_offer& offered) noexcept {
    const errc error = response.http_version() >= http_version::v2
                           ? check_tunnel(response)
                           : check_switch(response, accept_key(offered.key));
    return error != errc::none ? error : check_agreement(response, offered);
}

} // namespace detail

/// Judges a final answer that another client's parser found. Nothing is trusted: what a lenient parser let
/// through is refused here. The views of `parsed` must outlive the result. Errors: as client_handshake's;
/// errc::handshake_unexpected_status for a refusal. O(bytes of the head * offered elements), no allocation.
[[nodiscard]] constexpr result<upgrade_response> judge(const http_answer& parsed,
                                                       const upgrade_offer& offered) noexcept {
    const upgrade_response response(parsed);
    if (!detail::is_field_value(parsed.reason)) return errc::handshake_invalid_start_line;
    if (const errc error = detail::check_fields(parsed.fields, parsed.version); error != errc::none) {
        return error;
    }
    if (const errc error = detail::check_answer(response, offered); error != errc::none) return error;
    return response;
}

} // namespace wsolo::inline WSOLO_ABI
