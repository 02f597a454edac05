// expect-error: a client knows no on_request
// Would catch: a server's hook in a client's handler, which nothing would ever call.

#include <wsolo/adapt/posix.hpp>
#include <wsolo/endpoint/client_connection.hpp>

struct chat {
    wsolo::errc on_message(auto& e, wsolo::message&& received) { return e.send(received); }
#ifdef WSOLO_TWIN
    wsolo::errc on_response(const wsolo::upgrade_response&, wsolo::errc verdict) { return verdict; }
#else
    void on_request(const wsolo::upgrade_request&, wsolo::errc) {}
#endif
};

void talk(int socket) {
    wsolo::client_connection ws(wsolo::adapt::posix_socket(socket), [] {}, chat{}, {.host = "example.com"});
}
