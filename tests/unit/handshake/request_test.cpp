// Would catch: a broken rule that gets another rule's name or none, a plain request that is judged as an
// upgrade, a lenience that HTTP does not ask for, or one that it does and is missing.

#include <support/catch.hpp>
#include <support/handshake.hpp>

#include <wsolo/handshake/request.hpp>

using namespace handshake_samples;
using wsolo::errc;
using wsolo::upgrade_request;

namespace {

/// A view over the text, which was made by head::text() and lives as long as the test's row.
upgrade_request request_of(std::string_view text) {
    const std::size_t line_end = text.find("\r\n");
    const auto line = wsolo::detail::parse_request_line(text.substr(0, line_end));
    REQUIRE(line);
    return {*line, wsolo::header_list(text.substr(line_end + 2, text.size() - line_end - 4))};
}

errc http_error(const head& request) {
    const std::string text = request.text();
    return wsolo::detail::check_http(request_of(text));
}

errc upgrade_error(const head& request) {
    const std::string text = request.text();
    const errc error = wsolo::detail::check_http(request_of(text));
    return error != errc::none ? error : wsolo::detail::check_upgrade(request_of(text));
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
    CHECK(request.http_minor_version() == 1);
    CHECK(request.header("x-token") == std::string_view("t"));
    CHECK_FALSE(request.header("x-none"));
    std::string offered;
    for (const std::string_view each : request.subprotocols()) offered += std::string(each) + "|";
    CHECK(offered == "chat|superchat|");
    CHECK(request.extensions().empty());
    CHECK(upgrade_error(rfc_request()) == errc::none);
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
    CHECK(request.http_minor_version() == 0);
}

TEST_CASE("an absolute target's host wins over the Host field", "[handshake][request]") {
    const std::string text = rfc_request().start("GET http://other.example:81/chat?x HTTP/1.1").text();
    const upgrade_request request = request_of(text);
    CHECK(request.host() == "other.example:81"); // RFC 9112 §3.2.2
    CHECK(request.resource_name() == "/chat?x");
    CHECK(request.target() == "http://other.example:81/chat?x");
    CHECK(upgrade_error(rfc_request().start("GET http://other.example:81/chat?x HTTP/1.1")) == errc::none);
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
}

TEST_CASE("what every HTTP request must be", "[handshake][request]") {
    CHECK(http_error(page) == errc::none);
    CHECK(http_error(head("GET / HTTP/1.0")) == errc::none);
    CHECK(http_error(head("GET / HTTP/1.1")) == errc::handshake_missing_host); // RFC 9112 §3.2
    CHECK(http_error(page.with("Host", "a")) == errc::handshake_duplicate_header);
    CHECK(http_error(page.with("host", "b")) == errc::handshake_duplicate_header);
    CHECK(http_error(page.replace("Host", "")) == errc::none); // RFC 9112 §3.2: a target without authority
    CHECK(http_error(page.replace("Host", "a b")) == errc::handshake_malformed);
    CHECK(http_error(page.replace("Host", "a, b")) == errc::handshake_malformed);
    CHECK(http_error(page.replace("Host", "u@a")) == errc::handshake_malformed);
    CHECK(http_error(page.with("Connection", "")) == errc::none); // RFC 9110 §7.6.1: #connection-option
    CHECK(http_error(page.with("Upgrade", ",")) == errc::none);
    CHECK(http_error(page.with("Connection", "keep alive")) == errc::handshake_malformed);
    CHECK(http_error(page.with("Connection", ", close,,")) == errc::none);
    CHECK(http_error(page.with("Upgrade", "HTTP/2.0, IRC/6.9")) == errc::none); // RFC 9110 §7.8
    CHECK(http_error(page.with("Upgrade", "a/b/c")) == errc::handshake_malformed);
    CHECK(http_error(page.with("Upgrade", "/b")) == errc::handshake_malformed);
    CHECK(http_error(page.with("Upgrade", "web socket")) == errc::handshake_malformed);
}

TEST_CASE("a body has one length or none", "[handshake][request]") {
    CHECK(http_error(page.with("Content-Length", "5")) == errc::none);
    CHECK(http_error(page.with("Transfer-Encoding", "chunked")) == errc::none);
    CHECK(http_error(page.with("Content-Length", "5").with("content-length", "5")) ==
          errc::handshake_duplicate_header);
    CHECK(http_error(page.with("Content-Length", "5").with("Transfer-Encoding", "chunked")) ==
          errc::handshake_malformed); // RFC 9112 §6.1
    CHECK(http_error(head("GET / HTTP/1.0").with("Transfer-Encoding", "chunked")) ==
          errc::handshake_malformed);
    for (const char* length : {"", "+5", "-5", "5, 5", "0x5", "5 5", "5a"}) {
        INFO(length);
        CHECK(http_error(page.with("Content-Length", length)) == errc::handshake_malformed);
    }
}

TEST_CASE("each missing, doubled or wrong field of an upgrade has its errc", "[handshake][request]") {
    struct row {
        head request;
        errc error;
    };
    const head good = rfc_request();
    const std::string key = "Sec-WebSocket-Key";
    const std::string version = "Sec-WebSocket-Version";
    const row rows[] = {
        // RFC 6455 §4.2.1 point 1: GET, HTTP/1.1 or higher, a resource name
        {good.start("get /chat HTTP/1.1"), errc::handshake_method_not_get},
        {good.start("POST /chat HTTP/1.1"), errc::handshake_method_not_get},
        {good.start("GET /chat HTTP/1.0"), errc::handshake_http_version},
        {good.start("GET /chat HTTP/1.2"), errc::none},
        {good.start("GET * HTTP/1.1"), errc::handshake_invalid_start_line},
        {good.start("GET chat HTTP/1.1"), errc::handshake_invalid_start_line},
        {good.start("GET ws://server.example.com/chat HTTP/1.1"), errc::handshake_invalid_start_line},
        // point 2
        {good.without("Host"), errc::handshake_missing_host},
        {good.replace("Host", ""), errc::handshake_missing_host},
        {good.with("Host", "b"), errc::handshake_duplicate_header},
        // point 3
        {good.without("Upgrade"), errc::handshake_missing_upgrade},
        {good.replace("Upgrade", "h2c"), errc::handshake_missing_upgrade},
        {good.replace("Upgrade", "websocket/13"), errc::handshake_missing_upgrade},
        {good.replace("Upgrade", "WebSocket"), errc::none},
        {good.replace("Upgrade", "h2c, WEBSOCKET"), errc::none},
        {good.with("Upgrade", "h2c"), errc::none},
        // point 4
        {good.without("Connection"), errc::handshake_missing_connection},
        {good.replace("Connection", "keep-alive"), errc::handshake_missing_connection},
        {good.replace("Connection", "Upgraded"), errc::handshake_missing_connection},
        {good.replace("Connection", "keep-alive, upgrade"), errc::none},
        {good.replace("Connection", "keep-alive").with("connection", "UPGRADE"), errc::none},
        // point 5
        {good.without(key), errc::handshake_missing_key},
        {good.with(key, "dGhlIHNhbXBsZSBub25jZQ=="), errc::handshake_duplicate_header},
        {good.replace(key, ""), errc::handshake_invalid_key},
        {good.replace(key, "dGhlIHNhbXBsZSBub25j"), errc::handshake_invalid_key},
        {good.replace(key, "dGhlIHNhbXBsZSBub25jZR=="), errc::handshake_invalid_key},
        {good.replace(key, "  dGhlIHNhbXBsZSBub25jZQ==\t"), errc::none},
        // point 6, §4.4
        {good.without(version), errc::handshake_unsupported_version},
        {good.replace(version, "8"), errc::handshake_unsupported_version},
        {good.replace(version, "013"), errc::handshake_unsupported_version},
        {good.replace(version, "13, 8"), errc::handshake_unsupported_version},
        {good.with(version, "13"), errc::handshake_duplicate_header},
        // points 7 to 9
        {good.without("Origin"), errc::none},
        {good.with("Origin", "null"), errc::handshake_duplicate_header},
        {good.without("Sec-WebSocket-Protocol"), errc::none},
        {good.with("Sec-WebSocket-Protocol", "third"), errc::none},
        {good.replace("Sec-WebSocket-Protocol", ""), errc::none}, // Python's websockets sends it so
        {good.replace("Sec-WebSocket-Protocol", "a b"), errc::handshake_malformed},
        {good.replace("Sec-WebSocket-Protocol", "a/b"), errc::handshake_malformed},
        {good.with("Sec-WebSocket-Extensions", "a; b=c").with("Sec-WebSocket-Extensions", "d"), errc::none},
        {good.with("Sec-WebSocket-Extensions", "a;;b"), errc::handshake_malformed},
        {good.with("Sec-WebSocket-Extensions", ""), errc::none},
        // bytes that would be read as frames
        {good.with("Content-Length", "0"), errc::none},
        {good.with("Content-Length", "000"), errc::none},
        {good.with("Content-Length", "5"), errc::handshake_unexpected_body},
        {good.with("Content-Length", "18446744073709551616"), errc::handshake_unexpected_body},
        {good.with("Transfer-Encoding", "chunked"), errc::handshake_unexpected_body},
        {good.with("Transfer-Encoding", "identity"), errc::handshake_unexpected_body},
    };
    for (const row& each : rows) {
        INFO(each.request.text());
        CHECK(upgrade_error(each.request) == each.error);
    }
}
