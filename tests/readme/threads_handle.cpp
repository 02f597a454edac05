// The pool of docs/threads_and_lifetimes.md, and a connection that uses it.
#include <wsolo/adapt/posix.hpp>
#include <wsolo/endpoint/server_connection.hpp>

#include <string>

struct thread_pool {
    template <class Task>
    void post(Task task) {
        task();
    }
};
struct wake_loop {
    void operator()() const {}
};
std::string compute(const std::string& text) { return text; }
void log(const char*) {}

@BLOCK@

template class wsolo::server_connection<wsolo::adapt::posix_socket, wake_loop, job_chat>;
