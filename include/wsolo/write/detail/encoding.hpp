// SPDX-License-Identifier: MIT
#pragma once
// A queued frame becomes its encoded form: the payload as the encoder makes it, RSV1 on the header.
//
// Laws of this file:
// - Called by the thread whose turn it is, with no lock held. The entry was claimed: it stays, as it is, meanwhile.
// - A client's frame keeps its masking key, which was fresh and has not left yet (RFC 6455 §5.3).
// - Without memory the frame leaves as it was queued, and the encoder forgets: neither side refers to what was not sent.

#include "../../frame/encode.hpp"
#include "../encoder.hpp"
#include "entry.hpp"

namespace wsolo::inline WSOLO_ABI::detail {

/// The same for a frame that other writers send too: it is encoded once for all peers that can read that form.
template <message_encoder Encoder>
[[nodiscard]] entry* encode_shared(Encoder& encoder, const entry& plain) noexcept {
    const std::size_t form = encoder.shared_form();
    if (form >= shared_frame::forms) return nullptr;
    const header_parse parsed = parse_header(const_bytes(plain.bytes, plain.size));
    const const_bytes message = const_bytes(plain.bytes, plain.size).subspan(parsed.size);
    const shared_frame other = plain.shared().other_form(form, [&]() -> shared_frame {
        byte_buffer payload;
        if (!encoder.deflate_alone(message, payload)) return {};
        const auto made = make_shared_frame({parsed.header.op, true, true}, std::as_const(payload).view());
        return made ? *made : shared_frame();
    });
    if (!other) return nullptr;
    entry* const made = entry::make_shared(other, {});
    if (made != nullptr) encoder.note_sent(message);
    return made;
}

/// An entry to take the place of `plain`; nullptr: it leaves as it is. O(n).
template <message_encoder Encoder>
[[nodiscard]] entry* encode_entry(Encoder& encoder, const entry& plain) noexcept {
    if (plain.where == entry::memory::shared) return encode_shared(encoder, plain);
    const const_bytes frame(plain.bytes, plain.size);
    const header_parse parsed = parse_header(frame);
    const_bytes message = frame.subspan(parsed.size);
    byte_buffer unmasked;
    if (parsed.header.masked) {
        if (!unmasked.append(message)) return nullptr;
        apply_mask(unmasked.view(), parsed.header.key);
        message = std::as_const(unmasked).view();
    }
    byte_buffer payload;
    if (!encoder.deflate(message, payload)) return nullptr;
    const frame_spec spec(parsed.header.op, true, true);
    entry* const made = entry::make_own(header_size(payload.size(), parsed.header.masked) + payload.size());
    if (made == nullptr) {
        encoder.forget();
        return nullptr;
    }
    const const_bytes encoded = std::as_const(payload).view();
    if (parsed.header.masked) {
        one_key key(parsed.header.key);
        write_frame<role::client>(made->after(), spec, encoded, key);
    } else {
        write_frame<role::server>(made->after(), spec, encoded);
    }
    return made;
}

} // namespace wsolo::inline WSOLO_ABI::detail
