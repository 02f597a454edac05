// expect-error: on_peer_close tells of the peer's Close
// Would catch: a hook under a name that other libraries use and that an endpoint would never call.

#include <wsolo/endpoint/endpoint.hpp>
#include <wsolo/testing/scripted_transport.hpp>

struct chat {
    void on_message(auto&, wsolo::message&&) {}
#ifdef WSOLO_TWIN
    void on_peer_close(auto&, wsolo::close_code, std::string_view) {}
#else
    void on_close(auto&, wsolo::close_code, std::string_view) {}
#endif
};
struct any_time {
    void operator()() const {}
};

int main() {
    wsolo::testing::scripted_wire wire;
    wsolo::endpoint whole(wsolo::testing::scripted_transport(wire), any_time{}, chat{});
    return whole.run().finished ? 1 : 0;
}
