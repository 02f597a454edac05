// The shipped outbox and the senders that wait for its budget, in every schedule within a bound. Would catch:
// a sender that is woken and withdraws at once, a waiter left alone by a queue that became empty, room given
// back too early or for ever lost, a grant that goes with an idle queue, two threads that both begin to pump.

#include <support/catch.hpp>
#include <support/interleave/verdict.hpp>
#include <support/interleave_writer.hpp>

#include <set>

using namespace checked;
using interleave::explore;
using interleave::passes;
using interleave::result;
using interleave::scenario;

namespace {

interleave::config bound(int preemptions, int timeouts = 0) {
    return {.preemptions = preemptions,
            .deviations = 1 + timeouts,
            .timeouts = timeouts,
            .clock_steps = 0,
            .max_executions = 300'000,
            .random_executions = 200};
}

wsolo::writer_options room_for(std::size_t bytes, std::uint32_t frames = 9) {
    wsolo::writer_options options;
    options.limits.max_bytes = bytes;
    options.limits.max_frames = frames;
    return options;
}

constexpr std::size_t one_frame = 3 + wsolo::frame_overhead + wsolo::entry_overhead; // "a"
constexpr std::size_t more = 3 + wsolo::frame_overhead; // another one right after it
constexpr wsolo::time_point soon = wsolo::time_point(std::chrono::hours(1));

template <class Room>
errc send_wait(Room& m, std::string_view payload, wsolo::time_point deadline) {
    return m.out->send_wait(wsolo::opcode::text, wsolo::bytes_of(payload), deadline);
}

/// No grant is left over: the whole budget is there again.
template <class Room>
void settled_and_free(Room& m, std::uint64_t accepted) {
    settled(m, accepted);
    check(m.out->send_text("z") == errc::none, "room was lost");
    while (m.out->is_pump_owed()) static_cast<void>(m.out->pump());
    settled(m, accepted + 1);
}

} // namespace

TEST_CASE("the last frame of a budget is given to one sender", "[outbox]") {
    const result done = explore(bound(2), [](scenario& stage) {
        auto& m = stage.make<deferred>("writer", room_for(one_frame));
        auto& accepted = stage.make<std::array<int, 2>>("accepted");
        for (std::size_t i = 0; i < 2; ++i)
            stage.thread(i == 0 ? "sender" : "other sender",
                         [&, i] { accepted[i] = m.out->send_text("a") == errc::none; });
        stage.finally([&] {
            check(accepted[0] + accepted[1] == 1 && m.out->queued_bytes() == one_frame,
                  "the bound is strict");
            check(m.ring.rung.load() == 1, "one hook for one idle-to-busy transition");
            static_cast<void>(m.out->pump());
            settled(m, 1);
        });
    });
    CHECK(passes(done));
}

TEST_CASE("of two threads that pump, one owns", "[outbox]") {
    const result done = explore(bound(2), [](scenario& stage) {
        auto& m = stage.make<deferred>("writer");
        check(m.out->send_text("a") == errc::none, "accepted");
        for (const char* const name : {"pumper", "other pumper"})
            stage.thread(name, [&m] { static_cast<void>(m.out->pump()); });
        stage.thread("sender", [&m] { check(m.out->send_text("b") == errc::none, "accepted"); });
        stage.finally([&m] {
            static_cast<void>(m.out->pump());
            check(m.wire.frames() == "ab", "in order");
            settled(m, 2);
        });
    });
    CHECK(passes(done));
}

TEST_CASE("a sender that waits for room is woken by the write, with no Close to help", "[outbox]") {
    const result done = explore(bound(2), [](scenario& stage) {
        auto& m = stage.make<deferred>("writer", room_for(one_frame));
        check(m.out->send_text("a") == errc::none, "accepted");
        stage.thread("waiter", [&m] { check(send_wait(m, "b", wsolo::no_deadline) == errc::none, "room"); });
        stage.thread("loop", [&m] { m.serve(2); });
        stage.finally([&m] { settled_and_free(m, 2); });
    });
    CHECK(passes(done));
}

TEST_CASE("a wait that meets its deadline left nothing behind, at whatever step", "[outbox]") {
    std::set<errc> verdicts;
    const result done = explore(bound(2, 1), [&](scenario& stage) {
        auto& m = stage.make<deferred>("writer", room_for(one_frame));
        check(m.out->send_text("a") == errc::none, "accepted");
        auto& verdict = stage.make<errc>("verdict");
        stage.thread("waiter", [&] { verdict = send_wait(m, "b", soon); });
        stage.thread("loop", [&m] { static_cast<void>(m.out->pump()); });
        stage.finally([&] {
            verdicts.insert(verdict);
            static_cast<void>(m.out->pump());
            settled_and_free(m, verdict == errc::none ? 2 : 1);
        });
    });
    CHECK(passes(done));
    CHECK(verdicts == std::set<errc>{errc::none, errc::timed_out});
}

TEST_CASE("two senders that wait: an empty queue forgets none of them", "[outbox]") {
    const result done = explore(bound(1), [](scenario& stage) {
        auto& m = stage.make<deferred>("writer", room_for(one_frame));
        check(m.out->send_text("a") == errc::none, "accepted");
        for (const char* const name : {"b", "c"})
            stage.thread(name,
                         [&m, name] { check(send_wait(m, name, wsolo::no_deadline) == errc::none, "room"); });
        stage.thread("loop", [&m] { m.serve(3); });
        stage.finally([&m] { settled_and_free(m, 3); });
    });
    CHECK(passes(done));
}

TEST_CASE("a queue that becomes empty below the high mark forgets no sender", "[outbox]") {
    const result done = explore(bound(1), [](scenario& stage) {
        auto& m = stage.make<deferred>("writer", room_for(one_frame + more)); // one long frame, or two of "a"
        check(m.out->send_text("a") == errc::none, "accepted");
        for (const char* const name : {"long b", "long c"})
            stage.thread(name,
                         [&m, name] { check(send_wait(m, name, wsolo::no_deadline) == errc::none, "room"); });
        stage.thread("loop", [&m] { m.serve(3); });
        stage.finally([&m] { settled_and_free(m, 3); });
    });
    CHECK(passes(done));
}

TEST_CASE("a sender that gives up as it is granted room lets the next one in", "[outbox]") {
    std::set<errc> verdicts;
    interleave::config bounds = bound(1, 1);
    bounds.deviations = 1; // the timeout is one
    const result done = explore(bounds, [&](scenario& stage) {
        auto& m = stage.make<deferred>("writer", room_for(one_frame));
        check(m.out->send_text("a") == errc::none, "accepted");
        auto& verdict = stage.make<errc>("verdict");
        stage.thread("hasty", [&] { verdict = send_wait(m, "b", soon); });
        stage.thread("patient", [&m] { check(send_wait(m, "c", wsolo::no_deadline) == errc::none, "room"); });
        stage.thread("loop", [&m] {
            while (m.wire.frames().find('c') == std::string::npos) {
                m.ring.wait();
                static_cast<void>(m.out->pump());
            }
        });
        stage.finally([&] {
            verdicts.insert(verdict);
            while (m.out->is_pump_owed()) static_cast<void>(m.out->pump());
            settled_and_free(m, verdict == errc::none ? 3 : 2);
        });
    });
    CHECK(passes(done));
    CHECK(verdicts == std::set<errc>{errc::none, errc::timed_out});
}

TEST_CASE("a flush that waits for room gives it back when it is queued", "[outbox]") {
    const result done = explore(bound(2), [](scenario& stage) {
        auto& m = stage.make<deferred>("writer", room_for(one_frame));
        check(m.out->send_text("a") == errc::none, "accepted");
        check(m.out->flush(wsolo::on_outcome{[](void*, errc) noexcept {}, nullptr}) == errc::none,
              "one above the bound");
        auto& is_flushed = stage.make<interleave::atomic<bool>>("is flushed", false);
        stage.thread("flusher", [&] {
            check(m.out->flush(wsolo::no_deadline) == errc::none, "written");
            is_flushed.store(true);
            m.ring.rung.fetch_add(1); // the loop may go
        });
        stage.thread("loop", [&] {
            do {
                m.ring.wait();
                static_cast<void>(m.out->pump());
            } while (!is_flushed.load());
        });
        stage.finally([&m] { settled_and_free(m, 1); });
    });
    CHECK(passes(done));
}

TEST_CASE("an abort wakes the senders that wait", "[outbox]") {
    std::set<errc> verdicts;
    const result done = explore(bound(2), [&](scenario& stage) {
        auto& m = stage.make<direct>("writer", room_for(one_frame));
        m.wire.blocks = 9; // the peer does not read
        check(m.out->send_text("a") == errc::none, "accepted");
        stage.thread("waiter", [&] { verdicts.insert(send_wait(m, "b", wsolo::no_deadline)); });
        stage.thread("aborter", [&m] { m.out->abort(); });
        stage.finally([&m] { settled(m, 1); });
    });
    CHECK(passes(done));
    CHECK(verdicts == std::set<errc>{errc::closed});
}

TEST_CASE("a failed write wakes the senders that wait", "[outbox]") {
    std::set<errc> verdicts;
    const result done = explore(bound(2), [&](scenario& stage) {
        auto& m = stage.make<deferred>("writer", room_for(one_frame));
        m.wire.fails = true;
        check(m.out->send_text("a") == errc::none, "accepted");
        stage.thread("waiter", [&] { verdicts.insert(send_wait(m, "b", wsolo::no_deadline)); });
        stage.thread("loop", [&m] { m.serve(99); });
        stage.finally([&m] { settled(m, 1); });
    });
    CHECK(passes(done));
    CHECK(verdicts == std::set<errc>{errc::closed});
}
