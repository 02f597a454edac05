// What docs/deploys.md leaves to the service.
#include <wsolo/adapt/poll.hpp>

#include <thread>

using namespace std::chrono_literals;

void fail_the_health_check();
void log(std::uint64_t, std::uint64_t, std::uint64_t, std::uint64_t);
wsolo::time_point now() { return std::chrono::steady_clock::now(); }
void shut_down(wsolo::adapt::poll::loop& loop, wsolo::connection_group& everyone);

@BLOCK@
