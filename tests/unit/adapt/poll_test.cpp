// Would catch: a wake-up that is lost or that spins, a turn for a connection that is gone, a descriptor that leaks or is closed
// twice, a listener that spins without descriptors, a hang-up told unasked, bytes that a stream keeps to itself, a loop that
// doesn't end, or that ends too early.

#include <support/catch.hpp>
#include <support/poll_rig.hpp>

#include <arpa/inet.h>
#include <csignal>
#include <functional>
#include <future>
#include <stdexcept>
#include <string>
#include <sys/resource.h>
#include <sys/time.h>
#include <thread>

using namespace std::chrono_literals;
using namespace std::string_literals;
using namespace support::polling;
using support::client;
using steady = std::chrono::steady_clock;

#if defined(__linux__)
#include <sys/syscall.h>

/// What the next calls of accept4() fail with, before they reach the system; 0: they do not.
static std::atomic<int> accept_fails{0};
static std::atomic<int> accept_fails_times{0};
extern "C" int accept4(int fd, sockaddr* whose, socklen_t* size, int flags) {
    if (const int error = accept_fails; error != 0 && accept_fails_times-- > 0) return errno = error, -1;
    return static_cast<int>(::syscall(SYS_accept4, fd, whose, size, flags));
}
#endif

TEMPLATE_TEST_CASE("a loop serves what it is given until nothing is left", "[adapt][poll]", POLL_SETS) {
    running<TestType> of;
    CHECK_FALSE(of.loop.turn(1h)); // nothing: it doesn't wait
    client a = of.add(echoing{});
    client b = of.add(echoing{});
    client c = of.add([](auto& ws, wsolo::message&& got) { return ws.send_text(got.text()); });
    of.start();
    for (const client* each : {&a, &b, &c}) each->shake_hands();
    CHECK(of.everyone.size() == 3);
    for (int round = 0; round < 20; ++round)
        for (const client* each : {&c, &a, &b}) each->check_echo("round " + std::to_string(round));
    b.close_in_order(); // from the middle
    b.hang_up();
    a.check_echo("a is there");
    c.check_echo("c is there");
    a.close_in_order();
    a.hang_up();
    c.close_in_order();
    c.hang_up();
    of.thread.join();
    CHECK(of.everyone.size() == 0);
    CHECK(of.everyone.report().joined == 3);
}

TEST_CASE("a loop of one thread serves without atomics, up to the group's end", "[adapt][poll]") {
    using one_thread_loop = sockets::one_thread_loop;
    listening_socket door;
    std::jthread server([&] {
        one_thread_loop::group_type everyone;
        one_thread_loop loop;
        bool is_over = false;
        const errc answer = loop.accept(
            door.fd, everyone,
            [&] {
                return [&](auto& ws, const wsolo::message& got) {
                    if (got.text() == "all") is_over = true;
                    return ws.send(got);
                };
            },
            quick());
        if (answer != errc::none) std::abort();
        while (loop.turn(1s)) {
            if (std::exchange(is_over, false)) {
                loop.stop_accepting();
                static_cast<void>(everyone.close_all(close_code::going_away, "all", 2s));
            }
        }
    });
    client a = door.connect(), b = door.connect();
    a.shake_hands(), b.shake_hands();
    for (const char* text : {"1", "2", "3"}) a.check_echo(text), b.check_echo(text);
    a.check_echo("all");
    a.check_close(1001);
    b.check_close(1001);
    a.hang_up(), b.hang_up();
}

TEMPLATE_TEST_CASE("any order of coming and going leaves the others in place", "[adapt][poll]", POLL_SETS) {
    running<TestType> of;
    listening_socket door;
    REQUIRE(of.loop.accept(door.fd, of.everyone, [] { return echoing{}; }, quick()) == errc::none);
    of.start();
    std::vector<client> there;
    std::uint32_t random = 12345;
    for (int step = 0; step < 200; ++step) {
        random = random * 1664525 + 1013904223;
        if (there.empty() || (random >> 16) % 3 != 0) {
            there.push_back(door.connect());
            there.back().shake_hands();
        } else {
            const auto which = there.begin() + static_cast<std::ptrdiff_t>((random >> 18) % there.size());
            if ((random >> 24) % 2 != 0) which->close_in_order();
            which->hang_up();
            client last = std::move(there.back()); // its place is taken
            there.pop_back();
            if (which != there.end()) {
                which->~client();
                new (&*which) client(std::move(last));
            }
        }
        if (!there.empty()) there[(random >> 20) % there.size()].check_echo("step " + std::to_string(step));
    }
    for (const client& each : there) each.check_echo("the last");
    of.stop();
    for (const client& each : there) each.check_close(1001);
    there.clear();
    of.thread.join();
}

TEMPLATE_TEST_CASE("another thread wakes a loop that sleeps", "[adapt][poll]", POLL_SETS) {
    running<TestType> of;
    client a = of.add(echoing{});
    of.start();
    a.shake_hands();
    for (int i = 0; i < 200; ++i) { // it sleeps in between, or is about to
        CHECK(of.everyone.send_text("push").accepted == 1);
        CHECK(a.hear(6) == client::unmasked("push"));
    }
    of.stop();
    a.check_close(1001);
    a.hang_up();
}

TEMPLATE_TEST_CASE("wake() has a turn come back, also the next one", "[adapt][poll]", POLL_SETS) {
    running<TestType> of;
    wsolo::server_options patient = quick();
    patient.handshake_timeout = 0ms; // nothing else has it come back
    client a = of.add(echoing{}, patient);
    of.loop.wake();
    CHECK(of.loop.turn(1h));
    std::thread other([&] {
        for (int i = 0; i < 100; ++i) of.loop.wake();
    });
    CHECK(of.loop.turn(1h));
    other.join();
    static_cast<void>(of.loop.turn(0s)); // at most one more was owed
    const auto began = steady::now();
    CHECK(of.loop.turn(50ms));
    CHECK(steady::now() - began >= 50ms); // no wake-up is left over
    a.hang_up();
    while (of.loop.turn(1h)) {}
}

TEMPLATE_TEST_CASE("a deadline passes although nothing happens", "[adapt][poll]", POLL_SETS) {
    running<TestType> of;
    wsolo::server_options how = quick();
    std::vector<client> silent;
    for (const auto bound : {60ms, 20ms, 40ms, 20ms}) {
        how.handshake_timeout = bound;
        silent.push_back(of.add(echoing{}, how));
        silent.back().say("GET / HTTP/1.1\r\n");
    }
    of.start();
    for (client& each : silent) {
        CHECK(each.hear_head().starts_with("HTTP/1.1 408 "));
        each.hang_up();
    }
    of.thread.join();
}

TEMPLATE_TEST_CASE("turn(0) only looks, and a game goes on", "[adapt][poll]", POLL_SETS) {
    running<TestType> of;
    client a = of.add(echoing{});
    a.say(std::string(client::request) + client::text("hello"));
    int frames = 0;
    while (of.everyone.size() == 0 && frames < 1000) {
        REQUIRE(of.loop.turn(0s));
        ++frames;
    }
    for (int i = 0; i < 4; ++i) REQUIRE(of.loop.turn(0s));
    CHECK(a.hear_head().starts_with("HTTP/1.1 101 "));
    CHECK(a.hear(7) == client::unmasked("hello"));
    a.say(client::text("", '\x88'));
    a.hang_up();
    while (of.loop.turn(1ms)) ++frames;
    CHECK(frames < 1000);
}

TEMPLATE_TEST_CASE("stop_accepting() ends listeners and requests, and run() when the last one leaves",
                   "[adapt][poll]", POLL_SETS) {
    running<TestType> of;
    listening_socket door;
    REQUIRE(of.loop.accept(door.fd, of.everyone, [] { return echoing{}; }, quick()) == errc::none);
    of.start();
    client open = door.connect();
    open.shake_hands();
    client half = door.connect();
    half.say("GET / HTTP/1.1\r\nHost: h\r\n");
    open.check_echo("half was accepted before this");
    std::thread([&] { of.stop(); }).join();
    CHECK(half.hear_head().starts_with("HTTP/1.1 503 "));
    half.hang_up();
    open.check_close(1001);
    open.say(client::text("\x03\xe9", '\x88'));
    CHECK(open.hear(1).empty());
    open.hang_up();
    of.thread.join();
    CHECK_FALSE(is_open(door.fd));
    listening_socket another;
    CHECK(of.loop.accept(another.fd, of.everyone, [] { return echoing{}; }) == errc::closed);
}

TEMPLATE_TEST_CASE("a factory may look at the arrival, also when the peer has left again", "[adapt][poll]",
                   POLL_SETS) {
    running<TestType> of;
    listening_socket door;
    std::vector<std::uint16_t> ports;
    bool was_open = true;
    const auto make = [&](const sockets::arrival& who) {
        was_open = was_open && is_open(who.descriptor);
        REQUIRE(who.address.ss_family == AF_INET);
        ports.push_back(reinterpret_cast<const sockaddr_in&>(who.address).sin_port);
        return echoing{};
    };
    REQUIRE(of.loop.accept(door.fd, of.everyone, make, quick()) == errc::none);
    std::vector<std::uint16_t> theirs;
    for (const bool resets : {true, false, true}) {
        const int fd = ::socket(AF_INET, SOCK_STREAM, 0);
        REQUIRE(::connect(fd, door.address(), sizeof door.where) == 0);
        sockaddr_in mine{};
        socklen_t size = sizeof mine;
        REQUIRE(::getsockname(fd, reinterpret_cast<sockaddr*>(&mine), &size) == 0);
        theirs.push_back(mine.sin_port);
        const linger at_once{resets ? 1 : 0, 0};
        ::setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
        ::close(fd);
    }
    of.loop.turn(1h);
    CHECK(ports == theirs);
    CHECK(was_open);
    of.stop();
    of.start();
}

TEMPLATE_TEST_CASE("messages are handled where `work` says, and the loop goes on meanwhile", "[adapt][poll]",
                   POLL_SETS) {
    std::vector<std::thread> workers;
    std::mutex lock;
    const auto work = [&](auto whom) {
        const std::scoped_lock hold(lock);
        workers.emplace_back([whom] {
            if (const auto live = whom.try_use()) live->work();
        });
    };
    std::promise<void> go_on;
    const auto handler = [gate = go_on.get_future().share()](auto& ws, wsolo::message&& got) {
        if (got.text() == "hello") gate.wait(); // no loop could do that
        return ws.send(got);
    };
    {
        running<TestType> of;
        listening_socket door;
        const auto make = [&] { return handler; };
        REQUIRE(of.loop.accept(door.fd, of.everyone, make, quick(), sockets::plain{}, work) == errc::none);
        const socket_pair fresh;
        REQUIRE(of.loop.add(fresh.ends[0], handler, of.everyone, quick(), sockets::plain{}, work) ==
                errc::none);
        of.start();
        client peers[] = {client(fresh.ends[1]), door.connect()};
        for (const client& each : peers) {
            each.shake_hands();
            each.say(client::text("hello") + client::text("?", '\x89'));
            CHECK(each.hear(3) == "\x8a\x01?"); // although "hello" is being handled
        }
        go_on.set_value();
        for (client& each : peers) {
            CHECK(each.hear(7) == client::unmasked("hello"));
            each.close_in_order();
            each.hang_up();
        }
        of.stop();
    }
    for (std::thread& each : workers) each.join();
}

namespace {

/// A long query is a wait for the gate.
struct querying {
    std::shared_future<void> gate;
    std::atomic<int>* ends;
    errc on_message(auto& ws, wsolo::message&& got) const {
        if (got.text() == "long") gate.wait();
        return ws.send(got);
    }
    void on_finished(auto&, const wsolo::ending&) const { ++*ends; }
};

} // namespace

TEMPLATE_TEST_CASE("a pool's thread that is still in a connection that is over holds up no other",
                   "[adapt][poll]", POLL_SETS) {
    std::vector<std::thread> workers;
    std::mutex lock;
    const auto work = [&](auto whom) {
        const std::scoped_lock hold(lock);
        workers.emplace_back([whom] {
            if (const auto live = whom.try_use()) live->work();
        });
    };
    std::promise<void> go_on;
    std::atomic<int> ends{0};
    const querying handler{go_on.get_future().share(), &ends};
    {
        running<TestType> of;
        wsolo::server_options how = quick();
        how.ending.close_timeout = how.ending.linger_timeout = 50ms;
        const socket_pair first, second;
        for (const socket_pair* each : {&first, &second})
            REQUIRE(of.loop.add(each->ends[0], handler, of.everyone, how, sockets::plain{}, work) ==
                    errc::none);
        of.start();
        client busy(first.ends[1]), other(second.ends[1]);
        busy.shake_hands();
        other.shake_hands();
        busy.say(client::text("long"));
        busy.hang_up();
        while (ends == 0) std::this_thread::sleep_for(1ms);
        for (int round = 0; round < 20; ++round) other.check_echo("round " + std::to_string(round));
        go_on.set_value();
        other.close_in_order();
        other.hang_up();
    }
    for (std::thread& each : workers) each.join();
    CHECK(ends == 2);
}

TEMPLATE_TEST_CASE("a connection that comes too late for the group is closed", "[adapt][poll]", POLL_SETS) {
    running<TestType> of;
    client early = of.add(echoing{});
    static_cast<void>(of.everyone.close_all(close_code::going_away, "", 2s));
    client late = of.add(echoing{});
    of.start();
    for (client* each : {&early, &late}) {
        each->say(client::request);
        CHECK(each->hear_head().starts_with("HTTP/1.1 503 "));
        each->hang_up();
    }
}

namespace {

/// While it lives the process has `count` descriptors left, and no more.
struct few_descriptors {
    explicit few_descriptors(int count) {
        REQUIRE(::getrlimit(RLIMIT_NOFILE, &before) == 0);
        std::vector<int> probes; // the lowest numbers that are free, in order
        for (int i = 0; i <= count; ++i) probes.push_back(::dup(0));
        for (const int each : probes) REQUIRE(each >= 0);
        for (std::size_t i = 1; i < probes.size(); ++i) REQUIRE(probes[i] > probes[i - 1]);
        const rlimit now{static_cast<rlim_t>(probes.back()), before.rlim_max};
        for (const int each : probes) ::close(each);
        REQUIRE(::setrlimit(RLIMIT_NOFILE, &now) == 0);
    }
    few_descriptors(const few_descriptors&) = delete;
    few_descriptors& operator=(const few_descriptors&) = delete;
    ~few_descriptors() { ::setrlimit(RLIMIT_NOFILE, &before); }

    rlimit before{};
};

} // namespace

TEMPLATE_TEST_CASE("without descriptors the newest are refused, the others served, and nothing spins",
                   "[adapt][poll]", POLL_SETS) {
    running<TestType> of;
    listening_socket door;
    REQUIRE(of.loop.accept(door.fd, of.everyone, [] { return echoing{}; }, quick()) == errc::none);
    std::vector<client> all;
    for (int i = 0; i < 6; ++i) all.push_back(door.connect());
    std::vector<client> refused;
    {
        const few_descriptors two(2);
        of.start();
        for (std::size_t i = 0; i < 2; ++i) all[i].shake_hands();
        for (std::size_t i = 2; i < 6; ++i) CHECK(all[i].hear(1).empty());
        for (std::size_t i = 0; i < 2; ++i) all[i].check_echo("still here");
    }
    client later = door.connect();
    later.shake_hands();
    later.check_echo("there are descriptors again");
    of.stop();
}

TEMPLATE_TEST_CASE("not even a spare descriptor: the listener pauses, and goes on later", "[adapt][poll]",
                   POLL_SETS) {
    running<TestType> of;
    listening_socket door;
    const auto make = [] { return echoing{}; };
    { // UBSan looks at an object's type through a pipe when it sees it for the first time
        const listening_socket seen;
        sockets::basic_loop<TestType> other;
        REQUIRE(other.accept(seen.fd, of.everyone, make, quick()) == errc::none);
    }
    client early = [&] {
        const few_descriptors none(1); // the client's own; so there is no spare one
        client made = door.connect();
        REQUIRE(of.loop.accept(door.fd, of.everyone, make, quick()) == errc::none);
        for (int i = 0; i < 3; ++i) REQUIRE(of.loop.turn(0s));
        const auto began = steady::now();
        REQUIRE(of.loop.turn(20ms)); // the backlog doesn't wake it
        CHECK(steady::now() - began >= 20ms);
        return made;
    }();
    of.start();
    early.shake_hands();
    early.check_echo("at last");
    of.stop();
}

#if defined(__linux__)
TEMPLATE_TEST_CASE("an accept that fails closes a client only for want of descriptors or memory",
                   "[adapt][poll]", POLL_SETS) {
    running<TestType> of;
    listening_socket door;
    REQUIRE(of.loop.accept(door.fd, of.everyone, [] { return echoing{}; }, quick()) == errc::none);
    const auto connect_while = [&](int error) {
        accept_fails_times = 1;
        accept_fails = error;
        client made = door.connect();
        while (accept_fails_times > 0) REQUIRE(of.loop.turn(1s));
        accept_fails = 0;
        return made;
    };
    std::vector<client> refused;
    for (const int error : {EMFILE, ENFILE, ENOMEM, ENOBUFS}) refused.push_back(connect_while(error));
    std::vector<client> kept; // their accept failed once, for a reason that is none of theirs
    for (const int error : {EINTR, ECONNABORTED, EPROTO, ENETDOWN, EHOSTUNREACH, ENOPROTOOPT, EPERM})
        kept.push_back(connect_while(error));
    of.start();
    for (const client& each : refused) CHECK(each.hear(1).empty());
    for (const client& each : kept) each.shake_hands();
    of.stop();
}

TEMPLATE_TEST_CASE("a listener whose accept fails for ever pauses", "[adapt][poll]", POLL_SETS) {
    running<TestType> of;
    listening_socket door;
    REQUIRE(of.loop.accept(door.fd, of.everyone, [] { return echoing{}; }, quick()) == errc::none);
    client waits = door.connect();
    accept_fails_times = 1'000'000;
    accept_fails = ENETDOWN;
    for (int i = 0; i < 3; ++i) REQUIRE(of.loop.turn(0s));
    const auto began = steady::now();
    REQUIRE(of.loop.turn(20ms));
    CHECK(steady::now() - began >= 20ms);
    accept_fails = 0;
    of.start();
    waits.shake_hands();
    of.stop();
}
#endif

namespace {

/// Takes no message until it is told to.
struct stubborn {
    std::atomic<bool>* takes;
    std::atomic<int>* finished;
    std::function<void()>* rouse;

    [[nodiscard]] bool wants_message() const { return takes->load(); }
    void on_upgraded(auto& ws) {
        *rouse = [weak = ws.handle()] {
            if (const auto live = weak.try_use()) live->want_messages();
        };
    }
    errc on_message(auto& ws, wsolo::message&& got) { return ws.send(got); }
    void on_finished(auto&, const wsolo::ending& how) {
        finished->store(how.reason == errc::connection_lost || how.reason == errc::write_failed ? 1 : 2);
    }
};

} // namespace

TEMPLATE_TEST_CASE("a hang-up while nothing is wanted wakes no loop, and is seen afterwards", "[adapt][poll]",
                   POLL_SETS) {
    running<TestType> of;
    std::atomic<bool> takes{false};
    std::atomic<int> finished{0};
    std::function<void()> rouse;
    wsolo::server_options how = quick();
    how.handling.max_messages = 1;
    client a = of.add(stubborn{&takes, &finished, &rouse}, how);
    a.say(std::string(client::request) + client::text("one") + client::text("two") + client::text("three"));
    for (int i = 0; i < 20; ++i) REQUIRE(of.loop.turn(1ms));
    CHECK(a.hear_head().starts_with("HTTP/1.1 101 "));
    a.hang_up();
    static_cast<void>(of.loop.turn(0s));
    const auto began = steady::now();
    CHECK(of.loop.turn(100ms));
    CHECK(steady::now() - began >= 100ms);
    CHECK(finished == 0);
    takes = true;
    rouse();
    while (of.loop.turn(1h)) {}
    CHECK(finished == 1);
}

TEMPLATE_TEST_CASE("a loop that goes cuts off what is left, while others send", "[adapt][poll]", POLL_SETS) {
    wsolo::connection_group everyone;
    std::atomic<bool> stop{false};
    std::thread sender([&] {
        while (!stop) static_cast<void>(everyone.send_text("tick"));
    });
    for (int round = 0; round < 20; ++round) {
        auto loop = std::make_unique<sockets::basic_loop<TestType>>();
        listening_socket door;
        REQUIRE(loop->accept(door.fd, everyone, [] { return echoing{}; }, quick()) == errc::none);
        std::vector<client> there;
        for (int i = 0; i < 5; ++i) {
            there.push_back(door.connect());
            there.back().say(client::request);
        }
        while (everyone.size() < 5) REQUIRE(loop->turn(1ms));
        for (int turn = 0; turn < round; ++turn) REQUIRE(loop->turn(0s));
        loop.reset();
        CHECK(everyone.size() == 0);
        CHECK_FALSE(is_open(door.fd));
        for (const client& each : there) {
            CHECK(each.hear_head().starts_with("HTTP/1.1 101 "));
            while (each.hear(1024).size() == 1024) {} // to the end, or a reset
        }
    }
    stop = true;
    sender.join();
}

TEMPLATE_TEST_CASE("a connection may go while others have it woken", "[adapt][poll]", POLL_SETS) {
    std::atomic<bool> stop{false};
    running<TestType> of;
    listening_socket door;
    REQUIRE(of.loop.accept(door.fd, of.everyone, [] { return echoing{}; }, quick()) == errc::none);
    of.start();
    std::thread sender([&] {
        while (!stop) static_cast<void>(of.everyone.send_text("tick"));
    });
    for (int round = 0; round < 100; ++round) {
        client one = door.connect();
        client two = door.connect();
        one.say(client::request);
        two.say(client::request);
        CHECK(one.hear_head().starts_with("HTTP/1.1 101 "));
        CHECK(one.hear(60).size() == 60);
        two.hang_up(); // as soon as it is open, or before
    }
    stop = true;
    sender.join();
    of.stop();
}

namespace {

/// At its end another thread asks for one turn more.
struct asks_at_its_end {
    std::function<void()>* abort;

    void on_upgraded(auto& ws) {
        *abort = [weak = ws.handle()] {
            if (const auto live = weak.try_use()) live->abort();
        };
    }
    errc on_message(auto& ws, wsolo::message&& got) { return ws.send(got); }
    void on_finished(auto& ws, const wsolo::ending&) {
        std::thread([weak = ws.handle()] {
            if (const auto live = weak.try_use()) live->ask_for_turn();
        }).join();
    }
};

} // namespace

TEMPLATE_TEST_CASE("a turn that is owed to a connection that is gone is owed no more", "[adapt][poll]",
                   POLL_SETS) {
    running<TestType> of;
    client other = of.add(echoing{});
    std::function<void()> abort;
    client gone = of.add(asks_at_its_end{&abort});
    of.start();
    other.shake_hands();
    gone.shake_hands();
    abort();
    CHECK(gone.hear(1).empty());
    other.check_echo("nothing stands in the way");
    of.stop();
    other.check_close(1001);
}

TEMPLATE_TEST_CASE("signals that interrupt the wait change nothing", "[adapt][poll]", POLL_SETS) {
    struct sigaction before{};
    struct sigaction nothing{};
    nothing.sa_handler = [](int) {}; // without SA_RESTART
    REQUIRE(::sigaction(SIGUSR1, &nothing, &before) == 0);
    {
        running<TestType> of;
        client a = of.add(echoing{});
        of.start();
        a.shake_hands();
        for (int i = 0; i < 100; ++i) {
            ::pthread_kill(of.thread.native_handle(), SIGUSR1);
            a.check_echo("through it");
        }
        of.stop();
    }
    ::sigaction(SIGUSR1, &before, nullptr);
}

#if WSOLO_HAS_EXCEPTIONS
TEMPLATE_TEST_CASE("what a handler throws, or its making, ends that connection alone", "[adapt][poll]",
                   POLL_SETS) {
    running<TestType> of;
    listening_socket door;
    int made = 0;
    const auto make = [&] {
        if (++made == 1) throw std::runtime_error("no handler today");
        return [](auto& ws, wsolo::message&& got) {
            if (got.text() == "throw") throw std::runtime_error("not this one");
            return ws.send(got);
        };
    };
    REQUIRE(of.loop.accept(door.fd, of.everyone, make, quick()) == errc::none);
    of.start();
    const client unlucky = door.connect();
    CHECK(unlucky.hear(1).empty());
    const client lucky = door.connect();
    const client thrower = door.connect();
    lucky.shake_hands();
    thrower.shake_hands();
    thrower.say(client::text("throw"));
    thrower.check_close(1011);
    lucky.check_echo("goes on");
    of.stop();
}
#endif

namespace {

/// Says why it was never open.
struct refused {
    errc* why;
    void on_not_opened(errc reason, int) const { *why = reason; }
    errc on_message(auto&, wsolo::message&&) const { return errc::none; }
};

} // namespace

TEST_CASE("without memory for a read the connection ends, and says so", "[adapt][poll]") {
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__) &&                                       \
    !defined(__clang__) // they end the program
    wsolo::connection_group everyone;
    sockets::loop loop({.read_buffer = PTRDIFF_MAX});
    const socket_pair fresh;
    const client a(fresh.ends[1]);
    errc why = errc::none;
    REQUIRE(loop.add(fresh.ends[0], refused{&why}, everyone, quick()) == errc::none);
    a.say(client::request);
    loop.run();
    CHECK(why == errc::out_of_memory);
#endif
}

TEST_CASE("serve() is one connection from its request to its end", "[adapt][poll]") {
    wsolo::connection_group everyone;
    const socket_pair fresh;
    wsolo::ending how;
    std::thread server([&] { how = sockets::serve(fresh.ends[0], echoing{}, everyone, quick()); });
    client a(fresh.ends[1]);
    a.shake_hands();
    a.check_echo("hello");
    CHECK(everyone.send_text("push").accepted == 1);
    CHECK(a.hear(6) == client::unmasked("push"));
    a.close_in_order();
    a.hang_up();
    server.join();
    CHECK(how.reason == errc::none);
    CHECK(how.code == close_code::normal);
    CHECK(how.peer_closed);
    CHECK(how.handled.messages_handled == 2);
    CHECK(is_open(fresh.ends[0])); // it was borrowed
    ::close(fresh.ends[0]);
}

TEST_CASE("serve() goes on where another server has answered the request", "[adapt][poll]") {
    wsolo::connection_group everyone;
    const std::string frames = client::text("first") + client::text("second");
    for (std::size_t at = 0; at <= frames.size(); ++at) {
        const socket_pair fresh;
        std::string leftover = frames.substr(0, at);
        std::thread server([&] {
            static_cast<void>(sockets::serve(
                fresh.ends[0], sockets::already_upgraded{std::as_writable_bytes(std::span(leftover))},
                echoing{}, everyone, quick()));
        });
        client a(fresh.ends[1]);
        a.say(std::string_view(frames).substr(at));
        CHECK(a.hear(15) == client::unmasked("first") + client::unmasked("second"));
        a.close_in_order();
        a.hang_up();
        server.join();
        ::close(fresh.ends[0]);
    }
    CHECK(everyone.report().joined == frames.size() + 1);
}

TEST_CASE("a connection that another server has answered is never answered by HTTP", "[adapt][poll]") {
    wsolo::connection_group everyone;
    static_cast<void>(everyone.close_all(close_code::going_away, "", 2s));
    std::string leftover = client::text("early");
    const socket_pair fresh;
    std::thread server([&] {
        static_cast<void>(sockets::serve(
            fresh.ends[0], sockets::already_upgraded{std::as_writable_bytes(std::span(leftover))}, echoing{},
            everyone, quick()));
    });
    client a(fresh.ends[1]);
    CHECK(a.hear(7) == client::unmasked("early"));
    a.check_close(1001);
    a.hang_up();
    server.join();
    ::close(fresh.ends[0]);
}

TEST_CASE("serve() tells why there was no connection", "[adapt][poll]") {
    wsolo::connection_group everyone;
    const socket_pair fresh;
    wsolo::ending how;
    std::thread server([&] { how = sockets::serve(fresh.ends[0], echoing{}, everyone, quick()); });
    client a(fresh.ends[1]);
    a.say("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    CHECK(a.hear_head().starts_with("HTTP/1.1 426 "));
    a.hang_up();
    server.join();
    CHECK(how.reason == errc::handshake_missing_upgrade);
    ::close(fresh.ends[0]);
}

TEST_CASE("without descriptors a loop says so", "[adapt][poll]") {
    wsolo::connection_group everyone;
    const socket_pair fresh;
    const few_descriptors none(0);
    sockets::loop loop;
    CHECK(sockets::serve(fresh.ends[1], echoing{}, everyone).reason == errc::out_of_memory);
    CHECK(is_open(fresh.ends[1])); // it was borrowed
    CHECK(loop.add(fresh.ends[0], echoing{}, everyone) == errc::out_of_memory);
    CHECK_FALSE(is_open(fresh.ends[0])); // it was the loop's
    CHECK_FALSE(loop.turn(1h));
    ::close(fresh.ends[1]);
}
