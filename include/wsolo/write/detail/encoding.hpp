// SPDX-License-Identifier: MIT
#pragma once
// A queued frame becomes its encoded form: the payload as the encoder makes it, RSV1 on the header.
//
// Laws of this file:
// - Called by the thread whose turn it is, with no lock held. The entry was claimed: it stays meanwhile, and no other thread looks
//   at its bytes.
// - The payload is made where it stays. Beside the queue that takes `most` bytes, and hardly more than the message has.
// - Where the frame grows, by its payload or by its header, the queue has room for that (encoding_scan).
// - A client's frame keeps its masking key, which was fresh and has not left yet (RFC 6455 §5.3).
// - Without memory the frame leaves as it was queued, and the encoder forgets: neither side refers to what was not sent.

#include "accounts.hpp"
#include "entry.hpp"

namespace wsolo::inline WSOLO_ABI::detail {

/// The same for a frame that other writers send too: it is encoded once for all peers that can read that form.
template <message_encoder Encoder>
[[nodiscard]] entry* encode_shared(Encoder& encoder, const entry& plain) noexcept {
    const std::size_t form = encoder.shared_form();
    if (form >= shared_frame::forms) return nullptr;
    const header_parse parsed = parse_header(const_bytes(plain.bytes, plain.size));
    const const_bytes message = const_bytes(plain.bytes, plain.size).subspan(parsed.size);
    const shared_frame other = plain.shared().other_form(form, [&]() -> result<shared_frame> {
        errc error = errc::none;
        const auto encode = [&](mutable_bytes to) -> std::size_t {
            const result<std::size_t> size = encoder.deflate_alone(message, to);
            error = size.error();
            return size ? *size : 0;
        };
        result<shared_frame> made =
            make_shared_form({parsed.header.op, true, true}, message.size() - 1, encoder_work_room, encode);
        if (error != errc::none) return error;
        return made;
    });
    if (!other) return nullptr;
    entry* const made = entry::make_shared(other, {});
    if (made != nullptr) encoder.note_sent(message);
    return made;
}

/// An entry to take the place of `plain`; nullptr: it leaves as it is. `growth`: bytes that its frame may have more; `most`: that the
/// payload may have. O(n).
template <message_encoder Encoder>
[[nodiscard]] entry* encode_entry(Encoder& encoder, entry& plain, std::size_t growth,
                                  std::size_t most) noexcept {
    if (plain.where == entry::memory::shared) return encode_shared(encoder, plain);
    const frame_header header = parse_header(const_bytes(plain.bytes, plain.size)).header;
    const mutable_bytes message = plain.writable().last(static_cast<std::size_t>(header.payload_size));
    const std::size_t longest = message.size() + (growth < header_growth ? 0 : growth - header_growth);
    if (header.masked) apply_mask(message, header.key); // where it lies: no other copy of it
    frame_header encoded = header;
    encoded.rsv1 = true;
    const frame_memory made =
        make_frame_memory(sizeof(entry), encoded, most < longest ? most : longest, encoder_work_room,
                          [&](mutable_bytes to) { return encoder.deflate(message, to); });
    if (made.memory != nullptr) return entry::make_in(made.memory, made.size);
    if (made.is_lost) encoder.forget();
    if (header.masked) apply_mask(message, header.key);
    return nullptr;
}

} // namespace wsolo::inline WSOLO_ABI::detail
