// Would catch: a reply that XORs what was already unmasked, or does not unmask what was not; a client's reply
// without a mask, a server's with one, the empty ones included; an illegal Close that is echoed, 1005 on the
// wire, an empty Close answered with 1000.

#include <support/catch.hpp>
#include <support/hex.hpp>

#include <wsolo/frame/control_reply.hpp>

#include <array>
#include <string>

using support::byte_vector;
using support::from_hex;
using support::to_hex;
using namespace wsolo;

namespace {

constexpr masking_key key_of(unsigned a, unsigned b, unsigned c, unsigned d) {
    return {{static_cast<std::byte>(a), static_cast<std::byte>(b), static_cast<std::byte>(c),
             static_cast<std::byte>(d)}};
}
constexpr masking_key peer_key = key_of(0x37, 0xfa, 0x21, 0x3d);

/// A client's own keys: 11 22 33 44, 12 22 33 44, ...
struct own_keys {
    unsigned next = 0x11;
    masking_key next_key() noexcept { return key_of(next++, 0x22, 0x33, 0x44); }
};

unmasked_bytes clear(const_bytes bytes) { return unmasked_bytes(bytes); }

byte_vector xored(const_bytes bytes, masking_key key) {
    byte_vector out(bytes.begin(), bytes.end());
    for (std::size_t i = 0; i < out.size(); ++i) out[i] ^= key.bytes[i % 4];
    return out;
}

std::string hex_of(const result<control_frame>& frame) {
    return frame ? to_hex(frame->bytes()) : std::string(name_of(frame.error()));
}

/// What a server would send, then with the header and the mask that a client adds.
std::string as_client(unsigned first, const_bytes payload) {
    const masking_key key = key_of(0x11, 0x22, 0x33, 0x44);
    byte_vector frame{static_cast<std::byte>(first), static_cast<std::byte>(0x80U | payload.size())};
    frame.insert(frame.end(), key.bytes.begin(), key.bytes.end());
    const byte_vector body = xored(payload, key);
    frame.insert(frame.end(), body.begin(), body.end());
    return to_hex(frame);
}

byte_vector close_body_of(int code, std::string_view reason) {
    byte_vector body{static_cast<std::byte>(code >> 8), static_cast<std::byte>(code)};
    const const_bytes text = bytes_of(reason);
    body.insert(body.end(), text.begin(), text.end());
    return body;
}

byte_vector ramp(std::size_t size) {
    byte_vector bytes;
    for (std::size_t i = 0; i < size; ++i) bytes.push_back(static_cast<std::byte>(i * 3 + 1));
    return bytes;
}

} // namespace

TEST_CASE("a PING is answered with its own payload, masked as the role demands", "[frame][control_reply]") {
    for (const std::size_t size : {0U, 1U, 4U, 5U, 31U, 33U, 64U, 124U, 125U}) {
        INFO(size << " bytes");
        const byte_vector payload = ramp(size);
        const byte_vector masked = xored(payload, peer_key);
        byte_vector expected{std::byte{0x8a}, static_cast<std::byte>(size)};
        expected.insert(expected.end(), payload.begin(), payload.end());

        CHECK(hex_of(make_control_reply<role::server>(opcode::ping, clear(payload))) == to_hex(expected));
        CHECK(hex_of(make_control_reply<role::server>(opcode::ping, masked_bytes(masked, peer_key))) ==
              to_hex(expected));
        own_keys keys;
        CHECK(hex_of(make_control_reply<role::client>(opcode::ping, clear(payload), keys)) ==
              as_client(0x8a, payload));
        keys = {};
        CHECK(hex_of(make_control_reply<role::client>(opcode::ping, masked_bytes(masked, peer_key), keys)) ==
              as_client(0x8a, payload));
    }
}

TEST_CASE("what was unmasked is not masked again", "[frame][control_reply]") {
    // The mistake that the types exclude: "ABCD" that a reader has unmasked with the key "\1\2\3\4" leaves as
    // "@@@@".
    const auto reply = make_control_reply<role::server>(opcode::ping, clear(bytes_of("ABCD")));
    REQUIRE(reply);
    CHECK(text_of(reply->bytes().subspan(2)) == "ABCD");
    const auto unmasked =
        make_control_reply<role::server>(opcode::ping, masked_bytes(bytes_of("@@@@"), key_of(1, 2, 3, 4)));
    REQUIRE(unmasked);
    CHECK(text_of(unmasked->bytes().subspan(2)) == "ABCD");
}

TEST_CASE("each reply of a client takes a fresh key", "[frame][control_reply]") {
    own_keys keys;
    CHECK(hex_of(make_control_reply<role::client>(opcode::ping, clear({}), keys)) == "8a 80 11 22 33 44");
    CHECK(hex_of(make_control_reply<role::client>(opcode::close, clear({}), keys)) == "88 80 12 22 33 44");
    CHECK(hex_of(make_control_reply<role::client>(opcode::close, clear(from_hex("03 e8")), keys)) ==
          "88 82 13 22 33 44 10 ca");
}

TEST_CASE("a Close is answered by the same Close, an empty one by an empty one", "[frame][control_reply]") {
    CHECK(hex_of(make_control_reply<role::server>(opcode::close, clear({}))) == "88 00");
    CHECK(hex_of(make_control_reply<role::server>(opcode::close, clear(close_body_of(1000, "")))) ==
          "88 02 03 e8");
    CHECK(hex_of(make_control_reply<role::server>(opcode::close, clear(close_body_of(4999, "so")))) ==
          "88 04 13 87 73 6f");
    const byte_vector longest = close_body_of(1001, std::string(123, 'r'));
    own_keys keys;
    CHECK(hex_of(make_control_reply<role::client>(opcode::close, clear(longest), keys)) ==
          as_client(0x88, longest));
    const byte_vector masked = xored(longest, peer_key);
    keys = {};
    CHECK(hex_of(make_control_reply<role::client>(opcode::close, masked_bytes(masked, peer_key), keys)) ==
          as_client(0x88, longest));
}

TEST_CASE("each of the 65536 close codes is answered or refused", "[frame][control_reply]") {
    own_keys keys;
    int judged = 0;
    for (int code = 0; code <= 0xffff; ++code, ++judged) {
        // The RFC's ranges: 1000-1003, 1007-1014 (§7.4.1 and IANA), 3000-4999 (§7.4.2)
        const bool legal = (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) ||
                           (code >= 3000 && code <= 4999);
        const errc expected = legal ? errc::none : errc::invalid_close_code;
        const byte_vector body = close_body_of(code, "x");
        const auto parsed = parse_close_body(clear(body));
        const bool right =
            parsed.error() == expected &&
            (!legal || (static_cast<int>(parsed->code) == code && parsed->reason == "x")) &&
            make_control_reply<role::server>(opcode::close, clear(body)).error() == expected &&
            make_control_reply<role::client>(opcode::close, clear(body), keys).error() == expected &&
            make_close<role::server>(static_cast<close_code>(code), "x").error() == expected;
        if (!right) FAIL("close code " << code);
    }
    CHECK(judged == 65536);
}

TEST_CASE("a broken Close body is a failure with its own close code", "[frame][control_reply]") {
    struct row {
        const char* body;
        errc expected;
        close_code answer;
    };
    const row rows[] = {
        {"", errc::none, close_code::no_status},                                        // §7.1.5
        {"03", errc::close_body_of_one_byte, close_code::protocol_error},               // §5.5.1
        {"03 ed", errc::invalid_close_code, close_code::protocol_error},                // 1005, §7.4.1
        {"03 ee", errc::invalid_close_code, close_code::protocol_error},                // 1006
        {"03 f7", errc::invalid_close_code, close_code::protocol_error},                // 1015
        {"00 00", errc::invalid_close_code, close_code::protocol_error},                // §7.4.2
        {"03 e8 c3 a4", errc::none, close_code::no_status},                             // §5.5.1, UTF-8
        {"03 e8 c3", errc::invalid_close_reason, close_code::invalid_payload},          // cut off
        {"03 e8 ff", errc::invalid_close_reason, close_code::invalid_payload},          // never UTF-8
        {"03 e8 ed a0 80", errc::invalid_close_reason, close_code::invalid_payload},    // a surrogate
        {"03 e8 41 c0 80 42", errc::invalid_close_reason, close_code::invalid_payload}, // overlong
    };
    own_keys keys;
    for (const row& row : rows) {
        INFO(row.body);
        const byte_vector body = from_hex(row.body);
        const byte_vector masked = xored(body, peer_key);
        CHECK(parse_close_body(clear(body)).error() == row.expected);
        CHECK(make_control_reply<role::server>(opcode::close, clear(body)).error() == row.expected);
        CHECK(make_control_reply<role::server>(opcode::close, masked_bytes(masked, peer_key)).error() ==
              row.expected);
        CHECK(make_control_reply<role::client>(opcode::close, clear(body), keys).error() == row.expected);
        CHECK(close_code_for(row.expected) == row.answer);
    }
    CHECK(parse_close_body(clear({}))->code == close_code::no_status);
    CHECK(parse_close_body(clear({}))->reason.empty());
}

TEST_CASE("control frames of one's own keep the same rules", "[frame][control_reply]") {
    own_keys keys;
    CHECK(hex_of(make_ping<role::server>(bytes_of("hi"))) == "89 02 68 69");
    CHECK(hex_of(make_pong<role::server>({})) == "8a 00");
    CHECK(hex_of(make_ping<role::client>(bytes_of("hi"), keys)) == "89 82 11 22 33 44 79 4b");
    CHECK(hex_of(make_pong<role::client>({}, keys)) == "8a 80 12 22 33 44");
    CHECK(hex_of(make_close<role::server>(close_code::going_away, "so")) == "88 04 03 e9 73 6f");
    CHECK(to_hex(make_close<role::server>().bytes()) == "88 00");
    CHECK(to_hex(make_close<role::client>(keys).bytes()) == "88 80 13 22 33 44");
    CHECK(hex_of(make_close<role::client>(close_code::normal, "", keys)) == "88 82 14 22 33 44 17 ca");

    CHECK(make_close<role::server>(close_code::no_status, "").error() == errc::invalid_close_code);
    CHECK(make_close<role::server>(close_code::abnormal, "").error() == errc::invalid_close_code);
    CHECK(make_close<role::server>(close_code::normal, "\xff").error() == errc::invalid_close_reason);
    CHECK(make_close<role::server>(close_code::normal, std::string(123, 'r')));
    CHECK(make_close<role::server>(close_code::normal, std::string(300, '\xff')).error() ==
          errc::invalid_close_reason);
    CHECK(make_ping<role::server>(ramp(125)));
    CHECK(make_ping<role::server>(ramp(126)).error() == errc::control_payload_too_big);
    CHECK(make_control_reply<role::client>(opcode::ping, clear(ramp(126)), keys).error() ==
          errc::control_payload_too_big);
    CHECK(keys.next == 0x15); // what failed took no key
}

TEST_CASE("a Close knows its code though its bytes are masked; nothing else has one",
          "[frame][control_reply]") {
    own_keys keys;
    CHECK(make_close<role::server>(close_code::going_away, "so")->code() == close_code::going_away);
    CHECK(make_close<role::client>(close_code::going_away, "so", keys)->code() == close_code::going_away);
    CHECK(make_close<role::server>().code() == close_code::no_status);
    CHECK(make_close<role::client>(keys).code() == close_code::no_status);
    const byte_vector masked = xored(close_body_of(4999, "x"), peer_key);
    const auto echo = make_control_reply<role::client>(opcode::close, masked_bytes(masked, peer_key), keys);
    REQUIRE(echo);
    CHECK(echo->code() == static_cast<close_code>(4999));
    const control_frame copy = *echo;
    CHECK(copy.code() == static_cast<close_code>(4999));
    // A PING whose payload would be a code.
    CHECK(make_ping<role::server>(from_hex("03 e8"))->code() == close_code::no_status);
    CHECK(make_pong<role::client>(from_hex("03 e8"), keys)->code() == close_code::no_status);
    CHECK(control_frame().code() == close_code::no_status);
}

TEST_CASE("a reason is cut to what a Close carries, between code points", "[frame][control_reply]") {
    static_assert(max_close_reason == 123);
    CHECK(fit_close_reason("").empty());
    const std::string_view points[] = {"a", "\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x98\x80"};
    std::size_t judged = 0;
    for (const std::string_view point : points) {
        for (std::size_t ascii = 0; ascii <= 130; ++ascii) {
            std::string reason(ascii, 'x');
            while (reason.size() < 300) reason += point;
            const std::string_view fitted = fit_close_reason(reason);
            INFO(ascii << " letters, then code points of " << point.size());
            CHECK(reason.starts_with(fitted));
            CHECK(fitted.size() <= 123);
            CHECK(fitted.size() + point.size() > 123); // no more is lost than must be
            const auto close = make_close<role::server>(close_code::normal, reason);
            REQUIRE(close);
            CHECK(to_hex(close->bytes().subspan(2)) == to_hex(close_body_of(1000, fitted)));
            own_keys keys;
            const auto masked = make_close<role::client>(close_code::normal, reason, keys);
            REQUIRE(masked);
            CHECK(masked->bytes().size() == 6 + 2 + fitted.size());
            ++judged;
        }
    }
    CHECK(judged == 4 * 131);
    for (const std::size_t size : {0U, 1U, 122U, 123U}) {
        const std::string short_one(size, 'r');
        CHECK(fit_close_reason(short_one) == short_one);
    }
    std::string whole(120, 'x');
    whole += "\xe2\x82\xac"; // ends just at the limit
    CHECK(fit_close_reason(whole) == whole);
    const std::string no_text(300, '\x80');
    CHECK(fit_close_reason(no_text).size() >= 120);
}

TEST_CASE("a control frame is a small value", "[frame][control_reply]") {
    static_assert(control_frame::capacity == 131);
    static_assert(sizeof(control_frame) == 134 && std::is_trivially_copyable_v<control_frame>);
    const control_frame nothing;
    CHECK(nothing.bytes().empty());
    CHECK(nothing.op() == opcode::continuation);
    own_keys keys;
    const auto largest = make_ping<role::client>(ramp(125), keys);
    REQUIRE(largest);
    CHECK(largest->bytes().size() == 131);
    CHECK(largest->op() == opcode::ping);
    const control_frame copy = *largest;
    CHECK(to_hex(copy.bytes()) == to_hex(largest->bytes()));
    CHECK(copy.bytes().data() != largest->bytes().data());
    CHECK(make_close<role::server>().op() == opcode::close);
}
