#include "dial.hpp"

#include <cerrno>
#include <memory>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdexcept>
#include <sys/socket.h>
#include <system_error>

namespace client {
namespace {

void wait_until_writable(int socket, wsolo::time_point deadline) {
    const auto left =
        std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
    pollfd wanted{socket, POLLOUT, 0};
    const int ready = left.count() > 0 ? ::poll(&wanted, 1, static_cast<int>(left.count())) : 0;
    if (ready == 0) throw std::system_error(ETIMEDOUT, std::generic_category(), "connect");
    if (ready < 0 && errno != EINTR) throw std::system_error(errno, std::generic_category(), "poll");
}

descriptor connect_to(const addrinfo& address, wsolo::time_point deadline) {
    descriptor socket(::socket(address.ai_family, address.ai_socktype | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!socket) throw std::system_error(errno, std::generic_category(), "socket");
    if (::connect(socket.get(), address.ai_addr, address.ai_addrlen) != 0 && errno != EINPROGRESS)
        throw std::system_error(errno, std::generic_category(), "connect");
    wait_until_writable(socket.get(), deadline);
    int error = 0;
    socklen_t size = sizeof error;
    ::getsockopt(socket.get(), SOL_SOCKET, SO_ERROR, &error, &size);
    if (error != 0) throw std::system_error(error, std::generic_category(), "connect");
    const int on = 1; // the writer coalesces by itself
    ::setsockopt(socket.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    return socket;
}

} // namespace

descriptor dial(const url& to, wsolo::time_point deadline) {
    addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM;
    addrinfo* found = nullptr;
    if (const int error = ::getaddrinfo(to.host.c_str(), to.port.c_str(), &hints, &found); error != 0)
        throw std::runtime_error(to.host + ": " + ::gai_strerror(error));
    const std::unique_ptr<addrinfo, void (*)(addrinfo*)> owned(found, ::freeaddrinfo);
    for (const addrinfo* each = found;; each = each->ai_next) {
        try {
            return connect_to(*each, deadline);
        } catch (const std::system_error&) {
            if (each->ai_next == nullptr) throw;
        }
    }
}

} // namespace client
