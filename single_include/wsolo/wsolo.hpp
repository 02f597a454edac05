// wsolo 0.1.0: every room in one header; adapt/ and testing/ lie beside it.
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
#include <new>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <thread>
#include <type_traits>
#include <utility>
#include <variant>

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

// ---- wsolo/core/cpu.hpp
// Which vector unit may be used here: the one that the compiler was told of, or, in a generic x86-64 build,
// the widest that the processor and the system turn out to have.
//
// Laws of this file:
// - A build with -mavx2 and the like pays for no choice at run time, and never uses a wider unit than it was
// told.
// - 512-bit vectors are taken only with AVX-512 VBMI: processors before it slow down when they see them.

#if defined(__x86_64__) && (defined(__GNUC__) || defined(__clang__)) && !defined(_MSC_VER)
/// Functions for wider vector units are compiled in, each by its own target attribute.
#define WSOLO_X86_KERNELS 1
#else
#define WSOLO_X86_KERNELS 0
#endif

namespace wsolo::inline WSOLO_ABI::detail {

/// From narrow to wide, so that they compare. `baseline` is what every build of this target may use.
enum class vector_unit : std::uint8_t { baseline, ssse3, avx2, avx512 };

/// A constant where the build is told of AVX2 or more, otherwise a few loads and tests. Includes the system's
/// consent to save the registers.
[[nodiscard]] inline vector_unit usable_vector_unit() noexcept {
#if !WSOLO_X86_KERNELS
    return vector_unit::baseline;
#elif defined(__AVX512BW__) && defined(__AVX512VL__)
    return vector_unit::avx512;
#elif defined(__AVX2__)
    return vector_unit::avx2;
#else
    if (__builtin_cpu_supports("avx512vbmi") && __builtin_cpu_supports("avx512bw") &&
        __builtin_cpu_supports("avx512vl")) {
        return vector_unit::avx512;
    }
    if (__builtin_cpu_supports("avx2")) return vector_unit::avx2;
    return __builtin_cpu_supports("ssse3") ? vector_unit::ssse3 : vector_unit::baseline;
#endif
}

} // namespace wsolo::inline WSOLO_ABI::detail

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
    {errc::raw_frame_malformed, "raw_frame_malformed", "the raw bytes are not one whole frame of this side",
     "RFC 6455 §5.2", blame::local, 0},
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

// ---- wsolo/text/detail/utf8_tables.hpp
// The tables of the vectorized validator: John Keiser, Daniel Lemire, "Validating UTF-8 In Less Than One
// Instruction Per Byte" (2021).
//
// The idea: whatever is wrong with a text shows in two neighbouring bytes, and nearly always in three of
// their four nibbles. Each way of being wrong is a bit; each table maps one nibble to the ways that it leaves
// possible; a bit left in all three is a fault. One bit, `two_continuations`, is a fault only where no lead
// byte two or three places back asks for it, so the caller XORs it with exactly that.

namespace wsolo::inline WSOLO_ABI::detail {

using utf8_table = std::array<std::uint8_t, 16>;

/// One way of being wrong: a first byte and a second byte, each from a range.
struct utf8_fault {
    std::uint8_t bit;
    std::uint8_t first_low;
    std::uint8_t first_high;
    std::uint8_t second_low;
    std::uint8_t second_high;
};

inline constexpr std::uint8_t two_continuations = 0x80;

/// The last two rows share a bit: their union is still a product of nibble sets.
inline constexpr utf8_fault utf8_faults[] = {
    {0x01, 0x00, 0x7F, 0x80, 0xBF}, // a continuation that nothing asked for
    {0x02, 0xC0, 0xFF, 0x00, 0x7F}, // a lead, then no continuation
    {0x02, 0xC0, 0xFF, 0xC0, 0xFF},
    {0x04, 0xC0, 0xC1, 0x80, 0xBF}, // overlong, two bytes
    {0x08, 0xE0, 0xE0, 0x80, 0x9F}, // overlong, three bytes
    {0x10, 0xED, 0xED, 0xA0, 0xBF}, // a surrogate
    {0x20, 0xF4, 0xFF, 0x90, 0xBF}, // beyond U+10FFFF
    {two_continuations, 0x80, 0xBF, 0x80, 0xBF},
    {0x40, 0xF0, 0xF0, 0x80, 0x8F}, // overlong, four bytes
    {0x40, 0xF5, 0xFF, 0x80, 0x8F}, // beyond U+10FFFF, whatever follows
};

/// For each nibble the faults that a byte with that nibble may take part in. `first` picks the byte of the
/// pair, `shift` its nibble (4: high, 0: low).
consteval utf8_table utf8_table_of(bool first, unsigned shift) {
    utf8_table table{};
    for (const utf8_fault& fault : utf8_faults) {
        const unsigned low = first ? fault.first_low : fault.second_low;
        const unsigned high = first ? fault.first_high : fault.second_high;
        for (unsigned byte = low; byte <= high; ++byte) table[byte >> shift & 0xFu] |= fault.bit;
    }
    return table;
}

inline constexpr utf8_table utf8_first_high = utf8_table_of(true, 4);
inline constexpr utf8_table utf8_first_low = utf8_table_of(true, 0);
inline constexpr utf8_table utf8_second_high = utf8_table_of(false, 4);

/// Subtracted with saturation, these leave the top bit set in three-byte leads and above (four-byte leads).
inline constexpr std::uint8_t utf8_third_excess = 0xE0 - 0x80;
inline constexpr std::uint8_t utf8_fourth_excess = 0xF0 - 0x80;

} // namespace wsolo::inline WSOLO_ABI::detail

// ---- wsolo/text/detail/utf8_avx2.hpp
// Whole-text UTF-8 validation 32 bytes at a time (AVX2). See utf8_tables.hpp for the idea, utf8_blocks.hpp
// for the contract that the widths share.

#if WSOLO_X86_KERNELS

#include <cstddef>
#include <type_traits>

#define WSOLO_AVX2 __attribute__((target("avx2"), always_inline)) inline

namespace wsolo::inline WSOLO_ABI::detail {

class utf8_avx2 {
public:
    /// See utf8_blocks.hpp.
    template <class Byte>
    __attribute__((target("avx2"))) static bool run(Byte* at, std::size_t size, std::uint32_t key) noexcept {
        utf8_avx2 state;
        const vec keys = reinterpret_cast<vec>(words{} + key);
        for (; size >= 64; at += 64, size -= 64) state.take(at, keys);
        if (size > 0) {
            alignas(32) std::byte rest[64]{};
            __builtin_memcpy(rest, at, size);
            if constexpr (!std::is_const_v<Byte>) {
                for (int i = 0; i < 64; i += 32) store(rest + i, load(rest + i) ^ keys);
                __builtin_memcpy(at, rest, size);
                __builtin_memset(rest + size, 0, 64 - size);
            }
            state.take(static_cast<const std::byte*>(rest), keys);
        }
        return !has_high_bit(reinterpret_cast<vec>(state.faults_ != vec{}));
    }

private:
    using vec = std::uint8_t __attribute__((vector_size(32)));
    using chars = char __attribute__((vector_size(32)));
    using quads = long long __attribute__((vector_size(32)));
    using words = std::uint32_t __attribute__((vector_size(32)));

    /// Judges 64 bytes, unmasking them in place unless they are const.
    template <class Byte>
    WSOLO_AVX2 void take(Byte* at, vec keys) noexcept {
        vec low = load(at);
        vec high = load(at + 32);
        if constexpr (!std::is_const_v<Byte>) {
            low ^= keys;
            high ^= keys;
            store(at, low);
            store(at + 32, high);
        }
        const bool ascii = !has_high_bit(low | high);
        if (ascii && last_was_ascii_) return;
        check(low);
        check(high);
        last_was_ascii_ = ascii;
    }

    /// Judges the pairs whose second byte lies in `input`.
    WSOLO_AVX2 void check(vec input) noexcept {
        // The last 16 bytes of the previous vector, then the first 16 of this one.
        const quads behind =
            __builtin_ia32_permti256(reinterpret_cast<quads>(last_), reinterpret_cast<quads>(input), 0x21);
        const vec first = shifted<1>(input, behind);
        const vec third = subtract_saturated(shifted<2>(input, behind), utf8_third_excess);
        const vec fourth = subtract_saturated(shifted<3>(input, behind), utf8_fourth_excess);
        const vec faults = lookup(utf8_first_high, first >> 4) & lookup(utf8_first_low, first & 0x0F) &
                           lookup(utf8_second_high, input >> 4);
        faults_ |= faults ^ ((third | fourth) & two_continuations);
        last_ = input;
    }

    /// The table's entry for each byte below 16.
    [[nodiscard]] WSOLO_AVX2 static vec lookup(const utf8_table& table, vec nibbles) noexcept {
        using half = long long __attribute__((vector_size(16)));
        half one;
        __builtin_memcpy(&one, table.data(), 16);
        const quads two{one[0], one[1], one[0], one[1]};
        return reinterpret_cast<vec>(
            __builtin_ia32_pshufb256(reinterpret_cast<chars>(two), reinterpret_cast<chars>(nibbles)));
    }

    /// `input` moved up by Count bytes, filled from the end of the vector before it.
    template <int Count>
    [[nodiscard]] WSOLO_AVX2 static vec shifted(vec input, quads behind) noexcept {
#if defined(__clang__)
        return reinterpret_cast<vec>(__builtin_ia32_palignr256(reinterpret_cast<chars>(input),
                                                               reinterpret_cast<chars>(behind), 16 - Count));
#else
        return reinterpret_cast<vec>(
            __builtin_ia32_palignr256(reinterpret_cast<quads>(input), behind, (16 - Count) * 8));
#endif
    }

    [[nodiscard]] WSOLO_AVX2 static vec subtract_saturated(vec from, std::uint8_t amount) noexcept {
        const vec amounts = vec{} + amount;
#if defined(__clang__)
        return (from > amounts ? from : amounts) - amounts; // one instruction there
#else
        return reinterpret_cast<vec>(
            __builtin_ia32_psubusb256(reinterpret_cast<chars>(from), reinterpret_cast<chars>(amounts)));
#endif
    }

    [[nodiscard]] WSOLO_AVX2 static bool has_high_bit(vec bytes) noexcept {
        return __builtin_ia32_pmovmskb256(reinterpret_cast<chars>(bytes)) != 0;
    }

    [[nodiscard]] WSOLO_AVX2 static vec load(const std::byte* from) noexcept {
        vec bytes;
        __builtin_memcpy(&bytes, from, 32);
        return bytes;
    }

    WSOLO_AVX2 static void store(std::byte* to, vec bytes) noexcept { __builtin_memcpy(to, &bytes, 32); }

    vec faults_{};
    vec last_{};
    bool last_was_ascii_ = true;
};

} // namespace wsolo::inline WSOLO_ABI::detail

#undef WSOLO_AVX2
#endif

// ---- wsolo/text/detail/utf8_avx512.hpp
// Whole-text UTF-8 validation 64 bytes at a time (AVX-512BW). See utf8_tables.hpp for the idea,
// utf8_blocks.hpp for the contract that the three widths share.

#if WSOLO_X86_KERNELS

#include <cstddef>
#include <type_traits>

#define WSOLO_AVX512 __attribute__((target("avx512f,avx512bw,avx512vl"), always_inline)) inline

namespace wsolo::inline WSOLO_ABI::detail {

class utf8_avx512 {
public:
    /// See utf8_blocks.hpp.
    template <class Byte>
    __attribute__((target("avx512f,avx512bw,avx512vl"))) static bool run(Byte* at, std::size_t size,
                                                                         std::uint32_t key) noexcept {
        utf8_avx512 state;
        const vec keys = reinterpret_cast<vec>(words{} + key);
        for (; size >= 64; at += 64, size -= 64) {
            vec input;
            __builtin_memcpy(&input, at, 64);
            if constexpr (!std::is_const_v<Byte>) {
                input ^= keys;
                __builtin_memcpy(at, &input, 64);
            }
            state.take(input);
        }
        if (size > 0) {
            const std::uint64_t lanes = (std::uint64_t{1} << size) - 1;
            vec input = load_some(at, lanes);
            if constexpr (!std::is_const_v<Byte>) {
                input ^= keys;
                store_some(at, input, lanes);
                input &= reinterpret_cast<vec>(lane_numbers() < static_cast<std::uint8_t>(size));
            }
            state.take(input);
        }
        return !state.failed();
    }

private:
    using vec = std::uint8_t __attribute__((vector_size(64)));
    using chars = char __attribute__((vector_size(64)));
    using quads = long long __attribute__((vector_size(64)));
    using words = std::uint32_t __attribute__((vector_size(64)));

    WSOLO_AVX512 void take(vec input) noexcept {
        const bool ascii = __builtin_ia32_cvtb2mask512(reinterpret_cast<chars>(input)) == 0;
        if (ascii && last_was_ascii_) return;
        check(input);
        last_was_ascii_ = ascii;
    }

    /// Judges the pairs whose second byte lies in `input`.
    WSOLO_AVX512 void check(vec input) noexcept {
        // The last 16 bytes of the previous vector, then the first 48 of this one.
        const quads behind = __builtin_shufflevector(
            reinterpret_cast<quads>(last_), reinterpret_cast<quads>(input), 6, 7, 8, 9, 10, 11, 12, 13);
        const vec first = shifted<1>(input, behind);
        const vec third = subtract_saturated(shifted<2>(input, behind), utf8_third_excess);
        const vec fourth = subtract_saturated(shifted<3>(input, behind), utf8_fourth_excess);
        const vec faults = lookup(utf8_first_high, high_nibbles(first)) &
                           lookup(utf8_first_low, first & 0x0F) &
                           lookup(utf8_second_high, high_nibbles(input));
        faults_ |= faults ^ ((third | fourth) & two_continuations);
        last_ = input;
    }

    [[nodiscard]] WSOLO_AVX512 bool failed() const noexcept {
        return __builtin_ia32_cvtb2mask512(reinterpret_cast<chars>(faults_ != vec{})) != 0;
    }

    [[nodiscard]] WSOLO_AVX512 static vec lane_numbers() noexcept {
        vec numbers{};
        for (int i = 0; i < 64; ++i) numbers[i] = static_cast<std::uint8_t>(i);
        return numbers;
    }

    [[nodiscard]] WSOLO_AVX512 static vec high_nibbles(vec bytes) noexcept { return bytes >> 4; }

    /// The table's entry for each byte below 16.
    [[nodiscard]] WSOLO_AVX512 static vec lookup(const utf8_table& table, vec nibbles) noexcept {
        using quarter = long long __attribute__((vector_size(16)));
        quarter one;
        __builtin_memcpy(&one, table.data(), 16);
        const quads four = __builtin_shufflevector(one, one, 0, 1, 0, 1, 0, 1, 0, 1);
#if defined(__clang__)
        return reinterpret_cast<vec>(
            __builtin_ia32_pshufb512(reinterpret_cast<chars>(four), reinterpret_cast<chars>(nibbles)));
#else
        return reinterpret_cast<vec>(__builtin_ia32_pshufb512_mask(
            reinterpret_cast<chars>(four), reinterpret_cast<chars>(nibbles), chars{}, ~0ULL));
#endif
    }

    /// `input` moved up by Count bytes, filled from the end of the vector before it.
    template <int Count>
    [[nodiscard]] WSOLO_AVX512 static vec shifted(vec input, quads behind) noexcept {
#if defined(__clang__)
        return reinterpret_cast<vec>(__builtin_ia32_palignr512(reinterpret_cast<chars>(input),
                                                               reinterpret_cast<chars>(behind), 16 - Count));
#else
        return reinterpret_cast<vec>(__builtin_ia32_palignr512_mask(reinterpret_cast<quads>(input), behind,
                                                                    (16 - Count) * 8, quads{}, ~0ULL));
#endif
    }

    [[nodiscard]] WSOLO_AVX512 static vec subtract_saturated(vec from, std::uint8_t amount) noexcept {
        const vec amounts = vec{} + amount;
        return (from > amounts ? from : amounts) - amounts;
    }

    /// The bytes whose lane bit is set, zero elsewhere; no other byte is read.
    [[nodiscard]] WSOLO_AVX512 static vec load_some(const std::byte* from, std::uint64_t lanes) noexcept {
        return reinterpret_cast<vec>(
            __builtin_ia32_loaddquqi512_mask(reinterpret_cast<const masked_source*>(from), chars{}, lanes));
    }

    WSOLO_AVX512 static void store_some(std::byte* to, vec bytes, std::uint64_t lanes) noexcept {
        __builtin_ia32_storedquqi512_mask(reinterpret_cast<masked_target*>(to),
                                          reinterpret_cast<chars>(bytes), lanes);
    }

#if defined(__clang__)
    using masked_source = chars;
    using masked_target = chars;
#else
    using masked_source = char;
    using masked_target = char;
#endif

    vec faults_{};
    vec last_{};
    bool last_was_ascii_ = true;
};

} // namespace wsolo::inline WSOLO_ABI::detail

#undef WSOLO_AVX512
#endif

// ---- wsolo/text/detail/utf8_scalar.hpp
// UTF-8 one byte at a time: the automaton that every faster form in this room must agree with.
//
// Laws of this file:
// - The accepted language is RFC 3629 §4's grammar: no surrogates, nothing above U+10FFFF, only shortest
// forms.
// - The automaton fails on the first byte that no valid text could have there, not at the end of its
// sequence.

namespace wsolo::inline WSOLO_ABI::detail {

/// What may come next. `boundary` lies between code points; the rest wait for continuation bytes.
enum class utf8_state : std::uint8_t {
    boundary,
    one_more,
    two_more,
    three_more,
    after_e0, // the next byte must not make it shorter than it claims
    after_ed, // nor a surrogate
    after_f0,
    after_f4, // nor exceed U+10FFFF
    failed,
};

/// The range of the byte that a state waits for, and the state behind it.
struct utf8_expectation {
    std::uint8_t low = 1; // empty range: nothing fits
    std::uint8_t high = 0;
    utf8_state next = utf8_state::failed;
};

inline constexpr utf8_expectation utf8_expectations[] = {
    {},
    {0x80, 0xBF, utf8_state::boundary},
    {0x80, 0xBF, utf8_state::one_more},
    {0x80, 0xBF, utf8_state::two_more},
    {0xA0, 0xBF, utf8_state::one_more},
    {0x80, 0x9F, utf8_state::one_more},
    {0x90, 0xBF, utf8_state::two_more},
    {0x80, 0x8F, utf8_state::two_more},
    {},
};

/// The state behind a code point's first byte (RFC 3629 §4).
[[nodiscard]] constexpr utf8_state utf8_after_lead(std::uint8_t lead) noexcept {
    if (lead < 0x80) return utf8_state::boundary;
    if (lead < 0xC2) return utf8_state::failed; // a continuation byte, or an overlong two-byte form
    if (lead < 0xE0) return utf8_state::one_more;
    if (lead == 0xE0) return utf8_state::after_e0;
    if (lead == 0xED) return utf8_state::after_ed;
    if (lead < 0xF0) return utf8_state::two_more;
    if (lead == 0xF0) return utf8_state::after_f0;
    if (lead < 0xF4) return utf8_state::three_more;
    return lead == 0xF4 ? utf8_state::after_f4 : utf8_state::failed;
}

/// One step of the automaton. `failed` is final.
[[nodiscard]] constexpr utf8_state utf8_step(utf8_state state, std::byte byte) noexcept {
    const auto value = std::to_integer<std::uint8_t>(byte);
    if (state == utf8_state::boundary) return utf8_after_lead(value);
    const utf8_expectation& expected = utf8_expectations[static_cast<std::size_t>(state)];
    return value >= expected.low && value <= expected.high ? expected.next : utf8_state::failed;
}

/// How many bytes at the front of `bytes` are plain ASCII, rounded down to whole words of eight.
[[nodiscard]] inline std::size_t ascii_words(const_bytes bytes) noexcept {
    std::size_t done = 0;
    for (; bytes.size() - done >= 8; done += 8) {
        std::uint64_t word;
        std::memcpy(&word, bytes.data() + done, 8);
        if ((word & 0x8080808080808080u) != 0) break;
    }
    return done;
}

/// Runs the automaton over `bytes` from `state` and leaves the state behind them there. Returns how many
/// bytes were accepted: all of them, or the index of the first bad one with `state` failed. O(n).
[[nodiscard]] inline std::size_t utf8_scan_scalar(const_bytes bytes, utf8_state& state) noexcept {
    std::size_t at = 0;
    while (at < bytes.size()) {
        if (state == utf8_state::boundary) {
            at += ascii_words(bytes.subspan(at));
            if (at == bytes.size()) break;
        }
        state = utf8_step(state, bytes[at]);
        if (state == utf8_state::failed) break;
        ++at;
    }
    return at;
}

} // namespace wsolo::inline WSOLO_ABI::detail

// ---- wsolo/text/detail/utf8_vector16.hpp
// Whole-text UTF-8 validation 16 bytes at a time: SSSE3, and NEON on 64-bit ARM. See utf8_tables.hpp for the
// idea, utf8_blocks.hpp for the contract that the widths share.

#if defined(__aarch64__) && defined(__ARM_NEON) && !defined(__AARCH64EB__)
#include <arm_neon.h>
#define WSOLO_UTF8_NEON 1
#define WSOLO_VECTOR16_TARGET
#else
#define WSOLO_UTF8_NEON 0
#define WSOLO_VECTOR16_TARGET __attribute__((target("ssse3")))
#endif

#if WSOLO_X86_KERNELS || WSOLO_UTF8_NEON

#include <cstddef>
#include <type_traits>

#define WSOLO_VECTOR16 WSOLO_VECTOR16_TARGET __attribute__((always_inline)) inline

namespace wsolo::inline WSOLO_ABI::detail {

class utf8_vector16 {
public:
    /// See utf8_blocks.hpp.
    template <class Byte>
    WSOLO_VECTOR16_TARGET static bool run(Byte* at, std::size_t size, std::uint32_t key) noexcept {
        utf8_vector16 state;
        const vec keys = reinterpret_cast<vec>(words{} + key);
        for (; size >= 64; at += 64, size -= 64) state.take(at, keys);
        if (size > 0) {
            alignas(16) std::byte rest[64]{};
            __builtin_memcpy(rest, at, size);
            if constexpr (!std::is_const_v<Byte>) {
                for (int i = 0; i < 64; i += 16) store(rest + i, load(rest + i) ^ keys);
                __builtin_memcpy(at, rest, size);
                __builtin_memset(rest + size, 0, 64 - size);
            }
            state.take(static_cast<const std::byte*>(rest), keys);
        }
        return !has_high_bit(reinterpret_cast<vec>(state.faults_ != vec{}));
    }

private:
    using vec = std::uint8_t __attribute__((vector_size(16)));
    using words = std::uint32_t __attribute__((vector_size(16)));

    /// Judges 64 bytes, unmasking them in place unless they are const.
    template <class Byte>
    WSOLO_VECTOR16 void take(Byte* at, vec keys) noexcept {
        vec input[4]; // NOLINT: four registers
        for (int i = 0; i < 4; ++i) {
            input[i] = load(at + 16 * i);
            if constexpr (!std::is_const_v<Byte>) {
                input[i] ^= keys;
                store(at + 16 * i, input[i]);
            }
        }
        const bool ascii = !has_high_bit((input[0] | input[1]) | (input[2] | input[3]));
        if (ascii && last_was_ascii_) return;
        for (int i = 0; i < 4; ++i) check(input[i]);
        last_was_ascii_ = ascii;
    }

    /// Judges the pairs whose second byte lies in `input`.
    WSOLO_VECTOR16 void check(vec input) noexcept {
        const vec first = shifted<1>(input, last_);
        const vec third = subtract_saturated(shifted<2>(input, last_), utf8_third_excess);
        const vec fourth = subtract_saturated(shifted<3>(input, last_), utf8_fourth_excess);
        const vec faults = lookup(utf8_first_high, first >> 4) & lookup(utf8_first_low, first & 0x0F) &
                           lookup(utf8_second_high, input >> 4);
        faults_ |= faults ^ ((third | fourth) & two_continuations);
        last_ = input;
    }

    [[nodiscard]] WSOLO_VECTOR16 static vec load(const std::byte* from) noexcept {
        vec bytes;
        __builtin_memcpy(&bytes, from, 16);
        return bytes;
    }

    WSOLO_VECTOR16 static void store(std::byte* to, vec bytes) noexcept { __builtin_memcpy(to, &bytes, 16); }

#if WSOLO_UTF8_NEON
    /// The table's entry for each byte below 16.
    [[nodiscard]] WSOLO_VECTOR16 static vec lookup(const utf8_table& table, vec nibbles) noexcept {
        return reinterpret_cast<vec>(
            vqtbl1q_u8(vld1q_u8(table.data()), reinterpret_cast<uint8x16_t>(nibbles)));
    }

    /// `input` moved up by Count bytes, filled from the end of the vector before it.
    template <int Count>
    [[nodiscard]] WSOLO_VECTOR16 static vec shifted(vec input, vec last) noexcept {
        return reinterpret_cast<vec>(
            vextq_u8(reinterpret_cast<uint8x16_t>(last), reinterpret_cast<uint8x16_t>(input), 16 - Count));
    }

    [[nodiscard]] WSOLO_VECTOR16 static vec subtract_saturated(vec from, std::uint8_t amount) noexcept {
        return reinterpret_cast<vec>(vqsubq_u8(reinterpret_cast<uint8x16_t>(from), vdupq_n_u8(amount)));
    }

    [[nodiscard]] WSOLO_VECTOR16 static bool has_high_bit(vec bytes) noexcept {
        return vmaxvq_u8(reinterpret_cast<uint8x16_t>(bytes)) >= 0x80;
    }
#else
    using chars = char __attribute__((vector_size(16)));
    using quads = long long __attribute__((vector_size(16)));

    [[nodiscard]] WSOLO_VECTOR16 static vec lookup(const utf8_table& table, vec nibbles) noexcept {
        chars entries;
        __builtin_memcpy(&entries, table.data(), 16);
        return reinterpret_cast<vec>(__builtin_ia32_pshufb128(entries, reinterpret_cast<chars>(nibbles)));
    }

    template <int Count>
    [[nodiscard]] WSOLO_VECTOR16 static vec shifted(vec input, vec last) noexcept {
#if defined(__clang__)
        return reinterpret_cast<vec>(__builtin_ia32_palignr128(reinterpret_cast<chars>(input),
                                                               reinterpret_cast<chars>(last), 16 - Count));
#else
        return reinterpret_cast<vec>(__builtin_ia32_palignr128(
            reinterpret_cast<quads>(input), reinterpret_cast<quads>(last), (16 - Count) * 8));
#endif
    }

    [[nodiscard]] WSOLO_VECTOR16 static vec subtract_saturated(vec from, std::uint8_t amount) noexcept {
        const vec amounts = vec{} + amount;
        return (from > amounts ? from : amounts) - amounts;
    }

    [[nodiscard]] WSOLO_VECTOR16 static bool has_high_bit(vec bytes) noexcept {
        return __builtin_ia32_pmovmskb128(reinterpret_cast<chars>(bytes)) != 0;
    }
#endif

    vec faults_{};
    vec last_{};
    bool last_was_ascii_ = true;
};

} // namespace wsolo::inline WSOLO_ABI::detail

#undef WSOLO_VECTOR16
#endif
#undef WSOLO_VECTOR16_TARGET

// ---- wsolo/text/detail/utf8_blocks.hpp
// One question to the widest validator that this processor has: are these bytes, from one code point boundary
// on, free of faults?
//
// The contract that every width keeps:
// - `run(at, size, key)` is true when no byte of [at, at + size) is wrong where it stands, the text beginning
// with
//   it. Whether the last code point is whole is the caller's question (utf8_unfinished): run may or may not
//   mind.
// - Where Byte is not const, all the bytes are also XORed in place with `key`, in memory order, before they
// are
//   judged, and whatever the answer is.
// - Exactly the bytes given are read and written.

namespace wsolo::inline WSOLO_ABI::detail {

/// XORs [at, at + size) with the key's bytes in turn, beginning with its first in memory order.
inline void xor_words(std::byte* at, std::size_t size, std::uint32_t key) noexcept {
    const std::uint64_t wide = key * ((std::uint64_t{1} << 32) + 1);
    for (; size >= 8; at += 8, size -= 8) {
        std::uint64_t word;
        std::memcpy(&word, at, 8);
        word ^= wide;
        std::memcpy(at, &word, 8);
    }
    std::byte bytes[8];
    std::memcpy(bytes, &wide, 8);
    for (std::size_t i = 0; i < size; ++i) at[i] ^= bytes[i];
}

/// The form for every other machine: the automaton, with words of ASCII skipped.
struct utf8_plain {
    template <class Byte>
    static bool run(Byte* at, std::size_t size, std::uint32_t key) noexcept {
        if constexpr (!std::is_const_v<Byte>) xor_words(at, size, key);
        utf8_state state = utf8_state::boundary;
        return utf8_scan_scalar({at, size}, state) == size;
    }
};

/// See the head. O(size).
template <class Byte>
[[nodiscard]] inline bool utf8_faultless(Byte* at, std::size_t size, std::uint32_t key = 0) noexcept {
#if WSOLO_X86_KERNELS
    switch (usable_vector_unit()) {
    case vector_unit::avx512: return utf8_avx512::run(at, size, key);
    case vector_unit::avx2: return utf8_avx2::run(at, size, key);
    case vector_unit::ssse3: return utf8_vector16::run(at, size, key);
    case vector_unit::baseline: break;
    }
    return utf8_plain::run(at, size, key);
#elif WSOLO_UTF8_NEON
    return utf8_vector16::run(at, size, key);
#else
    return utf8_plain::run(at, size, key);
#endif
}

/// How many bytes at the end of `bytes` begin a code point without ending it: 0 to 3. Judges nothing else.
[[nodiscard]] constexpr std::size_t utf8_unfinished(const_bytes bytes) noexcept {
    for (std::size_t back = 1; back <= 3 && back <= bytes.size(); ++back) {
        const auto byte = std::to_integer<unsigned>(bytes[bytes.size() - back]);
        if (byte < 0x80) return 0;
        if (byte < 0xC0) continue;
        const std::size_t length = byte >= 0xF0 ? 4 : byte >= 0xE0 ? 3 : 2;
        return length > back ? back : 0;
    }
    return 0;
}

} // namespace wsolo::inline WSOLO_ABI::detail

// ---- wsolo/text/detail/utf8_short.hpp
// Short texts, most of them ASCII: read as one or two pairs of overlapping words, without a loop or a call.

namespace wsolo::inline WSOLO_ABI::detail {

/// Up to this many bytes the functions of this file apply.
inline constexpr std::size_t utf8_short_size = 16;

/// The key as it lies in memory `offset` bytes into a payload (RFC 6455 §5.3): its bytes, rotated.
[[nodiscard]] inline std::uint32_t key_at(const std::byte* key, std::uint64_t offset) noexcept {
    std::byte twice[8];
    std::memcpy(twice, key, 4);
    std::memcpy(twice + 4, key, 4);
    std::uint32_t word;
    std::memcpy(&word, twice + (offset & 3), 4);
    return word;
}

/// XORs the two Words at the front and the back of [at, at + size), which may overlap, and tells whether all
/// of the result is ASCII. sizeof(Word) <= size <= 2 * sizeof(Word).
template <class Word>
[[nodiscard]] inline bool unmask_two_words(std::byte* at, std::size_t size, Word front_key,
                                           Word back_key) noexcept {
    constexpr Word high_bits = static_cast<Word>(0x8080808080808080u);
    std::byte* back_at = at + (size - sizeof(Word));
    Word front;
    Word back;
    std::memcpy(&front, at, sizeof(Word));
    std::memcpy(&back, back_at, sizeof(Word));
    front ^= front_key;
    back ^= back_key;
    std::memcpy(at, &front, sizeof(Word));
    std::memcpy(back_at, &back, sizeof(Word));
    return ((front | back) & high_bits) == 0;
}

/// XORs at most utf8_short_size bytes with the four at `key`, beginning `offset` bytes into the payload. True
/// when the result is ASCII.
[[nodiscard]] inline bool unmask_short(std::byte* at, std::size_t size, const std::byte* key,
                                       std::uint64_t offset) noexcept {
    const auto wide = [&](std::uint64_t from) { return key_at(key, from) * ((std::uint64_t{1} << 32) + 1); };
    if (size >= 8) return unmask_two_words<std::uint64_t>(at, size, wide(offset), wide(offset + size));
    if (size >= 4) {
        return unmask_two_words<std::uint32_t>(at, size, key_at(key, offset), key_at(key, offset + size));
    }
    bool ascii = true;
    for (std::size_t i = 0; i < size; ++i) {
        at[i] ^= key[(offset + i) & 3];
        ascii = ascii && (at[i] & std::byte{0x80}) == std::byte{0};
    }
    return ascii;
}

/// Whether at most utf8_short_size bytes are all ASCII.
[[nodiscard]] inline bool ascii_short(const_bytes bytes) noexcept {
    const auto two = [&]<class Word>(Word high_bits) {
        Word front;
        Word back;
        std::memcpy(&front, bytes.data(), sizeof(Word));
        std::memcpy(&back, bytes.data() + (bytes.size() - sizeof(Word)), sizeof(Word));
        return ((front | back) & high_bits) == 0;
    };
    if (bytes.size() >= 8) return two(std::uint64_t{0x8080808080808080u});
    if (bytes.size() >= 4) return two(std::uint32_t{0x80808080u});
    std::byte all{0};
    for (const std::byte byte : bytes) all |= byte;
    return (all & std::byte{0x80}) == std::byte{0};
}

} // namespace wsolo::inline WSOLO_ABI::detail

// ---- wsolo/text/utf8.hpp
// Is it UTF-8? Text messages and Close reasons must be (RFC 6455 §5.5.1, §8.1; RFC 3629).
//
// Laws of this file:
// - Text is judged as it arrives, split anywhere, and a failure names the first byte that no valid text could
// have.
// - Nothing is decoded, copied or allocated. The widest vector unit of the processor does the work
// (core/cpu.hpp).
// - A masked payload is unmasked and judged in one pass, and left unmasked whatever the answer is.

namespace wsolo::inline WSOLO_ABI {

/// Whether `bytes` as a whole are UTF-8. O(n).
[[nodiscard]] inline bool is_valid_utf8(const_bytes bytes) noexcept {
    if (bytes.size() <= detail::utf8_short_size && detail::ascii_short(bytes)) return true;
    return detail::utf8_unfinished(bytes) == 0 && detail::utf8_faultless(bytes.data(), bytes.size());
}

/// Validates a text that arrives in parts. Two words of state, copyable, not thread-safe.
class utf8_validator {
public:
    /// The next part. False when the text so far cannot be the beginning of any UTF-8 text; from then on
    /// every call answers false until reset(). O(n).
    [[nodiscard]] bool write(const_bytes part) noexcept {
        if (at_boundary() && part.size() <= detail::utf8_short_size && detail::ascii_short(part)) {
            valid_ += part.size();
            return true;
        }
        return judge(part, 0);
    }

    /// The next part, still masked: it is XORed in place with `key` and judged in the same pass. `offset` is
    /// how many bytes of the frame's payload came before (RFC 6455 §5.3). All of `part` is unmasked even
    /// after a failure. O(n).
    [[nodiscard]] bool write_masked(mutable_bytes part, masking_key key, std::uint64_t offset = 0) noexcept {
        if (part.size() > detail::utf8_short_size) {
            return judge(part, detail::key_at(key.bytes.data(), offset));
        }
        const bool ascii = detail::unmask_short(part.data(), part.size(), key.bytes.data(), offset);
        if (!ascii || !at_boundary()) return judge(const_bytes(part), 0);
        valid_ += part.size();
        return true;
    }

    /// Whether the text so far is UTF-8 as it stands: not failed, and no code point is cut off at its end.
    [[nodiscard]] bool complete() const noexcept { return at_boundary(); }

    [[nodiscard]] bool failed() const noexcept { return state_ == detail::utf8_state::failed; }

    /// How many bytes were accepted since the start or the last reset(): all of them, or, after a failure,
    /// the index of the first bad byte.
    [[nodiscard]] std::uint64_t valid_up_to() const noexcept { return valid_; }

    /// Ready for another text.
    void reset() noexcept { *this = {}; }

private:
    [[nodiscard]] bool at_boundary() const noexcept { return state_ == detail::utf8_state::boundary; }

    bool step(std::byte byte) noexcept {
        state_ = detail::utf8_step(state_, byte);
        if (failed()) return false;
        ++valid_;
        return true;
    }

    /// The part, XORed with `key` (in memory order) first unless it is const.
    template <class Byte>
    bool judge(std::span<Byte> part, std::uint32_t key) noexcept {
        while (!part.empty() &&
               !at_boundary()) { // what completes the code point that the last part left open
            unmask(part.first(1), key);
            key = detail::key_at(reinterpret_cast<const std::byte*>(&key), 1);
            const bool fits = step(part.front());
            part = part.subspan(1);
            if (!fits) unmask(part, key);
        }
        if (part.empty() || failed()) return !failed();
        // What is still open at the end is left to the automaton, which remembers it.
        const std::size_t whole = part.size() - unfinished(part, key);
        const std::span<Byte> front = part.first(whole);
        unmask(part.subspan(whole), detail::key_at(reinterpret_cast<const std::byte*>(&key), whole));
        if (!detail::utf8_faultless(front.data(), whole, key) || detail::utf8_unfinished(front) != 0) {
            valid_ += detail::utf8_scan_scalar(part, state_); // finds the byte
            return false;
        }
        valid_ += whole;
        for (const std::byte byte : part.subspan(whole)) {
            if (!step(byte)) return false;
        }
        return true;
    }

    template <class Byte>
    static void unmask(std::span<Byte> bytes, std::uint32_t key) noexcept {
        if constexpr (!std::is_const_v<Byte>) detail::xor_words(bytes.data(), bytes.size(), key);
    }

    /// utf8_unfinished of what the part will be once it is unmasked.
    template <class Byte>
    static std::size_t unfinished(std::span<Byte> part, std::uint32_t key) noexcept {
        if constexpr (std::is_const_v<Byte>) {
            return detail::utf8_unfinished(part);
        } else {
            std::byte last[3];
            const std::size_t count = part.size() < 3 ? part.size() : 3;
            std::memcpy(last, part.data() + (part.size() - count), count);
            const std::uint64_t before = part.size() - count;
            detail::xor_words(last, count, detail::key_at(reinterpret_cast<const std::byte*>(&key), before));
            return detail::utf8_unfinished({last, count});
        }
    }

    std::uint64_t valid_ = 0;
    detail::utf8_state state_ = detail::utf8_state::boundary;
};

} // namespace wsolo::inline WSOLO_ABI

// ---- wsolo/frame/opcode.hpp
// The four bits that say what a frame is (RFC 6455 §5.2, §11.8).
//
// Laws of this file:
// - An opcode value may be any of the sixteen: what arrives is stored as it is, and judged by check.hpp.

namespace wsolo::inline WSOLO_ABI {

/// What a frame is (RFC 6455 §5.2). Values not listed are reserved.
enum class opcode : std::uint8_t { continuation = 0, text = 1, binary = 2, close = 8, ping = 9, pong = 10 };

/// Close, Ping and Pong, and the reserved opcodes 11 to 15 (RFC 6455 §5.5): the high bit is set.
[[nodiscard]] constexpr bool is_control(opcode op) noexcept { return (static_cast<unsigned>(op) & 8U) != 0; }

/// Continuation, text and binary, and the reserved opcodes 3 to 7 (RFC 6455 §5.6).
[[nodiscard]] constexpr bool is_data(opcode op) noexcept { return !is_control(op); }

/// Opcodes that nothing defines: 3 to 7 and 11 to 15 (RFC 6455 §5.2).
[[nodiscard]] constexpr bool is_reserved(opcode op) noexcept {
    constexpr unsigned defined = 0b0000'0111'0000'0111;
    return static_cast<unsigned>(op) > 15 || (defined >> static_cast<unsigned>(op) & 1U) == 0;
}

/// The RFC's word for it, for logs.
[[nodiscard]] constexpr std::string_view to_string(opcode op) noexcept {
    switch (op) {
    case opcode::continuation: return "continuation";
    case opcode::text: return "text";
    case opcode::binary: return "binary";
    case opcode::close: return "close";
    case opcode::ping: return "ping";
    case opcode::pong: return "pong";
    }
    return "reserved";
}

} // namespace wsolo::inline WSOLO_ABI

// ---- wsolo/frame/header.hpp
// A frame's header as a value, and its bytes (RFC 6455 §5.2).
//
// Laws of this file:
// - Written lengths are minimal. Parsing judges nothing: it says what the bytes are, check.hpp whether they
// may be.
// - "Need more bytes" is a status of the parse, never an error.

namespace wsolo::inline WSOLO_ABI {

/// The reserved bits as they stand in a header's first byte (RFC 6455 §5.2).
inline constexpr std::uint8_t rsv1_bit = 0x40;
inline constexpr std::uint8_t rsv2_bit = 0x20;
inline constexpr std::uint8_t rsv3_bit = 0x10;

/// The longest header: two bytes, a 64-bit length, a masking key.
inline constexpr std::size_t max_header_size = 14;
/// The longest payload of a control frame (RFC 6455 §5.5).
inline constexpr std::size_t max_control_payload = 125;
/// The longest payload of any frame: the length's most significant bit stays 0 (RFC 6455 §5.2).
inline constexpr std::uint64_t max_payload_size = UINT64_MAX >> 1;

/// All that a header says. `key` counts only where `masked` is set.
struct frame_header {
    bool fin = true;
    bool rsv1 = false;
    bool rsv2 = false;
    bool rsv3 = false;
    opcode op = opcode::binary;
    bool masked = false;
    masking_key key{};
    std::uint64_t payload_size = 0;

    friend constexpr bool operator==(const frame_header&, const frame_header&) noexcept = default;
};

/// The bytes of the minimal header for such a payload: 2, 4 or 10, and 4 for a key.
[[nodiscard]] constexpr std::size_t header_size(std::uint64_t payload_size, bool masked) noexcept {
    const std::size_t length_bytes = payload_size <= 125 ? 0 : payload_size <= 0xffff ? 2 : 8;
    return 2 + length_bytes + (masked ? 4 : 0);
}

/// The bytes of the header whose second byte is `second`, minimal or not.
[[nodiscard]] constexpr std::size_t header_size_announced(std::byte second) noexcept {
    const unsigned field = std::to_integer<unsigned>(second) & 0x7fU;
    return 2U + (field == 127 ? 8U : field == 126 ? 2U : 0U) + (std::to_integer<unsigned>(second) >> 7) * 4U;
}

/// Writes the header in its minimal form and returns its size. `to` has header_size(...) bytes; the payload
/// size is at most max_payload_size. O(1).
constexpr std::size_t write_header(const frame_header& header, std::byte* to) noexcept {
    WSOLO_ASSERT(header.payload_size <= max_payload_size, "a payload length must stay below 2^63");
    to[0] = static_cast<std::byte>((header.fin ? 0x80U : 0U) | (header.rsv1 ? rsv1_bit : 0U) |
                                   (header.rsv2 ? rsv2_bit : 0U) | (header.rsv3 ? rsv3_bit : 0U) |
                                   (static_cast<unsigned>(header.op) & 0x0fU));
    const unsigned mask_bit = header.masked ? 0x80U : 0U;
    std::size_t size = 2;
    if (header.payload_size <= 125) {
        to[1] = static_cast<std::byte>(mask_bit | static_cast<unsigned>(header.payload_size));
    } else if (header.payload_size <= 0xffff) {
        to[1] = static_cast<std::byte>(mask_bit | 126U);
        store_be16(to + 2, static_cast<std::uint16_t>(header.payload_size));
        size = 4;
    } else {
        to[1] = static_cast<std::byte>(mask_bit | 127U);
        store_be64(to + 2, header.payload_size);
        size = 10;
    }
    if (!header.masked) return size;
    for (std::size_t i = 0; i < 4; ++i) to[size + i] = header.key.bytes[i];
    return size + 4;
}

/// What parse_header saw.
enum class parse_status : std::uint8_t { need_more, complete };

/// A header and how it was written. Where `status` is need_more only `size` counts: how many bytes it takes
/// to get further (2, or the whole header once its second byte is known).
struct header_parse {
    parse_status status = parse_status::need_more;
    std::size_t size = 2;
    frame_header header{};
    /// The seven length bits of the second byte: 126 and 127 announce a longer length (check_length judges).
    std::uint8_t length_field = 0;
};

namespace detail {

/// The header at `from`, which has all of header_size_announced(from[1]) bytes.
constexpr void read_header(const std::byte* from, frame_header& header) noexcept {
    const unsigned first = std::to_integer<unsigned>(from[0]);
    const unsigned second = std::to_integer<unsigned>(from[1]);
    header.fin = (first & 0x80U) != 0;
    header.rsv1 = (first & rsv1_bit) != 0;
    header.rsv2 = (first & rsv2_bit) != 0;
    header.rsv3 = (first & rsv3_bit) != 0;
    header.op = static_cast<opcode>(first & 0x0fU);
    header.masked = (second & 0x80U) != 0;
    const unsigned field = second & 0x7fU;
    const std::byte* key = from + 2;
    header.payload_size = field;
    if (field == 126) {
        header.payload_size = load_be16(key);
        key += 2;
    } else if (field == 127) {
        header.payload_size = load_be64(key);
        key += 8;
    }
    header.key = {};
    if (!header.masked) return;
    for (std::size_t i = 0; i < 4; ++i) header.key.bytes[i] = key[i];
}

} // namespace detail

/// Reads the header at the front of `bytes`, which may be any number of bytes. O(1).
[[nodiscard]] constexpr header_parse parse_header(const_bytes bytes) noexcept {
    header_parse parsed;
    if (bytes.size() < 2) return parsed;
    parsed.size = header_size_announced(bytes[1]);
    if (bytes.size() < parsed.size) return parsed;
    parsed.status = parse_status::complete;
    parsed.length_field = static_cast<std::uint8_t>(std::to_integer<unsigned>(bytes[1]) & 0x7fU);
    detail::read_header(bytes.data(), parsed.header);
    return parsed;
}

} // namespace wsolo::inline WSOLO_ABI

// ---- wsolo/frame/check.hpp
// The rules that a header must keep, each from the earliest bytes that can break it (RFC 6455 §5.1-5.5).
//
// Laws of this file:
// - Stateless: what depends on earlier frames (§5.4's order of fragments) is the reader's.
// - The order of the rules is the order of the bytes, so that every split of the input finds the same error.

namespace wsolo::inline WSOLO_ABI {

/// Judges a header's first byte. `allowed_rsv` holds the reserved bits (rsv1_bit ...) that a negotiated
/// extension gives a meaning.
[[nodiscard]] constexpr errc check_first(std::byte first, std::uint8_t allowed_rsv = 0) noexcept {
    const unsigned bits = std::to_integer<unsigned>(first);
    const auto op = static_cast<opcode>(bits & 0x0fU);
    // §5.2: "MUST be 0 unless an extension is negotiated that defines meanings for non-zero values."
    if ((bits & 0x70U & ~static_cast<unsigned>(allowed_rsv)) != 0) return errc::reserved_bits_set;
    // §5.2: "If an unknown opcode is received, the receiving endpoint MUST Fail the WebSocket Connection."
    if (is_reserved(op)) return errc::reserved_opcode;
    // §5.5: control frames "MUST NOT be fragmented."
    if (is_control(op) && (bits & 0x80U) == 0) return errc::fragmented_control_frame;
    return errc::none;
}

/// Judges the second byte beside its first, which check_first has passed. `receiver` is the side that judges.
[[nodiscard]] constexpr errc check_second(std::byte first, std::byte second, role receiver) noexcept {
    const bool masked = (std::to_integer<unsigned>(second) & 0x80U) != 0;
    // §5.1: "The server MUST close the connection upon receiving a frame that is not masked." "A client MUST
    // close a connection if it detects a masked frame."
    if (masked != masks(peer_of(receiver))) return masked ? errc::mask_forbidden : errc::mask_required;
    // §5.5: "All control frames MUST have a payload length of 125 bytes or less."
    const bool control = is_control(static_cast<opcode>(std::to_integer<unsigned>(first) & 0x0fU));
    if (control && (std::to_integer<unsigned>(second) & 0x7fU) > max_control_payload) {
        return errc::oversized_control_frame;
    }
    return errc::none;
}

/// Judges a header's first two bytes.
[[nodiscard]] constexpr errc check_first_two(std::byte first, std::byte second, role receiver,
                                             std::uint8_t allowed_rsv = 0) noexcept {
    const errc error = check_first(first, allowed_rsv);
    return error != errc::none ? error : check_second(first, second, receiver);
}

/// Judges a length by the seven bits that announced it and the value that followed.
[[nodiscard]] constexpr errc check_length(unsigned length_field, std::uint64_t payload_size) noexcept {
    // §5.2: "the minimal number of bytes MUST be used to encode the length"
    if (length_field == 126 && payload_size <= 125) return errc::non_minimal_length;
    if (length_field == 127 && payload_size <= 0xffff) return errc::non_minimal_length;
    // §5.2: "the most significant bit MUST be 0"
    if (payload_size > max_payload_size) return errc::length_high_bit_set;
    return errc::none;
}

} // namespace wsolo::inline WSOLO_ABI

// ---- wsolo/frame/close_code.hpp
// The status codes of a Close frame (RFC 6455 §7.4 and the IANA registry that it founded).
//
// Laws of this file:
// - A close_code may hold any 16-bit number: applications own 3000 to 4999.
// - no_status, abnormal and tls_handshake are said to applications and never to peers.

namespace wsolo::inline WSOLO_ABI {

/// Why a connection closes. 1012 to 1014 are in the IANA registry, not in the RFC.
enum class close_code : std::uint16_t {
    normal = 1000,
    going_away = 1001,
    protocol_error = 1002,
    unsupported_data = 1003,
    no_status = 1005,
    abnormal = 1006,
    invalid_payload = 1007,
    policy_violation = 1008,
    message_too_big = 1009,
    mandatory_extension = 1010,
    internal_error = 1011,
    service_restart = 1012,
    try_again_later = 1013,
    bad_gateway = 1014,
    tls_handshake = 1015,
};

/// Whether a Close frame may carry `code`: 1000-1003, 1007-1014, 3000-4999 (RFC 6455 §7.4.1, §7.4.2).
[[nodiscard]] constexpr bool may_be_sent(close_code code) noexcept {
    const auto number = static_cast<std::uint16_t>(code);
    return (number >= 1000 && number <= 1003) || (number >= 1007 && number <= 1014) ||
           (number >= 3000 && number <= 4999);
}

/// The code to send when `error` ends the connection; no_status when no Close frame can or need be sent.
[[nodiscard]] constexpr close_code close_code_for(errc error) noexcept {
    const std::uint16_t status = info(error).close_status;
    return status == 0 ? close_code::no_status : static_cast<close_code>(status);
}

/// A few words for logs.
[[nodiscard]] constexpr std::string_view to_string(close_code code) noexcept {
    switch (code) {
    case close_code::normal: return "normal closure";
    case close_code::going_away: return "going away";
    case close_code::protocol_error: return "protocol error";
    case close_code::unsupported_data: return "unsupported data";
    case close_code::no_status: return "no status received";
    case close_code::abnormal: return "abnormal closure";
    case close_code::invalid_payload: return "invalid payload data";
    case close_code::policy_violation: return "policy violation";
    case close_code::message_too_big: return "message too big";
    case close_code::mandatory_extension: return "mandatory extension missing";
    case close_code::internal_error: return "internal error";
    case close_code::service_restart: return "service restart";
    case close_code::try_again_later: return "try again later";
    case close_code::bad_gateway: return "bad gateway";
    case close_code::tls_handshake: return "TLS handshake failed";
    }
    const auto number = static_cast<std::uint16_t>(code);
    if (number >= 3000 && number <= 3999) return "registered by a library or application";
    if (number >= 4000 && number <= 4999) return "private use";
    return "not a sendable status code";
}

} // namespace wsolo::inline WSOLO_ABI

// ---- wsolo/frame/mask.hpp
// XOR with a masking key (RFC 6455 §5.3), in place and while copying.
//
// Laws of this file:
// - Exactly the bytes given are read and written, whatever their length, alignment and key phase.
// - Resumable: `offset` says how many payload bytes came before, so that a payload may be masked in pieces.

namespace wsolo::inline WSOLO_ABI {

/// Writes `from` XORed with the key to `to`, in one pass. `to` has from.size() bytes and either is
/// from.data() or does not overlap it. O(n).
inline void copy_masked(std::byte* to, const_bytes from, masking_key key, std::uint64_t offset = 0) noexcept {
    for (std::size_t i = 0; i < from.size(); ++i) to[i] = from[i] ^ key.bytes[(offset + i) & 3];
}

/// Masks or unmasks in place (the two are the same). O(n).
inline void apply_mask(mutable_bytes bytes, masking_key key, std::uint64_t offset = 0) noexcept {
    copy_masked(bytes.data(), bytes, key, offset);
}

} // namespace wsolo::inline WSOLO_ABI

// ---- wsolo/frame/encode.hpp
// Header and payload in one contiguous run of bytes, in four forms: into a span, appended to a container,
// into one allocation, and in place around a payload that is already there (RFC 6455 §5.2).
//
// Laws of this file:
// - The role is a template argument. A client's form takes a key source and always masks with a fresh key, a
//   server's takes none and never masks (§5.1): the other two combinations do not compile.
// - On an error nothing was written, and no key was taken.
// - A payload is never masked where it lies, except in the form that says "in place".

namespace wsolo::inline WSOLO_ABI {

/// What a frame to be encoded is. Converts from an opcode, so that `opcode::text` alone is a whole message;
/// `{opcode::text, false}` is its first fragment.
struct frame_spec {
    constexpr frame_spec(opcode frame_op, bool is_final = true, bool has_rsv1 = false) noexcept
        : op(frame_op), fin(is_final), rsv1(has_rsv1) {}

    opcode op;
    bool fin;
    bool rsv1;
};

/// The key argument that `Role` owes: one key source for a client, none for a server (RFC 6455 §5.1).
template <role Role, class... Keys>
concept keys_for = (masks(Role) ? sizeof...(Keys) == 1 && (key_source<Keys> && ...) : sizeof...(Keys) == 0);

/// The most bytes that a header of `Role` takes: what encode_in_place may need before the payload.
template <role Role>
inline constexpr std::size_t headroom = header_size(max_payload_size, masks(Role));

/// The bytes of a whole frame. Meaningful for payloads up to max_payload_size. O(1).
template <role Role>
[[nodiscard]] constexpr std::size_t encoded_size(std::size_t payload_size) noexcept {
    return header_size(payload_size, masks(Role)) + payload_size;
}

/// A frame in memory of its own. Move-only; not thread-safe.
class owned_frame {
public:
    owned_frame() noexcept = default;

    /// The encoded frame. Valid while this object is not assigned to, moved from or destroyed.
    [[nodiscard]] const_bytes bytes() const noexcept { return bytes_.view(); }

private:
    explicit owned_frame(byte_buffer&& bytes) noexcept : bytes_(std::move(bytes)) {}

    template <role Role, class... Keys>
        requires keys_for<Role, Keys...>
    friend result<owned_frame> make_frame(frame_spec, const_bytes, Keys&...) noexcept;

    byte_buffer bytes_;
};

namespace detail {

constexpr errc check_outgoing(frame_spec spec, std::uint64_t payload_size) noexcept {
    if (is_reserved(spec.op)) return errc::reserved_opcode;
    if (is_control(spec.op)) {
        if (!spec.fin) return errc::fragmented_control_frame;
        if (payload_size > max_control_payload) return errc::control_payload_too_big;
    }
    return payload_size > max_payload_size ? errc::payload_too_big : errc::none;
}

template <role Role, class... Keys>
frame_header header_for(frame_spec spec, std::uint64_t payload_size, Keys&... keys) noexcept {
    frame_header header{.fin = spec.fin, .rsv1 = spec.rsv1, .op = spec.op, .payload_size = payload_size};
    if constexpr (masks(Role)) {
        header.masked = true;
        header.key = (keys.next_key(), ...);
    }
    return header;
}

/// Checked and big enough: writes the frame and returns its size.
template <role Role, class... Keys>
std::size_t write_frame(std::byte* to, frame_spec spec, const_bytes payload, Keys&... keys) noexcept {
    const frame_header header = header_for<Role>(spec, payload.size(), keys...);
    const std::size_t size = write_header(header, to);
    if constexpr (masks(Role)) {
        copy_masked(to + size, payload, header.key);
    } else if (!payload.empty()) {
        std::memcpy(to + size, payload.data(), payload.size());
    }
    return size + payload.size();
}

/// A string or vector of bytes or characters.
template <class Container>
concept resizable_bytes = requires(Container& out, std::size_t size) {
    out.resize(size);
    { out.size() } -> std::convertible_to<std::size_t>;
    *out.data();
} && sizeof(typename Container::value_type) == 1;

/// Lengthens by `count` bytes and returns where they start; nullptr when there is no memory.
template <resizable_bytes Container>
std::byte* extend(Container& out, std::size_t count) noexcept {
    const std::size_t before = out.size();
#if WSOLO_HAS_EXCEPTIONS
    try {
        out.resize(before + count);
    } catch (...) { // bad_alloc or length_error: the container is as it was
        return nullptr;
    }
#else
    out.resize(before + count);
#endif
    return reinterpret_cast<std::byte*>(out.data()) + before;
}

inline std::byte* extend(byte_buffer& out, std::size_t count) noexcept { return out.extend(count); }

} // namespace detail

/// Encodes into `to`, whose first encoded_size<Role>(payload.size()) bytes are overwritten and must not
/// overlap the payload. Returns the bytes written. Errors: buffer_too_small, control_payload_too_big,
/// payload_too_big, fragmented_control_frame, reserved_opcode. O(n), no allocation.
template <role Role, class... Keys>
    requires keys_for<Role, Keys...>
result<std::size_t> encode_frame(mutable_bytes to, frame_spec spec, const_bytes payload,
                                 Keys&... keys) noexcept {
    if (const errc error = detail::check_outgoing(spec, payload.size()); error != errc::none) return error;
    if (to.size() < encoded_size<Role>(payload.size())) return errc::buffer_too_small;
    return detail::write_frame<Role>(to.data(), spec, payload, keys...);
}

/// Encodes behind what `out` (byte_buffer, std::string, std::vector of char or std::byte ...) already holds.
/// The payload must not lie in `out`. Errors as encode_frame's, and out_of_memory; `out` is then unchanged.
/// Amortized O(n).
template <role Role, class Container, class... Keys>
    requires keys_for<Role, Keys...>
[[nodiscard]] errc append_frame(Container& out, frame_spec spec, const_bytes payload,
                                Keys&... keys) noexcept {
    if (const errc error = detail::check_outgoing(spec, payload.size()); error != errc::none) return error;
    std::byte* to = detail::extend(out, encoded_size<Role>(payload.size()));
    if (to == nullptr) return errc::out_of_memory;
    detail::write_frame<Role>(to, spec, payload, keys...);
    return errc::none;
}

/// Encodes into memory of its own: one allocation. Errors as encode_frame's, and out_of_memory. O(n).
template <role Role, class... Keys>
    requires keys_for<Role, Keys...>
result<owned_frame> make_frame(frame_spec spec, const_bytes payload, Keys&... keys) noexcept {
    if (const errc error = detail::check_outgoing(spec, payload.size()); error != errc::none) return error;
    byte_buffer bytes;
    const std::size_t size = encoded_size<Role>(payload.size());
    if (!bytes.reserve(size)) return errc::out_of_memory;
    detail::write_frame<Role>(bytes.extend(size), spec, payload, keys...);
    return owned_frame(std::move(bytes));
}

/// Makes a frame of a payload that already lies in `storage`, by writing the header right before it; a
/// client's payload is masked where it lies. headroom<Role> bytes before the payload always suffice. Returns
/// the frame, a part of `storage`. Errors as encode_frame's (buffer_too_small: the header does not fit before
/// the payload, or the payload does not end within `storage`). A server's cost is O(1): nothing is copied.
template <role Role, class... Keys>
    requires keys_for<Role, Keys...>
result<mutable_bytes> encode_in_place(mutable_bytes storage, std::size_t payload_offset,
                                      std::size_t payload_size, frame_spec spec, Keys&... keys) noexcept {
    if (const errc error = detail::check_outgoing(spec, payload_size); error != errc::none) return error;
    const std::size_t header_bytes = header_size(payload_size, masks(Role));
    if (payload_offset < header_bytes || payload_offset > storage.size() ||
        payload_size > storage.size() - payload_offset) {
        return errc::buffer_too_small;
    }
    const frame_header header = detail::header_for<Role>(spec, payload_size, keys...);
    const mutable_bytes frame = storage.subspan(payload_offset - header_bytes, header_bytes + payload_size);
    write_header(header, frame.data());
    if constexpr (masks(Role)) apply_mask(frame.subspan(header_bytes), header.key);
    return frame;
}

} // namespace wsolo::inline WSOLO_ABI

// ---- wsolo/frame/payload.hpp
// Whether a payload still wears its mask, said by its type. XORing bytes that were already unmasked turns
// "ABCD" into "@@@@" on the wire; with these two types that mistake does not compile.
//
// Laws of this file:
// - Neither type converts to the other, nor does a plain span convert to either.
// - Both are views: the bytes belong to whoever was given them, and must outlive the view.

namespace wsolo::inline WSOLO_ABI {

/// A payload in clear: what the decoder yields, and what a server's frame carries.
class unmasked_bytes {
public:
    constexpr unmasked_bytes() noexcept = default;
    constexpr explicit unmasked_bytes(const_bytes bytes) noexcept : bytes_(bytes) {}

    [[nodiscard]] constexpr const_bytes bytes() const noexcept { return bytes_; }

private:
    const_bytes bytes_{};
};

/// A payload as a client's frame carries it, with the key that it is still XORed with (RFC 6455 §5.3). Its
/// first byte is the frame's first payload byte.
class masked_bytes {
public:
    constexpr masked_bytes(const_bytes bytes, masking_key key) noexcept : bytes_(bytes), key_(key) {}

    /// The bytes as they are, still masked.
    [[nodiscard]] constexpr const_bytes masked() const noexcept { return bytes_; }
    [[nodiscard]] constexpr masking_key key() const noexcept { return key_; }

private:
    const_bytes bytes_;
    masking_key key_;
};

} // namespace wsolo::inline WSOLO_ABI

// ---- wsolo/frame/control_reply.hpp
// Control frames as values: the PONG or Close that a received frame is owed, and PING, PONG and Close of
// one's own (RFC 6455 §5.5).
//
// Laws of this file:
// - A reply is a value and writes nothing: whoever owns the connection's write side queues it as raw bytes.
// - The payload's type says whether it is still masked: unmasked_bytes are copied as they are, masked_bytes
// are
//   unmasked exactly once. What leaves is masked with a fresh key by a client and not at all by a server.
// - 1005 (no status) never goes on the wire: an empty Close is answered by an empty Close.

namespace wsolo::inline WSOLO_ABI {

namespace detail {
struct control_frame_access;
}

/// A whole encoded control frame in a fixed inline buffer. Trivially copyable.
class control_frame {
public:
    /// A client's header and the longest payload (RFC 6455 §5.5): 131 bytes.
    static constexpr std::size_t capacity = header_size(max_control_payload, true) + max_control_payload;

    /// Holds nothing; bytes() is empty.
    control_frame() noexcept = default;

    /// The encoded frame, ready to be written as it is. Valid while this object lives and is not assigned to.
    [[nodiscard]] const_bytes bytes() const noexcept { return {storage_.data(), size_}; }

    /// What the frame is; continuation when it holds nothing.
    [[nodiscard]] opcode op() const noexcept {
        return static_cast<opcode>(std::to_integer<unsigned>(storage_[0]) & 0x0fU);
    }

private:
    friend struct detail::control_frame_access;

    std::array<std::byte, capacity> storage_{};
    std::uint8_t size_ = 0;
};

/// What a Close frame said.
struct close_body {
    /// no_status when the body was empty (RFC 6455 §7.1.5).
    close_code code = close_code::no_status;
    /// UTF-8. A view of the parsed bytes.
    std::string_view reason{};
};

/// Reads the body of a received Close frame. Errors, each with the close code to answer in its table row:
/// close_body_of_one_byte, invalid_close_code, invalid_close_reason (RFC 6455 §5.5.1, §7.4). O(n).
[[nodiscard]] inline result<close_body> parse_close_body(unmasked_bytes body) noexcept {
    const const_bytes bytes = body.bytes();
    if (bytes.empty()) return close_body{};
    if (bytes.size() == 1) return errc::close_body_of_one_byte;
    const auto code = static_cast<close_code>(load_be16(bytes.data()));
    if (!may_be_sent(code)) return errc::invalid_close_code;
    const const_bytes reason = bytes.subspan(2);
    if (!is_valid_utf8(reason)) return errc::invalid_close_reason;
    return close_body{code, text_of(reason)};
}

namespace detail {

/// The one door to control_frame's bytes: fills the payload in clear, then seals the frame around it.
struct control_frame_access {
    /// Where a frame of `Role` has its payload.
    template <role Role>
    static std::byte* payload(control_frame& frame) noexcept {
        return frame.storage_.data() + header_size(0, masks(Role));
    }

    /// Makes a frame of the payload that was put at payload<Role>(). Preconditions: op is a control opcode,
    /// the size at most 125.
    template <role Role, class... Keys>
    static void seal(control_frame& frame, opcode op, std::size_t payload_size, Keys&... keys) noexcept {
        const auto whole =
            encode_in_place<Role>(frame.storage_, header_size(0, masks(Role)), payload_size, op, keys...);
        frame.size_ = static_cast<std::uint8_t>(whole->size());
    }
};

/// The payload is copied in clear (and unmasked if it was masked) before the frame is sealed around it.
inline void copy_clear(std::byte* to, unmasked_bytes payload) noexcept {
    if (!payload.bytes().empty()) std::memcpy(to, payload.bytes().data(), payload.bytes().size());
}
inline void copy_clear(std::byte* to, masked_bytes payload) noexcept {
    copy_masked(to, payload.masked(), payload.key());
}

inline std::size_t size_of(unmasked_bytes payload) noexcept { return payload.bytes().size(); }
inline std::size_t size_of(masked_bytes payload) noexcept { return payload.masked().size(); }

template <role Role, class Payload, class... Keys>
result<control_frame> control_frame_of(opcode op, Payload payload, Keys&... keys) noexcept {
    if (size_of(payload) > max_control_payload) return errc::control_payload_too_big;
    control_frame frame;
    std::byte* to = control_frame_access::payload<Role>(frame);
    copy_clear(to, payload);
    if (op == opcode::close) {
        const auto body = parse_close_body(unmasked_bytes(const_bytes(to, size_of(payload))));
        if (!body) return body.error();
    }
    control_frame_access::seal<Role>(frame, op, size_of(payload), keys...);
    return frame;
}

} // namespace detail

/// Either of the two types that say whether a payload is masked; a plain span is neither.
template <class Payload>
concept control_payload = std::same_as<Payload, unmasked_bytes> || std::same_as<Payload, masked_bytes>;

/// The frame that a received PING or Close is owed: a PONG with the same payload (RFC 6455 §5.5.3), or a
/// Close with the same body (§5.5.1; empty to empty). `received` is the opcode that arrived, ping or close. A
/// client passes its key source last. Errors: parse_close_body's for a Close that breaks a rule: fail the
/// connection with make_close(close_code_for(error)) instead; control_payload_too_big. No allocation.
template <role Role, control_payload Payload, class... Keys>
    requires keys_for<Role, Keys...>
[[nodiscard]] result<control_frame> make_control_reply(opcode received, Payload payload,
                                                       Keys&... keys) noexcept {
    WSOLO_ASSERT(received == opcode::ping || received == opcode::close,
                 "only a PING or a Close is owed a reply");
    const opcode reply = received == opcode::close ? opcode::close : opcode::pong;
    return detail::control_frame_of<Role>(reply, payload, keys...);
}

/// A PING with up to 125 bytes of payload (RFC 6455 §5.5.2). Error: control_payload_too_big.
template <role Role, class... Keys>
    requires keys_for<Role, Keys...>
[[nodiscard]] result<control_frame> make_ping(const_bytes payload, Keys&... keys) noexcept {
    return detail::control_frame_of<Role>(opcode::ping, unmasked_bytes(payload), keys...);
}

/// An unsolicited PONG (RFC 6455 §5.5.3). Error: control_payload_too_big.
template <role Role, class... Keys>
    requires keys_for<Role, Keys...>
[[nodiscard]] result<control_frame> make_pong(const_bytes payload, Keys&... keys) noexcept {
    return detail::control_frame_of<Role>(opcode::pong, unmasked_bytes(payload), keys...);
}

/// A Close with a status code and a reason of up to 123 bytes of UTF-8. Errors: invalid_close_code for a code
/// that may not be sent (no_status included: see the form without one), invalid_close_reason,
/// control_payload_too_big.
template <role Role, class... Keys>
    requires keys_for<Role, Keys...>
[[nodiscard]] result<control_frame> make_close(close_code code, std::string_view reason,
                                               Keys&... keys) noexcept {
    if (reason.size() > max_control_payload - 2) return errc::control_payload_too_big;
    std::array<std::byte, max_control_payload> body;
    store_be16(body.data(), static_cast<std::uint16_t>(code));
    if (!reason.empty()) std::memcpy(body.data() + 2, reason.data(), reason.size());
    const unmasked_bytes payload(const_bytes(body).first(2 + reason.size()));
    return detail::control_frame_of<Role>(opcode::close, payload, keys...);
}

/// A Close without a body (RFC 6455 §5.5.1).
template <role Role, class... Keys>
    requires keys_for<Role, Keys...>
[[nodiscard]] control_frame make_close(Keys&... keys) noexcept {
    return *detail::control_frame_of<Role>(opcode::close, unmasked_bytes(), keys...);
}

} // namespace wsolo::inline WSOLO_ABI

// ---- wsolo/frame/decode.hpp
// Bytes in, frames out (RFC 6455 §5.2). Incremental: every split of the input gives the same frames, the same
// payload bytes, and the same error after the same number of bytes.
//
// Laws of this file:
// - Nothing is buffered but an unfinished header. Payload leaves as it comes, unmasked, in parts.
// - An error is found at the first byte that proves it, consumes the input up to and with that byte, and is
// final.
// - What depends on earlier frames (fragments, UTF-8, Close) is the reader's, not the decoder's.

namespace wsolo::inline WSOLO_ABI {

/// What one frame may take. A control frame is bound by the RFC's 125 bytes instead.
struct frame_limits {
    /// Longest payload of a data frame, in bytes.
    std::uint64_t max_frame_size = std::uint64_t{16} * 1024 * 1024;
};

/// need_more: the input is used up. part: a piece of a frame, perhaps the whole. failed: see `error`.
enum class decode_status : std::uint8_t { need_more, part, failed };

/// One step of the decoder.
struct [[nodiscard]] decoded {
    decode_status status = decode_status::need_more;
    /// The first part of its frame. It may be empty: a header is reported as soon as it is complete.
    bool begins = false;
    /// The last part of its frame. A frame that lies whole in the input is one part that begins and ends.
    bool ends = false;
    /// The rule that the input broke; none unless `status` is failed.
    errc error = errc::none;
    /// This part of the payload, unmasked, within the input (or the destination) of the call.
    mutable_bytes payload{};

    [[nodiscard]] unmasked_bytes unmasked() const noexcept { return unmasked_bytes(payload); }
};

/// Reads what the peer of `Receiver` sends. 64 bytes, no allocation. Not thread-safe.
template <role Receiver>
class frame_decoder {
public:
    /// `allowed_rsv`: the reserved bits that a negotiated extension uses (rsv1_bit ...).
    explicit frame_decoder(frame_limits limits = {}, std::uint8_t allowed_rsv = 0) noexcept
        : limits_(limits), allowed_rsv_(allowed_rsv) {}

    /// Takes the next part from the front of `input`, which is advanced past it, and unmasks it where it
    /// lies. Call it until it says need_more. The part lives as long as the bytes of `input`. O(part).
    decoded next(mutable_bytes& input) noexcept {
        if (const errc error = read_header(input); error != errc::none) return fail(error);
        if (!in_payload_) return {};
        if (input.empty() && remaining_ > 0 && !begins_) return {};
        return take(input.data(), input.size(), input, input);
    }

    /// The same with the input left as it is: the part is unmasked while it is copied to the front of `to`,
    /// which is advanced past it. need_more with input left over means that `to` is full.
    decoded next_copying(const_bytes& input, mutable_bytes& to) noexcept {
        if (const errc error = read_header(input); error != errc::none) return fail(error);
        if (!in_payload_) return {};
        const std::size_t count = input.size() < to.size() ? input.size() : to.size();
        if (count == 0 && remaining_ > 0 && !begins_) return {};
        return take(input.data(), count, input, to);
    }

    /// The header of the part that next() returned last. Valid from a part that begins to the next one that
    /// does.
    [[nodiscard]] const frame_header& header() const noexcept { return header_; }

    /// Payload bytes of the current frame still to come.
    [[nodiscard]] std::uint64_t remaining() const noexcept { return remaining_; }

    /// Whether the input so far ends with a whole frame.
    [[nodiscard]] bool at_boundary() const noexcept { return !in_payload_ && kept_size_ == 0; }

private:
    /// Moves header bytes from the input until the header is complete and judged, or the input is empty.
    template <class Byte>
    errc read_header(std::span<Byte>& input) noexcept {
        if (error_ != errc::none) return error_;
        while (!in_payload_ && !input.empty()) {
            kept_[kept_size_++] = input.front();
            input = input.subspan(1);
            if (const errc error = judge(); error != errc::none) return error;
        }
        return errc::none;
    }

    errc judge() noexcept {
        if (kept_size_ == 1) return check_first(kept_[0], allowed_rsv_);
        if (kept_size_ == 2) {
            if (const errc error = check_second(kept_[0], kept_[1], Receiver); error != errc::none)
                return error;
        }
        const std::size_t whole = header_size_announced(kept_[1]);
        if (kept_size_ == whole - (masks(peer_of(Receiver)) ? 4 : 0)) {
            detail::read_header(kept_.data(), header_); // the key is not there yet: it is read again below
            const unsigned field = std::to_integer<unsigned>(kept_[1]) & 0x7fU;
            if (const errc error = check_length(field, header_.payload_size); error != errc::none)
                return error;
            if (is_data(header_.op) && header_.payload_size > limits_.max_frame_size)
                return errc::frame_too_big;
        }
        if (kept_size_ == whole) {
            detail::read_header(kept_.data(), header_);
            remaining_ = header_.payload_size;
            in_payload_ = begins_ = true;
            kept_size_ = 0;
        }
        return errc::none;
    }

    template <class Byte>
    decoded take(const std::byte* from, std::size_t available, std::span<Byte>& input,
                 mutable_bytes& to) noexcept {
        const auto count = static_cast<std::size_t>(available < remaining_ ? available : remaining_);
        decoded part{.status = decode_status::part,
                     .begins = begins_,
                     .ends = count == remaining_,
                     .payload = to.first(count)};
        if constexpr (masks(peer_of(Receiver))) {
            copy_masked(part.payload.data(), {from, count}, header_.key, header_.payload_size - remaining_);
        } else if (count > 0 && from != part.payload.data()) {
            std::memcpy(part.payload.data(), from, count);
        }
        remaining_ -= count;
        begins_ = false;
        in_payload_ = !part.ends;
        to = to.subspan(count);
        if (static_cast<const void*>(&input) != static_cast<const void*>(&to)) input = input.subspan(count);
        return part;
    }

    decoded fail(errc error) noexcept {
        error_ = error;
        return {.status = decode_status::failed, .error = error};
    }

    frame_header header_{};
    std::uint64_t remaining_ = 0;
    frame_limits limits_;
    std::array<std::byte, max_header_size> kept_{};
    std::uint8_t kept_size_ = 0;
    std::uint8_t allowed_rsv_;
    bool in_payload_ = false;
    bool begins_ = false;
    errc error_ = errc::none;
};

} // namespace wsolo::inline WSOLO_ABI

// ---- wsolo/frame/shared_frame.hpp
// One encoded frame for any number of connections: encoded once, queued everywhere by pointer.
//
// Laws of this file:
// - Immutable once made, so any number of threads may read it; only the count is written, atomically.
// - One allocation holds count and bytes. The last holder frees it, whichever thread that is.
// - Unmasked, hence for servers only: a client's frames each need a key of their own (RFC 6455 §5.3).

namespace wsolo::inline WSOLO_ABI {

/// A counted reference to an encoded server frame. One pointer wide. As with std::shared_ptr, different
/// copies may be used from different threads, one copy may not.
class shared_frame {
public:
    /// Refers to nothing; bytes() is empty.
    shared_frame() noexcept = default;
    shared_frame(const shared_frame& other) noexcept : block_(other.block_) {
        // relaxed: who copies already holds a reference, so nothing needs to be ordered
        if (block_ != nullptr) block_->count.fetch_add(1, std::memory_order_relaxed);
    }
    shared_frame(shared_frame&& other) noexcept : block_(std::exchange(other.block_, nullptr)) {}
    shared_frame& operator=(shared_frame other) noexcept {
        std::swap(block_, other.block_);
        return *this;
    }
    ~shared_frame() { drop(); }

    [[nodiscard]] explicit operator bool() const noexcept { return block_ != nullptr; }

    /// The encoded frame. Valid while any copy of this reference lives.
    [[nodiscard]] const_bytes bytes() const noexcept {
        if (block_ == nullptr) return {};
        return {reinterpret_cast<const std::byte*>(block_ + 1), block_->size};
    }

    /// Whether both refer to the same frame.
    friend bool operator==(const shared_frame& left, const shared_frame& right) noexcept {
        return left.block_ == right.block_;
    }

private:
    struct block {
        std::atomic<std::size_t> count;
        std::size_t size;
    };

    explicit shared_frame(block* made) noexcept : block_(made) {}

    void drop() noexcept {
        if (block_ == nullptr) return;
        // acq_rel: every other holder's last read comes before the memory is freed
        if (block_->count.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
        block_->~block();
        std::free(block_);
    }

    friend result<shared_frame> make_shared_frame(frame_spec, const_bytes) noexcept;

    block* block_ = nullptr;
};

/// Encodes once for all. Errors as encode_frame's, and out_of_memory. O(n), one allocation.
[[nodiscard]] inline result<shared_frame> make_shared_frame(frame_spec spec, const_bytes payload) noexcept {
    if (const errc error = detail::check_outgoing(spec, payload.size()); error != errc::none) return error;
    const std::size_t size = encoded_size<role::server>(payload.size());
    if (size > static_cast<std::size_t>(-1) / 2) return errc::out_of_memory;
    void* memory = std::malloc(sizeof(shared_frame::block) + size);
    if (memory == nullptr) return errc::out_of_memory;
    auto* block = ::new (memory) shared_frame::block{1, size};
    detail::write_frame<role::server>(reinterpret_cast<std::byte*>(block + 1), spec, payload);
    return shared_frame(block);
}

} // namespace wsolo::inline WSOLO_ABI

// ---- wsolo/sync/traits.hpp
// The seam through which concurrent code reaches atomics, time and the scheduler.
//
// Laws of this file:
// - Every concurrent type takes a Traits argument and touches no std::atomic, clock or lock but through it,
// so that the
//   tests can run the shipped headers under a scheduler of their own.
// - std_traits adds nothing to what it names: the seam costs no instruction.

#if defined(__unix__) || defined(__APPLE__)
#include <sched.h>
#include <time.h>
#endif

namespace wsolo::inline WSOLO_ABI {

/// Every deadline is a point of the steady clock: the wall clock may jump.
using time_point = std::chrono::steady_clock::time_point;
/// Every duration; any std::chrono duration that converts without loss fits.
using duration = std::chrono::steady_clock::duration;

/// "No deadline", and what a deadline that would overflow saturates to.
inline constexpr time_point no_deadline = time_point::max();

/// `from` + `span`, saturating at no_deadline.
[[nodiscard]] constexpr time_point deadline_after(time_point from, duration span) noexcept {
    return span >= no_deadline - from ? no_deadline : from + span;
}

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

    /// The `round`-th wait for a lock that is held for nanoseconds: spin, then yield, then sleep. It ends in
    /// a sleep because a yield never lets a lower real-time priority run.
    static void relax(unsigned round) noexcept {
        if (round < 40) return pause();
#if defined(__unix__) || defined(__APPLE__)
        if (round < 80) {
            ::sched_yield();
            return;
        }
        const timespec nap{0, 50'000};
        ::nanosleep(&nap, nullptr);
#else
        pause();
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

// ---- wsolo/sync/spin_lock.hpp
// The short lock: one byte, for critical sections of a few nanoseconds in objects that can't afford a mutex
// each.
//
// Laws of this file:
// - No user code, system call, allocation or large copy runs while it is held.
// - unlock() is one release store and touches nothing afterwards, so whoever takes the lock next may destroy
// it.

namespace wsolo::inline WSOLO_ABI {

/// Test and test-and-set with back-off. Not recursive, not fair. lock() never makes a system call unless the
/// holder was preempted.
template <class Traits = std_traits>
class basic_spin_lock {
public:
    basic_spin_lock() = default;
    basic_spin_lock(const basic_spin_lock&) = delete;
    basic_spin_lock& operator=(const basic_spin_lock&) = delete;

    void lock() noexcept {
        unsigned round = 0;
        while (held_.exchange(true, std::memory_order_acquire)) {
            while (held_.load(std::memory_order_relaxed)) Traits::relax(round++);
        }
    }

    void unlock() noexcept { held_.store(false, std::memory_order_release); }

private:
    typename Traits::template atomic<bool> held_{false};
};

using spin_lock = basic_spin_lock<>;

/// Holds a lock for a scope. (std::lock_guard would cost <mutex>.)
template <class Lock>
class [[nodiscard]] scoped_hold {
public:
    explicit scoped_hold(Lock& lock) noexcept : lock_(lock) { lock_.lock(); }
    ~scoped_hold() { lock_.unlock(); }
    scoped_hold(const scoped_hold&) = delete;
    scoped_hold& operator=(const scoped_hold&) = delete;

private:
    Lock& lock_;
};

} // namespace wsolo::inline WSOLO_ABI

// ---- wsolo/write/budget.hpp
// How much one writer may hold, and what becomes of the next item when that is used up.
//
// Laws of this file:
// - What counts is what is accepted and not yet taken by the transport, frames in flight included, plus a
// fixed
//   overhead per frame: the bound is on memory, not on payload.
// - The candidate is counted before it is accepted, so the bound is never exceeded (RFC 6455 §10.4 asks for
// limits).
// - Control frames have a reserve of their own: data can't starve a PONG, and a PING flood can't grow memory.

namespace wsolo::inline WSOLO_ABI {

/// Charged per queued frame on top of its wire bytes: its record, and its share of the blocks it lies in.
inline constexpr std::size_t frame_overhead = 16;

/// The bounds of one writer. Everything is per connection.
struct writer_limits {
    /// Bytes that may be queued or in flight, overhead included. A data frame that would exceed it is
    /// rejected with errc::queue_full (it may fit later) or errc::too_large (it never will).
    std::size_t max_bytes = 4 * 1024 * 1024;
    /// Data frames that may be queued or in flight.
    std::uint32_t max_frames = 65'536;
    /// PONGs and PINGs that may wait, each kind. Every PING is answered while there is room; beyond it the
    /// newest PONG replaces the one before it (RFC 6455 §5.5.3), and a PING of our own is rejected with
    /// errc::queue_full.
    std::uint16_t control_reserve = 256;
};

/// The times of one writer.
struct writer_timeouts {
    /// How long one write may stand without progress. Counted from the moment that this write starts.
    std::chrono::milliseconds write{30'000};
    /// How long close() may take to flush what is queued, unless the call says otherwise.
    std::chrono::milliseconds drain{5'000};
    /// Bytes per second that the peer must take at least: each byte taken extends a write's deadline by
    /// 1/min_rate seconds and no more, so that a peer that drips can't hold the writer for ever.
    std::uint32_t min_rate = 1'024;
};

/// How one writer behaves. Copied into it.
struct writer_options {
    writer_limits limits{};
    writer_timeouts timeouts{};
    /// Bytes that one pump() may write before it hands the token back, so that one connection can't hold its
    /// loop.
    std::uint32_t pump_quantum = 1024 * 1024;
};

} // namespace wsolo::inline WSOLO_ABI

// ---- wsolo/write/drain.hpp
// What became of everything that was accepted, when it is over.

namespace wsolo::inline WSOLO_ABI {

/// Adds up exactly: what was accepted is written or dropped, nothing else. Bytes are wire bytes (headers
/// included).
struct drain_report {
    std::uint64_t frames_written = 0; ///< taken by the transport to their last byte
    std::uint64_t frames_dropped = 0; ///< accepted, but not (wholly) taken
    std::uint64_t bytes_written = 0;
    std::uint64_t bytes_dropped = 0;
    bool partial_frame = false; ///< the last frame on the wire is incomplete: the peer must not read on
    bool deadline_hit = false;  ///< a write's or the drain's deadline ended it
    errc reason = errc::none;   ///< none: a Close frame was the last thing written
    int transport_error = 0;    ///< the transport's own code (errno, say) where it failed

    [[nodiscard]] constexpr std::uint64_t frames_accepted() const noexcept {
        return frames_written + frames_dropped;
    }
    [[nodiscard]] constexpr std::uint64_t bytes_accepted() const noexcept {
        return bytes_written + bytes_dropped;
    }
    /// Whether everything accepted reached the transport, a Close frame last.
    [[nodiscard]] constexpr bool clean() const noexcept {
        return reason == errc::none && frames_dropped == 0;
    }
};

} // namespace wsolo::inline WSOLO_ABI

// ---- wsolo/write/outbound.hpp
// What can be sent, as a value: pre-built bytes, a text, a binary message, or a reference to a shared frame.
//
// Laws of this file:
// - raw, text and binary are views: the writer encodes (copies) them when it accepts, and nothing is moved
// from, so a
//   rejected item is still wholly the caller's.
// - raw is exactly one whole frame of this side, sent as it is; replies and Close travel this way.

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

// ---- wsolo/write/transport.hpp
// What the writer needs of a connection: one gather write and one way to end it. Small enough to write in ten
// lines.
//
// Laws of this file:
// - `transferred` counts bytes that the transport took, whatever the status: a failure after 3 bytes says 3.
// - A transport is called by one thread at a time, the owner of the write token, and never under a lock.

namespace wsolo::inline WSOLO_ABI {

/// How a write ended. There is no "zero bytes, but fine": `ok` took at least one byte.
enum class io_status : std::uint8_t { ok, would_block, timed_out, failed };

/// What a write did. `error` is the transport's own code (errno, say), only for logs.
struct [[nodiscard]] io_result {
    io_status status = io_status::failed;
    std::size_t transferred = 0;
    int error = 0;
};

/// Why the writer ends a transport: everything accepted was written, or something broke or was dropped.
enum class end_of_write : std::uint8_t { drained, broken };

/// A connection's write side.
/// - `write(parts, deadline)`: writes from the parts, in order, as one gather write. It may take fewer bytes
/// than
///   offered. A non-blocking transport ignores the deadline and answers would_block; a blocking one waits
///   until the deadline and answers timed_out. The parts are valid during the call only; there is at least
///   one, none is empty.
/// - `finish(why)`: called exactly once, last. For a socket: shut down the sending direction when drained
/// (the peer's
///   Close is still to be read), both when broken.
template <class T>
concept transport = requires(T& connection, std::span<const const_bytes> parts, time_point deadline) {
    { connection.write(parts, deadline) } -> std::same_as<io_result>;
    { connection.finish(end_of_write::drained) } -> std::same_as<void>;
};

/// A transport that can also wait until it is writable: what the threaded drive needs of a non-blocking one.
/// False when the deadline passed first.
template <class T>
concept waitable_transport = transport<T> && requires(T& connection, time_point deadline) {
    { connection.wait_writable(deadline) } -> std::same_as<bool>;
};

} // namespace wsolo::inline WSOLO_ABI

// ---- wsolo/write/detail/segment.hpp
// One block of wire bytes: many small frames, back to back, or one large frame, or a reference to a shared
// one.
//
// Laws of this file:
// - A frame lies whole in one segment, so every frame is contiguous.
// - Each frame's end is recorded (4 bytes, growing down from the block's end), so that after a partial write
// the
//   owner knows whether it stands on a frame boundary.
// - Appending is for whoever holds the writer's lock; taking is for the owner of the write token.

namespace wsolo::inline WSOLO_ABI::detail {

class segment {
public:
    /// A block with room for `capacity` bytes of frames and records. nullptr when there is no memory.
    [[nodiscard]] static segment* make_open(std::size_t capacity) noexcept {
        void* block = std::malloc(sizeof(segment) + capacity);
        return block == nullptr ? nullptr : ::new (block) segment(static_cast<std::uint32_t>(capacity));
    }

    /// A block for one frame of `size` bytes, which the caller writes through bytes() before it is queued.
    [[nodiscard]] static segment* make_whole(std::size_t size) noexcept {
        void* block = std::malloc(sizeof(segment) + size);
        if (block == nullptr) return nullptr;
        auto* whole = ::new (block) segment(0);
        whole->size_ = size;
        whole->frames_ = 1;
        return whole;
    }

    /// One reference to a shared frame; its bytes are not copied.
    [[nodiscard]] static segment* make_shared(shared_frame frame) noexcept {
        void* block = std::malloc(sizeof(segment));
        if (block == nullptr) return nullptr;
        auto* whole = ::new (block) segment(0);
        whole->shared_ = std::move(frame);
        whole->bytes_ = whole->shared_.bytes().data();
        whole->size_ = whole->shared_.bytes().size();
        whole->frames_ = 1;
        return whole;
    }

    /// An open block at the start of memory that outlives it and is not its own to free.
    [[nodiscard]] static segment* place_open(void* memory, std::size_t capacity) noexcept {
        auto* placed = ::new (memory) segment(static_cast<std::uint32_t>(capacity));
        placed->placed_ = true;
        return placed;
    }

    static void destroy(segment* old) noexcept {
        if (old == nullptr) return;
        const bool placed = old->placed_;
        old->~segment();
        if (!placed) std::free(old);
    }

    segment(const segment&) = delete;
    segment& operator=(const segment&) = delete;

    /// Where a make_whole() frame is written.
    [[nodiscard]] mutable_bytes writable() noexcept { return {storage(), size_}; }
    [[nodiscard]] const std::byte* bytes() const noexcept { return bytes_; }
    [[nodiscard]] std::size_t size() const noexcept { return size_; }
    [[nodiscard]] std::uint32_t frames() const noexcept { return frames_; }
    [[nodiscard]] std::uint32_t capacity() const noexcept { return capacity_; }

    [[nodiscard]] bool has_room(std::size_t frame) const noexcept {
        return capacity_ != 0 && frame + record_size <= capacity_ - size_ - frames_ * record_size;
    }

    /// Appends a frame of `frame` bytes and returns where to write it. Precondition: has_room(frame).
    [[nodiscard]] mutable_bytes append(std::size_t frame) noexcept {
        std::byte* at = storage() + size_;
        size_ += frame;
        ++frames_;
        store_end(frames_ - 1, static_cast<std::uint32_t>(size_));
        return {at, frame};
    }

    /// Takes the last appended frame back and returns its size. Precondition: open, frames() > 0, not taken
    /// from.
    std::size_t drop_last() noexcept {
        const std::size_t start = frame_start(frames_ - 1);
        const std::size_t dropped = size_ - start;
        size_ = start;
        --frames_;
        return dropped;
    }

    /// For reuse: as make_open() made it.
    void reset() noexcept {
        size_ = taken_ = 0;
        frames_ = done_ = 0;
    }

    /// What the transport has not taken yet.
    [[nodiscard]] const_bytes rest() const noexcept { return {bytes_ + taken_, size_ - taken_}; }
    /// The part of rest() that belongs to a frame already begun; empty on a frame boundary.
    [[nodiscard]] const_bytes rest_of_begun_frame() const noexcept {
        return mid_frame() ? const_bytes{bytes_ + taken_, frame_end(done_) - taken_} : const_bytes{};
    }
    [[nodiscard]] bool mid_frame() const noexcept { return done_ < frames_ && taken_ != frame_start(done_); }

    /// The transport took `count` more bytes (<= rest().size()). Returns how many frames that completed.
    /// O(log frames).
    std::uint32_t take(std::size_t count) noexcept {
        taken_ += count;
        const std::uint32_t before = done_;
        if (taken_ == size_) {
            done_ = frames_;
        } else {
            std::uint32_t high = frames_;
            while (done_ < high) { // first frame whose end lies beyond what was taken
                const std::uint32_t middle = done_ + (high - done_) / 2;
                if (frame_end(middle) <= taken_)
                    done_ = middle + 1;
                else
                    high = middle;
            }
        }
        return done_ - before;
    }

    segment* next = nullptr;

private:
    explicit segment(std::uint32_t capacity) noexcept : bytes_(storage()), capacity_(capacity) {}
    ~segment() = default;

    static constexpr std::size_t record_size = sizeof(std::uint32_t);

    [[nodiscard]] std::byte* storage() noexcept { return reinterpret_cast<std::byte*>(this + 1); }

    [[nodiscard]] std::size_t frame_start(std::uint32_t frame) const noexcept {
        return frame == 0 ? 0 : frame_end(frame - 1);
    }
    [[nodiscard]] std::size_t frame_end(std::uint32_t frame) const noexcept {
        if (capacity_ == 0) return size_;
        std::uint32_t end;
        std::memcpy(&end, bytes_ + capacity_ - (frame + 1) * record_size, record_size);
        return end;
    }
    void store_end(std::uint32_t frame, std::uint32_t end) noexcept {
        std::memcpy(storage() + capacity_ - (frame + 1) * record_size, &end, record_size);
    }

    const std::byte* bytes_;
    std::size_t size_ = 0;
    std::size_t taken_ = 0;
    std::uint32_t frames_ = 0;
    std::uint32_t done_ = 0;
    std::uint32_t capacity_; // 0: one whole frame
    bool placed_ = false;
    shared_frame shared_;
};

} // namespace wsolo::inline WSOLO_ABI::detail

// ---- wsolo/write/detail/lane.hpp
// A FIFO of segments, and the three of them in the order in which they may overtake each other at frame
// boundaries.

namespace wsolo::inline WSOLO_ABI::detail {

/// Lower leaves first: a PONG answers the peer, a PING measures it, data waits for both (RFC 6455 §5.5.2,
/// §5.5.3). Close travels in `data`, behind everything accepted before it.
enum class lane_id : std::uint8_t { pong, ping, data };
inline constexpr std::size_t lane_count = 3;

/// Owns its segments. Not thread-safe.
class lane {
public:
    lane() = default;
    lane(const lane&) = delete;
    lane& operator=(const lane&) = delete;
    ~lane() {
        while (!empty()) segment::destroy(pop());
    }

    [[nodiscard]] bool empty() const noexcept { return head_ == nullptr; }
    [[nodiscard]] segment* front() const noexcept { return head_; }
    [[nodiscard]] segment* back() const noexcept { return tail_; }

    void push(segment* item) noexcept {
        item->next = nullptr;
        (tail_ == nullptr ? head_ : tail_->next) = item;
        tail_ = item;
    }

    [[nodiscard]] segment* pop() noexcept {
        segment* item = head_;
        head_ = item->next;
        if (head_ == nullptr) tail_ = nullptr;
        return item;
    }

    /// Moves everything of `from` behind this lane's own. O(1).
    void splice(lane& from) noexcept {
        if (from.empty()) return;
        (tail_ == nullptr ? head_ : tail_->next) = from.head_;
        tail_ = from.tail_;
        from.head_ = from.tail_ = nullptr;
    }

private:
    segment* head_ = nullptr;
    segment* tail_ = nullptr;
};

} // namespace wsolo::inline WSOLO_ABI::detail

// ---- wsolo/write/detail/flight.hpp
// What the owner of the write token has taken off the queue: which bytes go into the next gather write, and
// what a (partial) write completed.
//
// Laws of this file:
// - A frame once begun is finished before anything else: its rest is always the first part of the next write.
// - Behind it PONGs, then PINGs, then data: lanes overtake each other on frame boundaries only.
// - Only the owner touches a flight; no lock is needed or held.

namespace wsolo::inline WSOLO_ABI::detail {

/// The parts of one gather write, and which lane each came from.
class gather_plan {
public:
    /// Small frames lie back to back in few segments, so few parts carry many frames.
    static constexpr std::size_t max_parts = 64;
    /// Enough that a system call costs little per byte, little enough that a PONG does not wait long behind
    /// it.
    static constexpr std::size_t max_bytes = 128 * 1024;

    void add(lane_id from, const_bytes part) noexcept {
        if (part.empty()) return;
        bytes_ += part.size();
        if (count_ != 0 && from_[count_ - 1] == from) {
            const const_bytes last = parts_[count_ - 1];
            if (last.data() + last.size() == part.data()) {
                parts_[count_ - 1] = {last.data(), last.size() + part.size()};
                return;
            }
        }
        parts_[count_] = part;
        from_[count_++] = from;
    }

    [[nodiscard]] bool full() const noexcept { return count_ == max_parts || bytes_ >= max_bytes; }
    [[nodiscard]] std::span<const const_bytes> parts() const noexcept { return {parts_.data(), count_}; }
    [[nodiscard]] lane_id from(std::size_t part) const noexcept { return from_[part]; }
    [[nodiscard]] std::size_t bytes() const noexcept { return bytes_; }

private:
    std::array<const_bytes, max_parts> parts_;
    std::array<lane_id, max_parts> from_;
    std::size_t count_ = 0;
    std::size_t bytes_ = 0;
};

/// What a write took, lane by lane.
class progress {
public:
    struct share {
        std::uint32_t frames = 0; ///< completed
        std::size_t bytes = 0;    ///< taken, of completed frames or not
    };
    [[nodiscard]] share& operator[](lane_id id) noexcept { return shares_[static_cast<std::size_t>(id)]; }
    [[nodiscard]] const share& operator[](lane_id id) const noexcept {
        return shares_[static_cast<std::size_t>(id)];
    }

private:
    std::array<share, lane_count> shares_{};
};

class flight {
public:
    flight() = default;
    flight(const flight&) = delete;
    flight& operator=(const flight&) = delete;
    ~flight() { segment::destroy(retired_); }

    [[nodiscard]] lane& operator[](lane_id id) noexcept { return lanes_[static_cast<std::size_t>(id)]; }

    [[nodiscard]] bool empty() const noexcept {
        for (const lane& queue : lanes_) {
            if (!queue.empty()) return false;
        }
        return true;
    }

    /// Whether the wire ends inside a frame: nothing but that frame's rest may follow.
    [[nodiscard]] bool mid_frame() const noexcept { return begun_ != nullptr; }

    /// The next write. With `only_begun`, just the rest of the frame that was begun.
    void plan(gather_plan& out, bool only_begun) const noexcept {
        if (begun_ != nullptr) out.add(begun_lane_, begun_->rest_of_begun_frame());
        if (only_begun) return;
        for (std::size_t i = 0; i < lane_count; ++i) {
            for (const segment* item = lanes_[i].front(); item != nullptr && !out.full(); item = item->next) {
                const std::size_t already = item == begun_ ? item->rest_of_begun_frame().size() : 0;
                out.add(static_cast<lane_id>(i), item->rest().subspan(already));
            }
        }
    }

    /// The transport took the first `count` bytes of `done`. Returns what that completed.
    progress advance(const gather_plan& done, std::size_t count) noexcept {
        progress made;
        for (std::size_t part = 0; count != 0; ++part) {
            const std::size_t offered = done.parts()[part].size();
            const std::size_t share = count < offered ? count : offered;
            made[done.from(part)].frames += take((*this)[done.from(part)], share);
            made[done.from(part)].bytes += share;
            count -= share;
        }
        begun_ = nullptr;
        for (std::size_t i = 0; i < lane_count; ++i) {
            if (!lanes_[i].empty() && lanes_[i].front()->mid_frame()) {
                begun_ = lanes_[i].front();
                begun_lane_ = static_cast<lane_id>(i);
            }
        }
        return made;
    }

    /// A used-up segment for the queue to fill again, or nullptr. The caller owns it.
    [[nodiscard]] segment* retired() noexcept { return std::exchange(retired_, nullptr); }

private:
    std::uint32_t take(lane& queue, std::size_t count) noexcept {
        std::uint32_t completed = 0;
        while (count != 0) {
            segment* front = queue.front();
            const std::size_t rest = front->rest().size();
            const std::size_t share = count < rest ? count : rest;
            completed += front->take(share);
            count -= share;
            if (front->rest().empty()) retire(queue.pop());
        }
        return completed;
    }

    /// Keeps the roomiest used-up open segment, gives the others back.
    void retire(segment* used) noexcept {
        if (used->capacity() > (retired_ == nullptr ? 0 : retired_->capacity())) {
            used->reset();
            std::swap(retired_, used);
        }
        segment::destroy(used);
    }

    lane lanes_[lane_count];
    const segment* begun_ = nullptr;
    lane_id begun_lane_ = lane_id::data;
    segment* retired_ = nullptr;
};

} // namespace wsolo::inline WSOLO_ABI::detail

// ---- wsolo/write/detail/ledger.hpp
// The accounts of one writer: what was accepted, what is still held, what was written and what was dropped.
//
// Laws of this file:
// - accepted = written + dropped + held, in frames and in bytes, after every step.
// - The budget counts the candidate before it is accepted and releases it when the transport took it.
// - Data pays from the budget; PONGs and PINGs have a reserve, each kind its own; Close is always admitted.

namespace wsolo::inline WSOLO_ABI::detail {

/// Not thread-safe: the outbox calls it under its lock. O(1) throughout.
class ledger {
public:
    explicit ledger(const writer_limits& limits) noexcept : limits_(limits) {}

    /// Whether a frame of `size` wire bytes fits now.
    [[nodiscard]] errc admit(lane_id to, std::size_t size) const noexcept {
        if (to == lane_id::ping) return pings_ < limits_.control_reserve ? errc::none : errc::queue_full;
        if (to == lane_id::pong)
            return errc::none; // beyond the reserve it replaces another, see pongs_full()
        if (size > limits_.max_bytes || frame_overhead > limits_.max_bytes - size) return errc::too_large;
        if (data_frames_ >= limits_.max_frames) return errc::queue_full;
        if (held_data() > limits_.max_bytes) return errc::queue_full; // Close may stand above the bound
        return size + frame_overhead > limits_.max_bytes - held_data() ? errc::queue_full : errc::none;
    }

    [[nodiscard]] bool pongs_full() const noexcept { return pongs_ >= limits_.control_reserve; }

    void accept(lane_id to, std::size_t size) noexcept {
        if (to == lane_id::data) {
            ++data_frames_;
            data_bytes_ += size;
        } else {
            ++(to == lane_id::pong ? pongs_ : pings_);
            control_bytes_ += static_cast<std::uint32_t>(size);
        }
    }

    /// What a write took.
    void settle(const progress& done) noexcept {
        for (const lane_id from : {lane_id::pong, lane_id::ping, lane_id::data}) {
            release(from, done[from].frames, done[from].bytes);
            frames_written_ += done[from].frames;
            bytes_written_ += done[from].bytes;
        }
    }

    /// A queued PONG of `size` bytes gave way to a newer one (RFC 6455 §5.5.3).
    void supersede_pong(std::size_t size) noexcept {
        release(lane_id::pong, 1, size);
        ++frames_dropped_;
        bytes_dropped_ += size;
    }

    /// Nothing of what is held will be written.
    void drop_held() noexcept {
        frames_dropped_ += data_frames_ + pongs_ + pings_;
        bytes_dropped_ += data_bytes_ + control_bytes_;
        data_bytes_ = 0;
        data_frames_ = control_bytes_ = pongs_ = pings_ = 0;
    }

    /// Budget in use: wire bytes plus overhead of the data that is queued or in flight.
    [[nodiscard]] std::size_t held_data() const noexcept {
        return data_bytes_ + data_frames_ * frame_overhead;
    }

    void fill(drain_report& report) const noexcept {
        report.frames_written = frames_written_;
        report.frames_dropped = frames_dropped_;
        report.bytes_written = bytes_written_;
        report.bytes_dropped = bytes_dropped_;
    }

private:
    void release(lane_id from, std::uint32_t frames, std::size_t bytes) noexcept {
        if (from == lane_id::data) {
            data_frames_ -= frames;
            data_bytes_ -= bytes;
        } else {
            (from == lane_id::pong ? pongs_ : pings_) -= frames;
            control_bytes_ -= static_cast<std::uint32_t>(bytes);
        }
    }

    writer_limits limits_;
    std::size_t data_bytes_ = 0;
    std::uint32_t data_frames_ = 0;
    std::uint32_t control_bytes_ = 0;
    std::uint32_t pongs_ = 0;
    std::uint32_t pings_ = 0; // with the members above: 48 bytes, so that an idle writer stays small
    std::uint64_t frames_written_ = 0;
    std::uint64_t frames_dropped_ = 0;
    std::uint64_t bytes_written_ = 0;
    std::uint64_t bytes_dropped_ = 0;
};

} // namespace wsolo::inline WSOLO_ABI::detail

// ---- wsolo/write/detail/workload.hpp
// What only a writer with something queued needs. One heap block, gone while the writer is idle; the first
// few small frames lie in the same block.
//
// Laws of this file:
// - `incoming`, `spare`, `block_size` and `close_deadline` belong to the outbox's lock; the other
//   members to the owner of the write token.
// - Blocks grow while traffic lasts and start small again after an idle moment.

namespace wsolo::inline WSOLO_ABI::detail {

[[nodiscard]] constexpr time_point earlier(time_point a, time_point b) noexcept { return a < b ? a : b; }

class workload {
public:
    /// nullptr when there is no memory.
    [[nodiscard]] static workload* create() noexcept {
        void* block = std::malloc(block_bytes);
        return block == nullptr ? nullptr : ::new (block) workload;
    }
    static void destroy(workload* old) noexcept {
        if (old == nullptr) return;
        old->~workload();
        std::free(old);
    }
    workload(const workload&) = delete;
    workload& operator=(const workload&) = delete;

    [[nodiscard]] lane& queue(lane_id id) noexcept { return incoming_[static_cast<std::size_t>(id)]; }

    /// The segment at the lane's tail with room for a frame of `size` bytes, opened from the spare one or
    /// from `fresh` where needed. nullptr when that takes a fresh block of block_size bytes.
    [[nodiscard]] segment* make_room(lane_id to, std::size_t size, segment*& fresh) noexcept {
        lane& queued = queue(to);
        if (segment* tail = queued.back(); tail != nullptr && tail->has_room(size)) return tail;
        segment** source = spare_ != nullptr && spare_->has_room(size) ? &spare_ : &fresh;
        if (*source == nullptr) return nullptr;
        if (source == &fresh && block_size < max_block) block_size *= 4;
        queued.push(std::exchange(*source, nullptr));
        return queued.back();
    }

    /// Moves what was queued to the flight, and a used-up segment back. PONGs only when the last ones have
    /// left, so that the reserve bounds both together.
    void take_incoming() noexcept {
        if (in_flight[lane_id::pong].empty()) in_flight[lane_id::pong].splice(queue(lane_id::pong));
        in_flight[lane_id::ping].splice(queue(lane_id::ping));
        in_flight[lane_id::data].splice(queue(lane_id::data));
        if (spare_ == nullptr) spare_ = in_flight.retired();
        drain_deadline = close_deadline;
    }

    /// When a parked writer must be looked at again.
    [[nodiscard]] time_point deadline() const noexcept { return earlier(write_deadline, close_deadline); }

    static constexpr std::uint32_t min_block = 4096;
    static constexpr std::uint32_t max_block = 64 * 1024;

    std::uint32_t block_size = min_block;
    time_point close_deadline = no_deadline;
    time_point write_deadline = no_deadline; ///< no_deadline while no write stands
    time_point drain_deadline = no_deadline; ///< the owner's copy of close_deadline
    flight in_flight;

private:
    workload() noexcept
        : spare_(segment::place_open(this + 1, block_bytes - sizeof(workload) - sizeof(segment))) {}
    ~workload() { segment::destroy(spare_); }

    static constexpr std::size_t block_bytes = 1024;

    lane incoming_[lane_count];
    segment* spare_;
};

} // namespace wsolo::inline WSOLO_ABI::detail

// ---- wsolo/write/outbox.hpp
// The queue in front of one connection, and who may write it: both under one short lock, so that "open?",
// "room?", "queue it" and "am I the one to drive it?" are a single step.
//
// Laws of this file:
// - Exactly one holder of the write token: only `pumping` may touch the flight and the transport.
// - A push that finds the token free takes it and must have the writer driven; a push that finds it held does
// nothing,
//   because finding the queue empty and releasing the token are one step under the same lock. No wake-up can
//   be lost.
// - Once sealed nothing is accepted; Close is the push that seals.
// - Under the lock there is no allocation, no system call and no copy above inline_limit.

namespace wsolo::inline WSOLO_ABI {

/// Who holds the write token.
enum class token : std::uint8_t {
    free,      ///< nobody: the queue is empty
    scheduled, ///< the schedule hook: pump() is owed
    pumping,   ///< the thread inside pump()
    parked,    ///< the transport: pump() is owed when it is writable or a deadline passes
    finished,  ///< nobody, ever again
};

namespace detail {

/// Frames up to this size are copied into a shared block under the lock; larger ones become segments of their
/// own.
inline constexpr std::size_t inline_limit = 2048;

/// What a push came to.
struct [[nodiscard]] push_result {
    errc error = errc::none;
    bool drive = false; ///< the caller took the token and must call the schedule hook
};

/// What the owner is to do next.
enum class next_step : std::uint8_t { write, write_begun_frame, released, drained, aborted };

/// See the file's laws. Each function takes the lock itself; those marked "owner" are for the thread that
/// pumps.
template <class Traits>
class outbox {
public:
    explicit outbox(const writer_limits& limits) noexcept : ledger_(limits) {}
    outbox(const outbox&) = delete;
    outbox& operator=(const outbox&) = delete;
    ~outbox() { workload::destroy(work_); }

    /// Queues a frame of `size` bytes (at most inline_limit), which `encode(mutable_bytes)` writes in place,
    /// under the lock.
    template <class Encode>
    push_result push_small(lane_id to, std::size_t size, Encode encode) noexcept {
        return place(to, size, size, budget::applies, [&](segment* room) {
            if (to == lane_id::pong && ledger_.pongs_full() && room->frames() != 0) {
                ledger_.supersede_pong(room->drop_last());
            }
            encode(room->append(size));
        });
    }

    /// Queues a frame that already is a segment. Takes it over only when the result says errc::none.
    push_result push_whole(segment* frame) noexcept {
        return place(lane_id::data, frame->size(), 0, budget::applies,
                     [&](segment*) { work_->queue(lane_id::data).push(frame); });
    }

    /// Queues the Close frame behind everything accepted so far, seals, and bounds the drain. The budget does
    /// not apply.
    template <class Encode>
    push_result push_close(std::size_t size, time_point drain_deadline, Encode encode) noexcept {
        return place(lane_id::data, size, size, budget::waived, [&](segment* room) {
            encode(room->append(size));
            sealed_ = true;
            work_->close_deadline = drain_deadline;
            // A parked writer's loop waits for an older deadline: the hook tells it to look again.
            if (token_ == token::parked) token_ = token::free;
        });
    }

    /// Seals, and has everything dropped at the next frame boundary. True when the caller must call the
    /// schedule hook.
    [[nodiscard]] bool abort(errc why) noexcept {
        const scoped_hold hold(lock_);
        if (token_ == token::finished || aborting_) return false;
        sealed_ = aborting_ = true;
        reason_ = why;
        if (token_ == token::parked) token_ = token::free;
        return claim();
    }

    /// Takes a token that waits for a pump. False when there is none: idle, finished, or another thread
    /// pumps.
    [[nodiscard]] bool begin() noexcept {
        const scoped_hold hold(lock_);
        if (token_ != token::scheduled && token_ != token::parked) return false;
        token_ = token::pumping;
        return true;
    }

    /// Owner: settles what was written and takes what was queued meanwhile. With next_step::released the
    /// token is free again, `idle` belongs to the caller, and nothing else of this object may be touched.
    next_step next(const progress& done, workload*& idle) noexcept {
        const scoped_hold hold(lock_);
        ledger_.settle(done);
        if (work_ != nullptr) work_->take_incoming();
        if (aborting_) return mid_frame() ? next_step::write_begun_frame : next_step::aborted;
        if (work_ != nullptr && !work_->in_flight.empty()) return next_step::write;
        if (sealed_) return next_step::drained;
        idle = std::exchange(work_, nullptr);
        token_ = token::free;
        return next_step::released;
    }

    /// Owner: the transport would block. False when an abort came meanwhile: go on with next().
    [[nodiscard]] bool park(const progress& done, time_point& deadline) noexcept {
        const scoped_hold hold(lock_);
        ledger_.settle(done);
        if (aborting_ && !mid_frame()) return false;
        token_ = token::parked;
        deadline = work_->deadline();
        return true;
    }

    /// Owner: the quantum is used up; the token, still held, goes to the schedule hook.
    void hand_over() noexcept {
        const scoped_hold hold(lock_);
        token_ = token::scheduled;
    }

    /// Owner: the end. What is still held is dropped; the caller destroys `rest`.
    [[nodiscard]] drain_report finish(const progress& done, drain_report end, workload*& rest) noexcept {
        const scoped_hold hold(lock_);
        ledger_.settle(done);
        ledger_.drop_held();
        if (!aborting_) reason_ = end.reason;
        deadline_hit_ = end.deadline_hit;
        transport_error_ = end.transport_error;
        partial_frame_ = mid_frame();
        sealed_ = true;
        token_ = token::finished;
        rest = std::exchange(work_, nullptr);
        return report_held();
    }

    /// Owner. nullptr when nothing was ever queued since the writer was idle (an abort of an idle writer).
    [[nodiscard]] workload* work() noexcept { return work_; }

    /// Whether a data frame of `size` bytes would be accepted now.
    [[nodiscard]] errc admits(std::size_t size) noexcept {
        const scoped_hold hold(lock_);
        return sealed_ ? errc::closed : ledger_.admit(lane_id::data, size);
    }

    /// Runs `work` under the lock and returns its result: for what else the lock protects (a client's key
    /// source).
    template <class Work>
    auto locked(Work work) noexcept {
        const scoped_hold hold(lock_);
        return work();
    }

    /// For the destructor: takes the token from whoever it waits for. False when the writer is finished.
    [[nodiscard]] bool seize() noexcept {
        const scoped_hold hold(lock_);
        WSOLO_ASSERT(token_ != token::pumping,
                     "a single_writer is destroyed while another thread is in its pump()");
        if (token_ == token::finished) return false;
        token_ = token::pumping;
        return true;
    }

    [[nodiscard]] token state() noexcept {
        const scoped_hold hold(lock_);
        return token_;
    }

    [[nodiscard]] std::size_t held_bytes() noexcept {
        const scoped_hold hold(lock_);
        return ledger_.held_data();
    }

    [[nodiscard]] drain_report report() noexcept {
        const scoped_hold hold(lock_);
        return report_held();
    }

private:
    enum class budget : bool { applies, waived };

    /// Memory found outside the lock. What was not used is freed, outside the lock too.
    struct supplies {
        supplies() = default;
        supplies(const supplies&) = delete;
        supplies& operator=(const supplies&) = delete;
        ~supplies() {
            segment::destroy(block);
            workload::destroy(work);
        }
        [[nodiscard]] bool fetch() noexcept {
            if (wanted_block == 0) return (work = workload::create()) != nullptr;
            segment::destroy(block); // one that another thread's larger need made too small
            return (block = segment::make_open(wanted_block)) != nullptr;
        }
        workload* work = nullptr;
        segment* block = nullptr;
        std::uint32_t wanted_block = 0; // 0: the workload is what is wanted
    };

    /// Accepts a frame of `size` bytes by `commit(room)`, all in one step with the judgement whether it may
    /// be; `room` has space for `in_block` bytes. Memory is fetched with the lock released, and everything is
    /// judged again.
    template <class Commit>
    push_result place(lane_id to, std::size_t size, std::size_t in_block, budget rule,
                      Commit commit) noexcept {
        supplies fresh;
        do {
            const scoped_hold hold(lock_);
            if (sealed_) return {errc::closed};
            if (rule == budget::applies) {
                if (const errc full = ledger_.admit(to, size); full != errc::none) return {full};
            }
            if (work_ == nullptr) work_ = std::exchange(fresh.work, nullptr);
            fresh.wanted_block = 0;
            if (work_ == nullptr) continue;
            segment* room = in_block == 0 ? nullptr : work_->make_room(to, in_block, fresh.block);
            if (in_block != 0 && room == nullptr) {
                fresh.wanted_block = work_->block_size;
                continue;
            }
            commit(room);
            ledger_.accept(to, size);
            return {errc::none, claim()};
        } while (fresh.fetch());
        return {errc::out_of_memory};
    }

    bool claim() noexcept {
        if (token_ != token::free) return false;
        token_ = token::scheduled;
        return true;
    }

    [[nodiscard]] bool mid_frame() const noexcept { return work_ != nullptr && work_->in_flight.mid_frame(); }

    [[nodiscard]] drain_report report_held() const noexcept {
        drain_report report;
        ledger_.fill(report);
        report.partial_frame = partial_frame_;
        report.deadline_hit = deadline_hit_;
        report.reason = reason_;
        report.transport_error = transport_error_;
        return report;
    }

    basic_spin_lock<Traits> lock_;
    token token_ = token::free;
    bool sealed_ = false;
    bool aborting_ = false;
    bool partial_frame_ = false;
    bool deadline_hit_ = false;
    errc reason_ = errc::none;
    int transport_error_ = 0;
    workload* work_ = nullptr;
    ledger ledger_;
};

} // namespace detail
} // namespace wsolo::inline WSOLO_ABI

// ---- wsolo/write/side.hpp
// The two sides of a writer: a server's frames go out as they are, a client's each take a fresh masking key.
//
// Laws of this file:
// - The side is a type: a server has no key source to misuse, a client can't be made without one (RFC 6455
// §5.1).
// - A side is used under its writer's lock, so a key source needs no lock of its own. What is encoded outside
// the lock
//   takes a key under it first.

namespace wsolo::inline WSOLO_ABI {

/// Encodes a server's frames. Empty.
class server_side {
public:
    static constexpr role self = role::server;

    /// Precondition: `to` has exactly encoded_size<self>(payload.size()) bytes.
    void encode(mutable_bytes to, frame_spec spec, const_bytes payload) noexcept {
        [[maybe_unused]] const auto written = encode_frame<self>(to, spec, payload);
        WSOLO_ASSERT(written && *written == to.size(), "a writer encodes exactly what it reserved");
    }
    [[nodiscard]] result<control_frame> close(close_code code, std::string_view reason) noexcept {
        return make_close<self>(code, reason);
    }
    /// An encoder for one frame, for use outside the lock.
    [[nodiscard]] server_side for_one_frame() noexcept { return {}; }
};

/// A key source with a single key in it, for a single frame.
class one_key {
public:
    one_key() = default;
    explicit one_key(masking_key key) noexcept : key_(key) {}
    [[nodiscard]] masking_key next_key() noexcept { return key_; }

private:
    masking_key key_{};
};

/// Encodes a client's frames with keys from `Keys`, which it owns.
template <key_source Keys = random_keys>
class client_side {
public:
    static constexpr role self = role::client;

    client_side() = default;
    explicit client_side(Keys keys) noexcept : keys_(std::move(keys)) {}

    /// Precondition: `to` has exactly encoded_size<self>(payload.size()) bytes.
    void encode(mutable_bytes to, frame_spec spec, const_bytes payload) noexcept {
        [[maybe_unused]] const auto written = encode_frame<self>(to, spec, payload, keys_);
        WSOLO_ASSERT(written && *written == to.size(), "a writer encodes exactly what it reserved");
    }
    [[nodiscard]] result<control_frame> close(close_code code, std::string_view reason) noexcept {
        return make_close<self>(code, reason, keys_);
    }
    /// An encoder for one frame, for use outside the lock. Takes one key.
    [[nodiscard]] client_side<one_key> for_one_frame() noexcept {
        return client_side<one_key>(one_key(keys_.next_key()));
    }

private:
    Keys keys_{};
};

} // namespace wsolo::inline WSOLO_ABI

// ---- wsolo/write/detail/settings.hpp
// writer_options' times in 16 bytes: what each of very many idle writers keeps of them.

namespace wsolo::inline WSOLO_ABI::detail {

/// Whole milliseconds below 2^32-1; anything longer (49 days) means "for ever", anything negative "at once".
class short_duration {
public:
    explicit constexpr short_duration(std::chrono::milliseconds span) noexcept
        : milliseconds_(span.count() < 0           ? 0
                        : span.count() >= for_ever ? for_ever
                                                   : static_cast<std::uint32_t>(span.count())) {}

    [[nodiscard]] constexpr duration get() const noexcept {
        return milliseconds_ == for_ever ? duration::max()
                                         : duration(std::chrono::milliseconds(milliseconds_));
    }

private:
    static constexpr std::uint32_t for_ever = UINT32_MAX;
    std::uint32_t milliseconds_;
};

struct settings {
    explicit constexpr settings(const writer_options& options) noexcept
        : write_timeout(options.timeouts.write),
          drain_timeout(options.timeouts.drain),
          min_rate(options.timeouts.min_rate),
          pump_quantum(options.pump_quantum) {}

    short_duration write_timeout;
    short_duration drain_timeout;
    std::uint32_t min_rate;
    std::uint32_t pump_quantum;
};

} // namespace wsolo::inline WSOLO_ABI::detail

// ---- wsolo/write/detail/attempt.hpp
// One call of the transport: what to offer it, until when, and what its answer means.
//
// Laws of this file:
// - A deadline belongs to one write: it is computed when the write starts and forgotten when everything
// offered was
//   taken, so no later write can inherit it.
// - Progress extends it only as far as the minimum rate allows, and never beyond a fresh timeout.

namespace wsolo::inline WSOLO_ABI::detail {

struct attempt {
    progress done;
    std::size_t written = 0;
    errc error = errc::none;
    bool blocked = false; ///< nothing wrong, but the transport must become writable first
    int transport_error = 0;

    /// The report's end of the story when `error` is one.
    [[nodiscard]] drain_report failure() const noexcept {
        drain_report end;
        end.reason = error;
        end.deadline_hit = error == errc::write_timed_out || error == errc::drain_timed_out;
        end.transport_error = error == errc::write_failed ? transport_error : 0;
        return end;
    }
};

/// A deadline `by` after `taken` more bytes, at `min_rate` bytes per second.
[[nodiscard]] inline time_point extended(time_point by, std::size_t taken, std::uint32_t min_rate) noexcept {
    if (min_rate == 0) return no_deadline; // no minimum: any progress earns a fresh timeout
    constexpr std::uint64_t billion = 1'000'000'000;
    const std::uint64_t earned =
        taken > UINT64_MAX / billion ? UINT64_MAX / min_rate : taken * billion / min_rate;
    constexpr auto longest = static_cast<std::uint64_t>(std::chrono::nanoseconds::max().count());
    return deadline_after(
        by, std::chrono::nanoseconds(static_cast<std::int64_t>(earned < longest ? earned : longest)));
}

[[nodiscard]] inline errc judge(const io_result& io, const workload& work, time_point started) noexcept {
    switch (io.status) {
    case io_status::ok: return io.transferred == 0 ? errc::write_failed : errc::none;
    case io_status::would_block: return started >= work.write_deadline ? errc::write_timed_out : errc::none;
    case io_status::timed_out:
        return work.drain_deadline < work.write_deadline ? errc::drain_timed_out : errc::write_timed_out;
    case io_status::failed: break;
    }
    return errc::write_failed;
}

/// Owner only, with no lock held. Precondition: the flight is not empty.
template <class Traits, transport Transport>
attempt attempt_write(Transport& connection, workload& work, const settings& options, bool only_begun_frame) {
    attempt made;
    const time_point started = Traits::clock::now();
    if (started >= work.drain_deadline) {
        made.error = errc::drain_timed_out;
        return made;
    }
    if (work.write_deadline == no_deadline)
        work.write_deadline = deadline_after(started, options.write_timeout.get());
    gather_plan plan;
    work.in_flight.plan(plan, only_begun_frame);
    const io_result io = connection.write(plan.parts(), earlier(work.write_deadline, work.drain_deadline));
    WSOLO_ASSERT(io.transferred <= plan.bytes(), "a transport took more bytes than it was offered");
    WSOLO_ASSERT(io.status != io_status::ok || io.transferred != 0,
                 "a transport took nothing and called it ok");
    made.written = io.transferred;
    made.done = work.in_flight.advance(plan, io.transferred);
    if (io.transferred == plan.bytes()) {
        work.write_deadline = no_deadline;
    } else if (io.transferred != 0) {
        const time_point fresh = deadline_after(Traits::clock::now(), options.write_timeout.get());
        work.write_deadline = earlier(fresh, extended(work.write_deadline, io.transferred, options.min_rate));
    }
    made.error = judge(io, work, started);
    made.blocked = io.status == io_status::would_block;
    made.transport_error = io.error;
    return made;
}

} // namespace wsolo::inline WSOLO_ABI::detail

// ---- wsolo/write/single_writer.hpp
// The only way to a connection's write side. Any thread sends; one thread at a time, the holder of the write
// token, writes whole frames, coalesced, each with a deadline of its own; close() drains within a bound and
// reports.
//
// Laws of this file:
// - After construction nothing else can reach the transport: replies and Close go through the same queue.
// - send() never waits for the transport: it queues, or says why not, and a rejected item is still the
// caller's.
// - The schedule hook is called once per idle-to-busy transition, outside any lock; pump() is what it owes.
// - A write's deadline is computed when that write starts, never inherited; after an error nothing follows.

namespace wsolo::inline WSOLO_ABI {

/// What pump() left behind.
enum class pump_status : std::uint8_t {
    idle,     ///< everything is written; the next send calls the hook
    blocked,  ///< the transport would block: pump() again when it is writable, or at `deadline`
    more,     ///< the quantum is used up; the hook was called again
    busy,     ///< another thread is inside pump(): nothing to do here
    finished, ///< over: see report()
};

/// `deadline` counts where the status is blocked, and may be no_deadline.
struct [[nodiscard]] pump_result {
    pump_status status = pump_status::idle;
    time_point deadline = no_deadline;
};

/// An observer that wants to know nothing. One of your own may have any of the functions that single_writer
/// names.
struct no_observer {};

/// Called to have pump() run soon, on whichever thread may write. Answers false (or nothing: void) to refuse.
template <class Hook>
concept schedule_hook = std::invocable<Hook&>;

/// See the file's laws. `Transport` is owned; `Schedule` is the hook; `Side` is server_side or client_side<>;
/// `Observer` may have `on_finished(const drain_report&)`, called once, by the pumping thread, with no lock
/// held. Thread safety: everything but construction and destruction. The destructor aborts (errc::aborted)
/// what is left; no other thread may be inside a call then. Idle it owns no heap block, mutex or thread.
template <transport Transport, schedule_hook Schedule, class Side = server_side, class Observer = no_observer,
          class Traits = std_traits>
class single_writer {
public:
    explicit single_writer(Transport connection, Schedule schedule, const writer_options& options = {},
                           Side side = {}, Observer observer = {})
        : box_(options.limits),
          settings_(options),
          transport_(std::move(connection)),
          schedule_(std::move(schedule)),
          side_(std::move(side)),
          observer_(std::move(observer)) {}

    single_writer(const single_writer&) = delete;
    single_writer& operator=(const single_writer&) = delete;

    ~single_writer() {
        if (box_.seize()) static_cast<void>(end({}, {.reason = errc::aborted}));
    }

    /// Queues a message; `payload` may be reused at once. errc::none: accepted, and counted in the drain
    /// report. Otherwise nothing happened: queue_full (try later), too_large (never), closed, out_of_memory.
    /// O(n).
    [[nodiscard]] errc send_text(std::string_view payload) {
        return send_message(opcode::text, bytes_of(payload));
    }
    [[nodiscard]] errc send_binary(const_bytes payload) { return send_message(opcode::binary, payload); }

    /// Queues a control frame: a reply from the reader, or make_ping() and the like. A PONG passes PINGs and
    /// data, a PING passes data, each on a frame boundary. A Close is close() with this body and the default
    /// drain bound.
    [[nodiscard]] errc send(const control_frame& frame) { return send(raw{frame.bytes()}); }

    /// Queues a reference to an encoded frame: above 2 KiB no byte is copied, below it a copy is cheaper.
    [[nodiscard]] errc send(const shared_frame& frame) {
        static_assert(Side::self == role::server,
                      "a client's frames each need a key of their own: send the payload");
        if (!frame) return errc::raw_frame_malformed;
        const const_bytes bytes = frame.bytes();
        if (bytes.size() <= detail::inline_limit) return send(raw{bytes});
        return push_segment(bytes.size(), [&] { return detail::segment::make_shared(frame); });
    }

    /// Queues one whole frame as it is. errc::raw_frame_malformed when it is not exactly that.
    [[nodiscard]] errc send(raw frame) {
        const header_parse parsed = parse_header(frame.bytes);
        if (!is_one_whole_frame(parsed, frame.bytes)) return errc::raw_frame_malformed;
        const auto copy = [&](mutable_bytes to) { std::memcpy(to.data(), frame.bytes.data(), to.size()); };
        switch (parsed.header.op) {
        case opcode::close:
            return drive(
                box_.push_close(frame.bytes.size(), drain_deadline(settings_.drain_timeout.get()), copy));
        case opcode::ping: return drive(box_.push_small(detail::lane_id::ping, frame.bytes.size(), copy));
        case opcode::pong: return drive(box_.push_small(detail::lane_id::pong, frame.bytes.size(), copy));
        default: return push_data(frame.bytes.size(), copy, copy);
        }
    }

    /// Queues whichever it is.
    [[nodiscard]] errc send(const outbound& item) {
        return std::visit([this](const auto& kind) { return this->send_kind(kind); }, item);
    }

    /// Queues a Close frame behind everything accepted so far and seals the writer: later sends answer
    /// errc::closed. What is queued is written within `drain_within` from now, then the transport is finished
    /// and the observer told. errc::closed when it was closed before; invalid_close_code and the like for a
    /// body that may not be sent.
    [[nodiscard]] errc close(close_code code, std::string_view reason, duration drain_within) {
        const auto frame = box_.locked([&] { return side_.close(code, reason); });
        if (!frame) return frame.error();
        const const_bytes bytes = frame->bytes();
        return drive(box_.push_close(bytes.size(), drain_deadline(drain_within), [&](mutable_bytes to) {
            std::memcpy(to.data(), bytes.data(), to.size());
        }));
    }
    [[nodiscard]] errc close(close_code code, std::string_view reason = {}) {
        return close(code, reason, settings_.drain_timeout.get());
    }

    /// Seals, and drops what is queued at the next frame boundary; `why` becomes the report's reason. No
    /// Close is sent.
    void abort(errc why = errc::aborted) {
        if (box_.abort(why)) schedule();
    }

    /// Writes until the queue is empty, the transport would block, or the quantum is used up. Call it when
    /// the hook asked, when the transport became writable, or when a deadline passed; a call too many is
    /// harmless.
    pump_result pump() {
        if (!box_.begin()) return {standing()};
        return run();
    }

    /// For the thread that pumps, after pump_status::blocked: waits in the transport. False: the deadline
    /// passed first.
    [[nodiscard]] bool wait_writable(time_point deadline)
        requires waitable_transport<Transport>
    {
        return transport_.wait_writable(deadline);
    }

    /// What became of everything so far; final once pump() said finished.
    [[nodiscard]] drain_report report() const noexcept { return box_.report(); }
    [[nodiscard]] bool finished() const noexcept { return box_.state() == token::finished; }
    /// Whether pump() is owed, by the hook or by writability.
    [[nodiscard]] bool wants_write() const noexcept {
        const token held = box_.state();
        return held == token::scheduled || held == token::parked;
    }
    /// Budget in use, overhead included, in bytes.
    [[nodiscard]] std::size_t queued_bytes() const noexcept { return box_.held_bytes(); }

private:
    using clock = typename Traits::clock;

    // ---- the senders' half
    // -------------------------------------------------------------------------------------

    errc send_kind(const raw& item) { return send(item); }
    errc send_kind(const text& item) { return send_text(item.payload); }
    errc send_kind(const binary& item) { return send_binary(item.payload); }
    errc send_kind(const shared& item) {
        if constexpr (Side::self == role::server)
            return send(item.frame);
        else
            return errc::raw_frame_malformed; // unmasked, so not a frame of this side
    }

    errc send_message(opcode op, const_bytes payload) {
        return push_data(
            encoded_size<Side::self>(payload.size()),
            [&](mutable_bytes to) { side_.encode(to, op, payload); },
            [&](mutable_bytes to) {
                auto encoder = box_.locked([&] { return side_.for_one_frame(); });
                encoder.encode(to, op, payload);
            });
    }

    /// `encode` runs under the lock for a small frame, `encode_outside` without it for a large one.
    template <class Encode, class EncodeOutside>
    errc push_data(std::size_t size, Encode encode, EncodeOutside encode_outside) {
        if (size <= detail::inline_limit) return drive(box_.push_small(detail::lane_id::data, size, encode));
        return push_segment(size, [&] {
            detail::segment* whole = detail::segment::make_whole(size);
            if (whole != nullptr) encode_outside(whole->writable());
            return whole;
        });
    }

    template <class Make>
    errc push_segment(std::size_t size, Make make) {
        if (const errc full = box_.admits(size); full != errc::none)
            return full; // before the work, and again after it
        detail::segment* whole = make();
        if (whole == nullptr) return errc::out_of_memory;
        const detail::push_result pushed = box_.push_whole(whole);
        if (pushed.error != errc::none) detail::segment::destroy(whole);
        return drive(pushed);
    }

    errc drive(detail::push_result pushed) {
        if (pushed.drive) schedule();
        return pushed.error;
    }

    void schedule() {
        if (hook_accepts()) return;
        if (box_.begin()) static_cast<void>(end({}, {.reason = errc::schedule_refused}));
    }

    bool hook_accepts() {
        if constexpr (std::convertible_to<std::invoke_result_t<Schedule&>, bool>) {
            return static_cast<bool>(schedule_());
        } else {
            schedule_();
            return true;
        }
    }

    static bool is_one_whole_frame(const header_parse& parsed, const_bytes bytes) noexcept {
        if (parsed.status != parse_status::complete) return false;
        const frame_header& header = parsed.header;
        return check_first_two(bytes[0], bytes[1], peer_of(Side::self), rsv1_bit) == errc::none &&
               check_length(parsed.length_field, header.payload_size) == errc::none && header.fin &&
               header.op != opcode::continuation && header.payload_size == bytes.size() - parsed.size;
    }

    [[nodiscard]] time_point drain_deadline(duration within) const noexcept {
        return deadline_after(clock::now(), within);
    }

    // ---- the owner's half
    // --------------------------------------------------------------------------------------

    pump_result standing() const noexcept {
        switch (box_.state()) {
        case token::pumping: return {pump_status::busy};
        case token::finished: return {pump_status::finished};
        default: return {pump_status::idle};
        }
    }

    /// Holds the token: it leaves by being released, parked, handed over or finished.
    pump_result run() {
        detail::attempt last;
        for (std::size_t written = 0;; written += last.written) {
            detail::workload* idle = nullptr;
            const detail::next_step step = box_.next(last.done, idle);
            switch (step) {
            case detail::next_step::released: detail::workload::destroy(idle); return {pump_status::idle};
            case detail::next_step::drained: return end({}, {});
            case detail::next_step::aborted: return end({}, {.reason = errc::aborted});
            default: break;
            }
            if (written >= settings_.pump_quantum) {
                box_.hand_over();
                schedule();
                return {pump_status::more};
            }
            last = detail::attempt_write<Traits>(transport_, *box_.work(), settings_,
                                                 step == detail::next_step::write_begun_frame);
            if (last.error != errc::none) return end(last.done, last.failure());
            if (last.blocked) {
                pump_result parked{pump_status::blocked};
                if (box_.park(last.done, parked.deadline)) return parked;
                last.done = {};
            }
        }
    }

    /// Holds the token, for the last time.
    pump_result end(const detail::progress& done, const drain_report& how) {
        detail::workload* rest = nullptr;
        const drain_report report = box_.finish(done, how, rest);
        detail::workload::destroy(rest);
        transport_.finish(report.clean() ? end_of_write::drained : end_of_write::broken);
        if constexpr (requires { observer_.on_finished(report); }) observer_.on_finished(report);
        return {pump_status::finished};
    }

    mutable detail::outbox<Traits> box_;
    detail::settings settings_;
    Transport transport_;
    Schedule schedule_;
    [[no_unique_address]] Side side_;
    [[no_unique_address]] Observer observer_;
};

} // namespace wsolo::inline WSOLO_ABI

// ---- wsolo/write/threaded.hpp
// The threaded drive: a single_writer and a thread that pumps it, for servers without a loop of their own.
//
// Laws of this file:
// - The thread sleeps while there is nothing to write, and ends when the writer is finished.
// - The destructor aborts what is left and joins; for a drain call close() and wait() first.

namespace wsolo::inline WSOLO_ABI {

/// Owns the writer and its thread: `out->send_text(...)`, `out->close(...)`. Everything that single_writer
/// offers may be called from any thread. With a transport that waits inside write(), a drain's bound is
/// noticed when the write that stands has ended; with a waitable_transport within 20 ms.
template <transport Transport, class Side = server_side, class Observer = no_observer,
          class Traits = std_blocking_traits>
class threaded_writer {
    struct wake_hook {
        threaded_writer* self;
        void operator()() const { self->wake(); }
    };

public:
    using writer_type = single_writer<Transport, wake_hook, Side, Observer, Traits>;

    explicit threaded_writer(Transport connection, const writer_options& options = {}, Side side = {},
                             Observer observer = {})
        : writer_(std::move(connection), wake_hook{this}, options, std::move(side), std::move(observer)),
          thread_([this] { run(); }) {}

    threaded_writer(const threaded_writer&) = delete;
    threaded_writer& operator=(const threaded_writer&) = delete;

    ~threaded_writer() {
        writer_.abort();
        thread_.join();
    }

    [[nodiscard]] writer_type* operator->() noexcept { return &writer_; }
    [[nodiscard]] const writer_type* operator->() const noexcept { return &writer_; }
    [[nodiscard]] writer_type& writer() noexcept { return writer_; }

    /// Waits until the writer is finished: closed and drained, aborted, or failed. False when the deadline
    /// passed first. Not from the observer, which runs on the thread that this waits for.
    [[nodiscard]] bool wait(time_point deadline = no_deadline) {
        WSOLO_ASSERT(std::this_thread::get_id() != thread_.get_id(),
                     "wait() from the writer's own thread never returns");
        std::unique_lock hold(mutex_);
        const auto over = [this] { return finished_; };
        if (deadline != no_deadline) return changed_.wait_until(hold, deadline, over);
        changed_.wait(hold, over);
        return true;
    }

private:
    void run() {
        pump_result left{};
        do {
            sleep();
            do {
                left = writer_.pump();
                if (left.status == pump_status::blocked) wait_writable(left.deadline);
            } while (left.status == pump_status::blocked || left.status == pump_status::more);
        } while (left.status != pump_status::finished);
        const std::lock_guard hold(mutex_);
        finished_ = true;
        changed_.notify_all();
    }

    void wait_writable(time_point deadline) {
        if constexpr (waitable_transport<Transport>) {
            // In slices, because a close() or abort() meanwhile may bring the deadline forward.
            const time_point slice = deadline_after(Traits::clock::now(), std::chrono::milliseconds(20));
            static_cast<void>(writer_.wait_writable(detail::earlier(deadline, slice)));
        } else {
            static_cast<void>(deadline);
            WSOLO_ASSERT(false,
                         "the threaded drive needs a transport that waits in write() or has wait_writable()");
        }
    }

    void wake() {
        const std::lock_guard hold(mutex_);
        awake_ = true;
        changed_.notify_all();
    }

    void sleep() {
        std::unique_lock hold(mutex_);
        changed_.wait(hold, [this] { return awake_; });
        awake_ = false;
    }

    typename Traits::mutex mutex_;
    typename Traits::condition_variable changed_;
    bool awake_ = false;
    bool finished_ = false;
    writer_type writer_;
    std::thread thread_;
};

} // namespace wsolo::inline WSOLO_ABI

#endif // WSOLO_SINGLE_HEADER
