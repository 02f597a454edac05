#pragma once
// What a test asks of a result; the report goes with the assertion that follows.

#include "explore.hpp"

#include <support/catch.hpp>

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

} // namespace interleave
