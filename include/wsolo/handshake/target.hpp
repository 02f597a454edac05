// SPDX-License-Identifier: MIT
#pragma once
// What a request asks for: its target, and the resource name in it (RFC 6455 §3, RFC 9112 §3.2).
//
// Laws of this file:
// - A path, or an absolute URI of the schemes http, https, ws and wss. RFC 6455 §4.2.1 names the first two;
//   the others name the same resource in WebSocket's own words, RFC 9112 §3.2.2 wants absolute targets
//   taken, and every other server takes them. A client sends only the two.
// - Browsers send `|`, `{` and their like unescaped, so the finer grammar of RFC 3986 is not enforced.

#include "host.hpp"

namespace wsolo::inline WSOLO_ABI {

/// Path and query (RFC 6455 §3). Two views of the target, for in "http://h?x=1" they don't stand together:
/// the name of that resource is "/?x=1".
class resource_view {
public:
    constexpr resource_view() = default;
    /// `text`: what follows the authority, or a whole target of another form.
    constexpr explicit resource_view(std::string_view text) noexcept {
        const std::size_t mark = text.find('?');
        path_ = mark == 0 || text.empty() ? std::string_view("/") : text.substr(0, mark);
        if (mark == std::string_view::npos) return;
        query_ = text.substr(mark + 1);
        has_query_ = true;
    }

    /// The path; "/" when the target has none.
    [[nodiscard]] constexpr std::string_view path() const noexcept { return path_; }
    /// What follows the question mark, if there is one.
    [[nodiscard]] constexpr std::string_view query() const noexcept { return query_; }
    [[nodiscard]] constexpr bool has_query() const noexcept { return has_query_; }

    /// Whether the whole name is `text`, query included.
    friend constexpr bool operator==(const resource_view& name, std::string_view text) noexcept {
        if (!text.starts_with(name.path_)) return false;
        text.remove_prefix(name.path_.size());
        if (!name.has_query_) return text.empty();
        return text.starts_with('?') && text.substr(1) == name.query_;
    }

private:
    std::string_view path_ = "/";
    std::string_view query_;
    bool has_query_ = false;
};

namespace detail {

/// A request target's characters: visible ASCII, and no fragment (RFC 9112 §3.2, RFC 6455 §3).
[[nodiscard]] constexpr bool is_target(std::string_view text) noexcept {
    return !text.empty() && all_of(text, [](char c) { return c > 0x20 && c < 0x7f && c != '#'; });
}

/// A target cut into the host that it names ("" in origin-form) and the resource.
struct target_parts {
    std::string_view host;
    resource_view resource;
    bool legal = false;
    bool absolute = false;
};

/// origin-form ("/chat?x") or absolute-form ("http://host/chat") of one of `schemes`; the other forms are not
/// legal for an upgrade.
[[nodiscard]] constexpr target_parts split_target(std::string_view target,
                                                  std::initializer_list<std::string_view> schemes = {
                                                      "http", "https", "ws", "wss"}) noexcept {
    if (!is_target(target)) return {};
    if (target.front() == '/') return {{}, resource_view(target), true, false};
    const std::size_t scheme_end = target.find("://");
    if (scheme_end == std::string_view::npos) return {};
    for (const std::string_view scheme : schemes) {
        if (!equals_ignoring_case(target.substr(0, scheme_end), scheme)) continue;
        const std::string_view rest = target.substr(scheme_end + 3);
        const std::size_t end = rest.find_first_of("/?");
        const std::string_view host = rest.substr(0, end);
        const std::string_view resource = end < rest.size() ? rest.substr(end) : std::string_view();
        return {host, resource_view(resource), is_host(host), true};
    }
    return {};
}

} // namespace detail
} // namespace wsolo::inline WSOLO_ABI
