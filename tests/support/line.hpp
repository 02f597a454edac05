#pragma once
// The way from our end to the peer, and what the peer saw of it: over the adversarial transport and over
// real sockets, with a place in the middle of a frame where a scenario lets another thread act.
//
// Laws of this file:
// - seen() ends the line: nothing is written after it.
// - What happens in the middle of a frame happens in the thread that writes, while a few bytes of that frame are on
//   the wire and the rest is not.

#include "sockets.hpp"

#include <wsolo/adapt/posix.hpp>
#include <wsolo/testing/scripted_transport.hpp>

#include <algorithm>
#include <functional>
#include <thread>

namespace support {

/// Taken a few bytes at a time, with would_block between, the same way for the same seed.
class scripted_line {
public:
    using transport = wsolo::testing::scripted_transport;

    explicit scripted_line(std::uint64_t seed = 6455) { wire_.chaotic(seed); }
    [[nodiscard]] transport end() { return transport(wire_); }
    [[nodiscard]] std::string seen() { return wire_.bytes(); }

private:
    wsolo::testing::scripted_wire wire_;
};

/// A socket; the peer reads on a thread of its own, as a peer does.
template <network Kind>
class socket_line {
public:
    using transport = support::ending_socket;

    socket_line() : peer_([this] { seen_ = read_to_end(ends_.peers.get()); }) {}
    socket_line(const socket_line&) = delete;
    socket_line& operator=(const socket_line&) = delete;
    ~socket_line() {
        if (peer_.joinable()) static_cast<void>(seen());
    }

    [[nodiscard]] transport end() { return transport(ends_.ours.get()); }
    [[nodiscard]] std::string seen() {
        ::shutdown(ends_.ours.get(), SHUT_WR);
        peer_.join();
        return seen_;
    }

private:
    connection_ends ends_ = connect_both(Kind);
    std::string seen_;
    std::thread peer_;
};

using unix_line = socket_line<network::unix_pair>;
using tcp_line = socket_line<network::tcp>;

/// Writes past every queue, as the hidden writers of S0 do. Whole, whatever the transport takes at a time.
template <class Transport>
void write_directly(Transport to, wsolo::const_bytes bytes) {
    while (!bytes.empty()) {
        const wsolo::const_bytes part[] = {bytes};
        const wsolo::io_result done = to.write(part, wsolo::no_deadline);
        if (done.status == wsolo::io_status::failed) return;
        bytes = bytes.subspan(done.transferred);
    }
}

/// Another thread acts once `at` bytes are on the wire: with a frame longer than that in front, in its
/// middle.
class interruption {
public:
    interruption(std::size_t at, std::function<void()> act) : at_(at), act_(std::move(act)) {}

    [[nodiscard]] bool is_to_come() const { return act_ != nullptr; }
    /// How many of `offered` bytes may go before it is time. Precondition: is_to_come(), and it is not
    /// time.
    [[nodiscard]] std::size_t room(std::size_t offered) const { return std::min(offered, at_ - written_); }
    void wrote(std::size_t count) { written_ += count; }
    /// For the thread that writes: if it is time, the act runs to its end, on a thread of its own.
    void let_act() {
        if (act_ != nullptr && written_ >= at_) std::thread(std::exchange(act_, nullptr)).join();
    }

private:
    std::size_t at_;
    std::size_t written_ = 0;
    std::function<void()> act_;
};

/// A transport that is interrupted.
template <class Transport>
class interrupted {
public:
    interrupted(Transport under, interruption& between) : under_(std::move(under)), between_(&between) {}

    wsolo::io_result write(std::span<const wsolo::const_bytes> parts, wsolo::time_point deadline) {
        between_->let_act();
        const wsolo::const_bytes cut[] = {
            between_->is_to_come() ? parts[0].first(between_->room(parts[0].size())) : parts[0]};
        const wsolo::io_result done = under_.write(between_->is_to_come() ? cut : parts, deadline);
        between_->wrote(done.transferred);
        return done;
    }
    void finish(wsolo::end_of_write why) { under_.finish(why); }

    [[nodiscard]] bool wait_writable(wsolo::time_point deadline) {
        if constexpr (wsolo::waitable_transport<Transport>) {
            return under_.wait_writable(deadline);
        } else {
            std::this_thread::yield(); // it blocked by its script, and does not again
            return true;
        }
    }

private:
    Transport under_;
    interruption* between_;
};

} // namespace support
