// An echo server for HttpArena's profile echo-ws: a loop and a listener for each processor, on port 8080.

#include <wsolo/adapt/poll.hpp>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <sched.h>
#include <sys/resource.h>
#include <thread>
#include <vector>

using namespace std::chrono_literals;

namespace {

struct echo {
    wsolo::errc on_message(auto& ws, const wsolo::message& got) { return ws.send(got); }
    void on_request(const wsolo::upgrade_request& asked, wsolo::http_reply& reply) {
        if (asked.target() != "/ws") return reply.respond({.status = 404, .body = "only /ws is here\n"});
        if (!asked.is_upgrade()) return reply.respond({.status = 426, .body = "a WebSocket is here\n"});
        reply.accept();
    }
};

/// The processors that this process may run on.
unsigned processors() {
    cpu_set_t mine;
    const int count = ::sched_getaffinity(0, sizeof mine, &mine) == 0 ? CPU_COUNT(&mine) : 1;
    return count > 0 ? static_cast<unsigned>(count) : 1;
}

/// Every loop has a listener of its own on the port, between which the system spreads the connections.
int listen_on(std::uint16_t port) {
    const int fd = ::socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const int on = 1, off = 0;
    ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    ::setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
    ::setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off); // IPv4 too
    sockaddr_in6 where{};
    where.sin6_family = AF_INET6;
    where.sin6_port = htons(port);
    if (::bind(fd, reinterpret_cast<sockaddr*>(&where), sizeof where) != 0 || ::listen(fd, 4096) != 0) {
        std::perror("listen");
        std::exit(1);
    }
    return fd;
}

} // namespace

int main(int count, char** given) {
    const auto port = static_cast<std::uint16_t>(count > 1 ? std::atoi(given[1]) : 8080);
    rlimit files{}; // 16,384 connections
    ::getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    ::setrlimit(RLIMIT_NOFILE, &files);
    sigset_t ends; // before there is another thread: each inherits what it leaves to this one
    sigemptyset(&ends);
    sigaddset(&ends, SIGTERM);
    sigaddset(&ends, SIGINT);
    pthread_sigmask(SIG_BLOCK, &ends, nullptr);

    wsolo::connection_group everyone;
    std::vector<wsolo::adapt::poll::loop> loops(processors());
    for (auto& each : loops) {
        if (each.accept(listen_on(port), everyone, [] { return echo{}; }) != wsolo::errc::none) return 1;
    }
    std::vector<std::jthread> threads;
    for (auto& each : loops) threads.emplace_back([&each] { each.run(); });
    int which = 0;
    sigwait(&ends, &which);
    for (auto& each : loops) each.stop_accepting();
    static_cast<void>(everyone.close_all(wsolo::close_code::going_away, "restart", 2s));
}
