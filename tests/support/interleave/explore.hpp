#pragma once
// interleave: runs a few virtual threads under every schedule that a bound allows, on a weak-memory model.
//
// Laws of this file:
// - What runs reaches atomics, locks and time only through interleave::traits; every such operation is a
// scheduling point.
// - Between those points a virtual thread is deterministic: what it does depends on its arguments and on what
//   those operations answered. Plain data that virtual threads share is either ordered by them
//   (interleave::var checks that), written down by record(), or private.
// - explore() is called from one operating-system thread at a time.

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace interleave {

inline constexpr int unlimited = 1 << 20;

/// What to explore. A budget counts per execution; a choice beyond it is no longer offered.
struct config {
    int preemptions = 2; ///< switches away from a thread that could go on; tried from 0 upwards
    int deviations = 2;  ///< of the following, all together
    int stale_reads =
        2; ///< loads that find an older store than the newest, stores that go in before a newer one
    int spurious_failures = 1; ///< compare_exchange_weak fails though the value was the expected one
    int spurious_wakes = 1;    ///< a condition variable's wait returns for no reason
    int timeouts = 2;          ///< timed waits that end by time while something else could go on
    int clock_steps = 1;       ///< clock::now() finds that an hour has passed
    int spin_limit = 1; ///< pauses in a row from which a thread goes on though nothing it looked at changed
    bool plain_memory = true;       ///< find data races on plain memory, where the build supports it
    bool merge_states = true;       ///< follow what leads to a state that was met before only once
    std::uint64_t max_steps = 4000; ///< scheduling points of an execution; beyond: a livelock
    std::uint64_t max_executions = 1'000'000; ///< the search stops there, not exhaustive
    std::uint64_t random_executions = 1000;   ///< random priorities, when the search was not exhaustive
    int priority_changes = 3;                 ///< in each of those
    std::uint64_t seed = 1;
    std::string replay =
        {}; ///< a result's schedule: runs that execution only, with its trace. Same config otherwise
};

/// What explore() found.
struct result {
    bool failed = false;
    std::string failure;  ///< what went wrong, one sentence
    std::string schedule; ///< for config::replay
    std::string trace;    ///< the failing execution, one operation a line
    std::uint64_t executions = 0;
    std::uint64_t states = 0; ///< different states in which the search had a choice of threads
    std::uint64_t steps = 0;  ///< scheduling points in all
    int preemptions = 0;      ///< the bound that was searched through last
    bool exhausted = false;   ///< every schedule within config's bounds was covered
    bool complete = false;    ///< and the preemption bound cut none off
    double seconds = 0;

    /// No failure, and nothing left unexplored within the bounds.
    [[nodiscard]] bool passed() const noexcept { return !failed && exhausted; }
    /// All of it in words.
    [[nodiscard]] std::string report() const;
};

namespace detail {
struct stage;
}

/// Handed to explore()'s body: takes the actors of one execution.
class scenario {
public:
    explicit scenario(detail::stage& stage) noexcept : stage_(stage) {}

    /// An object of this execution; destroyed, last made first, after finally().
    template <class T, class... Args>
    T& make(const char* name, Args&&... args) {
        auto made = std::make_shared<T>(std::forward<Args>(args)...);
        keep(made, made.get(), sizeof(T), name);
        return *made;
    }
    /// A virtual thread, at most seven. It starts when the body has returned.
    void thread(const char* name, std::function<void()> run);
    /// Runs when all threads have ended, ordered after all they did.
    void finally(std::function<void()> run);

private:
    void keep(std::shared_ptr<void> made, const void* address, std::size_t size, const char* name);

    detail::stage& stage_;
};

/// Whether this build sees plain memory (Linux, no sanitizer).
[[nodiscard]] bool sees_plain_memory() noexcept;

/// Runs `body` once per execution and the threads it registers under every schedule within `bounds`.
[[nodiscard]] result explore(const config& bounds, const std::function<void(scenario&)>& body);

/// Fails the execution with `sentence` unless `condition` holds. For virtual threads and finally().
void check(bool condition, const char* sentence);
/// Writes `value` into the execution's log. The order of entries is part of what the search tells apart.
void record(std::uint64_t value);
/// The log so far.
[[nodiscard]] const std::vector<std::uint64_t>& records();
/// Which virtual thread runs: 0 for the body and finally(), 1.. for threads; -1 outside an execution.
[[nodiscard]] int this_thread() noexcept;
/// Names an atomic, mutex, condition variable or var in traces. `name` outlives the execution.
void name(const void* object, const char* name);

} // namespace interleave
