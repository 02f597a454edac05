// What the README's first screen leaves to the reader: a socket, some bytes, a pool, and what to do with an error.

#include <functional>
#include <string>

using namespace std::chrono_literals;

struct worker_pool {
    void post(std::function<void()> task) { task(); }
};

inline std::string answer(const std::string& question) { return "you said: " + question; }
inline void check(wsolo::errc error) { static_cast<void>(error); }

void first_screen(int fd, wsolo::read_limits limits, wsolo::mutable_bytes received, worker_pool& pool) {
    const auto on_ready = [] {};
    @BLOCK@
}
