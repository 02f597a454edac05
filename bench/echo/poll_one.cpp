// wsolo over adapt/poll for connections that no other thread touches: what a server of one thread may use.

#include "handler.hpp"
#include "server.hpp"

#include <wsolo/adapt/poll.hpp>

int main(int count, char** given) {
    using group = wsolo::adapt::poll::one_thread_loop::group_type;
    const echo::arguments told(count, given);
    if (!told.deflate.empty()) return 2; // deflate.cpp has it
    group everyone;
    wsolo::adapt::poll::one_thread_loop loop;
    const int listening = echo::listen_somewhere();
    const wsolo::errc answer =
        told.broadcasts ? loop.accept(listening, everyone, [&] { return echo::to_all<group>{&everyone}; })
                        : loop.accept(listening, everyone, [] { return echo::to_sender{}; });
    if (answer != wsolo::errc::none) return 1;
    loop.run();
    return 0;
}
