// Would catch: an answer that is not the RFC's, a choice that was never offered, an injected line, a
// refusal with the wrong status or without what that status must carry, a body whose length is wrong.

#include <support/catch.hpp>
#include <support/handshake.hpp>

#include <wsolo/handshake/response.hpp>
#include <wsolo/handshake/server.hpp>

using namespace handshake_samples;
using wsolo::errc;
using wsolo::http_response;
using wsolo::server_handshake;

namespace {

server_handshake accepted(const head& request) {
    server_handshake handshake;
    REQUIRE(feed_whole(handshake, request.text()).status == wsolo::handshake_status::complete);
    return handshake;
}

errc accept_error(const head& request, const wsolo::accept_options& options) {
    const server_handshake handshake = accepted(request);
    std::string out = "kept";
    const errc error = wsolo::append_accept_response(out, handshake.request(), options);
    if (error != errc::none) CHECK(out == "kept");
    std::byte room[4096];
    CHECK(wsolo::write_accept_response(room, handshake.request(), options).error() == error);
    return error;
}

std::string shown(const http_response& response) {
    std::string out;
    REQUIRE(wsolo::append_response(out, response) == errc::none);
    std::byte room[1024];
    const auto written = wsolo::write_response(room, response);
    REQUIRE(written);
    CHECK(wsolo::text_of({room, *written}) == out);
    return out;
}

} // namespace

TEST_CASE("the answer of RFC 6455 §1.2", "[handshake][response]") {
    const server_handshake handshake = accepted(rfc_request());
    std::string out;
    REQUIRE(wsolo::append_accept_response(out, handshake.request(), {.subprotocol = "chat"}) == errc::none);
    CHECK(out == rfc_response().text());

    std::byte exact[256];
    REQUIRE(out.size() < sizeof exact);
    const auto written =
        wsolo::write_accept_response({exact, out.size()}, handshake.request(), {.subprotocol = "chat"});
    REQUIRE(written);
    CHECK(wsolo::text_of({exact, *written}) == out);
    CHECK(wsolo::write_accept_response({exact, out.size() - 1}, handshake.request(), {.subprotocol = "chat"})
              .error() == errc::buffer_too_small);
}

TEST_CASE("extensions and further fields follow, in order", "[handshake][response]") {
    const server_handshake handshake =
        accepted(rfc_request().with("Sec-WebSocket-Extensions", "x-a; p, x-b"));
    const wsolo::header_field headers[] = {{"Set-Cookie", "a=1"}, {"Set-Cookie", "b=2"}};
    wsolo::byte_buffer out;
    REQUIRE(wsolo::append_accept_response(out, handshake.request(),
                                          {.extensions = "x-b, x-a; p=1", .headers = headers}) == errc::none);
    CHECK(wsolo::text_of(out.view()) == rfc_response()
                                            .without("Sec-WebSocket-Protocol")
                                            .with("Sec-WebSocket-Extensions", "x-b, x-a; p=1")
                                            .with("Set-Cookie", "a=1")
                                            .with("Set-Cookie", "b=2")
                                            .text());
}

TEST_CASE("nothing is agreed to that was not offered", "[handshake][response]") {
    const head offer = rfc_request().with("Sec-WebSocket-Extensions", "x-a; p");
    CHECK(accept_error(offer, {.subprotocol = "superchat", .extensions = "x-a"}) == errc::none);
    CHECK(accept_error(offer, {.subprotocol = "Chat"}) == errc::handshake_unrequested_subprotocol);
    CHECK(accept_error(offer, {.subprotocol = "chat, superchat"}) == errc::handshake_unrequested_subprotocol);
    CHECK(accept_error(offer, {.subprotocol = "chat\r\nX: y"}) == errc::handshake_unrequested_subprotocol);
    CHECK(accept_error(offer, {.extensions = "x-a, x-b"}) == errc::handshake_unrequested_extension);
    CHECK(accept_error(offer, {.extensions = "x-a;"}) == errc::invalid_header_field);
    CHECK(accept_error(offer, {.extensions = " , "}) == errc::invalid_header_field);
    CHECK(accept_error(offer, {.extensions = "x-a\r\nX: y"}) == errc::invalid_header_field);
    const head no_offer = rfc_request().without("Sec-WebSocket-Protocol");
    CHECK(accept_error(no_offer, {.subprotocol = "chat"}) == errc::handshake_unrequested_subprotocol);
    CHECK(accept_error(no_offer, {.extensions = "x-a"}) == errc::handshake_unrequested_extension);
}

TEST_CASE("a field cannot bring a line with it", "[handshake][response]") {
    const wsolo::header_field injected[] = {{"X", "a\r\nSet-Cookie: stolen"}};
    CHECK(accept_error(rfc_request(), {.headers = injected}) == errc::invalid_header_field);
    std::string out = "kept";
    CHECK(wsolo::append_response(out, {.headers = injected}) == errc::invalid_header_field);
    CHECK(wsolo::append_response(out, {.reason = "OK\r\nX: y"}) == errc::invalid_header_field);
    CHECK(wsolo::append_response(out, {.content_type = "text/html\n"}) == errc::invalid_header_field);
    CHECK(out == "kept");
    std::array<std::byte, 256> page{};
    CHECK(wsolo::write_response(page, {.headers = injected}).error() == errc::invalid_header_field);
    CHECK(page == std::array<std::byte, 256>{});
}

TEST_CASE("refusals carry the status and what it demands", "[handshake][response]") {
    CHECK(
        shown(wsolo::rejection(errc::handshake_unsupported_version)) ==
        "HTTP/1.1 426 Upgrade Required\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n" // RFC 6455
                                                                                               // §4.4
        "Connection: Upgrade, close\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 31\r\n\r\n"
        "Sec-WebSocket-Version is not 13");
    const std::string sentence(wsolo::to_string(errc::handshake_method_not_get));
    CHECK(shown(wsolo::rejection(errc::handshake_method_not_get)) ==
          "HTTP/1.1 405 Method Not Allowed\r\nAllow: GET\r\nConnection: close\r\n"
          "Content-Type: text/plain; charset=utf-8\r\nContent-Length: " +
              std::to_string(sentence.size()) + "\r\n\r\n" + sentence);
    CHECK(shown({.status = 599}) == "HTTP/1.1 599 \r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
    CHECK(shown({.status = 403, .reason = "No"}) ==
          "HTTP/1.1 403 No\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
}

TEST_CASE("a page", "[handshake][response]") {
    const std::string page = shown({.content_type = "text/html", .body = "<p>hi"});
    CHECK(
        page ==
        "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Type: text/html\r\nContent-Length: 5\r\n\r\n<p>hi");
    CHECK(shown({.content_type = "text/html", .body = "<p>hi", .omit_body = true}) ==
          page.substr(0, page.size() - 5)); // RFC 9110 §9.3.2: HEAD
    CHECK(shown({.status = 204, .body = "x"}) == "HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n");
    CHECK(shown({.status = 304, .body = "x"}) == "HTTP/1.1 304 \r\nConnection: close\r\n\r\n");
}

TEST_CASE("the usual phrases are those of RFC 9110 §15", "[handshake][response]") {
    struct row {
        int status;
        const char* phrase;
    };
    const row rows[] = {
        {200, "OK"},
        {204, "No Content"},
        {301, "Moved Permanently"},
        {302, "Found"},
        {307, "Temporary Redirect"},
        {308, "Permanent Redirect"},
        {400, "Bad Request"},
        {401, "Unauthorized"},
        {403, "Forbidden"},
        {404, "Not Found"},
        {405, "Method Not Allowed"},
        {408, "Request Timeout"},
        {414, "URI Too Long"},
        {426, "Upgrade Required"},
        {429, "Too Many Requests"},               // RFC 6585 §4
        {431, "Request Header Fields Too Large"}, // RFC 6585 §5
        {500, "Internal Server Error"},
        {503, "Service Unavailable"},
        {505, "HTTP Version Not Supported"},
    };
    for (const row& each : rows) {
        CHECK(shown({.status = each.status})
                  .starts_with("HTTP/1.1 " + std::to_string(each.status) + " " + each.phrase + "\r\n"));
    }
}

TEST_CASE("a connection that stays open does not say that it closes", "[handshake][response]") {
    CHECK(shown({.close = false}) == "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    CHECK(shown({.status = 426, .close = false}).find("\r\nConnection: Upgrade\r\n") != std::string::npos);
    CHECK(shown({.status = 426}).find("\r\nConnection: Upgrade, close\r\n") != std::string::npos);
}

TEST_CASE("an answer fits its request", "[handshake][response]") {
    const http_response page{.content_type = "text/html", .body = "<p>hi", .close = false};
    const auto answer_to = [&](const head& request) {
        const server_handshake handshake = accepted(request);
        std::string out;
        REQUIRE(wsolo::append_response(out, handshake.request(), page) == errc::none);
        std::byte room[1024];
        const auto written = wsolo::write_response(room, handshake.request(), page);
        REQUIRE(written);
        CHECK(wsolo::text_of({room, *written}) == out);
        return out;
    };
    const std::string open = "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 5\r\n\r\n";
    const std::string closes =
        "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Type: text/html\r\nContent-Length: 5\r\n\r\n";
    const head get = head("GET / HTTP/1.1").with("Host", "a");
    CHECK(answer_to(get) == open + "<p>hi");
    CHECK(answer_to(get.start("HEAD / HTTP/1.1")) == open); // RFC 9110 §9.3.2
    CHECK(answer_to(get.start("GET / HTTP/1.0")) == closes + "<p>hi");
    CHECK(answer_to(get.with("Connection", "close")) == closes + "<p>hi"); // RFC 9112 §9.6
    // Its body can't be skipped, and must not be read as a request.
    CHECK(answer_to(get.with("Transfer-Encoding", "chunked")) == closes + "<p>hi");
    // What the caller has decided stands.
    const server_handshake handshake = accepted(get);
    std::string out;
    REQUIRE(wsolo::append_response(out, handshake.request(),
                                   {.body = "x", .omit_body = true, .close = true}) == errc::none);
    CHECK(out == "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Type: text/plain; charset=utf-8\r\n"
                 "Content-Length: 1\r\n\r\n");
}
