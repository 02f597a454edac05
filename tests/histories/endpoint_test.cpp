// Random histories of two endpoints over a pair, on a virtual clock. Bugs it would catch: messages lost, doubled or torn at
// an end, in whichever order the sides close; an end that is early, late, twice or never; a healthy peer that is cut; two
// sides that wait for each other; counts that do not add up; user code that re-enters. See endpoint_history.hpp.
//
// The environment is that of lone_test.cpp: WSOLO_HISTORY_SEED, _COUNT, _CUT, _SKIP, _IGNORE, _SURVEY.

#include "endpoint_history.hpp"
#include "survey.hpp"

#include <support/catch.hpp>

using namespace histories;

namespace {

void run_endpoints(std::uint64_t seed) { endpoint_history(seed, shrinking_of_environment()).run(); }

void run_all(range seeds) {
    for (std::uint64_t seed = seeds.first; seed < seeds.first + seeds.count; ++seed) {
        run_endpoints(seed);
        if (journal::is_broken())
            FAIL("WSOLO_HISTORY_SEED=" << seed << "\n"
                                       << journal::text() << journal::broken_rule() << ": "
                                       << journal::broken_how());
    }
}

} // namespace

TEST_CASE("two endpoints keep their rules in random histories", "[history][endpoint]") {
    const range seeds = range_of_environment(250);
    if (wants_survey()) return survey("[endpoint]", seeds, run_endpoints);
    run_all(seeds);
    if (seeds.count >= 250) {
        CHECK(endpoint_history::never_performed() == (WSOLO_TEST_ZLIB ? "" : " trim"));
        if (WSOLO_TEST_ZLIB) CHECK(endpoint_history::compressed_messages() > 1000);
    }
    CHECK(seeds.count != 0);
}

TEST_CASE("two endpoints keep their rules in many random histories", "[.full]") { run_all({1'000, 3'000}); }
