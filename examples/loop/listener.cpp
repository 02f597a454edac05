#include "listener.hpp"

#include <arpa/inet.h>
#include <cerrno>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <system_error>

namespace loop {
namespace {

[[noreturn]] void fail(const char* what) { throw std::system_error(errno, std::generic_category(), what); }

descriptor open_spare() { return descriptor(::open("/dev/null", O_RDONLY | O_CLOEXEC)); }

} // namespace

listener::listener(std::uint16_t port)
    : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)), spare_(open_spare()) {
    if (!socket_) fail("socket");
    const int on = 1;
    ::setsockopt(socket_.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    auto* where = reinterpret_cast<sockaddr*>(&address);
    if (::bind(socket_.get(), where, size) != 0) fail("bind");
    if (::listen(socket_.get(), SOMAXCONN) != 0) fail("listen");
    if (::getsockname(socket_.get(), where, &size) != 0) fail("getsockname");
    port_ = ntohs(address.sin_port);
}

accepted listener::accept(int flags) {
    sockaddr_in peer{};
    socklen_t size = sizeof peer;
    descriptor socket(::accept4(socket_.get(), reinterpret_cast<sockaddr*>(&peer), &size, flags));
    if (socket) {
        const int on = 1; // frames are coalesced by the writer; Nagle would only delay the last one
        ::setsockopt(socket.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        return {accept_status::accepted, std::move(socket), ntohs(peer.sin_port)};
    }
    switch (errno) {
#if EAGAIN != EWOULDBLOCK
    case EWOULDBLOCK:
#endif
    case EAGAIN: return {accept_status::none_waiting};
    case EMFILE:
    case ENFILE:
    case ENOBUFS:
    case ENOMEM: return refuse_one();
    default: return {accept_status::try_next}; // ECONNABORTED, EINTR, and the peer's network errors
    }
}

accepted listener::refuse_one() {
    spare_.reset();
    descriptor refused(::accept4(socket_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    const bool took_one = static_cast<bool>(refused);
    refused.reset();
    spare_ = open_spare();
    return {took_one ? accept_status::refused : accept_status::stuck};
}

} // namespace loop
