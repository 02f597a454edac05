// Would catch: a member that is passed over, or gets a message twice; a full or a hung one that holds up the others, or is
// not counted; one that is called after it left; closes that come all at once, too late, or without a bound; a member that
// joins a closing group; a wait that ends with a member left; a report that forgets some.

#include <support/catch.hpp>
#include <support/heap.hpp>
#include <support/writer_fixture.hpp>

#include <wsolo/endpoint/connection_group.hpp>

#include <memory>

using wsolo::bytes_of;
using wsolo::close_code;
using wsolo::opcode;
using wsolo::when_member_full;

namespace {

using group = wsolo::basic_connection_group<manual_traits>;
using frames = std::vector<std::pair<int, std::string>>;

/// A member as an endpoint is one: a writer on a wire, a loop that comes when it is asked or when its deadline is, a seat.
template <class Side>
struct desk {
    static constexpr wsolo::role self = Side::self;
    using handle = wsolo::basic_weak_session<desk, manual_traits>;

    explicit desk(group& in, const wsolo::writer_options& options = {}) : written(options) {
        auto made = in.join(anchor.handle());
        joined = made.error();
        if (made) seat = std::move(*made);
    }

    // what a group asks of it
    errc send(const wsolo::shared_frame& frame)
        requires(self == wsolo::role::server)
    {
        if (on_send) on_send();
        return written.out->send(frame);
    }
    errc send_text(std::string_view payload)
        requires(self == wsolo::role::client)
    {
        if (on_send) on_send();
        return written.out->send_text(payload);
    }
    errc send_binary(wsolo::const_bytes payload)
        requires(self == wsolo::role::client)
    {
        return written.out->send_binary(payload);
    }
    errc close(close_code code, std::string_view reason, wsolo::duration within) {
        if (close_refused != errc::none) return close_refused;
        closed_at = manual_clock::now();
        closed_within = within;
        return written.out->close(code, reason, within);
    }
    void abort(errc why) {
        aborted = why;
        written.out->abort(why, wsolo::duration::zero());
    }
    void ask_for_turn() { ++turns_asked; }

    // its loop
    wsolo::time_point turn() {
        seat.tick(manual_clock::now());
        written.pump_all();
        return seat.deadline();
    }
    void end() {
        wsolo::ending how;
        how.written = written.out->report();
        how.handled.messages_handled = 3;
        how.handled.messages_dropped = 1;
        how.reason = how.written.reason;
        seat.leave(how);
    }
    [[nodiscard]] frames sent() const {
        const strict::stream all = written.parsed();
        CHECK(all.error == "");
        frames found;
        for (const strict::frame& frame : all.frames) found.emplace_back(frame.opcode, frame.payload);
        return found;
    }

    writer_fixture<Side> written;
    std::function<void()> on_send;
    errc joined = errc::none;
    errc close_refused = errc::none;
    errc aborted = errc::none;
    wsolo::time_point closed_at{};
    wsolo::duration closed_within{};
    int turns_asked = 0;
    group::seat seat;
    wsolo::basic_session_anchor<desk, manual_traits> anchor =
        std::move(*wsolo::basic_session_anchor<desk, manual_traits>::make(*this));
};

static_assert(wsolo::group_member<desk<server>> && wsolo::group_member<desk<client>>);
static_assert(sizeof(wsolo::group_seat) ==
              4 * sizeof(void*) + sizeof(wsolo::duration)); // and no other memory

std::string close_body(int code, std::string_view reason) {
    std::string body{static_cast<char>(code >> 8), static_cast<char>(code & 0xff)};
    return body.append(reason);
}

/// How often a member is sent to before it is full.
wsolo::writer_options room_for(std::uint32_t count) {
    wsolo::writer_options options;
    options.limits.max_frames = count;
    return options;
}

} // namespace

TEST_CASE("what is sent to all reaches each once, servers and clients, in order", "[endpoint][group]") {
    for (const std::size_t count : {0U, 1U, 2U, 3U, 50U}) {
        group everyone;
        std::vector<std::unique_ptr<desk<server>>> servers;
        std::vector<std::unique_ptr<desk<client>>> clients;
        for (std::size_t i = 0; i < count; ++i) {
            if (i % 3 != 2)
                servers.push_back(std::make_unique<desk<server>>(everyone));
            else
                clients.push_back(std::make_unique<desk<client>>(everyone));
        }
        CHECK(everyone.size() == count);
        const std::string large(3000, 'l');
        const auto own = wsolo::make_shared_frame(opcode::text, bytes_of("own"));
        for (const auto& sum : {everyone.send_text("one"), everyone.send_binary(bytes_of("two")),
                                everyone.send_text(large), everyone.send(*own), everyone.send_text("")}) {
            CHECK(sum.accepted == count);
            CHECK(sum.full + sum.refused == 0);
            CHECK(sum.error == errc::none);
        }
        const frames expected{{1, "one"}, {2, "two"}, {1, large}, {1, "own"}, {1, ""}};
        for (auto& each : servers) {
            each->turn();
            CHECK(each->sent() == expected);
        }
        for (auto& each : clients) {
            each->turn();
            CHECK(each->sent() == expected);
        }
    }
}

TEST_CASE("no member is sent to before it joined or after it left", "[endpoint][group]") {
    group everyone;
    auto first = std::make_unique<desk<server>>(everyone);
    CHECK(everyone.send_text("1").accepted == 1);
    auto second = std::make_unique<desk<server>>(everyone);
    CHECK(everyone.send_text("2").accepted == 2);
    first->turn();
    first->seat.leave();
    CHECK_FALSE(first->seat);
    first->seat.leave(); // once
    CHECK(everyone.send_text("3").accepted == 1);
    first->turn();
    CHECK(first->sent() == frames{{1, "1"}, {1, "2"}});
    second->turn();
    CHECK(second->sent() == frames{{1, "2"}, {1, "3"}});
    first->seat = std::move(*everyone.join(first->anchor.handle())); // again
    CHECK(everyone.send_text("4").accepted == 2);
    second.reset(); // a member that is destroyed has left
    CHECK(everyone.size() == 1);
    CHECK(everyone.send_text("5").accepted == 1);
    group another;
    first->seat = std::move(*another.join(first->anchor.handle()));
    CHECK(everyone.size() == 0);
    CHECK(another.size() == 1);
    const auto report = everyone.report();
    CHECK(report.joined == 3);
    CHECK(report.gone == 3);
    CHECK(report.closed_in_order + report.failed == 0);
}

TEST_CASE("a seat that moves keeps its place and its time", "[endpoint][group]") {
    group everyone;
    desk<server> first(everyone), second(everyone), third(everyone);
    group::seat elsewhere(std::move(second.seat));
    CHECK(elsewhere);
    CHECK_FALSE(second.seat);
    second.seat.leave(); // it is in no group
    CHECK(everyone.send_text("1").accepted == 3);
    group::seat& itself = elsewhere;
    elsewhere = std::move(itself);
    const wsolo::time_point start = manual_clock::now();
    CHECK(everyone.close_all(close_code::going_away, "", 60s, 30s) == errc::none);
    for (auto* each : {&first.seat, &elsewhere, &third.seat}) {
        const wsolo::time_point due = each->deadline();
        group::seat moved(std::move(*each));
        CHECK(each->deadline() == wsolo::no_deadline);
        CHECK(moved.deadline() == due);
        *each = std::move(moved);
        CHECK(each->deadline() == due);
    }
    manual_clock::advance(10s);
    for (auto* each : {&first.seat, &elsewhere, &third.seat}) each->tick(manual_clock::now());
    CHECK(second.closed_at == start + 10s); // the middle one, as if it had not moved
    for (auto* each : {&first, &second, &third}) each->turn();
    CHECK(second.sent() == frames{{1, "1"}, {8, close_body(1001, "")}});
    CHECK(everyone.report().gone == 0);
    elsewhere = group::seat();
    CHECK(everyone.report().gone == 1);
    CHECK(everyone.size() == 2);
}

#if WSOLO_TEST_COUNTS_HEAP
TEST_CASE("only the first member of a type takes memory", "[endpoint][group][memory]") {
    group everyone;
    group another; // of its own
    desk<server> first(another), second(another);
    desk<client> client_without_memory(another);
    for (auto* each : {&first.seat, &second.seat, &client_without_memory.seat}) each->leave();
    const auto join = [&everyone](auto& one) {
        const auto handle = one.anchor.handle();
        const support::no_heap none;
        auto made = everyone.join(handle);
        const errc error = made.error();
        if (made) one.seat = std::move(*made);
        return error;
    };
    CHECK(join(first) == errc::out_of_memory);
    CHECK(everyone.size() == 0);
    first.seat = std::move(*everyone.join(first.anchor.handle()));
    CHECK(join(second) == errc::none);
    CHECK(join(client_without_memory) == errc::out_of_memory);
    CHECK(everyone.size() == 2);
}
#endif

TEST_CASE("a connection that is gone does not join, and takes nothing where its seat is left",
          "[endpoint][group]") {
    group everyone;
    CHECK(everyone.join(desk<server>::handle()).error() == errc::closed);
    auto gone = std::make_unique<desk<server>>(everyone);
    auto kept = std::move(gone->seat);
    const auto handle = gone->anchor.handle();
    gone.reset();
    CHECK(everyone.size() == 1);
    const auto sum = everyone.send_text("to no member");
    CHECK(sum.accepted + sum.full + sum.refused == 0);
    CHECK(everyone.join(handle).error() == errc::closed);
    everyone.abort_all();
    CHECK(everyone.close_all(close_code::normal, "", 1s) == errc::none);
    CHECK(everyone.wait(manual_clock::now()) == errc::timed_out); // it holds a place
    kept.leave();
    CHECK(everyone.wait() == errc::none);
}

TEST_CASE("a member without room is counted, and delays no other", "[endpoint][group]") {
    for (const auto policy : {when_member_full::skip, when_member_full::disconnect}) {
        group everyone(policy);
        desk<server> before(everyone);
        desk<server> full(everyone, room_for(2)); // and its loop never comes
        desk<server> after(everyone);
        CHECK(everyone.send_text("1").accepted == 3);
        CHECK(everyone.send_text("2").accepted == 3);
        const auto sum = everyone.send_text("3");
        CHECK(sum.accepted == 2);
        CHECK(sum.full == 1);
        CHECK(sum.refused == 0);
        CHECK(sum.error == errc::none);
        CHECK(full.aborted == (policy == when_member_full::skip ? errc::none : errc::queue_full));
        const auto next = everyone.send_text("4");
        CHECK(next.accepted == 2);
        CHECK(next.full == (policy == when_member_full::skip ? 1U : 0U)); // the other one is closed
        CHECK(everyone.report().times_full == (policy == when_member_full::skip ? 2 : 1));
        for (desk<server>* each : {&before, &after}) {
            each->turn();
            CHECK(each->sent() == frames{{1, "1"}, {1, "2"}, {1, "3"}, {1, "4"}});
        }
        full.turn();
        CHECK(full.sent() == (policy == when_member_full::skip ? frames{{1, "1"}, {1, "2"}} : frames{}));
    }
}

TEST_CASE("what can't be sent says why", "[endpoint][group]") {
    group everyone;
    auto options = room_for(10);
    options.limits.max_message = 100;
    desk<server> narrow(everyone, options);
    desk<client> wide(everyone);
    const auto sum = everyone.send_text(std::string(101, 'x'));
    CHECK(sum.accepted == 1);
    CHECK(sum.refused == 1);
    CHECK(sum.error == errc::too_large);
    CHECK(everyone.send(wsolo::shared_frame()).error == errc::raw_frame_malformed);
    // A client sends messages again as its own, and nothing else.
    const auto ping = wsolo::make_shared_frame(opcode::ping, bytes_of("p"));
    REQUIRE(ping);
    CHECK(everyone.send(*ping).refused == 1);
    REQUIRE(narrow.written.out->close(close_code::normal) == errc::none);
    CHECK(everyone.send_text("closing members are not counted").accepted == 1);
}

TEST_CASE("all are closed alike, once, and no connection joins after that", "[endpoint][group]") {
    group everyone;
    desk<server> first(everyone);
    desk<client> second(everyone);
    CHECK(everyone.send_text("before").accepted == 2);
    CHECK(everyone.close_all(close_code::no_status, "", 5s) == errc::invalid_close_code);
    CHECK(everyone.close_all(close_code::normal, "\xff", 5s) == errc::invalid_close_reason);
    CHECK(everyone.send_text("still open").accepted == 2);
    CHECK(everyone.wait(manual_clock::now()) == errc::timed_out);
    std::string reason(122, 'r');
    reason += "\xe2\x82\xac"; // cut before it
    CHECK(everyone.close_all(close_code::service_restart, reason, 5s) == errc::none);
    CHECK(first.closed_within == 5s);
    CHECK(second.closed_within == 5s);
    CHECK(first.turn() == wsolo::no_deadline);
    second.turn();
    const frames expected{{1, "before"}, {1, "still open"}, {8, close_body(1012, reason.substr(0, 122))}};
    CHECK(first.sent() == expected);
    CHECK(second.sent() == expected);
    CHECK(everyone.send_text("after").accepted == 0);
    desk<server> late(everyone);
    CHECK(late.joined == errc::closed);
    CHECK(everyone.size() == 2);
    CHECK(everyone.close_all(close_code::normal, "again", 5s) == errc::closed);
    first.end();
    CHECK(everyone.wait(manual_clock::now()) == errc::timed_out);
    second.end();
    CHECK(everyone.wait() == errc::none);
    const auto report = everyone.report();
    CHECK(report.joined == 2);
    CHECK(report.present == 0);
    CHECK(report.closed_in_order == 2);
    CHECK(report.failed + report.gone == 0);
    CHECK(report.first_failure == errc::none);
    CHECK(report.frames_written == 6);
    CHECK(report.frames_dropped == 0);
    CHECK(report.bytes_written == first.written.wire.bytes().size() + second.written.wire.bytes().size());
    CHECK(report.messages_handled == 6);
    CHECK(report.messages_dropped == 2);
}

TEST_CASE("a report adds up what was cut off and what failed", "[endpoint][group]") {
    group everyone;
    {
        desk<server> cut(everyone);
        desk<server> failed(everyone), failed_later(everyone);
        CHECK(everyone.send_text("dropped").accepted == 3);
        failed.written.out->abort(errc::pong_timeout, wsolo::duration::zero());
        failed.turn();
        failed.end();
        failed_later.written.out->abort(errc::write_failed, wsolo::duration::zero());
        failed_later.turn();
        failed_later.end();
    }
    const auto report = everyone.report();
    CHECK(report.joined == 3);
    CHECK(report.failed == 2);
    CHECK(report.gone == 1);
    CHECK(report.first_failure == errc::pong_timeout);
    CHECK(report.frames_dropped == 2);
    CHECK(report.bytes_dropped == 18);
}

TEST_CASE("a member that refuses its Close is aborted", "[endpoint][group]") {
    group everyone;
    desk<server> broken(everyone);
    desk<server> fine(everyone);
    broken.close_refused = errc::out_of_memory;
    CHECK(everyone.close_all(close_code::going_away, "", 5s) == errc::none);
    CHECK(broken.aborted == errc::out_of_memory);
    CHECK(fine.aborted == errc::none);
    CHECK(fine.closed_within == 5s);
    everyone.abort_all(errc::drain_timed_out);
    CHECK(fine.aborted == errc::drain_timed_out);
}

TEST_CASE("closes are spread over time, each begun by its member's loop, all within one bound",
          "[endpoint][group]") {
    constexpr std::size_t count = 40;
    for (const bool is_bounded : {true, false}) {
        group everyone;
        std::vector<std::unique_ptr<desk<server>>> desks;
        for (std::size_t i = 0; i < count; ++i) desks.push_back(std::make_unique<desk<server>>(everyone));
        const wsolo::time_point start = manual_clock::now();
        CHECK(everyone.close_all(close_code::going_away, "deploy", is_bounded ? 60s : 0s, 20s) == errc::none);
        std::size_t at_once = 0;
        for (auto& each : desks) {
            at_once += each->closed_at == start ? 1U : 0U;
            CHECK(each->turns_asked == (each->closed_at == start ? 0 : 1));
        }
        CHECK(at_once == 1);
        CHECK(everyone.send_text("those that wait for their turn are served").accepted == count - 1);
        // Each loop comes when its seat said; and one comes too often.
        std::vector<wsolo::time_point> began;
        for (int half_seconds = 0; half_seconds <= 40; ++half_seconds) {
            for (auto& each : desks) {
                const wsolo::time_point due = each->turn();
                if (each->closed_at != wsolo::time_point{}) {
                    CHECK(due == wsolo::no_deadline);
                    continue;
                }
                CHECK(due > manual_clock::now());
                CHECK(due < start + 20s);
            }
            manual_clock::advance(500ms);
        }
        for (auto& each : desks) {
            began.push_back(each->closed_at);
            CHECK(each->closed_within ==
                  (is_bounded ? start + 60s - each->closed_at : wsolo::duration::zero()));
            CHECK(each->sent().back() == std::pair<int, std::string>{8, close_body(1001, "deploy")});
        }
        std::ranges::sort(began);
        for (std::size_t i = 0; i < count; ++i) CHECK(began[i] == start + 500ms * static_cast<int>(i));
    }
}

TEST_CASE("a spread leaves the last one half of the time", "[endpoint][group]") {
    group everyone;
    desk<server> first(everyone), second(everyone);
    const wsolo::time_point start = manual_clock::now();
    CHECK(everyone.close_all(close_code::going_away, "", 10s, wsolo::duration::max()) == errc::none);
    const wsolo::time_point due = first.turn();
    const wsolo::time_point other = second.turn();
    CHECK(std::max(due, other) == wsolo::no_deadline); // begun
    CHECK(std::min(due, other) == start + 2500ms);
    manual_clock::advance(30s); // its loop comes far too late
    first.turn();
    second.turn();
    CHECK(std::min(first.closed_within, second.closed_within) == 1ms); // a bound all the same
    CHECK(std::max(first.closed_within, second.closed_within) == 10s);
    group alone;
    desk<server> only(alone);
    CHECK(alone.close_all(close_code::going_away, "", 0s, -5s) == errc::none);
    CHECK(only.closed_at == manual_clock::now());
    group unbounded;
    desk<server> one(unbounded), two(unbounded), three(unbounded);
    CHECK(unbounded.close_all(close_code::going_away, "", 0s, wsolo::duration::max()) == errc::none);
    CHECK(one.turns_asked + two.turns_asked + three.turns_asked == 2);
    for (auto* each : {&one, &two, &three}) // at the end of all times, but not never
        if (each->closed_at == wsolo::time_point{}) CHECK(each->seat.deadline() < wsolo::no_deadline);
}

TEST_CASE("a time that is over long ago is a bound all the same", "[endpoint][group]") {
    for (const wsolo::duration within : {wsolo::duration(-1s), wsolo::duration::min()}) {
        group everyone;
        desk<server> one(everyone), two(everyone);
        CHECK(everyone.close_all(close_code::going_away, "", within, GENERATE(0s, 5s)) == errc::none);
        one.turn();
        two.turn();
        CHECK(one.closed_within == 1ms);
        CHECK(two.closed_within == 1ms);
    }
}

TEST_CASE("a second close makes the rest close at once", "[endpoint][group]") {
    group everyone;
    std::vector<std::unique_ptr<desk<server>>> desks;
    for (int i = 0; i < 20; ++i) desks.push_back(std::make_unique<desk<server>>(everyone));
    const wsolo::time_point start = manual_clock::now();
    CHECK(everyone.close_all(close_code::service_restart, "slowly", 60s, 20s) == errc::none);
    manual_clock::advance(5s);
    for (int i = 0; i < 10; ++i) desks[static_cast<std::size_t>(i)]->turn();
    CHECK(everyone.close_all(close_code::normal, "now", 10s, 10s) == errc::closed);
    std::size_t now = 0;
    for (auto& each : desks) {
        REQUIRE(each->closed_at != wsolo::time_point{});
        if (each->closed_at == start) continue;
        now += each->closed_within == 10s ? 1U : 0U;
        CHECK(each->turn() == wsolo::no_deadline);
        CHECK(each->sent().back() == std::pair<int, std::string>{8, close_body(1012, "slowly")});
    }
    CHECK(now >= 10);
    group longer;
    desk<server> one(longer), two(longer);
    CHECK(longer.close_all(close_code::normal, "", 20s, 10s) == errc::none);
    CHECK(longer.close_all(close_code::normal, "", 90s) == errc::closed); // sooner, never later
    CHECK(one.closed_within == 20s);
    CHECK(two.closed_within == 20s);
    group empty;
    CHECK(empty.close_all(close_code::normal, "", 1s, 1s) == errc::none);
    CHECK(empty.wait() == errc::none);
}

TEST_CASE("a group may go before its members", "[endpoint][group]") {
    auto everyone = std::make_unique<group>();
    desk<server> first(*everyone), second(*everyone);
    CHECK(everyone->close_all(close_code::going_away, "", 10s, 5s) == errc::none);
    everyone.reset();
    manual_clock::advance(5s);
    CHECK(first.turn() == wsolo::no_deadline);
    CHECK(second.turn() == wsolo::no_deadline);
    CHECK(first.sent().size() + second.sent().size() == 2);
    first.end();
}

TEST_CASE("members may come, go and send while all are sent to", "[endpoint][group]") {
    group everyone;
    std::vector<std::unique_ptr<desk<server>>> desks;
    for (int i = 0; i < 40; ++i) desks.push_back(std::make_unique<desk<server>>(everyone));
    std::vector<std::unique_ptr<desk<server>>> late;
    std::size_t calls = 0;
    bool is_nested = false;
    const auto on_send = [&](std::size_t self) {
        if (is_nested) return;
        ++calls;
        if (late.size() < 100) late.push_back(std::make_unique<desk<server>>(everyone));
        if (self % 4 == 1 && self + 2 < desks.size()) desks[self + 2].reset(); // another one is destroyed
        if (self % 4 == 0) desks[self]->seat.leave();                          // itself
        if (self != 10) return;
        is_nested = true; // a walk from the begin to the end, beyond the place of the other one
        const std::size_t present = everyone.size();
        CHECK(everyone.send_text("inner").accepted == present);
        is_nested = false;
    };
    for (std::size_t i = 0; i < desks.size(); ++i) desks[i]->on_send = [&on_send, i] { on_send(i); };
    const auto sum = everyone.send_text("outer");
    CHECK(sum.accepted >= 20);
    CHECK(sum.accepted <= 40);
    CHECK(calls <= 40);
    std::size_t outer = 0;
    for (auto& each : desks) {
        if (each == nullptr) continue;
        each->turn();
        const frames sent = each->sent();
        outer += static_cast<std::size_t>(std::ranges::count(sent, std::pair<int, std::string>{1, "outer"}));
    }
    CHECK(outer <= sum.accepted);
    CHECK(outer >= 20);
    for (auto& each : late) {
        each->turn();
        for (const auto& [op, payload] : each->sent()) CHECK(payload == "inner");
    }
    const std::uint64_t present = everyone.report().present;
    desks.clear();
    late.clear();
    CHECK(everyone.report().present == 0);
    CHECK(present != 0);
    CHECK(everyone.report().joined == everyone.report().gone);
}
