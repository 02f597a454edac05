// Would catch: room that comes without a grant (a smaller value of the same key, older data that gave way, a message's
// end, a sender that gave up), a grant for bytes where frames were short, a newcomer that overtakes who waits.

#include <support/writer_fixture.hpp>

using wsolo::bytes_of;
using wsolo::opcode;

namespace {

using access = wsolo::detail::writer_access;

/// A sender that waits for room, without a thread: it notes that it was woken.
struct sleeper : wsolo::detail::room_waiter {
    sleeper() noexcept {
        wake = [](room_waiter& self) noexcept { ++static_cast<sleeper&>(self).woken; };
    }
    int woken = 0;
};

template <class Fixture>
errc push(Fixture& f, std::size_t size, sleeper& by) {
    return access::send(*f.out, opcode::text, bytes_of(std::string(size, 'w')), {}, &by);
}

wsolo::writer_options bounds(std::size_t bytes, std::uint32_t frames = 0,
                             wsolo::overflow when_full = wsolo::overflow::reject) {
    wsolo::writer_options options;
    options.limits.max_bytes = bytes;
    options.limits.max_frames = frames;
    options.limits.when_full = when_full;
    return options;
}

constexpr auto stands = [] { return wsolo::testing::scripted_step{io_status::would_block, 0, 0}; };

} // namespace

TEMPLATE_TEST_CASE("a smaller value of the same key makes room for a sender that waits", "[write][wait]",
                   server, client) {
    writer_fixture<TestType> f(bounds(4000));
    f.wire.rule(stands);
    const auto put = [&](std::size_t size) {
        return f.out->send_keyed(1, opcode::text, bytes_of(std::string(size, 'k')));
    };
    sleeper waiting;
    REQUIRE(f.out->send_text(std::string(600, 'f')) == errc::none);
    REQUIRE(f.out->pump().status == pump_status::blocked);
    REQUIRE(put(2500) == errc::none);
    REQUIRE(push(f, 1500, waiting) == errc::queue_full);
    REQUIRE(put(10) == errc::none); // it brings its own room
    CHECK(waiting.woken == 1);
    CHECK(push(f, 1500, waiting) == errc::none);
}

TEMPLATE_TEST_CASE("a value that needs more room than its older one brings waits its turn", "[write][wait]",
                   server, client) {
    writer_fixture<TestType> f(bounds(4000));
    f.wire.rule(stands);
    const auto put = [&](std::size_t size) {
        return f.out->send_keyed(1, opcode::text, bytes_of(std::string(size, 'k')));
    };
    sleeper waiting;
    REQUIRE(put(100) == errc::none);
    REQUIRE(f.out->send_text(std::string(600, 'f')) == errc::none);
    REQUIRE(push(f, 3500, waiting) == errc::queue_full);
    CHECK(put(200) == errc::queue_full);
    CHECK(put(100) == errc::none);
    CHECK(waiting.woken == 0);
}

TEMPLATE_TEST_CASE("what gave way may leave room for more than the one it gave way to", "[write][wait]",
                   server, client) {
    writer_fixture<TestType> f(bounds(4000, 0, wsolo::overflow::drop_oldest));
    f.wire.rule(stands);
    auto message = f.out->begin_message(opcode::binary);
    REQUIRE(message.write(bytes_of(std::string(2100, 'p'))) == errc::none); // parts don't give way
    REQUIRE(f.out->pump().status == pump_status::blocked);
    REQUIRE(message.write(bytes_of(std::string(1200, 'p'))) == errc::none);
    sleeper waiting;
    REQUIRE(push(f, 500, waiting) == errc::queue_full);
    CHECK(waiting.woken == 0);
    f.wire.rule({});
    REQUIRE(f.out->pump().status == pump_status::idle);
    CHECK(waiting.woken == 1);
    CHECK(push(f, 500, waiting) == errc::none);
}

TEMPLATE_TEST_CASE("the end of a message makes room for a sender that waits, however it ends",
                   "[write][wait]", server, client) {
    for (const int end : {0, 1, 2}) {
        INFO("end " << end);
        writer_fixture<TestType> f(bounds(4000));
        sleeper waiting;
        {
            auto message = f.out->begin_message(opcode::binary);
            message.if_destroyed(wsolo::unfinished::truncate);
            if (end != 0) REQUIRE(message.write(bytes_of("part")) == errc::none);
            REQUIRE(push(f, 2500, waiting) == errc::queue_full); // more than the half
            REQUIRE(f.out->pump().status == pump_status::idle);
            CHECK(waiting.woken == 0);
            if (end == 1) REQUIRE(message.finish() == errc::none);
        }
        CHECK(waiting.woken == 1);
        CHECK(push(f, 2500, waiting) == errc::none);
        CHECK(f.pump_all() == pump_status::idle);
        CHECK(f.out->queued_bytes() == 0);
    }
}

TEMPLATE_TEST_CASE("a sender that waits for a frame is not woken by bytes, and the other way round",
                   "[write][wait]", server, client) {
    const std::size_t head = wsolo::encoded_size<TestType::self>(0);
    {
        writer_fixture<TestType> f(bounds(0, 2));
        f.wire.rule(stands);
        f.wire.then({io_status::would_block, head + 99, 0}).then({io_status::would_block, 1, 0});
        sleeper waiting;
        REQUIRE(f.out->send_text(std::string(100, 'a')) == errc::none);
        REQUIRE(f.out->send_text(std::string(100, 'b')) == errc::none);
        REQUIRE(push(f, 0, waiting) == errc::queue_full);
        REQUIRE(f.out->pump().status == pump_status::blocked); // all but a byte of the first
        CHECK(waiting.woken == 0);
        REQUIRE(f.out->pump().status == pump_status::blocked);
        CHECK(waiting.woken == 1);
        CHECK(push(f, 0, waiting) == errc::none);
    }
    writer_fixture<TestType> f(bounds(1000, 100));
    f.wire.rule(stands);
    f.wire.then({io_status::would_block, head, 0}).then({io_status::would_block, 700, 0});
    sleeper waiting;
    REQUIRE(f.out->send_text({}) == errc::none);
    REQUIRE(f.out->send_text(std::string(350, 'b')) == errc::none);
    REQUIRE(f.out->send_text(std::string(350, 'b')) == errc::none);
    REQUIRE(push(f, 600, waiting) == errc::queue_full);
    REQUIRE(f.out->pump().status == pump_status::blocked); // a frame left, but few bytes
    CHECK(waiting.woken == 0);
    REQUIRE(f.out->pump().status == pump_status::blocked);
    CHECK(waiting.woken == 1);
}

TEMPLATE_TEST_CASE("no kind of newcomer overtakes a sender that waits; control and marks pass",
                   "[write][wait]", server, client) {
    writer_fixture<TestType> f(bounds(4000));
    f.wire.rule(stands);
    sleeper first, second;
    REQUIRE(f.out->send_text(std::string(2000, 'f')) == errc::none);
    REQUIRE(push(f, 3000, first) == errc::queue_full);
    CHECK(f.out->send_text("x") == errc::queue_full);
    CHECK(f.out->send_binary(bytes_of(std::string(500, 'x'))) == errc::queue_full);
    CHECK(f.out->send_keyed(1, opcode::text, bytes_of("x")) == errc::queue_full);
    CHECK(f.out->send(wsolo::outbound(wsolo::text{"x"})) == errc::queue_full);
    if constexpr (TestType::self == wsolo::role::server) {
        for (const std::size_t size : {std::size_t{10}, std::size_t{600}}) {
            const auto shared = *wsolo::make_shared_frame(opcode::text, bytes_of(std::string(size, 's')));
            CHECK(f.out->send(shared) == errc::queue_full);
            CHECK(f.out->send(wsolo::raw{shared.bytes()}) == errc::queue_full);
        }
        auto owned = *wsolo::make_frame<wsolo::role::server>(opcode::text, bytes_of("owned"));
        CHECK(f.out->send(std::move(owned)) == errc::queue_full);
        CHECK(wsolo::text_of(owned.bytes()) == "\x81\x05owned"); // still the caller's
    }
    CHECK(push(f, 10, second) == errc::queue_full);
    CHECK(f.out->send_text(std::string(5000, 'x')) == errc::too_large); // never is never
    outcome_log log;
    CHECK(f.out->send(f.pong("p")) == errc::none);
    CHECK(f.out->send_ping() == errc::none);
    CHECK(f.out->flush(log.next()) == errc::none);
    auto message = f.out->begin_message(opcode::binary); // its parts don't wait for who waits for its end
    CHECK(message.write(bytes_of("part")) == errc::none);
    CHECK(message.finish() == errc::none);
    f.wire.rule({});
    static_cast<void>(f.out->pump());
    CHECK(first.woken == 1);
    CHECK(second.woken == 1);
    CHECK(f.out->send_text(std::string(900, 'x')) == errc::queue_full); // what was granted is reserved
    CHECK(push(f, 10, second) == errc::none);
    CHECK(push(f, 3000, first) == errc::none);
    CHECK(f.pump_all() == pump_status::idle);
    CHECK(f.out->queued_bytes() == 0);
}

TEMPLATE_TEST_CASE("the end of the writer ends every wait", "[write][wait]", server, client) {
    for (const bool closes : {true, false}) {
        writer_fixture<TestType> f(bounds(0, 1));
        sleeper first, second;
        REQUIRE(f.out->send_text("full") == errc::none);
        REQUIRE(push(f, 1, first) == errc::queue_full);
        REQUIRE(push(f, 1, second) == errc::queue_full);
        if (closes)
            REQUIRE(f.out->close(wsolo::close_code::normal) == errc::none);
        else
            f.out->abort();
        REQUIRE(f.pump_all() == pump_status::finished);
        CHECK(first.woken == 1);
        CHECK(second.woken == 1);
        CHECK(push(f, 1, first) == errc::closed);
    }
}
