// Would catch: a word in the machine's own byte order, a text view that changes length on the way.

#include <support/catch.hpp>

#include <wsolo/core/bytes.hpp>

TEST_CASE("words travel in network byte order", "[core][bytes]") {
    std::byte room[8];
    wsolo::store_be16(room, 0x0102);
    CHECK(room[0] == std::byte{1});
    CHECK(room[1] == std::byte{2});
    CHECK(wsolo::load_be16(room) == 0x0102);
    wsolo::store_be64(room, 0x8102'0304'0506'07f8ULL);
    CHECK(room[0] == std::byte{0x81});
    CHECK(room[7] == std::byte{0xf8});
    CHECK(wsolo::load_be64(room) == 0x8102'0304'0506'07f8ULL);
}

TEST_CASE("text and bytes are views of the same memory", "[core][bytes]") {
    const std::string_view words("a\0b\xff", 4);
    const wsolo::const_bytes bytes = wsolo::bytes_of(words);
    CHECK(bytes.size() == 4);
    CHECK(bytes[3] == std::byte{0xff});
    CHECK(wsolo::text_of(bytes) == words);
    CHECK(wsolo::text_of(bytes).data() == words.data());
    CHECK(wsolo::bytes_of("").empty());
}
