#pragma once
// Ten thousand idle clients of one server, in one thread.

#include "echo_load.hpp"

namespace bench {

class recipients {
public:
    /// `extensions`: what is offered; empty: nothing.
    recipients(std::uint16_t port, std::size_t count, std::string_view extensions = {})
        : all_(dial_many(port, count, extensions)), poll_(::epoll_create1(EPOLL_CLOEXEC)) {
        for (const int fd : all_) {
            epoll_event wanted{};
            wanted.events = EPOLLIN;
            wanted.data.fd = fd;
            if (::epoll_ctl(poll_, EPOLL_CTL_ADD, fd, &wanted) != 0) give_up("epoll_ctl");
        }
    }
    recipients(const recipients&) = delete;
    recipients& operator=(const recipients&) = delete;
    ~recipients() {
        for (const int fd : all_) ::close(fd);
        ::close(poll_);
    }

    [[nodiscard]] std::size_t size() const { return all_.size(); }
    void send(std::size_t from, const std::vector<char>& bytes) {
        std::size_t sent = 0;
        while (sent < bytes.size()) {
            const ssize_t count = ::send(all_[from], bytes.data() + sent, bytes.size() - sent, MSG_NOSIGNAL);
            if (count <= 0) give_up("a server reset a connection");
            sent += static_cast<std::size_t>(count);
        }
    }
    /// The next frame that comes to one of them, a short one.
    std::vector<char> frame(std::size_t to) {
        std::vector<char> all(2);
        take(to, all.data(), 2);
        std::size_t size = static_cast<std::size_t>(all[1]);
        if (size > 126) give_up("a frame is long");
        if (size == 126) {
            all.resize(4);
            take(to, all.data() + 2, 2);
            size = static_cast<std::size_t>(static_cast<unsigned char>(all[2])) << 8 |
                   static_cast<unsigned char>(all[3]);
        }
        const std::size_t header = all.size();
        all.resize(header + size);
        take(to, all.data() + header, size);
        return all;
    }
    /// Until each has got exactly these bytes, whose beginnings are compared one by one.
    void await(const std::vector<char>& echoed) {
        std::vector<std::size_t> got(static_cast<std::size_t>(*std::max_element(all_.begin(), all_.end())) +
                                     1);
        std::vector<char> into(256 * 1024);
        for (std::size_t left = all_.size(); left > 0;) {
            epoll_event happened[256];
            const int count = ::epoll_wait(poll_, happened, 256, 10'000);
            if (count == 0) give_up("a server stands still");
            for (int i = 0; i < count; ++i) {
                std::size_t& before = got[static_cast<std::size_t>(happened[i].data.fd)];
                const ssize_t bytes = ::recv(happened[i].data.fd, into.data(), into.size(), MSG_DONTWAIT);
                if (bytes < 0 && errno == EAGAIN) continue;
                const auto more = static_cast<std::size_t>(bytes);
                if (bytes <= 0 || before + more > echoed.size() ||
                    std::memcmp(echoed.data() + before, into.data(), more) != 0)
                    give_up("what came is not what was sent");
                before += more;
                if (before == echoed.size()) --left;
            }
        }
    }

private:
    void take(std::size_t to, char* into, std::size_t size) {
        if (::recv(all_[to], into, size, MSG_WAITALL) != static_cast<ssize_t>(size))
            give_up("a server sent less than a frame");
    }

    std::vector<int> all_;
    int poll_;
};

/// A message of that size as a client sends it and as it comes from a server.
struct one_message {
    explicit one_message(std::size_t size) {
        random_numbers draw(size);
        std::string payload(size, '\0');
        for (char& each : payload) each = static_cast<char>(draw.next());
        append_frame(sent, payload, "\x11\x95\x33\xe7");
        append_frame(echoed, payload, nullptr);
    }
    std::vector<char> sent, echoed;
};

} // namespace bench
