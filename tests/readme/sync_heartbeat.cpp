// The heartbeat of docs/sync.md.
#include <wsolo/core/error.hpp>
#include <wsolo/session/heartbeat.hpp>

using namespace std::chrono_literals;
struct clock : std::chrono::steady_clock {};

void send_ping(wsolo::const_bytes) {}
void send_text(int) {}
int metrics(bool window_is_over) { return window_is_over ? 1 : 0; }
void fail(wsolo::errc) {}
void arm_timer(wsolo::time_point) {}

int main() {
@BLOCK@
}
