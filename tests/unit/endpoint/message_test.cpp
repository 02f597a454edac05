// Would catch: a message whose bytes are gone after a move, or whose kind is lost; a lent one that copies or frees what it is
// lent.

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

TEST_CASE("a lent message is a view of another's bytes", "[endpoint][message]") {
    const std::string bytes = "K\xc3\xb6ln"; // freed once
    const bool is_text = GENERATE(false, true);
    const wsolo::detail::lent_message lent(is_text, wsolo::bytes_of(bytes));
    CHECK(lent.get().is_text() == is_text);
    CHECK(lent.get().bytes().data() == wsolo::bytes_of(bytes).data());
    CHECK(lent.get().text() == bytes);
    const wsolo::detail::lent_message none(true, {});
    CHECK(none.get().size() == 0);
}
