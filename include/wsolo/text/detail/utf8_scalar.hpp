// SPDX-License-Identifier: MIT
#pragma once
// UTF-8 one byte at a time: the automaton that every faster form in this room must agree with.
//
// Laws of this file:
// - The accepted language is RFC 3629 §4's grammar: no surrogates, nothing above U+10FFFF, only shortest
// forms.
// - The automaton fails on the first byte that no valid text could have there, not at the end of its
// sequence.

#include "../../core/bytes.hpp"

#include <cstring>

namespace wsolo::inline WSOLO_ABI::detail {

/// What may come next. `boundary` lies between code points; the rest wait for continuation bytes.
enum class utf8_state : std::uint8_t {
    boundary,
    one_more,
    two_more,
    three_more,
    after_e0, // the next byte must not make it shorter than it claims
    after_ed, // nor a surrogate
    after_f0,
    after_f4, // nor exceed U+10FFFF
    failed,
};

/// The range of the byte that a state waits for, and the state after it.
struct utf8_expectation {
    std::uint8_t low = 1; // empty range: nothing fits
    std::uint8_t high = 0;
    utf8_state next = utf8_state::failed;
};

inline constexpr utf8_expectation utf8_expectations[] = {
    {},
    {0x80, 0xBF, utf8_state::boundary},
    {0x80, 0xBF, utf8_state::one_more},
    {0x80, 0xBF, utf8_state::two_more},
    {0xA0, 0xBF, utf8_state::one_more},
    {0x80, 0x9F, utf8_state::one_more},
    {0x90, 0xBF, utf8_state::two_more},
    {0x80, 0x8F, utf8_state::two_more},
    {},
};

/// The state after a code point's first byte (RFC 3629 §4).
[[nodiscard]] constexpr utf8_state utf8_after_lead(std::uint8_t lead) noexcept {
    if (lead < 0x80) return utf8_state::boundary;
    if (lead < 0xC2) return utf8_state::failed; // a continuation byte, or an overlong two-byte form
    if (lead < 0xE0) return utf8_state::one_more;
    if (lead == 0xE0) return utf8_state::after_e0;
    if (lead == 0xED) return utf8_state::after_ed;
    if (lead < 0xF0) return utf8_state::two_more;
    if (lead == 0xF0) return utf8_state::after_f0;
    if (lead < 0xF4) return utf8_state::three_more;
    return lead == 0xF4 ? utf8_state::after_f4 : utf8_state::failed;
}

/// One step of the automaton. `failed` is final.
[[nodiscard]] constexpr utf8_state utf8_step(utf8_state state, std::byte byte) noexcept {
    const auto value = std::to_integer<std::uint8_t>(byte);
    if (state == utf8_state::boundary) return utf8_after_lead(value);
    const utf8_expectation& expected = utf8_expectations[static_cast<std::size_t>(state)];
    return value >= expected.low && value <= expected.high ? expected.next : utf8_state::failed;
}

/// How many bytes at the front of `bytes` are plain ASCII, rounded down to whole words of eight.
[[nodiscard]] inline std::size_t ascii_words(const_bytes bytes) noexcept {
    std::size_t done = 0;
    for (; bytes.size() - done >= 8; done += 8) {
        std::uint64_t word;
        std::memcpy(&word, bytes.data() + done, 8);
        if ((word & 0x8080808080808080u) != 0) break;
    }
    return done;
}

/// Runs the automaton over `bytes` from `state` and leaves the state after them there. Returns how many
/// bytes were accepted: all of them, or the index of the first bad one with `state` failed. O(n).
[[nodiscard]] inline std::size_t utf8_scan_scalar(const_bytes bytes, utf8_state& state) noexcept {
    utf8_state now = state;
    std::size_t at = 0;
    while (at < bytes.size()) {
        if (now == utf8_state::boundary) {
            at += ascii_words(bytes.subspan(at));
            if (at == bytes.size()) break;
        }
        now = utf8_step(now, bytes[at]);
        if (now == utf8_state::failed) break;
        ++at;
    }
    state = now;
    return at;
}

} // namespace wsolo::inline WSOLO_ABI::detail
