// Would catch: a client that reuses a key or sends it unmasked, a server that masks.

#include <support/writer_fixture.hpp>

TEST_CASE("each client frame takes a key of its own, small or large", "[write][side]") {
    writer_fixture<client> f;
    std::vector<std::string> expected;
    for (const std::size_t size : {std::size_t{5}, std::size_t{5}, std::size_t{5000}, std::size_t{5000}}) {
        expected.emplace_back(size, 'k');
        REQUIRE(f.out->send_text(expected.back()) == errc::none);
    }
    REQUIRE(f.pump_all() == pump_status::idle);
    CHECK(f.payloads(1) == expected);
    const std::string& wire = f.wire.bytes();
    const std::string first = wire.substr(2, 4), second = wire.substr(11 + 2, 4);
    const std::string third = wire.substr(22 + 4, 4), fourth = wire.substr(22 + 5008 + 4, 4);
    CHECK(first != second);
    CHECK(second != third);
    CHECK(third != fourth);
    CHECK(first != std::string(4, '\0'));
}

TEST_CASE("a server side is empty and masks nothing", "[write][side]") {
    STATIC_REQUIRE(std::is_empty_v<wsolo::server_side>);
    writer_fixture<server> f;
    REQUIRE(f.out->send_text("plain") == errc::none);
    REQUIRE(f.pump_all() == pump_status::idle);
    CHECK(f.wire.bytes() == "\x81\x05plain");
}

TEST_CASE("the default client side masks with strong keys", "[write][side]") {
    wsolo::client_side<> side;
    std::byte first[16], second[16];
    side.encode(wsolo::mutable_bytes(first), wsolo::opcode::text, wsolo::bytes_of("1234567890"));
    side.encode(wsolo::mutable_bytes(second), wsolo::opcode::text, wsolo::bytes_of("1234567890"));
    CHECK(wsolo::text_of(first) != wsolo::text_of(second));
    const auto close = side.close(wsolo::close_code::normal, "bye");
    REQUIRE(close);
    CHECK(close->bytes().size() == 2 + 4 + 2 + 3);
}
