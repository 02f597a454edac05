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

/// An entry to take the place of `plain`; nullptr: it leaves as it is. O(n).
template <message_encoder Encoder>
[[nodiscard]] entry* encode_entry(Encoder& encoder, const entry& plain) noexcept {
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
