// Would catch: a reply that masks what was never masked, a client's Close with an unmasked header.
#include <support/catch.hpp>

#include <wsolo/frame/control_reply.hpp>
#include <wsolo/frame/decode.hpp>
#include <wsolo/frame/shared_frame.hpp>

using namespace wsolo;

TEST_CASE("a server answers a PING with its payload", "[frame][control_reply]") {
    const auto reply = make_control_reply<role::server>(opcode::ping, unmasked_bytes(bytes_of("ABCD")));
    REQUIRE(reply);
    CHECK(text_of(reply->bytes()) == "\x8a\x04"
                                     "ABCD");
    CHECK(make_close<role::server>().bytes().size() == 2);
    random_keys keys;
    CHECK(make_close<role::client>(keys).bytes().size() == 6);
    CHECK(make_close<role::client>(close_code::no_status, "", keys).error() == errc::invalid_close_code);
    CHECK(text_of(make_shared_frame(opcode::text, bytes_of("hi"))->bytes()) == "\x81\x02hi");
}
