#pragma once
// Texts for the UTF-8 tests, and the plain automaton's verdict on them.

#include <wsolo/text/detail/utf8_scalar.hpp>

#include <cstdint>
#include <string>
#include <string_view>

namespace support {

/// xorshift64*: seeded, the same on every platform.
class random_numbers {
public:
    explicit random_numbers(std::uint64_t seed) : state_(seed * 0x9E3779B97F4A7C15u + 1) {}
    std::uint64_t next() {
        state_ ^= state_ >> 12;
        state_ ^= state_ << 25;
        state_ ^= state_ >> 27;
        return state_ * 0x2545F4914F6CDD1Du;
    }
    /// 0 to bound - 1.
    std::size_t below(std::size_t bound) { return static_cast<std::size_t>((next() >> 33) % bound); }

private:
    std::uint64_t state_;
};

/// Valid UTF-8 of exactly `size` bytes: runs of ASCII and of one, two, three and four byte forms.
inline std::string utf8_text(std::size_t size, std::uint64_t seed) {
    static constexpr std::string_view pieces[] = {
        "plain ",           "\xC2\x80",         "\xDF\xBF",        "\xCE\xBA\xCF\x83",
        "\xE0\xA0\x80",     "\xED\x9F\xBF",     "\xEE\x80\x80",    "\xE6\x97\xA5\xE6\x9C\xAC",
        "\xF0\x90\x80\x80", "\xF0\x9F\x98\x80", "\xF4\x8F\xBF\xBF"};
    random_numbers numbers(seed);
    std::string text;
    while (text.size() < size) {
        const std::string_view piece = pieces[numbers.below(std::size(pieces))];
        const std::size_t left = size - text.size();
        text += piece.size() <= left ? piece : std::string_view("....").substr(0, left < 4 ? left : 4);
    }
    return text;
}

/// Where the automaton finds the first bad byte, or npos; `open` tells whether the end cuts a code point.
struct utf8_verdict {
    std::size_t first_bad = std::string_view::npos;
    bool open = false;
};

inline utf8_verdict utf8_judged(std::string_view text) {
    using wsolo::detail::utf8_state;
    auto state = utf8_state::boundary;
    for (std::size_t i = 0; i < text.size(); ++i) {
        state = wsolo::detail::utf8_step(state, static_cast<std::byte>(text[i]));
        if (state == utf8_state::failed) return {i, false};
    }
    return {std::string_view::npos, state != utf8_state::boundary};
}

} // namespace support
