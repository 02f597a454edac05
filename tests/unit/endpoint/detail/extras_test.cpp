// Would catch: a block that is there for nothing, that stays when all in it is over or goes before, and a part of it that takes
// another with it.

#include <support/catch.hpp>
#include <support/heap.hpp>

#include <wsolo/endpoint/detail/extras.hpp>

namespace {

using namespace std::chrono_literals;
using wsolo::bytes_of;
using wsolo::errc;
using wsolo::detail::extras;
using kind = wsolo::detail::input_rates::kind;

constexpr wsolo::time_point start = wsolo::time_point(1000s);
static_assert(sizeof(extras) == sizeof(void*)); // an idle connection holds one of these

} // namespace

TEST_CASE("without any of them there is no block", "[endpoint][extras]") {
    const support::heap_counts before = support::heap_now();
    extras none({}, start);
    CHECK(none.has_its_rates({}));
    CHECK(none.is_in_rate(kind::bytes, std::uint64_t{1} << 60U, start));
    CHECK_FALSE(none.keeps());
    CHECK(none.kept_size() == 0);
    CHECK(none.kept().empty());
    none.keep_last(0);
    CHECK_FALSE(none.is_close_due(true, wsolo::no_deadline));
    CHECK(none.close_deadline() == wsolo::no_deadline);
    CHECK(support::heap_now().taken == before.taken);
}

TEST_CASE("the block is there as long as something is in it", "[endpoint][extras]") {
    const support::heap_counts before = support::heap_now();
    const auto holds = [&](long blocks) {
        return WSOLO_TEST_COUNTS_HEAP == 0 || support::heap_now().held - before.held == blocks;
    };
    extras some({}, start);
    REQUIRE(some.keep(bytes_of("abc")));
    REQUIRE(some.owe(errc::connection_lost, start + 5s));
    REQUIRE(some.owe(errc::timed_out, start + 1s)); // the first stands
    CHECK(holds(2));
    some.keep_last(1);
    CHECK(wsolo::text_of(some.kept()) == "c");
    some.keep_last(0);
    CHECK_FALSE(some.keeps());
    CHECK(holds(1)); // the Close is still owed
    CHECK(some.close_deadline() == start + 5s);
    CHECK_FALSE(some.is_close_due(false, start));
    REQUIRE(some.is_close_due(false, start + 5s));
    CHECK(some.take_close().error == errc::connection_lost);
    CHECK(holds(0));

    REQUIRE(some.owe(errc::connection_lost, start));
    REQUIRE(some.keep(bytes_of("abc")));
    static_cast<void>(some.take_close());
    CHECK(some.kept_size() == 3);
    CHECK(some.is_in_rate(kind::messages, 1'000'000, start)); // it has no rates
    some.keep_last(0);
    CHECK(holds(0));
}

TEST_CASE("rates stay when what was beside them is over", "[endpoint][extras]") {
    const wsolo::reading_rate bound{.messages = {.per_second = 5}};
    extras rated(bound, start);
    CHECK(rated.has_its_rates(bound));
    CHECK(rated.is_in_rate(kind::messages, 5, start));
    REQUIRE(rated.keep(bytes_of("abc")));
    rated.keep_last(0);
    REQUIRE(rated.owe(errc::connection_lost, start));
    static_cast<void>(rated.take_close());
    CHECK_FALSE(rated.is_in_rate(kind::messages, 1, start));
    CHECK(rated.is_in_rate(kind::bytes, 1, start));
}
