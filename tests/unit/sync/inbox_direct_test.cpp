// Would catch: a direct run that overtakes what waits, runs beside a drain or beyond its quantum, goes on after a close or an
// error, keeps the turn, forgets what was pushed meanwhile, or leaves its messages out of the counts and the bounds.

#include <support/inbox_fixture.hpp>

#include <stdexcept>

using namespace support;
using wsolo::errc;
using direct_run = inbox_fixture::inbox::direct_run;

namespace {

/// One message the direct way.
void handle(inbox_fixture& f, direct_run& run, const std::string& text, errc answer = errc::none) {
    REQUIRE(run.can_handle());
    run.handle(10, [&] {
        f.handled.push_back(text);
        return answer;
    });
}

} // namespace

TEST_CASE("a direct run handles without the hook and counts as a drain does", "[sync][inbox]") {
    inbox_fixture f;
    {
        direct_run run(f.in);
        CHECK_FALSE(run.is_open());
        handle(f, run, "a");
        CHECK(run.is_open());
        handle(f, run, "b");
        CHECK(run.end());
        CHECK_FALSE(run.end());
        CHECK_FALSE(run.can_handle());
    }
    CHECK(f.handled == std::vector<std::string>{"a", "b"});
    CHECK(f.scheduled == 0);
    CHECK(f.in.report().messages_handled == 2);
    CHECK(f.in.report().bytes_handled == 20);
    CHECK(f.in.queued_messages() == 0);
    CHECK(f.in.error() == errc::none);
    CHECK(f.push("c").error == errc::none);
    CHECK(f.scheduled == 1);
    CHECK(f.drain().messages == 1);
}

TEST_CASE("a direct run overtakes nothing", "[sync][inbox]") {
    inbox_fixture f;
    SECTION("that waits") {
        static_cast<void>(f.push("first"));
        direct_run run(f.in);
        CHECK_FALSE(run.can_handle());
        CHECK(f.drain().messages == 1);
        CHECK_FALSE(run.can_handle()); // not again in this run
        CHECK(direct_run(f.in).can_handle());
    }
    SECTION("that rests") {
        static_cast<void>(f.push("first"));
        static_cast<void>(f.in.drain_while([](std::string&&) {}, [] { return false; }));
        CHECK_FALSE(direct_run(f.in).can_handle());
    }
    SECTION("that is being handled") {
        static_cast<void>(f.push("first"));
        bool could = true;
        static_cast<void>(f.in.drain([&](std::string&&) { could = direct_run(f.in).can_handle(); }));
        CHECK_FALSE(could);
    }
    SECTION("and nothing overtakes it") {
        direct_run run(f.in);
        REQUIRE(run.can_handle());
        run.handle(10, [&] {
            CHECK(f.push("second").error == errc::none);
            CHECK(f.drain().status == wsolo::inbox_status::busy);
            CHECK_FALSE(direct_run(f.in).can_handle());
            f.handled.emplace_back("first");
            return errc::none;
        });
        CHECK_FALSE(run.end());
        CHECK(f.scheduled == 1);
        CHECK(f.drain().messages == 1);
        CHECK(f.handled == std::vector<std::string>{"first", "second"});
    }
}

TEST_CASE("a direct run is for an inbox that would refuse nothing", "[sync][inbox]") {
    for (const auto policy : {wsolo::inbox_overflow::violate_policy, wsolo::inbox_overflow::try_again_later,
                              wsolo::inbox_overflow::drop_newest}) {
        inbox_fixture f({.when_full = policy});
        CHECK_FALSE(direct_run(f.in).can_handle());
    }
    inbox_fixture f;
    f.in.close();
    CHECK_FALSE(direct_run(f.in).can_handle());
}

TEST_CASE("a direct run ends with its quantum", "[sync][inbox]") {
    inbox_fixture f;
    direct_run run(f.in, 2);
    handle(f, run, "a");
    CHECK_FALSE(run.is_used_up());
    handle(f, run, "b");
    CHECK(run.is_used_up());
    CHECK_FALSE(run.can_handle());
    CHECK(run.end());
    direct_run any(f.in, 0);
    for (int i = 0; i < 100; ++i) handle(f, any, "c");
    CHECK_FALSE(any.is_used_up());
}

TEST_CASE("the message of a direct run counts against the bounds", "[sync][inbox]") {
    inbox_fixture f({.max_messages = 1});
    direct_run run(f.in);
    REQUIRE(run.can_handle());
    run.handle(10, [&] {
        CHECK(f.in.queued_messages() == 1);
        CHECK(f.push("no room").error == errc::queue_full);
        return errc::none;
    });
    CHECK(run.end());
    CHECK(f.in.queued_messages() == 0);
    CHECK(f.in.queued_bytes() == 0);
}

TEST_CASE("a direct run pauses and resumes as a drain does", "[sync][inbox]") {
    inbox_fixture f({.max_messages = 2});
    direct_run run(f.in);
    REQUIRE(run.can_handle());
    run.handle(10, [&] {
        CHECK(f.push("second").pause);
        return errc::none;
    });
    CHECK_FALSE(run.end());
    CHECK(f.resumed == 1); // half of the bound is free
    CHECK(f.drain().messages == 1);
}

TEST_CASE("the first error ends a direct run and the inbox", "[sync][inbox]") {
    inbox_fixture f;
    direct_run run(f.in);
    handle(f, run, "good");
    SECTION("returned") { handle(f, run, "bad", errc::invalid_utf8); }
    SECTION("closed inside") {
        REQUIRE(run.can_handle());
        run.handle(10, [&] {
            CHECK(f.in.close(errc::invalid_utf8));
            return errc::none;
        });
    }
    SECTION("thrown") {
        REQUIRE(run.can_handle());
        const auto throwing = []() -> errc { throw std::runtime_error("a handler's own"); };
        CHECK_THROWS_AS(run.handle(10, throwing), std::runtime_error);
    }
    CHECK(f.in.error() != errc::none);
    CHECK(f.reports.empty());
    CHECK_FALSE(run.can_handle()); // makes the end
    REQUIRE(f.reports.size() == 1);
    CHECK(f.reports[0].messages_handled == 2);
    CHECK(f.reports[0].messages_dropped == 0);
    CHECK(f.reports[0].reason == f.in.error());
    CHECK(f.push("late").error == errc::closed);
    CHECK(f.scheduled == 0);
}

TEST_CASE("an inbox that is closed in order ends after its direct run", "[sync][inbox]") {
    inbox_fixture f;
    const bool pushes = GENERATE(false, true);
    {
        direct_run run(f.in);
        handle(f, run, "a");
        if (pushes) CHECK(f.push("b").error == errc::none);
        CHECK(f.in.close());
        CHECK_FALSE(run.can_handle());
    }
    if (pushes) CHECK(f.drain().status == wsolo::inbox_status::finished);
    REQUIRE(f.reports.size() == 1);
    CHECK(f.reports[0].is_clean());
    CHECK(f.reports[0].messages_handled == (pushes ? 2 : 1));
}
