// Would catch: a rule of RFC 6455 §5 or §8.1 that is missed, found at another byte, answered with another
// code, or applied in one role only; a failure that can be got over; bytes after it that still count.

#include <support/catch.hpp>
#include <support/event_log.hpp>

using namespace support;

namespace {

struct broken_stream {
    const char* rule;
    void (*write)(stream&);
    lines expected;
};

const std::string half_close(1, '\x03');

const broken_stream broken_streams[] = {
    {"§5.2: RSV1 \"MUST be 0 unless an extension is negotiated\"",
     [](stream& s) { s.frame(0xc1, "x"); },
     {"failed reserved_bits_set -> Close 1002"}},
    {"§5.2: RSV3 on a control frame",
     [](stream& s) { s.frame(0x81, "a").frame(0x99); },
     {"text a", "failed reserved_bits_set -> Close 1002"}},
    {"§5.2: \"If an unknown opcode is received\"",
     [](stream& s) { s.frame(0x83, "x"); },
     {"failed reserved_opcode -> Close 1002"}},
    {"§5.2: an unknown control opcode",
     [](stream& s) { s.frame(0x8b); },
     {"failed reserved_opcode -> Close 1002"}},
    {"§5.5: control frames \"MUST NOT be fragmented\"",
     [](stream& s) { s.frame(0x09, "x"); },
     {"failed fragmented_control_frame -> Close 1002"}},
    {"§5.5: \"a payload length of 125 bytes or less\"",
     [](stream& s) { s.frame(0x89, std::string(126, 'x')); },
     {"failed oversized_control_frame -> Close 1002"}},
    {"§5.4: a continuation of nothing",
     [](stream& s) { s.frame(0x80, "x"); },
     {"failed unexpected_continuation -> Close 1002"}},
    {"§5.4: a continuation of a message that is over",
     [](stream& s) { s.frame(0x01, "a").frame(0x80, "b").frame(0x00, "c"); },
     {"text ab", "failed unexpected_continuation -> Close 1002"}},
    {"§5.4: a continuation after a whole message",
     [](stream& s) { s.frame(0x82, "ab").frame(0x80, "c"); },
     {"binary ab", "failed unexpected_continuation -> Close 1002"}},
    {"§5.4: a message inside another",
     [](stream& s) { s.frame(0x01, "a").frame(0x81, "b"); },
     {"failed expected_continuation -> Close 1002"}},
    {"§5.4: the same after an interleaved PING",
     [](stream& s) { s.frame(0x02, "a").frame(0x89, "p").frame(0x02, "b"); },
     {"ping p -> pong p", "failed expected_continuation -> Close 1002"}},
    {"§8.1: a bad byte",
     [](stream& s) { s.frame(0x81, "caf\xE9 au lait"); },
     {"failed invalid_utf8 -> Close 1007"}},
    {"§8.1: a bad byte in a long text",
     [](stream& s) { s.frame(0x81, std::string(200, 'a') + "\xED\xA0\x80" + std::string(90, 'b')); },
     {"failed invalid_utf8 -> Close 1007"}},
    {"§8.1: a code point cut off by the message's end",
     [](stream& s) { s.frame(0x81, "\xE2\x82"); },
     {"failed invalid_utf8 -> Close 1007"}},
    {"§8.1: cut off by the end of the last fragment",
     [](stream& s) { s.frame(0x01, "\xE2").frame(0x80, "\x82"); },
     {"failed invalid_utf8 -> Close 1007"}},
    {"§8.1: cut off, and an empty last fragment",
     [](stream& s) { s.frame(0x01, "\xE2").frame(0x80); },
     {"failed invalid_utf8 -> Close 1007"}},
    {"§5.6, §8.1: a bad byte in a later fragment, a PING before it",
     [](stream& s) { s.frame(0x01, "ok \xC3").frame(0x89).frame(0x00, "(").frame(0x80, "never"); },
     {"ping  -> pong ", "failed invalid_utf8 -> Close 1007"}},
    {"§5.5.1: \"a 2-byte unsigned integer\" of one byte",
     [](stream& s) { s.frame(0x88, half_close); },
     {"failed close_body_of_one_byte -> Close 1002"}},
    {"§7.4.2: 0-999 \"are not used\"",
     [](stream& s) { s.close(999); },
     {"failed invalid_close_code -> Close 1002"}},
    {"§7.4.1: 1004 is reserved",
     [](stream& s) { s.close(1004); },
     {"failed invalid_close_code -> Close 1002"}},
    {"§7.4.1: 1005 \"MUST NOT be set\"",
     [](stream& s) { s.close(1005); },
     {"failed invalid_close_code -> Close 1002"}},
    {"§7.4.1: 1006 \"MUST NOT be set\"",
     [](stream& s) { s.close(1006, "x"); },
     {"failed invalid_close_code -> Close 1002"}},
    {"§7.4.1: 1015 \"MUST NOT be set\"",
     [](stream& s) { s.close(1015); },
     {"failed invalid_close_code -> Close 1002"}},
    {"§7.4.2: 1016-2999 are reserved",
     [](stream& s) { s.close(2999); },
     {"failed invalid_close_code -> Close 1002"}},
    {"§7.4.2: above 4999", [](stream& s) { s.close(5000); }, {"failed invalid_close_code -> Close 1002"}},
    {"§5.5.1: the reason \"is UTF-8-encoded data\"",
     [](stream& s) { s.close(1000, "\xCE\xBA\xE1\xBD\xFF"); },
     {"failed invalid_close_reason -> Close 1007"}},
    {"§5.5.1: a reason cut inside a code point",
     [](stream& s) { s.close(1000, "bye \xE2\x82"); },
     {"failed invalid_close_reason -> Close 1007"}},
};

template <role Role>
void check_rules() {
    for (const broken_stream& row : broken_streams) {
        INFO(row.rule);
        stream sent(peer_of(Role));
        row.write(sent);
        sent.frame(0x81, "after the failure").close(1000);
        const event_log log = log_every_way<Role>(sent);
        CHECK(log.lines == row.expected);
        CHECK(log.ignored > 0);
        CHECK(std::string(name_of(log.end)) ==
              row.expected.back().substr(7, row.expected.back().find(" -> ") - 7));
    }
}

/// Bytes as they are, for what the stream writer does not write.
lines lines_of_raw(const std::vector<unsigned>& bytes) {
    stream sent(role::server);
    for (const unsigned byte : bytes) sent.put(byte);
    return log_every_way<role::client>(sent).lines;
}

} // namespace

TEST_CASE("every rule, in both roles, at every split", "[session][reader]") {
    SECTION("a server reads") { check_rules<role::server>(); }
    SECTION("a client reads") { check_rules<role::client>(); }
}

TEST_CASE("a frame masked the wrong way fails the connection", "[session][reader]") {
    stream unmasked(role::server);
    stream masked(role::client);
    unmasked.frame(0x81, "x");
    masked.frame(0x81, "x");
    CHECK(log_every_way<role::server>(unmasked).lines == lines{"failed mask_required -> Close 1002"}); // §5.1
    CHECK(log_every_way<role::client>(masked).lines == lines{"failed mask_forbidden -> Close 1002"});  // §5.1
}

TEST_CASE("lengths that break §5.2 fail the connection", "[session][reader]") {
    CHECK(lines_of_raw({0x82, 126, 0, 125}) == lines{"failed non_minimal_length -> Close 1002"});
    CHECK(lines_of_raw({0x82, 127, 0, 0, 0, 0, 0, 0, 0xff, 0xff}) ==
          lines{"failed non_minimal_length -> Close 1002"});
    CHECK(lines_of_raw({0x82, 127, 0x80, 0, 0, 0, 0, 0, 0, 0}) ==
          lines{"failed length_high_bit_set -> Close 1002"});
}

TEST_CASE("a bad byte fails as soon as it has come, mid-frame", "[session][reader]") {
    stream sent(role::client);
    sent.header(0x81, 1000);
    std::vector<std::byte> bytes(sent.bytes());
    const std::size_t start = bytes.size();
    const std::string text = "fine so far \xE6\x97\xA5 \xF4\x90";
    for (std::size_t i = 0; i < text.size(); ++i) {
        bytes.push_back(static_cast<std::byte>(text[i]) ^ bytes[start - 4 + i % 4]);
    }
    for (const delivery deliver : {delivery::messages, delivery::fragments}) {
        read_limits limits;
        limits.deliver = deliver;
        server_reader in(limits);
        for (std::size_t i = 0; i < bytes.size(); ++i) {
            std::byte byte = bytes[i];
            for (auto& event : in.read(mutable_bytes(&byte, 1))) {
                if (event.kind() == event_kind::failure) CHECK(i == bytes.size() - 1);
            }
            if (in.open() != (i < bytes.size() - 1)) FAIL("byte " << i);
        }
        CHECK(in.error() == errc::invalid_utf8);
    }
}

TEST_CASE("a failure tells the peer which rule it broke", "[session][reader]") {
    stream sent(role::client);
    sent.frame(0x80);
    exact_bytes received{const_bytes(sent.bytes())};
    server_reader in;
    int events = 0;
    for (auto& event : in.read(received.view())) {
        ++events;
        CHECK(event.error() == errc::unexpected_continuation);
        CHECK(event.code() == close_code::protocol_error);
        const auto reply = event.owed_reply();
        REQUIRE(reply.has_value());
        CHECK(described<role::server>(*reply) == "Close 1002 a continuation frame continues nothing");
    }
    CHECK(events == 1);
}

TEST_CASE("every failure's sentence fits into a Close frame", "[session][reader]") {
    for (std::size_t i = 0; i <= static_cast<std::size_t>(errc::would_deadlock); ++i) {
        CHECK(to_string(static_cast<errc>(i)).size() <= max_control_payload - 2);
    }
}
