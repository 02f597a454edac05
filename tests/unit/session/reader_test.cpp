// Would catch: a split of the input, a delivery or a pause that changes what is read; a control frame that
// disturbs the message around it; bytes lost by leaving the loop; a reply with the wrong masking, key or
// payload.

#include <support/catch.hpp>
#include <support/event_log.hpp>

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
