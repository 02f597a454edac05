// Whole connections on a virtual clock. Would catch: an end that cuts off what the peer still says, in either role.

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

} // namespace

TEMPLATE_TEST_CASE("a Close that tells of half a message waits for the peer's like any other",
                   "[endpoint][pair]", wsolo::server_side, wsolo::client_side<>) {
    wsolo::testing::pair net({.latency = 50ms});
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
