// Would catch: SIGPIPE on a vanished peer, a lost byte after a partial write, a write that waits, an end that
// does not reach the reading side, a signal taken for room.

#include <support/catch.hpp>

#include <wsolo/adapt/posix.hpp>

#include <csignal>
#include <string>
#include <sys/time.h>
#include <unistd.h>

using namespace std::chrono_literals;
using wsolo::io_status;
using wsolo::adapt::posix_socket;

namespace {

struct socket_pair {
    socket_pair() { REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0); }
    ~socket_pair() {
        close_end(0);
        close_end(1);
    }
    void close_end(int which) {
        if (ends[which] >= 0) ::close(ends[which]);
        ends[which] = -1;
    }
    int ends[2];
};

/// SIGALRM every millisecond, handled by counting.
class ticking_signals {
public:
    ticking_signals() {
        struct sigaction counting = {};
        counting.sa_handler = [](int) { count_ = count_ + 1; };
        ::sigaction(SIGALRM, &counting, &before_);
        const itimerval every{{0, 1000}, {0, 1000}};
        ::setitimer(ITIMER_REAL, &every, nullptr);
    }
    ~ticking_signals() {
        const itimerval never{};
        ::setitimer(ITIMER_REAL, &never, nullptr);
        ::sigaction(SIGALRM, &before_, nullptr);
    }
    ticking_signals(const ticking_signals&) = delete;
    ticking_signals& operator=(const ticking_signals&) = delete;
    [[nodiscard]] static int count() { return count_; }

private:
    inline static volatile std::sig_atomic_t count_ = 0;
    struct sigaction before_ = {};
};

} // namespace

TEST_CASE("parts leave in order, and a full socket says would_block at once", "[adapt][posix]") {
    socket_pair sockets; // both ends are blocking descriptors: the transport must not wait all the same
    posix_socket out(sockets.ends[0]);
    const std::string first = "first ", block(100'000, 'x');
    const wsolo::const_bytes parts[] = {wsolo::bytes_of(first), wsolo::bytes_of(block)};
    std::size_t taken = 0;
    wsolo::io_result io;
    while ((io = out.write(parts, wsolo::no_deadline)).status == io_status::ok) taken += io.transferred;
    CHECK(io.status == io_status::would_block);
    CHECK(taken >= first.size());
    CHECK_FALSE(out.wait_writable(std::chrono::steady_clock::now() + 5ms));

    std::string got(taken, '\0');
    std::size_t have = 0;
    while (have < taken) {
        const ssize_t n = ::read(sockets.ends[1], got.data() + have, taken - have);
        REQUIRE(n > 0);
        have += static_cast<std::size_t>(n);
    }
    CHECK(got.substr(0, 7) == "first x");
    CHECK(out.wait_writable(std::chrono::steady_clock::now() + 5s));
}

TEST_CASE("a vanished peer is an error, not a signal", "[adapt][posix]") {
    socket_pair sockets;
    posix_socket out(sockets.ends[0]);
    sockets.close_end(1);
    const wsolo::const_bytes part = wsolo::bytes_of("late");
    const auto io = out.write({&part, 1}, wsolo::no_deadline);
    CHECK(io.status == io_status::failed);
    CHECK(io.error == EPIPE);
    CHECK(out.wait_writable(std::chrono::steady_clock::now() +
                            5s)); // broken counts as writable: the write says so
}

TEST_CASE("an end of the output leaves the input, an abort ends both, a drained writer neither",
          "[adapt][posix]") {
    char byte = 0;
    socket_pair drained;
    posix_socket(drained.ends[0]).finish(wsolo::end_of_write::drained);
    posix_socket(drained.ends[0]).finish(wsolo::end_of_write::failed);
    CHECK(::recv(drained.ends[1], &byte, 1, MSG_DONTWAIT) == -1); // no end
    posix_socket(drained.ends[0]).end_output();
    CHECK(::read(drained.ends[1], &byte, 1) == 0);
    REQUIRE(::write(drained.ends[1], "c", 1) == 1);
    CHECK(::read(drained.ends[0], &byte, 1) == 1); // the peer's Close can still be read

    socket_pair broken;
    posix_socket(broken.ends[0]).finish(wsolo::end_of_write::aborted);
    CHECK(::recv(broken.ends[1], &byte, 1, MSG_DONTWAIT) == 0);
    CHECK(::recv(broken.ends[0], &byte, 1, MSG_DONTWAIT) == 0); // a thread that reads does not stay there
}

TEST_CASE("a signal does not end a wait", "[adapt][posix]") {
    socket_pair sockets;
    posix_socket out(sockets.ends[0]);
    const std::string block(100'000, 'x');
    const wsolo::const_bytes part = wsolo::bytes_of(block);
    while (out.write({&part, 1}, wsolo::no_deadline).status == io_status::ok) {}
    const ticking_signals ticking;
    for (int before = ticking.count(); ticking.count() < before + 3;) // until some came during a wait
        REQUIRE_FALSE(out.wait_writable(std::chrono::steady_clock::now() + 10ms));
}
