// Written by tools/amalgamate.py from include/wsolo/deflate/negotiate.hpp: change it there.
// SPDX-License-Identifier: MIT
#pragma once
// permessage-deflate's part of the handshake (RFC 7692 §5, §7.1), as functions of texts, and what they agree on as one value.
//
// Laws of this file:
// - A server never fails a handshake for an offer: one with an unknown, doubled or illegal parameter is declined, and the
//   next one is tried. A client fails it (errc::handshake_invalid_deflate), for it then can't know what will come.
// - Nothing is answered that the offer did not allow; a window of 8 bits is declined and never answered by 9.
// - What both sides compress by is `deflate_terms`, the same value on both.

#include "../wsolo.hpp"
#include "options.hpp"

#include <array>
#include <optional>

namespace wsolo::inline WSOLO_ABI {

/// How the messages of one direction are compressed.
struct deflate_direction {
    /// References reach 2^window_bits bytes back at most.
    std::uint8_t window_bits = 15;
    /// They reach into earlier messages.
    bool takeover = true;
    friend constexpr bool operator==(const deflate_direction&, const deflate_direction&) = default;
};

/// What was agreed on: what a message_deflater and a message_inflater are made of. A default-made one is what two bare
/// texts agree on.
struct deflate_terms {
    deflate_direction from_server; ///< what the server compresses
    deflate_direction from_client; ///< what the client compresses

    /// How `sender` compresses.
    [[nodiscard]] constexpr const deflate_direction& by(role sender) const noexcept {
        return sender == role::server ? from_server : from_client;
    }
    friend constexpr bool operator==(const deflate_terms&, const deflate_terms&) = default;
};

/// One element of Sec-WebSocket-Extensions, to be sent. A value that owns its text.
class deflate_text {
public:
    /// The text; it lives as long as this object.
    [[nodiscard]] constexpr std::string_view view() const noexcept { return {chars_.data(), size_}; }
    /// Whether there is none.
    [[nodiscard]] constexpr bool empty() const noexcept { return size_ == 0; }

    /// Appends it, unchecked. All that negotiation makes has room.
    constexpr void add(std::string_view text) noexcept {
        for (const char c : text) chars_[size_++] = c;
    }
    /// "; name=bits"
    constexpr void add(std::string_view name, std::uint8_t bits) noexcept {
        add(name);
        add("=");
        if (bits >= 10) chars_[size_++] = '1';
        chars_[size_++] = static_cast<char>('0' + bits % 10);
    }

private:
    std::array<char, 136> chars_{}; // the longest has 129
    std::size_t size_ = 0;
};

/// A server's answer: what it agreed to, and how it says so.
struct deflate_answer {
    deflate_terms terms; ///< for deflater and inflater
    deflate_text text;   ///< for the answer's Sec-WebSocket-Extensions
};

namespace detail {

inline constexpr std::string_view deflate_name = "permessage-deflate";

/// The parameters of one element, as they were written. A number is 0 where there is none.
struct deflate_params {
    bool server_no_takeover = false;
    bool client_no_takeover = false;
    bool has_server_bits = false;
    bool has_client_bits = false;
    std::uint8_t server_bits = 0;
    std::uint8_t client_bits = 0;
};

/// A window's size: 8 to 15, without a leading zero (RFC 7692 §7.1.2.1); 0 for anything else.
[[nodiscard]] constexpr std::uint8_t window_bits_of(const extension_param& param) noexcept {
    const std::optional<std::uint32_t> bits = param.has_value ? param.value.number() : std::nullopt;
    return bits && *bits >= 8 && *bits <= 15 ? static_cast<std::uint8_t>(*bits) : std::uint8_t{0};
}

/// Reads one parameter; false for one that is unknown, doubled (RFC 7692 §7) or has an illegal value.
[[nodiscard]] constexpr bool take_param(deflate_params& into, const extension_param& param) noexcept {
    const auto take = [](bool& mark) { return !std::exchange(mark, true); };
    if (param.name == "server_no_context_takeover") return !param.has_value && take(into.server_no_takeover);
    if (param.name == "client_no_context_takeover") return !param.has_value && take(into.client_no_takeover);
    if (param.name == "server_max_window_bits") {
        into.server_bits = window_bits_of(param);
        return into.server_bits != 0 && take(into.has_server_bits);
    }
    if (param.name != "client_max_window_bits") return false;
    into.client_bits = window_bits_of(param);
    return (into.client_bits != 0 || !param.has_value) && take(into.has_client_bits);
}

/// Nothing where a parameter is not legal.
[[nodiscard]] constexpr std::optional<deflate_params> deflate_params_of(const extension& from) noexcept {
    deflate_params found;
    for (const extension_param& param : from.params()) {
        if (!take_param(found, param)) return std::nullopt;
    }
    return found;
}

[[nodiscard]] constexpr std::uint8_t smaller(std::uint8_t left, std::uint8_t right) noexcept {
    return left < right ? left : right;
}

/// A size from `least` to 15, whatever an option says.
[[nodiscard]] constexpr std::uint8_t usable_bits(std::uint8_t wanted, std::uint8_t least) noexcept {
    return wanted < least ? least : smaller(wanted, 15);
}

/// The smallest window that compressors have: one of 256 bytes is beyond zlib's.
inline constexpr std::uint8_t min_send_bits = 9;

} // namespace detail

/// What a client offers: an element of Sec-WebSocket-Extensions (client_request::extensions).
[[nodiscard]] constexpr deflate_text offer_deflate(const deflate_options& options) noexcept {
    deflate_text out;
    out.add(detail::deflate_name);
    if (!options.receive_takeover) out.add("; server_no_context_takeover");
    if (options.mode == deflate_mode::no_takeover) out.add("; client_no_context_takeover");
    const std::uint8_t receive_bits = detail::usable_bits(options.receive_window_bits, 8);
    if (receive_bits < 15) out.add("; server_max_window_bits", receive_bits);
    const std::uint8_t send_bits = detail::usable_bits(options.send_window_bits, detail::min_send_bits);
    if (send_bits < 15) {
        out.add("; client_max_window_bits", send_bits);
    } else if (options.offer_client_window_bits) {
        out.add("; client_max_window_bits");
    }
    return out;
}

/// What a server with `options` answers to one offered extension; nothing where it declines (RFC 7692 §5.1, §7.1).
[[nodiscard]] constexpr std::optional<deflate_answer>
answer_deflate(const extension& offer, const deflate_options& options) noexcept {
    if (offer.name() != detail::deflate_name) return std::nullopt;
    const std::optional<detail::deflate_params> offered = detail::deflate_params_of(offer);
    if (!offered) return std::nullopt;
    const std::uint8_t send_bits = detail::usable_bits(options.send_window_bits, detail::min_send_bits);
    const std::uint8_t receive_bits = detail::usable_bits(options.receive_window_bits, 8);
    deflate_answer out;
    deflate_direction& ours = out.terms.from_server;
    deflate_direction& theirs = out.terms.from_client;
    ours.takeover = options.mode != deflate_mode::no_takeover && !offered->server_no_takeover;
    ours.window_bits =
        offered->has_server_bits ? detail::smaller(send_bits, offered->server_bits) : send_bits;
    if (ours.window_bits < detail::min_send_bits) return std::nullopt;
    theirs.takeover = options.receive_takeover && !offered->client_no_takeover;
    if (offered->has_client_bits) {
        theirs.window_bits =
            offered->client_bits == 0 ? receive_bits : detail::smaller(receive_bits, offered->client_bits);
    }
    out.text.add(detail::deflate_name);
    if (!ours.takeover) out.text.add("; server_no_context_takeover");
    if (!theirs.takeover) out.text.add("; client_no_context_takeover");
    // §7.1.2.1: a server that accepts the parameter includes it, also where it bounds nothing.
    if (offered->has_server_bits || ours.window_bits < 15) {
        out.text.add("; server_max_window_bits", ours.window_bits);
    }
    if (theirs.window_bits < 15) out.text.add("; client_max_window_bits", theirs.window_bits);
    return out;
}

/// The answer to the first of `offers` (upgrade_request::extensions(), in the client's order of preference) that can be agreed
/// to; nothing when there is none, and then nothing is compressed. Its text goes into accept_options::extensions.
[[nodiscard]] constexpr std::optional<deflate_answer>
choose_deflate(const extension_list& offers, const deflate_options& options) noexcept {
    for (const extension offer : offers) {
        if (const auto answer = answer_deflate(offer, options)) return answer;
    }
    return std::nullopt;
}

/// What a client that sent offer_deflate(options) agreed on with a server of this answer (upgrade_response's extensions):
/// nothing when the server wants none. errc::handshake_invalid_deflate: fail the connection (RFC 7692 §5.1, §7.1).
[[nodiscard]] constexpr result<std::optional<deflate_terms>>
judge_deflate_answer(const extension_list& answers, const deflate_options& options) noexcept {
    std::optional<deflate_terms> agreed;
    for (const extension answer : answers) {
        if (answer.name() != detail::deflate_name) continue;
        const std::optional<detail::deflate_params> said = detail::deflate_params_of(answer);
        if (agreed || !said) return errc::handshake_invalid_deflate;
        const std::uint8_t receive_bits = detail::usable_bits(options.receive_window_bits, 8);
        const std::uint8_t send_bits = detail::usable_bits(options.send_window_bits, detail::min_send_bits);
        const bool offered_client_bits = options.offer_client_window_bits || send_bits < 15;
        const std::uint8_t server_bits = said->has_server_bits ? said->server_bits : std::uint8_t{15};
        const bool is_legal = (said->server_no_takeover || options.receive_takeover) &&
                              server_bits <= receive_bits && (said->has_server_bits || receive_bits == 15) &&
                              (!said->has_client_bits || (offered_client_bits && said->client_bits != 0 &&
                                                          said->client_bits <= send_bits));
        if (!is_legal) return errc::handshake_invalid_deflate;
        deflate_terms& terms = agreed.emplace();
        terms.from_server = {server_bits, !said->server_no_takeover};
        // What this side said of itself it keeps, also where the server does not ask for it.
        terms.from_client = {said->has_client_bits ? said->client_bits : send_bits,
                             !said->client_no_takeover && options.mode != deflate_mode::no_takeover};
    }
    return agreed;
}

} // namespace wsolo::inline WSOLO_ABI
