#pragma once
// A listening TCP socket on the loopback interface, for hosts that have sockets and no library for them.

#include "host.hpp"

#include <arpa/inet.h>
#include <cerrno>
#include <chrono>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

/// The descriptor. Port 0 becomes the one that the system chose. Ends the program if the port is not to be had.
inline int listen_in_silence(std::uint16_t& port) {
    const int fd = ::socket(AF_INET, SOCK_STREAM, 0);
    const int on = 1;
    ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    sockaddr_in where{};
    where.sin_family = AF_INET;
    where.sin_port = htons(port);
    where.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof where;
    auto* const address = reinterpret_cast<sockaddr*>(&where);
    if (::bind(fd, address, size) != 0 || ::listen(fd, SOMAXCONN) != 0 ||
        ::getsockname(fd, address, &size) != 0) {
        std::perror("listen");
        std::exit(1);
    }
    port = ntohs(where.sin_port);
    return fd;
}

/// The same, and says so on standard output.
inline int listen_on(std::uint16_t port) {
    const int fd = listen_in_silence(port);
    say_listening(port);
    return fd;
}

/// The next one that connects. Negative: none did, after a pause where that is needed. No error of accept() is the server's end:
/// it may lack descriptors, which some connection gives back, or the network was down.
inline int accept_on(int listening) {
    const int fd = ::accept(listening, nullptr, nullptr);
    if (fd < 0 && errno != EINTR && errno != ECONNABORTED)
        std::this_thread::sleep_for(std::chrono::milliseconds(100));
    return fd;
}
