#pragma once
// The instructions that a server program itself executes, without the system's: noise does not move them. callgrind counts.

#include "echo_server.hpp"

#include <cstdlib>
#include <filesystem>
#include <memory>

namespace bench {

/// A server under callgrind, many times slower than by itself.
class counted_server {
    static constexpr const char* tool = "valgrind";
    static constexpr const char* control = "callgrind_control";

public:
    /// False: valgrind is not installed.
    static bool works() {
        child probe(tool, {"--version"}, 1);
        return probe.line().starts_with("valgrind-");
    }

    explicit counted_server(const std::string& program) {
        std::string name = (std::filesystem::temp_directory_path() / "wsolo-instructions-XXXXXX").string();
        if (::mkdtemp(name.data()) == nullptr) give_up("no temporary folder");
        folder_ = name;
        server_ = std::make_unique<echo_server>(
            tool, std::vector<std::string>{"--quiet", "--tool=callgrind", "--callgrind-out-file=" + file(),
                                           program});
    }
    counted_server(const counted_server&) = delete;
    counted_server& operator=(const counted_server&) = delete;
    ~counted_server() {
        server_.reset();
        std::error_code ignored;
        std::filesystem::remove_all(folder_, ignored);
    }

    [[nodiscard]] const echo_server& server() const { return *server_; }
    /// Counts from now on.
    void begin() { tell("--zero"); }
    /// Since begin().
    double end() {
        tell("--dump");
        std::ifstream dump(file() + "." + std::to_string(++dumps_));
        for (std::string line; std::getline(dump, line);) {
            if (line.starts_with("totals: ")) return std::strtod(line.c_str() + 8, nullptr);
        }
        give_up("callgrind wrote no totals");
    }

private:
    [[nodiscard]] std::string file() const { return (folder_ / "counts").string(); }
    /// Returns when it is done: callgrind answers.
    void tell(const std::string& what) const {
        child teller(
            "sh", {"-c", std::string(control) + " " + what + " " + std::to_string(server_->id()) + " 2>&1"},
            1);
        static_cast<void>(teller.rest());
    }

    std::filesystem::path folder_;
    std::unique_ptr<echo_server> server_;
    int dumps_ = 0;
};

} // namespace bench
