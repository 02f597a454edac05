#include "engine.hpp"

namespace interleave::detail {

void born(const void* address, kind what, bits initial) noexcept {
    if (active != nullptr) active->born(address, what, initial);
}
void gone(const void* address, kind what) noexcept {
    if (active != nullptr) active->gone(address, what);
}
bits load(cell what, std::memory_order order) { return active->load(what, order); }
void store(cell what, bits value, std::memory_order order) { active->store(what, value, order); }
bits modify(cell what, transform how, bits operand, std::memory_order order, const char* verb) {
    return active->modify(what, how, operand, order, verb);
}
bool compare_exchange(cell what, bits& expected, bits desired, std::memory_order success,
                      std::memory_order failure, bool weak) {
    return active->compare_exchange(what, expected, desired, success, failure, weak);
}
void plain_read(const void* address) { active->plain_read(address); }
void plain_write(const void* address) { active->plain_write(address); }
void lock(const void* mutex) { active->lock(mutex); }
bool try_lock(const void* mutex) { return active->try_lock(mutex); }
void unlock(const void* mutex) { active->unlock(mutex); }
bool wait(const void* condition, const void* mutex, const std::int64_t* deadline) {
    return active->wait(condition, mutex, deadline);
}
void notify(const void* condition, bool all) { active->notify(condition, all); }
std::int64_t now() { return active->now(); }
void pause() { active->pause(); }
void*& thread_slot() noexcept {
    static void* outside = nullptr;
    return active != nullptr ? active->slot() : outside;
}

} // namespace interleave::detail
