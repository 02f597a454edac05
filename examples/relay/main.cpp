// A WebSocket server on epoll: threads that push text to every connection, PINGs answered meanwhile.

#include "loop/report.hpp"
#include "server.hpp"

#include <cstdio>
#include <exception>

namespace {

int serve(const relay::options& how) {
    relay::server server(how); // before the threads: it blocks the signals for all of them
    loop::report_line("listening")
        .with("host", "127.0.0.1")
        .with("port", server.port())
        .with("page", "http://127.0.0.1:" + std::to_string(server.port()) + '/');
    relay::workers<relay::connection> pushing(server.audience(), how);
    server.run();
    pushing.stop();

    const relay::totals& account = server.account();
    const bool adds_up = account.accepted == account.written + account.dropped + account.replaced;
    loop::report_line("total")
        .with("connections", account.connections)
        .with("accepted", account.accepted.load())
        .with("written", account.written)
        .with("dropped", account.dropped)
        .with("replaced", account.replaced)
        .with("writes", account.write_calls)
        .with("adds_up", adds_up ? "yes" : "no");
    return adds_up ? 0 : 1;
}

} // namespace

int main(int count, char** arguments) {
    relay::options how;
    if (!relay::parse_options(count, arguments, how)) return 2;
    try {
        return serve(how);
    } catch (const std::exception& error) {
        std::fprintf(stderr, "relay: %s\n", error.what());
        return 1;
    }
}
