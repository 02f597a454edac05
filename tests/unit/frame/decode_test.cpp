// Would catch: a split of the input that changes frames, payload, error or the byte at which the error is
// found; a rule that one role does not apply; a read or write beyond the input; a payload unmasked twice,
// with the wrong phase, or not at all; an announced length that is believed; an error that can be got over.

#include <support/catch.hpp>
#include <support/decode_trace.hpp>

#include <utility>

using namespace wsolo;
using support::byte_vector;
using support::decode;
using support::decode_every_way;
using support::from_hex;
using support::seen_frame;
using support::trace;
using support::wire;

namespace {

template <role Receiver>
void check_stream() {
    wire stream(peer_of(Receiver));
    stream.frame(0x81, 5).frame(0x89, 0).frame(0x01, 0).frame(0x8a, 125).frame(0x00, 1).frame(0x80, 33);
    stream.frame(0x82, 125).frame(0x82, 126).frame(0x82, 0).frame(0x88, 2);
    const trace seen = decode_every_way<Receiver>(stream.bytes());
    CHECK(seen.error == errc::none);
    CHECK(seen.at_boundary);
    CHECK(seen.consumed == stream.bytes().size());
    const std::vector<std::pair<unsigned, std::size_t>> expected{
        {0x81, 5},  {0x89, 0},   {0x01, 0},   {0x8a, 125}, {0x00, 1},
        {0x80, 33}, {0x82, 125}, {0x82, 126}, {0x82, 0},   {0x88, 2}};
    REQUIRE(seen.frames.size() == expected.size());
    for (std::size_t i = 0; i < expected.size(); ++i) {
        INFO("frame " << i);
        const auto& [first, size] = expected[i];
        const seen_frame& frame = seen.frames[i];
        CHECK(detail::first_byte(frame.header) == static_cast<std::byte>(first));
        CHECK(frame.header.masked == masks(peer_of(Receiver)));
        CHECK(frame.header.payload_size == size);
        CHECK(frame.ended);
        REQUIRE(frame.payload.size() == size);
        for (std::size_t at = 0; at < size; ++at) {
            if (frame.payload[at] != static_cast<std::byte>(at * 7 + first + i + 1))
                FAIL("payload byte " << at);
        }
    }
}

} // namespace

TEST_CASE("every split of a stream gives the same frames", "[frame][decode]") {
    SECTION("a server reads") { check_stream<role::server>(); }
    SECTION("a client reads") { check_stream<role::client>(); }
}

TEST_CASE("large frames arrive whole or in parts", "[frame][decode]") {
    for (const std::size_t size : {65535U, 65536U, 200000U}) {
        wire to_server(role::client);
        wire to_client(role::server);
        to_server.frame(0x82, size).frame(0x81, 3);
        to_client.frame(0x82, size).frame(0x81, 3);
        const trace whole = decode<role::server>(to_server.bytes(), {});
        REQUIRE(whole.frames.size() == 2);
        CHECK(whole.frames[0].payload == decode<role::client>(to_client.bytes(), {}).frames[0].payload);
        for (const std::size_t cut : {10U, 13U, 14U, 15U, 4097U, 65500U}) {
            CHECK(decode<role::server>(to_server.bytes(), {cut}) == whole);
            CHECK(decode<role::server>(to_server.bytes(), {cut, cut + 1, cut + 40}, 5000) == whole);
        }
    }
}

TEST_CASE("the RFC's examples are read", "[frame][decode]") {
    // RFC 6455 §5.7
    const auto texts = [](const trace& seen) {
        std::string all;
        for (const seen_frame& frame : seen.frames) {
            all += std::string(to_string(frame.header.op)) + (frame.header.fin ? "=" : "+") +
                   std::string(text_of(frame.payload)) + " ";
        }
        return all;
    };
    CHECK(texts(decode_every_way<role::client>(from_hex("81 05 48 65 6c 6c 6f"))) == "text=Hello ");
    CHECK(texts(decode_every_way<role::server>(from_hex("81 85 37 fa 21 3d 7f 9f 4d 51 58"))) ==
          "text=Hello ");
    CHECK(texts(decode_every_way<role::client>(from_hex("01 03 48 65 6c 80 02 6c 6f"))) ==
          "text+Hel continuation=lo ");
    CHECK(texts(decode_every_way<role::client>(from_hex("89 05 48 65 6c 6c 6f"))) == "ping=Hello ");
    CHECK(texts(decode_every_way<role::server>(from_hex("8a 85 37 fa 21 3d 7f 9f 4d 51 58"))) ==
          "pong=Hello ");
    byte_vector long_one = from_hex("82 7e 01 00");
    long_one.resize(4 + 256);
    CHECK(decode<role::client>(long_one, {}).frames.at(0).payload.size() == 256);
    byte_vector longer_one = from_hex("82 7f 00 00 00 00 00 01 00 00");
    longer_one.resize(10 + 65536);
    CHECK(decode<role::client>(longer_one, {}).frames.at(0).payload.size() == 65536);
}

TEST_CASE("an error is final", "[frame][decode]") {
    frame_decoder<role::client> decoder;
    byte_vector bad = from_hex("83 00");
    mutable_bytes input(bad);
    CHECK(decoder.next(input).error == errc::reserved_opcode);
    CHECK_FALSE(decoder.at_boundary());
    byte_vector good = from_hex("81 01 41");
    input = good;
    for (int i = 0; i < 3; ++i) {
        const decoded part = decoder.next(input);
        CHECK(part.status == decode_status::failed);
        CHECK(part.error == errc::reserved_opcode);
        CHECK(part.payload.empty());
    }
    CHECK(input.size() == 3);
    const_bytes read_only(good);
    byte_vector space(10);
    mutable_bytes to(space);
    CHECK(decoder.next_copying(read_only, to).error == errc::reserved_opcode);
    input = {};
    CHECK(decoder.next(input).status == decode_status::failed);
}

TEST_CASE("the frame limit is for data, and exact", "[frame][decode]") {
    const frame_limits limits{.max_frame_size = 10};
    for (const std::size_t size : {9U, 10U, 11U}) {
        wire to_server(role::client);
        to_server.frame(0x89, 100).frame(0x82, size);
        const trace seen = decode_every_way<role::server>(to_server.bytes(), limits);
        CHECK(seen.error == (size > 10 ? errc::frame_too_big : errc::none));
        CHECK(seen.frames.size() == (size > 10 ? 1 : 2));
        if (size > 10) CHECK(seen.consumed == 6 + 100 + 2); // before the key has come
    }
}

TEST_CASE("a negotiated reserved bit is let through, and said", "[frame][decode]") {
    wire stream(role::server);
    stream.frame(0xc1, 4).frame(0x81, 4);
    const trace seen = decode_every_way<role::client>(stream.bytes(), {}, rsv1_bit);
    REQUIRE(seen.frames.size() == 2);
    CHECK(seen.frames[0].header.rsv1);
    CHECK_FALSE(seen.frames[1].header.rsv1);
    wire other(role::server);
    other.frame(0xa1, 4);
    CHECK(decode_every_way<role::client>(other.bytes(), {}, rsv1_bit).error == errc::reserved_bits_set);
}

TEST_CASE("a frame begins as soon as its header is complete", "[frame][decode]") {
    frame_decoder<role::server> decoder;
    CHECK(decoder.at_boundary());
    wire stream(role::client);
    stream.frame(0x81, 3);
    byte_vector bytes = stream.bytes();
    mutable_bytes input = mutable_bytes(bytes).first(5);
    CHECK(decoder.next(input).status == decode_status::need_more);
    CHECK_FALSE(decoder.at_boundary());
    input = mutable_bytes(bytes).subspan(5, 1);
    const decoded part = decoder.next(input);
    CHECK(part.status == decode_status::part);
    CHECK(part.begins);
    CHECK_FALSE(part.ends);
    CHECK(part.payload.empty());
    CHECK(decoder.header().payload_size == 3);
    CHECK(decoder.payload_size() == 3);
    CHECK(decoder.first_byte() == std::byte{0x81});
    CHECK(decoder.key() == decoder.header().key);
    CHECK(decoder.remaining() == 3);
    CHECK(decoder.position() == 0);
    CHECK(decoder.next(input).status == decode_status::need_more);
    input = mutable_bytes(bytes).subspan(6);
    const decoded rest = decoder.next(input);
    CHECK_FALSE(rest.begins);
    CHECK(rest.ends);
    CHECK(rest.unmasked().bytes().data() == bytes.data() + 6);
    CHECK(decoder.at_boundary());
}

TEST_CASE("a full destination is not an end", "[frame][decode]") {
    frame_decoder<role::server> decoder;
    wire stream(role::client);
    stream.frame(0x82, 10);
    const_bytes input(stream.bytes());
    byte_vector space(4);
    mutable_bytes to(space);
    CHECK(decoder.next_copying(input, to).payload.size() == 4);
    const decoded full = decoder.next_copying(input, to);
    CHECK(full.status == decode_status::need_more);
    CHECK(input.size() == 6);
    to = space;
    CHECK(decoder.next_copying(input, to).payload.size() == 4);
    to = space;
    CHECK(decoder.next_copying(input, to).ends);
}

TEST_CASE("an announced length costs nothing", "[frame][decode]") {
    static_assert(sizeof(frame_decoder<role::server>) == 48, "an idle connection holds one of these");
    static_assert(std::is_trivially_destructible_v<frame_decoder<role::server>>, "nothing is allocated");
    frame_decoder<role::client> decoder(frame_limits{.max_frame_size = UINT64_MAX});
    byte_vector bytes = from_hex("82 7f 7f ff ff ff ff ff ff ff 01 02");
    mutable_bytes input(bytes);
    const decoded part = decoder.next(input);
    CHECK(part.payload.size() == 2);
    CHECK_FALSE(part.ends);
    CHECK(decoder.remaining() == max_payload_size - 2);
}

namespace {

/// A caller that knows what came before: no binary message now, and at most three bytes.
struct strict_rules {
    static constexpr errc check_first(std::byte first) noexcept {
        return first == std::byte{0x82} ? errc::expected_continuation : errc::none;
    }
    static constexpr errc check_size(std::byte, std::uint64_t least) noexcept {
        return least > 3 ? errc::message_too_big : errc::none;
    }
};

/// The error, and the bytes that it took; `step` bytes at a time.
std::pair<errc, std::size_t> judged(std::vector<std::byte> bytes, std::size_t step) {
    frame_decoder<role::client> decoder;
    std::size_t taken = 0;
    while (taken < bytes.size()) {
        const std::size_t count = std::min(step, bytes.size() - taken);
        mutable_bytes input(bytes.data() + taken, count);
        while (true) {
            const decoded part = decoder.next_masked(input, strict_rules());
            if (part.status == decode_status::failed) return {part.error, taken + count - input.size()};
            if (part.status == decode_status::need_more) break;
        }
        taken += count;
    }
    return {errc::none, taken};
}

} // namespace

TEST_CASE("a caller's own rules are judged at the byte that breaks them too", "[frame][decode]") {
    for (const std::size_t step : {1U, 2U, 3U, 100U}) {
        INFO(step);
        CHECK(judged(support::from_hex("81 03 61 62 63 89 04 70 69 6e 67"), step) ==
              std::pair(errc::none, std::size_t{11})); // control frames are not asked about
        CHECK(judged(support::from_hex("81 01 61 82 01 62"), step) ==
              std::pair(errc::expected_continuation, std::size_t{4}));
        CHECK(judged(support::from_hex("81 04 61 62 63 64"), step) ==
              std::pair(errc::message_too_big, std::size_t{2}));
        CHECK(judged(support::from_hex("01 7f 00 00 00 00 00 01 00 00 61"), step) ==
              std::pair(errc::message_too_big, std::size_t{8}));
    }
}
