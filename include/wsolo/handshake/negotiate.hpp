// SPDX-License-Identifier: MIT
#pragma once
// The server's choices: which origin may come in, which subprotocol and which extensions are spoken.
//
// Laws of this file:
// - Nothing is chosen that the client did not offer (RFC 6455 §4.2.2).
// - The policy is the caller's, as a function object; these helpers only walk the offers.

#include "request.hpp"

#include <concepts>
#include <span>
#include <type_traits>

namespace wsolo::inline WSOLO_ABI {
namespace detail {

template <class Text>
concept borrowed_text = std::same_as<Text, std::string_view> || std::same_as<Text, const char*>;

[[nodiscard]] constexpr std::string_view choose_subprotocol(const upgrade_request& request,
                                                            const std::string_view* supported,
                                                            std::size_t count) noexcept {
    for (const std::string_view offered : request.subprotocols()) {
        for (std::size_t i = 0; i < count; ++i) {
            if (offered == supported[i]) return offered;
        }
    }
    return {};
}

} // namespace detail

/// The first subprotocol, in the client's order of preference, that is among `supported`; empty when there
/// is none, and then the answer names none (RFC 6455 §4.2.2). A view into the request. O(offered *
/// supported).
[[nodiscard]] constexpr std::string_view
choose_subprotocol(const upgrade_request& request, std::span<const std::string_view> supported) noexcept {
    return detail::choose_subprotocol(request, supported.data(), supported.size());
}
[[nodiscard]] constexpr std::string_view
choose_subprotocol(const upgrade_request& request,
                   std::initializer_list<std::string_view> supported) noexcept {
    return detail::choose_subprotocol(request, supported.begin(), supported.size());
}

/// Shows every offered extension to `hook`, in the client's order of preference, until one is taken. The
/// hook answers with the text to agree on ("permessage-deflate; server_no_context_takeover") or with an
/// empty one to pass. The text is a string_view or a literal, because an owning string would be destroyed before it
/// is written. Returns that text, for accept_options::extensions.
template <class Hook>
    requires detail::borrowed_text<std::invoke_result_t<Hook&, const extension&>>
[[nodiscard]] constexpr std::string_view choose_extension(const upgrade_request& request, Hook&& hook) {
    for (const extension offer : request.extensions()) {
        const std::string_view agreed = hook(offer);
        if (!agreed.empty()) return agreed;
    }
    return {};
}

/// Asks `allowed(std::optional<std::string_view>)` about the request's Origin;
/// errc::handshake_origin_refused when it says no (RFC 6455 §4.2.2, §10.2). Most clients that are not browsers
/// send none: the hook decides on that too.
template <class Allowed>
    requires std::is_invocable_r_v<bool, Allowed&, std::optional<std::string_view>>
[[nodiscard]] constexpr errc check_origin(const upgrade_request& request, Allowed&& allowed) {
    return allowed(request.origin()) ? errc::none : errc::handshake_origin_refused;
}

/// Whether the Origin's host and port are those that the request was sent to: the usual defence against a
/// foreign page that uses its visitor's cookies. A port that is not said is the default of the Origin's scheme
/// (RFC 6454 §4); the schemes themselves are not compared, for TLS often ends before the server. Addresses
/// are compared as text: browsers normalize them. False when there is no Origin, and for "null".
[[nodiscard]] constexpr bool is_same_origin(const upgrade_request& request) noexcept {
    const std::string_view origin = request.origin().value_or(std::string_view());
    const std::size_t scheme_end = origin.find("://");
    if (scheme_end == std::string_view::npos) return false;
    const std::string_view scheme = origin.substr(0, scheme_end);
    const detail::host_parts from = detail::split_host(origin.substr(scheme_end + 3));
    const detail::host_parts to = detail::split_host(request.host());
    if (!from.legal || !to.legal || !detail::equals_ignoring_case(from.host, to.host)) return false;
    const std::int32_t usual = detail::equals_ignoring_case(scheme, "https")  ? 443
                               : detail::equals_ignoring_case(scheme, "http") ? 80
                                                                              : 0;
    const std::int32_t port = detail::port_number(from.port, usual);
    return port >= 0 && port == detail::port_number(to.port, usual);
}

} // namespace wsolo::inline WSOLO_ABI
