// Would catch, one step at a time: a push that takes the token twice or not at all, a release that loses what
// was pushed meanwhile, a seal that lets something follow, accounts that do not add up.

#include <support/catch.hpp>

#include <wsolo/write/outbox.hpp>

#include <cstring>

using wsolo::errc;
using wsolo::token;
using wsolo::detail::lane_id;
using wsolo::detail::next_step;
using wsolo::detail::progress;

namespace {

using outbox = wsolo::detail::outbox<wsolo::std_traits>;

wsolo::detail::push_result push(outbox& box, lane_id to = lane_id::data, std::size_t size = 10) {
    return box.push_small({.to = to, .size = size},
                          [](wsolo::mutable_bytes room) { std::memset(room.data(), 0, room.size()); });
}

bool park(outbox& box, wsolo::time_point& deadline) {
    wsolo::detail::waiter_list due;
    return box.park({}, deadline, due);
}

/// Plays the transport: takes everything of the flight.
progress write_all(outbox& box) {
    wsolo::detail::gather_plan plan;
    box.work()->in_flight.plan(plan, false);
    return box.work()->in_flight.advance(plan, plan.bytes());
}

next_step step(outbox& box, const progress& done = {}) {
    const wsolo::detail::next_result next = box.next(done);
    wsolo::detail::workload::destroy(next.idle);
    return next.step;
}

} // namespace

TEST_CASE("the first push takes the token, and only the first", "[write][outbox]") {
    outbox box({}, token::free);
    CHECK_FALSE(box.begin());
    CHECK(push(box).drive);
    CHECK(box.state() == token::scheduled);
    CHECK_FALSE(push(box).drive);
    REQUIRE(box.begin());
    CHECK_FALSE(box.begin()); // one owner
    CHECK_FALSE(push(box).drive);
    CHECK(step(box) == next_step::write);
    const progress done = write_all(box);
    CHECK(done[lane_id::data].frames == 3);
    CHECK_FALSE(push(box).drive); // after the write, before the release
    CHECK(step(box, done) == next_step::write);
    CHECK(step(box, write_all(box)) == next_step::released);
    CHECK(box.work() == nullptr); // idle: nothing on the heap
    CHECK(push(box).drive);
    CHECK(box.report().frames_written == 4);
}

TEST_CASE("a parked token is taken by pump or recalled by close, never by a push", "[write][outbox]") {
    outbox box({}, token::free);
    REQUIRE(push(box).drive);
    REQUIRE(box.begin());
    REQUIRE(step(box) == next_step::write);
    wsolo::time_point deadline;
    REQUIRE(park(box, deadline));
    CHECK(deadline == wsolo::no_deadline);
    CHECK_FALSE(push(box).drive);
    CHECK(box.state() == token::parked);
    const wsolo::time_point drain{std::chrono::seconds(5)};
    CHECK(box.push_close(4, wsolo::close_code::normal, drain, [](wsolo::mutable_bytes) {}).drive);
    CHECK(push(box).error == errc::closed);
    REQUIRE(box.begin());
    REQUIRE(step(box) == next_step::write);
    REQUIRE(park(box, deadline));
    CHECK(deadline == drain);
    REQUIRE(box.begin());
    CHECK(step(box, write_all(box)) == next_step::drained);
}

TEST_CASE("an abort between write and park is not slept over", "[write][outbox]") {
    outbox box({}, token::free);
    REQUIRE(push(box).drive);
    REQUIRE(box.begin());
    REQUIRE(step(box) == next_step::write);
    CHECK_FALSE(box.abort(errc::aborted, wsolo::no_deadline)); // the owner is awake: nobody needs calling
    wsolo::time_point deadline;
    CHECK_FALSE(park(box, deadline));
    CHECK(step(box) == next_step::aborted);
    const wsolo::detail::end_result end = box.finish({}, {});
    wsolo::detail::workload::destroy(end.rest);
    CHECK(end.report.frames_dropped == 1);
    CHECK(end.report.reason == errc::aborted);
    CHECK(box.state() == token::pumping); // finished is said last, when the transport has been told
    box.retire();
    CHECK(box.state() == token::finished);
    CHECK_FALSE(box.abort(errc::aborted, wsolo::no_deadline));
    CHECK(push(box).error == errc::closed);
}

TEST_CASE("lanes overtake each other at frame boundaries, PONG before PING before data", "[write][outbox]") {
    outbox box({}, token::free);
    REQUIRE(push(box, lane_id::data, 10).drive);
    REQUIRE(push(box, lane_id::ping, 6).error == errc::none);
    REQUIRE(push(box, lane_id::pong, 4).error == errc::none);
    REQUIRE(box.begin());
    REQUIRE(step(box) == next_step::write);
    wsolo::detail::gather_plan plan;
    box.work()->in_flight.plan(plan, false);
    REQUIRE(plan.parts().size() == 3);
    CHECK(plan.parts()[0].size() == 4);
    CHECK(plan.parts()[1].size() == 6);
    CHECK(plan.parts()[2].size() == 10);
    const progress done = box.work()->in_flight.advance(plan, 4 + 3); // inside the PING
    CHECK(done[lane_id::pong].frames == 1);
    CHECK(done[lane_id::ping].frames == 0);
    REQUIRE(push(box, lane_id::pong, 5).error == errc::none);
    REQUIRE(step(box, done) == next_step::write);
    wsolo::detail::gather_plan second;
    box.work()->in_flight.plan(second, false);
    CHECK(second.parts()[0].size() == 3); // the PING's rest first
    CHECK(second.parts()[1].size() == 5);
    wsolo::detail::gather_plan begun;
    box.work()->in_flight.plan(begun, true);
    CHECK(begun.bytes() == 3);
}

TEST_CASE("a sender that gives up lets the next one in whose frame fits", "[write][outbox]") {
    struct sleeper : wsolo::detail::budget_waiter {
        sleeper() noexcept {
            wake = [](budget_waiter& self) noexcept { ++static_cast<sleeper&>(self).woken; };
        }
        int woken = 0;
    };
    wsolo::writer_limits limits;
    limits.max_bytes = 100;
    outbox box(limits, token::free);
    REQUIRE(push(box, lane_id::data, 30).drive);
    const auto wait = [&](sleeper& one, std::size_t size) {
        return box
            .push_small({.to = lane_id::data, .size = size, .waiter = &one}, [](wsolo::mutable_bytes) {})
            .error;
    };
    sleeper first, second, third;
    REQUIRE(wait(first, 84) == errc::queue_full);
    REQUIRE(wait(second, 60) == errc::queue_full);
    REQUIRE(wait(third, 84) == errc::queue_full);
    REQUIRE(box.begin());
    REQUIRE(step(box) == next_step::write);
    wsolo::detail::gather_plan plan;
    box.work()->in_flight.plan(plan, false);
    wsolo::detail::next_result next = box.next(box.work()->in_flight.advance(plan, 25));
    CHECK(next.due.empty()); // room for the second, but the first comes first
    wsolo::detail::waiter_list due;
    wsolo::detail::workload* unused = nullptr;
    REQUIRE(box.withdraw(first, due, unused));
    due.wake_all();
    CHECK(first.woken == 0);
    CHECK(second.woken == 1);
    CHECK(third.woken == 0);
    CHECK_FALSE(box.withdraw(second, due, unused));
    REQUIRE(box.withdraw(third, due, unused));
    CHECK(due.empty());
}

TEST_CASE("a park does not sleep over a climb to the high mark", "[write][outbox]") {
    wsolo::writer_limits limits;
    limits.max_bytes = 100;
    outbox box(limits, token::free);
    REQUIRE(push(box).drive);
    REQUIRE(box.begin());
    REQUIRE(step(box) == next_step::write);
    REQUIRE(push(box, lane_id::data, 50).error == errc::none); // during the write
    wsolo::time_point deadline;
    CHECK_FALSE(park(box, deadline));
    wsolo::detail::next_result next = box.next({});
    CHECK(next.climbed);
    CHECK(park(box, deadline));
}

TEST_CASE("frames are counted wherever a write is cut", "[write][outbox]") {
    for (std::size_t cut = 0; cut <= 300; ++cut) {
        outbox box({}, token::free);
        for (std::size_t i = 0; i < 30; ++i) REQUIRE(push(box, lane_id::data, 10).error == errc::none);
        REQUIRE(box.begin());
        REQUIRE(step(box) == next_step::write);
        wsolo::detail::gather_plan plan;
        box.work()->in_flight.plan(plan, false);
        REQUIRE(plan.bytes() == 300);
        const progress done = box.work()->in_flight.advance(plan, cut);
        REQUIRE(done[lane_id::data].frames == cut / 10);
        REQUIRE(done[lane_id::data].bytes == cut);
        REQUIRE(box.work()->in_flight.mid_frame() == (cut % 10 != 0));
    }
}

TEST_CASE("a write goes on where the one before it was cut, and the one before that", "[write][outbox]") {
    outbox box({}, token::free);
    for (std::size_t i = 0; i < 3; ++i) REQUIRE(push(box).error == errc::none);
    REQUIRE(box.begin());
    progress done;
    const std::byte* start = nullptr;
    for (std::size_t taken = 0; taken < 30; taken += 5) {
        REQUIRE(step(box, done) == next_step::write);
        wsolo::detail::gather_plan plan;
        box.work()->in_flight.plan(plan, false);
        REQUIRE(plan.bytes() == 30 - taken);
        if (taken == 0) start = plan.parts()[0].data();
        REQUIRE(plan.parts()[0].data() == start + taken);
        done = box.work()->in_flight.advance(plan, 5);
    }
    CHECK(step(box, done) == next_step::released);
}
