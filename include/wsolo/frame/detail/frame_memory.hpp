// SPDX-License-Identifier: MIT
#pragma once
// A frame whose payload is made where it stays: its length is known afterwards, and so is its header's.
//
// Laws of this file:
// - One block of malloc's, which the caller frees: room for what the caller keeps before the frame, then the frame, and nothing
//   after it once it is made.
// - The payload is copied where its header turns out to be shorter than the longest that it might have had, and nowhere else.

#include "../../core/byte_buffer.hpp"
#include "../header.hpp"
#include "../mask.hpp"

namespace wsolo::inline WSOLO_ABI::detail {

/// What came of it. memory: nullptr where there is none; then is_lost says that a payload was made in vain.
struct frame_memory {
    void* memory = nullptr;
    std::size_t size = 0;  ///< of the frame
    bool is_short = false; ///< there was no memory
    bool is_lost = false;
};

/// `make(mutable_bytes)` writes the payload and says how long it is, at most `most` bytes; 0: there is none. It is given `spare` bytes
/// more than that to work in. `header`: all but the length, with the key that masks. O(most).
template <class Make>
[[nodiscard]] frame_memory make_frame_memory(std::size_t before, frame_header header, std::size_t most,
                                             std::size_t spare, Make make) noexcept {
    const std::size_t guess = header_size(most, header.masked);
    auto* const block = static_cast<std::byte*>(std::malloc(before + guess + most + spare));
    if (block == nullptr) return {.is_short = true};
    std::byte* const frame = block + before;
    const std::size_t size = make(mutable_bytes(frame + guess, most + spare));
    if (size == 0 || size > most) {
        std::free(block);
        return {.is_lost = size != 0};
    }
    header.payload_size = size;
    const std::size_t head = header_size(size, header.masked);
    if (head != guess) std::memmove(frame + head, frame + guess, size);
    write_header(header, frame);
    if (header.masked) apply_mask(mutable_bytes(frame + head, size), header.key);
    void* const whole = std::realloc(block, before + head + size);
    if (whole != nullptr) return {.memory = whole, .size = head + size};
    std::free(block); // larger than what it is counted as
    return {.is_short = true, .is_lost = true};
}

} // namespace wsolo::inline WSOLO_ABI::detail
