#include "engine.hpp"

#include <cstdio>

// Accesses to plain memory, as the compiler reports them (hooks.cpp): checked, and no scheduling points. What
// the engine does itself is muted.

extern "C" const char __executable_start;

namespace interleave::detail {

// Mutes the engine while it looks, its own allocations included.
class engine::look_up {
public:
    explicit look_up(engine& owner) noexcept : owner_(owner) { owner.muted_ = owner.looking_ = true; }
    look_up(const look_up&) = delete;
    look_up& operator=(const look_up&) = delete;
    ~look_up() { owner_.muted_ = owner_.looking_ = false; }

private:
    engine& owner_;
};

bool engine::watches() const noexcept { return !muted_ && bounds_.plain_memory; }

void engine::memory_read(const void* address, std::size_t size, const void* caller) {
    if (!watches()) return;
    const look_up now(*this);
    auto& clock = self().known.clock;
    ++clock[current_];
    judge(shadow_.read(reinterpret_cast<std::uintptr_t>(address), size, current_, clock), "reads", address,
          size, caller);
}

void engine::memory_write(const void* address, std::size_t size, const void* caller) {
    if (!watches()) return;
    const look_up now(*this);
    auto& clock = self().known.clock;
    ++clock[current_];
    judge(shadow_.write(reinterpret_cast<std::uintptr_t>(address), size, current_, clock), "writes", address,
          size, caller);
}

void engine::memory_gone(const void* address, std::size_t size, const void* caller) {
    if (!watches()) return;
    const look_up now(*this);
    auto& clock = self().known.clock;
    ++clock[current_];
    judge(shadow_.release(reinterpret_cast<std::uintptr_t>(address), size, current_, clock), "frees", address,
          size, caller);
}

// Also called for the engine's own allocations: what it hands to threads must not look freed.
void engine::memory_made(const void* address, std::size_t size) {
    if (!bounds_.plain_memory || looking_) return;
    static constexpr shadow::clocks known_to_all{};
    const bool is_ours = std::exchange(muted_, true);
    looking_ = true;
    auto& clock = self().known.clock;
    if (!is_ours) ++clock[current_];
    shadow_.allocate(reinterpret_cast<std::uintptr_t>(address), size, current_,
                     is_ours ? known_to_all : clock);
    looking_ = false;
    muted_ = is_ours;
}

// A real atomic: a thread that comes later knows what was known here before.
void engine::memory_ordered(const void* address) {
    if (!watches()) return;
    const look_up now(*this);
    auto& clock = self().known.clock;
    ++clock[current_];
    auto& handed = ordered_[address];
    for (std::size_t i = 0; i < max_threads; ++i) handed[i] = clock[i] = std::max(handed[i], clock[i]);
    ++clock[current_];
}

void engine::judge(const shadow::finding& found, const char* verb, const void* address, std::size_t size,
                   const void* caller) {
    if (found.what == shadow::verdict::fine) return;
    char where[96];
    std::snprintf(where, sizeof where, " (%zu bytes; addr2line 0x%tx)", size,
                  static_cast<const char*>(caller) - &__executable_start);
    const std::string object = "plain memory " + region(address) + where;
    if (found.what == shadow::verdict::freed)
        fail(self().name + ' ' + verb + ' ' + object + " after it was freed");
    fail("data race on " + object + ": " + self().name + ' ' + verb +
         " it and nothing orders that after a use by " + threads_[found.other].name);
}

} // namespace interleave::detail
