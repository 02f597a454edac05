// Would catch: a frame made in place that copies, starts at the wrong byte, masks twice or not at all, takes a buffer over
// that it refused, or keeps memory in reserve.

#include <support/catch.hpp>
#include <support/strict_parser.hpp>

#include <wsolo/frame/encode.hpp>

#include <cstring>
#include <string>

using wsolo::byte_buffer;
using wsolo::errc;
using wsolo::opcode;
using wsolo::role;

namespace {

/// Keys that repeat from run to run; not zero.
struct counted_keys {
    unsigned taken = 0;
    wsolo::masking_key next_key() noexcept {
        ++taken;
        wsolo::masking_key key;
        for (unsigned i = 0; i < 4; ++i) key.bytes[i] = static_cast<std::byte>(0x51U + 37U * i + taken);
        return key;
    }
};

/// `payload` after `offset` bytes of headroom, with memory in reserve.
byte_buffer with_headroom(std::size_t offset, const std::string& payload) {
    byte_buffer storage;
    REQUIRE(storage.reserve(offset + payload.size() + 5000));
    std::byte* to = storage.extend(offset + payload.size());
    REQUIRE(to != nullptr);
    std::memset(to, 0xa5, offset);
    std::memcpy(to + offset, payload.data(), payload.size());
    return storage;
}

template <role Role, class... Keys>
void check_payload(std::size_t offset, const std::string& payload, Keys&... keys) {
    CAPTURE(offset, payload.size());
    byte_buffer storage = with_headroom(offset, payload);
    storage.shrink(); // so that it may not move below
    const std::byte* const at = storage.data() + offset;
    const auto frame = wsolo::make_frame_in_place<Role>(std::move(storage), offset, opcode::binary, keys...);
    REQUIRE(frame);
    const wsolo::const_bytes bytes = frame->bytes();
    CHECK(bytes.data() + bytes.size() == at + payload.size()); // where it lay
    const strict::stream seen = strict::parse(wsolo::text_of(bytes), wsolo::masks(Role));
    CHECK(seen.error.empty());
    CHECK(seen.rest == 0);
    REQUIRE(seen.frames.size() == 1);
    CHECK(seen.frames[0].payload == payload);
}

} // namespace

TEST_CASE("a payload's own memory becomes the frame's", "[frame][encode]") {
    counted_keys keys;
    for (const std::size_t size : {0U, 1U, 125U, 126U, 65535U, 65536U}) {
        const std::string payload(size, 'p');
        for (const std::size_t spare : {0U, 1U, 7U}) {
            check_payload<role::server>(wsolo::header_size(size, false) + spare, payload);
            check_payload<role::client>(wsolo::header_size(size, true) + spare, payload, keys);
        }
    }
    CHECK(keys.taken == 18);
}

TEST_CASE("a buffer without the headroom stays the caller's", "[frame][encode]") {
    counted_keys keys;
    byte_buffer storage = with_headroom(3, std::string(126, 'p')); // 4 and 8 are needed
    const auto server = wsolo::make_frame_in_place<role::server>(std::move(storage), 3, opcode::text);
    CHECK(server.error() == errc::buffer_too_small);
    const auto client = wsolo::make_frame_in_place<role::client>(std::move(storage), 3, opcode::text, keys);
    CHECK(client.error() == errc::buffer_too_small);
    const auto beyond = wsolo::make_frame_in_place<role::server>(std::move(storage), 500, opcode::text);
    CHECK(beyond.error() == errc::buffer_too_small);
    const auto control = wsolo::make_frame_in_place<role::server>(std::move(storage), 3, opcode::ping);
    CHECK(control.error() == errc::control_payload_too_big);
    CHECK(keys.taken == 0);
    REQUIRE(storage.size() == 129); // NOLINT(bugprone-use-after-move): that is the point
    CHECK(std::to_integer<int>(storage.view()[2]) == 0xa5);
    CHECK(wsolo::text_of(storage.view()).substr(3) == std::string(126, 'p'));
}

TEST_CASE("a frame that was moved from is empty, wherever it began", "[frame][encode]") {
    byte_buffer storage = with_headroom(20, std::string(50, 'p'));
    auto made = wsolo::make_frame_in_place<role::server>(std::move(storage), 20, opcode::binary);
    REQUIRE(made);
    wsolo::owned_frame first = std::move(*made);
    CHECK(made->bytes().empty()); // NOLINT(bugprone-use-after-move): that is the point
    CHECK(first.bytes().size() == 52);
    wsolo::owned_frame second;
    second = std::move(first);
    CHECK(first.bytes().empty()); // NOLINT(bugprone-use-after-move)
    CHECK(second.bytes().size() == 52);
    second = {};
    CHECK(second.bytes().empty());
}

TEST_CASE("a payload that is copied in pieces arrives whole", "[frame][encode]") {
    constexpr std::size_t from_here = wsolo::detail::copied_in_pieces, piece = wsolo::detail::copied_piece;
    for (const std::size_t size : {from_here - 1, from_here, from_here + 1, from_here + piece - 1,
                                   from_here + piece, from_here + piece + 1}) {
        std::string payload(size, '\0');
        for (std::size_t i = 0; i < size; ++i) payload[i] = static_cast<char>((i * 2654435761U) >> 13);
        std::string to(wsolo::encoded_size<wsolo::role::server>(size) + 1, '#');
        const auto room = std::as_writable_bytes(std::span(to)).first(to.size() - 1);
        const auto written =
            wsolo::encode_frame<wsolo::role::server>(room, wsolo::opcode::binary, wsolo::bytes_of(payload));
        REQUIRE(written);
        CHECK(*written == room.size());
        CHECK(std::string_view(to).substr(to.size() - 1 - size, size) == payload);
        CHECK(to.back() == '#');
    }
}
