// Would catch: user code that runs before the writer's own state is complete, or something of the writer touched after
// it: every operation from inside of every call that the writer makes, under every drive and policy.

#include <support/writer_fixture.hpp>

#include <wsolo/write/sender.hpp>

#include <wsolo/testing/completing_transport.hpp>

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
    void start_write(std::span<const wsolo::const_bytes> parts, wsolo::time_point deadline,
                     wsolo::write_done done) {
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
        return mine.sent =
                   call(wsolo::on_outcome{[](void* context, errc how) noexcept {
                                              auto* self = static_cast<item*>(context);
                                              ++self->told;
                                              self->how = how;
                                              const bool is_displaced =
                                                  how == errc::dropped_oldest || how == errc::conflated;
                                              self->in->at(is_displaced ? place::displaced : place::outcome);
                                          },
                                          &mine});
    }
    std::deque<item> items;
};

template <class Transport, class Hook>
struct stage {
    static constexpr bool completes = !wsolo::transport<Transport>;
    using wire_type =
        std::conditional_t<completes, wsolo::testing::completing_wire, wsolo::testing::scripted_wire>;
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
            static_cast<void>(log.send(
                [&](auto done) { return out->send_keyed(7, opcode::text, bytes_of(middle), done); }, &in));
            static_cast<void>(log.send([&](auto done) { return out->flush(done); }, &in));
            static_cast<void>(log.send([&](auto done) { return out->send_ping(bytes_of("p"), done); }, &in));
            static_cast<void>(out->send_text("plain"));
            if (reenters) return;
        }
        for (int i = 0; i < 5; ++i)
            static_cast<void>(
                log.send([&](auto done) { return out->send_binary(bytes_of(middle), done); }, &in));
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
        REQUIRE(out->is_finished());
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
        {"PONG",
         [](Stage& s) { static_cast<void>(s.out->send(*wsolo::make_pong<wsolo::role::server>({}))); }},
        {"pump", [](Stage& s) { static_cast<void>(s.out->pump()); }},
        {"close", [](Stage& s) { static_cast<void>(s.out->close(wsolo::close_code::going_away)); }},
        {"abort", [](Stage& s) { s.out->abort(); }},
        {"abort at once", [](Stage& s) { s.out->abort(errc::connection_lost, 0ms); }},
        {"message",
         [](Stage& s) {
             auto message = s.out->begin_message(opcode::text);
             static_cast<void>(
                 s.log.send([&](auto done) { return message.write(bytes_of("part"), done); }, &s.in));
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
             static_cast<void>(s.out->is_finished());
             static_cast<void>(s.out->is_pump_owed());
             static_cast<void>(s.out->queued_bytes());
             static_cast<void>(wsolo::sender(s.out->handle()).send_text("by a sender"));
         }},
        {"wait", [](Stage& s) { CHECK(s.out->flush(wsolo::no_deadline) == errc::would_deadlock); }},
    };
}

template <class Stage>
int everything_from(place where) {
    int acted = 0;
    for (const auto policy :
         {wsolo::overflow::reject, wsolo::overflow::drop_oldest, wsolo::overflow::disconnect}) {
        for (const auto& [name, call] : operations<Stage>()) {
            for (const bool corked : {false, true}) {
                INFO("place " << static_cast<int>(where) << ", policy " << static_cast<int>(policy) << ", "
                              << name);
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
