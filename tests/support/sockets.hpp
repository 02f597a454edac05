#pragma once
// Real connections for the scenarios: a Unix socket pair and loopback TCP, and the plain reads and writes
// of the peer, which shares no code with the library.
//
// Laws of this file:
// - A descriptor is closed once, by its last holder.
// - A read that nothing answers ends after ten seconds: a scenario that hangs fails with its name.

#include <wsolo/adapt/posix.hpp>

#include "catch.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdexcept>
#include <string>
#include <string_view>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>
#include <utility>

namespace support {

/// A posix_socket whose output ends with its writer, for tests that read to the stream's end and have no stream_end.
struct ending_socket : wsolo::adapt::posix_socket {
    using posix_socket::posix_socket;
    void finish(wsolo::end_of_write why) noexcept {
        posix_socket::finish(why);
        if (why != wsolo::end_of_write::aborted) end_output();
    }
};

class descriptor {
public:
    descriptor() = default;
    explicit descriptor(int number) noexcept : number_(number) {}
    descriptor(descriptor&& other) noexcept : number_(std::exchange(other.number_, -1)) {}
    descriptor& operator=(descriptor&& other) noexcept {
        std::swap(number_, other.number_);
        return *this;
    }
    ~descriptor() {
        if (number_ >= 0) ::close(number_);
    }

    [[nodiscard]] int get() const noexcept { return number_; }

private:
    int number_ = -1;
};

/// Both ends of one connection.
struct connection_ends {
    descriptor ours;
    descriptor peers;
};

enum class network { unix_pair, tcp };

namespace detail {

inline connection_ends tcp_ends() {
    const descriptor listener(::socket(AF_INET, SOCK_STREAM, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    auto* const name = reinterpret_cast<sockaddr*>(&address);
    connection_ends ends{{}, descriptor(::socket(AF_INET, SOCK_STREAM, 0))};
    const bool connected = ::bind(listener.get(), name, size) == 0 && ::listen(listener.get(), 1) == 0 &&
                           ::getsockname(listener.get(), name, &size) == 0 &&
                           ::connect(ends.peers.get(), name, size) == 0;
    if (connected) ends.ours = descriptor(::accept(listener.get(), nullptr, nullptr));
    const int on = 1;
    for (const int each : {ends.ours.get(), ends.peers.get()})
        ::setsockopt(each, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    return ends;
}

} // namespace detail

enum class send_buffers { small, of_the_system };

/// A connection, already there.
inline connection_ends connect_both(network kind, send_buffers sending = send_buffers::small) {
    connection_ends ends;
    if (kind == network::tcp) {
        ends = detail::tcp_ends();
    } else {
        int both[2] = {-1, -1};
        if (::socketpair(AF_UNIX, SOCK_STREAM, 0, both) == 0)
            ends = {descriptor(both[0]), descriptor(both[1])};
    }
    const timeval patience{10, 0};
    const int buffer = 128 * 1024; // the same everywhere, and soon full
    for (const int each : {ends.ours.get(), ends.peers.get()}) {
        if (each < 0) throw std::runtime_error("no connection");
        ::setsockopt(each, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
        ::setsockopt(each, SOL_SOCKET, SO_RCVBUF, &buffer, sizeof buffer);
        if (sending == send_buffers::small) ::setsockopt(each, SOL_SOCKET, SO_SNDBUF, &buffer, sizeof buffer);
    }
    return ends;
}

/// Writes all of it. False: the other end is gone.
inline bool write_all(int to, std::string_view bytes) {
    while (!bytes.empty()) {
        const ssize_t n = ::send(to, bytes.data(), bytes.size(), MSG_NOSIGNAL);
        if (n <= 0) return false;
        bytes.remove_prefix(static_cast<std::size_t>(n));
    }
    return true;
}

/// What comes next, at least a byte; nothing at the end.
inline std::string read_some(int from, int flags = 0) {
    std::string block(16 * 1024, '\0');
    const ssize_t n = ::recv(from, block.data(), block.size(), flags);
    block.resize(n > 0 ? static_cast<std::size_t>(n) : 0);
    return block;
}

/// Everything until the other end has no more to say.
inline std::string read_to_end(int from) {
    std::string all;
    for (std::string next = read_some(from); !next.empty(); next = read_some(from)) all += next;
    return all;
}

/// `count` bytes, or fewer at the end.
inline std::string read_exactly(int from, std::size_t count) {
    std::string all(count, '\0');
    std::size_t have = 0;
    while (have < count) {
        const ssize_t n = ::recv(from, all.data() + have, count - have, 0);
        if (n <= 0) break;
        have += static_cast<std::size_t>(n);
    }
    all.resize(have);
    return all;
}

} // namespace support
