// Written by tools/amalgamate.py from include/wsolo/adapt/detail/poll_stream.hpp: change it there.
// SPDX-License-Identifier: MIT
#pragma once
// What a loop of adapt/poll.hpp reads from and writes to: the concept, a socket as it is, and a client's that connects.
//
// Laws of this file:
// - A stream borrows its descriptor, and waits for nothing.
// - A part of adapt/poll.hpp, which includes it; its names are public there.

#include "../posix.hpp"

#include <fcntl.h>
#include <netinet/in.h>
#include <unistd.h>

namespace wsolo::inline WSOLO_ABI::adapt::poll {

enum class read_status : std::uint8_t { some, end, not_now, failed };

/// What one read brought; `size` counts where the status is `some`.
struct read_result {
    read_status status = read_status::not_now; ///< what came of it
    std::size_t size = 0;                      ///< bytes read
};

/// A byte stream over one descriptor, which it does not own. Everything belongs to the loop's thread. It stays where it is made,
/// because `writing_end()`, the endpoint's transport, may know it.
template <class T>
concept stream = requires(T& s, const T& asked, mutable_bytes into) {
    { s.read(into) } noexcept -> std::same_as<read_result>;
    { s.writing_end() } -> byte_stream;
    /// POLLIN or POLLOUT: what a read, and a write, that could not go on waits for.
    { asked.read_needs() } noexcept -> std::same_as<unsigned>;
    { asked.write_needs() } noexcept -> std::same_as<unsigned>;
    /// Bytes that were read from the descriptor, and not handed out yet: nothing tells that they are there.
    { asked.has_read_ahead() } noexcept -> std::same_as<bool>;
    /// It has taken something, or has been asked to end its output, and the descriptor had no room: flush() when write_needs()
    /// is there. After the transport's disconnect() only where its end_output() came before: then flush() goes on until all has left,
    /// or the linger is over.
    { asked.has_unwritten() } noexcept -> std::same_as<bool>;
    { s.flush() } noexcept;
};

/// A socket as it is, without TLS: the default stream. Borrows the descriptor.
class plain_stream {
public:
    explicit plain_stream(int descriptor) noexcept : descriptor_(descriptor) {}

    read_result read(mutable_bytes into) noexcept {
        for (;;) {
            const ssize_t count = ::recv(descriptor_, into.data(), into.size(), MSG_DONTWAIT);
            if (count > 0) return {read_status::some, static_cast<std::size_t>(count)};
            if (count == 0) return {read_status::end};
            if (errno == EINTR) continue;
            return {errno == EAGAIN || errno == EWOULDBLOCK ? read_status::not_now : read_status::failed};
        }
    }
    [[nodiscard]] posix_socket writing_end() const noexcept { return posix_socket(descriptor_); }
    [[nodiscard]] unsigned read_needs() const noexcept { return POLLIN; }
    [[nodiscard]] unsigned write_needs() const noexcept { return POLLOUT; }
    [[nodiscard]] bool has_read_ahead() const noexcept { return false; }
    [[nodiscard]] bool has_unwritten() const noexcept { return false; }
    void flush() noexcept {}

private:
    int descriptor_;
};

/// Makes of a connected descriptor the stream that it carries: what accept(), add() and serve() take as `wrap`. Called once for
/// each connection, and copied: a stream must not refer to it. What it refers to must outlive the loop.
struct plain {
    [[nodiscard]] plain_stream operator()(int descriptor) const noexcept { return plain_stream(descriptor); }
};

/// A socket on which connect() has begun, for a loop's connect(): `to` is what getaddrinfo() found, say. Negative: errno says why
/// not. Waits for nothing.
[[nodiscard]] inline int begin_connect(const sockaddr* to, socklen_t size) noexcept {
    const int fresh = ::socket(to->sa_family, SOCK_STREAM, 0);
    if (fresh < 0) return -1;
    ::fcntl(fresh, F_SETFD, FD_CLOEXEC);
    ::fcntl(fresh, F_SETFL, ::fcntl(fresh, F_GETFL) | O_NONBLOCK);
    if (::connect(fresh, to, size) == 0 || errno == EINPROGRESS) return fresh;
    const int why = errno;
    ::close(fresh);
    errno = why;
    return -1;
}

} // namespace wsolo::inline WSOLO_ABI::adapt::poll
