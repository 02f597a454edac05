#pragma once
// The engine as the model types see it: one function for each operation.
//
// Law of this file: apart from born() and gone(), which then do nothing, these are called inside an execution
// only.

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace interleave::detail {

class engine;
/// The engine whose execution is running on this stack, or nullptr.
inline engine* active = nullptr;

/// The value of an atomic, widened.
using bits = std::uint64_t;
enum class kind : std::uint8_t { atomic, mutex, condition, plain };
/// An object by where it is; for an atomic that was made outside, `size` bytes there are its value.
struct cell {
    const void* address;
    std::size_t size;
};
using transform = bits (*)(bits old, bits operand) noexcept;

void born(const void* address, kind what, bits initial) noexcept;
void gone(const void* address, kind what) noexcept;

bits load(cell what, std::memory_order order);
void store(cell what, bits value, std::memory_order order);
bits modify(cell what, transform how, bits operand, std::memory_order order, const char* verb);
bool compare_exchange(cell what, bits& expected, bits desired, std::memory_order success,
                      std::memory_order failure, bool weak);
void plain_read(const void* address);
void plain_write(const void* address);

void lock(const void* mutex);
bool try_lock(const void* mutex);
void unlock(const void* mutex);
/// False when it ended by time. `deadline` (nanoseconds of the model's clock) may be nullptr.
bool wait(const void* condition, const void* mutex, const std::int64_t* deadline);
void notify(const void* condition, bool all);
/// Nanoseconds.
std::int64_t now();
void pause();
void*& thread_slot() noexcept;

} // namespace interleave::detail
