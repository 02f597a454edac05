// SPDX-License-Identifier: MIT
// wsolo 0.1.0: every room in one header; deflate/, adapt/ and testing/ lie beside it.
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

#ifndef WSOLO_SINGLE_HEADER
#define WSOLO_SINGLE_HEADER 1

#include <array>
#include <atomic>
#include <bit>
#include <concepts>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <initializer_list>
#include <iosfwd>
#include <limits>
#include <new>
#include <optional>
#include <span>
#include <string_view>
#include <type_traits>
#include <utility>
#include <version>

#ifndef WSOLO_SINGLE_CODEC

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

#endif // WSOLO_SINGLE_CODEC

// ---- wsolo/core/side.hpp
// Which side of a connection an object is, as one policy for reader, writer and endpoint: the role, and with a client's the
// key source that it masks with.
//
// Laws of this file:
// - The side is a type: a server has no key source to misuse, a client can't be made without one (RFC 6455 §5.1).
// - An endpoint's replies (PONG, Close) are its reader's, masked by a default key source of their own.
// - An object uses its side from one thread at a time (a writer under its lock), so a key source needs no lock of its own.

namespace wsolo::inline WSOLO_ABI {

/// A server: what it sends goes out as it is. An empty value.
class server_side {
public:
    /// Which of the two it is.
    static constexpr role self = role::server;

    /// Calls use(), and returns its result: encode_frame<self> and the like take no key source of a server.
    template <class Use>
    decltype(auto) with_keys(Use use) noexcept {
        return use();
    }
    /// A side that encodes one frame, for use by another thread.
    [[nodiscard]] server_side for_one_frame() noexcept { return {}; }
};

/// A client: each frame that it sends is masked with a fresh key from `Keys`, which is owned (`random_keys`, the default),
/// or referred to (`random_keys&`: it then outlives this). Not thread-safe: drawing a key changes the source.
template <class Keys = random_keys>
class client_side {
    static_assert(key_source<std::remove_reference_t<Keys>>,
                  "a client's frames are masked: give it a key source (core/random.hpp)");

public:
    /// Which of the two it is.
    static constexpr role self = role::client;

    client_side()
        requires std::default_initializable<Keys>
    = default;
    explicit client_side(Keys keys) noexcept : keys_(static_cast<Keys&&>(keys)) {}

    /// Calls use(keys), and returns its result: for encode_frame<self> and the like.
    template <class Use>
    decltype(auto) with_keys(Use use) noexcept {
        return use(keys_);
    }
    /// A side that encodes one frame, for use by another thread. Takes one key from the source.
    [[nodiscard]] client_side<one_key> for_one_frame() noexcept {
        return client_side<one_key>(one_key(keys_.next_key()));
    }

private:
    Keys keys_{};
};

/// The side of a role, with a client's default key source.
template <role Self>
using default_side = std::conditional_t<Self == role::server, server_side, client_side<>>;

} // namespace wsolo::inline WSOLO_ABI

// ---- wsolo/core/time.hpp
// Points and spans of time, as everything in wsolo counts them.
//
// Laws of this file:
// - Every deadline is a point of the steady clock: the wall clock may jump.
// - Arithmetic saturates: a deadline beyond the clock's end is no deadline.
// - Nothing here reads a clock.
// - Programs that use calendars, or print time, include <chrono> themselves.

// <chrono>'s durations and clocks alone: libstdc++'s whole header brings <format>, ten times the rest of this room.
#if defined(__GLIBCXX__) && __has_include(<bits/chrono.h>)
#include <bits/chrono.h>
#else
#include <chrono>
#endif

namespace wsolo::inline WSOLO_ABI {

/// A point of the steady clock.
using time_point = std::chrono::steady_clock::time_point;
/// A span; any std::chrono duration that converts without loss fits.
using duration = std::chrono::steady_clock::duration;

/// "No deadline", and what a deadline that would overflow saturates to.
inline constexpr time_point no_deadline = (time_point::max)();

/// `span` in the clock's own unit; what that can't hold saturates, at either end.
template <class Rep, class Period>
[[nodiscard]] constexpr duration saturated(std::chrono::duration<Rep, Period> span) noexcept {
    if constexpr (std::is_same_v<Rep, duration::rep> && std::ratio_less_equal_v<Period, duration::period>) {
        return std::chrono::duration_cast<duration>(span); // as fine or finer: it fits
    } else { // compared in a type that holds every span of any unit and number, NaN included
        const std::chrono::duration<long double, Period> wide(span);
        if (!(wide < std::chrono::duration<long double, Period>((duration::max)()))) return (duration::max)();
        if (wide <= std::chrono::duration<long double, Period>((duration::min)())) return (duration::min)();
        return std::chrono::duration_cast<duration>(span);
    }
}

/// A timeout as a bound. 0 means no bound, for every timeout of wsolo.
template <class Rep, class Period>
[[nodiscard]] constexpr duration bound_of(std::chrono::duration<Rep, Period> timeout) noexcept {
    return timeout == timeout.zero() ? (duration::max)() : saturated(timeout);
}

/// `from` + `span`, saturating at no_deadline and at the clock's beginning.
[[nodiscard]] constexpr time_point deadline_after(time_point from, duration span) noexcept {
    const duration since = from.time_since_epoch();
    if (span.count() > 0 && since > (duration::max)() - span) return no_deadline;
    if (span.count() < 0 && since < (duration::min)() - span) return (time_point::min)();
    return from + span;
}
template <class Rep, class Period>
[[nodiscard]] constexpr time_point deadline_after(time_point from,
                                                  std::chrono::duration<Rep, Period> span) noexcept {
    return deadline_after(from, saturated(span));
}

namespace detail {

/// `span` as seconds. (A std::chrono::duration of double would be one more type for each source to instantiate.)
[[nodiscard]] constexpr double seconds_of(duration span) noexcept {
    return static_cast<double>(span.count()) * duration::period::num / duration::period::den;
}

/// Whole milliseconds in 32 bits. 0, and anything above 49 days, is "none"; a negative span counts as 1 ms.
class short_duration {
public:
    explicit constexpr short_duration(std::chrono::milliseconds span) noexcept
        : milliseconds_(span.count() < 0            ? 1
                        : span.count() > UINT32_MAX ? 0
                                                    : static_cast<std::uint32_t>(span.count())) {}

    [[nodiscard]] bool operator==(const short_duration&) const = default;
    /// duration::max() where there is none.
    [[nodiscard]] constexpr duration get() const noexcept {
        return milliseconds_ == 0 ? (duration::max)() : duration(std::chrono::milliseconds(milliseconds_));
    }

private:
    std::uint32_t milliseconds_;
};

} // namespace detail

} // namespace wsolo::inline WSOLO_ABI

#ifndef WSOLO_SINGLE_CODEC

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

// ---- wsolo/frame/detail/frame_memory.hpp
// A frame whose payload is made where it stays: its length is known afterwards, and so is its header's.
//
// Laws of this file:
// - One block of malloc's, which the caller frees: room for what the caller keeps before the frame, then the frame, and nothing
//   after it once it is made.
// - The payload is copied where its header turns out to be shorter than the longest that it might have had, and nowhere else.

namespace wsolo::inline WSOLO_ABI::detail {

/// What came of it. memory: nullptr where there is none; then is_lost says that a payload was made in vain.
struct frame_memory {
    void* memory = nullptr;
    std::size_t size = 0;  ///< of the frame
    bool is_short = false; ///< there was no memory
    bool is_lost = false;
};

/// `make(mutable_bytes)` writes the payload and says how long it is, at most `most` bytes; 0: there is none. It is given `spare` bytes
/// more than that to work in. `header`: all but the length, with the key that masks. O(most).
template <class Make>
[[nodiscard]] frame_memory make_frame_memory(std::size_t before, frame_header header, std::size_t most,
                                             std::size_t spare, Make make) noexcept {
    const std::size_t guess = header_size(most, header.masked);
    auto* const block = static_cast<std::byte*>(std::malloc(before + guess + most + spare));
    if (block == nullptr) return {.is_short = true};
    std::byte* const frame = block + before;
    const std::size_t size = make(mutable_bytes(frame + guess, most + spare));
    if (size == 0 || size > most) {
        std::free(block);
        return {.is_lost = size != 0};
    }
    header.payload_size = size;
    const std::size_t head = header_size(size, header.masked);
    if (head != guess) std::memmove(frame + head, frame + guess, size);
    write_header(header, frame);
    if (header.masked) apply_mask(mutable_bytes(frame + head, size), header.key);
    void* const whole = std::realloc(block, before + head + size);
    if (whole != nullptr) return {.memory = whole, .size = head + size};
    std::free(block); // larger than what it is counted as
    return {.is_short = true, .is_lost = true};
}

} // namespace wsolo::inline WSOLO_ABI::detail

// ---- wsolo/frame/shared_frame.hpp
// One encoded frame for any number of connections: encoded once, queued everywhere by pointer.
//
// Laws of this file:
// - Immutable once made, so any number of threads may read it; only the count is written, atomically.
// - One allocation holds count and bytes. The last holder frees it, whichever thread that is.
// - Unmasked, hence for servers only: a client's frames each need a key of their own (RFC 6455 §5.3).

namespace wsolo::inline WSOLO_ABI {

class shared_frame;
namespace detail {
template <class Make>
[[nodiscard]] result<shared_frame> make_shared_form(frame_spec spec, std::size_t most, std::size_t spare,
                                                    Make make) noexcept;
} // namespace detail

/// A counted reference to an encoded server frame. One pointer wide. As with std::shared_ptr, different
/// copies may be used from different threads, one copy may not.
class shared_frame {
public:
    /// Refers to nothing; bytes() is empty.
    shared_frame() noexcept = default;
    shared_frame(const shared_frame& other) noexcept : block_(other.block_) {
        // relaxed: the thread that copies already holds a reference, so nothing needs to be ordered
        if (block_ != nullptr) block_->count.fetch_add(1, std::memory_order_relaxed);
    }
    shared_frame(shared_frame&& other) noexcept : block_(detail::exchange(other.block_, nullptr)) {}
    shared_frame& operator=(const shared_frame& other) noexcept { return *this = shared_frame(other); }
    // Not by value: clang 14 does not destroy a parameter that was made of {} in a template.
    shared_frame& operator=(shared_frame&& other) noexcept {
        shared_frame fresh(std::move(other));
        std::swap(block_, fresh.block_);
        return *this;
    }
    ~shared_frame() { drop(); }

    [[nodiscard]] explicit operator bool() const noexcept { return block_ != nullptr; }

    /// The encoded frame. Valid while any copy of this reference lives.
    [[nodiscard]] const_bytes bytes() const noexcept {
        if (block_ == nullptr) return {};
        return {reinterpret_cast<const std::byte*>(block_ + 1), block_->size};
    }

    /// Whether it is a whole text or binary message, and not a control frame or a part of a message.
    [[nodiscard]] bool is_message() const noexcept { return block_ != nullptr && block_->is_message; }

    /// The same message in another form (compressed, say, by itself), made by the first caller that asks for it and kept with
    /// the frame: `make()` returns it; or an empty reference: there is none, for all; or why it has none now (out_of_memory), and
    /// then the next caller asks again. Two threads at once may both make it; one is kept. Its memory is the frame's: no connection
    /// counts it. Precondition: refers to a frame; form < forms.
    template <class Make>
    [[nodiscard]] shared_frame other_form(std::size_t form, Make make) const noexcept {
        std::atomic<block*>& place = block_->others[form];
        block* known = place.load(std::memory_order_acquire);
        if (known == nullptr) {
            result<shared_frame> answer = make();
            if (!answer) return {};
            shared_frame made = *std::move(answer);
            block* const mine = made.block_ == nullptr ? block_ : made.block_; // itself: there is none
            if (place.compare_exchange_strong(known, mine, std::memory_order_acq_rel)) {
                known = mine;
                made.block_ = nullptr; // the frame's now
            }
        }
        if (known == block_) return {};
        known->count.fetch_add(1, std::memory_order_relaxed);
        return shared_frame(known);
    }
    /// How many other forms a frame can have.
    static constexpr std::size_t forms = 2;

    /// Whether both refer to the same frame.
    friend bool operator==(const shared_frame& left, const shared_frame& right) noexcept {
        return left.block_ == right.block_;
    }

private:
    struct block {
        std::atomic<std::uint32_t> count; ///< cannot wrap: 2^32 references take 32 GiB
        bool is_message;
        std::size_t size;
        std::atomic<block*> others[forms] = {};
    };

    explicit shared_frame(block* made) noexcept : block_(made) {}

    void drop() noexcept {
        if (block_ == nullptr) return;
        // acq_rel: every other holder's last read comes before the memory is freed
        if (block_->count.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
        for (const std::atomic<block*>& other : block_->others) {
            block* const form = other.load(std::memory_order_relaxed);
            if (form != nullptr && form != block_)
                static_cast<void>(shared_frame(form)); // gives its reference back
        }
        block_->~block();
        std::free(block_);
    }

    friend result<shared_frame> make_shared_frame(frame_spec, const_bytes) noexcept;
    template <class Make>
    friend result<shared_frame> detail::make_shared_form(frame_spec, std::size_t, std::size_t, Make) noexcept;

    block* block_ = nullptr;
};

namespace detail {
[[nodiscard]] constexpr bool is_whole_message(frame_spec spec) noexcept {
    const bool is_final = (spec.first_byte() & std::byte{0x80}) != std::byte{};
    return is_final && (spec.op() == opcode::text || spec.op() == opcode::binary);
}
} // namespace detail

/// Encodes a server's frame that any number of connections can send. Errors as encode_frame's, and out_of_memory. O(n), one allocation.
[[nodiscard]] inline result<shared_frame> make_shared_frame(frame_spec spec, const_bytes payload) noexcept {
    if (const errc error = detail::check_outgoing(spec, payload.size()); error != errc::none) return error;
    const std::size_t size = encoded_size<role::server>(payload.size());
    void* memory = std::malloc(sizeof(shared_frame::block) + size);
    if (memory == nullptr) return errc::out_of_memory;
    auto* block = ::new (memory) shared_frame::block{1, detail::is_whole_message(spec), size};
    detail::write_frame<role::server>(reinterpret_cast<std::byte*>(block + 1), spec, payload);
    return shared_frame(block);
}

/// A whole message whose payload `make` writes: see make_frame_memory(). An empty reference: there is none. Errors: out_of_memory.
template <class Make>
result<shared_frame> detail::make_shared_form(frame_spec spec, std::size_t most, std::size_t spare,
                                              Make make) noexcept {
    const bool is_compressed = (spec.first_byte() & std::byte{rsv1_bit}) != std::byte{};
    const frame_memory made = make_frame_memory(
        sizeof(shared_frame::block), {.rsv1 = is_compressed, .op = spec.op()}, most, spare, std::move(make));
    if (made.is_short) return errc::out_of_memory;
    if (made.memory == nullptr) return shared_frame();
    return shared_frame(::new (made.memory) shared_frame::block{1, true, made.size});
}

} // namespace wsolo::inline WSOLO_ABI

// ---- wsolo/handshake/syntax.hpp
// The small forms of HTTP that a handshake is made of: characters, tokens, values, optional white space.
//
// Laws of this file:
// - ASCII only, whatever the locale; everything is usable in constant expressions.
// - A form is accepted exactly as its grammar has it. Where HTTP asks for leniency, the parser that grants
//   it says so.

namespace wsolo::inline WSOLO_ABI {
namespace detail {

[[nodiscard]] constexpr bool is_digit(char c) noexcept { return c >= '0' && c <= '9'; }

[[nodiscard]] constexpr char to_lower(char c) noexcept {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

[[nodiscard]] constexpr bool is_letter_or_digit(char c) noexcept {
    return (to_lower(c) >= 'a' && to_lower(c) <= 'z') || is_digit(c);
}

/// tchar (RFC 9110 §5.6.2)
[[nodiscard]] constexpr bool is_token_char(char c) noexcept {
    return is_letter_or_digit(c) || std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
}

/// What a field's value may hold: VCHAR, SP, HTAB, obs-text (RFC 9110 §5.5). Not CR, LF, NUL or another
/// control.
[[nodiscard]] constexpr bool is_value_char(char c) noexcept {
    const auto byte = static_cast<unsigned char>(c);
    return c == '\t' || (byte >= 0x20 && byte != 0x7f);
}

template <class Predicate>
[[nodiscard]] constexpr bool all_of(std::string_view text, Predicate holds) noexcept {
    for (const char c : text) {
        if (!holds(c)) return false;
    }
    return true;
}

[[nodiscard]] constexpr bool is_token(std::string_view text) noexcept {
    return !text.empty() && all_of(text, is_token_char);
}

[[nodiscard]] constexpr bool is_field_value(std::string_view text) noexcept {
    return all_of(text, is_value_char);
}

/// 1*DIGIT
[[nodiscard]] constexpr bool is_number(std::string_view text) noexcept {
    return !text.empty() && all_of(text, is_digit);
}

/// Field names, `Upgrade` and `Connection` compare this way (RFC 6455 §4.2.1, RFC 9110 §5.1).
[[nodiscard]] constexpr bool equals_ignoring_case(std::string_view a, std::string_view b) noexcept {
    if (a.size() != b.size()) return false;
    for (std::size_t i = 0; i < a.size(); ++i) {
        if (to_lower(a[i]) != to_lower(b[i])) return false;
    }
    return true;
}

/// The text without the spaces and tabs around it (OWS, RFC 9110 §5.6.3).
[[nodiscard]] constexpr std::string_view trim(std::string_view text) noexcept {
    const auto is_space = [](char c) { return c == ' ' || c == '\t'; };
    while (!text.empty() && is_space(text.front())) text.remove_prefix(1);
    while (!text.empty() && is_space(text.back())) text.remove_suffix(1);
    return text;
}

} // namespace detail
} // namespace wsolo::inline WSOLO_ABI

// ---- wsolo/handshake/base64.hpp
// Base64 (RFC 4648 §4) for texts of a size known at compile time: the handshake's key and accept value.
//
// Laws of this file:
// - Standard alphabet, padded, no line breaks.
// - Nothing is decoded: a key is hashed as the text that it is (RFC 6455 §4.2.2), so only its form counts.

namespace wsolo::inline WSOLO_ABI {
namespace detail {

/// Characters that `count` bytes become.
[[nodiscard]] constexpr std::size_t base64_size(std::size_t count) noexcept { return (count + 2) / 3 * 4; }

inline constexpr std::string_view base64_alphabet =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

template <std::size_t Count>
[[nodiscard]] constexpr std::array<char, base64_size(Count)>
encode_base64(const std::array<std::byte, Count>& bytes) noexcept {
    std::array<char, base64_size(Count)> text{};
    std::size_t at = 0;
    for (std::size_t i = 0; i < Count; i += 3) {
        std::uint32_t group = 0;
        for (std::size_t k = i; k < i + 3; ++k) {
            group = group << 8 | (k < Count ? std::to_integer<std::uint32_t>(bytes[k]) : 0);
        }
        for (int shift = 18; shift >= 0; shift -= 6) text[at++] = base64_alphabet[group >> shift & 63];
    }
    for (std::size_t missing = (3 - Count % 3) % 3; missing > 0; --missing) text[text.size() - missing] = '=';
    return text;
}

/// Whether `text` is Base64 of exactly `count` bytes: its letters, then its padding. Bits of the last letter
/// that stand for nothing may have any value.
[[nodiscard]] constexpr bool is_base64_of(std::size_t count, std::string_view text) noexcept {
    const std::size_t padding = (3 - count % 3) % 3;
    if (text.size() != base64_size(count)) return false;
    const std::size_t letters = text.size() - padding;
    const auto is_letter = [](char c) { return is_letter_or_digit(c) || c == '+' || c == '/'; };
    if (!all_of(text.substr(0, letters), is_letter)) return false;
    return text.substr(letters) == std::string_view("==").substr(0, padding);
}

} // namespace detail
} // namespace wsolo::inline WSOLO_ABI

// ---- wsolo/handshake/sha1.hpp
// SHA-1 (RFC 3174), for the one thing that the opening handshake still uses it for: proving that the server
// read the client's key (RFC 6455 §1.3). Not for anything that needs a secure hash.
//
// Laws of this file:
// - Incremental, no allocation, usable in constant expressions.

namespace wsolo::inline WSOLO_ABI {
namespace detail {

using sha1_digest = std::array<std::byte, 20>;

/// Takes text in any pieces and yields its digest once.
class sha1 {
public:
    constexpr void update(std::string_view text) noexcept {
        for (const char c : text) put(static_cast<unsigned char>(c));
        size_ += text.size();
    }

    /// The digest of all text so far. Call it once; the object must not be used after that.
    [[nodiscard]] constexpr sha1_digest finish() noexcept {
        put(0x80);
        while (used_ != length_at) put(0);
        const std::uint64_t bits = size_ * 8;
        for (int shift = 56; shift >= 0; shift -= 8) put(static_cast<unsigned char>(bits >> shift));
        sha1_digest digest{};
        for (std::size_t i = 0; i < digest.size(); ++i) {
            digest[i] = static_cast<std::byte>(state_[i / 4] >> (24 - 8 * (i % 4)));
        }
        return digest;
    }

private:
    static constexpr std::size_t block_size = 64;
    static constexpr std::size_t length_at = 56; // the last 8 bytes of the last block hold the length in bits

    constexpr void put(unsigned char byte) noexcept {
        std::uint32_t& word = block_[used_ / 4];
        word = word << 8 | byte;
        if (++used_ == block_size) {
            mix();
            used_ = 0;
        }
    }

    /// One block (RFC 3174 §6.1): 80 rounds in four groups of 20.
    constexpr void mix() noexcept {
        std::array<std::uint32_t, 80> w{};
        for (std::size_t t = 0; t < 16; ++t) w[t] = block_[t];
        for (std::size_t t = 16; t < 80; ++t)
            w[t] = std::rotl(w[t - 3] ^ w[t - 8] ^ w[t - 14] ^ w[t - 16], 1);

        std::uint32_t a = state_[0], b = state_[1], c = state_[2], d = state_[3], e = state_[4];
        const auto twenty = [&](std::size_t from, std::uint32_t constant, auto choice) {
            for (std::size_t t = from; t < from + 20; ++t) {
                const std::uint32_t next = std::rotl(a, 5) + choice() + e + w[t] + constant;
                e = d;
                d = c;
                c = std::rotl(b, 30);
                b = a;
                a = next;
            }
        };
        const auto parity = [&] { return b ^ c ^ d; };
        twenty(0, 0x5a827999, [&] { return (b & c) | (~b & d); });
        twenty(20, 0x6ed9eba1, parity);
        twenty(40, 0x8f1bbcdc, [&] { return (b & c) | (b & d) | (c & d); });
        twenty(60, 0xca62c1d6, parity);
        state_ = {state_[0] + a, state_[1] + b, state_[2] + c, state_[3] + d, state_[4] + e};
    }

    std::array<std::uint32_t, 5> state_{0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0};
    std::array<std::uint32_t, 16> block_{};
    std::size_t used_ = 0;
    std::uint64_t size_ = 0;
};

} // namespace detail
} // namespace wsolo::inline WSOLO_ABI

// ---- wsolo/handshake/accept_key.hpp
// Sec-WebSocket-Accept: what a server answers to a client's key (RFC 6455 §1.3, §4.2.2).
//
// Laws of this file:
// - The key is hashed as the text that was received; it is never decoded.

namespace wsolo::inline WSOLO_ABI {

/// The text of a Sec-WebSocket-Accept. A value of 28 characters.
struct accept_value {
    /// Base64 of the SHA-1, without a terminator.
    std::array<char, 28> text{};

    /// The text as a view, valid as long as this object.
    [[nodiscard]] constexpr std::string_view view() const& noexcept { return {text.data(), text.size()}; }
    std::string_view view() const&& = delete; // it would look into a temporary
    friend constexpr bool operator==(const accept_value&, const accept_value&) noexcept = default;
    friend constexpr bool operator==(const accept_value& value, std::string_view other) noexcept {
        return value.view() == other;
    }
};

/// Base64 of the SHA-1 of the key followed by the protocol's GUID (RFC 6455 §1.3). `client_key` is the
/// header's value without the whitespace around it. O(key), no allocation, usable in constant expressions.
[[nodiscard]] constexpr accept_value accept_key(std::string_view client_key) noexcept {
    detail::sha1 hash;
    hash.update(client_key);
    hash.update("258EAFA5-E914-47DA-95CA-C5AB0DC85B11");
    return {detail::encode_base64(hash.finish())};
}

} // namespace wsolo::inline WSOLO_ABI

// ---- wsolo/handshake/header_list.hpp
// Header fields as views, over a head that was checked before or over the fields that another parser found: walked in
// order, found by name, split at commas.
//
// Laws of this file:
// - No table is kept: a lookup walks the fields, O(their bytes), which the limits keep small. So any number
//   of fields costs no memory. No list that a peer can lengthen is walked once for each of its own elements.
// - Names compare without regard to case, values come without the whitespace around them (RFC 9110 §5).
// - All views point into the head and live as long as it does.

namespace wsolo::inline WSOLO_ABI {

/// Where every list of this room ends (<iterator>, which has such a type, costs every user 0.1 s of compile
/// time).
struct list_end {};

/// One header field, received or to be sent. Two views; it owns nothing.
struct header_field {
    /// Views of what was parsed; the value without the white space around it.
    std::string_view name;
    std::string_view value;
    friend constexpr bool operator==(const header_field&, const header_field&) noexcept = default;
};

/// The fields of one message, in their order. A range of header_field; a view.
class header_list {
public:
    class iterator {
    public:
        using value_type = header_field;
        using difference_type = std::ptrdiff_t;

        constexpr iterator() = default;
        [[nodiscard]] constexpr const header_field& operator*() const noexcept { return field_; }
        [[nodiscard]] constexpr const header_field* operator->() const noexcept { return &field_; }
        constexpr iterator& operator++() noexcept {
            if (parsed_size_ != 0) {
                field_ = {parsed_->name, detail::trim(parsed_->value)};
                skip_parsed();
                return *this;
            }
            const std::size_t end = rest_.find('\r'); // a legal head has it nowhere else
            ended_ = end == std::string_view::npos;
            if (ended_) return *this;
            const std::string_view line = rest_.substr(0, end);
            const std::size_t colon = line.find(':');
            field_ = {line.substr(0, colon), detail::trim(line.substr(colon + 1))};
            rest_.remove_prefix(end + 2);
            return *this;
        }
        constexpr void operator++(int) noexcept { ++*this; }
        friend constexpr bool operator==(const iterator& at, list_end) noexcept { return at.ended_; }

    private:
        friend class header_list;
        friend class element_list;

        constexpr explicit iterator(const header_list& fields) noexcept
            : rest_(fields.lines_),
              parsed_(fields.parsed_),
              parsed_size_(fields.parsed_size_),
              ended_(false) {
            ++*this;
        }
        /// At the first field of this name.
        constexpr iterator(const header_list& fields, std::string_view name) noexcept
            : rest_(fields.lines_),
              parsed_(fields.parsed_),
              parsed_size_(fields.parsed_size_),
              ended_(false) {
            seek(name);
        }
        /// To the next field of this name. Only that one is taken apart.
        constexpr void seek(std::string_view name) noexcept {
            while (parsed_size_ != 0 && !detail::equals_ignoring_case(parsed_->name, name)) skip_parsed();
            while (!rest_.empty() && !begins_with_field(name)) {
                const std::size_t end = rest_.find('\r');
                rest_.remove_prefix(end == std::string_view::npos ? rest_.size() : end + 2);
            }
            ++*this;
        }
        [[nodiscard]] constexpr bool begins_with_field(std::string_view name) const noexcept {
            return rest_.size() > name.size() && rest_[name.size()] == ':' &&
                   detail::equals_ignoring_case(rest_.substr(0, name.size()), name);
        }

        constexpr void skip_parsed() noexcept {
            ++parsed_;
            --parsed_size_;
        }

        std::string_view rest_;
        const header_field* parsed_ = nullptr;
        std::size_t parsed_size_ = 0;
        header_field field_;
        bool ended_ = true;
    };

    constexpr header_list() = default;
    /// `lines`: field lines that were found legal, each with its CR LF.
    constexpr explicit header_list(std::string_view lines) noexcept : lines_(lines) {}
    /// `fields`: what another parser found, an array or vector of header_field that lives as long as this list.
    /// White space around values is left out here too.
    template <class Fields>
        requires(!std::same_as<Fields, header_list> &&
                 std::convertible_to<const Fields&, std::span<const header_field>>)
    constexpr header_list(const Fields& fields) noexcept {
        const std::span<const header_field> all(fields);
        parsed_ = all.data();
        parsed_size_ = all.size();
    }

    [[nodiscard]] constexpr iterator begin() const noexcept { return iterator(*this); }
    [[nodiscard]] constexpr list_end end() const noexcept { return {}; }

    /// The first field of this name.
    [[nodiscard]] constexpr std::optional<std::string_view> find(std::string_view name) const noexcept {
        const iterator first(*this, name);
        return first == end() ? std::nullopt : std::optional(first->value);
    }

    /// How many fields have this name.
    [[nodiscard]] constexpr std::size_t count(std::string_view name) const noexcept {
        std::size_t found = 0;
        for (iterator at(*this, name); at != end(); at.seek(name)) ++found;
        return found;
    }

private:
    std::string_view lines_; // it or what is parsed is empty
    const header_field* parsed_ =
        nullptr; // and a size: the checks of a span's iterators cost each source 10 ms
    std::size_t parsed_size_ = 0;
};

/// The elements of a comma-separated list, of one text or of all fields of one name together, which mean
/// the same (RFC 9110 §5.3). Empty elements are skipped (§5.6.1.2). A range of std::string_view; a view.
class element_list {
public:
    class iterator {
    public:
        using value_type = std::string_view;
        using difference_type = std::ptrdiff_t;

        constexpr iterator() = default;
        constexpr iterator(header_list fields, std::string_view name, std::string_view text) noexcept
            : field_(fields, name), name_(name), rest_(text) {
            ++*this;
        }
        [[nodiscard]] constexpr std::string_view operator*() const noexcept { return element_; }
        constexpr iterator& operator++() noexcept {
            do {
                while (!rest_.empty()) {
                    const std::size_t comma = rest_.find(',');
                    element_ = detail::trim(rest_.substr(0, comma));
                    rest_.remove_prefix(comma == std::string_view::npos ? rest_.size() : comma + 1);
                    if (!element_.empty()) return *this;
                }
            } while (next_field());
            element_ = {};
            return *this;
        }
        constexpr void operator++(int) noexcept { ++*this; }
        friend constexpr bool operator==(const iterator& at, list_end) noexcept {
            return at.element_.empty();
        }

    private:
        constexpr bool next_field() noexcept {
            if (field_ == list_end()) return false;
            rest_ = field_->value;
            field_.seek(name_);
            return true;
        }

        header_list::iterator field_;
        std::string_view name_;
        std::string_view rest_;
        std::string_view element_;
    };

    constexpr element_list() = default;
    constexpr explicit element_list(std::string_view text) noexcept : text_(text) {}
    /// `name` must live as long as the list: a literal, for instance.
    constexpr element_list(header_list fields, std::string_view name) noexcept
        : fields_(fields), name_(name) {}

    [[nodiscard]] constexpr iterator begin() const noexcept { return {fields_, name_, text_}; }
    [[nodiscard]] constexpr list_end end() const noexcept { return {}; }
    /// Whether nothing is in it.
    [[nodiscard]] constexpr bool empty() const noexcept { return begin() == end(); }

    /// Whether `element` is among them, in the same case.
    [[nodiscard]] constexpr bool contains(std::string_view element) const noexcept {
        for (const std::string_view mine : *this) {
            if (mine == element) return true;
        }
        return false;
    }

    /// Whether `element` is among them, whatever its case.
    [[nodiscard]] constexpr bool contains_ignoring_case(std::string_view element) const noexcept {
        for (const std::string_view mine : *this) {
            if (detail::equals_ignoring_case(mine, element)) return true;
        }
        return false;
    }

private:
    header_list fields_;
    std::string_view name_;
    std::string_view text_;
};

namespace detail {

/// 1#element: at least one, and each of the form that `is_legal` demands.
template <class Predicate>
[[nodiscard]] constexpr bool is_list_of(const element_list& elements, Predicate is_legal) noexcept {
    for (const std::string_view element : elements) {
        if (!is_legal(element)) return false;
    }
    return !elements.empty();
}

} // namespace detail
} // namespace wsolo::inline WSOLO_ABI

// ---- wsolo/handshake/message_writer.hpp
// Writes heads: into a span, or after the contents of a container.
//
// Laws of this file:
// - A head is composed twice, and only counted the first time: so a destination that is too small is left untouched,
//   and a container grows once.
// - Nothing that could end a line or a head early is written: names are tokens, values have no control
//   characters.

namespace wsolo::inline WSOLO_ABI {
namespace detail {

/// Counts what is written, and stores it unless it was made without a destination.
class message_writer {
public:
    message_writer() = default;
    explicit message_writer(std::byte* to) noexcept : to_(to) {}

    void text(std::string_view text) noexcept {
        if (to_ != nullptr && !text.empty()) std::memcpy(to_ + size_, text.data(), text.size());
        // The same text may be passed many times: on a 32-bit machine the sum could wrap.
        const std::size_t sum = size_ + text.size();
        size_ = sum < size_ ? static_cast<std::size_t>(-1) : sum;
    }
    void number(std::size_t value) noexcept {
        char digits[20];
        std::size_t at = sizeof digits;
        do {
            digits[--at] = static_cast<char>('0' + value % 10);
            value /= 10;
        } while (value != 0);
        const char* const first = digits + at;
        text(std::string_view(
            first,
            sizeof digits - at)); // from a char* it would cost each source 4 ms to choose the constructor
    }
    void field(std::string_view name, std::string_view value) noexcept {
        text(name);
        text(": ");
        text(value);
        text("\r\n");
    }
    /// Writes the field, or nothing when it has no value.
    void optional_field(std::string_view name, std::string_view value) noexcept {
        if (!value.empty()) field(name, value);
    }
    void fields(std::span<const header_field> all) noexcept {
        for (const header_field& each : all) field(each.name, each.value);
    }
    [[nodiscard]] std::size_t size() const noexcept { return size_; }

private:
    std::byte* to_ = nullptr;
    std::size_t size_ = 0;
};

/// A string or vector of bytes or characters.
template <class Container>
concept resizable_text = requires(Container& out, std::size_t size) {
    out.resize(size);
    { out.size() } -> std::convertible_to<std::size_t>;
    requires sizeof(*out.data()) == 1;
};

/// What append_x functions append to.
template <class Container>
concept growable_bytes = std::same_as<Container, byte_buffer> || resizable_text<Container>;

/// Lengthens `out` by `count` bytes; nullptr when there is no memory, and then it is as it was.
template <growable_bytes Container>
[[nodiscard]] std::byte* lengthen(Container& out, std::size_t count) noexcept {
    if constexpr (std::same_as<Container, byte_buffer>) {
        return out.extend(count);
    } else {
        const std::size_t size = out.size();
        if (count > static_cast<std::size_t>(-1) - size) return nullptr;
#if WSOLO_HAS_EXCEPTIONS
        try {
            out.resize(size + count);
        } catch (...) { // bad_alloc or length_error
            return nullptr;
        }
#else
        out.resize(size + count);
#endif
        return reinterpret_cast<std::byte*>(out.data()) + size;
    }
}

/// The bytes written; errc::buffer_too_small when they do not fit, and then nothing is.
template <class Compose>
[[nodiscard]] result<std::size_t> write_message(mutable_bytes to, const Compose& compose) noexcept {
    message_writer counted;
    compose(counted);
    if (counted.size() > to.size()) return errc::buffer_too_small;
    message_writer writer(to.data());
    compose(writer);
    return writer.size();
}

template <growable_bytes Container, class Compose>
[[nodiscard]] errc append_message(Container& out, const Compose& compose) noexcept {
    message_writer counted;
    compose(counted);
    std::byte* to = lengthen(out, counted.size());
    if (to == nullptr) return errc::out_of_memory;
    message_writer writer(to);
    compose(writer);
    return errc::none;
}

/// Fields that the handshake writes itself, or whose presence would change how the message ends.
[[nodiscard]] constexpr bool is_own_field(std::string_view name) noexcept {
    for (const std::string_view own :
         {"Host", "Origin", "Upgrade", "Connection", "Content-Length", "Content-Type", "Transfer-Encoding",
          "Sec-WebSocket-Key", "Sec-WebSocket-Version", "Sec-WebSocket-Accept", "Sec-WebSocket-Protocol",
          "Sec-WebSocket-Extensions"}) {
        if (equals_ignoring_case(name, own)) return true;
    }
    return false;
}

/// Whether a caller's further fields may be sent as they are.
[[nodiscard]] constexpr bool are_extra_fields(std::span<const header_field> fields) noexcept {
    for (const header_field& field : fields) {
        if (!is_token(field.name) || is_own_field(field.name) || !is_field_value(field.value)) return false;
    }
    return true;
}

} // namespace detail
} // namespace wsolo::inline WSOLO_ABI

// ---- wsolo/handshake/client_key.hpp
// Sec-WebSocket-Key: 16 random bytes in Base64, new for every connection (RFC 6455 §4.1, §11.3.1).
//
// Laws of this file:
// - Randomness is an argument.
// - A received key is 22 letters and "==". The last letter's lowest four bits stand for nothing and may be
//   set, as in the RFC's own example (§4.1: "AQIDBAUGBwgJCgsMDQ4PEC=="); RFC 4648 §3.5 leaves that to the
//   receiver, and no other server refuses it.

namespace wsolo::inline WSOLO_ABI {

/// Anything that fills bytes unpredictably; random_keys does.
template <class Source>
concept nonce_source = requires(Source& source, mutable_bytes to) {
    { source.fill(to) } noexcept;
};

/// The text of a Sec-WebSocket-Key. A value of 24 characters.
struct client_key {
    /// Base64 of 16 bytes, without a terminator.
    std::array<char, 24> text{};

    /// The text as a view, valid as long as this object.
    [[nodiscard]] constexpr std::string_view view() const& noexcept { return {text.data(), text.size()}; }
    std::string_view view() const&& = delete; // it would look into a temporary
    friend constexpr bool operator==(const client_key&, const client_key&) noexcept = default;
};

/// The key that stands for these 16 bytes.
[[nodiscard]] constexpr client_key make_client_key(const std::array<std::byte, 16>& nonce) noexcept {
    return {detail::encode_base64(nonce)};
}

/// A fresh key. Takes 16 bytes from `source` (RFC 6455 §4.1: "selected randomly for each connection").
template <nonce_source Source>
[[nodiscard]] client_key make_client_key(Source& source) noexcept {
    std::array<std::byte, 16> nonce{};
    source.fill(nonce);
    return make_client_key(nonce);
}

/// Whether a received Sec-WebSocket-Key stands for 16 bytes (RFC 6455 §4.2.1).
[[nodiscard]] constexpr bool is_client_key(std::string_view text) noexcept {
    return detail::is_base64_of(16, text);
}

} // namespace wsolo::inline WSOLO_ABI

// ---- wsolo/handshake/extension.hpp
// Sec-WebSocket-Extensions (RFC 6455 §9.1): a list of extensions, each a name and its parameters.
//
// Laws of this file:
// - A parameter's value is a token, also where it is quoted; so no comma or semicolon is ever part of a
//   value, and the text can be cut at them.
// - White space is allowed around every delimiter (RFC 6455 §4.3 takes RFC 2616's implied *LWS).

namespace wsolo::inline WSOLO_ABI {

/// A parameter's value: a token, which a quoted-string may hold with backslashes that count for nothing (RFC
/// 6455 §9.1: `"1\0"` is 10). A range of char, unescaped; a view.
class param_value {
public:
    class iterator {
    public:
        using value_type = char;
        using difference_type = std::ptrdiff_t;

        constexpr iterator() = default;
        constexpr explicit iterator(std::string_view text) noexcept
            : at_(text.data()), end_(text.data() + text.size()) {
            skip();
        }
        [[nodiscard]] constexpr char operator*() const noexcept { return *at_; }
        constexpr iterator& operator++() noexcept {
            ++at_;
            skip();
            return *this;
        }
        constexpr iterator operator++(int) noexcept {
            const iterator before = *this;
            ++*this;
            return before;
        }
        friend constexpr bool operator==(const iterator& left, const iterator& right) noexcept {
            return left.at_ == right.at_;
        }

    private:
        /// A backslash says only that the next character is itself.
        constexpr void skip() noexcept {
            if (end_ - at_ > 1 && *at_ == '\\') ++at_;
        }

        const char* at_ = nullptr;
        const char* end_ = nullptr;
    };

    constexpr param_value() = default;
    /// `text`: a token, or a quoted-string with its quotes.
    constexpr explicit param_value(std::string_view text) noexcept : text_(text) {
        const bool quoted = text.size() >= 2 && text.front() == '"' && text.back() == '"';
        if (quoted) text_ = text.substr(1, text.size() - 2);
    }

    [[nodiscard]] constexpr iterator begin() const noexcept { return iterator(text_); }
    [[nodiscard]] constexpr iterator end() const noexcept { return iterator(text_.substr(text_.size())); }
    /// Whether nothing is in it.
    [[nodiscard]] constexpr bool empty() const noexcept { return text_.empty(); }
    /// As it was sent, without the quotes.
    [[nodiscard]] constexpr std::string_view raw() const noexcept { return text_; }

    /// Whether it is this token, however it was escaped.
    friend constexpr bool operator==(const param_value& value, std::string_view token) noexcept {
        for (const char c : value) {
            if (!token.starts_with(c)) return false;
            token.remove_prefix(1);
        }
        return token.empty();
    }

    /// The number that its digits are; nothing for another token, a leading zero (RFC 7692 §7.1.2 refuses
    /// them) or more than nine digits.
    template <class Number = std::uint32_t> // only the sources that call it instantiate the std::optional
    [[nodiscard]] constexpr std::optional<Number> number() const noexcept {
        std::uint32_t value = 0;
        int digits = 0;
        for (const char c : *this) {
            if (!detail::is_digit(c) || digits == 9 || (digits == 1 && value == 0)) return std::nullopt;
            value = value * 10 + static_cast<std::uint32_t>(c - '0');
            ++digits;
        }
        return digits == 0 ? std::nullopt : std::optional<Number>(value);
    }

private:
    std::string_view text_;
};

/// One parameter of an extension. Views.
struct extension_param {
    /// A token; compare it without regard to case.
    std::string_view name;
    /// Without quotes and escapes.
    param_value value;
    /// False for a parameter that is a name alone.
    bool has_value = false;
};

/// The parameters of one extension. A range of extension_param; a view.
class extension_params {
public:
    class iterator {
    public:
        using value_type = extension_param;
        using difference_type = std::ptrdiff_t;

        constexpr iterator() = default;
        constexpr explicit iterator(std::string_view text) noexcept : rest_(text), ended_(false) { ++*this; }
        [[nodiscard]] constexpr const extension_param& operator*() const noexcept { return param_; }
        [[nodiscard]] constexpr const extension_param* operator->() const noexcept { return &param_; }
        constexpr iterator& operator++() noexcept {
            ended_ = rest_.empty();
            if (ended_) return *this;
            rest_.remove_prefix(1); // the semicolon
            const std::string_view text = rest_.substr(0, rest_.find(';'));
            rest_.remove_prefix(text.size());
            const std::size_t equals = text.find('=');
            param_ = {detail::trim(text.substr(0, equals)), {}, equals != std::string_view::npos};
            if (param_.has_value) param_.value = param_value(detail::trim(text.substr(equals + 1)));
            return *this;
        }
        constexpr void operator++(int) noexcept { ++*this; }
        friend constexpr bool operator==(const iterator& at, list_end) noexcept { return at.ended_; }

    private:
        std::string_view rest_;
        extension_param param_;
        bool ended_ = true;
    };

    constexpr extension_params() = default;
    /// `text`: what follows the extension's name, from the first semicolon on.
    constexpr explicit extension_params(std::string_view text) noexcept : text_(text) {}

    [[nodiscard]] constexpr iterator begin() const noexcept { return iterator(text_); }
    [[nodiscard]] constexpr list_end end() const noexcept { return {}; }

private:
    std::string_view text_;
};

/// One extension, offered or agreed on. A view.
class extension {
public:
    constexpr extension() = default;
    constexpr explicit extension(std::string_view text) noexcept : text_(text) {}

    /// As it stands in the header: "permessage-deflate; client_max_window_bits".
    [[nodiscard]] constexpr std::string_view text() const noexcept { return text_; }
    [[nodiscard]] constexpr std::string_view name() const noexcept {
        return detail::trim(text_.substr(0, text_.find(';')));
    }
    [[nodiscard]] constexpr extension_params params() const noexcept {
        const std::size_t semicolon = text_.find(';');
        return extension_params(semicolon == std::string_view::npos ? std::string_view()
                                                                    : text_.substr(semicolon));
    }
    /// The first parameter of this name.
    template <class Param = extension_param> // as number()
    [[nodiscard]] constexpr std::optional<Param> param(std::string_view name) const noexcept {
        for (const extension_param& each : params()) {
            if (each.name == name) return each;
        }
        return std::nullopt;
    }

private:
    std::string_view text_;
};

/// Extensions in the order of preference (RFC 6455 §9.1). A range of extension; a view.
class extension_list {
public:
    class iterator {
    public:
        using value_type = extension;
        using difference_type = std::ptrdiff_t;

        constexpr iterator() = default;
        constexpr explicit iterator(element_list::iterator at) noexcept : at_(at) {}
        [[nodiscard]] constexpr extension operator*() const noexcept { return extension(*at_); }
        constexpr iterator& operator++() noexcept {
            ++at_;
            return *this;
        }
        constexpr void operator++(int) noexcept { ++*this; }
        friend constexpr bool operator==(const iterator& at, list_end) noexcept {
            return at.at_ == list_end();
        }

    private:
        element_list::iterator at_;
    };

    constexpr extension_list() = default;
    constexpr explicit extension_list(element_list elements) noexcept : elements_(elements) {}

    [[nodiscard]] constexpr iterator begin() const noexcept { return iterator(elements_.begin()); }
    [[nodiscard]] constexpr list_end end() const noexcept { return {}; }
    /// Whether nothing is in it.
    [[nodiscard]] constexpr bool empty() const noexcept { return elements_.empty(); }

    /// The first extension of this name.
    template <class Extension = extension> // as param_value::number()
    [[nodiscard]] constexpr std::optional<Extension> find(std::string_view name) const noexcept {
        for (const extension each : *this) {
            if (each.name() == name) return each;
        }
        return std::nullopt;
    }

private:
    element_list elements_;
};

namespace detail {

/// Whether each of `chosen` has the name of one that was offered. The search for one goes on where the last one
/// was found: O(both) in the offer's order, which a server that takes what it is offered keeps.
[[nodiscard]] constexpr bool are_all_offered(const extension_list& chosen,
                                             const extension_list& offered) noexcept {
    std::size_t count = 0;
    for ([[maybe_unused]] const extension each : offered) ++count;
    extension_list::iterator at = offered.begin();
    for (const extension each : chosen) {
        const std::string_view name = each.name();
        std::size_t left = count;
        for (; left > 0; --left) {
            if (at == offered.end()) at = offered.begin();
            if ((*at).name() == name) break;
            ++at;
        }
        if (left == 0) return false;
    }
    return true;
}

/// A quoted-string's inside that is a token once its escapes are undone (RFC 6455 §9.1).
[[nodiscard]] constexpr bool is_escaped_token(std::string_view text) noexcept {
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] == '\\') ++i;
        if (i == text.size() || !is_token_char(text[i])) return false;
    }
    return !text.empty();
}

/// extension-param's value = token / quoted-string
[[nodiscard]] constexpr bool is_param_value(std::string_view text) noexcept {
    if (!text.starts_with('"')) return is_token(text);
    return text.size() >= 2 && text.back() == '"' && is_escaped_token(text.substr(1, text.size() - 2));
}

/// extension = token *( ";" token [ "=" ( token / quoted-string ) ] )
[[nodiscard]] constexpr bool is_extension(std::string_view text) noexcept {
    if (!is_token(extension(text).name())) return false;
    while (true) {
        const std::size_t semicolon = text.find(';');
        if (semicolon == std::string_view::npos) return true;
        text.remove_prefix(semicolon + 1);
        const std::string_view param = text.substr(0, text.find(';'));
        const std::size_t equals = param.find('=');
        if (!is_token(trim(param.substr(0, equals)))) return false;
        if (equals != std::string_view::npos && !is_param_value(trim(param.substr(equals + 1)))) return false;
    }
}

} // namespace detail
} // namespace wsolo::inline WSOLO_ABI

// ---- wsolo/handshake/host.hpp
// Hosts as URIs and the Host field have them: a name or an address, and perhaps a port (RFC 3986 §3.2.2, RFC
// 9110 §7.2).
//
// Laws of this file:
// - A form is accepted exactly as its grammar has it: escapes are whole, addresses have all their groups. No
//   user information, and no zone (RFC 9844 took it out of URIs).
// - Nothing is resolved or normalized; names compare without regard to case (RFC 9110 §4.2.3).

namespace wsolo::inline WSOLO_ABI {
namespace detail {

[[nodiscard]] constexpr bool is_hex_digit(char c) noexcept {
    return is_digit(c) || (to_lower(c) >= 'a' && to_lower(c) <= 'f');
}

/// unreserved / sub-delims (RFC 3986 §2.2, §2.3)
[[nodiscard]] constexpr bool is_plain_host_char(char c) noexcept {
    return is_letter_or_digit(c) || std::string_view("-._~!$&'()*+,;=").find(c) != std::string_view::npos;
}

/// reg-name, but not the empty one: *( unreserved / pct-encoded / sub-delims )
[[nodiscard]] constexpr bool is_reg_name(std::string_view text) noexcept {
    if (text.empty()) return false;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (is_plain_host_char(text[i])) continue;
        const bool escape = text[i] == '%' && text.size() - i > 2;
        if (!escape || !is_hex_digit(text[i + 1]) || !is_hex_digit(text[i + 2])) return false;
        i += 2;
    }
    return true;
}

/// IPv4address: four dec-octets, without leading zeros.
[[nodiscard]] constexpr bool is_ipv4(std::string_view text) noexcept {
    for (int octet = 0; octet < 4; ++octet) {
        const std::size_t dot = octet < 3 ? text.find('.') : text.size();
        if (dot == std::string_view::npos || dot == 0 || dot > 3) return false;
        const std::string_view digits = text.substr(0, dot);
        if (!is_number(digits) || (dot > 1 && digits.front() == '0')) return false;
        if (dot == 3 && digits > "255") return false;
        text.remove_prefix(octet < 3 ? dot + 1 : dot);
    }
    return true;
}

/// IPv6address: eight groups of up to four digits, of which one run may be left out as "::"; the last two
/// may be an IPv4address.
[[nodiscard]] constexpr bool is_ipv6(std::string_view text) noexcept {
    int groups = 0;
    bool elided = text.starts_with("::");
    if (elided) text.remove_prefix(2);
    while (!(elided && text.empty())) {
        const std::size_t colon = text.find(':');
        const std::string_view group = text.substr(0, colon);
        if (colon == std::string_view::npos && is_ipv4(group)) {
            groups += 2;
            break;
        }
        if (group.empty() || group.size() > 4 || !all_of(group, is_hex_digit)) return false;
        ++groups;
        if (colon == std::string_view::npos) break;
        text.remove_prefix(colon + 1);
        if (!text.starts_with(':')) {
            if (text.empty()) return false; // a colon at the end
            continue;
        }
        if (elided) return false;
        elided = true;
        text.remove_prefix(1);
    }
    return elided ? groups <= 7 : groups == 8;
}

/// IPvFuture: "v" 1*HEXDIG "." 1*( unreserved / sub-delims / ":" )
[[nodiscard]] constexpr bool is_ip_future(std::string_view text) noexcept {
    const std::size_t dot = text.find('.');
    if (text.empty() || to_lower(text.front()) != 'v' || dot == std::string_view::npos || dot < 2)
        return false;
    const std::string_view address = text.substr(dot + 1);
    return all_of(text.substr(1, dot - 1), is_hex_digit) && !address.empty() &&
           all_of(address, [](char c) { return c == ':' || is_plain_host_char(c); });
}

/// uri-host [ ":" port ], cut in two.
struct host_parts {
    std::string_view host; ///< with the brackets of an address
    std::string_view port; ///< empty when there is none
    bool legal = false;
};

[[nodiscard]] constexpr host_parts split_host(std::string_view text) noexcept {
    const std::size_t bracket = text.find(']');
    const bool literal = text.starts_with('[');
    if (literal && bracket == std::string_view::npos) return {};
    const std::size_t colon = text.find(':', literal ? bracket : 0);
    const std::string_view host = text.substr(0, colon);
    const std::string_view port =
        colon == std::string_view::npos ? std::string_view() : text.substr(colon + 1);
    bool legal = all_of(port, is_digit);
    if (literal) {
        const std::string_view address = host.substr(1, bracket - 1);
        legal = legal && host.size() == bracket + 1 && (is_ipv6(address) || is_ip_future(address));
    } else {
        legal = legal && is_reg_name(host);
    }
    return {host, port, legal};
}

/// A host that is not empty, with or without a port.
[[nodiscard]] constexpr bool is_host(std::string_view text) noexcept { return split_host(text).legal; }

/// The port as a number, `without` where the text has none; -1 beyond 65535.
[[nodiscard]] constexpr std::int32_t port_number(std::string_view digits, std::int32_t without) noexcept {
    if (digits.empty()) return without;
    std::int32_t port = 0;
    for (const char c : digits) {
        port = port * 10 + (c - '0');
        if (port > 65535) return -1;
    }
    return port;
}

} // namespace detail
} // namespace wsolo::inline WSOLO_ABI

// ---- wsolo/handshake/target.hpp
// What a request asks for: its target, and the resource name in it (RFC 6455 §3, RFC 9112 §3.2).
//
// Laws of this file:
// - A path, or an absolute URI of the schemes http, https, ws and wss. RFC 6455 §4.2.1 names the first two;
//   the others name the same resource in WebSocket's own words, RFC 9112 §3.2.2 wants absolute targets
//   taken, and every other server takes them. A client sends only the two.
// - Browsers send `|`, `{` and their like unescaped, so the finer grammar of RFC 3986 is not enforced.

namespace wsolo::inline WSOLO_ABI {

/// Path and query (RFC 6455 §3). Two views of the target, for in "http://h?x=1" they don't stand together:
/// the name of that resource is "/?x=1".
class resource_view {
public:
    constexpr resource_view() = default;
    /// `text`: what follows the authority, or a whole target of another form.
    constexpr explicit resource_view(std::string_view text) noexcept {
        const std::size_t mark = text.find('?');
        path_ = mark == 0 || text.empty() ? std::string_view("/") : text.substr(0, mark);
        if (mark == std::string_view::npos) return;
        query_ = text.substr(mark + 1);
        has_query_ = true;
    }

    /// The path; "/" when the target has none.
    [[nodiscard]] constexpr std::string_view path() const noexcept { return path_; }
    /// What follows the question mark, if there is one.
    [[nodiscard]] constexpr std::string_view query() const noexcept { return query_; }
    [[nodiscard]] constexpr bool has_query() const noexcept { return has_query_; }

    /// Whether the whole name is `text`, query included.
    friend constexpr bool operator==(const resource_view& name, std::string_view text) noexcept {
        if (!text.starts_with(name.path_)) return false;
        text.remove_prefix(name.path_.size());
        if (!name.has_query_) return text.empty();
        return text.starts_with('?') && text.substr(1) == name.query_;
    }

private:
    std::string_view path_ = "/";
    std::string_view query_;
    bool has_query_ = false;
};

namespace detail {

/// A request target's characters: visible ASCII, and no fragment (RFC 9112 §3.2, RFC 6455 §3).
[[nodiscard]] constexpr bool is_target(std::string_view text) noexcept {
    return !text.empty() && all_of(text, [](char c) { return c > 0x20 && c < 0x7f && c != '#'; });
}

/// A target cut into the host that it names ("" in origin-form) and the resource.
struct target_parts {
    std::string_view host;
    resource_view resource;
    bool legal = false;
    bool absolute = false;
};

/// origin-form ("/chat?x") or absolute-form ("http://host/chat") of one of `schemes`; the other forms are not
/// legal for an upgrade.
[[nodiscard]] constexpr target_parts split_target(std::string_view target,
                                                  std::initializer_list<std::string_view> schemes = {
                                                      "http", "https", "ws", "wss"}) noexcept {
    if (!is_target(target)) return {};
    if (target.front() == '/') return {{}, resource_view(target), true, false};
    const std::size_t scheme_end = target.find("://");
    if (scheme_end == std::string_view::npos) return {};
    for (const std::string_view scheme : schemes) {
        if (!equals_ignoring_case(target.substr(0, scheme_end), scheme)) continue;
        const std::string_view rest = target.substr(scheme_end + 3);
        const std::size_t end = rest.find_first_of("/?");
        const std::string_view host = rest.substr(0, end);
        const std::string_view resource = end < rest.size() ? rest.substr(end) : std::string_view();
        return {host, resource_view(resource), is_host(host), true};
    }
    return {};
}

} // namespace detail
} // namespace wsolo::inline WSOLO_ABI

// ---- wsolo/handshake/start_line.hpp
// The first line of a head: a request line or a status line (RFC 9112 §3, §4).
//
// Laws of this file:
// - Exactly one space between the parts, none elsewhere; "HTTP" in capitals.
// - Any HTTP/1.x is read here; a caller that needs 1.1 checks the version.
// - A status line without a phrase may lack the space before it too: every client accepts that.

namespace wsolo::inline WSOLO_ABI {

/// What a message's version means (RFC 9110 §2.5: a higher minor version counts as the highest known). Over
/// HTTP/2 and HTTP/3 a WebSocket is asked for by an extended CONNECT (RFC 8441, RFC 9220).
enum class http_version : std::uint8_t { v1_0, v1_1, v2, v3 };

namespace detail {

struct request_line {
    std::string_view method;
    std::string_view target;
    http_version version = http_version::v1_1;
};

struct status_line {
    http_version version = http_version::v1_1;
    int status = 0;
    std::string_view reason;
};

/// HTTP-version (RFC 9112 §2.3); errc::handshake_http_version for another major one than 1.
[[nodiscard]] constexpr result<http_version> parse_http_version(std::string_view text) noexcept {
    const bool legal = text.size() == 8 && text.starts_with("HTTP/") && is_digit(text[5]) && text[6] == '.' &&
                       is_digit(text[7]);
    if (!legal) return errc::handshake_invalid_start_line;
    if (text[5] != '1') return errc::handshake_http_version;
    return text[7] == '0' ? http_version::v1_0 : http_version::v1_1;
}

/// method SP request-target SP HTTP-version. Any method; the target is any visible ASCII without "#".
[[nodiscard]] constexpr result<request_line> parse_request_line(std::string_view line) noexcept {
    const std::size_t method_end = line.find(' ');
    const std::size_t target_end = line.rfind(' ');
    if (method_end == target_end) return errc::handshake_invalid_start_line;
    request_line parsed;
    parsed.method = line.substr(0, method_end);
    parsed.target = line.substr(method_end + 1, target_end - method_end - 1);
    if (!is_token(parsed.method) || !is_target(parsed.target)) return errc::handshake_invalid_start_line;
    const result<http_version> version = parse_http_version(line.substr(target_end + 1));
    if (!version) return version.error();
    parsed.version = *version;
    return parsed;
}

/// HTTP-version SP 3DIGIT [ SP [ reason-phrase ] ]
[[nodiscard]] constexpr result<status_line> parse_status_line(std::string_view line) noexcept {
    constexpr std::size_t version_size = 8;
    constexpr std::size_t digits_end = version_size + 1 + 3;
    const result<http_version> version = parse_http_version(line.substr(0, version_size));
    if (!version) return version.error();
    const bool phrase = line.size() > digits_end;
    if (line.size() < digits_end || line[version_size] != ' ' || (phrase && line[digits_end] != ' ')) {
        return errc::handshake_invalid_start_line;
    }
    const std::string_view digits = line.substr(version_size + 1, 3);
    const std::string_view reason = phrase ? line.substr(digits_end + 1) : std::string_view();
    if (!is_number(digits) || digits[0] == '0' || !is_field_value(reason)) {
        return errc::handshake_invalid_start_line;
    }
    const int status = (digits[0] - '0') * 100 + (digits[1] - '0') * 10 + (digits[2] - '0');
    return status_line{*version, status, reason};
}

} // namespace detail
} // namespace wsolo::inline WSOLO_ABI

// ---- wsolo/handshake/request.hpp
// What a client asked for: a view over a request's head, and the rules that make it an upgrade to
// WebSocket.
//
// Laws of this file:
// - Well-formed HTTP is judged for every request, RFC 6455 only for those that ask for WebSocket; so a
//   plain request is never an error here, and the server can answer it with a page.
// - Lenient only where HTTP says so (the case of names and of "websocket" and "Upgrade", lists over several
//   fields, empty list elements), and for an empty list of offers.

namespace wsolo::inline WSOLO_ABI {

/// A request as some parser found it. Views of that parser's memory.
struct http_request {
    /// As it was sent; methods are compared with regard to case.
    std::string_view method = "GET";
    /// As it was sent; over HTTP/2 and HTTP/3 what `:path` says.
    std::string_view target = "/";
    http_version version = http_version::v1_1;
    /// The fields in their order; fields of one name may be joined or not, as the parser has them. Without HTTP/2's
    /// pseudo-header fields.
    header_list fields{};
    /// `:protocol`, `:scheme` and `:authority` of HTTP/2 and HTTP/3 (RFC 8441 §4, RFC 9220); empty where
    /// there is none, and not looked at in HTTP/1.x.
    std::string_view protocol = {};
    std::string_view scheme = {};
    std::string_view authority = {};
};

/// A request's head. A view: it lives as long as the server_handshake it came from, or as what judge() was
/// given, and so does what it returns.
class upgrade_request {
public:
    upgrade_request() = default;
    constexpr explicit upgrade_request(const http_request& parts) noexcept : parts_(parts) {}

    /// Whether this asks for WebSocket, in a legal way or not: an Upgrade that lists "websocket", or a
    /// Sec-WebSocket-Key or -Version, which stay in the request when a proxy does not pass Upgrade on; over HTTP/2
    /// and HTTP/3 the protocol "websocket" (RFC 8441 §5). Never in HTTP/1.0, where Upgrade
    /// means nothing (RFC 9110 §7.8). False: a plain HTTP request.
    [[nodiscard]] constexpr bool is_upgrade() const noexcept {
        if (is_extended_connect()) return true;
        if (parts_.version != http_version::v1_1) return false;
        return element_list(parts_.fields, "Upgrade").contains_ignoring_case("websocket") ||
               parts_.fields.find("Sec-WebSocket-Key") || parts_.fields.find("Sec-WebSocket-Version");
    }
    /// Whether it is asked for in the way of HTTP/2 and HTTP/3: without a key, and answered by 200. The protocol
    /// alone says so; another method than CONNECT makes it a bad one.
    [[nodiscard]] constexpr bool is_extended_connect() const noexcept {
        return parts_.version >= http_version::v2 &&
               detail::equals_ignoring_case(parts_.protocol, "websocket");
    }

    /// As it was sent.
    [[nodiscard]] constexpr std::string_view method() const noexcept { return parts_.method; }
    /// As it was sent, in any of HTTP's forms.
    [[nodiscard]] constexpr std::string_view target() const noexcept { return parts_.target; }
    /// Path and query (RFC 6455 §3), also when the target is absolute; the target itself when it has
    /// neither form.
    [[nodiscard]] constexpr resource_view resource_name() const noexcept {
        const detail::target_parts parts = detail::split_target(parts_.target);
        return parts.legal ? parts.resource : resource_view(parts_.target);
    }
    /// The target's host if it names one (RFC 9112 §3.2.2), else the Host field; over HTTP/2 and HTTP/3
    /// `:authority` before both. With the port, if one was sent. Empty when there is none.
    [[nodiscard]] constexpr std::string_view host() const noexcept {
        if (parts_.version >= http_version::v2 && !parts_.authority.empty()) return parts_.authority;
        const detail::target_parts parts = detail::split_target(parts_.target);
        if (parts.legal && parts.absolute) return parts.host;
        return parts_.fields.find("Host").value_or(std::string_view());
    }
    /// `:scheme`; empty in HTTP/1.1, where only the transport knows.
    [[nodiscard]] constexpr std::string_view scheme() const noexcept { return parts_.scheme; }
    /// The site whose page asks, as the browser states it (RFC 6455 §10.2). Most other clients send none.
    [[nodiscard]] constexpr std::optional<std::string_view> origin() const noexcept {
        return parts_.fields.find("Origin");
    }
    /// Sec-WebSocket-Key as it was sent; empty when it is missing, as it is over HTTP/2 and HTTP/3.
    [[nodiscard]] constexpr std::string_view key() const noexcept {
        return parts_.fields.find("Sec-WebSocket-Key").value_or(std::string_view());
    }
    [[nodiscard]] constexpr wsolo::http_version http_version() const noexcept { return parts_.version; }
    /// Sec-WebSocket-Version as it was sent ("13" in every accepted upgrade); empty when it is missing.
    [[nodiscard]] constexpr std::string_view version() const noexcept {
        return parts_.fields.find("Sec-WebSocket-Version").value_or(std::string_view());
    }
    /// The offered subprotocols, the client's favourite first (RFC 6455 §11.3.4).
    [[nodiscard]] constexpr element_list subprotocols() const noexcept {
        return {parts_.fields, "Sec-WebSocket-Protocol"};
    }
    /// The offered extensions, the client's favourite first (RFC 6455 §9.1).
    [[nodiscard]] constexpr extension_list extensions() const noexcept {
        return extension_list(element_list(parts_.fields, "Sec-WebSocket-Extensions"));
    }
    /// The first field of this name, whatever the name's case.
    [[nodiscard]] constexpr std::optional<std::string_view> header(std::string_view name) const noexcept {
        return parts_.fields.find(name);
    }
    [[nodiscard]] constexpr header_list headers() const noexcept { return parts_.fields; }

    /// Whether the connection must end with the answer: HTTP/1.0, or the client says so (RFC 9112 §9.6).
    [[nodiscard]] constexpr bool wants_close() const noexcept {
        return parts_.version == http_version::v1_0 ||
               element_list(parts_.fields, "Connection").contains_ignoring_case("close");
    }

private:
    http_request parts_;
};

} // namespace wsolo::inline WSOLO_ABI

// ---- wsolo/handshake/answer.hpp
// A server's answer without its bytes: the status and the fields, for servers that write their own heads, and
// for response.hpp, which writes them.
//
// Laws of this file:
// - Nothing is agreed to that the client did not offer (RFC 6455 §4.2.2).
// - A refusal says why: the status that HTTP has for it, what the client would have to send, and a sentence.
// - Over HTTP/2 and HTTP/3 a WebSocket opens with 200, names are in lower case, and no field belongs to the
//   connection (RFC 8441 §5, RFC 9113 §8.2).

namespace wsolo::inline WSOLO_ABI {

/// What an accepting answer adds. Views, needed only during the call. They must not lie in the container that the answer
/// is appended to.
struct accept_options {
    /// One of those offered (choose_subprotocol), or empty.
    std::string_view subprotocol = {};
    /// The agreed extensions as header text (choose_extension), each of them offered; or empty. In an http_reply a view of nothing
    /// (the default) leaves them to the handler's `compression`, and "" says that there are none.
    std::string_view extensions = {};
    /// Further fields, for instance Set-Cookie.
    std::span<const header_field> headers = {};
};

/// A status and the fields that the handshake needs, in order: `for (header_field field : answer) ...`. The fields are
/// views of what the answer was made of, of literals, and of this object: they live as long as all of these.
class upgrade_answer {
public:
    class iterator {
    public:
        using value_type = header_field;
        using difference_type = std::ptrdiff_t;

        constexpr iterator() = default;
        constexpr iterator(const upgrade_answer& answer, std::size_t at) noexcept
            : answer_(&answer), at_(at) {}
        [[nodiscard]] constexpr header_field operator*() const noexcept { return (*answer_)[at_]; }
        constexpr iterator& operator++() noexcept {
            ++at_;
            return *this;
        }
        constexpr void operator++(int) noexcept { ++*this; }
        friend constexpr bool operator==(const iterator& left, const iterator& right) noexcept {
            return left.at_ == right.at_;
        }

    private:
        const upgrade_answer* answer_ = nullptr;
        std::size_t at_ = 0;
    };

    constexpr upgrade_answer() = default;
    constexpr explicit upgrade_answer(int status) noexcept : status_(status) {}

    /// The answer's status: 101, 200 over HTTP/2 and HTTP/3, or a refusal's.
    [[nodiscard]] constexpr int status() const noexcept { return status_; }
    /// A refusal's sentence, for its body; empty for an acceptance.
    [[nodiscard]] constexpr std::string_view text() const noexcept { return text_; }

    /// How many fields it has.
    [[nodiscard]] constexpr std::size_t size() const noexcept { return size_; }
    [[nodiscard]] constexpr header_field operator[](std::size_t at) const noexcept {
        return at == accept_at_ ? header_field{fields_[at].name, accept_.view()} : fields_[at];
    }
    [[nodiscard]] constexpr iterator begin() const noexcept { return {*this, 0}; }
    [[nodiscard]] constexpr iterator end() const noexcept { return {*this, size_}; }

    /// One more field; left out when it has no value. Precondition: fewer than five; a sixth is left out.
    constexpr void add(std::string_view name, std::string_view value) noexcept {
        if (value.empty()) return;
        WSOLO_ASSERT(size_ < capacity, "an upgrade_answer has five fields at most");
        if (size_ < capacity) fields_[size_++] = {name, value};
    }
    /// Sec-WebSocket-Accept, which is kept here.
    constexpr void add_accept(const accept_value& accept) noexcept {
        WSOLO_ASSERT(size_ < capacity, "an upgrade_answer has five fields at most");
        if (size_ == capacity) return;
        accept_ = accept;
        accept_at_ = size_;
        fields_[size_++] = {"Sec-WebSocket-Accept", {}};
    }
    constexpr void say(std::string_view text) noexcept { text_ = text; }

private:
    static constexpr std::size_t capacity = 5;

    std::array<header_field, capacity> fields_{};
    std::size_t size_ = 0;
    std::size_t accept_at_ = capacity;
    accept_value accept_{};
    std::string_view text_;
    int status_ = 0;
};

/// The status to refuse a handshake with (RFC 6455 §4.2.2, §4.4; RFC 9110 §15.5). Only HTTP/1.1 has 426,
/// because that must carry Upgrade (RFC 9110 §15.5.22).
[[nodiscard]] constexpr int http_status_for(errc why, http_version version = http_version::v1_1) noexcept {
    const int upgrade_required = version >= http_version::v2 ? 400 : 426;
    switch (why) {
    case errc::handshake_origin_refused: return 403;
    case errc::handshake_method_not_get: return 405;
    case errc::handshake_timeout: return 408;
    case errc::handshake_target_too_long: return 414;
    case errc::handshake_missing_upgrade:
    case errc::handshake_unsupported_version: return upgrade_required;
    case errc::handshake_line_too_long:
    case errc::handshake_too_many_headers:
    case errc::handshake_too_large: return 431;
    case errc::handshake_http_version: return 505;
    case errc::queue_full:
    case errc::closed:
    case errc::aborted: return 503;
    case errc::connection_lost: return 400; // the request was cut off (RFC 9112 §8)
    default: return blame_of(why) == blame::remote ? 400 : 500;
    }
}

namespace detail {

[[nodiscard]] constexpr errc check_accept(const upgrade_request& request,
                                          const accept_options& options) noexcept {
    if (!options.subprotocol.empty() && !request.subprotocols().contains(options.subprotocol)) {
        return errc::handshake_unrequested_subprotocol;
    }
    const element_list agreed(options.extensions);
    if (!options.extensions.empty() && !is_list_of(agreed, is_extension)) return errc::invalid_header_field;
    if (!are_all_offered(extension_list(agreed), request.extensions())) {
        return errc::handshake_unrequested_extension;
    }
    return are_extra_fields(options.headers) ? errc::none : errc::invalid_header_field;
}

/// Adds the fields that a status requires: 426 names the protocol and version to ask for (RFC 9110 §15.5.22, RFC 6455
/// §4.4), 405 the methods that may be used (RFC 9110 §15.5.6).
constexpr void add_owed_fields(upgrade_answer& answer) noexcept {
    if (answer.status() == 426) {
        answer.add("Upgrade", "websocket");
        answer.add("Sec-WebSocket-Version", "13");
    }
    if (answer.status() == 405) answer.add("Allow", "GET");
}

} // namespace detail

/// The answer that opens the WebSocket: 101 with its fields, or over HTTP/2 and HTTP/3 200. The further fields in
/// `options.headers` are only judged: the caller adds them. Errors: errc::handshake_unrequested_subprotocol or _extension
/// for one that was not offered, errc::invalid_header_field. Precondition: judge() or a server_handshake found the
/// request legal, and request.is_upgrade(). The views of `options` must outlive the answer.
[[nodiscard]] constexpr result<upgrade_answer> accept_answer(const upgrade_request& request,
                                                             const accept_options& options = {}) noexcept {
    WSOLO_ASSERT(request.is_upgrade(), "only a request for WebSocket is accepted");
    if (const errc error = detail::check_accept(request, options); error != errc::none) return error;
    if (request.is_extended_connect()) {
        upgrade_answer answer(200);
        answer.add("sec-websocket-protocol", options.subprotocol);
        answer.add("sec-websocket-extensions", options.extensions);
        return answer;
    }
    upgrade_answer answer(101);
    answer.add("Upgrade", "websocket");
    answer.add("Connection", "Upgrade");
    answer.add_accept(accept_key(request.key()));
    answer.add("Sec-WebSocket-Protocol", options.subprotocol);
    answer.add("Sec-WebSocket-Extensions", options.extensions);
    return answer;
}

/// The refusal that `why` calls for: its status, the fields that this status requires, and its sentence.
[[nodiscard]] constexpr upgrade_answer refusal_answer(errc why,
                                                      http_version version = http_version::v1_1) noexcept {
    upgrade_answer answer(http_status_for(why, version));
    answer.say(to_string(why));
    if (version < http_version::v2) {
        detail::add_owed_fields(answer);
        if (answer.status() == 426) answer.add("Connection", "Upgrade"); // RFC 9110 §7.8
    } else if (why == errc::handshake_method_not_get) {
        answer.add("allow", "CONNECT"); // RFC 9110 §15.5.6, RFC 8441 §4
    } else if (why == errc::handshake_unsupported_version) {
        answer.add("sec-websocket-version", "13");
    }
    return answer;
}

} // namespace wsolo::inline WSOLO_ABI

// ---- wsolo/handshake/judge.hpp
// The server's verdict on a request, by whichever parser it was read: the byte parser of this room (server.hpp), another
// HTTP/1.1 server, or one of HTTP/2 or HTTP/3 (RFC 6455 §4.2.1, RFC 8441, RFC 9220).
//
// Laws of this file:
// - One judge: the byte parser calls the same functions.
// - The order of the rules is fixed, so that one request has one verdict.
// - Over HTTP/2 and HTTP/3 there is no key and no Upgrade; subprotocols, extensions, origin and version are
//   judged as over HTTP/1.1 (RFC 8441 §5). Frames are the same.

namespace wsolo::inline WSOLO_ABI {
namespace detail {

/// protocol = token [ "/" token ] (RFC 9110 §7.8)
[[nodiscard]] constexpr bool is_protocol(std::string_view text) noexcept {
    const std::size_t slash = text.find('/');
    if (slash == std::string_view::npos) return is_token(text);
    return is_token(text.substr(0, slash)) && is_token(text.substr(slash + 1));
}

/// #element: any number of elements, each legal. RFC 6455 wants at least one subprotocol or extension in
/// its lists, but clients exist that send an empty list when they have nothing to offer, and it can mean
/// only that.
template <class Predicate>
[[nodiscard]] constexpr bool lists_only(header_list headers, std::string_view name,
                                        Predicate is_legal) noexcept {
    for (const std::string_view element : element_list(headers, name)) {
        if (!is_legal(element)) return false;
    }
    return true;
}

/// Whether the last coding, and no other, is chunked: otherwise the end of a request's body is not known (RFC 9112
/// §6.1, §6.3).
[[nodiscard]] constexpr bool ends_in_chunks(header_list headers) noexcept {
    int chunked = 0;
    bool last = false;
    for (const std::string_view coding : element_list(headers, "Transfer-Encoding")) {
        last = equals_ignoring_case(coding, "chunked");
        if (last) ++chunked;
    }
    return last && chunked == 1;
}

/// Judges how the body, if any, is delimited. A request with two answers to that question can smuggle another one (RFC
/// 9112 §6.1, §6.3).
[[nodiscard]] constexpr errc check_body_framing(const upgrade_request& request) noexcept {
    const header_list headers = request.headers();
    const std::optional<std::string_view> length = headers.find("Content-Length");
    if (headers.count("Content-Length") > 1) return errc::handshake_invalid_length;
    if (length && !is_number(*length)) return errc::handshake_invalid_length;
    const bool has_codings = headers.find("Transfer-Encoding").has_value();
    if (!has_codings) return errc::none;
    const bool clear = !length && request.http_version() != http_version::v1_0 && ends_in_chunks(headers);
    return clear ? errc::none : errc::handshake_ambiguous_length;
}

/// The rules of every HTTP/1.x request (RFC 9112 §3.2, RFC 9110 §7.8).
[[nodiscard]] constexpr errc check_http1(const upgrade_request& request) noexcept {
    const header_list headers = request.headers();
    const bool old = request.http_version() == http_version::v1_0;
    if (headers.count("Host") > 1) return errc::handshake_duplicate_host;
    const std::optional<std::string_view> host = headers.find("Host");
    if (!host && !old) return errc::handshake_missing_host;
    if (host && !host->empty() && !is_host(*host)) return errc::handshake_invalid_host;
    if (!lists_only(headers, "Connection", is_token)) return errc::handshake_invalid_connection;
    // RFC 9110 §7.8: Upgrade in HTTP/1.0 is ignored.
    if (!old && !lists_only(headers, "Upgrade", is_protocol)) return errc::handshake_invalid_upgrade;
    return check_body_framing(request);
}

/// Whether a field belongs to one connection, so that HTTP/2 and HTTP/3 have none of it (RFC 9113 §8.2.2, RFC
/// 9114 §4.2).
[[nodiscard]] constexpr bool has_connection_field(header_list headers) noexcept {
    for (const header_field& field : headers) {
        for (const std::string_view name :
             {"Connection", "Upgrade", "Transfer-Encoding", "Keep-Alive", "Proxy-Connection"}) {
            if (equals_ignoring_case(field.name, name)) return true;
        }
        const bool te = equals_ignoring_case(field.name, "TE");
        if (te && !equals_ignoring_case(field.value, "trailers")) return true;
    }
    return false;
}

/// The rules of every HTTP/2 or HTTP/3 request (RFC 9113 §8.3.1). A plain CONNECT has no `:path` (§8.5).
[[nodiscard]] constexpr errc check_http2(const upgrade_request& request) noexcept {
    const header_list headers = request.headers();
    const bool pathless = request.method() == "CONNECT" && request.target().empty();
    if (!pathless && !is_target(request.target())) return errc::handshake_invalid_target;
    if (has_connection_field(headers)) return errc::handshake_connection_field;
    if (headers.count("Host") > 1) return errc::handshake_duplicate_host;
    const std::string_view host = request.host();
    if (!host.empty() && !is_host(host)) return errc::handshake_invalid_host;
    const std::optional<std::string_view> field = headers.find("Host");
    if (field && !equals_ignoring_case(*field, host)) return errc::handshake_invalid_host;
    return check_body_framing(request);
}

/// Whether the fields announce a body: the protocol can't change in the middle of a message (RFC 9110 §7.8), and the
/// body would be read as frames.
[[nodiscard]] constexpr bool announces_body(header_list headers) noexcept {
    if (headers.find("Transfer-Encoding")) return true;
    const std::string_view length = headers.find("Content-Length").value_or("0");
    return length.find_first_not_of('0') != std::string_view::npos;
}

/// The key, which only HTTP/1.1 has (RFC 6455 §4.2.1 point 5, §11.3.1).
[[nodiscard]] constexpr errc check_key(const upgrade_request& request) noexcept {
    const std::size_t count = request.headers().count("Sec-WebSocket-Key");
    if (count == 0) return errc::handshake_missing_key;
    if (count > 1) return errc::handshake_duplicate_key;
    return is_client_key(request.key()) ? errc::none : errc::handshake_invalid_key;
}

/// What the fields of the upgrade itself must be (RFC 6455 §4.2.1, §11.3).
[[nodiscard]] constexpr errc check_websocket_fields(const upgrade_request& request) noexcept {
    const header_list headers = request.headers();
    if (headers.count("Sec-WebSocket-Version") > 1) return errc::handshake_duplicate_version;
    if (request.version() != "13") return errc::handshake_unsupported_version;
    if (!request.is_extended_connect()) {
        if (const errc error = check_key(request); error != errc::none) return error;
    }
    if (headers.count("Origin") > 1) return errc::handshake_duplicate_origin;
    if (!lists_only(headers, "Sec-WebSocket-Protocol", is_token)) return errc::handshake_invalid_subprotocol;
    if (!lists_only(headers, "Sec-WebSocket-Extensions", is_extension)) {
        return errc::handshake_invalid_extension;
    }
    return errc::none;
}

/// The way that HTTP/1.1 asks (RFC 6455 §4.2.1 points 1 to 4).
[[nodiscard]] constexpr errc check_upgrade_way(const upgrade_request& request) noexcept {
    const header_list headers = request.headers();
    if (request.method() != "GET") return errc::handshake_method_not_get;
    if (!split_target(request.target()).legal) return errc::handshake_invalid_target;
    if (request.host().empty()) return errc::handshake_missing_host;
    if (!element_list(headers, "Upgrade").contains_ignoring_case("websocket")) {
        return errc::handshake_missing_upgrade;
    }
    if (!element_list(headers, "Connection").contains_ignoring_case("Upgrade")) {
        return errc::handshake_missing_connection;
    }
    return errc::none;
}

/// The way that HTTP/2 and HTTP/3 ask (RFC 8441 §4, §5).
[[nodiscard]] constexpr errc check_connect_way(const upgrade_request& request) noexcept {
    if (request.method() != "CONNECT") return errc::handshake_method_not_get;
    const bool known =
        equals_ignoring_case(request.scheme(), "http") || equals_ignoring_case(request.scheme(), "https");
    if (!known) return errc::handshake_invalid_scheme;
    if (!is_target(request.target()) || request.target().front() != '/')
        return errc::handshake_invalid_target;
    return request.host().empty() ? errc::handshake_missing_host : errc::none;
}

/// A request that asks for WebSocket, after the checks of its HTTP.
[[nodiscard]] constexpr errc check_upgrade(const upgrade_request& request) noexcept {
    const errc error =
        request.is_extended_connect() ? check_connect_way(request) : check_upgrade_way(request);
    if (error != errc::none) return error;
    if (announces_body(request.headers())) return errc::handshake_unexpected_body;
    return check_websocket_fields(request);
}

/// The whole verdict on a request whose characters are known to be legal.
[[nodiscard]] constexpr errc check_request(const upgrade_request& request) noexcept {
    const errc error =
        request.http_version() >= http_version::v2 ? check_http2(request) : check_http1(request);
    return error == errc::none && request.is_upgrade() ? check_upgrade(request) : error;
}

/// The checks that the byte parser has done already, for fields that another parser found. Over HTTP/2 and HTTP/3 a
/// name in upper case is malformed (RFC 9113 §8.2.1, RFC 9114 §4.2).
[[nodiscard]] constexpr errc check_fields(header_list fields, http_version version) noexcept {
    const auto is_lower = [](char c) { return c == to_lower(c); };
    for (const header_field& field : fields) {
        if (!is_token(field.name)) return errc::handshake_invalid_field_line;
        if (version >= http_version::v2 && !all_of(field.name, is_lower)) {
            return errc::handshake_invalid_field_line;
        }
        if (!is_field_value(field.value)) return errc::handshake_invalid_character;
    }
    return errc::none;
}

} // namespace detail

/// Judges a request that another server's parser found. A plain request passes too: ask is_upgrade(). Nothing
/// is trusted: what a lenient parser accepted is refused here. The views of `parsed` must outlive the
/// result. Errors: as server_handshake's, and to be answered by refusal_answer() (answer.hpp). O(bytes of the
/// head), no allocation.
[[nodiscard]] constexpr result<upgrade_request> judge(const http_request& parsed) noexcept {
    if (!detail::is_token(parsed.method)) return errc::handshake_invalid_start_line;
    // In HTTP/1.x the target is a part of the start line.
    if (parsed.version < http_version::v2 && !detail::is_target(parsed.target)) {
        return errc::handshake_invalid_start_line;
    }
    const upgrade_request request(parsed);
    if (const errc error = detail::check_fields(parsed.fields, parsed.version); error != errc::none)
        return error;
    if (const errc error = detail::check_request(request); error != errc::none) return error;
    return request;
}

} // namespace wsolo::inline WSOLO_ABI

// ---- wsolo/handshake/client_judge.hpp
// The client's verdict on an answer, by whichever parser it was read: the byte parser of this room (client.hpp), or another
// client of HTTP/1.1, HTTP/2 or HTTP/3 (RFC 6455 §4.1, RFC 8441 §5).
//
// Laws of this file:
// - One judge: the byte parser calls the same function.
// - Nothing is taken that was not offered.
// - Over HTTP/2 and HTTP/3 any 2xx opens the WebSocket, and there is no key to answer.

namespace wsolo::inline WSOLO_ABI {

/// An answer as some parser found it. Views.
struct http_answer {
    /// The status line, as it was parsed.
    int status = 0;
    http_version version = http_version::v1_1;
    /// The fields in their order; without HTTP/2's `:status`.
    header_list fields{};
    std::string_view reason = {};
};

/// What the request had offered. Views.
struct upgrade_offer {
    /// Sec-WebSocket-Key as it was sent; not used over HTTP/2 and HTTP/3.
    std::string_view key = {};
    /// The offers as header text; empty when nothing was offered.
    std::string_view subprotocols = {};
    std::string_view extensions = {};
};

/// An answer's head. A view: it lives as long as the client_handshake it came from, or as what judge() was
/// given, and so does what it returns.
class upgrade_response {
public:
    upgrade_response() = default;
    constexpr explicit upgrade_response(const http_answer& parts) noexcept : parts_(parts) {}

    /// The status, as in the status line.
    [[nodiscard]] constexpr int status() const noexcept { return parts_.status; }
    [[nodiscard]] constexpr std::string_view reason() const noexcept { return parts_.reason; }
    [[nodiscard]] constexpr wsolo::http_version http_version() const noexcept { return parts_.version; }
    /// The subprotocol that the server chose; empty when it chose none.
    [[nodiscard]] constexpr std::string_view subprotocol() const noexcept {
        return parts_.fields.find("Sec-WebSocket-Protocol").value_or(std::string_view());
    }
    /// The extensions that the server agreed to. Their parameters are for the caller to judge.
    [[nodiscard]] constexpr extension_list extensions() const noexcept {
        return extension_list(element_list(parts_.fields, "Sec-WebSocket-Extensions"));
    }
    /// The first field of this name, whatever the name's case.
    [[nodiscard]] constexpr std::optional<std::string_view> header(std::string_view name) const noexcept {
        return parts_.fields.find(name);
    }
    [[nodiscard]] constexpr header_list headers() const noexcept { return parts_.fields; }

private:
    http_answer parts_;
};

namespace detail {

/// Subprotocol and extensions: only what was offered (RFC 6455 §4.1, points 5 and 6 of the answer's checks).
/// At worst O(answer * our offered elements), never of their fields.
[[nodiscard]] constexpr errc check_agreement(const upgrade_response& response,
                                             const upgrade_offer& offered) noexcept {
    const header_list headers = response.headers();
    const std::size_t subprotocols = headers.count("Sec-WebSocket-Protocol");
    if (subprotocols > 1) return errc::handshake_duplicate_subprotocol;
    if (subprotocols == 1 && !element_list(offered.subprotocols).contains(response.subprotocol())) {
        return errc::handshake_unrequested_subprotocol;
    }
    const std::size_t extensions = headers.count("Sec-WebSocket-Extensions");
    if (extensions == 0) return errc::none;
    if (extensions > 1) return errc::handshake_duplicate_extensions;
    if (!is_list_of(element_list(headers, "Sec-WebSocket-Extensions"), is_extension)) {
        return errc::handshake_invalid_extension;
    }
    const extension_list asked{element_list(offered.extensions)};
    const bool offered_all = are_all_offered(response.extensions(), asked);
    return offered_all ? errc::none : errc::handshake_unrequested_extension;
}

/// The way that HTTP/1.1 opens (RFC 6455 §4.1, points 1 to 4): 101, Upgrade, Connection, Accept.
[[nodiscard]] constexpr errc check_switch(const upgrade_response& response,
                                          const accept_value& expected) noexcept {
    const header_list headers = response.headers();
    if (response.status() != 101) return errc::handshake_unexpected_status;
    // RFC 9110 §15.2: HTTP/1.0 has no 1xx.
    if (response.http_version() == http_version::v1_0) return errc::handshake_http_version;
    if (headers.count("Upgrade") > 1) return errc::handshake_duplicate_upgrade;
    if (headers.count("Sec-WebSocket-Accept") > 1) return errc::handshake_duplicate_accept;
    // Here Upgrade is one value, not a list with the value in it.
    if (!equals_ignoring_case(headers.find("Upgrade").value_or(std::string_view()), "websocket")) {
        return errc::handshake_missing_upgrade;
    }
    const element_list options(headers, "Connection");
    if (!options.contains_ignoring_case("Upgrade")) return errc::handshake_missing_connection;
    if (!is_list_of(options, is_token)) return errc::handshake_invalid_connection;
    const bool answers = headers.find("Sec-WebSocket-Accept") == expected.view();
    return answers ? errc::none : errc::handshake_invalid_accept;
}

/// The way that HTTP/2 and HTTP/3 open (RFC 8441 §5).
[[nodiscard]] constexpr errc check_tunnel(const upgrade_response& response) noexcept {
    if (response.status() / 100 != 2) return errc::handshake_unexpected_status;
    return has_connection_field(response.headers()) ? errc::handshake_connection_field : errc::none;
}

/// The whole verdict on a final answer whose characters are known to be legal.
[[nodiscard]] constexpr errc check_answer(const upgrade_response& response,
                                          const upgrade_offer& offered) noexcept {
    const errc error = response.http_version() >= http_version::v2
                           ? check_tunnel(response)
                           : check_switch(response, accept_key(offered.key));
    return error != errc::none ? error : check_agreement(response, offered);
}

} // namespace detail

/// Judges a final answer that another client's parser found. Nothing is trusted: what a lenient parser let
/// through is refused here. The views of `parsed` must outlive the result. Errors: as client_handshake's;
/// errc::handshake_unexpected_status for a refusal. O(bytes of the head * offered elements), no allocation.
[[nodiscard]] constexpr result<upgrade_response> judge(const http_answer& parsed,
                                                       const upgrade_offer& offered) noexcept {
    const upgrade_response response(parsed);
    if (!detail::is_field_value(parsed.reason)) return errc::handshake_invalid_start_line;
    if (const errc error = detail::check_fields(parsed.fields, parsed.version); error != errc::none) {
        return error;
    }
    if (const errc error = detail::check_answer(response, offered); error != errc::none) return error;
    return response;
}

} // namespace wsolo::inline WSOLO_ABI

// ---- wsolo/handshake/client_request.hpp
// What a client sends first: the request for an upgrade (RFC 6455 §4.1).
//
// Laws of this file:
// - Bytes out, no I/O; on an error nothing is written.
// - Only what a strict server accepts is written: server_handshake takes every request that comes from
//   here and is within its limits.

namespace wsolo::inline WSOLO_ABI {

/// What to ask for. Views, needed only during the call. They must not lie in the container that the request is appended to.
struct client_request {
    /// Host, and the port unless it is the scheme's default: "example.com", "[::1]:9001".
    std::string_view host = {};
    /// Path and query, beginning with "/"; or an absolute http(s) URI, for a proxy.
    std::string_view target = "/";
    /// Sent when not empty.
    std::string_view origin = {};
    /// As header text, the favourite first: "chat, superchat". All different. Sent when not empty.
    std::string_view subprotocols = {};
    /// As header text: "permessage-deflate; client_max_window_bits". Sent when not empty. Of a connection a view of nothing (the
    /// default) leaves them to the handler's `compression`, and "" says that there are none.
    std::string_view extensions = {};
    /// Further fields, for instance Authorization or Cookie.
    std::span<const header_field> headers = {};
};

namespace detail {

/// 1#token, "and MUST all be unique strings" (RFC 6455 §4.1 point 10).
[[nodiscard]] constexpr bool are_subprotocols(std::string_view text) noexcept {
    const element_list offered(text);
    for (const std::string_view each : offered) {
        std::size_t same = 0;
        for (const std::string_view other : offered) same += each == other ? 1U : 0U;
        if (same != 1) return false;
    }
    return is_list_of(offered, is_token);
}

[[nodiscard]] constexpr errc check_client_request(const client_request& request) noexcept {
    const bool legal =
        is_host(request.host) && split_target(request.target, {"http", "https"}).legal &&
        is_field_value(request.origin) &&
        (request.subprotocols.empty() || are_subprotocols(request.subprotocols)) &&
        (request.extensions.empty() || is_list_of(element_list(request.extensions), is_extension)) &&
        are_extra_fields(request.headers);
    return legal ? errc::none : errc::invalid_header_field;
}

inline void compose_client_request(message_writer& out, const client_request& request,
                                   const client_key& key) noexcept {
    out.text("GET ");
    out.text(request.target);
    out.text(" HTTP/1.1\r\n");
    out.field("Host", request.host);
    out.field("Upgrade", "websocket");
    out.field("Connection", "Upgrade");
    out.field("Sec-WebSocket-Key", key.view());
    out.field("Sec-WebSocket-Version", "13");
    out.optional_field("Origin", request.origin);
    out.optional_field("Sec-WebSocket-Protocol", request.subprotocols);
    out.optional_field("Sec-WebSocket-Extensions", request.extensions);
    out.fields(request.headers);
    out.text("\r\n");
}

} // namespace detail

/// Writes the request and returns its size. Errors: errc::invalid_header_field for anything that would not
/// be legal, errc::buffer_too_small. client_handshake does this, and checks the answer too.
[[nodiscard]] inline result<std::size_t> write_client_request(mutable_bytes to, const client_request& request,
                                                              const client_key& key) noexcept {
    if (const errc error = detail::check_client_request(request); error != errc::none) return error;
    return detail::write_message(
        to, [&](detail::message_writer& out) { detail::compose_client_request(out, request, key); });
}

/// The same after the contents of a byte_buffer, std::string or vector of bytes; errc::out_of_memory when
/// it cannot grow.
template <detail::growable_bytes Container>
[[nodiscard]] errc append_client_request(Container& out, const client_request& request,
                                         const client_key& key) noexcept {
    if (const errc error = detail::check_client_request(request); error != errc::none) return error;
    return detail::append_message(
        out, [&](detail::message_writer& to) { detail::compose_client_request(to, request, key); });
}

} // namespace wsolo::inline WSOLO_ABI

// ---- wsolo/handshake/http_head.hpp
// The head of an HTTP/1.1 message, read byte by byte as it arrives: start line, field lines, empty line.
//
// Laws of this file:
// - Any split of the input gives the same result, and every error stands at one byte, so nothing after it
//   counts.
// - Not a byte after the head is taken: what is left of the input belongs to the next reader.
// - Lines end in CR LF and nothing else; no control characters, no space before a colon, no folding in a
//   request. These are the places where two parsers that disagree let a request be smuggled (RFC 9112 §11.2).
//   A folded field of a response is unfolded, as RFC 9112 §5.2 demands of a user agent.
// - Memory follows the bytes that arrived, up to the limits.

namespace wsolo::inline WSOLO_ABI {

/// What a peer may send before it is refused. A zero means "none": no limit.
struct handshake_limits {
    /// Bytes of one line, its CR LF included. A request's first line: errc::handshake_target_too_long.
    std::size_t max_line_size = 8 * 1024;
    /// Header fields of the head.
    std::size_t max_headers = 100;
    /// Bytes of the whole head, its last CR LF included.
    std::size_t max_size = 16 * 1024;
};

/// Where a handshake stands. `complete` and `failed` are final.
enum class handshake_status : std::uint8_t { need_more, complete, failed };

namespace detail {

enum class head_kind : std::uint8_t { request, response };

/// How far a head has come.
struct head_progress {
    std::size_t line_begin_ = 0;   // in the buffer
    std::size_t fields_begin_ = 0; // in the buffer; 0 until the start line is whole
    std::size_t line_size_ = 0;
    std::size_t total_size_ = 0;
    std::size_t header_count_ = 0;
    char previous_ = '\0';
    bool skipped_empty_line_ = false;
    handshake_status status_ = handshake_status::need_more;
    errc error_ = errc::none;
};

/// Collects one head. Movable; the object that was moved from can read another head. Views of the head stay valid when it is
/// moved, until restart() or destruction. Not thread-safe.
class http_head : head_progress {
public:
    http_head(head_kind kind, const handshake_limits& limits) noexcept
        : limits_{bound_of(limits.max_line_size), bound_of(limits.max_headers), bound_of(limits.max_size)},
          kind_(kind) {}
    http_head(http_head&& other) noexcept
        : head_progress(other.take_progress()),
          limits_(other.limits_),
          buffer_(std::move(other.buffer_)),
          kind_(other.kind_) {}
    http_head& operator=(http_head&& other) noexcept {
        static_cast<head_progress&>(*this) = other.take_progress();
        limits_ = other.limits_;
        buffer_ = std::move(other.buffer_);
        kind_ = other.kind_;
        return *this;
    }
    ~http_head() = default;

    /// Takes bytes from the front of `input` until the head is complete, an error stands, or the input is
    /// used up. O(bytes taken). May allocate, at most twice limits.max_size.
    template <class Byte>
    handshake_status feed(std::span<Byte>& input) noexcept {
        while (status_ == handshake_status::need_more && !input.empty()) {
            input = input.subspan(take_line_part(input));
        }
        return status_;
    }

    [[nodiscard]] handshake_status status() const noexcept { return status_; }
    /// The reason for `failed`, errc::none otherwise.
    [[nodiscard]] errc error() const noexcept { return error_; }
    /// Whether the start line was read and found legal; later lines may have failed since.
    [[nodiscard]] bool has_start_line() const noexcept { return fields_begin_ != 0; }
    /// Whether a byte of the head has come; an empty line in front of a request does not count.
    [[nodiscard]] bool has_begun() const noexcept { return !buffer_.empty(); }
    /// The start line without its CR LF. Precondition: has_start_line().
    [[nodiscard]] std::string_view start_line() const noexcept { return text().substr(0, fields_begin_ - 2); }
    /// The fields. Precondition: the head is complete.
    [[nodiscard]] header_list headers() const noexcept {
        return header_list(text().substr(fields_begin_, line_begin_ - fields_begin_));
    }

    /// The peer will send no more bytes: a head that is not complete fails.
    handshake_status end_of_input() noexcept {
        if (status_ == handshake_status::need_more) fail(errc::handshake_incomplete);
        return status_;
    }

    /// Forgets the head and is ready for the next one. With `count_anew` the bytes counted against `max_size` begin at 0
    /// again.
    void restart(bool count_anew) noexcept {
        buffer_.clear();
        const std::size_t counted = count_anew ? 0 : total_size_;
        take_progress();
        total_size_ = counted;
    }

private:
    head_progress take_progress() noexcept {
        head_progress& all = *this;
        const head_progress made = all;
        all = head_progress();
        return made;
    }

    /// Takes bytes up to the end of the line at most, and judges the line when it is whole.
    std::size_t take_line_part(const_bytes input) noexcept {
        errc error = errc::none;
        std::size_t count = take_plain(input);
        bool line_ended = false;
        while (count < input.size() && !line_ended && error == errc::none) {
            const char c = static_cast<char>(input[count++]);
            error = check_char(c);
            line_ended = c == '\n';
        }
        if (!buffer_.append(input.first(count))) error = errc::out_of_memory;
        if (error == errc::none && line_ended) error = end_line();
        if (error != errc::none) fail(error);
        return count;
    }

    /// Takes the front as far as check_char() would find nothing to say: value characters within the limits.
    std::size_t take_plain(const_bytes input) noexcept {
        if (previous_ == '\r') return 0;
        const std::size_t line_room = limits_.max_line_size - line_size_;
        const std::size_t room = limits_.max_size - total_size_;
        std::size_t most = input.size() < room ? input.size() : room;
        if (line_room < most) most = line_room;
        std::size_t count = 0;
        while (count < most && is_value_char(static_cast<char>(input[count]))) ++count;
        line_size_ += count;
        total_size_ += count;
        return count;
    }

    void fail(errc error) noexcept {
        error_ = error;
        status_ = handshake_status::failed;
    }

    errc check_char(char c) noexcept {
        ++line_size_;
        ++total_size_;
        const bool in_target =
            kind_ == head_kind::request && fields_begin_ == 0; // a long request line has a status of its own
        if (line_size_ > limits_.max_line_size) {
            return in_target ? errc::handshake_target_too_long : errc::handshake_line_too_long;
        }
        if (total_size_ > limits_.max_size) {
            return in_target ? errc::handshake_target_too_long : errc::handshake_too_large;
        }
        const bool after_cr = previous_ == '\r';
        previous_ = c;
        if (after_cr != (c == '\n')) return errc::handshake_invalid_line_end;
        const bool legal = c == '\r' || c == '\n' || is_value_char(c);
        return legal ? errc::none : errc::handshake_invalid_character;
    }

    errc end_line() noexcept {
        const std::string_view line = text().substr(line_begin_, line_size_ - 2);
        if (fields_begin_ == 0) return end_start_line(line);
        if (line.empty()) {
            status_ = handshake_status::complete; // line_begin_ stays at the end of the fields
            return errc::none;
        }
        const errc error = is_space(line.front()) ? unfold() : check_field_line(line);
        next_line();
        return error;
    }

    static constexpr bool is_space(char c) noexcept { return c == ' ' || c == '\t'; }

    /// obs-fold: spaces in place of the line end before this line (RFC 9112 §5.2). Before the first field there
    /// is nothing to continue (§2.2).
    errc unfold() noexcept {
        if (kind_ == head_kind::request || header_count_ == 0) return errc::handshake_obsolete_folding;
        buffer_.view()[line_begin_ - 2] = std::byte{' '};
        buffer_.view()[line_begin_ - 1] = std::byte{' '};
        return errc::none;
    }

    errc end_start_line(std::string_view line) noexcept {
        // One empty line may precede a request (RFC 9112 §2.2).
        if (line.empty() && kind_ == head_kind::request && !skipped_empty_line_) {
            skipped_empty_line_ = true;
            buffer_.clear();
            next_line();
            return errc::none;
        }
        const errc error =
            kind_ == head_kind::request ? parse_request_line(line).error() : parse_status_line(line).error();
        next_line();
        if (error == errc::none) fields_begin_ = line_begin_;
        return error;
    }

    /// field-name ":" OWS field-value OWS (RFC 9112 §5); the value's characters were checked as they came.
    errc check_field_line(std::string_view line) noexcept {
        const std::size_t colon = line.find(':');
        if (colon == std::string_view::npos || !is_token(line.substr(0, colon))) {
            return errc::handshake_invalid_field_line;
        }
        return ++header_count_ > limits_.max_headers ? errc::handshake_too_many_headers : errc::none;
    }

    void next_line() noexcept {
        line_begin_ = buffer_.size();
        line_size_ = 0;
        previous_ = '\0';
    }

    [[nodiscard]] std::string_view text() const noexcept { return text_of(buffer_.view()); }

    handshake_limits limits_;
    byte_buffer buffer_;
    head_kind kind_;
};

} // namespace detail
} // namespace wsolo::inline WSOLO_ABI

// ---- wsolo/handshake/client.hpp
// The client's side of the opening handshake: a request to send, then bytes of the answer in and a verdict out (RFC 6455
// §4.1).
//
// Laws of this file:
// - The request is kept: the answer is checked against what was really offered, and no view of the caller's
//   outlives start().
// - What follows the answer's head stays in the caller's input: a server may send frames right after it,
//   and a refusal has a body.
// - No I/O, no clock: a slow server is the caller's to time out (errc::handshake_timeout).

namespace wsolo::inline WSOLO_ABI {

/// Asks once and judges the answer. Movable; not thread-safe. Owns two buffers: the request, and the
/// answer's head up to twice limits.max_size.
class client_handshake {
public:
    explicit client_handshake(const handshake_limits& limits = {}) noexcept
        : head_(detail::head_kind::response, limits) {}

    /// Builds the request with a fresh key from `source` (random_keys, for instance) and forgets any
    /// earlier one. Errors: errc::invalid_header_field, errc::out_of_memory; then there is nothing to send.
    template <nonce_source Source>
    [[nodiscard]] errc start(const client_request& request, Source& source) noexcept {
        return start(request, make_client_key(source));
    }
    /// The same, with the same errors, and a key of the caller's, new for every connection (RFC 6455 §4.1).
    [[nodiscard]] errc start(const client_request& request, const client_key& key) noexcept {
        request_.clear();
        head_.restart(true);
        status_ = handshake_status::need_more;
        key_ = key;
        error_ = append_client_request(request_, request, key);
        if (error_ != errc::none) status_ = handshake_status::failed;
        return error_;
    }

    /// The bytes to send, all of them and before anything else. They are valid until the next start() or destruction; a
    /// move of this object does not invalidate them.
    [[nodiscard]] const_bytes request() const noexcept { return request_.view(); }

    /// Takes the answer's bytes from the front of `input` and leaves what follows its head. Any split of
    /// the bytes gives the same result. Interim answers (1xx but 101) are passed over, as HTTP demands (RFC
    /// 9110 §15.2); they count against max_size. After `complete` or `failed` it takes nothing more.
    /// Precondition: start() succeeded.
    handshake_status feed(mutable_bytes& input) noexcept { return feed_any(input); }
    handshake_status feed(const_bytes& input) noexcept { return feed_any(input); }

    /// Where it stands; `complete` and `failed` are final.
    [[nodiscard]] handshake_status status() const noexcept { return status_; }
    /// The broken rule once `failed`, errc::none before.
    [[nodiscard]] errc error() const noexcept { return error_; }

    /// The server will send no more: an answer that is not complete fails with errc::handshake_incomplete.
    handshake_status end_of_input() noexcept {
        if (status_ == handshake_status::need_more) {
            head_.end_of_input();
            fail(head_.error());
        }
        return status_;
    }

    /// Whether there is an answer to look at: after `complete`, and after `failed` if the head itself was
    /// legal. So a redirect or a demand for credentials (errc::handshake_unexpected_status) can be
    /// followed.
    [[nodiscard]] bool has_response() const noexcept { return head_.status() == handshake_status::complete; }
    /// The answer, a view into this object's buffer: valid until start() or destruction; a move of this object does not
    /// invalidate it. Precondition: has_response().
    [[nodiscard]] upgrade_response response() const noexcept {
        WSOLO_ASSERT(has_response(), "client_handshake::response() before the head is complete");
        const detail::status_line line = detail::parse_status_line(head_.start_line()).value();
        return upgrade_response({line.status, line.version, head_.headers(), line.reason});
    }

private:
    template <class Byte>
    handshake_status feed_any(std::span<Byte>& input) noexcept {
        WSOLO_ASSERT(!request_.empty() || status_ == handshake_status::failed,
                     "client_handshake::feed() before start()");
        while (status_ == handshake_status::need_more && !input.empty()) {
            const handshake_status head_status = head_.feed(input);
            if (head_status == handshake_status::complete) judge();
            if (head_status == handshake_status::failed) fail(head_.error());
        }
        return status_;
    }

    void judge() noexcept {
        const int status = response().status();
        if (status < 200 && status != 101) {
            head_.restart(false);
            return;
        }
        const errc error = detail::check_answer(response(), offered());
        if (error != errc::none) return fail(error);
        status_ = handshake_status::complete;
    }

    void fail(errc error) noexcept {
        error_ = error;
        status_ = handshake_status::failed;
    }

    /// What our own request offers, read from its field lines.
    [[nodiscard]] upgrade_offer offered() const noexcept {
        const std::string_view text = text_of(request_.view());
        const std::size_t fields_at = text.find("\r\n") + 2;
        const header_list fields(text.substr(fields_at, text.size() - 2 - fields_at));
        return {key_.view(), fields.find("Sec-WebSocket-Protocol").value_or(std::string_view()),
                fields.find("Sec-WebSocket-Extensions").value_or(std::string_view())};
    }

    detail::http_head head_;
    byte_buffer request_;
    client_key key_{};
    handshake_status status_ = handshake_status::need_more;
    errc error_ = errc::none;
};

} // namespace wsolo::inline WSOLO_ABI

// ---- wsolo/handshake/negotiate.hpp
// The server's choices: which origin may come in, which subprotocol and which extensions are spoken.
//
// Laws of this file:
// - Nothing is chosen that the client did not offer (RFC 6455 §4.2.2).
// - The policy is the caller's, as a function object; these helpers only walk the offers.

namespace wsolo::inline WSOLO_ABI {
namespace detail {

template <class Text>
concept borrowed_text = std::same_as<Text, std::string_view> || std::same_as<Text, const char*>;

[[nodiscard]] constexpr std::string_view choose_subprotocol(const upgrade_request& request,
                                                            const std::string_view* supported,
                                                            std::size_t count) noexcept {
    for (const std::string_view offered : request.subprotocols()) {
        for (std::size_t i = 0; i < count; ++i) {
            if (offered == supported[i]) return offered;
        }
    }
    return {};
}

} // namespace detail

/// The first subprotocol, in the client's order of preference, that is among `supported`; empty when there
/// is none, and then the answer names none (RFC 6455 §4.2.2). A view into the request. O(offered *
/// supported).
[[nodiscard]] constexpr std::string_view
choose_subprotocol(const upgrade_request& request, std::span<const std::string_view> supported) noexcept {
    return detail::choose_subprotocol(request, supported.data(), supported.size());
}
[[nodiscard]] constexpr std::string_view
choose_subprotocol(const upgrade_request& request,
                   std::initializer_list<std::string_view> supported) noexcept {
    return detail::choose_subprotocol(request, supported.begin(), supported.size());
}

/// Shows every offered extension to `hook`, in the client's order of preference, until one is taken. The
/// hook answers with the text to agree on ("permessage-deflate; server_no_context_takeover") or with an
/// empty one to pass. The text is a string_view or a literal, because an owning string would be destroyed before it
/// is written. Returns that text, for accept_options::extensions.
template <class Hook>
    requires detail::borrowed_text<std::invoke_result_t<Hook&, const extension&>>
[[nodiscard]] constexpr std::string_view choose_extension(const upgrade_request& request, Hook&& hook) {
    for (const extension offer : request.extensions()) {
        const std::string_view agreed = hook(offer);
        if (!agreed.empty()) return agreed;
    }
    return {};
}

/// Asks `allowed(std::optional<std::string_view>)` about the request's Origin;
/// errc::handshake_origin_refused when it says no (RFC 6455 §4.2.2, §10.2). Most clients that are not browsers
/// send none: the hook decides on that too.
template <class Allowed>
    requires std::is_invocable_r_v<bool, Allowed&, std::optional<std::string_view>>
[[nodiscard]] constexpr errc check_origin(const upgrade_request& request, Allowed&& allowed) {
    return allowed(request.origin()) ? errc::none : errc::handshake_origin_refused;
}

/// Whether the Origin's host and port are those that the request was sent to: the usual defence against a
/// foreign page that uses its visitor's cookies. A port that is not said is the default of the Origin's scheme
/// (RFC 6454 §4); the schemes themselves are not compared, for TLS often ends before the server. Addresses
/// are compared as text: browsers normalize them. False when there is no Origin, and for "null".
[[nodiscard]] constexpr bool is_same_origin(const upgrade_request& request) noexcept {
    const std::string_view origin = request.origin().value_or(std::string_view());
    const std::size_t scheme_end = origin.find("://");
    if (scheme_end == std::string_view::npos) return false;
    const std::string_view scheme = origin.substr(0, scheme_end);
    const detail::host_parts from = detail::split_host(origin.substr(scheme_end + 3));
    const detail::host_parts to = detail::split_host(request.host());
    if (!from.legal || !to.legal || !detail::equals_ignoring_case(from.host, to.host)) return false;
    const std::int32_t usual = detail::equals_ignoring_case(scheme, "https")  ? 443
                               : detail::equals_ignoring_case(scheme, "http") ? 80
                                                                              : 0;
    const std::int32_t port = detail::port_number(from.port, usual);
    return port >= 0 && port == detail::port_number(to.port, usual);
}

} // namespace wsolo::inline WSOLO_ABI

// ---- wsolo/handshake/response.hpp
// What a server answers: 101 and the connection is a WebSocket, or an ordinary HTTP answer and it is not
// (RFC 6455 §4.2.2, §4.4).
//
// Laws of this file:
// - Bytes out, no I/O: write_x fills a caller's span, append_x a caller's container; on an error neither
//   changes.
// - A refusal says why: the status that HTTP has for it, what the client would have to send, and a
//   sentence.
// - Nothing the caller passes can end a line early; fields that these functions write themselves are
//   refused.

namespace wsolo::inline WSOLO_ABI {

/// An ordinary HTTP answer. Views, needed only during the call. They must not lie in the container that the answer is
/// appended to.
struct http_response {
    /// 200-599.
    int status = 200;
    /// Empty: the status's usual phrase.
    std::string_view reason = {};
    std::string_view content_type = "text/plain; charset=utf-8";
    std::string_view body = {};
    /// Further fields.
    std::span<const header_field> headers = {};
    /// For an answer to HEAD: the body's length is announced, the body is not sent.
    bool omit_body = false;
    /// Whether the connection ends with this answer, which then says so (RFC 9112 §9.6). When it stays open,
    /// server_handshake::reset() makes ready for the next request.
    bool close = true;
};

namespace detail {

[[nodiscard]] constexpr std::string_view usual_reason(int status) noexcept {
    switch (status) {
    case 101: return "Switching Protocols";
    case 200: return "OK";
    case 204: return "No Content";
    case 301: return "Moved Permanently";
    case 302: return "Found";
    case 307: return "Temporary Redirect";
    case 308: return "Permanent Redirect";
    case 400: return "Bad Request";
    case 401: return "Unauthorized";
    case 403: return "Forbidden";
    case 404: return "Not Found";
    case 405: return "Method Not Allowed";
    case 408: return "Request Timeout";
    case 414: return "URI Too Long";
    case 426: return "Upgrade Required";
    case 429: return "Too Many Requests";
    case 431: return "Request Header Fields Too Large";
    case 500: return "Internal Server Error";
    case 503: return "Service Unavailable";
    case 505: return "HTTP Version Not Supported";
    default: return ""; // the phrase is optional (RFC 9112 §4)
    }
}

inline void compose_start(message_writer& out, int status, std::string_view reason) noexcept {
    out.text("HTTP/1.1 ");
    out.number(static_cast<std::size_t>(status));
    out.text(" ");
    out.text(reason.empty() ? usual_reason(status) : reason);
    out.text("\r\n");
}

inline void compose_accept(message_writer& out, const upgrade_answer& answer,
                           const accept_options& options) noexcept {
    compose_start(out, answer.status(), {});
    for (const header_field field : answer) out.field(field.name, field.value);
    out.fields(options.headers);
    out.text("\r\n");
}

/// accept_answer() for an answer that is written as bytes of HTTP/1.1.
[[nodiscard]] constexpr result<upgrade_answer> switching_answer(const upgrade_request& request,
                                                                const accept_options& options) noexcept {
    WSOLO_ASSERT(!request.is_extended_connect(),
                 "an extended CONNECT is answered by its own HTTP: accept_answer()");
    return accept_answer(request, options);
}

[[nodiscard]] constexpr errc check_response(const http_response& response) noexcept {
    const bool legal = is_field_value(response.reason) && is_field_value(response.content_type) &&
                       are_extra_fields(response.headers);
    return legal ? errc::none : errc::invalid_header_field;
}

inline void compose_response(message_writer& out, const http_response& response) noexcept {
    const bool upgrades = response.status == 426; // RFC 9110 §7.8: then Connection names the field
    const bool has_content = response.status != 204 && response.status != 304;
    compose_start(out, response.status, response.reason);
    upgrade_answer owed(response.status);
    add_owed_fields(owed);
    for (const header_field field : owed) out.field(field.name, field.value);
    if (upgrades || response.close) {
        out.field("Connection", !upgrades ? "close" : response.close ? "Upgrade, close" : "Upgrade");
    }
    if (has_content) {
        if (!response.body.empty()) out.optional_field("Content-Type", response.content_type);
        out.text("Content-Length: ");
        out.number(response.body.size());
        out.text("\r\n");
    }
    out.fields(response.headers);
    out.text("\r\n");
    if (has_content && !response.omit_body) out.text(response.body);
}

/// The response as this request needs it: HEAD gets no body, and some requests end the connection.
[[nodiscard]] constexpr http_response fitted(http_response response,
                                             const upgrade_request& request) noexcept {
    response.omit_body = response.omit_body || request.method() == "HEAD"; // RFC 9110 §9.3.2
    // A body of unknown length can't be skipped, and what follows it would be read from its middle.
    response.close = response.close || request.wants_close() || request.header("Transfer-Encoding");
    return response;
}

} // namespace detail

/// The refusal that `why` calls for: its status, and its sentence as the body. For a request that could be
/// read use server_handshake::refusal(), which leaves the body out of an answer to HEAD.
[[nodiscard]] constexpr http_response rejection(errc why) noexcept {
    return {.status = http_status_for(why), .body = to_string(why)};
}

/// Writes the 101 answer to a request of HTTP/1.1 that was found legal, and returns its size (RFC 6455 §4.2.2). Errors:
/// errc::handshake_unrequested_subprotocol or _extension for one that was not offered,
/// errc::invalid_header_field, errc::buffer_too_small. Precondition: the server_handshake is complete and
/// request.is_upgrade().
[[nodiscard]] inline result<std::size_t> write_accept_response(mutable_bytes to,
                                                               const upgrade_request& request,
                                                               const accept_options& options = {}) noexcept {
    const result<upgrade_answer> answer = detail::switching_answer(request, options);
    if (!answer) return answer.error();
    return detail::write_message(
        to, [&](detail::message_writer& out) { detail::compose_accept(out, *answer, options); });
}

/// The same after the contents of a byte_buffer, std::string or vector of bytes; errc::out_of_memory when
/// it cannot grow.
template <detail::growable_bytes Container>
[[nodiscard]] errc append_accept_response(Container& out, const upgrade_request& request,
                                          const accept_options& options = {}) noexcept {
    const result<upgrade_answer> answer = detail::switching_answer(request, options);
    if (!answer) return answer.error();
    return detail::append_message(
        out, [&](detail::message_writer& to) { detail::compose_accept(to, *answer, options); });
}

/// Writes a whole ordinary answer, a refusal or a page, and returns its size. Errors:
/// errc::invalid_header_field, errc::buffer_too_small. A 426 says by itself which protocol and version are
/// spoken here, a 405 which method.
[[nodiscard]] inline result<std::size_t> write_response(mutable_bytes to,
                                                        const http_response& response) noexcept {
    WSOLO_ASSERT(response.status >= 200 && response.status <= 599, "a final HTTP status is 200-599");
    if (const errc error = detail::check_response(response); error != errc::none) return error;
    return detail::write_message(
        to, [&](detail::message_writer& out) { detail::compose_response(out, response); });
}

/// The same after the contents of a container; errc::out_of_memory when it cannot grow.
template <detail::growable_bytes Container>
[[nodiscard]] errc append_response(Container& out, const http_response& response) noexcept {
    WSOLO_ASSERT(response.status >= 200 && response.status <= 599, "a final HTTP status is 200-599");
    if (const errc error = detail::check_response(response); error != errc::none) return error;
    return detail::append_message(
        out, [&](detail::message_writer& to) { detail::compose_response(to, response); });
}

/// The same in answer to `request`: HEAD gets no body, and a client that closes, speaks HTTP/1.0, or
/// sends a body of unknown length, is told `Connection: close`; end the connection then.
/// Errors as those of the two above.
[[nodiscard]] inline result<std::size_t> write_response(mutable_bytes to, const upgrade_request& request,
                                                        const http_response& response) noexcept {
    return write_response(to, detail::fitted(response, request));
}
template <detail::growable_bytes Container>
[[nodiscard]] errc append_response(Container& out, const upgrade_request& request,
                                   const http_response& response) noexcept {
    return append_response(out, detail::fitted(response, request));
}

} // namespace wsolo::inline WSOLO_ABI

// ---- wsolo/handshake/server.hpp
// The server's side of the opening handshake: bytes in, a request out (RFC 6455 §4.2.1).
//
// Laws of this file:
// - No I/O and no clock: a slow client is the caller's to time out (errc::handshake_timeout).
// - What follows the head stays in the caller's input: a client may send frames right after it.
// - Complete means that it can be answered: with 101 when request().is_upgrade(), with a page when not.

namespace wsolo::inline WSOLO_ABI {

/// Reads one request. Movable; not thread-safe. Owns one buffer, which grows with the bytes that arrive to
/// at most twice limits.max_size. A move hands the buffer on; the object that was moved from can read another
/// request.
///
///     switch (handshake.feed(input)) {
///     case handshake_status::need_more: return;               // read on
///     case handshake_status::failed: append_response(out, handshake.refusal()); break;
///     case handshake_status::complete: append_accept_response(out, handshake.request()); break;
///     }                                                       // input: the first bytes of the first frame
class server_handshake {
public:
    explicit server_handshake(const handshake_limits& limits = {}) noexcept
        : head_(detail::head_kind::request, limits) {}
    server_handshake(server_handshake&& other) noexcept
        : head_(std::move(other.head_)),
          skip_(detail::exchange(other.skip_, {})),
          status_(detail::exchange(other.status_, handshake_status::need_more)),
          error_(detail::exchange(other.error_, errc::none)) {}
    server_handshake& operator=(server_handshake&& other) noexcept {
        head_ = std::move(other.head_);
        skip_ = detail::exchange(other.skip_, {});
        status_ = detail::exchange(other.status_, handshake_status::need_more);
        error_ = detail::exchange(other.error_, errc::none);
        return *this;
    }
    ~server_handshake() = default;

    /// Takes the head's bytes from the front of `input` and leaves what follows. Any split of the bytes
    /// gives the same result. After `complete` or `failed` it takes nothing more. O(bytes taken) and, at
    /// the head's end, a few walks over the head.
    handshake_status feed(mutable_bytes& input) noexcept { return feed_any(input); }
    handshake_status feed(const_bytes& input) noexcept { return feed_any(input); }

    /// Where it stands; `complete` and `failed` are final.
    [[nodiscard]] handshake_status status() const noexcept { return status_; }
    /// The broken rule once `failed`, errc::none before. refusal() turns it into an answer.
    [[nodiscard]] errc error() const noexcept { return error_; }

    /// Whether there is a request to look at: after `complete`, and after `failed` if the head itself was
    /// legal.
    [[nodiscard]] bool has_request() const noexcept { return head_.status() == handshake_status::complete; }
    /// The request, a view into this object's buffer: valid until reset() or destruction; a move of this object does not
    /// invalidate it. Precondition: has_request().
    [[nodiscard]] upgrade_request request() const noexcept {
        WSOLO_ASSERT(has_request(), "server_handshake::request() before the head is complete");
        const detail::request_line line = detail::parse_request_line(head_.start_line()).value();
        return upgrade_request({line.method, line.target, line.version, head_.headers()});
    }

    /// The refusal that error() calls for, also of a head that was cut off. An answer to HEAD has no body. Precondition:
    /// status() is failed.
    [[nodiscard]] http_response refusal() const noexcept {
        http_response refused = rejection(error_);
        refused.omit_body = head_.has_start_line() && head_.start_line().starts_with("HEAD ");
        return refused;
    }

    /// Whether bytes of a request have arrived, or bytes of the body before it are still missing. If neither, a connection
    /// may end here in good order (RFC 9112 §9.6): nothing was cut off, and there is nothing to answer.
    [[nodiscard]] bool has_begun() const noexcept { return skip_ != 0 || head_.has_begun(); }

    /// The client will send no more: a request that is not complete fails with errc::handshake_incomplete,
    /// also one that never began; has_begun() tells these apart, before and after.
    handshake_status end_of_input() noexcept {
        if (status_ != handshake_status::need_more) return status_;
        status_ = head_.end_of_input();
        error_ = head_.error();
        return status_;
    }

    /// How many bytes of body follow a complete request's head; nothing when only the body's coding tells its
    /// length (Transfer-Encoding). Precondition: has_request(), and the head's lengths were found legal.
    template <class Size = std::uint64_t> // only the sources that call it instantiate the std::optional
    [[nodiscard]] std::optional<Size> body_size() const noexcept {
        std::uint64_t size = 0;
        return tells_body(size) ? std::optional<Size>(size) : std::nullopt;
    }

    /// Ready for another request on the same connection, after a plain one was answered and the connection
    /// stays open. The next feed() skips the rest of that request's body: `body_taken` says how many bytes of it the
    /// caller has taken from the input. A body whose length is not known can't be skipped, and the next
    /// request fails with errc::handshake_unexpected_body. Keeps the buffer. Precondition: status() is complete.
    void reset(std::uint64_t body_taken = 0) noexcept {
        WSOLO_ASSERT(status_ == handshake_status::complete,
                     "server_handshake::reset() after a whole request");
        std::uint64_t body = 0;
        const bool is_known = tells_body(body);
        WSOLO_ASSERT(!is_known || body_taken <= body,
                     "server_handshake::reset(): more than the body was taken");
        skip_ = is_known ? body - body_taken : 0;
        error_ = is_known ? errc::none : errc::handshake_unexpected_body;
        status_ = is_known ? handshake_status::need_more : handshake_status::failed;
        head_.restart(true);
    }

private:
    /// Whether the head tells the body's length, and then that `size` is.
    [[nodiscard]] bool tells_body(std::uint64_t& size) const noexcept {
        const header_list headers = request().headers();
        if (headers.find("Transfer-Encoding")) return false;
        // Named, because g++ 14 takes it for a view of a temporary.
        const std::string_view length = headers.find("Content-Length").value_or("0");
        for (const char c : length) {
            const auto digit = static_cast<std::uint64_t>(c - '0');
            size = size > (UINT64_MAX - digit) / 10 ? UINT64_MAX : size * 10 + digit; // it saturates
        }
        return true;
    }

    template <class Byte>
    handshake_status feed_any(std::span<Byte>& input) noexcept {
        if (status_ != handshake_status::need_more) return status_;
        const auto skipped = static_cast<std::size_t>(skip_ < input.size() ? skip_ : input.size());
        input = input.subspan(skipped);
        skip_ -= skipped;
        status_ = head_.feed(input);
        error_ = head_.error();
        if (status_ == handshake_status::complete) judge();
        return status_;
    }

    void judge() noexcept {
        error_ = detail::check_request(request());
        if (error_ != errc::none) status_ = handshake_status::failed;
    }

    detail::http_head head_;
    std::uint64_t skip_ = 0; // bytes left of the body before the next head
    handshake_status status_ = handshake_status::need_more;
    errc error_ = errc::none;
};

} // namespace wsolo::inline WSOLO_ABI

// ---- wsolo/handshake/upgrade.hpp
// The opening handshake, both sides (RFC 6455 §4): includes only.

// ---- wsolo/session/event.hpp
// What a reader found in its input, one thing at a time.
//
// Laws of this file:
// - An event is a view: its bytes lie in what was given to read() or in the reader, until the iterator
// advances.
// - "The peer closed" and "this side fails the connection" are different events (RFC 6455 §7.1.4, §7.1.7).
// - A reply is owed, never sent: owed_reply() builds it when asked, and the owner of the write side queues
// it.

namespace wsolo::inline WSOLO_ABI {

/// message, fragment: data. ping, pong: control frames. peer_close: the peer's Close frame, well-formed.
/// failure: a rule was broken or a limit exceeded, and nothing more will be read; where it owes no reply
/// (code() is no_status, or this side's Close was sent) the writer is to be aborted instead.
enum class event_kind : std::uint8_t { message, fragment, ping, pong, peer_close, failure };

namespace detail {
struct event_access;
}

/// A value of a few words; copies are views of the same bytes. Another thread may use it only until the reader goes on.
class event {
public:
    /// Which of the functions below has something to say.
    [[nodiscard]] event_kind kind() const noexcept { return kind_; }
    /// A whole message.
    [[nodiscard]] bool is_message() const noexcept { return kind_ == event_kind::message; }
    /// A piece of a message (delivery::fragments only).
    [[nodiscard]] bool is_fragment() const noexcept { return kind_ == event_kind::fragment; }
    /// A message, or a piece of one, whose opcode is text. A message is valid UTF-8; a piece belongs to what
    /// is valid so far, and may begin or end inside a code point.
    [[nodiscard]] bool is_text() const noexcept { return text_; }

    /// The data of a message, fragment, ping or pong, unmasked.
    [[nodiscard]] const_bytes payload() const noexcept {
        WSOLO_ASSERT(kind_ <= event_kind::pong,
                     "event::payload(): only messages, fragments, PING and PONG have one");
        return {payload_, size_};
    }
    /// The same, in the type that keeps it from being unmasked again (frame/payload.hpp).
    [[nodiscard]] unmasked_bytes unmasked() const noexcept { return unmasked_bytes(payload()); }
    /// The same as characters; UTF-8 only where is_text() says so.
    [[nodiscard]] std::string_view text() const noexcept { return text_of(payload()); }
    /// A copy that outlives the event. Allocates; throws what std::string throws when there is no memory.
    template <class String = std::string>
    [[nodiscard]] String copy_text() const {
        return String(text());
    }
    /// A copy that outlives the event. Error: out_of_memory.
    [[nodiscard]] result<byte_buffer> copy_bytes() const noexcept {
        byte_buffer copy;
        if (!copy.append(payload())) return errc::out_of_memory;
        return copy;
    }

    /// Whether this piece begins its message, and whether it ends it. Both hold for a message.
    [[nodiscard]] bool begins_message() const noexcept {
        WSOLO_ASSERT(kind_ <= event_kind::fragment,
                     "event::begins_message(): only of messages and fragments");
        return begins_;
    }
    [[nodiscard]] bool ends_message() const noexcept {
        WSOLO_ASSERT(kind_ <= event_kind::fragment, "event::ends_message(): only of messages and fragments");
        return ends_;
    }
    /// The reserved bits of the message's first frame (rsv1_bit ...); 0 unless read_limits::allowed_rsv has
    /// them.
    [[nodiscard]] std::uint8_t rsv() const noexcept {
        WSOLO_ASSERT(kind_ <= event_kind::fragment, "event::rsv(): only of messages and fragments");
        return rsv_;
    }

    /// peer_close: the status code that the peer gave, no_status when it gave none (RFC 6455 §7.1.5).
    /// failure: the status code for the Close frame that reports it, no_status when no Close can or need be sent.
    [[nodiscard]] close_code code() const noexcept {
        WSOLO_ASSERT(kind_ >= event_kind::peer_close, "event::code(): only of peer_close and failure");
        return code_;
    }
    /// peer_close: the reason that the peer gave, UTF-8, at most 123 bytes (RFC 6455 §7.1.6).
    [[nodiscard]] std::string_view reason() const noexcept {
        WSOLO_ASSERT(kind_ == event_kind::peer_close, "event::reason(): only of peer_close");
        return size_ == 0 ? std::string_view() : text_of({payload_ + 2, size_ - 2u});
    }
    /// failure: the error, that is, the rule that was broken.
    [[nodiscard]] errc error() const noexcept {
        WSOLO_ASSERT(kind_ == event_kind::failure, "event::error(): only of failure");
        return error_;
    }

    /// The frame that this event obliges this side to send, ready to be queued as raw bytes: the PONG for a
    /// ping (RFC 6455 §5.5.3), the echo for a peer_close (§5.5.1), the Close that tells the peer of a failure
    /// (§7.1.7). Empty for everything else and once this side's Close was sent
    /// (basic_reader::note_close_sent). Builds the frame anew at each call, the same each time.
    template <class Frame = control_frame> // only the sources that call it instantiate the std::optional
    [[nodiscard]] std::optional<Frame> owed_reply() const noexcept {
        if (reply_ == reply::none) return std::nullopt;
        return masked_reply_ ? built_reply<role::client>(one_key(key_)) : built_reply<role::server>();
    }
    /// Whether owed_reply() has one, without building it.
    [[nodiscard]] bool owes_reply() const noexcept { return reply_ != reply::none; }

private:
    friend struct detail::event_access;

    enum class reply : std::uint8_t { none, echo, failure };

    template <role Role, class... Keys>
    [[nodiscard]] control_frame built_reply(Keys... keys) const noexcept {
        const unmasked_bytes received(const_bytes{payload_, size_});
        const opcode op = kind_ == event_kind::ping ? opcode::ping : opcode::close;
        const auto frame = reply_ == reply::echo ? make_control_reply<Role>(op, received, keys...)
                                                 : make_close<Role>(code_, to_string(error_), keys...);
        return *frame;
    }

    const std::byte* payload_ = nullptr;
    std::size_t size_ = 0;
    masking_key key_{}; // for the reply
    close_code code_ = close_code::no_status;
    event_kind kind_ = event_kind::failure;
    errc error_ = errc::none;
    std::uint8_t rsv_ = 0;
    reply reply_ = reply::none;
    bool text_ = false;
    bool begins_ = false;
    bool ends_ = false;
    bool masked_reply_ = false;
};

namespace detail {

/// The reader's access to an event. An event is filled where it lies, field by field: copying it would cost more than
/// finding it.
struct event_access {
    struct marks {
        bool text = false;
        bool begins = false;
        bool ends = false;
        std::uint8_t rsv = 0;
    };

    static void data(event& found, event_kind kind, const_bytes payload, marks marks) noexcept {
        control(found, kind, payload);
        found.text_ = marks.text;
        found.begins_ = marks.begins;
        found.ends_ = marks.ends;
        found.rsv_ = marks.rsv;
    }

    static void control(event& found, event_kind kind, const_bytes payload) noexcept {
        found.kind_ = kind;
        found.payload_ = payload.data();
        found.size_ = payload.size();
        found.reply_ = event::reply::none;
        found.text_ = false;
    }

    static void close(event& found, const_bytes body, close_code code) noexcept {
        control(found, event_kind::peer_close, body);
        found.code_ = code;
    }

    static void failure(event& found, errc error) noexcept {
        control(found, event_kind::failure, {});
        found.error_ = error;
        found.code_ = close_code_for(error);
    }

    /// Makes `found` owe its reply: with a key for a client, without one for a server.
    template <class... Keys>
    static void owe(event& found, Keys&... keys) noexcept {
        const bool failed = found.kind_ == event_kind::failure;
        found.reply_ = failed ? event::reply::failure : event::reply::echo;
        found.masked_reply_ = sizeof...(Keys) > 0;
        if constexpr (sizeof...(Keys) > 0) found.key_ = (keys, ...).next_key();
    }
};

} // namespace detail

} // namespace wsolo::inline WSOLO_ABI

// ---- wsolo/session/heartbeat.hpp
// When to ask whether the peer is alive, when to call it dead, and when to send the application's own beat:
// a state machine over points in time that the caller passes in.
//
// Laws of this file:
// - It reads no clock, sets no timer, allocates nothing: every event brings its time, and tick() says when
//   to come again.
// - The pong timer starts when the PING was written. One that waits in a queue proves nothing about the
//   peer.
// - Life has two directions: bytes from the peer prove it, and so does the fact that the peer takes ours.
// - A verdict takes two looks, one within the last quarter of the pong timeout and one at its end: what
//   arrived while the process slept is read between them. A process that slept through them, or did not listen, does
//   not judge. A clock that jumps gives one beat, never a burst; one that runs backwards delays nothing by
//   more than one interval.
// - Once closing, or dead, it asks for nothing ever again.

namespace wsolo::inline WSOLO_ABI {

/// The times of one connection's heartbeat; 0 switches that part off. (Kept in milliseconds, 49 days at
/// most.)
struct heartbeat_options {
    /// A PING is sent after this long without a sign of life.
    std::chrono::milliseconds ping_interval{20'000};
    /// How long after a PING was written the peer may stay silent. 0: PINGs keep the path open, silence is
    /// fine.
    std::chrono::milliseconds pong_timeout{20'000};
    /// The window of the application's metrics. While it is not 0, a beat is due every beat_period() of it.
    std::chrono::milliseconds beat_interval{0};
    /// True: only a PONG is a sign of life. False: every byte from the peer is one, parts of frames included, and so is
    /// the fact that the peer takes bytes of ours. With pong_only a peer that takes bytes only postpones the verdict,
    /// because our PING may come after those bytes: if it never answers, it is found dead once it takes no more.
    bool pong_only = false;
};

/// How often the application's beat ticks for an interval: max(1 s, min(interval, 5 s)).
[[nodiscard]] constexpr std::chrono::milliseconds beat_period(std::chrono::milliseconds interval) noexcept {
    constexpr std::chrono::milliseconds shortest{1'000};
    constexpr std::chrono::milliseconds longest{5'000};
    return interval < shortest ? shortest : interval < longest ? interval : longest;
}

/// What is due now. Nothing, one, or several of them at once.
struct [[nodiscard]] heartbeat_actions {
    bool send_ping = false;                  ///< queue a PING, and tell on_ping_written() when it left
    std::array<std::byte, 2> ping_payload{}; ///< the PING's payload, by which on_pong() knows the answer
    bool send_beat = false;                  ///< queue the application's beat
    bool roll_window = false;  ///< with send_beat, once per full beat_interval: the metrics' window ends here
    bool peer_is_dead = false; ///< fail the connection with errc::pong_timeout. Once; nothing is due after it
    time_point deadline = no_deadline; ///< when to call tick() again; an event may change it

    /// Whether there is nothing to do but to wait.
    [[nodiscard]] constexpr bool none() const noexcept { return !send_ping && !send_beat && !peer_is_dead; }
};

namespace detail {

/// A span in whole milliseconds; 0 is "none".
[[nodiscard]] constexpr std::uint32_t to_count(std::chrono::milliseconds span) noexcept {
    constexpr std::int64_t most = 0xFFFF'FFFF;
    return span.count() <= 0 ? 0 : static_cast<std::uint32_t>(span.count() < most ? span.count() : most);
}
[[nodiscard]] constexpr duration span_of(std::uint32_t count) noexcept {
    return std::chrono::milliseconds(count);
}
[[nodiscard]] constexpr time_point sooner(time_point a, time_point b) noexcept { return a < b ? a : b; }

/// The application's own beat, apart from the peer's life.
class beat_clock {
public:
    constexpr beat_clock(const heartbeat_options& options, time_point start) noexcept
        : interval_(to_count(options.beat_interval)) {
        if (interval_ == 0) return;
        beat_at_ = deadline_after(start, period());
        roll_at_ = deadline_after(start, span_of(interval_));
    }

    [[nodiscard]] constexpr time_point deadline() const noexcept { return beat_at_; }
    /// Keeps every deadline within its span from now.
    constexpr void pull_in(time_point now) noexcept {
        if (interval_ == 0) return;
        beat_at_ = sooner(beat_at_, deadline_after(now, period()));
        roll_at_ = sooner(roll_at_, deadline_after(now, span_of(interval_)));
    }
    constexpr void tick(time_point now, heartbeat_actions& due) noexcept {
        if (now < beat_at_) return;
        // In step with the earlier beats, unless one was missed: then the beats start anew from now.
        const time_point in_step = deadline_after(beat_at_, period());
        const time_point at = now < in_step ? beat_at_ : now;
        due.send_beat = true;
        beat_at_ = deadline_after(at, period());
        if (at < roll_at_) return;
        due.roll_window = true;
        roll_at_ = deadline_after(at, span_of(interval_));
    }

private:
    [[nodiscard]] constexpr duration period() const noexcept {
        return beat_period(std::chrono::milliseconds(interval_));
    }

    time_point beat_at_ = no_deadline;
    time_point roll_at_ = no_deadline;
    std::uint32_t interval_;
};

/// In its place where the application has no beat.
struct no_beats {
    constexpr no_beats(const heartbeat_options&, time_point) noexcept {}
    [[nodiscard]] static constexpr time_point deadline() noexcept { return no_deadline; }
    static constexpr void pull_in(time_point) noexcept {}
    static constexpr void tick(time_point, heartbeat_actions&) noexcept {}
};

} // namespace detail

/// See the file's laws. Not thread-safe; every function O(1), constexpr, and free of side effects
/// elsewhere. 48 bytes; 32 without `HasBeats`, when heartbeat_options::beat_interval is ignored.
///
/// A loop calls on_received() for what it read before it calls tick(), so that bytes which came in time are counted
/// before the verdict.
template <bool HasBeats>
class basic_heartbeat {
public:
    constexpr basic_heartbeat(const heartbeat_options& options, time_point start) noexcept
        : beats_(options, start),
          ping_interval_(detail::to_count(options.ping_interval)),
          alive_at_(start),
          pong_timeout_(detail::to_count(options.pong_timeout)),
          pong_only_(options.pong_only) {}

    /// Bytes arrived, any at all.
    constexpr void on_received(time_point now) noexcept {
        if (!pong_only_) live(now);
    }
    /// The peer took bytes of ours, at any pace: a sign of life as well, but see heartbeat_options::pong_only.
    /// Call it when a full send buffer has room again, or has fewer unacknowledged bytes in it. Don't call it when the
    /// transport took bytes: a buffer with room takes them for a dead peer too.
    constexpr void on_progress(time_point now) noexcept {
        if (!pong_only_) {
            live(now);
        } else if (phase_ == phase::awaiting_pong) {
            wait_from(now);
        }
    }
    /// A PONG arrived, whichever PING it answers; on_received() need not be called for it.
    constexpr void on_pong(time_point now) noexcept { live(now); }
    /// The same, and returns the round trip: the time since the PING that it answers was written. Empty unless the PONG is
    /// the first answer to the last PING that tick() asked for.
    template <class Duration = duration> // only the sources that call it instantiate the std::optional
    [[nodiscard]] constexpr std::optional<Duration> on_pong(time_point now, const_bytes payload) noexcept {
        live(now);
        const std::array<std::byte, 2> asked = ping_payload();
        if (payload.size() != 2 || payload[0] != asked[0] || payload[1] != asked[1]) return std::nullopt;
        const bool is_timed = is_written_;
        is_asked_ = is_written_ = false;
        if (!is_timed) return std::nullopt; // it came before on_ping_written(), or unasked
        return now < written_at_ ? duration::zero() : now - written_at_;
    }

    /// The transport took a PING, at `when`: the pong timer starts there. A PING of the application's own counts as well,
    /// and stands for the one that tick() asked for, if that is still to be written. A timer that runs is not extended. A
    /// sign of life that is not earlier than `when` answers the PING, even if it was told before this call: read the clock anew.
    constexpr void on_ping_written(time_point when) noexcept {
        if (phase_ == phase::stopped) return;
        if (is_asked_) {
            is_asked_ = false;
            is_written_ = true;
            written_at_ = when;
        }
        if (phase_ == phase::awaiting_pong) return;
        if (pong_timeout_ == 0) {
            alive_at_ = later(alive_at_, when); // the next PING an interval later
        } else if (alive_at_ < when) {
            phase_ = phase::awaiting_pong;
            wait_from(when);
            return;
        }
        phase_ = phase::quiet;
    }
    /// The PING that tick() asked for will never be written (no room): it is asked for again an interval later.
    constexpr void on_ping_dropped(time_point now) noexcept {
        if (phase_ != phase::ping_asked) return;
        phase_ = phase::quiet;
        is_asked_ = false;
        alive_at_ = later(alive_at_, now);
    }

    /// This side does not read at present: the peer is not blamed for that silence, so nothing is awaited. PINGs go on, an
    /// interval after the last one. Call it at the end of each turn after which it is so.
    constexpr void on_not_listening() noexcept {
        if (phase_ == phase::awaiting_pong) phase_ = phase::quiet;
        has_slept_ = false;
    }

    /// The closing handshake began, or the connection ended: nothing is due any more.
    constexpr void on_closing() noexcept { phase_ = phase::stopped; }

    /// What is due at `now`. An early or needless call is harmless.
    constexpr heartbeat_actions tick(time_point now) noexcept {
        heartbeat_actions due;
        due.deadline = deadline();
        if (now < due.deadline && alive_at_ <= now && beats_.deadline() == no_deadline)
            return due; // most calls
        if (phase_ != phase::stopped) {
            pull_in(now);
            judge(now, due);
            if (phase_ != phase::stopped) beats_.tick(now, due);
        }
        due.deadline = deadline();
        return due;
    }

    /// When tick() will next have something to do; an event may have changed it. no_deadline: never.
    [[nodiscard]] constexpr time_point deadline() const noexcept {
        if (phase_ == phase::stopped) return no_deadline;
        const time_point peer = phase_ == phase::awaiting_pong ? has_looked_ ? dead_at() : look_at()
                                : phase_ == phase::quiet ? ping_at()
                                                               : no_deadline;
        return detail::sooner(peer, beats_.deadline());
    }

    /// Whether no PING is asked for or awaited, nor a beat, so that tick() has nothing to do before deadline().
    [[nodiscard]] constexpr bool is_quiet(time_point now) const noexcept {
        return phase_ == phase::quiet && alive_at_ <= now && beats_.deadline() == no_deadline;
    }
    /// Whether a PING was written and no sign of life came after it.
    [[nodiscard]] constexpr bool is_awaiting_pong() const noexcept { return phase_ == phase::awaiting_pong; }
    /// While it is: since when the peer's silence counts.
    [[nodiscard]] constexpr time_point waiting_since() const noexcept { return alive_at_; }
    /// Whether on_closing() was called, or the peer was called dead.
    [[nodiscard]] constexpr bool has_stopped() const noexcept { return phase_ == phase::stopped; }

private:
    enum class phase : std::uint8_t { quiet, ping_asked, awaiting_pong, stopped };

    static constexpr time_point later(time_point a, time_point b) noexcept { return a < b ? b : a; }

    [[nodiscard]] constexpr time_point ping_at() const noexcept {
        return ping_interval_ == 0 ? no_deadline : deadline_after(alive_at_, detail::span_of(ping_interval_));
    }

    /// While a PONG is awaited: when the two looks are due.
    [[nodiscard]] constexpr time_point dead_at() const noexcept {
        return deadline_after(alive_at_, detail::span_of(pong_timeout_));
    }
    [[nodiscard]] constexpr time_point look_at() const noexcept {
        return dead_at() == no_deadline ? no_deadline : deadline_after(dead_at(), -quarter());
    }
    [[nodiscard]] constexpr duration quarter() const noexcept { return detail::span_of(pong_timeout_) / 4; }
    /// Of the PING that was asked for last.
    [[nodiscard]] constexpr std::array<std::byte, 2> ping_payload() const noexcept {
        return {static_cast<std::byte>(ping_number_ >> 8), static_cast<std::byte>(ping_number_ & 0xff)};
    }

    /// The peer's silence counts from here.
    constexpr void wait_from(time_point now) noexcept {
        alive_at_ = now;
        has_looked_ = false;
    }
    constexpr void live(time_point now) noexcept {
        alive_at_ = later(alive_at_, now);
        if (phase_ == phase::awaiting_pong) phase_ = phase::quiet;
        has_slept_ = false;
    }

    /// Keeps every deadline within its span from now: heals deadlines that a clock which ran ahead has set.
    constexpr void pull_in(time_point now) noexcept {
        alive_at_ = detail::sooner(alive_at_, now);
        beats_.pull_in(now);
    }

    constexpr void judge(time_point now, heartbeat_actions& due) noexcept {
        if (phase_ == phase::awaiting_pong && now >= dead_at()) {
            // One of the two looks comes so late that this side did not listen either: ask again, once.
            const bool slept = !has_looked_ || now >= deadline_after(dead_at(), quarter());
            due.send_ping = slept && !has_slept_;
            due.peer_is_dead = !due.send_ping;
            has_slept_ = slept;
            phase_ = due.send_ping ? phase::ping_asked : phase::stopped;
        } else if (phase_ == phase::awaiting_pong && now >= look_at()) {
            has_looked_ = true;
        } else if (phase_ == phase::quiet && now >= ping_at()) {
            due.send_ping = true;
            phase_ = phase::ping_asked;
        }
        if (!due.send_ping) return;
        ++ping_number_;
        due.ping_payload = ping_payload();
        is_asked_ = true;
        is_written_ = false;
    }

    // [[no_unique_address]]: what follows lies in its tail padding.
    [[no_unique_address]] std::conditional_t<HasBeats, detail::beat_clock, detail::no_beats> beats_;
    std::uint32_t ping_interval_;
    /// The last sign of life; from a PING's writing until the next one, since when silence counts against the peer.
    time_point alive_at_;
    time_point written_at_{}; ///< of the PING that was asked for last
    std::uint32_t pong_timeout_;
    std::uint16_t ping_number_ = 0;
    phase phase_ = phase::quiet;
    bool pong_only_ : 1;
    bool has_looked_ : 1 = false; ///< within the timeout's last quarter
    bool has_slept_ : 1 = false;  ///< through a verdict, since the last sign of life or pause of reading
    bool is_asked_ : 1 = false;   ///< the last PING: not written yet
    bool is_written_ : 1 = false; ///< the last PING: not answered yet
};

/// With the application's own beats.
using heartbeat = basic_heartbeat<true>;

} // namespace wsolo::inline WSOLO_ABI

// ---- wsolo/session/limits.hpp
// What a peer may make a reader take, and how messages are handed over.

namespace wsolo::inline WSOLO_ABI {

/// messages: one event per message, whole. fragments: one event per piece as it arrives, nothing assembled
/// and nothing allocated.
enum class delivery : std::uint8_t { messages, fragments };

/// The bounds of one connection's input. Each is judged before the bytes that it bounds are kept: sizes by
/// the frame's header (RFC 6455 §10.4). A zero means "none": no limit.
struct read_limits {
    /// Longest payload of a data frame, in bytes as they come, compressed or not: errc::frame_too_big. Without it the message's bound holds for each frame.
    std::uint64_t max_frame_size = 0;
    /// Longest message, in bytes, over all its frames: errc::message_too_big. Judged in both deliveries. A message with
    /// a reserved bit may have compressed_bound_of() this many bytes: the extension bounds what they are decoded to.
    std::uint64_t max_message_size = default_max_message;
    /// Most frames of one message, the empty ones included: errc::too_many_fragments. The default is no
    /// limit: a fragment costs time to read and no memory, and a writer's fragmented_message may have any number.
    std::uint32_t max_fragments = 0;
    /// How long a message, or a frame, may be under way: errc::message_timeout, after that time and up to a quarter more.
    /// Only a reader whose tick() is called holds to it. (Above 49 days there is no limit.)
    std::chrono::milliseconds max_message_age{0};
    delivery deliver = delivery::messages;
    /// Reserved bits that a negotiated extension gives a meaning on a message's first frame (rsv1_bit ...,
    /// frame/header.hpp). A text message with one of them set is not validated here: what it carries is the
    /// extension's to decode.
    std::uint8_t allowed_rsv = 0;
};

namespace detail {

/// Limits as a reader holds to them: each is a bound that everything can be compared with.
struct read_bounds {
    explicit constexpr read_bounds(const read_limits& limits) noexcept
        : max_frame_size(bound_of(limits.max_frame_size)),
          max_message_size(bound_of(limits.max_message_size)),
          max_fragments(bound_of(limits.max_fragments)),
          max_age(limits.max_message_age),
          allowed_rsv(limits.allowed_rsv),
          by_fragments(limits.deliver == delivery::fragments) {}

    [[nodiscard]] bool operator==(const read_bounds&) const = default;

    std::uint64_t max_frame_size;
    std::uint64_t max_message_size;
    std::uint32_t max_fragments;
    short_duration max_age;
    std::uint8_t allowed_rsv;
    bool by_fragments;
};

} // namespace detail

} // namespace wsolo::inline WSOLO_ABI

// ---- wsolo/session/rate_limit.hpp
// How much may arrive in a second: a token bucket over points in time that the caller passes in.
//
// Laws of this file:
// - It reads no clock and allocates nothing. What is refused takes nothing.
// - Exact: over any time, what was granted stays within the rate times that time and one full bucket, however small the
//   steps and the amounts. All arithmetic saturates.
// - A zero rate means "none": everything is granted.

namespace wsolo::inline WSOLO_ABI {

/// A bound on messages, bytes or frames.
struct rate {
    /// How many a second, in the long run. 0: no bound.
    std::uint32_t per_second = 0;
    /// How many more than one second's worth may arrive at once. 0: none.
    std::uint32_t burst = 0;
};

/// The rates of one connection's input. Input above a rate ends the connection with errc::rate_exceeded (1008).
struct reading_rate {
    /// Whole messages, text and binary.
    rate messages{};
    /// Bytes from the transport, headers included. One second's worth plus the burst must not be less than one read brings.
    rate bytes{};
    /// PINGs and PONGs.
    rate control_frames{};
};

/// A bucket, full at the start. A value of 24 bytes. Not thread-safe; O(1), constexpr.
class rate_limit {
public:
    constexpr rate_limit(const rate& bound, time_point start) noexcept
        : level_((std::uint64_t{bound.per_second} + bound.burst) * one), at_(start), bound_(bound) {}

    /// Takes `count` from the bucket and answers true, or takes nothing and answers false. A count above one second's worth
    /// plus the burst is never granted. A clock that runs backwards adds nothing; time that it runs forward after that counts.
    [[nodiscard]] constexpr bool take(std::uint64_t count, time_point now) noexcept {
        if (bound_.per_second == 0) return true;
        refill(now);
        if (count > level_ / one) return false;
        level_ -= count * one;
        return true;
    }

private:
    /// What one message, byte or frame counts as: a rate of one in a second adds 1 each nanosecond.
    static constexpr std::uint64_t one = 1'000'000'000;
    static_assert(duration::period::num == 1 && duration::period::den <= one &&
                  one % duration::period::den == 0);

    constexpr void refill(time_point now) noexcept {
        const time_point before = at_;
        at_ = now;
        if (now <= before) return;
        // From below zero to above it the span itself may be too long for its type.
        const std::uint64_t ticks = static_cast<std::uint64_t>(now.time_since_epoch().count()) -
                                    static_cast<std::uint64_t>(before.time_since_epoch().count());
        const std::uint64_t a_tick = std::uint64_t{bound_.per_second} * (one / duration::period::den);
        const std::uint64_t missing = (std::uint64_t{bound_.per_second} + bound_.burst) * one - level_;
        level_ += ticks <= missing / a_tick ? ticks * a_tick : missing;
    }

    std::uint64_t level_; ///< at most 2^33 seconds' worth of one: below 2^63
    time_point at_;
    rate bound_;
};

} // namespace wsolo::inline WSOLO_ABI

// ---- wsolo/session/detail/kept_bytes.hpp
// What a reader keeps of what came in parts: a message so far, and after it, from a mark on, a control frame so far.
//
// Laws of this file:
// - Without memory it is a null pointer, because an idle reader keeps nothing: how many bytes there are, and where the mark is,
//   stands before the bytes.
// - Capacity follows bytes that arrived, and grows by doubling. A failed growth leaves the contents as they were.

namespace wsolo::inline WSOLO_ABI::detail {

/// Not thread-safe; movable. Nothing here throws.
class kept_bytes {
public:
    kept_bytes() = default;
    kept_bytes(kept_bytes&& other) noexcept : head_(detail::exchange(other.head_, nullptr)) {}
    kept_bytes& operator=(kept_bytes&& other) noexcept {
        std::swap(head_, other.head_);
        return *this;
    }
    ~kept_bytes() {
        if (head_ != nullptr) std::free(head_); // most have none: not even the call
    }

    [[nodiscard]] std::size_t size() const noexcept { return head_ == nullptr ? 0 : head_->size; }
    [[nodiscard]] bool empty() const noexcept { return size() == 0; }
    /// The contents. Valid until the next call that is not const.
    [[nodiscard]] const_bytes view() const noexcept {
        return head_ == nullptr ? const_bytes() : const_bytes(bytes(), head_->size);
    }

    /// 0 until it is set. Setting it to 0 needs no memory; otherwise there are bytes.
    [[nodiscard]] std::size_t mark() const noexcept { return head_ == nullptr ? 0 : head_->mark; }
    void set_mark(std::size_t at) noexcept {
        if (head_ != nullptr) head_->mark = at;
    }

    /// Lengthens by `count` bytes of unspecified value and returns where they start; nullptr when there is no memory.
    [[nodiscard]] std::byte* extend(std::size_t count) noexcept {
        if (!reserve_more(count)) return nullptr;
        std::byte* const tail = bytes() + head_->size;
        head_->size += count;
        return tail;
    }
    /// Makes room for `count` more bytes. False when there is no memory.
    [[nodiscard]] bool reserve_more(std::size_t count) noexcept {
        return head_ != nullptr && count <= head_->capacity - head_->size ? true : grow(count);
    }
    /// Precondition: `size` is not above size(). Keeps the memory.
    void truncate(std::size_t size) noexcept {
        WSOLO_ASSERT(size <= this->size(), "kept_bytes::truncate can only shorten");
        if (head_ != nullptr) head_->size = size;
    }
    void release() noexcept { std::free(detail::exchange(head_, nullptr)); }

private:
    struct head {
        std::size_t size;
        std::size_t capacity;
        std::size_t mark;
    };
    static constexpr std::size_t most = static_cast<std::size_t>(-1) / 2 - sizeof(head);
    static constexpr std::size_t least = 64;

    [[nodiscard]] std::byte* bytes() const noexcept { return reinterpret_cast<std::byte*>(head_ + 1); }

    bool grow(std::size_t count) noexcept {
        const std::size_t size = this->size();
        if (count > most - size) return false;
        const std::size_t before = head_ == nullptr ? 0 : head_->capacity;
        std::size_t wanted = before > most / 2 ? most : before * 2;
        if (wanted < size + count) wanted = size + count;
        if (wanted < least) wanted = least;
        return make(wanted) || make(size + count);
    }
    /// With this capacity.
    bool make(std::size_t capacity) noexcept {
        const bool is_first = head_ == nullptr;
        void* const made = std::realloc(head_, sizeof(head) + capacity);
        if (made == nullptr) return false;
        head_ = static_cast<head*>(made);
        if (is_first) *head_ = {};
        head_->capacity = capacity;
        return true;
    }

    head* head_ = nullptr;
};

} // namespace wsolo::inline WSOLO_ABI::detail

// ---- wsolo/session/detail/message_rules.hpp
// Whether a data frame may come now and how long it may be (RFC 6455 §5.4, §10.4): the rules that depend on the
// frames before it.
//
// Laws of this file:
// - Judged from the header, by the byte that proves it and before any payload is kept.
// - Sums are judged as `need > limit - have`, which cannot wrap.

namespace wsolo::inline WSOLO_ABI::detail {

/// The message that the next data frame belongs to. 32 bytes.
class message_rules {
public:
    explicit message_rules(const read_bounds& bounds) noexcept
        : max_size_(bounds.max_message_size), max_fragments_(bounds.max_fragments) {}

    /// Up to this many bytes a message that nothing encoded is within the limits.
    [[nodiscard]] std::uint64_t max_size() const noexcept { return max_size_; }

    /// Whether a data frame with this first byte may come now (frame_decoder's Rules).
    [[nodiscard]] errc check_first(std::byte first) const noexcept {
        const bool continues = is_continuation(first);
        // §5.4: fragments of one message "MUST NOT be interleaved" with those of another.
        if (continues != open_)
            return continues ? errc::unexpected_continuation : errc::expected_continuation;
        return continues && fragments_ >= max_fragments_ ? errc::too_many_fragments : errc::none;
    }
    /// Whether the frame's payload may have `least` bytes.
    [[nodiscard]] errc check_size(std::byte first, std::uint64_t least) const noexcept {
        const bool continues = is_continuation(first);
        const std::uint64_t room = max_size_of(continues ? first_ : first) - (continues ? size_ : 0);
        return least > room ? errc::message_too_big : errc::none;
    }

    /// Takes the header of a data frame that passed both checks.
    void begin_frame(std::byte first, std::uint64_t payload_size) noexcept {
        const bool continues = is_continuation(first);
        if (!continues) first_ = first;
        size_ = (continues ? size_ : 0) + payload_size;
        fragments_ = (continues ? fragments_ : 0) + 1;
        open_ = true;
        final_ = (std::to_integer<unsigned>(first) & 0x80u) != 0;
    }

    /// The current data frame's payload has come to its end. True when it was the message's last.
    bool end_frame() noexcept {
        open_ = !final_;
        return final_;
    }

    /// Whether a message is under way.
    [[nodiscard]] bool open() const noexcept { return open_; }
    [[nodiscard]] bool is_text() const noexcept {
        return (std::to_integer<unsigned>(first_) & 0x0Fu) == static_cast<unsigned>(opcode::text);
    }
    /// The reserved bits of the message's first frame, where they stand in its first byte.
    [[nodiscard]] std::uint8_t rsv() const noexcept {
        return static_cast<std::uint8_t>(std::to_integer<unsigned>(first_) & 0x70u);
    }

private:
    [[nodiscard]] static bool is_continuation(std::byte first) noexcept {
        return (std::to_integer<unsigned>(first) & 0x0Fu) == static_cast<unsigned>(opcode::continuation);
    }

    /// The bound for a message that begins with this byte. An encoded message may be longer than the one it stands for.
    [[nodiscard]] std::uint64_t max_size_of(std::byte first) const noexcept {
        return (std::to_integer<unsigned>(first) & 0x70u) == 0 ? max_size_ : compressed_bound_of(max_size_);
    }

    std::uint64_t max_size_;
    std::uint64_t size_ = 0; // never above max_size_of(first_)
    std::uint32_t max_fragments_;
    std::uint32_t fragments_ = 0;
    std::byte first_{};
    bool open_ = false;
    bool final_ = false;
};

} // namespace wsolo::inline WSOLO_ABI::detail

// ---- wsolo/session/detail/reader_state.hpp
// The reader's machine without its key source: frames become messages, fragments, control frames, or the end.
//
// Laws of this file:
// - One buffer holds what a read cut: the message so far, and after it the control frame so far. Data cannot
//   come while a control frame is unfinished, so the second is always the tail.
// - The memory that the last event pointed to is given back only when the next event is asked for.

namespace wsolo::inline WSOLO_ABI::detail {

enum class read_phase : std::uint8_t { open, peer_closed, failed };

template <role Role>
struct reader_state {
    explicit reader_state(const read_bounds& bounds) noexcept
        : by_fragments_(bounds.by_fragments),
          decoder_({bounds.max_frame_size}, bounds.allowed_rsv),
          rules_(bounds),
          max_age_(bounds.max_age) {
        if (by_fragments_)
            static_cast<void>(kept_.reserve_more(max_control_payload)); // retried when it is needed
    }

    /// The next event in `input`, which is advanced past it. False when the input is used up. The event owes
    /// no reply yet.
    bool next(mutable_bytes& input, event& found) noexcept {
        if (delivered_) forget_delivered();
        while (phase == read_phase::open) {
            mutable_bytes payload;
            if (!rules_.open() && decoder_.next_whole(input, payload, rules_.max_size())) {
                return take_whole(payload, found);
            }
            const decoded part = decoder_.next_masked(input, rules_);
            if (part.status != decode_status::part) {
                if (part.status == decode_status::need_more) return false;
                return fail(part.error, found);
            }
            if (take(part, found)) return true;
        }
        return refuse(input, found);
    }

    /// Whether next() has nothing to do or to tell when there is no input.
    [[nodiscard]] bool has_no_more() const noexcept {
        return phase == read_phase::open && !delivered_ && is_between_messages();
    }
    /// Counts input that is not looked at: the stream has a gap now.
    void give_up(mutable_bytes input) noexcept {
        ignored += input.size();
        if (phase == read_phase::open) fail_untold(errc::aborted);
    }

    /// basic_reader::tick()
    time_point tick(time_point now) noexcept {
        const duration max_age = max_age_.get();
        if (phase != read_phase::open || max_age == (duration::max)() || !is_unfinished()) return no_deadline;
        const time_point from_now = deadline_after(now, max_age);
        if (!is_dated_) begin_age(from_now);
        if (from_now < late_at_) late_at_ = from_now; // heals a time that a clock which ran ahead has set
        if (now < late_at_) return late_at_;
        if (has_looked_) {
            fail_untold(errc::message_timeout);
            return now;
        }
        has_looked_ = true;
        return late_at_ = deadline_after(now, max_age / 4);
    }
    [[nodiscard]] time_point deadline() const noexcept {
        return phase == read_phase::open && is_dated_ && is_unfinished() ? late_at_ : no_deadline;
    }
    void note_not_listening(time_point now) noexcept {
        if (is_dated_) begin_age(deadline_after(now, max_age_.get()));
    }

    /// Whether neither a message nor a frame is under way.
    [[nodiscard]] bool is_between_messages() const noexcept {
        return !rules_.open() && decoder_.at_boundary();
    }

    std::uint64_t ignored = 0;
    read_phase phase = read_phase::open;
    errc error = errc::none;
    bool close_sent = false;

private:
    static constexpr bool masked = masks(peer_of(Role));

    /// The usual case on its own: a message in one frame in one piece.
    [[gnu::always_inline]] bool take_whole(mutable_bytes payload, event& found) noexcept {
        const bool text = decoder_.first_byte() == std::byte{0x81};
        if (text) {
            utf8_validator whole;
            if (!judge(whole, payload) || !whole.complete())
                return fail_text(whole, 0, payload.size(), found);
        } else {
            unmask(payload);
        }
        const event_kind kind = by_fragments_ ? event_kind::fragment : event_kind::message;
        event_access::data(found, kind, payload, {.text = text, .begins = true, .ends = true});
        return true;
    }

    [[gnu::noinline]] bool take(const decoded& part, event& found) noexcept {
        const unsigned first = std::to_integer<unsigned>(decoder_.first_byte());
        const auto op = static_cast<opcode>(first & 0x0Fu);
        if (is_control(op)) {
            if (part.ends && !rules_.open()) is_dated_ = false;
            return take_control(op, part, found);
        }
        if (part.begins) {
            rules_.begin_frame(decoder_.first_byte(), decoder_.payload_size());
            if (op != opcode::continuation) piece_begins_ = true;
        }
        const bool ended = part.ends && rules_.end_frame();
        if (ended) is_dated_ = false;
        const bool validates = rules_.is_text() && rules_.rsv() == 0;
        if (validates) {
            const std::uint64_t before = text_.valid_up_to();
            if (!judge(text_, part.payload) || (ended && !text_.complete())) {
                return fail_text(text_, before, part.payload.size(), found);
            }
        }
        return by_fragments_ ? take_piece(part.payload, ended, validates, found)
                             : gather(part.payload, ended, validates, found);
    }

    bool take_piece(mutable_bytes payload, bool ended, bool unmasked, event& found) noexcept {
        if (!unmasked) unmask(payload);
        if (payload.empty() && !ended) return false;
        event_access::data(found, event_kind::fragment, payload,
                           {rules_.is_text(), piece_begins_, ended, rules_.rsv()});
        piece_begins_ = false;
        return true;
    }

    bool gather(mutable_bytes payload, bool ended, bool unmasked, event& found) noexcept {
        const_bytes message = payload;
        if (ended && kept_.empty()) {
            if (!unmasked) unmask(payload);
        } else {
            if (!keep(payload, unmasked)) return fail(errc::out_of_memory, found);
            if (!ended) return false;
            message = kept_.view();
            deliver_kept_from(0);
        }
        event_access::data(found, event_kind::message, message, {rules_.is_text(), true, true, rules_.rsv()});
        return true;
    }

    bool take_control(opcode op, const decoded& part, event& found) noexcept {
        if (part.begins) kept_.set_mark(kept_.size());
        const_bytes body = part.payload;
        if (part.begins && part.ends) {
            unmask(part.payload);
        } else {
            if (!keep(part.payload, false)) return fail(errc::out_of_memory, found);
            if (!part.ends) return false;
            body = kept_.view().subspan(kept_.mark());
            deliver_kept_from(kept_.mark());
        }
        if (op == opcode::close) return take_close(body, found);
        event_access::control(found, op == opcode::ping ? event_kind::ping : event_kind::pong, body);
        return true;
    }

    bool take_close(const_bytes body, event& found) noexcept {
        const result<close_body> parsed = parse_close_body(unmasked_bytes(body));
        if (!parsed) return fail(parsed.error(), found);
        phase = read_phase::peer_closed;
        // A message that the Close cut off is dropped. If the Close was kept after it, the Close is moved first.
        if (!delivered_) {
            kept_.release();
        } else if (kept_.mark() != 0) {
            kept_bytes alone;
            if (std::byte* const to = alone.extend(body.size())) {
                copy_bytes(to, body.data(), body.size());
                kept_ = std::move(alone);
                body = kept_.view();
            }
            deliver_kept_from(0);
        }
        event_access::close(found, body, parsed->code);
        return true;
    }

    /// `unread`: how many bytes of the part that came last lie after what broke the rule.
    bool fail(errc broken, event& found, std::size_t unread = 0) noexcept {
        ignored += unread;
        phase = read_phase::failed;
        error = broken;
        kept_.release();
        delivered_ = false;
        event_access::failure(found, broken);
        return true;
    }

    /// The same, outside of a read(): the next read() makes the event of it.
    void fail_untold(errc why) noexcept {
        phase = read_phase::failed;
        error = why;
        kept_.release();
        delivered_ = false;
        failure_untold_ = true;
    }

    [[nodiscard]] bool is_unfinished() const noexcept { return !is_between_messages(); }
    void begin_age(time_point late_at) noexcept {
        late_at_ = late_at;
        is_dated_ = true;
        has_looked_ = false;
    }

    /// The bad byte is the first after those that were valid, unless the text only stops too early.
    [[gnu::noinline]] bool fail_text(const utf8_validator& text, std::uint64_t before, std::size_t size,
                                     event& found) noexcept {
        const auto taken = static_cast<std::size_t>(text.valid_up_to() - before);
        return fail(errc::invalid_utf8, found, taken < size ? size - taken - 1 : 0);
    }

    /// What comes after the end of the connection; after give_up() first the failure itself.
    bool refuse(mutable_bytes& input, event& found) noexcept {
        ignored += input.size();
        input = {};
        if (!failure_untold_) return false;
        failure_untold_ = false;
        return fail(error, found);
    }

    /// XORs `payload`, the part that came last, in place; a server's frames need none.
    void unmask(mutable_bytes payload) const noexcept {
        if constexpr (masked) apply_mask(payload, decoder_.key(), offset_of(payload));
    }

    /// The same, and whether the text so far may be UTF-8: one pass.
    [[nodiscard]] bool judge(utf8_validator& text, mutable_bytes payload) const noexcept {
        if constexpr (masked) {
            return text.write_masked(payload, decoder_.key(), offset_of(payload));
        } else {
            return text.write(payload);
        }
    }

    /// Appends `payload` to what is kept, unmasking it on the way unless it was before.
    [[nodiscard]] bool keep(const_bytes payload, bool unmasked) noexcept {
        if (payload.empty()) return true;
        std::byte* to = kept_.extend(payload.size());
        if (to == nullptr) return false;
        if (masked && !unmasked) {
            copy_masked(to, payload, decoder_.key(), offset_of(payload));
        } else {
            copy_bytes(to, payload.data(), payload.size());
        }
        return true;
    }

    [[nodiscard]] std::uint64_t offset_of(const_bytes last_part) const noexcept {
        return decoder_.position() - last_part.size();
    }

    /// The event that is being made points to what is kept from `at` on.
    void deliver_kept_from(std::size_t at) noexcept {
        kept_.set_mark(at);
        delivered_ = true;
    }

    void forget_delivered() noexcept {
        delivered_ = false;
        kept_.truncate(kept_.mark());
        if (kept_.empty() && !by_fragments_) kept_.release(); // an idle connection holds nothing
    }

    bool by_fragments_;
    bool delivered_ = false;
    bool piece_begins_ : 1 = false;
    bool failure_untold_ : 1 = false;
    bool is_dated_ : 1 = false;   ///< what was unfinished at the last tick() still is
    bool has_looked_ : 1 = false; ///< a tick() saw it late
    frame_decoder<Role> decoder_;
    [[no_unique_address]] message_rules rules_; // [[no_unique_address]]: max_age_ lies in its tail padding
    short_duration max_age_;
    utf8_validator text_; // between messages it stands between code points: a text that ended was complete
    kept_bytes kept_;
    time_point late_at_{}; ///< while what is unfinished has a date
};

} // namespace wsolo::inline WSOLO_ABI::detail

// ---- wsolo/session/reader.hpp
// Bytes in, events out: one connection's receiving side without its I/O (RFC 6455 §5, §7, §8.1).
//
// Laws of this file:
// - Every split of the input gives the same messages, control frames and failure.
// - A message that lies whole in the input is handed out where it lies, unmasked in place. One that does not
//   is put together in memory that grows only by bytes that arrived; a control frame cut by a read is kept
//   after it.
// - Nothing is written and no clock is read. What this side owes the peer is part of the event.
// - Once the peer closed, or the reading failed, nothing of an unfinished message is kept.
// - No input is lost in silence: bytes after a Close or a failure are counted, and a loop that ends early must
//   pass its rest on (event_range::unread), or the reader fails.

namespace wsolo::inline WSOLO_ABI {

/// Reads what the peer of `Side` sends. Side: server_side, or client_side<> with the key source for the replies that a client
/// owes. Not thread-safe: one thread at a time reads, and the same one calls the other members. Movable between reads where
/// Side is.
template <class Side>
class basic_reader {
public:
    class event_range;

    using side_type = Side;

    /// With delivery::fragments about 150 bytes are allocated here, and nothing ever after.
    explicit basic_reader(const read_limits& limits = {})
        requires std::default_initializable<Side>
        : state_(detail::read_bounds(limits)) {}
    basic_reader(const read_limits& limits, Side side) noexcept
        : basic_reader(detail::read_bounds(limits), static_cast<Side&&>(side)) {}
    /// With limits that were made ready once, for many readers.
    basic_reader(const detail::read_bounds& bounds, Side side) noexcept
        : side_(static_cast<Side&&>(side)), state_(bounds) {}

    /// The events in the next bytes from the peer, found one by one as the range is iterated, once:
    ///
    ///     for (auto& event : in.read(received)) { ... }
    ///
    /// The bytes are unmasked in place, and stay the caller's. An event is valid until the iterator advances.
    /// A loop that ends early takes events.unread() and passes it to a later read(). A range that is destroyed with input
    /// left, before the peer's Close or a failure, ends its event and makes the next read() fail with errc::aborted.
    /// O(n).
    [[nodiscard]] event_range read(mutable_bytes received) noexcept { return event_range(*this, received); }
    [[nodiscard]] event_range read(std::span<char> received) noexcept {
        return read(std::as_writable_bytes(received));
    }
    [[nodiscard]] event_range read(std::span<unsigned char> received) noexcept {
        return read(std::as_writable_bytes(received));
    }

    /// The transport will give no more bytes. Returns none after the peer's Close, the error after a failure, and
    /// otherwise connection_lost (RFC 6455 §7.1.5: such a connection closed with 1006).
    [[nodiscard]] errc end_of_input() const noexcept {
        if (state_.phase == detail::read_phase::peer_closed) return errc::none;
        return state_.error != errc::none ? state_.error : errc::connection_lost;
    }

    /// Judges read_limits::max_message_age. Call it after each read(), and at the time that it returned. no_deadline:
    /// nothing is unfinished, or there is no limit. A returned time that is not after `now` says that the reader failed:
    /// the next read(), if need be of no bytes, gives errc::message_timeout as its event. The failure takes two calls, the
    /// second a quarter of the age after the first, so that bytes which arrived while this process slept are read between
    /// them. Don't call it while an event is in use. O(1).
    [[nodiscard]] time_point tick(time_point now) noexcept { return state_.tick(now); }
    /// What the last tick() returned, unless what was unfinished is finished now. O(1).
    [[nodiscard]] time_point deadline() const noexcept { return state_.deadline(); }
    /// This side did not read until now: an unfinished message counts as begun now.
    void note_not_listening(time_point now) noexcept { state_.note_not_listening(now); }

    /// This side's Close frame was accepted for sending: from now on no event owes a reply, neither a Close
    /// nor a PONG, since nothing may follow our Close. A PING is still reported, and messages still arrive
    /// until the peer has closed too (RFC 6455 §5.5.1). Idempotent. Called by the thread that reads.
    void note_close_sent() noexcept { state_.close_sent = true; }
    [[nodiscard]] bool close_sent() const noexcept { return state_.close_sent; }

    /// Whether the peer's Close was read. With close_sent() the closing handshake is complete (RFC 6455
    /// §7.1.4).
    [[nodiscard]] bool peer_closed() const noexcept {
        return state_.phase == detail::read_phase::peer_closed;
    }
    /// The failure that ended the reading, or none.
    [[nodiscard]] errc error() const noexcept { return state_.error; }
    /// Whether more input can give more events: neither the peer's Close nor a failure was read.
    [[nodiscard]] bool open() const noexcept { return state_.phase == detail::read_phase::open; }
    /// Whether it is open, and neither a message nor a frame is under way. With delivery::messages a reader that is made now, with
    /// the same limits, goes on as this one does. (But for close_sent() and ignored().)
    [[nodiscard]] bool is_resting() const noexcept { return open() && state_.is_between_messages(); }
    /// Bytes that came after the peer's Close or a failure, or were given up; they were not looked at.
    [[nodiscard]] std::uint64_t ignored() const noexcept { return state_.ignored; }

private:
    /// Notes the reply that `found` owes, unless our Close was sent or there is none to send.
    void settle_reply(event& found) noexcept {
        if (state_.close_sent) return;
        if (found.kind() == event_kind::failure && found.code() == close_code::no_status) return;
        side_.with_keys([&](auto&... keys) { detail::event_access::owe(found, keys...); });
    }

    /// The next event, or false when the input is used up.
    bool next(mutable_bytes& input, event& found) noexcept {
        if (input.empty() && state_.has_no_more()) return false; // most reads end with a message
        if (!state_.next(input, found)) return false;
        const event_kind kind = found.kind();
        if (kind > event_kind::fragment && kind != event_kind::pong) settle_reply(found);
        return true;
    }

    [[no_unique_address]] Side side_;
    detail::reader_state<Side::self> state_;
};

/// The events of one read(): a single-pass range. Neither copied nor moved; it refers to its reader and to
/// the bytes that were read. For the thread that reads.
template <class Side>
class basic_reader<Side>::event_range {
public:
    struct sentinel {};

    class iterator {
    public:
        using value_type = event;
        using difference_type = std::ptrdiff_t;

        [[nodiscard]] const event& operator*() const noexcept { return range_->found_; }
        [[nodiscard]] const event* operator->() const noexcept { return &range_->found_; }
        iterator& operator++() noexcept {
            range_->advance();
            return *this;
        }
        void operator++(int) noexcept { ++*this; }
        [[nodiscard]] bool operator==(sentinel) const noexcept { return !range_->at_event_; }

    private:
        friend event_range;
        explicit iterator(event_range& range) noexcept : range_(&range) {}
        event_range* range_;
    };

    event_range(const event_range&) = delete;
    event_range& operator=(const event_range&) = delete;
    ~event_range() {
        if (!input_.empty()) reader_.state_.give_up(input_);
    }

    /// The first event, or where an earlier loop over this range stopped.
    [[nodiscard]] iterator begin() noexcept {
        if (!at_event_) advance();
        return iterator(*this);
    }
    [[nodiscard]] sentinel end() const noexcept { return {}; }

    /// Ends the range and returns the input that is not read yet, for a later read(). The current event stays valid until
    /// that read().
    [[nodiscard]] mutable_bytes unread() noexcept { return detail::exchange(input_, {}); }

private:
    friend basic_reader;

    event_range(basic_reader& reader, mutable_bytes input) noexcept : reader_(reader), input_(input) {}

    void advance() noexcept { at_event_ = reader_.next(input_, found_); }

    basic_reader& reader_;
    mutable_bytes input_;
    event found_;
    bool at_event_ = false;
};

/// A server's side: reads a client's masked frames.
using server_reader = basic_reader<server_side>;
/// A client's side: reads a server's frames, and owns a generator for the replies' keys (1 KiB).
using client_reader = basic_reader<client_side<>>;

} // namespace wsolo::inline WSOLO_ABI

// ---- wsolo/sync/waiter.hpp
// A wait for a mark (sync/sequence_barrier.hpp) or for a drain (sync/rundown.hpp), as an intrusive node, and the
// ordered ring that holds such nodes.
//
// Laws of this file:
// - The waiting code owns the node: nothing here allocates.
// - fire() is called at most once, with no lock held, after the node was unlinked; the caller touches the
//   node no more, so that the node may end in it.
// - Plain data: a ring belongs to the thread that holds the lock around it.

namespace wsolo::inline WSOLO_ABI {

/// Base of every form of waiting. Stays where it is from add() until fire() or a remove() that answered
/// true.
struct waiter {
    using fire_function = void (*)(waiter&) noexcept;

    explicit waiter(fire_function on_fire, std::uint64_t wanted = 0) noexcept : fire(on_fire), mark(wanted) {}
    waiter(const waiter&) = delete;
    waiter& operator=(const waiter&) = delete;

    /// Whether the node is in a list: then it must not be destroyed.
    [[nodiscard]] bool is_linked() const noexcept { return next != nullptr; }

    /// What is called when it fires, for which number, and its neighbours in the list.
    fire_function fire;
    std::uint64_t mark;
    waiter* next = nullptr;
    waiter* previous = nullptr;
    const void* taker = nullptr; // the thread that took it, to fire it: see sync/firing.hpp
    errc outcome = errc::none;   // why it was fired, or why add() refused it

protected:
    ~waiter() = default;
};

namespace detail {

/// Links `added` into a ring, before `place`.
inline void link_before(waiter& place, waiter& added) noexcept {
    added.previous = place.previous;
    added.next = &place;
    place.previous->next = &added;
    place.previous = &added;
}

/// Links `added` into the ring that starts at `first` (null: empty), by mark, after equals. Returns the
/// new first. O(1) when marks grow, else O(waiters with a greater mark).
[[nodiscard]] inline waiter* link_by_mark(waiter* first, waiter& added) noexcept {
    if (first == nullptr) {
        added.next = added.previous = &added;
        return &added;
    }
    waiter* before = first->previous;
    bool leads = false;
    while (before->mark > added.mark && !leads) {
        leads = before == first;
        before = before->previous;
    }
    link_before(*before->next, added);
    return leads ? &added : first;
}

/// Takes `gone` out of the ring that starts at `first`. Returns the new first, null when the ring is empty
/// now.
[[nodiscard]] inline waiter* unlink(waiter* first, waiter& gone) noexcept {
    waiter* const rest = gone.next == &gone ? nullptr : gone.next;
    gone.previous->next = gone.next;
    gone.next->previous = gone.previous;
    gone.next = gone.previous = nullptr;
    return first == &gone ? rest : first;
}

} // namespace detail
} // namespace wsolo::inline WSOLO_ABI

// ---- wsolo/sync/await.hpp
// Waiting in a coroutine: `const wsolo::errc error = co_await wsolo::reached(barrier, mark);`
//
// Laws of this file:
// - The coroutine is resumed once, with no lock held, by the thread that completed the mark or closed the
//   barrier, inside its complete() or close(). To continue in another thread, post from there. A chain of coroutines each of
//   which makes the next one due runs in constant stack.
// - The registration lives in the coroutine's frame: nothing allocates. Destroying a suspended coroutine
//   withdraws it.

namespace wsolo::inline WSOLO_ABI {

/// What co_await takes; made by reached() and drained(). co_await gives errc::none, or the error of
/// close(). It lives in the coroutine's frame; what it waits for outlives it. The thread that completes, or closes, resumes the
/// coroutine, with no lock held.
template <class Source>
class [[nodiscard]] basic_awaiter final : private waiter {
public:
    basic_awaiter(Source& source, std::uint64_t wanted) noexcept
        : waiter(&basic_awaiter::on_fire, wanted), source_(source) {}
    basic_awaiter(const basic_awaiter&) = delete;
    basic_awaiter& operator=(const basic_awaiter&) = delete;

    ~basic_awaiter() {
        if (!is_suspended_) return;
        [[maybe_unused]] const bool is_withdrawn = withdraw();
        WSOLO_ASSERT(is_withdrawn, "a coroutine was destroyed while another thread was resuming it");
    }

    [[nodiscard]] bool await_ready() const noexcept {
        if constexpr (requires { source_.has_reached(mark); }) {
            return source_.has_reached(mark);
        } else {
            return false;
        }
    }

    [[nodiscard]] bool await_suspend(std::coroutine_handle<> caller) noexcept {
        caller_ = caller;
        is_suspended_ = true;
        return source_.add(*this); // if true, the coroutine may already run elsewhere, or be gone
    }

    [[nodiscard]] errc await_resume() noexcept {
        is_suspended_ = false;
        return outcome;
    }

    /// Withdraws the wait: the coroutine will not be resumed. False: it was resumed, or another thread is about to resume it.
    [[nodiscard]] bool withdraw() noexcept {
        return is_suspended_ && source_.remove(*this) && std::exchange(is_suspended_, false);
    }

private:
    static void on_fire(waiter& self) noexcept { static_cast<basic_awaiter&>(self).caller_.resume(); }

    Source& source_;
    std::coroutine_handle<> caller_;
    bool is_suspended_ = false;
};

/// Waits until `barrier` has reached `mark`, or is closed. The barrier outlives the wait.
template <class Barrier>
[[nodiscard]] basic_awaiter<Barrier> reached(Barrier& barrier, std::uint64_t mark) noexcept {
    return {barrier, mark};
}

/// Waits until `from`, a rundown, is closed and all guards are gone.
template <class Rundown>
[[nodiscard]] basic_awaiter<Rundown> drained(Rundown& from) noexcept {
    return {from, 0};
}

} // namespace wsolo::inline WSOLO_ABI

// ---- wsolo/sync/os_mutex.hpp
// A mutex and a condition variable of the system's own.
//
// Laws of this file:
// - They do what std::mutex and std::condition_variable do, less what a wait here doesn't use. Where POSIX threads offer a
//   choice of the clock they are made of those, because <mutex> and <condition_variable> cost as much to include as all
//   standard headers that the other rooms take. Elsewhere they are std::'s.
// - Deadlines are of the steady clock only. A deadline beyond what the system can count becomes the last that it can count.
// - A wait may end without a reason: every caller has a loop.

#if defined(__linux__) || defined(__FreeBSD__) || defined(__NetBSD__) || defined(__OpenBSD__)
#define WSOLO_HAS_PTHREAD_CLOCK 1
#include <limits>
#include <pthread.h>
#include <time.h>
#else
#define WSOLO_HAS_PTHREAD_CLOCK 0
#include <condition_variable>
#include <mutex>
#endif

namespace wsolo::inline WSOLO_ABI {

#if WSOLO_HAS_PTHREAD_CLOCK

/// A mutex for any threads, without <mutex>. Not recursive. It must be free when it is destroyed.
class os_mutex {
public:
    constexpr os_mutex() noexcept = default;
    os_mutex(const os_mutex&) = delete;
    os_mutex& operator=(const os_mutex&) = delete;
    ~os_mutex() { ::pthread_mutex_destroy(&native_); }

    void lock() noexcept {
        const int error = ::pthread_mutex_lock(&native_);
        WSOLO_ASSERT(error == 0, "os_mutex: this thread has it already, or it was destroyed");
        static_cast<void>(error);
    }
    [[nodiscard]] bool try_lock() noexcept { return ::pthread_mutex_trylock(&native_) == 0; }
    void unlock() noexcept { ::pthread_mutex_unlock(&native_); }

    [[nodiscard]] pthread_mutex_t* native_handle() noexcept { return &native_; }

private:
    pthread_mutex_t native_ = PTHREAD_MUTEX_INITIALIZER;
};

/// How a wait with a deadline ended.
enum class os_wait_status : unsigned char { no_timeout, timeout };

/// For any threads; deadlines are the steady clock's. It outlives its waits, and is neither copied nor moved. `Lock` is any that
/// holds an os_mutex and gives its address by mutex(): held_mutex, std::unique_lock<os_mutex>.
class os_condition_variable {
public:
    os_condition_variable() noexcept {
        pthread_condattr_t steady;
        ::pthread_condattr_init(&steady);
        ::pthread_condattr_setclock(&steady, CLOCK_MONOTONIC);
        ::pthread_cond_init(&native_, &steady);
        ::pthread_condattr_destroy(&steady);
    }
    os_condition_variable(const os_condition_variable&) = delete;
    os_condition_variable& operator=(const os_condition_variable&) = delete;
    ~os_condition_variable() { ::pthread_cond_destroy(&native_); }

    void notify_one() noexcept { ::pthread_cond_signal(&native_); }
    void notify_all() noexcept { ::pthread_cond_broadcast(&native_); }

    /// Gives the lock back, sleeps until a notice or for no reason, and takes it again.
    template <class Lock>
    void wait(Lock& held) noexcept {
        ::pthread_cond_wait(&native_, held.mutex()->native_handle());
    }
    template <class Lock>
    os_wait_status wait_until(Lock& held, time_point deadline) noexcept {
        const timespec until = timespec_of(deadline.time_since_epoch());
        const bool woken = ::pthread_cond_timedwait(&native_, held.mutex()->native_handle(), &until) == 0;
        return woken ? os_wait_status::no_timeout : os_wait_status::timeout;
    }

private:
    static timespec timespec_of(duration since) noexcept {
        timespec point{};
        if (since.count() < 0) return point;
        constexpr auto per_second = duration::period::den / duration::period::num;
        using seconds_type = decltype(point.tv_sec);
        constexpr seconds_type last = (std::numeric_limits<seconds_type>::max)();
        const bool fits = since.count() / per_second < last;
        point.tv_sec = fits ? static_cast<seconds_type>(since.count() / per_second) : last;
        point.tv_nsec =
            static_cast<decltype(point.tv_nsec)>(since.count() % per_second * (1'000'000'000 / per_second));
        return point;
    }

    pthread_cond_t native_;
};

#else

using os_mutex = std::mutex;
using os_condition_variable = std::condition_variable_any; // waits on any lock

#endif

/// Holds `Mutex`, which outlives it, for a scope of one thread, or is handed to a wait. (std::unique_lock would cost <mutex>.)
template <class Mutex>
class held_mutex {
public:
    explicit held_mutex(Mutex& of) : mutex_(&of) { of.lock(); }
    held_mutex(const held_mutex&) = delete;
    held_mutex& operator=(const held_mutex&) = delete;
    ~held_mutex() { mutex_->unlock(); }

    void lock() { mutex_->lock(); }
    void unlock() { mutex_->unlock(); }
    [[nodiscard]] Mutex* mutex() const noexcept { return mutex_; }

private:
    Mutex* mutex_;
};

} // namespace wsolo::inline WSOLO_ABI

// ---- wsolo/sync/traits.hpp
// The one place through which concurrent code reaches atomics, time and the scheduler.
//
// Laws of this file:
// - Every concurrent type takes a Traits argument and touches no std::atomic, clock or lock but through it,
//   so that the tests can run the shipped headers under a scheduler of their own.
// - The thread slot belongs to it: code that runs many logical threads on one real one (fibers) gives each its own
//   slot.
// - std_traits adds nothing to what it names: the indirection costs no instruction.

#if defined(__unix__) || defined(__APPLE__)
#include <sched.h>
#include <time.h>
#endif

namespace wsolo::inline WSOLO_ABI {

/// What programs use: std::atomic and the steady clock.
struct std_traits {
    template <class T>
    using atomic = std::atomic<T>;
    using clock = std::chrono::steady_clock;

    /// How often a short wait looks again, with pause() between, before it sleeps.
    static constexpr unsigned spin_limit = 64;

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

    /// One word of the calling thread's own, null at the thread's start (sync/handler_scope.hpp chains what
    /// the thread is running through it). Its address tells threads apart.
    [[nodiscard]] static void*& thread_slot() noexcept {
        static thread_local void* slot = nullptr;
        return slot;
    }
};

} // namespace wsolo::inline WSOLO_ABI

// ---- wsolo/sync/blocking_traits.hpp
// std_traits plus what a thread sleeps on.
//
// Laws of this file:
// - A Traits' condition_variable waits on any lock whose mutex() is its mutex, as std::condition_variable_any does.

namespace wsolo::inline WSOLO_ABI {

/// std_traits with the system's mutex and condition variable.
struct std_blocking_traits : std_traits {
    using mutex = os_mutex;
    using condition_variable = os_condition_variable;
};

} // namespace wsolo::inline WSOLO_ABI

// ---- wsolo/sync/parker.hpp
// One sleeping thread and the threads that wake it: a mutex and a condition variable on the sleeper's stack.
//
// Laws of this file:
// - release() happens once and is the releaser's last touch: the sleeper may return, and take the parker
//   with it, as soon as the parker's own mutex is free again. The notification is sent under that mutex for
//   this reason; it is shared by these two threads only, so no other thread waits for the system call.
// - No wait begins for a deadline that has passed: libraries that compute the difference to now let it overflow.
// - A nudge wakes but does not release: a sleeper that can still be released must be unlinked before it leaves.

namespace wsolo::inline WSOLO_ABI {

/// A place to sleep for the one thread that owns it; release() and nudge() from any thread, until it is destroyed.
template <class Traits>
class basic_parker {
public:
    using time_point = typename Traits::clock::time_point;

    basic_parker() = default;
    basic_parker(const basic_parker&) = delete;
    basic_parker& operator=(const basic_parker&) = delete;

    /// Sleeps until release().
    void park() noexcept {
        held_mutex<mutex> lock(mutex_);
        while (!released_) wakeup_.wait(lock);
    }

    /// Sleeps until release(), nudge() or `deadline`, whichever is first. time_point::max() is no deadline.
    void park_until(time_point deadline) noexcept {
        held_mutex<mutex> lock(mutex_);
        while (!released_ && !nudged_) {
            if (deadline == (time_point::max)()) {
                wakeup_.wait(lock);
                continue;
            }
            using status = decltype(wakeup_.wait_until(lock, deadline));
            if (Traits::clock::now() >= deadline || wakeup_.wait_until(lock, deadline) == status::timeout)
                return;
        }
    }

    /// Ends the sleep for good. The caller must not touch the parker after this call.
    void release() noexcept {
        const held_mutex<mutex> lock(mutex_);
        released_ = true;
        wakeup_.notify_one();
    }

    /// Ends park_until() early. The caller knows that the parker outlives the call.
    void nudge() noexcept {
        const held_mutex<mutex> lock(mutex_);
        nudged_ = true;
        wakeup_.notify_one();
    }

private:
    using mutex = typename Traits::mutex;

    mutex mutex_;
    typename Traits::condition_variable wakeup_;
    bool released_ = false;
    bool nudged_ = false;
};

} // namespace wsolo::inline WSOLO_ABI

// ---- wsolo/sync/callback.hpp
// Waiting without a thread: a function called once when a barrier reaches a mark, or when a rundown has
// drained.
//
// Laws of this file:
// - The function is called exactly once, unless the object is destroyed first: in the thread that reached the mark, or in
//   the constructor when it is reached already. Never under a lock of wsolo. A chain of callbacks each of which makes the next one
//   due runs in constant stack.
// - After the destructor the function neither runs nor will run: the destructor waits for a call in another thread, and
//   returns at once inside the call.
// - No allocation: the object is the registration, and stays where it is.

namespace wsolo::inline WSOLO_ABI {

/// `Function` is called, by the thread that completes or closes, with errc::none or the error of close(). It must not throw. It may
/// add and destroy other callbacks of the same source, and this one. The source outlives the object, unless
/// the function was called before.
template <class Source, std::invocable<errc> Function>
class [[nodiscard]] basic_callback final : private waiter {
    using traits = typename Source::traits;
    using parker = basic_parker<traits>;

public:
    basic_callback(Source& source, std::uint64_t wanted, Function function) noexcept
        : waiter(&basic_callback::on_fire, wanted), source_(source), function_(std::move(function)) {
        if (!source.add(*this)) run();
    }
    basic_callback(const basic_callback&) = delete;
    basic_callback& operator=(const basic_callback&) = delete;

    ~basic_callback() {
        if (has_run()) return;
        if (runner_.load(std::memory_order_relaxed) ==
            this_thread()) { // inside the call; the source may be gone
            *gone_ = true;
            return;
        }
        if (source_.remove(*this)) return;
        parker self;
        std::uintptr_t expected = pending;
        if (state_.compare_exchange_strong(expected, reinterpret_cast<std::uintptr_t>(&self),
                                           std::memory_order_acq_rel, std::memory_order_acquire)) {
            self.park();
        }
    }

    /// Whether the function was called and has returned. Acquires what it wrote.
    [[nodiscard]] bool has_run() const noexcept { return state_.load(std::memory_order_acquire) == finished; }

private:
    // state_: one of these, or the parker of a destructor that waits for the call to return.
    static constexpr std::uintptr_t pending = 0;
    static constexpr std::uintptr_t finished = 1;

    static void* this_thread() noexcept { return &traits::thread_slot(); }

    static void on_fire(waiter& self) noexcept { static_cast<basic_callback&>(self).run(); }

    void run() noexcept {
        bool gone = false;
        gone_ = &gone;
        runner_.store(this_thread(), std::memory_order_relaxed); // read for equality by its own thread only
        function_(outcome);
        if (gone) return; // the function destroyed its own registration
        const std::uintptr_t seen = state_.exchange(finished, std::memory_order_acq_rel);
        if (seen != pending) reinterpret_cast<parker*>(seen)->release();
    }

    Source& source_;
    Function function_;
    bool* gone_ = nullptr;
    typename traits::template atomic<void*> runner_{nullptr};
    typename traits::template atomic<std::uintptr_t> state_{pending};
};

/// Calls `function(errc)` when `barrier` has reached `mark`, or is closed. Keep the result:
/// `auto watch = wsolo::on_reached(barrier, mark, [](wsolo::errc) noexcept { ... });`
template <class Barrier, std::invocable<errc> Function>
[[nodiscard]] basic_callback<Barrier, Function> on_reached(Barrier& barrier, std::uint64_t mark,
                                                           Function function) noexcept {
    return {barrier, mark, std::move(function)};
}

/// Calls `function(errc::none)` when `from`, a rundown, is closed and all guards are gone.
template <class Rundown, std::invocable<errc> Function>
[[nodiscard]] basic_callback<Rundown, Function> on_drained(Rundown& from, Function function) noexcept {
    return {from, 0, std::move(function)};
}

} // namespace wsolo::inline WSOLO_ABI

// ---- wsolo/sync/handler_scope.hpp
// Which items the calling thread is running: so that a wait which only this thread could end is answered with
// would_deadlock.
//
// Laws of this file:
// - Scopes nest like calls: opened and closed by one thread, last in first out. A coroutine holds none
//   across a suspension.
// - No lock and no atomic: a thread reads only its own chain.

namespace wsolo::inline WSOLO_ABI {

/// "This thread is running item `number` of `object`", for the life of the scope.
template <class Traits>
class basic_handler_scope {
public:
    explicit basic_handler_scope(const void* object, std::uint64_t number = 0) noexcept
        : object_(object), number_(number), outer_(Traits::thread_slot()) {
        Traits::thread_slot() = this;
    }
    basic_handler_scope(const basic_handler_scope&) = delete;
    basic_handler_scope& operator=(const basic_handler_scope&) = delete;

    ~basic_handler_scope() {
        WSOLO_ASSERT(Traits::thread_slot() == this,
                     "a handler's scope ends in the thread that opened it, before the scopes around it");
        Traits::thread_slot() = outer_;
    }

    /// The innermost scope in which the calling thread runs an item of `object` numbered `last` or below; null when there
    /// is none. O(depth of nesting).
    [[nodiscard]] static basic_handler_scope* innermost(const void* object,
                                                        std::uint64_t last = ~std::uint64_t{0}) noexcept {
        auto* scope = static_cast<basic_handler_scope*>(Traits::thread_slot());
        while (scope != nullptr && (scope->object_ != object || scope->number_ > last)) {
            scope = static_cast<basic_handler_scope*>(scope->outer_);
        }
        return scope;
    }
    [[nodiscard]] static bool is_inside(const void* object, std::uint64_t last = ~std::uint64_t{0}) noexcept {
        return innermost(object, last) != nullptr;
    }

    /// How many items of `object` the calling thread runs, one inside another. O(depth of nesting).
    [[nodiscard]] static unsigned depth(const void* object) noexcept {
        unsigned found = 0;
        auto* scope = static_cast<const basic_handler_scope*>(Traits::thread_slot());
        for (; scope != nullptr; scope = static_cast<const basic_handler_scope*>(scope->outer_))
            found += scope->object_ == object ? 1U : 0U;
        return found;
    }

private:
    const void* const object_;
    const std::uint64_t number_;
    void* const outer_;
};

} // namespace wsolo::inline WSOLO_ABI

// ---- wsolo/sync/firing.hpp
// The loop in which a thread fires waiters (sync/waiter.hpp) that are due. A fired waiter may make other waiters due, of the
// same object or of another. Then such loops run one inside another, up to max_depth of them; deeper ones leave their
// waiters to the innermost of these, which fires them after its current one. So a chain of any length needs a constant stack.
//
// Laws of this file:
// - take() is called under the lock of the object that the waiter was unlinked from; run() with no lock held.
// - Waiters are fired in the order in which they were taken. Each is unlinked first: a fired waiter may withdraw others.
// - Nothing here touches the object that a waiter came from, so a fired waiter may destroy it.
// - Taken waiters belong to the thread that took them: it alone fires them, or withdraws them.

namespace wsolo::inline WSOLO_ABI::detail {

/// Lives on the stack of the thread that fires. Nothing allocates.
template <class Traits>
class firing_loop : basic_handler_scope<Traits> {
    using scope = basic_handler_scope<Traits>;

public:
    static constexpr unsigned max_depth = 8;

    firing_loop() noexcept : firing_loop(static_cast<firing_loop*>(scope::innermost(&name))) {}
    firing_loop(const firing_loop&) = delete;
    firing_loop& operator=(const firing_loop&) = delete;
    ~firing_loop() = default;

    /// Precondition: `due` was unlinked under the lock that the caller holds.
    void take(waiter& due) noexcept {
        due.taker = &Traits::thread_slot();
        link_before(*due_, due);
    }

    /// Fires what was taken, and what deeper loops leave to it. Beyond max_depth it leaves all of them to an outer loop.
    void run() noexcept {
        while (own_.next != &own_) {
            waiter& due = *own_.next;
            static_cast<void>(unlink(&own_, due));
            due.fire(due);
        }
    }

    /// Withdraws `gone`, a waiter of an object whose lock is held. True: this thread had taken it, and will not fire it.
    [[nodiscard]] static bool withdraw(waiter& gone) noexcept {
        if (gone.taker != &Traits::thread_slot() || !gone.is_linked()) return false;
        static_cast<void>(unlink(nullptr, gone));
        return true;
    }

private:
    explicit firing_loop(firing_loop* outer) noexcept
        : scope(&name),
          due_(outer != nullptr && outer->depth_ >= max_depth ? outer->due_ : &own_),
          depth_(outer == nullptr ? 1 : outer->depth_ + 1) {
        own_.next = own_.previous = &own_;
    }

    struct list_head final : waiter {
        list_head() noexcept : waiter(nullptr) {}
    };
    static constexpr char name = 0; // its address is what the scopes of all loops have in common

    list_head own_;
    waiter* due_; ///< the head of the list to which take() appends
    unsigned depth_;
};

} // namespace wsolo::inline WSOLO_ABI::detail

// ---- wsolo/sync/inbox_limits.hpp
// How much one inbox may hold, and what becomes of the next message when that is used up.
//
// Laws of this file:
// - What counts is what was accepted and not yet handled, the message in the handler included, plus an
//   overhead per message: the bound is on memory, not on payload (RFC 6455 §10.4 asks for limits).
// - Both bounds hold at once: many small messages do not escape by their bytes, nor large ones by their
//   count. A zero means "none": no bound.

namespace wsolo::inline WSOLO_ABI {

/// What becomes of a message that finds the inbox full.
enum class inbox_overflow : std::uint8_t {
    pause,           ///< backpressure: the reader stops until the resume hook is called
    violate_policy,  ///< the connection fails: errc::inbox_overflow, status code 1008
    try_again_later, ///< the connection fails: errc::inbox_overloaded, status code 1013
    drop_newest,     ///< errc::queue_full; the message is the caller's, and counted as refused
};

/// The bounds of one inbox. Everything is per connection.
struct inbox_limits {
    /// Bytes that may wait, overhead included. With inbox_overflow::pause the message that crosses the
    /// bound is still accepted, so that memory stays below max_bytes plus one message; otherwise it is not.
    std::size_t max_bytes = 1024 * 1024;
    /// Messages that may wait, the one in the handler included.
    std::uint32_t max_messages = 1024;
    inbox_overflow when_full = inbox_overflow::pause;
};

namespace detail {

/// The same, ready to compare with: none of them is a zero.
struct inbox_bounds {
    constexpr explicit inbox_bounds(const inbox_limits& of) noexcept
        : max_bytes(bound_of(of.max_bytes)),
          max_messages(bound_of(of.max_messages)),
          when_full(of.when_full) {}
    [[nodiscard]] bool operator==(const inbox_bounds&) const = default;

    std::size_t max_bytes;
    std::uint32_t max_messages;
    inbox_overflow when_full;
};

} // namespace detail

} // namespace wsolo::inline WSOLO_ABI

// ---- wsolo/sync/inbox_report.hpp
// What became of everything that an inbox accepted.

namespace wsolo::inline WSOLO_ABI {

/// Once the inbox is finished it adds up exactly: what was accepted was handled or dropped, nothing else.
/// Bytes are those that push() was told.
struct inbox_report {
    std::uint64_t messages_handled = 0; ///< the handler was called with it, whatever it answered
    std::uint64_t messages_dropped = 0; ///< accepted, but closed before its turn
    /// The same in bytes.
    std::uint64_t bytes_handled = 0;
    std::uint64_t bytes_dropped = 0;
    std::uint64_t messages_refused = 0; ///< never accepted, because the inbox was full
    errc reason = errc::none;           ///< the first error; none: all that was accepted was handled

    /// Messages that were accepted: handled and dropped.
    [[nodiscard]] constexpr std::uint64_t messages_accepted() const noexcept {
        return messages_handled + messages_dropped;
    }
    [[nodiscard]] constexpr std::uint64_t bytes_accepted() const noexcept {
        return bytes_handled + bytes_dropped;
    }
    /// Whether everything accepted was handled without an error.
    [[nodiscard]] constexpr bool is_clean() const noexcept { return reason == errc::none; }
};

} // namespace wsolo::inline WSOLO_ABI

// ---- wsolo/sync/spin_lock.hpp
// The short lock: one byte, for critical sections of a few nanoseconds in objects that can't afford a mutex
// each.
//
// Laws of this file:
// - No user code, system call, allocation or large copy runs while it is held.
// - unlock() is one release store and touches nothing afterwards, so the thread that takes the lock next may
//   destroy it.

namespace wsolo::inline WSOLO_ABI {

/// Test and test-and-set with back-off, for any threads. Not recursive, not fair, neither copied nor moved. lock() never makes a
/// system call unless the holder was preempted.
template <class Traits = std_traits>
class basic_spin_lock {
public:
    basic_spin_lock() = default;
    basic_spin_lock(const basic_spin_lock&) = delete;
    basic_spin_lock& operator=(const basic_spin_lock&) = delete;

    /// Locks, as a mutex does. Not recursive; the thread that locked it unlocks it.
    [[gnu::always_inline]] void lock() noexcept {
        if (held_.exchange(true, std::memory_order_acquire)) wait();
    }

    /// Unlocks. Called by the thread that locked it.
    void unlock() noexcept { held_.store(false, std::memory_order_release); }

private:
    [[gnu::noinline]] void wait() noexcept { // apart: nearly always it is free
        unsigned round = 0;
        do {
            while (held_.load(std::memory_order_relaxed)) Traits::relax(round++);
        } while (held_.exchange(true, std::memory_order_acquire));
    }

    typename Traits::template atomic<bool> held_{false};
};

using spin_lock = basic_spin_lock<>;

/// Holds a lock, which outlives it, for a scope. (std::lock_guard would cost <mutex>.)
template <class Lock>
class [[nodiscard]] scoped_hold {
public:
    [[gnu::always_inline]] explicit scoped_hold(Lock& lock) noexcept : lock_(lock) { lock_.lock(); }
    [[gnu::always_inline]] ~scoped_hold() { lock_.unlock(); }
    scoped_hold(const scoped_hold&) = delete;
    scoped_hold& operator=(const scoped_hold&) = delete;

private:
    Lock& lock_;
};

} // namespace wsolo::inline WSOLO_ABI

// ---- wsolo/sync/turn.hpp
// Whose turn it is to run an object's work: one value, changed only together with the data that it depends on, under
// that object's lock. A writer and an inbox each own one.
//
//     state      whose turn it is                          leaves by
//     free       no thread's: there is nothing to do       claim: scheduled · seize: running
//     gated      the gate's owner's, which opens it later  open: free · revoke: scheduled · expire: running ·
//                                                          seize: running
//     scheduled  the schedule hook's, which owes a run     begin: running · seize: running
//     running    the one thread's that runs                release: free · hand_over: scheduled · park: parked ·
//                                                          finish: finished
//     parked     an event's: writability, a wish for more  resume: running · recall: scheduled · seize: running
//     finished   no thread's, ever again                   -
//
// Laws of this file:
// - Only the holder of `running` touches what the turn protects; release(), hand_over(), park() and finish() are its own.
// - The other functions answer whether they changed anything. When claim(), recall() or revoke() answers true, the
//   caller now owes a call of the schedule hook, with no lock held.
// - "Nothing left, so release" and "something new, so claim" can't interleave, because each is one step under the lock
//   that also guards the data. This is why no wake-up is lost.

namespace wsolo::inline WSOLO_ABI {

/// Whose turn it is: the file's table says what leads from one to the next.
enum class turn_state : std::uint8_t { free, gated, scheduled, running, parked, finished };

/// A plain value of one byte. Not thread-safe: the object's lock is held around every call. O(1), never throws.
class turn {
public:
    constexpr explicit turn(turn_state first = turn_state::free) noexcept : state_(first) {}

    /// Whose turn it is. Read it under the lock that guards the turn.
    [[nodiscard]] constexpr turn_state state() const noexcept { return state_; }
    [[nodiscard]] constexpr bool is(turn_state wanted) const noexcept { return state_ == wanted; }

    /// There is work now.
    [[nodiscard]] constexpr bool claim() noexcept { return move(turn_state::free, turn_state::scheduled); }
    /// The event that it was parked for came, or something more urgent.
    [[nodiscard]] constexpr bool recall() noexcept { return move(turn_state::parked, turn_state::scheduled); }

    /// The run that the hook owes.
    [[nodiscard]] constexpr bool begin() noexcept { return move(turn_state::scheduled, turn_state::running); }
    /// A run because the event came.
    [[nodiscard]] constexpr bool resume() noexcept { return move(turn_state::parked, turn_state::running); }

    /// The owner of the gate lets go.
    [[nodiscard]] constexpr bool open() noexcept { return move(turn_state::gated, turn_state::free); }
    /// There is work that does not wait for the gate.
    [[nodiscard]] constexpr bool revoke() noexcept { return move(turn_state::gated, turn_state::scheduled); }
    /// The gate stood for too long: the caller runs, to end the object.
    [[nodiscard]] constexpr bool expire() noexcept { return move(turn_state::gated, turn_state::running); }

    /// The object is being destroyed: the caller runs, unless another thread runs or the work is finished.
    [[nodiscard]] constexpr bool seize() noexcept {
        if (is(turn_state::running) || is(turn_state::finished)) return false;
        state_ = turn_state::running;
        return true;
    }

    /// From `running`: nothing is left; there is more, and the hook is to be called; it waits for the transport.
    constexpr void release() noexcept { leave(turn_state::free); }
    constexpr void hand_over() noexcept { leave(turn_state::scheduled); }
    constexpr void park() noexcept { leave(turn_state::parked); }
    constexpr void finish() noexcept { leave(turn_state::finished); }

private:
    constexpr bool move(turn_state from, turn_state to) noexcept {
        if (state_ != from) return false;
        state_ = to;
        return true;
    }
    constexpr void leave(turn_state to) noexcept {
        WSOLO_ASSERT(state_ == turn_state::running, "only the thread that runs gives the turn away");
        state_ = to;
    }

    turn_state state_;
};

} // namespace wsolo::inline WSOLO_ABI

// ---- wsolo/sync/detail/message_blocks.hpp
// A FIFO of messages in blocks of about 1 KiB: the producers' end grows under a lock, the drainer works at
// the other end in place, without it.
//
// Laws of this file:
// - A slot that front() showed is the drainer's until drop_front(): put() never touches it, and blocks stay
//   where they are.
// - Nothing here allocates or frees: blocks come from and go to the caller, which holds no lock then.
// - An empty queue owns no block after release_idle().

namespace wsolo::inline WSOLO_ABI::detail {

/// A message in its place, and what push() said of its size.
template <class Message>
class message_slot {
public:
    void fill(Message&& message, std::size_t bytes) noexcept {
        ::new (static_cast<void*>(storage_)) Message(std::move(message));
        bytes_ = bytes;
    }
    [[nodiscard]] Message& message() noexcept { return *std::launder(reinterpret_cast<Message*>(storage_)); }
    [[nodiscard]] std::size_t bytes() const noexcept { return bytes_; }
    void destroy() noexcept { message().~Message(); }

private:
    alignas(Message) std::byte storage_[sizeof(Message)];
    std::size_t bytes_;
};

/// Linked by `next`. Slots from `begin` to `end` are full.
template <class Message>
struct message_block {
    using slot = message_slot<Message>;
    static constexpr std::size_t wanted_size = 1008; // malloc's own header still fits into 1 KiB
    static constexpr std::size_t header_size = 16;
    static constexpr std::size_t fitting = (wanted_size - header_size) / sizeof(slot);
    static constexpr std::uint32_t capacity = fitting < 2 ? 2 : static_cast<std::uint32_t>(fitting);

    message_block* next = nullptr;
    std::uint32_t begin = 0;
    std::uint32_t end = 0;
    slot places[capacity];

    /// nullptr when there is no memory.
    [[nodiscard]] static message_block* make() noexcept { return new (std::nothrow) message_block; }

    /// Destroys a chain and the messages that are left in it. With no lock held.
    static void destroy(message_block* chain) noexcept {
        while (chain != nullptr) {
            message_block* const gone = detail::exchange(chain, chain->next);
            for (std::uint32_t at = gone->begin; at != gone->end; ++at) gone->places[at].destroy();
            delete gone;
        }
    }
};

/// Some messages in a row, in the drainer's hands.
template <class Message>
struct message_run {
    message_slot<Message>* first = nullptr;
    std::uint32_t count = 0;
};

/// See the file's laws. Not thread-safe: the inbox calls it under its lock. O(1) throughout.
template <class Message>
class message_blocks {
public:
    using block = message_block<Message>;
    using run = message_run<Message>;

    message_blocks() = default;
    message_blocks(const message_blocks&) = delete;
    message_blocks& operator=(const message_blocks&) = delete;
    ~message_blocks() { block::destroy(take_all()); }

    /// Whether there is a block; so it is while a message waits.
    [[nodiscard]] bool has_memory() const noexcept { return tail_ != nullptr; }
    [[nodiscard]] bool empty() const noexcept { return tail_ == nullptr || head().begin == head().end; }

    /// Whether put() has a place; it takes `fresh` over, and makes it null, when it needs it.
    [[nodiscard]] bool find_room(block*& fresh) noexcept {
        if (tail_ != nullptr && tail_->end != block::capacity) return true;
        if (!has_spare()) {
            if (fresh == nullptr) return false;
            block* const made = detail::exchange(fresh, nullptr);
            if (tail_ == nullptr) {
                tail_ = made->next = made;
            } else {
                made->next = detail::exchange(tail_->next, made);
            }
        }
        tail_ = tail_->next;
        return true;
    }

    /// Precondition: find_room() said so.
    void put(Message&& message, std::size_t bytes) noexcept {
        tail_->places[tail_->end++].fill(std::move(message), bytes);
    }

    /// The oldest messages, `most` at most. Precondition: not empty.
    [[nodiscard]] run front(std::uint32_t most) noexcept {
        block& first = head();
        const std::uint32_t full = first.end - first.begin;
        return {first.places + first.begin, full < most ? full : most};
    }

    /// Forgets `count` messages that front() showed and the drainer destroyed. Returns a block to free, or
    /// null.
    [[nodiscard]] block* drop_front(std::uint32_t count) noexcept {
        if (count == 0) return nullptr;
        block& first = head();
        first.begin += count;
        if (first.begin != first.end) return nullptr;
        first.begin = first.end = 0;
        if (&first == tail_ || tail_->next == &first) return nullptr; // the tail, or the spare from now on
        block* const second = detail::exchange(tail_->next, &first);
        second->next = nullptr;
        return second;
    }

    /// Precondition: empty(). Returns the blocks that are left, for the caller to free.
    [[nodiscard]] block* release_idle() noexcept { return take_all(); }

    /// Everything, as a chain for the caller to destroy.
    [[nodiscard]] block* take_all() noexcept {
        block* const last = detail::exchange(tail_, nullptr);
        return last == nullptr ? nullptr : detail::exchange(last->next, nullptr);
    }

private:
    /// A head that is not the tail is never empty.
    [[nodiscard]] bool has_spare() const noexcept {
        return tail_ != nullptr && tail_->next != tail_ && tail_->next->begin == tail_->next->end;
    }
    /// Precondition: there is a block.
    [[nodiscard]] block& head() const noexcept { return has_spare() ? *tail_->next->next : *tail_->next; }

    /// Of a ring: after it comes the spare, an empty block if there is one, and then the head. A steady flow of messages uses the
    /// spare again instead of allocating.
    block* tail_ = nullptr;
};

} // namespace wsolo::inline WSOLO_ABI::detail

// ---- wsolo/sync/detail/inbox_box.hpp
// The messages of one connection that wait for their handler, and the turn (sync/turn.hpp) to handle them: both under one
// short lock, so that "open?", "room?", "queue it" and "does it have to be drained?" are a single step.
//
// Laws of this file:
// - Only the thread that runs may touch what front() showed. In an inbox a parked turn waits until the handler
//   wants messages again.
// - A push that finds the turn free claims it and must have the inbox drained; a push that finds it taken does nothing,
//   because finding the queue empty and releasing the turn are one step under the same lock. No wake-up can be lost.
// - The bounds are told with each call that asks for them, and are the same each time: what is the same for many connections
//   is kept once for them all.
// - Once sealed the inbox accepts nothing. The first error stands, and drops what is queued at that moment.
// - Under the lock there is no allocation, no system call and no user code but the message's move.

namespace wsolo::inline WSOLO_ABI::detail {

/// What the drainer has handled since its last look.
struct handled {
    std::uint32_t messages = 0;
    std::size_t bytes = 0;
};

enum class inbox_step : std::uint8_t { handle, resume, released, quantum_used, rested, end, not_owed };

/// What the drainer is to do next, and a block for it to free.
template <class Message>
struct [[nodiscard]] inbox_look {
    inbox_step step = inbox_step::released;
    message_run<Message> run{};
    message_block<Message>* spent = nullptr;
};

/// The result of a push or a close. `schedule`: the caller claimed the turn and must call the schedule hook.
struct [[nodiscard]] inbox_change {
    errc error = errc::none;
    bool pause = false;
    bool schedule = false;
};

/// See the file's laws. Each function takes the lock itself; those marked "drainer" are for the thread that runs.
template <class Message, class Traits>
class inbox_box {
public:
    using block = message_block<Message>;

    /// Charged per message: its place in a block.
    static constexpr std::size_t overhead = sizeof(message_slot<Message>);

    inbox_box() = default;
    inbox_box(const inbox_box&) = delete;
    inbox_box& operator=(const inbox_box&) = delete;

    /// `message` is moved from only when the answer is errc::none.
    inbox_change push(const inbox_bounds& most, Message&& message, std::size_t bytes) noexcept {
        block_source fresh; // outlives the hold: what is not needed is freed after the lock
        do {
            const scoped_hold hold(lock_);
            if (const inbox_change refused = judge(most, bytes); refused.error != errc::none) return refused;
            if (blocks_.find_room(fresh.made)) return accept(most, std::move(message), bytes);
        } while (fresh.fetch());
        return {errc::out_of_memory};
    }

    /// Accepts nothing from now on. An error drops what is queued; with errc::none it is still handled.
    inbox_change close(errc why) noexcept {
        const scoped_hold hold(lock_);
        if (turn_.is(turn_state::finished) || aborting_ || (sealed_ && why == errc::none))
            return {errc::closed};
        return {.schedule = end_with(why)};
    }

    /// Takes the turn that a hook owes, and looks. not_owed: there is none; see state().
    inbox_look<Message> begin(const inbox_bounds& most, std::size_t quantum) noexcept {
        const scoped_hold hold(lock_);
        if (!turn_.begin()) return {.step = inbox_step::not_owed};
        return choose(most, nullptr, quantum);
    }

    /// The handler wants messages again. True when the caller must call the schedule hook.
    [[nodiscard]] bool rouse() noexcept {
        const scoped_hold hold(lock_);
        return turn_.recall();
    }

    /// Drainer: the handler wants none now. The turn is parked with what is queued, unless there is an end to make.
    inbox_look<Message> rest(const inbox_bounds& most) noexcept {
        const scoped_hold hold(lock_);
        const inbox_look<Message> next = choose(most, nullptr, 1);
        if (next.step != inbox_step::handle) return next;
        turn_.park();
        return {.step = inbox_step::rested};
    }

    /// Drainer: settles what it did, and learns what is next. `left` of its quantum remain.
    inbox_look<Message> look(const inbox_bounds& most, const handled& done, std::size_t left) noexcept {
        const scoped_hold hold(lock_);
        return choose(most, settle(done), left);
    }

    /// Drainer, no lock: whether to look before the next message of a run.
    [[nodiscard]] bool must_look(const inbox_bounds& most, const handled& done) const noexcept {
        return is_closed() || done.bytes + done.messages * overhead > most.max_bytes / batches;
    }

    /// Takes the turn for messages that are handled without being queued, where none waits and a full inbox would have
    /// refused none. As any message in the handler, one counts against the bounds.
    [[nodiscard]] bool begin_direct(const inbox_bounds& most) noexcept {
        const scoped_hold hold(lock_);
        if (sealed_ || most.when_full != inbox_overflow::pause || !turn_.claim()) return false;
        ++messages_;
        return turn_.begin();
    }
    /// Drainer: the end of the direct handling. False: there is something to look() for, as messages that were pushed meanwhile.
    [[nodiscard]] bool end_direct(const handled& done) noexcept {
        const scoped_hold hold(lock_);
        --messages_;
        count(done);
        if (sealed_ || blocks_.has_memory()) return false; // what paused the reading is there, too
        turn_.release();
        return true;
    }

    /// Drainer: the end. What is queued is dropped; the caller destroys it, and then calls on_finished().
    [[nodiscard]] block* finish() noexcept {
        const scoped_hold hold(lock_);
        over_ = true; // messages_ and bytes_ say from now on what was dropped
        set_paused(false);
        sealed_ = aborting_ = true; // the reason stands
        return blocks_.take_all();
    }

    /// Drainer: the last touch.
    void retire() noexcept {
        const scoped_hold hold(lock_);
        turn_.finish();
    }

    /// For the destructor: takes the turn, whatever it waits for. False when the inbox is finished.
    [[nodiscard]] bool seize(errc why) noexcept {
        const scoped_hold hold(lock_);
        WSOLO_ASSERT(!turn_.is(turn_state::running),
                     "an inbox is destroyed while another thread, or its own handler, is in drain()");
        if (!turn_.seize()) return false;
        if (!aborting_ && (!sealed_ || !blocks_.empty())) reason_ = why;
        return true;
    }

    [[nodiscard]] turn_state state() noexcept {
        const scoped_hold hold(lock_);
        return turn_.state();
    }
    // Without the lock: each changes under it.
    [[nodiscard]] bool is_paused() const noexcept { return paused_.load(std::memory_order_acquire); }
    /// Whether close() was called: for the drainer between two messages, and for error().
    [[nodiscard]] bool is_closed() const noexcept { return closed_.load(std::memory_order_acquire); }
    [[nodiscard]] std::size_t held_bytes() noexcept {
        const scoped_hold hold(lock_);
        return over_ ? 0 : held();
    }
    [[nodiscard]] std::uint32_t held_messages() noexcept {
        const scoped_hold hold(lock_);
        return over_ ? 0 : messages_;
    }
    [[nodiscard]] inbox_report report() noexcept {
        const scoped_hold hold(lock_);
        return {.messages_handled = messages_handled_,
                .messages_dropped = over_ ? messages_ : 0,
                .bytes_handled = bytes_handled_,
                .bytes_dropped = over_ ? bytes_ : 0,
                .messages_refused = messages_refused_,
                .reason = reason_};
    }

private:
    // A run is at most an eighth of the bounds: what was handled but not yet settled keeps no more than that
    // from the pushes.
    static constexpr std::uint32_t batches = 8;
    static constexpr std::uint32_t largest_batch = 32;

    struct block_source {
        block* made = nullptr;
        block_source() = default;
        block_source(const block_source&) = delete;
        block_source& operator=(const block_source&) = delete;
        ~block_source() { block::destroy(made); }
        [[nodiscard]] bool fetch() noexcept { return (made = block::make()) != nullptr; }
    };

    /// Whether there is room; closes where the policy says so.
    inbox_change judge(const inbox_bounds& most, std::size_t bytes) noexcept {
        if (sealed_) return {errc::closed};
        const bool has_place = messages_ < most.max_messages && held() < most.max_bytes;
        if (most.when_full == inbox_overflow::pause) {
            if (has_place) return {};
            ++messages_refused_;
            return {errc::queue_full, is_paused()};
        }
        if (has_place && bytes <= most.max_bytes && overhead <= most.max_bytes - bytes &&
            bytes + overhead <= most.max_bytes - held())
            return {};
        ++messages_refused_;
        if (most.when_full == inbox_overflow::drop_newest) return {errc::queue_full};
        const errc why =
            most.when_full == inbox_overflow::violate_policy ? errc::inbox_overflow : errc::inbox_overloaded;
        return {why, false, end_with(why)};
    }

    inbox_change accept(const inbox_bounds& most, Message&& message, std::size_t bytes) noexcept {
        blocks_.put(std::move(message), bytes);
        ++messages_;
        bytes_ += bytes;
        if (most.when_full == inbox_overflow::pause &&
            (messages_ >= most.max_messages || held() >= most.max_bytes))
            set_paused(true);
        return {errc::none, is_paused(), turn_.claim()};
    }

    /// True when the caller claimed the turn.
    bool end_with(errc why) noexcept {
        sealed_ = true;
        if (why != errc::none && !aborting_) {
            aborting_ = true;
            reason_ = why;
            closed_.store(true, std::memory_order_release);
            if (turn_.recall()) return true; // what is queued is not for the handler any more
        }
        closed_.store(true, std::memory_order_release);
        return turn_.claim();
    }

    [[nodiscard]] block* settle(const handled& done) noexcept {
        messages_ -= done.messages;
        bytes_ -= done.bytes;
        count(done);
        return blocks_.drop_front(done.messages);
    }
    void count(const handled& done) noexcept {
        messages_handled_ += done.messages;
        bytes_handled_ += done.bytes;
    }

    /// What the drainer is to do next.
    inbox_look<Message> choose(const inbox_bounds& most, block* spent, std::size_t left) noexcept {
        inbox_look<Message> next{.spent = spent};
        if (aborting_) {
            next.step = inbox_step::end;
        } else if (is_paused() && is_half_empty(most)) {
            set_paused(false);
            next.step = inbox_step::resume;
        } else if (blocks_.empty()) {
            next.step = sealed_ ? inbox_step::end : inbox_step::released;
            if (!sealed_) release(next);
        } else if (left == 0) {
            turn_.hand_over();
            next.step = inbox_step::quantum_used;
        } else {
            const std::uint32_t longest = batch(most);
            next.step = inbox_step::handle;
            next.run = blocks_.front(left < longest ? static_cast<std::uint32_t>(left) : longest);
        }
        return next;
    }

    /// The queue is empty: no heap block stays.
    void release(inbox_look<Message>& next) noexcept {
        turn_.release();
        block* const idle = blocks_.release_idle();
        if (next.spent == nullptr)
            next.spent = idle;
        else
            next.spent->next = idle;
    }

    void set_paused(bool now) noexcept { paused_.store(now, std::memory_order_release); }
    [[nodiscard]] std::size_t held() const noexcept { return bytes_ + messages_ * overhead; }
    [[nodiscard]] bool is_half_empty(const inbox_bounds& most) const noexcept {
        return messages_ <= most.max_messages / 2 && held() <= most.max_bytes / 2;
    }
    [[nodiscard]] std::uint32_t batch(const inbox_bounds& most) const noexcept {
        const std::uint32_t share = is_paused() ? 1 : most.max_messages / batches;
        return share == 0 ? 1 : share < largest_batch ? share : largest_batch;
    }

    message_blocks<Message> blocks_;
    std::size_t bytes_ = 0; // that wait or are being handled, without overhead
    std::uint64_t messages_handled_ = 0;
    std::uint64_t bytes_handled_ = 0;
    std::uint64_t messages_refused_ = 0;
    std::uint32_t messages_ = 0;
    basic_spin_lock<Traits> lock_;
    typename Traits::template atomic<bool> closed_{false}; // sealed_, or aborting_
    typename Traits::template atomic<bool> paused_{false};
    turn turn_;
    errc reason_ = errc::none; // the first error
    bool sealed_ : 1 = false;
    bool aborting_ : 1 = false;
    bool over_ : 1 = false; // finish() was called
};

} // namespace wsolo::inline WSOLO_ABI::detail

// ---- wsolo/sync/schedule_hook.hpp
// How a queue asks its loop for a turn: a function that the thread which found the queue idle calls once.
//
// Laws of this file:
// - The hook is called with no lock held, once per idle-to-busy transition, by the thread that made the transition.
// - A hook that returns false, or throws, refuses: no thread will drive the queue, so the queue ends.

namespace wsolo::inline WSOLO_ABI {

/// Called to have the queue driven soon (pump() of a writer, drain() of an inbox), by a thread of the hook's choice.
/// Returns nothing, or a bool: false refuses, and so does an exception.
template <class Hook>
concept schedule_hook = std::invocable<Hook&> && (std::same_as<std::invoke_result_t<Hook&>, void> ||
                                                  std::same_as<std::invoke_result_t<Hook&>, bool>);

namespace detail {

/// Calls the hook. False: it refused.
template <schedule_hook Hook>
[[nodiscard]] bool ask_for_a_turn(Hook& hook) {
    const auto call = [&hook] {
        if constexpr (std::same_as<std::invoke_result_t<Hook&>, bool>) {
            return hook();
        } else {
            hook();
            return true;
        }
    };
#if WSOLO_HAS_EXCEPTIONS
    try {
        return call();
    } catch (...) {
        return false;
    }
#else
    return call();
#endif
}

} // namespace detail
} // namespace wsolo::inline WSOLO_ABI

// ---- wsolo/sync/inbox_hooks.hpp
// What an inbox tells its surroundings, besides asking for a turn: that reading may go on, and that it has ended.
//
// Laws of this file:
// - A type has both hooks or neither: a hook that is misspelt, or can't be called as the inbox would, does not compile.
// - Each is called with no lock held, by the thread that drains (or destroys).

namespace wsolo::inline WSOLO_ABI {

/// `on_resume()`: once after each pause, when both bounds are half free. What it throws ends the inbox as a handler's
/// exception does. `on_finished(const inbox_report&)`: once, at the end; what it throws is dropped.
template <class T>
concept inbox_observer = requires(T& observer, const inbox_report& report) {
    { observer.on_resume() } -> std::same_as<void>;
    { observer.on_finished(report) } -> std::same_as<void>;
};

/// An observer that ignores both.
struct no_inbox_observer {
    /// Do nothing.
    void on_resume() noexcept {}
    void on_finished(const inbox_report&) noexcept {}
};

namespace detail {

struct inbox_hook_names {
    void on_resume();
    void on_finished();
};
/// A name that T has, too, is ambiguous here, whatever it stands for.
template <class T>
struct with_inbox_hook_names : T, inbox_hook_names {};

/// Whether T has a member that is called as a hook of an inbox is.
template <class T>
[[nodiscard]] consteval bool names_an_inbox_hook() noexcept {
    if constexpr (!std::is_class_v<T>) {
        return false;
    } else if constexpr (std::is_final_v<T>) {
        return requires { &T::on_resume; } || requires { &T::on_finished; };
    } else {
        return !requires { &with_inbox_hook_names<T>::on_resume; } ||
               !requires { &with_inbox_hook_names<T>::on_finished; };
    }
}

/// A hook that knows the bounds: an inbox with it keeps none. They never change.
template <class T>
concept knows_inbox_bounds = requires(const T& hook) {
    { hook.bounds() } noexcept -> std::same_as<const inbox_bounds&>;
};
/// The bounds of an inbox whose hook knows none.
struct own_inbox_bounds {
    explicit own_inbox_bounds(const inbox_limits& limits) noexcept : bounds(limits) {}
    template <class Hook>
    [[nodiscard]] const inbox_bounds& of(const Hook&) const noexcept {
        return bounds;
    }
    inbox_bounds bounds;
};
struct hooks_inbox_bounds {
    explicit hooks_inbox_bounds(const inbox_limits&) noexcept {}
    template <class Hook>
    [[nodiscard]] const inbox_bounds& of(const Hook& hook) const noexcept {
        return hook.bounds();
    }
};

} // namespace detail

/// The hook of an inbox: called to have it drained, and an inbox_observer as well unless it names neither of these hooks.
template <class T>
concept inbox_schedule = schedule_hook<T> && (inbox_observer<T> || !detail::names_an_inbox_hook<T>());

/// Makes such a hook of three functions.
template <schedule_hook Schedule, std::invocable<> Resume, std::invocable<const inbox_report&> Finished>
struct inbox_hooks {
    /// The three hooks; what they refer to outlives the inbox.
    Schedule schedule;
    Resume resume;
    Finished finished;
    decltype(auto) operator()() { return schedule(); }
    /// What the inbox calls: the hook of that name.
    void on_resume() { resume(); }
    void on_finished(const inbox_report& report) { finished(report); }
};
template <class Schedule, class Resume, class Finished>
inbox_hooks(Schedule, Resume, Finished) -> inbox_hooks<Schedule, Resume, Finished>;

} // namespace wsolo::inline WSOLO_ABI

// ---- wsolo/sync/inbox.hpp
// The receiving counterpart of the writer: the reader pushes messages and goes on reading; one drainer
// at a time handles them, serially and in order. A slow handler stalls neither the reader nor the
// heartbeat.
//
// Laws of this file:
// - push() never waits and never calls the handler.
// - Never two handlers at once, even if drain() is called from several threads.
// - The schedule hook is called once per idle-to-busy transition, outside any lock; it must have drain() called.
// - The first error wins: it stops the handling after the message in progress, drops what is queued, and is the
//   report's reason. accepted = handled + dropped.

namespace wsolo::inline WSOLO_ABI {

/// What push() answers.
struct [[nodiscard]] inbox_push {
    /// none: accepted. queue_full: refused, and still the caller's. closed. inbox_overflow,
    /// inbox_overloaded: refused, and the inbox is closed with it. out_of_memory: refused.
    errc error = errc::none;
    /// Stop reading until on_resume() is called. (If `error` is none the message was accepted nevertheless.)
    bool pause = false;
};

/// What drain() left behind.
enum class inbox_status : std::uint8_t {
    idle,     ///< everything is handled; the next push calls the hook
    more,     ///< the quantum is used up; the hook was called again
    resting,  ///< the handler wants no message now: see rouse()
    busy,     ///< another thread, or a handler further up this stack, is draining: nothing to do here
    finished, ///< over: see report()
};

/// The result of drain().
struct inbox_drain {
    /// Why it returned, and how many messages it handled.
    inbox_status status = inbox_status::idle;
    std::size_t messages = 0;
};

/// What may handle a message: called with `Message&&`; returns nothing, or the errc that closes the inbox.
template <class Handler, class Message>
concept inbox_handler =
    std::invocable<Handler&, Message&&> && (std::same_as<std::invoke_result_t<Handler&, Message&&>, void> ||
                                            std::same_as<std::invoke_result_t<Handler&, Message&&>, errc>);

/// See the file's laws. `Schedule` is the hook, called with no lock held by the thread that pushed or closed; it may be an
/// inbox_observer as well. Any thread may call any member, except for construction and destruction. The destructor drops what is
/// left (errc::aborted, which on_finished() is told) and must not run inside a handler; no other thread may be in a call
/// then, and no drain() may come later. An idle inbox owns no heap block, mutex or thread.
///
/// on_resume() may run before push() has told another thread to pause: have it posted to the thread that
/// reads, or let that thread look at is_paused() once it has stopped.
template <class Message, schedule_hook Schedule, class Traits = std_traits>
class inbox {
    static_assert(std::is_nothrow_move_constructible_v<Message> && std::is_nothrow_destructible_v<Message>,
                  "an inbox moves its messages under its lock: let Message's move constructor be noexcept");
    static_assert(inbox_schedule<Schedule>,
                  "a hook of an inbox has both on_resume() and on_finished(const inbox_report&), or neither");

    using box = detail::inbox_box<Message, Traits>;

public:
    using message_type = Message;

    /// Charged for each message on top of the bytes that push() is told: its place in the inbox.
    static constexpr std::size_t message_overhead = box::overhead;
    static constexpr std::size_t no_quantum = 0;

    explicit inbox(Schedule hook, const inbox_limits& limits = {})
        : hook_(std::move(hook)), bounds_(limits) {}
    inbox(const inbox&) = delete;
    inbox& operator=(const inbox&) = delete;
    ~inbox() {
        if (box_.seize(errc::aborted)) end();
    }

    /// Queues a message that holds `bytes` of memory. It is moved from only when the answer is errc::none.
    /// May be called from the handler. O(1); one allocation for about 1 KiB of messages.
    inbox_push push(Message&& message, std::size_t bytes) {
        const detail::inbox_change change = box_.push(bounds(), std::move(message), bytes);
        if (change.schedule) schedule();
        return {change.error, change.pause};
    }

    /// Accepts nothing from now on. errc::none: what is queued is still handled, and then the inbox is
    /// finished. An error: what is queued is dropped, and no handler call begins except one that another thread is about
    /// to make. The first error counts, also after a close() without one. True: this call decided it.
    /// Any thread, also inside the handler (whose error closes too); the end itself is made in drain(), for which the hook
    /// is called. To bound an orderly end: close(), and close(errc::drain_timed_out) when the time is over.
    bool close(errc why = errc::none) {
        const detail::inbox_change change = box_.close(why);
        if (change.schedule) schedule();
        return change.error == errc::none;
    }

    /// Handles messages until the queue is empty or `quantum` of them (0: any number) are done. Call it when the hook asked; a
    /// needless call is harmless. An exception of the handler, of wanted() or of on_resume() closes the inbox with
    /// errc::handler_failed and leaves this call, after on_finished(). The message is destroyed when its handler returns. Use
    /// a quantum with a hook that posts: a hook that calls drain() itself would nest once for each quantum.
    template <inbox_handler<Message> Handler>
    inbox_drain drain(Handler&& handler, std::size_t quantum = no_quantum) {
        return drain_while(handler, always{}, quantum);
    }

    /// The same for a handler that takes messages when it wants to: `wanted()` is asked before each, by the
    /// thread that drains, with no lock held. When it answers false the rest stays queued, and no push calls the hook, until
    /// rouse() or an error.
    template <inbox_handler<Message> Handler, std::predicate<> Wanted>
    inbox_drain drain_while(Handler&& handler, Wanted wanted, std::size_t quantum = no_quantum) {
        quantum = bound_of(quantum);
        const auto first = box_.begin(bounds(), quantum);
        if (first.step != detail::inbox_step::not_owed) return run(handler, wanted, quantum, first);
        switch (box_.state()) {
        case turn_state::parked: return {inbox_status::resting};
        case turn_state::running: return {inbox_status::busy};
        case turn_state::finished: return {inbox_status::finished};
        default: return {inbox_status::idle};
        }
    }

    /// A run of messages that are handled one by one without being queued, by a thread that both reads and drains: while
    /// no message waits, and with inbox_overflow::pause, so that a full inbox would refuse none. The run holds the turn from
    /// its first message on, until it is destroyed; each message counts as if it had been pushed and drained. The inbox outlives it.
    class direct_run {
    public:
        /// `quantum`: of messages; 0: any number.
        explicit direct_run(inbox& in, std::size_t quantum = no_quantum) noexcept
            : in_(in), left_(bound_of(quantum)) {}
        direct_run(const direct_run&) = delete;
        direct_run& operator=(const direct_run&) = delete;
        ~direct_run() { static_cast<void>(end()); }

        /// Whether the next message can be handled by this run. If not, push it.
        [[nodiscard]] bool can_handle() {
            if (state_ == state::untried)
                state_ = in_.box_.begin_direct(in_.bounds()) ? state::open : state::over;
            if (state_ == state::open && in_.box_.is_closed()) static_cast<void>(end());
            return state_ == state::open && left_ != 0;
        }
        /// Whether the quantum is used up.
        [[nodiscard]] bool is_used_up() const noexcept { return left_ == 0; }
        /// Whether the run holds the turn, so that no push can have paused the reading.
        [[nodiscard]] bool is_open() const noexcept { return state_ == state::open; }

        /// Calls `handler()`, which handles a message of `bytes`; its error or exception closes the inbox, as that of
        /// drain()'s handler does. Precondition: can_handle().
        template <class Call>
            requires std::same_as<std::invoke_result_t<Call&>, errc>
        void handle(std::size_t bytes, Call handler) {
            ++done_.messages;
            done_.bytes += bytes;
            --left_;
            const errc error = in_.or_close(handler);
            if (error != errc::none) static_cast<void>(in_.box_.close(error));
        }

        /// Gives the turn back. True: nothing waits for a drain().
        bool end() {
            if (detail::exchange(state_, state::over) != state::open) return false;
            return in_.end_direct(done_);
        }

    private:
        enum class state : std::uint8_t { untried, open, over };

        inbox& in_;
        detail::handled done_{};
        std::size_t left_;
        state state_ = state::untried;
    };

    /// The handler of drain_while() wants messages again: calls the hook if some are left. Make wanted() answer true before
    /// this call.
    void rouse() {
        if (box_.rouse()) schedule();
    }

    /// Whether reading is to pause: push() said so, and on_resume() has not been called since.
    [[nodiscard]] bool is_paused() const noexcept { return box_.is_paused(); }
    [[nodiscard]] bool is_finished() const noexcept { return box_.state() == turn_state::finished; }
    /// Whether close() was called.
    [[nodiscard]] bool is_closed() const noexcept { return box_.is_closed(); }
    /// The error that closed the inbox, or none. Cheaper than report().
    [[nodiscard]] errc error() const noexcept { return box_.is_closed() ? box_.report().reason : errc::none; }
    /// Whether drain() is owed.
    [[nodiscard]] bool is_drain_owed() const noexcept { return box_.state() == turn_state::scheduled; }
    /// inbox_limits::max_bytes; without a bound the largest number.
    [[nodiscard]] std::size_t max_bytes() const noexcept { return bounds().max_bytes; }
    /// What counts against the bounds; overhead and the message in the handler included. What a run of
    /// messages (at most an eighth of the bounds) has handled may still be in it.
    [[nodiscard]] std::size_t queued_bytes() const noexcept { return box_.held_bytes(); }
    [[nodiscard]] std::size_t queued_messages() const noexcept { return box_.held_messages(); }
    /// What became of everything so far; final once drain() said finished.
    [[nodiscard]] inbox_report report() const noexcept { return box_.report(); }

private:
    struct always {
        constexpr bool operator()() const noexcept { return true; }
    };
    /// Holds the turn, and ends by releasing it, handing it over, parking it or finishing.
    template <class Handler, class Wanted>
    inbox_drain run(Handler& handler, Wanted& wanted, std::size_t quantum, detail::inbox_look<Message> next) {
        using detail::inbox_step;
        for (std::size_t total = 0;;) {
            box::block::destroy(next.spent);
            detail::handled done;
            if (next.step == inbox_step::handle && !or_end(done, [&]() -> bool { return wanted(); }))
                next = box_.rest(bounds());
            switch (next.step) {
            case inbox_step::handle: or_end(done, [&] { handle(handler, wanted, next.run, done); }); break;
            case inbox_step::resume: or_end(done, [&] { tell_resume(); }); break;
            case inbox_step::quantum_used:
                return {schedule() ? inbox_status::more : inbox_status::finished, total};
            case inbox_step::rested:
                if (wanted())
                    rouse(); // it changed its mind before the turn was parked: its rouse() found nothing
                return {inbox_status::resting, total};
            case inbox_step::end: end(); return {inbox_status::finished, total};
            default: return {inbox_status::idle, total}; // the last touch was in there
            }
            total += done.messages;
            next = box_.look(bounds(), done, quantum - total);
        }
    }

    /// Calls user code. An exception closes the inbox, and leaves this function after the end was made.
    template <class Call>
    std::invoke_result_t<Call&> or_end([[maybe_unused]] const detail::handled& done, Call call) {
#if WSOLO_HAS_EXCEPTIONS
        try {
            return call();
        } catch (...) {
            static_cast<void>(box_.close(errc::handler_failed));
            box::block::destroy(box_.look(bounds(), done, 0).spent);
            end();
            throw;
        }
#else
        return call();
#endif
    }

    /// Calls user code whose exception closes the inbox; its end is the caller's to make.
    template <class Call>
    std::invoke_result_t<Call&> or_close(Call& call) {
#if WSOLO_HAS_EXCEPTIONS
        try {
            return call();
        } catch (...) {
            static_cast<void>(box_.close(errc::handler_failed));
            throw;
        }
#else
        return call();
#endif
    }

    /// True: the turn is free.
    bool end_direct(const detail::handled& done) { return box_.end_direct(done) || look_after_direct(); }
    [[gnu::noinline]] bool look_after_direct() {
        for (;;) {
            using detail::inbox_step;
            const detail::inbox_look<Message> next = box_.look(bounds(), {}, 0);
            box::block::destroy(next.spent);
            switch (next.step) {
            case inbox_step::resume: or_end({}, [&] { tell_resume(); }); break;
            case inbox_step::quantum_used: static_cast<void>(schedule()); return false;
            case inbox_step::end: end(); return false;
            default: return true;
            }
        }
    }

    template <class Handler, class Wanted>
    void handle(Handler& handler, Wanted& wanted, detail::message_run<Message> run, detail::handled& done) {
        do {
            const in_progress current(*run.first++, done);
            if constexpr (std::same_as<std::invoke_result_t<Handler&, Message&&>, errc>) {
                const errc error = handler(std::move(current.slot.message()));
                if (error != errc::none) static_cast<void>(box_.close(error));
            } else {
                handler(std::move(current.slot.message()));
            }
        } while (--run.count != 0 && !box_.must_look(bounds(), done) && wanted());
    }

    /// The message in the handler: counted, and destroyed on every path out of it.
    struct in_progress {
        detail::message_slot<Message>& slot;
        in_progress(detail::message_slot<Message>& current, detail::handled& done) noexcept : slot(current) {
            ++done.messages;
            done.bytes += slot.bytes();
        }
        in_progress(const in_progress&) = delete;
        in_progress& operator=(const in_progress&) = delete;
        ~in_progress() { slot.destroy(); }
    };

    /// The caller took the turn off `free`, or gave it back with messages left.
    /// False: the hook refused, and this was the end.
    bool schedule() {
        if (detail::ask_for_a_turn(hook_)) return true;
        static_cast<void>(box_.close(errc::schedule_refused)); // no thread will call drain()
        if (box_.begin(bounds(), 0).step == detail::inbox_step::end) end();
        return false;
    }

    /// Holds the turn, for the last time.
    void end() {
        box::block::destroy(box_.finish());
        tell_finished();
        box_.retire();
    }

    void tell_resume() {
        if constexpr (inbox_observer<Schedule>) hook_.on_resume();
    }
    void tell_finished() noexcept {
        if constexpr (inbox_observer<Schedule>) {
#if WSOLO_HAS_EXCEPTIONS
            try {
                hook_.on_finished(box_.report());
            } catch (...) { // it is over all the same
            }
#else
            hook_.on_finished(box_.report());
#endif
        }
    }

    [[nodiscard]] const detail::inbox_bounds& bounds() const noexcept { return bounds_.of(hook_); }

    [[no_unique_address]] Schedule hook_;
    [[no_unique_address]] std::conditional_t<detail::knows_inbox_bounds<Schedule>, detail::hooks_inbox_bounds,
                                             detail::own_inbox_bounds> bounds_;
    [[no_unique_address]] mutable box box_; // the last: what follows an inbox may lie in its tail padding
};

} // namespace wsolo::inline WSOLO_ABI

// ---- wsolo/sync/detail/plain_atomic.hpp
// A value in plain memory with the functions of std::atomic: for code that is written for any number of threads, where only
// one thread at a time uses it.
//
// Laws of this file:
// - No instruction is locked and nothing is ordered: code that uses it from several threads orders these uses itself.
// - `Watch` is called at every use, and may refuse by an assertion. An empty one costs nothing.

namespace wsolo::inline WSOLO_ABI::detail {

/// A Watch that checks nothing.
struct unwatched {
    static constexpr void use() noexcept {}
};

/// Neither copied nor moved, as std::atomic.
template <class T, class Watch = unwatched>
class plain_atomic {
    using order = std::memory_order;

public:
    constexpr plain_atomic() noexcept = default;
    constexpr plain_atomic(T first) noexcept
        : value_(first) {} // NOLINT(google-explicit-constructor): as std::atomic's
    plain_atomic(const plain_atomic&) = delete;
    plain_atomic& operator=(const plain_atomic&) = delete;
    ~plain_atomic() = default;

    [[nodiscard]] T load(order = order::seq_cst) const noexcept { return value(); }
    void store(T next, order = order::seq_cst) noexcept { value() = next; }
    T exchange(T next, order = order::seq_cst) noexcept { return std::exchange(value(), next); }
    bool compare_exchange_strong(T& expected, T next, order = order::seq_cst,
                                 order = order::seq_cst) noexcept {
        if (value() == expected) {
            value_ = next;
            return true;
        }
        expected = value_;
        return false;
    }
    bool compare_exchange_weak(T& expected, T next, order = order::seq_cst, order = order::seq_cst) noexcept {
        return compare_exchange_strong(expected, next);
    }
    T fetch_add(T more, order = order::seq_cst) noexcept { return exchange(static_cast<T>(value() + more)); }
    T fetch_sub(T less, order = order::seq_cst) noexcept { return exchange(static_cast<T>(value() - less)); }
    T fetch_or(T bits, order = order::seq_cst) noexcept { return exchange(static_cast<T>(value() | bits)); }
    T fetch_and(T bits, order = order::seq_cst) noexcept { return exchange(static_cast<T>(value() & bits)); }

private:
    [[nodiscard]] T& value() noexcept {
        watch_.use();
        return value_;
    }
    [[nodiscard]] const T& value() const noexcept {
        watch_.use();
        return value_;
    }

    T value_{};
    [[no_unique_address]] Watch watch_{};
};

/// Traits for a part of a concurrent type that one thread at a time uses because of that type's other laws.
struct plain_memory {
    template <class T>
    using atomic = plain_atomic<T>;
};

} // namespace wsolo::inline WSOLO_ABI::detail

// ---- wsolo/sync/one_thread_traits.hpp
// The Traits of a server with one thread: plain memory where std_traits has atomics. An uncontended locked instruction costs
// as much as everything else that a send of a few bytes does.
//
//     using connection = wsolo::server_connection<transport, hook, handler, wsolo::in_the_loop, wsolo::one_thread_traits>;
//
// Laws of this file:
// - Each object of such a type is made, used and destroyed in one thread, and so are its handles, groups and barriers. Several
//   threads with connections of their own are fine.
// - Checked builds (WSOLO_ENABLE_ASSERTS) remember the thread that used an object first, and assert when a second one
//   appears. Unchecked builds have no state for it.
// - A wait that only another thread could end lasts until its deadline.

namespace wsolo::inline WSOLO_ABI {
namespace detail {

#if WSOLO_ENABLE_ASSERTS
/// Remembers the first thread that used the object.
class one_thread_watch {
public:
    void use() const noexcept {
        const void* const here = &std_traits::thread_slot();
        if (first_ == nullptr) first_ = here;
        WSOLO_ASSERT(
            first_ == here,
            "an object with one_thread_traits is used by a second thread: give it std_blocking_traits");
    }

private:
    mutable const void* first_ = nullptr;
};
#else
using one_thread_watch = unwatched;
#endif

} // namespace detail

/// See the file's laws. For every type that takes Traits.
struct one_thread_traits : std_blocking_traits {
    template <class T>
    using atomic = detail::plain_atomic<T, detail::one_thread_watch>;
};

} // namespace wsolo::inline WSOLO_ABI

// ---- wsolo/sync/pointer_lock.hpp
// A pointer and the lock that guards it, in one word: a pointer while free, the chain of sleeping lockers
// while it is held (the holder carries the pointer).
//
// Laws of this file:
// - "Held?" and "sleep until the holder leaves" change in one word by one RMW: no wake-up can be lost.
// - unlock() is one exchange, and that is its last touch of the word; the threads that it wakes touch only their own
//   stacks.
// - A sleeper does not own the lock: unlock() frees it and wakes all sleepers, which try again. Sections
//   under it are a few list operations, so there is rarely more than one.
// - 8 bytes. Not a std::mutex because that takes 40, and each connection has an object of each type that uses this lock.

namespace wsolo::inline WSOLO_ABI {

/// A Node* that one thread at a time can take. It owns no node. Node must be aligned to 2 at least. Not recursive.
template <class Node, class Traits>
class basic_pointer_lock {
public:
    basic_pointer_lock() = default;
    basic_pointer_lock(const basic_pointer_lock&) = delete;
    basic_pointer_lock& operator=(const basic_pointer_lock&) = delete;

    /// Takes the pointer; sleeps while another thread has it. Null at first.
    [[nodiscard]] Node* lock() noexcept {
        for (unsigned looks = 0;;) {
            std::uintptr_t seen = word_.load(std::memory_order_relaxed);
            if ((seen & held) == 0) {
                if (word_.compare_exchange_weak(seen, held, std::memory_order_acquire,
                                                std::memory_order_relaxed)) {
                    return reinterpret_cast<Node*>(seen);
                }
            } else if (looks < Traits::spin_limit) {
                ++looks;
                Traits::pause();
            } else {
                sleep_after(seen);
            }
        }
    }

    /// Puts back what lock() gave, or its successor. The last touch of this object.
    void unlock(Node* pointer) noexcept {
        const std::uintptr_t seen =
            word_.exchange(reinterpret_cast<std::uintptr_t>(pointer), std::memory_order_acq_rel);
        if (seen != held) wake(reinterpret_cast<sleeper*>(seen & ~held));
    }

private:
    static constexpr std::uintptr_t held = 1;

    struct sleeper {
        basic_parker<Traits> parker;
        sleeper* next = nullptr;
    };

    void sleep_after(std::uintptr_t seen) noexcept {
        sleeper self;
        self.next = reinterpret_cast<sleeper*>(seen & ~held);
        if (word_.compare_exchange_strong(seen, reinterpret_cast<std::uintptr_t>(&self) | held,
                                          std::memory_order_release, std::memory_order_relaxed)) {
            self.parker.park();
        }
    }

    static void wake(sleeper* first) noexcept {
        while (first != nullptr) {
            sleeper* const next = first->next; // read first: a released sleeper is gone
            first->parker.release();
            first = next;
        }
    }

    typename Traits::template atomic<std::uintptr_t> word_{0};
};

} // namespace wsolo::inline WSOLO_ABI

// ---- wsolo/sync/stop_hook.hpp
// Stop tokens without asking the standard library for one: the caller's own, `never_stop` for a wait that nothing
// cancels, and std::stop_token with sync/stop_token.hpp, which is opt-in for what <stop_token> costs.
//
// Laws of this file:
// - A token is anything with stop_requested() and a callback type: std::stop_token, or a type with a nested
//   `callback_type<Function>` (as in C++26's stoppable_token) whose destructor waits for a running
//   callback.

namespace wsolo::inline WSOLO_ABI {

/// The token of a wait that cannot be cancelled. Costs nothing.
struct never_stop {
    /// Registers nothing.
    template <class Function>
    struct callback_type {
        explicit callback_type(never_stop, Function) noexcept {}
    };
    /// Always false.
    [[nodiscard]] static constexpr bool stop_requested() noexcept { return false; }
};

/// What a wait can be cancelled by.
template <class Token>
concept stop_token_like = std::copy_constructible<Token> && requires(const Token& token) {
    { token.stop_requested() } -> std::convertible_to<bool>;
};

namespace detail {

template <class Token, class Function>
struct stop_callback_type {
    static_assert(
        requires { typename Token::template callback_type<Function>; },
        "this stop token has no callback_type; std::stop_token needs <wsolo/sync/stop_token.hpp>");
    using type = typename Token::template callback_type<Function>;
};

} // namespace detail

/// Registers a Function with a Token for the life of the object.
template <stop_token_like Token, class Function>
using stop_hook = typename detail::stop_callback_type<Token, Function>::type;

} // namespace wsolo::inline WSOLO_ABI

// ---- wsolo/sync/rundown.hpp
// Tells an owner when the last user has left: users enter while it is open, close() ends that, and wait()
// returns when the last one has left. Work that is published after its thread has entered can always be waited for.
//
// Laws of this file:
// - "Closed?" and "one more inside" change in one word by one CAS: a refused entry was never counted.
// - leave() is one RMW, and nothing after it touches the object, unless that RMW drained it while there were
//   waiters. In that case the waiters keep the object alive until the leaving thread has released the ring's lock, which is
//   its last touch.
// - So a thread that was told "drained" may destroy the object. A wait that is about to time out looks at the
//   word first: once the last leaver has seen a waiter, that waiter stays until it is released.
// - The waiting bit is set and cleared under the ring's lock, and never after the drain.

namespace wsolo::inline WSOLO_ABI {

/// Counts the users inside. Any thread may call any member. It may be destroyed once wait() or a callback has told that
/// it is drained, or close() was called without users, and no other wait, callback or close() is under way. 16 bytes,
/// no allocation.
template <class Traits = std_blocking_traits>
class basic_rundown {
public:
    using traits = Traits;
    using time_point = typename Traits::clock::time_point;
    /// For a wait that has no bound.
    static constexpr time_point no_deadline = (time_point::max)();

    class guard;

    basic_rundown() = default;
    basic_rundown(const basic_rundown&) = delete;
    basic_rundown& operator=(const basic_rundown&) = delete;
    ~basic_rundown() {
        WSOLO_ASSERT(users_of(word_.load(std::memory_order_acquire)) == 0,
                     "a rundown was destroyed with users inside: close() and wait() first");
    }

    /// Enters, for the life of the guard. Empty once closed.
    [[nodiscard]] guard try_enter() noexcept { return guard(enter() ? this : nullptr); }

    /// try_enter() without a guard: after true the caller owes one leave().
    [[nodiscard]] bool enter() noexcept {
        std::uint32_t seen = word_.load(std::memory_order_relaxed);
        do {
            if ((seen & closed) != 0) return false;
            WSOLO_ASSERT(users_of(seen) < most_users, "a rundown has 2^29 - 1 users at most");
        } while (!word_.compare_exchange_weak(seen, seen + one, std::memory_order_acquire,
                                              std::memory_order_relaxed));
        return true;
    }

    /// Leaves. The last leave() after close() releases the waiters and runs their callbacks, in this call or, where such
    /// calls nest deep, in the one around it (sync/firing.hpp).
    void leave() noexcept {
        const std::uint32_t before = word_.fetch_sub(one, std::memory_order_acq_rel);
        WSOLO_ASSERT(users_of(before) != 0, "leave() without enter()");
        if (before == (one | closed | waited_for)) release_waiters();
    }

    /// Refuses all entries from now on. True: this call closed it. When there are no users, waiters are released and
    /// callbacks run here, as in leave().
    bool close() noexcept {
        const std::uint32_t before = word_.fetch_or(closed, std::memory_order_acq_rel);
        if (before == waited_for) release_waiters();
        return (before & closed) == 0;
    }

    /// Whether close() was called: every entry is refused.
    [[nodiscard]] bool is_closed() const noexcept {
        return (word_.load(std::memory_order_acquire) & closed) != 0;
    }

    /// How many users are inside. For metrics: the number may be out of date at once.
    [[nodiscard]] std::uint32_t users() const noexcept {
        return users_of(word_.load(std::memory_order_relaxed));
    }

    /// Waits until it is closed and all users have left: errc::none; what they wrote is visible to the caller, and none of
    /// them touches this object any more. Otherwise errc::cancelled or errc::timed_out. The caller must not be a user
    /// itself.
    template <stop_token_like StopToken>
    [[nodiscard]] errc wait(time_point deadline, const StopToken& stop) noexcept {
        if (is_left()) return errc::none;
        sleeper self;
        if (!add(self)) return errc::none;
        {
            const auto nudge = [&self]() noexcept { self.parker.nudge(); };
            [[maybe_unused]] const stop_hook<StopToken, decltype(nudge)> hook(stop, nudge);
            self.parker.park_until(deadline);
        }
        if (remove(self)) return stop.stop_requested() ? errc::cancelled : errc::timed_out;
        self.parker.park(); // drained: the last leaver is about to release this waiter, or has
        return errc::none;
    }
    [[nodiscard]] errc wait(time_point deadline = no_deadline) noexcept {
        return wait(deadline, never_stop{});
    }

    /// Whether wait() would return at once, because no thread is left that would touch this object: it may be destroyed. Never
    /// waits. False also while another waiter is about to be told.
    [[nodiscard]] bool is_left() const noexcept {
        const std::uint32_t word = word_.load(std::memory_order_acquire);
        return is_drained(word) && (word & waited_for) == 0;
    }
    /// Whether it is closed and all users have left. True does not mean that the object may be destroyed: only is_left(),
    /// wait(), a callback or co_await say that.
    [[nodiscard]] bool is_drained() const noexcept {
        return is_drained(word_.load(std::memory_order_acquire));
    }

    /// Links `added` until the drain; fire() then runs in the thread of the last leave(). False: drained
    /// already, and fire() will not be called.
    [[nodiscard]] bool add(waiter& added) noexcept {
        added.taker = nullptr;
        waiter* const first = lock_.lock();
        std::uint32_t seen = word_.load(std::memory_order_acquire);
        bool waits = (seen & released) == 0;
        while (waits && (seen & waited_for) == 0) {
            if (is_drained(seen)) {
                waits = false; // it would not be fired: the last leaver saw no waiter
            } else if (word_.compare_exchange_weak(seen, seen | waited_for, std::memory_order_acq_rel)) {
                break;
            }
        }
        lock_.unlock(waits ? detail::link_by_mark(first, added) : first);
        return waits;
    }

    /// True: `gone` is unlinked now, and will not be fired. False: the drain took it; fire() has run or will run.
    [[nodiscard]] bool remove(waiter& gone) noexcept {
        waiter* const first = lock_.lock();
        std::uint32_t seen = word_.load(std::memory_order_acquire);
        // The last waiter's removal clears the bit, in one step with "not drained yet".
        bool stays = is_drained(seen);
        while (!stays && gone.next == &gone &&
               !word_.compare_exchange_weak(seen, seen & ~waited_for, std::memory_order_acq_rel)) {
            stays = is_drained(seen);
        }
        const bool is_withdrawn = !stays || detail::firing_loop<Traits>::withdraw(gone);
        lock_.unlock(stays ? first : detail::unlink(first, gone));
        return is_withdrawn;
    }

private:
    // The word: users above, these below.
    static constexpr std::uint32_t closed = 1;
    static constexpr std::uint32_t waited_for = 2; // the ring is not empty, or it was when the drain came
    static constexpr std::uint32_t released = 4;   // the ring was taken by the drain
    static constexpr std::uint32_t one = 8;
    static constexpr std::uint32_t most_users = 0xFFFF'FFFFU / one;

    static constexpr std::uint32_t users_of(std::uint32_t word) noexcept { return word / one; }
    static constexpr bool is_drained(std::uint32_t word) noexcept {
        return (word & closed) != 0 && users_of(word) == 0;
    }

    struct sleeper final : waiter {
        sleeper() noexcept
            : waiter([](waiter& self) noexcept { static_cast<sleeper&>(self).parker.release(); }) {}
        basic_parker<Traits> parker;
    };

    void release_waiters() noexcept {
        detail::firing_loop<Traits> loop;
        waiter* first = lock_.lock();
        word_.fetch_or(released, std::memory_order_relaxed);
        while (first != nullptr) {
            waiter& due = *first;
            first = detail::unlink(first, due);
            loop.take(due);
        }
        lock_.unlock(nullptr); // the last touch: the first one fired may destroy the object
        loop.run();
    }

    basic_pointer_lock<waiter, Traits> lock_; // guards the ring
    // The last: what follows a rundown may lie in its tail padding.
    typename Traits::template atomic<std::uint32_t> word_{0};
};

/// One user inside. Move-only, one thread at a time; its destructor leaves. Empty when the rundown was closed.
template <class Traits>
class [[nodiscard]] basic_rundown<Traits>::guard {
public:
    guard() = default;
    guard(guard&& other) noexcept : rundown_(detail::exchange(other.rundown_, nullptr)) {}
    guard& operator=(guard&& other) noexcept {
        if (this != &other) {
            leave();
            rundown_ = detail::exchange(other.rundown_, nullptr);
        }
        return *this;
    }
    ~guard() { leave(); }

    [[nodiscard]] explicit operator bool() const noexcept { return rundown_ != nullptr; }

    /// Leaves now. No effect when empty. The rundown may be gone when this returns.
    void leave() noexcept {
        if (rundown_ != nullptr) detail::exchange(rundown_, nullptr)->leave();
    }

private:
    friend basic_rundown;
    explicit guard(basic_rundown* rundown) noexcept : rundown_(rundown) {}

    basic_rundown* rundown_ = nullptr;
};

using rundown = basic_rundown<>;

} // namespace wsolo::inline WSOLO_ABI

// ---- wsolo/sync/ticket.hpp
// A sequence number as an owning value: its destructor completes the number, on every path out of a handler.
//
// Laws of this file:
// - One number, one complete() or abandon(), by the owner that holds it last.
// - Neither type outlives its barrier. complete()'s rules about order and threads hold for their destructors too.

namespace wsolo::inline WSOLO_ABI {

/// A number that travels with its item. Move-only, not thread-safe itself.
template <class Barrier>
class basic_ticket {
public:
    basic_ticket() = default;
    basic_ticket(Barrier& barrier, std::uint64_t number) noexcept : barrier_(&barrier), number_(number) {}
    basic_ticket(basic_ticket&& other) noexcept : barrier_(other.barrier_), number_(other.take()) {}
    basic_ticket& operator=(basic_ticket&& other) noexcept {
        if (this != &other) {
            complete();
            barrier_ = other.barrier_;
            number_ = other.take();
        }
        return *this;
    }
    ~basic_ticket() { complete(); }

    /// 0 when empty.
    [[nodiscard]] std::uint64_t number() const noexcept { return number_; }

    /// The item is handled. No effect when empty.
    void complete() noexcept {
        if (number_ != 0) barrier_->complete(take());
    }

    /// The item was not accepted, or left the queue unhandled. No effect when empty.
    void abandon() noexcept {
        if (number_ != 0) barrier_->abandon(take());
    }

    /// Hands the duty to complete or abandon to the caller. Empty afterwards.
    [[nodiscard]] std::uint64_t take() noexcept { return std::exchange(number_, 0); }

private:
    Barrier* barrier_ = nullptr;
    std::uint64_t number_ = 0;
};

/// An item at work on this thread's stack; made by handle() of a barrier. Completes at its end, also when
/// the handler throws; until then this thread's wait for the item itself answers would_deadlock.
template <class Barrier>
class [[nodiscard]] basic_handling {
public:
    basic_handling(Barrier& barrier, std::uint64_t number) noexcept
        : barrier_(barrier), number_(number), scope_(&barrier, number) {
        barrier.begin(number);
    }
    basic_handling(const basic_handling&) = delete;
    basic_handling& operator=(const basic_handling&) = delete;
    ~basic_handling() {
        if (number_ != 0) barrier_.complete(number_);
    }

    /// The number that it completes.
    [[nodiscard]] std::uint64_t number() const noexcept { return number_; }
    /// The item is not done when this scope ends: the caller owes complete() of its number.
    [[nodiscard]] std::uint64_t defer() noexcept { return std::exchange(number_, 0); }

private:
    Barrier& barrier_;
    std::uint64_t number_;
    basic_handler_scope<typename Barrier::traits> scope_;
};

} // namespace wsolo::inline WSOLO_ABI

// ---- wsolo/sync/sequence_barrier.hpp
// Numbers for what was received, and a wait for "everything up to here is handled, and nothing later": each
// notification is issued a number, each response takes the snapshot() of its moment and waits for that
// mark.
//
// Laws of this file:
// - One drainer completes in the order of the numbers. A number is never reused. One whose item was not accepted is
//   abandoned, in any order, by any thread. Waits pass over it when the next accepted number begins, or when
//   no number issued after it is still to be completed.
// - The number done and "there are waiters" share one word, and every change is one RMW. A waiter sets the bit by the RMW
//   that tells it whether it is too late; the advance that reaches its mark sees the bit. No wake-up can be lost.
// - issue() and complete() are one RMW each while there are no waiters and nothing is abandoned; a wait for what is done
//   already is one load.
// - The ring of waiters is changed under lock_ only; none is fired, woken or called under it. One waiter is taken and fired
//   at a time (sync/firing.hpp), lowest mark first, so that what it runs may add and remove waiters.
// - Verdicts: satisfied beats closed beats would_deadlock beats cancelled beats timed_out.

namespace wsolo::inline WSOLO_ABI {

/// A barrier over numbered items. Any thread may call any member, except complete() and handle(), which one drainer at a
/// time calls. Numbers start at 1; mark 0 is always reached. It must outlive all calls of its members and all waiters added
/// to it. No allocation, 40 bytes.
template <class Traits = std_blocking_traits>
class basic_sequence_barrier {
public:
    using traits = Traits;
    using time_point = typename Traits::clock::time_point;
    using ticket = basic_ticket<basic_sequence_barrier>;
    using handling = basic_handling<basic_sequence_barrier>;
    /// For a wait that has no bound.
    static constexpr time_point no_deadline = (time_point::max)();

    basic_sequence_barrier() = default;
    basic_sequence_barrier(const basic_sequence_barrier&) = delete;
    basic_sequence_barrier& operator=(const basic_sequence_barrier&) = delete;
    ~basic_sequence_barrier() {
        WSOLO_ASSERT((word_.load(std::memory_order_acquire) & waited_for) == 0,
                     "a barrier must outlive those who wait for it: close() it and let them return first");
    }

    // ---- numbers

    /// The next number. Exactly one complete() or abandon() is owed for it.
    [[nodiscard]] std::uint64_t issue() noexcept {
        return issued_.fetch_add(1, std::memory_order_relaxed) + 1;
    }

    /// The same, without a locked instruction, where one thread at a time issues numbers.
    [[nodiscard]] std::uint64_t issue_alone() noexcept {
        const std::uint64_t next = issued_.load(std::memory_order_relaxed) + 1;
        issued_.store(next, std::memory_order_relaxed);
        return next;
    }

    /// issue() as an owning value, so that an item's number is completed or abandoned with the item.
    [[nodiscard]] ticket issue_ticket() noexcept { return ticket(*this, issue()); }

    /// The last number issued so far: the mark of a response received now. 0 before the first.
    [[nodiscard]] std::uint64_t snapshot() const noexcept { return issued_.load(std::memory_order_relaxed); }

    /// Item `n` is about to be handled: all numbers below it are done. Releases waits for abandoned numbers right below
    /// it. One load when there are none. handle() calls it.
    void begin(std::uint64_t n) noexcept {
        if (!has_reached(n - 1)) pass_gap(n - 1, 0);
    }

    /// Item `n` is handled. Publishes what its handler wrote to the threads that wait for it; callbacks run in this call, or,
    /// where such calls nest eight deep, in the one around it (sync/firing.hpp). Call it in order: `n` follows the number
    /// completed last, apart from abandoned ones. (After close() any order is allowed, for a queue that drops its rest.)
    void complete(std::uint64_t n) noexcept {
        if (value_of(word_.load(std::memory_order_relaxed)) + 1 != n) return pass_gap(n, 1);
        const std::uint64_t before = word_.fetch_add(one, std::memory_order_acq_rel);
        if ((before & has_gaps) != 0) return pass_trailing_gap();
        if ((before & waited_for) != 0) settle();
    }

    /// Item `n` was numbered but not accepted: it will not be handled, and no wait includes it. Any thread,
    /// any order. May run callbacks, as complete() does.
    void abandon(std::uint64_t n) noexcept {
        waiter* const first = lock_.lock();
        // A complete() before this RMW shows in what it returns; a later one sees the bit and looks again.
        const std::uint64_t word = word_.fetch_or(has_gaps, std::memory_order_acq_rel);
        const std::uint64_t done = value_of(word);
        WSOLO_ASSERT(n > done && n <= snapshot(), "abandon() of a number that is done, or was never issued");
        const bool is_next = n == done + 1;
        if (!is_next) ++abandoned_ahead_;
        advance_to(is_next ? n : done, word | has_gaps);
        lock_.unlock(first);
        if (first != nullptr) settle();
    }

    /// Runs item `n` for the life of the result: begin(n) now, complete(n) at its end, also when the
    /// handler throws. Inside it this thread's wait for `n` or beyond answers would_deadlock. It stays on
    /// the stack of one thread; a handler that suspends calls begin() and complete() itself.
    [[nodiscard]] handling handle(std::uint64_t n) noexcept { return handling(*this, n); }
    [[nodiscard]] handling handle(ticket&& item) noexcept { return handling(*this, item.take()); }

    // ---- waits

    /// Whether everything up to `mark` is done. Acquires what was done. O(1), one load.
    [[nodiscard]] bool has_reached(std::uint64_t mark) const noexcept {
        return value_of(word_.load(std::memory_order_acquire)) >= mark;
    }

    /// Waits until everything up to `mark` is done. errc::none: it is, and what its handlers wrote is
    /// visible here. Otherwise the error that close() was given; would_deadlock when the caller runs a
    /// handler that this wait would wait for; cancelled; timed_out. A mark that is reached already costs one load.
    template <stop_token_like StopToken>
    [[nodiscard]] errc wait_up_to(std::uint64_t mark, time_point deadline, const StopToken& stop) noexcept {
        const std::uint64_t word = word_.load(std::memory_order_acquire);
        return is_decided(word, mark) ? verdict(word, mark) : wait_slowly(mark, deadline, stop);
    }
    [[nodiscard]] errc wait_up_to(std::uint64_t mark, time_point deadline = no_deadline) noexcept {
        return wait_up_to(mark, deadline, never_stop{});
    }

    /// Ends every wait that is not satisfied, those that begin later too, with `error`. The first close counts. Numbers
    /// may still be issued and completed. Fires waiters: callbacks run in this call.
    void close(errc error) noexcept {
        WSOLO_ASSERT(error != errc::none, "close() needs an error other than none");
        waiter* const first = lock_.lock();
        if ((word_.load(std::memory_order_relaxed) & closed) == 0) {
            error_ = error;
            word_.fetch_or(closed, std::memory_order_acq_rel);
        }
        lock_.unlock(first);
        settle();
    }

    /// Whether close() was called.
    [[nodiscard]] bool is_closed() const noexcept {
        return (word_.load(std::memory_order_acquire) & closed) != 0;
    }

    /// Links `added` until its mark is reached or the barrier is closed; fire() then runs in the thread
    /// that did that. False: the wait is over already, `added.outcome` says how, and fire() will not be
    /// called. On true `added` may have been fired before this returns. For builders of waiting forms
    /// (sync/callback.hpp, sync/await.hpp).
    [[nodiscard]] bool add(waiter& added) noexcept {
        added.taker = nullptr;
        waiter* first = detail::link_by_mark(lock_.lock(), added);
        const std::uint64_t word = word_.fetch_or(waited_for, std::memory_order_acq_rel);
        const bool waits = !is_decided(word, added.mark);
        if (!waits) {
            added.outcome = verdict(word, added.mark);
            first = without(first, added);
        }
        lock_.unlock(first);
        return waits;
    }

    /// True: `gone` is unlinked, and will not be fired. False: it was fired, or another thread is about to fire it.
    [[nodiscard]] bool remove(waiter& gone) noexcept {
        waiter* first = lock_.lock();
        const bool waits = gone.taker == nullptr && gone.is_linked();
        if (waits) first = without(first, gone);
        const bool is_withdrawn = waits || detail::firing_loop<Traits>::withdraw(gone);
        lock_.unlock(first);
        return is_withdrawn;
    }

protected:
    /// The word: the number above, these below.
    static constexpr std::uint64_t waited_for = 1; // the ring is not empty
    static constexpr std::uint64_t has_gaps = 2;   // abandoned numbers are to be passed, under the lock
    static constexpr std::uint64_t closed = 4;
    static constexpr std::uint64_t one = 8;

    /// Of a word.
    static constexpr std::uint64_t value_of(std::uint64_t word) noexcept { return word / one; }
    static constexpr bool is_decided(std::uint64_t word, std::uint64_t mark) noexcept {
        return value_of(word) >= mark || (word & closed) != 0;
    }

    typename Traits::template atomic<std::uint64_t> word_{0};

private:
    /// Under the lock.
    [[nodiscard]] bool is_due(const waiter* first) const noexcept {
        return first != nullptr && is_decided(word_.load(std::memory_order_acquire), first->mark);
    }

    /// Fires all that are due. Called with the lock free, after an advance that saw waited_for, and by close().
    [[gnu::noinline]] void
    settle() noexcept { // apart from complete(), as the next two: few of its calls need them
        waiter* const first = lock_.lock();
        if (is_due(first)) return fire(first);
        lock_.unlock(first);
    }

    /// Precondition: `first` is due. The lock is held, and is free afterwards.
    void fire(waiter* first) noexcept {
        detail::firing_loop<Traits> loop;
        for (;;) {
            waiter& due = *first;
            due.outcome = verdict(word_.load(std::memory_order_acquire), due.mark);
            first = without(first, due);
            const bool more = is_due(first);
            loop.take(due);
            lock_.unlock(first);
            loop.run(); // with none left, one that is fired may destroy the barrier
            if (!more) return;
            first = lock_.lock();
            if (!is_due(first)) return lock_.unlock(first);
        }
    }

    /// All up to `n` is done; `handled` of it (the last, or none) by a handler, the rest abandoned.
    [[gnu::noinline]] void pass_gap(std::uint64_t n, std::uint64_t handled) noexcept {
        waiter* const first = lock_.lock();
        const std::uint64_t word = word_.load(std::memory_order_relaxed);
        const std::uint64_t done = value_of(word);
        const bool is_closed = (word & closed) != 0;
        const bool in_order = n >= done + handled && n - done - handled <= abandoned_ahead_;
        if (in_order && !is_closed) {
            abandoned_ahead_ -= n - done - handled;
            advance_to(n, word);
        }
        lock_.unlock(first);
        WSOLO_ASSERT(in_order || is_closed,
                     "a sequence_barrier's numbers complete once and in order: a lower one is still open");
        if (is_closed && handled != 0) return abandon(n); // order is free now, so a gap proves nothing
        if (first != nullptr) settle();
    }

    [[gnu::noinline]] void pass_trailing_gap() noexcept {
        waiter* const first = lock_.lock();
        const std::uint64_t word = word_.load(std::memory_order_relaxed);
        advance_to(value_of(word), word);
        lock_.unlock(first);
        if (first != nullptr) settle();
    }

    /// Moves the number done to `done`, or to the last number issued when only abandoned ones lie between.
    /// Under the lock. The sum cannot go stale: while an accepted number is open, only its drainer passes
    /// it.
    void advance_to(std::uint64_t done, std::uint64_t word) noexcept {
        const std::uint64_t open_or_abandoned = snapshot() - done;
        if (open_or_abandoned == abandoned_ahead_) {
            done += abandoned_ahead_;
            abandoned_ahead_ = 0;
        }
        std::uint64_t step = (done - value_of(word)) * one;
        if (abandoned_ahead_ == 0) step -= word & has_gaps;
        if (step != 0) word_.fetch_add(step, std::memory_order_acq_rel);
    }

    struct sleeper final : waiter {
        explicit sleeper(std::uint64_t wanted) noexcept
            : waiter([](waiter& self) noexcept { static_cast<sleeper&>(self).parker.release(); }, wanted) {}
        basic_parker<Traits> parker;
    };

    /// Precondition: is_decided(word, mark).
    [[nodiscard]] errc verdict(std::uint64_t word, std::uint64_t mark) const noexcept {
        return value_of(word) >= mark ? errc::none : error_;
    }

    /// Unlinks `gone`, and clears the bit with the last waiter. Under the lock.
    [[nodiscard]] waiter* without(waiter* first, waiter& gone) noexcept {
        waiter* const rest = detail::unlink(first, gone);
        if (rest == nullptr) word_.fetch_and(~waited_for, std::memory_order_relaxed);
        return rest;
    }

    template <class StopToken>
    [[nodiscard]] errc wait_slowly(std::uint64_t mark, time_point deadline, const StopToken& stop) noexcept {
        if (basic_handler_scope<Traits>::is_inside(this, mark)) return errc::would_deadlock;
        if (stop.stop_requested()) return errc::cancelled;
        sleeper self(mark);
        if (!add(self)) return self.outcome;
        {
            const auto nudge = [&self]() noexcept { self.parker.nudge(); };
            [[maybe_unused]] const stop_hook<StopToken, decltype(nudge)> hook(stop, nudge);
            self.parker.park_until(deadline);
        }
        const bool is_unfired = remove(self);
        if (!is_unfired) self.parker.park(); // the thread that took it is about to release it, or has
        const std::uint64_t word = word_.load(std::memory_order_acquire);
        if (is_decided(word, mark)) return verdict(word, mark);
        return stop.stop_requested() ? errc::cancelled : errc::timed_out;
    }

    typename Traits::template atomic<std::uint64_t> issued_{0};
    std::uint64_t abandoned_ahead_ = 0;       // abandoned numbers above the number done; under the lock
    basic_pointer_lock<waiter, Traits> lock_; // guards the ring, error_ and abandoned_ahead_
    errc error_ = errc::none;
};

using sequence_barrier = basic_sequence_barrier<>;

} // namespace wsolo::inline WSOLO_ABI

// ---- wsolo/sync/detail/guard_list.hpp
// The guards of one session, in checked builds: a thread that destroys the session while it holds a guard of it fails an
// assertion, instead of waiting for itself for ever.
//
// Laws of this file:
// - A guard counts as the calling thread's when it lies on this thread's stack: in a call that can't return before the
//   destructor does. So a guard that was handed to another thread raises no false alarm, wherever it was made; a
//   guard in other memory (a heap block, a coroutine's frame) is not noticed.
// - In unchecked builds the list is empty and costs nothing.

#if WSOLO_ENABLE_ASSERTS && (defined(__linux__) || defined(__APPLE__))
#include <pthread.h>
#endif

namespace wsolo::inline WSOLO_ABI::detail {

#if WSOLO_ENABLE_ASSERTS

/// The calling thread's stack; empty where the system does not tell it.
class this_stack {
public:
    this_stack() noexcept {
#if defined(__linux__)
        pthread_attr_t attributes;
        if (::pthread_getattr_np(::pthread_self(), &attributes) != 0) return;
        void* bottom = nullptr;
        std::size_t size = 0;
        if (::pthread_attr_getstack(&attributes, &bottom, &size) == 0) {
            bottom_ = reinterpret_cast<std::uintptr_t>(bottom);
            size_ = size;
        }
        ::pthread_attr_destroy(&attributes);
#elif defined(__APPLE__)
        size_ = ::pthread_get_stacksize_np(::pthread_self());
        bottom_ = reinterpret_cast<std::uintptr_t>(::pthread_get_stackaddr_np(::pthread_self())) - size_;
#endif
    }
    [[nodiscard]] bool has(const void* object) const noexcept {
        return reinterpret_cast<std::uintptr_t>(object) - bottom_ < size_; // below it the difference is huge
    }

private:
    std::uintptr_t bottom_ = 0;
    std::size_t size_ = 0;
};

/// Any thread.
template <class Traits>
class guard_list {
public:
    /// One guard's place in the list. It moves with the guard; not thread-safe itself.
    class place {
    public:
        place() = default;
        explicit place(guard_list* list) noexcept : list_(list) { enter(); }
        place(place&& other) noexcept : list_(other.leave()) { enter(); }
        place& operator=(place&& other) noexcept {
            if (this == &other) return *this;
            static_cast<void>(leave());
            list_ = other.leave();
            enter();
            return *this;
        }
        ~place() { static_cast<void>(leave()); }

    private:
        friend guard_list;

        void enter() noexcept {
            if (list_ == nullptr) return;
            next_ = list_->lock_.lock();
            if (next_ != nullptr) next_->previous_ = this;
            list_->lock_.unlock(this);
        }
        guard_list* leave() noexcept {
            if (list_ == nullptr) return nullptr;
            place* const first = list_->lock_.lock();
            if (next_ != nullptr) next_->previous_ = previous_;
            if (previous_ != nullptr) previous_->next_ = next_;
            list_->lock_.unlock(first == this ? next_ : first);
            next_ = previous_ = nullptr;
            return detail::exchange(list_, nullptr);
        }

        guard_list* list_ = nullptr;
        place* next_ = nullptr;
        place* previous_ = nullptr;
    };

    /// Whether a guard lies on the calling thread's stack. O(guards).
    [[nodiscard]] bool has_own() noexcept {
        if (!has([](const place&) { return true; })) return false;
        const this_stack mine; // it takes system calls
        return has([&](const place& each) { return mine.has(&each); });
    }

private:
    template <class Search>
    bool has(Search is_it) noexcept {
        place* const first = lock_.lock();
        const place* each = first;
        while (each != nullptr && !is_it(*each)) each = each->next_;
        lock_.unlock(first);
        return each != nullptr;
    }

    basic_pointer_lock<place, Traits> lock_;
};

#else

template <class Traits>
class guard_list {
public:
    struct place {
        place() = default;
        explicit place(guard_list*) noexcept {}
    };
};

#endif

} // namespace wsolo::inline WSOLO_ABI::detail

// ---- wsolo/sync/weak_session.hpp
// Handles to a session for other threads: they can try to use it, and cannot dangle.
//
// Laws of this file:
// - The session owns an anchor; handles share a small block with it. The block holds a rundown and outlives
//   both.
// - A use is a guard of the rundown: while it lives the session does; after close() there are no new ones.
// - The anchor's destructor, close() and wait(), runs before any part of the session is destroyed: so the anchor is the
//   session's last member.

namespace wsolo::inline WSOLO_ABI {

namespace detail {

/// What an anchor and its handles share: one allocation of 24 bytes (32 in checked builds).
template <class T, class Traits>
struct session_block {
    explicit session_block(T& to) noexcept : target(&to) {}

    void retain() noexcept { references.fetch_add(1, std::memory_order_relaxed); }
    void release() noexcept {
        if (references.fetch_sub(1, std::memory_order_acq_rel) == 1) delete this;
    }

    // [[no_unique_address]]: the references lie in the tail padding.
    [[no_unique_address]] basic_rundown<Traits> users;
    typename Traits::template atomic<std::uint32_t> references{1};
    T* const target;
    [[no_unique_address]] guard_list<Traits> guards;
};

} // namespace detail

/// A session in use. Move-only; empty when the session had closed. Keep it short: close() of the session
/// waits for it. The thread that has it must not be the one that destroys the session: checked builds say so.
template <class T, class Traits = std_blocking_traits>
class [[nodiscard]] basic_session_guard {
    using block = detail::session_block<T, Traits>;

public:
    basic_session_guard() = default;
    basic_session_guard(typename basic_rundown<Traits>::guard inside, block& of) noexcept
        : inside_(std::move(inside)),
          place_(inside_ ? &of.guards : nullptr),
          target_(inside_ ? of.target : nullptr) {}
    basic_session_guard(basic_session_guard&& other) noexcept
        : inside_(std::move(other.inside_)),
          place_(std::move(other.place_)),
          target_(detail::exchange(other.target_, nullptr)) {}
    basic_session_guard& operator=(basic_session_guard&& other) noexcept {
        if (this == &other) return *this;
        place_ = std::move(other.place_); // while both sessions are still held
        inside_ = std::move(other.inside_);
        target_ = detail::exchange(other.target_, nullptr);
        return *this;
    }
    ~basic_session_guard() = default;

    [[nodiscard]] explicit operator bool() const noexcept { return target_ != nullptr; }

    /// Precondition: not empty. The reference holds as long as the guard.
    [[nodiscard]] T& operator*() const noexcept {
        WSOLO_ASSERT(target_ != nullptr, "an empty session_guard: test it before use");
        return *target_;
    }
    [[nodiscard]] T* operator->() const noexcept { return &**this; }

private:
    typename basic_rundown<Traits>::guard inside_;
    [[no_unique_address]]
    typename detail::guard_list<Traits>::place place_; ///< destroyed before the guard leaves
    T* target_ = nullptr;
};

/// A handle that does not keep the session alive. Copyable; different copies may be used by different
/// threads. 8 bytes.
template <class T, class Traits = std_blocking_traits>
class basic_weak_session {
    using block = detail::session_block<T, Traits>;

public:
    using guard = basic_session_guard<T, Traits>;

    /// A handle to no session.
    basic_weak_session() = default;
    explicit basic_weak_session(block& shared) noexcept : block_(&shared) { block_->retain(); }
    basic_weak_session(const basic_weak_session& other) noexcept : block_(other.block_) {
        if (block_ != nullptr) block_->retain();
    }
    basic_weak_session(basic_weak_session&& other) noexcept
        : block_(detail::exchange(other.block_, nullptr)) {}
    basic_weak_session& operator=(const basic_weak_session& other) noexcept {
        return *this = basic_weak_session(other);
    }
    // Not by value: clang 14 does not destroy a parameter that was made of {} in a template.
    basic_weak_session& operator=(basic_weak_session&& other) noexcept {
        basic_weak_session fresh(std::move(other));
        std::swap(block_, fresh.block_);
        return *this;
    }
    ~basic_weak_session() {
        if (block_ != nullptr) block_->release();
    }

    /// The session, for the life of the guard; empty once the session closed. Never waits. The guard may outlive this
    /// handle.
    [[nodiscard]] guard try_use() const noexcept {
        return block_ == nullptr ? guard() : guard(block_->users.try_enter(), *block_);
    }

    /// Whether try_use() cannot succeed any more.
    [[nodiscard]] bool is_expired() const noexcept { return block_ == nullptr || block_->users.is_closed(); }

private:
    block* block_ = nullptr;
};

/// The session's own end. Move-only, while the session stays where it is. Any thread may call handle(), close() and
/// wait(); a move and the destructor are the owner's, while no other call is under way.
template <class T, class Traits = std_blocking_traits>
class basic_session_anchor {
    using block = detail::session_block<T, Traits>;

public:
    using time_point = typename basic_rundown<Traits>::time_point;
    /// For a wait that has no bound.
    static constexpr time_point no_deadline = (time_point::max)();

    /// An anchor to nothing: its handles are expired.
    basic_session_anchor() = default;

    /// Allocates the shared block; errc::out_of_memory. `target` must outlive the anchor.
    [[nodiscard]] static result<basic_session_anchor> make(T& target) noexcept {
        basic_session_anchor anchor;
        anchor.block_ = new (std::nothrow) block(target);
        if (anchor.block_ == nullptr) return errc::out_of_memory;
        return anchor;
    }

    basic_session_anchor(basic_session_anchor&& other) noexcept
        : block_(detail::exchange(other.block_, nullptr)) {}
    basic_session_anchor& operator=(basic_session_anchor&& other) noexcept {
        if (this != &other) {
            reset();
            block_ = detail::exchange(other.block_, nullptr);
        }
        return *this;
    }
    /// Closes and waits for the guards that are left. The caller must hold none itself.
    ~basic_session_anchor() { reset(); }

    /// A handle for other threads. O(1), no allocation; expired where there is no session.
    [[nodiscard]] basic_weak_session<T, Traits> handle() const noexcept {
        return block_ == nullptr ? basic_weak_session<T, Traits>() : basic_weak_session<T, Traits>(*block_);
    }

    /// Whether the anchor was made for a session, and not moved from.
    [[nodiscard]] explicit operator bool() const noexcept { return block_ != nullptr; }

    /// Gives out no guard from now on. True: this call closed it.
    bool close() noexcept { return block_ != nullptr && block_->users.close(); }
    /// Closes, and tells whether no guard is left: then the destructor waits for none. Never waits.
    [[nodiscard]] bool let_go() noexcept {
        close();
        return block_ == nullptr || block_->users.is_left();
    }

    /// After close(): waits until the last guard is gone. errc::none, cancelled or timed_out.
    template <stop_token_like StopToken>
    [[nodiscard]] errc wait(time_point deadline, const StopToken& stop) noexcept {
        return block_ == nullptr ? errc::none : block_->users.wait(deadline, stop);
    }
    [[nodiscard]] errc wait(time_point deadline = no_deadline) noexcept {
        return wait(deadline, never_stop{});
    }

private:
    void reset() noexcept {
        if (block_ == nullptr) return;
        close();
        WSOLO_ASSERT(
            !block_->guards.has_own(),
            "a session is destroyed by a thread that has a guard of it in use: it would wait for itself");
        static_cast<void>(wait()); // without a deadline it can only end drained
        detail::exchange(block_, nullptr)->release();
    }

    block* block_ = nullptr;
};

template <class T>
using session_guard = basic_session_guard<T>;
template <class T>
using weak_session = basic_weak_session<T>;
template <class T>
using session_anchor = basic_session_anchor<T>;

} // namespace wsolo::inline WSOLO_ABI

// ---- wsolo/write/pump.hpp
// What pump() answers, and the inline drive.

namespace wsolo::inline WSOLO_ABI {

/// What pump() left behind.
enum class pump_status : std::uint8_t {
    idle, ///< everything is written, or a cork holds it back; the next send, or the last cork, calls the hook
    blocked, ///< pump() again when the transport is writable (when a write is in flight, its end calls the hook), or at
    ///< `deadline`
    more,     ///< the quantum is used up; the hook was called again
    busy,     ///< another thread runs, or a gate is shut: nothing to do here before `deadline`
    finished, ///< over: see report()
};

/// `deadline` counts where the status is blocked or busy, and may be no_deadline. While a
/// cancelled write is still in flight it is the later bound (the close's, or the write's own), and no_deadline after that:
/// then only the end of the write, or of the connection, helps.
struct [[nodiscard]] pump_result {
    /// What is left, and when to come again at the latest.
    pump_status status = pump_status::idle;
    time_point deadline = no_deadline;
};

/// The inline drive: the sender that finds the writer idle writes at once, up to the quantum, and only what is left (or
/// what the transport did not take) goes to `Hook`.
template <schedule_hook Hook>
struct inline_drive {
    /// Distinguishes this type from a hook that only asks for a turn.
    static constexpr bool writes_inline = true;
    /// Called for the rest.
    Hook hook;
    decltype(auto) operator()() { return hook(); }
};
template <class Hook>
inline_drive(Hook) -> inline_drive<Hook>;

} // namespace wsolo::inline WSOLO_ABI

// ---- wsolo/write/encoder.hpp
// The encoder of messages on their way out (permessage-deflate), as a policy of the writer: by default none, at no cost.
//
// Laws of this file:
// - A message that may be encoded is queued as the frame that it is without that, and counted so. The thread whose turn it is
//   encodes it when it plans the write: in the order of the wire, after everything that may drop, replace or refuse it.
// - What was encoded leaves: it gives way to nothing any more. A write that took a part of it goes on with the same bytes.
// - It is shorter than the message, or longer by what the budget has room for, so that a queue within its budget stays within it.
//   What finds no room (writer_limits::max_bytes), or would be longer than a message may be, leaves as it is.

namespace wsolo::inline WSOLO_ABI {

/// Bytes that an encoder is given to work in, beyond those that it may use.
inline constexpr std::size_t encoder_work_room = 16;
/// Bytes by which it may make a message longer, at most.
inline constexpr std::size_t encoder_growth = 128;

/// - `wants(size)`: whether a message of so many bytes may be encoded. Any thread, at any time.
/// - `deflate(message, to)`: writes to the front of `to` what leaves in the message's place, with RSV1 on its frame (RFC 7692 §6),
///   and returns its size: at most to.size() - encoder_work_room; `to` may have room for encoder_growth bytes more than the message
///   has. 0: it leaves as it is. The writing thread, with no lock held. What it holds from one message to the next is its own: the writer's budget
///   does not count it.
/// - `shared_form()`: which form of a shared frame its peer can read: the same for all to whom the same form can be sent; at least
///   shared_frame::forms for none. `deflate_alone(message, to)`: deflate() for all of these, referring to no earlier message, and
///   shorter than it; an error (out_of_memory) says that another time it may be possible. `note_sent(message)`: a form that deflate_alone() made
///   leaves next.
/// - `forget()`: what deflate() just gave does not leave, for want of memory; the message does, as it is.
template <class T>
concept message_encoder =
    std::movable<T> && requires(T& one, const T& seen, const_bytes message, mutable_bytes to) {
        { T::encodes } -> std::convertible_to<bool>;
        { seen.wants(message.size()) } noexcept -> std::same_as<bool>;
        { one.deflate(message, to) } noexcept -> std::same_as<std::size_t>;
        { seen.shared_form() } noexcept -> std::same_as<std::size_t>;
        { one.deflate_alone(message, to) } noexcept -> std::same_as<result<std::size_t>>;
        { one.note_sent(message) } noexcept -> std::same_as<void>;
        { one.forget() } noexcept -> std::same_as<void>;
    };

/// Encodes nothing. An empty value.
struct never_encoded {
    /// As message_encoder says. deflate_alone() has no error.
    static constexpr bool encodes = false;
    [[nodiscard]] static bool wants(std::size_t) noexcept { return false; }
    [[nodiscard]] static std::size_t deflate(const_bytes, mutable_bytes) noexcept { return 0; }
    [[nodiscard]] static std::size_t shared_form() noexcept { return static_cast<std::size_t>(-1); }
    [[nodiscard]] static result<std::size_t> deflate_alone(const_bytes, mutable_bytes) noexcept { return 0; }
    static void note_sent(const_bytes) noexcept {}
    static void forget() noexcept {}
};

} // namespace wsolo::inline WSOLO_ABI

// ---- wsolo/write/options.hpp
// How one writer behaves: how much it may hold, what happens to the next item when that is used up, and its timeouts.
//
// Laws of this file:
// - What counts is what was accepted and not yet taken by the transport, writes in flight included, plus a fixed
//   overhead for each frame: the bound is on memory, not on payload. An item is counted before it is accepted.
// - Control frames have a reserve of their own: data can't starve a PONG, and a flood of PINGs can't grow memory.
// - A zero means "none" for every limit, quantum and timeout here: no bound.

namespace wsolo::inline WSOLO_ABI {

/// Charged for each queued data frame on top of its wire bytes, in bytes.
inline constexpr std::size_t frame_overhead = 16;

/// Charged besides for each entry of the queue, in bytes. Plain frames that follow each other share one entry. A frame has
/// an entry of its own when it is large (above 2 KiB), shared, keyed or has an `on_done`, when it may be dropped for newer
/// data (overflow::drop_oldest), or when it waits for a fragmented message to end; a flush() has one too. The plain frame
/// after such an entry starts a new one.
inline constexpr std::size_t entry_overhead = 80;

/// What happens to a data frame that does not fit now. (Two more policies belong to the call, not to the writer:
/// send_wait() waits for room, send_keyed() replaces an item of the same key.)
enum class overflow : std::uint8_t {
    reject,      ///< errc::queue_full; nothing happened
    drop_oldest, ///< the oldest queued data gives way, errc::dropped_oldest; what is being written stays
    disconnect,  ///< errc::queue_full, and the writer is aborted with it: a peer this slow is worse than none
};

/// The bounds of one writer. Everything is per connection.
struct writer_limits {
    /// Bytes that may be queued or in flight, overhead included. A data frame that would exceed it is refused with
    /// errc::queue_full (it may fit later) or errc::too_large (it never will). The heap that the queue holds stays
    /// below this x 1.25 + 256 KiB (three blocks of 64 KiB may be partly empty; max_bytes / 8 + 32 KiB are for the message that
    /// is being compressed, and one that would need more leaves uncompressed; 134 bytes of the budget are set aside meanwhile); a thread inside a send may hold the frame
    /// that it encodes and a block besides, and the control reserve has its own (up to 256 bytes for each frame in it).
    /// Not in it: what an encoder holds from one message to the next (deflate_options says how much that is), and the compressed
    /// forms of a shared_frame, which are the frame's: up to two, each shorter than it.
    /// The default always has room for the longest default message in an empty queue.
    std::size_t max_bytes = 2 * default_max_message;
    /// Bytes of payload that one message may have, in all its frames: errc::too_large above. The default is what a peer's
    /// reader takes by default. No message is longer once it is compressed either: set it to what the peer takes.
    std::uint32_t max_message = default_max_message;
    /// Data frames that may be queued or in flight.
    std::uint32_t max_frames = 65'536;
    /// PONGs and PINGs that may wait, each kind; at least 1. Every PING is answered while there is room; beyond it the
    /// newest PONG replaces the one before it (RFC 6455 §5.5.3), and a PING of our own is refused with errc::queue_full.
    std::uint16_t control_reserve = 256;
    overflow when_full = overflow::reject;
    /// Percent of max_bytes at which the observer is told that the queue is high, and, after that, low again. A low mark
    /// above the high one counts as equal to it.
    std::uint8_t high_water = 75;
    std::uint8_t low_water = 25;
};

/// The timeouts of one writer.
struct writer_timeouts {
    /// How long one write may go without progress, counted from its own start.
    std::chrono::milliseconds write{30'000};
    /// How long close() may take to write what is queued, unless the call says otherwise.
    std::chrono::milliseconds drain{5'000};
    /// Bytes per second that the peer must take at least: each byte taken extends a write's deadline by 1/min_rate
    /// seconds and no more, so that a peer that takes a few bytes at a time can't hold the writer for ever. 0: every
    /// progress earns a fresh timeout.
    /// (Kept to a thousandth.)
    std::uint32_t min_rate = 1'024;
};

/// Copied into the writer; but an endpoint's writer looks at the endpoint's.
struct writer_options {
    /// How much it may hold, and its times.
    writer_limits limits{};
    writer_timeouts timeouts{};
    /// Bytes and frames that one pump() (or one sender, where the drive is inline) may write before it hands the turn
    /// back, so that one connection can't hold its loop. Checked between writes: the last write may pass the bound by up
    /// to max_gather and the frames in it. (Bytes are kept to a thousandth.)
    std::uint32_t pump_quantum = 1024 * 1024;
    std::uint16_t pump_frames = 16'384;
    /// Bytes that one write offers to the transport, in at most 64 parts. More costs fewer system calls for large frames; a
    /// PONG waits for the write before it, as far as the socket's own buffer takes that. (Kept to a thousandth.)
    /// Where messages are compressed, a write takes no more of them than reach 64 KiB as they were, whatever this is: compressing
    /// more would delay it by milliseconds.
    std::uint32_t max_gather = 512 * 1024;
};

namespace detail {

/// A number of bytes in 16 bits: exact below 2048, above that within a thousandth, never more.
class short_size {
public:
    explicit constexpr short_size(std::uint32_t size) noexcept {
        std::uint16_t shift = 0;
        for (; size >> shift >= 2048; ++shift) {}
        bits_ = static_cast<std::uint16_t>(size >> shift << 5 | shift);
    }

    [[nodiscard]] constexpr std::uint32_t get() const noexcept {
        return static_cast<std::uint32_t>(bits_ >> 5) << (bits_ & 31U);
    }
    [[nodiscard]] bool operator==(const short_size&) const = default;

private:
    std::uint16_t bits_;
};

/// What a writer asks of its options, as it is kept: 40 bytes, that are the same for all writers of one owner.
struct writer_rules {
    explicit constexpr writer_rules(const writer_options& options) noexcept
        : max_bytes(bound_of(options.limits.max_bytes)),
          write_timeout(options.timeouts.write),
          drain_timeout(options.timeouts.drain),
          max_frames(bound_of(options.limits.max_frames)),
          max_message(bound_of(options.limits.max_message)),
          min_rate(options.timeouts.min_rate),
          pump_quantum(options.pump_quantum),
          max_gather(options.max_gather),
          pump_frames(options.pump_frames),
          control_reserve(options.limits.control_reserve == 0 ? 1 : options.limits.control_reserve),
          high_water(options.limits.max_bytes == 0 ? 0 : options.limits.high_water),
          low_water(options.limits.low_water < options.limits.high_water ? options.limits.low_water
                                                                         : options.limits.high_water),
          when_full(options.limits.when_full) {}

    [[nodiscard]] bool operator==(const writer_rules&) const = default;

    std::size_t max_bytes; ///< a bound, as all that are called max
    short_duration write_timeout;
    short_duration drain_timeout;
    std::uint32_t max_frames;
    std::uint32_t max_message;
    short_size min_rate;
    short_size pump_quantum;
    short_size max_gather; ///< 0: none
    std::uint16_t pump_frames;
    std::uint16_t control_reserve;
    std::uint8_t high_water; ///< percent; 0: none is told
    std::uint8_t low_water;
    overflow when_full;
};

} // namespace detail
} // namespace wsolo::inline WSOLO_ABI

// ---- wsolo/write/report.hpp
// What became of everything that a writer accepted.

namespace wsolo::inline WSOLO_ABI {

/// Adds up exactly: what was accepted is written, dropped or replaced, nothing else. Bytes are wire bytes (headers
/// included).
struct drain_report {
    std::uint64_t frames_written = 0; ///< taken by the transport to their last byte
    std::uint64_t frames_dropped = 0; ///< accepted, but not (wholly) taken
    /// The same, in bytes of the wire.
    std::uint64_t bytes_written = 0;
    std::uint64_t bytes_dropped = 0;
    /// PONGs beyond the control reserve that a newer one replaced (RFC 6455 §5.5.3): nothing was lost with them. Modulo 2^32; their
    /// bytes modulo 2^40.
    std::uint64_t pongs_replaced = 0;
    std::uint64_t bytes_replaced = 0;
    bool partial_frame = false; ///< the last frame on the wire is incomplete: the peer must not read on
    bool deadline_hit = false;  ///< a write's or the drain's deadline ended it
    /// none: a Close frame was the last thing written, and no message was left unfinished before it.
    errc reason = errc::none;
    /// The status code of the Close frame that was accepted, written or not; no_status when the frame has none. abnormal:
    /// there was no Close.
    close_code close = close_code::abnormal;
    int transport_error = 0; ///< the transport's own code (errno, say) where it failed

    /// Frames that were accepted: written, dropped and replaced.
    [[nodiscard]] constexpr std::uint64_t frames_accepted() const noexcept {
        return frames_written + frames_dropped + pongs_replaced;
    }
    [[nodiscard]] constexpr std::uint64_t bytes_accepted() const noexcept {
        return bytes_written + bytes_dropped + bytes_replaced;
    }
    /// Whether the connection was closed in order. (Data that gave way to newer data counts as dropped even so.)
    [[nodiscard]] constexpr bool is_clean() const noexcept { return reason == errc::none; }
    /// Whether a Close was the last thing written, also if it tells the peer that a message was left unfinished.
    [[nodiscard]] constexpr bool ends_with_close() const noexcept {
        return is_clean() || (reason == errc::message_unfinished && close != close_code::abnormal);
    }
};

} // namespace wsolo::inline WSOLO_ABI

// ---- wsolo/write/transport.hpp
// What the writer needs of a connection: one gather write and one way to end it. A transport takes about ten lines. A write
// is over when the call returns or, in the second form, when the transport says so later.
//
// Laws of this file:
// - `transferred` counts bytes that the transport took, whatever the status: a failure after 3 bytes says 3.
// - write, start_write, cancel_write and finish are called by one thread at a time, the thread whose turn it is, and never
//   under a lock. wait_writable() and connection() need no turn.
// - The bytes of a started write stay where they are until its write_done was called or destroyed.

namespace wsolo::inline WSOLO_ABI {

/// How a write ended. `ok` took at least one byte.
enum class io_status : std::uint8_t { ok, would_block, timed_out, failed };

/// What a write did. `error` is the transport's own code (errno, say), only for logs.
struct [[nodiscard]] io_result {
    /// How it went; bytes taken, where that is `ok`; and the transport's own code, for the report.
    io_status status = io_status::failed;
    std::size_t transferred = 0;
    int error = 0;
};

/// How a writer ended, as its transport is told.
enum class end_of_write : std::uint8_t {
    drained, ///< a Close was the last thing written; the stream goes on until its owner ends it (endpoint/stream_end.hpp)
    failed, ///< a write failed, or took too long: nothing more can be written, the peer's bytes can still be read
    aborted, ///< the connection is to go: a transport that can ends both directions, so that a blocked reader wakes
};

/// What the transport of a writer with this report is told.
[[nodiscard]] constexpr end_of_write end_as(const drain_report& report) noexcept {
    if (report.ends_with_close()) return end_of_write::drained;
    switch (report.reason) {
    case errc::write_failed:
    case errc::write_timed_out:
    case errc::drain_timed_out: return end_of_write::failed;
    default: return end_of_write::aborted;
    }
}

/// A connection's write side.
/// - `write(parts, deadline)`: writes from the parts, in order, as one gather write. It may take fewer bytes
///   than offered. A non-blocking transport ignores the deadline and answers would_block; a blocking one
///   waits until the deadline and answers timed_out. The parts are valid during the call only; there is at
///   least one, none is empty.
/// - `finish(why)`: called exactly once, as the writer's last call. Only `aborted` asks the transport to do something. (A
///   connection whose handshake failed had no writer: then only disconnect() is called.)
template <class T>
concept transport = requires(T& connection, std::span<const const_bytes> parts, time_point deadline) {
    { connection.write(parts, deadline) } -> std::same_as<io_result>;
    { connection.finish(end_of_write::drained) } -> std::same_as<void>;
};

/// Whether a transport says that its write() returns at once: `static constexpr bool never_waits = true`. Then a write that leaves
/// nothing costs no look at a clock; one that leaves something has its time from then on. Its first try is given no_deadline, unless
/// a close or an abort has a bound: a write() that waits all the same is bounded by nothing. A class that derives from such a
/// transport, and waits, says false.
template <class T>
inline constexpr bool never_waits = false;
template <class T>
    requires(T::never_waits)
inline constexpr bool never_waits<T> = true;

/// A transport whose byte stream can be ended in two steps, by the owner of the connection (an endpoint, or the user of a
/// stream_end) and after the writer's finish(), in the thread that pumps:
/// - `end_output()`: our FIN. The peer's bytes can still be read. At most once.
/// - `disconnect()`: both directions end. At most once, as the last call. But if cancel_write() did not end a write in flight,
///   disconnect() comes before finish(), and ends that write by its `done`.
/// It may have `unsent()` as well: how many bytes it took that the peer has not acknowledged yet. Then a peer that takes
/// what lies in the system's buffer is known to be alive.
template <class T>
concept byte_stream = requires(T& connection) {
    { connection.end_output() } -> std::same_as<void>;
    { connection.disconnect() } -> std::same_as<void>;
};

/// A transport that can also wait until it is writable: what the threaded drive needs of a non-blocking one. False when the
/// deadline passed first. It only waits: another thread may write or finish meanwhile.
template <class T>
concept waitable_transport = transport<T> && requires(T& connection, time_point deadline) {
    { connection.wait_writable(deadline) } -> std::same_as<bool>;
};

namespace detail {

/// What a write_done reports to.
struct write_target {
    void (*over)(write_target& self, const io_result& how) noexcept;
};

} // namespace detail

/// Call it once, from any thread, when a started write is over. It may be called inside start_write(), and after the writer
/// was destroyed, when it does nothing. If it is destroyed uncalled the write counts as `failed`. Move-only. 8 bytes.
class [[nodiscard]] write_done {
public:
    write_done() = default;
    explicit write_done(detail::write_target& to) noexcept : to_(&to) {}
    write_done(write_done&& other) noexcept : to_(detail::exchange(other.to_, nullptr)) {}
    write_done& operator=(write_done&& other) noexcept {
        if (this != &other) {
            if (to_ != nullptr) (*this)({});
            to_ = detail::exchange(other.to_, nullptr);
        }
        return *this;
    }
    ~write_done() {
        if (to_ != nullptr) (*this)({});
    }

    /// `how.status`: ok (at least one byte), timed_out or failed. Calls the writer's hook, or writes on where the drive is
    /// inline.
    void operator()(const io_result& how) noexcept {
        WSOLO_ASSERT(to_ != nullptr, "a write_done is called once");
        detail::write_target& to = *detail::exchange(to_, nullptr);
        to.over(to, how);
    }

    /// A pointer for C interfaces: io_uring's user_data, libuv's `data`. The code that holds it must call adopt().
    [[nodiscard]] void* release() noexcept { return detail::exchange(to_, nullptr); }
    [[nodiscard]] static write_done adopt(void* released) noexcept {
        return write_done(*static_cast<detail::write_target*>(released));
    }

private:
    detail::write_target* to_ = nullptr;
};

/// A connection whose writes end later (Asio, io_uring, libuv, IOCP).
/// - `start_write(parts, deadline, done)`: starts one gather write from the parts, in order. The span is valid
///   during the call only, the bytes that it names until `done`. A transport that can bound a write itself
///   ends it at the deadline with timed_out; another ignores the deadline, and pump() cancels.
/// - `cancel_write()`: the write in flight is to end soon, by its `done`, with what it took. Called at most once for each
///   write. It may do nothing; then the writer waits, and an endpoint calls disconnect().
/// - `finish(why)`: as a transport's, with no write in flight, but for a writer that is destroyed with one.
template <class T>
concept completion_transport =
    requires(T& connection, std::span<const const_bytes> parts, time_point deadline, write_done done) {
        { connection.start_write(parts, deadline, std::move(done)) } -> std::same_as<void>;
        { connection.cancel_write() } -> std::same_as<void>;
        { connection.finish(end_of_write::drained) } -> std::same_as<void>;
    };

/// What single_writer takes.
template <class T>
concept any_transport = transport<T> || completion_transport<T>;

} // namespace wsolo::inline WSOLO_ABI

// ---- wsolo/write/detail/batch.hpp
// One gather write: which bytes the transport is offered, from which lanes, and how many frames it means when the transport
// took some of the bytes.
//
// Laws of this file:
// - Filled under the outbox's lock, then the property of the thread that runs: the bytes that it names stay where they are
//   until the write is accounted for, whatever is queued meanwhile.
// - Each part starts on a frame boundary, but for the first, which may be the rest of a frame that was begun.

namespace wsolo::inline WSOLO_ABI::detail {

/// Lower leaves first. `greeting` is what the handshake wrote; a PONG answers the peer, a PING measures it, and data
/// waits for both (RFC 6455 §5.5.2, §5.5.3). Close travels in `data`, after everything accepted before it.
enum class lane_id : std::uint8_t { greeting, pong, ping, data };
inline constexpr std::size_t lane_count = 4;
inline constexpr lane_id all_lanes[lane_count] = {lane_id::greeting, lane_id::pong, lane_id::ping,
                                                  lane_id::data};

/// What a write took: bytes and whole frames of each lane, and the frame in which it stopped.
struct taken {
    struct share {
        std::size_t bytes = 0;
        std::uint32_t frames = 0;
    };
    share lanes[lane_count];
    std::size_t begun_rest =
        0; ///< bytes that the begun frame still has; 0: the wire ends on a frame boundary
    lane_id begun = lane_id::data;

    /// Clears in place: an assignment of a new object would wait for that object's stores.
    void clear() noexcept {
        for (share& each : lanes) each.bytes = each.frames = 0;
        begun_rest = 0;
        begun = lane_id::data;
    }
    [[nodiscard]] share& operator[](lane_id id) noexcept { return lanes[static_cast<std::size_t>(id)]; }
    [[nodiscard]] const share& operator[](lane_id id) const noexcept {
        return lanes[static_cast<std::size_t>(id)];
    }
    [[nodiscard]] std::size_t bytes() const noexcept {
        return lanes[0].bytes + lanes[1].bytes + lanes[2].bytes + lanes[3].bytes;
    }
    [[nodiscard]] std::uint32_t frames() const noexcept {
        return lanes[0].frames + lanes[1].frames + lanes[2].frames + lanes[3].frames;
    }
};

class batch {
public:
    /// Entries that one write names: small frames lie back to back in few entries, so few carry many frames.
    static constexpr std::size_t max_entries = 64;

    /// `max_bytes` that one write offers; a frame above that leaves in several. The arrays stay as they are.
    explicit batch(std::size_t max_bytes) noexcept : max_bytes_(max_bytes) {}

    [[nodiscard]] std::size_t max_bytes() const noexcept { return max_bytes_; }
    void clear() noexcept { bytes_ = parts_ = entries_ = 0; }

    /// The rest of an entry: `frames` frames, of which the first is whole. `is_one` where it is one frame, or no frame
    /// at all but bytes of a handshake.
    void add(lane_id from, const_bytes rest, std::uint32_t frames, bool is_one) noexcept {
        ++entries_;
        if (rest.empty()) return; // a mark
        origin& part = origins_[parts_];
        part = {rest.size(), frames, from, is_one};
        const std::size_t room = max_bytes_ - bytes_;
        views_[parts_++] =
            rest.size() > room ? rest.first(room) : rest; // a large frame leaves in several writes
        bytes_ += views_[parts_ - 1].size();
    }

    [[nodiscard]] bool full() const noexcept { return entries_ == max_entries || bytes_ >= max_bytes_; }
    /// A template, so that only a source that sends pays for the checks of such a span.
    template <class View = const_bytes>
    [[nodiscard]] std::span<const View> parts() const noexcept {
        return {views_, parts_};
    }
    [[nodiscard]] std::size_t bytes() const noexcept { return bytes_; }

    /// The transport took the first `count` bytes; `result` is filled where it lies. O(parts), and O(frames of one part)
    /// where it stopped inside.
    void take(std::size_t count, taken& result) const noexcept {
        result.clear();
        for (std::size_t at = 0; count != 0; ++at) {
            const const_bytes view = views_[at];
            const origin& part = origins_[at];
            const std::size_t share = count < view.size() ? count : view.size();
            taken::share& lane = result[part.from];
            lane.bytes += share;
            count -= share;
            if (share == part.size)
                lane.frames += part.frames;
            else
                stop_inside(result, part, view.data(), share);
        }
    }

private:
    struct origin {
        std::size_t size; ///< of the rest, also beyond what this write offers of it
        std::uint32_t frames;
        lane_id from;
        bool is_one;
    };

    static void stop_inside(taken& result, const origin& part, const std::byte* bytes,
                            std::size_t share) noexcept {
        std::size_t begin = 0;
        std::size_t end = part.size;
        if (!part.is_one) {
            for (end = frame_size(bytes); end <= share; end = begin + frame_size(bytes + begin)) {
                ++result[part.from].frames;
                begin = end;
            }
        }
        if (begin == share) return; // on a frame boundary
        result.begun = part.from;
        result.begun_rest = end - share;
    }

    /// Of the frame at `bytes`, which the writer encoded itself.
    static std::size_t frame_size(const std::byte* bytes) noexcept {
        return header_size_announced(bytes[1]) + static_cast<std::size_t>(read_length(bytes));
    }

    union {
        const_bytes views_[max_entries];
    };
    union {
        origin origins_[max_entries];
    };
    std::size_t max_bytes_;
    std::size_t bytes_ = 0;
    std::size_t parts_ = 0;
    std::size_t entries_ = 0;
};

} // namespace wsolo::inline WSOLO_ABI::detail

// ---- wsolo/write/outcome.hpp
// What became of one item: a callback for the sender that asks, called once for each accepted item.
//
// Laws of this file:
// - Exactly one call per accepted item: errc::none when the transport took its last byte, otherwise why it was dropped.
//   A refused item gets none: its send() already said so.
// - It runs with no lock held, in the thread that writes (pump(), an inline sender, the destructor). If a newer item took
//   this one's place it runs in the newer item's sender, inside of its send.
// - It may send: the room of its own item is free again. It must not wait: that answers would_deadlock.

namespace wsolo::inline WSOLO_ABI {

/// A plain function and its context: two words, nothing to allocate. `context` must stay valid until the call.
struct on_outcome {
    /// Called once, or never if the send refused the item. It must not throw.
    void (*call)(void* context, errc outcome) noexcept = nullptr;
    void* context = nullptr;

    [[nodiscard]] explicit operator bool() const noexcept { return call != nullptr; }
    void operator()(errc outcome) const noexcept {
        if (call != nullptr) call(context, outcome);
    }
};

} // namespace wsolo::inline WSOLO_ABI

// ---- wsolo/write/detail/entry.hpp
// A queued item, apart from its bytes: an entry says what the item is and which sender asked for its outcome, and points to
// bytes in a block that it shares with its neighbours, in memory of its own, or in memory that it was given.
//
// Laws of this file:
// - A frame's bytes are contiguous and never move.
// - An entry that leaves in the order in which it came may lie in a block. An entry that may leave or wait out of turn owns
//   its memory. So a block never has a hole, and is freed as soon as its last entry left.
// - Plain data; the outbox's lock guards the links, the sizes and the blocks. The bytes are written before an entry is
//   queued, or under that lock.

namespace wsolo::inline WSOLO_ABI::detail {

/// Memory in which small frames lie back to back, each entry's header right before its bytes.
struct block {
    std::uint32_t capacity;    ///< of the bytes after this header
    std::uint32_t used = 0;    ///< of them, from the front
    std::uint32_t entries = 0; ///< that lie in here
    bool is_placed = false;    ///< in memory of another owner, which frees it
    block* next = nullptr;     ///< for a list of blocks that are to go

    [[nodiscard]] static block* make(std::uint32_t capacity) noexcept {
        void* memory = std::malloc(sizeof(block) + capacity);
        return memory == nullptr ? nullptr : ::new (memory) block{capacity};
    }
    [[nodiscard]] static block* place(void* memory, std::uint32_t capacity) noexcept {
        auto* placed = ::new (memory) block{capacity};
        placed->is_placed = true;
        return placed;
    }
    static void destroy(block* old) noexcept {
        if (old != nullptr && !old->is_placed) std::free(old);
    }

    [[nodiscard]] std::byte* storage() noexcept { return reinterpret_cast<std::byte*>(this + 1); }
    [[nodiscard]] std::uint32_t left() const noexcept { return capacity - used; }
};

enum class entry_kind : std::uint8_t {
    run,       ///< frames whose outcomes were not asked for, back to back in a block
    item,      ///< one frame
    encodable, ///< one frame that may be encoded before it leaves
    mark,      ///< no bytes: a flush
};

struct entry {
    enum class memory : std::uint8_t { in_block, own, shared, adopted };

    entry* next = nullptr;
    entry* previous = nullptr;
    const std::byte* bytes = nullptr;
    std::size_t size = 0;
    on_outcome done{};
    union {
        block* home = nullptr; ///< in a block
        std::uint64_t key;     ///< keyed, and so never in a block
        entry* next_mark;      ///< of a mark: the flush after this one
        std::size_t room;      ///< of one frame in memory of its own: the bytes after this header
    };
    std::uint32_t frames = 0; ///< not yet taken to their last byte
    std::uint32_t number = 0; ///< in the order of acceptance, modulo 2^32
    errc fate = errc::none;   ///< of a mark: the first drop before it; of what is displaced: why
    entry_kind kind = entry_kind::item;
    memory where = memory::in_block;
    bool is_keyed = false;
    bool may_drop = false; ///< for newer data

    /// One frame of `size` bytes in memory of its own, which the caller writes before it is queued; in that of `kept`, an
    /// entry with room for it, where there is one. nullptr when there is no memory; so for the next three.
    [[nodiscard]] static entry* make_own(std::size_t size, on_outcome done = {},
                                         entry* kept = nullptr) noexcept {
        if (size > static_cast<std::size_t>(-1) / 2) return nullptr;
        const std::size_t room = kept == nullptr ? size : kept->room;
        entry* made = kept == nullptr ? allocate(size, memory::own, done) : start(kept, memory::own, done);
        if (made == nullptr) return nullptr;
        made->bytes = made->after();
        made->size = size;
        made->room = room;
        return made;
    }
    /// In memory of malloc's: one frame of `size` bytes, which lies where after() is.
    [[nodiscard]] static entry* make_in(void* memory, std::size_t size) noexcept {
        entry* const made = start(memory, memory::own, {});
        made->bytes = made->after();
        made->size = made->room = size;
        return made;
    }
    [[nodiscard]] static entry* make_copy(const_bytes frame, on_outcome done = {},
                                          entry* kept = nullptr) noexcept {
        entry* made = make_own(frame.size(), done, kept);
        if (made != nullptr) std::memcpy(made->after(), frame.data(), frame.size());
        return made;
    }
    /// One reference to a shared frame.
    [[nodiscard]] static entry* make_shared(const shared_frame& frame, on_outcome done) noexcept {
        return make_around(frame, memory::shared, done);
    }
    /// A frame in memory that the caller allocated. give_back() returns it.
    [[nodiscard]] static entry* make_adopted(owned_frame&& frame, on_outcome done) noexcept {
        return make_around(std::move(frame), memory::adopted, done);
    }
    [[nodiscard]] static entry* make_mark(on_outcome done) noexcept {
        entry* made = allocate(0, memory::own, done);
        if (made == nullptr) return nullptr;
        made->kind = entry_kind::mark;
        made->frames = 0;
        made->next_mark = nullptr;
        return made;
    }

    /// Precondition: not in a block; in no list.
    static void destroy(entry* old) noexcept {
        if (old == nullptr) return;
        if (old->where == memory::shared) old->around<shared_frame>().~shared_frame();
        if (old->where == memory::adopted) old->around<owned_frame>().~owned_frame();
        std::free(old);
    }
    /// Destroys the entry, and calls its callback after that: the memory is free again when the callback runs.
    static void destroy_and_tell(entry* old) noexcept {
        const on_outcome done = old->done;
        const errc how = old->fate;
        destroy(old);
        done(how);
    }

    /// Precondition: made by make_own(), not queued.
    [[nodiscard]] mutable_bytes writable() noexcept { return {after(), size}; }
    /// Precondition: made by make_adopted(), not queued.
    [[nodiscard]] owned_frame give_back() noexcept { return std::move(around<owned_frame>()); }

    /// Precondition: made by make_shared().
    [[nodiscard]] const shared_frame& shared() const noexcept {
        return *std::launder(reinterpret_cast<const shared_frame*>(this + 1));
    }

    [[nodiscard]] std::byte* after() noexcept { return reinterpret_cast<std::byte*>(this + 1); }

private:
    static entry* allocate(std::size_t more, memory where, on_outcome done) noexcept {
        void* memory = std::malloc(sizeof(entry) + more);
        return memory == nullptr ? nullptr : start(memory, where, done);
    }
    static entry* start(void* memory, entry::memory where, on_outcome done) noexcept {
        auto* made = ::new (memory) entry;
        made->where = where;
        made->done = done;
        made->frames = 1;
        return made;
    }
    template <class Frame>
    static entry* make_around(Frame&& frame, memory where, on_outcome done) noexcept {
        using kept_type = std::remove_cvref_t<Frame>;
        entry* made = allocate(sizeof(kept_type), where, done);
        if (made == nullptr) return nullptr;
        const auto* kept = ::new (static_cast<void*>(made->after())) kept_type(std::forward<Frame>(frame));
        made->bytes = kept->bytes().data();
        made->size = kept->bytes().size();
        return made;
    }
    template <class Frame>
    [[nodiscard]] Frame& around() noexcept {
        return *std::launder(reinterpret_cast<Frame*>(after()));
    }
};

static_assert(sizeof(entry) + alignof(entry) <= entry_overhead,
              "the budget charges what an entry costs in a block");
static_assert(sizeof(entry) + 16 <= entry_overhead + frame_overhead,
              "and what it costs in memory of its own");

/// A doubly linked FIFO. Owns nothing.
class entry_list {
public:
    [[nodiscard]] bool empty() const noexcept { return first_ == nullptr; }
    [[nodiscard]] entry* first() const noexcept { return first_; }
    [[nodiscard]] entry* last() const noexcept { return last_; }

    void push(entry* added) noexcept {
        added->next = nullptr;
        added->previous = last_;
        (last_ == nullptr ? first_ : last_->next) = added;
        last_ = added;
    }
    /// `made` takes the place of `old`.
    void replace(entry* old, entry* made) noexcept {
        made->next = old->next;
        made->previous = old->previous;
        (old->previous == nullptr ? first_ : old->previous->next) = made;
        (old->next == nullptr ? last_ : old->next->previous) = made;
    }
    void unlink(entry* old) noexcept {
        (old->previous == nullptr ? first_ : old->previous->next) = old->next;
        (old->next == nullptr ? last_ : old->next->previous) = old->previous;
    }
    [[nodiscard]] entry* pop() noexcept {
        entry* old = first_;
        if (old != nullptr) unlink(old);
        return old;
    }
    /// Moves everything of `from` to this list's end. O(1).
    void splice(entry_list& from) noexcept {
        if (from.empty()) return;
        from.first_->previous = last_;
        (last_ == nullptr ? first_ : last_->next) = from.first_;
        last_ = from.last_;
        from.first_ = from.last_ = nullptr;
    }

private:
    entry* first_ = nullptr;
    entry* last_ = nullptr;
};

} // namespace wsolo::inline WSOLO_ABI::detail

// ---- wsolo/write/detail/accounts.hpp
// How much one writer may hold, how much it holds, and what became of the frames that have left it.
//
// Laws of this file:
// - accepted = written + dropped + replaced + held, in frames and in bytes, after every step.
// - A frame is counted before it is accepted, and no longer once the transport took it. Room that was granted to a waiting
//   sender counts as held.
// - Data pays from the budget; PONGs and PINGs have a reserve, each kind its own, and so have the handshake's bytes (64
//   KiB); Close and a PONG beyond the reserve (which replaces another) are always admitted.

namespace wsolo::inline WSOLO_ABI::detail {

/// What is queued or in flight. All zero while the writer is idle, so it lives in the queue's heap block.
struct holdings {
    std::size_t data_bytes = 0;
    /// Granted to waiting senders, overhead included, and to the message that is encoded.
    std::size_t reserved_bytes = 0;
    std::uint32_t reserved_frames = 0;
    std::uint32_t data_frames = 0;
    std::uint32_t entries = 0; ///< of data
    /// Bytes of the oldest data entry that the transport took, where they are freed with the rest of it.
    std::size_t lingering = 0;
    std::size_t control_bytes = 0;
    std::size_t greeting_bytes = 0;                    ///< what the handshake writes
    std::uint32_t control_frames[lane_count - 1] = {}; ///< greeting, PONG, PING

    /// Budget in use: wire bytes plus overhead.
    [[nodiscard]] std::size_t charged() const noexcept {
        return data_bytes + lingering + data_frames * frame_overhead + entries * entry_overhead;
    }
    void add(lane_id to, std::size_t bytes, std::uint32_t frames) noexcept {
        if (to == lane_id::data) {
            data_bytes += bytes;
            data_frames += frames;
        } else {
            (to == lane_id::greeting ? greeting_bytes : control_bytes) += bytes;
            control_frames[static_cast<std::size_t>(to)] += frames;
        }
    }
    void remove(lane_id from, std::size_t bytes, std::uint32_t frames) noexcept {
        add(from, 0 - bytes, 0 - frames);
    }
    [[nodiscard]] std::uint32_t count(lane_id of) const noexcept {
        return of == lane_id::data ? data_frames : control_frames[static_cast<std::size_t>(of)];
    }
};

/// Bytes by which a frame's header grows with its payload, at most: its length of 16 bits becomes one of 64 (RFC 6455 §5.2).
inline constexpr std::size_t header_growth = 6;

/// What would be dropped from the queue to make room.
struct relief {
    std::size_t charge = 0;
    std::uint32_t frames = 0;
};

/// Rules without a hook: of an outbox by itself, in tests.
class own_rules {
public:
    constexpr own_rules(const writer_options& options) noexcept : kept_(options) {}
    [[nodiscard]] constexpr const writer_rules& rules() const noexcept { return kept_; }

private:
    writer_rules kept_;
};

/// The limits and the totals. `Owner` has the rules: an owner_link, or own_rules. Not thread-safe: the outbox calls it under its
/// lock. O(1) throughout.
template <class Owner>
class basic_accounts {
public:
    explicit basic_accounts(Owner owner) : owner_(std::move(owner)) {}

    [[nodiscard]] Owner& owner() noexcept { return owner_; }
    [[nodiscard]] const writer_rules& rules() const noexcept { return owner_.rules(); }

    [[nodiscard]] overflow when_full() const noexcept { return rules().when_full; }
    /// Whether plain data leaves in the order in which it comes: no open message holds it back, and none may be dropped.
    [[nodiscard]] bool keeps_order() const noexcept {
        return !in_message_ && rules().when_full != overflow::drop_oldest;
    }

    /// What a data frame costs, in an entry of its own or in the one before it.
    [[nodiscard]] static constexpr std::size_t charge_of(std::size_t size,
                                                         bool starts_entry = true) noexcept {
        return size + frame_overhead + (starts_entry ? entry_overhead : 0);
    }

    /// Whether a data frame that costs `charge` fits now, into half of the budget where others have the other half, once
    /// `leaving` has left.
    [[nodiscard]] errc admit(const holdings& held, std::size_t charge, bool half,
                             const relief& leaving = {}) const noexcept {
        if (charge > rules().max_bytes) return errc::too_large;
        const std::uint64_t frames = std::uint64_t{held.data_frames} + held.reserved_frames - leaving.frames;
        const std::size_t in_use = held.charged() + held.reserved_bytes - leaving.charge;
        const bool fits =
            frames < frame_bound(half) && in_use <= byte_bound(half) && charge <= byte_bound(half) - in_use;
        return fits ? errc::none : errc::queue_full;
    }
    /// Whether a small data frame is accepted by an idle writer without more ado.
    [[nodiscard]] bool admits_first(std::size_t size) const noexcept {
        return keeps_order() && is_inline(size) && charge_of(size) <= rules().max_bytes;
    }
    /// admit() for a small data frame in the entry of the one before it.
    [[nodiscard]] bool admits_next(const holdings& held, std::size_t size) const noexcept {
        const std::uint64_t frames = std::uint64_t{held.data_frames} + held.reserved_frames;
        const std::size_t in_use =
            held.charged() + held.reserved_bytes; // of memory: a little more is no overflow
        return frames < rules().max_frames && in_use + charge_of(size, false) <= rules().max_bytes;
    }
    /// Whether a mark may queue: one may stand above the bound, so that a full queue can be flushed too.
    [[nodiscard]] errc admit_mark(const holdings& held, bool half) const noexcept {
        return held.charged() > byte_bound(half) ? errc::queue_full : errc::none;
    }
    [[nodiscard]] errc admit_control(const holdings& held, lane_id to, std::size_t size) const noexcept {
        const bool fits = to == lane_id::greeting
                              ? size <= most_greeting && held.greeting_bytes <= most_greeting - size
                              : to != lane_id::ping || held.count(to) < rules().control_reserve;
        return fits ? errc::none : errc::queue_full;
    }
    /// Whether half of the bounds is free.
    [[nodiscard]] bool is_half_free(const holdings& held) const noexcept {
        return held.charged() <= byte_bound(true) && held.data_frames <= frame_bound(true);
    }
    [[nodiscard]] bool pongs_full(const holdings& held) const noexcept {
        return held.count(lane_id::pong) >= rules().control_reserve;
    }

    /// How much a waiting sender is to be granted: never more than the budget.
    [[nodiscard]] std::size_t grantable(std::size_t charge) const noexcept {
        return charge < rules().max_bytes ? charge : rules().max_bytes;
    }

    static constexpr std::uint32_t least_block = 4 * 1024;
    static constexpr std::uint32_t most_block = 64 * 1024;
    /// The largest block for small frames: what is left open of it stays small beside the budget.
    [[nodiscard]] std::uint32_t largest_block() const noexcept {
        const std::size_t share = rules().max_bytes / 16;
        return share < least_block  ? least_block
               : share < most_block ? static_cast<std::uint32_t>(share)
                                    : most_block;
    }
    /// Frames up to this size may lie in a block; larger ones own their memory, so that blocks are filled well.
    [[nodiscard]] std::size_t inline_limit() const noexcept {
        return largest_block() / 8 < most_inline ? largest_block() / 8 : most_inline;
    }

    [[nodiscard]] bool is_inline(std::size_t size) const noexcept {
        return size <= least_block / 8 || size <= inline_limit(); // the first one saves the others a division
    }

    /// Bytes beside the budget in which one message is encoded: a part of what the heap may have above it.
    [[nodiscard]] std::size_t encoding_room() const noexcept {
        return rules().max_bytes / 8 + std::size_t{32} * 1024;
    }

    /// Bytes by which one frame may grow when it is encoded: as far as the budget has room for them now.
    [[nodiscard]] std::size_t encoding_growth(const holdings& held) const noexcept {
        constexpr std::size_t most = encoder_growth + header_growth;
        const std::size_t in_use = held.charged() + held.reserved_bytes;
        const std::size_t left = in_use < rules().max_bytes ? rules().max_bytes - in_use : 0;
        return left < most ? left : most;
    }

    /// Bytes of free memory that a busy writer may keep: what is queued leaves them of the budget.
    [[nodiscard]] std::size_t most_kept(const holdings& held) const noexcept {
        const std::size_t charged = held.charged();
        return charged < rules().max_bytes ? rules().max_bytes - charged : 0;
    }

    /// An idle writer keeps no memory, but it remembers how much small frames took when it was busy last: as much again is likely to
    /// fit into one block then, and to leave in one piece.
    void note_burst(std::size_t bytes) noexcept {
        const std::size_t units = bytes / burst_unit + 1;
        last_burst_ = static_cast<std::uint8_t>(units < most_burst_units ? units : most_burst_units);
    }
    [[nodiscard]] std::size_t last_burst() const noexcept { return last_burst_ * burst_unit; }
    /// For a first frame of `size` bytes, and what is likely to follow it.
    [[nodiscard]] std::size_t first_room(std::size_t size) const noexcept {
        const std::size_t most = largest_block() - sizeof(entry); // no larger than any other block
        const std::size_t room = last_burst() < most ? last_burst() : most;
        return room < size ? size : room;
    }

    /// Removes what a write took of a lane from the books.
    void settle(holdings& held, lane_id from, const taken::share& done) noexcept {
        held.remove(from, done.bytes, done.frames);
        frames_written_ += done.frames;
        bytes_written_ += done.bytes;
    }
    /// All that is held is data, and was written.
    void settle_all(const holdings& held) noexcept {
        frames_written_ += held.data_frames;
        bytes_written_ += held.data_bytes;
    }
    /// A queued data frame leaves, unwritten.
    void drop(holdings& held, std::size_t size) noexcept {
        held.remove(lane_id::data, size, 1);
        --held.entries;
        ++frames_dropped_;
        bytes_dropped_ += size;
    }
    void replace_pong(holdings& held, std::size_t size) noexcept {
        held.remove(lane_id::pong, size, 1);
        ++pongs_replaced_;
        bytes_replaced_ += static_cast<std::uint32_t>(size); // a control frame's
    }
    /// Nothing of what is held will be written.
    void drop_all(holdings& held) noexcept {
        frames_dropped_ += held.data_frames;
        for (const std::uint32_t frames : held.control_frames) frames_dropped_ += frames;
        bytes_dropped_ += held.data_bytes + held.control_bytes + held.greeting_bytes;
        held = {};
    }

    // ---- watermarks

    /// Notes a climb to the high mark. True exactly once for each climb.
    [[nodiscard]] bool climbed(const holdings& held) noexcept {
        const std::size_t charged = held.charged();
        if (charged < (rules().max_bytes >> 7U) * rules().high_water)
            return false; // well below the mark, without a division
        if (above_ || rules().high_water == 0 || charged < mark(rules().high_water)) return false;
        above_ = untold_ = true;
        return true;
    }
    /// Whether the high mark was reached, and the low one not since.
    [[nodiscard]] bool is_above() const noexcept { return above_ || untold_; }
    [[nodiscard]] bool is_climb_untold() const noexcept { return untold_; }
    [[nodiscard]] bool take_climb() noexcept {
        const bool climbed = untold_;
        untold_ = false;
        return climbed;
    }
    /// Whether the observer is to be told of a fall to the low mark.
    [[nodiscard]] bool has_fallen(const holdings& held) const noexcept {
        return above_ && held.charged() <= mark(rules().low_water);
    }
    [[nodiscard]] bool take_fall(const holdings& held) noexcept {
        const bool fell = has_fallen(held);
        if (fell) above_ = false;
        return fell;
    }

    // ---- the message that is open

    [[nodiscard]] bool in_message() const noexcept { return in_message_; }
    /// Whether the open message has frames in the queue or on the wire.
    [[nodiscard]] bool message_begun() const noexcept { return message_begun_; }
    void open_message() noexcept { in_message_ = true; }
    void begin_message() noexcept { message_begun_ = true; }
    void end_message() noexcept { in_message_ = message_begun_ = false; }

    void note_close(close_code code) noexcept { close_ = static_cast<std::uint64_t>(code); }
    void note_reason(errc why) noexcept { reason_ = static_cast<std::uint64_t>(why); }
    [[nodiscard]] errc reason() const noexcept { return static_cast<errc>(reason_); }

    void fill(drain_report& report) const noexcept {
        report.close = static_cast<close_code>(close_);
        report.reason = reason();
        report.frames_written = frames_written_;
        report.frames_dropped = frames_dropped_;
        report.bytes_written = bytes_written_;
        report.bytes_dropped = bytes_dropped_;
        report.pongs_replaced = pongs_replaced_;
        report.bytes_replaced = bytes_replaced_;
    }

private:
    static constexpr std::size_t most_inline = 2048;
    static constexpr std::size_t burst_unit = 256;
    static constexpr std::size_t most_burst_units = 31 * 1024 / burst_unit;
    /// Bytes of a handshake's answer that may wait.
    static constexpr std::size_t most_greeting = 64 * 1024;

    [[nodiscard]] std::size_t byte_bound(bool half) const noexcept {
        return half ? rules().max_bytes / 2 : rules().max_bytes;
    }
    [[nodiscard]] std::uint32_t frame_bound(bool half) const noexcept {
        return half ? rules().max_frames / 2 : rules().max_frames;
    }
    [[nodiscard]] std::size_t mark(std::uint8_t percent) const noexcept {
        return rules().max_bytes / 100 * percent + rules().max_bytes % 100 * percent / 100;
    }

    // An idle writer stays small: from wide to narrow, and what can't fill a word shares one. (All of one type, because some
    // compilers put no others together.)
    [[no_unique_address]] Owner owner_;
    std::uint64_t frames_written_ = 0;
    std::uint64_t bytes_written_ = 0;
    std::uint64_t bytes_dropped_ = 0;
    std::uint64_t frames_dropped_ : 48 = 0;
    std::uint64_t close_ : 16 = static_cast<std::uint64_t>(close_code::abnormal);
    std::uint64_t bytes_replaced_ : 40 = 0; // of up to 2^32 PONGs
    std::uint64_t reason_ : 8 = static_cast<std::uint64_t>(errc::none);
    std::uint64_t last_burst_ : 8 = 0; // in units
    std::uint64_t above_ : 1 = false;
    std::uint64_t untold_ : 1 = false;
    std::uint64_t in_message_ : 1 = false;
    std::uint64_t message_begun_ : 1 = false;
    std::uint32_t pongs_replaced_ = 0; // modulo 2^32
};

using accounts = basic_accounts<own_rules>;

} // namespace wsolo::inline WSOLO_ABI::detail

// ---- wsolo/write/detail/lane.hpp
// One FIFO of a connection: its entries, and the block in which its small frames lie back to back.
//
// Laws of this file:
// - Entries leave from the front, as bytes are taken; only the newest frame can be taken back.
// - A lane fills one block at a time. An older block takes no more frames, and is freed when its last entry left.
// - The outbox's lock is held around every call.

namespace wsolo::inline WSOLO_ABI::detail {

struct lane {
    lane() noexcept {
    } // NOLINT(modernize-use-equals-default): its zeros are stored one by one, not by a loop of bytes

    entry_list entries;
    block* filling = nullptr;  ///< where the next small frame goes
    std::size_t taken = 0;     ///< bytes of the first entry
    std::size_t last_size = 0; ///< of the newest frame
    std::uint32_t planned = 0; ///< entries from the first that a write names

    /// Whether a frame follows the newest ones in the same entry. A `closed` lane's entries do not grow while a write names
    /// them, so that its newest frame can still be taken back.
    [[nodiscard]] bool extends_run(std::size_t size, const on_outcome& done, bool closed) const noexcept {
        const entry* last = entries.last();
        return !done && last != nullptr && last->kind == entry_kind::run && last->home == filling &&
               filling->left() >= size && (!closed || planned == 0);
    }
    [[nodiscard]] static bool fits(const block* in, std::size_t size) noexcept {
        return in != nullptr && aligned(in->used) + sizeof(entry) + size <= in->capacity;
    }

    /// Where to write a frame that extends_run().
    [[nodiscard]] std::byte* extend(std::size_t size) noexcept {
        entry& run = *entries.last();
        std::byte* const at = filling->storage() + filling->used;
        run.size += size;
        ++run.frames;
        filling->used += static_cast<std::uint32_t>(size);
        last_size = size;
        return at;
    }
    /// A new entry, with its bytes after it, in the block, which has room for it.
    [[nodiscard]] entry* append(std::size_t size, const on_outcome& done) noexcept {
        auto* made = ::new (static_cast<void*>(filling->storage() + aligned(filling->used))) entry;
        made->bytes = made->after();
        made->size = size;
        made->done = done;
        made->home = filling;
        made->frames = 1;
        made->kind = done ? entry_kind::item : entry_kind::run;
        filling->used = aligned(filling->used) + static_cast<std::uint32_t>(sizeof(entry) + size);
        ++filling->entries;
        last_size = size;
        entries.push(made);
        return made;
    }

    /// Whether the newest frame is neither named by a write nor begun. O(entries).
    [[nodiscard]] bool can_take_back(bool is_begun) const noexcept {
        std::uint32_t count = 0;
        for (const entry* at = entries.first(); at != nullptr; at = at->next) ++count;
        return count > planned && !(is_begun && count == 1 && entries.first()->frames == 1);
    }
    /// Takes the newest frame out of its entry. Returns the entry, unlinked, if that was its last frame.
    [[nodiscard]] entry* take_back() noexcept {
        entry& newest = *entries.last();
        newest.size -= last_size;
        newest.home->used -= static_cast<std::uint32_t>(last_size);
        if (--newest.frames != 0) return nullptr;
        // Up to the end of the entry before it, which may be a run that goes on: no gap between its frames.
        const entry* const before = newest.previous;
        const bool goes_on = before != nullptr && before->home == newest.home;
        newest.home->used = static_cast<std::uint32_t>(
            goes_on ? before->bytes + before->size - newest.home->storage()
                    : reinterpret_cast<const std::byte*>(&newest) - newest.home->storage());
        entries.unlink(&newest);
        return &newest;
    }

    /// Names what a write may offer, after the `begun_rest` bytes of a frame that is named already.
    void plan(batch& out, lane_id id, std::size_t begun_rest) noexcept {
        std::size_t offset = taken + begun_rest;
        std::uint32_t frames_begun = begun_rest != 0 ? 1 : 0;
        planned = 0;
        for (const entry* item = entries.first(); item != nullptr && !out.full(); item = item->next) {
            if (item->kind == entry_kind::encodable) break; // it is to be encoded first
            const bool is_one = item->kind != entry_kind::run;
            out.add(id, {item->bytes + offset, item->size - offset}, item->frames - frames_begun, is_one);
            ++planned;
            offset = frames_begun = 0;
        }
        if (begun_rest != 0 && planned == 0) planned = 1;
    }

private:
    [[nodiscard]] static std::uint32_t aligned(std::uint32_t used) noexcept { return (used + 7U) & ~7U; }
};

} // namespace wsolo::inline WSOLO_ABI::detail

// ---- wsolo/write/detail/room_waiter.hpp
// Senders that wait for room in the budget: first come, first served.
//
// Laws of this file:
// - A waiter brings its node, and the push that was refused links it, in the same step: no room is missed.
// - Room is granted, not announced: it is reserved for this waiter until its next push, and a sender that comes later waits
//   after the earlier ones.
// - The granting thread calls wake() once, with no lock held, and touches the node no more.

namespace wsolo::inline WSOLO_ABI::detail {

enum class room_state : std::uint8_t {
    none,    ///< not in a queue
    waits,   ///< linked
    granted, ///< `charge` bytes and a frame are reserved
    ended,   ///< the writer accepts nothing any more
};

/// All of it but `wake` belongs to the outbox's lock.
struct room_waiter {
    void (*wake)(room_waiter& self) noexcept = nullptr;
    std::size_t charge = 0; ///< bytes of budget
    room_waiter* next = nullptr;
    std::uint32_t number = 0; ///< in the order of coming, modulo 2^32
    room_state state = room_state::none;
};

/// A FIFO of them. Owns nothing.
class room_queue {
public:
    [[nodiscard]] bool empty() const noexcept { return first_ == nullptr; }
    [[nodiscard]] room_waiter* first() const noexcept { return first_; }

    void push(room_waiter& added) noexcept {
        added.next = nullptr;
        *(first_ == nullptr ? &first_ : &last_->next) = &added;
        last_ = &added;
    }
    /// At its place by number. O(1) for the newest, else O(waiters).
    void insert(room_waiter& added) noexcept {
        if (first_ == nullptr || comes_before(*last_, added)) return push(added);
        room_waiter** at = &first_;
        while (comes_before(**at, added)) at = &(*at)->next;
        added.next = *at;
        *at = &added;
    }
    [[nodiscard]] room_waiter& pop() noexcept {
        room_waiter& taken = *first_;
        first_ = taken.next;
        return taken;
    }
    /// Takes `old`, which is in here, out. O(waiters).
    void remove(room_waiter& old) noexcept {
        room_waiter* before = nullptr;
        for (room_waiter* at = first_; at != &old; at = at->next) before = at;
        (before == nullptr ? first_ : before->next) = old.next;
        if (last_ == &old) last_ = before;
    }
    /// Wakes all. A waiter may be gone as soon as it is woken.
    void wake_all() noexcept {
        while (!empty()) {
            room_waiter& due = pop();
            due.wake(due);
        }
    }

private:
    static bool comes_before(const room_waiter& left, const room_waiter& right) noexcept {
        return static_cast<std::int32_t>(left.number - right.number) < 0;
    }

    room_waiter* first_ = nullptr;
    room_waiter* last_ = nullptr;
};

} // namespace wsolo::inline WSOLO_ABI::detail

// ---- wsolo/write/detail/errands.hpp
// What was decided under a writer's lock and is done after it: memory to free, senders to wake, outcomes to tell.
//
// Laws of this file:
// - What stands here was unlinked under the lock, and belongs to this thread alone.
// - Memory is freed first, then senders are woken, then outcomes are told: a callback finds the room of its own item free.

namespace wsolo::inline WSOLO_ABI::detail {

class errands {
public:
    errands() noexcept {} // NOLINT(modernize-use-equals-default): the arrays stay as they are
    errands(const errands&) = delete;
    errands& operator=(const errands&) = delete;
    ~errands() {
        if (has_memory()) free_memory();
    }

    /// One write names as many entries, so what it took always fits.
    static constexpr std::uint32_t max_outcomes = 64;

    [[nodiscard]] bool has_place() const noexcept { return count_ < max_outcomes; }
    /// Outcomes to tell.
    [[nodiscard]] std::uint32_t outcomes() const noexcept { return count_; }
    /// Whether a callback is to be called, or a waiting sender to be woken.
    [[nodiscard]] bool must_tell() const noexcept {
        return count_ != 0 || !due.empty() || !displaced_.empty();
    }

    void free(entry* old) noexcept {
        old->next = entries_;
        entries_ = old;
    }
    void free(block* old) noexcept {
        old->next = blocks_;
        blocks_ = old;
    }
    /// Precondition: has_place().
    void tell(const on_outcome& done, errc how) noexcept {
        if (!done) return;
        calls_[count_] = done.call;
        contexts_[count_] = done.context;
        outcomes_[count_++] = how;
    }
    /// `old` gave way to newer data: it will be destroyed, and then its callback is told `fate`.
    void displace(entry* old) noexcept { displaced_.push(old); }

    room_queue due; ///< to be woken

    /// No lock is held. Owner of nothing afterwards.
    void run() noexcept {
        if (has_memory()) free_memory();
        due.wake_all();
        for (std::uint32_t at = 0; at != count_; ++at) calls_[at](contexts_[at], outcomes_[at]);
        count_ = 0;
        while (entry* old = displaced_.pop()) entry::destroy_and_tell(old);
    }
    [[nodiscard]] bool empty() const noexcept { return !must_tell() && !has_memory(); }

private:
    [[nodiscard]] bool has_memory() const noexcept { return entries_ != nullptr || blocks_ != nullptr; }
    [[gnu::noinline]] void free_memory() noexcept {
        while (entries_ != nullptr) entry::destroy(detail::exchange(entries_, entries_->next));
        while (blocks_ != nullptr) block::destroy(detail::exchange(blocks_, blocks_->next));
    }

    entry* entries_ = nullptr;
    block* blocks_ = nullptr;
    entry_list displaced_;
    std::uint32_t count_ = 0;
    void (*calls_[max_outcomes])(void*, errc) noexcept;
    void* contexts_[max_outcomes];
    errc outcomes_[max_outcomes];
};

} // namespace wsolo::inline WSOLO_ABI::detail

// ---- wsolo/write/detail/spares.hpp
// Memory that frames left, kept for the next ones while the writer is busy. A general allocator gives the top of its heap
// back to the system after each burst, and the next burst pays a page fault for every 4 KiB of its frames.
//
// Laws of this file:
// - Queued and kept memory together stay within the budget: a later push takes the place of kept memory. All of it is freed
//   when the writer is idle.
// - Last in, first out: what left last is still in the cache.
// - The outbox's lock is held around every call: memory that is not kept is handed to the errands.

namespace wsolo::inline WSOLO_ABI::detail {

class spares {
public:
    /// `first`: an empty block, which costs nothing to keep, or nullptr.
    explicit spares(block* first) noexcept : blocks_(first) {}
    spares(const spares&) = delete;
    spares& operator=(const spares&) = delete;
    ~spares() {
        while (block* old = pop(blocks_)) block::destroy(old);
        while (entry* old = pop(entries_)) entry::destroy(old);
    }

    /// Bytes that are kept, but for one block.
    [[nodiscard]] std::size_t bytes() const noexcept { return bytes_; }
    /// Of the blocks; 0 where there is none.
    [[nodiscard]] std::uint32_t block_capacity() const noexcept {
        return blocks_ == nullptr ? 0 : blocks_->capacity;
    }

    /// Precondition: there is one.
    [[nodiscard]] block* take_block() noexcept {
        block* const taken = pop(blocks_);
        if (blocks_ != nullptr) bytes_ -= blocks_->capacity;
        return taken;
    }
    /// An entry with memory for `size` bytes after it, and little more; nullptr where the newest one is none.
    [[nodiscard]] entry* take_entry(std::size_t size) noexcept {
        if (entries_ == nullptr || entries_->room < size || entries_->room - size > size / 8) return nullptr;
        bytes_ -= entries_->room;
        return pop(entries_);
    }

    /// Blocks of one capacity are kept, the greatest that came.
    void keep(block* empty, std::size_t most, errands& todo) noexcept {
        empty->used = 0;
        if (empty->capacity > block_capacity()) {
            while (blocks_ != nullptr) free(take_block(), todo);
        } else if (empty->capacity < block_capacity() || !has_room(empty->capacity, most)) {
            return free(empty, todo);
        }
        if (blocks_ != nullptr) bytes_ += empty->capacity;
        empty->next = detail::exchange(blocks_, empty);
    }
    /// Precondition: in memory of its own, without a key, and unlinked.
    void keep(entry* old, std::size_t most, errands& todo) noexcept {
        if (!has_room(old->room, most)) return todo.free(old);
        bytes_ += old->room;
        old->next = detail::exchange(entries_, old);
    }

    /// Keeps no more than `most`. O(1) where that is so already.
    void shrink(std::size_t most, errands& todo) noexcept {
        while (bytes_ > most && entries_ != nullptr) {
            bytes_ -= entries_->room;
            todo.free(pop(entries_));
        }
        while (bytes_ > most) free(take_block(), todo);
    }

private:
    [[nodiscard]] bool has_room(std::size_t bytes, std::size_t most) const noexcept {
        return bytes <= most && bytes_ <= most - bytes;
    }
    static void free(block* old, errands& todo) noexcept {
        if (!old->is_placed) todo.free(old);
    }
    template <class Node>
    [[nodiscard]] static Node* pop(Node*& first) noexcept {
        Node* const taken = first;
        if (taken != nullptr) first = taken->next;
        return taken;
    }

    block* blocks_;
    entry* entries_ = nullptr;
    std::size_t bytes_ = 0;
};

} // namespace wsolo::inline WSOLO_ABI::detail

// ---- wsolo/write/detail/queue.hpp
// Everything queued on one connection: four lanes of entries, the blocks of the small frames among them, the data that
// waits for a fragmented message to end, and the senders that wait for room. One heap block, there while the writer is
// busy; the first small frames may lie in it.
//
// Laws of this file:
// - The outbox's lock is held around every call, but for `write_deadline` and `has_slept`, which are the running thread's.
// - judge() changes nothing; displace() and place() can't fail. Between them lies only finding memory.
// - What a write names (the first `planned` entries of a lane) stays until that write is accounted for; but a mark, which
//   has no bytes, may be withdrawn: then one entry more than needed stays.
// - An entry owns its memory when it may leave or wait out of turn; all others lie in their lane's blocks, in order.

namespace wsolo::inline WSOLO_ABI::detail {

[[nodiscard]] constexpr time_point earlier(time_point a, time_point b) noexcept { return a < b ? a : b; }

/// Where a frame stands in a fragmented message.
enum class message_part : std::uint8_t { none, part, last };

/// How a close is bounded, and what it says.
struct closing {
    close_code code = close_code::abnormal;
    time_point drain_deadline = no_deadline;
};

/// What is to be queued.
struct offer {
    std::size_t size = 0; ///< wire bytes
    on_outcome done{};
    lane_id to = lane_id::data;
    message_part part = message_part::none;
    bool is_mark = false;
    bool is_encodable = false; ///< it may be encoded before it leaves
    bool is_awaited = false;   ///< a mark for which a thread sleeps: there are no more of them than threads
    bool may_displace = false; ///< whether something queued may give way to it
    room_waiter* waiter = nullptr;  ///< of a sender that waits where there is no room
    const closing* close = nullptr; ///< of a Close frame

    [[nodiscard]] bool is_close() const noexcept { return close != nullptr; }

    /// Whether it comes for room that was granted.
    [[nodiscard]] bool is_granted() const noexcept {
        return waiter != nullptr && waiter->state == room_state::granted;
    }
    [[nodiscard]] bool is_plain_data() const noexcept {
        return to == lane_id::data && part == message_part::none && !is_close();
    }
};

/// How far the entries of one write are encoded.
struct encoding_scan {
    /// The last one that was claimed, or the encoded form in its place. It stays in the lane until the write, because what is claimed
    /// can be neither replaced nor dropped, and only the thread that holds the turn writes.
    entry* last = nullptr;
    std::size_t bytes = 0;   ///< of the write
    std::size_t entries = 0; ///< that it names
    std::size_t plain = 0;   ///< bytes of those that were claimed
    std::size_t growth = 0;  ///< bytes that `last` may grow by: the budget keeps them for it meanwhile

    /// Of messages that are encoded before one write (writer_options::max_gather): what it costs delays the bytes that could leave.
    static constexpr std::size_t quantum = std::size_t{64} * 1024;
};

/// What judge() says.
struct [[nodiscard]] verdict {
    errc error = errc::none;
    bool displaces = false; ///< something is to give way first
};

class queue {
public:
    /// With room for small frames, or, where the first one owns its memory, without: most writers are idle again after it.
    /// nullptr when there is no memory.
    [[nodiscard]] static queue* make(bool with_room = true) noexcept {
        return make_of(with_room ? heap_bytes : 0);
    }
    /// With room for a first frame of `size` bytes, a small one.
    [[nodiscard]] static queue* make_for(std::size_t size) noexcept {
        const std::size_t least = sizeof(queue) + sizeof(block) + sizeof(entry) + size;
        return make_of(least < heap_bytes ? heap_bytes : least);
    }
    static void destroy(queue* old) noexcept {
        if (old == nullptr) return;
        old->~queue();
        std::free(old);
    }
    queue(const queue&) = delete;
    queue& operator=(const queue&) = delete;

    [[nodiscard]] bool has_entries() const noexcept {
        for (const lane& each : lanes_) {
            if (!each.entries.empty()) return true;
        }
        return false;
    }
    /// Data that waits for the open message to end.
    [[nodiscard]] bool has_deferred() const noexcept { return !after_message_.empty(); }
    /// Whether the wire ends inside a frame: nothing but that frame's rest may follow.
    [[nodiscard]] bool mid_frame() const noexcept { return begun_rest_ != 0; }
    /// What even an abort lets out: the rest of a frame that was begun, and what the handshake wrote.
    [[nodiscard]] bool must_finish() const noexcept {
        return mid_frame() || !of(lane_id::greeting).entries.empty();
    }
    /// Room that was granted is kept here until its sender comes for it.
    [[nodiscard]] bool is_unused() const noexcept {
        return !has_entries() && !has_deferred() && waiters.empty() && held.reserved_frames == 0;
    }

    /// Whether all that is queued is one entry of data, with nothing beside it that waits for room or for its turn.
    [[nodiscard]] bool has_one_entry() const noexcept {
        return held.entries == 1 && held.control_bytes == 0 && held.greeting_bytes == 0 && waiters.empty() &&
               held.reserved_frames == 0;
    }
    /// That entry, where its outcome was not asked for and nothing of it was written; nullptr otherwise.
    [[nodiscard]] const entry* sole() const noexcept {
        const lane& data = of(lane_id::data);
        const entry* const item = data.entries.first(); // nullptr: it waits for the open message to end
        const bool is_sole = has_one_entry() && item != nullptr && data.taken == 0;
        return is_sole && !item->done && item->kind < entry_kind::encodable ? item : nullptr;
    }

    // ---- in

    /// Whether other data than the open message's own waits for that message's end, and leaves it half of the budget.
    [[nodiscard]] static bool is_deferred(const offer& what, const auto& books) noexcept {
        return books.in_message() && what.is_plain_data();
    }

    /// Whether a small frame follows the lane's newest ones in the same entry.
    [[nodiscard]] bool extends_run(const offer& what) const noexcept {
        return of(what.to).extends_run(what.size, what.done, what.to != lane_id::data);
    }

    /// Whether a plain data frame is accepted without more ado: it follows the newest ones in the same entry, fits, and
    /// overtakes nothing.
    [[nodiscard]] bool follows(std::size_t size, const on_outcome& done, const auto& books) const noexcept {
        return of(lane_id::data).extends_run(size, done, false) && books.is_inline(size) &&
               books.keeps_order() && waiters.empty() && books.admits_next(held, size);
    }
    /// Where to write it.
    [[nodiscard]] std::byte* follow(std::size_t size) noexcept {
        held.add(lane_id::data, size, 1);
        return of(lane_id::data).extend(size);
    }

    /// Whether it fits: errc::none, queue_full or too_large; and whether displace() is to make its room. `same`: the queued
    /// item that it would replace. Changes nothing. O(1); O(entries) where items would give way.
    [[nodiscard]] verdict judge(const offer& what, std::size_t charge, const entry* same,
                                const auto& books) const noexcept {
        if (what.to != lane_id::data || what.is_close() || what.is_mark) return judge_other(what, books);
        const bool half = is_deferred(what, books);
        const bool is_granted = what.is_granted();
        relief leaving;
        if (same != nullptr) leaving = {charge_of(*same), 1};
        if (is_granted) leaving = {leaving.charge + what.waiter->charge, leaving.frames + 1};
        // First come, first served: a newcomer gets no room but what it brings along.
        const bool overtakes = !waiters.empty() && !is_granted && what.part == message_part::none;
        if (overtakes && charge > leaving.charge)
            return {books.admit({}, charge, half) == errc::too_large ? errc::too_large : errc::queue_full};
        const errc now = books.admit(held, charge, half, leaving);
        if (now != errc::queue_full) return {now, leaving.frames != 0};
        if (books.when_full() != overflow::drop_oldest) return {now};
        return {judge_dropping(charge, half, same, leaving, books), true};
    }

    /// The queued item of this key that a write does not name, or nullptr. O(entries).
    [[nodiscard]] entry* find(std::uint64_t key) const noexcept {
        entry* found = nullptr;
        const auto is_same = [&](entry& old) {
            if (old.is_keyed && old.key == key) found = &old;
            return found == nullptr;
        };
        for_each_waiting(is_same);
        return found;
    }

    /// Makes the room that judge() found: what gives way goes to `todo`.
    void displace(const offer& what, std::size_t charge, entry* same, auto& books, errands& todo) noexcept {
        if (what.is_granted()) give_back(*what.waiter);
        if (what.to == lane_id::pong) return replace_newest_pong(books, todo);
        if (same != nullptr) drop(same, errc::conflated, books, todo);
        while (books.admit(held, charge, is_deferred(what, books)) == errc::queue_full) {
            entry* oldest = nullptr;
            for_each_droppable([&](entry& old) { return (oldest = &old) == nullptr; });
            if (oldest == nullptr) return;
            drop(oldest, errc::dropped_oldest, books, todo);
        }
    }

    /// A block with room for a small frame, from the lane's own, the spare one, or `fresh`. False when that takes memory:
    /// a fresh block of wanted_block() bytes.
    [[nodiscard]] bool find_room(const offer& what, block*& fresh, const auto& books,
                                 errands& todo) noexcept {
        lane& to = of(what.to);
        if (lane::fits(to.filling, what.size)) return true;
        // A control lane holds little: it takes no large block.
        const bool may_take = sizeof(entry) + what.size <= spares_.block_capacity() &&
                              (what.to == lane_id::data || spares_.block_capacity() <= accounts::least_block);
        block* next = may_take ? spares_.take_block() : nullptr;
        if (next == nullptr && lane::fits(fresh, what.size)) {
            next = detail::exchange(fresh, nullptr);
            spares_.shrink(books.most_kept(held), todo);
            if (what.to == lane_id::data && block_size_ < accounts::most_block) block_size_ *= 4;
        }
        if (next == nullptr) return false;
        if (what.to == lane_id::data && to.filling != nullptr) full_bytes_ += to.filling->used;
        if (to.filling != nullptr && to.filling->entries == 0)
            spares_.keep(to.filling, books.most_kept(held), todo);
        to.filling = next;
        return true;
    }
    /// Memory that a large frame left, for another one. nullptr: there is none of that size.
    [[nodiscard]] entry* take_kept(std::size_t size) noexcept { return spares_.take_entry(size); }

    /// Blocks grow while traffic lasts, and start small again after an idle moment.
    [[nodiscard]] std::uint32_t wanted_block(const offer& what, const auto& books) const noexcept {
        if (what.to != lane_id::data) return accounts::least_block;
        return block_size_ < books.largest_block() ? block_size_ : books.largest_block();
    }

    /// Bytes that small data took of its blocks while the writer was busy.
    [[nodiscard]] std::size_t small_bytes() const noexcept {
        const block* const last = of(lane_id::data).filling;
        return full_bytes_ + (last == nullptr || last->used < most_filled_ ? most_filled_ : last->used);
    }

    /// Where to write a small frame, which extends_run() or has found room.
    [[nodiscard]] std::byte* place_small(const offer& what, bool extends) noexcept {
        if (!extends) return append_small(what.to, what.size, what.done);
        held.add(what.to, what.size, 1);
        return of(what.to).extend(what.size);
    }
    /// Where to write the first one. Precondition: made with room for it, and not used yet.
    [[nodiscard]] std::byte* place_first(std::size_t size, const on_outcome& done) noexcept {
        of(lane_id::data).filling = spares_.take_block();
        return append_small(lane_id::data, size, done);
    }

    /// Queues an entry that owns its memory.
    void place(const offer& what, entry* owned, const auto& books, errands& todo) noexcept {
        held.add(what.to, owned->size, owned->frames);
        if (what.to == lane_id::data) {
            owned->number = next_number_++;
            ++held.entries;
            owned->may_drop =
                books.when_full() == overflow::drop_oldest && what.is_plain_data() && !what.is_mark;
            spares_.shrink(books.most_kept(held), todo);
        }
        if (what.is_mark) add_mark(owned);
        // A mark stands after what was accepted before it, and waits for nothing later.
        const bool waits = is_deferred(what, books) && !(what.is_mark && after_message_.empty());
        (waits ? after_message_ : of(what.to).entries).push(owned);
    }

    /// Takes the mark back whose outcome goes to `context`. False: it has left. O(marks).
    [[nodiscard]] bool withdraw_mark(const void* context, errands& todo) noexcept {
        entry* before = nullptr;
        entry* mark = first_mark_;
        for (; mark != nullptr && mark->done.context != context; mark = mark->next_mark) before = mark;
        if (mark == nullptr) return false;
        (before == nullptr ? first_mark_ : before->next_mark) = mark->next_mark;
        if (last_mark_ == mark) last_mark_ = before;
        list_of(*mark).unlink(mark);
        if (held.entries != 0) --held.entries; // after drop_all() the books hold nothing
        todo.free(mark);
        return true;
    }

    /// The open message is over: what waited for that follows it.
    void end_message() noexcept { of(lane_id::data).entries.splice(after_message_); }

    // ---- senders that wait

    void wait(room_waiter& waiter, std::size_t charge) noexcept {
        if (waiter.state == room_state::granted)
            give_back(waiter); // it came before those that wait
        else
            waiter.number = next_waiter_++;
        waiters.insert(waiter);
        waiter.charge = charge;
        waiter.state = room_state::waits;
    }
    /// Room for those who wait, in their order.
    void grant(const auto& books, room_queue& due) noexcept {
        while (!waiters.empty() &&
               books.admit(held, waiters.first()->charge, books.in_message()) == errc::none) {
            room_waiter& next = waiters.pop();
            next.state = room_state::granted;
            held.reserved_bytes += next.charge;
            ++held.reserved_frames;
            due.push(next);
        }
    }
    void end_waits(room_queue& due) noexcept {
        while (!waiters.empty()) {
            room_waiter& next = waiters.pop();
            next.state = room_state::ended;
            due.push(next);
        }
    }
    /// What was granted and is taken now, or not wanted any more.
    void give_back(room_waiter& waiter) noexcept {
        held.reserved_bytes -= waiter.charge;
        --held.reserved_frames;
        waiter.state = room_state::none;
    }

    // ---- out

    /// The next frame, after those of `scan`, that the next write would name and that is to be encoded first, or nullptr. It gives
    /// way to nothing any more. `max_bytes`: of one write. Over all calls for one write O(its entries).
    [[nodiscard]] entry* claim_encodable(encoding_scan& scan, std::size_t max_bytes,
                                         const auto& books) noexcept {
        entry* item = scan.last == nullptr ? of(lane_id::data).entries.first() : scan.last->next;
        for (; item != nullptr; item = item->next) {
            if (scan.entries == batch::max_entries || scan.bytes >= max_bytes ||
                scan.plain >= encoding_scan::quantum)
                return nullptr;
            ++scan.entries;
            if (item->kind == entry_kind::encodable) break;
            scan.bytes += item->size;
        }
        if (item == nullptr) return nullptr;
        if (detail::exchange(item->is_keyed, false)) item->room = item->size; // the key's place
        item->may_drop = false;
        scan.plain += item->size;
        scan.growth =
            item->where == entry::memory::shared ? 0 : books.encoding_growth(held); // a form is shorter
        held.reserved_bytes += scan.growth;
        return scan.last = item;
    }
    /// What was claimed last is encoded: `made` takes its place, or it leaves as it is where that is null.
    void settle_encoded(encoding_scan& scan, entry* made, const auto& books, errands& todo) noexcept {
        entry* const plain = scan.last;
        plain->kind = entry_kind::item;
        held.reserved_bytes -= scan.growth;
        scan.bytes += made == nullptr ? plain->size : made->size;
        if (made == nullptr) return;
        scan.last = made;
        made->number = plain->number;
        made->done = detail::exchange(plain->done, {});
        held.data_bytes += made->size - plain->size;
        of(lane_id::data).entries.replace(plain, made);
        if (plain->where == entry::memory::own)
            spares_.keep(plain, books.most_kept(held), todo);
        else
            todo.free(plain);
    }

    /// The next write; with `only_what_must`, just what an abort still lets out.
    void plan(batch& out, bool only_what_must) noexcept {
        out.clear();
        if (begun_rest_ != 0) {
            const lane& from = of(begun_);
            out.add(begun_, {from.entries.first()->bytes + from.taken, begun_rest_}, 1, true);
        }
        for (const lane_id id : all_lanes) {
            lane& from = of(id);
            if (from.entries.empty()) continue; // it names none
            const std::size_t begun_rest = begun_ == id ? begun_rest_ : 0;
            if (only_what_must && id != lane_id::greeting)
                from.planned = begun_rest != 0 ? 1 : 0;
            else
                from.plan(out, id, begun_rest);
        }
    }

    /// A write names the one entry that there is.
    void note_planned_sole() noexcept { of(lane_id::data).planned = 1; }

    /// The write is over, or there was none: what it took leaves, and so do the marks that have nothing before them.
    void account(const taken& done, auto& books, errands& todo) noexcept {
        for (const lane_id id : all_lanes) {
            lane& from = of(id);
            if (from.entries.empty()) continue;
            from.planned = 0;
            books.settle(held, id, done[id]);
            consume(from, done[id], books.most_kept(held), todo);
        }
        const lane& data = of(lane_id::data);
        const entry* oldest = data.entries.first();
        const bool lingers = oldest != nullptr && oldest->where != entry::memory::in_block;
        held.lingering = lingers ? data.taken : 0;
        if (done.bytes() != 0) {
            begun_ = done.begun;
            begun_rest_ = done.begun_rest;
        }
    }

    // ---- the end

    /// Everything leaves, unwritten; but what a write in flight still names only loses its outcome. The books were told
    /// before. True when there is more than `todo` has place for.
    [[nodiscard]] bool drop_some(errc why, errands& todo) noexcept {
        for (lane& from : lanes_) {
            entry* item = from.entries.first();
            for (std::uint32_t at = 0; at != from.planned && item != nullptr; ++at, item = item->next) {
                if (!item->done) continue;
                if (!todo.has_place()) return true;
                todo.tell(detail::exchange(item->done, {}), outcome_of(*item, why));
            }
            while (item != nullptr) {
                if (!todo.has_place()) return true;
                entry* const next = item->next;
                from.entries.unlink(item);
                todo.tell(item->done, outcome_of(*item, why));
                release(&from, item, 0, todo);
                item = next;
            }
        }
        while (!after_message_.empty()) {
            if (!todo.has_place()) return true;
            entry* const item = after_message_.pop();
            todo.tell(item->done, outcome_of(*item, why));
            release(nullptr, item, 0, todo);
        }
        return false;
    }

    /// When a parked writer must be looked at again.
    [[nodiscard]] time_point deadline() const noexcept { return earlier(write_deadline, close_deadline); }

    holdings held;
    room_queue waiters;
    time_point close_deadline = no_deadline;
    time_point gate_deadline = no_deadline;  ///< of the handshake
    time_point write_deadline = no_deadline; ///< of the write that stands; the running thread's own
    bool has_slept = false; ///< through that deadline, without progress since; the same thread's

private:
    explicit queue(std::size_t heap) noexcept : spares_(heap > sizeof(queue) ? first_block(heap) : nullptr) {}
    ~queue() {
        for (lane& each : lanes_) {
            for (entry* item = each.entries.first(); item != nullptr;) {
                entry* const next = item->next;
                if (item->where != entry::memory::in_block) {
                    entry::destroy(item);
                } else if (--item->home->entries == 0 && item->home != each.filling) {
                    block::destroy(item->home);
                }
                item = next;
            }
            block::destroy(each.filling);
        }
        while (entry* item = after_message_.pop()) entry::destroy(item);
    }

    static constexpr std::size_t heap_bytes =
        1024; // the first small frames lie in what this object leaves of it

    [[nodiscard]] static queue* make_of(std::size_t heap) noexcept {
        void* memory = std::malloc(heap < sizeof(queue) ? sizeof(queue) : heap);
        return memory == nullptr ? nullptr : ::new (memory) queue(heap);
    }
    [[nodiscard]] block* first_block(std::size_t heap) noexcept {
        return block::place(this + 1, static_cast<std::uint32_t>(heap - sizeof(queue) - sizeof(block)));
    }
    [[nodiscard]] std::byte* append_small(lane_id to, std::size_t size, const on_outcome& done) noexcept {
        held.add(to, size, 1);
        entry* const made = of(to).append(size, done);
        if (to == lane_id::data) {
            made->number = next_number_++;
            ++held.entries;
        }
        return made->after();
    }

    [[nodiscard]] lane& of(lane_id id) noexcept { return lanes_[static_cast<std::size_t>(id)]; }
    [[nodiscard]] const lane& of(lane_id id) const noexcept { return lanes_[static_cast<std::size_t>(id)]; }

    [[nodiscard]] static std::size_t charge_of(const entry& item) noexcept {
        return accounts::charge_of(item.size);
    }

    [[nodiscard]] verdict judge_other(const offer& what, const auto& books) const noexcept {
        if (what.is_mark)
            return {what.is_awaited ? errc::none : books.admit_mark(held, is_deferred(what, books))};
        if (what.to == lane_id::pong && books.pongs_full(held))
            return {what.may_displace ? errc::none : errc::queue_full, true};
        return {what.is_close() ? errc::none : books.admit_control(held, what.to, what.size)};
    }
    /// With the oldest items gone, as many as it takes.
    [[nodiscard]] errc judge_dropping(std::size_t charge, bool half, const entry* same, relief leaving,
                                      const auto& books) const noexcept {
        errc fits_then = errc::queue_full;
        for_each_droppable([&](const entry& old) {
            if (&old == same) return true;
            leaving = {leaving.charge + charge_of(old), leaving.frames + 1};
            fits_then = books.admit(held, charge, half, leaving);
            return fits_then == errc::queue_full;
        });
        return fits_then;
    }

    /// Calls visit(entry&) for the data that no write has named or begun, oldest first, until it answers false.
    template <class Visit>
    void for_each_waiting(Visit visit) const noexcept {
        const lane& data = of(lane_id::data);
        std::uint32_t skip = data.planned;
        if (skip == 0 && begun_rest_ != 0 && begun_ == lane_id::data) skip = 1;
        for (entry* item = data.entries.first(); item != nullptr; item = item->next) {
            if (skip != 0)
                --skip;
            else if (!visit(*item))
                return;
        }
        for (entry* item = after_message_.first(); item != nullptr; item = item->next) {
            if (!visit(*item)) return;
        }
    }
    template <class Visit>
    void for_each_droppable(Visit visit) const noexcept {
        for_each_waiting([&](entry& item) { return !item.may_drop || visit(item); });
    }

    /// The list that `item`, data, is in. (Where it is neither first nor last, unlinking it from either is the same.)
    [[nodiscard]] entry_list& list_of(const entry& item) noexcept {
        const bool is_deferred = &item == after_message_.first() || &item == after_message_.last();
        return is_deferred ? after_message_ : of(lane_id::data).entries;
    }

    /// One item gives way to a newer one. Each flush after it says so.
    void drop(entry* old, errc why, auto& books, errands& todo) noexcept {
        books.drop(held, old->size);
        list_of(*old).unlink(old);
        for (entry* mark = first_mark_; mark != nullptr; mark = mark->next_mark) {
            const bool is_after = static_cast<std::int32_t>(mark->number - old->number) > 0;
            if (is_after && mark->fate == errc::none) mark->fate = why;
        }
        // A flush that had only this to wait for waits for the message no more.
        while (after_message_.first() != nullptr && after_message_.first()->kind == entry_kind::mark)
            of(lane_id::data).entries.push(after_message_.pop());
        old->fate = why;
        if (old->done)
            todo.displace(old);
        else
            todo.free(old);
    }

    /// RFC 6455 §5.5.3: the newest PING's answer will do. The one before it leaves, unless a write names it.
    void replace_newest_pong(auto& books, errands& todo) noexcept {
        lane& pongs = of(lane_id::pong);
        if (!pongs.can_take_back(begun_rest_ != 0 && begun_ == lane_id::pong)) return;
        books.replace_pong(held, pongs.last_size);
        entry* const empty = pongs.take_back();
        if (empty == nullptr) return;
        todo.tell(empty->done, errc::conflated);
        release(&pongs, empty, books.most_kept(held), todo);
    }

    void consume(lane& from, const taken::share& done, std::size_t may_keep, errands& todo) noexcept {
        std::uint32_t frames = done.frames;
        from.taken += done.bytes;
        while (entry* item = from.entries.first()) {
            if (from.taken < item->size || !todo.has_place()) break;
            from.taken -= item->size;
            frames -= item->frames;
            from.entries.unlink(item);
            todo.tell(item->done, outcome_of(*item, errc::none));
            if (&from == &of(lane_id::data)) --held.entries;
            release(&from, item, may_keep, todo);
        }
        if (!from.entries.empty()) from.entries.first()->frames -= frames;
    }

    /// What became of an entry that leaves for `why`; a flush remembers the first drop before it.
    [[nodiscard]] static errc outcome_of(const entry& item, errc why) noexcept {
        return item.kind == entry_kind::mark && item.fate != errc::none ? item.fate : why;
    }

    void add_mark(entry* mark) noexcept {
        (last_mark_ == nullptr ? first_mark_ : last_mark_->next_mark) = mark;
        last_mark_ = mark;
    }

    /// Gives the memory of an unlinked entry back, or keeps it. `from`: its lane, if it may lie in one of its blocks.
    void release(lane* from, entry* old, std::size_t may_keep, errands& todo) noexcept {
        if (old->kind == entry_kind::mark) { // marks leave in the order in which they came
            first_mark_ = old->next_mark;
            if (first_mark_ == nullptr) last_mark_ = nullptr;
            return todo.free(old);
        }
        if (old->where == entry::memory::own && !old->is_keyed) return spares_.keep(old, may_keep, todo);
        if (old->where != entry::memory::in_block) return todo.free(old);
        block* const home = old->home;
        if (--home->entries != 0) return;
        if (from == nullptr || home != from->filling) return spares_.keep(home, may_keep, todo);
        if (from == &of(lane_id::data) && home->used > most_filled_) most_filled_ = home->used;
        home->used = 0;
    }

    lane lanes_[lane_count];
    entry_list after_message_; ///< data that waits for a fragmented message to end
    spares spares_;
    entry* first_mark_ = nullptr;
    entry* last_mark_ = nullptr;
    std::size_t begun_rest_ = 0; ///< bytes of the frame in which the wire ends
    std::uint32_t next_number_ = 0;
    std::uint32_t next_waiter_ = 0;
    std::uint32_t block_size_ = accounts::least_block;
    std::uint32_t most_filled_ = 0; ///< bytes of a block of data that was emptied, and goes on being filled
    std::size_t full_bytes_ = 0;    ///< bytes of the blocks that data filled before the one that it fills
    lane_id begun_ = lane_id::data;
};

static_assert(batch::max_entries <= errands::max_outcomes, "what one write took is told at once");

} // namespace wsolo::inline WSOLO_ABI::detail

// ---- wsolo/write/detail/outbox.hpp
// The state of a writer: its lock, and under it the turn, the seal, the books and the queue. Each request of any thread, and
// each decision of the thread that runs, is one step under the lock.
//
// Laws of this file:
// - push() is one function for everything that is queued; only small data whose steps decide nothing takes a shorter way: it
//   follows others in their entry, or is an idle writer's first. Its steps, in this order: open? - fits? - memory - what gives
//   way - place - turn. A step that fails undoes nothing, because nothing that counts was done before "what gives way".
// - Once sealed nothing is accepted, for ever; Close is the push that seals.
// - Under the lock there is no allocation, no deallocation, no system call, no copy above 2 KiB, and no user code but a
//   client's key source.
// - A parked turn is recalled by a close, an abort, a flush, a climb to the high mark, a sender that starts to wait for room
//   and a completion; never by a plain send.

namespace wsolo::inline WSOLO_ABI::detail {

/// What the caller must do after a push, or another change.
enum class wake : std::uint8_t {
    nothing,
    hook, ///< the schedule hook; the turn was claimed for it
    look, ///< the same, but the gate is shut: only for the sake of a new deadline
};

struct [[nodiscard]] push_result {
    errc error = errc::none;
    wake owed = wake::nothing;
};

/// What the running thread is to do.
enum class next_step : std::uint8_t {
    tell,        ///< user code is to hear of something first; then ask again
    encode,      ///< `plain`, then settle_encoded(), until that names no other; then ask again
    write,       ///< the batch
    released,    ///< nothing is left: the turn is free, and the writer not to be touched
    handed_over, ///< the quantum is used up: the turn is the hook's, and is to be called as the last act
    parked,      ///< until the transport is writable or the deadline passes; the writer is not to be touched
    drained,     ///< Close was the last thing written
    late,        ///< something is left, and the drain has no try left
    aborted,     ///< the end
};

/// What next() is told, and what it answers besides.
struct round {
    taken done{};            ///< what the last write took
    bool is_blocked = false; ///< the transport would block
    bool is_used_up = false; ///< the quantum
    bool was_last = false;   ///< the last write was the drain's last
    bool is_encoded = false; ///< what the next write names, as far as it is to be
    // answers
    entry* plain = nullptr;
    encoding_scan scan{};
    bool high = false; ///< tell the observer, in this order
    bool low = false;
    time_point deadline = no_deadline;       ///< of the write that stands, or of the drain
    time_point drain_deadline = no_deadline; ///< of a close or an abort
    queue* idle = nullptr;                   ///< to be destroyed
};

/// A write of all that is queued, which is one entry.
struct sole_write {
    std::size_t most = 0; ///< bytes of one write; 0: none is to be found
    const_bytes bytes{};  ///< empty: there is more to it
    std::uint32_t frames = 0;
    bool is_one = false; ///< one frame, or frames back to back
};

/// Each function takes the lock itself; those below "the running thread" are for the turn's holder.
/// `Owner` has the writer's rules: see accounts.
template <class Traits, class Owner = own_rules>
class outbox {
public:
    outbox(Owner owner, turn_state first) : books_(std::move(owner)), turn_(first) {}
    outbox(const outbox&) = delete;
    outbox& operator=(const outbox&) = delete;
    ~outbox() { queue::destroy(queue_); }

    // ---- any thread

    /// Queues an item: `owned`, where there is one; or a frame that `encode(mutable_bytes)` writes under the lock, up to
    /// 2 KiB; or, where it must own its memory, the entry that `make(kept)` returns, with the lock free (in the memory of
    /// `kept`, where that is not null). An entry that was not taken over is the caller's, in `owned`. The caller runs
    /// `todo`, then what is owed.
    template <class Encode, class Make>
    push_result push(const offer& what, entry*& owned, Encode encode, Make make, errands& todo) noexcept {
        lock_.lock();
        return push_locked(what, owned, encode, make, todo);
    }

    /// The straight path: takes the lock, and queues a small data frame where nothing has to be decided, because it follows
    /// others in their entry, or is the first of an idle writer. False: it did nothing, and the lock is held for push_locked(), to
    /// which `work` is given.
    template <class Encode>
    [[nodiscard]] bool try_follow_or_stay_locked(std::size_t size, const on_outcome& done, Encode& encode,
                                                 wake& owed, queue*& work) noexcept {
        lock_.lock();
        if (sealed_) return false;
        if (queue_ != nullptr && queue_->follows(size, done, books_)) {
            encode(mutable_bytes(queue_->follow(size), size));
        } else {
            if (queue_ != nullptr || !books_.admits_first(size)) return false;
            const std::size_t room = books_.first_room(size);
            lock_.unlock();
            work = queue::make_for(room);
            lock_.lock();
            if (work == nullptr || queue_ != nullptr || sealed_ || !books_.keeps_order()) return false;
            queue_ = std::exchange(work, nullptr);
            encode(mutable_bytes(queue_->place_first(size, done), size));
        }
        owed = turn_after_data();
        lock_.unlock();
        return true;
    }
    /// push(), with the lock held already. It is free afterwards. `work`: a queue that is there if one is needed, or null.
    template <class Encode, class Make>
    push_result push_locked(const offer& what, entry*& owned, Encode& encode, Make& make, errands& todo,
                            queue* work = nullptr) noexcept {
        fresh_memory fresh(work);
        push_result result;
        for (;; lock_.lock()) {
            const need missing = try_push(what, owned, encode, fresh, result, todo);
            lock_.unlock();
            if (missing == need::nothing) return result;
            const bool is_found = missing == need::entry
                                      ? (owned = make(detail::exchange(fresh.kept, nullptr))) != nullptr
                                      : fresh.find(missing);
            if (is_found) continue;
            const scoped_hold hold(lock_);
            drop_unused(fresh.idle);
            return {errc::out_of_memory};
        }
    }

    /// Whether an item of `size` bytes might be accepted now: spares the work of encoding it in vain.
    [[nodiscard]] errc admits(const offer& what, const std::uint64_t* key = nullptr) noexcept {
        const scoped_hold hold(lock_);
        if (sealed_) return errc::closed;
        const entry* same = key == nullptr || queue_ == nullptr ? nullptr : queue_->find(*key);
        return judge(what, accounts::charge_of(what.size), same).error;
    }

    /// Opens a fragmented message: until its last part other data waits, control does not.
    [[nodiscard]] errc open_message() noexcept {
        const scoped_hold hold(lock_);
        if (sealed_) return errc::closed;
        if (books_.in_message()) return errc::message_open;
        books_.open_message();
        return errc::none;
    }
    /// A message of which nothing was sent ends as if it had never begun.
    [[nodiscard]] wake drop_message(errands& todo) noexcept {
        const scoped_hold hold(lock_);
        return end_message(todo) && !sealed_ ? claim() : wake::nothing;
    }

    /// While corked no plain send asks for the hook. False: there are as many corks as can be counted.
    [[nodiscard]] bool cork() noexcept {
        const scoped_hold hold(lock_);
        if (corks_ == UINT8_MAX) return false;
        ++corks_;
        return true;
    }
    [[nodiscard]] wake uncork() noexcept {
        const scoped_hold hold(lock_);
        --corks_;
        return has_work() ? claim() : wake::nothing;
    }

    /// Seals, and has everything dropped at the next frame boundary, or at `finish_by`. It does not wait for a gate.
    [[nodiscard]] wake abort(errc why, time_point finish_by) noexcept {
        const scoped_hold hold(lock_);
        if (turn_.is(turn_state::finished)) return wake::nothing;
        begin_abort(why == errc::none ? errc::aborted : why, finish_by);
        return turn_.revoke() || turn_.recall() || turn_.claim() ? wake::hook : wake::nothing;
    }

    /// Withdraws a sender that waits. False: it was granted room, or the end came, and it is being woken.
    [[nodiscard]] bool withdraw(room_waiter& waiter, errands& todo, queue*& idle) noexcept {
        const scoped_hold hold(lock_);
        if (waiter.state != room_state::waits) return false;
        queue_->waiters.remove(waiter);
        waiter.state = room_state::none;
        pass_on(todo, idle);
        return true;
    }
    /// A thread sleeps no more for its flush. True: it has no outcome; false: it has one, or is about to.
    [[nodiscard]] bool withdraw_mark(const void* context, errands& todo, queue*& idle) noexcept {
        const scoped_hold hold(lock_);
        if (queue_ == nullptr || !queue_->withdraw_mark(context, todo)) return false;
        pass_on(todo, idle);
        return true;
    }
    /// A sender was refused for another reason than a full queue: the room that it was granted goes to the others.
    void decline(room_waiter& waiter, errands& todo, queue*& idle) noexcept {
        const scoped_hold hold(lock_);
        if (waiter.state != room_state::granted || sealed_) return;
        queue_->give_back(waiter);
        pass_on(todo, idle);
    }
    /// Why a sender was woken: granted or ended.
    [[nodiscard]] room_state state_of(const room_waiter& waiter) noexcept {
        return locked([&] { return waiter.state; });
    }

    /// Bounds the handshake. `fresh` is taken where there is no queue yet. False: it is over.
    [[nodiscard]] bool bound_gate(time_point deadline, queue*& fresh) noexcept {
        const scoped_hold hold(lock_);
        if (!turn_.is(turn_state::gated)) return false;
        if (queue_ == nullptr) queue_ = detail::exchange(fresh, nullptr);
        queue_->gate_deadline = deadline;
        return true;
    }
    [[nodiscard]] wake open_gate(queue*& idle) noexcept {
        const scoped_hold hold(lock_);
        if (!turn_.open()) return wake::nothing; // its deadline, or an abort, came first
        if ((sealed_ || has_work()) && turn_.claim()) return wake::hook;
        drop_unused(idle);
        return wake::nothing;
    }

    /// For the destructor: nothing is accepted any more, and no sender waits for room. True when the turn is the caller's;
    /// else the thread that runs makes the end.
    [[nodiscard]] bool give_up(room_queue& due) noexcept {
        const scoped_hold hold(lock_);
        WSOLO_ASSERT(!turn_.is(turn_state::gated), "a single_writer is destroyed before its init_gate");
        begin_abort(errc::aborted, no_deadline);
        is_dying_ = true;
        if (queue_ != nullptr) queue_->end_waits(due);
        return turn_.seize();
    }

    /// Runs `work` under the lock and returns its result.
    template <class Work>
    auto locked(Work work) noexcept {
        const scoped_hold hold(lock_);
        return work();
    }
    [[nodiscard]] turn_state state() noexcept {
        return locked([this] { return turn_.state(); });
    }
    [[nodiscard]] std::size_t queued_bytes() noexcept {
        return locked([this] { return queue_ == nullptr ? 0 : queue_->held.charged(); });
    }
    [[nodiscard]] std::uint32_t queued_frames() noexcept {
        return locked([this] { return queue_ == nullptr ? 0 : queue_->held.data_frames; });
    }
    [[nodiscard]] bool is_half_free() noexcept {
        return locked([this] { return queue_ == nullptr || books_.is_half_free(queue_->held); });
    }
    /// Without the lock: nothing in it changes.
    [[nodiscard]] const writer_rules& rules() const noexcept { return books_.rules(); }
    [[nodiscard]] Owner& owner() noexcept { return books_.owner(); }
    /// Whether a message may have so many bytes of payload. Without the lock: it never changes.
    [[nodiscard]] errc judge_length(std::uint64_t payload) const noexcept {
        return payload > rules().max_message ? errc::too_large : errc::none;
    }

    [[nodiscard]] drain_report report() noexcept {
        return locked([this] {
            drain_report report;
            books_.fill(report);
            report.partial_frame = partial_frame_;
            report.deadline_hit = deadline_hit_;
            report.transport_error = transport_error_;
            return report;
        });
    }

    // ---- the running thread

    /// Takes the turn, or says what pump() answers instead, in one look. Where all that is queued is one entry, and nothing has to be
    /// decided, `found` names it for a write.
    [[nodiscard]] bool begin(pump_result& instead, sole_write& found) noexcept {
        const scoped_hold hold(lock_);
        if (turn_.begin() || turn_.resume()) {
            find_sole(found);
            return true;
        }
        switch (turn_.state()) {
        case turn_state::running: instead = {pump_status::busy}; break;
        case turn_state::gated: instead = {pump_status::busy, gate_deadline()}; break;
        case turn_state::finished: instead = {pump_status::finished}; break;
        default: instead = {pump_status::idle}; break;
        }
        return false;
    }
    /// The gate has stood until its deadline, or a close's: the caller runs, to make the end. What the handshake wrote has
    /// until `finish_by` to leave.
    [[nodiscard]] bool expire_gate(time_point now, time_point finish_by) noexcept {
        const scoped_hold hold(lock_);
        if (!turn_.is(turn_state::gated) || now < gate_deadline()) return false;
        begin_abort(now < queue_->gate_deadline ? errc::drain_timed_out : errc::handshake_timeout, finish_by);
        deadline_hit_ = true;
        return turn_.expire();
    }
    /// The turn that this thread claimed a moment ago.
    [[nodiscard]] bool begin_claimed() noexcept {
        const scoped_hold hold(lock_);
        return turn_.begin();
    }

    [[nodiscard]] bool begin(pump_result& instead) noexcept {
        sole_write none;
        return begin(instead, none);
    }
    /// After a write of what begin() found, which took these bytes, all of them. True: nothing came meanwhile, the turn is free, and the
    /// writer not to be touched; `idle` is to be destroyed. False: it did nothing.
    [[nodiscard]] bool settle_sole(std::size_t bytes, queue*& idle) noexcept {
        const scoped_hold hold(lock_);
        if (!is_straight() || !queue_->has_one_entry() || queue_->held.data_bytes != bytes) return false;
        books_.note_burst(queue_->small_bytes());
        books_.settle_all(queue_->held);
        idle = std::exchange(queue_, nullptr); // with the entry
        turn_.release();
        return true;
    }

    /// Settles the last write and decides what is next. `todo` is to be run in any case. `Encodes`: whether there is an encoder.
    template <bool Encodes = false>
    next_step next(round& how, batch& plan, errands& todo) noexcept {
        const scoped_hold hold(lock_);
        how.high = how.low = false;
        // A used-up quantum ends also what outcomes go on asking for.
        if (!how.is_used_up || how.done.bytes() != 0) settle(how, todo);
        if (todo.must_tell() || how.high || how.low) return next_step::tell;
        const bool is_urgent = aborting_;
        if (is_urgent && (is_dying_ || queue_ == nullptr || !queue_->must_finish()))
            return next_step::aborted;
        if (queue_ != nullptr && queue_->has_entries()) {
            how.deadline = queue_->deadline();
            how.drain_deadline = queue_->close_deadline;
            if (how.was_last) return next_step::late;
            if (how.is_blocked) return leave(next_step::parked);
            if (how.is_used_up) return leave(next_step::handed_over);
            if constexpr (Encodes) {
                if (!is_urgent && !how.is_encoded) {
                    how.scan = {};
                    how.plain = queue_->claim_encodable(how.scan, plan.max_bytes(), books_);
                    if (how.plain != nullptr) return next_step::encode;
                }
            }
            queue_->plan(plan, is_urgent);
            return next_step::write;
        }
        if (sealed_) return next_step::drained;
        if (queue_ != nullptr && queue_->is_unused()) {
            books_.note_burst(queue_->small_bytes());
            how.idle = detail::exchange(queue_, nullptr);
        }
        return leave(next_step::released);
    }

    /// After next() said encode: `made` takes the place of `plain`, or is null. `plain` is then what is to be encoded next, or null.
    void settle_encoded(round& how, entry* made, const batch& plan, errands& todo) noexcept {
        const scoped_hold hold(lock_);
        queue_->settle_encoded(how.scan, made, books_, todo);
        static_cast<void>(books_.climbed(queue_->held)); // it may have grown
        how.plain = aborting_ ? nullptr : queue_->claim_encodable(how.scan, plan.max_bytes(), books_);
        how.is_encoded = how.plain == nullptr;
    }
    /// Bytes that one message may have once it is encoded: to a peer that limits what it receives before it decodes it, the message
    /// is no longer than the others. Without the lock: it never changes.
    [[nodiscard]] std::size_t encoding_room() const noexcept {
        const std::size_t room = books_.encoding_room();
        return room < rules().max_message ? room : rules().max_message;
    }

    /// How things stand while a write is in flight.
    struct standing {
        bool is_over = false;
        bool is_dying = false;
        bool high = false; ///< tell the observer
        time_point write_deadline = no_deadline;
        time_point drain_deadline = no_deadline; ///< of a close or an abort
        [[nodiscard]] bool drains() const noexcept { return drain_deadline <= write_deadline; }
        [[nodiscard]] time_point deadline() const noexcept { return earlier(write_deadline, drain_deadline); }
        [[nodiscard]] time_point later() const noexcept { return drains() ? write_deadline : drain_deadline; }
    };
    /// `over` is the write's own flag, which its completion sets under the lock.
    standing look(const bool& over, errands& todo) noexcept {
        const scoped_hold hold(lock_);
        serve_waiters(todo);
        return {over, is_dying_, books_.take_climb(), queue_->write_deadline, queue_->close_deadline};
    }
    /// The turn waits for the write in flight. False when look() has something new. `seen`: the drain's deadline.
    [[nodiscard]] bool park_started(const bool& over, time_point seen) noexcept {
        const scoped_hold hold(lock_);
        if (over || is_dying_ || books_.is_climb_untold() || queue_->close_deadline < seen) return false;
        turn_.park();
        return true;
    }
    /// The completion, any thread: `note()` says that the write is over.
    template <class Note>
    [[nodiscard]] wake end_started(Note note) noexcept {
        const scoped_hold hold(lock_);
        note();
        return turn_.recall() ? wake::hook : wake::nothing;
    }

    /// How the writer ends. What is left is dropped; tell_dropped() tells it.
    struct [[nodiscard]] ending {
        errc reason = errc::none;  ///< none: drained
        bool is_abandoned = false; ///< a write in flight is left to the transport
        bool hit_deadline = false;
        int transport_error = 0;
    };
    void finish(round& last, const ending& how, errands& todo) noexcept {
        const scoped_hold hold(lock_);
        if (!how.is_abandoned) settle(last, todo); // what the transport still reads stays named
        if (!aborting_) books_.note_reason(how.reason);
        // A peer must not take half a message, or a message without those accepted before it, for all there was.
        const bool is_unfinished = books_.message_begun() || (queue_ != nullptr && queue_->has_deferred());
        if (books_.reason() == errc::none && is_unfinished) books_.note_reason(errc::message_unfinished);
        deadline_hit_ |= how.hit_deadline;
        transport_error_ = how.transport_error;
        partial_frame_ = how.is_abandoned || (queue_ != nullptr && queue_->mid_frame());
        sealed_ = aborting_ = true; // the reason stands
        if (queue_ == nullptr) return;
        books_.drop_all(queue_->held);
        queue_->end_waits(todo.due);
    }
    /// Tells what finish() dropped, in rounds. True: there is more.
    [[nodiscard]] bool tell_dropped(errands& todo) noexcept {
        const scoped_hold hold(lock_);
        const errc why = books_.reason();
        return queue_ != nullptr && queue_->drop_some(why == errc::none ? errc::closed : why, todo);
    }
    /// The last touch of the writer. The queue is the caller's.
    [[nodiscard]] queue* retire() noexcept {
        const scoped_hold hold(lock_);
        turn_.finish();
        return detail::exchange(queue_, nullptr);
    }
    /// The hook refused, so no thread will come, and none will look at a deadline: the writer is to end now. The caller's
    /// begin() takes what turn there is.
    void refuse(time_point now) noexcept {
        const scoped_hold hold(lock_);
        begin_abort(errc::schedule_refused, now);
        static_cast<void>(turn_.revoke() || turn_.claim()); // another pump() may have done all, and let go
    }

    /// While a write is planned or in flight.
    [[nodiscard]] queue& work() noexcept { return *queue_; }

private:
    /// Memory that a push lacks, to be found with the lock free; then everything is judged again.
    enum class need : std::uint8_t {
        nothing,
        queue,      ///< with room for small frames
        bare_queue, ///< without
        block,      ///< of `block_size` bytes
        entry,
    };
    /// What was found.
    struct fresh_memory {
        queue* work = nullptr;
        block* room = nullptr;
        entry* kept = nullptr; ///< an old one's memory, for make()
        queue* idle = nullptr; ///< not needed any more
        std::uint32_t block_size = 0;

        explicit fresh_memory(queue* found) noexcept : work(found) {}
        fresh_memory(const fresh_memory&) = delete;
        fresh_memory& operator=(const fresh_memory&) = delete;
        ~fresh_memory() {
            queue::destroy(work);
            block::destroy(room);
            entry::destroy(kept);
            queue::destroy(idle);
        }
        [[nodiscard]] bool find(need missing) noexcept {
            if (missing != need::block) return (work = queue::make(missing == need::queue)) != nullptr;
            block::destroy(room); // the wish may have grown meanwhile
            return (room = block::make(block_size)) != nullptr;
        }
    };

    /// An offer as it looks to the queue at this moment.
    struct draft {
        bool is_owned = false;
        bool extends = false; ///< the run before it
        std::size_t charge = 0;
        entry* same = nullptr; ///< the queued item that it would replace
        verdict fits{};
    };

    template <class Encode>
    need try_push(const offer& what, entry*& owned, Encode& encode, fresh_memory& fresh, push_result& result,
                  errands& todo) noexcept {
        if (sealed_ && (aborting_ || what.to != lane_id::greeting)) {
            result = {errc::closed};
            return need::nothing;
        }
        const draft now = draft_of(what, owned);
        if (now.fits.error == errc::none) {
            const need missing = find_memory(what, now, fresh, todo);
            if (missing != need::nothing) return missing;
            commit(what, now, owned, encode, todo);
            result = {errc::none, turn_after(what)};
        } else if (now.fits.error == errc::queue_full && what.waiter != nullptr) {
            if (!find_queue(fresh)) return need::queue;
            queue_->wait(*what.waiter, books_.grantable(accounts::charge_of(what.size)));
            // A thread may wait under its own cork: it has the queue driven.
            result = {errc::queue_full, has_work() ? claim_at_once() : wake::nothing};
        } else {
            result = {now.fits.error};
        }
        return need::nothing;
    }

    /// Fits?
    [[nodiscard]] draft draft_of(const offer& what, const entry* owned) const noexcept {
        draft now;
        now.is_owned = owned != nullptr;
        now.extends = !now.is_owned && queue_ != nullptr && !must_own(what) && !ends_message(what) &&
                      queue_->extends_run(what);
        now.charge = accounts::charge_of(what.size, !now.extends);
        if (now.is_owned && owned->is_keyed && queue_ != nullptr) now.same = queue_->find(owned->key);
        now.fits = judge(what, now.charge, now.same);
        if (now.fits.error == errc::none && now.fits.displaces && !what.may_displace && !what.is_granted())
            now.fits.error = errc::queue_full;
        return now;
    }

    /// Memory?
    need find_memory(const offer& what, const draft& now, fresh_memory& fresh, errands& todo) noexcept {
        const bool is_small = !now.is_owned && !must_own(what);
        if (!find_queue(fresh)) return is_small ? need::queue : need::bare_queue;
        if (now.is_owned || now.extends) return need::nothing;
        if (!is_small) {
            fresh.kept = queue_->take_kept(what.size);
            return need::entry;
        }
        if (queue_->find_room(what, fresh.room, books_, todo)) return need::nothing;
        fresh.block_size = queue_->wanted_block(what, books_);
        return need::block;
    }
    [[nodiscard]] bool find_queue(fresh_memory& fresh) noexcept {
        if (queue_ == nullptr) queue_ = detail::exchange(fresh.work, nullptr);
        return queue_ != nullptr;
    }

    /// What gives way; place. Nothing here can fail.
    template <class Encode>
    void commit(const offer& what, const draft& now, entry*& owned, Encode& encode, errands& todo) noexcept {
        if (now.fits.displaces) queue_->displace(what, now.charge, now.same, books_, todo);
        if (ends_message(what)) static_cast<void>(end_message(todo));
        if (now.is_owned) {
            queue_->place(what, detail::exchange(owned, nullptr), books_, todo);
        } else { // the run may have given way; then its place is free
            const bool in_run = now.extends && (!now.fits.displaces || queue_->extends_run(what));
            encode(mutable_bytes(queue_->place_small(what, in_run), what.size));
        }
        if (what.part != message_part::none) books_.begin_message();
        if (what.part == message_part::last) static_cast<void>(end_message(todo));
        if (what.is_close()) seal(*what.close);
        if (now.fits.displaces || sealed_) serve_waiters(todo);
    }

    [[nodiscard]] verdict judge(const offer& what, std::size_t charge, const entry* same) const noexcept {
        if (queue_ != nullptr) return queue_->judge(what, charge, same, books_);
        if (what.to != lane_id::data || what.is_close() || what.is_mark) return {};
        return {books_.admit({}, charge, queue::is_deferred(what, books_))};
    }
    /// Whether this Close ends an open message of which nothing was sent: the data that waits for that message is queued
    /// before the Close.
    [[nodiscard]] bool ends_message(const offer& what) const noexcept {
        return what.is_close() && books_.in_message() && !books_.message_begun();
    }
    /// Large frames, and what may leave or wait out of turn.
    [[nodiscard]] bool must_own(const offer& what) const noexcept {
        if (what.is_encodable) return true;
        return what.size > books_.inline_limit() || (what.is_plain_data() && !books_.keeps_order());
    }

    /// A sender has stopped waiting: the others may have its room.
    void pass_on(errands& todo, queue*& idle) noexcept {
        serve_waiters(todo);
        drop_unused(idle);
    }
    /// Grants room to the senders that wait, as far as there is any; after a Close there is none.
    void serve_waiters(errands& todo) noexcept {
        if (sealed_)
            queue_->end_waits(todo.due);
        else
            queue_->grant(books_, todo.due);
    }
    /// An idle writer has no queue.
    void drop_unused(queue*& idle) noexcept {
        if (turn_.is(turn_state::free) && queue_ != nullptr && queue_->is_unused())
            idle = detail::exchange(queue_, nullptr);
    }

    [[nodiscard]] wake turn_after(const offer& what) noexcept {
        return what.is_close() || what.is_mark ? claim_at_once() : turn_after_data();
    }
    [[nodiscard]] wake turn_after_data() noexcept {
        // A parked writer's loop is to tell the observer of a climb.
        const bool is_high = books_.climbed(queue_->held) && turn_.is(turn_state::parked);
        return is_high ? claim_at_once() : claim();
    }
    /// What no cork holds back.
    [[nodiscard]] wake claim_at_once() noexcept {
        if (turn_.is(turn_state::gated)) return wake::look;
        return turn_.recall() || turn_.claim() ? wake::hook : wake::nothing;
    }
    [[nodiscard]] wake claim() noexcept { return corks_ == 0 && turn_.claim() ? wake::hook : wake::nothing; }
    [[nodiscard]] bool has_work() const noexcept { return queue_ != nullptr && queue_->has_entries(); }

    /// Whether neither an end nor a mark has to be told of.
    [[nodiscard]] bool is_straight() const noexcept { return !sealed_ && !books_.is_above(); }
    void find_sole(sole_write& found) noexcept {
        const entry* const item = queue_ != nullptr && is_straight() ? queue_->sole() : nullptr;
        if (item == nullptr || item->size > found.most) return;
        queue_->note_planned_sole();
        found.bytes = {item->bytes, item->size};
        found.frames = item->frames;
        found.is_one = item->kind != entry_kind::run;
    }

    /// True when something was waiting for the message's end.
    bool end_message(errands& todo) noexcept {
        books_.end_message();
        if (queue_ == nullptr) return false;
        const bool follows = queue_->has_deferred() && !sealed_; // after a Close nothing follows: it drops
        if (follows) queue_->end_message();
        serve_waiters(todo);
        return follows;
    }

    void seal(const closing& close) noexcept {
        sealed_ = true;
        books_.note_close(close.code);
        queue_->close_deadline = earlier(queue_->close_deadline, close.drain_deadline);
    }

    void begin_abort(errc why, time_point finish_by) noexcept {
        if (queue_ != nullptr) queue_->close_deadline = earlier(queue_->close_deadline, finish_by);
        if (!aborting_) books_.note_reason(why);
        sealed_ = aborting_ = true;
    }

    void settle(round& how, errands& todo) noexcept {
        if (queue_ == nullptr) return;
        queue_->account(how.done, books_, todo);
        how.done.clear();
        serve_waiters(todo);
        how.high = books_.take_climb();
        how.low = books_.take_fall(queue_->held);
    }

    [[nodiscard]] time_point gate_deadline() const noexcept {
        return queue_ == nullptr ? no_deadline : earlier(queue_->gate_deadline, queue_->close_deadline);
    }

    next_step leave(next_step step) noexcept {
        if (step == next_step::parked) turn_.park();
        if (step == next_step::handed_over) turn_.hand_over();
        if (step == next_step::released) turn_.release();
        return step;
    }

    queue* queue_ = nullptr; // while busy
    [[no_unique_address]] basic_accounts<Owner> books_;
    basic_spin_lock<Traits> lock_;
    turn turn_;
    std::uint8_t corks_ = 0;
    bool sealed_ : 1 = false;
    bool aborting_ : 1 = false;
    bool is_dying_ : 1 = false; // the destructor runs
    bool partial_frame_ : 1 = false;
    bool deadline_hit_ : 1 = false;
    int transport_error_ = 0;
};

} // namespace wsolo::inline WSOLO_ABI::detail

// ---- wsolo/write/cork.hpp
// Holds a writer's schedule hook back for a scope, so that what one thread sends in the scope leaves in one system call.
//
// Laws of this file:
// - Sends of all threads are accepted meanwhile. If the writer was idle they wait, and leave when the last cork is destroyed.
// - A cork holds back only the hook: a thread that pumps, and a write that waits for the transport, go on.
// - A flush, a close, an abort, a gate that opens, and a sender that waits for room call the hook all the same.

namespace wsolo::inline WSOLO_ABI {

/// Made by single_writer::corked(). Move-only, one thread at a time; the writer must outlive it. A writer counts 255 corks at a time; further ones
/// hold nothing back.
template <class Writer>
class [[nodiscard]] cork {
public:
    explicit cork(Writer& writer) noexcept : writer_(writer.drive_.box.cork() ? &writer : nullptr) {}
    cork(cork&& other) noexcept : writer_(std::exchange(other.writer_, nullptr)) {}
    cork& operator=(cork&&) = delete;
    ~cork() {
        if (writer_ != nullptr) writer_->drive_.rouse(writer_->drive_.box.uncork());
    }

private:
    Writer* writer_;
};

} // namespace wsolo::inline WSOLO_ABI

// ---- wsolo/write/fragmented_message.hpp
// One message in several frames, written as its parts become known (RFC 6455 §5.4).
//
// Laws of this file:
// - While it is open, other data waits and control does not: frames of two messages are never interleaved.
// - Other data may fill half of the budget meanwhile, bytes and frames, so that the message can end: a part of up to half
//   of the budget is refused (errc::queue_full) only until the transport took what was accepted before.
// - It ends exactly once: by finish(), or, when it is destroyed unfinished, as its owner chose.
// - Its own state is complete before a part is queued, and it is not touched after that: the part's outcome may write the
//   next part, or end the message, in another thread and before write() returns.

namespace wsolo::inline WSOLO_ABI {

/// What happens to a message that is destroyed unfinished.
enum class unfinished : std::uint8_t {
    fail,     ///< the connection is closed with 1011: the peer must not take it for whole
    truncate, ///< an empty final frame ends it: for peers that can tell by other means
};

/// Made by single_writer::begin_message(). Move-only, one thread at a time; the writer must outlive it. Empty, with error()
/// saying why, when the writer was closed, another message is open (errc::message_open), or `op` is neither text nor
/// binary (errc::raw_frame_malformed).
template <class Writer>
class [[nodiscard]] fragmented_message {
public:
    fragmented_message(Writer& writer, opcode op) noexcept : writer_(&writer), next_(op) {
        WSOLO_ASSERT(op == opcode::text || op == opcode::binary, "a fragmented message is text or binary");
        error_ = op == opcode::text || op == opcode::binary ? writer.drive_.box.open_message()
                                                            : errc::raw_frame_malformed;
        if (error_ != errc::none) writer_ = nullptr;
    }
    fragmented_message(fragmented_message&& other) noexcept
        : writer_(detail::exchange(other.writer_, nullptr)),
          size_(other.size_),
          next_(other.next_),
          error_(other.error_),
          if_unfinished_(other.if_unfinished_) {}
    fragmented_message& operator=(fragmented_message&&) = delete;
    ~fragmented_message() {
        if (writer_ != nullptr) abandon();
    }

    /// Whether parts may be written.
    [[nodiscard]] explicit operator bool() const noexcept { return writer_ != nullptr; }
    /// Why no parts can be written; none if they can.
    [[nodiscard]] errc error() const noexcept { return error_; }

    /// Chooses what the destructor does with a message that was not ended. Call it at any time before that.
    void if_destroyed(unfinished choice) noexcept { if_unfinished_ = choice; }

    /// Queues one frame that is not the last. Text may be cut anywhere, also inside a character. Errors as send_text's;
    /// after queue_full the part may be tried again, after too_large only a shorter one. `on_done` is called once with what
    /// became of this part.
    [[nodiscard]] errc write(const_bytes part, on_outcome on_done = {}) { return push(part, false, on_done); }

    /// Queues the last frame and lets the waiting data follow. On an error the message is still open. `on_done` is called
    /// once with what became of the last part, and so of the message: parts leave in order and none of them gives way, so
    /// errc::none says that the transport took them all.
    [[nodiscard]] errc finish(const_bytes part = {}, on_outcome on_done = {}) {
        return push(part, true, on_done);
    }

private:
    errc push(const_bytes part, bool is_last, on_outcome on_done) {
        if (writer_ == nullptr) return error_ == errc::none ? errc::closed : error_;
        Writer& writer = *writer_;
        if (const errc error = writer.drive_.box.judge_length(size_ + part.size()); error != errc::none)
            return error;
        size_ += part.size();
        const frame_spec spec(next_, is_last);
        const opcode before = detail::exchange(next_, opcode::continuation);
        if (is_last) writer_ = nullptr;
        detail::errands todo;
        const detail::push_result pushed = writer.push_part(
            spec, part, is_last ? detail::message_part::last : detail::message_part::part, on_done, todo);
        if (pushed.error != errc::none) { // it was not queued, so it had no effect
            size_ -= part.size();
            next_ = before;
            writer_ = &writer;
        }
        return writer.finish_data(pushed, todo);
    }

    void abandon() noexcept {
        Writer& writer = *writer_;
        if (next_ != opcode::continuation) { // no part was sent: as if the message had never begun
            detail::errands todo;
            const detail::wake owed = writer.drive_.box.drop_message(todo);
            static_cast<void>(writer.drive_.after({errc::none, owed}, todo));
            return;
        }
        if (if_unfinished_ == unfinished::truncate && push({}, true, {}) == errc::none) return;
        const errc closed = writer.close(close_code::internal_error, "message abandoned");
        if (closed != errc::none && closed != errc::closed) writer.abort(errc::message_unfinished);
    }

    Writer* writer_;
    std::uint64_t size_ = 0; ///< of the parts so far
    opcode next_;
    errc error_ = errc::none;
    unfinished if_unfinished_ = unfinished::fail;
};

} // namespace wsolo::inline WSOLO_ABI

// ---- wsolo/write/handle.hpp
// A way to a writer for other threads that does not keep it alive: after the writer is gone it answers
// errc::closed.
//
// Laws of this file:
// - While a call is in progress the writer's destructor waits for it. None of the calls here waits for room
//   or for the transport, except in an inline drive's write. try_use() reaches all functions of the writer; calls
//   that wait for room or for an outcome are ended by the writer's destructor.

namespace wsolo::inline WSOLO_ABI {

/// Made by single_writer::handle(). Copyable; different copies may be used by different threads. 8 bytes.
/// The functions are single_writer's of the same names, with errc::closed when there is no writer any more.
template <class Writer>
class writer_handle {
public:
    /// A handle to no writer.
    writer_handle() = default;

    /// See single_writer's functions of these names; errc::closed when there is no writer any more. Any thread.
    [[nodiscard]] errc send_text(std::string_view payload) const {
        return use([&](Writer& writer) { return writer.send_text(payload); });
    }
    [[nodiscard]] errc send_text(std::string_view payload, on_outcome on_done) const {
        return use([&](Writer& writer) { return writer.send_text(payload, on_done); });
    }
    [[nodiscard]] errc send_binary(const_bytes payload) const {
        return use([&](Writer& writer) { return writer.send_binary(payload); });
    }
    [[nodiscard]] errc send_binary(const_bytes payload, on_outcome on_done) const {
        return use([&](Writer& writer) { return writer.send_binary(payload, on_done); });
    }
    template <class Item>
    [[nodiscard]] errc send(const Item& item, on_outcome on_done = {}) const {
        return use([&](Writer& writer) { return writer.send(item, on_done); });
    }
    template <class... Arguments>
    [[nodiscard]] errc close(const Arguments&... arguments) const {
        return use([&](Writer& writer) { return writer.close(arguments...); });
    }
    void abort(errc why = errc::aborted) const {
        static_cast<void>(use([&](Writer& writer) {
            writer.abort(why);
            return errc::none;
        }));
    }

    /// The writer, for the life of the guard: for the functions that a handle does not have. Empty when the writer is gone.
    /// Keep the guard for a short time: the writer's destructor waits for it.
    [[nodiscard]] auto try_use() const noexcept { return session_.try_use(); }
    /// Whether the writer is gone.
    [[nodiscard]] bool is_expired() const noexcept { return session_.is_expired(); }

private:
    friend Writer;
    using session = typename Writer::weak_type;

    explicit writer_handle(session weak) noexcept : session_(std::move(weak)) {}

    template <class Use>
    errc use(Use call) const {
        const auto guard = session_.try_use();
        return guard ? call(*guard) : errc::closed;
    }

    session session_;
};

} // namespace wsolo::inline WSOLO_ABI

// ---- wsolo/write/detail/one_write.hpp
// One write's rules: how long it may take, and what the transport's answer means.
//
// Laws of this file:
// - A deadline belongs to one write: it is computed when the write starts (or, where the transport never waits, when it left
//   something) and forgotten when everything offered was taken, so no later write can inherit it.
// - Progress extends it as far as the minimum rate allows, and never beyond a fresh timeout.
// - A process that slept blames no peer: a write is judged late only after it was tried once more, and that try took nothing. A try
//   that comes a quarter of the timeout or more after the deadline says that this process slept: a loop that is awake is never that
//   late. If it took something the write has a fresh timeout; if not, a quarter of one, once, because the peer may have slept as well.
// - What was taken is filled in where the loop reads it: a copy right after it was written would wait for the stores.

namespace wsolo::inline WSOLO_ABI::detail {

/// The result of a write, besides what it took.
struct written {
    errc error = errc::none;
    bool is_blocked = false; ///< nothing wrong, but the transport must become writable first
    bool was_last = false;   ///< it began after the drain's bound, and was late again: no other write follows
    bool is_abandoned =
        false; ///< the writer is destroyed before the write ends: how much of it leaves is never known
    int transport_error = 0;
};

/// A deadline `by`, after `bytes` more at `min_rate` bytes per second.
[[nodiscard]] inline time_point extended(time_point by, std::size_t bytes, std::uint32_t min_rate) noexcept {
    if (min_rate == 0) return no_deadline; // no minimum: any progress earns a fresh timeout
    constexpr std::uint64_t billion = 1'000'000'000;
    const std::uint64_t earned =
        bytes > UINT64_MAX / billion ? UINT64_MAX / min_rate : bytes * billion / min_rate;
    constexpr auto longest = static_cast<std::uint64_t>((std::chrono::nanoseconds::max)().count());
    return deadline_after(
        by, std::chrono::nanoseconds(static_cast<std::int64_t>(earned < longest ? earned : longest)));
}

/// The deadline of the write that starts now, or went on standing.
[[nodiscard]] inline time_point write_deadline_from(queue& work, const writer_rules& rules,
                                                    time_point now) noexcept {
    if (work.write_deadline == no_deadline)
        work.write_deadline = deadline_after(now, rules.write_timeout.get());
    return work.write_deadline;
}

/// A process that slept through the deadline of the write that stands gives it a quarter of the timeout more, once. True: it did.
inline bool forgive_sleep(queue& work, const writer_rules& rules, time_point now) noexcept {
    const duration quarter = rules.write_timeout.get() / 4;
    if (now < deadline_after(work.write_deadline, quarter) || std::exchange(work.has_slept, true))
        return false;
    work.write_deadline = deadline_after(now, quarter);
    return true;
}

/// After it: what was taken, and until when the rest has time.
inline void account(const batch& plan, queue& work, const writer_rules& rules, const io_result& io,
                    time_point now, taken& done) noexcept {
    WSOLO_ASSERT(io.transferred <= plan.bytes(), "a transport took more bytes than it was offered");
    WSOLO_ASSERT(io.status != io_status::ok || io.transferred != 0,
                 "a transport took nothing and called it ok");
    if (io.transferred != 0) work.has_slept = false;
    if (io.transferred >= plan.bytes()) {
        work.write_deadline = no_deadline;
    } else if (io.transferred != 0) {
        const duration timeout = rules.write_timeout.get();
        const time_point fresh = deadline_after(now, timeout);
        const bool slept = now >= deadline_after(work.write_deadline, timeout / 4);
        work.write_deadline =
            slept ? fresh
                  : earlier(fresh, extended(work.write_deadline, io.transferred, rules.min_rate.get()));
    }
    plan.take(io.transferred < plan.bytes() ? io.transferred : plan.bytes(), done);
}

/// A write that took everything is `ok`, whatever its status says, unless that is `failed`: where the transport is blocked or late
/// the next write finds out. Changes io.status; returns whether it took everything.
inline bool settle_whole(const batch& plan, io_result& io) noexcept {
    const bool is_whole = io.transferred == plan.bytes();
    if (is_whole && io.status != io_status::failed) io.status = io_status::ok;
    return is_whole;
}

/// What the answer means, for a write that was tried at `tried`. `drain_deadline`: of a close or an abort.
[[nodiscard]] inline errc verdict_of_write(const io_result& io, const queue& work, time_point drain_deadline,
                                           time_point tried) noexcept {
    const errc late = drain_deadline < work.write_deadline ? errc::drain_timed_out : errc::write_timed_out;
    const bool is_late = tried >= earlier(work.write_deadline, drain_deadline);
    switch (io.status) {
    case io_status::ok: return io.transferred == 0 ? errc::write_failed : errc::none;
    case io_status::would_block: return is_late ? late : errc::none;
    case io_status::timed_out: return io.transferred != 0 && !is_late ? errc::none : late;
    case io_status::failed: break;
    }
    return errc::write_failed;
}

/// A transport that throws has failed.
template <transport Transport>
io_result call_write(Transport& connection, std::span<const const_bytes> parts, time_point deadline) {
#if WSOLO_HAS_EXCEPTIONS
    try {
        return connection.write(parts, deadline);
    } catch (...) {
        return {io_status::failed};
    }
#else
    return connection.write(parts, deadline);
#endif
}

/// Writes `parts`, `bytes` together, with no lock held. Where something is left, `tried` is when that was tried. `drain_deadline`: of a
/// close or an abort. (Inlined: a call would cost as much as the rest of it.)
template <class Traits, transport Transport>
[[gnu::always_inline]] inline io_result
write_in_time(Transport& connection, std::span<const const_bytes> parts, std::size_t bytes, queue& work,
              const writer_rules& rules, time_point drain_deadline, time_point& tried) {
    const bool is_bounded = work.write_deadline != no_deadline || drain_deadline != no_deadline;
    if (never_waits<Transport> && !is_bounded) { // its time begins when it leaves something
        const io_result io = call_write(connection, parts, no_deadline);
        if (io.transferred == bytes) return io;
        tried = Traits::clock::now();
        static_cast<void>(write_deadline_from(work, rules, tried));
        return io;
    }
    tried = Traits::clock::now();
    const time_point deadline = earlier(write_deadline_from(work, rules, tried), drain_deadline);
    return call_write(connection, parts, deadline);
}

/// What became of a write that was tried at `tried`, and into `done` what it took.
template <class Traits>
written judge_write(const batch& plan, queue& work, const writer_rules& rules, io_result io,
                    time_point drain_deadline, time_point tried, taken& done) noexcept {
    written made;
    const bool is_whole = settle_whole(plan, io);
    account(plan, work, rules, io, is_whole ? tried : Traits::clock::now(), done);
    if (io.status == io_status::would_block && io.transferred == 0)
        static_cast<void>(forgive_sleep(work, rules, tried));
    made.error = verdict_of_write(io, work, drain_deadline, tried);
    made.is_blocked = io.status == io_status::would_block;
    made.transport_error = io.error;
    return made;
}

/// A whole write, and into `done` what it took. No lock is held.
template <class Traits, transport Transport>
written write_once(Transport& connection, const batch& plan, queue& work, const writer_rules& rules,
                   time_point drain_deadline, taken& done) {
    time_point tried{};
    const io_result io =
        write_in_time<Traits>(connection, plan.parts(), plan.bytes(), work, rules, drain_deadline, tried);
    return judge_write<Traits>(plan, work, rules, io, drain_deadline, tried, done);
}

} // namespace wsolo::inline WSOLO_ABI::detail

// ---- wsolo/write/detail/completion.hpp
// A write that ends after start_write() returned: the block that the transport's completion and the writer share.
//
// Laws of this file:
// - Two references, the writer's and the completion's: the last one frees it, and with it the bytes that a destroyed
//   writer left behind, because the transport may still read them.
// - The batch is kept as it was started: entries may grow meanwhile, what the write names does not.
// - `is_over` and `how` belong to the outbox's lock, the other members to the thread that runs.

namespace wsolo::inline WSOLO_ABI::detail {

/// `Driver` has weak_type, traits, and a static on_write_over(writer&, started_write&, const io_result&).
template <class Driver>
class started_write final : public write_target {
    using weak_type = typename Driver::weak_type;
    using traits = typename Driver::traits;

public:
    /// nullptr when there is no memory.
    [[nodiscard]] static started_write* make(weak_type writer, const batch& plan) noexcept {
        return writer.is_expired() ? nullptr : new (std::nothrow) started_write(std::move(writer), plan);
    }

    /// Starts the write. The completion may come before this returns.
    template <completion_transport Transport>
    void start(Transport& connection, queue& work, const writer_rules& rules, time_point drain_deadline) {
        tried_ = traits::clock::now();
        const time_point deadline = earlier(write_deadline_from(work, rules, tried_), drain_deadline);
        references_.store(2, std::memory_order_relaxed); // not shared before
#if WSOLO_HAS_EXCEPTIONS
        try {
            connection.start_write(plan.parts(), deadline, write_done(*this));
        } catch (...) {
            // the write_done, destroyed on the way, said that it failed
        }
#else
        connection.start_write(plan.parts(), deadline, write_done(*this));
#endif
    }

    /// Cancels the write for the reason `why`. Called once.
    template <completion_transport Transport>
    void cancel(Transport& connection, errc why) noexcept {
        if (std::exchange(cancelled_, why) != errc::none) return;
#if WSOLO_HAS_EXCEPTIONS
        try {
            connection.cancel_write();
        } catch (...) { // a transport need not cancel
        }
#else
        connection.cancel_write();
#endif
    }
    [[nodiscard]] bool is_cancelled() const noexcept { return cancelled_ != errc::none; }

    /// Once it is over: what it did, and into `done` what it took. Frees it. `drain_deadline`: of a close or an abort.
    [[nodiscard]] written collect(queue& work, const writer_rules& rules, time_point drain_deadline,
                                  taken& done) noexcept {
        written made;
        static_cast<void>(settle_whole(plan, how));
        if (how.status == io_status::would_block) how.status = io_status::failed; // no such end
        account(plan, work, rules, how, traits::clock::now(), done);
        made.error = verdict_of_write(how, work, drain_deadline, tried_);
        // A cancelled write that took something all the same is not blamed: what is left is tried once more.
        if (is_cancelled() && made.error != errc::none) made.error = cancelled_;
        made.was_last = is_cancelled() && tried_ >= drain_deadline; // this was the one more try
        made.transport_error = how.error;
        drop();
        return made;
    }

    /// The writer is destroyed first: `rest` is freed once nothing reads it any more.
    void abandon(queue* rest) noexcept {
        rest_ = rest;
        drop();
    }

    const batch plan;
    io_result how;
    bool is_over = false;

private:
    started_write(weak_type writer, const batch& offered) noexcept
        : write_target{&on_over}, plan(offered), writer_(std::move(writer)) {}
    ~started_write() { queue::destroy(rest_); }

    static void on_over(write_target& self, const io_result& how) noexcept {
        auto& ended = static_cast<started_write&>(self);
        if (const auto writer = ended.writer_.try_use()) Driver::on_write_over(*writer, ended, how);
        ended.drop();
    }

    void drop() noexcept {
        if (references_.fetch_sub(1, std::memory_order_acq_rel) == 1) delete this;
    }

    weak_type writer_;
    typename traits::template atomic<int> references_{1};
    queue* rest_ = nullptr;
    time_point tried_{};
    errc cancelled_ = errc::none;
};

} // namespace wsolo::inline WSOLO_ABI::detail

// ---- wsolo/write/detail/encoding.hpp
// A queued frame becomes its encoded form: the payload as the encoder makes it, RSV1 on the header.
//
// Laws of this file:
// - Called by the thread whose turn it is, with no lock held. The entry was claimed: it stays meanwhile, and no other thread looks
//   at its bytes.
// - The payload is made where it stays. Beside the queue that takes `most` bytes, and hardly more than the message has.
// - Where the frame grows, by its payload or by its header, the queue has room for that (encoding_scan).
// - A client's frame keeps its masking key, which was fresh and has not left yet (RFC 6455 §5.3).
// - Without memory the frame leaves as it was queued, and the encoder forgets: neither side refers to what was not sent.

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

// ---- wsolo/write/detail/owner_link.hpp
// What a writer has of its owner: the schedule hook, and the rules that the options make.
//
// Laws of this file:
// - Rules never change, so they are read without a lock.
// - Where the hook has `const writer_rules& rules() const noexcept` the writer keeps no copy of its own. Such a hook vouches that
//   they outlive the writer (an endpoint's does: they are its options).

namespace wsolo::inline WSOLO_ABI::detail {

template <class Schedule>
concept hook_with_rules = requires(const Schedule& hook) {
    { hook.rules() } noexcept -> std::same_as<const writer_rules&>;
};

template <class Schedule>
class owner_link {
public:
    owner_link(Schedule schedule, const writer_options& options)
        : hook_(std::move(schedule)), rules_(options) {}
    [[nodiscard]] Schedule& hook() noexcept { return hook_; }
    [[nodiscard]] const writer_rules& rules() const noexcept { return rules_; }

private:
    [[no_unique_address]] Schedule hook_;
    writer_rules rules_;
};

template <hook_with_rules Schedule>
class owner_link<Schedule> {
public:
    owner_link(Schedule schedule, const writer_options&) : hook_(std::move(schedule)) {}
    [[nodiscard]] Schedule& hook() noexcept { return hook_; }
    [[nodiscard]] const writer_rules& rules() const noexcept { return hook_.rules(); }

private:
    Schedule hook_;
};

} // namespace wsolo::inline WSOLO_ABI::detail

// ---- wsolo/write/detail/driver.hpp
// The drive: one loop that writes what is queued, by the thread whose turn it is.
//
// Laws of this file:
// - The loop: next (settle the last write, decide, plan) - tell - write - next. Where begin() finds one entry with nothing to
//   decide, one write and one look are the whole drive. The transport's write, start_write,
//   cancel_write and finish are called here and nowhere else, and only by the thread whose turn it is; wait_writable() and
//   connection() need no turn.
// - The hook, the observer, outcomes and waiting senders are called with no lock held. What throws there, or in the
//   transport, ends this writer and unwinds nothing.
// - The end, in this order: 1. settle the last write, note the reason, drop all from the books, wake the senders that wait;
//   2. tell what was dropped, in rounds of 64; 3. the transport's finish(); 4. on_finished(); 5. retire the turn.
// - After next() said released, parked or handed_over nothing of the writer is touched, but for the hook that is owed.
// - A wait inside one of these calls, for something that only this thread could do, answers would_deadlock.

namespace wsolo::inline WSOLO_ABI {

/// What a writer tells its owner, each called with no lock held: `on_finished`, once, by the thread that ends the writer;
/// `on_high_water` and `on_low_water`, by turns, by the thread that pumps. All three are required, so that a misspelt one
/// does not compile; one that throws ends the connection (errc::handler_failed).
template <class T>
concept writer_observer = requires(T& observer, const drain_report& report) {
    { observer.on_finished(report) } -> std::same_as<void>;
    { observer.on_high_water() } -> std::same_as<void>;
    { observer.on_low_water() } -> std::same_as<void>;
};

/// An observer that ignores all three.
struct no_observer {
    void on_finished(const drain_report&) noexcept {}
    void on_high_water() noexcept {}
    void on_low_water() noexcept {}
};

namespace detail {

/// `Writer` is what a handle leads to; it has a driver, which it names by driver_of(Writer&).
template <class Writer, any_transport Transport, schedule_hook Schedule, writer_observer Observer,
          class Traits, message_encoder Encoder>
class driver {
    static constexpr bool completes = !transport<Transport>;
    using started = started_write<driver>;
    using link = owner_link<Schedule>;
    struct nothing {};

public:
    using weak_type = basic_weak_session<Writer, Traits>;
    using traits = Traits;
    using scope = basic_handler_scope<Traits>;

    driver(Transport connection, Schedule hook, const writer_options& options, Observer observer,
           turn_state first, Encoder encoder)
        : box(link(std::move(hook), options), first),
          transport_(std::move(connection)),
          observer_(std::move(observer)),
          encoder_(std::move(encoder)) {}
    driver(const driver&) = delete;
    driver& operator=(const driver&) = delete;
    ~driver() = default;

    /// Any thread, with no lock held: runs what a push decided, and has the writer driven.
    errc after(const push_result& pushed, errands& todo) {
        if (!todo.empty()) {
            const scope telling(&anchor_); // displaced data's outcomes: see may_displace()
            const scope inside(this);
            todo.run();
        }
        rouse(pushed.owed);
        return pushed.error;
    }
    /// Whether a send may displace queued data: where the outcome of displaced data sends and so displaces, and so on,
    /// that ends soon and answers queue_full. (The scopes are those of anchor_: the driver has others at its own address.)
    [[nodiscard]] bool may_displace() const noexcept { return scope::depth(&anchor_) < 8; }

    /// Calls the hook, or writes where the drive is inline.
    void rouse(wake owed) {
        if (owed == wake::nothing) return;
        if constexpr (requires { Schedule::writes_inline; }) {
            if (owed == wake::hook) {
                if (box.begin_claimed() && run().status == pump_status::blocked)
                    static_cast<void>(call_hook());
                return;
            }
        }
        static_cast<void>(call_hook());
    }

    pump_result pump() {
        pump_result instead;
        sole_write sole;
        if constexpr (!completes) sole.most = bound_of(std::size_t{rules().max_gather.get()});
        if (box.begin(instead, sole)) {
            if constexpr (!completes) {
                if (!sole.bytes.empty()) return run_sole(sole);
            }
            return run();
        }
        const bool is_due = instead.status == pump_status::busy && instead.deadline != no_deadline;
        return is_due && expire_gate() ? run() : instead;
    }

    void abort(errc why, duration finish_within) {
        rouse(box.abort(why, deadline_after(Traits::clock::now(), finish_within)));
    }

    /// Whether the calling thread is inside this writer, or is its loop: a wait for the writer there would never end.
    [[nodiscard]] bool is_here() const noexcept { return scope::is_inside(this); }

    /// For the destructor, while other threads may still use a handle: accepts nothing more and gives every item that is left
    /// its outcome, so that none of these threads waits for one. Then it waits until they have left.
    void end_by_destructor() {
        WSOLO_ASSERT(!is_here(), "a single_writer is destroyed inside one of its own callbacks");
        room_queue due;
        const bool is_ours = box.give_up(due);
        due.wake_all();
        if (is_ours) static_cast<void>(run());
        // Not before: a write that is cancelled finds the writer by a handle. No lock is needed: while threads are inside
        // by a handle only their count changes, and the anchor forgets its block after the last one has left.
        anchor_ = {};
        WSOLO_ASSERT(box.state() == turn_state::finished,
                     "a single_writer is destroyed while another thread is in its pump()");
    }

    weak_type weak_handle(Writer& self) {
        const auto existing =
            box.locked([&] { return anchor_ ? std::optional<weak_type>(anchor_.handle()) : std::nullopt; });
        if (existing) return *existing;
        auto made = basic_session_anchor<Writer, Traits>::make(self);
        if (!made) return {};
        return box.locked([&] { // another thread may have been first
            if (!anchor_) anchor_ = std::move(*made);
            return anchor_.handle();
        });
    }
    /// For a completion_transport, whose completions find the writer by a handle.
    void attach(Writer& self) {
        if constexpr (completes) self_ = &self;
    }

    /// The completion of a started write: any thread, inside a guard of the writer.
    static void on_write_over(Writer& writer, started& ended, const io_result& how) {
        driver& self = driver_of(writer);
        self.rouse(self.box.end_started([&] {
            ended.how = how;
            ended.is_over = true;
        }));
    }

    [[nodiscard]] Transport& connection() noexcept { return transport_; }
    [[nodiscard]] bool is_write_cancelled() const noexcept {
        return is_in_flight() && started_->is_cancelled();
    }
    [[nodiscard]] const Encoder& encoder() const noexcept { return encoder_; }
    [[nodiscard]] const writer_rules& rules() const noexcept { return box.rules(); }

    // [[no_unique_address]]: a socket lies in the outbox's tail padding.
    [[no_unique_address]] outbox<Traits, link> box;

private:
    bool expire_gate() {
        const time_point now = Traits::clock::now();
        return box.expire_gate(now, deadline_after(now, rules().drain_timeout.get()));
    }

    // Precondition of the next four: the turn is this thread's.

    /// The usual case on its own: one write takes all that is queued.
    [[gnu::always_inline]] pump_result run_sole(const sole_write& sole) {
        const scope inside(this);
        time_point tried{};
        const io_result io = write_in_time<Traits>(transport_, {&sole.bytes, 1}, sole.bytes.size(),
                                                   box.work(), rules(), no_deadline, tried);
        queue* idle = nullptr;
        if (io.status == io_status::ok && io.transferred == sole.bytes.size() &&
            box.settle_sole(sole.bytes.size(), idle)) {
            queue::destroy(idle);
            return {pump_status::idle};
        }
        return run_after(sole, io, tried);
    }
    /// There is more to it: it goes on as if it had come the long way.
    [[gnu::noinline]] pump_result run_after(const sole_write& sole, const io_result& io, time_point tried) {
        batch plan(sole.most);
        plan.clear();
        plan.add(lane_id::data, sole.bytes, sole.frames, sole.is_one);
        round now;
        const written last = judge_write<Traits>(plan, box.work(), rules(), io, no_deadline, tried, now.done);
        return run_on(plan, now, last);
    }
    pump_result run() {
        const scope inside(this);
        round now;
        written last;
        if (is_in_flight() && !collect(last, now)) return {pump_status::blocked, now.deadline};
        batch plan(bound_of(std::size_t{rules().max_gather.get()}));
        plan.clear();
        return run_on(plan, now, last);
    }
    [[gnu::noinline]] pump_result run_on(batch& plan, round& now, written last) {
        const std::uint32_t quantum = rules().pump_quantum.get();
        std::size_t bytes = 0, frames = 0, saved = 0;
        for (;;) {
            bytes += now.done.bytes();
            frames += now.done.frames();
            if (last.error != errc::none) return finish(last, now);
            now.is_blocked = last.is_blocked;
            now.was_last = last.was_last;
            now.is_used_up = (quantum != 0 && bytes >= quantum) ||
                             (rules().pump_frames != 0 && frames >= rules().pump_frames);
            errands todo;
            const next_step step = box.template next<Encoder::encodes>(now, plan, todo);
            queue::destroy(std::exchange(now.idle, nullptr));
            if (step == next_step::tell) frames += todo.outcomes(); // they may go on asking for more
            todo.run();
            switch (step) {
            case next_step::released: return {pump_status::idle};
            case next_step::parked: return {pump_status::blocked, now.deadline};
            case next_step::handed_over: return call_hook();
            case next_step::drained:
            case next_step::aborted: return finish({}, now);
            case next_step::late: last.error = errc::drain_timed_out; return finish(last, now);
            case next_step::tell:
                if (now.high) observe([this] { observer_.on_high_water(); });
                if (now.low) observe([this] { observer_.on_low_water(); });
                break;
            case next_step::encode: saved += encode(now, plan); break;
            case next_step::write:
                now.is_encoded = false;
                bytes += std::exchange(saved, 0);
                if (!perform(plan, now, last)) return {pump_status::blocked, now.deadline};
                break;
            }
        }
    }

    /// Writes the batch; `now.done` is what it took. False: the write was started, and the turn waits for it.
    bool perform(const batch& plan, round& now, written& last) {
        if constexpr (completes) {
            started_ = started::make(weak_handle(*self_), plan);
            if (started_ == nullptr) {
                last.error = errc::out_of_memory;
                return true;
            }
            started_->start(transport_, box.work(), rules(), now.drain_deadline);
            return collect(last, now);
        } else {
            last = write_once<Traits>(transport_, plan, box.work(), rules(), now.drain_deadline, now.done);
            return true;
        }
    }

    /// Encodes what next() named, and what the same write names after it; how many bytes fewer that has. With them a quantum
    /// counts what it was before.
    std::size_t encode(round& now, const batch& plan) {
        std::size_t saved = 0;
        while (now.plain != nullptr) {
            entry* const made = encode_entry(encoder_, *now.plain, now.scan.growth, box.encoding_room());
            if (made != nullptr && made->size < now.plain->size) saved += now.plain->size - made->size;
            errands todo;
            box.settle_encoded(now, made, plan, todo);
            todo.run();
        }
        return saved;
    }

    [[nodiscard]] bool is_in_flight() const noexcept {
        if constexpr (completes) return started_ != nullptr;
        return false;
    }

    /// True: the started write is over, and `last` and `now.done` say what it did; or it is abandoned, because the writer
    /// goes first. False: the turn is parked until its end.
    bool collect([[maybe_unused]] written& last, [[maybe_unused]] round& now) {
        if constexpr (completes) {
            for (;;) {
                errands todo;
                const auto how = box.look(started_->is_over, todo);
                todo.run();
                if (how.high) observe([this] { observer_.on_high_water(); });
                if (how.is_over) {
                    last = std::exchange(started_, nullptr)
                               ->collect(box.work(), rules(), how.drain_deadline, now.done);
                    return true;
                }
                const time_point at = Traits::clock::now();
                if (!started_->is_cancelled() && forgive_sleep(box.work(), rules(), at)) continue;
                if (!started_->is_cancelled() && (how.is_dying || at >= how.deadline())) {
                    started_->cancel(transport_, how.is_dying   ? errc::aborted
                                                 : how.drains() ? errc::drain_timed_out
                                                                : errc::write_timed_out);
                } else if (how.is_dying) {
                    last.error = errc::aborted;
                    last.is_abandoned = true;
                    return true;
                } else {
                    // No more can be asked of a cancelled one. But another bound may be to come: its owner is told.
                    now.deadline = !started_->is_cancelled() ? how.deadline()
                                   : at < how.later()        ? how.later()
                                                             : no_deadline;
                    if (box.park_started(started_->is_over, how.drain_deadline)) return false;
                }
            }
        }
        return true;
    }

    /// The end. `last`: the write that failed, if one did; `taken_last`: what it took.
    pump_result finish(const written& last, round& taken_last) {
        {
            errands todo;
            const bool is_late = last.error == errc::write_timed_out || last.error == errc::drain_timed_out;
            box.finish(taken_last,
                       {last.error, last.is_abandoned, is_late,
                        last.error == errc::write_failed ? last.transport_error : 0},
                       todo);
            todo.run();
        }
        for (bool more = true; more;) {
            errands todo;
            more = box.tell_dropped(todo);
            todo.run();
        }
        const drain_report report = box.report();
        end_transport(report);
        observe([&] { observer_.on_finished(report); });
        if constexpr (completes) {
            if (started* const left = std::exchange(started_, nullptr)) { // nothing knows when it ends
                left->abandon(box.retire());
                return {pump_status::finished};
            }
        }
        queue::destroy(box.retire());
        return {pump_status::finished};
    }

    void end_transport(const drain_report& report) noexcept {
        const end_of_write how = end_as(report);
#if WSOLO_HAS_EXCEPTIONS
        try {
            transport_.finish(how);
        } catch (...) { // it has ended all the same
        }
#else
        transport_.finish(how);
#endif
    }

    template <class Call>
    void observe(Call call) {
#if WSOLO_HAS_EXCEPTIONS
        try {
            call();
        } catch (...) {
            static_cast<void>(box.abort(errc::handler_failed, Traits::clock::now()));
        }
#else
        call();
#endif
    }

    /// The last act of its callers: the thread that the hook wakes may already have destroyed the writer when it returns.
    pump_result call_hook() {
        const scope inside(this);
        if (ask_for_a_turn(box.owner().hook())) return {pump_status::more};
        // It refused: no thread will come, so this one makes the end.
        box.refuse(Traits::clock::now());
        pump_result instead;
        return box.begin(instead) ? run() : instead;
    }

    [[no_unique_address]] Transport transport_;
    [[no_unique_address]] std::conditional_t<completes, started*, nothing> started_{};
    [[no_unique_address]] std::conditional_t<completes, Writer*, nothing> self_{};
    [[no_unique_address]] Observer observer_;
    [[no_unique_address]] Encoder encoder_;
    basic_session_anchor<Writer, Traits> anchor_; ///< the last: its destructor waits for threads inside
};

} // namespace detail
} // namespace wsolo::inline WSOLO_ABI

// ---- wsolo/write/outbound.hpp
// What can be sent, as a value: pre-built bytes, a text, a binary message, or a reference to a shared frame.
//
// Laws of this file:
// - raw, text and binary are views: the writer encodes (copies) them when it accepts them, and moves from nothing,
//   so a refused item still belongs wholly to the caller.
// - raw is exactly one whole frame of this side, sent as it is; replies and Close travel this way.

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

// ---- wsolo/write/single_writer.hpp
// The only way to a connection's write side. Any thread sends; one thread at a time, the one whose turn it is, writes
// whole frames, coalesced, each write with a deadline of its own; close() drains within a bound and reports.
//
// Laws of this file:
// - After construction only the writer writes to the transport: replies and Close go through the same queue.
// - A send never waits for the transport, unless its name says so: it queues, or says why not, and a refused item is still
//   the caller's.
// - The schedule hook is called outside any lock: once when the idle writer gets work, and when a parked writer has to look
//   again (a close, an abort, a high mark, the end of a started write). The hook must have pump() called.
// - A write's deadline is that write's own, never inherited; after an error nothing follows.

namespace wsolo::inline WSOLO_ABI {

template <class Writer>
class init_gate;
struct never_stop;

namespace detail {
template <class Traits>
struct blocking_waits; // defined in <wsolo/write/wait.hpp>: include it to call send_wait() or flush(deadline)
struct writer_access;
} // namespace detail

/// Constructs a writer whose turn is the handshake's: see write/init_gate.hpp.
struct born_gated_t {};
/// Its only value.
inline constexpr born_gated_t born_gated{};

/// See the file's laws. `Transport` is owned: a transport or a completion_transport. `Schedule` is the hook, or
/// inline_drive of one; `Side` is server_side or client_side<>; `Encoder` may compress messages (write/encoder.hpp).
///
/// Thread safety: any thread may call any member, except for construction and destruction; a hook may be called by two
/// threads at once. The destructor aborts what is left (errc::aborted), waits for handles in use, and must not run inside one
/// of the writer's callbacks; no thread may be in a direct call then. An idle writer owns no heap block, mutex or thread,
/// apart from 24 bytes once it made a handle, or started a write on a completion_transport.
template <any_transport Transport, schedule_hook Schedule, class Side = server_side,
          writer_observer Observer = no_observer, class Traits = std_blocking_traits,
          message_encoder Encoder = never_encoded>
class single_writer {
    using driver = detail::driver<single_writer, Transport, Schedule, Observer, Traits, Encoder>;

public:
    using weak_type = basic_weak_session<single_writer, Traits>;
    using side_type = Side;

    explicit single_writer(Transport connection, Schedule hook, const writer_options& options = {},
                           Side side = {}, Observer observer = {}, Encoder encoder = {})
        : single_writer(turn_state::free, std::move(connection), std::move(hook), options, std::move(side),
                        std::move(observer), std::move(encoder)) {}
    single_writer(born_gated_t, Transport connection, Schedule hook, const writer_options& options = {},
                  Side side = {}, Observer observer = {}, Encoder encoder = {})
        : single_writer(turn_state::gated, std::move(connection), std::move(hook), options, std::move(side),
                        std::move(observer), std::move(encoder)) {}

    single_writer(const single_writer&) = delete;
    single_writer& operator=(const single_writer&) = delete;

    ~single_writer() { drive_.end_by_destructor(); }

    // ---- data

    /// Queues a message; `payload` may be reused at once. The caller vouches that a text is UTF-8 (RFC 6455 §5.6); checked
    /// builds assert it. errc::none: accepted, and counted in the report. Otherwise nothing happened: queue_full (try
    /// later), too_large (never), closed, out_of_memory. O(n). `on_done`, here and below, is called once with what became
    /// of the accepted item; it costs entry_overhead of budget.
    [[nodiscard]] errc send_text(std::string_view payload, on_outcome on_done = {}) {
        WSOLO_ASSERT(is_valid_utf8(bytes_of(payload)), "a text message is UTF-8 (RFC 6455 §5.6)");
        return send_message(opcode::text, bytes_of(payload), on_done);
    }
    [[nodiscard]] errc send_binary(const_bytes payload, on_outcome on_done = {}) {
        return send_message(opcode::binary, payload, on_done);
    }

    /// Queues a message that replaces a queued one of the same key (which then ends as errc::conflated): for values of
    /// which only the newest counts. It takes its place at the end of the queue. Errors as send_text's, and
    /// raw_frame_malformed for an opcode that is not data's. O(n + entries queued).
    [[nodiscard]] errc send_keyed(std::uint64_t key, opcode op, const_bytes payload,
                                  on_outcome on_done = {}) {
        WSOLO_ASSERT(is_data(op), "send_keyed() sends a text or a binary message");
        if (!is_data(op)) return errc::raw_frame_malformed;
        if (const errc error = drive_.box.judge_length(payload.size()); error != errc::none) return error;
        detail::offer what{.size = encoded_size<Side::self>(payload.size()), .done = on_done};
        what.may_displace = drive_.may_displace();
        // Before the work, and again after it.
        if (const errc full = drive_.box.admits(what, &key); full != errc::none) return refuse_data(full);
        detail::entry* owned = encode_apart(op, payload, on_done);
        if (owned == nullptr) return errc::out_of_memory;
        owned->key = key;
        owned->is_keyed = true;
        as_plain(owned, encodes(payload.size()));
        return queue_owned(what, owned);
    }

    /// Queues a message that no encoder touches, for instance one with a secret beside text that a stranger chose
    /// (docs/compression.md). Errors as send_text's, and raw_frame_malformed for an opcode that is not data's.
    [[nodiscard]] errc send_uncompressed(opcode op, const_bytes payload, on_outcome on_done = {}) {
        WSOLO_ASSERT(is_data(op), "send_uncompressed() sends a text or a binary message");
        if (!is_data(op)) return errc::raw_frame_malformed;
        if (const errc error = drive_.box.judge_length(payload.size()); error != errc::none) return error;
        return send_as_is(op, payload, on_done);
    }

    /// Queues a reference to an encoded frame. A frame of up to 512 bytes is copied, which is cheaper. An encoder encodes a
    /// shared frame once for all connections. Errors as send_text's, and raw_frame_malformed when it is empty, or no whole
    /// frame of a server.
    [[nodiscard]] errc send(const shared_frame& frame, on_outcome on_done = {}) {
        static_assert(Side::self == role::server,
                      "a client's frames each need a key of their own: send the payload");
        if (!frame) return errc::raw_frame_malformed;
        const const_bytes bytes = frame.bytes();
        if (!frame.is_message()) return send(raw{bytes}, on_done); // perhaps a control frame
        const std::size_t payload = bytes.size() - header_size_announced(bytes[1]);
        if (const errc error = drive_.box.judge_length(payload); error != errc::none) return error;
        const bool is_encodable = encodes(payload) && (bytes[0] & std::byte{0x70}) == std::byte{}; // not yet
        if (bytes.size() > copied_limit || is_encodable) return push_reference(frame, is_encodable, on_done);
        return push_copy(bytes, on_done);
    }

    /// Queues an encoded frame together with its memory, without a copy, where that pays (above 2 KiB, and with little unused
    /// memory around it). A refused frame stays in `frame`, an accepted one does not. Errors as those of the function above.
    [[nodiscard]] errc send(owned_frame&& frame, on_outcome on_done = {}) {
        const std::size_t size = frame.bytes().size();
        if (const errc error = judge_frame(frame.bytes()); error != errc::none) return error;
        if (size <= adopted_limit || frame.memory() - size > size / 8) {
            const errc error = send(raw{frame.bytes()}, on_done);
            if (error == errc::none) frame = {};
            return error;
        }
        detail::entry* owned = detail::entry::make_adopted(std::move(frame), on_done);
        if (owned == nullptr) return errc::out_of_memory;
        detail::errands todo;
        const detail::push_result pushed = push_entry(data_offer(owned->size, on_done), owned, todo);
        if (owned != nullptr) frame = owned->give_back();
        detail::entry::destroy(owned);
        return finish_data(pushed, todo);
    }

    // ---- control

    /// Queues a control frame: a reply from the reader, or make_ping() and the like. A PONG passes PINGs and data, a PING
    /// passes data, each on a frame boundary. A Close is close() with this body and the default drain bound. A PONG that
    /// a newer one replaces (see writer_limits::control_reserve) ends as errc::conflated. Errors: closed, out_of_memory, of a
    /// PING queue_full, of a Close those of close().
    [[nodiscard]] errc send(const control_frame& frame, on_outcome on_done = {}) {
        return send_control(frame.op(), frame.code(), frame.bytes(), on_done);
    }
    /// Queues a PING; its `on_done` comes when the transport took its last byte, which is when a pong timer starts.
    /// Errors: queue_full, closed, out_of_memory, control_payload_too_big (above 125 bytes).
    [[nodiscard]] errc send_ping(const_bytes payload = {}, on_outcome on_done = {}) {
        if (payload.size() > max_control_payload) return errc::control_payload_too_big;
        const detail::offer what{
            .size = encoded_size<Side::self>(payload.size()), .done = on_done, .to = detail::lane_id::ping};
        return push_small(what, [&](mutable_bytes to) { write_frame(side_, to, opcode::ping, payload); });
    }

    // ---- anything

    /// Queues one whole frame of this side as it is. errc::raw_frame_malformed when it is not exactly that.
    [[nodiscard]] errc send(raw frame, on_outcome on_done = {}) {
        const header_parse parsed = parse_header(frame.bytes);
        if (!detail::is_one_whole_frame<Side::self>(parsed, frame.bytes)) return errc::raw_frame_malformed;
        if (is_control(parsed.header.op))
            return send_control(parsed.header.op, close_code_in(parsed, frame.bytes), frame.bytes, on_done);
        if (const errc error = drive_.box.judge_length(parsed.header.payload_size); error != errc::none)
            return error;
        return push_copy(frame.bytes, on_done);
    }
    /// Queues the item, by the function for its kind, whose errors are its own.
    [[nodiscard]] errc send(const outbound& item, on_outcome on_done = {}) {
        return item.visit([&](const auto& kind) { return send_kind(kind, on_done); });
    }

    /// A message in several frames, written as its parts become known: see write/fragmented_message.hpp.
    [[nodiscard]] fragmented_message<single_writer> begin_message(opcode op) {
        return fragmented_message<single_writer>(*this, op);
    }
    /// Holds the schedule hook back for a scope, so that everything sent in it leaves together.
    [[nodiscard]] cork<single_writer> corked() { return cork<single_writer>(*this); }

    // ---- waiting

    /// Calls `on_done` once all data accepted before this call was written (errc::none), or with the reason why not: the
    /// first drop among that data, or the writer's end. Data that is accepted later does not count. A flush costs
    /// entry_overhead of budget: errc::queue_full when the queue is above its bound.
    [[nodiscard]] errc flush(on_outcome on_done) { return queue_mark(on_done, false); }

    /// Waits for the same; a full queue is no obstacle. errc::timed_out, cancelled, would_deadlock (inside a callback of this
    /// writer, or in the thread of its loop), or why not. Needs <wsolo/write/wait.hpp>.
    template <class StopToken = never_stop>
    [[nodiscard]] errc flush(time_point deadline, const StopToken& stop = {}) {
        static_assert(
            requires { sizeof(detail::blocking_waits<Traits>); },
            "flush(deadline) needs <wsolo/write/wait.hpp>");
        return detail::blocking_waits<Traits>::flush(*this, deadline, stop);
    }
    /// send_text and send_binary that wait for room in the budget, first come, first served: until the deadline
    /// (timed_out) or a stop request (cancelled). would_deadlock as flush(). Needs <wsolo/write/wait.hpp>.
    template <class StopToken = never_stop>
    [[nodiscard]] errc send_wait(opcode op, const_bytes payload, time_point deadline,
                                 const StopToken& stop = {}, on_outcome on_done = {}) {
        static_assert(
            requires { sizeof(detail::blocking_waits<Traits>); }, "send_wait() needs <wsolo/write/wait.hpp>");
        return detail::blocking_waits<Traits>::send(*this, op, payload, deadline, stop, on_done);
    }

    // ---- the end

    /// Queues a Close frame after everything accepted so far and seals the writer: later sends answer errc::closed. What
    /// is queued is written within `drain_within` from now (0: no bound), then the transport is finished and the observer
    /// told; neither a cork nor a shut gate holds the bound back. errc::closed when it was closed before;
    /// invalid_close_code and the like for a body that may not be sent.
    [[nodiscard]] errc close(close_code code, std::string_view reason, duration drain_within,
                             on_outcome on_done = {}) {
        const auto frame = drive_.box.locked([&] { return close_frame(code, reason); });
        if (!frame) return frame.error();
        return push_close(code, frame->bytes(), drain_within, on_done);
    }
    [[nodiscard]] errc close(close_code code, std::string_view reason = {}) {
        return close(code, reason, drive_.rules().drain_timeout.get());
    }

    /// Seals, and drops what is queued at the next frame boundary; `why` becomes the report's reason. No Close is sent. A
    /// frame that was begun is finished if the transport takes it within `finish_within`; with 0 only if it takes it at
    /// once (a close's 0 means no bound, this one means now), else it stays partial. The default bound is
    /// writer_timeouts::drain.
    void abort(errc why, duration finish_within) { drive_.abort(why, finish_within); }
    void abort(errc why = errc::aborted) { abort(why, drive_.rules().drain_timeout.get()); }

    // ---- driving

    /// Writes until the queue is empty, the transport would block, or the quantum is used up. Call it when the hook asked,
    /// when the transport became writable, or when a deadline passed. A needless call is harmless. But a call for writability
    /// that finds another thread in pump() (busy) is not remembered: watch writability level-triggered, or re-arm it after
    /// `blocked`. With a write in flight it cancels that write once its deadline passed, and does nothing before.
    pump_result pump() { return drive_.pump(); }

    /// For the thread that pumps, after pump_status::blocked: waits in the transport. False: the deadline passed first.
    [[nodiscard]] bool wait_writable(time_point deadline)
        requires waitable_transport<Transport>
    {
        return drive_.connection().wait_writable(deadline);
    }

    /// While the result lives, this thread counts as the one that pumps: a wait for the writer in this thread answers
    /// would_deadlock. For a loop that calls handlers.
    [[nodiscard]] basic_handler_scope<Traits> loop_scope() noexcept {
        return basic_handler_scope<Traits>(&drive_);
    }

    // ---- asking

    /// The transport, for the code that ends the byte stream (see `byte_stream`), in the thread that pumps. That code writes
    /// nothing to it.
    [[nodiscard]] Transport& connection() noexcept { return drive_.connection(); }

    /// A handle for other threads, which does not keep the writer alive and can't dangle. The first call allocates (24
    /// bytes); without memory the handle answers errc::closed.
    [[nodiscard]] writer_handle<single_writer> handle() {
        return writer_handle<single_writer>(drive_.weak_handle(*this));
    }

    /// What became of everything so far; final once pump() said finished.
    [[nodiscard]] drain_report report() const noexcept { return drive_.box.report(); }
    [[nodiscard]] bool is_finished() const noexcept { return drive_.box.state() == turn_state::finished; }
    /// Whether pump() is owed, by the hook or by writability.
    [[nodiscard]] bool is_pump_owed() const noexcept {
        const turn_state now = drive_.box.state();
        return now == turn_state::scheduled || now == turn_state::parked;
    }
    /// Whether the write in flight, if there is one, was cancelled. For the thread that pumps.
    [[nodiscard]] bool is_write_cancelled() const noexcept
        requires completion_transport<Transport>
    {
        return drive_.is_write_cancelled();
    }
    /// writer_timeouts::min_rate, as it is kept.
    [[nodiscard]] std::uint32_t min_rate() const noexcept { return drive_.rules().min_rate.get(); }
    /// Whether half of both bounds is free.
    [[nodiscard]] bool is_half_free() const noexcept { return drive_.box.is_half_free(); }
    /// Budget in use, overhead included, in bytes.
    [[nodiscard]] std::size_t queued_bytes() const noexcept { return drive_.box.queued_bytes(); }
    /// Data frames that are queued or in flight.
    [[nodiscard]] std::uint32_t queued_frames() const noexcept { return drive_.box.queued_frames(); }

private:
    friend driver;
    friend detail::writer_access;
    friend class init_gate<single_writer>;
    friend class fragmented_message<single_writer>;
    friend class cork<single_writer>;

    single_writer(turn_state first, Transport connection, Schedule hook, const writer_options& options,
                  Side side, Observer observer, Encoder encoder)
        : side_(std::move(side)),
          drive_(std::move(connection), std::move(hook), options, std::move(observer), first,
                 std::move(encoder)) {
        drive_.attach(*this);
    }

    friend driver& driver_of(single_writer& writer) noexcept { return writer.drive_; }

    /// A shared frame up to this size is copied: a reference costs an entry and a part of its own in the write.
    static constexpr std::size_t copied_limit = 512;
    /// An owned frame up to this size is copied, for the same reason. (Control frames are.)
    static constexpr std::size_t adopted_limit = 2048;

    [[nodiscard]] static constexpr bool is_data(opcode op) noexcept {
        return op == opcode::text || op == opcode::binary;
    }
    /// Whether `bytes` are one whole frame, not too long.
    [[nodiscard]] errc judge_frame(const_bytes bytes) const noexcept {
        const header_parse parsed = parse_header(bytes);
        return detail::is_one_whole_frame<Side::self>(parsed, bytes)
                   ? drive_.box.judge_length(parsed.header.payload_size)
                   : errc::raw_frame_malformed;
    }
    /// Of a foreign Close frame; no_status when it carries none (RFC 6455 §7.1.5).
    [[nodiscard]] static close_code close_code_in(const header_parse& parsed, const_bytes frame) noexcept {
        if (parsed.header.op != opcode::close || parsed.header.payload_size < 2) return close_code::no_status;
        std::byte code[2] = {frame[parsed.size], frame[parsed.size + 1]};
        if (parsed.header.masked) apply_mask(mutable_bytes(code), parsed.header.key);
        return static_cast<close_code>(load_be16(code));
    }

    /// Precondition: `to` has exactly encoded_size<Side::self>(payload.size()) bytes.
    template <class AnySide>
    static void write_frame(AnySide& side, mutable_bytes to, frame_spec spec, const_bytes payload) noexcept {
        [[maybe_unused]] const std::size_t written = side.with_keys([&](auto&... keys) {
            return detail::write_frame<Side::self>(to.data(), spec, payload, keys...);
        });
        WSOLO_ASSERT(written == to.size(), "a writer encodes exactly what it reserved");
    }
    result<control_frame> close_frame(close_code code, std::string_view reason) noexcept {
        return side_.with_keys([&](auto&... keys) { return make_close<Side::self>(code, reason, keys...); });
    }

    // An on_outcome goes by reference: a copy as one vector would wait for the two words that were just stored.

    [[nodiscard]] detail::offer data_offer(std::size_t size, const on_outcome& on_done) const noexcept {
        detail::offer what{.size = size, .done = on_done};
        what.may_displace = drive_.rules().when_full != overflow::drop_oldest || drive_.may_displace();
        return what;
    }

    /// Whether a message of this size is queued to be encoded.
    [[nodiscard]] bool encodes(std::size_t payload_size) const noexcept {
        if constexpr (Encoder::encodes) return payload_size != 0 && drive_.encoder().wants(payload_size);
        return false;
    }
    static detail::entry* as_plain(detail::entry* made, bool is_plain = true) noexcept {
        if (made != nullptr && is_plain) made->kind = detail::entry_kind::encodable;
        return made;
    }
    /// A message that may be encoded.
    errc send_plain(opcode op, const_bytes payload, const on_outcome& on_done) {
        detail::offer what = data_offer(encoded_size<Side::self>(payload.size()), on_done);
        what.is_encodable = true;
        detail::errands todo;
        const auto make = [&](detail::entry* kept) {
            return as_plain(encode_apart(op, payload, on_done, kept));
        };
        return finish_data(push_frame(what, [](mutable_bytes) {}, make, todo), todo);
    }

    errc send_message(opcode op, const_bytes payload, const on_outcome& on_done) {
        if (const errc error = drive_.box.judge_length(payload.size()); error != errc::none) return error;
        if (encodes(payload.size())) return send_plain(op, payload, on_done);
        return send_as_is(op, payload, on_done);
    }
    errc send_as_is(opcode op, const_bytes payload, const on_outcome& on_done) {
        return push_data(
            encoded_size<Side::self>(payload.size()), on_done,
            [&](mutable_bytes to) { write_frame(side_, to, op, payload); },
            [&](detail::entry* kept) { return encode_apart(op, payload, on_done, kept); });
    }

    /// A frame that encode() writes under the lock, or, if it must own its memory, make() outside of it.
    template <class Encode, class Make>
    detail::push_result push_frame(const detail::offer& what, Encode encode, Make make,
                                   detail::errands& todo) {
        detail::entry* owned = nullptr;
        const detail::push_result pushed = drive_.box.push(what, owned, encode, make, todo);
        detail::entry::destroy(owned);
        return pushed;
    }
    static detail::entry* no_entry(detail::entry*) noexcept { return nullptr; }
    /// An entry that owns its memory. What was not taken over stays the caller's.
    detail::push_result push_entry(const detail::offer& what, detail::entry*& owned, detail::errands& todo) {
        return drive_.box.push(what, owned, [](mutable_bytes) {}, no_entry, todo);
    }

    /// A data frame of `size` bytes: written by encode() under the lock, or made by make() outside of it.
    template <class Encode, class Make>
    errc push_data(std::size_t size, const on_outcome& on_done, Encode encode, Make make) {
        detail::wake owed{};
        detail::queue* work = nullptr;
        if (!drive_.box.try_follow_or_stay_locked(size, on_done, encode, owed, work))
            return push_data_locked(size, on_done, encode, make, work);
        drive_.rouse(owed);
        return errc::none;
    }
    /// Not inlined: a broadcast of small messages copies them.
    [[gnu::noinline]] errc push_reference(const shared_frame& frame, bool is_encodable,
                                          const on_outcome& on_done) {
        const detail::offer what = data_offer(frame.bytes().size(), on_done);
        if (const errc full = drive_.box.admits(what); full != errc::none) return refuse_data(full);
        detail::entry* owned = as_plain(detail::entry::make_shared(frame, on_done), is_encodable);
        return owned == nullptr ? errc::out_of_memory : queue_owned(what, owned);
    }
    /// A copy of a whole frame.
    errc push_copy(const_bytes frame, const on_outcome& on_done) {
        return push_data(
            frame.size(), on_done, [&](mutable_bytes to) { std::memcpy(to.data(), frame.data(), to.size()); },
            [&](detail::entry* kept) { return detail::entry::make_copy(frame, on_done, kept); });
    }
    /// The same, with the outbox's lock held, which it gives back. Not inlined: it is not what most sends do.
    template <class Encode, class Make>
    [[gnu::noinline]] errc push_data_locked(std::size_t size, const on_outcome& on_done, Encode& encode,
                                            Make& make, detail::queue* work) {
        detail::entry* owned = nullptr;
        detail::errands todo;
        const detail::push_result pushed =
            drive_.box.push_locked(data_offer(size, on_done), owned, encode, make, todo, work);
        detail::entry::destroy(owned);
        return finish_data(pushed, todo);
    }
    errc queue_owned(const detail::offer& what, detail::entry* owned) {
        detail::errands todo;
        const detail::push_result pushed = push_entry(what, owned, todo);
        detail::entry::destroy(owned);
        return finish_data(pushed, todo);
    }
    detail::push_result push_part(frame_spec spec, const_bytes part, detail::message_part which,
                                  const on_outcome& on_done, detail::errands& todo) {
        detail::offer what = data_offer(encoded_size<Side::self>(part.size()), on_done);
        what.part = which;
        const auto encode = [&](mutable_bytes to) { write_frame(side_, to, spec, part); };
        const auto make = [&](detail::entry* kept) { return encode_apart(spec, part, on_done, kept); };
        return push_frame(what, encode, make, todo);
    }
    /// Small frames that no full queue costs the connection.
    template <class Encode>
    errc push_small(detail::offer what, Encode encode) {
        // One without an outcome displaces at once: no callback can make a chain of it.
        what.may_displace = !what.done || drive_.may_displace();
        detail::errands todo;
        return drive_.after(push_frame(what, encode, no_entry, todo), todo);
    }

    /// The rest of every push of data: a full queue may cost the connection.
    errc finish_data(const detail::push_result& pushed, detail::errands& todo) {
        drive_.after(pushed, todo);
        return refuse_data(pushed.error);
    }
    errc refuse_data(errc error) {
        if (error == errc::queue_full && drive_.rules().when_full == overflow::disconnect)
            abort(errc::queue_full, duration::zero());
        return error;
    }

    /// Encodes into memory of its own, or that of `kept`, with no lock held.
    detail::entry* encode_apart(frame_spec spec, const_bytes payload, const on_outcome& on_done,
                                detail::entry* kept = nullptr) {
        const std::size_t size = encoded_size<Side::self>(payload.size());
        detail::entry* owned = detail::entry::make_own(size, on_done, kept);
        if (owned == nullptr) return nullptr;
        if constexpr (masks(Side::self)) {
            auto own_side = drive_.box.locked([&] { return side_.for_one_frame(); });
            write_frame(own_side, owned->writable(), spec, payload);
        } else {
            write_frame(side_, owned->writable(), spec, payload);
        }
        return owned;
    }

    errc send_control(opcode op, close_code code, const_bytes frame, const on_outcome& on_done) {
        if (op == opcode::close) return push_close(code, frame, drive_.rules().drain_timeout.get(), on_done);
        if (op != opcode::ping && op != opcode::pong)
            return errc::raw_frame_malformed; // an empty control_frame
        const detail::lane_id to = op == opcode::ping ? detail::lane_id::ping : detail::lane_id::pong;
        return push_small({.size = frame.size(), .done = on_done, .to = to},
                          [&](mutable_bytes at) { std::memcpy(at.data(), frame.data(), at.size()); });
    }

    errc push_close(close_code code, const_bytes frame, duration drain_within, const on_outcome& on_done) {
        const duration bound = drain_within == duration::zero() ? (duration::max)() : drain_within;
        const detail::closing close{code, deadline_after(Traits::clock::now(), bound)};
        detail::errands todo;
        const auto copy = [&](mutable_bytes to) { std::memcpy(to.data(), frame.data(), to.size()); };
        const detail::push_result pushed =
            push_frame({.size = frame.size(), .done = on_done, .close = &close}, copy, no_entry, todo);
        return drive_.after(pushed, todo);
    }

    errc send_waiting(opcode op, const_bytes payload, const on_outcome& on_done,
                      detail::room_waiter* waiter) {
        if (const errc error = drive_.box.judge_length(payload.size()); error != errc::none) return error;
        detail::offer what = data_offer(encoded_size<Side::self>(payload.size()), on_done);
        what.waiter = waiter;
        what.is_encodable = encodes(payload.size());
        detail::errands todo;
        const auto encode = [&](mutable_bytes to) { write_frame(side_, to, op, payload); };
        const auto make = [&](detail::entry* kept) {
            return as_plain(encode_apart(op, payload, on_done, kept), what.is_encodable);
        };
        return drive_.after(push_frame(what, encode, make, todo), todo);
    }

    errc queue_mark(const on_outcome& on_done, bool is_awaited) {
        detail::entry* mark = detail::entry::make_mark(on_done);
        if (mark == nullptr) return errc::out_of_memory;
        detail::errands todo;
        const detail::push_result pushed =
            push_entry({.done = on_done, .is_mark = true, .is_awaited = is_awaited}, mark, todo);
        detail::entry::destroy(mark);
        return drive_.after(pushed, todo);
    }

    errc send_kind(const raw& item, const on_outcome& on_done) { return send(item, on_done); }
    errc send_kind(const text& item, const on_outcome& on_done) { return send_text(item.payload, on_done); }
    errc send_kind(const binary& item, const on_outcome& on_done) {
        return send_binary(item.payload, on_done);
    }
    errc send_kind(const shared& item, const on_outcome& on_done) {
        if constexpr (Side::self == role::server)
            return send(item.frame, on_done);
        else
            return errc::raw_frame_malformed; // unmasked, so not a frame of this side
    }

    [[no_unique_address]] Side side_;
    mutable driver drive_; ///< report() and the like take its lock
};

} // namespace wsolo::inline WSOLO_ABI

// ---- wsolo/write/init_gate.hpp
// Holds a writer back during the handshake: data that is sent meanwhile is queued, within the same budget, and leaves in
// order right after the handshake's own answer; or never, when the handshake fails.
//
// Laws of this file:
// - A writer made with born_gated is gated until open() or reject(), exactly one of which happens: destroying the gate
//   rejects. An abort, and a deadline (the gate's, or a close's) that passes first, end the writer without the gate; then
//   open() and reject() have no effect.
// - The answer does not go through the queue: it leaves first, before everything that is queued, PINGs and Close included.
// - Nothing that was queued is ever sent on a rejected handshake; the drain report counts it.

namespace wsolo::inline WSOLO_ABI {

/// One thread at a time. The writer must outlive it.
template <class Writer>
class [[nodiscard]] init_gate {
public:
    /// Precondition: `writer` was made with born_gated and has no other gate.
    explicit init_gate(Writer& writer) noexcept : writer_(&writer) {}
    init_gate(init_gate&& other) noexcept : writer_(std::exchange(other.writer_, nullptr)) {}
    init_gate& operator=(init_gate&&) = delete;
    ~init_gate() {
        if (writer_ != nullptr) reject(errc::aborted);
    }

    /// Adds bytes (a 101 response, an acknowledgement frame) that leave first, in the order of these calls. They are
    /// copied; each call counts as one frame in the report. errc::out_of_memory; queue_full above 64 KiB; closed when the
    /// writer ended first.
    [[nodiscard]] errc acknowledge(const_bytes bytes) noexcept {
        WSOLO_ASSERT(writer_ != nullptr, "acknowledge() after open() or reject()");
        if (bytes.empty()) return errc::none;
        detail::entry* greeting = detail::entry::make_copy(bytes);
        if (greeting == nullptr) return errc::out_of_memory;
        detail::errands todo;
        const detail::push_result pushed =
            writer_->push_entry({.size = bytes.size(), .to = detail::lane_id::greeting}, greeting, todo);
        detail::entry::destroy(greeting);
        return pushed.error;
    }

    /// Bounds the handshake: the first pump() at `deadline` or later ends the writer with errc::handshake_timeout, and
    /// until then pump() reports it, with pump_status::busy. So the owner's timer does what it does for any other
    /// deadline: it pumps. The hook is called, so that a loop learns of it. The last call counts. Allocates a heap block
    /// of 1 KiB, in which the first small frames then lie. Errors: out_of_memory; closed when the writer has ended already.
    [[nodiscard]] errc set_deadline(time_point deadline) noexcept {
        WSOLO_ASSERT(writer_ != nullptr, "set_deadline() after open() or reject()");
        detail::queue* fresh = detail::queue::make();
        if (fresh == nullptr) return errc::out_of_memory;
        const bool is_bounded = writer_->drive_.box.bound_gate(deadline, fresh);
        detail::queue::destroy(fresh);
        if (!is_bounded) return errc::closed;
        writer_->drive_.rouse(detail::wake::look);
        return errc::none;
    }

    /// Opens the gate: the acknowledgement leaves, then what was queued, in order.
    void open() {
        WSOLO_ASSERT(writer_ != nullptr, "open() after open() or reject()");
        Writer& writer = *std::exchange(writer_, nullptr);
        detail::queue* idle = nullptr;
        const detail::wake owed = writer.drive_.box.open_gate(idle);
        detail::queue::destroy(idle);
        writer.drive_.rouse(owed);
    }

    /// Ends the writer: what was acknowledged (an error response, say) still leaves, what was queued is dropped with this
    /// reason.
    void reject(errc why) {
        WSOLO_ASSERT(writer_ != nullptr, "reject() after open() or reject()");
        std::exchange(writer_, nullptr)->abort(why);
    }

private:
    Writer* writer_;
};

template <class Writer>
init_gate(Writer&) -> init_gate<Writer>;

} // namespace wsolo::inline WSOLO_ABI

// ---- wsolo/write/sender.hpp
// A handle to any writer under one name: for worker threads, queues and interfaces that must not be templates.
//
// Laws of this file:
// - As a writer_handle it is weak: after the writer is gone it answers errc::closed, and it can't dangle.
// - Two words, no allocation, one indirect call.

namespace wsolo::inline WSOLO_ABI {

/// Made from a writer_handle: `wsolo::sender to = out.handle();`. Copyable; different copies may be used by different
/// threads. The functions are single_writer's of the same names.
class sender {
public:
    /// A handle to no writer.
    sender() noexcept = default;
    template <class Writer>
    sender(writer_handle<Writer>
               handle) noexcept // NOLINT(google-explicit-constructor): the same thing, less precise
        : calls_(&calls_of<writer_handle<Writer>>) {
        static_assert(sizeof handle == sizeof storage_ && alignof(writer_handle<Writer>) <= alignof(void*));
        ::new (static_cast<void*>(storage_)) writer_handle<Writer>(std::move(handle));
    }
    sender(const sender& other) noexcept : calls_(other.calls_) {
        if (calls_ != nullptr) calls_->copy(other.storage_, storage_);
    }
    sender(sender&& other) noexcept : sender() { swap(other); }
    sender& operator=(const sender& other) noexcept { return *this = sender(other); }
    // Not by value: clang 14 does not destroy a parameter that was made of {} in a template.
    sender& operator=(sender&& other) noexcept {
        sender fresh(std::move(other));
        swap(fresh);
        return *this;
    }
    ~sender() {
        if (calls_ != nullptr) calls_->destroy(storage_);
    }

    /// See single_writer's functions of these names; errc::closed when there is no writer any more. Any thread.
    [[nodiscard]] errc send_text(std::string_view payload, on_outcome on_done = {}) const {
        return calls_ == nullptr ? errc::closed : calls_->send_text(storage_, payload, on_done);
    }
    [[nodiscard]] errc send_binary(const_bytes payload, on_outcome on_done = {}) const {
        return calls_ == nullptr ? errc::closed : calls_->send_binary(storage_, payload, on_done);
    }
    [[nodiscard]] errc send(const outbound& item, on_outcome on_done = {}) const {
        return calls_ == nullptr ? errc::closed : calls_->send(storage_, item, on_done);
    }
    [[nodiscard]] errc close(close_code code, std::string_view reason = {}) const {
        return calls_ == nullptr ? errc::closed : calls_->close(storage_, code, reason);
    }
    /// Whether the writer is gone.
    [[nodiscard]] bool is_expired() const noexcept {
        return calls_ == nullptr || calls_->is_expired(storage_);
    }

private:
    struct calls {
        errc (*send_text)(const std::byte*, std::string_view, on_outcome);
        errc (*send_binary)(const std::byte*, const_bytes, on_outcome);
        errc (*send)(const std::byte*, const outbound&, on_outcome);
        errc (*close)(const std::byte*, close_code, std::string_view);
        bool (*is_expired)(const std::byte*) noexcept;
        void (*copy)(const std::byte* from, std::byte* to) noexcept;
        void (*destroy)(std::byte*) noexcept;
    };

    template <class Handle>
    static const Handle& as(const std::byte* storage) noexcept {
        return *std::launder(reinterpret_cast<const Handle*>(storage));
    }
    template <class Handle>
    static constexpr calls calls_of{
        [](const std::byte* to, std::string_view payload, on_outcome on_done) {
            return as<Handle>(to).send_text(payload, on_done);
        },
        [](const std::byte* to, const_bytes payload, on_outcome on_done) {
            return as<Handle>(to).send_binary(payload, on_done);
        },
        [](const std::byte* to, const outbound& item, on_outcome on_done) {
            return as<Handle>(to).send(item, on_done);
        },
        [](const std::byte* to, close_code code, std::string_view reason) {
            return as<Handle>(to).close(code, reason);
        },
        [](const std::byte* to) noexcept { return as<Handle>(to).is_expired(); },
        [](const std::byte* from, std::byte* to) noexcept {
            ::new (static_cast<void*>(to)) Handle(as<Handle>(from));
        },
        [](std::byte* old) noexcept { std::launder(reinterpret_cast<Handle*>(old))->~Handle(); }};

    void swap(sender& other) noexcept { // a handle is one pointer: it may be moved by its bytes
        std::swap(calls_, other.calls_);
        std::swap(storage_, other.storage_);
    }

    const calls* calls_ = nullptr;
    alignas(void*) std::byte storage_[sizeof(void*)] = {};
};

} // namespace wsolo::inline WSOLO_ABI

// ---- wsolo/endpoint/stream_end.hpp
// How a connection's byte stream ends: when our FIN leaves, how long input is still taken, when the connection is gone.
// A pure state machine: events and times in, what is to be done out. Usable without an endpoint.
//
// Laws of this file (RFC 6455 §7.1.1, §7.1.7):
// - Our FIN leaves when everything of ours was written and the peer's Close was read, or its stream ended, or is unreadable, or
//   a bound passed. A client waits for the server's end besides; a server ends first.
// - After a failed write there is nothing more to say, but what the peer still says is read: to its Close, its end, or a bound.
// - A verdict on the peer takes two looks, a quarter of the bound apart: what arrived while the process slept is read first.
// - After our FIN, or the peer's Close, input is taken and thrown away until its end or a bound, so that no reset destroys what
//   is on its way. Then the connection is gone, and that is the end.
//
//   output \ input | open                  | closed (its Close was read)     | unreadable       | over
//   ---------------+-----------------------+---------------------------------+------------------+-----------
//   open           | -                     | -                               | -                | -
//   drained        | await_close           | FIN (server), await_end         | FIN, await_end   | FIN, gone
//   failed         | await_close           | gone                            | gone             | gone
//   await_close and await_end: FIN (if drained) and gone when their bound passes. An abort: gone, from everywhere.

namespace wsolo::inline WSOLO_ABI {

/// How long an end may take. A zero means "none" for each: no bound.
struct end_options {
    /// How long to wait for the peer's answer to our Close, and how long our answer to the peer's Close waits for the handler.
    std::chrono::milliseconds close_timeout{5'000};
    /// How long to wait for the end of the peer's stream while its bytes are thrown away.
    std::chrono::milliseconds linger_timeout{5'000};
    /// How many bytes are thrown away meanwhile at most.
    std::uint64_t linger_bytes = std::uint64_t{64} * 1024 * 1024;

    [[nodiscard]] bool operator==(const end_options&) const = default;
};

/// What is to be done now.
struct [[nodiscard]] end_actions {
    bool end_output = false;           ///< send our FIN. Told once
    bool disconnect = false;           ///< end both directions. Told once, after end_output if both are due
    time_point deadline = no_deadline; ///< when to ask again; an event may change it
};

/// When a stream may be shut down, and closed. A value; every function O(1), constexpr, no side effects elsewhere.
class stream_end {
public:
    constexpr stream_end(role side, const end_options& options) noexcept
        : bytes_left_(bound_of(options.linger_bytes)),
          close_timeout_(options.close_timeout),
          linger_timeout_(options.linger_timeout),
          self_(side) {}

    // ---- events

    /// The writer finished: with our Close as the last thing written, or otherwise.
    constexpr void on_output_over(bool is_drained, time_point now) noexcept {
        if (output_ != output::open) return;
        output_ = is_drained ? output::drained : output::failed;
        advance(now);
    }
    /// The peer's Close was read: what follows it is thrown away.
    constexpr void on_peer_close(time_point now) noexcept { to(input::closed, now); }
    /// The peer broke a rule, or its input is not wanted any more: what follows is thrown away.
    constexpr void on_unreadable(time_point now) noexcept { to(input::unreadable, now); }
    /// The peer's stream ended, or broke: no byte will come.
    constexpr void on_input_over(time_point now) noexcept { to(input::over, now); }
    /// The connection is to go at once.
    constexpr void on_abort() noexcept { stage_ = stage::gone; }
    /// The peer took bytes of ours, or this side did not read: the bound of the wait in progress starts anew.
    constexpr void on_progress(time_point now) noexcept { wait_from(now); }
    /// Bytes came that is_discarding() says are thrown away.
    constexpr void on_discarded(std::uint64_t bytes) noexcept {
        bytes_left_ -= bytes < bytes_left_ ? bytes : bytes_left_;
    }

    // ---- answers

    /// end_options::close_timeout; duration::max(): no bound.
    [[nodiscard]] constexpr duration close_timeout() const noexcept { return close_timeout_.get(); }
    /// What is due at `now`. A call too many is harmless.
    constexpr end_actions next(time_point now) noexcept {
        if (is_waiting() && (has_passed(now) || bytes_left_ == 0)) {
            missed_close_ = stage_ == stage::await_close && output_ == output::drained;
            stage_ = stage::gone;
        }
        end_actions due;
        due.end_output = is_fin_due() && !std::exchange(fin_told_, true);
        due.disconnect = is_gone() && !std::exchange(gone_told_, true);
        due.deadline = deadline();
        return due;
    }

    /// When next() will have something to do.
    [[nodiscard]] constexpr time_point deadline() const noexcept {
        if (!is_waiting() || until() == no_deadline) return no_deadline;
        return has_looked_ ? until() : deadline_after(until(), -quarter());
    }
    /// Whether what comes is to be read from the transport (and thrown away if is_discarding()).
    [[nodiscard]] constexpr bool wants_input() const noexcept { return !is_gone() && input_ != input::over; }
    /// Whether what comes is of no interest: it is read and thrown away.
    [[nodiscard]] constexpr bool is_discarding() const noexcept { return input_ != input::open; }
    /// Whether disconnect is due, or was told.
    [[nodiscard]] constexpr bool is_gone() const noexcept { return stage_ == stage::gone; }
    /// Whether it waits for the peer: our side of the output is over, the connection not gone.
    [[nodiscard]] constexpr bool is_waiting() const noexcept {
        return stage_ == stage::await_close || stage_ == stage::await_end;
    }
    /// While it waits: since when its bound runs.
    [[nodiscard]] constexpr time_point waiting_since() const noexcept { return since_; }
    /// Whether the peer did not answer our Close within its time.
    [[nodiscard]] constexpr bool missed_close() const noexcept { return missed_close_; }

private:
    enum class output : std::uint8_t { open, drained, failed };
    enum class input : std::uint8_t { open, closed, unreadable, over };
    enum class stage : std::uint8_t { running, await_close, await_end, gone };

    /// Input only gets worse: a Close that stands in unreadable input was not read.
    constexpr void to(input next, time_point now) noexcept {
        if (next <= input_ || (next == input::unreadable && input_ == input::closed)) return;
        input_ = next;
        advance(now);
    }

    constexpr void advance(time_point now) noexcept {
        if (stage_ == stage::gone || output_ == output::open) return;
        const stage next = input_ == input::open                                ? stage::await_close
                           : input_ == input::over || output_ == output::failed ? stage::gone
                                                                                : stage::await_end;
        if (next == stage_) return;
        stage_ = next;
        wait_from(now);
    }

    // ---- the wait

    constexpr void wait_from(time_point now) noexcept {
        since_ = now;
        has_looked_ = has_slept_ = false;
    }
    [[nodiscard]] constexpr duration bound() const noexcept {
        return (stage_ == stage::await_close ? close_timeout_ : linger_timeout_).get();
    }
    [[nodiscard]] constexpr duration quarter() const noexcept { return bound() / 4; }
    [[nodiscard]] constexpr time_point until() const noexcept { return deadline_after(since_, bound()); }

    /// Whether the bound is over. A look that comes too late says that this process slept: a quarter more, once.
    constexpr bool has_passed(time_point now) noexcept {
        if (now < deadline()) return false;
        const bool slept = now >= (has_looked_ ? deadline_after(until(), quarter()) : until());
        if (slept && !std::exchange(has_slept_, true)) since_ = deadline_after(now, quarter() - bound());
        return std::exchange(has_looked_, true) && now >= until();
    }

    [[nodiscard]] constexpr bool is_fin_due() const noexcept {
        if (output_ != output::drained || gone_told_) return false;
        return is_gone() || input_ == input::unreadable || (input_ == input::closed && self_ == role::server);
    }

    time_point since_{};
    std::uint64_t bytes_left_;
    detail::short_duration close_timeout_;
    detail::short_duration linger_timeout_;
    role self_;
    output output_ : 2 = output::open;
    input input_ : 2 = input::open;
    stage stage_ = stage::running;
    bool fin_told_ = false;
    bool gone_told_ = false;
    bool missed_close_ = false;
    bool has_looked_ = false; ///< within the bound's last quarter
    bool has_slept_ = false;  ///< through a verdict of this wait
};

} // namespace wsolo::inline WSOLO_ABI

// ---- wsolo/endpoint/detail/shared_rules.hpp
// The part of an endpoint's options that it needs all the time, made ready once for many endpoints: a counted pointer to it.
//
// Laws of this file:
// - What it points to never changes. The last copy frees it, in any thread.
// - Options that are the defaults take no memory. Those that were changed after they were made ready have rules of their own again.

namespace wsolo::inline WSOLO_ABI::detail {

/// Replies that may wait to be written.
struct reply_bounds {
    std::size_t bytes = 0;
    std::uint32_t count = 0;
    [[nodiscard]] bool operator==(const reply_bounds&) const = default;
};

/// `Options`: endpoint_options, which have a pointer of this kind.
template <class Options>
struct endpoint_rules {
    explicit constexpr endpoint_rules(const Options& options) noexcept
        : reading(of_messages(options.reading)),
          replies{bound_of(options.max_unsent), bound_of(options.max_unsent_replies)},
          handling(options.handling),
          handle_quantum(options.handle_quantum),
          ending(options.ending),
          writing(options.writing) {}
    [[nodiscard]] bool operator==(const endpoint_rules&) const = default;

    read_bounds reading;
    reply_bounds replies;
    inbox_bounds handling;
    std::uint32_t handle_quantum;
    end_options ending;
    writer_rules writing;

private:
    static constexpr read_limits of_messages(read_limits limits) noexcept {
        limits.deliver = delivery::messages;
        return limits;
    }
};

/// Null without memory, and where it was not made. Copies belong to any thread, each to one at a time.
template <class Options>
class shared_rules {
public:
    using rules = endpoint_rules<Options>;

    constexpr shared_rules() noexcept = default;
    explicit shared_rules(const Options& options) noexcept {
        const rules made(options);
        if (options.ready && options.ready.block_->value == made) {
            block_ = &retained(*options.ready.block_);
        } else {
            block_ = made == defaults().value ? &retained(defaults()) : new (std::nothrow) block(made);
        }
    }
    constexpr shared_rules(const shared_rules& other) noexcept
        : block_(other.block_ == nullptr ? nullptr : &retained(*other.block_)) {}
    constexpr shared_rules(shared_rules&& other) noexcept : block_(std::exchange(other.block_, nullptr)) {}
    constexpr shared_rules& operator=(shared_rules other) noexcept {
        std::swap(block_, other.block_);
        return *this;
    }
    constexpr ~shared_rules() { // options may be constants
        if (block_ != nullptr && block_->references.fetch_sub(1, std::memory_order_acq_rel) == 1)
            delete block_;
    }

    /// Those of the default options.
    [[nodiscard]] static shared_rules of_defaults() noexcept { return shared_rules(retained(defaults())); }

    [[nodiscard]] explicit operator bool() const noexcept { return block_ != nullptr; }
    [[nodiscard]] const rules* operator->() const noexcept { return &block_->value; }

private:
    struct block {
        explicit block(const rules& of) noexcept : value(of) {}
        const rules value;
        std::atomic<std::uint32_t> references{1};
    };

    explicit shared_rules(block& of) noexcept : block_(&of) {}
    /// It has a reference of its own, so that it is never freed.
    static block& defaults() noexcept {
        static block of_all{rules(Options{})};
        return of_all;
    }
    static block& retained(block& of) noexcept {
        of.references.fetch_add(1, std::memory_order_relaxed);
        return of;
    }

    block* block_ = nullptr;
};

} // namespace wsolo::inline WSOLO_ABI::detail

// ---- wsolo/endpoint/options.hpp
// How one endpoint behaves, what it tells the loop that drives it, and how it ended.
//
// Laws of this file:
// - Every default suits a public server: bounded memory, bounded silence, a bounded end.
// - What is the same for many endpoints and asked for at any time stands once on the heap (shared_options()).
// - A zero means "none" for every limit, quantum and timeout.

namespace wsolo::inline WSOLO_ABI {

/// Copied into the endpoint, or shared by many: shared_options().
struct endpoint_options {
    /// What the peer may make this side take. `deliver` is ignored: an endpoint hands out whole messages.
    read_limits reading{};
    /// How much may come in a second. Beyond it the connection ends with errc::rate_exceeded (1008).
    reading_rate rate{};
    writer_options writing{};
    /// What may wait for the handler. With drop_newest the handler's on_refused() is told of each message that was not
    /// let in; without one only ending::handled.messages_refused counts it.
    inbox_limits handling{};
    heartbeat_options beating{};
    end_options ending{};
    /// Replies that may wait to be written, in payload bytes and in messages. A reply is what a handler sends while it
    /// handles a message. Beyond the bound no message is handled and nothing is read, until the replies are on their way. Data
    /// that is sent at other times does not count: two sides that push to each other go on reading. Keep the bound below
    /// writing.limits by the longest reply.
    std::size_t max_unsent = 1024 * 1024;
    std::uint32_t max_unsent_replies = 16'384;
    /// Messages handled in one turn of the loop, or by one work().
    std::uint32_t handle_quantum = 64;
    /// What shared_options() made ready; nothing, unless it did.
    detail::shared_rules<endpoint_options> ready{};
};

/// The same options with `reading`, `writing`, `handling`, `handle_quantum`, `max_unsent`, `max_unsent_replies` and `ending` made ready, once for all the endpoints that are made with the result or with copies of it;
/// without it each endpoint takes a block of about 150 bytes for that part (but for the defaults, which are always shared). What
/// is changed afterwards is not shared. Without memory it returns the options as they are. A listener does this for its connections.
template <std::derived_from<endpoint_options> Options>
[[nodiscard]] Options shared_options(Options options) noexcept {
    options.ready = detail::shared_rules<endpoint_options>(options);
    return options;
}

/// What an endpoint wants from its loop until the next call. Level-triggered: watch for exactly this.
struct [[nodiscard]] endpoint_wants {
    bool read = true;   ///< bytes, for receive(). While it is false look neither for input nor for a hang-up
    bool write = false; ///< run() when the transport is writable. Never of a completion_transport
    bool finished = false; ///< over: on_finished() was called; nothing more is wanted, it may be destroyed
    /// Call run() at this time. It moves only to an earlier time, or once it has passed: a loop rarely sets its timer again.
    time_point deadline = no_deadline;
};

/// What went through an endpoint. Plain numbers, which may be summed over many. (Of what was sent: ending::written, or
/// writer().report().)
struct endpoint_counters {
    /// Whole messages, by kind.
    std::uint64_t texts_received = 0;
    std::uint64_t binaries_received = 0;
    std::uint64_t bytes_received = 0; ///< payload of messages
    /// Control frames from the peer; of one endpoint, modulo 2^32.
    std::uint64_t pings_received = 0;
    std::uint64_t pongs_received = 0;
    std::uint64_t sends_refused = 0; ///< queue_full, by the endpoint's own functions

    constexpr endpoint_counters& operator+=(const endpoint_counters& more) noexcept {
        texts_received += more.texts_received;
        binaries_received += more.binaries_received;
        bytes_received += more.bytes_received;
        pings_received += more.pings_received;
        pongs_received += more.pongs_received;
        sends_refused += more.sends_refused;
        return *this;
    }
};

/// How a connection ended.
struct ending {
    /// The first thing that went wrong; none: both sides closed in order.
    errc reason = errc::none;
    /// The status code of the Close that was received, or else of the one that was written to its last byte. abnormal: neither
    /// (RFC 6455 §7.1.5).
    close_code code = close_code::abnormal;
    /// The peer's Close arrived.
    bool peer_closed = false;
    /// A handler did not return (or a coroutine held a message) for end_options::close_timeout after everything else was
    /// over: it may still run. `handled` then lacks the messages of its run, 32 at most.
    bool handler_still_runs = false;
    /// PONGs and PINGs that the endpoint queued by itself, and the Close, also one that the caller asked for: with the
    /// caller's other accepted frames they add up to written.frames_accepted(). Modulo 2^32.
    std::uint64_t control_frames = 0;
    drain_report written{};
    inbox_report handled{};
};

} // namespace wsolo::inline WSOLO_ABI

// ---- wsolo/endpoint/detail/group_roll.hpp
// The members of a connection_group: a ring, and how a thread walks along it while others join and leave.
//
// Laws of this file:
// - A member lies in its seat, so the ring has no memory of its own. It is looked at under the lock alone: its seat may move
//   or go at any other time.
// - No member is called under the lock, and none is waited for. A walk finds a member, takes a guard of it and lets go of
//   the lock, in this order; its place in the ring is a link of its own.
// - A new member is linked where every walk has passed: a walk ends, however many join meanwhile.
// - The roll is shared by the group, its invitations and its members. The last of them frees it.

namespace wsolo::inline WSOLO_ABI {

/// What became of a group's members so far, and of what they accepted: the sum of their endings.
struct group_report {
    std::uint64_t joined = 0;
    std::uint64_t present = 0;         ///< members now
    std::uint64_t closed_in_order = 0; ///< ended without a reason: both sides closed
    std::uint64_t failed = 0;          ///< ended with a reason
    std::uint64_t gone = 0;            ///< left before they ended, or were destroyed
    errc first_failure = errc::none;   ///< the reason of the first that failed
    /// How often a member had no room for what was sent to all.
    std::uint64_t times_full = 0;
    std::uint64_t frames_written = 0;
    std::uint64_t frames_dropped = 0;
    std::uint64_t bytes_written = 0;
    std::uint64_t bytes_dropped = 0;
    std::uint64_t messages_handled = 0;
    std::uint64_t messages_dropped = 0;
};

namespace detail {

/// The Close with which a group ends its members.
struct group_goodbye {
    close_code code{};
    std::uint8_t reason_size = 0;
    char reason[max_close_reason];
    duration within{};

    template <class T>
    void say(T& to) const {
        const errc error = to.close(code, {reason, reason_size}, within);
        if (error != errc::none && error != errc::closed) to.abort(error); // it ends in any case
    }
};

/// What a group asks of a member of some type, through a weak handle: when the member is gone these do nothing. All but
/// move() and destroy() are called with the roll's lock held, and let go of it before they call the member.
template <class Lock>
struct group_calls {
    /// `is_cut_off`: aborts it when it has no room.
    errc (*send)(const std::byte* to, Lock& held, const shared_frame& frame, bool is_cut_off);
    void (*close)(const std::byte* to, Lock& held, const group_goodbye& words);
    void (*abort)(const std::byte* to, Lock& held, errc why);
    void (*ask_for_turn)(const std::byte* to, Lock& held);
    void (*move)(std::byte* from, std::byte* to) noexcept; ///< with the lock held
    void (*destroy)(std::byte* old) noexcept;
};

template <class Traits>
class group_roll {
public:
    using lock = basic_spin_lock<Traits>;
    using calls = group_calls<lock>;

private:
    /// What the members of one type have in common, so that a member has one word for it.
    struct kind {
        group_roll& roll;
        const calls& by;
        kind* next;
    };
    /// In the ring: the head, members, and walks.
    struct link {
        link* before = this;
        link* after = this;
        const kind* of = nullptr; ///< of a member

        void insert_before(link& place) noexcept {
            before = place.before;
            after = &place;
            before->after = after->before = this;
        }
        void unlink() noexcept {
            before->after = after;
            after->before = before;
            before = after = this;
        }
    };
    using rep = duration::rep;

public:
    /// One membership, or none. It belongs to a seat. What a walk asks of it, with the lock held, lets go of the lock.
    class member : link {
    public:
        member() = default;
        member(const member&) = delete;
        member& operator=(const member&) = delete;

        [[nodiscard]] bool is_in() const noexcept { return this->of != nullptr; }
        /// Precondition of this and all of the following: is_in().
        [[nodiscard]] group_roll& roll() const noexcept { return this->of->roll; }

        errc send(const shared_frame& frame, bool is_cut_off) {
            return by().send(handle_, roll().lock_, frame, is_cut_off);
        }
        void abort(errc why) { by().abort(handle_, roll().lock_, why); }
        /// Now, as the first begin_close() said, within what is left of the time.
        void close(time_point now) {
            const group_goodbye words = roll().goodbye_at(now);
            close_at_.store(never, std::memory_order_relaxed);
            by().close(handle_, roll().lock_, words);
        }
        /// Leaves it to the member's own loop, unless the group was hurried meanwhile: then it begins now.
        void close_later(time_point at, time_point now) {
            // Otherwise the walk of the call that hurries finds what is set here.
            if (roll().is_hurried_) return close(now);
            if (at == no_deadline) at -= duration(1); // as late as can be: "never" would leave it out
            close_at_.store(at.time_since_epoch().count(), std::memory_order_release);
            by().ask_for_turn(handle_, roll().lock_);
        }
        /// Closes it if that was left to its loop and has not begun.
        void close_if_put_off(time_point now) {
            if (close_at() == no_deadline) return roll().lock_.unlock();
            close(now);
        }

        /// When its own loop is to close it. Without the lock.
        [[nodiscard]] time_point close_at() const noexcept {
            return time_point(duration(close_at_.load(std::memory_order_acquire)));
        }

    private:
        friend group_roll;
        static constexpr rep never = no_deadline.time_since_epoch().count();

        [[nodiscard]] const calls& by() const noexcept { return this->of->by; }

        alignas(void*) std::byte handle_[sizeof(void*)];
        typename Traits::template atomic<rep> close_at_{never}; ///< written under the lock
    };

    /// nullptr when there is no memory. One reference, the caller's.
    [[nodiscard]] static group_roll* make() noexcept { return new (std::nothrow) group_roll; }
    void retain() noexcept { references_.fetch_add(1, std::memory_order_relaxed); }
    void drop() noexcept {
        if (references_.fetch_sub(1, std::memory_order_acq_rel) == 1) delete this;
    }
    group_roll(const group_roll&) = delete;
    group_roll& operator=(const group_roll&) = delete;

    /// Makes `fresh` a member. Errors: closed, once the group closes; out_of_memory, for the first of its type.
    template <class Handle>
    [[nodiscard]] errc join(member& fresh, Handle handle, const calls& by) noexcept {
        static_assert(sizeof handle == sizeof fresh.handle_ && alignof(Handle) <= alignof(void*));
        const kind* const of = kind_of(by);
        if (of == nullptr) return errc::out_of_memory;
        const scoped_hold hold(lock_);
        if (is_closing_ || !present_.enter()) return errc::closed;
        retain();
        ::new (static_cast<void*>(fresh.handle_)) Handle(std::move(handle));
        fresh.of = of;
        fresh.insert_before(*head_.after);
        ++report_.joined;
        ++report_.present;
        return errc::none;
    }
    /// Puts `to`, which is in no group, in the place of `from`.
    void move(member& from, member& to) noexcept {
        const scoped_hold hold(lock_);
        to.insert_before(from);
        from.unlink();
        to.of = std::exchange(from.of, nullptr);
        to.by().move(from.handle_, to.handle_);
        to.close_at_.store(from.close_at_.exchange(member::never, std::memory_order_relaxed),
                           std::memory_order_relaxed);
    }
    /// The member's own end, with how its connection ended, if it did. This may be gone after it.
    void leave(member& gone, const ending* how) noexcept {
        {
            const scoped_hold hold(lock_);
            gone.unlink();
            --report_.present;
            add(how);
        }
        gone.by().destroy(gone.handle_);
        gone.of = nullptr;
        gone.close_at_.store(member::never, std::memory_order_relaxed);
        present_.leave(); // those who wait for the last one go on
        drop();
    }

    /// Calls visit(member&) for each member, with the lock held: visit lets go of it. One that joins meanwhile is not visited;
    /// one that leaves may still be.
    template <class Visit>
    void for_each(Visit visit) {
        walk steps(*this);
        while (member* next = steps.next()) visit(*next);
    }

    struct closing {
        bool is_first = false;
        std::uint64_t members = 0;
    };
    /// No member can join any more. Only the first call says how the group closes; later ones may make it sooner.
    closing begin_close(close_code code, std::string_view reason, time_point done_by) noexcept {
        closing begun;
        {
            const scoped_hold hold(lock_);
            begun = {!is_closing_, report_.present};
            if (done_by < done_by_) done_by_ = done_by;
            is_hurried_ = is_closing_;
            if (begun.is_first) {
                goodbye_.code = code;
                goodbye_.reason_size =
                    static_cast<std::uint8_t>(reason.copy(goodbye_.reason, max_close_reason));
                is_closing_ = true;
            }
        }
        static_cast<void>(present_.close()); // may run callbacks, so with the lock free
        return begun;
    }
    /// True: no member can join any more.
    [[nodiscard]] bool is_closing() noexcept {
        const scoped_hold hold(lock_);
        return is_closing_;
    }
    /// Closes what came too late to be a member, as it closes members.
    template <class T>
    void close(T& late, time_point now) {
        lock_.lock();
        const group_goodbye words = goodbye_at(now);
        lock_.unlock();
        words.say(late);
    }
    /// For the member's own loop, when close_at() has come. Another close may be first.
    void close_in_turn(member& one, time_point now) {
        lock_.lock();
        one.close_if_put_off(now);
    }

    void count_full(std::uint64_t times) noexcept {
        if (times == 0) return;
        const scoped_hold hold(lock_);
        report_.times_full += times;
    }
    [[nodiscard]] group_report report() noexcept {
        const scoped_hold hold(lock_);
        return report_;
    }
    template <class StopToken>
    [[nodiscard]] errc wait(time_point deadline, const StopToken& stop) noexcept {
        return present_.wait(deadline, stop);
    }

private:
    static constexpr duration shortest = std::chrono::milliseconds(1); // zero would be no bound

    /// A place in the ring, between the members that were visited and those that were not.
    class walk : link {
    public:
        explicit walk(group_roll& roll) noexcept : roll_(roll) {
            const scoped_hold hold(roll_.lock_);
            this->insert_before(*roll_.head_.after);
        }
        walk(const walk&) = delete;
        walk& operator=(const walk&) = delete;
        ~walk() {
            const scoped_hold hold(roll_.lock_);
            this->unlink();
        }

        /// The next member, with the lock held; nullptr at the end, without it.
        [[nodiscard]] member* next() noexcept {
            roll_.lock_.lock();
            link* place = this->after;
            while (place != &roll_.head_ && place->of == nullptr) place = place->after; // another walk
            this->unlink();
            if (place != &roll_.head_) {
                this->insert_before(*place->after);
                return static_cast<member*>(place);
            }
            this->insert_before(*place);
            roll_.lock_.unlock();
            return nullptr;
        }

    private:
        group_roll& roll_;
    };

    group_roll() = default;
    ~group_roll() {
        while (kinds_ != nullptr) delete std::exchange(kinds_, kinds_->next);
    }

    /// Lives as long as the roll. Two threads that come at once may make two of a type.
    [[nodiscard]] const kind* kind_of(const calls& by) noexcept {
        {
            const scoped_hold hold(lock_);
            for (const kind* each = kinds_; each != nullptr; each = each->next)
                if (&each->by == &by) return each;
        }
        auto* const fresh = new (std::nothrow) kind{*this, by, nullptr};
        if (fresh == nullptr) return nullptr;
        const scoped_hold hold(lock_);
        fresh->next = std::exchange(kinds_, fresh);
        return fresh;
    }

    /// What is said at `now`. With the lock held.
    [[nodiscard]] group_goodbye goodbye_at(time_point now) const noexcept {
        group_goodbye words = goodbye_;
        words.within = done_by_ == no_deadline                    ? duration::zero() // no bound
                       : done_by_ < deadline_after(now, shortest) ? shortest
                                                                  : done_by_ - now;
        return words;
    }

    void add(const ending* how) noexcept {
        if (how == nullptr) {
            ++report_.gone;
            return;
        }
        if (how->reason == errc::none) {
            ++report_.closed_in_order;
        } else {
            if (report_.failed++ == 0) report_.first_failure = how->reason;
        }
        report_.frames_written += how->written.frames_written;
        report_.frames_dropped += how->written.frames_dropped;
        report_.bytes_written += how->written.bytes_written;
        report_.bytes_dropped += how->written.bytes_dropped;
        report_.messages_handled += how->handled.messages_handled;
        report_.messages_dropped += how->handled.messages_dropped;
    }

    lock lock_;
    bool is_closing_ = false;
    bool is_hurried_ = false; ///< a second begin_close() came
    group_goodbye goodbye_;
    time_point done_by_ = no_deadline;
    link head_;
    kind* kinds_ = nullptr;
    group_report report_;
    basic_rundown<Traits> present_;
    typename Traits::template atomic<std::uint32_t> references_{1};
};

} // namespace detail
} // namespace wsolo::inline WSOLO_ABI

// ---- wsolo/endpoint/connection_group.hpp
// A group of connections of any type, in any number of loops and threads: one call sends to all of them, or closes all of them.
//
//     wsolo::connection_group everyone;
//     const wsolo::errc joined = connection.join(everyone);        // in the connection's own loop; it leaves at its end
//     everyone.send_text("tick");                                  // any thread; one frame for all
//     everyone.close_all(wsolo::close_code::service_restart, "deploy", 30s, 15s);
//     const wsolo::errc how = everyone.wait(deadline);             // until the last one has left; then report()
//
// Laws of this file:
// - No call waits for a member. A message to all is queued with each member, or counted as refused by it. A member that is
//   slow, hung or about to end delays neither the sender nor the other members.
// - No member is kept alive, and none is called under a lock. A member that is destroyed leaves.
// - It starts no thread and sets no timer: closes that are spread over time are begun by each member's own loop, at the
//   deadline that its seat tells it. An endpoint does that itself. The owner of a member by join(handle) calls the seat's tick()
//   in each turn of its loop and at the seat's deadline(), and leave(how) at the end.
// - Once the group closes, no connection can join.

namespace wsolo::inline WSOLO_ABI {

/// What happens to a member whose queue has no room for a message to all. It is counted in either case.
enum class when_member_full : std::uint8_t {
    skip,       ///< it does not get this message
    disconnect, ///< it is aborted (errc::queue_full): a peer this slow is worse than none
};

/// A possible member: an endpoint, or a type that has these functions of it, callable by any thread. A server queues the
/// shared frame itself; a client sends its payload, masked by a key of its own.
template <class T>
concept group_member =
    requires(T& member, close_code code, std::string_view reason, duration within, errc why) {
        { member.close(code, reason, within) } -> std::same_as<errc>;
        { member.abort(why) };
        { member.ask_for_turn() }; // run() is to be called soon: the seat has news
        requires std::same_as<std::remove_cv_t<decltype(T::self)>, role>;
    } && (T::self == role::server ? requires(T& member, const shared_frame& frame) {
        { member.send(frame) } -> std::same_as<errc>;
    } : requires(T& member, std::string_view text, const_bytes bytes) {
        { member.send_text(text) } -> std::same_as<errc>;
        { member.send_binary(bytes) } -> std::same_as<errc>;
    });

/// The result of a message to all. Members that were already closing, or had ended, are not counted.
struct [[nodiscard]] sent_to_all {
    std::size_t accepted = 0; ///< queued
    std::size_t full = 0;     ///< had no room
    std::size_t refused = 0;  ///< did not take it for another reason
    /// Why there was no frame to send, or why the first of `refused` did not take it.
    errc error = errc::none;
};

namespace detail {

template <class T>
errc send_to_member(T& to, const shared_frame& frame) {
    if constexpr (T::self == role::server) {
        return to.send(frame);
    } else {
        const header_parse parsed = parse_header(frame.bytes());
        const frame_header& header = parsed.header;
        if (!is_one_whole_frame<role::server>(parsed, frame.bytes()) || header.rsv1 || is_control(header.op))
            return errc::raw_frame_malformed;
        const const_bytes payload = frame.bytes().subspan(parsed.size);
        return header.op == opcode::text ? to.send_text(text_of(payload)) : to.send_binary(payload);
    }
}

template <class T, class HandleTraits, class Lock>
struct calls_by {
    using handle = basic_weak_session<T, HandleTraits>;

    /// Takes a guard under the lock, and lets go of the lock: what is called is in no group's way.
    static auto use(const std::byte* to, Lock& held) noexcept {
        auto live = std::launder(reinterpret_cast<const handle*>(to))->try_use();
        held.unlock();
        return live;
    }
    static constexpr group_calls<Lock> table{
        [](const std::byte* to, Lock& held, const shared_frame& frame, bool is_cut_off) {
            const auto live = use(to, held);
            const errc answer = live ? send_to_member(*live, frame) : errc::closed;
            if (answer == errc::queue_full && is_cut_off) live->abort(answer);
            return answer;
        },
        [](const std::byte* to, Lock& held, const group_goodbye& words) {
            if (const auto live = use(to, held)) words.say(*live);
        },
        [](const std::byte* to, Lock& held, errc why) {
            if (const auto live = use(to, held)) live->abort(why);
        },
        [](const std::byte* to, Lock& held) {
            if (const auto live = use(to, held)) live->ask_for_turn();
        },
        [](std::byte* from, std::byte* to) noexcept {
            auto* const old = std::launder(reinterpret_cast<handle*>(from));
            ::new (static_cast<void*>(to)) handle(std::move(*old));
            std::destroy_at(old);
        },
        [](std::byte* old) noexcept { std::destroy_at(std::launder(reinterpret_cast<handle*>(old))); }};
};

} // namespace detail

template <class Traits>
class basic_connection_group;
template <class Traits>
class basic_group_invitation;

/// A member's place in a group. It belongs to the member's loop, is kept beside the connection or in it, and is not
/// thread-safe. Move-only, 40 bytes, and nothing on the heap; its destructor leaves the group. It may outlive the group.
template <class Traits>
class [[nodiscard]] basic_group_seat {
public:
    /// In no group.
    basic_group_seat() = default;
    basic_group_seat(basic_group_seat&& other) noexcept { take_over(other); }
    basic_group_seat& operator=(basic_group_seat&& other) noexcept {
        if (this != &other) {
            leave();
            take_over(other);
        }
        return *this;
    }
    ~basic_group_seat() { leave(); }

    [[nodiscard]] explicit operator bool() const noexcept { return member_.is_in(); }

    /// Call it in each turn of the member's loop: closes the member if that is due. O(1): a load.
    void tick(time_point now) {
        if (now >= member_.close_at() && member_.is_in()) member_.roll().close_in_turn(member_, now);
    }
    /// When tick() has something to do; any thread's close_all() may change it, and asks for a turn then.
    [[nodiscard]] time_point deadline() const noexcept { return member_.close_at(); }

    /// The connection ended: its numbers are added to the group's. Does nothing if it has left before.
    void leave(const ending& how) noexcept { leave(&how); }
    /// Leaves before the connection ended. A message to all that is under way may still reach it; a later one does not.
    void leave() noexcept { leave(nullptr); }

private:
    friend basic_connection_group<Traits>;
    friend basic_group_invitation<Traits>;
    using roll = detail::group_roll<Traits>;

    template <group_member T, class HandleTraits>
    [[nodiscard]] static result<basic_group_seat>
    take(roll& in, basic_weak_session<T, HandleTraits> connection) noexcept {
        using calls = detail::calls_by<T, HandleTraits, typename roll::lock>;
        if (connection.is_expired()) return errc::closed;
        basic_group_seat fresh;
        const errc error = in.join(fresh.member_, std::move(connection), calls::table);
        if (error != errc::none) return error;
        return fresh;
    }
    void take_over(basic_group_seat& other) noexcept {
        if (other.member_.is_in()) other.member_.roll().move(other.member_, member_);
    }
    void leave(const ending* how) noexcept {
        if (member_.is_in()) member_.roll().leave(member_, how);
    }

    typename roll::member member_;
};

/// The right to join a group later, for a connection during its handshake. Until it joins, the group neither sends to it, nor
/// closes it, nor counts it. Not thread-safe; move-only, 8 bytes. It may outlive the group.
template <class Traits>
class [[nodiscard]] basic_group_invitation {
public:
    using seat = basic_group_seat<Traits>;

    /// An invitation to no group.
    basic_group_invitation() = default;
    basic_group_invitation(basic_group_invitation&& other) noexcept
        : roll_(std::exchange(other.roll_, nullptr)) {}
    basic_group_invitation& operator=(basic_group_invitation&& other) noexcept {
        std::swap(roll_, other.roll_);
        return *this;
    }
    ~basic_group_invitation() {
        if (roll_ != nullptr) roll_->drop();
    }

    [[nodiscard]] explicit operator bool() const noexcept { return roll_ != nullptr; }
    /// Whether the group closed: join() would say so.
    [[nodiscard]] bool is_void() const noexcept { return roll_ != nullptr && roll_->is_closing(); }

    /// Joins, with the errors of basic_connection_group::join(). Precondition: not empty.
    template <group_member T, class HandleTraits>
    [[nodiscard]] result<seat> join(basic_weak_session<T, HandleTraits> connection) const noexcept {
        return seat::take(*roll_, std::move(connection));
    }
    /// Closes a connection that came too late to join: with the group's Close, within the time that is left. Precondition:
    /// not empty.
    template <group_member T>
    void close(T& late, time_point now) const {
        roll_->close(late, now);
    }

private:
    friend basic_connection_group<Traits>;
    using roll = detail::group_roll<Traits>;

    explicit basic_group_invitation(roll& to) noexcept : roll_(&to) { to.retain(); }

    roll* roll_ = nullptr;
};

/// See the file's laws. Any thread may call any member function, also from within its members' callbacks; wait() not in a
/// loop that a member needs. Its members may outlive it. One allocation, and one for each type
/// of members; none for a member.
template <class Traits>
class basic_connection_group {
    using roll = detail::group_roll<Traits>;
    using member = typename roll::member;

public:
    using seat = basic_group_seat<Traits>;

    explicit basic_connection_group(when_member_full policy = when_member_full::skip) noexcept
        : roll_(roll::make()), policy_(policy) {}
    basic_connection_group(const basic_connection_group&) = delete;
    basic_connection_group& operator=(const basic_connection_group&) = delete;
    ~basic_connection_group() {
        if (roll_ != nullptr) roll_->drop();
    }

    /// Adds a member, of any type. It gets every message to all from now on, until its seat leaves. Errors: closed once the
    /// group closes, or when the connection is gone; out_of_memory. O(1).
    template <group_member T, class HandleTraits>
    [[nodiscard]] result<seat> join(basic_weak_session<T, HandleTraits> connection) noexcept {
        if (roll_ == nullptr) return errc::out_of_memory;
        return seat::take(*roll_, std::move(connection));
    }
    /// For a connection that is to join when its handshake is over. Errors: closed, out_of_memory.
    [[nodiscard]] result<basic_group_invitation<Traits>> invite() noexcept {
        if (roll_ == nullptr) return errc::out_of_memory;
        if (roll_->is_closing()) return errc::closed;
        return basic_group_invitation<Traits>(*roll_);
    }

    /// How many members there are. The number may be out of date at once.
    [[nodiscard]] std::size_t size() const noexcept { return static_cast<std::size_t>(report().present); }
    /// Sums so far; complete when wait() said errc::none.
    [[nodiscard]] group_report report() const noexcept {
        return roll_ == nullptr ? group_report{} : roll_->report();
    }

    /// Queues one message with every member. It is encoded once; above 512 bytes servers share the bytes without a copy. Each
    /// member gets the messages of one sending thread in order. The caller vouches that a text is UTF-8. O(members).
    sent_to_all send_text(std::string_view payload) {
        WSOLO_ASSERT(is_valid_utf8(bytes_of(payload)), "a text message is UTF-8 (RFC 6455 §5.6)");
        return send_message(opcode::text, bytes_of(payload));
    }
    sent_to_all send_binary(const_bytes payload) { return send_message(opcode::binary, payload); }
    sent_to_all send(const shared_frame& frame) {
        sent_to_all sum;
        if (!frame) return {.error = errc::raw_frame_malformed};
        if (roll_ == nullptr) return sum;
        roll_->for_each([&](member& each) {
            const errc answer = each.send(frame, policy_ == when_member_full::disconnect);
            if (answer == errc::none) {
                ++sum.accepted;
            } else if (answer == errc::queue_full) {
                ++sum.full;
            } else if (answer != errc::closed && sum.refused++ == 0) {
                sum.error = answer;
            }
        });
        roll_->count_full(sum.full);
        return sum;
    }

    /// Closes the group and all of its members: each with this Close, after what was queued for it, within `within` from now
    /// (0: no bound), and then by its own times (the peer's answer, the stream's end). The closes begin evenly spread over
    /// `spread`, but over half of `within` at most, so that not all peers reconnect at once. errc::closed: the group was
    /// closed before; then the closes that have yet to begin do so now, and within the shorter of the two times. Errors after
    /// which nothing was done: invalid_close_code, invalid_close_reason. A reason that is too long is cut at a code point.
    /// O(members).
    [[nodiscard]] errc close_all(close_code code, std::string_view reason, duration within,
                                 duration spread = duration::zero()) {
        reason = fit_close_reason(reason);
        if (!may_be_sent(code)) return errc::invalid_close_code;
        if (!is_valid_utf8(bytes_of(reason))) return errc::invalid_close_reason;
        if (roll_ == nullptr) return errc::none;
        const time_point now = Traits::clock::now();
        const auto begun = roll_->begin_close(code, reason, deadline_after(now, bound_of(within)));
        if (!begun.is_first) {
            roll_->for_each([&](member& each) { each.close_if_put_off(now); });
            return errc::closed;
        }
        if (within != duration::zero() && spread > within / 2) spread = within / 2;
        close_spread(now, begun.members == 0 ? spread : spread / static_cast<duration::rep>(begun.members));
        return errc::none;
    }

    /// Ends every member without a Close: for the members that are left when an orderly end took too long. Further connections
    /// may join, unless the group was closed. O(members).
    void abort_all(errc why = errc::aborted) {
        if (roll_ != nullptr) roll_->for_each([&](member& each) { each.abort(why); });
    }

    /// Waits until the group closed and the last member has left: errc::none. Otherwise timed_out or cancelled.
    template <stop_token_like StopToken = never_stop>
    [[nodiscard]] errc wait(time_point deadline = no_deadline, const StopToken& stop = {}) noexcept {
        return roll_ == nullptr ? errc::none : roll_->wait(deadline, stop);
    }

private:
    sent_to_all send_message(opcode op, const_bytes payload) {
        const auto frame = make_shared_frame(op, payload);
        if (!frame) return {.error = frame.error()};
        return send(*frame);
    }

    /// The first begins now, each other one a `step` after the one before it.
    void close_spread(time_point now, duration step) {
        time_point begin = now;
        roll_->for_each([&](member& each) {
            if (begin <= now) {
                each.close(now);
            } else {
                each.close_later(begin, now);
            }
            if (step > duration::zero()) begin = deadline_after(begin, step);
        });
    }

    roll* const roll_;
    const when_member_full policy_;
};

using connection_group = basic_connection_group<std_blocking_traits>;
using group_seat = basic_group_seat<std_blocking_traits>;

} // namespace wsolo::inline WSOLO_ABI

// ---- wsolo/endpoint/message.hpp
// A received message.
//
// Laws of this file:
// - A message that can be moved owns its bytes: keep it, move it to another thread, or take the bytes out. A handler that
//   takes `const message&` can't, and so may be lent one whose bytes lie where they were read.
// - Text was validated before it came here (RFC 6455 §8.1).

namespace wsolo::inline WSOLO_ABI {

/// Text or binary, whole. Movable; not thread-safe.
class message {
public:
    message() = default;
    message(bool is_text, byte_buffer bytes) noexcept : bytes_(std::move(bytes)), text_(is_text) {}

    /// Whether it came as text; otherwise it is binary.
    [[nodiscard]] bool is_text() const noexcept { return text_; }
    /// The payload, unmasked. Lives as long as this message, and until it is moved from.
    [[nodiscard]] const_bytes bytes() const noexcept { return bytes_.view(); }
    /// The same as characters; UTF-8 where is_text() says so.
    [[nodiscard]] std::string_view text() const noexcept { return text_of(bytes()); }
    [[nodiscard]] std::size_t size() const noexcept { return bytes_.size(); }
    /// Takes the payload's memory out of the message, to keep or change it. The message is empty afterwards.
    [[nodiscard]] byte_buffer take_bytes() noexcept { return std::move(bytes_); }

private:
    byte_buffer bytes_;
    bool text_ = false;
};

namespace detail {

/// A message over bytes of another owner, for the length of a call. The message in it is never destroyed, so that no memory is
/// freed.
class lent_message {
public:
    lent_message(bool is_text, const_bytes bytes) noexcept
        : held_(is_text, byte_buffer_access::alias(bytes)) {}
    lent_message(const lent_message&) = delete;
    lent_message& operator=(const lent_message&) = delete;
    ~lent_message() {} // NOLINT(modernize-use-equals-default): it would be deleted

    [[nodiscard]] const message& get() const noexcept { return held_; }

private:
    union {
        message held_;
    };
};

} // namespace detail

} // namespace wsolo::inline WSOLO_ABI

// ---- wsolo/endpoint/hooks.hpp
// What an endpoint may tell its handler, and how it calls it: checked by the compiler, guarded against exceptions.
//
// Laws of this file:
// - A hook that is there is called as documented, or does not compile: a mistyped one is never skipped in silence.
// - A likely wrong name for a hook does not compile either.
// - An exception of a hook is an error like another: it ends its own connection and unwinds no loop.

namespace wsolo::inline WSOLO_ABI {

/// The `Work` of an endpoint whose messages are handled in run() and receive(), by the loop itself.
struct in_the_loop {};

// The hooks of a handler, all but the first optional. `e` is the endpoint; each is called with no lock held.
//
//     on_message(e, const message&)                   void, or the errc that ends the connection. The message is lent for
//                                                     the call, where it lies, which costs no copy
//     on_message(e, message&&)                        the same with a message that the handler may keep. (`const auto&` is the
//                                                     former, `auto&&` is the latter)
//     on_ping(e, const_bytes payload)                 it was answered already
//     on_pong(e, const_bytes payload, std::optional<duration>)   with the round trip, if it answers the endpoint's own PING, until
//                                                     the end of the stream begins (the last write, or what ends the input)
//     on_peer_close(e, close_code, std::string_view)  it will be answered, after the messages before it
//     on_room(e)                                      a send was refused with queue_full; half of the bounds is free now
//     on_beat(e, bool window_rolled)                  heartbeat_options::beat_interval
//     on_refused(e, message&&)                        inbox_overflow::drop_newest did not let it in
//     on_finished(e, const ending&)                   once, last
//
// Without on_message a handler is a callable of (e, message). on_message runs where messages are handled (the loop, or
// work()), the others in the loop.

namespace detail {

// clang-format off
#define WSOLO_DETECT_MEMBER(name)                                                                            \
    struct named_##name { void name(); };                                                                    \
    template <class T> struct with_##name : T, named_##name {};                                              \
    template <class T> [[nodiscard]] consteval bool names_##name() noexcept {                                \
        if constexpr (!std::is_class_v<T>) return false;                                                     \
        else if constexpr (std::is_final_v<T>) return requires { &T::name; };                                \
        else return !requires { &with_##name<T>::name; };                                                    \
    }
WSOLO_DETECT_MEMBER(on_message)
WSOLO_DETECT_MEMBER(on_ping)
WSOLO_DETECT_MEMBER(on_pong)
WSOLO_DETECT_MEMBER(on_peer_close)
WSOLO_DETECT_MEMBER(on_room)
WSOLO_DETECT_MEMBER(on_beat)
WSOLO_DETECT_MEMBER(on_refused)
WSOLO_DETECT_MEMBER(on_finished)
WSOLO_DETECT_MEMBER(on_open)
WSOLO_DETECT_MEMBER(on_close)
WSOLO_DETECT_MEMBER(on_closed)
WSOLO_DETECT_MEMBER(on_error)
WSOLO_DETECT_MEMBER(on_text)
WSOLO_DETECT_MEMBER(on_binary)
WSOLO_DETECT_MEMBER(on_data)
WSOLO_DETECT_MEMBER(on_msg)
WSOLO_DETECT_MEMBER(on_mesage)
WSOLO_DETECT_MEMBER(on_messages)
WSOLO_DETECT_MEMBER(on_finish)
WSOLO_DETECT_MEMBER(on_end)
WSOLO_DETECT_MEMBER(on_drain)
WSOLO_DETECT_MEMBER(on_writable)
WSOLO_DETECT_MEMBER(on_heartbeat)
WSOLO_DETECT_MEMBER(on_refuse)
#undef WSOLO_DETECT_MEMBER
// clang-format on

template <class Handler, class Endpoint>
concept has_on_message = requires(Handler& h, Endpoint& e, message&& m) { h.on_message(e, std::move(m)); };
/// Whether on_message() names its message's type: a template's parameter can't be deduced from `{}`. Only then may can_be_lent be asked:
/// of a template it would instantiate the body, which need not compile for a `const message&` (it may move from its message).
template <class Handler, class Endpoint>
concept names_its_message = requires(Handler& h, Endpoint& e) {
    h.on_message(e, {});
} || (!has_on_message<Handler, Endpoint> && requires(Handler& h, Endpoint& e) { h(e, {}); });
template <class Handler, class Endpoint>
concept can_be_lent = requires(Handler& h, Endpoint& e, const message& m) {
    h.on_message(e, m);
} || (!has_on_message<Handler, Endpoint> && std::invocable<Handler&, Endpoint&, const message&>);
/// Whether on_message() takes its message by `const auto&`: then it does the same with a lent message as with one of its own.
template <class Handler, class Endpoint>
concept takes_any_const =
    requires(Handler& h, Endpoint& e, const message& m) { h.template on_message<Endpoint, message>(e, m); } ||
    requires(Handler& h, Endpoint& e, const message& m) { h.template on_message<message>(e, m); } ||
    (!has_on_message<Handler, Endpoint> && (
        requires(Handler& h, Endpoint& e, const message& m) { h.template operator()<Endpoint, message>(e, m); } ||
        requires(Handler& h, Endpoint& e, const message& m) { h.template operator()<message>(e, m); }));
/// Whether the handler can't keep a message, so that one is lent to it. (A handler with an overload for each kind is lent its message; one
/// that takes `auto&&` is given a message of its own.)
template <class Handler, class Endpoint>
concept takes_lent = (names_its_message<Handler, Endpoint> && can_be_lent<Handler, Endpoint>) ||
                     takes_any_const<Handler, Endpoint>;
template <class Handler, class Endpoint>
concept has_on_ping = requires(Handler& h, Endpoint& e, const_bytes b) { h.on_ping(e, b); };
template <class Handler, class Endpoint>
concept has_on_pong = requires(Handler& h, Endpoint& e, const_bytes b, std::optional<duration> round_trip) {
    h.on_pong(e, b, round_trip);
};
template <class Handler, class Endpoint>
concept has_on_peer_close = requires(Handler& h, Endpoint& e, close_code code, std::string_view reason) {
    h.on_peer_close(e, code, reason);
};
template <class Handler, class Endpoint>
concept has_on_room = requires(Handler& h, Endpoint& e) { h.on_room(e); };
template <class Handler, class Endpoint>
concept has_on_beat = requires(Handler& h, Endpoint& e, bool rolled) { h.on_beat(e, rolled); };
template <class Handler, class Endpoint>
concept has_on_refused = requires(Handler& h, Endpoint& e, message&& m) { h.on_refused(e, std::move(m)); };
template <class Handler, class Endpoint>
concept has_on_finished = requires(Handler& h, Endpoint& e, const ending& how) { h.on_finished(e, how); };

/// Refuses a handler whose hooks would not be called.
/// Of a final class or a union a member template can't be seen by its name alone.
template <class Handler>
[[nodiscard]] consteval bool may_have_on_beat() noexcept {
    return std::is_final_v<Handler> || std::is_union_v<Handler> || names_on_beat<Handler>();
}

template <class Handler, class Endpoint>
consteval void check_hooks() noexcept {
    static_assert(!has_on_beat<Handler, Endpoint> || may_have_on_beat<Handler>());
    static_assert(
        has_on_message<Handler, Endpoint> || std::invocable<Handler&, Endpoint&, message&&>,
        "a handler has on_message(auto& endpoint, const message&) or (auto& endpoint, message&&), or is a "
        "callable of these");
    static_assert(!names_on_ping<Handler>() || has_on_ping<Handler, Endpoint>,
                  "on_ping is called as on_ping(endpoint&, const_bytes payload)");
    static_assert(
        !names_on_pong<Handler>() || has_on_pong<Handler, Endpoint>,
        "on_pong is called as on_pong(endpoint&, const_bytes payload, std::optional<duration> round_trip)");
    static_assert(!names_on_peer_close<Handler>() || has_on_peer_close<Handler, Endpoint>,
                  "on_peer_close is called as on_peer_close(endpoint&, close_code, std::string_view reason)");
    static_assert(!names_on_room<Handler>() || has_on_room<Handler, Endpoint>,
                  "on_room is called as on_room(endpoint&)");
    static_assert(!names_on_beat<Handler>() || has_on_beat<Handler, Endpoint>,
                  "on_beat is called as on_beat(endpoint&, bool window_rolled)");
    static_assert(!names_on_refused<Handler>() || has_on_refused<Handler, Endpoint>,
                  "on_refused is called as on_refused(endpoint&, message&&)");
    static_assert(!names_on_finished<Handler>() || has_on_finished<Handler, Endpoint>,
                  "on_finished is called as on_finished(endpoint&, const ending&)");
    static_assert(!names_on_msg<Handler>() && !names_on_mesage<Handler>() && !names_on_messages<Handler>() &&
                      !names_on_text<Handler>() && !names_on_binary<Handler>() && !names_on_data<Handler>(),
                  "an endpoint knows no such hook: messages of both kinds come to on_message");
    static_assert(!names_on_open<Handler>(),
                  "an endpoint knows no on_open: it is open when it is made, or when its init_gate opens");
    static_assert(
        !names_on_close<Handler>() && !names_on_closed<Handler>() && !names_on_error<Handler>() &&
            !names_on_finish<Handler>() && !names_on_end<Handler>(),
        "an endpoint knows no such hook: on_peer_close tells of the peer's Close, on_finished of the end");
    static_assert(!names_on_drain<Handler>() && !names_on_writable<Handler>(),
                  "an endpoint knows no such hook: on_room tells that a refused send may be tried again");
    static_assert(!names_on_heartbeat<Handler>() && !names_on_refuse<Handler>(),
                  "an endpoint knows no such hook: on_beat and on_refused are the names");
}

/// Calls a hook, whatever it returns. False: it threw.
template <class Call>
[[nodiscard]] bool call_hook(Call call) {
#if WSOLO_HAS_EXCEPTIONS
    try {
        static_cast<void>(call());
        return true;
    } catch (...) {
        return false;
    }
#else
    static_cast<void>(call());
    return true;
#endif
}

/// Has the handler handle a message, its own or a lent one: its answer, or errc::handler_failed when it throws.
template <class Handler, class Endpoint, class Message>
[[nodiscard]] errc call_handler(Handler& handler, Endpoint& whole, Message&& received) {
    const auto call = [&]() -> decltype(auto) {
        if constexpr (has_on_message<Handler, Endpoint>) {
            return handler.on_message(whole, std::forward<Message>(received));
        } else {
            return handler(whole, std::forward<Message>(received));
        }
    };
    errc answer = errc::none;
    const bool returned = call_hook([&] {
        if constexpr (std::is_same_v<decltype(call()), errc>) {
            answer = call();
        } else {
            static_assert(std::is_void_v<decltype(call())>,
                          "a message handler returns nothing, or the errc that ends the connection");
            call();
        }
    });
    return returned ? answer : errc::handler_failed;
}

} // namespace detail
} // namespace wsolo::inline WSOLO_ABI

// ---- wsolo/endpoint/detail/head_output.hpp
// Bytes of HTTP that leave before a WebSocket, or instead of one: a request, a 101, a page. Over both kinds of transport.
//
// Laws of this file:
// - It is the loop's. Only a completion comes in another thread: it leaves its mark and asks the owner for a turn.
// - The bytes of a started write outlive their owner, because the transport may still read them.

namespace wsolo::inline WSOLO_ABI::detail {

enum class head_status : std::uint8_t { written, blocked, failed };

/// Of a transport whose writes are over when they return. `Owner` is not asked for turns.
template <any_transport Transport, class Owner, class Traits>
class head_output {
public:
    /// What is to leave. Filled once, before the first step().
    [[nodiscard]] byte_buffer& bytes() noexcept { return bytes_; }
    /// How many of them have left.
    [[nodiscard]] std::size_t taken() const noexcept { return at_; }

    head_status step(Transport& to, time_point by, Owner&) {
        while (at_ < bytes_.size()) {
            const const_bytes rest = std::as_const(bytes_).view().subspan(at_);
            io_result how;
            if (!call_hook([&] { return how = to.write({&rest, 1}, by); })) how = {};
            at_ += how.transferred;
            if (how.status == io_status::would_block) return head_status::blocked;
            if (how.status != io_status::ok) return head_status::failed;
        }
        return head_status::written;
    }

private:
    byte_buffer bytes_;
    std::size_t at_ = 0;
};

/// Of a transport that says later what it took. `Owner` has handle() and ask().
template <completion_transport Transport, class Owner, class Traits>
    requires(!transport<Transport>)
class head_output<Transport, Owner, Traits> {
    /// Two references: ours, and the write's.
    struct flight final : write_target {
        explicit flight(byte_buffer what) noexcept : write_target{&on_over}, bytes(std::move(what)) {}

        static void on_over(write_target& self, const io_result& how) noexcept {
            auto& ended = static_cast<flight&>(self);
            ended.how = how;
            ended.is_over.store(true, std::memory_order_release);
            if (const auto live = ended.owner.try_use()) live->ask();
            ended.drop();
        }
        void drop() noexcept {
            if (references.fetch_sub(1, std::memory_order_acq_rel) == 1) delete this;
        }

        byte_buffer bytes;
        std::size_t at = 0;
        io_result how{io_status::ok, 0, 0};
        typename Owner::weak_handle owner;
        typename Traits::template atomic<bool> is_over{true};
        typename Traits::template atomic<int> references{1};
    };

public:
    head_output() = default;
    head_output(const head_output&) = delete;
    head_output& operator=(const head_output&) = delete;
    ~head_output() {
        if (flight_ != nullptr) flight_->drop();
    }

    [[nodiscard]] byte_buffer& bytes() noexcept { return bytes_; }
    [[nodiscard]] std::size_t taken() const noexcept { return flight_ == nullptr ? 0 : flight_->at; }

    head_status step(Transport& to, time_point by, Owner& owner) {
        if (flight_ == nullptr) {
            if (bytes_.empty()) return head_status::written;
            flight_ = new (std::nothrow) flight(std::move(bytes_));
            if (flight_ == nullptr) return head_status::failed;
            flight_->owner = owner.handle();
        }
        while (flight_->is_over.load(std::memory_order_acquire)) {
            const io_result how = flight_->how;
            if (how.status != io_status::ok) return head_status::failed;
            flight_->how.transferred = 0;
            flight_->at += how.transferred;
            const const_bytes rest = std::as_const(flight_->bytes).view().subspan(flight_->at);
            if (rest.empty()) return head_status::written;
            flight_->is_over.store(false, std::memory_order_relaxed);
            flight_->references.fetch_add(1, std::memory_order_relaxed);
            // A write_done that is destroyed on the way out of a throw says that it failed.
            static_cast<void>(call_hook([&] { to.start_write({&rest, 1}, by, write_done(*flight_)); }));
        }
        return head_status::blocked;
    }

private:
    byte_buffer bytes_;
    flight* flight_ = nullptr;
};

} // namespace wsolo::inline WSOLO_ABI::detail

// ---- wsolo/endpoint/detail/opening.hpp
// A connection until it is a WebSocket, or instead of becoming one: the bytes of HTTP that leave, the bounds, the end.
//
// Laws of this file:
// - It is the loop's, and gives its memory back when the connection is open: everything that only a handshake needs is here.
// - Every state has a bound: the handshake's timeout, the time that an answer may take to leave, the linger.
// - After an answer that ends the connection input is read and thrown away, so that closing with unread bytes does not
//   reset the connection under the answer (RFC 9112 §9.6).

namespace wsolo::inline WSOLO_ABI::detail {

/// Where it stands. `asking`: the request, or the answer to it, is not complete. `agreed`: it is, and what answers it is on its
/// way; then the connection is open. `refused`: something else is on its way, or nothing is.
enum class opening_state : std::uint8_t { asking, agreed, refused };

/// What the endpoint is made of, and kept for it.
template <any_transport Transport, schedule_hook Schedule, class Handler, class Side, class Work>
struct opening_parts {
    Transport connection;
    Schedule hook;
    Handler handler;
    endpoint_options options;
    [[no_unique_address]] Side side;
    [[no_unique_address]] Work work;
};

template <class Parts, class Traits>
class opening {
    using transport_type = decltype(Parts::connection);
    static_assert(
        byte_stream<transport_type>,
        "a connection ends its byte stream itself: give its transport end_output() and disconnect()");
    using anchor = basic_session_anchor<opening, Traits>;

public:
    using weak_handle = basic_weak_session<opening, Traits>;

    opening(role self, Parts kept, std::chrono::milliseconds timeout)
        : parts(std::move(kept)),
          end(self, parts.options.ending),
          by(deadline_after(now(), bound_of(timeout))),
          grace_(bound_of(timeout) / 4) {
        if constexpr (!transport<transport_type>) {
            if (auto made = anchor::make(*this)) anchor_ = std::move(*made);
        }
    }

    [[nodiscard]] static time_point now() noexcept { return Traits::clock::now(); }

    // ---- what became of it

    /// `out` is to leave, by `by`.
    void begin_output() { is_writing = true; }
    /// The handshake succeeded: once `out` has left the connection is open.
    void agree(int with) {
        state = opening_state::agreed;
        status = with;
    }
    /// `out` is all that the peer will get, because `why`.
    void answer(int with, errc why) {
        blame(why);
        state = opening_state::refused;
        status = with;
        end.on_unreadable(now());
    }
    /// The connection ends, without another byte.
    void give_up(errc why) {
        blame(why);
        state = opening_state::refused;
        is_writing = false;
        end.on_abort();
    }
    void blame(errc why) noexcept {
        if (reason == errc::none) reason = why;
    }
    /// The peer's stream ended, or broke.
    void end_input(errc why) {
        input_is_over = true;
        input_error = why;
        if (state == opening_state::refused) end.on_input_over(now());
    }
    /// What follows the handshake, while `out` is on its way: what one receive() brings, and more of a loop that reads on
    /// unasked, as an endpoint keeps it. False: there is no room for it, and the connection goes.
    [[nodiscard]] bool keep(const_bytes rest) {
        if (state != opening_state::agreed || rest.empty()) return true;
        const bool is_too_much =
            !early.empty() && early.size() + rest.size() > bound_of(parts.options.handling.max_bytes);
        const errc error = is_too_much          ? errc::inbox_overflow
                           : early.append(rest) ? errc::none
                                                : errc::out_of_memory;
        if (error == errc::none) return true;
        give_up(error);
        return false;
    }
    /// Whether the handshake's time is over. A look that comes much too late says that this process slept, and what was asked
    /// may lie unread: a quarter more, once.
    [[nodiscard]] bool is_late() {
        const time_point at = now();
        if (state != opening_state::asking || at < by) return false;
        if (at < deadline_after(by, grace_) || std::exchange(is_excused_, true)) return true;
        by = deadline_after(at, grace_);
        return false;
    }
    /// As long as a write may stand, and what the minimum rate makes of its size. Without one each progress earns a fresh
    /// timeout.
    void bound_output() {
        const writer_timeouts& times = parts.options.writing.timeouts;
        by = deadline_after(now(), bound_of(times.write));
        if (by != no_deadline && times.min_rate != 0) by = extended(by, out.bytes().size(), times.min_rate);
    }

    // ---- a turn

    /// Writes what can be written, ends what has to end. True: the connection is open now.
    bool step() {
        if (is_writing) write();
        const end_actions due = end.next(now());
        if (due.end_output) parts.connection.end_output();
        if (due.disconnect) parts.connection.disconnect();
        return state == opening_state::agreed && !is_writing;
    }

    [[nodiscard]] endpoint_wants wants() const noexcept {
        if (end.is_gone()) return {.read = false, .finished = true};
        return {.read = state != opening_state::agreed && !input_is_over,
                .write = is_writing && transport<transport_type>,
                .deadline = state == opening_state::refused && !is_writing ? end.deadline() : by};
    }

    // ---- for a completion that comes in another thread

    [[nodiscard]] weak_handle handle() const noexcept { return anchor_.handle(); }
    void ask() { static_cast<void>(ask_for_a_turn(parts.hook)); }
    /// Waits for those that are inside ask(): from now on there are none, and `parts` may be moved.
    void part() noexcept { anchor_ = {}; }

    Parts parts;
    head_output<transport_type, opening, Traits> out;
    byte_buffer early; ///< what came after the handshake, while `out` was on its way
    basic_group_invitation<Traits> invited;
    stream_end end;
    time_point by; ///< of the handshake, then of what leaves after it
    int status = 0;
    errc reason = errc::none;
    errc input_error = errc::none;
    opening_state state = opening_state::asking;
    bool is_writing = false;
    bool input_is_over = false;
    bool is_told = false; ///< its handler, that it ended

private:
    void write() {
        const time_point tried = now();
        const std::size_t before = out.taken();
        const head_status left = out.step(parts.connection, by, *this);
        if (out.taken() != before && parts.options.writing.timeouts.min_rate == 0) bound_output();
        if (left == head_status::failed) return give_up(errc::write_failed);
        if (left == head_status::blocked) return tried >= by ? give_up(errc::write_timed_out) : void();
        is_writing = false;
        if (state == opening_state::refused) end.on_output_over(true, tried);
    }

    duration grace_;
    bool is_excused_ = false;
    anchor anchor_; ///< the last: a completion may be inside ask()
};

} // namespace wsolo::inline WSOLO_ABI::detail

// ---- wsolo/endpoint/http_reply.hpp
// What a server's handler decides about one request: accept it, refuse it, or answer it with a page.
//
// Laws of this file:
// - Each call composes the whole answer at once: views that it is given are needed only during the call.
// - The last call counts. Without one the request is answered as the judge has it: an upgrade with 101, any other with 426.
// - Every answer but a 101 ends the connection, and says so.

namespace wsolo::inline WSOLO_ABI {

/// Lent to the handler's on_request(): lives until that returns. Not thread-safe.
class http_reply {
public:
    /// `extensions`: what accept() agrees to where its caller names none. A view, which outlives this.
    http_reply(const upgrade_request& asked, byte_buffer& out, std::string_view extensions = {}) noexcept
        : asked_(asked), out_(out), extensions_(extensions) {}
    http_reply(const http_reply&) = delete;
    http_reply& operator=(const http_reply&) = delete;

    /// Opens the WebSocket. Precondition: asked.is_upgrade(). An option that can't be agreed to, because it was not offered
    /// or is no legal field, is answered by 500.
    void accept(const accept_options& options = {}) noexcept {
        WSOLO_ASSERT(asked_.is_upgrade(), "only a request for WebSocket can be accepted");
        if (!asked_.is_upgrade()) return refuse(errc::handshake_missing_upgrade);
        out_.clear();
        accept_options all = options;
        if (all.extensions.data() == nullptr) all.extensions = extensions_;
        has_own_extensions_ = all.extensions == extensions_;
        settle(append_accept_response(out_, asked_, all), 101);
    }
    /// The status and the sentence that `why` has; errc::aborted, for instance, is a 503.
    void refuse(errc why) noexcept {
        respond(rejection(why));
        if (why_ == errc::none) why_ = why;
    }
    /// A page, a redirect, or a refusal in other words. HEAD gets no body.
    void respond(const http_response& answer) noexcept {
        http_response last = answer;
        last.close = true;
        out_.clear();
        settle(append_response(out_, asked_, last), answer.status);
    }

    /// The status that was decided on; 0: none yet, or there is no memory for an answer.
    [[nodiscard]] int status() const noexcept { return status_; }
    /// The reason of a refusal; none if it is not one, or was made by respond().
    [[nodiscard]] errc why() const noexcept { return why_; }

    /// Whether it agrees to the extensions that it was made with.
    [[nodiscard]] bool has_own_extensions() const noexcept { return status_ == 101 && has_own_extensions_; }

private:
    void settle(errc composed, int status) noexcept {
        why_ = composed;
        status_ = status;
        if (composed == errc::none) return;
        const errc error = append_response(out_, asked_, {.status = 500, .body = to_string(composed)});
        status_ = error == errc::none ? 500 : 0;
    }

    const upgrade_request& asked_;
    byte_buffer& out_;
    std::string_view extensions_;
    bool has_own_extensions_ = false;
    int status_ = 0;
    errc why_ = errc::none;
};

} // namespace wsolo::inline WSOLO_ABI

// ---- wsolo/endpoint/detail/opening_hooks.hpp
// The hooks of a handler whose connection has its handshake in front, checked as those of an endpoint are (hooks.hpp).

namespace wsolo::inline WSOLO_ABI::detail {

// clang-format off
#define WSOLO_DETECT_MEMBER(name)                                                                            \
    struct named_##name { void name(); };                                                                    \
    template <class T> struct with_##name : T, named_##name {};                                              \
    template <class T> [[nodiscard]] consteval bool names_##name() noexcept {                                \
        if constexpr (!std::is_class_v<T>) return false;                                                     \
        else if constexpr (std::is_final_v<T>) return requires { &T::name; };                                \
        else return !requires { &with_##name<T>::name; };                                                    \
    }
WSOLO_DETECT_MEMBER(on_request)
WSOLO_DETECT_MEMBER(on_response)
WSOLO_DETECT_MEMBER(on_upgraded)
WSOLO_DETECT_MEMBER(on_upgrade)
WSOLO_DETECT_MEMBER(on_not_opened)
#undef WSOLO_DETECT_MEMBER
// clang-format on

template <class Handler>
concept has_on_request =
    requires(Handler& h, const upgrade_request& asked, http_reply& reply) { h.on_request(asked, reply); };
template <class Handler>
concept has_on_response = requires(Handler& h, const upgrade_response& answer, errc verdict) {
    { h.on_response(answer, verdict) } -> std::same_as<errc>;
};
template <class Handler, class Endpoint>
concept has_on_upgraded = requires(Handler& h, Endpoint& e) { h.on_upgraded(e); };
template <class Handler>
concept has_on_not_opened = requires(Handler& h, errc why, int status) { h.on_not_opened(why, status); };

/// Refuses a handler whose hooks would not be called.
template <class Handler, class Endpoint>
consteval void check_opening_hooks() noexcept {
    if constexpr (Endpoint::self == role::server) {
        static_assert(!names_on_request<Handler>() || has_on_request<Handler>,
                      "on_request is called as on_request(const upgrade_request&, http_reply&)");
        static_assert(!names_on_response<Handler>(), "a server knows no on_response: its hook is on_request");
    } else {
        static_assert(!names_on_response<Handler>() || has_on_response<Handler>,
                      "on_response is called as errc on_response(const upgrade_response&, errc verdict)");
        static_assert(!names_on_request<Handler>(), "a client knows no on_request: its hook is on_response");
    }
    static_assert(!names_on_upgraded<Handler>() || has_on_upgraded<Handler, Endpoint>,
                  "on_upgraded is called as on_upgraded(endpoint&)");
    static_assert(!names_on_not_opened<Handler>() || has_on_not_opened<Handler>,
                  "on_not_opened is called as on_not_opened(errc why, int status)");
    static_assert(!names_on_upgrade<Handler>(), "a connection knows no on_upgrade: on_upgraded is the name");
}

} // namespace wsolo::inline WSOLO_ABI::detail

// ---- wsolo/endpoint/detail/cancelled_write.hpp
// A write in flight that was cancelled and stands all the same: when the disconnect() ends it.

namespace wsolo::inline WSOLO_ABI::detail {

struct cancelled_write {
    time_point cut_by = no_deadline;

    /// Whether it stands; `by` is the bound of one that stands from now on. What it answers is `stands`.
    constexpr bool note(bool stands, time_point by) noexcept {
        if (!stands || cut_by == no_deadline) cut_by = stands ? by : no_deadline;
        return stands;
    }
};

/// In its place where a write does not outlive its call.
struct whole_writes {};

} // namespace wsolo::inline WSOLO_ABI::detail

// ---- wsolo/endpoint/detail/compression.hpp
// A handler's member `compression`: the room deflate/ has a type for it, permessage_deflate, which this room does not know.
//
// Laws of this file:
// - A handler without that member costs nothing: no byte, no branch.
// - The member is checked by the compiler: a misspelt or mistyped part of it does not compile.

namespace wsolo::inline WSOLO_ABI::detail {

/// Both halves of an extension that encodes whole messages and marks them by RSV1 (RFC 7692 §6).
template <class T>
concept message_compression = requires(T& it, const T& seen, const extension_list& list, const_bytes bytes,
                                       byte_buffer& to, mutable_bytes room) {
    { seen.offer().view() } noexcept -> std::same_as<std::string_view>;
    { it.answer(list).view() } noexcept -> std::same_as<std::string_view>;
    { it.judge(list) } noexcept -> std::same_as<errc>;
    { it.disagree() } noexcept -> std::same_as<void>;
    { seen.is_agreed() } noexcept -> std::same_as<bool>;
    { it.limit(std::uint64_t{}) } noexcept -> std::same_as<void>;
    { it.inflate(bytes, true, to) } noexcept -> std::same_as<errc>;
    { seen.wants(bytes.size()) } noexcept -> std::same_as<bool>;
    { it.deflate(bytes, room) } noexcept -> std::same_as<std::size_t>;
    { seen.shared_form() } noexcept -> std::same_as<std::size_t>;
    { it.deflate_alone(bytes, room) } noexcept -> std::same_as<result<std::size_t>>;
    { it.note_sent(bytes) } noexcept -> std::same_as<void>;
    { it.forget() } noexcept -> std::same_as<void>;
};

template <class Handler>
concept compresses = requires(Handler& handler) { handler.compression; };

/// Has the extension hold to the limit of messages once they are decoded.
template <class Handler>
void bound_messages([[maybe_unused]] Handler& handler, [[maybe_unused]] const read_limits& limits) noexcept {
    if constexpr (compresses<Handler>) {
        static_assert(message_compression<decltype(handler.compression)>,
                      "a handler's member `compression` is a permessage_deflate (adapt/zlib.hpp)");
        handler.compression.limit(limits.max_message_size);
    }
}
/// How an endpoint with this handler reads: RSV1 where it was agreed on. Without compression it is the argument itself.
template <class Handler>
[[nodiscard]] decltype(auto) bounds_for([[maybe_unused]] const Handler& handler,
                                        const read_bounds& bounds) noexcept {
    if constexpr (compresses<Handler>) {
        read_bounds agreed = bounds;
        if (handler.compression.is_agreed()) agreed.allowed_rsv |= rsv1_bit;
        return agreed;
    } else {
        return (bounds);
    }
}

/// Of a compressed message: `payload` becomes what it is inflated to, which lies in `to`. Others stay as they are.
template <class Handler>
[[nodiscard]] errc inflate([[maybe_unused]] Handler& handler, [[maybe_unused]] const event& found,
                           [[maybe_unused]] byte_buffer& to, [[maybe_unused]] const_bytes& payload) noexcept {
    if constexpr (compresses<Handler>) {
        if ((found.rsv() & rsv1_bit) != 0 && handler.compression.is_agreed()) {
            const errc error = handler.compression.inflate(found.payload(), found.is_text(), to);
            payload = to.view();
            return error;
        }
    }
    return errc::none;
}

/// The writer's access to that member. Refers to the handler, which outlives the writer.
template <class Handler>
struct handler_encoder {
    static constexpr bool encodes = true;
    Handler* handler = nullptr;

    [[nodiscard]] bool wants(std::size_t size) const noexcept { return handler->compression.wants(size); }
    [[nodiscard]] std::size_t deflate(const_bytes message, mutable_bytes to) noexcept {
        return handler->compression.deflate(message, to);
    }
    [[nodiscard]] std::size_t shared_form() const noexcept { return handler->compression.shared_form(); }
    [[nodiscard]] result<std::size_t> deflate_alone(const_bytes message, mutable_bytes to) noexcept {
        return handler->compression.deflate_alone(message, to);
    }
    void note_sent(const_bytes message) noexcept { handler->compression.note_sent(message); }
    void forget() noexcept { handler->compression.forget(); }
};
template <class Handler>
struct encoder_for {
    using type = never_encoded;
    [[nodiscard]] static type of(Handler&) noexcept { return {}; }
};
template <compresses Handler>
struct encoder_for<Handler> {
    using type = handler_encoder<Handler>;
    [[nodiscard]] static type of(Handler& handler) noexcept { return {&handler}; }
};

/// No element of Sec-WebSocket-Extensions.
struct no_extension {
    [[nodiscard]] static constexpr std::string_view view() noexcept { return {}; }
};

/// What a client with this handler offers.
template <class Handler>
[[nodiscard]] auto extension_offer([[maybe_unused]] const Handler& handler) noexcept {
    if constexpr (compresses<Handler>) {
        return handler.compression.offer();
    } else {
        return no_extension();
    }
}
/// What a server with this handler answers.
template <class Handler>
[[nodiscard]] auto extension_answer([[maybe_unused]] Handler& handler,
                                    [[maybe_unused]] const extension_list& offers) noexcept {
    if constexpr (compresses<Handler>) {
        return handler.compression.answer(offers);
    } else {
        return no_extension();
    }
}
/// A client's judgement of what it was answered.
template <class Handler>
[[nodiscard]] errc judge_extensions([[maybe_unused]] Handler& handler,
                                    [[maybe_unused]] const extension_list& answers) noexcept {
    if constexpr (compresses<Handler>) return handler.compression.judge(answers);
    return errc::none;
}

} // namespace wsolo::inline WSOLO_ABI::detail

// ---- wsolo/endpoint/detail/ending_record.hpp
// How a connection ended, collected while it ends.
//
// Laws of this file:
// - The first reason stands. The peer's status code stands above ours, and ours counts when it was written.
// - All of it belongs to the loop. Other threads can cause only a Close, which is read from the writer in one step.

namespace wsolo::inline WSOLO_ABI::detail {

class ending_record {
public:
    void blame(errc why) noexcept {
        if (reason_ == errc::none) reason_ = why;
    }
    void peer_closed(close_code code) noexcept {
        peer_closed_ = true;
        code_ = code;
    }
    void handler_still_runs() noexcept { handler_still_runs_ = true; }

    /// `control_frames`: without the Close.
    [[nodiscard]] ending how(std::uint64_t control_frames, const drain_report& written,
                             const inbox_report& handled) const noexcept {
        ending how{.reason = reason_,
                   .code = code_,
                   .peer_closed = peer_closed_,
                   .handler_still_runs = handler_still_runs_,
                   .control_frames = control_frames,
                   .written = written,
                   .handled = handled};
        if (how.reason == errc::none)
            how.reason = written.reason != errc::none ? written.reason : handled.reason;
        if (written.close != close_code::abnormal) ++how.control_frames;
        if (!peer_closed_ && written.ends_with_close()) how.code = written.close;
        return how;
    }

private:
    close_code code_ = close_code::abnormal;
    errc reason_ = errc::none;
    bool peer_closed_ : 1 = false;
    bool handler_still_runs_ : 1 = false;
};

} // namespace wsolo::inline WSOLO_ABI::detail

// ---- wsolo/core/detail/owned.hpp
// An owning pointer to one object of the heap, as std::unique_ptr is, for a tenth of what <memory> costs to include.

namespace wsolo::inline WSOLO_ABI::detail {

/// The pointer is null, or was made by `new (std::nothrow)`.
template <class T>
class owned {
public:
    constexpr owned() noexcept = default;
    explicit owned(T* object) noexcept : object_(object) {}
    owned(owned&& other) noexcept : object_(detail::exchange(other.object_, nullptr)) {}
    owned& operator=(owned&& other) noexcept {
        reset(detail::exchange(other.object_, nullptr));
        return *this;
    }
    ~owned() { delete object_; }

    /// The old object is destroyed after the new one has taken its place.
    void reset(T* object = nullptr) noexcept { delete detail::exchange(object_, object); }

    [[nodiscard]] explicit operator bool() const noexcept { return object_ != nullptr; }
    [[nodiscard]] bool operator==(std::nullptr_t) const noexcept { return object_ == nullptr; }
    [[nodiscard]] T* operator->() const noexcept { return object_; }
    [[nodiscard]] T& operator*() const noexcept { return *object_; }

private:
    T* object_ = nullptr;
};

} // namespace wsolo::inline WSOLO_ABI::detail

// ---- wsolo/endpoint/detail/input_rates.hpp
// The rates that an endpoint's input is held to, where there are any.

namespace wsolo::inline WSOLO_ABI::detail {

class input_rates {
public:
    enum class kind : std::uint8_t { messages, bytes, control_frames };

    constexpr input_rates(const reading_rate& bound, time_point start) noexcept
        : messages_(bound.messages, start),
          bytes_(bound.bytes, start),
          control_frames_(bound.control_frames, start) {}

    /// Whether there is one.
    [[nodiscard]] static constexpr bool are_wanted(const reading_rate& bound) noexcept {
        return (bound.messages.per_second | bound.bytes.per_second | bound.control_frames.per_second) != 0;
    }

    /// False: it comes faster than it may.
    [[nodiscard]] constexpr bool take(kind of, std::uint64_t count, time_point now) noexcept {
        rate_limit& limit = of == kind::messages ? messages_ : of == kind::bytes ? bytes_ : control_frames_;
        return limit.take(count, now);
    }

private:
    rate_limit messages_, bytes_, control_frames_;
};

} // namespace wsolo::inline WSOLO_ABI::detail

// ---- wsolo/endpoint/detail/kept_input.hpp
// Input that an endpoint received while it was held back, until it reads on.
//
// Laws of this file:
// - Each byte is copied in once, and moved at most once for each that was read: a pause after every message costs no more.
// - Its memory is freed when its last byte was read.

namespace wsolo::inline WSOLO_ABI::detail {

class kept_input {
public:
    [[nodiscard]] std::size_t size() const noexcept { return bytes_.size() - at_; }
    [[nodiscard]] bool empty() const noexcept { return size() == 0; }
    /// What was not read. Valid until the next call that changes it.
    [[nodiscard]] mutable_bytes view() noexcept { return bytes_.view().subspan(at_); }

    /// False when there is no memory; nothing changed.
    [[nodiscard]] bool append(const_bytes more) noexcept {
        if (at_ > bytes_.size() / 2) {
            byte_buffer fresh;
            if (!fresh.append(view())) return false;
            bytes_ = std::move(fresh);
            at_ = 0;
        }
        return bytes_.append(more);
    }
    /// All but the last `left` bytes were read.
    void keep_last(std::size_t left) noexcept {
        if (left == 0) return release();
        at_ = bytes_.size() - left;
    }
    void release() noexcept {
        bytes_.release();
        at_ = 0;
    }

private:
    byte_buffer bytes_;
    std::size_t at_ = 0; ///< the first byte that was not read
};

} // namespace wsolo::inline WSOLO_ABI::detail

// ---- wsolo/endpoint/detail/owed_close.hpp
// The Close that an endpoint owes its peer: it leaves when the messages before it are handled, or at a deadline.
//
// Laws of this file:
// - Owed is a reply to the peer's Close or to what it broke, or a Close of this side's for an error. The first one stands.

namespace wsolo::inline WSOLO_ABI::detail {

class owed_close {
public:
    /// What leaves: the reply or, for an error, a Close that says so.
    struct what {
        std::optional<control_frame> reply;
        errc error = errc::none;
    };

    void owe(const control_frame& reply, time_point by) noexcept { owe({reply, errc::none}, by); }
    void owe(errc why, time_point by) noexcept { owe({std::nullopt, why}, by); }

    [[nodiscard]] bool is_owed() const noexcept { return owed_.has_value(); }
    [[nodiscard]] bool is_due(bool messages_are_over, time_point now) const noexcept {
        return is_owed() && (messages_are_over || now >= by_);
    }
    /// When it leaves at the latest.
    [[nodiscard]] time_point deadline() const noexcept { return is_owed() ? by_ : no_deadline; }
    /// Precondition: it is owed.
    [[nodiscard]] what take() noexcept { return *detail::exchange(owed_, std::nullopt); }

private:
    void owe(const what& next, time_point by) noexcept {
        if (is_owed()) return;
        owed_ = next;
        by_ = by;
    }

    std::optional<what> owed_;
    time_point by_ = no_deadline;
};

} // namespace wsolo::inline WSOLO_ABI::detail

// ---- wsolo/endpoint/detail/extras.hpp
// What few endpoints need, and most of these not for long, in one block: the rates of its input, what came while reading was held
// back, and the Close that it owes.
//
// Laws of this file:
// - While none of them is there it is a null pointer. Rates stay; the others take memory until they are over.

namespace wsolo::inline WSOLO_ABI::detail {

/// Belongs to the loop's thread.
class extras {
public:
    extras(const reading_rate& bound, time_point start) noexcept {
        if (input_rates::are_wanted(bound)) block_.reset(new (std::nothrow) block(bound, start));
    }

    // ---- rates

    /// Of the bound that it was made with. False: there was no memory for it.
    [[nodiscard]] bool has_its_rates(const reading_rate& bound) const noexcept {
        return block_ != nullptr || !input_rates::are_wanted(bound);
    }
    /// False: it comes faster than it may.
    [[nodiscard]] bool is_in_rate(input_rates::kind of, std::uint64_t count, time_point now) noexcept {
        return !block_ || block_->rates.take(of, count, now);
    }

    // ---- kept input: kept_input's functions

    [[nodiscard]] bool keeps() const noexcept { return kept_size() != 0; }
    [[nodiscard]] std::size_t kept_size() const noexcept { return block_ ? block_->kept.size() : 0; }
    [[nodiscard]] mutable_bytes kept() noexcept { return block_ ? block_->kept.view() : mutable_bytes(); }
    [[nodiscard]] bool keep(const_bytes more) noexcept { return has_memory() && block_->kept.append(more); }
    void keep_last(std::size_t left) noexcept {
        if (block_) block_->kept.keep_last(left);
        tidy();
    }

    // ---- the Close: owed_close's functions

    /// False: there was no memory, so that it can't wait.
    template <class What>
    [[nodiscard]] bool owe(const What& what, time_point by) noexcept {
        if (!has_memory()) return false;
        block_->owed.owe(what, by);
        return true;
    }
    [[nodiscard]] bool is_close_due(bool messages_are_over, time_point now) const noexcept {
        return block_ && block_->owed.is_due(messages_are_over, now);
    }
    [[nodiscard]] time_point close_deadline() const noexcept {
        return block_ ? block_->owed.deadline() : no_deadline;
    }
    /// Precondition: one is due.
    [[nodiscard]] owed_close::what take_close() noexcept {
        const owed_close::what due = block_->owed.take();
        tidy();
        return due;
    }

private:
    struct block {
        block(const reading_rate& bound, time_point start) noexcept : rates(bound, start), has_rates(true) {}
        block() noexcept : block({}, {}) { has_rates = false; }

        input_rates rates;
        kept_input kept;
        owed_close owed;
        bool has_rates;
    };

    [[nodiscard]] bool has_memory() noexcept {
        if (!block_) block_.reset(new (std::nothrow) block);
        return block_ != nullptr;
    }
    void tidy() noexcept {
        if (block_ && !block_->has_rates && block_->kept.empty() && !block_->owed.is_owed()) block_.reset();
    }

    owned<block> block_;
};

} // namespace wsolo::inline WSOLO_ABI::detail

// ---- wsolo/endpoint/detail/input_reader.hpp
// What an endpoint reads its input with: a reader that is there while a message or a frame is under way, and made anew otherwise.
//
// Laws of this file:
// - An idle connection keeps no reader: between two messages a new one goes on as the old one would.
// - What a read leaves unfinished takes memory. Without it the reading ends: nothing after a gap is looked at.
// - It is over after the peer's Close and after a failure; what comes then is not looked at either.

namespace wsolo::inline WSOLO_ABI::detail {

/// What a side's replies are masked with. It stays while readers come and go.
template <role Self>
struct reply_keys {
    using side = server_side;
    [[nodiscard]] side lend() noexcept { return {}; }
};
template <>
struct reply_keys<role::client> {
    using side = client_side<random_keys&>;
    [[nodiscard]] side lend() noexcept { return side(keys); }
    random_keys keys;
};

/// Belongs to the loop's thread.
template <role Self>
class input_reader {
public:
    using reader = basic_reader<typename reply_keys<Self>::side>;

    /// Calls use(range) with the events in `received` (basic_reader::read()), unless it is over; `use` leaves nothing unread in the
    /// range. `bounds`: of whole messages, the same each time. False: there is no memory for what is unfinished, and it is over.
    template <class Use>
    [[nodiscard]] bool read(const read_bounds& bounds, mutable_bytes received, Use use) {
        if (is_over_) return true;
        WSOLO_ASSERT(!bounds.by_fragments, "an endpoint reads whole messages");
        reader fresh(bounds, keys_.lend());
        reader& in = unfinished_ ? *unfinished_ : fresh;
        use(in.read(received));
        is_over_ = !in.open();
        if (is_over_ || in.is_resting()) {
            unfinished_.reset();
        } else if (!unfinished_) {
            unfinished_.reset(new (std::nothrow) reader(std::move(fresh)));
            is_over_ = unfinished_ == nullptr;
            return !is_over_;
        }
        return true;
    }

    /// Whether a message or a frame is under way.
    [[nodiscard]] bool is_unfinished() const noexcept { return unfinished_ != nullptr; }
    /// basic_reader's functions of these names.
    [[nodiscard]] bool open() const noexcept { return !is_over_; }
    [[nodiscard]] time_point tick(time_point now) noexcept {
        return unfinished_ ? unfinished_->tick(now) : no_deadline;
    }
    [[nodiscard]] time_point deadline() const noexcept {
        return unfinished_ ? unfinished_->deadline() : no_deadline;
    }
    void note_not_listening(time_point now) noexcept {
        if (unfinished_) unfinished_->note_not_listening(now);
    }
    /// No event owes a reply any more: nothing follows our Close.
    void note_close_sent() noexcept { is_close_sent_ = true; }
    [[nodiscard]] bool close_sent() const noexcept { return is_close_sent_; }
    [[nodiscard]] std::optional<control_frame> owed_reply(const event& found) const noexcept {
        return is_close_sent_ ? std::nullopt : found.owed_reply();
    }

private:
    owned<reader> unfinished_;
    [[no_unique_address]] reply_keys<Self> keys_;
    bool is_over_ = false;
    bool is_close_sent_ = false;
};

} // namespace wsolo::inline WSOLO_ABI::detail

// ---- wsolo/endpoint/detail/lazy_deadline.hpp
// The deadline that a loop is told. A timer that fires too early costs one call; a timer that moved with every message would
// cost one call each.
//
// Laws of this file:
// - It is never later than what is due. It moves only to be earlier, or once it has passed.

namespace wsolo::inline WSOLO_ABI::detail {

class lazy_deadline {
public:
    [[nodiscard]] constexpr time_point tell(time_point due, time_point now) noexcept {
        if (due < told_ || told_ <= now || due == no_deadline) told_ = due;
        return told_;
    }

    /// Told last.
    [[nodiscard]] constexpr time_point told() const noexcept { return told_; }

private:
    time_point told_ = (time_point::min)(); ///< none yet: as one that has passed
};

} // namespace wsolo::inline WSOLO_ABI::detail

// ---- wsolo/endpoint/detail/life.hpp
// The life of a connection: its heartbeat, until the end of its stream begins; then that end. One place for both, because
// nothing is due of the one once the other has begun.
//
// Laws of this file:
// - The end begins with the first event of stream_end's, and is never taken back.
// - Until then nothing is discarded, gone or waited for, and input is wanted. From then on nothing is due of the heartbeat.

namespace wsolo::inline WSOLO_ABI::detail {

/// Belongs to the loop's thread.
template <class Heartbeat>
class life {
    static_assert(std::is_trivially_destructible_v<Heartbeat> &&
                  std::is_trivially_destructible_v<stream_end>);

public:
    life(const heartbeat_options& options, time_point start) noexcept : beat_(options, start) {}
    life(const life&) = delete;
    life& operator=(const life&) = delete;

    /// nullptr once the end has begun.
    [[nodiscard]] Heartbeat* beat() noexcept { return is_ending_ ? nullptr : &beat_; }
    [[nodiscard]] const Heartbeat* beat() const noexcept { return is_ending_ ? nullptr : &beat_; }

    /// Bytes arrived. Whether the heartbeat was quiet before that: then its deadline moves only later, by this and by whatever
    /// arrived.
    bool on_received(time_point now) noexcept {
        if (is_ending_) return false;
        const bool was_quiet = beat_.is_quiet(now);
        beat_.on_received(now);
        return was_quiet;
    }

    /// The end, for an event of it: which begins it.
    [[nodiscard]] stream_end& end(role self, const end_options& options) noexcept {
        if (!is_ending_) ::new (static_cast<void*>(&end_)) stream_end(self, options);
        is_ending_ = true;
        return end_;
    }

    /// stream_end's answers.
    [[nodiscard]] bool is_discarding() const noexcept { return is_ending_ && end_.is_discarding(); }
    [[nodiscard]] bool is_gone() const noexcept { return is_ending_ && end_.is_gone(); }
    [[nodiscard]] bool is_waiting() const noexcept { return is_ending_ && end_.is_waiting(); }
    [[nodiscard]] bool wants_input() const noexcept { return !is_ending_ || end_.wants_input(); }
    [[nodiscard]] bool missed_close() const noexcept { return is_ending_ && end_.missed_close(); }
    /// While a sign of life is awaited: since when.
    [[nodiscard]] time_point waiting_since() const noexcept {
        return is_ending_ ? end_.waiting_since() : beat_.waiting_since();
    }
    /// When there is something to do, of whichever it is.
    [[nodiscard]] time_point deadline() const noexcept {
        return is_ending_ ? end_.deadline() : beat_.deadline();
    }

private:
    union {
        Heartbeat beat_;
        stream_end end_;
    };
    bool is_ending_ = false;
};

} // namespace wsolo::inline WSOLO_ABI::detail

// ---- wsolo/endpoint/detail/received_item.hpp
// A message on its way to the handler, with its number in the barrier.
//
// Laws of this file:
// - Its number is completed by the thread that handles the message, and abandoned by the thread whose push was refused. The
//   number of a message that was accepted and dropped stays open, so that no wait passes over it: the barrier is closed with
//   the error that dropped it.

namespace wsolo::inline WSOLO_ABI::detail {

/// Move-only. Not thread-safe.
template <class Barrier>
class received_item {
public:
    received_item(message received, Barrier& numbers) noexcept
        : message_(std::move(received)), ticket_(numbers.issue_ticket()) {}
    received_item(received_item&&) noexcept = default;
    received_item& operator=(received_item&&) = delete;
    ~received_item() { static_cast<void>(ticket_.take()); }

    [[nodiscard]] message take_message() noexcept { return std::move(message_); }
    [[nodiscard]] basic_ticket<Barrier> take_ticket() noexcept { return std::move(ticket_); }
    /// It was not accepted.
    void abandon() noexcept { ticket_.abandon(); }

private:
    message message_;
    basic_ticket<Barrier> ticket_;
};

} // namespace wsolo::inline WSOLO_ABI::detail

// ---- wsolo/endpoint/detail/message_handling.hpp
// The way of an endpoint's messages to its handler: each gets a number, a place in the inbox, and the call.
//
// Laws of this file:
// - The long road: a message is copied and queued, and the thread that drains the inbox has it handled, one at a time.
// - The short road: while none waits and the loop itself handles, a message goes to the handler as it is read, without the
//   queue. The effect is the same as if the message had come in a read of its own: order, numbers, counts and what
//   an error does are those of the long road. A handler that can't keep a message is lent it where it lies.
// - The short road needs a handler that takes each message and is done with it when it returns, and an inbox that would
//   refuse none.
// - `is_over` is told once: no handler runs, or ever will, and no coroutine holds a message.

namespace wsolo::inline WSOLO_ABI::detail {

/// Part of an endpoint, `Whole`, whose rules_ it asks, and which it calls by functions of these names: wants_messages,
/// ask_for_work, wake_or_abort, refuse, handler. `HandlesHere`: by the loop itself.
template <class Whole, class Handler, class Traits, bool HandlesHere>
class message_handling {
    struct inbox_hook {
        Whole* whole;
        bool operator()() const { return whole->ask_for_work(); }
        const inbox_bounds& bounds() const noexcept { return whole->rules_->handling; }
        void on_resume() const noexcept { whole->wake_or_abort(); }
        void on_finished(const inbox_report& report) const noexcept { whole->messages_.end(*whole, report); }
    };
    struct nothing {};
    template <class T>
    using atomic = typename Traits::template atomic<T>;
    /// In held_, beside a message's number.
    static constexpr std::uint64_t inbox_over = std::uint64_t{1} << 63;

public:
    using barrier_type = basic_sequence_barrier<Traits>;
    using item = received_item<barrier_type>;
    using inbox_type = wsolo::inbox<item, inbox_hook, Traits>;
    using run_type = typename inbox_type::direct_run;

    static constexpr bool holds_messages = requires { Handler::holds_message; };
    static constexpr bool is_choosy = requires(Handler& handler) { handler.wants_message(); };
    static constexpr bool has_short_road = HandlesHere && !holds_messages && !is_choosy;

    explicit message_handling(Whole& whole) : inbox_(inbox_hook{&whole}) {}

    [[nodiscard]] barrier_type& numbers() noexcept { return numbers_; }
    /// Messages that came here; each has a number, also one that there was no memory for.
    [[nodiscard]] std::uint64_t numbered() const noexcept { return numbers_.snapshot(); }
    [[nodiscard]] inbox_type& inbox() noexcept { return inbox_; }
    [[nodiscard]] const inbox_type& inbox() const noexcept { return inbox_; }

    // ---- the loop's

    /// The messages of one read, which may go the short road.
    [[nodiscard]] run_type begin_read(std::size_t quantum) noexcept { return run_type(inbox_, quantum); }
    /// A message was read; its `payload` lies in `own`, or, where that is empty, where it was read. queue_full: the handler
    /// was told. closed: no more are wanted. Other errors: it could not be queued, so none after it may.
    errc take(Whole& whole, bool is_text, const_bytes payload, byte_buffer& own,
              [[maybe_unused]] run_type& run) {
        if constexpr (has_short_road) {
            if (run.can_handle()) return hand_over(whole, is_text, payload, own, run);
        }
        const std::size_t size = payload.size();
        if (!keep(payload, own)) return pass_over();
        item next(message(is_text, std::move(own)), numbers_);
        const errc refused = inbox_.push(std::move(next), size).error;
        if (refused == errc::none) return errc::none;
        next.abandon();
        if (refused == errc::queue_full) whole.refuse(next.take_message());
        return refused;
    }

    /// The short road of a handler that is lent its messages. Precondition: run.can_handle().
    void lend(Whole& whole, bool is_text, const_bytes payload, run_type& run) {
        const lent_message lent(is_text, payload);
        run.handle(payload.size(), [&] { return handle(whole, numbers_.issue_alone(), lent.get()); });
    }

    // ---- the handling thread's

    /// Handles what is queued, up to the quantum.
    void handle_some(Whole& whole) {
        const std::size_t quantum = whole.rules_->handle_quantum;
        const auto each = [&](item&& next) {
            return handle(whole, next.take_ticket().take(), next.take_message());
        };
        static_cast<void>(inbox_.drain_while(each, [&whole] { return whole.wants_messages(); }, quantum));
    }

    // ---- any thread's

    /// The last message that the handler was given is handled: of one that holds it for longer than its call.
    void done(Whole& whole) {
        const std::uint64_t before = held_.fetch_and(inbox_over, std::memory_order_acq_rel);
        if (const std::uint64_t number = before & ~inbox_over; number != 0) {
            numbers_.complete(number);
            if ((before & inbox_over) != 0) note_over(whole);
        }
    }
    [[nodiscard]] bool are_over() const noexcept { return are_over_.load(std::memory_order_acquire); }

private:
    /// For a message that may be kept: in `own`, which holds no more than it.
    [[nodiscard]] static bool keep(const_bytes payload, byte_buffer& own) noexcept {
        if (own.empty()) {
            own.release(); // what was inflated to nothing needs no memory
            return own.append(payload);
        }
        own.shrink();
        return true;
    }
    /// There is no memory for a message: its number is abandoned, as that of any which the inbox refuses.
    errc pass_over() noexcept {
        numbers_.abandon(numbers_.issue());
        return errc::out_of_memory;
    }
    /// The short road.
    errc hand_over(Whole& whole, bool is_text, const_bytes payload, byte_buffer& own, run_type& run) {
        if constexpr (takes_lent<Handler, Whole>) {
            lend(whole, is_text, payload, run);
        } else {
            const std::size_t size = payload.size();
            if (!keep(payload, own)) return pass_over();
            run.handle(size, [&] {
                return handle(whole, numbers_.issue_alone(), message(is_text, std::move(own)));
            });
        }
        return errc::none;
    }

    template <class Message>
    errc handle(Whole& whole, std::uint64_t number, Message&& received) {
        errc error = errc::none;
        {
            auto numbered = numbers_.handle(number);
            if constexpr (holds_messages) held_.store(numbered.defer(), std::memory_order_release);
            error = call_handler(whole.handler(), whole, std::forward<Message>(received));
        }
        if (error == errc::none || error == errc::closed) return errc::none;
        numbers_.close(error);
        return error;
    }

    /// The inbox is over: any thread.
    void end(Whole& whole, const inbox_report& report) noexcept {
        // What was dropped stays open in the barrier, so that those who wait for it are told why.
        if (!report.is_clean()) numbers_.close(report.reason);
        if constexpr (requires { whole.handler().on_messages_over(report.reason); })
            static_cast<void>(call_hook([&] { whole.handler().on_messages_over(report.reason); }));
        if constexpr (holds_messages) {
            if (held_.fetch_or(inbox_over, std::memory_order_acq_rel) != 0) return;
        }
        note_over(whole);
    }
    void note_over(Whole& whole) noexcept {
        are_over_.store(true, std::memory_order_release);
        whole.wake_or_abort();
    }

    /// The number of the message that a coroutine holds, and whether no more will come: one word, so that the last of both
    /// to come is the one to tell.
    [[no_unique_address]] std::conditional_t<holds_messages, atomic<std::uint64_t>, nothing> held_{};
    [[no_unique_address]] barrier_type
        numbers_; // [[no_unique_address]]: the next one lies in its tail padding
    atomic<bool> are_over_{false};
    /// The last: where its end was still to be made, its destructor tells the others.
    [[no_unique_address]] inbox_type inbox_;
};

} // namespace wsolo::inline WSOLO_ABI::detail

// ---- wsolo/endpoint/detail/received_counts.hpp
// What an endpoint has received, counted.
//
// Laws of this file:
// - Every message has a number in the barrier: those that are no text are binary.
// - Bytes are those of payloads, as a handler sees them: of a compressed message after it was inflated.
// - Control frames are counted modulo 2^32, because there are very many endpoints.

namespace wsolo::inline WSOLO_ABI::detail {

struct received_counts {
    std::uint64_t texts = 0, bytes = 0;
    std::uint32_t pings = 0, pongs = 0;

    constexpr void add(bool is_text, std::uint64_t size) noexcept {
        texts += is_text ? 1U : 0U;
        bytes += size;
    }
    [[nodiscard]] constexpr endpoint_counters with(std::uint64_t messages,
                                                   std::uint64_t sends_refused) const noexcept {
        return {texts, messages - texts, bytes, pings, pongs, sends_refused};
    }
};

} // namespace wsolo::inline WSOLO_ABI::detail

// ---- wsolo/endpoint/detail/room_notice.hpp
// Whether a send was refused because there was no room, and when there is room again: what on_room() tells.
//
// Laws of this file:
// - Any thread notes a refusal; the loop asks. Room is back when half of both of the writer's bounds is free, and told once.

namespace wsolo::inline WSOLO_ABI::detail {

template <class Traits>
class room_notice {
public:
    void note_refusal() noexcept {
        word_.fetch_add(one_refusal, std::memory_order_relaxed);
        word_.fetch_or(is_wanted, std::memory_order_relaxed);
    }
    [[nodiscard]] std::uint64_t refusals() const noexcept {
        return word_.load(std::memory_order_relaxed) / one_refusal;
    }

    /// Whether to tell now.
    template <class Writer>
    [[nodiscard]] bool is_back(const Writer& out) noexcept {
        if ((word_.load(std::memory_order_relaxed) & is_wanted) == 0 || !out.is_half_free()) return false;
        word_.fetch_and(~is_wanted, std::memory_order_relaxed);
        return true;
    }

private:
    static constexpr std::uint64_t is_wanted = 1; ///< beside the number of refusals
    static constexpr std::uint64_t one_refusal = 2;

    typename Traits::template atomic<std::uint64_t> word_{0};
};

} // namespace wsolo::inline WSOLO_ABI::detail

// ---- wsolo/endpoint/detail/taken_meter.hpp
// Whether the peer takes what is sent to it: the second of life's two directions.
//
// Laws of this file:
// - Only a pace counts: at least `min_rate` bytes a second since the last answer that said yes. Less than that the system of a
//   dead peer may still take. When that was the caller knows: it waits since then.
// - What the system only holds (the transport's unsent(), where it has one) the peer has not taken.

namespace wsolo::inline WSOLO_ABI::detail {

/// Bytes that the peer has taken, as far as this side can know, where `written` is what the transport took. Only the difference from
/// another answer means something.
template <class Transport>
[[nodiscard]] std::uint64_t bytes_taken(std::uint64_t written, [[maybe_unused]] Transport& by) {
    if constexpr (requires {
                      { by.unsent() } -> std::convertible_to<std::uint64_t>;
                  }) {
        return written - by.unsent();
    } else {
        return written;
    }
}

/// The same of a writer.
template <class Writer>
[[nodiscard]] std::uint64_t bytes_taken(Writer& out) {
    return bytes_taken(out.report().bytes_written, out.connection());
}

/// `taken`: bytes_taken().
class taken_meter {
public:
    /// From here on it counts.
    constexpr void start(std::uint64_t taken) noexcept { taken_ = taken; }
    /// Whether the peer took bytes since then, `waited` ago, fast enough; then it counts from here.
    constexpr bool has_moved(std::uint64_t taken, std::uint32_t min_rate, duration waited) noexcept {
        const auto bytes = static_cast<std::int64_t>(taken - taken_);
        const double seconds = seconds_of(waited);
        if (bytes <= 0 || static_cast<double>(bytes) < seconds * min_rate) return false;
        start(taken);
        return true;
    }

private:
    std::uint64_t taken_ = 0;
};

} // namespace wsolo::inline WSOLO_ABI::detail

// ---- wsolo/endpoint/detail/unsent_replies.hpp
// How much of what handlers answered still waits to be written: what an endpoint holds its input back for.
//
// Laws of this file:
// - Replies are counted, not located. A mark in the writer's queue (a flush) says when those before it are on their way: one
//   mark for each half of the bound, so that handling goes on while the first half leaves.
// - Any thread adds and asks; one thread, the loop's, places marks. A mark may pass in any thread.

namespace wsolo::inline WSOLO_ABI::detail {

/// The bounds are payload bytes and messages; each call is told them.
template <class Traits>
class unsent_replies {
public:
    void add(std::size_t bytes) noexcept {
        bytes_.fetch_add(bytes);
        count_.fetch_add(1);
    }
    /// Whether no more is to be handled now.
    [[nodiscard]] bool is_full(const reply_bounds& most) const noexcept {
        return are_full(most, marked_bytes_.load(), marked_count_.load());
    }

    // ---- the loop's

    /// Queues a mark if one is due. `on_passed`: has pass_mark() called.
    template <class Writer>
    void mark(const reply_bounds& most, Writer& out, on_outcome on_passed) {
        if (!wants_mark(most)) return;
        begin_mark();
        if (out.flush(on_passed) != errc::none)
            drop_mark(); // no room now, or the end, which clears everything
    }

    /// Half of a bound is used, and no mark is out.
    [[nodiscard]] bool wants_mark(const reply_bounds& most) const noexcept {
        return marked_count_.load() == 0 &&
               (bytes_.load() > most.bytes / 2 || count_.load() > most.count / 2);
    }
    /// A mark is about to be queued after what was counted so far.
    void begin_mark() noexcept {
        marked_bytes_.store(bytes_.load());
        marked_count_.store(count_.load());
        bytes_.fetch_sub(marked_bytes_.load());
        count_.fetch_sub(marked_count_.load());
    }
    /// It was not accepted.
    void drop_mark() noexcept {
        bytes_.fetch_add(marked_bytes_.exchange(0));
        count_.fetch_add(marked_count_.exchange(0));
    }
    /// Nothing waits to be written any more. (What a handler counts only now is too much, until the next mark; a handler
    /// that finds it full then asks the loop to look again.)
    void clear(const reply_bounds& most) noexcept {
        if (count_.load() == 0) return;
        const std::size_t bytes = bytes_.exchange(0);
        const std::uint32_t count = count_.exchange(0);
        if (are_full(most, bytes + marked_bytes_.load(), count + marked_count_.load()))
            has_room_again_.store(true);
    }
    /// Whether there is room where there was none: what was held back is to be roused.
    [[nodiscard]] bool take_room() noexcept {
        return has_room_again_.load() && has_room_again_.exchange(false);
    }

    // ---- any thread's

    /// What stood before the mark is on its way, or lost.
    void pass_mark(const reply_bounds& most) noexcept {
        const std::size_t bytes = marked_bytes_.exchange(0);
        const std::uint32_t count = marked_count_.exchange(0);
        // After the exchange: a handler that found it full before has counted what this finds.
        if (are_full(most, bytes, count)) has_room_again_.store(true);
    }

private:
    [[nodiscard]] bool are_full(const reply_bounds& most, std::size_t marked_bytes,
                                std::uint32_t marked_count) const noexcept {
        return bytes_.load() + marked_bytes > most.bytes || count_.load() + marked_count > most.count;
    }

    typename Traits::template atomic<std::size_t> bytes_{0}; ///< after the mark
    typename Traits::template atomic<std::size_t> marked_bytes_{0};
    typename Traits::template atomic<std::uint32_t> count_{0};
    typename Traits::template atomic<std::uint32_t> marked_count_{0};
    typename Traits::template atomic<bool> has_room_again_{false};
};

} // namespace wsolo::inline WSOLO_ABI::detail

// ---- wsolo/endpoint/endpoint.hpp
// One whole side of a connection after its handshake: reader, writer, inbox, barrier, heartbeat, end and weak handles,
// wired so that replies are sent, failures are answered, healthy peers live, and the end comes within a bound.
//
// The loop, in six lines:
// - readable, and wants.read: receive() what one read brings; its end: end_of_input(); its error: end_of_input(why). In this
//   order also after a hang-up: what is readable first. While wants.read is false look at none of these (take the socket
//   out of the poll set, which tells hang-ups unasked): a receive() then is kept, within handling.max_bytes, or fails (1008).
// - it was made; the schedule hook was called; writable, and wants.write; or wants.deadline has passed: run(), after receive().
// - each answers what is wanted until the next call. finished: destroy it, outside of its callbacks, and close the socket.
//
// Laws of this file:
// - receive(), end_of_input() and run() belong to the loop's thread, one call at a time. Sends, close(), abort() and
//   handle() may be called from any thread.
// - Messages are handled one at a time and in order, by the loop or, with a `Work` hook, by a thread that calls work()
//   (endpoint/detail/message_handling.hpp).
// - What came before a Close, or before a broken rule, or before the stream's end, is answered before it is.
// - The hooks only ask for a turn. Inside one (a scope of `this` in the loop's thread) they leave a mark, and the turn's end
//   does what they ask for: no loop wakes itself. What a turn looks at is set before the turn is asked for.
// - The first thing that went wrong names the end, and on_finished() is told of it once.

namespace wsolo::inline WSOLO_ABI {

template <class Opening>
class basic_connection;

/// See the file's laws. `Transport` is a transport or a completion_transport that is a `byte_stream`. `Schedule` is called to have
/// run() called soon, from any thread, by several at once. `Handler`: endpoint/hooks.hpp; what it answers, or that it
/// throws (errc::handler_failed), ends the connection; but errc::closed, a send's answer once this side's Close is queued,
/// is no failure. `Side` is server_side or client_side<>. `Work` is called with a weak_handle when work() is owed, once per
/// idle-to-busy transition, from any thread, by several at once. As with Schedule, a result of false refuses.
///
/// The destructor drops what is left: call it when `finished`, or to cut the connection off. It calls no hook and no
/// on_finished, ends the waits for the barrier and the writer, and waits for work() and for what handles have in
/// progress. No other thread may be in a direct call then, and it must not run inside a callback.
template <any_transport Transport, schedule_hook Schedule, class Handler, class Side = server_side,
          class Work = in_the_loop, class Traits = std_blocking_traits>
class endpoint {
    static_assert(byte_stream<Transport>,
                  "an endpoint ends its stream itself: give its transport end_output() and disconnect()");

    struct writer_hook {
        endpoint* self;
        bool operator()() const { return self->wake(self->write_is_due_); }
        [[nodiscard]] const detail::writer_rules& rules() const noexcept { return self->rules_->writing; }
    };
    using anchor = basic_session_anchor<endpoint, Traits>;
    using loop_scope = basic_handler_scope<Traits>;
    template <class T>
    using atomic = typename Traits::template atomic<T>;
    using rate_of = detail::input_rates::kind;
    /// A write in flight ends by itself, and asks for a turn.
    static constexpr bool ends_later = !wsolo::transport<Transport>;
    static constexpr bool handles_here = std::same_as<Work, in_the_loop>;
    using encoder = detail::encoder_for<Handler>;
    using shared_rules = detail::shared_rules<endpoint_options>;
    using handling = detail::message_handling<endpoint, Handler, Traits, handles_here>;
    /// Where the loop handles it also counts what is answered.
    using memory_of_replies = std::conditional_t<handles_here, detail::plain_memory, Traits>;
    template <class Opening>
    friend class basic_connection;
    friend handling;

public:
    static constexpr role self = Side::self; ///< which of the two sides it is
    using writer_type =
        single_writer<Transport, writer_hook, Side, no_observer, Traits, typename encoder::type>;
    using barrier_type = typename handling::barrier_type;
    using inbox_type = typename handling::inbox_type;
    /// Its beats are for a handler that has on_beat().
    using heartbeat_type = basic_heartbeat<detail::may_have_on_beat<Handler>()>;
    using weak_handle = basic_weak_session<endpoint, Traits>;
    using group_type = basic_connection_group<Traits>;

    explicit endpoint(Transport to, Schedule hook, Handler handler, const endpoint_options& options = {},
                      Side side = {}, Work work = {})
        : endpoint(std::move(handler), std::move(hook), std::move(work), options, std::move(to),
                   writer_hook{this}, options.writing, std::move(side)) {}
    /// The writer is born closed, until its init_gate opens (write/init_gate.hpp): `init_gate gate(e.writer())`.
    endpoint(born_gated_t, Transport to, Schedule hook, Handler handler, const endpoint_options& options = {},
             Side side = {}, Work work = {})
        : endpoint(std::move(handler), std::move(hook), std::move(work), options, born_gated, std::move(to),
                   writer_hook{this}, options.writing, std::move(side)) {}

    endpoint(const endpoint&) = delete;
    endpoint& operator=(const endpoint&) = delete;
    ~endpoint() {
        WSOLO_ASSERT(!loop_scope::is_inside(this) && !loop_scope::is_inside(&messages_.numbers()),
                     "an endpoint is destroyed by one of its own callbacks");
        is_going_.store(true, std::memory_order_relaxed);
        abort(errc::aborted);           // a handler that waits for messages, or for room, is told so
        static_cast<void>(out_.pump()); // not but by the writer's end
        anchor_ = {};                   // waits for work(), and for what handles have in progress
    }

    /// Gives out no guard from now on. True: the destructor waits for none either. A loop that has others to serve calls it when
    /// `finished`, and again until it is true. Never waits.
    [[nodiscard]] bool let_go() noexcept { return anchor_.let_go(); }

    // ---- the loop's

    /// Bytes from the peer, which are unmasked in place; they are the caller's again when this returns. Replies are
    /// queued, messages pushed and, without a `Work` hook, handled; what can be written is written. O(n).
    endpoint_wants receive(mutable_bytes received) {
        const time_point now = Traits::clock::now();
        const bool was_quiet = life_.on_received(now);
        {
            const in_the_turn inside(*this);
            take(received, now);
            handle_here();
        }
        return settle(now, was_quiet && is_nothing_due(now));
    }

    /// The transport gives no more bytes. errc::none: the peer ended its direction; if no Close came before, the peer gets a
    /// Close with 1002, after its messages were handled and answered. Otherwise `why` is what broke.
    endpoint_wants end_of_input(errc why = errc::none) {
        const time_point now = Traits::clock::now();
        write_is_due_ = true;
        {
            const in_the_turn inside(*this);
            end_input(why, now);
            handle_here();
        }
        return settle(now);
    }

    /// Call it when the schedule hook asked, when the transport is writable, and at the deadline. A needless call is harmless.
    endpoint_wants run() {
        const time_point now = Traits::clock::now();
        write_is_due_ = true;
        {
            const in_the_turn inside(*this);
            take_rest(now);
            handle_here();
        }
        return settle(now);
    }

    /// Joins the group (or the group of an invitation) from now on until the connection ends; a close_all() begins in this
    /// loop. At most one group. Errors: closed, out_of_memory.
    template <class Group>
        requires std::same_as<typename Group::seat, basic_group_seat<Traits>>
    [[nodiscard]] errc join(Group& group) {
        if (is_finished_) return errc::closed;
        auto seat = group.join(handle());
        if (!seat) return seat.error();
        seat_ = std::move(*seat);
        return errc::none;
    }

    // ---- the handling thread's

    /// Handles what is queued, up to the quantum; what the `Work` hook asks for. One caller at a time gets to it.
    void work()
        requires(!handles_here)
    {
        messages_.handle_some(*this);
    }

    // ---- any thread's: for a handler that takes messages when it wants to (endpoint/conversation.hpp)

    /// The last message that on_message() was given is handled.
    void message_done()
        requires(handling::holds_messages)
    {
        messages_.done(*this);
    }
    /// wants_message() says yes now.
    void want_messages() { messages_.inbox().rouse(); }
    /// A coroutine that was resumed by the writer threw: as a handler that does.
    void fail_messages(errc why) {
        handled().close(why);
        if (!messages_.inbox().close(why))
            static_cast<void>(close(close_code::internal_error, to_string(why)));
    }
    /// The handler takes what is queued, and no more: closes, unless the end has begun.
    void want_no_more_messages() {
        if (messages_.inbox().close()) static_cast<void>(close());
        messages_.inbox().rouse();
    }

    // ---- any thread's: sends

    /// single_writer's functions of these names, with their errors. What a handler sends while it handles counts as a reply:
    /// endpoint_options::max_unsent.
    [[nodiscard]] errc send_text(std::string_view payload, on_outcome on_done = {}) {
        return count(payload.size(), out_.send_text(payload, on_done));
    }
    [[nodiscard]] errc send_binary(const_bytes payload, on_outcome on_done = {}) {
        return count(payload.size(), out_.send_binary(payload, on_done));
    }
    /// A received message goes out again as it is: text as text. Errors as send_text's.
    [[nodiscard]] errc send(const message& what, on_outcome on_done = {}) {
        return what.is_text() ? send_text(what.text(), on_done) : send_binary(what.bytes(), on_done);
    }
    [[nodiscard]] errc send(const shared_frame& frame, on_outcome on_done = {}) {
        return count(frame.bytes().size(), out_.send(frame, on_done));
    }
    /// A PING of the application's own. on_pong() tells of its answer. Errors: single_writer::send_ping().
    [[nodiscard]] errc send_ping(const_bytes payload = {}) { return out_.send_ping(payload); }

    /// Begins the closing handshake: what was sent before leaves within `within` (writing.timeouts.drain, unless said). Messages
    /// that the peer sent before it saw this are still handled. A reason that is too long is cut. Errors: single_writer::close().
    [[nodiscard]] errc close(close_code code = close_code::normal, std::string_view reason = {}) {
        return begin_close(out_.close(code, reason));
    }
    [[nodiscard]] errc close(close_code code, std::string_view reason, duration within) {
        return begin_close(out_.close(code, reason, within));
    }
    /// Ends the connection without a Close; what is queued on either side is dropped and counted. how_it_ended() tells `why`,
    /// unless something went wrong before. The first one counts: another one, or one after the end, does nothing.
    void abort(errc why = errc::aborted) {
        if (why == errc::none) why = errc::aborted; // none is for an end in order
        errc before = errc::none;
        if (!aborted_by_.compare_exchange_strong(before, why, std::memory_order_acq_rel,
                                                 std::memory_order_relaxed))
            return;
        out_.abort(why, duration::zero()); // first, so that nothing says goodbye for what follows
        handled().close(why);
        static_cast<void>(messages_.inbox().close(why));
        static_cast<void>(wake(work_is_due_)); // a writer that is over asks for no turn
    }
    /// Has run() called soon.
    void ask_for_turn() { wake_or_abort(); }
    /// For threads that may outlive this: `if (auto live = weak.try_use()) live->send_text(...)`.
    [[nodiscard]] weak_handle handle() const noexcept { return anchor_.handle(); }

    // ---- the parts. The heartbeat and the counters are the loop's.

    [[nodiscard]] writer_type& writer() noexcept { return out_; }                           ///< any thread's
    [[nodiscard]] const inbox_type& messages() const noexcept { return messages_.inbox(); } ///< any thread's
    /// The loop's; nullptr once the end of the stream has begun.
    [[nodiscard]] const heartbeat_type* beat() const noexcept { return life_.beat(); }
    /// Numbers for the received messages: handled().snapshot() marks "all received so far", and waiting for the mark
    /// waits until these are handled (sync/sequence_barrier.hpp).
    [[nodiscard]] barrier_type& handled() noexcept { return messages_.numbers(); }
    [[nodiscard]] Handler& handler() noexcept { return handler_; }
    [[nodiscard]] Transport& transport() noexcept { return out_.connection(); }
    [[nodiscard]] endpoint_counters counters() const noexcept {
        return received_.with(messages_.numbered(), room_.refusals());
    }
    /// Complete once `finished`. The loop's.
    [[nodiscard]] ending how_it_ended() const noexcept {
        return ending_.how(control_frames_, out_.report(), messages().report());
    }

private:
    /// What this thread waited for here would never come: a wait for the writer is told so (would_deadlock).
    struct in_the_turn {
        explicit in_the_turn(endpoint& of) noexcept : writing(of.out_.loop_scope()), whole(&of) {}
        loop_scope writing, whole; // each send looks for the second
    };

    template <class... Writer>
    endpoint(Handler handler, Schedule hook, Work work, const endpoint_options& options, Writer&&... writer)
        : rules_(options),
          life_(options.beating, Traits::clock::now()),
          extras_(options.rate, Traits::clock::now()),
          handler_(std::move(handler)),
          schedule_(std::move(hook)),
          work_(std::move(work)),
          messages_(*this),
          out_(std::forward<Writer>(writer)..., no_observer(), encoder::of(handler_)) {
        detail::check_hooks<Handler, endpoint>();
        const bool has_rules(rules_);
        if (!has_rules) rules_ = shared_rules::of_defaults();
        detail::bound_messages(handler_, options.reading);
        const in_the_turn inside(*this); // the first run() calls hooks: what holds this is not complete
        auto made = anchor::make(*this);
        if (made) anchor_ = std::move(*made);
        if constexpr (requires { handler_.attach(*this); }) handler_.attach(*this);
        if (!made || !has_rules || !extras_.has_its_rates(options.rate)) abort(errc::out_of_memory);
    }

    // ---- asking for turns

    /// Has run() called soon: by this turn's own end where the loop itself asks.
    bool wake(bool& is_due) {
        if (loop_scope::is_inside(this)) return is_due = true;
        return is_going_.load(std::memory_order_relaxed) || detail::ask_for_a_turn(schedule_);
    }
    void wake_or_abort() {
        if (!wake(work_is_due_)) abort(errc::schedule_refused);
    }
    /// False: no thread will come.
    bool ask_for_work() {
        if (is_going_.load(std::memory_order_relaxed)) return false;
        if constexpr (handles_here) {
            return wake(drain_is_due_);
        } else {
            if (!anchor_) return false; // made without memory: there is no handle to come by
            auto call = [this] { return work_(anchor_.handle()); };
            return detail::ask_for_a_turn(call);
        }
    }

    // ---- in

    void take(mutable_bytes received, time_point now) {
        if (life_.is_discarding()) return end().on_discarded(received.size());
        if (!is_in_rate(rate_of::bytes, received.size(), now)) return;
        if (extras_.keeps() || is_held_back()) return keep(received, !is_listening_, now);
        if (const mutable_bytes left = read(received, now); !left.empty()) keep(left, false, now);
    }

    /// Reads until it is held back, or has handled its quantum: what is left.
    mutable_bytes read(mutable_bytes received, time_point now) {
        auto run = messages_.begin_read(rules_->handle_quantum);
        mutable_bytes left;
        const auto meet_all = [&](auto&& found) { left = meet_some(found, run, now); };
        if (!in_.read(detail::bounds_for(handler_, rules_->reading), received, meet_all)) {
            left = {};
            stop_reading(errc::out_of_memory, now);
        }
        if (run.is_used_up() && !left.empty()) work_is_due_ = true; // it has a turn of its own
        has_idle_inbox_ = run.end();
        return left;
    }

    /// The events that may be met now: what is left of the input.
    template <class Events>
    mutable_bytes meet_some(Events& found, typename handling::run_type& run, time_point now) {
        for (const event& each : found) {
            each.kind() == event_kind::message ? deliver(each, run, now) : meet(each, now);
            ending_.blame(messages().error()); // before what follows in this read may be to blame
            if (has_stopped_reading_) break;
            if (is_held_back() || run.is_used_up()) return found.unread();
        }
        static_cast<void>(found.unread()); // none, but after stop_reading()
        return {};
    }

    /// Whether nothing is read now: what was read fills the inbox, or is answered faster than the answers leave.
    [[nodiscard]] bool is_held_back() const noexcept { return messages().is_paused() || are_replies_full(); }

    /// No more than one receive() brings, if the loop listens.
    [[gnu::noinline]] void keep(mutable_bytes bytes, bool is_unasked, time_point now) {
        const bool is_too_much = extras_.kept_size() + bytes.size() > messages().max_bytes();
        const errc error = is_unasked && is_too_much ? errc::inbox_overflow
                           : extras_.keep(bytes)     ? errc::none
                                                     : errc::out_of_memory;
        if (error == errc::none) return;
        extras_.keep_last(0);
        stop_reading(error, now);
    }
    /// What follows is not looked at: there is a gap, or no more is wanted.
    [[gnu::noinline]] void stop_reading(errc why, time_point now) {
        has_stopped_reading_ = true;
        end().on_unreadable(now);
        end_messages();
        owe_end(why);
    }
    /// False: it comes faster than it may, and that was the end of reading.
    bool is_in_rate(rate_of which, std::uint64_t count, time_point now) {
        if (extras_.is_in_rate(which, count, now)) return true;
        stop_reading(errc::rate_exceeded, now);
        return false;
    }

    void take_rest(time_point now) {
        if (!extras_.keeps() || is_held_back()) return;
        extras_.keep_last(read(extras_.kept(), now).size());
        if (!extras_.keeps() && input_is_over_) end_reading();
    }

    [[gnu::noinline]] void meet(const event& found, time_point now) {
        switch (found.kind()) {
        case event_kind::message:
        case event_kind::fragment: return; // not with delivery::messages
        case event_kind::ping: return meet_ping(found, now);
        case event_kind::pong: return meet_pong(found, now);
        case event_kind::peer_close: meet_close(found, now); break;
        case event_kind::failure:
            ending_.blame(found.error());
            end().on_unreadable(now);
            if (!found.owes_reply() && !in_.close_sent()) return abort_output(found.error());
            break;
        }
        owe_close(in_.owed_reply(found), now);
        end_messages();
    }

    void meet_ping(const event& found, time_point now) {
        if (!is_in_rate(rate_of::control_frames, 1, now)) return;
        ++received_.pings;
        if (const auto reply = in_.owed_reply(found)) answer(*reply);
        if constexpr (detail::has_on_ping<Handler, endpoint>)
            guard([&] { handler_.on_ping(*this, found.payload()); });
    }
    void meet_pong(const event& found, time_point now) {
        if (!is_in_rate(rate_of::control_frames, 1, now)) return;
        ++received_.pongs;
        [[maybe_unused]] const std::optional<duration> round_trip =
            life_.beat() != nullptr ? life_.beat()->on_pong(now, found.payload()) : std::nullopt;
        if constexpr (detail::has_on_pong<Handler, endpoint>)
            guard([&] { handler_.on_pong(*this, found.payload(), round_trip); });
    }
    void meet_close(const event& found, time_point now) {
        ending_.peer_closed(found.code());
        end().on_peer_close(now);
        if constexpr (detail::has_on_peer_close<Handler, endpoint>)
            guard([&] { handler_.on_peer_close(*this, found.code(), found.reason()); });
    }

    void deliver(const event& found, typename handling::run_type& run, time_point now) {
        if (!is_in_rate(rate_of::messages, 1, now)) return;
        if constexpr (handling::has_short_road && detail::takes_lent<Handler, endpoint> &&
                      !detail::compresses<Handler>) {
            if (run.can_handle()) { // the usual case on its own
                received_.add(found.is_text(), found.payload().size());
                return messages_.lend(*this, found.is_text(), found.payload(), run);
            }
        }
        deliver_own(found, run, now);
    }
    [[gnu::noinline]] void deliver_own(const event& found, typename handling::run_type& run, time_point now) {
        const_bytes payload = found.payload();
        byte_buffer inflated;
        if (const errc error = detail::inflate(handler_, found, inflated, payload); error != errc::none)
            return error == errc::out_of_memory ? lose(error) : stop_reading(error, now);
        received_.add(found.is_text(), payload.size());
        const errc error = messages_.take(*this, found.is_text(), payload, inflated, run);
        if (error != errc::none && error != errc::closed && error != errc::queue_full) lose(error);
    }
    /// The inbox did not let it in.
    void refuse([[maybe_unused]] message&& refused) {
        if constexpr (detail::has_on_refused<Handler, endpoint>)
            guard([&] { handler_.on_refused(*this, std::move(refused)); });
    }

    /// A message could not be queued, so none after it is. Those before it are handled, unless the inbox says otherwise.
    void lose(errc why) {
        handled().close(why);
        end_messages();
        owe_end(why);
    }

    void end_input(errc why, time_point now) {
        if (input_is_over_) return;
        input_is_over_ = true;
        input_error_ = why;
        end().on_input_over(now);
        if (!extras_.keeps()) end_reading();
        if (why != errc::none) abort_output(why);
    }
    /// The stream is over, and all of it was read.
    void end_reading() {
        if (in_.open()) {
            ending_.blame(input_error_ == errc::none ? errc::connection_lost : input_error_);
            // The other direction can still say what is wrong with that.
            if (input_error_ == errc::none) owe_end(errc::connection_lost);
        }
        end_messages();
    }

    void end_messages() { static_cast<void>(messages_.inbox().close()); } // what was pushed is still handled

    // ---- handling

    void handle_here() {
        if constexpr (handles_here) {
            const bool is_idle = std::exchange(has_idle_inbox_, false);
            if (!std::exchange(drain_is_due_, false) && is_idle) return;
            messages_.handle_some(*this);
        }
    }

    [[nodiscard]] bool wants_messages() {
        if constexpr (handling::is_choosy) {
            if (!handler_.wants_message()) return false;
        }
        return !are_replies_full();
    }

    template <class Call>
    void guard(Call call) {
        if (detail::call_hook(call)) return;
        handled().close(errc::handler_failed);
        end_messages();
        fail(errc::handler_failed);
    }

    // ---- out

    [[nodiscard]] bool are_replies_full() const noexcept { return replies_.is_full(rules_->replies); }
    static void on_mark_passed(void* context, errc) noexcept { // in any thread
        auto& whole = *static_cast<endpoint*>(context);
        whole.replies_.pass_mark(whole.rules_->replies);
    }
    /// Counts what this side's user sent.
    errc count(std::size_t bytes, errc answer) {
        bool awaits_room = false;
        if (answer == errc::none && loop_scope::is_inside(&messages_.numbers())) {
            replies_.add(bytes);
            awaits_room = are_replies_full();
        } else if (answer == errc::queue_full) {
            room_.note_refusal();
            awaits_room = detail::has_on_room<Handler, endpoint>;
        }
        if (awaits_room && out_.queued_frames() == 0) wake_or_abort(); // the loop comes no more by itself
        return answer;
    }

    void answer(const control_frame& reply) {
        const errc error = out_.send(reply);
        if (error == errc::none && reply.op() != opcode::close) ++control_frames_;
        if (error == errc::closed || (error == errc::none && reply.op() == opcode::close))
            return in_.note_close_sent();
        if (error != errc::none) fail(error);
    }

    errc begin_close(errc answer) {
        if (answer == errc::none) is_closing_.store(true, std::memory_order_relaxed);
        return answer;
    }
    /// Ends the connection for a reason of this side's: with a Close that says so, if one can still be sent.
    void fail(errc why) {
        ending_.blame(why);
        const close_code known = close_code_for(why);
        const errc error =
            close(known == close_code::no_status ? close_code::internal_error : known, to_string(why));
        if (error != errc::none && error != errc::closed) abort(why);
    }
    void abort_output(errc why) { out_.abort(why, duration::zero()); }

    /// What came before it is answered before it is (RFC 6455 §5.5.1 lets a Close wait).
    void owe_close(const std::optional<control_frame>& reply, time_point now) {
        if (!reply || owed_end_ != errc::none) return;
        if (!extras_.owe(*reply, deadline_after(now, close_timeout()))) answer(*reply);
    }
    void owe_end(errc why) {
        ending_.blame(why);
        if (owed_end_ == errc::none) owed_end_ = why;
    }
    void answer_close(time_point now) {
        if (owed_end_ != errc::none) owe_by(now);
        if (!extras_.is_close_due(messages_.are_over(), now)) return;
        const auto due = extras_.take_close();
        due.reply ? answer(*due.reply) : close_for(due.error);
    }
    [[gnu::noinline]] void owe_by(time_point now) {
        const bool can_wait = extras_.owe(owed_end_, deadline_after(now, close_timeout()));
        if (!can_wait && !messages_.are_over() && now < told_deadline_.told()) return; // tried again
        const errc why = std::exchange(owed_end_, errc::none);
        if (!can_wait) close_for(why);
    }
    void close_for(errc why) {
        if (why != errc::connection_lost) return fail(why);
        static_cast<void>(close(close_code::protocol_error, "the stream ended without a Close frame"));
    }

    // ---- the turn's end

    /// Whether nothing but a quiet heartbeat and the group waits, for times after what the loop was told last: so it is in most reads.
    [[nodiscard]] bool is_nothing_due(time_point now) const noexcept {
        return now < told_deadline_.told() && awaits_only_life() && is_listening_ && !work_is_due_ &&
               !in_.is_unfinished() && !is_closing_.load(std::memory_order_relaxed) &&
               !messages().is_closed(); // as they are once an end is owed
    }
    [[nodiscard]] bool awaits_only_life() const noexcept { return wait_by_ == no_deadline && life_.beat(); }
    [[gnu::noinline]] void do_what_is_due(time_point now) {
        const in_the_turn inside(*this);
        if (const errc error = messages().error(); error != errc::none) fail(error);
        seat_.tick(now);
        if (!is_listening_) in_.note_not_listening(now);
        if (in_.tick(now) <= now) static_cast<void>(read({}, now));
        keep_alive(now);
        answer_close(now);
    }

    endpoint_wants settle(time_point now, bool is_early = false) {
        if (is_finished_) return {.read = false, .finished = true};
        if (!is_early) do_what_is_due(now);
        pump(now);
        if ((writer_is_over_ || life_.is_gone()) && step_end(now)) return finish();
        work_is_due_ |= std::exchange(drain_is_due_, false);
        if (std::exchange(work_is_due_, false) && !detail::ask_for_a_turn(schedule_)) {
            abort(errc::schedule_refused);
            write_is_due_ = true;
            return settle(now);
        }
        is_listening_ =
            life_.wants_input() && (life_.is_discarding() || (!extras_.keeps() && !is_held_back()));
        if (auto* const beat = life_.beat(); beat != nullptr && !is_listening_) beat->on_not_listening();
        const time_point due = is_early && awaits_only_life() ? told_deadline_.told() : earliest(now);
        return {.read = is_listening_, .write = is_blocked_, .deadline = told_deadline_.tell(due, now)};
    }

    void keep_alive(time_point now) {
        auto* const beat = life_.beat();
        if (beat == nullptr) return;
        if (is_closing_.load(std::memory_order_relaxed)) beat->on_closing();
        if (beat->is_awaiting_pong() && has_peer_taken(now)) beat->on_progress(now);
        const heartbeat_actions due = beat->tick(now);
        if (due.send_ping) {
            const errc error = out_.send_ping(due.ping_payload, {&endpoint::on_ping_told, this});
            if (error == errc::none) ++control_frames_;
            if (error == errc::closed) beat->on_closing();
            if (error != errc::none) beat->on_ping_dropped(now);
        }
        if constexpr (detail::has_on_beat<Handler, endpoint>) {
            if (due.send_beat) guard([&] { handler_.on_beat(*this, due.roll_window); });
        }
        if (due.peer_is_dead) {
            ending_.blame(errc::pong_timeout);
            abort_output(errc::pong_timeout);
        }
    }
    [[nodiscard]] bool has_peer_taken(time_point now) {
        return taken_.has_moved(detail::bytes_taken(out_), out_.min_rate(), now - life_.waiting_since());
    }
    /// Written: in the thread that pumps, which is the loop's. Otherwise the writer is over, in whichever thread.
    static void on_ping_told(void* context, errc outcome) noexcept {
        if (outcome != errc::none) return;
        auto& whole = *static_cast<endpoint*>(context);
        auto* const beat = whole.life_.beat();
        if (beat == nullptr) return;
        whole.taken_.start(detail::bytes_taken(whole.out_));
        beat->on_ping_written(Traits::clock::now());
    }

    void pump(time_point now) {
        if (writer_is_over_) return give_room(true); // a reply may be counted after the last one was written
        if (!std::exchange(write_is_due_, false)) return;
        replies_.mark(rules_->replies, out_, {&endpoint::on_mark_passed, this});
        const pump_result left = out_.pump();
        is_blocked_ = !ends_later && left.status == pump_status::blocked;
        wait_by_ = left.deadline;
        if constexpr (ends_later) bound_cancelled(left.status == pump_status::blocked, now);
        writer_is_over_ = left.status == pump_status::finished;
        // Where other threads send replies what is idle now may not be.
        give_room(writer_is_over_ || (handles_here && left.status == pump_status::idle));
        tell_room();
        if (!writer_is_over_) return;
        const drain_report report = out_.report();
        taken_.start(detail::bytes_taken(out_));
        const end_of_write how = end_as(report);
        how == end_of_write::aborted ? end().on_abort()
                                     : end().on_output_over(how == end_of_write::drained, now);
        ending_.blame(report.reason);
    }
    void give_room(bool is_idle) { // to messages that unsent replies hold back
        if (is_idle || out_.queued_frames() == 0) replies_.clear(rules_->replies);
        if (!replies_.take_room()) return;
        const in_the_turn inside(*this);
        messages_.inbox().rouse();
        work_is_due_ = true; // what was kept is read on
    }

    /// A write that was cancelled and stands all the same is ended by the disconnect(), at once if all is aborted.
    void bound_cancelled(bool is_in_flight, time_point now) {
        const bool stands = is_in_flight && out_.is_write_cancelled();
        if (!cancelled_.note(stands, deadline_after(now, close_timeout()))) return;
        const bool is_aborted = out_.report().reason != errc::none; // nothing else names it before the end
        if (now >= cancelled_.cut_by || is_aborted) end().on_abort();
        wait_by_ = life_.is_gone() ? no_deadline : cancelled_.cut_by;
    }

    void tell_room() {
        if constexpr (detail::has_on_room<Handler, endpoint>) {
            if (!room_.is_back(out_)) return;
            const in_the_turn inside(*this);
            guard([&] { handler_.on_room(*this); });
            write_is_due_ = true; // what it sent
            work_is_due_ = true;
        }
    }

    // ---- the end

    /// For an event of the end, which begins with the first one.
    stream_end& end() noexcept { return life_.end(self, rules_->ending); }
    [[nodiscard]] duration close_timeout() const noexcept {
        return detail::short_duration(rules_->ending.close_timeout).get();
    }

    /// True: it is over.
    [[gnu::noinline]] bool step_end(time_point now) {
        if (const errc why = aborted_by_.load(std::memory_order_acquire);
            why != errc::none && !life_.is_gone()) {
            end().on_abort(); // the writer's own abort says so too, but what is over can't be aborted
            ending_.blame(why);
        }
        const auto handled = static_cast<std::uint32_t>(messages().report().messages_handled);
        const bool handles_on = std::exchange(handled_before_, handled) != handled;
        const bool is_held_up = !is_listening_ && !life_.is_discarding() && extras_.keeps();
        if (life_.is_waiting() && (has_peer_taken(now) || (is_held_up && handles_on))) {
            end().on_progress(now); // a handler that is stuck is no progress
            taken_.start(detail::bytes_taken(out_));
        }
        const end_actions due = end().next(now);
        if (life_.missed_close()) ending_.blame(errc::timed_out);
        if (due.end_output) out_.connection().end_output();
        if (due.disconnect) {
            out_.connection().disconnect();
            const in_the_turn inside(*this);
            input_is_over_ = true;
            if (!extras_.keeps()) end_messages();
            handle_here();
            if (extras_.keeps() && !is_held_back()) work_is_due_ = true; // it still has its turn
        }
        if (!life_.is_gone() || !writer_is_over_) return false; // disconnect() ends a write in flight
        if (messages_.are_over()) return true;
        if (handles_on || wait_by_ == no_deadline) wait_by_ = deadline_after(now, close_timeout());
        if (now < wait_by_) return false;
        ending_.handler_still_runs();
        ending_.blame(errc::timed_out);
        static_cast<void>(messages_.inbox().close(errc::timed_out)); // no more of them
        return true;
    }

    endpoint_wants finish() {
        const in_the_turn inside(*this);
        is_finished_ = true;
        aborted_by_.store(errc::closed, std::memory_order_relaxed); // an abort has nothing to end any more
        const ending how = how_it_ended();
        handled().close(how.reason == errc::none ? errc::closed : how.reason);
        if constexpr (detail::has_on_finished<Handler, endpoint>)
            static_cast<void>(detail::call_hook([&] { handler_.on_finished(*this, how); }));
        seat_.leave(how); // those who wait for the last one go on
        return {.read = false, .finished = true};
    }

    [[nodiscard]] time_point earliest(time_point now) const noexcept {
        time_point first = life_.deadline();
        const auto also = [&](time_point next) { first = next < first ? next : first; };
        also(wait_by_);
        also(in_.deadline());
        also(extras_.close_deadline());
        if (owed_end_ != errc::none) also(deadline_after(now, close_timeout()));
        also(seat_.deadline());
        return first;
    }

    shared_rules rules_; ///< what is the same for other endpoints
    // [[no_unique_address]]: the small ones after each of these lie in its tail padding.
    [[no_unique_address]] detail::life<heartbeat_type> life_;
    errc input_error_ = errc::none;
    bool write_is_due_ = false, work_is_due_ = false;
    std::uint32_t handled_before_ = 0; ///< messages, modulo 2^32
    [[no_unique_address]] detail::input_reader<self> in_;
    bool input_is_over_ : 1 = false, has_stopped_reading_ : 1 = false, is_finished_ : 1 = false;
    bool is_blocked_ : 1 = false, writer_is_over_ : 1 = false;
    bool is_listening_ : 1 = true;   ///< what the loop was told last
    bool has_idle_inbox_ = false;    ///< the last read left nothing in it
    bool drain_is_due_ = false;      ///< of the inbox, by this loop
    atomic<bool> is_closing_{false}; ///< our Close is queued, or about to be
    atomic<bool> is_going_{false};   ///< the destructor runs: no thread is asked
    errc owed_end_ = errc::none;     ///< owed from this turn's end on, or when there is memory for it
    detail::received_counts received_;
    detail::extras extras_;
    time_point wait_by_ = no_deadline; ///< of a write that stands or a shut gate; in the end of the handler
    detail::lazy_deadline told_deadline_;
    [[no_unique_address]] std::conditional_t<ends_later, detail::cancelled_write, detail::whole_writes>
        cancelled_{};
    detail::taken_meter taken_;
    detail::room_notice<Traits> room_;
    [[no_unique_address]] detail::unsent_replies<memory_of_replies> replies_;
    atomic<errc> aborted_by_{errc::none}; ///< why all goes at once: the first abort()'s reason
    std::uint32_t control_frames_ = 0; ///< PINGs and PONGs of its own that the writer accepted, modulo 2^32

    [[no_unique_address]] Handler handler_;
    [[no_unique_address]] Schedule schedule_;
    [[no_unique_address]] Work work_;
    [[no_unique_address]] handling messages_;
    detail::ending_record ending_;
    writer_type out_;
    basic_group_seat<Traits> seat_;
    anchor anchor_; ///< the last, so that nothing goes while work() is inside
};

template <class Transport, class Schedule, class Handler>
endpoint(Transport, Schedule, Handler) -> endpoint<Transport, Schedule, Handler>;

} // namespace wsolo::inline WSOLO_ABI

// ---- wsolo/endpoint/connection.hpp
// An endpoint with its handshake in front: what server_connection and client_connection have in common.
//
// Laws of this file:
// - One object, the same calls and the same wants, from the first byte to the end: the loop is endpoint's, in its six lines.
// - Until the connection is open there is no endpoint, and no handle: no other thread's message can overtake the handshake.
//   Once it is open the handshake's memory is gone.
// - Everything belongs to the loop's thread. Others use what opened()->handle() gives.
// - Every end is bounded: the handshake's, an answer's, and the endpoint's.

namespace wsolo::inline WSOLO_ABI {

/// An endpoint's, and what bounds the handshake before it.
struct connection_options : endpoint_options {
    /// From the connection's construction until its handshake is decided. A server answers a late request by 408.
    std::chrono::milliseconds handshake_timeout{10'000};
};

namespace detail {

/// What a connection is: its opening; then the endpoint, or nothing; or, where there was no memory for an opening, the handler
/// that is to hear of it.
template <class Opening, class Handler, class Endpoint>
class connection_stage {
    enum class content : std::uint8_t { nothing, opening, handler, endpoint };

public:
    connection_stage() noexcept {} // NOLINT(modernize-use-equals-default): no member is made
    connection_stage(const connection_stage&) = delete;
    connection_stage& operator=(const connection_stage&) = delete;
    ~connection_stage() {
        end_opening();
        if (holds_ == content::handler) handler_.~Handler();
        if (holds_ == content::endpoint) endpoint_.~Endpoint();
    }

    /// Precondition of the three: it holds nothing.
    void begin(Opening& made) noexcept { // which was made by `new (std::nothrow)`, and is this one's now
        opening_ = &made;
        holds_ = content::opening;
    }
    void keep(Handler&& untold) {
        ::new (static_cast<void*>(&handler_)) Handler(std::move(untold));
        holds_ = content::handler;
    }
    template <class... Arguments>
    void emplace(Arguments&&... arguments) {
        ::new (static_cast<void*>(&endpoint_)) Endpoint(std::forward<Arguments>(arguments)...);
        holds_ = content::endpoint;
    }
    /// nullptr: there is none, or none any more.
    [[nodiscard]] Opening* opening() const noexcept {
        return holds_ == content::opening ? opening_ : nullptr;
    }
    void end_opening() noexcept {
        if (holds_ != content::opening) return;
        holds_ = content::nothing;
        delete opening_;
    }
    /// The handler that is to be told, once; nullptr: there is none.
    [[nodiscard]] Handler* untold() noexcept {
        return holds_ == content::handler && !std::exchange(is_told_, true) ? &handler_ : nullptr;
    }

    /// Whether it is an endpoint.
    [[nodiscard]] explicit operator bool() const noexcept { return holds_ == content::endpoint; }
    [[nodiscard]] Endpoint& operator*() noexcept { return endpoint_; }
    [[nodiscard]] const Endpoint& operator*() const noexcept { return endpoint_; }
    [[nodiscard]] Endpoint* operator->() noexcept { return &endpoint_; }
    [[nodiscard]] const Endpoint* operator->() const noexcept { return &endpoint_; }

private:
    union {
        Opening* opening_;
        Handler handler_;
        Endpoint endpoint_;
    };
    content holds_ = content::nothing;
    bool is_told_ = false;
};

} // namespace detail

/// See the file's laws. `Opening` is what it is until it is open; server_connection and client_connection say which.
template <class Opening>
class basic_connection {
protected:
    using parts = typename Opening::parts;

public:
    using endpoint_type = typename Opening::endpoint_type;
    using weak_handle = typename endpoint_type::weak_handle;

    basic_connection(const basic_connection&) = delete;
    basic_connection& operator=(const basic_connection&) = delete;

    // ---- the loop's: see endpoint's functions of these names

    /// See endpoint's functions of these names; before the connection is open they serve its handshake. O(n).
    endpoint_wants receive(mutable_bytes received) {
        if (whole_) return whole_->receive(received);
        heed_group();
        if (is_asking()) opening()->ask(received);
        return turn(received);
    }
    endpoint_wants end_of_input(errc why = errc::none) {
        if (whole_) return whole_->end_of_input(why);
        if (is_asking()) opening()->end_asking(why);
        if (opening() != nullptr) opening()->common.end_input(why);
        return turn();
    }
    endpoint_wants run() { return whole_ ? whole_->run() : turn(); }

    /// Begins the closing handshake, and runs. Before the connection is open a server answers by 503, a client disconnects.
    endpoint_wants close(close_code code = close_code::normal, std::string_view reason = {}) {
        if (!whole_) return stop();
        static_cast<void>(whole_->close(code, reason)); // closed before: then that goes on
        return whole_->run();
    }
    endpoint_wants close(close_code code, std::string_view reason, duration within) {
        if (!whole_) return stop();
        static_cast<void>(whole_->close(code, reason, within));
        return whole_->run();
    }
    /// Ends it without a Close, and without an answer.
    endpoint_wants abort(errc why = errc::aborted) {
        if (whole_) {
            whole_->abort(why);
        } else if (opening() != nullptr) {
            opening()->common.give_up(why == errc::none ? errc::aborted : why);
        }
        return run();
    }

    /// Makes the connection a member of the group from on_upgraded() until its end. Call it once, in any state. Until it is
    /// open no message to all reaches it, and the group does not wait for it. If the group closes before that, a later
    /// request is answered by 503 (a client disconnects), and a connection that opens nevertheless is closed at once, as the
    /// group's members are. At most one group. Errors: closed, out_of_memory; the connection goes on without the group.
    [[nodiscard]] errc join(typename endpoint_type::group_type& group) {
        if (whole_) return whole_->join(group);
        if (opening() == nullptr || opening()->common.end.is_gone()) return errc::closed;
        auto invited = group.invite();
        if (!invited) return invited.error();
        opening()->common.invited = std::move(*invited);
        return errc::none;
    }

    /// Whether the destructor waits for no other thread; see endpoint's function of this name.
    [[nodiscard]] bool let_go() noexcept { return !whole_ || whole_->let_go(); }

    // ---- what it is

    /// The endpoint once the connection is open, until this is destroyed; nullptr before, and if it never was.
    [[nodiscard]] endpoint_type* opened() noexcept { return whole_ ? &*whole_ : nullptr; }
    [[nodiscard]] const endpoint_type* opened() const noexcept { return whole_ ? &*whole_ : nullptr; }
    /// The status of the HTTP answer that was sent or received; 0: there was none yet.
    [[nodiscard]] int status() const noexcept {
        return whole_ ? 101 : opening() != nullptr ? opening()->common.status : 0;
    }
    /// Complete once `finished`. For a connection that was never open only the reason is set; it is none when the handler
    /// ended the connection by an answer of its own (http_reply::respond).
    [[nodiscard]] ending how_it_ended() const {
        if (whole_) return whole_->how_it_ended();
        ending how;
        how.reason = opening() != nullptr ? opening()->common.reason : errc::out_of_memory;
        return how;
    }

protected:
    /// Without memory the connection is gone at once; its handler is told of it by the first call.
    template <class... Rest>
    explicit basic_connection(parts kept, Rest&... rest) {
        detail::check_opening_hooks<handler_type, endpoint_type>();
        if (auto* const made = new (std::nothrow) Opening(std::move(kept), rest...)) {
            whole_.begin(*made);
            return;
        }
        kept.connection.disconnect();         // NOLINT(bugprone-use-after-move): nothing was moved
        whole_.keep(std::move(kept.handler)); // NOLINT(bugprone-use-after-move)
    }
    ~basic_connection() = default;

    /// A request that was parsed already, and what follows it.
    template <class Request>
    endpoint_wants take(const Request& parsed, mutable_bytes rest) {
        if (whole_) return run(); // it came before
        heed_group();
        if (is_asking()) opening()->ask(parsed);
        return turn(rest);
    }
    /// Another server has made the handshake. A group that has closed meanwhile closes this connection as a member.
    endpoint_wants take_over(mutable_bytes rest) { return is_asking() ? open(rest) : run(); }

private:
    using handler_type = decltype(parts::handler);

    [[nodiscard]] Opening* opening() const noexcept { return whole_.opening(); }
    [[nodiscard]] bool is_asking() const noexcept {
        return opening() != nullptr && opening()->common.state == detail::opening_state::asking;
    }

    /// Refuses a connection that its group would close at once.
    void heed_group() {
        if (is_asking() && opening()->common.invited.is_void()) opening()->stop();
    }

    endpoint_wants stop() {
        if (is_asking()) opening()->stop();
        if (opening() != nullptr && opening()->common.state == detail::opening_state::agreed)
            opening()->common.give_up(errc::aborted);
        return turn();
    }

    /// What is due, and what that makes of the connection. `rest`: what followed the handshake.
    endpoint_wants turn(mutable_bytes rest = {}) {
        if (opening() == nullptr) return end_without_memory();
        heed_group();
        auto& common = opening()->common;
        if (common.is_late()) opening()->expire();
        if (common.state == detail::opening_state::refused) common.end.on_discarded(rest.size());
        if (common.step()) return open(rest);
        if (!common.keep(rest)) static_cast<void>(common.step());
        const endpoint_wants wants = common.wants();
        if (wants.finished && !std::exchange(common.is_told, true))
            tell_not_opened(common.parts.handler, common.reason, common.status);
        return wants;
    }
    endpoint_wants end_without_memory() {
        if (handler_type* const untold = whole_.untold()) tell_not_opened(*untold, errc::out_of_memory, 0);
        return {.read = false, .finished = true};
    }
    static void tell_not_opened([[maybe_unused]] handler_type& handler, [[maybe_unused]] errc why,
                                [[maybe_unused]] int status) {
        if constexpr (detail::has_on_not_opened<handler_type>)
            static_cast<void>(detail::call_hook([&] { handler.on_not_opened(why, status); }));
    }

    endpoint_wants open(mutable_bytes rest) {
        auto& common = opening()->common;
        common.part(); // a completion may run the hook that is moved here
        const bool input_is_over = common.input_is_over;
        const errc input_error = common.input_error;
        byte_buffer early = std::move(common.early);
        const auto invited = std::move(common.invited);
        const time_point now = common.now();
        parts from = std::move(common.parts);
        whole_.end_opening(); // before the first message: its memory is the endpoint's
        whole_.emplace(std::move(from.connection), std::move(from.hook), std::move(from.handler),
                       from.options, std::move(from.side), std::move(from.work));
        if constexpr (detail::has_on_upgraded<handler_type, endpoint_type>) {
            const typename endpoint_type::in_the_turn inside(*whole_); // its run() comes below
            if (!detail::call_hook([&] { whole_->handler().on_upgraded(*whole_); }))
                whole_->abort(errc::handler_failed);
        }
        if (invited) join_now(invited, now);
        if (!early.empty()) static_cast<void>(whole_->receive(early.view()));
        if (!rest.empty()) static_cast<void>(whole_->receive(rest));
        if (input_is_over) static_cast<void>(whole_->end_of_input(input_error));
        return whole_->run();
    }

    template <class Invitation>
    void join_now(const Invitation& invited, time_point now) {
        const errc error = whole_->join(invited);
        if (error == errc::closed) return invited.close(*whole_, now);
        if (error != errc::none) whole_->abort(error);
    }

    [[no_unique_address]] detail::connection_stage<Opening, handler_type, endpoint_type> whole_;
};

} // namespace wsolo::inline WSOLO_ABI

// ---- wsolo/endpoint/client_connection.hpp
// A client's whole connection: the request, the judgement of the server's answer, and the endpoint that it becomes.
//
// Laws of this file:
// - The request leaves with the first run(). Nothing else leaves before the answer was found good.
// - The handler can look at a refusal's head, for instance at a redirect; then the connection ends.
// - Bytes that follow the answer belong to the endpoint.

namespace wsolo::inline WSOLO_ABI {

/// Copied; what only the handshake needs is given back when the connection is open.
struct client_options : connection_options {
    /// Of the server's answer.
    handshake_limits answer{};
};

namespace detail {

/// `Parts`: opening_parts.
template <class Parts, class Endpoint, class Traits>
class client_opening {
    using handler_type = decltype(Parts::handler);

public:
    using parts = Parts;
    using endpoint_type = Endpoint;

    template <nonce_source Keys>
    client_opening(Parts kept, const client_request& request, Keys& keys, const client_options& options)
        : common(role::client, std::move(kept), options.handshake_timeout), head_(options.answer) {
        const auto offer = extension_offer(common.parts.handler);
        client_request asked = request;
        if (asked.extensions.data() == nullptr) asked.extensions = offer.view();
        offers_ = asked.extensions == offer.view();
        errc error = head_.start(asked, keys);
        if (error == errc::none && !common.out.bytes().append(head_.request())) error = errc::out_of_memory;
        if (error == errc::none) {
            common.begin_output();
        } else {
            common.give_up(error);
        }
    }

    /// The head's bytes; what follows them stays in `received`.
    void ask(mutable_bytes& received) {
        switch (head_.feed(received)) {
        case handshake_status::need_more: return;
        case handshake_status::failed: return refuse(head_.error());
        case handshake_status::complete: break;
        }
        const upgrade_response answer = head_.response();
        const errc judged =
            offers_ ? judge_extensions(common.parts.handler, answer.extensions()) : errc::none;
        if (judged != errc::none) return refuse(judged);
        const errc said = show(errc::none);
        common.agree(head_.response().status());
        if (said != errc::none) common.give_up(said);
    }
    void end_asking(errc why) {
        head_.end_of_input();
        refuse(why == errc::none ? head_.error() : why);
    }
    void expire() { common.give_up(errc::handshake_timeout); }
    void stop() { common.give_up(errc::aborted); }

    opening<Parts, Traits> common;

private:
    void refuse(errc why) {
        if (head_.has_response()) {
            common.status = head_.response().status();
            static_cast<void>(show(why));
        }
        common.give_up(why);
    }

    /// What the handler says to the answer.
    [[nodiscard]] errc show([[maybe_unused]] errc verdict) {
        errc said = errc::none;
        if constexpr (has_on_response<handler_type>) {
            if (!call_hook(
                    [&] { return said = common.parts.handler.on_response(head_.response(), verdict); }))
                said = errc::handler_failed;
        }
        return said;
    }

    client_handshake head_;
    bool offers_ = false; ///< what the handler's compression offers
};

} // namespace detail

/// See the file's laws. Make it, then run(), as connection.hpp says. The handler's hooks are endpoint's (hooks.hpp), and,
/// called in the loop:
///
///     errc on_response(const upgrade_response& answer, errc verdict)
///         The server's final answer, which is a view, and the judge's verdict. When the verdict is none the hook may still
///         refuse the answer by returning an errc, for instance because no subprotocol was chosen. When the verdict is an
///         error the hook's result is ignored.
///     on_upgraded(endpoint& e)
///         Once, when the connection is open.
///
///     on_not_opened(errc why, int status)
///         Called instead, once, as the last hook: the connection ended without having been open. The arguments are
///         how_it_ended().reason and status().
///
/// A connection that was never open calls no other hook. The handler is moved once, before on_upgraded.
template <any_transport Transport, schedule_hook Schedule, class Handler, class Side = client_side<>,
          class Work = in_the_loop, class Traits = std_blocking_traits>
class client_connection
    : public basic_connection<
          detail::client_opening<detail::opening_parts<Transport, Schedule, Handler, Side, Work>,
                                 endpoint<Transport, Schedule, Handler, Side, Work, Traits>, Traits>> {
    using base = typename client_connection::basic_connection;

public:
    /// `connection` is connected. The views of `request` are needed only during the call. A request that can't be asked
    /// (errc::invalid_header_field) ends the connection before it begins: run() says `finished`.
    explicit client_connection(Transport connection, Schedule hook, Handler handler,
                               const client_request& request, const client_options& options = {},
                               Side side = {}, Work work = {})
        : client_connection(std::move(connection), std::move(hook), std::move(handler), request,
                            random_keys(), options, std::move(side), std::move(work)) {}
    /// The same with the caller's source of the request's key.
    template <class Keys>
        requires nonce_source<std::remove_reference_t<Keys>>
    client_connection(Transport connection, Schedule hook, Handler handler, const client_request& request,
                      Keys&& keys, const client_options& options = {}, Side side = {}, Work work = {})
        : base(typename base::parts{std::move(connection), std::move(hook), std::move(handler), options,
                                    std::move(side), std::move(work)},
               request, keys, options) {}
};

template <class Transport, class Schedule, class Handler>
client_connection(Transport, Schedule, Handler, client_request)
    -> client_connection<Transport, Schedule, Handler>;
template <class Transport, class Schedule, class Handler>
client_connection(Transport, Schedule, Handler, client_request, client_options)
    -> client_connection<Transport, Schedule, Handler>;

} // namespace wsolo::inline WSOLO_ABI

// ---- wsolo/endpoint/server_connection.hpp
// A server's whole connection: the request, its answer, and the endpoint that it becomes.
//
// Laws of this file:
// - Every request gets one answer, legal or not. Any answer but a 101 ends the connection, and arrives although the peer goes
//   on sending: its bytes are read and thrown away, within end_options' bounds.
// - A request that another server parsed is judged by the same code, and answered in the same way. A connection whose request
//   another server has also answered begins open.
// - Bytes that follow the request belong to the endpoint.

namespace wsolo::inline WSOLO_ABI {

/// Copied; what only the handshake needs is given back when the connection is open.
struct server_options : connection_options {
    /// Of the request: its lines, fields and size.
    handshake_limits request{};
};

namespace detail {

/// `Parts`: opening_parts.
template <class Parts, class Endpoint, class Traits>
class server_opening {
    using handler_type = decltype(Parts::handler);

public:
    using parts = Parts;
    using endpoint_type = Endpoint;

    server_opening(Parts kept, const server_options& options)
        : common(role::server, std::move(kept), options.handshake_timeout), head_(options.request) {}

    /// The head's bytes; what follows them stays in `received`.
    void ask(mutable_bytes& received) {
        switch (head_.feed(received)) {
        case handshake_status::need_more: return;
        case handshake_status::failed: return refuse(head_.error(), head_.refusal());
        case handshake_status::complete: return decide(head_.request());
        }
    }
    void ask(const http_request& parsed) {
        WSOLO_ASSERT(parsed.version < http_version::v2,
                     "over HTTP/2 and HTTP/3 the server's own HTTP answers");
        const result<upgrade_request> asked = judge(parsed);
        if (asked) return decide(*asked);
        http_response refusal = rejection(asked.error());
        refusal.omit_body = parsed.method == "HEAD";
        refuse(asked.error(), refusal);
    }
    void end_asking(errc why) {
        head_.end_of_input();
        // Where no request was cut off there is nothing to answer.
        if (why != errc::none || !head_.has_begun())
            return common.give_up(why == errc::none ? errc::connection_lost : why);
        refuse(head_.error(), head_.refusal());
    }
    void expire() { refuse(errc::handshake_timeout, rejection(errc::handshake_timeout)); }
    void stop() { refuse(errc::aborted, rejection(errc::aborted)); }

    opening<Parts, Traits> common;

private:
    void decide(const upgrade_request& asked) {
        const auto extensions = extension_answer(common.parts.handler, asked.extensions());
        http_reply reply(asked, common.out.bytes(), extensions.view());
        if constexpr (has_on_request<handler_type>) {
            if (!call_hook([&] { common.parts.handler.on_request(asked, reply); }))
                reply.refuse(errc::handler_failed);
        }
        const bool is_decided = reply.status() != 0 || reply.why() != errc::none;
        if (!is_decided) asked.is_upgrade() ? reply.accept() : reply.refuse(errc::handshake_missing_upgrade);
        if constexpr (compresses<handler_type>) {
            if (!reply.has_own_extensions()) common.parts.handler.compression.disagree();
        }
        if (reply.status() != 101) return say(reply.status(), reply.why());
        common.agree(101);
        leave();
    }

    void refuse(errc why, const http_response& refusal) {
        common.out.bytes().clear();
        const errc error = append_response(common.out.bytes(), refusal);
        say(error == errc::none ? refusal.status : 0, why);
    }

    /// Status 0: there was no memory for an answer.
    void say(int status, errc why) {
        if (status == 0) return common.give_up(why == errc::none ? errc::out_of_memory : why);
        common.answer(status, why);
        leave();
    }
    void leave() {
        common.bound_output();
        common.begin_output();
    }

    server_handshake head_;
};

} // namespace detail

/// See the file's laws. Those of connection.hpp hold as well. Everything belongs to the loop's thread. The handler's hooks are
/// endpoint's (hooks.hpp), and, called in the loop:
///
///     on_request(const upgrade_request& asked, http_reply& reply)
///         Each legal request, an upgrade or not: choose subprotocol and extensions, check the origin, send a page. The
///         default is in http_reply.hpp. An exception is answered by 500.
///     on_upgraded(endpoint& e)
///         Once, when the connection is open: what it sends follows the 101.
///
///     on_not_opened(errc why, int status)
///         Called instead, once, as the last hook: the connection ended without having been open. The arguments are
///         how_it_ended().reason and status().
///
/// A connection that was never open calls no other hook. The handler is moved once, before on_upgraded.
template <any_transport Transport, schedule_hook Schedule, class Handler, class Work = in_the_loop,
          class Traits = std_blocking_traits>
class server_connection
    : public basic_connection<
          detail::server_opening<detail::opening_parts<Transport, Schedule, Handler, server_side, Work>,
                                 endpoint<Transport, Schedule, Handler, server_side, Work, Traits>, Traits>> {
    using base = typename server_connection::basic_connection;

public:
    /// The peer's first bytes are its request.
    explicit server_connection(Transport connection, Schedule hook, Handler handler,
                               const server_options& options = {}, Work work = {})
        : base(
              typename base::parts{
                  std::move(connection), std::move(hook), std::move(handler), options, {}, std::move(work)},
              options) {}

    /// A request of HTTP/1.x that another server has parsed, and what it read after it: instead of a first receive(). The
    /// answer is written here. The views are needed only during the call.
    endpoint_wants take_request(const http_request& parsed, mutable_bytes leftover = {}) {
        return this->take(parsed, leftover);
    }
    /// A connection that is open: another server has judged the request (judge()) and answered it by 101, or in HTTP/2 by 200
    /// (accept_answer()). Instead of a first receive(); on_request is not called.
    endpoint_wants take_upgraded(mutable_bytes leftover = {}) { return this->take_over(leftover); }
};

template <class Transport, class Schedule, class Handler>
server_connection(Transport, Schedule, Handler) -> server_connection<Transport, Schedule, Handler>;
template <class Transport, class Schedule, class Handler>
server_connection(Transport, Schedule, Handler, server_options)
    -> server_connection<Transport, Schedule, Handler>;

} // namespace wsolo::inline WSOLO_ABI

#endif // WSOLO_SINGLE_HEADER
