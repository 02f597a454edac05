// Would catch: a message whose bytes are gone after a move, or whose kind is lost.

#include <support/catch.hpp>

#include <wsolo/endpoint/message.hpp>

TEST_CASE("a message owns its bytes and moves", "[endpoint][message]") {
    wsolo::byte_buffer bytes;
    REQUIRE(bytes.append(wsolo::bytes_of("K\xc3\xb6ln")));
    wsolo::message first(true, std::move(bytes));
    CHECK(first.is_text());
    CHECK(first.size() == 5);
    wsolo::message second(std::move(first));
    CHECK(second.is_text());
    CHECK(second.text() == "K\xc3\xb6ln");
    CHECK(wsolo::text_of(second.take_bytes().view()) == "K\xc3\xb6ln");
    CHECK(wsolo::message().bytes().empty());
}
