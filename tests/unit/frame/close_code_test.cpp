// Would catch: a range that is off by one, 1005 or 1006 on the wire, 1012 to 1014 refused, an errc that asks
// for a code that may not be sent.

#include <support/catch.hpp>

#include <wsolo/frame/close_code.hpp>

#include <set>

using wsolo::close_code;
using wsolo::errc;

TEST_CASE("each of the 65536 close codes may be sent or may not", "[frame][close_code]") {
    struct range {
        int first, last;
        const char* source;
    };
    const range sendable[] = {
        {1000, 1000, "RFC 6455 §7.4.1: normal closure"},
        {1001, 1001, "§7.4.1: going away"},
        {1002, 1002, "§7.4.1: protocol error"},
        {1003, 1003, "§7.4.1: a type of data it cannot accept"},
        {1007, 1007, "§7.4.1: data not consistent with the type"},
        {1008, 1008, "§7.4.1: violates its policy"},
        {1009, 1009, "§7.4.1: too big to process"},
        {1010, 1010, "§7.4.1: an extension was not negotiated"},
        {1011, 1011, "§7.4.1: an unexpected condition"},
        {1012, 1014, "IANA: service restart, try again later, bad gateway"},
        {3000, 3999, "§7.4.2: libraries, frameworks, applications"},
        {4000, 4999, "§7.4.2: private use"},
    };
    int accepted = 0;
    for (int code = 0; code <= 0xffff; ++code) {
        bool expected = false;
        for (const range& known : sendable)
            expected = expected || (code >= known.first && code <= known.last);
        accepted += expected ? 1 : 0;
        if (wsolo::may_be_sent(static_cast<close_code>(code)) != expected) FAIL("close code " << code);
    }
    CHECK(accepted == 12 + 2000);
}

TEST_CASE("codes have words for logs", "[frame][close_code]") {
    std::set<std::string_view> words;
    for (const int code : {1000, 1001, 1002, 1003, 1005, 1006, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014,
                           1015, 3000, 4000, 1004}) {
        CHECK(words.insert(wsolo::to_string(static_cast<close_code>(code))).second);
    }
    CHECK(wsolo::to_string(close_code::going_away) == "going away");
    CHECK(wsolo::to_string(static_cast<close_code>(3999)) == wsolo::to_string(static_cast<close_code>(3000)));
    CHECK(wsolo::to_string(static_cast<close_code>(4999)) == wsolo::to_string(static_cast<close_code>(4000)));
    for (const int code : {0, 999, 1004, 1016, 2999, 5000, 65535}) {
        CHECK(wsolo::to_string(static_cast<close_code>(code)) == "not a sendable status code");
    }
}

TEST_CASE("an error's close code is one that may be sent, or none at all", "[frame][close_code]") {
    for (const auto& row : wsolo::detail::error_table) {
        INFO(row.name);
        const close_code code = wsolo::close_code_for(row.code);
        CHECK((code == close_code::no_status || wsolo::may_be_sent(code)));
        CHECK((code == close_code::no_status) == (row.close_status == 0));
    }
    CHECK(wsolo::close_code_for(errc::none) == close_code::no_status);
    CHECK(wsolo::close_code_for(errc::mask_required) == close_code::protocol_error);
    CHECK(wsolo::close_code_for(errc::invalid_utf8) == close_code::invalid_payload);
    CHECK(wsolo::close_code_for(errc::frame_too_big) == close_code::message_too_big);
}
