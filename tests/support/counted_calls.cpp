// The counted functions: each __wrap_NAME counts and calls the real one (see the linker's --wrap).

#include "counted_calls.hpp"

#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

namespace {

thread_local support::call_counts* counts_of_this_thread = nullptr;

void count(support::call which) noexcept {
    if (counts_of_this_thread != nullptr) ++(*counts_of_this_thread)[static_cast<std::size_t>(which)];
}

} // namespace

namespace support {

void count_calls_in(call_counts* counts) noexcept { counts_of_this_thread = counts; }

} // namespace support

// The names are the linker's.
// NOLINTBEGIN(bugprone-reserved-identifier)
#define COUNTED(result, name, parameters, arguments)                                                         \
    result __real_##name parameters;                                                                         \
    result __wrap_##name parameters;                                                                         \
    result __wrap_##name parameters {                                                                        \
        count(support::call::name);                                                                          \
        return __real_##name arguments;                                                                      \
    }

extern "C" {
COUNTED(int, epoll_wait, (int set, epoll_event* events, int most, int timeout), (set, events, most, timeout))
COUNTED(int, epoll_ctl, (int set, int operation, int fd, epoll_event* event), (set, operation, fd, event))
COUNTED(ssize_t, recv, (int fd, void* to, std::size_t size, int flags), (fd, to, size, flags))
COUNTED(ssize_t, send, (int fd, const void* from, std::size_t size, int flags), (fd, from, size, flags))
COUNTED(ssize_t, sendmsg, (int fd, const msghdr* message, int flags), (fd, message, flags))
COUNTED(ssize_t, read, (int fd, void* to, std::size_t size), (fd, to, size))
COUNTED(ssize_t, write, (int fd, const void* from, std::size_t size), (fd, from, size))
COUNTED(int, timerfd_settime, (int fd, int flags, const itimerspec* fresh, itimerspec* old),
        (fd, flags, fresh, old))
}
// NOLINTEND(bugprone-reserved-identifier)
