// S2 as a whole session: overlapping calls while the peer keeps notifying, a queue that overflows, a
// connection that is lost under its callers, and the one that follows it.
//
// Free running, over sockets: four callers with five calls each, a reading thread and a drainer; any thread that
// gets its response sees, without a lock, everything that the notifications before it had changed. Stepped:
// a notification that was dropped keeps no thread waiting; a lost connection tells every thread that waits for it,
// and does not discard a response that is complete; marks mean their own connection, never the next one.
//
// Teeth: a queue that forgets the numbers of what it drops, and one count for all connections, fail every
// time.

#include <support/catch.hpp>
#include <support/rpc_stage.hpp>
#include <support/strict_parser.hpp>
#include <support/wrong_barriers.hpp>

using namespace support;
using namespace std::chrono_literals;
using wsolo::errc;

namespace {

using sound = wsolo::basic_sequence_barrier<step_traits>;
constexpr auto server = wsolo::role::server;
constexpr int callers = 4, calls_each = 5, notifications_each = 7;
constexpr int all_notifications = callers * calls_each * notifications_each;

/// The peer: for each request some notifications, the response with their number so far, and more
/// notifications after it.
void play_peer(int connection) {
    std::string received;
    std::size_t answered = 0;
    int notified = 0;
    while (answered < callers * calls_each) {
        const std::string next = read_some(connection);
        if (next.empty()) return;
        received += next;
        const strict::stream requests = strict::parse(received, true);
        if (!requests.error.empty()) return;
        for (; answered < requests.frames.size(); ++answered) {
            stream sent(server);
            for (int i = 0; i < notifications_each; ++i) {
                if (i == notifications_each - 2)
                    respond(sent, std::stoi(requests.frames[answered].payload.substr(8)), notified);
                notify(sent, notified++);
            }
            if (!write_all(connection, wsolo::text_of(wsolo::const_bytes(sent.bytes())))) return;
        }
    }
}

struct applied {
    std::vector<int> values = std::vector<int>(all_notifications, -1); // each written once, by the drainer
    std::vector<int> order;
};

/// What a caller finds wrong with its answer.
std::string judge(const answer& got, const applied& seen) {
    if (got.result != errc::none) return std::string(name_of(got.result));
    const int before = std::stoi(got.text.substr(got.text.rfind(' ')));
    for (int n = 0; n < before; ++n) {
        if (seen.values[static_cast<std::size_t>(n)] != n) return "a notification from before is not handled";
    }
    return {};
}

template <class Wire>
std::string run_freely() {
    Wire wire;
    wsolo::sequence_barrier barrier;
    applied seen;
    rpc_session<wsolo::sequence_barrier, Wire> session(wire, barrier, [&](const std::string& notification) {
        const int n = std::stoi(notification.substr(2));
        seen.values[static_cast<std::size_t>(n)] = n;
        seen.order.push_back(n);
    });
    std::thread peer([&] { play_peer(wire.peers()); });
    std::thread reading([&] {
        for (std::string next = read_some(wire.ours()); !next.empty(); next = read_some(wire.ours()))
            session.receive(std::as_writable_bytes(std::span(next)));
        session.lose(errc::connection_lost);
    });
    std::thread drainer([&] { session.drain(); });
    std::vector<std::string> found(callers);
    std::vector<std::thread> calling;
    for (int c = 0; c < callers; ++c) {
        calling.emplace_back([&, c] {
            for (int i = 0; i < calls_each; ++i) {
                const auto patience = std::chrono::steady_clock::now() + 10s;
                const std::string wrong = judge(session.request(c * calls_each + i, patience), seen);
                if (!wrong.empty()) found[static_cast<std::size_t>(c)] = wrong;
            }
        });
    }
    for (std::thread& each : calling) each.join();
    peer.join();
    const errc shut = session.shutdown(std::chrono::steady_clock::now() + 10s);
    ::shutdown(wire.peers(), SHUT_WR);
    reading.join();
    drainer.join();
    for (const std::string& wrong : found) {
        if (!wrong.empty()) return wrong;
    }
    if (shut != errc::none) return "shutdown: " + std::string(name_of(shut));
    if (seen.order.size() != all_notifications) return "notifications were lost";
    return std::is_sorted(seen.order.begin(), seen.order.end()) ? "" : "handled in another order";
}

template <class Barrier, class Wire>
std::string overflows() {
    complaint wrong;
    rpc_stage<Barrier, Wire> s(3);
    rpc_caller caller(s.session, 1);
    stream sent(server), later(server);
    for (int n = 1; n <= 5; ++n) notify(sent, n);
    s.deliver(respond(sent, 1));
    wrong.unless(caller.waits(), "the caller went on before the notifications were handled");
    while (s.session.handle_next()) {}
    wrong.unless(!caller.waits(), "the caller waits for a notification that was dropped");
    wrong.unless(caller.end().result == errc::none, "the response was lost");
    wrong.unless(s.session.dropped() == 2 && s.handled == std::vector<std::string>{"1", "2", "3"},
                 "not the oldest three were handled");
    rpc_caller next(s.session, 2);
    s.deliver(respond(notify(later, 6), 2));
    wrong.unless(next.waits(), "after the overflow no thread waits for anything");
    s.session.handle_next();
    wrong.unless(next.end().result == errc::none, "after the overflow the barrier is stuck");
    return wrong.words();
}

/// A connection of its own for `again`, where the barrier is not one for all.
template <class Barrier, class Wire>
std::string reconnects() {
    complaint wrong;
    std::vector<std::string> handled;
    const auto handler = [&](const std::string& notification) { handled.push_back(notification); };
    Wire wire, wire_again;
    Barrier barrier, barrier_again;
    constexpr bool is_shared = requires { barrier.reconnect(); };
    rpc_session<Barrier, Wire> session(wire, barrier, handler);
    rpc_session<Barrier, Wire> again(wire_again, is_shared ? barrier : barrier_again, handler);
    const auto to = [](auto& receiver) {
        return [&receiver](wsolo::mutable_bytes bytes) { receiver.receive(bytes); };
    };
    rpc_caller complete(session, 1);
    rpc_caller waiting(session, 2);
    rpc_caller unanswered(session, 3);
    stream sent(server), sent_again(server);
    wire.deliver(respond(notify(respond(notify(sent, 1), 1), 2), 2), to(session));
    session.handle_next();
    session.lose(errc::connection_lost); // notification 2 is lost with it
    wrong.unless(complete.end().result == errc::none, "a complete response was discarded");

    if constexpr (is_shared) barrier.reconnect();
    rpc_caller next(again, 1);
    wire_again.deliver(respond(notify(notify(notify(sent_again, 1), 2), 3), 1), to(again));
    again.handle_next();
    again.handle_next();
    wrong.unless(next.waits(), "the next connection's caller counts the numbers of the one before");
    again.handle_next();
    wrong.unless(next.end().result == errc::none, "the next connection's response was lost");
    wrong.unless(waiting.end().result == errc::connection_lost,
                 "a caller was told that a lost notification is handled");
    wrong.unless(unanswered.end().result == errc::connection_lost, "a caller got a response that never came");
    wrong.unless(session.request(4, step_clock::in(1h)).result == errc::connection_lost,
                 "a lost connection takes requests");
    return wrong.words();
}

} // namespace

TEMPLATE_TEST_CASE("S2: overlapping calls see everything that came before their response", "[scenario][s2]",
                   unix_wire_ends, tcp_wire_ends) {
    for (int repetition = 0; repetition < 30; ++repetition) {
        INFO("repetition " << repetition);
        REQUIRE(run_freely<TestType>() == "");
    }
}

TEMPLATE_TEST_CASE("S2: after overflow and reconnection no caller waits, and none is misled",
                   "[scenario][s2]", scripted_wire_ends, unix_wire_ends, tcp_wire_ends) {
    for (int repetition = 0; repetition < 100; ++repetition) {
        INFO("repetition " << repetition);
        REQUIRE(overflows<sound, TestType>() == "");
        REQUIRE(reconnects<sound, TestType>() == "");
    }
}

TEMPLATE_TEST_CASE("S2 teeth: forgotten numbers and numbers of all connections fail five times out of five",
                   "[scenario][s2][teeth]", scripted_wire_ends, unix_wire_ends, tcp_wire_ends) {
    for (int repetition = 0; repetition < 5; ++repetition) {
        CHECK(overflows<forgets_the_dropped, TestType>() ==
              "the caller waits for a notification that was dropped");
        CHECK(reconnects<starts_again, TestType>() ==
              "a caller was told that a lost notification is handled");
    }
}
