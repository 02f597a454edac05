#pragma once
// What both servers of the demo are: a port on which every peer is pushed the same messages, and an end.
//
// Laws of this file:
// - push() may be called by several threads; stop() by one, once, and after it nothing is pushed.
// - A message counts as accepted for a peer when the server took it for that peer. What becomes of it is what the demo shows.

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace demo {

/// What becomes of a message for a peer whose queue is full (wsolo only: the other server has no queue).
enum class policy : std::uint8_t { skip, drop_oldest, disconnect };

/// What the page's controls say.
struct settings {
    bool is_wrong = false; ///< the server that writes twice
    policy when_full = policy::skip;
    unsigned connections = 32;
    unsigned per_second = 100; ///< of each worker, to each peer
    unsigned slow_kib = 16;    ///< what the slow peer reads in a second
};

/// The peer that reads slowly, by its number.
inline constexpr unsigned slow_peer = 0;
/// Of each socket, so that a slow reader is felt within seconds.
inline constexpr int socket_buffer = 16 * 1024;

/// How a server ended.
struct end_report {
    std::uint64_t in_order = 0;
    std::uint64_t cut_off = 0;
};

class feed {
public:
    feed() = default;
    feed(const feed&) = delete;
    feed& operator=(const feed&) = delete;
    virtual ~feed() = default;

    [[nodiscard]] virtual std::uint16_t port() const noexcept = 0;
    /// To all that are there.
    virtual void push(std::string_view text) = 0;
    /// `is_deploy`: takes its time, within bounds, so that nothing is lost; if the server can.
    virtual end_report stop(bool is_deploy) = 0;

    [[nodiscard]] virtual std::uint64_t accepted() const noexcept = 0;
    /// Accepted, and dropped by the policy, with an outcome that says so.
    [[nodiscard]] virtual std::uint64_t dropped() const = 0;
    /// Not accepted, because a queue was full.
    [[nodiscard]] virtual std::uint64_t skipped() const noexcept = 0;
    /// Bytes that wait for the slow peer.
    [[nodiscard]] virtual std::size_t slow_backlog() const = 0;
};

/// A socket that listens on the loopback address; port 0: any. Throws std::system_error.
int listen_on(std::uint16_t port, int buffer);
[[nodiscard]] std::uint16_t port_of(int listening);

} // namespace demo
