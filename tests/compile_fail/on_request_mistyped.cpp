// expect-error: on_request is called as on_request
// Would catch: a server's hook of another type that is never asked, so that every origin comes in.

#include <wsolo/adapt/posix.hpp>
#include <wsolo/endpoint/server_connection.hpp>

struct chat {
    wsolo::errc on_message(auto& e, wsolo::message&& received) { return e.send(received); }
#ifdef WSOLO_TWIN
    void on_request(const wsolo::upgrade_request&, wsolo::http_reply& reply) {
        reply.refuse(wsolo::errc::aborted);
    }
#else
    bool on_request(const wsolo::upgrade_request&) { return false; }
#endif
};

void serve(int socket) {
    wsolo::server_connection ws(wsolo::adapt::posix_socket(socket), [] {}, chat{});
}
