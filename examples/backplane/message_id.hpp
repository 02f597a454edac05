#pragma once
// The number of a message in its room: Redis's own id of it, EPOCH-NUMBER.
//
// Laws of this file:
// - Numbers of one epoch are 1, 2, 3, ... without a hole. So the next one is known, and anything else is a gap.
// - An epoch is never used again. It ends when Redis may have forgotten what it numbered: a restart, a stream that was deleted.

#include <charconv>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

struct message_id {
    std::uint64_t epoch = 0; ///< milliseconds since 1970, by Redis's clock: when it began
    std::uint64_t number = 0;

    auto operator<=>(const message_id&) const = default;

    /// Whether nothing lies between this and `next`. A room in which nothing was said yet begins with any epoch's first message.
    [[nodiscard]] bool is_followed_by(const message_id& next) const noexcept {
        if (next.epoch == epoch) return next.number == number + 1;
        return number == 0 && next.epoch > epoch && next.number == 1;
    }
    [[nodiscard]] std::string text() const { return std::to_string(epoch) + '-' + std::to_string(number); }

    [[nodiscard]] static std::optional<message_id> parse(std::string_view text) noexcept {
        message_id id;
        const char* const end = text.data() + text.size();
        const auto first = std::from_chars(text.data(), end, id.epoch);
        if (first.ec != std::errc{} || first.ptr == end || *first.ptr != '-') return std::nullopt;
        const auto second = std::from_chars(first.ptr + 1, end, id.number);
        if (second.ec != std::errc{} || second.ptr != end) return std::nullopt;
        return id;
    }
};
