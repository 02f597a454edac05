#include "engine.hpp"

namespace interleave::detail {
namespace {

// What the engine does for an operation is not the code under test's doing.
class quiet {
public:
    quiet() noexcept { active->mute(true); }
    quiet(const quiet&) = delete;
    quiet& operator=(const quiet&) = delete;
    ~quiet() { active->mute(false); }
};

} // namespace

void born(const void* address, kind what, bits initial) noexcept {
    if (active == nullptr) return;
    const quiet now;
    active->born(address, what, initial);
}
void gone(const void* address, kind what) noexcept {
    if (active == nullptr) return;
    const quiet now;
    active->gone(address, what);
}
bits load(cell what, std::memory_order order) {
    const quiet now;
    return active->load(what, order);
}
void store(cell what, bits value, std::memory_order order) {
    const quiet now;
    active->store(what, value, order);
}
bits modify(cell what, transform how, bits operand, std::memory_order order, const char* verb) {
    const quiet now;
    return active->modify(what, how, operand, order, verb);
}
bool compare_exchange(cell what, bits& expected, bits desired, std::memory_order success,
                      std::memory_order failure, bool weak) {
    const quiet now;
    return active->compare_exchange(what, expected, desired, success, failure, weak);
}
void plain_read(const void* address) {
    const quiet now;
    active->plain_read(address);
}
void plain_write(const void* address) {
    const quiet now;
    active->plain_write(address);
}
void lock(const void* mutex) {
    const quiet now;
    active->lock(mutex);
}
bool try_lock(const void* mutex) {
    const quiet now;
    return active->try_lock(mutex);
}
void unlock(const void* mutex) {
    const quiet now;
    active->unlock(mutex);
}
bool wait(const void* condition, const void* mutex, const std::int64_t* deadline) {
    const quiet now;
    return active->wait(condition, mutex, deadline);
}
void notify(const void* condition, bool all) {
    const quiet now;
    active->notify(condition, all);
}
std::int64_t now() {
    const quiet now;
    return active->now();
}
void pause() {
    const quiet now;
    active->pause();
}
void*& thread_slot() noexcept {
    static void* outside = nullptr;
    return active != nullptr ? active->slot() : outside;
}

} // namespace interleave::detail

namespace interleave {

bool sees_plain_memory() noexcept {
#if defined(INTERLEAVE_HOOKS)
    return true;
#else
    return false;
#endif
}

void check(bool condition, const char* sentence) {
    if (condition || detail::active == nullptr) return;
    const detail::quiet now;
    detail::active->fail(sentence);
}

void record(std::uint64_t value) {
    if (detail::active == nullptr) return;
    const detail::quiet now;
    detail::active->record(value);
}

const std::vector<std::uint64_t>& records() {
    static const std::vector<std::uint64_t> none;
    return detail::active != nullptr ? detail::active->records() : none;
}

int this_thread() noexcept {
    return detail::active != nullptr ? static_cast<int>(detail::active->current()) : -1;
}

void name(const void* object, const char* called) {
    if (detail::active == nullptr) return;
    const detail::quiet now;
    detail::active->name(object, called);
}

} // namespace interleave
