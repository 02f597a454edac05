// SPDX-License-Identifier: MIT
#pragma once
// Which vector unit may be used here: the one that the compiler was told of, or, in a generic x86-64 build,
// the widest that the processor and the system turn out to have.
//
// Laws of this file:
// - A build with -mavx2 and the like pays for no choice at run time, and never uses a wider unit than it was
// told.
// - 512-bit vectors are taken only with AVX-512 VBMI: processors before it slow down when they see them.

#include "config.hpp"

#include <cstdint>

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
