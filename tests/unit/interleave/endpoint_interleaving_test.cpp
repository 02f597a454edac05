// The shipped endpoint, whole, in every schedule within a bound: its loop receives, a pool's thread handles, a third
// thread sends, closes or aborts, and the loop destroys it as soon as it is finished. Would catch: two handlers at
// once, an end that is told twice, beside a handler or never, a message that is neither handled nor reported, a
// wake-up that comes before what it is for, or not at all because the loop was there first, an endpoint destroyed under
// a thread's hands.

#include <support/catch.hpp>
#include <support/interleave/verdict.hpp>
#include <support/interleave_writer.hpp>

#include <wsolo/endpoint/endpoint.hpp>

#include <array>
#include <optional>

using namespace checked;
using interleave::explore;
using interleave::outcomes;
using interleave::passes;
using interleave::scenario;

namespace {

/// An execution has about two hundred steps, so a search of seconds has room for one preemption, and the parts were
/// searched for stale reads and spurious failures by themselves. [.full] goes on from there.
bool holds_whole(interleave::open_scenario body, const outcomes& expected) {
    outcomes seen;
    const auto run = [&](scenario& stage) { body(stage, seen); };
    return passes(explore({.preemptions = 1, .deviations = 0, .clock_steps = 0}, run)) && seen == expected;
}

/// A client's frames, made once: a search runs them very often.
std::string masked(std::initializer_list<const char*> texts, bool close) {
    std::string bytes;
    wsolo::one_key keys(wsolo::masking_key{});
    for (const char* const each : texts)
        check(wsolo::append_frame<wsolo::role::client>(bytes, wsolo::opcode::text, wsolo::bytes_of(each),
                                                       keys) == errc::none,
              "made");
    if (close)
        check(wsolo::append_frame<wsolo::role::client>(bytes, wsolo::opcode::close,
                                                       wsolo::bytes_of("\x03\xe8"), keys) == errc::none,
              "made");
    return bytes;
}

/// An endpoint, and plain memory that its handler and its end write: two at once are a data race.
struct room {
    tape wire;
    bell loop;
    bell pool;
    std::array<char, 4> handled{};
    std::size_t count = 0;
    int replies = 0;
    int ends = 0;
    errc answer = errc::none;
    wsolo::ending how;

    struct handler {
        room* to;
        errc on_message(auto& e, const wsolo::message& received) const {
            to->handled[to->count++] = received.text()[0];
            to->replies += e.send_text(received.text()) == errc::none;
            return to->answer;
        }
        void on_finished(auto&, const wsolo::ending& end) const {
            ++to->ends;
            to->replies += 0; // reads and writes what handlers do
            to->how = end;
        }
    };
    struct work {
        bell* to;
        void operator()(const auto&) const { to->rung.fetch_add(1); }
    };
    using endpoint_type =
        wsolo::endpoint<transport, bell::hook, handler, wsolo::server_side, work, interleave::traits>;
    std::optional<endpoint_type> whole;

    explicit room(const wsolo::endpoint_options& options = {}) {
        whole.emplace(transport{&wire}, bell::hook{&loop}, handler{this}, options, wsolo::server_side{},
                      work{&pool});
    }

    /// The loop: takes `input`, and the stream's end after it.
    void serve(std::string input) {
        wsolo::endpoint_wants wants = whole->receive(std::as_writable_bytes(std::span(input)));
        if (!wants.finished) wants = whole->end_of_input();
        finish(wants);
    }
    void finish(wsolo::endpoint_wants wants) {
        while (!wants.finished) {
            loop.wait();
            wants = whole->run();
        }
        whole.reset();
        pool.rung.fetch_add(1);
    }
    /// The pool's thread.
    void work_for(const endpoint_type::weak_handle& handle) {
        for (;;) {
            pool.wait();
            const auto live = handle.try_use();
            if (!live) return;
            live->work();
        }
    }
    /// What must hold in the end, when `received` messages came and others were accepted `sent` frames.
    void settled(std::uint64_t received, std::uint64_t sent) const {
        check(ends == 1, "the end is told once");
        check(how.handled.messages_handled == count, "the report does not say what was handled");
        check(how.handled.messages_accepted() <= received, "more than was received");
        check(how.handled.reason != errc::none || how.handled.messages_dropped == 0,
              "dropped without a reason");
        for (std::size_t i = 0; i < count; ++i)
            check(handled[i] == static_cast<char>('a' + i), "in order, each once");
        check(how.written.frames_accepted() ==
                  sent + static_cast<std::uint64_t>(replies) + how.control_frames,
              "a frame is in no account");
        check(wire.frames().size() == how.written.frames_written,
              "the report does not say what is on the wire");
        check(wire.finished == 1 && wire.disconnected, "the transport's end");
    }
};

template <class Third>
void cast(scenario& stage, room& m, const std::string& input, Third third) {
    stage.thread("loop", [&m, input] { m.serve(input); });
    stage.thread("pool", [&m, handle = m.whole->handle()] { m.work_for(handle); });
    stage.thread("third", [handle = m.whole->handle(), third] {
        if (const auto live = handle.try_use()) third(*live);
    });
}

void peers_close(scenario& stage, outcomes& places) {
    static const std::string input = masked({"a", "b"}, true);
    auto& m = stage.make<room>("room");
    auto& sent = stage.make<int>("sent");
    cast(stage, m, input, [&sent](auto& e) { sent = e.send_text("x") == errc::none; });
    stage.finally([&] {
        m.settled(2, static_cast<std::uint64_t>(sent));
        check(m.count == 2 && m.replies == 2, "what came before the Close is handled and answered");
        check(m.how.reason == errc::none && m.how.peer_closed && m.wire.drained, "in order");
        const std::string wire = m.wire.frames();
        check(wire.back() == '#' && wire.find('a') < wire.find('b'), "in order on the wire too");
        places.insert(static_cast<int>(wire.find('x')));
    });
}

void abort_beside(scenario& stage, outcomes& counts) {
    static const std::string input = masked({"a", "b"}, false);
    auto& m = stage.make<room>("room");
    cast(stage, m, input, [](auto& e) { e.abort(); });
    stage.finally([&] {
        m.settled(2, 0);
        check(m.how.reason != errc::none, "aborted, or the stream's end was first");
        counts.insert(static_cast<int>(m.count));
    });
}

void close_beside(scenario& stage, outcomes& codes) {
    static const std::string input = masked({"a"}, false);
    auto& m = stage.make<room>("room");
    auto& first = stage.make<int>("first");
    cast(stage, m, input,
         [&first](auto& e) { first = e.close(wsolo::close_code::going_away) == errc::none; });
    stage.finally([&] {
        m.settled(1, 0);
        check(m.count == 1, "handled all the same");
        check(m.how.control_frames == 1, "one Close");
        check((m.how.code == wsolo::close_code::going_away) == (first != 0), "whose it was");
        codes.insert(static_cast<int>(m.how.code));
    });
}

void handlers_error(scenario& stage, outcomes& reasons) {
    static const std::string input = masked({"a", "b"}, false);
    auto& m = stage.make<room>("room");
    m.answer = errc::message_too_big;
    stage.thread("loop", [&m] {
        std::string bytes = input;
        static_cast<void>(m.whole->receive(std::as_writable_bytes(std::span(bytes))));
        while (m.wire.frames().find('#') == std::string::npos) { // the Close comes without the stream's end
            m.loop.wait();
            static_cast<void>(m.whole->run());
        }
        m.finish(m.whole->end_of_input());
    });
    stage.thread("pool", [&m, handle = m.whole->handle()] { m.work_for(handle); });
    stage.finally([&] {
        m.settled(2, 0);
        check(m.count == 1, "nothing is handled after the error");
        check(m.how.code == wsolo::close_code::message_too_big, "what the peer was told");
        reasons.insert(static_cast<int>(m.how.reason));
    });
}

void pause_and_resume(scenario& stage, outcomes& counts) {
    static const std::string input = masked({"a", "b"}, true);
    wsolo::endpoint_options options;
    options.handling.max_messages = 1;
    auto& m = stage.make<room>("room", options);
    stage.thread("loop", [&m] { m.serve(input); });
    stage.thread("pool", [&m, handle = m.whole->handle()] { m.work_for(handle); });
    stage.finally([&] {
        m.settled(2, 0);
        check(m.replies == 2, "all are answered");
        counts.insert(static_cast<int>(m.count));
    });
}

void full_of_replies(scenario& stage, outcomes& counts) {
    static const std::string input = masked({"aa", "bb", "cc"}, true);
    wsolo::endpoint_options options;
    options.max_unsent = 1; // each reply is more than may wait
    auto& m = stage.make<room>("room", options);
    stage.thread("loop", [&m] { m.serve(input); });
    stage.thread("pool", [&m, handle = m.whole->handle()] { m.work_for(handle); });
    stage.finally([&] {
        m.settled(3, 0);
        check(m.replies == 3 && m.wire.frames() == "abc#", "all are answered, then the Close is");
        counts.insert(static_cast<int>(m.count));
    });
}

/// An endpoint with room for one frame, and one that sends again when it is told that there is room.
struct narrow_room {
    tape wire;
    bell loop;
    bell back;
    interleave::atomic<int> told{0};

    struct handler {
        narrow_room* to;
        void on_message(auto&, const wsolo::message&) const {}
        void on_room(auto&) const {
            to->told.fetch_add(1);
            to->back.rung.fetch_add(1);
        }
    };
    using endpoint_type = wsolo::endpoint<transport, bell::hook, handler, wsolo::server_side,
                                          wsolo::in_the_loop, interleave::traits>;
    std::optional<endpoint_type> whole;

    narrow_room() {
        wsolo::endpoint_options options;
        options.writing.limits.max_frames = 1;
        whole.emplace(transport{&wire}, bell::hook{&loop}, handler{this}, options);
    }
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

void refused_beside(scenario& stage, outcomes& refusals) {
    auto& m = stage.make<narrow_room>("room");
    auto& refused = stage.make<int>("refused");
    stage.thread("loop", [&m] { m.serve(); });
    stage.thread("sender", [&m, &refused, handle = m.whole->handle()] {
        const auto live = handle.try_use();
        check(live->send_text("a") == errc::none, "there is room for one");
        while (live->send_text("b") != errc::none) {
            ++refused;
            m.back.wait();
        }
        static_cast<void>(live->close());
    });
    stage.finally([&] {
        check(m.wire.frames() == "ab#", "each is sent once");
        check(m.told.load() == refused, "told of room once for each refusal");
        refusals.insert(refused);
    });
}

constexpr int too_big = static_cast<int>(errc::message_too_big);

} // namespace

TEST_CASE("the peer's Close: all it sent is handled and answered first, whatever is sent beside",
          "[endpoint]") {
    CHECK(holds_whole(peers_close, {-1, 0, 1, 2}));
}
TEST_CASE("an abort beside a handler: each message is handled or reported, one end", "[endpoint]") {
    CHECK(holds_whole(abort_beside, {0, 1, 2}));
}
TEST_CASE("a close beside the stream's end: one Close, in the account, with its code", "[endpoint]") {
    CHECK(holds_whole(close_beside, {1001, 1002}));
}
TEST_CASE("a handler's error reaches the peer before the stream's end", "[endpoint]") {
    CHECK(holds_whole(handlers_error, {too_big}));
}
TEST_CASE("reading that paused is resumed, and nothing is lost in between", "[endpoint]") {
    CHECK(holds_whole(pause_and_resume, {2}));
}
TEST_CASE("a pool whose replies are written before they are counted goes on", "[endpoint]") {
    CHECK(holds_whole(full_of_replies, {3}));
}
TEST_CASE("room that comes back while a send is refused is told of", "[endpoint]") {
    CHECK(holds_whole(refused_beside, {0, 1}));
}

TEST_CASE("the endpoint within wider bounds", "[.full]") {
    for (const auto body : {peers_close, abort_beside, close_beside, handlers_error, pause_and_resume,
                            full_of_replies, refused_beside})
        CHECK(interleave::holds_widely(body));
}
