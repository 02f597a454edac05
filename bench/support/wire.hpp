#pragma once
// Where a writer's frames go: nowhere, over a pair of local sockets, or over loopback TCP, to a thread that
// reads them as fast as it can.
//
// The reader is the peer: neither its CPU time nor its system calls are the writer's.

#include "syscalls.hpp"

#include <arpa/inet.h>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <functional>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <span>
#include <sys/socket.h>
#include <thread>
#include <time.h>
#include <unistd.h>
#include <utility>
#include <vector>

namespace bench {

enum class wire_kind { null, socketpair, tcp };

inline void must(bool succeeded) {
    if (!succeeded) std::abort();
}

inline double seconds(const timespec& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9;
}

/// Two connected TCP sockets, without Nagle's delay, under cubic: bbr paces, and would be what is measured.
inline std::pair<int, int> loopback() {
    const int listener = ::socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    auto* generic = reinterpret_cast<sockaddr*>(&address);
    must(::bind(listener, generic, size) == 0 && ::listen(listener, 1) == 0 &&
         ::getsockname(listener, generic, &size) == 0);
    const int from = ::socket(AF_INET, SOCK_STREAM, 0);
    must(::setsockopt(from, IPPROTO_TCP, TCP_CONGESTION, "cubic", 5) == 0);
    must(::connect(from, generic, size) == 0);
    const int to = ::accept(listener, nullptr, nullptr);
    const int on = 1;
    must(to >= 0 && ::setsockopt(from, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) == 0);
    ::close(listener);
    return {from, to};
}

class wire {
public:
    using listener = std::function<void(std::span<std::byte>)>;

    /// `on_read` sees what arrives. With `stalled` nothing is read before resume().
    explicit wire(wire_kind kind, listener on_read = {}, bool stalled = false)
        : on_read_(std::move(on_read)), stalled_(stalled) {
        if (kind == wire_kind::null) return;
        int ends[2];
        if (kind == wire_kind::tcp)
            std::tie(ends[0], ends[1]) = loopback();
        else
            must(::socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0);
        room_.resize(256 * 1024); // here, so that it counts as the wire's memory
        descriptor_ = ends[0];
        peer_ = ends[1];
        reader_ = std::thread([this] { read_all(); });
    }
    wire(const wire&) = delete;
    wire& operator=(const wire&) = delete;
    ~wire() {
        finish();
        if (is_null()) return;
        ::close(descriptor_);
        ::close(peer_);
    }

    [[nodiscard]] bool is_null() const { return descriptor_ < 0; }
    [[nodiscard]] int descriptor() const { return descriptor_; }

    void resume() {
        stalled_ = false;
        stalled_.notify_one();
    }

    /// CPU seconds that the reader used so far.
    [[nodiscard]] double reader_seconds() {
        if (is_null()) return 0;
        // A thread that has ended has no clock any more, but has left its last word.
        clockid_t clock{};
        timespec used{};
        if (::pthread_getcpuclockid(reader_.native_handle(), &clock) == 0 &&
            ::clock_gettime(clock, &used) == 0)
            return seconds(used);
        return reader_used_;
    }

    /// No more will be written: waits until everything was read.
    void finish() {
        if (!reader_.joinable()) return;
        resume();
        ::shutdown(descriptor_, SHUT_WR);
        reader_.join();
    }

    /// Bytes that arrived. After finish().
    [[nodiscard]] std::uint64_t received() const { return received_; }

private:
    void read_all() {
        leave_out_this_thread();
        stalled_.wait(true);
        for (;;) {
            const ssize_t size = ::read(peer_, room_.data(), room_.size());
            if (size <= 0) break;
            received_ += static_cast<std::uint64_t>(size);
            if (on_read_) on_read_({room_.data(), static_cast<std::size_t>(size)});
        }
        timespec used{};
        must(::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used) == 0);
        reader_used_ = seconds(used);
    }

    listener on_read_;
    std::atomic<bool> stalled_;
    int descriptor_ = -1, peer_ = -1;
    std::uint64_t received_ = 0;
    std::vector<std::byte> room_;
    std::atomic<double> reader_used_{0};
    std::thread reader_;
};

} // namespace bench
