// S0, the other hidden writers: the admin closes, an error path closes, the peer closes and is answered.
// Each of them came from a thread of its own and wrote its Close frame straight to the socket, into the
// middle of the message that was being written there.
//
// Every way of closing happens here when the header of a message is on the wire and its payload is not. The
// peer must see that message whole, then what was accepted before the Close, then exactly one Close, with
// the code of who came first, and nothing after it; what is sent later is refused.
//
// Teeth: the server with the hidden writers fails in every way, every time.

#include <support/one_connection.hpp>
#include <support/strict_parser.hpp>

#include <future>

using namespace support;

namespace {

enum class way { admin, error_path, peer, admin_then_peer, peer_then_admin };
constexpr way every_way[] = {way::admin, way::error_path, way::peer, way::admin_then_peer,
                             way::peer_then_admin};
const char* const names[] = {"admin", "error path", "peer", "admin, then peer", "peer, then admin"};
constexpr unsigned codes[] = {1001, 1007, 1000, 1001, 1000};

template <class Server>
void act(Server& server, way how) {
    const stream goodbye = stream(wsolo::role::client).close(1000, "bye");
    if (how == way::admin || how == way::admin_then_peer) server.admin_close();
    if (how == way::error_path) server.receive(stream(wsolo::role::client).frame(0x81, "\xff not UTF-8"));
    if (how != way::admin && how != way::error_path) server.receive(goodbye);
    if (how == way::peer_then_admin) server.admin_close();
}

/// Empty when the peer saw what it should.
std::string judge(const std::string& wire, const std::vector<std::string>& accepted, way how) {
    const strict::stream seen = strict::parse(wire, false);
    if (!seen.error.empty()) return seen.error;
    if (seen.rest != 0) return "an incomplete frame at the end";
    std::vector<std::string> texts;
    for (std::size_t i = 0; i < seen.frames.size(); ++i) {
        const strict::frame& frame = seen.frames[i];
        const bool is_last = i + 1 == seen.frames.size();
        if ((frame.opcode == 8) != is_last) return is_last ? "no Close at the end" : "frames after a Close";
        if (frame.opcode == 1) texts.push_back(frame.payload);
    }
    const std::string& body = seen.frames.back().payload;
    const unsigned code =
        static_cast<unsigned char>(body.at(0)) * 256U + static_cast<unsigned char>(body.at(1));
    if (code != codes[static_cast<int>(how)]) return "Close " + std::to_string(code);
    return texts == accepted ? "" : "not the accepted messages";
}

template <class Server>
std::string run(way how) {
    std::promise<void> acted;
    Server* to_close = nullptr;
    Server server(interruption(2, [&] {
        act(*to_close, how);
        acted.set_value();
    }));
    to_close = &server;
    const std::vector<std::string> texts = {"the message that is being written", "a second one",
                                            std::string(5000, 'x')};
    const std::vector<wsolo::errc> results = server.relay_together(texts);
    std::vector<std::string> accepted;
    for (std::size_t i = 0; i < texts.size(); ++i) {
        if (results[i] == wsolo::errc::none) accepted.push_back(texts[i]);
    }
    if (acted.get_future().wait_for(10s) != std::future_status::ready) return "no thread closed";
    if (server.relay("too late") != wsolo::errc::closed) return "a message was accepted after the Close";
    return judge(server.finish(), accepted, how);
}

} // namespace

TEMPLATE_TEST_CASE("S0: whichever side closes, the peer sees whole frames and one Close at their end",
                   "[scenario][s0]", scripted_line, unix_line, tcp_line) {
    for (const way how : every_way) {
        INFO(names[static_cast<int>(how)]);
        for (int repetition = 0; repetition < 10; ++repetition)
            REQUIRE(run<one_writer_server<TestType>>(how) == "");
    }
}

TEMPLATE_TEST_CASE("S0 teeth: a Close written past the queue fails five times out of five",
                   "[scenario][s0][teeth]", scripted_line, unix_line, tcp_line) {
    for (const way how : every_way) {
        std::string seen;
        for (int repetition = 0; repetition < 5; ++repetition) {
            seen = run<hidden_writers_server<TestType>>(how);
            CHECK(seen != "");
        }
        WARN(names[static_cast<int>(how)] << ": " << seen);
    }
}
