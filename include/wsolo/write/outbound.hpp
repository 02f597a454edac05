#pragma once
// What can be sent, as a value: pre-built bytes, a text, a binary message, or a reference to a shared frame.
//
// Laws of this file:
// - raw, text and binary are views: the writer encodes (copies) them when it accepts, and nothing is moved
//   from, so a rejected item is still wholly the caller's.
// - raw is exactly one whole frame of this side, sent as it is; replies and Close travel this way.

#include "../frame/shared_frame.hpp"

#include <variant>

namespace wsolo::inline WSOLO_ABI {

/// One whole encoded frame. Must outlive the send call only.
struct raw {
    const_bytes bytes;
};

/// A text message. The caller vouches that it is UTF-8 (RFC 6455 §5.6). Must outlive the send call only.
struct text {
    std::string_view payload;
};

/// A binary message. Must outlive the send call only.
struct binary {
    const_bytes payload;
};

/// An encoded frame that other writers send too; queued by reference. Servers only.
struct shared {
    shared_frame frame;
};

/// Any of them: what single_writer::send takes.
using outbound = std::variant<raw, text, binary, shared>;

} // namespace wsolo::inline WSOLO_ABI
