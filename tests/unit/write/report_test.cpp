// Would catch: a report that calls a broken end clean, or that does not add up.

#include <support/catch.hpp>

#include <wsolo/write/report.hpp>

TEST_CASE("a report adds up and is clean only after an orderly Close", "[write][report]") {
    wsolo::drain_report report;
    report.frames_written = 3;
    report.frames_dropped = 2;
    report.bytes_written = 30;
    report.bytes_dropped = 20;
    CHECK(report.frames_accepted() == 5);
    CHECK(report.bytes_accepted() == 50);
    report.pongs_replaced = 4; // neither written nor lost
    report.bytes_replaced = 8;
    CHECK(report.frames_accepted() == 9);
    CHECK(report.bytes_accepted() == 58);
    CHECK(report.close == wsolo::close_code::abnormal);
    CHECK(report.is_clean());
    report.reason = wsolo::errc::write_failed;
    CHECK_FALSE(report.is_clean());
}
