// wsolo over adapt/poll: sockets and epoll.

#include "handler.hpp"
#include "server.hpp"

#include <wsolo/adapt/poll.hpp>

int main(int count, char** given) {
    const echo::arguments told(count, given);
    if (!told.deflate.empty()) return 2; // deflate.cpp has it
    wsolo::connection_group everyone;
    wsolo::adapt::poll::loop loop;
    const int listening = echo::listen_somewhere();
    const wsolo::errc answer =
        told.broadcasts ? loop.accept(listening, everyone, [&] { return echo::to_all<>{&everyone}; })
                        : loop.accept(listening, everyone, [] { return echo::to_sender{}; });
    if (answer != wsolo::errc::none) return 1;
    loop.run();
    return 0;
}
