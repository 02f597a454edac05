#pragma once
// Counts what the program takes from the heap and gives back, to see that nothing was taken; and takes the
// heap away, to see what then happens. It replaces malloc, so one source file of a program includes it.
// Without glibc, or under a sanitizer, all counts stay 0 and the heap stays (WSOLO_TEST_COUNTS_HEAP).

#include "exact_bytes.hpp"

#include <atomic>
#include <cstdlib>

#if defined(__GLIBC__) && defined(__x86_64__) && !WSOLO_TEST_ASAN && !defined(__SANITIZE_THREAD__)
#define WSOLO_TEST_COUNTS_HEAP 1
#else
#define WSOLO_TEST_COUNTS_HEAP 0
#endif

namespace support {

struct heap_counts {
    long taken = 0; // calls that gave or moved a block
    long held = 0;  // blocks not given back
    friend bool operator==(const heap_counts&, const heap_counts&) = default;
};

namespace detail {
inline std::atomic<long> heap_taken{0};
inline std::atomic<long> heap_held{0};
inline std::atomic<bool> heap_is_empty{false};
} // namespace detail

inline heap_counts heap_now() { return {detail::heap_taken, detail::heap_held}; }

/// While one lives, the heap has nothing to give. Catch2's assertions take from it: they come later.
class no_heap {
public:
    no_heap() { detail::heap_is_empty = true; }
    ~no_heap() { detail::heap_is_empty = false; }
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

void* malloc(std::size_t size) {
    if (support::detail::heap_is_empty) return nullptr;
    ++support::detail::heap_taken;
    ++support::detail::heap_held;
    return __libc_malloc(size);
}
void* calloc(std::size_t count, std::size_t size) {
    if (support::detail::heap_is_empty) return nullptr;
    ++support::detail::heap_taken;
    ++support::detail::heap_held;
    return __libc_calloc(count, size);
}
void* realloc(void* block, std::size_t size) {
    if (support::detail::heap_is_empty) return nullptr;
    ++support::detail::heap_taken;
    if (block == nullptr) ++support::detail::heap_held;
    return __libc_realloc(block, size);
}
void free(void* block) {
    if (block != nullptr) --support::detail::heap_held;
    __libc_free(block);
}
}

#endif
