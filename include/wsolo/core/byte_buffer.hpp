// SPDX-License-Identifier: MIT
#pragma once
// A growable array of bytes that does not zero what it is about to overwrite, and answers "no memory" by a
// bool.
//
// Laws of this file:
// - Capacity follows bytes that arrived or are being written now, never a length that a peer announced.
// - Growth is geometric, so appending n bytes costs O(n) in all; a failed growth leaves the contents as they
// were.

#include "bytes.hpp"
#include "detail/exchange.hpp"

#include <cstring>
#include <utility>

namespace wsolo::inline WSOLO_ABI {

namespace detail {
struct byte_buffer_access;
}

/// Owns its bytes; movable, not copyable. Not thread-safe. Nothing here throws.
class byte_buffer {
public:
    byte_buffer() = default;
    byte_buffer(const byte_buffer&) = delete;
    byte_buffer& operator=(const byte_buffer&) = delete;
    byte_buffer(byte_buffer&& other) noexcept
        : data_(detail::exchange(other.data_, nullptr)),
          size_(detail::exchange(other.size_, {})),
          capacity_(detail::exchange(other.capacity_, {})) {}
    byte_buffer& operator=(byte_buffer&& other) noexcept {
        byte_buffer taken(std::move(other));
        swap(taken);
        return *this;
    }
    ~byte_buffer() { std::free(data_); }

    void swap(byte_buffer& other) noexcept {
        std::swap(data_, other.data_);
        std::swap(size_, other.size_);
        std::swap(capacity_, other.capacity_);
    }

    /// The bytes, how many there are, and how many fit before the buffer allocates. A pointer is valid until the buffer
    /// grows, shrinks, is moved from or is destroyed.
    [[nodiscard]] std::byte* data() noexcept { return data_; }
    [[nodiscard]] const std::byte* data() const noexcept { return data_; }
    [[nodiscard]] std::size_t size() const noexcept { return size_; }
    [[nodiscard]] std::size_t capacity() const noexcept { return capacity_; }
    [[nodiscard]] bool empty() const noexcept { return size_ == 0; }
    /// The contents. Valid until the next non-const call.
    [[nodiscard]] const_bytes view() const noexcept { return {data_, size_}; }
    [[nodiscard]] mutable_bytes view() noexcept { return {data_, size_}; }

    /// Returns the memory above size() to the heap. If the allocator refuses, the buffer stays as it is.
    void shrink() noexcept {
        if (size_ == 0 || size_ == capacity_) return;
        void* smaller = std::realloc(data_, size_);
        if (smaller == nullptr) return;
        data_ = static_cast<std::byte*>(smaller);
        capacity_ = size_;
    }

    /// Makes room for `capacity` bytes in all. False when there is no memory; the contents stay. O(size) when the
    /// buffer grows.
    [[nodiscard]] bool reserve(std::size_t capacity) noexcept {
        if (capacity <= capacity_) return true;
        if (capacity > max_size) return false;
        void* grown = std::realloc(data_, capacity);
        if (grown == nullptr) return false;
        data_ = static_cast<std::byte*>(grown);
        capacity_ = capacity;
        return true;
    }

    /// Lengthens by `count` bytes of unspecified value and returns where they start; nullptr when there is no
    /// memory.
    [[nodiscard]] std::byte* extend(std::size_t count) noexcept {
        if (count > capacity_ - size_ && !grow(count)) return nullptr;
        std::byte* tail = data_ + size_;
        size_ += count;
        return tail;
    }

    /// Copies `bytes` to the end of the contents. False when there is no memory; the contents stay.
    [[nodiscard]] bool append(const_bytes bytes) noexcept {
        if (bytes.empty()) return true;
        std::byte* tail = extend(bytes.size());
        if (tail == nullptr) return false;
        std::memcpy(tail, bytes.data(), bytes.size());
        return true;
    }

    /// Shortens to `size` bytes, which must not exceed size(). Keeps the capacity.
    void truncate(std::size_t size) noexcept {
        WSOLO_ASSERT(size <= size_, "byte_buffer::truncate can only shorten");
        size_ = size;
    }

    /// Forgets the contents, keeps the capacity.
    void clear() noexcept { size_ = 0; }

    /// Forgets the contents and gives the memory back.
    void release() noexcept {
        std::free(detail::exchange(data_, nullptr));
        size_ = capacity_ = 0;
    }

private:
    friend struct detail::byte_buffer_access;

    bool grow(std::size_t count) noexcept {
        if (count > max_size - size_) return false;
        const std::size_t needed = size_ + count;
        const std::size_t doubled = capacity_ > max_size / 2 ? max_size : capacity_ * 2;
        std::size_t target = doubled > needed ? doubled : needed;
        if (target < min_capacity) target = min_capacity;
        return reserve(target) || reserve(needed);
    }

    static constexpr std::size_t max_size = static_cast<std::size_t>(-1) / 2;
    static constexpr std::size_t min_capacity = 64;

    std::byte* data_ = nullptr;
    std::size_t size_ = 0;
    std::size_t capacity_ = 0;
};

namespace detail {

struct byte_buffer_access {
    /// A buffer that refers to bytes of another owner. It must be neither changed nor destroyed.
    [[nodiscard]] static byte_buffer alias(const_bytes bytes) noexcept {
        byte_buffer made;
        made.data_ = const_cast<std::byte*>(bytes.data());
        made.size_ = made.capacity_ = bytes.size();
        return made;
    }
};

} // namespace detail

} // namespace wsolo::inline WSOLO_ABI
