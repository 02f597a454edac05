// uWebSockets, from a checkout (scripts/bench echo --uws DIR): its own loop, its echo example without compression.

#include "server.hpp"

#include <App.h>

namespace {

constexpr const char* everyone = "everyone";
struct nothing {};

} // namespace

int main(int count, char** given) {
    const echo::arguments told(count, given);
    uWS::App app;
    uWS::App::WebSocketBehavior<nothing> how;
    how.compression = uWS::DISABLED;
    how.maxPayloadLength = 4 * 1024 * 1024; // as wsolo's default
    how.maxBackpressure = 8 * 1024 * 1024;  // as wsolo's default
    how.idleTimeout = 120;
    if (told.broadcasts) {
        how.open = [](auto* ws) { ws->subscribe(everyone); };
        how.message = [&app](auto*, std::string_view message, uWS::OpCode op) {
            app.publish(everyone, message, op, false);
        };
    } else {
        how.message = [](auto* ws, std::string_view message, uWS::OpCode op) {
            ws->send(message, op, false);
        };
    }
    app.ws<nothing>("/*", std::move(how)).listen("127.0.0.1", 0, [](us_listen_socket_t* listening) {
        echo::must(listening != nullptr, "listen");
        const int fd = us_poll_fd(reinterpret_cast<us_poll_t*>(listening));
        echo::under_cubic(fd);
        ::listen(fd, 4096); // its own backlog is 512
        echo::say_listening(fd);
    });
    app.run();
}
