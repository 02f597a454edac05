#pragma once
// What a test asks of a search; the report goes with the assertion that follows.

#include "explore.hpp"

#include <support/catch.hpp>

#include <set>

namespace interleave {

/// All schedules within the bounds were run, none failed.
inline bool passes(const result& done) {
    UNSCOPED_INFO(done.report());
    return done.passed();
}

/// One failed, and says `words`.
inline bool fails_with(const result& done, const char* words) {
    UNSCOPED_INFO(done.report());
    return done.failed && done.failure.find(words) != std::string::npos;
}

/// What can come out of a scenario, as it says itself.
using outcomes = std::set<int>;
using open_scenario = void (*)(scenario&, outcomes&);

/// Two preemptions (or as told) and one deviation: no schedule fails, and exactly `expected` comes out.
inline bool holds(open_scenario body, const outcomes& expected, int preemptions = 2) {
    outcomes seen;
    const auto run = [&](scenario& stage) { body(stage, seen); };
    const config bounds{.preemptions = preemptions, .deviations = 1, .random_executions = 500};
    return passes(explore(bounds, run)) && seen == expected;
}

/// The same with three preemptions and two deviations, as far as three million executions go.
inline bool holds_widely(open_scenario body) {
    outcomes seen;
    const auto run = [&](scenario& stage) { body(stage, seen); };
    const result done = explore({.preemptions = 3, .deviations = 2, .max_executions = 3'000'000}, run);
    UNSCOPED_INFO(done.report());
    return !done.failed;
}

} // namespace interleave
