// An echo server that compresses (permessage-deflate), in one thread.
//
//     compressed [--port N] [--mode shared|own|none] [--window BITS] [--min-size BYTES] [--max-message BYTES]
//
// It says where it listens, and ends in order at SIGTERM or SIGINT.

#include "settings.hpp"

#include <wsolo/adapt/poll.hpp>
#include <wsolo/adapt/zlib.hpp>

#include <arpa/inet.h>
#include <csignal>
#include <cstdio>
#include <optional>
#include <sys/socket.h>
#include <thread>

using namespace std::chrono_literals;

namespace {

std::optional<compressed::settings> settings_of(int count, char** given) {
    compressed::settings told;
    for (int i = 1; i < count; i += 2) {
        if (i + 1 == count || !compressed::take_option(told, given[i], given[i + 1])) return std::nullopt;
    }
    return told;
}

struct echo {
    wsolo::adapt::zlib::permessage_deflate compression;
    wsolo::errc on_message(auto& ws, wsolo::message&& got) { return ws.send(got); }
};

/// A listening socket on the loopback interface, and its port; -1 without one.
int listen_on(std::uint16_t& port) {
    const int made = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const int yes = 1;
    ::setsockopt(made, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = ::htonl(INADDR_LOOPBACK);
    address.sin_port = ::htons(port);
    socklen_t size = sizeof address;
    auto* const any = reinterpret_cast<sockaddr*>(&address);
    if (made < 0 || ::bind(made, any, size) != 0 || ::listen(made, 128) != 0) return -1;
    ::getsockname(made, any, &size);
    port = ::ntohs(address.sin_port);
    return made;
}

} // namespace

int main(int count, char** given) {
    const auto told = settings_of(count, given);
    if (!told) {
        std::fprintf(stderr, "usage: compressed [--port N] %s\n", compressed::common_options);
        return 2;
    }
    sigset_t ends;
    ::sigemptyset(&ends);
    ::sigaddset(&ends, SIGTERM);
    ::sigaddset(&ends, SIGINT);
    ::pthread_sigmask(SIG_BLOCK, &ends, nullptr);

    std::uint16_t port = told->port;
    const int listening = listen_on(port);
    if (listening < 0) {
        std::perror("compressed");
        return 1;
    }
    wsolo::connection_group everyone;
    wsolo::adapt::poll::loop loop;
    wsolo::server_options options;
    options.reading.max_message_size = told->max_message;
    options.writing.limits.max_message = static_cast<std::uint32_t>(told->max_message);
    options.writing.limits.max_bytes = 4 * told->max_message;
    options.max_unsent = 2 * told->max_message;
    const auto make = [&] { return echo{wsolo::adapt::zlib::permessage_deflate(told->deflate)}; };
    if (loop.accept(listening, everyone, make, options) != wsolo::errc::none) return 1;
    std::printf("listening on 127.0.0.1:%u\n", unsigned{port});
    std::fflush(stdout);
    std::thread waiting([&] {
        int which = 0;
        ::sigwait(&ends, &which);
        loop.stop_accepting();
        static_cast<void>(everyone.close_all(wsolo::close_code::going_away, "restart", 2s));
        loop.wake();
    });
    loop.run();
    waiting.join();
    return 0;
}
