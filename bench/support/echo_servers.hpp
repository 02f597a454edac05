#pragma once
// The server programs that are here: those of bench/echo, beside this program, and what the command line adds.

#include "echo_server.hpp"

#include <filesystem>

namespace bench {

struct server_program {
    std::string name, path;
};

/// Takes `--server NAME=PROGRAM` out of the arguments: another contender, which takes the same options as those of bench/echo and
/// says "listening on PORT"; an older build of one of them, for example.
inline std::vector<server_program> take_servers(int& count, char** given,
                                                const std::vector<std::string>& known) {
    std::vector<server_program> all;
    const auto folder = std::filesystem::canonical("/proc/self/exe").parent_path() / "servers";
    for (const std::string& name : known) {
        const auto path = folder / name;
        if (std::filesystem::exists(path)) all.push_back({name, path.string()});
    }
    int kept = 1;
    for (int i = 1; i < count; ++i) {
        if (std::string_view(given[i]) != "--server" || i + 1 == count) {
            given[kept++] = given[i];
            continue;
        }
        const std::string told = given[++i];
        const std::size_t middle = told.find('=');
        if (middle == std::string::npos) give_up("--server NAME=PROGRAM");
        all.push_back({told.substr(0, middle), told.substr(middle + 1)});
    }
    count = kept;
    return all;
}

/// Under which of the machine's rules all of this runs.
inline void say_where() {
    std::ifstream model("/proc/cpuinfo");
    std::string line, name = "an unknown processor";
    while (std::getline(model, line) && !line.starts_with("model name")) {}
    if (const std::size_t at = line.find(": "); at != std::string::npos) name = line.substr(at + 2);
    double load[1] = {};
    if (::getloadavg(load, 1) != 1) load[0] = -1;
    std::printf("%s; loopback TCP under cubic; server on the first processor, load on the second; load "
                "before: %.1f\n",
                name.c_str(), load[0]);
}

} // namespace bench
