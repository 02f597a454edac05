#pragma once
// A whole connection over real sockets in one thread, step by step: an endpoint as a loop drives it, the peer that the test
// speaks for, and a proxy that ends both directions at the first end of stream.
//
// Laws of this file:
// - A step does what can be done now and waits for nothing. Time is the manual clock's.
// - "At rest" is no guess: no actor took a step, and no byte is on its way to one that reads.

#include "catch.hpp"
#include "event_log.hpp"
#include "manual_clock.hpp"
#include "sockets.hpp"
#include "strict_parser.hpp"

#include <wsolo/adapt/posix.hpp>
#include <wsolo/endpoint/endpoint.hpp>

#include <array>
#include <linux/sockios.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <thread>
#include <vector>

namespace support {

/// What a socket was given and its peer has not acknowledged; a socket pair's: has not read.
inline int bytes_under_way(int socket) {
    int bytes = 0;
    return socket >= 0 && ::ioctl(socket, SIOCOUTQ, &bytes) == 0 ? bytes : 0;
}

/// What a wrong shim tells its loop.
struct loop_marks {
    bool is_due = false;      ///< the hook asked
    bool hides_input = false; ///< a failed write is taken for the end of the connection
    bool is_cut = false;      ///< the descriptor is to be closed now
};

/// How an endpoint's loop goes.
struct loop_habits {
    /// Reading pauses while more frames than this wait to be written, whichever thread sent them; 0: it does not.
    std::size_t pauses_above = 0;
    /// Without a sign of life for so long the peer is called dead; 0: only the endpoint says so.
    wsolo::duration judges_after{};
    /// How much is read at once.
    std::size_t reads = 64 * 1024;
};

/// What happened at this end.
struct seen_by_end {
    std::vector<std::string> messages;
    std::size_t count = 0; ///< of messages; only the first thousand are kept
    std::vector<wsolo::ending> endings;
};

/// An endpoint on its own descriptor, and its loop. `Transport` is made of a descriptor and loop_marks.
template <class Transport, class Side>
class stepped_end {
    struct leave_a_mark {
        loop_marks* marks;
        void operator()() const noexcept { marks->is_due = true; }
    };
    struct remember {
        seen_by_end* seen;
        void on_message(auto&, const wsolo::message& received) const {
            if (++seen->count <= 1000) seen->messages.emplace_back(received.text());
        }
        void on_finished(auto&, const wsolo::ending& how) const { seen->endings.push_back(how); }
    };

public:
    explicit stepped_end(descriptor socket, const wsolo::endpoint_options& options = {},
                         loop_habits habits = {})
        : socket_(std::move(socket)),
          habits_(habits),
          buffer_(habits.reads),
          whole(Transport(socket_.get(), &marks_), leave_a_mark{&marks_}, remember{&seen}, options) {
        ::fcntl(socket_.get(), F_SETFL, O_NONBLOCK);
        wants_ = whole.run();
    }

    /// What is due first, then what is writable, then what is readable: as a loop may have it.
    bool step() {
        if (is_over()) return false;
        bool moved = false;
        if (std::exchange(marks_.is_due, false) || wants_.deadline <= manual_clock::now() ||
            (wants_.write && is_ready(POLLOUT))) {
            moved = true;
            turn();
        }
        if (!is_over() && wants_.read && is_ready(POLLIN)) {
            moved = true;
            read_once();
        }
        return moved;
    }
    /// run(), whatever is ready: a timer comes first.
    void turn() {
        if (habits_.judges_after != wsolo::duration::zero() &&
            manual_clock::now() >= heard_at_ + habits_.judges_after)
            whole.abort(wsolo::errc::pong_timeout);
        heed(whole.run());
    }

    /// The descriptor is closed.
    [[nodiscard]] bool is_over() const { return socket_.get() < 0; }
    [[nodiscard]] bool is_reading() const { return !is_over() && wants_.read; }
    [[nodiscard]] bool is_blocked() const { return !is_over() && wants_.write; }
    [[nodiscard]] int socket() const { return socket_.get(); }

private:
    [[nodiscard]] bool is_ready(short what) const {
        pollfd wanted{socket_.get(), what, 0};
        return ::poll(&wanted, 1, 0) > 0;
    }
    void read_once() {
        const ssize_t count = ::recv(socket_.get(), buffer_.data(), buffer_.size(), 0);
        if (count > 0) {
            heard_at_ = manual_clock::now();
            heed(whole.receive(std::span(buffer_).first(static_cast<std::size_t>(count))));
        } else if (count == 0 || errno != EAGAIN) {
            heed(whole.end_of_input(count == 0 ? wsolo::errc::none : wsolo::errc::connection_lost));
        }
    }
    void heed(wsolo::endpoint_wants wants) {
        if (std::exchange(marks_.hides_input, false))
            wants = whole.end_of_input(wsolo::errc::connection_lost);
        wants_ = wants;
        if (habits_.pauses_above != 0 && whole.writer().queued_frames() > habits_.pauses_above)
            wants_.read = false;
        if (wants.finished || marks_.is_cut) socket_ = descriptor();
    }

    descriptor socket_;
    loop_marks marks_;
    loop_habits habits_;
    std::vector<std::byte> buffer_;
    wsolo::endpoint_wants wants_;
    wsolo::time_point heard_at_ = manual_clock::now();

public:
    seen_by_end seen;
    wsolo::endpoint<Transport, leave_a_mark, remember, Side, wsolo::in_the_loop, manual_traits> whole;
};

/// The other end, byte by byte. It reads when it is told to.
class stepped_peer {
public:
    stepped_peer(descriptor socket, wsolo::role self) : socket_(std::move(socket)), self_(self) {
        ::fcntl(socket_.get(), F_SETFL, O_NONBLOCK);
    }

    void say(const stream& more) { waiting_ += wsolo::text_of(wsolo::const_bytes(more.bytes())); }
    [[nodiscard]] stream frames() const { return stream(self_); }

    bool step() {
        bool moved = false;
        if (!waiting_.empty()) {
            const ssize_t n = ::send(socket_.get(), waiting_.data(), waiting_.size(), MSG_NOSIGNAL);
            if (n > 0) waiting_.erase(0, static_cast<std::size_t>(n));
            if (n < 0 && errno != EAGAIN) {
                was_refused = true;
                waiting_.clear();
            }
            moved = n > 0 || was_refused;
        }
        if (waiting_.empty() && std::exchange(ends_, false)) {
            ::shutdown(socket_.get(), SHUT_WR);
            moved = true;
        }
        return reads && read(64 * 1024) ? true : moved;
    }
    /// So many bytes at most. False: there was nothing to read.
    bool read(std::size_t most) {
        if (saw_end || was_reset) return false;
        std::string block(most, '\0');
        const ssize_t n = ::recv(socket_.get(), block.data(), block.size(), 0);
        if (n > 0) heard.append(block, 0, static_cast<std::size_t>(n));
        saw_end = n == 0;
        was_reset = n < 0 && errno != EAGAIN;
        return n > 0 || saw_end || was_reset;
    }
    /// Ends its direction, after what it still has to say.
    void end() { ends_ = true; }
    /// Closes its socket.
    void leave() { socket_ = descriptor(); }

    /// All it heard so far.
    [[nodiscard]] strict::stream parsed() const {
        return strict::parse(heard, wsolo::masks(wsolo::peer_of(self_)));
    }
    /// The code of the Close that it heard; 0: none.
    [[nodiscard]] unsigned close_code() const {
        const strict::stream all = parsed();
        if (all.frames.empty() || all.frames.back().opcode != 8 || all.frames.back().payload.size() < 2)
            return 0;
        const std::string& body = all.frames.back().payload;
        return static_cast<unsigned char>(body[0]) * 256U + static_cast<unsigned char>(body[1]);
    }
    [[nodiscard]] bool is_reading() const { return reads && !saw_end && !was_reset; }
    [[nodiscard]] int socket() const { return socket_.get(); }

    bool reads = true;
    bool saw_end = false;
    bool was_reset = false;
    bool was_refused = false; ///< what it said reached no peer
    std::string heard;

private:
    descriptor socket_;
    wsolo::role self_;
    std::string waiting_;
    bool ends_ = false;
};

/// Passes bytes on in both directions, and ends both when one of them has ended and is passed on.
class hasty_proxy {
public:
    hasty_proxy(descriptor one, descriptor other) : ends_{std::move(one), std::move(other)} {
        for (const descriptor& each : ends_) ::fcntl(each.get(), F_SETFL, O_NONBLOCK);
    }

    bool step() {
        if (is_over()) return false;
        const bool passed_one = pass(0, 1);
        return pass(1, 0) || passed_one; // both, each time
    }
    [[nodiscard]] bool is_over() const { return ends_[0].get() < 0; }
    [[nodiscard]] bool is_reading() const { return !is_over(); }
    [[nodiscard]] int socket(std::size_t which) const { return ends_[which].get(); }

private:
    bool pass(std::size_t from, std::size_t to) {
        if (is_over()) return false;
        std::string& held = held_[from];
        bool moved = false;
        bool is_end = false;
        if (held.empty()) {
            held.resize(64 * 1024);
            const ssize_t n = ::recv(ends_[from].get(), held.data(), held.size(), 0);
            held.resize(n > 0 ? static_cast<std::size_t>(n) : 0);
            is_end = n == 0 || (n < 0 && errno != EAGAIN);
            moved = n > 0;
        }
        if (!held.empty()) {
            const ssize_t n = ::send(ends_[to].get(), held.data(), held.size(), MSG_NOSIGNAL);
            if (n > 0) held.erase(0, static_cast<std::size_t>(n));
            is_end = is_end || (n < 0 && errno != EAGAIN);
            moved = moved || n > 0;
        }
        if (is_end) ends_ = {};
        return moved || is_end;
    }

    std::array<descriptor, 2> ends_;
    std::array<std::string, 2> held_;
};

/// A way between two sockets: `reader` says whether what `socket` was given is being read at the other end.
struct way {
    int socket;
    bool is_read;
};

/// Steps all of them until `holds`, or until all is at rest. False: at rest before that.
template <class Condition, class Ways, class... Parts>
bool step_until(Condition holds, Ways ways, Parts&... parts) {
    auto patience = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    while (!holds()) {
        if ((static_cast<int>(parts.step()) | ...) != 0) {
            patience = std::chrono::steady_clock::now() + std::chrono::seconds(10);
            continue;
        }
        bool comes_more = false;
        for (const way& each : ways())
            comes_more = comes_more || (each.is_read && bytes_under_way(each.socket) > 0);
        if (!comes_more || std::chrono::steady_clock::now() > patience) return holds();
        std::this_thread::yield(); // the system's own delayed acknowledgement, say
    }
    return true;
}

/// The same until all is at rest.
template <class Ways, class... Parts>
void step_to_rest(Ways ways, Parts&... parts) {
    static_cast<void>(step_until([] { return false; }, ways, parts...));
}

/// The library's own way to end: nothing is wrong with it.
struct own_way : wsolo::adapt::posix_socket {
    own_way(int socket, loop_marks*) noexcept : posix_socket(socket) {}
};

} // namespace support
