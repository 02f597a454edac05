// Would catch: a system call of a turn that nothing needs (a look at a bell that was not rung, a timer that moves with every
// message, a list for one part), a loop that looks twice for the same message, a read buffer that an idle loop keeps.

#include <support/blocking_client.hpp>
#include <support/catch.hpp>
#include <support/counted_calls.hpp>
#include <support/heap.hpp>

#include <wsolo/adapt/poll.hpp>

#include <thread>

#if defined(__linux__)

using namespace std::chrono_literals;
using support::call;
using support::call_counts;
using support::client;
using wsolo::errc;
using steady = std::chrono::steady_clock;
namespace sockets = wsolo::adapt::poll;

namespace {

/// Counts what the loop's thread calls after a message that says so.
struct counting {
    errc on_message(auto& ws, wsolo::message&& got) {
        if (got.text() == "start") support::count_calls_in(counts);
        if (got.text() == "stop!") support::count_calls_in(nullptr);
        return ws.send(got);
    }
    call_counts* counts;
};

long of(const call_counts& counts, call which) { return counts[static_cast<std::size_t>(which)]; }

} // namespace

TEST_CASE("one message at a time is three system calls: to wait, to read, to write", "[adapt][poll]") {
    wsolo::connection_group everyone;
    sockets::loop loop;
    int ends[2];
    REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0);
    call_counts counts{};
    REQUIRE(loop.add(ends[0], counting{&counts}, everyone) == errc::none);
    client peer(ends[1]);
    std::thread turning([&] { loop.run(); });
    peer.shake_hands();
    peer.check_echo("start");
    constexpr int rounds = 200;
    const auto began = steady::now();
    for (int round = 1; round < rounds; ++round) peer.check_echo("hello");
    peer.check_echo("stop!");
    const std::chrono::duration<double> took = steady::now() - began;
    peer.close_in_order();
    peer.hang_up();
    turning.join();

    // The timer of what is due comes too early once a second at most, and is set again.
    const long early = static_cast<long>(took.count()) + 2;
    CHECK(of(counts, call::recv) == rounds);
    CHECK(of(counts, call::send) == rounds); // the first one's, and not the last one's
    CHECK(of(counts, call::epoll_wait) >= rounds);
    CHECK(of(counts, call::epoll_wait) <= rounds + early);
    CHECK(of(counts, call::timerfd_settime) <= early);
    for (const call none : {call::epoll_ctl, call::sendmsg, call::read, call::write})
        CHECK(of(counts, none) == 0);
}

TEST_CASE("sixteen messages that come at once are read at once and answered at once", "[adapt][poll]") {
    wsolo::connection_group everyone;
    sockets::loop loop;
    int ends[2];
    REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0);
    call_counts counts{};
    REQUIRE(loop.add(ends[0], counting{&counts}, everyone) == errc::none);
    client peer(ends[1]);
    std::thread turning([&] { loop.run(); });
    peer.shake_hands();
    std::string all, echoes;
    for (int i = 0; i < 16; ++i) {
        all += client::text("many");
        echoes += client::unmasked("many");
    }
    peer.check_echo("start");
    peer.say(all);
    CHECK(peer.hear(echoes.size()) == echoes);
    peer.check_echo("stop!");
    peer.close_in_order();
    peer.hang_up();
    turning.join();
    CHECK(of(counts, call::recv) == 2);
    CHECK(of(counts, call::send) + of(counts, call::sendmsg) == 2);
}

#if WSOLO_TEST_COUNTS_HEAP
TEST_CASE("after an idle second a loop has no read buffer", "[adapt][poll]") {
    constexpr long size = 8 * 1024 * 1024;
    wsolo::connection_group everyone;
    sockets::loop loop({.read_buffer = static_cast<std::size_t>(size)});
    int ends[2];
    REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0);
    REQUIRE(loop.add(ends[0], counting{nullptr}, everyone) == errc::none);
    client peer(ends[1]);
    const long before = support::heap_now().bytes;
    std::thread turning([&] { loop.run(); });
    peer.shake_hands();
    CHECK(support::heap_now().bytes - before >= size);
    std::this_thread::sleep_for(300ms); // the timer that the first read set comes too early
    peer.check_echo("later");
    const auto began = steady::now();
    while (support::heap_now().bytes - before >= size && steady::now() - began < 8s)
        std::this_thread::sleep_for(10ms);
    CHECK(support::heap_now().bytes - before < size);
    CHECK(steady::now() - began >= 900ms); // it is not taken anew for each read
    peer.check_echo("again");
    CHECK(support::heap_now().bytes - before >= size);
    peer.close_in_order();
    peer.hang_up();
    turning.join();
}
#endif

#endif
