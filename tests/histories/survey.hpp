#pragma once
// Which seeds, and how a run of them that does not stop at the first failure is told.

#include "journal.hpp"
#include "lone_history.hpp"

#include <array>
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

/// Each seed in a process of its own; then a table: the rule, how often, the first seeds.
template <class Run>
void survey(const char* runner, range seeds, Run run) {
    struct kind {
        std::uint64_t times = 0;
        std::string seeds, how;
    };
    std::map<std::string, kind> kinds;
    for (std::uint64_t seed = seeds.first; seed < seeds.first + seeds.count; ++seed) {
        std::array<int, 2> ends{};
        if (::pipe(ends.data()) != 0) return;
        std::fflush(stdout);
        const pid_t child = ::fork();
        if (child == 0) {
            ::dup2(ends[1], 2); // what a crash says
            ::close(ends[0]);
            run(seed);
            if (journal::is_broken()) {
                const std::string what = journal::broken_rule() + "\n" + journal::broken_how() + "\n";
                static_cast<void>(!::write(2, what.data(), what.size()));
            }
            ::_exit(journal::is_broken() ? 1 : 0);
        }
        ::close(ends[1]);
        std::string said;
        std::array<char, 4096> block{};
        for (ssize_t n = 0; (n = ::read(ends[0], block.data(), block.size())) > 0;)
            said.append(block.data(), static_cast<std::size_t>(n));
        ::close(ends[0]);
        int status = 0;
        ::waitpid(child, &status, 0);
        if (WIFEXITED(status) && WEXITSTATUS(status) == 0) continue;
        std::string rule, how;
        if (WIFEXITED(status) && WEXITSTATUS(status) == 1 && said.find("ERROR: ") == std::string::npos &&
            said.find("WARNING: ") == std::string::npos) {
            rule = said.substr(0, said.find('\n'));
            how = said.substr(said.find('\n') + 1);
        } else {
            const std::size_t at = said.find("Sanitizer: ");
            const std::size_t assertion = said.find("Assertion");
            rule = at != std::string::npos ? said.substr(at, said.find_first_of("\n(0", at) - at)
                   : WIFEXITED(status)     ? "exit " + std::to_string(WEXITSTATUS(status))
                                           : "signal " + std::to_string(WTERMSIG(status));
            how = assertion != std::string::npos ? said.substr(assertion > 200 ? assertion - 200 : 0, 420) : said.substr(0, 200);
        }
        how = how.substr(0, how.find('\n') == std::string::npos ? 200 : how.find('\n'));
        kind& found = kinds[rule];
        if (found.times++ < 6) found.seeds += " " + std::to_string(seed);
        if (found.how.empty()) found.how = how;
    }
    std::printf("%s: seeds %llu to %llu\n", runner, static_cast<unsigned long long>(seeds.first),
                static_cast<unsigned long long>(seeds.first + seeds.count - 1));
    for (const auto& [rule, found] : kinds)
        std::printf("  %6llu  %-22s seeds%s ...\n          %s\n", static_cast<unsigned long long>(found.times),
                    rule.c_str(), found.seeds.c_str(), found.how.c_str());
    std::fflush(stdout);
}

} // namespace histories
