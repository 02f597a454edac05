// Would catch: a coroutine of Asio's that goes on inside of the endpoint's call or in another executor, one that is lost
// because its context runs out of work, one that is leaked or resumed after its context is gone, a cancellation that
// withdraws nothing, or tells twice, and an awaitable of this library that can't be awaited there.

#include <support/catch.hpp>
#include <support/strict_parser.hpp>

#include <wsolo/adapt/asio_await.hpp>

#if WSOLO_ASIO_AWAITS
#include <wsolo/endpoint/conversation.hpp>
#include <wsolo/endpoint/endpoint.hpp>
#include <wsolo/sync/await.hpp>
#include <wsolo/testing/scripted_transport.hpp>
#include <wsolo/write/await.hpp>

#if defined(WSOLO_USE_BOOST_ASIO)
#include <boost/asio.hpp>
namespace net = boost::asio;
#else
#include <asio.hpp>
namespace net = asio;
#endif

#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <vector>

using wsolo::errc;
using wsolo::adapt::asio::awaited;
using namespace std::chrono_literals;

namespace {

/// Counts those that are alive.
struct counted {
    explicit counted(std::atomic<int>& of) : count(&of) { ++*count; }
    counted(const counted&) = delete;
    counted& operator=(const counted&) = delete;
    ~counted() { --*count; }
    std::atomic<int>* count;
};

struct flag_hook {
    std::atomic<bool>* due;
    void operator()() const { *due = true; }
};

/// A server on a scripted wire, driven by the test.
struct stage {
    using endpoint = wsolo::endpoint<wsolo::testing::scripted_transport, flag_hook, wsolo::in_a_coroutine>;

    explicit stage(std::size_t budget = 1'000'000) {
        wsolo::endpoint_options options;
        options.beating.ping_interval = 0ms;
        options.writing.limits.max_bytes = budget;
        whole.emplace(wsolo::testing::scripted_transport(wire), flag_hook{&due}, wsolo::in_a_coroutine{},
                      options);
    }
    static std::string frame(wsolo::opcode op, std::string_view payload) {
        std::string bytes;
        wsolo::one_key keys(wsolo::masking_key{std::byte{1}, std::byte{2}, std::byte{3}, std::byte{4}});
        CHECK(wsolo::append_frame<wsolo::role::client>(bytes, op, wsolo::bytes_of(payload), keys) ==
              errc::none);
        return bytes;
    }
    void receive(std::string bytes) { wants = whole->receive(std::as_writable_bytes(std::span(bytes))); }
    bool run_if_due() {
        if (!due.exchange(false)) return false;
        wants = whole->run();
        return true;
    }
    /// The endpoint's loop and Asio's, by turns, until both are idle.
    void settle(net::io_context& context) {
        for (bool did = true; did;) {
            context.restart();
            did = context.poll() != 0;
            did = run_if_due() || did;
        }
    }
    std::vector<std::string> sent() const {
        std::vector<std::string> found;
        for (const strict::frame& each : strict::parse(wire.bytes(), false).frames)
            found.push_back(each.payload);
        return found;
    }

    wsolo::testing::scripted_wire wire;
    std::atomic<bool> due{false};
    wsolo::endpoint_wants wants;
    std::optional<endpoint> whole;
};

struct seen {
    std::vector<std::string> got;
    std::vector<errc> told;
    bool is_outside = true; ///< of the test's own calls
    std::atomic<int> alive{0};
};

net::awaitable<void> echo(wsolo::conversation ws, net::io_context& home, seen& log) {
    const counted here(log.alive);
    for (;;) {
        const auto next = co_await awaited(ws.next());
        log.is_outside = log.is_outside && home.get_executor().running_in_this_thread();
        if (!next) {
            log.told.push_back(next.error());
            co_return;
        }
        log.got.emplace_back(next->text());
        const errc sent = co_await awaited(ws.send(*next));
        log.told.push_back(sent);
    }
}

net::awaitable<void> wait_for_each(wsolo::conversation ws, stage& at, wsolo::sequence_barrier& barrier,
                                   seen& log) {
    const counted here(log.alive);
    const std::string payload(600, 'p');
    const errc sent = co_await awaited(ws.send_text(payload));
    log.told.push_back(sent);
    const errc flushed = co_await awaited(ws.flushed());
    log.told.push_back(flushed);
    const errc all = co_await awaited(wsolo::flushed(at.whole->writer()));
    log.told.push_back(all);
    const errc written = co_await awaited(wsolo::written(
        [&](wsolo::on_outcome on_done) { return at.whole->writer().send_text("last", on_done); }));
    log.told.push_back(written);
    const errc reached = co_await awaited(wsolo::reached(barrier, 1));
    log.told.push_back(reached);
}

/// Owns what it talks through, and destroys it as soon as it is told the end.
net::awaitable<void> own(std::unique_ptr<stage> mine, seen& log) {
    const counted here(log.alive);
    wsolo::conversation ws(*mine->whole);
    const auto next = co_await awaited(ws.next());
    log.told.push_back(next.error());
}

} // namespace

TEST_CASE("a coroutine of Asio's has a conversation", "[adapt][asio]") {
    net::io_context context;
    stage at;
    seen log;
    net::co_spawn(context, echo(wsolo::conversation(*at.whole), context, log), net::detached);
    at.settle(context);
    at.receive(stage::frame(wsolo::opcode::text, "one") + stage::frame(wsolo::opcode::text, "two"));
    CHECK(log.got.empty()); // it goes on in its own executor
    at.settle(context);
    CHECK(log.got == std::vector<std::string>{"one", "two"});
    at.receive(stage::frame(wsolo::opcode::text, "three") + stage::frame(wsolo::opcode::close, "\x03\xe8"));
    at.settle(context);
    CHECK(log.got == std::vector<std::string>{"one", "two", "three"});
    CHECK(at.sent() == std::vector<std::string>{"one", "two", "three", "\x03\xe8"});
    CHECK(log.told == std::vector<errc>{errc::none, errc::none, errc::none, errc::closed});
    CHECK(log.is_outside);
    CHECK(log.alive == 0);
    CHECK(at.whole->end_of_input().finished);
}

TEST_CASE("a coroutine of Asio's awaits all that the library offers", "[adapt][asio]") {
    net::io_context context;
    stage at(4096);
    wsolo::sequence_barrier barrier;
    seen log;
    at.wire.rule([] { return wsolo::testing::scripted_step{wsolo::io_status::would_block, 0, 0}; });
    while (at.whole->send_text(std::string(600, 'x')) == errc::none) {}
    net::co_spawn(context, wait_for_each(wsolo::conversation(*at.whole), at, barrier, log), net::detached);
    at.settle(context);
    CHECK(log.told.empty());
    at.wire.rule([] { return wsolo::testing::scripted_step{}; });
    at.wants = at.whole->run();
    at.settle(context);
    CHECK(log.told == std::vector<errc>(4, errc::none));
    CHECK(log.alive == 1);
    barrier.complete(barrier.issue());
    CHECK(log.told.size() == 4);
    at.settle(context);
    CHECK(log.told == std::vector<errc>(5, errc::none));
    CHECK(log.alive == 0);
}

TEST_CASE("a context has work while a coroutine of its own waits", "[adapt][asio]") {
    net::io_context context;
    stage at;
    seen log;
    net::co_spawn(context, echo(wsolo::conversation(*at.whole), context, log), net::detached);
    std::thread runs([&] { context.run(); }); // which returns when nothing is left
    constexpr std::size_t count = 200;
    std::string all;
    for (std::size_t i = 0; i < count; ++i) all += stage::frame(wsolo::opcode::text, std::to_string(i));
    at.receive(all + stage::frame(wsolo::opcode::close, "\x03\xe8"));
    bool is_over = false;
    std::thread watch([&] {
        runs.join();
        at.due = true;
    });
    while (!is_over) {
        if (!at.run_if_due()) std::this_thread::yield();
        is_over = at.wire.output_ended();
    }
    watch.join();
    CHECK(log.got.size() == count);
    CHECK(log.told == [] {
        std::vector<errc> expected(count, errc::none);
        expected.push_back(errc::closed);
        return expected;
    }());
    CHECK(log.is_outside);
    CHECK(at.sent().size() == count + 1);
}

TEST_CASE("a coroutine of Asio's may own its endpoint", "[adapt][asio]") {
    net::io_context context;
    seen log;
    auto made = std::make_unique<stage>();
    stage& at = *made;
    net::co_spawn(context, own(std::move(made), log), net::detached);
    context.poll();
    at.whole->abort(errc::rate_exceeded);
    static_cast<void>(at.whole->run());
    CHECK(log.alive == 1);
    context.restart();
    context.poll(); // destroys it
    CHECK(log.told == std::vector<errc>{errc::rate_exceeded});
    CHECK(log.alive == 0);
}

TEST_CASE("a context that goes takes its waiting coroutines with it", "[adapt][asio]") {
    stage at(4096);
    wsolo::sequence_barrier barrier;
    seen log;
    at.wire.rule([] { return wsolo::testing::scripted_step{wsolo::io_status::would_block, 0, 0}; });
    {
        net::io_context context;
        net::co_spawn(context, echo(wsolo::conversation(*at.whole), context, log), net::detached);
        net::co_spawn(context, own(std::make_unique<stage>(), log),
                      net::detached); // the endpoint is in the frame itself
        while (at.whole->send_text(std::string(600, 'x')) == errc::none) {}
        net::co_spawn(context, wait_for_each(wsolo::conversation(*at.whole), at, barrier, log),
                      net::detached);
        context.poll();
        CHECK(log.alive == 3);
    }
    CHECK(log.alive == 0);
    at.wire.rule([] { return wsolo::testing::scripted_step{}; });
    at.receive(stage::frame(wsolo::opcode::text, "one"));
    for (int i = 0; i < 3; ++i) at.wants = at.whole->run();
    CHECK(log.got.empty());
    CHECK(log.told.empty());
    CHECK(at.sent().back() == "\x03\xe8"); // no conversation was left
}

#if WSOLO_ASIO_CANCELS
TEST_CASE("a cancellation withdraws at once, before its handler is called", "[adapt][asio]") {
    net::io_context context;
    stage at;
    wsolo::conversation ws(*at.whole);
    net::cancellation_signal stop;
    std::vector<errc> told;
    auto waits = ws.next();
    awaited(waits, net::bind_cancellation_slot(stop.slot(), net::bind_executor(context, [&](auto got) {
                                                   told.push_back(got.error());
                                               })));
    CHECK(at.whole->handler().wants_message());
    stop.emit(net::cancellation_type::terminal);
    CHECK_FALSE(at.whole->handler().wants_message());
    at.receive(stage::frame(wsolo::opcode::text, "one")); // which waits for the next to ask
    CHECK(told.empty());
    at.settle(context);
    CHECK(told == std::vector<errc>{errc::cancelled});
    CHECK(at.sent().empty());
}

TEST_CASE("a cancellation withdraws what a coroutine awaits", "[adapt][asio]") {
    net::io_context context;
    stage at;
    const wsolo::conversation kept(*at.whole);
    seen log;
    net::cancellation_signal stop;
    net::co_spawn(context, echo(kept, context, log), net::bind_cancellation_slot(stop.slot(), net::detached));
    at.settle(context);
    CHECK(at.whole->handler().wants_message());
    stop.emit(net::cancellation_type::terminal);
    at.settle(context); // newer versions post it
    CHECK_FALSE(at.whole->handler().wants_message());
    CHECK(log.told == std::vector<errc>{errc::cancelled});
    CHECK(log.alive == 0);
    at.receive(stage::frame(wsolo::opcode::text, "one"));
    CHECK_FALSE(at.whole->handler().wants_message());

    // One that is on its way already comes.
    net::co_spawn(context, echo(kept, context, log), net::bind_cancellation_slot(stop.slot(), net::detached));
    context.restart();
    context.poll();
    CHECK(at.run_if_due());
    stop.emit(net::cancellation_type::terminal);
    context.restart();
    CHECK_NOTHROW(context.poll());
    CHECK(log.got == std::vector<std::string>{"one"});
}
#endif
#endif // WSOLO_ASIO_AWAITS
