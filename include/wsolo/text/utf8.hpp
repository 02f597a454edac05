#pragma once
// Is it UTF-8? Text messages and Close reasons must be (RFC 6455 §5.5.1, §8.1; RFC 3629).
//
// Laws of this file:
// - Text is judged as it arrives, split anywhere, and fails on the first byte that no valid text could have.
// - Nothing is decoded, copied or allocated.

#include "utf8_scalar.hpp"

namespace wsolo::inline WSOLO_ABI {

/// Whether `bytes` as a whole are UTF-8. O(n).
[[nodiscard]] inline bool is_valid_utf8(const_bytes bytes) noexcept {
    detail::utf8_state state = detail::utf8_state::boundary;
    return detail::utf8_scan_scalar(bytes, state) == bytes.size() && state == detail::utf8_state::boundary;
}

/// Validates a text that arrives in parts. A few words of state, copyable, not thread-safe.
class utf8_validator {
public:
    /// The next part. False when the text so far cannot be the beginning of any UTF-8 text; from then on
    /// every call answers false until reset(). O(n).
    [[nodiscard]] bool write(const_bytes part) noexcept {
        if (failed()) return false;
        valid_ += detail::utf8_scan_scalar(part, state_);
        return !failed();
    }

    /// Whether the text so far is UTF-8 as it stands: not failed, and no code point is cut off at its end.
    [[nodiscard]] bool complete() const noexcept { return state_ == detail::utf8_state::boundary; }

    [[nodiscard]] bool failed() const noexcept { return state_ == detail::utf8_state::failed; }

    /// How many bytes were accepted since the start or the last reset(): all of them, or, after a failure,
    /// the index of the first bad byte.
    [[nodiscard]] std::uint64_t valid_up_to() const noexcept { return valid_; }

    /// Ready for another text.
    void reset() noexcept { *this = {}; }

private:
    std::uint64_t valid_ = 0;
    detail::utf8_state state_ = detail::utf8_state::boundary;
};

} // namespace wsolo::inline WSOLO_ABI
