// Would catch: an answer that is judged otherwise when another parser found it, HTTP/1.1's way taken over
// HTTP/2 or the other way round, what was not offered taken, characters that a lenient parser let through.

#include <support/catch.hpp>
#include <support/handshake.hpp>

#include <wsolo/handshake/client.hpp>

using namespace handshake_samples;
using wsolo::errc;
using wsolo::header_field;
using wsolo::http_answer;
using wsolo::http_version;
using wsolo::upgrade_offer;

namespace {

const upgrade_offer offer{
    .key = "dGhlIHNhbXBsZSBub25jZQ==", .subprotocols = "chat, superchat", .extensions = "x-a; p, x-b"};

const std::vector<header_field> rfc_fields{{"Upgrade", "websocket"},
                                           {"Connection", "Upgrade"},
                                           {"Sec-WebSocket-Accept", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="},
                                           {"Sec-WebSocket-Protocol", "chat"}};

std::vector<header_field> with(std::vector<header_field> fields, std::string_view name,
                               std::string_view value) {
    fields.push_back({name, value});
    return fields;
}

errc verdict(int status, const std::vector<header_field>& fields, http_version version = http_version::v1_1) {
    return wsolo::judge(http_answer{.status = status, .version = version, .fields = fields}, offer).error();
}

} // namespace

TEST_CASE("an answer that another client's parser found", "[handshake][client_judge]") {
    const auto judged = wsolo::judge(http_answer{.status = 101, .fields = rfc_fields}, offer);
    REQUIRE(judged);
    CHECK(judged->subprotocol() == "chat");
    CHECK(judged->status() == 101);
    CHECK(judged->extensions().empty());
    CHECK(judged->header("upgrade") == std::string_view("websocket"));
    CHECK(verdict(200, rfc_fields) == errc::handshake_unexpected_status);
    CHECK(verdict(101, rfc_fields, http_version::v1_0) == errc::handshake_http_version);
    CHECK(verdict(101, with(rfc_fields, "sec-websocket-protocol", "chat")) ==
          errc::handshake_duplicate_subprotocol);
    CHECK(verdict(101, with(rfc_fields, "sec-websocket-extensions", " x-b; q ")) == errc::none);
    CHECK(verdict(101, with(rfc_fields, "sec-websocket-extensions", "x-c")) ==
          errc::handshake_unrequested_extension);
    CHECK(verdict(101, with(rfc_fields, "X", "a\r\nb")) == errc::handshake_invalid_character);
    CHECK(verdict(101, with(rfc_fields, "", "a")) == errc::handshake_invalid_field_line);
    CHECK(verdict(101, {}) == errc::handshake_missing_upgrade);
    const auto with_reason = [](std::string_view reason) {
        return wsolo::judge(http_answer{.status = 101, .fields = rfc_fields, .reason = reason}, offer)
            .error();
    };
    CHECK(with_reason("Switching Protocols") == errc::none);
    CHECK(with_reason("a\r\nX: y") == errc::handshake_invalid_start_line);
    upgrade_offer other = offer;
    other.key = "x3JJHMbDL1EzLkh9GBhXDw==";
    CHECK(wsolo::judge(http_answer{.status = 101, .fields = rfc_fields}, other).error() ==
          errc::handshake_invalid_accept);
}

TEST_CASE("the byte parser and judge() say the same of each answer", "[handshake][client_judge]") {
    std::size_t judged = 0;
    for (const char* name : {"Upgrade", "Connection", "Sec-WebSocket-Accept", "Sec-WebSocket-Protocol",
                             "Sec-WebSocket-Extensions", "X-Other"}) {
        for (const char* value :
             {"", "websocket", "Upgrade", "chat", "superchat", "x-a", "x-a; p=1, x-b", "x-c", "a b",
              "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=", "upgrade, WebSocket", "caf\xc3\xa9"}) {
            for (const bool replaced : {true, false}) {
                const head answer =
                    replaced ? rfc_response().replace(name, value) : rfc_response().with(name, value);
                wsolo::client_handshake client;
                std::array<std::byte, 16> nonce{};
                const std::string_view sample = "the sample nonce";
                for (std::size_t i = 0; i < nonce.size(); ++i) nonce[i] = static_cast<std::byte>(sample[i]);
                REQUIRE(client.start(
                            {.host = "a", .subprotocols = offer.subprotocols, .extensions = offer.extensions},
                            wsolo::make_client_key(nonce)) == errc::none);
                const errc by_bytes = feed_whole(client, answer.text()).error;
                REQUIRE(client.has_response());
                const std::string text = answer.text();
                std::vector<header_field> fields;
                for (const header_field& field : client.response().headers()) fields.push_back(field);
                INFO(text);
                CHECK(verdict(client.response().status(), fields) == by_bytes);
                ++judged;
            }
        }
    }
    CHECK(judged == 6 * 12 * 2);
}

TEST_CASE("HTTP/2 and HTTP/3 open with any 2xx, and without a key", "[handshake][client_judge]") {
    const std::vector<header_field> fields{{"sec-websocket-protocol", "chat"}}; // RFC 8441 §5.1
    for (const http_version version : {http_version::v2, http_version::v3}) {
        CHECK(verdict(200, fields, version) == errc::none);
        CHECK(verdict(204, {}, version) == errc::none);
        CHECK(verdict(299, {}, version) == errc::none);
        CHECK(verdict(101, fields, version) == errc::handshake_unexpected_status);
        CHECK(verdict(300, fields, version) == errc::handshake_unexpected_status);
        CHECK(verdict(199, fields, version) == errc::handshake_unexpected_status);
        CHECK(verdict(501, fields, version) == errc::handshake_unexpected_status);
        CHECK(verdict(200, rfc_fields, version) == errc::handshake_invalid_field_line); // RFC 9113 §8.2.1
        CHECK(verdict(200, with(fields, "sec-websocket-accept", "anything"), version) == errc::none);
        CHECK(verdict(200, with(fields, "sec-websocket-extensions", "x-c"), version) ==
              errc::handshake_unrequested_extension);
        CHECK(verdict(200, with({}, "sec-websocket-protocol", "other"), version) ==
              errc::handshake_unrequested_subprotocol);
        CHECK(verdict(200, with(fields, "sec-websocket-protocol", "chat"), version) ==
              errc::handshake_duplicate_subprotocol);
    }
}
