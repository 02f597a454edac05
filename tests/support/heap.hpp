#pragma once
// Counts what the program takes from the heap and gives back, to see that nothing was taken; and takes the
// heap away, to see what then happens. It replaces malloc, by weak definitions: any of a program's source files may include it.
// Without glibc, or under a sanitizer, all counts stay 0 and the heap stays (WSOLO_TEST_COUNTS_HEAP).

#include "exact_bytes.hpp"

#include <atomic>
#include <cstdlib>
#include <limits>

#if defined(__GLIBC__) && defined(__x86_64__) && !WSOLO_TEST_ASAN && !defined(__SANITIZE_THREAD__)
#include <malloc.h>
#define WSOLO_TEST_COUNTS_HEAP 1
#else
#define WSOLO_TEST_COUNTS_HEAP 0
#endif

namespace support {

struct heap_counts {
    long taken = 0; // calls that gave or moved a block
    long held = 0;  // blocks not given back
    long bytes = 0; // in them, as the heap rounds them
    friend bool operator==(const heap_counts&, const heap_counts&) = default;
};

namespace detail {
inline std::atomic<long> heap_taken{0};
inline std::atomic<long> heap_held{0};
inline std::atomic<long> heap_bytes{0};
inline std::atomic<long> heap_left{std::numeric_limits<long>::max()}; // calls that it still answers
} // namespace detail

inline heap_counts heap_now() { return {detail::heap_taken, detail::heap_held, detail::heap_bytes}; }

/// While one lives, the heap gives so many blocks and then nothing. Catch2's assertions take from it: they come later.
class no_heap {
public:
    explicit no_heap(long after = 0) { detail::heap_left = after; }
    ~no_heap() { detail::heap_left = std::numeric_limits<long>::max(); }
    no_heap(const no_heap&) = delete;
    no_heap& operator=(const no_heap&) = delete;
};

} // namespace support

#if WSOLO_TEST_COUNTS_HEAP

extern "C" {
void* __libc_malloc(std::size_t);
void* __libc_calloc(std::size_t, std::size_t);
void* __libc_realloc(void*, std::size_t);
void __libc_free(void*);
}

namespace support::detail {

inline bool may_take() { return heap_left > 0 && heap_left-- > 0; }
inline void* took(void* block) {
    ++heap_taken;
    if (block == nullptr) return block;
    ++heap_held;
    heap_bytes += static_cast<long>(::malloc_usable_size(block));
    return block;
}
inline void gave(void* block) {
    if (block == nullptr) return;
    --heap_held;
    heap_bytes -= static_cast<long>(::malloc_usable_size(block));
}

} // namespace support::detail

extern "C" {
[[gnu::weak]] void* malloc(std::size_t size) {
    return support::detail::may_take() ? support::detail::took(__libc_malloc(size)) : nullptr;
}
[[gnu::weak]] void* calloc(std::size_t count, std::size_t size) {
    return support::detail::may_take() ? support::detail::took(__libc_calloc(count, size)) : nullptr;
}
[[gnu::weak]] void* realloc(void* block, std::size_t size) {
    if (!support::detail::may_take()) return nullptr;
    support::detail::gave(block);
    return support::detail::took(__libc_realloc(block, size));
}
[[gnu::weak]] void free(void* block) {
    support::detail::gave(block);
    __libc_free(block);
}
}

#endif
