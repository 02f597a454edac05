// The heap refuses the n-th allocation of a writer, for every n, in histories of one thread that perform every
// operation: each call says out_of_memory and has no effect, or succeeds, and all rules of the histories hold.
// Bugs it would catch: what is done before the memory for it is there, and what then stays or is lost.
//
// WSOLO_HISTORY_SEED and WSOLO_HISTORY_COUNT choose the histories, WSOLO_HISTORY_REFUSE=n one n.

#include "lone_history.hpp"
#include "survey.hpp"

#include <support/catch.hpp>

using namespace histories;

#if HISTORIES_REFUSE_MEMORY

namespace {

/// The n at which a rule is broken, or 0.
std::size_t run_short_of_memory(std::uint64_t seed, std::size_t& runs) {
    const std::uint64_t only = number_of_environment("WSOLO_HISTORY_REFUSE", 0);
    shrinking less = shrinking_of_environment();
    for (std::size_t in_a_row : {std::size_t{1}, std::size_t{1000}}) {
        for (std::size_t nth = only != 0 ? only : 1;; ++nth) {
            less.refused_allocation = nth;
            less.refused_in_a_row = in_a_row;
            lone_history(seed, lone_history::draw(seed), less).run();
            ++runs;
            if (journal::is_broken()) return nth;
            if (!heap::has_refused() || only != 0) break; // there was no n-th
        }
    }
    return 0;
}

} // namespace

TEST_CASE("a writer keeps its rules whichever of its allocations fails", "[history][memory]") {
    const range seeds = range_of_environment(80);
    std::size_t runs = 0;
    if (wants_survey())
        return survey("[memory]", seeds, [&](std::uint64_t seed) {
            lone_history(seed, lone_history::draw(seed), shrinking_of_environment()).run();
            if (journal::is_broken()) ::_exit(0); // broken as it is
            static_cast<void>(run_short_of_memory(seed, runs));
        });
    for (std::uint64_t seed = seeds.first; seed < seeds.first + seeds.count; ++seed) {
        if (const std::size_t nth = run_short_of_memory(seed, runs))
            FAIL("WSOLO_HISTORY_SEED=" << seed << " WSOLO_HISTORY_REFUSE=" << nth << "\n"
                                       << journal::text() << journal::broken_rule() << ": "
                                       << journal::broken_how());
    }
    CHECK(runs > 2 * seeds.count);
    const std::string missing = lone_history::never_performed();
    // A lost completion is rare, and asks for no memory.
    if (seeds.count >= 80) CHECK((missing == "" || missing == " lose"));
}

#endif
