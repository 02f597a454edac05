// SPDX-License-Identifier: MIT
#pragma once
// Whether a data frame may come now and how long it may be (RFC 6455 §5.4, §10.4): the rules that depend on the
// frames before it.
//
// Laws of this file:
// - Judged from the header, by the byte that proves it and before any payload is kept.
// - Sums are judged as `need > limit - have`, which cannot wrap.

#include "../../core/limit.hpp"
#include "../../frame/header.hpp"
#include "../limits.hpp"

namespace wsolo::inline WSOLO_ABI::detail {

/// The message that the next data frame belongs to. 32 bytes.
class message_rules {
public:
    explicit message_rules(const read_bounds& bounds) noexcept
        : max_size_(bounds.max_message_size), max_fragments_(bounds.max_fragments) {}

    /// Up to this many bytes a message that nothing encoded is within the limits.
    [[nodiscard]] std::uint64_t max_size() const noexcept { return max_size_; }

    /// Whether a data frame with this first byte may come now (frame_decoder's Rules).
    [[nodiscard]] errc check_first(std::byte first) const noexcept {
        const bool continues = is_continuation(first);
        // §5.4: fragments of one message "MUST NOT be interleaved" with those of another.
        if (continues != open_)
            return continues ? errc::unexpected_continuation : errc::expected_continuation;
        return continues && fragments_ >= max_fragments_ ? errc::too_many_fragments : errc::none;
    }
    /// Whether the frame's payload may have `least` bytes.
    [[nodiscard]] errc check_size(std::byte first, std::uint64_t least) const noexcept {
        const bool continues = is_continuation(first);
        const std::uint64_t room = max_size_of(continues ? first_ : first) - (continues ? size_ : 0);
        return least > room ? errc::message_too_big : errc::none;
    }

    /// Takes the header of a data frame that passed both checks.
    void begin_frame(std::byte first, std::uint64_t payload_size) noexcept {
        const bool continues = is_continuation(first);
        if (!continues) first_ = first;
        size_ = (continues ? size_ : 0) + payload_size;
        fragments_ = (continues ? fragments_ : 0) + 1;
        open_ = true;
        final_ = (std::to_integer<unsigned>(first) & 0x80u) != 0;
    }

    /// The current data frame's payload has come to its end. True when it was the message's last.
    bool end_frame() noexcept {
        open_ = !final_;
        return final_;
    }

    /// Whether a message is under way.
    [[nodiscard]] bool open() const noexcept { return open_; }
    [[nodiscard]] bool is_text() const noexcept {
        return (std::to_integer<unsigned>(first_) & 0x0Fu) == static_cast<unsigned>(opcode::text);
    }
    /// The reserved bits of the message's first frame, where they stand in its first byte.
    [[nodiscard]] std::uint8_t rsv() const noexcept {
        return static_cast<std::uint8_t>(std::to_integer<unsigned>(first_) & 0x70u);
    }

private:
    [[nodiscard]] static bool is_continuation(std::byte first) noexcept {
        return (std::to_integer<unsigned>(first) & 0x0Fu) == static_cast<unsigned>(opcode::continuation);
    }

    /// The bound for a message that begins with this byte. An encoded message may be longer than the one it stands for.
    [[nodiscard]] std::uint64_t max_size_of(std::byte first) const noexcept {
        return (std::to_integer<unsigned>(first) & 0x70u) == 0 ? max_size_ : compressed_bound_of(max_size_);
    }

    std::uint64_t max_size_;
    std::uint64_t size_ = 0; // never above max_size_of(first_)
    std::uint32_t max_fragments_;
    std::uint32_t fragments_ = 0;
    std::byte first_{};
    bool open_ = false;
    bool final_ = false;
};

} // namespace wsolo::inline WSOLO_ABI::detail
