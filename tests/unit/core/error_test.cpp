// Would catch: an errc without its row, a name that was copied from its neighbour, a close code that may not
// be sent.

#include <support/catch.hpp>

#include <wsolo/core/error.hpp>

#include <map>
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

TEST_CASE("each errc is of one kind, and its blame agrees", "[core][error]") {
    std::map<wsolo::error_kind, std::size_t> seen;
    for (std::size_t i = 0; i < errc_count; ++i) {
        const auto code = static_cast<errc>(i);
        const auto& row = wsolo::info(code);
        INFO(row.name);
        const int kinds =
            static_cast<int>(wsolo::is_protocol_violation(code)) + static_cast<int>(wsolo::is_limit(code)) +
            static_cast<int>(wsolo::is_refusal(code)) + static_cast<int>(wsolo::is_outcome(code));
        CHECK(kinds == (code == errc::none ? 0 : 1));
        if (wsolo::is_protocol_violation(code)) CHECK(row.who == wsolo::blame::remote);
        if (wsolo::is_refusal(code)) CHECK(row.who == wsolo::blame::local);
        ++seen[row.kind];
    }
    CHECK(seen.size() == 5);
    CHECK(wsolo::is_protocol_violation(errc::non_minimal_length));
    CHECK(wsolo::is_protocol_violation(errc::handshake_invalid_accept));
    CHECK(wsolo::is_limit(errc::message_too_big)); // legal, and more than we take
    CHECK(wsolo::is_limit(errc::handshake_origin_refused));
    for (const errc slow_or_fast : {errc::message_timeout, errc::rate_exceeded}) {
        CHECK(wsolo::is_limit(slow_or_fast));
        CHECK(wsolo::info(slow_or_fast).close_status == 1008);
    }
    CHECK(wsolo::is_refusal(errc::queue_full));
    CHECK(wsolo::is_refusal(errc::closed));
    CHECK(wsolo::is_outcome(errc::write_failed));
    CHECK(wsolo::is_outcome(errc::conflated));
}

TEST_CASE("a sentence about a field begins with the field", "[core][error]") {
    std::size_t judged = 0;
    for (std::size_t i = 0; i < errc_count; ++i) {
        const auto& row = wsolo::info(static_cast<errc>(i));
        struct word {
            std::string_view part;
            std::string_view field;
        };
        for (const word& each : {word{"_host", "Host "},
                                 {"_key", "Sec-WebSocket-Key "},
                                 {"_version", "Sec-WebSocket-Version "},
                                 {"_origin", "Origin "},
                                 {"_upgrade", "Upgrade "},
                                 {"_connection", "Connection "},
                                 {"_accept", "Sec-WebSocket-Accept "},
                                 {"_subprotocol", "Sec-WebSocket-Protocol "},
                                 {"_extension", "Sec-WebSocket-Extensions "}}) {
            const bool about =
                row.name.starts_with("handshake_") && row.name.find(each.part) != std::string_view::npos;
            if (!about || row.code == errc::handshake_http_version ||
                row.code == errc::handshake_connection_field)
                continue;
            INFO(row.name);
            CHECK(row.text.starts_with(each.field));
            ++judged;
        }
    }
    CHECK(judged == 23);
}

TEST_CASE("sections that were once wrong", "[core][error]") {
    CHECK(wsolo::section_of(errc::queue_full) ==
          "the IANA registry of RFC 6455 §11.7"); // 1013 is not the RFC's
    CHECK(wsolo::section_of(errc::inbox_overloaded) == "the IANA registry of RFC 6455 §11.7");
    CHECK(wsolo::section_of(errc::handshake_target_too_long) == "RFC 9112 §3");
    CHECK(wsolo::section_of(errc::handshake_unexpected_body) == "RFC 9110 §7.8");
    CHECK(wsolo::section_of(errc::handshake_timeout) == "RFC 9110 §15.5.9");
    CHECK(wsolo::info(errc::too_many_fragments).close_status == 1008); // the reason stands in the table
}
