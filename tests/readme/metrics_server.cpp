// The handler of docs/metrics.md, in a connection.
#include <wsolo/adapt/posix.hpp>
#include <wsolo/endpoint/server_connection.hpp>

#include <map>

struct histogram {
    void add(wsolo::duration) {}
};
struct wake_loop {
    void operator()() const {}
};

@BLOCK@

template class wsolo::server_connection<wsolo::adapt::posix_socket, wake_loop, counted_chat>;
