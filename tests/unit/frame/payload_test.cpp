// Would catch: a conversion between masked and unmasked payloads, or from a plain span into either, that the
// compiler lets pass; a view that does not say what it was given.

#include <support/catch.hpp>
#include <support/hex.hpp>

#include <wsolo/frame/control_reply.hpp>
#include <wsolo/frame/payload.hpp>

#include <type_traits>

using wsolo::const_bytes;
using wsolo::masked_bytes;
using wsolo::masking_key;
using wsolo::mutable_bytes;
using wsolo::opcode;
using wsolo::random_keys;
using wsolo::role;
using wsolo::unmasked_bytes;

namespace {

static_assert(!std::is_convertible_v<masked_bytes, unmasked_bytes> &&
              !std::is_constructible_v<unmasked_bytes, masked_bytes>);
static_assert(!std::is_convertible_v<unmasked_bytes, masked_bytes> &&
              !std::is_constructible_v<masked_bytes, unmasked_bytes> &&
              !std::is_constructible_v<masked_bytes, unmasked_bytes, masking_key>);
static_assert(!std::is_convertible_v<masked_bytes, const_bytes> &&
              !std::is_convertible_v<unmasked_bytes, const_bytes>);
static_assert(!std::is_convertible_v<const_bytes, unmasked_bytes> &&
              !std::is_convertible_v<mutable_bytes, unmasked_bytes>);
static_assert(!std::is_constructible_v<masked_bytes, const_bytes>,
              "masked bytes without their key are noise");

template <class Payload>
concept server_replies_to =
    requires(Payload payload) { wsolo::make_control_reply<role::server>(opcode::ping, payload); };
template <class Payload>
concept client_replies_to = requires(Payload payload, random_keys& keys) {
    wsolo::make_control_reply<role::client>(opcode::ping, payload, keys);
};
template <class Payload>
concept client_replies_without_key_to =
    requires(Payload payload) { wsolo::make_control_reply<role::client>(opcode::ping, payload); };
template <class Payload>
concept server_masks = requires(Payload payload, random_keys& keys) {
    wsolo::make_control_reply<role::server>(opcode::ping, payload, keys);
};

static_assert(server_replies_to<unmasked_bytes> && server_replies_to<masked_bytes>);
static_assert(client_replies_to<unmasked_bytes> && client_replies_to<masked_bytes>);
static_assert(!server_replies_to<const_bytes> && !server_replies_to<mutable_bytes>,
              "a span does not say whether it is masked");
static_assert(!client_replies_to<const_bytes> && !client_replies_to<mutable_bytes>);
static_assert(!client_replies_without_key_to<unmasked_bytes>, "a client can't send an unmasked frame");
static_assert(!server_masks<unmasked_bytes>, "a server can't send a masked frame");

} // namespace

TEST_CASE("payload views hold what they were given", "[frame][payload]") {
    const auto bytes = support::from_hex("01 02 03");
    const masking_key key{{std::byte{1}, std::byte{2}, std::byte{3}, std::byte{4}}};
    CHECK(unmasked_bytes().bytes().empty());
    CHECK(unmasked_bytes(const_bytes(bytes)).bytes().data() == bytes.data());
    const masked_bytes masked(bytes, key);
    CHECK(masked.masked().data() == bytes.data());
    CHECK(masked.masked().size() == 3);
    CHECK(masked.key() == key);
}
