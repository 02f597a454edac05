// SPDX-License-Identifier: MIT
#pragma once
// What one side wants of permessage-deflate: what it offers or agrees to, how it compresses, what it takes.
//
// If an attacker can have a text of their own compressed together with a secret, the size of the encrypted result shows how
// much the two have in common (CRIME, BREACH). Don't compress such messages: send those with secrets, or those with text that
// a stranger wrote, uncompressed.

#include <cstdint>

namespace wsolo::inline WSOLO_ABI {

/// Where a sender's memory of its earlier messages lies.
/// shared_compressor: one compressor for each thread, and of each connection the end of what it sent. The best for many
/// connections: 2 KiB each give nearly what a stream of one's own gives.
/// own_stream: a compressor for each connection, 264 KiB each by default. no_takeover: nothing; each message stands alone.
enum class deflate_mode : std::uint8_t { shared_compressor, own_stream, no_takeover };

/// Values. The defaults are for a server of many connections.
///
/// Memory, which writer_limits and read_limits don't count. A connection has none before the first compressed message in a
/// direction. After it, and however long messages are, it has at most
/// - sending: kept_window bytes (shared_compressor); 2^(memory_level + 9) + 2^(window bits + 2) bytes and 8 KiB (own_stream);
///   none (no_takeover). After trim() none.
/// - receiving: the peer's window, 2^(window bits) bytes, and 8 KiB; none where the peer may not refer to its earlier messages.
///   After trim() the window, as far as it was filled.
/// A compressed message has at most writer_limits::max_bytes / 8 + 32 KiB, and at most max_message bytes; one that would have more is
/// sent uncompressed.
/// A thread that writes has as much as an own_stream for each size of window that its connections have agreed on, up to eight.
struct deflate_options {
    /// Where this side's memory of its earlier messages lies.
    deflate_mode mode = deflate_mode::shared_compressor;
    /// shared_compressor: bytes of its latest messages that a connection keeps, at most.
    std::uint32_t kept_window = 2048;
    /// 1 is fast, 9 is small.
    std::uint8_t level = 6;
    /// 1 to 9: the memory of a compressor is 2^(memory_level + 9) + 2^(window bits + 2) bytes.
    std::uint8_t memory_level = 8;
    /// Messages below it, in bytes, are sent as they are.
    std::uint32_t min_size = 256;

    /// This side compresses with 2^bits bytes of window at most, 9 to 15: by it the peer's memory is bounded.
    std::uint8_t send_window_bits = 15;
    /// The peer is asked to compress with 2^bits bytes of window at most, 8 to 15 (RFC 7692 §7.1.2). A server can ask only a
    /// client whose offer allows it; for other clients it uses 15.
    std::uint8_t receive_window_bits = 15;
    /// The peer may refer to its earlier messages (RFC 7692 §7.1.1). False: nothing is held between messages.
    bool receive_takeover = true;
    /// A client's offer says that the server may bound the client's window. Few servers refuse such an offer; without it, and
    /// with the other defaults, the offer is the bare "permessage-deflate".
    bool offer_client_window_bits = true;
};

} // namespace wsolo::inline WSOLO_ABI
