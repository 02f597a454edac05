// wsolo over adapt/asio: an io_context that one thread runs.

#include "handler.hpp"
#include "server.hpp"

#include <asio/io_context.hpp>
#include <wsolo/adapt/asio.hpp>

int main(int count, char** given) {
    const echo::arguments told(count, given);
    if (!told.deflate.empty()) return 2; // deflate.cpp has it
    using tcp = asio::ip::tcp;
    asio::io_context loop(1);
    wsolo::connection_group everyone;
    tcp::acceptor acceptor(loop, tcp::v4(), echo::listen_somewhere());
    wsolo::adapt::asio::listen_options options;
    options.strands = false;
    if (told.broadcasts) {
        wsolo::adapt::asio::accept(acceptor, everyone, [&] { return echo::to_all<>{&everyone}; }, options);
    } else {
        wsolo::adapt::asio::accept(acceptor, everyone, [] { return echo::to_sender{}; }, options);
    }
    loop.run();
}
