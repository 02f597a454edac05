// expect-error: on_peer_close is called as on_peer_close
// Would catch: a hook of a handler that has the right name and can't be called as the endpoint would, and so is never called.

#include <wsolo/endpoint/endpoint.hpp>
#include <wsolo/testing/scripted_transport.hpp>

struct chat {
    void on_message(auto&, wsolo::message&&) {}
#ifdef WSOLO_TWIN
    void on_peer_close(auto&, wsolo::close_code, std::string_view) {}
#else
    void on_peer_close(auto&, int) {}
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
