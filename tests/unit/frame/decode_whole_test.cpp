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
bool agree(const byte_vector& bytes, std::uint64_t limit, frame_limits limits) {
    exact_bytes by_cut{const_bytes(bytes)};
    exact_bytes by_long{const_bytes(bytes)};
    frame_decoder<Receiver> short_cut(limits);
    frame_decoder<Receiver> long_way(limits);
    mutable_bytes input = by_cut.view();
    mutable_bytes same = by_long.view();
    mutable_bytes payload;
    const bool taken = short_cut.next_whole(input, payload, limit);
    const decoded part = long_way.next_masked(same);
    const frame_header header = long_way.header();
    const bool expected = part.status == decode_status::part && part.begins && part.ends && header.fin &&
                          (header.op == opcode::text || header.op == opcode::binary) &&
                          header.payload_size <= limit && header.payload_size <= 65535;
    if (taken != expected) return false;
    if (!taken)
        return input.data() == by_cut.data() && input.size() == bytes.size() && short_cut.at_boundary();
    return input.size() == same.size() && payload.size() == part.payload.size() &&
           payload.data() - by_cut.data() == part.payload.data() - by_long.data() &&
           short_cut.header() == header && short_cut.first_byte() == long_way.first_byte() &&
           short_cut.position() == long_way.position() && short_cut.at_boundary();
}

/// `first`, `second` and what they announce of `length`, of which the first `available` bytes are there.
byte_vector frame_of(unsigned first, unsigned second, std::uint64_t length, std::size_t available) {
    byte_vector bytes;
    bytes.push_back(static_cast<std::byte>(first));
    bytes.push_back(static_cast<std::byte>(second));
    const unsigned field = second & 0x7fU;
    for (std::size_t at = field == 127 ? 8 : field == 126 ? 2 : 0; at > 0; --at)
        bytes.push_back(static_cast<std::byte>(length >> (at - 1) * 8));
    if ((second & 0x80U) != 0) {
        for (const unsigned key : {0x37U, 0xfaU, 0x21U, 0x3dU}) bytes.push_back(static_cast<std::byte>(key));
    }
    bytes.resize(available, std::byte{0x5a});
    return bytes;
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
                const byte_vector bytes = frame_of(first, second, size, available);
                const bool fine = agree<Receiver>(bytes, 125, {}) && agree<Receiver>(bytes, 5, {}) &&
                                  agree<Receiver>(bytes, 70000, {}) &&
                                  agree<Receiver>(bytes, 125, {.max_frame_size = 5});
                ++compared;
                if (!fine)
                    FAIL(std::hex << first << ' ' << second << ", " << std::dec << available << " bytes");
            }
        }
    }
    CHECK(compared == 65536 * 6);
}

/// Frames whose length takes two or eight bytes, minimal or not, cut at every byte of the header and near the payload's end.
template <role Receiver>
void check_long_lengths() {
    for (const unsigned first : {0x02U, 0x80U, 0x81U, 0x82U, 0x83U, 0x89U, 0xc2U}) {
        for (const unsigned second : {126U, 127U, 254U, 255U}) {
            for (const std::size_t length :
                 {0U, 1U, 125U, 126U, 127U, 128U, 255U, 256U, 1024U, 65535U, 65536U}) {
                if ((second & 0x7fU) == 126 && length > 65535) continue;
                const std::size_t head = header_size_announced(static_cast<std::byte>(second));
                for (std::size_t cut = 0; cut <= head + 4; ++cut) {
                    const std::size_t available = cut <= head ? cut : head + length + 2 - (cut - head - 1);
                    const byte_vector bytes = frame_of(first, second, length, available);
                    for (const std::uint64_t limit : {std::uint64_t{0}, std::uint64_t{length} - 1,
                                                      std::uint64_t{length}, std::uint64_t{UINT64_MAX}}) {
                        const bool fine = agree<Receiver>(bytes, limit, {}) &&
                                          agree<Receiver>(bytes, limit, {.max_frame_size = 0}) &&
                                          agree<Receiver>(bytes, limit, {.max_frame_size = length}) &&
                                          agree<Receiver>(bytes, limit, {.max_frame_size = length - 1});
                        if (!fine)
                            FAIL(std::hex << first << ' ' << second << std::dec << ", length " << length
                                          << ", limit " << limit << ", " << available << " bytes");
                    }
                }
            }
        }
    }
}

} // namespace

TEST_CASE("the short cut takes just the whole messages that the long way takes", "[frame][decode]") {
    SECTION("a server reads") { check_every_header<role::server>(); }
    SECTION("a client reads") { check_every_header<role::client>(); }
}

TEST_CASE("the short cut takes just the long lengths that the long way takes", "[frame][decode]") {
    SECTION("a server reads") { check_long_lengths<role::server>(); }
    SECTION("a client reads") { check_long_lengths<role::client>(); }
}

TEST_CASE("the short cut takes no part of a length of eight bytes for a length of two", "[frame][decode]") {
    for (const std::uint64_t length : {std::uint64_t{126} << 48, std::uint64_t{500} << 48}) {
        for (const std::uint64_t most : {std::uint64_t{0}, std::uint64_t{1} << 20}) {
            CHECK(
                agree<role::server>(frame_of(0x82, 255, length, 1000), UINT64_MAX, {.max_frame_size = most}));
            CHECK(
                agree<role::client>(frame_of(0x82, 127, length, 1000), UINT64_MAX, {.max_frame_size = most}));
        }
    }
}

TEST_CASE("the short cut waits for a frame that is under way", "[frame][decode]") {
    byte_vector bytes = support::from_hex("82 84 01 02 03 04 aa 82 81 05 06 07 08 bb");
    frame_decoder<role::server> decoder;
    mutable_bytes input = mutable_bytes(bytes).first(7);
    CHECK(decoder.next_masked(input).begins);
    input = mutable_bytes(bytes).subspan(7);
    mutable_bytes payload;
    CHECK_FALSE(
        decoder.next_whole(input, payload, 125)); // three bytes of the first frame's payload come first
    CHECK(input.size() == 7);
}
