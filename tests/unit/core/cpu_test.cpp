// Would catch: a build that was told its vector unit and chooses another, an answer that changes between
// calls, a width taken that the processor or the system does not have (the masking and UTF-8 tests would die
// of it).

#include <support/catch.hpp>

#include <wsolo/core/cpu.hpp>

using wsolo::detail::usable_vector_unit;
using wsolo::detail::vector_unit;

TEST_CASE("the vector unit is what the build was told, or what the processor has", "[core][cpu]") {
    const vector_unit unit = usable_vector_unit();
    CHECK(unit == usable_vector_unit());
#if !WSOLO_X86_KERNELS
    CHECK(unit == vector_unit::baseline);
#elif defined(__AVX512BW__) && defined(__AVX512VL__)
    CHECK(unit == vector_unit::avx512);
#elif defined(__AVX2__)
    CHECK(unit == vector_unit::avx2);
#else
    CHECK((unit == vector_unit::avx512) <= static_cast<bool>(__builtin_cpu_supports("avx512vbmi")));
    CHECK((unit >= vector_unit::avx2) == static_cast<bool>(__builtin_cpu_supports("avx2")));
    CHECK((unit >= vector_unit::ssse3) == static_cast<bool>(__builtin_cpu_supports("ssse3")));
#endif
}

TEST_CASE("vector units compare by width", "[core][cpu]") {
    CHECK(vector_unit::baseline < vector_unit::ssse3);
    CHECK(vector_unit::ssse3 < vector_unit::avx2);
    CHECK(vector_unit::avx2 < vector_unit::avx512);
}
