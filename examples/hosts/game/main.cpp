// A game's own loop, sixty frames a second, that looks at its sockets once in each.

#include "../chat.hpp"
#include "../socket.hpp"

#include <wsolo/adapt/poll.hpp>

using namespace std::chrono_literals;

int main(int count, char** given) {
    const arguments told(count, given);
    told.refuse_tls();
    wsolo::connection_group everyone;
    wsolo::adapt::poll::loop loop;
    stop_signals signals;
    signals.call([&] {
        loop.stop_accepting();
        static_cast<void>(everyone.close_all(wsolo::close_code::going_away, "restart", 2s));
    });
    pusher pushes;
    const auto make = [&] { return chat{&pushes}; };
    if (loop.accept(listen_on(told.port), everyone, make, chat_options()) != wsolo::errc::none) return 1;

    std::uint64_t world = 0;
    auto frame = std::chrono::steady_clock::now();
    while (loop.turn(0s)) { // false: the last player has left
        ++world;            // the game's own work
        frame += 16ms;
        while (std::chrono::steady_clock::now() < frame &&
               loop.turn(frame - std::chrono::steady_clock::now())) {}
    }
}
