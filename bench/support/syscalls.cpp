// The counted functions: each __wrap_NAME counts and calls the real one (see the linker's --wrap).

#include "syscalls.hpp"

#include <atomic>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

namespace {

std::atomic<std::uint64_t> calls{0};
thread_local bool left_out = false;

void count() {
    if (!left_out) calls.fetch_add(1, std::memory_order_relaxed);
}

} // namespace

namespace bench {

std::uint64_t system_calls() { return calls.load(std::memory_order_relaxed); }
void leave_out_this_thread() { left_out = true; }

} // namespace bench

extern "C" {

ssize_t __real_read(int, void*, std::size_t);
ssize_t __wrap_read(int, void*, std::size_t);
ssize_t __wrap_read(int from, void* to, std::size_t size) {
    count();
    return __real_read(from, to, size);
}

ssize_t __real_write(int, const void*, std::size_t);
ssize_t __wrap_write(int, const void*, std::size_t);
ssize_t __wrap_write(int to, const void* from, std::size_t size) {
    count();
    return __real_write(to, from, size);
}

ssize_t __real_writev(int, const iovec*, int);
ssize_t __wrap_writev(int, const iovec*, int);
ssize_t __wrap_writev(int to, const iovec* parts, int size) {
    count();
    return __real_writev(to, parts, size);
}

ssize_t __real_sendmsg(int, const msghdr*, int);
ssize_t __wrap_sendmsg(int, const msghdr*, int);
ssize_t __wrap_sendmsg(int to, const msghdr* message, int flags) {
    count();
    return __real_sendmsg(to, message, flags);
}

ssize_t __real_send(int, const void*, std::size_t, int);
ssize_t __wrap_send(int, const void*, std::size_t, int);
ssize_t __wrap_send(int to, const void* from, std::size_t size, int flags) {
    count();
    return __real_send(to, from, size, flags);
}

int __real_poll(pollfd*, nfds_t, int);
int __wrap_poll(pollfd*, nfds_t, int);
int __wrap_poll(pollfd* of, nfds_t size, int timeout) {
    count();
    return __real_poll(of, size, timeout);
}

int __real_epoll_wait(int, epoll_event*, int, int);
int __wrap_epoll_wait(int, epoll_event*, int, int);
int __wrap_epoll_wait(int set, epoll_event* events, int size, int timeout) {
    count();
    return __real_epoll_wait(set, events, size, timeout);
}
}
