// A game's own loop, sixty frames a second, that looks at its sockets once in each.

#include "../chat.hpp"
#include "../socket.hpp"
#include "../tls.hpp"

using namespace std::chrono_literals;

int main(int count, char** given) {
    const arguments told(count, given);
    wsolo::connection_group everyone;
    wsolo::adapt::poll::loop loop;
    stop_signals signals;
    signals.call([&] {
        loop.stop_accepting();
        static_cast<void>(everyone.close_all(wsolo::close_code::going_away, "restart", 2s));
    });
    pusher pushes;
    const auto make = [&] { return chat{&pushes}; };
    return with_streams(told, [&](auto wrap) {
        const int listening = listen_on(told.port);
        if (loop.accept(listening, everyone, make, chat_options(), wrap) != wsolo::errc::none) return 1;

        std::uint64_t world = 0;
        for (auto frame = std::chrono::steady_clock::now(); loop.turn(0s); frame += 16ms) {
            ++world; // the game's own work; the loop ends when the last player has left
            std::this_thread::sleep_until(frame + 16ms);
        }
        return 0;
    });
}
