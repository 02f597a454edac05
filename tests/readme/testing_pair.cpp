// A test with two sides, of docs/testing.md.
#include <wsolo/testing/pair.hpp>

using namespace std::chrono_literals;

void check(bool holds);

@BLOCK@
