// Would catch: a message handed to a handler that wants none, a turn asked for in vain or not at all, a pause that no thread
// ends, and an error or a destructor that passes over an inbox at rest.

#include <support/inbox_fixture.hpp>

using support::inbox_fixture;
using wsolo::errc;
using wsolo::inbox_status;

namespace {

/// Wants as many messages as it is given credit for.
struct reluctant : inbox_fixture {
    using inbox_fixture::inbox_fixture;
    int credit = 0;
    wsolo::inbox_drain drain_wanted(std::size_t quantum = inbox::no_quantum) {
        return in.drain_while(
            [this](std::string&& text) {
                --credit;
                handled.push_back(std::move(text));
            },
            [this] { return credit > 0; }, quantum);
    }
};

} // namespace

TEST_CASE("what is not wanted stays queued, and no turn is asked for", "[sync][inbox]") {
    reluctant f;
    for (const char* const each : {"1", "2", "3", "4"}) CHECK(f.push(each).error == errc::none);
    f.credit = 2;
    const wsolo::inbox_drain first = f.drain_wanted();
    CHECK(first.status == inbox_status::resting);
    CHECK(first.messages == 2);
    CHECK(f.drain_wanted().status == inbox_status::resting);
    CHECK(f.push("5").error == errc::none);
    CHECK(f.scheduled == 1);
    CHECK_FALSE(f.in.is_drain_owed());

    f.credit = 9;
    f.in.rouse();
    f.in.rouse();
    CHECK(f.scheduled == 2);
    CHECK(f.drain_wanted().status == inbox_status::idle);
    CHECK(f.handled == std::vector<std::string>{"1", "2", "3", "4", "5"});
    f.in.rouse(); // nothing is left
    CHECK(f.scheduled == 2);
}

TEST_CASE("a quantum counts where each message is to be wanted too", "[sync][inbox]") {
    reluctant f;
    for (const char* const each : {"1", "2", "3"}) CHECK(f.push(each).error == errc::none);
    f.credit = 9;
    CHECK(f.drain_wanted(2).status == inbox_status::more);
    CHECK(f.handled.size() == 2);
    CHECK(f.scheduled == 2);
    CHECK(f.drain_wanted(2).status == inbox_status::idle);
}

TEST_CASE("an inbox at rest: an error ends it, an orderly close waits, a pause ends", "[sync][inbox]") {
    reluctant f({.max_messages = 4});
    for (const char* const each : {"1", "2", "3", "4"}) CHECK(f.push(each).error == errc::none);
    CHECK(f.in.is_paused());
    SECTION("an error") {
        CHECK(f.drain_wanted().status == inbox_status::resting);
        CHECK(f.in.close(errc::connection_lost));
        CHECK(f.scheduled == 2);
        CHECK(f.drain_wanted().status == inbox_status::finished);
        REQUIRE(f.reports.size() == 1);
        CHECK(f.reports[0].messages_dropped == 4);
    }
    SECTION("an orderly close") {
        CHECK(f.drain_wanted().status == inbox_status::resting);
        CHECK(f.in.close());
        CHECK(f.scheduled == 1);
        f.credit = 9;
        f.in.rouse();
        CHECK(f.drain_wanted().status == inbox_status::finished);
        CHECK(f.handled.size() == 4);
    }
    SECTION("a pause") {
        f.credit = 2;
        CHECK(f.drain_wanted().status == inbox_status::resting);
        CHECK(f.resumed == 1);
        CHECK_FALSE(f.in.is_paused());
    }
    SECTION("refused when roused") {
        CHECK(f.drain_wanted().status == inbox_status::resting);
        f.refuses = true;
        f.in.rouse();
        REQUIRE(f.reports.size() == 1);
        CHECK(f.reports[0].reason == errc::schedule_refused);
    }
}
