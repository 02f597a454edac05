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
    CHECK(
        shown(wsolo::rejection(errc::handshake_method_not_get)) ==
        "HTTP/1.1 405 Method Not Allowed\r\nConnection: close\r\nContent-Type: text/plain; charset=utf-8\r\n"
        "Content-Length: 33\r\nAllow: GET\r\n\r\nthe handshake's method is not GET");
    CHECK(shown({.status = 599}) == "HTTP/1.1 599 \r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
    CHECK(shown({.status = 403, .reason = "No"}) ==
          "HTTP/1.1 403 No\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
}

TEST_CASE("each errc has its status", "[handshake][response]") {
    struct row {
        errc why;
        int status;
    };
    const row rows[] = {
        {errc::handshake_malformed, 400},
        {errc::handshake_invalid_character, 400},
        {errc::handshake_invalid_line_end, 400},
        {errc::handshake_invalid_start_line, 400},
        {errc::handshake_invalid_field_line, 400},
        {errc::handshake_obsolete_folding, 400},
        {errc::handshake_missing_host, 400},
        {errc::handshake_missing_connection, 400},
        {errc::handshake_missing_key, 400},
        {errc::handshake_invalid_key, 400},
        {errc::handshake_duplicate_header, 400},
        {errc::handshake_unexpected_body, 400},
        {errc::handshake_origin_refused, 403},
        {errc::handshake_method_not_get, 405},
        {errc::handshake_timeout, 408},
        {errc::handshake_missing_upgrade, 426},
        {errc::handshake_unsupported_version, 426},
        {errc::handshake_line_too_long, 431},
        {errc::handshake_too_many_headers, 431},
        {errc::handshake_too_large, 431},
        {errc::out_of_memory, 500},
        {errc::closed, 503},
        {errc::queue_full, 503},
        {errc::handshake_http_version, 505},
    };
    for (const row& each : rows) {
        INFO(wsolo::name_of(each.why));
        CHECK(wsolo::http_status_for(each.why) == each.status);
        CHECK(wsolo::rejection(each.why).body == wsolo::to_string(each.why));
        CHECK_FALSE(wsolo::detail::usual_reason(each.status).empty());
    }
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
