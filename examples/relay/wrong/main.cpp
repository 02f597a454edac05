// The relay's schedule on a server that goes wrong: a thread reads each connection, the workers write to it,
// and both believe that they take turns. See wrong_connection.hpp.

#include "../../hosts/socket.hpp"
#include "wrong_connection.hpp"

#include <cstdio>
#include <exception>
#include <memory>
#include <sys/socket.h>
#include <thread>
#include <vector>

namespace {

using relay::wrong_connection;

void serve_one(relay::audience& present, const relay::options& how,
               const std::shared_ptr<wrong_connection>& connection) {
    if (!connection->greet()) return;
    const auto seat = present.add([how, connection, feed = relay::feed()](unsigned worker) mutable {
        feed.push(worker, how, [&](const std::string& text) { return connection->push_text(text); });
    });
    connection->serve();
    present.remove(seat);
    connection->report();
}

} // namespace

int main(int count, char** given) {
    relay::options how;
    if (!how.read(count, given)) return 2;
    const int door = listen_on(how.port);
    relay::audience present;
    const relay::workers pushing(present, how);
    std::vector<std::jthread> readers;
    for (;;) { // until a signal ends the process
        sockaddr_in peer{};
        socklen_t size = sizeof peer;
        const int socket = ::accept(door, reinterpret_cast<sockaddr*>(&peer), &size);
        if (socket < 0) {
            std::this_thread::sleep_for(std::chrono::milliseconds(10));
            continue;
        }
        auto connection = std::make_shared<wrong_connection>(socket, ntohs(peer.sin_port));
        readers.emplace_back([&present, how, connection] { serve_one(present, how, connection); });
    }
}
