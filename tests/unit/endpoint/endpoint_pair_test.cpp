// Whole connections on a virtual clock. Would catch: an end that cuts off what the peer still says, in either role; a process
// that slept and blames its peer; an end that waits for a handler for ever.

#include <support/catch.hpp>

#include <wsolo/testing/pair.hpp>

using namespace std::chrono_literals;
using wsolo::errc;
using wsolo::testing::paired;

namespace {

struct counting {
    int got = 0;
    void on_message(auto&, wsolo::message&&) { ++got; }
};

template <class Side>
using other_side =
    std::conditional_t<Side::self == wsolo::role::server, wsolo::client_side<>, wsolo::server_side>;

/// A pool that never comes.
struct stuck {
    void operator()(const auto&) const {}
};

} // namespace

TEMPLATE_TEST_CASE("a Close that tells of half a message waits for the peer's like any other",
                   "[endpoint][pair]", wsolo::server_side, wsolo::client_side<>) {
    wsolo::testing::pair net(wsolo::testing::link_options{.latency = 50ms});
    auto& left = TestType::self == wsolo::role::server ? net.server : net.client;
    auto& right = TestType::self == wsolo::role::server ? net.client : net.server;
    paired<counting, TestType> whole(left.transport(), left.wake(), counting{});
    paired<counting, other_side<TestType>> peer(right.transport(), right.wake(), counting{});
    left.drive(whole);
    right.drive(peer);

    CHECK(peer.send_text("on its way while the end begins") == errc::none);
    net.run_for(20ms);
    {
        auto half = whole.writer().begin_message(wsolo::opcode::text);
        CHECK(half.write(wsolo::bytes_of("half of it")) == errc::none);
    } // which closes with 1011
    net.run_for(1ms);
    CHECK_FALSE(left.has_ended_output());
    CHECK(net.run_to_the_end(1s));
    CHECK(whole.handler().got == 1);
    CHECK(whole.how_it_ended().reason == errc::message_unfinished);
    CHECK(whole.how_it_ended().peer_closed);
    CHECK(whole.how_it_ended().code == wsolo::close_code::internal_error);
    CHECK(peer.how_it_ended().code == wsolo::close_code::internal_error);
}

TEMPLATE_TEST_CASE("both slept in the middle of a large message: neither blames the other",
                   "[endpoint][pair]", wsolo::server_side, wsolo::client_side<>) {
    wsolo::testing::pair net({.rate = 30'000, .send_buffer = 2'000, .receive_buffer = 2'000});
    auto& left = TestType::self == wsolo::role::server ? net.server : net.client;
    auto& right = TestType::self == wsolo::role::server ? net.client : net.server;
    paired<counting, TestType> whole(left.transport(), left.wake(), counting{});
    paired<counting, other_side<TestType>> peer(right.transport(), right.wake(), counting{});
    left.drive(whole);
    right.drive(peer);
    CHECK(whole.send_binary(wsolo::bytes_of(std::string(100'000, 'x'))) == errc::none);
    net.run_for(500ms);
    wsolo::testing::virtual_clock::advance(1h);
    net.run_for(10s);
    CHECK(peer.handler().got == 1);
    CHECK_FALSE(left.is_finished());
    CHECK_FALSE(right.is_finished());
}

TEMPLATE_TEST_CASE("a handler that is stuck with reading held up does not hold up the end",
                   "[endpoint][pair]", wsolo::server_side, wsolo::client_side<>) {
    wsolo::testing::pair net;
    auto& left = TestType::self == wsolo::role::server ? net.server : net.client;
    auto& right = TestType::self == wsolo::role::server ? net.client : net.server;
    wsolo::endpoint_options options;
    options.handling.max_messages = 1;
    paired<counting, TestType, stuck> whole(left.transport(), left.wake(), counting{}, options);
    paired<counting, other_side<TestType>> peer(right.transport(), right.wake(), counting{});
    left.drive(whole);
    right.drive(peer);
    for (int i = 0; i < 10; ++i) CHECK(peer.send_text("one of many") == errc::none);
    net.run_for(1s);
    CHECK(whole.close() == errc::none);
    net.run_for(16s); // the peer's answer, its end, the handler: 5 s each
    CHECK(left.is_finished());
    CHECK(whole.how_it_ended().handler_still_runs);
    CHECK(net.run_to_the_end(1min));
}
