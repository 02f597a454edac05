// Would catch: a status that is not the RFC's, an acceptance that lacks a field or has one of another HTTP, a
// field that HTTP/2 forbids, a view that dies when the answer is copied, a choice that was never offered.

#include <support/catch.hpp>
#include <support/handshake.hpp>

#include <wsolo/handshake/judge.hpp>
#include <wsolo/handshake/response.hpp>

using namespace handshake_samples;
using wsolo::errc;
using wsolo::header_field;
using wsolo::http_request;
using wsolo::http_version;
using wsolo::upgrade_answer;

namespace {

std::string shown(const upgrade_answer& answer) {
    std::string out = std::to_string(answer.status());
    for (const header_field field : answer) {
        out += "|" + std::string(field.name) + "=" + std::string(field.value);
    }
    return out;
}

const header_field rfc_fields[] = {{"Host", "server.example.com"},
                                   {"Upgrade", "websocket"},
                                   {"Connection", "Upgrade"},
                                   {"Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="},
                                   {"Sec-WebSocket-Protocol", "chat, superchat"},
                                   {"Sec-WebSocket-Extensions", "x-a; p, x-b"},
                                   {"Sec-WebSocket-Version", "13"}};

const header_field connect_fields[] = {{"sec-websocket-protocol", "chat, superchat"},
                                       {"sec-websocket-extensions", "x-a"},
                                       {"sec-websocket-version", "13"}};

http_request connect(http_version version) {
    return {.method = "CONNECT",
            .target = "/chat",
            .version = version,
            .fields = connect_fields,
            .protocol = "websocket",
            .scheme = "https",
            .authority = "server.example.com"};
}

} // namespace

TEST_CASE("a request that another server parsed is accepted without a byte", "[handshake][answer]") {
    const auto asked = wsolo::judge(http_request{.target = "/chat", .fields = rfc_fields});
    REQUIRE(asked);
    REQUIRE(asked->is_upgrade());
    const auto answer = wsolo::accept_answer(*asked, {.subprotocol = "chat", .extensions = "x-a"});
    REQUIRE(answer);
    const std::string expected =
        "101|Upgrade=websocket|Connection=Upgrade|Sec-WebSocket-Accept="
        "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=|Sec-WebSocket-Protocol=chat|Sec-WebSocket-Extensions=x-a";
    CHECK(shown(*answer) == expected);
    const upgrade_answer copy = *answer;
    CHECK(shown(copy) == expected);
    CHECK(copy[2].value.data() != (*answer)[2].value.data()); // each keeps its own
    CHECK(copy.text().empty());
    CHECK(shown(*wsolo::accept_answer(*asked)) ==
          "101|Upgrade=websocket|Connection=Upgrade|Sec-WebSocket-Accept=s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
}

TEST_CASE("the bytes of an answer are the answer's fields", "[handshake][answer]") {
    const auto asked = wsolo::judge(http_request{.target = "/chat", .fields = rfc_fields});
    REQUIRE(asked);
    std::string bytes;
    REQUIRE(wsolo::append_accept_response(bytes, *asked, {.subprotocol = "chat"}) == errc::none);
    CHECK(bytes == rfc_response().text());
}

TEST_CASE("over HTTP/2 and HTTP/3 it is 200, in lower case, without the connection's fields",
          "[handshake][answer]") {
    for (const http_version version : {http_version::v2, http_version::v3}) {
        const auto asked = wsolo::judge(connect(version));
        REQUIRE(asked);
        const auto answer = wsolo::accept_answer(*asked, {.subprotocol = "superchat", .extensions = "x-a"});
        REQUIRE(answer);
        CHECK(shown(*answer) == "200|sec-websocket-protocol=superchat|sec-websocket-extensions=x-a");
        CHECK(shown(*wsolo::accept_answer(*asked)) == "200");
        CHECK(wsolo::accept_answer(*asked, {.subprotocol = "other"}).error() ==
              errc::handshake_unrequested_subprotocol);
        // RFC 9110 §15.5.22: 426 MUST send Upgrade, which HTTP/2 may not (RFC 9113 §8.2.2)
        CHECK(shown(wsolo::refusal_answer(errc::handshake_unsupported_version, version)) ==
              "400|sec-websocket-version=13");
        CHECK(shown(wsolo::refusal_answer(errc::handshake_missing_upgrade, version)) == "400");
        CHECK(shown(wsolo::refusal_answer(errc::handshake_origin_refused, version)) == "403");
        CHECK(shown(wsolo::refusal_answer(errc::handshake_method_not_get, version)) ==
              "405|allow=CONNECT"); // RFC 9110 §15.5.6
    }
}

TEST_CASE("a refusal of HTTP/1.1 carries what its status owes", "[handshake][answer]") {
    CHECK(shown(wsolo::refusal_answer(errc::handshake_unsupported_version)) ==
          "426|Upgrade=websocket|Sec-WebSocket-Version=13|Connection=Upgrade");
    CHECK(shown(wsolo::refusal_answer(errc::handshake_method_not_get)) == "405|Allow=GET");
    CHECK(shown(wsolo::refusal_answer(errc::handshake_invalid_key)) == "400");
    CHECK(wsolo::refusal_answer(errc::handshake_invalid_key).text() ==
          "Sec-WebSocket-Key is not the Base64 form of 16 bytes");
}

TEST_CASE("what is not offered is not agreed to", "[handshake][answer]") {
    const auto asked = wsolo::judge(http_request{.target = "/chat", .fields = rfc_fields});
    REQUIRE(asked);
    const auto error_of = [&](const wsolo::accept_options& options) {
        return wsolo::accept_answer(*asked, options).error();
    };
    CHECK(error_of({.subprotocol = "Chat"}) == errc::handshake_unrequested_subprotocol);
    CHECK(error_of({.extensions = "x-b, x-a; p=1"}) == errc::none);
    CHECK(error_of({.extensions = "x-c"}) == errc::handshake_unrequested_extension);
    CHECK(error_of({.extensions = "x-a;"}) == errc::invalid_header_field);
    const header_field own[] = {{"Upgrade", "h2c"}};
    CHECK(error_of({.headers = own}) == errc::invalid_header_field);
}

TEST_CASE("each errc has its status", "[handshake][answer]") {
    struct row {
        errc why;
        int status;
    };
    const row rows[] = {
        {errc::handshake_invalid_host, 400},
        {errc::handshake_invalid_target, 400},
        {errc::handshake_incomplete, 400},
        {errc::connection_lost, 400}, // RFC 9112 §8: a request cut off
        {errc::handshake_connection_field, 400},
        {errc::handshake_invalid_character, 400},
        {errc::handshake_invalid_line_end, 400},
        {errc::handshake_invalid_start_line, 400},
        {errc::handshake_invalid_field_line, 400},
        {errc::handshake_obsolete_folding, 400},
        {errc::handshake_missing_host, 400},
        {errc::handshake_missing_connection, 400},
        {errc::handshake_missing_key, 400},
        {errc::handshake_invalid_key, 400},
        {errc::handshake_duplicate_key, 400},
        {errc::handshake_unexpected_body, 400},
        {errc::handshake_origin_refused, 403},
        {errc::handshake_method_not_get, 405},
        {errc::handshake_timeout, 408},
        {errc::handshake_target_too_long, 414}, // RFC 9112 §3
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
        const wsolo::upgrade_answer answer = wsolo::refusal_answer(each.why);
        CHECK(answer.status() == each.status);
        CHECK(answer.text() == wsolo::to_string(each.why));
    }
}
