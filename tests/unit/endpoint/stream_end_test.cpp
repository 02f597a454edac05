// Would catch: a FIN before the peer's Close was read (or its stream ended, is unreadable, or a bound passed), a client that ends
// TCP before the server, a failed write that ends the input unread, an end without a bound, an end told before the input was
// thrown away, and an action that is told twice or never.

#include <support/catch.hpp>

#include <wsolo/endpoint/stream_end.hpp>

#include <set>
#include <string>
#include <vector>

namespace {

using namespace std::chrono_literals;
using wsolo::role;
using wsolo::stream_end;
using wsolo::time_point;

constexpr time_point start = time_point(1000s);
constexpr wsolo::end_options bounds{.close_timeout = 5s, .linger_timeout = 2s, .linger_bytes = 1000};

/// What a test may do to the machine, one step each.
enum class step : std::uint8_t {
    drained,
    failed,
    peer_close,
    unreadable,
    input_over,
    abort,
    progress,
    discard_some,
    discard_all,
    wait_a_little,
    wait_long
};
constexpr step all_steps[] = {step::drained,     step::failed,        step::peer_close, step::unreadable,
                              step::input_over,  step::abort,         step::progress,   step::discard_some,
                              step::discard_all, step::wait_a_little, step::wait_long};

/// The machine, and what really happened to it: the judge knows no table, only the laws.
struct history {
    explicit history(role side) : end(side, bounds), self(side) {}

    stream_end end;
    role self;
    time_point now = start;
    bool was_drained = false, has_failed = false, peer_closed = false, unreadable = false, input_over = false;
    bool aborted = false;
    std::uint64_t discarded = 0;
    bool bound_passed = false;
    int fins = 0, gones = 0;

    /// What an owner does that wakes at each deadline.
    static void live_until(stream_end& end, time_point last) {
        while (end.deadline() < last) REQUIRE_FALSE(end.next(end.deadline()).disconnect);
    }

    void take(step next) {
        switch (next) {
        case step::drained:
            if (!was_drained && !has_failed) was_drained = true;
            end.on_output_over(true, now);
            break;
        case step::failed:
            if (!was_drained && !has_failed) has_failed = true;
            end.on_output_over(false, now);
            break;
        case step::peer_close:
            if (!unreadable && !input_over) peer_closed = true;
            end.on_peer_close(now);
            break;
        case step::unreadable:
            if (!peer_closed && !input_over) unreadable = true;
            end.on_unreadable(now);
            break;
        case step::input_over:
            input_over = true;
            end.on_input_over(now);
            break;
        case step::abort:
            aborted = true;
            end.on_abort();
            break;
        case step::progress: end.on_progress(now); break;
        case step::discard_some: discard(400); break;
        case step::discard_all: discard(2000); break;
        case step::wait_a_little: now += 1s; break;
        case step::wait_long: now += 10s; break;
        }
        judge();
    }

    void discard(std::uint64_t bytes) {
        if (!end.is_discarding() || input_over) return; // the owner would not
        discarded += bytes;
        end.on_discarded(bytes);
    }

    void judge() {
        const bool is_over = was_drained || has_failed;
        const bool nothing_to_hear = peer_closed || unreadable || input_over;
        const bool waits_before = end.is_waiting();
        const time_point deadline_before = end.deadline();
        const wsolo::end_actions due = end.next(now);
        bound_passed |= waits_before && (now >= deadline_before || discarded >= bounds.linger_bytes);
        fins += due.end_output ? 1 : 0;
        gones += due.disconnect ? 1 : 0;

        REQUIRE(fins <= 1);
        REQUIRE(gones <= 1);
        REQUIRE((gones == 1) == end.is_gone()); // told when it is so, at once
        if (aborted) REQUIRE(end.is_gone());
        if (discarded >= bounds.linger_bytes) REQUIRE_FALSE(end.is_waiting());
        if (due.end_output) { // law 10
            REQUIRE(was_drained);
            REQUIRE((nothing_to_hear || bound_passed || aborted));
            if (self == role::client) REQUIRE((input_over || unreadable || bound_passed || aborted));
        }
        if (due.disconnect && !aborted) {
            REQUIRE(is_over);
            REQUIRE((bound_passed || input_over || (has_failed && nothing_to_hear)));
            if (was_drained) REQUIRE(fins == 1); // our FIN, before the connection goes
        }
        if (has_failed && !nothing_to_hear && !bound_passed && !aborted) REQUIRE(!end.is_gone());
        if (!is_over && !aborted) REQUIRE(!end.is_gone());
        // Nothing waits without a bound, and none waits longer than it.
        if (end.is_waiting()) {
            REQUIRE(end.deadline() > now);
            REQUIRE(end.deadline() <= now + std::max(bounds.close_timeout, bounds.linger_timeout));
        }
        if (is_over && !end.is_gone()) REQUIRE(end.is_waiting());
        REQUIRE(end.is_discarding() == nothing_to_hear);
        REQUIRE(end.wants_input() == (!end.is_gone() && !input_over));
        REQUIRE_FALSE(end.next(now).end_output); // a call too many
        REQUIRE_FALSE(end.next(now).disconnect);
    }
};

void explore(const history& from, int depth, std::size_t& seen) {
    ++seen;
    if (depth == 0) return;
    for (const step next : all_steps) {
        history after = from;
        after.take(next);
        explore(after, depth - 1, seen);
    }
}

} // namespace

TEST_CASE("every history of an end keeps the laws", "[endpoint][stream_end]") {
    const role self = GENERATE(role::server, role::client);
    std::size_t seen = 0;
    explore(history(self), 5, seen);
    CHECK(seen == 1 + 11 + 121 + 1331 + 14641 + 161051);
}

TEST_CASE("a server ends TCP once both Closes are exchanged, a client waits for it",
          "[endpoint][stream_end]") {
    const role self = GENERATE(role::server, role::client);
    const bool ours_first = GENERATE(true, false);
    stream_end end(self, bounds);
    if (ours_first) {
        end.on_output_over(true, start);
        CHECK_FALSE(end.next(start).end_output); // its Close was not read
        CHECK(end.deadline() <= start + 5s);
        end.on_peer_close(start + 1s);
    } else {
        end.on_peer_close(start);
        CHECK_FALSE(end.next(start).end_output); // ours did not leave
        CHECK(end.deadline() == wsolo::no_deadline);
        end.on_output_over(true, start + 1s);
    }
    CHECK(end.next(start + 1s).end_output == (self == role::server));
    CHECK_FALSE(end.is_gone());
    history::live_until(end, start + 3s);
    CHECK(end.deadline() == start + 3s); // linger_timeout
    SECTION("the peer ends") {
        end.on_input_over(start + 2s);
        const wsolo::end_actions due = end.next(start + 2s);
        CHECK(due.end_output == (self == role::client));
        CHECK(due.disconnect);
    }
    SECTION("it does not") {
        CHECK_FALSE(end.next(start + 3s - 1ns).disconnect);
        CHECK(end.next(start + 3s).disconnect);
        CHECK_FALSE(end.missed_close());
    }
    SECTION("it goes on sending") {
        end.on_discarded(999);
        CHECK_FALSE(end.next(start + 1s).disconnect);
        end.on_discarded(1);
        CHECK(end.next(start + 1s).disconnect);
    }
}

TEST_CASE("a Close that is not answered is waited for in its time", "[endpoint][stream_end]") {
    stream_end end(role::server, bounds);
    end.on_output_over(true, start);
    end.on_progress(start + 4s); // it still takes what was sent before
    history::live_until(end, start + 9s);
    const wsolo::end_actions due = end.next(start + 9s);
    CHECK(due.end_output);
    CHECK(due.disconnect);
    CHECK(end.missed_close());
}

TEST_CASE("after a failed write the input is read to its end", "[endpoint][stream_end]") {
    stream_end end(role::server, bounds);
    end.on_output_over(false, start);
    CHECK_FALSE(end.next(start).disconnect);
    CHECK_FALSE(end.is_discarding());
    SECTION("its Close") { end.on_peer_close(start + 1s); }
    SECTION("its end") { end.on_input_over(start + 1s); }
    SECTION("what can't be read") { end.on_unreadable(start + 1s); }
    SECTION("nothing of these") {
        history::live_until(end, start + 5s);
        const wsolo::end_actions due = end.next(start + 5s);
        CHECK(due.disconnect);
        CHECK_FALSE(due.end_output);
        CHECK_FALSE(end.missed_close()); // there was none of ours to answer
        return;
    }
    const wsolo::end_actions due = end.next(start + 1s);
    CHECK(due.disconnect);
    CHECK_FALSE(due.end_output); // nothing may follow half a frame
    CHECK_FALSE(end.missed_close());
}

TEST_CASE("after what can't be read our FIN leaves, and the rest is thrown away", "[endpoint][stream_end]") {
    stream_end end(GENERATE(role::server, role::client), bounds);
    end.on_unreadable(start);
    CHECK_FALSE(end.next(start).end_output); // our Close did not leave yet
    end.on_output_over(true, start);
    const wsolo::end_actions due = end.next(start);
    CHECK(due.end_output);
    CHECK_FALSE(due.disconnect);
    CHECK(end.is_waiting());
    end.on_input_over(start + 1s);
    CHECK(end.next(start + 1s).disconnect);
}

TEST_CASE("progress gives a wait its whole time, and both of its looks", "[endpoint][stream_end]") {
    stream_end end(role::server, bounds);
    end.on_output_over(true, start);
    CHECK_FALSE(end.next(start + 4s).disconnect); // the first look
    end.on_progress(start + 4500ms);
    CHECK(end.deadline() == start + 9500ms - 1250ms);
    CHECK_FALSE(end.next(start + 9600ms).disconnect); // the first look of the new wait, and late
    CHECK(end.next(end.deadline()).disconnect);
}

TEST_CASE("a process that slept looks once more before it judges", "[endpoint][stream_end]") {
    stream_end end(role::server, bounds);
    end.on_output_over(true, start);
    SECTION("through both looks") {}
    SECTION("between them") { CHECK_FALSE(end.next(start + 4s).disconnect); }
    CHECK_FALSE(end.next(start + 1h).disconnect); // what has arrived is read now
    CHECK(end.deadline() == start + 1h + 1250ms);
    SECTION("its Close had come") {
        end.on_peer_close(start + 1h);
        CHECK(end.next(start + 1h).end_output);
        CHECK_FALSE(end.is_gone());
    }
    SECTION("it had not") {
        CHECK(end.next(start + 1h + 1250ms).disconnect);
        CHECK(end.missed_close());
    }
    SECTION("nor does sleep put it off for ever") { CHECK(end.next(start + 2h).disconnect); }
}

TEST_CASE("no bound is none", "[endpoint][stream_end]") {
    stream_end end(role::server, {.close_timeout = 0s, .linger_timeout = 0s, .linger_bytes = 0});
    end.on_output_over(true, start);
    CHECK(end.deadline() == wsolo::no_deadline);
    CHECK_FALSE(end.next(start + 24h * 365).disconnect);
    end.on_peer_close(start);
    end.on_discarded(std::uint64_t{1} << 40U);
    CHECK(end.deadline() == wsolo::no_deadline);
    CHECK_FALSE(end.next(start + 24h * 365).disconnect);
    end.on_input_over(start);
    CHECK(end.next(start).disconnect);
}
