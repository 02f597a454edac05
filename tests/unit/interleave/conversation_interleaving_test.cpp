// The shipped conversation, whole, in every schedule within a bound: the loop receives and hands out messages, another thread
// has the coroutine go on, asks for the next one, or drops the conversation; the loop destroys the endpoint as soon as it
// is finished. Would catch: a message that is lost or handed out twice, one that counts as handled while the coroutine has
// it, a wish that is not heard, an end that never comes because each side leaves it to the other, or comes too early.

#include <support/catch.hpp>
#include <support/interleave/verdict.hpp>
#include <support/interleave_writer.hpp>

#include <wsolo/endpoint/conversation.hpp>
#include <wsolo/endpoint/endpoint.hpp>

#include <exception>
#include <optional>

using namespace checked;
using interleave::explore;
using interleave::outcomes;
using interleave::passes;
using interleave::scenario;

namespace {

/// As for the endpoint itself: one preemption.
bool holds_whole(interleave::open_scenario body, const outcomes& expected) {
    outcomes seen;
    const auto run = [&](scenario& stage) { body(stage, seen); };
    return passes(explore({.preemptions = 1, .deviations = 0, .clock_steps = 0}, run)) && seen == expected;
}

std::string masked(wsolo::opcode op, std::initializer_list<const char*> payloads) {
    std::string bytes;
    wsolo::one_key keys(wsolo::masking_key{});
    for (const char* const each : payloads)
        check(wsolo::append_frame<wsolo::role::client>(bytes, op, wsolo::bytes_of(each), keys) == errc::none,
              "made");
    return bytes;
}

/// A stream of which only the writes count.
struct stream {
    transport out;
    wsolo::io_result write(std::span<const wsolo::const_bytes> parts, wsolo::time_point deadline) {
        return out.write(parts, deadline);
    }
    void finish(wsolo::end_of_write why) { out.finish(why); }
    void end_output() {}
    void disconnect() {}
};

/// An endpoint, a coroutine, and plain memory that both write: two at once are a data race.
struct room {
    tape wire;
    bell loop;
    bell other; ///< the coroutine waits for the other thread, or is over
    std::string got;
    int replies = 0;
    bool is_over = false;
    int ends = 0;
    wsolo::ending how;
    std::coroutine_handle<> parked;

    struct handler : wsolo::in_a_coroutine {
        explicit handler(room* of) : to(of) {}
        room* to;
        void on_finished(auto&, const wsolo::ending& end) const {
            ++to->ends;
            to->how = end;
        }
    };
    using endpoint_type = wsolo::endpoint<stream, bell::hook, handler, wsolo::server_side, wsolo::in_the_loop,
                                          interleave::traits>;
    std::optional<endpoint_type> whole;

    room() { whole.emplace(stream{{&wire}}, bell::hook{&loop}, handler(this)); }

    struct hop {
        room* to;
        [[nodiscard]] bool await_ready() const noexcept { return false; }
        void await_suspend(std::coroutine_handle<> caller) const {
            to->parked = caller;
            to->other.rung.fetch_add(1);
        }
        void await_resume() const noexcept {}
    };
    struct task {
        struct promise_type {
            task get_return_object() noexcept { return {}; }
            std::suspend_never initial_suspend() noexcept { return {}; }
            std::suspend_never final_suspend() noexcept { return {}; }
            void return_void() noexcept {}
            void unhandled_exception() noexcept { std::terminate(); }
        };
    };
    /// Answers each message in the other thread, and asks for the next one there.
    static task talk(wsolo::conversation ws, room& m) {
        for (;;) {
            const auto next = co_await ws.next();
            if (!next) break;
            m.got += next->text();
            co_await hop{&m};
            m.replies += ws.try_send(*next) == errc::none;
        }
        m.is_over = true;
        m.other.rung.fetch_add(1);
    }

    /// The loop: two reads, and the stream's end.
    void serve(std::string first, std::string second) {
        static_cast<void>(whole->receive(std::as_writable_bytes(std::span(first))));
        static_cast<void>(whole->receive(std::as_writable_bytes(std::span(second))));
        wsolo::endpoint_wants wants = whole->end_of_input();
        while (!wants.finished) {
            loop.wait();
            wants = whole->run();
        }
        whole.reset();
    }
};

void asks_elsewhere(scenario& stage, outcomes& counts) {
    static const std::string texts = masked(wsolo::opcode::text, {"a", "b"});
    static const std::string close = masked(wsolo::opcode::close, {"\x03\xe8"});
    auto& m = stage.make<room>("room");
    room::talk(wsolo::conversation(*m.whole), m);
    stage.thread("loop", [&m] { m.serve(texts, close); });
    stage.thread("other", [&m] {
        for (;;) {
            m.other.wait();
            if (m.is_over) return;
            m.parked.resume();
        }
    });
    stage.finally([&] {
        check(m.got == "ab", "each message once, in order");
        check(m.replies == 2, "each is answered");
        const std::string wire = m.wire.frames();
        check(wire == "ab#", "the Close comes after the answers");
        check(m.ends == 1 && m.how.reason == errc::none && !m.how.handler_still_runs, "one end, in order");
        check(m.is_over, "the coroutine is told");
        counts.insert(static_cast<int>(m.how.handled.messages_handled));
    });
}

void drops_elsewhere(scenario& stage, outcomes& codes) {
    static const std::string texts = masked(wsolo::opcode::text, {"a", "b"});
    static const std::string close = masked(wsolo::opcode::close, {"\x03\xe9"});
    auto& m = stage.make<room>("room");
    room::talk(wsolo::conversation(*m.whole), m);
    stage.thread("loop", [&m] { m.serve(texts, close); });
    stage.thread("other", [&m] {
        m.other.wait();
        m.parked.destroy();
    });
    stage.finally([&] {
        check(m.got == "a" && m.replies == 0, "no more is asked for");
        check(m.wire.frames() == "#", "one Close");
        check(m.ends == 1 && m.how.reason == errc::none && !m.how.handler_still_runs, "one end, in order");
        codes.insert(static_cast<int>(m.how.written.close));
    });
}

/// An endpoint whose queue is full, and a coroutine that waits for room in it. Its frame stays until the end, so that a
/// resumption that comes too late is seen.
struct full_room {
    tape wire;
    bell loop;
    int resumed = 0;
    bool is_withdrawn = false;
    errc answer = errc::timed_out;
    wsolo::conversation::write_awaiter* waiting = nullptr;

    struct task {
        struct promise_type {
            task get_return_object() noexcept {
                return {std::coroutine_handle<promise_type>::from_promise(*this)};
            }
            std::suspend_never initial_suspend() noexcept { return {}; }
            std::suspend_always final_suspend() noexcept { return {}; }
            void return_void() noexcept {}
            void unhandled_exception() noexcept { std::terminate(); }
        };
        std::coroutine_handle<> frame;
    };
    task sender{};

    using endpoint_type = wsolo::endpoint<stream, bell::hook, wsolo::in_a_coroutine, wsolo::server_side,
                                          wsolo::in_the_loop, interleave::traits>;
    std::optional<endpoint_type> whole;
    wsolo::conversation talk; ///< keeps the connection open

    /// With room for so many frames, and so many queued.
    explicit full_room(std::uint32_t frames) {
        wsolo::endpoint_options options;
        options.writing.limits.max_frames = frames;
        whole.emplace(stream{{&wire}}, bell::hook{&loop}, wsolo::in_a_coroutine(), options);
        talk = wsolo::conversation(*whole);
        for (; frames != 0; --frames) check(talk.try_send_text("f") == errc::none, "there was room");
    }
    ~full_room() {
        if (sender.frame) sender.frame.destroy();
    }

    static task send_one(wsolo::conversation ws, full_room& m) {
        auto sending = ws.send_text("x");
        m.waiting = &sending;
        m.answer = co_await sending;
        ++m.resumed;
        co_await std::suspend_always{}; // as long as another thread may still call withdraw()
    }

    /// The loop: until everything before a Close is written, then to its end.
    void serve() {
        wsolo::endpoint_wants wants = whole->run();
        while (wire.frames().find('#') == std::string::npos) {
            loop.wait();
            wants = whole->run();
        }
        wants = whole->end_of_input();
        while (!wants.finished) {
            loop.wait();
            wants = whole->run();
        }
        whole.reset();
    }
};

void withdraws_elsewhere(scenario& stage, outcomes& seen) {
    auto& m = stage.make<full_room>("room", 1U);
    m.sender = full_room::send_one(m.talk, m);
    stage.thread("loop", [&m] { m.serve(); });
    stage.thread("other", [&m] {
        m.is_withdrawn = m.waiting->withdraw();
        static_cast<void>(m.talk.close());
    });
    stage.finally([&] {
        check((m.resumed == 0) == m.is_withdrawn, "withdrawn, or resumed once");
        const std::string wire = m.wire.frames();
        const bool is_sent = wire == "fx#";
        check(is_sent || wire == "f#", "one Close after it");
        check(is_sent == (m.resumed != 0 && m.answer == errc::none), "sent, or not, as it was told");
        seen.insert(m.is_withdrawn ? -1 : static_cast<int>(m.answer));
    });
}

} // namespace

TEST_CASE(
    "a coroutine that waits for room is withdrawn in another thread: it is resumed and sends, or neither",
    "[conversation]") {
    CHECK(holds_whole(withdraws_elsewhere, {-1, 0, static_cast<int>(errc::closed)}));
}
TEST_CASE("a coroutine asks in another thread: nothing is lost, and the end comes after it",
          "[conversation]") {
    CHECK(holds_whole(asks_elsewhere, {2}));
}
TEST_CASE("the last conversation goes in another thread: the end comes", "[conversation]") {
    CHECK(holds_whole(drops_elsewhere, {1000, 1001}));
}

TEST_CASE("the conversation within wider bounds", "[.full]") {
    for (const auto body : {asks_elsewhere, drops_elsewhere, withdraws_elsewhere})
        CHECK(interleave::holds_widely(body));
}
