// Would catch: a mistyped GUID, a key that is decoded before it is hashed, a digest that is printed in hex.

#include <support/catch.hpp>

#include <wsolo/handshake/accept_key.hpp>

// RFC 6455 §1.3: the worked example, also at compile time.
static_assert(wsolo::accept_key("dGhlIHNhbXBsZSBub25jZQ==") == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");

TEST_CASE("accept values of published handshakes", "[handshake][accept_key]") {
    struct row {
        const char* key;
        const char* accept;
    };
    const row rows[] = {
        {"dGhlIHNhbXBsZSBub25jZQ==", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="}, // RFC 6455 §1.3, §4.2.2
        {"x3JJHMbDL1EzLkh9GBhXDw==", "HSmrc0sMlYUkAGmm5OPpG2HaGWk="},
        {"AQIDBAUGBwgJCgsMDQ4PEA==", "C/0nmHhBztSRGR1CwL6Tf4ZjwpY="},
        {"", "Kfh9QIsMVZcl6xEPYxPHzW8SZ8w="}, // the GUID alone
    };
    for (const row& each : rows) {
        const wsolo::accept_value value = wsolo::accept_key(each.key);
        CHECK(value.view() == each.accept);
    }
}

TEST_CASE("an accept value is a value", "[handshake][accept_key]") {
    CHECK(wsolo::accept_key("a") == wsolo::accept_key("a"));
    CHECK_FALSE(wsolo::accept_key("a") == wsolo::accept_key("b"));
    const std::string_view rfc_value = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";
    CHECK(wsolo::accept_key("dGhlIHNhbXBsZSBub25jZQ==") == rfc_value);
    CHECK_FALSE(wsolo::accept_key("dGhlIHNhbXBsZSBub25jZQ==") == rfc_value.substr(1));
    CHECK(wsolo::accept_key("a").text.size() == 28);
}
