// Would catch: a key that is not random or not 16 bytes; a server that takes such a key, or refuses the RFC's
// own example.

#include <support/catch.hpp>

#include <wsolo/handshake/client_key.hpp>

#include <set>
#include <string>

namespace {

/// 1, 2, 3 ... as RFC 6455 §4.1 has it in its example.
struct counting_source {
    int next = 0;
    void fill(wsolo::mutable_bytes to) noexcept {
        for (std::byte& each : to) each = static_cast<std::byte>(++next);
    }
};

} // namespace

TEST_CASE("the nonce 01..10 of RFC 6455 §4.1", "[handshake][client_key]") {
    counting_source source;
    const wsolo::client_key key = wsolo::make_client_key(source);
    CHECK(key.view() == "AQIDBAUGBwgJCgsMDQ4PEA==");
    CHECK(source.next == 16);
    CHECK(wsolo::is_client_key(key.view()));
}

TEST_CASE("each key is new", "[handshake][client_key]") {
    wsolo::random_keys source;
    std::set<std::string> seen;
    for (int i = 0; i < 100; ++i) {
        const wsolo::client_key key = wsolo::make_client_key(source);
        CHECK(wsolo::is_client_key(key.view()));
        CHECK(seen.emplace(key.view()).second);
    }
}

TEST_CASE("a received key is a text of 16 bytes", "[handshake][client_key]") {
    CHECK(wsolo::is_client_key("dGhlIHNhbXBsZSBub25jZQ==")); // RFC 6455 §1.3
    CHECK(wsolo::is_client_key("x3JJHMbDL1EzLkh9GBhXDw=="));
    CHECK(wsolo::is_client_key("AAAAAAAAAAAAAAAAAAAAAA=="));
    CHECK_FALSE(wsolo::is_client_key(""));
    CHECK_FALSE(wsolo::is_client_key("dGhlIHNhbXBsZSBub25j"));         // 15 bytes
    CHECK_FALSE(wsolo::is_client_key("dGhlIHNhbXBsZSBub25jZWU="));     // 17 bytes
    CHECK_FALSE(wsolo::is_client_key("dGhlIHNhbXBsZSBub25jZQ"));       // unpadded
    CHECK_FALSE(wsolo::is_client_key("dGhlIHNhbXBsZSBub25jZQ= ="));    // white space inside
    CHECK(wsolo::is_client_key("AQIDBAUGBwgJCgsMDQ4PEC=="));           // RFC 6455 §4.1, as it is printed
    CHECK(wsolo::is_client_key("dGhlIHNhbXBsZSBub25jZR=="));           // a bit after the last byte
    CHECK_FALSE(wsolo::is_client_key("dGhlIHNhbXBsZSBub25j*Q=="));     // not of the alphabet
    CHECK_FALSE(wsolo::is_client_key("dGhlIHNhbXBsZSBub25jZQ==Zg==")); // two texts in one
}
