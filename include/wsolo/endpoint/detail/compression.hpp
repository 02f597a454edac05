// SPDX-License-Identifier: MIT
#pragma once
// A handler's member `compression`: the room deflate/ has a type for it, permessage_deflate, which this room does not know.
//
// Laws of this file:
// - A handler without that member costs nothing: no byte, no branch.
// - The member is checked by the compiler: a misspelt or mistyped part of it does not compile.

#include "../../core/byte_buffer.hpp"
#include "../../frame/header.hpp"
#include "../../handshake/extension.hpp"
#include "../../session/event.hpp"
#include "../../session/limits.hpp"
#include "../../write/encoder.hpp"

#include <concepts>

namespace wsolo::inline WSOLO_ABI::detail {

/// Both halves of an extension that encodes whole messages and marks them by RSV1 (RFC 7692 §6).
template <class T>
concept message_compression = requires(T& it, const T& seen, const extension_list& list, const_bytes bytes,
                                       byte_buffer& to, mutable_bytes room) {
    { seen.offer().view() } noexcept -> std::same_as<std::string_view>;
    { it.answer(list).view() } noexcept -> std::same_as<std::string_view>;
    { it.judge(list) } noexcept -> std::same_as<errc>;
    { it.disagree() } noexcept -> std::same_as<void>;
    { seen.is_agreed() } noexcept -> std::same_as<bool>;
    { it.limit(std::uint64_t{}) } noexcept -> std::same_as<void>;
    { it.inflate(bytes, true, to) } noexcept -> std::same_as<errc>;
    { seen.wants(bytes.size()) } noexcept -> std::same_as<bool>;
    { it.deflate(bytes, room) } noexcept -> std::same_as<std::size_t>;
    { seen.shared_form() } noexcept -> std::same_as<std::size_t>;
    { it.deflate_alone(bytes, room) } noexcept -> std::same_as<result<std::size_t>>;
    { it.note_sent(bytes) } noexcept -> std::same_as<void>;
    { it.forget() } noexcept -> std::same_as<void>;
};

template <class Handler>
concept compresses = requires(Handler& handler) { handler.compression; };

/// Has the extension hold to the limit of messages once they are decoded.
template <class Handler>
void bound_messages([[maybe_unused]] Handler& handler, [[maybe_unused]] const read_limits& limits) noexcept {
    if constexpr (compresses<Handler>) {
        static_assert(message_compression<decltype(handler.compression)>,
                      "a handler's member `compression` is a permessage_deflate (adapt/zlib.hpp)");
        handler.compression.limit(limits.max_message_size);
    }
}
/// How an endpoint with this handler reads: RSV1 where it was agreed on. Without compression it is the argument itself.
template <class Handler>
[[nodiscard]] decltype(auto) bounds_for([[maybe_unused]] const Handler& handler,
                                        const read_bounds& bounds) noexcept {
    if constexpr (compresses<Handler>) {
        read_bounds agreed = bounds;
        if (handler.compression.is_agreed()) agreed.allowed_rsv |= rsv1_bit;
        return agreed;
    } else {
        return (bounds);
    }
}

/// Of a compressed message: `payload` becomes what it is inflated to, which lies in `to`. Others stay as they are.
template <class Handler>
[[nodiscard]] errc inflate([[maybe_unused]] Handler& handler, [[maybe_unused]] const event& found,
                           [[maybe_unused]] byte_buffer& to, [[maybe_unused]] const_bytes& payload) noexcept {
    if constexpr (compresses<Handler>) {
        if ((found.rsv() & rsv1_bit) != 0 && handler.compression.is_agreed()) {
            const errc error = handler.compression.inflate(found.payload(), found.is_text(), to);
            payload = to.view();
            return error;
        }
    }
    return errc::none;
}

/// The writer's access to that member. Refers to the handler, which outlives the writer.
template <class Handler>
struct handler_encoder {
    static constexpr bool encodes = true;
    Handler* handler = nullptr;

    [[nodiscard]] bool wants(std::size_t size) const noexcept { return handler->compression.wants(size); }
    [[nodiscard]] std::size_t deflate(const_bytes message, mutable_bytes to) noexcept {
        return handler->compression.deflate(message, to);
    }
    [[nodiscard]] std::size_t shared_form() const noexcept { return handler->compression.shared_form(); }
    [[nodiscard]] result<std::size_t> deflate_alone(const_bytes message, mutable_bytes to) noexcept {
        return handler->compression.deflate_alone(message, to);
    }
    void note_sent(const_bytes message) noexcept { handler->compression.note_sent(message); }
    void forget() noexcept { handler->compression.forget(); }
};
template <class Handler>
struct encoder_for {
    using type = never_encoded;
    [[nodiscard]] static type of(Handler&) noexcept { return {}; }
};
template <compresses Handler>
struct encoder_for<Handler> {
    using type = handler_encoder<Handler>;
    [[nodiscard]] static type of(Handler& handler) noexcept { return {&handler}; }
};

/// No element of Sec-WebSocket-Extensions.
struct no_extension {
    [[nodiscard]] static constexpr std::string_view view() noexcept { return {}; }
};

/// What a client with this handler offers.
template <class Handler>
[[nodiscard]] auto extension_offer([[maybe_unused]] const Handler& handler) noexcept {
    if constexpr (compresses<Handler>) {
        return handler.compression.offer();
    } else {
        return no_extension();
    }
}
/// What a server with this handler answers.
template <class Handler>
[[nodiscard]] auto extension_answer([[maybe_unused]] Handler& handler,
                                    [[maybe_unused]] const extension_list& offers) noexcept {
    if constexpr (compresses<Handler>) {
        return handler.compression.answer(offers);
    } else {
        return no_extension();
    }
}
/// A client's judgement of what it was answered.
template <class Handler>
[[nodiscard]] errc judge_extensions([[maybe_unused]] Handler& handler,
                                    [[maybe_unused]] const extension_list& answers) noexcept {
    if constexpr (compresses<Handler>) return handler.compression.judge(answers);
    return errc::none;
}

} // namespace wsolo::inline WSOLO_ABI::detail
