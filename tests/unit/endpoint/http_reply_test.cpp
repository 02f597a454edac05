// Would catch: a choice that is composed from views which are gone, an earlier choice that stays in the bytes, an answer that
// keeps the connection open, an error that leaves half an answer.

#include <support/catch.hpp>
#include <support/handshake.hpp>

#include <wsolo/endpoint/http_reply.hpp>
#include <wsolo/handshake/server.hpp>

using wsolo::errc;

namespace {

struct asked {
    explicit asked(const std::string& text) {
        wsolo::const_bytes input = wsolo::bytes_of(text);
        REQUIRE(handshake.feed(input) == wsolo::handshake_status::complete);
        request = handshake.request();
    }
    [[nodiscard]] std::string text() const { return std::string(wsolo::text_of(out.view())); }

    wsolo::server_handshake handshake;
    wsolo::upgrade_request request;
    wsolo::byte_buffer out;
    wsolo::http_reply reply{request, out};
};

} // namespace

TEST_CASE("a reply is undecided until it is said", "[connection][reply]") {
    asked a(handshake_samples::rfc_request().text());
    CHECK(a.reply.status() == 0);
    CHECK(a.reply.why() == errc::none);
    CHECK(a.out.empty());
}

TEST_CASE("each choice replaces the one before it", "[connection][reply]") {
    asked a(handshake_samples::rfc_request().text());
    a.reply.respond({.status = 404, .body = "not here", .close = false});
    CHECK(a.text() ==
          "HTTP/1.1 404 Not Found\r\nConnection: close\r\nContent-Type: text/plain; charset=utf-8\r\n"
          "Content-Length: 8\r\n\r\nnot here");
    CHECK(a.reply.status() == 404);
    a.reply.accept({.subprotocol = "chat"});
    CHECK(a.text().find("HTTP/1.1 101 ") == 0);
    CHECK(a.text().find("Sec-WebSocket-Protocol: chat\r\n") != std::string::npos);
    CHECK(a.reply.status() == 101);
    a.reply.refuse(errc::handshake_origin_refused);
    CHECK(a.text().find("HTTP/1.1 403 ") == 0);
    CHECK(a.reply.why() == errc::handshake_origin_refused);
}

TEST_CASE("what can't be answered is a 500 that says why", "[connection][reply]") {
    asked a(handshake_samples::rfc_request().text());
    a.reply.accept({.subprotocol = "other"});
    CHECK(a.reply.status() == 500);
    CHECK(a.reply.why() == errc::handshake_unrequested_subprotocol);
    CHECK(a.text().find("HTTP/1.1 500 ") == 0);
    const wsolo::header_field broken[] = {{"X", "a\r\nY: b"}};
    a.reply.respond({.status = 200, .body = "x", .headers = broken});
    CHECK(a.reply.status() == 500);
    CHECK(a.reply.why() == errc::invalid_header_field);
    CHECK(a.text().find("Y: b") == std::string::npos);
}

TEST_CASE("HEAD gets no body", "[connection][reply]") {
    asked a("HEAD / HTTP/1.1\r\nHost: h\r\n\r\n");
    a.reply.respond({.body = "a page"});
    CHECK(a.text().ends_with("\r\n\r\n"));
    a.reply.refuse(errc::handshake_missing_upgrade);
    CHECK(a.text().ends_with("\r\n\r\n"));
    CHECK(a.reply.status() == 426);
}
