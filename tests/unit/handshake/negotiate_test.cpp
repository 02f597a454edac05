// Would catch: a subprotocol chosen that was not offered, the server's order taken for the client's, a hook
// that is asked after it said yes, an origin check that a prefix or a missing Origin passes, or
// that a default port, said or not, fails.

#include <support/catch.hpp>
#include <support/handshake.hpp>

#include <wsolo/handshake/negotiate.hpp>
#include <wsolo/handshake/server.hpp>

using namespace handshake_samples;
using wsolo::errc;
using wsolo::server_handshake;

namespace {

server_handshake accepted(const head& request) {
    server_handshake handshake;
    REQUIRE(feed_whole(handshake, request.text()).status == wsolo::handshake_status::complete);
    return handshake;
}

} // namespace

TEST_CASE("the client's first choice that the server speaks", "[handshake][negotiate]") {
    const server_handshake handshake = accepted(
        rfc_request().replace("Sec-WebSocket-Protocol", "v3, v2").with("Sec-WebSocket-Protocol", "v1"));
    const wsolo::upgrade_request request = handshake.request();
    CHECK(wsolo::choose_subprotocol(request, {"v1", "v2"}) ==
          "v2"); // RFC 6455 §11.3.4: in order of preference
    CHECK(wsolo::choose_subprotocol(request, {"v1"}) == "v1");
    CHECK(wsolo::choose_subprotocol(request, {"V3", "v", "v30", "v4", ""}).empty());
    CHECK(wsolo::choose_subprotocol(request, {}).empty());
    const std::string_view supported[] = {"v3"};
    CHECK(wsolo::choose_subprotocol(request, std::span<const std::string_view>(supported)) == "v3");
    const server_handshake silent = accepted(rfc_request().without("Sec-WebSocket-Protocol"));
    CHECK(wsolo::choose_subprotocol(silent.request(), {"v1"}).empty());
}

TEST_CASE("extensions are shown one by one until one is taken", "[handshake][negotiate]") {
    const server_handshake handshake = accepted(rfc_request()
                                                    .with("Sec-WebSocket-Extensions", "x-a; n=1, x-a; n=2")
                                                    .with("Sec-WebSocket-Extensions", "x-b"));
    std::string seen;
    const auto take_second = [&](const wsolo::extension& offer) -> std::string_view {
        seen += std::string(offer.text()) + "|";
        const auto n = offer.param("n");
        return n && n->value == "2" ? "x-a; n=2" : "";
    };
    CHECK(wsolo::choose_extension(handshake.request(), take_second) == "x-a; n=2");
    CHECK(seen == "x-a; n=1|x-a; n=2|");
    seen.clear();
    CHECK(wsolo::choose_extension(handshake.request(), [&](const wsolo::extension& offer) {
              seen += offer.name();
              return std::string_view();
          }).empty());
    CHECK(seen == "x-ax-ax-b");
}

namespace {

template <class Text>
struct hook_giving {
    Text operator()(const wsolo::extension& offer) const { return Text(offer.text()); }
};

template <class Hook>
concept usable_hook =
    requires(const wsolo::upgrade_request& request, Hook hook) { wsolo::choose_extension(request, hook); };

// A string that dies before its text is written does not compile.
static_assert(usable_hook<hook_giving<std::string_view>>);
static_assert(!usable_hook<hook_giving<std::string>>);

} // namespace

TEST_CASE("the origin is the caller's to allow", "[handshake][negotiate]") {
    const server_handshake handshake = accepted(rfc_request());
    const server_handshake without = accepted(rfc_request().without("Origin"));
    const auto only_example = [](std::optional<std::string_view> origin) {
        return origin == "http://example.com";
    };
    CHECK(wsolo::check_origin(handshake.request(), only_example) == errc::none);
    CHECK(wsolo::check_origin(without.request(), only_example) == errc::handshake_origin_refused);
    CHECK(wsolo::check_origin(handshake.request(), [](auto) { return false; }) ==
          errc::handshake_origin_refused);
}

TEST_CASE("the same origin is the host that was asked", "[handshake][negotiate]") {
    struct row {
        const char* origin;
        const char* host;
        bool same;
    };
    const row rows[] = {
        {"http://example.com", "example.com", true},
        {"https://EXAMPLE.com", "example.COM", true},
        {"https://example.com:8443", "example.com:8443", true},
        {"https://[::1]:9001", "[::1]:9001", true},
        {"https://example.com:8443", "example.com", false},
        {"https://example.com.evil.test", "example.com", false},
        {"https://evil.test", "example.com", false},
        {"https://example.com", "example.com.evil.test", false},
        // RFC 6454 §4: a port that is not said is the scheme's
        {"https://example.com", "example.com:443", true},
        {"https://example.com:443", "example.com", true},
        {"http://[::1]", "[::1]:80", true},
        {"http://example.com:80", "example.com:", true},
        {"http://example.com:080", "example.com", true},
        {"http://example.com", "example.com:443", false},
        {"https://example.com", "example.com:80", false},
        {"https://example.com:80", "example.com", false},
        {"chrome-extension://abc", "abc", true},
        {"chrome-extension://abc", "abc:80", false},
        {"http://example.com:65616", "example.com", false}, // 80 in 16 bits
        {"http://example.com:4294967376", "example.com:80", false},
        {"https://example.com/", "example.com", false},
        {"https://u@example.com", "example.com", false},
        {"http://[::1]", "[::2]", false},
        {"null", "null", false},
        {"example.com", "example.com", false},
        {"", "example.com", false},
    };
    for (const row& each : rows) {
        INFO(each.origin << " at " << each.host);
        const server_handshake handshake =
            accepted(rfc_request().replace("Origin", each.origin).replace("Host", each.host));
        CHECK(wsolo::is_same_origin(handshake.request()) == each.same);
    }
    CHECK_FALSE(wsolo::is_same_origin(accepted(rfc_request().without("Origin")).request()));
    const head nowhere = head("GET / HTTP/1.0").with("Origin", "http://a"); // HTTP/1.0 needs no Host
    CHECK_FALSE(wsolo::is_same_origin(accepted(nowhere).request()));
}
