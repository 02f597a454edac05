// Would catch: an answer to another key that passes, an agreement on what was never offered, a verdict that
// depends on the split, a refusal whose status and fields cannot be seen, frames lost after the head, an
// endless row of 1xx.

#include <support/catch.hpp>
#include <support/handshake.hpp>

#include <wsolo/handshake/client.hpp>

using namespace handshake_samples;
using wsolo::client_handshake;
using wsolo::errc;
using wsolo::handshake_status;

namespace {

/// RFC 6455 §1.3's nonce.
struct sample_source {
    void fill(wsolo::mutable_bytes to) noexcept {
        const std::string_view sample = "the sample nonce";
        for (std::size_t i = 0; i < to.size(); ++i) to[i] = static_cast<std::byte>(sample[i % sample.size()]);
    }
};

client_handshake started(const wsolo::client_request& request, const wsolo::handshake_limits& limits = {}) {
    client_handshake handshake(limits);
    sample_source source;
    REQUIRE(handshake.start(request, source) == errc::none);
    return handshake;
}

client_handshake started() {
    return started({.host = "server.example.com",
                    .target = "/chat",
                    .subprotocols = "chat, superchat",
                    .extensions = "x-a; p, x-b"});
}

outcome answered(std::string_view text) {
    client_handshake whole = started();
    const outcome seen = feed_whole(whole, text);
    CHECK(first_split_that_matters([] { return started(); }, text) == std::string_view::npos);
    return seen;
}

errc verdict(const head& response) { return answered(response.text()).error; }

} // namespace

TEST_CASE("the answer of RFC 6455 §1.2 is taken, and frames after it are left", "[handshake][client]") {
    const std::string text = rfc_response().text();
    const std::string frame = "\x81\x05Hello"; // RFC 6455 §5.7
    CHECK(answered(text + frame) == outcome{handshake_status::complete, errc::none, text.size()});
    client_handshake handshake = started();
    CHECK_FALSE(handshake.has_response());
    std::string all = text + frame;
    wsolo::mutable_bytes input{reinterpret_cast<std::byte*>(all.data()), all.size()};
    CHECK(handshake.feed(input) == handshake_status::complete);
    CHECK(wsolo::text_of(input) == frame);
    REQUIRE(handshake.has_response());
    CHECK(handshake.response().status() == 101);
    CHECK(handshake.response().reason() == "Switching Protocols");
    CHECK(handshake.response().http_version() == wsolo::http_version::v1_1);
    CHECK(handshake.response().subprotocol() == "chat");
    CHECK(handshake.response().extensions().empty());
    CHECK(handshake.feed(input) == handshake_status::complete);
    CHECK(input.size() == frame.size());
}

TEST_CASE("the request is kept whole and needs nothing of the caller's", "[handshake][client]") {
    client_handshake handshake;
    {
        std::string host = "server.example.com";
        std::string offers = "chat";
        sample_source source;
        REQUIRE(handshake.start({.host = host, .subprotocols = offers}, source) == errc::none);
        host.assign(host.size(), '#');
        offers.assign(offers.size(), '#');
    }
    const client_handshake moved = std::move(handshake);
    client_handshake again = started({.host = "server.example.com", .subprotocols = "chat"});
    CHECK(wsolo::text_of(moved.request()) == wsolo::text_of(again.request()));
    CHECK(feed_whole(again, rfc_response().text()).status == handshake_status::complete);
}

TEST_CASE("each rule of RFC 6455 §4.1 for the answer has its errc", "[handshake][client]") {
    struct row {
        head response;
        errc error;
    };
    const head good = rfc_response();
    const std::string accept = "Sec-WebSocket-Accept";
    const std::string protocol = "Sec-WebSocket-Protocol";
    const std::string extensions = "Sec-WebSocket-Extensions";
    const row rows[] = {
        // point 1
        {good.start("HTTP/1.1 200 OK"), errc::handshake_unexpected_status},
        {good.start("HTTP/1.1 426 Upgrade Required"), errc::handshake_unexpected_status},
        {good.start("HTTP/1.0 503 Busy"), errc::handshake_unexpected_status},
        {good.start("HTTP/1.0 101 Switching Protocols"), errc::handshake_http_version},
        {good.start("HTTP/1.1 101 "), errc::none},
        {good.start("HTTP/1.1 101"), errc::none},
        // point 2
        {good.without("Upgrade"), errc::handshake_missing_upgrade},
        {good.replace("Upgrade", "h2c"), errc::handshake_missing_upgrade},
        {good.replace("Upgrade", "websocket, h2c"), errc::handshake_missing_upgrade},
        {good.replace("Upgrade", "WebSocket"), errc::none},
        {good.with("Upgrade", "websocket"), errc::handshake_duplicate_upgrade},
        // point 3
        {good.without("Connection"), errc::handshake_missing_connection},
        {good.replace("Connection", "close"), errc::handshake_missing_connection},
        {good.replace("Connection", "keep-alive, upgrade"), errc::none},
        {good.replace("Connection", "keep-alive").with("Connection", "Upgrade"), errc::none},
        {good.replace("Connection", "Upgrade, a b"), errc::handshake_invalid_connection},
        // point 4
        {good.without(accept), errc::handshake_invalid_accept},
        {good.replace(accept, ""), errc::handshake_invalid_accept},
        {good.replace(accept, "S3pPLMBiTxaQ9kYGzzhZRbK+xOo="), errc::handshake_invalid_accept},
        {good.replace(accept, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo"), errc::handshake_invalid_accept},
        {good.replace(accept, " \ts3pPLMBiTxaQ9kYGzzhZRbK+xOo=\t "),
         errc::none}, // "ignoring any ... whitespace"
        {good.with(accept, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="), errc::handshake_duplicate_accept},
        // point 5
        {good.with(extensions, "x-b, x-a; q=1"), errc::none},
        {good.with(extensions, "x-c"), errc::handshake_unrequested_extension},
        {good.with(extensions, "x-a, permessage-deflate"), errc::handshake_unrequested_extension},
        {good.with(extensions, "x-a;"), errc::handshake_invalid_extension},
        {good.with(extensions, ""), errc::handshake_invalid_extension},
        {good.with(extensions, "x-a").with(extensions, "x-b"),
         errc::handshake_duplicate_extensions}, // §11.3.2
        // point 6
        {good.without(protocol), errc::none},
        {good.replace(protocol, "superchat"), errc::none},
        {good.replace(protocol, "Chat"), errc::handshake_unrequested_subprotocol},
        {good.replace(protocol, ""), errc::handshake_unrequested_subprotocol},
        {good.replace(protocol, "chat, superchat"), errc::handshake_unrequested_subprotocol},
        {good.with(protocol, "chat"), errc::handshake_duplicate_subprotocol}, // §11.3.4
        // RFC 9112 §5.2: a folded field
        {good.replace(accept, "\r\n s3pPLMBiTxaQ9kYGzzhZRbK+xOo="), errc::none},
        {good.replace("Connection", "keep-alive,\r\n\tUpgrade"), errc::none},
        {good.replace(protocol, "chat\r\n superchat"), errc::handshake_unrequested_subprotocol},
        // A 101 ends at its empty line whatever it says of a body (RFC 9112 §6.3).
        {good.with("Content-Length", "0"), errc::none},
    };
    for (const row& each : rows) {
        INFO(each.response.text());
        CHECK(verdict(each.response) == each.error);
    }
}

TEST_CASE("a client that offered nothing takes nothing", "[handshake][client]") {
    client_handshake handshake = started({.host = "a"});
    CHECK(feed_whole(handshake, rfc_response().text()).error == errc::handshake_unrequested_subprotocol);
    client_handshake other = started({.host = "a"});
    CHECK(feed_whole(
              other,
              rfc_response().without("Sec-WebSocket-Protocol").with("Sec-WebSocket-Extensions", "x-a").text())
              .error == errc::handshake_unrequested_extension);
    client_handshake plain = started({.host = "a"});
    CHECK(feed_whole(plain, rfc_response().without("Sec-WebSocket-Protocol").text()).status ==
          handshake_status::complete);
}

TEST_CASE("what is offered in further fields' text is not mistaken for an offer", "[handshake][client]") {
    const wsolo::header_field headers[] = {{"X-Note", "Sec-WebSocket-Protocol: chat"}};
    client_handshake handshake = started({.host = "a", .headers = headers});
    CHECK(feed_whole(handshake, rfc_response().text()).error == errc::handshake_unrequested_subprotocol);
}

TEST_CASE("a refusal's status, fields and body can be read", "[handshake][client]") {
    const std::string body = "moved";
    const std::string text =
        "HTTP/1.1 307 Temporary Redirect\r\nLocation: wss://b/chat\r\nContent-Length: 5\r\n\r\n";
    client_handshake handshake = started();
    const outcome seen = feed_whole(handshake, text + body);
    CHECK(seen == outcome{handshake_status::failed, errc::handshake_unexpected_status, text.size()});
    REQUIRE(handshake.has_response());
    CHECK(handshake.response().status() == 307);
    CHECK(handshake.response().header("location") == std::string_view("wss://b/chat"));
}

TEST_CASE("interim answers are passed over, within the size limit", "[handshake][client]") {
    const std::string interim = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n";
    const std::string text = interim + rfc_response().text();
    CHECK(answered(text + "x") ==
          outcome{handshake_status::complete, errc::none, text.size()}); // RFC 9110 §15.2
    client_handshake exact = started({.host = "a", .subprotocols = "chat"}, {.max_size = text.size()});
    CHECK(feed_whole(exact, text).status == handshake_status::complete);
    client_handshake smaller = started({.host = "a", .subprotocols = "chat"}, {.max_size = text.size() - 1});
    CHECK(feed_whole(smaller, text) ==
          outcome{handshake_status::failed, errc::handshake_too_large, text.size()});
    CHECK(answered(interim + "HTTP/1.1 200 OK\r\n\r\n").error == errc::handshake_unexpected_status);
}

TEST_CASE("an answer that is cut off is incomplete", "[handshake][client]") {
    const std::string text = rfc_response().text();
    for (std::size_t size = 0; size < text.size(); ++size) {
        client_handshake handshake = started();
        feed_whole(handshake, text.substr(0, size));
        CHECK(handshake.end_of_input() == handshake_status::failed);
        CHECK(handshake.error() == errc::handshake_incomplete);
    }
    client_handshake whole = started();
    feed_whole(whole, text);
    CHECK(whole.end_of_input() == handshake_status::complete);
    client_handshake between = started(); // after an interim answer
    feed_whole(between, "HTTP/1.1 100 Continue\r\n\r\n");
    CHECK(between.end_of_input() == handshake_status::failed);
}

TEST_CASE("a long answer costs its length, not its length times the request's", "[handshake][client]") {
    // Each extension once walked the request that had offered it (see are_all_offered).
    std::vector<std::string> names;
    for (int i = 0; i < 90; ++i) names.push_back("X-Field-" + std::to_string(i));
    std::vector<wsolo::header_field> fields;
    for (const std::string& name : names) fields.push_back({name, "value"});
    client_handshake handshake =
        started({.host = "a", .subprotocols = "chat", .extensions = "x-a", .headers = fields});
    std::string many = "x-a";
    while (many.size() < 8000) many += ",x-a";
    CHECK(feed_whole(handshake, rfc_response().with("Sec-WebSocket-Extensions", many).text()).status ==
          handshake_status::complete);
}

TEST_CASE("what is not HTTP fails at its byte", "[handshake][client]") {
    CHECK(answered("\x15\x03\x01") ==
          outcome{handshake_status::failed, errc::handshake_invalid_character, 1});
    CHECK(answered("HTTP/1.1 101 x\n") ==
          outcome{handshake_status::failed, errc::handshake_invalid_line_end, 15});
    CHECK(answered("GET / HTTP/1.1\r\n\r\n") ==
          outcome{handshake_status::failed, errc::handshake_invalid_start_line, 16});
    client_handshake handshake = started();
    CHECK(feed_whole(handshake, "\n").status == handshake_status::failed);
    CHECK_FALSE(handshake.has_response());
    CHECK(feed_whole(handshake, rfc_response().text()).taken == 0);
}

TEST_CASE("a request that cannot be made leaves nothing to send", "[handshake][client]") {
    client_handshake handshake = started();
    wsolo::random_keys source;
    CHECK(handshake.start({.host = "a b"}, source) == errc::invalid_header_field);
    CHECK(handshake.request().empty());
    CHECK(handshake.status() == handshake_status::failed);
    CHECK(handshake.error() == errc::invalid_header_field);
    CHECK(handshake.start({.host = "a"}, source) == errc::none);
    CHECK(handshake.status() == handshake_status::need_more);
    CHECK(handshake.error() == errc::none);
}

TEST_CASE("each start has its own key, and only its own answer will do", "[handshake][client]") {
    client_handshake handshake;
    wsolo::random_keys source;
    REQUIRE(handshake.start({.host = "a", .subprotocols = "chat"}, source) == errc::none);
    const std::string first(wsolo::text_of(handshake.request()));
    REQUIRE(handshake.start({.host = "a", .subprotocols = "chat"}, source) == errc::none);
    CHECK(first != wsolo::text_of(handshake.request()));
    CHECK(feed_whole(handshake, rfc_response().text()).error == errc::handshake_invalid_accept);
}
