// What the two halves leave to the reader: a socket, some bytes, a pool, and what to do with an error.

#include <wsolo/adapt/posix.hpp>
#include <wsolo/wsolo.hpp>

#include <functional>
#include <string>

using namespace std::chrono_literals;

struct worker_pool {
    void post(std::function<void()> task) { task(); }
};

inline void check(wsolo::errc error) { static_cast<void>(error); }

void halves(int fd, wsolo::read_limits limits, wsolo::mutable_bytes received, worker_pool& pool, bool shutting_down) {
    const auto on_ready = [] {};
    @BLOCK@
    static_cast<void>(end);
}
