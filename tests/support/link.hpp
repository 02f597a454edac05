#pragma once
// A whole connection, byte by byte in both directions: two ends over real sockets, or over the adversarial
// transport in memory.
//
// Laws of this file:
// - The server writes through end() only; the peer's side is plain reads and writes.
// - A read waits for bytes, ten seconds at most; nothing means that the other side is done.

#include "sockets.hpp"

#include <wsolo/adapt/posix.hpp>
#include <wsolo/testing/scripted_transport.hpp>

#include <algorithm>
#include <condition_variable>
#include <mutex>

namespace support {

template <network Kind>
class socket_link {
public:
    using transport = support::ending_socket;

    [[nodiscard]] transport end() { return transport(ends_.ours.get()); }
    [[nodiscard]] std::string server_reads() { return read_some(ends_.ours.get()); }
    void peer_writes(std::string_view bytes) { static_cast<void>(write_all(ends_.peers.get(), bytes)); }
    [[nodiscard]] std::string peer_reads() { return read_some(ends_.peers.get()); }
    /// Whether a read would find something now.
    [[nodiscard]] bool peer_has_bytes() {
        char first = 0;
        return ::recv(ends_.peers.get(), &first, 1, MSG_PEEK | MSG_DONTWAIT) > 0;
    }

    // The same without waiting.
    [[nodiscard]] std::string server_reads_now() { return read_some(ends_.ours.get(), MSG_DONTWAIT); }
    [[nodiscard]] std::string peer_reads_now() { return read_some(ends_.peers.get(), MSG_DONTWAIT); }
    /// How much the way to the server took.
    [[nodiscard]] std::size_t peer_writes_now(std::string_view bytes) {
        const ssize_t n = ::send(ends_.peers.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
        return n > 0 ? static_cast<std::size_t>(n) : 0;
    }
    /// From here on the way to the peer fills up; a socket's by not being read.
    void stall() {}
    void flow() {}

private:
    connection_ends ends_ = connect_both(Kind);
};

using unix_link = socket_link<network::unix_pair>;
using tcp_link = socket_link<network::tcp>;

/// Takes one to nine bytes at a time from the server, which reads one to four.
class scripted_link {
public:
    class transport {
    public:
        explicit transport(scripted_link& link) noexcept : link_(&link) {}
        wsolo::io_result write(std::span<const wsolo::const_bytes> parts, wsolo::time_point deadline) {
            const std::lock_guard hold(link_->mutex_);
            link_->changed_.notify_all();
            return link_->end_.write(parts, deadline);
        }
        void finish(wsolo::end_of_write why) {
            const std::lock_guard hold(link_->mutex_);
            link_->end_.finish(why);
            link_->changed_.notify_all();
        }

    private:
        scripted_link* link_;
    };

    scripted_link() { flow(); }

    [[nodiscard]] transport end() { return transport(*this); }
    [[nodiscard]] std::string server_reads() {
        std::unique_lock hold(mutex_);
        changed_.wait_for(hold, std::chrono::seconds(10), [this] { return !from_peer_.empty(); });
        const std::string next = from_peer_.substr(0, 1 + read_by_server_++ % 4);
        from_peer_.erase(0, next.size());
        return next;
    }
    void peer_writes(std::string_view bytes) {
        const std::lock_guard hold(mutex_);
        from_peer_ += bytes;
        changed_.notify_all();
    }
    [[nodiscard]] std::string peer_reads() {
        std::unique_lock hold(mutex_);
        const auto has_more = [this] { return wire_.bytes().size() > read_by_peer_; };
        changed_.wait_for(hold, std::chrono::seconds(10),
                          [&] { return has_more() || wire_.finishes() != 0; });
        const std::string next = wire_.bytes().substr(read_by_peer_);
        read_by_peer_ += next.size();
        return next;
    }
    [[nodiscard]] bool peer_has_bytes() {
        const std::lock_guard hold(mutex_);
        return wire_.bytes().size() > read_by_peer_;
    }

    [[nodiscard]] std::string server_reads_now() {
        const std::lock_guard hold(mutex_);
        return std::exchange(from_peer_, {});
    }
    [[nodiscard]] std::string peer_reads_now() { return peer_has_bytes() ? peer_reads() : std::string(); }
    [[nodiscard]] std::size_t peer_writes_now(std::string_view bytes) {
        const std::lock_guard hold(mutex_);
        const std::size_t room = capacity - std::min(capacity, from_peer_.size());
        from_peer_ += bytes.substr(0, room);
        return std::min(room, bytes.size());
    }
    void stall() {
        const std::lock_guard hold(mutex_);
        wire_.rule([] { return wsolo::testing::scripted_step{wsolo::io_status::would_block, 0, 0}; });
    }
    void flow() {
        const std::lock_guard hold(mutex_);
        wire_.rule([turn = 0U]() mutable {
            return wsolo::testing::scripted_step{wsolo::io_status::ok, 1 + turn++ % 9, 0};
        });
    }

private:
    static constexpr std::size_t capacity = 256 * 1024;

    std::mutex mutex_;
    std::condition_variable changed_;
    wsolo::testing::scripted_wire wire_;
    wsolo::testing::scripted_transport end_{wire_};
    std::string from_peer_;
    std::size_t read_by_server_ = 0;
    std::size_t read_by_peer_ = 0;
};

} // namespace support
