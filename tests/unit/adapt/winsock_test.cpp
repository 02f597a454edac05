// Would catch: a write that waits on a blocking SOCKET, a lost byte after a partial write, an end that does not reach the reading
// side, a wake-up from another thread that is lost, a deadline that is not kept, a macro of windows.h that is a name of wsolo's.

#include <winsock2.h> // first, and without NOMINMAX, as programs do that know no better

#include <windows.h>

#include <support/catch.hpp>
#include <wsolo/adapt/winsock.hpp>
#include <wsolo/endpoint/client_connection.hpp>

#include <string>
#include <thread>
#include <vector>

using namespace std::chrono_literals;
using wsolo::close_code;
using wsolo::errc;
using wsolo::io_status;
using steady = std::chrono::steady_clock;
namespace winsock = wsolo::adapt::winsock;

namespace {

class winsock_library {
public:
    winsock_library() {
        WSADATA about;
        REQUIRE(::WSAStartup(MAKEWORD(2, 2), &about) == 0);
    }
    ~winsock_library() { ::WSACleanup(); }
};

/// Both ends of a connection over the loopback interface, blocking as Windows makes them.
class socket_pair {
public:
    socket_pair() {
        const SOCKET listening = ::socket(AF_INET, SOCK_STREAM, 0);
        sockaddr_in where{};
        where.sin_family = AF_INET;
        where.sin_addr.s_addr = ::htonl(INADDR_LOOPBACK);
        auto* const address = reinterpret_cast<sockaddr*>(&where);
        int size = sizeof where;
        REQUIRE(::bind(listening, address, size) == 0);
        REQUIRE(::getsockname(listening, address, &size) == 0);
        REQUIRE(::listen(listening, 1) == 0);
        ends[0] = ::socket(AF_INET, SOCK_STREAM, 0);
        REQUIRE(::connect(ends[0], address, size) == 0);
        ends[1] = ::accept(listening, nullptr, nullptr);
        REQUIRE(ends[1] != INVALID_SOCKET);
        ::closesocket(listening);
        const DWORD limit = 20'000; // ms: a read that would hang fails
        for (const SOCKET end : ends)
            ::setsockopt(end, SOL_SOCKET, SO_RCVTIMEO, reinterpret_cast<const char*>(&limit), sizeof limit);
    }
    ~socket_pair() {
        close_end(0);
        close_end(1);
    }
    void close_end(int which) {
        if (ends[which] != INVALID_SOCKET) ::closesocket(ends[which]);
        ends[which] = INVALID_SOCKET;
    }
    SOCKET ends[2] = {INVALID_SOCKET, INVALID_SOCKET};

private:
    winsock_library library_;
};

bool is_readable(SOCKET socket) {
    WSAPOLLFD looked{socket, POLLRDNORM, 0};
    return ::WSAPoll(&looked, 1, 0) == 1;
}
void wait_readable(SOCKET socket) {
    WSAPOLLFD looked{socket, POLLRDNORM, 0};
    REQUIRE(::WSAPoll(&looked, 1, 20'000) == 1);
}

struct echoing {
    errc on_message(auto& ws, wsolo::message&& got) { return ws.send(got); }
};

/// Sends its first message when it is open and the others when their echo has come, then closes.
struct asking {
    const std::vector<std::string>* messages;
    std::size_t* heard;

    void on_upgraded(auto& ws) { CHECK(ws.send_text((*messages)[0]) == errc::none); }
    errc on_message(auto& ws, wsolo::message&& got) {
        if (got.text() != (*messages)[*heard]) return errc::handler_failed;
        if (++*heard == messages->size()) return ws.close(close_code::normal, "enough");
        return ws.send_text((*messages)[*heard]);
    }
};

bool is_clean(const wsolo::ending& how) { return how.reason == errc::none && how.peer_closed; }

/// Counts what comes.
struct counting {
    std::atomic<int>* heard;
    errc on_message(auto&, const wsolo::message&) const { return ++*heard, errc::none; }
};

/// A connection whose peer always has more to say: it ends when it is run after it received, or after three reads.
struct beset {
    SOCKET peer;
    std::string calls;

    wsolo::endpoint_wants run() {
        calls += "run ";
        return {.read = true, .finished = calls.find("receive") != std::string::npos};
    }
    wsolo::endpoint_wants receive(wsolo::mutable_bytes) {
        calls += "receive ";
        say_more();
        return {.read = true, .finished = calls.size() > 30};
    }
    wsolo::endpoint_wants end_of_input(errc = errc::none) { return {.finished = true}; }
    wsolo::endpoint_wants abort(errc) { return {.finished = true}; }
    void say_more() const { CHECK(::send(peer, "x", 1, 0) == 1); }
};

/// A client's whole connection in this thread.
wsolo::ending talk(SOCKET socket, auto handler) {
    winsock::detail::bell wake;
    std::byte buffer[5'000]; // not a power of two: frames are cut anywhere
    wsolo::client_connection ws(winsock::stream_socket(socket), winsock::detail::ring_bell{&wake}, handler,
                                wsolo::client_request{.host = "localhost"});
    winsock::detail::drive(socket, wake, buffer, ws);
    return ws.how_it_ended();
}

} // namespace

TEST_CASE("Winsock: parts leave in order, and a full socket says would_block at once", "[adapt][winsock]") {
    const socket_pair sockets;
    winsock::stream_socket out(sockets.ends[0]);
    const std::string first = "first ", block(100'000, 'x');
    const wsolo::const_bytes parts[] = {wsolo::bytes_of(first), wsolo::bytes_of(block)};
    std::size_t taken = 0;
    wsolo::io_result io;
    while ((io = out.write(parts, wsolo::no_deadline)).status == io_status::ok) taken += io.transferred;
    CHECK(io.status == io_status::would_block);
    CHECK(io.error == WSAEWOULDBLOCK);
    CHECK(taken >= first.size());
    CHECK_FALSE(out.wait_writable(steady::now() + 5ms));

    std::string got(taken, '\0');
    std::size_t have = 0;
    while (have < taken) {
        const int n = ::recv(sockets.ends[1], got.data() + have, static_cast<int>(taken - have), 0);
        REQUIRE(n > 0);
        have += static_cast<std::size_t>(n);
    }
    CHECK(got.substr(0, 7) == "first x");
    CHECK(out.wait_writable(steady::now() + 20s));
}

TEST_CASE("Winsock: a call offers 256 KiB at most, of one part or of many", "[adapt][winsock]") {
    constexpr std::size_t most = std::size_t{256} * 1024;
    const socket_pair sockets;
    winsock::stream_socket out(sockets.ends[0]);
    const int room = 4 * 1024 * 1024;
    ::setsockopt(sockets.ends[0], SOL_SOCKET, SO_SNDBUF, reinterpret_cast<const char*>(&room), sizeof room);
    const std::string block(most - 10, 'a');
    const wsolo::const_bytes parts[] = {wsolo::bytes_of(block), wsolo::bytes_of(block)};
    const wsolo::io_result io = out.write(parts, wsolo::no_deadline);
    CHECK(io.status == io_status::ok);
    CHECK(io.transferred <= most);
    const std::string large(2 * most, 'b');
    const wsolo::const_bytes one = wsolo::bytes_of(large);
    CHECK(out.write({&one, 1}, wsolo::no_deadline).transferred <= most);
}

TEST_CASE("Winsock: a peer that is gone is an error", "[adapt][winsock]") {
    socket_pair sockets;
    winsock::stream_socket out(sockets.ends[0]);
    sockets.close_end(1);
    const wsolo::const_bytes part = wsolo::bytes_of("late");
    wsolo::io_result io;
    do { // the first ones may be taken: the peer's reset comes after
        io = out.write({&part, 1}, wsolo::no_deadline);
    } while (io.status == io_status::ok && out.wait_writable(steady::now() + 20s));
    CHECK(io.status == io_status::failed);
    CHECK((io.error == WSAECONNRESET || io.error == WSAECONNABORTED));
}

TEST_CASE("Winsock: an end of the output leaves the input, an abort ends both, a drained writer neither",
          "[adapt][winsock]") {
    char taken = 0;
    const socket_pair drained;
    winsock::stream_socket(drained.ends[0]).finish(wsolo::end_of_write::drained);
    winsock::stream_socket(drained.ends[0]).finish(wsolo::end_of_write::failed);
    CHECK_FALSE(is_readable(drained.ends[1])); // no end
    winsock::stream_socket(drained.ends[0]).end_output();
    CHECK(::recv(drained.ends[1], &taken, 1, 0) == 0);
    REQUIRE(::send(drained.ends[1], "c", 1, 0) == 1);
    wait_readable(drained.ends[0]);
    CHECK(::recv(drained.ends[0], &taken, 1, 0) == 1); // the peer's Close can still be read

    const socket_pair broken;
    winsock::stream_socket(broken.ends[0]).finish(wsolo::end_of_write::aborted);
    CHECK(::recv(broken.ends[1], &taken, 1, 0) == 0);
    CHECK(::recv(broken.ends[0], &taken, 1, 0) <= 0);
}

TEST_CASE("Winsock: a thread serves a connection from its request to both Closes", "[adapt][winsock]") {
    const socket_pair sockets;
    wsolo::connection_group everyone;
    wsolo::ending served;
    std::thread server([&] { served = winsock::serve(sockets.ends[1], echoing{}, everyone); });
    const std::vector<std::string> messages{"", "hello", std::string(70'000, 'm'),
                                            std::string(3'000'000, 'l'), "end"};
    std::size_t heard = 0;
    const wsolo::ending asked = talk(sockets.ends[0], asking{&messages, &heard});
    server.join();
    CHECK(heard == messages.size());
    CHECK(is_clean(asked));
    CHECK(is_clean(served));
    CHECK(everyone.size() == 0);
}

TEST_CASE("Winsock: another thread's message and its Close wake the thread that serves", "[adapt][winsock]") {
    const socket_pair sockets;
    wsolo::connection_group everyone;
    wsolo::ending served;
    std::thread server([&] { served = winsock::serve(sockets.ends[1], echoing{}, everyone); });
    std::atomic<int> heard{0};
    wsolo::ending asked;
    std::thread client([&] { asked = talk(sockets.ends[0], counting{&heard}); });
    while (everyone.size() == 0) std::this_thread::yield();
    for (int sent = 1; sent <= 500; ++sent) { // each finds a thread that sleeps, or is about to
        static_cast<void>(everyone.send_text("tick"));
        while (heard < sent) std::this_thread::yield();
    }
    static_cast<void>(everyone.close_all(close_code::going_away, "restart", 20s));
    server.join();
    client.join();
    CHECK(is_clean(served));
    CHECK(is_clean(asked));
    CHECK(asked.code == close_code::going_away);
}

TEST_CASE("Winsock: a peer that asks for nothing is answered 408, one that goes is noticed",
          "[adapt][winsock]") {
    wsolo::connection_group everyone;
    wsolo::server_options how;
    how.handshake_timeout = 20ms;
    how.ending.linger_timeout = 20ms;
    const socket_pair silent;
    CHECK(winsock::serve(silent.ends[1], echoing{}, everyone, how).reason == errc::handshake_timeout);
    char said[12] = {};
    CHECK(::recv(silent.ends[0], said, sizeof said, MSG_WAITALL) == 12);
    CHECK(std::string_view(said, 12) == "HTTP/1.1 408");

    socket_pair gone;
    gone.close_end(0);
    CHECK(winsock::serve(gone.ends[1], echoing{}, everyone).reason == errc::connection_lost);
}

TEST_CASE("Winsock: input does not hide what else came with it", "[adapt][winsock]") {
    const socket_pair sockets;
    winsock::detail::bell wake;
    std::byte buffer[16];
    beset ws{sockets.ends[1], {}};
    ws.say_more();
    wait_readable(sockets.ends[0]);
    wake.ring(); // another thread has sent
    winsock::detail::drive(sockets.ends[0], wake, buffer, ws);
    CHECK(ws.calls == "run receive run ");
}
