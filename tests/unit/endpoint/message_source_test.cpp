// Would catch: a message that leaves the inbox although nobody asked, one handed out twice or out of order, a coroutine
// that is not resumed at the end, one that is resumed though it was destroyed, and one that holds up PONGs.

#include <support/endpoint_fixture.hpp>
#include <support/fire_and_forget.hpp>
#include <support/task.hpp>

#include <wsolo/endpoint/message_source.hpp>
#include <wsolo/sync/await.hpp>
#include <wsolo/sync/sequence_barrier.hpp>

namespace {

template <class Side>
using source_fixture = endpoint_fixture<Side, wsolo::in_the_loop, wsolo::message_source>;

struct reading {
    std::vector<std::string> got;
    errc ended = errc::none;
};

template <class Endpoint>
fire_and_forget read_all(Endpoint& e, reading& into) {
    for (;;) {
        wsolo::result<wsolo::message> next = co_await e.handler().next();
        if (!next) {
            into.ended = next.error();
            co_return;
        }
        into.got.emplace_back(next->text());
        if (e.send_text(next->text()) != errc::none) into.got.emplace_back("(refused)");
    }
}

/// Takes one message, then waits for `gate` before it asks for the next.
template <class Endpoint>
fire_and_forget read_behind(Endpoint& e, wsolo::sequence_barrier& gate, reading& into) {
    for (std::uint64_t mark = 1;; ++mark) {
        wsolo::result<wsolo::message> next = co_await e.handler().next();
        if (!next) {
            into.ended = next.error();
            co_return;
        }
        into.got.emplace_back(next->text());
        static_cast<void>(co_await wsolo::reached(gate, mark));
    }
}

} // namespace

TEMPLATE_TEST_CASE("a coroutine gets the messages in order, then the end", "[endpoint][message_source]",
                   server, client) {
    source_fixture<TestType> f;
    reading seen;
    read_all(*f.whole, seen);
    f.receive(f.text("one") + f.text("two"));
    f.run_until_quiet();
    CHECK(seen.got == std::vector<std::string>{"one", "two"});
    f.receive(f.text("three") + f.close_frame());
    f.run_until_quiet();
    CHECK(seen.got == std::vector<std::string>{"one", "two", "three"});
    CHECK(seen.ended == errc::closed);
    CHECK(f.end_of_input().finished);
    REQUIRE(f.sent().size() == 4);
    CHECK(f.sent().back().first == 8);
}

TEMPLATE_TEST_CASE("while the coroutine is busy the inbox keeps the rest", "[endpoint][message_source]",
                   server, client) {
    auto options = source_fixture<TestType>::quiet();
    options.handling.max_messages = 3;
    source_fixture<TestType> f(options);
    wsolo::sequence_barrier gate;
    reading seen;
    read_behind(*f.whole, gate, seen);
    std::string input;
    for (int i = 1; i <= 6; ++i) input += f.text(std::to_string(i));
    f.receive(input);
    f.run_until_quiet();
    CHECK(seen.got == std::vector<std::string>{"1"});
    CHECK_FALSE(f.wants.read); // paused: the rest stays where it is
    for (std::size_t i = 1; i <= 6; ++i) {
        CHECK(seen.got.size() == i);
        gate.complete(gate.issue());
        f.run_until_quiet();
    }
    CHECK(seen.got == std::vector<std::string>{"1", "2", "3", "4", "5", "6"});
    CHECK(f.wants.read);
    f.whole->abort();
    f.run_until_quiet();
    CHECK(seen.ended == errc::aborted);
    CHECK(f.wants.finished);
}

TEMPLATE_TEST_CASE("an error ends a busy coroutine's endpoint too", "[endpoint][message_source]", server,
                   client) {
    source_fixture<TestType> f;
    wsolo::sequence_barrier gate;
    reading seen;
    read_behind(*f.whole, gate, seen);
    f.receive(f.text("1") + f.text("2"));
    f.run_until_quiet();
    f.whole->abort();
    f.run_until_quiet();
    CHECK_FALSE(f.wants.finished); // the coroutine has "1" in hand
    gate.complete(gate.issue());
    CHECK(seen.ended == errc::aborted);
    f.run_until_quiet();
    CHECK(f.wants.finished); // although "2" was not asked for
    CHECK(f.whole->how_it_ended().handled.messages_dropped == 1);
}

TEMPLATE_TEST_CASE("beside a pool nobody is asked for what is not wanted", "[endpoint][message_source]",
                   server, client) {
    endpoint_fixture<TestType, counted_work, wsolo::message_source> f;
    wsolo::sequence_barrier gate;
    reading seen;
    read_behind(*f.whole, gate, seen);
    f.receive(f.text("1") + f.text("2") + f.text("3"));
    CHECK(f.log.work_asked == 1);
    f.whole->work();
    f.whole->work(); // another thread of the pool
    f.receive(f.text("4"));
    CHECK(f.log.work_asked == 1);
    CHECK(seen.got == std::vector<std::string>{"1"});

    SECTION("until it is wanted") {
        gate.complete(gate.issue());
        CHECK(f.log.work_asked == 2);
        f.whole->work();
        CHECK(seen.got == std::vector<std::string>{"1", "2"});
        f.receive(f.close_frame());
        for (int i = 0; i < 3; ++i) {
            gate.complete(gate.issue());
            f.whole->work();
        }
        f.run_until_quiet();
        CHECK(seen.got == std::vector<std::string>{"1", "2", "3", "4"});
        CHECK(seen.ended == errc::closed);
        CHECK(f.end_of_input().finished);
    }
    SECTION("but for an error") {
        f.whole->abort();
        CHECK(f.log.work_asked == 2);
        f.whole->work();
        f.run_until_quiet();
        CHECK_FALSE(f.wants.finished);
        gate.complete(gate.issue());
        CHECK(seen.ended == errc::aborted);
        f.run_until_quiet();
        CHECK(f.wants.finished);
        CHECK(f.whole->how_it_ended().handled.messages_dropped == 3);
    }
}

TEMPLATE_TEST_CASE("a coroutine destroyed while it waits is not resumed, and loses no message",
                   "[endpoint][message_source]", server, client) {
    source_fixture<TestType> f;
    const auto read_one = [](auto& e, std::vector<std::string>& got) -> support::task {
        wsolo::result<wsolo::message> next = co_await e.handler().next();
        got.emplace_back(next ? next->text() : "(none)");
    };
    std::vector<std::string> first, second;
    support::task waiting = read_one(*f.whole, first);
    CHECK(f.whole->handler().wants_message());
    waiting.destroy();
    CHECK_FALSE(f.whole->handler().wants_message());
    f.receive(f.text("1"));
    f.run_until_quiet();
    CHECK(first.empty());
    support::task next = read_one(*f.whole, second);
    f.run_until_quiet();
    CHECK(next.is_done());
    CHECK(second == std::vector<std::string>{"1"});

    support::task last = read_one(*f.whole, second);
    last.destroy();
    f.whole.reset(); // nor at the end
    CHECK(second.size() == 1);
}

TEST_CASE("destroying the endpoint resumes who waits", "[endpoint][message_source]") {
    reading seen;
    {
        source_fixture<server> f;
        read_all(*f.whole, seen);
    }
    CHECK(seen.ended == errc::aborted);
}
