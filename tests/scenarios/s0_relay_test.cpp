// S0 in a relay: four backends push events to one client, who PINGs and talks at the same time and is
// answered, until the admin closes the connection in the middle of all that. Backends, reader and admin are
// six threads that all have something to write.
//
// The peer must see whole frames only: of each backend what was accepted, in order; every accepted PONG and
// echo, in order; the admin's Close last. The admin acts when a given number of bytes is on the wire, 30
// times each over the adversarial transport, a socket pair and loopback TCP.
//
// Teeth: the server with hidden writers lets the admin write while a backend's frame has its header out and
// not its payload; the peer parses garbage every time.

#include <support/one_connection.hpp>
#include <support/strict_parser.hpp>

#include <atomic>

using namespace support;

namespace {

constexpr int backends = 4, events_each = 60, pings = 100;
/// Reached in every run: the backends alone send more.
constexpr std::size_t close_at = 4002;

using by_sender = std::vector<std::vector<std::string>>; // one list a backend

std::string event_text(int backend, int number) {
    return std::to_string(backend) + " event " + std::to_string(number) +
           std::string(20 + static_cast<std::size_t>(number), '.');
}

template <class Server>
std::vector<std::string> push_events(Server& server, int backend) {
    std::vector<std::string> accepted;
    for (int i = 0; i < events_each; ++i) {
        const std::string text = event_text(backend, i);
        if (server.relay(text) == wsolo::errc::none) accepted.push_back(text);
    }
    return accepted;
}

template <class Server>
void read_the_client(Server& server) {
    for (int i = 0; i < pings; ++i) {
        stream sent(wsolo::role::client);
        sent.frame(0x89, "ping " + std::to_string(i));
        if (i % 5 == 0) sent.frame(0x81, "e said " + std::to_string(i));
        server.receive(sent);
        std::this_thread::yield();
    }
}

/// Empty when the peer saw what it should.
std::string judge(const std::string& wire, const by_sender& accepted, const taken_on& replies) {
    const strict::stream seen = strict::parse(wire, false);
    if (!seen.error.empty()) return seen.error;
    if (seen.rest != 0) return "an incomplete frame at the end";
    if (seen.frames.empty() || seen.frames.back().opcode != 8) return "no Close at the end";
    by_sender texts(accepted.size());
    taken_on answered;
    for (std::size_t i = 0; i + 1 < seen.frames.size(); ++i) {
        const strict::frame& frame = seen.frames[i];
        if (frame.opcode == 8) return "frames after a Close";
        if (frame.opcode == 10) {
            answered.pongs.push_back(frame.payload);
        } else if (frame.payload[0] == 'e') {
            answered.echoes.push_back(frame.payload);
        } else {
            texts.at(static_cast<std::size_t>(frame.payload[0] - '0')).push_back(frame.payload);
        }
    }
    if (answered.pongs != replies.pongs) return "not the PONGs that were accepted";
    if (answered.echoes != replies.echoes) return "not the echoes that were accepted";
    return texts == accepted ? "" : "not the events that were accepted";
}

template <class Server>
std::string run() {
    Server* to_close = nullptr;
    Server server(interruption(close_at, [&] { to_close->admin_close(); }));
    to_close = &server;
    by_sender accepted(backends);
    std::vector<std::thread> threads;
    for (int b = 0; b < backends; ++b) {
        threads.emplace_back([&, b] { accepted[static_cast<std::size_t>(b)] = push_events(server, b); });
    }
    threads.emplace_back([&] { read_the_client(server); });
    for (std::thread& thread : threads) thread.join();
    const std::string wire = server.finish();
    return judge(wire, accepted, server.taken);
}

} // namespace

TEMPLATE_TEST_CASE("S0: a relay with replies, closed by the admin", "[scenario][s0]", scripted_line,
                   unix_line, tcp_line) {
    for (int repetition = 0; repetition < 30; ++repetition) {
        INFO("repetition " << repetition);
        REQUIRE(run<one_writer_server<TestType>>() == "");
    }
}

TEMPLATE_TEST_CASE("S0 teeth: a relay whose admin writes the Close itself fails five times out of five",
                   "[scenario][s0][teeth]", scripted_line, unix_line, tcp_line) {
    std::string seen;
    for (int repetition = 0; repetition < 5; ++repetition) {
        seen = run<hidden_writers_server<TestType>>();
        CHECK(seen != "");
    }
    WARN("the client saw: " << seen);
}
