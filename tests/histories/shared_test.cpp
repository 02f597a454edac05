// Random histories of several threads. Bugs it would catch: what needs two threads, and a memory or a race
// that a sanitizer sees. WSOLO_HISTORY_SEED and WSOLO_HISTORY_COUNT choose; see lone_test.cpp.

#include "shared_history.hpp"
#include "survey.hpp"

#include <support/catch.hpp>

using namespace histories;

namespace {

void run_shared(std::uint64_t seed) { shared_history(seed, shared_history::draw(seed)).run(); }

} // namespace

TEST_CASE("a writer keeps its rules in random histories of several threads", "[history][shared]") {
    const range seeds = range_of_environment(200);
    if (wants_survey()) return survey("[shared]", seeds, run_shared);
    for (std::uint64_t seed = seeds.first; seed < seeds.first + seeds.count; ++seed) {
        run_shared(seed);
        if (journal::is_broken())
            FAIL("WSOLO_HISTORY_SEED=" << seed << "\n"
                                       << journal::text() << journal::broken_rule() << ": "
                                       << journal::broken_how());
    }
    CHECK(seeds.count != 0);
}
