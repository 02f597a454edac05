// Would catch: a Close answered with another body, twice, or after our own; 1005 on the wire; a peer's Close
// taken for a failure or the other way round; a PING after our Close treated as an error or answered; an end
// of input that hides a lost connection.

#include <support/catch.hpp>
#include <support/event_log.hpp>

using namespace support;

namespace {

/// Reads `sent` in one go; `close_sent_before`: our Close goes out before event number that.
template <role Role>
lines read_with_our_close(const stream& sent, std::size_t close_sent_before) {
    exact_bytes received{const_bytes(sent.bytes())};
    reader_under_test<Role> reader{read_limits{}};
    event_log log;
    auto events = reader.in.read(received.view());
    for (std::size_t i = 0;; ++i) {
        if (i == close_sent_before) reader.in.note_close_sent();
        if (i == 0 ? !(events.begin() != events.end()) : !(++events.begin() != events.end())) break;
        log.note<Role>(*events.begin());
    }
    return log.lines;
}

template <role Role>
void check_echoes() {
    struct {
        unsigned code;
        std::string_view reason;
    } const rows[] = {{1000, ""},     {1001, "going"},
                      {1002, ""},     {1003, ""},
                      {1007, ""},     {1011, "oops"},
                      {1012, ""},     {1013, ""},
                      {1014, ""},     {3000, "\xE2\x82\xAC"},
                      {3999, ""},     {4000, ""},
                      {4999, "last"}, {1010, std::string_view()}};
    for (const auto& row : rows) {
        stream sent(peer_of(Role));
        sent.close(row.code, row.reason).frame(0x89, "late");
        const std::string body = std::to_string(row.code) + " " + std::string(row.reason);
        const event_log log = log_every_way<Role>(sent);
        CHECK(log.lines == lines{"closed " + body + " -> Close " + body});
        CHECK(log.end == errc::none);
    }
    stream longest(peer_of(Role));
    longest.close(1000, std::string(123, 'r'));
    CHECK(log_every_way<Role>(longest).lines.at(0).size() ==
          std::string("closed 1000  -> Close 1000 ").size() + 246);
    // §5.5.1, §7.1.5: no body is no status, and is echoed as none: 1005 never goes on the wire.
    stream empty(peer_of(Role));
    empty.frame(0x88);
    CHECK(log_every_way<Role>(empty).lines == lines{"closed 1005  -> Close"});
}

template <role Role>
void check_our_close() {
    stream sent(peer_of(Role));
    sent.frame(0x89, "1").frame(0x81, "data").frame(0x89, "2").close(1000, "bye");
    CHECK(read_with_our_close<Role>(sent, 0) == lines{"ping 1", "text data", "ping 2", "closed 1000 bye"});
    CHECK(read_with_our_close<Role>(sent, 1) ==
          lines{"ping 1 -> pong 1", "text data", "ping 2", "closed 1000 bye"});
    CHECK(read_with_our_close<Role>(sent, 3) ==
          lines{"ping 1 -> pong 1", "text data", "ping 2 -> pong 2", "closed 1000 bye"});
    stream broken(peer_of(Role));
    broken.frame(0x80);
    CHECK(read_with_our_close<Role>(broken, 0) == lines{"failed unexpected_continuation"});
}

} // namespace

TEST_CASE("a Close is echoed as it came", "[session][reader]") {
    SECTION("a server reads") { check_echoes<role::server>(); }
    SECTION("a client reads") { check_echoes<role::client>(); }
}

TEST_CASE("after our Close nothing is owed, and a PING is no error", "[session][reader]") {
    SECTION("a server reads") { check_our_close<role::server>(); }
    SECTION("a client reads") { check_our_close<role::client>(); }
}

TEST_CASE("both Closes complete the handshake", "[session][reader]") {
    stream sent(role::client);
    sent.close(1000).frame(0x81, "ignored");
    exact_bytes received{const_bytes(sent.bytes())};
    server_reader in;
    CHECK(in.open());
    CHECK_FALSE(in.peer_closed());
    for (auto& event : in.read(received.view())) {
        CHECK(event.kind() == event_kind::peer_close);
        CHECK(event.code() == close_code::normal);
        if (event.owes_reply()) in.note_close_sent();
    }
    CHECK(in.peer_closed());
    CHECK(in.close_sent());
    CHECK_FALSE(in.open());
    CHECK(in.error() == errc::none);
    CHECK(in.ignored() == 13);
    CHECK(in.end_of_input() == errc::none);
}

TEST_CASE("what is left after a Close and never looked at is no second failure", "[session][reader]") {
    stream sent(role::client);
    sent.close(1000).frame(0x81, "ignored");
    exact_bytes received{const_bytes(sent.bytes())};
    server_reader in;
    for (auto& event : in.read(received.view())) {
        CHECK(event.kind() == event_kind::peer_close);
        break;
    }
    CHECK(in.peer_closed());
    CHECK(in.error() == errc::none);
    CHECK(in.ignored() == 13);
}

TEST_CASE("an end of input without a Close is a lost connection", "[session][reader]") {
    stream sent(role::client);
    sent.frame(0x81, "whole").frame(0x01, "half a message");
    CHECK(server_reader().end_of_input() == errc::connection_lost);
    CHECK(log_every_way<role::server>(sent).end == errc::connection_lost);
    stream cut(role::client);
    cut.header(0x88, 2); // the Close's body never came
    CHECK(log_every_way<role::server>(cut).end == errc::connection_lost);
    server_reader in;
    in.note_close_sent(); // ours alone is not a closing handshake
    CHECK(in.end_of_input() == errc::connection_lost);
}

TEST_CASE("a Close inside a fragmented message ends it too", "[session][reader]") {
    stream sent(role::server);
    sent.frame(0x01, "never ends").close(1001).frame(0x80, "!");
    const event_log log = log_every_way<role::client>(sent);
    CHECK(log.lines == lines{"closed 1001  -> Close 1001 "});
    CHECK(log.ignored == 3);
}
