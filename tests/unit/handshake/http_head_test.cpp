// Would catch: a byte after the head that is swallowed, an error that depends on the split, a limit that
// is off by one, bare CR or LF taken for a line's end, a folded line in a request or one lost in a response,
// white space before a colon, growth without bound.

#include <support/catch.hpp>
#include <support/handshake.hpp>
#include <support/heap.hpp>

using namespace handshake_samples;
using wsolo::errc;
using wsolo::handshake_limits;
using wsolo::handshake_status;
using wsolo::detail::head_kind;
using wsolo::detail::http_head;

namespace {

http_head request_head(const handshake_limits& limits = {}) { return {head_kind::request, limits}; }

outcome fed(std::string_view text, const handshake_limits& limits = {}, head_kind kind = head_kind::request) {
    http_head parser(kind, limits);
    const outcome seen = feed_whole(parser, text);
    CHECK(first_split_that_matters([&] { return http_head(kind, limits); }, text) == std::string_view::npos);
    return seen;
}

outcome failed_after(std::size_t taken, errc error) { return {handshake_status::failed, error, taken}; }

} // namespace

TEST_CASE("a head is found whole, bytewise and split at every point", "[handshake][http_head]") {
    const std::string text = rfc_request().text();
    http_head parser = request_head();
    REQUIRE(feed_bytewise(parser, text).status == handshake_status::complete);
    CHECK(parser.start_line() == "GET /chat HTTP/1.1");
    CHECK(parser.headers().find("host") == std::string_view("server.example.com"));
    CHECK(parser.headers().find("Sec-WebSocket-Version") == std::string_view("13"));
    CHECK(fed(text) == outcome{handshake_status::complete, errc::none, text.size()});
    for (std::size_t size = 0; size < text.size(); ++size) {
        http_head partial = request_head();
        CHECK(feed_whole(partial, text.substr(0, size)).status == handshake_status::need_more);
    }
}

TEST_CASE("what follows the head is left in the input", "[handshake][http_head]") {
    const std::string text = rfc_request().text();
    for (const std::string& rest : {std::string("\x81\x05Hello"), std::string("\r\n\r\n"),
                                    std::string(1, '\0'), std::string(100000, 'x')}) {
        http_head parser = request_head();
        const std::string all = text + rest;
        wsolo::const_bytes input = wsolo::bytes_of(all);
        CHECK(parser.feed(input) == handshake_status::complete);
        CHECK(wsolo::text_of(input) == rest);
        CHECK(parser.feed(input) == handshake_status::complete);
        CHECK(input.size() == rest.size());
    }
}

TEST_CASE("a head without fields, and fields without values", "[handshake][http_head]") {
    http_head bare = request_head();
    CHECK(feed_whole(bare, "GET / HTTP/1.0\r\n\r\n").status == handshake_status::complete);
    CHECK(bare.headers().begin() == bare.headers().end());
    CHECK(fed("GET / HTTP/1.1\r\nA:\r\nB: \t\r\n\r\n").status == handshake_status::complete);
}

TEST_CASE("one empty line may precede a request, two may not", "[handshake][http_head]") {
    http_head parser = request_head();
    CHECK(feed_bytewise(parser, "\r\nGET / HTTP/1.1\r\nA: b\r\n\r\n").status == handshake_status::complete);
    CHECK(parser.start_line() == "GET / HTTP/1.1"); // RFC 9112 §2.2
    CHECK(parser.headers().find("A") == std::string_view("b"));
    CHECK(fed("\r\n\r\nGET / HTTP/1.1\r\n\r\n") == failed_after(4, errc::handshake_invalid_start_line));
    CHECK(fed("\r\nHTTP/1.1 101 x\r\n\r\n", {}, head_kind::response) ==
          failed_after(2, errc::handshake_invalid_start_line));
}

TEST_CASE("each broken head fails at its byte", "[handshake][http_head]") {
    struct row {
        std::string good; // what may be taken
        std::string bad;  // ends in the byte that breaks the rule
        errc error;
    };
    const std::string start = "GET / HTTP/1.1\r\n";
    const row rows[] = {
        {"", "\x16", errc::handshake_invalid_character}, // a TLS client's first byte
        {"", "SSH-2.0-OpenSSH_9.2\r\n", errc::handshake_invalid_start_line},
        {"", "PRI * HTTP/2.0\r\n", errc::handshake_http_version},
        {"", " ", errc::none},
        {"", "\n", errc::handshake_invalid_line_end},
        {"GET / HTTP/1.1", "\n", errc::handshake_invalid_line_end},   // bare LF
        {"GET / HTTP/1.1\r", "X", errc::handshake_invalid_line_end},  // bare CR
        {"GET / HTTP/1.1\r", "\r", errc::handshake_invalid_line_end}, // CR CR LF
        {start + "A: b", "\n", errc::handshake_invalid_line_end},     // bare LF after a field
        {start + "A: b\r", " ", errc::handshake_invalid_line_end},    // CR within a value
        {start + "A: b\r\n", "\n", errc::handshake_invalid_line_end}, // bare LF as the empty line
        {start + "A: b", std::string(1, '\0'), errc::handshake_invalid_character}, // RFC 9110 §5.5
        {start + "A: b", "\x7f", errc::handshake_invalid_character},
        {start + "A: b", "\x1b", errc::handshake_invalid_character},
        {start + "A: b\r\n", " folded\r\n", errc::handshake_obsolete_folding}, // RFC 9112 §5.2: a server MUST
        {start + "A: b\r\n", "\tfolded: c\r\n", errc::handshake_obsolete_folding},
        {start, " A: b\r\n", errc::handshake_obsolete_folding},   // RFC 9112 §2.2: smuggling's favourite
        {start, "A : b\r\n", errc::handshake_invalid_field_line}, // RFC 9112 §5.1
        {start, "A\t: b\r\n", errc::handshake_invalid_field_line},
        {start, "A b: c\r\n", errc::handshake_invalid_field_line},
        {start, "A\xc3\xa9: c\r\n", errc::handshake_invalid_field_line},
        {start, ": b\r\n", errc::handshake_invalid_field_line},
        {start, "no colon\r\n", errc::handshake_invalid_field_line},
        {start, "A(b): c\r\n", errc::handshake_invalid_field_line},
    };
    for (const row& each : rows) {
        INFO(each.good << "|" << each.bad);
        const std::string text = each.good + each.bad;
        if (each.error == errc::none) {
            CHECK(fed(text).status == handshake_status::need_more);
        } else {
            CHECK(fed(text + "tail\r\n\r\n") == failed_after(text.size(), each.error));
        }
    }
}

TEST_CASE("values keep what HTTP allows in them", "[handshake][http_head]") {
    http_head parser = request_head();
    REQUIRE(feed_whole(parser, "GET / HTTP/1.1\r\nX-Note: caf\xc3\xa9 \t\xff:\"\\\r\n\r\n").status ==
            handshake_status::complete);
    CHECK(parser.headers().find("x-note") == std::string_view("caf\xc3\xa9 \t\xff:\"\\"));
}

TEST_CASE("the line limit is the longest line that passes, CR LF included", "[handshake][http_head]") {
    const std::string start = "GET /1234 HTTP/1.1\r\n";
    const std::size_t n = start.size();
    const auto with_field_of = [&](std::size_t size) {
        return start + "A:" + std::string(size - 4, 'x') + "\r\n\r\n";
    };
    const handshake_limits limits{.max_line_size = n};
    CHECK(fed(with_field_of(n - 1), limits).status == handshake_status::complete);
    CHECK(fed(with_field_of(n), limits).status == handshake_status::complete);
    CHECK(fed(with_field_of(n + 1), limits) == failed_after(2 * n + 1, errc::handshake_line_too_long));
    CHECK(fed(with_field_of(n + 2), limits) == failed_after(2 * n + 1, errc::handshake_line_too_long));
    CHECK(fed(start + "\r\n", {.max_line_size = n - 1}) ==
          failed_after(n, errc::handshake_target_too_long)); // RFC 9112 §3: 414
    CHECK(fed(std::string(1000, 'G'), limits) == failed_after(n + 1, errc::handshake_target_too_long));
    CHECK(fed("\r\n" + start + "\r\n", {.max_line_size = n - 1}) ==
          failed_after(n + 2, errc::handshake_target_too_long));
    CHECK(fed("HTTP/1.1 101 Switching Protocols\r\n", {.max_line_size = 20}, head_kind::response) ==
          failed_after(21, errc::handshake_line_too_long));
}

TEST_CASE("the header limit is the most fields that pass", "[handshake][http_head]") {
    const auto with_fields = [&](int count) {
        std::string text = "GET / HTTP/1.1\r\n";
        for (int i = 0; i < count; ++i) text += "A: b\r\n";
        return text + "\r\n";
    };
    const handshake_limits limits{.max_headers = 7};
    CHECK(fed(with_fields(6), limits).status == handshake_status::complete);
    CHECK(fed(with_fields(7), limits).status == handshake_status::complete);
    CHECK(fed(with_fields(8), limits) == failed_after(16 + 8 * 6, errc::handshake_too_many_headers));
    CHECK(fed(with_fields(0), {.max_headers = 1}).status == handshake_status::complete);
    http_head unbounded(head_kind::request, {.max_headers = 0}); // none
    CHECK(feed_whole(unbounded, with_fields(1000)).status == handshake_status::complete);
}

TEST_CASE("the size limit is the largest head that passes", "[handshake][http_head]") {
    const std::string text = rfc_request().text();
    const std::size_t n = text.size();
    CHECK(fed(text, {.max_size = n + 1}).status == handshake_status::complete);
    CHECK(fed(text, {.max_size = n}).status == handshake_status::complete);
    CHECK(fed(text + "rest", {.max_size = n}).status == handshake_status::complete);
    CHECK(fed(text, {.max_size = n - 1}) == failed_after(n, errc::handshake_too_large));
    CHECK(fed("\r\n" + text, {.max_size = n + 1}) == failed_after(n + 2, errc::handshake_too_large));
    CHECK(fed(text, {.max_size = 1}) == failed_after(2, errc::handshake_target_too_long));
    CHECK(fed(text, {.max_size = 19}) == failed_after(20, errc::handshake_target_too_long));
    CHECK(fed(text, {.max_size = 20}) == failed_after(21, errc::handshake_too_large)); // after the first line
    CHECK(fed("HTTP/1.1 101 x\r\n", {.max_size = 1}, head_kind::response) ==
          failed_after(2, errc::handshake_too_large));
    const std::string long_head = "GET / HTTP/1.1\r\nA: " + std::string(100'000, 'a') + "\r\n\r\n";
    http_head unbounded(head_kind::request, {.max_line_size = 0, .max_size = 0}); // none
    CHECK(feed_whole(unbounded, long_head).status == handshake_status::complete);
}

TEST_CASE("a response's folded field is unfolded, however it is split", "[handshake][http_head]") {
    const std::string start = "HTTP/1.1 101 x\r\n"; // RFC 9112 §5.2: "a user agent ... MUST replace"
    const auto value_of = [&](const std::string& fields) {
        const std::string text = start + fields + "\r\n";
        CHECK(fed(text, {}, head_kind::response) ==
              outcome{handshake_status::complete, errc::none, text.size()});
        http_head parser(head_kind::response, {});
        feed_bytewise(parser, text);
        return std::string(parser.headers().find("A").value_or("none"));
    };
    CHECK(value_of("A: b\r\n c\r\n") == "b   c");
    CHECK(value_of("A: b\r\n\tc\r\nB: d\r\n") == "b  \tc");
    CHECK(value_of("A:\r\n b\r\n") == "b");
    CHECK(value_of("A: b\r\n \r\n\t\r\n") == "b");
    CHECK(value_of("A: b\r\n c: d\r\n e\r\n") == "b   c: d   e");
    CHECK(value_of("B: x\r\nA: b\r\n c\r\n") == "b   c");
    const handshake_limits one{.max_headers = 1};
    CHECK(fed(start + "A: b\r\n c\r\n\r\n", one, head_kind::response).status == handshake_status::complete);
    // §2.2: before the first field there is nothing that a line could continue
    CHECK(fed(start + " A: b\r\n\r\n", {}, head_kind::response) ==
          failed_after(start.size() + 7, errc::handshake_obsolete_folding));
    CHECK(fed(start + "A: b\r\n c\x01", {}, head_kind::response).error == errc::handshake_invalid_character);
}

TEST_CASE("a head that was cut off is incomplete", "[handshake][http_head]") {
    const std::string text = rfc_request().text();
    for (const std::size_t size : {std::size_t{0}, std::size_t{1}, std::size_t{30}, text.size() - 1}) {
        http_head parser = request_head();
        feed_whole(parser, text.substr(0, size));
        CHECK(parser.end_of_input() == handshake_status::failed); // RFC 9112 §8
        CHECK(parser.error() == errc::handshake_incomplete);
        CHECK(feed_whole(parser, text.substr(size)).status == handshake_status::failed);
    }
    http_head whole = request_head();
    feed_whole(whole, text);
    CHECK(whole.end_of_input() == handshake_status::complete);
    http_head broken = request_head();
    feed_whole(broken, "\n");
    CHECK(broken.end_of_input() == handshake_status::failed);
    CHECK(broken.error() == errc::handshake_invalid_line_end);
}

TEST_CASE("an endless head stops at the defaults", "[handshake][http_head]") {
    http_head parser = request_head();
    std::string text = "GET / HTTP/1.1\r\n";
    for (int i = 0; i < 5000; ++i) text += "X-Filler-Number: value\r\n";
    CHECK(feed_whole(parser, text).error == errc::handshake_too_many_headers);
    http_head roomy = request_head({.max_headers = 100000});
    CHECK(feed_whole(roomy, text) == failed_after(16 * 1024 + 1, errc::handshake_too_large));
}

TEST_CASE("a failure is final and takes nothing more", "[handshake][http_head]") {
    http_head parser = request_head();
    CHECK(feed_whole(parser, "\n").status == handshake_status::failed);
    const outcome later = feed_whole(parser, rfc_request().text());
    CHECK(later == failed_after(0, errc::handshake_invalid_line_end));
}

TEST_CASE("a head is forgotten whole", "[handshake][http_head]") {
    const std::string text = rfc_request().text();
    http_head parser = request_head({.max_headers = 7, .max_size = text.size() + 2});
    CHECK(feed_whole(parser, "\r\nGET / HTTP/1.1\r\nA: b\r").status == handshake_status::need_more);
    parser.restart(true);
    CHECK(feed_whole(parser, "\r\n" + text).status == handshake_status::complete);
    CHECK(parser.start_line() == "GET /chat HTTP/1.1");
    parser.restart(false);
    CHECK(feed_whole(parser, text) == failed_after(1, errc::handshake_target_too_long));
}

TEST_CASE("views stay with the head through a move", "[handshake][http_head]") {
    http_head parser = request_head();
    REQUIRE(feed_whole(parser, rfc_request().text()).status == handshake_status::complete);
    const std::string_view before = parser.start_line();
    const http_head moved = std::move(parser);
    CHECK(moved.start_line().data() == before.data());
    CHECK(moved.headers().find("Host") == std::string_view("server.example.com"));
}

TEST_CASE("bytes that may be changed are taken just the same", "[handshake][http_head]") {
    std::string text = rfc_request().text() + "frame";
    wsolo::mutable_bytes input{reinterpret_cast<std::byte*>(text.data()), text.size()};
    http_head parser = request_head();
    CHECK(parser.feed(input) == handshake_status::complete);
    CHECK(wsolo::text_of(input) == "frame");
    CHECK(text == rfc_request().text() + "frame");
}

#if WSOLO_TEST_COUNTS_HEAP
TEST_CASE("a head that finds no memory says so, and stays failed", "[handshake][http_head]") {
    const std::string text = rfc_request().text();
    http_head parser = request_head();
    handshake_status status{};
    {
        wsolo::const_bytes input = wsolo::bytes_of(text);
        const support::no_heap none;
        status = parser.feed(input);
    }
    CHECK(status == handshake_status::failed);
    CHECK(parser.error() == errc::out_of_memory);
    CHECK(feed_whole(parser, text).error == errc::out_of_memory);
}
#endif
