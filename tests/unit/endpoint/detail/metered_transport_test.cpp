// Would catch: bytes that a transport took and that do not count, bytes that it only holds and that count as taken by the
// peer, and a call that does not reach the transport.

#include <support/catch.hpp>

#include <wsolo/endpoint/detail/metered_transport.hpp>
#include <wsolo/testing/completing_transport.hpp>
#include <wsolo/testing/scripted_transport.hpp>

namespace {

using wsolo::detail::metered_transport;

struct holding {
    std::size_t* held;
    wsolo::io_result write(std::span<const wsolo::const_bytes> parts, wsolo::time_point) const {
        *held += parts[0].size();
        return {wsolo::io_status::ok, parts[0].size(), 0};
    }
    void finish(wsolo::end_of_write) const {}
    void end_output() const {}
    void disconnect() const {}
    [[nodiscard]] std::size_t unsent() const { return *held; }
};

} // namespace

TEST_CASE("what a transport took counts, whatever it says", "[endpoint][metered_transport]") {
    wsolo::testing::scripted_wire wire;
    metered_transport to{wsolo::testing::scripted_transport(wire)};
    const wsolo::const_bytes part = wsolo::bytes_of("0123456789");
    static_cast<void>(to.write({&part, 1}, wsolo::no_deadline));
    CHECK(to.taken() == 10);
    wire.then({wsolo::io_status::would_block, 3, 0});
    static_cast<void>(to.write({&part, 1}, wsolo::no_deadline));
    CHECK(to.taken() == 13);
    to.finish(wsolo::end_of_write::failed);
    to.end_output();
    CHECK(wire.output_ended());
    CHECK_FALSE(wire.disconnected());
    to.disconnect();
    CHECK(wire.disconnected());
    CHECK(wire.finished_as() == wsolo::end_of_write::failed);
}

TEST_CASE("what a transport still holds was not taken by the peer", "[endpoint][metered_transport]") {
    std::size_t held = 0;
    metered_transport to{holding{&held}};
    const wsolo::const_bytes part = wsolo::bytes_of("0123456789");
    static_cast<void>(to.write({&part, 1}, wsolo::no_deadline));
    const std::uint64_t before = to.taken();
    held -= 4;
    CHECK(to.taken() - before == 4);
}

TEST_CASE("a started write counts when the next one starts", "[endpoint][metered_transport]") {
    wsolo::testing::completing_wire wire;
    metered_transport to{wsolo::testing::completing_transport(wire)};
    const wsolo::const_bytes part = wsolo::bytes_of("0123456789");
    to.start_write({&part, 1}, wsolo::no_deadline, {});
    CHECK(to.taken() == 0);
    CHECK(wire.in_flight());
    to.cancel_write();
    CHECK(wire.cancels() == 1);
    wire.lose();
    to.start_write({&part, 1}, wsolo::no_deadline, {});
    CHECK(to.taken() == 10);
    wire.lose();
}
