// SPDX-License-Identifier: MIT
// wsolo 0.1.0: the codec alone, frames and UTF-8; wsolo.hpp beside it has the rest.
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

#if (defined(_MSVC_LANG) ? _MSVC_LANG : __cplusplus) < 202002L
#error "wsolo needs C++20 (-std=c++20)"
#include <wsolo_needs_cxx20> // does not exist: compilers stop here, before hundreds of errors that say nothing
#endif
#if defined(WSOLO_VERSION_MAJOR) && !defined(WSOLO_SINGLE_HEADER) && !defined(WSOLO_SINGLE_CODEC)
#error "wsolo: this translation unit already has wsolo's separate headers; use those or the single header, not both"
#endif
#if (defined(WSOLO_SINGLE_HEADER) || defined(WSOLO_SINGLE_CODEC)) && \
    (WSOLO_VERSION_MAJOR != 0 || WSOLO_VERSION_MINOR != 1 || WSOLO_VERSION_PATCH != 0)
#error "wsolo: two versions of the single header in one translation unit; remove the include of one of them"
#endif

#if !defined(WSOLO_SINGLE_HEADER) && !defined(WSOLO_SINGLE_CODEC)
#define WSOLO_SINGLE_CODEC 1

#include <array>
#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <span>
#include <string_view>
#include <type_traits>
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
//   units (or two vendored copies) with different settings link together and never share a function.
// - A caller's mistake fails a WSOLO_ASSERT, with a sentence that names it; bad input from a peer never
// does.

#if (defined(_MSVC_LANG) ? _MSVC_LANG : __cplusplus) < 202002L
#error "wsolo needs C++20 (-std=c++20)"
#include <wsolo_needs_cxx20> // does not exist: compilers stop here, before hundreds of errors that say nothing
#endif

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
// The byte types: spans, network byte order, and the conversion between text and bytes.
//
// Laws of this file:
// - A span is a view: it owns nothing, and the function that hands one out says how long it lives.
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

// ---- wsolo/core/cpu.hpp
// Which vector unit may be used here: the one that the compiler was told of, or, in a generic x86-64 build,
// the widest that the processor and the system turn out to have.
//
// Laws of this file:
// - A build with -mavx2 and the like pays for no choice at run time, and never uses a wider unit than it was
// told.
// - 512-bit vectors are taken only with AVX-512 VBMI: processors before it slow down when they see them.

// GCC does not align the stack for wide vectors on Windows (its bug 54412), so only clang may use them there.
#if defined(__x86_64__) && defined(__GNUC__) && (!defined(_WIN32) || defined(__clang__))
/// Functions for wider vector units are compiled in, each by its own target attribute.
#define WSOLO_X86_KERNELS 1
#else
#define WSOLO_X86_KERNELS 0
#endif

namespace wsolo::inline WSOLO_ABI::detail {

/// From narrow to wide, so that `<` compares their widths. `baseline` is what every build of this target may use.
enum class vector_unit : std::uint8_t { baseline, ssse3, avx2, avx512 };

/// The widest unit that may be used: a constant where the build is told of AVX2 or more, otherwise a few loads and
/// tests, which also ask whether the system saves the registers.
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

// ---- wsolo/core/chacha20.hpp
// The ChaCha20 block function (RFC 8439 §2.3), several blocks side by side, one to a vector lane.
//
// Laws of this file:
// - A pure function of key and counter, constant in time: no branch and no index depends on the key.
// - The nonce is zero: the caller uses each key for one run of counters only.
// - Every width writes the same bytes in the same order, so that a seed replays the same on every CPU.

namespace wsolo::inline WSOLO_ABI::detail {

/// A ChaCha20 key as its eight words.
using chacha20_key = std::array<std::uint32_t, 8>;

inline constexpr std::array<std::uint32_t, 4> chacha20_constants{0x61707865, 0x3320646e, 0x79622d32,
                                                                 0x6b206574};
inline constexpr std::size_t chacha20_block_size = 64;
/// Blocks are written four at a time, interleaved: word i of each of the four, then word i + 1 of each. For a
/// generator of keys any fixed order will do, and a transposition would cost a fifth of the time.
inline constexpr std::size_t chacha20_group = 4;

#if defined(__GNUC__) && (!defined(__i386__) || defined(__SSE2__)) // else a vector can't be passed on
using chacha20_lanes4 = std::uint32_t __attribute__((vector_size(16)));
#else
/// Four words that behave like a vector, where the compiler has none.
struct chacha20_lanes4 {
    std::uint32_t word[4];

    friend chacha20_lanes4 operator+(chacha20_lanes4 left, const chacha20_lanes4& right) noexcept {
        for (int i = 0; i < 4; ++i) left.word[i] += right.word[i];
        return left;
    }
    friend chacha20_lanes4 operator^(chacha20_lanes4 left, const chacha20_lanes4& right) noexcept {
        for (int i = 0; i < 4; ++i) left.word[i] ^= right.word[i];
        return left;
    }
    friend chacha20_lanes4 operator|(chacha20_lanes4 left, const chacha20_lanes4& right) noexcept {
        for (int i = 0; i < 4; ++i) left.word[i] |= right.word[i];
        return left;
    }
    friend chacha20_lanes4 operator<<(chacha20_lanes4 left, int by) noexcept {
        for (int i = 0; i < 4; ++i) left.word[i] <<= by;
        return left;
    }
    friend chacha20_lanes4 operator>>(chacha20_lanes4 left, int by) noexcept {
        for (int i = 0; i < 4; ++i) left.word[i] >>= by;
        return left;
    }
};
#endif

/// §2.1, on four blocks.
inline void chacha20_quarter4(chacha20_lanes4& a, chacha20_lanes4& b, chacha20_lanes4& c,
                              chacha20_lanes4& d) noexcept {
    a = a + b;
    d = d ^ a;
    d = d << 16 | d >> 16;
    c = c + d;
    b = b ^ c;
    b = b << 12 | b >> 20;
    a = a + b;
    d = d ^ a;
    d = d << 8 | d >> 24;
    c = c + d;
    b = b ^ c;
    b = b << 7 | b >> 25;
}

/// Writes the blocks `counter` to `counter + 3` to `to`, 256 bytes.
inline void chacha20_blocks4(const chacha20_key& key, std::uint32_t counter, std::byte* to) noexcept {
    const auto all = [](std::uint32_t word) { return chacha20_lanes4{word, word, word, word}; };
    std::array<chacha20_lanes4, 16> input{};
    for (std::size_t i = 0; i < 4; ++i) input[i] = all(chacha20_constants[i]);
    for (std::size_t i = 0; i < 8; ++i) input[4 + i] = all(key[i]);
    input[12] = all(counter) + chacha20_lanes4{0, 1, 2, 3};

    std::array<chacha20_lanes4, 16> x = input;
    for (int round = 0; round < 10; ++round) {
        chacha20_quarter4(x[0], x[4], x[8], x[12]);
        chacha20_quarter4(x[1], x[5], x[9], x[13]);
        chacha20_quarter4(x[2], x[6], x[10], x[14]);
        chacha20_quarter4(x[3], x[7], x[11], x[15]);
        chacha20_quarter4(x[0], x[5], x[10], x[15]);
        chacha20_quarter4(x[1], x[6], x[11], x[12]);
        chacha20_quarter4(x[2], x[7], x[8], x[13]);
        chacha20_quarter4(x[3], x[4], x[9], x[14]);
    }
    for (std::size_t i = 0; i < 16; ++i) {
        const chacha20_lanes4 words = x[i] + input[i];
        std::memcpy(to + i * sizeof words, &words, sizeof words);
    }
}

#if WSOLO_X86_KERNELS
using chacha20_lanes8 = std::uint32_t __attribute__((vector_size(32)));

/// §2.1, on eight blocks. Not a template over the width: GCC splits vectors before it inlines, so the wide
/// operations must be written where AVX2 is on.
__attribute__((target("avx2"), always_inline)) inline void
chacha20_quarter8(chacha20_lanes8& a, chacha20_lanes8& b, chacha20_lanes8& c, chacha20_lanes8& d) noexcept {
    a = a + b;
    d = d ^ a;
    d = d << 16 | d >> 16;
    c = c + d;
    b = b ^ c;
    b = b << 12 | b >> 20;
    a = a + b;
    d = d ^ a;
    d = d << 8 | d >> 24;
    c = c + d;
    b = b ^ c;
    b = b << 7 | b >> 25;
}

/// The same bytes as two calls of chacha20_blocks4: blocks `counter` to `counter + 7`, 512 bytes.
__attribute__((target("avx2"))) inline void chacha20_blocks8(const chacha20_key& key, std::uint32_t counter,
                                                             std::byte* to) noexcept {
    std::array<chacha20_lanes8, 16> input{};
    for (std::size_t i = 0; i < 4; ++i) input[i] += chacha20_constants[i];
    for (std::size_t i = 0; i < 8; ++i) input[4 + i] += key[i];
    input[12] = chacha20_lanes8{0, 1, 2, 3, 4, 5, 6, 7} + counter;

    std::array<chacha20_lanes8, 16> x = input;
    for (int round = 0; round < 10; ++round) {
        chacha20_quarter8(x[0], x[4], x[8], x[12]);
        chacha20_quarter8(x[1], x[5], x[9], x[13]);
        chacha20_quarter8(x[2], x[6], x[10], x[14]);
        chacha20_quarter8(x[3], x[7], x[11], x[15]);
        chacha20_quarter8(x[0], x[5], x[10], x[15]);
        chacha20_quarter8(x[1], x[6], x[11], x[12]);
        chacha20_quarter8(x[2], x[7], x[8], x[13]);
        chacha20_quarter8(x[3], x[4], x[9], x[14]);
    }
    for (std::size_t i = 0; i < 16; ++i) {
        const chacha20_lanes8 words = x[i] + input[i];
        const auto* halves = reinterpret_cast<const std::byte*>(&words);
        std::memcpy(to + i * 16, halves, 16);
        std::memcpy(to + chacha20_group * chacha20_block_size + i * 16, halves + 16, 16);
    }
}
#endif

/// chacha20_run by `unit`, which this processor must have.
inline void chacha20_run_by([[maybe_unused]] vector_unit unit, const chacha20_key& key, std::uint32_t count,
                            std::byte* to) noexcept {
#if WSOLO_X86_KERNELS
    if (unit >= vector_unit::avx2) { // a third copy for AVX-512 was not worth its lines: keys are drawn ahead

        for (std::uint32_t i = 0; i < count; i += 8) chacha20_blocks8(key, i, to + i * chacha20_block_size);
        return;
    }
#endif
    for (std::uint32_t i = 0; i < count; i += 4) chacha20_blocks4(key, i, to + i * chacha20_block_size);
}

/// Writes the blocks 0 to `count - 1`; count is a multiple of 8.
inline void chacha20_run(const chacha20_key& key, std::uint32_t count, std::byte* to) noexcept {
    chacha20_run_by(usable_vector_unit(), key, count, to);
}

} // namespace wsolo::inline WSOLO_ABI::detail

// ---- wsolo/core/detail/exchange.hpp
// std::exchange for values whose moves do not throw. What std's own asks of each type for its exception specification costs every
// source that includes wsolo.hpp half a millisecond per type, and there are dozens.

namespace wsolo::inline WSOLO_ABI::detail {

/// The old value of `place`, which becomes `fresh`. Called with its namespace, or std::exchange is found as well.
template <class T, class U = T>
[[nodiscard]] constexpr T exchange(T& place, U&& fresh) noexcept {
    T old = static_cast<T&&>(place);
    place = static_cast<U&&>(fresh);
    return old;
}

} // namespace wsolo::inline WSOLO_ABI::detail

// ---- wsolo/core/error.hpp
// One enumerator per violated rule, and one table that says the rest: the sentence, the section, the side to
// blame, what kind of end it is, and the close code that the rule's violation is answered with.
//
// Laws of this file:
// - "Need more bytes" is never an error, and no error is ever also a success: `errc::none` is the only
// non-error.
// - A sentence that a peer or a user reads names the field and the rule.
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

    /// Whether there is a value; error() is none then.
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
// - Randomness is an argument: the code that masks is handed a key source.
// - A block of keystream is used once and wiped as it is handed out; the generator's key is replaced at every
//   refill, so that a later look at the memory does not reveal earlier keys ("fast key erasure").
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
    /// In the order of the wire (RFC 6455 §5.3).
    std::array<std::byte, 4> bytes{};
    friend constexpr bool operator==(const masking_key&, const masking_key&) noexcept = default;
};

/// Anything that yields a fresh, unpredictable key per call.
template <class Source>
concept key_source = requires(Source& source) {
    { source.next_key() } noexcept -> std::same_as<masking_key>;
};

/// A key source with a single key in it, for a single frame. A value: the thread that draws the key and the one that masks with it
/// need not be the same.
class one_key {
public:
    explicit one_key(masking_key key) noexcept : key_(key) {}
    /// Returns the same key at every call.
    [[nodiscard]] masking_key next_key() const noexcept { return key_; }

private:
    masking_key key_;
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
/// connection. Movable, not copyable: a copy would repeat its keys. A key costs a few nanoseconds; a refill
/// (every 248 keys) costs one ChaCha20 pass and no system call.
class random_keys {
public:
    /// 32 bytes of seed, for instance from system_random(). Equal seeds give equal keys: only a test may
    /// use a seed twice.
    explicit random_keys(std::span<const std::byte, 32> seed) noexcept { reseed(seed); }

    /// Seeded from the system. Aborts when the system has no entropy to give: a client must not mask
    /// predictably, and there is nothing sensible to mask with instead. To handle it, take 32 bytes from
    /// system_random() yourself.
    random_keys() noexcept { reseed_or_abort(); }

    /// The source that was moved from seeds itself from the system at its next use, as the default constructor does.
    random_keys(random_keys&& other) noexcept { *this = std::move(other); }
    random_keys& operator=(random_keys&& other) noexcept {
        if (this == &other) return *this;
        key_ = other.key_;
        buffer_ = other.buffer_;
        used_ = other.used_;
        seeded_ = detail::exchange(other.seeded_, false);
        other.wipe_all();
        return *this;
    }
    ~random_keys() { wipe_all(); }

    /// Replaces the whole state; buffered keystream is dropped.
    void reseed(std::span<const std::byte, 32> seed) noexcept {
        std::memcpy(key_.data(), seed.data(), sizeof key_);
        wipe(buffer_.data(), buffer_.size());
        used_ = buffer_.size();
        seeded_ = true;
    }

    /// Replaces the whole state with a seed from the system. On errc::entropy_unavailable the state is unchanged.
    [[nodiscard]] errc reseed() noexcept {
        std::array<std::byte, 32> seed;
        const errc error = system_random(mutable_bytes(seed.data(), seed.size()));
        if (error == errc::none) reseed(std::span<const std::byte, 32>(seed.data(), 32));
        wipe(seed.data(), seed.size());
        return error;
    }

    /// The next four bytes of the stream, as a key. O(1), a few nanoseconds.
    [[nodiscard]] masking_key next_key() noexcept {
        masking_key key;
        if (buffer_.size() - used_ >= sizeof key) [[likely]] { // fill() in two moves
            std::memcpy(&key, buffer_.data() + used_, sizeof key);
            std::memset(buffer_.data() + used_, 0, sizeof key);
            used_ += sizeof key;
        } else {
            fill(mutable_bytes(key.bytes.data(), key.bytes.size()));
        }
        return key;
    }

    /// Fills `to` with the next bytes of the stream (a handshake's nonce takes 16). O(n).
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
    static constexpr std::uint32_t block_count = 16;

    static void wipe(void* at, std::size_t count) noexcept {
        std::memset(at, 0, count);
#if defined(__GNUC__)
        __asm__ volatile("" : : "r"(at) : "memory"); // keeps the compiler from removing the zeroing
#endif
    }

    void wipe_all() noexcept {
        wipe(key_.data(), sizeof key_);
        wipe(buffer_.data(), buffer_.size());
        used_ = buffer_.size();
    }

    void reseed_or_abort() noexcept {
        if (reseed() == errc::none) return;
        detail::assertion_failed("reseed()", "the system gave no random bytes", __FILE__, __LINE__);
    }

    /// The first bytes of each refill become the next key and are never handed out.
    [[gnu::noinline]] void refill() noexcept {
        if (!seeded_) reseed_or_abort();
        detail::chacha20_run(key_, block_count, buffer_.data());
        std::memcpy(key_.data(), buffer_.data(), sizeof key_);
        wipe(buffer_.data(), sizeof key_);
        used_ = sizeof key_;
    }

    detail::chacha20_key key_{};
    std::array<std::byte, detail::chacha20_block_size * block_count> buffer_{};
    std::size_t used_ = 0;
    bool seeded_ = false;
};

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

inline constexpr std::uint8_t two_continuations = 0x80;

// The ways of being wrong, by bit: a first byte and a second byte. Written out, for to compute them costs each source that
// includes this 5 ms; the tests compare every pair of bytes.
//   0x01  00..7F 80..BF  a continuation that nothing asked for
//   0x02  C0..FF 00..7F  a lead, then no continuation; and C0..FF C0..FF
//   0x04  C0..C1 80..BF  overlong, two bytes
//   0x08  E0     80..9F  overlong, three bytes
//   0x10  ED     A0..BF  a surrogate
//   0x20  F4..FF 90..BF  beyond U+10FFFF
//   0x40  F0     80..8F  overlong, four bytes; and F5..FF 80..8F, beyond U+10FFFF (their union is a product of nibble sets)
//   0x80  80..BF 80..BF  two_continuations

/// For each nibble the faults that a byte with that nibble may take part in: the first byte's two nibbles, and the second
/// byte's high one.
inline constexpr utf8_table utf8_first_high{0x01, 0x01, 0x01, 0x01, 0x01, 0x01, 0x01, 0x01,
                                            0x80, 0x80, 0x80, 0x80, 0x06, 0x02, 0x1A, 0x62};
inline constexpr utf8_table utf8_first_low{0xCF, 0x87, 0x83, 0x83, 0xA3, 0xE3, 0xE3, 0xE3,
                                           0xE3, 0xE3, 0xE3, 0xE3, 0xE3, 0xF3, 0xE3, 0xE3};
inline constexpr utf8_table utf8_second_high{0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02,
                                             0xCD, 0xAD, 0xB5, 0xB5, 0x02, 0x02, 0x02, 0x02};

/// Subtracted with saturation, these leave the top bit set in three-byte leads and above (four-byte leads).
inline constexpr std::uint8_t utf8_third_excess = 0xE0 - 0x80;
inline constexpr std::uint8_t utf8_fourth_excess = 0xF0 - 0x80;

} // namespace wsolo::inline WSOLO_ABI::detail

// ---- wsolo/core/detail/xor_narrow.hpp
// XOR with a repeated 32-bit word, 16 bytes at a time: what every CPU can do (SSE2, NEON, or two 64-bit
// words).
//
// Laws of this file:
// - Words are moved by memcpy, and no byte outside [0, size) is touched: a size that is no multiple of the
//   word is met by two words that overlap. All that overlaps is read before any of it is written, so in place
//   is fine.
// - The 32-bit word holds the key in memory order, so nothing here depends on the byte order but `advance`.
// - A word of 0 makes the same functions copy.

namespace wsolo::inline WSOLO_ABI::detail {

/// 16 bytes as two words: where the compiler has no vector type.
struct two_words {
    std::uint64_t low;
    std::uint64_t high;

    friend two_words operator^(two_words left, two_words right) noexcept {
        return {left.low ^ right.low, left.high ^ right.high};
    }
};

#if defined(__GNUC__) && (!defined(__i386__) || defined(__SSE2__)) // else a vector can't be passed on
using chunk16 = std::uint64_t __attribute__((vector_size(16)));
#else
using chunk16 = two_words;
#endif

/// The key, turned so that its first byte meets the payload byte at `offset`.
inline std::uint32_t advance(std::uint32_t word, std::uint64_t offset) noexcept {
    const unsigned bits = static_cast<unsigned>(offset & 3) * 8;
    const unsigned others =
        (32 - bits) & 31; // by shifts: libc++ and the standard disagree on std::rotr's type
    return std::endian::native == std::endian::little ? word >> bits | word << others
                                                      : word << bits | word >> others;
}

inline std::uint32_t key_word(masking_key key, std::uint64_t offset) noexcept {
    return advance(std::bit_cast<std::uint32_t>(key.bytes), offset);
}

template <class Word>
Word load_word(const std::byte* from) noexcept {
    Word word;
    std::memcpy(&word, from, sizeof word);
    return word;
}

template <class Word>
void store_word(std::byte* to, Word word) noexcept {
    std::memcpy(to, &word, sizeof word);
}

/// `word` repeated to fill a Word.
template <class Word>
Word spread(std::uint32_t word) noexcept {
    const std::uint64_t pair = std::uint64_t{word} << 32 | word;
    if constexpr (sizeof(Word) == 16) {
        return Word{pair, pair};
    } else {
        return static_cast<Word>(pair);
    }
}

/// sizeof(Word) <= size <= 2 * sizeof(Word).
template <class Word>
void xor_two(std::byte* to, const std::byte* from, std::size_t size, std::uint32_t word) noexcept {
    const std::size_t last = size - sizeof(Word);
    const auto head = static_cast<Word>(load_word<Word>(from) ^ spread<Word>(word));
    const auto tail = static_cast<Word>(load_word<Word>(from + last) ^ spread<Word>(advance(word, last)));
    store_word(to, head);
    store_word(to + last, tail);
}

/// size <= 32.
template <class Chunk = chunk16>
[[gnu::always_inline]] inline void xor_upto_32(std::byte* to, const std::byte* from, std::size_t size,
                                               std::uint32_t word) noexcept {
    if (size >= 16) return xor_two<Chunk>(to, from, size, word);
    if (size >= 8) return xor_two<std::uint64_t>(to, from, size, word);
    if (size >= 4) return xor_two<std::uint32_t>(to, from, size, word);
    if (size == 0) return;
    std::byte key[4];
    std::memcpy(key, &word, 4);
    const std::size_t middle = size / 2; // 1 to 3 bytes: first, middle and last are all of them
    const std::byte a = from[0] ^ key[0];
    const std::byte b = from[middle] ^ key[middle];
    const std::byte c = from[size - 1] ^ key[size - 1];
    to[0] = a;
    to[middle] = b;
    to[size - 1] = c;
}

/// 32 <= size: four chunks a step, the last 32 bytes on their own.
template <class Chunk = chunk16>
void xor_from_32(std::byte* to, const std::byte* from, std::size_t size, std::uint32_t word) noexcept {
    const auto pattern = spread<Chunk>(word);
    const std::size_t last = size - 32;
    const auto turned = spread<Chunk>(advance(word, last));
    const Chunk tail0 = load_word<Chunk>(from + last) ^ turned;
    const Chunk tail1 = load_word<Chunk>(from + last + 16) ^ turned;
    std::size_t at = 0;
    for (; at + 64 <= size; at += 64) {
        const Chunk a = load_word<Chunk>(from + at) ^ pattern;
        const Chunk b = load_word<Chunk>(from + at + 16) ^ pattern;
        const Chunk c = load_word<Chunk>(from + at + 32) ^ pattern;
        const Chunk d = load_word<Chunk>(from + at + 48) ^ pattern;
        store_word(to + at, a);
        store_word(to + at + 16, b);
        store_word(to + at + 32, c);
        store_word(to + at + 48, d);
    }
    if (at < last) {
        const Chunk a = load_word<Chunk>(from + at) ^ pattern;
        const Chunk b = load_word<Chunk>(from + at + 16) ^ pattern;
        store_word(to + at, a);
        store_word(to + at + 16, b);
    }
    store_word(to + last, tail0);
    store_word(to + last + 16, tail1);
}

/// Any size.
template <class Chunk = chunk16>
void xor_narrow(std::byte* to, const std::byte* from, std::size_t size, std::uint32_t word) noexcept {
    if (size <= 32) return xor_upto_32<Chunk>(to, from, size, word);
    xor_from_32<Chunk>(to, from, size, word);
}

} // namespace wsolo::inline WSOLO_ABI::detail

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

/// The range of the byte that a state waits for, and the state after it.
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

/// The state after a code point's first byte (RFC 3629 §4).
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

/// Runs the automaton over `bytes` from `state` and leaves the state after them there. Returns how many
/// bytes were accepted: all of them, or the index of the first bad one with `state` failed. O(n).
[[nodiscard]] inline std::size_t utf8_scan_scalar(const_bytes bytes, utf8_state& state) noexcept {
    utf8_state now = state;
    std::size_t at = 0;
    while (at < bytes.size()) {
        if (now == utf8_state::boundary) {
            at += ascii_words(bytes.subspan(at));
            if (at == bytes.size()) break;
        }
        now = utf8_step(now, bytes[at]);
        if (now == utf8_state::failed) break;
        ++at;
    }
    state = now;
    return at;
}

} // namespace wsolo::inline WSOLO_ABI::detail

// ---- wsolo/text/detail/utf8_plain.hpp
// Whole-text UTF-8 validation by the automaton, with words of ASCII skipped: for machines without vectors,
// and for texts too short for them. See utf8_blocks.hpp for the contract.

namespace wsolo::inline WSOLO_ABI::detail {

struct utf8_plain {
    template <class Byte>
    static bool run(Byte* at, std::size_t size, std::uint32_t key) noexcept {
        if constexpr (!std::is_const_v<Byte>) xor_narrow(at, at, size, key);
        utf8_state state = utf8_state::boundary;
        return utf8_scan_scalar({at, size}, state) == size;
    }
};

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

/// The indices of a vector's bytes, then 16 indices that no vector has.
inline constexpr std::array<std::uint8_t, 32> utf8_places = [] {
    std::array<std::uint8_t, 32> places{};
    for (std::size_t i = 0; i < 32; ++i) places[i] = static_cast<std::uint8_t>(i < 16 ? i : 0x80);
    return places;
}();

class utf8_vector16 {
public:
    /// See utf8_blocks.hpp.
    template <class Byte>
    WSOLO_VECTOR16_TARGET static bool run(Byte* at, std::size_t size, std::uint32_t key) noexcept {
        if (size < 19 && size != 16) return utf8_plain::run(at, size, key);
        utf8_vector16 state;
        const vec keys = reinterpret_cast<vec>(words{} + key);
        // The last 16 bytes are judged once more, beside those one, two and three places before them. All are
        // read before anything is written.
        Byte* const last = at + (size - 16);
        vec ending[4]{};
        for (std::size_t back = 0; back < 4 && size % 16 != 0; ++back) {
            ending[back] = load(last - back) ^ rotated(keys, size - back);
        }
        for (; size >= 64; at += 64, size -= 64) state.template take<4>(at, keys);
        for (; size >= 16; at += 16, size -= 16) state.template take<1>(at, keys);
        if (size > 0) {
            if constexpr (!std::is_const_v<Byte>) store(last, ending[0]);
            state.check(ending[0], ending[1], ending[2], ending[3]);
        }
        return !state.failed();
    }

    /// For 4 to 31 bytes: true when they are UTF-8 as they stand, with nothing left open, and then they are
    /// XORed with `key` as run() does it. False, also for other sizes, leaves them as they are.
    template <class Byte>
    WSOLO_VECTOR16_TARGET static bool take_short(Byte* at, std::size_t size, std::uint32_t key) noexcept {
        if (size < 4 || size > 31) return false;
        if (size < 8) return take_two<std::uint32_t>(at, size, key);
        if (size < 16) return take_two<std::uint64_t>(at, size, key);
        Byte* const last = at + (size - 16);
        const vec keys = reinterpret_cast<vec>(words{} + key);
        const vec head = load(at) ^ keys;
        const vec tail = load(last) ^ rotated(keys, size);
        utf8_vector16 state;
        state.follow(head);
        // Ends in a zero at least, which shows a code point that is left open.
        state.follow(without_front(tail, 32 - size));
        if (state.failed()) return false;
        if constexpr (!std::is_const_v<Byte>) {
            store(at, head);
            store(last, tail);
        }
        return true;
    }

private:
    using vec = std::uint8_t __attribute__((vector_size(16)));
    using words = std::uint32_t __attribute__((vector_size(16)));

    /// take_short for sizeof(Word) <= size < 2 * sizeof(Word), as one vector that ends in zeros.
    template <class Word, class Byte>
    WSOLO_VECTOR16 static bool take_two(Byte* at, std::size_t size, std::uint32_t key) noexcept {
        Byte* const last = at + (size - sizeof(Word));
        const auto head = static_cast<Word>(load_word<Word>(at) ^ spread<Word>(key));
        const auto tail = static_cast<Word>(load_word<Word>(last) ^ spread<Word>(advance(key, size)));
        // The bytes of the tail that the head does not have go after it: at most sizeof(Word) - 1.
        const auto behind = static_cast<Word>(tail >> 8 >> (8 * (2 * sizeof(Word) - 1 - size)));
        utf8_vector16 state;
        using pair = std::uint64_t __attribute__((vector_size(16)));
        if constexpr (sizeof(Word) == 8) {
            state.follow(reinterpret_cast<vec>(pair{head, behind}));
        } else {
            state.follow(reinterpret_cast<vec>(pair{head | static_cast<std::uint64_t>(behind) << 32, 0}));
        }
        if (state.failed()) return false;
        if constexpr (!std::is_const_v<Byte>) {
            store_word(at, head);
            store_word(last, tail);
        }
        return true;
    }

    [[nodiscard]] WSOLO_VECTOR16 bool failed() const noexcept {
        return has_high_bit(reinterpret_cast<vec>(faults_ != vec{}));
    }

    /// Judges the vector that follows the last one.
    WSOLO_VECTOR16 void follow(vec input) noexcept {
        check(input, shifted<1>(input, last_), shifted<2>(input, last_), shifted<3>(input, last_));
        last_ = input;
    }

    /// `bytes` moved down by `count` bytes, zeros after them.
    [[nodiscard]] WSOLO_VECTOR16 static vec without_front(vec bytes, std::size_t count) noexcept {
        vec places;
        __builtin_memcpy(&places, utf8_places.data() + count, 16);
        return shuffled(bytes, places);
    }

    /// Judges Count vectors, unmasking them in place unless they are const.
    template <std::size_t Count, class Byte>
    WSOLO_VECTOR16 void take(Byte* at, vec keys) noexcept {
        vec input[Count]; // registers
        vec all{};
        for (std::size_t i = 0; i < Count; ++i) {
            input[i] = load(at + 16 * i);
            if constexpr (!std::is_const_v<Byte>) {
                input[i] ^= keys;
                store(at + 16 * i, input[i]);
            }
            all |= input[i];
        }
        const bool ascii = !has_high_bit(all);
        if (ascii && last_was_ascii_) return;
        for (std::size_t i = 0; i < Count; ++i) follow(input[i]);
        last_was_ascii_ = ascii;
    }

    /// Judges the pairs whose second byte lies in `input`; the others hold the bytes one to three places
    /// before.
    WSOLO_VECTOR16 void check(vec input, vec first, vec second, vec third) noexcept {
        const vec excess =
            subtract_saturated(second, utf8_third_excess) | subtract_saturated(third, utf8_fourth_excess);
        const vec faults = lookup(utf8_first_high, first >> 4) & lookup(utf8_first_low, first & 0x0F) &
                           lookup(utf8_second_high, input >> 4);
        faults_ |= faults ^ (excess & two_continuations);
    }

    /// The table's entry for each byte below 16.
    [[nodiscard]] WSOLO_VECTOR16 static vec lookup(const utf8_table& table, vec nibbles) noexcept {
        vec entries;
        __builtin_memcpy(&entries, table.data(), 16);
        return shuffled(entries, nibbles);
    }

    /// The keys as they meet a vector that begins `count` bytes after a multiple of four.
    [[nodiscard]] WSOLO_VECTOR16 static vec rotated(vec keys, std::size_t count) noexcept {
        const auto bits = static_cast<std::uint32_t>(count % 4 * 8);
        const words whole = reinterpret_cast<words>(keys);
        return bits == 0 ? keys : reinterpret_cast<vec>(whole >> bits | whole << (32 - bits));
    }

    [[nodiscard]] WSOLO_VECTOR16 static vec load(const std::byte* from) noexcept {
        vec bytes;
        __builtin_memcpy(&bytes, from, 16);
        return bytes;
    }

    WSOLO_VECTOR16 static void store(std::byte* to, vec bytes) noexcept { __builtin_memcpy(to, &bytes, 16); }

#if WSOLO_UTF8_NEON
    /// The entry at each place below 16; zero for a place of 128 or more.
    [[nodiscard]] WSOLO_VECTOR16 static vec shuffled(vec entries, vec places) noexcept {
        return reinterpret_cast<vec>(
            vqtbl1q_u8(reinterpret_cast<uint8x16_t>(entries), reinterpret_cast<uint8x16_t>(places)));
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

    [[nodiscard]] WSOLO_VECTOR16 static vec shuffled(vec entries, vec places) noexcept {
        return reinterpret_cast<vec>(
            __builtin_ia32_pshufb128(reinterpret_cast<chars>(entries), reinterpret_cast<chars>(places)));
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
        if (size < 64) return utf8_vector16::run(at, size, key);
        utf8_avx2 state;
        const vec keys = reinterpret_cast<vec>(words{} + key);
        // The last bytes are judged once more as the end of the text's last two or three vectors, all read
        // before anything is written.
        const std::size_t rest = size % 64;
        Byte* const last = at + (size - 32);
        const vec turned = rotated(keys, rest);
        const vec high = load(last) ^ turned;
        const vec low = load(last - 32) ^ turned;
        const vec before = rest > 32 ? load(last - 64) ^ turned : vec{};
        Byte* const end = at + (size - rest);
        for (; at != end; at += 64) state.take(at, keys);
        if (rest > 0) {
            if constexpr (!std::is_const_v<Byte>) {
                store(last - 32, low);
                store(last, high);
            }
            // They overlap the vector before them, so without a high bit no code point was left open there.
            if (has_high_bit(low | high)) {
                state.last_ = before;
                if (rest > 32) state.check(low);
                state.last_ = low;
                state.check(high);
            }
        }
        return !state.failed();
    }

private:
    using vec = std::uint8_t __attribute__((vector_size(32)));
    using chars = char __attribute__((vector_size(32)));
    using quads = long long __attribute__((vector_size(32)));
    using words = std::uint32_t __attribute__((vector_size(32)));

    [[nodiscard]] WSOLO_AVX2 bool failed() const noexcept {
        return has_high_bit(reinterpret_cast<vec>(faults_ != vec{}));
    }

    /// The keys as they meet a vector that begins `count` bytes after a multiple of four.
    [[nodiscard]] WSOLO_AVX2 static vec rotated(vec keys, std::size_t count) noexcept {
        const auto bits = static_cast<std::uint32_t>(count % 4 * 8);
        const words whole = reinterpret_cast<words>(keys);
        return bits == 0 ? keys : reinterpret_cast<vec>(whole >> bits | whole << (32 - bits));
    }

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

inline constexpr std::array<std::uint8_t, 64> utf8_lane_numbers = [] {
    std::array<std::uint8_t, 64> numbers{};
    for (std::size_t i = 0; i < 64; ++i) numbers[i] = static_cast<std::uint8_t>(i);
    return numbers;
}();

class utf8_avx512 {
public:
    /// See utf8_blocks.hpp.
    template <class Byte>
    __attribute__((target("avx512f,avx512bw,avx512vl"))) static bool run(Byte* at, std::size_t size,
                                                                         std::uint32_t key) noexcept {
        utf8_avx512 state;
        constexpr bool masked = !std::is_const_v<Byte>;
        const vec keys = reinterpret_cast<vec>(words{} + key);
        const std::size_t rest = size % 64;
        Byte* const end = at + (size - rest);
        // Masked stores are slow on some processors: the last bytes go out in whole words that overlap
        // others, all read before any is written.
        vec last{};
        if (masked && rest > 0 && size >= 64) last = load(end + rest - 64) ^ rotated(keys, rest);
        const vec remainder = load_some(end, (std::uint64_t{1} << rest) - 1);
        for (; at != end; at += 64) {
            vec input = load(at);
            if constexpr (masked) {
                input ^= keys;
                store(at, input);
            }
            state.take(input);
        }
        if (rest == 0) return !state.failed();
        if constexpr (masked) {
            if (size >= 64) {
                store(end + rest - 64, last);
            } else {
                xor_narrow(at, at, rest, key);
            }
            const vec clear = remainder ^ keys;
            state.take(clear & reinterpret_cast<vec>(lane_numbers() < static_cast<std::uint8_t>(rest)));
        } else {
            state.take(remainder);
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
#if defined(__clang__) || __GNUC__ >= 12
        const quads behind = __builtin_shufflevector(
            reinterpret_cast<quads>(last_), reinterpret_cast<quads>(input), 6, 7, 8, 9, 10, 11, 12, 13);
#else
        const quads behind = __builtin_shuffle(reinterpret_cast<quads>(last_), reinterpret_cast<quads>(input),
                                               quads{6, 7, 8, 9, 10, 11, 12, 13});
#endif
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
        vec numbers;
        __builtin_memcpy(&numbers, utf8_lane_numbers.data(), 64);
        return numbers;
    }

    [[nodiscard]] WSOLO_AVX512 static vec high_nibbles(vec bytes) noexcept { return bytes >> 4; }

    /// The table's entry for each byte below 16.
    [[nodiscard]] WSOLO_AVX512 static vec lookup(const utf8_table& table, vec nibbles) noexcept {
        using quarter = long long __attribute__((vector_size(16)));
        quarter one;
        __builtin_memcpy(&one, table.data(), 16);
        const quads four{one[0], one[1], one[0], one[1], one[0], one[1], one[0], one[1]};
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
#if defined(__clang__)
        return (from > amounts ? from : amounts) - amounts; // one instruction there
#else
        return reinterpret_cast<vec>(__builtin_ia32_psubusb512_mask(
            reinterpret_cast<chars>(from), reinterpret_cast<chars>(amounts), chars{}, ~0ULL));
#endif
    }

    /// The bytes whose lane bit is set, zero elsewhere; no other byte is read.
    [[nodiscard]] WSOLO_AVX512 static vec load_some(const std::byte* from, std::uint64_t lanes) noexcept {
        return reinterpret_cast<vec>(
            __builtin_ia32_loaddquqi512_mask(reinterpret_cast<const masked_source*>(from), chars{}, lanes));
    }

    [[nodiscard]] WSOLO_AVX512 static vec load(const std::byte* from) noexcept {
        vec bytes;
        __builtin_memcpy(&bytes, from, 64);
        return bytes;
    }

    WSOLO_AVX512 static void store(std::byte* to, vec bytes) noexcept { __builtin_memcpy(to, &bytes, 64); }

    /// The keys as they meet a vector that begins `count` bytes after a multiple of four.
    [[nodiscard]] WSOLO_AVX512 static vec rotated(vec keys, std::size_t count) noexcept {
        const auto bits = static_cast<std::uint32_t>(count % 4 * 8);
        const words whole = reinterpret_cast<words>(keys);
        return bits == 0 ? keys : reinterpret_cast<vec>(whole >> bits | whole << (32 - bits));
    }

#if defined(__clang__)
    using masked_source = chars;
#else
    using masked_source = char;
#endif

    vec faults_{};
    vec last_{};
    bool last_was_ascii_ = true;
};

} // namespace wsolo::inline WSOLO_ABI::detail

#undef WSOLO_AVX512
#endif

// ---- wsolo/text/detail/utf8_blocks.hpp
// Asks the widest validator that this processor has whether these bytes, which begin at a code point boundary, are free
// of faults.
//
// The contract that every width keeps:
// - `run(at, size, key)` is true when no byte of [at, at + size) is wrong where it stands, the text beginning
//   with it. A code point that the end leaves open (utf8_unfinished) is the caller's to judge: run may
//   accept or refuse it.
// - Where Byte is not const, all the bytes are also XORed in place with `key`, in memory order, before they
//   are judged, and whatever the answer is.
// - Exactly the bytes given are read and written.

namespace wsolo::inline WSOLO_ABI::detail {

/// utf8_faultless by `unit`, which this processor must have.
template <class Byte>
[[nodiscard]] inline bool utf8_faultless_by([[maybe_unused]] vector_unit unit, Byte* at, std::size_t size,
                                            std::uint32_t key) noexcept {
#if WSOLO_X86_KERNELS
    if (unit == vector_unit::avx512) return utf8_avx512::run(at, size, key);
    if (unit == vector_unit::avx2) return utf8_avx2::run(at, size, key);
    if (unit == vector_unit::ssse3) return utf8_vector16::run(at, size, key);
    return utf8_plain::run(at, size, key);
#elif WSOLO_UTF8_NEON
    return utf8_vector16::run(at, size, key);
#else
    return utf8_plain::run(at, size, key);
#endif
}

/// See the head. O(size).
template <class Byte>
[[nodiscard]] inline bool utf8_faultless(Byte* at, std::size_t size, std::uint32_t key = 0) noexcept {
    return utf8_faultless_by(usable_vector_unit(), at, size, key);
}

/// A quick test for 4 to 31 bytes. True: they are UTF-8 from the first to the last, and were XORed with `key` as
/// utf8_faultless does it. False decides nothing, and leaves them as they are. `unit` as above. O(1).
template <class Byte>
[[nodiscard]] inline bool utf8_take_short([[maybe_unused]] vector_unit unit, [[maybe_unused]] Byte* at,
                                          [[maybe_unused]] std::size_t size,
                                          [[maybe_unused]] std::uint32_t key) noexcept {
#if WSOLO_X86_KERNELS
    return unit >= vector_unit::ssse3 && utf8_vector16::take_short(at, size, key);
#elif WSOLO_UTF8_NEON
    return utf8_vector16::take_short(at, size, key);
#else
    return false;
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
// Short texts, most of them ASCII: read as one pair of overlapping words, without a loop or a call.

namespace wsolo::inline WSOLO_ABI::detail {

/// Up to this many bytes the functions of this file apply.
inline constexpr std::size_t utf8_short_size = 32;

/// The first byte of `word` in memory order.
[[nodiscard]] inline std::byte first_byte(std::uint32_t word) noexcept {
    std::byte first;
    std::memcpy(&first, &word, 1);
    return first;
}

[[nodiscard]] inline bool has_high_bits(std::uint64_t word) noexcept {
    return (word & 0x8080808080808080u) != 0;
}
[[nodiscard]] inline bool has_high_bits(std::uint32_t word) noexcept { return (word & 0x80808080u) != 0; }
/// sizeof(Word) <= size <= 2 * sizeof(Word). `word`: what the bytes are XORed with, and written back where
/// Byte is not const; 0 where it is.
template <class Word, class Byte>
[[nodiscard]] inline bool clear_ascii_two(Byte* at, std::size_t size, std::uint32_t word) noexcept {
    const std::size_t last = size - sizeof(Word);
    const auto head = static_cast<Word>(load_word<Word>(at) ^ spread<Word>(word));
    const auto tail = static_cast<Word>(load_word<Word>(at + last) ^ spread<Word>(advance(word, last)));
    if (has_high_bits(head) || has_high_bits(tail)) return false;
    if constexpr (!std::is_const_v<Byte>) {
        store_word(at, head);
        store_word(at + last, tail);
    }
    return true;
}

/// The same for 16 <= size <= 32, as four words.
template <class Byte>
[[nodiscard]] inline bool clear_ascii_four(Byte* at, std::size_t size, std::uint32_t word) noexcept {
    Byte* const last = at + (size - 16);
    const auto pattern = spread<std::uint64_t>(word);
    const auto turned = spread<std::uint64_t>(advance(word, size));
    const std::uint64_t a = load_word<std::uint64_t>(at) ^ pattern;
    const std::uint64_t b = load_word<std::uint64_t>(at + 8) ^ pattern;
    const std::uint64_t c = load_word<std::uint64_t>(last) ^ turned;
    const std::uint64_t d = load_word<std::uint64_t>(last + 8) ^ turned;
    if (has_high_bits(a | b | c | d)) return false;
    if constexpr (!std::is_const_v<Byte>) {
        store_word(at, a);
        store_word(at + 8, b);
        store_word(last, c);
        store_word(last + 8, d);
    }
    return true;
}

/// Whether at most utf8_short_size bytes, XORed with `word` in memory order, are all ASCII. If so, and where
/// Byte is not const, they are unmasked in place; otherwise they stay as they are.
template <class Byte>
[[nodiscard]] inline bool clear_ascii_short(Byte* at, std::size_t size, std::uint32_t word) noexcept {
    if (size > 16) return clear_ascii_four(at, size, word);
    if (size >= 8) return clear_ascii_two<std::uint64_t>(at, size, word);
    if (size >= 4) return clear_ascii_two<std::uint32_t>(at, size, word);
    std::byte clear[4]{};
    for (std::size_t i = 0; i < size; ++i) clear[i] = at[i];
    const std::uint32_t unmasked = load_word<std::uint32_t>(clear) ^ word;
    std::memcpy(clear, &unmasked, 4);
    std::byte all{};
    for (std::size_t i = 0; i < size; ++i) all |= clear[i];
    if ((all & std::byte{0x80}) != std::byte{}) return false;
    if constexpr (!std::is_const_v<Byte>) {
        for (std::size_t i = 0; i < size; ++i) at[i] = clear[i];
    }
    return true;
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
// - What needs the vector code is a template (of `int = 0`), so that the sources that call it instantiate that code, and not all
//   that include it.

namespace wsolo::inline WSOLO_ABI {

/// Whether `bytes` as a whole are UTF-8. O(n).
template <int = 0>
[[nodiscard]] bool is_valid_utf8(const_bytes bytes) noexcept {
    if (bytes.size() <= detail::utf8_short_size) {
        if (detail::clear_ascii_short(bytes.data(), bytes.size(), 0)) return true;
        if (detail::utf8_take_short(detail::usable_vector_unit(), bytes.data(), bytes.size(), 0)) return true;
    }
    return detail::utf8_unfinished(bytes) == 0 && detail::utf8_faultless(bytes.data(), bytes.size());
}

/// Validates a text that arrives in parts. Two words of state, copyable, not thread-safe.
class utf8_validator {
public:
    /// The next part. False when the text so far cannot be the beginning of any UTF-8 text; from then on
    /// every call answers false until reset(). O(n).
    template <int = 0>
    [[nodiscard]] bool write(const_bytes part) noexcept {
        if (takes_short(part, 0)) return true;
        return judge(part, 0);
    }

    /// The next part, still masked: it is XORed in place with `key` and judged in the same pass. `offset` is
    /// how many bytes of the frame's payload came before (RFC 6455 §5.3). All of `part` is unmasked even
    /// after a failure. O(n).
    template <int = 0>
    [[nodiscard]] bool write_masked(mutable_bytes part, masking_key key, std::uint64_t offset = 0) noexcept {
        const std::uint32_t word = detail::key_word(key, offset);
        if (takes_short(part, word)) return true;
        return judge(part, word);
    }

    /// Whether the text so far is UTF-8 as it stands: not failed, and no code point is cut off at its end.
    [[nodiscard]] bool complete() const noexcept { return at_boundary(); }

    /// Whether the text so far can't become UTF-8 any more.
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

    /// Short ASCII that begins between code points, which is the usual part. False leaves all as it was.
    template <class Byte>
    bool takes_short(std::span<Byte> part, std::uint32_t word) noexcept {
        if (!at_boundary() || part.size() > detail::utf8_short_size) return false;
        if (!detail::clear_ascii_short(part.data(), part.size(), word)) return false;
        valid_ += part.size();
        return true;
    }

    /// The part, XORed with `word` (a key in memory order) first unless it is const.
    template <class Byte>
    [[gnu::noinline]] bool judge(std::span<Byte> part, std::uint32_t word) noexcept {
        if (part.size() <= detail::utf8_short_size && at_boundary() &&
            detail::utf8_take_short(detail::usable_vector_unit(), part.data(), part.size(), word)) {
            valid_ += part.size();
            return true;
        }
        while (!part.empty() &&
               !at_boundary()) { // what completes the code point that the last part left open
            unmask(part.first(1), word);
            word = detail::advance(word, 1);
            const bool fits = step(part.front());
            part = part.subspan(1);
            if (fits) continue;
            unmask(part, word);
            return false;
        }
        if (part.empty()) return !failed();
        // What is still open at the end is left to the automaton, which remembers it.
        const std::size_t open = unfinished(part, word);
        const std::size_t whole = part.size() - open;
        const std::span<Byte> front = part.first(whole);
        if (open > 0) unmask(part.subspan(whole), detail::advance(word, whole));
        const bool faultless = detail::utf8_faultless(front.data(), whole, word);
        if (!faultless || (open > 0 && detail::utf8_unfinished(front) != 0)) {
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
    static void unmask(std::span<Byte> bytes, std::uint32_t word) noexcept {
        if constexpr (!std::is_const_v<Byte>) {
            detail::xor_narrow(bytes.data(), bytes.data(), bytes.size(), word);
        }
    }

    /// utf8_unfinished of what the part will be once it is unmasked.
    template <class Byte>
    static std::size_t unfinished(std::span<Byte> part, std::uint32_t word) noexcept {
        if constexpr (std::is_const_v<Byte>) {
            return detail::utf8_unfinished(part);
        } else {
            std::byte last[3];
            const std::size_t count = part.size() < 3 ? part.size() : 3;
            std::uint32_t turned = detail::advance(word, part.size() - count);
            for (std::size_t i = 0; i < count; ++i, turned = detail::advance(turned, 1)) {
                last[i] = part[part.size() - count + i] ^ detail::first_byte(turned);
            }
            return detail::utf8_unfinished({last, count});
        }
    }

    std::uint64_t valid_ = 0;
    detail::utf8_state state_ = detail::utf8_state::boundary;
};

} // namespace wsolo::inline WSOLO_ABI

// ---- wsolo/core/role.hpp
// The two ends of a connection. A frame's masking depends on its sender, so the role is a template argument
// wherever frames are encoded or judged: a server that masks does not compile.

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

/// The RFC's word for it, for logs. A literal.
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
// - Written lengths are minimal. Parsing judges nothing: it says what the bytes are, check.hpp says whether they
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

/// All that a header says.
struct frame_header {
    /// As on the wire (RFC 6455 §5.2); `key` counts where `masked`, `payload_size` is in bytes.
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

namespace detail {

/// Writes all of a minimal header but the key: 2, 4 or 10 bytes, and says how many.
constexpr std::size_t write_start(std::byte* to, std::byte first, bool masked,
                                  std::uint64_t payload_size) noexcept {
    const unsigned mask_bit = masked ? 0x80U : 0U;
    to[0] = first;
    if (payload_size <= 125) {
        to[1] = static_cast<std::byte>(mask_bit | static_cast<unsigned>(payload_size));
        return 2;
    }
    if (payload_size <= 0xffff) {
        to[1] = static_cast<std::byte>(mask_bit | 126U);
        store_be16(to + 2, static_cast<std::uint16_t>(payload_size));
        return 4;
    }
    to[1] = static_cast<std::byte>(mask_bit | 127U);
    store_be64(to + 2, payload_size);
    return 10;
}

constexpr std::byte first_byte(const frame_header& header) noexcept {
    return static_cast<std::byte>((header.fin ? 0x80U : 0U) | (header.rsv1 ? rsv1_bit : 0U) |
                                  (header.rsv2 ? rsv2_bit : 0U) | (header.rsv3 ? rsv3_bit : 0U) |
                                  (static_cast<unsigned>(header.op) & 0x0fU));
}

} // namespace detail

/// Writes the header in its minimal form and returns its size. `to` has header_size(...) bytes; the payload
/// size is at most max_payload_size. O(1).
constexpr std::size_t write_header(const frame_header& header, std::byte* to) noexcept {
    WSOLO_ASSERT(header.payload_size <= max_payload_size, "a payload length must stay below 2^63");
    const std::size_t size =
        detail::write_start(to, detail::first_byte(header), header.masked, header.payload_size);
    if (!header.masked) return size;
    for (std::size_t i = 0; i < 4; ++i) to[size + i] = header.key.bytes[i];
    return size + 4;
}

/// What parse_header saw.
enum class parse_status : std::uint8_t { need_more, complete };

/// A header and how it was written. Where `status` is need_more only `size` counts: how many bytes it takes
/// to get further (2, or the whole header once its second byte is known).
struct header_parse {
    /// Where parsing stands; how many bytes the header has, or needs; and what it says, once it is complete.
    parse_status status = parse_status::need_more;
    std::size_t size = 2;
    frame_header header{};
    /// The seven length bits of the second byte: 126 and 127 announce a longer length (check_length judges).
    std::uint8_t length_field = 0;
};

namespace detail {

constexpr void read_first(std::byte first, frame_header& header) noexcept {
    const unsigned bits = std::to_integer<unsigned>(first);
    header.fin = (bits & 0x80U) != 0;
    header.rsv1 = (bits & rsv1_bit) != 0;
    header.rsv2 = (bits & rsv2_bit) != 0;
    header.rsv3 = (bits & rsv3_bit) != 0;
    header.op = static_cast<opcode>(bits & 0x0fU);
}

/// The payload length of the header at `from`, which has all bytes up to the key.
constexpr std::uint64_t read_length(const std::byte* from) noexcept {
    const unsigned field = std::to_integer<unsigned>(from[1]) & 0x7fU;
    return field <= 125 ? field : field == 126 ? load_be16(from + 2) : load_be64(from + 2);
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
    detail::read_first(bytes[0], parsed.header);
    parsed.header.payload_size = detail::read_length(bytes.data());
    parsed.header.masked = (std::to_integer<unsigned>(bytes[1]) & 0x80U) != 0;
    if (parsed.header.masked) {
        for (std::size_t i = 0; i < 4; ++i) parsed.header.key.bytes[i] = bytes[parsed.size - 4 + i];
    }
    return parsed;
}

} // namespace wsolo::inline WSOLO_ABI

// ---- wsolo/frame/check.hpp
// The rules that a header must keep, each from the earliest bytes that can break it (RFC 6455 §5.1-5.5).
//
// Laws of this file:
// - Stateless: what depends on earlier frames (§5.4's order of fragments) is the reader's.
// - The order of the rules is the order of the bytes, so that every split of the input finds the same error.
// - The same rules for both directions: what check_first refuses is not encoded either.

namespace wsolo::inline WSOLO_ABI {

/// Judges a header's first byte. `allowed_rsv` holds the reserved bits (rsv1_bit ...) that a negotiated
/// extension gives a meaning on a message's first frame; no other frame may have one (RFC 7692 §6). Errors:
/// reserved_bits_set, reserved_opcode, fragmented_control_frame.
[[nodiscard]] constexpr errc check_first(std::byte first, std::uint8_t allowed_rsv = 0) noexcept {
    const unsigned bits = std::to_integer<unsigned>(first);
    const auto op = static_cast<opcode>(bits & 0x0fU);
    // §5.2: "MUST be 0 unless an extension is negotiated that defines meanings for non-zero values." RFC 7692
    // §6.1: an endpoint "MUST NOT set the RSV1 bit" of control frames and of fragments after the first.
    const bool begins_message = is_data(op) && op != opcode::continuation;
    const unsigned allowed = begins_message ? allowed_rsv : 0U;
    if ((bits & 0x70U & ~allowed) != 0) return errc::reserved_bits_set;
    // §5.2: "If an unknown opcode is received, the receiving endpoint MUST Fail the WebSocket Connection."
    if (is_reserved(op)) return errc::reserved_opcode;
    // §5.5: control frames "MUST NOT be fragmented."
    if (is_control(op) && (bits & 0x80U) == 0) return errc::fragmented_control_frame;
    return errc::none;
}

/// Judges the second byte beside its first, which check_first has passed. `receiver` is the side that judges. Errors:
/// mask_required, mask_forbidden, oversized_control_frame, close_body_of_one_byte.
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
    // §5.5.1: "If there is a body, the first two bytes of the body MUST be a 2-byte unsigned integer"
    const bool close = (std::to_integer<unsigned>(first) & 0x0fU) == static_cast<unsigned>(opcode::close);
    if (close && (std::to_integer<unsigned>(second) & 0x7fU) == 1) return errc::close_body_of_one_byte;
    return errc::none;
}

/// Judges a header's first two bytes. Errors: check_first's, then check_second's.
[[nodiscard]] constexpr errc check_first_two(std::byte first, std::byte second, role receiver,
                                             std::uint8_t allowed_rsv = 0) noexcept {
    const errc error = check_first(first, allowed_rsv);
    return error != errc::none ? error : check_second(first, second, receiver);
}

/// Judges a length by the seven bits that announced it and what is known of the value that follows: it lies
/// between `least` and `most`. Errors: non_minimal_length, length_high_bit_set (RFC 6455 §5.2).
[[nodiscard]] constexpr errc check_length(unsigned length_field, std::uint64_t least,
                                          std::uint64_t most) noexcept {
    // §5.2: "the minimal number of bytes MUST be used to encode the length"
    if (length_field == 126 && most <= 125) return errc::non_minimal_length;
    if (length_field == 127 && most <= 0xffff) return errc::non_minimal_length;
    // §5.2: "the most significant bit MUST be 0"
    if (least > max_payload_size) return errc::length_high_bit_set;
    return errc::none;
}

/// The same with the whole value, and the same errors.
[[nodiscard]] constexpr errc check_length(unsigned length_field, std::uint64_t payload_size) noexcept {
    return check_length(length_field, payload_size, payload_size);
}

} // namespace wsolo::inline WSOLO_ABI

// ---- wsolo/frame/close_code.hpp
// The status codes of a Close frame (RFC 6455 §7.4 and the IANA registry that it founded).
//
// Laws of this file:
// - A close_code may hold any 16-bit number: applications own 3000 to 4999.
// - no_status, abnormal and tls_handshake are only reported to applications; they never go on the wire.

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
    const std::uint16_t status = detail::row_of(error).close_status;
    return status == 0 ? close_code::no_status : static_cast<close_code>(status);
}

/// A few words for logs. A literal.
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

// ---- wsolo/core/byte_buffer.hpp
// A growable array of bytes that does not zero what it is about to overwrite, and answers "no memory" by a
// bool.
//
// Laws of this file:
// - Capacity follows bytes that arrived or are being written now, never a length that a peer announced.
// - Growth is geometric, so appending n bytes costs O(n) in all; a failed growth leaves the contents as they
// were.

namespace wsolo::inline WSOLO_ABI {

namespace detail {
struct byte_buffer_access;
}

/// Owns its bytes; movable, not copyable. Not thread-safe. Nothing here throws.
class byte_buffer {
public:
    byte_buffer() = default;
    byte_buffer(const byte_buffer&) = delete;
    byte_buffer& operator=(const byte_buffer&) = delete;
    byte_buffer(byte_buffer&& other) noexcept
        : data_(detail::exchange(other.data_, nullptr)),
          size_(detail::exchange(other.size_, {})),
          capacity_(detail::exchange(other.capacity_, {})) {}
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

    /// The bytes, how many there are, and how many fit before the buffer allocates. A pointer is valid until the buffer
    /// grows, shrinks, is moved from or is destroyed.
    [[nodiscard]] std::byte* data() noexcept { return data_; }
    [[nodiscard]] const std::byte* data() const noexcept { return data_; }
    [[nodiscard]] std::size_t size() const noexcept { return size_; }
    [[nodiscard]] std::size_t capacity() const noexcept { return capacity_; }
    [[nodiscard]] bool empty() const noexcept { return size_ == 0; }
    /// The contents. Valid until the next non-const call.
    [[nodiscard]] const_bytes view() const noexcept { return {data_, size_}; }
    [[nodiscard]] mutable_bytes view() noexcept { return {data_, size_}; }

    /// Returns the memory above size() to the heap. If the allocator refuses, the buffer stays as it is.
    void shrink() noexcept {
        if (size_ == 0 || size_ == capacity_) return;
        void* smaller = std::realloc(data_, size_);
        if (smaller == nullptr) return;
        data_ = static_cast<std::byte*>(smaller);
        capacity_ = size_;
    }

    /// Makes room for `capacity` bytes in all. False when there is no memory; the contents stay. O(size) when the
    /// buffer grows.
    [[nodiscard]] bool reserve(std::size_t capacity) noexcept {
        if (capacity <= capacity_) return true;
        if (capacity > max_size) return false;
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

    /// Copies `bytes` to the end of the contents. False when there is no memory; the contents stay.
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
        std::free(detail::exchange(data_, nullptr));
        size_ = capacity_ = 0;
    }

private:
    friend struct detail::byte_buffer_access;

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

namespace detail {

struct byte_buffer_access {
    /// A buffer that refers to bytes of another owner. It must be neither changed nor destroyed.
    [[nodiscard]] static byte_buffer alias(const_bytes bytes) noexcept {
        byte_buffer made;
        made.data_ = const_cast<std::byte*>(bytes.data());
        made.size_ = made.capacity_ = bytes.size();
        return made;
    }
};

} // namespace detail

} // namespace wsolo::inline WSOLO_ABI

// ---- wsolo/frame/detail/container.hpp
// Lengthening what a frame is appended to: byte_buffer, std::string, std::vector, and types that behave like
// them.
//
// Laws of this file:
// - No container's header is included: what it must be able to do is a concept.
// - No memory (bad_alloc, length_error) is an answer, and leaves the container as it was.

namespace wsolo::inline WSOLO_ABI::detail {

/// A string or vector of bytes or characters.
template <class Container>
concept resizable_bytes = requires(Container& out, std::size_t size) {
    out.resize(size);
    out.reserve(size);
    { out.size() } -> std::convertible_to<std::size_t>;
    { out.capacity() } -> std::convertible_to<std::size_t>;
    *out.data();
} && sizeof(typename Container::value_type) == 1;

/// Runs `change`. False when it threw; without exceptions it aborts instead.
template <class Change>
bool without_exception(Change change) noexcept {
#if WSOLO_HAS_EXCEPTIONS
    try {
        change();
    } catch (...) {
        return false;
    }
#else
    change();
#endif
    return true;
}

/// Lengthens by `count` bytes and returns where they start; nullptr when there is no memory.
inline std::byte* extend(byte_buffer& out, std::size_t count) noexcept { return out.extend(count); }

template <resizable_bytes Container>
std::byte* extend(Container& out, std::size_t count) noexcept {
    const std::size_t before = out.size();
    if (!without_exception([&] { out.resize(before + count); })) return nullptr;
    return reinterpret_cast<std::byte*>(out.data()) + before;
}

template <resizable_bytes Container>
void append_run(Container& out, const_bytes run) {
    const auto* from = reinterpret_cast<const typename Container::value_type*>(run.data());
    if constexpr (requires { out.append(from, run.size()); }) {
        out.append(from, run.size());
    } else {
        out.insert(out.end(), from, from + run.size());
    }
}

/// Appends two runs without zeroing first what they overwrite, as resize() would. False when there is no
/// memory.
template <resizable_bytes Container>
bool append_both(Container& out, const_bytes first, const_bytes second) noexcept {
    return without_exception([&] {
        const std::size_t needed = out.size() + first.size() + second.size();
        // reserve() alone may grow to exactly that, and a hundred appends would copy a hundred times
        if (needed > out.capacity()) out.reserve(needed > 2 * out.capacity() ? needed : 2 * out.capacity());
        append_run(out, first);
        append_run(out, second);
    });
}

} // namespace wsolo::inline WSOLO_ABI::detail

// ---- wsolo/frame/detail/xor_wide.hpp
// XOR with a repeated 32-bit word, 32 or 64 bytes at a time, for sizes where that pays; and the choice
// between the widths.
//
// Laws of this file:
// - A build that was told AVX2 or AVX-512 uses just that, with no test at run time. A generic x86-64 build
//   asks the CPU, and only for sizes where the answer pays for the question.
// - The compiler's vector types inside functions with a target attribute: no <immintrin.h>, which costs a
//   third of a second to include.
// - Stores are aligned by an unaligned first chunk; the last chunks are unaligned too. What overlaps is read
//   before it is written.

namespace wsolo::inline WSOLO_ABI::detail {

#if WSOLO_X86_KERNELS

using chunk32 = std::uint64_t __attribute__((vector_size(32)));
using chunk64 = std::uint64_t __attribute__((vector_size(64)));

/// 128 <= size.
__attribute__((target("avx2"), noinline)) inline void
xor_avx2(std::byte* to, const std::byte* from, std::size_t size, std::uint32_t word) noexcept {
    std::size_t at = 32 - (reinterpret_cast<std::uintptr_t>(to) & 31);
    const std::size_t last = size - 128;
    const chunk32 first = chunk32{} | spread<std::uint64_t>(word);
    const chunk32 pattern = chunk32{} | spread<std::uint64_t>(advance(word, at));
    const chunk32 turned = chunk32{} | spread<std::uint64_t>(advance(word, last));
    chunk32 head, a, b, c, d, tail0, tail1, tail2, tail3;
    std::memcpy(&head, from, 32);
    std::memcpy(&tail0, from + last, 32);
    std::memcpy(&tail1, from + last + 32, 32);
    std::memcpy(&tail2, from + last + 64, 32);
    std::memcpy(&tail3, from + last + 96, 32);
    for (; at < last; at += 128) {
        std::memcpy(&a, from + at, 32);
        std::memcpy(&b, from + at + 32, 32);
        std::memcpy(&c, from + at + 64, 32);
        std::memcpy(&d, from + at + 96, 32);
        a ^= pattern;
        b ^= pattern;
        c ^= pattern;
        d ^= pattern;
        std::memcpy(to + at, &a, 32);
        std::memcpy(to + at + 32, &b, 32);
        std::memcpy(to + at + 64, &c, 32);
        std::memcpy(to + at + 96, &d, 32);
    }
    head ^= first;
    tail0 ^= turned;
    tail1 ^= turned;
    tail2 ^= turned;
    tail3 ^= turned;
    std::memcpy(to, &head, 32);
    std::memcpy(to + last, &tail0, 32);
    std::memcpy(to + last + 32, &tail1, 32);
    std::memcpy(to + last + 64, &tail2, 32);
    std::memcpy(to + last + 96, &tail3, 32);
}

/// 128 <= size.
__attribute__((target("avx512f"), noinline)) inline void
xor_avx512(std::byte* to, const std::byte* from, std::size_t size, std::uint32_t word) noexcept {
    std::size_t at = 64 - (reinterpret_cast<std::uintptr_t>(to) & 63);
    const std::size_t last = size - 128;
    const chunk64 first = chunk64{} | spread<std::uint64_t>(word);
    const chunk64 pattern = chunk64{} | spread<std::uint64_t>(advance(word, at));
    const chunk64 turned = chunk64{} | spread<std::uint64_t>(advance(word, last));
    chunk64 head, a, b, tail0, tail1;
    std::memcpy(&head, from, 64);
    std::memcpy(&tail0, from + last, 64);
    std::memcpy(&tail1, from + last + 64, 64);
    for (; at < last; at += 128) {
        std::memcpy(&a, from + at, 64);
        std::memcpy(&b, from + at + 64, 64);
        a ^= pattern;
        b ^= pattern;
        std::memcpy(to + at, &a, 64);
        std::memcpy(to + at + 64, &b, 64);
    }
    head ^= first;
    tail0 ^= turned;
    tail1 ^= turned;
    std::memcpy(to, &head, 64);
    std::memcpy(to + last, &tail0, 64);
    std::memcpy(to + last + 64, &tail1, 64);
}

/// The size from which wider vectors are the faster ones, the cost of choosing them included.
inline constexpr std::size_t wide_from = 256;

/// wide_from <= size, by the widest means that `unit` has.
inline void xor_long_by(vector_unit unit, std::byte* to, const std::byte* from, std::size_t size,
                        std::uint32_t word) noexcept {
    if (unit >= vector_unit::avx512) return xor_avx512(to, from, size, word);
    if (unit >= vector_unit::avx2) return xor_avx2(to, from, size, word);
    xor_from_32(to, from, size, word);
}

#endif

/// 32 <= size, by the widest means that pays.
[[gnu::noinline]] inline void xor_long(std::byte* to, const std::byte* from, std::size_t size,
                                       std::uint32_t word) noexcept {
#if WSOLO_X86_KERNELS
    if (size >= wide_from) return xor_long_by(usable_vector_unit(), to, from, size, word);
#endif
    xor_from_32(to, from, size, word);
}

/// Any size: short ones inline, with no test of the CPU.
inline void xor_bytes(std::byte* to, const std::byte* from, std::size_t size, std::uint32_t word) noexcept {
    if (size <= 32) return xor_upto_32(to, from, size, word);
    xor_long(to, from, size, word);
}

} // namespace wsolo::inline WSOLO_ABI::detail

// ---- wsolo/frame/detail/copy.hpp
// Copying a payload to the place after its header.
//
// Laws of this file:
// - Short payloads are copied inline: a call would cost more than the copy.
// - Large ones go by memcpy, very large ones in pieces, except at a placement where memcpy can fall to a twentieth of its speed.

namespace wsolo::inline WSOLO_ABI::detail {

/// Whether the destination lies a few bytes ahead of the source modulo 4096: there glibc's `rep movsb` stalls
/// on every store (sizes of 4 KiB and up), and a loop does not. "Header, then payload" out of two
/// page-aligned buffers is exactly that.
inline bool memcpy_may_stall(const std::byte* to, const std::byte* from, std::size_t size) noexcept {
    const std::uintptr_t ahead =
        (reinterpret_cast<std::uintptr_t>(to) - reinterpret_cast<std::uintptr_t>(from)) & 4095;
    return size >= 2048 && ahead - 1 < 63;
}

/// From this size on, source and destination don't fit into the processor's second cache together, and one long copy is a sixth
/// slower than its pieces.
inline constexpr std::size_t copied_in_pieces = 512 * 1024;
inline constexpr std::size_t copied_piece = 64 * 1024;

[[gnu::noinline]] inline void copy_in_pieces(std::byte* to, const std::byte* from,
                                             std::size_t size) noexcept {
    for (; size > copied_piece; size -= copied_piece, to += copied_piece, from += copied_piece)
        std::memcpy(to, from, copied_piece);
    std::memcpy(to, from, size);
}

/// Copies between ranges that do not overlap.
inline void copy_bytes(std::byte* to, const std::byte* from, std::size_t size) noexcept {
    if (size <= 32) return xor_upto_32(to, from, size, 0);
    if (memcpy_may_stall(to, from, size)) return xor_long(to, from, size, 0);
    if (size >= copied_in_pieces) return copy_in_pieces(to, from, size);
    std::memcpy(to, from, size);
}

} // namespace wsolo::inline WSOLO_ABI::detail

// ---- wsolo/frame/mask.hpp
// XOR with a masking key (RFC 6455 §5.3), in place and while copying.
//
// Laws of this file:
// - Exactly the bytes given are read and written, whatever their length, alignment and key phase.
// - By the widest unit that the build or the CPU has, and that pays at this length: SSE2, AVX2, AVX-512, NEON,
//   or plain words (core/detail/xor_narrow.hpp, detail/xor_wide.hpp).
// - Resumable: `offset` says how many payload bytes came before, so that a payload may be masked in pieces.

namespace wsolo::inline WSOLO_ABI {

/// Writes `from` XORed with the key to `to`, in one pass. `to` has from.size() bytes and either is
/// from.data() or does not overlap it. O(n).
inline void copy_masked(std::byte* to, const_bytes from, masking_key key, std::uint64_t offset = 0) noexcept {
    detail::xor_bytes(to, from.data(), from.size(), detail::key_word(key, offset));
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
/// `{opcode::text, false}` is its first fragment (RFC 6455 §5.4). A value of one byte.
class frame_spec {
public:
    /// `rsv1` belongs to a negotiated extension, and to a message's first frame (RFC 7692 §6).
    constexpr frame_spec(opcode op, bool fin = true, bool rsv1 = false) noexcept
        : first_(detail::first_byte({.fin = fin, .rsv1 = rsv1, .op = op})) {}

    /// The opcode of that frame.
    [[nodiscard]] constexpr opcode op() const noexcept {
        return static_cast<opcode>(std::to_integer<unsigned>(first_) & 0x0fU);
    }
    /// The header's first byte as it goes on the wire.
    [[nodiscard]] constexpr std::byte first_byte() const noexcept { return first_; }

private:
    std::byte first_;
};

/// The key argument that `Role` needs: one key source for a client, none for a server (RFC 6455 §5.1).
template <role Role, class... Keys>
concept keys_for = (masks(Role) ? sizeof...(Keys) == 1 && (key_source<Keys> && ...) : sizeof...(Keys) == 0);

/// The most bytes that a header of `Role` takes: what encode_in_place may need before the payload.
template <role Role>
inline constexpr std::size_t headroom = header_size(max_payload_size, masks(Role));

/// The bytes of a whole frame; SIZE_MAX where a size_t can't say it. O(1).
template <role Role>
[[nodiscard]] constexpr std::size_t encoded_size(std::size_t payload_size) noexcept {
    const std::size_t size = header_size(payload_size, masks(Role)) + payload_size;
    return size < payload_size ? static_cast<std::size_t>(-1) : size;
}

/// A frame in memory of its own. Move-only; not thread-safe.
class owned_frame {
public:
    owned_frame() noexcept = default;
    owned_frame(owned_frame&& other) noexcept
        : bytes_(std::move(other.bytes_)), start_(detail::exchange(other.start_, {})) {}
    owned_frame& operator=(owned_frame&& other) noexcept {
        bytes_ = std::move(other.bytes_);
        start_ = detail::exchange(other.start_, {});
        return *this;
    }
    ~owned_frame() = default;

    /// The encoded frame. Valid while this object is not assigned to, moved from or destroyed.
    [[nodiscard]] const_bytes bytes() const noexcept { return bytes_.view().subspan(start_); }
    /// Bytes of memory that it holds, its frame's included.
    [[nodiscard]] std::size_t memory() const noexcept { return bytes_.capacity(); }

private:
    explicit owned_frame(byte_buffer&& bytes, std::size_t start = 0) noexcept
        : bytes_(std::move(bytes)), start_(start) {}

    template <role Role, class... Keys>
        requires keys_for<Role, Keys...>
    friend result<owned_frame> make_frame(frame_spec, const_bytes, Keys&...) noexcept;
    template <role Role, class... Keys>
        requires keys_for<Role, Keys...>
    friend result<owned_frame> make_frame_in_place(byte_buffer&&, std::size_t, frame_spec, Keys&...) noexcept;

    byte_buffer bytes_;
    std::size_t start_ = 0;
};

namespace detail {

constexpr errc check_outgoing(frame_spec spec, std::uint64_t payload_size) noexcept {
    if (const errc error = check_first(spec.first_byte(), rsv1_bit); error != errc::none) return error;
    if (payload_size <= max_control_payload) return errc::none;
    if (is_control(spec.op())) return errc::control_payload_too_big;
    if (payload_size > max_payload_size) return errc::payload_too_big;
    // No object is larger than half of the memory there can be; so later sums of sizes can't wrap either.
    constexpr std::uint64_t most = static_cast<std::size_t>(-1) / 2 - max_header_size;
    return payload_size > most ? errc::out_of_memory : errc::none;
}

/// Checked and big enough: writes the frame and returns its size.
template <role Role, class... Keys>
std::size_t write_frame(std::byte* to, frame_spec spec, const_bytes payload, Keys&... keys) noexcept {
    std::size_t size = write_start(to, spec.first_byte(), masks(Role), payload.size());
    if constexpr (masks(Role)) {
        const masking_key key = (keys.next_key(), ...);
        std::memcpy(to + size, &key, sizeof key);
        size += sizeof key;
        copy_masked(to + size, payload, key);
    } else {
        copy_bytes(to + size, payload.data(), payload.size());
    }
    return size + payload.size();
}

/// Below this size a container is lengthened by one resize(): zeroing so few bytes costs less than two appends.
inline constexpr std::size_t append_apart_from = 512;

} // namespace detail

/// Encodes into `to`, whose first encoded_size<Role>(payload.size()) bytes are overwritten and must not
/// overlap the payload. Returns the bytes written. Errors: buffer_too_small, control_payload_too_big,
/// payload_too_big, out_of_memory (a payload of a size that no memory has), fragmented_control_frame,
/// reserved_opcode, reserved_bits_set (RFC 7692 §6.1: RSV1 is for a message's first frame). O(n), no
/// allocation.
template <role Role, class... Keys>
    requires keys_for<Role, Keys...>
result<std::size_t> encode_frame(mutable_bytes to, frame_spec spec, const_bytes payload,
                                 Keys&... keys) noexcept {
    if (const errc error = detail::check_outgoing(spec, payload.size()); error != errc::none) return error;
    if (to.size() < encoded_size<Role>(payload.size())) return errc::buffer_too_small;
    return detail::write_frame<Role>(to.data(), spec, payload, keys...);
}

/// Encodes after what `out` (byte_buffer, std::string, std::vector of char or std::byte ...) already holds.
/// The payload must not lie in `out`. Errors as encode_frame's, and out_of_memory; `out` is then unchanged.
/// Amortized O(n).
template <role Role, class Container, class... Keys>
    requires keys_for<Role, Keys...>
[[nodiscard]] errc append_frame(Container& out, frame_spec spec, const_bytes payload,
                                Keys&... keys) noexcept {
    if (const errc error = detail::check_outgoing(spec, payload.size()); error != errc::none) return error;
    if constexpr (!masks(Role) && detail::resizable_bytes<Container>) {
        if (payload.size() >= detail::append_apart_from) {
            std::array<std::byte, headroom<Role>> start;
            const std::size_t size =
                detail::write_start(start.data(), spec.first_byte(), false, payload.size());
            const bool appended = detail::append_both(out, const_bytes(start).first(size), payload);
            return appended ? errc::none : errc::out_of_memory;
        }
    }
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
    const mutable_bytes frame = storage.subspan(payload_offset - header_bytes, header_bytes + payload_size);
    const std::size_t start = detail::write_start(frame.data(), spec.first_byte(), masks(Role), payload_size);
    if constexpr (masks(Role)) {
        const masking_key key = (keys.next_key(), ...);
        std::memcpy(frame.data() + start, &key, sizeof key);
        apply_mask(frame.subspan(header_bytes), key);
    }
    return frame;
}

/// Makes a frame of the payload that `storage` holds from `payload_offset` to its end, and takes the memory over: nothing
/// is copied. headroom<Role> bytes before the payload always suffice. Errors as encode_in_place's; `storage` is then
/// unchanged. Memory that `storage` had in reserve is freed.
template <role Role, class... Keys>
    requires keys_for<Role, Keys...>
result<owned_frame> make_frame_in_place(byte_buffer&& storage, std::size_t payload_offset, frame_spec spec,
                                        Keys&... keys) noexcept {
    if (payload_offset > storage.size()) return errc::buffer_too_small;
    const auto frame =
        encode_in_place<Role>(storage.view(), payload_offset, storage.size() - payload_offset, spec, keys...);
    if (!frame) return frame.error();
    const auto start = static_cast<std::size_t>(frame->data() - storage.data());
    storage.shrink();
    return owned_frame(std::move(storage), start);
}

} // namespace wsolo::inline WSOLO_ABI

// ---- wsolo/frame/payload.hpp
// Whether a payload is still masked, said by its type. XORing bytes that were already unmasked turns
// "ABCD" into "@@@@" on the wire; with these two types that mistake does not compile.
//
// Laws of this file:
// - Neither type converts to the other, nor does a plain span convert to either.
// - Both are views: the bytes belong to the caller, and must outlive the view.

namespace wsolo::inline WSOLO_ABI {

/// A payload in clear: what the decoder yields, and what a server's frame carries. A view.
class unmasked_bytes {
public:
    constexpr unmasked_bytes() noexcept = default;
    constexpr explicit unmasked_bytes(const_bytes bytes) noexcept : bytes_(bytes) {}

    /// The view. It lives as long as the memory that it was read from.
    [[nodiscard]] constexpr const_bytes bytes() const noexcept { return bytes_; }

private:
    const_bytes bytes_{};
};

/// A payload as a client's frame carries it, with the key that it is still XORed with (RFC 6455 §5.3). Its
/// first byte is the frame's first payload byte. A view: it lives as long as the bytes that it was made of.
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
// - A reply is a value and writes nothing: the owner of the connection's write side queues it as raw bytes.
// - The payload's type says whether it is still masked: unmasked_bytes are copied as they are, masked_bytes
//   are unmasked exactly once. What leaves is masked with a fresh key by a client and not at all by a server.
// - 1005 (no status) never goes on the wire: an empty Close is answered by an empty Close.

namespace wsolo::inline WSOLO_ABI {

namespace detail {
struct control_frame_access;
}

/// A whole encoded control frame in a fixed inline buffer. A trivially copyable value.
class control_frame {
public:
    /// A client's header and the longest payload (RFC 6455 §5.5): 131 bytes.
    static constexpr std::size_t capacity = header_size(max_control_payload, true) + max_control_payload;

    /// Holds nothing; bytes() is empty.
    control_frame() noexcept { storage_[0] = std::byte{}; }

    /// The encoded frame, ready to be written as it is. Valid while this object lives and is not assigned to.
    [[nodiscard]] const_bytes bytes() const noexcept { return {storage_.data(), size_}; }

    /// What the frame is; continuation when it holds nothing.
    [[nodiscard]] opcode op() const noexcept {
        return static_cast<opcode>(std::to_integer<unsigned>(storage_[0]) & 0x0fU);
    }
    /// A Close's status code, which a client's bytes() hold masked; no_status when it has none (RFC 6455
    /// §7.1.5), and for every other frame. A load: nothing is parsed.
    [[nodiscard]] close_code code() const noexcept { return code_; }

private:
    friend struct detail::control_frame_access;

    std::array<std::byte, capacity> storage_; // only the first size_ bytes are ever looked at
    std::uint8_t size_ = 0;
    close_code code_ = close_code::no_status;
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
template <int = 0> // as is_valid_utf8()
[[nodiscard]] result<close_body> parse_close_body(unmasked_bytes body) noexcept {
    const const_bytes bytes = body.bytes();
    if (bytes.empty()) return close_body{};
    if (bytes.size() == 1) return errc::close_body_of_one_byte;
    const auto code = static_cast<close_code>(load_be16(bytes.data()));
    if (!may_be_sent(code)) return errc::invalid_close_code;
    const const_bytes reason = bytes.subspan(2);
    if (!is_valid_utf8(reason)) return errc::invalid_close_reason;
    return close_body{code, text_of(reason)};
}

/// The most bytes of a Close's reason: what a control frame has beside the status code (RFC 6455 §5.5.1).
inline constexpr std::size_t max_close_reason = max_control_payload - 2;

/// As much of `reason` as a Close can carry, cut between code points: what is UTF-8 stays UTF-8. A view of
/// the same text. O(1).
[[nodiscard]] constexpr std::string_view fit_close_reason(std::string_view reason) noexcept {
    if (reason.size() <= max_close_reason) return reason;
    const auto continues = [](char c) { return (static_cast<unsigned char>(c) & 0xc0U) == 0x80; };
    std::size_t end = max_close_reason;
    // A code point has three continuation bytes at most; more of them are no UTF-8, wherever they are cut.
    while (end > max_close_reason - 3 && continues(reason[end])) --end;
    return reason.substr(0, end);
}

namespace detail {

/// The only writer of control_frame's bytes: takes the payload in clear, then writes the header and masks.
struct control_frame_access {
    /// Where a frame of `Role` has its payload.
    template <role Role>
    static std::byte* payload(control_frame& frame) noexcept {
        return frame.storage_.data() + header_size(0, masks(Role));
    }

    /// Makes a frame of the payload that was written to payload<Role>(). Preconditions: op is a control opcode,
    /// the size at most 125, `code` the payload's own.
    template <role Role, class... Keys>
    static void seal(control_frame& frame, opcode op, std::size_t payload_size, close_code code,
                     Keys&... keys) noexcept {
        const auto whole =
            encode_in_place<Role>(frame.storage_, header_size(0, masks(Role)), payload_size, op, keys...);
        frame.size_ = static_cast<std::uint8_t>(whole->size());
        frame.code_ = code;
    }
};

/// Copies the payload in clear (unmasked if it was masked).
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
    result<control_frame> made(control_frame{}); // built where it is returned: 132 bytes are not copied
    if (size_of(payload) > max_control_payload) {
        made = errc::control_payload_too_big;
        return made;
    }
    std::byte* to = control_frame_access::payload<Role>(*made);
    copy_clear(to, payload);
    close_code code = close_code::no_status;
    if (op == opcode::close) {
        const auto body = parse_close_body(unmasked_bytes(const_bytes(to, size_of(payload))));
        if (!body) {
            made = body.error();
            return made;
        }
        code = body->code;
    }
    control_frame_access::seal<Role>(*made, op, size_of(payload), code, keys...);
    return made;
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

/// A Close with a status code and a reason in UTF-8, of which fit_close_reason() leaves up to 123 bytes: an end is
/// never refused for its reason's length. Errors: invalid_close_code for a code that may not be sent (no_status
/// included: see the form without one), invalid_close_reason.
template <role Role, class... Keys>
    requires keys_for<Role, Keys...>
[[nodiscard]] result<control_frame> make_close(close_code code, std::string_view reason,
                                               Keys&... keys) noexcept {
    reason = fit_close_reason(reason);
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

// ---- wsolo/core/limit.hpp
// What a zero means for every limit, quantum and timeout of wsolo: none. (Of a timeout: bound_of in core/time.hpp.) And the
// one default that two sides must agree on.

namespace wsolo::inline WSOLO_ABI {

/// `limit` as a bound that everything can be compared with: 0 bounds nothing.
template <std::unsigned_integral Number>
[[nodiscard]] constexpr Number bound_of(Number limit) noexcept {
    return limit == 0 ? (std::numeric_limits<Number>::max)() : limit;
}

/// The longest message, in bytes of payload, that a reader takes and a writer sends unless it is told otherwise: two sides
/// with the defaults can exchange whatever either accepts.
inline constexpr std::size_t default_max_message = std::size_t{4} * 1024 * 1024;

/// The most bytes that a message of at most `limit` bytes has on the wire where it may be compressed: what does not compress
/// grows, by up to a seventh where a compressor has little memory. 0 (no limit) stays 0.
[[nodiscard]] constexpr std::uint64_t compressed_bound_of(std::uint64_t limit) noexcept {
    const std::uint64_t more = limit / 4 + 1024;
    return limit == 0                                  ? 0
           : limit > bound_of(std::uint64_t{0}) - more ? bound_of(std::uint64_t{0})
                                                       : limit + more;
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
// - What depends on earlier frames (the order of fragments, a message's size) is the caller's to know; it may
// hand its rules in, so that they too are judged byte by byte. UTF-8 and Close bodies are the reader's.

namespace wsolo::inline WSOLO_ABI {

/// What one frame may take. A control frame is bound by the RFC's 125 bytes instead.
struct frame_limits {
    /// Longest payload of a data frame, in bytes. 0: no limit.
    std::uint64_t max_frame_size = std::uint64_t{16} * 1024 * 1024;
};

/// The rules that earlier frames impose on a data frame: none, for a caller that judges its frames itself. It shows the
/// two functions that `Rules` must have.
struct no_rules {
    /// Judges the header's first byte. An error ends the decoding.
    [[nodiscard]] static constexpr errc check_first(std::byte) noexcept { return errc::none; }
    /// Judges the size, once it is known that the payload has at least `least` bytes. An error ends the decoding.
    [[nodiscard]] static constexpr errc check_size(std::byte, std::uint64_t) noexcept { return errc::none; }
};

/// need_more: the input is used up. part: a piece of a frame, perhaps the whole. failed: see `error`.
enum class decode_status : std::uint8_t { need_more, part, failed };

/// One step of the decoder.
struct [[nodiscard]] decoded {
    /// What this step found. The other members count only where it is `part`, `error` only where it is `failed`.
    decode_status status = decode_status::need_more;
    /// The first part of its frame. It may be empty: a header is reported as soon as it is complete.
    bool begins = false;
    /// The last part of its frame. A frame that lies whole in the input is one part that begins and ends.
    bool ends = false;
    /// The rule that the input broke; none unless `status` is failed.
    errc error = errc::none;
    /// This part of the payload, unmasked: a view of the input (or the destination) of the call.
    mutable_bytes payload{};

    /// The same, as the type that says so. Not for what next_masked() returned.
    [[nodiscard]] unmasked_bytes unmasked() const noexcept { return unmasked_bytes(payload); }
};

/// Reads what the peer of `Receiver` sends. A value of 48 bytes, which refers to nothing; no allocation. Not thread-safe.
template <role Receiver>
class frame_decoder {
public:
    /// `allowed_rsv`: the reserved bits that a negotiated extension uses (rsv1_bit ...).
    explicit frame_decoder(frame_limits limits = {}, std::uint8_t allowed_rsv = 0) noexcept
        : limits_{bound_of(limits.max_frame_size)}, allowed_rsv_(allowed_rsv) {}

    /// Takes the next part from the front of `input`, which is advanced past it, and unmasks it where it
    /// lies. Call it until it does not say part. The part lives as long as the bytes of `input`. O(part).
    decoded next(mutable_bytes& input) noexcept { return step<masked>(input, no_rules()); }

    /// The same with the part left masked, for a caller that unmasks and judges in one pass: it is still to be
    /// XORed with key(), `position() - payload.size()` bytes into the frame's payload.
    /// `rules` judges data frames by those before them, as no_rules shows.
    template <class Rules = no_rules>
    decoded next_masked(mutable_bytes& input, const Rules& rules = {}) noexcept {
        return step<false>(input, rules);
    }

    /// A faster way to take the most common frame: a text or binary message that is not longer than `limit`, nor than
    /// 65,535 bytes, in one frame that lies whole in the input. True: `payload` is that frame's, still masked, as from
    /// next_masked(). False: it is something else, or breaks a rule; nothing has changed. O(1).
    [[gnu::always_inline]] bool next_whole(mutable_bytes& input, mutable_bytes& payload,
                                           std::uint64_t limit) noexcept {
        std::byte* const header = input.data();
        const std::size_t available = input.size();
        std::size_t start = 2 + key_size;
        if (phase_ != phase::boundary || available < start) return false;
        const unsigned first = std::to_integer<unsigned>(header[0]);
        std::size_t size = std::to_integer<std::size_t>(header[1]) - (masked ? 0x80 : 0);
        if (size > 125) {
            start += 2;
            if (size != 126 || available < start) return false;
            size = load_be16(header + 2);
            if (size <= 125) return false; // not minimal
        }
        const bool data = first - (0x80U | static_cast<unsigned>(opcode::text)) <= 1; // FIN, text or binary
        if (!data || size > limit || size > available - start || size > limits_.max_frame_size) return false;
        first_ = header[0];
        payload_size_ = size;
        if constexpr (masked) std::memcpy(&key_, header + start - key_size, key_size);
        payload = {header + start, size};
        input = {header + start + size, available - start - size};
        return true;
    }

    /// The same with the input left as it is: the part is unmasked while it is copied to the front of `to`,
    /// which is advanced past it. need_more with input left over means that `to` is full.
    decoded next_copying(const_bytes& input, mutable_bytes& to) noexcept {
        if (const std::size_t start = whole_header_in(input, no_rules()); start != 0) {
            begin();
            input = input.subspan(start);
        } else if (!reach_payload(input, no_rules())) {
            return stopped();
        }
        const std::size_t count = limited_by(input.size() < to.size() ? input.size() : to.size());
        if (count == 0 && remaining_ > 0 && !begins_) return {};
        const mutable_bytes payload = to.first(count);
        if constexpr (masked) {
            copy_masked(payload.data(), input.first(count), key_, payload_size_ - remaining_);
        } else {
            detail::copy_bytes(payload.data(), input.data(), count);
        }
        input = input.subspan(count);
        to = to.subspan(count);
        return advance(payload);
    }

    /// The header of the part that came last. Meaningful from the first part on, until the decoder fails.
    [[nodiscard]] frame_header header() const noexcept {
        frame_header header{.masked = masked, .key = key_, .payload_size = payload_size_};
        detail::read_first(first_, header);
        return header;
    }

    /// Parts of header() that cost no more than a load: its first byte, its key, its payload size.
    [[nodiscard]] std::byte first_byte() const noexcept { return first_; }
    [[nodiscard]] masking_key key() const noexcept { return key_; }
    [[nodiscard]] std::uint64_t payload_size() const noexcept { return payload_size_; }

    /// Payload bytes of the current frame that have arrived so far.
    [[nodiscard]] std::uint64_t position() const noexcept { return payload_size_ - remaining_; }
    /// Payload bytes of the current frame still to come.
    [[nodiscard]] std::uint64_t remaining() const noexcept { return remaining_; }

    /// Whether the input so far ended with a whole frame (or was empty).
    [[nodiscard]] bool at_boundary() const noexcept { return phase_ == phase::boundary; }

private:
    enum class phase : std::uint8_t { boundary, header, payload, failed };

    static constexpr bool masked = masks(peer_of(Receiver));
    static constexpr std::size_t key_size = masked ? 4 : 0;

    template <bool Unmask, class Rules>
    decoded step(mutable_bytes& input, const Rules& rules) noexcept {
        const std::size_t start = whole_header_in(input, rules);
        if (start == 0) return reach_payload(input, rules) ? next_part<Unmask>(input) : stopped();
        if (payload_size_ > input.size() - start) {
            begin();
            input = input.subspan(start);
            return next_part<Unmask>(input);
        }
        const mutable_bytes payload = input.subspan(start, static_cast<std::size_t>(payload_size_));
        input = input.subspan(start + payload.size());
        if constexpr (Unmask) apply_mask(payload, key_);
        return {.status = decode_status::part, .begins = true, .ends = true, .payload = payload};
    }

    /// The fast path: a header that is due, lies whole in the input and keeps all rules is taken over, and
    /// its size returned. Otherwise 0, nothing has changed, and reach_payload() finds out what is the matter.
    template <class Rules>
    [[gnu::always_inline]] std::size_t whole_header_in(const_bytes input, const Rules& rules) noexcept {
        if (phase_ != phase::boundary || input.size() < 2) return 0;
        const std::byte* header = input.data();
        const std::size_t size = header_size_announced(header[1]);
        if (size > input.size()) return 0;
        if (check_first_two(header[0], header[1], Receiver, allowed_rsv_) != errc::none) return 0;
        const std::uint64_t payload_size = detail::read_length(header);
        if (is_data_frame(header[0]) && rules.check_first(header[0]) != errc::none) return 0;
        if (judge_length(header, payload_size, payload_size, rules) != errc::none) return 0;
        take_over(header, size, payload_size);
        return size;
    }

    /// The slow path: a header that comes in pieces or breaks a rule. Each byte is judged as it comes. False
    /// when there is no payload to take (see stopped()).
    template <class Byte, class Rules>
    [[gnu::noinline]] bool reach_payload(std::span<Byte>& input, const Rules& rules) noexcept {
        while (phase_ <= phase::header && !input.empty()) {
            kept_[kept_size_++] = input.front();
            input = input.subspan(1);
            phase_ = phase::header;
            error_ = judge_last(rules);
            if (error_ != errc::none) {
                phase_ = phase::failed;
            } else if (kept_size_ >= 2 && kept_size_ == header_size_announced(kept_[1])) {
                take_over(kept_.data(), kept_size_, detail::read_length(kept_.data()));
                begin();
                return true;
            }
        }
        return phase_ == phase::payload && !input.empty();
    }

    template <bool Unmask>
    [[gnu::noinline]] decoded next_part(mutable_bytes& input) noexcept {
        const mutable_bytes payload = input.first(limited_by(input.size()));
        input = input.subspan(payload.size());
        if constexpr (Unmask) apply_mask(payload, key_, payload_size_ - remaining_);
        return advance(payload);
    }

    static constexpr bool is_data_frame(std::byte first) noexcept {
        return (std::to_integer<unsigned>(first) & 0x08U) == 0;
    }

    template <class Rules>
    [[nodiscard]] errc judge_last(const Rules& rules) const noexcept {
        if (kept_size_ == 1) {
            const errc error = check_first(kept_[0], allowed_rsv_);
            return error == errc::none && is_data_frame(kept_[0]) ? rules.check_first(kept_[0]) : error;
        }
        if (kept_size_ == 2) {
            const errc error = check_second(kept_[0], kept_[1], Receiver);
            if (error != errc::none) return error;
        }
        const std::size_t length_end = header_size_announced(kept_[1]) - key_size;
        if (kept_size_ > length_end) return errc::none; // the key can break no rule
        // The bytes of a length that have arrived bound the value that it can still have.
        std::uint64_t least = length_end == 2 ? std::to_integer<unsigned>(kept_[1]) & 0x7fU : 0;
        std::uint64_t most = least;
        for (std::size_t i = 2; i < length_end; ++i) {
            const bool came = i < kept_size_;
            least = least << 8 | (came ? std::to_integer<unsigned>(kept_[i]) : 0);
            most = most << 8 | (came ? std::to_integer<unsigned>(kept_[i]) : 0xff);
        }
        return judge_length(kept_.data(), least, most, rules);
    }

    /// By the bounds of the length, which are equal once all of it has come.
    template <class Rules>
    [[nodiscard]] errc judge_length(const std::byte* header, std::uint64_t least, std::uint64_t most,
                                    const Rules& rules) const noexcept {
        const errc error = check_length(std::to_integer<unsigned>(header[1]) & 0x7fU, least, most);
        if (error != errc::none) return error;
        // A control frame was held to 125 bytes by its second byte, whatever the limit for data.
        if (!is_data_frame(header[0])) return errc::none;
        return least > limits_.max_frame_size ? errc::frame_too_big : rules.check_size(header[0], least);
    }

    void take_over(const std::byte* header, std::size_t size, std::uint64_t payload_size) noexcept {
        first_ = header[0];
        payload_size_ = payload_size;
        if constexpr (masked) std::memcpy(&key_, header + size - key_size, key_size);
    }

    void begin() noexcept {
        remaining_ = payload_size_;
        phase_ = phase::payload;
        begins_ = true;
        kept_size_ = 0;
    }

    [[nodiscard]] std::size_t limited_by(std::size_t available) const noexcept {
        return available < remaining_ ? available : static_cast<std::size_t>(remaining_);
    }

    decoded advance(mutable_bytes payload) noexcept {
        remaining_ -= payload.size();
        const bool ends = remaining_ == 0;
        if (ends) phase_ = phase::boundary;
        return {.status = decode_status::part,
                .begins = detail::exchange(begins_, false),
                .ends = ends,
                .payload = payload};
    }

    [[nodiscard]] decoded stopped() const noexcept {
        if (phase_ == phase::failed) return {.status = decode_status::failed, .error = error_};
        return {};
    }

    std::uint64_t payload_size_ = 0;
    std::uint64_t remaining_ = 0;
    frame_limits limits_;
    masking_key key_{};
    std::byte first_{};
    std::uint8_t allowed_rsv_;
    phase phase_ = phase::boundary;
    bool begins_ = false;
    errc error_ = errc::none;
    std::uint8_t kept_size_ = 0;
    std::array<std::byte, max_header_size> kept_{};
};

} // namespace wsolo::inline WSOLO_ABI

#endif // WSOLO_SINGLE_CODEC
