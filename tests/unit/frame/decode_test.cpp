// Would catch: a decoder and an encoder that do not agree.
#include <support/catch.hpp>

#include <wsolo/frame/close_code.hpp>
#include <wsolo/frame/decode.hpp>
#include <wsolo/frame/encode.hpp>

#include <string>
#include <vector>

using namespace wsolo;

TEST_CASE("a client's frame reaches a server", "[frame][decode]") {
    random_keys keys;
    std::string wire;
    CHECK(append_frame<role::client>(wire, opcode::text, bytes_of("hello"), keys) == errc::none);
    CHECK(append_frame<role::client>(wire, {opcode::binary, false}, bytes_of(std::string(70000, 'x')),
                                     keys) == errc::none);
    frame_decoder<role::server> decoder;
    mutable_bytes input{reinterpret_cast<std::byte*>(wire.data()), wire.size()};
    auto part = decoder.next(input);
    REQUIRE(part.status == decode_status::part);
    CHECK((part.begins && part.ends));
    CHECK(text_of(part.payload) == "hello");
    part = decoder.next(input);
    CHECK(text_of(part.payload) == std::string(70000, 'x'));
    CHECK(decoder.next(input).status == decode_status::need_more);
}

TEST_CASE("a server's frame reaches a client", "[frame][decode]") {
    std::vector<char> wire;
    byte_buffer buffer;
    CHECK(append_frame<role::server>(wire, opcode::text, bytes_of("hello")) == errc::none);
    CHECK(append_frame<role::server>(buffer, opcode::text, bytes_of("hello")) == errc::none);
    CHECK(text_of(make_frame<role::server>(opcode::text, bytes_of("hello"))->bytes()) ==
          std::string_view(wire.data(), wire.size()));
    CHECK(text_of(buffer.view()) == std::string_view(wire.data(), wire.size()));
}
