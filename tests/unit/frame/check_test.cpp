// Would catch: a rule of RFC 6455 §5.1-5.5 that is missing, applied to the wrong role, or judged in another
// order.

#include <support/catch.hpp>

#include <wsolo/frame/check.hpp>

using wsolo::errc;
using wsolo::role;

namespace {

/// The rules once more, slowly and from the RFC's text alone.
errc expected_of(unsigned first, unsigned second, role receiver, unsigned allowed_rsv) {
    const unsigned op = first & 15;
    const bool fin = first >= 128;
    const bool masked = second >= 128;
    const unsigned size = second & 127;
    for (const unsigned bit : {0x40U, 0x20U, 0x10U}) {
        // RFC 7692 §6.1: on a message's first frame only
        const bool may = (allowed_rsv & bit) != 0 && op >= 1 && op <= 7;
        if ((first & bit) != 0 && !may) return errc::reserved_bits_set;
    }
    if ((op >= 3 && op <= 7) || op >= 11) return errc::reserved_opcode;
    if (op >= 8 && !fin) return errc::fragmented_control_frame;
    if (receiver == role::server && !masked) return errc::mask_required;
    if (receiver == role::client && masked) return errc::mask_forbidden;
    if (op >= 8 && size > 125) return errc::oversized_control_frame;
    if (op == 8 && size == 1) return errc::close_body_of_one_byte;
    return errc::none;
}

} // namespace

TEST_CASE("all pairs of first bytes are judged as the RFC does", "[frame][check]") {
    std::size_t judged = 0;
    for (const role receiver : {role::server, role::client}) {
        for (const unsigned allowed : {0U, 0x40U, 0x20U, 0x10U, 0x70U}) {
            for (unsigned both = 0; both < 0x10000; ++both) {
                const unsigned first = both >> 8;
                const unsigned second = both & 0xff;
                const errc found =
                    wsolo::check_first_two(static_cast<std::byte>(first), static_cast<std::byte>(second),
                                           receiver, static_cast<std::uint8_t>(allowed));
                ++judged;
                if (found != expected_of(first, second, receiver, allowed)) {
                    FAIL("bytes " << std::hex << both << ", allowed " << allowed);
                }
            }
        }
    }
    CHECK(judged == 2 * 5 * 65536);
}

TEST_CASE("the first byte alone is enough for the rules that it holds", "[frame][check]") {
    CHECK(wsolo::check_first(std::byte{0x81}) == errc::none);
    CHECK(wsolo::check_first(std::byte{0xc1}) == errc::reserved_bits_set);
    CHECK(wsolo::check_first(std::byte{0xc1}, wsolo::rsv1_bit) == errc::none);
    CHECK(wsolo::check_first(std::byte{0xa1}, wsolo::rsv1_bit) == errc::reserved_bits_set);
    CHECK(wsolo::check_first(std::byte{0x83}) == errc::reserved_opcode);
    CHECK(wsolo::check_first(std::byte{0x09}) == errc::fragmented_control_frame);
    CHECK(wsolo::check_first(std::byte{0x01}) == errc::none);
}

TEST_CASE("the second byte is judged by the receiver's role", "[frame][check]") {
    CHECK(wsolo::check_second(std::byte{0x81}, std::byte{0x05}, role::server) == errc::mask_required);
    CHECK(wsolo::check_second(std::byte{0x81}, std::byte{0x85}, role::server) == errc::none);
    CHECK(wsolo::check_second(std::byte{0x81}, std::byte{0x85}, role::client) == errc::mask_forbidden);
    CHECK(wsolo::check_second(std::byte{0x81}, std::byte{0x05}, role::client) == errc::none);
    CHECK(wsolo::check_second(std::byte{0x89}, std::byte{0xfd}, role::server) == errc::none);
    CHECK(wsolo::check_second(std::byte{0x89}, std::byte{0xfe}, role::server) ==
          errc::oversized_control_frame);
    CHECK(wsolo::check_second(std::byte{0x82}, std::byte{0xff}, role::server) == errc::none);
}

TEST_CASE("a length must be minimal and below 2^63", "[frame][check]") {
    struct row {
        unsigned field;
        std::uint64_t size;
        errc expected;
    };
    const row rows[] = {
        // RFC 6455 §5.2: "the minimal number of bytes MUST be used to encode the length"
        {0, 0, errc::none},
        {125, 125, errc::none},
        {126, 0, errc::non_minimal_length},
        {126, 125, errc::non_minimal_length},
        {126, 126, errc::none},
        {126, 65535, errc::none},
        {127, 0, errc::non_minimal_length},
        {127, 125, errc::non_minimal_length},
        {127, 126, errc::non_minimal_length},
        {127, 65535, errc::non_minimal_length},
        {127, 65536, errc::none},
        // §5.2: "the most significant bit MUST be 0"
        {127, UINT64_MAX >> 1, errc::none},
        {127, (UINT64_MAX >> 1) + 1, errc::length_high_bit_set},
        {127, UINT64_MAX, errc::length_high_bit_set},
    };
    for (const row& row : rows) {
        INFO("field " << row.field << ", size " << row.size);
        CHECK(wsolo::check_length(row.field, row.size) == row.expected);
    }
}

TEST_CASE("a length that is on its way is refused once nothing it can become is legal", "[frame][check]") {
    using wsolo::check_length;
    CHECK(check_length(126, 0, 0xff) == errc::none);
    CHECK(check_length(127, 0, 0x1'ffff) == errc::none);
    CHECK(check_length(127, 0, 0xffff) == errc::non_minimal_length); // six bytes of eight, all zero
    CHECK(check_length(127, 0, UINT64_MAX >> 1) == errc::none);
    CHECK(check_length(127, (UINT64_MAX >> 1) - 0xff, UINT64_MAX >> 1) == errc::none);
    CHECK(check_length(127, std::uint64_t{0x80} << 56, UINT64_MAX) ==
          errc::length_high_bit_set); // one byte of eight
}
