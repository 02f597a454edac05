// Would catch: a bound that overshoots, wraps around or forgets the overhead, a pause without its resume
// (or with two), an overflow that is not the end it was chosen to be, a refused message that is gone, an overflow by
// messages that were handled already.

#include <support/inbox_fixture.hpp>

using support::inbox_fixture;
using wsolo::errc;
using wsolo::inbox_overflow;
using wsolo::inbox_push;
using texts = std::vector<std::string>;
using wsolo::inbox_status;

namespace {

constexpr std::size_t one = 10 + inbox_fixture::inbox::message_overhead; // what push() of the fixture costs

constexpr bool accepted(const inbox_push& answer) { return answer.error == errc::none; }

} // namespace

TEST_CASE("pause: the message that reaches the bound is the last one accepted", "[sync][inbox]") {
    inbox_fixture f({.max_messages = 3});
    CHECK_FALSE(f.push("a").pause);
    CHECK_FALSE(f.push("b").pause);
    const inbox_push third = f.push("c");
    CHECK(third.error == errc::none);
    CHECK(third.pause);
    CHECK(f.in.is_paused());
    std::string refused = "d";
    const inbox_push fourth = f.in.push(std::move(refused), 10);
    CHECK(fourth.error == errc::queue_full);
    CHECK(fourth.pause);
    CHECK(refused == "d"); // still the caller's
    CHECK(f.in.queued_messages() == 3);
    CHECK(f.in.report().messages_refused == 1);
}

TEST_CASE("pause: memory stays below the bound plus one message", "[sync][inbox]") {
    inbox_fixture f({.max_bytes = 2 * one});
    CHECK_FALSE(f.push("a").pause);
    const inbox_push large = f.in.push("large", 1'000'000);
    CHECK(large.error == errc::none);
    CHECK(large.pause);
    CHECK(f.push("c").error == errc::queue_full);
    CHECK(f.in.queued_bytes() == 2 * one - 10 + 1'000'000);
    CHECK(f.drain().messages == 2);
    CHECK(f.resumed == 1);
    CHECK_FALSE(f.in.is_paused());

    inbox_fixture g({.max_bytes = 2 * one});
    CHECK_FALSE(g.push("a").pause);
    CHECK(g.push("b").pause); // reached, to the byte
}

TEST_CASE("pause: one resume when half of both bounds is free", "[sync][inbox]") {
    inbox_fixture f({.max_bytes = 8 * one, .max_messages = 6});
    for (int i = 0; i < 6; ++i) REQUIRE(accepted(f.push(std::to_string(i))));
    CHECK(f.in.is_paused());
    std::vector<int> resumed_behind;
    static_cast<void>(f.in.drain([&](std::string&&) { resumed_behind.push_back(f.resumed); }));
    CHECK(resumed_behind == std::vector<int>{0, 0, 0, 1, 1, 1}); // three are left when the fourth begins
    CHECK(f.resumed == 1);

    for (int i = 0; i < 6; ++i) CHECK(f.push("x").pause == (i == 5)); // pauses anew
    CHECK(f.drain().status == inbox_status::idle);
    CHECK(f.resumed == 2);

    inbox_fixture bytes({.max_bytes = 4 * one, .max_messages = 100});
    for (int i = 0; i < 4; ++i) REQUIRE(accepted(bytes.push("x")));
    CHECK(bytes.in.is_paused());
    CHECK(bytes.drain(1).messages == 1);
    CHECK(bytes.resumed == 0);
    CHECK(bytes.drain(1).messages == 1);
    CHECK(bytes.resumed == 1);
}

TEST_CASE("pause: a bound of one message works", "[sync][inbox]") {
    inbox_fixture f({.max_messages = 1});
    for (int i = 0; i < 3; ++i) {
        CHECK(f.push("x").pause);
        CHECK(f.push("y").error == errc::queue_full);
        CHECK(f.drain().messages == 1);
        CHECK(f.resumed == i + 1);
    }
}

TEST_CASE("fail: the message too many closes the inbox, what is queued is dropped", "[sync][inbox]") {
    for (const auto& [policy, error] : {std::pair(inbox_overflow::violate_policy, errc::inbox_overflow),
                                        std::pair(inbox_overflow::try_again_later, errc::inbox_overloaded)}) {
        inbox_fixture f({.max_messages = 2, .when_full = policy});
        CHECK(accepted(f.push("a")));
        CHECK(accepted(f.push("b"))); // as many as the bound says
        std::string refused = "c";
        const inbox_push third = f.in.push(std::move(refused), 10);
        CHECK(third.error == error);
        CHECK_FALSE(third.pause);
        CHECK(refused == "c");
        CHECK(f.push("d").error == errc::closed);
        CHECK(f.scheduled == 1); // it was owed already
        CHECK(f.drain().status == inbox_status::finished);
        CHECK(f.handled.empty());
        REQUIRE(f.reports.size() == 1);
        CHECK(f.reports[0].reason == error);
        CHECK(f.reports[0].messages_dropped == 2);
        CHECK(f.reports[0].messages_refused == 1);
    }
    CHECK(wsolo::info(errc::inbox_overflow).close_status == 1008);
    CHECK(wsolo::info(errc::inbox_overloaded).close_status == 1013);
}

TEST_CASE("fail and drop: bytes count with their overhead, and the bound is strict", "[sync][inbox]") {
    for (const auto policy : {inbox_overflow::violate_policy, inbox_overflow::drop_newest}) {
        inbox_fixture exact({.max_bytes = 2 * one, .when_full = policy});
        CHECK(accepted(exact.push("a")));
        CHECK(accepted(exact.push("b")));
        CHECK(exact.in.queued_bytes() == 2 * one);
        inbox_fixture less({.max_bytes = 2 * one - 1, .when_full = policy});
        CHECK(accepted(less.push("a")));
        CHECK_FALSE(accepted(less.push("b")));
        for (const std::size_t bytes : {2 * one, std::size_t{100'000}, static_cast<std::size_t>(-1)}) {
            inbox_fixture never({.max_bytes = 2 * one, .when_full = policy});
            CHECK_FALSE(accepted(never.in.push("", bytes))); // no bound wraps around
        }
    }
}

TEST_CASE("drop: the newest is refused and counted, the rest goes on", "[sync][inbox]") {
    inbox_fixture f({.max_messages = 2, .when_full = inbox_overflow::drop_newest});
    CHECK(accepted(f.push("a")));
    CHECK(accepted(f.push("b")));
    const inbox_push third = f.push("c");
    CHECK(third.error == errc::queue_full);
    CHECK_FALSE(third.pause);
    CHECK(f.drain().status == inbox_status::idle);
    CHECK(accepted(f.push("d")));
    CHECK(f.drain().status == inbox_status::idle);
    CHECK(f.handled == texts{"a", "b", "d"});
    CHECK(f.in.report().messages_refused == 1);
    CHECK(f.resumed == 0);
}

TEST_CASE("the message in the handler counts against the bound", "[sync][inbox]") {
    inbox_fixture f({.max_messages = 2, .when_full = inbox_overflow::drop_newest});
    REQUIRE(accepted(f.push("a")));
    static_cast<void>(f.in.drain([&](std::string&& text) {
        if (text != "a") return;
        CHECK(accepted(f.push("b")));
        CHECK(f.push("c").error == errc::queue_full);
    }));
    CHECK(f.in.report().messages_handled == 2);
}

TEST_CASE("what was handled makes room, but for an eighth of the bound", "[sync][inbox]") {
    const wsolo::inbox_limits by_messages{.max_messages = 32, .when_full = inbox_overflow::violate_policy};
    const wsolo::inbox_limits by_bytes{.max_bytes = 32 * one, .when_full = inbox_overflow::violate_policy};
    for (const wsolo::inbox_limits& limits : {by_messages, by_bytes}) {
        inbox_fixture f(limits);
        for (int i = 0; i < 32; ++i) REQUIRE(accepted(f.push("x")));
        int handled = 0;
        int pushed = 0;
        static_cast<void>(f.in.drain([&](std::string&&) {
            ++handled;
            const int held = 32 + pushed - handled + 1; // the one in the handler counts
            CHECK(f.in.queued_messages() <= static_cast<std::size_t>(held + 4));
            if (pushed < 100 && held + 4 < 32) {
                CHECK(accepted(f.push("y")));
                ++pushed;
            }
        }));
        CHECK(pushed == 100);
        CHECK(handled == 132);
        CHECK(f.in.report().reason == errc::none);
    }
}
