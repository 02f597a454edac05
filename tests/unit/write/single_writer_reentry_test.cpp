// Would catch: user code that runs before the writer's own state is complete, or something of the writer touched after
// it: every operation from inside of every call that the writer makes, under every drive and policy.

#include <support/writer_fixture.hpp>

#include <wsolo/write/sender.hpp>

#include <wsolo/testing/completing_transport.hpp>

#include <memory>
#include <thread>

using wsolo::bytes_of;
using wsolo::opcode;

namespace {

enum class place { hook, outcome, displaced, high, low, finished, write, end };
constexpr place all_places[] = {place::hook, place::outcome,  place::displaced, place::high,
                                place::low,  place::finished, place::write,     place::end};

/// Where user code comes in: it acts once, at the chosen place.
struct entrance {
    void at(place here) {
        if (here != chosen || !act) return;
        const auto once = std::exchange(act, nullptr);
        once();
        ++acted;
    }
    place chosen = place::hook;
    std::function<void()> act;
    int acted = 0;
};

struct hook {
    entrance* in;
    int* asked;
    void operator()() const {
        ++*asked;
        in->at(place::hook);
    }
};
struct inline_hook : hook {
    static constexpr bool writes_inline = true;
};

struct watcher {
    entrance* in;
    heard* told;
    void on_finished(const wsolo::drain_report& report) const {
        told->reports.push_back(report);
        in->at(place::finished);
    }
    void on_high_water() const { in->at(place::high); }
    void on_low_water() const { in->at(place::low); }
};

struct watched_transport {
    wsolo::testing::scripted_transport wire;
    entrance* in;
    wsolo::io_result write(std::span<const wsolo::const_bytes> parts, wsolo::time_point deadline) {
        in->at(place::write);
        return wire.write(parts, deadline);
    }
    void finish(wsolo::end_of_write why) {
        wire.finish(why);
        in->at(place::end);
    }
};
/// Its writes end when the loop says so, or at once.
struct watched_completing {
    wsolo::testing::completing_transport wire;
    entrance* in;
    void start_write(std::span<const wsolo::const_bytes> parts, wsolo::time_point deadline, wsolo::write_done done) {
        in->at(place::write);
        wire.start_write(parts, deadline, std::move(done));
    }
    void cancel_write() { wire.cancel_write(); }
    void finish(wsolo::end_of_write why) {
        wire.finish(why);
        in->at(place::end);
    }
};

/// Each item's outcome: told once if it was accepted, never if not.
struct item_log {
    struct item {
        entrance* in;
        int told = 0;
        errc how = errc::none;
        errc sent = errc::timed_out;
    };
    template <class Send>
    errc send(Send call, entrance* in) {
        items.push_back({in});
        item& mine = items.back();
        return mine.sent = call(wsolo::on_outcome{[](void* context, errc how) noexcept {
                                                      auto* self = static_cast<item*>(context);
                                                      ++self->told;
                                                      self->how = how;
                                                      const bool is_displaced = how == errc::dropped_oldest ||
                                                                                how == errc::conflated;
                                                      self->in->at(is_displaced ? place::displaced : place::outcome);
                                                  },
                                                  &mine});
    }
    std::deque<item> items;
};

template <class Transport, class Hook>
struct stage {
    static constexpr bool completes = !wsolo::transport<Transport>;
    using wire_type = std::conditional_t<completes, wsolo::testing::completing_wire, wsolo::testing::scripted_wire>;
    using writer = wsolo::single_writer<Transport, Hook, server, watcher, manual_traits>;

    stage(place where, wsolo::overflow policy) {
        wsolo::writer_options options;
        options.limits.max_bytes = 1000;
        options.limits.high_water = 50;
        options.limits.when_full = policy;
        in.chosen = where;
        Hook made;
        made.in = &in;
        made.asked = &asked;
        out.emplace(transport(), made, options, server{}, watcher{&in, &told});
    }
    Transport transport() {
        if constexpr (completes)
            return {wsolo::testing::completing_transport(wire), &in};
        else
            return {wsolo::testing::scripted_transport(wire), &in};
    }

    /// Every kind of data, with an outcome each; keyed and plain, so that something is conflated and something dropped.
    void send_all(bool reenters = false) {
        const std::string middle(120, 'm');
        for (int i = 0; i < 3; ++i) {
            static_cast<void>(log.send([&](auto done) { return out->send_text("text", done); }, &in));
            static_cast<void>(
                log.send([&](auto done) { return out->send_keyed(7, opcode::text, bytes_of(middle), done); }, &in));
            static_cast<void>(log.send([&](auto done) { return out->flush(done); }, &in));
            static_cast<void>(log.send([&](auto done) { return out->send_ping(bytes_of("p"), done); }, &in));
            static_cast<void>(out->send_text("plain"));
            if (reenters) return;
        }
        for (int i = 0; i < 5; ++i)
            static_cast<void>(log.send([&](auto done) { return out->send_binary(bytes_of(middle), done); }, &in));
    }

    void turn_the_loop() {
        for (int i = 0; i < 1000; ++i) {
            const auto status = out->pump().status;
            if constexpr (completes) {
                if (wire.in_flight()) {
                    wire.end(io_status::ok, 37);
                    continue;
                }
            }
            if (status == pump_status::idle || status == pump_status::finished) return;
        }
        FAIL("the loop turns for ever");
    }

    void judge() {
        turn_the_loop();
        static_cast<void>(out->close(wsolo::close_code::normal));
        turn_the_loop();
        REQUIRE(out->finished());
        const auto report = out->report();
        REQUIRE(told.reports.size() == 1);
        CHECK(out->queued_bytes() == 0);
        CHECK(wire.finishes() == 1);
        for (const item_log::item& item : log.items) CHECK(item.told == (item.sent == errc::none ? 1 : 0));
        const strict::stream parsed = strict::parse(wire.bytes(), false);
        CHECK(parsed.error == "");
        CHECK((parsed.rest != 0) == report.partial_frame);
        CHECK(report.frames_written == parsed.frames.size());
        CHECK(report.bytes_written == wire.bytes().size());
        for (std::size_t i = 0; i + 1 < parsed.frames.size(); ++i) CHECK(parsed.frames[i].opcode != 8);
        out.reset();
    }

    wire_type wire;
    entrance in;
    heard told;
    int asked = 0;
    item_log log;
    std::optional<writer> out;
};

template <class Stage>
std::vector<std::pair<const char*, std::function<void(Stage&)>>> operations() {
    return {
        {"send", [](Stage& s) { s.send_all(true); }},
        {"send much", [](Stage& s) { s.send_all(); }},
        {"large", [](Stage& s) { static_cast<void>(s.out->send_binary(bytes_of(std::string(2500, 'l')))); }},
        {"PONG", [](Stage& s) { static_cast<void>(s.out->send(*wsolo::make_pong<wsolo::role::server>({}))); }},
        {"pump", [](Stage& s) { static_cast<void>(s.out->pump()); }},
        {"close", [](Stage& s) { static_cast<void>(s.out->close(wsolo::close_code::going_away)); }},
        {"abort", [](Stage& s) { s.out->abort(); }},
        {"abort at once", [](Stage& s) { s.out->abort(errc::connection_lost, 0ms); }},
        {"message",
         [](Stage& s) {
             auto message = s.out->begin_message(opcode::text);
             static_cast<void>(s.log.send([&](auto done) { return message.write(bytes_of("part"), done); }, &s.in));
             static_cast<void>(s.log.send([&](auto done) { return message.finish({}, done); }, &s.in));
         }},
        {"message given up",
         [](Stage& s) {
             auto message = s.out->begin_message(opcode::text);
             static_cast<void>(message.write(bytes_of("part")));
         }},
        {"cork",
         [](Stage& s) {
             const auto held = s.out->corked();
             s.send_all(true);
         }},
        {"ask",
         [](Stage& s) {
             static_cast<void>(s.out->report());
             static_cast<void>(s.out->finished());
             static_cast<void>(s.out->wants_write());
             static_cast<void>(s.out->queued_bytes());
             static_cast<void>(wsolo::sender(s.out->handle()).send_text("by a sender"));
         }},
        {"wait", [](Stage& s) { CHECK(s.out->flush(wsolo::no_deadline) == errc::would_deadlock); }},
    };
}

template <class Stage>
int everything_from(place where) {
    int acted = 0;
    for (const auto policy : {wsolo::overflow::reject, wsolo::overflow::drop_oldest, wsolo::overflow::disconnect}) {
        for (const auto& [name, call] : operations<Stage>()) {
            for (const bool corked : {false, true}) {
                INFO("place " << static_cast<int>(where) << ", policy " << static_cast<int>(policy) << ", " << name);
                Stage s(where, policy);
                s.in.act = [&s, &call = call] { call(s); };
                {
                    std::optional<wsolo::cork<typename Stage::writer>> held;
                    if (corked) held.emplace(s.out->corked());
                    s.send_all();
                }
                s.judge();
                acted += s.in.acted;
            }
        }
    }
    return acted;
}

} // namespace

TEST_CASE("every operation inside of every call, by a loop's drive", "[write][single_writer]") {
    for (const place where : all_places) CHECK(everything_from<stage<watched_transport, hook>>(where) > 10);
}
TEST_CASE("every operation inside of every call, by an inline drive", "[write][single_writer]") {
    for (const place where : all_places) {
        const int acted = everything_from<stage<watched_transport, inline_hook>>(where);
        if (where != place::hook) CHECK(acted > 10); // its hook is seldom called
    }
}
TEST_CASE("every operation inside of every call, with writes that end later", "[write][single_writer]") {
    for (const place where : all_places) CHECK(everything_from<stage<watched_completing, hook>>(where) > 10);
}

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
    wsolo::single_writer direct{wsolo::testing::scripted_transport(wire), wsolo::inline_drive{[] {}}, options};
    run(direct);
    wsolo::single_writer deferred{wsolo::testing::scripted_transport(wire), [] {}, options};
    run(deferred);
    wsolo::testing::completing_wire completing; // each write ends inside of its start
    completing.at_once(true);
    wsolo::single_writer at_once{wsolo::testing::completing_transport(completing), wsolo::inline_drive{[] {}}, options};
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
            const bool is_pumps = *waits; // the first call is the send's
            *asked = true;
            while (is_pumps && !*destroyed) std::this_thread::yield();
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

TEST_CASE("what gave way is the sender's own, though somebody pumps while its outcome is told",
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

TEST_CASE("a part's outcome may write the next part in another thread", "[write][single_writer]") { // a race: TSan's
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
                                                          static_cast<void>(self->message.write(bytes_of("two")));
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
