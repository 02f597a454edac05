// Would catch: a header or a mask that RFC 6455 §5.2 does not know, forms that disagree, a byte written past
// the frame or on an error, a key that is taken for nothing, a payload that is masked where it lies, a
// container that grows to exactly its size each time.

#include <support/catch.hpp>
#include <support/exact_bytes.hpp>
#include <support/hex.hpp>

#include <wsolo/frame/encode.hpp>

#include <algorithm>
#include <string>
#include <vector>

using support::byte_vector;
using support::exact_bytes;
using support::from_hex;
using support::to_hex;
using namespace wsolo;

namespace {

/// The RFC's key, and how often it was asked for.
struct rfc_keys {
    int taken = 0;
    masking_key next_key() noexcept {
        ++taken;
        return {{std::byte{0x37}, std::byte{0xfa}, std::byte{0x21}, std::byte{0x3d}}};
    }
};

byte_vector payload_of(std::size_t size) {
    byte_vector bytes(size);
    for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<std::byte>(i * 31 + i / 256);
    return bytes;
}

/// A frame by the letter of §5.2, byte by byte.
byte_vector by_hand(unsigned first, const byte_vector& payload, bool masked) {
    byte_vector frame{static_cast<std::byte>(first)};
    const unsigned mask_bit = masked ? 0x80 : 0;
    const std::uint64_t size = payload.size();
    const unsigned field = size <= 125 ? static_cast<unsigned>(size) : size <= 0xffff ? 126 : 127;
    frame.push_back(static_cast<std::byte>(mask_bit | field));
    const int length_bytes = field == 127 ? 8 : field == 126 ? 2 : 0;
    for (int i = length_bytes - 1; i >= 0; --i) frame.push_back(static_cast<std::byte>(size >> (8 * i)));
    const masking_key key = masked ? rfc_keys().next_key() : masking_key{};
    if (masked) frame.insert(frame.end(), key.bytes.begin(), key.bytes.end());
    for (std::size_t i = 0; i < payload.size(); ++i) frame.push_back(payload[i] ^ key.bytes[i % 4]);
    return frame;
}

/// One of the four forms for a test that runs over both roles.
template <role Role, class Form>
auto with_keys(Form form, rfc_keys& keys) {
    if constexpr (masks(Role)) {
        return form(keys);
    } else {
        return form();
    }
}

constexpr std::size_t sizes[] = {0,   1,   2,   3,   15,  16,  31,   33,    124,   125,
                                 126, 127, 128, 511, 512, 513, 4000, 65535, 65536, 70000};

template <role Role>
void check_all_forms(frame_spec spec, std::size_t size) {
    INFO("payload of " << size << " bytes");
    const byte_vector payload = payload_of(size);
    const byte_vector expected = by_hand(std::to_integer<unsigned>(spec.first_byte()), payload, masks(Role));
    REQUIRE(encoded_size<Role>(size) == expected.size());
    rfc_keys keys;

    exact_bytes source{const_bytes(payload)};
    exact_bytes to(expected.size(), 3);
    const auto written = with_keys<Role>(
        [&](auto&... key) { return encode_frame<Role>(to.view(), spec, source.view(), key...); }, keys);
    REQUIRE(written);
    CHECK(*written == expected.size());
    CHECK(std::ranges::equal(to.view(), expected));
    CHECK(to.guards_stand());
    CHECK(std::ranges::equal(source.view(), payload));

    const auto owned =
        with_keys<Role>([&](auto&... key) { return make_frame<Role>(spec, source.view(), key...); }, keys);
    REQUIRE(owned);
    CHECK(std::ranges::equal(owned->bytes(), expected));

    const auto append = [&](auto& out) {
        return with_keys<Role>(
            [&](auto&... key) { return append_frame<Role>(out, spec, source.view(), key...); }, keys);
    };
    std::string text = "before";
    std::vector<unsigned char> octets{1, 2};
    byte_vector bytes;
    byte_buffer buffer;
    CHECK(append(text) == errc::none);
    CHECK(append(octets) == errc::none);
    CHECK(append(bytes) == errc::none);
    CHECK(append(buffer) == errc::none);
    CHECK(text.substr(0, 6) == "before");
    CHECK(std::ranges::equal(bytes_of(text).subspan(6), expected));
    CHECK(std::ranges::equal(std::as_bytes(std::span(octets)).subspan(2), expected));
    CHECK(bytes == expected);
    CHECK(std::ranges::equal(buffer.view(), expected));

    for (const std::size_t room : {expected.size() - size, headroom<Role>, headroom<Role> + 5}) {
        exact_bytes storage(room + size);
        std::ranges::copy(payload, storage.data() + room);
        const auto frame = with_keys<Role>(
            [&](auto&... key) { return encode_in_place<Role>(storage.view(), room, size, spec, key...); },
            keys);
        REQUIRE(frame);
        CHECK(frame->data() + frame->size() == storage.data() + room + size);
        CHECK(std::ranges::equal(*frame, expected));
        const auto unused = storage.view().first(room + size - expected.size());
        CHECK(std::ranges::all_of(unused, [](std::byte byte) { return byte == std::byte{0xa5}; }));
        CHECK(storage.guards_stand());
    }
    CHECK(keys.taken == (masks(Role) ? 9 : 0));
}

/// Asks all forms for what they must refuse, and sees that nothing happened.
template <role Role>
void check_refused(frame_spec spec, const_bytes payload, errc expected) {
    rfc_keys keys;
    exact_bytes to(200);
    const auto encoded = with_keys<Role>(
        [&](auto&... key) { return encode_frame<Role>(to.view(), spec, payload, key...); }, keys);
    CHECK(encoded.error() == expected);
    const auto in_place = with_keys<Role>(
        [&](auto&... key) { return encode_in_place<Role>(to.view(), 16, payload.size(), spec, key...); },
        keys);
    CHECK(in_place.error() == expected);
    CHECK(std::ranges::all_of(to.view(), [](std::byte byte) { return byte == std::byte{0xa5}; }));

    std::string text = "before";
    byte_buffer buffer;
    CHECK(with_keys<Role>([&](auto&... key) { return append_frame<Role>(text, spec, payload, key...); },
                          keys) == expected);
    CHECK(with_keys<Role>([&](auto&... key) { return append_frame<Role>(buffer, spec, payload, key...); },
                          keys) == expected);
    CHECK(text == "before");
    CHECK(buffer.empty());
    CHECK(with_keys<Role>([&](auto&... key) { return make_frame<Role>(spec, payload, key...); }, keys)
              .error() == expected);
    CHECK(keys.taken == 0);
}

/// A container without memory.
struct stingy : std::string {
    void resize(std::size_t) { throw std::bad_alloc(); }
    void reserve(std::size_t) { throw std::bad_alloc(); }
};

} // namespace

TEST_CASE("every form gives the frame of the RFC, for both roles", "[frame][encode]") {
    for (const std::size_t size : sizes) {
        check_all_forms<role::server>(opcode::binary, size);
        check_all_forms<role::client>(opcode::binary, size);
    }
    check_all_forms<role::server>({opcode::text, false}, 5);
    check_all_forms<role::client>({opcode::text, false, true}, 5); // an extension's bit
    check_all_forms<role::client>(opcode::continuation, 5);
    for (const opcode op : {opcode::close, opcode::ping, opcode::pong}) {
        check_all_forms<role::server>(op, 125);
        check_all_forms<role::client>(op, 0);
    }
}

TEST_CASE("the RFC's examples come out byte by byte", "[frame][encode]") {
    // RFC 6455 §5.7
    rfc_keys keys;
    const const_bytes hello = bytes_of("Hello");
    const auto server = [](frame_spec spec, const_bytes payload) {
        return to_hex(make_frame<role::server>(spec, payload)->bytes());
    };
    CHECK(server(opcode::text, hello) == "81 05 48 65 6c 6c 6f");
    CHECK(to_hex(make_frame<role::client>(opcode::text, hello, keys)->bytes()) ==
          "81 85 37 fa 21 3d 7f 9f 4d 51 58");
    CHECK(server({opcode::text, false}, bytes_of("Hel")) == "01 03 48 65 6c");
    CHECK(server(opcode::continuation, bytes_of("lo")) == "80 02 6c 6f");
    CHECK(server(opcode::ping, hello) == "89 05 48 65 6c 6c 6f");
    CHECK(to_hex(make_frame<role::client>(opcode::pong, hello, keys)->bytes()) ==
          "8a 85 37 fa 21 3d 7f 9f 4d 51 58");
    CHECK(server(opcode::binary, payload_of(256)).substr(0, 11) == "82 7e 01 00");
    CHECK(server(opcode::binary, payload_of(65536)).substr(0, 29) == "82 7f 00 00 00 00 00 01 00 00");
}

TEST_CASE("what the RFC forbids is refused, and nothing is written", "[frame][encode]") {
    const byte_vector long_payload = payload_of(126);
    const auto refused = [](frame_spec spec, const_bytes payload, errc expected) {
        check_refused<role::server>(spec, payload, expected);
        check_refused<role::client>(spec, payload, expected);
    };
    for (const opcode op : {opcode::close, opcode::ping, opcode::pong}) {
        refused(op, long_payload, errc::control_payload_too_big);            // §5.5
        refused({op, false}, bytes_of("x"), errc::fragmented_control_frame); // §5.5
        refused({op, false}, long_payload, errc::fragmented_control_frame);
    }
    refused(static_cast<opcode>(3), bytes_of("x"), errc::reserved_opcode); // §5.2
    refused(static_cast<opcode>(11), bytes_of("x"), errc::reserved_opcode);
    for (const opcode op : {opcode::continuation, opcode::close, opcode::ping, opcode::pong}) {
        INFO(to_string(op));
        refused({op, true, true}, bytes_of("xy"), errc::reserved_bits_set); // RFC 7692 §6.1
    }
    refused({opcode::continuation, false, true}, bytes_of("x"), errc::reserved_bits_set);
}

TEST_CASE("a span that no memory can hold is refused before its size is added to anything",
          "[frame][encode]") {
    const std::byte nothing{};
    constexpr std::size_t half = SIZE_MAX / 2;
    // 14 bytes of header would make the last ones wrap on a machine of 32 bits
    for (const std::size_t size : {half - 13, half, half + 1, SIZE_MAX - 14, SIZE_MAX - 3, SIZE_MAX}) {
        INFO(size);
        const const_bytes endless(&nothing, size); // never looked at
        const errc expected = size > max_payload_size ? errc::payload_too_big : errc::out_of_memory; // §5.2
        for (const opcode op : {opcode::text, opcode::binary, opcode::continuation}) {
            check_refused<role::server>(op, endless, expected);
            check_refused<role::client>(op, endless, expected);
        }
        check_refused<role::server>(opcode::close, endless, errc::control_payload_too_big);
    }
    CHECK(encoded_size<role::client>(SIZE_MAX - 14) == SIZE_MAX);
    CHECK(encoded_size<role::client>(SIZE_MAX) == SIZE_MAX);
    CHECK(encoded_size<role::server>(SIZE_MAX) == SIZE_MAX);
}

TEST_CASE("a destination that is a byte too small is left alone", "[frame][encode]") {
    rfc_keys keys;
    for (const std::size_t size : {0U, 5U, 125U, 126U, 70000U}) {
        INFO(size);
        const byte_vector payload = payload_of(size);
        exact_bytes server(encoded_size<role::server>(size) - 1);
        exact_bytes client(encoded_size<role::client>(size) - 1);
        CHECK(encode_frame<role::server>(server.view(), opcode::binary, payload).error() ==
              errc::buffer_too_small);
        CHECK(encode_frame<role::client>(client.view(), opcode::binary, payload, keys).error() ==
              errc::buffer_too_small);
        const auto untouched = [](std::byte byte) { return byte == std::byte{0xa5}; };
        CHECK(std::ranges::all_of(server.view(), untouched));
        CHECK(std::ranges::all_of(client.view(), untouched));
    }
    CHECK(keys.taken == 0);
}

TEST_CASE("in place, header and payload must both lie in the storage", "[frame][encode]") {
    exact_bytes storage(100);
    rfc_keys keys;
    const auto server = [&](std::size_t offset, std::size_t size) {
        return encode_in_place<role::server>(storage.view(), offset, size, opcode::text).error();
    };
    const auto client = [&](std::size_t offset, std::size_t size) {
        return encode_in_place<role::client>(storage.view(), offset, size, opcode::text, keys).error();
    };
    CHECK(server(1, 5) == errc::buffer_too_small);
    CHECK(client(5, 5) == errc::buffer_too_small);
    CHECK(server(10, 91) == errc::buffer_too_small);
    CHECK(server(101, 0) == errc::buffer_too_small);
    CHECK(client(50, SIZE_MAX / 2 - max_header_size) == errc::buffer_too_small);
    CHECK(std::ranges::all_of(storage.view(), [](std::byte byte) { return byte == std::byte{0xa5}; }));
    CHECK(keys.taken == 0);
    CHECK(server(2, 5) == errc::none);
    CHECK(client(6, 5) == errc::none);
    CHECK(server(10, 90) == errc::none);
    CHECK(server(100, 0) == errc::none);
    CHECK(headroom<role::server> == 10);
    CHECK(headroom<role::client> == 14);
}

TEST_CASE("no memory is an answer", "[frame][encode]") {
    rfc_keys keys;
    stingy none;
    CHECK(append_frame<role::server>(none, opcode::text, bytes_of("x")) == errc::out_of_memory);
    CHECK(append_frame<role::server>(none, opcode::text, payload_of(5000)) == errc::out_of_memory);
    CHECK(append_frame<role::client>(none, opcode::text, payload_of(5000), keys) == errc::out_of_memory);
    CHECK(none.empty());
    CHECK(keys.taken == 0);
    if constexpr (sizeof(std::size_t) >= 8) { // where half of the address space can't be had
        const std::byte nothing{};
        const const_bytes endless(&nothing, SIZE_MAX / 2 - max_header_size); // never looked at
        byte_buffer buffer;
        CHECK(append_frame<role::server>(buffer, opcode::binary, endless) == errc::out_of_memory);
        CHECK(buffer.empty());
        CHECK(make_frame<role::server>(opcode::binary, endless).error() == errc::out_of_memory);
        CHECK(make_frame<role::client>(opcode::binary, endless, keys).error() == errc::out_of_memory);
    }
    CHECK(keys.taken == 0);
}

TEST_CASE("a container that is appended to grows geometrically", "[frame][encode]") {
    std::vector<char> out;
    const byte_vector payload = payload_of(1000);
    std::size_t capacity = 0;
    int moves = 0;
    for (int i = 0; i < 1000; ++i) {
        REQUIRE(append_frame<role::server>(out, opcode::binary, payload) == errc::none);
        if (out.capacity() != capacity) ++moves;
        capacity = out.capacity();
    }
    CHECK(out.size() == 1000 * 1004);
    CHECK(moves < 20);
}

TEST_CASE("a frame in memory of its own moves", "[frame][encode]") {
    static_assert(!std::is_copy_constructible_v<owned_frame>);
    CHECK(owned_frame().bytes().empty());
    auto made = make_frame<role::server>(opcode::text, bytes_of("Hello"));
    REQUIRE(made);
    const auto* before = made->bytes().data();
    const owned_frame moved = std::move(*made);
    CHECK(moved.bytes().data() == before);
    CHECK(moved.bytes().size() == 7);
}

TEST_CASE("a specification is an opcode with what is said about it", "[frame][encode]") {
    CHECK(frame_spec(opcode::text).first_byte() == std::byte{0x81});
    CHECK(frame_spec(opcode::text, false).first_byte() == std::byte{0x01});
    CHECK(frame_spec(opcode::binary, true, true).first_byte() == std::byte{0xc2});
    CHECK(frame_spec(opcode::pong, true).op() == opcode::pong);
    static_assert(sizeof(frame_spec) == 1);
}
