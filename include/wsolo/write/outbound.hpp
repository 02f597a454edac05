// SPDX-License-Identifier: MIT
#pragma once
// What can be sent, as a value: pre-built bytes, a text, a binary message, or a reference to a shared frame.
//
// Laws of this file:
// - raw, text and binary are views: the writer encodes (copies) them when it accepts them, and moves from nothing,
//   so a refused item still belongs wholly to the caller.
// - raw is exactly one whole frame of this side, sent as it is; replies and Close travel this way.

#include "../frame/check.hpp"
#include "../frame/header.hpp"
#include "../frame/shared_frame.hpp"

#include <cstdint>
#include <utility>

namespace wsolo::inline WSOLO_ABI {

/// One whole encoded frame. Must outlive the send call only.
struct raw {
    /// Header and payload, as on the wire.
    const_bytes bytes;
};

/// A text message. The caller vouches that it is UTF-8 (RFC 6455 §5.6). Must outlive the send call only.
struct text {
    /// UTF-8.
    std::string_view payload;
};

/// A binary message. Must outlive the send call only.
struct binary {
    /// Any bytes.
    const_bytes payload;
};

/// An encoded frame that other writers send too; queued by reference. Servers only.
struct shared {
    /// Counted: a copy of the reference, not of the bytes.
    shared_frame frame;
};

/// Any of the four: what single_writer::send takes. Made of nothing it is an empty raw, which is refused. A value that is copied;
/// raw, text and binary are views in it, shared is a counted reference. Not a std::variant: to include that costs 60 million
/// instructions of g++ 12, a twentieth of all standard headers that wsolo.hpp brings.
class outbound {
public:
    outbound() noexcept = default;
    outbound(const raw& item) noexcept : bytes_(item.bytes) {}
    outbound(const text& item) noexcept : bytes_(bytes_of(item.payload)), kind_(kind::text) {}
    outbound(const binary& item) noexcept : bytes_(item.payload), kind_(kind::binary) {}
    outbound(shared item) noexcept : shared_(std::move(item)), kind_(kind::shared) {}

    /// Calls `visit` with the item as what it is: a raw, text, binary or shared. All four calls return the same type.
    template <class Visit>
    auto visit(Visit visit) const {
        switch (kind_) {
        case kind::text: return visit(text{text_of(bytes_)});
        case kind::binary: return visit(binary{bytes_});
        case kind::shared: return visit(shared_);
        default: return visit(raw{bytes_});
        }
    }

private:
    enum class kind : std::uint8_t { raw, text, binary, shared };

    const_bytes bytes_;
    wsolo::shared shared_;
    kind kind_ = kind::raw;
};

namespace detail {

/// Whether `bytes`, of which `parsed` is the header, are one whole message or control frame that `Self` may
/// send.
template <role Self>
[[nodiscard]] bool is_one_whole_frame(const header_parse& parsed, const_bytes bytes) noexcept {
    if (parsed.status != parse_status::complete) return false;
    const frame_header& header = parsed.header;
    return check_first_two(bytes[0], bytes[1], peer_of(Self), rsv1_bit) == errc::none &&
           check_length(parsed.length_field, header.payload_size) == errc::none && header.fin &&
           header.op != opcode::continuation && header.payload_size == bytes.size() - parsed.size;
}

} // namespace detail

} // namespace wsolo::inline WSOLO_ABI
