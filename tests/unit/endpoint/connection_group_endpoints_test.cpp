// Would catch: an endpoint that is no member, or stays one when it is over; a close that its own loop does not begin at
// its time; an ending that is not in the group's report.

#include <support/catch.hpp>

#include <wsolo/endpoint/connection_group.hpp>
#include <wsolo/testing/pair.hpp>

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

using namespace std::chrono_literals;
using wsolo::close_code;
using wsolo::errc;
using wsolo::testing::paired;
using wsolo::testing::virtual_clock;

namespace {

using group = wsolo::basic_connection_group<wsolo::testing::virtual_traits>;

struct listening {
    std::vector<std::string> got;
    close_code code = close_code::abnormal;
    std::string reason;
    wsolo::time_point closed{};
    void on_message(auto&, wsolo::message&& received) { got.emplace_back(received.text()); }
    void on_peer_close(auto&, close_code why, std::string_view said) {
        code = why;
        reason = said;
        closed = virtual_clock::now();
    }
};

/// A connection, both sides of it.
struct connection {
    wsolo::testing::pair net{{.latency = 1ms}};
    paired<listening> server{net.server.transport(), net.server.wake(), listening{}};
    paired<listening, wsolo::client_side<>> client{net.client.transport(), net.client.wake(), listening{}};
    connection() {
        net.server.drive(server);
        net.client.drive(client);
    }
};

} // namespace

TEST_CASE("endpoints of both sides are members, and each peer gets what is sent to all",
          "[endpoint][group]") {
    group everyone;
    connection one;
    REQUIRE(one.server.join(everyone) == errc::none);
    REQUIRE(one.client.join(everyone) == errc::none);
    CHECK(everyone.send_text("tick").accepted == 2);
    CHECK(everyone.send_text(std::string(2000, 'x')).accepted == 2);
    one.net.run_for(100ms);
    CHECK(one.client.handler().got == std::vector<std::string>{"tick", std::string(2000, 'x')});
    CHECK(one.server.handler().got == one.client.handler().got);
    CHECK(one.server.close() == errc::none);
    one.net.run_for(10s);
    CHECK(everyone.size() == 0); // both are finished
    CHECK(one.server.join(everyone) == errc::closed);
    const auto report = everyone.report();
    CHECK(report.closed_in_order == 2);
    CHECK(report.frames_written == 6);
    CHECK(report.messages_handled == 4);
}

TEST_CASE("endpoints close at their times, and the group waits for the last", "[endpoint][group]") {
    group everyone;
    std::vector<std::unique_ptr<connection>> connections;
    for (int i = 0; i < 4; ++i) {
        connections.push_back(std::make_unique<connection>());
        REQUIRE(connections.back()->server.join(everyone) == errc::none);
    }
    for (auto& each : connections) each->net.run_for(10ms);
    const wsolo::time_point start = virtual_clock::now();
    REQUIRE(everyone.close_all(close_code::service_restart, "deploy", 20s, 8s) == errc::none);
    connection late;
    CHECK(late.server.join(everyone) == errc::closed);
    CHECK(everyone.wait(virtual_clock::now()) == errc::timed_out);
    for (int i = 0; i < 2000 && everyone.size() != 0;
         ++i) // the loops share a clock: each is late by the others' turns
        for (auto& each : connections) each->net.run_for(2ms);
    CHECK(everyone.wait(virtual_clock::now()) == errc::none);
    std::vector<wsolo::duration> closed;
    for (auto& each : connections) {
        CHECK(each->client.handler().code == close_code::service_restart);
        CHECK(each->client.handler().reason == "deploy");
        closed.push_back(each->client.handler().closed - start);
    }
    std::ranges::sort(closed);
    for (int i = 0; i < 4; ++i) {
        const wsolo::duration after = closed[static_cast<std::size_t>(i)] - 2s * i;
        CHECK(after >= 0s);
        CHECK(after < 100ms);
    }
    CHECK(everyone.report().closed_in_order == 4);
}

TEST_CASE("an endpoint that is destroyed has left", "[endpoint][group]") {
    group everyone;
    auto one = std::make_unique<connection>();
    REQUIRE(one->server.join(everyone) == errc::none);
    group other;
    REQUIRE(one->server.join(other) == errc::none); // moves
    CHECK(everyone.size() == 0);
    REQUIRE(one->client.join(everyone) == errc::none);
    one.reset();
    CHECK(everyone.size() == 0);
    CHECK(everyone.report().gone == 2);
    CHECK(other.report().gone == 1);
}
