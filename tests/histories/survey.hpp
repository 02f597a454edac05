#pragma once
// Which seeds, and how a run of them that does not stop at the first failure is told.

#include "journal.hpp"
#include "lone_history.hpp"

#include <support/own_process.hpp>

#include <cstdio>
#include <cstdlib>
#include <map>
#include <string>
#include <sys/wait.h>
#include <unistd.h>

namespace histories {

struct range {
    std::uint64_t first = 1, count = 1;
};

inline std::uint64_t number_of_environment(const char* name, std::uint64_t otherwise) {
    const char* const text = std::getenv(name);
    return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

inline range range_of_environment(std::uint64_t usual_count) {
    const bool one = std::getenv("WSOLO_HISTORY_SEED") != nullptr;
    return {number_of_environment("WSOLO_HISTORY_SEED", 1),
            number_of_environment("WSOLO_HISTORY_COUNT", one ? 1 : usual_count)};
}

inline bool wants_survey() { return std::getenv("WSOLO_HISTORY_SURVEY") != nullptr; }

inline shrinking shrinking_of_environment() {
    shrinking less;
    less.cut = static_cast<unsigned>(number_of_environment("WSOLO_HISTORY_CUT", ~0U));
    if (const char* at = std::getenv("WSOLO_HISTORY_SKIP")) {
        for (char* next = nullptr; *at != '\0'; at = *next == ',' ? next + 1 : next)
            if (less.skipped.insert(static_cast<unsigned>(std::strtoul(at, &next, 10))); next == at) break;
    }
    return less;
}

/// Runs one seed, and ends the process: what the survey reads is the rule and how it was broken.
template <class Run>
[[noreturn]] void run_alone(std::uint64_t seed, Run run) {
    run(seed);
    if (journal::is_broken()) {
        const std::string what = "\nbroken: " + journal::broken_rule() + "\n" + journal::broken_how() + "\n";
        static_cast<void>(!::write(2, what.data(), what.size()));
    }
    ::_exit(journal::is_broken() ? 1 : 0);
}

inline std::string text_between(const std::string& in, const std::string& after, const char* before) {
    const std::size_t at = in.find(after);
    if (at == std::string::npos) return {};
    const std::size_t from = at + after.size();
    return in.substr(from, in.find_first_of(before, from) - from);
}

/// What a process that failed says: the rule, or the sanitizer's summary, or how it ended.
inline std::pair<std::string, std::string> reason_of(const std::string& said, int status) {
    if (const std::string report = text_between(said, "SUMMARY: ", "\n"); !report.empty()) {
        const std::size_t name = report.find(": ");
        const std::string what = report.substr(name + 2, report.find(' ', name + 2) - name - 2);
        return {what, report.substr(name + 2)};
    }
    if (const std::string error = text_between(said, "runtime error: ", "\n"); !error.empty())
        return {"undefined", error};
    if (const std::string rule = text_between(said, "\nbroken: ", "\n"); !rule.empty())
        return {rule, text_between(said, "\nbroken: " + rule + "\n", "\n")};
    if (const std::string fails = text_between(said, "wsolo: ", "\n"); !fails.empty())
        return {"assertion", fails};
    if (WIFEXITED(status)) return {"exit " + std::to_string(WEXITSTATUS(status)), said.substr(0, 200)};
    return {"signal " + std::to_string(WTERMSIG(status)), said.substr(0, 200)};
}

/// Each seed in a process of its own, this program with the test `tag`; then a table: the rule, how often, the
/// first seeds.
template <class Run>
void survey(const char* tag, range seeds, Run run) {
    if (std::getenv("WSOLO_HISTORY_CHILD") != nullptr) run_alone(seeds.first, run);
    struct kind {
        std::uint64_t times = 0;
        std::string seeds, how;
    };
    std::map<std::string, kind> kinds;
    ::setenv("WSOLO_HISTORY_CHILD", "1", 1);
    for (std::uint64_t seed = seeds.first; seed < seeds.first + seeds.count; ++seed) {
        ::setenv("WSOLO_HISTORY_SEED", std::to_string(seed).c_str(), 1);
        const support::told result = support::run_in_own_process(tag);
        if (result.status == 0) continue;
        auto [rule, how] = reason_of(result.output, result.status);
        kind& found = kinds[rule];
        if (found.times++ < 6) found.seeds += " " + std::to_string(seed);
        if (found.how.empty()) found.how = how;
    }
    std::printf("%s: seeds %llu to %llu\n", tag, static_cast<unsigned long long>(seeds.first),
                static_cast<unsigned long long>(seeds.first + seeds.count - 1));
    for (const auto& [rule, found] : kinds)
        std::printf("  %6llu  %-22s seeds%s ...\n          %s\n",
                    static_cast<unsigned long long>(found.times), rule.c_str(), found.seeds.c_str(),
                    found.how.c_str());
    std::fflush(stdout);
}

} // namespace histories
