// SPDX-License-Identifier: MIT
#pragma once
// What an endpoint has received, counted.
//
// Laws of this file:
// - Every message has a number in the barrier: those that are no text are binary.
// - Bytes are those of payloads, as a handler sees them: of a compressed message after it was inflated.
// - Control frames are counted modulo 2^32, because there are very many endpoints.

#include "../options.hpp"

namespace wsolo::inline WSOLO_ABI::detail {

struct received_counts {
    std::uint64_t texts = 0, bytes = 0;
    std::uint32_t pings = 0, pongs = 0;

    constexpr void add(bool is_text, std::uint64_t size) noexcept {
        texts += is_text ? 1U : 0U;
        bytes += size;
    }
    [[nodiscard]] constexpr endpoint_counters with(std::uint64_t messages,
                                                   std::uint64_t sends_refused) const noexcept {
        return {texts, messages - texts, bytes, pings, pongs, sends_refused};
    }
};

} // namespace wsolo::inline WSOLO_ABI::detail
