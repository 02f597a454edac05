// Would catch: a message that leaves the inbox although none was asked for, one handed out twice or out of order, a Close
// that overtakes the answer of a coroutine which awaits something else, a coroutine that reaches an endpoint that is gone,
// one that is not resumed at the end, or is resumed though it was destroyed, room or a flush that it keeps then, and an
// end that never comes, or comes with the wrong code, when the last conversation is dropped.

#include <support/endpoint_fixture.hpp>
#include <support/fire_and_forget.hpp>
#include <support/task.hpp>

#include <wsolo/endpoint/conversation.hpp>
#include <wsolo/sync/await.hpp>
#include <wsolo/sync/callback.hpp>
#include <wsolo/sync/sequence_barrier.hpp>
#include <wsolo/testing/pair.hpp>

namespace {

template <class Side>
using talking = endpoint_fixture<Side, wsolo::in_the_loop, wsolo::in_a_coroutine>;

struct reading {
    std::vector<std::string> got;
    errc ended = errc::none;
};

fire_and_forget read_all(wsolo::conversation ws, reading& into) {
    for (;;) {
        wsolo::result<wsolo::message> next = co_await ws.next();
        if (!next) {
            into.ended = next.error();
            co_return;
        }
        into.got.emplace_back(next->text());
        if (co_await ws.send(*next) != errc::none) into.got.emplace_back("(refused)");
    }
}

/// Takes one message, then waits for `gate` before it asks for the next.
fire_and_forget read_behind(wsolo::conversation ws, wsolo::sequence_barrier& gate, reading& into) {
    for (std::uint64_t mark = 1;; ++mark) {
        wsolo::result<wsolo::message> next = co_await ws.next();
        if (!next) {
            into.ended = next.error();
            co_return;
        }
        into.got.emplace_back(next->text());
        static_cast<void>(co_await wsolo::reached(gate, mark));
    }
}

/// What a coroutine awaits besides: it comes when the test says so.
struct elsewhere {
    std::coroutine_handle<> waiting;
    [[nodiscard]] bool await_ready() const noexcept { return false; }
    void await_suspend(std::coroutine_handle<> caller) noexcept { waiting = caller; }
    void await_resume() const noexcept {}
    void come() { std::exchange(waiting, {}).resume(); }
};

struct noting : wsolo::in_a_coroutine {
    std::vector<wsolo::ending>* endings = nullptr;
    void on_finished(auto&, const wsolo::ending& how) const { endings->push_back(how); }
};

const std::string big(600, 'b');

/// Its queue is full, and its wire takes nothing until the test says so.
template <class Side>
struct full : talking<Side> {
    static wsolo::endpoint_options options() {
        auto how = talking<Side>::quiet();
        how.writing.limits.max_bytes = 4096;
        return how;
    }
    full() : talking<Side>(options()) {
        this->wire.rule([] { return wsolo::testing::scripted_step{io_status::would_block, 0, 0}; });
        while (this->whole->send_text(big) == errc::none) ++queued;
        while (this->whole->send_text("") == errc::none) ++queued;
        this->run_until_quiet();
        CHECK(queued > 4);
    }
    void open_wire() {
        this->wire.rule([] { return wsolo::testing::scripted_step{}; });
        this->run();
        this->run_until_quiet();
    }
    std::size_t queued = 0;
};

support::task send_one(wsolo::conversation ws, int number, std::string what,
                       std::vector<std::pair<int, errc>>& told) {
    told.emplace_back(number, co_await ws.send_text(what));
}

support::task throw_after_sending(wsolo::conversation ws) {
    static_cast<void>(co_await ws.send_text(big));
    throw 1;
}
support::task throw_after_flushing(wsolo::conversation ws) {
    static_cast<void>(co_await ws.flushed());
    throw 1;
}

support::task throw_with_a_message(wsolo::conversation ws) {
    const auto held = co_await ws.next();
    CHECK(held);
    static_cast<void>(co_await ws.send_text(big));
    throw 1;
}

support::task read_one(wsolo::conversation ws, std::vector<std::string>& got) {
    wsolo::result<wsolo::message> next = co_await ws.next();
    got.emplace_back(next ? next->text() : wsolo::to_string(next.error()));
}

/// Answers each message when `query` has come.
fire_and_forget answer_later(wsolo::conversation ws, elsewhere& query, std::vector<errc>& answers,
                             errc& ended) {
    while (auto next = co_await ws.next()) {
        co_await query;
        answers.push_back(co_await ws.send(*next));
    }
    const auto last = co_await ws.next();
    ended = last.error();
}

fire_and_forget use_after_the_end(wsolo::conversation ws, elsewhere& query, std::vector<errc>& answers,
                                  bool& is_over) {
    auto first = co_await ws.next();
    CHECK(first);
    co_await query;
    answers.push_back(ws.try_send_text("late"));
    answers.push_back(co_await ws.send(*first));
    answers.push_back(co_await ws.send_text("late"));
    answers.push_back(co_await ws.send_binary(wsolo::bytes_of("late")));
    answers.push_back(co_await ws.flushed());
    answers.push_back(ws.close());
    ws.abort();
    const auto last = co_await ws.next();
    answers.push_back(last.error());
    is_over = true;
}

fire_and_forget use_none(wsolo::conversation ws, std::vector<errc>& told) {
    const auto next = co_await ws.next();
    told.push_back(next.error());
    told.push_back(co_await ws.send_text("x"));
    told.push_back(co_await ws.flushed());
    told.push_back(ws.try_send_binary({}));
    told.push_back(ws.close());
    ws.abort();
}

fire_and_forget hold_for_ever(wsolo::conversation ws, elsewhere& query, errc& ended) {
    static_cast<void>(co_await ws.next());
    co_await query; // which does not come
    const auto last = co_await ws.next();
    ended = last.error();
}

fire_and_forget ask(wsolo::conversation ws) {
    const errc sent = co_await ws.send_text("a question"); // Catch2 would name it twice
    CHECK(sent == errc::none);
    CHECK(ws.close() == errc::none);
    static_cast<void>(co_await ws.next());
}

} // namespace

TEMPLATE_TEST_CASE("a coroutine gets the messages in order, then the end", "[endpoint][conversation]", server,
                   client) {
    talking<TestType> f;
    reading seen;
    read_all(wsolo::conversation(*f.whole), seen);
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

TEMPLATE_TEST_CASE("while the coroutine is busy the inbox keeps the rest", "[endpoint][conversation]", server,
                   client) {
    auto options = talking<TestType>::quiet();
    options.handling.max_messages = 3;
    talking<TestType> f(options);
    wsolo::sequence_barrier gate;
    reading seen;
    read_behind(wsolo::conversation(*f.whole), gate, seen);
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

TEMPLATE_TEST_CASE("an error ends a busy coroutine's endpoint too", "[endpoint][conversation]", server,
                   client) {
    talking<TestType> f;
    wsolo::sequence_barrier gate;
    reading seen;
    read_behind(wsolo::conversation(*f.whole), gate, seen);
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

TEMPLATE_TEST_CASE("beside a pool no work is asked for that is not wanted", "[endpoint][conversation]",
                   server, client) {
    endpoint_fixture<TestType, counted_work, wsolo::in_a_coroutine> f;
    wsolo::sequence_barrier gate;
    reading seen;
    read_behind(wsolo::conversation(*f.whole), gate, seen);
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
                   "[endpoint][conversation]", server, client) {
    talking<TestType> f;
    const wsolo::conversation kept(*f.whole); // by another owner
    std::vector<std::string> first, second;
    support::task waiting = read_one(kept, first);
    CHECK(f.whole->handler().wants_message());
    waiting.destroy();
    CHECK_FALSE(f.whole->handler().wants_message());
    f.receive(f.text("1"));
    f.run_until_quiet();
    CHECK(first.empty());
    support::task next = read_one(kept, second);
    f.run_until_quiet();
    CHECK(next.is_done());
    CHECK(second == std::vector<std::string>{"1"});

    support::task last = read_one(kept, second);
    last.destroy();
    f.whole.reset(); // nor at the end
    CHECK(second.size() == 1);
}

TEST_CASE("destroying the endpoint resumes every coroutine that waits", "[endpoint][conversation]") {
    reading seen;
    {
        talking<server> f;
        read_all(wsolo::conversation(*f.whole), seen);
    }
    CHECK(seen.ended == errc::aborted);
}

// ---- a message in hand

TEMPLATE_TEST_CASE("a Close waits for the coroutine that has a message in hand", "[endpoint][conversation]",
                   server, client) {
    talking<TestType> f;
    elsewhere query;
    std::vector<errc> answers;
    errc ended = errc::none;
    answer_later(wsolo::conversation(*f.whole), query, answers, ended);
    f.receive(f.text("one") + f.text("two") + f.close_frame());
    f.run_until_quiet();
    CHECK(f.sent().empty());
    CHECK(f.whole->handled().snapshot() == 2);
    CHECK_FALSE(f.whole->handled().has_reached(1));
    query.come();
    f.run_until_quiet();
    CHECK(f.sent() == sent_frames{{1, "one"}});
    CHECK(f.whole->handled().has_reached(1));
    CHECK_FALSE(f.whole->handled().has_reached(2));
    query.come();
    f.run_until_quiet();
    CHECK(f.sent() == sent_frames{{1, "one"}, {1, "two"}, {8, "\x03\xe8"}});
    CHECK(answers == std::vector<errc>{errc::none, errc::none});
    CHECK(ended == errc::closed);
    CHECK(f.end_of_input().finished);
    CHECK_FALSE(f.whole->how_it_ended().handler_still_runs);
}

TEMPLATE_TEST_CASE("a coroutine that outlives its endpoint is told", "[endpoint][conversation]", server,
                   client) {
    talking<TestType> f;
    elsewhere query;
    std::vector<errc> answers;
    bool is_over = false;
    use_after_the_end(wsolo::conversation(*f.whole), query, answers, is_over);
    f.receive(f.text("one") + f.text("two"));
    f.whole.reset();
    query.come();
    CHECK(is_over);
    std::vector<errc> expected(6, errc::closed);
    expected.push_back(errc::aborted);
    CHECK(answers == expected);
}

TEST_CASE("a conversation of no endpoint answers closed", "[endpoint][conversation]") {
    wsolo::conversation none;
    std::vector<errc> answers;
    use_none(none, answers);
    CHECK(answers == std::vector<errc>(5, errc::closed));
    static_assert(sizeof(wsolo::conversation) == sizeof(void*));
}

// ---- the last conversation goes

TEMPLATE_TEST_CASE("when the last conversation goes the connection closes in order",
                   "[endpoint][conversation]", server, client) {
    talking<TestType> f;
    wsolo::conversation kept(*f.whole);
    std::vector<std::string> got;
    support::task task = read_one(kept, got);
    f.receive(f.text("one") + f.text("two"));
    f.run_until_quiet();
    CHECK(got == std::vector<std::string>{"one"});
    CHECK(task.is_done());
    task.destroy();
    f.run_until_quiet();
    CHECK(f.sent().empty()); // there is another one
    kept = {};
    f.run_until_quiet();
    CHECK(f.sent() == sent_frames{{8, "\x03\xe8"}});
    f.receive(f.text("three") + f.close_frame());
    CHECK(f.end_of_input().finished);
    const wsolo::ending& how = f.whole->how_it_ended();
    CHECK(how.reason == errc::none);
    CHECK(how.handled.messages_handled == 2); // one in hand, one that was queued
    CHECK_FALSE(how.handler_still_runs);
    CHECK(f.whole->handled().has_reached(f.whole->handled().snapshot()));
}

TEMPLATE_TEST_CASE("a conversation that goes says nothing where another Close is due",
                   "[endpoint][conversation]", server, client) {
    talking<TestType> f;
    std::vector<std::string> got;
    support::task task = read_one(wsolo::conversation(*f.whole), got);
    const auto [bytes, code] =
        GENERATE_REF(std::pair<std::string, std::string>{f.close_frame("\x03\xe9"), "\x03\xe9"},
                     std::pair<std::string, std::string>{"\xff", "\x03\xea"});
    f.receive(f.text("one") + f.text("two") + bytes);
    f.run_until_quiet();
    CHECK(f.sent().empty());
    task.destroy(); // with one in hand
    f.run_until_quiet();
    REQUIRE(f.sent().size() == 1);
    CHECK(f.sent()[0].second.substr(0, 2) == code);
    CHECK(f.end_of_input().finished);
    CHECK(f.whole->how_it_ended().handled.messages_handled == 2);
}

TEST_CASE("copies of a conversation are the same one", "[endpoint][conversation]") {
    talking<server> f;
    {
        wsolo::conversation first(*f.whole);
        wsolo::conversation second = first;
        wsolo::conversation third = std::move(first);
        first = third; // NOLINT(bugprone-use-after-move): assigned to
        second = std::move(third);
        f.run_until_quiet();
        CHECK(f.sent().empty());
        CHECK(second.try_send_text("second") == errc::none);
        CHECK(first.close(wsolo::close_code::going_away, "first") == errc::none);
        CHECK(second.close() == errc::closed);
    }
    f.run_until_quiet();
    CHECK(f.sent() == sent_frames{{1, "second"},
                                  {8, "\x03\xe9"
                                      "first"}});
}

TEST_CASE("a handler of one's own may take its messages in a coroutine", "[endpoint][conversation]") {
    wsolo::testing::scripted_wire wire;
    endpoint_log log;
    std::vector<wsolo::ending> endings;
    noting handler;
    handler.endings = &endings;
    wsolo::endpoint whole(wsolo::testing::scripted_transport(wire), counted_schedule{&log},
                          std::move(handler), endpoint_fixture<server>::quiet());
    reading seen;
    read_all(wsolo::conversation(whole), seen);
    whole.abort(errc::rate_exceeded);
    CHECK(whole.run().finished);
    CHECK(seen.ended == errc::rate_exceeded);
    REQUIRE(endings.size() == 1);
    CHECK(endings[0].reason == errc::rate_exceeded);
}

// ---- sends that wait

TEMPLATE_TEST_CASE("sends wait for room, first come, first served", "[endpoint][conversation]", server,
                   client) {
    full<TestType> f;
    const wsolo::conversation ws(*f.whole);
    std::vector<std::pair<int, errc>> told;
    support::task first = send_one(ws, 1, big, told);
    support::task second = send_one(ws, 2, big, told);
    support::task third = send_one(ws, 3, "small", told);
    CHECK(told.empty());
    CHECK(ws.try_send_text("plain") == errc::queue_full); // it does not pass them

    SECTION("all of them, as it comes") {
        f.open_wire();
        CHECK(told == std::vector<std::pair<int, errc>>{{1, errc::none}, {2, errc::none}, {3, errc::none}});
        const auto sent = f.sent();
        REQUIRE(sent.size() == f.queued + 3);
        CHECK(sent[f.queued].second == big);
        CHECK(sent[f.queued + 2].second == "small");
    }
    SECTION("one that is destroyed lets the next have it") {
        first.destroy();
        second.destroy();
        f.open_wire();
        CHECK(told == std::vector<std::pair<int, errc>>{{3, errc::none}});
        CHECK(f.sent().size() == f.queued + 1);
    }
    SECTION("one that is destroyed by another which is woken with it") {
        const auto killer = [](wsolo::conversation mine, std::vector<std::pair<int, errc>>& heard,
                               std::optional<support::task>& other) -> support::task {
            heard.emplace_back(4, co_await mine.send_text("x"));
            other.reset();
        };
        first.destroy();
        second.destroy();
        third.destroy();
        std::optional<support::task> victim;
        support::task place = killer(ws, told, victim);
        victim.emplace(send_one(ws, 5, "y", told));
        support::task next = send_one(ws, 6, "z", told);
        f.open_wire();
        CHECK(told == std::vector<std::pair<int, errc>>{{4, errc::none}, {6, errc::none}});
        CHECK(f.sent().size() == f.queued + 2);
    }
    SECTION("a Close ends the wait") {
        CHECK(ws.close() == errc::none);
        CHECK(told ==
              std::vector<std::pair<int, errc>>{{1, errc::closed}, {2, errc::closed}, {3, errc::closed}});
        f.open_wire();
    }
    SECTION("and so does the endpoint's destruction") {
        f.whole.reset();
        CHECK(told ==
              std::vector<std::pair<int, errc>>{{1, errc::closed}, {2, errc::closed}, {3, errc::closed}});
    }
    // nothing that was granted is kept back
    if (f.whole) {
        f.run();
        CHECK(f.whole->writer().queued_bytes() == 0);
    }
}

TEMPLATE_TEST_CASE("room that was granted to a coroutine that is gone is the others'",
                   "[endpoint][conversation]", server, client) {
    full<TestType> f;
    const wsolo::conversation ws(*f.whole);
    std::vector<std::pair<int, errc>> told;
    std::optional<support::task> victim;
    const auto killer = [](wsolo::conversation mine, std::vector<std::pair<int, errc>>& heard,
                           std::optional<support::task>& other) -> support::task {
        heard.emplace_back(1, co_await mine.send_text("x"));
        other.reset();
    };
    support::task first = killer(ws, told, victim);
    victim.emplace(send_one(ws, 2, std::string(3000, 'y'), told)); // with "x" it leaves no room for another
    f.open_wire();
    CHECK(told == std::vector<std::pair<int, errc>>{{1, errc::none}});
    CHECK(ws.try_send_text(std::string(3000, 'z')) == errc::none);
    f.run_until_quiet();
    CHECK(f.sent().size() == f.queued + 2);
}

TEMPLATE_TEST_CASE("a send that will never fit is refused at once", "[endpoint][conversation]", server,
                   client) {
    full<TestType> f;
    std::vector<std::pair<int, errc>> told;
    support::task sending = send_one(wsolo::conversation(*f.whole), 1, std::string(100'000, 'x'), told);
    CHECK(told == std::vector<std::pair<int, errc>>{{1, errc::too_large}});
}

TEMPLATE_TEST_CASE("a flush waits for what was sent, in a full queue too", "[endpoint][conversation]", server,
                   client) {
    full<TestType> f;
    const wsolo::conversation ws(*f.whole);
    std::vector<std::pair<int, errc>> told;
    const auto flush = [&](int number, std::optional<support::task>* to_destroy) -> support::task {
        return [](wsolo::conversation mine, int name, std::vector<std::pair<int, errc>>& heard,
                  std::optional<support::task>* other) -> support::task {
            heard.emplace_back(name, co_await mine.flushed());
            if (other != nullptr) other->reset();
        }(ws, number, told, to_destroy);
    };
    support::task gone = flush(1, nullptr);
    support::task victim = flush(2, nullptr);
    gone.destroy();
    SECTION("until it is written") {
        f.open_wire();
        CHECK(told == std::vector<std::pair<int, errc>>{{2, errc::none}});
    }
    SECTION("and is not told when another one that is told with it destroys it") {
        std::optional<support::task> later;
        victim.destroy();
        support::task killer = flush(3, &later);
        later.emplace(flush(4, nullptr));
        f.open_wire();
        CHECK(told == std::vector<std::pair<int, errc>>{{3, errc::none}});
    }
    SECTION("or the writer's end") {
        f.whole->abort();
        f.run();
        CHECK(told == std::vector<std::pair<int, errc>>{{2, errc::aborted}});
    }
    SECTION("or the endpoint's") {
        f.whole.reset();
        CHECK(told == std::vector<std::pair<int, errc>>{{2, errc::aborted}});
    }
}

// ---- time

TEST_CASE("a coroutine that never comes back does not hold up the end for ever", "[endpoint][conversation]") {
    using namespace wsolo::testing;
    pair net({.latency = 20ms});
    wsolo::endpoint_options options;
    options.ending.close_timeout = 3s;
    elsewhere query;
    errc ended = errc::none;
    {
        paired<wsolo::in_a_coroutine> answering(net.server.transport(), net.server.wake(), {}, options);
        paired<wsolo::in_a_coroutine, wsolo::client_side<>> asking(net.client.transport(), net.client.wake(),
                                                                   {});
        net.server.drive(answering);
        net.client.drive(asking);
        hold_for_ever(wsolo::conversation(answering), query, ended);
        ask(wsolo::conversation(asking));
        const wsolo::time_point start = virtual_clock::now();
        CHECK(net.run_until([&] { return net.server.is_finished(); }, 60s));
        // The peer's Close waits for the answer for so long, and then the end does, once more.
        CHECK(virtual_clock::now() - start > 3s);
        CHECK(virtual_clock::now() - start < 7s);
        CHECK(answering.how_it_ended().handler_still_runs);
        CHECK(answering.how_it_ended().reason == errc::timed_out);
        CHECK(net.run_until([&] { return net.client.is_finished(); }, 60s));
        CHECK(asking.how_it_ended().reason == errc::none);
        CHECK(ended == errc::none);
    }
    query.come(); // after both are gone
    CHECK(ended == errc::closed);
}

TEMPLATE_TEST_CASE("a coroutine that throws after a wait for the writer ends its connection, and only that",
                   "[conversation]", server, client) {
    full<TestType> f;
    {
        const wsolo::conversation ws(*f.whole);
        const support::task thrower =
            GENERATE(true, false) ? throw_after_sending(ws) : throw_after_flushing(ws);
        f.open_wire();
        CHECK(thrower.is_done());
    }
    f.run_until_quiet();
    CHECK(f.sent().back().first == 8);
    CHECK(f.sent().back().second.substr(0, 2) == "\x03\xf3"); // 1011
    f.end_of_input();
    CHECK(f.wants.finished);
    CHECK(f.whole->how_it_ended().reason == errc::handler_failed);
}

TEMPLATE_TEST_CASE(
    "a coroutine that throws when all messages have come says so in the Close, and to who waits",
    "[conversation]", server, client) {
    full<TestType> f;
    const wsolo::conversation ws(*f.whole);
    const support::task thrower = throw_with_a_message(ws);
    errc told = errc::none;
    const auto waiting = wsolo::on_reached(f.whole->handled(), 1, [&told](errc why) { told = why; });
    f.receive(f.text("last words") + f.close_frame()); // whose answer waits for the coroutine
    REQUIRE(f.whole->messages().is_closed());
    REQUIRE_FALSE(thrower.is_done());
    f.open_wire();
    CHECK(thrower.is_done());
    CHECK(told == errc::handler_failed);
    CHECK(f.whole->handled().wait_up_to(1, manual_clock::now()) == errc::handler_failed);
    CHECK(f.sent().back().first == 8);
    CHECK(f.sent().back().second.substr(0, 2) == "\x03\xf3"); // 1011, and not the peer's 1000
}
