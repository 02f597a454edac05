#pragma once
// The other side of an echo server: many clients in one thread, which cost so little that the server is what is measured.
//
// Laws of this file:
// - Frames are masked before the clock starts, each by a key of its own. Every byte that comes back is compared.
// - Each connection has `depth` messages under way: one for each that came back. One write for what may be sent at once.
// - It is a client of its own, and none of wsolo's: an error of the library must not agree with itself.

#include "echo_server.hpp"
#include "histogram.hpp"
#include "placement.hpp"

#include <algorithm>
#include <arpa/inet.h>
#include <chrono>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>

namespace bench {

/// A frame of up to 64 KiB: a client's with a key, a server's without.
inline void append_frame(std::vector<char>& to, std::string_view payload, const char* key) {
    const auto mask = static_cast<unsigned char>(key == nullptr ? 0 : 0x80);
    to.push_back(static_cast<char>(0x82)); // binary, whole
    if (payload.size() < 126) {
        to.push_back(static_cast<char>(mask | payload.size()));
    } else {
        to.push_back(static_cast<char>(mask | 126));
        to.push_back(static_cast<char>(payload.size() >> 8));
        to.push_back(static_cast<char>(payload.size() & 0xff));
    }
    if (key != nullptr) to.insert(to.end(), key, key + 4);
    for (std::size_t i = 0; i < payload.size(); ++i)
        to.push_back(static_cast<char>(payload[i] ^ (key == nullptr ? 0 : key[i % 4])));
}

/// What all clients send, and what they are to get back: the same messages again and again.
class script {
public:
    script(std::size_t size, std::size_t depth) : count_(2 * depth < 32 ? 32 : 2 * depth) {
        random_numbers draw(size);
        std::string payload(size, '\0');
        for (std::size_t i = 0; i < count_; ++i) {
            for (char& each : payload) each = static_cast<char>(draw.next());
            const std::uint64_t key = draw.next() | 0x01010101; // no byte of it is 0
            char bytes[8];
            std::memcpy(bytes, &key, sizeof key);
            append_frame(sent_, payload, bytes);
            append_frame(echoed_, payload, nullptr);
        }
        sent_size_ = sent_.size() / count_;
        echoed_size_ = echoed_.size() / count_;
        sent_.insert(sent_.end(), sent_.begin(),
                     sent_.begin() + static_cast<std::ptrdiff_t>(depth * sent_size_));
    }

    [[nodiscard]] std::size_t sent_size() const { return sent_size_; } ///< of one
    [[nodiscard]] std::size_t echoed_size() const { return echoed_size_; }
    /// What goes out from this byte of the stream on: `depth` messages at least are there.
    [[nodiscard]] const char* sent_from(std::uint64_t byte) const {
        return sent_.data() + byte % (count_ * sent_size_);
    }
    [[nodiscard]] bool is_echo(std::uint64_t from, std::string_view got) const {
        while (!got.empty()) {
            const std::size_t at = from % echoed_.size();
            const std::size_t some = std::min(got.size(), echoed_.size() - at);
            if (std::memcmp(echoed_.data() + at, got.data(), some) != 0) return false;
            from += some;
            got.remove_prefix(some);
        }
        return true;
    }

private:
    std::size_t count_, sent_size_ = 0, echoed_size_ = 0;
    std::vector<char> sent_, echoed_;
};

/// A socket on which a server has answered 101. Blocking, under cubic, without Nagle's delay.
inline int dial(std::uint16_t port) {
    const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in where{};
    where.sin_family = AF_INET;
    where.sin_port = htons(port);
    where.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const int on = 1;
    if (fd < 0 || ::setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, "cubic", 5) != 0 ||
        ::connect(fd, reinterpret_cast<sockaddr*>(&where), sizeof where) != 0 ||
        ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) != 0)
        give_up(std::string("connect: ") + std::strerror(errno));
    return fd;
}
inline void ask_for_upgrade(int fd, std::string_view extensions) {
    std::string request = "GET /ws HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n"
                          "Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
                          "Sec-WebSocket-Version: 13\r\n";
    if (!extensions.empty()) request += "Sec-WebSocket-Extensions: " + std::string(extensions) + "\r\n";
    request += "\r\n";
    if (::send(fd, request.data(), request.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(request.size()))
        give_up("a request was not sent whole");
}
inline void await_upgrade(int fd) {
    std::string answer;
    for (char next = 0; !answer.ends_with("\r\n\r\n"); answer += next) { // no byte of what follows is taken
        if (::recv(fd, &next, 1, 0) != 1) give_up("no answer to a request");
    }
    if (!answer.starts_with("HTTP/1.1 101 ") ||
        answer.find("s3pPLMBiTxaQ9kYGzzhZRbK+xOo=") == std::string::npos)
        give_up("a request was refused: " + answer);
}

/// Connected and upgraded sockets, in groups, so that no backlog runs over.
inline std::vector<int> dial_many(std::uint16_t port, std::size_t count, std::string_view extensions = {}) {
    std::vector<int> all;
    while (all.size() < count) {
        const std::size_t from = all.size(), some = std::min<std::size_t>(count - from, 256);
        for (std::size_t i = 0; i < some; ++i) all.push_back(dial(port));
        for (std::size_t i = from; i < all.size(); ++i) ask_for_upgrade(all[i], extensions);
        for (std::size_t i = from; i < all.size(); ++i) await_upgrade(all[i]);
    }
    return all;
}

struct echo_result {
    double messages = 0, seconds = 0, server_cpu = 0; ///< ns
    histogram round_trips;
};

class echo_load {
    using clock = std::chrono::steady_clock;

public:
    echo_load(const echo_server& server, const script& what, std::size_t connections, std::size_t depth)
        : server_(server),
          what_(what),
          depth_(depth),
          poll_(::epoll_create1(EPOLL_CLOEXEC)),
          into_(256 * 1024) {
        for (const int fd : dial_many(server.port(), connections)) {
            peers_.push_back({.fd = fd});
            peers_.back().sent_at.resize(depth);
        }
        for (peer& each : peers_) watch(each, EPOLL_CTL_ADD, EPOLLIN);
    }
    echo_load(const echo_load&) = delete;
    echo_load& operator=(const echo_load&) = delete;
    ~echo_load() {
        for (const peer& each : peers_) ::close(each.fd);
        ::close(poll_);
    }

    /// What goes on between the two times, while messages go round from before the first to after the second.
    echo_result run(std::chrono::nanoseconds warm_up, std::chrono::nanoseconds measured) {
        echo_result got;
        begin();
        const auto start = clock::now();
        turn_until([&] { return now_ >= start + warm_up; });
        const double cpu_before = server_.cpu();
        const std::uint64_t before = came_back_;
        const auto from = now_;
        round_trips_ = &got.round_trips;
        turn_until([&] { return now_ >= from + measured; });
        round_trips_ = nullptr;
        got.server_cpu = server_.cpu() - cpu_before;
        got.messages = static_cast<double>(came_back_ - before);
        got.seconds = std::chrono::duration<double>(now_ - from).count();
        end();
        return got;
    }
    /// Messages that went round: `most` or a little more.
    std::uint64_t run(std::uint64_t most) {
        const std::uint64_t before = came_back_;
        begin();
        turn_until([&] { return came_back_ >= before + most; });
        end();
        return came_back_ - before;
    }

private:
    struct peer {
        int fd;
        std::uint64_t out = 0, in = 0;         ///< bytes
        std::uint64_t sent = 0, came_back = 0; ///< messages
        bool is_blocked = false;
        std::vector<clock::time_point> sent_at{}; ///< of those under way
    };

    void watch(peer& which, int operation, unsigned events) {
        epoll_event wanted{};
        wanted.events = events;
        wanted.data.ptr = &which;
        if (::epoll_ctl(poll_, operation, which.fd, &wanted) != 0) give_up("epoll_ctl");
    }
    void begin() {
        is_sending_ = true;
        now_ = clock::now();
        for (peer& each : peers_) send(each);
    }
    /// Nothing new is sent; all that is under way comes back.
    void end() {
        is_sending_ = false;
        turn_until([&] {
            std::uint64_t under_way = 0;
            for (const peer& each : peers_) under_way += each.sent - each.came_back;
            return under_way == 0;
        });
    }
    void turn_until(auto is_enough) {
        while (!is_enough()) {
            epoll_event happened[128];
            const int count = ::epoll_wait(poll_, happened, 128, 10'000);
            if (count == 0) give_up("a server stands still");
            now_ = clock::now();
            for (int i = 0; i < count; ++i) {
                peer& which = *static_cast<peer*>(happened[i].data.ptr);
                if ((happened[i].events & EPOLLOUT) != 0) {
                    which.is_blocked = false;
                    watch(which, EPOLL_CTL_MOD, EPOLLIN);
                    send(which);
                }
                if ((happened[i].events & ~EPOLLOUT) != 0) receive(which);
            }
        }
    }
    void receive(peer& which) {
        const ssize_t count = ::recv(which.fd, into_.data(), into_.size(), MSG_DONTWAIT);
        if (count < 0 && (errno == EAGAIN || errno == EINTR)) return;
        if (count <= 0) give_up("a server ended a connection");
        const auto bytes = static_cast<std::size_t>(count);
        if (!what_.is_echo(which.in, {into_.data(), bytes})) give_up("what came back is not what was sent");
        which.in += bytes;
        for (const std::uint64_t whole = which.in / what_.echoed_size(); which.came_back < whole;
             ++which.came_back) {
            ++came_back_;
            if (round_trips_ != nullptr)
                round_trips_->add((now_ - which.sent_at[which.came_back % depth_]).count());
        }
        send(which);
    }
    void send(peer& which) {
        if (is_sending_) {
            for (; which.sent < which.came_back + depth_; ++which.sent)
                which.sent_at[which.sent % depth_] = now_;
        }
        const std::uint64_t left = which.sent * what_.sent_size() - which.out;
        if (left == 0 || which.is_blocked) return;
        const ssize_t count = ::send(which.fd, what_.sent_from(which.out), left, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (count < 0 && errno != EAGAIN) give_up("a server reset a connection");
        if (count > 0) which.out += static_cast<std::uint64_t>(count);
        if (which.out < which.sent * what_.sent_size()) {
            which.is_blocked = true;
            watch(which, EPOLL_CTL_MOD, EPOLLIN | EPOLLOUT);
        }
    }

    const echo_server& server_;
    const script& what_;
    const std::size_t depth_;
    const int poll_;
    std::vector<char> into_;
    std::vector<peer> peers_;
    clock::time_point now_{};
    histogram* round_trips_ = nullptr;
    std::uint64_t came_back_ = 0;
    bool is_sending_ = false;
};

} // namespace bench
