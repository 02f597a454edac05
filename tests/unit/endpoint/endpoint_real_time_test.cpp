// Whole endpoints on loopback TCP in real time, too long for a plain run. Would catch: two sides that push to each other until
// both stand, and a download that is cut off although its peer reads on, by heartbeats that only a real kernel's buffers delay.

#include <support/catch.hpp>
#include <support/sockets.hpp>

#include <wsolo/adapt/posix.hpp>
#include <wsolo/endpoint/endpoint.hpp>

#include <poll.h>
#include <thread>
#include <vector>

using namespace support;
using namespace std::chrono_literals;

namespace {

using wsolo::errc;
using steady = std::chrono::steady_clock;

struct told {
    bool* is_due;
    void operator()() const { *is_due = true; }
};
struct counting {
    long* count;
    void on_message(auto&, wsolo::message&&) const { ++*count; }
};

/// An endpoint with the defaults, and its loop in the thread that calls run().
template <class Side>
struct looping {
    explicit looping(descriptor of) : socket(std::move(of)) {
        ::fcntl(socket.get(), F_SETFL, O_NONBLOCK);
        whole.emplace(wsolo::adapt::posix_socket(socket.get()), told{&is_due}, counting{&count},
                      wsolo::endpoint_options{}, Side{});
    }

    /// `work` is called before each wait, which lasts 20 ms at most.
    template <class Work>
    void run(Work work) {
        std::vector<std::byte> buffer(64 * 1024);
        wsolo::endpoint_wants wants = whole->run();
        while (!wants.finished) {
            work();
            pollfd watched{socket.get(),
                           static_cast<short>((wants.read ? POLLIN : 0) | (wants.write ? POLLOUT : 0)), 0};
            if (!wants.read && !wants.write) watched.fd = -1;
            const bool is_ready = !is_due && ::poll(&watched, 1, 20) > 0;
            if (is_ready && wants.read && (watched.revents & ~POLLOUT) != 0) {
                const ssize_t size = ::recv(socket.get(), buffer.data(), buffer.size(), 0);
                if (size > 0)
                    wants = whole->receive(std::span(buffer).first(static_cast<std::size_t>(size)));
                else if (size == 0 || errno != EAGAIN)
                    wants = whole->end_of_input(size == 0 ? errc::none : errc::connection_lost);
            }
            const bool has_passed = wants.deadline <= steady::now();
            if (!wants.finished &&
                (std::exchange(is_due, false) || has_passed || (watched.revents & POLLOUT) != 0))
                wants = whole->run();
        }
        how = whole->how_it_ended();
        socket = descriptor();
    }

    descriptor socket;
    bool is_due = false;
    long count = 0;
    wsolo::ending how;
    std::optional<wsolo::endpoint<wsolo::adapt::posix_socket, told, counting, Side>> whole;
};

constexpr long pushed = 400'000;

/// Pushes and takes; the client closes when it has done both.
template <class Side>
void push_and_take(looping<Side>& end) {
    const std::string text(40, 't');
    long sent = 0;
    bool has_closed = false;
    end.run([&] {
        while (sent < pushed && end.whole->send_text(text) == errc::none) ++sent;
        if (Side::self == wsolo::role::client && sent == pushed && end.count == pushed && !has_closed)
            has_closed = end.whole->close() == errc::none;
    });
}

struct downloaded {
    std::size_t bytes = 0;
    int pings = 0;
};

/// Reads 60 KB/s for so long, and answers each PING as it comes to it.
template <class Side>
downloaded read_slowly(const descriptor& from, steady::duration how_long) {
    wsolo::basic_reader<Side> in({.deliver = wsolo::delivery::fragments}, Side{});
    downloaded so_far;
    std::byte block[6'000];
    auto next = steady::now();
    const auto end = next + how_long;
    while (next < end) {
        const ssize_t size = ::recv(from.get(), block, sizeof block, 0);
        if (size <= 0) break;
        so_far.bytes += static_cast<std::size_t>(size);
        for (const wsolo::event& each : in.read(std::span(block).first(static_cast<std::size_t>(size)))) {
            so_far.pings += each.kind() == wsolo::event_kind::ping ? 1 : 0;
            if (const auto reply = each.owed_reply())
                if (!write_all(from.get(), wsolo::text_of(reply->bytes()))) return so_far;
        }
        next += 100ms * size / static_cast<ssize_t>(sizeof block);
        std::this_thread::sleep_until(next);
    }
    return so_far;
}

/// What the reader got within so long of an endpoint that always has more, and how that ended.
template <class Side, class PeerSide>
void download(steady::duration how_long, downloaded& got, wsolo::ending& how, bool& was_cut) {
    connection_ends ends = connect_both(network::tcp, send_buffers::of_the_system);
    looping<Side> ours(std::move(ends.ours));
    std::atomic<bool> is_enough{false};
    std::thread reader([&] {
        got = read_slowly<PeerSide>(ends.peers, how_long);
        is_enough = true;
    });
    const std::string block(16 * 1024, 'b');
    was_cut = true;
    ours.run([&] {
        while (ours.whole->writer().queued_bytes() < 256 * 1024 &&
               ours.whole->send_text(block) == errc::none) {}
        if (is_enough.load() && std::exchange(was_cut, false)) ours.whole->abort();
    });
    how = ours.how;
    reader.join();
}

} // namespace

TEST_CASE("two default endpoints push 400,000 messages to each other over TCP", "[endpoint][.full]") {
    connection_ends ends = connect_both(network::tcp);
    looping<wsolo::server_side> server(std::move(ends.ours));
    looping<wsolo::client_side<>> client(std::move(ends.peers));
    std::thread other([&] { push_and_take(server); });
    push_and_take(client);
    other.join();
    CHECK(server.count == pushed);
    CHECK(client.count == pushed);
    for (const wsolo::ending& how : {server.how, client.how}) {
        CHECK(how.reason == errc::none);
        CHECK(how.written.is_clean());
        CHECK(how.written.frames_dropped == 0);
    }
}

TEST_CASE("a download at 60 KB/s is alive for two minutes, with the defaults", "[endpoint][.full]") {
    downloaded by_client, by_server;
    wsolo::ending servers, clients;
    bool server_was_cut = true, client_was_cut = true;
    std::thread other([&] {
        download<wsolo::client_side<>, wsolo::server_side>(2min, by_server, clients, client_was_cut);
    });
    download<wsolo::server_side, wsolo::client_side<>>(2min, by_client, servers, server_was_cut);
    other.join();
    CHECK_FALSE(server_was_cut);
    CHECK_FALSE(client_was_cut);
    CHECK(servers.reason == errc::aborted);
    CHECK(clients.reason == errc::aborted);
    for (const downloaded& got : {by_client, by_server}) {
        CHECK(got.bytes >= 6'000'000); // of 7,200,000: the machine may be slow
        CHECK(got.pings >= 1);         // it came to one, after megabytes
    }
}
