// S2: a response must not be acted upon before the notifications that came ahead of it were handled. The
// service had a wait group for that: reused while another waiter was still leaving it, it panicked; and a
// count can't say "wait for what came before this response, and for nothing later".
//
// Five cases, 100 times each, over the adversarial transport, a socket pair and loopback TCP: a caller
// waits for a notification that came before its response; it does not wait for one that came after;
// overlapping calls stay sound while notifications keep coming; many notifications are replayed in their
// order; shutdown waits for the last one, and no longer than it was told.
//
// Teeth: each case on what services have instead, which fails every time.

#include <support/catch.hpp>
#include <support/rpc_stage.hpp>
#include <support/strict_parser.hpp>
#include <support/wrong_barriers.hpp>

using namespace support;
using namespace std::chrono_literals;
using wsolo::errc;

namespace {

using sound = wsolo::basic_sequence_barrier<step_traits>;
constexpr auto server = wsolo::role::server;

template <class Barrier, class Wire>
std::string waits_for_earlier() {
    complaint wrong;
    rpc_stage<Barrier, Wire> s;
    rpc_caller caller(s.session, 1);
    stream sent(server);
    s.deliver(respond(notify(sent, 1), 1));
    wrong.unless(caller.waits(), "the caller went on before the notification was handled");
    s.session.handle_next();
    const answer got = caller.end();
    wrong.unless(got.result == errc::none && got.text == "r 1 0", "the response was lost");
    const strict::stream seen = strict::parse(s.wire.seen_by_peer(), true);
    wrong.unless(seen.error.empty() && seen.frames.size() == 1, "the peer did not see one request");
    return wrong.words();
}

template <class Barrier, class Wire>
std::string does_not_wait_for_later() {
    complaint wrong;
    rpc_stage<Barrier, Wire> s;
    rpc_caller caller(s.session, 1);
    stream sent(server);
    s.deliver(notify(respond(notify(sent, 1), 1), 2));
    s.session.handle_next();
    wrong.unless(!caller.waits(), "the caller waits for a notification that came after its response");
    s.session.handle_next();
    wrong.unless(caller.end().result == errc::none, "the response was lost");
    return wrong.words();
}

template <class Barrier, class Wire>
std::string overlapping_calls() {
    complaint wrong;
    rpc_stage<Barrier, Wire> s;
    rpc_caller one(s.session, 1);
    rpc_caller two(s.session, 2);
    stream first(server), second(server);
    s.deliver(respond(notify(first, 1), 1));
    wrong.unless(one.waits() && two.waits(), "a caller went on before the notification was handled");
    s.session.handle_next();                             // one is leaving ...
    s.deliver(notify(respond(notify(second, 2), 2), 3)); // ... and the next ones come
    one.settle();
    if constexpr (requires { s.barrier.panic; }) wrong.unless(s.barrier.panic.empty(), s.barrier.panic);
    wrong.unless(one.end().result == errc::none, "the first caller waits for what came later");
    wrong.unless(two.waits(), "the second caller went on before its notification was handled");
    s.session.handle_next();
    wrong.unless(!two.waits(), "the second caller waits for what came later");
    s.session.handle_next();
    wrong.unless(two.end().result == errc::none, "the second response was lost");
    return wrong.words();
}

template <class Session>
void handle_in_turn(Session& s) {
    s.session.handle_next();
}

/// A thread for each notification. Where the original's threads overtook each other by chance, the first of
/// two lets the second go ahead.
template <class Session>
void handle_in_threads(Session& s) {
    std::atomic<bool> second_is_done{false};
    std::atomic<int> begun{0};
    s.in_handler = [&](const std::string&) {
        const bool is_first = begun++ == 0;
        while (is_first && !second_is_done) std::this_thread::yield();
    };
    std::thread first([&] { s.session.handle_next(); });
    while (begun == 0) std::this_thread::yield();
    std::thread second([&] {
        s.session.handle_next();
        second_is_done = true;
    });
    first.join();
    second.join();
    s.in_handler = nullptr;
}

template <class Barrier, class Wire>
std::string replays_in_order(void (*handle)(rpc_stage<Barrier, Wire>&)) {
    constexpr int notifications = 60, calls = 3, each = notifications / calls;
    complaint wrong;
    rpc_stage<Barrier, Wire> s;
    std::deque<rpc_caller<rpc_session<Barrier, Wire>>> callers;
    for (int id = 1; id <= calls; ++id) callers.emplace_back(s.session, id);
    stream sent(server);
    for (int n = 1; n <= notifications; ++n) {
        notify(sent, n);
        if (n % each == 0) respond(sent, n / each);
    }
    s.deliver(sent);
    while (s.handled.size() < notifications) {
        handle(s);
        const auto done = static_cast<int>(s.handled.size());
        for (int id = 1; id <= calls; ++id) {
            const bool is_due = done >= id * each;
            wrong.unless(callers[static_cast<std::size_t>(id) - 1].waits() != is_due,
                         "a caller went on at another moment than its own");
        }
    }
    for (int n = 1; n <= notifications; ++n) {
        wrong.unless(s.handled[static_cast<std::size_t>(n) - 1] == std::to_string(n),
                     "notifications were handled in another order");
    }
    return wrong.words();
}

template <class Barrier, class Wire>
std::string shutdown_drains() {
    complaint wrong;
    rpc_stage<Barrier, Wire> s;
    stream sent(server), more(server);
    s.deliver(notify(notify(sent, 1), 2));
    s.session.handle_next();
    wsolo::basic_parker<step_traits> work[2];
    int turn = 0;
    s.in_handler = [&](const std::string&) { work[turn++].park(); };
    actor drainer([&] { s.session.handle_next(); });
    drainer.run(); // taken off the queue, and at work
    errc result = errc::closed, result_of_bounded = errc::closed;
    actor closer([&] { result = s.session.shutdown(step_clock::in(5s)); });
    closer.run();
    wrong.unless(closer.is_asleep(), "shutdown returned with the last handler still at work");
    work[0].release();
    drainer.join();
    closer.join();
    wrong.unless(result == errc::none && s.handled.size() == 2, "shutdown did not wait for the last one");

    s.deliver(notify(more, 3));
    actor stuck([&] { s.session.handle_next(); });
    stuck.run();
    actor bounded([&] { result_of_bounded = s.session.shutdown(step_clock::in(5s)); });
    bounded.run();
    step_clock::advance(5s);
    bounded.run();
    wrong.unless(!bounded.is_asleep(), "shutdown waits for a handler longer than it was told");
    work[1].release();
    stuck.join();
    bounded.join();
    wrong.unless(result_of_bounded == errc::timed_out, "shutdown says that all is handled, and it is not");
    return wrong.words();
}

} // namespace

TEMPLATE_TEST_CASE("S2: a response waits for what came before it, and for nothing else", "[scenario][s2]",
                   scripted_wire_ends, unix_wire_ends, tcp_wire_ends) {
    for (int repetition = 0; repetition < 100; ++repetition) {
        INFO("repetition " << repetition);
        REQUIRE(waits_for_earlier<sound, TestType>() == "");
        REQUIRE(does_not_wait_for_later<sound, TestType>() == "");
        REQUIRE(overlapping_calls<sound, TestType>() == "");
        REQUIRE(replays_in_order<sound, TestType>(handle_in_turn) == "");
        REQUIRE(shutdown_drains<sound, TestType>() == "");
    }
}

TEMPLATE_TEST_CASE("S2 teeth: what services wait with instead fails five times out of five",
                   "[scenario][s2][teeth]", scripted_wire_ends, unix_wire_ends, tcp_wire_ends) {
    using wire = TestType;
    for (int repetition = 0; repetition < 5; ++repetition) {
        CHECK(waits_for_earlier<waits_for_nothing, wire>() ==
              "the caller went on before the notification was handled");
        CHECK(does_not_wait_for_later<counts_pending, wire>() ==
              "the caller waits for a notification that came after its response");
        CHECK(overlapping_calls<wait_group, wire>() ==
              "panic: wait group is reused before the previous wait has returned");
        CHECK(replays_in_order<any_order, wire>(handle_in_threads) ==
              "notifications were handled in another order");
        CHECK(shutdown_drains<done_when_taken, wire>() ==
              "shutdown returned with the last handler still at work");
        CHECK(shutdown_drains<waits_for_ever, wire>() ==
              "shutdown waits for a handler longer than it was told");
    }
}
