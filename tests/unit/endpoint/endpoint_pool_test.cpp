// An endpoint whose loop and pool are other threads, and as quick as can be: they come within the hook that asks for
// them. Would catch: a wake-up that comes before what it is for, an end told before the handler returned, a goodbye
// after an abort, a dropped message that counts as handled, and a count that another thread is still about to make.

#include <support/endpoint_fixture.hpp>

#include <wsolo/sync/callback.hpp>

namespace {

constexpr int text_op = 1, close_op = 8;

template <class Side>
using pooled = endpoint_fixture<Side, counted_work>;

} // namespace

TEMPLATE_TEST_CASE("a loop that comes at once finds the messages over", "[endpoint][pool]", server, client) {
    pooled<TestType> f;
    f.log.on_message = [&f](const wsolo::message& received) { return f.whole->send_text(received.text()); };
    f.receive(f.text("last words") + f.close_frame());
    f.loop_at_once();
    f.whole->work();
    CHECK(f.sent() == sent_frames{{text_op, "last words"}, {close_op, "\x03\xe8"}});
    CHECK(f.end_of_input().finished);
    CHECK(f.log.endings.size() == 1);
}

TEMPLATE_TEST_CASE("the end is told when the handler has returned", "[endpoint][pool]", server, client) {
    pooled<TestType> f;
    f.loop_at_once();
    f.log.on_message = [&f](const wsolo::message&) {
        f.whole->abort();
        CHECK(f.log.endings.empty());
        CHECK_FALSE(f.wants.finished);
        return errc::none;
    };
    f.receive(f.text("1") + f.text("2"));
    f.whole->work();
    CHECK(f.wants.finished);
    CHECK(f.log.messages.size() == 1);
    REQUIRE(f.log.endings.size() == 1);
    CHECK(f.log.endings[0].handled.messages_handled == 1);
    CHECK(f.log.endings[0].handled.messages_dropped == 1);
}

TEMPLATE_TEST_CASE("one message at a time, whichever thread calls work()", "[endpoint][pool]", server,
                   client) {
    pooled<TestType> f;
    int inside = 0;
    f.log.on_message = [&](const wsolo::message&) {
        CHECK(++inside == 1);
        f.whole->work();
        --inside;
        return errc::none;
    };
    f.receive(f.text("1") + f.text("2") + f.text("3"));
    f.whole->work();
    CHECK(f.log.messages == std::vector<std::string>{"1", "2", "3"});
}

TEMPLATE_TEST_CASE("a number completes when its handler has returned", "[endpoint][pool]", server, client) {
    pooled<TestType> f;
    std::uint64_t handling = 0;
    f.log.on_message = [&](const wsolo::message&) {
        CHECK(f.whole->handled().has_reached(handling));
        CHECK_FALSE(f.whole->handled().has_reached(++handling));
        CHECK(f.whole->handled().wait_up_to(handling) == errc::would_deadlock);
        return errc::none;
    };
    f.receive(f.text("1") + f.text("2"));
    f.whole->work();
    CHECK(f.whole->handled().has_reached(2));
    CHECK(handling == 2);
}

TEMPLATE_TEST_CASE("abort says no goodbye, however quick the others are", "[endpoint][pool]", server,
                   client) {
    pooled<TestType> f;
    f.loop_at_once();
    f.log.on_work_asked = [&f] { f.whole->work(); };
    f.whole->abort(GENERATE(errc::aborted, errc::none));
    CHECK(f.sent().empty());
    CHECK(f.wants.finished);
    REQUIRE(f.log.endings.size() == 1);
    CHECK(f.log.endings[0].reason == errc::aborted);
    CHECK(f.log.endings[0].code == wsolo::close_code::abnormal);
}

TEMPLATE_TEST_CASE("a message that is dropped never counts as handled", "[endpoint][pool]", server, client) {
    auto options = pooled<TestType>::quiet();
    options.handling.max_messages = 2;
    options.handling.when_full = wsolo::inbox_overflow::violate_policy;
    pooled<TestType> f(options);
    const auto pass = [&f](std::uint64_t mark) {
        return f.whole->handled().wait_up_to(mark, manual_clock::now());
    };
    SECTION("by an overflow, beside a pool that is at work") {
        f.receive(f.text("1"));
        f.log.on_message = [&](const wsolo::message&) {
            f.receive(f.text("2") + f.text("3"));
            return errc::none;
        };
        f.whole->work(); // drops what the overflow left
        CHECK(f.log.messages.size() == 1);
        CHECK(pass(1) == errc::none);
        CHECK(pass(2) == errc::inbox_overflow);
    }
    SECTION("by a pool that refuses") {
        f.log.refuse_work = true;
        f.receive(f.text("1"));
        CHECK(pass(1) == errc::schedule_refused);
        CHECK(f.sent().at(0).second.substr(0, 2) == "\x03\xf3"); // 1011
        CHECK(f.end_of_input().finished);
        CHECK(f.log.endings.at(0).reason == errc::schedule_refused);
    }
    SECTION("by the destructor") {
        f.receive(f.text("1"));
        errc told = errc::none;
        const auto waiting = wsolo::on_reached(f.whole->handled(), 1, [&told](errc why) { told = why; });
        f.whole.reset();
        CHECK(told == errc::aborted);
    }
}

TEMPLATE_TEST_CASE("a Close is counted in the step that accepts it", "[endpoint][pool]", server, client) {
    pooled<TestType> f;
    f.log.on_scheduled = [&f] {
        if (f.log.scheduled != 1) return;
        f.run();
        f.end_of_input(errc::connection_lost);
        f.whole->work();
        f.run();
    };
    CHECK(f.whole->close(wsolo::close_code::going_away) == errc::none); // all is over when this returns
    REQUIRE(f.log.endings.size() == 1);
    CHECK(f.log.endings[0].code == wsolo::close_code::going_away);
    CHECK(f.log.endings[0].control_frames == 1);
    CHECK(f.log.endings[0].written.frames_accepted() == 1);
}

TEMPLATE_TEST_CASE("a PING's fate is the loop's alone", "[endpoint][pool]", server, client) {
    endpoint_fixture<TestType, counted_work> f(
        wsolo::endpoint_options{.beating = {.ping_interval = 20s, .pong_timeout = 10s}});
    manual_clock::advance(20s);
    f.wire.then({io_status::would_block, 0, 0});
    f.run(); // the PING waits
    const wsolo::time_point deadline = f.whole->beat()->deadline();
    f.log.refuse = true;
    CHECK(f.whole->close() == errc::none); // no thread comes, so the writer ends in this one
    CHECK(f.whole->writer().is_finished());
    CHECK(f.whole->beat()->deadline() == deadline);
}

TEMPLATE_TEST_CASE("a loop that writes a reply before it is counted has the rest handled", "[endpoint][pool]",
                   server, client) {
    auto options = pooled<TestType>::quiet();
    options.max_unsent = 1;
    pooled<TestType> f(options);
    f.log.on_message = [&f](const wsolo::message& received) { return f.whole->send_text(received.text()); };
    f.receive(f.text("more than may wait") + f.text("the rest"));
    f.loop_at_once(); // each reply is on the wire when its send returns
    while (std::exchange(f.log.work_asked, 0) != 0) f.whole->work();
    CHECK(f.sent() == sent_frames{{text_op, "more than may wait"}, {text_op, "the rest"}});
}

TEMPLATE_TEST_CASE("a loop that writes a reply and the end before it is counted has the rest handled",
                   "[endpoint][pool]", server, client) {
    auto options = pooled<TestType>::quiet();
    options.max_unsent = 1;
    pooled<TestType> f(options);
    f.log.on_message = [&f](const wsolo::message& received) { return f.whole->send_text(received.text()); };
    f.receive(f.text("more than may wait") + f.text("the rest"));
    f.log.on_scheduled = [&f, is_first = true]() mutable {
        if (std::exchange(is_first, false)) CHECK(f.whole->close() == errc::none); // a third thread's
        f.run();
    };
    const auto pool = [&f] {
        while (std::exchange(f.log.work_asked, 0) != 0) f.whole->work();
    };
    pool();
    CHECK(f.sent() == sent_frames{{text_op, "more than may wait"}, {close_op, "\x03\xe8"}});
    CHECK(f.log.messages.size() == 2);
    f.receive(f.close_frame());
    pool();
    f.end_of_input();
    REQUIRE(f.wants.finished); // there is nothing to wait for
    CHECK(f.log.endings[0].reason == errc::none);
}

TEMPLATE_TEST_CASE("destroying it calls no hook", "[endpoint][pool]", server, client) {
    pooled<TestType> f;
    f.receive(f.text("1"));
    CHECK(f.whole->send_text("unsent") == errc::none);
    const int scheduled = f.log.scheduled;
    const int asked = f.log.work_asked;
    f.log.refuse = f.log.refuse_work = GENERATE(false, true);
    f.whole.reset();
    CHECK(f.log.scheduled == scheduled);
    CHECK(f.log.work_asked == asked);
    CHECK(f.log.messages.empty());
    CHECK(f.log.endings.empty()); // nothing is told by a destructor
    CHECK(f.wire.finished_as() == wsolo::end_of_write::aborted);
}

TEMPLATE_TEST_CASE("a quantum of none bounds nothing", "[endpoint][pool]", server, client) {
    auto options = pooled<TestType>::quiet();
    options.handle_quantum = 0;
    pooled<TestType> f(options);
    std::string input;
    for (int i = 0; i < 200; ++i) input += f.text("x");
    f.receive(input);
    f.whole->work();
    CHECK(f.log.messages.size() == 200);
}
