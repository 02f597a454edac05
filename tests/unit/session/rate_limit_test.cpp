// Would catch: a rate that small steps or small amounts leak past, a bucket that holds more than it may or that a
// refusal empties, an overflow after years or at four thousand million a second, a limit where none was asked for.

#include <support/catch.hpp>

#include <wsolo/session/rate_limit.hpp>

#include <random>

using namespace std::chrono_literals;
using wsolo::rate;
using wsolo::rate_limit;
using wsolo::time_point;

static_assert(sizeof(rate_limit) == 24);

namespace {

constexpr time_point start{100h};
constexpr std::uint32_t most = 0xFFFF'FFFF;

} // namespace

TEST_CASE("no rate is no limit", "[session][rate_limit]") {
    for (const rate bound : {rate{}, rate{.per_second = 0, .burst = 5}}) {
        rate_limit limit(bound, start);
        for (int i = 0; i < 100; ++i) CHECK(limit.take(UINT64_MAX, start));
    }
}

TEST_CASE("a second's worth and the burst may come at once, then the rate", "[session][rate_limit]") {
    rate_limit limit({.per_second = 10, .burst = 5}, start);
    for (int i = 0; i < 15; ++i) CHECK(limit.take(1, start));
    CHECK_FALSE(limit.take(1, start));
    CHECK_FALSE(limit.take(1, start + 99'999'999ns)); // a tenth of a second for one, to the nanosecond
    CHECK(limit.take(1, start + 100ms));
    CHECK_FALSE(limit.take(1, start + 100ms));
    CHECK_FALSE(limit.take(3, start + 399ms));
    CHECK(limit.take(3, start + 400ms));
    CHECK(limit.take(10, start + 1400ms));
    CHECK(limit.take(0, start + 1400ms));
    CHECK_FALSE(limit.take(1, start + 1400ms));
}

TEST_CASE("what is refused takes nothing", "[session][rate_limit]") {
    rate_limit limit({.per_second = 10, .burst = 0}, start);
    CHECK_FALSE(limit.take(11, start)); // more than it ever holds
    CHECK_FALSE(limit.take(UINT64_MAX, start + 1h));
    CHECK(limit.take(10, start + 1h));
    CHECK_FALSE(limit.take(5, start + 1h + 300ms));
    CHECK(limit.take(3, start + 1h + 300ms));
}

TEST_CASE("a long silence fills the bucket once", "[session][rate_limit]") {
    rate_limit limit({.per_second = 3, .burst = 4}, start);
    CHECK(limit.take(7, start));
    CHECK(limit.take(7, start + 24h * 3650));
    CHECK_FALSE(limit.take(1, start + 24h * 3650));
}

TEST_CASE("a clock that runs backwards brings nothing and costs nothing", "[session][rate_limit]") {
    rate_limit limit({.per_second = 10, .burst = 0}, start);
    CHECK(limit.take(10, start));
    CHECK_FALSE(limit.take(1, start - 1h));
    CHECK_FALSE(limit.take(1, start - 1h + 99ms));
    CHECK(limit.take(1, start - 1h + 100ms)); // not an hour later
}

TEST_CASE("small steps leak nothing and lose nothing", "[session][rate_limit]") {
    for (const std::uint32_t per_second : {1U, 3U, 7U, 999'999'937U, 3'000'000'019U, most}) {
        for (const std::uint32_t burst : {0U, 1U, 1000U, most}) {
            INFO(per_second << " a second, burst " << burst);
            rate_limit limit({.per_second = per_second, .burst = burst}, start);
            std::mt19937_64 draw(per_second + burst);
            const std::uint64_t held = std::uint64_t{per_second} + burst;
            CHECK(limit.take(held, start)); // empty now
            std::uint64_t granted = 0;
            wsolo::duration passed{};
            bool exact = true;
            for (int i = 0; i < 5000; ++i) {
                const std::uint64_t step = draw() % (i % 2 == 0 ? 10 : 400'000);
                passed += wsolo::duration(static_cast<std::int64_t>(step));
                // What has come by now, without a rounding: passed < 2^31 ns, so the product fits.
                const auto due = static_cast<std::uint64_t>(passed.count()) * per_second / 1'000'000'000;
                const std::uint64_t left = due - granted;
                const std::uint64_t count = left == 0 ? 0 : draw() % (left + 1);
                exact = exact && (left >= held || !limit.take(left + 1, start + passed));
                exact = exact && limit.take(count, start + passed);
                granted += count;
            }
            const auto due = static_cast<std::uint64_t>(passed.count()) * per_second / 1'000'000'000;
            exact = exact && limit.take(due - granted, start + passed);
            exact = exact && !limit.take(1, start + passed);
            CHECK(exact);
        }
    }
}

TEST_CASE("times and numbers at their ends do not overflow", "[session][rate_limit]") {
    rate_limit limit({.per_second = most, .burst = most}, time_point::min());
    CHECK(limit.take(std::uint64_t{most} * 2, time_point::min()));
    CHECK(limit.take(std::uint64_t{most} * 2, time_point::max()));
    CHECK_FALSE(limit.take(1, time_point::max()));
    CHECK_FALSE(limit.take(1, time_point::min()));
    constexpr bool compiles = [] {
        rate_limit one({.per_second = 1}, start);
        return one.take(1, start) && !one.take(1, start) && one.take(1, start + 1s);
    }();
    CHECK(compiles);
}
