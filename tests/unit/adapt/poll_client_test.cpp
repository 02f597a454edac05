// Would catch: a client that asks before it is connected, that waits for a connection without an end, that is told nothing when
// there is none, that ends with its loop's listeners, or whose descriptor stays open.

#include <support/catch.hpp>

#include <wsolo/adapt/poll.hpp>

#include <arpa/inet.h>
#include <optional>
#include <string>
#include <thread>
#include <vector>

using namespace std::chrono_literals;
using wsolo::close_code;
using wsolo::errc;
namespace sockets = wsolo::adapt::poll;

#if defined(__linux__)
#define BOTH_SETS sockets::epoll_set, sockets::poll_set
#else
#define BOTH_SETS sockets::poll_set
#endif

namespace {

struct listening_socket {
    explicit listening_socket(int backlog = 64) : fd(::socket(AF_INET, SOCK_STREAM, 0)) {
        where.sin_family = AF_INET;
        where.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        socklen_t size = sizeof where;
        REQUIRE(::bind(fd, address(), size) == 0);
        REQUIRE(::listen(fd, backlog) == 0);
        REQUIRE(::getsockname(fd, address(), &size) == 0);
    }
    listening_socket(const listening_socket&) = delete;
    listening_socket& operator=(const listening_socket&) = delete;
    ~listening_socket() { close(); }
    void close() {
        if (fd >= 0) ::close(std::exchange(fd, -1));
    }
    int give() { return std::exchange(fd, -1); }
    sockaddr* address() { return reinterpret_cast<sockaddr*>(&where); }
    int begin() { return sockets::begin_connect(address(), sizeof where); }

    sockaddr_in where{};
    int fd;
};

struct echoing {
    errc on_message(auto& ws, wsolo::message&& got) { return ws.send(got); }
};

struct refusing : echoing {
    static void on_request(const wsolo::upgrade_request&, wsolo::http_reply& reply) {
        reply.respond({.status = 404, .body = "not here"});
    }
};

struct record {
    std::vector<std::size_t> got;
    std::vector<errc> not_opened;
    int status = 0;
    std::optional<wsolo::ending> end;
};

const std::vector<std::size_t> all_sizes{0, 1, 125, 126, 65'536, 1'000'000};

/// One message of each size, each after the answer to the one before it; then it closes.
template <class Loop>
struct calling {
    void on_upgraded(auto& ws) { CHECK(ws.send_text("") == errc::none); }
    void on_not_opened(errc why, int status) {
        log->not_opened.push_back(why);
        log->status = status;
        if (loop != nullptr) loop->stop_accepting();
    }
    errc on_message(auto& ws, wsolo::message&& got) {
        CHECK(got.text() == std::string(all_sizes[log->got.size()], 'x'));
        log->got.push_back(got.size());
        if (log->got.size() == all_sizes.size()) return ws.close();
        if (log->got.size() == 2 && loop != nullptr) loop->stop_accepting();
        return ws.send_text(std::string(all_sizes[log->got.size()], 'x'));
    }
    void on_finished(auto&, const wsolo::ending& how) { log->end = how; }

    record* log;
    Loop* loop = nullptr;
};

wsolo::client_options within(std::chrono::milliseconds bound) {
    wsolo::client_options how;
    how.handshake_timeout = bound;
    return how;
}

bool is_open(int fd) { return ::fcntl(fd, F_GETFD) != -1; }

} // namespace

TEMPLATE_TEST_CASE("a client and its server may share a loop", "[adapt][poll]", BOTH_SETS) {
    using loop_type = sockets::basic_loop<TestType>;
    wsolo::connection_group everyone;
    loop_type loop;
    record log;
    int fd = -1;
    SECTION("through a listener, which is closed meanwhile") {
        listening_socket listening;
        fd = listening.begin();
        REQUIRE(fd >= 0);
        REQUIRE(loop.accept(listening.give(), everyone, [] { return echoing{}; }) == errc::none);
        CHECK(loop.connect(fd, calling<loop_type>{&log, &loop}, {.host = "a"}) == errc::none);
    }
    SECTION("on sockets that are connected") {
        int ends[2] = {-1, -1};
        REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0);
        REQUIRE(loop.add(ends[0], echoing{}, everyone) == errc::none);
        fd = ends[1];
        CHECK(loop.connect(fd, calling<loop_type>{&log}, {.host = "a"}) == errc::none);
    }
    loop.run(); // returns
    CHECK(log.got == all_sizes);
    CHECK(log.not_opened.empty());
    REQUIRE(log.end.has_value());
    CHECK(log.end->reason == errc::none);
    CHECK(log.end->code == close_code::normal);
    CHECK(everyone.report().joined == 1); // the server's; a client is in no group
    CHECK_FALSE(is_open(fd));
}

TEMPLATE_TEST_CASE("a client is told why it was never open", "[adapt][poll]", BOTH_SETS) {
    using loop_type = sockets::basic_loop<TestType>;
    wsolo::connection_group everyone;
    loop_type loop;
    record log;
    const calling<loop_type> caller{&log, &loop};
    listening_socket listening;
    errc expected = errc::none;
    SECTION("no one listens") {
        listening.close();
        const int fd = listening.begin();
        if (fd < 0) { // some systems know at once
            CHECK(errno == ECONNREFUSED);
            return;
        }
        CHECK(loop.connect(fd, caller, {.host = "a"}) == errc::none);
        expected = errc::connection_lost;
    }
    SECTION("no one listens any more") {
        const int fd = listening.begin();
        listening.close();
        CHECK(loop.connect(fd, caller, {.host = "a"}) == errc::none);
        expected = errc::connection_lost;
    }
    SECTION("no answer comes") {
        CHECK(loop.connect(listening.begin(), caller, {.host = "a"}, within(50ms)) == errc::none);
        CHECK(loop.turn(10ms)); // it is connected, and has asked
        loop.stop_accepting();  // which is for servers
        expected = errc::handshake_timeout;
    }
    SECTION("it is refused") {
        const int fd = listening.begin();
        REQUIRE(loop.accept(listening.give(), everyone, [] { return refusing{}; }) == errc::none);
        CHECK(loop.connect(fd, caller, {.host = "a"}) == errc::none);
        expected = errc::handshake_unexpected_status;
    }
    SECTION("it can't be asked") {
        CHECK(loop.connect(listening.begin(), caller, {.host = "a b"}) == errc::none);
        expected = errc::invalid_header_field;
    }
    loop.run();
    CHECK(log.not_opened == std::vector<errc>{expected});
    CHECK(log.status == (expected == errc::handshake_unexpected_status ? 404 : 0));
    CHECK_FALSE(log.end.has_value());
}

TEMPLATE_TEST_CASE("what is due while a handler takes its time is done after it", "[adapt][poll]",
                   BOTH_SETS) {
    struct slow : echoing {
        void on_not_opened(errc, int) const {
            std::this_thread::sleep_for(takes);
            *told = std::chrono::steady_clock::now();
        }
        std::chrono::milliseconds takes;
        std::chrono::steady_clock::time_point* told;
    };
    sockets::basic_loop<TestType> loop;
    listening_socket listening; // no answer comes
    std::chrono::steady_clock::time_point first, second;
    CHECK(loop.connect(listening.begin(), slow{{}, 400ms, &first}, {.host = "a"}, within(50ms)) ==
          errc::none);
    CHECK(loop.connect(listening.begin(), slow{{}, 0ms, &second}, {.host = "a"}, within(440ms)) ==
          errc::none);
    loop.run();
    CHECK(second - first < 250ms);
}

TEMPLATE_TEST_CASE("no descriptor is no client", "[adapt][poll]", BOTH_SETS) {
    sockets::basic_loop<TestType> loop;
    record log;
    CHECK(loop.connect(-1, calling<sockets::basic_loop<TestType>>{&log}, {.host = "a"}) ==
          errc::connection_lost);
    CHECK_FALSE(loop.turn(0ms));
    sockaddr_in nowhere{};
    nowhere.sin_family = 0x7fff;
    CHECK(sockets::begin_connect(reinterpret_cast<const sockaddr*>(&nowhere), sizeof nowhere) == -1);
    CHECK(errno != 0);
}

#if defined(__linux__)
TEMPLATE_TEST_CASE("after a stop no listener is taken, also before the loop has had a turn", "[adapt][poll]",
                   BOTH_SETS) {
    sockets::basic_loop<TestType> loop;
    wsolo::connection_group everyone;
    loop.stop_accepting();
    listening_socket door(1);
    CHECK(loop.accept(door.fd, everyone, [] { return echoing{}; }) == errc::closed);
}

TEMPLATE_TEST_CASE("a connection that is never made is given up in time, and a stop leaves it",
                   "[adapt][poll]", BOTH_SETS) {
    using loop_type = sockets::basic_loop<TestType>;
    loop_type loop;
    record log;
    listening_socket listening(0); // has room for one, which Linux does not make two
    std::vector<int> before;
    int fd = -1;
    for (int tries = 0; tries < 16; ++tries) {
        fd = listening.begin();
        REQUIRE(fd >= 0);
        pollfd asked{fd, POLLOUT, 0};
        if (::poll(&asked, 1, 100) == 0) break; // no one answers any more
        before.push_back(fd);
        fd = -1;
    }
    REQUIRE(fd >= 0);
    CHECK(loop.connect(fd, calling<loop_type>{&log}, {.host = "a"}, within(150ms)) == errc::none);
    loop.stop_accepting();
    CHECK(loop.turn(0ms)); // it is still there
    loop.run();
    CHECK(log.not_opened == std::vector<errc>{errc::handshake_timeout});
    CHECK_FALSE(is_open(fd));
    for (const int each : before) ::close(each);
}
#endif
