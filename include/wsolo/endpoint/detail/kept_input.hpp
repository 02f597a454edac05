// SPDX-License-Identifier: MIT
#pragma once
// Input that an endpoint received while it was held back, until it reads on.
//
// Laws of this file:
// - Each byte is copied in once, and moved at most once for each that was read: a pause after every message costs no more.
// - Its memory is freed when its last byte was read.

#include "../../core/byte_buffer.hpp"

#include <utility>

namespace wsolo::inline WSOLO_ABI::detail {

class kept_input {
public:
    [[nodiscard]] std::size_t size() const noexcept { return bytes_.size() - at_; }
    [[nodiscard]] bool empty() const noexcept { return size() == 0; }
    /// What was not read. Valid until the next call that changes it.
    [[nodiscard]] mutable_bytes view() noexcept { return bytes_.view().subspan(at_); }

    /// False when there is no memory; nothing changed.
    [[nodiscard]] bool append(const_bytes more) noexcept {
        if (at_ > bytes_.size() / 2) {
            byte_buffer fresh;
            if (!fresh.append(view())) return false;
            bytes_ = std::move(fresh);
            at_ = 0;
        }
        return bytes_.append(more);
    }
    /// All but the last `left` bytes were read.
    void keep_last(std::size_t left) noexcept {
        if (left == 0) return release();
        at_ = bytes_.size() - left;
    }
    void release() noexcept {
        bytes_.release();
        at_ = 0;
    }

private:
    byte_buffer bytes_;
    std::size_t at_ = 0; ///< the first byte that was not read
};

} // namespace wsolo::inline WSOLO_ABI::detail
