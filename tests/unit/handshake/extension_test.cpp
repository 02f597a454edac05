// Would catch: a parameter lost at either end, quotes or backslashes left on a value, a number that is wrong, a grammar that takes an empty
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
        if (param.has_value) out += "=" + std::string(param.value.begin(), param.value.end());
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
    CHECK(shown("a;b=\"c\\d\"") == texts{"a|b=cd"}); // RFC 6455 §9.1: "after quoted-string unescaping"
    CHECK(shown("a;b=\"\\1\\0\"") == texts{"a|b=10"});
}

TEST_CASE("half a pair of quotes is part of the value", "[handshake][extension]") {
    // A peer's field was checked before; a caller may read any text.
    CHECK(shown("a;b=\"c") == texts{"a|b=\"c"});
    CHECK(shown("a;b=c\"") == texts{"a|b=c\""});
    CHECK(shown("a;b=\"") == texts{"a|b=\""});
}

TEST_CASE("a value is compared and counted without its escapes", "[handshake][extension]") {
    using wsolo::param_value;
    const param_value plain("15");
    const param_value escaped("\"1\\5\"");
    CHECK(plain == "15");
    CHECK(escaped == "15");
    CHECK_FALSE(escaped == "1\\5");
    CHECK_FALSE(escaped == "1");
    CHECK_FALSE(escaped == "155");
    CHECK(escaped.raw() == "1\\5");
    CHECK(plain.number() == 15U);
    CHECK(escaped.number() == 15U);
    CHECK(param_value("0").number() == 0U);
    CHECK(param_value("999999999").number() == 999999999U);
    for (const char* none : {"", "\"\"", "015", "00", "1234567890", "1a", "-1", "+1", "1.0"}) {
        INFO(none);
        CHECK_FALSE(param_value(none).number());
    }
    CHECK(param_value().empty());
    CHECK(param_value() == "");
    auto at = escaped.begin();
    CHECK(*at++ == '1');
    CHECK(*at == '5');
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

TEST_CASE("what is chosen must be offered, in any order and any number", "[handshake][extension]") {
    const auto all = [](std::string_view chosen, std::string_view offered) {
        return wsolo::detail::are_all_offered(extension_list(element_list(chosen)),
                                              extension_list(element_list(offered)));
    };
    CHECK(all("", ""));
    CHECK(all("", "a"));
    CHECK(all("a", "a; p"));
    CHECK(all("a; q, b", "a, b"));
    CHECK(all("b, a", "a, b"));
    CHECK(all("c, a, c, b, b, a", "a, b, c"));
    CHECK(all("a, a, a", "a"));
    CHECK_FALSE(all("a", ""));
    CHECK_FALSE(all("b", "a"));
    CHECK_FALSE(all("A", "a"));
    CHECK_FALSE(all("a, d", "a, b, c"));
    CHECK_FALSE(all("d, a", "a, b, c"));
    CHECK_FALSE(all("c, d", "a, b, c"));
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
    CHECK(extension("a;b=\"1\\0\"").param("b")->value.number() == 10U);
    // The character after the view is not looked at.
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
