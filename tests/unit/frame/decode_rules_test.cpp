// Would catch: a rule of RFC 6455 §5.1-5.5 that one role does not apply, that is found at a later byte than
// the one that proves it, or that depends on how the input is split.

#include <support/catch.hpp>
#include <support/decode_trace.hpp>

using namespace wsolo;
using support::decode_every_way;
using support::trace;
using support::wire;

namespace {

/// A header that breaks a rule, as both sides would send it, and the byte that proves it.
struct violation {
    const char* section;
    unsigned first;
    unsigned field;
    std::uint64_t size;
    errc expected;
    std::size_t proven_by;
};

constexpr violation violations[] = {
    {"§5.2 RSV1", 0xc1, 0, 0, errc::reserved_bits_set, 1},
    {"§5.2 RSV2", 0xa1, 0, 0, errc::reserved_bits_set, 1},
    {"§5.2 RSV3", 0x91, 0, 0, errc::reserved_bits_set, 1},
    {"§5.2 RSV on a continuation", 0xc0, 0, 0, errc::reserved_bits_set, 1},
    {"§5.2 RSV on a control frame", 0xc9, 0, 0, errc::reserved_bits_set, 1},
    {"§5.2 opcode 3", 0x83, 0, 0, errc::reserved_opcode, 1},
    {"§5.2 opcode 4", 0x84, 0, 0, errc::reserved_opcode, 1},
    {"§5.2 opcode 5", 0x85, 0, 0, errc::reserved_opcode, 1},
    {"§5.2 opcode 6", 0x86, 0, 0, errc::reserved_opcode, 1},
    {"§5.2 opcode 7, fragmented", 0x07, 0, 0, errc::reserved_opcode, 1},
    {"§5.2 opcode 11", 0x8b, 0, 0, errc::reserved_opcode, 1},
    {"§5.2 opcode 12", 0x8c, 0, 0, errc::reserved_opcode, 1},
    {"§5.2 opcode 13", 0x8d, 0, 0, errc::reserved_opcode, 1},
    {"§5.2 opcode 14", 0x8e, 0, 0, errc::reserved_opcode, 1},
    {"§5.2 opcode 15, fragmented", 0x0f, 0, 0, errc::reserved_opcode, 1},
    {"§5.5 fragmented Close", 0x08, 0, 0, errc::fragmented_control_frame, 1},
    {"§5.5 fragmented Ping", 0x09, 0, 0, errc::fragmented_control_frame, 1},
    {"§5.5 fragmented Pong", 0x0a, 0, 0, errc::fragmented_control_frame, 1},
    {"§5.5 Close of 126", 0x88, 126, 126, errc::oversized_control_frame, 2},
    {"§5.5 Ping of 126", 0x89, 126, 126, errc::oversized_control_frame, 2},
    {"§5.5 Pong of 65536", 0x8a, 127, 65536, errc::oversized_control_frame, 2},
    {"§5.5 Ping of 5 in the long form", 0x89, 126, 5, errc::oversized_control_frame, 2},
    {"§5.5.1 Close of 1", 0x88, 1, 1, errc::close_body_of_one_byte, 2},
    {"§5.2 16 bits for 0", 0x82, 126, 0, errc::non_minimal_length, 4},
    {"§5.2 16 bits for 125", 0x82, 126, 125, errc::non_minimal_length, 4},
    {"§5.2 64 bits for 0", 0x01, 127, 0, errc::non_minimal_length, 8},
    {"§5.2 64 bits for 126", 0x82, 127, 126, errc::non_minimal_length, 8},
    {"§5.2 64 bits for 65535", 0x82, 127, 65535, errc::non_minimal_length, 8},
    {"§5.2 bit 63", 0x82, 127, 0x8000000000000000, errc::length_high_bit_set, 3},
    {"§5.2 bit 63 and all others", 0x82, 127, UINT64_MAX, errc::length_high_bit_set, 3},
    {"§10.4 longer than we take", 0x82, 127, (16U << 20) + 1, errc::frame_too_big, 10},
    {"§10.4 eight times what we take", 0x82, 127, 128U << 20, errc::frame_too_big, 7},
    {"§10.4 all but bit 63", 0x82, 127, UINT64_MAX >> 1, errc::frame_too_big, 3},
};

template <role Receiver>
void check_violations() {
    for (const violation& rule : violations) {
        INFO(rule.section);
        wire stream(peer_of(Receiver));
        stream.frame(0x81, 3);
        const std::size_t before = stream.bytes().size();
        stream.header(rule.first, rule.field, rule.size).frame(0x81, 20);
        const trace seen = decode_every_way<Receiver>(stream.bytes());
        CHECK(seen.error == rule.expected);
        CHECK(seen.consumed == before + rule.proven_by);
        CHECK(seen.frames.size() == 1);
    }
    // §5.1: the other side's form
    wire stream(Receiver);
    stream.frame(0x81, 3).frame(0x81, 20);
    const trace seen = decode_every_way<Receiver>(stream.bytes());
    CHECK(seen.error == (Receiver == role::server ? errc::mask_required : errc::mask_forbidden));
    CHECK(seen.consumed == 2);
    CHECK(seen.frames.empty());
}

} // namespace

TEST_CASE("each header rule is found at the byte that breaks it, in every split", "[frame][decode]") {
    SECTION("by a server") { check_violations<role::server>(); }
    SECTION("by a client") { check_violations<role::client>(); }
}
