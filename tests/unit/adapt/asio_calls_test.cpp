// Would catch: a system call for a message that nothing needs (the reactor told anew of each wait), a read buffer in each idle
// connection, bytes lost or doubled where a small read meets a large one, an end that came with the last bytes and is forgotten.

#include <support/asio_rig.hpp>
#include <support/blocking_client.hpp>
#include <support/counted_calls.hpp>

#include <algorithm>

#if defined(__GLIBC__)
#include <malloc.h>
#endif

#if defined(__linux__) && !defined(WSOLO_USE_BOOST_ASIO) // what Boost's test links is not counted

using namespace asio_rig;
using support::call;
using support::call_counts;

namespace {

/// Counts what the context's thread calls after a message that says so.
struct counting : finishes {
    counting(record& in, call_counts& to) : finishes(in), counts(&to) {}
    errc on_message(auto& ws, wsolo::message&& got) {
        support::count_calls_between(got.text(), counts);
        return ws.send(got);
    }
    call_counts* counts;
};

void check_echo(raw_client& peer, std::string_view payload) {
    peer.send(text(payload));
    CHECK(peer.frame() == payload);
}

/// One thread, without strands.
wsolo::adapt::asio::listen_options alone() {
    wsolo::adapt::asio::listen_options options;
    options.strands = false;
    return options;
}

using lone_group = wsolo::basic_connection_group<wsolo::one_thread_traits>;

/// Ends all at a message, in the context's thread.
struct ends_all : echo {
    ends_all(record& in, tcp::acceptor& from, lone_group& in_it)
        : echo(in), acceptor(&from), everyone(&in_it) {}
    errc on_message(auto& ws, wsolo::message&& got) {
        if (got.text() != "end") return ws.send(got);
        acceptor->close();
        static_cast<void>(everyone->close_all(wsolo::close_code::going_away, "", 5s));
        return errc::none;
    }
    tcp::acceptor* acceptor;
    lone_group* everyone;
};

} // namespace

TEST_CASE("Asio: one small message at a time is a wait, a read and a write", "[adapt][asio]") {
    server at;
    call_counts counts{};
    at.accept([&] { return counting(at.log, counts); }, alone());
    at.run(1);
    raw_client peer(at.endpoint());
    CHECK(peer.upgrade().starts_with("HTTP/1.1 101"));
    SECTION("from the beginning") {}
    SECTION("after a large one") { check_echo(peer, std::string(100'000, 'x')); }
    check_echo(peer, "small"); // it shows that they come small
    check_echo(peer, "start");
    constexpr int rounds = 200;
    for (int round = 1; round < rounds; ++round) check_echo(peer, "hello");
    check_echo(peer, "stop!");
    peer.reset();
    at.stop();
    at.join();
    CHECK(of(counts, call::epoll_ctl) <= 2); // the reactor is not told of each wait
    CHECK(of(counts, call::send) + of(counts, call::sendmsg) == rounds);
    // A message that comes between an event and its read has an event of its own, which finds nothing any more.
    CHECK(of(counts, call::recv) <= 2 * rounds + 2);
    CHECK(of(counts, call::epoll_wait) <= 2 * rounds + 8);
}

TEST_CASE("Asio: large messages are read into the thread's buffer, each wait at once", "[adapt][asio]") {
    server at;
    call_counts counts{};
    at.accept([&] { return counting(at.log, counts); }, alone());
    at.run(1);
    raw_client peer(at.endpoint());
    CHECK(peer.upgrade().starts_with("HTTP/1.1 101"));
    check_echo(peer, "start");
    std::string all;
    for (int i = 0; i < 16; ++i) all += text(std::string(1000, 'x'));
    constexpr int rounds = 50;
    for (int round = 0; round < rounds; ++round) {
        peer.send(all);
        for (int i = 0; i < 16; ++i) CHECK(peer.frame() == std::string(1000, 'x'));
    }
    check_echo(peer, "stop!");
    peer.reset();
    at.stop();
    at.join();
    CHECK(of(counts, call::recv) <= 3 * rounds); // of 16 messages; the peer's one send may be seen in parts
}

TEST_CASE("Asio: a thread may have a read buffer of another size", "[adapt][asio]") {
    server at;
    call_counts counts{};
    at.accept([&] { return counting(at.log, counts); }, alone());
    const std::size_t size = GENERATE(std::size_t{0}, std::size_t{4096}, std::size_t{1024 * 1024});
    net::post(at.loop, [size] { wsolo::adapt::asio::set_thread_read_buffer(size); });
    at.run(1);
    raw_client peer(at.endpoint());
    CHECK(peer.upgrade().starts_with("HTTP/1.1 101"));
    check_echo(peer, "start");
    check_echo(peer, std::string(100'000, 'x'));
    check_echo(peer, "stop!");
    peer.reset();
    at.stop();
    at.join();
    if (size <= 4096) CHECK(of(counts, call::recv) >= 100'000 / 4096);
}

TEST_CASE("Asio: messages of all sizes about the small buffer's, whole and in two pieces", "[adapt][asio]") {
    constexpr std::size_t few = wsolo::adapt::asio::small_read_buffer;
    server at;
    at.accept([&] { return echo(at.log); });
    at.run(1);
    raw_client peer(at.endpoint());
    CHECK(peer.upgrade().starts_with("HTTP/1.1 101"));
    for (std::size_t size = few - 12; size <= few + 4; ++size) {
        const std::string payload(size, 'x');
        check_echo(peer, "a"); // small ones are waited for
        check_echo(peer, payload);
        check_echo(peer, "b");
        const std::string bytes = text(payload) + text("c");
        for (const std::size_t first : {std::size_t{1}, few - 1, few, few + 1}) {
            check_echo(peer, "d");
            peer.send(bytes.substr(0, first));
            peer.send(bytes.substr(first));
            CHECK(peer.frame() == payload);
            CHECK(peer.frame() == "c");
        }
    }
    peer.send(text(std::string(few - 6, 'x'))); // fills it, and the end follows
    peer.finish();
    CHECK(peer.frame() == std::string(few - 6, 'x'));
    CHECK(peer.frame().starts_with("\x03\xea")); // there was no Close
    CHECK(peer.rest().empty());
    at.stop();
    at.join();
    CHECK(at.log.ends.size() == 1);
}

TEST_CASE("Asio: a group of one thread makes connections of one thread", "[adapt][asio]") {
    net::io_context loop;
    lone_group everyone;
    tcp::acceptor acceptor(loop, tcp::endpoint(net::ip::address_v4::loopback(), 0));
    record log;
    const auto where = acceptor.local_endpoint();
    std::thread peers([&] {
        raw_client peer(where);
        CHECK(peer.upgrade().starts_with("HTTP/1.1 101"));
        for (const std::size_t size : all_sizes) check_echo(peer, std::string(size, 'x'));
        peer.send(text("end"));
        CHECK(peer.frame() == "\x03\xe9");
        peer.send(close());
        CHECK(peer.rest().empty());
    });
    wsolo::adapt::asio::accept(
        acceptor, everyone, [&] { return ends_all(log, acceptor, everyone); }, alone());
    loop.run();
    peers.join();
    CHECK(log.ends == std::vector<errc>{errc::none});
    CHECK(everyone.report().joined == 1);
    CHECK(log.alive == 0);
}

#if defined(__GLIBC__) && __GLIBC_PREREQ(2, 33)
namespace {
/// What malloc has given out, each block's head with it: to the main thread, and large ones to any. A sanitizer's says 0.
std::size_t held() {
    const struct mallinfo2 all = ::mallinfo2();
    return all.uordblks + all.hblkhd;
}
struct answering {
    errc on_message(auto& ws, const wsolo::message& got) const { return ws.send(got); }
};
} // namespace

TEST_CASE("Asio: an idle connection has no read buffer", "[adapt][asio]") {
    constexpr std::size_t many = 16;
    server at;
    at.accept([&] { return echo(at.log); }, alone());
    at.run(1);
    std::vector<std::unique_ptr<raw_client>> peers;
    std::size_t before = 0;
    for (std::size_t i = 0; i <= many; ++i) {
        peers.push_back(std::make_unique<raw_client>(at.endpoint()));
        CHECK(peers.back()->upgrade().starts_with("HTTP/1.1 101"));
        check_echo(*peers.back(), std::string(10'000, 'x'));
        check_echo(*peers.back(), "hello");
        if (i == 0) before = held(); // with the thread's buffer
    }
    CHECK(held() < before + many * 16 * 1024); // the peers' own are in it
    for (auto& each : peers) each->reset();
    at.stop();
    at.join();
}

TEST_CASE("Asio: what an idle connection keeps of the heap in all", "[adapt][asio][memory]") {
    // A bound of what it is today (1584), so that it does not grow unseen. Much of it is Asio's: the descriptor's state, the
    // operations that wait, the timer, so that another release may have more.
    constexpr std::size_t most = ASIO_VERSION == 102201 ? 1600 : 2048;
    server at;
    at.accept([] { return answering{}; }, alone());
    std::vector<support::client> peers;
    std::vector<std::size_t> kept(64);
    peers.reserve(kept.size());
    bool is_well = true;
    const auto is_answered = [&peers] { // nothing of it is taken
        char none = 0;
        return ::recv(peers.back().descriptor(), &none, 1, MSG_PEEK | MSG_DONTWAIT) == 1;
    };
    for (std::size_t& each :
         kept) { // the context is turned here: in other threads' heaps malloc does not count
        const std::size_t before = held();
        peers.push_back(support::client::to(at.endpoint().port()));
        peers.back().say(request());
        at.turn_until(is_answered);
        is_well = peers.back().hear_head().starts_with("HTTP/1.1 101") && is_well;
        peers.back().say(support::client::text("hello"));
        at.turn_until(is_answered);
        is_well = peers.back().hear(7) == support::client::unmasked("hello") && is_well;
        each = held() - before;
    }
    REQUIRE(is_well);
    CHECK(at.everyone.size() == kept.size());
    std::sort(kept.begin(), kept.end());
    CHECK(kept[kept.size() / 2] <= most); // most are alike: but for what grows by doubling
    CHECK((kept[kept.size() / 2] >= 800 || held() == 0));
    peers.clear();
    at.stop();
    at.turn_until([&] { return at.everyone.size() == 0; });
}
#endif

#endif
