#pragma once
// The engine behind explore(): one execution at a time, its threads, its memory, its choices.
//
// Laws of this file:
// - Every public operation is called on the fiber of the virtual thread that performs it.
// - A failure leaves the execution at once and for good: nothing is unwound, what it held stays allocated.
// - Whatever can go one way or another asks choose(); the answers are the execution, and replay it.

#include "api.hpp"
#include "chooser.hpp"
#include "explore.hpp"
#include "fiber.hpp"
#include "memory.hpp"
#include "shadow.hpp"
#include "visited.hpp"

#include <atomic>
#include <deque>
#include <unordered_map>

namespace interleave::detail {

enum class waiting : std::uint8_t { nothing, lock, signal, change, finished };
enum class cause : std::uint8_t { run, timeout, spurious };

/// What a location held when its thread last looked, for pause().
struct sighting {
    bits value = 0;
    std::uint32_t round = 0;
};

struct virtual_thread {
    std::size_t id = 0;
    std::string name;
    std::function<void()> body;
    waiting state = waiting::nothing;
    cause woken = cause::run;
    std::uint32_t target = 0;     ///< the mutex or condition variable waited for
    std::uint32_t wait_mutex = 0; ///< the mutex that a wait takes again
    bool timed = false;
    bool fresh = true;     ///< has not reached its first scheduling point
    bool restless = false; ///< saw something that looking again may change, though no store did
    bool read_clock = false;
    int idle_pauses = 0; ///< in a row, with nothing new between them
    std::int64_t deadline = 0;
    std::uint32_t round = 1; ///< counts pauses
    std::int64_t priority = 0;
    knowledge known;
    bits hash = 0;
    void* slot = nullptr; ///< traits::thread_slot()
    std::vector<sighting> looked;
};

/// What one execution is made of, as the body registered it.
struct stage {
    std::vector<std::pair<std::string, std::function<void()>>> threads;
    std::vector<std::function<void()>> finals;
    struct prop {
        std::shared_ptr<void> object;
        const void* address;
        std::size_t size;
        const char* name;
    };
    std::vector<prop> props;
};

class engine {
public:
    using body = std::function<void(scenario&)>;

    explicit engine(const config& bounds);

    // search.cpp
    result explore(const body& run);

    // atomics.cpp
    bits load(cell what, std::memory_order order);
    void store(cell what, bits value, std::memory_order order);
    bits modify(cell what, transform how, bits operand, std::memory_order order, const char* verb);
    bool compare_exchange(cell what, bits& expected, bits desired, std::memory_order success,
                          std::memory_order failure, bool weak);
    void plain_read(const void* address);
    void plain_write(const void* address);

    // blocking.cpp
    void lock(const void* mutex);
    bool try_lock(const void* mutex);
    void unlock(const void* mutex);
    bool wait(const void* condition, const void* mutex, const std::int64_t* deadline); ///< false: by time
    void notify(const void* condition, bool all);
    std::int64_t now();
    void pause();

    // plain_memory.cpp
    void memory_read(const void* address, std::size_t size, const void* caller);
    void memory_write(const void* address, std::size_t size, const void* caller);
    void memory_made(const void* address, std::size_t size);
    void memory_gone(const void* address, std::size_t size, const void* caller);
    void memory_ordered(const void* address);
    void mute(bool on) noexcept { muted_ = on; }

    // locations.cpp
    void born(const void* address, kind what, bits initial);
    void gone(const void* address, kind what);
    void name(const void* address, const char* called);

    // engine.cpp
    [[noreturn]] void fail(std::string sentence);
    [[noreturn]] void leave_aborted();
    void record(bits value);
    [[nodiscard]] void*& slot() noexcept { return self().slot; }
    [[nodiscard]] const std::vector<bits>& records() const noexcept { return log_; }
    [[nodiscard]] std::size_t current() const noexcept { return current_; }

private:
    struct option {
        std::size_t thread;
        cause how;
    };
    struct worker {
        engine* owner;
        std::size_t id;
        std::unique_ptr<fiber> stack;
    };

    static void work(void* argument);
    // engine.cpp: one execution
    void execute(const body& run);
    void reset();
    void direct(const body& run);
    void set_out();
    void clear_stage();
    void act();
    void settle(std::string sentence);
    [[noreturn]] void leave();
    void abandon();
    fiber& stack_of(std::size_t id);
    [[nodiscard]] bool may_deviate(int used, int budget) const noexcept {
        return used < budget && deviations_ < bounds_.deviations;
    }
    void deviate(int& used) noexcept {
        ++used;
        ++deviations_;
    }
    [[nodiscard]] virtual_thread& self() noexcept { return threads_[current_]; }

    // schedule.cpp
    void point();
    void reschedule();
    void list_options();
    void list_forced();
    [[nodiscard]] std::size_t pick(bool can_go_on);
    [[nodiscard]] std::size_t pick_random();
    [[nodiscard]] bool seen_before(bool can_go_on);
    [[nodiscard]] bool can_run(const virtual_thread& thread) const noexcept;
    [[nodiscard]] bool looks_different(const virtual_thread& thread) const noexcept;
    void resume(option chosen);
    void switch_to(std::size_t next) noexcept;
    [[noreturn]] void deadlock();

    // locations.cpp
    location& use(cell object, kind what, const char* verb);
    location& add(const void* address, kind what, bits initial);
    void destroyed_by_self(location& at);
    void commit(location& at) noexcept;
    void tick(location& at) noexcept;
    [[nodiscard]] std::string label(const location& at) const;
    [[nodiscard]] std::string region(const void* address) const;

    // plain_memory.cpp
    class look_up;
    [[nodiscard]] bool watches() const noexcept;
    void judge(const shadow::finding& found, const char* verb, const void* address, std::size_t size,
               const void* caller);

    // atomics.cpp
    [[nodiscard]] std::size_t oldest_readable(const location& at, bool sequential);
    void read_store(location& at, std::size_t which, std::memory_order order);
    void list_places(const location& at, place floor);
    void put_store(location& at, std::size_t behind, bits value, std::memory_order order, bool extends);
    void raise_sequential(location& at, const message& to) noexcept;
    void look(std::size_t index, bits value);

    // blocking.cpp
    void take(location& mutex);
    void release(location& mutex);

    // trace.cpp
    void trace(const std::string& line);
    void trace_read(const char* verb, const location& at, std::size_t which, std::memory_order order);
    void trace_write(const char* verb, const location& at, std::size_t which, std::memory_order order);

    // search.cpp
    void search(const body& run);
    bool search_through(const body& run, int bound);
    void randomize(const body& run);
    void retrace(const body& run, const std::string& trail);

    config bounds_;
    result found_;
    chooser choices_;

    fiber outside_;
    std::array<worker, max_threads> workers_;
    stage stage_;
    const body* body_ = nullptr;

    std::array<virtual_thread, max_threads> threads_;
    std::size_t thread_count_ = 0;
    std::size_t current_ = 0;
    bool aborted_ = false;
    bool acting_ = false; ///< the threads run, not the body or finally()

    std::deque<location> locations_;
    std::size_t location_count_ = 0;
    address_book addresses_;
    std::deque<knowledge> released_;
    std::uint32_t released_count_ = 0;
    std::vector<std::size_t> places_; ///< scratch: stores that a new one may go after
    std::vector<std::size_t> ways_;   ///< scratch: stores that a compare_exchange may read
    std::vector<option> options_;
    shadow shadow_;
    std::unordered_map<const void*, shadow::clocks> ordered_;
    bool muted_ = true;    ///< the engine's own accesses, not those of the code under test
    bool looking_ = false; ///< at the shadow memory
    bits memory_hash_ = 0;
    bits log_hash_ = 0;
    std::vector<bits> log_;

    std::int64_t now_ = 0;
    std::uint64_t steps_ = 0;
    std::uint64_t longest_ = 1;
    std::size_t last_forced_ = 0;
    std::int64_t lowest_priority_ = 0;
    int bound_ = 0;
    int preempted_ = 0;
    int spurious_failures_ = 0;
    int spurious_wakes_ = 0;
    int timeouts_ = 0;
    int clock_steps_ = 0;
    int stale_reads_ = 0;
    int deviations_ = 0; ///< all of these
    bool cut_ = false;   ///< the bound kept an option back in this round of the search
    bool tracing_ = false;
    std::string trace_;
    std::vector<std::uint64_t> change_points_;
    visited_states visited_;
};

} // namespace interleave::detail
