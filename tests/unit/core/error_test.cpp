// Would catch: an errc without its row, a name that was copied from its neighbour, a close code that may not
// be sent.

#include <support/catch.hpp>

#include <wsolo/core/error.hpp>

#include <set>

using wsolo::errc;

namespace {
constexpr std::size_t errc_count = std::size(wsolo::detail::error_table);
}

TEST_CASE("every errc has its own name and sentence", "[core][error]") {
    std::set<std::string_view> names;
    std::set<std::string_view> sentences;
    for (std::size_t i = 0; i < errc_count; ++i) {
        const auto& row = wsolo::info(static_cast<errc>(i));
        CHECK(static_cast<std::size_t>(row.code) == i);
        CHECK(names.insert(row.name).second);
        CHECK(sentences.insert(row.text).second);
    }
}

TEST_CASE("a peer's fault names its section, and only sendable close codes are in the table",
          "[core][error]") {
    const std::set<int> sendable{0, 1002, 1007, 1008, 1009, 1011, 1013};
    for (std::size_t i = 0; i < errc_count; ++i) {
        const auto& row = wsolo::info(static_cast<errc>(i));
        INFO(row.name);
        CHECK(sendable.count(row.close_status) == 1);
        if (row.who == wsolo::blame::remote) CHECK(!row.section.empty());
    }
    CHECK(wsolo::info(errc::invalid_utf8).close_status == 1007);
    CHECK(wsolo::info(errc::message_too_big).close_status == 1009);
    CHECK(wsolo::info(errc::reserved_bits_set).close_status == 1002);
}
