// S1, the receive side: the receive loop ran the message handler itself. While the handler waited nothing
// read the socket, TCP's backpressure stalled the peer's writes, and PINGs went unanswered.
//
// In virtual time, over the adversarial transport, a socket pair and loopback TCP: a handler that blocks
// for 30 s, while the peer sends 64 KiB a second and a PING every five. Every byte is read in its second,
// every PING answered, every beat sent; then all messages are handled, in order. A handler that fails, by
// its answer or by an exception, ends the handling right there; its error, the first, reaches the owner,
// who closes with 1011.
//
// Teeth: the handler in the receive loop, a thread for each message, errors that are only logged, and
// errors that take each other's place fail every time.

#include <support/catch.hpp>
#include <support/complaint.hpp>
#include <support/living_server.hpp>

#include <algorithm>

using namespace support;
using namespace std::chrono_literals;
using wsolo::errc;

namespace {

constexpr wsolo::heartbeat_options beats_only{
    .ping_interval = 0ms, .pong_timeout = 0ms, .beat_interval = 30s};
constexpr int messages_a_second = 4, message_size = 16 * 1024, seconds = 30;

std::string numbered(int number) {
    std::string text = std::to_string(number) + " ";
    return text + std::string(message_size - text.size(), '.');
}

template <class Handling, class Link>
std::string handler_blocks() {
    Link link;
    std::mutex mutex;
    std::vector<int> handled;
    living_server<Link, own_deadlines<typename Link::transport>, Handling> server(
        link, beats_only, [&](const std::string& message) {
            const int number = std::stoi(message);
            if (number == 0) sleep_virtually(std::chrono::seconds(seconds));
            const std::lock_guard hold(mutex);
            handled.push_back(number);
            return errc::none;
        });
    living_peer<Link> peer(link);
    turns loop([&] { server.turn(); });
    int sent = 0, pings = 0;
    for (int second = 0; second < seconds; ++second) {
        stream data(wsolo::role::client);
        for (int i = 0; i < messages_a_second; ++i) data.frame(0x81, numbered(sent++));
        if (second % 5 == 0) data.frame(0x89, "ping " + std::to_string(pings++));
        peer.send(data);
        static_cast<void>(live_until(loop, server, peer, [&] {
            return server.messages() == sent && peer.pongs == pings && peer.beats == second / 5;
        }));
        server.handling.settle();
        step_clock::advance(1s); // the last one wakes the handler
    }
    complaint wrong;
    const bool is_stalled = !peer.has_sent_all();
    const std::string unanswered = std::to_string(pings - peer.pongs) + " PINGs unanswered" +
                                   (is_stalled ? ", and the peer's writes stall" : "");
    wrong.unless(peer.pongs == pings && !is_stalled, unanswered);
    const auto is_all_handled = [&] {
        server.handling.settle();
        const std::lock_guard hold(mutex);
        return handled.size() == static_cast<std::size_t>(sent);
    };
    wrong.unless(live_until(loop, server, peer, is_all_handled), "messages were lost");
    wrong.unless(std::is_sorted(handled.begin(), handled.end()), "messages were handled in another order");
    return wrong.words();
}

enum class failing { by_answer, by_exception };

template <class Handling, class Link>
std::string handler_fails(failing how) {
    Link link;
    std::vector<std::string> handled;
    living_server<Link, own_deadlines<typename Link::transport>, Handling> server(
        link, beats_only, [&](const std::string& message) {
            handled.push_back(message);
            if (message != "two") return errc::none;
            if (how == failing::by_exception) throw std::runtime_error("the handler's");
            return errc::cancelled;
        });
    living_peer<Link> peer(link);
    turns loop([&] { server.turn(); });
    const errc expected = how == failing::by_answer ? errc::cancelled : errc::handler_failed;
    peer.send(stream(wsolo::role::client).frame(0x81, "one").frame(0x81, "two").frame(0x81, "three"));
    complaint wrong;
    wrong.unless(live_until(loop, server, peer, [&] { return server.messages() == 3; }), "nothing was read");
    server.handling.settle();
    wrong.unless(server.told() == expected, "the owner was not told of the handler's error");
    server.handling.lose(errc::connection_lost); // which is news, but no longer the reason
    server.handling.settle();
    wrong.unless(server.told() == expected, "a later error took the first one's place");
    wrong.unless(handled == std::vector<std::string>{"one", "two"}, "messages were handled after the error");
    const bool is_closed = live_until(loop, server, peer, [&] { return !peer.closed.empty(); }) ||
                           (peer.look(), !peer.closed.empty());
    wrong.unless(is_closed && peer.closed.substr(0, 2) == "\x03\xf3", "the peer was not told with 1011");
    return wrong.words();
}

} // namespace

TEMPLATE_TEST_CASE("S1: a handler that blocks delays no other connection", "[scenario][s1]", scripted_link,
                   unix_link, tcp_link) {
    REQUIRE(handler_blocks<through_the_inbox, TestType>() == "");
}

TEMPLATE_TEST_CASE("S1: a handler's error ends the handling and reaches the owner", "[scenario][s1]",
                   scripted_link, unix_link, tcp_link) {
    for (int repetition = 0; repetition < 30; ++repetition) {
        REQUIRE(handler_fails<through_the_inbox, TestType>(failing::by_answer) == "");
        REQUIRE(handler_fails<through_the_inbox, TestType>(failing::by_exception) == "");
    }
}

TEMPLATE_TEST_CASE("S1 teeth: other ways to run a handler fail five times out of five",
                   "[scenario][s1][teeth]", scripted_link, unix_link, tcp_link) {
    for (int repetition = 0; repetition < 5; ++repetition) {
        CHECK(handler_blocks<in_the_receive_loop, TestType>() ==
              "6 PINGs unanswered, and the peer's writes stall");
        CHECK(handler_blocks<a_thread_each, TestType>() == "messages were handled in another order");
        for (const failing how : {failing::by_answer, failing::by_exception}) {
            CHECK(handler_fails<logs_errors, TestType>(how) ==
                  "the owner was not told of the handler's error");
            CHECK(handler_fails<tells_each_error, TestType>(how) ==
                  "a later error took the first one's place");
        }
    }
}
