// Written by tools/amalgamate.py from include/wsolo/adapt/detail/poll_watched.hpp: change it there.
// SPDX-License-Identifier: MIT
#pragma once
// What a loop of adapt/poll.hpp knows of each of its descriptors, and which of them are owed a turn.
//
// Laws of this file:
// - A watched object that owns its descriptor closes it at last, when no thread calls it for a turn any more.
// - Any thread may call for a turn. The system is called only for a loop that sleeps, and never under the lock.

#include "../../wsolo.hpp"
#include "ring.hpp"

#include <cstdint>
#include <fcntl.h>
#include <mutex>
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

using adapt::detail::link;

/// What a loop knows of a descriptor. As a link it is in the list of those that are owed a turn.
class watched : public link {
public:
    /// A descriptor that is borrowed.
    watched(int number, wake_list& wakes) noexcept : wakes_(wakes), descriptor(number) {}
    /// `owned` is that descriptor, or none.
    watched(int number, owned_descriptor owned, wake_list& wakes) noexcept
        : wakes_(wakes), descriptor(number), is_owned_(owned.release() >= 0) {}
    virtual ~watched();

    virtual void on_events(unsigned events) = 0; ///< POLLIN, POLLOUT, POLLERR, POLLHUP
    virtual void on_turn() = 0;                  ///< it is owed one, or its time has come
    /// Once it is gone: whether it can be destroyed without a wait for another thread.
    [[nodiscard]] virtual bool is_left() noexcept { return true; }
    void call_for_turn() noexcept; ///< any thread

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
    const bool is_owned_ = false; ///< the descriptor, which is closed at last
};

struct happening {
    watched* whose;
    unsigned events;
};

/// Who is owed a turn, and how other threads wake the loop. The system is called only for a loop that sleeps, and never under
/// the lock.
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
        std::unique_lock<std::mutex> hold(lock_);
        if (!whose.is_alone()) return;
        whose.enter(owed_);
        ++count_;
        ring(hold);
    }
    void forget(watched& whose) noexcept {
        const std::scoped_lock<std::mutex> hold(lock_);
        if (!whose.is_alone()) --count_;
        whose.leave();
    }
    void wake() noexcept {
        std::unique_lock<std::mutex> hold(lock_);
        is_woken_ = true;
        ring(hold);
    }

    // ---- the loop's

    [[nodiscard]] int descriptor() const noexcept { return read_.get(); }
    /// False: there is something to do.
    [[nodiscard]] bool begin_sleep() noexcept {
        const std::scoped_lock<std::mutex> hold(lock_);
        return is_asleep_ = !std::exchange(is_woken_, false) && count_ == 0;
    }
    void end_sleep() noexcept {
        const std::scoped_lock<std::mutex> hold(lock_);
        is_asleep_ = is_woken_ = false;
    }
    /// The descriptor was readable.
    void clear() noexcept {
        std::uint64_t rung[8];
        static_cast<void>(!::read(read_.get(), rung, sizeof rung));
    }
    [[nodiscard]] std::size_t count() noexcept {
        const std::scoped_lock<std::mutex> hold(lock_);
        return count_;
    }
    /// The first; nullptr: none is left.
    [[nodiscard]] watched* take() noexcept {
        const std::scoped_lock<std::mutex> hold(lock_);
        if (count_ == 0) return nullptr;
        --count_;
        auto* const first = static_cast<watched*>(owed_.next);
        first->leave();
        return first;
    }

private:
    void ring(std::unique_lock<std::mutex>& hold) noexcept {
        const bool asleep = std::exchange(is_asleep_, false);
        hold.unlock();
        const std::uint64_t one = 1;
        const int to = write_.get() >= 0 ? write_.get() : read_.get();
        if (asleep) static_cast<void>(!::write(to, &one, sizeof one)); // full: it is awake
    }

    owned_descriptor read_, write_; ///< an eventfd is both
    std::mutex lock_;
    link owed_;
    std::size_t count_ = 0;
    bool is_asleep_ = false;
    bool is_woken_ = false;
};

inline watched::~watched() {
    wakes_.forget(*this); // the last that called for a turn is gone by now
    if (is_owned_) ::close(descriptor);
}
inline void watched::call_for_turn() noexcept { wakes_.call(*this); }

} // namespace detail

} // namespace wsolo::inline WSOLO_ABI::adapt::poll
