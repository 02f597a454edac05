// SPDX-License-Identifier: MIT
#pragma once
// A server's answer without its bytes: the status and the fields, for servers that write their own heads, and
// for response.hpp, which writes them.
//
// Laws of this file:
// - Nothing is agreed to that the client did not offer (RFC 6455 §4.2.2).
// - A refusal says why: the status that HTTP has for it, what the client would have to send, and a sentence.
// - Over HTTP/2 and HTTP/3 a WebSocket opens with 200, names are in lower case, and no field belongs to the
//   connection (RFC 8441 §5, RFC 9113 §8.2).

#include "accept_key.hpp"
#include "message_writer.hpp"
#include "request.hpp"

namespace wsolo::inline WSOLO_ABI {

/// What an accepting answer adds. Views, needed only during the call. They must not lie in the container that the answer
/// is appended to.
struct accept_options {
    /// One of those offered (choose_subprotocol), or empty.
    std::string_view subprotocol = {};
    /// The agreed extensions as header text (choose_extension), each of them offered; or empty. In an http_reply a view of nothing
    /// (the default) leaves them to the handler's `compression`, and "" says that there are none.
    std::string_view extensions = {};
    /// Further fields, for instance Set-Cookie.
    std::span<const header_field> headers = {};
};

/// A status and the fields that the handshake needs, in order: `for (header_field field : answer) ...`. The fields are
/// views of what the answer was made of, of literals, and of this object: they live as long as all of these.
class upgrade_answer {
public:
    class iterator {
    public:
        using value_type = header_field;
        using difference_type = std::ptrdiff_t;

        constexpr iterator() = default;
        constexpr iterator(const upgrade_answer& answer, std::size_t at) noexcept
            : answer_(&answer), at_(at) {}
        [[nodiscard]] constexpr header_field operator*() const noexcept { return (*answer_)[at_]; }
        constexpr iterator& operator++() noexcept {
            ++at_;
            return *this;
        }
        constexpr void operator++(int) noexcept { ++*this; }
        friend constexpr bool operator==(const iterator& left, const iterator& right) noexcept {
            return left.at_ == right.at_;
        }

    private:
        const upgrade_answer* answer_ = nullptr;
        std::size_t at_ = 0;
    };

    constexpr upgrade_answer() = default;
    constexpr explicit upgrade_answer(int status) noexcept : status_(status) {}

    /// The answer's status: 101, 200 over HTTP/2 and HTTP/3, or a refusal's.
    [[nodiscard]] constexpr int status() const noexcept { return status_; }
    /// A refusal's sentence, for its body; empty for an acceptance.
    [[nodiscard]] constexpr std::string_view text() const noexcept { return text_; }

    /// How many fields it has.
    [[nodiscard]] constexpr std::size_t size() const noexcept { return size_; }
    [[nodiscard]] constexpr header_field operator[](std::size_t at) const noexcept {
        return at == accept_at_ ? header_field{fields_[at].name, accept_.view()} : fields_[at];
    }
    [[nodiscard]] constexpr iterator begin() const noexcept { return {*this, 0}; }
    [[nodiscard]] constexpr iterator end() const noexcept { return {*this, size_}; }

    /// One more field; left out when it has no value. Precondition: fewer than five; a sixth is left out.
    constexpr void add(std::string_view name, std::string_view value) noexcept {
        if (value.empty()) return;
        WSOLO_ASSERT(size_ < capacity, "an upgrade_answer has five fields at most");
        if (size_ < capacity) fields_[size_++] = {name, value};
    }
    /// Sec-WebSocket-Accept, which is kept here.
    constexpr void add_accept(const accept_value& accept) noexcept {
        WSOLO_ASSERT(size_ < capacity, "an upgrade_answer has five fields at most");
        if (size_ == capacity) return;
        accept_ = accept;
        accept_at_ = size_;
        fields_[size_++] = {"Sec-WebSocket-Accept", {}};
    }
    constexpr void say(std::string_view text) noexcept { text_ = text; }

private:
    static constexpr std::size_t capacity = 5;

    std::array<header_field, capacity> fields_{};
    std::size_t size_ = 0;
    std::size_t accept_at_ = capacity;
    accept_value accept_{};
    std::string_view text_;
    int status_ = 0;
};

/// The status to refuse a handshake with (RFC 6455 §4.2.2, §4.4; RFC 9110 §15.5). Only HTTP/1.1 has 426,
/// because that must carry Upgrade (RFC 9110 §15.5.22).
[[nodiscard]] constexpr int http_status_for(errc why, http_version version = http_version::v1_1) noexcept {
    const int upgrade_required = version >= http_version::v2 ? 400 : 426;
    switch (why) {
    case errc::handshake_origin_refused: return 403;
    case errc::handshake_method_not_get: return 405;
    case errc::handshake_timeout: return 408;
    case errc::handshake_target_too_long: return 414;
    case errc::handshake_missing_upgrade:
    case errc::handshake_unsupported_version: return upgrade_required;
    case errc::handshake_line_too_long:
    case errc::handshake_too_many_headers:
    case errc::handshake_too_large: return 431;
    case errc::handshake_http_version: return 505;
    case errc::queue_full:
    case errc::closed:
    case errc::aborted: return 503;
    case errc::connection_lost: return 400; // the request was cut off (RFC 9112 §8)
    default: return blame_of(why) == blame::remote ? 400 : 500;
    }
}

namespace detail {

[[nodiscard]] constexpr errc check_accept(const upgrade_request& request,
                                          const accept_options& options) noexcept {
    if (!options.subprotocol.empty() && !request.subprotocols().contains(options.subprotocol)) {
        return errc::handshake_unrequested_subprotocol;
    }
    const element_list agreed(options.extensions);
    if (!options.extensions.empty() && !is_list_of(agreed, is_extension)) return errc::invalid_header_field;
    if (!are_all_offered(extension_list(agreed), request.extensions())) {
        return errc::handshake_unrequested_extension;
    }
    return are_extra_fields(options.headers) ? errc::none : errc::invalid_header_field;
}

/// Adds the fields that a status requires: 426 names the protocol and version to ask for (RFC 9110 §15.5.22, RFC 6455
/// §4.4), 405 the methods that may be used (RFC 9110 §15.5.6).
constexpr void add_owed_fields(upgrade_answer& answer) noexcept {
    if (answer.status() == 426) {
        answer.add("Upgrade", "websocket");
        answer.add("Sec-WebSocket-Version", "13");
    }
    if (answer.status() == 405) answer.add("Allow", "GET");
}

} // namespace detail

/// The answer that opens the WebSocket: 101 with its fields, or over HTTP/2 and HTTP/3 200. The further fields in
/// `options.headers` are only judged: the caller adds them. Errors: errc::handshake_unrequested_subprotocol or _extension
/// for one that was not offered, errc::invalid_header_field. Precondition: judge() or a server_handshake found the
/// request legal, and request.is_upgrade(). The views of `options` must outlive the answer.
[[nodiscard]] constexpr result<upgrade_answer> accept_answer(const upgrade_request& request,
                                                             const accept_options& options = {}) noexcept {
    WSOLO_ASSERT(request.is_upgrade(), "only a request for WebSocket is accepted");
    if (const errc error = detail::check_accept(request, options); error != errc::none) return error;
    if (request.is_extended_connect()) {
        upgrade_answer answer(200);
        answer.add("sec-websocket-protocol", options.subprotocol);
        answer.add("sec-websocket-extensions", options.extensions);
        return answer;
    }
    upgrade_answer answer(101);
    answer.add("Upgrade", "websocket");
    answer.add("Connection", "Upgrade");
    answer.add_accept(accept_key(request.key()));
    answer.add("Sec-WebSocket-Protocol", options.subprotocol);
    answer.add("Sec-WebSocket-Extensions", options.extensions);
    return answer;
}

/// The refusal that `why` calls for: its status, the fields that this status requires, and its sentence.
[[nodiscard]] constexpr upgrade_answer refusal_answer(errc why,
                                                      http_version version = http_version::v1_1) noexcept {
    upgrade_answer answer(http_status_for(why, version));
    answer.say(to_string(why));
    if (version < http_version::v2) {
        detail::add_owed_fields(answer);
        if (answer.status() == 426) answer.add("Connection", "Upgrade"); // RFC 9110 §7.8
    } else if (why == errc::handshake_method_not_get) {
        answer.add("allow", "CONNECT"); // RFC 9110 §15.5.6, RFC 8441 §4
    } else if (why == errc::handshake_unsupported_version) {
        answer.add("sec-websocket-version", "13");
    }
    return answer;
}

} // namespace wsolo::inline WSOLO_ABI
