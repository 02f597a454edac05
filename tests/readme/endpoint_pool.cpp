// The pool of docs/endpoint.md.
#include <wsolo/adapt/posix.hpp>
#include <wsolo/endpoint/endpoint.hpp>

struct thread_pool {
    void post(auto job) { job(); }
};
struct wake_loop {
    void operator()() const {}
};
struct handler {
    void on_message(auto&, wsolo::message&&) {}
};
using transport = wsolo::adapt::posix_socket;
transport wire{-1};
thread_pool pool;
wsolo::endpoint_options how;

@BLOCK@
