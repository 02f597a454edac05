// Would catch: a thread that sleeps through a push or a close, a destructor that leaves it running, an
// exception that takes the program with it, a wait in the handler that never returns, a producer that a
// pause leaves alone, a wait for a moment that has passed.

#include <support/catch.hpp>
#include <support/difference_traits.hpp>

#include <wsolo/sync/threaded_inbox.hpp>

#include <atomic>
#include <functional>
#include <stdexcept>
#include <string>
#include <vector>

using namespace std::chrono_literals;
using wsolo::errc;
using wsolo::threaded_inbox;

namespace {

struct numbered {
    int producer;
    int number;
};

} // namespace

TEST_CASE("four producers, one handling thread, each producer's order kept", "[sync][threaded_inbox]") {
    constexpr int each = 2000;
    std::vector<int> next(4);
    bool in_order = true; // plain: the handler is serial, and the end is ordered after it
    const auto handler = [&](numbered&& message) {
        in_order = in_order && message.number == next[static_cast<std::size_t>(message.producer)]++;
    };
    threaded_inbox<numbered, decltype(handler)> in(handler, {.max_messages = 64});
    std::vector<std::thread> producers;
    for (int p = 0; p < 4; ++p)
        producers.emplace_back([&in, p] {
            for (int i = 0; i < each; ++i)
                while (in.push({p, i}, sizeof(numbered)).error == errc::queue_full) std::this_thread::yield();
        });
    for (std::thread& producer : producers) producer.join();
    CHECK(in.close());
    CHECK(in.wait() == errc::none);
    CHECK(in_order);
    CHECK(next == std::vector<int>(4, each));
    CHECK(in.report().is_clean());
    CHECK(in.report().messages_handled == 4 * each);
    CHECK(in.exception() == nullptr);
}

TEST_CASE("a reader that paused is resumed", "[sync][threaded_inbox]") {
    struct reader {
        std::atomic<int>* resumed;
        void on_resume() const { ++*resumed; }
        void on_finished(const wsolo::inbox_report&) const {}
    };
    std::atomic<int> resumed{0};
    int pauses = 0;
    int handled = 0;
    const auto handler = [&](int&&) { ++handled; };
    threaded_inbox<int, decltype(handler), reader> in(handler, {.max_messages = 8}, {&resumed});
    for (int i = 0; i < 1000; ++i) {
        const wsolo::inbox_push pushed = in.push(int{i}, 4);
        REQUIRE(pushed.error == errc::none);
        if (!pushed.pause) continue;
        ++pauses;
        while (resumed != pauses) std::this_thread::yield();
    }
    in.close();
    CHECK(in.wait() == errc::none);
    CHECK(handled == 1000);
    CHECK(pauses > 0);
    CHECK(resumed == pauses);
}

TEST_CASE("the handler's error ends the thread, first error wins", "[sync][threaded_inbox]") {
    struct owner {
        errc* told;
        void on_resume() const {}
        void on_finished(const wsolo::inbox_report& report) const { *told = report.reason; }
    };
    errc told = errc::none;
    const auto handler = [](int&& number) { return number == 2 ? errc::message_too_big : errc::none; };
    threaded_inbox<int, decltype(handler), owner> in(handler, {}, {&told});
    for (int i = 0; i < 5; ++i) static_cast<void>(in.push(int{i}, 4));
    CHECK(in.wait() == errc::none);
    CHECK_FALSE(in.close(errc::connection_lost));
    CHECK(told == errc::message_too_big);
    CHECK(in.report().reason == errc::message_too_big);
    CHECK(in.report().messages_handled == 3);
    CHECK(in.push(6, 4).error == errc::closed);
}

#if WSOLO_HAS_EXCEPTIONS
TEST_CASE("what the handler throws is kept for the owner", "[sync][threaded_inbox]") {
    const auto handler = [](int&&) { throw std::runtime_error("the handler's"); };
    threaded_inbox<int, decltype(handler)> in(handler);
    static_cast<void>(in.push(1, 4));
    CHECK(in.wait() == errc::none);
    CHECK(in.report().reason == errc::handler_failed);
    REQUIRE(in.exception() != nullptr);
    CHECK_THROWS_AS(std::rethrow_exception(in.exception()), std::runtime_error);
}
#endif

TEST_CASE("a wait in the handler answers would_deadlock, one with a deadline ends",
          "[sync][threaded_inbox]") {
    errc inside = errc::none;
    std::function<errc()> wait_here;
    const auto handler = [&](int&&) { inside = wait_here(); };
    threaded_inbox<int, decltype(handler)> in(handler);
    wait_here = [&in] { return in.wait(); };
    static_cast<void>(in.push(1, 4));
    CHECK(in.wait(std::chrono::steady_clock::now() + 5ms) == errc::timed_out); // open: nothing ends it
    in.close();
    CHECK(in.wait() == errc::none);
    CHECK(inside == errc::would_deadlock);
}

TEST_CASE("a wait until a moment that has passed does not sleep", "[sync][threaded_inbox]") {
    using support::difference_traits;
    const auto handler = [](int&&) {};
    threaded_inbox<int, decltype(handler), wsolo::no_inbox_observer, difference_traits> in(handler);
    for (const auto passed :
         {wsolo::time_point::min(), wsolo::time_point::min() + 1ns, wsolo::time_point() - 2h})
        CHECK(in.wait(passed) == errc::timed_out);
    CHECK(difference_traits::take_endless_waits() == 0);
    in.close();
    CHECK(in.wait() == errc::none);
    CHECK(in.wait(wsolo::time_point::min()) == errc::none);
}

TEST_CASE("the destructor drops what is queued and joins", "[sync][threaded_inbox]") {
    struct owner {
        wsolo::inbox_report* told;
        void on_resume() const {}
        void on_finished(const wsolo::inbox_report& report) const { *told = report; }
    };
    wsolo::inbox_report told;
    std::atomic<bool> began{false};
    std::atomic<bool> may_end{false};
    const auto handler = [&](int&&) {
        began = true;
        while (!may_end) std::this_thread::yield();
    };
    std::thread opener;
    {
        threaded_inbox<int, decltype(handler), owner> in(handler, {}, {&told});
        for (int i = 0; i < 100; ++i) static_cast<void>(in.push(int{i}, 4));
        while (!began) std::this_thread::yield();
        in.close(errc::connection_lost);
        opener = std::thread([&] { may_end = true; });
    }
    opener.join();
    CHECK(told.messages_handled == 1);
    CHECK(told.messages_dropped == 99);
    CHECK(told.reason == errc::connection_lost);
    const auto idle = [](int&&) {};
    const threaded_inbox<int, decltype(idle)> unused(idle); // and one that never had a message
}
