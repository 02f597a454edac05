#pragma once
// Runs one hidden test of this program in a process of its own and gives what it said: for what a sanitizer
// must report, which would fail the process that sees it. Linux only.

#include <array>
#include <cstdio>
#include <string>
#include <unistd.h>

#if defined(__SANITIZE_THREAD__)
#define WSOLO_TEST_SEES_RACES 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define WSOLO_TEST_SEES_RACES 1
#endif
#endif
#if !defined(WSOLO_TEST_SEES_RACES)
#define WSOLO_TEST_SEES_RACES 0 // whether this build has ThreadSanitizer
#endif

namespace support {

struct told {
    int status = -1; // 0: success
    std::string output;
};

/// `test` is a tag or a name, as on Catch's command line.
inline told run_in_own_process(const std::string& test) {
    std::array<char, 4096> path{};
    const ssize_t size = ::readlink("/proc/self/exe", path.data(), path.size() - 1);
    if (size <= 0) return {};
    told result;
    const std::string command =
        "'" + std::string(path.data(), static_cast<std::size_t>(size)) + "' '" + test + "' 2>&1";
    FILE* const pipe = ::popen(command.c_str(), "r");
    if (pipe == nullptr) return {};
    std::array<char, 4096> block{};
    for (std::size_t n; (n = std::fread(block.data(), 1, block.size(), pipe)) > 0;)
        result.output.append(block.data(), n);
    result.status = ::pclose(pipe);
    return result;
}

} // namespace support
