// SPDX-License-Identifier: MIT
#pragma once
// What a loop of adapt/poll.hpp knows of each of its descriptors, and which of them are owed a turn.
//
// Laws of this file:
// - A watched object that owns its descriptor closes it at last, when no thread calls it for a turn any more.
// - Any thread may call for a turn, and none waits for another one. The system is called only for a loop that sleeps.
// - A call that comes before the turn begins is for that turn: "it is owed one" is set and taken back by exchanges, so that the turn sees
//   what was done before a call that found it owed already.

#include "../../core/time.hpp"

#include <atomic>
#include <cstdint>
#include <fcntl.h>
#include <unistd.h>
#include <utility>
#if defined(__linux__)
#include <sys/eventfd.h>
#endif

namespace wsolo::inline WSOLO_ABI::adapt::poll {

namespace detail {

class owned_descriptor {
public:
    explicit owned_descriptor(int number = -1) noexcept : number_(number) {}
    owned_descriptor(owned_descriptor&& other) noexcept : number_(std::exchange(other.number_, -1)) {}
    owned_descriptor& operator=(owned_descriptor&& other) noexcept {
        std::swap(number_, other.number_);
        other.close();
        return *this;
    }
    ~owned_descriptor() { close(); }
    int release() noexcept { return std::exchange(number_, -1); }
    void close() noexcept {
        if (number_ >= 0) ::close(std::exchange(number_, -1));
    }
    [[nodiscard]] int get() const noexcept { return number_; }

private:
    int number_;
};

class wake_list;

/// A place in the list of those that are owed a turn.
struct turn_link {
    turn_link* next = nullptr;
};

/// What a loop knows of a descriptor.
class watched : public turn_link {
public:
    /// A descriptor that is borrowed.
    watched(int number, wake_list& wakes) noexcept : wakes_(wakes), descriptor(number) {}
    /// `owned` is that descriptor, or none.
    watched(int number, owned_descriptor owned, wake_list& wakes) noexcept
        : wakes_(wakes), descriptor(number), is_owned_(owned.release() >= 0) {}
    watched(const watched&) = delete;
    watched& operator=(const watched&) = delete;
    virtual ~watched();

    virtual void on_events(unsigned events) = 0; ///< POLLIN, POLLOUT, POLLERR, POLLHUP
    virtual void on_turn() = 0;                  ///< it is owed one, or its time has come
    /// Once it is gone: whether it can be destroyed without a wait for another thread.
    [[nodiscard]] virtual bool is_left() noexcept { return true; }
    void call_for_turn() noexcept; ///< any thread
    /// Whether it is in the list of those that are owed a turn.
    [[nodiscard]] bool is_owed() const noexcept { return is_owed_.load(std::memory_order_acquire); }

    // From wide to narrow: a loop has very many of these.
    time_point due = no_deadline;

protected:
    [[nodiscard]] wake_list& wakes() const noexcept { return wakes_; } ///< its loop's

private:
    wake_list& wakes_;

public:
    const int descriptor;
    std::uint32_t place = 0;   ///< the timetable's
    std::uint8_t interest = 0; ///< what it is watched for; 0: not in the set
    bool is_gone = false;

private:
    friend wake_list;
    const bool is_owned_ = false; ///< the descriptor, which is closed at last
    std::atomic<bool> is_owed_{false};
};

struct happening {
    watched* whose;
    unsigned events;
};

/// Who is owed a turn, and how other threads wake the loop. All of it is one word: the newest of a list of callers, or none, or a
/// mark that the loop sleeps. So the step that enters the list also says whether the loop is to be woken.
class wake_list {
public:
    wake_list() noexcept {
#if defined(__linux__)
        read_ = owned_descriptor(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));
#else
        int ends[2];
        if (::pipe(ends) != 0) return;
        read_ = owned_descriptor(ends[0]);
        write_ = owned_descriptor(ends[1]);
        for (const int end : ends) {
            ::fcntl(end, F_SETFL, O_NONBLOCK);
            ::fcntl(end, F_SETFD, FD_CLOEXEC);
        }
#endif
    }

    // ---- any thread's

    void call(watched& whose) noexcept {
        if (!whose.is_owed_.exchange(true, std::memory_order_acq_rel)) enter(whose);
    }
    void wake() noexcept {
        is_woken_.store(true); // before the look at the word, as begin_sleep() looks at this one after it
        if (stop_sleeping()) ring();
    }

    // ---- the loop's

    [[nodiscard]] int descriptor() const noexcept { return read_.get(); }
    /// False: there is something to do.
    [[nodiscard]] bool begin_sleep() noexcept {
        turn_link* none = nullptr;
        if (!last_.compare_exchange_strong(none, &asleep_)) return false;
        if (!is_woken_.load()) return true;
        end_sleep();
        return false;
    }
    void end_sleep() noexcept {
        static_cast<void>(stop_sleeping());
        forget_wake();
    }
    /// What wake() has asked for until now is done.
    void forget_wake() noexcept {
        if (is_woken_.load(std::memory_order_relaxed)) static_cast<void>(is_woken_.exchange(false));
    }
    /// The descriptor was readable.
    void clear() noexcept {
        std::uint64_t rung[8];
        static_cast<void>(!::read(read_.get(), rung, sizeof rung));
    }
    /// Those that are owed one, in the order of their calls, for begin_turn() one by one; nullptr: there is none.
    /// The loop is awake.
    [[nodiscard]] watched* take() noexcept {
        if (last_.load(std::memory_order_relaxed) == nullptr) return nullptr;
        turn_link* first = nullptr;
        for (turn_link* each = last_.exchange(nullptr, std::memory_order_acquire); each != nullptr;) {
            turn_link& current = *std::exchange(each, each->next);
            current.next = std::exchange(first, &current);
        }
        return static_cast<watched*>(first);
    }
    /// From now on it can be called again. The one after it.
    [[nodiscard]] watched* begin_turn(watched& whose) noexcept {
        auto* const next = static_cast<watched*>(whose.next);
        static_cast<void>(whose.is_owed_.exchange(false, std::memory_order_acq_rel));
        return next;
    }
    /// It goes: no thread calls it any more. O(1) if it is owed no turn, which is usual.
    void forget(watched& gone) noexcept {
        if (!gone.is_owed()) return;
        for (watched* each = take(); each != nullptr;) {
            watched& current = *std::exchange(each, static_cast<watched*>(each->next));
            if (&current != &gone) enter(current);
        }
    }

private:
    void enter(watched& whose) noexcept {
        turn_link* last = last_.load(std::memory_order_relaxed);
        do {
            whose.next = last == &asleep_ ? nullptr : last;
        } while (
            !last_.compare_exchange_weak(last, &whose, std::memory_order_acq_rel, std::memory_order_relaxed));
        if (last == &asleep_) ring();
    }
    /// True: it slept.
    [[nodiscard]] bool stop_sleeping() noexcept {
        turn_link* asleep = &asleep_;
        return last_.compare_exchange_strong(asleep, nullptr);
    }
    void ring() noexcept {
        const std::uint64_t one = 1;
        const int to = write_.get() >= 0 ? write_.get() : read_.get();
        static_cast<void>(!::write(to, &one, sizeof one)); // full: it is awake
    }

    owned_descriptor read_, write_; ///< an eventfd is both
    turn_link asleep_;              ///< stands for "the loop sleeps"
    std::atomic<turn_link*> last_{nullptr};
    std::atomic<bool> is_woken_{false};
};

inline watched::~watched() {
    wakes_.forget(*this); // the last that called for a turn is gone by now
    if (is_owned_) ::close(descriptor);
}
inline void watched::call_for_turn() noexcept { wakes_.call(*this); }

} // namespace detail

} // namespace wsolo::inline WSOLO_ABI::adapt::poll
