// SPDX-License-Identifier: MIT
#pragma once
// Is it UTF-8? Text messages and Close reasons must be (RFC 6455 §5.5.1, §8.1; RFC 3629).
//
// Laws of this file:
// - Text is judged as it arrives, split anywhere, and a failure names the first byte that no valid text could
// have.
// - Nothing is decoded, copied or allocated. The widest vector unit of the processor does the work
// (core/cpu.hpp).
// - A masked payload is unmasked and judged in one pass, and left unmasked whatever the answer is.
// - What needs the vector code is a template (of `int = 0`), so that the sources that call it instantiate that code, and not all
//   that include it.

#include "../core/random.hpp"
#include "detail/utf8_blocks.hpp"
#include "detail/utf8_short.hpp"

namespace wsolo::inline WSOLO_ABI {

/// Whether `bytes` as a whole are UTF-8. O(n).
template <int = 0>
[[nodiscard]] bool is_valid_utf8(const_bytes bytes) noexcept {
    if (bytes.size() <= detail::utf8_short_size) {
        if (detail::clear_ascii_short(bytes.data(), bytes.size(), 0)) return true;
        if (detail::utf8_take_short(detail::usable_vector_unit(), bytes.data(), bytes.size(), 0)) return true;
    }
    return detail::utf8_unfinished(bytes) == 0 && detail::utf8_faultless(bytes.data(), bytes.size());
}

/// Validates a text that arrives in parts. Two words of state, copyable, not thread-safe.
class utf8_validator {
public:
    /// The next part. False when the text so far cannot be the beginning of any UTF-8 text; from then on
    /// every call answers false until reset(). O(n).
    template <int = 0>
    [[nodiscard]] bool write(const_bytes part) noexcept {
        if (takes_short(part, 0)) return true;
        return judge(part, 0);
    }

    /// The next part, still masked: it is XORed in place with `key` and judged in the same pass. `offset` is
    /// how many bytes of the frame's payload came before (RFC 6455 §5.3). All of `part` is unmasked even
    /// after a failure. O(n).
    template <int = 0>
    [[nodiscard]] bool write_masked(mutable_bytes part, masking_key key, std::uint64_t offset = 0) noexcept {
        const std::uint32_t word = detail::key_word(key, offset);
        if (takes_short(part, word)) return true;
        return judge(part, word);
    }

    /// Whether the text so far is UTF-8 as it stands: not failed, and no code point is cut off at its end.
    [[nodiscard]] bool complete() const noexcept { return at_boundary(); }

    /// Whether the text so far can't become UTF-8 any more.
    [[nodiscard]] bool failed() const noexcept { return state_ == detail::utf8_state::failed; }

    /// How many bytes were accepted since the start or the last reset(): all of them, or, after a failure,
    /// the index of the first bad byte.
    [[nodiscard]] std::uint64_t valid_up_to() const noexcept { return valid_; }

    /// Ready for another text.
    void reset() noexcept { *this = {}; }

private:
    [[nodiscard]] bool at_boundary() const noexcept { return state_ == detail::utf8_state::boundary; }

    bool step(std::byte byte) noexcept {
        state_ = detail::utf8_step(state_, byte);
        if (failed()) return false;
        ++valid_;
        return true;
    }

    /// Short ASCII that begins between code points, which is the usual part. False leaves all as it was.
    template <class Byte>
    bool takes_short(std::span<Byte> part, std::uint32_t word) noexcept {
        if (!at_boundary() || part.size() > detail::utf8_short_size) return false;
        if (!detail::clear_ascii_short(part.data(), part.size(), word)) return false;
        valid_ += part.size();
        return true;
    }

    /// The part, XORed with `word` (a key in memory order) first unless it is const.
    template <class Byte>
    [[gnu::noinline]] bool judge(std::span<Byte> part, std::uint32_t word) noexcept {
        if (part.size() <= detail::utf8_short_size && at_boundary() &&
            detail::utf8_take_short(detail::usable_vector_unit(), part.data(), part.size(), word)) {
            valid_ += part.size();
            return true;
        }
        while (!part.empty() &&
               !at_boundary()) { // what completes the code point that the last part left open
            unmask(part.first(1), word);
            word = detail::advance(word, 1);
            const bool fits = step(part.front());
            part = part.subspan(1);
            if (fits) continue;
            unmask(part, word);
            return false;
        }
        if (part.empty()) return !failed();
        // What is still open at the end is left to the automaton, which remembers it.
        const std::size_t open = unfinished(part, word);
        const std::size_t whole = part.size() - open;
        const std::span<Byte> front = part.first(whole);
        if (open > 0) unmask(part.subspan(whole), detail::advance(word, whole));
        const bool faultless = detail::utf8_faultless(front.data(), whole, word);
        if (!faultless || (open > 0 && detail::utf8_unfinished(front) != 0)) {
            valid_ += detail::utf8_scan_scalar(part, state_); // finds the byte
            return false;
        }
        valid_ += whole;
        for (const std::byte byte : part.subspan(whole)) {
            if (!step(byte)) return false;
        }
        return true;
    }

    template <class Byte>
    static void unmask(std::span<Byte> bytes, std::uint32_t word) noexcept {
        if constexpr (!std::is_const_v<Byte>) {
            detail::xor_narrow(bytes.data(), bytes.data(), bytes.size(), word);
        }
    }

    /// utf8_unfinished of what the part will be once it is unmasked.
    template <class Byte>
    static std::size_t unfinished(std::span<Byte> part, std::uint32_t word) noexcept {
        if constexpr (std::is_const_v<Byte>) {
            return detail::utf8_unfinished(part);
        } else {
            std::byte last[3];
            const std::size_t count = part.size() < 3 ? part.size() : 3;
            std::uint32_t turned = detail::advance(word, part.size() - count);
            for (std::size_t i = 0; i < count; ++i, turned = detail::advance(turned, 1)) {
                last[i] = part[part.size() - count + i] ^ detail::first_byte(turned);
            }
            return detail::utf8_unfinished({last, count});
        }
    }

    std::uint64_t valid_ = 0;
    detail::utf8_state state_ = detail::utf8_state::boundary;
};

} // namespace wsolo::inline WSOLO_ABI
