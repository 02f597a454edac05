// Would catch: something of the writer, or of what it carries, that is touched after user code could have ended or changed
// it; a stack that grows with every outcome that sends.

#include <support/writer_fixture.hpp>

#include <wsolo/testing/completing_transport.hpp>

#include <memory>
#include <thread>

using wsolo::bytes_of;
using wsolo::opcode;

TEST_CASE("outcomes that send, chained, take no stack", "[write][single_writer]") {
    struct chain {
        std::function<errc(wsolo::on_outcome)> send;
        int left = 100'000;
        std::uintptr_t lowest = UINTPTR_MAX, highest = 0;
        static void next(void* context, errc) noexcept {
            auto* self = static_cast<chain*>(context);
            const auto here = reinterpret_cast<std::uintptr_t>(&context);
            self->lowest = std::min(self->lowest, here);
            self->highest = std::max(self->highest, here);
            if (--self->left > 0) static_cast<void>(self->send({&next, context}));
        }
    };
    const auto run = [](auto& out) {
        chain c;
        c.send = [&](wsolo::on_outcome done) { return out.send_text("x", done); };
        REQUIRE(c.send({&chain::next, &c}) == errc::none);
        while (c.left > 0) static_cast<void>(out.pump());
        CHECK(c.highest - c.lowest < 16 * 1024);
    };
    wsolo::writer_options options;
    options.pump_frames = 0;
    options.pump_quantum = 0;
    wsolo::testing::scripted_wire wire;
    wsolo::single_writer direct{wsolo::testing::scripted_transport(wire), wsolo::inline_drive{[] {}},
                                options};
    run(direct);
    wsolo::single_writer deferred{wsolo::testing::scripted_transport(wire), [] {}, options};
    run(deferred);
    wsolo::testing::completing_wire completing; // each write ends inside of its start
    completing.at_once(true);
    wsolo::single_writer at_once{wsolo::testing::completing_transport(completing), wsolo::inline_drive{[] {}},
                                 options};
    run(at_once);
}

TEST_CASE("what gives way to what it sent itself ends soon, and is refused", "[write][single_writer]") {
    wsolo::writer_options options;
    options.limits.max_frames = 1;
    options.limits.when_full = wsolo::overflow::drop_oldest;
    writer_fixture<server> f(options);
    struct chain {
        writer_fixture<server>* f;
        int told = 0, refused = 0;
        static void next(void* context, errc how) noexcept {
            auto* self = static_cast<chain*>(context);
            if (how != errc::dropped_oldest) return;
            ++self->told;
            self->refused += self->f->out->send_text("again", {&next, context}) == errc::queue_full;
        }
    } c{&f};
    REQUIRE(f.out->send_text("first", {&chain::next, &c}) == errc::none);
    REQUIRE(f.out->send_text("newer", {&chain::next, &c}) == errc::none);
    CHECK(c.told > 1);
    CHECK(c.told < 20);
    CHECK(c.refused == 1);
    REQUIRE(f.pump_all() == pump_status::idle);
    CHECK(f.out->send_text("later") == errc::none); // it is as good as new
}

TEST_CASE("a writer may be ended by the thread that its hook woke, before that hook has returned",
          "[write][single_writer]") { // a late touch: ASan's, TSan's
    struct quick_hook {
        std::atomic<bool>* asked;
        std::atomic<bool>* destroyed;
        bool* waits;
        void operator()() const {
            const bool is_pumps = *waits;                  // the first call is the send's
            const std::atomic<bool>& is_gone = *destroyed; // the hook goes with the writer
            *asked = true;
            while (is_pumps && !is_gone) std::this_thread::yield();
        }
    };
    for (int round = 0; round < 20; ++round) {
        std::atomic<bool> asked{false}, destroyed{false};
        bool waits = false;
        wsolo::testing::scripted_wire wire;
        wsolo::writer_options options;
        options.pump_frames = 1;
        using writer = wsolo::single_writer<wsolo::testing::scripted_transport, quick_hook>;
        auto out = std::make_unique<writer>(wsolo::testing::scripted_transport(wire),
                                            quick_hook{&asked, &destroyed, &waits}, options);
        REQUIRE(out->send_text("one") == errc::none);
        wire.before_write([&, first = true]() mutable {
            if (std::exchange(first, false)) static_cast<void>(out->close(wsolo::close_code::normal));
        });
        asked = false;
        waits = true;
        std::thread other([&] {
            while (!asked) std::this_thread::yield();
            auto left = wsolo::pump_result{};
            do left = out->pump();
            while (left.status != pump_status::finished && left.status != pump_status::idle);
            out.reset();
            destroyed = true;
        });
        writer& mine = *out;
        CHECK(mine.pump().status == pump_status::more);
        other.join();
    }
}

TEST_CASE("what gave way is the sender's own, though another thread pumps while its outcome is told",
          "[write][single_writer]") { // memory that the pump gives back: ASan's
    for (const bool by_thread : {false, true}) {
        wsolo::writer_options options;
        options.limits.max_bytes = 2500;
        options.limits.when_full = wsolo::overflow::drop_oldest;
        writer_fixture<server> f(options);
        struct state {
            writer_fixture<server>* f;
            bool by_thread;
            bool pumped = false;
        } s{&f, by_thread};
        const wsolo::on_outcome pump{[](void* context, errc) noexcept {
                                         auto* self = static_cast<state*>(context);
                                         if (std::exchange(self->pumped, true)) return;
                                         const auto run = [self] { static_cast<void>(self->f->out->pump()); };
                                         if (self->by_thread)
                                             std::thread(run).join();
                                         else
                                             run();
                                     },
                                     &s};
        for (int i = 0; i < 8; ++i) {
            REQUIRE(f.out->send_text("told", pump) == errc::none);
            REQUIRE(f.out->send_text("untold") == errc::none);
        }
        REQUIRE(f.out->send_text(std::string(1900, 'D')) == errc::none);
        CHECK(s.pumped);
        f.out->abort();
        CHECK(f.pump_all() == pump_status::finished);
    }
}

TEST_CASE("an outcome's next part follows its message, also where the outcome comes inside of write()",
          "[write][single_writer]") {
    const auto play = [](auto& out, auto pump, const auto& wire) {
        struct state {
            wsolo::fragmented_message<std::remove_reference_t<decltype(out)>> message;
            errc second = errc::timed_out;
        } s{out.begin_message(opcode::text)};
        REQUIRE(s.message.write(bytes_of("one"), {[](void* context, errc) noexcept {
                                                      auto* self = static_cast<state*>(context);
                                                      self->second = self->message.write(bytes_of("two"));
                                                  },
                                                  &s}) == errc::none);
        pump();
        CHECK(s.second == errc::none);
        CHECK(s.message.finish(bytes_of("three")) == errc::none);
        pump();
        const auto parsed = strict::parse(wire.bytes(), false);
        CHECK(parsed.error == "");
        CHECK(parsed.frames.size() == 3);
    };
    writer_fixture<server> f;
    play(*f.out, [&] { f.pump_all(); }, f.wire);
    wsolo::testing::scripted_wire wire;
    wsolo::single_writer direct{wsolo::testing::scripted_transport(wire), wsolo::inline_drive{[] {}}};
    play(direct, [] {}, wire);
}

TEST_CASE("a part's outcome may write the next part in another thread",
          "[write][single_writer]") { // a race: TSan's
    wsolo::testing::scripted_wire wire;
    using writer = wsolo::single_writer<wsolo::testing::scripted_transport, void (*)()>;
    writer out{wsolo::testing::scripted_transport(wire), +[] {}};
    std::atomic<bool> over{false};
    std::thread loop([&] {
        while (!over) static_cast<void>(out.pump());
    });
    for (int i = 0; i < 150; ++i) {
        struct state {
            wsolo::fragmented_message<writer> message;
            std::atomic<bool> told{false};
        } s{out.begin_message(opcode::text)};
        REQUIRE(s.message.write(bytes_of("one"), {[](void* context, errc how) noexcept {
                                                      auto* self = static_cast<state*>(context);
                                                      if (how == errc::none)
                                                          static_cast<void>(
                                                              self->message.write(bytes_of("two")));
                                                      self->told = true;
                                                  },
                                                  &s}) == errc::none);
        while (!s.told) std::this_thread::yield();
        REQUIRE(s.message.finish() == errc::none);
    }
    over = true;
    loop.join();
    while (out.pump().status != pump_status::idle) {}
    const auto parsed = strict::parse(wire.bytes(), false);
    CHECK(parsed.error == "");
    CHECK(parsed.frames.size() == 450);
}
