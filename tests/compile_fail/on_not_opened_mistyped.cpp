// expect-error: on_not_opened is called as on_not_opened
// Would catch: a hook of a handler that is to be told of a failed handshake, and never is.

#include <wsolo/endpoint/server_connection.hpp>
#include <wsolo/testing/scripted_transport.hpp>

struct chat {
    void on_message(auto&, wsolo::message&&) {}
#ifdef WSOLO_TWIN
    void on_not_opened(wsolo::errc, int) {}
#else
    void on_not_opened(auto&, const wsolo::ending&) {}
#endif
};
struct any_time {
    void operator()() const {}
};

int main() {
    wsolo::testing::scripted_wire wire;
    wsolo::server_connection whole(wsolo::testing::scripted_transport(wire), any_time{}, chat{});
    return whole.run().finished ? 1 : 0;
}
