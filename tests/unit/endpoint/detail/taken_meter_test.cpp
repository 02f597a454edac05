// Would catch: a dead peer whose system still takes a byte now and then and that counts as alive, a slow download that does
// not, and a pace that counts from the wrong moment.

#include <support/catch.hpp>

#include <wsolo/endpoint/detail/taken_meter.hpp>

namespace {

using namespace std::chrono_literals;
} // namespace

TEST_CASE("a pace is a sign of life, less is none", "[endpoint][taken_meter]") {
    wsolo::detail::taken_meter meter;
    meter.start(5000);
    CHECK_FALSE(meter.has_moved(5000, 100, 1s));
    CHECK_FALSE(meter.has_moved(5150, 100, 2s)); // since the start, not since that look
    CHECK_FALSE(meter.has_moved(5000, 100, 0s)); // no bytes in no time
    CHECK_FALSE(meter.has_moved(5199, 100, 2s));
    CHECK(meter.has_moved(5200, 100, 2s));
    CHECK_FALSE(meter.has_moved(5200, 100, 0s)); // it counts from there
    CHECK_FALSE(meter.has_moved(5299, 100, 1s));
    CHECK(meter.has_moved(5300, 100, 1s));
}

TEST_CASE("without a least rate any byte is one", "[endpoint][taken_meter]") {
    wsolo::detail::taken_meter meter;
    meter.start(7);
    CHECK_FALSE(meter.has_moved(7, 0, 1h));
    CHECK(meter.has_moved(8, 0, 24h));
}

TEST_CASE("a transport that says less than before has taken nothing", "[endpoint][taken_meter]") {
    wsolo::detail::taken_meter meter;
    meter.start(10);
    CHECK_FALSE(meter.has_moved(9, 0, 1s)); // what it holds may grow before what it took does
    meter.start(static_cast<std::uint64_t>(-4));
    CHECK(meter.has_moved(3, 0, 1s)); // only the difference means something
}

namespace {
struct holding {
    std::size_t held;
    [[nodiscard]] std::size_t unsent() const { return held; }
};
struct silent {};
} // namespace

TEST_CASE("what a transport still holds was not taken by the peer", "[endpoint][taken_meter]") {
    silent knows_nothing;
    CHECK(wsolo::detail::bytes_taken(10, knows_nothing) == 10);
    holding some{10};
    const std::uint64_t before = wsolo::detail::bytes_taken(10, some);
    some.held -= 4;
    CHECK(wsolo::detail::bytes_taken(10, some) - before == 4);
    some.held += 3;
    CHECK(wsolo::detail::bytes_taken(13, some) - before == 4);
}
