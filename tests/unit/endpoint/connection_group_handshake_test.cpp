// Connections that join a group before they are open. Would catch: one that is sent to before its 101 has left, that is never
// a member, or stays one; a group that closes while a handshake goes on and leaves that connection open, or waits for it.

#include <support/connection_fixture.hpp>

#include <memory>

namespace {

using group = wsolo::basic_connection_group<manual_traits>;
using wsolo::close_code;

std::string request() { return handshake_samples::rfc_request().text(); }
std::string answer() { return handshake_samples::rfc_response().without("Sec-WebSocket-Protocol").text(); }

/// A connection of either side, with the bytes that open it.
template <class Connection>
struct joining : driven_connection<Connection> {
    static constexpr bool is_server = Connection::endpoint_type::self == wsolo::role::server;

    joining() {
        wsolo::testing::scripted_transport to(wire);
        if constexpr (is_server)
            this->whole.emplace(std::move(to), counted_schedule{&this->log}, server_handler{{&this->log}},
                                quiet_options::server());
        else
            this->whole.emplace(std::move(to), counted_schedule{&this->log}, client_handler{{&this->log}},
                                wsolo::client_request{.host = "h"}, sample_nonce{}, quiet_options::client());
        this->run();
    }
    void open() { this->receive(is_server ? request() : answer()); }
    void receive_close() {
        this->receive(frame_from(is_server ? wsolo::role::client : wsolo::role::server, 0x88, "\x03\xe9"));
    }
    void stall() {
        wire.rule([] { return wsolo::testing::scripted_step{io_status::would_block, 0, 0}; });
    }
    void flow() {
        wire.rule([] { return wsolo::testing::scripted_step{}; });
    }
    [[nodiscard]] seen_on_wire seen() const { return seen_on_wire(wire.bytes(), !is_server); }

    wsolo::testing::scripted_wire wire;
};
using joining_server = joining<server_of<wsolo::testing::scripted_transport>>;
using joining_client = joining<client_of<wsolo::testing::scripted_transport>>;

const sent_frames closed_by_group{{8, "\x03\xe9restart"}};

} // namespace

TEMPLATE_TEST_CASE("a connection is a member from its opening to its end", "[connection][group]",
                   joining_server, joining_client) {
    group everyone;
    TestType one;
    one.log.greeting = "welcome";
    REQUIRE(one.whole->join(everyone) == errc::none);
    CHECK(everyone.size() == 0);
    CHECK(everyone.send_text("too early").accepted == 0);
    one.open();
    CHECK(everyone.size() == 1);
    CHECK(everyone.send_text("to all").accepted == 1);
    one.run();
    CHECK(one.seen().frames == sent_frames{{1, "welcome"}, {1, "to all"}});
    one.receive_close();
    one.end_of_input();
    CHECK(one.wants.finished);
    CHECK(everyone.report().joined == 1);
    CHECK(everyone.report().closed_in_order == 1);
    CHECK(everyone.report().present == 0);
}

TEMPLATE_TEST_CASE("a connection that is open joins at once, and moves", "[connection][group]",
                   joining_server, joining_client) {
    group first, second;
    TestType one;
    one.open();
    REQUIRE(one.whole->join(first) == errc::none);
    CHECK(first.size() == 1);
    REQUIRE(one.whole->join(second) == errc::none);
    CHECK(first.size() == 0);
    CHECK(second.size() == 1);
    TestType other;
    REQUIRE(other.whole->join(first) == errc::none);
    REQUIRE(other.whole->join(second) == errc::none); // before it is open, too
    other.open();
    CHECK(first.size() == 0);
    CHECK(second.size() == 2);
}

TEMPLATE_TEST_CASE("a connection that never opens was never a member", "[connection][group]", joining_server,
                   joining_client) {
    group everyone;
    TestType one;
    REQUIRE(one.whole->join(everyone) == errc::none);
    one.receive("nonsense\r\n\r\n");
    one.end_of_input();
    CHECK(one.wants.finished);
    CHECK(everyone.report().joined == 0);
    CHECK(one.whole->join(everyone) == errc::closed);
    REQUIRE(everyone.close_all(close_code::going_away, "", 1s) == errc::none);
    CHECK(everyone.wait(manual_clock::now()) == errc::none);
}

TEST_CASE("a connection that asks to join a closed group is told so", "[connection][group]") {
    group everyone;
    REQUIRE(everyone.close_all(close_code::going_away, "restart", 5s) == errc::none);
    joining_server one;
    CHECK(one.whole->join(everyone) == errc::closed);
    one.open();
    CHECK(one.whole->opened() != nullptr); // it goes on without
}

TEST_CASE("a request that comes after the group closed is answered by 503, at every split",
          "[connection][group]") {
    const std::string input = request();
    for (std::size_t cut = 0; cut < input.size(); ++cut) {
        group everyone;
        joining_server one;
        REQUIRE(one.whole->join(everyone) == errc::none);
        one.receive(input.substr(0, cut));
        REQUIRE(everyone.close_all(close_code::going_away, "restart", 5s) == errc::none);
        CHECK(everyone.wait(manual_clock::now()) == errc::none); // no one waits for it
        one.receive(input.substr(cut));
        REQUIRE(one.seen().status() == "HTTP/1.1 503");
        REQUIRE(one.whole->opened() == nullptr);
        REQUIRE(one.log.asked == 0);
        one.end_of_input();
        REQUIRE(one.wants.finished);
    }
}

TEST_CASE("a timer is enough to say 503", "[connection][group]") {
    group everyone;
    joining_server one;
    REQUIRE(one.whole->join(everyone) == errc::none);
    REQUIRE(everyone.close_all(close_code::going_away, "restart", 5s) == errc::none);
    one.run();
    CHECK(one.seen().status() == "HTTP/1.1 503");
}

TEST_CASE("a parsed request that comes after the group closed is answered by 503", "[connection][group]") {
    group everyone;
    joining_server one;
    REQUIRE(one.whole->join(everyone) == errc::none);
    REQUIRE(everyone.close_all(close_code::going_away, "restart", 5s) == errc::none);
    one.wants = one.whole->take_request({.target = "/chat"});
    CHECK(one.seen().status() == "HTTP/1.1 503");
}

TEST_CASE("a client goes when its group closed before the answer", "[connection][group]") {
    group everyone;
    joining_client one;
    REQUIRE(one.whole->join(everyone) == errc::none);
    REQUIRE(everyone.close_all(close_code::going_away, "restart", 5s) == errc::none);
    one.open();
    CHECK(one.wants.finished);
    CHECK(one.whole->opened() == nullptr);
    CHECK(one.whole->how_it_ended().reason == errc::aborted);
}

TEST_CASE("a group that closes while the 101 is on its way closes what opens", "[connection][group]") {
    group everyone;
    joining_server one;
    REQUIRE(one.whole->join(everyone) == errc::none);
    one.stall();
    one.receive(request() + frame_from(wsolo::role::client, 0x81, "early"));
    REQUIRE(everyone.close_all(close_code::going_away, "restart", 5s) == errc::none);
    one.flow();
    one.run();
    CHECK(one.log.opened == 1);
    CHECK(one.seen().status() == "HTTP/1.1 101");
    CHECK(one.seen().frames == closed_by_group);
    one.receive_close();
    one.end_of_input();
    CHECK(one.wants.finished);
    CHECK(one.whole->how_it_ended().reason == errc::none);
    CHECK(everyone.report().joined == 0);
}

TEST_CASE("the Close of what opens late is bounded as the group's is", "[connection][group]") {
    group everyone;
    joining_server one;
    REQUIRE(one.whole->join(everyone) == errc::none);
    one.stall();
    one.receive(request());
    REQUIRE(everyone.close_all(close_code::going_away, "restart", 4s) == errc::none);
    manual_clock::advance(1s);
    int left = 1; // the 101 leaves, and then nothing
    one.wire.rule([&] {
        return left-- > 0 ? wsolo::testing::scripted_step{}
                          : wsolo::testing::scripted_step{io_status::would_block, 0, 0};
    });
    one.run();
    REQUIRE(one.whole->opened() != nullptr);
    CHECK(one.wants.deadline <= manual_clock::now() + 3s);
    manual_clock::advance(3s);
    one.run();
    CHECK(one.whole->how_it_ended().written.reason == errc::drain_timed_out);
}

TEMPLATE_TEST_CASE("a connection may outlive the group that it was to join", "[connection][group]",
                   joining_server, joining_client) {
    auto everyone = std::make_unique<group>();
    TestType one, two;
    REQUIRE(one.whole->join(*everyone) == errc::none);
    REQUIRE(two.whole->join(*everyone) == errc::none);
    everyone.reset();
    one.open();
    CHECK(one.whole->opened() != nullptr);
    two.whole.reset();
}
