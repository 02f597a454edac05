// A WebSocket server that sends every message back: what the conformance and the hostile suites run.

#include "loop/report.hpp"
#include "server.hpp"

#include <cstdio>
#include <exception>

namespace {

template <class Work>
int serve(const echo::options& how) {
    echo::server<Work> server(how);
    std::printf("listening on 127.0.0.1:%u\n", unsigned{server.port()});
    std::fflush(stdout);
    const echo::totals& account = server.run();
    loop::report_line("total")
        .with("connections", account.connections)
        .with("refused", account.refused)
        .with("received", account.received)
        .with("handled", account.handled)
        .with("unhandled", account.dropped)
        .with("accepted", account.frames_accepted)
        .with("written", account.frames_written)
        .with("dropped", account.frames_dropped)
        .with("replaced", account.pongs_replaced)
        .with("adds_up", account.adds_up ? "yes" : "no");
    return account.adds_up ? 0 : 1;
}

} // namespace

int main(int count, char** arguments) {
    echo::options how;
    if (!echo::parse_options(count, arguments, how)) return 2;
    try {
        return how.threads == 0 ? serve<wsolo::in_the_loop>(how) : serve<echo::in_a_pool>(how);
    } catch (const std::exception& error) {
        std::fprintf(stderr, "echo: %s\n", error.what());
        return 1;
    }
}
