// Would catch: a short cut that takes a frame which breaks a rule, is fragmented, is not data, or does not
// lie whole in the input; one that refuses what it promises to take; one that leaves the decoder in another
// state than the long way.

#include <support/catch.hpp>
#include <support/exact_bytes.hpp>
#include <support/hex.hpp>

#include <wsolo/frame/decode.hpp>

using namespace wsolo;
using support::byte_vector;
using support::exact_bytes;

namespace {

/// The short cut and the long way over the same bytes: whether they agree.
template <role Receiver>
bool agree(const byte_vector& bytes, std::size_t limit, frame_limits limits) {
    exact_bytes by_short{const_bytes(bytes)};
    exact_bytes by_long{const_bytes(bytes)};
    frame_decoder<Receiver> short_cut(limits);
    frame_decoder<Receiver> long_way(limits);
    mutable_bytes input = by_short.view();
    mutable_bytes same = by_long.view();
    mutable_bytes payload;
    const bool taken = short_cut.next_short(input, payload, limit);
    const decoded part = long_way.next_masked(same);
    const frame_header header = long_way.header();
    const bool expected = part.status == decode_status::part && part.begins && part.ends && header.fin &&
                          (header.op == opcode::text || header.op == opcode::binary) &&
                          header.payload_size <= limit;
    if (taken != expected) return false;
    if (!taken)
        return input.data() == by_short.data() && input.size() == bytes.size() && short_cut.at_boundary();
    return input.size() == same.size() && payload.size() == part.payload.size() &&
           payload.data() - by_short.data() == part.payload.data() - by_long.data() &&
           short_cut.header() == header && short_cut.first_byte() == long_way.first_byte() &&
           short_cut.position() == long_way.position() && short_cut.at_boundary();
}

template <role Receiver>
void check_every_header() {
    std::size_t compared = 0;
    for (unsigned first = 0; first < 256; ++first) {
        for (unsigned second = 0; second < 256; ++second) {
            const std::size_t size = second & 0x7f;
            const std::size_t whole = header_size_announced(static_cast<std::byte>(second)) + size;
            for (const std::size_t available :
                 {std::size_t{0}, std::size_t{1}, std::size_t{2}, whole - 1, whole, whole + 9}) {
                byte_vector bytes(available, std::byte{0});
                if (available > 0) bytes[0] = static_cast<std::byte>(first);
                if (available > 1) bytes[1] = static_cast<std::byte>(second);
                const bool fine = agree<Receiver>(bytes, 125, {}) && agree<Receiver>(bytes, 5, {}) &&
                                  agree<Receiver>(bytes, 125, {.max_frame_size = 5});
                ++compared;
                if (!fine)
                    FAIL(std::hex << first << ' ' << second << ", " << std::dec << available << " bytes");
            }
        }
    }
    CHECK(compared == 65536 * 6);
}

} // namespace

TEST_CASE("the short cut takes just the short messages that the long way takes", "[frame][decode]") {
    SECTION("a server reads") { check_every_header<role::server>(); }
    SECTION("a client reads") { check_every_header<role::client>(); }
}

TEST_CASE("the short cut waits for a frame that is under way", "[frame][decode]") {
    byte_vector bytes = support::from_hex("82 84 01 02 03 04 aa 82 81 05 06 07 08 bb");
    frame_decoder<role::server> decoder;
    mutable_bytes input = mutable_bytes(bytes).first(7);
    CHECK(decoder.next_masked(input).begins);
    input = mutable_bytes(bytes).subspan(7);
    mutable_bytes payload;
    CHECK_FALSE(
        decoder.next_short(input, payload, 125)); // three bytes of the first frame's payload come first
    CHECK(input.size() == 7);
}
