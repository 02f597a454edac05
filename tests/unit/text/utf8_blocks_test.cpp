// Would catch: a vector width that disagrees with the automaton anywhere (most likely across its own edge),
// one that reads or writes a byte too many (under ASan), and one that leaves a byte masked or unmasks it
// twice.

#include <support/catch.hpp>
#include <support/utf8_texts.hpp>

#include <wsolo/text/detail/utf8_blocks.hpp>

#include <algorithm>
#include <memory>

using namespace wsolo::detail;
using namespace support;

namespace {

struct kernel {
    const char* name;
    bool usable;
    bool (*judge)(const std::byte*, std::size_t);
    bool (*unmask)(std::byte*, std::size_t, std::uint32_t);
};

template <class Width>
kernel kernel_of(const char* name, bool usable) {
    return {name, usable, [](const std::byte* at, std::size_t size) { return Width::run(at, size, 0); },
            [](std::byte* at, std::size_t size, std::uint32_t key) { return Width::run(at, size, key); }};
}

/// The choice between the widths, once it is made.
template <vector_unit Unit>
struct chosen {
    template <class Byte>
    static bool run(Byte* at, std::size_t size, std::uint32_t key) {
        return utf8_faultless_by(Unit, at, size, key);
    }
};

const kernel kernels[] = {
    kernel_of<utf8_plain>("plain", true),
#if WSOLO_X86_KERNELS
    kernel_of<utf8_vector16>("ssse3", usable_vector_unit() >= vector_unit::ssse3),
    kernel_of<utf8_avx2>("avx2", usable_vector_unit() >= vector_unit::avx2),
    kernel_of<utf8_avx512>("avx512", usable_vector_unit() >= vector_unit::avx512),
    kernel_of<chosen<vector_unit::ssse3>>("chosen ssse3", usable_vector_unit() >= vector_unit::ssse3),
    kernel_of<chosen<vector_unit::avx2>>("chosen avx2", usable_vector_unit() >= vector_unit::avx2),
    kernel_of<chosen<vector_unit::avx512>>("chosen avx512", usable_vector_unit() >= vector_unit::avx512),
#elif WSOLO_UTF8_NEON
    kernel_of<utf8_vector16>("neon", true),
#endif
    kernel_of<chosen<vector_unit::baseline>>("chosen baseline", true),
};

std::size_t judged = 0; ///< texts

/// Every usable width against the automaton, on a copy of exactly the text's size.
void check_all(std::string_view text) {
    const auto copy = std::make_unique<std::byte[]>(text.size());
    std::memcpy(copy.get(), text.data(), text.size());
    const utf8_verdict verdict = utf8_judged(text);
    if (utf8_unfinished(wsolo::bytes_of(text)) != 0) return; // the caller's to judge
    ++judged;
    for (const kernel& width : kernels) {
        if (!width.usable) continue;
        const bool faultless = width.judge(copy.get(), text.size());
        const bool right = faultless == (verdict.first_bad == std::string_view::npos);
        if (!right && !verdict.open)
            FAIL(width.name << ", " << text.size() << " bytes: " << verdict.first_bad);
    }
}

// The edges of every range in RFC 3629 §4.
const unsigned char edges[] = {0x00, 0x41, 0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF, 0xC0, 0xC1, 0xC2, 0xDF,
                               0xE0, 0xE1, 0xEC, 0xED, 0xEE, 0xEF, 0xF0, 0xF1, 0xF3, 0xF4, 0xF5, 0xFF};

} // namespace

TEST_CASE("every width accepts valid text of every length", "[text][utf8]") {
    judged = 0;
    for (std::size_t size = 0; size <= 400; ++size) {
        check_all(utf8_text(size, size));
        check_all(std::string(size, 'a'));
    }
    CHECK(judged == 401 * 2);
}

TEST_CASE("every width finds every sequence of edge bytes that is wrong", "[text][utf8]") {
    judged = 0;
    for (const std::size_t at : {0u, 13u, 14u, 15u, 29u, 30u, 31u, 61u, 62u, 63u, 100u}) {
        std::string text(130, 'x');
        for (const unsigned char a : edges) {
            for (const unsigned char b : edges) {
                for (const unsigned char c : edges) {
                    text[at] = static_cast<char>(a);
                    text[at + 1] = static_cast<char>(b);
                    text[at + 2] = static_cast<char>(c);
                    check_all(text);
                }
            }
        }
    }
    std::string four(66, 'x');
    for (std::size_t i = 0; i < 25 * 25 * 25 * 25; ++i) {
        for (std::size_t j = 0, rest = i; j < 4; ++j, rest /= 25)
            four[61 + j] = static_cast<char>(edges[rest % 25]);
        check_all(four);
    }
    CHECK(judged == 11 * 25 * 25 * 25 + 25 * 25 * 25 * 25);
}

TEST_CASE("every width finds one bad byte anywhere in real text", "[text][utf8]") {
    judged = 0;
    for (std::uint64_t seed = 1; seed <= 40; ++seed) {
        const std::string text = utf8_text(static_cast<std::size_t>(90 + seed * 5), seed);
        random_numbers numbers(seed);
        for (std::size_t at = 0; at < text.size(); ++at) {
            std::string bad = text;
            bad[at] = static_cast<char>(edges[numbers.below(std::size(edges))]);
            check_all(bad);
            check_all(text.substr(at));
            check_all(text.substr(0, at));
        }
    }
    CHECK(judged > 40 * 3 * 90);
}

TEST_CASE("every width finds a fault alone among ASCII, wherever it is", "[text][utf8]") {
    judged = 0;
    std::size_t texts = 0;
    for (std::size_t size = 16; size <= 200; ++size) {
        for (std::size_t at = 0; at + 3 <= size; ++at) {
            for (const std::string_view piece : {"\xC3\xA9", "\xC3", "\xA9", "\xE6\x97"}) {
                check_all(std::string(size, 'a').replace(at, piece.size(), piece));
                ++texts;
            }
        }
    }
    CHECK(judged == texts);
}

TEST_CASE("unmasking on the way equals the byte loop, whatever the verdict", "[text][utf8]") {
    const wsolo::masking_key key{{std::byte{0x37}, std::byte{0xFA}, std::byte{0x21}, std::byte{0x3D}}};
    std::size_t right = 0, accepted = 0;
    for (std::size_t size = 0; size <= 300; ++size) {
        std::string text = utf8_text(size, size + 1000);
        if (size % 3 == 2) text[size / 3] = '\xFF';
        const bool valid = utf8_judged(text).first_bad == std::string_view::npos;
        for (std::uint64_t phase = 0; phase < 4; ++phase) {
            for (const kernel& width : kernels) {
                if (!width.usable) continue;
                const auto bytes = std::make_unique<std::byte[]>(size);
                for (std::size_t i = 0; i < size; ++i) {
                    bytes[i] = static_cast<std::byte>(text[i]) ^ key.bytes[(i + phase) & 3];
                }
                const bool faultless = width.unmask(bytes.get(), size, key_word(key, phase));
                if (faultless != valid || std::memcmp(bytes.get(), text.data(), size) != 0) {
                    FAIL(width.name << ", " << size << " bytes, phase " << phase);
                }
                ++right;
                accepted += faultless ? 1 : 0;
            }
        }
    }
    const auto usable = static_cast<std::size_t>(
        std::ranges::count_if(kernels, [](const kernel& width) { return width.usable; }));
    CHECK(right == 301 * 4 * usable);
    CHECK(accepted == 201 * 4 * usable); // every third text has a fault
}

TEST_CASE("the quick answer for short texts is right, and changes nothing when it is no", "[text][utf8]") {
    const wsolo::masking_key key{{std::byte{0x37}, std::byte{0xFA}, std::byte{0x21}, std::byte{0x3D}}};
    std::size_t known_at_once = 0, left_to_others = 0;
    const auto check = [&](vector_unit unit, const std::string& text) {
        const utf8_verdict verdict = utf8_judged(text);
        const bool valid = verdict.first_bad == std::string_view::npos && !verdict.open;
        const auto clear = std::make_unique<std::byte[]>(text.size());
        std::memcpy(clear.get(), text.data(), text.size());
        const std::byte* const looked_at = clear.get();
        const bool known = utf8_take_short(unit, looked_at, text.size(), 0);
        const bool answers = WSOLO_UTF8_NEON || unit >= vector_unit::ssse3;
        if (known != (valid && answers && text.size() >= 4 && text.size() <= 31)) {
            FAIL(text.size() << " bytes, clear: " << verdict.first_bad);
        }
        ++(known ? known_at_once : left_to_others);
        for (std::uint64_t phase = 0; phase < 4; ++phase) {
            const auto bytes = std::make_unique<std::byte[]>(text.size());
            for (std::size_t i = 0; i < text.size(); ++i) bytes[i] = clear[i] ^ key.bytes[(i + phase) & 3];
            const std::string before(reinterpret_cast<char*>(bytes.get()), text.size());
            const bool taken = utf8_take_short(unit, bytes.get(), text.size(), key_word(key, phase));
            const std::string& wanted = taken ? text : before;
            if (taken != known || std::memcmp(bytes.get(), wanted.data(), text.size()) != 0) {
                FAIL(text.size() << " bytes, phase " << phase);
            }
        }
    };
    for (const vector_unit unit : {vector_unit::baseline, usable_vector_unit()}) {
        for (std::size_t size = 0; size <= 40; ++size) {
            for (std::uint64_t seed = 0; seed < 20; ++seed) {
                const std::string text = utf8_text(size, seed);
                check(unit, text);
                for (std::size_t at = 0; at < size; ++at) {
                    std::string bad = text;
                    bad[at] = static_cast<char>(edges[(seed + at * 7) % std::size(edges)]);
                    check(unit, bad);
                    check(unit, text.substr(at));
                    check(unit, text.substr(0, at));
                }
            }
        }
    }
    CHECK(left_to_others > 10'000);
    const bool answers = WSOLO_UTF8_NEON || usable_vector_unit() >= vector_unit::ssse3;
    CHECK((known_at_once > 10'000) == answers);
}

TEST_CASE("what is unfinished at the end is counted", "[text][utf8]") {
    const auto unfinished = [](std::string_view text) { return utf8_unfinished(wsolo::bytes_of(text)); };
    CHECK(unfinished("") == 0);
    CHECK(unfinished("abc") == 0);
    CHECK(unfinished("a\xC3") == 1);
    CHECK(unfinished("a\xC3\xA9") == 0);
    CHECK(unfinished("\xE2") == 1);
    CHECK(unfinished("\xE2\x82") == 2);
    CHECK(unfinished("\xE2\x82\xAC") == 0);
    CHECK(unfinished("\xF0\x9F\x98") == 3);
    CHECK(unfinished("\xF0\x9F\x98\x80") == 0);
    CHECK(unfinished("\x80\x80\x80\x80") == 0);
}
