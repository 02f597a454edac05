// Would catch: an endpoint that does not begin a spread close at its time, stays in its group after its end or its
// destruction, joins a group that closes, or whose ending is not in the group's sum.

#include <support/catch.hpp>

#include <wsolo/testing/pair.hpp>

#include <memory>
#include <vector>

namespace {

using namespace std::chrono_literals;
using namespace wsolo::testing;
using wsolo::close_code;
using wsolo::errc;
using group = wsolo::basic_connection_group<virtual_traits>;

struct noting {
    std::vector<std::string>* got;
    void on_message(auto&, wsolo::message&& received) const { got->emplace_back(received.text()); }
};

/// A server's connection that joins, and its client.
struct member {
    explicit member(group& everyone)
        : served(net.server.transport(), net.server.wake(), noting{&at_server}),
          client(net.client.transport(), net.client.wake(), noting{&at_client}) {
        net.server.drive(*served);
        net.client.drive(client);
        joined = served->join(everyone);
    }
    pair net{link_options{.latency = 10ms}};
    std::vector<std::string> at_server, at_client;
    struct by_pointer {
        template <class... Arguments>
        explicit by_pointer(Arguments&&... arguments)
            : whole(std::make_unique<paired<noting>>(std::forward<Arguments>(arguments)...)) {}
        paired<noting>* operator->() const { return whole.get(); }
        paired<noting>& operator*() const { return *whole; }
        std::unique_ptr<paired<noting>> whole;
    } served;
    paired<noting, wsolo::client_side<>> client;
    errc joined = errc::none;
};

} // namespace

TEST_CASE("endpoints get what is sent to all, and close in their own loops", "[endpoint][group]") {
    group everyone;
    std::vector<std::unique_ptr<member>> members;
    for (int i = 0; i < 4; ++i) members.push_back(std::make_unique<member>(everyone));
    CHECK(everyone.send_text("tick").accepted == 4);
    for (const auto& each : members) {
        each->net.run_for(100ms);
        CHECK(each->at_client == std::vector<std::string>{"tick"});
    }
    members[3]->served.whole.reset(); // cut off
    members[3]->net.server.close();
    CHECK(everyone.size() == 3);

    const wsolo::time_point began = virtual_clock::now();
    REQUIRE(everyone.close_all(close_code::service_restart, "deploy", 30s, 6s) == errc::none);
    member late(everyone);
    CHECK(late.joined == errc::closed);
    for (std::size_t i = 0; i < 3; ++i) REQUIRE(members[i]->net.run_to_the_end());
    CHECK(virtual_clock::now() - began >= 4s); // spread over six seconds, the first at once
    CHECK(everyone.wait(virtual_clock::now()) == errc::none);
    const wsolo::group_report sum = everyone.report();
    CHECK(sum.joined == 4);
    CHECK(sum.present == 0);
    CHECK(sum.closed_in_order == 3);
    CHECK(sum.gone == 1);
    CHECK(members[0]->client.how_it_ended().code == close_code::service_restart);
}
