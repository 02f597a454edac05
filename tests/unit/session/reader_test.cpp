// Would catch: a split of the input, a delivery or a pause that changes what is read; a control frame that
// disturbs the message around it; bytes lost by leaving the loop; a reply with the wrong masking, key or
// payload.

#include <support/catch.hpp>
#include <support/event_log.hpp>

#include <algorithm>
#include <iterator>
#include <ranges>

using namespace support;

namespace {

template <role Role>
stream conversation() {
    stream sent(peer_of(Role));
    sent.frame(0x81, "Hello");                      // §5.7: a single-frame text message
    sent.frame(0x01, "Hel").frame(0x80, "lo");      // §5.7: the same, fragmented
    sent.frame(0x89, "Hello").frame(0x8a, "Hello"); // §5.7: PING and PONG
    sent.frame(0x82, std::string(256, 'b')).frame(0x82, std::string(126, 'c')); // §5.7: a 16-bit length
    sent.frame(0x02, "a").frame(0x89, "between").frame(0x00, "b").frame(0x8a).frame(0x80, "c"); // §5.4
    sent.frame(0x01, "\xE2").frame(0x00, "\x82").frame(0x89).frame(0x80, "\xAC!"); // a code point over three
    sent.frame(0x01).frame(0x00).frame(0x80);                                      // empty, in three frames
    sent.frame(0x82).frame(0x81).frame(0x81, "\xF0\x9F\x98\x80 is one code point of more than 32 bytes");
    sent.frame(0x89, std::string(125, 'p')).close(1000, "bye").frame(0x81, "too late");
    return sent;
}

const lines conversation_said{
    "text Hello",
    "text Hello",
    "ping Hello -> pong Hello",
    "pong Hello",
    "binary " + std::string(256, 'b'),
    "binary " + std::string(126, 'c'),
    "ping between -> pong between",
    "pong ",
    "binary abc",
    "ping  -> pong ",
    "text \xE2\x82\xAC!",
    "text ",
    "binary ",
    "text ",
    "text \xF0\x9F\x98\x80 is one code point of more than 32 bytes",
    "ping " + std::string(125, 'p') + " -> pong " + std::string(125, 'p'),
    "closed 1000 bye -> Close 1000 bye",
};

template <role Role>
void check_conversation() {
    const event_log log = log_every_way<Role>(conversation<Role>());
    CHECK(log.lines == conversation_said);
    CHECK(log.end == errc::none);
    CHECK(log.ignored == (masks(peer_of(Role)) ? 14u : 10u));
}

} // namespace

TEST_CASE("every split, delivery and pause reads the same conversation", "[session][reader]") {
    SECTION("a server reads") { check_conversation<role::server>(); }
    SECTION("a client reads") { check_conversation<role::client>(); }
}

TEST_CASE("large messages are the same whole and in pieces", "[session][reader]") {
    std::string text;
    while (text.size() < 70000) text += "\xC3\xA9\xE6\x97\xA5 plain \xF0\x9F\x98\x80";
    stream sent(role::client);
    sent.frame(0x81, text).frame(0x82, text).frame(0x01, text).frame(0x80, text);
    const lines expected{"text " + text, "binary " + text, "text " + text + text};
    for (const std::size_t step : {std::size_t{1000}, std::size_t{4096}, std::size_t{65536}, sent.size()}) {
        for (const delivery deliver : {delivery::messages, delivery::fragments}) {
            feeding way;
            for (std::size_t at = step; at < sent.size(); at += step) way.cuts.push_back(at);
            read_limits limits;
            limits.deliver = deliver;
            const bool same = log_of<role::server>(sent, way, limits).lines == expected;
            CHECK(same);
        }
    }
}

TEST_CASE("fragments keep the order of what came between them", "[session][reader]") {
    stream sent(role::server);
    sent.frame(0x01, "one").frame(0x89, "p").frame(0x00, "two").frame(0x80);
    exact_bytes received{const_bytes(sent.bytes())};
    read_limits limits;
    limits.deliver = delivery::fragments;
    client_reader in(limits);
    std::string order;
    for (auto& event : in.read(received.view())) {
        order += event.kind() == event_kind::ping ? "ping" : event.copy_text();
        if (event.is_fragment()) order += event.begins_message() ? "[" : event.ends_message() ? "]" : "-";
        order += " ";
    }
    CHECK(order == "one[ ping two- ] ");
}

TEST_CASE("a loop that ends early hands its rest on", "[session][reader]") {
    stream sent(role::client);
    sent.frame(0x81, "one").frame(0x81, "two").frame(0x81, "three");
    exact_bytes received{const_bytes(sent.bytes())};
    server_reader in;
    mutable_bytes rest;
    {
        auto events = in.read(received.view());
        auto first = events.begin();
        REQUIRE(first != events.end());
        rest = events.unread();
        CHECK(first->text() == "one");
        CHECK_FALSE(++first != events.end());
    }
    CHECK(rest.size() == sent.size() - 9);
    lines said;
    for (auto& event : in.read(rest)) said.push_back(event.copy_text());
    CHECK(said == lines{"two", "three"});
    CHECK(in.ignored() == 0);
    CHECK(in.open());
}

TEST_CASE("within a fragmented message too the rest is handed on, and the event stands until it is read",
          "[session][reader]") {
    stream sent(role::client);
    sent.frame(0x01, "Hel")
        .frame(0x89, "between")
        .frame(0x00, "lo, ")
        .frame(0x80, "world")
        .frame(0x81, "next");
    const std::size_t at_ping = sent.size() - (6 + 4) - (6 + 5) - (6 + 4);
    // Cut within the PING, so that its payload lies in the reader, after the message's beginning.
    const std::size_t cut = GENERATE_COPY(std::size_t{0}, at_ping - 3);
    exact_bytes received{const_bytes(sent.bytes())};
    server_reader in;
    for ([[maybe_unused]] auto& each : in.read(received.view().first(cut))) FAIL("nothing is whole");
    mutable_bytes rest;
    {
        auto events = in.read(received.view().subspan(cut));
        auto first = events.begin();
        REQUIRE(first != events.end());
        REQUIRE(first->kind() == event_kind::ping);
        rest = events.unread();
        CHECK(events.unread().empty());
        CHECK(text_of(first->payload()) == "between");
        CHECK_FALSE(++first != events.end());
    }
    CHECK(rest.size() == sent.size() - at_ping);
    CHECK_FALSE(in.is_resting());
    lines said;
    for (auto& event : in.read(rest)) said.push_back(event.copy_text());
    CHECK(said == lines{"Hello, world", "next"});
    CHECK(in.ignored() == 0);
    CHECK(in.is_resting());
}

TEST_CASE("a reader rests between messages, where a new one goes on as it would", "[session][reader]") {
    const delivery deliver = GENERATE(delivery::messages, delivery::fragments);
    read_limits limits;
    limits.deliver = deliver;
    stream sent(role::client);
    std::vector<std::size_t> rests{0};
    const auto then = [&](unsigned first, std::string_view payload, bool is_rest) {
        sent.frame(first, payload);
        if (is_rest) rests.push_back(sent.size());
    };
    then(0x81, "whole", true);
    then(0x89, "ping", true);
    then(0x01, "first", false);
    then(0x8a, "", false); // the message is under way
    then(0x00, "", false);
    then(0x80, "last", true);
    then(0x82, "", true);
    then(0x82, std::string(300, 'x'), true);
    const auto said_by = [](server_reader& in, mutable_bytes input) {
        lines said;
        for (auto& event : in.read(input)) said.push_back(std::string(text_of(event.payload())));
        return said;
    };
    server_reader in(limits);
    std::vector<std::byte> received(sent.bytes());
    std::vector<std::size_t> found;
    lines said;
    for (std::size_t at = 0; at <= received.size(); ++at) {
        if (in.is_resting()) found.push_back(at);
        if (at == received.size()) break;
        for (const auto& line : said_by(in, mutable_bytes(received).subspan(at, 1))) said.push_back(line);
    }
    CHECK(found == rests);
    if (deliver != delivery::messages) return; // a fragment comes in as many pieces as there are reads
    for (const std::size_t at : rests) {
        exact_bytes rest(const_bytes(sent.bytes()).subspan(at));
        server_reader fresh(limits);
        const lines later = said_by(fresh, rest.view());
        REQUIRE(later.size() <= said.size());
        CHECK(std::equal(later.rbegin(), later.rend(), said.rbegin()));
    }
}

TEST_CASE("a reader that is over does not rest", "[session][reader]") {
    stream sent(role::client);
    server_reader in;
    in.note_close_sent();
    CHECK(in.is_resting()); // the peer has yet to close
    SECTION("the peer closed") { sent.close(1000); }
    SECTION("a rule was broken at a message's begin") { sent.frame(0x83); }
    SECTION("a rule was broken between messages") { sent.frame(0x80); }
    exact_bytes received{const_bytes(sent.bytes())};
    for ([[maybe_unused]] auto& each : in.read(received.view())) CHECK_FALSE(in.is_resting());
    CHECK_FALSE(in.is_resting());
    CHECK_FALSE(in.open());
}

TEST_CASE("a loop that goes on finds the rest", "[session][reader]") {
    stream sent(role::client);
    sent.frame(0x81, "one").frame(0x81, "two");
    exact_bytes received{const_bytes(sent.bytes())};
    server_reader in;
    auto events = in.read(received.view());
    for (auto& event : events) {
        CHECK(event.text() == "one");
        break;
    }
    auto again = events.begin();
    CHECK(again->text() == "one");
    CHECK((++again)->text() == "two");
    CHECK_FALSE(++again != events.end());
}

TEST_CASE("a loop that ends early and drops its rest fails the reader, once and for all",
          "[session][reader]") {
    stream sent(role::client);
    sent.frame(0x81, "one").frame(0x81, "two");
    exact_bytes received{const_bytes(sent.bytes())};
    server_reader in;
    for (auto& event : in.read(received.view())) {
        CHECK(event.text() == "one");
        break;
    }
    CHECK(in.ignored() == 9);
    CHECK_FALSE(in.open());
    CHECK(in.error() == errc::aborted);
    lines said;
    exact_bytes more{const_bytes(sent.bytes())};
    for (auto& event : in.read(more.view())) {
        said.push_back(std::string(name_of(event.error())));
        CHECK_FALSE(event.owes_reply());
    }
    for (auto& event : in.read(more.view())) said.push_back(std::string(name_of(event.error())));
    CHECK(said == lines{"aborted"});
    CHECK(in.ignored() == 9 + 2 * 18);
    CHECK(in.end_of_input() == errc::aborted);
}

TEST_CASE("a client's replies take their keys from the source it was given", "[session][reader]") {
    stream sent(role::server);
    sent.frame(0x81, "no reply").frame(0x89, "a").frame(0x8a).frame(0x89, "b").close(1001);
    exact_bytes received{const_bytes(sent.bytes())};
    counted_keys keys;
    basic_reader<client_side<counted_keys&>> in{{}, client_side<counted_keys&>(keys)};
    std::vector<unsigned> drawn;
    for (auto& event : in.read(received.view())) {
        const auto reply = event.owed_reply();
        if (!reply) continue;
        drawn.push_back(keys.drawn);
        CHECK(parse_header(reply->bytes()).header.key.bytes[3] == static_cast<std::byte>(keys.drawn));
        CHECK(text_of(reply->bytes()) == text_of(event.owed_reply()->bytes()));
    }
    CHECK(drawn == std::vector<unsigned>{1, 2, 3});
    CHECK(keys.drawn == 3);
}

TEST_CASE("bytes come in as any kind of byte, and the reader moves between reads", "[session][reader]") {
    stream sent(role::client);
    sent.frame(0x81, "hi");
    std::vector<char> chars;
    std::vector<unsigned char> unsigned_chars;
    for (const std::byte byte : sent.bytes()) {
        chars.push_back(static_cast<char>(byte));
        unsigned_chars.push_back(std::to_integer<unsigned char>(byte));
    }
    server_reader in;
    lines said;
    for (auto& event : in.read(std::span(chars).first(7))) said.push_back(event.copy_text());
    server_reader moved(std::move(in));
    for (auto& event : moved.read(std::span(chars).subspan(7))) said.push_back(event.copy_text());
    for (auto& event : moved.read(unsigned_chars)) said.push_back(event.copy_text());
    CHECK(said == lines{"hi", "hi"});
    CHECK(unsigned_chars[6] == 'h'); // unmasked where it lay
}

static_assert(std::input_iterator<server_reader::event_range::iterator>);
static_assert(std::ranges::input_range<server_reader::event_range>);
