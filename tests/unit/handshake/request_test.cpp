// Would catch: a view that shows another field, target or host than was sent, a plain request that is taken
// for an upgrade, HTTP/1.0's Upgrade that is not ignored.

#include <support/catch.hpp>
#include <support/handshake.hpp>

#include <wsolo/handshake/request.hpp>

using namespace handshake_samples;
using wsolo::http_version;
using wsolo::upgrade_request;

namespace {

/// A view over the text, which was made by head::text() and lives as long as the test's row.
upgrade_request request_of(std::string_view text) {
    const std::size_t line_end = text.find("\r\n");
    const auto line = wsolo::detail::parse_request_line(text.substr(0, line_end));
    REQUIRE(line);
    return upgrade_request({line->method, line->target, line->version,
                            wsolo::header_list(text.substr(line_end + 2, text.size() - line_end - 4))});
}

bool is_upgrade(const head& request) {
    const std::string text = request.text();
    return request_of(text).is_upgrade();
}

const head page = head("GET / HTTP/1.1").with("Host", "a");

} // namespace

TEST_CASE("the request of RFC 6455 §1.2, read through its view", "[handshake][request]") {
    const std::string text = rfc_request().with("X-Token", "t").text();
    const upgrade_request request = request_of(text);
    CHECK(request.is_upgrade());
    CHECK(request.method() == "GET");
    CHECK(request.target() == "/chat");
    CHECK(request.resource_name() == "/chat");
    CHECK(request.host() == "server.example.com");
    CHECK(request.origin() == std::string_view("http://example.com"));
    CHECK(request.key() == "dGhlIHNhbXBsZSBub25jZQ==");
    CHECK(request.version() == "13");
    CHECK(request.http_version() == http_version::v1_1);
    CHECK(request.header("x-token") == std::string_view("t"));
    CHECK_FALSE(request.header("x-none"));
    std::string offered;
    for (const std::string_view each : request.subprotocols()) offered += std::string(each) + "|";
    CHECK(offered == "chat|superchat|");
    CHECK(request.extensions().empty());
}

TEST_CASE("what a request leaves out is empty", "[handshake][request]") {
    const std::string text = head("GET / HTTP/1.0").text();
    const upgrade_request request = request_of(text);
    CHECK_FALSE(request.is_upgrade());
    CHECK(request.host().empty());
    CHECK(request.key().empty());
    CHECK(request.version().empty());
    CHECK_FALSE(request.origin());
    CHECK(request.subprotocols().empty());
    CHECK(request.http_version() == http_version::v1_0);
}

TEST_CASE("an absolute target's host wins over the Host field", "[handshake][request]") {
    const std::string text = rfc_request().start("GET http://other.example:81/chat?x HTTP/1.1").text();
    const upgrade_request request = request_of(text);
    CHECK(request.host() == "other.example:81"); // RFC 9112 §3.2.2
    CHECK(request.resource_name() == "/chat?x");
    CHECK(request.target() == "http://other.example:81/chat?x");
    const std::string bare = rfc_request().start("GET http://h?x=1 HTTP/1.1").text();
    CHECK(request_of(bare).resource_name() == "/?x=1"); // RFC 6455 §3
    CHECK(request_of(bare).resource_name().path() == "/");
    const std::string options = head("OPTIONS * HTTP/1.1").with("Host", "a").text();
    CHECK(request_of(options).resource_name() == "*");
    CHECK(request_of(options).host() == "a");
}

TEST_CASE("plain requests are plain", "[handshake][request]") {
    CHECK_FALSE(is_upgrade(page));
    CHECK_FALSE(is_upgrade(page.with("Connection", "keep-alive")));
    CHECK_FALSE(is_upgrade(page.with("Upgrade", "h2c").with("Connection", "Upgrade, HTTP2-Settings")));
    CHECK_FALSE(is_upgrade(page.with("Upgrade", "websockets")));
    CHECK(is_upgrade(page.with("Upgrade", "WebSocket")));
    CHECK(is_upgrade(page.with("Upgrade", "h2c, websocket")));
    CHECK(is_upgrade(page.with("Sec-WebSocket-Key", "x")));
    CHECK(is_upgrade(page.with("Sec-WebSocket-Version", "13")));
    CHECK(is_upgrade(rfc_request()));
    // RFC 9110 §7.8: "A server MUST ignore an Upgrade header field that is received in an HTTP/1.0 request."
    CHECK_FALSE(is_upgrade(rfc_request().start("GET /chat HTTP/1.0")));
    CHECK(is_upgrade(rfc_request().start("GET /chat HTTP/1.2")));
}

TEST_CASE("over HTTP/2 and HTTP/3 an extended CONNECT asks", "[handshake][request]") {
    using wsolo::http_request;
    const http_request asked{.method = "CONNECT",
                             .target = "/chat",
                             .version = http_version::v2,
                             .protocol = "websocket",
                             .scheme = "https",
                             .authority = "server.example.com"};
    const auto with = [&](auto change) {
        http_request changed = asked;
        change(changed);
        return upgrade_request(changed);
    };
    const upgrade_request request(asked);
    CHECK(request.is_upgrade());
    CHECK(request.is_extended_connect());
    CHECK(request.host() == "server.example.com");
    CHECK(request.scheme() == "https");
    CHECK(request.resource_name() == "/chat");
    CHECK(request.key().empty());
    CHECK(with([](auto& r) { r.version = http_version::v3; }).is_upgrade());
    CHECK(with([](auto& r) { r.protocol = "WebSocket"; }).is_upgrade()); // RFC 9110 §7.8: names fold case
    CHECK_FALSE(with([](auto& r) { r.protocol = "webtransport"; }).is_upgrade());
    CHECK_FALSE(with([](auto& r) { r.protocol = ""; }).is_upgrade());
    CHECK(with([](auto& r) { r.method = "GET"; }).is_upgrade()); // a bad one
    CHECK_FALSE(with([](auto& r) { r.version = http_version::v1_1; }).is_upgrade());
}

TEST_CASE("whether the connection must end with the answer", "[handshake][request]") {
    const auto closes = [](const head& request) {
        const std::string text = request.text();
        return request_of(text).wants_close();
    };
    CHECK_FALSE(closes(page));
    CHECK_FALSE(closes(page.with("Connection", "keep-alive")));
    CHECK(closes(page.with("Connection", "x, Close")));
    CHECK(closes(head("GET / HTTP/1.0")));
}
