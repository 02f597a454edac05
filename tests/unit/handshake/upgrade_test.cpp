// Would catch: two sides that agree with the RFC's examples but not with each other.

#include <support/catch.hpp>
#include <support/handshake.hpp>

#include <wsolo/handshake/upgrade.hpp>

using namespace handshake_samples;
using wsolo::errc;
using wsolo::handshake_status;

TEST_CASE("client and server shake hands, each fed in every chunk size", "[handshake][upgrade]") {
    const wsolo::header_field cookie[] = {{"Cookie", "session=1"}};
    wsolo::random_keys source;
    for (std::size_t chunk = 1; chunk < 400; ++chunk) {
        wsolo::client_handshake client;
        REQUIRE(client.start({.host = "localhost:9001",
                              .target = "/chat?room=1",
                              .origin = "http://localhost:9001",
                              .subprotocols = "v2, v1",
                              .extensions = "x-zip; level=9, x-log",
                              .headers = cookie},
                             source) == errc::none);

        wsolo::server_handshake server;
        const std::string asked(wsolo::text_of(client.request()));
        REQUIRE(feed_in_chunks(server, asked + "early frame", [&] { return chunk; }) ==
                outcome{handshake_status::complete, errc::none, asked.size()});
        const wsolo::upgrade_request request = server.request();
        CHECK(request.resource_name() == "/chat?room=1");
        CHECK(request.header("cookie") == std::string_view("session=1"));
        REQUIRE(wsolo::check_origin(request, [&](auto) { return wsolo::is_same_origin(request); }) ==
                errc::none);

        const std::string_view extension =
            wsolo::choose_extension(request, [](const wsolo::extension& offer) {
                return offer.name() == "x-log" ? "x-log; on" : "";
            });
        std::string answer;
        REQUIRE(
            wsolo::append_accept_response(answer, request,
                                          {.subprotocol = wsolo::choose_subprotocol(request, {"v1", "v3"}),
                                           .extensions = extension}) == errc::none);

        REQUIRE(feed_in_chunks(client, answer + "first frame", [&] { return chunk; }) ==
                outcome{handshake_status::complete, errc::none, answer.size()});
        CHECK(client.response().subprotocol() == "v1");
        REQUIRE(client.response().extensions().find("x-log"));
        CHECK(client.response().extensions().find("x-log")->param("on"));
    }
}

TEST_CASE("what the server refuses, the client sees refused, with the reason", "[handshake][upgrade]") {
    struct row {
        head request;
        int status;
    };
    const row rows[] = {
        {rfc_request().replace("Sec-WebSocket-Version", "8"), 426},
        {rfc_request().replace("Sec-WebSocket-Key", "short"), 400},
        {rfc_request().start("POST /chat HTTP/1.1"), 405},
        {rfc_request().start("GET /chat HTTP/4.0"), 505},
        {rfc_request().start("GET /" + std::string(9000, 'x') + " HTTP/1.1"), 414},
        {rfc_request().with("X-Long", std::string(9000, 'x')), 431},
    };
    wsolo::random_keys source;
    for (const row& each : rows) {
        wsolo::server_handshake server;
        REQUIRE(feed_whole(server, each.request.text()).status == handshake_status::failed);
        std::string answer;
        REQUIRE(wsolo::append_response(answer, wsolo::rejection(server.error())) == errc::none);

        wsolo::client_handshake client;
        REQUIRE(client.start({.host = "a"}, source) == errc::none);
        const outcome seen = feed_whole(client, answer);
        CHECK(seen.error == errc::handshake_unexpected_status);
        CHECK(client.response().status() == each.status);
        CHECK(answer.substr(seen.taken) == wsolo::to_string(server.error()));
        CHECK(client.response().header("Content-Length") == std::to_string(answer.size() - seen.taken));
        CHECK((client.response().header("Sec-WebSocket-Version") == std::string_view("13")) ==
              (each.status == 426));
    }
}
