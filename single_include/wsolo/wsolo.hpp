// wsolo 0.1.0: all rooms in one header; adapters lie beside it in adapt/.
// Written by tools/amalgamate.py from include/wsolo: change it there.
//
// MIT License
//
// Copyright (c) 2026 the wsolo authors
//
// Permission is hereby granted, free of charge, to any person obtaining a copy
// of this software and associated documentation files (the "Software"), to deal
// in the Software without restriction, including without limitation the rights
// to use, copy, modify, merge, publish, distribute, sublicense, and/or sell
// copies of the Software, and to permit persons to whom the Software is
// furnished to do so, subject to the following conditions:
//
// The above copyright notice and this permission notice shall be included in all
// copies or substantial portions of the Software.
//
// THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR
// IMPLIED, INCLUDING BUT NOT LIMITED TO THE WARRANTIES OF MERCHANTABILITY,
// FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE
// AUTHORS OR COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER
// LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR OTHERWISE, ARISING FROM,
// OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE
// SOFTWARE.

#if defined(WSOLO_VERSION_MAJOR) && !defined(WSOLO_SINGLE_HEADER)
#error "wsolo: this translation unit already has wsolo's separate headers; use those or the single header, not both"
#endif
#if defined(WSOLO_SINGLE_HEADER) && \
    (WSOLO_VERSION_MAJOR != 0 || WSOLO_VERSION_MINOR != 1 || WSOLO_VERSION_PATCH != 0)
#error "wsolo: two versions of the single header in one translation unit; remove the include of one of them"
#endif

#ifndef WSOLO_SINGLE_HEADER
#define WSOLO_SINGLE_HEADER 1

#include <array>
#include <atomic>
#include <chrono>
#include <concepts>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

// ---- wsolo/version.hpp
// The one place that holds the version. CMake, Conan, the single header and the inline namespace read it
// here. Both copies of a process may differ: the inline namespace of core/config.hpp keeps their symbols
// apart.

#define WSOLO_VERSION_MAJOR 0
#define WSOLO_VERSION_MINOR 1
#define WSOLO_VERSION_PATCH 0

// ---- wsolo/core/config.hpp
// What the build decides: the ABI tag, the assertion macro, whether exceptions exist.
//
// Laws of this file:
// - Everything that changes generated code is part of the inline namespace's name, so that two translation
// units
//   (or two vendored copies) with different settings link together and never share a function.
// - A caller's bug meets WSOLO_ASSERT with a sentence that names the mistake; bad input from a peer never
// does.

/// WSOLO_ENABLE_ASSERTS: 1 checks callers' contracts and aborts with a sentence, 0 removes the checks.
/// Default: 1 unless NDEBUG is defined. Define it (to 0 or 1) before the first include to choose.
#if !defined(WSOLO_ENABLE_ASSERTS)
#if defined(NDEBUG)
#define WSOLO_ENABLE_ASSERTS 0
#else
#define WSOLO_ENABLE_ASSERTS 1
#endif
#endif

#if defined(__cpp_exceptions)
#define WSOLO_HAS_EXCEPTIONS 1
#else
#define WSOLO_HAS_EXCEPTIONS 0
#endif

// The widest vector unit that the compiler may use everywhere; wider ones are chosen at run time
// (frame/mask.hpp).
#if defined(__AVX512BW__) && defined(__AVX512VL__)
#define WSOLO_ISA avx512
#elif defined(__AVX2__)
#define WSOLO_ISA avx2
#elif defined(__SSE2__) || defined(_M_X64)
#define WSOLO_ISA sse2
#elif defined(__ARM_NEON)
#define WSOLO_ISA neon
#else
#define WSOLO_ISA plain
#endif

#if WSOLO_ENABLE_ASSERTS
#define WSOLO_ABI_ASSERTS checked
#else
#define WSOLO_ABI_ASSERTS unchecked
#endif

#if WSOLO_HAS_EXCEPTIONS
#define WSOLO_ABI_EXCEPTIONS exc
#else
#define WSOLO_ABI_EXCEPTIONS noexc
#endif

#define WSOLO_JOIN_ABI(major, minor, patch, asserts, exceptions, isa)                                        \
    v##major##_##minor##_##patch##_##asserts##_##exceptions##_##isa
#define WSOLO_MAKE_ABI(major, minor, patch, asserts, exceptions, isa)                                        \
    WSOLO_JOIN_ABI(major, minor, patch, asserts, exceptions, isa)

/// The inline namespace that everything lives in: `namespace wsolo::inline WSOLO_ABI { ... }`.
#define WSOLO_ABI                                                                                            \
    WSOLO_MAKE_ABI(WSOLO_VERSION_MAJOR, WSOLO_VERSION_MINOR, WSOLO_VERSION_PATCH, WSOLO_ABI_ASSERTS,         \
                   WSOLO_ABI_EXCEPTIONS, WSOLO_ISA)

namespace wsolo::inline WSOLO_ABI {

/// The library's version, for logs and for consumers' static_asserts.
inline constexpr int version_major = WSOLO_VERSION_MAJOR;
inline constexpr int version_minor = WSOLO_VERSION_MINOR;
inline constexpr int version_patch = WSOLO_VERSION_PATCH;

namespace detail {

[[noreturn]] inline void assertion_failed(const char* condition, const char* sentence, const char* file,
                                          int line) noexcept {
    std::fprintf(stderr, "wsolo: %s\n  (%s, at %s:%d)\n", sentence, condition, file, line);
    std::abort();
}

} // namespace detail
} // namespace wsolo::inline WSOLO_ABI

/// WSOLO_ASSERT(condition, sentence): the caller's contract, checked where WSOLO_ENABLE_ASSERTS is 1.
#if WSOLO_ENABLE_ASSERTS
#define WSOLO_ASSERT(condition, sentence)                                                                    \
    ((condition) ? static_cast<void>(0)                                                                      \
                 : ::wsolo::detail::assertion_failed(#condition, sentence, __FILE__, __LINE__))
#else
#define WSOLO_ASSERT(condition, sentence) static_cast<void>(0)
#endif

// ---- wsolo/core/bytes.hpp
// Words for bytes: the span types, network byte order, and the step between text and bytes.
//
// Laws of this file:
// - A span is a view: it owns nothing, and whoever hands one out says how long it lives.
// - Words are read and written by shifts or memcpy, never through a cast pointer.

namespace wsolo::inline WSOLO_ABI {

/// A view of bytes that are only read.
using const_bytes = std::span<const std::byte>;
/// A view of bytes that may be changed in place.
using mutable_bytes = std::span<std::byte>;

/// The bytes of a text. The view lives as long as the text's storage.
[[nodiscard]] inline const_bytes bytes_of(std::string_view text) noexcept {
    return {reinterpret_cast<const std::byte*>(text.data()), text.size()};
}

/// The same bytes as characters, unchecked. The view lives as long as the bytes.
[[nodiscard]] inline std::string_view text_of(const_bytes bytes) noexcept {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

/// Unsigned integers in network byte order (RFC 6455 §5.2). `from` and `to` have at least 2 or 8 bytes.
[[nodiscard]] constexpr std::uint16_t load_be16(const std::byte* from) noexcept {
    return static_cast<std::uint16_t>(std::to_integer<unsigned>(from[0]) << 8 |
                                      std::to_integer<unsigned>(from[1]));
}

[[nodiscard]] constexpr std::uint64_t load_be64(const std::byte* from) noexcept {
    std::uint64_t value = 0;
    for (int i = 0; i < 8; ++i) value = value << 8 | std::to_integer<std::uint64_t>(from[i]);
    return value;
}

constexpr void store_be16(std::byte* to, std::uint16_t value) noexcept {
    to[0] = static_cast<std::byte>(value >> 8);
    to[1] = static_cast<std::byte>(value);
}

constexpr void store_be64(std::byte* to, std::uint64_t value) noexcept {
    for (int i = 0; i < 8; ++i) to[i] = static_cast<std::byte>(value >> (56 - 8 * i));
}

} // namespace wsolo::inline WSOLO_ABI

// ---- wsolo/core/byte_buffer.hpp
// A growable array of bytes that does not zero what it is about to overwrite, and answers "no memory" by a
// bool.
//
// Laws of this file:
// - Capacity follows bytes that arrived or are being written now, never a length that a peer announced.
// - Growth is geometric, so appending n bytes costs O(n) in all; a failed growth leaves the contents as they
// were.

namespace wsolo::inline WSOLO_ABI {

/// Owns its bytes; movable, not copyable. Not thread-safe. Nothing here throws.
class byte_buffer {
public:
    byte_buffer() = default;
    byte_buffer(const byte_buffer&) = delete;
    byte_buffer& operator=(const byte_buffer&) = delete;
    byte_buffer(byte_buffer&& other) noexcept
        : data_(std::exchange(other.data_, nullptr)),
          size_(std::exchange(other.size_, 0)),
          capacity_(std::exchange(other.capacity_, 0)) {}
    byte_buffer& operator=(byte_buffer&& other) noexcept {
        byte_buffer taken(std::move(other));
        swap(taken);
        return *this;
    }
    ~byte_buffer() { std::free(data_); }

    void swap(byte_buffer& other) noexcept {
        std::swap(data_, other.data_);
        std::swap(size_, other.size_);
        std::swap(capacity_, other.capacity_);
    }

    [[nodiscard]] std::byte* data() noexcept { return data_; }
    [[nodiscard]] const std::byte* data() const noexcept { return data_; }
    [[nodiscard]] std::size_t size() const noexcept { return size_; }
    [[nodiscard]] std::size_t capacity() const noexcept { return capacity_; }
    [[nodiscard]] bool empty() const noexcept { return size_ == 0; }
    /// The contents. Valid until the next non-const call.
    [[nodiscard]] const_bytes view() const noexcept { return {data_, size_}; }
    [[nodiscard]] mutable_bytes view() noexcept { return {data_, size_}; }

    /// Room for `capacity` bytes in all. False when there is no memory; the contents stay. O(size) when it
    /// grows.
    [[nodiscard]] bool reserve(std::size_t capacity) noexcept {
        if (capacity <= capacity_) return true;
        void* grown = std::realloc(data_, capacity);
        if (grown == nullptr) return false;
        data_ = static_cast<std::byte*>(grown);
        capacity_ = capacity;
        return true;
    }

    /// Lengthens by `count` bytes of unspecified value and returns where they start; nullptr when there is no
    /// memory.
    [[nodiscard]] std::byte* extend(std::size_t count) noexcept {
        if (count > capacity_ - size_ && !grow(count)) return nullptr;
        std::byte* tail = data_ + size_;
        size_ += count;
        return tail;
    }

    /// Copies `bytes` behind the contents. False when there is no memory; the contents stay.
    [[nodiscard]] bool append(const_bytes bytes) noexcept {
        if (bytes.empty()) return true;
        std::byte* tail = extend(bytes.size());
        if (tail == nullptr) return false;
        std::memcpy(tail, bytes.data(), bytes.size());
        return true;
    }

    /// Shortens to `size` bytes, which must not exceed size(). Keeps the capacity.
    void truncate(std::size_t size) noexcept {
        WSOLO_ASSERT(size <= size_, "byte_buffer::truncate can only shorten");
        size_ = size;
    }

    /// Forgets the contents, keeps the capacity.
    void clear() noexcept { size_ = 0; }

    /// Forgets the contents and gives the memory back.
    void release() noexcept {
        std::free(std::exchange(data_, nullptr));
        size_ = capacity_ = 0;
    }

private:
    bool grow(std::size_t count) noexcept {
        if (count > max_size - size_) return false;
        const std::size_t needed = size_ + count;
        const std::size_t doubled = capacity_ > max_size / 2 ? max_size : capacity_ * 2;
        std::size_t target = doubled > needed ? doubled : needed;
        if (target < min_capacity) target = min_capacity;
        return reserve(target) || reserve(needed);
    }

    static constexpr std::size_t max_size = static_cast<std::size_t>(-1) / 2;
    static constexpr std::size_t min_capacity = 64;

    std::byte* data_ = nullptr;
    std::size_t size_ = 0;
    std::size_t capacity_ = 0;
};

} // namespace wsolo::inline WSOLO_ABI

// ---- wsolo/core/error.hpp
// One enumerator per violated rule, and one table that says the rest: the sentence, the section, who is to
// blame, and the close code that the rule's violation is answered with.
//
// Laws of this file:
// - "Need more bytes" is never an error, and no error is ever also a success: `errc::none` is the only
// non-error.
// - Every enumerator has exactly one row, in the enumerators' order (checked at compile time).

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
    // Limits of ours that a peer exceeded.
    frame_too_big,
    message_too_big,
    too_many_fragments,
    inbox_overflow,
    pong_timeout,
    // The opening handshake.
    handshake_malformed,
    handshake_line_too_long,
    handshake_too_many_headers,
    handshake_too_large,
    handshake_method_not_get,
    handshake_http_version,
    handshake_missing_host,
    handshake_missing_upgrade,
    handshake_missing_connection,
    handshake_missing_key,
    handshake_invalid_key,
    handshake_unsupported_version,
    handshake_duplicate_header,
    handshake_unexpected_body,
    handshake_origin_refused,
    handshake_unexpected_status,
    handshake_invalid_accept,
    handshake_unrequested_subprotocol,
    handshake_unrequested_extension,
    handshake_timeout,
    // The connection underneath.
    connection_lost,
    write_failed,
    write_timed_out,
    schedule_refused,
    // This side: the caller's arguments, bounds and decisions.
    buffer_too_small,
    control_payload_too_big,
    payload_too_big,
    out_of_memory,
    entropy_unavailable,
    queue_full,
    too_large,
    closed,
    aborted,
    drain_timed_out,
    dropped_oldest,
    conflated,
    message_unfinished,
    superseded,
    cancelled,
    timed_out,
    would_deadlock,
};

/// Who broke the rule: our own caller, the peer, or the transport between them.
enum class blame : std::uint8_t { nobody, local, remote, transport };

/// What is known of an errc. `close_status` is the status code to send in a Close frame (RFC 6455 §7.4.1), 0
/// where no Close frame can or need be sent. The strings are literals.
struct error_info {
    errc code = errc::none;
    std::string_view name;
    std::string_view text;
    std::string_view section;
    blame who = blame::nobody;
    std::uint16_t close_status = 0;
};

namespace detail {

inline constexpr error_info error_table[] = {
    {errc::none, "none", "no error", "", blame::nobody, 0},

    {errc::reserved_bits_set, "reserved_bits_set",
     "a reserved bit is set and no extension gives it a meaning", "RFC 6455 §5.2", blame::remote, 1002},
    {errc::reserved_opcode, "reserved_opcode", "the opcode is reserved", "RFC 6455 §5.2", blame::remote,
     1002},
    {errc::fragmented_control_frame, "fragmented_control_frame", "a control frame is fragmented",
     "RFC 6455 §5.5", blame::remote, 1002},
    {errc::oversized_control_frame, "oversized_control_frame", "a control frame's payload exceeds 125 bytes",
     "RFC 6455 §5.5", blame::remote, 1002},
    {errc::mask_required, "mask_required", "a client's frame is not masked", "RFC 6455 §5.1", blame::remote,
     1002},
    {errc::mask_forbidden, "mask_forbidden", "a server's frame is masked", "RFC 6455 §5.1", blame::remote,
     1002},
    {errc::non_minimal_length, "non_minimal_length", "the payload length is not in its shortest form",
     "RFC 6455 §5.2", blame::remote, 1002},
    {errc::length_high_bit_set, "length_high_bit_set", "the payload length's most significant bit is set",
     "RFC 6455 §5.2", blame::remote, 1002},
    {errc::unexpected_continuation, "unexpected_continuation", "a continuation frame continues nothing",
     "RFC 6455 §5.4", blame::remote, 1002},
    {errc::expected_continuation, "expected_continuation", "a new message began inside a fragmented one",
     "RFC 6455 §5.4", blame::remote, 1002},
    {errc::invalid_utf8, "invalid_utf8", "a text message is not UTF-8", "RFC 6455 §8.1", blame::remote, 1007},
    {errc::close_body_of_one_byte, "close_body_of_one_byte", "a Close frame's body is a single byte",
     "RFC 6455 §5.5.1", blame::remote, 1002},
    {errc::invalid_close_code, "invalid_close_code", "a Close frame's status code may not be sent",
     "RFC 6455 §7.4", blame::remote, 1002},
    {errc::invalid_close_reason, "invalid_close_reason", "a Close frame's reason is not UTF-8",
     "RFC 6455 §5.5.1", blame::remote, 1007},

    {errc::frame_too_big, "frame_too_big", "a frame exceeds the configured limit", "RFC 6455 §10.4",
     blame::remote, 1009},
    {errc::message_too_big, "message_too_big", "a message exceeds the configured limit", "RFC 6455 §10.4",
     blame::remote, 1009},
    {errc::too_many_fragments, "too_many_fragments", "a message has more fragments than the configured limit",
     "RFC 6455 §10.4", blame::remote, 1008},
    {errc::inbox_overflow, "inbox_overflow", "messages arrive faster than they are handled",
     "RFC 6455 §7.4.1", blame::remote, 1008},
    {errc::pong_timeout, "pong_timeout", "the peer did not answer in time", "RFC 6455 §5.5.2", blame::remote,
     1011},

    {errc::handshake_malformed, "handshake_malformed", "the handshake is not well-formed HTTP",
     "RFC 6455 §4.2.1", blame::remote, 0},
    {errc::handshake_line_too_long, "handshake_line_too_long",
     "a handshake line exceeds the configured limit", "RFC 9112 §3", blame::remote, 0},
    {errc::handshake_too_many_headers, "handshake_too_many_headers",
     "the handshake has more header fields than the configured limit", "RFC 9110 §5.4", blame::remote, 0},
    {errc::handshake_too_large, "handshake_too_large", "the handshake exceeds the configured limit",
     "RFC 9110 §5.4", blame::remote, 0},
    {errc::handshake_method_not_get, "handshake_method_not_get", "the handshake's method is not GET",
     "RFC 6455 §4.1", blame::remote, 0},
    {errc::handshake_http_version, "handshake_http_version", "the handshake's HTTP version is below 1.1",
     "RFC 6455 §4.1", blame::remote, 0},
    {errc::handshake_missing_host, "handshake_missing_host", "the handshake has no Host", "RFC 6455 §4.2.1",
     blame::remote, 0},
    {errc::handshake_missing_upgrade, "handshake_missing_upgrade", "the Upgrade header lacks \"websocket\"",
     "RFC 6455 §4.2.1", blame::remote, 0},
    {errc::handshake_missing_connection, "handshake_missing_connection",
     "the Connection header lacks \"Upgrade\"", "RFC 6455 §4.2.1", blame::remote, 0},
    {errc::handshake_missing_key, "handshake_missing_key", "the handshake has no Sec-WebSocket-Key",
     "RFC 6455 §4.2.1", blame::remote, 0},
    {errc::handshake_invalid_key, "handshake_invalid_key",
     "Sec-WebSocket-Key is not the Base64 form of 16 bytes", "RFC 6455 §4.2.1", blame::remote, 0},
    {errc::handshake_unsupported_version, "handshake_unsupported_version", "Sec-WebSocket-Version is not 13",
     "RFC 6455 §4.4", blame::remote, 0},
    {errc::handshake_duplicate_header, "handshake_duplicate_header",
     "a header field that must be single appears twice", "RFC 6455 §11.3", blame::remote, 0},
    {errc::handshake_unexpected_body, "handshake_unexpected_body", "the handshake announces a body",
     "RFC 6455 §4.1", blame::remote, 0},
    {errc::handshake_origin_refused, "handshake_origin_refused", "the Origin is not accepted here",
     "RFC 6455 §10.2", blame::remote, 0},
    {errc::handshake_unexpected_status, "handshake_unexpected_status", "the server's status is not 101",
     "RFC 6455 §4.1", blame::remote, 0},
    {errc::handshake_invalid_accept, "handshake_invalid_accept",
     "Sec-WebSocket-Accept does not answer the key that was sent", "RFC 6455 §4.1", blame::remote, 0},
    {errc::handshake_unrequested_subprotocol, "handshake_unrequested_subprotocol",
     "the server chose a subprotocol that was not offered", "RFC 6455 §4.1", blame::remote, 0},
    {errc::handshake_unrequested_extension, "handshake_unrequested_extension",
     "the server chose an extension that was not offered", "RFC 6455 §4.1", blame::remote, 0},
    {errc::handshake_timeout, "handshake_timeout", "the handshake did not finish in time", "RFC 6455 §10.4",
     blame::remote, 0},

    {errc::connection_lost, "connection_lost", "the connection ended without a closing handshake",
     "RFC 6455 §7.1.5", blame::transport, 0},
    {errc::write_failed, "write_failed", "the transport could not write", "RFC 6455 §7.1.7", blame::transport,
     0},
    {errc::write_timed_out, "write_timed_out", "a write met its deadline", "RFC 6455 §7.1.7",
     blame::transport, 0},
    {errc::schedule_refused, "schedule_refused", "the schedule hook refused to drive the writer", "",
     blame::local, 0},

    {errc::buffer_too_small, "buffer_too_small", "the destination is smaller than the frame", "",
     blame::local, 0},
    {errc::control_payload_too_big, "control_payload_too_big", "a control payload may have 125 bytes at most",
     "RFC 6455 §5.5", blame::local, 0},
    {errc::payload_too_big, "payload_too_big", "a payload length must stay below 2^63", "RFC 6455 §5.2",
     blame::local, 0},
    {errc::out_of_memory, "out_of_memory", "no memory", "", blame::local, 1011},
    {errc::entropy_unavailable, "entropy_unavailable", "the system gave no random bytes", "RFC 6455 §10.3",
     blame::local, 0},
    {errc::queue_full, "queue_full", "the queue's budget is used up", "", blame::local, 0},
    {errc::too_large, "too_large", "the item alone exceeds the whole budget", "", blame::local, 0},
    {errc::closed, "closed", "closed", "RFC 6455 §5.5.1", blame::local, 0},
    {errc::aborted, "aborted", "aborted by this side", "RFC 6455 §7.1.7", blame::local, 0},
    {errc::drain_timed_out, "drain_timed_out", "the drain met its deadline", "", blame::transport, 0},
    {errc::dropped_oldest, "dropped_oldest", "dropped in favour of a newer item", "", blame::local, 0},
    {errc::conflated, "conflated", "replaced by a newer item of the same key", "", blame::local, 0},
    {errc::message_unfinished, "message_unfinished", "a fragmented message was abandoned", "RFC 6455 §5.4",
     blame::local, 1011},
    {errc::superseded, "superseded", "a newer PING's answer replaced this one", "RFC 6455 §5.5.3",
     blame::local, 0},
    {errc::cancelled, "cancelled", "cancelled by the stop token", "", blame::local, 0},
    {errc::timed_out, "timed_out", "the deadline passed", "", blame::local, 0},
    {errc::would_deadlock, "would_deadlock", "waiting here would wait for this very caller", "", blame::local,
     0},
};

consteval bool error_table_is_in_order() {
    std::size_t row = 0;
    for (const error_info& info : error_table) {
        if (static_cast<std::size_t>(info.code) != row++) return false;
    }
    return row == static_cast<std::size_t>(errc::would_deadlock) + 1;
}
static_assert(error_table_is_in_order(), "give every errc its row, in the order of the enumerators");

} // namespace detail

/// The row of `code`. O(1).
[[nodiscard]] constexpr const error_info& info(errc code) noexcept {
    return detail::error_table[static_cast<std::size_t>(code)];
}

/// The enumerator's own name, for logs.
[[nodiscard]] constexpr std::string_view name_of(errc code) noexcept { return info(code).name; }
/// One sentence for people.
[[nodiscard]] constexpr std::string_view to_string(errc code) noexcept { return info(code).text; }
/// The section of the RFC that states the rule, or empty.
[[nodiscard]] constexpr std::string_view section_of(errc code) noexcept { return info(code).section; }
/// Who broke the rule.
[[nodiscard]] constexpr blame blame_of(errc code) noexcept { return info(code).who; }

} // namespace wsolo::inline WSOLO_ABI

// ---- wsolo/core/error_category.hpp
// errc as a std::error_code: for callers whose errors already travel that way.

namespace wsolo::inline WSOLO_ABI {

namespace detail {

class error_category_type final : public std::error_category {
public:
    [[nodiscard]] const char* name() const noexcept override { return "wsolo"; }
    [[nodiscard]] std::string message(int value) const override {
        const bool known = value >= 0 && value <= static_cast<int>(errc::would_deadlock);
        return std::string(known ? to_string(static_cast<errc>(value))
                                 : std::string_view("unknown wsolo error"));
    }
};

} // namespace detail

/// The category of every errc. One object for the whole process (per version and configuration).
[[nodiscard]] inline const std::error_category& error_category() noexcept {
    static const detail::error_category_type category;
    return category;
}

/// Found by argument-dependent lookup: `std::error_code code = wsolo::errc::closed;`.
[[nodiscard]] inline std::error_code make_error_code(errc code) noexcept {
    return {static_cast<int>(code), error_category()};
}

} // namespace wsolo::inline WSOLO_ABI

template <>
struct std::is_error_code_enum<wsolo::errc> : std::true_type {};

// ---- wsolo/core/result.hpp
// A value or the errc that stands in its place. std::expected is C++23; this is the part of it that wsolo
// needs.

namespace wsolo::inline WSOLO_ABI {

/// Either a T or an error, never both. T is default-constructible (views, sizes, small values).
template <class T>
class [[nodiscard]] result {
public:
    constexpr result(T value) noexcept : value_(std::move(value)) {}
    constexpr result(errc error) noexcept : error_(error) {
        WSOLO_ASSERT(error != errc::none, "a result without a value needs an error");
    }

    [[nodiscard]] constexpr bool has_value() const noexcept { return error_ == errc::none; }
    [[nodiscard]] constexpr explicit operator bool() const noexcept { return has_value(); }

    /// errc::none exactly when there is a value.
    [[nodiscard]] constexpr errc error() const noexcept { return error_; }

    /// The value. Precondition: has_value().
    [[nodiscard]] constexpr T& value() & noexcept { return checked(); }
    [[nodiscard]] constexpr T&& value() && noexcept { return std::move(checked()); }
    [[nodiscard]] constexpr const T& value() const& noexcept {
        WSOLO_ASSERT(has_value(), "result::value() of an error: test the result first");
        return value_;
    }
    [[nodiscard]] constexpr T& operator*() & noexcept { return checked(); }
    [[nodiscard]] constexpr T&& operator*() && noexcept { return std::move(checked()); }
    [[nodiscard]] constexpr const T& operator*() const& noexcept { return value(); }
    [[nodiscard]] constexpr T* operator->() noexcept { return &checked(); }
    [[nodiscard]] constexpr const T* operator->() const noexcept { return &value(); }

private:
    constexpr T& checked() noexcept {
        WSOLO_ASSERT(has_value(), "result::value() of an error: test the result first");
        return value_;
    }

    T value_{};
    errc error_ = errc::none;
};

} // namespace wsolo::inline WSOLO_ABI

// ---- wsolo/core/random.hpp
// Where masking keys come from. The peer's scripts must not be able to predict them (RFC 6455 §5.3, §10.3),
// so the provided source is a ChaCha20 generator seeded by the system, and there is no weaker default.
//
// Laws of this file:
// - Randomness is an argument: whoever masks is handed a key source.
// - A block of keystream is used once and wiped as it is handed out; the generator's key is replaced at every
// refill,
//   so that a later look at the memory does not reveal earlier keys ("fast key erasure").
// - After fork() parent and child hold the same state: the child calls reseed(), or makes a source of its
// own.

#if defined(__has_include)
#if __has_include(<sys/random.h>)
#include <sys/random.h>
#define WSOLO_HAS_SYS_RANDOM 1
#endif
#endif
#if !defined(WSOLO_HAS_SYS_RANDOM)
#include <random>
#endif

namespace wsolo::inline WSOLO_ABI {

/// The four bytes that a client's payload is XORed with, in wire order (RFC 6455 §5.3).
struct masking_key {
    std::array<std::byte, 4> bytes{};
    friend constexpr bool operator==(const masking_key&, const masking_key&) noexcept = default;
};

/// Anything that yields a fresh, unpredictable key per call.
template <class Source>
concept key_source = requires(Source& source) {
    { source.next_key() } noexcept -> std::same_as<masking_key>;
};

/// Fills `to` from the operating system's generator. errc::entropy_unavailable when it has none to give. May
/// make system calls; blocks only while the system has not been seeded yet (early boot).
[[nodiscard]] inline errc system_random(mutable_bytes to) noexcept {
#if defined(WSOLO_HAS_SYS_RANDOM)
    while (!to.empty()) { // getentropy gives 256 bytes at most
        const std::size_t count = to.size() < 256 ? to.size() : 256;
        if (::getentropy(to.data(), count) != 0) return errc::entropy_unavailable;
        to = to.subspan(count);
    }
    return errc::none;
#else
#if WSOLO_HAS_EXCEPTIONS
    try {
#endif
        std::random_device device;
        for (std::byte& byte : to) byte = static_cast<std::byte>(device());
        return errc::none;
#if WSOLO_HAS_EXCEPTIONS
    } catch (...) {
        return errc::entropy_unavailable;
    }
#endif
#endif
}

/// The provided key source: buffered ChaCha20. 1 KiB of state, no heap. Not thread-safe: one per thread or
/// connection. A key costs a few nanoseconds; a refill (every 248 keys) costs one ChaCha20 pass and no system
/// call.
class random_keys {
public:
    /// 32 bytes of seed, for instance from system_random(). Equal seeds give equal keys: only tests repeat
    /// one.
    explicit random_keys(std::span<const std::byte, 32> seed) noexcept { reseed(seed); }

    /// Seeded from the system. Aborts when the system has no entropy to give: a client must not mask
    /// predictably, and there is nothing sensible to mask with instead. To handle it, take 32 bytes from
    /// system_random() yourself.
    random_keys() noexcept {
        if (reseed() != errc::none) {
            detail::assertion_failed("reseed()", "the system gave no random bytes", __FILE__, __LINE__);
        }
    }

    /// Replaces the whole state; what was buffered is forgotten.
    void reseed(std::span<const std::byte, 32> seed) noexcept {
        for (std::size_t i = 0; i < 8; ++i) std::memcpy(&key_[i], seed.data() + 4 * i, 4);
        wipe(buffer_.data(), buffer_.size());
        used_ = buffer_.size();
    }

    /// The same from the system. On errc::entropy_unavailable the state is unchanged.
    [[nodiscard]] errc reseed() noexcept {
        std::array<std::byte, 32> seed;
        const errc error = system_random(seed);
        if (error == errc::none) reseed(std::span<const std::byte, 32>(seed));
        wipe(seed.data(), seed.size());
        return error;
    }

    [[nodiscard]] masking_key next_key() noexcept {
        masking_key key;
        fill(key.bytes);
        return key;
    }

    /// Any number of bytes of the stream (a handshake's nonce takes 16).
    void fill(mutable_bytes to) noexcept {
        for (std::size_t done = 0; done < to.size();) {
            if (used_ == buffer_.size()) refill();
            std::size_t count = buffer_.size() - used_;
            if (count > to.size() - done) count = to.size() - done;
            std::memcpy(to.data() + done, buffer_.data() + used_, count);
            wipe(buffer_.data() + used_, count);
            used_ += count;
            done += count;
        }
    }

private:
    static constexpr std::size_t block_size = 64;
    static constexpr std::size_t block_count = 16;

    static void wipe(std::byte* at, std::size_t count) noexcept { std::memset(at, 0, count); }

    static constexpr std::uint32_t rotate(std::uint32_t value, int by) noexcept {
        return value << by | value >> (32 - by);
    }

    static constexpr void quarter_round(std::uint32_t& a, std::uint32_t& b, std::uint32_t& c,
                                        std::uint32_t& d) noexcept {
        a += b;
        d = rotate(d ^ a, 16);
        c += d;
        b = rotate(b ^ c, 12);
        a += b;
        d = rotate(d ^ a, 8);
        c += d;
        b = rotate(b ^ c, 7);
    }

    /// One ChaCha20 block (RFC 8439 §2.3) with a zero nonce: the key changes with every refill instead.
    void block(std::uint32_t counter, std::byte* to) const noexcept {
        std::array<std::uint32_t, 16> input{0x61707865, 0x3320646e, 0x79622d32, 0x6b206574};
        for (std::size_t i = 0; i < 8; ++i) input[4 + i] = key_[i];
        input[12] = counter;
        std::array<std::uint32_t, 16> x = input;
        for (int round = 0; round < 10; ++round) {
            quarter_round(x[0], x[4], x[8], x[12]);
            quarter_round(x[1], x[5], x[9], x[13]);
            quarter_round(x[2], x[6], x[10], x[14]);
            quarter_round(x[3], x[7], x[11], x[15]);
            quarter_round(x[0], x[5], x[10], x[15]);
            quarter_round(x[1], x[6], x[11], x[12]);
            quarter_round(x[2], x[7], x[8], x[13]);
            quarter_round(x[3], x[4], x[9], x[14]);
        }
        for (std::size_t i = 0; i < 16; ++i) {
            const std::uint32_t word = x[i] + input[i];
            std::memcpy(to + 4 * i, &word, 4);
        }
    }

    void refill() noexcept {
        for (std::uint32_t i = 0; i < block_count; ++i) block(i, buffer_.data() + i * block_size);
        for (std::size_t i = 0; i < 8; ++i) std::memcpy(&key_[i], buffer_.data() + 4 * i, 4);
        wipe(buffer_.data(), 32);
        used_ = 32;
    }

    std::array<std::uint32_t, 8> key_{};
    std::array<std::byte, block_size * block_count> buffer_{};
    std::size_t used_ = 0;
};

} // namespace wsolo::inline WSOLO_ABI

// ---- wsolo/core/role.hpp
// The two ends of a connection. A frame's masking depends on who sends it, so the role is a template argument
// wherever bytes are made or judged: a server that masks does not compile into existence.

namespace wsolo::inline WSOLO_ABI {

/// Which end of the connection this process is (RFC 6455 §1.2). Clients mask, servers do not (§5.1).
enum class role : std::uint8_t { server, client };

/// The other end.
[[nodiscard]] constexpr role peer_of(role self) noexcept {
    return self == role::server ? role::client : role::server;
}

/// Whether frames that `sender` sends carry a masking key (RFC 6455 §5.1).
[[nodiscard]] constexpr bool masks(role sender) noexcept { return sender == role::client; }

} // namespace wsolo::inline WSOLO_ABI

// ---- wsolo/sync/traits.hpp
// The seam through which concurrent code reaches atomics, time and the scheduler.
//
// Laws of this file:
// - Every concurrent type takes a Traits argument and touches no std::atomic, clock or lock but through it,
// so that the
//   tests can run the shipped headers under a scheduler of their own.
// - std_traits adds nothing to what it names: the seam costs no instruction.

namespace wsolo::inline WSOLO_ABI {

/// The real thing: std::atomic and the steady clock.
struct std_traits {
    template <class T>
    using atomic = std::atomic<T>;
    using clock = std::chrono::steady_clock;

    /// A hint to the processor inside a short wait.
    static void pause() noexcept {
#if defined(__x86_64__) || defined(__i386__)
        __builtin_ia32_pause();
#elif defined(__aarch64__) && defined(__GNUC__)
        __asm__ volatile("yield");
#endif
    }
};

} // namespace wsolo::inline WSOLO_ABI

// ---- wsolo/sync/blocking_traits.hpp
// std_traits plus what a thread sleeps on. Apart from sync/traits.hpp, so that rooms that never sleep do not
// pay for <mutex> and <condition_variable>.

namespace wsolo::inline WSOLO_ABI {

/// std_traits with std::mutex and std::condition_variable.
struct std_blocking_traits : std_traits {
    using mutex = std::mutex;
    using condition_variable = std::condition_variable;
};

} // namespace wsolo::inline WSOLO_ABI

#endif // WSOLO_SINGLE_HEADER
