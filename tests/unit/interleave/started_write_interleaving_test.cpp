// A completion-style transport with a thread of its own, in every schedule within a bound. Would catch: a
// completion that wakes no thread, one that two threads settle, bytes that are given back while the device still
// reads them, a completion that touches a writer that has gone.

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

interleave::config bound(int preemptions) {
    return {.preemptions = preemptions,
            .deviations = 1,
            .timeouts = 0,
            .clock_steps = 0,
            .max_executions = 300'000,
            .random_executions = 200};
}

/// Reads the bytes of a write in a thread of its own, when it ends. Plain memory: a second write beside the
/// first is a data race.
struct device {
    tape wire;
    std::array<wsolo::const_bytes, 4> parts;
    std::size_t count = 0;
    wsolo::write_done done;
    interleave::atomic<int> started{0};
    int cancels = 0;

    void run_one() {
        while (started.load() == 0) interleave::traits::pause();
        started.store(0);
        wsolo::write_done over = std::move(done);
        wsolo::io_result how{wsolo::io_status::ok, 0, 0};
        for (std::size_t i = 0; i < count; ++i) {
            std::memcpy(wire.bytes.data() + wire.size, parts[i].data(), parts[i].size());
            wire.size += parts[i].size();
            how.transferred += parts[i].size();
        }
        over(how);
    }
};

struct transport_of_device {
    device* to;
    void start_write(std::span<const wsolo::const_bytes> parts, wsolo::time_point, wsolo::write_done done) {
        check(to->wire.finished == 0, "a write after the end");
        to->count = 0;
        for (const wsolo::const_bytes part : parts) to->parts[to->count++] = part;
        to->done = std::move(done);
        to->started.store(1);
    }
    void cancel_write() { ++to->cancels; }
    void finish(wsolo::end_of_write why) {
        check(to->wire.finished++ == 0, "the transport was finished twice");
        to->wire.drained = why == wsolo::end_of_write::drained;
    }
};

template <class Hook>
using completing_of =
    wsolo::single_writer<transport_of_device, Hook, wsolo::server_side, observer, interleave::traits>;

struct completing {
    device to;
    bell ring;
    std::optional<completing_of<bell::hook>> out;
    tape& wire = to.wire;
    marks told;

    explicit completing(const wsolo::writer_options& options = {}) {
        out.emplace(transport_of_device{&to}, bell::hook{&ring}, options, wsolo::server_side{},
                    observer{&told});
    }

    /// Pumps when the bell rings, and only then, until `frames` are written or it is over.
    void serve(std::uint64_t frames) {
        for (;;) {
            ring.wait();
            while (out->pump().status == pump_status::more) {}
            if (out->is_finished() || out->report().frames_written == frames) return;
        }
    }
};

} // namespace

TEST_CASE("writes that end in another thread: everything arrives, with no Close to help", "[started_write]") {
    const result done = explore(bound(1), [](scenario& stage) {
        auto& m = stage.make<completing>("writer");
        check(m.out->send_text("a") == errc::none, "accepted");
        static_cast<void>(m.out->pump());
        m.ring.rung.store(0);
        stage.thread("sender", [&m] { check(m.out->send_text("b") == errc::none, "accepted"); });
        stage.thread("device", [&m] {
            m.to.run_one();
            m.to.run_one();
        });
        stage.thread("loop", [&m] { m.serve(2); });
        stage.finally([&m] {
            check(m.wire.frames() == "ab", "in order");
            settled(m, 2);
        });
    });
    CHECK(passes(done));
}

TEST_CASE("an abort while a write is in flight waits for its end, and keeps its bytes", "[started_write]") {
    const result done = explore(bound(2), [](scenario& stage) {
        auto& m = stage.make<completing>("writer");
        check(m.out->send_text("a") == errc::none, "accepted");
        static_cast<void>(m.out->pump());
        m.ring.rung.store(0);
        stage.thread("aborter", [&m] { m.out->abort(errc::aborted, wsolo::duration::zero()); });
        stage.thread("device", [&m] { m.to.run_one(); });
        stage.thread("loop", [&m] { m.serve(99); });
        stage.finally([&m] {
            check(m.wire.frames() == "a" && m.to.cancels <= 1, "whole");
            settled(m, 1);
        });
    });
    CHECK(passes(done));
}

TEST_CASE("a writer may go while its last write ends", "[started_write]") {
    std::set<std::uint64_t> rings;
    const result done = explore(bound(2), [&](scenario& stage) {
        auto& m = stage.make<completing>("writer");
        check(m.out->send_text("a") == errc::none, "accepted");
        static_cast<void>(m.out->pump());
        stage.thread("device", [&m] { m.to.run_one(); });
        stage.thread("owner", [&m] {
            m.out.reset();
            check(m.wire.finished == 1, "the end is the transport's too");
        });
        stage.finally([&] {
            rings.insert(static_cast<std::uint64_t>(m.ring.rung.load()));
            check(m.wire.frames() == "a", "whole, wherever its bytes lay");
        });
    });
    CHECK(passes(done));
    CHECK(rings == std::set<std::uint64_t>{1, 2}); // it ended after the writer, or before
}

TEST_CASE("a write that ends beside a pump is settled once", "[started_write]") {
    const result done = explore(bound(2), [](scenario& stage) {
        auto& m = stage.make<completing>("writer");
        check(m.out->send_text("a") == errc::none, "accepted");
        static_cast<void>(m.out->pump());
        stage.thread("device", [&m] { m.to.run_one(); });
        for (const char* const name : {"timer", "other timer"})
            stage.thread(name, [&m] { static_cast<void>(m.out->pump()); });
        stage.finally([&m] {
            static_cast<void>(m.out->pump());
            check(m.out->report().frames_written == 1, "once");
            settled(m, 1);
        });
    });
    CHECK(passes(done));
}

TEST_CASE("a writer's end waits for no write, nor lets a flush inside wait for one", "[started_write]") {
    const result done = explore(bound(1), [](scenario& stage) {
        auto& m = stage.make<completing>("writer");
        auto& handle = stage.make<decltype(m.out->handle())>("handle", m.out->handle());
        check(m.out->send_text("a") == errc::none, "accepted");
        stage.thread("user", [&] {
            const auto inside = handle.try_use();
            check(!inside || inside->flush(wsolo::no_deadline) != errc::none, "its data was not written");
        });
        stage.thread("pool", [&] {
            if (const auto inside = handle.try_use()) static_cast<void>(inside->pump());
        });
        stage.thread("owner", [&m] { m.out.reset(); });
        stage.finally([&m] {
            if (m.to.started.load() == 0) return;
            m.to.run_one(); // only now
            check(m.wire.frames() == "a", "its bytes were kept");
        });
    });
    CHECK(passes(done));
}

TEST_CASE("a climb to the high mark beside a write's end is told once", "[started_write]") {
    wsolo::writer_options options;
    options.limits.max_bytes = 2 * (3 + wsolo::frame_overhead + wsolo::entry_overhead);
    options.limits.high_water = 50;
    options.limits.low_water = 0;
    const result done = explore(bound(1), [&](scenario& stage) {
        auto& m = stage.make<completing>("writer", options);
        check(m.out->send_ping() == errc::none, "accepted"); // which costs no budget
        static_cast<void>(m.out->pump());
        m.ring.rung.store(0);
        stage.thread("sender", [&m] { check(m.out->send_text("b") == errc::none, "accepted"); });
        stage.thread("device", [&m] {
            m.to.run_one();
            m.to.run_one();
        });
        stage.thread("loop", [&m] { m.serve(2); });
        stage.finally([&] {
            check(m.told.high == 1 && m.told.low == 1, "each mark once");
            settled(m, 2);
        });
    });
    CHECK(passes(done));
}
