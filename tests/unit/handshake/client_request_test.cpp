// Would catch: a request that the RFC does not know, an argument that injects a line or a second request, a
// subprotocol offered twice, a request that our own strict server refuses.

#include <support/catch.hpp>
#include <support/handshake.hpp>

#include <wsolo/handshake/client_request.hpp>
#include <wsolo/handshake/server.hpp>

using namespace handshake_samples;
using wsolo::client_request;
using wsolo::errc;

namespace {

const wsolo::client_key key = [] {
    std::array<std::byte, 16> nonce{};
    const std::string_view sample = "the sample nonce"; // RFC 6455 §1.3
    for (std::size_t i = 0; i < nonce.size(); ++i) nonce[i] = static_cast<std::byte>(sample[i]);
    return wsolo::make_client_key(nonce);
}();

errc error_of(const client_request& request) {
    std::string out = "kept";
    const errc error = wsolo::append_client_request(out, request, key);
    CHECK((out == "kept") == (error != errc::none));
    std::byte room[1024];
    CHECK(wsolo::write_client_request(room, request, key).error() == error);
    return error;
}

} // namespace

TEST_CASE("the request of RFC 6455 §1.2, its fields in our order", "[handshake][client_request]") {
    const wsolo::header_field headers[] = {{"Cookie", "a=b"}};
    const client_request request{.host = "server.example.com",
                                 .target = "/chat",
                                 .origin = "http://example.com",
                                 .subprotocols = "chat, superchat",
                                 .extensions = "x-a; p=1",
                                 .headers = headers};
    const std::string expected = head("GET /chat HTTP/1.1")
                                     .with("Host", "server.example.com")
                                     .with("Upgrade", "websocket")
                                     .with("Connection", "Upgrade")
                                     .with("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==")
                                     .with("Sec-WebSocket-Version", "13")
                                     .with("Origin", "http://example.com")
                                     .with("Sec-WebSocket-Protocol", "chat, superchat")
                                     .with("Sec-WebSocket-Extensions", "x-a; p=1")
                                     .with("Cookie", "a=b")
                                     .text();
    std::string out;
    REQUIRE(wsolo::append_client_request(out, request, key) == errc::none);
    CHECK(out == expected);
    std::string room(expected.size(), '#');
    const wsolo::mutable_bytes to(reinterpret_cast<std::byte*>(room.data()), room.size());
    REQUIRE(wsolo::write_client_request(to, request, key));
    CHECK(room == expected);
    CHECK(wsolo::write_client_request(to.first(room.size() - 1), request, key).error() ==
          errc::buffer_too_small);

    wsolo::server_handshake server;
    CHECK(feed_whole(server, out).status == wsolo::handshake_status::complete);
}

TEST_CASE("only the host must be named", "[handshake][client_request]") {
    wsolo::byte_buffer out;
    REQUIRE(wsolo::append_client_request(out, {.host = "[::1]:9001"}, key) == errc::none);
    CHECK(wsolo::text_of(out.view())
              .starts_with("GET / HTTP/1.1\r\nHost: [::1]:9001\r\nUpgrade: websocket\r\n"));
    CHECK(wsolo::text_of(out.view()).ends_with("\r\nSec-WebSocket-Version: 13\r\n\r\n"));
}

TEST_CASE("an argument that would not be legal is refused", "[handshake][client_request]") {
    CHECK(error_of({.host = "a", .target = "http://a/b"}) == errc::none);
    CHECK(error_of({.host = "a", .subprotocols = "b", .extensions = "c"}) == errc::none);
    const wsolo::header_field injected[] = {{"X", "a\r\nY: b"}};
    const wsolo::header_field doubled[] = {{"sec-websocket-key", "a"}};
    const client_request illegal[] = {
        {},
        {.host = ""},
        {.host = "a b"},
        {.host = "a\r\nX: y"},
        {.host = "user@a"},
        {.host = "%zz"},
        {.host = "[1]"},
        {.host = "a", .target = "ws://a/b"}, // RFC 6455 §4.1: "an absolute http/https URI"
        {.host = "a", .target = ""},
        {.host = "a", .target = "chat"},
        {.host = "a", .target = "*"},
        {.host = "a", .target = "/a b"},
        {.host = "a", .target = "/a#b"},
        {.host = "a", .target = "/ HTTP/1.1\r\nX: y\r\n\r\nGET /"},
        {.host = "a", .origin = "b\nX: y"},
        {.host = "a", .subprotocols = ","},
        {.host = "a", .subprotocols = "b, b"}, // RFC 6455 §4.1 point 10
        {.host = "a", .subprotocols = "b c"},
        {.host = "a", .subprotocols = "b\r\nX: y"},
        {.host = "a", .extensions = "b;"},
        {.host = "a", .extensions = "b\r\nX: y"},
        {.host = "a", .headers = injected},
        {.host = "a", .headers = doubled},
    };
    for (const client_request& each : illegal) {
        INFO(each.host << "|" << each.target << "|" << each.origin << "|" << each.subprotocols << "|"
                       << each.extensions);
        CHECK(error_of(each) == errc::invalid_header_field);
    }
}
