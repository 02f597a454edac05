// Would catch: a parameter lost at either end, quotes left on a value, a grammar that takes an empty
// parameter, a half-quoted value, or a quoted value that is no token.

#include <support/catch.hpp>

#include <wsolo/handshake/extension.hpp>

#include <ranges>
#include <string>
#include <vector>

using wsolo::element_list;
using wsolo::extension;
using wsolo::extension_list;

namespace {

/// "name|param=value|param" with a sign for "no value".
std::string shown(const extension& each) {
    std::string out(each.name());
    for (const wsolo::extension_param& param : each.params()) {
        out += "|" + std::string(param.name);
        if (param.has_value) out += "=" + std::string(param.value);
    }
    return out;
}

std::vector<std::string> shown(std::string_view text) {
    std::vector<std::string> out;
    for (const extension each : extension_list(element_list(text))) out.push_back(shown(each));
    return out;
}

using texts = std::vector<std::string>;

static_assert(std::ranges::input_range<extension_list>);
static_assert(std::ranges::input_range<wsolo::extension_params>);

} // namespace

TEST_CASE("the examples of RFC 6455 §9.1", "[handshake][extension]") {
    CHECK(shown("deflate-stream") == texts{"deflate-stream"});
    CHECK(shown("mux; max-channels=4; flow-control, deflate-stream") ==
          texts{"mux|max-channels=4|flow-control", "deflate-stream"});
    CHECK(shown("private-extension") == texts{"private-extension"});
    CHECK(shown("foo, bar; baz=2") == texts{"foo", "bar|baz=2"});
}

TEST_CASE("quotes and white space are not part of anything", "[handshake][extension]") {
    CHECK(shown("permessage-deflate; client_max_window_bits=\"10\"") ==
          texts{"permessage-deflate|client_max_window_bits=10"});
    CHECK(shown(" a\t;\tb\t=\t\"c\" ; d ") == texts{"a|b=c|d"});
    CHECK(shown("a;b=\"c\\d\"") == texts{"a|b=c\\d"}); // documented: a needless escape stays
}

TEST_CASE("half a pair of quotes is part of the value", "[handshake][extension]") {
    // A peer's field was checked before; a caller may read any text.
    CHECK(shown("a;b=\"c") == texts{"a|b=\"c"});
    CHECK(shown("a;b=c\"") == texts{"a|b=c\""});
    CHECK(shown("a;b=\"") == texts{"a|b=\""});
}

TEST_CASE("extensions and parameters are found by name", "[handshake][extension]") {
    const extension_list list(element_list("x-a; p=1; p=2, x-b, x-a; p=3"));
    REQUIRE(list.find("x-a"));
    CHECK(list.find("x-a")->text() == "x-a; p=1; p=2");
    CHECK(list.find("x-a")->param("p")->value == "1");
    CHECK_FALSE(list.find("x-a")->param("q"));
    CHECK_FALSE(list.find("x-b")->param("p"));
    CHECK_FALSE(list.find("X-A"));
    CHECK_FALSE(list.empty());
    CHECK(extension_list().empty());
    CHECK(extension().params().begin() == extension().params().end());
}

TEST_CASE("the grammar of one extension", "[handshake][extension]") {
    for (const char* legal : {"a", "a;b", "a;b=c", "a; b=\"c\"; d", "a ; b = c", "a;b=\"c\\d\"", "a;b;b",
                              "permessage-deflate; server_max_window_bits=10"}) {
        INFO(legal);
        CHECK(wsolo::detail::is_extension(legal));
    }
    for (const char* illegal :
         {"",           ";",      ";b",      "a;",      "a;;b",        "a;b=",        "a;=c",
          "a;b=\"\"",   "a;b=\"", "a;b=\"c", "a;b=c\"", "a;b=\"c d\"", "a;b=\"c\\\"", "a;b=\"c;d\"",
          "a;b=\"c\"d", "a b",    "a;b c",   "a;b=c d", "a;b=c=d",     "a/b",         "\"a\"",
          "a=b"}) {
        INFO(illegal);
        CHECK_FALSE(wsolo::detail::is_extension(illegal));
    }
    // The character behind the view is not looked at.
    CHECK_FALSE(wsolo::detail::is_escaped_token(std::string_view("c\\d").substr(0, 2)));
}

TEST_CASE("iterators step in both spellings and reach members", "[handshake][extension]") {
    const extension_list list(element_list("a, b;p=1;q"));
    auto at = list.begin();
    at++;
    REQUIRE(at != list.end());
    const extension second = *at;
    auto param = second.params().begin();
    CHECK(param->value == "1");
    param++;
    CHECK(param->name == "q");
    param++;
    CHECK(param == second.params().end());
    at++;
    CHECK(at == list.end());
}
