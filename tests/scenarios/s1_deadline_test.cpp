// S1, the deadline: it was set on the text path only and never cleared. After an idle period the automatic
// PONG died on what was left of it, and the session was dropped, in step with the keepalive period. And
// control frames did not count as a sign of life.
//
// In virtual time, over the adversarial transport, a socket pair and loopback TCP, with a write timeout of
// 10 s: a PING after 25 idle seconds is answered, and again, and again; a write that was held up for 9 s
// leaves nothing behind it for the PONG a minute later; one that takes nothing for 11 s is ended. 90 s with
// a beat every 5 s and a peer that sends control frames only: no disconnect, 18 beats, the metrics' window
// rolled three times.
//
// Teeth: a deadline that is inherited, and liveness that only messages prove, fail every time.

#include <support/catch.hpp>
#include <support/living_server.hpp>

using namespace support;
using namespace std::chrono_literals;

namespace {

constexpr wsolo::heartbeat_options no_heartbeat{.ping_interval = 0ms, .pong_timeout = 0ms};
constexpr wsolo::heartbeat_options usual{.ping_interval = 20s, .pong_timeout = 20s, .beat_interval = 30s};

stream a_ping() { return stream(wsolo::role::client).frame(0x89, "are you there?"); }

/// The connection lives on an instance of each.
template <class Link, class Output, life Sign = life::any_byte>
struct alive {
    explicit alive(const wsolo::heartbeat_options& options) : server(link, options) {}

    Link link;
    living_server<Link, Output, through_the_inbox, Sign> server;
    living_peer<Link> peer{link};
    turns loop{[this] { server.turn(); }};

    template <class Condition>
    bool until(Condition holds) {
        return live_until(loop, server, peer, holds);
    }
    std::string dropped() {
        return "the connection was dropped: " + std::string(name_of(server.out.reason()));
    }
};

template <class Output, class Link>
std::string ping_after_idle() {
    alive<Link, Output> s(no_heartbeat);
    s.server.out.send_text("hello");
    for (int turn = 1; turn <= 3; ++turn) {
        step_clock::advance(25s); // neither side says anything
        s.peer.send(a_ping());
        if (!s.until([&] { return s.peer.pongs == turn; })) return s.dropped();
    }
    return s.peer.broken;
}

template <class Output, class Link>
std::string ping_after_a_held_up_write() {
    alive<Link, Output> s(no_heartbeat);
    s.link.stall();
    for (int i = 0; i < 1000 && !s.server.out.is_held_up(); ++i)
        s.server.out.send_text(std::string(16 * 1024, 'x'));
    step_clock::advance(9s);
    s.server.turn();
    if (s.server.out.is_over()) return s.dropped();
    s.link.flow();
    if (!s.until([&] { return !s.server.out.is_held_up(); })) return s.dropped();
    step_clock::advance(60s);
    s.peer.send(a_ping());
    if (!s.until([&] { return s.peer.pongs == 1; })) return s.dropped();
    return s.peer.broken;
}

template <class Output, class Link>
std::string write_that_stands() {
    alive<Link, Output> s(no_heartbeat);
    s.link.stall();
    for (int i = 0; i < 1000 && !s.server.out.is_held_up(); ++i)
        s.server.out.send_text(std::string(16 * 1024, 'x'));
    step_clock::advance(11s);
    s.server.turn();
    return s.server.out.reason() == wsolo::errc::write_timed_out ? "" : "it is still waited for";
}

template <class Output, class Link, life Sign = life::any_byte>
std::string ninety_seconds(bool peer_pings) {
    alive<Link, Output, Sign> s(usual);
    int pings = 0;
    for (int second = 1; second <= 90; ++second) {
        step_clock::advance(1s);
        if (peer_pings && second % 7 == 0) {
            s.peer.send(a_ping());
            ++pings;
        }
        if (!s.until([&] { return s.peer.pongs == pings && s.peer.beats == second / 5; }))
            return "after " + std::to_string(second) + " s " + s.dropped();
    }
    return s.server.rolls() == 3 ? s.peer.broken : "the metrics' window was not rolled once per interval";
}

} // namespace

TEMPLATE_TEST_CASE("S1: a deadline belongs to one write", "[scenario][s1]", scripted_link, unix_link,
                   tcp_link) {
    using out = own_deadlines<typename TestType::transport>;
    for (int repetition = 0; repetition < 10; ++repetition) {
        REQUIRE(ping_after_idle<out, TestType>() == "");
        REQUIRE(ping_after_a_held_up_write<out, TestType>() == "");
        REQUIRE(write_that_stands<out, TestType>() == "");
    }
}

TEMPLATE_TEST_CASE("S1: ninety seconds of beats and control frames, and no disconnect", "[scenario][s1]",
                   scripted_link, unix_link, tcp_link) {
    using out = own_deadlines<typename TestType::transport>;
    REQUIRE(ninety_seconds<out, TestType>(true) == "");
    REQUIRE(ninety_seconds<out, TestType>(false) == "");
}

TEMPLATE_TEST_CASE("S1 teeth: an inherited deadline, and liveness by messages, fail five times out of five",
                   "[scenario][s1][teeth]", scripted_link, unix_link, tcp_link) {
    using transport = typename TestType::transport;
    using out = own_deadlines<transport>;
    for (int repetition = 0; repetition < 5; ++repetition) {
        CHECK(ping_after_idle<armed_by_text<transport>, TestType>() ==
              "the connection was dropped: write_timed_out");
        CHECK(ninety_seconds<armed_once<transport>, TestType>(true) ==
              "after 20 s the connection was dropped: write_timed_out");
        CHECK(ninety_seconds<out, TestType, life::messages_only>(true) ==
              "after 40 s the connection was dropped: pong_timeout");
        CHECK(ninety_seconds<out, TestType, life::messages_only>(false) ==
              "after 40 s the connection was dropped: pong_timeout");
    }
}
