// Would catch: a character class that is off by one, case folding beyond ASCII, white space that is trimmed
// though HTTP does not know it.

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
