#pragma once
// What the tests of adapt/poll.hpp serve with: sockets, a listener, a handler, and a loop in a thread of its own.

#include "blocking_client.hpp"

#include <wsolo/adapt/poll.hpp>

#include <arpa/inet.h>
#include <thread>

#if defined(__linux__)
#define POLL_SETS wsolo::adapt::poll::epoll_set, wsolo::adapt::poll::poll_set
#else
#define POLL_SETS wsolo::adapt::poll::poll_set
#endif

namespace support::polling {

using namespace std::chrono_literals;
using wsolo::close_code;
using wsolo::errc;
namespace sockets = wsolo::adapt::poll;

/// Both ends; the second is the client's.
struct socket_pair {
    socket_pair() { REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0); }
    int ends[2] = {-1, -1};
};

struct listening_socket {
    listening_socket() : fd(::socket(AF_INET, SOCK_STREAM, 0)) {
        where.sin_family = AF_INET;
        where.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        socklen_t size = sizeof where;
        REQUIRE(::bind(fd, address(), size) == 0);
        REQUIRE(::listen(fd, 64) == 0);
        REQUIRE(::getsockname(fd, address(), &size) == 0);
    }
    [[nodiscard]] client connect() {
        const int connected = ::socket(AF_INET, SOCK_STREAM, 0);
        REQUIRE(connected >= 0);
        REQUIRE(::connect(connected, address(), sizeof where) == 0);
        return client(connected);
    }
    sockaddr* address() { return reinterpret_cast<sockaddr*>(&where); }

    sockaddr_in where{};
    int fd; ///< the loop closes it
};

struct echoing {
    errc on_message(auto& ws, wsolo::message&& got) { return ws.send(got); }
};

inline wsolo::server_options quick() {
    wsolo::server_options how;
    how.ending.linger_timeout = how.ending.close_timeout = 2s;
    return how;
}

inline bool is_open(int fd) { return ::fcntl(fd, F_GETFD) != -1; }

/// A loop with its group, in a thread of its own until it has nothing left.
template <class Set>
struct running {
    [[nodiscard]] client add(auto handler, const wsolo::server_options& how = quick()) {
        const socket_pair fresh;
        REQUIRE(loop.add(fresh.ends[0], std::move(handler), everyone, how) == errc::none);
        return client(fresh.ends[1]);
    }
    void start() {
        thread = std::thread([this] { loop.run(); });
    }
    void stop() {
        loop.stop_accepting();
        static_cast<void>(everyone.close_all(close_code::going_away, "", 2s));
    }
    ~running() {
        if (thread.joinable()) thread.join();
    }

    wsolo::connection_group everyone;
    sockets::basic_loop<Set> loop;
    std::thread thread;
};

} // namespace support::polling
