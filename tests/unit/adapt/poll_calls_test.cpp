// Would catch: a system call of a turn that nothing needs (a look at a bell that was not rung, a timer that moves with every
// message, a list for one part), a loop that looks twice for the same message, a read buffer that an idle loop keeps.

#include <support/blocking_client.hpp>
#include <support/catch.hpp>
#include <support/counted_calls.hpp>
#include <support/heap.hpp>

#include <wsolo/adapt/poll.hpp>

#include <optional>
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
        support::count_calls_between(got.text(), counts);
        return ws.send(got);
    }
    call_counts* counts;
};

/// A loop in a thread of its own, and the only peer that it has.
class served {
public:
    explicit served(const sockets::loop_options& options = {}) : loop_(options) {
        REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM, 0, ends_) == 0);
        REQUIRE(loop_.add(ends_[0], counting{&counts}, everyone_) == errc::none);
        peer.emplace(ends_[1]);
    }
    void start() {
        turning_ = std::thread([this] { loop_.run(); });
        peer->shake_hands();
    }
    void end() {
        peer->close_in_order();
        peer->hang_up();
        turning_.join();
    }

    call_counts counts{};
    std::optional<client> peer;

private:
    wsolo::connection_group everyone_;
    sockets::loop loop_;
    int ends_[2] = {-1, -1};
    std::thread turning_;
};

} // namespace

TEST_CASE("one message at a time is three system calls: to wait, to read, to write", "[adapt][poll]") {
    served it;
    it.start();
    const client& peer = *it.peer;
    peer.check_echo("start");
    constexpr int rounds = 200;
    const auto began = steady::now();
    for (int round = 1; round < rounds; ++round) peer.check_echo("hello");
    peer.check_echo("stop!");
    const std::chrono::duration<double> took = steady::now() - began;
    it.end();

    // The timer of what is due comes too early once a second at most, and is set again.
    const long early = static_cast<long>(took.count()) + 2;
    CHECK(of(it.counts, call::recv) == rounds);
    CHECK(of(it.counts, call::send) == rounds); // the first one's, and not the last one's
    CHECK(of(it.counts, call::epoll_wait) >= rounds);
    CHECK(of(it.counts, call::epoll_wait) <= rounds + early);
    CHECK(of(it.counts, call::timerfd_settime) <= early);
    for (const call none : {call::epoll_ctl, call::sendmsg, call::read, call::write})
        CHECK(of(it.counts, none) == 0);
}

TEST_CASE("sixteen messages that come at once are read at once and answered at once", "[adapt][poll]") {
    served it;
    it.start();
    const client& peer = *it.peer;
    std::string all, echoes;
    for (int i = 0; i < 16; ++i) {
        all += client::text("many");
        echoes += client::unmasked("many");
    }
    peer.check_echo("start");
    peer.say(all);
    CHECK(peer.hear(echoes.size()) == echoes);
    peer.check_echo("stop!");
    it.end();
    CHECK(of(it.counts, call::recv) == 2);
    CHECK(of(it.counts, call::send) + of(it.counts, call::sendmsg) == 2);
}

#if WSOLO_TEST_COUNTS_HEAP
TEST_CASE("after an idle second a loop has no read buffer", "[adapt][poll]") {
    constexpr long size = 8 * 1024 * 1024;
    served it({.read_buffer = static_cast<std::size_t>(size)});
    const long before = support::heap_now().bytes;
    const auto has_buffer = [before] {
        return support::heap_now().bytes - before > size / 2;
    }; // others come and go
    it.start();
    const client& peer = *it.peer;
    CHECK(has_buffer());
    std::this_thread::sleep_for(300ms); // the timer that the first read set comes too early
    peer.check_echo("later");
    const auto began = steady::now();
    while (has_buffer() && steady::now() - began < 8s) std::this_thread::sleep_for(10ms);
    CHECK_FALSE(has_buffer());
    CHECK(steady::now() - began >= 900ms); // it is not taken anew for each read
    peer.check_echo("again");
    CHECK(has_buffer());
    it.end();
}
#endif

#endif
