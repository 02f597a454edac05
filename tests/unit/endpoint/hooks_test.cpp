// Would catch: a hook that is not called, is called with other things than documented or twice, and one whose exception
// unwinds the loop or does not end its connection.

#include <support/catch.hpp>

#include <wsolo/testing/pair.hpp>

#include <stdexcept>
#include <string>
#include <vector>

namespace {

using namespace std::chrono_literals;
using namespace wsolo::testing;
using wsolo::close_code;
using wsolo::errc;

/// Writes down what it is told, and throws where the test wants it.
struct telling {
    std::vector<std::string>* told;
    std::string throws_at;
    bool echoes = true;

    void say(const std::string& hook, const std::string& what) const {
        told->push_back(hook + " " + what);
        if (hook == throws_at) throw std::runtime_error("a hook's own");
    }
    errc on_message(auto& e, wsolo::message&& received) const {
        say("message", std::string(received.text()));
        return echoes ? e.send(received) : errc::none;
    }
    void on_ping(auto&, wsolo::const_bytes payload) const {
        say("ping", std::string(wsolo::text_of(payload)));
    }
    void on_pong(auto&, wsolo::const_bytes payload, std::optional<wsolo::duration> round_trip) const {
        say("pong", round_trip ? std::to_string(*round_trip / 1ms) : std::string(wsolo::text_of(payload)));
    }
    void on_peer_close(auto&, close_code code, std::string_view reason) const {
        say("peer_close", std::to_string(static_cast<int>(code)) + std::string(reason));
    }
    void on_room(auto&) const { say("room", ""); }
    void on_beat(auto&, bool rolled) const { say("beat", rolled ? "rolled" : ""); }
    void on_refused(auto&, wsolo::message&& refused) const { say("refused", std::string(refused.text())); }
    void on_finished(auto&, const wsolo::ending& how) const {
        say("finished", wsolo::to_string(how.reason).data());
    }
};

struct refilling {
    void on_message(auto&, wsolo::message&&) const {}
    void on_room(auto& e) const { CHECK(e.send_text("refilled") == errc::none); }
};

template <class Side>
struct hooked {
    using other =
        std::conditional_t<Side::self == wsolo::role::server, wsolo::client_side<>, wsolo::server_side>;

    explicit hooked(const wsolo::endpoint_options& options, std::string throws_at = {})
        : side(near().transport(), near().wake(), telling{&told, std::move(throws_at)}, options),
          peer(far().transport(), far().wake(), telling{&peer_told, {}, false}) {
        near().drive(side);
        far().drive(peer);
    }
    pair_end& near() { return Side::self == wsolo::role::server ? net.server : net.client; }
    pair_end& far() { return Side::self == wsolo::role::server ? net.client : net.server; }

    pair net{link_options{.latency = 10ms}};
    std::vector<std::string> told, peer_told;
    paired<telling, Side> side;
    paired<telling, other> peer;
};

using told_list = std::vector<std::string>;

} // namespace

TEMPLATE_TEST_CASE("each hook is told what happened", "[endpoint][hooks]", wsolo::server_side,
                   wsolo::client_side<>) {
    wsolo::endpoint_options options;
    options.beating = {.ping_interval = 3s, .pong_timeout = 3s, .beat_interval = 1s};
    options.handling = {.max_messages = 1, .when_full = wsolo::inbox_overflow::drop_newest};
    hooked<TestType> f(options);
    REQUIRE(f.peer.send_ping(wsolo::bytes_of("p")) == errc::none);
    f.net.run_for(100ms);
    CHECK(f.told == told_list{"ping p"});
    CHECK(f.peer_told == told_list{"pong p"}); // of no PING that the endpoint asked for by itself
    REQUIRE(f.peer.send_text("1") == errc::none);
    REQUIRE(f.peer.send_text("2") == errc::none);
    f.net.run_for(100ms);
    CHECK(f.told == told_list{"ping p", "refused 2", "message 1"});
    f.net.run_for(1s);
    CHECK(f.told.back() == "beat rolled");
    f.told.clear();
    f.net.run_for(2500ms); // 3 s of silence, and the answer
    CHECK(std::count(f.told.begin(), f.told.end(), "pong 20") == 1);
    REQUIRE(f.peer.close(close_code::going_away, "bye") == errc::none);
    REQUIRE(f.net.run_to_the_end());
    CHECK(f.told[f.told.size() - 2] == "peer_close 1001bye");
    CHECK(f.told.back() == "finished no error");
    CHECK(std::count(f.told.begin(), f.told.end(), "finished no error") == 1);
}

namespace {
struct takes_both {
    int *lent, *owned;
    void on_message(auto&, const wsolo::message&) const { ++*lent; }
    void on_message(auto&, wsolo::message&&) const { ++*owned; }
};
struct keeps_any {
    std::vector<wsolo::message>* kept;
    auto on_message(auto&, auto&& any) const { kept->push_back(std::forward<decltype(any)>(any)); }
};
struct moves_any {
    std::vector<wsolo::message>* kept;
    void on_message(auto&, auto&& any) const {
        kept->push_back(std::move(any));
    } // NOLINT(bugprone-move-forwarding-reference)
};
struct looks_at_any {
    int* lent;
    void on_message(auto&, const auto& any) const {
        *lent += std::is_same_v<decltype(any), const wsolo::message&> ? 1 : 0;
    }
};
} // namespace

TEST_CASE("a handler says whether it may keep its messages", "[endpoint][hooks]") {
    int owned = 0, lent = 0;
    const auto keeps = [&](auto&, wsolo::message&&) { ++owned; };
    const auto looks = [&](auto&, const wsolo::message&) { ++lent; };
    const auto takes = [&](auto&, wsolo::message) { ++owned; }; // NOLINT(performance-unnecessary-value-param)
    const auto hears = [](auto handler) {
        pair net{link_options{}};
        told_list told;
        paired<decltype(handler)> side(net.server.transport(), net.server.wake(), std::move(handler));
        paired<telling, wsolo::client_side<>> peer(net.client.transport(), net.client.wake(),
                                                   telling{&told, {}, false});
        net.server.drive(side);
        net.client.drive(peer);
        REQUIRE(peer.send_text("x") == errc::none);
        net.run_for(1s);
    };
    hears(keeps);
    CHECK(owned == 1);
    hears(takes);
    CHECK(owned == 2);
    hears(looks);
    CHECK(lent == 1);
    hears(takes_both{&lent, &owned}); // it does not copy what it need not
    CHECK(lent == 2);
    CHECK(owned == 2);

    // Generic ones. One that can be given both kinds is given its own, which it may move from.
    std::vector<wsolo::message> kept;
    hears(keeps_any{&kept});
    hears(moves_any{&kept});
    hears([&kept](auto&, auto&& any) {
        kept.push_back(std::move(any));
    }); // NOLINT(bugprone-move-forwarding-reference)
    hears([&kept](auto&, auto any) { kept.push_back(std::move(any)); });
    REQUIRE(kept.size() == 4);
    for (const wsolo::message& each : kept) CHECK(each.text() == "x");
    hears(looks_at_any{&lent});
    CHECK(lent == 3);
    hears([&lent](auto&, const auto&) { ++lent; });
    CHECK(lent == 4);
}

namespace {
template <class Handler>
constexpr bool is_lent = wsolo::detail::takes_lent<Handler, paired<Handler>>;
template <class Handler>
struct of_one_endpoint {
    Handler handler;
    void on_message(paired<of_one_endpoint>& e, const auto& any) { handler(e, any); }
};
struct plain_look {
    void operator()(auto&, const wsolo::message&) const {}
};
struct any_look {
    void operator()(auto&, const auto&) const {}
};
} // namespace

TEST_CASE("what a handler takes is seen without making its body", "[endpoint][hooks]") {
    CHECK(is_lent<takes_both>);
    CHECK(is_lent<looks_at_any>);
    CHECK(is_lent<plain_look>);
    CHECK(is_lent<any_look>);
    CHECK(is_lent<of_one_endpoint<plain_look>>);
    CHECK_FALSE(is_lent<keeps_any>);
    CHECK_FALSE(is_lent<moves_any>);
    CHECK_FALSE(is_lent<telling>);
}

TEMPLATE_TEST_CASE("a send that was refused is told of room", "[endpoint][hooks]", wsolo::server_side,
                   wsolo::client_side<>) {
    wsolo::endpoint_options options;
    const bool by_frames = GENERATE(true, false);
    if (by_frames) {
        options.writing.limits.max_frames = 4;
    } else {
        options.writing.limits.max_bytes = 4096;
    }
    hooked<TestType> f(options);
    f.net.run_for(100ms);
    CHECK(f.told.empty());
    errc last = errc::none;
    for (int i = 0; i < 100 && last == errc::none; ++i) last = f.side.send_text(std::string(200, 'x'));
    REQUIRE(last == errc::queue_full);
    CHECK(f.side.counters().sends_refused == 1);
    f.net.run_for(100ms);
    CHECK(std::count(f.told.begin(), f.told.end(), "room ") == 1);
    CHECK(f.side.send_text("now") == errc::none);
}

TEMPLATE_TEST_CASE("what on_room sends leaves without being asked for again", "[endpoint][hooks]",
                   wsolo::server_side, wsolo::client_side<>) {
    wsolo::endpoint_options options;
    options.beating.ping_interval = 0ms;
    options.writing.limits.max_frames = 4;
    pair net(link_options{.latency = 10ms});
    pair_end& near = TestType::self == wsolo::role::server ? net.server : net.client;
    pair_end& far = TestType::self == wsolo::role::server ? net.client : net.server;
    told_list peer_told;
    paired<refilling, TestType> side(near.transport(), near.wake(), refilling{}, options);
    paired<telling, typename hooked<TestType>::other> peer(far.transport(), far.wake(),
                                                           telling{&peer_told, {}, false});
    near.drive(side);
    far.drive(peer);
    for (int i = 0; i < 5; ++i) static_cast<void>(side.send_text("first")); // the last is refused
    net.run_for(1s);
    REQUIRE(peer_told.size() == 5);
    CHECK(peer_told.back() == "message refilled");
}

TEMPLATE_TEST_CASE("a hook that throws ends its own connection", "[endpoint][hooks]", wsolo::server_side,
                   wsolo::client_side<>) {
    const std::string hook = GENERATE(as<std::string>(), "message", "ping", "pong", "peer_close", "room",
                                      "beat", "refused", "finished");
    wsolo::endpoint_options options;
    options.beating = {.ping_interval = 3s, .pong_timeout = 3s, .beat_interval = 5s};
    options.handling = {.max_messages = 1, .when_full = wsolo::inbox_overflow::drop_newest};
    options.writing.limits.max_frames = 4;
    hooked<TestType> f(options, hook);
    f.net.run_for(10ms);
    REQUIRE(f.peer.send_ping() == errc::none);
    REQUIRE(f.peer.send_text("1") == errc::none);
    REQUIRE(f.peer.send_text("2") == errc::none);
    for (int i = 0; i < 5; ++i) static_cast<void>(f.side.send_text("push")); // the last is refused
    f.net.run_for(20s);
    static_cast<void>(f.peer.close());
    REQUIRE(f.net.run_to_the_end());
    INFO(hook);
    const bool in_time = hook != "finished" && hook != "peer_close"; // then the end is under way already
    CHECK(f.side.how_it_ended().reason == (hook == "finished" ? errc::none : errc::handler_failed));
    if (in_time) CHECK(f.peer.how_it_ended().code == close_code::internal_error);
    CHECK(f.told.back().starts_with("finished"));
}

TEMPLATE_TEST_CASE("counters add up what came", "[endpoint][hooks]", wsolo::server_side,
                   wsolo::client_side<>) {
    hooked<TestType> f({});
    REQUIRE(f.peer.send_text("123") == errc::none);
    REQUIRE(f.peer.send_binary(wsolo::bytes_of("4567")) == errc::none);
    REQUIRE(f.peer.send_ping() == errc::none);
    f.net.run_for(1s);
    wsolo::endpoint_counters sum = f.side.counters();
    sum += f.peer.counters();
    CHECK(sum.texts_received == 2); // with the echoes
    CHECK(sum.binaries_received == 2);
    CHECK(sum.bytes_received == 14);
    CHECK(sum.pings_received == 1);
    CHECK(sum.pongs_received == 1);
}

namespace {

/// Its hooks' names can't be looked up: it is final, and they are templates.
struct final_beating final {
    void on_message(auto&, const wsolo::message&) {}
    void on_beat(auto&, bool) {}
};
struct silent_final final {
    void on_message(auto&, const wsolo::message&) {}
};
struct silent_open {
    void on_message(auto&, const wsolo::message&) {}
};
static_assert(wsolo::detail::may_have_on_beat<final_beating>());
static_assert(wsolo::detail::may_have_on_beat<silent_final>()); // it is not known
static_assert(!wsolo::detail::may_have_on_beat<silent_open>());

} // namespace
