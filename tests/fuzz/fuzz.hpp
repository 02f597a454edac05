#pragma once
// What the fuzzers share: the entry point, how an oracle speaks, and how an input chooses its own chunking.

#include <wsolo/core/bytes.hpp>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace fuzz {

inline void require(bool holds, const char* sentence) {
    if (holds) return;
    std::fprintf(stderr, "fuzz: %s\n", sentence);
    std::abort();
}

/// The sizes of the chunks, from two bytes of the input: bytewise, tiny, or mixed.
class chunking {
public:
    chunking(std::uint8_t largest, std::uint8_t seed) : largest_(largest + 1U), state_(seed) {}
    std::size_t next() {
        state_ = state_ * 1664525U + 1013904223U;
        return 1 + (state_ >> 16) % largest_;
    }

private:
    std::uint32_t largest_;
    std::uint32_t state_;
};

/// The bytes of an input, taken from its front; zero where there are none left.
class source {
public:
    source(const std::uint8_t* data, std::size_t size)
        : rest_(reinterpret_cast<const std::byte*>(data), size) {}

    std::uint8_t byte() {
        if (rest_.empty()) return 0;
        const auto value = std::to_integer<std::uint8_t>(rest_.front());
        rest_ = rest_.subspan(1);
        return value;
    }
    wsolo::const_bytes bytes(std::size_t count) {
        const wsolo::const_bytes taken = rest_.first(count < rest_.size() ? count : rest_.size());
        rest_ = rest_.subspan(taken.size());
        return taken;
    }
    wsolo::const_bytes rest() const { return rest_; }

private:
    wsolo::const_bytes rest_;
};

/// A copy in memory of exactly its size: its end is guarded by the sanitizer.
inline std::vector<std::byte> copy_of(wsolo::const_bytes bytes) { return {bytes.begin(), bytes.end()}; }

/// Calls `take(chunk)` with one copy after the other until the input or its patience ends.
template <class Take>
void in_chunks(wsolo::const_bytes input, chunking chunks, Take take) {
    while (!input.empty()) {
        const std::size_t wanted = chunks.next();
        auto chunk = copy_of(input.first(wanted < input.size() ? wanted : input.size()));
        input = input.subspan(chunk.size());
        if (!take(wsolo::mutable_bytes(chunk))) return;
    }
}

/// UTF-8 by the arithmetic of RFC 3629 §3, code point by code point; it shares nothing with the library.
struct utf8_verdict {
    std::size_t first_bad = std::string_view::npos; // the byte that no continuation can mend
    bool cut_off = false;                           // the end is inside a code point
};

inline utf8_verdict utf8_by_arithmetic(wsolo::const_bytes text) {
    static constexpr std::uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    for (std::size_t at = 0; at < text.size();) {
        const unsigned lead = std::to_integer<unsigned>(text[at]);
        const std::size_t length = lead < 0x80       ? 1
                                   : lead >> 5 == 6  ? 2
                                   : lead >> 4 == 14 ? 3
                                   : lead >> 3 == 30 ? 4
                                                     : 0;
        if (length == 0) return {at, false};
        std::uint32_t smallest = length == 1 ? lead : lead & (0x7fU >> length);
        std::uint32_t largest = smallest;
        for (std::size_t i = 0; i < length; ++i) {
            // All values that the bytes so far can still become.
            const std::size_t missing = 6 * (length - 1 - i);
            if (i > 0) {
                if (at + i == text.size()) return {std::string_view::npos, true};
                const unsigned next = std::to_integer<unsigned>(text[at + i]);
                if (next >> 6 != 2) return {at + i, false};
                smallest = largest = smallest << 6 | (next & 0x3fU);
            }
            const std::uint32_t from = smallest << missing;
            const std::uint32_t to = from | ((1U << missing) - 1);
            const bool surrogates = from >= 0xd800 && to <= 0xdfff;
            if (to < least[length] || from > 0x10ffff || surrogates) return {at + i, false};
        }
        at += length;
    }
    return {};
}

} // namespace fuzz
