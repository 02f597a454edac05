// Would catch: a limit off by one, judged after the payload was taken, reset by a fragment, wrapped around by
// a huge length, or judged in one delivery only; an extension's bits let through where they mean nothing.

#include <support/catch.hpp>
#include <support/event_log.hpp>

using namespace support;

namespace {

template <role Role>
lines lines_within(read_limits limits, void (*write)(stream&)) {
    stream sent(peer_of(Role));
    write(sent);
    return log_every_way<Role>(sent, limits).lines;
}

template <role Role>
void check_sizes() {
    read_limits frames;
    frames.max_frame_size = 10;
    CHECK(lines_within<Role>(frames, [](stream& s) {
              s.frame(0x82, "0123456789").frame(0x89, "longer than ten");
          }) == lines{"binary 0123456789", "ping longer than ten -> pong longer than ten"});
    CHECK(lines_within<Role>(frames, [](stream& s) { s.frame(0x81, "0123456789a"); }) ==
          lines{"failed frame_too_big -> Close 1009"});
    CHECK(lines_within<Role>(frames, [](stream& s) {
              s.frame(0x01, "0123456789").frame(0x80, "0123456789");
          }) == lines{"text 01234567890123456789"});

    read_limits messages;
    messages.max_message_size = 10;
    CHECK(lines_within<Role>(messages, [](stream& s) {
              s.frame(0x81, "0123456789").frame(0x82, "0123456789");
          }) == lines{"text 0123456789", "binary 0123456789"});
    CHECK(lines_within<Role>(messages, [](stream& s) { s.frame(0x82, "0123456789a"); }) ==
          lines{"failed message_too_big -> Close 1009"});
    CHECK(lines_within<Role>(messages, [](stream& s) {
              s.frame(0x01, "01234").frame(0x00).frame(0x80, "56789");
          }) == lines{"text 0123456789"});
    CHECK(lines_within<Role>(messages, [](stream& s) {
              s.frame(0x01, "01234").frame(0x00).frame(0x80, "56789a");
          }) == lines{"failed message_too_big -> Close 1009"});
    CHECK(lines_within<Role>(messages, [](stream& s) { s.frame(0x01, "0123456789").frame(0x80); }) ==
          lines{"text 0123456789"});

    read_limits little;
    little.max_message_size = 1;
    CHECK(lines_within<Role>(little, [](stream& s) {
              s.frame(0x81).frame(0x02).frame(0x80).frame(0x82, "xy");
          }) == lines{"text ", "binary ", "failed message_too_big -> Close 1009"});

    read_limits none;
    none.max_frame_size = none.max_message_size = none.max_fragments = 0;
    stream sent(peer_of(Role));
    sent.frame(0x82, std::string(300'000, 'x')).frame(0x02);
    for (int i = 0; i < 5000; ++i) sent.frame(0x00, "y");
    sent.frame(0x80);
    basic_reader<default_side<Role>> in(none);
    int whole = 0;
    std::vector<std::byte> bytes = sent.bytes();
    for (const event& each : in.read(mutable_bytes(bytes))) whole += each.is_message() ? 1 : 0;
    CHECK(whole == 2);
    CHECK(in.open());
}

template <role Role>
void check_counts() {
    read_limits limits;
    limits.max_fragments = 3;
    CHECK(lines_within<Role>(limits, [](stream& s) {
              s.frame(0x01, "a").frame(0x00, "b").frame(0x80, "c");
          }) == lines{"text abc"});
    CHECK(lines_within<Role>(limits, [](stream& s) {
              s.frame(0x01, "a").frame(0x89).frame(0x00, "b").frame(0x00, "c").frame(0x80, "d");
          }) == lines{"ping  -> pong ", "failed too_many_fragments -> Close 1008"});
    CHECK(lines_within<Role>(limits, [](stream& s) { s.frame(0x02).frame(0x00).frame(0x00).frame(0x00); }) ==
          lines{"failed too_many_fragments -> Close 1008"});
    CHECK(lines_within<Role>(limits, [](stream& s) {
              for (int i = 0; i < 3; ++i) s.frame(0x02, "x").frame(0x80, "y");
          }) == lines{"binary xy", "binary xy", "binary xy"});
    limits.max_fragments = 1;
    CHECK(lines_within<Role>(limits, [](stream& s) {
              s.frame(0x81, "one").frame(0x01, "two").frame(0x80, "!");
          }) == lines{"text one", "failed too_many_fragments -> Close 1008"});
}

} // namespace

TEST_CASE("sizes are bounded to the byte, per frame and per message", "[session][limits]") {
    SECTION("a server reads") { check_sizes<role::server>(); }
    SECTION("a client reads") { check_sizes<role::client>(); }
}

TEST_CASE("fragments are counted, the empty ones too", "[session][limits]") {
    SECTION("a server reads") { check_counts<role::server>(); }
    SECTION("a client reads") { check_counts<role::client>(); }
}

TEST_CASE("a length that is only announced is judged, not allocated", "[session][limits]") {
    read_limits limits;
    limits.max_frame_size = max_payload_size;
    const auto huge = [](stream& s) { s.frame(0x02, "x").header(0x80, max_payload_size); };
    CHECK(lines_within<role::server>(limits, huge) == lines{"failed message_too_big -> Close 1009"});
    limits.max_message_size = UINT64_MAX;
    CHECK(lines_within<role::server>(limits, huge).empty()); // waits for what never comes
    const auto wrapping = [](stream& s) {
        s.header(0x02, max_payload_size);
        for (int i = 0; i < 100; ++i) s.put(0);
    };
    CHECK(lines_within<role::server>(limits, wrapping).empty());
}

TEST_CASE("the sum of a message's frames can not wrap", "[session][limits]") {
    detail::message_rules rules([] {
        read_limits limits;
        limits.max_message_size = UINT64_MAX;
        return detail::read_bounds(limits);
    }());
    constexpr std::byte first{0x02};
    constexpr std::byte next{0x00};
    CHECK(rules.check_size(first, max_payload_size) == errc::none);
    rules.begin_frame(first, max_payload_size);
    CHECK(rules.check_size(next, max_payload_size) == errc::none);
    rules.begin_frame(next, max_payload_size);
    CHECK(rules.check_size(next, 1) == errc::none); // 2^64 - 1 in all
    rules.begin_frame(next, 1);
    CHECK(rules.check_size(next, 1) == errc::message_too_big);
    CHECK(rules.check_size(next, max_payload_size) == errc::message_too_big);
    CHECK(rules.check_size(first, max_payload_size) == errc::none); // another message's first frame
}

TEST_CASE("an extension's bit belongs to a message's first frame", "[session][limits]") {
    read_limits limits;
    limits.allowed_rsv = rsv1_bit;
    // What the extension carries is not text yet: RFC 7692 §6.
    const auto fine = [](stream& s) { s.frame(0xc1, "\xFF\xFE").frame(0x41, "\xFF").frame(0x80, "\xFE"); };
    CHECK(lines_within<role::server>(limits, fine) == lines{"text \xFF\xFE", "text \xFF\xFE"});
    CHECK(lines_within<role::server>(limits, [](stream& s) { s.frame(0x81, "\xFF"); }) ==
          lines{"failed invalid_utf8 -> Close 1007"});
    const lines refused{"failed reserved_bits_set -> Close 1002"};
    CHECK(lines_within<role::server>(limits, [](stream& s) { s.frame(0x41, "a").frame(0xc0, "b"); }) ==
          refused);
    CHECK(lines_within<role::server>(limits, [](stream& s) { s.frame(0xc9); }) == refused);
    CHECK(lines_within<role::server>(limits, [](stream& s) { s.frame(0xa1); }) == refused);

    stream sent(role::client);
    sent.frame(0x42, "a").frame(0x80, "b").frame(0x82, "c");
    exact_bytes received{const_bytes(sent.bytes())};
    server_reader in(limits);
    std::vector<int> bits;
    for (auto& event : in.read(received.view())) bits.push_back(event.rsv());
    CHECK(bits == std::vector<int>{rsv1_bit, 0});
}

TEST_CASE("the defaults are bounded", "[session][limits]") {
    const read_limits limits;
    CHECK(limits.max_frame_size == 0);
    CHECK(limits.max_message_size == 4u << 20);
    CHECK(limits.max_message_size == default_max_message);
    CHECK(limits.max_fragments == 0);
    CHECK(limits.max_message_age.count() == 0);
    CHECK(limits.deliver == delivery::messages);
    CHECK(limits.allowed_rsv == 0);
}
