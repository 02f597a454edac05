// Would catch: a side of the wrong role, a server that takes a key, a client that reuses one, or copies a source that it
// was to refer to.

#include <support/catch.hpp>

#include <wsolo/core/side.hpp>

namespace {

struct counted_keys {
    unsigned taken = 0;
    wsolo::masking_key next_key() noexcept {
        wsolo::masking_key key;
        for (std::byte& each : key.bytes) each = static_cast<std::byte>(++taken);
        return key;
    }
};

unsigned first_byte(const wsolo::masking_key& key) { return std::to_integer<unsigned>(key.bytes[0]); }

} // namespace

TEST_CASE("a side knows its role, and a server has nothing else", "[core][side]") {
    STATIC_REQUIRE(wsolo::server_side::self == wsolo::role::server);
    STATIC_REQUIRE(wsolo::client_side<>::self == wsolo::role::client);
    STATIC_REQUIRE(std::is_empty_v<wsolo::server_side>);
    STATIC_REQUIRE(std::is_same_v<wsolo::default_side<wsolo::role::server>, wsolo::server_side>);
    STATIC_REQUIRE(std::is_same_v<wsolo::default_side<wsolo::role::client>, wsolo::client_side<>>);
    wsolo::server_side server;
    CHECK(server.with_keys([](auto&... keys) { return sizeof...(keys); }) == 0);
    CHECK(server.for_one_frame().with_keys([](auto&... keys) { return sizeof...(keys); }) == 0);
}

TEST_CASE("a client gives its one source, owned or referred to", "[core][side]") {
    wsolo::client_side<counted_keys> owning{counted_keys{}};
    const auto next = [](auto& keys) { return first_byte(keys.next_key()); };
    CHECK(owning.with_keys(next) == 1);
    CHECK(owning.with_keys(next) == 5);

    counted_keys keys;
    wsolo::client_side<counted_keys&> referring(keys);
    CHECK(referring.with_keys(next) == 1);
    CHECK(keys.taken == 4);
}

TEST_CASE("a client's side for one frame takes one key along", "[core][side]") {
    wsolo::client_side<counted_keys> side{counted_keys{}};
    auto first = side.for_one_frame();
    auto second = side.for_one_frame();
    const auto next = [](auto& keys) { return first_byte(keys.next_key()); };
    CHECK(second.with_keys(next) == 5);
    CHECK(first.with_keys(next) == 1);
    CHECK(side.with_keys(next) == 9);
}

TEST_CASE("the default client's keys differ from each other", "[core][side]") {
    wsolo::client_side<> side;
    const auto next = [](auto& keys) { return keys.next_key(); };
    CHECK(side.with_keys(next).bytes != side.with_keys(next).bytes);
}
