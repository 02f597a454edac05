// Would catch: an end that no thread makes because the hook refused when the turn was free, a Close that drops data for a
// message that never began, outcomes that keep a pump for ever, an item that waits for more than there can ever be,
// senders that swap places, a stop token that throws and leaves a node in the queue.

#include <support/writer_fixture.hpp>

#include <wsolo/write/init_gate.hpp>
#include <wsolo/write/wait.hpp>

#include <stdexcept>

using wsolo::bytes_of;
using wsolo::opcode;

namespace {

using access = wsolo::detail::writer_access;

/// What a sender that waits links, without a thread to sleep.
struct sleeper : wsolo::detail::room_waiter {
    int woken = 0;
    sleeper() {
        wake = [](wsolo::detail::room_waiter& self) noexcept { ++static_cast<sleeper&>(self).woken; };
    }
};

wsolo::testing::scripted_step stands() { return {io_status::would_block, 0, 0}; }

} // namespace

TEMPLATE_TEST_CASE(
    "frames whose outcome sends them again, shared ones too, give way to each other for a while",
    "[write][single_writer]", server) {
    wsolo::writer_options options;
    options.limits.max_frames = 1;
    options.limits.when_full = wsolo::overflow::drop_oldest;
    writer_fixture<TestType> f(options);
    struct chain {
        writer_fixture<TestType>* f;
        wsolo::shared_frame frame;
        int told = 0;
        static void next(void* context, errc how) noexcept {
            auto* self = static_cast<chain*>(context);
            if (how != errc::dropped_oldest) return;
            ++self->told;
            static_cast<void>(self->f->out->send(self->frame, {&next, context}));
        }
    } c{&f, *wsolo::make_shared_frame(opcode::binary, bytes_of(std::string(600, 's')))};
    REQUIRE(f.out->send(c.frame, {&chain::next, &c}) == errc::none);
    REQUIRE(f.out->send(c.frame, {&chain::next, &c}) == errc::none);
    CHECK(c.told > 1);
    CHECK(c.told < 20);
}

TEST_CASE("a hook that refuses makes the end also where another pump had written all",
          "[write][single_writer]") {
    wsolo::testing::scripted_wire wire;
    heard told;
    struct hook {
        std::function<void()>* before;
        bool operator()() const {
            (*before)();
            return false;
        }
    };
    std::function<void()> before = [] {};
    wsolo::single_writer<wsolo::testing::scripted_transport, hook, server, recorder, manual_traits> out(
        wsolo::testing::scripted_transport(wire), hook{&before}, {}, {}, recorder{&told});
    before = [&out, first = true]() mutable {
        if (std::exchange(first, false)) static_cast<void>(out.pump()); // "a pump() too many is harmless"
    };
    REQUIRE(out.send_text("x") == errc::none);
    CHECK(out.pump().status == pump_status::finished);
    REQUIRE(told.reports.size() == 1);
    CHECK(told.reports[0].reason == errc::schedule_refused);
}

TEMPLATE_TEST_CASE("a message of which nothing was sent holds nothing back from a Close",
                   "[write][single_writer]", server, client) {
    const bool after_a_run = GENERATE(false, true); // which the Close would have joined
    writer_fixture<TestType> f;
    std::vector<std::string> expected{"before the Close"};
    if (after_a_run) {
        REQUIRE(f.out->send_text("plain") == errc::none);
        expected.insert(expected.begin(), "plain");
    }
    {
        auto message = f.out->begin_message(opcode::text);
        REQUIRE(f.out->send_text("before the Close") == errc::none);
        REQUIRE(f.out->close(wsolo::close_code::normal) == errc::none);
        CHECK(message.write(bytes_of("too late")) == errc::closed);
    }
    REQUIRE(f.pump_all() == pump_status::finished);
    CHECK(f.payloads(1) == expected);
    CHECK(f.parsed().frames.back().opcode == 8);
    CHECK(f.reports.at(0).reason == errc::none);
    CHECK(f.reports.at(0).frames_dropped == 0);
}

TEST_CASE("a flush whose outcome flushes again does not keep a pump", "[write][single_writer]") {
    wsolo::writer_options options;
    options.pump_frames = 10;
    writer_fixture<server> f(options);
    struct chain {
        writer_fixture<server>* f;
        int told = 0;
        static void next(void* context, errc) noexcept {
            auto* self = static_cast<chain*>(context);
            if (++self->told < 1000) static_cast<void>(self->f->out->flush({&next, context}));
        }
    } c{&f};
    REQUIRE(f.out->flush({&chain::next, &c}) == errc::none);
    CHECK(f.out->pump().status == pump_status::more);
    CHECK(c.told < 50);
    CHECK(f.scheduled == 2);
    REQUIRE(f.pump_all() == pump_status::idle);
    CHECK(c.told == 1000);
}

TEMPLATE_TEST_CASE("what fits only beside others' entry does not wait for ever for one of its own",
                   "[write][single_writer]", server, client) {
    writer_fixture<TestType> f;
    const std::size_t size = wsolo::encoded_size<TestType::self>(100);
    wsolo::writer_options options; // a frame fits, but not with an entry and another one before it
    options.limits.max_bytes = size + wsolo::frame_overhead + wsolo::entry_overhead;
    f.make(options);
    f.wire.rule(stands);
    REQUIRE(f.out->send_text("") == errc::none);
    sleeper first, second;
    const std::string payload(100, 'p');
    REQUIRE(access::send(*f.out, opcode::text, bytes_of(payload), {}, &first) == errc::queue_full);
    REQUIRE(access::send(*f.out, opcode::text, bytes_of("s"), {}, &second) == errc::queue_full);
    f.wire.rule([] { return wsolo::testing::scripted_step{}; });
    REQUIRE(f.pump_all() == pump_status::idle);
    CHECK(first.woken == 1);
    CHECK(access::send(*f.out, opcode::text, bytes_of(payload), {}, &first) == errc::none);
    REQUIRE(f.pump_all() == pump_status::idle);
    CHECK(second.woken == 1);
    CHECK(access::send(*f.out, opcode::text, bytes_of("s"), {}, &second) == errc::none);
}

TEST_CASE("senders that wait again wait in the order in which they came", "[write][single_writer]") {
    wsolo::detail::room_queue waiting;
    std::vector<sleeper> all(5);
    for (std::uint32_t i = 0; i < all.size(); ++i)
        all[i].number = 0xffff'fffe + i; // the count goes on past its end
    for (const std::size_t at : {4U, 1U, 0U, 3U, 2U}) waiting.insert(all[at]);
    for (sleeper& next : all) CHECK(&waiting.pop() == &next);
    CHECK(waiting.empty());
}

TEST_CASE("a shut gate's deadline has the loop look", "[write][single_writer]") {
    wsolo::testing::scripted_wire wire;
    int asked = 0;
    const auto hook = [&asked] { ++asked; };
    wsolo::single_writer<wsolo::testing::scripted_transport, decltype(hook), server, wsolo::no_observer,
                         manual_traits>
        out(wsolo::born_gated, wsolo::testing::scripted_transport(wire), hook);
    wsolo::init_gate gate(out);
    REQUIRE(gate.set_deadline(manual_clock::now() + 5s) == errc::none);
    CHECK(asked == 1);
    CHECK(out.pump().deadline == manual_clock::now() + 5s);
}

TEST_CASE("a handshake's answer is bounded", "[write][single_writer]") {
    wsolo::testing::scripted_wire wire;
    wsolo::single_writer<wsolo::testing::scripted_transport, void (*)(), server, wsolo::no_observer,
                         manual_traits>
        out(wsolo::born_gated, wsolo::testing::scripted_transport(wire), +[] {});
    wsolo::init_gate gate(out);
    const std::string part(16 * 1024, 'a');
    for (int i = 0; i < 4; ++i) REQUIRE(gate.acknowledge(bytes_of(part)) == errc::none);
    CHECK(gate.acknowledge(bytes_of("x")) == errc::queue_full);
    gate.open();
    static_cast<void>(out.pump());
    CHECK(wire.bytes().size() == 4 * part.size());
}

#if WSOLO_HAS_EXCEPTIONS
namespace {

/// A stop token whose registration throws.
struct throwing_token {
    template <class Function>
    struct callback_type {
        callback_type(throwing_token, Function) { throw std::runtime_error("registration"); }
    };
    [[nodiscard]] static bool stop_requested() noexcept { return false; }
};

} // namespace

TEST_CASE("a stop token that throws leaves nothing in the queue", "[write][single_writer]") {
    wsolo::writer_options options;
    options.limits.max_frames = 1;
    writer_fixture<server> f(options);
    REQUIRE(f.out->send_text("full") == errc::none);
    CHECK_THROWS(f.out->send_wait(opcode::text, bytes_of("x"), wsolo::no_deadline, throwing_token{}));
    CHECK_THROWS(f.out->flush(wsolo::no_deadline, throwing_token{}));
    REQUIRE(f.pump_all() == pump_status::idle); // tells the mark, and grants to no one
    CHECK(f.out->send_text("next") == errc::none);
    REQUIRE(f.pump_all() == pump_status::idle);
}
#endif
