// SPDX-License-Identifier: MIT
#pragma once
// Input that an endpoint received while it was held back, until it reads on.
//
// Laws of this file:
// - Each byte is copied in once, and moved at most once for each that was read: a pause after every message costs no more.
// - Its memory is freed when its last byte was read. While there is none it is a null pointer.

#include "../../core/byte_buffer.hpp"
#include "../../core/detail/owned.hpp"

#include <new>

namespace wsolo::inline WSOLO_ABI::detail {

class kept_input {
public:
    [[nodiscard]] std::size_t size() const noexcept { return kept_ ? kept_->bytes.size() - kept_->at : 0; }
    [[nodiscard]] bool empty() const noexcept { return size() == 0; }
    /// What was not read. Valid until the next call that changes it.
    [[nodiscard]] mutable_bytes view() noexcept {
        return kept_ ? kept_->bytes.view().subspan(kept_->at) : mutable_bytes();
    }

    /// False when there is no memory; nothing changed.
    [[nodiscard]] bool append(const_bytes more) noexcept {
        if (!kept_) kept_.reset(new (std::nothrow) kept);
        if (!kept_) return false;
        if (kept_->at > kept_->bytes.size() / 2) {
            byte_buffer fresh;
            if (!fresh.append(view())) return false;
            kept_->bytes = std::move(fresh);
            kept_->at = 0;
        }
        return kept_->bytes.append(more);
    }
    /// All but the last `left` bytes were read.
    void keep_last(std::size_t left) noexcept {
        if (left == 0) return release();
        kept_->at = kept_->bytes.size() - left;
    }
    void release() noexcept { kept_.reset(); }

private:
    struct kept {
        byte_buffer bytes;
        std::size_t at = 0; ///< the first byte that was not read
    };

    owned<kept> kept_;
};

} // namespace wsolo::inline WSOLO_ABI::detail
