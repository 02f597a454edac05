// SPDX-License-Identifier: MIT
#pragma once
// What a reader keeps of what came in parts: a message so far, and after it, from a mark on, a control frame so far.
//
// Laws of this file:
// - Without memory it is a null pointer, because an idle reader keeps nothing: how many bytes there are, and where the mark is,
//   stands before the bytes.
// - Capacity follows bytes that arrived, and grows by doubling. A failed growth leaves the contents as they were.

#include "../../core/bytes.hpp"
#include "../../core/detail/exchange.hpp"

#include <cstdlib>
#include <utility>

namespace wsolo::inline WSOLO_ABI::detail {

/// Not thread-safe; movable. Nothing here throws.
class kept_bytes {
public:
    kept_bytes() = default;
    kept_bytes(kept_bytes&& other) noexcept : head_(detail::exchange(other.head_, nullptr)) {}
    kept_bytes& operator=(kept_bytes&& other) noexcept {
        std::swap(head_, other.head_);
        return *this;
    }
    ~kept_bytes() {
        if (head_ != nullptr) std::free(head_); // most have none: not even the call
    }

    [[nodiscard]] std::size_t size() const noexcept { return head_ == nullptr ? 0 : head_->size; }
    [[nodiscard]] bool empty() const noexcept { return size() == 0; }
    /// The contents. Valid until the next call that is not const.
    [[nodiscard]] const_bytes view() const noexcept {
        return head_ == nullptr ? const_bytes() : const_bytes(bytes(), head_->size);
    }

    /// 0 until it is set. Setting it to 0 needs no memory; otherwise there are bytes.
    [[nodiscard]] std::size_t mark() const noexcept { return head_ == nullptr ? 0 : head_->mark; }
    void set_mark(std::size_t at) noexcept {
        if (head_ != nullptr) head_->mark = at;
    }

    /// Lengthens by `count` bytes of unspecified value and returns where they start; nullptr when there is no memory.
    [[nodiscard]] std::byte* extend(std::size_t count) noexcept {
        if (!reserve_more(count)) return nullptr;
        std::byte* const tail = bytes() + head_->size;
        head_->size += count;
        return tail;
    }
    /// Makes room for `count` more bytes. False when there is no memory.
    [[nodiscard]] bool reserve_more(std::size_t count) noexcept {
        return head_ != nullptr && count <= head_->capacity - head_->size ? true : grow(count);
    }
    /// Precondition: `size` is not above size(). Keeps the memory.
    void truncate(std::size_t size) noexcept {
        WSOLO_ASSERT(size <= this->size(), "kept_bytes::truncate can only shorten");
        if (head_ != nullptr) head_->size = size;
    }
    void release() noexcept { std::free(detail::exchange(head_, nullptr)); }

private:
    struct head {
        std::size_t size;
        std::size_t capacity;
        std::size_t mark;
    };
    static constexpr std::size_t most = static_cast<std::size_t>(-1) / 2 - sizeof(head);
    static constexpr std::size_t least = 64;

    [[nodiscard]] std::byte* bytes() const noexcept { return reinterpret_cast<std::byte*>(head_ + 1); }

    bool grow(std::size_t count) noexcept {
        const std::size_t size = this->size();
        if (count > most - size) return false;
        const std::size_t before = head_ == nullptr ? 0 : head_->capacity;
        std::size_t wanted = before > most / 2 ? most : before * 2;
        if (wanted < size + count) wanted = size + count;
        if (wanted < least) wanted = least;
        return make(wanted) || make(size + count);
    }
    /// With this capacity.
    bool make(std::size_t capacity) noexcept {
        const bool is_first = head_ == nullptr;
        void* const made = std::realloc(head_, sizeof(head) + capacity);
        if (made == nullptr) return false;
        head_ = static_cast<head*>(made);
        if (is_first) *head_ = {};
        head_->capacity = capacity;
        return true;
    }

    head* head_ = nullptr;
};

} // namespace wsolo::inline WSOLO_ABI::detail
