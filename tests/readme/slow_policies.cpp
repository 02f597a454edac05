// What docs/slow_consumers.md leaves out: quotes, a hook, and counters.
#include <wsolo/adapt/posix.hpp>
#include <wsolo/write/single_writer.hpp>
#include <wsolo/write/wait.hpp>

#include <string>
#include <vector>

using namespace std::chrono_literals;

struct wake_loop {
    void operator()() const {}
};
struct quote {
    std::uint64_t symbol;
    std::string json;
};
std::vector<quote> later;
int too_slow = 0;
void check(wsolo::errc) {}
wsolo::time_point now() { return std::chrono::steady_clock::now(); }

@BLOCK@

int main() {}
