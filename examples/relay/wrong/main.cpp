// The relay's schedule on a server that goes wrong: a thread reads each connection, the workers write to it,
// and both believe that they take turns. See wrong_connection.hpp.

#include "loop/listener.hpp"
#include "loop/report.hpp"
#include "wrong_connection.hpp"

#include <cstdio>
#include <exception>
#include <memory>
#include <sys/socket.h>
#include <thread>
#include <vector>

namespace {

using relay::wrong_connection;

void serve_one(loop::roster<wrong_connection>& present, loop::peer_id id,
               const std::shared_ptr<wrong_connection>& connection) {
    if (!connection->greet()) return;
    present.add(id, connection);
    connection->serve();
    present.remove(id);
    connection->report();
}

int serve(const relay::options& how) {
    loop::listener door(how.port);
    loop::report_line("listening").with("host", "127.0.0.1").with("port", door.port());
    loop::roster<wrong_connection> present;
    const relay::workers<wrong_connection> pushing(present, how);
    std::vector<std::jthread> readers;
    for (loop::peer_id id = 0;;) { // until a signal ends the process
        loop::accepted next = door.accept(SOCK_CLOEXEC);
        if (next.status != loop::accept_status::accepted) {
            std::this_thread::sleep_for(std::chrono::milliseconds(10));
            continue;
        }
        auto connection = std::make_shared<wrong_connection>(std::move(next.socket), next.peer_port);
        readers.emplace_back([&present, id, connection] { serve_one(present, id, connection); });
        ++id;
    }
}

} // namespace

int main(int count, char** arguments) {
    relay::options how;
    if (!relay::parse_options(count, arguments, how)) return 2;
    try {
        return serve(how);
    } catch (const std::exception& error) {
        std::fprintf(stderr, "relay_wrong: %s\n", error.what());
        return 1;
    }
}
