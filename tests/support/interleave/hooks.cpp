#include "engine.hpp"

#include <cstdlib>
#include <cstring>
#include <malloc.h>
#include <new>

// Plain memory of the code under test. Its tests are compiled with -fsanitize=thread and linked without that
// library: the calls that the compiler puts before every access come here. malloc and memcpy come here by the
// linker's --wrap.
//
// A real atomic (a reference count of the standard library, the guard of a static) is performed, and orders
// what is around it; it is no scheduling point.

#if defined(__clang__)
#pragma clang diagnostic ignored "-Wmissing-prototypes" // the compiler declares them, not a header
#endif

using interleave::detail::active;

extern "C" {
void* __real_malloc(std::size_t size);
void* __real_realloc(void* old, std::size_t size);
void __real_free(void* memory);
void* __real_memcpy(void* to, const void* from, std::size_t size);
void* __real_memmove(void* to, const void* from, std::size_t size);
void* __real_memset(void* to, int value, std::size_t size);
int __real_memcmp(const void* left, const void* right, std::size_t size);

void* __real___cxa_allocate_exception(std::size_t size) noexcept;

#define INTERLEAVE_READ(address, size)                                                                       \
    if (active != nullptr) active->memory_read(address, size, __builtin_return_address(0))
#define INTERLEAVE_WRITE(address, size)                                                                      \
    if (active != nullptr) active->memory_write(address, size, __builtin_return_address(0))

#define INTERLEAVE_ACCESS(size)                                                                              \
    void __tsan_read##size(void* address) { INTERLEAVE_READ(address, size); }                                \
    void __tsan_write##size(void* address) { INTERLEAVE_WRITE(address, size); }
#define INTERLEAVE_UNALIGNED(size)                                                                           \
    void __tsan_unaligned_read##size(void* address) { INTERLEAVE_READ(address, size); }                      \
    void __tsan_unaligned_write##size(void* address) { INTERLEAVE_WRITE(address, size); }
INTERLEAVE_ACCESS(1)
INTERLEAVE_ACCESS(2)
INTERLEAVE_ACCESS(4)
INTERLEAVE_ACCESS(8)
INTERLEAVE_ACCESS(16)
INTERLEAVE_UNALIGNED(2)
INTERLEAVE_UNALIGNED(4)
INTERLEAVE_UNALIGNED(8)
INTERLEAVE_UNALIGNED(16)

void __tsan_read_range(void* address, std::size_t size) { INTERLEAVE_READ(address, size); }
void __tsan_write_range(void* address, std::size_t size) { INTERLEAVE_WRITE(address, size); }
void __tsan_vptr_read(void** address) { INTERLEAVE_READ(address, sizeof *address); }
void __tsan_vptr_update(void** address, void*) { INTERLEAVE_WRITE(address, sizeof *address); }
void __tsan_init() {}
void __tsan_func_entry(void*) {}
void __tsan_func_exit() {}

void* __wrap_memcpy(void* to, const void* from, std::size_t size) {
    INTERLEAVE_READ(from, size);
    INTERLEAVE_WRITE(to, size);
    return __real_memcpy(to, from, size);
}
void* __wrap_memmove(void* to, const void* from, std::size_t size) {
    INTERLEAVE_READ(from, size);
    INTERLEAVE_WRITE(to, size);
    return __real_memmove(to, from, size);
}
void* __wrap_memset(void* to, int value, std::size_t size) {
    INTERLEAVE_WRITE(to, size);
    return __real_memset(to, value, size);
}
int __wrap_memcmp(const void* left, const void* right, std::size_t size) {
    INTERLEAVE_READ(left, size);
    INTERLEAVE_READ(right, size);
    return __real_memcmp(left, right, size);
}
void* __tsan_memcpy(void* to, const void* from, std::size_t size) { return __wrap_memcpy(to, from, size); }
void* __tsan_memmove(void* to, const void* from, std::size_t size) { return __wrap_memmove(to, from, size); }
void* __tsan_memset(void* to, int value, std::size_t size) { return __wrap_memset(to, value, size); }

void* __wrap_malloc(std::size_t size) {
    void* const made = __real_malloc(size);
    if (active != nullptr && made != nullptr) active->memory_made(made, malloc_usable_size(made));
    return made;
}
void __wrap_free(void* memory) {
    if (active != nullptr && memory != nullptr)
        active->memory_gone(memory, malloc_usable_size(memory), __builtin_return_address(0));
    __real_free(memory);
}
void* __wrap_realloc(void* old, std::size_t size) {
    if (active != nullptr && old != nullptr)
        active->memory_gone(old, malloc_usable_size(old), __builtin_return_address(0));
    void* const made = __real_realloc(old, size);
    void* const kept = made != nullptr ? made : old;
    if (active != nullptr && kept != nullptr) active->memory_made(kept, malloc_usable_size(kept));
    return made;
}

// Freed where no --wrap reaches, so only its new life is seen.
void* __wrap___cxa_allocate_exception(std::size_t size) noexcept {
    void* const made = __real___cxa_allocate_exception(size);
    if (active != nullptr) active->memory_made(made, size);
    return made;
}

#define INTERLEAVE_ORDERED(address)                                                                          \
    if (active != nullptr)                                                                                   \
    active->memory_ordered(const_cast<const void*>(static_cast<const volatile void*>(address)))

#define INTERLEAVE_FETCH(bits, type, verb)                                                                   \
    type __tsan_atomic##bits##_fetch_##verb(volatile type* at, type value, int) {                            \
        INTERLEAVE_ORDERED(at);                                                                              \
        return __atomic_fetch_##verb(at, value, __ATOMIC_SEQ_CST);                                           \
    }
#define INTERLEAVE_COMPARE(bits, type, strength, is_weak)                                                    \
    int __tsan_atomic##bits##_compare_exchange_##strength(volatile type* at, type* expected, type desired,   \
                                                          int, int) {                                        \
        INTERLEAVE_ORDERED(at);                                                                              \
        return __atomic_compare_exchange_n(at, expected, desired, is_weak, __ATOMIC_SEQ_CST,                 \
                                           __ATOMIC_SEQ_CST);                                                \
    }
#define INTERLEAVE_ATOMIC(bits, type)                                                                        \
    type __tsan_atomic##bits##_load(const volatile type* at, int) {                                          \
        INTERLEAVE_ORDERED(at);                                                                              \
        return __atomic_load_n(at, __ATOMIC_SEQ_CST);                                                        \
    }                                                                                                        \
    void __tsan_atomic##bits##_store(volatile type* at, type value, int) {                                   \
        INTERLEAVE_ORDERED(at);                                                                              \
        __atomic_store_n(at, value, __ATOMIC_SEQ_CST);                                                       \
    }                                                                                                        \
    type __tsan_atomic##bits##_exchange(volatile type* at, type value, int) {                                \
        INTERLEAVE_ORDERED(at);                                                                              \
        return __atomic_exchange_n(at, value, __ATOMIC_SEQ_CST);                                             \
    }                                                                                                        \
    type __tsan_atomic##bits##_compare_exchange_val(volatile type* at, type expected, type desired, int,     \
                                                    int) {                                                   \
        INTERLEAVE_ORDERED(at);                                                                              \
        __atomic_compare_exchange_n(at, &expected, desired, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);      \
        return expected;                                                                                     \
    }                                                                                                        \
    INTERLEAVE_COMPARE(bits, type, strong, false)                                                            \
    INTERLEAVE_COMPARE(bits, type, weak, true)                                                               \
    INTERLEAVE_FETCH(bits, type, add)                                                                        \
    INTERLEAVE_FETCH(bits, type, sub)                                                                        \
    INTERLEAVE_FETCH(bits, type, and)                                                                        \
    INTERLEAVE_FETCH(bits, type, or)                                                                         \
    INTERLEAVE_FETCH(bits, type, xor)
INTERLEAVE_ATOMIC(8, std::uint8_t)
INTERLEAVE_ATOMIC(16, std::uint16_t)
INTERLEAVE_ATOMIC(32, std::uint32_t)
INTERLEAVE_ATOMIC(64, std::uint64_t)
void __tsan_atomic_thread_fence(int) {}
void __tsan_atomic_signal_fence(int) {}

} // extern "C"

// The library's own would allocate where no --wrap reaches.
void* operator new(std::size_t size) {
    void* const made = __wrap_malloc(size);
    if (made == nullptr) throw std::bad_alloc();
    return made;
}
void operator delete(void* memory) noexcept { __wrap_free(memory); }
void operator delete(void* memory, std::size_t) noexcept { __wrap_free(memory); }
