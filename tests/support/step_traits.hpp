#pragma once
// Traits that let a test stop a thread before any of its atomic operations and run another one there: one
// chosen interleaving at a time, on real threads, each time the same.
//
// Laws of this file:
// - An actor is a thread that runs until it is quiet: finished, or asleep in a condition variable. A
//   notification makes it awake in the notifier's own step, so "quiet" is never a guess about timing.
// - Time is a number that the test moves. Nothing here waits for real time but while another thread works.
// - An atomic knows whether it is alive: operations on a dead one are counted (its storage must still be
//   there).

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <mutex>
#include <thread>
#include <utility>

namespace support {

/// A clock that the test moves.
struct step_clock {
    using duration = std::chrono::nanoseconds;
    using rep = duration::rep;
    using period = duration::period;
    using time_point = std::chrono::time_point<step_clock>;
    static constexpr bool is_steady = true;

    static time_point now() noexcept { return time_point(duration(ticks.load())); }
    static void advance(duration by) noexcept { ticks += by.count(); }
    static time_point in(duration from_now) noexcept { return now() + from_now; }

    inline static std::atomic<rep> ticks{1'000'000'000};
};

class actor;

namespace detail {
inline std::mutex monitor;
inline std::condition_variable changed; // some actor became quiet
inline thread_local actor* this_actor = nullptr;
inline std::atomic<unsigned> dead_touches{0};
inline thread_local std::size_t steps_taken = 0;
inline bool waker_goes_first = false; // or both go on at once, as it happens

/// A hang is a failure with a name: Catch reports the signal with the test that was running.
[[noreturn]] inline void fail(const char* what) {
    std::fprintf(stderr, "%s\n", what);
    std::abort();
}
template <class Condition>
void wait_or_abort(std::unique_lock<std::mutex>& lock, const char* never, Condition condition) {
    if (!changed.wait_for(lock, std::chrono::seconds(5), condition)) fail(never);
}
} // namespace detail

/// How many atomic operations `action` makes on the calling thread.
template <class Action>
std::size_t steps_of(Action action) {
    const std::size_t before = detail::steps_taken;
    action();
    return detail::steps_taken - before;
}

/// Operations on destroyed atomics since the last call.
inline unsigned take_dead_touches() { return detail::dead_touches.exchange(0); }

/// A thread of a scenario.
class actor {
public:
    explicit actor(std::function<void()> body) : body_(std::move(body)) {}
    actor(const actor&) = delete;
    actor& operator=(const actor&) = delete;
    ~actor() {
        if (thread_.joinable()) join();
    }

    /// Runs `action` on this actor's thread, right before its atomic operation number `step` (from 0).
    void before(std::size_t step, std::function<void()> action) {
        stop_at_ = step;
        action_ = std::move(action);
    }

    /// Starts it, unless it was, and returns when it is quiet. A sleeper whose deadline has come is not.
    void run() {
        std::unique_lock<std::mutex> lock(detail::monitor); // two threads may both come to run it
        if (state_ == state::idle) {
            state_ = state::running;
            thread_ = std::thread([this] { live(); });
        }
        detail::wait_or_abort(lock, "a thread never came to rest", [this] { return rests(); });
    }

    /// Returns when both are quiet.
    static void settle(const actor& one, const actor& other) {
        std::unique_lock<std::mutex> lock(detail::monitor);
        detail::wait_or_abort(lock, "two threads never came to rest",
                              [&] { return one.state_ != state::running && other.state_ != state::running; });
    }
    /// Runs it to its end, with no thread left to wake it: asleep, it fails at once.
    void finish() {
        run();
        if (is_asleep()) detail::fail("a thread sleeps for ever: its wake-up was lost");
        join();
    }
    /// The same for two, whom only the other or the clock can wake.
    static void finish(actor& one, actor& other) {
        {
            std::unique_lock<std::mutex> lock(detail::monitor);
            detail::wait_or_abort(lock, "two threads never came to rest",
                                  [&] { return one.rests() && other.rests(); });
        }
        one.finish();
        other.finish();
    }
    /// Waits for its end; one that sleeps without a deadline has none.
    void join() {
        {
            std::unique_lock<std::mutex> lock(detail::monitor);
            detail::wait_or_abort(lock, "a thread sleeps for ever: its wake-up was lost",
                                  [this] { return state_ == state::finished; });
        }
        thread_.join();
    }

    [[nodiscard]] bool has_finished() const {
        const std::lock_guard<std::mutex> lock(detail::monitor);
        return state_ == state::finished;
    }
    [[nodiscard]] bool is_asleep() const {
        const std::lock_guard<std::mutex> lock(detail::monitor);
        return state_ == state::asleep && !is_overdue();
    }
    /// Whether it came to the step that before() named.
    [[nodiscard]] bool has_stopped() const { return action_ == nullptr; }

    /// An atomic operation of the calling thread is next.
    static void step() {
        ++detail::steps_taken;
        actor* const self = detail::this_actor;
        if (self == nullptr || self->action_ == nullptr || self->steps_++ != self->stop_at_) return;
        std::exchange(self->action_, nullptr)();
    }
    /// The calling thread falls asleep, not beyond `deadline`. Under the monitor.
    static actor* fall_asleep(step_clock::time_point deadline) {
        if (detail::this_actor != nullptr) {
            detail::this_actor->state_ = state::asleep;
            detail::this_actor->sleeps_until_ = deadline;
        }
        detail::changed.notify_all();
        return detail::this_actor;
    }
    /// Under the monitor.
    void wake() { state_ = state::running; }
    /// Under the monitor, held by `lock`.
    void wait_until_at_rest(std::unique_lock<std::mutex>& lock) const {
        detail::wait_or_abort(lock, "who woke a thread waits for it",
                              [this] { return state_ != state::running; });
    }

private:
    enum class state { idle, running, asleep, finished };

    /// Under the monitor.
    [[nodiscard]] bool rests() const {
        return state_ != state::running && !(state_ == state::asleep && is_overdue());
    }
    /// Asleep, but its deadline has come: it is about to wake.
    [[nodiscard]] bool is_overdue() const { return step_clock::now() >= sleeps_until_; }

    void live() {
        detail::this_actor = this;
        body_();
        const std::lock_guard<std::mutex> lock(detail::monitor);
        state_ = state::finished;
        detail::changed.notify_all();
    }

    std::function<void()> body_;
    std::function<void()> action_;
    std::size_t stop_at_ = 0;
    std::size_t steps_ = 0;
    state state_ = state::idle;
    step_clock::time_point sleeps_until_{};
    std::thread thread_;
};

/// A std::atomic with a stop before each operation.
template <class T>
class step_atomic {
public:
    step_atomic() noexcept = default;
    step_atomic(T value) noexcept : value_(value) {}
    ~step_atomic() { alive_ = 0; }

    T load(std::memory_order order) const noexcept { return touched().load(order); }
    void store(T value, std::memory_order order) noexcept { touched().store(value, order); }
    T exchange(T value, std::memory_order order) noexcept { return touched().exchange(value, order); }
    T fetch_add(T by, std::memory_order order) noexcept { return touched().fetch_add(by, order); }
    T fetch_sub(T by, std::memory_order order) noexcept { return touched().fetch_sub(by, order); }
    T fetch_or(T with, std::memory_order order) noexcept { return touched().fetch_or(with, order); }
    T fetch_and(T with, std::memory_order order) noexcept { return touched().fetch_and(with, order); }
    // Never spuriously: a spurious failure would make the steps of a run differ.
    template <class... Orders>
    bool compare_exchange_weak(T& expected, T desired, Orders... orders) noexcept {
        return touched().compare_exchange_strong(expected, desired, orders...);
    }
    template <class... Orders>
    bool compare_exchange_strong(T& expected, T desired, Orders... orders) noexcept {
        return touched().compare_exchange_strong(expected, desired, orders...);
    }

private:
    std::atomic<T>& touched() const noexcept {
        actor::step();
        if (alive_ != living) ++detail::dead_touches;
        return value_;
    }

    static constexpr unsigned living = 0x11feU;
    mutable std::atomic<T> value_{};
    volatile unsigned alive_ = living; // volatile: the destructor's store must be made
};

/// Wakes by notification or by the manual clock only.
class step_condition_variable {
public:
    void notify_one() noexcept {
        const std::lock_guard<std::mutex> lock(detail::monitor);
        ++notified_;
        waker_ = detail::waker_goes_first ? detail::this_actor : nullptr;
        if (sleeper_ != nullptr) sleeper_->wake();
        real_.notify_all();
    }

    template <class Lock>
    void wait(Lock& held) {
        static_cast<void>(wait_until(held, step_clock::time_point::max()));
    }

    template <class Lock>
    std::cv_status wait_until(Lock& held, step_clock::time_point deadline) {
        std::unique_lock<std::mutex> lock(detail::monitor);
        const unsigned before = notified_;
        held.unlock();
        const auto is_over = [&] { return notified_ != before || step_clock::now() >= deadline; };
        if (!is_over()) sleeper_ = actor::fall_asleep(deadline);
        for (int looks = 0; !is_over(); ++looks) {
            real_.wait_for(lock, std::chrono::milliseconds(1));
            if (sleeper_ == nullptr && looks > 1000) detail::fail("the test's own thread sleeps for ever");
        }
        if (sleeper_ != nullptr) sleeper_->wake();
        sleeper_ = nullptr;
        const bool is_notified = notified_ != before;
        if (actor* const waker = is_notified ? std::exchange(waker_, nullptr) : nullptr)
            waker->wait_until_at_rest(lock);
        lock.unlock();
        held.lock();
        return is_notified ? std::cv_status::no_timeout : std::cv_status::timeout;
    }

private:
    std::condition_variable real_;
    actor* sleeper_ = nullptr;
    actor* waker_ = nullptr; ///< who goes first
    unsigned notified_ = 0;
};

struct step_traits {
    template <class T>
    using atomic = step_atomic<T>;
    using clock = step_clock;
    using mutex = std::mutex;
    using condition_variable = step_condition_variable;

    static constexpr unsigned spin_limit = 0;
    static void pause() noexcept {}
    static void*& thread_slot() noexcept {
        static thread_local void* slot = nullptr;
        return slot;
    }
};

/// Two threads and what must hold in the end.
struct scenario {
    std::function<void()> first;
    std::function<void()> second;
    std::function<void()> check; // on the test's own thread, after both have ended
};

/// What interleave() tried.
struct runs {
    std::size_t count = 0;
    std::size_t stuck = 0; // in which a thread slept until the deadline although all else was done
};

/// For every atomic operation of `first`: a fresh scenario in which all of `second` runs right before that
/// operation, until it is quiet. Who still sleeps in the end meets its deadline. All of it once as it happens when one
/// has woken the other, and once with the other held until its waker is quiet.
template <class Make>
runs interleave(Make make) {
    runs tried;
    for (const bool waker_goes_first : {false, true}) {
        detail::waker_goes_first = waker_goes_first;
        bool has_more = true;
        for (std::size_t step = 0; has_more; ++step, ++tried.count) {
            scenario script = make();
            actor second(script.second);
            actor first(script.first);
            first.before(step, [&second] { second.run(); });
            first.run();
            second.run();
            actor::settle(first, second);
            if (first.is_asleep() || second.is_asleep()) ++tried.stuck;
            step_clock::advance(std::chrono::hours(24));
            actor::finish(first, second);
            script.check();
            has_more = first.has_stopped();
        }
    }
    detail::waker_goes_first = false;
    return tried;
}

} // namespace support
