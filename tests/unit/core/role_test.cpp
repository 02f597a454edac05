// Would catch: the two roles exchanged, which every masking rule builds upon.

#include <support/catch.hpp>

#include <wsolo/core/role.hpp>

TEST_CASE("clients mask, servers do not", "[core][role]") { // RFC 6455 §5.1
    STATIC_REQUIRE(wsolo::masks(wsolo::role::client));
    STATIC_REQUIRE_FALSE(wsolo::masks(wsolo::role::server));
    STATIC_REQUIRE(wsolo::peer_of(wsolo::role::client) == wsolo::role::server);
    STATIC_REQUIRE(wsolo::peer_of(wsolo::role::server) == wsolo::role::client);
}
