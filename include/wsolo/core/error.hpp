// SPDX-License-Identifier: MIT
#pragma once
// One enumerator per violated rule, and one table that says the rest: the sentence, the section, the side to
// blame, what kind of end it is, and the close code that the rule's violation is answered with.
//
// Laws of this file:
// - "Need more bytes" is never an error, and no error is ever also a success: `errc::none` is the only
// non-error.
// - A sentence that a peer or a user reads names the field and the rule.
// - Every enumerator has exactly one row, in the enumerators' order (checked at compile time).

#include "config.hpp"

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace wsolo::inline WSOLO_ABI {

/// The rule that was violated, or the end that something met.
enum class errc : std::uint8_t {
    none,
    // Framing: what a peer's bytes got wrong.
    reserved_bits_set,
    reserved_opcode,
    fragmented_control_frame,
    oversized_control_frame,
    mask_required,
    mask_forbidden,
    non_minimal_length,
    length_high_bit_set,
    unexpected_continuation,
    expected_continuation,
    invalid_utf8,
    close_body_of_one_byte,
    invalid_close_code,
    invalid_close_reason,
    invalid_compressed_data,
    // Limits of ours that a peer exceeded.
    frame_too_big,
    message_too_big,
    too_many_fragments,
    message_timeout,
    rate_exceeded,
    inbox_overflow,
    inbox_overloaded,
    pong_timeout,
    // The opening handshake.
    handshake_invalid_character,
    handshake_invalid_line_end,
    handshake_invalid_start_line,
    handshake_invalid_target,
    handshake_invalid_field_line,
    handshake_obsolete_folding,
    handshake_target_too_long,
    handshake_line_too_long,
    handshake_too_many_headers,
    handshake_too_large,
    handshake_incomplete,
    handshake_method_not_get,
    handshake_http_version,
    handshake_missing_host,
    handshake_duplicate_host,
    handshake_invalid_host,
    handshake_invalid_scheme,
    handshake_missing_upgrade,
    handshake_invalid_upgrade,
    handshake_duplicate_upgrade,
    handshake_missing_connection,
    handshake_invalid_connection,
    handshake_connection_field,
    handshake_missing_key,
    handshake_duplicate_key,
    handshake_invalid_key,
    handshake_unsupported_version,
    handshake_duplicate_version,
    handshake_duplicate_origin,
    handshake_origin_refused,
    handshake_invalid_length,
    handshake_ambiguous_length,
    handshake_unexpected_body,
    handshake_invalid_subprotocol,
    handshake_duplicate_subprotocol,
    handshake_unrequested_subprotocol,
    handshake_invalid_extension,
    handshake_duplicate_extensions,
    handshake_unrequested_extension,
    handshake_invalid_deflate,
    handshake_unexpected_status,
    handshake_duplicate_accept,
    handshake_invalid_accept,
    handshake_timeout,
    // The connection underneath.
    connection_lost,
    write_failed,
    write_timed_out,
    schedule_refused,
    // This side: the caller's arguments, bounds and decisions.
    buffer_too_small,
    invalid_header_field,
    control_payload_too_big,
    payload_too_big,
    raw_frame_malformed,
    out_of_memory,
    entropy_unavailable,
    queue_full,
    too_large,
    closed,
    aborted,
    drain_timed_out,
    dropped_oldest,
    conflated,
    message_open,
    message_unfinished,
    handler_failed,
    cancelled,
    timed_out,
    would_deadlock,
};

/// The side that broke the rule: our own caller, the peer, or the transport between them.
enum class blame : std::uint8_t { nobody, local, remote, transport };

/// What kind of end an errc is; each has one.
enum class error_kind : std::uint8_t {
    none,
    violation, ///< a peer's bytes broke a rule of the protocol
    limit,     ///< a peer kept the protocol's rules and passed a bound, or a policy, of this side
    refusal,   ///< a call of this side was not granted: nothing was taken, nothing has changed
    outcome,   ///< what was under way came to an end: an item was dropped, or a connection is over
};

/// All that the table says of an errc. `close_status` is the status code to send in a Close frame (RFC 6455 §7.4.1), 0
/// where no Close frame can or need be sent. The strings are literals.
struct error_info {
    /// Its name in the code, a sentence for a log, and the section of the RFC that it is about; views of static memory.
    errc code = errc::none;
    std::string_view name;
    std::string_view text;
    std::string_view section;
    /// Which side broke the rule, what kind of code it is, and the Close that answers it (0: none).
    blame who = blame::nobody;
    error_kind kind = error_kind::none;
    std::uint16_t close_status = 0;
};

namespace detail {

/// error_info with plain pointers: a compiler that makes 260 views of them, in every source, takes as long as for a room.
struct error_row {
    errc code;
    const char* name;
    const char* text;
    const char* section;
    blame who;
    error_kind kind;
    std::uint16_t close_status;
};

inline constexpr error_row error_table[] = {
    {errc::none, "none", "no error", "", blame::nobody, error_kind::none, 0},
    {errc::reserved_bits_set, "reserved_bits_set",
     "a reserved bit is set and no extension gives it a meaning", "RFC 6455 §5.2", blame::remote,
     error_kind::violation, 1002},
    {errc::reserved_opcode, "reserved_opcode", "the opcode is reserved", "RFC 6455 §5.2", blame::remote,
     error_kind::violation, 1002},
    {errc::fragmented_control_frame, "fragmented_control_frame", "a control frame is fragmented",
     "RFC 6455 §5.5", blame::remote, error_kind::violation, 1002},
    {errc::oversized_control_frame, "oversized_control_frame", "a control frame's payload exceeds 125 bytes",
     "RFC 6455 §5.5", blame::remote, error_kind::violation, 1002},
    {errc::mask_required, "mask_required", "a client's frame is not masked", "RFC 6455 §5.1", blame::remote,
     error_kind::violation, 1002},
    {errc::mask_forbidden, "mask_forbidden", "a server's frame is masked", "RFC 6455 §5.1", blame::remote,
     error_kind::violation, 1002},
    {errc::non_minimal_length, "non_minimal_length", "the payload length is not in its shortest form",
     "RFC 6455 §5.2", blame::remote, error_kind::violation, 1002},
    {errc::length_high_bit_set, "length_high_bit_set", "the payload length's most significant bit is set",
     "RFC 6455 §5.2", blame::remote, error_kind::violation, 1002},
    {errc::unexpected_continuation, "unexpected_continuation", "a continuation frame continues nothing",
     "RFC 6455 §5.4", blame::remote, error_kind::violation, 1002},
    {errc::expected_continuation, "expected_continuation", "a new message began inside a fragmented one",
     "RFC 6455 §5.4", blame::remote, error_kind::violation, 1002},
    {errc::invalid_utf8, "invalid_utf8", "a text message is not UTF-8", "RFC 6455 §8.1", blame::remote,
     error_kind::violation, 1007},
    {errc::close_body_of_one_byte, "close_body_of_one_byte", "a Close frame's body is a single byte",
     "RFC 6455 §5.5.1", blame::remote, error_kind::violation, 1002},
    {errc::invalid_close_code, "invalid_close_code", "a Close frame's status code may not be sent",
     "RFC 6455 §7.4", blame::remote, error_kind::violation, 1002},
    {errc::invalid_close_reason, "invalid_close_reason", "a Close frame's reason is not UTF-8",
     "RFC 6455 §5.5.1", blame::remote, error_kind::violation, 1007},
    {errc::invalid_compressed_data, "invalid_compressed_data", "a compressed message can't be inflated",
     "RFC 7692 §7.2.2", blame::remote, error_kind::violation, 1007},
    {errc::frame_too_big, "frame_too_big", "a frame exceeds the configured limit", "RFC 6455 §10.4",
     blame::remote, error_kind::limit, 1009},
    {errc::message_too_big, "message_too_big", "a message exceeds the configured limit", "RFC 6455 §10.4",
     blame::remote, error_kind::limit, 1009},
    // 1008 and not 1009: nothing was too big to process, a bound on how a message may be cut was passed.
    {errc::too_many_fragments, "too_many_fragments", "a message has more fragments than the configured limit",
     "RFC 6455 §10.4", blame::remote, error_kind::limit, 1008},
    {errc::message_timeout, "message_timeout", "a message was not complete in time", "RFC 6455 §10.4",
     blame::remote, error_kind::limit, 1008},
    {errc::rate_exceeded, "rate_exceeded",
     "messages, bytes or control frames arrive faster than the configured rate", "RFC 6455 §7.4.1",
     blame::remote, error_kind::limit, 1008},
    {errc::inbox_overflow, "inbox_overflow", "messages arrive faster than they are handled",
     "RFC 6455 §7.4.1", blame::remote, error_kind::limit, 1008},
    {errc::inbox_overloaded, "inbox_overloaded",
     "this side is busy and holds no more messages: try again later", "the IANA registry of RFC 6455 §11.7",
     blame::local, error_kind::limit, 1013},
    {errc::pong_timeout, "pong_timeout", "the peer did not answer in time", "RFC 6455 §5.5.2", blame::remote,
     error_kind::limit, 1011},
    {errc::handshake_invalid_character, "handshake_invalid_character",
     "the handshake holds a control character", "RFC 9110 §5.5", blame::remote, error_kind::violation, 0},
    {errc::handshake_invalid_line_end, "handshake_invalid_line_end",
     "a handshake line holds a CR or LF that is not part of a CR LF pair", "RFC 9112 §2.2", blame::remote,
     error_kind::violation, 0},
    {errc::handshake_invalid_start_line, "handshake_invalid_start_line",
     "the handshake's first line is not a legal request or status line", "RFC 9112 §2.1", blame::remote,
     error_kind::violation, 0},
    {errc::handshake_invalid_target, "handshake_invalid_target",
     "the request's target is neither a path nor an absolute http, https, ws or wss URI", "RFC 6455 §4.2.1",
     blame::remote, error_kind::violation, 0},
    {errc::handshake_invalid_field_line, "handshake_invalid_field_line",
     "a handshake line is not a header field: a token, a colon, a value", "RFC 9112 §5", blame::remote,
     error_kind::violation, 0},
    {errc::handshake_obsolete_folding, "handshake_obsolete_folding",
     "a request's header field is folded over several lines", "RFC 9112 §5.2", blame::remote,
     error_kind::violation, 0},
    {errc::handshake_target_too_long, "handshake_target_too_long",
     "the request's first line exceeds the configured limit", "RFC 9112 §3", blame::remote, error_kind::limit,
     0},
    {errc::handshake_line_too_long, "handshake_line_too_long",
     "a header field line exceeds the configured limit", "RFC 9110 §5.4", blame::remote, error_kind::limit,
     0},
    {errc::handshake_too_many_headers, "handshake_too_many_headers",
     "the handshake has more header fields than the configured limit", "RFC 9110 §5.4", blame::remote,
     error_kind::limit, 0},
    {errc::handshake_too_large, "handshake_too_large", "the handshake exceeds the configured limit",
     "RFC 9110 §5.4", blame::remote, error_kind::limit, 0},
    {errc::handshake_incomplete, "handshake_incomplete", "the connection ended inside the handshake",
     "RFC 9112 §8", blame::remote, error_kind::outcome, 0},
    {errc::handshake_method_not_get, "handshake_method_not_get",
     "the handshake's method is not GET, or not CONNECT over HTTP/2 and HTTP/3", "RFC 6455 §4.2.1",
     blame::remote, error_kind::violation, 0},
    {errc::handshake_http_version, "handshake_http_version", "this HTTP version can't carry a WebSocket",
     "RFC 9110 §2.5", blame::remote, error_kind::violation, 0},
    {errc::handshake_missing_host, "handshake_missing_host", "Host is missing", "RFC 6455 §4.2.1",
     blame::remote, error_kind::violation, 0},
    {errc::handshake_duplicate_host, "handshake_duplicate_host", "Host appears more than once",
     "RFC 9112 §3.2", blame::remote, error_kind::violation, 0},
    {errc::handshake_invalid_host, "handshake_invalid_host",
     "Host is not a host name or address with an optional port", "RFC 9110 §7.2", blame::remote,
     error_kind::violation, 0},
    {errc::handshake_invalid_scheme, "handshake_invalid_scheme", ":scheme is neither http nor https",
     "RFC 8441 §5", blame::remote, error_kind::violation, 0},
    {errc::handshake_missing_upgrade, "handshake_missing_upgrade", "Upgrade lacks \"websocket\"",
     "RFC 6455 §4.2.1", blame::remote, error_kind::violation, 0},
    {errc::handshake_invalid_upgrade, "handshake_invalid_upgrade", "Upgrade is not a list of protocols",
     "RFC 9110 §7.8", blame::remote, error_kind::violation, 0},
    {errc::handshake_duplicate_upgrade, "handshake_duplicate_upgrade",
     "Upgrade appears more than once in an answer", "RFC 6455 §4.1", blame::remote, error_kind::violation, 0},
    {errc::handshake_missing_connection, "handshake_missing_connection", "Connection lacks \"Upgrade\"",
     "RFC 6455 §4.2.1", blame::remote, error_kind::violation, 0},
    {errc::handshake_invalid_connection, "handshake_invalid_connection", "Connection is not a list of tokens",
     "RFC 9110 §7.6.1", blame::remote, error_kind::violation, 0},
    {errc::handshake_connection_field, "handshake_connection_field",
     "Connection, Upgrade, Transfer-Encoding or another field of one connection stands in HTTP/2 or HTTP/3",
     "RFC 9113 §8.2.2", blame::remote, error_kind::violation, 0},
    {errc::handshake_missing_key, "handshake_missing_key", "Sec-WebSocket-Key is missing", "RFC 6455 §4.2.1",
     blame::remote, error_kind::violation, 0},
    {errc::handshake_duplicate_key, "handshake_duplicate_key", "Sec-WebSocket-Key appears more than once",
     "RFC 6455 §11.3.1", blame::remote, error_kind::violation, 0},
    {errc::handshake_invalid_key, "handshake_invalid_key",
     "Sec-WebSocket-Key is not the Base64 form of 16 bytes", "RFC 6455 §4.2.1", blame::remote,
     error_kind::violation, 0},
    {errc::handshake_unsupported_version, "handshake_unsupported_version", "Sec-WebSocket-Version is not 13",
     "RFC 6455 §4.4", blame::remote, error_kind::violation, 0},
    {errc::handshake_duplicate_version, "handshake_duplicate_version",
     "Sec-WebSocket-Version appears more than once", "RFC 6455 §11.3.5", blame::remote, error_kind::violation,
     0},
    {errc::handshake_duplicate_origin, "handshake_duplicate_origin", "Origin appears more than once",
     "RFC 6454 §7.3", blame::remote, error_kind::violation, 0},
    {errc::handshake_origin_refused, "handshake_origin_refused", "Origin is not accepted here",
     "RFC 6455 §10.2", blame::remote, error_kind::limit, 0},
    {errc::handshake_invalid_length, "handshake_invalid_length", "Content-Length is not one number",
     "RFC 9110 §8.6", blame::remote, error_kind::violation, 0},
    {errc::handshake_ambiguous_length, "handshake_ambiguous_length",
     "Transfer-Encoding stands beside Content-Length, or in HTTP/1.0", "RFC 9112 §6.1", blame::remote,
     error_kind::violation, 0},
    {errc::handshake_unexpected_body, "handshake_unexpected_body",
     "Content-Length or Transfer-Encoding announces a body where none is allowed", "RFC 9110 §7.8",
     blame::remote, error_kind::violation, 0},
    {errc::handshake_invalid_subprotocol, "handshake_invalid_subprotocol",
     "Sec-WebSocket-Protocol is not a list of tokens", "RFC 6455 §11.3.4", blame::remote,
     error_kind::violation, 0},
    {errc::handshake_duplicate_subprotocol, "handshake_duplicate_subprotocol",
     "Sec-WebSocket-Protocol appears more than once in an answer", "RFC 6455 §11.3.4", blame::remote,
     error_kind::violation, 0},
    {errc::handshake_unrequested_subprotocol, "handshake_unrequested_subprotocol",
     "Sec-WebSocket-Protocol names a subprotocol that was not offered", "RFC 6455 §4.1", blame::remote,
     error_kind::violation, 0},
    {errc::handshake_invalid_extension, "handshake_invalid_extension",
     "Sec-WebSocket-Extensions is not a list of extensions with their parameters", "RFC 6455 §9.1",
     blame::remote, error_kind::violation, 0},
    {errc::handshake_duplicate_extensions, "handshake_duplicate_extensions",
     "Sec-WebSocket-Extensions appears more than once in an answer", "RFC 6455 §11.3.2", blame::remote,
     error_kind::violation, 0},
    {errc::handshake_unrequested_extension, "handshake_unrequested_extension",
     "Sec-WebSocket-Extensions names an extension that was not offered", "RFC 6455 §4.1", blame::remote,
     error_kind::violation, 0},
    {errc::handshake_invalid_deflate, "handshake_invalid_deflate",
     "the answer's permessage-deflate has parameters that are not legal, or that the offer does not allow",
     "RFC 7692 §5.1", blame::remote, error_kind::violation, 0},
    {errc::handshake_unexpected_status, "handshake_unexpected_status",
     "the server's status is not the one that opens a WebSocket", "RFC 6455 §4.1", blame::remote,
     error_kind::outcome, 0},
    {errc::handshake_duplicate_accept, "handshake_duplicate_accept",
     "Sec-WebSocket-Accept appears more than once", "RFC 6455 §11.3.3", blame::remote, error_kind::violation,
     0},
    {errc::handshake_invalid_accept, "handshake_invalid_accept",
     "Sec-WebSocket-Accept does not answer the key that was sent", "RFC 6455 §4.1", blame::remote,
     error_kind::violation, 0},
    {errc::handshake_timeout, "handshake_timeout", "the handshake did not finish in time", "RFC 9110 §15.5.9",
     blame::remote, error_kind::limit, 0},
    {errc::connection_lost, "connection_lost", "the connection ended without a closing handshake",
     "RFC 6455 §7.1.5", blame::transport, error_kind::outcome, 0},
    {errc::write_failed, "write_failed", "the transport could not write", "RFC 6455 §7.1.7", blame::transport,
     error_kind::outcome, 0},
    {errc::write_timed_out, "write_timed_out", "a write met its deadline", "RFC 6455 §7.1.7",
     blame::transport, error_kind::outcome, 0},
    {errc::schedule_refused, "schedule_refused", "the schedule hook refused: it returned false or threw", "",
     blame::local, error_kind::outcome, 0},
    {errc::buffer_too_small, "buffer_too_small", "the destination is smaller than the frame", "",
     blame::local, error_kind::refusal, 0},
    {errc::invalid_header_field, "invalid_header_field",
     "a header field, host, target or subprotocol to be sent is not legal, or is the library's own to write",
     "RFC 9110 §5.5", blame::local, error_kind::refusal, 0},
    {errc::control_payload_too_big, "control_payload_too_big", "a control payload may have 125 bytes at most",
     "RFC 6455 §5.5", blame::local, error_kind::refusal, 0},
    {errc::payload_too_big, "payload_too_big", "a payload length must stay below 2^63", "RFC 6455 §5.2",
     blame::local, error_kind::refusal, 0},
    {errc::raw_frame_malformed, "raw_frame_malformed", "the raw bytes are not one whole frame of this side",
     "RFC 6455 §5.2", blame::local, error_kind::refusal, 0},
    {errc::out_of_memory, "out_of_memory", "no memory", "", blame::local, error_kind::refusal, 1011},
    {errc::entropy_unavailable, "entropy_unavailable", "the system gave no random bytes", "RFC 6455 §10.3",
     blame::local, error_kind::refusal, 0},
    {errc::queue_full, "queue_full", "the queue's budget is used up", "the IANA registry of RFC 6455 §11.7",
     blame::local, error_kind::refusal, 1013},
    {errc::too_large, "too_large",
     "the message is longer than the configured limit, or alone exceeds the whole budget", "", blame::local,
     error_kind::refusal, 0},
    {errc::closed, "closed", "closed", "RFC 6455 §5.5.1", blame::local, error_kind::refusal, 0},
    {errc::aborted, "aborted", "aborted by this side", "RFC 6455 §7.1.7", blame::local, error_kind::outcome,
     0},
    {errc::drain_timed_out, "drain_timed_out", "the drain met its deadline", "", blame::transport,
     error_kind::outcome, 0},
    {errc::dropped_oldest, "dropped_oldest", "dropped in favour of a newer item", "", blame::local,
     error_kind::outcome, 0},
    {errc::conflated, "conflated", "replaced by a newer item of the same key", "", blame::local,
     error_kind::outcome, 0},
    {errc::message_open, "message_open", "another fragmented message is open", "RFC 6455 §5.4", blame::local,
     error_kind::refusal, 0},
    {errc::message_unfinished, "message_unfinished", "a fragmented message was abandoned", "RFC 6455 §5.4",
     blame::local, error_kind::outcome, 1011},
    {errc::handler_failed, "handler_failed", "the handler of a message threw", "RFC 6455 §7.4.1",
     blame::local, error_kind::outcome, 1011},
    {errc::cancelled, "cancelled", "cancelled by the stop token", "", blame::local, error_kind::refusal, 0},
    {errc::timed_out, "timed_out", "the deadline passed", "", blame::local, error_kind::refusal, 0},
    {errc::would_deadlock, "would_deadlock", "only the waiting thread itself could end this wait", "",
     blame::local, error_kind::refusal, 0},
};

consteval bool error_table_is_in_order() {
    std::size_t row = 0;
    for (const error_row& each : error_table) {
        if (static_cast<std::size_t>(each.code) != row++) return false;
    }
    return row == static_cast<std::size_t>(errc::would_deadlock) + 1;
}
static_assert(error_table_is_in_order(), "give every errc its row, in the order of the enumerators");

[[nodiscard]] constexpr const error_row& row_of(errc code) noexcept {
    return error_table[static_cast<std::size_t>(code)];
}

} // namespace detail

/// All that is said of `code`. O(1), and the lengths of its strings are counted.
[[nodiscard]] constexpr error_info info(errc code) noexcept {
    const detail::error_row& row = detail::row_of(code);
    return {row.code, row.name, row.text, row.section, row.who, row.kind, row.close_status};
}

/// The enumerator's own name, for logs. A literal.
[[nodiscard]] constexpr std::string_view name_of(errc code) noexcept { return detail::row_of(code).name; }
/// One sentence for people. A literal.
[[nodiscard]] constexpr std::string_view to_string(errc code) noexcept { return detail::row_of(code).text; }
/// The section of the RFC that states the rule, or empty. A literal.
[[nodiscard]] constexpr std::string_view section_of(errc code) noexcept {
    return detail::row_of(code).section;
}
/// The side that broke the rule.
[[nodiscard]] constexpr blame blame_of(errc code) noexcept { return detail::row_of(code).who; }

/// Whether the peer broke a rule of the protocol, in a frame or in the handshake.
[[nodiscard]] constexpr bool is_protocol_violation(errc code) noexcept {
    return detail::row_of(code).kind == error_kind::violation;
}
/// Whether the peer passed a bound or a policy of this side; what it sent was legal.
[[nodiscard]] constexpr bool is_limit(errc code) noexcept {
    return detail::row_of(code).kind == error_kind::limit;
}
/// Whether a call was not granted. The data that it was to send still belongs to the caller.
[[nodiscard]] constexpr bool is_refusal(errc code) noexcept {
    return detail::row_of(code).kind == error_kind::refusal;
}
/// Whether the code tells how an accepted item, a wait or a connection ended.
[[nodiscard]] constexpr bool is_outcome(errc code) noexcept {
    return detail::row_of(code).kind == error_kind::outcome;
}

} // namespace wsolo::inline WSOLO_ABI
