// expect-error: give its transport end_output\(\) and disconnect\(\)
// Would catch: an endpoint over a transport that can't end its stream in two steps, whose FIN would leave too early or never.

#include <wsolo/endpoint/endpoint.hpp>

struct wire {
    wsolo::io_result write(std::span<const wsolo::const_bytes> parts, wsolo::time_point) {
        return {wsolo::io_status::ok, parts[0].size(), 0};
    }
    void finish(wsolo::end_of_write) {}
#ifdef WSOLO_TWIN
    void end_output() {}
    void disconnect() {}
#endif
};
struct any_time {
    void operator()() const {}
};

int main() {
    wsolo::endpoint whole(wire{}, any_time{}, [](auto&, wsolo::message&&) {});
    return whole.run().finished ? 1 : 0;
}
