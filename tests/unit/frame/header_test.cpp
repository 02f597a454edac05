// Would catch: a length in a longer form than needed, swapped bytes of a length, a lost flag, a key in the
// wrong place, a parse that reads beyond what it was given.

#include <support/catch.hpp>
#include <support/exact_bytes.hpp>
#include <support/hex.hpp>

#include <wsolo/frame/header.hpp>

#include <array>

using support::from_hex;
using support::to_hex;
using wsolo::frame_header;
using wsolo::opcode;

namespace {

constexpr wsolo::masking_key key{{std::byte{0x37}, std::byte{0xfa}, std::byte{0x21}, std::byte{0x3d}}};

std::string written(const frame_header& header) {
    std::array<std::byte, wsolo::max_header_size> bytes;
    const std::size_t size = wsolo::write_header(header, bytes.data());
    CHECK(size == wsolo::header_size(header.payload_size, header.masked));
    return to_hex(wsolo::const_bytes(bytes).first(size));
}

constexpr bool constexpr_round_trip() {
    std::array<std::byte, wsolo::max_header_size> bytes{};
    const frame_header header{.op = opcode::text, .masked = true, .key = key, .payload_size = 70000};
    const std::size_t size = wsolo::write_header(header, bytes.data());
    return size == 14 && wsolo::parse_header(bytes).header == header;
}
static_assert(constexpr_round_trip(), "headers are values at compile time, too");

} // namespace

TEST_CASE("lengths are written in their shortest form", "[frame][header]") {
    struct row {
        std::uint64_t size;
        const char* unmasked;
        const char* masked;
    };
    // RFC 6455 §5.2, "Payload length"
    const row rows[] = {
        {0, "82 00", "82 80 37 fa 21 3d"},
        {1, "82 01", "82 81 37 fa 21 3d"},
        {125, "82 7d", "82 fd 37 fa 21 3d"},
        {126, "82 7e 00 7e", "82 fe 00 7e 37 fa 21 3d"},
        {256, "82 7e 01 00", "82 fe 01 00 37 fa 21 3d"}, // §5.7
        {65535, "82 7e ff ff", "82 fe ff ff 37 fa 21 3d"},
        {65536, "82 7f 00 00 00 00 00 01 00 00", "82 ff 00 00 00 00 00 01 00 00 37 fa 21 3d"}, // §5.7
        {0x0102030405060708, "82 7f 01 02 03 04 05 06 07 08", "82 ff 01 02 03 04 05 06 07 08 37 fa 21 3d"},
        {wsolo::max_payload_size, "82 7f 7f ff ff ff ff ff ff ff",
         "82 ff 7f ff ff ff ff ff ff ff 37 fa 21 3d"},
    };
    for (const row& row : rows) {
        CHECK(written({.payload_size = row.size}) == row.unmasked);
        CHECK(written({.masked = true, .key = key, .payload_size = row.size}) == row.masked);
    }
}

TEST_CASE("each bit of the first byte has its place", "[frame][header]") {
    CHECK(written({.fin = false, .op = opcode::continuation}) == "00 00");
    CHECK(written({.fin = true, .op = opcode::continuation}) == "80 00");
    CHECK(written({.fin = false, .rsv1 = true, .op = opcode::continuation}) == "40 00");
    CHECK(written({.fin = false, .rsv2 = true, .op = opcode::continuation}) == "20 00");
    CHECK(written({.fin = false, .rsv3 = true, .op = opcode::continuation}) == "10 00");
    CHECK(written({.op = opcode::text}) == "81 00");
    CHECK(written({.op = opcode::pong}) == "8a 00");
}

TEST_CASE("a parsed header is the header that was written", "[frame][header]") {
    for (unsigned first = 0; first < 256; ++first) {
        for (const std::uint64_t size : {0ULL, 125ULL, 126ULL, 65535ULL, 65536ULL, 1ULL << 40, 1ULL << 63}) {
            for (const bool masked : {false, true}) {
                std::array<std::byte, wsolo::max_header_size> bytes{};
                const std::size_t start =
                    wsolo::detail::write_start(bytes.data(), static_cast<std::byte>(first), masked, size);
                if (masked)
                    std::copy(key.bytes.begin(), key.bytes.end(), bytes.begin() + static_cast<long>(start));
                const auto parsed = wsolo::parse_header(bytes);
                REQUIRE(parsed.status == wsolo::parse_status::complete);
                REQUIRE(parsed.size == wsolo::header_size(size, masked));
                const frame_header expected{.fin = (first & 0x80) != 0,
                                            .rsv1 = (first & 0x40) != 0,
                                            .rsv2 = (first & 0x20) != 0,
                                            .rsv3 = (first & 0x10) != 0,
                                            .op = static_cast<opcode>(first & 0x0f),
                                            .masked = masked,
                                            .key = masked ? key : wsolo::masking_key{},
                                            .payload_size = size};
                REQUIRE(parsed.header == expected);
            }
        }
    }
}

TEST_CASE("headers are equal when all they say is", "[frame][header]") {
    const frame_header one{.key = key, .payload_size = 5};
    CHECK(one == frame_header(one));
    const auto differs = [&](auto change) {
        frame_header other = one;
        change(other);
        return !(one == other);
    };
    CHECK(differs([](frame_header& other) { other.fin = false; }));
    CHECK(differs([](frame_header& other) { other.rsv1 = true; }));
    CHECK(differs([](frame_header& other) { other.rsv2 = true; }));
    CHECK(differs([](frame_header& other) { other.rsv3 = true; }));
    CHECK(differs([](frame_header& other) { other.op = wsolo::opcode::text; }));
    CHECK(differs([](frame_header& other) { other.masked = true; }));
    CHECK(differs([](frame_header& other) { other.key = {}; }));
    CHECK(differs([](frame_header& other) { other.payload_size = 6; }));
}

TEST_CASE("a parse says how much it needs, and reads no more than it has", "[frame][header]") {
    for (const char* whole : {"82 05", "82 85 01 02 03 04", "82 7e 01 00", "82 fe 01 00 01 02 03 04",
                              "82 7f 00 00 00 00 00 01 00 00", "82 ff 00 00 00 00 00 01 00 00 01 02 03 04"}) {
        const auto bytes = from_hex(whole);
        for (std::size_t have = 0; have <= bytes.size(); ++have) {
            INFO(whole << ", the first " << have);
            support::exact_bytes input(wsolo::const_bytes(bytes).first(have));
            const auto parsed = wsolo::parse_header(input.view());
            CHECK((parsed.status == wsolo::parse_status::complete) == (have == bytes.size()));
            CHECK(parsed.size == (have < 2 ? 2 : bytes.size()));
        }
    }
}

TEST_CASE("lengths are parsed as they stand, minimal or not", "[frame][header]") {
    auto parsed = wsolo::parse_header(from_hex("82 7e 00 05"));
    CHECK(parsed.header.payload_size == 5);
    CHECK(parsed.length_field == 126);
    parsed = wsolo::parse_header(from_hex("82 7f ff 00 00 00 00 00 00 05"));
    CHECK(parsed.header.payload_size == 0xff00000000000005);
    CHECK(parsed.length_field == 127);
    parsed = wsolo::parse_header(from_hex("82 7d"));
    CHECK(parsed.length_field == 125);
}
