// Would catch: bytes that a stream keeps to itself, or that it has taken and that are lost at the end; an end that waits for a peer
// that reads nothing.

#include <support/catch.hpp>
#include <support/poll_rig.hpp>

using namespace support::polling;
using support::client;

namespace {

/// Reads ahead, hands out a byte at a time, and owes a goodbye that takes two tries.
class dribble {
public:
    struct end : wsolo::adapt::posix_socket {
        dribble* whole;
        end(int fd, dribble* of) : posix_socket(fd), whole(of) {}
        void end_output() noexcept { whole->owed_ = 2; }
    };

    explicit dribble(int fd) : fd_(fd) {}
    dribble(const dribble&) = delete;
    dribble& operator=(const dribble&) = delete;

    sockets::read_result read(wsolo::mutable_bytes into) noexcept {
        if (at_ == kept_.size()) {
            kept_.resize(4096);
            at_ = 0;
            const ssize_t count = ::recv(fd_, kept_.data(), kept_.size(), MSG_DONTWAIT);
            kept_.resize(count > 0 ? static_cast<std::size_t>(count) : 0);
            if (count == 0) return {sockets::read_status::end};
            if (count < 0)
                return {errno == EAGAIN ? sockets::read_status::not_now : sockets::read_status::failed};
        }
        into[0] = static_cast<std::byte>(kept_[at_++]);
        return {sockets::read_status::some, 1};
    }
    end writing_end() { return {fd_, this}; }
    unsigned read_needs() const noexcept { return POLLIN; }
    unsigned write_needs() const noexcept { return POLLOUT; }
    bool has_read_ahead() const noexcept { return at_ != kept_.size(); }
    bool has_unwritten() const noexcept { return owed_ > 0; }
    void flush() noexcept {
        if (--owed_ == 0) ::shutdown(fd_, SHUT_WR);
    }

private:
    int fd_;
    std::string kept_;
    std::size_t at_ = 0;
    int owed_ = 0;
};

} // namespace

TEMPLATE_TEST_CASE("a stream may read ahead, and say its own goodbye", "[adapt][poll]", POLL_SETS) {
    running<TestType> of;
    const socket_pair fresh;
    client a(fresh.ends[1]);
    wsolo::server_options patient = quick();
    patient.ending.linger_timeout = 0ms; // nothing but the goodbye ends its output
    REQUIRE(of.loop.add(fresh.ends[0], echoing{}, of.everyone, patient, [](int fd) { return dribble(fd); }) ==
            errc::none);
    a.say(std::string(client::request) + client::text("first") +
          client::text("second")); // nothing more comes
    of.start();
    CHECK(a.hear_head().starts_with("HTTP/1.1 101 "));
    CHECK(a.hear(7 + 8) == client::unmasked("first") + client::unmasked("second"));
    a.close_in_order();
    a.hang_up();
}

namespace {

/// Takes all that is written at once, and lets it out a byte at a time: all of it after its end too, where that was asked for.
class stingy {
public:
    struct end {
        stingy* whole;
        wsolo::io_result write(std::span<const wsolo::const_bytes> parts, wsolo::time_point) {
            return whole->take(parts);
        }
        void finish(wsolo::end_of_write) noexcept {}
        void end_output() noexcept { whole->owes_end_ = true; }
        void disconnect() noexcept { whole->disconnect(); }
    };

    explicit stingy(int fd) : fd_(fd), plain_(fd) {}
    stingy(const stingy&) = delete;
    stingy& operator=(const stingy&) = delete;

    sockets::read_result read(wsolo::mutable_bytes into) noexcept { return plain_.read(into); }
    end writing_end() { return {this}; }
    unsigned read_needs() const noexcept { return POLLIN; }
    unsigned write_needs() const noexcept { return POLLOUT; }
    bool has_read_ahead() const noexcept { return false; }
    bool has_unwritten() const noexcept { return !kept_.empty() || owes_end_; }
    void flush() noexcept {
        if (!kept_.empty() && ::send(fd_, kept_.data(), 1, MSG_NOSIGNAL | MSG_DONTWAIT) == 1)
            kept_.erase(0, 1);
        if (!kept_.empty()) return;
        if (std::exchange(owes_end_, false)) ::shutdown(fd_, SHUT_WR);
        if (is_left_) ::shutdown(fd_, SHUT_RDWR);
    }

private:
    wsolo::io_result take(std::span<const wsolo::const_bytes> parts) {
        const std::size_t before = kept_.size();
        for (const auto part : parts) kept_.append(reinterpret_cast<const char*>(part.data()), part.size());
        return {wsolo::io_status::ok, kept_.size() - before, 0};
    }
    void disconnect() noexcept {
        is_left_ = true;
        if (owes_end_) return;
        kept_.clear();
        ::shutdown(fd_, SHUT_RDWR);
    }

    int fd_;
    sockets::plain_stream plain_;
    std::string kept_;
    bool owes_end_ = false;
    bool is_left_ = false;
};
struct greeting_large : echoing {
    void on_upgraded(auto& ws) { CHECK(ws.send_text(std::string(100'000, 'x')) == errc::none); }
};
constexpr auto wrap_stingy = [](int fd) { return stingy(fd); };

} // namespace

TEMPLATE_TEST_CASE("what a stream has taken leaves after the peer's end too", "[adapt][poll]", POLL_SETS) {
    for (const bool is_bounded : {false, true}) {
        running<TestType> of;
        const socket_pair fresh;
        const client a(fresh.ends[1]);
        wsolo::server_options how = quick();
        how.ending.linger_timeout = is_bounded ? 1h : 0s;
        REQUIRE(of.loop.add(fresh.ends[0], echoing{}, of.everyone, how, wrap_stingy) == errc::none);
        a.say(std::string(client::request) + client::text("hello") + client::text("\x03\xe8", '\x88'));
        a.end_output(); // all of it is there before the first read
        of.start();
        CHECK(a.hear_head().starts_with("HTTP/1.1 101 "));
        CHECK(a.hear(7) == client::unmasked("hello"));
        CHECK(a.hear(100) == "\x88\x02\x03\xe8");
    }
}

TEMPLATE_TEST_CASE("what a stream has taken is cut off by an abort, by the linger and by a reset",
                   "[adapt][poll]", POLL_SETS) {
    const bool is_aborted = GENERATE(true, false);
    const bool is_reset = !is_aborted && GENERATE(true, false);
    running<TestType> of;
    const socket_pair fresh;
    const int small = 4096;
    ::setsockopt(fresh.ends[0], SOL_SOCKET, SO_SNDBUF, &small, sizeof small);
    client silent(fresh.ends[1]);
    wsolo::server_options how = quick();
    how.ending.linger_timeout = is_aborted || is_reset ? 1h : 50ms;
    REQUIRE(of.loop.add(fresh.ends[0], greeting_large{}, of.everyone, how, wrap_stingy) == errc::none);
    silent.say(client::request);
    if (!is_aborted) {
        silent.say(client::text("\x03\xe8", '\x88'));
        silent.end_output();
    }
    of.start();
    if (is_aborted) {
        while (of.everyone.size() == 0) std::this_thread::sleep_for(1ms);
        of.everyone.abort_all();
    }
    if (is_reset) {
        CHECK(silent.hear_head().starts_with("HTTP/1.1 101 ")); // what follows is left unread
        silent.hang_up();
    }
    of.thread.join(); // although the peer reads nothing
}
