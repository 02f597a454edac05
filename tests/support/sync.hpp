#pragma once
// What the tests of sync/ share: the types under test on step_traits, with a look at what they hide.

#include "step_traits.hpp"

#include <wsolo/sync/rundown.hpp>
#include <wsolo/sync/sequence_barrier.hpp>

#include <memory>
#include <new>
#include <vector>

namespace support {

/// A sequence_barrier whose threads are stepped.
struct step_barrier : wsolo::basic_sequence_barrier<step_traits> {
    /// Whether the word says that a thread waits.
    [[nodiscard]] bool has_waiters() const {
        return (this->word_.load(std::memory_order_relaxed) & waited_for) != 0;
    }
    [[nodiscard]] std::uint64_t done() const { return value_of(this->word_.load(std::memory_order_relaxed)); }
    /// The mark of `count` numbers issued now.
    std::uint64_t issue_many(int count) {
        std::uint64_t last = snapshot();
        for (int i = 0; i < count; ++i) last = issue();
        return last;
    }
};

using step_rundown = wsolo::basic_rundown<step_traits>;

/// A waiter that writes down its firing.
struct recorded final : wsolo::waiter {
    explicit recorded(std::uint64_t wanted, std::vector<std::uint64_t>* order = nullptr)
        : waiter(
              [](waiter& self) noexcept {
                  auto& mine = static_cast<recorded&>(self);
                  ++mine.fired;
                  if (mine.log != nullptr) mine.log->push_back(mine.mark);
              },
              wanted),
          log(order) {}
    int fired = 0;
    std::vector<std::uint64_t>* log;
};

/// An object that a test destroys while its storage stays, so that a late touch can be counted.
template <class T>
class destructible {
public:
    destructible() { ::new (static_cast<void*>(storage_)) T(); }
    ~destructible() { destroy(); }
    destructible(const destructible&) = delete;
    destructible& operator=(const destructible&) = delete;

    T& operator*() noexcept { return *std::launder(reinterpret_cast<T*>(storage_)); }
    T* operator->() noexcept { return &**this; }
    void destroy() {
        if (!is_gone_.exchange(true)) (**this).~T();
    }

private:
    alignas(T) unsigned char storage_[sizeof(T)];
    std::atomic<bool> is_gone_{false};
};

} // namespace support
