// Would catch: a nibble table that forgives a bad pair of bytes or suspects a good one.

#include <support/catch.hpp>

#include <wsolo/text/detail/utf8_scalar.hpp>
#include <wsolo/text/detail/utf8_tables.hpp>

using namespace wsolo::detail;

namespace {

bool is_continuation(unsigned byte) { return byte >= 0x80 && byte <= 0xBF; }

/// Whether the two bytes are wrong wherever they stand, by the automaton.
bool is_fault(unsigned first, unsigned second) {
    if (first < 0x80) return is_continuation(second);
    if (is_continuation(first)) return false;
    const utf8_state state = utf8_after_lead(static_cast<std::uint8_t>(first));
    return utf8_step(state, static_cast<std::byte>(second)) == utf8_state::failed;
}

} // namespace

TEST_CASE("the three tables tell every bad pair of bytes and no other", "[text][utf8]") {
    for (unsigned first = 0; first < 256; ++first) {
        for (unsigned second = 0; second < 256; ++second) {
            const unsigned faults = static_cast<unsigned>(utf8_first_high[first >> 4]) &
                                    utf8_first_low[first & 15] & utf8_second_high[second >> 4];
            const bool both = is_continuation(first) && is_continuation(second);
            const bool right = (faults & two_continuations) == (both ? two_continuations : 0u) &&
                               ((faults & 0x7Fu) != 0) == is_fault(first, second);
            if (!right) FAIL(std::hex << first << ' ' << second << ": " << faults);
        }
    }
}

TEST_CASE("the excess constants single out the leads that ask two and three places on", "[text][utf8]") {
    int third = 0;
    int fourth = 0;
    for (int byte = 0; byte < 256; ++byte) {
        const auto top_bit = [&](int excess) { return byte > excess && ((byte - excess) & 0x80) != 0; };
        if (top_bit(utf8_third_excess) != (byte >= 0xE0)) FAIL(byte);
        if (top_bit(utf8_fourth_excess) != (byte >= 0xF0)) FAIL(byte);
        third += top_bit(utf8_third_excess);
        fourth += top_bit(utf8_fourth_excess);
    }
    CHECK(third == 0x20); // E0 to FF
    CHECK(fourth == 0x10);
}
