// Would catch: a surrogate, an overlong form or U+110000 let through; a valid code point refused; a failure
// reported late, at another byte, or forgotten by the next write; a cut code point called complete; a split,
// a length or a masking phase that changes the answer.

#include <support/catch.hpp>
#include <support/utf8_texts.hpp>

#include <wsolo/text/utf8.hpp>

#include <algorithm>
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
    {"abcdefgh\x80", 8, "after a whole word of ASCII"},
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

namespace {

const wsolo::masking_key key{{std::byte{0x9A}, std::byte{0x03}, std::byte{0xF1}, std::byte{0x80}}};

/// Writes text[0, first), [first, second), [second, end) and checks everything that can be asked afterwards.
/// `phase`: 0 to 3 masks the text and writes it as from that offset of a payload; 4 writes it in clear.
/// What the texts were that were compared.
struct tally {
    std::size_t valid = 0;
    std::size_t faulty = 0; ///< or cut off
};

void check_split(tally& compared, const std::string& text, std::size_t first, std::size_t second,
                 std::uint64_t phase) {
    const support::utf8_verdict verdict = support::utf8_judged(text);
    std::vector<std::byte> bytes(text.size());
    for (std::size_t i = 0; i < text.size(); ++i) {
        bytes[i] = static_cast<std::byte>(text[i]);
        if (phase < 4) bytes[i] ^= key.bytes[(i + phase) & 3];
    }
    utf8_validator validator;
    const std::size_t ends[] = {first, second, text.size()};
    std::size_t at = 0;
    bool right = true;
    for (const std::size_t end : ends) {
        const wsolo::mutable_bytes part = wsolo::mutable_bytes(bytes).subspan(at, end - at);
        const bool fine = phase < 4 ? validator.write_masked(part, key, at + phase) : validator.write(part);
        right = right && fine == (verdict.first_bad >= end);
        at = end;
    }
    const bool good = verdict.first_bad == std::string_view::npos;
    right = right && validator.failed() != good && validator.complete() == (good && !verdict.open) &&
            validator.valid_up_to() == (good ? text.size() : verdict.first_bad) &&
            wsolo::text_of(bytes) == text && is_valid_utf8(bytes_of(text)) == (good && !verdict.open);
    ++(good && !verdict.open ? compared.valid : compared.faulty);
    if (!right) FAIL(text.size() << " bytes split at " << first << " and " << second << ", phase " << phase);
}

} // namespace

TEST_CASE("every split of short texts gives the same answer, masked or not", "[text][utf8]") {
    tally compared;
    for (const bad_text& row : bad_texts) {
        const std::string text = "\xC3\xA9" + std::string(row.bytes) + "behind";
        for (std::size_t first = 0; first <= text.size(); ++first) {
            for (std::size_t second = first; second <= text.size(); ++second) {
                for (std::uint64_t phase = 0; phase <= 4; ++phase)
                    check_split(compared, text, first, second, phase);
            }
        }
    }
    for (std::uint64_t seed = 0; seed < 60; ++seed) {
        const std::string text = support::utf8_text(static_cast<std::size_t>(seed), seed);
        for (std::size_t first = 0; first <= text.size(); ++first) {
            check_split(compared, text, first, (first + text.size()) / 2, seed % 5);
            check_split(compared, text.substr(0, first), first / 2, first, 4 - seed % 5);
        }
    }
    CHECK(compared.valid > 0);
    CHECK(compared.faulty > 0);
}

TEST_CASE("a bad byte anywhere in a long text is found at any split", "[text][utf8]") {
    tally compared;
    support::random_numbers numbers(7);
    for (int round = 0; round < 6000; ++round) {
        std::string text = support::utf8_text(1 + numbers.below(400), numbers.next());
        if (round % 4 != 0) text[numbers.below(text.size())] = static_cast<char>(numbers.next());
        if (round % 3 == 0) text.resize(text.size() - numbers.below(std::min<std::size_t>(text.size(), 4)));
        const std::size_t second = numbers.below(text.size() + 1);
        check_split(compared, text, numbers.below(second + 1), second, numbers.below(5));
    }
    CHECK(compared.valid + compared.faulty == 6000);
    CHECK(compared.valid > 0);
    CHECK(compared.faulty > 3000);
}

TEST_CASE("plain ASCII of every length passes, and is unmasked whole", "[text][utf8]") {
    tally compared;
    for (std::size_t size = 0; size <= 150; ++size) {
        std::string text(size, ' ');
        for (std::size_t i = 0; i < size; ++i) text[i] = static_cast<char>('!' + i % 90);
        for (std::uint64_t phase = 0; phase <= 4; ++phase) check_split(compared, text, 0, size, phase);
    }
    CHECK(compared.valid == std::size_t{151 * 5});
    CHECK(compared.faulty == 0);
}

TEST_CASE("a bad byte anywhere in a short text is found, masked or not", "[text][utf8]") {
    tally compared;
    for (std::size_t size = 1; size <= 70; ++size) {
        for (std::size_t at = 0; at < size; ++at) {
            std::string text(size, 'a');
            text[at] = '\xFF';
            for (std::uint64_t phase = 0; phase <= 4; ++phase) check_split(compared, text, 0, size, phase);
        }
    }
    CHECK(compared.valid == 0);
    CHECK(compared.faulty == std::size_t{70 * 71 / 2 * 5});
}

TEST_CASE("a lead byte before an unfinished code point is found at every length", "[text][utf8]") {
    tally compared;
    for (std::size_t size = 0; size <= 200; ++size) {
        for (const std::string_view end : {"\xE2\xE2\x82", "\xF0\x9F\xC3", "\xC3\xF0\x9F\x98", "\xC3\xC3"}) {
            for (std::uint64_t phase = 0; phase <= 4; ++phase) {
                check_split(compared, std::string(size, 'a').append(end), 0, size + end.size(), phase);
            }
        }
    }
    CHECK(compared.valid == 0);
    CHECK(compared.faulty == std::size_t{201 * 4 * 5});
}
