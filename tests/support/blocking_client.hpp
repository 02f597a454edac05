#pragma once
// A WebSocket peer of a few lines on a blocking socket, for the tests of adapters: it shares no code with the library.

#include "catch.hpp"

#include <cerrno>
#include <netinet/in.h>
#include <string>
#include <string_view>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>
#include <utility>

namespace support {

using namespace std::string_literals;

/// The other end, which waits for what it reads: 10 s at most.
class client {
public:
    explicit client(int fd) : fd_(fd) {
        const timeval limit{10, 0};
        ::setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    }
    /// To a server on the loopback interface.
    static client to(std::uint16_t port) {
        const int fd = ::socket(AF_INET, SOCK_STREAM, 0);
        sockaddr_in where{};
        where.sin_family = AF_INET;
        where.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        where.sin_port = htons(port);
        REQUIRE(::connect(fd, reinterpret_cast<const sockaddr*>(&where), sizeof where) == 0);
        return client(fd);
    }
    client(client&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
    client& operator=(client&&) = delete;
    ~client() { hang_up(); }

    [[nodiscard]] int descriptor() const { return fd_; }
    void hang_up() {
        if (fd_ >= 0) ::close(std::exchange(fd_, -1));
    }
    void end_output() const { ::shutdown(fd_, SHUT_WR); }
    void say(std::string_view bytes) const {
        while (!bytes.empty()) {
            const ssize_t sent = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
            if (sent < 0) return;
            bytes.remove_prefix(static_cast<std::size_t>(sent));
        }
    }
    /// Up to `count` bytes; fewer at the stream's end.
    [[nodiscard]] std::string hear(std::size_t count) const {
        std::string all(count, '\0');
        std::size_t have = 0;
        while (have < count) {
            const ssize_t more = ::recv(fd_, all.data() + have, count - have, 0);
            if (more < 0 && errno == EINTR) continue;
            if (more <= 0) break;
            have += static_cast<std::size_t>(more);
        }
        all.resize(have);
        return all;
    }
    /// An HTTP answer's head; what follows it stays.
    [[nodiscard]] std::string hear_head() const {
        std::string head;
        while (!head.ends_with("\r\n\r\n")) {
            const std::string next = hear(1);
            if (next.empty()) break;
            head += next;
        }
        return head;
    }
    /// A masked text of 125 bytes at most.
    static std::string text(std::string_view payload, char first = '\x81') {
        std::string frame{first, static_cast<char>(0x80U | payload.size()), '\x0f', '\x1e', '\x2d', '\x3c'};
        for (std::size_t at = 0; at < payload.size(); ++at)
            frame += static_cast<char>(payload[at] ^ frame[2 + at % 4]);
        return frame;
    }
    static std::string unmasked(std::string_view payload) {
        return "\x81"s + static_cast<char>(payload.size()) + std::string(payload);
    }
    void check_echo(std::string_view payload) const {
        say(text(payload));
        CHECK(hear(payload.size() + 2) == unmasked(payload));
    }
    void check_close(int code) const {
        const std::string frame = hear(4);
        REQUIRE(frame.size() == 4);
        CHECK(frame[0] == '\x88');
        CHECK((static_cast<unsigned char>(frame[2]) << 8 | static_cast<unsigned char>(frame[3])) == code);
        static_cast<void>(hear(static_cast<unsigned char>(frame[1]) - 2U));
    }
    /// After it the connection is in its group, too.
    void shake_hands() const {
        say(request);
        REQUIRE(hear_head().starts_with("HTTP/1.1 101 "));
        check_echo("open");
    }
    /// Of the stream, and not of this wait.
    void check_end() const {
        char none = 0;
        CHECK(::recv(fd_, &none, 1, 0) == 0);
    }
    void close_in_order() const {
        say(text("\x03\xe8", '\x88'));
        check_close(1000);
        check_end();
    }

    static constexpr std::string_view request =
        "GET / HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";

private:
    int fd_;
};

} // namespace support
