// A connection that joins a group, of docs/connection.md.
#include <wsolo/adapt/posix.hpp>
#include <wsolo/endpoint/server_connection.hpp>

struct wake_loop {
    bool operator()() const;
};
struct chat {
    wsolo::errc on_message(auto& e, wsolo::message&& received) { return e.send(received); }
};
using connection = wsolo::server_connection<wsolo::adapt::posix_socket, wake_loop, chat>;

@BLOCK@
