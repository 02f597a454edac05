// The shipped group in every schedule within a bound. Would catch: a member that is called, or read, when it is gone; one
// that is passed over or visited twice by a walk while others join and leave; one that joins beside a close and is never
// closed, or is closed twice by its loop and by another close; a report that is not complete when the wait ends; a group
// or a roll that is touched after its end.

#include <support/catch.hpp>
#include <support/interleave/explore.hpp>
#include <support/interleave/traits.hpp>
#include <support/interleave/verdict.hpp>

#include <wsolo/endpoint/connection_group.hpp>

#include <optional>

using namespace interleave;
using namespace std::chrono_literals;
using wsolo::close_code;
using wsolo::errc;

namespace {

using group = wsolo::basic_connection_group<traits>;

struct member;
using anchor = wsolo::basic_session_anchor<member, traits>;

/// What it writes down is guarded by nothing but what the group promises: each call in a test has one thread to come from.
struct member {
    static constexpr wsolo::role self = wsolo::role::server;

    errc send(const wsolo::shared_frame&) {
        ++got;
        return errc::none;
    }
    errc close(close_code, std::string_view, wsolo::duration) {
        closes.fetch_add(1);
        return errc::none;
    }
    void abort(errc) {}
    void ask_for_turn() { asked.fetch_add(1); }

    int got = 0;
    interleave::atomic<int> closes{0};
    interleave::atomic<int> asked{0};
    group::seat seat;
    anchor whole = std::move(*anchor::make(*this));
};

const wsolo::shared_frame& frame() {
    static const wsolo::shared_frame made =
        std::move(*wsolo::make_shared_frame(wsolo::opcode::text, wsolo::bytes_of("x")));
    return made;
}

struct stage_of_members {
    explicit stage_of_members(int count) {
        for (int i = 0; i < count; ++i) {
            members[static_cast<std::size_t>(i)].emplace();
            join(i);
        }
    }
    void join(int which) {
        auto& one = *members[static_cast<std::size_t>(which)];
        auto seat = everyone->join(one.whole.handle());
        if (seat) one.seat = std::move(*seat);
    }
    std::optional<group> everyone{std::in_place};
    std::array<std::optional<member>, 3> members;
};

/// A member goes while all are sent to; the others are visited once.
void leave_beside_a_send(scenario& stage, outcomes& accepted) {
    auto& m = stage.make<stage_of_members>("members", 3);
    stage.thread("sender", [&] { accepted.insert(static_cast<int>(m.everyone->send(frame()).accepted)); });
    stage.thread("loop", [&m] { m.members[1].reset(); });
    stage.finally([&m] {
        check(m.members[0]->got == 1 && m.members[2]->got == 1, "a member was passed over, or visited twice");
        check(m.everyone->size() == 2, "who left is still there");
    });
}

/// The same with two walks at once, each a place in the other's ring.
void leave_beside_two_walks(scenario& stage, outcomes&) {
    auto& m = stage.make<stage_of_members>("members", 2);
    stage.thread("sender", [&m] { check(m.everyone->send(frame()).accepted >= 1, "the one that stays"); });
    stage.thread("other walk", [&m] { m.everyone->abort_all(); });
    stage.thread("loop", [&m] { m.members[0].reset(); });
    stage.finally([&m] { check(m.members[1]->got == 1, "once"); });
}

/// A seat moves while all are sent to: each member is visited once.
void move_beside_a_send(scenario& stage, outcomes&) {
    auto& m = stage.make<stage_of_members>("members", 3);
    auto& other = stage.make<group::seat>("another seat");
    stage.thread("sender", [&m] { check(m.everyone->send(frame()).accepted == 3, "each got it"); });
    stage.thread("loop", [&m, &other] { other = std::move(m.members[1]->seat); });
    stage.finally([&] {
        for (auto& one : m.members) check(one->got == 1, "a member was passed over, or visited twice");
        check(other && !m.members[1]->seat, "it moved");
    });
}

/// Who joins gets all of what is sent after that, and is closed or refused.
void join_beside_a_close(scenario& stage, outcomes& closes) {
    auto& m = stage.make<stage_of_members>("members", 1);
    m.members[1].emplace();
    stage.thread("loop", [&m] { m.join(1); });
    stage.thread("closer", [&m] {
        check(m.everyone->close_all(close_code::normal, "", 1s) == errc::none, "the first close");
    });
    stage.finally([&] {
        const bool joined = static_cast<bool>(m.members[1]->seat);
        check(m.members[0]->closes.load() == 1, "closed once");
        check(m.members[1]->closes.load() == (joined ? 1 : 0), "who joined is closed");
        closes.insert(joined ? 2 : 1);
    });
}

/// A close that is spread, one that hurries, and the member's own loop: it closes once, and never not.
void hurry_beside_a_loop(scenario& stage, outcomes& verdicts) {
    auto& m = stage.make<stage_of_members>("members", 2);
    const auto close = [&m](wsolo::duration spread) {
        return m.everyone->close_all(close_code::normal, "", 4s, spread);
    };
    stage.thread("closer", [close, &verdicts] {
        const errc first = close(2s);
        verdicts.insert(first == errc::none ? 1 : 0);
    });
    stage.thread("hurrying", [close] { static_cast<void>(close(2s)); });
    stage.thread("loop", [&m] {
        for (auto& one : {&m.members[0], &m.members[1]}) (*one)->seat.tick(interleave::clock::now() + 1h);
    });
    stage.finally([&m] {
        for (auto& one : {&m.members[0], &m.members[1]})
            check((*one)->closes.load() == 1, "closed once, and not never");
    });
}

/// The last one leaves; the thread that waits reads the report and destroys the group at once.
void wait_beside_the_last(scenario& stage, outcomes& verdicts) {
    auto& m = stage.make<stage_of_members>("members", 1);
    stage.thread("loop", [&m] {
        wsolo::ending how;
        how.written.frames_written = 7;
        m.members[0]->seat.leave(how);
    });
    stage.thread("closer", [&] {
        static_cast<void>(m.everyone->close_all(close_code::normal, "", 1s));
        const errc how = m.everyone->wait(interleave::clock::now() + 1s);
        verdicts.insert(static_cast<int>(how));
        if (how == errc::none) {
            const auto report = m.everyone->report();
            check(report.present == 0 && report.frames_written == 7 && report.closed_in_order == 1,
                  "all of it");
        }
        m.everyone.reset();
    });
}

} // namespace

TEST_CASE("a member that goes is passed by, and no other one", "[group]") {
    CHECK(holds(leave_beside_a_send, {2, 3}));
}
TEST_CASE("a seat that moves is not passed over", "[group]") { CHECK(holds(move_beside_a_send, {})); }
TEST_CASE("two walks and a member that goes", "[.full]") { CHECK(holds(leave_beside_two_walks, {})); }
TEST_CASE("a member that joins beside a close is closed, or did not join", "[group]") {
    CHECK(holds(join_beside_a_close, {1, 2}));
}
TEST_CASE("a member is closed once, by its loop or by a close that hurries", "[group]") {
    CHECK(holds(hurry_beside_a_loop, {0, 1}, 1));
}
TEST_CASE("a thread that waited for the last member may destroy the group", "[group]") {
    CHECK(holds(wait_beside_the_last, {static_cast<int>(errc::none), static_cast<int>(errc::timed_out)}));
}

TEST_CASE("the group within wider bounds", "[.full]") {
    for (const auto body : {leave_beside_a_send, leave_beside_two_walks, move_beside_a_send,
                            join_beside_a_close, hurry_beside_a_loop, wait_beside_the_last})
        CHECK(holds_widely(body));
}
