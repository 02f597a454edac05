#include "dial.hpp"

#include <wsolo/adapt/posix.hpp>
#include <wsolo/handshake/upgrade.hpp>

#include <fcntl.h>
#include <memory>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdexcept>
#include <system_error>

namespace client {
namespace {

using loop::descriptor;
using wsolo::errc;

[[noreturn]] void fail(errc why) { throw std::runtime_error(std::string(wsolo::to_string(why))); }

void wait_for(int socket, short events, wsolo::time_point deadline) {
    const auto left =
        std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
    pollfd wanted{socket, events, 0};
    const int ready = left.count() > 0 ? ::poll(&wanted, 1, static_cast<int>(left.count())) : 0;
    if (ready == 0) fail(errc::handshake_timeout);
    if (ready < 0 && errno != EINTR) throw std::system_error(errno, std::generic_category(), "poll");
}

descriptor connect_to(const addrinfo& address, wsolo::time_point deadline) {
    descriptor socket(::socket(address.ai_family, address.ai_socktype | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!socket) throw std::system_error(errno, std::generic_category(), "socket");
    if (::connect(socket.get(), address.ai_addr, address.ai_addrlen) != 0 && errno != EINPROGRESS)
        throw std::system_error(errno, std::generic_category(), "connect");
    wait_for(socket.get(), POLLOUT, deadline);
    int error = 0;
    socklen_t size = sizeof error;
    ::getsockopt(socket.get(), SOL_SOCKET, SO_ERROR, &error, &size);
    if (error != 0) throw std::system_error(error, std::generic_category(), "connect");
    const int on = 1; // the writer coalesces by itself
    ::setsockopt(socket.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    return socket;
}

descriptor connect_to(const url& to, wsolo::time_point deadline) {
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

void send_all(int socket, wsolo::const_bytes bytes, wsolo::time_point deadline) {
    wsolo::adapt::posix_socket out(socket);
    while (!bytes.empty()) {
        const wsolo::io_result done = out.write({&bytes, 1}, deadline);
        bytes = bytes.subspan(done.transferred);
        if (done.status == wsolo::io_status::failed)
            throw std::system_error(done.error, std::generic_category(), "send");
        if (done.status == wsolo::io_status::would_block) wait_for(socket, POLLOUT, deadline);
    }
}

} // namespace

dialled dial(const url& to, wsolo::time_point deadline) {
    dialled made;
    made.socket = connect_to(to, deadline);
    wsolo::client_handshake handshake;
    wsolo::random_keys keys;
    const errc refused = handshake.start({.host = to.authority, .target = to.target}, keys);
    if (refused != errc::none) fail(refused);
    send_all(made.socket.get(), handshake.request(), deadline);
    for (std::byte buffer[4096]; handshake.status() == wsolo::handshake_status::need_more;) {
        const ssize_t count = ::recv(made.socket.get(), buffer, sizeof buffer, 0);
        if (count < 0 && (errno == EAGAIN || errno == EINTR)) {
            wait_for(made.socket.get(), POLLIN, deadline);
            continue;
        }
        if (count < 0) throw std::system_error(errno, std::generic_category(), "recv");
        if (count == 0) fail(errc::connection_lost);
        wsolo::mutable_bytes input(buffer, static_cast<std::size_t>(count));
        handshake.feed(input);
        if (!made.early.append(input)) fail(errc::out_of_memory);
    }
    if (handshake.status() == wsolo::handshake_status::failed) fail(handshake.error());
    return made;
}

} // namespace client
