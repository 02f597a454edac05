// Would catch: a resource that loses its slash or its query, a target of another form that passes for one, a
// host hidden in it, a scheme that is sent though RFC 6455 does not name it.

#include <support/catch.hpp>

#include <wsolo/handshake/target.hpp>

#include <string>

using namespace wsolo::detail;
using wsolo::resource_view;

TEST_CASE("a target's characters, over all 256", "[handshake][target]") {
    for (int value = 0; value < 256; ++value) {
        const char c = static_cast<char>(value);
        INFO(value);
        CHECK(is_target(std::string(1, c)) == (value > 0x20 && value < 0x7f && c != '#'));
    }
    CHECK_FALSE(is_target(""));
}

TEST_CASE("a target is a path or an absolute URI", "[handshake][target]") {
    struct row {
        const char* target;
        const char* host;
        const char* path;
        const char* query; // nullptr: there is none
    };
    const row legal[] = {
        {"/", "", "/", nullptr},
        {"/chat?a=b|c", "", "/chat", "a=b|c"},
        {"//chat", "", "//chat", nullptr},
        {"/?", "", "/", ""},
        {"/a?b?c", "", "/a", "b?c"},
        {"http://example.com/chat", "example.com", "/chat", nullptr}, // RFC 6455 §4.1
        {"HTTPS://example.com:8443/chat?x", "example.com:8443", "/chat", "x"},
        {"http://[::1]:80", "[::1]:80", "/", nullptr},
        {"http://example.com?x=1", "example.com", "/", "x=1"}, // RFC 6455 §3: "/" if the path is empty
        {"http://example.com?", "example.com", "/", ""},
        {"ws://example.com/chat", "example.com", "/chat", nullptr}, // see target.hpp
        {"wSs://example.com", "example.com", "/", nullptr},
    };
    for (const row& each : legal) {
        INFO(each.target);
        const target_parts parts = split_target(each.target);
        CHECK(parts.legal);
        CHECK(parts.host == each.host);
        CHECK(parts.resource.path() == each.path);
        CHECK(parts.resource.has_query() == (each.query != nullptr));
        CHECK(parts.resource.query() == (each.query == nullptr ? "" : each.query));
        CHECK(parts.absolute == (each.target[0] != '/'));
    }
    for (const char* illegal :
         {"", "*", "chat", "example.com:80", "?x", "http:/example.com/", "http:example.com", "http://",
          "http:///chat", "http://user@example.com/", "http://%zz/", "http://[1]/", "/chat#part", "/a b",
          "ftp://a/", "wsss://a/", "://a/", "file:///etc"}) {
        INFO(illegal);
        CHECK_FALSE(split_target(illegal).legal);
    }
}

TEST_CASE("a client sends only the schemes that RFC 6455 names", "[handshake][target]") {
    CHECK(split_target("https://a/", {"http", "https"}).legal);
    CHECK_FALSE(split_target("wss://a/", {"http", "https"}).legal);
    CHECK(split_target("/a", {"http", "https"}).legal);
}

TEST_CASE("a resource's name is path and query", "[handshake][target]") {
    CHECK(resource_view("?x=1") == "/?x=1");
    CHECK(resource_view("/a?x") == "/a?x");
    CHECK(resource_view("/a?") == "/a?");
    CHECK(resource_view("/a") == "/a");
    CHECK(resource_view("") == "/");
    CHECK(resource_view() == "/");
    CHECK_FALSE(resource_view("/a") == "/ab");
    CHECK_FALSE(resource_view("/ab") == "/a");
    CHECK_FALSE(resource_view("/a") == "/a?");
    CHECK_FALSE(resource_view("/a?") == "/a");
    CHECK_FALSE(resource_view("/a?x") == "/a?y");
    CHECK_FALSE(resource_view("/a?x") == "/ax");
    CHECK(resource_view("*") == "*");
}
