// SPDX-License-Identifier: MIT
#pragma once
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

#include "../version.hpp"

#include <cstdio>
#include <cstdlib>

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
