#pragma once
// The parts of a ws:// URL (RFC 6455 §3).

#include <optional>
#include <string>
#include <string_view>

namespace client {

struct url {
    std::string authority; ///< host, and the port if it was given: the Host header
    std::string host;      ///< without brackets
    std::string port = "80";
    std::string target = "/"; ///< path and query
};

/// Empty when it is no ws:// URL; wss:// needs a transport with TLS, which this example has not.
[[nodiscard]] inline std::optional<url> parse_url(std::string_view text) {
    constexpr std::string_view scheme = "ws://";
    if (!text.starts_with(scheme) || text.find('#') != text.npos) return std::nullopt;
    text.remove_prefix(scheme.size());
    url parts;
    const std::size_t path = text.find_first_of("/?");
    parts.authority = text.substr(0, path);
    if (path != text.npos) parts.target = text.substr(path);
    if (parts.target.front() == '?') parts.target.insert(parts.target.begin(), '/');
    std::string_view host = parts.authority;
    const std::size_t colon = host.find(':', host.starts_with('[') ? host.find(']') : 0);
    if (colon != host.npos) {
        parts.port = host.substr(colon + 1);
        host = host.substr(0, colon);
    }
    if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
    parts.host = host;
    if (parts.host.empty() || parts.port.empty()) return std::nullopt;
    return parts;
}

} // namespace client
