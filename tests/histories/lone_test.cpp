// Random histories of one thread, on a clock that stands still. Bugs it would catch: see lone_history.hpp and
// oracle.hpp; in short everything that crosses two parts of the writer, and user code that calls back in.
//
// WSOLO_HISTORY_SEED=n   the first seed (1)          WSOLO_HISTORY_COUNT=n  how many
// WSOLO_HISTORY_CUT=n    ends the operations after n  WSOLO_HISTORY_SKIP=a,b leaves some out
// WSOLO_HISTORY_IGNORE=a,b leaves rules out, to look at what comes after
// WSOLO_HISTORY_SURVEY=1 each seed in a process of its own, a table of the rules that were broken; never red

#include "lone_history.hpp"
#include "survey.hpp"

#include <support/catch.hpp>

using namespace histories;

namespace {

void run_lone(std::uint64_t seed) {
    lone_history(seed, lone_history::draw(seed), shrinking_of_environment()).run();
}

} // namespace

TEST_CASE("a writer keeps its rules in random histories of one thread", "[history][lone]") {
    const range seeds = range_of_environment(4000);
    if (wants_survey()) return survey("[lone]", seeds, run_lone);
    for (std::uint64_t seed = seeds.first; seed < seeds.first + seeds.count; ++seed) {
        run_lone(seed);
        if (journal::is_broken())
            FAIL("WSOLO_HISTORY_SEED=" << seed << "\n"
                                       << journal::text() << journal::broken_rule() << ": "
                                       << journal::broken_how());
    }
    if (seeds.count > 1000) CHECK(lone_history::never_performed() == "");
    if (seeds.count > 1000) CHECK((oracle::compressed_ > seeds.count / 10 || !WSOLO_TEST_ZLIB));
    CHECK(seeds.count != 0);
}
