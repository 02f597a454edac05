#include "feed.hpp"

#include <cerrno>
#include <netinet/in.h>
#include <sys/socket.h>
#include <system_error>
#include <unistd.h>

namespace demo {

int listen_on(std::uint16_t port, int buffer) {
    const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const int on = 1;
    sockaddr_in where{};
    where.sin_family = AF_INET;
    where.sin_port = htons(port);
    where.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (buffer > 0)
        ::setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &buffer, sizeof buffer); // what it accepts inherits that
    if (fd >= 0 && ::bind(fd, reinterpret_cast<sockaddr*>(&where), sizeof where) == 0 &&
        ::listen(fd, SOMAXCONN) == 0)
        return fd;
    const int error = errno;
    if (fd >= 0) ::close(fd);
    throw std::system_error(error, std::generic_category(), "port " + std::to_string(port));
}

std::uint16_t port_of(int listening) {
    sockaddr_in where{};
    socklen_t size = sizeof where;
    return ::getsockname(listening, reinterpret_cast<sockaddr*>(&where), &size) == 0 ? ntohs(where.sin_port)
                                                                                     : std::uint16_t{0};
}

} // namespace demo
