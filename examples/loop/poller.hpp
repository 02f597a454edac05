#pragma once
// epoll, and no more of it than a server needs.

#include "descriptor.hpp"
#include "peer_id.hpp"

#include <wsolo/core/time.hpp>

#include <array>
#include <cerrno>
#include <span>
#include <sys/epoll.h>
#include <system_error>

namespace loop {

/// For one thread.
class poller {
public:
    poller() : epoll_(::epoll_create1(EPOLL_CLOEXEC)) {
        if (!epoll_) throw std::system_error(errno, std::generic_category(), "epoll_create1");
    }

    /// False when the system has no room for another watch.
    [[nodiscard]] bool watch(int socket, peer_id id, std::uint32_t interest) noexcept {
        return control(EPOLL_CTL_ADD, socket, id, interest);
    }
    /// Watches for `interest` instead of `watched`, what it was asked for last. None: out of the set, which would tell
    /// hang-ups unasked, again and again. False as above.
    [[nodiscard]] bool change(int socket, peer_id id, std::uint32_t watched,
                              std::uint32_t interest) noexcept {
        if (interest == watched) return true;
        const int operation = watched == 0 ? EPOLL_CTL_ADD : interest == 0 ? EPOLL_CTL_DEL : EPOLL_CTL_MOD;
        return control(operation, socket, id, interest);
    }
    void forget(int socket) noexcept { control(EPOLL_CTL_DEL, socket, 0, 0); }

    /// What happened, or nothing by `until`. The events live until the next call.
    [[nodiscard]] std::span<const epoll_event> wait(wsolo::time_point until) noexcept {
        const int count =
            ::epoll_wait(epoll_.get(), events_.data(), static_cast<int>(events_.size()), timeout(until));
        return {events_.data(), count > 0 ? static_cast<std::size_t>(count) : 0}; // negative: EINTR
    }

private:
    bool control(int operation, int socket, peer_id id, std::uint32_t interest) noexcept {
        epoll_event event{};
        event.events = interest;
        event.data.u64 = id;
        return ::epoll_ctl(epoll_.get(), operation, socket, &event) == 0;
    }

    static int timeout(wsolo::time_point until) noexcept {
        if (until == wsolo::no_deadline) return -1;
        const auto left =
            std::chrono::ceil<std::chrono::milliseconds>(until - std::chrono::steady_clock::now());
        constexpr std::chrono::milliseconds longest{60'000};
        if (left.count() <= 0) return 0;
        return static_cast<int>(left < longest ? left.count() : longest.count());
    }

    descriptor epoll_;
    std::array<epoll_event, 128> events_{};
};

} // namespace loop
