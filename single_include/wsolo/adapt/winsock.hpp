// Written by tools/amalgamate.py from include/wsolo/adapt/winsock.hpp: change it there.
// SPDX-License-Identifier: MIT
#pragma once
// Windows' sockets: a SOCKET as a transport, and a thread for each connection.
// Needs: winsock2.h (Windows Vista or later), and to be linked with ws2_32.
//
//     struct chat { wsolo::errc on_message(auto& ws, wsolo::message&& got) { return ws.send(got); } };
//
//     wsolo::connection_group everyone;
//     const wsolo::ending how = wsolo::adapt::winsock::serve(accepted, chat{}, everyone);   // in a thread of its own
//
// Laws of this file:
// - The SOCKET is borrowed: the program closes it when the connection is over. WSAStartup() is the program's, too.
// - A transport makes its socket a non-blocking one for good, because Winsock knows no call that does not wait on a blocking
//   one. A thread that reads it waits by WSAPoll, select or an event.
// - Windows takes a write whole wherever it has any room: a call offers 256 KiB at most, so that the memory it holds has a bound.
// - A program that needs <windows.h> includes <winsock2.h> before it.

#include "../wsolo.hpp"
#include "detail/poll_timeout.hpp"

#include <atomic>
#include <memory>
#include <winsock2.h>

namespace wsolo::inline WSOLO_ABI::adapt::winsock {

/// Models waitable_transport and byte_stream. write() never waits. `io_result::error` is WSAGetLastError()'s. The system does not
/// say what the peer has acknowledged, so there is no unsent(). Refers to the socket, which stays the caller's to close; movable.
/// The writer calls it, one thread at a time. Complexity: one system call per write.
class stream_socket {
public:
    /// `connected`: must stay open until finish() was called; under an endpoint, until it has `finished`.
    explicit stream_socket(SOCKET connected) noexcept : socket_(connected) {
        unsigned long on = 1;
        ::ioctlsocket(socket_, static_cast<long>(FIONBIO), &on);
    }

    static constexpr bool never_waits = true; ///< write() returns at once

    io_result write(std::span<const const_bytes> parts, time_point) noexcept {
        WSABUF list[max_parts];
        DWORD count = 0;
        std::size_t left = most_at_once;
        for (; count < parts.size() && count < max_parts && left > 0; ++count) {
            const const_bytes part =
                parts[count].first(parts[count].size() < left ? parts[count].size() : left);
            // WSASend reads only; WSABUF has no const form
            list[count].buf = const_cast<CHAR*>(reinterpret_cast<const CHAR*>(part.data()));
            list[count].len = static_cast<ULONG>(part.size());
            left -= part.size();
        }
        DWORD sent = 0;
        if (::WSASend(socket_, list, count, &sent, 0, nullptr, nullptr) == 0 && sent > 0)
            return {io_status::ok, sent, 0};
        const int error = ::WSAGetLastError();
        // A full buffer, or a passing shortage of the system's: the connection is whole, and the write's deadline bounds it.
        const bool not_now = error == WSAEWOULDBLOCK || error == WSAENOBUFS;
        return {not_now ? io_status::would_block : io_status::failed, 0, error};
    }

    /// Waits until the socket takes bytes (or is broken: the next write says so). False: the deadline passed first.
    [[nodiscard]] bool wait_writable(time_point deadline) noexcept {
        for (;;) {
            WSAPOLLFD wanted{socket_, POLLWRNORM, 0};
            const int timeout = adapt::detail::poll_timeout(deadline, std::chrono::steady_clock::now());
            if (::WSAPoll(&wanted, 1, timeout) != 0) return true;
            if (std::chrono::steady_clock::now() >= deadline) return false;
        }
    }

    /// An abort ends both directions.
    void finish(end_of_write why) noexcept {
        if (why == end_of_write::aborted) disconnect();
    }
    /// Our FIN: nothing more will be written; the peer's bytes can still be read.
    void end_output() noexcept { ::shutdown(socket_, SD_SEND); }
    void disconnect() noexcept { ::shutdown(socket_, SD_BOTH); }

    /// The borrowed socket.
    [[nodiscard]] SOCKET native() const noexcept { return socket_; }

private:
    static constexpr DWORD max_parts = 64;
    static constexpr std::size_t most_at_once = std::size_t{256} * 1024;

    SOCKET socket_;
};

static_assert(waitable_transport<stream_socket> && byte_stream<stream_socket>);

namespace detail {

/// Wakes a thread that waits in WSAPoll, which knows sockets only: a datagram socket that is connected to itself.
class bell {
public:
    bell() noexcept : socket_(::socket(AF_INET, SOCK_DGRAM, 0)) {
        sockaddr_in self{};
        self.sin_family = AF_INET;
        self.sin_addr.s_addr = ::htonl(INADDR_LOOPBACK);
        auto* const address = reinterpret_cast<sockaddr*>(&self);
        int size = sizeof self;
        unsigned long on = 1;
        is_open_ = ::bind(socket_, address, size) == 0 && ::getsockname(socket_, address, &size) == 0 &&
                   ::connect(socket_, address, size) == 0 &&
                   ::ioctlsocket(socket_, static_cast<long>(FIONBIO), &on) == 0;
    }
    bell(const bell&) = delete;
    bell& operator=(const bell&) = delete;
    ~bell() { ::closesocket(socket_); }

    [[nodiscard]] bool is_open() const noexcept { return is_open_; }
    [[nodiscard]] SOCKET native() const noexcept { return socket_; }

    void ring() noexcept { // any thread
        if (!is_rung_.exchange(true, std::memory_order_acq_rel)) ::send(socket_, "!", 1, 0);
    }
    /// What was rung for before is seen by what the caller does next.
    void clear() noexcept {
        char rung[8];
        while (::recv(socket_, rung, sizeof rung, 0) > 0) {}
        is_rung_.exchange(false, std::memory_order_acq_rel);
    }

private:
    SOCKET socket_;
    bool is_open_;
    std::atomic<bool> is_rung_{false};
};

struct ring_bell {
    bell* which;
    bool operator()() const noexcept { return which->ring(), true; }
};

template <class Connection>
endpoint_wants read(SOCKET socket, mutable_bytes buffer, Connection& ws) {
    const int got =
        ::recv(socket, reinterpret_cast<char*>(buffer.data()), static_cast<int>(buffer.size()), 0);
    if (got > 0) return ws.receive(buffer.first(static_cast<std::size_t>(got)));
    if (got == 0) return ws.end_of_input();
    return ::WSAGetLastError() == WSAEWOULDBLOCK ? ws.run() : ws.end_of_input(errc::connection_lost);
}

/// A connection's loop, in this thread until it has ended.
template <class Connection>
void drive(SOCKET socket, bell& wake, mutable_bytes buffer, Connection& ws) {
    constexpr short broken = POLLERR | POLLHUP | POLLNVAL;
    for (endpoint_wants wants = ws.run(); !wants.finished;) {
        WSAPOLLFD looked[] = {{wake.native(), POLLRDNORM, 0}, {socket, 0, 0}};
        if (wants.read) looked[1].events |= POLLRDNORM;
        if (wants.write) looked[1].events |= POLLWRNORM;
        // One that wants neither is not looked at, because a hang-up is told always.
        const ULONG count = looked[1].events != 0 ? 2 : 1;
        const int timeout = adapt::detail::poll_timeout(wants.deadline, std::chrono::steady_clock::now());
        if (::WSAPoll(looked, count, timeout) == SOCKET_ERROR) {
            wants = ws.abort(errc::connection_lost);
            continue;
        }
        if (looked[0].revents != 0) wake.clear();
        if (wants.read && (looked[1].revents & (POLLRDNORM | broken)) != 0) wants = read(socket, buffer, ws);
        // Also after a read: the bell, room to write and a deadline may have come with it.
        if (!wants.finished) wants = ws.run();
    }
}

} // namespace detail

/// Serves one connected socket in this thread, from its request to its end: how it ended. The socket stays the caller's, who
/// closes it afterwards. A group's close_all() ends it; before it is open, only options.handshake_timeout bounds it. It has a
/// socket of its own, which other threads wake it by, and 64 KiB to read into. Errors (`reason`): out_of_memory, of sockets too.
template <class Handler>
ending serve(SOCKET connected, Handler handler, connection_group& everyone,
             const server_options& options = {}) {
    constexpr std::size_t buffer_size = std::size_t{64} * 1024;
    detail::bell wake; // outlives the connection, whose hook rings it
    const std::unique_ptr<std::byte[]> buffer(new (std::nothrow) std::byte[buffer_size]);
    if (!wake.is_open() || buffer == nullptr) {
        ending how;
        how.reason = errc::out_of_memory;
        return how;
    }
    const BOOL on = TRUE; // the writer gathers frames itself; Nagle would only delay the last one
    ::setsockopt(connected, IPPROTO_TCP, TCP_NODELAY, reinterpret_cast<const char*>(&on), sizeof on);
    server_connection<stream_socket, detail::ring_bell, Handler> ws(
        stream_socket(connected), detail::ring_bell{&wake}, std::move(handler), options);
    if (ws.join(everyone) != errc::none) static_cast<void>(ws.close()); // it closes
    detail::drive(connected, wake, {buffer.get(), buffer_size}, ws);
    return ws.how_it_ended();
}

} // namespace wsolo::inline WSOLO_ABI::adapt::winsock
