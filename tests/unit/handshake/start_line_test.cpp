// Would catch: a start line with other white space than one space, a version in lower case, HTTP/2's
// preface taken for a request, a status of two or four digits.

#include <support/catch.hpp>

#include <wsolo/handshake/start_line.hpp>

#include <string>

using wsolo::errc;
using wsolo::http_version;
using wsolo::detail::parse_request_line;
using wsolo::detail::parse_status_line;

TEST_CASE("request lines", "[handshake][start_line]") {
    const auto line = parse_request_line("GET /chat?x HTTP/1.1");
    REQUIRE(line);
    CHECK(line->method == "GET");
    CHECK(line->target == "/chat?x");
    CHECK(line->version == http_version::v1_1);
    CHECK(parse_request_line("get / HTTP/1.0")->version == http_version::v1_0);
    CHECK(parse_request_line("GET / HTTP/1.9")->version == http_version::v1_1);
    CHECK(parse_request_line("OPTIONS * HTTP/1.1")->target == "*");
    CHECK(parse_request_line("CONNECT host:80 HTTP/1.1")->target == "host:80");
    CHECK(parse_request_line("M-SEARCH * HTTP/1.1")->method == "M-SEARCH");
}

TEST_CASE("broken request lines", "[handshake][start_line]") {
    for (const char* broken : {"",
                               "GET",
                               "GET /",
                               "GET  / HTTP/1.1",
                               "GET /  HTTP/1.1",
                               " GET / HTTP/1.1",
                               "GET / HTTP/1.1 ",
                               "GET\t/\tHTTP/1.1",
                               "GET /a b HTTP/1.1",
                               "GET / http/1.1",
                               "GET / HTTP/1.1x",
                               "GET / HTTP/1",
                               "GET / HTTP/11",
                               "GET / HTTP/1.10",
                               "GET / HTTP/1,1",
                               "GET / HTTP/x.1",
                               "GET / HTTP/1.x",
                               "GET / HTTPS/1.1",
                               "GET / ",
                               " / HTTP/1.1",
                               "G@T / HTTP/1.1",
                               "GET /#a HTTP/1.1",
                               "GET /\x80 HTTP/1.1",
                               "GET /\t HTTP/1.1"}) {
        INFO(broken);
        CHECK(parse_request_line(broken).error() == errc::handshake_invalid_start_line);
    }
    CHECK(parse_request_line("PRI * HTTP/2.0").error() == errc::handshake_http_version); // RFC 9113 §3.4
    CHECK(parse_request_line("GET / HTTP/0.9").error() == errc::handshake_http_version);
}

TEST_CASE("status lines", "[handshake][start_line]") {
    const auto line = parse_status_line("HTTP/1.1 101 Switching Protocols");
    REQUIRE(line);
    CHECK(line->status == 101);
    CHECK(line->reason == "Switching Protocols");
    CHECK(line->version == http_version::v1_1);
    CHECK(parse_status_line("HTTP/1.0 404 ")->reason.empty()); // RFC 9112 §4: the phrase may be empty
    CHECK(parse_status_line("HTTP/1.0 404 ")->version == http_version::v1_0);
    const auto bare = parse_status_line("HTTP/1.1 101"); // without the space, as every client takes it
    REQUIRE(bare);
    CHECK(bare->status == 101);
    CHECK(bare->reason.empty());
    CHECK(parse_status_line("HTTP/1.1 999 caf\xc3\xa9\t!")->status == 999);
}

TEST_CASE("broken status lines", "[handshake][start_line]") {
    for (const char* broken :
         {"", "HTTP/1.1", "HTTP/1.1 ", "HTTP/1.1 10", "HTTP/1.1 101x", "HTTP/1.1 10 OK", "HTTP/1.1 1010 OK",
          "HTTP/1.1  101 OK", "HTTP/1.1 +10 OK", "HTTP/1.1 1a1 OK", "HTTP/1.1 001 OK", "http/1.1 101 OK",
          "HTTP/1.1\t101 OK", "HTTP/1.1 101\tOK", "101 OK", "HTTP/1.1 101 O\x01K", "ICY 200 OK"}) {
        INFO(broken);
        CHECK(parse_status_line(broken).error() == errc::handshake_invalid_start_line);
    }
    CHECK(parse_status_line("HTTP/2.0 101 x").error() == errc::handshake_http_version);
}
