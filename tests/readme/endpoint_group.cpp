// The group of docs/endpoint.md.
#include <wsolo/adapt/posix.hpp>
#include <wsolo/endpoint/endpoint.hpp>

using namespace std::chrono_literals;

struct wake_loop {
    void operator()() const {}
};
struct handler {
    void on_message(auto&, wsolo::message&&) {}
};
wsolo::time_point now() { return std::chrono::steady_clock::now(); }
void log(std::size_t, std::size_t) {}

void deploy(wsolo::endpoint<wsolo::adapt::posix_socket, wake_loop, handler>& ws) {
@BLOCK@
    static_cast<void>(sums);
}

int main() {}
