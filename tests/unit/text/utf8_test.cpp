// Would catch: a surrogate, an overlong form or U+110000 let through; a valid code point refused; a failure
// reported late, at another byte, or forgotten by the next write; a cut code point called complete.

#include <support/catch.hpp>

#include <wsolo/text/utf8.hpp>

#include <cstdint>
#include <string>
#include <vector>

using wsolo::bytes_of;
using wsolo::is_valid_utf8;
using wsolo::utf8_validator;

namespace {

std::string encoded(std::uint32_t point) {
    const auto low = [&](int shift) { return static_cast<char>(0x80u | ((point >> shift) & 0x3Fu)); };
    if (point < 0x80) return {static_cast<char>(point)};
    if (point < 0x800) return {static_cast<char>(0xC0u | point >> 6), low(0)};
    if (point < 0x10000) return {static_cast<char>(0xE0u | point >> 12), low(6), low(0)};
    return {static_cast<char>(0xF0u | point >> 18), low(12), low(6), low(0)};
}

bool valid_byte_by_byte(std::string_view text) {
    utf8_validator validator;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (!validator.write(bytes_of(text.substr(i, 1)))) return false;
    }
    return validator.complete();
}

struct bad_text {
    std::string_view bytes;
    std::size_t first_bad; // equal to the size when it is only cut short
    const char* why;
};

// Unicode 15, table 3-7; RFC 3629 §4 and §10.
const bad_text bad_texts[] = {
    {"\x80", 0, "a lone continuation byte"},
    {"\xC0\x80", 0, "overlong NUL"},
    {"\xC1\xBF", 0, "overlong DEL"},
    {"\xE0\x80\x80", 1, "overlong, three bytes"},
    {"\xE0\x9F\xBF", 1, "overlong U+07FF"},
    {"\xED\xA0\x80", 1, "U+D800"},
    {"\xED\xBF\xBF", 1, "U+DFFF"},
    {"\xF0\x80\x80\x80", 1, "overlong, four bytes"},
    {"\xF0\x8F\xBF\xBF", 1, "overlong U+FFFF"},
    {"\xF4\x90\x80\x80", 1, "U+110000"},
    {"\xF5\x80\x80\x80", 0, "a lead that no code point has"},
    {"\xFF", 0, "never in UTF-8"},
    {"\xC2", 1, "cut after one of two"},
    {"\xE2\x82", 2, "cut after two of three"},
    {"\xF0\x9F\x98", 3, "cut after three of four"},
    {"\xC2\x41", 1, "a letter where a continuation belongs"},
    {"\xE2\x82\xC2", 2, "a lead where a continuation belongs"},
    {"abcdefgh\x80", 8, "behind a whole word of ASCII"},
    {"\xCE\xBA\xE1\xBD\xB9\xCF\x83\xCE\xBC\xCE\xB5\xED\xA0\x80\x65\x64", 12, "Autobahn 6.3"},
};

} // namespace

TEST_CASE("every code point is accepted, and cut short nowhere complete", "[text][utf8]") {
    for (std::uint32_t point = 0; point <= 0x10FFFF; ++point) {
        if (point >= 0xD800 && point <= 0xDFFF) continue;
        const std::string text = encoded(point);
        bool right = is_valid_utf8(bytes_of(text)) && valid_byte_by_byte(text);
        for (std::size_t cut = 1; cut < text.size(); ++cut) {
            utf8_validator validator;
            right = right && validator.write(bytes_of(text).first(cut)) && !validator.complete();
        }
        if (!right) FAIL("U+" << std::hex << point);
    }
}

TEST_CASE("surrogates and what lies beyond U+10FFFF are refused", "[text][utf8]") {
    for (std::uint32_t point = 0xD800; point <= 0xDFFF; ++point) {
        if (is_valid_utf8(bytes_of(encoded(point)))) FAIL("U+" << std::hex << point);
    }
    for (std::uint32_t point = 0x110000; point <= 0x1FFFFF; ++point) {
        if (is_valid_utf8(bytes_of(encoded(point)))) FAIL("U+" << std::hex << point);
    }
}

TEST_CASE("the first bad byte is named, at every split", "[text][utf8]") {
    for (const bad_text& row : bad_texts) {
        INFO(row.why);
        CHECK_FALSE(is_valid_utf8(bytes_of(row.bytes)));
        CHECK_FALSE(valid_byte_by_byte(row.bytes));
        for (std::size_t split = 0; split <= row.bytes.size(); ++split) {
            utf8_validator validator;
            const bool first = validator.write(bytes_of(row.bytes.substr(0, split)));
            CHECK(first == (split <= row.first_bad));
            const bool second = validator.write(bytes_of(row.bytes.substr(split)));
            CHECK(second == (row.first_bad == row.bytes.size()));
            CHECK_FALSE(validator.complete());
            CHECK(validator.failed() != second);
            CHECK(validator.valid_up_to() == row.first_bad);
        }
    }
}

TEST_CASE("a failure lasts until reset", "[text][utf8]") {
    utf8_validator validator;
    CHECK(validator.complete()); // the empty text is UTF-8
    CHECK_FALSE(validator.write(bytes_of("ab\xFF")));
    CHECK_FALSE(validator.write(bytes_of("ok")));
    CHECK_FALSE(validator.write({}));
    CHECK(validator.valid_up_to() == 2);
    validator.reset();
    CHECK(validator.write(bytes_of("\xE2\x82")));
    CHECK(validator.write({}));
    CHECK_FALSE(validator.complete());
    CHECK(validator.write(bytes_of("\xAC")));
    CHECK(validator.complete());
    CHECK(validator.valid_up_to() == 3);
}
