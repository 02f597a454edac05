// Would catch: a report that does not add up, one that calls a failed inbox clean.

#include <support/catch.hpp>

#include <wsolo/sync/inbox_report.hpp>

TEST_CASE("an inbox_report adds up", "[sync][inbox]") {
    constexpr wsolo::inbox_report report{.messages_handled = 3,
                                         .messages_dropped = 2,
                                         .bytes_handled = 30,
                                         .bytes_dropped = 20,
                                         .messages_refused = 7};
    CHECK(report.messages_accepted() == 5); // refused ones were never accepted
    CHECK(report.bytes_accepted() == 50);
    CHECK(report.is_clean());
    CHECK_FALSE(wsolo::inbox_report{.reason = wsolo::errc::closed}.is_clean());
}
