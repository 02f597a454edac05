// Would catch: a broken rule that gets another rule's name or none, a plain request that is judged as an
// upgrade, a lenience that HTTP does not ask for, or one that it does and is missing; a request that is judged
// otherwise when another parser found it; HTTP/1.1's way taken over HTTP/2, or the other way round.

#include <support/catch.hpp>
#include <support/handshake.hpp>

#include <wsolo/handshake/judge.hpp>
#include <wsolo/handshake/negotiate.hpp>
#include <wsolo/handshake/server.hpp>

using namespace handshake_samples;
using wsolo::errc;
using wsolo::header_field;
using wsolo::http_request;
using wsolo::http_version;

namespace {

/// By the byte parser, and by judge() of what its parser found: one verdict.
errc error_of(const head& request) {
    const std::string text = request.text();
    wsolo::server_handshake handshake;
    const errc error = feed_whole(handshake, text).error;
    if (!handshake.has_request()) return error;
    const wsolo::upgrade_request seen = handshake.request();
    std::vector<header_field> fields;
    for (const header_field& field : seen.headers()) fields.push_back(field);
    const auto judged = wsolo::judge(http_request{
        .method = seen.method(), .target = seen.target(), .version = seen.http_version(), .fields = fields});
    CHECK(judged.error() == error);
    if (judged) {
        CHECK(judged->is_upgrade() == seen.is_upgrade());
        CHECK(judged->host() == seen.host());
        CHECK(judged->key() == seen.key());
    }
    return error;
}

const head page = head("GET / HTTP/1.1").with("Host", "a");

} // namespace

TEST_CASE("what every HTTP request must be", "[handshake][judge]") {
    CHECK(error_of(page) == errc::none);
    CHECK(error_of(head("GET / HTTP/1.0")) == errc::none);
    CHECK(error_of(head("GET / HTTP/1.1")) == errc::handshake_missing_host); // RFC 9112 §3.2
    CHECK(error_of(page.with("Host", "a")) == errc::handshake_duplicate_host);
    CHECK(error_of(page.with("host", "b")) == errc::handshake_duplicate_host);
    CHECK(error_of(page.replace("Host", "")) == errc::none); // RFC 9112 §3.2: a target without authority
    CHECK(error_of(page.replace("Host", "a b")) == errc::handshake_invalid_host);
    CHECK(error_of(page.replace("Host", "a, b")) == errc::handshake_invalid_host);
    CHECK(error_of(page.replace("Host", "%zz")) == errc::handshake_invalid_host); // RFC 3986 §3.2.2
    CHECK(error_of(page.replace("Host", "[::::]")) == errc::handshake_invalid_host);
    CHECK(error_of(page.replace("Host", "[v1.fe]")) == errc::none);
    CHECK(error_of(page.replace("Host", "u@a")) == errc::handshake_invalid_host);
    CHECK(error_of(page.with("Connection", "")) == errc::none); // RFC 9110 §7.6.1: #connection-option
    CHECK(error_of(page.with("Upgrade", ",")) == errc::none);
    CHECK(error_of(page.with("Connection", "keep alive")) == errc::handshake_invalid_connection);
    CHECK(error_of(page.with("Connection", ", close,,")) == errc::none);
    CHECK(error_of(page.with("Upgrade", "HTTP/2.0, IRC/6.9")) == errc::none); // RFC 9110 §7.8
    CHECK(error_of(page.with("Upgrade", "a/b/c")) == errc::handshake_invalid_upgrade);
    CHECK(error_of(page.with("Upgrade", "/b")) == errc::handshake_invalid_upgrade);
    CHECK(error_of(page.with("Upgrade", "web socket")) == errc::handshake_invalid_upgrade);
}

TEST_CASE("a body has one length or none", "[handshake][judge]") {
    CHECK(error_of(page.with("Content-Length", "5")) == errc::none);
    CHECK(error_of(page.with("Transfer-Encoding", "chunked")) == errc::none);
    CHECK(error_of(page.with("Content-Length", "5").with("content-length", "5")) ==
          errc::handshake_invalid_length);
    CHECK(error_of(page.with("Content-Length", "5").with("Transfer-Encoding", "chunked")) ==
          errc::handshake_ambiguous_length); // RFC 9112 §6.1
    CHECK(error_of(head("GET / HTTP/1.0").with("Transfer-Encoding", "chunked")) ==
          errc::handshake_ambiguous_length);
    CHECK(error_of(page.with("Transfer-Encoding", "gzip, Chunked")) == errc::none);
    for (const char* codings : {"gzip", "chunked, gzip", "chunked, chunked", "chunked;a=b", "", "xchunked"}) {
        INFO(codings); // RFC 9112 §6.3: where the body ends is not known
        CHECK(error_of(page.with("Transfer-Encoding", codings)) == errc::handshake_ambiguous_length);
    }
    CHECK(error_of(page.with("Transfer-Encoding", "gzip").with("Transfer-Encoding", "chunked")) ==
          errc::none);
    CHECK(error_of(page.with("Transfer-Encoding", "chunked").with("Transfer-Encoding", "gzip")) ==
          errc::handshake_ambiguous_length);
    for (const char* length : {"", "+5", "-5", "5, 5", "0x5", "5 5", "5a"}) {
        INFO(length);
        CHECK(error_of(page.with("Content-Length", length)) == errc::handshake_invalid_length);
    }
}

TEST_CASE("each missing, doubled or wrong field of an upgrade has its errc", "[handshake][judge]") {
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
        {good.start("GET /chat HTTP/1.0"), errc::none}, // RFC 9110 §7.8: a plain request
        {good.start("GET /chat HTTP/1.2"), errc::none},
        {good.start("GET * HTTP/1.1"), errc::handshake_invalid_target},
        {good.start("GET chat HTTP/1.1"), errc::handshake_invalid_target},
        {good.start("GET ftp://server.example.com/chat HTTP/1.1"), errc::handshake_invalid_target},
        {good.start("GET http://%zz/chat HTTP/1.1"), errc::handshake_invalid_target},
        {good.start("GET ws://server.example.com/chat HTTP/1.1"), errc::none}, // see target.hpp
        {good.start("GET WSS://server.example.com HTTP/1.1"), errc::none},
        // point 2
        {good.without("Host"), errc::handshake_missing_host},
        {good.replace("Host", ""), errc::handshake_missing_host},
        {good.with("Host", "b"), errc::handshake_duplicate_host},
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
        {good.with(key, "dGhlIHNhbXBsZSBub25jZQ=="), errc::handshake_duplicate_key},
        {good.replace(key, ""), errc::handshake_invalid_key},
        {good.replace(key, "dGhlIHNhbXBsZSBub25j"), errc::handshake_invalid_key},
        {good.replace(key, "AQIDBAUGBwgJCgsMDQ4PEC=="), errc::none}, // §4.1, as it is printed,
        {good.replace(key, "  dGhlIHNhbXBsZSBub25jZQ==\t"), errc::none},
        // point 6, §4.4
        {good.without(version), errc::handshake_unsupported_version},
        {good.replace(version, "8"), errc::handshake_unsupported_version},
        {good.replace(version, "013"), errc::handshake_unsupported_version},
        {good.replace(version, "13, 8"), errc::handshake_unsupported_version},
        {good.with(version, "13"), errc::handshake_duplicate_version},
        // points 7 to 9
        {good.without("Origin"), errc::none},
        {good.with("Origin", "null"), errc::handshake_duplicate_origin},
        {good.without("Sec-WebSocket-Protocol"), errc::none},
        {good.with("Sec-WebSocket-Protocol", "third"), errc::none},
        {good.replace("Sec-WebSocket-Protocol", ""), errc::none}, // Python's websockets sends it so
        {good.replace("Sec-WebSocket-Protocol", "a b"), errc::handshake_invalid_subprotocol},
        {good.replace("Sec-WebSocket-Protocol", "a/b"), errc::handshake_invalid_subprotocol},
        {good.with("Sec-WebSocket-Extensions", "a; b=c").with("Sec-WebSocket-Extensions", "d"), errc::none},
        {good.with("Sec-WebSocket-Extensions", "a;;b"), errc::handshake_invalid_extension},
        {good.with("Sec-WebSocket-Extensions", ""), errc::none},
        // bytes that would be read as frames
        {good.with("Content-Length", "0"), errc::none},
        {good.with("Content-Length", "000"), errc::none},
        {good.with("Content-Length", "5"), errc::handshake_unexpected_body},
        {good.with("Content-Length", "18446744073709551616"), errc::handshake_unexpected_body},
        {good.with("Transfer-Encoding", "chunked"), errc::handshake_unexpected_body},
        {good.with("Transfer-Encoding", "identity"), errc::handshake_ambiguous_length},
    };
    for (const row& each : rows) {
        INFO(each.request.text());
        CHECK(error_of(each.request) == each.error);
    }
}

TEST_CASE("what another parser let through is judged again", "[handshake][judge]") {
    const auto error_with = [](const header_field& field) {
        const header_field fields[] = {{"Host", "a"}, field};
        return wsolo::judge(http_request{.fields = fields}).error();
    };
    CHECK(error_with({"X", "a"}) == errc::none);
    CHECK(error_with({"", "a"}) == errc::handshake_invalid_field_line);
    CHECK(error_with({"X ", "a"}) == errc::handshake_invalid_field_line);
    CHECK(error_with({"X:Y", "a"}) == errc::handshake_invalid_field_line);
    CHECK(error_with({":path", "/"}) == errc::handshake_invalid_field_line);
    CHECK(error_with({"X", "a\r\nY: b"}) == errc::handshake_invalid_character);
    CHECK(error_with({"X", std::string_view("a\0b", 3)}) == errc::handshake_invalid_character);
    CHECK(error_with({"X", "caf\xc3\xa9"}) == errc::none);
    CHECK(wsolo::judge(http_request{.method = "GE T"}).error() == errc::handshake_invalid_start_line);
    CHECK(wsolo::judge(http_request{.method = ""}).error() == errc::handshake_invalid_start_line);
    const header_field untrimmed[] = {{"host", " a "},
                                      {"upgrade", "websocket "},
                                      {"connection", "\tUpgrade"},
                                      {"sec-websocket-key", " dGhlIHNhbXBsZSBub25jZQ=="},
                                      {"sec-websocket-version", " 13"}};
    CHECK(wsolo::judge(http_request{.fields = untrimmed}).error() == errc::none);
    CHECK(wsolo::judge(http_request{.target = "chat", .fields = untrimmed}).error() ==
          errc::handshake_invalid_target);
    for (const char* target : {"", "/a b", "/a\r\nX: y", "/#part"}) {
        INFO(target); // as the byte parser has it, for a plain request too
        const header_field host[] = {{"Host", "a"}};
        CHECK(wsolo::judge(http_request{.target = target, .fields = untrimmed}).error() ==
              errc::handshake_invalid_start_line);
        CHECK(wsolo::judge(http_request{.target = target, .fields = host}).error() ==
              errc::handshake_invalid_start_line);
        CHECK(wsolo::judge(http_request{.target = target, .version = http_version::v2}).error() ==
              errc::handshake_invalid_target);
    }
    // RFC 9113 §8.5: a plain CONNECT has no :path.
    CHECK(wsolo::judge(
              http_request{.method = "CONNECT", .target = "", .version = http_version::v2, .authority = "a"})
              .error() == errc::none);
}

TEST_CASE("an authority says nothing in HTTP/1.1", "[handshake][judge]") {
    const header_field fields[] = {{"Host", "a.example"}, {"Origin", "https://b.example"}};
    const auto asked = wsolo::judge(http_request{.fields = fields, .authority = "b.example"});
    REQUIRE(asked);
    CHECK(asked->host() == "a.example");
    CHECK_FALSE(wsolo::is_same_origin(*asked));
}

namespace {

/// RFC 8441 §5.1's example.
struct connect {
    http_request parts{.method = "CONNECT",
                       .target = "/chat",
                       .version = http_version::v2,
                       .protocol = "websocket",
                       .scheme = "https",
                       .authority = "server.example.com"};
    std::vector<header_field> fields{{"sec-websocket-protocol", "chat, superchat"},
                                     {"sec-websocket-extensions", "permessage-deflate"},
                                     {"sec-websocket-version", "13"},
                                     {"origin", "http://www.example.com"}};

    connect with(std::string_view name, std::string_view value) const {
        connect changed = *this;
        changed.fields.push_back({name, value});
        return changed;
    }
    connect without(std::string_view name) const {
        connect changed = *this;
        std::erase_if(changed.fields, [&](const header_field& each) { return each.name == name; });
        return changed;
    }
    template <class Change>
    connect but(Change change) const {
        connect changed = *this;
        change(changed.parts);
        return changed;
    }
    /// The same over both.
    errc error() const {
        http_request asked = parts;
        asked.fields = fields;
        const errc over_two = wsolo::judge(asked).error();
        asked.version = http_version::v3;
        CHECK(wsolo::judge(asked).error() == over_two);
        return over_two;
    }
};

} // namespace

TEST_CASE("an extended CONNECT of HTTP/2 or HTTP/3, each rule", "[handshake][judge]") {
    const connect good;
    CHECK(good.error() == errc::none);
    CHECK(good.without("origin")
              .without("sec-websocket-protocol")
              .without("sec-websocket-extensions")
              .error() == errc::none);
    // RFC 8441 §4: ":scheme" and ":path" MUST be included
    CHECK(good.but([](auto& r) { r.scheme = ""; }).error() == errc::handshake_invalid_scheme);
    CHECK(good.but([](auto& r) { r.scheme = "wss"; }).error() == errc::handshake_invalid_scheme);
    CHECK(good.but([](auto& r) { r.scheme = "http"; }).error() == errc::none);
    CHECK(good.but([](auto& r) { r.target = ""; }).error() == errc::handshake_invalid_target);
    CHECK(good.but([](auto& r) { r.target = "https://server.example.com/chat"; }).error() ==
          errc::handshake_invalid_target);
    CHECK(good.but([](auto& r) { r.target = "*"; }).error() == errc::handshake_invalid_target);
    CHECK(good.but([](auto& r) { r.target = "/a b"; }).error() == errc::handshake_invalid_target);
    CHECK(good.but([](auto& r) { r.authority = ""; }).error() == errc::handshake_missing_host);
    CHECK(good.but([](auto& r) { r.authority = ""; }).with("host", "a").error() == errc::none);
    CHECK(good.but([](auto& r) { r.authority = "u@a"; }).error() == errc::handshake_invalid_host);
    // RFC 9113 §8.3.1
    CHECK(good.with("host", "server.example.com").error() == errc::none);
    CHECK(good.with("host", "Server.Example.com").error() == errc::none);
    CHECK(good.with("host", "other.example").error() == errc::handshake_invalid_host);
    CHECK(good.with("host", "server.example.com").with("host", "server.example.com").error() ==
          errc::handshake_duplicate_host);
    // RFC 9113 §8.2.2
    for (const char* name :
         {"connection", "upgrade", "transfer-encoding", "keep-alive", "proxy-connection"}) {
        INFO(name);
        CHECK(good.with(name, "x").error() == errc::handshake_connection_field);
    }
    CHECK(good.with("te", "trailers").error() == errc::none);
    // RFC 9113 §8.2.1: a name in upper case is malformed
    CHECK(good.with("Cookie", "x").error() == errc::handshake_invalid_field_line);
    // RFC 8441 §4: :protocol is CONNECT's
    CHECK(good.but([](auto& r) { r.method = "GET"; }).error() == errc::handshake_method_not_get);
    CHECK(good.but([](auto& r) {
                  r.method = "GET";
                  r.scheme = "";
              })
              .error() == errc::handshake_method_not_get);
    CHECK(wsolo::judge({.method = "GET", .version = http_version::v2, .protocol = "websocket"}).error() ==
          errc::handshake_method_not_get);
    CHECK(good.with("te", "gzip").error() == errc::handshake_connection_field);
    CHECK(good.with("content-length", "5").error() == errc::handshake_unexpected_body);
    CHECK(good.with("content-length", "x").error() == errc::handshake_invalid_length);
    // RFC 8441 §5: the key is not used, so that it is not judged either; the others are "in the same way"
    CHECK(good.with("sec-websocket-key", "x").error() == errc::none);
    CHECK(good.without("sec-websocket-version").error() == errc::handshake_unsupported_version);
    CHECK(good.with("sec-websocket-version", "13").error() == errc::handshake_duplicate_version);
    CHECK(good.with("origin", "null").error() == errc::handshake_duplicate_origin);
    CHECK(good.with("sec-websocket-protocol", "a b").error() == errc::handshake_invalid_subprotocol);
    CHECK(good.with("sec-websocket-extensions", "a;;b").error() == errc::handshake_invalid_extension);
    // Another protocol's CONNECT is not ours to judge.
    CHECK(good.but([](auto& r) { r.protocol = "webtransport"; }).without("sec-websocket-version").error() ==
          errc::none);
    // HTTP/1.1's way over HTTP/2 is malformed HTTP/2.
    CHECK(good.but([](auto& r) {
                  r.method = "GET";
                  r.protocol = "";
              })
              .with("upgrade", "websocket")
              .error() == errc::handshake_connection_field);
}
