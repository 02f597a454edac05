// Replaces malloc, or asks the sanitizer, and keeps a table of the blocks that the writer holds.

#include "heap_meter.hpp"

#include <atomic>
#include <cstdint>
#include <cstdlib>

namespace histories::heap {
namespace {

struct block {
    std::uintptr_t at = 0; // 0: never used; 1: freed
    std::size_t size = 0;
};
constexpr std::size_t slots = std::size_t{1} << 18;
block table[slots];
std::atomic_flag table_lock = ATOMIC_FLAG_INIT;
std::atomic<std::size_t> bytes{0}, blocks{0}, count{0}, first_refused{0}, last_refused{0};
std::atomic<bool> refused{false};

struct hold_table {
    hold_table() {
        while (table_lock.test_and_set(std::memory_order_acquire)) {}
    }
    ~hold_table() { table_lock.clear(std::memory_order_release); }
};

std::size_t first_slot(std::uintptr_t at) {
    return static_cast<std::size_t>((at >> 4) * 0x9e3779b97f4a7c15ULL >> 40) % slots;
}

void note_taken(const volatile void* pointer, std::size_t size) {
    if (!is_inside || pointer == nullptr) return;
    const auto at = reinterpret_cast<std::uintptr_t>(pointer);
    const hold_table hold;
    std::size_t slot = first_slot(at);
    while (table[slot].at > 1) slot = (slot + 1) % slots;
    table[slot] = {at, size};
    bytes += size;
    ++blocks;
}

void note_freed(const volatile void* pointer) {
    if (pointer == nullptr || blocks == 0) return;
    const auto at = reinterpret_cast<std::uintptr_t>(pointer);
    const hold_table hold;
    for (std::size_t slot = first_slot(at); table[slot].at != 0; slot = (slot + 1) % slots) {
        if (table[slot].at != at) continue;
        bytes -= table[slot].size;
        --blocks;
        table[slot].at = 1;
        if (table[(slot + 1) % slots].at == 0) // nothing is looked for beyond: such slots are free again
            for (std::size_t back = slot; table[back].at == 1; back = (back + slots - 1) % slots)
                table[back].at = 0;
        return;
    }
}

} // namespace

std::size_t held_bytes() { return bytes; }
std::size_t held_blocks() { return blocks; }
std::size_t allocations() { return count; }
bool has_refused() { return refused; }
void forget() {
    const hold_table hold;
    for (block& each : table) each = {};
    bytes = 0;
    blocks = 0;
}
void refuse(std::size_t nth, std::size_t how_many) {
    count = 0;
    refused = false;
    first_refused = nth;
    last_refused = nth == 0 ? 0 : nth + how_many - 1;
}
void refuse_no_more() { first_refused = last_refused = 0; }

} // namespace histories::heap

#if HISTORIES_REFUSE_MEMORY

namespace histories::heap {
void start() {}
static bool is_refused() {
    if (!is_inside) return false;
    const std::size_t number = ++count;
    if (number < first_refused || number > last_refused) return false;
    refused = true;
    return true;
}
} // namespace histories::heap

extern "C" {
void* __libc_malloc(std::size_t);
void* __libc_calloc(std::size_t, std::size_t);
void* __libc_realloc(void*, std::size_t);
void __libc_free(void*);

void* malloc(std::size_t size) {
    if (histories::heap::is_refused()) return nullptr;
    void* const got = __libc_malloc(size);
    histories::heap::note_taken(got, size);
    return got;
}
void* calloc(std::size_t each, std::size_t size) {
    if (histories::heap::is_refused()) return nullptr;
    void* const got = __libc_calloc(each, size);
    histories::heap::note_taken(got, each * size);
    return got;
}
void* realloc(void* old, std::size_t size) {
    if (histories::heap::is_refused()) return nullptr;
    histories::heap::note_freed(old);
    void* const got = __libc_realloc(old, size);
    histories::heap::note_taken(got, size);
    return got;
}
void free(void* old) {
    histories::heap::note_freed(old);
    __libc_free(old);
}
}

#elif defined(__SANITIZE_THREAD__) || WSOLO_TEST_ASAN

extern "C" int __sanitizer_install_malloc_and_free_hooks(void (*taken)(const volatile void*, std::size_t),
                                                         void (*freed)(const volatile void*));

namespace histories::heap {
void start() {
    static const bool installed = __sanitizer_install_malloc_and_free_hooks(&note_taken, &note_freed) != 0;
    static_cast<void>(installed);
}
} // namespace histories::heap

#else

namespace histories::heap {
void start() {}
} // namespace histories::heap

#endif
