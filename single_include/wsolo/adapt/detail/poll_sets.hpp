// Written by tools/amalgamate.py from include/wsolo/adapt/detail/poll_sets.hpp: change it there.
// SPDX-License-Identifier: MIT
#pragma once
// What a loop of adapt/poll.hpp waits with: poll() everywhere, epoll on Linux.
//
// Laws of this file:
// - A set refers to the descriptors that it watches, and closes none of them.
// - A wait ends at its time, when something happens, or by a signal; it tells what happened, and changes nothing.
// - A part of adapt/poll.hpp, which includes it; its names are public there.

#include "../../wsolo.hpp"
#include "poll_timeout.hpp"
#include "poll_watched.hpp"

#include <poll.h>
#include <span>
#include <vector>
#if defined(__linux__)
#include <sys/epoll.h>
#include <sys/timerfd.h>
#endif

namespace wsolo::inline WSOLO_ABI::adapt::poll {

/// Waits by poll(), everywhere; for the loop's thread. O(descriptors) a wait, and a change. Refers to the descriptors, and owns none.
class poll_set {
public:
    /// False: the system denied it a descriptor.
    [[nodiscard]] bool is_open() const noexcept { return true; }
    /// From `which.interest`, what it is watched for, to `interest`. False: no memory.
    [[nodiscard]] bool change(detail::watched& which, unsigned interest) noexcept {
        const auto events = static_cast<short>(interest);
        if (which.interest == 0) {
            if (!wsolo::detail::call_hook([&] { owners_.reserve(asked_.size() + 1); }) ||
                !wsolo::detail::call_hook([&] { asked_.push_back({which.descriptor, events, 0}); }))
                return false;
            owners_.push_back(&which);
            return true;
        }
        std::size_t at = 0;
        while (owners_[at] != &which) ++at;
        asked_[at].events = events;
        if (interest != 0) return true;
        owners_[at] = owners_.back();
        asked_[at] = asked_.back();
        owners_.pop_back();
        asked_.pop_back();
        return true;
    }
    /// What happened, as much as there is room for. Nothing, perhaps, after a signal, `until`, or `due`, the time of something
    /// else, which moves rarely; without either (no_deadline) there is no end to the wait.
    [[nodiscard]] std::size_t wait(time_point now, time_point until, time_point due,
                                   std::span<detail::happening> room) noexcept {
        const int timeout = adapt::detail::poll_timeout(until < due ? until : due, now);
        int left = ::poll(asked_.data(), static_cast<nfds_t>(asked_.size()), timeout);
        std::size_t count = 0;
        for (std::size_t looked = 0; looked < asked_.size() && left > 0 && count < room.size(); ++looked) {
            if (++last_ >= asked_.size()) last_ = 0; // all have their turn, however many happen
            if (asked_[last_].revents == 0) continue;
            room[count++] = {owners_[last_], static_cast<unsigned>(asked_[last_].revents)};
            --left;
        }
        return count;
    }

private:
    std::vector<pollfd> asked_;
    std::vector<detail::watched*> owners_;
    std::size_t last_ = 0;
};

#if defined(__linux__)
/// Waits by epoll; for the loop's thread. O(what happened) a wait. Owns two descriptors, and closes no other. What is due has a
/// timer in the set, which is set only when it is to come earlier, or has come: a wait without a timeout is the cheaper one.
class epoll_set {
public:
    epoll_set() noexcept {
        epoll_event event{};
        event.events = EPOLLIN | EPOLLET; // it is never read: each time that it is set is an edge of its own
        static_cast<void>(::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, timer_.get(), &event));
    }
    /// False: the system denied it a descriptor.
    [[nodiscard]] bool is_open() const noexcept { return epoll_.get() >= 0 && timer_.get() >= 0; }
    /// Watches for exactly `interest` (POLLIN, POLLOUT; 0: takes it out). False: the system refused.
    [[nodiscard]] bool change(detail::watched& which, unsigned interest) noexcept {
        epoll_event event{};
        event.events = interest;
        event.data.ptr = &which;
        const int operation = which.interest == 0 ? EPOLL_CTL_ADD
                              : interest == 0     ? EPOLL_CTL_DEL
                                                  : EPOLL_CTL_MOD;
        return ::epoll_ctl(epoll_.get(), operation, which.descriptor, &event) == 0;
    }
    /// Waits until `until`, or something happens; `due` is what the timer is set for. How many of `room` are filled.
    [[nodiscard]] std::size_t wait(time_point now, time_point until, time_point due,
                                   std::span<detail::happening> room) noexcept {
        epoll_event found[128];
        const int most = static_cast<int>(room.size() < std::size(found) ? room.size() : std::size(found));
        if (until > now) set_timer(now, due);
        const int timeout = adapt::detail::poll_timeout(until, now);
        const int happened = ::epoll_wait(epoll_.get(), found, most, timeout); // negative: EINTR
        std::size_t count = 0;
        for (int at = 0; at < happened; ++at) {
            auto* const whose = static_cast<detail::watched*>(found[at].data.ptr);
            if (whose != nullptr) room[count++] = {whose, found[at].events}; // nullptr: the timer has come
        }
        return count;
    }

private:
    void set_timer(time_point now, time_point due) noexcept {
        if (due >= set_to_ && set_to_ > now) return;
        set_to_ = due;
        if (due == no_deadline) return;
        const auto whole = std::chrono::floor<std::chrono::seconds>(due.time_since_epoch());
        itimerspec when{};
        when.it_value.tv_sec = static_cast<time_t>(whole.count());
        when.it_value.tv_nsec = static_cast<long>(
            std::chrono::duration_cast<std::chrono::nanoseconds>(due.time_since_epoch() - whole).count());
        static_cast<void>(::timerfd_settime(timer_.get(), TFD_TIMER_ABSTIME, &when, nullptr));
    }

    static_assert(EPOLLIN == POLLIN && EPOLLOUT == POLLOUT && EPOLLERR == POLLERR && EPOLLHUP == POLLHUP);
    detail::owned_descriptor epoll_{::epoll_create1(EPOLL_CLOEXEC)};
    detail::owned_descriptor timer_{::timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC)};
    time_point set_to_ = no_deadline;
};
#endif

} // namespace wsolo::inline WSOLO_ABI::adapt::poll
