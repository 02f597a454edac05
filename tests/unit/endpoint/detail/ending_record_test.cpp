// Would catch: a later reason in place of the first, our status code in place of the peer's, one that was never written, and a
// control frame that is missing in the account.

#include <support/catch.hpp>

#include <wsolo/endpoint/detail/ending_record.hpp>

namespace {

using wsolo::close_code;
using wsolo::errc;

constexpr wsolo::drain_report clean{.frames_written = 1, .close = close_code::going_away};
constexpr wsolo::drain_report broken{
    .frames_dropped = 1, .reason = errc::write_failed, .close = close_code::going_away};
constexpr wsolo::drain_report no_close{.reason = errc::aborted};

} // namespace

TEST_CASE("the first reason stands", "[endpoint][ending_record]") {
    wsolo::detail::ending_record record;
    CHECK(record.how(0, clean, {}).reason == errc::none);
    CHECK(record.how(0, broken, {.reason = errc::handler_failed}).reason == errc::write_failed);
    CHECK(record.how(0, clean, {.reason = errc::handler_failed}).reason == errc::handler_failed);
    record.blame(errc::none);
    CHECK(record.how(0, broken, {}).reason == errc::write_failed);
    record.blame(errc::pong_timeout);
    record.blame(errc::timed_out);
    CHECK(record.how(0, broken, {.reason = errc::handler_failed}).reason == errc::pong_timeout);
}

TEST_CASE("the peer's code stands above ours, and ours counts when it was written",
          "[endpoint][ending_record]") {
    wsolo::detail::ending_record record;
    CHECK(record.how(0, no_close, {}).code == close_code::abnormal);
    CHECK(record.how(0, broken, {}).code == close_code::abnormal); // accepted, not written
    CHECK(record.how(0, clean, {}).code == close_code::going_away);
    CHECK_FALSE(record.how(0, clean, {}).peer_closed);
    record.peer_closed(close_code::no_status);
    CHECK(record.how(0, clean, {}).code == close_code::no_status);
    CHECK(record.how(0, no_close, {}).code == close_code::no_status);
    CHECK(record.how(0, clean, {}).peer_closed);
}

TEST_CASE("a Close counts as a control frame when it was accepted", "[endpoint][ending_record]") {
    wsolo::detail::ending_record record;
    CHECK(record.how(1, no_close, {}).control_frames == 1);
    CHECK(record.how(1, clean, {}).control_frames == 2);
    CHECK(record.how(1, broken, {}).control_frames == 2);
    CHECK(record.how(1, clean, {}).control_frames == 2); // it may be asked twice
}

TEST_CASE("the reports are what they were, and a handler that still runs is told",
          "[endpoint][ending_record]") {
    wsolo::detail::ending_record record;
    const wsolo::ending how = record.how(0, broken, {.messages_handled = 3});
    CHECK(how.written.frames_dropped == 1);
    CHECK(how.handled.messages_handled == 3);
    CHECK_FALSE(how.handler_still_runs);
    record.handler_still_runs();
    CHECK(record.how(0, broken, {}).handler_still_runs);
}
