// Would catch: an end without a bound: a close, an abort, a full queue's or a destructor's, held back by a cork, a shut
// gate, an open message, a peer that takes nothing; one that waits longer than it said, or for another bound than its own.

#include <support/writer_fixture.hpp>

#include <wsolo/testing/completing_transport.hpp>
#include <wsolo/write/init_gate.hpp>

using wsolo::bytes_of;
using wsolo::opcode;

namespace {

constexpr auto stands = [] { return wsolo::testing::scripted_step{io_status::would_block, 0, 0}; };

/// A loop that pumps when the hook asked, and when a deadline that pump() named has come; and for nothing else. The time
/// that it took until the writer was finished.
template <class Writer>
wsolo::duration run_loop(Writer& out, const int& scheduled, int seen) {
    const auto start = manual_clock::now();
    wsolo::pump_result left{pump_status::idle, wsolo::no_deadline};
    for (int turns = 0; turns < 100; ++turns) {
        if (scheduled == seen) {
            REQUIRE((left.status == pump_status::blocked ||
                     left.status == pump_status::busy)); // else who would come?
            REQUIRE(left.deadline != wsolo::no_deadline);
            manual_clock::current = std::max(manual_clock::current, left.deadline);
        }
        seen = scheduled;
        left = out.pump();
        if (left.status == pump_status::finished) return manual_clock::now() - start;
    }
    FAIL("the loop turns for ever");
    return {};
}

enum class end { close, abort, disconnect };
constexpr end all_ends[] = {end::close, end::abort, end::disconnect};

template <class Fixture>
void make_the_end(Fixture& f, end how, wsolo::duration bound) {
    if (how == end::close) REQUIRE(f.out->close(wsolo::close_code::normal, "", bound) == errc::none);
    if (how == end::abort) f.out->abort(errc::connection_lost, bound);
    if (how == end::disconnect) REQUIRE(f.out->send_text("one too many") == errc::queue_full);
}

wsolo::writer_options three_frames() {
    wsolo::writer_options options;
    options.limits.max_frames = 3;
    options.limits.when_full = wsolo::overflow::disconnect;
    return options;
}

} // namespace

namespace {

/// What holds the writer when the end comes.
struct hold {
    bool taken;      ///< the peer takes what it is offered
    bool corked;     ///< by another producer
    bool begun;      ///< a frame stands half written
    bool in_message; ///< the queued data waits for an open message
};

template <class Side>
void end_held(end how, const hold& by) {
    using fixture = writer_fixture<Side>;
    fixture f(three_frames());
    if (by.begun) {
        f.wire.then({io_status::would_block, 3, 0});
        REQUIRE(f.out->send_text("first") == errc::none);
        REQUIRE(f.out->pump().status == pump_status::blocked);
    }
    if (!by.taken) f.wire.rule(stands);
    std::optional<wsolo::cork<typename fixture::writer_type>> cork;
    if (by.corked) cork.emplace(f.out->corked());
    std::optional<wsolo::fragmented_message<typename fixture::writer_type>> message;
    if (by.in_message) {
        message.emplace(f.out->begin_message(opcode::text));
        REQUIRE(message->write(bytes_of("part")) == errc::none);
        while (f.out->queued_frames() < 3) REQUIRE(message->write(bytes_of("part")) == errc::none);
    }
    while (f.out->queued_frames() < 3) REQUIRE(f.out->send_text("queued") == errc::none);
    const int seen = f.scheduled;
    make_the_end(f, how, 100ms);
    // Without a cork the hook was called already, unless a frame stands: then this is an event of its own.
    CHECK(f.scheduled == seen + (by.corked || by.begun ? 1 : 0));
    const auto took = run_loop(*f.out, f.scheduled, f.scheduled - 1);
    CHECK(took <= (by.taken || how == end::disconnect ? 0ms : 100ms));
    REQUIRE(f.reports.size() == 1);
    CHECK(f.wire.finishes() == 1);
    CHECK(f.parsed().error == "");
    if (how == end::close && by.taken) CHECK(f.payloads(8).size() == 1);
}

} // namespace

TEMPLATE_TEST_CASE("every end is bounded, whatever holds the writer", "[write][single_writer]", server,
                   client) {
    for (const end how : all_ends) {
        for (unsigned bits = 0; bits != 16; ++bits) {
            const hold by{(bits & 1U) != 0, (bits & 2U) != 0, (bits & 4U) != 0, (bits & 8U) != 0};
            INFO("end " << static_cast<int>(how) << ", taken " << by.taken << ", corked " << by.corked
                        << ", begun " << by.begun << ", in a message " << by.in_message);
            end_held<TestType>(how, by);
        }
    }
}

TEST_CASE("while the gate is shut every end is bounded, and the acknowledgement leads",
          "[write][single_writer]") {
    struct gated {
        struct hook {
            gated* self;
            void operator()() const { ++self->scheduled; }
        };
        using writer_type =
            wsolo::single_writer<wsolo::testing::scripted_transport, hook, server, recorder, manual_traits>;
        gated() {
            out.emplace(wsolo::born_gated, wsolo::testing::scripted_transport(wire), hook{this},
                        three_frames(), server{}, recorder{&told});
        }
        wsolo::testing::scripted_wire wire;
        heard told;
        int scheduled = 0;
        std::optional<writer_type> out;
    };
    for (const end how : all_ends) {
        for (const bool taken : {false, true}) {
            for (const bool acknowledged : {false, true}) {
                for (const bool corked : {false, true}) {
                    INFO("end " << static_cast<int>(how) << ", taken " << taken << ", acknowledged "
                                << acknowledged);
                    gated g;
                    if (!taken) g.wire.rule(stands);
                    wsolo::init_gate gate(*g.out);
                    std::optional<wsolo::cork<gated::writer_type>> cork;
                    if (corked) cork.emplace(g.out->corked());
                    if (acknowledged) REQUIRE(gate.acknowledge(bytes_of("ack")) == errc::none);
                    for (int i = 0; i < 3; ++i) REQUIRE(g.out->send_text("queued") == errc::none);
                    CHECK(g.scheduled == 0);
                    make_the_end(g, how, 100ms);
                    CHECK(g.scheduled == 1); // the loop learns of it
                    const auto took = run_loop(*g.out, g.scheduled, 0);
                    CHECK(took <= 100ms);
                    if (how != end::close && taken) CHECK(took == 0ms); // an abort does not wait for the gate
                    CHECK(g.wire.bytes() == (acknowledged && taken ? "ack" : ""));
                    REQUIRE(g.told.reports.size() == 1);
                    gate.open(); // too late
                    CHECK(g.scheduled == 1);
                }
            }
        }
    }
}

TEST_CASE("a writer is destroyed at once, whatever holds it", "[write][single_writer]") {
    for (const bool corked : {false, true}) {
        for (const bool begun : {false, true}) {
            writer_fixture<server> f;
            f.wire.rule(stands);
            if (begun) f.wire.then({io_status::would_block, 3, 0});
            REQUIRE(f.out->send_text("first") == errc::none);
            if (begun) REQUIRE(f.out->pump().status == pump_status::blocked);
            std::optional<wsolo::cork<writer_fixture<server>::writer_type>> cork;
            if (corked) {
                cork.emplace(f.out->corked());
                REQUIRE(f.out->send_text("corked") == errc::none);
                cork.reset();
            }
            const auto before = f.wire.calls().size();
            const auto now = manual_clock::now();
            f.out.reset();
            CHECK(manual_clock::now() == now);
            CHECK(f.wire.calls().size() == before); // it does not write
            REQUIRE(f.reports.size() == 1);
            CHECK(f.reports[0].partial_frame == begun);
            CHECK(f.reports[0].reason == errc::aborted);
        }
    }
}

TEMPLATE_TEST_CASE("disconnect waits for nothing, and heeds every kind of data", "[write][single_writer]",
                   server, client) {
    using fixture = writer_fixture<TestType>;
    const std::string large(3000, 'l');
    std::vector<std::function<errc(fixture&)>> kinds{
        [](fixture& f) { return f.out->send_text("small"); },
        [&](fixture& f) { return f.out->send_binary(bytes_of(large)); }, // above what a block takes
        [&](fixture& f) { return f.out->send_keyed(1, opcode::text, bytes_of("keyed")); },
        [&](fixture& f) { return f.out->send_keyed(1, opcode::binary, bytes_of(large)); },
        [&](fixture& f) { return f.out->send(wsolo::outbound(wsolo::binary{bytes_of(large)})); },
        [&](fixture& f) { return f.out->begin_message(opcode::binary).write(bytes_of("part")); },
        [&](fixture& f) { return f.out->begin_message(opcode::binary).finish(bytes_of(large)); },
    };
    if constexpr (TestType::self == wsolo::role::server) {
        const auto frame = *wsolo::make_shared_frame(opcode::binary, bytes_of(large));
        kinds.push_back([frame](fixture& f) { return f.out->send(frame); });
        kinds.push_back([frame](fixture& f) { return f.out->send(wsolo::raw{frame.bytes()}); });
        kinds.push_back([&](fixture& f) {
            return f.out->send(*wsolo::make_frame<wsolo::role::server>(opcode::binary, bytes_of(large)));
        });
    }
    for (std::size_t kind = 0; kind != kinds.size(); ++kind) {
        for (const bool begun : {false, true}) {
            INFO("kind " << kind << ", begun " << begun);
            fixture f(three_frames());
            f.wire.rule(stands);
            f.wire.then({io_status::would_block, begun ? 3U : 0U, 0});
            for (int i = 0; i < 3; ++i) REQUIRE(f.out->send_text("full") == errc::none);
            REQUIRE(f.out->pump().status == pump_status::blocked);
            const int scheduled = f.scheduled;
            CHECK(kinds[kind](f) == errc::queue_full);
            CHECK(f.scheduled == scheduled + 1);
            CHECK(f.out->pump().status == pump_status::finished); // the clock stands
            CHECK(f.out->report().reason == errc::queue_full);
            CHECK(f.out->report().partial_frame == begun);
            CHECK(f.out->report().frames_dropped == 3);
        }
    }
}

TEMPLATE_TEST_CASE("a close does not give a dead peer more time than the write that stands has",
                   "[write][single_writer]", server, client) {
    wsolo::writer_options options;
    options.timeouts.write = 2s;
    writer_fixture<TestType> f(options);
    f.wire.rule(stands);
    f.wire.then({io_status::would_block, 3, 0});
    REQUIRE(f.out->send_text("stuck") == errc::none);
    REQUIRE(f.out->pump().status == pump_status::blocked);
    const auto start = manual_clock::now();
    manual_clock::advance(1s);
    REQUIRE(f.out->close(wsolo::close_code::normal, "", 1h) == errc::none);
    CHECK(f.out->pump().deadline == start + 2s);
    manual_clock::advance(1s);
    CHECK(f.out->pump().status == pump_status::finished);
    CHECK(f.out->report().reason == errc::write_timed_out);
    CHECK(f.out->report().deadline_hit);
}

TEST_CASE("a Close's reason that is too long is cut at a code point, and closes", "[write][single_writer]") {
    writer_fixture<server> f;
    std::string reason;
    while (reason.size() < 200) reason += "\xc3\xa4"; // two bytes each
    REQUIRE(f.out->close(wsolo::close_code::going_away, reason) == errc::none);
    CHECK(f.pump_all() == pump_status::finished);
    const auto bodies = f.payloads(8);
    REQUIRE(bodies.size() == 1);
    CHECK(bodies[0].substr(2) == reason.substr(0, 122)); // 123 would cut a character
    CHECK(f.out->close(wsolo::close_code(1005)) != errc::none);
}

TEST_CASE("a hook that refuses while a frame stands half written ends the writer at once",
          "[write][single_writer]") {
    writer_fixture<server> f;
    f.wire.rule(stands);
    f.wire.then({io_status::would_block, 3, 0});
    REQUIRE(f.out->send_text("begun") == errc::none);
    REQUIRE(f.out->pump().status == pump_status::blocked);
    f.refuse = true;
    REQUIRE(f.out->close(wsolo::close_code::normal, "", 1h) == errc::none); // accepted, and accounted for:
    CHECK(f.out->is_finished());
    CHECK(f.out->report().reason == errc::schedule_refused);
    CHECK(f.out->report().partial_frame);
    CHECK(f.out->report().frames_dropped == 2);
}

TEST_CASE("half a message before a Close is no clean end", "[write][single_writer]") {
    for (const bool begun : {false, true}) {
        writer_fixture<server> f;
        auto message = f.out->begin_message(opcode::text);
        if (begun) REQUIRE(message.write(bytes_of("half")) == errc::none);
        REQUIRE(f.out->close(wsolo::close_code::normal) == errc::none);
        CHECK(f.pump_all() == pump_status::finished);
        CHECK(f.parsed().error == "");
        CHECK(f.out->report().reason == (begun ? errc::message_unfinished : errc::none));
        CHECK(f.wire.finished_as() == wsolo::end_of_write::drained); // a Close was the last thing written
        CHECK(message.write(bytes_of("more")) == errc::closed);
    }
}
