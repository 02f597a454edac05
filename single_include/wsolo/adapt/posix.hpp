// Written by tools/amalgamate.py from include/wsolo/adapt/posix.hpp: change it there.
// SPDX-License-Identifier: MIT
#pragma once
// A POSIX stream socket as a transport: one system call per write, partial writes kept, SIGPIPE never raised.
//
// Laws of this file:
// - The descriptor is borrowed: the server that accepted it reads it, and closes it when the connection is over.
// - SIGPIPE is suppressed per call (MSG_NOSIGNAL) or per socket (SO_NOSIGPIPE), so the application need not handle
//   it.
// - Works with blocking and non-blocking descriptors, and with any readiness loop (epoll, kqueue, poll).

#include "../wsolo.hpp"
#include "detail/poll_timeout.hpp"

#include <cerrno>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#if defined(__linux__)
#include <linux/sockios.h>
#endif

namespace wsolo::inline WSOLO_ABI::adapt {

/// Models waitable_transport. write() never waits, whatever the descriptor's mode: it answers would_block,
/// and the loop (or wait_writable, in the threaded drive) waits. Refers to the descriptor, which stays the caller's to close; movable.
/// The writer calls it, one thread at a time. Complexity: one system call per write.
class posix_socket {
public:
    /// `descriptor`: a connected stream socket. Must stay open until finish() was called; under an endpoint, until it has
    /// `finished`.
    explicit posix_socket(int descriptor) noexcept : descriptor_(descriptor) {
#if defined(SO_NOSIGPIPE)
        const int on = 1;
        ::setsockopt(descriptor_, SOL_SOCKET, SO_NOSIGPIPE, &on, sizeof on);
#endif
    }

    static constexpr bool never_waits = true; ///< write() returns at once

    io_result write(std::span<const const_bytes> parts, time_point) noexcept {
        for (;;) {
            const ssize_t sent = send(parts);
            if (sent > 0) return {io_status::ok, static_cast<std::size_t>(sent), 0};
            if (sent == 0) return {io_status::would_block, 0, 0};
            if (errno == EINTR) continue;
            if (says_not_now(errno)) return {io_status::would_block, 0, errno};
            return {io_status::failed, 0, errno};
        }
    }

    /// Waits until the socket takes bytes (or is broken: the next write says so). False: the deadline passed
    /// first.
    [[nodiscard]] bool wait_writable(time_point deadline) noexcept {
        for (;;) {
            pollfd wanted{descriptor_, POLLOUT, 0};
            const int ready =
                ::poll(&wanted, 1, detail::poll_timeout(deadline, std::chrono::steady_clock::now()));
            if (ready > 0) return true;
            if (ready < 0 && errno != EINTR) return true;
            if (std::chrono::steady_clock::now() >= deadline) return false;
        }
    }

    /// An abort ends both directions, so that a thread that waits in recv() sees the end too.
    void finish(end_of_write why) noexcept {
        if (why == end_of_write::aborted) disconnect();
    }
    /// Our FIN: nothing more will be written; the peer's bytes can still be read.
    void end_output() noexcept { ::shutdown(descriptor_, SHUT_WR); }
    void disconnect() noexcept { ::shutdown(descriptor_, SHUT_RDWR); }

#if defined(SIOCOUTQ)
    /// Bytes in the socket's buffer that the peer has not acknowledged. One system call; 0 where the system can't say.
    [[nodiscard]] std::size_t unsent() const noexcept {
        int bytes = 0;
        return ::ioctl(descriptor_, SIOCOUTQ, &bytes) == 0 && bytes > 0 ? static_cast<std::size_t>(bytes) : 0;
    }
#endif

    /// The borrowed descriptor.
    [[nodiscard]] int descriptor() const noexcept { return descriptor_; }

private:
    /// One part needs no list of parts, which the system would copy and check.
    ssize_t send(std::span<const const_bytes> parts) noexcept {
        if (parts.size() == 1) return ::send(descriptor_, parts[0].data(), parts[0].size(), send_flags);
        iovec vector[max_parts];
        std::size_t count = 0;
        for (; count < parts.size() && count < max_parts; ++count) {
            // sendmsg reads only; iovec has no const form
            vector[count].iov_base = const_cast<std::byte*>(parts[count].data());
            vector[count].iov_len = parts[count].size();
        }
        msghdr message{};
        message.msg_iov = vector;
        message.msg_iovlen = static_cast<decltype(message.msg_iovlen)>(count);
        return ::sendmsg(descriptor_, &message, send_flags);
    }

    static constexpr std::size_t max_parts = 64;
#if defined(MSG_NOSIGNAL)
    static constexpr int send_flags = MSG_NOSIGNAL | MSG_DONTWAIT;
#else
    static constexpr int send_flags = MSG_DONTWAIT;
#endif

    /// A full buffer, or a temporary shortage in the system: the connection is intact, and the write's deadline bounds the wait.
    static bool says_not_now(int error) noexcept {
#if EAGAIN != EWOULDBLOCK
        if (error == EWOULDBLOCK) return true;
#endif
        return error == EAGAIN || error == ENOBUFS || error == ENOMEM;
    }

    int descriptor_;
};

static_assert(waitable_transport<posix_socket> && byte_stream<posix_socket>);

} // namespace wsolo::inline WSOLO_ABI::adapt
