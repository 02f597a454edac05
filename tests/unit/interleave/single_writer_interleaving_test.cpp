// The shipped writer, whole, in every schedule within a bound, on the weak memory model, plain memory
// included. Would catch: two threads that run, a wake-up lost between an empty queue and the turn's release, a
// frame after Close, an item that is neither written nor reported or reported twice, a parked turn that no close,
// abort or high mark recalls, a run of frames that is miscounted because it grew while it was written, a block
// that is filled anew while it is still read, a cork or a gate that swallows the hook, a handle that outlives its
// writer.

#include <support/catch.hpp>
#include <support/interleave/var.hpp>
#include <support/interleave/verdict.hpp>
#include <support/interleave_writer.hpp>

#include <set>

using namespace checked;
using interleave::explore;
using interleave::passes;
using interleave::result;
using interleave::scenario;

namespace {

// One stale read, spurious failure or spurious wake-up an execution, and the timeouts that a test asks for.
interleave::config bound(int preemptions, int timeouts = 0) {
    return {.preemptions = preemptions,
            .deviations = 1 + timeouts,
            .timeouts = timeouts,
            .clock_steps = 0,
            .max_executions = 300'000,
            .random_executions = 200};
}

template <class Room>
bool send(Room& m, std::string_view payload) {
    return m.out->send_text(payload) == errc::none;
}

} // namespace

TEST_CASE("two senders and a loop: everything arrives, in each sender's order, with no Close to help",
          "[writer]") {
    std::set<std::string> orders;
    const result done = explore(bound(2), [&](scenario& stage) {
        auto& m = stage.make<deferred>("writer");
        stage.thread("sender", [&m] {
            check(send(m, "a"), "accepted");
            check(send(m, "b"), "accepted");
        });
        stage.thread("other sender", [&m] { check(send(m, "x"), "accepted"); });
        stage.thread("loop", [&m] { m.serve(3); });
        stage.finally([&] {
            orders.insert(m.wire.frames());
            settled(m, 3);
        });
    });
    CHECK(passes(done));
    CHECK(orders == std::set<std::string>{"abx", "axb", "xab"});
}

TEST_CASE("senders that write themselves: one owner, nothing left behind", "[writer]") {
    const result done = explore(bound(2), [](scenario& stage) {
        auto& m = stage.make<direct>("writer");
        for (const char* const name : {"a", "b"})
            stage.thread(name, [&m, name] { check(send(m, name), "accepted"); });
        stage.finally([&] {
            check(m.wire.frames() == "ab" || m.wire.frames() == "ba", "both, whole");
            settled(m, 2);
        });
    });
    CHECK(passes(done));
}

TEST_CASE("three senders that write themselves", "[writer]") {
    const result done = explore(bound(1), [](scenario& stage) {
        auto& m = stage.make<direct>("writer");
        for (const char* const name : {"a", "b", "c"})
            stage.thread(name, [&m, name] { check(send(m, name), "accepted"); });
        stage.finally([&] { settled(m, 3); });
    });
    CHECK(passes(done));
}

TEST_CASE("a Close is the last frame, whatever is sent beside it", "[writer]") {
    std::set<std::string> wires;
    const result done = explore(bound(1), [&](scenario& stage) {
        auto& m = stage.make<deferred>("writer");
        auto& accepted = stage.make<std::array<int, 2>>("accepted");
        stage.thread("sender", [&] { accepted[0] = send(m, "a"); });
        stage.thread("other sender", [&] { accepted[1] = send(m, "b"); });
        stage.thread("closer", [&m] {
            check(m.out->close(wsolo::close_code::normal) == errc::none, "the first close");
        });
        stage.thread("loop", [&m] { m.serve(99); });
        stage.finally([&] {
            wires.insert(m.wire.frames());
            check(m.wire.frames().back() == '#' && m.wire.drained, "something after Close");
            settled(m, static_cast<unsigned>(1 + accepted[0] + accepted[1]));
            check(m.out->report().frames_dropped == 0 && m.out->report().is_clean(),
                  "an orderly end drops nothing");
        });
    });
    CHECK(passes(done));
    CHECK(wires == std::set<std::string>{"#", "a#", "b#", "ab#", "ba#"});
}

TEST_CASE("a Close beside one sender: after it, or the sender is refused", "[writer]") {
    std::set<std::string> wires;
    const result done = explore(bound(2), [&](scenario& stage) {
        auto& m = stage.make<direct>("writer");
        auto& accepted = stage.make<int>("accepted");
        stage.thread("sender", [&] { accepted = send(m, "a"); });
        stage.thread("closer", [&m] {
            check(m.out->close(wsolo::close_code::normal) == errc::none, "the first close");
        });
        stage.finally([&] {
            wires.insert(m.wire.frames());
            check(m.wire.frames().back() == '#', "something after Close");
            settled(m, static_cast<unsigned>(1 + accepted));
        });
    });
    CHECK(passes(done));
    CHECK(wires == std::set<std::string>{"#", "a#"});
}

TEST_CASE("two closers: one Close, one end", "[writer]") {
    const result done = explore(bound(2), [](scenario& stage) {
        auto& m = stage.make<direct>("writer");
        auto& accepted = stage.make<std::array<int, 2>>("accepted");
        for (std::size_t i = 0; i < 2; ++i)
            stage.thread(i == 0 ? "closer" : "other closer",
                         [&, i] { accepted[i] = m.out->close(wsolo::close_code::normal) == errc::none; });
        stage.finally([&] {
            check(accepted[0] + accepted[1] == 1 && m.wire.frames() == "#", "one Close");
            settled(m, 1);
        });
    });
    CHECK(passes(done));
}

TEST_CASE("an abort ends it once, and what was accepted is reported", "[writer]") {
    std::set<std::uint64_t> dropped;
    const result done = explore(bound(2), [&](scenario& stage) {
        auto& m = stage.make<direct>("writer");
        auto& accepted = stage.make<int>("accepted");
        stage.thread("sender", [&] { accepted = send(m, "a") + send(m, "b"); });
        stage.thread("aborter", [&m] { m.out->abort(); });
        stage.finally([&] {
            check(m.out->is_finished() && !m.wire.drained, "an abort ends the transport");
            settled(m, static_cast<unsigned>(accepted));
            dropped.insert(m.out->report().frames_dropped);
        });
    });
    CHECK(passes(done));
    CHECK(dropped.count(0) == 1);
    CHECK(dropped.count(1) == 1);
}

TEST_CASE("a parked turn is taken by writability or by a close that recalls it, once", "[writer]") {
    const result done = explore(bound(2), [](scenario& stage) {
        auto& m = stage.make<direct>("writer");
        m.wire.blocks = 1;
        m.wire.partial = 1; // in the middle of the frame
        stage.thread("sender", [&m] {
            if (!send(m, "a")) m.ring.rung.fetch_add(1); // closed before: nothing will block
        });
        stage.thread("poller", [&m] {
            m.ring.wait(); // told to wait for writability, or to look again
            static_cast<void>(m.out->pump());
        });
        stage.thread("closer", [&m] {
            check(m.out->close(wsolo::close_code::normal) == errc::none, "the first close");
        });
        stage.finally([&] {
            if (!m.out->is_finished())
                static_cast<void>(m.out->pump()); // the poller met the writer before it blocked
            check(m.wire.frames() == "a#" || m.wire.frames() == "#", "a frame was torn");
        });
    });
    CHECK(passes(done));
}

TEST_CASE("a parked writer that is aborted lets the rest of its frame out and nothing else", "[writer]") {
    const result done = explore(bound(2), [](scenario& stage) {
        auto& m = stage.make<deferred>("writer");
        m.wire.blocks = 1;
        m.wire.partial = 2;
        auto& accepted = stage.make<int>("accepted");
        stage.thread("sender", [&] { accepted = send(m, "a") + send(m, "b"); });
        stage.thread("loop", [&m] { m.serve(99); });
        stage.thread("aborter", [&m] { m.out->abort(); });
        stage.finally([&] {
            check(m.wire.frames().find('?') == std::string::npos && !m.out->report().partial_frame,
                  "half a frame");
            settled(m, static_cast<unsigned>(accepted));
        });
    });
    CHECK(passes(done));
}

TEST_CASE("a cork holds the hook back and then calls it", "[writer]") {
    const result done = explore(bound(2), [](scenario& stage) {
        auto& m = stage.make<deferred>("writer");
        stage.thread("corked sender", [&m] {
            const auto held = m.out->corked();
            check(send(m, "a"), "accepted");
        });
        stage.thread("sender", [&m] { check(send(m, "x"), "accepted"); });
        stage.thread("loop", [&m] { m.serve(2); });
        stage.finally([&] { settled(m, 2); });
    });
    CHECK(passes(done));
}

TEST_CASE("a gate that opens lets out what was sent, in order, after its answer", "[writer]") {
    const result done = explore(bound(2), [](scenario& stage) {
        auto& m = stage.make<deferred>("writer", wsolo::born_gated);
        stage.thread("handshake", [&m] {
            wsolo::init_gate gate(*m.out);
            const std::byte answer[3]{std::byte{0x82}, std::byte{1}, std::byte{'!'}};
            check(gate.acknowledge(answer) == errc::none, "acknowledged");
            gate.open();
        });
        stage.thread("sender", [&m] {
            check(send(m, "a"), "accepted");
            check(send(m, "b"), "accepted");
        });
        stage.thread("loop", [&m] { m.serve(3); });
        stage.finally([&] {
            check(m.wire.frames() == "!ab", "the answer leads");
            settled(m, 3);
        });
    });
    CHECK(passes(done));
}

TEST_CASE("a gate that opens at its deadline: one of the two, whole", "[writer]") {
    std::set<std::string> ends;
    const result done = explore(bound(2), [&](scenario& stage) {
        auto& m = stage.make<deferred>("writer", wsolo::born_gated);
        stage.thread("handshake", [&m] {
            wsolo::init_gate gate(*m.out);
            check(gate.set_deadline(wsolo::time_point::min()) != errc::out_of_memory, "there is memory");
            gate.open();
        });
        stage.thread("sender", [&m] { static_cast<void>(send(m, "a")); });
        stage.thread("loop", [&m] { static_cast<void>(m.out->pump()); });
        stage.finally([&] {
            while (m.out->is_pump_owed()) static_cast<void>(m.out->pump());
            const wsolo::drain_report report = m.out->report();
            check(report.reason == errc::none || report.reason == errc::handshake_timeout, "no other end");
            check(m.out->is_finished() == (report.reason != errc::none), "over only when its time was");
            check(!m.out->is_finished() || m.ring.rung.load() <= 1, "a gate that has opened stays open");
            check(m.out->is_finished() ? m.wire.size == 0 : m.wire.frames() == "a", "all of it, or nothing");
            ends.insert(m.out->is_finished() ? "rejected" : "open");
        });
    });
    CHECK(passes(done));
    CHECK(ends == std::set<std::string>{"open", "rejected"});
}

TEST_CASE("a gate that rejects sends nothing of what was queued", "[writer]") {
    const result done = explore(bound(2), [](scenario& stage) {
        auto& m = stage.make<deferred>("writer", wsolo::born_gated);
        auto& accepted = stage.make<int>("accepted");
        stage.thread("handshake", [&m] { wsolo::init_gate(*m.out).reject(errc::aborted); });
        stage.thread("sender", [&] { accepted = send(m, "a"); });
        stage.thread("loop", [&m] { m.serve(99); });
        stage.finally([&] {
            check(m.wire.size == 0, "sent on a rejected handshake");
            settled(m, static_cast<unsigned>(accepted));
        });
    });
    CHECK(passes(done));
}

TEST_CASE("data that waits for a message leaves when it ends", "[writer]") {
    const result done = explore(bound(1), [](scenario& stage) {
        auto& m = stage.make<deferred>("writer");
        stage.thread("narrator", [&m] {
            auto tale = m.out->begin_message(wsolo::opcode::binary);
            const std::byte part[1]{std::byte{'m'}};
            check(tale.write(part) == errc::none, "a part");
            check(tale.finish(part) == errc::none, "the last part");
        });
        stage.thread("sender", [&m] { check(send(m, "x"), "accepted"); });
        stage.thread("loop", [&m] { m.serve(3); });
        stage.finally([&] {
            check(m.wire.frames() == "mmx" || m.wire.frames() == "xmm", "two messages were interleaved");
            settled(m, 3);
        });
    });
    CHECK(passes(done));
}

TEST_CASE("a flush returns when its data was written, or at its deadline, and leaves nothing dangling",
          "[writer]") {
    std::set<errc> verdicts;
    const result done = explore(bound(2, 1), [&](scenario& stage) {
        auto& m = stage.make<deferred>("writer");
        auto& told = stage.make<interleave::var<bool>>("told", false);
        stage.thread("sender", [&] {
            const wsolo::on_outcome note{
                [](void* at, errc) noexcept { *static_cast<interleave::var<bool>*>(at) = true; }, &told};
            check(m.out->send_text("a", note) == errc::none, "accepted");
            const errc verdict = m.out->flush(interleave::clock::now() + std::chrono::seconds(1));
            verdicts.insert(verdict);
            check(verdict == errc::timed_out || m.wire.frames() == "a", "flushed before it was written");
            check(verdict == errc::timed_out || told.get(),
                  "what was told before the flush is seen after it");
        });
        stage.thread("loop", [&m] {
            m.serve(1);
            static_cast<void>(m.out->pump()); // a mark after the frame
        });
        stage.finally([&] {
            static_cast<void>(m.out->pump());
            settled(m, 1);
        });
    });
    CHECK(passes(done));
    CHECK(verdicts == std::set<errc>{errc::none, errc::timed_out});
}

TEST_CASE("a handle sends or answers closed, and its writer's end waits for it", "[writer]") {
    std::set<bool> sent;
    const result done = explore(bound(2), [&](scenario& stage) {
        auto& m = stage.make<direct>("writer");
        auto& handle = stage.make<decltype(m.out->handle())>("handle", m.out->handle());
        stage.thread("user", [&] {
            const errc error = handle.send_text("a");
            check(error == errc::none || error == errc::closed, "another verdict");
            sent.insert(error == errc::none);
        });
        stage.thread("owner", [&m] {
            m.out.reset();
            check(m.wire.finished == 1, "the end is the transport's too");
        });
    });
    CHECK(passes(done));
    CHECK(sent == std::set<bool>{false, true});
}

TEST_CASE("a writer's end lets no thread wait that is inside by a handle", "[writer]") {
    for (const bool blocks : {true, false}) { // the one inside parks the token, or hands it over
        std::set<errc> verdicts;
        const result done = explore(bound(1), [&](scenario& stage) {
            wsolo::writer_options options;
            options.pump_quantum = 1;
            auto& m = stage.make<deferred>("writer", options);
            m.wire.blocks = blocks;
            m.wire.partial = m.wire.most = 1;
            auto& handle = stage.make<decltype(m.out->handle())>("handle", m.out->handle());
            check(send(m, "a"), "accepted");
            stage.thread("user", [&] {
                if (const auto inside = handle.try_use()) verdicts.insert(inside->flush(wsolo::no_deadline));
            });
            stage.thread("pool", [&] {
                if (const auto inside = handle.try_use()) static_cast<void>(inside->pump());
            });
            stage.thread("owner", [&m] {
                m.out.reset();
                check(m.wire.finished == 1, "the end is the transport's too");
            });
        });
        CHECK(passes(done));
        CHECK(verdicts.contains(errc::aborted));
    }
}

TEST_CASE("a sender that waits for a message's end is woken when it is given up", "[writer]") {
    wsolo::writer_options options;
    options.limits.max_bytes = 200;
    const std::array<std::byte, 90> most{}; // more than half of the budget: the other half is the message's
    const result done = explore(bound(2), [&](scenario& stage) {
        auto& m = stage.make<deferred>("writer", options);
        stage.thread("narrator", [&m] { const auto tale = m.out->begin_message(wsolo::opcode::binary); });
        stage.thread("sender", [&] {
            check(m.out->send_wait(wsolo::opcode::binary, most, wsolo::no_deadline) == errc::none,
                  "accepted");
        });
        stage.finally([&m] {
            static_cast<void>(m.out->pump());
            settled(m, 1);
        });
    });
    CHECK(passes(done));
}

TEST_CASE("a sender that is refused reads nothing that others write", "[writer]") {
    wsolo::writer_options options;
    options.limits.max_frames = 1;
    options.limits.high_water = 1; // each frame is a climb, and its end a fall
    const result done = explore(bound(1), [&](scenario& stage) {
        auto& m = stage.make<deferred>("writer", options);
        check(send(m, "a"), "accepted");
        stage.thread("sender", [&m] { static_cast<void>(send(m, "b")); });
        stage.thread("loop", [&m] { static_cast<void>(m.out->pump()); });
        stage.finally([&m] {
            static_cast<void>(m.out->pump());
            check(m.out->queued_bytes() == 0, "all of it");
        });
    });
    CHECK(passes(done));
}

TEST_CASE("a climb to the high mark recalls a parked turn, and is told once", "[writer]") {
    wsolo::writer_options options;
    options.limits.max_bytes = 2 * (3 + wsolo::frame_overhead + wsolo::entry_overhead);
    options.limits.high_water = 100;
    std::set<int> rings;
    const result done = explore(bound(2), [&](scenario& stage) {
        auto& outcomes = stage.make<tally>("outcomes");
        auto& m = stage.make<deferred>("writer", options);
        m.wire.blocks = 99;
        check(m.out->send_text("a", outcomes.on_done()) == errc::none, "accepted");
        static_cast<void>(m.out->pump());
        m.ring.rung.store(0);
        stage.thread("sender",
                     [&] { check(m.out->send_text("b", outcomes.on_done()) == errc::none, "accepted"); });
        stage.thread("poller", [&m] { static_cast<void>(m.out->pump()); });
        stage.finally([&] {
            rings.insert(m.ring.rung.load());
            check(m.ring.rung.load() + m.told.high != 0, "a climb that is not told, and calls no hook");
            static_cast<void>(m.out->pump());
            check(m.told.high == 1, "once");
        });
    });
    CHECK(passes(done));
    CHECK(rings == std::set<int>{0, 1});
}

TEST_CASE("a run that grows while a write names it is counted as it was written", "[writer]") {
    const result done = explore(bound(2), [](scenario& stage) {
        auto& m = stage.make<deferred>("writer");
        m.wire.most = 4; // a frame, and the next one's first byte
        check(send(m, "a") && send(m, "b"), "accepted");
        stage.thread("sender", [&m] {
            check(send(m, "c"), "accepted");
            check(send(m, "d"), "accepted");
        });
        stage.thread("loop", [&m] { m.serve(4); });
        stage.finally([&] {
            check(m.wire.frames() == "abcd", "in order");
            settled(m, 4);
        });
    });
    CHECK(passes(done));
}

TEST_CASE("blocks are filled anew only when their last byte has left", "[writer]") {
    const result done = explore(bound(1), [](scenario& stage) {
        auto& outcomes = stage.make<tally>("outcomes");
        auto& m = stage.make<deferred>("writer");
        m.wire.most = 150;
        const auto text = [&](char of) { check(send(m, std::string(120, of)), "accepted"); };
        text('a'); // two more of these fill the first block
        stage.thread("sender", [text] {
            text('b');
            text('c');
            text('d');
        });
        stage.thread("other sender", [&] {
            const std::string payload(120, 'x');
            check(m.out->send_ping(wsolo::bytes_of(payload), outcomes.on_done()) == errc::none, "accepted");
            check(m.out->send_text(payload, outcomes.on_done()) == errc::none, "accepted");
        });
        stage.thread("loop", [&m] { m.serve(6); });
        stage.finally([&] {
            check(m.wire.frames().find('?') == std::string::npos, "a frame was overwritten");
            check(outcomes.written.load() == 2 && outcomes.dropped.load() == 0, "each told once");
            settled(m, 6);
        });
    });
    CHECK(passes(done));
}

TEST_CASE("what gives way beside a write is told once, and its memory goes", "[writer]") {
    wsolo::writer_options options;
    options.limits.max_frames = 2;
    options.limits.when_full = wsolo::overflow::drop_oldest;
    std::set<int> dropped;
    const result done = explore(bound(1), [&](scenario& stage) {
        auto& outcomes = stage.make<tally>("outcomes");
        auto& m = stage.make<deferred>("writer", options);
        auto& accepted = stage.make<std::array<int, 2>>("accepted");
        check(m.out->send_text("a", outcomes.on_done()) == errc::none, "accepted");
        const auto say = [&](std::string_view text, int& count) {
            count += m.out->send_text(text, outcomes.on_done()) == errc::none;
        };
        stage.thread("sender", [&, say] {
            say("b", accepted[0]);
            say("c", accepted[0]);
        });
        stage.thread("other sender", [&, say] { say("x", accepted[1]); });
        stage.thread("loop", [&m] {
            m.ring.wait();
            static_cast<void>(m.out->pump());
        });
        stage.finally([&] {
            while (m.out->is_pump_owed()) static_cast<void>(m.out->pump());
            const int all = 1 + accepted[0] + accepted[1];
            check(outcomes.written.load() + outcomes.dropped.load() == all, "each told once");
            check(outcomes.written.load() == static_cast<int>(m.wire.frames().size()), "told as it was");
            settled(m, static_cast<unsigned>(all));
            dropped.insert(outcomes.dropped.load());
        });
    });
    CHECK(passes(done));
    CHECK(dropped == std::set<int>{0, 1, 2});
}

TEST_CASE("an item of the same key replaces one that no write names", "[writer]") {
    std::set<std::string> wires;
    const result done = explore(bound(2), [&](scenario& stage) {
        auto& outcomes = stage.make<tally>("outcomes");
        auto& m = stage.make<deferred>("writer");
        const auto say = [&](std::string_view text) {
            check(m.out->send_keyed(7, wsolo::opcode::text, wsolo::bytes_of(text), outcomes.on_done()) ==
                      errc::none,
                  "accepted");
        };
        say("a");
        stage.thread("sender", [say] { say("b"); });
        stage.thread("loop", [&m] {
            m.ring.wait();
            static_cast<void>(m.out->pump());
        });
        stage.finally([&] {
            while (m.out->is_pump_owed()) static_cast<void>(m.out->pump());
            wires.insert(m.wire.frames());
            check(outcomes.written.load() == static_cast<int>(m.wire.frames().size()), "told as it was");
            check(outcomes.written.load() + outcomes.dropped.load() == 2, "each told once");
            settled(m, 2);
        });
    });
    CHECK(passes(done));
    CHECK(wires == std::set<std::string>{"ab", "b"});
}

TEST_CASE("a gate that opens beside an abort: its answer whole, or nothing", "[writer]") {
    std::set<std::string> wires;
    const result done = explore(bound(1), [&](scenario& stage) {
        auto& m = stage.make<deferred>("writer", wsolo::born_gated);
        auto& accepted = stage.make<std::array<int, 2>>("accepted");
        stage.thread("handshake", [&] {
            wsolo::init_gate gate(*m.out);
            const std::byte answer[3]{std::byte{0x82}, std::byte{1}, std::byte{'!'}};
            accepted[0] = gate.acknowledge(answer) == errc::none;
            gate.open();
        });
        stage.thread("aborter", [&m] { m.out->abort(); });
        stage.thread("sender", [&] { accepted[1] = send(m, "a"); });
        stage.thread("loop", [&m] { m.serve(99); });
        stage.finally([&] {
            wires.insert(m.wire.frames());
            check(m.out->is_finished() && m.out->report().reason == errc::aborted, "it ends");
            settled(m, static_cast<unsigned>(accepted[0] + accepted[1]));
        });
    });
    CHECK(passes(done));
    CHECK(wires == std::set<std::string>{"", "!", "!a"});
}

TEST_CASE("a close beside a gate that stays shut until its deadline ends the writer", "[writer]") {
    std::set<errc> reasons;
    interleave::config bounds = bound(2);
    bounds.clock_steps = 1;
    const result done = explore(bounds, [&](scenario& stage) {
        auto& m = stage.make<deferred>("writer", wsolo::born_gated);
        auto& gate = stage.make<wsolo::init_gate<writer_of<bell::hook>>>("gate", *m.out);
        stage.thread("closer", [&m] {
            check(m.out->close(wsolo::close_code::normal) == errc::none, "the first close");
        });
        stage.thread("handshake", [&gate] { gate.open(); });
        stage.thread("loop", [&m] {
            wsolo::pump_result left{};
            do {
                m.ring.wait(); // which the closer owes, the gate open or shut
                left = m.out->pump();
            } while (left.status == pump_status::idle);
        });
        stage.finally([&] {
            while (m.out->is_pump_owed()) static_cast<void>(m.out->pump());
            check(m.out->is_finished(), "it ends");
            reasons.insert(m.out->report().reason);
            settled(m, 1);
        });
    });
    CHECK(passes(done));
    CHECK(reasons == std::set<errc>{errc::none, errc::drain_timed_out});
}

TEST_CASE("a close beside a pump that finds nothing left: the Close is written", "[writer]") {
    const result done = explore(bound(2), [](scenario& stage) {
        auto& m = stage.make<deferred>("writer");
        check(send(m, "a"), "accepted");
        stage.thread("closer", [&m] {
            check(m.out->close(wsolo::close_code::normal) == errc::none, "the first close");
        });
        stage.thread("loop", [&m] {
            m.ring.wait();
            static_cast<void>(m.out->pump());
        });
        stage.thread("other loop", [&m] { static_cast<void>(m.out->pump()); });
        stage.finally([&] {
            check(m.out->is_finished() || m.ring.rung.load() == 1, "a Close for which no hook is called");
            static_cast<void>(m.out->pump());
            check(m.wire.frames() == "a#", "both");
            settled(m, 2);
        });
    });
    CHECK(passes(done));
}
