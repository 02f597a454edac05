// Would catch: a request that passes in one split and fails in another, first frames lost after the head,
// a plain page request that is refused, a failure that can be fed away, a view that dies before its parser,
// a body that is read as the next request.

#include <support/catch.hpp>
#include <support/handshake.hpp>

#include <wsolo/handshake/server.hpp>

using namespace handshake_samples;
using wsolo::errc;
using wsolo::handshake_status;
using wsolo::server_handshake;

namespace {

outcome fed(std::string_view text) {
    server_handshake whole;
    const outcome seen = feed_whole(whole, text);
    CHECK(first_split_that_matters([] { return server_handshake(); }, text) == std::string_view::npos);
    return seen;
}

} // namespace

TEST_CASE("the handshake of RFC 6455 §1.2 is complete at its last byte", "[handshake][server]") {
    const std::string text = rfc_request().text();
    server_handshake handshake;
    CHECK_FALSE(handshake.has_request());
    const std::string all_but_one = text.substr(0, text.size() - 1);
    CHECK(feed_bytewise(handshake, all_but_one).status == handshake_status::need_more);
    CHECK(handshake.status() == handshake_status::need_more);
    CHECK(handshake.error() == errc::none);
    CHECK(feed_whole(handshake, "\n").status == handshake_status::complete);
    REQUIRE(handshake.has_request());
    CHECK(handshake.request().is_upgrade());
    CHECK(handshake.request().resource_name() == "/chat");
    CHECK(fed(text) == outcome{handshake_status::complete, errc::none, text.size()});
}

TEST_CASE("frames sent after the head stay in the input, in every split", "[handshake][server]") {
    const std::string head_text = rfc_request().text();
    const std::string frame = "\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58"; // RFC 6455 §5.7, masked "Hello"
    CHECK(fed(head_text + frame).taken == head_text.size());
    std::string text = head_text + frame;
    wsolo::mutable_bytes input{reinterpret_cast<std::byte*>(text.data()), text.size()};
    server_handshake handshake;
    CHECK(handshake.feed(input) == handshake_status::complete);
    CHECK(wsolo::text_of(input) == frame);
    CHECK(handshake.feed(input) == handshake_status::complete);
    CHECK(input.size() == frame.size());
}

TEST_CASE("a plain request is complete too, and its body stays in the input", "[handshake][server]") {
    server_handshake handshake;
    const std::string head_text = "POST /form HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n";
    CHECK(feed_whole(handshake, head_text + "hello") ==
          outcome{handshake_status::complete, errc::none, head_text.size()});
    CHECK_FALSE(handshake.request().is_upgrade());
    CHECK(handshake.request().method() == "POST");
    CHECK(fed("GET / HTTP/1.0\r\n\r\n").status == handshake_status::complete);
}

TEST_CASE("a bad upgrade fails and can still be looked at; a bad head cannot", "[handshake][server]") {
    server_handshake handshake;
    const std::string text = rfc_request().replace("Sec-WebSocket-Version", "8").text();
    CHECK(feed_whole(handshake, text) ==
          outcome{handshake_status::failed, errc::handshake_unsupported_version, text.size()});
    REQUIRE(handshake.has_request());
    CHECK(handshake.request().version() == "8");

    server_handshake broken;
    CHECK(feed_whole(broken, "GET / HTTP/1.1\r\nA : b\r\n").error == errc::handshake_invalid_field_line);
    CHECK_FALSE(broken.has_request());
    CHECK(feed_whole(broken, rfc_request().text()) ==
          outcome{handshake_status::failed, errc::handshake_invalid_field_line, 0});
}

TEST_CASE("failures do not depend on the split", "[handshake][server]") {
    CHECK(fed(rfc_request().without("Host").text()).error == errc::handshake_missing_host);
    CHECK(fed(rfc_request().with("Content-Length", "9").text() + "smuggled!").error ==
          errc::handshake_unexpected_body);
    CHECK(fed(rfc_request().with("Transfer-Encoding", "chunked").with("Content-Length", "0").text() +
              "0\r\n\r\nGET /admin HTTP/1.1\r\n\r\n")
              .error == errc::handshake_ambiguous_length);
    CHECK(fed("GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding\r\n : chunked\r\n\r\n").error ==
          errc::handshake_invalid_field_line);
}

TEST_CASE("limits reach the head", "[handshake][server]") {
    const std::string text = rfc_request().text();
    server_handshake exact({.max_line_size = 64, .max_headers = 7, .max_size = text.size()});
    CHECK(feed_whole(exact, text).status == handshake_status::complete);
    server_handshake fewer({.max_headers = 6});
    CHECK(feed_whole(fewer, text).error == errc::handshake_too_many_headers);
    server_handshake smaller({.max_size = text.size() - 1});
    CHECK(feed_whole(smaller, text).error == errc::handshake_too_large);
    server_handshake narrower({.max_line_size = 44});
    CHECK(feed_whole(narrower, text).error == errc::handshake_line_too_long);
}

TEST_CASE("the request survives a move of its handshake", "[handshake][server]") {
    server_handshake handshake;
    REQUIRE(feed_whole(handshake, rfc_request().text()).status == handshake_status::complete);
    const wsolo::upgrade_request before = handshake.request();
    const server_handshake moved = std::move(handshake);
    CHECK(before.host() == "server.example.com");
    CHECK(moved.request().key().data() == before.key().data());
}

TEST_CASE("a handshake that was moved from begins anew", "[handshake][server]") {
    const std::string post = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n";
    const auto check_anew = [](server_handshake& left) {
        CHECK(left.status() == handshake_status::need_more);
        CHECK(left.error() == errc::none);
        CHECK_FALSE(left.has_request());
        CHECK_FALSE(left.has_begun());
        CHECK(feed_whole(left, rfc_request().text()).status == handshake_status::complete);
        CHECK(left.request().is_upgrade());
    };
    server_handshake complete;
    REQUIRE(feed_whole(complete, post).status == handshake_status::complete);
    server_handshake taken = std::move(complete);
    check_anew(complete);
    taken.reset(); // five bytes of a body are to be skipped
    server_handshake skips;
    skips = std::move(taken);
    check_anew(taken);
    CHECK(feed_whole(skips, "12345" + post).status == handshake_status::complete);
    server_handshake failed;
    REQUIRE(feed_whole(failed, "GET\r\n").status == handshake_status::failed);
    const server_handshake fails = std::move(failed);
    CHECK(fails.error() == errc::handshake_invalid_start_line);
    check_anew(failed);
    server_handshake half;
    feed_whole(half, "GET / HT");
    server_handshake rest = std::move(half);
    check_anew(half);
    CHECK(feed_whole(rest, "TP/1.1\r\nHost: a\r\n\r\n").status == handshake_status::complete);
}

TEST_CASE("a connection that ends between two requests cut nothing off", "[handshake][server]") {
    server_handshake handshake;
    CHECK_FALSE(handshake.has_begun());
    feed_whole(handshake, "P");
    CHECK(handshake.has_begun());
    feed_whole(handshake, "OST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n");
    CHECK(handshake.has_begun());
    handshake.reset();
    CHECK(handshake.has_begun()); // the body is
    feed_whole(handshake, "1");
    CHECK(handshake.has_begun());
    feed_whole(handshake, "2");
    CHECK_FALSE(handshake.has_begun());
    feed_whole(handshake, "\r\n"); // RFC 9112 §2.2: may precede a request
    CHECK_FALSE(handshake.has_begun());
    CHECK(handshake.end_of_input() == handshake_status::failed);
    CHECK_FALSE(handshake.has_begun());
}

TEST_CASE("after a page the same connection may ask for an upgrade", "[handshake][server]") {
    const std::string both = "GET / HTTP/1.1\r\nHost: a\r\n\r\n" + rfc_request().text();
    server_handshake handshake({.max_size = rfc_request().text().size()});
    wsolo::const_bytes input = wsolo::bytes_of(both);
    CHECK(handshake.feed(input) == handshake_status::complete);
    CHECK_FALSE(handshake.request().is_upgrade());
    handshake.reset();
    CHECK_FALSE(handshake.has_request());
    CHECK(handshake.feed(input) == handshake_status::complete);
    CHECK(handshake.request().is_upgrade());
    CHECK(input.empty());
}

TEST_CASE("a page's body is not taken for the next request", "[handshake][server]") {
    const std::string post = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 34\r\n\r\n";
    const std::string body = "GET /admin HTTP/1.1\r\nHost: a\r\n\r\n\r\n"; // smuggled
    REQUIRE(body.size() == 34);
    const std::string text = post + body + rfc_request().text();
    for (std::size_t first = post.size(); first <= text.size(); ++first) {
        server_handshake handshake;
        wsolo::const_bytes input = wsolo::bytes_of(std::string_view(text).substr(0, first));
        REQUIRE(handshake.feed(input) == handshake_status::complete);
        CHECK(handshake.body_size() == 34U);
        handshake.reset();
        handshake.feed(input);
        input = wsolo::bytes_of(std::string_view(text).substr(first));
        CHECK(handshake.feed(input) == handshake_status::complete);
        CHECK(handshake.request().resource_name() == "/chat");
        CHECK(input.empty());
    }
    server_handshake handshake;
    wsolo::const_bytes input = wsolo::bytes_of(text);
    REQUIRE(handshake.feed(input) == handshake_status::complete);
    input = input.subspan(30); // the caller read 30 bytes of it
    handshake.reset(30);
    CHECK(handshake.feed(input) == handshake_status::complete);
    CHECK(handshake.request().resource_name() == "/chat");
}

TEST_CASE("a body whose length is not known ends the connection", "[handshake][server]") {
    server_handshake handshake;
    feed_whole(handshake, "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
    REQUIRE(handshake.status() == handshake_status::complete);
    CHECK_FALSE(handshake.body_size());
    handshake.reset();
    CHECK(feed_whole(handshake, "0\r\n\r\n" + rfc_request().text()) ==
          outcome{handshake_status::failed, errc::handshake_unexpected_body, 0});
    CHECK_FALSE(handshake.has_request());
    server_handshake endless;
    feed_whole(endless, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999999999999\r\n\r\n");
    CHECK(endless.body_size() == UINT64_MAX);
    endless.reset();
    CHECK(feed_whole(endless, rfc_request().text()).status == handshake_status::need_more);
    server_handshake largest;
    feed_whole(largest, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 018446744073709551615\r\n\r\n");
    CHECK(largest.body_size() == UINT64_MAX);
    server_handshake none;
    feed_whole(none, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    CHECK(none.body_size() == 0U);
}

TEST_CASE("HEAD is refused without a body, also when its head breaks off", "[handshake][server]") {
    const auto refusal_of = [](const std::string& text, errc why) {
        server_handshake handshake;
        CHECK(feed_whole(handshake, text).error == why);
        std::string out;
        REQUIRE(wsolo::append_response(out, handshake.refusal()) == errc::none);
        CHECK(out.find("\r\nContent-Length: " + std::to_string(wsolo::to_string(why).size()) + "\r\n") !=
              std::string::npos);
        return out;
    };
    const head asked = rfc_request();
    CHECK(refusal_of(asked.start("HEAD /chat HTTP/1.1").text(), errc::handshake_method_not_get)
              .ends_with("\r\n\r\n"));
    CHECK(
        refusal_of("HEAD / HTTP/1.1\r\nA : b\r\n", errc::handshake_invalid_field_line).ends_with("\r\n\r\n"));
    CHECK(refusal_of(asked.start("POST /chat HTTP/1.1").text(), errc::handshake_method_not_get)
              .ends_with(wsolo::to_string(errc::handshake_method_not_get)));
    CHECK(refusal_of("HEAD\r\n", errc::handshake_invalid_start_line)
              .ends_with(wsolo::to_string(errc::handshake_invalid_start_line)));
}

TEST_CASE("a request that is cut off is the client's fault", "[handshake][server]") {
    const std::string text = rfc_request().text();
    for (std::size_t size = 0; size < text.size(); ++size) {
        server_handshake handshake;
        feed_whole(handshake, text.substr(0, size));
        CHECK(handshake.end_of_input() == handshake_status::failed);
        CHECK(handshake.error() == errc::handshake_incomplete);
        CHECK(handshake.refusal().status == 400);
    }
    server_handshake whole;
    feed_whole(whole, text);
    CHECK(whole.end_of_input() == handshake_status::complete);
}

TEST_CASE("a target that is too long has its own status", "[handshake][server]") {
    server_handshake handshake({.max_line_size = 100});
    CHECK(feed_whole(handshake, "GET /" + std::string(100, 'a')).error == errc::handshake_target_too_long);
    CHECK(handshake.refusal().status == 414); // RFC 9112 §3
}

TEST_CASE("HTTP/1.0 asks for a page, whatever its Upgrade says", "[handshake][server]") {
    server_handshake handshake;
    CHECK(feed_whole(handshake, rfc_request().start("GET /chat HTTP/1.0").text()).status ==
          handshake_status::complete);
    CHECK_FALSE(handshake.request().is_upgrade());
    server_handshake later;
    CHECK(feed_whole(later, "GET / HTTP/3.0\r\n").error == errc::handshake_http_version);
    CHECK(later.refusal().status == 505);
}

TEST_CASE("nothing fed is nothing learnt", "[handshake][server]") {
    server_handshake handshake;
    wsolo::const_bytes nothing;
    CHECK(handshake.feed(nothing) == handshake_status::need_more);
}
