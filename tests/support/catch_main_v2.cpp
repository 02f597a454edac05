// The main() that Catch2 v2 asks one translation unit for; v3 brings its own.
#define CATCH_CONFIG_MAIN
#include <catch2/catch.hpp>
