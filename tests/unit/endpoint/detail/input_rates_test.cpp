// Would catch: a rate that is asked for and not kept, one kind's frames that are counted as another's, and a rate that
// no one asked for.

#include <support/catch.hpp>

#include <wsolo/endpoint/detail/input_rates.hpp>

namespace {

using namespace std::chrono_literals;
using kind = wsolo::detail::input_rates::kind;

constexpr kind kinds[] = {kind::messages, kind::bytes, kind::control_frames};
constexpr wsolo::time_point start = wsolo::time_point(1000s);

} // namespace

TEST_CASE("without a rate all may come", "[endpoint][input_rates]") {
    wsolo::detail::input_rates none(wsolo::reading_rate{}, start);
    CHECK_FALSE(wsolo::detail::input_rates::are_wanted({}));
    for (const kind each : kinds) CHECK(none.take(each, std::uint64_t{1} << 60U, start));
}

TEST_CASE("each rate bounds its own kind alone, from the start on", "[endpoint][input_rates]") {
    const kind bounded = GENERATE(kind::messages, kind::bytes, kind::control_frames);
    wsolo::reading_rate bound;
    (bounded == kind::messages ? bound.messages
     : bounded == kind::bytes  ? bound.bytes
                               : bound.control_frames) = {.per_second = 5, .burst = 2};
    wsolo::detail::input_rates rates(bound, start);
    CHECK(wsolo::detail::input_rates::are_wanted(bound));
    for (const kind each : kinds) {
        CHECK(rates.take(each, 7, start));
        CHECK(rates.take(each, 1, start) == (each != bounded));
        CHECK(rates.take(each, 5, start + 1s));
        CHECK(rates.take(each, 1, start + 1s) == (each != bounded));
    }
}
