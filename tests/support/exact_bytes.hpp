#pragma once
// Memory that ends exactly where its bytes end, at a chosen alignment: an overrun of one byte is seen, by the
// address sanitizer where there is one and by guard bytes where there is none.

#include <wsolo/core/bytes.hpp>

#include <algorithm>
#include <cstring>
#include <new>

namespace support {

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define WSOLO_TEST_ASAN 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__)
#define WSOLO_TEST_ASAN 1
#endif
#if !defined(WSOLO_TEST_ASAN)
#define WSOLO_TEST_ASAN 0
#endif

/// `size` bytes that begin `offset` (0 to 63) bytes after a multiple of 64.
class exact_bytes {
public:
    explicit exact_bytes(std::size_t size, std::size_t offset = 0)
        : offset_(offset), size_(size), memory_(static_cast<std::byte*>(::operator new(whole(), alignment))) {
        std::memset(memory_, guard, whole());
    }
    explicit exact_bytes(wsolo::const_bytes contents, std::size_t offset = 0)
        : exact_bytes(contents.size(), offset) {
        fill(contents);
    }
    exact_bytes(const exact_bytes&) = delete;
    exact_bytes& operator=(const exact_bytes&) = delete;
    ~exact_bytes() { ::operator delete(memory_, alignment); }

    void fill(wsolo::const_bytes contents) {
        if (!contents.empty()) std::memcpy(data(), contents.data(), contents.size());
    }

    std::byte* data() { return memory_ + offset_; }
    wsolo::mutable_bytes view() { return {data(), size_}; }

    /// Whether nothing beside the bytes was written.
    bool guards_stand() const {
        const auto stands = [](std::byte byte) { return byte == std::byte{guard}; };
        const std::byte* end = memory_ + offset_ + size_;
        return std::all_of(memory_, memory_ + offset_, stands) && std::all_of(end, end + behind, stands);
    }

private:
    static constexpr std::align_val_t alignment{64};
    static constexpr unsigned char guard = 0xa5;
    static constexpr std::size_t behind = WSOLO_TEST_ASAN ? 0 : 64;

    std::size_t whole() const { return offset_ + size_ + behind; }

    std::size_t offset_;
    std::size_t size_;
    std::byte* memory_;
};

} // namespace support
