// Would catch: a character class that is off by one, case folding beyond ASCII, a host or target that hides
// a space, a user name, a fragment or a second host.

#include <support/catch.hpp>

#include <wsolo/handshake/syntax.hpp>

#include <string>

using namespace wsolo::detail;

TEST_CASE("character classes over all 256 characters", "[handshake][syntax]") {
    const std::string separators = "()<>@,;:\\\"/[]?={} \t"; // RFC 2616 §2.2
    for (int value = 0; value < 256; ++value) {
        const char c = static_cast<char>(value);
        INFO(value);
        const bool visible = value > 0x20 && value < 0x7f;
        CHECK(is_token_char(c) == (visible && separators.find(c) == std::string::npos));
        CHECK(is_value_char(c) == (value == 9 || (value >= 32 && value != 127)));
        CHECK(is_target(std::string(1, c)) == (visible && c != '#'));
        CHECK((to_lower(c) != c) == (value >= 'A' && value <= 'Z'));
    }
}

TEST_CASE("tokens, numbers and values", "[handshake][syntax]") {
    CHECK(is_token("Sec-WebSocket-Key"));
    CHECK_FALSE(is_token(""));
    CHECK_FALSE(is_token("two words"));
    CHECK_FALSE(is_token("key "));
    CHECK(is_number("0123456789"));
    CHECK_FALSE(is_number(""));
    CHECK_FALSE(is_number("+1"));
    CHECK_FALSE(is_number("1,1"));
    CHECK(is_field_value(""));
    CHECK(is_field_value("caf\xc3\xa9\tbar"));
    CHECK_FALSE(is_field_value("a\r\nb"));
    CHECK_FALSE(is_field_value(std::string_view("a\0b", 3)));
}

TEST_CASE("comparison without case is ASCII's", "[handshake][syntax]") {
    CHECK(equals_ignoring_case("UpGrAdE", "upgrade"));
    CHECK_FALSE(equals_ignoring_case("upgrade", "upgrades"));
    CHECK_FALSE(equals_ignoring_case("[", "{"));               // 0x5b and 0x7b differ in the case bit only
    CHECK_FALSE(equals_ignoring_case("\xc3\x84", "\xc3\xa4")); // A and a with diaeresis
    CHECK_FALSE(equals_ignoring_case("\xe2\x84\xaa", "k"));    // the Kelvin sign
}

TEST_CASE("optional white space is spaces and tabs", "[handshake][syntax]") {
    CHECK(trim(" \t a b \t ") == "a b");
    CHECK(trim(" \t ").empty());
    CHECK(trim("\v\fx") == "\v\fx");
}

TEST_CASE("a host is a name or an address, and perhaps a port", "[handshake][syntax]") {
    for (const char* legal :
         {"example.com", "example.com:8080", "example.com:", "127.0.0.1:80", "[::1]", "[::1]:9001",
          "[::ffff:1.2.3.4]", "a_b-c~d.e", "xn--bcher-kva.example", "%41"}) {
        INFO(legal);
        CHECK(is_host(legal));
    }
    for (const char* illegal : {"", ":80", "a b", "a,b c", "user@host", "host/path", "host:80a", "host:80:80",
                                "[]", "[::1", "[::g]", "[::1]x", "::1",
                                "b\xc3\xbc"
                                "cher.example",
                                "a\"b", "a?b", "a#b"}) {
        INFO(illegal);
        CHECK_FALSE(is_host(illegal));
    }
}

TEST_CASE("a target is a path or an absolute http URI", "[handshake][syntax]") {
    struct row {
        const char* target;
        const char* host;
        const char* resource;
    };
    const row legal[] = {
        {"/", "", "/"},
        {"/chat?a=b|c", "", "/chat?a=b|c"},
        {"//chat", "", "//chat"},
        {"http://example.com/chat", "example.com", "/chat"}, // RFC 6455 §4.1 point 3
        {"HTTPS://example.com:8443/chat?x", "example.com:8443", "/chat?x"},
        {"http://[::1]:80", "[::1]:80", "/"},
        {"http://example.com?x", "example.com", "?x"},
    };
    for (const row& each : legal) {
        INFO(each.target);
        const target_parts parts = split_target(each.target);
        CHECK(parts.legal);
        CHECK(parts.host == each.host);
        CHECK(parts.resource == each.resource);
    }
    for (const char* illegal :
         {"", "*", "chat", "example.com:80", "ws://example.com/", "http:/example.com/", "http://",
          "http:///chat", "http://user@example.com/", "/chat#part", "/a b", "ftp://a/"}) {
        INFO(illegal);
        CHECK_FALSE(split_target(illegal).legal);
    }
}
