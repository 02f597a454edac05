// SPDX-License-Identifier: MIT
#pragma once
// What a peer may make a reader take, and how messages are handed over.

#include "../core/limit.hpp"
#include "../core/time.hpp"

#include <cstdint>

namespace wsolo::inline WSOLO_ABI {

/// messages: one event per message, whole. fragments: one event per piece as it arrives, nothing assembled
/// and nothing allocated.
enum class delivery : std::uint8_t { messages, fragments };

/// The bounds of one connection's input. Each is judged before the bytes that it bounds are kept: sizes by
/// the frame's header (RFC 6455 §10.4). A zero means "none": no limit.
struct read_limits {
    /// Longest payload of a data frame, in bytes as they come, compressed or not: errc::frame_too_big. Without it the message's bound holds for each frame.
    std::uint64_t max_frame_size = 0;
    /// Longest message, in bytes, over all its frames: errc::message_too_big. Judged in both deliveries. A message with
    /// a reserved bit may have compressed_bound_of() this many bytes: the extension bounds what they are decoded to.
    std::uint64_t max_message_size = default_max_message;
    /// Most frames of one message, the empty ones included: errc::too_many_fragments. The default is no
    /// limit: a fragment costs time to read and no memory, and a writer's fragmented_message may have any number.
    std::uint32_t max_fragments = 0;
    /// How long a message, or a frame, may be under way: errc::message_timeout, after that time and up to a quarter more.
    /// Only a reader whose tick() is called holds to it. (Above 49 days there is no limit.)
    std::chrono::milliseconds max_message_age{0};
    delivery deliver = delivery::messages;
    /// Reserved bits that a negotiated extension gives a meaning on a message's first frame (rsv1_bit ...,
    /// frame/header.hpp). A text message with one of them set is not validated here: what it carries is the
    /// extension's to decode.
    std::uint8_t allowed_rsv = 0;
};

namespace detail {

/// Limits as a reader holds to them: each is a bound that everything can be compared with.
struct read_bounds {
    explicit constexpr read_bounds(const read_limits& limits) noexcept
        : max_frame_size(bound_of(limits.max_frame_size)),
          max_message_size(bound_of(limits.max_message_size)),
          max_fragments(bound_of(limits.max_fragments)),
          max_age(limits.max_message_age),
          allowed_rsv(limits.allowed_rsv),
          by_fragments(limits.deliver == delivery::fragments) {}

    [[nodiscard]] bool operator==(const read_bounds&) const = default;

    std::uint64_t max_frame_size;
    std::uint64_t max_message_size;
    std::uint32_t max_fragments;
    short_duration max_age;
    std::uint8_t allowed_rsv;
    bool by_fragments;
};

} // namespace detail

} // namespace wsolo::inline WSOLO_ABI
