// Would catch: a write that is judged late by the clock after it, so that a process that slept blames its peer; a
// cancelled write that took everything and counts as failed; a completion that says would_block and counts as progress; a writer that goes and
// frees a large frame that the transport still reads.

#include <support/writer_fixture.hpp>

#include <wsolo/testing/completing_transport.hpp>

TEMPLATE_TEST_CASE("a write is late only when it was tried once more after its time", "[write][deadline]",
                   server, client) {
    for (const bool reads_at_last : {true, false}) {
        writer_fixture<TestType> f;
        f.wire.then({io_status::would_block, std::size_t{reads_at_last ? 1U : 0U}, 0});
        if (!reads_at_last) f.wire.then({io_status::would_block, 0, 0});
        f.wire.before_write([calls = 0]() mutable {
            if (++calls == 1) manual_clock::advance(10min); // the process sleeps
        });
        REQUIRE(f.out->send_text("a") == errc::none);
        CHECK(f.out->pump().status == pump_status::blocked);
        if (reads_at_last) {
            CHECK(f.out->pump().status == pump_status::idle);
            CHECK(f.payloads(1) == std::vector<std::string>{"a"});
        } else {
            const auto woken = f.out->pump();
            CHECK(woken.status == pump_status::blocked);
            f.wire.then({io_status::would_block, 0, 0});
            manual_clock::advance(woken.deadline - manual_clock::now());
            CHECK(f.out->pump().status == pump_status::finished);
            CHECK(f.out->report().reason == errc::write_timed_out);
        }
    }
}

namespace {

struct completing {
    struct hook {
        int* calls;
        void operator()() const { ++*calls; }
    };
    int scheduled = 0;
    wsolo::testing::completing_wire wire;
    wsolo::single_writer<wsolo::testing::completing_transport, hook, server, wsolo::no_observer,
                         manual_traits>
        out{wsolo::testing::completing_transport(wire), hook{&scheduled}};
};

} // namespace

TEST_CASE("a cancelled write that took everything has not failed", "[write][completion]") {
    completing f;
    REQUIRE(f.out.send_text("a") == errc::none);
    REQUIRE(f.out.pump().status == pump_status::blocked);
    manual_clock::advance(wsolo::writer_options{}.timeouts.write);
    CHECK(f.out.pump().deadline == wsolo::no_deadline); // it was cancelled, and its end is waited for
    CHECK(f.wire.cancels() == 1);
    f.wire.end(io_status::ok, 3);
    CHECK(f.out.pump().status == pump_status::idle);
    CHECK(f.out.report().frames_written == 1);
}

TEST_CASE("a completion that would block has failed", "[write][completion]") {
    completing f;
    REQUIRE(f.out.send_text("a") == errc::none);
    REQUIRE(f.out.pump().status == pump_status::blocked);
    f.wire.end(io_status::would_block, 1);
    CHECK(f.out.pump().status == pump_status::finished);
    CHECK(f.out.report().reason == errc::write_failed);
    CHECK(f.out.report().partial_frame);
}

TEST_CASE("a writer that goes leaves the transport a large frame as it was", "[write][completion]") {
    wsolo::testing::completing_wire wire;
    int scheduled = 0;
    const std::string payload(3000, 'a');
    wsolo::writer_options options;
    options.limits.max_bytes = 8000; // so small that the frame's memory is not kept for another
    {
        decltype(completing::out) out(wsolo::testing::completing_transport(wire),
                                      completing::hook{&scheduled}, options);
        REQUIRE(out.send_text(payload) == errc::none);
        REQUIRE(out.pump().status == pump_status::blocked);
    }
    const std::vector<std::string> others(100, std::string(3000, 'z')); // where it was, if it had been freed
    wire.end();
    CHECK(wire.bytes().substr(4) == payload);
}

TEMPLATE_TEST_CASE("a large frame is charged whole until its last byte left", "[write][budget]", server,
                   client) {
    writer_fixture<TestType> f;
    f.wire.then({io_status::would_block, 50'000, 0});
    REQUIRE(f.out->send_text(std::string(100'000, 'a')) == errc::none);
    const std::size_t before = f.out->queued_bytes();
    REQUIRE(f.out->pump().status == pump_status::blocked);
    CHECK(f.out->queued_bytes() == before); // its memory is all there
    REQUIRE(f.out->pump().status == pump_status::idle);
    CHECK(f.out->queued_bytes() == 0);
}
