#pragma once
// Catch2 v3 or v2 (2.13, Debian 12), whichever was found. Tests use only what both have: no SKIP, no
// generators' ranges.

#if __has_include(<catch2/catch_test_macros.hpp>)
#include <catch2/catch_approx.hpp>
#include <catch2/catch_template_test_macros.hpp>
#include <catch2/catch_test_macros.hpp>
#include <catch2/catch_tostring.hpp>
#include <catch2/generators/catch_generators.hpp>
#else
#include <catch2/catch.hpp>
#endif

#include <wsolo/core/error.hpp>

#include <string>

/// A failed comparison prints the errc's name.
template <>
struct Catch::StringMaker<wsolo::errc> {
    static std::string convert(wsolo::errc code) { return std::string(wsolo::name_of(code)); }
};
