// Would catch: a pong timer that starts when the PING was queued, a peer called dead for bytes that it did
// send (or not called dead at all), a burst of beats after a jump of the clock, beats that drift, a window
// rolled with every beat, a clock of its own, anything due after the close; a download that is cut off because its
// PING lies after it, a peer that is blamed for a process that slept, a round trip of another PING's answer.

#include <support/catch.hpp>

#include <wsolo/session/heartbeat.hpp>

#include <string>
#include <type_traits>

using namespace std::chrono_literals;
using wsolo::heartbeat;
using wsolo::heartbeat_options;
using wsolo::time_point;

static_assert(sizeof(heartbeat) <= 48);
static_assert(sizeof(wsolo::basic_heartbeat<false>) <= 32);
static_assert(std::is_trivially_copyable_v<heartbeat>);
static_assert(std::is_same_v<time_point::clock, std::chrono::steady_clock>);

namespace {

constexpr time_point start{100h};
constexpr time_point at(int second) { return start + std::chrono::seconds(second); }

enum class what { tick, timer, bytes, progress, pong, written, dropped, closing, deaf };

/// Something that happens in that second. `timer`: until then tick() is called whenever it wants to be.
struct event {
    what kind;
    int second;
};

/// What each tick() came to: a letter or several. P: PING, b: beat, r: beat and the window's end, D: dead,
/// '.': no more than a wait.
struct trace {
    char text[128]{};
    std::size_t size = 0;
    constexpr void add(char letter) {
        if (size < sizeof text) text[size++] = letter;
    }
    [[nodiscard]] constexpr std::string_view view() const { return {text, size}; }
};

constexpr void write_down(const wsolo::heartbeat_actions& due, trace& log) {
    if (due.none()) log.add('.');
    if (due.send_ping) log.add('P');
    if (due.send_beat) log.add(due.roll_window ? 'r' : 'b');
    if (due.peer_is_dead) log.add('D');
}

template <std::size_t Count>
constexpr trace play(const heartbeat_options& options, const event (&script)[Count]) {
    heartbeat pulse(options, start);
    trace log;
    for (const event& happens : script) {
        const time_point now = at(happens.second);
        switch (happens.kind) {
        case what::tick: write_down(pulse.tick(now), log); break;
        case what::timer:
            while (pulse.deadline() <= now) write_down(pulse.tick(pulse.deadline()), log);
            break;
        case what::bytes: pulse.on_received(now); break;
        case what::progress: pulse.on_progress(now); break;
        case what::pong: pulse.on_pong(now); break;
        case what::written: pulse.on_ping_written(now); break;
        case what::dropped: pulse.on_ping_dropped(now); break;
        case what::closing: pulse.on_closing(); break;
        case what::deaf: pulse.on_not_listening(); break;
        }
    }
    return log;
}

// The same script at compile time and at run time.
#define CHECK_PLAY(options, expected, ...)                                                                   \
    do {                                                                                                     \
        static constexpr event script[] = {__VA_ARGS__};                                                     \
        static constexpr trace compiled = play(options, script);                                             \
        CHECK(compiled.view() == expected);                                                                  \
        CHECK(play(options, script).view() == expected);                                                     \
    } while (false)

using enum what;

constexpr heartbeat_options usual{.ping_interval = 20s, .pong_timeout = 10s};
constexpr heartbeat_options pongs{.ping_interval = 20s, .pong_timeout = 10s, .pong_only = true};
constexpr heartbeat_options pings{.ping_interval = 20s, .pong_timeout = 0s};
constexpr heartbeat_options off{.ping_interval = 0s, .pong_timeout = 10s};
constexpr heartbeat_options beats{.ping_interval = 0s, .beat_interval = 20s};
constexpr heartbeat_options both{.ping_interval = 20s, .pong_timeout = 10s, .beat_interval = 10s};

} // namespace

TEST_CASE("silence for an interval asks for one PING; any byte puts it off", "[session][heartbeat]") {
    CHECK_PLAY(usual, "..P..", {tick, 0}, {tick, 19}, {tick, 20}, {tick, 21}, {tick, 25});
    CHECK_PLAY(usual, "..P", {bytes, 15}, {tick, 20}, {tick, 34}, {tick, 35});
    CHECK_PLAY(usual, "..P", {pong, 15}, {tick, 20}, {tick, 34}, {tick, 35});
    CHECK_PLAY(off, "...", {tick, 20}, {tick, 2000}, {tick, 200'000});
}

TEST_CASE("the pong timer starts when the PING was written, not when it was asked for",
          "[session][heartbeat]") {
    CHECK_PLAY(usual, "P....D", {tick, 20}, {tick, 30}, {tick, 31}, {tick, 1000}, {written, 1000},
               {tick, 1009}, {tick, 1010});
    CHECK_PLAY(usual, "P.D", {timer, 20}, {written, 25}, {timer, 34}, {timer, 35}, {timer, 2000});
}

TEST_CASE("any byte after the PING is a sign of life, the next PING comes an interval later",
          "[session][heartbeat]") {
    CHECK_PLAY(usual, "P..P", {tick, 20}, {written, 20}, {bytes, 29}, {tick, 31}, {tick, 48}, {tick, 49});
    CHECK_PLAY(usual, "P.P", {tick, 20}, {written, 20}, {pong, 29}, {tick, 48}, {tick, 49});
    CHECK_PLAY(usual, "P.D", {tick, 20}, {bytes, 20}, {written, 21}, {tick, 29},
               {tick, 31}); // what came before it proves nothing
}

TEST_CASE("pong_only takes nothing but a PONG for a sign of life", "[session][heartbeat]") {
    CHECK_PLAY(pongs, "P.D", {bytes, 15}, {tick, 20}, {written, 20}, {bytes, 25}, {tick, 29}, {tick, 30});
    CHECK_PLAY(pongs, "P.P", {tick, 20}, {written, 20}, {pong, 25}, {bytes, 40}, {tick, 44}, {tick, 45});
}

TEST_CASE("the peer is called dead once, and nothing follows", "[session][heartbeat]") {
    CHECK_PLAY(both, "PrbD..", {tick, 20}, {written, 20}, {tick, 28}, {tick, 30}, {tick, 30}, {bytes, 31},
               {written, 32}, {tick, 3600});
}

TEST_CASE("without a pong timeout PINGs go on, an interval after each other, and silence is fine",
          "[session][heartbeat]") {
    CHECK_PLAY(pings, "PPP", {timer, 20}, {written, 21}, {timer, 41}, {written, 41}, {timer, 60},
               {timer, 61});
    CHECK_PLAY(pings, "P..P", {tick, 20}, {written, 21}, {tick, 21}, {tick, 40}, {tick, 41});
    heartbeat pulse(pings, start);
    CHECK(pulse.tick(at(20)).send_ping);
    pulse.on_ping_written(at(21));
    CHECK_FALSE(pulse.is_awaiting_pong());
    CHECK(pulse.deadline() == at(41));
}

TEST_CASE("a PING that was dropped is asked for again an interval later", "[session][heartbeat]") {
    CHECK_PLAY(usual, "P.P", {tick, 20}, {dropped, 22}, {tick, 41}, {tick, 42});
    CHECK_PLAY(usual, "P.D", {tick, 20}, {written, 20}, {dropped, 22}, {tick, 29},
               {tick, 30}); // it was written
}

TEST_CASE("a PONG that another thread reports before the PING's writing is not waited for again",
          "[session][heartbeat]") {
    CHECK_PLAY(usual, "P..P", {tick, 20}, {pong, 24}, {written, 23}, {tick, 33}, {tick, 43}, {tick, 44});
    CHECK_PLAY(usual, "P..P", {tick, 20}, {pong, 23}, {written, 23}, {tick, 33}, {tick, 42}, {tick, 43});
    CHECK_PLAY(usual, "P.", {tick, 20}, {written, 20}, {bytes, 30}, {tick, 30}); // at its last instant
    // The application's own, which no tick() asked for.
    CHECK_PLAY(usual, "..P", {pong, 16}, {written, 15}, {tick, 25}, {tick, 35}, {tick, 36});
    CHECK_PLAY(usual, "..P", {pong, 15}, {written, 15}, {tick, 25}, {tick, 34}, {tick, 35});
    CHECK_PLAY(pongs, ".D", {pong, 14}, {written, 15}, {bytes, 16}, {tick, 24},
               {tick, 25}); // an earlier one's
}

TEST_CASE("a PING of the application's own starts the timer, and never extends it", "[session][heartbeat]") {
    CHECK_PLAY(usual, ".D", {written, 5}, {written, 12}, {tick, 14}, {tick, 15});
    CHECK_PLAY(usual, "P.D", {tick, 20}, {written, 20}, {written, 29}, {tick, 29}, {tick, 30});
}

TEST_CASE("the beat ticks every max(1 s, min(interval, 5 s))", "[session][heartbeat]") {
    constexpr auto first = wsolo::beat_period(5'001ms);
    CHECK(first == 5s);
    CHECK(wsolo::beat_period(30s) == 5s);
    CHECK(wsolo::beat_period(5s) == 5s);
    CHECK(wsolo::beat_period(4'999ms) == 4'999ms);
    CHECK(wsolo::beat_period(1'001ms) == 1'001ms);
    CHECK(wsolo::beat_period(1s) == 1s);
    CHECK(wsolo::beat_period(1ms) == 1s);
}

TEST_CASE("the window rolls once per full interval while the beat ticks faster", "[session][heartbeat]") {
    CHECK_PLAY(beats, "bbbrbbbrbbbrbbbrbb", {timer, 90});
    CHECK_PLAY((heartbeat_options{.ping_interval = 0s, .beat_interval = 12s}), "bbrbbrbbr", {timer, 45});
    CHECK_PLAY((heartbeat_options{.ping_interval = 0s, .beat_interval = 3s}), "rrrr", {timer, 12});
    CHECK_PLAY((heartbeat_options{.ping_interval = 0s, .beat_interval = 300ms}), "rrrrr", {timer, 5});
}

TEST_CASE("beats that come late stay in step", "[session][heartbeat]") {
    CHECK_PLAY(beats, "b.b.b.r", {tick, 6}, {tick, 9}, {tick, 10}, {tick, 14}, {tick, 19}, {tick, 19},
               {tick, 20});
}

TEST_CASE("a jump of the clock gives one beat and one PING, not a burst", "[session][heartbeat]") {
    CHECK_PLAY(beats, "br..b..bbr", {tick, 5}, {tick, 3600}, {tick, 3600}, {tick, 3604}, {tick, 3605},
               {tick, 3605}, {tick, 3609}, {timer, 3615}, {tick, 3620});
    CHECK_PLAY(both, "Pr..b", {tick, 3600}, {tick, 3600}, {tick, 3604}, {tick, 3605});
}

TEST_CASE("a process that slept through the timeout asks the peer once more before it calls it dead",
          "[session][heartbeat]") {
    CHECK_PLAY(usual, "PP.D", {tick, 20}, {written, 20}, {tick, 3600}, {written, 3601}, {tick, 3610},
               {tick, 3611});
    CHECK_PLAY(usual, "PPD", {tick, 20}, {written, 20}, {tick, 3600}, {written, 3600}, {tick, 7200}); // once
    CHECK_PLAY(usual, "PP.PP", {tick, 20}, {written, 20}, {tick, 3600}, {written, 3600}, {pong, 3601},
               {tick, 3620}, {tick, 3621}, {written, 3621},
               {tick, 7200}); // it lives: the patience is renewed
    // Through the first look: what came meanwhile may not have been read yet.
    CHECK_PLAY(usual, "PP", {tick, 20}, {written, 20}, {tick, 30});
    CHECK_PLAY(usual, "PP.P", {tick, 20}, {written, 20}, {tick, 31}, {bytes, 31}, {written, 31}, {tick, 41},
               {tick, 51});
    CHECK_PLAY(usual, "P.P.D", {tick, 20}, {written, 20}, {tick, 27}, {tick, 30}, {written, 30}, {tick, 38},
               {tick, 40});
    CHECK_PLAY(usual, "P.PP", {tick, 20}, {written, 20}, {tick, 28}, {bytes, 29}, {tick, 49}, {written, 49},
               {tick, 59}); // the look at the last PING was at that one
    // Through the second.
    CHECK_PLAY(usual, "P.D", {tick, 20}, {written, 20}, {tick, 28}, {tick, 32}); // a busy loop's delay
    CHECK_PLAY(usual, "P.P.D", {tick, 20}, {written, 20}, {tick, 28}, {tick, 33}, {written, 33}, {tick, 41},
               {tick, 43});
}

TEST_CASE("a clock that ran ahead and came back costs one interval at most", "[session][heartbeat]") {
    CHECK_PLAY(both, "Pr..b", {tick, 3600}, {tick, 0}, {tick, 4}, {tick, 5});
    CHECK_PLAY(beats, "br.bbbr", {tick, 5}, {tick, 3600}, {tick, 0},
               {timer, 20}); // the window is a whole one
    CHECK_PLAY(usual, "..P", {bytes, 3600}, {tick, 10}, {tick, 29}, {tick, 30});
    CHECK_PLAY(usual, "P..D", {tick, 20}, {written, 3600}, {tick, 21}, {tick, 30}, {tick, 31});
    CHECK_PLAY(usual, "..P", {tick, 5}, {tick, -5},
               {tick, 20}); // silence is counted from what was heard, or less
}

TEST_CASE("nothing is due any more once it closes", "[session][heartbeat]") {
    CHECK_PLAY(both, "b...", {tick, 5}, {closing, 6}, {tick, 10}, {tick, 20}, {tick, 3600});
    CHECK_PLAY(both, "bPr.", {tick, 5}, {tick, 20}, {closing, 21}, {written, 22}, {tick, 100});
    CHECK_PLAY(both, "", {closing, 0}, {bytes, 5}, {pong, 5}, {dropped, 5}, {timer, 3600});
    heartbeat pulse(both, start);
    pulse.on_closing();
    CHECK(pulse.has_stopped());
    CHECK(pulse.deadline() == wsolo::no_deadline);
}

TEST_CASE("90 seconds with beats at 5 s and a peer that answers: no verdict", "[session][heartbeat][s1]") {
    constexpr heartbeat_options options{.ping_interval = 10s, .pong_timeout = 10s, .beat_interval = 5s};
    heartbeat pulse(options, start);
    int beats_seen = 0;
    int pings_seen = 0;
    for (int second = 1; second <= 90; ++second) {
        const auto due = pulse.tick(at(second));
        REQUIRE_FALSE(due.peer_is_dead);
        beats_seen += due.send_beat;
        pings_seen += due.send_ping;
        if (due.send_ping) {
            pulse.on_ping_written(at(second));
            pulse.on_pong(at(second));
        }
    }
    CHECK(beats_seen == 18);
    CHECK(pings_seen == 9);
}

TEST_CASE("it says when to come again", "[session][heartbeat]") {
    heartbeat pulse(both, start);
    CHECK(pulse.deadline() == at(5));
    CHECK(pulse.tick(at(5)).deadline == at(10));
    CHECK(pulse.tick(at(10)).deadline == at(15));
    CHECK(pulse.tick(at(15)).deadline == at(20));
    CHECK(pulse.tick(at(20)).deadline == at(25));
    pulse.on_ping_written(at(21));
    CHECK(pulse.is_awaiting_pong());
    CHECK(pulse.deadline() == at(25));
    CHECK(pulse.tick(at(25)).deadline == at(28) + 500ms); // a first look
    CHECK(pulse.tick(at(28) + 499ms).deadline == at(28) + 500ms);
    CHECK(pulse.tick(at(28) + 500ms).deadline == at(30));
    CHECK(pulse.tick(at(30)).deadline == at(31)); // the peer's
    pulse.on_received(at(30));
    CHECK_FALSE(pulse.is_awaiting_pong());
    CHECK(pulse.deadline() == at(35));

    heartbeat idle(usual, start);
    CHECK(idle.deadline() == at(20));
    CHECK(idle.tick(at(20)).deadline == wsolo::no_deadline); // nothing before the PING is written
    idle.on_ping_written(at(50));
    CHECK(idle.deadline() == at(57) + 500ms);
    CHECK(idle.tick(at(58)).deadline == at(60));
}

TEST_CASE("times at the clock's end do not overflow", "[session][heartbeat]") {
    constexpr auto endless = std::chrono::milliseconds::max();
    heartbeat pulse({.ping_interval = endless, .pong_timeout = endless, .beat_interval = endless},
                    time_point::max() - 3s);
    CHECK(pulse.tick(time_point::max() - 1s).none());
    pulse.on_ping_written(time_point::max() - 1s);
    pulse.on_received(time_point::max());
    CHECK(pulse.deadline() == wsolo::no_deadline);
    heartbeat early(both, time_point{});
    CHECK_FALSE(early.tick(time_point::max()).peer_is_dead);
    heartbeat negative({.ping_interval = -1s, .pong_timeout = -1s, .beat_interval = -1s}, start);
    CHECK(negative.deadline() == wsolo::no_deadline);
}

TEST_CASE("a side that did not listen does not judge", "[session][heartbeat]") {
    constexpr heartbeat_options options{.ping_interval = 20s, .pong_timeout = 10s, .pong_only = true};
    CHECK_PLAY(options, "P.", {tick, 20}, {written, 20}, {deaf, 29}, {tick, 30});
    CHECK_PLAY(options, ".P", {deaf, 10}, {tick, 19}, {tick, 20}, {deaf, 21}); // nothing was awaited
    // PINGs go on, each an interval after the one before; from the first that is written to a side that listens, silence counts.
    CHECK_PLAY(options, "P.P.P..D", {tick, 20}, {written, 20}, {deaf, 25}, {tick, 25}, {deaf, 40}, {tick, 40},
               {written, 41}, {deaf, 45}, {tick, 60}, {tick, 61}, {written, 61}, {tick, 69}, {tick, 70},
               {tick, 71});
    // After a pause the next sleep is the first one again.
    CHECK_PLAY(options, "PPPPPD", {tick, 20}, {written, 20}, {tick, 60}, {written, 60}, {deaf, 61},
               {tick, 80}, {written, 80}, {deaf, 81}, {tick, 100}, {written, 100}, {tick, 140},
               {written, 140}, {tick, 180});
}

TEST_CASE("a peer that takes our bytes lives", "[session][heartbeat]") {
    // A PING that lies after megabytes: as long as they flow there is no verdict, and no PING besides.
    CHECK_PLAY(usual, "P...P..D", {tick, 20}, {written, 20}, {progress, 29}, {tick, 31}, {progress, 40},
               {tick, 49}, {progress, 55}, {tick, 74}, {tick, 75}, {written, 75}, {tick, 82}, {tick, 84},
               {tick, 85});
    CHECK_PLAY(usual, "..P", {progress, 15}, {tick, 20}, {tick, 34}, {tick, 35});
    CHECK_PLAY(usual, "P.D", {tick, 20}, {progress, 20}, {written, 21}, {tick, 29}, {tick, 31}); // before it
    CHECK_PLAY(usual, "P.", {tick, 20}, {written, 20}, {progress, 30}, {tick, 30}); // at its last instant
    CHECK_PLAY(usual, "P", {tick, 20}, {closing, 21}, {progress, 22}, {timer, 3600});
}

TEST_CASE("with pong_only a peer that takes our bytes is judged later, and asked no less",
          "[session][heartbeat]") {
    CHECK_PLAY(pongs, "P...D", {tick, 20}, {written, 20}, {progress, 29}, {tick, 31}, {progress, 38},
               {tick, 40}, {tick, 46}, {tick, 48});
    CHECK_PLAY(pongs, "P.P", {tick, 20}, {written, 20}, {progress, 29}, {pong, 35}, {tick, 54}, {tick, 55});
    CHECK_PLAY(pongs, "P", {progress, 15}, {tick, 20}); // what no PING waits after puts none off
}

TEST_CASE("a PONG tells the round trip of the PING that it answers", "[session][heartbeat]") {
    constexpr auto round_trip = [](auto&&... steps) {
        heartbeat pulse(usual, start);
        const auto asked = pulse.tick(at(20)).ping_payload;
        std::optional<wsolo::duration> told;
        (steps(pulse, asked, told), ...);
        return told;
    };
    constexpr auto written = [](int second) {
        return [second](heartbeat& pulse, auto&, auto&) { pulse.on_ping_written(at(second)); };
    };
    constexpr auto pong = [](int second) {
        return
            [second](heartbeat& pulse, auto& asked, auto& told) { told = pulse.on_pong(at(second), asked); };
    };
    CHECK(round_trip(written(21), pong(24)) == 3s);
    CHECK(round_trip(written(21), pong(21)) == 0s);
    CHECK(round_trip(written(21), pong(20)) == 0s);                     // another thread's clock reading
    CHECK(round_trip(written(21), pong(24), pong(25)) == std::nullopt); // told once
    CHECK(round_trip(pong(24)) == std::nullopt);                        // it overtook the news of the writing
    CHECK(round_trip(pong(24), written(21), pong(25)) == std::nullopt);
    CHECK(round_trip(written(21), written(23), pong(24)) == 3s); // the application's own came later
    constexpr auto bytes = [](heartbeat& pulse, auto&, auto&) { pulse.on_received(at(22)); };
    CHECK(round_trip(written(21), bytes, pong(24)) == 3s); // life ends the wait, not the measuring
    constexpr auto foreign = [](heartbeat& pulse, auto& asked, auto& told) {
        const std::byte other[] = {asked[0], asked[1] ^ std::byte{1}, std::byte{}};
        told = pulse.on_pong(at(23), wsolo::const_bytes(other).first(2));
        if (!told) told = pulse.on_pong(at(23), other);
        if (!told) told = pulse.on_pong(at(23), {});
        if (!told) told = pulse.on_pong(at(23), wsolo::const_bytes(other).first(1));
    };
    CHECK(round_trip(written(21), foreign) == std::nullopt);
    CHECK(round_trip(written(21), foreign, pong(24)) == 3s); // the foreign one took nothing away
    constexpr auto dropped = [](heartbeat& pulse, auto&, auto&) {
        pulse.on_ping_dropped(at(21));
        pulse.on_ping_written(at(22)); // the application's own
    };
    CHECK(round_trip(dropped, pong(24)) == std::nullopt);
}

TEST_CASE("each PING has a number of its own, and any PONG is a sign of life", "[session][heartbeat]") {
    constexpr heartbeat_options options{.ping_interval = 1s, .pong_timeout = 10s, .pong_only = true};
    heartbeat pulse(options, time_point{});
    CHECK_FALSE(
        pulse.on_pong(time_point{}, wsolo::heartbeat_actions{}.ping_payload)); // before the first PING
    std::array<std::byte, 2> last{};
    time_point now{};
    for (int i = 0; i < 70'000; ++i) { // the numbers wrap around
        const auto due = pulse.tick(now += 1s);
        REQUIRE(due.send_ping);
        REQUIRE(due.ping_payload != last);
        pulse.on_ping_written(now);
        REQUIRE_FALSE(pulse.on_pong(now, last)); // late, and a PONG all the same
        REQUIRE_FALSE(pulse.is_awaiting_pong());
        last = due.ping_payload;
    }
    CHECK(pulse.on_pong(now + 5ms, last) == 5ms);
}

TEST_CASE("a span below zero is none, one beyond 49 days is that", "[session][heartbeat]") {
    STATIC_REQUIRE(heartbeat({.ping_interval = -1ms}, start).deadline() == wsolo::no_deadline);
    STATIC_REQUIRE(heartbeat({.ping_interval = 24h * 60}, start).deadline() ==
                   start + std::chrono::milliseconds(0xFFFF'FFFF));
}

TEST_CASE("without beats all but the beats is the same", "[session][heartbeat]") {
    heartbeat with(both, start);
    wsolo::basic_heartbeat<false> without(both, start);
    int pings_due = 0, beats_due = 0;
    for (int second = 0; second < 60; ++second) {
        const auto expected = with.tick(at(second)), seen = without.tick(at(second));
        CHECK(seen.send_ping == expected.send_ping);
        CHECK(seen.peer_is_dead == expected.peer_is_dead);
        CHECK(seen.ping_payload == expected.ping_payload);
        CHECK_FALSE(seen.send_beat);
        CHECK_FALSE(seen.roll_window);
        CHECK(seen.deadline >= expected.deadline);
        pings_due += seen.send_ping ? 1 : 0;
        beats_due += expected.send_beat ? 1 : 0;
        if (!seen.send_ping) continue;
        with.on_ping_written(at(second));
        without.on_ping_written(at(second));
    }
    CHECK(pings_due == 1);
    CHECK(beats_due >= 3);
    CHECK(without.has_stopped()); // no PONG came
    CHECK(without.deadline() == wsolo::no_deadline);
}

TEST_CASE("quiet is what no tick() before the deadline changes", "[session][heartbeat]") {
    constexpr heartbeat_options pings_and_waits{.ping_interval = 20s, .pong_timeout = 20s};
    wsolo::basic_heartbeat<false> pulse(pings_and_waits, start);
    CHECK(pulse.is_quiet(start));
    CHECK_FALSE(pulse.is_quiet(start - 1s)); // the clock ran ahead before: a tick() heals it
    static_cast<void>(pulse.tick(at(20)));
    CHECK_FALSE(pulse.is_quiet(at(20))); // the PING is to be written
    pulse.on_ping_written(at(21));
    CHECK_FALSE(pulse.is_quiet(at(22))); // its answer is awaited
    pulse.on_received(at(23));
    CHECK(pulse.is_quiet(at(23)));
    pulse.on_closing();
    CHECK_FALSE(pulse.is_quiet(at(24)));

    CHECK(heartbeat(pings_and_waits, start).is_quiet(start));
    CHECK_FALSE(heartbeat(both, start).is_quiet(start)); // beats are due in each tick()'s time
}
