#pragma once
// The status code in an encoded Close frame, masked or not: what the writer remembers of the last frame it takes.
//
// Laws of this file:
// - No judgement: a body without a whole code counts as none (RFC 6455 §7.1.5), any other code is reported as it is.

#include "../../core/bytes.hpp"
#include "../../frame/close_code.hpp"
#include "../../frame/header.hpp"
#include "../../frame/mask.hpp"

namespace wsolo::inline WSOLO_ABI::detail {

/// Precondition: `frame` is one whole Close frame. close_code::no_status when it carries no code.
[[nodiscard]] inline close_code close_code_of(const_bytes frame) noexcept {
    const header_parse parsed = parse_header(frame);
    if (parsed.header.payload_size < 2) return close_code::no_status;
    std::byte code[2] = {frame[parsed.size], frame[parsed.size + 1]};
    if (parsed.header.masked) apply_mask(mutable_bytes(code), parsed.header.key);
    return static_cast<close_code>(load_be16(code));
}

} // namespace wsolo::inline WSOLO_ABI::detail
