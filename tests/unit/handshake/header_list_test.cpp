// Would catch: a name that is found only in its own case, a value with white space left on, an element that
// is missed at a field's border, an empty element that ends the walk.

#include <support/catch.hpp>

#include <wsolo/handshake/header_list.hpp>

#include <ranges>
#include <string>
#include <vector>

using wsolo::element_list;
using wsolo::header_field;
using wsolo::header_list;

namespace {

std::vector<std::string> elements(const element_list& list) {
    std::vector<std::string> out;
    for (const std::string_view each : list) out.emplace_back(each);
    return out;
}

using texts = std::vector<std::string>;

static_assert(std::ranges::input_range<header_list>);
static_assert(std::ranges::input_range<element_list>);

} // namespace

TEST_CASE("fields come in order, trimmed, with colons in values kept", "[handshake][header_list]") {
    const header_list list("Host: a:80\r\nX-Empty:\r\nX-Tabs:\t one \t two\t \r\nhost:b\r\n");
    std::vector<header_field> seen;
    for (const header_field& each : list) seen.push_back(each);
    const std::vector<header_field> expected{
        {"Host", "a:80"}, {"X-Empty", ""}, {"X-Tabs", "one \t two"}, {"host", "b"}};
    CHECK(seen == expected);
    CHECK(seen.front() != header_field{"Host", "a:8"});
    CHECK(seen.front() != header_field{"host", "a:80"}); // as it was written; find() is what folds case
}

TEST_CASE("a name is found whatever its case, the first of several", "[handshake][header_list]") {
    const header_list list("Host: a\r\nHOST: b\r\nHos: c\r\nEmpty:\r\n");
    CHECK(list.find("hOsT") == std::string_view("a"));
    CHECK(list.find("Hos") == std::string_view("c"));
    CHECK(list.find("empty") == std::string_view(""));
    CHECK_FALSE(list.find("Hosts"));
    CHECK_FALSE(list.find(""));
    CHECK(list.count("host") == 2);
    CHECK(list.count("Empty") == 1);
    CHECK(list.count("Hosts") == 0);
}

TEST_CASE("an empty head has no fields", "[handshake][header_list]") {
    CHECK(header_list().begin() == header_list().end());
    CHECK(header_list("").begin() == header_list("").end());
    CHECK_FALSE(header_list("").find("Host"));
}

TEST_CASE("elements of one text; empty ones do not count", "[handshake][header_list]") {
    CHECK(elements(element_list("chat, superchat")) == texts{"chat", "superchat"});
    CHECK(elements(element_list(",, a ,\t,b\t,")) == texts{"a", "b"}); // RFC 9110 §5.6.1.2
    CHECK(elements(element_list("one")) == texts{"one"});
    CHECK(elements(element_list("")).empty());
    CHECK(elements(element_list(" , ,")).empty());
    CHECK(element_list(" ,").empty());
    CHECK_FALSE(element_list(",x").empty());
}

TEST_CASE("fields of one name are one list", "[handshake][header_list]") {
    const header_list list("Connection: keep-alive\r\nOther: x\r\nconnection: , Upgrade ,\r\nConnection:\r\n"
                           "CONNECTION: a\r\n"); // RFC 9110 §5.3
    CHECK(elements(element_list(list, "Connection")) == texts{"keep-alive", "Upgrade", "a"});
    CHECK(elements(element_list(list, "Other")) == texts{"x"});
    CHECK(element_list(list, "Missing").empty());
}

TEST_CASE("an element is found whole", "[handshake][header_list]") {
    const element_list list("keep-alive, Upgrade");
    CHECK(list.contains("Upgrade"));
    CHECK_FALSE(list.contains("upgrade"));
    CHECK(list.contains_ignoring_case("upgrade"));
    CHECK_FALSE(list.contains_ignoring_case("up"));
    CHECK_FALSE(list.contains_ignoring_case("keep-alive, Upgrade"));
    CHECK_FALSE(list.contains(""));
}

TEST_CASE("1#element needs at least one, and every one legal", "[handshake][header_list]") {
    using wsolo::detail::is_list_of;
    using wsolo::detail::is_token;
    CHECK(is_list_of(element_list("a, b"), is_token));
    CHECK_FALSE(is_list_of(element_list("a, b c"), is_token));
    CHECK_FALSE(is_list_of(element_list(" , "), is_token));
}

TEST_CASE("what another parser found is walked like a head", "[handshake][header_list]") {
    const std::vector<header_field> parsed{
        {"Host", " a:80\t"}, {"X", ""}, {"connection", "a, b"}, {"Connection", "c"}};
    const header_list list = parsed;
    CHECK(list.find("HOST") == std::string_view("a:80"));
    CHECK(list.find("x") == std::string_view(""));
    CHECK(list.count("Connection") == 2);
    CHECK(elements(element_list(list, "Connection")) == texts{"a", "b", "c"});
    CHECK(header_list(std::vector<header_field>()).begin() == header_list().end());
    // An illegal name is for judge() to find; it must not end the walk.
    const header_field odd[] = {{"", "hidden"}, {"Host", "a"}};
    CHECK(header_list(odd).find("Host") == std::string_view("a"));
}

TEST_CASE("iterators step in both spellings", "[handshake][header_list]") {
    const header_list list("A: b, c\r\nD: e\r\n");
    auto field = list.begin();
    field++;
    CHECK(field->name == "D");
    const element_list both(list, "A");
    auto element = both.begin();
    element++;
    CHECK(*element == "c");
    element++;
    CHECK(element == both.end());
}
