// The Traits of one thread in docs/endpoint.md.
#include <wsolo/adapt/posix.hpp>
#include <wsolo/endpoint/endpoint.hpp>
#include <wsolo/sync/one_thread_traits.hpp>

struct wake_loop {
    void operator()() const {}
};
struct handler {
    void on_message(auto&, const wsolo::message&) {}
};
using transport = wsolo::adapt::posix_socket;

@BLOCK@

lone the_connection(transport{-1}, wake_loop{}, handler{});
