#pragma once
// How many bytes the writer under test holds from the heap, and the heap's refusal at the n-th of its
// allocations.
//
// Laws of this file:
// - Counted is what is allocated while the calling thread is inside the writer's code: `inside` opens that,
//   `outside` interrupts it for a callback. What is counted is counted until it is freed, wherever that is.
// - Under a sanitizer its own hooks count, and nothing is refused.

#include <support/exact_bytes.hpp>

#include <cstddef>
#include <utility>

#if defined(__SANITIZE_THREAD__) || WSOLO_TEST_ASAN
#define HISTORIES_REFUSE_MEMORY 0
#elif defined(__GLIBC__)
#define HISTORIES_REFUSE_MEMORY 1
#else
#define HISTORIES_REFUSE_MEMORY 0
#endif

namespace histories::heap {

void start(); ///< once, before the first history

[[nodiscard]] std::size_t held_bytes();
[[nodiscard]] std::size_t held_blocks();
[[nodiscard]] std::size_t allocations(); ///< counted, since the last refuse()
[[nodiscard]] bool has_refused();
void forget(); ///< what is held now does not count: after a failed history

/// The n-th (from 1) allocation from now is refused, `how_many` in a row; 0: none.
void refuse(std::size_t nth, std::size_t how_many = 1);

void refuse_no_more(); ///< has_refused() stays

inline thread_local bool is_inside = false;

class inside {
public:
    inside() : before_(std::exchange(is_inside, true)) {}
    inside(const inside&) = delete;
    inside& operator=(const inside&) = delete;
    ~inside() { is_inside = before_; }

private:
    bool before_;
};

class outside {
public:
    outside() : before_(std::exchange(is_inside, false)) {}
    outside(const outside&) = delete;
    outside& operator=(const outside&) = delete;
    ~outside() { is_inside = before_; }

private:
    bool before_;
};

} // namespace histories::heap
